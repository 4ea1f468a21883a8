/*
 * What a table of data is declared to hold: the described schema, a small JSON document.
 *
 *     {"name": "german",
 *      "target": {"column": "creditability", "positive": "bad"}, "key": "application",
 *      "protected": ["age_in_years"], "ignored": [], "missing": ["", "NA"],
 *      "columns": {"duration_in_month": {"type": "number", "min": 1, "max": 120, "unit": "months"},
 *                  "purpose": {"type": "category", "categories": ["radio", "car"]}}}
 *
 * Every member but the target may be absent: types are then found from the cells. A column is
 * target, key, protected, ignored or a feature, one of them. "missing": "accept" or "refuse" and,
 * of categories with a closed list, "unknown": "missing" or "refuse" say what a cell may be, in
 * training and in serving alike (encode.h).
 */
#pragma once

#include "base/ctx.h"

enum ax_schema_type { AX_SCHEMA_FOUND, AX_SCHEMA_NUMBER, AX_SCHEMA_CATEGORY };

struct ax_schema_column {
    ax_str name;
    enum ax_schema_type type;
    double min, max;         /* of numbers: -inf and +inf when not said */
    bool missing_refused;    /* "missing": "refuse" */
    bool missing_accepted;   /* "missing": "accept"; neither: as the training rows are */
    bool unknown_is_missing; /* "unknown": "missing" */
    ax_str unit;             /* "" when not said */
    ax_str *categories;      /* the closed list, in code order; NULL: found from the cells */
    size_t category_count;
};

struct ax_schema {
    ax_str name;
    ax_str target;   /* column */
    ax_str positive; /* its value that is the event */
    ax_str key;      /* column that tells rows apart; "" when there is none */
    ax_str *protected_columns;
    size_t protected_count;
    ax_str *ignored;
    size_t ignored_count;
    ax_str *missing; /* spellings of a missing cell; the empty one always is */
    size_t missing_count;
    struct ax_schema_column *columns;
    size_t column_count;
};

/* All in ctx->arena (texts too). Fails: INVALID names the member and what was expected; LIMIT. */
ax_status ax_schema_parse(struct ax_ctx *ctx, ax_str json, struct ax_schema *out_schema);

/* The canonical JSON text: what a dataset's digest covers. */
ax_status ax_schema_format(struct ax_ctx *ctx, const struct ax_schema *schema, ax_str *out_json);

/* The column's description, or NULL. */
const struct ax_schema_column *ax_schema_find(const struct ax_schema *schema, ax_str name);

enum ax_schema_role {
    AX_SCHEMA_FEATURE,
    AX_SCHEMA_TARGET,
    AX_SCHEMA_PROTECTED,
    AX_SCHEMA_IGNORED,
    AX_SCHEMA_KEY,
};
enum ax_schema_role ax_schema_role(const struct ax_schema *schema, ax_str column);

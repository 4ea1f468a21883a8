/*
 * The language in which runs, models and versions are searched: "metrics.auc > 0.8 and tags.`a b`
 * like 'x%'", and "metrics.auc desc" for the order. Text to clauses; search_sql.h goes on.
 *
 * It is MLflow's language, exactly: comparisons joined by AND, no OR, no parentheses. What each
 * subject knows (attributes, metrics, params, tags, datasets) stands in one table here.
 *
 * Source: MLflow's search syntax, as its server answers (tests/golden/mlflow).
 */
#pragma once

#include "base/array.h"
#include "base/ctx.h"

/* What is searched: each has attributes, entities and comparators of its own. */
enum ax_search_subject {
    AX_SEARCH_RUNS,
    AX_SEARCH_EXPERIMENTS,
    AX_SEARCH_REGISTERED_MODELS,
    AX_SEARCH_MODEL_VERSIONS,
    AX_SEARCH_LOGGED_MODELS,
    AX_SEARCH_SUBJECTS
};

enum ax_search_entity {
    AX_SEARCH_ATTRIBUTE,
    AX_SEARCH_METRIC,
    AX_SEARCH_PARAM,
    AX_SEARCH_TAG,
    AX_SEARCH_DATASET,
};

enum ax_search_comparator {
    AX_SEARCH_EQ,
    AX_SEARCH_NE,
    AX_SEARCH_GT,
    AX_SEARCH_GE,
    AX_SEARCH_LT,
    AX_SEARCH_LE,
    AX_SEARCH_LIKE,
    AX_SEARCH_ILIKE,
    AX_SEARCH_IN,
    AX_SEARCH_NOT_IN,
    AX_SEARCH_IS_NULL,
    AX_SEARCH_IS_NOT_NULL,
    AX_SEARCH_COMPARATORS
};
const char *ax_search_comparator_name(enum ax_search_comparator comparator); /* "NOT IN" */

enum {
    AX_SEARCH_TEXT_BYTES_MAX = 1 << 16, /* of a whole filter */
    AX_SEARCH_CLAUSES_MAX = 64,
    AX_SEARCH_LIST_MAX = 1000, /* texts of one IN */
    AX_SEARCH_ORDERS_MAX = 16
};

struct ax_search_clause {
    enum ax_search_entity entity;
    ax_str key;         /* an attribute's: as the table names it */
    const char *column; /* of an attribute or dataset: the SQL that reads it */
    enum ax_search_comparator comparator;
    bool numeric; /* number is the value; else text, or the texts of IN */
    double number;
    ax_str text;
    const ax_str *texts;
    size_t text_count;
    bool each; /* asked of each row, for many fulfil it; else those that do are listed first */
};

struct ax_search_clauses {
    AX_ARRAY(struct ax_search_clause)
};

/*
 * A filter taken apart, in ctx->arena; "" has no clauses. Fails: INVALID, in MLflow's words; LIMIT.
 */
ax_status ax_search_filter_parse(struct ax_ctx *ctx, enum ax_search_subject subject, ax_str text,
                                 struct ax_search_clauses *out_clauses);

struct ax_search_order {
    enum ax_search_entity entity;
    ax_str key;
    const char *column; /* of an attribute */
    bool descending;
    ax_str dataset_name, dataset_digest; /* of a logged model's metric; "" for any */
};

struct ax_search_orders {
    AX_ARRAY(struct ax_search_order)
};

/* One more item: "metrics.`a b` DESC". Fails: INVALID (also what is there already), LIMIT. */
ax_status ax_search_order_parse(struct ax_ctx *ctx, enum ax_search_subject subject, ax_str text,
                                struct ax_search_orders *orders);

/* Whether one of the items is this attribute. */
bool ax_search_orders_by(const struct ax_search_orders *orders, const char *attribute);

/* The offset a page token stands for; "" is 0. Fails: INVALID. */
ax_status ax_search_page_parse(struct ax_ctx *ctx, ax_str token, int64_t *out_offset);
ax_status ax_search_page_format(struct ax_ctx *ctx, int64_t offset, ax_str *out_token);

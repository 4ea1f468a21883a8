/*
 * Expectations on a batch, judged row by row, with verdicts a person can act on.
 *
 * A suite is a list of expectations; each verdict says what was expected, how many of how many
 * rows failed, and which was the first. Missing values are left out before a value is judged
 * (as Great Expectations does), except where missing is the question. A column that is not there
 * fails; an empty batch passes what is said of its rows.
 */
#pragma once

#include "codec/json.h"
#include "numeric/frame.h"

enum ax_expectation_kind {
    AX_EXPECT_COLUMN,    /* is there */
    AX_EXPECT_TYPE,      /* number or category */
    AX_EXPECT_NOT_NULL,  /* no missing value */
    AX_EXPECT_BETWEEN,   /* min <= value <= max */
    AX_EXPECT_IN_SET,    /* the category is one of the listed */
    AX_EXPECT_UNIQUE,    /* the values of the columns together occur once */
    AX_EXPECT_ROW_COUNT, /* min <= rows <= max */
    AX_EXPECT_MEAN,      /* min <= mean <= max */
};

enum ax_expectation_severity { AX_EXPECT_CRITICAL, AX_EXPECT_WARNING };

struct ax_expectation {
    enum ax_expectation_kind kind;
    enum ax_expectation_severity severity;
    ax_str *columns; /* one; several for UNIQUE; none for ROW_COUNT */
    size_t column_count;
    double mostly;   /* share of judged rows that must hold; 1 unless said */
    double min, max; /* -inf and +inf when not said */
    enum ax_frame_kind type;
    ax_str *values; /* of IN_SET */
    size_t value_count;
};

struct ax_expectation_verdict {
    bool success;
    uint64_t element_count; /* rows */
    uint64_t missing_count; /* of them left out */
    uint64_t unexpected_count;
    uint64_t first_unexpected; /* row id; UINT64_MAX when there is none */
    double observed;           /* of ROW_COUNT and MEAN; else NaN */
    ax_str message;            /* one sentence; in ctx->arena */
};

/*
 * Reads a suite: Great Expectations' document (1.x `type`, 0.18 `expectation_type`) with the kinds
 * above: {"name": ..., "expectations": [{"type": "expect_column_values_to_be_between", "kwargs":
 * {"column": ..., "min_value": ..., "max_value": ..., "mostly": ...}, "severity": "warning"}]}.
 * Fails: UNSUPPORTED names a type we do not judge, INVALID a wrong member; LIMIT.
 */
ax_status ax_data_validation_parse(struct ax_ctx *ctx, ax_str json,
                                   struct ax_expectation **out_suite, size_t *out_count);

/* out_verdicts: count of them, in ctx->arena. out_success: no critical one failed. Fails: LIMIT. */
ax_status ax_data_validation_check(struct ax_ctx *ctx, const struct ax_frame *frame,
                                   const struct ax_expectation *suite, size_t count,
                                   struct ax_expectation_verdict **out_verdicts, bool *out_success);

/* The verdicts in Great Expectations' result form (BASIC): JSON text. */
ax_status ax_data_validation_format(struct ax_ctx *ctx, const struct ax_expectation *suite,
                                    size_t count, const struct ax_expectation_verdict *verdicts,
                                    ax_str *out_json);

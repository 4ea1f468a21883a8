/*
 * Expectations on a batch, judged row by row, with verdicts a person can act on.
 *
 * A suite is a list of expectations; each verdict says what was expected, how many of how many
 * rows failed, and which. Missing values are left out before a value is judged (as Great
 * Expectations does), except where missing is the question. A column that is not there fails; an
 * empty batch passes what is said of its rows. Rules about cells that no row may break (types,
 * closed lists, bounds) belong in the schema: ingestion refuses them. Here something may be
 * wrong in part, and a share or a severity says how much of it is borne.
 */
#pragma once

#include "codec/json.h"
#include "numeric/frame.h"

enum ax_expectation_kind {
    AX_EXPECT_COLUMN,       /* is there */
    AX_EXPECT_TYPE,         /* number or category */
    AX_EXPECT_NOT_NULL,     /* no missing value */
    AX_EXPECT_BETWEEN,      /* min <= value <= max, or < where strict */
    AX_EXPECT_IN_SET,       /* the value is one of the listed */
    AX_EXPECT_UNIQUE,       /* the values of the column occur once */
    AX_EXPECT_UNIQUE_ROWS,  /* the values of several columns together occur once */
    AX_EXPECT_PAIR_GREATER, /* in each row the first column's value is above the second's */
    AX_EXPECT_ROW_COUNT,    /* min <= rows <= max */
    AX_EXPECT_MEAN,         /* min <= mean <= max */
    AX_EXPECT_MIN,          /* min <= least value <= max */
    AX_EXPECT_MAX,          /* min <= greatest value <= max */
    AX_EXPECT_STABLE,       /* population stability index against the reference <= max */
};

enum ax_expectation_severity { AX_EXPECT_CRITICAL, AX_EXPECT_WARNING, AX_EXPECT_INFO };

/* Which rows a judgement of several columns leaves out. */
enum ax_expectation_ignore {
    AX_EXPECT_IGNORE_ALL_MISSING,
    AX_EXPECT_IGNORE_ANY_MISSING,
    AX_EXPECT_IGNORE_NEVER
};

struct ax_expectation {
    ax_str name;                  /* as the suite says it */
    const struct ax_json *kwargs; /* likewise */
    enum ax_expectation_kind kind;
    enum ax_expectation_severity severity;
    enum ax_expectation_ignore ignore;
    ax_str *columns; /* one; several for UNIQUE_ROWS, two for PAIR_GREATER, none for ROW_COUNT */
    size_t column_count;
    double mostly;   /* share of judged rows that must hold; 1 unless said */
    double min, max; /* -inf and +inf when not said */
    bool min_strict, max_strict;
    bool or_equal; /* of PAIR_GREATER */
    enum ax_frame_kind type;
    bool any;       /* of IN_SET: the set was null, which allows everything */
    ax_str *values; /* of IN_SET, for a column of categories; "1" is not 1 */
    size_t value_count;
    double *numbers; /* of IN_SET, for a column of numbers */
    size_t number_count;
};

struct ax_expectation_suite {
    ax_str name;
    struct ax_expectation *expectations;
    size_t count;
    const struct ax_frame *reference; /* of STABLE, set by the caller: the training rows; kept */
};

struct ax_expectation_verdict {
    bool success;
    bool judged;            /* false: it could not be (no such column, not numbers) */
    uint64_t element_count; /* rows */
    uint64_t missing_count; /* of them left out */
    uint64_t unexpected_count;
    const uint32_t *unexpected; /* the rows (indices in the frame), ascending: all of them */
    double observed;            /* of ROW_COUNT, MEAN and STABLE; else NaN */
    ax_str message;             /* one sentence; in ctx->arena */
};

/*
 * Reads a suite: Great Expectations' document (1.x `type`, 0.18 `expectation_type`) with the kinds
 * above: {"name": ..., "expectations": [{"type": "expect_column_values_to_be_between", "kwargs":
 * {"column": ..., "min_value": ..., "max_value": ..., "mostly": ...}, "severity": "warning"}]}.
 * STABLE is our own: "expect_column_psi_to_be_less_than" with `column` and `max_value`.
 * Fails: UNSUPPORTED names a type or an argument we do not judge, INVALID a wrong member; LIMIT.
 */
ax_status ax_data_validation_parse(struct ax_ctx *ctx, ax_str json,
                                   struct ax_expectation_suite *out_suite);

/*
 * out_verdicts: one an expectation, in ctx->arena. out_success: no critical one failed.
 * STABLE fails only past both its limit and what chance alone would give (R35). Fails: INVALID
 * when a suite with STABLE has no reference; LIMIT.
 */
ax_status ax_data_validation_check(struct ax_ctx *ctx, const struct ax_frame *frame,
                                   const struct ax_expectation_suite *suite,
                                   struct ax_expectation_verdict **out_verdicts, bool *out_success);

/* The verdicts in Great Expectations' result form (BASIC): JSON text. frame: the one judged. */
ax_status ax_data_validation_format(struct ax_ctx *ctx, const struct ax_frame *frame,
                                    const struct ax_expectation_suite *suite,
                                    const struct ax_expectation_verdict *verdicts,
                                    ax_str *out_json);

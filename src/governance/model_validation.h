/*
 * The test plan of a validation and its arithmetic: thresholds fixed first, then values, intervals
 * and verdicts (R28-R35).
 *
 * A plan is data and hashed before anything is computed. Each test gives a value, an interval, the
 * rows behind it and one of pass, fail, insufficient. It scores through a callback and knows no
 * registry; protected attributes come in as codes and leave as group counts.
 */
#pragma once

#include "codec/json.h"
#include "numeric/frame.h"
#include "numeric/stats.h"

#define AX_VALIDATION_TEST_MAP(X)                                                                  \
    X(AUC, "auc", "discrimination", 0.65, true)                                                    \
    X(KS, "ks", "discrimination", 0.20, true)                                                      \
    X(CALIBRATION, "calibration_ratio", "calibration", 0.25, false)                                \
    X(STABILITY, "psi", "stability", 0.25, false)                                                  \
    X(SENSITIVITY, "sensitivity", "sensitivity", 0.25, false)                                      \
    X(MONOTONICITY, "monotonicity", "monotonicity", 0.0, false)                                    \
    X(BASELINE, "brier_skill", "naive baseline", 0.0, true)                                        \
    X(FAIRNESS, "adverse_impact_ratio", "group fairness", 0.80, true)

enum ax_validation_test {
#define X(name, word, family, limit, at_least) AX_VALIDATION_##name,
    AX_VALIDATION_TEST_MAP(X)
#undef X
        AX_VALIDATION_TEST_COUNT
};

enum ax_verdict { AX_VERDICT_PASS, AX_VERDICT_FAIL, AX_VERDICT_INSUFFICIENT };

struct ax_validation_plan {
    struct {
        bool wanted;
        double limit; /* AUC, KS, BASELINE, FAIRNESS: at least; the others: at most */
    } tests[AX_VALIDATION_TEST_COUNT];
    uint64_t seed;
    uint64_t group_rows_min;
    double cutoff;                  /* probability below which one is approved: for FAIRNESS */
    const struct ax_json *monotone; /* {"feature": 1 | -1}; NULL for none */
    ax_str dataset; /* "NAME/VERSION" whose rows are judged on; "": that it was trained on */
};

/* The plan of a tier: tier 1 asks more. */
struct ax_validation_plan ax_validation_plan_default(int64_t tier);

/*
 * {"tests":{"auc":{"min":0.7},"psi":{"max":0.1},...},"seed","group_rows_min","cutoff","monotone",
 * "dataset"};
 * a plan that names tests runs these only. Starts from *plan. Fails: INVALID.
 */
ax_status ax_validation_plan_parse(struct ax_ctx *ctx, const struct ax_json *json,
                                   struct ax_validation_plan *plan);

/* As canonical JSON, in ctx->arena: what is hashed and kept. */
ax_status ax_validation_plan_print(struct ax_ctx *ctx, const struct ax_validation_plan *plan,
                                   ax_str *out_json);

struct ax_validation_input {
    const struct ax_frame *train;     /* rows it was trained on, with labels */
    const struct ax_frame *held_out;  /* rows it has not seen, with labels */
    const struct ax_frame *protected; /* of the held-out rows, in their order; NULL for none */
    /* Probabilities of `count` encoded rows (the frames' columns in order). */
    ax_status (*score)(void *arg, struct ax_ctx *ctx, const double *rows, size_t count,
                       double *out_probabilities);
    void *arg;
};

struct ax_validation_result {
    enum ax_validation_test test;
    ax_str subject; /* feature or group it is about; "" for the whole */
    ax_estimate estimate;
    double limit;
    enum ax_verdict verdict;
    ax_str detail; /* one sentence */
};

/*
 * Runs every wanted test. out_results: in ctx->arena.
 * Fails: as scoring; INVALID (no rows, no labels, a plan's feature that is not there); LIMIT.
 */
ax_status ax_validation_run(struct ax_ctx *ctx, const struct ax_validation_plan *plan,
                            const struct ax_validation_input *input,
                            struct ax_validation_result **out_results, size_t *out_count);

/* [{"test","family","subject","value","low","high","n","limit","verdict","detail"}, ...] */
void ax_validation_show(const struct ax_validation_result *results, size_t count,
                        struct ax_json_writer *out);

const char *ax_validation_test_name(enum ax_validation_test test);

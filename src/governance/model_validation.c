#include "governance/model_validation.h"

#include <math.h>

#include "governance/fairness.h"
#include "numeric/calibration.h"
#include "numeric/score.h"

enum {
    BANDS = 10,
    SENSITIVITY_ROWS = 200,
    GRID_POINTS = 12,
    RESULTS_MAX = 512,
    AGE_BANDS = 4, /* numeric protected attributes are judged in bands */
};

#define LEVEL 0.95

static const struct {
    const char *word, *family;
    double limit;
    bool at_least;
} tests[] = {
#define X(name, word, family, limit, at_least) {word, family, limit, at_least},
    AX_VALIDATION_TEST_MAP(X)
#undef X
};

const char *
ax_validation_test_name(enum ax_validation_test test)
{
    return tests[test].word;
}

static const char *
verdict_name(enum ax_verdict verdict)
{
    static const char *const names[] = {"pass", "fail", "insufficient"};
    return names[verdict];
}

/* ---- the plan ---- */

struct ax_validation_plan
ax_validation_plan_default(int64_t tier)
{
    struct ax_validation_plan plan = {.seed = 1, .group_rows_min = 30, .cutoff = 0.5};
    for (size_t i = 0; i < AX_VALIDATION_TEST_COUNT; i++) {
        plan.tests[i].wanted = true;
        plan.tests[i].limit = tests[i].limit;
    }
    if (tier == 1) {
        plan.tests[AX_VALIDATION_AUC].limit = 0.70;
        plan.tests[AX_VALIDATION_STABILITY].limit = 0.10;
    }
    return plan;
}

static ax_status
parse_test(struct ax_ctx *ctx, ax_str name, const struct ax_json *json,
           struct ax_validation_plan *plan)
{
    for (size_t i = 0; i < AX_VALIDATION_TEST_COUNT; i++) {
        if (!ax_str_eq(name, ax_str_of(tests[i].word)))
            continue;
        const char *bound = tests[i].at_least ? "min" : "max";
        plan->tests[i].wanted = true;
        AX_TRY(ax_json_may_f64(ctx, json, bound, &plan->tests[i].limit));
        if (ax_json_find(json, tests[i].at_least ? "max" : "min"))
            return ax_fail(ctx, AX_INVALID, "test `%.*s` has a `%s`, not a `%s`", AX_FMT(name),
                           bound, tests[i].at_least ? "max" : "min");
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "there is no test `%.*s`", AX_FMT(name));
}

ax_status
ax_validation_plan_parse(struct ax_ctx *ctx, const struct ax_json *json,
                         struct ax_validation_plan *plan)
{
    const struct ax_json *wanted = ax_json_find(json, "tests");
    int64_t seed = (int64_t)plan->seed, rows_min = (int64_t)plan->group_rows_min;
    if (wanted) {
        struct ax_json_iter it = ax_json_iter_of(wanted);
        for (size_t i = 0; i < AX_VALIDATION_TEST_COUNT; i++)
            plan->tests[i].wanted = false;
        while (ax_json_next(&it))
            AX_TRY(parse_test(ctx, it.key, it.value, plan));
    }
    AX_TRY(ax_json_may_i64(ctx, json, "seed", &seed));
    AX_TRY(ax_json_may_i64(ctx, json, "group_rows_min", &rows_min));
    AX_TRY(ax_json_may_f64(ctx, json, "cutoff", &plan->cutoff));
    if (seed < 0 || rows_min < 1 || !(plan->cutoff > 0) || plan->cutoff > 1)
        return ax_fail(ctx, AX_INVALID,
                       "`seed` is from 0, `group_rows_min` from 1, `cutoff` above 0 and at most 1");
    plan->seed = (uint64_t)seed;
    plan->group_rows_min = (uint64_t)rows_min;
    if (ax_json_find(json, "monotone"))
        AX_TRY(ax_json_need_object(ctx, json, "monotone", &plan->monotone));
    return ax_json_may_text(ctx, json, "dataset", &plan->dataset);
}

ax_status
ax_validation_plan_print(struct ax_ctx *ctx, const struct ax_validation_plan *plan,
                         ax_str *out_json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *parsed;
    ax_json_begin_object(&json);
    ax_json_key(&json, "tests");
    ax_json_begin_object(&json);
    for (size_t i = 0; i < AX_VALIDATION_TEST_COUNT; i++) {
        if (!plan->tests[i].wanted)
            continue;
        ax_json_key(&json, tests[i].word);
        ax_json_begin_object(&json);
        ax_json_member_f64(&json, tests[i].at_least ? "min" : "max", plan->tests[i].limit);
        ax_json_end_object(&json);
    }
    ax_json_end_object(&json);
    ax_json_member_i64(&json, "seed", (int64_t)plan->seed);
    ax_json_member_i64(&json, "group_rows_min", (int64_t)plan->group_rows_min);
    ax_json_member_f64(&json, "cutoff", plan->cutoff);
    if (plan->monotone) {
        ax_json_key(&json, "monotone");
        ax_json_put(&json, plan->monotone);
    }
    if (plan->dataset.len)
        ax_json_member_text(&json, "dataset", plan->dataset);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, text.status, "no memory for a validation plan");
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &parsed));
    return ax_json_canonical(ctx, parsed, out_json);
}

/* ---- a run ---- */

struct run {
    struct ax_ctx *ctx;
    const struct ax_validation_plan *plan;
    const struct ax_validation_input *input;
    struct ax_validation_result *results;
    size_t count;
    double *held_out; /* probabilities */
    double *train;
    struct ax_score_sample sample; /* of the held-out rows */
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a validation");
}

static ax_status
add(struct run *run, enum ax_validation_test test, ax_str subject, ax_estimate estimate,
    enum ax_verdict verdict, ax_str detail)
{
    if (run->count == RESULTS_MAX || !detail.at)
        return no_memory(run->ctx);
    run->results[run->count++] = (struct ax_validation_result){
        test, subject, estimate, run->plan->tests[test].limit, verdict, detail};
    return AX_OK;
}

static enum ax_verdict
verdict_of(ax_estimate estimate, bool good)
{
    if (!estimate.sufficient || isnan(estimate.value))
        return AX_VERDICT_INSUFFICIENT;
    return good ? AX_VERDICT_PASS : AX_VERDICT_FAIL;
}

static ax_status
score_frame(struct run *run, const struct ax_frame *frame, double **out)
{
    const struct ax_validation_input *input = run->input;
    double *rows =
        AX_NEW_ARRAY(run->ctx->arena, double, frame->row_count * frame->column_count + 1);
    *out = AX_NEW_ARRAY(run->ctx->arena, double, frame->row_count + 1);
    if (!rows || !*out)
        return no_memory(run->ctx);
    for (size_t i = 0; i < frame->row_count; i++)
        ax_frame_row(frame, i, rows + i * frame->column_count);
    return input->score(input->arg, run->ctx, rows, frame->row_count, *out);
}

/* ---- the tests, one a function ---- */

/* Discrimination is judged by the lower end of its interval: what can be relied on. */
static ax_status
test_auc(struct run *run)
{
    ax_estimate auc;
    AX_TRY(ax_score_auc(run->ctx, &run->sample, &auc));
    double limit = run->plan->tests[AX_VALIDATION_AUC].limit;
    return add(run, AX_VALIDATION_AUC, AX_STR(""), auc, verdict_of(auc, auc.low >= limit),
               ax_str_printf(run->ctx->arena,
                             "AUC %.3f on held-out rows; its interval begins at %.3f", auc.value,
                             auc.low));
}

static ax_status
test_ks(struct run *run)
{
    ax_estimate ks;
    AX_TRY(ax_score_ks(run->ctx, &run->sample, &ks));
    double limit = run->plan->tests[AX_VALIDATION_KS].limit;
    return add(
        run, AX_VALIDATION_KS, AX_STR(""), ks, verdict_of(ks, ks.low >= limit),
        ax_str_printf(run->ctx->arena, "KS %.3f; its interval begins at %.3f", ks.value, ks.low));
}

/* Events observed over predicted: fails only when the interval leaves the band around one. */
static ax_status
test_calibration(struct run *run)
{
    struct ax_calibration calibration;
    AX_TRY(ax_calibration_of(run->ctx, &run->sample, BANDS, &calibration));
    ax_estimate ratio = calibration.ratio;
    double limit = run->plan->tests[AX_VALIDATION_CALIBRATION].limit;
    bool good = ratio.low <= 1 + limit && ratio.high >= 1 - limit;
    return add(run, AX_VALIDATION_CALIBRATION, AX_STR(""), ratio, verdict_of(ratio, good),
               ax_str_printf(run->ctx->arena,
                             "observed over predicted events %.3f, slope %.2f; Hosmer-Lemeshow p "
                             "%.3f",
                             ratio.value, calibration.slope.value, calibration.hosmer_lemeshow_p));
}

/* Drift of the score from the training rows: a value past the limit and past chance. */
static ax_status
test_stability(struct run *run)
{
    double edges[BANDS];
    uint64_t expected[BANDS + 2], actual[BANDS + 2];
    struct ax_stats_psi psi;
    size_t rows = run->input->train->row_count;
    double *sorted = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    if (!sorted)
        return no_memory(run->ctx);
    memcpy(sorted, run->train, rows * sizeof *sorted);
    ax_stats_sort(sorted, rows);
    size_t edge_count = ax_stats_edges(sorted, rows, BANDS, edges);
    ax_stats_histogram(run->train, rows, edges, edge_count, expected);
    ax_stats_histogram(run->held_out, run->input->held_out->row_count, edges, edge_count, actual);
    AX_TRY(ax_stats_psi(run->ctx, expected, actual, edge_count + 1, LEVEL, &psi));
    double limit = run->plan->tests[AX_VALIDATION_STABILITY].limit;
    ax_estimate estimate = {.value = psi.value,
                            .low = (double)NAN,
                            .high = (double)NAN,
                            .level = LEVEL,
                            .count = run->input->held_out->row_count,
                            .sufficient = true};
    bool good = psi.value <= limit || psi.value <= psi.null_quantile;
    return add(run, AX_VALIDATION_STABILITY, AX_STR(""), estimate, verdict_of(estimate, good),
               ax_str_printf(run->ctx->arena,
                             "population stability index %.3f; chance alone stays below %.3f",
                             psi.value, psi.null_quantile));
}

/* How far the mean probability moves when one numeric feature moves by its standard deviation. */
static ax_status
shift_of(struct run *run, size_t column, double *out_shift)
{
    const struct ax_frame *frame = run->input->held_out;
    size_t width = frame->column_count;
    size_t rows = frame->row_count < SENSITIVITY_ROWS ? frame->row_count : SENSITIVITY_ROWS;
    struct ax_moments moments = {};
    double *moved = AX_NEW_ARRAY(run->ctx->arena, double, rows *width + 1);
    double *scores = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    if (!moved || !scores)
        return no_memory(run->ctx);
    for (size_t i = 0; i < frame->row_count; i++)
        ax_stats_add(&moments, frame->columns[column].values[i]);
    double deviation = sqrt(ax_stats_variance(&moments));
    *out_shift = 0;
    if (isnan(deviation))
        return AX_OK;
    for (int sign = -1; sign <= 1; sign += 2) {
        double shift = 0;
        for (size_t i = 0; i < rows; i++) {
            ax_frame_row(frame, i, moved + i * width);
            moved[i * width + column] += sign * deviation;
        }
        AX_TRY(run->input->score(run->input->arg, run->ctx, moved, rows, scores));
        for (size_t i = 0; i < rows; i++)
            shift += (scores[i] - run->held_out[i]) / (double)rows;
        if (fabs(shift) > *out_shift)
            *out_shift = fabs(shift);
    }
    return AX_OK;
}

static ax_status
test_sensitivity(struct run *run)
{
    const struct ax_frame *frame = run->input->held_out;
    double limit = run->plan->tests[AX_VALIDATION_SENSITIVITY].limit, widest = 0;
    ax_str name = AX_STR("");
    for (size_t c = 0; c < frame->column_count; c++) {
        double shift;
        if (frame->columns[c].kind != AX_FRAME_NUMBER)
            continue;
        AX_TRY(shift_of(run, c, &shift));
        if (shift > widest || !name.len) {
            widest = shift;
            name = frame->columns[c].name;
        }
    }
    ax_estimate estimate = {.value = widest,
                            .low = (double)NAN,
                            .high = (double)NAN,
                            .level = LEVEL,
                            .count = frame->row_count,
                            .sufficient = true};
    return add(run, AX_VALIDATION_SENSITIVITY, name, estimate,
               verdict_of(estimate, widest <= limit),
               ax_str_printf(run->ctx->arena,
                             "the largest mean shift for one standard deviation is %.3f, of %.*s",
                             widest, AX_FMT(name)));
}

/* Rows whose probability moves against the declared direction along a grid of the feature. */
static ax_status
violations_of(struct run *run, size_t column, int direction, uint64_t *out_count)
{
    const struct ax_frame *frame = run->input->held_out;
    size_t width = frame->column_count;
    size_t rows = frame->row_count < SENSITIVITY_ROWS ? frame->row_count : SENSITIVITY_ROWS;
    struct ax_moments moments = {};
    double *moved = AX_NEW_ARRAY(run->ctx->arena, double, rows *width + 1);
    double *scores = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    double *before = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    if (!moved || !scores || !before)
        return no_memory(run->ctx);
    for (size_t i = 0; i < frame->row_count; i++)
        ax_stats_add(&moments, frame->columns[column].values[i]);
    *out_count = 0;
    for (int point = 0; point < GRID_POINTS; point++) {
        double at = moments.min + (moments.max - moments.min) * point / (GRID_POINTS - 1);
        for (size_t i = 0; i < rows; i++) {
            ax_frame_row(frame, i, moved + i * width);
            moved[i * width + column] = at;
        }
        AX_TRY(run->input->score(run->input->arg, run->ctx, moved, rows, scores));
        for (size_t i = 0; i < rows && point > 0; i++)
            *out_count += (scores[i] - before[i]) * direction < -1e-9;
        memcpy(before, scores, rows * sizeof *scores);
    }
    return AX_OK;
}

static ax_status
test_monotonicity(struct run *run)
{
    struct ax_json_iter it = ax_json_iter_of(run->plan->monotone);
    while (ax_json_next(&it)) {
        int64_t direction;
        uint64_t count;
        size_t column = ax_frame_find(run->input->held_out, it.key);
        if (column == SIZE_MAX)
            return ax_fail(run->ctx, AX_INVALID,
                           "the plan's `monotone` names `%.*s`, which is no "
                           "feature of the model",
                           AX_FMT(it.key));
        if (!ax_json_i64(it.value, &direction) || (direction != 1 && direction != -1))
            return ax_fail(run->ctx, AX_INVALID, "`monotone` of `%.*s` must be 1 or -1",
                           AX_FMT(it.key));
        AX_TRY(violations_of(run, column, (int)direction, &count));
        ax_estimate estimate = {.value = (double)count,
                                .low = (double)NAN,
                                .high = (double)NAN,
                                .level = LEVEL,
                                .count = run->input->held_out->row_count,
                                .sufficient = true};
        bool good = (double)count <= run->plan->tests[AX_VALIDATION_MONOTONICITY].limit;
        AX_TRY(add(run, AX_VALIDATION_MONOTONICITY, it.key, estimate, verdict_of(estimate, good),
                   ax_str_printf(run->ctx->arena, "%llu steps against the declared direction",
                                 (unsigned long long)count)));
    }
    return AX_OK;
}

/* Better than giving everybody the base rate of the training rows (R30): Brier skill. */
static ax_status
test_baseline(struct run *run)
{
    const struct ax_frame *train = run->input->train, *held_out = run->input->held_out;
    struct ax_moments gains = {};
    ax_estimate brier;
    double rate = 0, baseline = 0;
    for (size_t i = 0; i < train->row_count; i++)
        rate += (double)train->labels[i] / (double)train->row_count;
    AX_TRY(ax_score_brier(run->ctx, &run->sample, &brier));
    for (size_t i = 0; i < held_out->row_count; i++) {
        double naive = rate - held_out->labels[i], own = run->held_out[i] - held_out->labels[i];
        baseline += naive * naive / (double)held_out->row_count;
        ax_stats_add(&gains, naive * naive - own * own);
    }
    ax_estimate skill = ax_stats_mean(&gains, LEVEL);
    skill.value /= baseline;
    skill.low /= baseline;
    skill.high /= baseline;
    skill.sufficient = brier.sufficient;
    double limit = run->plan->tests[AX_VALIDATION_BASELINE].limit;
    return add(run, AX_VALIDATION_BASELINE, AX_STR(""), skill, verdict_of(skill, skill.low > limit),
               ax_str_printf(run->ctx->arena,
                             "Brier score %.4f against %.4f of the base rate alone", brier.value,
                             baseline));
}

/* ---- fairness ---- */

/* A protected attribute as groups: categories as they are, numbers in bands of equal counts. */
struct groups {
    double *codes;
    ax_str names[AX_FAIRNESS_GROUPS_MAX];
    size_t count;
};

static ax_status
band_groups(struct run *run, const struct ax_frame_column *column, size_t rows, struct groups *out)
{
    double edges[AGE_BANDS];
    double *sorted = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    size_t known = 0;
    if (!sorted)
        return no_memory(run->ctx);
    for (size_t i = 0; i < rows; i++)
        if (!isnan(column->values[i]))
            sorted[known++] = column->values[i];
    ax_stats_sort(sorted, known);
    size_t edge_count = known ? ax_stats_edges(sorted, known, AGE_BANDS, edges) : 0;
    out->count = edge_count + 1;
    for (size_t i = 0; i < rows; i++) {
        size_t band = 0;
        while (band < edge_count && column->values[i] > edges[band])
            band++;
        out->codes[i] = isnan(column->values[i]) ? (double)NAN : (double)band;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->names[i] =
            i == 0            ? ax_str_printf(run->ctx->arena, "to %g", edge_count ? edges[0] : 0.0)
            : i == edge_count ? ax_str_printf(run->ctx->arena, "above %g", edges[i - 1])
                              : ax_str_printf(run->ctx->arena, "%g to %g", edges[i - 1], edges[i]);
        if (!out->names[i].at)
            return no_memory(run->ctx);
    }
    return AX_OK;
}

static ax_status
groups_of(struct run *run, const struct ax_frame_column *column, size_t rows, struct groups *out)
{
    out->codes = AX_NEW_ARRAY(run->ctx->arena, double, rows + 1);
    if (!out->codes)
        return no_memory(run->ctx);
    if (column->kind == AX_FRAME_NUMBER)
        return band_groups(run, column, rows, out);
    if (column->category_count > AX_FAIRNESS_GROUPS_MAX)
        return ax_fail(run->ctx, AX_INVALID,
                       "a protected attribute with %zu categories; at most "
                       "%d can be judged",
                       column->category_count, AX_FAIRNESS_GROUPS_MAX);
    memcpy(out->codes, column->values, rows * sizeof *out->codes);
    out->count = column->category_count;
    for (size_t i = 0; i < out->count; i++)
        out->names[i] = column->categories[i];
    return AX_OK;
}

/* Below the limit, and not by chance (R68): then it fails. */
static ax_status
judge_group(struct run *run, ax_str attribute, ax_str name, const struct ax_fairness_group *group)
{
    double limit = run->plan->tests[AX_VALIDATION_FAIRNESS].limit;
    ax_str subject = ax_str_printf(run->ctx->arena, "%.*s: %.*s", AX_FMT(attribute), AX_FMT(name));
    if (!subject.at)
        return no_memory(run->ctx);
    if (group->reference || group->rows == 0)
        return AX_OK;
    if (!group->ratio.sufficient)
        return add(run, AX_VALIDATION_FAIRNESS, subject, group->ratio, AX_VERDICT_INSUFFICIENT,
                   ax_str_printf(run->ctx->arena, "%llu rows are too few to judge",
                                 (unsigned long long)group->rows));
    bool adverse = group->ratio.value < limit && group->p_value < 1 - LEVEL;
    return add(run, AX_VALIDATION_FAIRNESS, subject, group->ratio,
               adverse ? AX_VERDICT_FAIL : AX_VERDICT_PASS,
               ax_str_printf(run->ctx->arena, "approved %.1f %% of %llu; ratio %.2f, p %.3f",
                             100 * group->selection_rate.value, (unsigned long long)group->rows,
                             group->ratio.value, group->p_value));
}

static ax_status
test_fairness(struct run *run)
{
    const struct ax_frame *protected = run->input->protected, *held_out = run->input->held_out;
    size_t rows = held_out->row_count;
    uint8_t *selected = AX_NEW_ARRAY(run->ctx->arena, uint8_t, rows + 1);
    if (!selected)
        return no_memory(run->ctx);
    for (size_t i = 0; i < rows; i++)
        selected[i] = run->held_out[i] < run->plan->cutoff;
    for (size_t c = 0; protected && c < protected->column_count; c++) {
        struct groups groups = {};
        struct ax_fairness_group judged[AX_FAIRNESS_GROUPS_MAX];
        AX_TRY(groups_of(run, &protected->columns[c], rows, &groups));
        const struct ax_fairness_input input = {.groups = groups.codes,
                                                .selected = selected,
                                                .labels = held_out->labels,
                                                .row_count = rows,
                                                .group_count = groups.count,
                                                .rows_min = run->plan->group_rows_min};
        AX_TRY(ax_fairness_of(run->ctx, &input, judged));
        for (size_t g = 0; g < groups.count; g++)
            AX_TRY(judge_group(run, protected->columns[c].name, groups.names[g], &judged[g]));
    }
    return AX_OK;
}

/* ---- all of them ---- */

static ax_status
prepare(struct run *run)
{
    const struct ax_validation_input *input = run->input;
    if (!input->train->labels || !input->held_out->labels || !input->train->row_count ||
        !input->held_out->row_count)
        return ax_fail(run->ctx, AX_INVALID, "training and held-out rows with labels are needed");
    run->results = AX_NEW_ARRAY(run->ctx->arena, struct ax_validation_result, RESULTS_MAX);
    if (!run->results)
        return no_memory(run->ctx);
    AX_TRY(score_frame(run, input->held_out, &run->held_out));
    AX_TRY(score_frame(run, input->train, &run->train));
    run->sample = (struct ax_score_sample){.score = run->held_out,
                                           .label = input->held_out->labels,
                                           .count = input->held_out->row_count,
                                           .seed = run->plan->seed};
    return AX_OK;
}

ax_status
ax_validation_run(struct ax_ctx *ctx, const struct ax_validation_plan *plan,
                  const struct ax_validation_input *input,
                  struct ax_validation_result **out_results, size_t *out_count)
{
    static ax_status (*const runs[])(struct run * run) = {
        [AX_VALIDATION_AUC] = test_auc,
        [AX_VALIDATION_KS] = test_ks,
        [AX_VALIDATION_CALIBRATION] = test_calibration,
        [AX_VALIDATION_STABILITY] = test_stability,
        [AX_VALIDATION_SENSITIVITY] = test_sensitivity,
        [AX_VALIDATION_MONOTONICITY] = test_monotonicity,
        [AX_VALIDATION_BASELINE] = test_baseline,
        [AX_VALIDATION_FAIRNESS] = test_fairness,
    };
    struct run run = {.ctx = ctx, .plan = plan, .input = input};
    AX_TRY(prepare(&run));
    for (size_t i = 0; i < AX_VALIDATION_TEST_COUNT; i++)
        if (plan->tests[i].wanted)
            AX_TRY(runs[i](&run));
    *out_results = run.results;
    *out_count = run.count;
    return AX_OK;
}

void
ax_validation_show(const struct ax_validation_result *results, size_t count,
                   struct ax_json_writer *out)
{
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++) {
        const struct ax_validation_result *result = &results[i];
        ax_json_begin_object(out);
        ax_json_member_text(out, "test", ax_str_of(tests[result->test].word));
        ax_json_member_text(out, "family", ax_str_of(tests[result->test].family));
        ax_json_member_text(out, "subject", result->subject);
        ax_json_member_f64(out, "value", result->estimate.value);
        ax_json_member_f64(out, "low", result->estimate.low);
        ax_json_member_f64(out, "high", result->estimate.high);
        ax_json_member_i64(out, "n", (int64_t)result->estimate.count);
        ax_json_member_f64(out, "limit", result->limit);
        ax_json_member_text(out, "verdict", ax_str_of(verdict_name(result->verdict)));
        ax_json_member_text(out, "detail", result->detail);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
}

#include "learner/xgboost_train.h"

#include <math.h>

#include "german_case.h"
#include "harness.h"

static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

struct parts {
    struct ax_frame train, validation;
};

static struct parts
parts_of(struct ax_ctx *ctx)
{
    struct ax_frame all = german_frame(ctx);
    return (struct parts){german_part(ctx, &all, 0, 6), german_part(ctx, &all, 6, 8)};
}

static ax_status
train(struct ax_ctx *ctx, const struct parts *parts, const char *parameters, uint64_t seed,
      struct ax_learner_result *result)
{
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(parameters), NULL, &json), AX_OK);
    const struct ax_learner_input input = {
        .train = &parts->train,
        .validation = parts->validation.row_count ? &parts->validation : NULL,
        .parameters = json,
        .seed = seed,
        .thread_count = 2};
    return ax_learner_train(ctx, AX_STR("xgboost"), &input, result);
}

static double
number(struct ax_ctx *ctx, ax_str report, const char *key)
{
    const struct ax_json *json = NULL;
    double value = (double)NAN;
    CHECK_EQ(ax_json_parse(ctx, report, NULL, &json), AX_OK);
    CHECK(ax_json_f64(ax_json_find(json, key), &value));
    return value;
}

static void
same_bytes_body(struct ax_ctx *ctx)
{
    struct parts parts = parts_of(ctx);
    struct ax_learner_result one = {}, two = {}, other = {};
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":40}", 7, &one), AX_OK);
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":40}", 7, &two), AX_OK);
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":40}", 8, &other), AX_OK);
    CHECK_STR(one.format, "xgboost-ubjson");
    CHECK(ax_str_starts(one.library, AX_STR("xgboost ")));
    CHECK(ax_str_eq(one.model, two.model));
    CHECK(!ax_str_eq(one.model, other.model)); /* the seed is used: rows are sampled */
    CHECK_EQ(one.probe_count, AX_LEARNER_PROBES_MAX);
    for (size_t i = 0; i < one.probe_count; i++) {
        CHECK(isfinite(one.probe_margins[i]));
        CHECK(one.probe_margins[i] == (double)(float)one.probe_margins[i]);
        CHECK(one.probe_margins[i] == two.probe_margins[i]);
    }
}

TEST(xgboost_train_is_the_same_bytes_for_the_same_seed)
{
    with_room(same_bytes_body);
}

static void
stopping_body(struct ax_ctx *ctx)
{
    struct parts parts = parts_of(ctx);
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":400,\"learning_rate\":0.5,\"early_stopping\":5}", 1,
                   &result),
             AX_OK);
    double kept = number(ctx, result.report, "rounds_kept");
    CHECK_EQ(number(ctx, result.report, "rounds_run"), kept + 5);
    CHECK(kept > 0 && kept < 395);
    CHECK(number(ctx, result.report, "validation_log_loss") < 0.65);
    ax_str count = ax_str_printf(ctx->arena, "%d", (int)kept);
    size_t at = ax_str_find(result.model, AX_STR("num_trees"));
    CHECK(at != SIZE_MAX);
    ax_str behind = {result.model.at + at, 40};
    CHECK(ax_str_find(behind, count) != SIZE_MAX); /* the trees behind the best are gone */
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":30,\"learning_rate\":0.5,\"early_stopping\":0}", 1,
                   &result),
             AX_OK);
    CHECK_EQ(number(ctx, result.report, "rounds_kept"), 30);
    parts.validation.row_count = 0; /* none at all: no stopping */
    CHECK_EQ(train(ctx, &parts, "{\"rounds\":30,\"learning_rate\":0.5}", 1, &result), AX_OK);
    CHECK_EQ(number(ctx, result.report, "rounds_kept"), 30);
}

TEST(xgboost_train_stops_at_the_best_round)
{
    with_room(stopping_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *parameters, *words;
    } cases[] = {
        {"{\"rounds\":0}", "`rounds` must be a whole number from 1 to 100000"},
        {"{\"rounds\":1e9}", "`rounds`"},
        {"{\"max_depth\":33}", "`max_depth` must be a whole number from 1 to 32"},
        {"{\"learning_rate\":0}", "`learning_rate`"},
        {"{\"subsample\":1.5}", "`subsample` must be a number from 0.01 to 1"},
        {"{\"max_bin\":1}", "`max_bin`"},
        {"{\"nthread\":64}", "no parameter `nthread`"},
        {"{\"eta\":0.1}", "no parameter `eta`"},
        {"{\"monotone\":{\"housing\":1}}", "column `housing` is no number"},
        {"{\"monotone\":{\"credit_amount\":3}}", "`credit_amount` must be 1, 0 or -1"},
    };
    struct parts parts = parts_of(ctx);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_learner_result result = {};
        CHECK_EQ(train(ctx, &parts, cases[i].parameters, 1, &result), AX_INVALID);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
        CHECK(result.model.at == NULL);
    }
    size_t amount = ax_frame_find(&parts.train, AX_STR("credit_amount"));
    double *huge = AX_NEW_ARRAY(ctx->arena, double, parts.train.row_count);
    memcpy(huge, parts.train.columns[amount].values, parts.train.row_count * sizeof *huge);
    huge[3] = 1e300;
    struct ax_frame_column bent[GERMAN_COLUMNS];
    memcpy(bent, parts.train.columns, sizeof bent);
    bent[amount].values = huge;
    parts.train.columns = bent;
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, &parts, "{}", 1, &result), AX_INVALID);
    CHECK(strstr(ctx->error, "row 3, column `credit_amount` is too large for a float"));
}

TEST(xgboost_train_refuses_parameters_in_words)
{
    with_room(refused_body);
}

static const double amounts[] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t labels[] = {0, 1, 0, 1, 1, 0, 0, 1};

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const struct ax_frame_column column = {
        .name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts};
    static const struct ax_frame frame = {
        .columns = &column, .column_count = 1, .row_count = 8, .labels = labels};
    const struct ax_json *parameters = NULL;
    AX_TRY(ax_json_parse(ctx, AX_STR("{\"rounds\":2,\"min_child_weight\":0}"), NULL, &parameters));
    const struct ax_learner_input input = {.train = &frame,
                                           .validation = &frame,
                                           .parameters = parameters,
                                           .seed = 1,
                                           .thread_count = 1};
    struct ax_learner_result result = {};
    return ax_learner_train(ctx, AX_STR("xgboost"), &input, &result);
}

TEST(xgboost_train_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}

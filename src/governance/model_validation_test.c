#include "governance/model_validation.h"

#include <math.h>

#include "harness.h"

enum { ROWS = 600, PART = 300 };

/* One number that tells, one that does not; a protected attribute that follows the first. */
struct world {
    double tells[ROWS], noise[ROWS], group[ROWS];
    uint8_t labels[ROWS];
    uint64_t ids[ROWS];
    struct ax_frame_column columns[2], group_column;
    ax_str categories[2];
    struct ax_frame train, held_out, protected;
    int direction; /* of the scoring: 1 as trained, -1 the wrong way round, 0 at random */
};

static double
fraction(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void
make_world(struct world *world)
{
    uint64_t state = 42;
    *world = (struct world){.direction = 1};
    world->categories[0] = AX_STR("a");
    world->categories[1] = AX_STR("b");
    for (size_t i = 0; i < ROWS; i++) {
        world->tells[i] = fraction(&state);
        world->noise[i] = fraction(&state);
        world->labels[i] = fraction(&state) < 0.1 + 0.8 * world->tells[i];
        world->group[i] = world->tells[i] > 0.6 ? 1 : 0;
        world->ids[i] = i;
    }
    world->columns[0] = (struct ax_frame_column){AX_STR("tells"), AX_FRAME_NUMBER, world->tells};
    world->columns[1] = (struct ax_frame_column){AX_STR("noise"), AX_FRAME_NUMBER, world->noise};
    world->group_column = (struct ax_frame_column){AX_STR("group"), AX_FRAME_CATEGORY,
                                                   world->group + PART, world->categories, 2};
    world->train = (struct ax_frame){world->columns, 2, PART, world->ids, world->labels};
    static struct ax_frame_column held[2];
    held[0] = (struct ax_frame_column){AX_STR("tells"), AX_FRAME_NUMBER, world->tells + PART};
    held[1] = (struct ax_frame_column){AX_STR("noise"), AX_FRAME_NUMBER, world->noise + PART};
    world->held_out = (struct ax_frame){held, 2, PART, world->ids + PART, world->labels + PART};
    world->protected = (struct ax_frame){&world->group_column, 1, PART, world->ids + PART, NULL};
}

static ax_status
score(void *arg, struct ax_ctx *ctx, const double *rows, size_t count, double *out)
{
    const struct world *world = arg;
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        double x = fmin(fmax(rows[2 * i], 0), 1), noise = fmin(fmax(rows[2 * i + 1], 0), 1);
        out[i] = world->direction > 0   ? 0.1 + 0.8 * x
                 : world->direction < 0 ? 0.9 - 0.8 * x
                                        : 0.1 + 0.8 * noise;
    }
    return AX_OK;
}

static const struct ax_validation_result *
find(const struct ax_validation_result *results, size_t count, enum ax_validation_test test)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].test == test)
            return &results[i];
    return NULL;
}

static size_t
run(struct ax_ctx *ctx, struct world *world, const struct ax_validation_plan *plan,
    struct ax_validation_result **out)
{
    const struct ax_validation_input input = {&world->train, &world->held_out, &world->protected,
                                              score, world};
    size_t count = 0;
    CHECK_EQ(ax_validation_run(ctx, plan, &input, out, &count), AX_OK);
    return count;
}

static struct ax_validation_plan
plan_of(struct ax_ctx *ctx, const char *text)
{
    struct ax_validation_plan plan = ax_validation_plan_default(2);
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(text), NULL, &json), AX_OK);
    CHECK_EQ(ax_validation_plan_parse(ctx, json, &plan), AX_OK);
    return plan;
}

static void
passes(struct ax_ctx *ctx)
{
    static struct world world;
    struct ax_validation_result *results = NULL;
    make_world(&world);
    struct ax_validation_plan plan = plan_of(
        ctx, "{\"tests\":{\"auc\":{\"min\":0.65},\"ks\":{\"min\":0.2},\"calibration_ratio\":{},"
             "\"psi\":{},\"sensitivity\":{\"max\":0.4},\"monotonicity\":{},\"brier_skill\":{}},"
             "\"monotone\":{\"tells\":1}}");
    size_t count = run(ctx, &world, &plan, &results);
    CHECK_EQ(count, 7);
    for (size_t i = 0; i < count; i++)
        if (results[i].verdict != AX_VERDICT_PASS)
            ax_test_failed(__FILE__, __LINE__, "%s: %.*s", ax_validation_test_name(results[i].test),
                           AX_FMT(results[i].detail));
}

TEST(r28_r31_a_sound_model_passes_its_plan)
{
    ax_test_with_ctx(passes);
}

static void
fails(struct ax_ctx *ctx)
{
    static struct world world;
    struct ax_validation_result *results = NULL;
    make_world(&world);
    world.direction = -1;
    struct ax_validation_plan plan = plan_of(ctx, "{\"monotone\":{\"tells\":1}}");
    size_t count = run(ctx, &world, &plan, &results);
    static const enum ax_validation_test failed[] = {AX_VALIDATION_AUC, AX_VALIDATION_MONOTONICITY,
                                                     AX_VALIDATION_BASELINE};
    for (size_t i = 0; i < AX_COUNT_OF(failed); i++) {
        const struct ax_validation_result *result = find(results, count, failed[i]);
        CHECK(result && result->verdict == AX_VERDICT_FAIL);
    }
    world.direction = 0; /* a model that knows nothing is no better than the base rate */
    count = run(ctx, &world, &plan, &results);
    const struct ax_validation_result *baseline = find(results, count, AX_VALIDATION_BASELINE);
    CHECK(baseline && baseline->verdict == AX_VERDICT_FAIL);
}

TEST(r30_r34_a_model_that_is_wrong_fails_thresholds_fixed_before)
{
    ax_test_with_ctx(fails);
}

static void
groups(struct ax_ctx *ctx)
{
    static struct world world;
    struct ax_validation_result *results = NULL;
    make_world(&world);
    struct ax_validation_plan plan =
        plan_of(ctx, "{\"tests\":{\"adverse_impact_ratio\":{\"min\":0.8}},\"cutoff\":0.5}");
    size_t count = run(ctx, &world, &plan, &results);
    CHECK_EQ(count, 1); /* the other group is the reference */
    CHECK_EQ(results[0].verdict, AX_VERDICT_FAIL);
    CHECK_STR(results[0].subject, "group: b");
    plan.group_rows_min = 290;
    count = run(ctx, &world, &plan, &results);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(results[i].verdict, AX_VERDICT_INSUFFICIENT);
}

TEST(r35_r68_a_group_fails_or_is_insufficient_and_never_passes_by_being_small)
{
    ax_test_with_ctx(groups);
}

static void
plans(struct ax_ctx *ctx)
{
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"tests\":{\"luck\":{}}}", "there is no test `luck`"},
        {"{\"tests\":{\"auc\":{\"max\":0.6}}}", "test `auc` has a `min`, not a `max`"},
        {"{\"cutoff\":0}",
         "`seed` is from 0, `group_rows_min` from 1, `cutoff` above 0 and at most 1"},
        {"{\"dataset\":1}", "`dataset` must be a string, not a number"},
        {"{\"monotone\":[]}", "`monotone` must be an object, not an array"},
    };
    const struct ax_json *json = NULL;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_validation_plan plan = ax_validation_plan_default(2);
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        CHECK_EQ(ax_validation_plan_parse(ctx, json, &plan), AX_INVALID);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    struct ax_validation_plan plan = plan_of(ctx, "{\"tests\":{\"psi\":{\"max\":0.1}},\"seed\":9}");
    ax_str text = {}, again = {};
    CHECK_EQ(ax_validation_plan_print(ctx, &plan, &text), AX_OK);
    CHECK_STR(
        text,
        "{\"cutoff\":0.5,\"group_rows_min\":30,\"seed\":9,\"tests\":{\"psi\":{\"max\":0.1}}}");
    plan = plan_of(ctx, text.at);
    CHECK_EQ(ax_validation_plan_print(ctx, &plan, &again), AX_OK);
    CHECK(ax_str_eq(text, again)); /* what is hashed is one text */
    plan = plan_of(ctx, "{\"tests\":{},\"dataset\":\"german/2\"}");
    CHECK_EQ(ax_validation_plan_print(ctx, &plan, &text), AX_OK);
    CHECK_STR(text, "{\"cutoff\":0.5,\"dataset\":\"german/2\",\"group_rows_min\":30,\"seed\":1,"
                    "\"tests\":{}}");
    CHECK_STR(plan_of(ctx, text.at).dataset, "german/2");
}

TEST(r34_a_plan_is_checked_and_has_one_text)
{
    ax_test_with_ctx(plans);
}

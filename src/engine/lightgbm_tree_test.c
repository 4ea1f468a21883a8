#include "engine/lightgbm_tree.h"

#include <math.h>

#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

enum { WIDE_BYTES_MAX = 64 << 20 };

static const char small_path[] = "tests/model/small/lightgbm.txt";

static struct ax_engine_answer
score(struct ax_ctx *ctx, const struct ax_engine *engine, const double *row)
{
    struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN | AX_ENGINE_LEAF};
    return model_case_score(ctx, engine, &call, NULL);
}

/* ---- values worked out by hand ---- */

#define NAN_ ((double)NAN)

static const struct {
    double row[3];
    double margin;
    int32_t leaves[4];
} rows[] = {
    {{20, 10, 0}, -0.5 + 1 + (-0.5 + 2.5 + 2.5) + 32, {0, 0, 1, 0}},
    {{30, 10, 0}, -0.5 + 1 + (-0.5 + 3.75 + 2.5) + 32, {0, 0, 1, 0}},
    {{40, 10, 1}, 0.25 + 2 + (-0.5 + 5 + 2.5) + 32, {1, 1, 1, 0}},
    {{60, 200, 33.9}, 0.75 + 1 + (-0.5 + 7.5 + 50) + 32, {2, 0, 1, 0}},
    {{60, 0, -1}, 0.75 + 4 + 0.5 + 32, {2, 2, 0, 0}},     /* zero is missing in tree 0 */
    {{60, 1e-36, -1}, 0.75 + 4 + 0.5 + 32, {2, 2, 0, 0}}, /* and so is what is as good as zero */
    {{NAN_, 10, -0.5}, -0.5 + 1 + 16 + 32, {0, 0, 1, 0}}, /* (int)-0.5 is code 0; NaN in a leaf */
    {{NAN_, NAN_, NAN_}, -0.5 + 2 + 0.5 + 32, {0, 1, 0, 0}}, /* NaN is 0 in trees 1 and 2 */
    {{40, 10, 4e9}, 0.25 + 2 + (-0.5 + 5 + 2.5) + 32, {1, 1, 1, 0}},
    {{1e-36, 10, 0}, -0.5 + 1 + (-0.5 + 2.5) + 32, {0, 0, 1, 0}},
};

static void
check_small(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, small_path);
    REQUIRE(engine);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        struct ax_engine_answer got = score(ctx, engine, rows[i].row);
        if (got.margin[0] != rows[i].margin)
            ax_test_failed(__FILE__, __LINE__, "row %zu: %.17g, not %.17g", i, got.margin[0],
                           rows[i].margin);
        for (size_t t = 0; t < AX_COUNT_OF(rows[i].leaves); t++)
            if (got.leaf[t] != rows[i].leaves[t])
                ax_test_failed(__FILE__, __LINE__, "row %zu, tree %zu: leaf %d, not %d", i, t,
                               got.leaf[t], rows[i].leaves[t]);
    }
}

TEST(lightgbm_tree_sends_each_kind_of_value_where_the_library_does)
{
    ax_test_with_ctx(check_small);
}

/* ---- thresholds: `x <= t` of what LightGBM sees, for values all round the threshold ---- */

static double
seen_by_lightgbm(double x)
{
    return fabs(x) <= (double)1e-35f ? 0 : x;
}

static void
check_threshold(struct ax_ctx *ctx, ax_str text, double t)
{
    static const double steps[] = {-1, -1e-300, 0, 1e-300, 1};
    char line[64];
    snprintf(line, sizeof line, "threshold=%.17g\n", t);
    text = model_case_replace(ctx, text, "threshold=1.0000000180025095e-35\n", line);
    struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, text, NULL, &engine), AX_OK);
    for (size_t i = 0; i < 4 * AX_COUNT_OF(steps); i++) {
        double from = i < 5 ? t : i < 10 ? 0 : i < 15 ? (double)1e-35f : -(double)1e-35f;
        double x[] = {1, from + steps[i % 5], 0};
        for (int side = -1; side <= 1; side++) {
            double row[] = {1, side ? nextafter(x[1], side * (double)INFINITY) : x[1], 0};
            int32_t wanted = seen_by_lightgbm(row[1]) <= t ? 0 : 1;
            if (score(ctx, engine, row).leaf[2] != wanted)
                ax_test_failed(__FILE__, __LINE__, "%.17g against %.17g", row[1], t);
        }
    }
    ax_engine_close(engine);
}

static void
check_thresholds(struct ax_ctx *ctx)
{
    static const double thresholds[] = {
        0,     1e-36,  -1e-36, (double)1e-35f, -(double)1e-35f,
        1,     -1,     1e300,  -1e300,         1.7976931348623157e308,
        5e-35, -5e-35, 0.1};
    ax_str text;
    CHECK(model_case_read(ctx, small_path, &text));
    for (size_t i = 0; i < AX_COUNT_OF(thresholds); i++)
        check_threshold(ctx, text, thresholds[i]);
    check_threshold(ctx, text, (double)INFINITY); /* of old files: all numbers go left */
    check_threshold(ctx, text, -(double)INFINITY);
}

TEST(lightgbm_tree_thresholds_part_the_same_numbers)
{
    ax_test_with_ctx(check_thresholds);
}

/* ---- refusals ---- */

static const struct {
    const char *find, *with;
    const char *part; /* of the sentence */
} refusals[] = {
    {"num_leaves=3", "num_leaves=0", "tree 0: `num_leaves`[0] is 0; expected 1 to 2147483647"},
    {"num_leaves=3", "num_leaves=2000000000",
     "tree 0: `num_leaves` is 2000000000, `leaf_value` has 14 bytes"},
    {"num_leaves=3", "num_leaves=4", "tree 0: `split_feature` has 2 numbers; expected 3"},
    {"num_leaves=3", "num_leaves=2", "tree 0: `split_feature` has more than 1 numbers"},
    {"num_leaves=3\n", "", "tree 0: `num_leaves` is missing"},
    {"num_cat=0\n", "", "tree 0: `num_cat` is missing"},
    {"split_feature=0 1", "split_feature=0 3", "tree 0: `split_feature`[1] is 3; expected 0 to 2"},
    {"split_feature=0 1", "split_feature=-1 1", "tree 0: `split_feature`[0] is -1"},
    {"threshold=30 100.5", "threshold=30", "tree 0: `threshold` has 1 numbers; expected 2"},
    {"threshold=30 100.5", "threshold=30 nan", "tree 0: node 1: the threshold is NaN"},
    {"threshold=30 100.5\n", "", "tree 0: `threshold` is missing"},
    {"decision_type=10 4", "decision_type=10 12", "tree 0: `decision_type`[1] is 12"},
    {"left_child=-1 -2", "left_child=-1 -4", "tree 0: `left_child`[1] is -4; expected -3 to 1"},
    {"right_child=1 -3", "right_child=2 -3", "tree 0: `right_child`[0] is 2"},
    {"right_child=1 -3", "right_child=0 -3",
     "tree 0: node 0: its child, node 0, has another parent or is the root"},
    {"right_child=1 -3", "right_child=1 -1",
     "tree 0: node 1: its child, leaf 0, has another parent"},
    {"right_child=1 -3", "right_child=-2 1", "tree 0: node 1: its child, leaf 1, has another"},
    {"left_child=-1 -2\nright_child=1 -3", "left_child=-1 1\nright_child=-2 -3",
     "tree 0: 2 nodes that its root does not lead to"},
    {"leaf_value=-0.5 0.25", "leaf_value=-0.5 quarter", "tree 0: `leaf_value`[1] is `quarter`"},
    {"leaf_value=-0.5 0.25", "leaf_value=-0.5 inf", "tree 0: `leaf_value`[1] is inf; expected a"},
    {"leaf_value=-0.5 0.25", "leaf_value=-0.5 1e999", "tree 0: `leaf_value`[1] is inf"},
    {"leaf_count=100 60", "leaf_count=100 sixty", "tree 0: `leaf_count`[1] is `sixty`"},
    {"internal_count=200 100", "internal_count=200", "tree 0: `internal_count` has 1 numbers"},
    {"num_cat=1", "num_cat=9", "tree 1: `num_cat`[0] is 9; expected 0 to 2"},
    {"cat_boundaries=0 2\n", "", "tree 1: `cat_boundaries` is missing"},
    {"cat_boundaries=0 2", "cat_boundaries=0 3", "tree 1: `cat_boundaries`[1] is 3; expected"},
    {"cat_boundaries=0 2", "cat_boundaries=1 2", "tree 1: `cat_boundaries`[0] is 1: they begin"},
    {"cat_boundaries=0 2", "cat_boundaries=0 1", "`cat_threshold` has more than 1 numbers"},
    {"cat_threshold=1 2", "cat_threshold=1 4294967296", "`cat_threshold`[1] is 4294967296"},
    {"cat_threshold=1 2", "cat_threshold=1", "tree 1: `cat_boundaries`[1] is 2; expected 0 to 1"},
    {"threshold=0 50", "threshold=1 50", "tree 1: node 0: category set 1 of 1"},
    {"threshold=0 50", "threshold=-1 50", "tree 1: node 0: category set -1 of 1"},
    {"threshold=0 50", "threshold=0.5 50", "tree 1: node 0: category set 0.5 of 1"},
    {"threshold=0 50", "threshold=nan 50", "tree 1: node 0: category set"},
    {"is_linear=1", "is_linear=2", "tree 2: `is_linear`[0] is 2; expected 0 to 1"},
    {"leaf_const=0.5 -0.5\n", "", "tree 2: `leaf_const` is missing"},
    {"leaf_const=0.5 -0.5", "leaf_const=0.5 nan", "constant of a linear leaf must be finite"},
    {"num_features=0 2", "num_features=0 3", "tree 2: `leaf_features` has 2 numbers; expected 3"},
    {"num_features=0 2", "num_features=6 6", "tree 2: `num_features`[0] is 6"},
    {"leaf_features= 0 1 ", "leaf_features= 0 3 ", "tree 2: `leaf_features`[1] is 3"},
    {"leaf_coeff= 0.125", "leaf_coeff= inf", "tree 2: node 2: a coefficient must be finite"},
    {"leaf_coeff= 0.125 ", "leaf_coeff= ", "tree 2: `leaf_coeff` has 1 numbers; expected 2"},
    {"leaf_value=32", "leaf_value=", "tree 3: `leaf_value` has 0 numbers; expected 1"},
    {"leaf_value=32\n", "", "tree 3: `leaf_value` is missing"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, small_path, &small));
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++)
        model_case_refuse(ctx, small, refusals[i].find, refusals[i].with, AX_OK, refusals[i].part);
}

TEST(lightgbm_tree_refuses_trees_that_break_a_rule_with_the_place)
{
    ax_test_with_ctx(check_refusals);
}

/* A set of more codes than a float holds. */
static void
check_wide_set(struct ax_ctx *ctx)
{
    enum { WORDS = (1 << 19) + 1 };
    ax_str small;
    struct ax_engine *engine = NULL;
    CHECK(model_case_read(ctx, small_path, &small));
    char *list = AX_NEW_ARRAY(ctx->arena, char, 2 * WORDS + 32), line[64];
    int len = snprintf(list, 32, "cat_threshold=");
    for (size_t i = 0; i < WORDS; i++) {
        list[len++] = '1';
        list[len++] = ' ';
    }
    ax_str text = model_case_replace(ctx, small, "cat_threshold=1 2", list);
    snprintf(line, sizeof line, "cat_boundaries=0 %d", WORDS);
    text = model_case_replace(ctx, text, "cat_boundaries=0 2", line);
    CHECK_EQ(ax_engine_open(ctx, text, NULL, &engine), AX_LIMIT);
    CHECK(strstr(ctx->error, "tree 1: node 0: category codes of 16777216 and more"));
}

TEST(lightgbm_tree_refuses_codes_beyond_a_float)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(WIDE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    check_wide_set(&ctx);
}

/* Without counts there are no contributions of the model's own, only against a population. */
static void
check_counts(struct ax_ctx *ctx)
{
    ax_str text;
    CHECK(model_case_read(ctx, "tests/model/lightgbm-2.2.3/multiclass/model.txt", &text));
    ax_str bare = model_case_replace(ctx, text, "\nleaf_count=", "\nleaf_counts=");
    bare = model_case_replace(ctx, bare, "\ntree_sizes=", "\nno_sizes=");
    const ax_str texts[] = {text, bare};
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++) {
        ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
        CHECK_EQ(ax_engine_open(ctx, texts[i], NULL, &engine), AX_OK);
        const struct ax_engine_signature *signature = ax_engine_signature(engine);
        CHECK(signature->background);
        CHECK_EQ((signature->outputs & AX_ENGINE_CONTRIBUTIONS) != 0, i == 0);
    }
}

TEST(lightgbm_tree_without_counts_explains_against_a_population_only)
{
    ax_test_with_ctx(check_counts);
}

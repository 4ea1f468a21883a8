#include "engine/catboost_tree.h"

#include <math.h>

#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

#define OBLIVIOUS "tests/model/small/catboost.json"
#define NESTED    "tests/model/small/catboost_nested.json"
#define NAN_      ((double)NAN)

static struct ax_engine_answer
score(struct ax_ctx *ctx, const struct ax_engine *engine, const double *row)
{
    struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN | AX_ENGINE_LEAF};
    return model_case_score(ctx, engine, &call, NULL);
}

/* age: NaN is low; region: 2 is `red`; income: NaN is high. Scale 0.5, bias 0.25. */
static const struct {
    double row[3], margin;
    int32_t leaves[3];
} oblivious_rows[] = {
    {{1.5, 0, 100}, 0.25 + 0.5 * (1 + 16 + 64), {0, 0, 0}}, /* a border is not above itself */
    {{1.6, 0, 100}, 0.25 + 0.5 * (2 + 16 + 64), {1, 0, 0}},
    {{1.5, 2, 101}, 0.25 + 0.5 * (4 + 32 + 64), {2, 1, 0}},
    {{1e9, 2, 1e9}, 0.25 + 0.5 * (8 + 32 + 64), {3, 1, 0}},
    {{NAN_, NAN_, NAN_}, 0.25 + 0.5 * (4 + 16 + 64), {2, 0, 0}},
    {{1.5, -1, 100}, 0.25 + 0.5 * (1 + 16 + 64), {0, 0, 0}},       /* a word that is not known */
    {{1.5 + 1e-9, 0, 100}, 0.25 + 0.5 * (1 + 16 + 64), {0, 0, 0}}, /* rounded to float32 first */
};

static void
check_oblivious(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, OBLIVIOUS);
    REQUIRE(engine);
    for (size_t i = 0; i < AX_COUNT_OF(oblivious_rows); i++) {
        struct ax_engine_answer got = score(ctx, engine, oblivious_rows[i].row);
        if (got.margin[0] != oblivious_rows[i].margin)
            ax_test_failed(__FILE__, __LINE__, "row %zu: %.17g, not %.17g", i, got.margin[0],
                           oblivious_rows[i].margin);
        for (size_t t = 0; t < AX_COUNT_OF(oblivious_rows[i].leaves); t++)
            CHECK_EQ(got.leaf[t], oblivious_rows[i].leaves[t]);
    }
}

TEST(catboost_tree_walks_oblivious_trees_by_the_bits_of_their_splits)
{
    ax_test_with_ctx(check_oblivious);
}

static const struct {
    double row[2], margin[2];
    int32_t leaf;
} nested_rows[] = {
    {{2, 1}, {0.5 + 5 + 10, -0.5 + 6 + 20}, 0}, /* a node's own leaf has the first number */
    {{1, 1}, {0.5 + 1 + 10, -0.5 + 2 + 20}, 1},
    {{1, 0}, {0.5 + 3 + 10, -0.5 + 4 + 20}, 2},
    {{NAN_, 0}, {0.5 + 3 + 10, -0.5 + 4 + 20}, 2},
};

static void
check_nested(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, NESTED);
    REQUIRE(engine);
    for (size_t i = 0; i < AX_COUNT_OF(nested_rows); i++) {
        struct ax_engine_answer got = score(ctx, engine, nested_rows[i].row);
        CHECK(memcmp(got.margin, nested_rows[i].margin, sizeof nested_rows[i].margin) == 0);
        CHECK_EQ(got.leaf[0], nested_rows[i].leaf);
        CHECK_EQ(got.leaf[1], 0);
    }
}

TEST(catboost_tree_walks_nested_trees_with_a_vector_in_each_leaf)
{
    ax_test_with_ctx(check_nested);
}

/* ---- refusals ---- */

struct refusal {
    const char *find, *with;
    ax_status status;
    const char *part; /* of the sentence */
};

static const struct refusal oblivious_refusals[] = {
    {"[1,2,4,8]", "[1,2,4]", AX_INVALID, "tree 0: `leaf_values` has 3 items; expected 4 for 2"},
    {"[1,2,4,8]", "[1,2,4,\"x\"]", AX_INVALID, "tree 0: leaf 3: its values must be finite"},
    {"[0.5,[0.25]]", "[1e308,[0]]", AX_INVALID, "tree 0: leaf 1: its values must be finite"},
    {"\"leaf_values\":[1,2,4,8],", "", AX_INVALID, "tree 0: `leaf_values` is missing"},
    {"\"border\":1.5,", "", AX_INVALID, "`splits`[0]: `border` must be a finite float32"},
    {"\"border\":1.5", "\"border\":NaN", AX_INVALID, "`splits`[0]: `border` must be"},
    {"\"border\":1.5", "\"border\":1e39", AX_INVALID, "`splits`[0]: `border` must be"},
    {"\"float_feature_index\":1", "\"float_feature_index\":2", AX_INVALID,
     "tree 0: `splits`[1]: `float_feature_index` is 2: the file has no such feature"},
    {"\"float_feature_index\":1", "\"float_feature_index\":-1", AX_INVALID, "is -1: the file has"},
    {"\"cat_feature_index\":0", "\"cat_feature_index\":1", AX_INVALID, "`cat_feature_index` is 1"},
    {"\"value\":-1242798403", "\"value\":77", AX_INVALID,
     "tree 1: `splits`[0]: `value` is 77: no category of `cat_features_hash` has this hash"},
    {"\"value\":-1242798403", "\"value\":9999999999", AX_INVALID, "`value` is 9999999999"},
    {"\"OneHotFeature\"", "\"OnlineCtr\"", AX_UNSUPPORTED,
     "tree 1: `splits`[0]: a split on target"},
    {"\"OneHotFeature\"", "\"EstimatedFeature\"", AX_UNSUPPORTED, "type `EstimatedFeature`"},
    {"\"oblivious_trees\"", "\"no_trees\"", AX_INVALID, "`oblivious_trees` is missing"},
    {"{\"leaf_values\":[64],", "7,{\"leaf_values\":[64],", AX_INVALID, "tree 2: "},
};

static const struct refusal nested_refusals[] = {
    {"\"value\":[1,2]", "\"value\":[1,2,3]", AX_INVALID, "tree 0: leaf 1 has 3 values for 2"},
    {"\"value\":[1,2]", "\"value\":1", AX_INVALID, "tree 0: leaf 1 has 1 values for 2 outputs"},
    {"\"value\":[1,2]", "\"value\":[1,null]", AX_INVALID, "tree 0: leaf 1: its values"},
    {"\"value\":[1,2]", "\"valeu\":[1,2]", AX_INVALID, "tree 0: `split` is missing"},
    {"\"right\":{\"value\":[5,6],\"weight\":7},\n", "", AX_INVALID, "tree 0: `right` is missing"},
    {"\"left\":{\"left\":{", "\"left\":{\"left\":7,\"lost\":{", AX_INVALID, "tree 0: "},
};

static void
check_refusals(struct ax_ctx *ctx, const char *path, const struct refusal *refusals, size_t count)
{
    ax_str small;
    CHECK(model_case_read(ctx, path, &small));
    for (size_t i = 0; i < count; i++)
        model_case_refuse(ctx, small, refusals[i].find, refusals[i].with, refusals[i].status,
                          refusals[i].part);
}

static void
check_all_refusals(struct ax_ctx *ctx)
{
    check_refusals(ctx, OBLIVIOUS, oblivious_refusals, AX_COUNT_OF(oblivious_refusals));
    check_refusals(ctx, NESTED, nested_refusals, AX_COUNT_OF(nested_refusals));
}

TEST(catboost_tree_refuses_trees_that_break_a_rule_with_the_place)
{
    ax_test_with_ctx(check_all_refusals);
}

/* Weights are what path-dependent contributions stand on. */
static void
check_weights(struct ax_ctx *ctx)
{
    static const struct refusal removals[] = {
        {",\"leaf_weights\":[70,30]", "", AX_OK, ""},
        {"[70,30]", "[70]", AX_OK, ""},
        {"[70,30]", "[70,null]", AX_OK, ""},
    };
    ax_str small;
    CHECK(model_case_read(ctx, OBLIVIOUS, &small));
    for (size_t i = 0; i < AX_COUNT_OF(removals); i++) {
        ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
        ax_str text = model_case_replace(ctx, small, removals[i].find, removals[i].with);
        CHECK_EQ(ax_engine_open(ctx, text, NULL, &engine), AX_OK);
        CHECK(!(ax_engine_signature(engine)->outputs & AX_ENGINE_CONTRIBUTIONS));
        CHECK(ax_engine_signature(engine)->background);
    }
}

TEST(catboost_tree_without_weights_explains_against_a_population_only)
{
    ax_test_with_ctx(check_weights);
}

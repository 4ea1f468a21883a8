#include "engine/xgboost_tree.h"

#include <math.h>

#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

static const float row[3] = {40, 5, 1}; /* leaves 4 (0.75) and 1 (-0.125) */

static double
margin_of(struct ax_ctx *ctx, ax_str bytes)
{
    struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, bytes, NULL, &engine), AX_OK);
    if (!engine)
        return 0;
    struct ax_engine_call call = {.rows = {.at = row, .count = 1}, .outputs = AX_ENGINE_MARGIN};
    double margin = model_case_score(ctx, engine, &call, NULL).margin[0];
    ax_engine_close(engine);
    return margin;
}

/* Weights stand in three places by version, may be fewer than the trees, and may be 0. */
static void
check_dart(struct ax_ctx *ctx)
{
    static const struct {
        const char *weights;
        double want; /* less the base */
    } cases[] = {
        {"[0.5]", 0.5 * 0.75 - 0.125},
        {"[0.5,2]", 0.5 * 0.75 - 0.25},
        {"[0,1]", -0.125},
        {"[]", 0.75 - 0.125},
    };
    ax_str dart, plain;
    CHECK(model_case_read(ctx, "tests/model/small/dart.json", &dart));
    CHECK(model_case_read(ctx, "tests/model/small/xgboost.json", &plain));
    double base = margin_of(ctx, plain) - (0.75 - 0.125);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        char with[64];
        ax_str outer = model_case_replace(ctx, dart, "[0.5]", cases[i].weights);
        CHECK(fabs(margin_of(ctx, outer) - base - cases[i].want) < 1e-6);
        snprintf(with, sizeof with, "\"weight_drop\":%s,\"tree_info\"", cases[i].weights);
        ax_str inner = model_case_replace(ctx, plain, "\"tree_info\"", with);
        CHECK(fabs(margin_of(ctx, inner) - base - cases[i].want) < 1e-6);
    }
}

TEST(xgboost_tree_multiplies_dart_weights_into_the_leaves)
{
    ax_test_with_ctx(check_dart);
}

static void
check_bad_weights(struct ax_ctx *ctx)
{
    ax_str dart, vector;
    CHECK(model_case_read(ctx, "tests/model/small/dart.json", &dart));
    CHECK(model_case_read(ctx, "tests/model/small/vector.json", &vector));
    model_case_refuse(ctx, dart, "[0.5]", "[1,1,1]", AX_INVALID,
                      "`weight_drop` has 3 items for 2 trees");
    model_case_refuse(ctx, dart, "[0.5]", "[NaN]", AX_INVALID, "`weight_drop`[0] must be finite");
    model_case_refuse(ctx, vector, "\"right_children\":[2,0,4", /* leaf 1 -> row 9 */
                      "\"right_children\":[2,9,4", AX_INVALID,
                      "tree 0: node 1: leaf vector 9 of 3");
    model_case_refuse(ctx, vector, "\"leaf_weights\":[0.0,", "\"leaf_weights\":[", AX_INVALID,
                      "tree 0: `leaf_weights` has 5 items for vectors of 2");
    model_case_refuse(ctx, vector, "\"leaf_weights\":[0.0,", "\"leaf_weights\":[Infinity,",
                      AX_INVALID, "tree 0: node 1: a leaf value must be finite");
}

TEST(xgboost_tree_refuses_bad_weights_and_vectors)
{
    ax_test_with_ctx(check_bad_weights);
}

/* Forms of older versions: booleans, no split types, no statistics, no iterations. */
static void
check_old_forms(struct ax_ctx *ctx)
{
    ax_str text;
    CHECK(model_case_read(ctx, "tests/model/small/xgboost.json", &text));
    double want = margin_of(ctx, text);
    text = model_case_replace(ctx, text, "[1,0,0,0,0],\"id\"",
                              "[true,false,false,false,false],\"id\"");
    text = model_case_replace(ctx, text, ",\"iteration_indptr\":[0,1,2]", "");
    text = model_case_replace(ctx, text, ",\"sum_hessian\":[9,5,4]", "");
    text = model_case_replace(ctx, text, ",\"split_type\":[0,0,0]", "");
    text =
        model_case_replace(ctx, text, "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"0\"");
    text = model_case_replace(ctx, text, "[2.5E-1]", "2.5E-1");
    text = model_case_replace(ctx, text, ",\"num_target\":\"1\"", "");
    text = model_case_replace(ctx, text, "\"version\":[3,2,0]", "\"version\":[1,0,2]");
    CHECK(margin_of(ctx, text) == want);
}

TEST(xgboost_tree_reads_what_older_versions_wrote)
{
    ax_test_with_ctx(check_old_forms);
}

#include "engine/xgboost.h"

#include <math.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "engine/forest_engine.h"
#include "golden_case.h"
#include "harness.h"
#include "model_case.h"

/* Where golden cases are: a few with the sources, all of them beside the project. */
static const char *const small_sets[] = {"tests/model/xgboost-3.2.0", "tests/model/xgboost-1.7.6"};

enum { CASE_BYTES_MAX = 1 << 29, BLOCK_ROWS = 7 };

static struct ax_engine_answer
score(struct ax_ctx *ctx, const struct ax_engine *engine, struct ax_engine_rows rows,
      unsigned outputs, const struct ax_engine_background *background)
{
    struct ax_engine_call call = {.rows = rows, .outputs = outputs, .background = background};
    return model_case_score(ctx, engine, &call, NULL);
}

static int32_t
ordered_bits(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT32_MIN - bits : bits;
}

static int64_t
ulps_apart(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b) ? 0 : INT64_MAX;
    return llabs((int64_t)ordered_bits((float)a) - (int64_t)ordered_bits((float)b));
}

static void
check_margins(struct ax_ctx *ctx, const struct model_case *model_case, const char *file,
              const struct ax_engine *engine, const struct ax_engine_answer *scored)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    double *margins, *responses, *leaves;
    size_t count = model_case_numbers(ctx, model_case, "margin", &margins);
    CHECK_EQ(count, model_case->row_count * signature->margin_count);
    for (size_t i = 0; i < count; i++)
        if ((float)scored->margin[i] != (float)margins[i])
            ax_test_failed(__FILE__, __LINE__, "%s/%s: margin[%zu] is %.9g, not %.9g",
                           model_case->name, file, i, scored->margin[i], margins[i]);
    count = model_case_numbers(ctx, model_case, "prediction", &responses);
    CHECK_EQ(count, model_case->row_count * signature->response_count);
    int64_t allowed = ax_str_starts(signature->objective, AX_STR("multi:softprob")) ? 4 : 1;
    for (size_t i = 0; i < count; i++)
        if (ulps_apart(scored->response[i], responses[i]) > allowed)
            ax_test_failed(__FILE__, __LINE__, "%s/%s: response[%zu] is %.9g, not %.9g",
                           model_case->name, file, i, scored->response[i], responses[i]);
    count = model_case_numbers(ctx, model_case, "leaf", &leaves);
    CHECK(signature->tree_count == 0 || count % signature->tree_count == 0);
    for (size_t i = 0; i < count; i++)
        if (scored->leaf[i] != (int32_t)leaves[i])
            ax_test_failed(__FILE__, __LINE__, "%s/%s: leaf[%zu] is %d, not %g", model_case->name,
                           file, i, scored->leaf[i], leaves[i]);
}

/* The margin as a real number: leaf values added in float64. */
static double
exact_margin(const struct ax_engine *engine, const struct ax_engine_answer *scored, size_t row,
             size_t output)
{
    const struct ax_forest *forest = &((const struct ax_forest_engine *)engine)->forest;
    double sum = forest->base[output];
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        int32_t number = scored->leaf[row * forest->tree_count + t];
        for (uint32_t n = 0; n < tree->node_count; n++)
            if (tree->nodes[n].left < 0 && tree->nodes[n].number == number &&
                (tree->output < 0 || (size_t)tree->output == output))
                sum += ax_forest_value(forest, tree, &tree->nodes[n], output);
    }
    return sum;
}

static void
check_additive(const struct ax_engine *engine, const struct model_case *model_case,
               const struct ax_engine_answer *scored, const double *contributions, size_t rows)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t stride = signature->feature_count + 1;
    for (size_t i = 0; i < rows * signature->margin_count; i++) {
        double sum = 0, scale = 1;
        for (size_t f = 0; f < stride; f++) {
            sum += contributions[i * stride + f];
            scale = fmax(scale, fabs(contributions[i * stride + f]));
        }
        bool trees = ax_str_eq(signature->kind, AX_STR("trees"));
        double margin = trees ? exact_margin(engine, scored, i / signature->margin_count,
                                             i % signature->margin_count)
                              : scored->margin[i];
        if (!(fabs(sum - margin) <= (trees ? 1e-9 : 1e-5) * scale))
            ax_test_failed(__FILE__, __LINE__,
                           "%s: contributions of %zu add up to %.17g, not %.17g", model_case->name,
                           i, sum, margin);
    }
}

static void
check_contributions(struct ax_ctx *ctx, const struct model_case *model_case, const char *file,
                    const struct ax_engine *engine, const struct ax_engine_answer *scored)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t block = signature->margin_count * (signature->feature_count + 1);
    double *wanted;
    size_t count = model_case_numbers(ctx, model_case, "contribs", &wanted);
    if (count == 0 && signature->outputs & AX_ENGINE_CONTRIBUTIONS)
        count = 8 * block; /* no answers of the library: additivity alone */
    if (!(signature->outputs & AX_ENGINE_CONTRIBUTIONS)) {
        CHECK_EQ(count, 0);
        return;
    }
    struct ax_engine_answer explained = score(
        ctx, engine, model_case_rows(model_case, 0, count / block), AX_ENGINE_CONTRIBUTIONS, NULL);
    for (size_t i = 0; i < count && wanted; i++) {
        double got = explained.contributions[i];
        if (!(fabs(got - wanted[i]) <= 1e-5 * fmax(1, fabs(wanted[i]))))
            ax_test_failed(__FILE__, __LINE__, "%s/%s: contribution[%zu] is %.9g, not %.9g",
                           model_case->name, file, i, got, wanted[i]);
    }
    check_additive(engine, model_case, scored, explained.contributions, count / block);
}

static void
check_background(struct ax_ctx *ctx, const struct model_case *model_case,
                 const struct ax_engine *engine, const struct ax_engine_answer *scored)
{
    enum { REFERENCES = 40, EXPLAINED = 3 };
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_rows references = model_case_rows(model_case, 20, REFERENCES);
    CHECK_EQ(ax_engine_background_open(engine, ctx, &references, &background), AX_OK);
    struct ax_engine_answer explained =
        score(ctx, engine, model_case_rows(model_case, 0, EXPLAINED), AX_ENGINE_CONTRIBUTIONS,
              background);
    check_additive(engine, model_case, scored, explained.contributions, EXPLAINED);
}

/* Rows as doubles, as columns, and in blocks of a few give the same bits. */
static void
check_layouts(struct ax_ctx *ctx, const struct model_case *model_case,
              const struct ax_engine *engine, const struct ax_engine_answer *scored)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t rows = model_case->row_count, columns = model_case->column_count;
    size_t margin_bytes = rows * signature->margin_count * sizeof(double);
    struct ax_engine_rows wide = model_case_rows(model_case, 0, rows);
    wide.at = model_case->wide;
    wide.type = AX_ENGINE_F64;
    struct ax_engine_answer other = score(ctx, engine, wide, AX_ENGINE_MARGIN, NULL);
    CHECK(memcmp(other.margin, scored->margin, margin_bytes) == 0);
    float *turned = AX_NEW_ARRAY(ctx->arena, float, rows *columns);
    for (size_t i = 0; i < rows * columns; i++)
        turned[i % columns * rows + i / columns] = model_case->cells[i];
    struct ax_engine_rows by_column = model_case_rows(model_case, 0, rows);
    by_column.at = turned;
    by_column.row_stride_bytes = sizeof(float);
    by_column.column_stride_bytes = rows * sizeof(float);
    other = score(ctx, engine, by_column, AX_ENGINE_MARGIN, NULL);
    CHECK(memcmp(other.margin, scored->margin, margin_bytes) == 0);
    for (size_t from = 0; from + BLOCK_ROWS <= rows; from += BLOCK_ROWS) {
        other = score(ctx, engine, model_case_rows(model_case, from, BLOCK_ROWS), AX_ENGINE_MARGIN,
                      NULL);
        CHECK(memcmp(other.margin, scored->margin + from * signature->margin_count,
                     BLOCK_ROWS * signature->margin_count * sizeof(double)) == 0);
    }
}

static void
check_file(struct ax_ctx *ctx, const char *folder, const struct model_case *model_case,
           const char *file)
{
    char path[512];
    ax_str bytes;
    snprintf(path, sizeof path, "%s/%s/%s", folder, model_case->name, file);
    if (!model_case_read(ctx, path, &bytes)) {
        ax_test_failed(__FILE__, __LINE__, "%s is not there", path);
        return;
    }
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    if (ax_engine_open(ctx, bytes, NULL, &engine) != AX_OK) {
        ax_test_failed(__FILE__, __LINE__, "%s: %s", path, ctx->error);
        return;
    }
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK_EQ(signature->feature_count, model_case->column_count);
    struct ax_engine_answer scored =
        score(ctx, engine, model_case_rows(model_case, 0, model_case->row_count),
              AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE | (signature->outputs & AX_ENGINE_LEAF), NULL);
    if (strstr(path, "3.2.0/no_trees"))
        return; /* the library answers otherwise than 1.7.6 there, by mistake: see its meta.json */
    check_margins(ctx, model_case, file, engine, &scored);
    check_contributions(ctx, model_case, file, engine, &scored);
    check_background(ctx, model_case, engine, &scored);
    check_layouts(ctx, model_case, engine, &scored);
}

/* Every case of a folder; the number of them. */
static size_t
check_folder(const char *folder)
{
    ax_auto(ax_arena_free) struct ax_arena *list_arena = ax_arena_new(CASE_BYTES_MAX);
    struct ax_ctx list_ctx = ax_ctx_of(list_arena);
    ax_str *names;
    size_t count = model_case_list(&list_ctx, folder, &names);
    for (size_t i = 0; i < count; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(CASE_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct model_case model_case;
        if (!model_case_load(&ctx, folder, ax_str_c(arena, names[i]), &model_case))
            continue;
        check_file(&ctx, folder, &model_case, "model.json");
        check_file(&ctx, folder, &model_case, "model.ubj");
    }
    return count;
}

TEST(xgboost_golden_cases_with_the_sources_are_bit_equal)
{
    for (size_t i = 0; i < AX_COUNT_OF(small_sets); i++)
        CHECK(check_folder(small_sets[i]) > 0);
}

static void
check_shared(const char *folder, size_t cases_least)
{
    size_t count = check_folder(folder);
    if (count == 0)
        printf("skipped: %s is not there\n", folder);
    else
        CHECK(count >= cases_least);
}

TEST(xgboost_3_2_golden_cases_are_bit_equal)
{
    check_shared("../shared/models/xgboost-3.2.0", 42);
}

TEST(xgboost_1_7_golden_cases_are_bit_equal)
{
    check_shared("../shared/models/xgboost-1.7.6", 39);
}

/* ---- refusals ---- */

static const struct {
    const char *find, *with;
    const char *part; /* of the sentence */
} refusals[] = {
    {"\"version\":[3,2,0]", "\"version\":[3,2]", "`version` must be three numbers, not 2"},
    {"\"version\":[3,2,0]", "\"version\":[3,-2,0]", "`version`[1] is out of range"},
    {"\"num_feature\":\"3\",\"num_target\"",
     "\"num_feature\":\"9223372036854775808\",\"num_target\"",
     "`num_feature` must be a whole number"},
    {"\"num_feature\":\"3\",\"num_target\"", "\"num_feature\":\"1000001\",\"num_target\"",
     "`num_feature` is 1000001; expected 0 to 1000000"},
    {"\"num_class\":\"0\"", "\"num_class\":\"-1\"", "`num_class` is -1"},
    {"\"num_class\":\"0\"", "\"num_class\":0", "`num_class` must be a text, not a number"},
    {"\"num_target\":\"1\"", "\"num_target\":\"10001\"", "`num_target` is 10001; expected 0 to"},
    {"[2.5E-1]", "none", "`base_score` holds `none`"},
    {"[2.5E-1]", "NaN", "`base_score` holds `NaN`"},
    {"[2.5E-1]", "[1E-1,2E-1]", "`base_score` holds 2 numbers; expected 1 or 1"},
    {"[2.5E-1]", "[]", "`base_score` holds ``"},
    {"[2.5E-1]", "0", "`base_score` 0 has no finite margin"},
    {"[2.5E-1]", "1", "`base_score` 1 has no finite margin"},
    {"[2.5E-1]", "2", "`base_score` 2 has no finite margin"},
    {"\"name\":\"gbtree\"", "\"name\":\"gbforest\"", "`gradient_booster`.`name` is `gbforest`"},
    {"\"objective\":{\"name\"", "\"objective\":{\"title\"", "`name` is missing; expected a text"},
    {"\"learner_model_param\":{", "\"params\":{", "`learner_model_param` is missing"},
    {"\"feature_names\":[\"age\",", "\"feature_names\":[", "`feature_names` has 2 items for 3"},
    {"\"age\",\"income\"", "\"age\",\"age\"", "`feature_names` holds `age` twice"},
    {"\"age\",\"income\"", "\"age\",7", "`feature_names`[1] must be a text"},
    {"[\"float\",\"float\",\"c\"]", "[\"float\",0,\"c\"]", "`feature_types`[1] must be a text"},
    {"[0,5,9,15,20]", "[0,5,4,15,20]", "`cats`.`enc`[2]: `offsets`[1] to [2] are 5 to 4"},
    {"[0,5,9,15,20]", "[0,5,9,15,21]", "`offsets`[3] to [4] are 15 to 21 of 20 bytes"},
    {"[0,5,9,15,20]", "[-1,5,9,15,20]", "`offsets`[0] to [1] are -1 to 5"},
    {"\"values\":[99,", "\"values\":[256,", "`values`[0] is no byte"},
    {"\"num_trees\":\"2\"", "\"num_trees\":\"2147483647\"",
     "`num_trees` is 2147483647, `trees` has 2"},
    {"\"tree_info\":[0,0]", "\"tree_info\":[0]", "`tree_info` has 1 items for 2 trees"},
    {"\"tree_info\":[0,0]", "\"tree_info\":[0,1]", "`tree_info`[1] is 1, of 1 outputs"},
    {"\"tree_info\":[0,0]", "\"tree_info\":[-1,0]", "`tree_info`[0] is -1"},
    {"\"iteration_indptr\":[0,1,2]", "\"iteration_indptr\":[0,2,1]", "`iteration_indptr`[2] is 1"},
    {"\"iteration_indptr\":[0,1,2]", "\"iteration_indptr\":[0,1]", "must go from 0 to 2"},
    {"\"id\":1", "\"id\":7", "tree 1: `id` must be the tree's place, 1"},
    {"\"left_children\":[1,-1,3", "\"left_children\":\"1\",\"x\":[1,-1,3",
     "tree 0: `left_children` must be an array, not a string"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[1000000,-1,3",
     "tree 0: node 0: children 1000000 and 2 of a tree of 5 nodes"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[-7,-1,3", "tree 0: node 0: children -7"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[1,-1,0",
     "tree 0: node 0 has two parents or is its own ancestor"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[1,-1,2", "tree 0: node 2 has two parents"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[1,-1,4", "tree 0: node 4 has two parents"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[-1,-1,3",
     "tree 0: node 0: a right child 2 and no left one"},
    {"\"left_children\":[1,-1,3", "\"left_children\":[1.5,-1,3",
     "tree 0: `left_children`[0] must be a whole number"},
    {"\"right_children\":[2,-1,4,-1,-1]", "\"right_children\":[2,-1,4,-1]",
     "tree 0: `right_children` has 4 items for 5 nodes"},
    {"\"split_indices\":[0,0,2", "\"split_indices\":[5000,0,2",
     "tree 0: node 0: splits on feature 5000 of 3"},
    {"\"split_indices\":[0,0,2", "\"split_indices\":[-1,0,2", "splits on feature -1 of 3"},
    {"\"split_conditions\":[30.0", "\"split_conditions\":[NaN",
     "tree 0: node 0: the threshold is NaN"},
    {"\"split_conditions\":[30.0,-0.5", "\"split_conditions\":[30.0,1e39",
     "tree 0: `split_conditions`[1] must be a float32"},
    {"\"split_conditions\":[30.0,-0.5", "\"split_conditions\":[30.0,Infinity",
     "tree 0: node 1: a leaf value must be finite"},
    {"\"split_type\":[0,0,1", "\"split_type\":[0,0,2", "tree 0: node 2: `split_type` is 2"},
    {"\"num_nodes\":\"5\"", "\"num_nodes\":\"4294967296\"",
     "tree 0: `num_nodes` is 4294967296, `left_children` has 5 items"},
    {"\"num_nodes\":\"5\"", "\"num_nodes\":\"-1\"", "tree 0: `num_nodes` is -1"},
    {"\"categories\":[1,3]", "\"categories\":[1,16777216]", "`categories`[1] is 16777216"},
    {"\"categories\":[1,3]", "\"categories\":[1,-3]", "`categories`[1] is -3"},
    {"\"categories_segments\":[0]", "\"categories_segments\":[9223372036854775807]",
     "category set 0 is 2 items from 9223372036854775807 on, of 2 categories"},
    {"\"categories_sizes\":[2]", "\"categories_sizes\":[3]", "category set 0 is 3 items from 0"},
    {"\"categories_nodes\":[2]", "\"categories_nodes\":[5]",
     "`categories_nodes`[0] is 5 of 5 nodes"},
    {"\"categories_nodes\":[2]", "\"categories_nodes\":[1]",
     "node 2: a categorical split without categories"},
    {"\"categories_sizes\":[2]", "\"categories_sizes\":[]", "have 1, 1 and 0 items"},
    {"\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"3\"",
     "`size_leaf_vector` is 3 in a model of 1 outputs"},
    {"\"tree_param\":{", "\"tree_params\":{", "tree 0: `tree_param` is missing"},
    {"{\"learner\"", "{\"learner\":{},\"learner\"", "twice"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, "tests/model/small/xgboost.json", &small));
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++)
        model_case_refuse(ctx, small, refusals[i].find, refusals[i].with, AX_OK, refusals[i].part);
}

TEST(xgboost_files_that_break_a_rule_are_refused_with_the_place)
{
    ax_test_with_ctx(check_refusals);
}

TEST(xgboost_malformed_files_are_refused)
{
    golden_case_check_malformed("xgboost", "control_valid.json", 39);
}

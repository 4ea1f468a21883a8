#include "engine/lightgbm.h"

#include <math.h>

#include "engine/engine.h"
#include "golden_case.h"
#include "harness.h"

static const struct golden_rule rule = {
    .files = {"model.txt", "model_all_iterations.txt"},
    .response_ulps = 1,
    .softmax_ulps = 4,
    .contributions = 1e-9,
};

static const char *const small_sets[] = {"tests/model/lightgbm-4.7.0", "tests/model/lightgbm-3.0.0",
                                         "tests/model/lightgbm-2.2.3"};

static const char small_path[] = "tests/model/small/lightgbm.txt";

TEST(lightgbm_golden_cases_with_the_sources_are_bit_equal)
{
    for (size_t i = 0; i < AX_COUNT_OF(small_sets); i++)
        CHECK(golden_case_check(small_sets[i], &rule) > 0);
}

TEST(lightgbm_4_7_golden_cases_are_bit_equal)
{
    golden_case_check_shared("../shared/models/lightgbm-4.7.0", &rule, 34);
}

TEST(lightgbm_malformed_files_are_refused)
{
    golden_case_check_malformed("lightgbm", "control_valid.txt", 19);
}

/* ---- signature ---- */

static void
check_signature(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, small_path);
    REQUIRE(engine);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK_STR(signature->format, "lightgbm-text");
    CHECK_STR(signature->version, "v4");
    CHECK_STR(signature->booster, "dart");
    CHECK_STR(signature->objective, "binary sigmoid:1");
    CHECK(signature->named && signature->input == AX_ENGINE_F64);
    CHECK_EQ(signature->tree_count, 4);
    CHECK_EQ(signature->leaf_count, 9);
    CHECK(!(signature->outputs & AX_ENGINE_CONTRIBUTIONS) && !signature->background);
    REQUIRE(signature->feature_count == 3);
    const struct ax_engine_feature *age = &signature->features[0], *region = age + 2;
    CHECK_STR(age->name, "age");
    CHECK(!age->categorical && age->ranged && age->least == 18 && age->most == 90);
    CHECK_EQ(age->split_count, 3); /* one of them a linear leaf */
    CHECK(region->categorical && region->ranged && region->least == 0 && region->most == 33);
    double code = 0;
    static const char *const words[] = {"north", "7", "True"};
    CHECK_EQ(region->category_count, AX_COUNT_OF(words));
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        CHECK(ax_engine_category_find(region, ax_str_of(words[i]), &code) && code == (double)i);
}

TEST(lightgbm_signature_has_names_ranges_and_words)
{
    ax_test_with_ctx(check_signature);
}

static const struct {
    const char *find, *with;
    bool matched;
    bool words; /* of feature 2 */
} tables[] = {
    {"[categorical_feature: 2]", "[categorical_feature: ]", true, true}, /* by feature_infos */
    {"[categorical_feature: 2]", "[categorical_feature: 1,2]", false, false},
    {"[categorical_feature: 2]", "[categorical_feature: name:region]", false, false},
    {"[categorical_feature: 2]", "[categorical_feature: 7]", false, false},
    {"[[\"north\", 7, true]]", "[[\"north\"],[\"south\"]]", false, false},
    {"[[\"north\", 7, true]]", "{\"north\": 7}", false, false},
    {"[[\"north\", 7, true]]", "null", true, false},
    {"[[\"north\", 7, true]]", "[]", true, false},
    {"[boosting: dart]", "[boosting_type: goss]", true, true},
};

static void
check_tables(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, small_path, &small));
    for (size_t i = 0; i < AX_COUNT_OF(tables); i++) {
        ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
        ax_str text = model_case_replace(ctx, small, tables[i].find, tables[i].with);
        CHECK_EQ(ax_engine_open(ctx, text, NULL, &engine), AX_OK);
        const struct ax_engine_signature *signature = ax_engine_signature(engine);
        bool noted = false;
        for (size_t n = 0; n < signature->note_count; n++)
            noted |= ax_str_starts(signature->notes[n], AX_STR("`pandas_categorical` has"));
        CHECK_EQ(noted, !tables[i].matched);
        CHECK_EQ(signature->features[2].categories != NULL, tables[i].words);
    }
}

TEST(lightgbm_words_go_to_their_features_or_a_note_says_not)
{
    ax_test_with_ctx(check_tables);
}

/* ---- the same model in other clothes ---- */

static double
one_margin(struct ax_ctx *ctx, ax_str text)
{
    static const double row[] = {40, 10, 33};
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    if (ax_engine_open(ctx, text, NULL, &engine) != AX_OK) {
        ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
        return 0;
    }
    struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN};
    return model_case_score(ctx, engine, &call, NULL).margin[0];
}

static ax_str
with_carriage(struct ax_ctx *ctx, ax_str text)
{
    char *out = AX_NEW_ARRAY(ctx->arena, char, 2 * text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n')
            out[len++] = '\r';
        out[len++] = text.at[i];
    }
    return (ax_str){out, len};
}

static void
check_clothes(struct ax_ctx *ctx)
{
    ax_str small, real;
    CHECK(model_case_read(ctx, small_path, &small));
    double wanted = one_margin(ctx, small);
    CHECK(wanted == 0.25 + 1 + 7 + 32);
    CHECK(one_margin(ctx, with_carriage(ctx, small)) == wanted);
    CHECK(one_margin(ctx, model_case_replace(ctx, small, "num_tree_per_iteration=1\n", "")) ==
          wanted);
    CHECK(one_margin(ctx, model_case_replace(ctx, small, "=v4", "=v2")) == wanted);
    CHECK(one_margin(ctx, model_case_replace(ctx, small, "end of trees\n", "")) == wanted);
    size_t end = ax_str_find(small, AX_STR("feature_importances"));
    CHECK(one_margin(ctx, (ax_str){small.at, end}) == wanted);
    CHECK(model_case_read(ctx, "tests/model/lightgbm-4.7.0/categorical/model.txt", &real));
    struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, with_carriage(ctx, real), NULL, &engine), AX_OK);
    if (engine)
        ax_engine_close(engine);
}

TEST(lightgbm_files_with_other_ends_of_lines_or_older_answer_the_same)
{
    ax_test_with_ctx(check_clothes);
}

static const char empty[] = "tree\nversion=v3\nnum_class=3\nnum_tree_per_iteration=3\n"
                            "max_feature_idx=0\nobjective=multiclass num_class:3\n"
                            "feature_names=a\nfeature_infos=none\ntree_sizes=\n\nend of trees\n";

static void
check_empty(struct ax_ctx *ctx)
{
    static const double row[] = {1};
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, ax_str_of(empty), NULL, &engine), AX_OK);
    REQUIRE(engine);
    struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE};
    struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
    for (size_t k = 0; k < 3; k++)
        CHECK(answer.margin[k] == 0 && fabs(answer.response[k] - 1.0 / 3) < 1e-15);
    CHECK(!ax_engine_signature(engine)->features[0].ranged);
}

TEST(lightgbm_model_without_trees_answers_zero)
{
    ax_test_with_ctx(check_empty);
}

/* ---- refusals ---- */

static const struct {
    const char *find, *with;
    ax_status status;
    const char *part; /* of the sentence */
} refusals[] = {
    {"version=v4\n", "", AX_UNSUPPORTED, "`version` is missing: written before LightGBM 2.1"},
    {"version=v4", "version=v5", AX_UNSUPPORTED, "`version` is `v5`; v2, v3 and v4 are read"},
    {"version=v4", "version=v4\nversion=v3", AX_INVALID, "`version` stands there twice"},
    {"num_class=1\n", "", AX_INVALID, "`num_class` is missing"},
    {"num_class=1", "num_class=one", AX_INVALID, "`num_class` is `one`; expected a whole number"},
    {"num_class=1", "num_class=0", AX_INVALID, "`num_class` is 0; expected 1 to 10000"},
    {"iteration=1", "iteration=10001", AX_INVALID, "`num_tree_per_iteration` is 10001"},
    {"iteration=1", "iteration=3", AX_INVALID, "`objective` binary has one output"},
    {"max_feature_idx=2\n", "", AX_INVALID, "`max_feature_idx` is missing"},
    {"max_feature_idx=2", "max_feature_idx=-1", AX_INVALID, "`max_feature_idx` is -1"},
    {"max_feature_idx=2", "max_feature_idx=1000000", AX_INVALID, "expected 0 to 999999"},
    {"max_feature_idx=2", "max_feature_idx=3", AX_INVALID,
     "`feature_names` has 3 names for 4 features"},
    {"max_feature_idx=2", "max_feature_idx=1", AX_INVALID, "`feature_names` has more than 2"},
    {"=age income", "=age age", AX_INVALID, "`feature_names` holds `age` twice"},
    {"feature_names=age income region\n", "", AX_INVALID, "`feature_names` is missing"},
    {"[0:5000] 2", "2", AX_INVALID, "`feature_infos` has 2 items for 3 features"},
    {"[0:5000] 2", "[0:5000 2", AX_INVALID, "`feature_infos`[1] is `[0:5000`"},
    {"[0:5000] 2", "[0:5:7] 2", AX_INVALID, "`feature_infos`[1] is `[0:5:7]`"},
    {"[0:5000] 2", "[nan:5] 2", AX_INVALID, "`feature_infos`[1] is `[nan:5]`"},
    {"[0:5000] 2", "[] 2", AX_INVALID, "`feature_infos`[1] is `[]`"},
    {"feature_infos=", "tree_sizes=1 2 3\nfeature_infos=", AX_INVALID,
     "`tree_sizes` has 3 numbers; expected 4"},
    {"feature_infos=", "tree_sizes=1 2 3 4\nfeature_infos=", AX_INVALID,
     "`tree_sizes`[0] is 1; the tree has 295 bytes"},
    {"Tree=2", "Tree=3", AX_INVALID, "`Tree=3` where `Tree=2`"},
    {"end of parameters\n", "", AX_INVALID, "the file ends in its parameters"},
    {"[[\"north\", 7, true]]", "[[\"north\", 7, true]", AX_INVALID, "`pandas_categorical`: "},
    {"[[\"north\", 7, true]]", "[[null]]", AX_INVALID,
     "`pandas_categorical`[0]: [0] must be a text, a number or a bool"},
    {"[[\"north\", 7, true]]", "[5]", AX_INVALID, "`pandas_categorical`[0]: must be an array"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, small_path, &small));
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++) {
        model_case_refuse(ctx, small, refusals[i].find, refusals[i].with, refusals[i].status,
                          refusals[i].part);
        CHECK(ax_str_starts(ax_str_of(ctx->error), AX_STR("LightGBM model: ")));
    }
}

TEST(lightgbm_files_that_break_a_rule_are_refused_with_the_place)
{
    ax_test_with_ctx(check_refusals);
}

/* All the trees are there from `end of trees` on; the rest says where words go and may be cut. */
static void
check_prefixes(struct ax_ctx *ctx)
{
    ax_str small, real;
    CHECK(model_case_read(ctx, small_path, &small));
    size_t whole = ax_str_find(small, AX_STR("end of trees")) + strlen("end of trees");
    golden_case_check_prefixes(ctx, small, 1, whole);
    CHECK(model_case_read(ctx, "tests/model/lightgbm-3.0.0/zero/model.txt", &real));
    whole = ax_str_find(real, AX_STR("end of trees")) + strlen("end of trees");
    golden_case_check_prefixes(ctx, real, 37, whole);
}

TEST(lightgbm_files_cut_at_any_byte_are_refused)
{
    ax_test_with_ctx(check_prefixes);
}

static ax_status
open_swept(struct ax_ctx *ctx)
{
    ax_str small;
    struct ax_engine *engine = NULL;
    if (!model_case_read(ctx, small_path, &small))
        return ax_fail(ctx, AX_LIMIT, "no memory for the file");
    AX_TRY(ax_engine_open(ctx, small, NULL, &engine));
    ax_engine_close(engine);
    return AX_OK;
}

TEST(lightgbm_reader_survives_faults)
{
    FAULT_SWEEP(open_swept);
}

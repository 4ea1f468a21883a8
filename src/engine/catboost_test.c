#include "engine/catboost.h"

#include <math.h>

#include "engine/engine.h"
#include "golden_case.h"
#include "harness.h"

#define OBLIVIOUS "tests/model/small/catboost.json"
#define NESTED    "tests/model/small/catboost_nested.json"

static const struct golden_rule rule = {
    .files = {"model.json"},
    .margin = 1e-12,
    .response_ulps = -1,
    .response = 1e-12,
    .contributions = 1e-6,
    .if_additive = true, /* CatBoost's own, of trees that are not oblivious, often do not */
    .response_last = true,
};

TEST(catboost_golden_cases_with_the_sources_are_equal_to_twelve_digits)
{
    CHECK(golden_case_check("tests/model/catboost-1.2.10", &rule) > 0);
}

TEST(catboost_1_2_golden_cases_are_equal_to_twelve_digits)
{
    golden_case_check_shared("../shared/models/catboost-1.2.10", &rule, 6);
}

/* ---- signature ---- */

static void
check_signature(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, OBLIVIOUS);
    REQUIRE(engine);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK_STR(signature->format, "catboost-json");
    CHECK_STR(signature->version, "1.2.10");
    CHECK_STR(signature->booster, "oblivious");
    CHECK_STR(signature->objective, "Logloss");
    CHECK(signature->named && signature->input == AX_ENGINE_F32);
    CHECK_EQ(signature->output, AX_ENGINE_F64);
    CHECK_EQ(signature->tree_count, 3);
    CHECK_EQ(signature->margin_count, 1);
    CHECK_EQ(signature->response_count, 1);
    REQUIRE(signature->feature_count == 3);
    const struct ax_engine_feature *features = signature->features;
    CHECK_STR(features[0].name, "age");
    CHECK_STR(features[1].name, "region");
    CHECK_STR(features[2].name, "income");
    CHECK(features[1].categorical && !features[0].categorical && !features[0].categories);
    double code = 0;
    CHECK(ax_engine_category_find(&features[1], AX_STR("red"), &code) && code == 2);
    CHECK(ax_engine_category_find(&features[1], AX_STR("3"), &code) && code == 0);
    CHECK(!ax_engine_category_find(&features[1], AX_STR("green"), &code));
}

TEST(catboost_signature_has_names_and_words)
{
    ax_test_with_ctx(check_signature);
}

static void
check_old(struct ax_ctx *ctx)
{
    ax_str text;
    CHECK(model_case_read(ctx, NESTED, &text)); /* its `params` is a text */
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, text, NULL, &engine), AX_OK);
    CHECK_STR(ax_engine_signature(engine)->objective, "MultiClass");
    CHECK_STR(ax_engine_signature(engine)->version, "unknown");
    CHECK_EQ(ax_engine_signature(engine)->response_count, 2);
    ax_auto(ax_engine_close) struct ax_engine *other = NULL;
    text = model_case_replace(ctx, text, "MultiClass", "MyLoss");
    text = model_case_replace(ctx, text, "\"feature_id\":\"region\",", "");
    CHECK_EQ(ax_engine_open(ctx, text, NULL, &other), AX_OK);
    const struct ax_engine_signature *signature = ax_engine_signature(other);
    CHECK_STR(signature->features[1].name, "f1");
    REQUIRE(signature->note_count > 0);
    CHECK(ax_str_starts(signature->notes[0], AX_STR("the loss is not CatBoost's")));
    ax_auto(ax_engine_close) struct ax_engine *scalar = NULL;
    CHECK(model_case_read(ctx, OBLIVIOUS, &text));
    text = model_case_replace(ctx, text, "[0.5,[0.25]]", "[0.5,0.25]");
    CHECK_EQ(ax_engine_open(ctx, text, NULL, &scalar), AX_OK);
}

TEST(catboost_files_of_other_versions_are_read)
{
    ax_test_with_ctx(check_old);
}

/* ---- losses ---- */

static const struct {
    const char *loss;
    size_t count;
    double margin[2], want[2];
} responses[] = {
    {"RMSE", 1, {-3}, {-3}},
    {"Logloss", 1, {0}, {0.5}},
    {"CrossEntropy", 1, {800}, {1}},
    {"MultiLogloss", 2, {0, -800}, {0.5, 0}},
    {"MultiClassOneVsAll", 2, {0, 0}, {0.5, 0.5}},
    {"MultiClass", 2, {4, 4}, {0.5, 0.5}},
    {"MultiClass", 2, {900, 0}, {1, 0}},
    {"Poisson", 1, {0}, {1}},
    {"Tweedie", 1, {0}, {1}},
    {"RMSEWithUncertainty", 2, {5, 0}, {5, 1}},
    {"MultiRMSE", 2, {5, 6}, {5, 6}},
};

TEST(catboost_losses_answer_as_the_library)
{
    for (size_t i = 0; i < AX_COUNT_OF(responses); i++) {
        bool known = false;
        double got[2] = {};
        int transform = (int)ax_catboost_transform_find(ax_str_of(responses[i].loss), &known);
        ax_catboost_respond(transform, responses[i].margin, responses[i].count, got);
        CHECK(known);
        if (memcmp(got, responses[i].want, sizeof got) != 0)
            ax_test_failed(__FILE__, __LINE__, "%s: %g and %g", responses[i].loss, got[0], got[1]);
    }
    bool known = true;
    CHECK_EQ(ax_catboost_transform_find(AX_STR("MyLoss"), &known), AX_CATBOOST_IDENTITY);
    CHECK(!known);
}

/* ---- refusals ---- */

static const struct {
    const char *find, *with;
    ax_status status;
    const char *part; /* of the sentence */
} refusals[] = {
    {"[0.5,[0.25]]", "[0.5]", AX_INVALID, "`scale_and_bias` has 1 items; expected 2"},
    {"[0.5,[0.25]]", "[0.5,[]]", AX_INVALID, "`scale_and_bias` has 0 biases"},
    {"[0.5,[0.25]]", "[0.5,[NaN]]", AX_INVALID, "`scale_and_bias` must hold finite numbers"},
    {"[0.5,[0.25]]", "[\"x\",[0]]", AX_INVALID, "`scale_and_bias` must hold finite numbers"},
    {"[0.5,[0.25]]", "[0.5,[0,0]]", AX_INVALID, "tree 0: `leaf_values` has 4 items; expected 8"},
    {",\n\"scale_and_bias\":[0.5,[0.25]]", "", AX_INVALID, "`scale_and_bias` is missing"},
    {"\"float_features\":[", "\"text_features\":[{}],\"float_features\":[", AX_UNSUPPORTED,
     "it has text features, which are not read"},
    {"\"float_features\":[", "\"ctrs\":[{}],\"float_features\":[", AX_UNSUPPORTED,
     "target statistics of categories (CTRs), which are not read"},
    {"\"cat_features_hash\"", "\"lost\"", AX_UNSUPPORTED,
     "categories without their words (`cat_features_hash`); save it with"},
    {"\"feature_index\":1", "\"feature_index\":0", AX_INVALID,
     "`float_features`[1]: `feature_index` 0 or `flat_feature_index` 2 stands there twice"},
    {"\"flat_feature_index\":2", "\"flat_feature_index\":1", AX_INVALID, "stands there twice"},
    {"\"flat_feature_index\":2", "\"flat_feature_index\":1000000", AX_INVALID,
     "`float_features`[1] must have `feature_index` and `flat_feature_index` of 0 to 999999"},
    {"\"flat_feature_index\":2", "\"flat_feature_index\":-1", AX_INVALID, "`float_features`[1]"},
    {"\"feature_id\":\"income\"", "\"feature_id\":\"age\"", AX_INVALID,
     "`float_features`[1]: `feature_id` `age` stands there twice"},
    {"\"AsTrue\"", "\"AsMaybe\"", AX_INVALID, "`nan_value_treatment` is `AsMaybe`"},
    {"\"hash\":3431880003", "\"hash\":-1", AX_INVALID, "`cat_features_hash`[1] must have"},
    {"\"value\":\"blue\"", "\"value\":7", AX_INVALID, "`cat_features_hash`[1] must have"},
    {"\"oblivious_trees\":[", "\"oblivious_trees\":7,\"x\":[", AX_INVALID, "`oblivious_trees`"},
    {"{\"params\":{},\"type\":\"Logloss\"}}", "1},\"params\":2", AX_INVALID, "twice"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, OBLIVIOUS, &small));
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++)
        model_case_refuse(ctx, small, refusals[i].find, refusals[i].with, refusals[i].status,
                          refusals[i].part);
}

TEST(catboost_files_that_break_a_rule_are_refused_with_the_place)
{
    ax_test_with_ctx(check_refusals);
}

static void
check_prefixes(struct ax_ctx *ctx)
{
    ax_str small;
    CHECK(model_case_read(ctx, OBLIVIOUS, &small));
    golden_case_check_prefixes(ctx, small, 1, ax_str_trim(small).len);
}

TEST(catboost_files_cut_at_any_byte_are_refused)
{
    ax_test_with_ctx(check_prefixes);
}

static ax_status
open_path(struct ax_ctx *ctx, const char *path)
{
    ax_str small;
    struct ax_engine *engine = NULL;
    if (!model_case_read(ctx, path, &small))
        return ax_fail(ctx, AX_LIMIT, "no memory for the file");
    AX_TRY(ax_engine_open(ctx, small, NULL, &engine));
    ax_engine_close(engine);
    return AX_OK;
}

static ax_status
open_swept(struct ax_ctx *ctx)
{
    AX_TRY(open_path(ctx, OBLIVIOUS));
    return open_path(ctx, NESTED);
}

TEST(catboost_reader_survives_faults)
{
    FAULT_SWEEP(open_swept);
}

#include "serving/model_loader.h"

#include <math.h>

#include "harness.h"
#include "sys/file.h"

static const char signature_text[] =
    "{\"features\":["
    "{\"name\":\"age\",\"type\":\"number\",\"missing\":\"accept\"},"
    "{\"name\":\"income\",\"type\":\"number\",\"missing\":\"accept\"},"
    "{\"name\":\"job\",\"type\":\"category\",\"missing\":\"accept\",\"unknown\":\"refuse\","
    "\"categories\":[\"clerk\",\"cook\",\"driver\",\"nurse\"]}],\"response\":\"probability\"}";

static const char good_reference[] = "age,income,job\n30,1000,0\n50,2000,1\n,,\n";

/* What a bundle is made of here; NULL for the usual. */
struct making {
    const char *model_file, *signature, *reference, *self_test;
};

static ax_status
make(struct ax_ctx *ctx, const struct making *making, struct ax_bundle *out)
{
    ax_str model, path = ax_str_of(making->model_file ? making->model_file
                                                      : "tests/model/small/xgboost.json");
    struct ax_signature *signature;
    const struct ax_json *json;
    AX_TRY(ax_file_read_all(ctx, path, 1 << 20, &model));
    AX_TRY(ax_json_parse(ctx, ax_str_of(making->signature ? making->signature : signature_text),
                         NULL, &json));
    AX_TRY(ax_signature_parse(ctx, json, &signature));
    const struct ax_bundle_parts parts = {
        .files = {model, ax_str_of(making->reference ? making->reference : ""),
                  ax_str_of(making->self_test ? making->self_test : "")},
        .format = AX_STR("xgboost-json"),
        .library = AX_STR("xgboost"),
        .signature = signature,
        .reference_method = AX_STR("all"),
    };
    return ax_bundle_make(ctx, &parts, out);
}

static ax_status
load(struct ax_ctx *ctx, const struct making *making, struct ax_loaded_model **out)
{
    struct ax_bundle bundle;
    AX_TRY(make(ctx, making, &bundle));
    return ax_model_load(ctx, AX_STR("credit"), 3, true, &bundle, out);
}

/* Rows as CSV with the margin and response that the model gives them here. */
static ax_str
self_test_of(struct ax_ctx *ctx)
{
    static const double rows[][3] = {{25, 500, 0}, {40, 2000, 1}, {(double)NAN, 1000, 3}};
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    ax_str out = AX_STR("");
    CHECK_EQ(load(ctx, &(struct making){}, &model), AX_OK);
    if (!model)
        return out;
    ax_writer_text(&text, "age,income,job,margin,response\n");
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        double margin = 0, response = 0;
        const struct ax_engine_call call = {
            .rows = {.at = rows[i], .count = 1, .type = AX_ENGINE_F64},
            .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE};
        const struct ax_engine_answer answer = {.margin = &margin, .response = &response};
        void *scratch = ax_arena_alloc(ctx->arena, 1, model->scratch_bytes + 1);
        CHECK_EQ(ax_engine_score(model->engine, ctx, &call, scratch, &answer), AX_OK);
        if (isnan(rows[i][0]))
            ax_writer_print(&text, ",%.17g,%.17g,%.17g,%.17g\n", rows[i][1], rows[i][2], margin,
                            response);
        else
            ax_writer_print(&text, "%.17g,%.17g,%.17g,%.17g,%.17g\n", rows[i][0], rows[i][1],
                            rows[i][2], margin, response);
    }
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &out), AX_OK);
    return out;
}

/* ---- a sound version ---- */

static void
loaded(struct ax_ctx *ctx)
{
    struct ax_bundle bundle = {};
    ax_auto(ax_model_unref) struct ax_loaded_model *bare = NULL;
    ax_auto(ax_model_unref) struct ax_loaded_model *whole = NULL;
    const struct making making = {.reference = good_reference,
                                  .self_test = ax_str_c(ctx->arena, self_test_of(ctx))};
    CHECK_EQ(load(ctx, &(struct making){}, &bare), AX_OK);
    CHECK_EQ(make(ctx, &making, &bundle), AX_OK);
    CHECK_EQ(ax_model_load(ctx, AX_STR("credit"), 3, true, &bundle, &whole), AX_OK);
    REQUIRE(bare != NULL && whole != NULL);
    CHECK(bare->background == NULL && whole->background != NULL);
    CHECK_STR(whole->model, "credit");
    CHECK(whole->version == 3 && whole->governed);
    CHECK(ax_digest_eq(whole->digest, bundle.digest));
    CHECK(ax_digest_eq(whole->reference_digest, bundle.digests[AX_BUNDLE_REFERENCE]));
    CHECK_EQ(strlen(whole->digest_hex), 64);
    CHECK(ax_str_eq(whole->manifest, bundle.manifest) && whole->manifest.at != bundle.manifest.at);
    CHECK(ax_digest_eq(whole->signature_digest, bare->signature_digest));
    CHECK(ax_model_memory_bytes(whole) > ax_model_memory_bytes(bare));
    CHECK_EQ(ax_model_mapped_bytes(whole), 0); /* no folder of forms was named */
    CHECK(whole->scratch_bytes >= bare->scratch_bytes && bare->scratch_bytes > 0);
}

TEST(r107_a_version_is_loaded_with_its_digests_and_counted)
{
    ax_test_with_ctx(loaded);
}

static void
explained_soon(struct ax_ctx *ctx)
{
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    CHECK_EQ(load(ctx, &(struct making){.reference = good_reference}, &model), AX_OK);
    REQUIRE(model != NULL);
    bool trees = ax_engine_signature(model->engine)->tree_count > 0;
    struct ax_engine_call call = {.rows = {.count = 1}, .outputs = AX_ENGINE_CONTRIBUTIONS};
    size_t bytes = ax_model_memory_bytes(model);
    CHECK_EQ(ax_engine_prepared(model->engine, &call), !trees);
    CHECK_EQ(ax_model_explain_soon(ctx, model, true), AX_OK); /* the population is there already */
    CHECK_EQ(ax_model_memory_bytes(model), bytes);
    CHECK_EQ(ax_model_explain_soon(ctx, model, false), AX_OK);
    CHECK(ax_engine_prepared(model->engine, &call));
    CHECK_EQ(ax_model_memory_bytes(model) > bytes, trees);
}

TEST(a_model_whose_reasons_are_needed_is_made_ready_for_them)
{
    ax_test_with_ctx(explained_soon);
}

static void
shared(struct ax_ctx *ctx)
{
    struct ax_loaded_model *model = NULL;
    CHECK_EQ(load(ctx, &(struct making){}, &model), AX_OK);
    REQUIRE(model != NULL);
    CHECK(ax_model_ref(model) == model);
    ax_model_unref(model);
    CHECK_STR(model->model, "credit"); /* the second holder's still */
    ax_model_unref(model);
}

TEST(a_loaded_model_lives_as_long_as_somebody_holds_it)
{
    ax_test_with_ctx(shared);
}

/* ---- what is wrong ---- */

#define FEATURE(name) "{\"name\":\"" name "\",\"type\":\"number\",\"missing\":\"accept\"}"

static void
refused(struct ax_ctx *ctx)
{
    static const struct {
        struct making making;
        ax_status want;
        const char *words;
    } cases[] = {
        {{.model_file = "tests/model/small/linear.json"},
         AX_INVALID,
         "load credit/3: the signature has 3 features, the model file 2"},
        {{.model_file = "demo/schema.json"},
         AX_INVALID,
         "load credit/3: a JSON object with neither `learner`"},
        {{.signature = "{\"features\":[" FEATURE("age") "," FEATURE("income") "]}"},
         AX_INVALID,
         "load credit/3: the signature has 2 features, the model file 3"},
        {{.signature =
              "{\"features\":[" FEATURE("age") "," FEATURE("wage") "," FEATURE("job") "]}"},
         AX_INVALID,
         "load credit/3: feature 1 is `wage` here and `income` in the file"},
        {{.reference = "age,income\n1,2\n"},
         AX_INVALID,
         "load credit/3: reference population: header has 2 columns, not 3"},
        {{.reference = "age,job,income\n1,2,3\n"},
         AX_INVALID,
         "load credit/3: reference population: column 2 is `job`, not `income`"},
        {{.reference = "age,income,job\n1,2,3\n1,much,3\n"},
         AX_INVALID,
         "load credit/3: reference population: row 3, column 2: \"much\" is not a number"},
        {{.self_test = "age,income,job\n1,2,3\n"},
         AX_INVALID,
         "load credit/3: self-test: header has 3 columns, not 5"},
        {{.self_test = "age,income,job,margin,response\n25,500,0,-1.7,0.15\n"},
         AX_CORRUPT,
         "load credit/3: self-test: row 1 scores margin -1.72"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_loaded_model *model = NULL;
        ax_status status = load(ctx, &cases[i].making, &model);
        if (status != cases[i].want || strstr(ctx->error, cases[i].words) != ctx->error)
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s, %s", i, ax_status_name(status),
                           ctx->error);
        CHECK(model == NULL);
    }
}

TEST(a_bundle_whose_parts_do_not_fit_says_which_and_is_not_loaded)
{
    ax_test_with_ctx(refused);
}

/* One bit in the last place of a stored score is enough. */
static void
bits(struct ax_ctx *ctx)
{
    ax_str good = self_test_of(ctx);
    size_t flipped = 0;
    for (size_t at = ax_str_find(good, AX_STR("\n")) + 1; at < good.len; at++) {
        struct ax_loaded_model *model = NULL;
        char *bent = ax_arena_alloc(ctx->arena, 1, good.len + 1);
        if (good.at[at] < '0' || good.at[at] > '9')
            continue;
        REQUIRE(bent != NULL);
        memcpy(bent, good.at, good.len);
        bent[at] = (char)('0' + (good.at[at] - '0' + 1) % 10);
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx inside = ax_ctx_of(arena);
        ax_status status = load(&inside, &(struct making){.self_test = bent}, &model);
        CHECK(status == AX_OK || status == AX_CORRUPT || status == AX_INVALID);
        flipped += status == AX_CORRUPT;
        if (model)
            ax_model_unref(model);
    }
    CHECK(flipped > 60); /* a feature may move and leave the score; a score may not */
}

TEST(a_stored_score_that_differs_in_one_digit_keeps_the_version_out)
{
    ax_test_with_ctx(bits);
}

static const char *swept_self_test;

static ax_status
load_swept(struct ax_ctx *ctx)
{
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    return load(ctx, &(struct making){.reference = good_reference, .self_test = swept_self_test},
                &model);
}

static void
sweep(struct ax_ctx *ctx)
{
    swept_self_test = ax_str_c(ctx->arena, self_test_of(ctx));
    FAULT_SWEEP(load_swept);
}

TEST(a_version_is_loaded_whole_or_not_under_every_fault)
{
    ax_test_with_ctx(sweep);
}

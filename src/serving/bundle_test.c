#include "serving/bundle.h"

#include "harness.h"
#include "serving/model_loader.h"
#include "sys/file.h"

/* Through the container and back, then loaded with its self-test and its reference population. */
struct made {
    struct ax_bundle bundle;
    ax_str container;
};

static ax_status
make(struct ax_ctx *ctx, ax_str self_test, struct made *out)
{
    ax_str model;
    struct ax_bundle bare;
    struct ax_signature *signature;
    const struct ax_json *json;
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.json"), 1 << 20, &model));
    AX_TRY(ax_bundle_of_model(ctx, model, &bare));
    AX_TRY(ax_json_need_object(ctx, bare.json, "signature", &json));
    AX_TRY(ax_signature_parse(ctx, json, &signature));
    ax_writer_auto struct ax_writer reference = ax_writer_of(1 << 16);
    for (size_t i = 0; i < signature->feature_count; i++)
        ax_writer_print(&reference, "%s%.*s", i ? "," : "", AX_FMT(signature->names[i]));
    ax_writer_char(&reference, '\n');
    for (size_t i = 0; i < signature->feature_count; i++)
        ax_writer_text(&reference, i ? ",1" : "1");
    ax_writer_char(&reference, '\n');
    struct ax_bundle_parts parts = {
        .files = {model, ax_writer_str(&reference), self_test},
        .format = bare.format,
        .library = AX_STR("xgboost"),
        .signature = signature,
        .reference_method = AX_STR("all"),
        .metrics = AX_STR("{\"auc\":0.75}"),
    };
    struct ax_bundle made;
    if (reference.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_bundle_make(ctx, &parts, &made));
    AX_TRY(ax_bundle_write(ctx, &made, &out->container));
    return ax_bundle_read(ctx, out->container, &out->bundle);
}

static ax_status
travel(struct ax_ctx *ctx)
{
    struct made made = {};
    struct ax_bundle again;
    AX_TRY(make(ctx, (ax_str){}, &made));
    CHECK(ax_bundle_is_container(made.container));
    AX_TRY(ax_bundle_read_manifest(ctx, made.bundle.manifest, &again));
    CHECK(ax_digest_eq(again.digest, made.bundle.digest));
    CHECK(!made.bundle.present[AX_BUNDLE_SELF_TEST]);
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    AX_TRY(ax_model_load(ctx, AX_STR("credit"), 1, true, &made.bundle, &model));
    CHECK(model->background != NULL);
    CHECK(ax_model_memory_bytes(model) > 0 && model->scratch_bytes > 0);
    struct ax_loaded_model *second = ax_model_ref(model);
    ax_model_unref(second);
    return AX_OK;
}

TEST(a_bundle_travels_loads_and_survives_every_fault)
{
    FAULT_SWEEP(travel);
}

static void
bent(struct ax_ctx *ctx)
{
    struct made made = {};
    struct ax_bundle read;
    CHECK_EQ(make(ctx, (ax_str){}, &made), AX_OK);
    char *copy = ax_arena_alloc(ctx->arena, 1, made.container.len);
    size_t refused = 0, tried = 0;
    for (size_t at = 0; at < made.container.len; at += 37, tried++) {
        memcpy(copy, made.container.at, made.container.len);
        copy[at] ^= 1;
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx inside = ax_ctx_of(arena);
        ax_status status = ax_bundle_read(&inside, (ax_str){copy, made.container.len}, &read);
        bool same = status == AX_OK && ax_digest_eq(read.digest, made.bundle.digest);
        CHECK(!same); /* another manifest is another version; another file is refused */
        refused += status != AX_OK;
    }
    CHECK(refused * 2 > tried);
}

TEST(a_flipped_byte_never_passes_for_the_same_version)
{
    ax_test_with_ctx(bent);
}

static void
lies(struct ax_ctx *ctx)
{
    struct made made = {};
    ax_writer_auto struct ax_writer csv = ax_writer_of(1 << 16);
    struct ax_signature *signature = NULL;
    const struct ax_json *json = NULL;
    CHECK_EQ(make(ctx, (ax_str){}, &made), AX_OK);
    CHECK_EQ(ax_json_need_object(ctx, made.bundle.json, "signature", &json), AX_OK);
    CHECK_EQ(ax_signature_parse(ctx, json, &signature), AX_OK);
    for (size_t i = 0; i < signature->feature_count; i++)
        ax_writer_print(&csv, "%.*s,", AX_FMT(signature->names[i]));
    ax_writer_text(&csv, "margin,response\n");
    for (size_t i = 0; i < signature->feature_count; i++)
        ax_writer_text(&csv, "1,");
    ax_writer_text(&csv, "123.5,0.5\n");
    CHECK_EQ(make(ctx, ax_writer_str(&csv), &made), AX_OK);
    struct ax_loaded_model *model = NULL;
    CHECK_EQ(ax_model_load(ctx, AX_STR("credit"), 1, true, &made.bundle, &model), AX_CORRUPT);
    CHECK(strstr(ctx->error, "load credit/1: self-test: row 1 scores margin") == ctx->error);
}

TEST(a_self_test_that_does_not_reproduce_keeps_the_model_out)
{
    ax_test_with_ctx(lies);
}

#include "serving/plan.h"

#include "harness.h"
#include "sys/file.h"

static const ax_str folder = {"build-test-plan", 15};

/* Keeps the small model's bundle under the folder; its digest in hex and its features by name. */
struct kept {
    ax_str digest;
    ax_str features; /* as a JSON array */
    struct ax_bundle bundle;
};

static ax_status
keep(struct ax_ctx *ctx, struct kept *out)
{
    ax_str model;
    struct ax_bundle bundle;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    const struct ax_json *signature;
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.json"), 1 << 20, &model));
    AX_TRY(ax_bundle_of_model(ctx, model, &bundle));
    AX_TRY(ax_plan_keep_bundle(ctx, folder, &bundle));
    AX_TRY(ax_json_need_object(ctx, bundle.json, "signature", &signature));
    ax_writer_auto struct ax_writer names = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&names);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(signature, "features"));
    ax_json_begin_array(&json);
    while (ax_json_next(&it)) {
        ax_str name = {};
        AX_TRY(ax_json_need_text(ctx, it.value, "name", &name));
        ax_json_put_text(&json, name);
    }
    ax_json_end_array(&json);
    if (ax_writer_take(&names, ctx->arena, &out->features) != AX_OK ||
        !ax_str_copy(ctx->arena, ax_digest_hex(bundle.digest, hex), &out->digest))
        return ax_fail(ctx, AX_LIMIT, "no memory");
    out->bundle = bundle;
    return AX_OK;
}

/* plan.json with one deployment; `from` in it is replaced by `to`. */
static ax_status
write_plan(struct ax_ctx *ctx, const struct kept *kept, const char *from, const char *to)
{
    ax_str text = ax_str_printf(
        ctx->arena,
        "{\"axiom_plan\":1,\"revision\":7,"
        "\"versions\":[{\"model\":\"credit\",\"version\":1,\"digest\":\"%.*s\","
        "\"state\":\"approved\"}],"
        "\"policies\":[{\"name\":\"p\",\"version\":1,\"approve_below\":0.3,\"decline_from\":0.6,"
        "\"reason_map\":\"r\"}],"
        "\"reason_maps\":[{\"name\":\"r\",\"version\":1,\"reasons\":[{\"code\":\"R1\","
        "\"text\":\"Something\",\"features\":%.*s}]}],"
        "\"deployments\":[{\"name\":\"loans\",\"revision\":3,\"tier\":2,"
        "\"champion\":{\"model\":\"credit\",\"version\":1},"
        "\"challengers\":[{\"model\":\"credit\",\"version\":1}],"
        "\"policy\":{\"name\":\"p\",\"version\":1},\"record\":\"queued\"}]}",
        AX_FMT(kept->digest), AX_FMT(kept->features));
    if (!text.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    size_t at = from ? ax_str_find(text, ax_str_of(from)) : SIZE_MAX;
    if (from) {
        CHECK(at != SIZE_MAX);
        ax_str rest = ax_str_from(text, at + strlen(from));
        text = ax_str_printf(ctx->arena, "%.*s%s%.*s", (int)at, text.at, to, AX_FMT(rest));
    }
    return ax_file_write_atomic(ctx, AX_STR("build-test-plan/plan.json"), text);
}

static ax_status
load(struct ax_ctx *ctx)
{
    struct kept kept;
    AX_TRY(keep(ctx, &kept));
    AX_TRY(write_plan(ctx, &kept, NULL, NULL));
    ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
    ax_auto(ax_plan_free) struct ax_plan *next = NULL;
    AX_TRY(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan));
    CHECK_EQ(plan->revision, 7);
    const struct ax_plan_deployment *loans = ax_plan_deployment(plan, AX_STR("loans"));
    CHECK(loans != NULL && loans->champion.breaker != NULL && loans->challenger_count == 1);
    CHECK_EQ(loans->record, AX_RECORD_QUEUED);
    CHECK(ax_plan_deployment(plan, AX_STR("other")) == NULL);
    CHECK(ax_plan_model(plan, AX_STR("credit"), 0) == loans->champion.model);
    CHECK(ax_plan_model(plan, AX_STR("credit"), 2) == NULL);
    AX_TRY(ax_plan_load(ctx, &(struct ax_plan_source){folder, plan}, &next));
    CHECK(next->models[0] == plan->models[0]); /* taken over, not loaded again */
    CHECK(next->deployments[0].champion.breaker == loans->champion.breaker);
    return AX_OK;
}

TEST(a_plan_loads_takes_over_what_it_knows_and_survives_every_fault)
{
    FAULT_SWEEP(load);
}

static void
broken(struct ax_ctx *ctx)
{
    static const struct {
        const char *from, *to;
        const char *words;
    } cases[] = {
        {"\"axiom_plan\":1", "\"axiom_plan\":2", "plan: form 2; this program reads form 1"},
        {"\"approved\"", "\"registered\"", "plan: credit/1 is registered and may not serve"},
        {"\"champion\":{\"model\":\"credit\",\"version\":1}",
         "\"champion\":{\"model\":\"credit\",\"version\":2}",
         "plan: deployment 0: version credit/2 is not in the plan"},
        {"\"policy\":{\"name\":\"p\",\"version\":1}", "\"policy\":{\"name\":\"p\",\"version\":9}",
         "plan: deployment 0: policy p/9 is not in the plan"},
        {"\"reason_map\":\"r\"", "\"reason_map\":\"s\"",
         "plan: deployment 0: reason map s is not in the plan"},
        {"\"record\":\"queued\"", "\"record\":\"maybe\"",
         "plan: deployment 0: `record` must be durable or queued, not \"maybe\""},
        {"\"record\":\"queued\"", "\"mode\":\"quick\"",
         "plan: deployment 0: `mode` must be exact or fast, not \"quick\""},
    };
    struct kept kept = {};
    ax_ignore(ax_file_remove_tree(ctx, folder), "it may not be there");
    CHECK_EQ(keep(ctx, &kept), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_plan *plan = NULL;
        CHECK_EQ(write_plan(ctx, &kept, cases[i].from, cases[i].to), AX_OK);
        CHECK(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan) != AX_OK);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    ax_ignore(ax_file_remove_tree(ctx, folder), "left as it was found");
}

TEST(r1_r107_a_plan_that_names_what_is_not_approved_is_refused)
{
    ax_test_with_ctx(broken);
}

static void
flipped(struct ax_ctx *ctx)
{
    struct kept kept = {};
    ax_ignore(ax_file_remove_tree(ctx, folder), "it may not be there");
    CHECK_EQ(keep(ctx, &kept), AX_OK);
    CHECK_EQ(write_plan(ctx, &kept, NULL, NULL), AX_OK);
    ax_str path =
        ax_str_printf(ctx->arena, "build-test-plan/bundles/%.*s/model", AX_FMT(kept.digest));
    ax_str model = kept.bundle.files[AX_BUNDLE_MODEL];
    char *bent = ax_arena_alloc(ctx->arena, 1, model.len);
    if (!model.len || !bent || !path.at)
        return; /* said above */
    memcpy(bent, model.at, model.len);
    bent[model.len / 2] ^= 1;
    CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bent, model.len}), AX_OK);
    struct ax_plan *plan = NULL;
    CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan), AX_CORRUPT);
    CHECK(strstr(ctx->error, "has another digest than its manifest says") != NULL);
    ax_ignore(ax_file_remove_tree(ctx, folder), "left as it was found");
}

TEST(a_flipped_byte_in_a_served_model_file_keeps_the_plan_out)
{
    ax_test_with_ctx(flipped);
}

#include "mlops/model_registry.h"

#include "mlops_case.h"

static ax_str
shown(struct ax_ctx *ctx, struct mlops_case *at, const char *model)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_str out = AX_STR("");
    CHECK_EQ(ax_registry_show(at->registry, ctx, ax_str_of(model), &json), AX_OK);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &out), AX_OK);
    return out;
}

static void
models(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *record;
        ax_status want;
    } cases[] = {
        {"{\"name\":\"credit\",\"owner\":\"dana\",\"purpose\":\"x\",\"tier\":1}", AX_OK},
        {"{\"name\":\"credit\",\"owner\":\"dana\",\"purpose\":\"x\"}", AX_CONFLICT},
        {"{\"name\":\"a/b\",\"owner\":\"dana\",\"purpose\":\"x\"}", AX_INVALID},
        {"{\"name\":\"\",\"owner\":\"dana\",\"purpose\":\"x\"}", AX_INVALID},
        {"{\"name\":\"b\",\"owner\":\"\",\"purpose\":\"x\"}", AX_INVALID},
        {"{\"name\":\"b\",\"owner\":\"dana\"}", AX_INVALID},
        {"{\"name\":\"b\",\"owner\":\"dana\",\"purpose\":\"x\",\"tier\":4}", AX_INVALID},
        {"{\"name\":\"b\",\"owner\":\"dana\",\"purpose\":\"x\",\"materiality\":\"huge\"}",
         AX_INVALID},
        {"[]", AX_INVALID},
    };
    mlops_case_as(ctx, at, DANA);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status =
            ax_registry_create(at->registry, ctx, directory_case_json(ctx, cases[i].record));
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", cases[i].record, ax_status_name(status));
    }
    CHECK(ax_str_find(shown(ctx, at, "credit"), AX_STR("\"tier\":1")) != SIZE_MAX);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from models"), 1);
    CHECK_EQ(ax_registry_change(at->registry, ctx, AX_STR("credit"),
                                directory_case_json(ctx, "{\"purpose\":\"another\"}")),
             AX_OK);
    CHECK(ax_str_find(shown(ctx, at, "credit"), AX_STR("another")) != SIZE_MAX);
    CHECK(ax_registry_change(at->registry, ctx, AX_STR("credit"),
                             directory_case_json(ctx, "{\"tier\":3}")) != AX_OK);
    CHECK_EQ(ax_registry_change(at->registry, ctx, AX_STR("none"),
                                directory_case_json(ctx, "{\"purpose\":\"x\"}")),
             AX_NOT_FOUND);
}

TEST(r2_a_model_is_an_inventory_record_that_is_checked)
{
    mlops_case_run(models);
}

static void
versions(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record first = {}, again = {}, read = {};
    struct ax_bundle bundle = {};
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &first), AX_NOT_FOUND);
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(ax_registry_register(at->registry, ctx, AX_STR("credit"), AX_STR("no model"), &first),
             AX_INVALID);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &first), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &again), AX_OK);
    CHECK_EQ(first.version, 1);
    CHECK_EQ(again.version, 1); /* the same digest is the version it already is */
    CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 0, &read), AX_OK);
    CHECK(ax_digest_eq(read.digest, first.digest));
    CHECK_STR(read.developer, "dana");
    CHECK_EQ(read.state, AX_VERSION_REGISTERED);
    CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 2, &read),
             AX_NOT_FOUND);
    CHECK_EQ(ax_registry_bundle(at->registry, ctx, NULL, &first, &bundle), AX_OK);
    CHECK(ax_digest_eq(bundle.digest, first.digest));
}

TEST(r1_a_version_is_its_digest)
{
    mlops_case_run(versions);
}

static ax_status
move(struct ax_ctx *ctx, struct mlops_case *at, enum ax_version_state state)
{
    struct ax_version_record record;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 1, &record));
    AX_TRY(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_registry_move(at->registry, ctx, tx, &record, state, INT64_MAX));
    return ax_store_commit(ax_take(tx), ctx);
}

static void
states(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        enum ax_version_state to;
        ax_status want;
    } walk[] = {
        {AX_VERSION_APPROVED, AX_CONFLICT}, {AX_VERSION_VALIDATED, AX_CONFLICT},
        {AX_VERSION_IN_VALIDATION, AX_OK},  {AX_VERSION_APPROVED, AX_CONFLICT},
        {AX_VERSION_FAILED, AX_OK},         {AX_VERSION_APPROVED, AX_CONFLICT},
        {AX_VERSION_IN_VALIDATION, AX_OK},  {AX_VERSION_VALIDATED, AX_OK},
        {AX_VERSION_APPROVED, AX_OK},       {AX_VERSION_RETIRED, AX_OK},
        {AX_VERSION_APPROVED, AX_CONFLICT},
    };
    struct ax_version_record record;
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &record), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(walk); i++) {
        ax_status status = move(ctx, at, walk[i].to);
        if (status != walk[i].want)
            ax_test_failed(__FILE__, __LINE__, "step %zu to %s: %s (%s)", i,
                           ax_version_state_name(walk[i].to), ax_status_name(status), ctx->error);
    }
    for (int state = 0; state <= AX_VERSION_RETIRED; state++) {
        enum ax_version_state parsed;
        CHECK(ax_version_state_parse(ax_str_of(ax_version_state_name((enum ax_version_state)state)),
                                     &parsed));
        CHECK_EQ(parsed, state);
    }
}

TEST(r3_a_version_moves_only_along_its_states)
{
    mlops_case_run(states);
}

/* ---- faults: a model, a version, a move are there with their fact, or not at all ---- */

static ax_status
create_one(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    char name[32];
    snprintf(name, sizeof name, "m%d", step);
    return mlops_case_create(ctx, at, name);
}

static void
after_create(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    char sql[96];
    snprintf(sql, sizeof sql, "select count(*) from models where name = 'm%d'", step);
    bool there = mlops_case_count(ctx, at, sql) == 1;
    CHECK(there || status != AX_OK); /* an answer can be lost on the way back from a database */
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"),
             mlops_case_count(ctx, at, "select count(*) from models"));
    if (!there)
        CHECK_EQ(create_one(ctx, at, step), AX_OK);
}

static void
sweep_create(struct ax_ctx *ctx, struct mlops_case *at)
{
    directory_case_script(ctx, &at->base, "delete from outbox");
    mlops_case_sweep(at, create_one, after_create);
}

TEST(a_model_is_made_with_its_fact_or_not_at_all)
{
    mlops_case_run(sweep_create);
}

/* Numbers are not given twice, whatever became of their versions. */
static int64_t registered;

static ax_status
register_one(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    struct ax_version_record record;
    (void)step;
    AX_TRY(mlops_case_register(ctx, at, "credit", &record));
    registered = record.version;
    return AX_OK;
}

static void
after_register(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    (void)step;
    struct ax_version_record record = {};
    struct ax_bundle bundle = {};
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from model_versions"), status == AX_OK);
    if (status == AX_OK) {
        CHECK_EQ(
            ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), registered, &record),
            AX_OK);
        CHECK_EQ(ax_registry_bundle(at->registry, ctx, NULL, &record, &bundle), AX_OK);
    }
    directory_case_script(ctx, &at->base, "delete from model_versions");
}

static void
sweep_register(struct ax_ctx *ctx, struct mlops_case *at)
{
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    mlops_case_sweep(at, register_one, after_register);
}

TEST(a_version_is_registered_whole_or_not_at_all)
{
    mlops_case_run(sweep_register);
}

/*
 * What experiment tracking stands on, in a folder of its own: store, registry, experiments and
 * artifacts; without people, ledger or server.
 */
#pragma once

#include "blob/fs.h"
#include "directory_case.h"
#include "mlops/artifacts.h"
#include "mlops/experiment_run.h"
#include "mlops/registered_version.h"
#include "store/sqlite.h"

struct tracking_case {
    struct directory_case base; /* folder and store; no directory */
    struct ax_arena *arena;     /* as long as the case */
    struct ax_ctx ctx;
    struct ax_actor actor;
    ax_str artifact_folder;
    struct ax_blob *blob;
    struct ax_registry *registry;
    struct ax_experiments *experiments;
    struct ax_artifacts *artifacts;
};

static inline void
tracking_case_open(struct tracking_case *at, bool enforce)
{
    struct ax_ctx *ctx = &at->ctx;
    at->artifact_folder = ax_str_printf(at->arena, "%s/artifacts", at->base.folder);
    CHECK_EQ(ax_fs_open(ctx, ax_str_printf(at->arena, "%s/blobs", at->base.folder), &at->blob),
             AX_OK);
    const struct ax_registry_config registry = {.store = at->base.store,
                                                .blob = at->blob,
                                                .enforce = enforce,
                                                .production_aliases = AX_STR("prod champion")};
    CHECK_EQ(ax_registry_open(ctx, &registry, &at->registry), AX_OK);
    const struct ax_experiments_config experiments = {.store = at->base.store,
                                                      .artifact_root = AX_STR("mlflow-artifacts:")};
    CHECK_EQ(ax_experiments_open(ctx, &experiments, &at->experiments), AX_OK);
    struct ax_artifacts_config artifacts = {.store = at->base.store,
                                            .folder = at->artifact_folder,
                                            .default_root = experiments.artifact_root,
                                            .bytes_max = 1 << 20};
    ax_str blobs = ax_path_join(at->arena, at->artifact_folder, AX_STR(AX_ARTIFACTS_BLOBS));
    CHECK_EQ(ax_fs_open(ctx, blobs, &artifacts.blob), AX_OK);
    CHECK_EQ(ax_artifacts_open(ctx, &artifacts, &at->artifacts), AX_OK);
}

static inline void
tracking_case_run_with(void (*body)(struct ax_ctx *ctx, struct tracking_case *at), bool enforce)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct tracking_case at = {.arena = ax_arena_new(16 << 20)};
    at.ctx = ax_ctx_of(at.arena);
    at.actor = (struct ax_actor){.id = AX_STR("dana"), .authenticated_by = AX_STR("token")};
    ctx.actor = &at.actor;
    directory_case_make(&at.ctx, &at.base);
    tracking_case_open(&at, enforce);
    body(&ctx, &at);
    ax_artifacts_close(at.artifacts);
    ax_experiments_close(at.experiments);
    ax_registry_close(at.registry);
    ax_blob_close(at.blob);
    directory_case_done(&at.ctx, &at.base);
    ax_arena_free(at.arena);
}

static inline void
tracking_case_run(void (*body)(struct ax_ctx *ctx, struct tracking_case *at))
{
    tracking_case_run_with(body, false);
}

/*
 * As FAULT_SWEEP over one open case: op(run) with its step-th fault, then after(status), unbroken.
 * run is a number of its own each time, for names.
 */
static inline void
tracking_case_sweep(struct tracking_case *at,
                    ax_status (*op)(struct ax_ctx *ctx, struct tracking_case *at, int run),
                    void (*after)(struct ax_ctx *ctx, struct tracking_case *at, int run,
                                  ax_status status))
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ctx.actor = &at->actor;
        ax_fault_arm(run / 2, run % 2);
        ax_status status = op(&ctx, at, run);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run ends %s: %s", ax_status_name(status),
                           ctx.error);
        directory_case_settle(&at->base);
        after(&ctx, at, run, status);
    }
}

static inline int64_t
tracking_case_count(struct ax_ctx *ctx, struct tracking_case *at, const char *sql)
{
    return directory_case_count(ctx, &at->base, sql);
}

/* ---- a database beside, such as an import reads ---- */

static inline struct ax_store *
tracking_case_beside(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    struct ax_sqlite_config config;
    struct ax_store *store = NULL;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = ax_str_printf(at->arena, "%s/%s", at->base.folder, name);
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_OK);
    return store;
}

static inline void
tracking_case_script(struct ax_ctx *ctx, struct ax_store *store, const char *text)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_script(tx, ctx, ax_str_of(text)), AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
}

/* ---- what is shown, as text ---- */

struct tracking_case_shown {
    struct ax_writer text;
    struct ax_json_writer json;
};

#define TRACKING_CASE_SHOWN(name)                                                                  \
    [[gnu::cleanup(tracking_case_shown_done)]] struct tracking_case_shown name;                    \
    tracking_case_shown_init(&name)

static inline void
tracking_case_shown_init(struct tracking_case_shown *shown)
{
    shown->text = ax_writer_of(16 << 20);
    shown->json = ax_json_writer_of(&shown->text);
}

static inline void
tracking_case_shown_done(struct tracking_case_shown *shown)
{
    ax_writer_free(&shown->text);
}

static inline bool
tracking_case_says(const struct tracking_case_shown *shown, const char *words)
{
    bool found = ax_str_find(ax_writer_str(&shown->text), ax_str_of(words)) != SIZE_MAX;
    if (!found)
        printf("    not in: %.*s\n", AX_FMT(ax_writer_str(&shown->text)));
    return found;
}

static inline bool
tracking_case_fails(const struct ax_ctx *ctx, const char *words)
{
    bool found = ax_str_find(ax_str_of(ctx->error), ax_str_of(words)) != SIZE_MAX;
    if (!found)
        printf("    not in: %s\n", ctx->error);
    return found;
}

/* ---- the steps that most tests begin with ---- */

/* A run of the experiment "0"; its id in ctx->arena. */
static inline ax_str
tracking_case_make_run(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    TRACKING_CASE_SHOWN(shown);
    const struct ax_json *json = NULL;
    ax_str id = AX_STR(""), copy = AX_STR("");
    const struct ax_run_new made = {.experiment_id = AX_STR("0"),
                                    .user_id = AX_STR(""),
                                    .name = ax_str_of(name),
                                    .start_ms = 1000};
    CHECK_EQ(ax_run_create(at->experiments, ctx, &made, &shown.json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    CHECK(ax_json_text(ax_json_find(ax_json_find(json, "info"), "run_id"), &id));
    CHECK(ax_str_copy(ctx->arena, id, &copy));
    return copy;
}

static inline ax_status
tracking_case_log(struct ax_ctx *ctx, struct tracking_case *at, ax_str run, const char *key,
                  struct ax_metric point)
{
    point.key = ax_str_of(key);
    const struct ax_run_batch batch = {.metrics = {&point, 1}};
    return ax_run_log(at->experiments, ctx, run, &batch);
}

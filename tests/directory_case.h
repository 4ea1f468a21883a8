/*
 * A store with the schema in a folder of its own, a directory over it, and a few people: for tests
 * of whatever asks who somebody is.
 */
#pragma once

#include <stdlib.h>

#include "auth/keystore.h"
#include "auth/token.h"
#include "harness.h"
#include "postgres_case.h"
#include "store/migrate.h"
#include "store/postgres.h"
#include "store/sqlite.h"
#include "sys/file.h"

struct directory_case {
    char folder[64];
    char cache[96];
    struct ax_store *store;
    struct ax_directory *directory;
};

/* With AX_TEST_STORE=postgres the same tests run on PostgreSQL, a new database each time. */
static inline ax_status
directory_case_open_store(struct ax_ctx *ctx, struct directory_case *made)
{
    const char *wanted = getenv("AX_TEST_STORE");
    struct ax_sqlite_config config;
    struct ax_postgres_config outside;
    if (wanted && strcmp(wanted, "postgres") == 0 && postgres_case_there()) {
        ax_settings_defaults(&ax_postgres_settings, &outside);
        outside.url = postgres_case_database(ctx);
        outside.busy_ms_max = 200;
        return ax_postgres_open(ctx, &outside, &made->store);
    }
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.reader_count = 1;
    config.busy_ms_max = 200;
    config.path = ax_str_printf(ctx->arena, "%s/store.db", made->folder);
    return config.path.at ? ax_sqlite_open(ctx, &config, &made->store) : AX_LIMIT;
}

/* The store alone. Faults are for what is tested, not for this. */
static inline void
directory_case_make(struct ax_ctx *ctx, struct directory_case *made)
{
    int version;
    snprintf(made->folder, sizeof made->folder, "%s/axiom-auth-XXXXXX",
             ax_file_exists(AX_STR("/dev/shm")) ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(made->folder) != NULL);
    snprintf(made->cache, sizeof made->cache, "%s/directory.json", made->folder);
    CHECK_EQ(directory_case_open_store(ctx, made), AX_OK);
    CHECK_EQ(ax_migrate(made->store, ctx, &version), AX_OK);
}

static inline void
directory_case_done(struct ax_ctx *ctx, struct directory_case *made)
{
    if (made->directory)
        ax_directory_close(made->directory);
    if (made->store)
        ax_store_close(made->store);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(made->folder)), AX_OK);
}

static inline const struct ax_json *
directory_case_json(struct ax_ctx *ctx, const char *text)
{
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(text), NULL, &json), AX_OK);
    return json;
}

static inline int64_t
directory_case_count(struct ax_ctx *ctx, struct directory_case *made, const char *sql)
{
    int64_t count = -1;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(sql), AX_STORE_NO_PARAMS, &count), AX_OK);
    return count;
}

/* How many facts in the outbox hold these bytes: no SQL for that is every database's. */
static inline int64_t
directory_case_count_facts(struct ax_ctx *ctx, struct directory_case *made, const char *word)
{
    int64_t count = 0;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows = NULL;
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select fact from outbox"), AX_STORE_NO_PARAMS, &rows),
             AX_OK);
    while (ax_store_next(rows))
        count += ax_str_find(ax_store_read_blob(rows, 0), ax_str_of(word)) != SIZE_MAX;
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    return count;
}

static inline void
directory_case_script(struct ax_ctx *ctx, struct directory_case *made, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_script(tx, ctx, ax_str_of(sql)), AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
}

/*
 * What a fault broke off may still be on its way to the disk, where the database is another
 * process: once somebody else may write, it is there or it is not.
 */
static inline void
directory_case_settle(struct directory_case *made)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_store_tx *tx = NULL;
    ax_status status = AX_UNAVAILABLE;
    for (int i = 0; i < 100 && status != AX_OK; i++)
        status = ax_store_begin(made->store, &ctx, AX_STORE_WRITE, &tx);
    CHECK_EQ(status, AX_OK);
    if (tx)
        ax_store_rollback(tx);
}

/*
 * As FAULT_SWEEP over every stride-th step, and after each run, when no step fails any more,
 * after(ctx, status of body).
 */
static inline void
directory_case_sweep_every(int stride, ax_status (*body)(struct ax_ctx *ctx),
                           void (*after)(struct ax_ctx *ctx, ax_status status))
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        int step = run / 2 * stride;
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        ax_auto(ax_arena_free) struct ax_arena *second = ax_arena_new(1 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena), after_ctx = ax_ctx_of(second);
        ax_fault_arm(step, run % 2);
        ax_status status = body(&ctx);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", step);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run ends %s: %s", ax_status_name(status),
                           ctx.error);
        after(&after_ctx, status);
    }
}

static inline void
directory_case_sweep(ax_status (*body)(struct ax_ctx *ctx),
                     void (*after)(struct ax_ctx *ctx, ax_status status))
{
    directory_case_sweep_every(1, body, after);
}

/* Makes a user, and gives them roles without asking anybody. */
static inline void
directory_case_user(struct ax_ctx *ctx, struct directory_case *made, const char *request,
                    const char *roles)
{
    ax_str id = AX_STR("");
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    const struct ax_json *parsed = directory_case_json(ctx, request);
    CHECK_EQ(ax_json_need_text(ctx, parsed, "id", &id), AX_OK);
    CHECK_EQ(ax_directory_create_user(made->directory, ctx, parsed, &json), AX_OK);
    if (!roles)
        return;
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_directory_apply_role(tx, ctx, id, directory_case_json(ctx, roles)), AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    CHECK_EQ(ax_directory_reload(made->directory, ctx), AX_OK);
}

/* A token for the user, in ctx->arena; its id too. */
static inline ax_str
directory_case_token(struct ax_ctx *ctx, struct directory_case *made, const char *user,
                     ax_str *out_id)
{
    ax_str token = AX_STR("");
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    CHECK_EQ(ax_token_issue(made->directory, ctx, ax_str_of(user), directory_case_json(ctx, "{}"),
                            &json),
             AX_OK);
    const struct ax_json *parsed = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &parsed), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, parsed, "token", &token), AX_OK);
    if (out_id)
        CHECK_EQ(ax_json_need_text(ctx, parsed, "id", out_id), AX_OK);
    return token;
}

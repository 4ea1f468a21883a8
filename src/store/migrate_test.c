#include "store/migrate.h"

#include <stdlib.h>

#include "harness.h"
#include "store/sqlite.h"
#include "sys/file.h"

static char folder[64];

/* In a fresh folder of its own, that is gone afterwards. */
static void
in_a_folder(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    snprintf(folder, sizeof folder, "%s/axiom-migrate-XXXXXX",
             ax_file_exists(AX_STR("/dev/shm")) ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static struct ax_store *
open_store(struct ax_ctx *ctx, const char *name)
{
    struct ax_sqlite_config config;
    struct ax_store *store = NULL;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.reader_count = 1;
    config.path = ax_str_printf(ctx->arena, "%s/%s", folder, name);
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_OK);
    return store;
}

static int64_t
count(struct ax_ctx *ctx, struct ax_store *store, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t found = -1;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    if (ax_store_get_i64(tx, ctx, ax_str_of(sql), AX_STORE_NO_PARAMS, &found) != AX_OK)
        return -1;
    return found;
}

#define FILE_OF(name, sql)                                                                         \
    {                                                                                              \
        AX_STR(name), AX_STR(sql)                                                                  \
    }

static const struct ax_migrate_file first_two[] = {
    FILE_OF("0002_second.sqlite.sql", "alter table t add column b text; insert into t values (1, "
                                      "'x')"), /* in any order */
    FILE_OF("0001_first.postgres.sql", "this is not for SQLite"),
    FILE_OF("x", "too short to have a number"),
    FILE_OF("note.sqlite.sql", "without a number"),
    FILE_OF("0001_first.sqlite.sql", "create table t (a integer)"),
    FILE_OF("0004_gap.sqlite.sql", "behind a gap"),
};

static void
moves(struct ax_ctx *ctx)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, "store.db");
    int version = -1;
    CHECK_EQ(ax_migrate_with(store, ctx, NULL, 0, &version), AX_OK);
    CHECK_EQ(version, 0);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        CHECK_EQ(ax_migrate_with(store, ctx, first_two, AX_COUNT_OF(first_two), &version), AX_OK);
        CHECK_EQ(version, 2);
        CHECK_EQ(count(ctx, store, "select count(*) from t where b = 'x'"), 1);
        CHECK_EQ(count(ctx, store, "select count(*) from schema_migrations"), 2);
    }
    CHECK_EQ(count(ctx, store,
                   "select count(*) from schema_migrations where version = 2 and name = "
                   "'0002_second.sqlite.sql' and length(digest) = 64 and applied_ns > 0"),
             1);
}

TEST(a_schema_is_brought_forward_once_in_the_order_of_its_numbers)
{
    in_a_folder(moves);
}

static void
refuses(struct ax_ctx *ctx)
{
    static const struct ax_migrate_file changed[] = {
        FILE_OF("0001_first.sqlite.sql", "create table t (a text)"),
        FILE_OF("0002_second.sqlite.sql", "select 1"),
    };
    static const struct ax_migrate_file wrong[] = {
        FILE_OF("0001_first.sqlite.sql", "create table t (a integer)"),
        FILE_OF("0002_second.sqlite.sql", "create table u (a integer); create tabel v (a)"),
    };
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, "store.db");
    ax_auto(ax_store_close) struct ax_store *other = open_store(ctx, "other.db");
    int version = -1;
    CHECK_EQ(ax_migrate_with(store, ctx, first_two, AX_COUNT_OF(first_two), &version), AX_OK);
    CHECK_EQ(ax_migrate_with(store, ctx, &first_two[4], 1, &version), AX_UNSUPPORTED);
    CHECK(strcmp(ctx->error, "the database has schema 2, which this program does not know: it is "
                             "older than the database") == 0);
    CHECK_EQ(ax_migrate_with(store, ctx, changed, 2, &version), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "schema change 1 was applied with another text than "
                             "0001_first.sqlite.sql has here") == 0);
    CHECK(ax_migrate_with(other, ctx, wrong, 2, &version) != AX_OK);
    CHECK(strstr(ctx->error, "schema change 0002_second.sqlite.sql: ") == ctx->error);
    CHECK_EQ(count(ctx, other, "select max(version) from schema_migrations"), 1);
    CHECK_EQ(count(ctx, other, "select count(*) from sqlite_master where name = 'u'"), 0);
}

TEST(an_older_program_another_text_or_a_wrong_change_refuses_in_words)
{
    in_a_folder(refuses);
}

static void
embedded(struct ax_ctx *ctx)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, "store.db");
    int version = 0, again = 0;
    CHECK_EQ(ax_migrate(store, ctx, &version), AX_OK);
    CHECK(version >= 3);
    CHECK_EQ(ax_migrate(store, ctx, &again), AX_OK);
    CHECK_EQ(again, version);
    CHECK_EQ(count(ctx, store, "select count(*) from model_versions"), 0);
    CHECK_EQ(count(ctx, store, "select count(*) from proposals"), 0);
}

TEST(the_schema_travels_in_the_program)
{
    in_a_folder(embedded);
}

/* Each change is there whole or not at all after every fault, and a second try ends it. */
static void
sweep(struct ax_ctx *ctx)
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx broken = ax_ctx_of(arena);
        char name[32];
        snprintf(name, sizeof name, "store-%d.db", run);
        ax_auto(ax_store_close) struct ax_store *store = open_store(&broken, name);
        int version = -1;
        ax_fault_arm(run / 2, run % 2);
        ax_status status =
            ax_migrate_with(store, &broken, first_two, AX_COUNT_OF(first_two), &version);
        fired = ax_fault_disarm();
        CHECK(!fired || status != AX_OK || !ax_fault_must_be_noticed());
        CHECK(fired || status == AX_OK);
        int64_t applied = count(ctx, store, "select count(*) from schema_migrations");
        int64_t tables = count(ctx, store, "select count(*) from sqlite_master where name = 't'");
        CHECK_EQ(tables, applied > 0);
        CHECK(applied < 2 || count(ctx, store, "select count(*) from t") == 1);
        CHECK_EQ(ax_migrate_with(store, &broken, first_two, AX_COUNT_OF(first_two), &version),
                 AX_OK);
        CHECK_EQ(version, 2);
    }
}

TEST(a_schema_change_meets_every_fault_whole_or_not_at_all)
{
    in_a_folder(sweep);
}

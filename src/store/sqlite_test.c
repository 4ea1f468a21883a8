#include "store/sqlite.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "sys/clock.h"
#include "sys/file.h"

static char folder[64];

/* In a fresh folder of its own, that is gone afterwards. */
static void
in_a_folder(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    snprintf(folder, sizeof folder, "%s/axiom-sqlite-XXXXXX",
             ax_file_exists(AX_STR("/dev/shm")) ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static struct ax_sqlite_config
config_of(struct ax_ctx *ctx)
{
    struct ax_sqlite_config config;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = ax_str_printf(ctx->arena, "%s/store.db", folder);
    config.busy_ms_max = 100;
    config.reader_count = 1;
    return config;
}

static struct ax_store *
open_store(struct ax_ctx *ctx)
{
    struct ax_store *store = NULL;
    const struct ax_sqlite_config config = config_of(ctx);
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_OK);
    return store;
}

static ax_status
write_one(struct ax_ctx *ctx, struct ax_store *store, const char *sql, ax_store_params params)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, ax_str_of(sql), params, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
insert(struct ax_ctx *ctx, struct ax_store *store, int64_t a)
{
    return write_one(ctx, store, "insert into t (a) values ($1)", AX_STORE_PARAMS(ax_store_i64(a)));
}

static int64_t
count(struct ax_ctx *ctx, struct ax_store *store, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t found = -1;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(sql), AX_STORE_NO_PARAMS, &found), AX_OK);
    return found;
}

/* ---- opening ---- */

static void
opens(struct ax_ctx *ctx)
{
    static const char garbage[] = "this is no database, but a text of more than sixteen bytes";
    struct ax_sqlite_config config = config_of(ctx);
    struct ax_store *store = NULL;
    config.path = ax_str_printf(ctx->arena, "%s/nowhere/store.db", folder);
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "database: ") == ctx->error && strstr(ctx->error, "nowhere") != NULL);
    config = config_of(ctx);
    CHECK_EQ(ax_file_write_atomic(ctx, config.path, ax_str_of(garbage)), AX_OK);
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_CORRUPT);
    CHECK(strstr(ctx->error, "file is not a database") != NULL);
    CHECK(store == NULL);
    CHECK_EQ(ax_file_remove(ctx, config.path), AX_OK);
    store = open_store(ctx); /* made when absent */
    CHECK(ax_file_exists(config.path));
    ax_store_close(store);
}

TEST(a_database_opens_or_says_which_file_it_is_not)
{
    in_a_folder(opens);
}

static void
durable_modes(struct ax_ctx *ctx)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
    CHECK_EQ(count(ctx, store, "pragma synchronous"), 2); /* full */
    CHECK_EQ(count(ctx, store, "pragma foreign_keys"), 1);
    CHECK_EQ(count(ctx, store, "pragma wal_autocheckpoint"), 0);
    CHECK_EQ(count(ctx, store, "pragma trusted_schema"), 0);
    CHECK_EQ(
        count(ctx, store, "select count(*) from pragma_journal_mode where journal_mode = 'wal'"),
        1);
}

TEST(a_database_syncs_in_full_and_holds_its_foreign_keys)
{
    in_a_folder(durable_modes);
}

/* ---- statements ---- */

static void
wrong(struct ax_ctx *ctx)
{
    static const struct {
        const char *sql;
        int64_t parameter; /* given once when above 0 */
        ax_status want;
        const char *words;
    } cases[] = {
        {"insert into t (a) values (1)", 0, AX_CONFLICT, "UNIQUE constraint failed: t.a"},
        {"insert into u (a) values (9)", 0, AX_CONFLICT, "FOREIGN KEY constraint failed"},
        {"insert into u (a) values (null)", 0, AX_INVALID, "NOT NULL constraint failed: u.a"},
        {"insert into t (a) values ('x')", 0, AX_INVALID, "datatype mismatch"},
        {"select from", 0, AX_INTERNAL, "syntax error"},
        {"select a from nowhere", 0, AX_INTERNAL, "no such table: nowhere"},
        {"", 0, AX_INTERNAL, "an empty statement"},
        {"select $1", 0, AX_INTERNAL, "1 parameters are named, 0 given"},
        {"select 1", 5, AX_INTERNAL, "0 parameters are named, 1 given"},
        {"select $2", 5, AX_INTERNAL, "no parameter $1 in the statement"},
    };
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
    CHECK_EQ(write_one(ctx, store, "create table t (a integer primary key)", AX_STORE_NO_PARAMS),
             AX_OK);
    CHECK_EQ(write_one(ctx, store, "create table u (a integer not null references t (a))",
                       AX_STORE_NO_PARAMS),
             AX_OK);
    CHECK_EQ(insert(ctx, store, 1), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = cases[i].parameter
                               ? write_one(ctx, store, cases[i].sql,
                                           AX_STORE_PARAMS(ax_store_i64(cases[i].parameter)))
                               : write_one(ctx, store, cases[i].sql, AX_STORE_NO_PARAMS);
        if (status != cases[i].want || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].sql, ax_status_name(status),
                           ctx->error);
    }
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_run(tx, ctx, AX_STR("delete from t"), AX_STORE_NO_PARAMS, NULL), AX_DENIED);
    CHECK(strstr(ctx->error, "a write in a transaction that only reads") != NULL);
    ax_store_rollback(ax_take(tx));
    int64_t value;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_get_i64(tx, ctx, AX_STR("select abs(-9223372036854775807 - 1)"),
                              AX_STORE_NO_PARAMS, &value),
             AX_INTERNAL); /* no fault of the disk */
    CHECK(strcmp(ctx->error, "database: read a row: integer overflow") == 0);
}

TEST(a_statement_that_cannot_be_is_told_by_its_code)
{
    in_a_folder(wrong);
}

/* More statements than are kept: the oldest go, and an open one stays. */
static void
statements(struct ax_ctx *ctx)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *open[AX_STORE_ROWS_OPEN_MAX + 1] = {};
    int64_t value = 0;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    for (size_t i = 0; i < AX_STORE_ROWS_OPEN_MAX; i++) {
        CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select 41 union all select 42"),
                                AX_STORE_NO_PARAMS, &open[i]),
                 AX_OK);
        CHECK(ax_store_next(open[i]));
        CHECK_EQ(ax_store_read_i64(open[i], 0), 41);
    }
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select 1"), AX_STORE_NO_PARAMS,
                            &open[AX_STORE_ROWS_OPEN_MAX]),
             AX_LIMIT);
    ax_store_rollback(ax_take(tx)); /* closes them all, and the failure with them */
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select 41 union all select 42"), AX_STORE_NO_PARAMS,
                            &open[0]),
             AX_OK);
    CHECK(ax_store_next(open[0]));
    for (int i = 0; i < 200; i++) {
        ax_str sql = ax_str_printf(ctx->arena, "select %d", i);
        CHECK_EQ(ax_store_get_i64(tx, ctx, sql, AX_STORE_NO_PARAMS, &value), AX_OK);
        CHECK_EQ(value, i);
    }
    CHECK(ax_store_next(open[0]));
    CHECK_EQ(ax_store_read_i64(open[0], 0), 42);
    CHECK(!ax_store_next(open[0]));
    CHECK_EQ(ax_store_finish(open[0]), AX_OK);
}

TEST(statements_are_kept_and_make_room_for_each_other)
{
    in_a_folder(statements);
}

static void
deadline(struct ax_ctx *ctx)
{
    static const char endless[] = "with recursive n (a) as (select 1 union all select a + 1 from "
                                  "n) select max(a) from n";
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t value;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    ctx->deadline_ns = ax_clock_monotonic_ns() + 20'000'000;
    CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(endless), AX_STORE_NO_PARAMS, &value), AX_TIMEOUT);
    CHECK(strstr(ctx->error, "interrupted") != NULL);
    ctx->deadline_ns = INT64_MAX;
}

TEST(a_query_stops_at_its_deadline)
{
    in_a_folder(deadline);
}

/* ---- bounds and waiting ---- */

static void
waits(struct ax_ctx *ctx)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
    ax_auto(ax_store_close) struct ax_store *second = open_store(ctx); /* as another program */
    ax_auto(ax_store_rollback) struct ax_store_tx *reader = NULL;
    ax_auto(ax_store_rollback) struct ax_store_tx *writer = NULL;
    struct ax_store_tx *none = NULL;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &reader), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &none), AX_UNAVAILABLE);
    CHECK(strcmp(ctx->error, "the database is busy: no reader became free in time") == 0);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &writer), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &none), AX_UNAVAILABLE);
    CHECK(strcmp(ctx->error, "the database is busy: no writer became free in time") == 0);
    CHECK_EQ(ax_store_begin(second, ctx, AX_STORE_WRITE, &none), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "database is locked") != NULL);
}

TEST(who_waits_in_vain_is_told_for_what)
{
    in_a_folder(waits);
}

static void
bounded(struct ax_ctx *ctx)
{
    struct ax_sqlite_config config = config_of(ctx);
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_status status = AX_OK;
    int64_t kept = 0;
    config.bytes_max = 64 << 10;
    CHECK_EQ(ax_sqlite_open(ctx, &config, &store), AX_OK);
    CHECK_EQ(
        write_one(ctx, store, "create table t (a integer primary key, b blob)", AX_STORE_NO_PARAMS),
        AX_OK);
    for (; status == AX_OK && kept < 1000; kept += status == AX_OK)
        status =
            write_one(ctx, store, "insert into t (b) values (zeroblob(4000))", AX_STORE_NO_PARAMS);
    CHECK_EQ(status, AX_LIMIT);
    CHECK(strstr(ctx->error, "database or disk is full") != NULL);
    CHECK_EQ(count(ctx, store, "select count(*) from t"), kept); /* what was told is there */
    CHECK_EQ(ax_store_check(store, ctx), AX_OK);
}

TEST(a_full_database_refuses_and_loses_nothing)
{
    in_a_folder(bounded);
}

/* ---- kill ---- */

/* Inserts 1, 2, 3 ... and tells each that was committed; until it is killed. */
static void
write_until_killed(int told)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_store *store = open_store(&ctx);
    for (int64_t i = count(&ctx, store, "select coalesce(max(a), 0) from t") + 1;; i++) {
        if (insert(&ctx, store, i) != AX_OK || write(told, &i, sizeof i) != sizeof i)
            _exit(1);
        ax_arena_reset(arena);
    }
}

static void
killed(struct ax_ctx *ctx)
{
    const int rounds = getenv("AX_LONG") ? 200 : 10;
    struct ax_store *store = open_store(ctx);
    CHECK_EQ(write_one(ctx, store, "create table t (a integer primary key)", AX_STORE_NO_PARAMS),
             AX_OK);
    ax_store_close(store);
    for (int round = 0; round < rounds; round++) {
        int told[2];
        int64_t last = 0;
        REQUIRE(pipe(told) == 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(told[1]);
        close(told[1]);
        while (last == 0) /* it is well under way */
            REQUIRE(read(told[0], &last, sizeof last) == sizeof last);
        ax_clock_sleep_ms(1 + round % 7);
        CHECK_EQ(kill(child, SIGKILL), 0);
        while (read(told[0], &last, sizeof last) == sizeof last)
            continue;
        close(told[0]);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        store = open_store(ctx); /* needs no repair */
        int64_t newest = count(ctx, store, "select max(a) from t");
        CHECK(newest >= last && newest <= last + 1); /* one may be committed and not told yet */
        CHECK_EQ(count(ctx, store, "select count(*) from t"), newest);
        CHECK_EQ(ax_store_check(store, ctx), AX_OK);
        ax_store_close(store);
    }
}

TEST(a_killed_writer_loses_nothing_that_was_committed)
{
    in_a_folder(killed);
}

/* ---- faults ---- */

static ax_status
work(struct ax_ctx *ctx, int step)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_upkeep upkeep;
    struct ax_sqlite_config config;
    ax_str copy = ax_str_printf(ctx->arena, "%s/copy-%d", folder, step);
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = ax_str_printf(ctx->arena, "%s/store.db", folder);
    config.reader_count = 1;
    if (!copy.at || !config.path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_sqlite_open(ctx, &config, &store));
    AX_TRY(write_one(ctx, store, "create table if not exists t (a integer primary key)",
                     AX_STORE_NO_PARAMS));
    AX_TRY(write_one(ctx, store, "delete from t", AX_STORE_NO_PARAMS));
    AX_TRY(insert(ctx, store, 7));
    AX_TRY(ax_store_maintain(store, ctx, &upkeep));
    AX_TRY(ax_store_backup(store, ctx, copy));
    return ax_store_check(store, ctx);
}

static void
sweep(struct ax_ctx *ctx)
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx broken = ax_ctx_of(arena);
        ax_fault_arm(run / 2, run % 2);
        ax_status status = work(&broken, run);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        CHECK(fired || status == AX_OK);
        CHECK_EQ(work(&broken, -run - 1), AX_OK); /* nothing is in the way */
        ax_auto(ax_store_close) struct ax_store *store = open_store(ctx);
        CHECK_EQ(count(ctx, store, "select count(*) from t where a = 7"), 1);
    }
}

TEST(a_database_meets_every_fault_and_works_afterwards)
{
    in_a_folder(sweep);
}

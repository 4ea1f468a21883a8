/*
 * What every adapter of the store port must do (store/store.h). A new one goes on the list.
 */
#include <math.h>
#include <stdlib.h>

#include "harness.h"
#include "postgres_case.h"
#include "store/migrate.h"
#include "store/postgres.h"
#include "store/sqlite.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/workers.h"

static char folder[64];
static ax_str url; /* of the database that takes the folder's place */

static bool
sqlite_fresh(struct ax_ctx *ctx)
{
    (void)ctx;
    return true;
}

static ax_status
sqlite_open(struct ax_ctx *ctx, struct ax_store **out_store)
{
    struct ax_sqlite_config config;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.busy_ms_max = 200;
    config.path = ax_str_printf(ctx->arena, "%s/store.db", folder);
    return config.path.at ? ax_sqlite_open(ctx, &config, out_store) : AX_LIMIT;
}

static ax_status
sqlite_bring_back(struct ax_ctx *ctx, ax_str copy)
{
    return ax_file_rename(ctx, copy, ax_str_printf(ctx->arena, "%s/store.db", folder));
}

static bool
postgres_fresh(struct ax_ctx *ctx)
{
    if (!postgres_case_there())
        return false;
    url = postgres_case_database(ctx);
    return true;
}

static struct ax_postgres_config
postgres_config(void)
{
    struct ax_postgres_config config;
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.busy_ms_max = 200;
    config.url = url;
    return config;
}

static ax_status
postgres_open(struct ax_ctx *ctx, struct ax_store **out_store)
{
    const struct ax_postgres_config config = postgres_config();
    return ax_postgres_open(ctx, &config, out_store);
}

static ax_status
postgres_bring_back(struct ax_ctx *ctx, ax_str copy)
{
    url = postgres_case_database(ctx);
    const struct ax_postgres_config config = postgres_config();
    return ax_postgres_restore(ctx, &config, copy);
}

static const struct adapter {
    const char *name;
    bool (*fresh)(struct ax_ctx *ctx); /* an empty place; false: not on this machine */
    ax_status (*open)(struct ax_ctx *ctx, struct ax_store **out_store);
    ax_status (*bring_back)(struct ax_ctx *ctx, ax_str copy);
} adapters[] = {
    {"sqlite", sqlite_fresh, sqlite_open, sqlite_bring_back},
    {"postgres", postgres_fresh, postgres_open, postgres_bring_back},
};

/* In a fresh place each; what is stored there stays over reopening. */
static void
for_each_adapter(void (*body)(struct ax_ctx *ctx, const struct adapter *adapter))
{
    for (size_t i = 0; i < AX_COUNT_OF(adapters); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(128 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        snprintf(folder, sizeof folder, "/tmp/axiom-store-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
        if (adapters[i].fresh(&ctx))
            body(&ctx, &adapters[i]);
        CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
    }
}

static ax_status
write_one(struct ax_store *store, struct ax_ctx *ctx, ax_str sql, ax_store_params params)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, sql, params, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
make_table(struct ax_store *store, struct ax_ctx *ctx)
{
    return write_one(store, ctx,
                     AX_STR("create table t (a bigint primary key, b text not null, c bytea, "
                            "d double precision)"),
                     AX_STORE_NO_PARAMS);
}

static ax_status
insert(struct ax_store *store, struct ax_ctx *ctx, int64_t a, ax_str b)
{
    return write_one(store, ctx, AX_STR("insert into t (a, b, c, d) values ($1, $2, $3, $4)"),
                     AX_STORE_PARAMS(ax_store_i64(a), ax_store_text(b),
                                     ax_store_blob((ax_str){"\0\xff", 2}), ax_store_f64(0.1)));
}

static int64_t
count_rows(struct ax_store *store, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count = -1;
    if (ax_store_begin(store, ctx, AX_STORE_READ, &tx) != AX_OK ||
        ax_store_get_i64(tx, ctx, AX_STR("select count(*) from t"), AX_STORE_NO_PARAMS, &count) !=
            AX_OK)
        return -1;
    return count;
}

static void
values(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_store *store;
    struct ax_store_tx *tx;
    struct ax_store_rows *rows;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    CHECK_EQ(insert(store, ctx, 7, AX_STR("sieben \xe2\x82\xac")), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select a, b, c, d, null from t where a = $1"),
                            AX_STORE_PARAMS(ax_store_i64(7)), &rows),
             AX_OK);
    CHECK(ax_store_next(rows));
    CHECK_EQ(ax_store_read_i64(rows, 0), 7);
    CHECK_STR(ax_store_read_text(rows, 1), "sieben \xe2\x82\xac");
    CHECK_STR(ax_store_peek_text(rows, 1), "sieben \xe2\x82\xac");
    CHECK_EQ(ax_store_read_blob(rows, 2).len, 2);
    CHECK(ax_store_read_f64(rows, 3) == 0.1);
    CHECK(ax_store_is_null(rows, 4));
    CHECK_EQ(ax_store_read_i64_or(rows, 4, -3), -3);
    CHECK(ax_store_read_text_or_null(rows, 4).at == NULL);
    CHECK(ax_store_peek_text_or_null(rows, 4).at == NULL);
    CHECK(!ax_store_next(rows));
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    ax_store_rollback(tx);
    ax_store_close(store);
    CHECK_EQ(adapter->open(ctx, &store), AX_OK); /* durable */
    CHECK_EQ(count_rows(store, ctx), 1);
    CHECK_EQ(ax_store_check(store, ctx), AX_OK);
    ax_store_close(store);
}

TEST(store_keeps_every_kind_of_value)
{
    for_each_adapter(values);
}

static void
refusals(struct ax_ctx *ctx, const struct adapter *adapter)
{
    static const struct {
        const char *sql;
        ax_status expected;
    } cases[] = {
        {"insert into t (a, b) values (7, 'again')", AX_CONFLICT},
        {"insert into t (a, b) values (8, null)", AX_INVALID},
        {"insert into nowhere (a) values (1)", AX_INTERNAL},
        {"insert into", AX_INTERNAL},
    };
    struct ax_store *store;
    struct ax_store_tx *tx;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    CHECK_EQ(insert(store, ctx, 7, AX_STR("x")), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
        CHECK_EQ(ax_store_run(tx, ctx, ax_str_of(cases[i].sql), AX_STORE_NO_PARAMS, NULL),
                 cases[i].expected);
        CHECK_EQ(ax_store_run(tx, ctx, AX_STR("delete from t"), AX_STORE_NO_PARAMS, NULL),
                 cases[i].expected); /* it can only be rolled back now */
        CHECK_EQ(ax_store_commit(tx, ctx), cases[i].expected);
    }
    CHECK_EQ(count_rows(store, ctx), 1);
    CHECK_EQ(write_one(store, ctx, AX_STR("insert into t (a, b, d) values (1, 'x', $1)"),
                       AX_STORE_PARAMS(ax_store_f64((double)NAN))),
             AX_INVALID);
    CHECK_EQ(write_one(store, ctx, AX_STR("insert into t (a, b) values (1, $1)"),
                       AX_STORE_PARAMS(ax_store_text((ax_str){"a\0b", 3}))),
             AX_INVALID);
    CHECK_EQ(write_one(store, ctx, AX_STR("insert into t (a, b) values (1, $1)"),
                       AX_STORE_PARAMS(ax_store_text((ax_str){"\xff", 1}))),
             AX_INVALID);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_run(tx, ctx, AX_STR("delete from t"), AX_STORE_NO_PARAMS, NULL), AX_DENIED);
    ax_store_rollback(tx);
    CHECK_EQ(count_rows(store, ctx), 1);
    ax_store_close(store);
}

TEST(store_tells_refusals_apart_and_leaves_nothing_half_done)
{
    for_each_adapter(refusals);
}

static void
isolation(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_store *store;
    struct ax_store_tx *reader, *writer, *other;
    int64_t count;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &reader), AX_OK);
    CHECK_EQ(insert(store, ctx, 1, AX_STR("x")), AX_OK); /* readers are in nobody's way */
    CHECK_EQ(
        ax_store_get_i64(reader, ctx, AX_STR("select count(*) from t"), AX_STORE_NO_PARAMS, &count),
        AX_OK);
    CHECK_EQ(count, 0); /* the state at its begin */
    ax_store_rollback(reader);
    CHECK_EQ(count_rows(store, ctx), 1);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &writer), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &other), AX_UNAVAILABLE);
    ax_store_rollback(writer);
    ax_store_close(store);
}

TEST(store_has_one_writer_and_readers_of_one_state)
{
    for_each_adapter(isolation);
}

static void
backups(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_store *store;
    struct ax_store_upkeep upkeep;
    struct ax_store_tx *writer;
    ax_str copy = ax_str_printf(ctx->arena, "%s/copy.db", folder);
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    CHECK_EQ(insert(store, ctx, 1, AX_STR("x")), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &writer), AX_OK);
    CHECK_EQ(ax_store_backup(store, ctx, copy), AX_OK); /* while somebody holds the writer */
    CHECK_EQ(ax_store_backup(store, ctx, copy), AX_CONFLICT);
    ax_store_rollback(writer);
    CHECK_EQ(ax_store_maintain(store, ctx, &upkeep), AX_OK);
    CHECK(upkeep.database_bytes > 0);
    ax_store_close(store);
    CHECK_EQ(adapter->bring_back(ctx, copy), AX_OK);
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(count_rows(store, ctx), 1);
    ax_store_close(store);
}

TEST(store_is_copied_while_it_is_used)
{
    for_each_adapter(backups);
}

static void
migrations(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_migrate_file files[] = {
        {AX_STR("0001_a.sqlite.sql"), AX_STR("create table a (x bigint);")},
        {AX_STR("0001_a.postgres.sql"), AX_STR("create table a (x bigint);")},
        {AX_STR("0002_b.sqlite.sql"), AX_STR("create table b (x bigint); create table c(y text);")},
        {AX_STR("0002_b.postgres.sql"),
         AX_STR("create table b (x bigint); create table c(y text);")},
    };
    struct ax_store *store;
    int version = 0;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(ax_migrate_with(store, ctx, files, 2, &version), AX_OK);
    CHECK_EQ(version, 1);
    CHECK_EQ(ax_migrate_with(store, ctx, files, 4, &version), AX_OK);
    CHECK_EQ(version, 2);
    CHECK_EQ(ax_migrate_with(store, ctx, files, 4, &version), AX_OK); /* nothing to do */
    CHECK_EQ(ax_migrate_with(store, ctx, files, 2, &version), AX_UNSUPPORTED);
    CHECK(strstr(ctx->error, "older than the database") != NULL);
    files[2].bytes = files[3].bytes = AX_STR("create table b (z bigint);");
    CHECK_EQ(ax_migrate_with(store, ctx, files, 4, &version), AX_CONFLICT);
    ax_store_close(store);
}

TEST(store_schema_moves_forward_and_an_older_program_refuses)
{
    for_each_adapter(migrations);
}

static void
broken_migration(struct ax_ctx *ctx, const struct adapter *adapter)
{
    const struct ax_migrate_file files[] = {
        {AX_STR("0001_a.sqlite.sql"), AX_STR("create table t (a bigint); create nonsense;")},
        {AX_STR("0001_a.postgres.sql"), AX_STR("create table t (a bigint); create nonsense;")},
    };
    struct ax_store *store;
    int version = 0;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK(ax_migrate_with(store, ctx, files, 2, &version) != AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK); /* nothing of it is there */
    ax_store_close(store);
}

TEST(store_schema_change_is_all_or_nothing)
{
    for_each_adapter(broken_migration);
}

/* ---- many at once ---- */

enum { MANY = 2'500 };

static void
batches(struct ax_ctx *ctx, const struct adapter *adapter)
{
    static const char sql[] = "insert into t (a, b, c) values ($1, $2, $3)";
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_tx *tx;
    int64_t changed = -1;
    ax_store_params *rows = AX_NEW_ARRAY(ctx->arena, ax_store_params, MANY);
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    for (int64_t i = 0; i < MANY; i++) {
        ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, 3);
        values[0] = ax_store_i64(i);
        values[1] = ax_store_text(AX_STR("x"));
        values[2] = i % 2 ? ax_store_null() : ax_store_blob(AX_STR("y"));
        rows[i] = (ax_store_params){values, 3};
    }
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_run_each(tx, ctx, AX_STR("delete from t"), NULL, 0, &changed), AX_OK);
    CHECK_EQ(changed, 0); /* not even once */
    CHECK_EQ(ax_store_run_each(tx, ctx, ax_str_of(sql), rows, MANY, &changed), AX_OK);
    CHECK_EQ(changed, MANY);
    CHECK_EQ(
        ax_store_get_i64(tx, ctx, AX_STR("select count(c) from t"), AX_STORE_NO_PARAMS, &changed),
        AX_OK);
    CHECK_EQ(changed, MANY / 2);
    CHECK_EQ(ax_store_commit(tx, ctx), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(
        ax_store_run(tx, ctx, AX_STR("delete from t where a < 1200"), AX_STORE_NO_PARAMS, &changed),
        AX_OK);
    CHECK_EQ(changed, 1200);
    CHECK_EQ(ax_store_run_each(tx, ctx, ax_str_of(sql), rows, MANY, NULL), AX_CONFLICT);
    CHECK_EQ(ax_store_commit(tx, ctx), AX_CONFLICT); /* those before the clash are gone too */
    CHECK_EQ(count_rows(store, ctx), MANY);
    CHECK_EQ(insert(store, ctx, MANY, AX_STR("x")), AX_OK); /* nothing is in the way */
}

TEST(store_runs_a_statement_many_times_or_not_at_all)
{
    for_each_adapter(batches);
}

/* Queries inside queries, each row a query of its own: every reader has its rows. */
static void
overtaken(struct ax_ctx *ctx, const struct adapter *adapter)
{
    static const char all[] = "select a from t order by a";
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_tx *tx;
    struct ax_store_rows *outer, *inner;
    int64_t seen = 0, found = -1;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    for (int64_t i = 0; i < 50; i++)
        CHECK_EQ(insert(store, ctx, i, AX_STR("x")), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(all), AX_STORE_NO_PARAMS, &outer), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(all), AX_STORE_NO_PARAMS, &inner), AX_OK);
    while (ax_store_next(outer)) {
        CHECK_EQ(ax_store_read_i64(outer, 0), seen);
        CHECK(ax_store_next(inner));
        CHECK_EQ(ax_store_read_i64(inner, 0), seen);
        CHECK_EQ(ax_store_get_i64(tx, ctx, AX_STR("select a + $1 from t where a = $1"),
                                  AX_STORE_PARAMS(ax_store_i64(seen)), &found),
                 AX_OK);
        CHECK_EQ(found, 2 * seen);
        seen++;
    }
    CHECK_EQ(seen, 50);
    CHECK_EQ(ax_store_finish(outer), AX_OK);
    CHECK_EQ(ax_store_finish(inner), AX_OK); /* at its last row, not behind it */
    CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(all), AX_STORE_NO_PARAMS, &outer), AX_OK);
    ax_store_rollback(tx); /* closes what nobody has read */
    CHECK_EQ(count_rows(store, ctx), 50);
}

TEST(store_reads_queries_inside_queries)
{
    for_each_adapter(overtaken);
}

static void
deadlines(struct ax_ctx *ctx, const struct adapter *adapter)
{
    static const char endless[] = "with recursive n (a) as (select 1 union all select 1 - a from "
                                  "n) select max(a) from n";
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_tx *tx;
    int64_t value, began_ns;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_run(tx, ctx, AX_STR("insert into t (a, b) values (1, 'x')"),
                          AX_STORE_NO_PARAMS, NULL),
             AX_OK);
    began_ns = ax_clock_monotonic_ns();
    ctx->deadline_ns = began_ns + 100'000'000;
    CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(endless), AX_STORE_NO_PARAMS, &value), AX_TIMEOUT);
    CHECK(ax_clock_monotonic_ns() - began_ns < 900'000'000);
    CHECK_EQ(ax_store_commit(tx, ctx), AX_TIMEOUT);
    ctx->deadline_ns = INT64_MAX;
    CHECK_EQ(count_rows(store, ctx), 0);
    CHECK_EQ(insert(store, ctx, 1, AX_STR("x")), AX_OK);
}

TEST(store_stops_at_the_deadline_and_goes_on)
{
    for_each_adapter(deadlines);
}

static void
claims(struct ax_ctx *ctx, const struct adapter *adapter)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_tx *tx;
    bool mine = false;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    for (int i = 0; i < 2; i++) { /* it is free again when its transaction has ended */
        CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
        CHECK_EQ(ax_store_claim(tx, ctx, AX_STR("outbox"), &mine), AX_OK);
        CHECK(mine);
        ax_store_rollback(tx);
    }
}

TEST(store_gives_a_claim_to_whoever_comes_first)
{
    for_each_adapter(claims);
}

/* ---- writers together ---- */

enum { WRITERS = 6, WRITES = 25 };

struct writer {
    struct ax_store *store;
    struct ax_thread *thread;
    int number, kept;
};

/* Two rows, of which the second clashes with the first now and then: both or none. */
static ax_status
insert_two(struct ax_store *store, struct ax_ctx *ctx, int64_t first, bool clashes)
{
    const ax_str sql = AX_STR("insert into t (a, b) values ($1, 'x')");
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, sql, AX_STORE_PARAMS(ax_store_i64(first)), NULL));
    AX_TRY(ax_store_run(tx, ctx, sql, AX_STORE_PARAMS(ax_store_i64(clashes ? first : first + 1)),
                        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static void
write_many(void *arg)
{
    struct writer *writer = arg;
    for (int i = 0; i < WRITES; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        bool clashes = (i + writer->number) % 5 == 0;
        ax_status status = AX_UNAVAILABLE;
        while (status == AX_UNAVAILABLE) /* the disk may be slow, and the wait is short here */
            status = insert_two(writer->store, &ctx, (writer->number * WRITES + i) * 2, clashes);
        CHECK_EQ(status, clashes ? AX_CONFLICT : AX_OK);
        writer->kept += status == AX_OK;
    }
}

static void
writers_together(struct ax_ctx *ctx, const struct adapter *adapter)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct writer writers[WRITERS];
    int kept = 0;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    CHECK_EQ(make_table(store, ctx), AX_OK);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = store, .number = i};
        CHECK_EQ(ax_thread_start(ctx, "writer", write_many, &writers[i], &writers[i].thread),
                 AX_OK);
    }
    for (int i = 0; i < WRITERS; i++) {
        ax_thread_join(writers[i].thread);
        kept += writers[i].kept;
    }
    CHECK_EQ(kept, WRITERS * WRITES * 4 / 5);
    CHECK_EQ(count_rows(store, ctx), 2 * kept);
}

TEST(store_keeps_what_writers_did_together_and_nothing_of_who_failed)
{
    for_each_adapter(writers_together);
}

/* ---- the schema ---- */

extern const struct ax_migrate_file ax_migrate_files[];
extern const size_t ax_migrate_file_count;

/* Runs of before they had keys: a with all there is, b with another series of the same name. */
static const char runs_before[] =
    "insert into experiments (id, name, artifact_location, lifecycle_stage, created_ns, updated_ns)"
    " values ('1', 'e', 'x', 'active', 1, 1);"
    "insert into runs (id, experiment_id, name, user_id, status, lifecycle_stage, source_type,"
    " source_name, artifact_uri, start_ns) values"
    " ('b', '1', 'late', '', 'RUNNING', 'active', '', '', 'x/b', 20),"
    " ('a', '1', 'early', '', 'RUNNING', 'active', '', '', 'x/a', 10);"
    "insert into run_params (run_id, key, value) values ('a', 'p', '1');"
    "insert into run_tags (run_id, key, value) values ('a', 't', 'x'), ('b', 't', 'y');"
    "insert into run_inputs (run_id, dataset_name, dataset_digest, source_type, source, context,"
    " tags) values ('a', 'd', 'dd', 's', 'ss', '', '[]');"
    "insert into run_models (run_id, direction, model_id, step) values ('a', 'output', 'm-1', 3);"
    "insert into metric_series (run_id, key, id, step, timestamp_ms, value, is_nan) values"
    " ('b', 'm', 1, 0, 1, 7, 0), ('a', 'm', 2, 1, 2, 0.5, 0), ('a', 'n', 3, 0, 1, 0, 1);"
    "insert into metric_points (series_id, timestamp_ms, step, value, is_nan) values"
    " (1, 1, 0, 7, 0), (2, 1, 0, 0.25, 0), (2, 2, 1, 0.5, 0), (3, 1, 0, 0, 1);";

/* Brings the schema to what it was before a change, and puts rows in. */
static void
migrate_before(struct ax_ctx *ctx, struct ax_store *store, const char *change, const char *rows)
{
    struct ax_migrate_file before[64];
    size_t count = 0;
    int version;
    struct ax_store_tx *tx;
    REQUIRE(ax_migrate_file_count <= AX_COUNT_OF(before));
    for (size_t i = 0; i < ax_migrate_file_count; i++)
        if (ax_str_cmp(ax_migrate_files[i].name, ax_str_of(change)) < 0)
            before[count++] = ax_migrate_files[i];
    CHECK_EQ(ax_migrate_with(store, ctx, before, count, &version), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_script(tx, ctx, ax_str_of(rows)), AX_OK);
    CHECK_EQ(ax_store_commit(tx, ctx), AX_OK);
}

static void
run_keys(struct ax_ctx *ctx, const struct adapter *adapter)
{
    static const struct {
        const char *sql;
        int64_t found;
    } wanted[] = {
        {"select key from runs where id = 'a'", 1}, /* keys are given in the order of start */
        {"select key from runs where id = 'b'", 2},
        {"select series_count from runs where id = 'a'", 2},
        {"select count(*) from run_params where run_key = 1 and key = 'p' and value = '1'", 1},
        {"select count(*) from run_tags where run_key = 2 and value = 'y'", 1},
        {"select count(*) from run_inputs where run_key = 1 and source = 'ss'", 1},
        {"select step from run_models where run_key = 1 and model_id = 'm-1'", 3},
        {"select count(*) from metric_series", 3},
        {"select id from metric_series where run_key = 1 and key = 'n'", (1 << 20) + 2},
        {"select count(*) from metric_points", 4},
        {"select count(*) from metric_series s join metric_points p on p.series_id = s.id where "
         "s.run_key = 1 and s.key = 'm'",
         2},
        {"select cast(p.value as bigint) from metric_series s join metric_points p on p.series_id "
         "= s.id where s.run_key = 2",
         7},
    };
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int version;
    CHECK_EQ(adapter->open(ctx, &store), AX_OK);
    migrate_before(ctx, store, "0005", runs_before);
    CHECK_EQ(ax_migrate(store, ctx, &version), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++) {
        int64_t found = -1;
        CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(wanted[i].sql), AX_STORE_NO_PARAMS, &found),
                 AX_OK);
        if (found != wanted[i].found)
            ax_test_failed(__FILE__, __LINE__, "%s: %s: %lld", adapter->name, wanted[i].sql,
                           (long long)found);
    }
}

TEST(schema_gives_runs_keys_and_keeps_what_they_have)
{
    for_each_adapter(run_keys);
}

/* ---- faults ---- */

static ax_status
work_on(struct ax_ctx *ctx, const struct adapter *adapter, const char *copy)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    int version;
    AX_TRY(adapter->open(ctx, &store));
    AX_TRY(ax_migrate(store, ctx, &version));
    AX_TRY(write_one(store, ctx, AX_STR("drop table if exists t"), AX_STORE_NO_PARAMS));
    AX_TRY(make_table(store, ctx));
    AX_TRY(insert(store, ctx, 1, AX_STR("x")));
    AX_TRY(ax_store_backup(store, ctx, ax_str_of(copy)));
    return count_rows(store, ctx) == 1 ? AX_OK : AX_UNAVAILABLE;
}

static ax_status
sqlite_work(struct ax_ctx *ctx)
{
    snprintf(folder, sizeof folder, "/tmp/axiom-store-sweep");
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove_tree(ctx, ax_str_of(folder)), "left by the run before");
    ax_fault_benign_end();
    AX_TRY(ax_file_make_folders(ctx, ax_str_of(folder)));
    return work_on(ctx, &adapters[0], "/tmp/axiom-store-sweep/copy.db");
}

TEST(sqlite_survives_every_fault)
{
    FAULT_SWEEP(sqlite_work);
}

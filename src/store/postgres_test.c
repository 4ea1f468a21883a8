#include "store/postgres.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "postgres_case.h"
#include "store/migrate.h"
#include "sys/clock.h"
#include "sys/file.h"

/* With a new database; or not at all, where there is no server. */
static void
with_database(void (*body)(struct ax_ctx *ctx, struct ax_postgres_config *config))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(128 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_postgres_config config;
    if (!postgres_case_there())
        return;
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.url = postgres_case_database(&ctx);
    config.busy_ms_max = 500;
    config.reader_count = 2;
    body(&ctx, &config);
}

static struct ax_store *
open_store(struct ax_ctx *ctx, const struct ax_postgres_config *config)
{
    struct ax_store *store = NULL;
    if (ax_postgres_open(ctx, config, &store) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
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
do_one(struct ax_ctx *ctx, struct ax_store *store, const char *sql)
{
    return write_one(ctx, store, sql, AX_STORE_NO_PARAMS);
}

static ax_status
insert(struct ax_ctx *ctx, struct ax_store *store, int64_t a)
{
    return write_one(ctx, store, "insert into t (a) values ($1)", AX_STORE_PARAMS(ax_store_i64(a)));
}

static ax_status
get(struct ax_ctx *ctx, struct ax_store *store, const char *sql, int64_t *out_value)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    return ax_store_get_i64(tx, ctx, ax_str_of(sql), AX_STORE_NO_PARAMS, out_value);
}

static int64_t
count(struct ax_ctx *ctx, struct ax_store *store, const char *sql)
{
    int64_t found = -1;
    if (get(ctx, store, sql, &found) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s: %s", sql, ctx->error);
    return found;
}

/* ---- opening ---- */

TEST(a_url_is_told_from_other_texts)
{
    CHECK(ax_postgres_is_url(AX_STR("postgresql://somewhere/axiom?sslmode=verify-full")));
    CHECK(ax_postgres_is_url(AX_STR("postgres://x")) && !ax_postgres_is_url(AX_STR("")));
    CHECK(!ax_postgres_is_url(AX_STR("mysql://somewhere")));
}

static void
refused(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    const struct {
        ax_str url;
        ax_status want;
        const char *words;
    } cases[] = {
        {AX_STR("mysql://x"), AX_INVALID, "postgresql://"},
        {AX_STR("postgresql://x?nonsense=1"), AX_UNAVAILABLE, "nonsense"},
        {AX_STR("postgresql:///x?host=/nowhere"), AX_UNAVAILABLE, "No such file"},
        {AX_STR("postgresql://127.0.0.1:1/x"), AX_UNAVAILABLE, "refused"},
        {ax_str_printf(ctx->arena, "%.*s0", AX_FMT(config->url)), AX_UNAVAILABLE, "No such file"},
        {ax_str_printf(ctx->arena, "postgresql://postgres@/none?host=%s", postgres_case_folder()),
         AX_UNAVAILABLE, "\"none\" does not exist"},
        {ax_str_printf(ctx->arena, "%.*s&options=-csearch_path%%3Dnone", AX_FMT(config->url)),
         AX_UNAVAILABLE, "search_path"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_postgres_config broken = *config;
        struct ax_store *store = NULL;
        broken.url = cases[i].url;
        ax_status status = ax_postgres_open(ctx, &broken, &store);
        bool is_one_line = !strchr(ctx->error, '\n');
        if (status != cases[i].want || !ax_test_said(ctx, cases[i].words) || !is_one_line || store)
            ax_test_failed(__FILE__, __LINE__, "%.*s: %s, %s", AX_FMT(cases[i].url),
                           ax_status_name(status), ctx->error);
    }
    CHECK(postgres_case_tell(
        "database old encoding sql_ascii locale_provider libc locale 'C' template template0",
        "made"));
    struct ax_store *store = NULL;
    config->url =
        ax_str_printf(ctx->arena, "postgresql://postgres@/old?host=%s", postgres_case_folder());
    CHECK_EQ(ax_postgres_open(ctx, config, &store), AX_UNSUPPORTED);
    CHECK(ax_test_said(ctx, "its encoding is SQL_ASCII"));
}

TEST(a_database_that_cannot_be_used_is_told_by_its_words)
{
    with_database(refused);
}

static void
settings(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    config->url =
        ax_str_printf(ctx->arena, "%.*s&options=-csynchronous_commit%%3Doff&application_name=bank",
                      AX_FMT(config->url));
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    CHECK_EQ(count(ctx, store,
                   "select count(*) from pg_settings where (name = 'synchronous_commit' and "
                   "setting = 'on') or (name = 'application_name' and setting = 'bank')"),
             2); /* durable whatever was asked; the rest is the URL's */
}

TEST(a_connection_is_durable_whatever_the_url_says)
{
    with_database(settings);
}

/* Digests and plans depend on the order of texts: it is that of their bytes, as in SQLite. */
static void
byte_order(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    int version = 0;
    CHECK_EQ(count(ctx, store, "select ('a' < 'B')::int"), 1); /* the test is worth something */
    CHECK_EQ(ax_migrate(store, ctx, &version), AX_OK);
    CHECK(version >= 3);
    CHECK_EQ(count(ctx, store,
                   "select count(*) from information_schema.columns where table_schema = "
                   "current_schema() and data_type = 'text' and collation_name is distinct from "
                   "'C' and table_name <> 'schema_migrations'"),
             0); /* in schema/NNNN_x.postgres.sql a text is written: text collate "C" */
}

TEST(every_text_of_the_schema_is_ordered_by_its_bytes)
{
    with_database(byte_order);
}

/* ---- statements ---- */

static void
wrong(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    static const struct {
        const char *sql;
        int64_t parameter; /* given once when above 0 */
        ax_status want;
        const char *words;
    } cases[] = {
        {"insert into t (a) values (1)", 0, AX_CONFLICT, "\"t_pkey\""},
        {"insert into u (a) values (9)", 0, AX_CONFLICT, "foreign key constraint"},
        {"insert into u (a) values (null)", 0, AX_INVALID, "not-null constraint"},
        {"insert into u (a) values (-1)", 0, AX_INVALID, "check constraint"},
        {"insert into t (a) values ('x')", 0, AX_INVALID, "invalid input syntax"},
        {"select 1 / (a - 1) from t", 0, AX_INVALID, "division by zero"},
        {"select from nowhere", 0, AX_INTERNAL, "\"nowhere\" does not exist"},
        {"selec", 0, AX_INTERNAL, "syntax error"},
        {"", 0, AX_INTERNAL, "an empty statement"},
        {"select 1 where $1 > 0", 0, AX_INTERNAL, "0 parameters"},
        {"select $2", 5, AX_INTERNAL, "1 parameters"},
        {"copy t to stdout", 0, AX_INTERNAL, "copy is no statement"},
        {"select pg_terminate_backend(pg_backend_pid())", 0, AX_UNAVAILABLE, "terminating"},
    };
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    CHECK_EQ(
        do_one(ctx, store, "create table u (a bigint not null check (a > 0) references t (a))"),
        AX_OK);
    CHECK_EQ(insert(ctx, store, 1), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = cases[i].parameter
                               ? write_one(ctx, store, cases[i].sql,
                                           AX_STORE_PARAMS(ax_store_i64(cases[i].parameter)))
                               : do_one(ctx, store, cases[i].sql);
        if (status != cases[i].want || !ax_test_said(ctx, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].sql, ax_status_name(status),
                           ctx->error);
        CHECK_EQ(do_one(ctx, store, "delete from u"), AX_OK); /* the next one works */
    }
}

TEST(a_statement_that_cannot_be_is_told_by_its_code)
{
    with_database(wrong);
}

/* What the server may say of itself, said by it on request. */
static void
sqlstates(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    static const struct {
        const char *code;
        ax_status want;
    } cases[] = {
        {"40001", AX_CONFLICT},    {"40P01", AX_CONFLICT},    {"40003", AX_UNAVAILABLE},
        {"53100", AX_LIMIT},       {"53200", AX_LIMIT},       {"53300", AX_UNAVAILABLE},
        {"54000", AX_INVALID},     {"55P03", AX_UNAVAILABLE}, {"57014", AX_TIMEOUT},
        {"57P01", AX_UNAVAILABLE}, {"58030", AX_UNAVAILABLE}, {"XX000", AX_INTERNAL},
        {"0A000", AX_UNSUPPORTED}, {"XX001", AX_CORRUPT},     {"23P01", AX_CONFLICT},
        {"42501", AX_UNAVAILABLE}, {"08006", AX_UNAVAILABLE}, {"26000", AX_UNAVAILABLE},
        {"28P01", AX_UNAVAILABLE},
    };
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str sql = ax_str_printf(
            ctx->arena, "do $$begin raise exception 'as asked' using errcode = '%s'; end$$",
            cases[i].code);
        ax_status status = do_one(ctx, store, sql.at);
        if (status != cases[i].want || !ax_test_said(ctx, "as asked"))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].code, ax_status_name(status),
                           ctx->error);
    }
}

TEST(what_the_server_reports_has_one_status)
{
    with_database(sqlstates);
}

static void
kinds(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    static const struct {
        const char *sql;
        enum ax_store_kind kind;
        int64_t i64;
        double f64;
    } cases[] = {
        {"select 7::smallint", AX_STORE_I64, 7, 0},
        {"select -7::int", AX_STORE_I64, -7, 0},
        {"select -9223372036854775808", AX_STORE_I64, INT64_MIN, 0},
        {"select (-9223372036854775808)::bigint", AX_STORE_I64, INT64_MIN, 0},
        {"select true", AX_STORE_I64, 1, 0},
        {"select 1.5::real", AX_STORE_F64, 0, 1.5},
        {"select 'infinity'::double precision", AX_STORE_F64, 0, (double)INFINITY},
        {"select sum(x) from (values (9007199254740993), (2)) v (x)", AX_STORE_I64,
         9007199254740995, 0},
        {"select sum(x::bigint) from (values (9223372036854775807), (0)) v (x)", AX_STORE_I64,
         INT64_MAX, 0},
        {"select 9223372036854775808", AX_STORE_F64, 0, 9223372036854775808.0},
        {"select 0.0", AX_STORE_I64, 0, 0},
        {"select -1000000::numeric", AX_STORE_I64, -1000000, 0},
        {"select 12345.25", AX_STORE_F64, 0, 12345.25},
        {"select -0.00000001220703125", AX_STORE_F64, 0, -0.00000001220703125},
        {"select 'nan'::numeric", AX_STORE_NULL, 0, 0},
        {"select null::text", AX_STORE_NULL, 0, 0},
        {"select 'x'::name", AX_STORE_TEXT, 0, 0},
        {"select 'x'", AX_STORE_TEXT, 0, 0},
        {"select 'x'::varchar", AX_STORE_TEXT, 0, 0},
        {"select '\\x00'::bytea", AX_STORE_BLOB, 0, 0},
    };
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_store_rows *rows;
        CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(cases[i].sql), AX_STORE_NO_PARAMS, &rows),
                 AX_OK);
        CHECK(ax_store_next(rows));
        ax_store_value value = store->ops->column(rows, 0);
        bool same = value.kind == cases[i].kind;
        if (same && value.kind == AX_STORE_I64)
            same = value.i64 == cases[i].i64;
        if (same && value.kind == AX_STORE_F64)
            same = !(value.f64 < cases[i].f64 || value.f64 > cases[i].f64);
        if (!same)
            ax_test_failed(__FILE__, __LINE__, "%s is kind %d, %lld, %.17g", cases[i].sql,
                           value.kind, (long long)value.i64, value.f64);
        CHECK_EQ(ax_store_finish(rows), AX_OK);
    }
}

TEST(values_of_every_type_have_a_kind_of_the_port)
{
    with_database(kinds);
}

/* More statements than are kept, and the same text with parameters of different kinds. */
static void
statements(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *open[AX_STORE_ROWS_OPEN_MAX + 1] = {};
    int64_t value = 0;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    for (int i = 0; i < 300; i++) {
        ax_str sql = ax_str_printf(ctx->arena, "select %d", i);
        CHECK_EQ(ax_store_get_i64(tx, ctx, sql, AX_STORE_NO_PARAMS, &value), AX_OK);
        CHECK_EQ(value, i);
    }
    CHECK_EQ(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from pg_prepared_statements"),
                              AX_STORE_NO_PARAMS, &value),
             AX_OK);
    CHECK_EQ(value, 128);
    const ax_store_value either[] = {ax_store_text(AX_STR("a")), ax_store_null()};
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(ax_store_get_i64(tx, ctx, AX_STR("select count(*) where 'a' = $1"),
                                  (ax_store_params){&either[i % 2], 1}, &value),
                 AX_OK);
        CHECK_EQ(value, i % 2 == 0);
    }
    for (size_t i = 0; i < AX_STORE_ROWS_OPEN_MAX; i++)
        CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select 41"), AX_STORE_NO_PARAMS, &open[i]), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select 1"), AX_STORE_NO_PARAMS,
                            &open[AX_STORE_ROWS_OPEN_MAX]),
             AX_LIMIT);
}

TEST(statements_are_kept_and_make_room_for_each_other)
{
    with_database(statements);
}

/* A table changes its columns under a statement that is kept: once more, and it works. */
static void
new_columns(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    int64_t value;
    config->reader_count = 1;
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint)"), AX_OK);
    CHECK_EQ(insert(ctx, store, 1), AX_OK);
    CHECK_EQ(count(ctx, store, "select * from t"), 1);
    CHECK_EQ(do_one(ctx, store, "alter table t add column b bigint"), AX_OK);
    CHECK_EQ(get(ctx, store, "select * from t", &value), AX_CONFLICT);
    CHECK_EQ(count(ctx, store, "select * from t"), 1);
}

TEST(a_kept_statement_that_is_outdated_is_made_again)
{
    with_database(new_columns);
}

/* What waits in memory because another statement came is bounded. */
static void
held(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    static const char wide[] = "select repeat('x', 100000) from generate_series(1, 20)";
    config->held_bytes_max = 1 << 20;
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    int64_t value, seen = 0;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(wide), AX_STORE_NO_PARAMS, &rows), AX_OK);
    while (ax_store_next(rows)) /* one at a time, as they come: no bound is met */
        seen += ax_store_read_text(rows, 0).len == 100'000;
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    CHECK_EQ(seen, 20);
    CHECK_EQ(ax_store_query(tx, ctx, ax_str_of(wide), AX_STORE_NO_PARAMS, &rows), AX_OK);
    CHECK(ax_store_next(rows));
    CHECK_EQ(ax_store_get_i64(tx, ctx, AX_STR("select 1"), AX_STORE_NO_PARAMS, &value), AX_LIMIT);
    ax_store_rollback(ax_take(tx));
    CHECK_EQ(count(ctx, store, "select 5"), 5);
}

TEST(rows_that_wait_are_bounded)
{
    with_database(held);
}

/* ---- the server goes away ---- */

static void
failover(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    struct ax_store_tx *writer, *reader, *late;
    struct ax_store_rows *rows;
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    CHECK_EQ(insert(ctx, store, 1), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &writer), AX_OK);
    CHECK_EQ(
        ax_store_run(writer, ctx, AX_STR("insert into t (a) values (2)"), AX_STORE_NO_PARAMS, NULL),
        AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &reader), AX_OK);
    CHECK_EQ(ax_store_query(reader, ctx, AX_STR("select generate_series(1, 10000000)"),
                            AX_STORE_NO_PARAMS, &rows),
             AX_OK);
    CHECK(ax_store_next(rows));
    CHECK(postgres_case_tell("stop", "stopped")); /* in mid-transaction */
    while (ax_store_next(rows))
        continue;
    CHECK_EQ(ax_store_finish(rows), AX_UNAVAILABLE);
    ax_store_rollback(reader);
    CHECK_EQ(ax_store_commit(writer, ctx), AX_UNAVAILABLE);
    CHECK_EQ(insert(ctx, store, 3), AX_UNAVAILABLE); /* nobody is there */
    CHECK(postgres_case_tell("start", "ready"));
    CHECK_EQ(insert(ctx, store, 4), AX_OK); /* the same store, with nobody's help */
    CHECK_EQ(count(ctx, store, "select sum(a) from t"), 5);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &late), AX_OK);
    CHECK(postgres_case_tell("stop", "stopped"));
    CHECK(postgres_case_tell("start", "ready")); /* between two statements of one transaction */
    CHECK_EQ(
        ax_store_run(late, ctx, AX_STR("insert into t (a) values (5)"), AX_STORE_NO_PARAMS, NULL),
        AX_UNAVAILABLE);
    CHECK_EQ(ax_store_commit(late, ctx), AX_UNAVAILABLE);
    CHECK_EQ(count(ctx, store, "select sum(a) from t"), 5); /* nothing half done */
    CHECK(postgres_case_tell("stop", "stopped"));
    CHECK(postgres_case_tell("start", "ready"));
    CHECK_EQ(insert(ctx, store, 6), AX_OK); /* connections that died while idle disturb nobody */
    CHECK_EQ(count(ctx, store, "select sum(a) from t"), 11);
    CHECK_EQ(ax_store_check(store, ctx), AX_OK);
}

TEST(what_was_under_way_is_undone_and_the_next_transaction_works)
{
    with_database(failover);
}

/* ---- several programs on one database ---- */

/* Reads and writes back, again and again, as a program of its own. */
static void
count_up(const struct ax_postgres_config *config, int times)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_store *store = NULL;
    ax_status status = ax_postgres_open(&ctx, config, &store);
    for (int i = 0; i < times && status == AX_OK; i++) {
        struct ax_store_tx *tx;
        int64_t value;
        status = ax_store_begin(store, &ctx, AX_STORE_WRITE, &tx);
        if (status != AX_OK)
            break;
        status =
            ax_store_get_i64(tx, &ctx, AX_STR("select max(a) from t"), AX_STORE_NO_PARAMS, &value);
        if (status == AX_OK)
            status = ax_store_run(tx, &ctx, AX_STR("insert into t (a) values ($1)"),
                                  AX_STORE_PARAMS(ax_store_i64(value + 1)), NULL);
        ax_status committed = ax_store_commit(tx, &ctx);
        status = status == AX_OK ? committed : status;
    }
    _exit(status == AX_OK ? 0 : 1);
}

static void
programs(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    enum { PROGRAMS = 4, TIMES = 25 };
    pid_t children[PROGRAMS];
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    CHECK_EQ(insert(ctx, store, 0), AX_OK);
    config->busy_ms_max = 30'000;
    fflush(NULL);
    for (int i = 0; i < PROGRAMS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            count_up(config, TIMES);
    }
    for (int i = 0; i < PROGRAMS; i++) {
        int how = -1;
        CHECK_EQ(waitpid(children[i], &how, 0), children[i]);
        CHECK_EQ(how, 0); /* no clash: a writer sees all that was committed before it */
    }
    CHECK_EQ(count(ctx, store, "select max(a) from t"), PROGRAMS * TIMES);
}

TEST(programs_that_share_a_database_write_one_after_the_other)
{
    with_database(programs);
}

static void
two_pools(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    ax_auto(ax_store_close) struct ax_store *second = open_store(ctx, config);
    ax_auto(ax_store_rollback) struct ax_store_tx *writer = NULL;
    ax_auto(ax_store_rollback) struct ax_store_tx *reader = NULL;
    struct ax_store_tx *other, *none = NULL;
    bool mine = false;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &writer), AX_OK);
    CHECK_EQ(ax_store_begin(second, ctx, AX_STORE_WRITE, &none), AX_UNAVAILABLE);
    CHECK(ax_test_said(ctx, "lock timeout"));
    ctx->deadline_ns = ax_clock_monotonic_ns() + 50'000'000;
    CHECK_EQ(ax_store_begin(second, ctx, AX_STORE_WRITE, &none), AX_UNAVAILABLE);
    ctx->deadline_ns = INT64_MAX;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &none), AX_UNAVAILABLE);
    CHECK(ax_test_said(ctx, "no writer became free in time"));
    CHECK_EQ(ax_store_begin(second, ctx, AX_STORE_READ, &reader), AX_OK); /* in nobody's way */
    CHECK_EQ(ax_store_claim(reader, ctx, AX_STR("outbox"), &mine), AX_OK);
    CHECK(mine);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &other), AX_OK);
    CHECK_EQ(ax_store_claim(other, ctx, AX_STR("outbox"), &mine), AX_OK);
    CHECK(!mine);
    CHECK_EQ(ax_store_claim(other, ctx, AX_STR("something else"), &mine), AX_OK);
    CHECK(mine);
    ax_store_rollback(other);
    ax_store_rollback(ax_take(reader));
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &other), AX_OK);
    CHECK_EQ(ax_store_claim(other, ctx, AX_STR("outbox"), &mine), AX_OK);
    CHECK(mine); /* given back with the transaction */
    ax_store_rollback(other);
    ax_store_rollback(ax_take(writer));
    CHECK_EQ(ax_store_begin(second, ctx, AX_STORE_WRITE, &writer), AX_OK);
}

TEST(who_waits_in_vain_is_told_for_what)
{
    with_database(two_pools);
}

/* Both find the schema old, one changes it, the other finds it changed. */
static void
migrated_at_once(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    enum { PROGRAMS = 3 };
    pid_t children[PROGRAMS];
    config->busy_ms_max = 30'000;
    fflush(NULL);
    for (int i = 0; i < PROGRAMS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int version;
            struct ax_store *store = NULL;
            _exit(ax_postgres_open(ctx, config, &store) != AX_OK ||
                  ax_migrate(store, ctx, &version) != AX_OK);
        }
    }
    for (int i = 0; i < PROGRAMS; i++) {
        int how = -1;
        CHECK_EQ(waitpid(children[i], &how, 0), children[i]);
        CHECK_EQ(how, 0);
    }
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    CHECK_EQ(count(ctx, store, "select (count(*) = max(version))::int from schema_migrations"), 1);
}

TEST(programs_that_start_at_once_migrate_once)
{
    with_database(migrated_at_once);
}

/* Inserts 1, 2, 3 ... and tells each that was committed; until it is killed. */
static void
write_until_killed(const struct ax_postgres_config *config, int told)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_store *store = open_store(&ctx, config);
    for (int64_t i = count(&ctx, store, "select coalesce(max(a), 0) from t") + 1;; i++)
        if (insert(&ctx, store, i) != AX_OK || write(told, &i, sizeof i) != sizeof i)
            _exit(1);
}

static void
killed(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    const int rounds = getenv("AX_LONG") ? 100 : 5;
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    config->busy_ms_max = 10'000;
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    for (int round = 0; round < rounds; round++) {
        int told[2];
        int64_t last = 0;
        REQUIRE(pipe(told) == 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(config, told[1]);
        close(told[1]);
        while (last == 0) /* it is well under way */
            REQUIRE(read(told[0], &last, sizeof last) == sizeof last);
        ax_clock_sleep_ms(1 + round % 7);
        CHECK_EQ(kill(child, SIGKILL), 0);
        while (read(told[0], &last, sizeof last) == sizeof last)
            continue;
        close(told[0]);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        ax_auto(ax_store_close) struct ax_store *next = open_store(ctx, config);
        CHECK_EQ(do_one(ctx, next, "delete from t where a < 0"), AX_OK); /* its lock is free */
        int64_t newest = count(ctx, next, "select max(a) from t");
        CHECK(newest >= last && newest <= last + 1); /* one may be committed and not told yet */
        CHECK_EQ(count(ctx, next, "select count(*) from t"), newest);
    }
}

TEST(a_killed_writer_loses_nothing_and_holds_nothing)
{
    with_database(killed);
}

/* ---- copies ---- */

static void
copies(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_str path = ax_str_printf(ctx->arena, "/tmp/axiom-postgres-copy-%d", (int)getpid());
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    ax_str bytes;
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    CHECK_EQ(insert(ctx, store, 7), AX_OK);
    CHECK_EQ(ax_store_backup(store, ctx, AX_STR("/nowhere/copy")), AX_UNAVAILABLE);
    CHECK(ax_test_said(ctx, "pg_dump"));
    CHECK_EQ(ax_store_backup(store, ctx, path), AX_OK);
    CHECK_EQ(ax_postgres_restore(ctx, config, path), AX_CONFLICT); /* over what is there: never */
    config->url = postgres_case_database(ctx);
    CHECK_EQ(ax_file_read_all(ctx, path, 16 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bytes.at, bytes.len / 2}), AX_OK);
    CHECK_EQ(ax_postgres_restore(ctx, config, path), AX_CORRUPT);
    CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
    CHECK_EQ(ax_postgres_restore(ctx, config, path), AX_OK); /* nothing of the half was left */
    ax_auto(ax_store_close) struct ax_store *again = open_store(ctx, config);
    CHECK_EQ(count(ctx, again, "select a from t"), 7);
    CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
}

TEST(a_copy_is_brought_back_whole_into_an_empty_database_only)
{
    with_database(copies);
}

/* ---- faults ---- */

static ax_str swept_url;

static ax_status
write_and_read(struct ax_ctx *ctx, struct ax_store *store)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    int64_t sum = 0, found = 0;
    const ax_store_value values[] = {ax_store_i64(1), ax_store_i64(2), ax_store_i64(3)};
    const ax_store_params params[] = {{&values[0], 1}, {&values[1], 1}, {&values[2], 1}};
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from t"), AX_STORE_NO_PARAMS, NULL));
    AX_TRY(ax_store_run_each(tx, ctx, AX_STR("insert into t (a) values ($1)"), params, 3, NULL));
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select a from t"), AX_STORE_NO_PARAMS, &rows));
    while (ax_store_next(rows)) {
        sum += ax_store_read_i64(rows, 0);
        AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select a from t where a = $1"),
                                AX_STORE_PARAMS(ax_store_i64(2)), &found));
    }
    AX_TRY(ax_store_finish(rows));
    CHECK(sum == 6 && found == 2);
    return ax_store_commit(ax_take(tx), ctx);
}

/* What a fault met on its way is undone: there are no rows, or all three. */
static void
check_whole(const struct ax_postgres_config *config)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    static struct ax_store *store; /* one for the whole sweep; the process ends with it */
    if (!store)
        store = open_store(&ctx, config);
    int64_t rows = count(&ctx, store, "select count(*) from t");
    CHECK(rows == 0 || rows == 3);
}

static ax_status
work(struct ax_ctx *ctx, const struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_store_upkeep upkeep;
    bool mine;
    AX_TRY(ax_postgres_open(ctx, config, &store));
    AX_TRY(write_one(ctx, store, "create table if not exists t (a bigint primary key)",
                     AX_STORE_NO_PARAMS));
    AX_TRY(write_and_read(ctx, store));
    AX_TRY(write_and_read(ctx, store)); /* with what is kept */
    AX_TRY(ax_store_maintain(store, ctx, &upkeep));
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_claim(tx, ctx, AX_STR("work"), &mine));
    CHECK(mine);
    AX_TRY(ax_store_check(store, ctx));
    return AX_OK;
}

static void
sweep(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    ax_auto(ax_store_close) struct ax_store *store = open_store(ctx, config);
    CHECK_EQ(do_one(ctx, store, "create table t (a bigint primary key)"), AX_OK);
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx broken = ax_ctx_of(arena);
        ax_fault_arm(run / 2, run % 2);
        ax_status status = work(&broken, config);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run: %s", broken.error);
        check_whole(config);
    }
}

TEST(a_database_meets_every_fault_and_works_afterwards)
{
    with_database(sweep);
}

/* A schema change that meets a fault is there with its number, or not at all. */
static ax_status
migrate_work(struct ax_ctx *ctx)
{
    const struct ax_migrate_file files[] = {
        {AX_STR("0001_a.postgres.sql"), AX_STR("create table a (x bigint);")},
        {AX_STR("0002_b.postgres.sql"), AX_STR("create table b (x bigint);")},
    };
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_postgres_config config;
    int version;
    bool found;
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.url = swept_url;
    AX_TRY(ax_postgres_open(ctx, &config, &store));
    AX_TRY(ax_migrate_with(store, ctx, files, AX_COUNT_OF(files), &version));
    CHECK_EQ(version, 2);
    AX_TRY(ax_migrate_found(store, ctx, &found));
    CHECK(found);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("drop table a"), AX_STORE_NO_PARAMS, NULL));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("drop table b"), AX_STORE_NO_PARAMS, NULL));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("drop table schema_migrations"), AX_STORE_NO_PARAMS, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static void
migrate_sweep(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    (void)ctx;
    swept_url = config->url;
    FAULT_SWEEP(migrate_work); /* each run goes on from what the one before has left */
}

TEST(a_schema_change_on_a_server_meets_every_fault)
{
    with_database(migrate_sweep);
}

static char copy_place[64];

static ax_status
copy_work(struct ax_ctx *ctx)
{
    struct ax_postgres_config config;
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_str path = ax_str_of(copy_place);
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.url = swept_url;
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove(ctx, path), "left by the run before");
    ax_fault_benign_end();
    AX_TRY(ax_postgres_open(ctx, &config, &store));
    return ax_store_backup(store, ctx, path);
}

static void
copy_sweep(struct ax_ctx *ctx, struct ax_postgres_config *config)
{
    swept_url = config->url;
    snprintf(copy_place, sizeof copy_place, "/tmp/axiom-postgres-sweep-%d", (int)getpid());
    FAULT_SWEEP(copy_work);
    CHECK_EQ(ax_file_remove(ctx, ax_str_of(copy_place)), AX_OK);
}

TEST(a_copy_meets_every_fault)
{
    with_database(copy_sweep);
}

#include "event/outbox.h"

#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"
#include "postgres_case.h"
#include "store/migrate.h"
#include "store/postgres.h"
#include "store/sqlite.h"

static ax_status
open_store(struct ax_ctx *ctx, ax_str path, struct ax_store **out_store)
{
    struct ax_sqlite_config config;
    int version;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = path;
    AX_TRY(ax_sqlite_open(ctx, &config, out_store));
    ax_status status = ax_migrate(*out_store, ctx, &version);
    if (status != AX_OK)
        ax_store_close(*out_store);
    return status;
}

/* Fact i; every third without payload. Its transaction is committed, or not. */
static ax_status
put(struct ax_ctx *ctx, struct ledger_case *at, struct ax_store *store, uint64_t i, bool keep)
{
    struct ax_event event;
    ax_str payload;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ledger_case_fact(ctx, at, i, &event, &payload));
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_outbox_put(tx, ctx, at->vault, &event, payload));
    return keep ? ax_store_commit(ax_take(tx), ctx) : AX_OK;
}

static uint64_t
waiting(struct ax_ctx *ctx, struct ax_store *store)
{
    uint64_t count = UINT64_MAX;
    CHECK_EQ(ax_outbox_waiting(store, ctx, &count), AX_OK);
    return count;
}

static void
once(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_store *store = NULL;
    size_t count;
    ax_str path = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("store.db"));
    CHECK_EQ(open_store(ctx, path, &store), AX_OK);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 0);
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_EQ(put(ctx, at, store, i, false), AX_OK); /* rolled back: never happened */
        CHECK_EQ(put(ctx, at, store, i, true), AX_OK);
    }
    CHECK_EQ(waiting(ctx, store), 10);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 4, &count), AX_OK);
    CHECK_EQ(count, 4);
    CHECK_EQ(waiting(ctx, store), 6);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 6);
    CHECK_EQ(waiting(ctx, store), 0);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 0);
    for (uint64_t i = 10; i < 13; i++)
        CHECK_EQ(put(ctx, at, store, i, true), AX_OK);
    ax_store_close(store);
    ax_ledger_close(ledger);
    CHECK_EQ(open_store(ctx, path, &store), AX_OK);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 3);
    CHECK_EQ(ax_ledger_size(ledger), 13);
    for (uint64_t i = 0; i < 13; i++) {
        struct ax_event event;
        ax_str text;
        ledger_case_check(ctx, ledger, i, i, true);
        CHECK_EQ(ax_ledger_read_payload(ledger, ctx, i, &event, &text), AX_OK);
        CHECK_STR(event.producer, "outbox");
    }
    ax_store_close(store);
    ax_ledger_close(ledger);
}

TEST(outbox_drains_each_fact_once)
{
    ledger_case_run(once);
}

/* The rows come back, as after a crash between the ledger and the delete: nothing twice. */
static void
crash_between(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_store *store = NULL;
    size_t count;
    ax_str path = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("store.db"));
    ax_str before = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("before.db"));
    CHECK_EQ(open_store(ctx, path, &store), AX_OK);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_EQ(put(ctx, at, store, i, true), AX_OK);
    CHECK_EQ(ax_store_backup(store, ctx, before), AX_OK);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    ax_store_close(store);
    CHECK_EQ(open_store(ctx, before, &store), AX_OK);
    CHECK_EQ(waiting(ctx, store), 5);
    CHECK_EQ(put(ctx, at, store, 5, true), AX_OK);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 6);
    CHECK_EQ(ax_ledger_size(ledger), 6);
    for (uint64_t i = 0; i < 6; i++)
        ledger_case_check(ctx, ledger, i, i, true);
    /* A row that is gone is a gap: what follows is refused, and stays. */
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    for (uint64_t i = 6; i < 9; i++)
        CHECK_EQ(put(ctx, at, store, i, true), AX_OK);
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(
        ax_store_run(tx, ctx, AX_STR("delete from outbox where id = 8"), AX_STORE_NO_PARAMS, NULL),
        AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_INVALID);
    CHECK(strstr(ctx->error, "fact 9") != NULL);
    CHECK_EQ(ax_ledger_size(ledger), 7);
    CHECK_EQ(waiting(ctx, store), 1);
    ax_store_close(store);
    ax_ledger_close(ledger);
}

TEST(outbox_is_safe_against_a_crash_and_a_lost_row)
{
    ledger_case_run(crash_between);
}

static void
refusals(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_store *store = NULL;
    struct ax_event event = {.payload_bytes = 3, .kind = AX_EVENT_CHANGE};
    size_t count;
    ax_str path = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("store.db"));
    CHECK_EQ(open_store(ctx, path, &store), AX_OK);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_outbox_put(tx, ctx, at->vault, &event, AX_STR("")), AX_INVALID);
    event.payload_bytes = 0;
    event.kind = 0;
    CHECK_EQ(ax_outbox_put(tx, ctx, NULL, &event, AX_STR("")), AX_INVALID);
    ax_store_rollback(ax_take(tx));
    CHECK_EQ(put(ctx, at, store, 0, true), AX_OK);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    ax_ledger_fail(ledger, "for a test");
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_UNAVAILABLE);
    CHECK_EQ(waiting(ctx, store), 1); /* it stays */
    ax_ledger_free(ledger);
    ax_store_close(store);
}

TEST(outbox_keeps_what_the_ledger_does_not_take)
{
    ledger_case_run(refusals);
}

/* ---- faults ---- */

static struct ledger_case *sweep_case;
static struct ax_ledger *sweep_ledger;
static struct ax_store *sweep_store;
static uint64_t sweep_number;

static ax_status
put_and_drain(struct ax_ctx *ctx)
{
    size_t count;
    AX_TRY(put(ctx, sweep_case, sweep_store, sweep_number, true));
    sweep_number++;
    return ax_outbox_drain(sweep_store, ctx, sweep_ledger, 10, &count);
}

static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    size_t count;
    ax_str path = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("store.db"));
    sweep_case = at;
    CHECK_EQ(open_store(ctx, path, &sweep_store), AX_OK);
    CHECK_EQ(ledger_case_open(ctx, at, &sweep_ledger), AX_OK);
    ledger_case_make_keys(ctx, at);
    FAULT_SWEEP(put_and_drain);
    CHECK_EQ(ax_outbox_drain(sweep_store, ctx, sweep_ledger, 1'000, &count), AX_OK);
    CHECK_EQ(waiting(ctx, sweep_store), 0);
    for (uint64_t i = 0; i < ax_ledger_size(sweep_ledger); i++) { /* no gap, nothing twice */
        struct ax_event event;
        ax_str leaf;
        CHECK_EQ(ax_ledger_read(sweep_ledger, ctx, i, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
        CHECK_EQ(event.sequence, i + 1);
    }
    ax_store_close(sweep_store);
    ax_ledger_close(sweep_ledger);
}

TEST(outbox_notices_every_fault_and_loses_nothing)
{
    ledger_case_run(faults);
}

/* ---- several programs on one database ---- */

static ax_status
open_shared(struct ax_ctx *ctx, ax_str url, struct ax_store **out_store)
{
    struct ax_postgres_config config;
    int version;
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.url = url;
    AX_TRY(ax_postgres_open(ctx, &config, out_store));
    return ax_migrate(*out_store, ctx, &version);
}

static void
shared(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_store *store = NULL, *other = NULL;
    struct ax_store_tx *tx;
    bool theirs = false;
    size_t count = 99;
    ax_str url = postgres_case_database(ctx);
    CHECK_EQ(open_shared(ctx, url, &store), AX_OK);
    CHECK_EQ(open_shared(ctx, url, &other), AX_OK);
    REQUIRE(store && other);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_EQ(put(ctx, at, i % 2 ? store : other, i, true), AX_OK); /* numbered over both */
    CHECK_EQ(ax_store_begin(other, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_claim(tx, ctx, AX_STR("outbox"), &theirs), AX_OK);
    CHECK(theirs);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 0); /* somebody else is at it */
    CHECK_EQ(ax_ledger_size(ledger), 0);
    ax_store_rollback(tx);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 4, &count), AX_OK);
    CHECK_EQ(count, 4);
    CHECK_EQ(ax_outbox_drain(other, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 6);
    CHECK_EQ(ax_outbox_drain(store, ctx, ledger, 100, &count), AX_OK);
    CHECK_EQ(count, 0);
    CHECK_EQ(ax_ledger_size(ledger), 10);
    for (uint64_t i = 0; i < 10; i++)
        ledger_case_check(ctx, ledger, i, i, true);
    ax_store_close(other);
    ax_store_close(store);
    ax_ledger_close(ledger);
}

TEST(outbox_of_a_shared_database_is_drained_by_one_program_at_a_time)
{
    if (postgres_case_there())
        ledger_case_run(shared);
}

#include "event/outbox.h"

#include <inttypes.h>

#include "store/store.h"
#include "sys/clock.h"
#include "sys/mutex.h"

enum { DRAIN_AT_ONCE = 512 };

/* ---- putting ---- */

/* The next number. One writer at a time, and a rolled back number is used again: no gaps. */
static ax_status
next_id(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t *out_id)
{
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select coalesce(max(id), 0) from outbox"),
                            AX_STORE_NO_PARAMS, out_id));
    ++*out_id;
    return AX_OK;
}

static ax_status
put_row(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_event *event, ax_str payload)
{
    ax_writer_auto struct ax_writer fact = ax_writer_of(AX_EVENT_BYTES_MAX);
    ax_event_write(event, &fact);
    if (fact.status != AX_OK)
        return ax_fail(ctx, fact.status, "no memory for a fact");
    return ax_store_run(tx, ctx,
                        AX_STR("insert into outbox (id, kind, fact, payload, created_ns) "
                               "values ($1, $2, $3, $4, $5)"),
                        AX_STORE_PARAMS(ax_store_i64((int64_t)event->sequence),
                                        ax_store_i64((int64_t)event->kind),
                                        ax_store_blob(ax_writer_str(&fact)), ax_store_blob(payload),
                                        ax_store_i64(event->event_ns)),
                        NULL);
}

ax_status
ax_outbox_put(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_vault *vault,
              const struct ax_event *event, ax_str payload)
{
    struct ax_event fact = *event;
    int64_t id;
    fact.producer = AX_STR("outbox");
    fact.event_ns = fact.event_ns ? fact.event_ns : ax_clock_real_ns();
    AX_TRY(ax_event_check(ctx, &fact));
    if (fact.payload_bytes != payload.len)
        return ax_fail(ctx, AX_INVALID,
                       "the fact says that its payload has %" PRIu64 " bytes and it has %zu",
                       fact.payload_bytes, payload.len);
    if (vault)
        AX_TRY(ax_vault_commit(vault, ctx));
    AX_TRY(next_id(tx, ctx, &id));
    fact.sequence = (uint64_t)id;
    ax_status status = put_row(tx, ctx, &fact, payload);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "note fact %" PRId64, id);
}

/* ---- draining ---- */

/* Facts on their way to the ledger; whoever waits is woken by the last of them. */
struct drain {
    struct ax_mutex mutex;
    struct ax_cond cond;
    size_t under_way; /* guarded by mutex */
    struct ax_ledger_entry *entries;
    size_t count;
};

static void
drain_done(struct ax_ledger_entry *entry)
{
    struct drain *drain = entry->arg;
    ax_mutex_lock(&drain->mutex);
    if (--drain->under_way == 0)
        ax_cond_signal(&drain->cond);
    ax_mutex_unlock(&drain->mutex);
}

static ax_status
take_row(struct ax_ctx *ctx, struct ax_store_rows *rows, struct drain *drain)
{
    struct ax_ledger_entry *entry = &drain->entries[drain->count];
    int64_t id = ax_store_read_i64(rows, 0);
    ax_str fact = ax_store_read_blob(rows, 1);
    entry->payload = ax_store_read_blob(rows, 2);
    entry->vital = true;
    entry->done = drain_done;
    entry->arg = drain;
    if (rows->status != AX_OK)
        return rows->status;
    ax_status status = ax_event_read(ctx, fact, &entry->event);
    if (status != AX_OK)
        return ax_explain(ctx, AX_CORRUPT, "row %" PRId64 " of the outbox", id);
    if (entry->event.sequence != (uint64_t)id ||
        !ax_str_eq(entry->event.producer, AX_STR("outbox")))
        return ax_fail(ctx, AX_CORRUPT, "row %" PRId64 " of the outbox holds another fact", id);
    drain->count++;
    return AX_OK;
}

static ax_status
read_rows(struct ax_store_tx *tx, struct ax_ctx *ctx, size_t count_max, struct drain *drain)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, fact, payload from outbox where length(fact) > 0 "
                                 "order by id limit $1"),
                          AX_STORE_PARAMS(ax_store_i64((int64_t)count_max)), &rows));
    while (status == AX_OK && ax_store_next(rows))
        status = take_row(ctx, rows, drain);
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

/* Hands them in, in order, and waits. out_count: those at the front that are durable. */
static ax_status
hand_in(struct drain *drain, struct ax_ctx *ctx, struct ax_ledger *ledger, size_t *out_count)
{
    ax_status status = AX_OK;
    size_t sent = 0;
    ax_mutex_lock(&drain->mutex);
    drain->under_way = 1; /* this thread's own, so that the count is not 0 before the end */
    ax_mutex_unlock(&drain->mutex);
    for (; status == AX_OK && sent < drain->count; sent += status == AX_OK) {
        ax_mutex_lock(&drain->mutex);
        drain->under_way++;
        ax_mutex_unlock(&drain->mutex);
        status = ax_ledger_submit(ledger, ctx, &drain->entries[sent]);
    }
    ax_mutex_lock(&drain->mutex);
    drain->under_way -= status == AX_OK ? 1 : 2;
    while (drain->under_way > 0)
        ax_cond_wait(&drain->cond, &drain->mutex);
    ax_mutex_unlock(&drain->mutex);
    size_t durable = 0;
    while (durable < sent && drain->entries[durable].status == AX_OK)
        durable++;
    *out_count = durable;
    if (status != AX_OK || durable == sent)
        return status;
    return ax_fail(ctx, drain->entries[durable].status,
                   "fact %" PRIu64 " of the outbox was not taken by the ledger",
                   drain->entries[durable].event.sequence);
}

/* The rows up to this one have done their work; the last of them goes on counting. */
static ax_status
remove_rows(struct ax_store *store, struct ax_ctx *ctx, uint64_t last)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from outbox where id < $1"),
                        AX_STORE_PARAMS(ax_store_i64((int64_t)last)), NULL));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("update outbox set fact = $2, payload = $2 where id = $1"),
                        AX_STORE_PARAMS(ax_store_i64((int64_t)last), ax_store_blob(AX_STR(""))),
                        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

/* One program drains at a time: until `tx` ends, with the rows deleted, it is this one. */
static ax_status
claim_rows(struct ax_store_tx *tx, struct ax_ctx *ctx, size_t count_max, struct drain *drain)
{
    bool mine = false;
    AX_TRY(ax_store_claim(tx, ctx, AX_STR("outbox"), &mine));
    return mine ? read_rows(tx, ctx, count_max, drain) : AX_OK;
}

ax_status
ax_outbox_drain(struct ax_store *store, struct ax_ctx *ctx, struct ax_ledger *ledger,
                size_t count_max, size_t *out_count)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct drain drain = {};
    size_t durable = 0;
    if (count_max > DRAIN_AT_ONCE)
        count_max = DRAIN_AT_ONCE;
    drain.entries = AX_NEW_ARRAY(ctx->arena, struct ax_ledger_entry, count_max + 1);
    if (!drain.entries)
        return ax_fail(ctx, AX_LIMIT, "no memory to drain the outbox");
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(claim_rows(tx, ctx, count_max, &drain));
    if (drain.count == 0) {
        *out_count = 0;
        return AX_OK;
    }
    ax_mutex_init(&drain.mutex);
    ax_cond_init(&drain.cond);
    ax_status status = hand_in(&drain, ctx, ledger, &durable);
    ax_cond_done(&drain.cond);
    ax_mutex_done(&drain.mutex);
    if (durable > 0) {
        struct ax_ctx second = ax_ctx_of(ctx->arena);
        ax_status removed = remove_rows(store, &second, drain.entries[durable - 1].event.sequence);
        if (status == AX_OK && removed != AX_OK)
            status = ax_fail(ctx, removed, "clear the outbox: %s", second.error);
    }
    if (status == AX_OK)
        *out_count = durable;
    return status;
}

ax_status
ax_outbox_waiting(struct ax_store *store, struct ax_ctx *ctx, uint64_t *out_count)
{
    int64_t count;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from outbox where length(fact) > 0"),
                            AX_STORE_NO_PARAMS, &count));
    *out_count = (uint64_t)count;
    return AX_OK;
}

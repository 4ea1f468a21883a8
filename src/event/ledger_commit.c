#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "event/ledger_state.h"
#include "sys/clock.h"

enum { PREPARE_EVERY_BYTES = 1 << 20, GROW_NS = 5'000'000 };

/* ---- failing for good ---- */

void
ax_ledger_fail(struct ax_ledger *ledger, const char *error)
{
    ax_mutex_lock(&ledger->mutex);
    if (!ledger->failed) {
        ledger->failed = true;
        snprintf(ledger->error, sizeof ledger->error, "%s", error);
    }
    ax_cond_broadcast(&ledger->grown);
    ax_cond_broadcast(&ledger->published);
    ax_mutex_unlock(&ledger->mutex);
}

/* ---- staging: each entry gets its place ---- */

/* A batch on its way to the disk. */
struct batch {
    struct ax_merkle_range range; /* with what is staged */
    size_t count;                 /* new records */
    uint64_t bytes;               /* in the log */
    bool has_payloads;
    int64_t now_ns;
};

/* The sequence this entry gets; 0 when it is a duplicate. */
static ax_status
take_sequence(struct ax_ctx *ctx, struct ax_producer *producer, struct ax_ledger_entry *entry,
              uint64_t *out_sequence)
{
    uint64_t next = producer->staged_sequence + 1, wanted = entry->event.sequence;
    if (wanted > next)
        return ax_fail(ctx, AX_INVALID,
                       "%.*s handed in its fact %" PRIu64 " and the ledger has none behind %" PRIu64
                       ": facts were lost on the way",
                       AX_FMT(entry->event.producer), wanted, next - 1);
    entry->duplicate = wanted != 0 && wanted < next;
    *out_sequence = entry->duplicate ? 0 : next;
    if (entry->duplicate)
        entry->index = ax_producer_index(producer, wanted);
    return AX_OK;
}

/* The leaf's bytes behind those of the batch; the record points to them once all are written. */
static ax_status
write_leaf(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_event *event,
           ax_str *out_leaf)
{
    size_t start = ledger->leaves.len;
    ax_event_write(event, &ledger->leaves);
    if (ledger->leaves.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a leaf");
    *out_leaf = (ax_str){ledger->leaves.at + start, ledger->leaves.len - start};
    return AX_OK;
}

static ax_status
stage_entry(struct ax_ledger *ledger, struct ax_ctx *ctx, struct batch *batch,
            struct ax_ledger_entry *entry)
{
    struct ax_producer *producer;
    struct ax_event event = entry->event;
    ax_str leaf;
    AX_TRY(ax_producers_need(&ledger->producers, ctx, event.producer, &producer));
    AX_TRY(take_sequence(ctx, producer, entry, &event.sequence));
    if (entry->duplicate)
        return AX_OK;
    event.previous = producer->staged_previous;
    event.log_ns = batch->now_ns;
    event.event_ns = event.event_ns ? event.event_ns : batch->now_ns;
    AX_TRY(write_leaf(ledger, ctx, &event, &leaf));
    ax_digest hash = ax_merkle_leaf(leaf);
    entry->index = batch->range.size;
    ax_merkle_push(&batch->range, hash);
    ax_producer_stage(producer, hash, entry->index);
    ledger->records[batch->count++] =
        (struct ax_segment_log_record){.bytes = leaf, .attachment = entry->payload};
    batch->bytes += ax_segment_log_record_bytes(leaf.len, entry->payload.len);
    batch->has_payloads = batch->has_payloads || entry->payload.len > 0;
    return AX_OK;
}

/* The buffer may have moved while it grew: the leaves stand in it one behind the other. */
static void
point_records(struct ax_ledger *ledger, size_t count)
{
    const char *at = ledger->leaves.at;
    for (size_t i = 0; i < count; i++) {
        ledger->records[i].bytes.at = at;
        at += ledger->records[i].bytes.len;
    }
}

/* ---- writing ---- */

/*
 * What cannot be undone comes after what can fail and leave all as it was (LIMIT). Keys first: a
 * fact on the disk whose key is not would be lost.
 */
static ax_status
write_batch(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct batch *batch)
{
    ax_digest root = ax_merkle_root(&batch->range);
    AX_TRY(ax_segment_log_reserve(ledger->log, ctx, batch->bytes));
    if (batch->has_payloads && ledger->vault)
        AX_TRY(ax_vault_commit(ledger->vault, ctx));
    AX_TRY(ax_segment_log_write(ledger->log, ctx, ledger->records, batch->count, root.bytes));
    return ax_segment_log_sync(ledger->log, ctx);
}

/* The batch is durable: everybody may know. */
static void
settle(struct ax_ledger *ledger, const struct batch *batch, int64_t sync_ns)
{
    struct ax_segment_log_state state;
    ax_segment_log_state(ledger->log, &state);
    ledger->range = batch->range;
    ax_mutex_lock(&ledger->mutex);
    ax_producers_settle(&ledger->producers);
    ledger->durable = (struct ax_merkle_head){batch->range.size, ax_merkle_root(&batch->range)};
    ledger->batches++;
    ledger->sync_ns = sync_ns;
    if (batch->now_ns > ledger->newest_ns)
        ledger->newest_ns = batch->now_ns;
    if (state.bytes >= ledger->prepared_at + PREPARE_EVERY_BYTES) {
        ledger->prepared_at = state.bytes;
        ledger->prepare_wanted = true;
        ax_cond_signal(&ledger->for_builder);
    }
    ax_cond_broadcast(&ledger->grown);
    ax_mutex_unlock(&ledger->mutex);
}

static void
give_status(struct ax_ledger_entry *chain, ax_status status)
{
    for (struct ax_ledger_entry *entry = chain; entry; entry = entry->next_)
        if (entry->status == AX_OK)
            entry->status = status;
}

ax_status
ax_ledger_commit(struct ax_ledger *ledger, struct ax_ctx *ctx, struct ax_ledger_entry *chain)
{
    struct batch batch = {.range = ledger->range, .now_ns = ax_clock_real_ns()};
    ax_writer_clear(&ledger->leaves);
    for (struct ax_ledger_entry *entry = chain; entry; entry = entry->next_) {
        entry->duplicate = false;
        entry->index = UINT64_MAX;
        entry->status = stage_entry(ledger, ctx, &batch, entry);
    }
    if (ledger->leaves.status != AX_OK || batch.count == 0) {
        bool short_of_memory = ledger->leaves.status != AX_OK;
        ax_producers_drop(&ledger->producers);
        if (short_of_memory)
            give_status(chain, AX_LIMIT);
        return short_of_memory ? ax_fail(ctx, AX_LIMIT, "no memory for a batch") : AX_OK;
    }
    point_records(ledger, batch.count);
    int64_t begin_ns = ax_clock_monotonic_ns();
    ax_status status = write_batch(ledger, ctx, &batch);
    if (status == AX_OK) {
        settle(ledger, &batch, ax_clock_monotonic_ns() - begin_ns);
        return AX_OK;
    }
    ax_producers_drop(&ledger->producers);
    if (status != AX_LIMIT) {
        status = ax_explain(ctx, AX_UNAVAILABLE, "the ledger has failed");
        ax_ledger_fail(ledger, ctx->error);
    }
    give_status(chain, AX_UNAVAILABLE); /* LIMIT here is a full disk: no caller's fault */
    return status;
}

/* ---- the thread ---- */

/* The next batch, taken off the queue; NULL when there is none. The caller holds the mutex. */
static struct ax_ledger_entry *
take_chain(struct ax_ledger *ledger)
{
    struct ax_ledger_entry *chain = ledger->first, *last = NULL;
    uint64_t bytes = 0, count = 0;
    for (struct ax_ledger_entry *entry = chain; entry; entry = entry->next_) {
        bytes += entry->payload.len + ax_event_bytes_max(&entry->event);
        if (last && (count == (uint64_t)ledger->config.batch_records_max ||
                     bytes > (uint64_t)ledger->config.batch_bytes_max))
            break;
        last = entry;
        count++;
        ledger->awaited -= !entry->unawaited_;
    }
    if (!last)
        return NULL;
    ledger->first = last->next_;
    if (!ledger->first)
        ledger->last = NULL;
    last->next_ = NULL;
    ledger->queued -= count;
    return chain;
}

static void
call_done(struct ax_ledger_entry *chain)
{
    for (struct ax_ledger_entry *entry = chain, *next; entry; entry = next) {
        next = entry->next_; /* the entry is its caller's again when done has begun */
        entry->next_ = NULL;
        entry->done(entry);
    }
}

static void
run_batch(struct ax_ledger *ledger, struct ax_ledger_entry *chain, bool failed)
{
    struct ax_ctx ctx = ax_ctx_of(ledger->writer_scratch);
    ax_arena_reset(ledger->writer_scratch);
    if (failed) {
        for (struct ax_ledger_entry *entry = chain; entry; entry = entry->next_)
            entry->status = AX_UNAVAILABLE;
    } else {
        ax_status status = ax_ledger_commit(ledger, &ctx, chain);
        if (status == AX_LIMIT) { /* the disk is full, or memory: look again before more comes */
            ax_mutex_lock(&ledger->mutex);
            ledger->reserved = true;
            ledger->space_next_ns = 0;
            ax_cond_signal(&ledger->for_builder);
            ax_mutex_unlock(&ledger->mutex);
        }
    }
    call_done(chain);
}

static void
heartbeat_done(struct ax_ledger_entry *entry)
{
    (void)entry; /* a heartbeat that was not written is missed by whoever listens */
}

/* Of facts that nobody waits for: the first starts the wait for more, half a batch ends it. */
bool
ax_ledger_writer_should_look(const struct ax_ledger *ledger)
{
    return ledger->queued == 1 || 2 * ledger->queued >= (uint64_t)ledger->config.batch_records_max;
}

/* One commit for all that come in these milliseconds, unless somebody waits for one of them. */
static void
let_batch_grow(struct ax_ledger *ledger) AX_REQUIRES(ledger->mutex)
{
    int64_t deadline_ns = ax_clock_monotonic_ns() + GROW_NS;
    ledger->writer_waits = true;
    while (ledger->first && ledger->awaited == 0 && !ledger->closing && !ledger->failed &&
           2 * ledger->queued < (uint64_t)ledger->config.batch_records_max)
        if (!ax_cond_wait_until(&ledger->for_writer, &ledger->mutex, deadline_ns))
            break;
    ledger->writer_waits = false;
}

/* Waits for work or for the heart to beat; true when it should. The caller holds the mutex. */
static bool
wait_for_work(struct ax_ledger *ledger) AX_REQUIRES(ledger->mutex)
{
    int64_t interval_ns = ledger->config.heartbeat_interval_ms * 1'000'000;
    int64_t deadline_ns = interval_ns > 0 ? ax_clock_monotonic_ns() + interval_ns : INT64_MAX;
    bool late = false;
    ledger->writer_waits = true;
    while (!ledger->first && !ledger->closing && !late) {
        if (interval_ns > 0)
            late = !ax_cond_wait_until(&ledger->for_writer, &ledger->mutex, deadline_ns);
        else
            ax_cond_wait(&ledger->for_writer, &ledger->mutex);
    }
    ledger->writer_waits = false;
    let_batch_grow(ledger);
    return late && !ledger->first && !ledger->failed && !ledger->reserved;
}

void
ax_ledger_writer_run(void *arg)
{
    struct ax_ledger *ledger = arg;
    struct ax_ledger_entry heartbeat = {
        .event = {.kind = AX_EVENT_HEARTBEAT, .producer = AX_STR("ledger")},
        .done = heartbeat_done,
    };
    ax_mutex_lock(&ledger->mutex);
    for (;;) {
        struct ax_ledger_entry *chain = wait_for_work(ledger) ? &heartbeat : take_chain(ledger);
        bool failed = ledger->failed;
        if (!chain && ledger->closing)
            break;
        ax_mutex_unlock(&ledger->mutex);
        if (chain)
            run_batch(ledger, chain, failed);
        ax_mutex_lock(&ledger->mutex);
    }
    ledger->writer_ended = true;
    ax_cond_signal(&ledger->for_builder);
    ax_mutex_unlock(&ledger->mutex);
}

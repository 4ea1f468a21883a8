#include "event/ledger.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "event/ledger_state.h"
#include "sys/clock.h"

#define FIELD(member) offsetof(struct ax_ledger_config, member)

static const struct ax_setting rows[] = {
    {"segment_bytes", "size of a segment of the log", AX_SETTING_BYTES, FIELD(segment_bytes),
     64 << 20, 1 << 20, 1 << 30, NULL},
    {"batch_records_max", "facts in one group commit", AX_SETTING_COUNT, FIELD(batch_records_max),
     1'024, 1, 4'096, NULL},
    {"batch_bytes_max", "bytes in one group commit", AX_SETTING_BYTES, FIELD(batch_bytes_max),
     4 << 20, 64 << 10, 64 << 20, NULL},
    {"queue_records_max", "facts that may wait", AX_SETTING_COUNT, FIELD(queue_records_max), 16'384,
     1, 1 << 20, NULL},
    {"queue_bytes_max", "bytes held by facts that nobody waits for", AX_SETTING_BYTES,
     FIELD(queue_bytes_max), 64 << 20, 1 << 20, 1 << 30, NULL},
    {"payload_bytes_max", "size of one sealed payload", AX_SETTING_BYTES, FIELD(payload_bytes_max),
     1'100'000, 1'024, 2'000'000, NULL},
    {"publish_interval_ms", "between signed checkpoints while facts arrive", AX_SETTING_DURATION_MS,
     FIELD(publish_interval_ms), 1'000, 10, 3'600'000, NULL},
    {"checkpoint_interval_ms", "between checkpoints kept in the history", AX_SETTING_DURATION_MS,
     FIELD(checkpoint_interval_ms), 60'000, 0, 86'400'000, NULL},
    {"heartbeat_interval_ms", "silence after which a heartbeat is written; 0 for none",
     AX_SETTING_DURATION_MS, FIELD(heartbeat_interval_ms), 10'000, 0, 3'600'000, NULL},
    {"reserve_percent", "of the disk, kept for facts that must not be refused", AX_SETTING_NUMBER,
     FIELD(reserve_percent), 5, 0, 100, NULL},
    {"prepare_bytes",
     "zero-filled ahead of the writer at first; doubled when it ran into the end of them",
     AX_SETTING_BYTES, FIELD(prepare_bytes), 16 << 20, 1 << 20, 1 << 30, NULL},
};

const struct ax_settings ax_ledger_settings = {"ledger", rows, AX_COUNT_OF(rows)};

/* ---- opening and closing ---- */

ax_status
ax_ledger_open(struct ax_ctx *ctx, const struct ax_ledger_config *config,
               const struct ax_ledger_place *place, struct ax_ledger **out_ledger)
{
    struct ax_ledger *ledger;
    AX_TRY(ax_ledger_open_still(ctx, config, place, &ledger));
    ax_status status =
        ax_thread_start(ctx, "ledger", ax_ledger_writer_run, ledger, &ledger->writer_thread);
    if (status == AX_OK) {
        status = ax_thread_start(ctx, "ledger-tiles", ax_ledger_builder_run, ledger,
                                 &ledger->builder_thread);
        if (status != AX_OK) {
            ax_mutex_lock(&ledger->mutex);
            ledger->closing = true;
            ax_cond_signal(&ledger->for_writer);
            ax_mutex_unlock(&ledger->mutex);
            ax_thread_join(ledger->writer_thread);
        }
    }
    if (status != AX_OK) {
        ax_ledger_free(ledger);
        return ax_explain(ctx, status, "threads of the ledger");
    }
    *out_ledger = ledger;
    return AX_OK;
}

void
ax_ledger_close(struct ax_ledger *ledger)
{
    ax_mutex_lock(&ledger->mutex);
    ledger->closing = true;
    ax_cond_signal(&ledger->for_writer);
    ax_cond_broadcast(&ledger->grown);
    ax_mutex_unlock(&ledger->mutex);
    ax_thread_join(ledger->writer_thread);
    ax_thread_join(ledger->builder_thread);
    ax_ledger_free(ledger);
}

/* ---- handing in ---- */

static ax_status
refuse_failed(struct ax_ctx *ctx, const char *error)
{
    return ax_fail(ctx, AX_UNAVAILABLE, "nothing is recorded until the server is started again: %s",
                   error);
}

static ax_status
refuse_reserve(struct ax_ctx *ctx, uint64_t free_bytes, uint64_t total_bytes)
{
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "the disk of the ledger is nearly full (%" PRIu64 " of %" PRIu64
                   " MiB free): the rest is kept for vital facts",
                   free_bytes >> 20, total_bytes >> 20);
}

static ax_status
check_entry(const struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_event *event,
            ax_str payload)
{
    AX_TRY(ax_event_check(ctx, event));
    if (payload.len > (size_t)ledger->config.payload_bytes_max)
        return ax_fail(ctx, AX_INVALID,
                       "a sealed payload of %zu bytes, at most %" PRId64 " are allowed",
                       payload.len, ledger->config.payload_bytes_max);
    if (payload.len != event->payload_bytes)
        return ax_fail(ctx, AX_INVALID,
                       "the fact says that its payload has %" PRIu64 " bytes and it has %zu",
                       event->payload_bytes, payload.len);
    return AX_OK;
}

/* Whether one more is taken; its words are copied since another thread may write them. */
static ax_status
admit(const struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_ledger_entry *entry,
      size_t copied_bytes) AX_REQUIRES(ledger->mutex)
{
    if (ledger->failed)
        return refuse_failed(ctx, ledger->error);
    if (ledger->closing)
        return ax_fail(ctx, AX_UNAVAILABLE, "the ledger is closing");
    if (ledger->reserved && !entry->vital)
        return refuse_reserve(ctx, ledger->disk_free_bytes, ledger->disk_total_bytes);
    if (ledger->queued >= (uint64_t)ledger->config.queue_records_max)
        return ax_fail(ctx, AX_LIMIT, "%" PRIu64 " facts wait for the disk: no more are taken",
                       ledger->queued);
    if (copied_bytes &&
        ledger->copied_bytes + copied_bytes > (uint64_t)ledger->config.queue_bytes_max)
        return ax_fail(ctx, AX_LIMIT,
                       "%" PRIu64 " bytes of facts wait for the disk: no more are "
                       "taken",
                       ledger->copied_bytes);
    return AX_OK;
}

static ax_status
enqueue(struct ax_ledger *ledger, struct ax_ctx *ctx, struct ax_ledger_entry *entry,
        size_t copied_bytes)
{
    entry->next_ = NULL;
    ax_mutex_lock(&ledger->mutex);
    ax_status status = admit(ledger, ctx, entry, copied_bytes);
    if (status == AX_OK) {
        if (ledger->last)
            ledger->last->next_ = entry;
        else
            ledger->first = entry;
        ledger->last = entry;
        ledger->queued++;
        ledger->copied_bytes += copied_bytes;
        ledger->awaited += !entry->unawaited_;
        if (ledger->writer_waits && (!entry->unawaited_ || ax_ledger_writer_should_look(ledger)))
            ax_cond_signal(&ledger->for_writer);
    }
    ax_mutex_unlock(&ledger->mutex);
    return status;
}

ax_status
ax_ledger_submit(struct ax_ledger *ledger, struct ax_ctx *ctx, struct ax_ledger_entry *entry)
{
    AX_ASSERT(entry->done != NULL);
    AX_TRY(check_entry(ledger, ctx, &entry->event, entry->payload));
    return enqueue(ledger, ctx, entry, 0);
}

/* A fact that nobody waits for, with all it points to in one block. */
struct copy {
    struct ax_ledger_entry entry;
    struct ax_ledger *ledger;
    size_t bytes;
    char data[];
};

static void
copy_done(struct ax_ledger_entry *entry)
{
    struct copy *copy = (struct copy *)entry;
    ax_mutex_lock(&copy->ledger->mutex);
    copy->ledger->copied_bytes -= copy->bytes;
    ax_mutex_unlock(&copy->ledger->mutex);
    ax_free(copy);
}

static void
move_text(ax_str *text, char **at)
{
    if (text->len)
        memcpy(*at, text->at, text->len);
    text->at = *at;
    *at += text->len;
}

ax_status
ax_ledger_queue(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_event *event,
                ax_str payload)
{
    AX_TRY(check_entry(ledger, ctx, event, payload));
    size_t texts = event->producer.len + event->clock_source.len + event->actor.len +
                   event->object.len + event->build_id.len + event->body.len + payload.len;
    struct copy *copy = ax_alloc(1, sizeof *copy + texts);
    if (!copy)
        return ax_fail(ctx, AX_LIMIT, "no memory to queue a fact");
    char *at = copy->data;
    copy->ledger = ledger;
    copy->bytes = sizeof *copy + texts;
    copy->entry = (struct ax_ledger_entry){
        .event = *event,
        .payload = payload,
        .vital = event->kind == AX_EVENT_ACCESS_ALLOWED, /* as what is then done: a kill, say */
        .done = copy_done,
        .unawaited_ = true};
    struct ax_event *own = &copy->entry.event;
    ax_str *const fields[] = {&own->producer, &own->clock_source, &own->actor,         &own->object,
                              &own->build_id, &own->body,         &copy->entry.payload};
    for (size_t i = 0; i < AX_COUNT_OF(fields); i++)
        move_text(fields[i], &at);
    ax_status status = enqueue(ledger, ctx, &copy->entry, copy->bytes);
    if (status != AX_OK)
        ax_free(copy);
    return status;
}

/* Who waits for an entry of their own. */
struct waiter {
    struct ax_mutex mutex;
    struct ax_cond cond;
    bool done;
};

static void
waiter_done(struct ax_ledger_entry *entry)
{
    struct waiter *waiter = entry->arg;
    ax_mutex_lock(&waiter->mutex);
    waiter->done = true;
    ax_cond_signal(&waiter->cond);
    ax_mutex_unlock(&waiter->mutex);
}

static void
wait_done(struct waiter *waiter)
{
    ax_mutex_lock(&waiter->mutex);
    while (!waiter->done)
        ax_cond_wait(&waiter->cond, &waiter->mutex);
    ax_mutex_unlock(&waiter->mutex);
}

static ax_status
say_refused(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_status status)
{
    ax_status present = ax_ledger_check(ledger, ctx);
    if (present == status)
        return present;
    return ax_fail(ctx, status,
                   status == AX_INVALID ? "its producer's sequence has a gap: facts were lost"
                                        : "the fact could not be written");
}

ax_status
ax_ledger_append(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_event *event,
                 ax_str payload, uint64_t *out_index)
{
    struct waiter waiter = {};
    struct ax_ledger_entry entry = {
        .event = *event, .payload = payload, .vital = true, .done = waiter_done, .arg = &waiter};
    ax_mutex_init(&waiter.mutex);
    ax_cond_init(&waiter.cond);
    ax_status status = ax_ledger_submit(ledger, ctx, &entry);
    if (status == AX_OK) {
        wait_done(&waiter);
        status = entry.status == AX_OK ? AX_OK : say_refused(ledger, ctx, entry.status);
    }
    ax_cond_done(&waiter.cond);
    ax_mutex_done(&waiter.mutex);
    if (status == AX_OK && out_index)
        *out_index = entry.index;
    return status;
}

ax_status
ax_ledger_check(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_status status = AX_OK;
    ax_mutex_lock(&ledger->mutex);
    if (ledger->failed)
        status = refuse_failed(ctx, ledger->error);
    else if (ledger->reserved)
        status = refuse_reserve(ctx, ledger->disk_free_bytes, ledger->disk_total_bytes);
    ax_mutex_unlock(&ledger->mutex);
    return status;
}

/* ---- looking ---- */

void
ax_ledger_stats(struct ax_ledger *ledger, struct ax_ledger_stats *out_stats)
{
    struct ax_segment_log_state log;
    ax_segment_log_state(ledger->log, &log);
    ax_mutex_lock(&ledger->mutex);
    *out_stats = (struct ax_ledger_stats){
        .size = ledger->durable.size,
        .signed_size = ledger->signed_size,
        .queued = ledger->queued,
        .batches = ledger->batches,
        .sync_ns = ledger->sync_ns,
        .log_bytes = log.bytes,
        .disk_free_bytes = ledger->disk_free_bytes,
        .disk_total_bytes = ledger->disk_total_bytes,
        .torn_bytes = ledger->torn_bytes,
        .newest_ns = ledger->newest_ns,
        .failed = ledger->failed,
        .reserved = ledger->reserved,
    };
    ax_mutex_unlock(&ledger->mutex);
}

uint64_t
ax_ledger_size(struct ax_ledger *ledger)
{
    ax_mutex_lock(&ledger->mutex);
    uint64_t size = ledger->durable.size;
    ax_mutex_unlock(&ledger->mutex);
    return size;
}

ax_status
ax_ledger_wait(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t size)
{
    bool late = false;
    ax_mutex_lock(&ledger->mutex);
    while (ledger->durable.size <= size && !ledger->failed && !ledger->closing && !late) {
        if (ctx->deadline_ns == INT64_MAX)
            ax_cond_wait(&ledger->grown, &ledger->mutex);
        else
            late = !ax_cond_wait_until(&ledger->grown, &ledger->mutex, ctx->deadline_ns);
    }
    ax_status status = AX_OK;
    if (ledger->durable.size > size)
        status = AX_OK;
    else if (ledger->failed)
        status = refuse_failed(ctx, ledger->error);
    else if (ledger->closing)
        status = ax_fail(ctx, AX_UNAVAILABLE, "the ledger is closing");
    else
        status = ax_fail(ctx, AX_TIMEOUT, "no fact came behind the first %" PRIu64, size);
    ax_mutex_unlock(&ledger->mutex);
    return status;
}

ax_str
ax_ledger_vkey(const struct ax_ledger *ledger)
{
    return ledger->vkey;
}

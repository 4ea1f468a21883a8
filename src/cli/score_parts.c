#include "cli/score_parts.h"

#include "sys/mutex.h"
#include "sys/workers.h"

enum { SLOTS_A_THREAD = 2 };

static const size_t part_bytes_max = (size_t)64 << 20;   /* a part's text */
static const size_t lines_bytes_max = (size_t)1 << 30;   /* what comes of it */
static const size_t scratch_bytes_max = (size_t)1 << 28; /* while it is worked on */

/* A part in memory. It is the worker's between start and done, the calling thread's otherwise. */
struct slot {
    struct crew *crew;
    struct ax_ctx ctx; /* its arena is emptied for each part */
    void *own;
    struct ax_writer text, lines;
    struct ax_csv_part part;
    size_t rows;
    ax_status status;
    bool started;
    bool done; /* guarded by crew->mutex */
};

struct crew {
    const struct ax_score_parts_work *work;
    struct ax_workers *workers; /* NULL: the calling thread works */
    struct ax_mutex mutex;
    struct ax_cond changed;
    struct slot *slots;
    size_t slot_count;
};

static void
slot_free(void *arg)
{
    struct slot *slot = arg;
    ax_writer_free(&slot->text);
    ax_writer_free(&slot->lines);
    if (slot->ctx.arena)
        ax_arena_free(slot->ctx.arena);
}

static ax_status
open_slots(struct ax_ctx *ctx, struct crew *crew, size_t count)
{
    crew->slots = AX_NEW_ARRAY(ctx->arena, struct slot, count);
    if (!crew->slots)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu parts of a table", count);
    for (; crew->slot_count < count; crew->slot_count++) {
        struct slot *slot = &crew->slots[crew->slot_count];
        if (!ax_arena_defer(ctx->arena, slot_free, slot))
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu parts of a table", count);
        slot->crew = crew;
        slot->text = ax_writer_of(part_bytes_max);
        slot->lines = ax_writer_of(lines_bytes_max);
        slot->ctx = ax_ctx_of(ax_arena_new(scratch_bytes_max));
        if (!slot->ctx.arena)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu parts of a table", count);
        AX_TRY(crew->work->open(crew->work->arg, ctx, &slot->own));
    }
    return AX_OK;
}

static void
work_on(struct slot *slot)
{
    const struct ax_score_parts_work *work = slot->crew->work;
    ax_arena_reset(slot->ctx.arena);
    ax_writer_clear(&slot->lines);
    slot->status =
        work->work(work->arg, slot->own, &slot->ctx, &slot->part, &slot->lines, &slot->rows);
    if (slot->status == AX_OK && slot->lines.status != AX_OK)
        slot->status = ax_fail(&slot->ctx, AX_LIMIT, "row %zu: no memory for the rows' answers",
                               slot->part.number);
}

static void
slot_run(void *arg)
{
    struct slot *slot = arg;
    work_on(slot);
    ax_mutex_lock(&slot->crew->mutex);
    slot->done = true;
    ax_cond_signal(&slot->crew->changed);
    ax_mutex_unlock(&slot->crew->mutex);
}

/* The queue has room for every slot. */
static ax_status
start(struct ax_ctx *ctx, struct slot *slot)
{
    slot->started = true;
    slot->done = false;
    if (!slot->crew->workers)
        work_on(slot);
    else if (!ax_workers_submit(slot->crew->workers, slot_run, slot)) {
        slot->started = false;
        return ax_fail(ctx, AX_LIMIT, "no thread takes a part of the table");
    }
    return AX_OK;
}

static ax_status
finish(struct ax_ctx *ctx, struct slot *slot)
{
    struct crew *crew = slot->crew;
    if (!slot->started)
        return AX_OK;
    ax_mutex_lock(&crew->mutex);
    while (crew->workers && !slot->done)
        ax_cond_wait(&crew->changed, &crew->mutex);
    ax_mutex_unlock(&crew->mutex);
    slot->started = false;
    if (slot->status != AX_OK)
        return ax_fail(ctx, slot->status, "%s", slot->ctx.error);
    return crew->work->give(crew->work->arg, ctx, ax_writer_str(&slot->lines), slot->rows,
                            slot->part.text.len);
}

/* Slots take turns, so that the one which is next to be filled is the oldest. */
static ax_status
run_slots(struct ax_ctx *ctx, struct ax_csv_stream *stream, struct crew *crew)
{
    ax_status status;
    size_t turn = 0;
    for (;; turn = (turn + 1) % crew->slot_count) {
        struct slot *slot = &crew->slots[turn];
        AX_TRY(finish(ctx, slot));
        status = ax_csv_stream_next(stream, ctx, &slot->text, &slot->part);
        if (status != AX_OK || slot->part.text.len == 0)
            break;
        AX_TRY(start(ctx, slot));
    }
    for (size_t i = 1; i < crew->slot_count; i++)
        AX_TRY(finish(ctx, &crew->slots[(turn + i) % crew->slot_count]));
    return status;
}

ax_status
ax_score_parts_run(struct ax_ctx *ctx, struct ax_csv_stream *stream,
                   const struct ax_score_parts_work *work, size_t threads)
{
    struct crew crew = {.work = work};
    size_t slots = threads > 1 ? threads * SLOTS_A_THREAD : 1;
    AX_TRY(open_slots(ctx, &crew, slots));
    if (threads > 1)
        AX_TRY(ax_workers_open(ctx, (int)threads, (int)slots, &crew.workers));
    ax_mutex_init(&crew.mutex);
    ax_cond_init(&crew.changed);
    ax_status status = run_slots(ctx, stream, &crew);
    if (crew.workers)
        ax_workers_close(crew.workers); /* what still runs when a part failed ends first */
    ax_cond_done(&crew.changed);
    ax_mutex_done(&crew.mutex);
    return status;
}

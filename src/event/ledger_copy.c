#include <inttypes.h>

#include "base/assert.h"
#include "event/ledger_state.h"
#include "stream/segment_shelf.h"

enum {
    CHUNK_RECORDS = 512,
    CHUNK_BYTES = 1 << 20,
    SCRATCH_BYTES_MAX = 16 << 20,
    SWEEP_RECORDS = 256,
};

#define file_auto [[gnu::cleanup(ax_file_close)]]

/* ---- backup ---- */

/* A checkpoint and the state that belongs to it. */
struct point {
    ax_str note, state_text;
    struct ax_ledger_state state;
};

static ax_status
take_point(struct ax_ledger *ledger, struct ax_ctx *ctx, struct point *out_point)
{
    struct point point = {};
    AX_TRY(ax_ledger_publish(ledger, ctx));
    ax_mutex_lock(&ledger->mutex);
    bool copied = ledger->note &&
                  ax_str_copy(ctx->arena, (ax_str){ledger->note, ledger->note_len}, &point.note) &&
                  ax_str_copy(ctx->arena, (ax_str){ledger->state_text, ledger->state_text_len},
                              &point.state_text);
    ax_mutex_unlock(&ledger->mutex);
    if (!copied)
        return ax_fail(ctx, AX_LIMIT, "no memory for a checkpoint");
    *out_point = point;
    return AX_OK;
}

static ax_status
write_file(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str text)
{
    ax_str path;
    AX_TRY(ax_ledger_path(ctx, folder, name, &path));
    return ax_file_write_atomic(ctx, path, text);
}

/* Reads the copied log from end to end: its tiles, and the proof that it is what was signed. */
static ax_status
build_tiles(struct ax_ctx *ctx, struct ax_segment_log *log, ax_str folder,
            const struct ax_merkle_head *head)
{
    struct ax_ledger_tiles tiles;
    struct ax_arena *scratch = ctx->arena;
    ax_status status = AX_OK;
    ax_ledger_tiles_init(&tiles, folder);
    while (status == AX_OK && tiles.range.size < head->size) {
        struct ax_segment_log_records found = {};
        ax_arena_reset(scratch);
        status =
            ax_segment_log_read(log, ctx, tiles.range.size, CHUNK_RECORDS, CHUNK_BYTES, &found);
        if (status == AX_OK && found.count == 0)
            status = ax_fail(ctx, AX_CORRUPT, "the copy ends at fact %" PRIu64, tiles.range.size);
        for (size_t i = 0; status == AX_OK && i < found.count && tiles.range.size < head->size; i++)
            status = ax_ledger_tiles_add(&tiles, ctx, found.items[i].bytes);
    }
    if (status == AX_OK)
        status = ax_ledger_tiles_partials(&tiles, ctx);
    if (status == AX_OK && !ax_digest_eq(ax_merkle_root(&tiles.range), head->root))
        status = ax_fail(ctx, AX_CORRUPT, "the copied log does not make the root that was signed");
    ax_ledger_tiles_done(&tiles);
    return status;
}

static ax_status
prove_copy(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str folder, ax_str log_folder,
           const struct ax_merkle_head *head)
{
    const struct ax_segment_log_config config = {
        .folder = log_folder,
        .segment_bytes = ledger->config.segment_bytes,
        .prepare_bytes = ledger->config.segment_bytes,
        .count_min = head->size,
        .read_only = true,
    };
    if (head->size == 0)
        return AX_OK;
    ax_auto(ax_segment_log_close) struct ax_segment_log *log = NULL;
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for a copy");
    AX_TRY(ax_segment_log_open(ctx, &config, &log));
    struct ax_arena *outer = ctx->arena;
    ctx->arena = scratch;
    ax_status status = build_tiles(ctx, log, folder, head);
    ctx->arena = outer;
    return status;
}

static ax_status
copy_history(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str folder, uint64_t bytes)
{
    ax_str from_path, to_path;
    file_auto ax_file from = {-1}, to = {-1};
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "checkpoints", &from_path));
    AX_TRY(ax_ledger_path(ctx, folder, "checkpoints", &to_path));
    AX_TRY(ax_file_open(ctx, from_path, AX_FILE_READ, &from));
    AX_TRY(ax_file_open(ctx, to_path, AX_FILE_CREATE_NEW, &to));
    return ax_segment_shelf_copy_bytes(ctx, from, to, 0, bytes);
}

/* The state as it was, but that no tile of the copy is sure: they are made again when opened. */
static ax_status
copy_state(struct ax_ctx *ctx, ax_str folder, struct point *point)
{
    struct ax_producers producers = {};
    struct ax_producer_mark marks[AX_PRODUCERS_MAX];
    ax_str text = {};
    ax_status status = ax_ledger_state_parse(ctx, point->state_text, &point->state, &producers);
    point->state.tiles_sure = 0;
    if (status == AX_OK)
        status = ax_ledger_state_format(ctx, &point->state, marks,
                                        ax_producers_marks(&producers, marks), &text);
    if (status == AX_OK)
        status = write_file(ctx, folder, "state", text);
    ax_producers_done(&producers);
    return status;
}

static ax_status
copy_all(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str folder, struct point *point)
{
    ax_str log_folder, vkey;
    AX_TRY(ax_ledger_path(ctx, folder, "log", &log_folder));
    if (ax_file_exists(log_folder))
        return ax_fail(ctx, AX_CONFLICT, "there is a ledger in %.*s already", AX_FMT(folder));
    AX_TRY(ax_file_make_folders(ctx, log_folder));
    AX_TRY(copy_state(ctx, folder, point));
    if (point->state.head.size > 0)
        AX_TRY(ax_segment_log_copy(ledger->log, ctx, point->state.head.size, log_folder));
    AX_TRY(prove_copy(ledger, ctx, folder, log_folder, &point->state.head));
    AX_TRY(copy_history(ledger, ctx, folder, point->state.history_bytes));
    vkey = ax_str_printf(ctx->arena, "%.*s\n", AX_FMT(ledger->vkey));
    if (!vkey.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a verifier key");
    AX_TRY(write_file(ctx, folder, "vkey", vkey));
    return write_file(ctx, folder, "checkpoint", point->note);
}

ax_status
ax_ledger_backup(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str folder, ax_str *out_note)
{
    struct point point;
    AX_TRY(take_point(ledger, ctx, &point));
    ax_status status = copy_all(ledger, ctx, folder, &point);
    if (status != AX_OK)
        return ax_explain(ctx, status, "back up the ledger to %.*s", AX_FMT(folder));
    *out_note = point.note;
    return AX_OK;
}

/* ---- sweeping ---- */

/* Whether the record holds a sealed payload whose key is no more. */
static ax_status
is_dead(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_segment_log_record *record,
        bool *out_dead)
{
    struct ax_event event;
    *out_dead = false;
    if (record->attachment.len == 0)
        return AX_OK;
    AX_TRY(ax_event_read(ctx, record->bytes, &event));
    *out_dead = ax_vault_erased(ledger->vault, event.key_id);
    return AX_OK;
}

static ax_status
sweep_some(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t from, size_t count_max,
           size_t *out_seen, size_t *out_removed)
{
    struct ax_segment_log_records found = {};
    uint64_t dead[SWEEP_RECORDS];
    size_t count = 0;
    AX_TRY(ax_segment_log_read(ledger->log, ctx, from, count_max, CHUNK_BYTES, &found));
    for (size_t i = 0; i < found.count; i++) {
        bool gone;
        AX_TRY(is_dead(ledger, ctx, &found.items[i], &gone));
        if (gone)
            dead[count++] = from + i;
    }
    if (count > 0)
        AX_TRY(ax_segment_log_erase(ledger->log, ctx, dead, count));
    *out_seen = found.count;
    *out_removed += count;
    return AX_OK;
}

ax_status
ax_ledger_sweep(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t *cursor, size_t count_max,
                size_t *out_removed)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to sweep");
    if (!ledger->vault)
        return ax_fail(ctx, AX_UNAVAILABLE, "no vault is open: nobody knows which keys are gone");
    struct ax_arena *outer = ctx->arena;
    ax_status status = AX_OK;
    size_t removed = 0, left = count_max, seen = 1;
    ctx->arena = scratch;
    while (status == AX_OK && left > 0 && seen > 0) {
        ax_arena_reset(scratch);
        status = sweep_some(ledger, ctx, *cursor, left < SWEEP_RECORDS ? left : SWEEP_RECORDS,
                            &seen, &removed);
        if (status != AX_OK)
            break;
        *cursor += seen;
        left -= seen;
    }
    ctx->arena = outer;
    *out_removed = removed;
    return status;
}

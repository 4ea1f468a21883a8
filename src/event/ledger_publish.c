#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/number.h"
#include "event/ledger_state.h"
#include "sys/clock.h"

enum {
    CHUNK_RECORDS = 512,
    CHUNK_BYTES = 1 << 20,
    SYNC_TILES_MAX = 64, /* a round */
    HEADER_BYTES_MAX = 64,
};

static const int64_t space_interval_ns = 1'000'000'000;

#define file_auto [[gnu::cleanup(ax_file_close)]]

ax_status
ax_ledger_path(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str *out_path)
{
    *out_path = ax_path_join(ctx->arena, folder, ax_str_of(name));
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* ---- the state file ---- */

ax_status
ax_ledger_state_format(struct ax_ctx *ctx, const struct ax_ledger_state *state,
                       const struct ax_producer_mark *marks, size_t mark_count, ax_str *out_text)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_LEDGER_STATE_BYTES_MAX);
    ax_digest_hex(state->head.root, hex);
    ax_writer_print(&text,
                    "axiom ledger state 1\nsize %" PRIu64 "\nroot %s\ntiles %" PRIu64
                    "\nhistory %" PRIu64 "\n",
                    state->head.size, hex, state->tiles_sure, state->history_bytes);
    ax_producers_print(marks, mark_count, &text);
    ax_digest_hex(ax_sha256(ax_writer_str(&text)), hex);
    ax_writer_print(&text, "sha256 %s\n", hex);
    ax_status status = ax_writer_take(&text, ctx->arena, out_text);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for the ledger's state");
}

/* The rest of the next line, which must begin with a word. */
static bool
take_line(ax_str *rest, ax_str word, ax_str *out_value)
{
    ax_str line;
    if (!ax_str_cut(rest, '\n', &line) || !ax_str_starts(line, word))
        return false;
    *out_value = ax_str_from(line, word.len);
    return true;
}

/* Cuts off the last line, which holds the hash of what stands before it. */
static bool
take_checksum(ax_str *text)
{
    enum { CHECKSUM_BYTES = 7 + AX_DIGEST_HEX_BYTES + 1 };
    ax_digest digest;
    if (text->len <= CHECKSUM_BYTES)
        return false;
    ax_str body = {text->at, text->len - CHECKSUM_BYTES};
    ax_str last = ax_str_from(*text, body.len);
    ax_str hex = {last.at + 7, AX_DIGEST_HEX_BYTES};
    if (!ax_str_starts(last, AX_STR("sha256 ")) || last.at[last.len - 1] != '\n' ||
        !ax_digest_parse(hex, &digest) || !ax_digest_eq(digest, ax_sha256(body)))
        return false;
    *text = body;
    return true;
}

/* A line with a number. */
static bool
take_number(ax_str *rest, ax_str word, uint64_t *out_number)
{
    ax_str value;
    return take_line(rest, word, &value) && ax_parse_u64(value, out_number);
}

static bool
take_head(ax_str *rest, struct ax_merkle_head *out_head)
{
    ax_str value;
    return take_line(rest, AX_STR("axiom ledger state 1"), &value) && value.len == 0 &&
           take_number(rest, AX_STR("size "), &out_head->size) &&
           take_line(rest, AX_STR("root "), &value) && ax_digest_parse(value, &out_head->root);
}

ax_status
ax_ledger_state_parse(struct ax_ctx *ctx, ax_str text, struct ax_ledger_state *out_state,
                      struct ax_producers *producers)
{
    struct ax_ledger_state state = {};
    bool good = take_checksum(&text) && take_head(&text, &state.head) &&
                take_number(&text, AX_STR("tiles "), &state.tiles_sure) &&
                take_number(&text, AX_STR("history "), &state.history_bytes);
    if (!good || state.tiles_sure % AX_TILE_WIDTH != 0 || state.tiles_sure > state.head.size)
        return ax_fail(ctx, AX_CORRUPT, "the ledger's state file is damaged");
    while (text.len > 0) {
        ax_str line;
        if (!ax_str_cut(&text, '\n', &line))
            break;
        AX_TRY(ax_producers_parse(producers, ctx, line));
    }
    *out_state = state;
    return AX_OK;
}

/* ---- building ---- */

/* Keeps zeros ahead of the writer. A full disk is the writer's to meet. */
static void
prepare_if_wanted(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_mutex_lock(&ledger->mutex);
    bool wanted = ledger->prepare_wanted;
    ledger->prepare_wanted = false;
    ax_mutex_unlock(&ledger->mutex);
    if (!wanted)
        return;
    ax_fault_benign_begin();
    ax_ignore(ax_segment_log_prepare(ledger->log, ctx), "the writer prepares what is missing");
    ax_fault_benign_end();
}

/* Reads back what the log holds up to size, and builds on it. */
static ax_status
build_to(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t size)
{
    while (ledger->tiles.range.size < size) {
        struct ax_segment_log_records found;
        uint64_t left = size - ledger->tiles.range.size;
        ax_arena_reset(ledger->builder_scratch);
        prepare_if_wanted(ledger, ctx);
        AX_TRY(ax_segment_log_read(ledger->log, ctx, ledger->tiles.range.size,
                                   left < CHUNK_RECORDS ? (size_t)left : CHUNK_RECORDS, CHUNK_BYTES,
                                   &found));
        if (found.count == 0)
            return ax_fail(ctx, AX_CORRUPT, "fact %" PRIu64 " is not in the log",
                           ledger->tiles.range.size);
        for (size_t i = 0; i < found.count; i++)
            AX_TRY(ax_ledger_tiles_add(&ledger->tiles, ctx, found.items[i].bytes));
    }
    return AX_OK;
}

/* A failure to write tiles leaves them in the middle: they are loaded again before the next try. */
static ax_status
rebuild(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    uint64_t sure = ledger->tiles.sure;
    ax_ledger_tiles_done(&ledger->tiles);
    ax_ledger_tiles_init(&ledger->tiles, ledger->folder);
    return ax_ledger_tiles_load(&ledger->tiles, ctx, sure, NULL, 0);
}

/* ---- signing ---- */

/* One round of the builder: what is durable becomes what is signed. */
struct round {
    struct ax_ledger_state state;
    struct ax_producer_mark marks[AX_PRODUCERS_MAX];
    size_t mark_count;
    ax_str state_text, note;
};

/* What is durable at this moment. Names of producers stay where they are until the end. */
static bool
round_begin(struct ax_ledger *ledger, struct round *round)
{
    ax_mutex_lock(&ledger->mutex);
    round->state.head = ledger->durable;
    round->mark_count = ax_producers_marks(&ledger->producers, round->marks);
    bool needless = ledger->note && ledger->signed_size == ledger->durable.size;
    bool failed = ledger->failed;
    ax_mutex_unlock(&ledger->mutex);
    return !needless && !failed;
}

static char *
copy_of(ax_str text)
{
    char *copy = ax_alloc(1, text.len + 1);
    if (copy)
        memcpy(copy, text.at, text.len);
    return copy;
}

ax_status
ax_ledger_show(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str note, ax_str state_text,
               uint64_t size)
{
    char *note_copy = copy_of(note), *state_copy = copy_of(state_text);
    if (!note_copy || !state_copy) {
        ax_free(note_copy);
        ax_free(state_copy);
        return ax_fail(ctx, AX_LIMIT, "no memory for a checkpoint");
    }
    ax_mutex_lock(&ledger->mutex);
    ax_free(ledger->note);
    ax_free(ledger->state_text);
    ledger->note = note_copy;
    ledger->note_len = note.len;
    ledger->state_text = state_copy;
    ledger->state_text_len = state_text.len;
    ledger->signed_size = size;
    ax_mutex_unlock(&ledger->mutex);
    return AX_OK;
}

/* The history: each note behind a line with its length in bytes. Losing one is no loss of facts. */
static ax_status
remember(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str note)
{
    ax_str path;
    file_auto ax_file file = {-1};
    ax_writer_auto struct ax_writer out = ax_writer_of(note.len + HEADER_BYTES_MAX);
    int64_t now_ns = ax_clock_monotonic_ns();
    if (now_ns < ledger->history_next_ns)
        return AX_OK;
    ax_writer_print(&out, "%zu\n", note.len);
    ax_writer_bytes(&out, note);
    if (out.status != AX_OK)
        return ax_fail(ctx, out.status, "no memory for the history of checkpoints");
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "checkpoints", &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    AX_TRY(ax_file_write_at(ctx, file, ledger->history_bytes, ax_writer_str(&out)));
    AX_TRY(ax_file_sync(ctx, file));
    ledger->history_bytes += out.len;
    ledger->history_next_ns = now_ns + ledger->config.checkpoint_interval_ms * 1'000'000;
    return AX_OK;
}

/*
 * Size and root are on the disk before the signature exists anywhere: whatever happens then, no
 * other tree of this size can be signed.
 */
static ax_status
sign_round(struct ax_ledger *ledger, struct ax_ctx *ctx, struct round *round)
{
    ax_str path;
    AX_TRY(ax_ledger_state_format(ctx, &round->state, round->marks, round->mark_count,
                                  &round->state_text));
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "state", &path));
    AX_TRY(ax_file_write_atomic(ctx, path, round->state_text));
    AX_TRY(ax_checkpoint_sign(ctx, &ledger->key, ledger->seed, round->state.head, &round->note));
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "checkpoint", &path));
    AX_TRY(ax_file_write_atomic(ctx, path, round->note));
    AX_TRY(remember(ledger, ctx, round->note));
    return ax_ledger_show(ledger, ctx, round->note, round->state_text, round->state.head.size);
}

static ax_status
build_round(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct round *round)
{
    ax_status status = AX_OK;
    if (ledger->tiles.broken)
        status = rebuild(ledger, ctx);
    ledger->tiles.broken = true;
    if (status == AX_OK)
        status = build_to(ledger, ctx, round->state.head.size);
    if (status == AX_OK)
        status = ax_ledger_tiles_partials(&ledger->tiles, ctx);
    AX_TRY(status);
    ledger->tiles.broken = false;
    if (!ax_digest_eq(ax_merkle_root(&ledger->tiles.range), round->state.head.root))
        return ax_fail(ctx, AX_CORRUPT,
                       "what was read back of the first %" PRIu64
                       " facts is not what was handed in: the disk or the memory is broken",
                       round->state.head.size);
    return AX_OK;
}

ax_status
ax_ledger_publish_round(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    struct round round = {};
    struct ax_arena *outer = ctx->arena;
    ctx->arena = ledger->builder_scratch;
    ax_status status = AX_OK;
    if (round_begin(ledger, &round)) {
        status = build_round(ledger, ctx, &round);
        ax_arena_reset(ledger->builder_scratch);
        round.state.tiles_sure = ledger->tiles.sure;
        round.state.history_bytes = ledger->history_bytes;
        if (status == AX_OK)
            status = sign_round(ledger, ctx, &round);
        if (status == AX_OK)
            status = ax_ledger_tiles_sync(&ledger->tiles, ctx, SYNC_TILES_MAX);
        ax_arena_reset(ledger->builder_scratch);
    }
    ctx->arena = outer;
    if (status == AX_CORRUPT)
        ax_ledger_fail(ledger, ctx->error);
    return status;
}

ax_status
ax_ledger_look_at_disk(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    uint64_t free_bytes, total_bytes;
    AX_TRY(ax_file_space(ctx, ledger->folder, &free_bytes, &total_bytes));
    double reserve = (double)total_bytes * ledger->config.reserve_percent / 100;
    ax_mutex_lock(&ledger->mutex);
    ledger->disk_free_bytes = free_bytes;
    ledger->disk_total_bytes = total_bytes;
    ledger->reserved = (double)free_bytes < reserve;
    ax_mutex_unlock(&ledger->mutex);
    return AX_OK;
}

/* ---- the thread ---- */

static void
run_round(struct ax_ledger *ledger)
{
    struct ax_ctx ctx = ax_ctx_of(ledger->builder_scratch);
    ax_status status = ax_ledger_publish_round(ledger, &ctx);
    ax_mutex_lock(&ledger->mutex);
    ledger->publish_rounds++;
    ledger->publish_status = status;
    snprintf(ledger->publish_error, sizeof ledger->publish_error, "%s",
             status == AX_OK ? "" : ctx.error);
    ax_cond_broadcast(&ledger->published);
    ax_mutex_unlock(&ledger->mutex);
}

static void
look_if_due(struct ax_ledger *ledger)
{
    struct ax_ctx ctx = ax_ctx_of(ledger->builder_scratch);
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_mutex_lock(&ledger->mutex);
    bool due = now_ns >= ledger->space_next_ns;
    ledger->space_next_ns = due ? now_ns + space_interval_ns : ledger->space_next_ns;
    ax_mutex_unlock(&ledger->mutex);
    if (due)
        ax_ignore(ax_ledger_look_at_disk(ledger, &ctx), "the last figure stands; the next second");
}

void
ax_ledger_builder_run(void *arg)
{
    struct ax_ledger *ledger = arg;
    int64_t interval_ns = ledger->config.publish_interval_ms * 1'000'000;
    int64_t next_ns = ax_clock_monotonic_ns() + interval_ns;
    for (bool ended = false; !ended;) {
        struct ax_ctx ctx = ax_ctx_of(ledger->builder_scratch);
        ax_mutex_lock(&ledger->mutex);
        bool late = false;
        while (!ledger->writer_ended && !ledger->publish_wanted && !ledger->prepare_wanted && !late)
            late = !ax_cond_wait_until(&ledger->for_builder, &ledger->mutex, next_ns);
        bool publish = late || ledger->publish_wanted || ledger->writer_ended;
        ended = ledger->writer_ended;
        ledger->publish_wanted = false;
        ax_mutex_unlock(&ledger->mutex);
        look_if_due(ledger);
        prepare_if_wanted(ledger, &ctx);
        ax_arena_reset(ledger->builder_scratch);
        if (!publish)
            continue;
        run_round(ledger);
        next_ns = ax_clock_monotonic_ns() + interval_ns;
    }
}

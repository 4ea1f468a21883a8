#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "codec/cbor.h"
#include "event/ledger_state.h"

enum {
    NAMES_BYTES_MAX = 256 << 10,
    SCRATCH_BYTES_MAX = 16 << 20,
    LEAVES_BYTES_MAX = 512 << 20,
    CHUNK_RECORDS = 512,
    CHUNK_BYTES = 1 << 20,
    PREPARE_BYTES = 16 << 20,
    VKEY_BYTES_MAX = 4'096,
    HISTORY_TAIL_BYTES_MAX = 4 << 20,
};

#define file_auto [[gnu::cleanup(ax_file_close)]]

/* What the files of an earlier run say. */
struct opening {
    const struct ax_ledger_place *place;
    bool has_state, has_checkpoint;
    struct ax_ledger_state state;
    struct ax_checkpoint checkpoint;
    ax_str note, state_text;
    struct ax_merkle_head heads[2]; /* what the tree must have been at some sizes */
    size_t head_count;
};

/* ---- the small files ---- */

/* "" when there is none. */
static ax_status
read_if_there(struct ax_ctx *ctx, ax_str folder, const char *name, size_t bytes_max,
              ax_str *out_text)
{
    ax_str path;
    AX_TRY(ax_ledger_path(ctx, folder, name, &path));
    ax_status status = ax_file_read_all(ctx, path, bytes_max, out_text);
    if (status != AX_NOT_FOUND)
        return status;
    *out_text = AX_STR("");
    return AX_OK;
}

static ax_status
open_lock(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_str path;
    AX_TRY(ax_file_make_folders(ctx, ledger->folder));
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "lock", &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &ledger->lock));
    return ax_file_lock(ctx, ledger->lock);
}

/* The log belongs to this origin and key. */
static ax_status
open_vkey(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_str text, path;
    AX_TRY(read_if_there(ctx, ledger->folder, "vkey", VKEY_BYTES_MAX, &text));
    if (text.len > 0 && !ax_str_eq(ax_str_trim(text), ledger->vkey))
        return ax_fail(ctx, AX_CORRUPT,
                       "this log was written under the key %.*s, not %.*s: another origin or "
                       "another key",
                       AX_FMT(ax_str_trim(text)), AX_FMT(ledger->vkey));
    if (text.len > 0)
        return AX_OK;
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "vkey", &path));
    text = ax_str_printf(ctx->arena, "%.*s\n", AX_FMT(ledger->vkey));
    return text.at ? ax_file_write_atomic(ctx, path, text)
                   : ax_fail(ctx, AX_LIMIT, "no memory for a verifier key");
}

static ax_status
open_state(struct ax_ledger *ledger, struct ax_ctx *ctx, struct opening *opening)
{
    AX_TRY(read_if_there(ctx, ledger->folder, "state", AX_LEDGER_STATE_BYTES_MAX,
                         &opening->state_text));
    AX_TRY(
        read_if_there(ctx, ledger->folder, "checkpoint", AX_CHECKPOINT_BYTES_MAX, &opening->note));
    opening->has_state = opening->state_text.len > 0;
    opening->has_checkpoint = opening->note.len > 0;
    if (opening->has_state) {
        AX_TRY(
            ax_ledger_state_parse(ctx, opening->state_text, &opening->state, &ledger->producers));
        opening->heads[opening->head_count++] = opening->state.head;
    }
    if (!opening->has_checkpoint)
        return AX_OK;
    ax_status status = ax_checkpoint_verify(ctx, opening->note, &ledger->key, &opening->checkpoint);
    if (status == AX_LIMIT)
        return status;
    if (status != AX_OK)
        return ax_explain(ctx, AX_CORRUPT, "the last checkpoint is not one of this ledger");
    if (!opening->has_state || opening->checkpoint.head.size > opening->state.head.size)
        return ax_fail(ctx, AX_CORRUPT,
                       "a checkpoint over %" PRIu64
                       " facts was signed and the state file does not know of it",
                       opening->checkpoint.head.size);
    opening->heads[opening->head_count++] = opening->checkpoint.head;
    return AX_OK;
}

/* Whole notes in a row; how many bytes they take. */
static size_t
whole_notes(ax_str bytes)
{
    size_t end = 0;
    while (end < bytes.len) {
        ax_str rest = ax_str_from(bytes, end), line;
        size_t before = rest.len;
        uint64_t len;
        if (!ax_str_cut(&rest, '\n', &line) || !rest.at || !ax_parse_u64(line, &len) ||
            len > rest.len)
            break;
        end += before - rest.len + (size_t)len;
    }
    return end;
}

/* Cuts off a note that a crash left half written. */
static ax_status
open_history(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t sure)
{
    ax_str path;
    uint64_t size;
    file_auto ax_file file = {-1};
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "checkpoints", &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    AX_TRY(ax_file_size(ctx, file, &size));
    if (size < sure)
        return ax_fail(ctx, AX_CORRUPT,
                       "the history of checkpoints has %" PRIu64 " bytes, %" PRIu64 " were written",
                       size, sure);
    size_t tail = size - sure < HISTORY_TAIL_BYTES_MAX ? (size_t)(size - sure)
                                                       : (size_t)HISTORY_TAIL_BYTES_MAX;
    char *bytes = ax_arena_alloc(ctx->arena, 1, tail + 1);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "no memory for the history of checkpoints");
    AX_TRY(ax_file_read_at(ctx, file, sure, bytes, tail));
    ledger->history_bytes = sure + whole_notes((ax_str){bytes, tail});
    return ledger->history_bytes < size ? ax_file_truncate(ctx, file, ledger->history_bytes)
                                        : AX_OK;
}

/* ---- the log and the tree ---- */

/* At most a whole segment; whoever does not say gets the default. */
static int64_t
prepare_bytes(const struct ax_ledger_config *config)
{
    int64_t bytes = config->prepare_bytes > 0 ? config->prepare_bytes : PREPARE_BYTES;
    return bytes < config->segment_bytes ? bytes : config->segment_bytes;
}

static ax_status
open_log(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct opening *opening)
{
    struct ax_segment_log_state state;
    struct ax_segment_log_config config = {
        .segment_bytes = ledger->config.segment_bytes,
        .prepare_bytes = prepare_bytes(&ledger->config),
        .count_min = opening->state.head.size,
    };
    AX_TRY(ax_ledger_path(ctx, ledger->folder, "log", &config.folder));
    AX_TRY(ax_segment_log_open(ctx, &config, &ledger->log));
    ax_segment_log_state(ledger->log, &state);
    ledger->torn_bytes = state.torn_bytes;
    ledger->prepared_at = state.bytes;
    ledger->prepare_wanted = true; /* the first facts find zeros, too */
    return AX_OK;
}

/* A fact behind what the state file knows: its producer goes on where it was. */
static ax_status
follow_producer(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str leaf, uint64_t index)
{
    struct ax_event event;
    struct ax_producer *producer;
    ax_status status = ax_event_read(ctx, leaf, &event);
    if (status == AX_OK)
        status = ax_producers_need(&ledger->producers, ctx, event.producer, &producer);
    if (status == AX_LIMIT)
        return status;
    if (status != AX_OK)
        return ax_explain(ctx, AX_CORRUPT, "fact %" PRIu64, index);
    if (event.sequence != producer->staged_sequence + 1 ||
        !ax_digest_eq(event.previous, producer->staged_previous))
        return ax_fail(ctx, AX_CORRUPT,
                       "fact %" PRIu64 " is number %" PRIu64 " of %.*s and does not follow on "
                       "number %" PRIu64,
                       index, event.sequence, AX_FMT(event.producer), producer->staged_sequence);
    ax_producer_stage(producer, ax_merkle_leaf(leaf), index);
    return AX_OK;
}

static ax_status
follow_leaf(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct opening *opening,
            ax_str leaf)
{
    uint64_t index = ledger->tiles.range.size;
    if (index >= opening->state.head.size)
        AX_TRY(follow_producer(ledger, ctx, leaf, index));
    AX_TRY(ax_ledger_tiles_add(&ledger->tiles, ctx, leaf));
    for (size_t i = 0; i < opening->head_count; i++) {
        const struct ax_merkle_head *head = &opening->heads[i];
        if (head->size == index + 1 &&
            !ax_digest_eq(head->root, ax_merkle_root(&ledger->tiles.range)))
            return ax_fail(ctx, AX_CORRUPT,
                           "the first %" PRIu64 " facts do not make the root that was signed: "
                           "a fact was changed",
                           head->size);
    }
    return AX_OK;
}

static ax_status
follow_log(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct opening *opening,
           uint64_t count)
{
    struct ax_arena *outer = ctx->arena;
    ctx->arena = ledger->builder_scratch;
    ax_status status = AX_OK;
    while (status == AX_OK && ledger->tiles.range.size < count) {
        struct ax_segment_log_records found = {};
        ax_arena_reset(ctx->arena);
        status = ax_segment_log_read(ledger->log, ctx, ledger->tiles.range.size, CHUNK_RECORDS,
                                     CHUNK_BYTES, &found);
        if (status == AX_OK && found.count == 0)
            status = ax_fail(ctx, AX_CORRUPT, "fact %" PRIu64 " is not in the log",
                             ledger->tiles.range.size);
        for (size_t i = 0; status == AX_OK && i < found.count; i++)
            status = follow_leaf(ledger, ctx, opening, found.items[i].bytes);
    }
    ax_arena_reset(ctx->arena);
    ctx->arena = outer;
    return status;
}

/* When the last fact was taken, by the clock of that day. */
static ax_status
read_newest(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    struct ax_event event;
    ax_str leaf;
    if (ledger->durable.size == 0)
        return AX_OK;
    AX_TRY(ax_ledger_read(ledger, ctx, ledger->durable.size - 1, &leaf));
    AX_TRY(ax_event_read(ctx, leaf, &event));
    ledger->newest_ns = event.log_ns;
    return AX_OK;
}

/* The tree from the tiles that are sure and the log behind them; every root that is known holds. */
static ax_status
open_tree(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct opening *opening)
{
    struct ax_segment_log_state state;
    ax_segment_log_state(ledger->log, &state);
    AX_TRY(ax_ledger_tiles_load(&ledger->tiles, ctx, opening->state.tiles_sure, opening->heads,
                                opening->head_count));
    AX_TRY(follow_log(ledger, ctx, opening, state.count));
    ax_producers_settle(&ledger->producers);
    ax_digest root = ax_merkle_root(&ledger->tiles.range);
    if (state.count > 0 && memcmp(root.bytes, state.mark, sizeof root.bytes) != 0)
        return ax_fail(ctx, AX_CORRUPT,
                       "the %" PRIu64 " facts in the log do not make the root in its last batch: "
                       "a fact was changed",
                       state.count);
    if (opening->has_state && opening->state.head.size == 0 &&
        !ax_digest_eq(opening->state.head.root, ax_merkle_root(&(struct ax_merkle_range){})))
        return ax_fail(ctx, AX_CORRUPT, "the root of no facts is another one");
    ledger->range = ledger->tiles.range;
    ledger->durable = (struct ax_merkle_head){state.count, root};
    return ax_ledger_tiles_partials(&ledger->tiles, ctx);
}

/* ---- first facts ---- */

static ax_status
commit_one(struct ax_ledger *ledger, struct ax_ctx *ctx, enum ax_event_kind kind, ax_str body)
{
    struct ax_ledger_entry entry = {
        .event = {.kind = kind, .producer = AX_STR("ledger"), .body = body}};
    AX_TRY(ax_event_check(ctx, &entry.event));
    AX_TRY(ax_ledger_commit(ledger, ctx, &entry));
    return entry.status == AX_OK ? AX_OK : ax_fail(ctx, entry.status, "the fact was not taken");
}

/* The first fact of a log that follows another one embeds that one's last checkpoint. */
static ax_status
commit_genesis(struct ax_ledger *ledger, struct ax_ctx *ctx,
               const struct ax_ledger_genesis *genesis)
{
    ax_writer_auto struct ax_writer body = ax_writer_of(AX_EVENT_BODY_BYTES_MAX);
    ax_cbor_put_map(&body, 3);
    ax_cbor_put_u64(&body, 1);
    ax_cbor_put_text(&body, genesis->checkpoint);
    ax_cbor_put_u64(&body, 2);
    ax_cbor_put_text(&body, genesis->vkey);
    ax_cbor_put_u64(&body, 3);
    ax_cbor_put_text(&body, genesis->reason);
    if (body.status != AX_OK)
        return ax_fail(ctx, body.status, "the checkpoint of the log before is too large");
    ax_status status = commit_one(ledger, ctx, AX_EVENT_GENESIS, ax_writer_str(&body));
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "the first fact of the ledger");
}

/* A torn write was cut off: nobody was told that it had been durable, and it is told here. */
static ax_status
commit_recovery(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer body = ax_writer_of(64);
    ax_cbor_put_map(&body, 1);
    ax_cbor_put_u64(&body, 1);
    ax_cbor_put_u64(&body, ledger->torn_bytes);
    if (body.status != AX_OK)
        return ax_fail(ctx, body.status, "no memory for a fact");
    return commit_one(ledger, ctx, AX_EVENT_RECOVERY, ax_writer_str(&body));
}

/* ---- all of it ---- */

static ax_status
set_names(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_ledger_place *place)
{
    uint8_t public_key[AX_PUBLIC_KEY_BYTES];
    if (!ax_checkpoint_name_ok(place->origin))
        return ax_fail(ctx, AX_INVALID,
                       "the origin \"%.*s\" cannot stand in a checkpoint: it is empty or has "
                       "white space or a '+'",
                       AX_FMT(place->origin));
    ledger->seed = ax_crypto_secret_new(AX_KEY_BYTES);
    if (!ledger->seed || !ax_str_copy(ledger->arena, place->folder, &ledger->folder) ||
        !ax_str_copy(ledger->arena, place->origin, &ledger->origin))
        return ax_fail(ctx, AX_LIMIT, "no memory for a ledger's names");
    memcpy(ledger->seed, place->seed, AX_KEY_BYTES);
    ax_ed25519_public(ledger->seed, public_key);
    ledger->key = ax_checkpoint_key_of(ledger->origin, AX_CHECKPOINT_ED25519, public_key);
    ax_str vkey;
    AX_TRY(ax_checkpoint_vkey_format(ctx, &ledger->key, &vkey));
    ledger->vault = place->vault;
    ax_ledger_tiles_init(&ledger->tiles, ledger->folder);
    return ax_str_copy(ledger->arena, vkey, &ledger->vkey)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a ledger's names");
}

/* The last checkpoint goes on being shown until there is a newer one. */
static ax_status
show_last(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct opening *opening)
{
    bool together =
        opening->has_checkpoint && opening->checkpoint.head.size == opening->state.head.size;
    return together ? ax_ledger_show(ledger, ctx, opening->note, opening->state_text,
                                     opening->checkpoint.head.size)
                    : AX_OK;
}

static ax_status
open_all(struct ax_ledger *ledger, struct ax_ctx *ctx, struct opening *opening)
{
    AX_TRY(set_names(ledger, ctx, opening->place));
    AX_TRY(open_lock(ledger, ctx));
    AX_TRY(open_vkey(ledger, ctx));
    AX_TRY(open_state(ledger, ctx, opening));
    AX_TRY(open_history(ledger, ctx, opening->state.history_bytes));
    AX_TRY(open_log(ledger, ctx, opening));
    AX_TRY(open_tree(ledger, ctx, opening));
    AX_TRY(read_newest(ledger, ctx));
    AX_TRY(show_last(ledger, ctx, opening));
    if (opening->place->genesis && ledger->durable.size == 0)
        AX_TRY(commit_genesis(ledger, ctx, opening->place->genesis));
    if (ledger->torn_bytes > 0)
        AX_TRY(commit_recovery(ledger, ctx));
    AX_TRY(ax_ledger_look_at_disk(ledger, ctx));
    return ax_ledger_publish_round(ledger, ctx);
}

static struct ax_ledger *
ledger_new(const struct ax_ledger_config *config)
{
    struct ax_ledger *ledger = ax_alloc(sizeof *ledger, 1);
    if (!ledger)
        return NULL;
    ax_mutex_init(&ledger->mutex);
    ax_cond_init(&ledger->for_writer);
    ax_cond_init(&ledger->for_builder);
    ax_cond_init(&ledger->grown);
    ax_cond_init(&ledger->published);
    ledger->config = *config;
    ledger->lock.fd = -1;
    ledger->leaves = ax_writer_of(LEAVES_BYTES_MAX);
    ledger->arena = ax_arena_new(NAMES_BYTES_MAX);
    ledger->writer_scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    ledger->builder_scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    ledger->records = ax_alloc(sizeof *ledger->records, (size_t)config->batch_records_max);
    if (ledger->arena && ledger->writer_scratch && ledger->builder_scratch && ledger->records)
        return ledger;
    ax_ledger_free(ledger);
    return NULL;
}

void
ax_ledger_free(struct ax_ledger *ledger)
{
    if (ledger->log)
        ax_segment_log_close(ledger->log);
    ax_ledger_tiles_done(&ledger->tiles);
    ax_producers_done(&ledger->producers);
    ax_writer_free(&ledger->leaves);
    ax_file_close(&ledger->lock);
    ax_crypto_secret_free(ledger->seed);
    ax_free(ledger->records);
    ax_free(ledger->note);
    ax_free(ledger->state_text);
    struct ax_arena *arenas[] = {ledger->arena, ledger->writer_scratch, ledger->builder_scratch};
    for (size_t i = 0; i < AX_COUNT_OF(arenas); i++)
        if (arenas[i])
            ax_arena_free(arenas[i]);
    ax_cond_done(&ledger->for_writer);
    ax_cond_done(&ledger->for_builder);
    ax_cond_done(&ledger->grown);
    ax_cond_done(&ledger->published);
    ax_mutex_done(&ledger->mutex);
    ax_free(ledger);
}

ax_status
ax_ledger_open_still(struct ax_ctx *ctx, const struct ax_ledger_config *config,
                     const struct ax_ledger_place *place, struct ax_ledger **out_ledger)
{
    struct opening opening = {.place = place};
    struct ax_ledger *ledger = ledger_new(config);
    if (!ledger)
        return ax_fail(ctx, AX_LIMIT, "no memory for a ledger");
    ax_status status = open_all(ledger, ctx, &opening);
    if (status != AX_OK) {
        ax_ledger_free(ledger);
        return ax_explain(ctx, status, "open ledger %.*s", AX_FMT(place->folder));
    }
    *out_ledger = ledger;
    return AX_OK;
}

/*
 * The inside of a ledger, for the files that make it up: who owns what, and the steps of its two
 * threads as functions that a test may call one by one.
 *
 * The writer (ledger_commit.c) owns the tree's right edge, the table of producers and the writing
 * side of the log. The builder (ledger_publish.c) owns the tiles and signs. They meet under the
 * mutex: what is durable, what is signed, who waits. Nothing here is for callers of ledger.h.
 */
#pragma once

#include "event/checkpoint.h"
#include "event/ledger.h"
#include "event/ledger_tiles.h"
#include "event/producers.h"
#include "stream/segment_log.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/workers.h"

enum { AX_LEDGER_STATE_BYTES_MAX = 256 << 10 };

/* What the state file says: nothing larger was ever promised, nothing smaller may be found. */
struct ax_ledger_state {
    struct ax_merkle_head head;
    uint64_t tiles_sure;
    uint64_t history_bytes;
};

struct ax_ledger {
    /* set at open */
    struct ax_ledger_config config;
    struct ax_arena *arena; /* of names */
    ax_str folder, origin, vkey;
    struct ax_checkpoint_key key;
    uint8_t *seed; /* locked memory */
    ax_file lock;
    struct ax_vault *vault;
    struct ax_segment_log *log;
    struct ax_thread *writer_thread, *builder_thread;

    /* the writer's own */
    struct ax_merkle_range range;
    struct ax_producers producers; /* settled under mutex */
    struct ax_writer leaves;       /* of the batch */
    struct ax_segment_log_record *records;
    struct ax_arena *writer_scratch;

    /* the builder's own */
    struct ax_ledger_tiles tiles;
    struct ax_arena *builder_scratch;
    uint64_t history_bytes; /* of the file of past checkpoints, as far as it is whole */
    int64_t history_next_ns;

    struct ax_mutex mutex; /* guards what follows */
    struct ax_cond for_writer, for_builder, grown, published;
    struct ax_ledger_entry *first, *last;
    uint64_t queued, copied_bytes;
    uint64_t awaited; /* of the queued ones, those that somebody waits for */
    bool writer_waits, builder_waits, closing, writer_ended;

    struct ax_merkle_head durable;
    uint64_t batches;
    int64_t sync_ns;
    int64_t newest_ns;              /* latest time a fact was taken at: the clock may go back */
    bool failed;                    /* for good */
    bool reserved;                  /* the disk's reserve is reached */
    char error[AX_ERROR_BYTES_MAX]; /* why it failed */

    bool publish_wanted, prepare_wanted;
    uint64_t prepared_at; /* bytes of the log when it was last prepared */
    int64_t space_next_ns;
    uint64_t signed_size;
    uint64_t publish_rounds;
    ax_status publish_status; /* of the last round */
    char publish_error[AX_ERROR_BYTES_MAX];
    char *note, *state_text; /* on the heap, of signed_size; "" is NULL */
    size_t note_len, state_text_len;
    uint64_t disk_free_bytes, disk_total_bytes, torn_bytes;
};

/* ---- ledger_commit.c: the writer ---- */

/*
 * One group commit of a chain of entries: their status and index are set, done is not called.
 * What is returned is the worst that befell the batch as a whole.
 */
ax_status ax_ledger_commit(struct ax_ledger *ledger, struct ax_ctx *ctx,
                           struct ax_ledger_entry *chain);
void ax_ledger_writer_run(void *ledger);
bool ax_ledger_writer_should_look(const struct ax_ledger *ledger) AX_REQUIRES(ledger->mutex);

/* Nothing is taken any more, for good; the first reason stays. Takes the mutex. */
void ax_ledger_fail(struct ax_ledger *ledger, const char *error);

/* ---- ledger_publish.c: the builder ---- */

/* Builds tiles up to what is durable, and signs. */
ax_status ax_ledger_publish_round(struct ax_ledger *ledger, struct ax_ctx *ctx);
void ax_ledger_builder_run(void *ledger);

/* Everybody sees this checkpoint, of so many facts, from now on. Takes the mutex. */
ax_status ax_ledger_show(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str note,
                         ax_str state_text, uint64_t size);

/* Looks at the room on the disk. */
ax_status ax_ledger_look_at_disk(struct ax_ledger *ledger, struct ax_ctx *ctx);

/* The state file's text, in ctx->arena, and back. Fails: CORRUPT. */
ax_status ax_ledger_state_format(struct ax_ctx *ctx, const struct ax_ledger_state *state,
                                 const struct ax_producer_mark *marks, size_t mark_count,
                                 ax_str *out_text);
ax_status ax_ledger_state_parse(struct ax_ctx *ctx, ax_str text, struct ax_ledger_state *out_state,
                                struct ax_producers *producers);

/* A path inside the ledger's folder, in ctx->arena. */
ax_status ax_ledger_path(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str *out_path);

/* ---- ledger_open.c ---- */

/* All of ax_ledger_open but the threads. */
ax_status ax_ledger_open_still(struct ax_ctx *ctx, const struct ax_ledger_config *config,
                               const struct ax_ledger_place *place, struct ax_ledger **out_ledger);
void ax_ledger_free(struct ax_ledger *ledger);

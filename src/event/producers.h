/*
 * Who has handed in how much: each producer's last sequence, its last leaf, and where its latest
 * facts lie, so that a retry after a crash is known for one.
 *
 * What a batch adds is staged first and settled when the batch is durable, or dropped. The
 * table is one thread's, but for settle and marks, which the owner calls under one lock.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"
#include "event/event.h"

enum { AX_PRODUCERS_MAX = 64, AX_PRODUCER_RECENT = 1'024 };

struct ax_producer_place {
    uint64_t sequence; /* 0 for none */
    uint64_t index;    /* of the leaf */
};

struct ax_producer {
    char name[AX_EVENT_TEXT_BYTES_MAX];
    size_t name_len;
    uint64_t sequence, staged_sequence;
    ax_digest previous, staged_previous; /* hash of the last leaf */
    uint64_t index, staged_index;        /* of the last leaf */
    struct ax_producer_place recent[AX_PRODUCER_RECENT];
};

struct ax_producers {
    struct ax_producer *items[AX_PRODUCERS_MAX];
    size_t count;
    size_t settled_count; /* those that marks looks at, with what is settled in them */
};

/* What of a producer is kept on the disk. */
struct ax_producer_mark {
    ax_str name;
    uint64_t sequence;
    ax_digest previous;
    uint64_t index;
};

void ax_producers_done(struct ax_producers *producers);

/* The producer of this name, made when new. Fails: LIMIT (too many, memory). */
ax_status ax_producers_need(struct ax_producers *producers, struct ax_ctx *ctx, ax_str name,
                            struct ax_producer **out_producer);

/* Its fact after the last one. */
void ax_producer_stage(struct ax_producer *producer, ax_digest leaf_hash, uint64_t index);
void ax_producers_settle(struct ax_producers *producers);
void ax_producers_drop(struct ax_producers *producers);

/* Leaf of an earlier fact; UINT64_MAX when it is too old to know. */
uint64_t ax_producer_index(const struct ax_producer *producer, uint64_t sequence);

/* One line for each, and back: "producer 7 <hex> 12 outbox". */
void ax_producers_print(const struct ax_producer_mark *marks, size_t count, struct ax_writer *out);
ax_status ax_producers_parse(struct ax_producers *producers, struct ax_ctx *ctx, ax_str line);

/* The settled ones as marks; names are borrowed. */
size_t ax_producers_marks(const struct ax_producers *producers,
                          struct ax_producer_mark out_marks[AX_PRODUCERS_MAX]);

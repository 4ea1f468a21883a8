#include "event/producers.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "codec/text.h"

void
ax_producers_done(struct ax_producers *producers)
{
    for (size_t i = 0; i < producers->count; i++)
        ax_free(producers->items[i]);
    *producers = (struct ax_producers){};
}

static ax_str
name_of(const struct ax_producer *producer)
{
    return (ax_str){producer->name, producer->name_len};
}

ax_status
ax_producers_need(struct ax_producers *producers, struct ax_ctx *ctx, ax_str name,
                  struct ax_producer **out_producer)
{
    AX_ASSERT(name.len > 0 && name.len <= AX_EVENT_TEXT_BYTES_MAX);
    for (size_t i = 0; i < producers->count; i++) {
        if (!ax_str_eq(name_of(producers->items[i]), name))
            continue;
        *out_producer = producers->items[i];
        return AX_OK;
    }
    if (producers->count == AX_PRODUCERS_MAX)
        return ax_fail(ctx, AX_LIMIT, "%.*s would be the producer number %d, %d are allowed",
                       AX_FMT(name), AX_PRODUCERS_MAX + 1, AX_PRODUCERS_MAX);
    struct ax_producer *producer = ax_alloc(sizeof *producer, 1);
    if (!producer)
        return ax_fail(ctx, AX_LIMIT, "no memory for producer %.*s", AX_FMT(name));
    memcpy(producer->name, name.at, name.len);
    producer->name_len = name.len;
    producers->items[producers->count++] = producer;
    *out_producer = producer;
    return AX_OK;
}

void
ax_producer_stage(struct ax_producer *producer, ax_digest leaf_hash, uint64_t index)
{
    uint64_t sequence = ++producer->staged_sequence;
    producer->staged_previous = leaf_hash;
    producer->staged_index = index;
    producer->recent[sequence % AX_PRODUCER_RECENT] = (struct ax_producer_place){sequence, index};
}

void
ax_producers_settle(struct ax_producers *producers)
{
    for (size_t i = 0; i < producers->count; i++) {
        struct ax_producer *producer = producers->items[i];
        producer->sequence = producer->staged_sequence;
        producer->previous = producer->staged_previous;
        producer->index = producer->staged_index;
    }
    producers->settled_count = producers->count;
}

/* Places of what is dropped stay in `recent` until they are overwritten: nobody may ask for them,
 * since their sequences have not been given. */
void
ax_producers_drop(struct ax_producers *producers)
{
    for (size_t i = 0; i < producers->count; i++) {
        struct ax_producer *producer = producers->items[i];
        producer->staged_sequence = producer->sequence;
        producer->staged_previous = producer->previous;
        producer->staged_index = producer->index;
    }
}

uint64_t
ax_producer_index(const struct ax_producer *producer, uint64_t sequence)
{
    const struct ax_producer_place *place = &producer->recent[sequence % AX_PRODUCER_RECENT];
    if (sequence == 0 || sequence > producer->staged_sequence || place->sequence != sequence)
        return UINT64_MAX;
    return place->index;
}

/* ---- on the disk ---- */

size_t
ax_producers_marks(const struct ax_producers *producers,
                   struct ax_producer_mark out_marks[AX_PRODUCERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < producers->settled_count; i++) {
        const struct ax_producer *producer = producers->items[i];
        if (producer->sequence > 0)
            out_marks[count++] = (struct ax_producer_mark){name_of(producer), producer->sequence,
                                                           producer->previous, producer->index};
    }
    return count;
}

void
ax_producers_print(const struct ax_producer_mark *marks, size_t count, struct ax_writer *out)
{
    for (size_t i = 0; i < count; i++) {
        char hex[AX_DIGEST_HEX_BYTES + 1];
        ax_digest_hex(marks[i].previous, hex);
        ax_writer_print(out, "producer %" PRIu64 " %s %" PRIu64 " ", marks[i].sequence, hex,
                        marks[i].index);
        ax_percent_encode(marks[i].name, out);
        ax_writer_char(out, '\n');
    }
}

ax_status
ax_producers_parse(struct ax_producers *producers, struct ax_ctx *ctx, ax_str line)
{
    ax_str word, sequence, previous, index, name;
    struct ax_producer_mark mark = {};
    bool whole = ax_str_cut(&line, ' ', &word) && ax_str_eq(word, AX_STR("producer")) &&
                 ax_str_cut(&line, ' ', &sequence) && ax_parse_u64(sequence, &mark.sequence) &&
                 ax_str_cut(&line, ' ', &previous) && ax_digest_parse(previous, &mark.previous) &&
                 ax_str_cut(&line, ' ', &index) && ax_parse_u64(index, &mark.index) &&
                 ax_str_cut(&line, ' ', &name) && !line.at && mark.sequence > 0;
    if (!whole)
        return ax_fail(ctx, AX_CORRUPT, "a line on a producer cannot be read");
    AX_TRY(ax_percent_decode(ctx, name, &mark.name));
    if (mark.name.len == 0 || mark.name.len > AX_EVENT_TEXT_BYTES_MAX)
        return ax_fail(ctx, AX_CORRUPT, "a producer with a name of %zu bytes", mark.name.len);
    struct ax_producer *producer;
    AX_TRY(ax_producers_need(producers, ctx, mark.name, &producer));
    producer->sequence = producer->staged_sequence = mark.sequence;
    producer->previous = producer->staged_previous = mark.previous;
    producer->index = producer->staged_index = mark.index;
    producers->settled_count = producers->count;
    producer->recent[mark.sequence % AX_PRODUCER_RECENT] =
        (struct ax_producer_place){mark.sequence, mark.index};
    return AX_OK;
}

#include <inttypes.h>

#include "base/assert.h"
#include "event/ledger_state.h"

enum { READ_BYTES_MAX = 8 << 20 };

/* ---- facts ---- */

static ax_status
read_record(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index,
            struct ax_segment_log_record *out_record)
{
    struct ax_segment_log_records found = {};
    AX_TRY(ax_segment_log_read(ledger->log, ctx, index, 1, READ_BYTES_MAX, &found));
    if (found.count == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "there is no fact %" PRIu64 " in the ledger (yet)",
                       index);
    *out_record = found.items[0];
    return AX_OK;
}

ax_status
ax_ledger_read(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index, ax_str *out_leaf)
{
    struct ax_segment_log_record record;
    AX_TRY(read_record(ledger, ctx, index, &record));
    *out_leaf = record.bytes;
    return AX_OK;
}

ax_status
ax_ledger_read_many(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t from, size_t count_max,
                    ax_str **out_leaves, size_t *out_count)
{
    struct ax_segment_log_records found = {};
    if (count_max > 0)
        AX_TRY(ax_segment_log_read(ledger->log, ctx, from, count_max, READ_BYTES_MAX, &found));
    ax_str *leaves = AX_NEW_ARRAY(ctx->arena, ax_str, found.count + 1);
    if (!leaves)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu facts", found.count);
    for (size_t i = 0; i < found.count; i++)
        leaves[i] = found.items[i].bytes;
    *out_leaves = leaves;
    *out_count = found.count;
    return AX_OK;
}

static ax_status
fact_of(struct ax_ctx *ctx, uint64_t index, const struct ax_segment_log_record *record,
        struct ax_ledger_fact *out_fact)
{
    if (ax_event_read(ctx, record->bytes, &out_fact->event) != AX_OK)
        return ax_explain(ctx, AX_CORRUPT, "fact %" PRIu64, index);
    out_fact->sealed = record->attachment;
    out_fact->erased = record->erased;
    return AX_OK;
}

ax_status
ax_ledger_read_facts(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t from, size_t count_max,
                     struct ax_ledger_fact **out_facts, size_t *out_count)
{
    struct ax_segment_log_records found = {};
    if (count_max > 0)
        AX_TRY(ax_segment_log_read(ledger->log, ctx, from, count_max, READ_BYTES_MAX, &found));
    struct ax_ledger_fact *facts = AX_NEW_ARRAY(ctx->arena, struct ax_ledger_fact, found.count + 1);
    if (!facts)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu facts", found.count);
    for (size_t i = 0; i < found.count; i++)
        AX_TRY(fact_of(ctx, from + i, &found.items[i], &facts[i]));
    *out_facts = facts;
    *out_count = found.count;
    return AX_OK;
}

ax_status
ax_ledger_unseal(struct ax_ledger *ledger, struct ax_ctx *ctx, const struct ax_ledger_fact *fact,
                 ax_str *out_payload)
{
    *out_payload = AX_STR("");
    if (fact->event.payload_bytes == 0)
        return AX_OK;
    if (fact->erased)
        return ax_fail(ctx, AX_NOT_FOUND, "its payload was erased");
    if (!ledger->vault)
        return ax_fail(ctx, AX_UNAVAILABLE, "its payload is sealed and no vault is open");
    return ax_vault_unseal(ledger->vault, ctx, &fact->event, fact->sealed, out_payload);
}

ax_status
ax_ledger_read_payload(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index,
                       struct ax_event *out_event, ax_str *out_payload)
{
    struct ax_segment_log_record record;
    struct ax_ledger_fact fact;
    AX_TRY(read_record(ledger, ctx, index, &record));
    AX_TRY(fact_of(ctx, index, &record, &fact));
    ax_status status = ax_ledger_unseal(ledger, ctx, &fact, out_payload);
    if (status != AX_OK)
        return ax_explain(ctx, status, "fact %" PRIu64, index);
    *out_event = fact.event;
    return AX_OK;
}

/* ---- checkpoints ---- */

ax_status
ax_ledger_checkpoint(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str *out_note)
{
    ax_mutex_lock(&ledger->mutex);
    bool copied = ax_str_copy(
        ctx->arena, (ax_str){ledger->note ? ledger->note : "", ledger->note_len}, out_note);
    ax_mutex_unlock(&ledger->mutex);
    return copied ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a checkpoint");
}

ax_status
ax_ledger_publish(struct ax_ledger *ledger, struct ax_ctx *ctx)
{
    ax_status status = AX_OK;
    bool late = false;
    ax_mutex_lock(&ledger->mutex);
    uint64_t size = ledger->durable.size, rounds = ledger->publish_rounds;
    while (status == AX_OK && ledger->signed_size < size) {
        if (ledger->failed)
            status = ax_fail(ctx, AX_UNAVAILABLE, "nothing is signed any more: %s", ledger->error);
        else if (late)
            status = ax_fail(ctx, AX_TIMEOUT, "the checkpoint was not signed in time");
        else if (ledger->publish_rounds > rounds && ledger->publish_status != AX_OK)
            status = ax_fail(ctx, ledger->publish_status, "sign a checkpoint: %s",
                             ledger->publish_error);
        if (status != AX_OK)
            break;
        ledger->publish_wanted = true;
        ax_cond_signal(&ledger->for_builder);
        if (ctx->deadline_ns == INT64_MAX)
            ax_cond_wait(&ledger->published, &ledger->mutex);
        else
            late = !ax_cond_wait_until(&ledger->published, &ledger->mutex, ctx->deadline_ns);
    }
    ax_mutex_unlock(&ledger->mutex);
    return status;
}

/* ---- proofs ---- */

/* Signed, so that a proof leads to it; out_note and its head. */
static ax_status
signed_over(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t size, ax_str *out_note,
            struct ax_merkle_head *out_head)
{
    struct ax_checkpoint checkpoint;
    AX_TRY(ax_ledger_checkpoint(ledger, ctx, out_note));
    AX_TRY(ax_checkpoint_parse(ctx, *out_note, &checkpoint));
    if (checkpoint.head.size < size) {
        AX_TRY(ax_ledger_publish(ledger, ctx));
        AX_TRY(ax_ledger_checkpoint(ledger, ctx, out_note));
        AX_TRY(ax_checkpoint_parse(ctx, *out_note, &checkpoint));
    }
    *out_head = checkpoint.head;
    return AX_OK;
}

ax_status
ax_ledger_prove(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index, ax_str *out_proof)
{
    ax_str leaf, note;
    struct ax_merkle_head head;
    struct ax_merkle_proof proof;
    AX_TRY(ax_ledger_read(ledger, ctx, index, &leaf));
    AX_TRY(signed_over(ledger, ctx, index + 1, &note, &head));
    ax_status status = ax_tile_prove_inclusion(ctx, ledger->folder, index, head.size, &proof);
    if (status != AX_OK)
        return ax_explain(ctx, status, "prove fact %" PRIu64, index);
    if (!ax_merkle_check_inclusion(index, head.size, ax_merkle_leaf(leaf), head.root, proof))
        return ax_fail(ctx, AX_CORRUPT,
                       "fact %" PRIu64 " and its tiles do not agree: one of them was changed",
                       index);
    return ax_checkpoint_proof_format(ctx, index, proof, note, out_proof);
}

ax_status
ax_ledger_prove_consistency(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t old_size,
                            uint64_t new_size, struct ax_merkle_proof *out_proof)
{
    ax_mutex_lock(&ledger->mutex);
    uint64_t signed_size = ledger->signed_size;
    ax_mutex_unlock(&ledger->mutex);
    if (new_size > signed_size)
        return ax_fail(ctx, AX_NOT_FOUND, "the signed log has %" PRIu64 " facts, not %" PRIu64,
                       signed_size, new_size);
    return ax_tile_prove_consistency(ctx, ledger->folder, old_size, new_size, out_proof);
}

#include "serving/decision_index.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/reader.h"
#include "event/decision.h"
#include "sys/mutex.h"

enum { CLAIM_SLOTS = 1 << 16, FACTS_A_RUN = 1024, SCRATCH_BYTES_MAX = 64 << 20, ADDED_MAX = 1000 };

/* A request being decided, or decided and not yet seen in the ledger by the follower. */
struct claim {
    uint64_t hash; /* of deployment and request id; 0: the slot is free */
    struct claim *next;
    char decision_id[AX_DECISION_ID_BYTES]; /* "" while it is being decided */
};

struct ax_decision_index {
    struct ax_kv *kv;
    struct ax_ledger *ledger;
    uint64_t position; /* of the next fact; guarded by following */
    struct ax_mutex following;
    struct ax_mutex mutex;
    struct claim *slots[CLAIM_SLOTS]; /* guarded by mutex */
    size_t claim_count;               /* guarded by mutex */
};

enum { CLAIMS_MAX = 1 << 20 };

static const ax_str position_key = {"p/decisions", 11};

/* "r/" and a digest: request ids come from outside and may be long or tell something. */
static ax_str
request_key(ax_str deployment, ax_str request_id, char out[3 + AX_DIGEST_HEX_BYTES])
{
    const ax_str pieces[] = {deployment, AX_STR("\n"), request_id};
    out[0] = 'r';
    out[1] = '/';
    ax_digest_hex(ax_sha256_of(pieces, AX_COUNT_OF(pieces)), out + 2);
    return (ax_str){out, 2 + AX_DIGEST_HEX_BYTES};
}

static struct claim **
place_of(struct ax_decision_index *index, uint64_t hash)
{
    struct claim **at = &index->slots[hash % CLAIM_SLOTS];
    while (*at && (*at)->hash != hash)
        at = &(*at)->next;
    return at;
}

/* Takes a claim out; the caller holds the mutex. */
static void
drop(struct ax_decision_index *index, uint64_t hash)
{
    struct claim **at = place_of(index, hash);
    struct claim *claim = *at;
    if (!claim)
        return;
    *at = claim->next;
    index->claim_count--;
    ax_free(claim);
}

/* ---- following the ledger ---- */

struct batch {
    struct ax_decision_index *index;
    struct ax_kv_item items[2 * FACTS_A_RUN + 1];
    size_t count;
    uint64_t claims[FACTS_A_RUN]; /* that the store answers from now on */
    size_t claim_count;
};

static ax_status
add_item(struct ax_ctx *ctx, struct batch *batch, ax_str key, ax_str value)
{
    struct ax_kv_item *item = &batch->items[batch->count];
    if (!ax_str_copy(ctx->arena, key, &item->key) || !ax_str_copy(ctx->arena, value, &item->value))
        return ax_fail(ctx, AX_LIMIT, "no memory for the index");
    batch->count++;
    return AX_OK;
}

/* What stands in the payload; an erased one is passed over: its request id is gone with it. */
static ax_status
add_request(struct ax_ctx *ctx, struct batch *batch, const struct ax_ledger_fact *fact)
{
    char key[3 + AX_DIGEST_HEX_BYTES];
    ax_str payload, deployment, request_id;
    ax_status status = ax_ledger_unseal(batch->index->ledger, ctx, fact, &payload);
    if (status == AX_NOT_FOUND)
        return AX_OK;
    AX_TRY(status);
    AX_TRY(ax_decision_read_request(ctx, payload, &deployment, &request_id));
    if (request_id.len == 0)
        return AX_OK;
    ax_str name = request_key(deployment, request_id, key);
    batch->claims[batch->claim_count++] = ax_map_hash(name);
    return add_item(ctx, batch, name, fact->event.object);
}

/* A number as eight bytes, little-endian. */
static ax_status
add_number(struct ax_ctx *ctx, struct batch *batch, ax_str key, uint64_t number)
{
    char value[sizeof number];
    for (size_t i = 0; i < sizeof number; i++)
        value[i] = (char)(unsigned char)(number >> (8 * i));
    return add_item(ctx, batch, key, (ax_str){value, sizeof value});
}

static ax_status
read_number(struct ax_ctx *ctx, ax_str value, uint64_t *out)
{
    struct ax_reader reader = ax_reader_of(value);
    uint64_t number = ax_reader_u64_le(&reader);
    if (reader.status != AX_OK || ax_reader_left(&reader))
        return ax_fail(ctx, AX_CORRUPT, "the index has %zu bytes for a number", value.len);
    *out = number;
    return AX_OK;
}

static ax_status
get_number(struct ax_decision_index *index, struct ax_ctx *ctx, ax_str key, uint64_t *out)
{
    ax_str value;
    AX_TRY(ax_kv_get(index->kv, ctx, key, &value));
    return read_number(ctx, value, out);
}

/* "a/<decision>/<leaf, 16 hex digits>": sorted as they came. */
static ax_status
add_addition(struct ax_ctx *ctx, struct batch *batch, uint64_t leaf, ax_str decision_id)
{
    ax_str key =
        ax_str_printf(ctx->arena, "a/%.*s/%016llx", AX_FMT(decision_id), (unsigned long long)leaf);
    if (!key.at || key.len > AX_KV_KEY_BYTES_MAX)
        return ax_fail(ctx, AX_LIMIT, "decision id of %zu bytes", decision_id.len);
    return add_number(ctx, batch, key, leaf);
}

static ax_status
add_fact(struct ax_ctx *ctx, struct batch *batch, uint64_t leaf, const struct ax_ledger_fact *fact)
{
    const struct ax_event *event = &fact->event;
    if (event->kind == AX_EVENT_OUTCOME || event->kind == AX_EVENT_REVIEW ||
        event->kind == AX_EVENT_REPLAY)
        return add_addition(ctx, batch, leaf, event->object);
    if (event->kind != AX_EVENT_DECISION)
        return AX_OK;
    ax_str key = ax_str_printf(ctx->arena, "d/%.*s", AX_FMT(event->object));
    if (!key.at || key.len > AX_KV_KEY_BYTES_MAX)
        return ax_fail(ctx, AX_LIMIT, "decision id of %zu bytes", event->object.len);
    AX_TRY(add_number(ctx, batch, key, leaf));
    return event->payload_bytes ? add_request(ctx, batch, fact) : AX_OK;
}

/*
 * Some facts, then one write of what they say together with the position behind them: whatever
 * state of the store comes back after a crash, the position in it is true.
 */
static ax_status
follow(struct ax_decision_index *index, struct ax_ctx *ctx, size_t *out_count)
{
    ax_auto(ax_free) void *block = ax_alloc(sizeof(struct batch), 1);
    struct batch *batch = block;
    struct ax_ledger_fact *facts;
    if (!batch)
        return ax_fail(ctx, AX_LIMIT, "no memory for the index");
    batch->index = index;
    AX_TRY(
        ax_ledger_read_facts(index->ledger, ctx, index->position, FACTS_A_RUN, &facts, out_count));
    if (*out_count == 0)
        return AX_OK;
    for (size_t i = 0; i < *out_count; i++)
        AX_TRY(add_fact(ctx, batch, index->position + i, &facts[i]));
    AX_TRY(add_number(ctx, batch, position_key, index->position + *out_count));
    AX_TRY(ax_kv_write(index->kv, ctx, batch->items, batch->count));
    index->position += *out_count;
    ax_mutex_lock(&index->mutex);
    for (size_t i = 0; i < batch->claim_count; i++)
        drop(index, batch->claims[i]);
    ax_mutex_unlock(&index->mutex);
    return AX_OK;
}

ax_status
ax_decision_index_catch_up(struct ax_decision_index *index, struct ax_ctx *ctx)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for the index");
    struct ax_arena *outer = ctx->arena;
    ctx->arena = scratch;
    ax_mutex_lock(&index->following);
    ax_status status = AX_OK;
    for (size_t count = 1; status == AX_OK && count > 0;) {
        ax_arena_reset(scratch);
        status = follow(index, ctx, &count);
    }
    ax_mutex_unlock(&index->following);
    ctx->arena = outer;
    return status;
}

/* ---- the service ---- */

ax_status
ax_decision_index_open(struct ax_ctx *ctx, struct ax_kv *kv, struct ax_ledger *ledger,
                       struct ax_decision_index **out_index)
{
    ax_auto(ax_decision_index_close) struct ax_decision_index *index = ax_alloc(sizeof *index, 1);
    if (!index)
        return ax_fail(ctx, AX_LIMIT, "no memory for the index of decisions");
    ax_mutex_init(&index->mutex);
    ax_mutex_init(&index->following);
    index->kv = kv;
    index->ledger = ledger;
    ax_status status = get_number(index, ctx, position_key, &index->position);
    if (status != AX_OK && status != AX_NOT_FOUND)
        return status;
    if (index->position > ax_ledger_size(ledger))
        return ax_fail(ctx, AX_CORRUPT,
                       "the index has read %llu facts and the ledger holds %llu: they do not "
                       "belong together",
                       (unsigned long long)index->position,
                       (unsigned long long)ax_ledger_size(ledger));
    AX_TRY(ax_decision_index_catch_up(index, ctx));
    *out_index = ax_take(index);
    return AX_OK;
}

void
ax_decision_index_close(struct ax_decision_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < CLAIM_SLOTS; i++) {
        for (struct claim *claim = index->slots[i], *next; claim; claim = next) {
            next = claim->next;
            ax_free(claim);
        }
    }
    ax_mutex_done(&index->mutex);
    ax_mutex_done(&index->following);
    ax_free(index);
}

/* Claims in memory; *out_claim is the earlier one when there is one. The caller holds the mutex. */
static ax_status
claim_hash(struct ax_decision_index *index, uint64_t hash, const struct claim **out_earlier)
{
    struct claim **at = place_of(index, hash);
    *out_earlier = *at;
    if (*at)
        return AX_OK;
    struct claim *claim = index->claim_count < CLAIMS_MAX ? ax_alloc(sizeof *claim, 1) : NULL;
    if (!claim)
        return AX_LIMIT;
    claim->hash = hash;
    *at = claim;
    index->claim_count++;
    return AX_OK;
}

ax_status
ax_decision_index_claim(struct ax_decision_index *index, struct ax_ctx *ctx, ax_str deployment,
                        ax_str request_id, ax_str *out_earlier)
{
    char key[3 + AX_DIGEST_HEX_BYTES], decision_id[AX_DECISION_ID_BYTES] = "";
    ax_str name = request_key(deployment, request_id, key);
    const struct claim *earlier;
    ax_mutex_lock(&index->mutex);
    ax_status status = claim_hash(index, ax_map_hash(name), &earlier);
    if (status == AX_OK && earlier)
        memcpy(decision_id, earlier->decision_id, sizeof decision_id);
    ax_mutex_unlock(&index->mutex);
    if (status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "too many requests are being decided");
    if (earlier && !decision_id[0])
        return ax_fail(ctx, AX_CONFLICT, "request_id \"%.*s\" is being decided by another request",
                       AX_FMT(request_id));
    if (earlier)
        return ax_str_copy(ctx->arena, ax_str_of(decision_id), out_earlier)
                   ? AX_OK
                   : ax_fail(ctx, AX_LIMIT, "no memory for a decision id");
    /* The claim is ours; the store knows the requests of earlier days. */
    status = ax_kv_get(index->kv, ctx, name, out_earlier);
    if (status == AX_NOT_FOUND) {
        *out_earlier = AX_STR("");
        return AX_OK;
    }
    ax_decision_index_release(index, deployment, request_id);
    return status;
}

void
ax_decision_index_release(struct ax_decision_index *index, ax_str deployment, ax_str request_id)
{
    char key[3 + AX_DIGEST_HEX_BYTES];
    uint64_t hash = ax_map_hash(request_key(deployment, request_id, key));
    ax_mutex_lock(&index->mutex);
    drop(index, hash);
    ax_mutex_unlock(&index->mutex);
}

void
ax_decision_index_answered(struct ax_decision_index *index, ax_str deployment, ax_str request_id,
                           ax_str decision_id)
{
    char key[3 + AX_DIGEST_HEX_BYTES];
    uint64_t hash = ax_map_hash(request_key(deployment, request_id, key));
    AX_ASSERT(decision_id.len < AX_DECISION_ID_BYTES);
    ax_mutex_lock(&index->mutex);
    struct claim *claim = *place_of(index, hash);
    if (claim) { /* the follower may have been faster */
        memcpy(claim->decision_id, decision_id.at, decision_id.len);
        claim->decision_id[decision_id.len] = '\0';
    }
    ax_mutex_unlock(&index->mutex);
}

ax_status
ax_decision_index_find(struct ax_decision_index *index, struct ax_ctx *ctx, ax_str decision_id,
                       uint64_t *out_leaf)
{
    if (decision_id.len == 0 || decision_id.len >= AX_DECISION_ID_BYTES)
        return ax_fail(ctx, AX_NOT_FOUND, "no decision \"%.*s\"",
                       (int)(decision_id.len > 80 ? 80 : decision_id.len), decision_id.at);
    ax_str key = ax_str_printf(ctx->arena, "d/%.*s", AX_FMT(decision_id));
    if (!key.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key");
    ax_status status = get_number(index, ctx, key, out_leaf);
    return status == AX_NOT_FOUND
               ? ax_fail(ctx, AX_NOT_FOUND, "no decision \"%.*s\"", AX_FMT(decision_id))
               : status;
}

ax_status
ax_decision_index_added(struct ax_decision_index *index, struct ax_ctx *ctx, ax_str decision_id,
                        uint64_t **out_leaves, size_t *out_count)
{
    struct ax_kv_item *items;
    ax_str prefix = ax_str_printf(ctx->arena, "a/%.*s/", AX_FMT(decision_id));
    if (!prefix.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key");
    AX_TRY(ax_kv_scan(index->kv, ctx, prefix, ADDED_MAX, &items, out_count));
    uint64_t *leaves = AX_NEW_ARRAY(ctx->arena, uint64_t, *out_count + 1);
    if (!leaves)
        return ax_fail(ctx, AX_LIMIT, "no memory for facts");
    for (size_t i = 0; i < *out_count; i++)
        AX_TRY(read_number(ctx, items[i].value, &leaves[i]));
    *out_leaves = leaves;
    return AX_OK;
}

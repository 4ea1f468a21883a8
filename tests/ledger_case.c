#include "ledger_case.h"

#include <stdlib.h>

#include "event/ledger_state.h"
#include "harness.h"

enum { BATCH_MAX = 64, FILE_BYTES_MAX = 64 << 20 };

void
ledger_case_open_vault(struct ax_ctx *ctx, struct ledger_case *at)
{
    const struct ax_vault_config config = {.folder = at->keys_folder, .kek_path = at->kek_path};
    CHECK_EQ(ax_vault_open(ctx, &config, &at->vault), AX_OK);
}

void
ledger_case_make_keys(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_event event;
    ax_str payload;
    for (uint64_t i = 0; i < 40; i++)
        CHECK_EQ(ledger_case_fact(ctx, at, i, &event, &payload), AX_OK);
    CHECK_EQ(ax_vault_commit(at->vault, ctx), AX_OK);
}

void
ledger_case_run(void (*body)(struct ax_ctx *ctx, struct ledger_case *at))
{
    struct ledger_case at = {
        .origin = AX_STR("example.org/axiom/test"),
        .seed = {1, 2, 3},
        .config = {.segment_bytes = 1 << 20,
                   .batch_records_max = 256,
                   .batch_bytes_max = 1 << 20,
                   .queue_records_max = 10'000,
                   .queue_bytes_max = 4 << 20,
                   .payload_bytes_max = 100'000,
                   .publish_interval_ms = 20,
                   .checkpoint_interval_ms = 0},
    };
    snprintf(at.folder, sizeof at.folder, "/tmp/axiom-ledger-XXXXXX");
    CHECK(mkdtemp(at.folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    at.ledger_folder = ax_path_join(arena, ax_str_of(at.folder), AX_STR("ledger"));
    at.kek_path = ax_path_join(arena, ax_str_of(at.folder), AX_STR("kek"));
    at.keys_folder = ax_path_join(arena, ax_str_of(at.folder), AX_STR("keys"));
    CHECK_EQ(ax_vault_make_kek(&ctx, at.kek_path), AX_OK);
    ledger_case_open_vault(&ctx, &at);
    body(&ctx, &at);
    ax_vault_close(at.vault);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(at.folder)), AX_OK);
}

static struct ax_ledger_place
place_of(struct ledger_case *at)
{
    return (struct ax_ledger_place){
        .folder = at->ledger_folder, .origin = at->origin, .seed = at->seed, .vault = at->vault};
}

ax_status
ledger_case_open(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger **out_ledger)
{
    struct ax_ledger_place place = place_of(at);
    return ax_ledger_open(ctx, &at->config, &place, out_ledger);
}

ax_status
ledger_case_open_still(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger **out_ledger)
{
    struct ax_ledger_place place = place_of(at);
    return ax_ledger_open_still(ctx, &at->config, &place, out_ledger);
}

static ax_str
object_of(struct ax_ctx *ctx, uint64_t i)
{
    return ax_str_printf(ctx->arena, "object-%d", (int)i);
}

static ax_str
payload_of(struct ax_ctx *ctx, uint64_t i)
{
    return ax_str_printf(ctx->arena, "what fact %d says of somebody", (int)i);
}

static bool
has_payload(uint64_t i)
{
    return i % 3 != 2;
}

ax_status
ledger_case_fact(struct ax_ctx *ctx, struct ledger_case *at, uint64_t i, struct ax_event *out_event,
                 ax_str *out_payload)
{
    *out_event = (struct ax_event){.kind = AX_EVENT_DECISION,
                                   .producer = AX_STR("test"),
                                   .event_ns = 1'000 + (int64_t)i,
                                   .object = object_of(ctx, i)};
    *out_payload = AX_STR("");
    if (!out_event->object.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a fact");
    if (!has_payload(i))
        return AX_OK;
    struct ax_vault_sealed sealed;
    ax_str entity = ax_str_printf(ctx->arena, "entity-%d", (int)(i % 10));
    ax_str payload = payload_of(ctx, i);
    if (!entity.at || !payload.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a fact");
    AX_TRY(ax_vault_seal(at->vault, ctx, entity, out_event->object, payload, &sealed));
    ax_vault_describe(&sealed, out_event);
    *out_payload = sealed.bytes;
    return AX_OK;
}

void
ledger_case_fill(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger,
                 uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct ax_event event;
        ax_str payload;
        uint64_t index = 0;
        CHECK_EQ(ledger_case_fact(ctx, at, i, &event, &payload), AX_OK);
        CHECK_EQ(ax_ledger_append(ledger, ctx, &event, payload, &index), AX_OK);
        CHECK_EQ(index, i);
    }
}

ax_status
ledger_case_commit(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger,
                   uint64_t from, uint64_t to)
{
    struct ax_ledger_entry entries[BATCH_MAX] = {};
    for (uint64_t i = from; i < to; i++) {
        struct ax_ledger_entry *entry = &entries[i - from];
        AX_TRY(ledger_case_fact(ctx, at, i, &entry->event, &entry->payload));
        entry->next_ = i + 1 < to ? entry + 1 : NULL;
    }
    ax_status status = ax_ledger_commit(ledger, ctx, entries), first = status;
    for (uint64_t i = from; i < to; i++) {
        const struct ax_ledger_entry *entry = &entries[i - from];
        CHECK(status == AX_OK || entry->status != AX_OK);
        if (first == AX_OK && entry->status != AX_OK)
            first = ax_fail(ctx, entry->status, "fact %d was not taken", (int)i);
        CHECK(first != AX_OK || entry->index == i);
    }
    return first;
}

void
ledger_case_check(struct ax_ctx *ctx, struct ax_ledger *ledger, uint64_t index, uint64_t i,
                  bool payload)
{
    struct ax_event event;
    ax_str leaf, text;
    CHECK_EQ(ax_ledger_read(ledger, ctx, index, &leaf), AX_OK);
    CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
    CHECK(ax_str_eq(event.object, object_of(ctx, i)));
    CHECK_EQ(event.event_ns, 1'000 + i);
    CHECK_EQ(event.sequence, i + 1);
    if (!payload)
        return;
    CHECK_EQ(ax_ledger_read_payload(ledger, ctx, index, &event, &text), AX_OK);
    CHECK(ax_str_eq(text, has_payload(i) ? payload_of(ctx, i) : AX_STR("")));
}

void
ledger_case_prove(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger)
{
    struct ax_checkpoint_key key;
    struct ax_checkpoint checkpoint;
    struct ax_merkle_range range = {};
    struct ax_merkle_proof consistency;
    ax_str note;
    (void)at;
    CHECK_EQ(ax_ledger_publish(ledger, ctx), AX_OK);
    CHECK_EQ(ax_checkpoint_vkey_parse(ctx, ax_ledger_vkey(ledger), &key), AX_OK);
    CHECK_EQ(ax_ledger_checkpoint(ledger, ctx, &note), AX_OK);
    CHECK_EQ(ax_checkpoint_verify(ctx, note, &key, &checkpoint), AX_OK);
    CHECK_EQ(checkpoint.head.size, ax_ledger_size(ledger));
    for (uint64_t i = 0; i < checkpoint.head.size; i++) {
        ax_str leaf, proof;
        uint64_t index = UINT64_MAX;
        CHECK_EQ(ax_ledger_read(ledger, ctx, i, &leaf), AX_OK);
        CHECK_EQ(ax_ledger_prove(ledger, ctx, i, &proof), AX_OK);
        CHECK_EQ(ax_checkpoint_proof_verify(ctx, proof, leaf, &key, &index), AX_OK);
        CHECK_EQ(index, i);
        ax_merkle_push(&range, ax_merkle_leaf(leaf));
        const struct ax_merkle_head older = {range.size, ax_merkle_root(&range)};
        CHECK_EQ(ax_ledger_prove_consistency(ledger, ctx, older.size, checkpoint.head.size,
                                             &consistency),
                 AX_OK);
        CHECK(ax_merkle_check_consistency(older, checkpoint.head, consistency));
    }
    CHECK(ax_digest_eq(ax_merkle_root(&range), checkpoint.head.root));
}

ax_str
ledger_case_read(struct ax_ctx *ctx, ax_str path)
{
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_file_read_all(ctx, path, FILE_BYTES_MAX, &bytes), AX_OK);
    return bytes;
}

void
ledger_case_write(struct ax_ctx *ctx, ax_str path, ax_str bytes)
{
    CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
}

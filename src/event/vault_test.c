#include "event/vault.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "event/key_file.h"
#include "harness.h"
#include "sys/file.h"

static char folder[64];
static ax_str keys_folder, kek_path;

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-vault-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    keys_folder = ax_path_join(arena, ax_str_of(folder), AX_STR("keys"));
    kek_path = ax_path_join(arena, ax_str_of(folder), AX_STR("kek"));
    CHECK_EQ(ax_vault_make_kek(&ctx, kek_path), AX_OK);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static ax_status
reopen(struct ax_ctx *ctx, struct ax_vault **out_vault)
{
    const struct ax_vault_config config = {
        .folder = keys_folder, .kek_path = kek_path, .cache_entries = 4};
    return ax_vault_open(ctx, &config, out_vault);
}

/* A fact about object i, and its payload. */
struct sealed_fact {
    struct ax_event event;
    ax_str sealed;
};

static ax_status
seal(struct ax_vault *vault, struct ax_ctx *ctx, int entity, ax_str payload,
     struct sealed_fact *out_fact)
{
    struct ax_vault_sealed sealed;
    ax_str name = ax_str_printf(ctx->arena, "customer-%d", entity);
    *out_fact = (struct sealed_fact){.event = {.kind = AX_EVENT_DECISION,
                                               .producer = AX_STR("decision"),
                                               .sequence = 1,
                                               .object = AX_STR("d_1")}};
    if (!name.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_vault_seal(vault, ctx, name, out_fact->event.object, payload, &sealed));
    ax_vault_describe(&sealed, &out_fact->event);
    out_fact->sealed = sealed.bytes;
    return AX_OK;
}

static ax_status
unseal(struct ax_vault *vault, struct ax_ctx *ctx, const struct sealed_fact *fact, ax_str want)
{
    ax_str payload;
    AX_TRY(ax_vault_unseal(vault, ctx, &fact->event, fact->sealed, &payload));
    CHECK(ax_str_eq(payload, want));
    return AX_OK;
}

static void
round_trip(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL;
    struct sealed_fact facts[20], again;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(seal(vault, ctx, i, AX_STR("income 4711"), &facts[i]), AX_OK);
    CHECK_EQ(seal(vault, ctx, 7, AX_STR(""), &again), AX_OK);
    CHECK(memcmp(again.event.key_id, facts[7].event.key_id, AX_EVENT_KEY_ID_BYTES) == 0);
    CHECK(memcmp(facts[8].event.key_id, facts[7].event.key_id, AX_EVENT_KEY_ID_BYTES) != 0);
    CHECK_EQ(unseal(vault, ctx, &again, AX_STR("")), AX_OK);
    for (int i = 0; i < 20; i++) /* before and after they are on the disk; the cache holds four */
        CHECK_EQ(unseal(vault, ctx, &facts[i], AX_STR("income 4711")), AX_OK);
    CHECK_EQ(ax_vault_commit(vault, ctx), AX_OK);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(unseal(vault, ctx, &facts[i], AX_STR("income 4711")), AX_OK);
    ax_vault_close(vault);
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(unseal(vault, ctx, &facts[i], AX_STR("income 4711")), AX_OK);
    CHECK_EQ(seal(vault, ctx, 7, AX_STR("x"), &again), AX_OK);
    CHECK(memcmp(again.event.key_id, facts[7].event.key_id, AX_EVENT_KEY_ID_BYTES) == 0);
    uint64_t alive, erased;
    ax_vault_count(vault, &alive, &erased);
    CHECK_EQ(alive, 20);
    CHECK_EQ(erased, 0);
    ax_vault_close(vault);
}

TEST(vault_gives_back_what_was_sealed)
{
    in_fresh_folder(round_trip);
}

static void
bound(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL;
    struct sealed_fact fact, other;
    ax_str text = AX_STR("secret"), payload;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    CHECK_EQ(seal(vault, ctx, 1, text, &fact), AX_OK);
    CHECK_EQ(seal(vault, ctx, 1, text, &other), AX_OK);
    CHECK(!ax_digest_eq(fact.event.payload_commit, other.event.payload_commit)); /* blinded */
    for (size_t i = 0; i < fact.sealed.len; i++) {
        char *bytes = AX_NEW_ARRAY(ctx->arena, char, fact.sealed.len);
        struct sealed_fact changed = fact;
        memcpy(bytes, fact.sealed.at, fact.sealed.len);
        bytes[i] ^= 1;
        changed.sealed.at = bytes;
        CHECK_EQ(ax_vault_unseal(vault, ctx, &changed.event, changed.sealed, &payload), AX_CORRUPT);
        changed.event.payload_ref = ax_sha256(changed.sealed); /* whoever owns the disk can do so */
        CHECK_EQ(ax_vault_unseal(vault, ctx, &changed.event, changed.sealed, &payload), AX_CORRUPT);
    }
    struct sealed_fact changed = fact;
    changed.event.object = AX_STR("d_2"); /* the payload of one decision under another's name */
    CHECK_EQ(ax_vault_unseal(vault, ctx, &changed.event, changed.sealed, &payload), AX_CORRUPT);
    changed = fact;
    changed.event.payload_commit = other.event.payload_commit;
    CHECK_EQ(ax_vault_unseal(vault, ctx, &changed.event, changed.sealed, &payload), AX_CORRUPT);
    changed = fact;
    changed.event.key_id[0] ^= 1;
    CHECK_EQ(ax_vault_unseal(vault, ctx, &changed.event, changed.sealed, &payload), AX_CORRUPT);
    ax_vault_close(vault);
}

TEST(vault_binds_a_payload_to_its_fact)
{
    in_fresh_folder(bound);
}

/* The commitment is plain HMAC-SHA-256, so that anybody who is shown blind and payload can check.
 */
static void
commitment(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL;
    struct sealed_fact fact;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    char *long_text = AX_NEW_ARRAY(ctx->arena, char, 10'000);
    for (size_t len = 0; len <= 10'000; len = 3 * len + 1) {
        CHECK_EQ(seal(vault, ctx, 1, (ax_str){long_text, len}, &fact), AX_OK);
        CHECK_EQ(fact.sealed.len, len + 61);
        CHECK_EQ(fact.event.payload_bytes, len + 61);
        CHECK(ax_digest_eq(fact.event.payload_ref, ax_sha256(fact.sealed)));
        ax_str payload;
        CHECK_EQ(ax_vault_unseal(vault, ctx, &fact.event, fact.sealed, &payload), AX_OK);
    }
    ax_vault_close(vault);
}

TEST(vault_commits_to_payloads_of_any_length)
{
    in_fresh_folder(commitment);
}

static void
erased(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL;
    struct ax_vault_receipt receipt;
    struct sealed_fact kept, gone, later;
    ax_str payload;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    CHECK_EQ(seal(vault, ctx, 1, AX_STR("kept"), &kept), AX_OK);
    CHECK_EQ(seal(vault, ctx, 2, AX_STR("gone"), &gone), AX_OK);
    CHECK(!ax_vault_erased(vault, gone.event.key_id));
    CHECK_EQ(ax_vault_erase(vault, ctx, AX_STR("customer-2"), &receipt), AX_OK);
    CHECK(memcmp(receipt.key_id, gone.event.key_id, sizeof receipt.key_id) == 0);
    CHECK(receipt.erased_ns > 0);
    CHECK_EQ(ax_vault_erase(vault, ctx, AX_STR("customer-2"), &receipt), AX_NOT_FOUND);
    CHECK_EQ(ax_vault_erase(vault, ctx, AX_STR("nobody"), &receipt), AX_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ax_vault_unseal(vault, ctx, &gone.event, gone.sealed, &payload), AX_NOT_FOUND);
        CHECK(strstr(ctx->error, "destroyed at 20") != NULL);
        CHECK_EQ(unseal(vault, ctx, &kept, AX_STR("kept")), AX_OK);
        CHECK(ax_vault_erased(vault, gone.event.key_id));
        ax_vault_close(vault);
        CHECK_EQ(reopen(ctx, &vault), AX_OK);
    }
    CHECK_EQ(seal(vault, ctx, 2, AX_STR("later"), &later), AX_OK);
    CHECK(memcmp(later.event.key_id, gone.event.key_id, sizeof receipt.key_id) != 0);
    CHECK_EQ(unseal(vault, ctx, &later, AX_STR("later")), AX_OK);
    ax_vault_close(vault);
    /* Nothing of the key is left on the disk: its slot is zeros where the wrapped key was. */
    ax_str bytes, path = ax_path_join(ctx->arena, keys_folder, AX_STR("keys"));
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
    ax_str slot = ax_str_from(bytes, 2 * AX_KEY_FILE_SLOT_BYTES);
    CHECK(memcmp(slot.at + 16, gone.event.key_id, sizeof receipt.key_id) == 0);
    for (size_t i = 32; i < 64; i++)
        CHECK_EQ(slot.at[i], 0);
    for (size_t i = 72; i < 124; i++)
        CHECK_EQ(slot.at[i], 0);
}

TEST(vault_erases_an_entity_for_good)
{
    in_fresh_folder(erased);
}

static void
foreign(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL, *second = NULL;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    CHECK_EQ(reopen(ctx, &second), AX_CONFLICT);
    ax_vault_close(vault);
    CHECK_EQ(ax_vault_make_kek(ctx, kek_path), AX_CONFLICT);
    CHECK_EQ(ax_file_remove(ctx, kek_path), AX_OK);
    CHECK_EQ(reopen(ctx, &vault), AX_NOT_FOUND);
    CHECK_EQ(ax_file_write_atomic(ctx, kek_path, AX_STR("not hex\n")), AX_OK);
    CHECK_EQ(reopen(ctx, &vault), AX_CORRUPT);
    CHECK_EQ(ax_file_remove(ctx, kek_path), AX_OK);
    CHECK_EQ(ax_vault_make_kek(ctx, kek_path), AX_OK);
    CHECK_EQ(reopen(ctx, &vault), AX_DENIED);
}

TEST(vault_refuses_a_foreign_key_and_a_second_process)
{
    in_fresh_folder(foreign);
}

static void
rewrapped(struct ax_ctx *ctx)
{
    struct ax_vault *vault = NULL;
    struct ax_vault_receipt receipt;
    struct sealed_fact facts[10], pending;
    CHECK_EQ(reopen(ctx, &vault), AX_OK);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(seal(vault, ctx, i, AX_STR("text"), &facts[i]), AX_OK);
    CHECK_EQ(ax_vault_erase(vault, ctx, AX_STR("customer-3"), &receipt), AX_OK);
    CHECK_EQ(seal(vault, ctx, 11, AX_STR("text"), &pending), AX_OK);
    ax_str old_path = kek_path;
    kek_path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("kek2"));
    ax_digest secret = ax_vault_secret(vault, AX_STR("one")), again;
    CHECK_EQ(ax_vault_rewrap(vault, ctx, kek_path), AX_NOT_FOUND);
    CHECK_EQ(ax_vault_make_kek(ctx, kek_path), AX_OK);
    again = ax_vault_secret(vault, AX_STR("one"));
    CHECK(ax_digest_eq(secret, again));
    again = ax_vault_secret(vault, AX_STR("other"));
    CHECK(!ax_digest_eq(secret, again));
    CHECK_EQ(ax_vault_rewrap(vault, ctx, kek_path), AX_OK);
    again = ax_vault_secret(vault, AX_STR("one"));
    CHECK(!ax_digest_eq(secret, again));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10; i++)
            CHECK_EQ(unseal(vault, ctx, &facts[i], AX_STR("text")), i == 3 ? AX_NOT_FOUND : AX_OK);
        CHECK_EQ(unseal(vault, ctx, &pending, AX_STR("text")), AX_OK);
        CHECK_EQ(seal(vault, ctx, 20 + round, AX_STR("new"), &facts[0]), AX_OK);
        CHECK_EQ(unseal(vault, ctx, &facts[0], AX_STR("new")), AX_OK);
        CHECK_EQ(seal(vault, ctx, 0, AX_STR("text"), &facts[0]), AX_OK);
        ax_vault_close(vault);
        CHECK_EQ(reopen(ctx, &vault), AX_OK);
    }
    ax_vault_close(vault);
    kek_path = old_path;
    CHECK_EQ(reopen(ctx, &vault), AX_DENIED);
}

TEST(vault_wraps_every_key_under_another_one)
{
    in_fresh_folder(rewrapped);
}

/* ---- faults ---- */

static int sweep_number;

/* Opens, seals, commits, erases: what was said to be done is done when it is opened again. */
static ax_status
live(struct ax_ctx *ctx, struct sealed_fact *out_first, bool *out_committed, bool *out_erased)
{
    struct ax_vault *vault = NULL;
    struct ax_vault_receipt receipt;
    struct sealed_fact second;
    AX_TRY(reopen(ctx, &vault));
    ax_status status = seal(vault, ctx, 1, AX_STR("first"), out_first);
    if (status == AX_OK)
        status = seal(vault, ctx, 2, AX_STR("second"), &second);
    if (status == AX_OK)
        status = ax_vault_commit(vault, ctx);
    *out_committed = status == AX_OK;
    if (status == AX_OK)
        status = ax_vault_erase(vault, ctx, AX_STR("customer-2"), &receipt);
    *out_erased = status == AX_OK;
    if (status == AX_OK)
        status = unseal(vault, ctx, out_first, AX_STR("first"));
    ax_vault_close(vault);
    return status;
}

static ax_status
live_and_look(struct ax_ctx *ctx)
{
    struct sealed_fact first;
    bool committed = false, gone = false;
    keys_folder = ax_str_printf(ctx->arena, "%s/%d", folder, sweep_number++);
    if (!keys_folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    return live(ctx, &first, &committed, &gone);
}

static void
faults(struct ax_ctx *ctx)
{
    (void)ctx;
    FAULT_SWEEP(live_and_look);
}

TEST(vault_notices_every_fault)
{
    in_fresh_folder(faults);
}

static void
faults_kept(struct ax_ctx *ctx)
{
    for (int step = 0;; step++) {
        struct sealed_fact first = {};
        struct ax_vault *vault = NULL;
        bool committed = false, gone = false;
        struct ax_ctx inner = ax_ctx_of(ctx->arena);
        keys_folder = ax_str_printf(ctx->arena, "%s/kept%d", folder, step);
        ax_fault_arm(step, true);
        ax_status status = live(&inner, &first, &committed, &gone);
        bool fired = ax_fault_disarm();
        CHECK_EQ(reopen(&inner, &vault), AX_OK);
        if (committed)
            CHECK_EQ(unseal(vault, &inner, &first, AX_STR("first")), AX_OK);
        uint64_t alive, erased_count;
        ax_vault_count(vault, &alive, &erased_count);
        CHECK(!gone || erased_count == 1);
        ax_vault_close(vault);
        if (!fired) {
            CHECK_EQ(status, AX_OK);
            break;
        }
    }
}

TEST(vault_keeps_its_word_after_every_lasting_fault)
{
    in_fresh_folder(faults_kept);
}

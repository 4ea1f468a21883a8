#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"
#include "sys/clock.h"

static void
reading(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    ax_str *leaves;
    size_t count;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_read_many(ledger, ctx, 0, 10, &leaves, &count), AX_OK);
    CHECK_EQ(count, 0);
    ledger_case_fill(ctx, at, ledger, 0, 30);
    for (uint64_t from = 0; from <= 31; from++) {
        CHECK_EQ(ax_ledger_read_many(ledger, ctx, from, 7, &leaves, &count), AX_OK);
        CHECK_EQ(count, from >= 30 ? 0 : from > 23 ? 30 - from : 7);
        for (size_t i = 0; i < count; i++) {
            ax_str leaf;
            CHECK_EQ(ax_ledger_read(ledger, ctx, from + i, &leaf), AX_OK);
            CHECK(ax_str_eq(leaf, leaves[i]));
        }
    }
    CHECK_EQ(ax_ledger_read_many(ledger, ctx, 0, 0, &leaves, &count), AX_OK);
    CHECK_EQ(count, 0);
    ax_ledger_close(ledger);
}

/* What a follower reads at once is what is read one by one. */
static void
reading_facts(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_ledger_fact *facts;
    size_t count;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, 30);
    CHECK_EQ(ax_ledger_read_facts(ledger, ctx, 4, 10, &facts, &count), AX_OK);
    CHECK_EQ(count, 10);
    for (size_t i = 0; i < count; i++) {
        struct ax_event event;
        ax_str one, all;
        CHECK_EQ(ax_ledger_read_payload(ledger, ctx, 4 + i, &event, &one), AX_OK);
        CHECK_EQ(ax_ledger_unseal(ledger, ctx, &facts[i], &all), AX_OK);
        CHECK(ax_str_eq(one, all) && facts[i].event.sequence == event.sequence);
    }
    facts[0].erased = facts[0].event.payload_bytes > 0;
    ax_str payload;
    CHECK_EQ(ax_ledger_unseal(ledger, ctx, &facts[0], &payload),
             facts[0].erased ? AX_NOT_FOUND : AX_OK);
    CHECK_EQ(ax_ledger_read_facts(ledger, ctx, 30, 10, &facts, &count), AX_OK);
    CHECK_EQ(count, 0);
    ax_ledger_close(ledger);
}

TEST(ledger_read_gives_facts_with_what_is_sealed)
{
    ledger_case_run(reading_facts);
}

TEST(ledger_read_gives_leaves_in_order)
{
    ledger_case_run(reading);
}

static void
no_vault(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_event event;
    ax_str payload;
    struct ax_vault *vault = at->vault;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, 3);
    ax_ledger_close(ledger);
    at->vault = NULL;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_read_payload(ledger, ctx, 0, &event, &payload), AX_UNAVAILABLE);
    CHECK_EQ(ax_ledger_read_payload(ledger, ctx, 2, &event, &payload), AX_OK);
    CHECK_EQ(payload.len, 0);
    CHECK_EQ(ax_ledger_read_payload(ledger, ctx, 3, &event, &payload), AX_NOT_FOUND);
    ax_ledger_close(ledger);
    at->vault = vault;
}

TEST(ledger_read_needs_a_vault_for_payloads)
{
    ledger_case_run(no_vault);
}

/* A tile that was changed gives no proof, rather than one that does not hold. */
static void
changed_tile(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_merkle_proof proof;
    ax_str file;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, 20);
    CHECK_EQ(ax_ledger_publish(ledger, ctx), AX_OK);
    ax_str path = ax_path_join(ctx->arena, at->ledger_folder, AX_STR("tile/0/000.p/20"));
    ax_str whole = ledger_case_read(ctx, path);
    CHECK_EQ(ax_ledger_prove(ledger, ctx, 3, &file), AX_OK);
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, whole.len);
    memcpy(bytes, whole.at, whole.len);
    bytes[19 * 32] ^= 1;
    ledger_case_write(ctx, path, (ax_str){bytes, whole.len});
    CHECK_EQ(ax_ledger_prove(ledger, ctx, 3, &file), AX_CORRUPT);
    CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
    CHECK_EQ(ax_ledger_prove(ledger, ctx, 3, &file), AX_NOT_FOUND);
    CHECK_EQ(ax_ledger_prove(ledger, ctx, 20, &file), AX_NOT_FOUND);
    CHECK_EQ(ax_ledger_prove_consistency(ledger, ctx, 1, 21, &proof), AX_NOT_FOUND);
    CHECK_EQ(ax_ledger_prove_consistency(ledger, ctx, 0, 20, &proof), AX_INVALID);
    ax_ledger_close(ledger);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK); /* made again from the log */
    CHECK_EQ(ax_ledger_prove(ledger, ctx, 3, &file), AX_OK);
    ax_ledger_close(ledger);
}

TEST(ledger_read_gives_no_proof_that_does_not_hold)
{
    ledger_case_run(changed_tile);
}

static void
deadlines(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, 0, 3), AX_OK);
    ctx->deadline_ns = ax_clock_monotonic_ns() + 2'000'000;
    CHECK_EQ(ax_ledger_publish(ledger, ctx), AX_TIMEOUT); /* nobody builds */
    ax_ledger_fail(ledger, "for a test");
    CHECK_EQ(ax_ledger_publish(ledger, ctx), AX_UNAVAILABLE);
    ax_ledger_free(ledger);
}

TEST(ledger_read_waits_for_a_checkpoint_no_longer_than_asked)
{
    ledger_case_run(deadlines);
}

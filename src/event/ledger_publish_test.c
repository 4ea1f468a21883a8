#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"

static void
state_text(struct ax_ctx *ctx)
{
    struct ax_producers producers = {};
    struct ax_ledger_state back;
    const struct ax_producer_mark mark = {AX_STR("outbox"), 7, ax_sha256(AX_STR("x")), 11};
    const struct ax_ledger_state state = {
        .head = {1'000, ax_sha256(AX_STR("root"))}, .tiles_sure = 768, .history_bytes = 5};
    ax_str text;
    CHECK_EQ(ax_ledger_state_format(ctx, &state, &mark, 1, &text), AX_OK);
    CHECK_EQ(ax_ledger_state_parse(ctx, text, &back, &producers), AX_OK);
    CHECK_EQ(back.head.size, 1'000);
    CHECK(ax_digest_eq(back.head.root, state.head.root));
    CHECK_EQ(back.tiles_sure, 768);
    CHECK_EQ(back.history_bytes, 5);
    CHECK_EQ(producers.count, 1);
    CHECK_EQ(producers.items[0]->sequence, 7);
    ax_producers_done(&producers);
    for (size_t cut = 0; cut < text.len; cut++)
        CHECK_EQ(ax_ledger_state_parse(ctx, (ax_str){text.at, cut}, &back, &producers), AX_CORRUPT);
    for (size_t i = 0; i < text.len; i++) {
        char *bytes = AX_NEW_ARRAY(ctx->arena, char, text.len);
        memcpy(bytes, text.at, text.len);
        bytes[i] ^= 2;
        ax_str changed = {bytes, text.len};
        CHECK_EQ(ax_ledger_state_parse(ctx, changed, &back, &producers), AX_CORRUPT);
    }
    ax_producers_done(&producers);
}

TEST(ledger_publish_reads_its_state_back)
{
    ax_test_with_ctx(state_text);
}

/* ---- what is signed ---- */

static struct ax_checkpoint
signed_now(struct ax_ctx *ctx, struct ax_ledger *ledger)
{
    ax_str note;
    struct ax_checkpoint checkpoint = {};
    CHECK_EQ(ax_ledger_checkpoint(ledger, ctx, &note), AX_OK);
    CHECK_EQ(ax_checkpoint_verify(ctx, note, &ledger->key, &checkpoint), AX_OK);
    return checkpoint;
}

static void
signing(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(signed_now(ctx, ledger).head.size, 0);
    for (uint64_t i = 0; i < 30; i += 10) {
        CHECK_EQ(ledger_case_commit(ctx, at, ledger, i, i + 10), AX_OK);
        CHECK_EQ(signed_now(ctx, ledger).head.size, i);
        CHECK_EQ(ax_ledger_publish_round(ledger, ctx), AX_OK);
        CHECK_EQ(signed_now(ctx, ledger).head.size, i + 10);
        CHECK(ax_digest_eq(signed_now(ctx, ledger).head.root, ledger->durable.root));
    }
    /* The history holds them all, one behind the other. */
    ax_str path = ax_path_join(ctx->arena, at->ledger_folder, AX_STR("checkpoints"));
    ax_str history = ledger_case_read(ctx, path);
    size_t notes = 0;
    for (size_t i = 0; i + 7 < history.len; i++)
        notes += ax_str_starts(ax_str_from(history, i), AX_STR("\nexample.org/axiom/test\n"));
    CHECK_EQ(notes, 4);
    ax_ledger_free(ledger);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(signed_now(ctx, ledger).head.size, 30);
    ax_ledger_free(ledger);
}

TEST(ledger_publish_signs_what_is_durable)
{
    ledger_case_run(signing);
}

/* What is read back is not what was handed in: nothing is signed, and nothing taken any more. */
static void
disagreement(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, 0, 5), AX_OK);
    ledger->durable.root.bytes[0] ^= 1; /* a bit of memory turned over */
    CHECK_EQ(ax_ledger_publish_round(ledger, ctx), AX_CORRUPT);
    CHECK_EQ(signed_now(ctx, ledger).head.size, 0);
    CHECK_EQ(ax_ledger_check(ledger, ctx), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "read back") != NULL);
    ax_ledger_free(ledger);
}

TEST(ledger_publish_signs_nothing_when_the_two_threads_disagree)
{
    ledger_case_run(disagreement);
}

/* ---- faults ---- */

static void
check_promise(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger)
{
    struct ax_producers producers = {};
    struct ax_ledger_state state;
    struct ax_checkpoint checkpoint;
    ax_str text =
        ledger_case_read(ctx, ax_path_join(ctx->arena, at->ledger_folder, AX_STR("state")));
    ax_str note =
        ledger_case_read(ctx, ax_path_join(ctx->arena, at->ledger_folder, AX_STR("checkpoint")));
    CHECK_EQ(ax_ledger_state_parse(ctx, text, &state, &producers), AX_OK);
    CHECK_EQ(ax_checkpoint_verify(ctx, note, &ledger->key, &checkpoint), AX_OK);
    CHECK(checkpoint.head.size <= state.head.size);
    CHECK(signed_now(ctx, ledger).head.size <= checkpoint.head.size);
    CHECK(state.head.size <= ax_ledger_size(ledger));
    ax_producers_done(&producers);
}

/*
 * Each round has facts to sign. After a fault the next round makes up for it, and never was a note
 * shown whose size the state file did not know before.
 */
static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    uint64_t size = 0;
    bool fired = true;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    for (int step = 0; fired; step++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
        struct ax_ctx inner = ax_ctx_of(arena);
        CHECK_EQ(ledger_case_commit(&inner, at, ledger, size, size + 2), AX_OK);
        size += 2;
        ax_fault_arm(step, step % 2);
        ax_status status = ax_ledger_publish_round(ledger, &inner);
        fired = ax_fault_disarm();
        CHECK(!fired || !ax_fault_must_be_noticed() || status != AX_OK);
        check_promise(&inner, at, ledger);
        CHECK_EQ(ax_ledger_check(ledger, &inner), AX_OK);
        CHECK_EQ(ax_ledger_publish_round(ledger, &inner), AX_OK);
        CHECK_EQ(signed_now(&inner, ledger).head.size, size);
    }
    CHECK(size > 20);
    ax_ledger_free(ledger);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_size(ledger), size);
    ax_ledger_free(ledger);
}

TEST(ledger_publish_never_shows_more_than_it_has_written_down)
{
    ledger_case_run(faults);
}

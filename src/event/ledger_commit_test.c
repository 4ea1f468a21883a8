#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"

static struct ledger_case *sweep_case;
static int sweep_number;

/* Opens in a folder of its own, commits two batches: the second is what must not be lied about. */
static ax_status
commit_twice(struct ax_ctx *ctx, uint64_t *out_acked)
{
    struct ax_ledger *ledger = NULL;
    AX_TRY(ledger_case_open_still(ctx, sweep_case, &ledger));
    ax_status status = ledger_case_commit(ctx, sweep_case, ledger, 0, 3);
    if (status == AX_OK) {
        *out_acked = 3;
        status = ledger_case_commit(ctx, sweep_case, ledger, 3, 40);
    }
    if (status == AX_OK)
        *out_acked = 40;
    ax_ledger_free(ledger);
    return status;
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    uint64_t acked = 0;
    sweep_case->ledger_folder =
        ax_str_printf(ctx->arena, "%s/%d", sweep_case->folder, sweep_number++);
    if (!sweep_case->ledger_folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    return commit_twice(ctx, &acked);
}

static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    sweep_case = at;
    ledger_case_make_keys(ctx, at);
    FAULT_SWEEP(sweep_body);
}

TEST(ledger_commit_notices_every_fault)
{
    ledger_case_run(faults);
}

/* After each fault, for once or for good: what was acknowledged is there when opened again. */
static void
word_kept(struct ax_ctx *ctx, struct ledger_case *at)
{
    sweep_case = at;
    bool fired = true;
    for (int step = 0; fired; step++) {
        for (int lasting = 0; lasting < 2; lasting++) {
            ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
            struct ax_ctx inner = ax_ctx_of(arena);
            struct ax_ledger *ledger = NULL;
            uint64_t acked = 0;
            ax_vault_close(at->vault); /* one without keys */
            at->keys_folder = ax_str_printf(ctx->arena, "%s/k%d.%d", at->folder, step, lasting);
            ledger_case_open_vault(&inner, at);
            at->ledger_folder = ax_str_printf(ctx->arena, "%s/w%d.%d", at->folder, step, lasting);
            ax_fault_arm(step, lasting);
            ax_ignore(commit_twice(&inner, &acked), "looked at below");
            fired = ax_fault_disarm();
            ax_vault_close(at->vault);
            ledger_case_open_vault(&inner, at);
            CHECK_EQ(ledger_case_open_still(&inner, at, &ledger), AX_OK);
            CHECK(ax_ledger_size(ledger) >= acked);
            for (uint64_t i = 0; i < acked; i++)
                ledger_case_check(&inner, ledger, i, i, true);
            ax_ledger_free(ledger);
        }
    }
}

TEST(ledger_commit_keeps_its_word_after_every_fault)
{
    ledger_case_run(word_kept);
}

/* A full disk is no failure: the batch is refused, the next one is taken. */
static void
refused_once(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, 0, 5), AX_OK);
    ledger->leaves.len_max = 100; /* stands for want of memory */
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, 5, 10), AX_LIMIT);
    CHECK_EQ(ax_ledger_check(ledger, ctx), AX_OK);
    ledger->leaves.len_max = 1 << 20;
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, 5, 10), AX_OK);
    for (uint64_t i = 0; i < 10; i++)
        ledger_case_check(ctx, ledger, i, i, true);
    ax_ledger_free(ledger);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_size(ledger), 10);
    ax_ledger_free(ledger);
}

TEST(ledger_commit_leaves_all_as_it_was_when_refused)
{
    ledger_case_run(refused_once);
}

/* A retry in the same batch as the fact itself waits for the same sync. */
static void
twice_in_a_batch(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_ledger_entry entries[4] = {};
    static const uint64_t sequences[4] = {1, 1, 3, 2};
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    for (int i = 0; i < 4; i++) {
        entries[i].event = (struct ax_event){
            .kind = AX_EVENT_CHANGE, .producer = AX_STR("outbox"), .sequence = sequences[i]};
        entries[i].next_ = i < 3 ? &entries[i + 1] : NULL;
    }
    CHECK_EQ(ax_ledger_commit(ledger, ctx, entries), AX_OK);
    CHECK_EQ(entries[0].status, AX_OK);
    CHECK_EQ(entries[1].status, AX_OK);
    CHECK(!entries[0].duplicate && entries[1].duplicate);
    CHECK_EQ(entries[1].index, 0);
    CHECK_EQ(entries[2].status, AX_INVALID);
    CHECK_EQ(entries[3].index, 1);
    CHECK_EQ(ax_ledger_size(ledger), 2);
    ax_ledger_free(ledger);
}

TEST(ledger_commit_knows_a_retry_in_the_same_batch)
{
    ledger_case_run(twice_in_a_batch);
}

#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"

enum { FACTS = 300 };

static void
backup(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL, *copy = NULL;
    struct ax_checkpoint checkpoint;
    ax_str note, folder = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("backup"));
    at->config.segment_bytes = 20'000; /* several segments */
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, FACTS);
    CHECK_EQ(ax_ledger_backup(ledger, ctx, folder, &note), AX_OK);
    CHECK_EQ(ax_ledger_backup(ledger, ctx, folder, &note), AX_CONFLICT);
    ledger_case_fill(ctx, at, ledger, FACTS, FACTS + 5);
    CHECK_EQ(ax_checkpoint_verify(ctx, note, &ledger->key, &checkpoint), AX_OK);
    CHECK_EQ(checkpoint.head.size, FACTS);
    ax_ledger_close(ledger);
    at->ledger_folder = folder;
    CHECK_EQ(ledger_case_open(ctx, at, &copy), AX_OK);
    CHECK_EQ(ax_ledger_size(copy), FACTS);
    for (uint64_t i = 0; i < FACTS; i++)
        ledger_case_check(ctx, copy, i, i, true);
    ledger_case_prove(ctx, at, copy);
    ledger_case_fill(ctx, at, copy, FACTS, FACTS + 5); /* and it goes on, sequences and all */
    ax_ledger_close(copy);
}

TEST(ledger_copy_opens_and_goes_on)
{
    ledger_case_run(backup);
}

static void
empty_backup(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    ax_str note, folder = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("backup"));
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_backup(ledger, ctx, folder, &note), AX_OK);
    ax_ledger_close(ledger);
    at->ledger_folder = folder;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_size(ledger), 0);
    ax_ledger_close(ledger);
}

TEST(ledger_copy_of_no_facts_opens)
{
    ledger_case_run(empty_backup);
}

static ax_status
payload_status(struct ax_ctx *ctx, struct ax_ledger *ledger, uint64_t index)
{
    struct ax_event event;
    ax_str payload;
    return ax_ledger_read_payload(ledger, ctx, index, &event, &payload);
}

/* Erasing an entity: unreadable here and in the backup taken before, and every proof still holds.
 */
static void
erased(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL, *copy = NULL;
    struct ax_vault_receipt receipt;
    ax_str note, folder = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("backup"));
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, 60);
    CHECK_EQ(ax_ledger_backup(ledger, ctx, folder, &note), AX_OK);
    CHECK_EQ(payload_status(ctx, ledger, 4), AX_OK);
    CHECK_EQ(ax_vault_erase(at->vault, ctx, AX_STR("entity-4"), &receipt), AX_OK);
    CHECK_EQ(payload_status(ctx, ledger, 4), AX_NOT_FOUND);
    uint64_t cursor = 0;
    size_t removed = 0, all = 0;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(ax_ledger_sweep(ledger, ctx, &cursor, 7, &removed), AX_OK);
        CHECK_EQ(cursor, i < 8 ? 7 * (i + 1) : 60);
        all += removed;
    }
    CHECK_EQ(all, 4); /* 4, 24, 34, 54: 14 and 44 had no payload */
    cursor = 0;
    CHECK_EQ(ax_ledger_sweep(ledger, ctx, &cursor, 1'000, &removed), AX_OK);
    CHECK_EQ(removed, 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 60; i++)
            ledger_case_check(ctx, ledger, i, i, i % 10 != 4);
        CHECK_EQ(payload_status(ctx, ledger, 24), AX_NOT_FOUND);
        ledger_case_prove(ctx, at, ledger);
        ax_ledger_close(ledger);
        CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    }
    ax_ledger_close(ledger);
    at->ledger_folder = folder;
    CHECK_EQ(ledger_case_open(ctx, at, &copy), AX_OK);
    CHECK_EQ(payload_status(ctx, copy, 4), AX_NOT_FOUND);
    CHECK_EQ(payload_status(ctx, copy, 6), AX_OK);
    ledger_case_prove(ctx, at, copy);
    ax_ledger_close(copy);
}

TEST(ledger_copy_is_unreadable_too_when_an_entity_is_erased)
{
    ledger_case_run(erased);
}

/* ---- faults ---- */

static struct ledger_case *sweep_case;
static struct ax_ledger *sweep_ledger;
static int sweep_number;

static ax_status
copy_body(struct ax_ctx *ctx)
{
    ax_str note;
    ax_str folder = ax_str_printf(ctx->arena, "%s/c%d", sweep_case->folder, sweep_number++);
    if (!folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    return ax_ledger_backup(sweep_ledger, ctx, folder, &note);
}

static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    sweep_case = at;
    CHECK_EQ(ledger_case_open(ctx, at, &sweep_ledger), AX_OK);
    ledger_case_fill(ctx, at, sweep_ledger, 0, 20);
    CHECK_EQ(ax_ledger_publish(sweep_ledger, ctx), AX_OK);
    FAULT_SWEEP(copy_body);
    ax_ledger_close(sweep_ledger);
}

TEST(ledger_copy_notices_every_fault)
{
    ledger_case_run(faults);
}

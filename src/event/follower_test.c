#include "event/follower.h"

#include "harness.h"
#include "ledger_case.h"
#include "sys/file.h"

struct seen {
    uint64_t next;
    uint64_t stop_at; /* refuses this one */
};

static ax_status
see(void *arg, struct ax_ctx *ctx, uint64_t index, const struct ax_event *event)
{
    struct seen *seen = arg;
    if (index == seen->stop_at)
        return ax_fail(ctx, AX_UNAVAILABLE, "not now");
    CHECK_EQ(index, seen->next);
    CHECK_EQ(event->sequence, index + 1);
    seen->next = index + 1;
    return AX_OK;
}

static void
following(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_follower *follower = NULL;
    struct seen seen = {.stop_at = UINT64_MAX};
    size_t count;
    ax_str path = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("position"));
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_follower_open(ctx, ledger, path, &follower), AX_OK);
    CHECK_EQ(ax_follower_run(follower, ctx, 10, see, &seen, &count), AX_OK);
    CHECK_EQ(count, 0);
    ledger_case_fill(ctx, at, ledger, 0, 30);
    CHECK_EQ(ax_follower_behind(follower), 30);
    CHECK_EQ(ax_follower_run(follower, ctx, 10, see, &seen, &count), AX_OK);
    CHECK_EQ(count, 10);
    seen.stop_at = 17;
    CHECK_EQ(ax_follower_run(follower, ctx, 100, see, &seen, &count), AX_UNAVAILABLE);
    CHECK_EQ(count, 7);
    CHECK(strstr(ctx->error, "not now") != NULL);
    CHECK_EQ(ax_follower_position(follower), 17);
    ax_follower_close(follower);
    CHECK_EQ(ax_follower_open(ctx, ledger, path, &follower), AX_OK);
    CHECK_EQ(ax_follower_position(follower), 17);
    seen.stop_at = UINT64_MAX;
    CHECK_EQ(ax_follower_run(follower, ctx, 100, see, &seen, &count), AX_OK);
    CHECK_EQ(count, 13);
    CHECK_EQ(ax_follower_behind(follower), 0);
    ax_follower_close(follower);
    static const struct {
        const char *text;
        ax_status want;
    } cases[] = {{"30\n", AX_OK},
                 {"31\n", AX_CORRUPT},
                 {"30", AX_CORRUPT},
                 {"", AX_CORRUPT},
                 {"x\n", AX_CORRUPT}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ledger_case_write(ctx, path, ax_str_of(cases[i].text));
        ax_status status = ax_follower_open(ctx, ledger, path, &follower);
        CHECK_EQ(status, cases[i].want);
        if (status == AX_OK)
            ax_follower_close(follower);
    }
    ax_ledger_close(ledger);
}

TEST(follower_sees_each_fact_and_goes_on_where_it_was)
{
    ledger_case_run(following);
}

static struct ledger_case *sweep_case;
static struct ax_ledger *sweep_ledger;
static int sweep_number;

static ax_status
follow_some(struct ax_ctx *ctx)
{
    struct ax_follower *follower = NULL;
    struct seen seen = {.stop_at = UINT64_MAX};
    size_t count;
    ax_str path = ax_str_printf(ctx->arena, "%s/f%d", sweep_case->folder, sweep_number++);
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_follower_open(ctx, sweep_ledger, path, &follower));
    ax_status status = ax_follower_run(follower, ctx, 5, see, &seen, &count);
    ax_follower_close(follower);
    return status;
}

static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    sweep_case = at;
    CHECK_EQ(ledger_case_open(ctx, at, &sweep_ledger), AX_OK);
    ledger_case_fill(ctx, at, sweep_ledger, 0, 10);
    FAULT_SWEEP(follow_some);
    ax_ledger_close(sweep_ledger);
}

TEST(follower_notices_every_fault)
{
    ledger_case_run(faults);
}

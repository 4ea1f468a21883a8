#include "governance/kill_switch.h"

#include "harness.h"
#include "sys/file.h"

static const struct ax_kill_subject credit = {
    .deployment = {"credit", 6},
    .model = {"credit-gbm", 10},
    .client = {"loans", 5},
};

static ax_str
path_of(struct ax_ctx *ctx, const char *name)
{
    ax_str path = ax_str_printf(ctx->arena, "build-test-kill-%s.json", name);
    ax_ignore(ax_file_remove(ctx, path), "it may not be there");
    return path;
}

static void
restarts(struct ax_ctx *ctx)
{
    static const struct {
        const char *scope;
        ax_status want;
    } cases[] = {
        {"all", AX_DENIED},
        {"deployment:credit", AX_DENIED},
        {"model:credit-gbm", AX_DENIED},
        {"client:loans", AX_DENIED},
        {"deployment:other", AX_OK},
        {"model:credit", AX_OK},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str path = path_of(ctx, "restart");
        struct ax_kill_switch *kill = NULL;
        const struct ax_kill_latch latch = {
            .scope = ax_str_of(cases[i].scope),
            .reason = AX_STR("drift"),
            .actor = AX_STR("olga"),
            .thrown_ns = 7,
        };
        CHECK_EQ(ax_kill_switch_open(ctx, path, &kill), AX_OK);
        CHECK_EQ(ax_kill_switch_check(kill, ctx, &credit), AX_OK);
        CHECK_EQ(ax_kill_switch_throw(kill, ctx, &latch), AX_OK);
        CHECK_EQ(ax_kill_switch_check(kill, ctx, &credit), cases[i].want);
        ax_kill_switch_close(kill);

        CHECK_EQ(ax_kill_switch_open(ctx, path, &kill), AX_OK);
        CHECK_EQ(ax_kill_switch_check(kill, ctx, &credit), cases[i].want);
        CHECK_EQ(ax_kill_switch_release(kill, ctx, latch.scope), AX_OK);
        CHECK_EQ(ax_kill_switch_release(kill, ctx, latch.scope), AX_NOT_FOUND);
        CHECK_EQ(ax_kill_switch_check(kill, ctx, &credit), AX_OK);
        ax_kill_switch_close(kill);
        ax_ignore(ax_file_remove(ctx, path), "left as it was found");
    }
}

TEST(r80_a_kill_switch_survives_a_restart_until_it_is_released)
{
    ax_test_with_ctx(restarts);
}

static void
closed(struct ax_ctx *ctx)
{
    static const char *const broken[] = {
        "",
        "{",
        "{\"axiom_latches\":2,\"latches\":[]}",
        "{\"axiom_latches\":1}",
        ("{\"axiom_latches\":1,\"latches\":[{\"scope\":\"everything\",\"reason\":\"\","
         "\"actor\":\"\",\"thrown_ns\":0}]}"),
    };
    for (size_t i = 0; i < AX_COUNT_OF(broken); i++) {
        ax_str path = path_of(ctx, "broken");
        ax_auto(ax_kill_switch_close) struct ax_kill_switch *kill = NULL;
        CHECK_EQ(ax_file_write_atomic(ctx, path, ax_str_of(broken[i])), AX_OK);
        CHECK_EQ(ax_kill_switch_open(ctx, path, &kill), AX_OK);
        CHECK_EQ(ax_kill_switch_check(kill, ctx, &credit), AX_DENIED);
        CHECK(strstr(ctx->error, "the latch file is not understood") != NULL);
        ax_ignore(ax_file_remove(ctx, path), "left as it was found");
    }
}

TEST(r80_an_unknown_state_of_the_latches_fails_closed)
{
    ax_test_with_ctx(closed);
}

static ax_status
throw_and_release(struct ax_ctx *ctx)
{
    ax_str path = AX_STR("build-test-kill-sweep.json");
    ax_auto(ax_kill_switch_close) struct ax_kill_switch *kill = NULL;
    const struct ax_kill_latch latch = {.scope = AX_STR("all"), .reason = AX_STR("drill")};
    AX_TRY(ax_kill_switch_open(ctx, path, &kill));
    ax_status status = ax_kill_switch_throw(kill, ctx, &latch);
    CHECK_EQ(ax_kill_switch_check(kill, &(struct ax_ctx){.arena = ctx->arena}, &credit), AX_DENIED);
    AX_TRY(status);
    status = ax_kill_switch_release(kill, ctx, AX_STR("all"));
    if (status != AX_OK) /* what could not be noted as released stays stopped */
        CHECK_EQ(ax_kill_switch_check(kill, &(struct ax_ctx){.arena = ctx->arena}, &credit),
                 AX_DENIED);
    return status;
}

static ax_status
sweep(struct ax_ctx *ctx)
{
    ax_status status = throw_and_release(ctx);
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove(ctx, AX_STR("build-test-kill-sweep.json")), "it may not be there");
    ax_fault_benign_end();
    return status;
}

TEST(r80_the_latch_holds_in_memory_whatever_the_disk_says)
{
    FAULT_SWEEP(sweep);
}

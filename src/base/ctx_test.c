#include "base/ctx.h"

#include "harness.h"

static ax_status
outer(struct ax_ctx *ctx)
{
    ax_status status = ax_fail(ctx, AX_NOT_FOUND, "open %s: no such file", "model.json");
    return ax_explain(ctx, status, "load credit/%d", 7);
}

TEST(ctx_tells_what_was_tried_in_front_of_what_went_wrong)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 12);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ctx.deadline_ns, INT64_MAX);
    CHECK(ctx.arena == arena && !ctx.actor && !ctx.error[0]);
    CHECK_EQ(outer(&ctx), AX_NOT_FOUND);
    CHECK_STR(ax_str_of(ctx.error), "load credit/7: open model.json: no such file");
    CHECK_EQ(ax_fail(&ctx, AX_LIMIT, "anew"), AX_LIMIT); /* the words before are gone */
    CHECK_STR(ax_str_of(ctx.error), "anew");
}

TEST(ctx_explains_when_nothing_was_said)
{
    struct ax_ctx ctx = {};
    CHECK_EQ(ax_explain(&ctx, AX_TIMEOUT, "ask the store"), AX_TIMEOUT);
    CHECK(ax_str_starts(ax_str_of(ctx.error), AX_STR("ask the store")));
}

/* At every length of what was said and of what is put in front: cut, terminated, never beyond. */
TEST(ctx_cuts_what_is_too_long)
{
    static char text[2 * AX_ERROR_BYTES_MAX];
    memset(text, 'a', sizeof text);
    for (int inner = 1; inner < 2 * AX_ERROR_BYTES_MAX; inner += 13) {
        for (int before = 1; before < 2 * AX_ERROR_BYTES_MAX; before += 17) {
            struct {
                struct ax_ctx ctx;
                char guard[8];
            } guarded = {.guard = "guarded"};
            ax_ignore(ax_fail(&guarded.ctx, AX_INVALID, "%.*s", inner, text), "only its words");
            ax_ignore(ax_explain(&guarded.ctx, AX_INVALID, "%.*s", before, text), "the same");
            size_t len = strnlen(guarded.ctx.error, AX_ERROR_BYTES_MAX);
            CHECK(len < AX_ERROR_BYTES_MAX);
            CHECK(len >= (size_t)(before < AX_ERROR_BYTES_MAX ? before : AX_ERROR_BYTES_MAX - 1));
            if (before + 2 + inner < AX_ERROR_BYTES_MAX - 1)
                CHECK_EQ(len, before + 2 + inner);
            CHECK_STR(ax_str_of(guarded.guard), "guarded");
        }
    }
}

TEST(ctx_status_is_evaluated_once)
{
    struct ax_ctx ctx = {};
    int calls = 0;
    ax_status status = ax_fail(&ctx, (calls++, AX_DENIED), "no");
    CHECK_EQ(status, AX_DENIED);
    CHECK_EQ(calls, 1);
}

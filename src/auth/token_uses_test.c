#include "auth/token_uses.h"

#include "directory_case.h"
#include "sys/clock.h"

enum { TOKENS = 300 };

static const char counted[] = "select count(*) from tokens where last_used_ns is not null";

static void
make_tokens(struct ax_ctx *ctx, struct directory_case *made)
{
    directory_case_make(ctx, made);
    directory_case_script(
        ctx, made,
        "insert into users values ('dana', 'N', 'person', 1, '', 0, 0, 7, 0);"
        "insert into tokens with recursive n(i) as (select 1 union all select i + 1 from n "
        "where i < 300) select 't' || i, 'dana', '', 'h' || i, 1, 2, null, '', null from n;");
}

static void
noted(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_token_uses *uses = NULL;
    make_tokens(ctx, &made);
    CHECK_EQ(ax_token_uses_open(ctx, &uses), AX_OK);
    CHECK_EQ(ax_token_uses_flush(uses, ctx, made.store), AX_OK);
    for (int i = 1; i <= TOKENS; i++)
        for (int again = 0; again < 3; again++)
            ax_token_uses_note(uses, ax_str_printf(ctx->arena, "t%d", i));
    ax_token_uses_note(uses, AX_STR(""));
    ax_token_uses_note(uses, AX_STR("an id that is far too long to be one of ours"));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(ax_token_uses_flush(uses, ctx, made.store), AX_OK);
    int64_t count = directory_case_count(ctx, &made, counted);
    CHECK(count <= TOKENS && count >= TOKENS - 10); /* some may have found no place */
    ax_token_uses_close(uses);
    directory_case_done(ctx, &made);
}

TEST(the_use_of_tokens_is_written_some_at_a_time)
{
    ax_test_with_ctx(noted);
}

/* Within a minute nothing is written again; a later use is. */
static void
fine(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_token_uses *uses = NULL;
    int64_t now_ns = INT64_C(1'800'000'000'000'000'000);
    make_tokens(ctx, &made);
    CHECK_EQ(ax_token_uses_open(ctx, &uses), AX_OK);
    for (int seconds = 0; seconds <= 90; seconds += 30) {
        ax_clock_fake(1, now_ns + seconds * INT64_C(1'000'000'000));
        ax_token_uses_note(uses, AX_STR("t7"));
        CHECK_EQ(ax_token_uses_flush(uses, ctx, made.store), AX_OK);
    }
    ax_clock_fake(0, 0);
    CHECK_EQ(directory_case_count(ctx, &made,
                                  "select last_used_ns / 1000000000 from tokens where id = 't7'"),
             1'800'000'060);
    ax_token_uses_close(uses);
    directory_case_done(ctx, &made);
}

TEST(the_use_of_a_token_is_known_to_the_minute)
{
    ax_test_with_ctx(fine);
}

/* What could not be written is written later. */
static void
away(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_token_uses *uses = NULL;
    make_tokens(ctx, &made);
    CHECK_EQ(ax_token_uses_open(ctx, &uses), AX_OK);
    ax_token_uses_note(uses, AX_STR("t1"));
    ax_fault_arm(0, true);
    ax_status status = ax_token_uses_flush(uses, ctx, made.store);
    ax_fault_disarm();
    CHECK(status != AX_OK);
    CHECK_EQ(directory_case_count(ctx, &made, counted), 0);
    CHECK_EQ(ax_token_uses_flush(uses, ctx, made.store), AX_OK);
    CHECK_EQ(directory_case_count(ctx, &made, counted), 1);
    ax_token_uses_close(uses);
    directory_case_done(ctx, &made);
}

TEST(a_use_that_could_not_be_written_is_not_forgotten)
{
    ax_test_with_ctx(away);
}

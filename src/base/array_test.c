#include "base/array.h"

#include <stdint.h>

#include "harness.h"

struct row {
    int64_t number;
    char letter;
};

struct row_array {
    AX_ARRAY(struct row)
};

static void
growing(struct ax_ctx *ctx)
{
    struct row_array rows = {};
    for (int i = 0; i < 1'000; i++) {
        struct row *row = AX_ARRAY_PUSH(ctx->arena, &rows);
        CHECK(row != NULL);
        CHECK_EQ(row->number, 0);
        CHECK_EQ(row->letter, 0);
        CHECK(row == &rows.items[rows.count - 1]);
        *row = (struct row){i, 'x'};
        CHECK_EQ(rows.count, i + 1);
        CHECK(rows.capacity >= rows.count);
    }
    for (int i = 0; i < 1'000; i++)
        CHECK_EQ(rows.items[i].number, i);
}

TEST(array_grows_and_keeps_what_it_has)
{
    ax_test_with_ctx(growing);
}

TEST(array_refuses_past_the_budget_and_stays_as_it_was)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 10);
    struct row_array rows = {};
    int64_t pushed = 0;
    for (struct row *row; (row = AX_ARRAY_PUSH(arena, &rows)) != NULL; pushed++)
        row->number = pushed;
    CHECK(pushed > 8 && pushed < 10'000);
    CHECK(AX_ARRAY_PUSH(arena, &rows) == NULL);
    CHECK_EQ(rows.count, pushed);
    for (int64_t i = 0; i < pushed; i++)
        CHECK_EQ(rows.items[i].number, i);
}

#include "base/arena.h"

#include "base/array.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/sanitized.h"
#include "base/writer.h"
#include "harness.h"

static int deferred_order[2], deferred_count;

static void
note(void *arg)
{
    deferred_order[deferred_count++] = *(int *)arg;
}

TEST(an_arena_runs_what_was_deferred_last_first_and_can_be_used_again)
{
    static int one = 1, two = 2;
    struct ax_arena *arena = ax_arena_new(1 << 20);
    CHECK(ax_arena_defer(arena, note, &one));
    CHECK(ax_arena_defer(arena, note, &two));
    char *text = ax_arena_alloc(arena, 1, 100);
    memset(text, 'x', 100);
    CHECK(ax_arena_alloc(arena, 1, 100'000) != NULL);
    ax_arena_reset(arena);
    CHECK_EQ(deferred_count, 2);
    CHECK_EQ(deferred_order[0], 2);
    CHECK(ax_arena_held_bytes(arena) < 100'000);
    char *again = ax_arena_alloc(arena, 1, 400);
    for (int i = 0; i < 400; i++)
        CHECK_EQ(again[i], 0);
    ax_arena_free(arena);
    CHECK_EQ(deferred_count, 2);
}

static void
budget(struct ax_ctx *ctx)
{
    static const struct {
        size_t size, count;
        bool fits;
    } cases[] = {
        {1, 1, true},         {8, 4096, true},     {SIZE_MAX, 2, false},
        {SIZE_MAX, 1, false}, {1, 2 << 20, false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_arena_alloc(ctx->arena, cases[i].size, cases[i].count) != NULL, cases[i].fits);
}

static void
other_budget(struct ax_ctx *ctx)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 16);
    CHECK(!ax_arena_alloc(arena, 1, 1 << 17));
    ax_arena_set_budget(arena, 1 << 18);
    CHECK(ax_arena_alloc(arena, 1, 1 << 17));
    ax_arena_set_budget(arena, 1 << 16); /* it holds more already */
    CHECK(!ax_arena_alloc(arena, 1, 1 << 15));
    ax_arena_reset(arena);
    CHECK(ax_arena_alloc(arena, 1, 1 << 15));
    (void)ctx;
}

TEST(an_arena_takes_another_budget)
{
    ax_test_with_ctx(other_budget);
}

TEST(an_arena_keeps_its_budget)
{
    ax_test_with_ctx(budget);
}

static ax_status
fill(struct ax_ctx *ctx)
{
    struct {
        AX_ARRAY(int)
    } numbers = {};
    struct ax_map *map = ax_map_new(ctx->arena);
    for (int i = 0; map && i < 500; i++) {
        int *slot = AX_ARRAY_PUSH(ctx->arena, &numbers);
        ax_str key = ax_str_printf(ctx->arena, "key %d", i);
        if (!slot || !key.at || !ax_map_put(map, key, ax_arena_alloc(ctx->arena, 1, 1)))
            return ax_fail(ctx, AX_LIMIT, "full");
        *slot = i;
    }
    if (!map)
        return ax_fail(ctx, AX_LIMIT, "full");
    CHECK_EQ(ax_map_count(map), 500);
    CHECK(ax_map_find(map, AX_STR("key 499")) != NULL);
    CHECK(ax_map_find(map, AX_STR("key 500")) == NULL);
    CHECK_EQ(numbers.items[499], 499);
    return AX_OK;
}

TEST(arrays_and_maps_grow_and_survive_every_fault)
{
    FAULT_SWEEP(fill);
}

TEST(a_writer_stops_at_its_ceiling_and_a_reader_at_the_end)
{
    ax_writer_auto struct ax_writer writer = ax_writer_of(15);
    ax_writer_u32_be(&writer, 0x01020304);
    ax_writer_u64_le(&writer, 5);
    ax_writer_u16_be(&writer, 6);
    CHECK_EQ(writer.status, AX_OK);
    struct ax_reader reader = ax_reader_of(ax_writer_str(&writer));
    CHECK_EQ(ax_reader_u32_be(&reader), 0x01020304);
    CHECK_EQ(ax_reader_u64_le(&reader), 5);
    CHECK_EQ(ax_reader_u16_be(&reader), 6);
    CHECK_EQ(reader.status, AX_OK);
    CHECK_EQ(ax_reader_peek(&reader), -1);
    CHECK_EQ(ax_reader_u8(&reader), 0);
    CHECK_EQ(reader.status, AX_INVALID);
    ax_writer_text(&writer, "xy");
    CHECK_EQ(writer.status, AX_LIMIT);
    CHECK_EQ(writer.len, 14);
}

static void
words(struct ax_ctx *ctx)
{
    ax_status status = ax_fail(ctx, AX_NOT_FOUND, "no row '%s'", "nobody");
    CHECK_EQ(ax_explain(ctx, status, "load %s", "credit/7"), AX_NOT_FOUND);
    CHECK_STR(ax_str_of(ctx->error), "load credit/7: no row 'nobody'");
    for (int i = 0; i < 100; i++)
        ax_ignore(ax_explain(ctx, status, "outer"), "only the words matter here");
    CHECK(strlen(ctx->error) < AX_ERROR_BYTES_MAX);
}

TEST(an_error_says_what_was_being_tried_first)
{
    ax_test_with_ctx(words);
}

#if AX_ADDRESS_SANITIZED
/* What lies between allocations, and behind them, is nobody's. */
TEST(arena_lets_the_sanitizer_see_where_an_allocation_ends)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < 200; size++) {
            char *at = ax_arena_alloc(arena, 1, size);
            CHECK(!__asan_address_is_poisoned(at + size - 1));
            CHECK(__asan_address_is_poisoned(at + size));
        }
        ax_arena_reset(arena);
    }
}
#endif

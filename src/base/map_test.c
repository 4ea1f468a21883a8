#include "base/map.h"

#include "harness.h"

static void
many_keys(struct ax_ctx *ctx)
{
    static int values[5'000];
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
    struct ax_map *map = ax_map_new(arena);
    ax_str keys[AX_COUNT_OF(values)];
    for (size_t i = 0; i < AX_COUNT_OF(values); i++) {
        keys[i] = ax_str_printf(arena, "%zu", i);
        CHECK(ax_map_find(map, keys[i]) == NULL);
        CHECK(ax_map_put(map, keys[i], &values[i]));
        CHECK_EQ(ax_map_count(map), i + 1);
    }
    for (size_t i = 0; i < AX_COUNT_OF(values); i++)
        CHECK(ax_map_find(map, keys[i]) == &values[i]);
    CHECK(ax_map_put(map, AX_STR("17"), &values[0])); /* in place of the earlier one */
    CHECK(ax_map_find(map, keys[17]) == &values[0]);
    CHECK_EQ(ax_map_count(map), AX_COUNT_OF(values));
    (void)ctx;
}

TEST(map_finds_each_key_and_no_other)
{
    ax_test_with_ctx(many_keys);
}

static void
odd_keys(struct ax_ctx *ctx)
{
    static int values[5];
    static const ax_str keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"a", 1}, {"a\0", 2}};
    struct ax_map *map = ax_map_new(ctx->arena);
    for (size_t i = 0; i < AX_COUNT_OF(keys); i++)
        CHECK(ax_map_put(map, keys[i], &values[i]));
    for (size_t i = 0; i < AX_COUNT_OF(keys); i++)
        CHECK(ax_map_find(map, keys[i]) == &values[i]);
    CHECK(!ax_map_put(map, AX_STR("b"), NULL));
    CHECK_EQ(ax_map_count(map), AX_COUNT_OF(keys));
    CHECK(ax_map_find(map, AX_STR("b")) == NULL);
}

TEST(map_takes_keys_of_any_bytes_and_refuses_no_value)
{
    ax_test_with_ctx(odd_keys);
}

TEST(map_refuses_past_the_budget_and_stays_as_it_was)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 10);
    static char keys[5'000][8];
    struct ax_map *map = ax_map_new(arena);
    size_t put = 0;
    for (; put < AX_COUNT_OF(keys); put++) {
        snprintf(keys[put], sizeof keys[put], "%zu", put);
        if (!ax_map_put(map, ax_str_of(keys[put]), keys[put]))
            break;
    }
    CHECK(put > 8 && put < AX_COUNT_OF(keys));
    CHECK_EQ(ax_map_count(map), put);
    for (size_t i = 0; i < put; i++)
        CHECK(ax_map_find(map, ax_str_of(keys[i])) == keys[i]);
    CHECK(ax_map_new(arena) == NULL || ax_arena_held_bytes(arena) <= 64 << 10);
}

/* The first is the reference value of SipHash-1-3 for no bytes, under the key 00 01 .. 0f. */
TEST(map_hash_depends_on_every_bit_of_key_and_secret)
{
    char text[40] = "";
    uint64_t seen[8 * sizeof text + 3];
    size_t count = 0;
    ax_map_seed(UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908));
    CHECK(ax_map_hash(AX_STR("")) == UINT64_C(0xabac0158050fc4dc));
    seen[count++] = ax_map_hash((ax_str){text, sizeof text});
    for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        seen[count++] = ax_map_hash((ax_str){text, sizeof text});
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    seen[count++] = ax_map_hash((ax_str){text, sizeof text - 1});
    ax_map_seed(UINT64_C(0x0706050403020101), UINT64_C(0x0f0e0d0c0b0a0908));
    seen[count++] = ax_map_hash((ax_str){text, sizeof text});
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(seen[i] != seen[k]);
}

#include "base/alloc.h"

#include <stdint.h>

#include "harness.h"

TEST(alloc_gives_zeros_and_grows_without_losing_anything)
{
    for (size_t count = 0; count < 300; count += 7) {
        char *block = ax_alloc(3, count);
        CHECK(block != NULL);
        for (size_t i = 0; i < 3 * count; i++)
            CHECK_EQ(block[i], 0);
        memset(block, 7, 3 * count);
        char *grown = ax_realloc(block, 3 * count + 1'000);
        CHECK(grown != NULL);
        block = grown;
        for (size_t i = 0; i < 3 * count; i++)
            CHECK_EQ(block[i], 7);
        ax_free(block);
    }
    ax_free(NULL);
    ax_alloc_trim();
}

TEST(alloc_refuses_a_product_that_overflows)
{
    static const struct {
        size_t size, count;
    } cases[] = {{SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {1UL << 33, 1UL << 33}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        volatile size_t size = cases[i].size; /* the compiler would warn at what it can see */
        CHECK(ax_alloc(size, cases[i].count) == NULL);
    }
}

static ax_status
three_blocks(struct ax_ctx *ctx)
{
    ax_auto(ax_free) void *first = ax_alloc(1, 10);
    ax_auto(ax_free) void *second = first ? ax_alloc(1, 10) : NULL;
    ax_auto(ax_free) void *grown = second ? ax_realloc(second, 20) : NULL;
    if (!grown) /* the old block stays, and is freed */
        return ax_fail(ctx, AX_LIMIT, "no memory");
    second = NULL; /* NOLINT(clang-analyzer-deadcode.DeadStores): the cleanup reads it */
    return AX_OK;
}

TEST(alloc_is_a_place_where_a_sweep_may_fail)
{
    FAULT_SWEEP(three_blocks);
}

#include "event/key_table.h"

#include "base/alloc.h"
#include "harness.h"

enum { ROWS = 3'000 };

TEST(key_table_finds_each_row_by_tag_and_id)
{
    struct ax_key_table table = {};
    for (uint64_t i = 0; i < ROWS; i++) {
        CHECK(ax_key_table_room(&table));
        ax_key_table_add(&table, (struct ax_key_table_row){.tag = i * 7 + 1, .id = (i << 20) + 1});
    }
    for (uint64_t i = 0; i < ROWS; i++) {
        CHECK_EQ(ax_key_table_find_tag(&table, i * 7 + 1, SIZE_MAX), i);
        CHECK_EQ(ax_key_table_find_id(&table, (i << 20) + 1, SIZE_MAX), i);
    }
    CHECK(ax_key_table_find_tag(&table, 5, SIZE_MAX) == SIZE_MAX);
    CHECK(ax_key_table_find_id(&table, 0, SIZE_MAX) == SIZE_MAX);
    ax_key_table_erase(&table, 17);
    CHECK(ax_key_table_find_tag(&table, 17 * 7 + 1, SIZE_MAX) == SIZE_MAX);
    CHECK_EQ(ax_key_table_find_id(&table, (17u << 20) + 1, SIZE_MAX), 17);
    CHECK(table.rows[17].erased);
    for (uint64_t i = 0; i < ROWS; i++)
        CHECK(i == 17 || ax_key_table_find_tag(&table, i * 7 + 1, SIZE_MAX) == i);
    ax_key_table_done(&table);
}

TEST(key_table_goes_on_to_the_next_row_of_the_same_tag)
{
    struct ax_key_table table = {};
    CHECK(ax_key_table_find_tag(&table, 9, SIZE_MAX) == SIZE_MAX);
    for (uint64_t i = 0; i < 3; i++) {
        CHECK(ax_key_table_room(&table));
        ax_key_table_add(&table, (struct ax_key_table_row){.tag = 9, .id = i + 1});
    }
    CHECK_EQ(ax_key_table_find_tag(&table, 9, SIZE_MAX), 0);
    CHECK_EQ(ax_key_table_find_tag(&table, 9, 0), 1);
    CHECK_EQ(ax_key_table_find_tag(&table, 9, 1), 2);
    CHECK(ax_key_table_find_tag(&table, 9, 2) == SIZE_MAX);
    ax_key_table_done(&table);
}

static ax_status
grows(struct ax_ctx *ctx)
{
    struct ax_key_table table = {};
    ax_status status = AX_OK;
    for (uint64_t i = 0; status == AX_OK && i < 600; i++) {
        if (!ax_key_table_room(&table))
            status = ax_fail(ctx, AX_LIMIT, "no room");
        else
            ax_key_table_add(&table, (struct ax_key_table_row){.tag = i + 1, .id = i + 1});
    }
    for (uint64_t i = 0; i < table.count; i++)
        CHECK_EQ(ax_key_table_find_tag(&table, i + 1, SIZE_MAX), i);
    ax_key_table_done(&table);
    return status;
}

TEST(key_table_stands_when_memory_is_short)
{
    FAULT_SWEEP(grows);
}

#include "base/writer.h"

#include "base/arena.h"
#include "base/reader.h"
#include "harness.h"

TEST(writer_writes_what_a_reader_reads)
{
    ax_writer_auto struct ax_writer writer = ax_writer_of(1 << 10);
    ax_writer_u8(&writer, 0xfe);
    ax_writer_u16_be(&writer, 0x0102);
    ax_writer_u32_be(&writer, 0x03040506);
    ax_writer_u64_be(&writer, 0x0708090a0b0c0d0e);
    ax_writer_u16_le(&writer, 0x0102);
    ax_writer_u32_le(&writer, 0x03040506);
    ax_writer_u64_le(&writer, 0x0708090a0b0c0d0e);
    ax_str bytes = ax_writer_str(&writer);
    CHECK_EQ(bytes.len, 29);
    CHECK(memcmp(bytes.at, "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 15) ==
          0);
    CHECK(memcmp(bytes.at + 15, "\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07", 14) ==
          0);
    struct ax_reader reader = ax_reader_of(bytes);
    CHECK_EQ(ax_reader_u8(&reader), 0xfe);
    CHECK_EQ(ax_reader_u16_be(&reader), 0x0102);
    CHECK_EQ(ax_reader_u32_be(&reader), 0x03040506);
    CHECK_EQ(ax_reader_u64_be(&reader), 0x0708090a0b0c0d0e);
    CHECK_EQ(ax_reader_u16_le(&reader), 0x0102);
    CHECK_EQ(ax_reader_u32_le(&reader), 0x03040506);
    CHECK_EQ(ax_reader_u64_le(&reader), 0x0708090a0b0c0d0e);
    CHECK_EQ(ax_reader_left(&reader), 0);
}

/* At every ceiling: what fits is there, what does not fit is not begun, and the status sticks. */
TEST(writer_stops_at_every_ceiling)
{
    for (size_t len_max = 0; len_max <= 600; len_max++) {
        ax_writer_auto struct ax_writer writer = ax_writer_of(len_max);
        size_t written = 0;
        while (writer.status == AX_OK) {
            written = writer.len;
            ax_writer_text(&writer, "abcdefg");
        }
        CHECK_EQ(writer.status, AX_LIMIT);
        CHECK_EQ(written, len_max / 7 * 7);
        CHECK_EQ(writer.len, written);
        ax_writer_char(&writer, 'x'); /* would fit, but comes too late */
        ax_writer_print(&writer, "%d", 1);
        CHECK(ax_writer_room(&writer, 0) == NULL);
        CHECK_EQ(writer.len, written);
        ax_writer_clear(&writer);
        CHECK_EQ(writer.status, AX_OK);
        ax_writer_text(&writer, "");
        CHECK_EQ(writer.len, 0);
    }
    ax_writer_auto struct ax_writer writer = ax_writer_of(10);
    CHECK(ax_writer_room(&writer, SIZE_MAX) == NULL);
    CHECK_EQ(writer.status, AX_LIMIT);
}

TEST(writer_prints_short_and_long)
{
    static char text[2'000];
    memset(text, 'a', sizeof text);
    for (int len = 500; len < 2'000; len += 3) {
        ax_writer_auto struct ax_writer writer = ax_writer_of(4'000);
        ax_writer_print(&writer, "%d%.*s%s", 7, len, text, "z");
        CHECK_EQ(writer.status, AX_OK);
        CHECK_EQ(writer.len, len + 2);
        CHECK(writer.at[0] == '7' && writer.at[len] == 'a' && writer.at[len + 1] == 'z');
    }
}

static ax_status
write_and_take(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer writer = ax_writer_of(1 << 16);
    ax_str taken = AX_STR("untouched");
    for (int i = 0; i < 1'000; i++)
        ax_writer_print(&writer, "%d,", i);
    ax_status status = ax_writer_take(&writer, ctx->arena, &taken);
    if (status != AX_OK) {
        CHECK_STR(taken, "untouched");
        return ax_fail(ctx, status, "no memory");
    }
    CHECK(ax_str_eq(taken, ax_writer_str(&writer)) && taken.at != writer.at);
    return AX_OK;
}

TEST(writer_survives_every_fault)
{
    FAULT_SWEEP(write_and_take);
}

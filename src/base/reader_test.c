#include "base/reader.h"

#include "harness.h"

TEST(reader_reads_both_byte_orders)
{
    static const char bytes[] = "\x01\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09";
    struct ax_reader reader = ax_reader_of((ax_str){bytes, 11});
    CHECK_EQ(ax_reader_u8(&reader), 1);
    CHECK_EQ(ax_reader_peek(&reader), 0xff);
    CHECK_EQ(ax_reader_u8(&reader), 0xff);
    struct ax_reader again = reader;
    CHECK_EQ(ax_reader_u16_be(&again), 0x0102);
    again = reader;
    CHECK_EQ(ax_reader_u16_le(&again), 0x0201);
    again = reader;
    CHECK_EQ(ax_reader_u32_be(&again), 0x01020304);
    again = reader;
    CHECK_EQ(ax_reader_u32_le(&again), 0x04030201);
    again = reader;
    CHECK_EQ(ax_reader_u64_be(&again), 0x0102030405060708);
    again = reader;
    CHECK_EQ(ax_reader_u64_le(&again), 0x0807060504030201);
    CHECK_EQ(again.at, 10);
    CHECK_EQ(ax_reader_left(&again), 1);
    CHECK_EQ(again.status, AX_OK);
}

/* Each kind of read at each distance from the end: all of it or nothing, and it sticks. */
TEST(reader_stops_at_the_end_and_stays_there)
{
    static const char bytes[16] = "abcdefgh,jklmno";
    static const size_t widths[] = {1, 2, 4, 8, 2, 4, 8, 5};
    for (size_t len = 0; len <= 8; len++) {
        for (size_t kind = 0; kind < AX_COUNT_OF(widths); kind++) {
            struct ax_reader reader = ax_reader_of((ax_str){bytes, len});
            uint64_t got = kind == 0   ? ax_reader_u8(&reader)
                           : kind == 1 ? ax_reader_u16_be(&reader)
                           : kind == 2 ? ax_reader_u32_be(&reader)
                           : kind == 3 ? ax_reader_u64_be(&reader)
                           : kind == 4 ? ax_reader_u16_le(&reader)
                           : kind == 5 ? ax_reader_u32_le(&reader)
                           : kind == 6 ? ax_reader_u64_le(&reader)
                                       : ax_reader_bytes(&reader, 5).len;
            bool fits = widths[kind] <= len;
            CHECK_EQ(reader.status, fits ? AX_OK : AX_INVALID);
            CHECK_EQ(got != 0, fits);
            CHECK_EQ(reader.at, fits ? widths[kind] : 0);
            if (fits)
                continue;
            CHECK_EQ(ax_reader_left(&reader), 0); /* sticky: what is there is out of reach */
            CHECK_EQ(ax_reader_peek(&reader), -1);
            CHECK_EQ(ax_reader_u8(&reader), 0);
            CHECK_EQ(ax_reader_bytes(&reader, 0).len, 0);
        }
    }
    struct ax_reader reader = ax_reader_of((ax_str){bytes, 8});
    CHECK_EQ(ax_reader_bytes(&reader, SIZE_MAX).len, 0);
    CHECK_EQ(reader.status, AX_INVALID);
}

TEST(reader_takes_what_stands_before_a_delimiter)
{
    struct ax_reader reader = ax_reader_of(AX_STR("one,,three"));
    CHECK_STR(ax_reader_until(&reader, ','), "one");
    CHECK_STR(ax_reader_until(&reader, ','), "");
    CHECK_EQ(reader.at, 5);
    CHECK_EQ(reader.status, AX_OK);
    CHECK_STR(ax_reader_until(&reader, ','), "");
    CHECK_EQ(reader.status, AX_INVALID);
    reader = ax_reader_of((ax_str){NULL, 0});
    CHECK_EQ(ax_reader_peek(&reader), -1);
    CHECK_STR(ax_reader_bytes(&reader, 0), "");
    CHECK_EQ(reader.status, AX_OK);
}

TEST(reader_can_be_refused_from_outside)
{
    struct ax_reader reader = ax_reader_of(AX_STR("abc"));
    ax_reader_refuse(&reader);
    CHECK_EQ(reader.status, AX_INVALID);
    CHECK_EQ(ax_reader_u8(&reader), 0);
    CHECK_EQ(reader.at, 0);
}

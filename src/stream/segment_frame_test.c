#include "stream/segment_frame.h"

#include "harness.h"

static void
write_frame(struct ax_writer *out, enum ax_segment_frame_kind kind, ax_str bytes)
{
    ax_segment_frame_write(
        &(struct ax_segment_frame){.kind = kind, .sequence = 7, .batch = 3, .bytes = bytes}, out);
}

TEST(segment_frames_come_back_as_written)
{
    const ax_str lengths[] = {AX_STR(""), AX_STR("a"), AX_STR("abcd"), AX_STR("abcdefghijklm")};
    for (int kind = AX_SEGMENT_FRAME_RECORD; kind <= AX_SEGMENT_FRAME_ERASED; kind++)
        for (size_t i = 0; i < AX_COUNT_OF(lengths); i++) {
            ax_writer_auto struct ax_writer out = ax_writer_of(1024);
            write_frame(&out, (enum ax_segment_frame_kind)kind, lengths[i]);
            CHECK_EQ(out.len % 8, 0);
            CHECK_EQ(out.len, ax_segment_frame_size(lengths[i].len));
            struct ax_segment_frame frame;
            CHECK_EQ(ax_segment_frame_read(ax_writer_str(&out), &frame), AX_OK);
            CHECK_EQ(frame.kind, kind);
            CHECK_EQ(frame.sequence, 7);
            CHECK_EQ(frame.batch, 3);
            CHECK_EQ(frame.bytes.len, lengths[i].len);
            CHECK(kind == AX_SEGMENT_FRAME_ERASED || ax_str_eq(frame.bytes, lengths[i]));
            for (size_t at = 0; kind == AX_SEGMENT_FRAME_ERASED && at < frame.bytes.len; at++)
                CHECK_EQ(frame.bytes.at[at], 0);
        }
}

TEST(segment_frames_notice_every_flipped_bit_and_every_cut)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1024);
    for (int kind = AX_SEGMENT_FRAME_RECORD; kind <= AX_SEGMENT_FRAME_ERASED; kind++) {
        struct ax_segment_frame frame;
        ax_writer_clear(&out);
        write_frame(&out, (enum ax_segment_frame_kind)kind, AX_STR("some bytes"));
        for (size_t bit = 0; bit < out.len * 8; bit++) {
            out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
            CHECK(ax_segment_frame_read(ax_writer_str(&out), &frame) != AX_OK);
            out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
        }
        for (size_t cut = 0; cut < out.len; cut++)
            CHECK_EQ(ax_segment_frame_read((ax_str){out.at, cut}, &frame), AX_LIMIT);
        CHECK_EQ(ax_segment_frame_read(ax_writer_str(&out), &frame), AX_OK);
    }
}

TEST(segment_heads_and_trailers_come_back_and_notice_every_flipped_bit)
{
    struct ax_segment_head head = {.first = 77, .batch = 12, .mark = {1, 2, 3}}, head_again;
    ax_writer_auto struct ax_writer out = ax_writer_of(1024);
    ax_segment_frame_head_write(&head, &out);
    CHECK_EQ(out.len, AX_SEGMENT_HEAD_BYTES);
    CHECK_EQ(ax_segment_frame_head_read(ax_writer_str(&out), &head_again), AX_OK);
    CHECK_EQ(head_again.first, 77);
    CHECK_EQ(head_again.batch, 12);
    CHECK(memcmp(head_again.mark, head.mark, sizeof head.mark) == 0);
    for (size_t bit = 0; bit < out.len * 8; bit++) {
        out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
        CHECK_EQ(ax_segment_frame_head_read(ax_writer_str(&out), &head_again), AX_INVALID);
        out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t cut = 0; cut < out.len; cut++)
        CHECK_EQ(ax_segment_frame_head_read((ax_str){out.at, cut}, &head_again), AX_INVALID);

    const struct ax_segment_trailer trailer = {3, 10, 480, {9, 8, 7}};
    struct ax_segment_trailer trailer_again;
    struct ax_segment_frame frame;
    ax_writer_clear(&out);
    ax_segment_frame_trailer_write(&trailer, 5, &out);
    CHECK_EQ(out.len, AX_SEGMENT_TRAILER_BYTES);
    CHECK_EQ(ax_segment_frame_read(ax_writer_str(&out), &frame), AX_OK);
    CHECK_EQ(frame.batch, 5);
    CHECK_EQ(frame.sequence, 12);
    CHECK(ax_segment_frame_trailer_read(&frame, &trailer_again));
    CHECK_EQ(trailer_again.count, 3);
    CHECK_EQ(trailer_again.first, 10);
    CHECK_EQ(trailer_again.bytes, 480);
    CHECK(memcmp(trailer_again.mark, trailer.mark, sizeof trailer.mark) == 0);
    frame.kind = AX_SEGMENT_FRAME_RECORD;
    CHECK(!ax_segment_frame_trailer_read(&frame, &trailer_again));
}

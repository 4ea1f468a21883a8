#include "stream/segment_scan.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

/* A file with these bytes, gone when closed. */
static ax_file
file_of(ax_str bytes)
{
    char path[] = "/tmp/axiom-scan-XXXXXX";
    ax_file file = {mkstemp(path)};
    CHECK(file.fd >= 0);
    unlink(path);
    CHECK_EQ(pwrite(file.fd, bytes.at, bytes.len, 0), (ssize_t)bytes.len);
    return file;
}

static void
put_head(struct ax_writer *out)
{
    ax_segment_frame_head_write(&(struct ax_segment_head){.first = 100, .batch = 9}, out);
}

static void
put_frame(struct ax_writer *out, enum ax_segment_frame_kind kind, uint64_t sequence, uint64_t batch)
{
    ax_segment_frame_write(
        &(struct ax_segment_frame){
            .kind = kind, .sequence = sequence, .batch = batch, .bytes = AX_STR("0123456789")},
        out);
}

static void
put_trailer(struct ax_writer *out, uint64_t first, uint64_t count, uint64_t batch, uint64_t bytes)
{
    ax_segment_frame_trailer_write(
        &(struct ax_segment_trailer){.count = count, .first = first, .bytes = bytes}, batch, out);
}

/* What the scan says of the bytes: records, or the status it failed with, negated. */
static int
scanned(struct ax_ctx *ctx, const struct ax_writer *bytes, struct ax_segment_scan *out_scan)
{
    ax_file file = file_of(ax_writer_str(bytes));
    ax_segment_scan_auto struct ax_segment_scan scan = {};
    ax_status status = ax_segment_scan_file(ctx, file, bytes->len, 0, &scan);
    ax_file_close(&file);
    if (status != AX_OK)
        return -(int)status;
    *out_scan = scan;
    out_scan->offsets = NULL;
    return (int)scan.count;
}

enum { FRAME = 40, RECORD = AX_SEGMENT_FRAME_RECORD, ATTACHMENT = AX_SEGMENT_FRAME_ATTACHMENT };

static void
orders(struct ax_ctx *ctx)
{
    static const struct {
        int frames[4][3]; /* kind, sequence, batch */
        int count;
        uint64_t trailer[4]; /* first, count, batch, bytes */
        int want;
    } cases[] = {
        {{{RECORD, 100, 10}}, 1, {100, 1, 10, FRAME}, 1},
        {{{RECORD, 100, 10}, {ATTACHMENT, 100, 10}}, 2, {100, 1, 10, 2 * FRAME}, 1},
        {{{RECORD, 100, 10}, {RECORD, 101, 10}, {ATTACHMENT, 101, 10}},
         3,
         {100, 2, 10, 3 * FRAME},
         2},
        {{{RECORD, 101, 10}}, 1, {101, 1, 10, FRAME}, 0}, /* a gap */
        {{{RECORD, 100, 10}, {RECORD, 100, 10}}, 2, {100, 2, 10, 2 * FRAME}, 0},
        {{{ATTACHMENT, 100, 10}}, 1, {100, 1, 10, FRAME}, 0}, /* nobody's */
        {{{ATTACHMENT, 99, 10}}, 1, {100, 1, 10, FRAME}, 0},  /* of the batch before */
        {{{RECORD, 100, 10}, {ATTACHMENT, 101, 10}}, 2, {100, 1, 10, 2 * FRAME}, 0},
        {{{RECORD, 100, 10}, {ATTACHMENT, 100, 10}, {ATTACHMENT, 100, 10}},
         3,
         {100, 1, 10, 3 * FRAME},
         0},
        {{{RECORD, 100, 10}}, 1, {100, 2, 10, FRAME}, 0}, /* the trailer is wrong */
        {{{RECORD, 100, 10}}, 1, {99, 2, 10, FRAME}, 0},
        {{{RECORD, 100, 10}}, 1, {100, 1, 10, FRAME + 8}, 0},
        {{{RECORD, 100, 10}}, 1, {100, 1, 11, FRAME}, -AX_CORRUPT}, /* of a later batch */
        {{{RECORD, 100, 11}}, 1, {100, 1, 11, FRAME}, -AX_CORRUPT}, /* a batch is missing */
        {{{RECORD, 100, 9}}, 1, {100, 1, 9, FRAME}, 0},             /* an old one */
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer bytes = ax_writer_of(4096);
        struct ax_segment_scan scan = {};
        put_head(&bytes);
        for (int j = 0; j < cases[i].count; j++)
            put_frame(&bytes, (enum ax_segment_frame_kind)cases[i].frames[j][0],
                      (uint64_t)cases[i].frames[j][1], (uint64_t)cases[i].frames[j][2]);
        const uint64_t *trailer = cases[i].trailer;
        put_trailer(&bytes, trailer[0], trailer[1], trailer[2], trailer[3]);
        int got = scanned(ctx, &bytes, &scan);
        if (got != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "case %zu gives %d", i, got);
        CHECK(got <= 0 || (scan.end == bytes.len && scan.torn_bytes == 0));
        CHECK(got != 0 || (scan.end == AX_SEGMENT_HEAD_BYTES && scan.torn_bytes > 0));
    }
}

TEST(segment_scan_takes_whole_batches_in_order_and_nothing_else)
{
    ax_test_with_ctx(orders);
}

/* A broken batch is a torn write when it is the last, damage when a later one was begun. */
static void
torn_or_damaged(struct ax_ctx *ctx)
{
    for (int later = 0; later < 2; later++)
        for (size_t broken = FRAME; broken < 4 * FRAME; broken += 8) {
            ax_writer_auto struct ax_writer bytes = ax_writer_of(4096);
            struct ax_segment_scan scan = {};
            put_head(&bytes);
            put_frame(&bytes, AX_SEGMENT_FRAME_RECORD, 100, 10);
            put_trailer(&bytes, 100, 1, 10, FRAME);
            size_t second = bytes.len;
            put_frame(&bytes, AX_SEGMENT_FRAME_RECORD, 101, 11);
            put_frame(&bytes, AX_SEGMENT_FRAME_ATTACHMENT, 101, 11);
            put_trailer(&bytes, 101, 1, 11, 2 * FRAME);
            if (later)
                put_frame(&bytes, AX_SEGMENT_FRAME_RECORD, 102, 12);
            bytes.at[second + broken - FRAME] ^= 4;
            CHECK_EQ(scanned(ctx, &bytes, &scan), later ? -AX_CORRUPT : 1);
            CHECK(later || scan.end == second);
            CHECK(later || strstr(ctx->error, "written after it was durable") == NULL);
        }
}

TEST(segment_scan_tells_a_torn_write_from_damage)
{
    ax_test_with_ctx(torn_or_damaged);
}

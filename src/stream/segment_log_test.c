#include "stream/segment_log.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "harness.h"
#include "stream/segment_frame.h"
#include "sys/file.h"

enum { SMALL_SEGMENT_BYTES = 1'000, SMALL_PREPARE_BYTES = 512, RECORDS = 40 };

static char folder[64]; /* a fresh one for each test, which runs in a process of its own */

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-log-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static struct ax_segment_log_config
small(uint64_t count_min)
{
    return (struct ax_segment_log_config){.folder = ax_str_of(folder),
                                          .segment_bytes = SMALL_SEGMENT_BYTES,
                                          .prepare_bytes = SMALL_PREPARE_BYTES,
                                          .count_min = count_min};
}

static ax_status
reopen(struct ax_ctx *ctx, uint64_t count_min, struct ax_segment_log **out_log)
{
    struct ax_segment_log_config config = small(count_min);
    return ax_segment_log_open(ctx, &config, out_log);
}

/* Record i and its attachment are told by i alone; every third has none. */
static struct ax_segment_log_record
record_of(uint64_t i, char bytes[32], char attachment[32])
{
    int len = snprintf(bytes, 32, "record %d", (int)i);
    int more = i % 3 == 2 ? 0 : snprintf(attachment, 32, "payload of %d", (int)i * 7);
    return (struct ax_segment_log_record){.bytes = {bytes, (size_t)len},
                                          .attachment = {attachment, (size_t)more}};
}

static ax_status
append(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t first, uint64_t count)
{
    char bytes[8][32], attachments[8][32];
    struct ax_segment_log_record records[8];
    uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES] = {(uint8_t)(first + count)};
    uint64_t size = 0;
    for (uint64_t i = 0; i < count; i++) {
        records[i] = record_of(first + i, bytes[i], attachments[i]);
        size += ax_segment_log_record_bytes(records[i].bytes.len, records[i].attachment.len);
    }
    AX_TRY(ax_segment_log_reserve(log, ctx, size));
    AX_TRY(ax_segment_log_write(log, ctx, records, (size_t)count, mark));
    return ax_segment_log_sync(log, ctx);
}

static uint64_t
count_of(struct ax_segment_log *log)
{
    struct ax_segment_log_state state;
    ax_segment_log_state(log, &state);
    return state.count;
}

/* Records [from, count) are what append wrote; erased ones have lost their attachment. */
static void
check_records(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t from, uint64_t erased)
{
    struct ax_segment_log_records records = {};
    CHECK_EQ(ax_segment_log_read(log, ctx, from, 1'000, 1 << 20, &records), AX_OK);
    CHECK_EQ(records.count, count_of(log) - from);
    for (size_t i = 0; i < records.count; i++) {
        char bytes[32], attachment[32];
        struct ax_segment_log_record want = record_of(from + i, bytes, attachment);
        CHECK(ax_str_eq(records.items[i].bytes, want.bytes));
        bool gone = from + i == erased && want.attachment.len > 0;
        CHECK_EQ(records.items[i].erased, gone);
        CHECK(ax_str_eq(records.items[i].attachment, gone ? AX_STR("") : want.attachment));
    }
}

static void
fill(struct ax_ctx *ctx, uint64_t count)
{
    struct ax_segment_log *log = NULL;
    CHECK_EQ(reopen(ctx, 0, &log), AX_OK);
    for (uint64_t at = count_of(log); at < count; at += 2)
        CHECK_EQ(append(log, ctx, at, count - at < 2 ? 1 : 2), AX_OK);
    ax_segment_log_close(log);
}

static void
many_segments(struct ax_ctx *ctx)
{
    struct ax_segment_log *log = NULL;
    fill(ctx, RECORDS);
    CHECK_EQ(reopen(ctx, RECORDS, &log), AX_OK);
    struct ax_segment_log_state state;
    ax_segment_log_state(log, &state);
    CHECK_EQ(state.count, RECORDS);
    CHECK_EQ(state.batch, RECORDS / 2);
    CHECK_EQ(state.mark[0], RECORDS);
    CHECK_EQ(state.torn_bytes, 0);
    for (uint64_t from = 0; from <= RECORDS; from++)
        check_records(log, ctx, from, UINT64_MAX);
    struct ax_segment_log_records records = {};
    CHECK_EQ(ax_segment_log_read(log, ctx, 5, 1, 1 << 20, &records), AX_OK);
    CHECK_EQ(records.count, 1);
    CHECK_EQ(ax_segment_log_read(log, ctx, 5, 100, 1, &records), AX_OK);
    CHECK_EQ(records.count, 1);
    CHECK_EQ(ax_segment_log_read(log, ctx, RECORDS, 1, 1 << 20, &records), AX_OK);
    CHECK_EQ(records.count, 0);
    CHECK_EQ(append(log, ctx, RECORDS, 3), AX_OK);
    check_records(log, ctx, 0, UINT64_MAX);
    ax_segment_log_close(log);
    ax_str *names = NULL;
    size_t count = 0;
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    CHECK(count > 6); /* several segments, so the above did cross them */
}

TEST(segment_log_reads_back_over_many_segments)
{
    in_fresh_folder(many_segments);
}

static void
lost_index(struct ax_ctx *ctx)
{
    struct ax_segment_log *log = NULL;
    ax_str *names = NULL;
    size_t count = 0, removed = 0;
    fill(ctx, RECORDS);
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    for (size_t i = 0; i < count; i++)
        if (ax_str_ends(names[i], AX_STR(".index"))) {
            ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), names[i]);
            if (removed++ % 2)
                CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
            else /* points to other records: found out by the frame there */
                CHECK_EQ(ax_file_write_atomic(ctx, path, AX_STR("12345678")), AX_OK);
        }
    CHECK(removed > 2);
    CHECK_EQ(reopen(ctx, RECORDS, &log), AX_OK);
    for (uint64_t from = 0; from < RECORDS; from++)
        check_records(log, ctx, from, UINT64_MAX);
    ax_segment_log_close(log);
}

TEST(segment_log_makes_a_lost_or_wrong_index_again)
{
    in_fresh_folder(lost_index);
}

/* ---- the end of the file, cut and damaged at every byte ---- */

struct image {
    ax_str path;
    ax_str bytes;
};

static struct image
image_of_last(struct ax_ctx *ctx)
{
    ax_str *names = NULL;
    size_t count = 0;
    struct image image = {};
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    for (size_t i = 0; i < count; i++)
        if (names[i].len == 16)
            image.path = ax_path_join(ctx->arena, ax_str_of(folder), names[i]);
    CHECK_EQ(ax_file_read_all(ctx, image.path, 1 << 20, &image.bytes), AX_OK);
    return image;
}

static void
put_back(struct ax_ctx *ctx, const struct image *image, ax_str bytes)
{
    CHECK_EQ(ax_file_write_atomic(ctx, image->path, bytes), AX_OK);
}

/* What reopening gives: a number of records, all right, or CORRUPT as -1. */
static int64_t
judged(struct ax_ctx *ctx, uint64_t count_min)
{
    struct ax_segment_log *log = NULL;
    ax_status status = reopen(ctx, count_min, &log);
    if (status != AX_OK) {
        CHECK_EQ(status, AX_CORRUPT);
        return -1;
    }
    check_records(log, ctx, 0, UINT64_MAX);
    int64_t count = (int64_t)count_of(log);
    ax_segment_log_close(log);
    return count;
}

enum { SWEEP_RECORDS = 7 }; /* batches of 2, 2, 2 and 1 in one segment */

static void
sweep_fill(struct ax_ctx *ctx)
{
    struct ax_segment_log_config config = small(0);
    config.segment_bytes = 1 << 20;
    struct ax_segment_log *log = NULL;
    CHECK_EQ(ax_segment_log_open(ctx, &config, &log), AX_OK);
    for (uint64_t at = 0; at < SWEEP_RECORDS; at += 2)
        CHECK_EQ(append(log, ctx, at, SWEEP_RECORDS - at < 2 ? 1 : 2), AX_OK);
    ax_segment_log_close(log);
}

static void
cut_everywhere(struct ax_ctx *ctx)
{
    sweep_fill(ctx);
    struct image image = image_of_last(ctx);
    struct ax_arena *whole = ctx->arena;
    int64_t before = -1;
    for (size_t cut = 0; cut <= image.bytes.len; cut++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
        ctx->arena = arena;
        put_back(ctx, &image, (ax_str){image.bytes.at, cut});
        int64_t count = judged(ctx, 0);
        CHECK(count >= before); /* a longer file never holds less */
        CHECK(count == -1 || count == 0 || count % 2 == 0 || count == SWEEP_RECORDS);
        CHECK(cut >= AX_SEGMENT_HEAD_BYTES ? count >= 0 : count == -1);
        before = count;
        put_back(ctx, &image, (ax_str){image.bytes.at, cut});
        CHECK_EQ(judged(ctx, SWEEP_RECORDS), cut == image.bytes.len ? SWEEP_RECORDS : -1);
        ctx->arena = whole;
    }
    CHECK_EQ(before, SWEEP_RECORDS);
}

TEST(segment_log_cut_at_each_byte_is_a_shorter_log_or_corrupt)
{
    in_fresh_folder(cut_everywhere);
}

static void
flip_everywhere(struct ax_ctx *ctx)
{
    sweep_fill(ctx);
    struct image image = image_of_last(ctx);
    struct ax_arena *whole = ctx->arena;
    ax_str bytes;
    CHECK(ax_str_copy(ctx->arena, image.bytes, &bytes));
    char *at = ax_alloc(1, bytes.len);
    memcpy(at, bytes.at, bytes.len);
    int cut_off = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
        ctx->arena = arena;
        at[i] = (char)(at[i] ^ (1 << i % 8));
        put_back(ctx, &image, (ax_str){at, bytes.len});
        CHECK_EQ(judged(ctx, SWEEP_RECORDS), -1); /* all were durable */
        put_back(ctx, &image, (ax_str){at, bytes.len});
        int64_t count = judged(ctx, 0); /* only what the file itself shows */
        CHECK(count == -1 || count == SWEEP_RECORDS - 1);
        cut_off += count >= 0;
        at[i] = (char)(at[i] ^ (1 << i % 8));
        ctx->arena = whole;
    }
    CHECK(cut_off > 0 && cut_off < 200); /* the last batch alone may be a torn write */
    ax_free(at);
}

TEST(segment_log_with_any_byte_flipped_is_corrupt_or_lost_its_last_batch)
{
    in_fresh_folder(flip_everywhere);
}

/* Rubbish of all kinds behind the last batch is cut off, and appending goes on. */
static void
rubbish_behind(struct ax_ctx *ctx)
{
    sweep_fill(ctx);
    struct image image = image_of_last(ctx);
    for (int kind = 0; kind < 3; kind++) {
        ax_writer_auto struct ax_writer file = ax_writer_of(1 << 20);
        ax_writer_bytes(&file, image.bytes);
        for (int i = 0; i < 2'000; i++)
            ax_writer_u8(&file, (uint8_t)(kind == 0 ? 0 : kind == 1 ? 0xAB : i * i >> 3));
        put_back(ctx, &image, ax_writer_str(&file));
        struct ax_segment_log *log = NULL;
        CHECK_EQ(reopen(ctx, SWEEP_RECORDS, &log), AX_OK);
        struct ax_segment_log_state state;
        ax_segment_log_state(log, &state);
        CHECK_EQ(state.torn_bytes > 0, kind > 0);
        CHECK_EQ(append(log, ctx, SWEEP_RECORDS, 5), AX_OK);
        check_records(log, ctx, 0, UINT64_MAX);
        ax_segment_log_close(log);
        CHECK_EQ(judged(ctx, SWEEP_RECORDS + 5), SWEEP_RECORDS + 5);
        ax_str *names = NULL;
        size_t count = 0;
        CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(ax_file_remove(ctx, ax_path_join(ctx->arena, ax_str_of(folder), names[i])),
                     AX_OK);
        sweep_fill(ctx);
    }
}

TEST(segment_log_cuts_off_what_stands_behind_the_last_batch)
{
    in_fresh_folder(rubbish_behind);
}

static void
missing_middle(struct ax_ctx *ctx)
{
    ax_str *names = NULL;
    size_t count = 0;
    fill(ctx, RECORDS);
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    for (size_t i = 0; i < count; i++) {
        if (names[i].len != 16)
            continue;
        ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), names[i]), bytes;
        CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
        CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
        CHECK_EQ(judged(ctx, RECORDS), -1);
        if (i > 0)
            CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bytes.at, bytes.len - 8}), AX_OK);
        CHECK_EQ(judged(ctx, RECORDS), -1);
        CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
        CHECK_EQ(judged(ctx, RECORDS), RECORDS);
    }
}

TEST(segment_log_notices_a_missing_or_shortened_segment)
{
    in_fresh_folder(missing_middle);
}

/* ---- erasure, copy, read only ---- */

static void
erasing(struct ax_ctx *ctx)
{
    struct ax_segment_log *log = NULL;
    fill(ctx, RECORDS);
    for (uint64_t erased = 0; erased < RECORDS; erased += 5) {
        CHECK_EQ(reopen(ctx, RECORDS, &log), AX_OK);
        CHECK_EQ(ax_segment_log_erase(log, ctx, &erased, 1), AX_OK);
        CHECK_EQ(ax_segment_log_erase(log, ctx, &erased, 1), AX_OK); /* again: nothing to do */
        struct ax_segment_log_records records = {};
        CHECK_EQ(ax_segment_log_read(log, ctx, erased, 1, 1 << 20, &records), AX_OK);
        CHECK_EQ(records.items[0].erased, erased % 3 != 2);
        CHECK_EQ(records.items[0].attachment.len, 0);
        ax_segment_log_close(log);
    }
    CHECK_EQ(reopen(ctx, RECORDS, &log), AX_OK);
    CHECK_EQ(ax_segment_log_erase(log, ctx, &(uint64_t){RECORDS}, 1), AX_NOT_FOUND);
    struct ax_segment_log_records records = {};
    CHECK_EQ(ax_segment_log_read(log, ctx, 0, RECORDS, 1 << 20, &records), AX_OK);
    for (uint64_t i = 0; i < RECORDS; i++)
        CHECK_EQ(records.items[i].erased, i % 5 == 0 && i % 3 != 2);
    ax_segment_log_close(log);
    ax_str *names = NULL;
    size_t count = 0;
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    for (size_t i = 0; i < count; i++) { /* "payload of 0" was record 0's */
        ax_str bytes;
        ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), names[i]);
        CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
        CHECK_EQ(ax_str_find(bytes, (ax_str){"payload of 0\0", 13}), SIZE_MAX);
    }
}

TEST(segment_log_overwrites_attachments_and_keeps_the_records)
{
    in_fresh_folder(erasing);
}

static void
copying(struct ax_ctx *ctx)
{
    struct ax_segment_log *log = NULL, *copy = NULL;
    fill(ctx, RECORDS);
    CHECK_EQ(reopen(ctx, RECORDS, &log), AX_OK);
    for (uint64_t count = 0; count <= RECORDS; count += 2) {
        char name[32];
        snprintf(name, sizeof name, "copy-%d", (int)count);
        struct ax_segment_log_config config = small(count);
        config.folder = ax_path_join(ctx->arena, ax_str_of(folder), ax_str_of(name));
        CHECK_EQ(ax_segment_log_copy(log, ctx, count, config.folder), AX_OK);
        CHECK_EQ(ax_segment_log_open(ctx, &config, &copy), AX_OK);
        CHECK_EQ(count_of(copy), count);
        check_records(copy, ctx, 0, UINT64_MAX);
        ax_segment_log_close(copy);
    }
    CHECK_EQ(ax_segment_log_copy(log, ctx, RECORDS + 1,
                                 ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("no"))),
             AX_INVALID);
    ax_segment_log_close(log);

    struct ax_segment_log_config config = small(RECORDS);
    config.read_only = true;
    CHECK_EQ(ax_segment_log_open(ctx, &config, &log), AX_OK);
    check_records(log, ctx, 0, UINT64_MAX);
    CHECK_EQ(ax_segment_log_reserve(log, ctx, 10), AX_UNAVAILABLE);
    CHECK_EQ(ax_segment_log_erase(log, ctx, &(uint64_t){0}, 1), AX_UNAVAILABLE);
    CHECK_EQ(ax_segment_log_prepare(log, ctx), AX_OK);
    ax_segment_log_close(log);
}

TEST(segment_log_copies_a_beginning_of_itself)
{
    in_fresh_folder(copying);
}

/* ---- faults ---- */

enum { FAULT_RECORDS = 12 };

static ax_status
eventful_life(struct ax_ctx *ctx, uint64_t *acknowledged)
{
    ax_auto(ax_segment_log_close) struct ax_segment_log *log = NULL;
    AX_TRY(reopen(ctx, 0, &log));
    while (*acknowledged < FAULT_RECORDS) {
        AX_TRY(append(log, ctx, *acknowledged, 4));
        *acknowledged += 4;
        AX_TRY(ax_segment_log_prepare(log, ctx));
    }
    return ax_segment_log_erase(log, ctx, &(uint64_t){4}, 1);
}

/* What was acknowledged before a fault is there after it, and nobody has to repair anything. */
static void
check_after_fault(uint64_t acknowledged)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_segment_log *log = NULL;
    CHECK_EQ(reopen(&ctx, acknowledged, &log), AX_OK);
    if (!log)
        return;
    CHECK(count_of(log) >= acknowledged);
    struct ax_segment_log_records records = {};
    CHECK_EQ(ax_segment_log_read(log, &ctx, 0, 100, 1 << 20, &records), AX_OK);
    CHECK_EQ(records.count, count_of(log));
    CHECK_EQ(append(log, &ctx, count_of(log), 1), AX_OK);
    ax_segment_log_close(log);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static bool
one_fault(int step, bool forever)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    uint64_t acknowledged = 0;
    ax_fault_arm(step, forever);
    ax_status status = eventful_life(&ctx, &acknowledged);
    bool fired = ax_fault_disarm();
    CHECK(status == AX_OK || ctx.error[0]);
    CHECK(status != AX_OK || !fired || !ax_fault_must_be_noticed());
    CHECK(fired || status == AX_OK);
    check_after_fault(acknowledged);
    return fired;
}

TEST(segment_log_loses_nothing_to_any_single_fault)
{
    snprintf(folder, sizeof folder, "/tmp/axiom-log-fault-%d", (int)getpid());
    int step = 0;
    while (one_fault(step, false) && one_fault(step, true))
        step++;
    CHECK(step > 60);
}

#include "event/producers.h"

#include "harness.h"

static ax_digest
digest_of(uint8_t byte)
{
    ax_digest digest;
    memset(digest.bytes, byte, sizeof digest.bytes);
    return digest;
}

static void
staging(struct ax_ctx *ctx)
{
    struct ax_producers producers = {};
    struct ax_producer *one, *again, *two;
    CHECK_EQ(ax_producers_need(&producers, ctx, AX_STR("one"), &one), AX_OK);
    CHECK_EQ(ax_producers_need(&producers, ctx, AX_STR("two"), &two), AX_OK);
    CHECK_EQ(ax_producers_need(&producers, ctx, AX_STR("one"), &again), AX_OK);
    CHECK(one == again && one != two);
    ax_producer_stage(one, digest_of(1), 10);
    ax_producer_stage(one, digest_of(2), 11);
    CHECK_EQ(one->sequence, 0);
    CHECK_EQ(one->staged_sequence, 2);
    CHECK_EQ(ax_producer_index(one, 2), 11);
    ax_producers_drop(&producers);
    CHECK_EQ(one->staged_sequence, 0);
    CHECK(ax_producer_index(one, 2) == UINT64_MAX);
    ax_producer_stage(one, digest_of(3), 12);
    ax_producers_settle(&producers);
    CHECK_EQ(one->sequence, 1);
    CHECK_EQ(ax_producer_index(one, 1), 12);
    struct ax_producer_mark marks[AX_PRODUCERS_MAX];
    CHECK_EQ(ax_producers_marks(&producers, marks), 1); /* two has handed in nothing */
    for (uint64_t i = 0; i < AX_PRODUCER_RECENT; i++)
        ax_producer_stage(one, digest_of(4), 13 + i);
    CHECK(ax_producer_index(one, 1) == UINT64_MAX); /* too old to know */
    CHECK_EQ(ax_producer_index(one, 2), 13);
    CHECK(ax_producer_index(one, 0) == UINT64_MAX);
    ax_producers_done(&producers);
}

TEST(producers_stage_and_settle)
{
    ax_test_with_ctx(staging);
}

static void
on_disk(struct ax_ctx *ctx)
{
    struct ax_producers producers = {}, back = {};
    struct ax_producer *producer;
    struct ax_producer_mark marks[AX_PRODUCERS_MAX], again[AX_PRODUCERS_MAX];
    static const char *const names[] = {"plain", "with space", "line\nbreak", "\xc3\xa4"};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        CHECK_EQ(ax_producers_need(&producers, ctx, ax_str_of(names[i]), &producer), AX_OK);
        ax_producer_stage(producer, digest_of((uint8_t)(i + 1)), 100 + i);
    }
    ax_producers_settle(&producers);
    size_t count = ax_producers_marks(&producers, marks);
    CHECK_EQ(count, AX_COUNT_OF(names));
    ax_producers_print(marks, count, &out);
    ax_str text = ax_writer_str(&out), line;
    while (ax_str_cut(&text, '\n', &line) && line.len > 0)
        CHECK_EQ(ax_producers_parse(&back, ctx, line), AX_OK);
    CHECK_EQ(ax_producers_marks(&back, again), count);
    for (size_t i = 0; i < count; i++) {
        CHECK(ax_str_eq(marks[i].name, again[i].name));
        CHECK_EQ(marks[i].sequence, again[i].sequence);
        CHECK_EQ(marks[i].index, again[i].index);
        CHECK(ax_digest_eq(marks[i].previous, again[i].previous));
    }
    static const char *const bad[] = {"", "producer", "producer 0 00 1 x", "producer 1 ab 1 x",
                                      "other 1"};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        CHECK_EQ(ax_producers_parse(&back, ctx, ax_str_of(bad[i])), AX_CORRUPT);
    ax_producers_done(&producers);
    ax_producers_done(&back);
}

TEST(producers_are_read_back_from_their_lines)
{
    ax_test_with_ctx(on_disk);
}

static void
too_many(struct ax_ctx *ctx)
{
    struct ax_producers producers = {};
    struct ax_producer *producer;
    char name[16];
    for (int i = 0; i < AX_PRODUCERS_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        CHECK_EQ(ax_producers_need(&producers, ctx, ax_str_of(name), &producer), AX_OK);
    }
    CHECK_EQ(ax_producers_need(&producers, ctx, AX_STR("one more"), &producer), AX_LIMIT);
    ax_producers_done(&producers);
}

TEST(producers_are_bounded)
{
    ax_test_with_ctx(too_many);
}

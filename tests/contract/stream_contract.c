/*
 * What every adapter of the stream port must do (stream/stream.h). A new one goes on the list.
 */
#include <stdlib.h>

#include "harness.h"
#include "stream/segment_log.h"
#include "stream/stream.h"
#include "sys/file.h"

static char folder[64];

static ax_status
segment_log_open(struct ax_ctx *ctx, struct ax_stream **out_stream)
{
    const struct ax_segment_log_config config = {
        .folder = ax_str_of(folder), .segment_bytes = 4'096, .prepare_bytes = 1'024};
    struct ax_segment_log *log = NULL;
    AX_TRY(ax_segment_log_open(ctx, &config, &log));
    *out_stream = ax_segment_log_stream(log);
    return AX_OK;
}

static const struct adapter {
    const char *name;
    ax_status (*open)(struct ax_ctx *ctx, struct ax_stream **out_stream);
} adapters[] = {
    {"segment_log", segment_log_open},
};

/* In a fresh folder each; what is stored there stays over reopening. */
static void
for_each_adapter(void (*body)(struct ax_ctx *ctx, const struct adapter *adapter))
{
    for (size_t i = 0; i < AX_COUNT_OF(adapters); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(128 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        snprintf(folder, sizeof folder, "/tmp/axiom-stream-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
        body(&ctx, &adapters[i]);
        CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
    }
}

static ax_str
text_of(struct ax_ctx *ctx, uint64_t number)
{
    return ax_str_printf(ctx->arena, "record %" PRIu64 " %.*s", number, (int)(number % 50),
                         "..................................................");
}

/* Appends records [first, first + count) in one call. */
static ax_status
append(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t first, size_t count)
{
    ax_str records[16];
    uint64_t got = UINT64_MAX;
    for (size_t i = 0; i < count; i++)
        records[i] = text_of(ctx, first + i);
    AX_TRY(ax_stream_append(stream, ctx, records, count, &got));
    CHECK_EQ(got, first);
    return AX_OK;
}

static void
check_all(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t count)
{
    CHECK_EQ(ax_stream_count(stream), count);
    for (uint64_t from = 0; from < count;) {
        ax_str *records = NULL;
        size_t got = 0;
        CHECK_EQ(ax_stream_read(stream, ctx, from, 7, &records, &got), AX_OK);
        CHECK(got > 0 && got <= 7);
        if (got == 0)
            return;
        for (size_t i = 0; i < got; i++)
            CHECK(ax_str_eq(records[i], text_of(ctx, from + i)));
        from += got;
    }
}

static void
order(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_stream *stream = NULL;
    CHECK_EQ(adapter->open(ctx, &stream), AX_OK);
    CHECK_EQ(ax_stream_count(stream), 0);
    uint64_t count = 0;
    for (size_t i = 1; i <= 16; i++) {
        CHECK_EQ(append(stream, ctx, count, i), AX_OK);
        count += i;
        CHECK_EQ(ax_stream_sync(stream, ctx), AX_OK);
        check_all(stream, ctx, count);
    }
    ax_stream_close(stream);
    CHECK_EQ(adapter->open(ctx, &stream), AX_OK);
    check_all(stream, ctx, count);
    CHECK_EQ(append(stream, ctx, count, 1), AX_OK); /* the numbers go on */
    ax_stream_close(stream);
}

TEST(stream_keeps_records_and_their_numbers_over_reopening)
{
    for_each_adapter(order);
}

static void
visibility(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_stream *stream = NULL;
    ax_str *records = NULL;
    size_t got = 9;
    CHECK_EQ(adapter->open(ctx, &stream), AX_OK);
    CHECK_EQ(ax_stream_sync(stream, ctx), AX_OK); /* of nothing */
    CHECK_EQ(append(stream, ctx, 0, 3), AX_OK);
    CHECK_EQ(append(stream, ctx, 3, 2), AX_OK);
    CHECK_EQ(ax_stream_read(stream, ctx, 0, 9, &records, &got), AX_OK);
    CHECK_EQ(got, 0); /* not durable yet */
    CHECK_EQ(ax_stream_count(stream), 0);
    CHECK_EQ(ax_stream_sync(stream, ctx), AX_OK);
    check_all(stream, ctx, 5);
    CHECK_EQ(ax_stream_read(stream, ctx, 5, 9, &records, &got), AX_OK);
    CHECK_EQ(got, 0);
    CHECK_EQ(ax_stream_read(stream, ctx, UINT64_MAX, 9, &records, &got), AX_OK);
    CHECK_EQ(got, 0);
    ax_stream_close(stream);
}

TEST(stream_shows_only_what_is_durable)
{
    for_each_adapter(visibility);
}

static void
sizes(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_stream *stream = NULL;
    static char large[AX_STREAM_RECORD_BYTES_MAX + 1];
    memset(large, 'x', sizeof large);
    ax_str records[17] = {{large, sizeof large - 1}, {"", 0}, {"\0\n", 2}}, *read = NULL;
    uint64_t first = 0;
    size_t got = 0;
    CHECK_EQ(adapter->open(ctx, &stream), AX_OK);
    CHECK_EQ(ax_stream_append(stream, ctx, records, 3, &first), AX_OK);
    CHECK_EQ(ax_stream_append(stream, ctx, &(ax_str){large, sizeof large}, 1, &first), AX_INVALID);
    for (size_t i = 0; i < AX_COUNT_OF(records); i++)
        records[i] = (ax_str){large, sizeof large - 1};
    CHECK_EQ(ax_stream_append(stream, ctx, records, 17, &first), AX_INVALID);
    CHECK_EQ(ax_stream_append(stream, ctx, records, 16, &first), AX_OK);
    CHECK_EQ(first, 3);
    CHECK_EQ(ax_stream_sync(stream, ctx), AX_OK);
    CHECK_EQ(ax_stream_count(stream), 19);
    CHECK_EQ(ax_stream_read(stream, ctx, 0, 3, &read, &got), AX_OK);
    CHECK_EQ(got, 3);
    CHECK_EQ(read[0].len, AX_STREAM_RECORD_BYTES_MAX);
    CHECK_EQ(read[1].len, 0);
    CHECK(ax_str_eq(read[2], (ax_str){"\0\n", 2}));
    for (uint64_t from = 3; from < 19; from += got) {
        CHECK_EQ(ax_stream_read(stream, ctx, from, 100, &read, &got), AX_OK);
        CHECK(got > 0);
        CHECK(memcmp(read[got - 1].at, large, AX_STREAM_RECORD_BYTES_MAX) == 0);
    }
    ax_stream_close(stream);
}

TEST(stream_takes_records_of_every_size_up_to_its_limits)
{
    for_each_adapter(sizes);
}

static const struct adapter *swept;

static ax_status
swept_body(struct ax_ctx *ctx)
{
    static char zeros[8];
    ax_auto(ax_stream_close) struct ax_stream *stream = NULL;
    ax_str *records = NULL;
    size_t got = 0;
    uint64_t first = 0;
    AX_TRY(swept->open(ctx, &stream));
    AX_TRY(ax_stream_append(stream, ctx, &(ax_str){zeros, sizeof zeros}, 1, &first));
    AX_TRY(ax_stream_sync(stream, ctx));
    AX_TRY(ax_stream_read(stream, ctx, first, 1, &records, &got));
    CHECK_EQ(got, 1);
    return AX_OK;
}

static void
faults(struct ax_ctx *ctx, const struct adapter *adapter)
{
    (void)ctx;
    swept = adapter;
    FAULT_SWEEP(swept_body);
}

TEST(stream_says_so_whenever_a_step_fails)
{
    for_each_adapter(faults);
}

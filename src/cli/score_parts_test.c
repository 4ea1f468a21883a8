#include "cli/score_parts.h"

#include "harness.h"
#include "sys/clock.h"

struct text {
    ax_str rest;
};

static ax_status
text_read(void *arg, struct ax_ctx *, char *out, size_t room, size_t *out_len)
{
    struct text *text = arg;
    size_t len = text->rest.len < room ? text->rest.len : room;
    if (len)
        memcpy(out, text->rest.at, len);
    text->rest = ax_str_from(text->rest, len);
    *out_len = len;
    return AX_OK;
}

/* Work that copies rows: the later a part, the sooner it is done. */
struct copying {
    const struct ax_csv_stream *stream;
    struct ax_writer *out;
    size_t rows, bytes, opened;
    bool slow_first;
};

static ax_status
copying_open(void *arg, struct ax_ctx *ctx, void **out_own)
{
    ((struct copying *)arg)->opened++;
    *out_own = AX_NEW(ctx->arena, size_t);
    return *out_own ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory");
}

static ax_status
copying_work(void *arg, void *own, struct ax_ctx *ctx, const struct ax_csv_part *part,
             struct ax_writer *lines, size_t *out_rows)
{
    struct copying *copying = arg;
    struct ax_csv *csv;
    if (++*(size_t *)own == 1 && copying->slow_first)
        ax_clock_sleep_ms(part->number < 4 ? 30 : 0);
    AX_TRY(ax_csv_stream_rows(copying->stream, ctx, part, &csv));
    for (*out_rows = 0;; ++*out_rows) {
        struct ax_csv_row row;
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            return AX_OK;
        ax_csv_put_row(lines, row.fields, row.count);
    }
}

static ax_status
copying_give(void *arg, struct ax_ctx *ctx, ax_str lines, size_t rows, size_t bytes)
{
    struct copying *copying = arg;
    ax_writer_bytes(copying->out, lines);
    copying->rows += rows;
    copying->bytes += bytes;
    return copying->out->status == AX_OK ? AX_OK : ax_fail(ctx, AX_UNAVAILABLE, "full");
}

/* The rows of a table after they went through; its header is left out. */
static ax_status
copy(struct ax_ctx *ctx, ax_str table, size_t threads, struct copying *copying)
{
    struct text text = {table};
    struct ax_csv_stream *stream;
    AX_TRY(ax_csv_stream_open(ctx, (struct ax_csv_source){text_read, &text}, NULL, 10, &stream));
    copying->stream = stream;
    const struct ax_score_parts_work work = {copying, copying_open, copying_work, copying_give};
    return ax_score_parts_run(ctx, stream, &work, threads);
}

static void
in_order(struct ax_ctx *ctx)
{
    static const size_t threads[] = {1, 2, 3, 8};
    ax_writer_auto struct ax_writer table = ax_writer_of(1 << 20);
    ax_writer_text(&table, "a,b\n");
    for (int i = 0; i < 500; i++)
        ax_writer_print(&table, "%d,x\n", i);
    ax_str rows = ax_str_from(ax_writer_str(&table), 4);
    for (size_t t = 0; t < AX_COUNT_OF(threads); t++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
        struct copying copying = {.out = &out, .slow_first = true};
        CHECK_EQ(copy(ctx, ax_writer_str(&table), threads[t], &copying), AX_OK);
        CHECK(ax_str_eq(ax_writer_str(&out), rows));
        CHECK_EQ(copying.rows, 500);
        CHECK_EQ(copying.bytes, rows.len);
        CHECK_EQ(copying.opened, threads[t] > 1 ? 2 * threads[t] : 1);
    }
}

TEST(parts_come_out_in_order_whatever_the_number_of_threads)
{
    ax_test_with_ctx(in_order);
}

static void
first_fault(struct ax_ctx *ctx)
{
    static const size_t threads[] = {1, 2, 8};
    static const char table[] = "a,b\n1,x\n2,x\n3,x\n4,x\n5\n6,x\n7,x\n8\n9,x\n\"";
    for (size_t t = 0; t < AX_COUNT_OF(threads); t++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
        struct copying copying = {.out = &out, .slow_first = true};
        CHECK_EQ(copy(ctx, ax_str_of(table), threads[t], &copying), AX_INVALID);
        CHECK_STR(ax_str_of(ctx->error), "row 6 (line 6) has 1 fields, the header 2");
        CHECK_STR(ax_writer_str(&out), "1,x\n2,x\n3,x\n"); /* of whole parts */
    }
    ax_writer_auto struct ax_writer small = ax_writer_of(6);
    struct copying copying = {.out = &small};
    CHECK_EQ(copy(ctx, ax_str_of(table), 4, &copying), AX_UNAVAILABLE); /* nobody takes the lines */
}

TEST(the_first_part_that_fails_is_the_one_that_is_told)
{
    ax_test_with_ctx(first_fault);
}

static ax_status
swept(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    struct copying copying = {.out = &out};
    return copy(ctx, AX_STR("a,b\n1,\"2\"\"\"\n3,4\n5,6\n7,8\n"), 1, &copying);
}

TEST(parts_survive_every_fault)
{
    FAULT_SWEEP(swept);
}

#include "codec/csv_stream.h"

#include "harness.h"

/* A text that comes in pieces. */
struct pieces {
    ax_str text;
    size_t piece_bytes;
    size_t at;
    size_t fails_at; /* a read from here on fails; 0: none */
};

static ax_status
pieces_read(void *arg, struct ax_ctx *ctx, char *out, size_t room, size_t *out_len)
{
    struct pieces *pieces = arg;
    size_t len = pieces->text.len - pieces->at;
    if (pieces->fails_at && pieces->at >= pieces->fails_at)
        return ax_fail(ctx, AX_UNAVAILABLE, "the disk is gone");
    len = len > pieces->piece_bytes ? pieces->piece_bytes : len;
    len = len > room ? room : len;
    if (len)
        memcpy(out, pieces->text.at + pieces->at, len);
    pieces->at += len;
    *out_len = len;
    return AX_OK;
}

static ax_status
put_rows(struct ax_ctx *ctx, struct ax_csv *csv, struct ax_writer *out)
{
    for (;;) {
        struct ax_csv_row row;
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            return AX_OK;
        ax_writer_print(out, "%zu@%zu ", row.number, row.line);
        ax_csv_put_row(out, row.fields, row.count);
    }
}

static ax_status
read_whole(struct ax_ctx *ctx, ax_str text, struct ax_writer *out)
{
    struct ax_csv *csv;
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    ax_csv_put_row(out, ax_csv_header(csv)->fields, ax_csv_header(csv)->count);
    return put_rows(ctx, csv, out);
}

static ax_status
read_parts(struct ax_ctx *ctx, struct pieces *pieces, size_t part_bytes, struct ax_writer *out)
{
    ax_writer_auto struct ax_writer room = ax_writer_of(1 << 26);
    struct ax_csv_stream *stream;
    struct ax_csv_part part;
    struct ax_csv *csv;
    AX_TRY(ax_csv_stream_open(ctx, (struct ax_csv_source){pieces_read, pieces}, NULL, part_bytes,
                              &stream));
    const struct ax_csv_row *header = ax_csv_stream_header(stream);
    ax_csv_put_row(out, header->fields, header->count);
    for (;;) {
        AX_TRY(ax_csv_stream_next(stream, ctx, &room, &part));
        if (part.text.len == 0)
            return AX_OK;
        AX_TRY(ax_csv_stream_rows(stream, ctx, &part, &csv));
        AX_TRY(put_rows(ctx, csv, out));
    }
}

static const char *const tables[] = {
    "a,b\n1,2\n3,4\n5,6\n",
    ("\xef\xbb\xbf"
     "name,\"say \"\"hi\"\"\",n\r\n\"a,b\",\"two\nlines\",1\r\n,\"\",2"),
    "a\n\n\n\"\n\n\"\n\"\"\n",
    "only,a,header",
    "a,b\n1,2\n3\n4,5\n",
    "a\n1\n\"x",
    "a\n1\n2\nx\"y\n3\n\"4\n5\"\n",
    "a\n1\n\"x\"y\n2\n",
    "a\n1\nx\ry\n",
    "a\n1\n\xff\n",
    "\"a\n",
    "",
    "\xef\xbb\xbf",
    "\n",
};

static void
same_as_whole(struct ax_ctx *ctx)
{
    static const size_t sizes[] = {1, 2, 3, 5, 8, 1000};
    for (size_t i = 0; i < AX_COUNT_OF(tables) * 36; i++) {
        ax_writer_auto struct ax_writer whole = ax_writer_of(1 << 16),
                                        parts = ax_writer_of(1 << 16);
        struct pieces pieces = {.text = ax_str_of(tables[i / 36]), .piece_bytes = sizes[i % 6]};
        ctx->error[0] = '\0';
        ax_status want = read_whole(ctx, pieces.text, &whole);
        ax_str said;
        REQUIRE(ax_str_copy(ctx->arena, ax_str_of(ctx->error), &said));
        ctx->error[0] = '\0';
        CHECK_EQ(read_parts(ctx, &pieces, sizes[i / 6 % 6], &parts), want);
        CHECK(ax_str_eq(ax_writer_str(&whole), ax_writer_str(&parts)));
        CHECK(ax_str_eq(ax_str_of(ctx->error), said));
    }
}

TEST(parts_give_what_the_whole_text_gives_however_it_is_cut)
{
    ax_test_with_ctx(same_as_whole);
}

static void
long_table(struct ax_ctx *ctx)
{
    enum { ROWS = 100'000, PART = 4'096 };
    ax_writer_auto struct ax_writer text = ax_writer_of(8 << 20), room = ax_writer_of(1 << 20);
    ax_writer_text(&text, "a,b\n");
    for (int i = 0; i < ROWS; i++)
        ax_writer_print(&text, "%d,\"x\n%d\"\n", i, i);
    struct pieces pieces = {.text = ax_writer_str(&text), .piece_bytes = 1'000};
    struct ax_csv_stream *stream = NULL;
    struct ax_csv_part part = {.number = 2, .line = 2};
    CHECK_EQ(
        ax_csv_stream_open(ctx, (struct ax_csv_source){pieces_read, &pieces}, NULL, PART, &stream),
        AX_OK);
    CHECK_EQ(ax_csv_stream_column(stream, AX_STR("b")), 1);
    CHECK_EQ(ax_csv_stream_column(stream, AX_STR("c")), SIZE_MAX);
    size_t held = ax_arena_held_bytes(ctx->arena), bytes = 0, last = 0;
    do {
        CHECK_EQ(ax_csv_stream_next(stream, ctx, &room, &part), AX_OK);
        CHECK(part.text.len < PART + 100);
        CHECK_EQ(part.line, 2 * part.number - 2); /* a row has two lines */
        bytes += part.text.len;
        last = part.number;
    } while (part.text.len > 0);
    CHECK_EQ(last, ROWS + 2);
    CHECK_EQ(bytes, text.len - 4);
    CHECK_EQ(ax_arena_held_bytes(ctx->arena), held); /* nothing grows with the table */
    CHECK(room.capacity < 1 << 20);
}

TEST(a_table_passes_in_constant_memory)
{
    ax_test_with_ctx(long_table);
}

/* An endless field. */
static ax_status
quotes_read(void *arg, struct ax_ctx *, char *out, size_t room, size_t *out_len)
{
    memset(out, 'x', room);
    if (!*(bool *)arg)
        memcpy(out, "a\n1\n\"", 5);
    *(bool *)arg = true;
    *out_len = room;
    return AX_OK;
}

static void
endless(struct ax_ctx *ctx)
{
    bool begun = false;
    ax_writer_auto struct ax_writer room = ax_writer_of(1 << 26);
    struct ax_csv_stream *stream = NULL;
    struct ax_csv_part part;
    CHECK_EQ(ax_csv_stream_open(ctx, (struct ax_csv_source){quotes_read, &begun}, NULL, 0, &stream),
             AX_OK);
    CHECK_EQ(ax_csv_stream_next(stream, ctx, &room, &part), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "row 3 (line 3) has more than 16777216 bytes");
}

TEST(a_quote_that_never_closes_draws_no_more_than_a_row_into_memory)
{
    ax_test_with_ctx(endless);
}

static void
refusals(struct ax_ctx *ctx)
{
    struct pieces pieces = {.text = AX_STR("a\n1\n2\n3\n"), .piece_bytes = 2, .fails_at = 6};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    CHECK_EQ(read_parts(ctx, &pieces, 1, &out), AX_UNAVAILABLE);
    CHECK_STR(ax_str_of(ctx->error), "the disk is gone");
    CHECK_STR(ax_writer_str(&out), "a\n2@2 1\n3@3 2\n");

    struct ax_csv_limits tight = {.rows_max = 1, .separator = ';'};
    struct pieces more = {.text = AX_STR("a;b\n1;2\n3;4\n"), .piece_bytes = 100};
    ax_writer_auto struct ax_writer room = ax_writer_of(1 << 20);
    struct ax_csv_stream *stream = NULL;
    struct ax_csv_part part;
    struct ax_csv *csv = NULL;
    CHECK_EQ(
        ax_csv_stream_open(ctx, (struct ax_csv_source){pieces_read, &more}, &tight, 1, &stream),
        AX_OK);
    CHECK_EQ(ax_csv_stream_header(stream)->count, 2);
    CHECK_EQ(ax_csv_stream_next(stream, ctx, &room, &part), AX_OK);
    CHECK_EQ(ax_csv_stream_rows(stream, ctx, &part, &csv), AX_OK);
    CHECK_EQ(put_rows(ctx, csv, &out), AX_OK);
    CHECK_EQ(ax_csv_stream_next(stream, ctx, &room, &part), AX_OK);
    CHECK_EQ(ax_csv_stream_rows(stream, ctx, &part, &csv), AX_OK);
    CHECK_EQ(put_rows(ctx, csv, &out), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "more than 1 rows");

    ax_writer_auto struct ax_writer small = ax_writer_of(10);
    CHECK_EQ(ax_csv_stream_next(stream, ctx, &small, &part), AX_LIMIT);
}

TEST(a_source_that_fails_and_limits_of_the_table_are_said)
{
    ax_test_with_ctx(refusals);
}

static ax_status
swept(struct ax_ctx *ctx)
{
    struct pieces pieces = {.text = AX_STR("a,b\n1,\"2\"\"\"\n3,4\n"), .piece_bytes = 7};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    AX_TRY(read_parts(ctx, &pieces, 1, &out));
    return out.status == AX_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "full");
}

TEST(a_stream_survives_every_fault)
{
    FAULT_SWEEP(swept);
}

#include "codec/csv.h"

#include "harness.h"

static void
rows(struct ax_ctx *ctx)
{
    static const char text[] = "\xef\xbb\xbf"
                               "name,\"say \"\"hi\"\"\",n\r\n"
                               "\"a,b\",\"two\nlines\",1\r\n"
                               ",\"\",2";
    struct ax_csv *csv = NULL;
    struct ax_csv_row row;
    CHECK_EQ(ax_csv_open(ctx, ax_str_of(text), NULL, &csv), AX_OK);
    CHECK_EQ(ax_csv_header(csv)->count, 3);
    CHECK_STR(ax_csv_header(csv)->fields[1], "say \"hi\"");
    CHECK_EQ(ax_csv_column(csv, AX_STR("n")), 2);
    CHECK_EQ(ax_csv_column(csv, AX_STR("m")), SIZE_MAX);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
    CHECK_STR(row.fields[0], "a,b");
    CHECK_STR(row.fields[1], "two\nlines");
    CHECK_EQ(row.line, 2);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
    CHECK_STR(row.fields[0], "");
    CHECK_STR(row.fields[2], "2");
    CHECK_EQ(row.number, 3);
    CHECK_EQ(row.line, 4);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
    CHECK(row.fields == NULL);
}

TEST(a_table_is_read_row_by_row)
{
    ax_test_with_ctx(rows);
}

static void
faults(struct ax_ctx *ctx)
{
    static const struct {
        const char *in;
        const char *want;
    } cases[] = {
        {"", "the file is empty; a header was expected"},
        {"a,b\n1\n", "row 2 (line 2) has 1 fields, the header 2"},
        {"a,b\n1,2,3\n", "row 2 (line 2) has 3 fields, the header 2"},
        {"a\n\"x", "row 2 (line 2): a quoted field is never closed"},
        {"a\nx\"y\n", "row 2 (line 2): a quote inside a bare field"},
        {"a\n\"x\"y\n", "row 2 (line 2): text behind a closing quote"},
        {"a\nx\ry\n", "row 2 (line 2): a carriage return that ends no line"},
        {"a\n\xff\n", "row 2 (line 2): text is not UTF-8"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_csv *csv = NULL;
        struct ax_csv_row row = {};
        ctx->error[0] = '\0';
        ax_status status = ax_csv_open(ctx, ax_str_of(cases[i].in), NULL, &csv);
        if (status == AX_OK)
            status = ax_csv_next(csv, ctx, &row);
        CHECK_EQ(status, AX_INVALID);
        if (strcmp(ctx->error, cases[i].want) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    struct ax_csv *csv = NULL;
    struct ax_csv_row row;
    CHECK_EQ(ax_csv_open(ctx, (ax_str){"a\nb\0c\n", 6}, NULL, &csv), AX_OK);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_INVALID);
}

TEST(a_broken_table_is_refused_with_its_row)
{
    ax_test_with_ctx(faults);
}

static ax_status
round_trip(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    const ax_str fields[] = {AX_STR("plain"), AX_STR("a \"quote\", a comma"), AX_STR("")};
    ax_csv_put_row(&out, fields, AX_COUNT_OF(fields));
    struct ax_csv *csv = NULL;
    if (out.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "full");
    AX_TRY(ax_csv_open(ctx, ax_writer_str(&out), NULL, &csv));
    CHECK_STR(ax_csv_header(csv)->fields[1], "a \"quote\", a comma");
    return AX_OK;
}

TEST(what_is_written_reads_back_and_survives_every_fault)
{
    FAULT_SWEEP(round_trip);
}

static void
forms(struct ax_ctx *ctx)
{
    static const struct {
        const char *in;
        char separator;
        const char *rows; /* fields joined by |, rows by /; what the header is comes first */
    } cases[] = {
        {"a\n", 0, "a"},
        {"a", 0, "a"},
        {"\n", 0, ""},
        {"a\n\n", 0, "a/"},
        {"a,b\r\n1,2\r\n", 0, "a|b/1|2"},
        {"a,b\n1,2\r\n3,4", 0, "a|b/1|2/3|4"},
        {"a,b\n,\n", 0, "a|b/|"},
        {"\"a\",\"b\"\n\"\",\"\"\"\"\n", 0, "a|b/|\""},
        {"\"a\r\nb\",c\n\",\",\"\n\"\n", 0, "a\r\nb|c/,|\n"},
        {"a;b\n1,5;2\n", ';', "a|b/1,5|2"},
        {"a\tb\n\"1\t\"\t2\n", '\t', "a|b/1\t|2"},
        {" a , b \n 1 , 2 \n", 0, " a | b / 1 | 2 "},
        {"\xef\xbb\xbf\"a\"\n\xc3\xa9\n", 0, "a/\xc3\xa9"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        struct ax_csv_limits limits = {.separator = cases[i].separator};
        struct ax_csv *csv = NULL;
        CHECK_EQ(ax_csv_open(ctx, ax_str_of(cases[i].in), &limits, &csv), AX_OK);
        struct ax_csv_row row = *ax_csv_header(csv);
        while (row.fields) {
            for (size_t k = 0; k < row.count; k++) {
                ax_writer_text(&out, k ? "|" : row.number > 1 ? "/" : "");
                ax_writer_bytes(&out, row.fields[k]);
            }
            CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
        }
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].rows)))
            ax_test_failed(__FILE__, __LINE__, "case %zu reads as %.*s", i,
                           AX_FMT(ax_writer_str(&out)));
    }
}

TEST(a_table_may_be_written_in_every_form_of_rfc_4180)
{
    ax_test_with_ctx(forms);
}

static void
limits(struct ax_ctx *ctx)
{
    struct ax_csv *csv = NULL;
    struct ax_csv_row row;
    struct ax_csv_limits tight = {.columns_max = 2, .rows_max = 1, .field_bytes_max = 3};
    CHECK_EQ(ax_csv_open(ctx, AX_STR("a,b,c\n"), &tight, &csv), AX_LIMIT);
    CHECK_EQ(ax_csv_open(ctx, AX_STR("abcd\n"), &tight, &csv), AX_LIMIT);
    CHECK_EQ(ax_csv_open(ctx, AX_STR("abc,b\n1,2\n3,4\n"), &tight, &csv), AX_OK);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
    CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "more than 1 rows");
}

TEST(a_table_keeps_its_limits)
{
    ax_test_with_ctx(limits);
}

/* 20'000 rows of doubled quotes pass through an arena that could not hold them. */
TEST(a_long_table_costs_no_more_than_its_longest_row)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(40'000);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    ax_writer_text(&text, "a,\"b \"\" c\"\n");
    for (int i = 0; i < 20'000; i++)
        ax_writer_print(&text, "%d,\"say \"\"%d\"\" twice\"\n", i, i);
    struct ax_csv *csv = NULL;
    CHECK_EQ(ax_csv_open(&ctx, ax_writer_str(&text), NULL, &csv), AX_OK);
    struct ax_csv_row row = {};
    size_t count = 0;
    ax_status status;
    while ((status = ax_csv_next(csv, &ctx, &row)) == AX_OK && row.fields) {
        char want[40];
        snprintf(want, sizeof want, "say \"%zu\" twice", count++);
        CHECK(ax_str_eq(row.fields[1], ax_str_of(want)));
    }
    CHECK_EQ(status, AX_OK);
    CHECK_EQ(count, 20'000);
    CHECK_STR(ax_csv_header(csv)->fields[1], "b \" c");
}

/* Cut anywhere, the rows before the cut are the same and the last is shorter or refused. */
static void
cuts(struct ax_ctx *ctx)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a,\"b\"\"\"\r\n1,\"x\ny\"\r\n\"\",\xc3\xa9\r\n";
    static const ax_str row_begins;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = ax_arena_alloc(ctx->arena, 1, len + 1);
        memcpy(copy, text, len);
        struct ax_csv *csv = NULL;
        struct ax_csv_row row = {};
        ax_status status = ax_csv_open(ctx, (ax_str){copy, len}, NULL, &csv);
        row.fields = &row_begins;
        while (status == AX_OK && row.fields)
            status = ax_csv_next(csv, ctx, &row);
        CHECK(status == AX_OK || status == AX_INVALID);
        bool line_end = len == 12 || len == 21;
        CHECK(!line_end || status == AX_OK);
    }
}

TEST(a_table_withstands_cuts)
{
    ax_test_with_ctx(cuts);
}

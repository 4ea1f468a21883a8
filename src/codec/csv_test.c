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

/*
 * The German credit data as a frame, for tests of what learns from it: demo/german_credit.csv.
 *
 * A column whose cells are all numbers is a number, any other a category with codes in the order
 * of the words' bytes; the three attributes that a lender may not use are left out. The label is
 * 1 for "bad". Not the product's reader: that is dataops/ingestion.h.
 */
#pragma once

#include "base/number.h"
#include "codec/csv.h"
#include "harness.h"
#include "numeric/frame.h"
#include "sys/file.h"

enum { GERMAN_ROWS = 1'000, GERMAN_COLUMNS = 17, GERMAN_FIELDS = 21 };

struct german_text {
    ax_str header[GERMAN_FIELDS];
    ax_str cells[GERMAN_FIELDS][GERMAN_ROWS];
};

static inline void
german_read_text(struct ax_ctx *ctx, struct german_text *text)
{
    ax_str bytes = {}, copy = {};
    struct ax_csv *csv = NULL;
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("demo/german_credit.csv"), 1 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_csv_open(ctx, bytes, NULL, &csv), AX_OK);
    CHECK_EQ(ax_csv_header(csv)->count, GERMAN_FIELDS);
    memcpy(text->header, ax_csv_header(csv)->fields, sizeof text->header);
    for (size_t r = 0; r < GERMAN_ROWS; r++) {
        struct ax_csv_row row = {};
        CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
        for (size_t c = 0; c < GERMAN_FIELDS; c++) {
            CHECK(ax_str_copy(ctx->arena, row.fields[c], &copy));
            text->cells[c][r] = copy;
        }
    }
}

static inline bool
german_is_protected(ax_str name)
{
    return ax_str_eq(name, AX_STR("personal_status_and_sex")) ||
           ax_str_eq(name, AX_STR("age_in_years")) || ax_str_eq(name, AX_STR("foreign_worker"));
}

/* The words of a column, sorted, and each cell's place among them. */
static inline void
german_read_words(struct ax_ctx *ctx, const ax_str *cells, double *values,
                  struct ax_frame_column *column)
{
    ax_str *words = AX_NEW_ARRAY(ctx->arena, ax_str, GERMAN_ROWS);
    size_t count = 0;
    for (size_t r = 0; r < GERMAN_ROWS; r++) {
        size_t at = 0;
        while (at < count && ax_str_cmp(words[at], cells[r]) < 0)
            at++;
        if (at < count && ax_str_eq(words[at], cells[r]))
            continue;
        memmove(&words[at + 1], &words[at], (count - at) * sizeof *words);
        words[at] = cells[r];
        count++;
    }
    column->kind = AX_FRAME_CATEGORY;
    column->categories = words;
    column->category_count = count;
    for (size_t r = 0; r < GERMAN_ROWS; r++)
        values[r] = (double)ax_frame_code(column, cells[r]);
}

/* All rows. ctx->arena: 8 MB or more. */
static inline struct ax_frame
german_frame(struct ax_ctx *ctx)
{
    struct german_text *text = AX_NEW(ctx->arena, struct german_text);
    struct ax_frame_column *columns =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, GERMAN_COLUMNS);
    uint8_t *labels = AX_NEW_ARRAY(ctx->arena, uint8_t, GERMAN_ROWS);
    uint64_t *ids = AX_NEW_ARRAY(ctx->arena, uint64_t, GERMAN_ROWS);
    german_read_text(ctx, text);
    size_t count = 0;
    for (size_t c = 0; c + 1 < GERMAN_FIELDS; c++) {
        if (german_is_protected(text->header[c]))
            continue;
        double *values = AX_NEW_ARRAY(ctx->arena, double, GERMAN_ROWS);
        columns[count] = (struct ax_frame_column){.name = text->header[c], .values = values};
        size_t r = 0;
        while (r < GERMAN_ROWS && ax_parse_f64(text->cells[c][r], &values[r]))
            r++;
        if (r < GERMAN_ROWS)
            german_read_words(ctx, text->cells[c], values, &columns[count]);
        count++;
    }
    CHECK_EQ(count, GERMAN_COLUMNS);
    for (size_t r = 0; r < GERMAN_ROWS; r++) {
        labels[r] = ax_str_eq(text->cells[GERMAN_FIELDS - 1][r], AX_STR("bad"));
        ids[r] = r;
    }
    return (struct ax_frame){columns, count, GERMAN_ROWS, ids, labels};
}

/* Every tenth rows [from, to) of the tens: 0 to 6 for training, 6 to 8, 8 to 10. */
static inline struct ax_frame
german_part(struct ax_ctx *ctx, const struct ax_frame *frame, size_t from, size_t to)
{
    uint32_t rows[GERMAN_ROWS];
    size_t count = 0;
    for (uint32_t r = 0; r < frame->row_count; r++) {
        if (r % 10 >= from && r % 10 < to)
            rows[count++] = r;
    }
    struct ax_frame part = {};
    CHECK_EQ(ax_frame_take(ctx, frame, rows, count, &part), AX_OK);
    return part;
}

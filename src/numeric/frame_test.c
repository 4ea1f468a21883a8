#include "numeric/frame.h"

#include <math.h>

#include "harness.h"

static const ax_str housing[] = {{"own", 3}, {"rent", 4}, {"for free", 8}};
static const double amounts[] = {1169, 5951.5, (double)NAN, -0.0};
static const double codes[] = {0, 2, 1, (double)NAN};
static const uint64_t ids[] = {10, 11, 12, 99};
static const uint8_t labels[] = {0, 1, 0, 1};

static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"housing", 7},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = housing,
     .category_count = 3},
};

static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = 4, .row_ids = ids, .labels = labels};

static bool
same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void
check_same(const struct ax_frame *a, const struct ax_frame *b)
{
    CHECK_EQ(a->row_count, b->row_count);
    CHECK_EQ(a->column_count, b->column_count);
    CHECK_EQ(a->labels != NULL, b->labels != NULL);
    for (size_t c = 0; c < a->column_count && c < b->column_count; c++) {
        CHECK(ax_str_eq(a->columns[c].name, b->columns[c].name));
        CHECK_EQ(a->columns[c].kind, b->columns[c].kind);
        CHECK_EQ(a->columns[c].category_count, b->columns[c].category_count);
        for (size_t i = 0; i < a->columns[c].category_count; i++)
            CHECK(ax_str_eq(a->columns[c].categories[i], b->columns[c].categories[i]));
        for (size_t r = 0; r < a->row_count; r++)
            CHECK(same(a->columns[c].values[r], b->columns[c].values[r]));
    }
    for (size_t r = 0; r < a->row_count; r++) {
        CHECK_EQ(a->row_ids[r], b->row_ids[r]);
        if (a->labels && b->labels)
            CHECK_EQ(a->labels[r], b->labels[r]);
    }
}

static void
find_body(struct ax_ctx *ctx)
{
    CHECK_EQ(ax_frame_find(&frame, AX_STR("housing")), 1);
    CHECK(ax_frame_find(&frame, AX_STR("house")) == SIZE_MAX);
    CHECK_EQ(ax_frame_code(&columns[1], AX_STR("for free")), 2);
    CHECK(ax_frame_code(&columns[1], AX_STR("castle")) == SIZE_MAX);
    double row[2];
    ax_frame_row(&frame, 1, row);
    CHECK(row[0] == 5951.5 && row[1] == 2);
    float *floats = NULL;
    CHECK_EQ(ax_frame_floats(ctx, &frame, &floats), AX_OK);
    CHECK(floats[2] == 5951.5F && floats[5] == 1 && isnan(floats[4]));
}

TEST(frame_finds_names_codes_and_rows)
{
    ax_test_with_ctx(find_body);
}

static void
take_body(struct ax_ctx *ctx)
{
    static const uint32_t rows[] = {3, 0, 0};
    static const size_t chosen[] = {1};
    struct ax_frame taken, selected;
    CHECK_EQ(ax_frame_take(ctx, &frame, rows, 3, &taken), AX_OK);
    CHECK_EQ(taken.row_count, 3);
    CHECK_EQ(taken.row_ids[0], 99);
    CHECK_EQ(taken.labels[0], 1);
    CHECK(isnan(taken.columns[1].values[0]) && taken.columns[0].values[1] == 1169);
    CHECK_EQ(ax_frame_select(ctx, &taken, chosen, 1, &selected), AX_OK);
    CHECK_EQ(selected.column_count, 1);
    CHECK_STR(selected.columns[0].name, "housing");
    struct ax_frame plain = frame;
    plain.labels = NULL;
    CHECK_EQ(ax_frame_take(ctx, &plain, rows, 0, &taken), AX_OK);
    CHECK(!taken.labels && taken.row_count == 0);
}

TEST(frame_takes_rows_and_columns)
{
    ax_test_with_ctx(take_body);
}

static void
round_trip_body(struct ax_ctx *ctx)
{
    struct ax_frame cases[4] = {frame, frame, frame, {}};
    cases[1].labels = NULL;
    cases[2].row_count = 0;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str bytes = {}, again = {};
        struct ax_frame back;
        CHECK_EQ(ax_frame_encode(ctx, &cases[i], &bytes), AX_OK);
        CHECK_EQ(ax_frame_decode(ctx, bytes, &back), AX_OK);
        check_same(&cases[i], &back);
        CHECK_EQ(ax_frame_encode(ctx, &back, &again), AX_OK);
        CHECK(ax_str_eq(bytes, again));
    }
}

TEST(frame_encodes_and_decodes_to_the_same)
{
    ax_test_with_ctx(round_trip_body);
}

/* Cut at each byte and each byte changed: refused, or another sound frame, never a crash. */
static void
broken_body(struct ax_ctx *ctx)
{
    ax_str bytes = {};
    CHECK_EQ(ax_frame_encode(ctx, &frame, &bytes), AX_OK);
    char copy[512];
    CHECK(bytes.len <= sizeof copy);
    memcpy(copy, bytes.at, bytes.len);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        struct ax_frame back;
        CHECK_EQ(ax_frame_decode(ctx, (ax_str){copy, cut}, &back), AX_INVALID);
        CHECK(ctx->error[0] != '\0');
    }
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (char)(1 << bit);
            struct ax_frame back;
            ax_str again = {};
            ax_status status = ax_frame_decode(ctx, (ax_str){copy, bytes.len}, &back);
            CHECK(status == AX_OK || status == AX_INVALID);
            if (status == AX_OK) {
                CHECK_EQ(ax_frame_encode(ctx, &back, &again), AX_OK);
                CHECK(ax_str_eq(again, (ax_str){copy, bytes.len}));
            }
            copy[i] ^= (char)(1 << bit);
        }
        ax_arena_reset(ctx->arena);
    }
}

TEST(frame_decoder_survives_every_cut_and_every_flipped_bit)
{
    ax_test_with_ctx(broken_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    static const double bad_codes[] = {0, 3, 1, 1}, halves[] = {0, 0.5, 1, 1};
    static const double infinite[] = {0, 1, (double)INFINITY, 1};
    struct ax_frame_column broken[2] = {columns[0], columns[1]};
    struct ax_frame bad = frame, back;
    bad.columns = broken;
    ax_str bytes = {};
    const double *values[] = {bad_codes, halves};
    for (size_t i = 0; i < AX_COUNT_OF(values); i++) {
        broken[1].values = values[i];
        CHECK_EQ(ax_frame_encode(ctx, &bad, &bytes), AX_OK);
        CHECK_EQ(ax_frame_decode(ctx, bytes, &back), AX_INVALID);
        CHECK(strstr(ctx->error, "row 1, column `housing`"));
    }
    broken[1] = columns[1];
    broken[0].values = infinite;
    CHECK_EQ(ax_frame_encode(ctx, &bad, &bytes), AX_OK);
    CHECK_EQ(ax_frame_decode(ctx, bytes, &back), AX_INVALID);
    CHECK(strstr(ctx->error, "row 2, column `amount`"));
    broken[0] = columns[1]; /* one name twice */
    CHECK_EQ(ax_frame_encode(ctx, &bad, &bytes), AX_OK);
    CHECK_EQ(ax_frame_decode(ctx, bytes, &back), AX_INVALID);
    CHECK(strstr(ctx->error, "twice"));
}

TEST(frame_decoder_names_what_it_refuses)
{
    ax_test_with_ctx(refused_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const uint32_t rows[] = {1, 2};
    ax_str bytes = {};
    struct ax_frame back;
    AX_TRY(ax_frame_take(ctx, &frame, rows, 2, &back));
    AX_TRY(ax_frame_encode(ctx, &back, &bytes));
    AX_TRY(ax_frame_decode(ctx, bytes, &back));
    float *floats = NULL;
    return ax_frame_floats(ctx, &back, &floats);
}

TEST(frame_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}

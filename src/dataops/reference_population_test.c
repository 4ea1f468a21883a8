#include "dataops/reference_population.h"

#include <math.h>

#include "harness.h"

enum { ROWS = 100 };

static const ax_str kinds[] = {{"car", 3}, {"tv", 2}};
static double amounts[ROWS], codes[ROWS], probabilities[ROWS];
static uint64_t ids[ROWS];
static uint8_t labels[ROWS];
static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"kind", 4},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = kinds,
     .category_count = 2},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = ROWS, .row_ids = ids, .labels = labels};

/* Row r has probability (r * 37 mod 100) / 100: each hundredth once, not in the order of rows. */
static void
fill(void)
{
    for (size_t r = 0; r < ROWS; r++) {
        amounts[r] = (double)r + 0.5;
        codes[r] = (double)(r % 2);
        ids[r] = r;
        probabilities[r] = (double)(r * 37 % 100) / 100;
    }
    codes[7] = (double)NAN;
}

static void
near_body(struct ax_ctx *ctx)
{
    fill();
    struct ax_reference_config config = {
        .method = AX_REFERENCE_NEAR_CUTOFF, .row_count = 10, .seed = 7, .cutoff = 0.5};
    struct ax_reference_sample sample, again;
    CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &sample), AX_OK);
    CHECK_EQ(sample.rows.row_count, 10);
    CHECK(strcmp(sample.method, "near_cutoff") == 0);
    for (size_t i = 0; i < 10; i++) {
        double p = probabilities[sample.rows.row_ids[i]];
        CHECK(p < 0.5 && p >= 0.30); /* of the approved, the twenty nearest: 0.30 to 0.49 */
        CHECK(i == 0 || sample.rows.row_ids[i] > sample.rows.row_ids[i - 1]);
    }
    CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &again), AX_OK);
    CHECK(ax_str_eq(sample.csv, again.csv) && ax_digest_eq(sample.digest, again.digest));
    CHECK(ax_digest_eq(sample.digest, ax_sha256(sample.csv)));
    config.seed++;
    CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &again), AX_OK);
    CHECK(!ax_str_eq(sample.csv, again.csv));
    config.row_count = 1000; /* more than are approved */
    CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &again), AX_OK);
    CHECK_EQ(again.rows.row_count, 50);
}

TEST(r65_reference_near_the_cutoff_is_of_the_approved_and_made_again_from_its_seed)
{
    ax_test_with_ctx(near_body);
}

static void
all_body(struct ax_ctx *ctx)
{
    fill();
    struct ax_reference_config config = {
        .method = AX_REFERENCE_ALL, .row_count = 30, .seed = 7, .cutoff = 0.5};
    struct ax_reference_sample sample;
    CHECK_EQ(ax_reference_draw(ctx, &frame, NULL, &config, &sample), AX_OK);
    CHECK_EQ(sample.rows.row_count, 30);
    CHECK(strcmp(sample.method, "all_applicants") == 0);
    size_t above = 0;
    for (size_t i = 0; i < 30; i++)
        above += probabilities[sample.rows.row_ids[i]] >= 0.5;
    CHECK(above > 5 && above < 25);
    config.row_count = ROWS;
    CHECK_EQ(ax_reference_draw(ctx, &frame, NULL, &config, &sample), AX_OK);
    CHECK_EQ(sample.rows.row_count, ROWS);
    CHECK_EQ(sample.rows.row_ids[99], 99);
}

TEST(r65_reference_of_all_applicants)
{
    ax_test_with_ctx(all_body);
}

static void
refuses_body(struct ax_ctx *ctx)
{
    fill();
    struct ax_reference_config config = {
        .method = AX_REFERENCE_NEAR_CUTOFF, .row_count = 10, .seed = 7, .cutoff = 0};
    struct ax_reference_sample sample = {};
    CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &sample), AX_INVALID);
    CHECK(strstr(ctx->error, "no row is approved at a cut-off of 0") != NULL);
    config.cutoff = 0.5;
    static const double wrong[] = {(double)NAN, -0.1, 1.1};
    for (size_t i = 0; i < AX_COUNT_OF(wrong); i++) {
        probabilities[5] = wrong[i];
        CHECK_EQ(ax_reference_draw(ctx, &frame, probabilities, &config, &sample), AX_INVALID);
        CHECK(strstr(ctx->error, "the score of row 5 is no probability") != NULL);
    }
    config = (struct ax_reference_config){.method = AX_REFERENCE_ALL};
    CHECK_EQ(ax_reference_draw(ctx, &frame, NULL, &config, &sample), AX_INVALID);
    CHECK(!sample.csv.at);
}

TEST(reference_refuses_what_it_cannot_draw_from)
{
    ax_test_with_ctx(refuses_body);
}

static void
self_test_body(struct ax_ctx *ctx)
{
    static const size_t counts[] = {0, 1, 2, 16, 100, 200};
    fill();
    for (size_t i = 0; i < AX_COUNT_OF(counts); i++) {
        struct ax_frame rows;
        CHECK_EQ(ax_reference_self_test(ctx, &frame, probabilities, counts[i], &rows), AX_OK);
        CHECK_EQ(rows.row_count, counts[i] < ROWS ? counts[i] : ROWS);
        double low = 1, high = 0;
        for (size_t r = 0; r < rows.row_count; r++) {
            low = fmin(low, probabilities[rows.row_ids[r]]);
            high = fmax(high, probabilities[rows.row_ids[r]]);
            CHECK(r == 0 || rows.row_ids[r] > rows.row_ids[r - 1]);
        }
        CHECK(counts[i] < 1 || low == 0);
        CHECK(counts[i] < 2 || high == 0.99);
    }
    struct ax_frame none = frame, rows;
    none.row_count = 0;
    CHECK_EQ(ax_reference_self_test(ctx, &none, probabilities, 16, &rows), AX_OK);
    CHECK_EQ(rows.row_count, 0);
}

TEST(reference_self_test_spreads_over_the_scores)
{
    ax_test_with_ctx(self_test_body);
}

static void
csv_body(struct ax_ctx *ctx)
{
    fill();
    static const uint32_t few[] = {6, 7};
    static const double margins[] = {-0.1, 1e-300};
    static const struct ax_reference_extra extra[] = {{{"margin", 6}, margins}};
    static const double few_values[] = {(double)NAN, 0.1};
    static const struct ax_frame_column odd = {.name = {"a,b", 3}, .values = few_values};
    struct ax_frame rows;
    ax_str csv = {};
    CHECK_EQ(ax_frame_take(ctx, &frame, few, 2, &rows), AX_OK);
    CHECK_EQ(ax_reference_csv(ctx, &rows, NULL, 0, &csv), AX_OK);
    CHECK_STR(csv, "amount,kind\n6.5,0\n7.5,\n");
    CHECK_EQ(ax_reference_csv(ctx, &rows, extra, 1, &csv), AX_OK);
    CHECK_STR(csv, "amount,kind,margin\n6.5,0,-0.1\n7.5,,1e-300\n");
    rows.columns = &odd;
    rows.column_count = 1;
    CHECK_EQ(ax_reference_csv(ctx, &rows, NULL, 0, &csv), AX_OK);
    CHECK_STR(csv, "\"a,b\"\n\"\"\n0.1\n");
}

TEST(reference_csv_is_the_encoded_rows_in_shortest_exact_form)
{
    ax_test_with_ctx(csv_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    fill();
    const struct ax_reference_config config = {
        .method = AX_REFERENCE_NEAR_CUTOFF, .row_count = 4, .seed = 7, .cutoff = 0.5};
    struct ax_reference_sample sample;
    struct ax_frame rows;
    AX_TRY(ax_reference_draw(ctx, &frame, probabilities, &config, &sample));
    return ax_reference_self_test(ctx, &frame, probabilities, 4, &rows);
}

TEST(reference_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

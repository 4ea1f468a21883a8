#include "learner/binning.h"

#include <math.h>

#include "harness.h"
#include "numeric/random.h"

enum { ROWS = 1'000 };
static double values[ROWS];
static uint8_t labels[ROWS];

static const struct ax_binning_config usual = {.share_min = 0.05, .bins_max = 6, .smoothing = 0.5};

/* Numbers whose bad rate falls as they rise. */
static void
make_numbers(uint64_t seed, double missing_share)
{
    struct ax_random random = ax_random_of(seed, 0);
    for (int i = 0; i < ROWS; i++) {
        double value = floor(100 * ax_random_unit(&random));
        labels[i] = ax_random_unit(&random) < 0.6 - value / 200;
        values[i] = ax_random_unit(&random) < missing_share ? (double)NAN : value;
    }
}

/* Counts, weights and information value, from the rows again. */
static void
check_bins(const struct ax_binning *binning, double smoothing)
{
    uint64_t good[40] = {}, bad[40] = {}, good_total = 0, bad_total = 0;
    for (int i = 0; i < ROWS; i++) {
        size_t bin = ax_binning_find(binning, values[i]);
        CHECK(bin < binning->bin_count);
        (labels[i] ? bad : good)[bin]++;
        *(labels[i] ? &bad_total : &good_total) += 1;
    }
    double information = 0;
    for (size_t b = 0; b < binning->bin_count; b++) {
        CHECK_EQ(binning->bins[b].good, good[b]);
        CHECK_EQ(binning->bins[b].bad, bad[b]);
        double g = (double)good[b], d = (double)bad[b];
        double woe =
            log((g + smoothing) / (double)good_total / ((d + smoothing) / (double)bad_total));
        CHECK(fabs(binning->bins[b].woe - woe) < 1e-12);
        information += (g / (double)good_total - d / (double)bad_total) * woe;
        if (!binning->bins[b].missing)
            CHECK((double)(good[b] + bad[b]) >= 0.05 * ROWS);
    }
    CHECK(fabs(binning->information_value - information) < 1e-12);
}

static void
numbers_body(struct ax_ctx *ctx)
{
    static const struct ax_frame_column column = {.kind = AX_FRAME_NUMBER, .values = values};
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct ax_binning binning;
        make_numbers(seed, seed % 2 ? 0.1 : 0);
        CHECK_EQ(ax_binning_fit(ctx, &column, labels, ROWS, &usual, &binning), AX_OK);
        check_bins(&binning, 0.5);
        size_t last = binning.bin_count - 1;
        CHECK_EQ(binning.bins[last].missing, seed % 2);
        size_t count = binning.bin_count - seed % 2;
        CHECK(count > 2 && count <= 6 && binning.direction == -1);
        for (size_t b = 1; b < count; b++) {
            const struct ax_binning_bin *low = &binning.bins[b - 1], *high = &binning.bins[b];
            CHECK(low->high == high->low);
            CHECK((double)low->bad / (double)(low->good + low->bad) >
                  (double)high->bad / (double)(high->good + high->bad));
        }
        CHECK(isinf(binning.bins[0].low) && isinf(binning.bins[count - 1].high));
        CHECK_EQ(ax_binning_find(&binning, binning.bins[0].high), 0); /* low < x <= high */
        CHECK_EQ(ax_binning_find(&binning, nextafter(binning.bins[0].high, 1e9)), 1);
        CHECK_EQ(ax_binning_find(&binning, 1e9), count - 1);
        if (seed % 2 == 0)
            CHECK(ax_binning_find(&binning, (double)NAN) == SIZE_MAX);
        ax_arena_reset(ctx->arena);
    }
}

TEST(binning_of_numbers_is_monotone_and_fills_its_bins)
{
    ax_test_with_ctx(numbers_body);
}

/* 50 is a code and no amount: its rate is out of the order, and nobody's bin has its rows. */
static void
special_body(struct ax_ctx *ctx)
{
    static const double specials[] = {-7, 50};
    static const struct ax_frame_column column = {.kind = AX_FRAME_NUMBER, .values = values};
    struct ax_binning_config config = usual;
    struct ax_binning binning;
    make_numbers(3, 0.05);
    uint64_t rows = 0;
    for (int i = 0; i < ROWS; i++) {
        if (i % 10 == 0) {
            values[i] = 50;
            labels[i] = i % 50 != 0;
        }
        rows += values[i] == 50;
    }
    config.specials = specials;
    config.special_count = AX_COUNT_OF(specials);
    config.direction = -1;
    CHECK_EQ(ax_binning_fit(ctx, &column, labels, ROWS, &config, &binning), AX_OK);
    size_t cuts = binning.cut_count;
    CHECK(cuts > 1 && binning.bin_count == cuts + 3);
    CHECK(binning.bins[cuts].special && binning.bins[cuts].high == -7);
    CHECK(binning.bins[cuts].good + binning.bins[cuts].bad == 0 && binning.bins[cuts].woe == 0);
    CHECK(binning.bins[cuts + 1].special && binning.bins[cuts + 2].missing);
    CHECK_EQ(binning.bins[cuts + 1].good + binning.bins[cuts + 1].bad, rows);
    CHECK_EQ(ax_binning_find(&binning, 50), cuts + 1);
    CHECK_EQ(ax_binning_find(&binning, -7), cuts);
    CHECK(ax_binning_find(&binning, nextafter(50, 0)) < cuts);
    CHECK(ax_binning_find(&binning, nextafter(50, 99)) < cuts);
    CHECK_EQ(ax_binning_find(&binning, (double)NAN), cuts + 2);
    uint64_t good[40] = {}, bad[40] = {};
    for (int i = 0; i < ROWS; i++)
        (labels[i] ? bad : good)[ax_binning_find(&binning, values[i])]++;
    for (size_t b = 0; b < binning.bin_count; b++)
        CHECK(good[b] == binning.bins[b].good && bad[b] == binning.bins[b].bad);
    for (size_t b = 1; b < cuts; b++)
        CHECK(binning.bins[b].woe > binning.bins[b - 1].woe);
}

TEST(binning_keeps_special_values_out_of_the_order)
{
    ax_test_with_ctx(special_body);
}

/* Information value of a set of cuts over ten equal fine bins; -inf when it breaks a rule. */
static double
value_of_cuts(const struct ax_binning_bin *fine, unsigned cuts, double good, double bad)
{
    double sum = 0, g = 0, b = 0, rate_before = -1;
    int bins = 0;
    for (int i = 0; i < 10; i++) {
        g += (double)fine[i].good;
        b += (double)fine[i].bad;
        if (i < 9 && !(cuts >> i & 1))
            continue;
        double rate = b / (g + b);
        if (rate <= rate_before || g + b < 50 || ++bins > 4)
            return -(double)INFINITY;
        sum += (g / good - b / bad) * log((g + 0.5) / good / ((b + 0.5) / bad));
        rate_before = rate;
        g = b = 0;
    }
    return sum;
}

/* Ten distinct values, so that all 512 sets of cuts can be tried. */
static void
optimal_body(struct ax_ctx *ctx)
{
    static const struct ax_frame_column column = {.kind = AX_FRAME_NUMBER, .values = values};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct ax_random random = ax_random_of(seed, 1);
        struct ax_binning_bin fine[10] = {};
        double good = 0, bad = 0;
        for (int i = 0; i < ROWS; i++) {
            values[i] = (double)ax_random_below(&random, 10);
            labels[i] = ax_random_unit(&random) < 0.3 + 0.02 * values[i];
            fine[(int)values[i]].good += !labels[i];
            fine[(int)values[i]].bad += labels[i];
            *(labels[i] ? &bad : &good) += 1;
        }
        double best = -(double)INFINITY;
        for (unsigned cuts = 0; cuts < 512; cuts++)
            best = fmax(best, value_of_cuts(fine, cuts, good, bad));
        struct ax_binning_config config = usual;
        config.bins_max = 4;
        config.direction = 1;
        struct ax_binning binning;
        CHECK_EQ(ax_binning_fit(ctx, &column, labels, ROWS, &config, &binning), AX_OK);
        CHECK(fabs(binning.information_value - best) < 1e-12);
        ax_arena_reset(ctx->arena);
    }
}

TEST(binning_finds_the_best_of_all_cuts)
{
    ax_test_with_ctx(optimal_body);
}

static void
categories_body(struct ax_ctx *ctx)
{
    static const ax_str words[] = {{"a", 1},    {"b", 1},     {"c", 1},
                                   {"rare", 4}, {"rarer", 5}, {"never", 5}};
    static const struct ax_frame_column column = {
        .kind = AX_FRAME_CATEGORY, .values = values, .categories = words, .category_count = 6};
    struct ax_random random = ax_random_of(6, 0);
    for (int i = 0; i < ROWS; i++) {
        double draw = ax_random_unit(&random);
        values[i] = draw < 0.3    ? 0
                    : draw < 0.6  ? 1
                    : draw < 0.92 ? 2
                    : draw < 0.95 ? 3
                    : draw < 0.98 ? 4
                                  : (double)NAN;
        double rate = values[i] == 1 ? 0.1 : values[i] == 0 ? 0.5 : 0.3;
        labels[i] = ax_random_unit(&random) < rate;
    }
    struct ax_binning binning;
    CHECK_EQ(ax_binning_fit(ctx, &column, labels, ROWS, &usual, &binning), AX_OK);
    check_bins(&binning, 0.5);
    CHECK(binning.bins[binning.bin_count - 1].missing);
    CHECK(binning.bin_of_code[3] == binning.bin_of_code[4]); /* rare ones are pooled */
    CHECK(binning.bin_of_code[5] == binning.bin_of_code[3]); /* and what never occurred */
    CHECK(binning.bin_of_code[1] != binning.bin_of_code[0]);
    CHECK_EQ(ax_binning_find(&binning, 1), binning.bin_of_code[1]);
    CHECK(ax_binning_find(&binning, 6) == SIZE_MAX && ax_binning_find(&binning, -1) == SIZE_MAX);
}

TEST(binning_of_categories_pools_the_rare_ones)
{
    ax_test_with_ctx(categories_body);
}

static void
degenerate_body(struct ax_ctx *ctx)
{
    static const struct ax_frame_column number = {.kind = AX_FRAME_NUMBER, .values = values};
    static const struct ax_frame_column category = {.kind = AX_FRAME_CATEGORY, .values = values};
    struct ax_binning binning;
    make_numbers(1, 1); /* all missing */
    CHECK_EQ(ax_binning_fit(ctx, &number, labels, ROWS, &usual, &binning), AX_OK);
    CHECK_EQ(binning.bin_count, 2);
    CHECK(binning.bins[0].woe == 0 && binning.bins[1].missing);
    CHECK_EQ(ax_binning_fit(ctx, &category, labels, ROWS, &usual, &binning), AX_OK);
    for (int i = 0; i < ROWS; i++)
        values[i] = 7; /* a constant */
    CHECK_EQ(ax_binning_fit(ctx, &number, labels, ROWS, &usual, &binning), AX_OK);
    CHECK_EQ(binning.bin_count, 1);
    CHECK(fabs(binning.information_value) < 1e-4);
    memset(labels, 0, sizeof labels);
    CHECK_EQ(ax_binning_fit(ctx, &number, labels, ROWS, &usual, &binning), AX_INVALID);
    CHECK(strstr(ctx->error, "both classes"));
}

TEST(binning_of_columns_that_tell_nothing)
{
    ax_test_with_ctx(degenerate_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const ax_str words[] = {{"a", 1}, {"b", 1}};
    static const double codes[] = {0, 1, 0, 1, 1, 0};
    static const uint8_t label[] = {0, 1, 0, 1, 0, 1};
    static const struct ax_frame_column number = {.kind = AX_FRAME_NUMBER, .values = codes};
    static const struct ax_frame_column category = {
        .kind = AX_FRAME_CATEGORY, .values = codes, .categories = words, .category_count = 2};
    struct ax_binning binning;
    AX_TRY(ax_binning_fit(ctx, &number, label, 6, &usual, &binning));
    return ax_binning_fit(ctx, &category, label, 6, &usual, &binning);
}

TEST(binning_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}

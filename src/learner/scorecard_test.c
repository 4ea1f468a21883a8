#include "learner/scorecard.h"

#include <math.h>

#include "german_case.h"
#include "harness.h"
#include "numeric/random.h"

/* More room than a test's usual context. */
static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

static const struct ax_json *
json_of(struct ax_ctx *ctx, ax_str text)
{
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, text, NULL, &json), AX_OK);
    return json;
}

static ax_status
train(struct ax_ctx *ctx, const struct ax_frame *frame, const char *parameters,
      struct ax_learner_result *result)
{
    const struct ax_learner_input input = {
        .train = frame, .parameters = json_of(ctx, ax_str_of(parameters)), .thread_count = 1};
    return ax_learner_train(ctx, AX_STR("scorecard"), &input, result);
}

/* ---- a second reader of the file, as docs/model-formats.md says it ---- */

static double
number(const struct ax_json *json, const char *key)
{
    double value = (double)NAN;
    CHECK(ax_json_f64(ax_json_find(json, key), &value));
    return value;
}

static const struct ax_json *
item(const struct ax_json *array, size_t index)
{
    struct ax_json_iter iter = ax_json_iter_of(array);
    while (ax_json_next(&iter) && iter.index < index)
        ;
    return iter.value;
}

static bool
holds(const struct ax_json *categories, ax_str word)
{
    struct ax_json_iter iter = ax_json_iter_of(categories);
    while (ax_json_next(&iter)) {
        ax_str text = {};
        if (ax_json_text(iter.value, &text) && ax_str_eq(text, word))
            return true;
    }
    return false;
}

/* The bin, group or `missing` of a cell; NULL when it is refused. */
static const struct ax_json *
level_of(const struct ax_json *characteristic, const struct ax_frame_column *column, double value)
{
    if (isnan(value)) {
        const struct ax_json *missing = ax_json_find(characteristic, "missing");
        return ax_json_kind(missing) == AX_JSON_OBJECT ? missing : NULL;
    }
    bool category = column->kind == AX_FRAME_CATEGORY;
    struct ax_json_iter iter =
        ax_json_iter_of(ax_json_find(characteristic, category ? "groups" : "bins"));
    while (ax_json_next(&iter)) {
        double to = (double)INFINITY;
        if (category &&
            holds(ax_json_find(iter.value, "categories"), column->categories[(size_t)value]))
            return iter.value;
        if (!category && (!ax_json_f64(ax_json_find(iter.value, "to"), &to) || value <= to))
            return iter.value;
    }
    return NULL;
}

static double
margin_of(const struct ax_json *card, const struct ax_frame *frame, size_t row, double *out_points)
{
    double margin = number(card, "intercept");
    *out_points = number(card, "points_base");
    struct ax_json_iter iter = ax_json_iter_of(ax_json_find(card, "characteristics"));
    while (ax_json_next(&iter)) {
        const struct ax_frame_column *column = &frame->columns[iter.index];
        const struct ax_json *level = level_of(iter.value, column, column->values[row]);
        CHECK(level != NULL);
        margin += number(iter.value, "coefficient") * number(level, "woe");
        *out_points += number(level, "points");
    }
    return margin;
}

/* The file against the margins of training, and points against the odds. */
static void
check_file(const struct ax_json *card, const struct ax_frame *frame,
           const struct ax_learner_result *result)
{
    const struct ax_json *scaling = ax_json_find(card, "scaling");
    struct ax_scorecard_scale scale = ax_scorecard_scale(
        number(scaling, "base_points"), number(scaling, "base_odds"), number(scaling, "pdo"));
    CHECK_EQ(ax_json_count(ax_json_find(card, "characteristics")), frame->column_count);
    for (size_t row = 0; row < result->probe_count; row++) {
        double points = 0, margin = margin_of(card, frame, row, &points);
        CHECK(margin == result->probe_margins[row]);
        CHECK(fabs(points - (scale.offset - scale.factor * margin)) < 1e-9);
    }
}

TEST(scorecard_scale_is_the_published_one)
{
    struct ax_scorecard_scale scale = ax_scorecard_scale(600, 30, 20);
    CHECK(fabs(scale.factor - 28.8539) < 5e-5);
    CHECK(fabs(scale.offset - 501.862) < 5e-4);
    CHECK(fabs(scale.offset + scale.factor * log(30) - 600) < 1e-9);
    CHECK(fabs(scale.offset + scale.factor * log(60) - 620) < 1e-9);
}

/* Counts of the data's own table; the information value is the published 0.6660. */
static void
german_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *word;
        double good, bad;
    } counts[] = {{"... < 0 DM", 139, 135},
                  {"0 <= ... < 200 DM", 164, 105},
                  {"... >= 200 DM / salary assignments for at least 1 year", 49, 14},
                  {"no checking account", 348, 46}};
    struct ax_frame frame = german_frame(ctx);
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, &frame, "{\"smoothing\":0.000001}", &result), AX_OK);
    CHECK_STR(result.format, "axiom.scorecard");
    CHECK_EQ(result.probe_count, AX_LEARNER_PROBES_MAX);
    const struct ax_json *card = json_of(ctx, result.model);
    check_file(card, &frame, &result);
    const struct ax_json *status = item(ax_json_find(card, "characteristics"), 0);
    for (size_t i = 0; i < AX_COUNT_OF(counts); i++) {
        size_t code = ax_frame_code(&frame.columns[0], ax_str_of(counts[i].word));
        CHECK(code != SIZE_MAX);
        double want = log(counts[i].good / 700 / (counts[i].bad / 300));
        CHECK(fabs(number(level_of(status, &frame.columns[0], (double)code), "woe") - want) < 1e-6);
    }
    CHECK(number(status, "coefficient") < 0); /* more evidence of good, lower odds of bad */
    const struct ax_json *report = json_of(ctx, result.report);
    const struct ax_json *first = item(ax_json_find(report, "characteristics"), 0);
    CHECK(fabs(number(first, "information_value") - 0.6660115) < 1e-6);
    CHECK_EQ(ax_json_count(ax_json_find(first, "bins")), 4);
    CHECK(number(first, "standard_error") > 0);
}

TEST(scorecard_of_the_german_data_has_the_published_weights)
{
    with_room(german_body);
}

static void
same_bytes_body(struct ax_ctx *ctx)
{
    struct ax_frame frame = german_frame(ctx);
    struct ax_learner_result one = {}, two = {};
    CHECK_EQ(train(ctx, &frame, "{}", &one), AX_OK);
    CHECK_EQ(train(ctx, &frame, "{}", &two), AX_OK);
    CHECK(ax_str_eq(one.model, two.model) && ax_str_eq(one.report, two.report));
}

TEST(scorecard_is_the_same_bytes_again)
{
    with_room(same_bytes_body);
}

/* Months since a default: -1 is "never", 999 "unknown", both inside or beside the amounts. */
enum { ROWS = 600 };
static double months[ROWS], noise[ROWS];
static uint8_t labels[ROWS];
static const struct ax_frame_column columns[] = {
    {.name = {"months", 6}, .kind = AX_FRAME_NUMBER, .values = months},
    {.name = {"noise", 5}, .kind = AX_FRAME_NUMBER, .values = noise},
};
static const struct ax_frame small = {
    .columns = columns, .column_count = 2, .row_count = ROWS, .labels = labels};

static void
make_months(void)
{
    struct ax_random random = ax_random_of(1, 0);
    for (int i = 0; i < ROWS; i++) {
        double amount = i % 60;
        months[i] = i % 7 == 0 ? -1 : i % 11 == 0 ? 30 : i % 13 == 0 ? (double)NAN : amount;
        noise[i] = (double)ax_random_below(&random, 2);
        int risk = months[i] == -1 ? 1 : months[i] == 30 ? 6 : isnan(amount) ? 3 : 8 - i % 60 / 10;
        labels[i] = i * 7 % 10 < risk;
    }
}

static void
special_body(struct ax_ctx *ctx)
{
    make_months();
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, &small, "{\"special\":{\"months\":[30,-1]},\"monotone\":{\"months\":-1}}",
                   &result),
             AX_OK);
    const struct ax_json *card = json_of(ctx, result.model);
    check_file(card, &small, &result);
    const struct ax_json *first = item(ax_json_find(card, "characteristics"), 0);
    const struct ax_frame_column *column = &columns[0];
    double never = number(level_of(first, column, -1), "woe");
    double thirty = number(level_of(first, column, 30), "woe");
    double below = number(level_of(first, column, nextafter(30, 0)), "woe");
    double above = number(level_of(first, column, nextafter(30, 99)), "woe");
    CHECK(never > above && thirty < below); /* out of the order, so bins of their own */
    CHECK(number(level_of(first, column, 29), "woe") == below);
    CHECK(number(level_of(first, column, 0), "woe") != never);
    CHECK(level_of(first, column, nextafter(-1, -9)) != level_of(first, column, -1));
    CHECK(ax_json_kind(ax_json_find(first, "missing")) == AX_JSON_OBJECT);
    double before = -(double)INFINITY; /* the rate falls, so evidence of good rises */
    for (int half = 0; half < 120; half++) {
        double x = half / 2.0;
        double woe = number(level_of(first, column, x), "woe");
        CHECK(x == 30 || woe >= before);
        before = x == 30 ? before : woe;
    }
    const struct ax_json *second = item(ax_json_find(card, "characteristics"), 1);
    CHECK(number(second, "coefficient") == 0); /* tells nothing, stays as an input */
    CHECK_EQ(ax_json_count(ax_json_find(second, "bins")), 1);
    CHECK(number(level_of(second, &columns[1], 1), "points") == 0);
}

TEST(scorecard_gives_special_values_their_own_bins)
{
    with_room(special_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *parameters, *words;
    } cases[] = {
        {"{\"bins_max\":33}", "`bins_max` must be a whole number from 2 to 32"},
        {"{\"bins_max\":2.5}", "`bins_max`"},
        {"{\"share_min\":0}", "`share_min` must be a number from 0.01 to 0.5"},
        {"{\"smoothing\":0}", "`smoothing`"},
        {"{\"points_to_double\":0}", "`points_to_double`"},
        {"{\"base_odds\":-30}", "`base_odds`"},
        {"{\"pdo\":20}", "no parameter `pdo`"},
        {"{\"iv_min\":9}", "no column has an information value of 9 or more"},
        {"{\"monotone\":{\"month\":1}}", "monotone: there is no column `month`"},
        {"{\"special\":{\"month\":[1]}}", "special: there is no column `month`"},
        {"{\"special\":{\"months\":1}}", "`months` must be an array of at most 16 numbers"},
        {"{\"special\":{\"months\":[1,\"2\"]}}", "item 1 of `months` must be a number"},
        {"{\"special\":{\"months\":[1,2,1]}}", "`months` names a value twice"},
        {"{\"special\":[1]}", "special must be an object"},
    };
    make_months();
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_learner_result result = {};
        CHECK_EQ(train(ctx, &small, cases[i].parameters, &result), AX_INVALID);
        CHECK(strstr(ctx->error, cases[i].words) && strstr(ctx->error, "train scorecard"));
        CHECK(result.model.at == NULL);
    }
}

TEST(scorecard_refuses_parameters_in_words)
{
    with_room(refused_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const double amounts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
    static const double codes[] = {0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, (double)NAN};
    static const uint8_t label[] = {1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1};
    static const ax_str words[] = {{"a", 1}, {"b", 1}};
    static const struct ax_frame_column both[] = {
        {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
        {.name = {"kind", 4},
         .kind = AX_FRAME_CATEGORY,
         .values = codes,
         .categories = words,
         .category_count = 2}};
    static const struct ax_frame frame = {
        .columns = both, .column_count = 2, .row_count = 12, .labels = label};
    const struct ax_json *parameters = NULL;
    AX_TRY(ax_json_parse(ctx, AX_STR("{\"special\":{\"amount\":[3]},\"ridge\":0.1}"), NULL,
                         &parameters));
    const struct ax_learner_input input = {
        .train = &frame, .parameters = parameters, .thread_count = 1};
    struct ax_learner_result result = {};
    return ax_learner_train(ctx, AX_STR("scorecard"), &input, &result);
}

TEST(scorecard_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}

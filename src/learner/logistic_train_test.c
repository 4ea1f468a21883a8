#include "learner/logistic_train.h"

#include <math.h>

#include "harness.h"
#include "learner/logistic.h"
#include "numeric/random.h"

enum { ROWS = 300 };
static double amounts[ROWS], codes[ROWS];
static uint8_t labels[ROWS];
static const ax_str words[] = {{"own", 3}, {"rent", 4}};
static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"housing", 7},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = words,
     .category_count = 2},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = ROWS, .labels = labels};

static void
make_rows(double missing_share)
{
    struct ax_random random = ax_random_of(3, 0);
    for (int i = 0; i < ROWS; i++) {
        amounts[i] = 3'000 + 2'000 * ax_random_normal(&random);
        codes[i] = ax_random_unit(&random) < 0.4;
        double margin = amounts[i] / 4'000 + codes[i] - 1.5;
        labels[i] = ax_random_unit(&random) < 1 / (1 + exp(-margin));
        if (ax_random_unit(&random) < missing_share)
            *(i % 2 ? &amounts[i] : &codes[i]) = (double)NAN;
    }
}

static const struct ax_json *
train(struct ax_ctx *ctx, const char *parameters, struct ax_learner_result *result)
{
    const struct ax_json *json = NULL, *model = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(parameters), NULL, &json), AX_OK);
    const struct ax_learner_input input = {.train = &frame, .parameters = json, .thread_count = 1};
    CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, result), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, result->model, NULL, &model), AX_OK);
    return model;
}

static double
number(const struct ax_json *json, const char *key)
{
    double value = (double)NAN;
    CHECK(ax_json_f64(ax_json_find(json, key), &value));
    return value;
}

static void
term_of(const struct ax_json *model, size_t index, struct ax_json_iter *out_iter)
{
    *out_iter = ax_json_iter_of(ax_json_find(model, "terms"));
    while (ax_json_next(out_iter) && out_iter->index < index)
        ;
}

/* With hardly any ridge: the plain regression of the raw columns, own is the difference. */
static void
units_body(struct ax_ctx *ctx)
{
    make_rows(0);
    static double x[ROWS * 2];
    for (int i = 0; i < ROWS; i++) {
        x[i * 2] = amounts[i] / 1'000;
        x[i * 2 + 1] = codes[i];
    }
    const struct ax_logistic_data data = {x, labels, ROWS, 2};
    const struct ax_logistic_config plain = {};
    struct ax_logistic_model want;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &plain, &want), AX_OK);
    struct ax_learner_result result = {};
    const struct ax_json *model = train(ctx, "{\"ridge\":0.000001}", &result);
    struct ax_json_iter amount, housing, value;
    term_of(model, 0, &amount);
    term_of(model, 1, &housing);
    CHECK(fabs(number(amount.value, "coefficient") * 1'000 - want.coefficients[0]) < 1e-6);
    double values[2] = {};
    value = ax_json_iter_of(ax_json_find(housing.value, "values"));
    while (ax_json_next(&value))
        CHECK(ax_json_f64(value.value, &values[value.index]));
    CHECK(fabs(values[1] - values[0] - want.coefficients[1]) < 1e-5);
    ax_str missing = {};
    CHECK(ax_json_text(ax_json_find(amount.value, "missing"), &missing));
    CHECK_STR(missing, "refuse");
    CHECK_STR(result.format, "axiom.linear");
}

TEST(logistic_train_writes_coefficients_in_the_units_of_the_data)
{
    ax_test_with_ctx(units_body);
}

static void
missing_body(struct ax_ctx *ctx)
{
    make_rows(0.2);
    struct ax_learner_result result = {}, again = {};
    const struct ax_json *model = train(ctx, "{}", &result);
    train(ctx, "{}", &again);
    CHECK(ax_str_eq(result.model, again.model));
    struct ax_json_iter amount, housing;
    term_of(model, 0, &amount);
    term_of(model, 1, &housing);
    double sum = 0, count = 0;
    for (int i = 0; i < ROWS; i++) {
        sum += isnan(amounts[i]) ? 0 : amounts[i];
        count += !isnan(amounts[i]);
    }
    CHECK(number(ax_json_find(amount.value, "missing"), "value") == sum / count);
    CHECK(number(ax_json_find(housing.value, "missing"), "value") == 0);
    CHECK_EQ(result.probe_count, 100);
    for (size_t i = 0; i < result.probe_count; i++)
        CHECK(isfinite(result.probe_margins[i]));
}

TEST(logistic_train_says_what_missing_stands_for)
{
    ax_test_with_ctx(missing_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *parameters, *words;
    } cases[] = {
        {"{\"ridge\":0}", "`ridge` must be a number from 1e-09 to 1000000000"},
        {"{\"iteration_max\":0}", "`iteration_max`"},
        {"{\"iteration_max\":1}", "no convergence after 1 iterations"},
        {"{\"penalty\":\"l1\"}", "no parameter `penalty`"},
        {"{\"monotone\":{\"amount\":1}}", "no parameter `monotone`"},
        {"7", "parameters must be an object, not a number"},
    };
    make_rows(0);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].parameters), NULL, &json), AX_OK);
        const struct ax_learner_input input = {
            .train = &frame, .parameters = json, .thread_count = 1};
        struct ax_learner_result result = {};
        CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, &result), AX_INVALID);
        CHECK(strstr(ctx->error, cases[i].words));
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
    }
}

TEST(logistic_train_refuses_parameters_in_words)
{
    ax_test_with_ctx(refused_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    struct ax_frame few = frame;
    few.row_count = 40;
    const struct ax_learner_input input = {.train = &few, .thread_count = 1};
    struct ax_learner_result result = {};
    return ax_learner_train(ctx, AX_STR("logistic"), &input, &result);
}

TEST(logistic_train_notices_every_shortage_of_memory)
{
    make_rows(0.1);
    FAULT_SWEEP(sweep_body);
}

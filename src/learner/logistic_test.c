#include "learner/logistic.h"

#include <math.h>

#include "harness.h"
#include "numeric/random.h"

#define CHECK_NEAR(got, want, tolerance) check_near(__LINE__, #got, got, want, tolerance)

static void
check_near(int line, const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        ax_test_failed(__FILE__, line, "%s is %.12g, not %.12g", what, got, want);
}

/* Hours of study and passing (Wikipedia, "Logistic regression"; R's glm gives the same). */
static void
hours_body(struct ax_ctx *ctx)
{
    static const double hours[] = {0.50, 0.75, 1.00, 1.25, 1.50, 1.75, 1.75, 2.00, 2.25, 2.50,
                                   2.75, 3.00, 3.25, 3.50, 4.00, 4.25, 4.50, 4.75, 5.00, 5.50};
    static const uint8_t passed[] = {0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1};
    const struct ax_logistic_data data = {hours, passed, 20, 1};
    const struct ax_logistic_config config = {};
    struct ax_logistic_model model;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_OK);
    CHECK(model.converged);
    CHECK_NEAR(model.intercept, -4.0777, 5e-5);
    CHECK_NEAR(model.coefficients[0], 1.5046, 5e-5);
    CHECK_NEAR(model.standard_errors[0], 0.6287, 5e-5);
    CHECK_NEAR(model.standard_errors[1], 1.7610, 5e-5);
    CHECK_NEAR(model.deviance, 2 * 8.02988, 1e-4);
}

TEST(logistic_agrees_with_the_published_regression)
{
    ax_test_with_ctx(hours_body);
}

/* One 0/1 variable: the odds ratio of the table, and Woolf's standard error. */
static void
table_body(struct ax_ctx *ctx)
{
    static const int counts[2][2] = {{40, 10}, {20, 30}}; /* [x][label] */
    double x[100];
    uint8_t label[100];
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            for (int k = 0; k < counts[i][j]; k++, n++) {
                x[n] = i;
                label[n] = (uint8_t)j;
            }
        }
    }
    const struct ax_logistic_data data = {x, label, n, 1};
    const struct ax_logistic_config config = {};
    struct ax_logistic_model model;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_OK);
    CHECK_NEAR(model.intercept, log(10.0 / 40), 1e-12);
    CHECK_NEAR(model.coefficients[0], log(30.0 / 20 * 40 / 10), 1e-12);
    CHECK_NEAR(model.standard_errors[0], sqrt(1.0 / 40 + 1.0 / 10 + 1.0 / 20 + 1.0 / 30), 1e-9);
}

TEST(logistic_of_a_two_by_two_table_is_its_odds_ratio)
{
    ax_test_with_ctx(table_body);
}

enum { ROWS = 400, FEATURES = 3 };

static void
make_rows(double *x, uint8_t *label)
{
    struct ax_random random = ax_random_of(8, 0);
    for (int i = 0; i < ROWS; i++) {
        double margin = -0.5;
        for (int j = 0; j < FEATURES; j++) {
            x[i * FEATURES + j] = ax_random_normal(&random);
            margin += (j == 1 ? -1.0 : 0.8) * x[i * FEATURES + j];
        }
        label[i] = ax_random_unit(&random) < 1 / (1 + exp(-margin));
    }
}

/* At the solution the gradient of the penalised likelihood is zero: what defines it. */
static void
gradient_body(struct ax_ctx *ctx)
{
    static double x[ROWS * FEATURES];
    static uint8_t label[ROWS];
    make_rows(x, label);
    static const double ridges[] = {0, 1e-3, 1, 50};
    double norm_before = (double)INFINITY;
    for (size_t r = 0; r < AX_COUNT_OF(ridges); r++) {
        const struct ax_logistic_data data = {x, label, ROWS, FEATURES};
        const struct ax_logistic_config config = {.ridge = ridges[r]};
        struct ax_logistic_model model, again;
        CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_OK);
        CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &again), AX_OK);
        double gradient[FEATURES + 1] = {}, norm = 0;
        for (int i = 0; i < ROWS; i++) {
            double margin = model.intercept;
            for (int j = 0; j < FEATURES; j++)
                margin += model.coefficients[j] * x[i * FEATURES + j];
            double residual = label[i] - 1 / (1 + exp(-margin));
            gradient[FEATURES] += residual;
            for (int j = 0; j < FEATURES; j++)
                gradient[j] += residual * x[i * FEATURES + j];
        }
        for (int j = 0; j < FEATURES; j++) {
            CHECK_NEAR(gradient[j], ridges[r] * model.coefficients[j], 1e-8);
            CHECK(model.coefficients[j] == again.coefficients[j]); /* to the bit */
            norm += model.coefficients[j] * model.coefficients[j];
        }
        CHECK_NEAR(gradient[FEATURES], 0, 1e-8);
        CHECK(norm < norm_before); /* more ridge, smaller coefficients */
        norm_before = norm;
    }
}

TEST(logistic_solution_has_no_gradient_left)
{
    ax_test_with_ctx(gradient_body);
}

static void
held_body(struct ax_ctx *ctx)
{
    static double x[ROWS * FEATURES], without[ROWS * 2];
    static uint8_t label[ROWS];
    make_rows(x, label);
    for (int i = 0; i < ROWS; i++) {
        without[i * 2] = x[i * FEATURES];
        without[i * 2 + 1] = x[i * FEATURES + 2];
    }
    const struct ax_logistic_data data = {x, label, ROWS, FEATURES};
    const struct ax_logistic_data rest = {without, label, ROWS, 2};
    const struct ax_logistic_config config = {.non_negative = true}, plain = {};
    struct ax_logistic_model model, want;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_OK);
    CHECK_EQ(ax_logistic_fit(ctx, &rest, &plain, &want), AX_OK);
    CHECK(model.coefficients[1] == 0 && isnan(model.standard_errors[1]));
    CHECK_NEAR(model.coefficients[0], want.coefficients[0], 1e-9);
    CHECK_NEAR(model.coefficients[2], want.coefficients[1], 1e-9);
    CHECK_NEAR(model.intercept, want.intercept, 1e-9);
    CHECK_NEAR(model.standard_errors[2], want.standard_errors[1], 1e-9);
}

TEST(logistic_holds_what_would_turn_negative)
{
    ax_test_with_ctx(held_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    double x[] = {1, 2, 3, 4, 2, 4, 6, 8};
    uint8_t label[] = {0, 0, 1, 1};
    struct ax_logistic_data data = {x, label, 4, 1};
    struct ax_logistic_config config = {.ridge = 0.1};
    struct ax_logistic_model model;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_OK); /* separable, yet finite */
    CHECK(model.converged && isfinite(model.coefficients[0]));
    double twins[] = {1, 1, 2, 2, 3, 3, 4, 4};
    data = (struct ax_logistic_data){twins, label, 4, 2};
    label[1] = 1;
    label[2] = 0;
    config.ridge = 0;
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_INVALID);
    CHECK(strstr(ctx->error, "linearly dependent"));
    x[2] = (double)NAN;
    data = (struct ax_logistic_data){x, label, 4, 2};
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_INVALID);
    CHECK(strstr(ctx->error, "row 1, feature 0"));
    memset(label, 1, sizeof label);
    data = (struct ax_logistic_data){twins, label, 4, 2};
    CHECK_EQ(ax_logistic_fit(ctx, &data, &config, &model), AX_INVALID);
    CHECK(strstr(ctx->error, "both classes"));
}

TEST(logistic_refuses_what_has_no_solution)
{
    ax_test_with_ctx(refused_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const double x[] = {1, 2, 3, 4};
    static const uint8_t label[] = {0, 1, 0, 1};
    const struct ax_logistic_data data = {x, label, 4, 1};
    const struct ax_logistic_config config = {.ridge = 1};
    struct ax_logistic_model model;
    return ax_logistic_fit(ctx, &data, &config, &model);
}

TEST(logistic_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}

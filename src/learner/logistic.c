#include "learner/logistic.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"

enum { ITERATIONS_DEFAULT = 100, HALVINGS_MAX = 40 };

static const double DECREMENT_SHARE = 1e-18;

/* One fit in progress. Index 0 is the intercept, 1 + j the coefficient of feature j. */
struct fit {
    const struct ax_logistic_data *data;
    double ridge;
    size_t size;      /* 1 + feature_count */
    bool *held;       /* coefficients that stay at 0 */
    double *beta;     /* present estimate */
    double *next;     /* the one being tried */
    double *gradient; /* of the penalised log likelihood */
    double *hessian;  /* minus the second derivative, size x size; then its Cholesky factor */
    double *step;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a logistic regression");
}

static double
margin_of(const struct fit *fit, const double *beta, size_t row)
{
    const double *x = fit->data->rows + row * fit->data->feature_count;
    double margin = beta[0];
    for (size_t j = 0; j < fit->data->feature_count; j++)
        margin += beta[1 + j] * x[j];
    return margin;
}

/* Minus the penalised log likelihood: what is made small. */
static double
loss_of(const struct fit *fit, const double *beta)
{
    double loss = 0;
    for (size_t i = 0; i < fit->data->row_count; i++) {
        double margin = margin_of(fit, beta, i);
        double wrong = fit->data->labels[i] ? -margin : margin;
        loss += wrong > 0 ? wrong + log1p(exp(-wrong)) : log1p(exp(wrong));
    }
    for (size_t j = 1; j < fit->size; j++)
        loss += fit->ridge / 2 * beta[j] * beta[j];
    return loss;
}

static void
derive(struct fit *fit)
{
    size_t size = fit->size;
    memset(fit->gradient, 0, size * sizeof *fit->gradient);
    memset(fit->hessian, 0, size * size * sizeof *fit->hessian);
    for (size_t i = 0; i < fit->data->row_count; i++) {
        const double *x = fit->data->rows + i * fit->data->feature_count;
        double p = 1 / (1 + exp(-margin_of(fit, fit->beta, i)));
        double residual = fit->data->labels[i] - p, weight = p * (1 - p);
        for (size_t j = 0; j < size; j++) {
            double xj = j == 0 ? 1 : x[j - 1];
            fit->gradient[j] += residual * xj;
            for (size_t k = 0; k <= j; k++)
                fit->hessian[j * size + k] += weight * xj * (k == 0 ? 1 : x[k - 1]);
        }
    }
    for (size_t j = 0; j < size; j++) {
        if (j > 0) {
            fit->gradient[j] -= fit->ridge * fit->beta[j];
            fit->hessian[j * size + j] += fit->ridge;
        }
        if (!fit->held[j])
            continue;
        /* A held coefficient leaves the system: its row and column become those of 1. */
        fit->gradient[j] = 0;
        for (size_t k = 0; k < size; k++)
            fit->hessian[j > k ? j * size + k : k * size + j] = j == k;
    }
}

/* In place, lower triangle. false when the matrix is not positive definite. */
static bool
factor(double *a, size_t size)
{
    for (size_t j = 0; j < size; j++) {
        double before = a[j * size + j], diagonal = before;
        for (size_t k = 0; k < j; k++)
            diagonal -= a[j * size + k] * a[j * size + k];
        if (!(diagonal > before * 1e-13))
            return false;
        double root = sqrt(diagonal);
        a[j * size + j] = root;
        for (size_t i = j + 1; i < size; i++) {
            double sum = a[i * size + j];
            for (size_t k = 0; k < j; k++)
                sum -= a[i * size + k] * a[j * size + k];
            a[i * size + j] = sum / root;
        }
    }
    return true;
}

/* L L' x = b, in place. */
static void
solve(const double *l, size_t size, double *b)
{
    for (size_t i = 0; i < size; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= l[i * size + k] * b[k];
        b[i] /= l[i * size + i];
    }
    for (size_t i = size; i-- > 0;) {
        for (size_t k = i + 1; k < size; k++)
            b[i] -= l[k * size + i] * b[k];
        b[i] /= l[i * size + i];
    }
}

/* What the step could still win is past the digits of the loss. */
static bool
has_nothing_left(const struct fit *fit, double loss)
{
    double decrement = 0;
    for (size_t j = 0; j < fit->size; j++)
        decrement += fit->gradient[j] * fit->step[j];
    return decrement <= DECREMENT_SHARE * fmax(1, loss);
}

/*
 * One Newton step, shortened until the loss does not rise. Whether it was the last: no coefficient
 * moved by the tolerance, or (nearly dependent features, where rounding alone moves them) nothing
 * was left to win.
 */
static bool
advance(struct fit *fit, double tolerance, double *loss)
{
    memcpy(fit->step, fit->gradient, fit->size * sizeof *fit->step);
    solve(fit->hessian, fit->size, fit->step);
    bool last = has_nothing_left(fit, *loss);
    double tried = 0;
    for (int halving = 0; halving < HALVINGS_MAX; halving++) {
        double scale = ldexp(1.0, -halving);
        for (size_t j = 0; j < fit->size; j++)
            fit->next[j] = fit->beta[j] + scale * fit->step[j];
        tried = loss_of(fit, fit->next);
        if (tried <= *loss + 1e-12 * fabs(*loss))
            break;
    }
    double largest = 0;
    for (size_t j = 0; j < fit->size; j++) {
        largest = fmax(largest, fabs(fit->next[j] - fit->beta[j]));
        fit->beta[j] = fit->next[j];
    }
    *loss = tried;
    return last || largest < tolerance;
}

/* Newton's method from the present estimate; the factor of the last Hessian stays in fit. */
static ax_status
converge(struct ax_ctx *ctx, struct fit *fit, const struct ax_logistic_config *config,
         struct ax_logistic_model *model)
{
    double tolerance = config->tolerance > 0 ? config->tolerance : 1e-10;
    int iteration_max = config->iteration_max > 0 ? config->iteration_max : ITERATIONS_DEFAULT;
    double loss = loss_of(fit, fit->beta);
    model->converged = false;
    for (int i = 0; i < iteration_max && !model->converged; i++) {
        derive(fit);
        if (!factor(fit->hessian, fit->size))
            return ax_fail(ctx, AX_INVALID,
                           "the features are linearly dependent; a ridge above 0 "
                           "makes the regression solvable");
        model->converged = advance(fit, tolerance, &loss);
        model->iterations++;
    }
    derive(fit);
    if (!factor(fit->hessian, fit->size))
        return ax_fail(ctx, AX_INVALID,
                       "the regression has no finite solution; a ridge above 0 "
                       "gives it one");
    return AX_OK;
}

/* The most negative coefficient is held at 0. false when there is none. */
static bool
hold_worst(struct fit *fit)
{
    size_t worst = 0;
    for (size_t j = 1; j < fit->size; j++) {
        if (!fit->held[j] && fit->beta[j] < (worst ? fit->beta[worst] : 0))
            worst = j;
    }
    if (worst == 0)
        return false;
    fit->held[worst] = true;
    fit->beta[worst] = 0;
    return true;
}

static ax_status
check(struct ax_ctx *ctx, const struct ax_logistic_data *data)
{
    size_t events = 0;
    for (size_t i = 0; i < data->row_count; i++)
        events += data->labels[i];
    if (events == 0 || events == data->row_count)
        return ax_fail(ctx, AX_INVALID, "of %zu rows %zu have the event; both classes are needed",
                       data->row_count, events);
    for (size_t i = 0; i < data->row_count * data->feature_count; i++) {
        if (!isfinite(data->rows[i]))
            return ax_fail(ctx, AX_INVALID, "row %zu, feature %zu is not a finite number",
                           i / data->feature_count, i % data->feature_count);
    }
    return AX_OK;
}

static bool
make_fit(struct ax_arena *arena, const struct ax_logistic_data *data, struct fit *fit)
{
    size_t cells = 0;
    fit->data = data;
    fit->size = data->feature_count + 1;
    if (!ax_mul(fit->size, fit->size, &cells))
        return false;
    fit->held = AX_NEW_ARRAY(arena, bool, fit->size);
    fit->beta = AX_NEW_ARRAY(arena, double, fit->size);
    fit->next = AX_NEW_ARRAY(arena, double, fit->size);
    fit->gradient = AX_NEW_ARRAY(arena, double, fit->size);
    fit->step = AX_NEW_ARRAY(arena, double, fit->size);
    fit->hessian = AX_NEW_ARRAY(arena, double, cells);
    return fit->held && fit->beta && fit->next && fit->gradient && fit->step && fit->hessian;
}

/* Roots of the diagonal of the inverse Hessian, coefficients first, then the intercept. */
static void
standard_errors(struct fit *fit, double *out_errors)
{
    for (size_t j = 0; j < fit->size; j++) {
        memset(fit->step, 0, fit->size * sizeof *fit->step);
        fit->step[j] = 1;
        solve(fit->hessian, fit->size, fit->step);
        double error = fit->held[j] ? (double)NAN : sqrt(fit->step[j]);
        out_errors[j == 0 ? fit->size - 1 : j - 1] = error;
    }
}

ax_status
ax_logistic_fit(struct ax_ctx *ctx, const struct ax_logistic_data *data,
                const struct ax_logistic_config *config, struct ax_logistic_model *out_model)
{
    AX_ASSERT(config->ridge >= 0);
    AX_TRY(check(ctx, data));
    struct fit fit = {.ridge = config->ridge};
    struct ax_logistic_model model = {};
    if (!make_fit(ctx->arena, data, &fit))
        return no_memory(ctx);
    model.standard_errors = AX_NEW_ARRAY(ctx->arena, double, fit.size);
    if (!model.standard_errors)
        return no_memory(ctx);
    do {
        AX_TRY(converge(ctx, &fit, config, &model));
    } while (config->non_negative && hold_worst(&fit));
    standard_errors(&fit, model.standard_errors);
    model.intercept = fit.beta[0];
    model.coefficients = fit.beta + 1;
    double penalty = 0;
    for (size_t j = 1; j < fit.size; j++)
        penalty += fit.ridge / 2 * fit.beta[j] * fit.beta[j];
    model.deviance = 2 * (loss_of(&fit, fit.beta) - penalty);
    *out_model = model;
    return AX_OK;
}

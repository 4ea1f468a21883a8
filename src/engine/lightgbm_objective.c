#include "engine/lightgbm_objective.h"

#include <math.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/number.h"
#include "engine/lightgbm_text.h"

enum { POWER_MAX = 22, SHOWN_BYTES_MAX = 64 };

/* What an objective allows beside its name. */
enum {
    ONE_OUTPUT = 1 << 0,  /* a single tree an iteration */
    CLASSES = 1 << 1,     /* `num_class:` is the number of outputs */
    HAS_SIGMOID = 1 << 2, /* `sigmoid:` scales the margin */
    HAS_SQRT = 1 << 3,    /* ` sqrt` squares it back */
};

static const struct {
    ax_str name;
    enum ax_lightgbm_transform transform;
    unsigned traits;
} objectives[] = {
    {AX_STR("regression"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("regression_l2"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("regression_l1"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("huber"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT},
    {AX_STR("fair"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("quantile"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("mape"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT | HAS_SQRT},
    {AX_STR("poisson"), AX_LIGHTGBM_EXP, ONE_OUTPUT},
    {AX_STR("gamma"), AX_LIGHTGBM_EXP, ONE_OUTPUT},
    {AX_STR("tweedie"), AX_LIGHTGBM_EXP, ONE_OUTPUT},
    {AX_STR("binary"), AX_LIGHTGBM_SIGMOID, ONE_OUTPUT | HAS_SIGMOID},
    {AX_STR("multiclass"), AX_LIGHTGBM_SOFTMAX, CLASSES},
    {AX_STR("softmax"), AX_LIGHTGBM_SOFTMAX, CLASSES},
    {AX_STR("multiclassova"), AX_LIGHTGBM_SIGMOID, CLASSES | HAS_SIGMOID},
    {AX_STR("cross_entropy"), AX_LIGHTGBM_SIGMOID, ONE_OUTPUT},
    {AX_STR("xentropy"), AX_LIGHTGBM_SIGMOID, ONE_OUTPUT},
    {AX_STR("cross_entropy_lambda"), AX_LIGHTGBM_LOG1P_EXP, ONE_OUTPUT},
    {AX_STR("xentlambda"), AX_LIGHTGBM_LOG1P_EXP, ONE_OUTPUT},
    {AX_STR("lambdarank"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT},
    {AX_STR("rank_xendcg"), AX_LIGHTGBM_IDENTITY, ONE_OUTPUT},
    {AX_STR("custom"), AX_LIGHTGBM_IDENTITY, 0},
    {AX_STR("none"), AX_LIGHTGBM_IDENTITY, 0},
    {AX_STR(""), AX_LIGHTGBM_IDENTITY, 0},
};

/* ---- numbers as LightGBM's Atof reads them ---- */

static double
power_of_ten(size_t exponent)
{
    double power = 1;
    for (size_t i = 0; i < exponent; i++)
        power *= 10;
    return power;
}

/*
 * Its digits before and after the point are rounded apart and added: for 1.7 that is another
 * double than the nearest one. With an exponent, or more digits than it writes, the nearest.
 */
static bool
parse_atof(ax_str text, double *out)
{
    ax_str places = text, whole_text = {};
    double whole = 0, fraction = 0, nearest = 0;
    if (!ax_parse_f64(text, &nearest) || !isfinite(nearest) || nearest < 0)
        return false;
    *out = nearest;
    if (!ax_str_cut(&places, '.', &whole_text) || !places.at || places.len > POWER_MAX ||
        !ax_parse_f64(whole_text, &whole) || !ax_parse_f64(places, &fraction))
        return true;
    if (ax_str_find(places, AX_STR("e")) == SIZE_MAX &&
        ax_str_find(places, AX_STR("E")) == SIZE_MAX)
        *out = whole + fraction / power_of_ten(places.len);
    return true;
}

/* ---- parsing ---- */

static ax_status
read_word(struct ax_ctx *ctx, ax_str word, unsigned traits, size_t output_count,
          struct ax_lightgbm_objective *objective)
{
    int64_t classes = 0;
    if (ax_str_eq(word, AX_STR("sqrt")) && traits & HAS_SQRT)
        objective->transform = AX_LIGHTGBM_SQUARE;
    if (traits & HAS_SIGMOID && ax_str_starts(word, AX_STR("sigmoid:")) &&
        (!parse_atof(ax_str_from(word, strlen("sigmoid:")), &objective->sigmoid) ||
         !(objective->sigmoid > 0)))
        return ax_fail(ctx, AX_INVALID, "`objective` says `%.*s`; expected a number above 0",
                       word.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)word.len, word.at);
    if (!(traits & CLASSES) || !ax_str_starts(word, AX_STR("num_class:")))
        return AX_OK;
    if (!ax_parse_i64(ax_str_from(word, strlen("num_class:")), &classes) || classes < 1 ||
        (uint64_t)classes != output_count)
        return ax_fail(ctx, AX_INVALID, "`objective` says `%.*s`, `num_tree_per_iteration` %zu",
                       word.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)word.len, word.at,
                       output_count);
    return AX_OK;
}

ax_status
ax_lightgbm_objective_parse(struct ax_ctx *ctx, ax_str text, size_t output_count,
                            struct ax_lightgbm_objective *out_objective)
{
    struct ax_lightgbm_objective objective = {.sigmoid = 1, .rounds = 1};
    unsigned traits = 0;
    ax_str name = {}, word;
    ax_lightgbm_word(&text, &name);
    for (size_t i = 0; i < AX_COUNT_OF(objectives); i++) {
        if (!ax_str_eq(objectives[i].name, name))
            continue;
        objective.known = true;
        objective.transform = objectives[i].transform;
        traits = objectives[i].traits;
    }
    if (traits & ONE_OUTPUT && output_count != 1)
        return ax_fail(ctx, AX_INVALID,
                       "`objective` %.*s has one output, `num_tree_per_iteration` is %zu",
                       AX_FMT(name), output_count);
    while (ax_lightgbm_word(&text, &word))
        AX_TRY(read_word(ctx, word, traits, output_count, &objective));
    *out_objective = objective;
    return AX_OK;
}

/* ---- margin to response ---- */

static void
softmax(double *values, size_t count)
{
    double largest = values[0], sum = 0;
    for (size_t k = 1; k < count; k++)
        largest = values[k] > largest ? values[k] : largest;
    for (size_t k = 0; k < count; k++) {
        values[k] = exp(values[k] - largest);
        sum += values[k];
    }
    for (size_t k = 0; k < count; k++)
        values[k] /= sum;
}

static double
respond_one(const struct ax_lightgbm_objective *objective, double x)
{
    switch (objective->transform) {
    case AX_LIGHTGBM_SQUARE:
        return (double)((x > 0) - (x < 0)) * x * x;
    case AX_LIGHTGBM_EXP:
        return exp(x);
    case AX_LIGHTGBM_SIGMOID:
        return 1.0 / (1.0 + exp(-objective->sigmoid * x));
    case AX_LIGHTGBM_LOG1P_EXP:
        return log1p(exp(x));
    case AX_LIGHTGBM_SOFTMAX:
    case AX_LIGHTGBM_IDENTITY:
        break;
    }
    return x;
}

void
ax_lightgbm_objective_respond(const void *objective_at, const double *margin, size_t margin_count,
                              double *out)
{
    const struct ax_lightgbm_objective *objective = objective_at;
    AX_ASSERT(margin_count > 0);
    for (size_t k = 0; k < margin_count; k++)
        out[k] = respond_one(objective, margin[k] / objective->rounds);
    if (objective->transform == AX_LIGHTGBM_SOFTMAX)
        softmax(out, margin_count);
}

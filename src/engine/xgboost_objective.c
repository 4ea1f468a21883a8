#include "engine/xgboost_objective.h"

#include <math.h>

#include "base/assert.h"

enum { VERSION_SORTED = 304, VERSION_CLAMPED = 304, VERSION_EXPECTILE = 303 };

static const struct {
    ax_str name;
    enum ax_xgboost_objective objective;
} objectives[] = {
    {AX_STR("binary:logistic"), AX_XGBOOST_LOGISTIC},
    {AX_STR("reg:logistic"), AX_XGBOOST_LOGISTIC},
    {AX_STR("binary:logitraw"), AX_XGBOOST_IDENTITY},
    {AX_STR("binary:hinge"), AX_XGBOOST_HINGE},
    {AX_STR("reg:squarederror"), AX_XGBOOST_IDENTITY},
    {AX_STR("reg:linear"), AX_XGBOOST_IDENTITY},
    {AX_STR("reg:squaredlogerror"), AX_XGBOOST_IDENTITY},
    {AX_STR("reg:absoluteerror"), AX_XGBOOST_IDENTITY},
    {AX_STR("reg:pseudohubererror"), AX_XGBOOST_IDENTITY},
    {AX_STR("reg:quantileerror"), AX_XGBOOST_SORTED},
    {AX_STR("reg:expectileerror"), AX_XGBOOST_EXPECTILE},
    {AX_STR("rank:pairwise"), AX_XGBOOST_IDENTITY},
    {AX_STR("rank:ndcg"), AX_XGBOOST_IDENTITY},
    {AX_STR("rank:map"), AX_XGBOOST_IDENTITY},
    {AX_STR("multi:softprob"), AX_XGBOOST_SOFTPROB},
    {AX_STR("multi:softmax"), AX_XGBOOST_SOFTMAX},
    {AX_STR("count:poisson"), AX_XGBOOST_EXP},
    {AX_STR("reg:gamma"), AX_XGBOOST_EXP},
    {AX_STR("reg:tweedie"), AX_XGBOOST_EXP},
    {AX_STR("survival:cox"), AX_XGBOOST_EXP},
    {AX_STR("survival:aft"), AX_XGBOOST_EXP},
};

enum ax_xgboost_objective
ax_xgboost_objective_find(ax_str name, int version, bool *out_known)
{
    *out_known = true;
    for (size_t i = 0; i < AX_COUNT_OF(objectives); i++) {
        if (!ax_str_eq(objectives[i].name, name))
            continue;
        if (objectives[i].objective == AX_XGBOOST_SORTED && version < VERSION_SORTED)
            return AX_XGBOOST_IDENTITY;
        if (objectives[i].objective == AX_XGBOOST_EXPECTILE && version < VERSION_EXPECTILE)
            return AX_XGBOOST_IDENTITY;
        return objectives[i].objective;
    }
    *out_known = false;
    return AX_XGBOOST_IDENTITY;
}

size_t
ax_xgboost_objective_responses(enum ax_xgboost_objective objective, size_t margin_count)
{
    return objective == AX_XGBOOST_SOFTMAX ? 1 : margin_count;
}

/* ---- base score to margin ---- */

static float
logit(float p, int version)
{
    if (version >= VERSION_CLAMPED)
        p = fminf(fmaxf(p, 1e-6f), 1.0f - 1e-6f);
    return -logf(1.0f / p - 1.0f);
}

static float
softplus_inverse(float x)
{
    x = fmaxf(x, 1e-6f);
    return x + logf(-expm1f(-x));
}

ax_status
ax_xgboost_objective_base(struct ax_ctx *ctx, enum ax_xgboost_objective objective, int version,
                          float *scores, size_t count)
{
    for (size_t k = count; objective == AX_XGBOOST_EXPECTILE && k-- > 1;)
        scores[k] = softplus_inverse(scores[k] - scores[k - 1] - 1e-6f);
    for (size_t k = 0; k < count; k++) {
        float score = scores[k];
        if (objective == AX_XGBOOST_LOGISTIC)
            scores[k] = logit(score, version);
        else if (objective == AX_XGBOOST_EXP)
            scores[k] = logf(score);
        if (!isfinite(scores[k]))
            return ax_fail(ctx, AX_INVALID, "`base_score` %g has no finite margin", (double)score);
    }
    return AX_OK;
}

/* ---- margin to response ---- */

static float
sigmoid(float margin)
{
    return 1.0f / (expf(fminf(-margin, 88.7f)) + 1.0f);
}

static size_t
first_largest(const double *margin, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        if (margin[k] > margin[best])
            best = k;
    return best;
}

static void
softmax(const double *margin, size_t count, double *out)
{
    float largest = (float)margin[first_largest(margin, count)];
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        out[k] = (double)expf((float)margin[k] - largest);
        sum += out[k];
    }
    for (size_t k = 0; k < count; k++)
        out[k] = (double)((float)out[k] / (float)sum);
}

static void
sort_ascending(const double *margin, size_t count, double *out)
{
    for (size_t k = 0; k < count; k++) {
        size_t at = k;
        for (; at > 0 && out[at - 1] > margin[k]; at--)
            out[at] = out[at - 1];
        out[at] = margin[k];
    }
}

static float
softplus(float x)
{
    return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
}

static void
expectiles(const double *margin, size_t count, double *out)
{
    float above = (float)margin[0];
    out[0] = margin[0];
    for (size_t k = 1; k < count; k++) {
        above += 1e-6f + softplus((float)margin[k]);
        out[k] = (double)above;
    }
}

void
ax_xgboost_objective_respond(int objective, const double *margin, size_t margin_count, double *out)
{
    AX_ASSERT(margin_count > 0);
    switch ((enum ax_xgboost_objective)objective) {
    case AX_XGBOOST_SOFTPROB:
        softmax(margin, margin_count, out);
        return;
    case AX_XGBOOST_SOFTMAX:
        out[0] = (double)first_largest(margin, margin_count);
        return;
    case AX_XGBOOST_SORTED:
        sort_ascending(margin, margin_count, out);
        return;
    case AX_XGBOOST_EXPECTILE:
        expectiles(margin, margin_count, out);
        return;
    case AX_XGBOOST_LOGISTIC:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = (double)sigmoid((float)margin[k]);
        return;
    case AX_XGBOOST_EXP:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = (double)expf((float)margin[k]);
        return;
    case AX_XGBOOST_HINGE:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = margin[k] > 0 ? 1 : 0;
        return;
    case AX_XGBOOST_IDENTITY:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = margin[k];
        return;
    }
}

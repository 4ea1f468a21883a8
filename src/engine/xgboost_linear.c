#include "engine/xgboost_linear.h"

#include <math.h>

#include "base/assert.h"
#include "engine/scratch.h"

struct linear_engine {
    struct ax_engine engine;
    size_t feature_count, output_count;
    enum ax_xgboost_objective objective;
    float base;           /* of every output: the booster knows one only */
    const float *weights; /* [feature][output], then the biases */
};

struct linear_background {
    struct ax_engine_background background;
    double *means; /* of each feature; missing counts as nothing */
};

static const struct linear_engine *
of_engine(const struct ax_engine *engine)
{
    return (const struct linear_engine *)engine;
}

static float
weight(const struct linear_engine *engine, size_t feature, size_t output)
{
    return engine->weights[feature * engine->output_count + output];
}

/* ---- scoring ---- */

static size_t
linear_scratch_bytes(const struct ax_engine *engine, unsigned outputs,
                     const struct ax_engine_background *background)
{
    (void)outputs;
    (void)background;
    const struct linear_engine *linear = of_engine(engine);
    return ax_scratch_bytes(sizeof(double), linear->feature_count) +
           ax_scratch_bytes(sizeof(double), linear->output_count);
}

static void
margins(const struct linear_engine *engine, const double *row, double *out)
{
    for (size_t k = 0; k < engine->output_count; k++) {
        float sum = weight(engine, engine->feature_count, k) + engine->base;
        for (size_t f = 0; f < engine->feature_count; f++)
            if (!isnan(row[f]))
                sum += (float)row[f] * weight(engine, f, k);
        out[k] = (double)sum;
    }
}

static void
contributions(const struct linear_engine *engine, const double *means, const double *row,
              double *out)
{
    size_t stride = engine->feature_count + 1;
    for (size_t k = 0; k < engine->output_count; k++) {
        double bias = (double)weight(engine, engine->feature_count, k) + (double)engine->base;
        for (size_t f = 0; f < engine->feature_count; f++) {
            double w = (double)weight(engine, f, k), mean = means ? means[f] : 0;
            out[k * stride + f] = w * ((isnan(row[f]) ? 0 : row[f]) - mean);
            bias += w * mean;
        }
        out[k * stride + stride - 1] = bias;
    }
}

static ax_status
linear_score(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call,
             void *scratch, const struct ax_engine_answer *answer)
{
    (void)ctx;
    const struct linear_engine *engine = of_engine(base);
    const struct linear_background *background = (const struct linear_background *)call->background;
    size_t outputs = engine->output_count, responses = base->signature.response_count;
    double *row = ax_scratch_take(&scratch, sizeof *row, engine->feature_count);
    double *margin = ax_scratch_take(&scratch, sizeof *margin, outputs);
    for (size_t i = 0; i < call->rows.count; i++) {
        ax_engine_row(&call->rows, i, engine->feature_count, AX_ENGINE_F32, row);
        margins(engine, row, margin);
        if (call->outputs & AX_ENGINE_MARGIN)
            memcpy(answer->margin + i * outputs, margin, outputs * sizeof *margin);
        if (call->outputs & AX_ENGINE_RESPONSE)
            ax_xgboost_objective_respond((int)engine->objective, margin, outputs,
                                         answer->response + i * responses);
        if (call->outputs & AX_ENGINE_CONTRIBUTIONS)
            contributions(engine, background ? background->means : NULL, row,
                          answer->contributions + i * outputs * (engine->feature_count + 1));
    }
    return AX_OK;
}

static ax_status
linear_background_open(const struct ax_engine *engine, struct ax_ctx *ctx,
                       const struct ax_engine_rows *rows, struct ax_arena *arena,
                       struct ax_engine_background **out_background)
{
    size_t count = of_engine(engine)->feature_count;
    struct linear_background *background = AX_NEW(arena, struct linear_background);
    double *row = AX_NEW_ARRAY(arena, double, count);
    if (!background || !row || !(background->means = AX_NEW_ARRAY(arena, double, count)))
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu means", count);
    for (size_t i = 0; i < rows->count; i++) {
        ax_engine_row(rows, i, count, AX_ENGINE_F32, row);
        for (size_t f = 0; f < count; f++)
            background->means[f] += isnan(row[f]) ? 0 : row[f];
    }
    for (size_t f = 0; f < count; f++)
        background->means[f] /= (double)rows->count;
    *out_background = &background->background;
    return AX_OK;
}

static ax_status
linear_thresholds(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                  const double **out_thresholds, size_t *out_count)
{
    static const double none[1];
    (void)engine;
    (void)ctx;
    (void)feature;
    *out_thresholds = none;
    *out_count = 0;
    return AX_OK;
}

static const struct ax_engine_ops ops = {
    .name = "gblinear",
    .scratch_bytes = linear_scratch_bytes,
    .score = linear_score,
    .background_open = linear_background_open,
    .thresholds = linear_thresholds,
    .prepare = ax_engine_prepare_nothing,
    .prepared = ax_engine_prepared_always,
    .made_bytes = ax_engine_made_nothing,
    .mapped_bytes = ax_engine_made_nothing,
    .run = ax_engine_run_unsupported,
};

/* ---- reading ---- */

static ax_status
read_weights(struct ax_ctx *ctx, struct ax_arena *arena, ax_document booster,
             struct linear_engine *engine)
{
    ax_document model = {};
    struct ax_document_f32s weights;
    AX_TRY(ax_document_need_object(ctx, booster, "model", &model));
    AX_TRY(ax_document_need_f32s(ctx, model, "weights", &weights));
    size_t count = (engine->feature_count + 1) * engine->output_count;
    if (weights.count != count)
        return ax_fail(ctx, AX_INVALID, "`weights` has %zu items; expected %zu", weights.count,
                       count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(weights.items[i]))
            return ax_fail(ctx, AX_INVALID, "`weights`[%zu] must be finite", i);
    float *kept = AX_NEW_ARRAY(arena, float, count);
    if (!kept)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu weights", count);
    memcpy(kept, weights.items, count * sizeof *kept);
    engine->weights = kept;
    return AX_OK;
}

ax_status
ax_xgboost_linear_read(struct ax_ctx *ctx, struct ax_arena *arena,
                       const struct ax_xgboost_learner *learner, struct ax_engine **out_engine)
{
    struct linear_engine *engine = AX_NEW(arena, struct linear_engine);
    if (!engine)
        return ax_fail(ctx, AX_LIMIT, "no memory for the engine");
    *engine = (struct linear_engine){
        .engine = {.ops = &ops, .arena = arena, .signature = learner->signature},
        .feature_count = learner->signature.feature_count,
        .output_count = learner->output_count,
        .objective = learner->objective,
        .base = learner->base[0]};
    struct ax_engine_signature *signature = &engine->engine.signature;
    signature->kind = AX_STR("linear");
    signature->margin_count = engine->output_count;
    signature->outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_CONTRIBUTIONS;
    signature->background = true;
    AX_TRY(read_weights(ctx, arena, learner->booster, engine));
    for (size_t f = 0; f < engine->feature_count; f++)
        for (size_t k = 0; k < engine->output_count; k++)
            learner->features[f].split_count += weight(engine, f, k) != 0;
    *out_engine = &engine->engine;
    return AX_OK;
}

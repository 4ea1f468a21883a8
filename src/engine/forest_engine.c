#include "engine/forest_engine.h"

#include "base/assert.h"
#include "base/number.h"
#include "engine/scratch.h"
#include "engine/shap_interaction.h"

struct forest_background {
    struct ax_engine_background background;
    struct ax_shap_kernel shap;
};

static const struct ax_forest_engine *
of_engine(const struct ax_engine *engine)
{
    return (const struct ax_forest_engine *)engine;
}

/* The kernel of a call's contributions. */
static const struct ax_shap_kernel *
shap_of(const struct ax_engine *engine, const struct ax_engine_background *background)
{
    return background ? &((const struct forest_background *)background)->shap
                      : &of_engine(engine)->shap;
}

/* ---- scoring ---- */

/* Numbers of a row's contributions. */
static size_t
width_of(const struct ax_forest *forest)
{
    return forest->output_count * (forest->feature_count + 1);
}

static size_t
forest_scratch_bytes(const struct ax_engine *engine, unsigned outputs,
                     const struct ax_engine_background *background)
{
    const struct ax_forest *forest = &of_engine(engine)->forest;
    size_t bytes = ax_scratch_bytes(sizeof(double), forest->feature_count) +
                   ax_scratch_bytes(sizeof(double), forest->output_count);
    if (outputs & AX_ENGINE_CONTRIBUTIONS)
        bytes += ax_scratch_bytes(sizeof(double), AX_SHAP_BLOCK * forest->feature_count) +
                 ax_shap_kernel_scratch_bytes(shap_of(engine, background));
    if (outputs & AX_ENGINE_INTERACTIONS)
        bytes += ax_scratch_bytes(sizeof(double), width_of(forest)) +
                 ax_shap_kernel_scratch_bytes(shap_of(engine, NULL)) +
                 ax_shap_interaction_scratch_bytes(forest);
    return bytes;
}

static void
score_row(const struct ax_forest_engine *engine, const struct ax_engine_call *call, size_t index,
          const double *row, double *margin, const struct ax_engine_answer *answer)
{
    size_t outputs = engine->forest.output_count;
    int32_t *leaves =
        call->outputs & AX_ENGINE_LEAF ? answer->leaf + index * engine->forest.tree_count : NULL;
    ax_forest_margin(&engine->forest, row, margin, leaves);
    if (call->outputs & AX_ENGINE_MARGIN)
        memcpy(answer->margin + index * outputs, margin, outputs * sizeof *margin);
    if (call->outputs & AX_ENGINE_RESPONSE)
        engine->respond(engine->objective, margin, outputs,
                        answer->response + index * engine->engine.signature.response_count);
}

/* Contributions, a block of rows at a time. */
static void
explain(const struct ax_engine *engine, const struct ax_engine_call *call, void *scratch,
        double *out)
{
    const struct ax_forest *forest = &of_engine(engine)->forest;
    const struct ax_shap_kernel *shap = shap_of(engine, call->background);
    size_t features = forest->feature_count, width = width_of(forest);
    double *rows = ax_scratch_take(&scratch, sizeof *rows, AX_SHAP_BLOCK * features);
    for (size_t first = 0; first < call->rows.count; first += AX_SHAP_BLOCK) {
        size_t left = call->rows.count - first, count = left < AX_SHAP_BLOCK ? left : AX_SHAP_BLOCK;
        for (size_t i = 0; i < count; i++)
            ax_engine_row(&call->rows, first + i, features, engine->signature.input,
                          rows + i * features);
        ax_shap_kernel_rows(shap, rows, count, scratch, out + first * width);
    }
}

/* Interactions of one row; they begin with its contributions. */
static void
relate(const struct ax_forest_engine *engine, const double *row, void *scratch, double *out)
{
    const struct ax_forest *forest = &engine->forest;
    double *contributions = ax_scratch_take(&scratch, sizeof(double), width_of(forest));
    void *kernel = ax_scratch_take(&scratch, 1, ax_shap_kernel_scratch_bytes(&engine->shap));
    ax_shap_kernel_rows(&engine->shap, row, 1, kernel, contributions);
    ax_shap_interaction_row(forest, &engine->shap.points, row, contributions, scratch, out);
}

static ax_status
forest_score(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call,
             void *scratch, const struct ax_engine_answer *answer)
{
    (void)ctx;
    const struct ax_forest_engine *engine = of_engine(base);
    const struct ax_forest *forest = &engine->forest;
    double *row = ax_scratch_take(&scratch, sizeof *row, forest->feature_count);
    double *margin = ax_scratch_take(&scratch, sizeof *margin, forest->output_count);
    unsigned explanations = AX_ENGINE_CONTRIBUTIONS | AX_ENGINE_INTERACTIONS;
    bool scores = call->outputs & ~explanations, pairs = call->outputs & AX_ENGINE_INTERACTIONS;
    for (size_t i = 0; (scores || pairs) && i < call->rows.count; i++) {
        ax_engine_row(&call->rows, i, forest->feature_count, base->signature.input, row);
        if (scores)
            score_row(engine, call, i, row, margin, answer);
        if (pairs)
            relate(engine, row, scratch,
                   answer->interactions + i * width_of(forest) * (forest->feature_count + 1));
    }
    if (call->outputs & AX_ENGINE_CONTRIBUTIONS)
        explain(base, call, scratch, answer->contributions);
    return AX_OK;
}

/* ---- reference populations ---- */

static ax_status
forest_background_open(const struct ax_engine *engine, struct ax_ctx *ctx,
                       const struct ax_engine_rows *rows, struct ax_arena *arena,
                       struct ax_engine_background **out_background)
{
    const struct ax_forest *forest = &of_engine(engine)->forest;
    struct forest_background *background = AX_NEW(arena, struct forest_background);
    size_t cells;
    double *values = ax_mul(rows->count, forest->feature_count, &cells)
                         ? AX_NEW_ARRAY(arena, double, cells)
                         : NULL;
    if (!background || !values)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows of %zu", rows->count,
                       forest->feature_count);
    for (size_t i = 0; i < rows->count; i++)
        ax_engine_row(rows, i, forest->feature_count, engine->signature.input,
                      values + i * forest->feature_count);
    const struct ax_shap_kernel_config config = {.level = of_engine(engine)->level,
                                                 .population = {values, rows->count}};
    AX_TRY(ax_shap_kernel_prepare(forest, ctx, &config, arena, &background->shap));
    *out_background = &background->background;
    return AX_OK;
}

/* ---- what the trees look at ---- */

static bool
is_split_on(const struct ax_forest_node *node, size_t feature)
{
    return node->left >= 0 && (size_t)node->feature == feature;
}

static ax_status
forest_thresholds(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                  const double **out_thresholds, size_t *out_count)
{
    const struct ax_forest *forest = &of_engine(engine)->forest;
    size_t room = engine->signature.features[feature].split_count, count = 0;
    double *thresholds = AX_NEW_ARRAY(ctx->arena, double, room);
    if (!thresholds)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu thresholds", room);
    for (size_t t = 0; t < forest->tree_count; t++)
        for (uint32_t n = 0; n < forest->trees[t].node_count; n++) {
            const struct ax_forest_node *node = &forest->trees[t].nodes[n];
            if (is_split_on(node, feature) && !(node->flags & AX_FOREST_CATEGORICAL))
                thresholds[count++] = node->threshold;
        }
    *out_thresholds = thresholds;
    *out_count = ax_engine_sort_unique(thresholds, count);
    return AX_OK;
}

static const struct ax_engine_ops ops = {
    .name = "forest",
    .scratch_bytes = forest_scratch_bytes,
    .score = forest_score,
    .background_open = forest_background_open,
    .thresholds = forest_thresholds,
    .run = ax_engine_run_unsupported,
};

/* All numeric thresholds, a run for each feature; starts: feature_count + 1 of them. */
static void
gather_thresholds(const struct ax_forest *forest, size_t *starts, double *out)
{
    for (size_t t = 0; t < forest->tree_count; t++)
        for (uint32_t n = 0; n < forest->trees[t].node_count; n++) {
            const struct ax_forest_node *node = &forest->trees[t].nodes[n];
            if (node->left >= 0 && !(node->flags & AX_FOREST_CATEGORICAL))
                out[starts[node->feature]++] = node->threshold;
        }
}

static ax_status
count_splits(const struct ax_forest *forest, struct ax_ctx *ctx, struct ax_engine_feature *features)
{
    size_t *starts = AX_NEW_ARRAY(ctx->arena, size_t, forest->feature_count + 1);
    double *values = AX_NEW_ARRAY(ctx->arena, double, forest->node_count);
    if (!starts || !values)
        return ax_fail(ctx, AX_LIMIT, "no memory to count thresholds");
    for (size_t t = 0; t < forest->tree_count; t++)
        for (uint32_t n = 0; n < forest->trees[t].node_count; n++) {
            const struct ax_forest_node *node = &forest->trees[t].nodes[n];
            if (node->left < 0)
                continue;
            features[node->feature].split_count++;
            if (node->flags & AX_FOREST_CATEGORICAL)
                features[node->feature].categorical = true;
            else
                features[node->feature].threshold_count++;
        }
    for (size_t f = 0; f < forest->feature_count; f++)
        starts[f + 1] = starts[f] + features[f].threshold_count;
    gather_thresholds(forest, starts, values);
    for (size_t f = 0, from = 0; f < forest->feature_count; f++) {
        size_t count = features[f].threshold_count;
        features[f].threshold_count = ax_engine_sort_unique(values + from, count);
        from += count;
    }
    return AX_OK;
}

static ax_status
prepare_explanations(struct ax_forest_engine *engine, struct ax_ctx *ctx)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    struct ax_forest *forest = &engine->forest;
    if (!ax_shap_fits(forest))
        return ax_engine_note(&engine->engine, ctx,
                              "no contributions: %u splits and %u features on one path, at most "
                              "%d and %d are explained",
                              forest->depth_max, forest->feature_max, (int)AX_SHAP_DEPTH_MAX,
                              (int)AX_SHAP_FEATURES_MAX);
    signature->background = true;
    if (!forest->covers)
        return ax_engine_note(&engine->engine, ctx,
                              "the file has no cover of its nodes: contributions need a reference "
                              "population");
    signature->outputs |= AX_ENGINE_CONTRIBUTIONS | AX_ENGINE_INTERACTIONS;
    return AX_OK;
}

ax_status
ax_forest_engine_finish(struct ax_forest_engine *engine, struct ax_ctx *ctx,
                        struct ax_engine_feature *features)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    const struct ax_forest *forest = &engine->forest;
    AX_ASSERT(engine->respond && signature->feature_count == forest->feature_count);
    engine->engine.ops = &ops;
    signature->kind = AX_STR("trees");
    signature->features = features;
    signature->margin_count = forest->output_count;
    signature->outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_LEAF;
    signature->tree_count = forest->tree_count;
    signature->node_count = forest->node_count;
    signature->leaf_count = forest->leaf_count;
    signature->depth_max = forest->depth_max;
    AX_TRY(count_splits(forest, ctx, features));
    return prepare_explanations(engine, ctx);
}

ax_status
ax_forest_engine_compile(struct ax_engine *base, struct ax_ctx *ctx,
                         const struct ax_engine_config *config, size_t bytes_max)
{
    if (base->ops != &ops)
        return AX_OK;
    struct ax_forest_engine *engine = (struct ax_forest_engine *)base;
    engine->level = config->level;
    if (!(base->signature.outputs & AX_ENGINE_CONTRIBUTIONS))
        return AX_OK;
    const struct ax_shap_kernel_config shap = {.level = config->level, .bytes_max = bytes_max};
    return ax_shap_kernel_prepare(&engine->forest, ctx, &shap, base->arena, &engine->shap);
}

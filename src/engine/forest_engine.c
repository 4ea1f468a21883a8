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

/* Explanations by cover, made when they are first asked for. */
struct forest_shap {
    struct ax_shap_kernel kernel;
    struct ax_arena *arena; /* holds it */
};

/* The kernel of a call's contributions; by cover it has been made. */
static const struct ax_shap_kernel *
shap_of(const struct ax_engine *engine, const struct ax_engine_background *background)
{
    if (background)
        return &((const struct forest_background *)background)->shap;
    const struct forest_shap *made = ax_once_get(of_engine(engine)->shap);
    AX_ASSERT(made);
    return &made->kernel;
}

/* Scratch of a call's contributions; by cover it is the most that it can be. */
static size_t
shap_scratch_bytes(const struct ax_engine *engine, const struct ax_engine_background *background)
{
    return background ? ax_shap_kernel_scratch_bytes(shap_of(engine, background))
                      : of_engine(engine)->shap_scratch_bytes;
}

/* Where forms of this model are kept; NULL: nowhere. */
static const struct ax_forms_of_model *
forms_of(const struct ax_forest_engine *engine)
{
    return engine->forms.forms ? &engine->forms : NULL;
}

/* ---- kernels ---- */

enum { WORK_BYTES = 64 << 20, WORK_BYTES_PER_NODE = 2048 }; /* while compiling */

static void
compiled_free(void *arena)
{
    ax_arena_free(arena);
}

static ax_status
compile(struct ax_forest_engine *engine, struct ax_ctx *ctx, struct ax_arena *arena)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    AX_TRY(ax_forest_scorer_init(ctx, &engine->forest, &engine->config, arena,
                                 engine->forms_bytes_max, &engine->scorer));
    ax_forest_scorer_describe(&engine->scorer, signature);
    if (!engine->shap)
        return AX_OK;
    return ax_shap_kernel_scratch_max(&engine->forest, ctx, &engine->shap_scratch_bytes);
}

/* With working memory of its own: a model that could be read shall not fail for its kernels. */
static ax_status
compile_apart(struct ax_forest_engine *engine, struct ax_ctx *ctx, struct ax_arena **out_arena)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SIZE_MAX);
    ax_auto(ax_arena_free) struct ax_arena *work =
        ax_arena_new(WORK_BYTES + engine->forest.node_count * WORK_BYTES_PER_NODE);
    if (!arena || !work)
        return ax_fail(ctx, AX_LIMIT, "no memory to compile a forest");
    struct ax_arena *callers = ctx->arena;
    ctx->arena = work;
    ax_status status = compile(engine, ctx, arena);
    ctx->arena = callers;
    if (status == AX_OK)
        *out_arena = ax_take(arena); /* what was made lives in it */
    return status;
}

/* The engine's own thread that makes may write what others read once it is made. */
static ax_status
prepare_scorer(const struct ax_forest_engine *engine, struct ax_ctx *ctx)
{
    struct ax_arena *arena = NULL;
    if (ax_once_get(engine->compiled) || ax_once_begin(engine->compiled))
        return AX_OK;
    ax_status status = compile_apart((struct ax_forest_engine *)(uintptr_t)engine, ctx, &arena);
    ax_once_end(engine->compiled, status == AX_OK ? arena : NULL);
    return status;
}

/* Whether the scorer and the scratch of explanations are known, after trying. */
static bool
has_scorer(const struct ax_forest_engine *engine)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    return prepare_scorer(engine, &ctx) == AX_OK;
}

/* ---- scoring ---- */

enum { BLOCK_ROWS = 512, BLOCK_ROWS_LEAST = 64, BLOCK_BYTES = 1 << 18 };

/* Rows that are put into the kernels' shape at a time. */
static size_t
block_rows(const struct ax_forest *forest)
{
    size_t cells = forest->feature_count + forest->output_count;
    size_t rows = BLOCK_BYTES / (cells * sizeof(double));
    rows -= rows % BLOCK_ROWS_LEAST;
    return rows > BLOCK_ROWS ? BLOCK_ROWS : rows < BLOCK_ROWS_LEAST ? BLOCK_ROWS_LEAST : rows;
}

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
    size_t rows = block_rows(forest);
    if (!has_scorer(of_engine(engine)))
        return SIZE_MAX / 2; /* no memory for the kernels: nobody has so much either */
    size_t bytes = ax_scratch_bytes(sizeof(double), forest->feature_count) +
                   ax_scratch_bytes(sizeof(double), rows * forest->feature_count) +
                   ax_scratch_bytes(sizeof(double), rows * forest->output_count) +
                   ax_scratch_bytes(1, of_engine(engine)->scorer.scratch_bytes);
    if (outputs & AX_ENGINE_CONTRIBUTIONS)
        bytes += ax_scratch_bytes(sizeof(double), AX_SHAP_BLOCK * forest->feature_count) +
                 shap_scratch_bytes(engine, background);
    if (outputs & AX_ENGINE_INTERACTIONS)
        bytes += ax_scratch_bytes(sizeof(double), width_of(forest)) +
                 ax_scratch_bytes(1, shap_scratch_bytes(engine, NULL)) +
                 ax_shap_interaction_scratch_bytes(forest);
    return bytes;
}

/* A call's scratch, cut. */
struct pieces {
    double *row;
    void *block; /* rows in the kernels' shape */
    double *margin;
    void *kernel;
    void *rest; /* contributions' */
};

static struct pieces
pieces_of(const struct ax_forest_engine *engine, void *scratch)
{
    const struct ax_forest *forest = &engine->forest;
    size_t rows = block_rows(forest);
    struct pieces pieces;
    pieces.row = ax_scratch_take(&scratch, sizeof(double), forest->feature_count);
    pieces.block = ax_scratch_take(&scratch, sizeof(double), rows * forest->feature_count);
    pieces.margin = ax_scratch_take(&scratch, sizeof(double), rows * forest->output_count);
    pieces.kernel = ax_scratch_take(&scratch, 1, engine->scorer.scratch_bytes);
    pieces.rest = scratch;
    return pieces;
}

/* What the objective makes of one row's margins. */
static void
respond(const struct ax_forest_engine *engine, const double *margin, double *out)
{
    if (engine->respond_by)
        engine->respond_by(engine->parameters, margin, engine->forest.output_count, out);
    else
        engine->respond(engine->objective, margin, engine->forest.output_count, out);
}

/* One row, when its leaves are wanted too: the walk alone knows them. */
static void
score_row(const struct ax_forest_engine *engine, const struct ax_engine_call *call, size_t index,
          const struct pieces *pieces, const struct ax_engine_answer *answer)
{
    size_t outputs = engine->forest.output_count;
    int32_t *leaves = answer->leaf + index * engine->forest.tree_count;
    if (call->mode == AX_ENGINE_FAST)
        ax_forest_margin_fast(&engine->forest, pieces->row, pieces->margin, leaves);
    else
        ax_forest_margin(&engine->forest, pieces->row, pieces->margin, leaves);
    if (call->outputs & AX_ENGINE_MARGIN)
        memcpy(answer->margin + index * outputs, pieces->margin, outputs * sizeof(double));
    if (call->outputs & AX_ENGINE_RESPONSE)
        respond(engine, pieces->margin,
                answer->response + index * engine->engine.signature.response_count);
}

static size_t
cell_bytes(enum ax_engine_type type)
{
    return type == AX_ENGINE_F32 ? sizeof(float) : sizeof(double);
}

/* Whether the kernels may read the caller's rows where they lie. */
static bool
rows_fit(const struct ax_engine_rows *rows, enum ax_engine_type input)
{
    size_t step = rows->column_stride_bytes;
    return (step == 0 || step == cell_bytes(rows->type)) &&
           (!rows->missing_given || isnan(rows->missing)) &&
           (rows->type == AX_ENGINE_F32 || input == AX_ENGINE_F64);
}

static void
narrow_row(const double *from, size_t count, float *out)
{
    for (size_t f = 0; f < count; f++)
        out[f] = (float)from[f];
}

/* Rows of the caller in the kernels' shape: where they lie, or copied to the block. */
static struct ax_forest_rows
shape_rows(const struct ax_forest_engine *engine, const struct ax_engine_rows *rows, size_t first,
           size_t count, const struct pieces *pieces)
{
    enum ax_engine_type input = engine->engine.signature.input;
    size_t features = engine->forest.feature_count;
    size_t stride = rows->row_stride_bytes
                        ? rows->row_stride_bytes
                        : features * (rows->column_stride_bytes ? rows->column_stride_bytes
                                                                : cell_bytes(rows->type));
    if (rows_fit(rows, input))
        return (struct ax_forest_rows){.at = (const char *)rows->at + first * stride,
                                       .count = count,
                                       .stride_bytes = stride,
                                       .f32 = rows->type == AX_ENGINE_F32};
    struct ax_forest_rows shaped = {.at = pieces->block,
                                    .count = count,
                                    .stride_bytes = features * cell_bytes(input),
                                    .f32 = input == AX_ENGINE_F32};
    for (size_t i = 0; i < count; i++) {
        double *row = shaped.f32 ? pieces->row : (double *)pieces->block + i * features;
        ax_engine_row(rows, first + i, features, input, row);
        if (shaped.f32)
            narrow_row(row, features, (float *)pieces->block + i * features);
    }
    return shaped;
}

/* Margins and responses, a block of rows after the other. */
static void
score_blocks(const struct ax_forest_engine *engine, const struct ax_engine_call *call,
             const struct pieces *pieces, const struct ax_engine_answer *answer)
{
    size_t outputs = engine->forest.output_count, room = block_rows(&engine->forest);
    size_t responses = engine->engine.signature.response_count;
    for (size_t first = 0, count; first < call->rows.count; first += count) {
        count = call->rows.count - first < room ? call->rows.count - first : room;
        struct ax_forest_rows rows = shape_rows(engine, &call->rows, first, count, pieces);
        rows.fast = call->mode == AX_ENGINE_FAST;
        double *margin =
            call->outputs & AX_ENGINE_MARGIN ? answer->margin + first * outputs : pieces->margin;
        ax_forest_scorer_run(&engine->scorer, &rows, pieces->kernel, margin);
        for (size_t i = 0; call->outputs & AX_ENGINE_RESPONSE && i < count; i++)
            respond(engine, margin + i * outputs, answer->response + (first + i) * responses);
    }
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
    const struct ax_shap_kernel *shap = shap_of(&engine->engine, NULL);
    double *contributions = ax_scratch_take(&scratch, sizeof(double), width_of(forest));
    void *kernel = ax_scratch_take(&scratch, 1, engine->shap_scratch_bytes);
    ax_shap_kernel_rows(shap, row, 1, kernel, contributions);
    ax_shap_interaction_row(forest, &shap->points, row, contributions, scratch, out);
}

/* ---- what is made when it is first needed ---- */

/* Whether a call explains by cover. */
static bool
needs_shap(const struct ax_engine_call *call)
{
    return call->outputs & AX_ENGINE_INTERACTIONS ||
           (call->outputs & AX_ENGINE_CONTRIBUTIONS && !call->background);
}

/* Rows that a call scores by kernels: those whose leaves are wanted are walked. */
static size_t
kernel_rows(const struct ax_engine_call *call)
{
    bool scores = call->outputs & (AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN);
    return scores && !(call->outputs & AX_ENGINE_LEAF) ? call->rows.count : 0;
}

static void
shap_free(void *arg)
{
    struct forest_shap *made = arg;
    ax_arena_free(made->arena);
}

static ax_status
make_shap(const struct ax_forest_engine *engine, struct ax_ctx *ctx, struct forest_shap **out_made)
{
    const struct ax_shap_kernel_config config = {.level = engine->level,
                                                 .bytes_max = engine->shap_bytes_max / 4 * 3 + 1,
                                                 .forms = forms_of(engine)};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(engine->shap_bytes_max);
    struct forest_shap *made = arena ? AX_NEW(arena, struct forest_shap) : NULL;
    if (!made)
        return ax_fail(ctx, AX_LIMIT, "no memory to explain a forest");
    AX_TRY(ax_shap_kernel_prepare(&engine->forest, ctx, &config, arena, &made->kernel));
    AX_ASSERT(ax_shap_kernel_scratch_bytes(&made->kernel) <= engine->shap_scratch_bytes);
    made->arena = ax_take(arena);
    *out_made = made;
    return AX_OK;
}

static ax_status
prepare_shap(const struct ax_forest_engine *engine, struct ax_ctx *ctx)
{
    struct forest_shap *made = NULL;
    if (ax_once_get(engine->shap) || ax_once_begin(engine->shap))
        return AX_OK;
    ax_status status = make_shap(engine, ctx, &made);
    ax_once_end(engine->shap, status == AX_OK ? made : NULL);
    return status;
}

/* Rows that a call explains at a time; interactions are given row by row. */
static size_t
shap_rows(const struct ax_engine_call *call)
{
    size_t rows = call->outputs & AX_ENGINE_CONTRIBUTIONS ? call->rows.count : 1;
    return rows < AX_SHAP_BLOCK ? rows : AX_SHAP_BLOCK;
}

static ax_status
forest_prepare(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call)
{
    const struct ax_forest_engine *engine = of_engine(base);
    AX_TRY(prepare_scorer(engine, ctx));
    AX_TRY(ax_forest_scorer_prepare(&engine->scorer, ctx, kernel_rows(call)));
    if (!needs_shap(call))
        return AX_OK;
    AX_TRY(prepare_shap(engine, ctx));
    return ax_shap_kernel_ready_rows(shap_of(base, NULL), ctx, shap_rows(call));
}

static bool
forest_prepared(const struct ax_engine *base, const struct ax_engine_call *call)
{
    const struct ax_forest_engine *engine = of_engine(base);
    return ax_once_get(engine->compiled) &&
           ax_forest_scorer_prepared(&engine->scorer, kernel_rows(call)) &&
           (!needs_shap(call) || !engine->shap ||
            (ax_once_get(engine->shap) &&
             ax_shap_kernel_rows_ready(shap_of(base, NULL), shap_rows(call))));
}

static size_t
forest_made_bytes(const struct ax_engine *base)
{
    const struct ax_forest_engine *engine = of_engine(base);
    const struct ax_arena *compiled = ax_once_get(engine->compiled);
    const struct ax_forest_scorer_batch *batch =
        compiled ? ax_forest_scorer_made(&engine->scorer) : NULL;
    const struct forest_shap *shap = engine->shap ? ax_once_get(engine->shap) : NULL;
    size_t explained =
        shap ? ax_arena_held_bytes(shap->arena) + ax_shap_kernel_made_bytes(&shap->kernel) : 0;
    return (compiled ? ax_arena_held_bytes(compiled) : 0) + (batch ? batch->bytes : 0) + explained;
}

static size_t
forest_mapped_bytes(const struct ax_engine *base)
{
    const struct ax_forest_engine *engine = of_engine(base);
    if (!ax_once_get(engine->compiled))
        return 0;
    const struct ax_forest_scorer_batch *batch = ax_forest_scorer_made(&engine->scorer);
    const struct forest_shap *shap = engine->shap ? ax_once_get(engine->shap) : NULL;
    return engine->scorer.mapped_bytes + (batch ? batch->mapped_bytes : 0) +
           (shap ? shap->kernel.table.mapped_bytes : 0);
}

/* ---- a call ---- */

static ax_status
forest_score(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call,
             void *scratch, const struct ax_engine_answer *answer)
{
    AX_TRY(forest_prepare(base, ctx, call));
    const struct ax_forest_engine *engine = of_engine(base);
    const struct ax_forest *forest = &engine->forest;
    struct pieces pieces = pieces_of(engine, scratch);
    unsigned explanations = AX_ENGINE_CONTRIBUTIONS | AX_ENGINE_INTERACTIONS;
    unsigned scores = call->outputs & ~explanations;
    bool leaves = scores & AX_ENGINE_LEAF, pairs = call->outputs & AX_ENGINE_INTERACTIONS;
    if (scores && !leaves)
        score_blocks(engine, call, &pieces, answer);
    for (size_t i = 0; (leaves || pairs) && i < call->rows.count; i++) {
        ax_engine_row(&call->rows, i, forest->feature_count, base->signature.input, pieces.row);
        if (leaves)
            score_row(engine, call, i, &pieces, answer);
        if (pairs)
            relate(engine, pieces.row, pieces.rest,
                   answer->interactions + i * width_of(forest) * (forest->feature_count + 1));
    }
    if (call->outputs & AX_ENGINE_CONTRIBUTIONS)
        explain(base, call, pieces.rest, answer->contributions);
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
                                                 .population = {values, rows->count},
                                                 .forms = forms_of(of_engine(engine))};
    AX_TRY(ax_shap_kernel_prepare(forest, ctx, &config, arena, &background->shap));
    background->background.mapped_bytes = background->shap.table.mapped_bytes;
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
    .prepare = forest_prepare,
    .prepared = forest_prepared,
    .made_bytes = forest_made_bytes,
    .mapped_bytes = forest_mapped_bytes,
    .run = ax_engine_run_unsupported,
};

static void
count_splits(const struct ax_forest *forest, struct ax_engine_feature *features)
{
    for (size_t i = 0; i < forest->feature_count; i++) {
        features[i].split_count += forest->split_counts[i];
        features[i].categorical |= forest->categorical[i];
    }
    for (size_t i = 0; i < forest->linear_count; i++)
        for (size_t j = 0; j < forest->linears[i].count; j++)
            features[forest->linears[i].features[j]].split_count++;
}

static ax_status
prepare_explanations(struct ax_forest_engine *engine, struct ax_ctx *ctx)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    struct ax_forest *forest = &engine->forest;
    if (forest->linear_count > 0)
        return ax_engine_note(&engine->engine, ctx,
                              "no contributions: leaves are linear functions, of which LightGBM "
                              "itself gives none");
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
    AX_ASSERT(engine->respond || engine->respond_by);
    AX_ASSERT(signature->feature_count == forest->feature_count);
    engine->engine.ops = &ops;
    signature->kind = AX_STR("trees");
    signature->orders = true;
    signature->features = features;
    signature->margin_count = forest->output_count;
    signature->outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_LEAF;
    signature->tree_count = forest->tree_count;
    signature->node_count = forest->node_count;
    signature->leaf_count = forest->leaf_count;
    signature->depth_max = forest->depth_max;
    count_splits(forest, features);
    return prepare_explanations(engine, ctx);
}

ax_status
ax_forest_engine_compile(struct ax_engine *base, struct ax_ctx *ctx,
                         const struct ax_engine_config *config, size_t bytes_max)
{
    if (base->ops != &ops)
        return AX_OK;
    struct ax_forest_engine *engine = (struct ax_forest_engine *)base;
    bool explains = base->signature.outputs & AX_ENGINE_CONTRIBUTIONS;
    engine->config = *config;
    if (config->digest)
        engine->forms = (struct ax_forms_of_model){config->forms, *config->digest};
    engine->config.digest = &engine->forms.digest; /* the caller's was lent */
    engine->level = config->level;
    engine->forms_bytes_max = engine->shap_bytes_max = bytes_max;
    engine->compiled = ax_once_new(base->arena, compiled_free);
    engine->shap = explains ? ax_once_new(base->arena, shap_free) : NULL;
    if (!engine->compiled || (explains && !engine->shap))
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's kernels");
    /* What was asked for is tried at once: the machine may not have it. */
    bool asked = config->level != AX_ENGINE_LEVEL_BEST || config->kernel != AX_ENGINE_KERNEL_BEST;
    return asked ? prepare_scorer(engine, ctx) : AX_OK;
}

#include "engine/forest_scorer.h"

#include <string.h>

#include "engine/forest_masks.h"

enum {
    WIDTHS = AX_FOREST_BATCH_WIDTHS,
    ALIGN = AX_FOREST_BATCH_ALIGN,
    KEPT_NODES_LEAST = 1'000, /* a smaller forest is compiled as quickly as its form is found */
    WORK_BYTES = 64 << 20,    /* while a form is made */
    WORK_BYTES_PER_NODE = 2048,
};

static const struct ax_forest_level portable = {
    .level = AX_ENGINE_LEVEL_PORTABLE,
    .row = ax_forest_row_portable,
    .kinds = 1 << AX_FOREST_ROW_INTERLEAVE | 1 << AX_FOREST_ROW_MASKS,
    .rank_ns = 8,
    .sizes = ax_forest_batch_portable,
};

#ifdef __x86_64__
static const struct ax_forest_level avx2 = {
    .level = AX_ENGINE_LEVEL_AVX2,
    .row = ax_forest_row_avx2,
    .kinds = 1 << AX_FOREST_ROW_INTERLEAVE | 1 << AX_FOREST_ROW_MATCH | 1 << AX_FOREST_ROW_HEAP |
             1 << AX_FOREST_ROW_MASKS,
    .lanes_max = AX_FOREST_ROW_AVX2_LANES,
    .rank_ns = 3,
    .sizes = ax_forest_batch_avx2,
};

static const struct ax_forest_level avx512 = {
    .level = AX_ENGINE_LEVEL_AVX512,
    .row = ax_forest_row_avx512,
    .kinds = 1 << AX_FOREST_ROW_INTERLEAVE | 1 << AX_FOREST_ROW_MATCH | 1 << AX_FOREST_ROW_HEAP |
             1 << AX_FOREST_ROW_GATHER | 1 << AX_FOREST_ROW_MASKS,
    .lanes_max = AX_FOREST_ROW_MATCH_LANES,
    .rank_ns = 2,
    .sizes = ax_forest_batch_avx512,
};

static bool
has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool
has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni");
}
#endif

/* NULL: not on this machine, or not in this build. */
static const struct ax_forest_level *
level_of(enum ax_engine_level level)
{
#ifdef __x86_64__
    if ((level == AX_ENGINE_LEVEL_BEST || level == AX_ENGINE_LEVEL_AVX512) && has_avx512())
        return &avx512;
    if ((level == AX_ENGINE_LEVEL_BEST || level == AX_ENGINE_LEVEL_AVX2) && has_avx2())
        return &avx2;
#endif
    return level == AX_ENGINE_LEVEL_BEST || level == AX_ENGINE_LEVEL_PORTABLE ? &portable : NULL;
}

/* ---- what things cost, in nanoseconds of a core of 3 GHz ---- */

/* Splits above a leaf, on average over the leaves of each tree, over all trees. */
static ax_status
mean_sum(const struct ax_forest *forest, struct ax_ctx *ctx, double *out_sum)
{
    uint32_t *level = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_nodes_max + 1);
    if (!level)
        return ax_fail(ctx, AX_LIMIT, "no memory to measure a forest");
    double sum = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        double paths = 0, leaves = 0;
        level[0] = 0;
        for (uint32_t n = 0; n < tree->node_count; n++) { /* preorder: parents come first */
            const struct ax_forest_node *node = &tree->nodes[n];
            if (node->left < 0) {
                paths += level[n];
                leaves++;
                continue;
            }
            level[node->left] = level[node->right] = level[n] + 1;
        }
        sum += paths / leaves;
    }
    *out_sum = sum;
    return AX_OK;
}

/* Splits on the longest path, over all trees. */
static double
deepest_sum(const struct ax_forest *forest)
{
    double sum = 0;
    for (size_t t = 0; t < forest->tree_count; t++)
        sum += forest->trees[t].depth;
    return sum;
}

/* Of a row's ANDs: a load of 64 bytes a column, from beyond the second cache when there are many.
 */
static double
masks_cost(const struct ax_forest_plan *plan)
{
    enum { NEAR_BYTES = 1 << 20 };
    struct ax_forest_masks masks = ax_forest_masks_of(plan);
    double loads = plan->column_count * (double)masks.rank / 64;
    return 1.9 * (double)plan->forest->tree_count + (masks.bytes > NEAR_BYTES ? 1.5 : 0.4) * loads;
}

/* Of a row whose forest is compiled to that kind; splits: on the longest paths. */
static double
row_cost(const struct ax_forest_scorer *scorer, const struct ax_forest_plan *plan,
         enum ax_forest_row_kind kind, double splits)
{
    const struct ax_forest *forest = plan->forest;
    double trees = (double)forest->tree_count;
    bool wide = scorer->level->lanes_max > AX_FOREST_ROW_AVX2_LANES;
    double ns = 20 + scorer->level->rank_ns * plan->column_count + plan->set_count;
    switch (kind) {
    case AX_FOREST_ROW_MASKS:
        return ns - plan->set_count + masks_cost(plan);
    case AX_FOREST_ROW_MATCH:
        return ns + (wide ? 2.4 : 4) * trees;
    case AX_FOREST_ROW_HEAP:
        return ns + 1.6 * trees +
               (wide ? 1 : 4) * ceil(trees / 64) * (double)(1 << forest->depth_max);
    case AX_FOREST_ROW_GATHER:
        return ns + 2 * trees + 0.3 * splits;
    case AX_FOREST_ROW_INTERLEAVE:
        break;
    }
    return ns + trees + splits;
}

/* What a block's cost depends on. */
struct block {
    double columns, trees, ops, slots_bytes, outputs; /* outputs: that a tree adds to */
    bool f32, code;
};

/* Of a block; ops: its size. */
static double
block_cost(const struct block *block, const struct ax_forest_batch_ops *ops)
{
    enum { NEAR_BYTES = 48 << 10, FAR_BYTES = 192 << 10 }; /* a first cache; well beyond it */
    const struct ax_forest_batch_costs *costs = &ops->costs;
    double rows = ops->rows;
    double away = (block->slots_bytes - NEAR_BYTES) / FAR_BYTES;
    double op = costs->op + costs->far * fmin(fmax(away, 0), 1);
    double leaf = block->f32 ? costs->leaf / 2 : costs->leaf;
    return costs->cell * rows * block->columns + (block->code ? costs->code : op) * block->ops +
           block->trees * (costs->tree + leaf * rows * block->outputs);
}

/*
 * Rows of a call for which a form is worth making, before there is one. A node takes about 0.9
 * operations in a balanced tree, and the more the deeper leaves lie than they would in one: 1.8 in
 * a grown tree of 31 leaves, 2.6 in one of 255.
 */
static size_t
rows_worth(const struct ax_forest_scorer *scorer, const struct ax_forest_plan *plan, double levels)
{
    const struct ax_forest_batch_ops *const *sizes = scorer->level->sizes;
    const struct ax_forest *forest = plan->forest;
    double inner = (double)(forest->node_count - forest->leaf_count);
    double trees = (double)forest->tree_count, leaves = (double)forest->leaf_count / trees;
    struct block block = {.columns = plan->column_count,
                          .trees = trees,
                          .ops = inner * (0.9 + 0.45 * fmax(levels / trees - log2(leaves), 0)),
                          .slots_bytes = (double)plan->predicate_count * sizes[0]->slot_bytes,
                          .outputs = plan->vectors ? (double)forest->output_count : 1,
                          .f32 = forest->f32,
                          .code = scorer->batch_code};
    double rows = (double)INFINITY;
    for (size_t w = 0; w < WIDTHS && sizes[w]; w++)
        rows = fmin(rows, ceil(block_cost(&block, sizes[w]) / scorer->row_ns));
    return rows < 2 ? 2 : (size_t)fmin(rows, sizes[0]->rows);
}

/* ---- forms ---- */

/* Whether a kernel is asked for, or allowed; leaf masks only where their table has room. */
static bool
may_be(const struct ax_engine_config *config, enum ax_engine_kernel kernel,
       const struct ax_forest_plan *plan, size_t bytes_max)
{
    if (config->kernel != AX_ENGINE_KERNEL_BEST)
        return config->kernel == kernel;
    return kernel != AX_ENGINE_KERNEL_MASKS ||
           (config->leaf_masks && ax_forest_masks_of(plan).bytes <= bytes_max / 2);
}

static ax_status
make_row(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
         const struct ax_engine_config *config, struct ax_arena *arena, size_t bytes_max,
         struct ax_forest_scorer *scorer)
{
    static const struct {
        enum ax_engine_kernel kernel;
        enum ax_forest_row_kind kind;
    } kinds[] = {
        {AX_ENGINE_KERNEL_INTERLEAVE, AX_FOREST_ROW_INTERLEAVE},
        {AX_ENGINE_KERNEL_MATCH, AX_FOREST_ROW_MATCH},
        {AX_ENGINE_KERNEL_HEAP, AX_FOREST_ROW_HEAP},
        {AX_ENGINE_KERNEL_GATHER, AX_FOREST_ROW_GATHER},
        {AX_ENGINE_KERNEL_MASKS, AX_FOREST_ROW_MASKS},
    };
    double best_ns = (double)INFINITY, splits = deepest_sum(plan->forest);
    enum ax_forest_row_kind best = AX_FOREST_ROW_INTERLEAVE;
    for (size_t i = 0; i < AX_COUNT_OF(kinds); i++) {
        enum ax_forest_row_kind kind = kinds[i].kind;
        if (!may_be(config, kinds[i].kernel, plan, bytes_max) ||
            !(scorer->level->kinds >> kind & 1) ||
            !ax_forest_row_fits(plan, kind, scorer->level->lanes_max))
            continue;
        double ns = row_cost(scorer, plan, kind, splits);
        if (ns < best_ns) {
            best = kind;
            best_ns = ns;
        }
    }
    if (isinf(best_ns))
        return AX_OK;
    AX_TRY(ax_forest_row_build(ctx, plan, best, arena, bytes_max, &scorer->row));
    if (scorer->row)
        scorer->row_ns = best_ns;
    return AX_OK;
}

static void
batch_free(void *arg)
{
    struct ax_forest_scorer_batch *made = arg;
    if (made->arena)
        ax_arena_free(made->arena);
}

static struct block
block_of(const struct ax_forest_batch *batch)
{
    const struct ax_forest_batch_form *form = batch->form;
    return (struct block){.columns = form->column_count,
                          .trees = form->tree_count,
                          .ops = form->op_count,
                          .slots_bytes = form->slots_bytes,
                          .outputs = form->vectors ? form->output_count : 1,
                          .f32 = form->f32,
                          .code = batch->code != NULL};
}

/* A form for batches that was kept. */
static bool
find_batch(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx, struct ax_arena *arena,
           struct ax_forest_scorer_batch *made)
{
    if (!scorer->forms.forms)
        return false;
    made->batch.form = ax_forest_kept_find_batch(&scorer->forms, ctx, &scorer->wish, arena);
    made->batch.sizes = scorer->level->sizes;
    made->mapped_bytes = made->batch.form ? made->batch.form->bytes : 0;
    return made->batch.form;
}

static ax_status
make_batch(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx, struct ax_arena *arena,
           struct ax_forest_scorer_batch **out_made)
{
    const struct ax_forest_batch_ops *const *sizes = scorer->level->sizes;
    struct ax_forest_batch_config wanted = {sizes, scorer->batch_bytes_max, scorer->batch_code};
    struct ax_forest_scorer_batch *made = AX_NEW(arena, struct ax_forest_scorer_batch);
    struct ax_forest_plan plan = {};
    if (!made)
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's batch form");
    if (!find_batch(scorer, ctx, arena, made)) {
        AX_TRY(ax_forest_compile(ctx, scorer->forest, &plan));
        AX_TRY(ax_forest_batch_build(ctx, &plan, &wanted, arena, &made->batch));
        if (scorer->forms.forms && made->batch.form && !made->batch.code)
            ax_forest_kept_keep_batch(&scorer->forms, &scorer->wish, made->batch.form);
    }
    for (size_t w = 0; made->batch.form && w < WIDTHS && sizes[w]; w++) {
        struct block block = block_of(&made->batch);
        made->block_ns[w] = block_cost(&block, sizes[w]);
    }
    if (made->batch.code)
        made->bytes = ax_forest_code_bytes(made->batch.code);
    *out_made = made;
    return AX_OK;
}

/* With working memory of its own: a model that could be read shall not fail for its kernels. */
static ax_status
make_batch_apart(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx,
                 struct ax_forest_scorer_batch **out_made)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SIZE_MAX);
    ax_auto(ax_arena_free) struct ax_arena *work =
        ax_arena_new(WORK_BYTES + scorer->forest->node_count * WORK_BYTES_PER_NODE);
    if (!arena || !work)
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's batch form");
    struct ax_arena *callers = ctx->arena;
    ctx->arena = work;
    ax_status status = make_batch(scorer, ctx, arena, out_made);
    ctx->arena = callers;
    if (status != AX_OK)
        return status;
    (*out_made)->bytes += ax_arena_held_bytes(arena);
    (*out_made)->arena = ax_take(arena); /* what was made lives in it */
    return AX_OK;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* From how many rows on a form for batches is made, where there can be one. */
static void
allow_batch(struct ax_forest_scorer *scorer, const struct ax_forest_plan *plan, double levels)
{
    if (!plan->fits || !ax_forest_batch_fits(plan))
        return;
    scorer->batch_rows = scorer->batch_only ? 1 : rows_worth(scorer, plan, levels);
    scorer->scratch_bytes =
        larger(scorer->scratch_bytes, ax_forest_batch_scratch_max(plan, scorer->level->sizes));
}

/* Compiles the forest, and lays the form for single rows out. */
static ax_status
make(struct ax_ctx *ctx, const struct ax_engine_config *config, struct ax_arena *arena,
     size_t bytes_max, struct ax_forest_scorer *scorer)
{
    struct ax_forest_plan plan = {};
    double levels;
    AX_TRY(mean_sum(scorer->forest, ctx, &levels));
    scorer->row_ns = 8 * (double)scorer->forest->tree_count + 5 * levels; /* of the walk */
    if (config->kernel != AX_ENGINE_KERNEL_WALK)
        AX_TRY(ax_forest_compile(ctx, scorer->forest, &plan));
    if (plan.fits && !scorer->batch_only)
        AX_TRY(make_row(ctx, &plan, config, arena, bytes_max, scorer));
    scorer->scratch_bytes = scorer->row ? scorer->row->scratch_bytes : 0;
    if (scorer->batch_only || config->kernel == AX_ENGINE_KERNEL_BEST)
        allow_batch(scorer, &plan, levels);
    return AX_OK;
}

/* The same from what was kept; false when nothing was. */
static bool
find(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_forest_scorer *scorer)
{
    struct ax_forest_kept_facts facts;
    scorer->row = ax_forest_kept_find_row(&scorer->forms, ctx, &scorer->wish, arena, &facts);
    if (!scorer->row)
        return false;
    scorer->row_ns = facts.row_ns;
    scorer->batch_rows = (size_t)facts.batch_rows;
    scorer->scratch_bytes = (size_t)facts.scratch_bytes;
    scorer->mapped_bytes = scorer->row->bytes;
    return true;
}

static void
keep(const struct ax_forest_scorer *scorer)
{
    const struct ax_forest_kept_facts facts = {.row_ns = scorer->row_ns,
                                               .batch_rows = scorer->batch_rows,
                                               .scratch_bytes = scorer->scratch_bytes};
    if (scorer->forms.forms && scorer->row)
        ax_forest_kept_keep_row(&scorer->forms, &scorer->wish, &facts, scorer->row);
}

ax_status
ax_forest_scorer_init(struct ax_ctx *ctx, const struct ax_forest *forest,
                      const struct ax_engine_config *config, struct ax_arena *arena,
                      size_t bytes_max, struct ax_forest_scorer *out_scorer)
{
    struct ax_forest_scorer scorer = {.forest = forest,
                                      .level = level_of(config->level),
                                      .batch_code = config->forest_code,
                                      .batch_only = config->kernel == AX_ENGINE_KERNEL_BATCH};
    if (!scorer.level)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "this machine does not have the instructions asked "
                       "for, or this build not the kernels");
    if (config->digest && forest->node_count >= KEPT_NODES_LEAST)
        scorer.forms = (struct ax_forms_of_model){config->forms, *config->digest};
    scorer.wish = (struct ax_forest_kept_wish){scorer.level->level, config->kernel,
                                               config->leaf_masks, config->forest_code, bytes_max};
    if (!scorer.forms.forms || !find(ctx, arena, &scorer)) {
        AX_TRY(make(ctx, config, arena, bytes_max, &scorer));
        keep(&scorer);
    }
    scorer.batch_bytes_max = bytes_max - (scorer.row ? scorer.row->bytes : 0);
    if (scorer.batch_rows && !(scorer.batch = ax_once_new(arena, batch_free)))
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's kernels");
    scorer.scratch_bytes += ALIGN + forest->feature_count * sizeof(double);
    *out_scorer = scorer;
    return AX_OK;
}

bool
ax_forest_scorer_prepared(const struct ax_forest_scorer *scorer, size_t rows)
{
    return !scorer->batch || rows < scorer->batch_rows || ax_once_get(scorer->batch);
}

ax_status
ax_forest_scorer_prepare(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx, size_t rows)
{
    struct ax_forest_scorer_batch *made = NULL;
    if (ax_forest_scorer_prepared(scorer, rows) || ax_once_begin(scorer->batch))
        return AX_OK;
    ax_status status = make_batch_apart(scorer, ctx, &made);
    ax_once_end(scorer->batch, status == AX_OK ? made : NULL);
    return status;
}

ax_status
ax_forest_scorer_finish(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx,
                        struct ax_arena *arena)
{
    struct ax_forest_scorer_batch *made = NULL;
    if (!scorer->batch || ax_once_begin(scorer->batch))
        return AX_OK;
    ax_status status = make_batch(scorer, ctx, arena, &made);
    ax_once_end(scorer->batch, status == AX_OK ? made : NULL);
    return status;
}

const struct ax_forest_scorer_batch *
ax_forest_scorer_made(const struct ax_forest_scorer *scorer)
{
    return scorer->batch ? ax_once_get(scorer->batch) : NULL;
}

/* ---- a call ---- */

static void
walk_rows(const struct ax_forest_scorer *scorer, const struct ax_forest_rows *rows, double *wide,
          double *out_margin)
{
    const struct ax_forest *forest = scorer->forest;
    const char *row = rows->at;
    for (size_t i = 0; i < rows->count; i++, row += rows->stride_bytes) {
        if (!rows->f32) {
            memcpy(wide, row, forest->feature_count * sizeof *wide);
        } else {
            for (size_t f = 0; f < forest->feature_count; f++) {
                float x;
                memcpy(&x, row + f * sizeof x, sizeof x);
                wide[f] = (double)x;
            }
        }
        double *margin = out_margin + i * forest->output_count;
        if (rows->fast)
            ax_forest_margin_fast(forest, wide, margin, NULL);
        else
            ax_forest_margin(forest, wide, margin, NULL);
    }
}

/* The size of block that is cheapest for so many rows; WIDTHS: they are cheaper one by one. */
static uint32_t
width_for(const struct ax_forest_scorer *scorer, const struct ax_forest_scorer_batch *made,
          size_t rows)
{
    uint32_t best = WIDTHS;
    double best_ns = scorer->batch_only ? (double)INFINITY : scorer->row_ns * (double)rows;
    if (!made || !made->batch.form)
        return WIDTHS;
    for (uint32_t w = 0; w < WIDTHS && made->block_ns[w] > 0; w++) {
        size_t size = scorer->level->sizes[w]->rows;
        size_t blocks = (rows + size - 1) / size;
        double ns = made->block_ns[w] * (double)blocks;
        if (ns < best_ns) {
            best = w;
            best_ns = ns;
        }
    }
    return best;
}

void
ax_forest_scorer_run(const struct ax_forest_scorer *scorer, const struct ax_forest_rows *rows,
                     void *scratch, double *out_margin)
{
    char *aligned = (char *)scratch + (-(uintptr_t)scratch & (ALIGN - 1));
    const struct ax_forest_scorer_batch *made =
        rows->count > 1 || scorer->batch_only ? ax_forest_scorer_made(scorer) : NULL;
    struct ax_forest_rows rest = *rows;
    while (rest.count > 0) {
        struct ax_forest_rows some = rest;
        uint32_t width = width_for(scorer, made, rest.count);
        size_t size = width < WIDTHS ? scorer->level->sizes[width]->rows : 1;
        if (some.count > size && some.count % size != 0 && width < WIDTHS)
            some.count -= some.count % size; /* the rest may be cheaper another way */
        if (width < WIDTHS)
            ax_forest_batch_score(&made->batch, width, &some, aligned, out_margin);
        else if (scorer->row)
            scorer->level->row(scorer->row, &some, aligned, out_margin);
        else
            walk_rows(scorer, &some, (void *)aligned, out_margin);
        rest.at = (const char *)rest.at + some.count * rest.stride_bytes;
        rest.count -= some.count;
        out_margin += some.count * scorer->forest->output_count;
    }
}

void
ax_forest_scorer_describe(const struct ax_forest_scorer *scorer,
                          struct ax_engine_signature *signature)
{
    static const enum ax_engine_kernel kernels[] = {
        [AX_FOREST_ROW_MATCH] = AX_ENGINE_KERNEL_MATCH,
        [AX_FOREST_ROW_HEAP] = AX_ENGINE_KERNEL_HEAP,
        [AX_FOREST_ROW_GATHER] = AX_ENGINE_KERNEL_GATHER,
        [AX_FOREST_ROW_INTERLEAVE] = AX_ENGINE_KERNEL_INTERLEAVE,
        [AX_FOREST_ROW_MASKS] = AX_ENGINE_KERNEL_MASKS,
    };
    signature->level = scorer->level->level;
    signature->row_kernel = scorer->row ? kernels[scorer->row->kind] : AX_ENGINE_KERNEL_WALK;
    signature->batch_kernel = scorer->batch ? AX_ENGINE_KERNEL_BATCH : signature->row_kernel;
    signature->batch_rows = scorer->batch ? scorer->batch_rows : 0;
}

#include "engine/shap_decide.h"

#include "base/number.h"
#include "engine/engine_ops.h"

enum { CHUNK_STEP = 16, RANK_RIGHT = UINT16_MAX, CUTS_MAX = UINT16_MAX - 1 };

static const uint32_t missing_flags =
    AX_FOREST_DEFAULT_LEFT | AX_FOREST_ZERO_MISSING | AX_FOREST_NAN_ZERO;

struct build {
    struct ax_shap_decide *decide;
    struct ax_shap_shape *shapes;
    const bool *wanted;
    uint16_t *column, *code;
    struct ax_shap_feature *features;
    uint32_t *feature_of; /* by the forest's number: 1 + index in `features`; 0: not split on */
    struct ax_shap_column *columns;
    uint32_t *column_of; /* [feature][flags]: 1 + the column */
    struct ax_shap_special *specials;
};

enum { FLAGS = 1 << 4 };

static size_t
rounded(size_t count, size_t step)
{
    return (count + step - 1) / step * step;
}

static bool
is_ranked(const struct ax_forest_node *node)
{
    return !(node->flags & (AX_FOREST_CATEGORICAL | AX_FOREST_EQUAL));
}

static bool
is_wanted(const struct build *build, size_t t)
{
    return build->wanted[t] && build->shapes[t].inner_count > 0;
}

/* ---- thresholds ---- */

static void
gather_cuts(const struct build *build, uint32_t *counts, double *const *cuts)
{
    for (size_t t = 0; t < build->decide->forest->tree_count; t++)
        for (uint32_t i = 0; is_wanted(build, t) && i < build->shapes[t].inner_count; i++) {
            const struct ax_forest_node *node = build->shapes[t].inner[i].node;
            if (!is_ranked(node))
                continue;
            if (cuts)
                cuts[node->feature][counts[node->feature]] = node->threshold;
            counts[node->feature]++;
        }
}

/* Halving without a branch: where a row's values lie is not to be guessed. */
static uint32_t
rank_of(const struct ax_shap_feature *feature, double x)
{
    size_t base = 0;
    for (size_t left = feature->cut_count; left > 1;) {
        size_t half = left / 2;
        base += half & -(size_t)(feature->cuts[base + half - 1] <= x);
        left -= half;
    }
    return (uint32_t)base + (feature->cuts[base] <= x);
}

static ax_status
build_features(struct build *build, struct ax_ctx *ctx, struct ax_arena *arena)
{
    struct ax_shap_decide *decide = build->decide;
    size_t count = decide->forest->feature_count;
    uint32_t *counts = AX_NEW_ARRAY(ctx->arena, uint32_t, count);
    double **cuts = AX_NEW_ARRAY(ctx->arena, double *, count);
    build->feature_of = AX_NEW_ARRAY(ctx->arena, uint32_t, count);
    build->features = AX_NEW_ARRAY(arena, struct ax_shap_feature, count);
    if (!counts || !cuts || !build->feature_of || !build->features)
        return ax_fail(ctx, AX_LIMIT, "no memory to rank %zu features", count);
    gather_cuts(build, counts, NULL);
    for (size_t f = 0; f < count; f++) {
        cuts[f] = AX_NEW_ARRAY(arena, double, counts[f]);
        if (!cuts[f])
            return ax_fail(ctx, AX_LIMIT, "no memory to rank %zu features", count);
        counts[f] = 0;
    }
    gather_cuts(build, counts, cuts);
    for (size_t f = 0; f < count; f++) {
        size_t cut_count = ax_engine_sort_unique(cuts[f], counts[f]);
        if (cut_count == 0 || cut_count > CUTS_MAX)
            continue;
        struct ax_shap_feature *feature = &build->features[decide->feature_count];
        *feature = (struct ax_shap_feature){
            .cuts = cuts[f], .feature = (uint32_t)f, .cut_count = (uint32_t)cut_count};
        feature->zero = (uint16_t)rank_of(feature, 0);
        build->feature_of[f] = (uint32_t)++decide->feature_count;
    }
    return AX_OK;
}

/* ---- columns and slots ---- */

/* The feature's entry, or 0 when ranks cannot decide the node. */
static uint32_t
ranked_feature(const struct build *build, const struct ax_forest_node *node)
{
    return is_ranked(node) ? build->feature_of[node->feature] : 0;
}

/* A column for each way of missing that a feature's nodes have, feature by feature. */
static void
set_columns(struct build *build)
{
    struct ax_shap_decide *decide = build->decide;
    for (size_t t = 0; t < decide->forest->tree_count; t++)
        for (uint32_t i = 0; is_wanted(build, t) && i < build->shapes[t].inner_count; i++) {
            const struct ax_forest_node *node = build->shapes[t].inner[i].node;
            uint32_t feature = ranked_feature(build, node);
            if (feature > 0)
                build->column_of[(feature - 1) * FLAGS + (node->flags & missing_flags)] = 1;
        }
    for (size_t f = 0; f < decide->feature_count; f++)
        for (uint32_t flags = 0; flags < FLAGS; flags++) {
            uint32_t *column = &build->column_of[f * FLAGS + flags];
            if (*column == 0 || decide->column_count > UINT16_MAX) {
                *column = 0;
                continue;
            }
            build->columns[decide->column_count] =
                (struct ax_shap_column){.feature = (uint32_t)f, .flags = flags};
            *column = (uint32_t)++decide->column_count;
            build->features[f].column_count++;
        }
}

static void
set_slot(struct build *build, const struct ax_forest_node *node, size_t slot)
{
    struct ax_shap_decide *decide = build->decide;
    uint32_t feature = ranked_feature(build, node), column = 0;
    if (feature > 0)
        column = build->column_of[(feature - 1) * FLAGS + (node->flags & missing_flags)];
    if (column == 0) {
        build->specials[decide->special_count++] =
            (struct ax_shap_special){.node = node, .slot = slot};
        return;
    }
    build->column[slot] = (uint16_t)(column - 1);
    build->code[slot] = (uint16_t)rank_of(&build->features[feature - 1], node->threshold);
}

static void
set_slots(struct build *build)
{
    for (size_t t = 0; t < build->decide->forest->tree_count; t++) {
        const struct ax_shap_shape *shape = &build->shapes[t];
        for (uint32_t c = 0; is_wanted(build, t) && c < shape->chunk_count; c++) {
            const struct ax_shap_chunk *chunk = &shape->chunks[c];
            const struct ax_shap_inner *root = &shape->inner[chunk->root];
            size_t first = chunk->first_slot;
            for (uint32_t i = 0; i < root->below; i++)
                set_slot(build, root[i].node, first + root->level + i);
            for (int32_t up = root->parent; up >= 0; up = shape->inner[up].parent)
                set_slot(build, shape->inner[up].node, first + shape->inner[up].level);
        }
    }
}

/* Places the chunks; returns the slots that nodes fill. */
static size_t
place_chunks(struct build *build)
{
    size_t slots = 0, filled = 0;
    for (size_t t = 0; t < build->decide->forest->tree_count; t++)
        for (uint32_t c = 0; is_wanted(build, t) && c < build->shapes[t].chunk_count; c++) {
            struct ax_shap_chunk *chunk = &build->shapes[t].chunks[c];
            chunk->first_slot = slots;
            slots += rounded(chunk->slots, CHUNK_STEP);
            filled += chunk->slots;
        }
    build->decide->slot_count = rounded(slots, AX_SHAP_SLOTS_STEP);
    return filled;
}

/* ---- exported ---- */

ax_status
ax_shap_decide_build(const struct ax_forest *forest, struct ax_ctx *ctx, struct ax_arena *arena,
                     struct ax_shap_shape *shapes, const bool *wanted,
                     struct ax_shap_decide *out_decide)
{
    struct ax_shap_decide decide = {.forest = forest};
    struct build build = {.decide = &decide, .shapes = shapes, .wanted = wanted};
    size_t filled = place_chunks(&build);
    AX_TRY(build_features(&build, ctx, arena));
    build.column = AX_NEW_ARRAY(arena, uint16_t, decide.slot_count);
    build.code = AX_NEW_ARRAY(arena, uint16_t, decide.slot_count);
    build.columns = AX_NEW_ARRAY(arena, struct ax_shap_column, decide.feature_count * FLAGS);
    build.column_of = AX_NEW_ARRAY(ctx->arena, uint32_t, decide.feature_count * FLAGS);
    build.specials = AX_NEW_ARRAY(ctx->arena, struct ax_shap_special, filled);
    if (!build.column || !build.code || !build.columns || !build.column_of || !build.specials)
        return ax_fail(ctx, AX_LIMIT, "no memory for the decisions of %zu nodes", filled);
    set_columns(&build);
    set_slots(&build);
    struct ax_shap_special *specials =
        AX_NEW_ARRAY(arena, struct ax_shap_special, decide.special_count);
    if (!specials)
        return ax_fail(ctx, AX_LIMIT, "no memory for the decisions of %zu nodes", filled);
    memcpy(specials, build.specials, decide.special_count * sizeof *specials);
    decide.specials = specials;
    decide.column = build.column;
    decide.code = build.code;
    decide.features = build.features;
    decide.columns = build.columns;
    *out_decide = decide;
    return AX_OK;
}

ax_status
ax_shap_decide_most(const struct ax_forest *forest, struct ax_ctx *ctx,
                    struct ax_shap_decide *out_most)
{
    struct ax_shap_decide most = {.forest = forest};
    size_t inner = forest->node_count - forest->leaf_count, columns;
    AX_TRY(ax_shap_shape_slots_max(forest, ctx, CHUNK_STEP, &most.slot_count));
    most.slot_count = rounded(most.slot_count, AX_SHAP_SLOTS_STEP);
    if (!ax_mul(forest->feature_count, FLAGS, &columns) || columns > inner)
        columns = inner; /* a node asks one column */
    most.column_count = columns > UINT16_MAX ? (size_t)UINT16_MAX + 1 : columns;
    *out_most = most;
    return AX_OK;
}

/* The rank that says where a value goes, as ax_forest_goes_left would. */
static uint16_t
column_rank(const struct ax_shap_feature *feature, uint32_t flags, double x, uint16_t rank)
{
    bool nan = isnan(x);
    if (nan && flags & AX_FOREST_NAN_ZERO) {
        nan = false;
        x = 0;
        rank = feature->zero;
    }
    if (nan || (flags & AX_FOREST_ZERO_MISSING && fabs(x) <= AX_FOREST_ZERO))
        return flags & AX_FOREST_DEFAULT_LEFT ? 0 : RANK_RIGHT;
    return rank;
}

void
ax_shap_decide_ranks(const struct ax_shap_decide *decide, const double *row, size_t stride,
                     uint16_t *out_ranks)
{
    const struct ax_shap_column *column = decide->columns;
    for (size_t f = 0; f < decide->feature_count; f++) {
        const struct ax_shap_feature *feature = &decide->features[f];
        double x = row[feature->feature];
        uint16_t rank = (uint16_t)rank_of(feature, x);
        for (uint32_t c = 0; c < feature->column_count; c++, column++, out_ranks += stride)
            *out_ranks = column_rank(feature, column->flags, x, rank);
    }
}

void
ax_shap_decide_specials(const struct ax_shap_decide *decide, const double *row, uint8_t *bits)
{
    for (size_t i = 0; i < decide->special_count; i++) {
        const struct ax_shap_special *special = &decide->specials[i];
        bool left = ax_forest_goes_left(decide->forest, special->node, row[special->node->feature]);
        bits[special->slot / 8] |= (uint8_t)(left << special->slot % 8);
    }
}

void
ax_shap_decide_special_words(const struct ax_shap_decide *decide, const double *row, size_t index,
                             uint64_t *words)
{
    for (size_t i = 0; i < decide->special_count; i++) {
        const struct ax_shap_special *special = &decide->specials[i];
        bool left = ax_forest_goes_left(decide->forest, special->node, row[special->node->feature]);
        words[special->slot] |= (uint64_t)left << index;
    }
}

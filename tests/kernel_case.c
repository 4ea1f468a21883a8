#include "kernel_case.h"

#include <float.h>

#include "base/assert.h"
#include "harness.h"

enum { POOL_MAX = 1024, SET_WORDS_MAX = 4 };

static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

static size_t
below(uint64_t *state, size_t limit)
{
    AX_ASSERT(limit > 0);
    return next(state) % limit;
}

/* A quarter of 32. */
static uint32_t
some_bits(uint64_t *state)
{
    uint64_t half = next(state);
    return (uint32_t)(half & next(state));
}

static bool
chance(uint64_t *state, double probability)
{
    return (double)next(state) * 0x1p-53 < probability;
}

struct kernel_case
kernel_case_of(uint64_t seed)
{
    static const size_t features[] = {1, 3, 7, 23, 70, 150};
    static const size_t leaves[] = {1, 2, 5, 31, 32, 33, 64, 100, 256, 300};
    static const size_t trees[] = {1, 2, 7, 16, 17, 33, 70};
    uint64_t state = seed * 2654435761 + 88172645463325252;
    for (int i = 0; i < 5; i++)
        (void)next(&state);
    struct kernel_case about = {
        .tree_count = trees[below(&state, AX_COUNT_OF(trees))],
        .feature_count = features[below(&state, AX_COUNT_OF(features))],
        .output_count = chance(&state, 0.3) ? 1 + below(&state, 4) : 1,
        .leaves_max = leaves[below(&state, AX_COUNT_OF(leaves))],
        .depth_max = chance(&state, 0.5) ? 6 : 40,
        .threshold_max = chance(&state, 0.3) ? 700 : 1 + below(&state, 60),
        .sets = chance(&state, 0.5) ? 0 : 0.4,
        .f32 = chance(&state, 0.5),
        .seed = seed,
    };
    about.vectors = about.output_count > 1 && chance(&state, 0.4);
    return about;
}

/* Thresholds of any size; small ones are often met again, as in histograms. */
static double
threshold(const struct kernel_case *about, uint64_t *state)
{
    static const double odd[] = {
        0.0,          -0.0,     0x1p-1074,      -0x1p-1074,      0x1p-149,
        0x1p-140,     0x1p-200, 0x1p300,        -0x1p300,        DBL_MAX,
        -DBL_MAX,     HUGE_VAL, -HUGE_VAL,      (double)FLT_MAX, -(double)FLT_MAX,
        1e-35,        -1e-35,   AX_FOREST_ZERO, 16777216.0,      0.1,
        (double)0.1f, 1e-40,    -0x1p-1045};
    if (chance(state, 0.03))
        return odd[below(state, AX_COUNT_OF(odd))];
    double x = (double)below(state, about->threshold_max) * 0.37 - 5;
    return chance(state, 0.5) ? (double)(float)x : x;
}

static void
make_split(const struct kernel_case *about, struct ax_forest *forest, uint64_t *state,
           struct ax_forest_node *node)
{
    static const uint32_t missing[] = {0, AX_FOREST_DEFAULT_LEFT, AX_FOREST_NAN_ZERO};
    node->feature = (int32_t)below(state, about->feature_count);
    node->flags = missing[below(state, about->seed % 3 == 0 ? 1 : 3)];
    node->threshold = threshold(about, state);
    if (!chance(state, about->sets))
        return;
    size_t kind = below(state, 3);
    if (kind == 0) {
        node->flags |= AX_FOREST_ZERO_MISSING;
    } else if (kind == 1) {
        node->flags |= AX_FOREST_EQUAL;
    } else {
        node->flags |= AX_FOREST_CATEGORICAL;
        node->set.at = (uint32_t)forest->set_words;
        node->set.words = 1 + (uint32_t)below(state, SET_WORDS_MAX);
        for (uint32_t w = 0; w < node->set.words; w++)
            forest->sets[forest->set_words++] = some_bits(state);
    }
}

/* Splits leaves at random until there are enough. */
static size_t
make_tree(const struct kernel_case *about, struct ax_forest *forest, uint64_t *state,
          struct ax_forest_node *nodes)
{
    uint32_t *level = (uint32_t[2 * POOL_MAX]){};
    size_t count = 1, leaves = 1 + below(state, about->leaves_max);
    nodes[0] = (struct ax_forest_node){.left = -1};
    for (size_t tries = 0; count < 2 * leaves - 1 && tries < 20 * leaves; tries++) {
        size_t at = below(state, 2) ? below(state, count) : count - 1;
        if (nodes[at].left >= 0 || level[at] >= about->depth_max)
            continue;
        nodes[at].left = (int32_t)count;
        nodes[at].right = (int32_t)count + 1;
        make_split(about, forest, state, &nodes[at]);
        for (int i = 0; i < 2; i++, count++) {
            nodes[count] = (struct ax_forest_node){.left = -1};
            level[count] = level[at] + 1;
        }
    }
    for (size_t n = 0; n < count; n++) {
        if (nodes[n].left >= 0)
            continue;
        double value = (double)below(state, 2000) * 0.001 - 1.1;
        nodes[n].number = (int32_t)n;
        nodes[n].leaf = about->f32 ? (double)(float)value : value;
        if (about->vectors)
            nodes[n].vector = (int32_t)below(state, forest->vector_count);
    }
    return count;
}

struct ax_forest *
kernel_case_make(struct ax_ctx *ctx, const struct kernel_case *about)
{
    enum { VECTORS = 500 };
    struct ax_forest *forest = AX_NEW(ctx->arena, struct ax_forest);
    struct ax_forest_node *nodes = AX_NEW_ARRAY(ctx->arena, struct ax_forest_node, 2 * POOL_MAX);
    double *base = AX_NEW_ARRAY(ctx->arena, double, about->output_count);
    uint64_t state = about->seed * 7919 + 12345;
    struct ax_forest_builder builder;
    *forest = (struct ax_forest){
        .tree_count = about->tree_count,
        .feature_count = about->feature_count,
        .output_count = about->output_count,
        .base = base,
        .f32 = about->f32,
        .sets = AX_NEW_ARRAY(ctx->arena, uint32_t,
                             about->tree_count * about->leaves_max * SET_WORDS_MAX + 1),
        .vectors = AX_NEW_ARRAY(ctx->arena, double, VECTORS * about->output_count),
        .vector_count = VECTORS,
    };
    for (size_t i = 0; i < VECTORS * about->output_count; i++)
        forest->vectors[i] = (double)(float)((double)below(&state, 3000) * 0.01 - 10);
    for (size_t k = 0; k < about->output_count; k++)
        base[k] = (double)(float)((double)k * 0.3 - 0.2);
    CHECK_EQ(ax_forest_build(ctx, ctx->arena, forest, &builder), AX_OK);
    for (size_t t = 0; t < about->tree_count; t++) {
        size_t count = make_tree(about, forest, &state, nodes);
        struct ax_forest_source source = {
            .nodes = nodes,
            .node_count = count,
            .output = about->vectors ? -1 : (int32_t)below(&state, about->output_count)};
        CHECK_EQ(ax_forest_add(&builder, ctx, t, &source), AX_OK);
    }
    return forest;
}

/* A value on a boundary that some node of the forest has, or beside it. */
static double
boundary(const struct ax_forest *forest, int32_t feature, uint64_t *state)
{
    for (int tries = 0; tries < 20; tries++) {
        const struct ax_forest_tree *tree = &forest->trees[below(state, forest->tree_count)];
        const struct ax_forest_node *node = &tree->nodes[below(state, tree->node_count)];
        if (node->left < 0 || node->feature != feature || node->flags & AX_FOREST_CATEGORICAL)
            continue;
        double t = node->threshold;
        switch (below(state, 6)) {
        case 0:
            return nextafter(t, HUGE_VAL);
        case 1:
            return nextafter(t, -HUGE_VAL);
        case 2:
            return (double)nextafterf((float)t, INFINITY);
        case 3:
            return (double)nextafterf((float)t, -INFINITY);
        default:
            return t;
        }
    }
    return (double)below(state, 40);
}

static double
cell(const struct ax_forest *forest, int32_t feature, uint64_t *state)
{
    static const double odd[] = {0.0,
                                 -0.0,
                                 0x1p-1074,
                                 -0x1p-1074,
                                 0x1p-149,
                                 -0x1p-149,
                                 0x1p-140,
                                 0x1p-200,
                                 -0x1p-200,
                                 0x1p-1040,
                                 0x1p1000,
                                 -0x1p1000,
                                 DBL_MAX,
                                 -DBL_MAX,
                                 (double)FLT_MAX,
                                 -(double)FLT_MAX,
                                 HUGE_VAL,
                                 -HUGE_VAL,
                                 1e-35,
                                 -1e-35,
                                 AX_FOREST_ZERO,
                                 -AX_FOREST_ZERO,
                                 1.1e-35,
                                 -1,
                                 0.5,
                                 31,
                                 32,
                                 16777215,
                                 16777216,
                                 1e9,
                                 -0.5,
                                 4294967296.0};
    double x;
    switch (below(state, 8)) {
    case 0:
        return (double)NAN;
    case 1:
        return odd[below(state, AX_COUNT_OF(odd))];
    case 2:
        return (double)below(state, 140); /* a code */
    case 3:
        x = (double)below(state, 300) * 0.1 - 8;
        return below(state, 2) ? x : x * 1.0000001234567;
    default:
        return boundary(forest, feature, state);
    }
}

void *
kernel_case_rows(struct ax_ctx *ctx, const struct ax_forest *forest, uint64_t seed, size_t count,
                 bool f32)
{
    uint64_t state = seed * 31 + 77;
    size_t cells = count * forest->feature_count;
    double *wide = AX_NEW_ARRAY(ctx->arena, double, cells + 1);
    float *narrow = (void *)wide;
    for (size_t i = 0; i < cells; i++) {
        double x = cell(forest, (int32_t)(i % forest->feature_count), &state);
        if (f32)
            narrow[i] = (float)x;
        else
            wide[i] = x;
    }
    return wide;
}

double *
kernel_case_margins(struct ax_ctx *ctx, const struct ax_forest *forest,
                    const struct ax_forest_rows *rows)
{
    const double *wide = rows->at;
    const float *narrow = rows->at;
    double *row = AX_NEW_ARRAY(ctx->arena, double, forest->feature_count);
    double *margins = AX_NEW_ARRAY(ctx->arena, double, rows->count * forest->output_count + 1);
    for (size_t i = 0; i < rows->count; i++) {
        double *margin = margins + i * forest->output_count;
        for (size_t f = 0; f < forest->feature_count; f++)
            row[f] = rows->f32 ? (double)*narrow++ : *wide++;
        if (rows->fast)
            ax_forest_margin_fast(forest, row, margin, NULL);
        else
            ax_forest_margin(forest, row, margin, NULL);
    }
    return margins;
}

void *
kernel_case_scratch(struct ax_ctx *ctx, size_t bytes)
{
    char *memory = ax_arena_alloc(ctx->arena, 1, bytes + 64);
    memory += -(uintptr_t)memory & 63;
    memset(memory, 0xA5, bytes);
    return memory;
}

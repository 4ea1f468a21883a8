#include "forest_case.h"

#include <stdlib.h>

#include "harness.h"

#ifdef __x86_64__
typedef __float128 quad; /* clang's word for it, and gcc's here alone */
#else
typedef _Float128 quad;
#endif

enum { NODES_MAX = 4096, CODES = 40, PATH_MAX_FEATURES = 128, FEATURES_ENUMERATED_MAX = 12 };

static double
uniform(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) * 0x1p-53;
}

struct growing {
    const struct forest_case *about;
    struct ax_forest *forest;
    struct ax_forest_node nodes[NODES_MAX];
    double covers[NODES_MAX];
    int32_t count;
    uint64_t state;
};

static int32_t
grow_leaf(struct growing *growing, int32_t at)
{
    struct ax_forest *forest = growing->forest;
    growing->nodes[at] = (struct ax_forest_node){.left = -1, .number = at};
    if (!growing->about->vectors) {
        growing->nodes[at].leaf = (double)(float)(uniform(&growing->state) - 0.5);
        return at;
    }
    growing->nodes[at].vector = (int32_t)forest->vector_count++;
    for (size_t k = 0; k < forest->output_count; k++)
        forest->vectors[(size_t)growing->nodes[at].vector * forest->output_count + k] =
            uniform(&growing->state) - 0.5;
    return at;
}

static struct ax_forest_node
grow_split(struct growing *growing)
{
    struct ax_forest *forest = growing->forest;
    struct ax_forest_node node = {
        .feature = (int32_t)(uniform(&growing->state) * (double)forest->feature_count),
        .flags = uniform(&growing->state) < 0.5 ? AX_FOREST_DEFAULT_LEFT : 0,
    };
    node.threshold = (double)(float)(uniform(&growing->state) * CODES);
    if (uniform(&growing->state) >= growing->about->categorical)
        return node;
    node.flags |= AX_FOREST_CATEGORICAL;
    node.set.at = (uint32_t)forest->set_words;
    node.set.words = 1; /* codes from 32 on are in no set */
    forest->sets[forest->set_words++] = (uint32_t)(uniform(&growing->state) * 0x1p32);
    return node;
}

static int32_t
grow(struct growing *growing, uint32_t level, uint32_t depth, float cover)
{
    bool chain = growing->about->depth > 8;
    int32_t at = growing->count++;
    growing->covers[at] = (double)cover;
    if (level >= depth ||
        (chain ? growing->count > 180 : level > 0 && uniform(&growing->state) < 0.1))
        return grow_leaf(growing, at);
    double share = growing->about->share < 0 ? uniform(&growing->state) : growing->about->share;
    float left_cover =
        uniform(&growing->state) < growing->about->zero_cover ? 0 : (float)((double)cover * share);
    struct ax_forest_node node = grow_split(growing);
    bool long_left = uniform(&growing->state) < 0.5;
    uint32_t twig = chain && level + 2 < depth ? level + 2 : depth;
    node.left = grow(growing, level + 1, long_left ? depth : twig, left_cover);
    node.right = grow(growing, level + 1, long_left ? twig : depth, cover - left_cover);
    growing->nodes[at] = node;
    return at;
}

struct ax_forest *
forest_case_make(struct ax_ctx *ctx, const struct forest_case *about)
{
    struct ax_forest *forest = AX_NEW(ctx->arena, struct ax_forest);
    struct growing *growing = AX_NEW(ctx->arena, struct growing);
    struct ax_forest_builder builder;
    double *base = AX_NEW_ARRAY(ctx->arena, double, about->output_count);
    *forest = (struct ax_forest){
        .tree_count = about->tree_count,
        .feature_count = about->feature_count,
        .output_count = about->output_count,
        .base = base,
        .sets = AX_NEW_ARRAY(ctx->arena, uint32_t, about->tree_count * NODES_MAX),
        .vectors =
            AX_NEW_ARRAY(ctx->arena, double,
                         about->vectors ? about->tree_count *NODES_MAX * about->output_count : 1),
    };
    for (size_t k = 0; k < about->output_count; k++)
        base[k] = 0.25 * (double)(k + 1);
    *growing = (struct growing){.about = about, .forest = forest, .state = about->seed * 2 + 1};
    for (int i = 0; i < 10; i++)
        (void)uniform(&growing->state);
    CHECK_EQ(ax_forest_build(ctx, ctx->arena, forest, &builder), AX_OK);
    for (size_t t = 0; t < about->tree_count; t++) {
        growing->count = 0;
        grow(growing, 0, about->depth, 1000);
        struct ax_forest_source source = {
            .nodes = growing->nodes,
            .covers = growing->covers,
            .node_count = (size_t)growing->count,
            .output = about->vectors ? -1 : (int32_t)(t % about->output_count)};
        CHECK_EQ(ax_forest_add(&builder, ctx, t, &source), AX_OK);
    }
    return forest;
}

double *
forest_case_rows(struct ax_ctx *ctx, const struct forest_case *about, size_t count)
{
    uint64_t state = about->seed * 77 + 5;
    double *rows = AX_NEW_ARRAY(ctx->arena, double, count * about->feature_count);
    for (size_t i = 0; i < count * about->feature_count; i++) {
        double x = uniform(&state) * CODES;
        rows[i] = uniform(&state) < 0.1 ? (double)NAN : uniform(&state) < 0.5 ? floor(x) : x;
    }
    return rows;
}

/* One tree's game; reference: NULL for the cover, else the rows compared with. */
struct game {
    const struct ax_forest *forest;
    const struct ax_forest_tree *tree;
    const double *row, *reference;
    size_t output;
};

/* ---- by leaves, in __float128 ---- */

struct factors {
    size_t count;
    int32_t feature[PATH_MAX_FEATURES];
    quad ratio[PATH_MAX_FEATURES];
    bool one[PATH_MAX_FEATURES]; /* the row satisfies all splits on the feature */
    bool two[PATH_MAX_FEATURES]; /* the reference does */
};

/* Parents by a search: slow, and independent of any order of nodes. */
static const struct ax_forest_node *
parent_of(const struct ax_forest_tree *tree, const struct ax_forest_node *node)
{
    int32_t at = (int32_t)(node - tree->nodes);
    for (uint32_t n = 0; n < tree->node_count; n++)
        if (tree->nodes[n].left >= 0 && (tree->nodes[n].left == at || tree->nodes[n].right == at))
            return &tree->nodes[n];
    return NULL;
}

static struct factors
factors_of(const struct ax_forest *forest, const struct ax_forest_tree *tree,
           const struct ax_forest_node *leaf, const double *row, const double *reference)
{
    struct factors f = {};
    const struct ax_forest_node *below = leaf;
    for (const struct ax_forest_node *n; (n = parent_of(tree, below)) != NULL; below = n) {
        bool left = n->left == below - tree->nodes;
        size_t i = 0;
        while (i < f.count && f.feature[i] != n->feature)
            i++;
        if (i == f.count) {
            f.feature[f.count++] = n->feature;
            f.ratio[i] = 1;
            f.one[i] = f.two[i] = true;
        }
        f.ratio[i] *= (quad)tree->share[below - tree->nodes];
        f.one[i] &= ax_forest_goes_left(forest, n, row[n->feature]) == left;
        if (reference)
            f.two[i] &= ax_forest_goes_left(forest, n, reference[n->feature]) == left;
    }
    return f;
}

static quad
integral_without(const struct factors *f, size_t skip)
{
    quad c[PATH_MAX_FEATURES + 1] = {1}, sum = 0;
    int degree = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (i == skip)
            continue;
        quad slope = (quad)f->one[i] - f->ratio[i];
        c[++degree] = 0;
        for (int d = degree; d > 0; d--)
            c[d] = c[d] * f->ratio[i] + c[d - 1] * slope;
        c[0] *= f->ratio[i];
    }
    for (int d = 0; d <= degree; d++)
        sum += c[d] / (d + 1);
    return sum;
}

static void
add_path(const struct factors *f, double value, quad *to, size_t bias)
{
    quad reach = 1;
    for (size_t i = 0; i < f->count; i++) {
        to[f->feature[i]] += (quad)value * ((quad)f->one[i] - f->ratio[i]) * integral_without(f, i);
        reach *= f->ratio[i];
    }
    to[bias] += (quad)value * reach;
}

/* (a-1)! b! / (a+b)! */
static quad
weight(size_t a, size_t b)
{
    quad w = 1 / (quad)a;
    for (size_t i = 1; i <= b; i++)
        w *= (quad)i / (quad)(a + i);
    return w;
}

static void
add_reference(const struct factors *f, double value, quad *to, size_t bias)
{
    size_t a = 0, b = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (!f->one[i] && !f->two[i])
            return;
        a += f->one[i] && !f->two[i];
        b += f->two[i] && !f->one[i];
    }
    if (a == 0)
        to[bias] += (quad)value;
    for (size_t i = 0; i < f->count; i++) {
        if (f->one[i] && !f->two[i])
            to[f->feature[i]] += (quad)value * weight(a, b);
        if (f->two[i] && !f->one[i])
            to[f->feature[i]] -= (quad)value * weight(b, a);
    }
}

/* What one leaf adds, in every game and for every output of its tree. */
static void
add_leaf(const struct game *game, const struct ax_forest_node *leaf, size_t games, quad *sum)
{
    const struct ax_forest *forest = game->forest;
    const struct ax_forest_tree *tree = game->tree;
    size_t features = forest->feature_count;
    size_t from = tree->output < 0 ? 0 : (size_t)tree->output;
    size_t to = tree->output < 0 ? forest->output_count : from + 1;
    for (size_t r = 0; r < games; r++) {
        const double *reference = game->reference ? game->reference + r * features : NULL;
        struct factors f = factors_of(forest, tree, leaf, game->row, reference);
        for (size_t k = from; k < to; k++) {
            double value = ax_forest_value(forest, tree, leaf, k);
            if (reference)
                add_reference(&f, value, sum + k * (features + 1), features);
            else
                add_path(&f, value, sum + k * (features + 1), features);
        }
    }
}

void
forest_case_oracle(struct ax_ctx *ctx, const struct ax_forest *forest, const double *row,
                   const double *references, size_t count, double *out)
{
    size_t stride = forest->feature_count + 1, width = forest->output_count * stride;
    size_t games = references ? count : 1;
    quad *sum = AX_NEW_ARRAY(ctx->arena, quad, width);
    for (size_t t = 0; t < forest->tree_count; t++) {
        struct game game = {forest, &forest->trees[t], row, references, 0};
        for (uint32_t n = 0; n < game.tree->node_count; n++)
            if (game.tree->nodes[n].left < 0)
                add_leaf(&game, &game.tree->nodes[n], games, sum);
    }
    for (size_t i = 0; i < width; i++)
        out[i] = (double)(sum[i] / (quad)(double)games);
    for (size_t k = 0; k < forest->output_count; k++)
        out[k * stride + stride - 1] += forest->base[k];
}

/* ---- by all subsets ---- */

/* What the tree is worth when the features of the subset are the row's. */
static double
worth(const struct game *game, const struct ax_forest_node *node, uint32_t subset)
{
    const struct ax_forest_node *nodes = game->tree->nodes;
    if (node->left < 0)
        return ax_forest_value(game->forest, game->tree, node, game->output);
    const double *from = subset >> node->feature & 1 ? game->row : game->reference;
    if (from)
        return worth(
            game,
            &nodes[ax_forest_goes_left(game->forest, node, from[node->feature]) ? node->left
                                                                                : node->right],
            subset);
    return game->tree->share[node->left] * worth(game, &nodes[node->left], subset) +
           game->tree->share[node->right] * worth(game, &nodes[node->right], subset);
}

static void
add_game(const struct game *game, size_t features, double scale, double *out)
{
    double weights[FEATURES_ENUMERATED_MAX + 1];
    for (size_t k = 0; k < features; k++) { /* k! (m-k-1)! / m! */
        weights[k] = 1.0 / (double)features;
        for (size_t i = 1; i <= k; i++)
            weights[k] *= (double)i / (double)(features - i);
    }
    for (uint32_t subset = 0; subset < UINT32_C(1) << features; subset++) {
        double value = scale * worth(game, game->tree->nodes, subset);
        size_t size = (size_t)__builtin_popcount(subset);
        for (size_t f = 0; f < features; f++)
            out[f] += subset >> f & 1 ? weights[size - 1] * value : -weights[size] * value;
        if (subset == 0)
            out[features] += value;
    }
}

void
forest_case_enumerate(const struct ax_forest *forest, const double *row, const double *references,
                      size_t count, double *out)
{
    size_t stride = forest->feature_count + 1, games = references ? count : 1;
    CHECK(forest->feature_count <= FEATURES_ENUMERATED_MAX);
    memset(out, 0, forest->output_count * stride * sizeof *out);
    for (size_t k = 0; k < forest->output_count; k++)
        out[k * stride + stride - 1] = forest->base[k];
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        for (size_t k = 0; k < forest->output_count; k++)
            for (size_t r = 0; r < games && (tree->output < 0 || (size_t)tree->output == k); r++) {
                struct game game = {forest, tree, row, NULL, k};
                if (references)
                    game.reference = references + r * forest->feature_count;
                add_game(&game, forest->feature_count, 1.0 / (double)games, out + k * stride);
            }
    }
}

double
forest_case_difference(const double *got, const double *want, size_t count)
{
    double scale = 1e-3, worst = 0;
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < count; i++) {
        double off = fabs(got[i] - want[i]);
        worst = off <= worst ? worst : off; /* NaN is the worst */
    }
    return worst / scale;
}

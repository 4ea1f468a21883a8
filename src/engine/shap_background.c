#include "engine/shap_background.h"

#include "base/assert.h"
#include "base/number.h"
#include "engine/scratch.h"
#include "engine/shap.h"

enum { WORD_BITS = 64, WEIGHTS_SIDE = AX_SHAP_WEIGHTS_MAX + 1 };

/* Who satisfies the path's splits on a feature: both so far, only the row, only the references. */
enum owner { OWNER_BOTH, OWNER_ROW, OWNER_REFERENCES };

/* An inner node on the present path, with the set of references that came along. */
struct frame {
    const struct ax_forest_node *node;
    double phi;      /* of the node's feature, from this node */
    double for_row;  /* sum over the leaves below of value and the weight of the row's features */
    double for_them; /* the same for the references' features */
    uint32_t row_features, their_features; /* on the path, above the node */
    uint8_t owner;                         /* of the node's feature above the node */
    uint8_t owner1;                        /* and on the present edge */
    uint8_t edge;                          /* which of the owner's edges comes next */
};

struct walk {
    const struct ax_forest *forest;
    const struct ax_forest_tree *tree;
    const struct ax_shap_background *background;
    const uint64_t *lefts;
    size_t output;
    double *out;
    uint8_t *goes_left; /* the row's decision at each node */
    uint8_t *owners;    /* of each feature on the present path */
    struct frame *frames;
    uint64_t *sets; /* one a level, and one more */
};

/* ---- preparing ---- */

/* (a-1)! b! / (a+b)!, a >= 1. */
static double
weight_of(size_t a, size_t b)
{
    double weight = 1.0 / (double)a;
    for (size_t i = 1; i <= b; i++)
        weight *= (double)i / (double)(a + i);
    return weight;
}

static ax_status
prepare_weights(struct ax_ctx *ctx, struct ax_arena *arena, const double **out_weights)
{
    double *weights = AX_NEW_ARRAY(arena, double, WEIGHTS_SIDE *WEIGHTS_SIDE);
    if (!weights)
        return ax_fail(ctx, AX_LIMIT, "no memory for the weights of a reference population");
    for (size_t a = 1; a < WEIGHTS_SIDE; a++)
        for (size_t b = 0; a + b < WEIGHTS_SIDE; b++)
            weights[a * WEIGHTS_SIDE + b] = weight_of(a, b);
    *out_weights = weights;
    return AX_OK;
}

static void
fill_lefts(const struct ax_forest *forest, const struct ax_forest_tree *tree,
           const struct ax_shap_population *population, uint64_t *sets)
{
    size_t words = (population->count + WORD_BITS - 1) / WORD_BITS;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *node = &tree->nodes[n];
        for (size_t r = 0; node->left >= 0 && r < population->count; r++) {
            double x = population->rows[r * forest->feature_count + (size_t)node->feature];
            if (ax_forest_goes_left(forest, node, x))
                sets[n * words + r / WORD_BITS] |= UINT64_C(1) << r % WORD_BITS;
        }
    }
}

static ax_status
prepare_lefts(const struct ax_forest *forest, struct ax_ctx *ctx, struct ax_arena *arena,
              const struct ax_shap_population *population, const bool *trees,
              struct ax_shap_background *background)
{
    const uint64_t **lefts = AX_NEW_ARRAY(arena, const uint64_t *, forest->tree_count);
    if (!lefts)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reference population");
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        size_t words;
        if (trees && !trees[t])
            continue;
        uint64_t *sets = ax_mul(tree->node_count, background->words, &words)
                             ? AX_NEW_ARRAY(arena, uint64_t, words)
                             : NULL;
        if (!sets)
            return ax_fail(ctx, AX_LIMIT, "no memory for a reference population of %zu rows",
                           background->count);
        fill_lefts(forest, tree, population, sets);
        lefts[t] = sets;
    }
    background->lefts = lefts;
    return AX_OK;
}

static ax_status
prepare_mean(const struct ax_forest *forest, struct ax_ctx *ctx, struct ax_arena *arena,
             const struct ax_shap_population *population, struct ax_shap_background *background)
{
    double *mean = AX_NEW_ARRAY(arena, double, forest->output_count);
    if (!mean)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reference population");
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        size_t from = tree->output < 0 ? 0 : (size_t)tree->output;
        size_t to = tree->output < 0 ? forest->output_count : from + 1;
        for (size_t r = 0; r < background->count; r++) {
            const struct ax_forest_node *leaf =
                ax_forest_leaf(forest, tree, population->rows + r * forest->feature_count);
            for (size_t k = from; k < to; k++)
                mean[k] += ax_forest_value(forest, tree, leaf, k);
        }
    }
    for (size_t k = 0; k < forest->output_count; k++)
        mean[k] = forest->base[k] + mean[k] / (double)background->count;
    background->mean = mean;
    return AX_OK;
}

ax_status
ax_shap_background_prepare(const struct ax_forest *forest, struct ax_ctx *ctx,
                           struct ax_arena *arena, const struct ax_shap_population *population,
                           const bool *trees, struct ax_shap_background *out_background)
{
    AX_ASSERT(population->count > 0);
    AX_ASSERT(ax_shap_fits(forest));
    struct ax_shap_background background = {
        .count = population->count, .words = (population->count + WORD_BITS - 1) / WORD_BITS};
    AX_TRY(prepare_weights(ctx, arena, &background.weights));
    AX_TRY(prepare_lefts(forest, ctx, arena, population, trees, &background));
    AX_TRY(prepare_mean(forest, ctx, arena, population, &background));
    *out_background = background;
    return AX_OK;
}

/* ---- sets of references ---- */

/* out: those of `set` that go left (or those that do not); false when there are none. */
static bool
part(const struct walk *walk, const uint64_t *set, const uint64_t *lefts, bool left, uint64_t *out)
{
    uint64_t any = 0, flip = left ? 0 : ~UINT64_C(0);
    for (size_t i = 0; i < walk->background->words; i++)
        any |= out[i] = set[i] & (lefts[i] ^ flip);
    return any != 0;
}

static double
count_of(const struct walk *walk, const uint64_t *set)
{
    int count = 0;
    for (size_t i = 0; i < walk->background->words; i++)
        count += __builtin_popcountll(set[i]);
    return (double)count;
}

static double
weight(const struct walk *walk, uint32_t a, uint32_t b)
{
    if (a == 0)
        return 0;
    if (a + b <= AX_SHAP_WEIGHTS_MAX)
        return walk->background->weights[a * WEIGHTS_SIDE + b];
    return weight_of(a, b);
}

/* ---- the walk ---- */

/*
 * The next edge of the frame that any reference takes along: sets owner1 and the set of the next
 * level. False when there is none left.
 *
 * Both agree so far: those who decide as the row go with it; the others go with it as the row's
 * alone, and their own way as theirs alone. Once a feature is one's alone, its way is followed.
 */
static bool
take_edge(const struct walk *walk, size_t level, struct frame *frame,
          const struct ax_forest_node **out_child)
{
    static const uint8_t owners[] = {OWNER_BOTH, OWNER_ROW, OWNER_REFERENCES};
    static const uint8_t edge_counts[] = {3, 1, 2};
    size_t words = walk->background->words;
    size_t n = (size_t)(frame->node - walk->tree->nodes);
    const uint64_t *lefts = &walk->lefts[n * words], *set = &walk->sets[level * words];
    uint64_t *next = &walk->sets[(level + 1) * words];
    bool row_left = walk->goes_left[n], left = row_left, any = true;
    while (frame->edge < edge_counts[frame->owner]) {
        uint8_t edge = frame->edge++;
        frame->owner1 = frame->owner;
        if (frame->owner == OWNER_BOTH) {
            AX_ASSERT(edge < AX_COUNT_OF(owners));
            frame->owner1 = owners[edge];
            any = part(walk, set, lefts, edge == 0 ? row_left : !row_left, next);
            left = edge == 2 ? !row_left : row_left;
        } else if (frame->owner == OWNER_ROW) {
            memcpy(next, set, words * sizeof *next);
        } else {
            left = edge == 0;
            any = part(walk, set, lefts, left, next);
        }
        if (!any)
            continue;
        *out_child = &walk->tree->nodes[left ? frame->node->left : frame->node->right];
        return true;
    }
    return false;
}

static void
add_child(struct frame *frame, double for_row, double for_them)
{
    frame->for_row += for_row;
    frame->for_them += for_them;
    if (frame->owner != OWNER_BOTH)
        return;
    if (frame->owner1 == OWNER_ROW)
        frame->phi += for_row;
    else if (frame->owner1 == OWNER_REFERENCES)
        frame->phi -= for_them;
}

static void
enter(const struct walk *walk, size_t level, const struct ax_forest_node *node, uint32_t row,
      uint32_t them)
{
    walk->frames[level] = (struct frame){.node = node,
                                         .row_features = row,
                                         .their_features = them,
                                         .owner = walk->owners[node->feature]};
}

static void
add_leaf(const struct walk *walk, size_t level, const struct ax_forest_node *leaf, uint32_t row,
         uint32_t them)
{
    const uint64_t *set = &walk->sets[(level + 1) * walk->background->words];
    double value = ax_forest_value(walk->forest, walk->tree, leaf, walk->output);
    value *= count_of(walk, set);
    add_child(&walk->frames[level], value * weight(walk, row, them),
              value * weight(walk, them, row));
}

static void
walk_tree(const struct walk *walk)
{
    size_t level = 0;
    enter(walk, 0, walk->tree->nodes, 0, 0);
    for (;;) {
        struct frame *frame = &walk->frames[level];
        const struct ax_forest_node *child;
        if (!take_edge(walk, level, frame, &child)) {
            walk->owners[frame->node->feature] = frame->owner;
            walk->out[frame->node->feature] += frame->phi;
            if (level == 0)
                return;
            level--;
            add_child(&walk->frames[level], frame->for_row, frame->for_them);
            continue;
        }
        bool fresh = frame->owner == OWNER_BOTH;
        uint32_t row = frame->row_features + (fresh && frame->owner1 == OWNER_ROW);
        uint32_t them = frame->their_features + (fresh && frame->owner1 == OWNER_REFERENCES);
        if (child->left < 0) {
            add_leaf(walk, level, child, row, them);
        } else {
            walk->owners[frame->node->feature] = frame->owner1;
            enter(walk, ++level, child, row, them);
        }
    }
}

/* ---- exported ---- */

size_t
ax_shap_background_scratch_bytes(const struct ax_forest *forest,
                                 const struct ax_shap_background *background)
{
    return ax_scratch_bytes(1, forest->tree_nodes_max) +
           ax_scratch_bytes(1, forest->feature_count) +
           ax_scratch_bytes(sizeof(struct frame), forest->depth_max) +
           ax_scratch_bytes(sizeof(uint64_t), (forest->depth_max + 1) * background->words);
}

/* All references are in the set at the root. */
static void
fill_root(const struct walk *walk)
{
    size_t words = walk->background->words, over = walk->background->count % WORD_BITS;
    memset(walk->sets, 0xff, words * sizeof *walk->sets);
    if (over)
        walk->sets[words - 1] = (UINT64_C(1) << over) - 1;
}

static void
add_tree(struct walk *walk, const double *row, size_t stride, double *out)
{
    const struct ax_forest_tree *tree = walk->tree;
    if (tree->nodes[0].left < 0)
        return; /* a single leaf is the same for everyone */
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *node = &tree->nodes[n];
        walk->goes_left[n] =
            node->left >= 0 && ax_forest_goes_left(walk->forest, node, row[node->feature]);
    }
    size_t from = tree->output < 0 ? 0 : (size_t)tree->output;
    size_t to = tree->output < 0 ? walk->forest->output_count : from + 1;
    for (size_t k = from; k < to; k++) {
        walk->output = k;
        walk->out = out + k * stride;
        walk_tree(walk);
    }
}

static struct walk
walk_of(const struct ax_forest *forest, const struct ax_shap_background *background, void *scratch)
{
    struct walk walk = {.forest = forest, .background = background};
    walk.goes_left = ax_scratch_take(&scratch, 1, forest->tree_nodes_max);
    walk.owners = ax_scratch_take(&scratch, 1, forest->feature_count);
    walk.frames = ax_scratch_take(&scratch, sizeof *walk.frames, forest->depth_max);
    walk.sets =
        ax_scratch_take(&scratch, sizeof *walk.sets, (forest->depth_max + 1) * background->words);
    memset(walk.owners, OWNER_BOTH, forest->feature_count);
    fill_root(&walk);
    return walk;
}

void
ax_shap_background_add_tree(const struct ax_forest *forest,
                            const struct ax_shap_background *background, size_t tree,
                            const double *row, void *scratch, double *out)
{
    struct walk walk = walk_of(forest, background, scratch);
    walk.tree = &forest->trees[tree];
    walk.lefts = background->lefts[tree];
    add_tree(&walk, row, forest->feature_count + 1, out);
}

void
ax_shap_background_row(const struct ax_forest *forest, const struct ax_shap_background *background,
                       const double *row, void *scratch, double *out)
{
    size_t stride = forest->feature_count + 1;
    struct walk walk = walk_of(forest, background, scratch);
    memset(out, 0, forest->output_count * stride * sizeof *out);
    for (size_t t = 0; t < forest->tree_count; t++) {
        walk.tree = &forest->trees[t];
        walk.lefts = background->lefts[t];
        add_tree(&walk, row, stride, out);
    }
    for (size_t i = 0; i < forest->output_count * stride; i++)
        out[i] /= (double)background->count;
    for (size_t k = 0; k < forest->output_count; k++)
        out[k * stride + stride - 1] = background->mean[k];
}

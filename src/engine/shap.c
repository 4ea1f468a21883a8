#include "engine/shap.h"

#include "base/assert.h"
#include "engine/scratch.h"

enum { LANES = 4, GAUSS_STEPS_MAX = 100 };

/* A cold feature whose share is below this cannot move any sum of doubles; its leaves are passed.
 */
#define SHARE_MIN 1e-200

/* What the path down to the present node says about one feature. */
struct feature_state {
    double ratio;  /* product of the shares of its splits */
    uint32_t seen; /* its splits on the path */
    bool one;      /* the row goes the path's way at all of them */
};

/* An inner node on the present path. */
struct frame {
    const struct ax_forest_node *node;
    double phi;           /* of the node's feature, from this node */
    double ratio, ratio1; /* the feature's ratio above the node, and on the present edge */
    bool one, one1;       /* the same for `one` */
    bool seen;            /* the feature was met above */
    bool left;            /* where the row goes */
    uint8_t edge;         /* 0 left, 1 right, 2 done: the edge that comes next */
};

struct walk {
    const struct ax_forest *forest;
    const struct ax_forest_tree *tree;
    const double *row;
    size_t output; /* of a leaf vector */
    const double *t, *w;
    size_t points; /* padded */
    double *out;   /* the output's block */
    struct feature_state *states;
    struct frame *frames;
    double *above; /* per level: product of the other features' factors, weights included */
    double *below; /* per level: sum over the leaves below of value and factors below */
    double *takes; /* per level, of repeated features: 1 / the factor to be replaced */
};

/* ---- points ---- */

size_t
ax_shap_padded(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

static size_t
points_of(uint32_t feature_max)
{
    return (feature_max + 1) / 2;
}

/* Newton's method on the Legendre polynomial, from the usual first guess, in long double. */
void
ax_shap_gauss(size_t count, double *out_t, double *out_w)
{
    long double n = (long double)count;
    for (size_t i = 0; i < count; i++) {
        long double x =
            cosl(3.14159265358979323846264338327950288L * ((long double)i + 0.75L) / (n + 0.5L));
        long double slope = 1;
        for (int step = 0; step < GAUSS_STEPS_MAX; step++) {
            long double before = 1, value = x;
            for (size_t k = 2; k <= count; k++) {
                long double d = (long double)k;
                long double next = ((2 * d - 1) * x * value - (d - 1) * before) / d;
                before = value;
                value = next;
            }
            slope = n * (x * value - before) / (x * x - 1);
            long double move = value / slope;
            x -= move;
            if (fabsl(move) < 1e-19L)
                break;
        }
        out_t[i] = (double)((1 + x) / 2);
        out_w[i] = (double)(1 / ((1 - x * x) * slope * slope));
    }
}

bool
ax_shap_fits(const struct ax_forest *forest)
{
    return forest->depth_max <= AX_SHAP_DEPTH_MAX && forest->feature_max <= AX_SHAP_FEATURES_MAX;
}

static ax_status
prepare_size(struct ax_ctx *ctx, struct ax_arena *arena, size_t count, const double **out_points)
{
    size_t room = ax_shap_padded(count);
    double *points = AX_NEW_ARRAY(arena, double, 2 * room);
    if (!points)
        return ax_fail(ctx, AX_LIMIT, "no memory for quadrature points");
    ax_shap_gauss(count, points, points + room);
    for (size_t q = count; q < room; q++)
        points[q] = 0.5; /* of weight 0; inside the interval, so that no quotient is 0 / 0 */
    *out_points = points;
    return AX_OK;
}

ax_status
ax_shap_prepare(const struct ax_forest *forest, struct ax_ctx *ctx, struct ax_arena *arena,
                struct ax_shap_points *out_points)
{
    AX_ASSERT(ax_shap_fits(forest));
    size_t count_max = points_of(forest->feature_max);
    const double **points = AX_NEW_ARRAY(arena, const double *, count_max + 1);
    if (!points)
        return ax_fail(ctx, AX_LIMIT, "no memory for quadrature points");
    for (size_t t = 0; t < forest->tree_count; t++) {
        size_t count = points_of(forest->trees[t].feature_max);
        if (count > 0 && !points[count])
            AX_TRY(prepare_size(ctx, arena, count, &points[count]));
    }
    *out_points = (struct ax_shap_points){.points = points, .count_max = count_max};
    return AX_OK;
}

/* ---- vectors over the points: four sums side by side, so that the order is the same anywhere ----
 */

static double
dot(const double *a, const double *b, size_t count)
{
    double sums[LANES] = {};
    for (size_t q = 0; q < count; q += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[q + lane] * b[q + lane];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static double
total(const double *a, size_t count)
{
    double sums[LANES] = {};
    for (size_t q = 0; q < count; q += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[q + lane];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* ---- the walk ---- */

/* Puts a node on the path; above[level] holds the product of all factors so far. */
static void
enter(const struct walk *walk, size_t level, const struct ax_forest_node *node)
{
    const struct feature_state *state = &walk->states[node->feature];
    double *above = &walk->above[level * walk->points], *takes = &walk->takes[level * walk->points];
    walk->frames[level] = (struct frame){
        .node = node,
        .ratio = state->ratio,
        .one = state->one,
        .seen = state->seen > 0,
        .left = ax_forest_goes_left(walk->forest, node, walk->row[node->feature]),
    };
    memset(&walk->below[level * walk->points], 0, walk->points * sizeof *walk->below);
    if (state->seen == 0)
        return;
    double slope = (state->one ? 1.0 : 0.0) - state->ratio;
    for (size_t q = 0; q < walk->points; q++) {
        takes[q] = 1.0 / (state->ratio + walk->t[q] * slope);
        above[q] *= takes[q];
    }
}

/* Takes the sums of a child (a vector, or one value of a leaf) into its parent's frame. */
static void
add_child(const struct walk *walk, size_t level, const double *child, double value)
{
    struct frame *frame = &walk->frames[level];
    const double *above = &walk->above[level * walk->points];
    const double *takes = &walk->takes[level * walk->points];
    double *below = &walk->below[level * walk->points];
    double ratio = frame->ratio1, slope = (frame->one1 ? 1.0 : 0.0) - ratio;
    double sum = child ? dot(above, child, walk->points) : value * total(above, walk->points);
    frame->phi += slope * sum;
    for (size_t q = 0; q < walk->points; q++) {
        double factor = ratio + walk->t[q] * slope;
        if (frame->seen)
            factor *= takes[q];
        below[q] += factor * (child ? child[q] : value);
    }
}

/* Sets the frame up for its next edge; false when no leaf beyond it counts. */
static bool
take_edge(const struct walk *walk, struct frame *frame, const struct ax_forest_node **out_child)
{
    bool left = frame->edge++ == 0;
    int32_t child = left ? frame->node->left : frame->node->right;
    frame->one1 = frame->one && frame->left == left;
    frame->ratio1 = frame->ratio * walk->tree->share[child];
    *out_child = &walk->tree->nodes[child];
    return frame->one1 || frame->ratio1 > SHARE_MIN;
}

static void
descend(const struct walk *walk, size_t level, const struct ax_forest_node *child)
{
    const struct frame *frame = &walk->frames[level];
    const double *above = &walk->above[level * walk->points];
    double *next = &walk->above[(level + 1) * walk->points];
    double ratio = frame->ratio1, slope = (frame->one1 ? 1.0 : 0.0) - ratio;
    struct feature_state *state = &walk->states[frame->node->feature];
    *state = (struct feature_state){
        .ratio = ratio, .one = frame->one1, .seen = frame->seen ? state->seen : 1};
    for (size_t q = 0; q < walk->points; q++)
        next[q] = above[q] * (ratio + walk->t[q] * slope);
    enter(walk, level + 1, child);
}

/* Both edges are done: the feature gets its sum, less what it was given above. */
static void
leave(const struct walk *walk, size_t level)
{
    struct frame *frame = &walk->frames[level];
    struct feature_state *state = &walk->states[frame->node->feature];
    if (frame->seen)
        frame->phi -= ((frame->one ? 1.0 : 0.0) - frame->ratio) *
                      dot(&walk->above[level * walk->points], &walk->below[level * walk->points],
                          walk->points);
    walk->out[frame->node->feature] += frame->phi;
    *state = (struct feature_state){
        .ratio = frame->ratio, .one = frame->one, .seen = frame->seen ? state->seen : 0};
}

static void
walk_tree(struct walk *walk)
{
    size_t level = 0;
    memcpy(walk->above, walk->w, walk->points * sizeof *walk->above);
    enter(walk, 0, walk->tree->nodes);
    for (;;) {
        struct frame *frame = &walk->frames[level];
        const struct ax_forest_node *child;
        if (frame->edge == 2) {
            leave(walk, level);
            if (level == 0)
                return;
            level--;
            add_child(walk, level, &walk->below[(level + 1) * walk->points], 0);
        } else if (!take_edge(walk, frame, &child)) {
            continue;
        } else if (child->left < 0) {
            add_child(walk, level, NULL,
                      ax_forest_value(walk->forest, walk->tree, child, walk->output));
        } else {
            descend(walk, level, child);
            level++;
        }
    }
}

/* ---- exported ---- */

size_t
ax_shap_scratch_bytes(const struct ax_forest *forest)
{
    size_t vectors = (size_t)forest->depth_max * ax_shap_padded(points_of(forest->feature_max));
    return ax_scratch_bytes(sizeof(struct feature_state), forest->feature_count) +
           ax_scratch_bytes(sizeof(struct frame), forest->depth_max) +
           3 * ax_scratch_bytes(sizeof(double), vectors);
}

static void
add_tree(struct walk *walk, const struct ax_shap_points *points, size_t stride, double *out)
{
    const struct ax_forest_tree *tree = walk->tree;
    size_t count = points_of(tree->feature_max);
    if (count == 0)
        return; /* a single leaf: its value is in the bias */
    walk->points = ax_shap_padded(count);
    walk->t = points->points[count];
    walk->w = walk->t + walk->points;
    size_t from = tree->output < 0 ? 0 : (size_t)tree->output;
    size_t to = tree->output < 0 ? walk->forest->output_count : from + 1;
    for (size_t k = from; k < to; k++) {
        walk->output = k;
        walk->out = out + k * stride;
        walk_tree(walk);
    }
}

static struct walk
walk_of(const struct ax_forest *forest, const double *row, void *scratch)
{
    size_t vectors = (size_t)forest->depth_max * ax_shap_padded(points_of(forest->feature_max));
    struct walk walk = {.forest = forest, .row = row};
    walk.states = ax_scratch_take(&scratch, sizeof *walk.states, forest->feature_count);
    walk.frames = ax_scratch_take(&scratch, sizeof *walk.frames, forest->depth_max);
    walk.above = ax_scratch_take(&scratch, sizeof(double), vectors);
    walk.below = ax_scratch_take(&scratch, sizeof(double), vectors);
    walk.takes = ax_scratch_take(&scratch, sizeof(double), vectors);
    for (size_t f = 0; f < forest->feature_count; f++)
        walk.states[f] = (struct feature_state){.ratio = 1, .one = true};
    return walk;
}

void
ax_shap_add_tree(const struct ax_forest *forest, const struct ax_shap_points *points, size_t tree,
                 const double *row, void *scratch, double *out)
{
    AX_ASSERT(forest->covers);
    struct walk walk = walk_of(forest, row, scratch);
    walk.tree = &forest->trees[tree];
    add_tree(&walk, points, forest->feature_count + 1, out);
}

void
ax_shap_row(const struct ax_forest *forest, const struct ax_shap_points *points, const double *row,
            void *scratch, double *out)
{
    AX_ASSERT(forest->covers);
    size_t stride = forest->feature_count + 1;
    struct walk walk = walk_of(forest, row, scratch);
    memset(out, 0, forest->output_count * stride * sizeof *out);
    for (size_t t = 0; t < forest->tree_count; t++) {
        walk.tree = &forest->trees[t];
        add_tree(&walk, points, stride, out);
    }
    for (size_t k = 0; k < forest->output_count; k++)
        out[k * stride + stride - 1] = forest->mean[k];
}

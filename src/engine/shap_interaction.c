#include "engine/shap_interaction.h"

#include "base/assert.h"
#include "engine/scratch.h"

/* A feature of the present path. */
struct part {
    int32_t feature;
    bool one;     /* the row goes the path's way at all of its splits */
    double share; /* product of the shares of its splits */
};

/* An inner node on the present path. */
struct frame {
    const struct ax_forest_node *node;
    uint32_t part;      /* of its feature */
    struct part before; /* what it was above the node */
    bool fresh;         /* the feature is met here first */
    bool left;          /* where the row goes */
    uint8_t edge;       /* which comes next: 0 left, 1 right */
};

struct walk {
    const struct ax_forest *forest;
    const struct ax_forest_tree *tree;
    const double *row, *t, *w;
    size_t points; /* without padding */
    struct frame *frames;
    struct part *parts;
    uint32_t part_count;
    uint32_t *place; /* by feature: 1 + its part; 0: not on the path */
    double *y;       /* by point, then part: the slopes by the factors */
    double *product; /* by point: of all factors, and the weight */
    double *out;
};

static size_t
points_of(uint32_t feature_max)
{
    return (feature_max + 1) / 2;
}

/* ---- a leaf ---- */

/* Factors at all points; false when no pair gets anything. */
static bool
set_factors(const struct walk *walk)
{
    bool any = false;
    for (size_t q = 0; q < walk->points; q++) {
        double *y = &walk->y[q * walk->part_count], product = walk->w[q];
        for (uint32_t i = 0; i < walk->part_count; i++) {
            const struct part *part = &walk->parts[i];
            double slope = (part->one ? 1.0 : 0.0) - part->share;
            double factor = part->share + walk->t[q] * slope;
            if (factor <= 0)
                return false;
            y[i] = slope / factor;
            product *= factor;
        }
        walk->product[q] = product;
        any = any || product > 0;
    }
    return any;
}

/* Gives a pair its part, in the upper half of the matrices. */
static void
add_pair(const struct walk *walk, const struct ax_forest_node *leaf, uint32_t i, uint32_t j)
{
    size_t stride = walk->forest->feature_count + 1;
    size_t a = (size_t)walk->parts[i].feature, b = (size_t)walk->parts[j].feature;
    size_t at = a < b ? a * stride + b : b * stride + a;
    double sum = 0;
    for (size_t q = 0; q < walk->points; q++) {
        const double *y = &walk->y[q * walk->part_count];
        sum += walk->product[q] * y[i] * y[j];
    }
    size_t from = walk->tree->output < 0 ? 0 : (size_t)walk->tree->output;
    size_t to = walk->tree->output < 0 ? walk->forest->output_count : from + 1;
    for (size_t k = from; k < to; k++)
        walk->out[k * stride * stride + at] +=
            ax_forest_value(walk->forest, walk->tree, leaf, k) / 2 * sum;
}

static void
add_leaf(const struct walk *walk, const struct ax_forest_node *leaf)
{
    if (walk->part_count < 2 || !set_factors(walk))
        return;
    for (uint32_t i = 0; i < walk->part_count; i++)
        for (uint32_t j = i + 1; j < walk->part_count; j++)
            add_pair(walk, leaf, i, j);
}

/* ---- the walk ---- */

static void
enter(struct walk *walk, size_t level, const struct ax_forest_node *node)
{
    uint32_t *place = &walk->place[node->feature];
    bool fresh = *place == 0;
    if (fresh) {
        walk->parts[walk->part_count++] =
            (struct part){.feature = node->feature, .one = true, .share = 1};
        *place = walk->part_count;
    }
    walk->frames[level] = (struct frame){
        .node = node,
        .part = *place - 1,
        .before = walk->parts[*place - 1],
        .fresh = fresh,
        .left = ax_forest_goes_left(walk->forest, node, walk->row[node->feature]),
    };
}

/* Takes the frame's next edge: the part of its feature becomes what it is below. */
static const struct ax_forest_node *
take_edge(const struct walk *walk, struct frame *frame)
{
    bool left = frame->edge++ == 0;
    int32_t child = left ? frame->node->left : frame->node->right;
    struct part *part = &walk->parts[frame->part];
    part->one = frame->before.one && frame->left == left;
    part->share = frame->before.share * walk->tree->share[child];
    return &walk->tree->nodes[child];
}

static void
leave(struct walk *walk, const struct frame *frame)
{
    walk->parts[frame->part] = frame->before;
    if (!frame->fresh)
        return;
    walk->place[frame->node->feature] = 0;
    walk->part_count--;
}

static void
walk_tree(struct walk *walk)
{
    size_t level = 0;
    enter(walk, 0, walk->tree->nodes);
    for (;;) {
        struct frame *frame = &walk->frames[level];
        if (frame->edge == 2) {
            leave(walk, frame);
            if (level-- == 0)
                return;
            continue;
        }
        const struct ax_forest_node *child = take_edge(walk, frame);
        if (child->left < 0)
            add_leaf(walk, child);
        else
            enter(walk, ++level, child);
    }
}

/* Mirrors the upper half, and leaves on the diagonal what remains of each contribution. */
static void
complete(const struct ax_forest *forest, const double *contributions, double *out)
{
    size_t stride = forest->feature_count + 1;
    for (size_t i = 0; i < stride; i++) {
        double rest = contributions[i];
        for (size_t j = 0; j < stride; j++) {
            if (j < i)
                out[i * stride + j] = out[j * stride + i];
            if (j != i)
                rest -= out[i * stride + j];
        }
        out[i * stride + i] = rest;
    }
}

/* ---- exported ---- */

size_t
ax_shap_interaction_scratch_bytes(const struct ax_forest *forest)
{
    size_t points = points_of(forest->feature_max);
    return ax_scratch_bytes(sizeof(struct frame), forest->depth_max) +
           ax_scratch_bytes(sizeof(struct part), forest->feature_max) +
           ax_scratch_bytes(sizeof(uint32_t), forest->feature_count) +
           ax_scratch_bytes(sizeof(double), points * forest->feature_max) +
           ax_scratch_bytes(sizeof(double), points);
}

void
ax_shap_interaction_row(const struct ax_forest *forest, const struct ax_shap_points *points,
                        const double *row, const double *contributions, void *scratch, double *out)
{
    AX_ASSERT(forest->covers);
    size_t stride = forest->feature_count + 1, points_max = points_of(forest->feature_max);
    struct walk walk = {.forest = forest, .row = row, .out = out};
    walk.frames = ax_scratch_take(&scratch, sizeof *walk.frames, forest->depth_max);
    walk.parts = ax_scratch_take(&scratch, sizeof *walk.parts, forest->feature_max);
    walk.place = ax_scratch_take(&scratch, sizeof *walk.place, forest->feature_count);
    walk.y = ax_scratch_take(&scratch, sizeof *walk.y, points_max * forest->feature_max);
    walk.product = ax_scratch_take(&scratch, sizeof *walk.product, points_max);
    memset(walk.place, 0, forest->feature_count * sizeof *walk.place);
    memset(out, 0, forest->output_count * stride * stride * sizeof *out);
    for (size_t t = 0; t < forest->tree_count; t++) {
        walk.tree = &forest->trees[t];
        walk.points = points_of(walk.tree->feature_max);
        if (walk.points == 0)
            continue; /* a single leaf */
        walk.t = points->points[walk.points];
        walk.w = walk.t + ax_shap_padded(walk.points);
        walk_tree(&walk);
    }
    for (size_t k = 0; k < forest->output_count; k++)
        complete(forest, contributions + k * stride, out + k * stride * stride);
}

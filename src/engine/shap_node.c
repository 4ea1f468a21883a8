#include "engine/shap_node.h"

#include "base/assert.h"
#include "base/number.h"
#include "engine/scratch.h"
#include "engine/shap.h"

enum { CHILDREN_MAX = 2 * AX_SHAP_NODE_UNIT_NODES };

/* A tree and one of its outputs. */
struct job {
    const struct ax_shap_shape *shape;
    uint32_t output;
};

struct build {
    const struct ax_shap_node_source *source;
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    struct ax_shap_nodes *nodes;
    struct ax_shap_node_block *blocks;
    double *values; /* NULL: only measuring */
    size_t value_count, rows_count;
    double t[AX_SHAP_NODE_POINTS_MAX + 1][AX_SHAP_NODE_POINTS_MAX];
    double w[AX_SHAP_NODE_POINTS_MAX + 1][AX_SHAP_NODE_POINTS_MAX];
    uint32_t shared[AX_SHAP_NODE_POINTS_MAX + 1]; /* in values: tau and kappa of a first visit */

    /* Of the block in hand. */
    uint32_t points, lanes;
    struct ax_shap_top *tops;
    struct ax_shap_row_top *row_tops; /* in the order of tops, until they are sorted */
    uint32_t *levels;                 /* inner nodes above */
    uint32_t *row_slots;
    struct ax_shap_node_unit *units[AX_SHAP_NODE_CLASSES];
    uint32_t *owners[AX_SHAP_NODE_CLASSES]; /* 1 + 2 x top + edge; 0: the unit is a root */
    uint32_t *tree_of[AX_SHAP_NODE_CLASSES];
};

/* ---- constants of a node ---- */

struct point {
    double tau, kappa;
};

static struct point
point_of(const struct ax_shap_inner *inner, double t)
{
    double y = inner->before + t * (1 - inner->before);
    return inner->same < 0 ? (struct point){t, 1} : (struct point){t / y, inner->before / (y * y)};
}

/* Decisions on the same feature above: they say whether the node is live. */
static uint64_t
above_of(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk, int32_t inner)
{
    uint64_t mask = 0;
    for (int32_t up = shape->inner[inner].same; up >= 0; up = shape->inner[up].same)
        mask |= UINT64_C(1) << ax_shap_shape_bit(shape, chunk, up);
    return mask;
}

/* s of a node in a state of the chunk's word. */
static double
slope_of(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk, int32_t inner,
         uint64_t word)
{
    for (int32_t at = inner; shape->inner[at].same >= 0; at = shape->inner[at].same) {
        bool left = word >> ax_shap_shape_bit(shape, chunk, shape->inner[at].same) & 1;
        if (left != (shape->inner[at].same_edge == 0))
            return 0;
    }
    double rho = shape->inner[inner].share[0];
    return word >> ax_shap_shape_bit(shape, chunk, inner) & 1 ? 1 - rho : -rho;
}

/* The word whose masked bits are the state's, from the lowest on. */
static uint64_t
deposit(uint64_t state, uint64_t mask)
{
    uint64_t word = 0;
    for (; mask; mask &= mask - 1, state >>= 1)
        word |= state & 1 ? mask & -mask : 0;
    return word;
}

/* Room for count doubles, aligned to as many. */
static uint32_t
take(size_t *used, size_t count, size_t align)
{
    size_t at = (*used + align - 1) / align * align;
    *used = at + count;
    return (uint32_t)at;
}

/* ---- units ---- */

struct fill {
    const struct build *build;
    const struct ax_shap_shape *shape;
    const struct ax_shap_chunk *chunk;
    uint32_t output;
    uint32_t feature_count;
    int32_t feature[AX_SHAP_NODE_UNIT_NODES];
    uint64_t word;
    double t;
    double gap[AX_SHAP_NODE_UNIT_NODES]; /* by node, from the unit's root on */
    double given[AX_SHAP_NODE_UNIT_NODES];
    int32_t root;
};

static double
fill_up(struct fill *fill, int32_t child)
{
    const struct ax_shap_shape *shape = fill->shape;
    if (child < 0)
        return ax_forest_value(fill->build->source->forest, shape->tree, shape->leaves[~child].node,
                               fill->output);
    const struct ax_shap_inner *inner = &shape->inner[child];
    double left = fill_up(fill, inner->child[0]), right = fill_up(fill, inner->child[1]);
    double s = slope_of(shape, fill->chunk, child, fill->word), gap = left - right;
    fill->gap[child - fill->root] = gap;
    return right + (inner->share[0] + s * point_of(inner, fill->t).tau) * gap;
}

static void
fill_down(struct fill *fill, int32_t child, double p)
{
    if (child < 0)
        return;
    const struct ax_shap_inner *inner = &fill->shape->inner[child];
    struct point point = point_of(inner, fill->t);
    double s = slope_of(fill->shape, fill->chunk, child, fill->word);
    uint32_t f = 0;
    while (fill->feature[f] != inner->node->feature)
        f++;
    fill->given[f] += p * (s * point.kappa * fill->gap[child - fill->root]);
    double left = p * (inner->share[0] + s * point.tau);
    fill_down(fill, inner->child[0], left);
    fill_down(fill, inner->child[1], p - left);
}

static void
fill_tables(struct fill *fill, int32_t child, const struct ax_shap_node_unit *unit)
{
    const struct build *build = fill->build;
    size_t width = 1 + fill->feature_count, states = (size_t)1 << unit->bits;
    for (size_t state = 0; state < states; state++)
        for (uint32_t q = 0; q < build->lanes; q++) {
            double *by_point =
                build->values + unit->points_table + state * width * build->lanes + q;
            fill->word = deposit(state, unit->mask);
            fill->t = q < build->points ? build->t[build->points][q] : 0.5;
            memset(fill->given, 0, sizeof fill->given);
            by_point[0] = fill_up(fill, child);
            fill_down(fill, child, 1);
            for (uint32_t f = 0; f < fill->feature_count; f++)
                by_point[(1 + f) * build->lanes] = fill->given[f];
        }
}

/* What a unit with root `child` would look up by; count of features SIZE_MAX: it is none. */
struct plan {
    uint64_t mask;
    uint32_t bits;
    uint32_t feature_count;
    int32_t feature[AX_SHAP_NODE_UNIT_NODES];
};

static bool
plan_unit(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk, int32_t child,
          struct plan *out_plan)
{
    *out_plan = (struct plan){};
    uint32_t own = child < 0 ? 0 : shape->inner[child].below;
    if (own > AX_SHAP_NODE_UNIT_NODES || (own > 0 && child < chunk->root))
        return false;
    for (int32_t n = child; n < child + (int32_t)own; n++) {
        out_plan->mask |= UINT64_C(1) << ax_shap_shape_bit(shape, chunk, n);
        out_plan->mask |= above_of(shape, chunk, n);
        int32_t feature = shape->inner[n].node->feature;
        uint32_t f = 0;
        while (f < out_plan->feature_count && out_plan->feature[f] != feature)
            f++;
        out_plan->feature[f] = feature;
        out_plan->feature_count += f == out_plan->feature_count;
    }
    out_plan->bits = (uint32_t)__builtin_popcountll(out_plan->mask);
    return out_plan->bits <= AX_SHAP_NODE_UNIT_BITS;
}

static struct ax_shap_node_unit
make_unit(struct build *build, const struct job *job, const struct ax_shap_chunk *chunk,
          int32_t child, const struct plan *plan)
{
    size_t states = (size_t)1 << plan->bits, width = 1 + plan->feature_count;
    size_t features = build->source->forest->feature_count;
    struct ax_shap_node_unit unit = {
        .mask = plan->mask, .byte = (uint32_t)(chunk->first_slot / 8), .bits = (uint8_t)plan->bits};
    unit.points_table =
        take(&build->value_count, states * width * build->lanes, AX_SHAP_NODE_LANES);
    unit.rows_table = take(&build->rows_count, states * width * build->points,
                           states < AX_SHAP_NODE_ROWS ? states : AX_SHAP_NODE_ROWS);
    uint32_t bit = 0;
    for (uint64_t mask = plan->mask; mask; mask &= mask - 1)
        unit.slot[bit++] = (uint32_t)chunk->first_slot + (uint32_t)__builtin_ctzll(mask);
    for (uint32_t f = 0; f < plan->feature_count; f++)
        unit.column[f] = (uint32_t)(job->output * features + (size_t)plan->feature[f]);
    if (!build->values)
        return unit;
    struct fill fill = {.build = build,
                        .shape = job->shape,
                        .chunk = chunk,
                        .output = job->output,
                        .feature_count = plan->feature_count,
                        .root = child};
    memcpy(fill.feature, plan->feature, sizeof fill.feature);
    fill_tables(&fill, child, &unit);
    return unit;
}

/* ---- tops ---- */

static void
fill_top(const struct build *build, const struct ax_shap_shape *shape,
         const struct ax_shap_chunk *chunk, int32_t inner, const struct ax_shap_row_top *top)
{
    const struct ax_shap_inner *at = &shape->inner[inner];
    size_t states = (size_t)1 << __builtin_popcountll(top->mask);
    build->values[top->states] = at->share[0];
    for (size_t state = 0; state < states; state++)
        build->values[top->states + 1 + state] =
            slope_of(shape, chunk, inner, deposit(state, top->mask));
    for (uint32_t q = 0; at->same >= 0 && q < build->lanes; q++) {
        struct point point = point_of(at, q < build->points ? build->t[build->points][q] : 0.5);
        build->values[top->tau + q] = point.tau;
        build->values[top->tau + build->lanes + q] = point.kappa;
    }
}

/* Makes top `at` of the block. */
static void
make_top(struct build *build, const struct job *job, const struct ax_shap_chunk *chunk,
         int32_t inner, uint32_t at)
{
    const struct ax_shap_shape *shape = job->shape;
    const struct ax_shap_inner *node = &shape->inner[inner];
    uint32_t bit = ax_shap_shape_bit(shape, chunk, inner);
    size_t features = build->source->forest->feature_count;
    struct ax_shap_row_top row_top = {
        .mask = above_of(shape, chunk, inner) | UINT64_C(1) << bit,
        .byte = (uint32_t)(chunk->first_slot / 8),
        .tau = build->shared[build->points],
    };
    size_t states = (size_t)1 << __builtin_popcountll(row_top.mask);
    row_top.states = take(&build->value_count, 1 + states, 1);
    if (node->same >= 0)
        row_top.tau = take(&build->value_count, 2 * (size_t)build->lanes, AX_SHAP_NODE_LANES);
    if (!build->values)
        return;
    fill_top(build, shape, chunk, inner, &row_top);
    build->row_tops[at] = row_top;
    build->levels[at] = node->level;
    build->tops[at] = (struct ax_shap_top){
        .states = row_top.states,
        .tau = row_top.tau,
        .column = (uint32_t)(job->output * features + (size_t)node->node->feature),
        .slot = (uint32_t)chunk->first_slot + bit,
        .same = -1,
        .same_edge = node->same_edge,
    };
}

/* ---- blocks ---- */

/* A subtree on its way into a block. */
struct place {
    int32_t parent; /* inner node; -1: the whole tree */
    uint8_t edge;
    uint32_t owner; /* 1 + 2 x top of the block + edge; 0: none */
};

/* Tells the owner of a subtree in which slots it lies. */
static void
set_child(struct build *build, uint32_t owner, uint32_t row_slot, uint32_t slot)
{
    struct ax_shap_top *top = &build->tops[owner / 2 - 1];
    struct ax_shap_row_top *row_top = &build->row_tops[owner / 2 - 1];
    *(owner & 1 ? &top->right : &top->left) = slot;
    *(owner & 1 ? &row_top->right : &row_top->left) = row_slot;
}

/* Nodes above the units parents first; same: by inner node, its top in the tree. Trees with
 * chunks are at most 64 inner nodes deep. */
static void
add_subtree(struct build *build, const struct job *job, struct ax_shap_node_block *block,
            struct place place, int32_t *tops)
{
    const struct ax_shap_shape *shape = job->shape;
    struct ax_shap_node_tree *tree = &block->trees[block->tree_count];
    int32_t child = place.parent < 0 ? 0 : shape->inner[place.parent].child[place.edge];
    const struct ax_shap_chunk *chunk = ax_shap_shape_chunk_below(shape, place.parent, place.edge);
    struct plan plan;
    if (plan_unit(shape, chunk, child, &plan)) {
        uint32_t class = plan.feature_count, at = block->unit_count[class]++;
        tree->unit_count[class]++;
        struct ax_shap_node_unit unit = make_unit(build, job, chunk, child, &plan);
        if (!build->values)
            return;
        build->units[class][at] = unit;
        build->owners[class][at] = place.owner;
        build->tree_of[class][at] = block->tree_count;
        return;
    }
    uint32_t at = block->top_count++;
    make_top(build, job, chunk, child, at);
    uint32_t own = tree->top_count++;
    if (build->values) {
        AX_ASSERT(tops);
        tops[child] = (int32_t)own;
        if (shape->inner[child].same >= 0)
            build->tops[at].same = tops[shape->inner[child].same];
        if (place.owner > 0)
            set_child(build, place.owner, at, own);
    }
    for (uint8_t edge = 0; edge < 2; edge++)
        add_subtree(build, job, block, (struct place){child, edge, 2 * (at + 1) + edge}, tops);
}

/* Slots of tops are their numbers; those of units follow, and lead back to who owns them. */
static void
link_units(struct build *build, struct ax_shap_node_block *block)
{
    uint32_t row_slot = block->top_count, slot[AX_SHAP_NODE_TREES];
    for (uint32_t t = 0, at = 0; t < block->tree_count; at += block->trees[t++].top_count) {
        slot[t] = block->trees[t].top_count;
        block->trees[t].top_first = at;
        block->trees[t].row_root = at;
    }
    for (uint32_t class = AX_SHAP_NODE_CLASSES; class -- > 0;)
        for (uint32_t i = 0; i < block->unit_count[class]; i++, row_slot++) {
            uint32_t t = build->tree_of[class][i], owner = build->owners[class][i];
            if (owner > 0) {
                set_child(build, owner, row_slot, slot[t]++);
                continue;
            }
            block->trees[t].row_root = row_slot;
            block->trees[t].root = slot[t]++;
        }
}

/* Places in which one row's tops stand level by level, trees side by side. */
static void
sort_levels(const struct build *build, const struct ax_shap_node_block *block)
{
    uint32_t at = 0;
    for (uint32_t level = 0; at < block->top_count; level++)
        for (uint32_t i = 0; i < block->top_count; i++)
            if (build->levels[i] == level)
                build->row_slots[i] = at++;
}

static uint32_t
sorted_slot(const struct build *build, const struct ax_shap_node_block *block, uint32_t slot)
{
    return slot < block->top_count ? build->row_slots[slot] : slot;
}

static ax_status
keep_tops(struct build *build, struct ax_shap_node_block *block)
{
    uint32_t count = block->top_count;
    struct ax_shap_top *tops = AX_NEW_ARRAY(build->arena, struct ax_shap_top, count);
    struct ax_shap_row_top *row_tops = AX_NEW_ARRAY(build->arena, struct ax_shap_row_top, count);
    uint32_t *row_slots = AX_NEW_ARRAY(build->arena, uint32_t, count);
    if (!tops || !row_tops || !row_slots)
        return ax_fail(build->ctx, AX_LIMIT, "no memory for %u nodes of trees", count);
    sort_levels(build, block);
    memcpy(tops, build->tops, count * sizeof *tops);
    memcpy(row_slots, build->row_slots, count * sizeof *row_slots);
    for (uint32_t i = 0; i < count; i++) {
        struct ax_shap_row_top *top = &row_tops[row_slots[i]];
        *top = build->row_tops[i];
        top->left = sorted_slot(build, block, top->left);
        top->right = sorted_slot(build, block, top->right);
    }
    for (uint32_t t = 0; t < block->tree_count; t++)
        block->trees[t].row_root = sorted_slot(build, block, block->trees[t].row_root);
    block->tops = tops;
    block->row_tops = row_tops;
    block->row_slots = row_slots;
    build->nodes->bytes += count * (sizeof *tops + sizeof *row_tops + sizeof *row_slots);
    return AX_OK;
}

static ax_status
keep_units(struct build *build, struct ax_shap_node_block *block)
{
    uint32_t count = 0;
    for (uint32_t class = AX_SHAP_NODE_CLASSES; class -- > 0;) {
        uint32_t at = count;
        for (uint32_t t = 0; t < block->tree_count; t++) {
            block->trees[t].unit_first[class] = at;
            at += block->trees[t].unit_count[class];
        }
        count += block->unit_count[class];
    }
    struct ax_shap_node_unit *units = AX_NEW_ARRAY(build->arena, struct ax_shap_node_unit, count);
    if (!units)
        return ax_fail(build->ctx, AX_LIMIT, "no memory for %u units of trees", count);
    for (uint32_t class = AX_SHAP_NODE_CLASSES, at = 0; class -- > 0;
         at += block->unit_count[class])
        memcpy(units + at, build->units[class], block->unit_count[class] * sizeof *units);
    block->units = units;
    build->nodes->bytes += count * sizeof *units;
    return AX_OK;
}

static void
note_sizes(struct ax_shap_nodes *nodes, const struct ax_shap_node_block *block)
{
    size_t slots = block->top_count;
    for (uint32_t class = 0; class < AX_SHAP_NODE_CLASSES; class ++)
        slots += block->unit_count[class];
    nodes->slots_max = slots > nodes->slots_max ? slots : nodes->slots_max;
    nodes->lanes_max = block->lanes > nodes->lanes_max ? block->lanes : nodes->lanes_max;
    nodes->points_max = block->points > nodes->points_max ? block->points : nodes->points_max;
    for (uint32_t t = 0; t < block->tree_count; t++) {
        size_t own = block->trees[t].top_count;
        for (uint32_t class = 0; class < AX_SHAP_NODE_CLASSES; class ++)
            own += block->trees[t].unit_count[class];
        nodes->tree_slots_max = own > nodes->tree_slots_max ? own : nodes->tree_slots_max;
    }
}

static ax_status
add_block(struct build *build, const struct job *jobs, uint32_t count, int32_t *tops)
{
    struct ax_shap_node_block *block = &build->blocks[build->nodes->block_count++];
    *block = (struct ax_shap_node_block){.points = build->points, .lanes = build->lanes};
    block->weights = build->shared[build->points] + 2 * build->lanes;
    for (uint32_t i = 0; i < count; i++) {
        add_subtree(build, &jobs[i], block, (struct place){-1, 0, 0}, tops);
        block->tree_count++;
    }
    note_sizes(build->nodes, block);
    if (!build->values)
        return AX_OK;
    link_units(build, block);
    AX_TRY(keep_tops(build, block));
    return keep_units(build, block);
}

static uint32_t
points_of(const struct ax_shap_shape *shape)
{
    return (shape->tree->feature_max + 1) / 2;
}

static void
set_points(struct build *build, uint32_t points)
{
    build->points = points;
    build->lanes = (points + AX_SHAP_NODE_LANES - 1) / AX_SHAP_NODE_LANES * AX_SHAP_NODE_LANES;
}

/* Constants of a first visit, and the weights behind them. */
static void
share_points(struct build *build)
{
    uint32_t at = take(&build->value_count, 3 * (size_t)build->lanes, AX_SHAP_NODE_LANES);
    build->shared[build->points] = at;
    for (uint32_t q = 0; build->values && q < build->lanes; q++) {
        bool real = q < build->points;
        build->values[at + q] = real ? build->t[build->points][q] : 0.5;
        build->values[at + build->lanes + q] = 1;
        build->values[at + 2 * build->lanes + q] = real ? build->w[build->points][q] : 0;
    }
}

/* Trees of one number of points after the other, in the forest's order. */
static ax_status
add_trees(struct build *build, int32_t *tops)
{
    const struct ax_shap_node_source *source = build->source;
    const struct ax_forest *forest = source->forest;
    for (build->points = 1; build->points <= AX_SHAP_NODE_POINTS_MAX; build->points++) {
        struct job jobs[AX_SHAP_NODE_TREES];
        uint32_t count = 0;
        build->lanes =
            (build->points + AX_SHAP_NODE_LANES - 1) / AX_SHAP_NODE_LANES * AX_SHAP_NODE_LANES;
        share_points(build);
        for (size_t t = 0; t < forest->tree_count; t++) {
            const struct ax_shap_shape *shape = &source->shapes[t];
            if (!source->wanted[t] || shape->inner_count == 0 || points_of(shape) != build->points)
                continue;
            uint32_t from = shape->tree->output < 0 ? 0 : (uint32_t)shape->tree->output;
            uint32_t to = shape->tree->output < 0 ? (uint32_t)forest->output_count : from + 1;
            for (uint32_t k = from; k < to; k++) {
                jobs[count++] = (struct job){shape, k};
                if (count == AX_SHAP_NODE_TREES) {
                    AX_TRY(add_block(build, jobs, count, tops));
                    count = 0;
                }
            }
        }
        if (count > 0)
            AX_TRY(add_block(build, jobs, count, tops));
    }
    return AX_OK;
}

static ax_status
make_room(struct build *build, size_t blocks)
{
    struct ax_arena *work = build->ctx->arena;
    size_t room = (size_t)AX_SHAP_NODE_TREES * build->source->forest->tree_nodes_max;
    bool made = true;
    build->tops = AX_NEW_ARRAY(work, struct ax_shap_top, room);
    build->row_tops = AX_NEW_ARRAY(work, struct ax_shap_row_top, room);
    build->levels = AX_NEW_ARRAY(work, uint32_t, room);
    build->row_slots = AX_NEW_ARRAY(work, uint32_t, room);
    for (int class = 0; class < AX_SHAP_NODE_CLASSES; class ++) {
        build->units[class] = AX_NEW_ARRAY(work, struct ax_shap_node_unit, room);
        build->owners[class] = AX_NEW_ARRAY(work, uint32_t, room);
        build->tree_of[class] = AX_NEW_ARRAY(work, uint32_t, room);
        made = made && build->units[class] && build->owners[class] && build->tree_of[class];
    }
    build->blocks = AX_NEW_ARRAY(build->arena, struct ax_shap_node_block, blocks);
    size_t bytes = (build->value_count + AX_SHAP_NODE_ROWS) * sizeof *build->values;
    build->values = ax_scratch_wide(ax_arena_alloc(build->arena, 1, bytes + AX_SCRATCH_WIDE));
    build->nodes->bytes += bytes + blocks * sizeof *build->blocks;
    made = made && build->tops && build->row_tops && build->levels && build->row_slots;
    if (!made || !build->blocks || !build->values)
        return ax_fail(build->ctx, AX_LIMIT, "no memory for the units of trees");
    build->nodes->values = build->values;
    build->nodes->blocks = build->blocks;
    return AX_OK;
}

/* ---- exported ---- */

static bool
is_within(const struct ax_shap_shape *shape)
{
    if (shape->chunk_count == 0 || shape->tree->feature_max > AX_SHAP_NODE_FEATURES_MAX)
        return false;
    for (uint32_t i = 0; i < shape->inner_count; i++) {
        int visits = 1;
        for (int32_t up = shape->inner[i].same; up >= 0; up = shape->inner[up].same)
            visits++;
        if (visits > AX_SHAP_NODE_TOP_BITS)
            return false;
    }
    return true;
}

size_t
ax_shap_node_measure(const struct ax_forest *forest, const struct ax_shap_shape *shape)
{
    if (shape->inner_count == 0)
        return 0;
    if (!is_within(shape))
        return SIZE_MAX;
    const struct ax_shap_node_source source = {.forest = forest};
    const struct job job = {.shape = shape};
    struct ax_shap_node_block block = {};
    struct build build = {.source = &source};
    set_points(&build, points_of(shape));
    add_subtree(&build, &job, &block, (struct place){-1, 0, 0}, NULL);
    size_t bytes = (build.value_count + build.rows_count) * sizeof(double);
    bytes += block.top_count * (sizeof(struct ax_shap_top) + sizeof(struct ax_shap_row_top));
    for (uint32_t class = 0; class < AX_SHAP_NODE_CLASSES; class ++)
        bytes += block.unit_count[class] * sizeof(struct ax_shap_node_unit);
    return shape->tree->output < 0 ? bytes * forest->output_count : bytes;
}

/* Once to count, once to fill. */
ax_status
ax_shap_node_build(const struct ax_shap_node_source *source, struct ax_ctx *ctx,
                   struct ax_arena *arena, struct ax_shap_nodes *out_nodes)
{
    const struct ax_forest *forest = source->forest;
    struct ax_shap_nodes nodes = {.column_count = forest->output_count * forest->feature_count};
    struct build *build = AX_NEW(ctx->arena, struct build);
    int32_t *tops = AX_NEW_ARRAY(ctx->arena, int32_t, forest->tree_nodes_max);
    size_t jobs;
    if (!build || !tops || !ax_mul(forest->tree_count, forest->output_count, &jobs))
        return ax_fail(ctx, AX_LIMIT, "no memory for the units of trees");
    *build = (struct build){.source = source, .ctx = ctx, .arena = arena, .nodes = &nodes};
    build->blocks = AX_NEW_ARRAY(ctx->arena, struct ax_shap_node_block, jobs + 1);
    if (!build->blocks)
        return ax_fail(ctx, AX_LIMIT, "no memory for the units of trees");
    for (size_t m = 1; m <= AX_SHAP_NODE_POINTS_MAX; m++)
        ax_shap_gauss(m, build->t[m], build->w[m]);
    AX_TRY(add_trees(build, tops));
    if (build->value_count > UINT32_MAX || build->rows_count > UINT32_MAX)
        return ax_fail(ctx, AX_LIMIT, "units of %zu numbers", build->value_count);
    AX_TRY(make_room(build, nodes.block_count));
    nodes.block_count = 0;
    build->value_count = build->rows_count = 0;
    AX_TRY(add_trees(build, tops));
    nodes.rows_count = build->rows_count;
    *out_nodes = nodes;
    return AX_OK;
}

/* By state and then point becomes by point and then state. */
static void
turn_unit(const struct ax_shap_node_block *block, const struct ax_shap_node_unit *unit,
          size_t width, const double *values, double *tables)
{
    size_t states = (size_t)1 << unit->bits;
    const double *from = values + unit->points_table;
    double *to = tables + unit->rows_table;
    for (size_t q = 0; q < block->points; q++)
        for (size_t f = 0; f < width; f++)
            for (size_t state = 0; state < states; state++)
                *to++ = from[(state * width + f) * block->lanes + q];
}

ax_status
ax_shap_node_rows_make(const struct ax_shap_nodes *nodes, struct ax_ctx *ctx,
                       struct ax_arena *arena, const double **out_tables)
{
    size_t count = nodes->rows_count + AX_SHAP_NODE_ROWS; /* the last load is a wide one */
    double *tables =
        ax_scratch_wide(ax_arena_alloc(arena, 1, count * sizeof *tables + AX_SCRATCH_WIDE));
    if (!tables)
        return ax_fail(ctx, AX_LIMIT, "no memory for tables of %zu numbers", count);
    for (size_t b = 0; b < nodes->block_count; b++) {
        const struct ax_shap_node_block *block = &nodes->blocks[b];
        const struct ax_shap_node_unit *unit = block->units;
        for (uint32_t class = AX_SHAP_NODE_CLASSES; class -- > 0;)
            for (uint32_t i = 0; i < block->unit_count[class]; i++, unit++)
                turn_unit(block, unit, 1 + class, nodes->values, tables);
    }
    *out_tables = tables;
    return AX_OK;
}

/*
 * Leaf codes are dealt out top-down: each subtree gets a set of codes at least as large as its
 * number of leaves. Where one bit of the set separates left from right, that bit is the predicate
 * itself and costs nothing; where it cannot, the smaller side gets a corner of the set. A leaf
 * owns all codes left to it, so the bits in which they differ are "don't care" and need no
 * multiplexer on the way up. More planes than necessary thus mean fewer operations, at the price
 * of a larger leaf table: 66 operations a tree of 31 leaves with 5 planes, 53 with 6, 44 with 7.
 */
#include "engine/forest_slice.h"

#include "base/assert.h"

enum { DONT_CARE = -1, ZERO = 0, ONE = 1, LEAVES = AX_FOREST_SLICE_LEAVES_MAX };
enum { SPARE_PLANES_MAX = 7 }; /* lookup among 256 codes costs half as much again */
enum { NODES = 2 * LEAVES, PLANES = AX_FOREST_SLICE_PLANES_MAX, FREE_MAX = PLANES * NODES };

struct compiler {
    const struct ax_forest_plan *plan;
    struct ax_forest_slice *slice;
    struct ax_ctx *ctx;

    /* Of the tree at hand. */
    const struct ax_forest_tree *tree;
    const uint32_t *predicates;
    uint16_t *leaves; /* of each code */
    uint16_t leaf_count[NODES];
    uint32_t free_slots[FREE_MAX];
    uint32_t free_count;

    /* Of the column of sets at hand: its operations by their operands. */
    uint32_t *memo; /* 1 + index in ops; 0: free */
    uint32_t memo_mask;
};

struct codes {
    uint8_t at[LEAVES];
    int count;
};

struct planes {
    int32_t slot[PLANES];
};

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a forest's program");
}

uint32_t
ax_forest_slice_levels(const struct ax_forest_column *column)
{
    uint32_t rank_max = column->cut_count + column->is_sets;
    return rank_max == 0 ? 0 : 32 - (uint32_t)__builtin_clz(rank_max);
}

/* ---- operations ---- */

static ax_status
ops_reserve(struct compiler *c, uint32_t count)
{
    struct ax_forest_slice *slice = c->slice;
    if (slice->op_count + count <= slice->op_room)
        return AX_OK;
    uint32_t room = 2 * slice->op_room + count;
    struct ax_forest_slice_op *ops = AX_NEW_ARRAY(c->ctx->arena, struct ax_forest_slice_op, room);
    if (!ops)
        return out_of_memory(c->ctx);
    if (slice->op_count)
        memcpy(ops, slice->ops, slice->op_count * sizeof *ops);
    slice->ops = ops;
    slice->op_room = room;
    return AX_OK;
}

static void
slot_give(struct compiler *c, int32_t slot)
{
    if (slot >= (int32_t)c->slice->temporary_first && c->free_count < FREE_MAX)
        c->free_slots[c->free_count++] = (uint32_t)slot;
}

static int32_t
emit(struct compiler *c, uint32_t select, int32_t left, int32_t right)
{
    struct ax_forest_slice *slice = c->slice;
    slot_give(c, left);
    slot_give(c, right);
    uint32_t out = c->free_count ? c->free_slots[--c->free_count] : slice->slot_count++;
    slice->ops[slice->op_count++] =
        (struct ax_forest_slice_op){select, (uint32_t)left, (uint32_t)right, out};
    return (int32_t)out;
}

/* ---- sets of ranks ---- */

struct set_walk {
    const struct ax_forest_set *set;
    uint32_t levels, rank_max, bit_slot; /* bit_slot: of the rank's highest bit */
};

static int32_t
memo_emit(struct compiler *c, uint32_t select, int32_t left, int32_t right)
{
    struct ax_forest_slice *slice = c->slice;
    uint32_t at =
        (select * 0x9E3779B1u ^ (uint32_t)left * 0x85EBCA6Bu ^ (uint32_t)right * 0xC2B2AE35u);
    for (at ^= at >> 15;; at++) {
        uint32_t found = c->memo[at & c->memo_mask];
        if (!found)
            break;
        const struct ax_forest_slice_op *op = &slice->ops[found - 1];
        if (op->select == select && op->left == (uint32_t)left && op->right == (uint32_t)right)
            return (int32_t)op->out;
    }
    slice->ops[slice->op_count++] =
        (struct ax_forest_slice_op){select, (uint32_t)left, (uint32_t)right, slice->slot_count};
    c->memo[at & c->memo_mask] = slice->op_count;
    return (int32_t)slice->slot_count++;
}

/* The slot of the set's ranks from `from` on that agree in the bits above `level`. */
static int32_t
set_compile(struct compiler *c, const struct set_walk *walk, uint32_t level, uint32_t from)
{
    if (from > walk->rank_max)
        return DONT_CARE;
    if (level == walk->levels)
        return ax_forest_set_has(walk->set, from) ? ONE : ZERO;
    int32_t left = set_compile(c, walk, level + 1, from);
    int32_t right =
        set_compile(c, walk, level + 1, from + (UINT32_C(1) << (walk->levels - 1 - level)));
    if (right == DONT_CARE || left == right)
        return left;
    if (left == ZERO && right == ONE)
        return (int32_t)(walk->bit_slot + level);
    return memo_emit(c, walk->bit_slot + level, left, right);
}

static ax_status
compile_sets(struct compiler *c, uint32_t column_index)
{
    const struct ax_forest_column *column = &c->plan->columns[column_index];
    struct set_walk walk = {.levels = ax_forest_slice_levels(column),
                            .rank_max = column->cut_count + 1,
                            .bit_slot = c->slice->column_slot[column_index]};
    size_t most = (size_t)column->predicate_count * (walk.rank_max + 1);
    if (most > INT32_MAX / 2)
        return out_of_memory(c->ctx);
    AX_TRY(ops_reserve(c, (uint32_t)most));
    c->memo_mask = 1;
    while (c->memo_mask < 2 * most)
        c->memo_mask = 2 * c->memo_mask + 1;
    c->memo = AX_NEW_ARRAY(c->ctx->arena, uint32_t, (size_t)c->memo_mask + 1);
    if (!c->memo)
        return out_of_memory(c->ctx);
    for (uint32_t i = 0; i < column->predicate_count; i++) {
        walk.set = &c->plan->sets[column->set_first + i];
        c->slice->predicate_slot[column->predicate_first + i] =
            (uint32_t)set_compile(c, &walk, 0, 0);
    }
    return AX_OK;
}

static ax_status
compile_predicates(struct compiler *c)
{
    const struct ax_forest_plan *plan = c->plan;
    struct ax_forest_slice *slice = c->slice;
    slice->slot_count = 2;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *column = &plan->columns[i];
        slice->column_slot[i] = slice->slot_count;
        slice->slot_count +=
            column->is_sets ? ax_forest_slice_levels(column) : column->predicate_count;
        for (uint32_t k = 0; k < column->predicate_count; k++)
            slice->predicate_slot[column->predicate_first + k] = slice->column_slot[i] + k;
    }
    for (uint32_t i = 0; i < plan->column_count; i++)
        if (plan->columns[i].is_sets)
            AX_TRY(compile_sets(c, i));
    slice->set_op_count = slice->op_count;
    slice->temporary_first = slice->slot_count;
    return AX_OK;
}

/* ---- codes ---- */

/* Splits codes by one bit: those with the bit clear go first. Returns how many have it clear. */
static int
partition(const struct codes *codes, int plane, struct codes *out)
{
    int clear = 0, set = 0;
    uint8_t high[LEAVES] = {};
    for (int i = 0; i < codes->count; i++)
        if (codes->at[i] >> plane & 1)
            high[set++] = codes->at[i];
        else
            out->at[clear++] = codes->at[i];
    memcpy(out->at + clear, high, (size_t)set);
    return clear;
}

/* Shares the codes between the children, left ones first in out; returns the number for the left.
 */
static int
share(const struct codes *codes, int left, int right, struct codes *out)
{
    int count = codes->count;
    for (int plane = PLANES - 1; plane >= 0; plane--) {
        int clear = partition(codes, plane, out);
        if (left <= clear && right <= count - clear)
            return clear;
    }
    /* No bit separates them: the smaller side gets the least power of two that leaves enough. */
    int small = left < right ? left : right, big = left + right - small, room = 1;
    while (room < small)
        room *= 2;
    if (count - room < big)
        room = small;
    if (right == small) {
        memcpy(out->at, codes->at, (size_t)count);
        return count - room;
    }
    memcpy(out->at, codes->at + count - room, (size_t)room);
    memcpy(out->at + room, codes->at, (size_t)(count - room));
    return room;
}

/* The bits that may vary freely about the first code without leaving the set. */
static unsigned
free_bits_of(const struct codes *codes)
{
    bool member[LEAVES] = {};
    for (int i = 0; i < codes->count; i++)
        member[codes->at[i]] = true;
    unsigned free_bits = 0;
    for (unsigned bit = 1u << (PLANES - 1); bit; bit >>= 1) {
        unsigned wider = free_bits | bit, sub = wider;
        while (sub && member[codes->at[0] ^ sub])
            sub = (sub - 1) & wider;
        if (sub == 0)
            free_bits = wider;
    }
    return free_bits;
}

static struct planes
compile_leaf(struct compiler *c, int32_t node, const struct codes *codes)
{
    struct planes result;
    unsigned free_bits = free_bits_of(codes), sub = free_bits;
    do {
        c->leaves[codes->at[0] ^ sub] = (uint16_t)node;
        sub = (sub - 1) & free_bits;
    } while (sub != free_bits);
    for (int p = 0; p < PLANES; p++)
        result.slot[p] = free_bits >> p & 1 ? DONT_CARE : codes->at[0] >> p & 1;
    return result;
}

static int32_t
merge(struct compiler *c, uint32_t select, int32_t left, int32_t right)
{
    if (left == right || right == DONT_CARE)
        return left;
    if (left == DONT_CARE)
        return right;
    if (left == ZERO && right == ONE)
        return (int32_t)select;
    return emit(c, select, left, right);
}

/* As deep as the tree, which has at most 256 leaves. */
static struct planes
compile_subtree(struct compiler *c, int32_t node, const struct codes *codes)
{
    const struct ax_forest_node *at = &c->tree->nodes[node];
    if (at->left < 0)
        return compile_leaf(c, node, codes);
    struct codes left_codes = {}, right_codes;
    int left_leaves = c->leaf_count[at->left], right_leaves = c->leaf_count[at->right];
    left_codes.count = share(codes, left_leaves, right_leaves, &left_codes);
    right_codes.count = codes->count - left_codes.count;
    memcpy(right_codes.at, left_codes.at + left_codes.count, (size_t)right_codes.count);
    struct planes left, right;
    if (left_leaves >= right_leaves) { /* the larger first: fewer temporaries at once */
        left = compile_subtree(c, at->left, &left_codes);
        right = compile_subtree(c, at->right, &right_codes);
    } else {
        right = compile_subtree(c, at->right, &right_codes);
        left = compile_subtree(c, at->left, &left_codes);
    }
    uint32_t select = c->slice->predicate_slot[c->predicates[node]];
    struct planes result;
    for (int p = 0; p < PLANES; p++)
        result.slot[p] = merge(c, select, left.slot[p], right.slot[p]);
    return result;
}

static ax_status
compile_tree(struct compiler *c, size_t index, struct codes *all)
{
    struct ax_forest_slice *slice = c->slice;
    struct ax_forest_slice_tree *tree = &slice->trees[index];
    c->tree = &c->plan->forest->trees[index];
    c->predicates = c->plan->node_predicate + c->plan->node_first[index];
    c->leaves = slice->leaves + index * (size_t)all->count;
    AX_ASSERT(c->tree->node_count < NODES);
    AX_TRY(ops_reserve(c, c->tree->node_count * PLANES));
    for (uint32_t n = c->tree->node_count; n-- > 0;) { /* preorder: children come later */
        const struct ax_forest_node *node = &c->tree->nodes[n];
        c->leaf_count[n] = 1;
        if (node->left >= 0)
            c->leaf_count[n] = (uint16_t)(c->leaf_count[node->left] + c->leaf_count[node->right]);
    }
    tree->op_first = slice->op_count;
    struct planes planes = compile_subtree(c, 0, all);
    tree->op_count = slice->op_count - tree->op_first;
    for (int p = 0; p < PLANES; p++) {
        tree->plane[p] = planes.slot[p] < 0 ? ZERO : (uint32_t)planes.slot[p];
        slot_give(c, planes.slot[p]);
    }
    return AX_OK;
}

/* ---- the order for an interpreter ---- */

struct spreader {
    uint32_t *slot, *level; /* of each temporary now */
    uint32_t *op_level;
    struct ax_forest_slice_op *old;
};

static uint32_t
respell(const struct spreader *s, uint32_t first, uint32_t *operand)
{
    if (*operand < first)
        return 0;
    uint32_t temporary = *operand - first;
    *operand = s->slot[temporary];
    return s->level[temporary] + 1;
}

static void
spread_tree(struct ax_forest_slice *slice, struct ax_forest_slice_tree *tree,
            const struct spreader *s)
{
    struct ax_forest_slice_op *ops = slice->ops + tree->op_first;
    uint32_t first = slice->temporary_first, done = 0, level_max = 0;
    for (uint32_t i = 0; i < tree->op_count; i++) {
        struct ax_forest_slice_op op = ops[i];
        uint32_t left = respell(s, first, &op.left), right = respell(s, first, &op.right);
        uint32_t level = left > right ? left : right;
        level_max = level > level_max ? level : level_max;
        s->op_level[i] = s->level[op.out - first] = level;
        s->slot[op.out - first] = first + i;
        op.out = first + i;
        s->old[i] = op;
    }
    for (int p = 0; p < PLANES; p++)
        (void)respell(s, first, &tree->plane[p]);
    for (uint32_t level = 0; level <= level_max; level++)
        for (uint32_t i = 0; i < tree->op_count; i++)
            if (s->op_level[i] == level)
                ops[done++] = s->old[i];
}

static ax_status
spread_all(struct compiler *c)
{
    struct ax_forest_slice *slice = c->slice;
    struct ax_arena *arena = c->ctx->arena;
    uint32_t temporaries = slice->slot_count - slice->temporary_first, longest = 0;
    for (size_t t = 0; t < c->plan->forest->tree_count; t++)
        if (slice->trees[t].op_count > longest)
            longest = slice->trees[t].op_count;
    struct spreader s = {.slot = AX_NEW_ARRAY(arena, uint32_t, temporaries + 1),
                         .level = AX_NEW_ARRAY(arena, uint32_t, temporaries + 1),
                         .op_level = AX_NEW_ARRAY(arena, uint32_t, longest + 1),
                         .old = AX_NEW_ARRAY(arena, struct ax_forest_slice_op, longest + 1)};
    if (!s.slot || !s.level || !s.op_level || !s.old)
        return out_of_memory(c->ctx);
    for (size_t t = 0; t < c->plan->forest->tree_count; t++)
        spread_tree(slice, &slice->trees[t], &s);
    slice->slot_count = slice->temporary_first + longest;
    return AX_OK;
}

/* ---- the whole ---- */

ax_status
ax_forest_slice_compile(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                        const struct ax_forest_slice_config *config,
                        struct ax_forest_slice *out_slice)
{
    AX_ASSERT(plan->fits && plan->leaves_max <= LEAVES);
    size_t trees = plan->forest->tree_count;
    struct ax_forest_slice slice = {.planes = AX_FOREST_SLICE_PLANES_MIN};
    while (UINT32_C(1) << slice.planes < plan->leaves_max)
        slice.planes++;
    for (uint32_t spare = config->spare; spare > 0 && slice.planes < SPARE_PLANES_MAX; spare--)
        slice.planes++;
    slice.column_slot = AX_NEW_ARRAY(ctx->arena, uint32_t, plan->column_count + 1);
    slice.predicate_slot = AX_NEW_ARRAY(ctx->arena, uint32_t, plan->predicate_count + 1);
    slice.trees = AX_NEW_ARRAY(ctx->arena, struct ax_forest_slice_tree, trees);
    slice.leaves = AX_NEW_ARRAY(ctx->arena, uint16_t, trees << slice.planes);
    struct compiler *c = AX_NEW(ctx->arena, struct compiler);
    if (!slice.column_slot || !slice.predicate_slot || !slice.trees || !slice.leaves || !c)
        return out_of_memory(ctx);
    c->plan = plan;
    c->slice = &slice;
    c->ctx = ctx;
    AX_TRY(compile_predicates(c));
    struct codes all = {.count = 1 << slice.planes};
    for (int i = 0; i < all.count; i++)
        all.at[i] = (uint8_t)i;
    for (size_t t = 0; t < trees; t++)
        AX_TRY(compile_tree(c, t, &all));
    if (config->spread)
        AX_TRY(spread_all(c));
    *out_slice = slice;
    return AX_OK;
}

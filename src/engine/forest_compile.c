#include "engine/forest_compile.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine_ops.h"

enum { PREDICATES_MAX = 1 << 24, NODES_MAX = 1 << 28 };

/* Where a threshold sends NaN; sets stand for every other kind of split. */
enum kind { MISSING_LEFT, MISSING_RIGHT, MISSING_ZERO, SET, KINDS };

struct test {
    double cut;
    uint32_t node; /* place in node_predicate */
    uint32_t feature;
    const struct ax_forest_node *at;
};

struct pattern {
    struct ax_forest_set set;
    uint32_t node;
};

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory to compile a forest");
}

bool
ax_forest_compile_covers(const struct ax_forest *forest)
{
    bool vectors = forest->tree_count > 0 && forest->trees[0].output < 0;
    if (forest->linear_count > 0)
        return false;
    for (size_t t = 0; t < forest->tree_count; t++)
        if ((forest->trees[t].output < 0) != vectors)
            return false;
    /* Only a base of many outputs keeps its digits where no tree adds to it. */
    for (size_t k = 0; k < forest->output_count; k++)
        if (forest->f32 && forest->output_count > 1 &&
            (double)(float)forest->base[k] != forest->base[k])
            return false;
    return forest->tree_count > 0 && forest->node_count <= NODES_MAX;
}

/* ---- what the nodes ask ---- */

static uint32_t
kind_of(const struct ax_forest_node *node)
{
    uint32_t others = AX_FOREST_CATEGORICAL | AX_FOREST_ZERO_MISSING | AX_FOREST_EQUAL;
    if (node->flags & others || node->threshold == (double)-INFINITY)
        return SET;
    if (node->flags & AX_FOREST_NAN_ZERO)
        return MISSING_ZERO;
    return node->flags & AX_FOREST_DEFAULT_LEFT ? MISSING_LEFT : MISSING_RIGHT;
}

/* The largest number below: cut < x says what at <= x does. -0.0 and 0.0 have the same. */
static double
below(double at)
{
    int64_t bits;
    if (at == 0 || at == (double)-INFINITY)
        return at == 0 ? -0x1p-1074 : at;
    memcpy(&bits, &at, sizeof bits);
    bits += at > 0 ? -1 : 1; /* doubles of one sign are ordered as their bits are */
    memcpy(&at, &bits, sizeof at);
    return at;
}

/* How many tests each feature and kind has, as the end of its stretch; and the trees' places. */
static void
count_tests(struct ax_forest_plan *plan, uint32_t *ends)
{
    const struct ax_forest *forest = plan->forest;
    uint32_t place = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        plan->node_first[t] = place;
        place += tree->node_count;
        if (tree->node_count / 2 + 1 > plan->leaves_max)
            plan->leaves_max = tree->node_count / 2 + 1;
        for (uint32_t n = 0; n < tree->node_count; n++) {
            const struct ax_forest_node *node = &tree->nodes[n];
            if (node->left >= 0)
                ends[(size_t)node->feature * KINDS + kind_of(node)]++;
        }
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < forest->feature_count * KINDS; i++) {
        sum += ends[i];
        ends[i] = sum;
    }
}

/* The tests of a feature and kind next to each other; ends become beginnings. */
static void
collect(const struct ax_forest_plan *plan, uint32_t *ends, struct test *tests)
{
    const struct ax_forest *forest = plan->forest;
    for (size_t t = forest->tree_count; t-- > 0;) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        for (uint32_t n = tree->node_count; n-- > 0;) {
            const struct ax_forest_node *node = &tree->nodes[n];
            if (node->left < 0)
                continue;
            uint32_t kind = kind_of(node);
            tests[--ends[(size_t)node->feature * KINDS + kind]] =
                (struct test){.cut = kind == SET ? 0 : below(node->threshold),
                              .feature = (uint32_t)node->feature,
                              .node = plan->node_first[t] + n,
                              .at = node};
        }
    }
}

/* ---- thresholds ---- */

static struct ax_forest_column *
column_begin(struct ax_forest_plan *plan, uint32_t feature)
{
    struct ax_forest_column *column = &plan->columns[plan->column_count++];
    *column = (struct ax_forest_column){.feature = feature,
                                        .cut_first = plan->cut_count,
                                        .predicate_first = plan->predicate_count,
                                        .set_first = plan->set_count};
    return column;
}

static void
predicate_add(struct ax_forest_plan *plan, struct ax_forest_column *column)
{
    plan->predicate_column[plan->predicate_count++] = (uint32_t)(column - plan->columns);
    column->predicate_count++;
}

static void
threshold_column_end(const struct ax_forest_plan *plan, struct ax_forest_column *column,
                     uint32_t kind)
{
    if (kind == MISSING_RIGHT)
        column->missing = (uint8_t)column->cut_count;
    else if (kind == MISSING_ZERO)
        column->missing = ax_forest_plan_rank(plan, column, 0);
}

/* The place of a cut among distinct ones, ascending; it is one of them. */
static uint32_t
place_of(const double *cuts, size_t count, double cut)
{
    size_t base = 0;
    for (size_t left = count; left > 1;) { /* without a branch: cuts come in no order */
        size_t half = left / 2;
        base += half & -(size_t)(cuts[base + half] <= cut);
        left -= half;
    }
    return (uint32_t)base;
}

/*
 * Tests of one feature and kind: columns of at most 255 distinct cuts. Trees ask for few cuts many
 * times each, so the cuts are sorted, and each test looks for its own.
 */
static void
add_thresholds(struct ax_forest_plan *plan, const struct test *tests, size_t count, uint32_t kind)
{
    double *cuts = plan->cuts + plan->cut_count;
    uint32_t first = plan->predicate_count;
    for (size_t i = 0; i < count; i++)
        cuts[i] = tests[i].cut;
    size_t distinct = ax_engine_sort_unique(cuts, count);
    for (size_t i = 0; i < count; i++)
        plan->node_predicate[tests[i].node] = first + place_of(cuts, distinct, tests[i].cut);
    for (size_t i = 0; i < distinct;) {
        struct ax_forest_column *column = column_begin(plan, tests->feature);
        for (; i < distinct && column->cut_count < AX_FOREST_CUTS_MAX; i++) {
            plan->cut_count++;
            column->cut_count++;
            predicate_add(plan, column);
        }
        threshold_column_end(plan, column, kind);
    }
}

/* ---- sets ---- */

/* Keeps the column's cuts sorted and distinct; false when there is no room for another. */
static bool
cut_insert(struct ax_forest_plan *plan, struct ax_forest_column *column, double cut)
{
    double *cuts = plan->cuts + column->cut_first;
    uint32_t at = 0;
    for (uint32_t room = column->cut_count; room > 0;) {
        uint32_t half = room / 2;
        if (cuts[at + half] < cut) {
            at += half + 1;
            room -= half + 1;
        } else {
            room = half;
        }
    }
    if (at < column->cut_count && cuts[at] == cut)
        return true;
    if (column->cut_count == AX_FOREST_SET_CUTS_MAX)
        return false;
    memmove(cuts + at + 1, cuts + at, (column->cut_count - at) * sizeof *cuts);
    cuts[at] = cut;
    column->cut_count++;
    return true;
}

/* A cut wherever a code that is in the set follows one that is not, or the other way round. */
static bool
cut_categories(struct ax_forest_plan *plan, struct ax_forest_column *column,
               const struct ax_forest_node *node)
{
    const uint32_t *words = plan->forest->sets + node->set.at;
    uint32_t count = node->set.words, last = 0; /* the word before */
    if (count > AX_FOREST_CATEGORY_MAX / 32)
        count = AX_FOREST_CATEGORY_MAX / 32;
    for (uint32_t w = 0; w <= count; w++) {
        uint32_t word = w < count ? words[w] : 0;
        uint32_t changes = word ^ (word << 1 | (last >> 31));
        for (; changes; changes &= changes - 1) {
            uint32_t code = w * 32 + (uint32_t)__builtin_ctz(changes);
            bool truncated = code == 0 && node->flags & AX_FOREST_TRUNCATED;
            if (!cut_insert(plan, column, truncated ? -1 : below(code)))
                return false;
        }
        last = word;
    }
    return true;
}

static bool
cut_set(struct ax_forest_plan *plan, struct ax_forest_column *column,
        const struct ax_forest_node *node)
{
    if (node->flags & AX_FOREST_ZERO_MISSING &&
        (!cut_insert(plan, column, below(-AX_FOREST_ZERO)) ||
         !cut_insert(plan, column, AX_FOREST_ZERO)))
        return false;
    if (node->flags & AX_FOREST_EQUAL)
        return cut_insert(plan, column, below(node->threshold)) &&
               cut_insert(plan, column, node->threshold);
    if (node->flags & AX_FOREST_CATEGORICAL)
        return cut_categories(plan, column, node);
    return cut_insert(plan, column, below(node->threshold));
}

/* Asks the node about one value of each rank: the cut above it, which is the largest it has. */
static struct ax_forest_set
set_of(const struct ax_forest_plan *plan, const struct ax_forest_column *column,
       const struct ax_forest_node *node)
{
    struct ax_forest_set set = {};
    for (uint32_t rank = 0; rank <= column->cut_count + 1; rank++) {
        double x = rank < column->cut_count    ? plan->cuts[column->cut_first + rank]
                   : rank == column->cut_count ? (double)INFINITY
                                               : (double)NAN;
        if (!ax_forest_goes_left(plan->forest, node, x))
            set.ranks[rank / 64] |= UINT64_C(1) << rank % 64;
    }
    return set;
}

static int
by_set(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ax_forest_set));
}

static void
add_sets(struct ax_forest_plan *plan, const struct test *tests, size_t count,
         struct pattern *patterns)
{
    struct ax_forest_column *column = column_begin(plan, tests->feature);
    for (size_t i = 0; i < count && plan->fits; i++)
        plan->fits = cut_set(plan, column, tests[i].at);
    if (!plan->fits)
        return;
    column->is_sets = true;
    column->missing = (uint8_t)(column->cut_count + 1);
    plan->cut_count += column->cut_count;
    for (size_t i = 0; i < count; i++)
        patterns[i] =
            (struct pattern){.set = set_of(plan, column, tests[i].at), .node = tests[i].node};
    qsort(patterns, count, sizeof *patterns, by_set);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || by_set(&patterns[i], &patterns[i - 1]) != 0) {
            plan->sets[plan->set_count++] = patterns[i].set;
            predicate_add(plan, column);
        }
        plan->node_predicate[patterns[i].node] = plan->predicate_count - 1;
    }
}

/* ---- the whole ---- */

/* Splits that are sets, by the ends of the stretches of tests. */
static size_t
count_sets(const uint32_t *ends, size_t feature_count)
{
    size_t count = 0;
    for (size_t f = 0; f < feature_count; f++)
        count += ends[f * KINDS + SET] - ends[f * KINDS + SET - 1];
    return count;
}

static ax_status
plan_alloc(struct ax_forest_plan *plan, struct ax_ctx *ctx, size_t set_splits)
{
    const struct ax_forest *forest = plan->forest;
    size_t splits = forest->node_count - forest->leaf_count;
    size_t set_columns = set_splits < forest->feature_count ? set_splits : forest->feature_count;
    size_t room = splits + AX_FOREST_SET_CUTS_MAX * set_columns + 1;
    plan->columns = AX_NEW_ARRAY(ctx->arena, struct ax_forest_column, splits + 1);
    plan->cuts = AX_NEW_ARRAY(ctx->arena, double, room);
    plan->sets = AX_NEW_ARRAY(ctx->arena, struct ax_forest_set, splits + 1);
    plan->predicate_column = AX_NEW_ARRAY(ctx->arena, uint32_t, splits + 1);
    plan->node_predicate = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->node_count + 1);
    if (!plan->columns || !plan->cuts || !plan->sets || !plan->predicate_column ||
        !plan->node_predicate)
        return out_of_memory(ctx);
    return AX_OK;
}

ax_status
ax_forest_compile(struct ax_ctx *ctx, const struct ax_forest *forest,
                  struct ax_forest_plan *out_plan)
{
    struct ax_forest_plan plan = {.forest = forest, .fits = ax_forest_compile_covers(forest)};
    if (!plan.fits) {
        *out_plan = plan;
        return AX_OK;
    }
    plan.vectors = forest->trees[0].output < 0;
    size_t splits = forest->node_count - forest->leaf_count;
    size_t stretches = forest->feature_count * KINDS;
    struct test *tests = AX_NEW_ARRAY(ctx->arena, struct test, splits + 1);
    uint32_t *starts = AX_NEW_ARRAY(ctx->arena, uint32_t, stretches + 1);
    plan.node_first = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_count + 1);
    if (!tests || !starts || !plan.node_first)
        return out_of_memory(ctx);
    count_tests(&plan, starts);
    size_t set_splits = count_sets(starts, forest->feature_count);
    struct pattern *patterns = AX_NEW_ARRAY(ctx->arena, struct pattern, set_splits);
    if (!patterns)
        return out_of_memory(ctx);
    collect(&plan, starts, tests);
    starts[stretches] = (uint32_t)splits;
    AX_TRY(plan_alloc(&plan, ctx, set_splits));
    for (size_t i = 0; i < stretches && plan.fits; i++) {
        size_t count = starts[i + 1] - starts[i];
        if (count > 0 && i % KINDS == SET)
            add_sets(&plan, tests + starts[i], count, patterns);
        else if (count > 0)
            add_thresholds(&plan, tests + starts[i], count, (uint32_t)(i % KINDS));
    }
    if (plan.predicate_count > PREDICATES_MAX)
        plan.fits = false;
    *out_plan = plan;
    return AX_OK;
}

uint8_t
ax_forest_plan_rank(const struct ax_forest_plan *plan, const struct ax_forest_column *column,
                    double x)
{
    if (isnan(x))
        return column->missing;
    const double *cuts = plan->cuts + column->cut_first;
    uint32_t rank = 0;
    while (rank < column->cut_count && cuts[rank] < x)
        rank++;
    return (uint8_t)rank;
}

float
ax_forest_float_below(double x)
{
    float rounded = (float)x;
    return (double)rounded > x ? nextafterf(rounded, -INFINITY) : rounded;
}

bool
ax_forest_cuts_beyond_floats(const double *cuts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double size = fabs(cuts[i]);
        /* No float lies between the cut just below 0 and 0. */
        if (size >= 0x1.fffffep127 || (size < 0x1p-126 && cuts[i] != below(0)))
            return true;
    }
    return false;
}

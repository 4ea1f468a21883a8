#include "engine/forest_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "engine/forest_masks.h"

enum {
    ABREAST = AX_FOREST_ROW_ABREAST,
    STRIP_GROUPS = AX_FOREST_ROW_STRIP / 64,
    SMALL = AX_FOREST_ROW_SMALL,
    PATHS = AX_FOREST_ROW_PATHS,
    WALKED = AX_FOREST_ROW_WALKED,
    FORM_BYTES_MAX = INT32_MAX,
    LANES_MAX = UINT16_MAX,
    FEATURES_MAX = 1 << 24,
};

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a forest's row form");
}

/* ---- what is laid out, in working memory first ---- */

struct build {
    const struct ax_forest_plan *plan;
    struct ax_ctx *ctx;
    struct ax_forest_row head;
    size_t bytes;
    uint32_t *column_place; /* of each of the plan's columns: its place among the form's */
    uint32_t *lane_of;      /* of each predicate */
    uint32_t *rank_of;      /* the rank that its lane must be above */
    uint32_t table_floats;

    struct ax_forest_row_word *words;
    size_t word_count;
    struct ax_forest_row_paths *paths;
    size_t path_count;
    uint8_t *numbers; /* [tree][1 << depth]: the leaf in the tree */
    size_t number_count;
    struct ax_forest_row_tree *trees;
    uint32_t *leaf_number; /* of each node of the forest: place among the leaves */

    struct ax_forest_row_node *nodes;
    ax_forest_row_packed *packed; /* the same for K3g */
    size_t packed_count;
    uint32_t *node_leaf; /* of each of them */
    uint32_t node_count;
    uint32_t *starts, *places, *steps;
    size_t start_count;
};

static size_t
aligned(size_t bytes)
{
    return (bytes + AX_FOREST_ROW_ALIGN - 1) / AX_FOREST_ROW_ALIGN * AX_FOREST_ROW_ALIGN;
}

static uint32_t
place(struct build *build, size_t bytes)
{
    size_t at = build->bytes;
    build->bytes += aligned(bytes);
    return at <= FORM_BYTES_MAX ? (uint32_t)at : 0;
}

static size_t
value_bytes(const struct ax_forest_row *head)
{
    return head->f32 ? sizeof(float) : sizeof(double);
}

/* ---- columns and lanes ---- */

static uint32_t
table_floats(uint32_t cut_count)
{
    return cut_count <= SMALL ? SMALL : SMALL + SMALL * (cut_count / SMALL + 1);
}

/* Columns of few cuts first; thresholds' lanes first, then sets', then those only sets read. */
static ax_status
assign_lanes(struct build *build)
{
    const struct ax_forest_plan *plan = build->plan;
    struct ax_arena *arena = build->ctx->arena;
    build->column_place = AX_NEW_ARRAY(arena, uint32_t, plan->column_count + 1);
    build->lane_of = AX_NEW_ARRAY(arena, uint32_t, plan->predicate_count + 1);
    build->rank_of = AX_NEW_ARRAY(arena, uint32_t, plan->predicate_count + 1);
    if (!build->column_place || !build->lane_of || !build->rank_of)
        return out_of_memory(build->ctx);
    uint32_t lane = 0, at = 0;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *column = &plan->columns[i];
        build->table_floats += table_floats(column->cut_count);
        if (column->cut_count <= SMALL)
            build->column_place[i] = at++;
        for (uint32_t k = 0; k < column->predicate_count; k++) {
            build->lane_of[column->predicate_first + k] = column->is_sets ? lane + k : lane;
            build->rank_of[column->predicate_first + k] = column->is_sets ? 0 : k;
        }
        lane += column->is_sets ? column->predicate_count : 1;
    }
    build->head.match_lanes = lane;
    build->head.small_count = at;
    for (uint32_t i = 0; i < plan->column_count; i++)
        if (plan->columns[i].cut_count > SMALL)
            build->column_place[i] = at++;
    for (uint32_t i = 0; i < plan->column_count; i++)
        lane += plan->columns[i].is_sets;
    build->head.lane_count = lane;
    return AX_OK;
}

static size_t
match_lanes(const struct ax_forest_plan *plan)
{
    size_t lanes = 0;
    for (uint32_t i = 0; i < plan->column_count; i++)
        lanes += plan->columns[i].is_sets ? plan->columns[i].predicate_count : 1;
    return lanes;
}

bool
ax_forest_row_fits(const struct ax_forest_plan *plan, enum ax_forest_row_kind kind,
                   size_t lanes_max)
{
    if (!plan->fits || kind == AX_FOREST_ROW_INTERLEAVE)
        return plan->fits;
    if (kind == AX_FOREST_ROW_MASKS)
        return ax_forest_masks_of(plan).each > 0;
    bool shape = kind == AX_FOREST_ROW_MATCH  ? plan->leaves_max <= PATHS
                 : kind == AX_FOREST_ROW_HEAP ? plan->forest->depth_max <= AX_FOREST_ROW_HEAP_DEPTH
                                              : plan->forest->tree_nodes_max <= UINT16_MAX;
    return shape && match_lanes(plan) <= lanes_max;
}

/* ---- leaves ---- */

static ax_status
number_leaves(struct build *build)
{
    const struct ax_forest *forest = build->plan->forest;
    struct ax_arena *arena = build->ctx->arena;
    build->leaf_number = AX_NEW_ARRAY(arena, uint32_t, forest->node_count + 1);
    build->trees = AX_NEW_ARRAY(arena, struct ax_forest_row_tree, forest->tree_count);
    if (!build->leaf_number || !build->trees)
        return out_of_memory(build->ctx);
    uint32_t leaves = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        build->trees[t].leaf = leaves;
        build->trees[t].output = tree->output < 0 ? 0 : (uint32_t)tree->output;
        for (uint32_t n = 0; n < tree->node_count; n++)
            if (tree->nodes[n].left < 0)
                build->leaf_number[build->plan->node_first[t] + n] = leaves++;
    }
    return AX_OK;
}

/* ---- paths ---- */

/* What the decisions must be for a node to be reached. */
struct reach {
    uint32_t mask, value;
};

static void
write_paths(const struct build *build, size_t index, struct reach *reach)
{
    const struct ax_forest_tree *tree = &build->plan->forest->trees[index];
    struct ax_forest_row_word *pair = &build->words[index / 2];
    struct ax_forest_row_paths *paths = &build->paths[index];
    const uint32_t *predicates = build->plan->node_predicate + build->plan->node_first[index];
    uint32_t leaves = 0, tests = 0;
    for (size_t i = 0; i < PATHS; i++) /* no node has the last bit, and it is never set */
        paths->mask[i] = paths->value[i] = UINT32_C(1) << (PATHS - 1);
    reach[0] = (struct reach){};
    for (uint32_t n = 0; n < tree->node_count; n++) { /* preorder: parents come first */
        const struct ax_forest_node *node = &tree->nodes[n];
        if (node->left < 0) {
            paths->mask[leaves] = reach[n].mask;
            paths->value[leaves++] = reach[n].value;
            continue;
        }
        uint32_t bit = UINT32_C(1) << tests, lane = (uint32_t)(index % 2) * PATHS + tests;
        tests++;
        pair->lane[lane] = (uint8_t)build->lane_of[predicates[n]];
        pair->rank[lane] = (uint8_t)build->rank_of[predicates[n]];
        reach[node->left] = (struct reach){reach[n].mask | bit, reach[n].value};
        reach[node->right] = (struct reach){reach[n].mask | bit, reach[n].value | bit};
    }
}

static bool
words_reserve(struct build *build, size_t count)
{
    build->word_count = count;
    build->words = AX_NEW_ARRAY(build->ctx->arena, struct ax_forest_row_word, count);
    for (size_t i = 0; build->words && i < count; i++)
        memset(build->words[i].rank, 255, sizeof build->words[i].rank); /* never decided */
    return build->words != NULL;
}

static ax_status
write_all_paths(struct build *build)
{
    const struct ax_forest *forest = build->plan->forest;
    struct ax_arena *arena = build->ctx->arena;
    struct reach *reach = AX_NEW_ARRAY(arena, struct reach, forest->tree_nodes_max + 1);
    build->path_count = forest->tree_count + forest->tree_count % 2;
    build->paths = AX_NEW_ARRAY(arena, struct ax_forest_row_paths, build->path_count);
    if (!reach || !build->paths || !words_reserve(build, build->path_count / 2))
        return out_of_memory(build->ctx);
    for (size_t t = 0; t < forest->tree_count; t++)
        write_paths(build, t, reach);
    return AX_OK;
}

/* ---- heaps ---- */

/* The place of a node in a heap: children of place p are 2 p + 1 and 2 p + 2. */
static void
write_heap(const struct build *build, size_t index, uint32_t *heap_place)
{
    const struct ax_forest_tree *tree = &build->plan->forest->trees[index];
    const uint32_t *predicates = build->plan->node_predicate + build->plan->node_first[index];
    const uint32_t *numbers = build->leaf_number + build->plan->node_first[index];
    uint32_t depth = build->head.depth, places = (UINT32_C(1) << depth) - 1;
    size_t strip = index / AX_FOREST_ROW_STRIP, group = index % AX_FOREST_ROW_STRIP / 64;
    size_t groups_left = (build->head.tree_count + 63) / 64 - strip * STRIP_GROUPS;
    size_t groups = groups_left < STRIP_GROUPS ? groups_left : STRIP_GROUPS;
    struct ax_forest_row_word *words = build->words + strip * places * STRIP_GROUPS;
    uint8_t *out = build->numbers + (index << depth);
    heap_place[0] = 0;
    for (uint32_t n = 0; n < tree->node_count; n++) { /* preorder: parents come first */
        const struct ax_forest_node *node = &tree->nodes[n];
        uint32_t place = heap_place[n];
        if (node->left < 0) { /* all places below it that a row can come to lie to its left */
            while (place < places)
                place = 2 * place + 1;
            out[place - places] = (uint8_t)(numbers[n] - build->trees[index].leaf);
            continue;
        }
        struct ax_forest_row_word *word = &words[place * groups + group];
        word->lane[index % 64] = (uint8_t)build->lane_of[predicates[n]];
        word->rank[index % 64] = (uint8_t)build->rank_of[predicates[n]];
        heap_place[node->left] = 2 * place + 1;
        heap_place[node->right] = 2 * place + 2;
    }
}

static ax_status
write_all_heaps(struct build *build)
{
    const struct ax_forest *forest = build->plan->forest;
    struct ax_arena *arena = build->ctx->arena;
    uint32_t *heap_place = AX_NEW_ARRAY(arena, uint32_t, forest->tree_nodes_max + 1);
    build->head.tree_count = (uint32_t)forest->tree_count;
    size_t groups = (forest->tree_count + 63) / 64;
    build->head.depth = forest->depth_max;
    build->number_count = forest->tree_count << build->head.depth;
    build->numbers = AX_NEW_ARRAY(arena, uint8_t, build->number_count);
    size_t places = ((size_t)1 << build->head.depth) - 1;
    if (!heap_place || !build->numbers || !words_reserve(build, groups * places))
        return out_of_memory(build->ctx);
    for (size_t t = 0; t < forest->tree_count; t++)
        write_heap(build, t, heap_place);
    return AX_OK;
}

/* ---- eight abreast ---- */

struct ordered {
    uint32_t depth, tree;
};

static int
by_depth(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    return x->tree < y->tree ? -1 : x->tree > y->tree;
}

/* Nodes in an order in which the children of one are neighbours. */
static void
pair_nodes(struct build *build, size_t index, uint32_t *place_of)
{
    const struct ax_forest_tree *tree = &build->plan->forest->trees[index];
    uint32_t first = build->plan->node_first[index];
    place_of[0] = build->node_count;
    build->node_count++;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *from = &tree->nodes[n];
        struct ax_forest_row_node *to = &build->nodes[place_of[n]];
        if (from->left < 0) {
            *to = (struct ax_forest_row_node){.rank = 255, .child = place_of[n]};
            build->node_leaf[place_of[n]] = build->leaf_number[first + n];
            continue;
        }
        uint32_t predicate = build->plan->node_predicate[first + n];
        place_of[from->left] = build->node_count;
        place_of[from->right] = build->node_count + 1;
        *to = (struct ax_forest_row_node){.lane = (uint16_t)build->lane_of[predicate],
                                          .rank = (uint8_t)build->rank_of[predicate],
                                          .child = build->node_count};
        build->node_count += 2;
    }
}

/* In the order of the file; the last registers repeat the last tree. */
static ax_status
pack_all(struct build *build)
{
    const struct ax_forest *forest = build->plan->forest;
    struct ax_arena *arena = build->ctx->arena;
    uint32_t *place_of = AX_NEW_ARRAY(arena, uint32_t, forest->tree_nodes_max + 1);
    build->start_count = (forest->tree_count + WALKED - 1) / WALKED * WALKED;
    build->packed_count = forest->node_count;
    build->nodes = AX_NEW_ARRAY(arena, struct ax_forest_row_node, forest->node_count + 1);
    build->packed = AX_NEW_ARRAY(arena, ax_forest_row_packed, forest->node_count + 1);
    build->node_leaf = AX_NEW_ARRAY(arena, uint32_t, forest->node_count + 1);
    build->starts = AX_NEW_ARRAY(arena, uint32_t, build->start_count);
    if (!place_of || !build->nodes || !build->packed || !build->node_leaf || !build->starts)
        return out_of_memory(build->ctx);
    for (size_t t = 0; t < build->start_count; t++) {
        uint32_t start = build->node_count;
        build->starts[t] = t < forest->tree_count ? start : build->starts[t - 1];
        if (t >= forest->tree_count)
            continue;
        pair_nodes(build, t, place_of);
        for (uint32_t n = start; n < build->node_count; n++) {
            const struct ax_forest_row_node *node = &build->nodes[n];
            build->packed[n] = node->lane | (uint32_t)node->rank << 8 | (node->child - start) << 16;
        }
    }
    return AX_OK;
}

/* Trees of like depth step together; the last group repeats the last tree. */
static ax_status
pair_all(struct build *build)
{
    const struct ax_forest *forest = build->plan->forest;
    struct ax_arena *arena = build->ctx->arena;
    uint32_t trees = (uint32_t)forest->tree_count, groups = (trees + ABREAST - 1) / ABREAST;
    struct ordered *order = AX_NEW_ARRAY(arena, struct ordered, trees);
    uint32_t *place_of = AX_NEW_ARRAY(arena, uint32_t, forest->tree_nodes_max + 1);
    build->head.group_count = groups;
    build->start_count = (size_t)groups * ABREAST;
    build->nodes = AX_NEW_ARRAY(arena, struct ax_forest_row_node, forest->node_count + 1);
    build->node_leaf = AX_NEW_ARRAY(arena, uint32_t, forest->node_count + 1);
    build->starts = AX_NEW_ARRAY(arena, uint32_t, (size_t)groups * ABREAST);
    build->places = AX_NEW_ARRAY(arena, uint32_t, (size_t)groups * ABREAST);
    build->steps = AX_NEW_ARRAY(arena, uint32_t, groups);
    if (!order || !place_of || !build->nodes || !build->node_leaf || !build->starts ||
        !build->places || !build->steps)
        return out_of_memory(build->ctx);
    for (uint32_t t = 0; t < trees; t++)
        order[t] = (struct ordered){forest->trees[t].depth, t};
    qsort(order, trees, sizeof *order, by_depth);
    for (uint32_t i = 0; i < groups * ABREAST; i++) {
        const struct ordered *at = &order[i < trees ? i : trees - 1];
        build->places[i] = at->tree;
        build->starts[i] = i < trees ? build->node_count : build->starts[i - 1];
        build->steps[i / ABREAST] = at->depth;
        if (i < trees)
            pair_nodes(build, at->tree, place_of);
    }
    return AX_OK;
}

/* ---- the form ---- */

static size_t
decision_bytes(const struct ax_forest_row *head)
{
    size_t places = ((size_t)1 << head->depth) - 1;
    return places * STRIP_GROUPS * sizeof(uint64_t);
}

static void
lay_out(struct build *build, enum ax_forest_row_kind kind)
{
    const struct ax_forest_plan *plan = build->plan;
    const struct ax_forest *forest = plan->forest;
    struct ax_forest_row *head = &build->head;
    size_t outputs = plan->vectors ? forest->output_count : 1;
    head->kind = kind;
    head->feature_count = (uint32_t)forest->feature_count;
    head->output_count = (uint32_t)forest->output_count;
    head->tree_count = (uint32_t)forest->tree_count;
    head->column_count = plan->column_count;
    head->f32 = forest->f32;
    head->vectors = plan->vectors;
    head->set_count = kind == AX_FOREST_ROW_MASKS ? 0 : plan->set_count; /* ranks do there */
    struct ax_forest_masks masks = {};
    if (kind == AX_FOREST_ROW_MASKS)
        masks = ax_forest_masks_of(plan);
    head->mask_each = masks.each;
    head->mask_rank = (uint32_t)masks.rank;
    (void)place(build, sizeof *head);
    head->columns_at = place(build, plan->column_count * sizeof(struct ax_forest_row_column));
    head->base_at = place(build, forest->output_count * sizeof(double));
    head->tables_at = place(build, build->table_floats * sizeof(float));
    head->cuts_at = place(build, plan->cut_count * sizeof(double));
    head->sets_at = place(build, plan->set_count * sizeof(struct ax_forest_set));
    head->trees_at = place(build, forest->tree_count * sizeof(struct ax_forest_row_tree));
    head->words_at = place(build, build->word_count * sizeof(struct ax_forest_row_word));
    head->paths_at = place(build, build->path_count * sizeof(struct ax_forest_row_paths));
    head->numbers_at = place(build, build->number_count);
    size_t nodes = build->packed_count ? 0 : build->node_count;
    head->nodes_at = place(build, nodes * sizeof(struct ax_forest_row_node));
    head->packed_at = place(build, build->packed_count * sizeof(ax_forest_row_packed));
    head->leaves_at = place(build, build->node_count * sizeof(uint32_t));
    head->starts_at = place(build, build->start_count * sizeof(uint32_t));
    head->places_at = place(build, head->group_count * ABREAST * sizeof(uint32_t));
    head->steps_at = place(build, head->group_count * sizeof(uint32_t));
    head->masks_at = place(build, masks.bytes);
    head->values_at = place(build, forest->leaf_count * outputs * value_bytes(head));
    head->bytes = (uint32_t)build->bytes;
    head->scratch_bytes =
        (uint32_t)(aligned(head->lane_count + AX_FOREST_ROW_MATCH_LANES) +
                   aligned((head->feature_count + 16) * sizeof(float)) +
                   aligned((head->tree_count + WALKED) * sizeof(uint32_t)) + decision_bytes(head) +
                   AX_FOREST_ROW_STRIP + aligned(head->column_count * sizeof(uint32_t)) +
                   head->output_count * sizeof(struct ax_forest_row_run));
}

static void
write_table(const double *cuts, uint32_t count, float *table)
{
    float *blocks = count <= SMALL ? table : table + SMALL;
    for (uint32_t i = 0; i < table_floats(count); i++)
        table[i] = INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        blocks[i] = ax_forest_float_below(cuts[i]);
        if (count > SMALL && i % SMALL == SMALL - 1)
            table[i / SMALL] = blocks[i];
    }
}

static void
write_columns(struct build *build, char *form)
{
    const struct ax_forest_plan *plan = build->plan;
    struct ax_forest_row *head = &build->head;
    struct ax_forest_row_column *columns = (void *)(form + head->columns_at);
    uint32_t lane = 0, only_sets = head->match_lanes, table_at = head->tables_at;
    uint32_t masks_at = head->masks_at;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *from = &plan->columns[i];
        const double *cuts = plan->cuts + from->cut_first;
        columns[build->column_place[i]] = (struct ax_forest_row_column){
            .feature = from->feature,
            .lane = from->is_sets ? only_sets++ : lane,
            .missing = from->missing,
            .cut_count = from->cut_count,
            .cuts_at = head->cuts_at + from->cut_first * (uint32_t)sizeof(double),
            .table_at = table_at,
            .set_first = from->set_first,
            .set_count = from->is_sets && head->set_count ? from->predicate_count : 0,
            .set_lane = lane,
            .masks_at = masks_at,
        };
        masks_at += (uint32_t)ax_forest_masks_ranks(from) * head->mask_rank;
        lane += from->is_sets ? from->predicate_count : 1;
        write_table(cuts, from->cut_count, (float *)(void *)(form + table_at));
        table_at += table_floats(from->cut_count) * (uint32_t)sizeof(float);
        head->correct |= ax_forest_cuts_beyond_floats(cuts, from->cut_count);
    }
}

static void
write_values(const struct build *build, char *form)
{
    const struct ax_forest *forest = build->plan->forest;
    size_t outputs = build->plan->vectors ? forest->output_count : 1;
    float *narrow = (void *)(form + build->head.values_at);
    double *wide = (void *)(form + build->head.values_at);
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        for (uint32_t n = 0; n < tree->node_count; n++) {
            const struct ax_forest_node *leaf = &tree->nodes[n];
            for (size_t k = 0; leaf->left < 0 && k < outputs; k++) {
                double value = ax_forest_value(forest, tree, leaf, k);
                if (forest->f32)
                    *narrow++ = (float)value;
                else
                    *wide++ = value;
            }
        }
    }
}

static void
write_piece(char *form, uint32_t at, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(form + at, from, bytes);
}

static void
write_form(struct build *build, char *form)
{
    const struct ax_forest_plan *plan = build->plan;
    struct ax_forest_row *head = &build->head;
    size_t abreast = (size_t)head->group_count * ABREAST * sizeof(uint32_t);
    write_columns(build, form);
    write_values(build, form);
    write_piece(form, head->base_at, plan->forest->base, head->output_count * sizeof(double));
    write_piece(form, head->cuts_at, plan->cuts, plan->cut_count * sizeof(double));
    write_piece(form, head->sets_at, plan->sets, plan->set_count * sizeof *plan->sets);
    write_piece(form, head->trees_at, build->trees, head->tree_count * sizeof *build->trees);
    write_piece(form, head->words_at, build->words, build->word_count * sizeof *build->words);
    write_piece(form, head->paths_at, build->paths, build->path_count * sizeof *build->paths);
    write_piece(form, head->numbers_at, build->numbers, build->number_count);
    if (!build->packed_count)
        write_piece(form, head->nodes_at, build->nodes, build->node_count * sizeof *build->nodes);
    write_piece(form, head->packed_at, build->packed, build->packed_count * sizeof(uint32_t));
    write_piece(form, head->leaves_at, build->node_leaf, build->node_count * sizeof(uint32_t));
    write_piece(form, head->starts_at, build->starts, build->start_count * sizeof(uint32_t));
    write_piece(form, head->places_at, build->places, abreast);
    write_piece(form, head->steps_at, build->steps, head->group_count * sizeof(uint32_t));
    memcpy(form, head, sizeof *head);
}

ax_status
ax_forest_row_build(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                    enum ax_forest_row_kind kind, struct ax_arena *arena, size_t bytes_max,
                    const struct ax_forest_row **out_form)
{
    AX_ASSERT(ax_forest_row_fits(plan, kind, AX_FOREST_ROW_MATCH_LANES));
    struct build build = {.plan = plan, .ctx = ctx};
    *out_form = NULL;
    AX_TRY(assign_lanes(&build));
    if (build.head.lane_count > LANES_MAX || plan->forest->feature_count > FEATURES_MAX)
        return AX_OK;
    AX_TRY(number_leaves(&build));
    if (kind == AX_FOREST_ROW_MATCH)
        AX_TRY(write_all_paths(&build));
    else if (kind == AX_FOREST_ROW_HEAP)
        AX_TRY(write_all_heaps(&build));
    else if (kind == AX_FOREST_ROW_GATHER)
        AX_TRY(pack_all(&build));
    else if (kind == AX_FOREST_ROW_INTERLEAVE)
        AX_TRY(pair_all(&build));
    lay_out(&build, kind);
    if (build.bytes > bytes_max || build.bytes > FORM_BYTES_MAX)
        return AX_OK;
    char *memory = ax_arena_alloc(arena, 1, build.bytes + AX_FOREST_ROW_ALIGN);
    if (!memory)
        return out_of_memory(ctx);
    char *form = memory + (-(uintptr_t)memory & (AX_FOREST_ROW_ALIGN - 1));
    write_form(&build, form);
    if (kind == AX_FOREST_ROW_MASKS)
        AX_TRY(ax_forest_masks_write(ctx, plan, form + build.head.masks_at));
    *out_form = (const struct ax_forest_row *)form;
    return AX_OK;
}

/* ---- what the levels share ---- */

struct ax_forest_row_work
ax_forest_row_begin(const struct ax_forest_row *form, void *scratch)
{
    AX_ASSERT((uintptr_t)scratch % AX_FOREST_ROW_ALIGN == 0);
    struct ax_forest_row_work work = {.lanes = scratch};
    char *at = (char *)scratch + aligned(form->lane_count + AX_FOREST_ROW_MATCH_LANES);
    work.floats = (void *)at;
    at += aligned((form->feature_count + 16) * sizeof(float));
    work.decisions = (uint64_t *)at;
    work.codes = (uint8_t *)at + decision_bytes(form);
    work.leaves = (uint32_t *)(work.codes + AX_FOREST_ROW_STRIP);
    work.masks =
        (uint32_t *)((char *)work.leaves + aligned((form->tree_count + WALKED) * sizeof(uint32_t)));
    work.runs = (void *)((char *)work.masks + aligned(form->column_count * sizeof(uint32_t)));
    return work;
}

void
ax_forest_row_correct(const struct ax_forest_row *form, const char *row, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        const double *cuts = ax_forest_row_at(form, columns[i].cuts_at);
        uint32_t rank = lanes[columns[i].lane];
        double x;
        memcpy(&x, row + columns[i].feature * sizeof x, sizeof x);
        while (rank < columns[i].cut_count && cuts[rank] < x)
            rank++;
        lanes[columns[i].lane] = (uint8_t)rank;
    }
}

void
ax_forest_row_missing(const struct ax_forest_row *form, const char *floats, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        float x;
        memcpy(&x, floats + columns[i].feature * sizeof x, sizeof x);
        if (isnan(x))
            lanes[columns[i].lane] = (uint8_t)columns[i].missing;
    }
}

void
ax_forest_row_sets(const struct ax_forest_row *form, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    const struct ax_forest_set *sets = ax_forest_row_at(form, form->sets_at);
    for (uint32_t i = 0; i < form->column_count; i++)
        for (uint32_t k = 0; k < columns[i].set_count; k++)
            lanes[columns[i].set_lane + k] =
                ax_forest_set_has(&sets[columns[i].set_first + k], lanes[columns[i].lane]);
}

void
ax_forest_row_interleave(const struct ax_forest_row *form, const struct ax_forest_row_work *work)
{
    const struct ax_forest_row_node *nodes = ax_forest_row_at(form, form->nodes_at);
    const uint32_t *node_leaf = ax_forest_row_at(form, form->leaves_at);
    const uint32_t *starts = ax_forest_row_at(form, form->starts_at);
    const uint32_t *places = ax_forest_row_at(form, form->places_at);
    const uint32_t *steps = ax_forest_row_at(form, form->steps_at);
    for (uint32_t g = 0; g < form->group_count; g++, starts += ABREAST, places += ABREAST) {
        uint32_t at[ABREAST];
        memcpy(at, starts, sizeof at);
        for (uint32_t s = steps[g]; s > 0; s--)
            for (uint32_t k = 0; k < ABREAST; k++) {
                struct ax_forest_row_node node = nodes[at[k]];
                at[k] = node.child + (work->lanes[node.lane] > node.rank);
            }
        for (uint32_t k = 0; k < ABREAST; k++)
            work->leaves[places[k]] = node_leaf[at[k]];
    }
}

/* The value that a leaf adds to its place-th output. */
static double
value_of(const struct ax_forest_row *form, size_t place)
{
    const float *narrow = ax_forest_row_at(form, form->values_at);
    const double *wide = ax_forest_row_at(form, form->values_at);
    return form->f32 ? (double)narrow[place] : wide[place];
}

static double
add(const struct ax_forest_row *form, double sum, double value)
{
    return form->f32 ? (double)((float)sum + (float)value) : sum + value;
}

static void
end_run(const struct ax_forest_row *form, struct ax_forest_row_run *run, double *margin)
{
    *margin = add(form, *margin, run->sum);
    *run = (struct ax_forest_row_run){};
}

void
ax_forest_row_sum_many(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                       bool fast, double *out_margin)
{
    const double *base = ax_forest_row_at(form, form->base_at);
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    size_t outputs = form->vectors ? form->output_count : 1;
    memcpy(out_margin, base, form->output_count * sizeof *base);
    memset(work->runs, 0, form->output_count * sizeof *work->runs);
    for (uint32_t t = 0; t < form->tree_count; t++) {
        size_t first = form->vectors ? 0 : trees[t].output;
        for (size_t k = 0; k < outputs; k++) {
            double *margin = &out_margin[first + k],
                   value = value_of(form, work->leaves[t] * outputs + k);
            struct ax_forest_row_run *run = &work->runs[first + k];
            if (!fast) {
                *margin = add(form, *margin, value);
                continue;
            }
            run->sum = add(form, run->sum, value);
            if (++run->count == AX_FOREST_RUN)
                end_run(form, run, margin);
        }
    }
    for (size_t k = 0; k < form->output_count; k++)
        if (work->runs[k].count > 0)
            end_run(form, &work->runs[k], &out_margin[k]);
}

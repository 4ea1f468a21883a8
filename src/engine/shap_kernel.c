#include "engine/shap_kernel.h"

#include "base/assert.h"
#include "base/number.h"
#include "engine/scratch.h"

static const size_t table_bytes_default = (size_t)8 << 20;
static const size_t population_bytes_default = (size_t)64 << 20;
static const size_t node_bytes_default = (size_t)64 << 20;
static const size_t work_bytes_max = (size_t)1 << 30;
static const size_t sums_bytes_max = (size_t)512 << 10; /* of a pass over rows: stays in L2 */

/* ---- which form a tree gets ---- */

struct forms {
    bool *table, *node, *plain, *decided;
};

/*
 * Tables for all trees that have any when the budget holds them together; else for none, because
 * a batch is faster by nodes. What nodes cannot explain gets tables one by one while they fit.
 */
static void
choose_tables(const struct ax_forest *forest, const struct ax_shap_shape *shapes, size_t budget,
              const struct forms *forms)
{
    size_t total = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        size_t bytes = ax_shap_table_measure(forest, &shapes[t]);
        total += bytes == SIZE_MAX ? 0 : bytes;
    }
    bool all = total <= budget;
    for (size_t t = 0; t < forest->tree_count; t++) {
        size_t bytes = ax_shap_table_measure(forest, &shapes[t]);
        forms->table[t] = bytes <= budget && (all || !forms->node[t]);
        forms->node[t] = forms->node[t] && !forms->table[t];
        budget -= forms->table[t] ? bytes : 0;
    }
}

static ax_status
make_forms(const struct ax_forest *forest, struct ax_ctx *ctx, struct forms *out_forms)
{
    bool *flags = AX_NEW_ARRAY(ctx->arena, bool, 4 * forest->tree_count);
    if (!flags)
        return ax_fail(ctx, AX_LIMIT, "no memory to prepare explanations");
    *out_forms = (struct forms){flags, flags + forest->tree_count, flags + 2 * forest->tree_count,
                                flags + 3 * forest->tree_count};
    return AX_OK;
}

/* A budget or its default, within half of what both may take. */
static size_t
budget_of(const struct ax_shap_kernel_config *config, size_t value, size_t otherwise)
{
    size_t most = config->bytes_max ? config->bytes_max / 2 : SIZE_MAX;
    size_t budget = value ? value : otherwise;
    return budget < most ? budget : most;
}

static void
choose_forms(const struct ax_forest *forest, const struct ax_shap_kernel_config *config,
             const struct ax_shap_shape *shapes, const struct forms *forms)
{
    bool population = config->population.rows != NULL;
    size_t nodes = budget_of(config, config->node_bytes_max, node_bytes_default);
    size_t tables = budget_of(config, config->table_bytes_max,
                              population ? population_bytes_default : table_bytes_default);
    for (size_t t = 0; t < forest->tree_count; t++) {
        size_t bytes = population ? SIZE_MAX : ax_shap_node_measure(forest, &shapes[t]);
        forms->node[t] = bytes <= nodes;
        nodes -= forms->node[t] ? bytes : 0;
    }
    choose_tables(forest, shapes, tables, forms);
    for (size_t t = 0; t < forest->tree_count; t++) {
        forms->decided[t] = forms->table[t] || forms->node[t];
        forms->plain[t] = !forms->decided[t];
    }
}

/* ---- preparing ---- */

static ax_status
prepare_plain(struct ax_shap_kernel *kernel, struct ax_ctx *ctx,
              const struct ax_shap_kernel_config *config, struct ax_arena *arena,
              const struct forms *forms)
{
    const struct ax_forest *forest = kernel->forest;
    uint32_t *plain = AX_NEW_ARRAY(arena, uint32_t, forest->tree_count);
    if (!plain)
        return ax_fail(ctx, AX_LIMIT, "no memory for a list of trees");
    for (size_t t = 0; t < forest->tree_count; t++)
        if (forms->plain[t])
            plain[kernel->plain_count++] = (uint32_t)t;
    kernel->plain = plain;
    kernel->bias = forest->mean;
    if (config->population.rows) {
        AX_TRY(ax_shap_background_prepare(forest, ctx, arena, &config->population, forms->plain,
                                          &kernel->background));
        kernel->bias = kernel->background.mean;
        return AX_OK;
    }
    AX_ASSERT(forest->covers);
    return ax_shap_prepare(forest, ctx, arena, &kernel->points);
}

/* Tables of nodes for eight rows, in an arena of their own. */
struct node_rows {
    struct ax_arena *arena;
    const double *tables;
};

static void
node_rows_free(void *arg)
{
    struct node_rows *rows = arg;
    ax_arena_free(rows->arena);
}

static ax_status
make_node_rows(const struct ax_shap_kernel *kernel, struct ax_ctx *ctx, struct node_rows **out_rows)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SIZE_MAX);
    struct node_rows *rows = arena ? AX_NEW(arena, struct node_rows) : NULL;
    if (!rows)
        return ax_fail(ctx, AX_LIMIT, "no memory for tables of explanations");
    AX_TRY(ax_shap_node_rows_make(&kernel->nodes, ctx, arena, &rows->tables));
    rows->arena = ax_take(arena);
    *out_rows = rows;
    return AX_OK;
}

bool
ax_shap_kernel_rows_ready(const struct ax_shap_kernel *kernel, size_t rows)
{
    size_t least = kernel->level->rows_min;
    if (least > AX_SHAP_NODE_ROWS)
        least = AX_SHAP_NODE_ROWS;
    return !kernel->node_rows || rows < least || ax_once_get(kernel->node_rows);
}

ax_status
ax_shap_kernel_ready_rows(const struct ax_shap_kernel *kernel, struct ax_ctx *ctx, size_t rows)
{
    struct node_rows *made = NULL;
    if (ax_shap_kernel_rows_ready(kernel, rows) || ax_once_begin(kernel->node_rows))
        return AX_OK;
    ax_status status = make_node_rows(kernel, ctx, &made);
    ax_once_end(kernel->node_rows, status == AX_OK ? made : NULL);
    return status;
}

size_t
ax_shap_kernel_made_bytes(const struct ax_shap_kernel *kernel)
{
    const struct node_rows *rows = kernel->node_rows ? ax_once_get(kernel->node_rows) : NULL;
    return rows ? ax_arena_held_bytes(rows->arena) : 0;
}

static ax_status
prepare(struct ax_shap_kernel *kernel, struct ax_ctx *ctx,
        const struct ax_shap_kernel_config *config, struct ax_arena *arena)
{
    const struct ax_forest *forest = kernel->forest;
    struct ax_shap_shape *shapes;
    struct forms forms;
    AX_TRY(ax_shap_shape_make(forest, ctx, &shapes));
    AX_TRY(make_forms(forest, ctx, &forms));
    choose_forms(forest, config, shapes, &forms);
    AX_TRY(ax_shap_decide_build(forest, ctx, arena, shapes, forms.decided, &kernel->decide));
    const struct ax_shap_table_source tables = {.forest = forest,
                                                .shapes = shapes,
                                                .wanted = forms.table,
                                                .population = config->population,
                                                .forms = config->forms};
    AX_TRY(ax_shap_table_build(&tables, ctx, arena, &kernel->table));
    const struct ax_shap_node_source nodes = {
        .forest = forest, .shapes = shapes, .wanted = forms.node};
    AX_TRY(ax_shap_node_build(&nodes, ctx, arena, &kernel->nodes));
    if (kernel->nodes.block_count > 0) {
        kernel->node_rows = ax_once_new(arena, node_rows_free);
        if (!kernel->node_rows)
            return ax_fail(ctx, AX_LIMIT, "no memory to prepare explanations");
    }
    return prepare_plain(kernel, ctx, config, arena, &forms);
}

ax_status
ax_shap_kernel_prepare(const struct ax_forest *forest, struct ax_ctx *ctx,
                       const struct ax_shap_kernel_config *config, struct ax_arena *arena,
                       struct ax_shap_kernel *out_kernel)
{
    struct ax_shap_kernel kernel = {.forest = forest,
                                    .level = ax_shap_level_pick(config->level),
                                    .interventional = config->population.rows != NULL};
    ax_auto(ax_arena_free) struct ax_arena *work = ax_arena_new(work_bytes_max);
    if (!work)
        return ax_fail(ctx, AX_LIMIT, "no memory to prepare explanations");
    struct ax_arena *callers = ctx->arena;
    ctx->arena = work;
    ax_status status = prepare(&kernel, ctx, config, arena);
    ctx->arena = callers;
    AX_TRY(status);
    *out_kernel = kernel;
    return AX_OK;
}

/* ---- scratch ---- */

/* All pieces begin at boundaries of wide registers. */
struct work {
    uint16_t *ranks;
    uint8_t *bits;
    double *table_phi, *node_phi;
    struct ax_shap_table_work table;
    struct ax_shap_node_work node;
    uint16_t *block_ranks;
    uint64_t *words;
    size_t groups; /* of eight rows in one pass */
    void *plain;
    double *plain_phi;
};

struct cursor {
    char *at; /* NULL: only adding up */
    size_t bytes;
};

static void *
take(struct cursor *cursor, size_t item_bytes, size_t count)
{
    void *at = cursor->at ? cursor->at + cursor->bytes : NULL;
    cursor->bytes += (item_bytes * count + AX_SCRATCH_WIDE - 1) / AX_SCRATCH_WIDE * AX_SCRATCH_WIDE;
    return at;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void
take_nodes(const struct ax_shap_kernel *kernel, struct cursor *cursor, struct work *work)
{
    const struct ax_shap_nodes *nodes = &kernel->nodes;
    size_t group_sums = AX_SHAP_NODE_CLASSES * AX_SHAP_NODE_ROWS * nodes->column_count;
    size_t numbers = larger(nodes->slots_max * nodes->lanes_max,
                            nodes->tree_slots_max * nodes->points_max * AX_SHAP_NODE_ROWS);
    if (nodes->block_count == 0)
        return;
    work->groups = AX_SHAP_BLOCK / AX_SHAP_NODE_ROWS;
    while (work->groups > 1 && work->groups * group_sums * sizeof(double) > sums_bytes_max)
        work->groups /= 2;
    work->node.g = take(cursor, sizeof(double), numbers);
    work->node.a = take(cursor, sizeof(double), numbers);
    work->node.z = take(cursor, sizeof(double), numbers);
    work->node.where = take(cursor, sizeof(double *), nodes->slots_max);
    work->node.index = take(cursor, sizeof(uint64_t), nodes->tree_slots_max);
    work->node.left = take(cursor, sizeof(uint64_t), nodes->tree_slots_max);
    work->node.live = take(cursor, sizeof(uint64_t), nodes->tree_slots_max);
    work->node.sums = take(cursor, sizeof(double), work->groups * group_sums);
    work->node_phi = take(cursor, sizeof(double), nodes->column_count);
    work->block_ranks = take(cursor, sizeof(uint16_t), kernel->decide.column_count * AX_SHAP_BLOCK);
    work->words = take(cursor, sizeof(uint64_t), kernel->decide.slot_count);
}

static struct work
lay_out(const struct ax_shap_kernel *kernel, struct cursor *cursor)
{
    const struct ax_forest *forest = kernel->forest;
    struct work work = {};
    work.ranks = take(cursor, sizeof(uint16_t), ax_shap_decide_rank_count(&kernel->decide));
    work.bits = take(cursor, 1, ax_shap_decide_bits_bytes(&kernel->decide));
    work.table_phi = take(cursor, sizeof(double), kernel->table.column_count);
    work.table.where = take(cursor, sizeof(uint32_t), kernel->table.unit_count);
    work.table.spill = take(cursor, sizeof(double), ax_shap_table_spill_count(&kernel->table));
    take_nodes(kernel, cursor, &work);
    if (kernel->plain_count == 0)
        return work;
    work.plain =
        take(cursor, 1,
             kernel->interventional ? ax_shap_background_scratch_bytes(forest, &kernel->background)
                                    : ax_shap_scratch_bytes(forest));
    work.plain_phi =
        take(cursor, sizeof(double), forest->output_count * (forest->feature_count + 1));
    return work;
}

size_t
ax_shap_kernel_scratch_bytes(const struct ax_shap_kernel *kernel)
{
    struct cursor cursor = {};
    (void)lay_out(kernel, &cursor);
    return cursor.bytes + AX_SCRATCH_WIDE;
}

/* A unit is at least a leaf; entries of a table, at least two of eight lanes, are in the budget. */
static size_t
units_max(const struct ax_forest *forest)
{
    size_t by_budget = table_bytes_default / (2 * AX_SHAP_TABLE_LANES * sizeof(double)), units;
    return ax_mul(forest->leaf_count, forest->output_count, &units) && units < by_budget
               ? units
               : by_budget;
}

/* A kernel of all there can be: what is taken of it grows with each of its numbers. */
ax_status
ax_shap_kernel_scratch_max(const struct ax_forest *forest, struct ax_ctx *ctx, size_t *out_bytes)
{
    size_t columns = forest->output_count * forest->feature_count;
    size_t features = forest->feature_max < AX_SHAP_NODE_FEATURES_MAX ? forest->feature_max
                                                                      : AX_SHAP_NODE_FEATURES_MAX;
    size_t points = (features + 1) / 2;
    struct ax_shap_kernel most = {
        .forest = forest,
        .table = {.unit_count = units_max(forest), .column_count = columns},
        .nodes = {.block_count = 1,
                  .column_count = columns,
                  .slots_max = (size_t)AX_SHAP_NODE_TREES * forest->tree_nodes_max,
                  .tree_slots_max = forest->tree_nodes_max,
                  .lanes_max = points + AX_SHAP_NODE_LANES,
                  .points_max = points},
        .plain_count = 1,
    };
    AX_TRY(ax_shap_decide_most(forest, ctx, &most.decide));
    *out_bytes = ax_shap_kernel_scratch_bytes(&most);
    return AX_OK;
}

/* ---- calls ---- */

/* Puts a column of numbers, `step` apart, into a row's blocks. */
static void
set_columns(const struct ax_forest *forest, const double *phi, size_t step, double *out)
{
    for (size_t k = 0; k < forest->output_count; k++, out++)
        for (size_t f = 0; f < forest->feature_count; f++, phi += step)
            *out++ = *phi;
}

static void
add_columns(const struct ax_forest *forest, const double *phi, size_t step, double *out)
{
    for (size_t k = 0; k < forest->output_count; k++, out++)
        for (size_t f = 0; f < forest->feature_count; f++, phi += step)
            *out++ += *phi;
}

/* Tables' part, or zeros; and the nodes' part when the row is taken alone. */
static void
explain_row(const struct ax_shap_kernel *kernel, const struct work *work, const double *row,
            bool nodes, double *out)
{
    const struct ax_forest *forest = kernel->forest;
    size_t stride = forest->feature_count + 1;
    bool tables = kernel->table.unit_count > 0;
    if (!tables)
        memset(out, 0, forest->output_count * stride * sizeof *out);
    if (!tables && !nodes)
        return;
    ax_shap_decide_ranks(&kernel->decide, row, 1, work->ranks);
    kernel->level->bits(&kernel->decide, work->ranks, work->bits);
    ax_shap_decide_specials(&kernel->decide, row, work->bits);
    if (tables) {
        kernel->level->table(&kernel->table, work->bits, &work->table, work->table_phi);
        set_columns(forest, work->table_phi, 1, out);
    }
    if (nodes) {
        kernel->level->node_row(&kernel->nodes, work->bits, &work->node, work->node_phi);
        add_columns(forest, work->node_phi, 1, out);
    }
}

/* Adds the nodes' part of the first `count` rows, eight by eight. */
static void
explain_groups(const struct ax_shap_kernel *kernel, const struct work *work, const double *rows,
               size_t count, double *out)
{
    const struct ax_forest *forest = kernel->forest;
    const struct ax_shap_decide *decide = &kernel->decide;
    size_t width = forest->output_count * (forest->feature_count + 1);
    size_t group_sums = AX_SHAP_NODE_CLASSES * AX_SHAP_NODE_ROWS * kernel->nodes.column_count;
    size_t group_count = (count + AX_SHAP_NODE_ROWS - 1) / AX_SHAP_NODE_ROWS;
    memset(work->block_ranks, 0, decide->column_count * AX_SHAP_BLOCK * sizeof *work->block_ranks);
    for (size_t i = 0; i < count; i++)
        ax_shap_decide_ranks(decide, rows + i * forest->feature_count, AX_SHAP_BLOCK,
                             work->block_ranks + i);
    kernel->level->words(decide, work->block_ranks, work->words);
    for (size_t i = 0; i < count; i++)
        ax_shap_decide_special_words(decide, rows + i * forest->feature_count, i, work->words);
    for (size_t group = 0; group < group_count; group += work->groups) {
        size_t groups = group_count - group < work->groups ? group_count - group : work->groups;
        size_t first = group * AX_SHAP_NODE_ROWS, end = first + groups * AX_SHAP_NODE_ROWS;
        kernel->level->node_rows(&kernel->nodes, work->words, first, groups, &work->node);
        for (size_t i = first; i < end && i < count; i++)
            add_columns(forest,
                        work->node.sums + (i - first) / AX_SHAP_NODE_ROWS * group_sums +
                            i % AX_SHAP_NODE_ROWS,
                        AX_SHAP_NODE_ROWS, out + i * width);
    }
}

static void
explain_plain(const struct ax_shap_kernel *kernel, const struct work *work, const double *row,
              double *out)
{
    const struct ax_forest *forest = kernel->forest;
    size_t width = forest->output_count * (forest->feature_count + 1);
    if (kernel->plain_count == 0)
        return;
    memset(work->plain_phi, 0, width * sizeof *work->plain_phi);
    for (size_t i = 0; i < kernel->plain_count; i++)
        if (kernel->interventional)
            ax_shap_background_add_tree(forest, &kernel->background, kernel->plain[i], row,
                                        work->plain, work->plain_phi);
        else
            ax_shap_add_tree(forest, &kernel->points, kernel->plain[i], row, work->plain,
                             work->plain_phi);
    double scale = kernel->interventional ? (double)kernel->background.count : 1;
    for (size_t i = 0; i < width; i++)
        out[i] += work->plain_phi[i] / scale;
}

void
ax_shap_kernel_rows(const struct ax_shap_kernel *kernel, const double *rows, size_t count,
                    void *scratch, double *out)
{
    AX_ASSERT(count <= AX_SHAP_BLOCK);
    AX_ASSERT(scratch);
    const struct ax_forest *forest = kernel->forest;
    size_t stride = forest->feature_count + 1, width = forest->output_count * stride;
    struct cursor cursor = {.at = ax_scratch_wide(scratch)};
    struct work work = lay_out(kernel, &cursor);
    size_t rest = count % AX_SHAP_NODE_ROWS, grouped = 0;
    const struct node_rows *node_rows = kernel->node_rows ? ax_once_get(kernel->node_rows) : NULL;
    if (node_rows) {
        work.node.tables = node_rows->tables;
        grouped = rest >= kernel->level->rows_min ? count : count - rest;
    }
    for (size_t i = 0; i < count; i++)
        explain_row(kernel, &work, rows + i * forest->feature_count,
                    kernel->nodes.block_count > 0 && i >= grouped, out + i * width);
    if (grouped > 0)
        explain_groups(kernel, &work, rows, grouped, out);
    for (size_t i = 0; i < count; i++) {
        explain_plain(kernel, &work, rows + i * forest->feature_count, out + i * width);
        for (size_t k = 0; k < forest->output_count; k++)
            out[i * width + k * stride + stride - 1] = kernel->bias[k];
    }
}

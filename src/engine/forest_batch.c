#include "engine/forest_batch.h"

#include <string.h>

#include "base/assert.h"
#include "base/number.h"

enum {
    GROUP = AX_FOREST_BATCH_GROUP,
    FLOAT_COLUMNS = 8,
    SLOTS_BYTES_MAX = 4 << 20,    /* beyond the caches that the program's speed comes from */
    SCRATCH_BYTES_MAX = 32 << 20, /* of every thread that scores: many outputs are not worth it */
    FORM_BYTES_MAX = INT32_MAX,
};

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a forest's batch form");
}

bool
ax_forest_batch_fits(const struct ax_forest_plan *plan)
{
    return plan->fits && plan->leaves_max <= AX_FOREST_SLICE_LEAVES_MAX;
}

/* ---- layout ---- */

struct layout {
    const struct ax_forest_plan *plan;
    const struct ax_forest_slice *slice;
    const struct ax_forest_batch_ops *const *sizes;
    struct ax_forest_batch_form head;
    const struct ax_forest_code *code;
    uint32_t *order; /* trees, those of an output together, in the order of the file */
    size_t bytes, scratch_bytes;
    uint32_t cuts_at, tables_at, ops_at;
};

/* The place of a piece that follows, aligned. */
static uint32_t
place(struct layout *layout, size_t bytes)
{
    size_t at = layout->bytes;
    size_t end = at + bytes + AX_FOREST_BATCH_ALIGN - 1;
    layout->bytes = end / AX_FOREST_BATCH_ALIGN * AX_FOREST_BATCH_ALIGN;
    return at <= FORM_BYTES_MAX ? (uint32_t)at : 0;
}

static size_t
value_bytes(bool f32)
{
    return f32 ? sizeof(float) : sizeof(double);
}

static uint32_t
largest_block(const struct layout *layout)
{
    return layout->sizes[0]->rows;
}

static size_t
aligned(size_t bytes)
{
    return (bytes + AX_FOREST_BATCH_ALIGN - 1) / AX_FOREST_BATCH_ALIGN * AX_FOREST_BATCH_ALIGN;
}

static size_t
scratch_bytes(const struct layout *layout)
{
    const struct ax_forest_batch_ops *ops = layout->sizes[0];
    const struct ax_forest_batch_form *head = &layout->head;
    size_t rows = largest_block(layout);
    return aligned(rows * FLOAT_COLUMNS * sizeof(float)) + aligned(head->slots_bytes) +
           aligned((size_t)ops->step_count * ops->slot_bytes) + aligned(rows * GROUP) +
           aligned(rows * head->output_count * value_bytes(head->f32));
}

/*
 * Slots that a program can have: a predicate's each, of a set the multiplexers that make it, and
 * temporaries: an operation of the largest tree has at most one, and a node one operation a plane.
 */
static size_t
slots_max(const struct ax_forest_plan *plan)
{
    size_t slots = 2 + AX_FOREST_SLICE_PLANES_MAX + /* constants; planes of machine code */
                   AX_FOREST_SLICE_PLANES_MAX * (size_t)plan->forest->tree_nodes_max;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *column = &plan->columns[i];
        size_t each = column->is_sets ? (size_t)column->cut_count + 2 : 1;
        slots +=
            each * column->predicate_count + (column->is_sets ? ax_forest_slice_levels(column) : 0);
    }
    return slots;
}

size_t
ax_forest_batch_scratch_max(const struct ax_forest_plan *plan,
                            const struct ax_forest_batch_ops *const *sizes)
{
    struct layout layout = {.plan = plan, .sizes = sizes};
    size_t most = SLOTS_BYTES_MAX / sizes[0]->slot_bytes + AX_FOREST_SLICE_PLANES_MAX;
    size_t slots = slots_max(plan);
    layout.head.slots_bytes = (uint32_t)(slots < most ? slots : most) * sizes[0]->slot_bytes;
    layout.head.output_count = (uint32_t)plan->forest->output_count;
    layout.head.f32 = plan->forest->f32;
    size_t bytes = scratch_bytes(&layout);
    return bytes < SCRATCH_BYTES_MAX ? bytes : SCRATCH_BYTES_MAX;
}

/* With machine code only the sets' operations are interpreted. */
static uint32_t
kept_ops(const struct layout *layout)
{
    return layout->code ? layout->slice->set_op_count : layout->slice->op_count;
}

static void
lay_out(struct layout *layout)
{
    const struct ax_forest_plan *plan = layout->plan;
    const struct ax_forest_slice *slice = layout->slice;
    const struct ax_forest *forest = plan->forest;
    const struct ax_forest_batch_ops *ops = layout->sizes[0];
    struct ax_forest_batch_form *head = &layout->head;
    size_t tables = forest->tree_count * (plan->vectors ? forest->output_count : 1);
    *head = (struct ax_forest_batch_form){
        .feature_count = (uint32_t)forest->feature_count,
        .output_count = (uint32_t)forest->output_count,
        .column_count = plan->column_count,
        .tree_count = (uint32_t)forest->tree_count,
        .planes = slice->planes,
        .f32 = forest->f32,
        .vectors = plan->vectors,
        .table_bytes = (uint32_t)(value_bytes(forest->f32) << slice->planes),
        .slots_bytes = (layout->code ? slice->temporary_first + AX_FOREST_SLICE_PLANES_MAX
                                     : slice->slot_count) *
                       ops->slot_bytes,
        .set_op_count = slice->set_op_count,
        .op_count = slice->op_count,
    };
    layout->bytes = 0;
    (void)place(layout, sizeof *head);
    head->columns_at = place(layout, plan->column_count * sizeof(struct ax_forest_batch_column));
    head->trees_at = place(layout, forest->tree_count * sizeof(struct ax_forest_batch_tree));
    head->base_at = place(layout, forest->output_count * sizeof(double));
    for (uint32_t i = 0; i < AX_FOREST_BATCH_WIDTHS && layout->sizes[i]; i++)
        head->order_at[i] = place(layout, layout->sizes[i]->rows * sizeof(uint16_t));
    layout->cuts_at = place(layout, plan->cut_count * sizeof(double));
    layout->tables_at = place(layout, (size_t)plan->column_count * ops->table_bytes);
    layout->ops_at = place(layout, kept_ops(layout) * sizeof(struct ax_forest_slice_op));
    head->set_ops_at = layout->ops_at;
    head->leaves_at = place(layout, tables * head->table_bytes);
    head->bytes = (uint32_t)layout->bytes;
    layout->scratch_bytes = scratch_bytes(layout);
    head->scratch_bytes = (uint32_t)layout->scratch_bytes;
}

/* ---- contents ---- */

static void *
piece(char *form, uint32_t at)
{
    return form + at;
}

/* As the kernel wants the values of a code, or as they are. */
static void
write_leaf_table(const struct layout *layout, const double *values, uint8_t *out)
{
    const struct ax_forest_batch_form *head = &layout->head;
    const struct ax_forest_batch_ops *ops = layout->sizes[0];
    double *wide = (void *)out;
    float *narrow = (void *)out;
    if (ops->leaf_table) {
        ops->leaf_table(values, head->planes, head->f32, out);
        return;
    }
    for (size_t i = 0; i < (size_t)1 << head->planes; i++)
        if (head->f32)
            narrow[i] = (float)values[i];
        else
            wide[i] = values[i];
}

/* Which row each sum of a block is of. */
static void
write_order(const struct layout *layout, const struct ax_forest_batch_ops *ops, uint16_t *out)
{
    if (ops->order) {
        ops->order(layout->slice->planes, layout->head.f32, out);
        return;
    }
    for (uint32_t i = 0; i < ops->rows; i++)
        out[i] = (uint16_t)i;
}

static void
write_columns(const struct layout *layout, char *form)
{
    const struct ax_forest_plan *plan = layout->plan;
    const struct ax_forest_batch_ops *ops = layout->sizes[0];
    struct ax_forest_batch_column *columns = piece(form, layout->head.columns_at);
    double *cuts = piece(form, layout->cuts_at);
    if (plan->cut_count)
        memcpy(cuts, plan->cuts, plan->cut_count * sizeof *cuts);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *from = &plan->columns[i];
        struct ax_forest_batch_column *to = &columns[i];
        uint32_t levels = ax_forest_slice_levels(from);
        *to = (struct ax_forest_batch_column){
            .feature = from->feature,
            .cut_count = from->cut_count,
            .levels = levels,
            .missing = from->missing,
            .missing_code = ax_forest_batch_reversed(from->missing, levels),
            .correct = ax_forest_cuts_beyond_floats(plan->cuts + from->cut_first, from->cut_count),
            .is_sets = from->is_sets,
            .slot_at = layout->slice->column_slot[i] * ops->slot_bytes,
            .cuts_at = layout->cuts_at + from->cut_first * (uint32_t)sizeof(double),
            .table_at = layout->tables_at + i * ops->table_bytes,
        };
        if (ops->table)
            ops->table(plan->cuts + from->cut_first, from->cut_count, levels,
                       piece(form, to->table_at));
    }
}

static void
write_ops(const struct layout *layout, char *form)
{
    uint32_t bytes = layout->sizes[0]->slot_bytes;
    struct ax_forest_slice_op *ops = piece(form, layout->ops_at);
    for (uint32_t i = 0; i < kept_ops(layout); i++) {
        const struct ax_forest_slice_op *op = &layout->slice->ops[i];
        ops[i] = (struct ax_forest_slice_op){op->select * bytes, op->left * bytes,
                                             op->right * bytes, op->out * bytes};
    }
}

/* The values of a tree's codes for one output; codes that no leaf owns are never met. */
static void
values_of(const struct layout *layout, uint32_t tree_index, size_t output, double *values)
{
    const struct ax_forest *forest = layout->plan->forest;
    const struct ax_forest_tree *tree = &forest->trees[tree_index];
    size_t codes = (size_t)1 << layout->slice->planes;
    for (size_t code = 0; code < codes; code++) {
        const struct ax_forest_node *leaf =
            &tree->nodes[layout->slice->leaves[tree_index * codes + code]];
        values[code] = leaf->left < 0 ? ax_forest_value(forest, tree, leaf, output) : 0;
    }
}

static void
write_trees(const struct layout *layout, char *form)
{
    const struct ax_forest *forest = layout->plan->forest;
    const struct ax_forest_batch_form *head = &layout->head;
    struct ax_forest_batch_tree *trees = piece(form, head->trees_at);
    uint32_t slot_bytes = layout->sizes[0]->slot_bytes;
    uint8_t *table = piece(form, head->leaves_at);
    double values[AX_FOREST_SLICE_LEAVES_MAX];
    for (uint32_t i = 0; i < head->tree_count; i++) {
        uint32_t t = layout->order[i];
        const struct ax_forest_slice_tree *from = &layout->slice->trees[t];
        int32_t output = forest->trees[t].output;
        trees[i] = (struct ax_forest_batch_tree){
            .ops_at = layout->ops_at + from->op_first * (uint32_t)sizeof(struct ax_forest_slice_op),
            .op_count = from->op_count,
            .output = output < 0 ? 0 : (uint32_t)output,
        };
        for (int p = 0; p < AX_FOREST_SLICE_PLANES_MAX; p++)
            trees[i].plane_at[p] =
                (layout->code ? layout->slice->temporary_first + (uint32_t)p : from->plane[p]) *
                slot_bytes;
        size_t outputs = head->vectors ? head->output_count : 1;
        for (size_t k = 0; k < outputs; k++, table += head->table_bytes) {
            values_of(layout, t, k, values);
            write_leaf_table(layout, values, table);
        }
    }
}

/* Trees of an output behind each other, so that their sums stay in registers. */
static bool
order_trees(struct layout *layout, struct ax_arena *arena)
{
    const struct ax_forest *forest = layout->plan->forest;
    layout->order = AX_NEW_ARRAY(arena, uint32_t, forest->tree_count);
    size_t *next = AX_NEW_ARRAY(arena, size_t, forest->output_count + 1);
    if (!layout->order || !next)
        return false;
    for (size_t t = 0; t < forest->tree_count; t++)
        if (forest->trees[t].output >= 0)
            next[forest->trees[t].output + 1]++;
    for (size_t k = 0; k < forest->output_count; k++)
        next[k + 1] += next[k];
    for (size_t t = 0; t < forest->tree_count; t++) {
        int32_t output = forest->trees[t].output;
        layout->order[output < 0 ? t : next[output]++] = (uint32_t)t;
    }
    return true;
}

/* The program, as machine code if that is wanted and to be had. */
static ax_status
make_program(struct ax_ctx *ctx, const struct ax_forest_batch_config *config,
             struct ax_arena *arena, struct layout *layout, struct ax_forest_slice *slice)
{
    const struct ax_forest_plan *plan = layout->plan;
    const struct ax_forest_slice_config code = {.spread = false};
    const struct ax_forest_slice_config interpreted = {
        .spread = true, .spare = config->sizes[0]->spare[plan->forest->f32]};
    if (config->code && config->sizes[0]->code) {
        AX_TRY(ax_forest_slice_compile(ctx, plan, &code, slice));
        AX_TRY(ax_forest_code_make(ctx, slice, layout->order, plan->forest->tree_count, arena,
                                   &layout->code));
    }
    return layout->code ? AX_OK : ax_forest_slice_compile(ctx, plan, &interpreted, slice);
}

static void
write_form(const struct layout *layout, char *form)
{
    const struct ax_forest *forest = layout->plan->forest;
    memcpy(form, &layout->head, sizeof layout->head);
    write_columns(layout, form);
    write_ops(layout, form);
    write_trees(layout, form);
    memcpy(piece(form, layout->head.base_at), forest->base,
           forest->output_count * sizeof *forest->base);
    for (uint32_t i = 0; i < AX_FOREST_BATCH_WIDTHS && layout->sizes[i]; i++)
        write_order(layout, layout->sizes[i], piece(form, layout->head.order_at[i]));
}

ax_status
ax_forest_batch_build(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                      const struct ax_forest_batch_config *config, struct ax_arena *arena,
                      struct ax_forest_batch *out_batch)
{
    AX_ASSERT(ax_forest_batch_fits(plan));
    struct ax_forest_slice slice;
    struct layout layout = {.plan = plan, .slice = &slice, .sizes = config->sizes};
    *out_batch = (struct ax_forest_batch){.sizes = config->sizes};
    if (!order_trees(&layout, ctx->arena))
        return out_of_memory(ctx);
    AX_TRY(make_program(ctx, config, arena, &layout, &slice));
    if (slice.slot_count > SLOTS_BYTES_MAX / config->sizes[0]->slot_bytes)
        return AX_OK;
    lay_out(&layout);
    if (layout.bytes > config->bytes_max || layout.bytes > FORM_BYTES_MAX ||
        layout.scratch_bytes > SCRATCH_BYTES_MAX)
        return AX_OK;
    AX_ASSERT(layout.scratch_bytes <= ax_forest_batch_scratch_max(plan, config->sizes));
    char *memory = ax_arena_alloc(arena, 1, layout.bytes + AX_FOREST_BATCH_ALIGN);
    if (!memory)
        return out_of_memory(ctx);
    char *form = memory + (-(uintptr_t)memory & (AX_FOREST_BATCH_ALIGN - 1));
    write_form(&layout, form);
    out_batch->form = (const struct ax_forest_batch_form *)form;
    out_batch->code = layout.code;
    return AX_OK;
}

/* ---- a call ---- */

static struct ax_forest_block
block_begin(const struct ax_forest_batch_form *form, const struct ax_forest_batch_ops *ops,
            char *scratch)
{
    AX_ASSERT((uintptr_t)scratch % AX_FOREST_BATCH_ALIGN == 0);
    struct ax_forest_block block = {.form = form, .floats = (void *)scratch};
    block.slots = scratch + aligned(ops->rows * FLOAT_COLUMNS * sizeof(float));
    block.steps = block.slots + aligned(form->slots_bytes);
    block.codes = (uint8_t *)block.steps + aligned((size_t)ops->step_count * ops->slot_bytes);
    block.sums = block.codes + aligned(ops->rows * GROUP);
    memset(block.slots, 0, ops->slot_bytes);
    memset(block.slots + ops->slot_bytes, 0xff, ops->slot_bytes);
    return block;
}

static void
sums_begin(const struct ax_forest_block *block, uint32_t rows)
{
    const double *base = ax_forest_batch_at(block->form, block->form->base_at);
    float *narrow = block->sums;
    double *wide = block->sums;
    for (uint32_t k = 0; k < block->form->output_count; k++)
        for (uint32_t i = 0; i < rows; i++)
            if (block->form->f32)
                *narrow++ = (float)base[k];
            else
                *wide++ = base[k];
}

static void
sums_end(const struct ax_forest_block *block, uint32_t rows, const uint16_t *order, double *out)
{
    const float *narrow = block->sums;
    const double *wide = block->sums;
    size_t outputs = block->form->output_count;
    for (size_t k = 0; k < outputs; k++)
        for (size_t i = 0; i < rows; i++, narrow++, wide++)
            if (order[i] < block->rows.count)
                out[order[i] * outputs + k] = block->form->f32 ? (double)*narrow : *wide;
}

/* Trees from the first on, at most GROUP, that add to the same outputs. */
static uint32_t
group_of(const struct ax_forest_batch_form *form, const struct ax_forest_batch_tree *trees,
         uint32_t first)
{
    uint32_t count = 1;
    while (count < GROUP && first + count < form->tree_count &&
           trees[first + count].output == trees[first].output)
        count++;
    return count;
}

/* Leaves of a group of trees; a group begins where a run does. */
static void
add_leaves(const struct ax_forest_block *block, const struct ax_forest_batch_ops *ops,
           const uint8_t *tables, uint32_t count, void *sums)
{
    const struct ax_forest_batch_form *form = block->form;
    size_t stride = (form->vectors ? form->output_count : 1) * (size_t)form->table_bytes;
    struct ax_forest_block part = *block;
    uint32_t most = block->rows.fast ? AX_FOREST_RUN : GROUP;
    for (uint32_t first = 0; first < count; first += most) {
        ops->leaves(&part, tables + first * stride, stride,
                    count - first < most ? count - first : most, sums);
        part.codes += most * ops->rows;
    }
}

static void
run_trees(const struct ax_forest_batch *batch, const struct ax_forest_block *block,
          const struct ax_forest_batch_ops *ops)
{
    const struct ax_forest_batch_form *form = block->form;
    const struct ax_forest_batch_tree *trees = ax_forest_batch_at(form, form->trees_at);
    const uint8_t *tables = ax_forest_batch_at(form, form->leaves_at);
    size_t outputs = form->vectors ? form->output_count : 1;
    size_t stride = outputs * form->table_bytes;
    size_t sums_stride = ops->rows * value_bytes(form->f32);
    for (uint32_t first = 0, count; first < form->tree_count; first += count) {
        count = group_of(form, trees, first);
        for (uint32_t i = 0; i < count; i++) {
            const struct ax_forest_batch_tree *tree = &trees[first + i];
            if (batch->code)
                ax_forest_code_run(batch->code, first + i, block->slots);
            else
                ops->run(ax_forest_batch_at(form, tree->ops_at), tree->op_count, block->slots);
            ops->codes(block, tree->plane_at, block->codes + i * ops->rows);
        }
        for (size_t k = 0; k < outputs; k++)
            add_leaves(block, ops, tables + first * stride + k * form->table_bytes, count,
                       (char *)block->sums + (trees[first].output + k) * sums_stride);
    }
}

void
ax_forest_batch_score(const struct ax_forest_batch *batch, uint32_t width,
                      const struct ax_forest_rows *rows, void *scratch, double *out_margin)
{
    const struct ax_forest_batch_form *form = batch->form;
    const struct ax_forest_batch_ops *ops = batch->sizes[width];
    const uint16_t *order = ax_forest_batch_at(form, form->order_at[width]);
    struct ax_forest_block block = block_begin(form, ops, scratch);
    for (size_t from = 0; from < rows->count; from += ops->rows) {
        block.rows = *rows;
        block.rows.at = (const char *)rows->at + from * rows->stride_bytes;
        block.rows.count = rows->count - from < ops->rows ? rows->count - from : ops->rows;
        ops->predicates(&block);
        ops->run(ax_forest_batch_at(form, form->set_ops_at), form->set_op_count, block.slots);
        sums_begin(&block, ops->rows);
        run_trees(batch, &block, ops);
        sums_end(&block, ops->rows, order, out_margin + from * form->output_count);
    }
}

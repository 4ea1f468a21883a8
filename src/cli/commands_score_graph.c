#include "cli/commands_score_graph.h"

#include <math.h>

#include "base/number.h"
#include "base/writer.h"
#include "cli/score_parts.h"

enum { ROWS_A_CALL = 1'024, BLOCK_BYTES_MAX = 1 << 30, FIRST_ROW = 2 };

/* One scoring run: where each input's columns stand in the file. Shared by threads. */
struct graph_job {
    const struct ax_engine *engine;
    const struct ax_engine_graph *graph;
    const struct ax_score_graph_options *options;
    const struct ax_csv_stream *table;
    size_t *columns; /* of the inputs' columns, one after the other */
    size_t column_count;
    size_t rows_a_call;
};

/* A block of rows, one thread's; ctx's arena holds what belongs to it and is emptied for the next.
 */
struct graph_block {
    const struct graph_job *job;
    void **cells; /* one buffer an input */
    struct ax_ctx ctx;
    struct ax_writer *out; /* of the part that is worked on */
    bool header;           /* comes before its lines */
};

static size_t
width_of(const struct ax_engine_port *port)
{
    return port->dim_count < 2 ? 1 : (size_t)port->shape[1];
}

/* Rows that a call takes: as many as one likes, or as the graph says. */
static ax_status
check_ports(struct ax_ctx *ctx, struct graph_job *job)
{
    for (size_t i = 0; i < job->graph->input_count; i++) {
        const struct ax_engine_port *port = &job->graph->inputs[i];
        if (port->dim_count < 1 || port->dim_count > 2 ||
            (port->dim_count == 2 && port->shape[1] < 0))
            return ax_fail(ctx, AX_UNSUPPORTED,
                           "input `%.*s` is no column and no fixed number of columns",
                           AX_FMT(port->name));
        if (port->shape[0] >= 0 && (size_t)port->shape[0] < job->rows_a_call)
            job->rows_a_call = (size_t)port->shape[0];
        job->column_count += width_of(port);
    }
    if (job->rows_a_call == 1 || job->rows_a_call == ROWS_A_CALL)
        return AX_OK;
    return ax_fail(ctx, AX_UNSUPPORTED, "the graph takes %zu rows at a time", job->rows_a_call);
}

static ax_status
match_columns(struct ax_ctx *ctx, struct graph_job *job)
{
    const struct ax_csv_stream *table = job->table;
    size_t given = ax_csv_stream_header(table)->count, at = 0, found = 0;
    job->columns = AX_NEW_ARRAY(ctx->arena, size_t, job->column_count + 1);
    if (!job->columns)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", job->column_count);
    for (size_t i = 0; i < job->graph->input_count; i++) {
        const struct ax_engine_port *port = &job->graph->inputs[i];
        for (size_t c = 0; c < width_of(port); c++, at++) {
            job->columns[at] = port->map             ? ax_csv_stream_column(table, port->keys[c])
                               : width_of(port) == 1 ? ax_csv_stream_column(table, port->name)
                                                     : SIZE_MAX;
            found += job->columns[at] != SIZE_MAX;
        }
    }
    if (found == job->column_count)
        return AX_OK;
    if (given != job->column_count)
        return ax_fail(ctx, AX_INVALID,
                       "the graph has %zu columns of inputs; the file has %zu, of which %zu are "
                       "named like inputs",
                       job->column_count, given, found);
    for (size_t i = 0; i < job->column_count; i++)
        job->columns[i] = i;
    return AX_OK;
}

static void
graph_block_free(void *arg)
{
    ax_arena_free(arg);
}

static ax_status
graph_open(void *arg, struct ax_ctx *ctx, void **out_own)
{
    const struct graph_job *job = arg;
    struct graph_block *block = AX_NEW(ctx->arena, struct graph_block);
    void **cells = AX_NEW_ARRAY(ctx->arena, void *, job->graph->input_count + 1);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(BLOCK_BYTES_MAX);
    if (!block || !cells || !arena || !ax_arena_defer(ctx->arena, graph_block_free, arena))
        return ax_fail(ctx, AX_LIMIT, "no memory for the inputs");
    *block = (struct graph_block){.job = job, .cells = cells, .ctx = ax_ctx_of(ax_take(arena))};
    for (size_t i = 0; i < job->graph->input_count; i++) {
        const struct ax_engine_port *port = &job->graph->inputs[i];
        cells[i] = ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(port->type),
                                  width_of(port) * job->rows_a_call);
        if (!cells[i])
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", job->rows_a_call);
    }
    *out_own = block;
    return AX_OK;
}

/* ---- cells ---- */

/* Floats: NaN where the cell is empty or says what the caller calls missing. */
static bool
store_float(const struct graph_job *job, ax_str text, enum ax_tensor_type type, void *cell)
{
    double wide = (double)NAN;
    float narrow = NAN;
    if (text.len && (!ax_parse_f64(text, &wide) || !ax_parse_f32(text, &narrow)))
        return false;
    if (job->options->missing_given && wide == job->options->missing) {
        wide = (double)NAN;
        narrow = NAN;
    }
    if (type == AX_TENSOR_FP32)
        *(float *)cell = narrow;
    else
        *(double *)cell = wide;
    return true;
}

/* Whole numbers of any width; what does not fit is refused. */
static bool
store_whole(ax_str text, enum ax_tensor_type type, void *cell)
{
    static const struct {
        int64_t least, most;
    } bounds[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = {0, 1},
        [AX_TENSOR_UINT8] = {0, UINT8_MAX},
        [AX_TENSOR_UINT16] = {0, UINT16_MAX},
        [AX_TENSOR_UINT32] = {0, UINT32_MAX},
        [AX_TENSOR_UINT64] = {0, INT64_MAX},
        [AX_TENSOR_INT8] = {INT8_MIN, INT8_MAX},
        [AX_TENSOR_INT16] = {INT16_MIN, INT16_MAX},
        [AX_TENSOR_INT32] = {INT32_MIN, INT32_MAX},
        [AX_TENSOR_INT64] = {INT64_MIN, INT64_MAX},
    };
    int64_t value;
    if (!ax_parse_i64(text, &value) || value < bounds[type].least || value > bounds[type].most)
        return false;
    memcpy(cell, &value, ax_tensor_element_bytes(type)); /* little-endian: the low bytes */
    return true;
}

static ax_status
take_cell(struct ax_ctx *ctx, const struct graph_job *job, const struct ax_engine_port *port,
          ax_str text, void *cell)
{
    bool taken = false;
    if (port->type == AX_TENSOR_BYTES)
        taken = ax_str_copy(ctx->arena, text, cell); /* the reader's memory is used again */
    else if (port->type == AX_TENSOR_FP32 || port->type == AX_TENSOR_FP64)
        taken = store_float(job, ax_str_trim(text), port->type, cell);
    else if (port->type != AX_TENSOR_FP16 && port->type != AX_TENSOR_BF16)
        taken = store_whole(ax_str_trim(text), port->type, cell);
    return taken ? AX_OK
                 : ax_fail(ctx, AX_INVALID, "\"%.*s\" is no %s", text.len > 80 ? 80 : (int)text.len,
                           text.at, ax_tensor_type_name(port->type));
}

static ax_status
take_row(struct graph_block *block, const struct ax_csv_row *row, size_t at)
{
    const struct graph_job *job = block->job;
    size_t column = 0;
    for (size_t i = 0; i < job->graph->input_count; i++) {
        const struct ax_engine_port *port = &job->graph->inputs[i];
        size_t width = width_of(port), bytes = ax_tensor_element_bytes(port->type);
        for (size_t c = 0; c < width; c++, column++) {
            ax_status status = take_cell(&block->ctx, job, port, row->fields[job->columns[column]],
                                         (char *)block->cells[i] + (at * width + c) * bytes);
            if (status != AX_OK)
                return ax_explain(&block->ctx, status, "row %zu (line %zu), column %zu",
                                  row->number, row->line, job->columns[column] + 1);
        }
    }
    return AX_OK;
}

/* ---- printing ---- */

static ax_str
element_text(const struct ax_tensor *tensor, size_t index, char *room)
{
    if (tensor->type == AX_TENSOR_BYTES)
        return ((const ax_str *)tensor->data)[index];
    if (tensor->type == AX_TENSOR_FP64)
        return (ax_str){room, ax_format_f64(ax_tensor_f64(tensor, index), room)};
    if (tensor->type == AX_TENSOR_INT64)
        return (ax_str){room, ax_format_i64(((const int64_t *)tensor->data)[index], room)};
    if (tensor->type == AX_TENSOR_UINT64)
        return (ax_str){room, ax_format_u64(((const uint64_t *)tensor->data)[index], room)};
    if (tensor->type == AX_TENSOR_FP32 || tensor->type == AX_TENSOR_FP16 ||
        tensor->type == AX_TENSOR_BF16)
        return (ax_str){room, ax_format_f32(ax_tensor_f32(tensor, index), room)};
    return (ax_str){room, ax_format_i64((int64_t)ax_tensor_f64(tensor, index), room)};
}

/* "label", "probabilities_0" ... and of maps "probability_good" ... */
static ax_str
column_name(struct ax_ctx *ctx, const struct ax_engine_port *port, size_t column, size_t width)
{
    if (port->keys && column < port->key_count)
        return ax_str_printf(ctx->arena, "%.*s_%.*s", AX_FMT(port->name),
                             AX_FMT(port->keys[column]));
    if (width == 1)
        return port->name;
    return ax_str_printf(ctx->arena, "%.*s_%zu", AX_FMT(port->name), column);
}

/* Elements that each row has in an output. */
static ax_status
check_output(struct ax_ctx *ctx, const struct ax_tensor *output, size_t rows, size_t *out_width)
{
    *out_width = rows ? output->count / rows : 0;
    bool by_rows = output->dim_count > 0 && output->shape[0] == (int64_t)rows;
    return by_rows || (rows == 1 && output->count > 0)
               ? AX_OK
               : ax_fail(ctx, AX_UNSUPPORTED, "output `%.*s` is not one result a row",
                         AX_FMT(output->name));
}

static ax_status
print_line(struct graph_block *block, const struct ax_tensor *outputs, size_t rows, size_t row,
           bool header)
{
    struct ax_ctx *ctx = &block->ctx;
    const struct graph_job *job = block->job;
    size_t count = 0, width, at = 0;
    for (size_t i = 0; i < job->graph->output_count; i++) {
        AX_TRY(check_output(ctx, &outputs[i], rows, &width));
        count += width;
    }
    ax_str *fields = AX_NEW_ARRAY(ctx->arena, ax_str, count + 1);
    char(*rooms)[AX_NUMBER_BYTES_MAX] = ax_arena_alloc(ctx->arena, AX_NUMBER_BYTES_MAX, count + 1);
    if (!fields || !rooms)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", count);
    for (size_t i = 0; i < job->graph->output_count; i++) {
        width = outputs[i].count / rows;
        for (size_t c = 0; c < width; c++, at++)
            fields[at] = header ? column_name(ctx, &job->graph->outputs[i], c, width)
                                : element_text(&outputs[i], row * width + c, rooms[at]);
    }
    ax_csv_put_row(block->out, fields, count);
    return AX_OK;
}

static ax_status
score_block(struct graph_block *block, size_t rows)
{
    struct ax_ctx *ctx = &block->ctx;
    const struct ax_engine_graph *graph = block->job->graph;
    struct ax_tensor *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->input_count + 1);
    struct ax_tensor *outputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->output_count + 1);
    bool *wanted = AX_NEW_ARRAY(ctx->arena, bool, graph->output_count + 1);
    if (!inputs || !outputs || !wanted)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", graph->input_count);
    memset(wanted, true, graph->output_count);
    for (size_t i = 0; i < graph->input_count; i++) {
        const struct ax_engine_port *port = &graph->inputs[i];
        inputs[i] = (struct ax_tensor){.name = port->name,
                                       .type = port->type,
                                       .dim_count = port->dim_count,
                                       .shape = {(int64_t)rows, port->shape[1]},
                                       .count = rows * width_of(port),
                                       .data = block->cells[i]};
    }
    AX_TRY(ax_engine_run(block->job->engine, ctx, inputs, wanted, outputs));
    if (block->header)
        AX_TRY(print_line(block, outputs, rows, 0, true));
    block->header = false;
    for (size_t i = 0; i < rows; i++)
        AX_TRY(print_line(block, outputs, rows, i, false));
    return AX_OK;
}

/* ctx: of the table's reader. */
static ax_status
score_rows(struct graph_block *block, struct ax_ctx *ctx, struct ax_csv *csv, size_t *out_rows)
{
    size_t filled = 0;
    for (*out_rows = 0;; ++*out_rows) {
        struct ax_csv_row row;
        ax_status status = ax_csv_next(csv, ctx, &row);
        if (status != AX_OK)
            return ax_fail(&block->ctx, status, "%s", ctx->error);
        if (!row.fields)
            return filled ? score_block(block, filled) : AX_OK;
        AX_TRY(take_row(block, &row, filled));
        if (++filled < block->job->rows_a_call)
            continue;
        AX_TRY(score_block(block, filled));
        ax_arena_reset(block->ctx.arena);
        filled = 0;
    }
}

static ax_status
graph_work(void *arg, void *own, struct ax_ctx *ctx, const struct ax_csv_part *part,
           struct ax_writer *lines, size_t *out_rows)
{
    const struct graph_job *job = arg;
    struct graph_block *block = own;
    struct ax_csv *csv;
    AX_TRY(ax_csv_stream_rows(job->table, ctx, part, &csv));
    ax_arena_reset(block->ctx.arena);
    block->out = lines;
    block->header = part->number == FIRST_ROW;
    ax_status status = score_rows(block, ctx, csv, out_rows);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", block->ctx.error);
}

static ax_status
graph_give(void *arg, struct ax_ctx *ctx, ax_str lines, size_t rows, size_t bytes)
{
    const struct ax_score_graph_options *options = ((const struct graph_job *)arg)->options;
    return options->give(options->give_arg, ctx, lines, rows, bytes);
}

ax_status
ax_score_graph(struct ax_ctx *ctx, const struct ax_engine *engine, struct ax_csv_stream *table,
               const struct ax_score_graph_options *options)
{
    struct graph_job job = {.engine = engine,
                            .graph = ax_engine_graph(engine),
                            .options = options,
                            .table = table,
                            .rows_a_call = ROWS_A_CALL};
    const struct ax_score_parts_work work = {
        .arg = &job, .open = graph_open, .work = graph_work, .give = graph_give};
    AX_TRY(check_ports(ctx, &job));
    AX_TRY(match_columns(ctx, &job));
    return ax_score_parts_run(ctx, table, &work, options->threads);
}

#include "engine/onnx_table.h"

#include <math.h>

#include "base/fault.h"
#include "base/number.h"
#include "engine/onnx_explain.h"
#include "engine/onnx_fuse.h"
#include "engine/scratch.h"

enum {
    BLOCK_ROWS = 128,
    BLOCK_BYTES = 1 << 20, /* of a block's working memory, if fewer rows can keep to it */
    TRIAL_BYTES_MAX = 200 << 20,
    TRIAL_WORK_MAX = 1 << 27,
    FEATURES_MAX = 65'536,
};

/* A feature: a column of one of the graph's inputs. */
struct column {
    size_t input, at;
    const ax_str *words; /* of text: by code */
    size_t word_count;
};

struct ax_onnx_table {
    struct ax_onnx_program program;  /* the nodes that the response needs */
    struct ax_onnx_explain *explain; /* NULL: it is no sum */
    struct column *columns;
    size_t column_count;
    size_t output;       /* the response's */
    size_t first, width; /* its columns that are the response */
    size_t all_columns;  /* it has */
    bool odds;           /* two columns that add up to 1: the margin is the second's log-odds */
    size_t block_rows;
    size_t memory_bytes; /* that a block's run takes */
};

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a table's columns");
}

/* ---- is it a table's function? ---- */

static bool
is_number(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP32 || type == AX_TENSOR_FP64 || type == AX_TENSOR_INT64 ||
           type == AX_TENSOR_INT32;
}

/* The inputs' columns in all; 0 when some input is no column. */
static size_t
count_columns(const struct ax_engine_graph *ports)
{
    size_t count = 0;
    for (size_t i = 0; i < ports->input_count; i++) {
        const struct ax_engine_port *port = &ports->inputs[i];
        bool text = port->type == AX_TENSOR_BYTES;
        if (port->dim_count != 2 || port->shape[0] != -1 || port->shape[1] < 1 ||
            port->shape[1] > FEATURES_MAX || (text ? port->shape[1] != 1 : !is_number(port->type)))
            return 0;
        count += (size_t)port->shape[1];
    }
    return count <= FEATURES_MAX ? count : 0;
}

static bool
has_rows(const struct ax_engine_port *port)
{
    return (port->dim_count == 1 || (port->dim_count == 2 && port->shape[1] > 0)) &&
           port->shape[0] == -1;
}

static bool
is_real(const struct ax_engine_port *port)
{
    return (port->type == AX_TENSOR_FP32 || port->type == AX_TENSOR_FP64) && has_rows(port);
}

/* The response: the last output of floats, else a whole-numbered label; false: there is none. */
static bool
choose_response(const struct ax_engine_graph *ports, struct ax_onnx_table *table)
{
    size_t real = SIZE_MAX, label = SIZE_MAX;
    for (size_t i = 0; i < ports->output_count; i++) {
        const struct ax_engine_port *port = &ports->outputs[i];
        if (is_real(port))
            real = i;
        else if (has_rows(port) && (port->type == AX_TENSOR_INT64 || port->type == AX_TENSOR_BYTES))
            label = i;
    }
    if (real == SIZE_MAX && (label == SIZE_MAX || ports->outputs[label].type == AX_TENSOR_BYTES))
        return false;
    table->output = real != SIZE_MAX ? real : label;
    const struct ax_engine_port *port = &ports->outputs[table->output];
    bool classes = real != SIZE_MAX && label != SIZE_MAX;
    table->all_columns = port->dim_count == 1 ? 1 : (size_t)port->shape[1];
    table->first = classes && table->all_columns == 2;
    table->width = table->all_columns - table->first;
    return true;
}

/* ---- the words of text columns ---- */

/* Operators that hand words on as they are. */
static bool
passes_words(const struct ax_onnx_node *node)
{
    static const char *const names[] = {"Identity",  "Concat",  "Reshape",  "Squeeze",
                                        "Unsqueeze", "Flatten", "Gather",   "ArrayFeatureExtractor",
                                        "Cast",      "Where",   "Transpose"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (strcmp(node->op->name, names[i]) == 0)
            return true;
    return false;
}

struct words {
    AX_ARRAY(ax_str)
};

static ax_status
add_words(struct ax_ctx *ctx, struct ax_arena *arena, const ax_str *from, size_t count,
          struct words *words)
{
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t w = 0; w < words->count && !known; w++)
            known = ax_str_eq(words->items[w], from[i]);
        if (known)
            continue;
        ax_str *slot = AX_ARRAY_PUSH(arena, words);
        if (!slot)
            return out_of_memory(ctx);
        *slot = from[i]; /* the encoder's, which lives as long */
    }
    return AX_OK;
}

static ax_status
find_words(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_program *program,
           size_t input, struct words *out)
{
    bool *reached = AX_NEW_ARRAY(ctx->arena, bool, program->slot_count + 1);
    if (!reached)
        return out_of_memory(ctx);
    reached[program->graph.inputs[input]] = true;
    for (size_t n = 0; n < program->graph.node_count; n++) {
        const struct ax_onnx_node *node = &program->graph.nodes[n];
        const ax_str *words = NULL;
        bool takes = false;
        for (size_t i = 0; i < node->input_count; i++)
            takes |= node->inputs[i] >= 0 && reached[node->inputs[i]];
        if (!takes)
            continue;
        size_t count = ax_onnx_words(node, &words);
        AX_TRY(add_words(ctx, arena, words, count, out));
        for (size_t i = 0; i < node->output_count && passes_words(node); i++)
            if (node->outputs[i] >= 0)
                reached[node->outputs[i]] = true;
    }
    return AX_OK;
}

/* ---- signature ---- */

static ax_status
name_feature(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_engine_graph *ports,
             const struct column *column, struct ax_engine_feature *out)
{
    const struct ax_engine_port *port = &ports->inputs[column->input];
    if (port->map) {
        out->name = port->keys[column->at];
        return AX_OK;
    }
    if (ports->input_count == 1 && port->shape[1] > 1)
        return AX_OK; /* f0, f1 ... as where a file has no names */
    out->name = port->shape[1] == 1
                    ? port->name
                    : ax_str_printf(arena, "%.*s_%zu", AX_FMT(port->name), column->at);
    return out->name.at ? AX_OK : out_of_memory(ctx);
}

static ax_status
set_features(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_engine *engine,
             struct ax_onnx_table *table)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    struct ax_engine_feature *features =
        AX_NEW_ARRAY(arena, struct ax_engine_feature, table->column_count);
    size_t f = 0;
    if (!features)
        return out_of_memory(ctx);
    for (size_t i = 0; i < engine->ports.input_count; i++) {
        const struct ax_engine_port *port = &engine->ports.inputs[i];
        struct words words = {};
        if (port->type == AX_TENSOR_BYTES)
            AX_TRY(find_words(ctx, arena, &engine->program, i, &words));
        for (size_t at = 0; at < (size_t)port->shape[1]; at++, f++) {
            table->columns[f] = (struct column){i, at, words.items, words.count};
            features[f] = (struct ax_engine_feature){
                .categorical = port->type == AX_TENSOR_BYTES,
                .missing = port->type == AX_TENSOR_INT64 || port->type == AX_TENSOR_INT32
                               ? AX_ENGINE_REFUSED
                               : AX_ENGINE_LEARNED,
                .categories = words.items,
                .category_count = words.count,
                .split_count = 1, /* the graph looks at it; how often is not counted */
            };
            AX_TRY(name_feature(ctx, arena, &engine->ports, &table->columns[f], &features[f]));
            if (port->type == AX_TENSOR_FP64 || port->type == AX_TENSOR_INT64)
                signature->input = AX_ENGINE_F64;
        }
    }
    signature->named =
        engine->ports.input_count > 1 || table->column_count == 1 || engine->ports.inputs[0].map;
    signature->feature_count = table->column_count;
    signature->features = features;
    return ax_engine_name_features(&engine->engine, ctx, features, table->column_count);
}

/* ---- memory ---- */

/* Do the two columns of each row add up to 1? */
static bool
are_probabilities(const struct ax_onnx_table *table, const struct ax_tensor *response)
{
    static const double tolerance = 1e-3;
    bool all = table->first == 1 && response->count > 0;
    for (size_t i = 0; all && i + 1 < response->count; i += 2)
        all = fabs(ax_tensor_f64(response, i) + ax_tensor_f64(response, i + 1) - 1) < tolerance;
    return all;
}

/* Runs `rows` made-up rows and counts the memory; 0 when that failed. */
static size_t
measure(struct ax_ctx *ctx, const struct ax_onnx_engine *engine, size_t rows,
        struct ax_onnx_table *table)
{
    const struct ax_engine_graph *ports = &engine->ports;
    struct ax_onnx_value *inputs =
        AX_NEW_ARRAY(ctx->arena, struct ax_onnx_value, ports->input_count);
    const struct ax_onnx_value *response = NULL;
    struct ax_onnx_run run = {
        .ctx = ctx, .memory = {.arena = ctx->arena, .work_left = TRIAL_WORK_MAX}, .trial = true};
    ax_status status = inputs ? AX_OK : AX_LIMIT;
    for (size_t i = 0; i < ports->input_count && status == AX_OK; i++)
        status = ax_onnx_make_up(ctx, &ports->inputs[i], (int64_t)rows, &inputs[i]);
    if (status == AX_OK)
        status = ax_onnx_run(&table->program, &run, inputs, &response);
    ctx->error[0] = '\0';
    if (status != AX_OK || !response)
        return 0;
    table->odds = are_probabilities(table, &response->tensor);
    return run.memory.taken_bytes;
}

/* How many rows a block has, and what memory it takes. */
static bool
size_block(struct ax_ctx *ctx, const struct ax_onnx_engine *engine, struct ax_onnx_table *table)
{
    ax_fault_benign_begin(); /* a graph that cannot be measured is run on tensors alone */
    ax_auto(ax_arena_free) struct ax_arena *trial = ax_arena_new(TRIAL_BYTES_MAX);
    struct ax_arena *outer = ctx->arena;
    if (!trial) {
        ax_fault_benign_end();
        return false;
    }
    ctx->arena = trial;
    size_t one = measure(ctx, engine, 1, table);
    size_t all = one ? measure(ctx, engine, BLOCK_ROWS, table) : 0;
    table->block_rows = all && all <= BLOCK_BYTES ? BLOCK_ROWS : 1;
    table->memory_bytes = table->block_rows == 1 ? one : all;
    if (all > BLOCK_BYTES && one < BLOCK_BYTES) {
        size_t rows = BLOCK_BYTES / (all / BLOCK_ROWS + 1);
        size_t bytes = rows > 1 ? measure(ctx, engine, rows, table) : 0;
        table->block_rows = bytes ? rows : 1;
        table->memory_bytes = bytes ? bytes : one;
    }
    ctx->arena = outer;
    ax_fault_benign_end();
    return one > 0;
}

ax_status
ax_onnx_table_prepare(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_engine *engine)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    struct ax_onnx_table found = {.column_count = count_columns(&engine->ports)};
    bool rows = found.column_count > 0 && choose_response(&engine->ports, &found);
    if (rows)
        AX_TRY(ax_onnx_fuse_prune(ctx, arena, &engine->program,
                                  engine->program.graph.outputs[found.output], &found.program));
    if (!rows || !size_block(ctx, engine, &found))
        return ax_engine_note(&engine->engine, ctx,
                              "the graph is no function of a table's rows: it is run on tensors");
    struct ax_onnx_table *table = AX_NEW(arena, struct ax_onnx_table);
    found.columns = AX_NEW_ARRAY(arena, struct column, found.column_count);
    if (!table || !found.columns)
        return out_of_memory(ctx);
    *table = found;
    AX_TRY(set_features(ctx, arena, engine, table));
    if (engine->ports.outputs[table->output].type != AX_TENSOR_FP32)
        signature->output = AX_ENGINE_F64;
    signature->margin_count = signature->response_count = table->width;
    signature->outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN;
    engine->table = table;
    const struct ax_onnx_explain_request request = {.program = &table->program,
                                                    .first = table->first,
                                                    .width = table->width,
                                                    .all_columns = table->all_columns,
                                                    .odds = table->odds};
    return ax_onnx_explain_prepare(ctx, arena, engine, &request, &table->explain);
}

const struct ax_onnx_explain *
ax_onnx_table_explain(const struct ax_onnx_engine *engine)
{
    return engine->table->explain;
}

size_t
ax_onnx_table_block_rows(const struct ax_onnx_engine *engine)
{
    return engine->table->block_rows;
}

/* ---- scoring ---- */

size_t
ax_onnx_table_scratch_bytes(const struct ax_onnx_engine *engine)
{
    const struct ax_onnx_table *table = engine->table;
    size_t bytes = ax_scratch_bytes(sizeof(double), table->column_count) +
                   ax_scratch_bytes(sizeof(struct ax_onnx_value), engine->ports.input_count);
    for (size_t i = 0; i < engine->ports.input_count; i++)
        bytes += ax_scratch_bytes(ax_tensor_element_bytes(engine->ports.inputs[i].type),
                                  table->block_rows * (size_t)engine->ports.inputs[i].shape[1]);
    return bytes + table->memory_bytes;
}

/* The inputs' buffers for a block, cut from the scratch memory. */
static void
take_inputs(const struct ax_onnx_engine *engine, void **scratch, size_t rows,
            struct ax_onnx_value *inputs)
{
    for (size_t i = 0; i < engine->ports.input_count; i++) {
        const struct ax_engine_port *port = &engine->ports.inputs[i];
        size_t width = (size_t)port->shape[1];
        const void *cells = ax_scratch_take(scratch, ax_tensor_element_bytes(port->type),
                                            engine->table->block_rows * width);
        inputs[i] = (struct ax_onnx_value){.tensor = {.type = port->type,
                                                      .dim_count = 2,
                                                      .shape = {(int64_t)rows, port->shape[1]},
                                                      .count = rows * width,
                                                      .data = cells}};
    }
}

/* A code's word; what is no code becomes a word that no encoder has. */
static ax_str
word_of(const struct column *column, double x)
{
    if (isnan(x))
        return AX_STR("");
    if (x >= 0 && x < (double)column->word_count && x == floor(x))
        return column->words[(size_t)x];
    return AX_STR("\x01 another");
}

static ax_status
store_cell(const struct ax_onnx_engine *engine, struct ax_ctx *ctx, size_t feature, double x,
           struct ax_onnx_value *input, void *cell)
{
    const struct column *column = &engine->table->columns[feature];
    switch ((int)input->tensor.type) {
    case AX_TENSOR_FP32:
        *(float *)cell = (float)x;
        return AX_OK;
    case AX_TENSOR_FP64:
        *(double *)cell = x;
        return AX_OK;
    case AX_TENSOR_BYTES:
        *(ax_str *)cell = word_of(column, x);
        return AX_OK;
    case AX_TENSOR_INT64:
        if (!(x >= -0x1p63 && x < 0x1p63 && x == floor(x)))
            break;
        *(int64_t *)cell = (int64_t)x;
        return AX_OK;
    default:
        if (!(x >= INT32_MIN && x <= INT32_MAX && x == floor(x)))
            break;
        *(int32_t *)cell = (int32_t)x;
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "`%.*s` is %g; expected a whole number",
                   AX_FMT(engine->engine.signature.features[feature].name), x);
}

struct block {
    struct ax_onnx_value *inputs;
    double *row;
};

/* Floats of one wide input that lie as the graph wants them are taken there, or copied as they are.
 */
static bool
take_rows(const struct ax_onnx_engine *engine, const struct ax_engine_rows *rows, size_t from,
          struct block *block)
{
    struct ax_tensor *input = &block->inputs[0].tensor;
    size_t bytes = engine->table->column_count * sizeof(float);
    size_t step = rows->row_stride_bytes ? rows->row_stride_bytes : bytes;
    bool dense = !rows->column_stride_bytes || rows->column_stride_bytes == sizeof(float);
    if (engine->ports.input_count != 1 || input->type != AX_TENSOR_FP32 || !dense ||
        rows->type != AX_ENGINE_F32 || rows->missing_given)
        return false;
    if (step == bytes && (uintptr_t)rows->at % sizeof(float) == 0) {
        input->data = (const char *)rows->at + from * bytes;
        return true;
    }
    union {
        const void *read;
        char *write;
    } cells = {.read = input->data}; /* scratch, and so this call's own */
    for (size_t i = 0; i < (size_t)input->shape[0]; i++)
        memcpy(cells.write + i * bytes, (const char *)rows->at + (from + i) * step, bytes);
    return true;
}

static ax_status
fill_block(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
           const struct ax_engine_rows *rows, size_t from, struct block *block)
{
    const struct ax_onnx_table *table = engine->table;
    if (take_rows(engine, rows, from, block))
        return AX_OK;
    for (size_t i = 0; i < (size_t)block->inputs[0].tensor.shape[0]; i++) {
        ax_engine_row(rows, from + i, table->column_count, engine->engine.signature.input,
                      block->row);
        for (size_t f = 0; f < table->column_count; f++) {
            const struct column *column = &table->columns[f];
            struct ax_onnx_value *input = &block->inputs[column->input];
            size_t bytes = ax_tensor_element_bytes(input->tensor.type);
            union {
                const void *read;
                char *write;
            } cells = {.read = input->tensor.data}; /* scratch, and so this call's own */
            size_t at = i * (size_t)input->tensor.shape[1] + column->at;
            ax_status status =
                store_cell(engine, ctx, f, block->row[f], input, cells.write + at * bytes);
            if (status != AX_OK)
                return ax_explain(ctx, status, "row %zu", from + i);
        }
    }
    return AX_OK;
}

static double
log_odds(double response)
{
    double p = fmin(fmax(response, 0x1p-24), 1 - 0x1p-24); /* of NaN it would be a bound */
    return isnan(response) ? response : log(p / (1 - p));
}

/* The response's columns of the tensor. */
static void
take_response(const struct ax_onnx_table *table, const struct ax_tensor *from, size_t row_count,
              double *out)
{
    const float *floats = from->data;
    for (size_t row = 0; row < row_count; row++)
        for (size_t k = 0; k < table->width; k++, out++) {
            size_t at = row * table->all_columns + table->first + k;
            *out = from->type == AX_TENSOR_FP32 ? (double)floats[at] : ax_tensor_f64(from, at);
        }
}

/* Where a block's numbers go; NULL: they are not asked for. */
struct results {
    double *response, *margin;
};

ax_status
ax_onnx_table_run(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                  const struct ax_onnx_program *program, const struct ax_onnx_table_part *part,
                  void *scratch, const struct ax_onnx_value **out_value)
{
    const struct ax_onnx_table *table = engine->table;
    struct block block = {
        .row = ax_scratch_take(&scratch, sizeof(double), table->column_count),
        .inputs =
            ax_scratch_take(&scratch, sizeof(struct ax_onnx_value), engine->ports.input_count),
    };
    take_inputs(engine, &scratch, part->count, block.inputs);
    AX_TRY(fill_block(engine, ctx, part->rows, part->from, &block));
    struct ax_onnx_run run = {.ctx = ctx,
                              .memory = {.at = scratch,
                                         .left = table->memory_bytes,
                                         .arena = ctx->arena,
                                         .work_left = UINT64_MAX}};
    return ax_onnx_run(program, &run, block.inputs, out_value);
}

static ax_status
run_block(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
          const struct ax_onnx_table_part *part, void *scratch, const struct results *out)
{
    const struct ax_onnx_table *table = engine->table;
    const struct ax_onnx_value *value;
    AX_TRY(ax_onnx_table_run(engine, ctx, &table->program, part, scratch, &value));
    const struct ax_tensor *response = &value->tensor;
    if (response->count != part->count * table->all_columns)
        return ax_fail(ctx, AX_INVALID, "the graph gives %zu numbers for %zu rows", response->count,
                       part->count);
    if (out->response)
        take_response(table, response, part->count, out->response);
    if (out->margin)
        take_response(table, response, part->count, out->margin);
    for (size_t i = 0; out->margin && table->odds && i < part->count; i++)
        out->margin[i] = log_odds(out->margin[i]);
    return AX_OK;
}

ax_status
ax_onnx_table_score(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                    const struct ax_engine_call *call, void *scratch,
                    const struct ax_engine_answer *answer)
{
    const struct ax_onnx_table *table = engine->table;
    struct ax_onnx_table_part part = {.rows = &call->rows};
    for (; part.from < call->rows.count; part.from += part.count) {
        size_t left = call->rows.count - part.from;
        part.count = left < table->block_rows ? left : table->block_rows;
        const struct results results = {
            .response = call->outputs & AX_ENGINE_RESPONSE
                            ? answer->response + part.from * table->width
                            : NULL,
            .margin =
                call->outputs & AX_ENGINE_MARGIN ? answer->margin + part.from * table->width : NULL,
        };
        AX_TRY(run_block(engine, ctx, &part, scratch, &results));
    }
    return AX_OK;
}

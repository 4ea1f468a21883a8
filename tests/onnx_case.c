#include "onnx_case.h"

#include <math.h>

#include "base/number.h"
#include "codec/csv.h"
#include "engine/onnx_file.h"
#include "harness.h"

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

static void
put_varint(struct ax_writer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        ax_writer_u8(out, (uint8_t)(value | 0x80));
    ax_writer_u8(out, (uint8_t)value);
}

void
onnx_put_int(struct ax_writer *out, unsigned field, uint64_t value)
{
    put_varint(out, field << 3 | VARINT);
    put_varint(out, value);
}

void
onnx_put_bytes(struct ax_writer *out, unsigned field, ax_str bytes)
{
    put_varint(out, field << 3 | BYTES);
    put_varint(out, bytes.len);
    ax_writer_bytes(out, bytes);
}

void
onnx_put_text(struct ax_writer *out, unsigned field, const char *text)
{
    onnx_put_bytes(out, field, ax_str_of(text));
}

void
onnx_put_float(struct ax_writer *out, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(out, field << 3 | FIXED32);
    ax_writer_u32_le(out, bits);
}

void
onnx_put_message(struct ax_writer *out, unsigned field, const struct ax_writer *message)
{
    onnx_put_bytes(out, field, ax_writer_str(message));
}

void
onnx_put_value(struct ax_writer *graph, unsigned field, const char *name, int element,
               const int64_t *dims, size_t dim_count)
{
    ax_writer_auto struct ax_writer shape = ax_writer_of(1 << 10), tensor = ax_writer_of(1 << 10);
    ax_writer_auto struct ax_writer type = ax_writer_of(1 << 10), value = ax_writer_of(1 << 10);
    for (size_t i = 0; i < dim_count; i++) {
        ax_writer_auto struct ax_writer dim = ax_writer_of(64);
        if (dims[i] >= 0)
            onnx_put_int(&dim, 1, (uint64_t)dims[i]);
        else
            onnx_put_text(&dim, 2, "N");
        onnx_put_message(&shape, 1, &dim);
    }
    onnx_put_int(&tensor, 1, (uint64_t)element);
    onnx_put_message(&tensor, 2, &shape);
    onnx_put_message(&type, 1, &tensor);
    onnx_put_text(&value, 1, name);
    onnx_put_message(&value, 2, &type);
    onnx_put_message(graph, field, &value);
}

ax_str
onnx_model(struct ax_ctx *ctx, const struct ax_writer *graph)
{
    ax_writer_auto struct ax_writer model = ax_writer_of(64 << 20);
    ax_writer_auto struct ax_writer plain = ax_writer_of(64), ml = ax_writer_of(64);
    ax_str bytes = {};
    onnx_put_text(&plain, 1, "");
    onnx_put_int(&plain, 2, 18);
    onnx_put_text(&ml, 1, "ai.onnx.ml");
    onnx_put_int(&ml, 2, 3);
    onnx_put_int(&model, 1, 8);
    onnx_put_text(&model, 2, "axiom tests");
    onnx_put_message(&model, 7, graph);
    onnx_put_message(&model, 8, &plain);
    onnx_put_message(&model, 8, &ml);
    CHECK(ax_writer_take(&model, ctx->arena, &bytes) == AX_OK);
    return bytes;
}

struct ax_tensor
onnx_tensor(struct ax_ctx *ctx, ax_str proto)
{
    ax_writer_auto struct ax_writer graph = ax_writer_of(64 << 20);
    struct ax_onnx_file file = {};
    onnx_put_bytes(&graph, 5, proto);
    if (ax_onnx_file_read(ctx, onnx_model(ctx, &graph), &file) == AX_OK &&
        file.graph.initializers.count == 1)
        return file.graph.initializers.items[0];
    ax_test_failed(__FILE__, __LINE__, "no tensor: %s", ctx->error);
    return (struct ax_tensor){};
}

static bool
elements_agree(const struct ax_tensor *got, const struct ax_tensor *wanted, size_t index,
               double rtol, double atol)
{
    if (got->type == AX_TENSOR_BYTES)
        return ax_str_eq(((const ax_str *)got->data)[index], ((const ax_str *)wanted->data)[index]);
    if (got->type != AX_TENSOR_FP32 && got->type != AX_TENSOR_FP64 && got->type != AX_TENSOR_FP16 &&
        got->type != AX_TENSOR_BF16)
        return memcmp((const char *)got->data + index * ax_tensor_element_bytes(got->type),
                      (const char *)wanted->data + index * ax_tensor_element_bytes(got->type),
                      ax_tensor_element_bytes(got->type)) == 0;
    double a = ax_tensor_f64(got, index), b = ax_tensor_f64(wanted, index);
    double step = got->type == AX_TENSOR_FP16 ? 0x1p-9 : got->type == AX_TENSOR_BF16 ? 0x1p-6 : 0;
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return a == b || (isnan(a) && isnan(b));
    return fabs(a - b) <= atol + (rtol > step ? rtol : step) * fabs(b);
}

bool
onnx_tensors_agree(const struct ax_tensor *got, const struct ax_tensor *wanted, double rtol,
                   double atol, char *out_why, size_t why_bytes)
{
    bool same = got->dim_count == wanted->dim_count;
    for (size_t i = 0; same && i < got->dim_count; i++)
        same = got->shape[i] == wanted->shape[i];
    if (got->type != wanted->type || !same) {
        snprintf(out_why, why_bytes, "%s of %zu dims, %zu elements; wanted %s of %zu, %zu",
                 ax_tensor_type_name(got->type), got->dim_count, got->count,
                 ax_tensor_type_name(wanted->type), wanted->dim_count, wanted->count);
        return false;
    }
    for (size_t i = 0; i < got->count; i++) {
        if (elements_agree(got, wanted, i, rtol, atol))
            continue;
        bool text = got->type == AX_TENSOR_BYTES;
        snprintf(out_why, why_bytes, "element %zu is %.9g, not %.9g", i,
                 text ? 0 : ax_tensor_f64(got, i), text ? 0 : ax_tensor_f64(wanted, i));
        return false;
    }
    return true;
}

/* ---- golden cases ---- */

static void
set_cell(enum ax_tensor_type type, void *data, size_t index, ax_str cell)
{
    double x = (double)NAN;
    if (type == AX_TENSOR_BYTES) {
        ((ax_str *)data)[index] = cell;
        return;
    }
    if (cell.len && !ax_parse_f64(cell, &x))
        ax_test_failed(__FILE__, __LINE__, "'%.*s' is no number", AX_FMT(cell));
    if (type == AX_TENSOR_FP32) {
        float narrow = NAN;
        if (cell.len)
            CHECK(ax_parse_f32(cell, &narrow));
        ((float *)data)[index] = narrow;
    } else if (type == AX_TENSOR_FP64) {
        ((double *)data)[index] = x;
    } else {
        ((int64_t *)data)[index] = (int64_t)x;
    }
}

static void
begin_input(struct ax_ctx *ctx, const struct ax_engine_port *port, size_t rows, size_t columns,
            struct ax_tensor *out)
{
    *out = (struct ax_tensor){.name = port->name,
                              .type = port->type,
                              .dim_count = 2,
                              .shape = {(int64_t)rows, (int64_t)columns},
                              .count = rows * columns};
    out->data = ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(port->type), rows * columns + 1);
}

/* Columns of the CSV that belong to an input of meta.json; returns how many. */
static size_t
input_columns(const struct ax_json *described, const struct ax_csv *csv, size_t *out)
{
    const struct ax_json *columns = ax_json_find(described, "columns");
    size_t count = 0;
    if (ax_json_kind(columns) != AX_JSON_ARRAY) {
        for (; count < ax_csv_header(csv)->count; count++)
            out[count] = count;
        return count;
    }
    struct ax_json_iter it = ax_json_iter_of(columns);
    while (ax_json_next(&it)) {
        ax_str name = {};
        CHECK(ax_json_text(it.value, &name));
        out[count++] = ax_csv_column(csv, name);
    }
    return count;
}

const struct ax_tensor *
onnx_case_inputs(struct ax_ctx *ctx, const struct ax_engine *engine, ax_str csv_text,
                 const struct ax_json *meta, size_t from, size_t count)
{
    enum { COLUMNS_MAX = 1024 };
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    struct ax_tensor *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->input_count + 1);
    size_t *columns = AX_NEW_ARRAY(ctx->arena, size_t, COLUMNS_MAX);
    for (size_t i = 0; i < graph->input_count; i++) {
        struct ax_csv *csv = NULL;
        struct ax_csv_row row;
        const struct ax_json *described = NULL;
        struct ax_json_iter it = ax_json_iter_of(ax_json_find(meta, "inputs"));
        ax_str name;
        while (ax_json_next(&it))
            if (ax_json_text(ax_json_find(it.value, "name"), &name) &&
                ax_str_eq(name, graph->inputs[i].name))
                described = it.value;
        CHECK(described && ax_csv_open(ctx, csv_text, NULL, &csv) == AX_OK);
        if (!csv)
            return NULL;
        size_t width = input_columns(described, csv, columns);
        begin_input(ctx, &graph->inputs[i], count, width, &inputs[i]);
        for (size_t r = 0; ax_csv_next(csv, ctx, &row) == AX_OK && row.fields; r++)
            for (size_t c = 0; r >= from && r < from + count && c < width; c++)
                set_cell(inputs[i].type, (void *)(uintptr_t)inputs[i].data, (r - from) * width + c,
                         row.fields[columns[c]]);
    }
    return inputs;
}

const struct ax_tensor *
onnx_run(struct ax_ctx *ctx, const struct ax_engine *engine, const struct ax_tensor *inputs)
{
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    struct ax_tensor *outputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->output_count + 1);
    bool *wanted = AX_NEW_ARRAY(ctx->arena, bool, graph->output_count + 1);
    memset(wanted, true, graph->output_count);
    ax_status status = ax_engine_run(engine, ctx, inputs, wanted, outputs);
    if (status == AX_OK)
        return outputs;
    ax_test_failed(__FILE__, __LINE__, "run: %s", ctx->error);
    return NULL;
}

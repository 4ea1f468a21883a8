#include "api/row_json.h"

#include <math.h>

#include "base/number.h"
#include "codec/csv.h"
#include "codec/text.h"

/* ---- values to a tensor ---- */

/* A tensor on its way: what a cell becomes, and how many there are so far. */
struct filling {
    struct ax_ctx *ctx;
    struct ax_tensor *tensor;
    char *data;
    size_t at;
};

static ax_status
wrong_value(const struct filling *filling, const struct ax_json *value, const char *wanted)
{
    return ax_fail(filling->ctx, AX_INVALID, "input '%.*s': value %zu must be %s, not %s",
                   AX_FMT(filling->tensor->name), filling->at, wanted,
                   ax_json_kind_name(ax_json_kind(value)));
}

static ax_status
put_float(struct filling *filling, const struct ax_json *value)
{
    float *narrow = (float *)(void *)filling->data + filling->at;
    double *wide = (double *)(void *)filling->data + filling->at;
    bool is_narrow = filling->tensor->type == AX_TENSOR_FP32, truth, known = true;
    double number = (double)NAN; /* null */
    if (ax_json_bool(value, &truth))
        number = truth;
    else if (ax_json_kind(value) != AX_JSON_NULL)
        known = is_narrow ? ax_json_f32(value, narrow) : ax_json_f64(value, &number);
    if (!known)
        return wrong_value(filling, value, "a number");
    if (is_narrow && ax_json_kind(value) != AX_JSON_NUMBER)
        *narrow = (float)number;
    else if (!is_narrow)
        *wide = number;
    return AX_OK;
}

static ax_status
put_whole(struct filling *filling, const struct ax_json *value)
{
    static const struct {
        int64_t least;
        uint64_t most;
    } ranges[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = {0, 1},
        [AX_TENSOR_UINT8] = {0, UINT8_MAX},
        [AX_TENSOR_UINT16] = {0, UINT16_MAX},
        [AX_TENSOR_UINT32] = {0, UINT32_MAX},
        [AX_TENSOR_UINT64] = {0, UINT64_MAX},
        [AX_TENSOR_INT8] = {INT8_MIN, INT8_MAX},
        [AX_TENSOR_INT16] = {INT16_MIN, INT16_MAX},
        [AX_TENSOR_INT32] = {INT32_MIN, INT32_MAX},
        [AX_TENSOR_INT64] = {INT64_MIN, INT64_MAX},
    };
    enum ax_tensor_type type = filling->tensor->type;
    int64_t number = 0;
    uint64_t large = 0;
    bool truth;
    if (ax_json_bool(value, &truth))
        large = (uint64_t)(number = truth);
    else if (ax_json_i64(value, &number))
        large = (uint64_t)number;
    else if (!ax_json_u64(value, &large))
        return wrong_value(filling, value, "a whole number");
    bool fits = number < 0 ? number >= ranges[type].least : large <= ranges[type].most;
    if (!fits)
        return ax_fail(filling->ctx, AX_INVALID, "input '%.*s': value %zu is out of range for %s",
                       AX_FMT(filling->tensor->name), filling->at, ax_tensor_type_name(type));
    size_t bytes = ax_tensor_element_bytes(type); /* little-endian: the low bytes come first */
    memcpy(filling->data + filling->at * bytes, &large, bytes);
    return AX_OK;
}

/* Text, or TensorFlow Serving's {"b64": text} for bytes. */
static ax_status
put_text(struct filling *filling, const struct ax_json *value)
{
    ax_str *slot = (ax_str *)(void *)filling->data + filling->at, encoded;
    *slot = AX_STR("");
    if (ax_json_kind(value) == AX_JSON_NULL || ax_json_text(value, slot))
        return AX_OK;
    if (!ax_json_text(ax_json_find(value, "b64"), &encoded))
        return wrong_value(filling, value, "text");
    return ax_base64_decode(filling->ctx, encoded, slot);
}

static ax_status
put_value(struct filling *filling, const struct ax_json *value)
{
    ax_status status;
    if (filling->tensor->type == AX_TENSOR_BYTES)
        status = put_text(filling, value);
    else if (filling->tensor->type == AX_TENSOR_FP32 || filling->tensor->type == AX_TENSOR_FP64)
        status = put_float(filling, value);
    else if (filling->tensor->type == AX_TENSOR_FP16 || filling->tensor->type == AX_TENSOR_BF16)
        status = ax_fail(filling->ctx, AX_INVALID, "input '%.*s': %s can not be sent as JSON",
                         AX_FMT(filling->tensor->name), ax_tensor_type_name(filling->tensor->type));
    else
        status = put_whole(filling, value);
    filling->at++;
    return status;
}

/* Everything below one value, held against the shape from that level on. */
static ax_status
put_nested(struct filling *filling, const struct ax_json *value, size_t level)
{
    const struct ax_tensor *tensor = filling->tensor;
    bool is_list = ax_json_kind(value) == AX_JSON_ARRAY;
    if (level == tensor->dim_count && !is_list)
        return put_value(filling, value);
    if (level == tensor->dim_count || !is_list ||
        ax_json_count(value) != (size_t)tensor->shape[level])
        return ax_fail(filling->ctx, AX_INVALID,
                       "input '%.*s': value %zu has another shape than the first: lists must be of "
                       "equal length",
                       AX_FMT(tensor->name), filling->at);
    struct ax_json_iter it = ax_json_iter_of(value);
    while (ax_json_next(&it))
        AX_TRY(put_nested(filling, it.value, level + 1));
    return AX_OK;
}

/* The shape from `level` on is that of the first value. */
static ax_status
shape_of(struct ax_ctx *ctx, const struct ax_json *first, size_t level, struct ax_tensor *tensor)
{
    for (; ax_json_kind(first) == AX_JSON_ARRAY; level++) {
        if (level == AX_TENSOR_DIMS_MAX)
            return ax_fail(ctx, AX_INVALID, "input '%.*s': lists %d deep, at most %d",
                           AX_FMT(tensor->name), (int)level + 1, (int)AX_TENSOR_DIMS_MAX);
        tensor->shape[level] = (int64_t)ax_json_count(first);
        struct ax_json_iter it = ax_json_iter_of(first);
        first = ax_json_next(&it) ? it.value : NULL;
        if (!first) {
            level++;
            break;
        }
    }
    tensor->dim_count = level;
    return AX_OK;
}

/* name and type are set. cells: one a row. */
static ax_status
fill_tensor(struct ax_ctx *ctx, const struct ax_json *const *cells, size_t row_count,
            struct ax_tensor *tensor)
{
    struct filling filling = {.ctx = ctx, .tensor = tensor};
    tensor->shape[0] = (int64_t)row_count;
    AX_TRY(shape_of(ctx, cells[0], 1, tensor));
    if (!ax_tensor_count(tensor->type, tensor->shape, tensor->dim_count, &tensor->count))
        return ax_fail(ctx, AX_INVALID, "input '%.*s' is too large", AX_FMT(tensor->name));
    filling.data =
        ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(tensor->type), tensor->count + 1);
    if (!filling.data)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu values", tensor->count);
    for (size_t r = 0; r < row_count; r++)
        AX_TRY(put_nested(&filling, cells[r], 1));
    tensor->data = filling.data;
    return AX_OK;
}

/* ---- names to inputs ---- */

/* The model's word for a name: one of its inputs, or a feature. false when it knows none. */
static bool
find_input(const struct ax_loaded_model *model, const struct ax_engine_graph *ports, ax_str name,
           struct ax_tensor *out)
{
    for (size_t i = 0; i < ports->input_count; i++)
        if (ax_str_eq(ports->inputs[i].name, name)) {
            *out = (struct ax_tensor){.name = name, .type = ports->inputs[i].type};
            return true;
        }
    const struct ax_signature_feature *feature = ax_map_find(model->signature->index, name);
    if (!feature)
        return false;
    *out = (struct ax_tensor){.name = name,
                              .type = feature->kind == AX_FEATURE_CATEGORY ? AX_TENSOR_BYTES
                                                                           : AX_TENSOR_FP64};
    return true;
}

/* Columns by name, on their way to the request's inputs. */
struct columns {
    struct ax_ctx *ctx;
    const struct ax_loaded_model *model;
    const struct ax_row_json_options *options;
    struct ax_engine_graph ports;
    struct ax_tensor_json_input *inputs;
    size_t input_count;
    size_t row_count;
};

static ax_status
columns_begin(struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const struct ax_row_json_options *options, size_t count, struct columns *out)
{
    *out = (struct columns){.ctx = ctx, .model = model, .options = options};
    AX_TRY(ax_inference_ports(ctx, model, &out->ports));
    out->inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor_json_input, count + 1);
    return out->inputs ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", count);
}

/* The next input, when the model knows the name; *out is NULL when it is left out. */
static ax_status
columns_next(struct columns *columns, ax_str name, struct ax_tensor **out)
{
    struct ax_tensor *tensor = &columns->inputs[columns->input_count].tensor;
    *out = NULL;
    if (!find_input(columns->model, &columns->ports, name, tensor)) {
        if (columns->options->drop_unknown)
            return AX_OK;
        return ax_fail(columns->ctx, AX_INVALID,
                       "unexpected inference input '%.*s' for model '%.*s'", AX_FMT(name),
                       AX_FMT(columns->model->model));
    }
    for (size_t i = 0; i < columns->input_count; i++)
        if (ax_str_eq(columns->inputs[i].tensor.name, name))
            return ax_fail(columns->ctx, AX_INVALID, "input '%.*s' is there twice", AX_FMT(name));
    columns->input_count++;
    *out = tensor;
    return AX_OK;
}

static ax_status
columns_end(const struct columns *columns, struct ax_tensor_json_request *out)
{
    if (columns->input_count == 0)
        return ax_fail(columns->ctx, AX_INVALID, "nothing in the body is an input of model '%.*s'",
                       AX_FMT(columns->model->model));
    *out = (struct ax_tensor_json_request){.inputs = columns->inputs,
                                           .input_count = columns->input_count};
    return AX_OK;
}

/* ---- rows by place ---- */

/* Names that a row's places stand for, where the model has no one input for all of them. */
static ax_status
place_names(struct columns *columns, size_t width, const ax_str **out_names)
{
    const struct ax_signature *signature = columns->model->signature;
    ax_str *names = AX_NEW_ARRAY(columns->ctx->arena, ax_str, width + 1);
    if (!names)
        return ax_fail(columns->ctx, AX_LIMIT, "no memory for %zu names", width);
    bool features = width == signature->feature_count;
    if (!features && width != columns->ports.input_count)
        return ax_fail(columns->ctx, AX_INVALID,
                       "a row has %zu values; model '%.*s' has %zu features", width,
                       AX_FMT(columns->model->model), signature->feature_count);
    for (size_t i = 0; i < width; i++)
        names[i] = features ? signature->names[i] : columns->ports.inputs[i].name;
    *out_names = names;
    return AX_OK;
}

static ax_status
collect(struct ax_ctx *ctx, const struct ax_json *list, const struct ax_json ***out_items)
{
    size_t count = ax_json_count(list), at = 0;
    const struct ax_json **items = AX_NEW_ARRAY(ctx->arena, const struct ax_json *, count + 1);
    if (!items)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu values", count);
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it))
        items[at++] = it.value;
    *out_items = items;
    return AX_OK;
}

/* Rows that are lists, spread over named inputs. */
static ax_status
spread_rows(struct columns *columns, const struct ax_json *const *rows, size_t row_count,
            const ax_str *names, size_t width)
{
    struct ax_ctx *ctx = columns->ctx;
    const struct ax_json ***cells = AX_NEW_ARRAY(ctx->arena, const struct ax_json **, row_count);
    const struct ax_json **column = AX_NEW_ARRAY(ctx->arena, const struct ax_json *, row_count);
    if (!cells || !column)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", row_count);
    for (size_t r = 0; r < row_count; r++) {
        if (ax_json_kind(rows[r]) != AX_JSON_ARRAY || ax_json_count(rows[r]) != width)
            return ax_fail(ctx, AX_INVALID, "row %zu: a list of %zu values is expected", r, width);
        AX_TRY(collect(ctx, rows[r], &cells[r]));
    }
    for (size_t c = 0; c < width; c++) {
        struct ax_tensor *tensor;
        AX_TRY(columns_next(columns, names[c], &tensor));
        if (!tensor)
            continue;
        for (size_t r = 0; r < row_count; r++)
            column[r] = cells[r][c];
        AX_TRY(fill_tensor(ctx, column, row_count, tensor));
    }
    return AX_OK;
}

static ax_status
rows_by_place(struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const struct ax_json *const *rows, size_t row_count,
              const struct ax_row_json_options *options, struct ax_tensor_json_request *out)
{
    struct columns columns;
    const ax_str *names;
    size_t width = ax_json_kind(rows[0]) == AX_JSON_ARRAY ? ax_json_count(rows[0]) : 1;
    AX_TRY(columns_begin(ctx, model, options, width, &columns));
    if (columns.ports.input_count == 1) {
        struct ax_tensor *tensor;
        AX_TRY(columns_next(&columns, columns.ports.inputs[0].name, &tensor));
        AX_TRY(fill_tensor(ctx, rows, row_count, tensor));
        return columns_end(&columns, out);
    }
    AX_TRY(place_names(&columns, width, &names));
    AX_TRY(spread_rows(&columns, rows, row_count, names, width));
    return columns_end(&columns, out);
}

/* ---- rows by name ---- */

/* The member of that name; walks on from the one before, which is where it mostly is. */
static const struct ax_json *
member(const struct ax_json *object, struct ax_json_iter *it, ax_str name)
{
    if (ax_json_next(it) && ax_str_eq(it->key, name))
        return it->value;
    for (*it = ax_json_iter_of(object); ax_json_next(it);)
        if (ax_str_eq(it->key, name))
            return it->value;
    return NULL;
}

/* One column of rows that are objects. */
static ax_status
cells_of_name(struct ax_ctx *ctx, const struct ax_json *const *rows, size_t row_count, ax_str name,
              struct ax_json_iter *its, const struct ax_json **out_cells)
{
    for (size_t r = 0; r < row_count; r++) {
        out_cells[r] = member(rows[r], &its[r], name);
        if (!out_cells[r])
            return ax_fail(ctx, AX_INVALID, "row %zu: '%.*s' is missing", r, AX_FMT(name));
    }
    return AX_OK;
}

/* Rows that are objects: the first says which names there are. */
static ax_status
rows_by_name(struct ax_ctx *ctx, const struct ax_loaded_model *model,
             const struct ax_json *const *rows, size_t row_count,
             const struct ax_row_json_options *options, struct ax_tensor_json_request *out)
{
    struct columns columns;
    size_t width = ax_json_count(rows[0]);
    AX_TRY(columns_begin(ctx, model, options, width, &columns));
    const struct ax_json **cells = AX_NEW_ARRAY(ctx->arena, const struct ax_json *, row_count);
    struct ax_json_iter *its = AX_NEW_ARRAY(ctx->arena, struct ax_json_iter, row_count);
    if (!cells || !its)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", row_count);
    for (size_t r = 0; r < row_count; r++) {
        if (ax_json_kind(rows[r]) != AX_JSON_OBJECT || ax_json_count(rows[r]) != width)
            return ax_fail(ctx, AX_INVALID,
                           "row %zu: an object with the %zu names of the first row is expected", r,
                           width);
        its[r] = ax_json_iter_of(rows[r]);
    }
    struct ax_json_iter it = ax_json_iter_of(rows[0]);
    while (ax_json_next(&it)) {
        struct ax_tensor *tensor;
        AX_TRY(cells_of_name(ctx, rows, row_count, it.key, its, cells));
        AX_TRY(columns_next(&columns, it.key, &tensor));
        if (tensor)
            AX_TRY(fill_tensor(ctx, cells, row_count, tensor));
    }
    return columns_end(&columns, out);
}

static ax_status
check_rows(struct ax_ctx *ctx, const struct ax_json *rows)
{
    if (ax_json_kind(rows) != AX_JSON_ARRAY)
        return ax_fail(ctx, AX_INVALID, "a list of rows is expected, not %s",
                       ax_json_kind_name(ax_json_kind(rows)));
    if (ax_json_count(rows) == 0)
        return ax_fail(ctx, AX_INVALID, "there are no rows to score");
    return AX_OK;
}

ax_status
ax_row_json_rows(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                 const struct ax_json *rows, const struct ax_row_json_options *options,
                 struct ax_tensor_json_request *out_request)
{
    const struct ax_json **items;
    AX_TRY(check_rows(ctx, rows));
    AX_TRY(collect(ctx, rows, &items));
    size_t count = ax_json_count(rows);
    return ax_json_kind(items[0]) == AX_JSON_OBJECT
               ? rows_by_name(ctx, model, items, count, options, out_request)
               : rows_by_place(ctx, model, items, count, options, out_request);
}

ax_status
ax_row_json_columns(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                    const struct ax_json *columns, const struct ax_row_json_options *options,
                    struct ax_tensor_json_request *out_request)
{
    struct columns by_name;
    if (ax_json_kind(columns) != AX_JSON_OBJECT)
        return ax_row_json_rows(ctx, model, columns, options, out_request);
    AX_TRY(columns_begin(ctx, model, options, ax_json_count(columns), &by_name));
    struct ax_json_iter it = ax_json_iter_of(columns);
    while (ax_json_next(&it)) {
        struct ax_tensor *tensor;
        const struct ax_json **cells;
        AX_TRY(columns_next(&by_name, it.key, &tensor));
        if (!tensor)
            continue;
        bool is_list = ax_json_kind(it.value) == AX_JSON_ARRAY;
        if (is_list)
            AX_TRY(check_rows(ctx, it.value));
        if (is_list)
            AX_TRY(collect(ctx, it.value, &cells));
        AX_TRY(fill_tensor(ctx, is_list ? cells : &it.value, is_list ? ax_json_count(it.value) : 1,
                           tensor));
    }
    return columns_end(&by_name, out_request);
}

ax_status
ax_row_json_table(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                  const struct ax_json *columns, const struct ax_json *data,
                  const struct ax_row_json_options *options,
                  struct ax_tensor_json_request *out_request)
{
    const struct ax_json **rows;
    struct columns by_name;
    AX_TRY(check_rows(ctx, data));
    AX_TRY(collect(ctx, data, &rows));
    if (!columns)
        return rows_by_place(ctx, model, rows, ax_json_count(data), options, out_request);
    if (ax_json_kind(columns) != AX_JSON_ARRAY)
        return ax_fail(ctx, AX_INVALID, "`columns` must be a list of names, not %s",
                       ax_json_kind_name(ax_json_kind(columns)));
    size_t width = ax_json_count(columns), at = 0;
    ax_str *names = AX_NEW_ARRAY(ctx->arena, ax_str, width + 1);
    if (!names)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu names", width);
    struct ax_json_iter it = ax_json_iter_of(columns);
    while (ax_json_next(&it))
        if (!ax_json_text(it.value, &names[at++]))
            return ax_fail(ctx, AX_INVALID, "`columns`: name %zu is %s, not text", at - 1,
                           ax_json_kind_name(ax_json_kind(it.value)));
    AX_TRY(columns_begin(ctx, model, options, width, &by_name));
    AX_TRY(spread_rows(&by_name, rows, ax_json_count(data), names, width));
    return columns_end(&by_name, out_request);
}

/* ---- tables of text ---- */

static ax_status
count_rows(struct ax_ctx *ctx, ax_str text, size_t *out_count)
{
    struct ax_csv *csv;
    struct ax_csv_row row;
    size_t count = 0;
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    for (;; count++) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
    }
    *out_count = count;
    return count > 0 ? AX_OK : ax_fail(ctx, AX_INVALID, "there are no rows to score");
}

static ax_status
put_field(struct ax_ctx *ctx, const struct ax_csv_row *row, size_t column, size_t at,
          struct ax_tensor *tensor, void *data)
{
    ax_str field = row->fields[column];
    double number = (double)NAN;
    if (tensor->type == AX_TENSOR_BYTES)
        return ax_str_copy(ctx->arena, field, (ax_str *)data + at)
                   ? AX_OK
                   : ax_fail(ctx, AX_LIMIT, "no memory for a table");
    if (field.len && !ax_parse_f64(field, &number))
        return ax_fail(ctx, AX_INVALID, "row %zu: column '%.*s' is '%.*s', not a number",
                       row->number, AX_FMT(tensor->name), AX_FMT(field));
    if (tensor->type == AX_TENSOR_FP32)
        ((float *)data)[at] = (float)number;
    else
        ((double *)data)[at] = number;
    return AX_OK;
}

/* Where each column of a table goes. */
struct places {
    struct ax_tensor **tensors; /* NULL: left out */
    void **data;
    size_t count;
};

static ax_status
places_of(struct columns *columns, const struct ax_csv_row *header, size_t row_count,
          struct places *out)
{
    struct ax_ctx *ctx = columns->ctx;
    out->count = header->count;
    out->tensors = AX_NEW_ARRAY(ctx->arena, struct ax_tensor *, header->count + 1);
    out->data = AX_NEW_ARRAY(ctx->arena, void *, header->count + 1);
    if (!out->tensors || !out->data)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", header->count);
    for (size_t c = 0; c < header->count; c++) {
        AX_TRY(columns_next(columns, header->fields[c], &out->tensors[c]));
        struct ax_tensor *tensor = out->tensors[c];
        if (!tensor)
            continue;
        if (tensor->type != AX_TENSOR_BYTES && tensor->type != AX_TENSOR_FP32)
            tensor->type = AX_TENSOR_FP64;
        tensor->dim_count = 1;
        tensor->shape[0] = (int64_t)row_count;
        tensor->count = row_count;
        tensor->data = out->data[c] =
            ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(tensor->type), row_count);
        if (!tensor->data)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", row_count);
    }
    return AX_OK;
}

ax_status
ax_row_json_csv(struct ax_ctx *ctx, const struct ax_loaded_model *model, ax_str text,
                const struct ax_row_json_options *options,
                struct ax_tensor_json_request *out_request)
{
    struct columns columns;
    struct places places;
    struct ax_csv *csv;
    struct ax_csv_row row;
    size_t row_count;
    AX_TRY(count_rows(ctx, text, &row_count));
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    AX_TRY(columns_begin(ctx, model, options, ax_csv_header(csv)->count, &columns));
    AX_TRY(places_of(&columns, ax_csv_header(csv), row_count, &places));
    for (size_t r = 0; r < row_count; r++) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        for (size_t c = 0; c < places.count; c++)
            if (places.tensors[c])
                AX_TRY(put_field(ctx, &row, c, r, places.tensors[c], places.data[c]));
    }
    return columns_end(&columns, out_request);
}

/* ---- tensors to lists ---- */

static void
print_level(const struct ax_tensor *tensor, size_t level, size_t *at, struct ax_json_writer *json)
{
    if (level == tensor->dim_count) {
        ax_tensor_json_print_element(tensor, (*at)++, json);
        return;
    }
    ax_json_begin_array(json);
    for (int64_t i = 0; i < tensor->shape[level] && json->out->status == AX_OK; i++)
        print_level(tensor, level + 1, at, json);
    ax_json_end_array(json);
}

void
ax_row_json_print(const struct ax_tensor *tensor, struct ax_json_writer *json)
{
    size_t at = 0;
    print_level(tensor, 0, &at, json);
}

void
ax_row_json_print_row(const struct ax_tensor *tensor, size_t row, struct ax_json_writer *json)
{
    size_t rows = tensor->dim_count ? (size_t)tensor->shape[0] : 1;
    size_t at = rows ? tensor->count / rows * row : 0;
    print_level(tensor, tensor->dim_count ? 1 : 0, &at, json);
}

#include "codec/tensor_json.h"

#include "base/array.h"
#include "base/map.h"
#include "base/number.h"
#include "codec/json_scan.h"
#include "codec/tensor_json_data.h"

enum {
    INPUTS_MAX = 4'096,
    OUTPUTS_MAX = 4'096,
    PARAMETERS_MAX = 256,
    DEPTH_MAX = 32,    /* of the whole body, outside of "data" */
    FEW_NAMES_MAX = 16 /* so many are compared pair by pair */
};

/* The members this reader knows: each may stand once in its object. */
enum {
    SEEN_ID = 1,
    SEEN_PARAMETERS = 2,
    SEEN_INPUTS = 4,
    SEEN_OUTPUTS = 8,
    SEEN_NAME = 16,
    SEEN_SHAPE = 32,
    SEEN_TYPE = 64,
    SEEN_DATA = 128,
};

struct parse {
    struct ax_json_scan scan;
    struct ax_tensor_json_limits limits;
};

static ax_status
see(struct parse *parse, unsigned *seen, unsigned member, const char *name)
{
    if (*seen & member)
        return ax_fail(parse->scan.ctx, AX_INVALID, "JSON: '%s' is there twice, again at byte %zu",
                       name, parse->scan.at);
    *seen |= member;
    return AX_OK;
}

/* null in place of a member that may be absent; clients of pydantic send it. */
static bool
is_absent(struct parse *parse)
{
    return ax_json_scan_peek(&parse->scan) == 'n' &&
           ax_json_scan_word(&parse->scan, AX_STR("null"));
}

/*
 * No two of the names are the same. names: those of structs in an array, `stride` bytes apart, of
 * which the name is the first field.
 */
static ax_status
check_names(struct parse *parse, const char *what, const void *names, size_t stride, size_t count)
{
    struct ax_ctx *ctx = parse->scan.ctx;
    static int taken;
    struct ax_map *map = count > FEW_NAMES_MAX ? ax_map_new(ctx->arena) : NULL;
    if (count > FEW_NAMES_MAX && !map)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu names", count);
    for (size_t i = 0; i < count; i++) {
        const ax_str *name = (const void *)((const char *)names + i * stride);
        bool twice = map && ax_map_find(map, *name);
        for (size_t k = 0; !map && !twice && k < i; k++)
            twice =
                ax_str_eq(*name, *(const ax_str *)(const void *)((const char *)names + k * stride));
        if (twice)
            return ax_fail(ctx, AX_INVALID, "%s '%.*s' already exists in request", what,
                           name->len > 64 ? 64 : (int)name->len, name->at);
        if (map && !ax_map_put(map, *name, &taken))
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu names", count);
    }
    return AX_OK;
}

/* ---- parameters ---- */

static ax_status
read_number(struct parse *parse, struct ax_tensor_json_parameter *parameter)
{
    struct ax_decimal number;
    AX_TRY(ax_json_scan_number(&parse->scan, &number));
    if (number.whole && ax_parse_i64(number.text, &parameter->i64)) {
        parameter->kind = AX_TENSOR_JSON_I64;
    } else if (number.whole && ax_parse_u64(number.text, &parameter->u64)) {
        parameter->kind = AX_TENSOR_JSON_U64;
    } else {
        parameter->kind = AX_TENSOR_JSON_F64;
        if (!ax_decimal_f64(&number, &parameter->f64) || __builtin_isinf(parameter->f64))
            return ax_fail(parse->scan.ctx, AX_INVALID, "parameter '%.*s' is beyond a double",
                           AX_FMT(parameter->name));
    }
    return AX_OK;
}

static ax_status
read_parameter(struct parse *parse, struct ax_tensor_json_parameter *parameter)
{
    AX_TRY(ax_json_scan_key(&parse->scan, &parameter->name));
    switch (ax_json_scan_peek(&parse->scan)) {
    case '"':
        parameter->kind = AX_TENSOR_JSON_TEXT;
        return ax_json_scan_text(&parse->scan, &parameter->text);
    case 't':
    case 'f':
        parameter->kind = AX_TENSOR_JSON_BOOL;
        return ax_json_scan_bool(&parse->scan, &parameter->truth);
    case '{':
    case '[':
    case 'n':
        return ax_fail(
            parse->scan.ctx, AX_INVALID, "parameter '%.*s' must be a string, a number or a boolean",
            parameter->name.len > 64 ? 64 : (int)parameter->name.len, parameter->name.at);
    default:
        return read_number(parse, parameter);
    }
}

static ax_status
read_parameters(struct parse *parse, struct ax_tensor_json_parameters *out)
{
    struct {
        AX_ARRAY(struct ax_tensor_json_parameter)
    } list = {};
    struct ax_ctx *ctx = parse->scan.ctx;
    bool more;
    if (is_absent(parse))
        return AX_OK;
    AX_TRY(ax_json_scan_open(&parse->scan, '{', &more));
    while (more) {
        if (list.count == parse->limits.parameters_max)
            return ax_fail(ctx, AX_LIMIT, "more than %zu parameters", list.count);
        struct ax_tensor_json_parameter *parameter = AX_ARRAY_PUSH(ctx->arena, &list);
        if (!parameter)
            return ax_fail(ctx, AX_LIMIT, "no memory for parameters");
        AX_TRY(read_parameter(parse, parameter));
        AX_TRY(ax_json_scan_more(&parse->scan, '}', &more));
    }
    *out = (struct ax_tensor_json_parameters){list.items, list.count};
    return check_names(parse, "parameter", list.items, sizeof *list.items, list.count);
}

const struct ax_tensor_json_parameter *
ax_tensor_json_find(const struct ax_tensor_json_parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->count; i++)
        if (ax_str_eq(parameters->items[i].name, ax_str_of(name)))
            return &parameters->items[i];
    return NULL;
}

/* A parameter that must be a boolean where it is given. */
static ax_status
find_bool(struct ax_ctx *ctx, const struct ax_tensor_json_parameters *parameters, const char *name,
          bool *out_given, bool *out_value)
{
    const struct ax_tensor_json_parameter *found = ax_tensor_json_find(parameters, name);
    *out_given = found != NULL;
    if (!found)
        return AX_OK;
    if (found->kind != AX_TENSOR_JSON_BOOL)
        return ax_fail(ctx, AX_INVALID, "parameter '%s' must be true or false", name);
    *out_value = found->truth;
    return AX_OK;
}

/* A parameter that must be a whole number >= 0 where it is given. */
static ax_status
find_count(struct ax_ctx *ctx, const struct ax_tensor_json_parameters *parameters, const char *name,
           bool *out_given, uint64_t *out_value)
{
    const struct ax_tensor_json_parameter *found = ax_tensor_json_find(parameters, name);
    *out_given = found != NULL;
    if (!found)
        return AX_OK;
    bool natural = found->kind == AX_TENSOR_JSON_I64 && found->i64 >= 0;
    if (!natural && found->kind != AX_TENSOR_JSON_U64)
        return ax_fail(ctx, AX_INVALID, "parameter '%s' must be a whole number, not negative",
                       name);
    *out_value = natural ? (uint64_t)found->i64 : found->u64;
    return AX_OK;
}

/* ---- inputs ---- */

static ax_status
read_shape(struct parse *parse, struct ax_tensor *tensor)
{
    struct ax_ctx *ctx = parse->scan.ctx;
    bool more;
    AX_TRY(ax_json_scan_open(&parse->scan, '[', &more));
    while (more) {
        struct ax_decimal number;
        int64_t dim;
        if (tensor->dim_count == AX_TENSOR_DIMS_MAX)
            return ax_fail(ctx, AX_INVALID, "Unable to parse 'shape': more than %d dimensions",
                           AX_TENSOR_DIMS_MAX);
        AX_TRY(ax_json_scan_number(&parse->scan, &number));
        if (!ax_parse_i64(number.text, &dim) || dim < 0)
            return ax_fail(ctx, AX_INVALID,
                           "Unable to parse 'shape': attempt to access JSON non-unsigned-integer "
                           "as unsigned-integer: a dimension is %.*s",
                           AX_FMT(number.text));
        tensor->shape[tensor->dim_count++] = dim;
        AX_TRY(ax_json_scan_more(&parse->scan, ']', &more));
    }
    return AX_OK;
}

static ax_status
read_type(struct parse *parse, struct ax_tensor *tensor)
{
    ax_str name;
    AX_TRY(ax_json_scan_text(&parse->scan, &name));
    if (!ax_tensor_type_find(name, &tensor->type))
        return ax_fail(parse->scan.ctx, AX_INVALID, "'%.*s' is no datatype",
                       name.len > 64 ? 64 : (int)name.len, name.at);
    return AX_OK;
}

/*
 * An input on its way. Members come in any order: data that comes before the shape or the type is
 * passed over, and read when the object is complete.
 */
struct incoming {
    struct ax_tensor_json_input *input;
    unsigned seen;
    size_t data_at; /* byte of data that waits */
    bool data_waits;
};

static ax_status
read_data(struct parse *parse, struct incoming *incoming)
{
    const unsigned needed = SEEN_NAME | SEEN_SHAPE | SEEN_TYPE;
    if ((incoming->seen & needed) == needed)
        return ax_tensor_json_data(&parse->scan, &incoming->input->tensor);
    ax_json_scan_peek(&parse->scan);
    incoming->data_at = parse->scan.at;
    incoming->data_waits = true;
    return ax_json_scan_skip(&parse->scan, AX_JSON_SCAN_DEPTH_MAX, true);
}

static ax_status
read_input_member(struct parse *parse, struct incoming *incoming)
{
    struct ax_tensor_json_input *input = incoming->input;
    ax_str key;
    AX_TRY(ax_json_scan_key(&parse->scan, &key));
    if (ax_str_eq(key, AX_STR("name"))) {
        AX_TRY(see(parse, &incoming->seen, SEEN_NAME, "name"));
        return ax_json_scan_text(&parse->scan, &input->tensor.name);
    }
    if (ax_str_eq(key, AX_STR("shape"))) {
        AX_TRY(see(parse, &incoming->seen, SEEN_SHAPE, "shape"));
        return read_shape(parse, &input->tensor);
    }
    if (ax_str_eq(key, AX_STR("datatype"))) {
        AX_TRY(see(parse, &incoming->seen, SEEN_TYPE, "datatype"));
        return read_type(parse, &input->tensor);
    }
    if (ax_str_eq(key, AX_STR("data"))) {
        AX_TRY(see(parse, &incoming->seen, SEEN_DATA, "data"));
        return read_data(parse, incoming);
    }
    if (ax_str_eq(key, AX_STR("parameters"))) {
        AX_TRY(see(parse, &incoming->seen, SEEN_PARAMETERS, "parameters"));
        return read_parameters(parse, &input->parameters);
    }
    return ax_json_scan_skip(&parse->scan, DEPTH_MAX - 3, false);
}

/* Where the elements are: in "data", behind the JSON, or in memory that nobody shares with us. */
static ax_status
check_source(struct parse *parse, struct incoming *incoming)
{
    struct ax_tensor_json_input *input = incoming->input;
    struct ax_ctx *ctx = parse->scan.ctx;
    bool has_data = incoming->seen & SEEN_DATA;
    AX_TRY(find_count(ctx, &input->parameters, "binary_data_size", &input->is_binary,
                      &input->binary_bytes));
    if (ax_tensor_json_find(&input->parameters, "shared_memory_region"))
        return ax_fail(ctx, AX_UNSUPPORTED, "shared memory is not supported");
    if (has_data && input->is_binary)
        return ax_fail(ctx, AX_INVALID, "'data' and 'binary_data_size' exclude each other");
    if (!has_data && !input->is_binary)
        return ax_fail(ctx, AX_INVALID, "'data' is missing");
    return AX_OK;
}

static ax_status
finish_input(struct parse *parse, struct incoming *incoming)
{
    struct ax_tensor *tensor = &incoming->input->tensor;
    struct ax_ctx *ctx = parse->scan.ctx;
    if (!(incoming->seen & SEEN_NAME))
        return ax_fail(ctx, AX_INVALID, "'name' is missing");
    if (!(incoming->seen & SEEN_SHAPE))
        return ax_fail(ctx, AX_INVALID, "'shape' is missing");
    if (!(incoming->seen & SEEN_TYPE))
        return ax_fail(ctx, AX_INVALID, "'datatype' is missing");
    AX_TRY(check_source(parse, incoming));
    if (!incoming->data_waits)
        return incoming->input->is_binary ? ax_tensor_json_count(ctx, tensor) : AX_OK;
    size_t behind = parse->scan.at;
    parse->scan.at = incoming->data_at;
    AX_TRY(ax_tensor_json_data(&parse->scan, tensor));
    parse->scan.at = behind;
    return AX_OK;
}

static ax_status
read_input_object(struct parse *parse, struct ax_tensor_json_input *input)
{
    struct incoming incoming = {.input = input};
    bool more;
    AX_TRY(ax_json_scan_open(&parse->scan, '{', &more));
    while (more) {
        AX_TRY(read_input_member(parse, &incoming));
        AX_TRY(ax_json_scan_more(&parse->scan, '}', &more));
    }
    return finish_input(parse, &incoming);
}

static ax_status
read_input(struct parse *parse, struct ax_tensor_json_input *input, size_t index)
{
    ax_status status = read_input_object(parse, input);
    ax_str name = input->tensor.name;
    if (status == AX_OK)
        return AX_OK;
    if (name.len)
        return ax_explain(parse->scan.ctx, status, "input '%.*s'",
                          name.len > 64 ? 64 : (int)name.len, name.at);
    return ax_explain(parse->scan.ctx, status, "inputs[%zu]", index);
}

static ax_status
read_inputs(struct parse *parse, struct ax_tensor_json_request *request)
{
    struct {
        AX_ARRAY(struct ax_tensor_json_input)
    } list = {};
    struct ax_ctx *ctx = parse->scan.ctx;
    bool more;
    AX_TRY(ax_json_scan_open(&parse->scan, '[', &more));
    while (more) {
        if (list.count == parse->limits.inputs_max)
            return ax_fail(ctx, AX_LIMIT, "more than %zu inputs", list.count);
        struct ax_tensor_json_input *input = AX_ARRAY_PUSH(ctx->arena, &list);
        if (!input)
            return ax_fail(ctx, AX_LIMIT, "no memory for the inputs");
        AX_TRY(read_input(parse, input, list.count - 1));
        AX_TRY(ax_json_scan_more(&parse->scan, ']', &more));
    }
    request->inputs = list.items;
    request->input_count = list.count;
    static_assert(offsetof(struct ax_tensor_json_input, tensor.name) == 0);
    return check_names(parse, "input", list.items, sizeof *list.items, list.count);
}

/* ---- outputs ---- */

static ax_status
read_output(struct parse *parse, struct ax_tensor_json_output *output)
{
    struct ax_ctx *ctx = parse->scan.ctx;
    unsigned seen = 0;
    bool more, given;
    AX_TRY(ax_json_scan_open(&parse->scan, '{', &more));
    while (more) {
        ax_str key;
        AX_TRY(ax_json_scan_key(&parse->scan, &key));
        if (ax_str_eq(key, AX_STR("name"))) {
            AX_TRY(see(parse, &seen, SEEN_NAME, "name"));
            AX_TRY(ax_json_scan_text(&parse->scan, &output->name));
        } else if (ax_str_eq(key, AX_STR("parameters"))) {
            AX_TRY(see(parse, &seen, SEEN_PARAMETERS, "parameters"));
            AX_TRY(read_parameters(parse, &output->parameters));
        } else {
            AX_TRY(ax_json_scan_skip(&parse->scan, DEPTH_MAX - 3, false));
        }
        AX_TRY(ax_json_scan_more(&parse->scan, '}', &more));
    }
    if (!(seen & SEEN_NAME))
        return ax_fail(ctx, AX_INVALID, "'name' is missing");
    AX_TRY(
        find_bool(ctx, &output->parameters, "binary_data", &output->has_binary, &output->binary));
    return find_count(ctx, &output->parameters, "classification", &given, &output->classification);
}

static ax_status
read_outputs(struct parse *parse, struct ax_tensor_json_request *request)
{
    struct {
        AX_ARRAY(struct ax_tensor_json_output)
    } list = {};
    struct ax_ctx *ctx = parse->scan.ctx;
    bool more;
    if (is_absent(parse))
        return AX_OK;
    AX_TRY(ax_json_scan_open(&parse->scan, '[', &more));
    while (more) {
        if (list.count == parse->limits.outputs_max)
            return ax_fail(ctx, AX_LIMIT, "more than %zu outputs", list.count);
        struct ax_tensor_json_output *output = AX_ARRAY_PUSH(ctx->arena, &list);
        if (!output)
            return ax_fail(ctx, AX_LIMIT, "no memory for the outputs");
        ax_status status = read_output(parse, output);
        if (status != AX_OK)
            return ax_explain(ctx, status, "outputs[%zu]", list.count - 1);
        AX_TRY(ax_json_scan_more(&parse->scan, ']', &more));
    }
    request->outputs = list.items;
    request->output_count = list.count;
    return check_names(parse, "output", list.items, sizeof *list.items, list.count);
}

/* ---- the request ---- */

static ax_status
read_member(struct parse *parse, struct ax_tensor_json_request *request, unsigned *seen)
{
    ax_str key;
    AX_TRY(ax_json_scan_key(&parse->scan, &key));
    if (ax_str_eq(key, AX_STR("inputs"))) {
        AX_TRY(see(parse, seen, SEEN_INPUTS, "inputs"));
        return read_inputs(parse, request);
    }
    if (ax_str_eq(key, AX_STR("outputs"))) {
        AX_TRY(see(parse, seen, SEEN_OUTPUTS, "outputs"));
        return read_outputs(parse, request);
    }
    if (ax_str_eq(key, AX_STR("parameters"))) {
        AX_TRY(see(parse, seen, SEEN_PARAMETERS, "parameters"));
        return read_parameters(parse, &request->parameters);
    }
    if (ax_str_eq(key, AX_STR("id"))) {
        AX_TRY(see(parse, seen, SEEN_ID, "id"));
        request->has_id = !is_absent(parse);
        return request->has_id ? ax_json_scan_text(&parse->scan, &request->id) : AX_OK;
    }
    return ax_json_scan_skip(&parse->scan, DEPTH_MAX - 1, false);
}

ax_status
ax_tensor_json_parse(struct ax_ctx *ctx, ax_str text, const struct ax_tensor_json_limits *limits,
                     struct ax_tensor_json_request *out_request)
{
    struct parse parse = {
        .scan = {.ctx = ctx, .text = text},
        .limits = {
            .inputs_max = limits && limits->inputs_max ? limits->inputs_max : INPUTS_MAX,
            .outputs_max = limits && limits->outputs_max ? limits->outputs_max : OUTPUTS_MAX,
            .parameters_max =
                limits && limits->parameters_max ? limits->parameters_max : PARAMETERS_MAX,
        }};
    struct ax_tensor_json_request request = {.id = AX_STR("")};
    unsigned seen = 0;
    bool more, given;
    AX_TRY(ax_json_scan_open(&parse.scan, '{', &more));
    while (more) {
        AX_TRY(read_member(&parse, &request, &seen));
        AX_TRY(ax_json_scan_more(&parse.scan, '}', &more));
    }
    AX_TRY(ax_json_scan_end(&parse.scan));
    if (!(seen & SEEN_INPUTS))
        return ax_fail(ctx, AX_INVALID, "'inputs' is missing");
    AX_TRY(
        find_bool(ctx, &request.parameters, "binary_data_output", &given, &request.binary_output));
    *out_request = request;
    return AX_OK;
}

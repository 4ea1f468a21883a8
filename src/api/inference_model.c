#include "api/inference_model.h"

#include <math.h>

#include "base/number.h"

static const char *const output_names[] = {"predict", "margin",  "contributions", "leaf",
                                           "reasons", "outcome", "score",         "decision_id"};

static const struct ax_engine_signature *
engine_of(const struct ax_loaded_model *model)
{
    return ax_engine_signature(model->engine);
}

/* Whether a caller speaks in words for some feature: then there is no one tensor of numbers. */
static bool
mixed(const struct ax_loaded_model *model)
{
    for (size_t i = 0; i < model->signature->feature_count; i++)
        if (model->signature->features[i].kind == AX_FEATURE_CATEGORY)
            return true;
    return false;
}

static enum ax_tensor_type
number_type(enum ax_engine_type type)
{
    return type == AX_ENGINE_F32 ? AX_TENSOR_FP32 : AX_TENSOR_FP64;
}

static void
show_tensor(struct ax_json_writer *json, ax_str name, enum ax_tensor_type type,
            const int64_t *shape, size_t dim_count)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", name);
    ax_json_member_text(json, "datatype", ax_str_of(ax_tensor_type_name(type)));
    ax_json_key(json, "shape");
    ax_json_begin_array(json);
    for (size_t i = 0; i < dim_count; i++)
        ax_json_put_i64(json, shape[i]);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

ax_str
ax_inference_output_name(enum ax_inference_output output)
{
    return ax_str_of(output_names[output]);
}

/* ---- the tensors of a model ---- */

static struct ax_engine_port
port_of(ax_str name, enum ax_tensor_type type, int64_t columns)
{
    return (struct ax_engine_port){
        .name = name, .type = type, .dim_count = columns ? 2 : 1, .shape = {-1, columns}};
}

static ax_status
table_inputs(struct ax_ctx *ctx, const struct ax_loaded_model *model, struct ax_engine_graph *out)
{
    const struct ax_signature *signature = model->signature;
    enum ax_tensor_type type = number_type(engine_of(model)->input);
    out->input_count = mixed(model) ? signature->feature_count : 1;
    struct ax_engine_port *inputs =
        AX_NEW_ARRAY(ctx->arena, struct ax_engine_port, out->input_count);
    if (!inputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", out->input_count);
    if (!mixed(model))
        inputs[0] = port_of(AX_STR("input-0"), type, (int64_t)signature->feature_count);
    for (size_t i = 0; mixed(model) && i < signature->feature_count; i++)
        inputs[i] =
            port_of(signature->names[i],
                    signature->features[i].kind == AX_FEATURE_CATEGORY ? AX_TENSOR_BYTES : type, 0);
    out->inputs = inputs;
    return AX_OK;
}

/* Only the response is an output by default; the others are asked for by name. */
ax_status
ax_inference_ports(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                   struct ax_engine_graph *out_ports)
{
    const struct ax_engine_signature *engine = engine_of(model);
    const struct ax_engine_graph *graph = ax_engine_graph(model->engine);
    struct ax_engine_graph ports = {.output_count = 1};
    if (graph) {
        *out_ports = *graph;
        return AX_OK;
    }
    AX_TRY(table_inputs(ctx, model, &ports));
    struct ax_engine_port *output = AX_NEW(ctx->arena, struct ax_engine_port);
    if (!output)
        return ax_fail(ctx, AX_LIMIT, "no memory for outputs");
    int64_t columns = engine->response_count == 1 ? 0 : (int64_t)engine->response_count;
    *output = port_of(AX_STR("predict"), number_type(engine->output), columns);
    ports.outputs = output;
    *out_ports = ports;
    return AX_OK;
}

bool
ax_inference_batched(const struct ax_engine_graph *ports)
{
    bool batched = ports->input_count > 0;
    for (size_t i = 0; i < ports->input_count; i++)
        batched &= ports->inputs[i].dim_count > 0 && ports->inputs[i].shape[0] < 0;
    for (size_t i = 0; i < ports->output_count; i++)
        batched &= ports->outputs[i].dim_count > 0 && ports->outputs[i].shape[0] < 0;
    return batched;
}

/* ---- metadata ---- */

static void
show_ports(struct ax_json_writer *json, const char *key, const struct ax_engine_port *ports,
           size_t count)
{
    ax_json_key(json, key);
    ax_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        show_tensor(json, ports[i].name, ports[i].type, ports[i].shape, ports[i].dim_count);
    ax_json_end_array(json);
}

static void
show_names(const struct ax_signature *signature, struct ax_json_writer *json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(8 << 20);
    struct ax_json_writer names = ax_json_writer_of(&text);
    ax_json_begin_array(&names);
    for (size_t i = 0; i < signature->feature_count; i++)
        ax_json_put_text(&names, signature->names[i]);
    ax_json_end_array(&names);
    ax_json_key(json, "features");
    ax_json_put_text_from(json, &text); /* properties are strings */
}

static void
show_platform(const struct ax_loaded_model *model, struct ax_json_writer *json)
{
    ax_str format = engine_of(model)->format;
    char platform[64];
    size_t len = 0;
    for (; len < format.len && len < sizeof platform; len++)
        platform[len] = format.at[len] == '-' || format.at[len] == '.' ? '_' : format.at[len];
    ax_json_member_text(json, "platform", (ax_str){platform, len});
}

static void
put_version(struct ax_json_writer *json, int64_t version)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_json_put_text(json, (ax_str){text, ax_format_i64(version, text)});
}

ax_status
ax_inference_show(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                  const struct ax_plan *plan, struct ax_json_writer *out)
{
    struct ax_engine_graph ports;
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", model->model);
    ax_json_key(out, "versions");
    ax_json_begin_array(out);
    for (size_t i = 0; i < plan->model_count; i++)
        if (ax_str_eq(plan->models[i]->model, model->model))
            put_version(out, plan->models[i]->version);
    ax_json_end_array(out);
    show_platform(model, out);
    show_ports(out, "inputs", ports.inputs, ports.input_count);
    show_ports(out, "outputs", ports.outputs, ports.output_count);
    ax_json_key(out, "properties");
    ax_json_begin_object(out);
    show_names(model->signature, out);
    ax_json_member_text(out, "digest", ax_str_of(model->digest_hex));
    ax_json_member_text(out, "governed", model->governed ? AX_STR("true") : AX_STR("false"));
    if (!ax_engine_graph(model->engine))
        ax_json_member_text(out, "optional_outputs", AX_STR("margin,contributions,leaf,reasons"));
    ax_json_end_object(out);
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- inputs ---- */

/* What a request lacks or has too much of, in Triton's words. */
static ax_status
wrong_inputs(struct ax_ctx *ctx, const struct ax_loaded_model *model, size_t expected,
             const struct ax_tensor_json_request *request, ax_str missing)
{
    return ax_fail(ctx, AX_INVALID,
                   "expected %zu inputs but got %zu inputs for model '%.*s'%s%.*s%s", expected,
                   request->input_count, AX_FMT(model->model),
                   missing.len ? ". Missing required input '" : "", AX_FMT(missing),
                   missing.len ? "'. Please provide all required input(s)." : "");
}

static ax_status
wrong_shape(struct ax_ctx *ctx, const struct ax_loaded_model *model, const struct ax_tensor *tensor,
            const int64_t *expected, size_t dim_count)
{
    ax_str wanted = ax_tensor_shape_text(ctx->arena, expected, dim_count);
    ax_str got = ax_tensor_shape_text(ctx->arena, tensor->shape, tensor->dim_count);
    if (!wanted.at || !got.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a shape");
    return ax_fail(ctx, AX_INVALID,
                   "unexpected shape for input '%.*s' for model '%.*s'. Expected %.*s, got %.*s.",
                   AX_FMT(tensor->name), AX_FMT(model->model), AX_FMT(wanted), AX_FMT(got));
}

static ax_status
wrong_type(struct ax_ctx *ctx, const struct ax_loaded_model *model, const struct ax_tensor *tensor,
           enum ax_tensor_type expected)
{
    return ax_fail(ctx, AX_INVALID,
                   "inference input '%.*s' data-type is '%s', but model '%.*s' expects '%s'",
                   AX_FMT(tensor->name), ax_tensor_type_name(tensor->type), AX_FMT(model->model),
                   ax_tensor_type_name(expected));
}

/* Missing values where the signature refuses them; the rows are left as they came. */
static ax_status
check_missing(struct ax_ctx *ctx, const struct ax_inference *inference)
{
    const struct ax_signature *signature = inference->model->signature;
    size_t width = signature->feature_count;
    bool narrow = inference->rows.type == AX_ENGINE_F32;
    for (size_t f = 0; f < width; f++) {
        if (signature->features[f].missing_accepted)
            continue;
        for (size_t r = 0; r < inference->row_count; r++) {
            size_t at = r * width + f;
            double value = narrow ? (double)((const float *)inference->rows.at)[at]
                                  : ((const double *)inference->rows.at)[at];
            if (isnan(value))
                return ax_fail(ctx, AX_INVALID, "row %zu: feature `%.*s` is missing", r,
                               AX_FMT(signature->names[f]));
        }
    }
    return AX_OK;
}

/* input-0: the tensor's own memory is the rows. */
static ax_status
take_matrix(struct ax_ctx *ctx, const struct ax_tensor_json_request *request,
            struct ax_inference *out)
{
    const struct ax_loaded_model *model = out->model;
    const struct ax_tensor *tensor = &request->inputs[0].tensor;
    const int64_t expected[] = {-1, (int64_t)model->signature->feature_count};
    enum ax_tensor_type type = number_type(engine_of(model)->input);
    if (request->input_count != 1)
        return wrong_inputs(ctx, model, 1, request, AX_STR(""));
    if (tensor->type != type)
        return wrong_type(ctx, model, tensor, type);
    if (tensor->dim_count != 2 || tensor->shape[1] != expected[1])
        return wrong_shape(ctx, model, tensor, expected, 2);
    out->row_count = (size_t)tensor->shape[0];
    out->rows = (struct ax_engine_rows){
        .at = tensor->data, .count = out->row_count, .type = engine_of(model)->input};
    return AX_OK;
}

static bool
column_shape_ok(const struct ax_tensor *tensor, size_t row_count)
{
    bool flat = tensor->dim_count == 1 || (tensor->dim_count == 2 && tensor->shape[1] == 1);
    return flat && (size_t)tensor->shape[0] == row_count;
}

static ax_status
take_column(struct ax_ctx *ctx, const struct ax_inference *inference,
            const struct ax_tensor *tensor, size_t feature, double *rows)
{
    const struct ax_loaded_model *model = inference->model;
    const struct ax_signature *signature = model->signature;
    size_t width = signature->feature_count;
    bool words = signature->features[feature].kind == AX_FEATURE_CATEGORY;
    if (!column_shape_ok(tensor, inference->row_count))
        return wrong_shape(ctx, model, tensor, (const int64_t[]){(int64_t)inference->row_count}, 1);
    if (words != (tensor->type == AX_TENSOR_BYTES))
        return wrong_type(ctx, model, tensor,
                          words ? AX_TENSOR_BYTES : number_type(engine_of(model)->input));
    const ax_str *texts = tensor->data;
    for (size_t r = 0; r < inference->row_count; r++) {
        double *cell = &rows[r * width + feature];
        if (!words)
            *cell = ax_tensor_f64(tensor, r);
        else if (ax_signature_encode_text(ctx, signature, feature, texts[r], cell) != AX_OK)
            return ax_explain(ctx, AX_INVALID, "row %zu", r);
    }
    return AX_OK;
}

/* One tensor a feature, in any order. */
static ax_status
take_columns(struct ax_ctx *ctx, const struct ax_tensor_json_request *request,
             struct ax_inference *out)
{
    const struct ax_signature *signature = out->model->signature;
    size_t width = signature->feature_count;
    const struct ax_tensor *first = &request->inputs[0].tensor;
    bool *seen = AX_NEW_ARRAY(ctx->arena, bool, width + 1);
    if (first->dim_count == 0)
        return wrong_shape(ctx, out->model, first, (const int64_t[]){-1}, 1);
    out->row_count = (size_t)first->shape[0];
    double *rows = out->row_count <= AX_INFERENCE_ROWS_MAX
                       ? AX_NEW_ARRAY(ctx->arena, double, out->row_count *width + 1)
                       : NULL;
    if (!seen || !rows)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", out->row_count);
    for (size_t i = 0; i < request->input_count; i++) {
        const struct ax_tensor *tensor = &request->inputs[i].tensor;
        const struct ax_signature_feature *feature = ax_map_find(signature->index, tensor->name);
        if (!feature)
            return ax_fail(ctx, AX_INVALID, "unexpected inference input '%.*s' for model '%.*s'",
                           AX_FMT(tensor->name), AX_FMT(out->model->model));
        size_t at = (size_t)(feature - signature->features);
        if (seen[at])
            return ax_fail(ctx, AX_INVALID, "input '%.*s' already exists in request",
                           AX_FMT(tensor->name));
        seen[at] = true;
        AX_TRY(take_column(ctx, out, tensor, at, rows));
    }
    for (size_t i = 0; i < width; i++)
        if (!seen[i])
            return wrong_inputs(ctx, out->model, width, request, signature->names[i]);
    out->rows = (struct ax_engine_rows){.at = rows, .count = out->row_count, .type = AX_ENGINE_F64};
    return AX_OK;
}

static ax_status
take_inputs(struct ax_ctx *ctx, const struct ax_tensor_json_request *request,
            struct ax_inference *out)
{
    bool matrix = false;
    if (request->input_count == 0)
        return wrong_inputs(ctx, out->model, mixed(out->model) ? 0 : 1, request, AX_STR(""));
    if (!ax_map_find(out->model->signature->index, AX_STR("input-0")))
        for (size_t i = 0; i < request->input_count; i++)
            matrix |= ax_str_eq(request->inputs[i].tensor.name, AX_STR("input-0"));
    if (matrix && mixed(out->model))
        return ax_fail(ctx, AX_INVALID,
                       "unexpected inference input 'input-0' for model '%.*s': it has categories, "
                       "so each feature is an input of its own",
                       AX_FMT(out->model->model));
    AX_TRY(matrix ? take_matrix(ctx, request, out) : take_columns(ctx, request, out));
    if (out->row_count == 0)
        return ax_fail(ctx, AX_INVALID, "there are no rows to score");
    if (out->row_count > AX_INFERENCE_ROWS_MAX)
        return ax_fail(ctx, AX_INVALID, "inference request batch-size must be <= %d for '%.*s'",
                       (int)AX_INFERENCE_ROWS_MAX, AX_FMT(out->model->model));
    return check_missing(ctx, out);
}

/* ---- outputs ---- */

static const struct ax_plan_deployment *
deployment_with_reasons(const struct ax_plan *plan, const struct ax_loaded_model *model)
{
    for (size_t i = 0; i < plan->deployment_count; i++)
        if (plan->deployments[i].champion.model == model)
            return &plan->deployments[i];
    return NULL;
}

static ax_status
take_output(struct ax_ctx *ctx, ax_str name, struct ax_inference *out)
{
    size_t at = 0;
    while (at < AX_COUNT_OF(output_names) && !ax_str_eq(name, ax_str_of(output_names[at])))
        at++;
    if (at == AX_COUNT_OF(output_names))
        return ax_fail(ctx, AX_INVALID, "unexpected inference output '%.*s' for model '%.*s'",
                       AX_FMT(name), AX_FMT(out->model->model));
    for (size_t i = 0; i < out->output_count; i++)
        if (out->outputs[i] == (enum ax_inference_output)at)
            return ax_fail(ctx, AX_INVALID, "output '%.*s' already exists in request",
                           AX_FMT(name));
    out->outputs[out->output_count++] = (enum ax_inference_output)at;
    return AX_OK;
}

static ax_status
take_outputs(struct ax_ctx *ctx, const struct ax_plan *plan,
             const struct ax_tensor_json_request *request, struct ax_inference *out)
{
    for (size_t i = 0; i < request->output_count; i++)
        AX_TRY(take_output(ctx, request->outputs[i].name, out));
    if (out->output_count == 0)
        out->outputs[out->output_count++] = AX_INFERENCE_PREDICT;
    for (size_t i = 0; i < out->output_count; i++) {
        if (out->outputs[i] != AX_INFERENCE_REASONS)
            continue;
        out->deployment = deployment_with_reasons(plan, out->model);
        if (!out->deployment)
            return ax_fail(ctx, AX_INVALID,
                           "output 'reasons': model '%.*s' is champion of no deployment, so it has "
                           "no reason map",
                           AX_FMT(out->model->model));
    }
    return AX_OK;
}

/* ---- graphs ---- */

static size_t
port_find(const struct ax_engine_port *ports, size_t count, ax_str name)
{
    size_t at = 0;
    while (at < count && !ax_str_eq(ports[at].name, name))
        at++;
    return at;
}

static bool
shape_fits(const struct ax_engine_port *port, const struct ax_tensor *tensor)
{
    bool fits = tensor->dim_count == port->dim_count;
    for (size_t i = 0; fits && i < port->dim_count; i++)
        fits = port->shape[i] < 0 || port->shape[i] == tensor->shape[i];
    return fits;
}

static ax_status
take_graph_inputs(struct ax_ctx *ctx, const struct ax_engine_graph *graph,
                  const struct ax_tensor_json_request *request, struct ax_inference *out)
{
    const struct ax_loaded_model *model = out->model;
    struct ax_tensor *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->input_count + 1);
    bool *seen = AX_NEW_ARRAY(ctx->arena, bool, graph->input_count + 1);
    if (!inputs || !seen)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", graph->input_count);
    for (size_t i = 0; i < request->input_count; i++) {
        const struct ax_tensor *tensor = &request->inputs[i].tensor;
        size_t at = port_find(graph->inputs, graph->input_count, tensor->name);
        if (at == graph->input_count)
            return ax_fail(ctx, AX_INVALID, "unexpected inference input '%.*s' for model '%.*s'",
                           AX_FMT(tensor->name), AX_FMT(model->model));
        const struct ax_engine_port *port = &graph->inputs[at];
        if (tensor->type != port->type)
            return wrong_type(ctx, model, tensor, port->type);
        if (!shape_fits(port, tensor))
            return wrong_shape(ctx, model, tensor, port->shape, port->dim_count);
        inputs[at] = *tensor;
        seen[at] = true;
    }
    for (size_t i = 0; i < graph->input_count; i++)
        if (!seen[i])
            return wrong_inputs(ctx, model, graph->input_count, request, graph->inputs[i].name);
    out->graph_inputs = inputs;
    out->row_count = 1;
    if (graph->input_count > 0 && inputs[0].dim_count > 0)
        out->row_count = (size_t)inputs[0].shape[0];
    return AX_OK;
}

static ax_status
take_graph_outputs(struct ax_ctx *ctx, const struct ax_engine_graph *graph,
                   const struct ax_tensor_json_request *request, struct ax_inference *out)
{
    size_t count = request->output_count ? request->output_count : graph->output_count;
    size_t *outputs = AX_NEW_ARRAY(ctx->arena, size_t, count + 1);
    if (!outputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu outputs", count);
    for (size_t i = 0; i < count; i++) {
        if (request->output_count == 0) {
            outputs[i] = i;
            continue;
        }
        ax_str name = request->outputs[i].name;
        outputs[i] = port_find(graph->outputs, graph->output_count, name);
        if (outputs[i] == graph->output_count)
            return ax_fail(ctx, AX_INVALID, "unexpected inference output '%.*s' for model '%.*s'",
                           AX_FMT(name), AX_FMT(out->model->model));
        for (size_t k = 0; k < i; k++)
            if (outputs[k] == outputs[i])
                return ax_fail(ctx, AX_INVALID, "output '%.*s' already exists in request",
                               AX_FMT(name));
    }
    out->graph_outputs = outputs;
    out->output_count = count;
    return AX_OK;
}

/* Named after its own tensors it runs as the graph it is; by its columns it is a table's model. */
static bool
asked_as_graph(const struct ax_loaded_model *model, const struct ax_engine_graph *graph,
               const struct ax_tensor_json_request *request)
{
    if (!graph || request->input_count == 0)
        return graph != NULL;
    return engine_of(model)->feature_count == 0 ||
           port_find(graph->inputs, graph->input_count, request->inputs[0].tensor.name) <
               graph->input_count;
}

ax_status
ax_inference_prepare(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                     const struct ax_plan *plan, const struct ax_tensor_json_request *request,
                     struct ax_inference *out_inference)
{
    const struct ax_engine_graph *graph = ax_engine_graph(model->engine);
    *out_inference = (struct ax_inference){.model = model};
    if (asked_as_graph(model, graph, request)) {
        AX_TRY(take_graph_inputs(ctx, graph, request, out_inference));
        return take_graph_outputs(ctx, graph, request, out_inference);
    }
    AX_TRY(take_inputs(ctx, request, out_inference));
    return take_outputs(ctx, plan, request, out_inference);
}

bool
ax_inference_explains(const struct ax_inference *inference)
{
    for (size_t i = 0; !inference->graph_inputs && i < inference->output_count; i++)
        if (inference->outputs[i] == AX_INFERENCE_CONTRIBUTIONS ||
            inference->outputs[i] == AX_INFERENCE_REASONS)
            return true;
    return false;
}

/* ---- scoring ---- */

struct scored {
    struct ax_engine_answer answer;
    const struct ax_inference *inference;
};

static unsigned
engine_outputs(const struct ax_inference *inference)
{
    static const unsigned bits[AX_INFERENCE_OUTPUTS_MAX] = {AX_ENGINE_RESPONSE, AX_ENGINE_MARGIN,
                                                            AX_ENGINE_CONTRIBUTIONS, AX_ENGINE_LEAF,
                                                            AX_ENGINE_CONTRIBUTIONS};
    unsigned outputs = 0;
    for (size_t i = 0; i < inference->output_count; i++)
        outputs |= bits[inference->outputs[i]];
    return outputs;
}

static struct ax_engine_call
call_of(const struct ax_inference *inference)
{
    return (struct ax_engine_call){.rows = inference->rows, .outputs = engine_outputs(inference)};
}

bool
ax_inference_blocks(const struct ax_inference *inference)
{
    const struct ax_engine_call call = call_of(inference);
    return engine_of(inference->model)->blocking ||
           (!inference->graph_inputs && !ax_engine_prepared(inference->model->engine, &call));
}

static ax_status
score(struct ax_ctx *ctx, const struct ax_inference *inference, void *scratch, struct scored *out)
{
    const struct ax_engine_signature *engine = engine_of(inference->model);
    struct ax_arena *arena = ctx->arena;
    size_t rows = inference->row_count, width = engine->feature_count + 1;
    const struct ax_engine_call call = call_of(inference);
    unsigned outputs = call.outputs;
    struct ax_engine_answer *answer = &out->answer;
    bool memory = true;
    if (outputs & AX_ENGINE_RESPONSE)
        memory &=
            (answer->response = AX_NEW_ARRAY(arena, double, rows * engine->response_count)) != NULL;
    if (outputs & AX_ENGINE_MARGIN)
        memory &=
            (answer->margin = AX_NEW_ARRAY(arena, double, rows * engine->margin_count)) != NULL;
    if (outputs & AX_ENGINE_CONTRIBUTIONS)
        memory &= (answer->contributions =
                       AX_NEW_ARRAY(arena, double, rows * engine->margin_count * width)) != NULL;
    if (outputs & AX_ENGINE_LEAF)
        memory &= (answer->leaf = AX_NEW_ARRAY(arena, int32_t, rows * engine->tree_count)) != NULL;
    if (!memory)
        return ax_fail(ctx, AX_LIMIT, "no memory for the outputs of %zu rows", rows);
    return ax_engine_score(inference->model->engine, ctx, &call, scratch, answer);
}

ax_status
ax_inference_narrow(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                    struct ax_tensor *tensor)
{
    const double *values = tensor->data;
    tensor->type = number_type(engine_of(model)->output);
    if (tensor->type == AX_TENSOR_FP64)
        return AX_OK;
    float *narrow = AX_NEW_ARRAY(ctx->arena, float, tensor->count);
    if (!narrow)
        return ax_fail(ctx, AX_LIMIT, "no memory for an output");
    for (size_t i = 0; i < tensor->count; i++)
        narrow[i] = (float)values[i];
    tensor->data = narrow;
    return AX_OK;
}

/* Codes of the reasons against each row, most important first, "" behind the last. */
static ax_status
put_reasons(struct ax_ctx *ctx, const struct scored *scored, struct ax_tensor *tensor)
{
    const struct ax_plan_deployment *deployment = scored->inference->deployment;
    size_t width = scored->inference->model->signature->feature_count + 1;
    size_t most = (size_t)deployment->policy->reasons_max;
    ax_str *codes = AX_NEW_ARRAY(ctx->arena, ax_str, scored->inference->row_count * most);
    if (!codes)
        return ax_fail(ctx, AX_LIMIT, "no memory for reasons");
    for (size_t r = 0; r < scored->inference->row_count; r++) {
        struct ax_reason_given given[AX_REASONS_MAX];
        bool blocked = false;
        size_t count =
            ax_reasons_select(&deployment->champion.reasons,
                              scored->answer.contributions + r * width, most, given, &blocked);
        for (size_t i = 0; i < most; i++)
            codes[r * most + i] = i < count && !blocked ? given[i].reason->code : AX_STR("");
    }
    tensor->type = AX_TENSOR_BYTES;
    tensor->data = codes;
    return AX_OK;
}

static void
set_shape(struct ax_tensor *tensor, size_t rows, size_t blocks, size_t columns)
{
    tensor->shape[tensor->dim_count++] = (int64_t)rows;
    if (blocks > 1)
        tensor->shape[tensor->dim_count++] = (int64_t)blocks;
    if (columns > 0)
        tensor->shape[tensor->dim_count++] = (int64_t)columns;
    tensor->count = rows * blocks * (columns ? columns : 1);
}

static ax_status
put_output(struct ax_ctx *ctx, const struct scored *scored, enum ax_inference_output output,
           struct ax_tensor *tensor)
{
    const struct ax_inference *inference = scored->inference;
    const struct ax_engine_signature *engine = engine_of(inference->model);
    size_t rows = inference->row_count;
    tensor->name = ax_str_of(output_names[output]);
    switch (output) {
    case AX_INFERENCE_PREDICT:
        set_shape(tensor, rows, engine->response_count, 0);
        tensor->data = scored->answer.response;
        return ax_inference_narrow(ctx, inference->model, tensor);
    case AX_INFERENCE_MARGIN:
        set_shape(tensor, rows, engine->margin_count, 0);
        tensor->data = scored->answer.margin;
        return ax_inference_narrow(ctx, inference->model, tensor);
    case AX_INFERENCE_CONTRIBUTIONS:
        set_shape(tensor, rows, engine->margin_count, engine->feature_count + 1);
        tensor->type = AX_TENSOR_FP64;
        tensor->data = scored->answer.contributions;
        return AX_OK;
    case AX_INFERENCE_LEAF:
        set_shape(tensor, rows, 1, engine->tree_count);
        tensor->type = AX_TENSOR_INT32;
        tensor->data = scored->answer.leaf;
        return AX_OK;
    case AX_INFERENCE_REASONS:
        set_shape(tensor, rows, 1, (size_t)inference->deployment->policy->reasons_max);
        return put_reasons(ctx, scored, tensor);
    case AX_INFERENCE_OUTCOME:
    case AX_INFERENCE_SCORE:
    case AX_INFERENCE_DECISION_ID:
        break;
    }
    return ax_fail(ctx, AX_INVALID,
                   "output '%.*s': only a client's decisions of a deployment have it",
                   AX_FMT(tensor->name));
}

static ax_status
run_graph(struct ax_ctx *ctx, const struct ax_inference *inference,
          const struct ax_tensor **out_tensors, size_t *out_count)
{
    const struct ax_engine_graph *graph = ax_engine_graph(inference->model->engine);
    size_t count = graph->output_count;
    bool *wanted = AX_NEW_ARRAY(ctx->arena, bool, count + 1);
    struct ax_tensor *all = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, count + 1);
    struct ax_tensor *given =
        AX_NEW_ARRAY(ctx->arena, struct ax_tensor, inference->output_count + 1);
    if (!wanted || !all || !given)
        return ax_fail(ctx, AX_LIMIT, "no memory for outputs");
    for (size_t i = 0; i < inference->output_count; i++)
        wanted[inference->graph_outputs[i]] = true;
    AX_TRY(ax_engine_run(inference->model->engine, ctx, inference->graph_inputs, wanted, all));
    for (size_t i = 0; i < inference->output_count; i++) {
        given[i] = all[inference->graph_outputs[i]];
        given[i].name = graph->outputs[inference->graph_outputs[i]].name;
    }
    *out_tensors = given;
    *out_count = inference->output_count;
    return AX_OK;
}

ax_status
ax_inference_run(struct ax_ctx *ctx, const struct ax_inference *inference, void *scratch,
                 const struct ax_tensor **out_tensors, size_t *out_count)
{
    if (inference->graph_inputs)
        return run_graph(ctx, inference, out_tensors, out_count);
    struct scored scored = {.inference = inference};
    struct ax_tensor *tensors = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, inference->output_count);
    if (!tensors)
        return ax_fail(ctx, AX_LIMIT, "no memory for outputs");
    AX_TRY(score(ctx, inference, scratch, &scored));
    for (size_t i = 0; i < inference->output_count; i++)
        AX_TRY(put_output(ctx, &scored, inference->outputs[i], &tensors[i]));
    *out_tensors = tensors;
    *out_count = inference->output_count;
    return AX_OK;
}

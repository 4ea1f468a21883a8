/*
 * The scoring server of MLflow: /invocations, /health, /version.
 *
 * Source: mlflow.md section 10 (what `mlflow models serve` answers).
 */
#include "api/inference.h"
#include "api/mlflow_wire.h"
#include "api/row_json.h"

/* ---- errors ---- */

static void
refuse(struct ax_call *call, int http_status, ax_str words, ax_str code)
{
    if (http_status == 415) {
        ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/plain"));
        ax_writer_bytes(ax_exchange_body(call->exchange), words);
        return;
    }
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    if (code.len)
        ax_json_member_text(json, "error_code", code);
    else if (http_status == 404)
        ax_json_member_text(json, "error_code", AX_STR("RESOURCE_DOES_NOT_EXIST"));
    else
        ax_json_member_text(json, "error_code",
                            http_status < 500 ? AX_STR("BAD_REQUEST") : AX_STR("INTERNAL_ERROR"));
    ax_json_member_text(json, "message", words);
    ax_json_end_object(json);
}

static ax_status
unknown(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version)
{
    (void)version;
    (void)any_version;
    return ax_fail(ctx, AX_NOT_FOUND, "no model '%.*s' is served", AX_FMT(model));
}

/* ---- bodies ---- */

/* The table's columns are taken by name, and those the model does not know are dropped. */
static const struct ax_row_json_options options = {.drop_unknown = true};

/* The members of which exactly one brings the rows. */
static const char *const fields[] = {"dataframe_split", "dataframe_records", "instances", "inputs"};

static ax_status
read_split(struct ax_ctx *ctx, const struct ax_loaded_model *model, const struct ax_json *split,
           struct ax_tensor_json_request *out)
{
    static const char *const known[] = {"columns", "index", "data"};
    size_t known_count = 0;
    for (size_t i = 0; i < AX_COUNT_OF(known); i++)
        known_count += ax_json_find(split, known[i]) != NULL;
    const struct ax_json *data = ax_json_find(split, "data");
    if (!data || known_count != ax_json_count(split))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid input. Dataframe split format must have 'data' field and "
                       "optionally 'columns' and 'index' fields.");
    return ax_row_json_table(ctx, model, ax_json_find(split, "columns"), data, &options, out);
}

static ax_status
read_records(struct ax_ctx *ctx, const struct ax_loaded_model *model, const struct ax_json *records,
             struct ax_tensor_json_request *out)
{
    if (ax_json_kind(records) != AX_JSON_ARRAY)
        return ax_fail(ctx, AX_INVALID,
                       "Invalid input. Dataframe records format must be a list of records. Got %s.",
                       ax_json_kind_name(ax_json_kind(records)));
    return ax_row_json_rows(ctx, model, records, &options, out);
}

static ax_status
read_json(struct ax_ctx *ctx, ax_str text, const struct ax_loaded_model *model,
          struct ax_tensor_json_request *out)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    const struct ax_json *json, *found[AX_COUNT_OF(fields)];
    size_t count = 0;
    if (ax_json_parse(ctx, text, &limits, &json) != AX_OK)
        return ax_explain(ctx, AX_INVALID,
                          "Invalid input. Ensure that input is a valid JSON formatted string. "
                          "Error");
    for (size_t i = 0; i < AX_COUNT_OF(fields); i++)
        count += (found[i] = ax_json_find(json, fields[i])) != NULL;
    if (ax_json_kind(json) != AX_JSON_OBJECT || count != 1)
        return ax_fail(ctx, AX_INVALID,
                       "The input must be a JSON dictionary with exactly one of the input fields "
                       "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}. Received "
                       "%s with %zu of them.",
                       ax_json_kind_name(ax_json_kind(json)), count);
    if (ax_json_find(json, "signature_name"))
        return ax_fail(ctx, AX_INVALID, "'signature_name' parameter is currently not supported");
    if (found[0])
        return read_split(ctx, model, found[0], out);
    if (found[1])
        return read_records(ctx, model, found[1], out);
    return found[2] ? ax_row_json_rows(ctx, model, found[2], &options, out)
                    : ax_row_json_columns(ctx, model, found[3], &options, out);
}

/* The type before any parameter: "text/csv" of "text/csv; charset=utf-8". */
static ax_str
media_type(const struct ax_http_request *request)
{
    ax_str rest = ax_http_header_find(request, AX_STR("content-type")), type;
    return rest.at && ax_str_cut(&rest, ';', &type) ? ax_str_trim(type) : AX_STR("");
}

static bool
answers(const struct ax_loaded_model *model, ax_str what)
{
    return ax_str_eq(model->signature->answer, what);
}

/* Whether the body has columns, and the model a graph that takes one matrix. */
static bool
wants_matrix(const struct ax_loaded_model *model, const struct ax_engine_graph *graph,
             const struct ax_tensor_json_request *request)
{
    return graph && !answers(model, AX_STR("response")) && graph->input_count == 1 &&
           graph->inputs[0].type == AX_TENSOR_FP32 && request->input_count > 0 &&
           !ax_str_eq(request->inputs[0].tensor.name, graph->inputs[0].name);
}

/*
 * Columns become the one matrix that a graph takes, as MLflow hands a data frame to it. Others stay
 * as they are: inputs of their own, or rows of a table.
 */
static ax_status
gather(struct ax_ctx *ctx, const struct ax_loaded_model *model,
       struct ax_tensor_json_request *request)
{
    const struct ax_engine_graph *graph = ax_engine_graph(model->engine);
    const struct ax_signature *signature = model->signature;
    size_t width = request->input_count, rows = width ? request->inputs[0].tensor.count : 0;
    if (!wants_matrix(model, graph, request))
        return AX_OK;
    if (width != signature->feature_count)
        return ax_fail(ctx, AX_INVALID, "Model is missing inputs: it has %zu, and %zu are given",
                       signature->feature_count, width);
    float *cells = AX_NEW_ARRAY(ctx->arena, float, rows *width + 1);
    struct ax_tensor_json_input *input = AX_NEW(ctx->arena, struct ax_tensor_json_input);
    if (!cells || !input)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", rows);
    for (size_t i = 0; i < width; i++) {
        const struct ax_tensor *column = &request->inputs[i].tensor;
        const struct ax_signature_feature *feature = ax_map_find(signature->index, column->name);
        if (!feature || column->type == AX_TENSOR_BYTES || column->count != rows)
            return ax_fail(ctx, AX_INVALID, "`%.*s` is no column of numbers", AX_FMT(column->name));
        size_t at = (size_t)(feature - signature->features);
        for (size_t r = 0; r < rows; r++)
            cells[r * width + at] = ax_tensor_f32(column, r);
    }
    input->tensor = (struct ax_tensor){.name = graph->inputs[0].name,
                                       .type = AX_TENSOR_FP32,
                                       .dim_count = 2,
                                       .shape = {(int64_t)rows, (int64_t)width},
                                       .count = rows * width,
                                       .data = cells};
    request->inputs = input;
    request->input_count = 1;
    return AX_OK;
}

static ax_status
read_body(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
          const void **out_body, const struct ax_tensor_json_request **out_request)
{
    struct ax_tensor_json_request *request = AX_NEW(ctx->arena, struct ax_tensor_json_request);
    if (!request)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *out_body = *out_request = request;
    if (ax_str_eq_ignoring_case(media_type(call->request), AX_STR("text/csv")))
        AX_TRY(ax_row_json_csv(ctx, model, call->request->body, &options, request));
    else
        AX_TRY(read_json(ctx, call->request->body, model, request));
    return gather(ctx, model, request);
}

/* The number of the class of each row: of two classes by the probability of the second. */
static void
print_labels(const struct ax_tensor *scores, struct ax_json_writer *json)
{
    size_t rows = scores->dim_count ? (size_t)scores->shape[0] : 1;
    size_t width = rows ? scores->count / rows : 0;
    ax_json_begin_array(json);
    for (size_t r = 0; r < rows; r++) {
        size_t best = 0;
        for (size_t c = 1; c < width; c++)
            if (ax_tensor_f64(scores, r * width + c) > ax_tensor_f64(scores, r * width + best))
                best = c;
        if (width == 1)
            best = ax_tensor_f64(scores, r) > 0.5;
        ax_json_put_i64(json, (int64_t)best);
    }
    ax_json_end_array(json);
}

/*
 * What predict() of the library gives, where it was logged as one (signature.h). A graph that
 * stands for a scikit-learn model has labels first and probabilities last.
 */
static bool
print_answer(const struct ax_loaded_model *model, const struct ax_tensor *outputs,
             size_t output_count, struct ax_json_writer *json)
{
    bool label = answers(model, AX_STR("label"));
    if (output_count == 0 || (!label && !answers(model, AX_STR("probabilities"))))
        return false;
    if (ax_engine_graph(model->engine))
        ax_row_json_print(&outputs[label ? 0 : output_count - 1], json);
    else if (label && output_count == 1 && outputs[0].type != AX_TENSOR_BYTES)
        print_labels(&outputs[0], json);
    else
        return false;
    return true;
}

static ax_status
write_body(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
           const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    (void)body;
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "predictions");
    if (print_answer(model, outputs, output_count, json)) {
        /* as the library does */
    } else if (output_count == 1 && !answers(model, AX_STR("outputs"))) {
        ax_row_json_print(&outputs[0], json);
    } else {
        ax_json_begin_object(json);
        for (size_t i = 0; i < output_count; i++) {
            ax_json_key_str(json, outputs[i].name);
            ax_row_json_print(&outputs[i], json);
        }
        ax_json_end_object(json);
    }
    ax_json_end_object(json);
    return json->out->status == AX_OK ? AX_OK
                                      : ax_fail(ctx, json->out->status, "no room for the answer");
}

static const struct ax_inference_dialect dialect = {read_body, write_body, unknown};

/* ---- the calls ---- */

/* Only what can be read is taken; what it is must be said. */
static bool
type_known(const struct ax_http_request *request)
{
    ax_str type = media_type(request);
    return ax_str_eq_ignoring_case(type, AX_STR("application/json")) ||
           ax_str_eq_ignoring_case(type, AX_STR("text/csv"));
}

static ax_status
refuse_type(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str words = ax_str_printf(
        ctx->arena,
        "This predictor only supports the following content types: Types: ['text/csv', "
        "'application/json']. Got '%.*s'.",
        AX_FMT(media_type(call->request)));
    ax_exchange_set_status(call->exchange, 415);
    refuse(call, 415, words.at ? words : AX_STR("unknown content type"), AX_STR(""));
    return AX_OK;
}

static ax_status
serve(struct ax_call *call, struct ax_ctx *ctx, ax_str model)
{
    struct ax_inference_target *target = AX_NEW(ctx->arena, struct ax_inference_target);
    if (!type_known(call->request))
        return refuse_type(call, ctx);
    if (!target)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *target = (struct ax_inference_target){.model = model, .dialect = &dialect};
    return ax_inference_serve(call, ctx, target);
}

/* The model of the setting; without it the only one there is. */
static ax_status
invocations(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    ax_str model = call->services->default_model;
    if (model.len == 0 && plan && plan->model_count == 1)
        model = plan->models[0]->model;
    if (model.len == 0)
        return ax_fail(ctx, AX_NOT_FOUND,
                       "which model is meant is not known: %zu are served; set "
                       "scoring.default_model or use /models/NAME/invocations",
                       plan ? plan->model_count : 0);
    return serve(call, ctx, model);
}

static ax_status
invocations_of(struct ax_call *call, struct ax_ctx *ctx)
{
    return serve(call, ctx, call->parameters[0]);
}

/* What MLflow's servers say of themselves, those that track as those that score. */
static ax_status
plain_text(struct ax_call *call, ax_str text)
{
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/html; charset=utf-8"));
    ax_writer_bytes(ax_exchange_body(call->exchange), text);
    return AX_OK;
}

static ax_status
health(struct ax_call *call, struct ax_ctx *)
{
    return plain_text(call, AX_STR("OK"));
}

static ax_status
version(struct ax_call *call, struct ax_ctx *)
{
    return plain_text(call, AX_STR(AX_MLFLOW_VERSION));
}

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/health", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, health,
     "MLflow: whether the server runs"},
    {AX_HTTP_GET, "/version", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, version,
     "MLflow: the version of its API that is spoken"},
    {AX_HTTP_POST, "/invocations", AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_BYTES,
     AX_ROUTE_LARGE_BODY, invocations, "Scores rows with scoring.default_model (MLflow)"},
    {AX_HTTP_POST, "/models/{model}/invocations", AX_PERMISSION_PREDICT, AX_ROUTE_LOOP,
     AX_ROUTE_BYTES, AX_ROUTE_LARGE_BODY, invocations_of, "Scores rows with a model (MLflow)"},
};

const struct ax_route_table ax_mlflow_scoring_table = {
    routes, AX_COUNT_OF(routes), false, false, refuse, AX_DIALECT_MLFLOW, .checks_models = true};

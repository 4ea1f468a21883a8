/*
 * TensorFlow Serving's REST API, and KServe's first version that took its shape: predict, classify,
 * regress, explain, status, metadata.
 *
 * A path's last word holds the model, or the version, and the verb: "credit:predict". Where the
 * two protocols share a path, one answer carries the members of both.
 *
 * Source: open-inference-protocol.md section 9 (TensorFlow Serving's api_rest.md, KServe's v1
 * protocol).
 */
#include "api/inference.h"
#include "api/inference_rest.h"
#include "api/row_json.h"
#include "base/number.h"

enum verb { VERB_NONE, VERB_PREDICT, VERB_CLASSIFY, VERB_REGRESS, VERB_EXPLAIN };

static ax_status
unknown(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version)
{
    (void)any_version;
    if (version)
        return ax_fail(ctx, AX_NOT_FOUND, "Servable not found for request: Specific(%.*s, %lld)",
                       AX_FMT(model), (long long)version);
    return ax_fail(ctx, AX_NOT_FOUND, "Servable not found for request: Latest(%.*s)",
                   AX_FMT(model));
}

/* ---- bodies ---- */

/* How a request was written, which is how it is answered. */
struct body {
    struct ax_tensor_json_request request;
    struct ax_tensor_json_output outputs[1];
    bool by_column;
};

static ax_status
parse_object(struct ax_call *call, struct ax_ctx *ctx, const struct ax_json **out_json)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    AX_TRY(ax_json_parse(ctx, call->request->body, &limits, out_json));
    if (ax_json_kind(*out_json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "JSON Value: expected an object, got %s",
                       ax_json_kind_name(ax_json_kind(*out_json)));
    ax_str signature = AX_STR("");
    AX_TRY(ax_json_may_text(ctx, *out_json, "signature_name", &signature));
    if (signature.len && !ax_str_eq(signature, AX_STR("serving_default")))
        return ax_fail(ctx, AX_INVALID,
                       "Serving signature name: \"%.*s\" not found in signature "
                       "def",
                       AX_FMT(signature));
    return AX_OK;
}

static ax_status
new_body(struct ax_ctx *ctx, const void **out_body,
         const struct ax_tensor_json_request **out_request, struct body **out)
{
    struct body *body = AX_NEW(ctx->arena, struct body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *out_body = *out = body;
    *out_request = &body->request;
    return AX_OK;
}

static ax_status
read_predict(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
             const void **out_body, const struct ax_tensor_json_request **out_request)
{
    static const struct ax_row_json_options options = {};
    const struct ax_json *json;
    struct body *body;
    AX_TRY(new_body(ctx, out_body, out_request, &body));
    AX_TRY(parse_object(call, ctx, &json));
    const struct ax_json *instances = ax_json_find(json, "instances");
    const struct ax_json *inputs = ax_json_find(json, "inputs");
    if (!instances == !inputs)
        return ax_fail(ctx, AX_INVALID,
                       "Request needs either \"instances\" (rows) or \"inputs\" (columns), and not "
                       "both");
    body->by_column = inputs != NULL;
    if (inputs)
        return ax_row_json_columns(ctx, model, inputs, &options, &body->request);
    ax_status status = ax_row_json_rows(ctx, model, instances, &options, &body->request);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "instances");
}

/* The one output of all rows, or an object of several. */
static void
print_columns(struct ax_json_writer *json, const struct ax_tensor *outputs, size_t output_count)
{
    ax_json_key(json, "outputs");
    if (output_count == 1) {
        ax_row_json_print(&outputs[0], json);
        return;
    }
    ax_json_begin_object(json);
    for (size_t i = 0; i < output_count; i++) {
        ax_json_key_str(json, outputs[i].name);
        ax_row_json_print(&outputs[i], json);
    }
    ax_json_end_object(json);
}

static ax_status
print_rows(struct ax_ctx *ctx, struct ax_json_writer *json, const char *key,
           const struct ax_tensor *outputs, size_t output_count)
{
    size_t rows = output_count && outputs[0].dim_count ? (size_t)outputs[0].shape[0] : 0;
    for (size_t i = 0; i < output_count; i++)
        if (outputs[i].dim_count == 0 || (size_t)outputs[i].shape[0] != rows)
            return ax_fail(ctx, AX_INVALID,
                           "output '%.*s' does not have a value for each row; ask with \"inputs\"",
                           AX_FMT(outputs[i].name));
    ax_json_key(json, key);
    ax_json_begin_array(json);
    for (size_t r = 0; r < rows && json->out->status == AX_OK; r++) {
        if (output_count == 1) {
            ax_row_json_print_row(&outputs[0], r, json);
            continue;
        }
        ax_json_begin_object(json);
        for (size_t i = 0; i < output_count; i++) {
            ax_json_key_str(json, outputs[i].name);
            ax_row_json_print_row(&outputs[i], r, json);
        }
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
    return AX_OK;
}

static ax_status
end_answer(struct ax_ctx *ctx, struct ax_json_writer *json)
{
    ax_json_end_object(json);
    return json->out->status == AX_OK ? AX_OK
                                      : ax_fail(ctx, json->out->status, "no room for the answer");
}

static ax_status
write_predict(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    (void)model;
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    if (((const struct body *)body)->by_column)
        print_columns(json, outputs, output_count);
    else
        AX_TRY(print_rows(ctx, json, "predictions", outputs, output_count));
    return end_answer(ctx, json);
}

static const struct ax_inference_dialect predict = {read_predict, write_predict, unknown};

/* ---- classify and regress: examples by feature name ---- */

static ax_status
read_examples(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const void **out_body, const struct ax_tensor_json_request **out_request)
{
    static const struct ax_row_json_options options = {};
    const struct ax_json *json, *examples;
    struct body *body;
    AX_TRY(new_body(ctx, out_body, out_request, &body));
    AX_TRY(parse_object(call, ctx, &json));
    if (ax_json_count(ax_json_find(json, "context")) > 0)
        return ax_fail(ctx, AX_INVALID,
                       "\"context\": features that examples share are not taken; "
                       "write them into each example");
    AX_TRY(ax_json_need_array(ctx, json, "examples", &examples));
    ax_status status = ax_row_json_rows(ctx, model, examples, &options, &body->request);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "examples");
}

/* [label, score] of each class; of one probability those of "0" and "1". */
static void
print_classes(struct ax_json_writer *json, const struct ax_tensor *output, size_t row)
{
    size_t rows = (size_t)output->shape[0], width = rows ? output->count / rows : 0;
    char label[AX_NUMBER_BYTES_MAX];
    ax_json_begin_array(json);
    for (size_t k = 0; k < (width == 1 ? 2 : width); k++) {
        double value = ax_tensor_f64(output, row * width + (width == 1 ? 0 : k));
        ax_json_begin_array(json);
        ax_json_put_text(json, (ax_str){label, ax_format_u64(k, label)});
        ax_json_put_f64(json, width == 1 && k == 0 ? 1 - value : value);
        ax_json_end_array(json);
    }
    ax_json_end_array(json);
}

static ax_status
check_numbers(struct ax_ctx *ctx, const struct ax_tensor *outputs)
{
    if (outputs[0].type != AX_TENSOR_BYTES && outputs[0].dim_count > 0)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "output '%.*s' has no number for each example",
                   AX_FMT(outputs[0].name));
}

static ax_status
write_classes(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    (void)model;
    (void)body;
    const struct ax_tensor *scores = &outputs[output_count - 1]; /* of graphs: labels come first */
    AX_TRY(check_numbers(ctx, scores));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "results");
    ax_json_begin_array(json);
    for (size_t r = 0; r < (size_t)scores->shape[0]; r++)
        print_classes(json, scores, r);
    ax_json_end_array(json);
    return end_answer(ctx, json);
}

static ax_status
write_values(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
             const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    (void)model;
    (void)body;
    (void)output_count;
    AX_TRY(check_numbers(ctx, outputs));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "results");
    ax_row_json_print(&outputs[0], json);
    return end_answer(ctx, json);
}

static const struct ax_inference_dialect classify = {read_examples, write_classes, unknown};
static const struct ax_inference_dialect regress = {read_examples, write_values, unknown};

/* ---- explain: KServe's, with Shapley values ---- */

static ax_status
read_explain(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
             const void **out_body, const struct ax_tensor_json_request **out_request)
{
    AX_TRY(read_predict(call, ctx, model, out_body, out_request));
    /* The body is ours and not yet anybody's: it is told what to give. */
    struct body *body = AX_NEW(ctx->arena, struct body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *body = *(const struct body *)*out_body;
    body->outputs[0] = (struct ax_tensor_json_output){.name = AX_STR("contributions")};
    body->request.outputs = body->outputs;
    body->request.output_count = 1;
    *out_body = body;
    *out_request = &body->request;
    return AX_OK;
}

static ax_status
write_explain(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
              const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    (void)body;
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    AX_TRY(print_rows(ctx, json, "explanations", outputs, output_count));
    ax_json_key(json, "features");
    ax_json_begin_array(json);
    for (size_t i = 0; i < model->signature->feature_count; i++)
        ax_json_put_text(json, model->signature->names[i]);
    ax_json_put_text(json, AX_STR("bias"));
    ax_json_end_array(json);
    return end_answer(ctx, json);
}

static const struct ax_inference_dialect explain = {read_explain, write_explain, unknown};

/* ---- paths ---- */

/* "credit:predict": the word before the last colon, and the verb behind it. */
static enum verb
split_verb(ax_str word, ax_str *out_name)
{
    static const struct {
        ax_str name;
        enum verb verb;
    } verbs[] = {
        {{"predict", 7}, VERB_PREDICT},
        {{"classify", 8}, VERB_CLASSIFY},
        {{"regress", 7}, VERB_REGRESS},
        {{"explain", 7}, VERB_EXPLAIN},
    };
    size_t at = word.len;
    while (at > 0 && word.at[at - 1] != ':')
        at--;
    if (at == 0)
        return VERB_NONE;
    *out_name = (ax_str){word.at, at - 1};
    for (size_t i = 0; i < AX_COUNT_OF(verbs); i++)
        if (ax_str_eq_ignoring_case(ax_str_from(word, at), verbs[i].name))
            return verbs[i].verb;
    return VERB_NONE;
}

static ax_status
malformed(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_INVALID, "Malformed request: %.*s %.*s",
                   AX_FMT(call->request->method_text), AX_FMT(call->request->path));
}

static ax_status
serve_verb(struct ax_call *call, struct ax_ctx *ctx, enum verb verb, ax_str model, int64_t version)
{
    static const struct ax_inference_dialect *const dialects[] = {
        [VERB_PREDICT] = &predict,
        [VERB_CLASSIFY] = &classify,
        [VERB_REGRESS] = &regress,
        [VERB_EXPLAIN] = &explain,
    };
    struct ax_inference_target *target = AX_NEW(ctx->arena, struct ax_inference_target);
    if (verb == VERB_NONE)
        return malformed(call, ctx);
    if (!target)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *target = (struct ax_inference_target){model, version, dialects[verb]};
    return ax_inference_serve(call, ctx, target);
}

static ax_status
model_verb(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str model = AX_STR("");
    enum verb verb = split_verb(call->parameters[0], &model);
    return serve_verb(call, ctx, verb, model, 0);
}

static ax_status
version_verb(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str text = AX_STR("");
    int64_t version = 0;
    enum verb verb = split_verb(call->parameters[1], &text);
    if (verb != VERB_NONE && (!ax_parse_i64(text, &version) || version < 0))
        return malformed(call, ctx);
    return serve_verb(call, ctx, verb, call->parameters[0], version);
}

static ax_status
label_verb(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str label = AX_STR("");
    if (split_verb(call->parameters[1], &label) == VERB_NONE)
        return malformed(call, ctx);
    return ax_fail(ctx, AX_INVALID, "Unrecognized servable version label: %.*s", AX_FMT(label));
}

static ax_status
label_status(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_INVALID, "Unrecognized servable version label: %.*s",
                   AX_FMT(call->parameters[1]));
}

/* ---- status ---- */

static ax_status
find(struct ax_call *call, struct ax_ctx *ctx, struct ax_loaded_model **out_model)
{
    struct ax_inference_target target = {.model = call->parameters[0], .dialect = &predict};
    if (call->parameters[1].len)
        AX_TRY(ax_call_number(call, ctx, 1, &target.version));
    return ax_inference_find(ctx, call->lane, &target, out_model);
}

static void
show_version(struct ax_json_writer *json, const struct ax_loaded_model *model)
{
    char version[AX_NUMBER_BYTES_MAX];
    ax_json_begin_object(json);
    ax_json_member_text(json, "version", (ax_str){version, ax_format_i64(model->version, version)});
    ax_json_member_text(json, "state", AX_STR("AVAILABLE"));
    ax_json_key(json, "status");
    ax_json_begin_object(json);
    ax_json_member_text(json, "error_code", AX_STR("OK"));
    ax_json_member_text(json, "error_message", AX_STR(""));
    ax_json_end_object(json);
    ax_json_end_object(json);
}

/* Both protocols' answers in one: TensorFlow Serving's versions, KServe's name and ready. */
static ax_status
model_status(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    AX_TRY(find(call, ctx, &model));
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "model_version_status");
    ax_json_begin_array(json);
    for (size_t i = 0; i < plan->model_count; i++)
        if (call->parameters[1].len ? plan->models[i] == model
                                    : ax_str_eq(plan->models[i]->model, model->model))
            show_version(json, plan->models[i]);
    ax_json_end_array(json);
    ax_json_member_text(json, "name", model->model);
    ax_json_member_bool(json, "ready", true);
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- metadata ---- */

/* TensorFlow's name of a type; it has none for none of ours. */
static ax_str
dtype_name(enum ax_tensor_type type)
{
    static const char *const names[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = "DT_BOOL",     [AX_TENSOR_UINT8] = "DT_UINT8",
        [AX_TENSOR_UINT16] = "DT_UINT16", [AX_TENSOR_UINT32] = "DT_UINT32",
        [AX_TENSOR_UINT64] = "DT_UINT64", [AX_TENSOR_INT8] = "DT_INT8",
        [AX_TENSOR_INT16] = "DT_INT16",   [AX_TENSOR_INT32] = "DT_INT32",
        [AX_TENSOR_INT64] = "DT_INT64",   [AX_TENSOR_FP16] = "DT_HALF",
        [AX_TENSOR_BF16] = "DT_BFLOAT16", [AX_TENSOR_FP32] = "DT_FLOAT",
        [AX_TENSOR_FP64] = "DT_DOUBLE",   [AX_TENSOR_BYTES] = "DT_STRING",
    };
    return ax_str_of(names[type]);
}

static void
show_dimension(struct ax_json_writer *json, int64_t size)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_json_begin_object(json);
    ax_json_member_text(json, "size", (ax_str){text, ax_format_i64(size, text)});
    ax_json_member_text(json, "name", AX_STR(""));
    ax_json_end_object(json);
}

static void
show_ports(struct ax_json_writer *json, const char *key, const struct ax_engine_port *ports,
           size_t count)
{
    ax_json_key(json, key);
    ax_json_begin_object(json);
    for (size_t i = 0; i < count; i++) {
        ax_json_key_str(json, ports[i].name);
        ax_json_begin_object(json);
        ax_json_member_text(json, "dtype", dtype_name(ports[i].type));
        ax_json_key(json, "tensor_shape");
        ax_json_begin_object(json);
        ax_json_key(json, "dim");
        ax_json_begin_array(json);
        for (size_t d = 0; d < ports[i].dim_count; d++)
            show_dimension(json, ports[i].shape[d]);
        ax_json_end_array(json);
        ax_json_member_bool(json, "unknown_rank", false);
        ax_json_end_object(json);
        ax_json_member_text(json, "name", ports[i].name);
        ax_json_end_object(json);
    }
    ax_json_end_object(json);
}

static void
show_spec(struct ax_json_writer *json, const struct ax_loaded_model *model)
{
    char version[AX_NUMBER_BYTES_MAX];
    ax_json_key(json, "model_spec");
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", model->model);
    ax_json_member_text(json, "signature_name", AX_STR(""));
    ax_json_member_text(json, "version", (ax_str){version, ax_format_i64(model->version, version)});
    ax_json_end_object(json);
}

static ax_status
metadata(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    struct ax_engine_graph ports;
    AX_TRY(find(call, ctx, &model));
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    show_spec(json, model);
    ax_json_key(json, "metadata");
    ax_json_begin_object(json);
    ax_json_key(json, "signature_def");
    ax_json_begin_object(json);
    ax_json_key(json, "signature_def");
    ax_json_begin_object(json);
    ax_json_key(json, "serving_default");
    ax_json_begin_object(json);
    show_ports(json, "inputs", ports.inputs, ports.input_count);
    show_ports(json, "outputs", ports.outputs, ports.output_count);
    ax_json_member_text(json, "method_name", AX_STR("tensorflow/serving/predict"));
    for (int depth = 0; depth < 5; depth++)
        ax_json_end_object(json);
    return AX_OK;
}

/* ---- the table ---- */

#define READ(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, fn, summary  \
    }
#define SCORE(path, fn, summary)                                                                   \
    {                                                                                              \
        AX_HTTP_POST, path, AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_BYTES,                  \
            AX_ROUTE_LARGE_BODY, fn, summary                                                       \
    }

static const struct ax_route routes[] = {
    READ("/v1/models", ax_inference_list_models, "Models served (KServe v1)"),
    READ("/v1/models/{model}", model_status, "Versions and readiness of a model"),
    READ("/v1/models/{model}/versions/{version}", model_status, "Status of a version"),
    READ("/v1/models/{model}/labels/{label}", label_status, "Refused: there are no labels"),
    READ("/v1/models/{model}/metadata", metadata, "A model's signature, as TensorFlow says it"),
    READ("/v1/models/{model}/versions/{version}/metadata", metadata, "A version's signature"),
    SCORE("/v1/models/{model}", model_verb, "model:predict, :classify, :regress, :explain"),
    SCORE("/v1/models/{model}/versions/{version}", version_verb, "version:predict and others"),
    SCORE("/v1/models/{model}/labels/{label}", label_verb, "Refused: there are no labels"),
};

const struct ax_route_table ax_tfserving_table = {routes,
                                                  AX_COUNT_OF(routes),
                                                  false,
                                                  false,
                                                  ax_problem_refuse_plain,
                                                  AX_DIALECT_TFSERVING,
                                                  .checks_models = true};

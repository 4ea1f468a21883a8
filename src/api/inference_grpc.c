/*
 * inference.GRPCInferenceService: the Open Inference Protocol over gRPC, with Triton's extensions.
 *
 * Source: open-inference-protocol.md section 4 (field numbers), kserve/open-inference-protocol,
 * triton-inference-server/common protobuf.
 */
#include "api/inference.h"
#include "api/inference_classify.h"
#include "api/inference_grpc_wire.h"
#include "api/inference_rest.h"
#include "api/inference_settings.h"
#include "api/limits.h"
#include "api/rpc.h"
#include "base/number.h"
#include "codec/protobuf.h"
#include "sys/clock.h"
#include "sys/log.h"

enum { MESSAGE_BYTES_MAX = AX_ROUTE_LARGE_BODY, STREAM_BYTES_MAX = 256 << 20 };

/* ---- small messages ---- */

/* Text fields of a message, by number; those that are not there are "". */
static ax_status
read_texts(struct ax_ctx *ctx, struct ax_call *call, size_t count, ax_str *out)
{
    struct ax_protobuf field = ax_protobuf_of(ax_grpc_message(call->grpc));
    for (size_t i = 0; i < count; i++)
        out[i] = AX_STR("");
    while (ax_protobuf_next(&field))
        if (field.wire == AX_PROTOBUF_BYTES && field.field <= count)
            out[field.field - 1] = field.bytes;
    return ax_protobuf_check(&field, ctx, "request");
}

static void
put_text(struct ax_writer *out, uint32_t field, ax_str text)
{
    if (text.len)
        ax_protobuf_put_bytes(out, field, text);
}

static void
put_number(struct ax_writer *out, uint32_t field, int64_t number)
{
    if (number)
        ax_protobuf_put_varint(out, field, (uint64_t)number);
}

static void
put_version(struct ax_writer *out, uint32_t field, int64_t version)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_protobuf_put_bytes(out, field, (ax_str){text, ax_format_i64(version, text)});
}

/* ---- which model ---- */

static ax_status
read_version(struct ax_ctx *ctx, ax_str text, int64_t *out_version)
{
    *out_version = 0;
    if (text.len == 0 || (ax_parse_i64(text, out_version) && *out_version > 0))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "failed to get model version from specified version string '%.*s' (details: "
                   "stol), version should be an integral value > 0",
                   (int)(text.len > 40 ? 40 : text.len), text.at);
}

static ax_status no_read(struct ax_call *, struct ax_ctx *ctx, const struct ax_loaded_model *,
                         const void **, const struct ax_tensor_json_request **);
static ax_status infer_write(struct ax_call *, struct ax_ctx *, const struct ax_loaded_model *,
                             const void *, const struct ax_tensor *, size_t);

static const struct ax_inference_dialect dialects[] = {
    [AX_COMPAT_KSERVE] = {no_read, infer_write, ax_inference_unknown},
    [AX_COMPAT_TRITON] = {no_read, infer_write, ax_inference_unknown_triton},
};

static const struct ax_inference_dialect *
dialect_of(const struct ax_call *call)
{
    return &dialects[call->services->compat];
}

static ax_status
find(struct ax_call *call, struct ax_ctx *ctx, ax_str name, ax_str version,
     struct ax_loaded_model **out_model)
{
    struct ax_inference_target target = {.model = name, .dialect = dialect_of(call)};
    AX_TRY(read_version(ctx, version, &target.version));
    return ax_inference_find(ctx, call->lane, &target, out_model);
}

/* Fields 1 and 2 of many requests: the model and its version. */
static ax_status
find_named(struct ax_call *call, struct ax_ctx *ctx, struct ax_loaded_model **out_model)
{
    ax_str texts[2];
    AX_TRY(read_texts(ctx, call, 2, texts));
    return find(call, ctx, texts[0], texts[1], out_model);
}

/* ---- health and metadata ---- */

static ax_status
server_live(struct ax_grpc_call *grpc, struct ax_ctx *)
{
    ax_protobuf_put_varint(ax_grpc_reply(grpc), 1, 1);
    return AX_OK;
}

static ax_status
server_ready(struct ax_grpc_call *grpc, struct ax_ctx *)
{
    const struct ax_api_host *host = &ax_rpc_call(grpc)->services->host;
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    struct ax_writer *out = ax_grpc_reply(grpc);
    put_number(out, 1, host->ready(host->arg, &said));
    return AX_OK;
}

static ax_status
model_ready(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    struct ax_call *call = ax_rpc_call(grpc);
    struct ax_inference_target target = {.dialect = &dialects[AX_COMPAT_KSERVE]};
    ax_str texts[2];
    AX_TRY(read_texts(ctx, call, 2, texts));
    AX_TRY(read_version(ctx, texts[1], &target.version));
    target.model = texts[0];
    ax_status status = ax_inference_find(ctx, call->lane, &target, &model);
    if (status != AX_OK && status != AX_NOT_FOUND)
        return status;
    put_number(ax_grpc_reply(grpc), 1, status == AX_OK);
    return AX_OK;
}

static ax_status
server_metadata(struct ax_grpc_call *grpc, struct ax_ctx *)
{
    struct ax_writer *out = ax_grpc_reply(grpc);
    ax_protobuf_put_bytes(out, 1, ax_rpc_call(grpc)->services->server_name);
    ax_protobuf_put_bytes(out, 2, AX_STR(AX_VERSION));
    for (size_t i = 0; i < ax_inference_extension_count; i++)
        ax_protobuf_put_bytes(out, 3, ax_str_of(ax_inference_extensions[i]));
    return AX_OK;
}

static void
put_ports(struct ax_writer *out, uint32_t field, const struct ax_engine_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t begun = ax_protobuf_begin(out, field);
        ax_protobuf_put_bytes(out, 1, ports[i].name);
        ax_protobuf_put_bytes(out, 2, ax_str_of(ax_tensor_type_name(ports[i].type)));
        for (size_t d = 0; d < ports[i].dim_count; d++)
            ax_protobuf_put_varint(out, 3, (uint64_t)ports[i].shape[d]);
        ax_protobuf_end(out, begun);
    }
}

static ax_status
model_metadata(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    struct ax_loaded_model *model;
    struct ax_engine_graph ports;
    AX_TRY(find_named(call, ctx, &model));
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_writer *out = ax_grpc_reply(grpc);
    ax_protobuf_put_bytes(out, 1, model->model);
    for (size_t i = 0; i < plan->model_count; i++)
        if (ax_str_eq(plan->models[i]->model, model->model))
            put_version(out, 2, plan->models[i]->version);
    ax_protobuf_put_bytes(out, 3, ax_engine_signature(model->engine)->format);
    put_ports(out, 4, ports.inputs, ports.input_count);
    put_ports(out, 5, ports.outputs, ports.output_count);
    return AX_OK;
}

/* ---- configuration ---- */

/* Triton's DataType of a type. */
static uint64_t
data_type(enum ax_tensor_type type)
{
    static const uint8_t numbers[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = 1,   [AX_TENSOR_UINT8] = 2,  [AX_TENSOR_UINT16] = 3,
        [AX_TENSOR_UINT32] = 4, [AX_TENSOR_UINT64] = 5, [AX_TENSOR_INT8] = 6,
        [AX_TENSOR_INT16] = 7,  [AX_TENSOR_INT32] = 8,  [AX_TENSOR_INT64] = 9,
        [AX_TENSOR_FP16] = 10,  [AX_TENSOR_FP32] = 11,  [AX_TENSOR_FP64] = 12,
        [AX_TENSOR_BYTES] = 13, [AX_TENSOR_BF16] = 14};
    return numbers[type];
}

static void
put_config_ports(struct ax_writer *out, uint32_t field, uint32_t dims,
                 const struct ax_engine_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t begun = ax_protobuf_begin(out, field);
        ax_protobuf_put_bytes(out, 1, ports[i].name);
        ax_protobuf_put_varint(out, 2, data_type(ports[i].type));
        if (ports[i].dim_count == 1)
            ax_protobuf_put_varint(out, dims, 1); /* a column: one value a row */
        for (size_t d = 1; d < ports[i].dim_count; d++)
            ax_protobuf_put_varint(out, dims, (uint64_t)ports[i].shape[d]);
        ax_protobuf_end(out, begun);
    }
}

static ax_status
model_config(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    struct ax_engine_graph ports;
    AX_TRY(find_named(ax_rpc_call(grpc), ctx, &model));
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    struct ax_writer *out = ax_grpc_reply(grpc);
    size_t config = ax_protobuf_begin(out, 1);
    ax_protobuf_put_bytes(out, 1, model->model);
    ax_protobuf_put_bytes(out, 2, ax_engine_signature(model->engine)->format);
    put_number(out, 4, ax_inference_batched(&ports) ? AX_INFERENCE_ROWS_MAX : 0);
    put_config_ports(out, 5, 4, ports.inputs, ports.input_count);   /* dims: 4 of ModelInput */
    put_config_ports(out, 6, 3, ports.outputs, ports.output_count); /* and 3 of ModelOutput */
    ax_protobuf_put_bytes(out, 17, AX_STR("axiom"));
    ax_protobuf_end(out, config);
    return AX_OK;
}

/* ---- statistics ---- */

static void
put_duration(struct ax_writer *out, uint32_t field, int64_t count, int64_t ns)
{
    size_t begun = ax_protobuf_begin(out, field);
    put_number(out, 1, count);
    put_number(out, 2, ns);
    ax_protobuf_end(out, begun);
}

static void
put_stats(struct ax_writer *out, const struct ax_loaded_model *model,
          const struct ax_model_stats *stats)
{
    int64_t answered = ax_metric_count(stats->success), runs = ax_metric_count(stats->runs);
    size_t begun = ax_protobuf_begin(out, 1);
    ax_protobuf_put_bytes(out, 1, model->model);
    put_version(out, 2, model->version);
    put_number(out, 3, (int64_t)ax_metric_value(stats->last_ms));
    put_number(out, 4, ax_metric_count(stats->rows));
    put_number(out, 5, runs);
    size_t times = ax_protobuf_begin(out, 6);
    put_duration(out, 1, answered, ax_metric_count(stats->request_ns));
    put_duration(out, 2, ax_model_stats_failures(stats), ax_metric_count(stats->failure_ns));
    put_duration(out, 3, answered, ax_metric_count(stats->queue_ns));
    put_duration(out, 4, runs, ax_metric_count(stats->input_ns));
    put_duration(out, 5, runs, ax_metric_count(stats->infer_ns));
    put_duration(out, 6, runs, ax_metric_count(stats->output_ns));
    put_duration(out, 7, 0, 0);
    put_duration(out, 8, 0, 0);
    ax_protobuf_end(out, times);
    size_t memory = ax_protobuf_begin(out, 8);
    ax_protobuf_put_bytes(out, 1, AX_STR("CPU"));
    put_number(out, 3, (int64_t)ax_model_memory_bytes(model));
    ax_protobuf_end(out, memory);
    ax_protobuf_end(out, begun);
}

static ax_status
model_statistics(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    struct ax_loaded_model *one = NULL;
    ax_str texts[2];
    AX_TRY(read_texts(ctx, call, 2, texts));
    if (texts[0].len)
        AX_TRY(find(call, ctx, texts[0], texts[1], &one));
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_writer *out = ax_grpc_reply(grpc);
    for (size_t i = 0; plan && i < plan->model_count; i++) {
        if ((one && plan->models[i] != one) ||
            !ax_policy_may_model(&call->actor, plan->models[i]->model, AX_GRANT_READ))
            continue;
        const struct ax_model_stats stats = ax_lane_model_stats(call->lane, plan->models[i]);
        put_stats(out, plan->models[i], &stats);
    }
    return AX_OK;
}

/* ---- repository ---- */

static ax_status
repository_index(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    ax_str texts[1];
    AX_TRY(read_texts(ctx, call, 1, texts));
    if (texts[0].len)
        return ax_fail(ctx, AX_UNSUPPORTED, "'repository_name' specification is not supported");
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_writer *out = ax_grpc_reply(grpc);
    for (size_t i = 0; plan && i < plan->model_count; i++) {
        if (!ax_policy_may_model(&call->actor, plan->models[i]->model, AX_GRANT_READ))
            continue;
        size_t begun = ax_protobuf_begin(out, 1);
        ax_protobuf_put_bytes(out, 1, plan->models[i]->model);
        put_version(out, 2, plan->models[i]->version);
        ax_protobuf_put_bytes(out, 3, AX_STR("READY"));
        ax_protobuf_end(out, begun);
    }
    return AX_OK;
}

/* Triton's requests have the model in field 2, KServe's in field 1. */
static ax_status
repository_model(struct ax_call *call, struct ax_ctx *ctx, ax_str *out_model)
{
    ax_str texts[2];
    AX_TRY(read_texts(ctx, call, 2, texts));
    if (texts[0].len && texts[1].len)
        return ax_fail(ctx, AX_UNSUPPORTED, "'repository_name' specification is not supported");
    *out_model = texts[1].len ? texts[1] : texts[0];
    return AX_OK;
}

/* KServe's answer: the name and whether; Triton's clients skip what they do not know. */
static void
tell_done(struct ax_call *call, ax_str model)
{
    struct ax_writer *out = ax_grpc_reply(call->grpc);
    put_text(out, 1, model);
    ax_protobuf_put_varint(out, 2, 1);
}

static ax_status
load(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_str model;
    AX_TRY(repository_model(call, ctx, &model));
    AX_TRY(host->load(host->arg, ctx, model));
    tell_done(call, model);
    return AX_OK;
}

static ax_status
unload(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_str model;
    AX_TRY(repository_model(call, ctx, &model));
    ax_status status = host->unload(host->arg, ctx, model);
    if (status != AX_OK && status != AX_NOT_FOUND) /* as Triton: gone is gone */
        return status;
    tell_done(call, model);
    return AX_OK;
}

static ax_status
repository_load(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    return ax_rpc_run_on_worker(grpc, ctx, load);
}

static ax_status
repository_unload(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    return ax_rpc_run_on_worker(grpc, ctx, unload);
}

/* ---- logging ---- */

static void
put_setting(struct ax_writer *out, const char *name, uint32_t kind, uint64_t number)
{
    size_t entry = ax_protobuf_begin(out, 1);
    ax_protobuf_put_bytes(out, 1, ax_str_of(name));
    size_t value = ax_protobuf_begin(out, 2);
    ax_protobuf_put_varint(out, kind, number);
    ax_protobuf_end(out, value);
    ax_protobuf_end(out, entry);
}

/* An entry of a map of settings: its name and its SettingValue. */
static ax_status
read_entry(struct ax_ctx *ctx, ax_str entry, ax_str *out_name, ax_str *out_value)
{
    struct ax_protobuf field = ax_protobuf_of(entry);
    *out_name = *out_value = AX_STR("");
    while (ax_protobuf_next(&field)) {
        if (ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES))
            *out_name = field.bytes;
        if (ax_protobuf_is(&field, 2, AX_PROTOBUF_BYTES))
            *out_value = field.bytes;
    }
    return ax_protobuf_check(&field, ctx, "settings");
}

static ax_status
take_log_setting(struct ax_ctx *ctx, ax_str entry, struct ax_inference_log_change *change)
{
    struct ax_inference_setting setting = {.kind = AX_SETTING_IS_TEXT, .text = AX_STR("")};
    ax_str value;
    AX_TRY(read_entry(ctx, entry, &setting.name, &value));
    struct ax_protobuf field = ax_protobuf_of(value);
    while (ax_protobuf_next(&field)) {
        if (ax_protobuf_is(&field, 1, AX_PROTOBUF_VARINT)) {
            setting.kind = AX_SETTING_IS_BOOL;
            setting.on = field.number != 0;
        } else if (ax_protobuf_is(&field, 2, AX_PROTOBUF_VARINT)) {
            setting.kind = AX_SETTING_IS_NUMBER;
            setting.number = field.number;
        } else if (ax_protobuf_is(&field, 3, AX_PROTOBUF_BYTES)) {
            setting.kind = AX_SETTING_IS_TEXT;
            setting.text = field.bytes;
        }
    }
    AX_TRY(ax_protobuf_check(&field, ctx, "settings"));
    return ax_inference_log_take(ctx, &setting, change);
}

static ax_status
log_settings(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_inference_log_change change = {};
    struct ax_protobuf field = ax_protobuf_of(ax_grpc_message(grpc));
    while (ax_protobuf_next(&field))
        if (ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES))
            AX_TRY(take_log_setting(ctx, field.bytes, &change));
    AX_TRY(ax_protobuf_check(&field, ctx, "request"));
    ax_inference_log_apply(&change);
    unsigned levels = ax_log_levels();
    struct ax_writer *out = ax_grpc_reply(grpc);
    put_setting(out, "log_info", 1, levels >> AX_LOG_INFO & 1);
    put_setting(out, "log_warning", 1, levels >> AX_LOG_WARN & 1);
    put_setting(out, "log_error", 1, levels >> AX_LOG_ERROR & 1);
    put_setting(out, "log_verbose_level", 2, levels >> AX_LOG_DEBUG & 1);
    return AX_OK;
}

/* ---- traces ---- */

static ax_status
take_trace_setting(struct ax_ctx *ctx, ax_str entry, struct ax_tracer_change *change)
{
    enum { VALUES_MAX = 8 };
    ax_str name, value, values[VALUES_MAX];
    size_t count = 0;
    AX_TRY(read_entry(ctx, entry, &name, &value));
    struct ax_protobuf field = ax_protobuf_of(value);
    while (ax_protobuf_next(&field)) {
        if (!ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES))
            continue;
        if (count == VALUES_MAX)
            return ax_fail(ctx, AX_INVALID, "'%.*s' has too many values", AX_FMT(name));
        values[count++] = field.bytes;
    }
    AX_TRY(ax_protobuf_check(&field, ctx, "settings"));
    return ax_inference_trace_take(ctx, name, values, count, change);
}

static void
put_trace_setting(void *arg, const char *name, ax_str value)
{
    struct ax_writer *out = arg;
    size_t entry = ax_protobuf_begin(out, 1);
    ax_protobuf_put_bytes(out, 1, ax_str_of(name));
    size_t begun = ax_protobuf_begin(out, 2);
    ax_protobuf_put_bytes(out, 1, value);
    ax_protobuf_end(out, begun);
    ax_protobuf_end(out, entry);
}

static ax_status
trace_setting(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    struct ax_tracer *tracer = call->services->tracer;
    struct ax_tracer_change change = {.model = AX_STR("")};
    struct ax_loaded_model *model;
    struct ax_protobuf field = ax_protobuf_of(ax_grpc_message(grpc));
    while (ax_protobuf_next(&field)) {
        if (ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES))
            AX_TRY(take_trace_setting(ctx, field.bytes, &change));
        if (ax_protobuf_is(&field, 2, AX_PROTOBUF_BYTES))
            change.model = field.bytes;
    }
    AX_TRY(ax_protobuf_check(&field, ctx, "request"));
    if (change.model.len) {
        AX_TRY(find(call, ctx, change.model, AX_STR(""), &model));
        change.model = model->model;
    }
    AX_TRY(ax_inference_trace_apply(ctx, tracer, &change));
    ax_inference_trace_each(tracer, change.model, put_trace_setting, ax_grpc_reply(grpc));
    return AX_OK;
}

static ax_status
not_here(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "%s is not supported: tensors travel in the message",
                   ax_grpc_method(grpc)->name);
}

/* ---- infer ---- */

/* A request read, and what it is for. */
struct body {
    struct ax_inference_message message;
    struct ax_inference_target target;
};

static ax_status
read_body(struct ax_call *call, struct ax_ctx *ctx, struct body **out_body)
{
    struct body *body = AX_NEW(ctx->arena, struct body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    AX_TRY(ax_inference_message_read(ctx, ax_grpc_message(call->grpc), &body->message));
    body->target =
        (struct ax_inference_target){.model = body->message.model, .dialect = dialect_of(call)};
    AX_TRY(read_version(ctx, body->message.version, &body->target.version));
    *out_body = body;
    return AX_OK;
}

/* The message was read before the model was known: its target lies beside it. */
static ax_status
no_read(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
        const void **out_body, const struct ax_tensor_json_request **out_request)
{
    (void)ctx;
    (void)model;
    const struct body *body = call->body_read;
    *out_body = body;
    *out_request = &body->message.request;
    return AX_OK;
}

static ax_status
classify(struct ax_ctx *ctx, const struct ax_tensor_json_request *request,
         const struct ax_tensor *outputs, size_t output_count, struct ax_tensor *out_given)
{
    for (size_t i = 0; i < output_count; i++) {
        uint64_t classes = request->output_count ? request->outputs[i].classification : 0;
        out_given[i] = outputs[i];
        if (classes > 0)
            AX_TRY(ax_inference_classify(ctx, &outputs[i], classes, &out_given[i]));
    }
    return AX_OK;
}

static ax_status
infer_write(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
            const void *read, const struct ax_tensor *outputs, size_t output_count)
{
    const struct body *body = read;
    struct ax_tensor *given = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, output_count + 1);
    char version[AX_NUMBER_BYTES_MAX];
    if (!given)
        return ax_fail(ctx, AX_LIMIT, "no memory for outputs");
    AX_TRY(classify(ctx, &body->message.request, outputs, output_count, given));
    const struct ax_inference_reply reply = {
        .model = model->model,
        .version = {version, ax_format_i64(model->version, version)},
        .id = body->message.request.id,
        .outputs = given,
        .output_count = output_count,
    };
    struct ax_writer *out = ax_grpc_reply(call->grpc);
    size_t begun = call->streamed ? ax_protobuf_begin(out, 2) : 0; /* infer_response */
    ax_inference_message_write(&reply, out);
    if (call->streamed)
        ax_protobuf_end(out, begun);
    return out->status == AX_OK ? AX_OK : ax_fail(ctx, out->status, "no room for the answer");
}

static ax_status
infer(struct ax_call *call, struct ax_ctx *ctx)
{
    struct body *body;
    AX_TRY(read_body(call, ctx, &body));
    call->body_read = body;
    return ax_inference_serve(call, ctx, &body->target);
}

static ax_status
model_infer(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    return ax_rpc_run(grpc, ctx, infer);
}

/* ---- infer, streamed ---- */

/* Memory of one message of a stream, emptied for the next. */
struct ax_streamed {
    struct ax_arena *room;
    struct ax_arena *outer; /* the exchange's */
    size_t begun;           /* of the message out: where this message's answer begins */
    int64_t deadline_ns;    /* the stream's own */
    bool counted;           /* the call itself was the first message's request */
};

static void
streamed_free(void *arg)
{
    struct ax_streamed *streamed = arg;
    if (streamed->room)
        ax_arena_free(streamed->room);
}

/* What one message's request lacked is said in the stream, which goes on. */
static void
end_streamed(struct ax_call *call, ax_status status)
{
    struct ax_ctx *ctx = ax_grpc_ctx(call->grpc);
    const struct body *body = call->body_read;
    if (status != AX_OK) {
        struct ax_writer *out = ax_grpc_reply(call->grpc);
        out->len = call->streamed->begun; /* what was written of an answer is forgotten */
        out->status = AX_OK;
        ax_protobuf_put_bytes(out, 1, ax_str_of(ctx->error));
        size_t begun = ax_protobuf_begin(out, 2);
        if (body)
            put_text(out, 3, body->message.request.id);
        ax_protobuf_end(out, begun);
    }
    ax_observe_message_end(
        call, ax_str_from(ax_writer_str(ax_grpc_reply(call->grpc)), call->streamed->begun));
    ctx->arena = call->streamed->outer;
    call->body_read = NULL;
    ax_grpc_end(call->grpc, AX_OK);
}

static ax_status
stream_begin(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_streamed *streamed = AX_NEW(ctx->arena, struct ax_streamed);
    if (!streamed || !ax_arena_defer(ctx->arena, streamed_free, streamed))
        return ax_fail(ctx, AX_LIMIT, "no memory for a stream");
    streamed->outer = ctx->arena;
    streamed->deadline_ns = ctx->deadline_ns;
    streamed->room = ax_arena_new(STREAM_BYTES_MAX);
    if (!streamed->room)
        return ax_fail(ctx, AX_LIMIT, "no memory for a stream");
    call->streamed = streamed;
    call->end = end_streamed;
    return AX_OK;
}

/* Each message is a request of its own: it may be one too many. */
static ax_status
infer_streamed(struct ax_call *call, struct ax_ctx *ctx)
{
    bool counted = call->streamed->counted;
    call->streamed->counted = true;
    if (counted)
        AX_TRY(ax_limits_admit(call, ctx, call->services->governed));
    return infer(call, ctx);
}

static ax_status
model_stream_infer(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    if (ax_grpc_half_closed(grpc))
        return AX_OK;
    if (!call->streamed)
        AX_TRY(stream_begin(call, ctx));
    ax_observe_message(call);
    ax_arena_reset(call->streamed->room);
    call->streamed->begun = ax_grpc_reply(grpc)->len;
    ctx->arena = call->streamed->room;
    ctx->deadline_ns = call->streamed->deadline_ns;
    call->began_ns = ax_clock_monotonic_ns();
    return ax_rpc_run(grpc, ctx, infer_streamed);
}

/* ---- the table ---- */

#define UNARY(name, fn, rule, summary)                                                             \
    {                                                                                              \
        name, AX_GRPC_UNARY, 0, fn, summary, rule                                                  \
    }

static const struct ax_grpc_method methods[] = {
    UNARY("ServerLive", server_live, &ax_rpc_public, "Whether it runs"),
    UNARY("ServerReady", server_ready, &ax_rpc_public, "Whether it answers"),
    UNARY("ModelReady", model_ready, &ax_rpc_predict, "Whether a model answers"),
    UNARY("ServerMetadata", server_metadata, &ax_rpc_public, "What this server is"),
    UNARY("ModelMetadata", model_metadata, &ax_rpc_predict, "A model's inputs and outputs"),
    {"ModelInfer", AX_GRPC_UNARY, MESSAGE_BYTES_MAX, model_infer, "Scores rows", &ax_rpc_predict},
    {"ModelStreamInfer", AX_GRPC_STREAM, MESSAGE_BYTES_MAX, model_stream_infer,
     "Scores rows, message by message", &ax_rpc_predict},
    UNARY("ModelConfig", model_config, &ax_rpc_predict, "A model's configuration"),
    UNARY("ModelStatistics", model_statistics, &ax_rpc_predict, "Requests, rows and times"),
    UNARY("RepositoryIndex", repository_index, &ax_rpc_predict, "Models that are there"),
    UNARY("RepositoryModelLoad", repository_load, &ax_rpc_operate, "Loads a model file again"),
    UNARY("RepositoryModelUnload", repository_unload, &ax_rpc_operate, "Serves a model no more"),
    UNARY("LogSettings", log_settings, &ax_rpc_operate, "What is logged"),
    UNARY("TraceSetting", trace_setting, &ax_rpc_operate, "What is traced"),
    UNARY("SystemSharedMemoryStatus", not_here, &ax_rpc_predict, "Not supported"),
    UNARY("SystemSharedMemoryRegister", not_here, &ax_rpc_predict, "Not supported"),
    UNARY("SystemSharedMemoryUnregister", not_here, &ax_rpc_predict, "Not supported"),
    UNARY("CudaSharedMemoryStatus", not_here, &ax_rpc_predict, "Not supported"),
    UNARY("CudaSharedMemoryRegister", not_here, &ax_rpc_predict, "Not supported"),
    UNARY("CudaSharedMemoryUnregister", not_here, &ax_rpc_predict, "Not supported"),
};

const struct ax_grpc_service ax_inference_grpc_service = {"inference.GRPCInferenceService", methods,
                                                          AX_COUNT_OF(methods)};

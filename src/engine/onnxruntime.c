#include "engine/onnxruntime.h"

#ifndef AX_ONNXRUNTIME

ax_status
ax_onnxruntime_open(struct ax_ctx *ctx, struct ax_arena *, ax_str, struct ax_engine **)
{
    return ax_fail(
        ctx, AX_UNSUPPORTED,
        "ONNX Runtime would run it, and this program was built without: run `tools/setup "
        "onnxruntime`, then build again");
}

#else

#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <stdlib.h>

#include "base/number.h"
#include "engine/onnx_file.h"

enum { PORTS_MAX = 4'096, NAME_BYTES_MAX = 4'096 };

struct runtime_engine {
    struct ax_engine engine;
    struct ax_engine_graph ports;
    const char **input_names, **output_names;
    const OrtApi *api;
    OrtEnv *env;
    OrtSessionOptions *options;
    OrtSession *session;
    OrtMemoryInfo *memory;
    OrtAllocator *allocator; /* the library's own */
};

static const struct runtime_engine *
of_engine(const struct ax_engine *engine)
{
    return (const struct runtime_engine *)engine;
}

/* A call's answer in our terms. */
static ax_status
answer(const struct runtime_engine *engine, struct ax_ctx *ctx, OrtStatus *status)
{
    if (!status)
        return AX_OK;
    OrtErrorCode code = engine->api->GetErrorCode(status);
    ax_status result = code == ORT_NOT_IMPLEMENTED ? AX_UNSUPPORTED : AX_INVALID;
    ax_str words = ax_str_of(engine->api->GetErrorMessage(status)), line = {};
    (void)ax_str_cut(&words, '\n', &line); /* what follows is a stack, or empty */
    ax_ctx_say(ctx, result, "ONNX Runtime: %.*s", AX_FMT(line));
    engine->api->ReleaseStatus(status);
    return result;
}

#define TRY_ORT(call) AX_TRY(answer(engine, ctx, engine->api->call))

/* ---- the library ---- */

/* What the system has, then what `tools/setup onnxruntime` put beside the sources. */
static const char *const library_names[] = {"libonnxruntime.so.1", AX_ONNXRUNTIME};

static ax_status
open_library(struct ax_ctx *ctx, struct runtime_engine *engine)
{
    void *handle = NULL; /* never closed: other sessions and their code may live on */
    for (size_t i = 0; i < AX_COUNT_OF(library_names) && !handle; i++)
        handle = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return ax_fail(
            ctx, AX_UNSUPPORTED,
            "ONNX Runtime would run it, and is not there: run `tools/setup onnxruntime`, "
            "or put libonnxruntime.so.1 (version 1.21 or later) where the system looks "
            "for libraries");
    __typeof__(OrtGetApiBase) *base = (__typeof__(OrtGetApiBase) *)dlsym(handle, "OrtGetApiBase");
    engine->api = base ? base()->GetApi(ORT_API_VERSION) : NULL;
    if (!engine->api)
        return ax_fail(ctx, AX_UNSUPPORTED, "ONNX Runtime is older than 1.%d", ORT_API_VERSION);
    return AX_OK;
}

static void
close_runtime(void *arg)
{
    struct runtime_engine *engine = arg;
    if (engine->memory)
        engine->api->ReleaseMemoryInfo(engine->memory);
    if (engine->session)
        engine->api->ReleaseSession(engine->session);
    if (engine->options)
        engine->api->ReleaseSessionOptions(engine->options);
    if (engine->env)
        engine->api->ReleaseEnv(engine->env);
}

/* One thread, no spinning, and no file beside the model: a model from outside names none. */
static ax_status
open_session(struct ax_ctx *ctx, struct runtime_engine *engine, ax_str bytes)
{
    TRY_ORT(CreateEnv(ORT_LOGGING_LEVEL_FATAL, "axiom", &engine->env));
    TRY_ORT(DisableTelemetryEvents(engine->env));
    TRY_ORT(CreateSessionOptions(&engine->options));
    TRY_ORT(SetIntraOpNumThreads(engine->options, 1));
    TRY_ORT(SetInterOpNumThreads(engine->options, 1));
    TRY_ORT(SetSessionExecutionMode(engine->options, ORT_SEQUENTIAL));
    TRY_ORT(AddSessionConfigEntry(engine->options, "session.intra_op.allow_spinning", "0"));
    TRY_ORT(AddSessionConfigEntry(
        engine->options, "session.model_external_initializers_file_folder_path", "/nonexistent"));
    TRY_ORT(CreateSessionFromArray(engine->env, bytes.at, bytes.len, engine->options,
                                   &engine->session));
    TRY_ORT(CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &engine->memory));
    TRY_ORT(GetAllocatorWithDefaultOptions(&engine->allocator));
    return AX_OK;
}

/* ---- ports ---- */

typedef OrtStatusPtr (*name_of)(const OrtSession *session, size_t index, OrtAllocator *allocator,
                                char **out_name);
typedef OrtStatusPtr (*type_of)(const OrtSession *session, size_t index, OrtTypeInfo **out_type);

static ax_status
take_name(struct ax_ctx *ctx, struct runtime_engine *engine, name_of get, size_t index, ax_str *out)
{
    char *name = NULL;
    AX_TRY(answer(engine, ctx, get(engine->session, index, engine->allocator, &name)));
    ax_str text = ax_str_of(name);
    bool kept = text.len <= NAME_BYTES_MAX && ax_str_copy(engine->engine.arena, text, out);
    TRY_ORT(AllocatorFree(engine->allocator, name));
    return kept ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for the graph's names");
}

static ax_status
read_tensor_type(struct ax_ctx *ctx, const struct runtime_engine *engine, const OrtTypeInfo *type,
                 struct ax_engine_port *port)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t count = 0;
    TRY_ORT(CastTypeInfoToTensorInfo(type, &tensor));
    if (!tensor)
        return ax_fail(ctx, AX_UNSUPPORTED, "`%.*s` is no tensor", AX_FMT(port->name));
    TRY_ORT(GetTensorElementType(tensor, &element));
    TRY_ORT(GetDimensionsCount(tensor, &count));
    if (!ax_onnx_file_type((int64_t)element, &port->type) || count > AX_TENSOR_DIMS_MAX)
        return ax_fail(ctx, AX_UNSUPPORTED, "`%.*s` has ONNX's type %d, %zu dimensions",
                       AX_FMT(port->name), (int)element, count);
    port->dim_count = count;
    TRY_ORT(GetDimensions(tensor, port->shape, count));
    return AX_OK;
}

static ax_status
read_port(struct ax_ctx *ctx, struct runtime_engine *engine, type_of get, size_t index,
          struct ax_engine_port *port)
{
    OrtTypeInfo *type = NULL;
    AX_TRY(answer(engine, ctx, get(engine->session, index, &type)));
    ax_status status = read_tensor_type(ctx, engine, type, port);
    engine->api->ReleaseTypeInfo(type);
    return status;
}

static ax_status
read_ports(struct ax_ctx *ctx, struct runtime_engine *engine, bool inputs, size_t count,
           struct ax_engine_port **out_ports)
{
    struct ax_arena *arena = engine->engine.arena;
    struct ax_engine_port *ports = AX_NEW_ARRAY(arena, struct ax_engine_port, count + 1);
    const char **names = AX_NEW_ARRAY(arena, const char *, count + 1);
    const OrtApi *api = engine->api;
    if (count > PORTS_MAX || !ports || !names)
        return ax_fail(ctx, AX_LIMIT, "%zu inputs or outputs", count);
    for (size_t i = 0; i < count; i++) {
        AX_TRY(take_name(ctx, engine, inputs ? api->SessionGetInputName : api->SessionGetOutputName,
                         i, &ports[i].name));
        names[i] = ports[i].name.at; /* a copy with a terminator */
        AX_TRY(read_port(ctx, engine,
                         inputs ? api->SessionGetInputTypeInfo : api->SessionGetOutputTypeInfo, i,
                         &ports[i]));
    }
    *(inputs ? &engine->input_names : &engine->output_names) = names;
    *out_ports = ports;
    return AX_OK;
}

static ax_status
describe(struct ax_ctx *ctx, struct runtime_engine *engine)
{
    struct ax_engine_port *inputs = NULL, *outputs = NULL;
    TRY_ORT(SessionGetInputCount(engine->session, &engine->ports.input_count));
    TRY_ORT(SessionGetOutputCount(engine->session, &engine->ports.output_count));
    AX_TRY(read_ports(ctx, engine, true, engine->ports.input_count, &inputs));
    AX_TRY(read_ports(ctx, engine, false, engine->ports.output_count, &outputs));
    engine->ports.inputs = inputs;
    engine->ports.outputs = outputs;
    return AX_OK;
}

/* ---- running ---- */

static ax_status
fill_texts(struct ax_ctx *ctx, const struct runtime_engine *engine, const struct ax_tensor *from,
           OrtValue *value)
{
    const ax_str *texts = from->data;
    for (size_t i = 0; i < from->count; i++) {
        char *buffer = NULL;
        TRY_ORT(GetResizedStringTensorElementBuffer(value, i, texts[i].len, &buffer));
        if (texts[i].len)
            memcpy(buffer, texts[i].at, texts[i].len);
    }
    return AX_OK;
}

static ax_status
make_input(struct ax_ctx *ctx, const struct runtime_engine *engine, size_t index,
           const struct ax_tensor *from, OrtValue **out)
{
    static const ONNXTensorElementDataType elements[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
        [AX_TENSOR_UINT8] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        [AX_TENSOR_UINT16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
        [AX_TENSOR_UINT32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
        [AX_TENSOR_UINT64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
        [AX_TENSOR_INT8] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        [AX_TENSOR_INT16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
        [AX_TENSOR_INT32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        [AX_TENSOR_INT64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        [AX_TENSOR_FP16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
        [AX_TENSOR_BF16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
        [AX_TENSOR_FP32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        [AX_TENSOR_FP64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
        [AX_TENSOR_BYTES] = ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
    };
    const struct ax_engine_port *port = &engine->ports.inputs[index];
    if (!from->data || from->type != port->type)
        return ax_fail(ctx, AX_INVALID, "input `%.*s` is %s; expected %s", AX_FMT(port->name),
                       from->data ? ax_tensor_type_name(from->type) : "missing",
                       ax_tensor_type_name(port->type));
    if (from->type == AX_TENSOR_BYTES) {
        TRY_ORT(CreateTensorAsOrtValue(engine->allocator, from->shape, from->dim_count,
                                       ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, out));
        return fill_texts(ctx, engine, from, *out);
    }
    union {
        const void *read;
        void *write;
    } data = {.read =
                  from->data}; /* inputs are not written to: the call has no other word for it */
    TRY_ORT(CreateTensorWithDataAsOrtValue(
        engine->memory, data.write, from->count * ax_tensor_element_bytes(from->type), from->shape,
        from->dim_count, elements[from->type], out));
    return AX_OK;
}

static ax_status
copy_texts(struct ax_ctx *ctx, const struct runtime_engine *engine, const OrtValue *value,
           struct ax_tensor *out)
{
    size_t bytes = 0;
    TRY_ORT(GetStringTensorDataLength(value, &bytes));
    char *text = AX_NEW_ARRAY(ctx->arena, char, bytes + 1);
    size_t *offsets = AX_NEW_ARRAY(ctx->arena, size_t, out->count + 1);
    ax_str *texts = AX_NEW_ARRAY(ctx->arena, ax_str, out->count + 1);
    if (!text || !offsets || !texts)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu texts", out->count);
    TRY_ORT(GetStringTensorContent(value, text, bytes, offsets, out->count));
    offsets[out->count] = bytes;
    for (size_t i = 0; i < out->count; i++)
        texts[i] = (ax_str){text + offsets[i], offsets[i + 1] - offsets[i]};
    out->data = texts;
    return AX_OK;
}

static ax_status
copy_elements(struct ax_ctx *ctx, const struct runtime_engine *engine, OrtValue *value,
              struct ax_tensor *out)
{
    size_t element_bytes = ax_tensor_element_bytes(out->type);
    void *from = NULL, *data = ax_arena_alloc(ctx->arena, element_bytes, out->count + 1);
    if (!data)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu elements", out->count);
    TRY_ORT(GetTensorMutableData(value, &from));
    if (out->count)
        memcpy(data, from, element_bytes * out->count);
    out->data = data;
    return AX_OK;
}

static ax_status
read_shape(struct ax_ctx *ctx, const struct runtime_engine *engine,
           const OrtTensorTypeAndShapeInfo *info, struct ax_tensor *out)
{
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    TRY_ORT(GetTensorElementType(info, &element));
    TRY_ORT(GetDimensionsCount(info, &out->dim_count));
    if (out->dim_count > AX_TENSOR_DIMS_MAX || !ax_onnx_file_type((int64_t)element, &out->type))
        return ax_fail(ctx, AX_UNSUPPORTED, "an output of ONNX's type %d, %zu dimensions",
                       (int)element, out->dim_count);
    TRY_ORT(GetDimensions(info, out->shape, out->dim_count));
    return ax_tensor_count(out->type, out->shape, out->dim_count, &out->count)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "an output beyond all memory");
}

static ax_status
take_output(struct ax_ctx *ctx, const struct runtime_engine *engine, OrtValue *value,
            struct ax_tensor *out)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    TRY_ORT(GetTensorTypeAndShape(value, &info));
    ax_status status = read_shape(ctx, engine, info, out);
    engine->api->ReleaseTensorTypeAndShapeInfo(info);
    AX_TRY(status);
    return out->type == AX_TENSOR_BYTES ? copy_texts(ctx, engine, value, out)
                                        : copy_elements(ctx, engine, value, out);
}

/* The values of one run; they are the library's. */
struct values {
    OrtValue **inputs, **outputs;
    const char **names; /* of the outputs that are wanted */
    size_t wanted;
};

static ax_status
run_session(struct ax_ctx *ctx, const struct runtime_engine *engine, const struct ax_tensor *inputs,
            const bool *wanted, struct values *values)
{
    for (size_t i = 0; i < engine->ports.input_count; i++)
        AX_TRY(make_input(ctx, engine, i, &inputs[i], &values->inputs[i]));
    for (size_t i = 0; i < engine->ports.output_count; i++)
        if (wanted[i])
            values->names[values->wanted++] = engine->output_names[i];
    union {
        OrtValue **made;
        const OrtValue *const *read;
    } given = {.made = values->inputs};
    TRY_ORT(Run(engine->session, NULL, engine->input_names, given.read, engine->ports.input_count,
                values->names, values->wanted, values->outputs));
    return AX_OK;
}

static ax_status
take_outputs(struct ax_ctx *ctx, const struct runtime_engine *engine, const bool *wanted,
             const struct values *values, struct ax_tensor *out_outputs)
{
    for (size_t i = 0, at = 0; i < engine->ports.output_count; i++) {
        struct ax_tensor tensor = {};
        if (wanted[i])
            AX_TRY(take_output(ctx, engine, values->outputs[at++], &tensor));
        tensor.name = engine->ports.outputs[i].name;
        out_outputs[i] = tensor;
    }
    return AX_OK;
}

static ax_status
runtime_run(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_tensor *inputs,
            const bool *wanted, struct ax_tensor *out_outputs)
{
    const struct runtime_engine *engine = of_engine(base);
    size_t input_count = engine->ports.input_count, output_count = engine->ports.output_count;
    struct values values = {
        .inputs = AX_NEW_ARRAY(ctx->arena, OrtValue *, input_count + 1),
        .outputs = AX_NEW_ARRAY(ctx->arena, OrtValue *, output_count + 1),
        .names = AX_NEW_ARRAY(ctx->arena, const char *, output_count + 1),
    };
    if (!values.inputs || !values.outputs || !values.names)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", input_count);
    ax_status status = run_session(ctx, engine, inputs, wanted, &values);
    if (status == AX_OK)
        status = take_outputs(ctx, engine, wanted, &values, out_outputs);
    for (size_t i = 0; i < input_count; i++)
        if (values.inputs[i])
            engine->api->ReleaseValue(values.inputs[i]);
    for (size_t i = 0; i < values.wanted; i++)
        if (values.outputs[i])
            engine->api->ReleaseValue(values.outputs[i]);
    return status;
}

/* ---- the engine ---- */

static size_t
runtime_scratch_bytes(const struct ax_engine *, unsigned, const struct ax_engine_background *)
{
    return 0;
}

static ax_status
runtime_score(const struct ax_engine *, struct ax_ctx *ctx, const struct ax_engine_call *, void *,
              const struct ax_engine_answer *)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "a graph of ONNX Runtime is run on tensors");
}

static ax_status
runtime_background_open(const struct ax_engine *, struct ax_ctx *ctx, const struct ax_engine_rows *,
                        struct ax_arena *, struct ax_engine_background **)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "a graph has no contributions");
}

static ax_status
runtime_thresholds(const struct ax_engine *, struct ax_ctx *, size_t, const double **out_thresholds,
                   size_t *out_count)
{
    *out_thresholds = NULL;
    *out_count = 0;
    return AX_OK;
}

static const struct ax_engine_ops ops = {
    .name = "onnxruntime",
    .scratch_bytes = runtime_scratch_bytes,
    .score = runtime_score,
    .background_open = runtime_background_open,
    .thresholds = runtime_thresholds,
    .prepare = ax_engine_prepare_nothing,
    .prepared = ax_engine_prepared_always,
    .made_bytes = ax_engine_made_nothing,
    .mapped_bytes = ax_engine_made_nothing,
    .run = runtime_run,
};

ax_status
ax_onnxruntime_open(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes,
                    struct ax_engine **out_engine)
{
    struct runtime_engine *engine = AX_NEW(arena, struct runtime_engine);
    if (!engine)
        return ax_fail(ctx, AX_LIMIT, "no memory for an engine");
    engine->engine.ops = &ops;
    engine->engine.arena = arena;
    engine->engine.graph = &engine->ports;
    AX_TRY(open_library(ctx, engine));
    if (!ax_arena_defer(arena, close_runtime, engine))
        return ax_fail(ctx, AX_LIMIT, "no memory for an engine");
    AX_TRY(open_session(ctx, engine, bytes));
    AX_TRY(describe(ctx, engine));
    struct ax_engine_signature *signature = &engine->engine.signature;
    *signature = (struct ax_engine_signature){
        .format = AX_STR("onnx"),
        .version = AX_STR(""),
        .kind = AX_STR("graph"),
        .booster = AX_STR("onnxruntime"),
        .objective = AX_STR(""),
        .blocking = true,
    };
    *out_engine = &engine->engine;
    return ax_engine_note(&engine->engine, ctx, "run by ONNX Runtime, on one thread of its own");
}

#endif

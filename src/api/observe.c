#include "api/observe.h"

#include "api/access_log.h"
#include "api/payload_log.h"
#include "api/route.h"
#include "api/rpc.h"
#include "api/tracer.h"
#include "base/fault.h"
#include "codec/compress.h"
#include "sys/clock.h"

enum { ANSWER_BYTES_MAX = 64 << 20 };

/* ---- on the way ---- */

void
ax_observe_begin(struct ax_call *call)
{
    struct ax_observed *observed = &call->observed;
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    struct ax_exchange_trace *trace = ax_exchange_trace(call->exchange);
    observed->parent_sampled = trace->sampled;
    observed->deployment = AX_STR("");
    observed->phases.mark_ns = ax_exchange_times(call->exchange)->first_byte_ns;
    ctx->phases = &observed->phases;
    ax_phase_end(ctx, AX_PHASE_READ);
    if (call->services->tracer)
        trace->sampled = ax_tracer_samples(call->services->tracer, ctx, AX_STR(""), trace,
                                           observed->parent_sampled);
}

void
ax_observe_admitted(struct ax_call *call)
{
    ax_phases_end_at(&call->observed.phases, AX_PHASE_ROUTE, ax_clock_monotonic_ns());
}

void
ax_observe_handle(struct ax_call *call)
{
    const struct ax_exchange_times *times = ax_exchange_times(call->exchange);
    struct ax_phases *phases = &call->observed.phases;
    if (times->last_byte_ns > phases->mark_ns)
        ax_phases_end_at(phases, AX_PHASE_READ, times->last_byte_ns);
    ax_phases_end_at(phases, AX_PHASE_QUEUE, times->handler_ns);
}

void
ax_observe_message(struct ax_call *call)
{
    call->observed.phases = (struct ax_phases){.mark_ns = ax_clock_monotonic_ns()};
    call->observed.model = NULL;
    call->observed.counted = true;
}

/* Which version it is may change whether it is traced. */
static void
sample_again(struct ax_call *call)
{
    const struct ax_observed *observed = &call->observed;
    struct ax_tracer *tracer = call->services->tracer;
    struct ax_exchange_trace *trace = ax_exchange_trace(call->exchange);
    if (tracer)
        trace->sampled =
            ax_tracer_samples(tracer, ax_exchange_ctx(call->exchange),
                              ax_str_of(observed->model->model), trace, observed->parent_sampled);
}

void
ax_observe_model(struct ax_call *call, struct ax_lane *lane, const struct ax_loaded_model *model)
{
    call->observed.model = ax_lane_model_phases(lane, model);
    sample_again(call);
}

void
ax_observe_decided(struct ax_call *call, const struct ax_model_phases *model, ax_str deployment)
{
    call->observed.model = model;
    call->observed.deployment = deployment;
    sample_again(call);
}

/* ---- at the end ---- */

static ax_str
protocol_of(const struct ax_http_request *request)
{
    if (request->major == 2)
        return AX_STR("2");
    return request->minor == 0 ? AX_STR("1.0") : AX_STR("1.1");
}

static void
see_call(const struct ax_call *call, struct ax_seen *seen)
{
    const struct ax_observed *observed = &call->observed;
    seen->phases = observed->phases.mark_ns ? &observed->phases : NULL;
    seen->principal = call->actor.id.at ? call->actor.id : AX_STR("");
    seen->route = call->route ? call->route->pattern : "";
    seen->deployment = observed->deployment;
    if (observed->model) {
        seen->model = ax_str_of(observed->model->model);
        seen->version = ax_str_of(observed->model->version);
    }
    if (call->grpc && ax_grpc_method(call->grpc)) {
        seen->rpc_service = ax_grpc_service(call->grpc)->name;
        seen->rpc_method = ax_grpc_method(call->grpc)->name;
    }
}

static struct ax_seen
seen_of(struct ax_exchange *exchange, const struct ax_call *call, int grpc_code)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    const struct ax_exchange_times *times = ax_exchange_times(exchange);
    struct ax_seen seen = {
        .times = times,
        .trace = ax_exchange_trace(exchange),
        .end_ns = times->written_ns ? times->written_ns : times->finish_ns,
        .trace_id = ax_exchange_ctx(exchange)->trace_id,
        .request_id = ax_exchange_request_id(exchange),
        .principal = AX_STR(""),
        .peer = ax_exchange_peer(exchange),
        .method = request->method_text,
        .protocol = protocol_of(request),
        .route = "",
        .model = AX_STR(""),
        .version = AX_STR(""),
        .deployment = AX_STR(""),
        .status = ax_exchange_status(exchange),
        .grpc_code = grpc_code,
        .bytes_in = request->body.len,
        .bytes_out = ax_exchange_body_bytes(exchange),
        .secure = ax_exchange_secure(exchange),
    };
    if (call)
        see_call(call, &seen);
    return seen;
}

/* ---- payloads ---- */

/* An answer that was compressed on its way out, as it was before. */
static ax_str
as_built(struct ax_exchange *exchange, ax_str bytes, struct ax_writer *room)
{
    ax_str name = ax_exchange_answer_header(exchange, AX_STR("content-encoding"));
    enum ax_compress_coding coding;
    if (!name.at || !ax_compress_coding_of(name, &coding) || coding == AX_COMPRESS_IDENTITY)
        return bytes;
    ax_status status = ax_compress_inflate(ax_exchange_ctx(exchange), coding, bytes, room);
    return status == AX_OK ? ax_writer_str(room) : bytes;
}

static void
tell_payloads(const struct ax_call *call, const struct ax_seen *seen, ax_str request, ax_str answer)
{
    const struct ax_exchange *exchange = call->exchange;
    const struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    const ax_str type = AX_STR("content-type"), split = AX_STR("inference-header-content-length");
    const struct ax_payloads payloads = {
        .asked = call->model,
        .request = {ax_http_header_find(call->request, type),
                    ax_http_header_find(call->request, split), request},
        .answer = {ax_exchange_answer_header(exchange, type),
                   ax_exchange_answer_header(exchange, split), answer},
        .grpc_message = seen->grpc_code > 0 ? ax_str_of(ctx->error) : AX_STR(""),
    };
    ax_payload_log_write(call->services->payload_log, seen, &payloads);
}

/* Whether this is a request for a model's score, and one of those that are kept. */
static bool
has_payloads(const struct ax_call *call)
{
    const struct ax_payload_log *log = call ? call->services->payload_log : NULL;
    return log && call->model.len > 0 &&
           ax_payload_log_keeps(log, ax_exchange_request_id(call->exchange));
}

static void
tell_whole_payloads(const struct ax_call *call, const struct ax_seen *seen)
{
    ax_str answer = ax_writer_str(ax_exchange_body(call->exchange));
    if (call->grpc) {
        tell_payloads(call, seen, ax_grpc_message(call->grpc),
                      ax_str_from(answer, AX_GRPC_PREFIX_BYTES));
        return;
    }
    ax_fault_benign_begin(); /* what cannot be inflated for want of memory is told as it went */
    ax_writer_auto struct ax_writer room = ax_writer_of(ANSWER_BYTES_MAX);
    tell_payloads(call, seen, call->request->body, as_built(call->exchange, answer, &room));
    ax_fault_benign_end();
}

void
ax_observe_message_end(struct ax_call *call, ax_str answer)
{
    if (call->observed.model)
        ax_model_phases_observe(call->observed.model, &call->observed.phases);
    if (has_payloads(call)) {
        const struct ax_seen seen = seen_of(call->exchange, call, 0);
        tell_payloads(call, &seen, ax_grpc_message(call->grpc), answer);
    }
    call->observed.deployment = call->model = AX_STR(""); /* they lie in the message, which goes */
}

void
ax_observe_answered(const struct ax_observers *observers, struct ax_exchange *exchange,
                    const struct ax_call *call, int grpc_code)
{
    const struct ax_exchange_times *times = ax_exchange_times(exchange);
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    if (ctx->phases && times->written_ns)
        ax_phases_end_at(ctx->phases, AX_PHASE_WRITE, times->written_ns);
    if (call && call->observed.model && !call->observed.counted)
        ax_model_phases_observe(call->observed.model, &call->observed.phases);
    bool traced = observers->tracer && ax_exchange_trace(exchange)->sampled;
    bool payloads = has_payloads(call) && !call->observed.counted;
    if (!observers->access && !traced && !payloads)
        return;
    const struct ax_seen seen = seen_of(exchange, call, grpc_code);
    if (observers->access)
        ax_access_log_write(observers->access, &seen);
    if (traced)
        ax_tracer_take(observers->tracer, &seen);
    if (payloads)
        tell_whole_payloads(call, &seen);
}

/* The thread that sends spans to the collector. Part of tracer. */
#include <stdio.h>

#include "api/tracer_parts.h"
#include "base/number.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
    BATCH_BYTES_MAX = 32 << 20,
    ARENA_BYTES_MAX = 8 << 20,
    ANSWER_BYTES_MAX = 1 << 20,
    TRIES_MAX = 5,
    WAIT_MS = 1'000, /* before the second try; then twice that, ... */
    WAIT_MS_MAX = 30'000,
    STOP_MS = 2'000, /* for the last batch, when the tracer stops */
    NS_PER_MS = 1'000'000,
};

/* ---- spans ---- */

static bool
rpc_failed(int code)
{
    static const unsigned of_the_server = /* by the conventions: not what a client did wrong */
        1U << 2 | 1U << 4 | 1U << 12 | 1U << 13 | 1U << 14 | 1U << 15;
    return code >= 0 && code < 32 && (of_the_server >> code & 1);
}

static void
put_attributes(struct ax_otlp *otlp, const struct ax_tracer_entry *entry)
{
    if (entry->grpc_code >= 0) {
        ax_otlp_span_text(otlp, "rpc.system", AX_STR("grpc"));
        ax_otlp_span_text(otlp, "rpc.service", ax_str_of(entry->rpc_service));
        ax_otlp_span_text(otlp, "rpc.method", ax_str_of(entry->rpc_method));
        ax_otlp_span_number(otlp, "rpc.grpc.status_code", entry->grpc_code);
    } else {
        ax_otlp_span_text(otlp, "http.request.method", ax_str_of(entry->method));
        ax_otlp_span_text(otlp, "http.route", ax_str_of(entry->route));
        ax_otlp_span_number(otlp, "http.response.status_code", entry->status);
    }
    ax_otlp_span_text(otlp, "url.scheme", entry->secure ? AX_STR("https") : AX_STR("http"));
    ax_otlp_span_text(otlp, "network.protocol.version", ax_str_of(entry->protocol));
    ax_otlp_span_number(otlp, "http.request.body.size", (int64_t)entry->bytes_in);
    ax_otlp_span_number(otlp, "http.response.body.size", (int64_t)entry->bytes_out);
    ax_otlp_span_text(otlp, "axiom.request_id", ax_str_of(entry->request_id));
    ax_otlp_span_text(otlp, "axiom.model", ax_str_of(entry->model));
    ax_otlp_span_text(otlp, "axiom.model.version", ax_str_of(entry->version));
    ax_otlp_span_text(otlp, "axiom.deployment", ax_str_of(entry->deployment));
}

/* Its own span: from the phase's first beginning to its last end. */
static void
put_phase(struct ax_otlp *otlp, const struct ax_tracer_entry *entry, enum ax_phase phase)
{
    const struct ax_phases *phases = &entry->phases;
    int64_t shift_ns = entry->real_minus_monotonic_ns;
    const struct ax_otlp_span span = {
        .trace_id = entry->trace_id,
        .span_id = entry->span_id ^ ((uint64_t)phase + 1) << 56,
        .parent_id = entry->span_id,
        .name = ax_str_of(ax_phase_name(phase)),
        .kind = AX_OTLP_INTERNAL,
        .start_ns = phases->began_ns[phase] + shift_ns,
        .end_ns = phases->ended_ns[phase] + shift_ns,
    };
    if (span.span_id == 0) /* no id: this phase is not told */
        return;
    ax_otlp_span_begin(otlp, &span);
    ax_otlp_span_number(otlp, "axiom.phase.busy_ns", phases->took_ns[phase]);
    ax_otlp_span_end(otlp);
}

static void
put_entry(struct ax_otlp *otlp, const struct ax_tracer_entry *entry)
{
    char name[256], number[AX_NUMBER_BYTES_MAX];
    bool failed = entry->grpc_code >= 0 ? rpc_failed(entry->grpc_code) : entry->status >= 500;
    if (entry->rpc_method)
        snprintf(name, sizeof name, "%s/%s", entry->rpc_service, entry->rpc_method);
    else
        snprintf(name, sizeof name, "%s%s%s", entry->method, entry->route[0] ? " " : "",
                 entry->route);
    const struct ax_otlp_span span = {
        .trace_id = entry->trace_id,
        .span_id = entry->span_id,
        .parent_id = entry->parent_id,
        .state = ax_str_of(entry->state),
        .name = ax_str_of(name),
        .kind = AX_OTLP_SERVER,
        .start_ns = entry->first_byte_ns + entry->real_minus_monotonic_ns,
        .end_ns = entry->end_ns + entry->real_minus_monotonic_ns,
        .failed = failed,
    };
    ax_otlp_span_begin(otlp, &span);
    put_attributes(otlp, entry);
    if (failed) {
        int code = entry->grpc_code >= 0 ? entry->grpc_code : entry->status;
        ax_otlp_span_text(otlp, "error.type", (ax_str){number, ax_format_i64(code, number)});
    }
    ax_otlp_span_end(otlp);
    for (int phase = 0; entry->has_phases && phase < AX_PHASE_COUNT; phase++)
        if (entry->phases.began_ns[phase])
            put_phase(otlp, entry, (enum ax_phase)phase);
}

/* ---- batches ---- */

/* Waits until a batch is due, or the end. false when there is nothing any more. */
static bool
wait_for_batch(struct ax_tracer *tracer)
{
    ax_mutex_lock(&tracer->mutex);
    while (tracer->count == 0 && !tracer->stopping)
        ax_cond_wait(&tracer->cond, &tracer->mutex);
    int64_t until_ns = ax_clock_monotonic_ns() + tracer->config.interval_ms * NS_PER_MS;
    bool in_time = true;
    while (in_time && !tracer->stopping) {
        int64_t due = tracer->rules.all.log_frequency;
        if (due == 0 || due > tracer->config.batch_max)
            due = tracer->config.batch_max;
        if ((int64_t)tracer->count >= due)
            break;
        in_time = ax_cond_wait_until(&tracer->cond, &tracer->mutex, until_ns);
    }
    bool any = tracer->count > 0;
    ax_mutex_unlock(&tracer->mutex);
    return any;
}

static bool
take_entry(struct ax_tracer *tracer, struct ax_tracer_entry *out)
{
    ax_mutex_lock(&tracer->mutex);
    bool any = tracer->count > 0;
    if (any) {
        *out = tracer->ring[tracer->first];
        tracer->first = (tracer->first + 1) % (size_t)tracer->config.queue_max;
        tracer->count--;
    }
    ax_mutex_unlock(&tracer->mutex);
    return any;
}

/* As many as go into a batch, written; how many there are. */
static int64_t
write_batch(struct ax_tracer *tracer, struct ax_writer *out)
{
    const struct ax_otlp_resource resource = {.service = tracer->config.service_name,
                                              .version = AX_STR(AX_VERSION),
                                              .instance = {tracer->instance, 16}};
    struct ax_otlp otlp = ax_otlp_begin(out, &resource);
    struct ax_tracer_entry entry;
    int64_t count = 0;
    for (; count < tracer->config.batch_max && take_entry(tracer, &entry); count++)
        put_entry(&otlp, &entry);
    ax_otlp_end(&otlp);
    return count;
}

/* ---- sending ---- */

enum verdict { TAKEN, AGAIN, NEVER };

/* What an answer means, by the protocol; wait_ms: what the collector asks for, or as it was. */
static enum verdict
judge(const struct ax_client_answer *answer, int64_t *wait_ms)
{
    int64_t seconds = ax_client_retry_after_s(answer);
    if (answer->status >= 200 && answer->status < 300)
        return TAKEN;
    if (answer->status != 429 && answer->status != 502 && answer->status != 503 &&
        answer->status != 504)
        return NEVER;
    if (seconds >= 0 && seconds <= WAIT_MS_MAX / 1'000)
        *wait_ms = seconds * 1'000;
    return AGAIN;
}

static enum verdict
send_once(struct ax_tracer *tracer, struct ax_client *client, struct ax_ctx *ctx, ax_str body,
          int64_t *wait_ms)
{
    struct ax_http_header headers[AX_TRACER_HEADERS_MAX + 1];
    struct ax_client_answer answer;
    int64_t rejected = 0;
    memcpy(headers, tracer->headers, tracer->header_count * sizeof *headers);
    headers[tracer->header_count] =
        (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/x-protobuf")};
    const struct ax_client_request request = {.method = AX_STR("POST"),
                                              .url = tracer->config.endpoint,
                                              .headers = headers,
                                              .header_count = tracer->header_count + 1,
                                              .body = body,
                                              .answer_bytes_max = ANSWER_BYTES_MAX};
    if (ax_client_send(client, ctx, &request, &answer) != AX_OK)
        return AGAIN;
    enum verdict verdict = judge(&answer, wait_ms);
    if (verdict != TAKEN)
        ax_ctx_say(ctx, AX_UNAVAILABLE, "the collector answers with status %d", answer.status);
    else if (ax_otlp_rejected(ctx, answer.body, &rejected) == AX_OK)
        ax_metric_add(tracer->rejected, rejected);
    return verdict;
}

/* false when the tracer is to stop. */
static bool
wait_a_while(struct ax_tracer *tracer, int64_t wait_ms)
{
    int64_t until_ns = ax_clock_monotonic_ns() + wait_ms * NS_PER_MS;
    ax_mutex_lock(&tracer->mutex);
    while (!tracer->stopping && ax_cond_wait_until(&tracer->cond, &tracer->mutex, until_ns))
        ;
    bool stopping = tracer->stopping;
    ax_mutex_unlock(&tracer->mutex);
    return !stopping;
}

static bool
is_stopping(struct ax_tracer *tracer)
{
    ax_mutex_lock(&tracer->mutex);
    bool stopping = tracer->stopping;
    ax_mutex_unlock(&tracer->mutex);
    return stopping;
}

/* Until the collector has it, or will not have it, or has been away too long. */
static bool
send_batch(struct ax_tracer *tracer, struct ax_client *client, ax_str body, int64_t count)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    int64_t wait_ms = WAIT_MS;
    enum verdict verdict = AGAIN;
    for (int i = 0; arena && client && verdict == AGAIN && i < TRIES_MAX; i++) {
        int64_t next_ms = 2 * wait_ms < WAIT_MS_MAX ? 2 * wait_ms : (int64_t)WAIT_MS_MAX;
        if (i > 0 && !wait_a_while(tracer, wait_ms))
            break;
        wait_ms = i > 0 ? next_ms : wait_ms;
        bool last = is_stopping(tracer);
        ctx.deadline_ns = ax_clock_monotonic_ns() +
                          (last ? (int64_t)STOP_MS : tracer->config.timeout_ms) * NS_PER_MS;
        verdict = send_once(tracer, client, &ctx, body, &wait_ms);
        ax_arena_reset(arena);
    }
    ax_metric_add(verdict == TAKEN ? tracer->exported : tracer->failed, count);
    if (verdict != TAKEN)
        ax_log(AX_LOG_WARN, &ctx, "spans_not_sent", NULL);
    return verdict == TAKEN;
}

void
ax_tracer_send_run(void *arg)
{
    struct ax_tracer *tracer = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_client *client = NULL;
    if (!arena || ax_client_open(&ctx, NULL, &client) != AX_OK)
        client = NULL; /* every batch is counted as failed */
    bool going = true;
    while (going && wait_for_batch(tracer)) {
        ax_writer_auto struct ax_writer batch = ax_writer_of(BATCH_BYTES_MAX);
        int64_t count = write_batch(tracer, &batch);
        bool sent =
            batch.status == AX_OK && send_batch(tracer, client, ax_writer_str(&batch), count);
        if (batch.status != AX_OK)
            ax_metric_add(tracer->failed, count);
        going = sent || !is_stopping(tracer); /* who stops does not wait for a dead collector */
    }
    if (client)
        ax_client_close(client);
}

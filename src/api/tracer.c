#include "api/tracer.h"

#include <math.h>

#include "api/observe.h"
#include "api/tracer_parts.h"
#include "base/alloc.h"
#include "codec/text.h"
#include "sys/clock.h"
#include "sys/crypto.h"
#include "sys/file.h"

enum { TRACE_BITS = 56, HEADERS_BYTES_MAX = 64 << 10, CONFIG_BYTES_MAX = 256 << 10 };

#define FIELD(name) offsetof(struct ax_tracer_config, name)

static const struct ax_setting rows[] = {
    {"endpoint", "OTLP over HTTP, as http://127.0.0.1:4318/v1/traces; empty: nothing is traced",
     AX_SETTING_TEXT, FIELD(endpoint), 0, 0, 0, ""},
    {"headers_file", "file of \"Name: value\" lines sent along: the collector's credentials",
     AX_SETTING_TEXT, FIELD(headers_file), 0, 0, 0, ""},
    {"service_name", "service.name of the spans", AX_SETTING_TEXT, FIELD(service_name), 0, 0, 0,
     "axiom"},
    {"sample_ratio", "share of the requests, by their trace id", AX_SETTING_NUMBER,
     FIELD(sample_ratio), 0.01, 0, 1},
    {"follow_parent", "a traceparent's sampled flag decides instead, where there is one",
     AX_SETTING_SWITCH, FIELD(follow_parent), 1, 0, 0},
    {"queue_max", "requests that wait to be sent; what does not fit is dropped and counted",
     AX_SETTING_COUNT, FIELD(queue_max), 1'024, 16, 1 << 20},
    {"batch_max", "requests sent at once", AX_SETTING_COUNT, FIELD(batch_max), 256, 1, 4'096},
    {"interval_ms", "longest wait before a batch is sent", AX_SETTING_DURATION_MS,
     FIELD(interval_ms), 1'000, 10, 600'000},
    {"timeout_ms", "for the collector to answer", AX_SETTING_DURATION_MS, FIELD(timeout_ms), 10'000,
     100, 600'000},
};

const struct ax_settings ax_tracer_settings = {
    .section = "tracing", .rows = rows, .row_count = AX_COUNT_OF(rows)};

/* ---- opening ---- */

static bool
keep(struct ax_arena *arena, ax_str *text)
{
    const char *copy = ax_str_c(arena, *text);
    *text = ax_str_of(copy);
    return copy != NULL;
}

static ax_status
read_headers(struct ax_ctx *ctx, struct ax_tracer *tracer)
{
    ax_str text, line;
    if (tracer->config.headers_file.len == 0)
        return AX_OK;
    AX_TRY(ax_file_read_all(ctx, tracer->config.headers_file, HEADERS_BYTES_MAX, &text));
    while (ax_str_cut(&text, '\n', &line)) {
        ax_str value = ax_str_trim(line), name;
        if (value.len == 0)
            continue;
        if (!ax_str_cut(&value, ':', &name) || !value.at || !ax_http_name_ok(name) ||
            !ax_http_value_ok(ax_str_trim(value)) || tracer->header_count == AX_TRACER_HEADERS_MAX)
            return ax_fail(ctx, AX_INVALID, "%.*s: line %zu is no \"Name: value\", or one too many",
                           AX_FMT(tracer->config.headers_file), tracer->header_count + 1);
        struct ax_http_header *header = &tracer->headers[tracer->header_count++];
        *header = (struct ax_http_header){name, ax_str_trim(value)};
        if (!keep(tracer->arena, &header->name) || !keep(tracer->arena, &header->value))
            return ax_fail(ctx, AX_LIMIT, "no memory for the tracer's headers");
    }
    return AX_OK;
}

static void
count_in(struct ax_tracer *tracer, struct ax_metrics *metrics)
{
    static const char *const results[] = {"exported", "dropped", "failed", "rejected"};
    struct ax_metric **const series[] = {&tracer->exported, &tracer->dropped, &tracer->failed,
                                         &tracer->rejected};
    for (size_t i = 0; i < AX_COUNT_OF(results); i++)
        *series[i] = ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_traces_total",
                                       "Traced requests, by what became of their spans.", "result",
                                       results[i], NULL);
}

/* The rules as they are now, for everybody who samples. */
static ax_status
publish(struct ax_tracer *tracer, struct ax_ctx *ctx)
{
    struct ax_tracer_rules *copy = ax_alloc(1, sizeof *copy);
    if (!copy)
        return ax_fail(ctx, AX_LIMIT, "no memory for the tracer's rules");
    *copy = tracer->rules;
    return ax_snapshot_swap(tracer->snapshot, ctx, copy);
}

/* With a ratio of 0 only what callers have sampled is traced. */
static struct ax_tracer_rule
initial_rule(const struct ax_tracer_config *config)
{
    return (struct ax_tracer_rule){.on = config->sample_ratio > 0 || config->follow_parent,
                                   .ratio = config->sample_ratio,
                                   .count = -1};
}

static ax_status
make(struct ax_ctx *ctx, struct ax_tracer *tracer, struct ax_metrics *metrics)
{
    struct ax_tracer_config *config = &tracer->config;
    uint64_t instance;
    tracer->arena = ax_arena_new(CONFIG_BYTES_MAX);
    tracer->ring = ax_alloc(sizeof *tracer->ring, (size_t)config->queue_max);
    if (!tracer->arena || !tracer->ring || !keep(tracer->arena, &config->endpoint) ||
        !keep(tracer->arena, &config->service_name))
        return ax_fail(ctx, AX_LIMIT, "no memory for the tracer");
    if (!ax_str_starts(config->endpoint, AX_STR("http://")) &&
        !ax_str_starts(config->endpoint, AX_STR("https://")))
        return ax_fail(ctx, AX_INVALID,
                       "tracing.endpoint is a URL, as "
                       "http://127.0.0.1:4318/v1/traces, not \"%.*s\"",
                       AX_FMT(config->endpoint));
    if (!ax_utf8_ok(config->service_name))
        return ax_fail(ctx, AX_INVALID, "tracing.service_name is not UTF-8");
    AX_TRY(read_headers(ctx, tracer));
    ax_random_bytes(&instance, sizeof instance);
    ax_trace_context_hex(instance, tracer->instance);
    tracer->rules.all = initial_rule(config);
    count_in(tracer, metrics);
    AX_TRY(ax_snapshot_open(ctx, ax_free, &tracer->snapshot));
    AX_TRY(publish(tracer, ctx));
    return ax_thread_start(ctx, "axiom-tracer", ax_tracer_send_run, tracer, &tracer->thread);
}

static void
free_all(struct ax_tracer *tracer)
{
    if (tracer->snapshot)
        ax_snapshot_close(tracer->snapshot);
    if (tracer->arena)
        ax_arena_free(tracer->arena);
    ax_free(tracer->ring);
    ax_cond_done(&tracer->cond);
    ax_mutex_done(&tracer->mutex);
    ax_free(tracer);
}

ax_status
ax_tracer_open(struct ax_ctx *ctx, const struct ax_tracer_config *config,
               struct ax_metrics *metrics, struct ax_tracer **out_tracer)
{
    *out_tracer = NULL;
    if (config->endpoint.len == 0)
        return AX_OK;
    struct ax_tracer *tracer = ax_alloc(1, sizeof *tracer);
    if (!tracer)
        return ax_fail(ctx, AX_LIMIT, "no memory for the tracer");
    tracer->config = *config;
    ax_mutex_init(&tracer->mutex);
    ax_cond_init(&tracer->cond);
    ax_status status = make(ctx, tracer, metrics);
    if (status != AX_OK) {
        free_all(tracer);
        return status;
    }
    *out_tracer = tracer;
    return AX_OK;
}

void
ax_tracer_close(struct ax_tracer *tracer)
{
    if (!tracer)
        return;
    ax_mutex_lock(&tracer->mutex);
    tracer->stopping = true;
    ax_cond_broadcast(&tracer->cond);
    ax_mutex_unlock(&tracer->mutex);
    ax_thread_join(tracer->thread);
    free_all(tracer);
}

/* ---- rules ---- */

static const struct ax_tracer_own *
own_of(const struct ax_tracer_rules *rules, ax_str model)
{
    for (size_t i = 0; model.len && i < rules->count; i++)
        if (ax_str_eq(model, ax_str_of(rules->models[i].model)))
            return &rules->models[i];
    return NULL;
}

static void
put_rule(struct ax_tracer_rule *to, const struct ax_tracer_rule *from, unsigned set)
{
    if (set & AX_TRACER_ON)
        to->on = from->on;
    if (set & AX_TRACER_RATIO)
        to->ratio = from->ratio;
    if (set & AX_TRACER_COUNT)
        to->count = from->count;
    if (set & AX_TRACER_FREQUENCY)
        to->log_frequency = from->log_frequency;
}

static struct ax_tracer_rule
rule_in(const struct ax_tracer_rules *rules, ax_str model)
{
    struct ax_tracer_rule rule = rules->all;
    const struct ax_tracer_own *own = own_of(rules, model);
    if (own)
        put_rule(&rule, &own->rule, own->set);
    return rule;
}

struct ax_tracer_rule
ax_tracer_rule_of(struct ax_tracer *tracer, ax_str model)
{
    ax_mutex_lock(&tracer->mutex);
    struct ax_tracer_rule rule = rule_in(&tracer->rules, model);
    ax_mutex_unlock(&tracer->mutex);
    return rule;
}

/* Under the mutex. NULL when there is no room for one more. */
static struct ax_tracer_own *
own_to_change(struct ax_tracer_rules *rules, ax_str model)
{
    for (size_t i = 0; i < rules->count; i++)
        if (ax_str_eq(model, ax_str_of(rules->models[i].model)))
            return &rules->models[i];
    if (rules->count == AX_TRACER_MODELS_MAX || model.len >= AX_TRACER_MODEL_BYTES)
        return NULL;
    struct ax_tracer_own *own = &rules->models[rules->count++];
    *own = (struct ax_tracer_own){};
    memcpy(own->model, model.at, model.len);
    return own;
}

/* Under the mutex. */
static ax_status
change_rules(struct ax_tracer *tracer, struct ax_ctx *ctx, const struct ax_tracer_change *change)
{
    struct ax_tracer_rules *rules = &tracer->rules;
    if (change->model.len == 0) {
        const struct ax_tracer_rule initial = initial_rule(&tracer->config);
        put_rule(&rules->all, &initial, change->cleared);
        put_rule(&rules->all, &change->rule, change->set);
        return publish(tracer, ctx);
    }
    struct ax_tracer_own *own = own_to_change(rules, change->model);
    if (!own)
        return ax_fail(ctx, AX_LIMIT, "at most %d models have trace settings of their own",
                       (int)AX_TRACER_MODELS_MAX);
    put_rule(&own->rule, &change->rule, change->set);
    own->set = (own->set & ~change->cleared) | change->set;
    if (own->set == 0)
        *own = rules->models[--rules->count]; /* nothing of its own is left */
    return publish(tracer, ctx);
}

ax_status
ax_tracer_change(struct ax_tracer *tracer, struct ax_ctx *ctx,
                 const struct ax_tracer_change *change)
{
    ax_mutex_lock(&tracer->mutex);
    ax_status status = change_rules(tracer, ctx, change);
    ax_cond_signal(&tracer->cond);
    ax_mutex_unlock(&tracer->mutex);
    return status;
}

/* ---- sampling ---- */

bool
ax_tracer_samples(struct ax_tracer *tracer, struct ax_ctx *ctx, ax_str model,
                  const struct ax_exchange_trace *trace, bool parent_sampled)
{
    void *value = NULL;
    if (ax_snapshot_here(tracer->snapshot, ctx, &value) != AX_OK)
        return false; /* no memory even for that: this one is not told */
    const struct ax_tracer_rule rule = rule_in(value, model);
    if (!rule.on || rule.count == 0)
        return false;
    if (tracer->config.follow_parent && trace->parent_id)
        return parent_sampled;
    uint64_t bits = ax_trace_context_number(ctx->trace_id.at + AX_TRACE_SPAN_BYTES);
    return (double)(bits & ((UINT64_C(1) << TRACE_BITS) - 1)) < ldexp(rule.ratio, TRACE_BITS);
}

/* ---- taking ---- */

/* As much as there is room for, of what is UTF-8: a collector refuses all of a batch for less. */
static void
copy_text(char *out, size_t bytes, ax_str text)
{
    size_t len = text.len < bytes ? text.len : bytes - 1;
    while (len > 0 && len < text.len && ((uint8_t)text.at[len] & 0xc0) == 0x80)
        len--;
    if (!ax_utf8_ok((ax_str){text.at, len}))
        len = 0;
    memcpy(out, text.at ? text.at : "", len);
    out[len] = '\0';
}

static void
fill(struct ax_tracer_entry *entry, const struct ax_seen *seen)
{
    memcpy(entry->trace_id, seen->trace_id.at, AX_TRACE_ID_BYTES);
    entry->span_id = seen->trace->span_id;
    entry->parent_id = seen->trace->parent_id;
    entry->real_minus_monotonic_ns = ax_clock_real_ns() - ax_clock_monotonic_ns();
    entry->first_byte_ns = seen->times->first_byte_ns;
    entry->end_ns = seen->end_ns;
    entry->has_phases = seen->phases != NULL;
    if (seen->phases)
        entry->phases = *seen->phases;
    entry->secure = seen->secure;
    entry->status = seen->status;
    entry->grpc_code = seen->grpc_code;
    entry->bytes_in = seen->bytes_in;
    entry->bytes_out = seen->bytes_out;
    entry->route = seen->route;
    entry->rpc_service = seen->rpc_service;
    entry->rpc_method = seen->rpc_method;
    copy_text(entry->method, sizeof entry->method, seen->method);
    copy_text(entry->protocol, sizeof entry->protocol, seen->protocol);
    copy_text(entry->version, sizeof entry->version, seen->version);
    copy_text(entry->model, sizeof entry->model, seen->model);
    copy_text(entry->deployment, sizeof entry->deployment, seen->deployment);
    copy_text(entry->request_id, sizeof entry->request_id, seen->request_id);
    copy_text(entry->state, sizeof entry->state, seen->trace->state);
}

/* One less of trace_count, under the mutex; at none the rule is told to everybody as it is. */
static bool
spend(struct ax_tracer *tracer, ax_str model)
{
    struct ax_tracer_rules *rules = &tracer->rules;
    int64_t *count = &rules->all.count;
    for (size_t i = 0; i < rules->count; i++)
        if ((rules->models[i].set & AX_TRACER_COUNT) &&
            ax_str_eq(model, ax_str_of(rules->models[i].model)))
            count = &rules->models[i].rule.count;
    if (*count == 0)
        return false;
    if (*count > 0 && --*count == 0) {
        struct ax_ctx ctx = ax_ctx_of(NULL);
        ax_ignore(publish(tracer, &ctx), "samplers see it later; none is taken meanwhile");
    }
    return true;
}

void
ax_tracer_take(struct ax_tracer *tracer, const struct ax_seen *seen)
{
    size_t queue_max = (size_t)tracer->config.queue_max;
    ax_mutex_lock(&tracer->mutex);
    bool wanted = spend(tracer, seen->model), fits = tracer->count < queue_max;
    if (wanted && fits) {
        fill(&tracer->ring[(tracer->first + tracer->count) % queue_max], seen);
        tracer->count++;
        ax_cond_signal(&tracer->cond);
    }
    ax_mutex_unlock(&tracer->mutex);
    if (wanted && !fits)
        ax_metric_add(tracer->dropped, 1);
}

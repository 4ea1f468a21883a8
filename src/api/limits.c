#include "api/limits.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/clock.h"
#include "sys/fair_queue.h"
#include "sys/rate_limit.h"

#define NS_PER_MS     INT64_C(1'000'000)
#define NS_PER_SECOND INT64_C(1'000'000'000)
#define FIELD(name)   offsetof(struct ax_limits_config, name)

enum {
    TIMEOUT_DIGITS_MAX = 8,
    RATE_MAX = 1'000'000,
    KEY_COUNT = 16'384, /* callers, models or addresses that are told apart at once */
    COST_BYTES = 1 << 20,
    RETRY_AFTER_SECONDS_MAX = 3'600,
};

static const struct ax_setting rows[] = {
    {"principal_rate", "requests a second of one principal; 0: any", AX_SETTING_COUNT,
     FIELD(principal_rate), 0, 0, RATE_MAX},
    {"principal_burst", "of them at once after a rest; 0: as many as in a second", AX_SETTING_COUNT,
     FIELD(principal_burst), 0, 0, RATE_MAX},
    {"model_rate", "requests a second for one model or deployment; 0: any", AX_SETTING_COUNT,
     FIELD(model_rate), 0, 0, RATE_MAX},
    {"model_burst", "of them at once after a rest; 0: as many as in a second", AX_SETTING_COUNT,
     FIELD(model_burst), 0, 0, RATE_MAX},
    {"address_rate",
     "requests a second of one address (IPv6: of one /64) without a valid credential; 0: any",
     AX_SETTING_COUNT, FIELD(address_rate), 0, 0, RATE_MAX},
    {"address_burst", "of them at once after a rest; 0: as many as in a second", AX_SETTING_COUNT,
     FIELD(address_burst), 0, 0, RATE_MAX},
    {"worker_share_percent",
     "of the workers and of their queue for one model, and of that, and of the cores, for one "
     "caller",
     AX_SETTING_COUNT, FIELD(worker_share_percent), 75, 1, 100},
    {"worker_delay_ms",
     "wait for a worker above which, throughout worker_delay_window_ms, requests that waited twice "
     "as long are refused; 0: never",
     AX_SETTING_DURATION_MS, FIELD(worker_delay_ms), 1'000, 0, 3'600'000},
    {"worker_delay_window_ms", "time in which a queue that is only a burst has emptied once",
     AX_SETTING_DURATION_MS, FIELD(worker_delay_window_ms), 2'000, 1, 3'600'000},
};

const struct ax_settings *
ax_limits_settings(void)
{
    static const struct ax_settings settings = {
        .section = "limits", .rows = rows, .row_count = AX_COUNT_OF(rows)};
    return &settings;
}

/* ---- the object ---- */

enum kind { PRINCIPAL, MODEL, ADDRESS, KIND_COUNT };
enum refusal { FULL, SHARE, LATE, EXPIRED, REFUSAL_COUNT };

struct ax_limits {
    struct ax_workers *workers;
    struct ax_rate_limit *rates[KIND_COUNT];
    struct ax_metric *limited[KIND_COUNT];
    struct ax_metric *refused[REFUSAL_COUNT];
    struct ax_metric *queued, *running;
};

static void
make_metrics(struct ax_limits *limits, struct ax_metrics *metrics)
{
    static const char *const kinds[] = {
        [PRINCIPAL] = "principal", [MODEL] = "model", [ADDRESS] = "address"};
    static const char *const reasons[] = {[FULL] = "full", [SHARE] = "share", [LATE] = "late"};
    for (size_t i = 0; i < KIND_COUNT; i++)
        limits->limited[i] = ax_metrics_series(
            metrics, AX_METRIC_COUNTER, "axiom_rate_limited_total",
            "Requests refused because there were too many a second, by whose they were.", "of",
            kinds[i], NULL);
    for (size_t i = 0; i < EXPIRED; i++)
        limits->refused[i] = ax_metrics_series(
            metrics, AX_METRIC_COUNTER, "axiom_worker_refused_total",
            "Requests that no worker took: its queue or the caller's share of that was full, or "
            "late for good.",
            "why", reasons[i], NULL);
    limits->refused[EXPIRED] = ax_metrics_series(
        metrics, AX_METRIC_COUNTER, "axiom_requests_expired_total",
        "Requests dropped before they were worked on: their deadline had passed.", NULL);
    limits->queued = ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_worker_queued",
                                       "Requests that wait for a worker.", NULL);
    limits->running = ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_worker_running",
                                        "Requests that workers work on.", NULL);
}

ax_status
ax_limits_open(struct ax_ctx *ctx, const struct ax_limits_config *config,
               struct ax_metrics *metrics, struct ax_workers *workers,
               struct ax_limits **out_limits)
{
    ax_auto(ax_limits_close) struct ax_limits *limits = ax_alloc(1, sizeof *limits);
    if (!limits)
        return ax_fail(ctx, AX_LIMIT, "no memory for limits");
    for (size_t i = 0; i < KIND_COUNT; i++)
        AX_TRY(ax_rate_limit_open(ctx, KEY_COUNT, &limits->rates[i]));
    limits->workers = workers;
    make_metrics(limits, metrics);
    ax_limits_set(limits, config);
    *out_limits = ax_take(limits);
    return AX_OK;
}

void
ax_limits_close(struct ax_limits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (limits->rates[i])
            ax_rate_limit_close(limits->rates[i]);
    ax_free(limits);
}

void
ax_limits_set(struct ax_limits *limits, const struct ax_limits_config *config)
{
    const struct ax_rate rates[KIND_COUNT] = {
        [PRINCIPAL] = {config->principal_rate, config->principal_burst},
        [MODEL] = {config->model_rate, config->model_burst},
        [ADDRESS] = {config->address_rate, config->address_burst}};
    const struct ax_workers_limits workers = {.share_percent = (int)config->worker_share_percent,
                                              .delay_ns = config->worker_delay_ms * NS_PER_MS,
                                              .delay_window_ns =
                                                  config->worker_delay_window_ms * NS_PER_MS};
    for (size_t i = 0; i < KIND_COUNT; i++)
        ax_rate_limit_set(limits->rates[i], rates[i]);
    ax_workers_limit(limits->workers, &workers);
}

void
ax_limits_observe(struct ax_limits *limits)
{
    struct ax_workers_totals totals = ax_workers_totals(limits->workers);
    ax_metric_set(limits->queued, (double)totals.queued);
    ax_metric_set(limits->running, (double)totals.running);
}

static void
count(struct ax_limits *limits, enum refusal refusal)
{
    if (limits)
        ax_metric_add(limits->refused[refusal], 1);
}

void
ax_limits_count_expired(struct ax_limits *limits)
{
    count(limits, EXPIRED);
}

/* ---- rates ---- */

/* A principal, a model and an address of one name are three. */
static uint64_t
key_of(char kind, ax_str name)
{
    char text[256];
    size_t len = name.len < sizeof text - 1 ? name.len : sizeof text - 1;
    text[0] = kind;
    memcpy(text + 1, name.at, len);
    return ax_map_hash((ax_str){text, len + 1});
}

static uint64_t
address_key(const struct ax_call *call)
{
    uint64_t network = ax_exchange_network(call->exchange);
    return key_of('a', (ax_str){(const char *)&network, sizeof network});
}

static ax_status
take_token(struct ax_call *call, struct ax_ctx *ctx, enum kind kind, uint64_t key)
{
    static const char *const words[] = {[PRINCIPAL] = "too many requests of yours a second",
                                        [MODEL] = "too many requests a second for this model",
                                        [ADDRESS] = "too many requests a second from this address"};
    struct ax_limits *limits = call->services->limits;
    int64_t wait_ns = ax_rate_limit_take(limits->rates[kind], key, ax_clock_monotonic_ns());
    if (wait_ns == 0)
        return AX_OK;
    int64_t wait_s = (wait_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
    call->retry_after_s = wait_s < RETRY_AFTER_SECONDS_MAX ? wait_s : RETRY_AFTER_SECONDS_MAX;
    call->code = AX_STR("rate");
    ax_metric_add(limits->limited[kind], 1);
    return ax_fail(ctx, AX_LIMIT, "%s: come again in %lld s", words[kind],
                   (long long)call->retry_after_s);
}

/* Rates are off as a rule: then no request pays for a key and a clock. */
static bool
is_limited(const struct ax_call *call, enum kind kind)
{
    const struct ax_limits *limits = call->services->limits;
    return limits && ax_rate_limit_is_on(limits->rates[kind]);
}

ax_status
ax_limits_admit(struct ax_call *call, struct ax_ctx *ctx, bool known)
{
    enum kind kind = known ? PRINCIPAL : ADDRESS;
    if (!is_limited(call, kind))
        return AX_OK;
    return take_token(call, ctx, kind, known ? key_of('p', call->actor.id) : address_key(call));
}

ax_status
ax_limits_model(struct ax_call *call, struct ax_ctx *ctx, ax_str model)
{
    call->model = model;
    return is_limited(call, MODEL) ? take_token(call, ctx, MODEL, key_of('m', model)) : AX_OK;
}

/* ---- deadlines ---- */

bool
ax_limits_timeout_parse(ax_str text, int64_t *out_ns)
{
    static const struct {
        ax_str name;
        int64_t ns;
    } units[] = {{{"", 0}, NS_PER_SECOND},
                 {{"us", 2}, 1'000},
                 {{"ms", 2}, NS_PER_MS},
                 {{"s", 1}, NS_PER_SECOND},
                 {{"m", 1}, 60 * NS_PER_SECOND}};
    int64_t number = 0;
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9') {
        if (digits == TIMEOUT_DIGITS_MAX)
            return false;
        number = number * 10 + (text.at[digits++] - '0');
    }
    ax_str unit = ax_str_from(text, digits);
    for (size_t i = 0; digits > 0 && i < AX_COUNT_OF(units); i++)
        if (ax_str_eq(unit, units[i].name)) {
            *out_ns = number * units[i].ns;
            return true;
        }
    return false;
}

ax_status
ax_limits_read_timeout(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str text = ax_http_header_find(call->request, AX_STR("x-request-timeout"));
    int64_t ns;
    if (!text.at)
        return AX_OK;
    if (!ax_limits_timeout_parse(text, &ns))
        return ax_fail(ctx, AX_INVALID,
                       "X-Request-Timeout is 1 to 8 digits and us, ms, s, m or nothing (seconds)");
    call->deadline_ns = ax_exchange_times(call->exchange)->first_byte_ns + ns;
    return AX_OK;
}

ax_status
ax_limits_check_deadline(struct ax_call *call, struct ax_ctx *ctx)
{
    if (ctx->deadline_ns == INT64_MAX || ax_clock_left_ns(ctx->deadline_ns) > 0)
        return AX_OK;
    count(call->services->limits, EXPIRED);
    return ax_fail(ctx, AX_TIMEOUT, "Request timeout expired: its deadline passed before it began");
}

/* A whole number of a request's parameters, as any client writes it; 0 when it is not there. */
static ax_status
whole_parameter(struct ax_ctx *ctx, const struct ax_tensor_json_parameters *parameters,
                const char *name, int64_t *out_number)
{
    const struct ax_tensor_json_parameter *found = ax_tensor_json_find(parameters, name);
    *out_number = 0;
    if (!found)
        return AX_OK;
    if (found->kind == AX_TENSOR_JSON_U64)
        *out_number = INT64_MAX;
    else if (found->kind == AX_TENSOR_JSON_I64 && found->i64 >= 0)
        *out_number = found->i64;
    else
        return ax_fail(ctx, AX_INVALID, "parameter '%s' is a whole number from 0", name);
    return AX_OK;
}

ax_status
ax_limits_request(struct ax_call *call, struct ax_ctx *ctx,
                  const struct ax_tensor_json_parameters *parameters)
{
    int64_t timeout_us, priority;
    if (parameters->count == 0)
        return AX_OK;
    AX_TRY(whole_parameter(ctx, parameters, "timeout", &timeout_us));
    AX_TRY(whole_parameter(ctx, parameters, "priority", &priority));
    call->priority = priority < UINT32_MAX ? (unsigned)priority : UINT32_MAX;
    if (timeout_us == 0)
        return AX_OK;
    int64_t began_ns =
        call->began_ns ? call->began_ns : ax_exchange_times(call->exchange)->last_byte_ns;
    if (timeout_us < (INT64_MAX - began_ns) / 1'000 &&
        began_ns + timeout_us * 1'000 < ctx->deadline_ns)
        ctx->deadline_ns = began_ns + timeout_us * 1'000;
    return ax_limits_check_deadline(call, ctx);
}

/* ---- the workers' queue ---- */

/* What is asked for: a model, else one of the protocol's other things. */
static uint64_t
group_of(const struct ax_call *call)
{
    if (call->model.len)
        return key_of('m', call->model);
    return key_of('t', (ax_str){(const char *)&call->table, sizeof call->table});
}

/* Who asks: where nobody is known, each address is somebody. */
static uint64_t
flow_of(const struct ax_call *call)
{
    if (call->services->governed && call->actor.id.len)
        return key_of('p', call->actor.id);
    return address_key(call);
}

ax_status
ax_limits_submit(struct ax_call *call, struct ax_ctx *ctx, void (*run)(void *arg),
                 void (*drop)(void *arg, enum ax_work_drop why), void *arg)
{
    size_t cost = 1 + call->request->body.len / COST_BYTES;
    const struct ax_work work = {.run = run,
                                 .drop = drop,
                                 .arg = arg,
                                 .group = group_of(call),
                                 .flow = flow_of(call),
                                 .cost = cost < AX_FAIR_COST_MAX ? (unsigned)cost
                                                                 : (unsigned)AX_FAIR_COST_MAX,
                                 .priority = call->priority,
                                 .computes = call->model.len > 0,
                                 .deadline_ns = ctx->deadline_ns};
    enum ax_work_answer answer = ax_workers_put(call->services->workers, &work);
    if (answer == AX_WORK_TAKEN)
        return AX_OK; /* the call may be gone by now */
    if (answer == AX_WORK_FULL) {
        count(call->services->limits, FULL);
        return ax_fail(ctx, AX_UNAVAILABLE, "too many requests wait for a worker");
    }
    count(call->services->limits, SHARE);
    call->code = AX_STR("share");
    return ax_fail(ctx, AX_LIMIT, "too many requests of yours wait for a worker");
}

ax_status
ax_limits_dropped(struct ax_call *call, struct ax_ctx *ctx, enum ax_work_drop why)
{
    if (why == AX_WORK_EXPIRED) {
        count(call->services->limits, EXPIRED);
        return ax_fail(ctx, AX_TIMEOUT, "the request waited longer than its deadline");
    }
    count(call->services->limits, LATE);
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "the server is behind: this request waited too long for a worker");
}

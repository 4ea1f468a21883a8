#include "api/route.h"

#include "api/browser.h"
#include "api/health_watch.h"
#include "api/limits.h"
#include "api/route_parts.h"
#include "api/rpc_details.h"
#include "auth/credential.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "sys/clock.h"
#include "sys/log.h"

enum { ARENA_BYTES_MAX = 4 << 20, DETAILS_BYTES_MAX = 4'096, PASSWORDS_WAITING_MAX = 32 };

/* What a row of a table is found as: the tables know nothing of each other. */
struct place {
    const struct ax_route *route;
    const struct ax_route_table *table;
};

const struct ax_route_table *const ax_route_tables[] = {
    &ax_health_table,          &ax_inference_rest_table,   &ax_inference_admin_table,
    &ax_tfserving_table,       &ax_torchserve_table,       &ax_torchserve_management_table,
    &ax_mlflow_scoring_table,  &ax_v1_decisions_table,     &ax_v1_models_table,
    &ax_v1_governance_table,   &ax_v1_ledger_table,        &ax_v1_users_table,
    &ax_v1_description_table,  &ax_mlflow_tracking_table,  &ax_mlflow_models_table,
    &ax_mlflow_registry_table, &ax_mlflow_artifacts_table, &ax_mlflow_meta_table,
    &ax_mlflow_users_table,    &ax_mlflow_webhooks_table,  &ax_v1_runs_table,
};

const size_t ax_route_table_count = AX_COUNT_OF(ax_route_tables);

static ax_status admit(void *arg, struct ax_grpc_call *grpc, struct ax_ctx *ctx);
static void failing(void *arg, struct ax_grpc_call *grpc, ax_status status, enum ax_grpc_code code);
static void expired(void *arg);
static void rpc_ended(void *arg, struct ax_grpc_call *grpc, enum ax_grpc_code code);

/* ---- opening ---- */

static ax_status
add_route(struct ax_ctx *ctx, struct ax_api *api, const struct place *place, const char *pattern)
{
    if (ax_path_tree_add(api->paths, pattern, (size_t)place->route->method, place))
        return AX_OK;
    return ax_fail(ctx, AX_INTERNAL, "route %s is there twice", pattern);
}

/* What pages in a browser call: "/api/2.0/..." at "/ajax-api/2.0/...". */
static ax_status
add_twin(struct ax_ctx *ctx, struct ax_api *api, const struct place *place)
{
    ax_str pattern = ax_str_of(place->route->pattern);
    if (!ax_str_starts(pattern, AX_STR("/api/")))
        return AX_OK;
    ax_str twin = ax_str_printf(api->arena, "/ajax-%s", place->route->pattern + 1);
    const char *copy = twin.at ? ax_str_c(api->arena, twin) : NULL;
    return copy ? add_route(ctx, api, place, copy) : ax_fail(ctx, AX_LIMIT, "no memory for routes");
}

static ax_status
add_table(struct ax_ctx *ctx, struct ax_api *api, const struct ax_route_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct place *place = AX_NEW(api->arena, struct place);
        if (!place)
            return ax_fail(ctx, AX_LIMIT, "no memory for routes");
        place->route = &table->routes[i];
        place->table = table;
        AX_TRY(add_route(ctx, api, place, place->route->pattern));
        if (table->tracked)
            AX_TRY(add_twin(ctx, api, place));
    }
    return AX_OK;
}

static bool
is_offered(const struct ax_api_config *config, const struct ax_route_table *table)
{
    bool permits = config->permissions || table != &ax_mlflow_users_table;
    return permits && (config->governed || !table->governed) &&
           (config->governed || config->experiments || !table->tracked);
}

static void
make_metrics(struct ax_api *api)
{
    static const char *const classes[] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    struct ax_metrics *metrics = api->config.metrics;
    for (size_t i = 0; i < AX_COUNT_OF(classes); i++)
        api->requests[i] =
            ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_http_requests_total",
                              "Requests answered, by class of status.", "status", classes[i], NULL);
    api->seconds = ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_http_request_seconds",
                                     "Last byte of a request read to first byte of its answer "
                                     "handed to the kernel.",
                                     NULL);
    api->refused = ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_http_refused_total",
                                     "Requests whose bytes were refused.", NULL);
}

ax_status
ax_api_open(struct ax_ctx *ctx, const struct ax_api_config *config, struct ax_api **out_api)
{
    ax_auto(ax_api_close) struct ax_api *api = ax_alloc(sizeof *api, 1);
    if (!api)
        return ax_fail(ctx, AX_LIMIT, "no memory for the api");
    api->config = *config;
    api->arena = ax_arena_new(ARENA_BYTES_MAX);
    AX_TRY(ax_health_watch_open(ctx, &api->config, &api->config.health_watch));
    api->paths = api->arena ? ax_path_tree_new(api->arena) : NULL;
    if (!api->paths)
        return ax_fail(ctx, AX_LIMIT, "no memory for routes");
    for (size_t i = 0; i < ax_route_table_count; i++)
        if (is_offered(config, ax_route_tables[i]))
            AX_TRY(add_table(ctx, api, ax_route_tables[i]));
    make_metrics(api);
    AX_TRY(ax_access_open(ctx, &api->access));
    if (config->passwords)
        AX_TRY(ax_workers_open(ctx, 1, PASSWORDS_WAITING_MAX, &api->verifier));
    api->grpc = (struct ax_grpc){.arg = api,
                                 .services = ax_rpc_services,
                                 .service_count = ax_rpc_service_count,
                                 .admit = admit,
                                 .failing = failing,
                                 .expired = expired,
                                 .ended = rpc_ended};
    api->observers = (struct ax_observers){config->access_log, config->tracer};
    *out_api = ax_take(api);
    return AX_OK;
}

void
ax_api_close(struct ax_api *api)
{
    if (!api)
        return;
    ax_health_watch_close(api->config.health_watch);
    if (api->verifier)
        ax_workers_close(api->verifier);
    if (api->access)
        ax_access_close(api->access);
    if (api->arena)
        ax_arena_free(api->arena);
    ax_free(api);
}

ax_status
ax_api_look(struct ax_api *api, struct ax_ctx *ctx)
{
    return ax_health_watch_look(api->config.health_watch, ctx);
}

void
ax_api_drain(struct ax_api *api)
{
    ax_health_watch_drain(api->config.health_watch);
}

/* ---- refusing ---- */

/* "//api/v1" is "/api/v1": some clients join a base that ends in a slash. */
static ax_str
plain_path(ax_str path)
{
    while (ax_str_starts(path, AX_STR("//")))
        path = ax_str_from(path, 1);
    return path;
}

/* What a call's listener speaks, a bit a dialect. */
static unsigned
dialects_of(const struct ax_call *call)
{
    const struct ax_api_config *config = call->services;
    size_t listener = (size_t)ax_exchange_listener(call->exchange);
    return listener < config->listener_count ? config->listener_dialects[listener]
                                             : ax_dialects_default();
}

/*
 * Whose form of refusal is due where no route was found: the path's beginning says it, else the
 * first dialect that the listener speaks.
 */
static const struct ax_route_table *
table_of(const struct ax_call *call)
{
    static const struct {
        ax_str start;
        const struct ax_route_table *table;
    } starts[] = {
        {{"/api/2.0", 8}, &ax_mlflow_tracking_table},
        {{"/api/3.0", 8}, &ax_mlflow_tracking_table},
        {{"/ajax-api/", 10}, &ax_mlflow_tracking_table},
        {{"/api/", 5}, &ax_v1_models_table},
        {{"/v2", 3}, &ax_inference_rest_table},
        {{"/v1/", 4}, &ax_tfserving_table},
        {{"/predictions", 12}, &ax_torchserve_table},
        {{"/explanations", 13}, &ax_torchserve_table},
        {{"/invocations", 12}, &ax_mlflow_scoring_table},
        {{"", 0}, &ax_inference_rest_table},
        {{"", 0}, &ax_torchserve_table},
        {{"", 0}, &ax_tfserving_table},
        {{"", 0}, &ax_torchserve_management_table},
        {{"", 0}, &ax_mlflow_scoring_table},
    };
    unsigned spoken = dialects_of(call);
    ax_str path = plain_path(call->request->path);
    for (size_t i = 0; i < AX_COUNT_OF(starts); i++)
        if (ax_str_starts(path, starts[i].start) && (spoken >> starts[i].table->dialect & 1))
            return starts[i].table;
    return &ax_v1_models_table;
}

static void
retry_after(struct ax_call *call)
{
    char text[AX_NUMBER_BYTES_MAX];
    size_t len = ax_format_i64(call->retry_after_s ? call->retry_after_s : 1, text);
    ax_exchange_header(call->exchange, AX_STR("retry-after"), (ax_str){text, len});
}

static void
refuse(struct ax_call *call, int http_status, ax_str words)
{
    const struct ax_route_table *table = call->table ? call->table : table_of(call);
    ax_exchange_restart(call->exchange);
    ax_exchange_set_status(call->exchange, http_status);
    if (http_status == 401)
        ax_exchange_header(call->exchange, AX_STR("www-authenticate"),
                           table->tracked ? AX_STR("Basic realm=\"axiom\"")
                                          : AX_STR("Bearer realm=\"axiom\""));
    if (http_status == 503 || http_status == 429)
        retry_after(call);
    ax_browser_headers(call);
    table->refuse(call, http_status, words, call->code);
}

static void
refuse_status(struct ax_call *call, ax_status status)
{
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    if (status == AX_INTERNAL || status == AX_CORRUPT)
        ax_log(AX_LOG_ERROR, ctx, "request_failed", "path", call->route->pattern, NULL);
    refuse(call, ax_status_http(status), ax_str_of(ctx->error));
}

/* ---- the call's own vocabulary ---- */

struct ax_json_writer *
ax_call_json(struct ax_call *call)
{
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("application/json"));
    call->json = ax_json_writer_of(ax_exchange_body(call->exchange));
    return &call->json;
}

void
ax_call_defer(struct ax_call *call)
{
    AX_ASSERT(call->deferred != NULL); /* a worker's answer is not put off */
    *call->deferred = true;
}

void
ax_call_end(struct ax_call *call, ax_status status)
{
    if (call->end) {
        call->end(call, status);
        return;
    }
    if (status != AX_OK)
        refuse_status(call, status);
    ax_exchange_finish(call->exchange);
}

ax_status
ax_call_query(struct ax_call *call, struct ax_ctx *ctx, const char *name, ax_str *out_value)
{
    ax_str raw = ax_http_query_find(call->request->query, ax_str_of(name));
    *out_value = AX_STR("");
    return raw.at && raw.len ? ax_http_query_decode(ctx, raw, out_value) : AX_OK;
}

ax_status
ax_call_number(struct ax_call *call, struct ax_ctx *ctx, int parameter, int64_t *out_value)
{
    ax_str text = call->parameters[parameter];
    bool plain = text.len == 1 || (text.len > 1 && text.at[0] != '0' && text.at[0] != '-');
    if (!plain || !ax_parse_i64(text, out_value) || *out_value < 0)
        return ax_fail(ctx, AX_NOT_FOUND, "\"%.*s\" is no number of a version", AX_FMT(text));
    return AX_OK;
}

/* ---- the head: which route, who asks, may they ---- */

static void
allow_header(struct ax_call *call, const struct ax_path_match *match)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    ax_str allow = AX_STR("");
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (match->entries[i])
            allow = ax_str_printf(ctx->arena, "%.*s%s%s", AX_FMT(allow), allow.len ? ", " : "",
                                  names[i]);
    if (allow.at)
        ax_exchange_header(call->exchange, AX_STR("allow"), allow);
}

/* Whether the listener speaks the dialect that a path belongs to. */
static bool
is_spoken(const struct ax_call *call, const struct ax_path_match *match)
{
    for (size_t i = 0; i < AX_PATH_METHODS_MAX; i++)
        if (match->entries[i])
            return dialects_of(call) >> ((const struct place *)match->entries[i])->table->dialect &
                   1;
    return false;
}

/* 0 when the route was found; else the status of the refusal. */
static int
find_route(struct ax_api *api, struct ax_call *call)
{
    struct ax_path_match match;
    if (!ax_path_tree_find(api->paths, plain_path(call->request->path), &match))
        return 404;
    enum ax_http_method method = call->request->method;
    if (method == AX_HTTP_HEAD)
        method = AX_HTTP_GET;
    const struct place *place = (size_t)method < AX_PATH_METHODS_MAX ? match.entries[method] : NULL;
    if (!is_spoken(call, &match))
        return 404;
    if (!place) {
        for (size_t i = 0; i < AX_PATH_METHODS_MAX; i++)
            if (match.entries[i])
                call->table = ((const struct place *)match.entries[i])->table;
        refuse(call, 405, AX_STR("Method Not Allowed"));
        allow_header(call, &match);
        return 405;
    }
    call->route = place->route;
    call->table = place->table;
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    for (size_t i = 0; i < match.word_count; i++)
        if (ax_http_path_decode(ctx, match.words[i], &call->parameters[i]) != AX_OK)
            return 400;
    return 0;
}

/* Who asks and whether they may; in development mode, whoever reaches the loopback address. */
static ax_status
authenticate(struct ax_api *api, struct ax_call *call, struct ax_ctx *ctx,
             enum ax_permission permission)
{
    ctx->actor = &call->actor;
    if (!api->config.governed) {
        call->actor = (struct ax_actor){.id = AX_STR("developer"),
                                        .kind = AX_ACTOR_PERSON,
                                        .authenticated_by = AX_STR("development")};
        return AX_OK;
    }
    if (permission == AX_PERMISSION_PUBLIC)
        return AX_OK;
    AX_TRY(ax_access_identify(call, ctx));
    return call->unverified ? AX_OK : ax_access_check(api->access, call, ctx, permission);
}

static struct ax_call *
new_call(struct ax_api *api, struct ax_exchange *exchange)
{
    struct ax_loop_data *data = ax_exchange_loop_data(exchange);
    struct ax_call *call = AX_NEW(ax_exchange_ctx(exchange)->arena, struct ax_call);
    if (!call)
        return NULL;
    *call = (struct ax_call){.api = api,
                             .services = &api->config,
                             .exchange = exchange,
                             .request = ax_exchange_request(exchange),
                             .lane = data->lane,
                             .deadline_ns = INT64_MAX};
    ax_observe_begin(call);
    return call;
}

/* Who it is, whether they may, and whether it is not too much of them; probes are never that. */
static ax_status
let_in(struct ax_api *api, struct ax_call *call, struct ax_ctx *ctx, enum ax_permission permission)
{
    bool probe = call->grpc ? ax_grpc_service(call->grpc) == &ax_health_grpc_service
                            : call->table == &ax_health_table;
    ax_status known = authenticate(api, call, ctx, permission);
    bool shown = known == AX_OK || known == AX_DENIED; /* who they are */
    bool nobody =
        !api->config.governed || permission == AX_PERMISSION_PUBLIC || call->unverified || !shown;
    ax_status fits = probe ? AX_OK : ax_limits_admit(call, ctx, !nobody);
    return fits != AX_OK ? fits : known;
}

/* The head of a gRPC call: what its method asks of the caller. */
static ax_status
admit(void *arg, struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_api *api = arg;
    const struct ax_rpc *rpc = ax_grpc_method(grpc)->more;
    struct ax_call *call = new_call(api, ax_grpc_exchange(grpc));
    if (!call)
        return ax_fail(ctx, AX_LIMIT, "no memory for a call");
    call->grpc = grpc;
    *ax_grpc_slot(grpc) = call;
    if (!(dialects_of(call) >> AX_DIALECT_INFERENCE & 1))
        return ax_fail(ctx, AX_UNSUPPORTED, "this listener does not speak gRPC");
    AX_TRY(let_in(api, call, ctx, rpc->permission));
    ax_observe_admitted(call);
    return AX_OK;
}

static void
expired(void *arg)
{
    const struct ax_api *api = arg;
    ax_limits_count_expired(api->config.limits);
}

/* What a failed call says for programs, beside its words. */
static void
failing(void *, struct ax_grpc_call *grpc, ax_status status, enum ax_grpc_code code)
{
    const struct ax_call *call = *ax_grpc_slot(grpc);
    const struct ax_ctx *ctx = ax_grpc_ctx(grpc);
    const struct ax_rpc_failure failure = {.status = status,
                                           .code = (int)code,
                                           .words = ax_str_of(ctx->error),
                                           .reason = call ? call->code : AX_STR(""),
                                           .retry_after_s = call ? call->retry_after_s : 0,
                                           .trace_id = ctx->trace_id};
    ax_writer_auto struct ax_writer details = ax_writer_of(DETAILS_BYTES_MAX);
    ax_rpc_details(&failure, &details);
    if (details.status == AX_OK)
        ax_grpc_set_details(grpc, ax_writer_str(&details));
}

/* A gRPC call is over. */
static void
rpc_ended(void *arg, struct ax_grpc_call *grpc, enum ax_grpc_code code)
{
    const struct ax_api *api = arg;
    ax_observe_answered(&api->observers, ax_grpc_exchange(grpc), *ax_grpc_slot(grpc), (int)code);
}

/* Whether the call goes on; else it has its answer. */
static bool
finds_its_route(struct ax_api *api, struct ax_call *call)
{
    ax_str words = AX_STR("");
    ax_browser_headers(call);
    int status = ax_browser_answers(call);
    if (status == 0)
        status = find_route(api, call);
    if (status == 404)
        refuse(call, 404, AX_STR("Not Found"));
    else if (status == 400)
        refuse(call, 400, AX_STR("the path has a bad percent escape"));
    else if (status == 403)
        refuse(call, 403, AX_STR("pages of this origin may not do that"));
    if (status == 0 && call->table->guard && (status = call->table->guard(call, &words)) != 0) {
        call->code = AX_STR("guard");
        refuse(call, status, words);
    }
    if (status != 0)
        ax_exchange_finish(call->exchange);
    return status == 0;
}

static void
take(void *, struct ax_exchange *exchange)
{
    ax_call_take(*ax_exchange_slot(exchange));
}

/* How long its body may be, and whether it is gathered or taken in pieces. */
static ax_status
expect_body(struct ax_call *call, struct ax_ctx *ctx, struct ax_http_limits *limits)
{
    if (call->route->take) {
        limits->body_bytes_max = AX_ROUTE_PIECE_BYTES_MAX;
        return ax_exchange_take_body(call->exchange, take)
                   ? AX_OK
                   : ax_fail(ctx, AX_LIMIT, "no memory for a body");
    }
    bool stranger = call->unverified && !call->unverified->lately;
    limits->body_bytes_max = call->route->body_bytes_max && !stranger ? call->route->body_bytes_max
                                                                      : (size_t)AX_ROUTE_SMALL_BODY;
    return AX_OK;
}

static void
head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    struct ax_api *api = arg;
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    if (ax_grpc_is(ax_exchange_request(exchange))) {
        ax_grpc_head(&api->grpc, exchange, limits);
        return;
    }
    struct ax_call *call = new_call(api, exchange);
    if (!call) {
        ax_exchange_answer(exchange, 503, AX_STR("text/plain"), AX_STR("no memory"));
        return;
    }
    *ax_exchange_slot(exchange) = call;
    if (!finds_its_route(api, call))
        return;
    ax_status status = let_in(api, call, ctx, call->route->permission);
    if (status == AX_OK)
        status = ax_limits_read_timeout(call, ctx);
    if (status == AX_OK) {
        ax_observe_admitted(call);
        status = expect_body(call, ctx, limits);
    }
    if (status != AX_OK)
        ax_call_end(call, status);
}

/* ---- the rest of the service ---- */

static void
handle(void *, struct ax_exchange *exchange)
{
    if (ax_grpc_is(ax_exchange_request(exchange))) {
        ax_grpc_handle(exchange);
        return;
    }
    struct ax_call *call = *ax_exchange_slot(exchange);
    AX_ASSERT(call != NULL && call->route != NULL);
    ax_observe_handle(call);
    ax_call_run(call);
}

static void
refused(void *arg, struct ax_exchange *exchange, int status, ax_str reason)
{
    if (ax_grpc_is(ax_exchange_request(exchange))) {
        ax_grpc_refused(exchange, status, reason);
        return;
    }
    struct ax_api *api = arg;
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    struct ax_call *call = *ax_exchange_slot(exchange);
    ax_metric_add(api->refused, 1);
    if (!call) {
        call = AX_NEW(ctx->arena, struct ax_call);
        if (!call)
            return;
        *call = (struct ax_call){.api = api,
                                 .services = &api->config,
                                 .exchange = exchange,
                                 .request = ax_exchange_request(exchange)};
    }
    const struct ax_route_table *table = call->table ? call->table : table_of(call);
    table->refuse(call, status, reason, AX_STR(""));
}

static void
answered(void *arg, struct ax_exchange *exchange)
{
    struct ax_api *api = arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_answered(exchange);
    else
        ax_observe_answered(&api->observers, exchange, *ax_exchange_slot(exchange), -1);
    const struct ax_exchange_times *times = ax_exchange_times(exchange);
    int class = ax_exchange_status(exchange) / 100;
    if (class >= 0 && class < (int)AX_COUNT_OF(api->requests))
        ax_metric_add(api->requests[class], 1);
    if (times->written_ns && times->last_byte_ns)
        ax_metric_observe_ns(api->seconds, times->written_ns - times->last_byte_ns);
}

static ax_status
loop_init(void *arg, struct ax_ctx *ctx, struct ax_loop *, void **out_data)
{
    struct ax_api *api = arg;
    struct ax_loop_data *data = ax_alloc(sizeof *data, 1);
    if (!data)
        return ax_fail(ctx, AX_LIMIT, "no memory for a loop");
    ax_status status = ax_lane_open(ctx, api->config.server, &data->lane);
    if (status != AX_OK) {
        ax_free(data);
        return status;
    }
    *out_data = data;
    return AX_OK;
}

static void
loop_done(void *, void *arg)
{
    struct ax_loop_data *data = arg;
    if (!data)
        return;
    ax_lane_close(data->lane);
    ax_free(data);
}

struct ax_exchange_service
ax_api_service(struct ax_api *api)
{
    return (struct ax_exchange_service){
        .arg = api,
        .head = head,
        .handler = handle,
        .refused = refused,
        .answered = answered,
        .loop_init = loop_init,
        .loop_done = loop_done,
    };
}

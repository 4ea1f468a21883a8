/* /healthz, /readyz and /metrics: what orchestrators and Prometheus ask. */
#include "api/route.h"
#include "base/number.h"

static ax_status
healthz(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "status", AX_STR("alive"));
    ax_json_member_text(json, "version", AX_STR(AX_VERSION));
    ax_json_end_object(json);
    return AX_OK;
}

/* 503 while a part that decisions need is away; the body says which. */
static ax_status
readyz(struct ax_call *call, struct ax_ctx *)
{
    const struct ax_api_host *host = &call->services->host;
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "parts");
    ax_json_begin_object(json);
    bool ready = host->ready(host->arg, json);
    ax_json_end_object(json);
    ax_json_member_bool(json, "ready", ready);
    ax_json_end_object(json);
    if (!ready)
        ax_exchange_set_status(call->exchange, 503);
    return AX_OK;
}

/* ---- metrics ---- */

/* A parameter of one entry of Accept, "text/plain;version=0.0.4;q=0.5"; "" without. */
static ax_str
parameter_of(ax_str entry, ax_str name)
{
    ax_str piece, key;
    for (bool type = true; ax_str_cut(&entry, ';', &piece); type = false)
        if (!type && ax_str_cut(&piece, '=', &key) && piece.at &&
            ax_str_eq_ignoring_case(ax_str_trim(key), name))
            return ax_str_trim(piece);
    return AX_STR("");
}

/* Which format an entry of Accept means; false when it is none that is spoken. */
static bool
format_of(ax_str entry, enum ax_metrics_format *out_format)
{
    ax_str rest = entry, type;
    if (!ax_str_cut(&rest, ';', &type))
        return false;
    type = ax_str_trim(type);
    ax_str version = parameter_of(entry, AX_STR("version"));
    if (ax_str_eq_ignoring_case(type, AX_STR("application/vnd.google.protobuf")) &&
        ax_str_eq(parameter_of(entry, AX_STR("proto")),
                  AX_STR("io.prometheus.client.MetricFamily")) &&
        ax_str_eq(parameter_of(entry, AX_STR("encoding")), AX_STR("delimited"))) {
        *out_format = AX_METRICS_PROTOBUF;
        return true;
    }
    *out_format = AX_METRICS_OPENMETRICS;
    if (ax_str_eq_ignoring_case(type, AX_STR("application/openmetrics-text")))
        return version.len == 0 || ax_str_eq(version, AX_STR("1.0.0"));
    *out_format = AX_METRICS_TEXT;
    return ax_str_eq_ignoring_case(type, AX_STR("text/plain")) || ax_str_eq(type, AX_STR("*/*"));
}

/* The format that the client likes best; of several, the first it names. Else the plain text. */
static enum ax_metrics_format
negotiate(ax_str accept)
{
    enum ax_metrics_format best = AX_METRICS_TEXT, format;
    double best_weight = 0.0;
    ax_str entry;
    while (ax_str_cut(&accept, ',', &entry)) {
        double weight = 1.0;
        ax_str text = parameter_of(entry, AX_STR("q"));
        if (text.len && !ax_parse_f64(text, &weight))
            continue;
        if (weight > best_weight && format_of(entry, &format)) {
            best = format;
            best_weight = weight;
        }
    }
    return best;
}

static ax_status
metrics(struct ax_call *call, struct ax_ctx *)
{
    static const ax_str types[] = {
        {"text/plain; version=0.0.4; charset=utf-8", 40},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", 58},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
         "encoding=delimited",
         92},
    };
    const struct ax_api_host *host = &call->services->host;
    enum ax_metrics_format format = negotiate(ax_http_header_find(call->request, AX_STR("accept")));
    host->observe(host->arg);
    ax_exchange_header(call->exchange, AX_STR("content-type"), types[format]);
    ax_metrics_print_as(call->services->metrics, format, ax_exchange_body(call->exchange));
    return AX_OK;
}

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/healthz", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, healthz,
     "Whether the program runs"},
    {AX_HTTP_GET, "/readyz", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, readyz,
     "Whether it can decide, and which part is away"},
    {AX_HTTP_GET, "/metrics", AX_PERMISSION_PUBLIC, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, metrics,
     "Metrics as Prometheus text"},
};

const struct ax_route_table ax_health_table = {routes, AX_COUNT_OF(routes), false, false,
                                               ax_problem_refuse_plain};

#include "api/log_line.h"

#include "api/observe.h"
#include "base/alloc.h"
#include "codec/trace_context.h"
#include "sys/clock.h"

enum { HASH_BITS = 32 };

static struct ax_metric *
lines_metric(const struct ax_log_lines_config *config, struct ax_metrics *metrics,
             const char *result)
{
    return ax_metrics_series(metrics, AX_METRIC_COUNTER, config->metric, config->meaning, "result",
                             result, NULL);
}

ax_status
ax_log_lines_open(struct ax_ctx *ctx, const struct ax_log_lines_config *config,
                  struct ax_metrics *metrics, struct ax_log_lines **out_lines)
{
    struct ax_log_lines *lines = ax_alloc(1, config->log_bytes);
    if (!lines)
        return ax_fail(ctx, AX_LIMIT, "no memory for the %s", config->log);
    const struct ax_line_file_config file = {
        .path = config->path,
        .buffer_bytes = (size_t)config->buffer_bytes,
        .secret = config->secret,
        .written = lines_metric(config, metrics, "written"),
        .dropped = lines_metric(config, metrics, "dropped"),
        .failed = lines_metric(config, metrics, "failed"),
    };
    lines->dropped = file.dropped;
    lines->threshold = ax_log_line_threshold(config->sample_ratio);
    ax_status status = ax_line_file_open(ctx, &file, &lines->file);
    if (status != AX_OK) {
        ax_free(lines);
        return ax_explain(ctx, status, "%s", config->log);
    }
    *out_lines = lines;
    return AX_OK;
}

void
ax_log_lines_close(struct ax_log_lines *lines)
{
    if (!lines)
        return;
    ax_line_file_close(lines->file);
    ax_free(lines);
}

void
ax_log_lines_reopen(struct ax_log_lines *lines)
{
    if (lines)
        ax_line_file_reopen(lines->file);
}

/* ---- a line ---- */

/* FNV-1a, its bits mixed: the same on every server, unlike the hashes of base/map. */
static uint64_t
hash_of(ax_str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.at[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 31;
}

uint64_t
ax_log_line_threshold(double ratio)
{
    return (uint64_t)(ratio * (double)(UINT64_C(1) << HASH_BITS));
}

bool
ax_log_line_keeps(uint64_t threshold, ax_str request_id)
{
    return hash_of(request_id) >> HASH_BITS < threshold;
}

void
ax_log_line_text(struct ax_json_writer *json, const char *key, ax_str value)
{
    if (value.len)
        ax_json_member_text(json, key, value);
}

void
ax_log_line_begin(struct ax_json_writer *json, const struct ax_seen *seen)
{
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(json, "time", ax_clock_format(ax_clock_real_ns(), time));
    ax_json_member_text(json, "request_id", seen->request_id);
    ax_json_member_text(json, "trace_id", seen->trace_id);
}

void
ax_log_line_asked(struct ax_json_writer *json, const struct ax_seen *seen)
{
    ax_json_key(json, "protocol");
    if (seen->grpc_code >= 0)
        ax_json_put_text(json, AX_STR("grpc"));
    else
        ax_json_put_text(json, seen->protocol.at[0] == '2' ? AX_STR("http/2") : AX_STR("http/1"));
    if (seen->rpc_method) {
        ax_json_member_text(json, "service", ax_str_of(seen->rpc_service));
        ax_json_member_text(json, "method", ax_str_of(seen->rpc_method));
    } else {
        ax_json_member_text(json, "method", seen->method);
        ax_log_line_text(json, "route", ax_str_of(seen->route));
    }
    ax_log_line_text(json, "model", seen->model);
    ax_log_line_text(json, "version", seen->version);
    ax_log_line_text(json, "deployment", seen->deployment);
}

void
ax_log_line_answered(struct ax_json_writer *json, const struct ax_seen *seen)
{
    ax_json_member_i64(json, "status", seen->status);
    if (seen->grpc_code >= 0)
        ax_json_member_i64(json, "grpc_status", seen->grpc_code);
}

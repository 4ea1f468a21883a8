#include "api/access_log.h"

#include "api/log_line.h"
#include "api/observe.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "codec/trace_context.h"
#include "sys/line_file.h"

enum { LINE_BYTES_MAX = 8 << 10, REFUSED = 400 };

#define FIELD(name) offsetof(struct ax_access_log_config, name)

static const struct ax_setting rows[] = {
    {"file", "lines of JSON about requests; empty: none; stderr: standard error", AX_SETTING_TEXT,
     FIELD(file), 0, 0, 0, ""},
    {"sample_ratio", "share of the requests, by their id; refusals are always in it",
     AX_SETTING_NUMBER, FIELD(sample_ratio), 1, 0, 1},
    {"buffer_bytes", "lines that wait to be written; what does not fit is dropped and counted",
     AX_SETTING_BYTES, FIELD(buffer_bytes), 1 << 20, 16 << 10, 1 << 30},
};

const struct ax_settings ax_access_log_settings = {
    .section = "access_log", .rows = rows, .row_count = AX_COUNT_OF(rows)};

struct ax_access_log {
    struct ax_line_file *file;
    uint64_t threshold; /* log_line.h */
};

static struct ax_metric *
lines(struct ax_metrics *metrics, const char *result)
{
    return ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_access_log_lines_total",
                             "Lines of the access log, by what became of them.", "result", result,
                             NULL);
}

ax_status
ax_access_log_open(struct ax_ctx *ctx, const struct ax_access_log_config *config,
                   struct ax_metrics *metrics, struct ax_access_log **out_log)
{
    *out_log = NULL;
    if (config->file.len == 0)
        return AX_OK;
    struct ax_access_log *log = ax_alloc(1, sizeof *log);
    if (!log)
        return ax_fail(ctx, AX_LIMIT, "no memory for the access log");
    const struct ax_line_file_config file = {
        .path = ax_str_eq(config->file, AX_STR("stderr")) ? AX_STR("") : config->file,
        .buffer_bytes = (size_t)config->buffer_bytes,
        .written = lines(metrics, "written"),
        .dropped = lines(metrics, "dropped"),
        .failed = lines(metrics, "failed"),
    };
    log->threshold = ax_log_line_threshold(config->sample_ratio);
    ax_status status = ax_line_file_open(ctx, &file, &log->file);
    if (status != AX_OK) {
        ax_free(log);
        return ax_explain(ctx, status, "access log");
    }
    *out_log = log;
    return AX_OK;
}

void
ax_access_log_close(struct ax_access_log *log)
{
    if (!log)
        return;
    ax_line_file_close(log->file);
    ax_free(log);
}

void
ax_access_log_reopen(struct ax_access_log *log)
{
    if (log)
        ax_line_file_reopen(log->file);
}

/* ---- a line ---- */

static void
put_names(struct ax_json_writer *json, const struct ax_seen *seen)
{
    char span[AX_TRACE_SPAN_BYTES];
    ax_trace_context_hex(seen->trace->span_id, span);
    ax_log_line_begin(json, seen);
    ax_json_member_text(json, "span_id", (ax_str){span, sizeof span});
    ax_log_line_text(json, "principal", seen->principal);
    ax_json_member_text(json, "peer", seen->peer);
    ax_log_line_asked(json, seen);
}

static void
put_numbers(struct ax_json_writer *json, const struct ax_seen *seen)
{
    ax_log_line_answered(json, seen);
    ax_json_member_i64(json, "bytes_in", (int64_t)seen->bytes_in);
    ax_json_member_i64(json, "bytes_out", (int64_t)seen->bytes_out);
    ax_json_key(json, "ns");
    ax_json_begin_object(json);
    ax_json_member_i64(json, "total", seen->end_ns - seen->times->first_byte_ns);
    for (int phase = 0; seen->phases && phase < AX_PHASE_COUNT; phase++)
        if (seen->phases->began_ns[phase])
            ax_json_member_i64(json, ax_phase_name((enum ax_phase)phase),
                               seen->phases->took_ns[phase]);
    ax_json_end_object(json);
}

static bool
is_kept(const struct ax_access_log *log, const struct ax_seen *seen)
{
    bool refused = seen->status >= REFUSED || seen->grpc_code > 0;
    return refused || ax_log_line_keeps(log->threshold, seen->request_id);
}

void
ax_access_log_write(struct ax_access_log *log, const struct ax_seen *seen)
{
    if (!is_kept(log, seen))
        return;
    ax_fault_benign_begin(); /* what cannot be told for want of memory stops nothing */
    ax_writer_auto struct ax_writer line = ax_writer_of(LINE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&line);
    ax_json_begin_object(&json);
    put_names(&json, seen);
    put_numbers(&json, seen);
    ax_json_end_object(&json);
    if (line.status == AX_OK)
        ax_line_file_put(log->file, ax_writer_str(&line));
    ax_fault_benign_end();
}

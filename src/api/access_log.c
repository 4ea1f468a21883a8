#include "api/access_log.h"

#include "api/log_line.h"
#include "api/observe.h"
#include "base/fault.h"
#include "codec/trace_context.h"

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
    struct ax_log_lines lines;
};

ax_status
ax_access_log_open(struct ax_ctx *ctx, const struct ax_access_log_config *config,
                   struct ax_metrics *metrics, struct ax_access_log **out_log)
{
    struct ax_log_lines *lines;
    *out_log = NULL;
    if (config->file.len == 0)
        return AX_OK;
    const struct ax_log_lines_config file = {
        .log = "access log",
        .log_bytes = sizeof(struct ax_access_log),
        .metric = "axiom_access_log_lines_total",
        .meaning = "Lines of the access log, by what became of them.",
        .path = ax_str_eq(config->file, AX_STR("stderr")) ? AX_STR("") : config->file,
        .sample_ratio = config->sample_ratio,
        .buffer_bytes = config->buffer_bytes,
    };
    AX_TRY(ax_log_lines_open(ctx, &file, metrics, &lines));
    *out_log = (struct ax_access_log *)lines;
    return AX_OK;
}

void
ax_access_log_close(struct ax_access_log *log)
{
    ax_log_lines_close((struct ax_log_lines *)log);
}

void
ax_access_log_reopen(struct ax_access_log *log)
{
    ax_log_lines_reopen((struct ax_log_lines *)log);
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
    return refused || ax_log_line_keeps(log->lines.threshold, seen->request_id);
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
        ax_line_file_put(log->lines.file, ax_writer_str(&line));
    ax_fault_benign_end();
}

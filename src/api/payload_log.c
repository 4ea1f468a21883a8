#include "api/payload_log.h"

#include "api/log_line.h"
#include "api/observe.h"
#include "base/fault.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "sys/log.h"

enum {
    NAMES_BYTES_MAX = 16 << 10,
    ESCAPED_BYTES_MAX = 6,    /* of a byte of text in JSON */
    PAYLOADS_IN_BUFFER = 4,   /* a line has two of them, and base64 takes a third more */
    TREE_BYTES_PER_BYTE = 24, /* "1," becomes a value */
    TREE_BYTES = 64 << 10,
};

#define FIELD(name) offsetof(struct ax_payload_log_config, name)

static const struct ax_setting rows[] = {
    {"file",
     "lines of JSON with what was asked of models and what they answered, in the clear; empty: "
     "none",
     AX_SETTING_TEXT, FIELD(file), 0, 0, 0, ""},
    {"sample_ratio", "share of these requests, by their id", AX_SETTING_NUMBER, FIELD(sample_ratio),
     1, 0, 1},
    {"buffer_bytes", "lines that wait to be written; what does not fit is dropped and counted",
     AX_SETTING_BYTES, FIELD(buffer_bytes), 8 << 20, 64 << 10, 1 << 30},
    {"payload_bytes_max", "of a request and of an answer; what is longer is cut, and marked",
     AX_SETTING_BYTES, FIELD(payload_bytes_max), 64 << 10, 0, 64 << 20},
    {"governed",
     "whether a governed server may have one: no role guards it and no erasure reaches it",
     AX_SETTING_SWITCH, FIELD(governed), 0, 0, 1},
};

const struct ax_settings ax_payload_log_settings = {
    .section = "payload_log", .rows = rows, .row_count = AX_COUNT_OF(rows)};

struct ax_payload_log {
    struct ax_log_lines lines;
    size_t payload_bytes_max;
};

/* ---- opening ---- */

static ax_status
check(struct ax_ctx *ctx, const struct ax_payload_log_config *config, bool governed)
{
    if (governed && !config->governed)
        return ax_fail(ctx, AX_DENIED,
                       "payload_log.file writes what people are judged by in the clear, beside the "
                       "ledger, where no role guards it and no erasure reaches it: a governed "
                       "server does that only where payload_log.governed is true");
    if (ax_str_eq(config->file, AX_STR("stderr")))
        return ax_fail(ctx, AX_INVALID,
                       "payload_log.file must be a file of its own: what is written to standard "
                       "error, others may read");
    if (config->buffer_bytes / PAYLOADS_IN_BUFFER < config->payload_bytes_max)
        return ax_fail(ctx, AX_INVALID,
                       "payload_log.buffer_bytes must be %d times payload_log.payload_bytes_max or "
                       "more: else a line may not fit",
                       PAYLOADS_IN_BUFFER);
    return AX_OK;
}

ax_status
ax_payload_log_open(struct ax_ctx *ctx, const struct ax_payload_log_config *config, bool governed,
                    struct ax_metrics *metrics, struct ax_payload_log **out_log)
{
    struct ax_log_lines *lines;
    *out_log = NULL;
    if (config->file.len == 0)
        return AX_OK;
    AX_TRY(check(ctx, config, governed));
    const char *path = ax_str_c(ctx->arena, config->file);
    if (!path)
        return ax_fail(ctx, AX_LIMIT, "no memory for the payload log");
    const struct ax_log_lines_config file = {
        .log = "payload log",
        .log_bytes = sizeof(struct ax_payload_log),
        .metric = "axiom_payload_log_lines_total",
        .meaning = "Lines of the payload log, by what became of them.",
        .path = config->file,
        .sample_ratio = config->sample_ratio,
        .buffer_bytes = config->buffer_bytes,
        .secret = true,
    };
    AX_TRY(ax_log_lines_open(ctx, &file, metrics, &lines));
    ax_log(AX_LOG_WARN, NULL, "payloads_in_the_clear", "file", path, "meaning",
           "requests and answers are written as they are: it is personal data, which no role "
           "guards and no erasure reaches; who may read the file, and how long it is kept, is the "
           "operator's to see to",
           NULL);
    *out_log = (struct ax_payload_log *)lines;
    (*out_log)->payload_bytes_max = (size_t)config->payload_bytes_max;
    return AX_OK;
}

void
ax_payload_log_close(struct ax_payload_log *log)
{
    ax_log_lines_close((struct ax_log_lines *)log);
}

void
ax_payload_log_reopen(struct ax_payload_log *log)
{
    ax_log_lines_reopen((struct ax_log_lines *)log);
}

void
ax_payload_log_put_fact(const struct ax_payload_log_config *config, struct ax_writer *out)
{
    ax_cbor_put_map(out, 2);
    ax_cbor_put_u64(out, 1);
    ax_cbor_put_text(out, config->file);
    ax_cbor_put_u64(out, 2);
    ax_cbor_put_f64(out, config->sample_ratio);
}

/* ---- a line ---- */

/* An object or array, strictly: what stands in the line must not break it. */
static bool
is_json(ax_str bytes)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .duplicate_keys = true};
    ax_str begin = ax_str_trim(bytes);
    const struct ax_json *json;
    if (begin.len == 0 || (begin.at[0] != '{' && begin.at[0] != '['))
        return false;
    ax_auto(ax_arena_free) struct ax_arena *arena =
        ax_arena_new(TREE_BYTES + TREE_BYTES_PER_BYTE * bytes.len);
    struct ax_ctx ctx = ax_ctx_of(arena);
    return arena && ax_json_parse(&ctx, bytes, &limits, &json) == AX_OK;
}

/* JSON as it came, but in one line: line ends stand between its tokens only. */
static void
put_json(struct ax_json_writer *json, ax_str bytes)
{
    ax_json_put_raw(json, AX_STR(""));
    for (size_t i = 0, from = 0; i <= bytes.len; i++) {
        if (i < bytes.len && bytes.at[i] != '\n' && bytes.at[i] != '\r')
            continue;
        ax_writer_bytes(json->out, (ax_str){bytes.at + from, i - from});
        from = i + 1;
    }
}

static void
put_base64(struct ax_json_writer *json, ax_str bytes)
{
    ax_json_put_raw(json, AX_STR("\""));
    ax_base64_encode(bytes, json->out);
    ax_writer_char(json->out, '"');
}

/* CloudEvents' three forms: JSON as JSON, text as text, the rest as base64; so is what was cut. */
static void
put_payload(const struct ax_payload_log *log, struct ax_json_writer *json,
            const struct ax_payload *payload)
{
    static const ax_str words = {"json", 4}, text = {"text/", 5};
    bool cut = payload->bytes.len > log->payload_bytes_max;
    bool tree = !cut && is_json(payload->bytes);
    bool told = ax_str_find(payload->type, words) != SIZE_MAX;
    ax_json_begin_object(json);
    ax_log_line_text(json, "datacontenttype",
                     tree && !told ? AX_STR("application/json") : payload->type);
    ax_json_member_i64(json, "bytes", (int64_t)payload->bytes.len);
    ax_log_line_text(json, "inference_header_content_length", payload->split);
    if (cut)
        ax_json_member_bool(json, "cut", true);
    if (payload->bytes.len == 0) {
        ax_json_end_object(json);
        return;
    }
    if (tree) {
        ax_json_key(json, "data");
        put_json(json, payload->bytes);
    } else if (!cut && ax_str_starts(payload->type, text) && ax_utf8_ok(payload->bytes)) {
        ax_json_member_text(json, "data", payload->bytes);
    } else {
        ax_json_key(json, "data_base64");
        put_base64(json,
                   (ax_str){payload->bytes.at, cut ? log->payload_bytes_max : payload->bytes.len});
    }
    ax_json_end_object(json);
}

bool
ax_payload_log_keeps(const struct ax_payload_log *log, ax_str request_id)
{
    return ax_log_line_keeps(log->lines.threshold, request_id);
}

void
ax_payload_log_write(struct ax_payload_log *log, const struct ax_seen *seen,
                     const struct ax_payloads *payloads)
{
    ax_fault_benign_begin(); /* what cannot be told for want of memory stops nothing */
    ax_writer_auto struct ax_writer line =
        ax_writer_of(NAMES_BYTES_MAX + 2 * ESCAPED_BYTES_MAX * log->payload_bytes_max);
    struct ax_json_writer json = ax_json_writer_of(&line);
    ax_json_begin_object(&json);
    ax_log_line_begin(&json, seen);
    ax_json_member_text(&json, "inferenceservicename", payloads->asked);
    ax_log_line_asked(&json, seen);
    ax_log_line_answered(&json, seen);
    ax_log_line_text(&json, "grpc_message", payloads->grpc_message);
    ax_json_key(&json, "request");
    put_payload(log, &json, &payloads->request);
    ax_json_key(&json, "response");
    put_payload(log, &json, &payloads->answer);
    ax_json_end_object(&json);
    if (line.status == AX_OK)
        ax_line_file_put(log->lines.file, ax_writer_str(&line));
    else
        ax_metric_add(log->lines.dropped, 1);
    ax_fault_benign_end();
}

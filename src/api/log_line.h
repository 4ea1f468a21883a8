/*
 * What the access log and the payload log have in common: where their lines go, which requests are
 * in them, and the names they begin with.
 *
 * A request is in by a hash of its id alone, so that all servers it passes keep it or none, and so
 * that a line of one log finds its line in the other.
 */
#pragma once

#include "codec/json.h"
#include "sys/line_file.h"

struct ax_seen;

/* What a log begins with: opening the lines makes the whole log, closing them ends it. */
struct ax_log_lines {
    struct ax_line_file *file;
    struct ax_metric *dropped; /* lines for which there was no room */
    uint64_t threshold;        /* of the requests that are in it */
};

struct ax_log_lines_config {
    const char *log;              /* "access log" */
    size_t log_bytes;             /* of the struct that begins with the lines */
    const char *metric, *meaning; /* of lines, by what became of them; kept */
    ax_str path;                  /* "" is standard error */
    double sample_ratio;
    int64_t buffer_bytes;
    bool secret;
};

/* out_lines: owned; what follows them in the log is zero. Fails: as the file; LIMIT. */
ax_status ax_log_lines_open(struct ax_ctx *ctx, const struct ax_log_lines_config *config,
                            struct ax_metrics *metrics, struct ax_log_lines **out_lines);
void ax_log_lines_close(struct ax_log_lines *lines); /* NULL is fine, here and below */
void ax_log_lines_reopen(struct ax_log_lines *lines);

/* A share of the requests, 0 to 1, as ax_log_line_keeps takes it. */
uint64_t ax_log_line_threshold(double ratio);
bool ax_log_line_keeps(uint64_t threshold, ax_str request_id);

/* A member with a text, unless that is "". */
void ax_log_line_text(struct ax_json_writer *json, const char *key, ax_str value);

/* time, request_id, trace_id. */
void ax_log_line_begin(struct ax_json_writer *json, const struct ax_seen *seen);

/* protocol, method and route or service and method; model, version, deployment; status. */
void ax_log_line_asked(struct ax_json_writer *json, const struct ax_seen *seen);
void ax_log_line_answered(struct ax_json_writer *json, const struct ax_seen *seen);

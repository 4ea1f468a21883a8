/*
 * Triton's settings of logging and of traces, whatever their wire form: read, judged, shown.
 *
 * Logging has a switch a level, which is what sys/log has. Traces have the tracer's rules: their
 * spans go to the collector of the server's settings, never to a file, and never hold tensors.
 *
 * Source: open-inference-protocol.md section 7 (Triton's logging and trace extensions).
 */
#pragma once

#include "api/tracer.h"
#include "codec/json.h"

enum { AX_INFERENCE_LOG_COUNT = 4 }; /* debug, info, warning, error: as enum ax_log_level */

struct ax_inference_log_change {
    bool set[AX_INFERENCE_LOG_COUNT];
    bool on[AX_INFERENCE_LOG_COUNT];
};

/* One value of a gRPC setting, or of a member of JSON. */
struct ax_inference_setting {
    ax_str name;
    enum { AX_SETTING_IS_BOOL, AX_SETTING_IS_NUMBER, AX_SETTING_IS_TEXT } kind;
    bool on;
    uint64_t number;
    ax_str text;
};

/* Adds one setting. Fails: UNSUPPORTED (log_file), INVALID. */
ax_status ax_inference_log_take(struct ax_ctx *ctx, const struct ax_inference_setting *setting,
                                struct ax_inference_log_change *change);

/* body: may be NULL. Fails: as above. */
ax_status ax_inference_log_read(struct ax_ctx *ctx, const struct ax_json *body,
                                struct ax_inference_log_change *out_change);
void ax_inference_log_apply(const struct ax_inference_log_change *change);
void ax_inference_log_show(struct ax_json_writer *json);

/* ---- traces ---- */

/*
 * Adds one setting; value: of a list of several the one of trace_level that counts; without any
 * (count 0) the setting is cleared. Fails: UNSUPPORTED (trace_file, TENSORS), INVALID.
 */
ax_status ax_inference_trace_take(struct ax_ctx *ctx, ax_str name, const ax_str *values,
                                  size_t count, struct ax_tracer_change *change);

/* body: may be NULL. Fails: as above. */
ax_status ax_inference_trace_read(struct ax_ctx *ctx, const struct ax_json *body,
                                  struct ax_tracer_change *change);

/* tracer: NULL when the server has none. Fails: UNAVAILABLE then, if anything is to change. */
ax_status ax_inference_trace_apply(struct ax_ctx *ctx, struct ax_tracer *tracer,
                                   const struct ax_tracer_change *change);
void ax_inference_trace_show(struct ax_tracer *tracer, ax_str model, struct ax_json_writer *json);

/* The same as names and values in turn: show(arg, name, value) for each. */
void ax_inference_trace_each(struct ax_tracer *tracer, ax_str model,
                             void (*show)(void *arg, const char *name, ax_str value), void *arg);

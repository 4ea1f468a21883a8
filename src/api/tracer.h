/*
 * Spans of requests to an OpenTelemetry collector: one for the request, one for each phase.
 *
 * A request is sampled by its caller's word, else by the bits of its trace id, as OpenTelemetry
 * does; what is sampled is copied into a ring and sent by a thread of its own, in batches, again
 * when the collector is away for a while. Nothing waits for it: what does not fit is dropped and
 * counted. Rules may be changed while it runs, for all models or for one, in Triton's terms.
 *
 * Source: W3C Trace Context; opentelemetry-proto; OpenTelemetry's semantic conventions for HTTP
 * (1.27) and RPC; open-inference-protocol.md section 7 (Triton's trace settings).
 */
#pragma once

#include "net/exchange.h"
#include "sys/metrics.h"
#include "sys/settings.h"

struct ax_seen;
struct ax_tracer;

enum { AX_TRACER_MODELS_MAX = 64 }; /* with rules of their own */

struct ax_tracer_config {
    ax_str endpoint;     /* "" is off */
    ax_str headers_file; /* "Name: value" lines, for the collector's credentials; "" for none */
    ax_str service_name;
    double sample_ratio;
    bool follow_parent; /* a caller's sampled flag decides, where there is one */
    int64_t queue_max;  /* requests */
    int64_t batch_max;
    int64_t interval_ms;
    int64_t timeout_ms;
};

extern const struct ax_settings ax_tracer_settings;

/* NULL when it is off. Fails: INVALID (endpoint, headers), LIMIT; as reading the file. */
ax_status ax_tracer_open(struct ax_ctx *ctx, const struct ax_tracer_config *config,
                         struct ax_metrics *metrics, struct ax_tracer **out_tracer);

/* Sends what is there, if the collector takes it within two seconds. NULL is fine. */
void ax_tracer_close(struct ax_tracer *tracer);

/*
 * Whether a request is to be traced. model: "" while it is not known. parent_sampled: what the
 * caller said. Any thread.
 */
bool ax_tracer_samples(struct ax_tracer *tracer, struct ax_ctx *ctx, ax_str model,
                       const struct ax_exchange_trace *trace, bool parent_sampled);

/* A sampled request was answered. Any thread; never waits. */
void ax_tracer_take(struct ax_tracer *tracer, const struct ax_seen *seen);

/* ---- rules, in Triton's terms ---- */

struct ax_tracer_rule {
    bool on;               /* trace_level TIMESTAMPS, or OFF */
    double ratio;          /* 1 / trace_rate */
    int64_t count;         /* trace_count: how many more; -1 for no end */
    int64_t log_frequency; /* sent when so many are there; 0: every interval_ms */
};

/* What a change is about; the others stay. cleared: back to what holds for all models. */
enum { AX_TRACER_ON = 1, AX_TRACER_RATIO = 2, AX_TRACER_COUNT = 4, AX_TRACER_FREQUENCY = 8 };

struct ax_tracer_change {
    ax_str model; /* "" for all */
    struct ax_tracer_rule rule;
    unsigned set, cleared; /* bits of the enum */
};

/* The rule in force. model: "" for all. */
struct ax_tracer_rule ax_tracer_rule_of(struct ax_tracer *tracer, ax_str model);

/* Fails: LIMIT (too many models with rules of their own). */
ax_status ax_tracer_change(struct ax_tracer *tracer, struct ax_ctx *ctx,
                           const struct ax_tracer_change *change);

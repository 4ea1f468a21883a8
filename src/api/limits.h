/*
 * How much of the server one caller may have, and for how long their request is worth working on.
 *
 * Rates of requests by principal, model and, for who is not known, address; deadlines that clients
 * name (X-Request-Timeout, the inference protocol's `timeout`); the place in the workers' queue.
 * Without a struct ax_limits (ax_api_config.limits is NULL) there are no rates and nothing is
 * counted; deadlines and the queue's order are the same.
 */
#pragma once

#include "api/route.h"
#include "codec/tensor_json.h"

struct ax_limits_config { /* section "limits" */
    int64_t principal_rate, principal_burst;
    int64_t model_rate, model_burst;
    int64_t address_rate, address_burst;
    int64_t worker_share_percent;
    int64_t worker_delay_ms;
    int64_t worker_delay_window_ms;
};

const struct ax_settings *ax_limits_settings(void);

/* workers: kept, and limited as config says. Fails: LIMIT. */
ax_status ax_limits_open(struct ax_ctx *ctx, const struct ax_limits_config *config,
                         struct ax_metrics *metrics, struct ax_workers *workers,
                         struct ax_limits **out_limits);
void ax_limits_close(struct ax_limits *limits);
AX_DEFINE_AUTO(struct ax_limits, ax_limits_close);

/* Other limits from now on. Any thread. */
void ax_limits_set(struct ax_limits *limits, const struct ax_limits_config *config);

/* Brings the gauges of the workers up to date. */
void ax_limits_observe(struct ax_limits *limits);

/* A request was dropped elsewhere because its deadline had passed. limits: may be NULL. */
void ax_limits_count_expired(struct ax_limits *limits);

/* ---- for calls ---- */

/*
 * X-Request-Timeout: 1 to 8 digits, and "us", "ms", "s", "m" or nothing, which is "s". In
 * nanoseconds. false when it is none.
 */
[[nodiscard]] bool ax_limits_timeout_parse(ax_str text, int64_t *out_ns);

/* The header's, counted from the request's first byte, into call->deadline_ns. Fails: INVALID. */
ax_status ax_limits_read_timeout(struct ax_call *call, struct ax_ctx *ctx);

/*
 * One more request of this caller; known: they have shown who they are. Fails: LIMIT, and when to
 * come again is in call->retry_after_s.
 */
ax_status ax_limits_admit(struct ax_call *call, struct ax_ctx *ctx, bool known);

/* One more request for this model, which is also whose queue it will wait in. Fails: LIMIT. */
ax_status ax_limits_model(struct ax_call *call, struct ax_ctx *ctx, ax_str model);

/*
 * Takes `timeout` (microseconds from the request's last byte; 0: none) and `priority` (1 is first,
 * 0 the default) of a request into ctx->deadline_ns and call->priority. Fails: INVALID; TIMEOUT
 * when it has passed already.
 */
ax_status ax_limits_request(struct ax_call *call, struct ax_ctx *ctx,
                            const struct ax_tensor_json_parameters *parameters);

/* Fails: TIMEOUT when the deadline has passed: the work is dropped, and that is counted. */
ax_status ax_limits_check_deadline(struct ax_call *call, struct ax_ctx *ctx);

/*
 * Hands the call to a worker: run(arg), or, when it is too late by then, drop(arg, why).
 * Fails: UNAVAILABLE (the queue is full), LIMIT (the caller's share of it is).
 */
ax_status ax_limits_submit(struct ax_call *call, struct ax_ctx *ctx, void (*run)(void *arg),
                           void (*drop)(void *arg, enum ax_work_drop why), void *arg);

/* The words of a drop: TIMEOUT or UNAVAILABLE. */
ax_status ax_limits_dropped(struct ax_call *call, struct ax_ctx *ctx, enum ax_work_drop why);

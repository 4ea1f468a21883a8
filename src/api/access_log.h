/*
 * The access log: one line of JSON for each request that was answered.
 *
 * Who asked for which version, how it ended and how long each phase took; never a feature, never a
 * credential. Off unless a file is named: who keeps lines about people's requests should have said
 * so. Refusals are always in it, the rest by a share of the request ids, so that all servers that
 * a request passes keep it or none.
 */
#pragma once

#include "sys/metrics.h"
#include "sys/settings.h"

struct ax_access_log;
struct ax_seen;

struct ax_access_log_config {
    ax_str file; /* "" is off; "stderr" is standard error */
    double sample_ratio;
    int64_t buffer_bytes;
};

extern const struct ax_settings ax_access_log_settings;

/* NULL when it is off. Fails: as the file; LIMIT. */
ax_status ax_access_log_open(struct ax_ctx *ctx, const struct ax_access_log_config *config,
                             struct ax_metrics *metrics, struct ax_access_log **out_log);
void ax_access_log_close(struct ax_access_log *log); /* NULL is fine, here and below */
void ax_access_log_reopen(struct ax_access_log *log);

/* Any thread; never waits for the file. */
void ax_access_log_write(struct ax_access_log *log, const struct ax_seen *seen);

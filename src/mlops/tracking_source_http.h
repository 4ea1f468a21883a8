/*
 * An MLflow server as a source, over its REST API and its artifact proxy: MLflow's own of version
 * 2 or 3, Axiom, or what answers like them.
 *
 * Nothing that it says is believed: answers are bounded, refusals become one sentence without
 * control characters, and who is busy or away for a moment is asked again a few times. Blocks;
 * one thread at a time.
 */
#pragma once

#include "mlops/tracking_source.h"

struct ax_tracking_source_http_config { /* kept */
    ax_str url;                         /* http://HOST:PORT or https://..., with a prefix or not */
    ax_str authorization;               /* of the header; "" for none */
    ax_str ca_file;                     /* PEM of who vouches for the server; "" */
    int64_t wait_ms;                    /* before it is asked again, doubling; 0: 250 */
};

/* out_source: owned. Fails: INVALID (no such address, or one with a password), LIMIT. */
ax_status ax_tracking_source_http_open(struct ax_ctx *ctx,
                                       const struct ax_tracking_source_http_config *config,
                                       struct ax_tracking_source **out_source);

/*
 * What is counted of each version that is served: requests, rows, and where their time went.
 *
 * The counters are Triton's, under its metric names, so that its dashboards and perf_analyzer read
 * them; Axiom's own metrics lie beside them in another registry. A series lives as long as the
 * registry, so counts go on when the same version is served by the next plan.
 *
 * Source: open-inference-protocol.md sections 5 and 11 (Triton's metrics.md, statistics
 * extension).
 */
#pragma once

#include "sys/metrics.h"

/*   name      label: Triton's reasons of a failure */
#define AX_MODEL_FAILURE_MAP(X)                                                                    \
    X(REJECTED, "REJECTED") /* no room or no time for it */                                        \
    X(CANCELED, "CANCELED") /* never: who is gone is answered all the same */                      \
    X(BACKEND, "BACKEND")   /* the engine failed */                                                \
    X(OTHER, "OTHER")       /* what was asked cannot be answered */

enum ax_model_failure {
#define X(name, label) AX_MODEL_FAILURE_##name,
    AX_MODEL_FAILURE_MAP(X)
#undef X
        AX_MODEL_FAILURE_COUNT
};

/* The series of one version; a value, all of it the registry's. */
struct ax_model_stats {
    struct ax_metric *success;
    struct ax_metric *failures[AX_MODEL_FAILURE_COUNT];
    struct ax_metric *rows;
    struct ax_metric *runs;
    struct ax_metric *failure_ns;
    struct ax_metric *request_ns;
    struct ax_metric *queue_ns;
    struct ax_metric *input_ns;
    struct ax_metric *infer_ns;
    struct ax_metric *output_ns;
    struct ax_metric *last_ms; /* real time of the last run */
};

/* model, version: borrowed. */
struct ax_model_stats ax_model_stats_of(struct ax_metrics *metrics, const char *model,
                                        const char *version);

/* One request that was answered. Times are lengths, >= 0. */
struct ax_model_times {
    size_t row_count;
    int64_t queue_ns;  /* waited for a thread */
    int64_t input_ns;  /* body to rows */
    int64_t infer_ns;  /* in the engine */
    int64_t output_ns; /* results to body */
};

/* real_ns: the time of day. Any thread. */
void ax_model_stats_success(const struct ax_model_stats *stats, const struct ax_model_times *times,
                            int64_t real_ns);

/* A request of this version that was refused or failed after so long. status: not AX_OK. */
void ax_model_stats_failure(const struct ax_model_stats *stats, ax_status status,
                            int64_t request_ns);

/* All of them, whatever the reason. */
int64_t ax_model_stats_failures(const struct ax_model_stats *stats);

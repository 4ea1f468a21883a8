/*
 * The tracer seen from inside: rules and the ring, and the thread that sends.
 */
#pragma once

#include "api/tracer.h"
#include "codec/otlp.h"
#include "codec/trace_context.h"
#include "net/client.h"
#include "sys/mutex.h"
#include "sys/phases.h"
#include "sys/snapshot.h"
#include "sys/workers.h"

enum { AX_TRACER_HEADERS_MAX = 16, AX_TRACER_MODEL_BYTES = 128 };

/* What is kept of a request until it is sent: all of it copied, or as long as the program. */
struct ax_tracer_entry {
    char trace_id[AX_TRACE_ID_BYTES];
    uint64_t span_id, parent_id;
    int64_t real_minus_monotonic_ns;
    int64_t first_byte_ns, end_ns; /* monotonic */
    struct ax_phases phases;
    bool has_phases, secure;
    int status, grpc_code;
    size_t bytes_in, bytes_out;
    const char *route, *rpc_service, *rpc_method;
    char method[16], protocol[4], version[24];
    char model[AX_TRACER_MODEL_BYTES], deployment[AX_TRACER_MODEL_BYTES], request_id[132];
    char state[AX_TRACE_STATE_BYTES_MAX + 1];
};

struct ax_tracer_own { /* a model's: what of the rule is its own */
    char model[AX_TRACER_MODEL_BYTES];
    struct ax_tracer_rule rule;
    unsigned set;
};

struct ax_tracer_rules { /* what a snapshot holds */
    struct ax_tracer_rule all;
    size_t count;
    struct ax_tracer_own models[AX_TRACER_MODELS_MAX];
};

struct ax_tracer {
    struct ax_tracer_config config;
    struct ax_arena *arena; /* of the texts of config and headers */
    struct ax_http_header headers[AX_TRACER_HEADERS_MAX];
    size_t header_count;
    char instance[2 * 8 + 1];
    struct ax_snapshot *snapshot; /* of struct ax_tracer_rules */
    struct ax_metric *exported, *dropped, *failed, *rejected;
    struct ax_thread *thread;
    struct ax_mutex mutex;
    struct ax_cond cond;
    bool stopping;                /* guarded by mutex, as are */
    struct ax_tracer_rules rules; /* a copy of the newest snapshot, */
    struct ax_tracer_entry *ring; /* config.queue_max entries */
    size_t first, count;
};

/* The thread's function: sends batches until the tracer stops. */
void ax_tracer_send_run(void *arg);

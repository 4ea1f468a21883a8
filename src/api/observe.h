/*
 * What is seen of a call: where its time went, its line in the access log, its spans, its payloads.
 *
 * Begun at the head, marked on the way (sys/phases.h), told when the answer is with the kernel.
 * To the access log and the tracer only names, numbers and times leave: never a feature, a
 * credential, a path as it was sent or the words of an error, which may quote what was asked. What
 * was asked of models, and the answer, is for the payload log alone, which is off as a rule.
 */
#pragma once

#include "net/exchange.h"
#include "serving/model_phases.h"

struct ax_access_log;
struct ax_call;
struct ax_lane;
struct ax_loaded_model;
struct ax_tracer;

struct ax_observed { /* of one call; in ax_call */
    struct ax_phases phases;
    const struct ax_model_phases *model; /* the version that answered; NULL: none */
    ax_str deployment;                   /* "" for none; as long as the exchange */
    bool parent_sampled;
    bool counted; /* its messages were, one by one */
};

/* A request that was answered, as the access log and the tracer are told of it. Borrowed. */
struct ax_seen {
    const struct ax_phases *phases; /* NULL: refused before anything was known */
    const struct ax_exchange_times *times;
    const struct ax_exchange_trace *trace;
    int64_t end_ns; /* monotonic */
    ax_str trace_id, request_id, principal, peer, method;
    ax_str protocol;                      /* "1.0", "1.1" or "2" */
    const char *route;                    /* a pattern of a table; "" when none was found */
    const char *rpc_service, *rpc_method; /* NULL over REST */
    ax_str model, version, deployment;
    int status;
    int grpc_code; /* -1 over REST */
    size_t bytes_in, bytes_out;
    bool secure;
};

void ax_observe_begin(struct ax_call *call);

/* Who asks is known, and that they may. */
void ax_observe_admitted(struct ax_call *call);

/* The request is complete and its handler begins; the next message of a stream does, and ends. */
void ax_observe_handle(struct ax_call *call);
void ax_observe_message(struct ax_call *call);
void ax_observe_message_end(struct ax_call *call, ax_str answer);

/* Which version answers. */
void ax_observe_model(struct ax_call *call, struct ax_lane *lane,
                      const struct ax_loaded_model *model);
void ax_observe_decided(struct ax_call *call, const struct ax_model_phases *model,
                        ax_str deployment);

struct ax_observers { /* where it is told; each may be NULL */
    struct ax_access_log *access;
    struct ax_tracer *tracer;
};

/* The answer has gone. call: NULL when there was none. grpc_code: -1 over REST. */
void ax_observe_answered(const struct ax_observers *observers, struct ax_exchange *exchange,
                         const struct ax_call *call, int grpc_code);

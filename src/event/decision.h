/*
 * The record of one decision: all that is needed to explain it, contest it and compute it again.
 *
 * The record is the payload of a DECISION fact (R57): canonical CBOR, sealed under the key of the
 * entity it is about (vault.h). The leaf beside it holds the decision's id, the model's digest and
 * a commitment, and nothing a person could be known by. Late labels and human results are facts of
 * their own that name the decision (R61). Computing a decision again is serving's work; the types
 * to say how it went are here.
 */
#pragma once

#include <stdint.h>

#include "event/event.h"

enum ax_decision_kind { AX_DECISION_MISSING, AX_DECISION_NUMBER, AX_DECISION_TEXT };

struct ax_decision_feature {
    ax_str name;
    enum ax_decision_kind kind;
    double number;    /* of NUMBER, any bits */
    ax_str text;      /* of TEXT */
    ax_str source;    /* "request", or the feature view it came from */
    int64_t as_of_ns; /* the value's own time; 0 when it came with the request (R59) */
};

struct ax_decision_reason {
    ax_str code;
    ax_str text; /* in words, as it was said */
    double contribution;
    ax_str features; /* names, separated by a comma */
};

struct ax_decision_model {
    ax_str name;
    ax_str version;
    ax_digest digest; /* of the bundle */
};

/* What another version would have said: shadow and challengers. */
struct ax_decision_challenger {
    struct ax_decision_model model;
    bool failed; /* the numbers below mean nothing then */
    double margin;
    double probability;
    double score;
    ax_str outcome; /* under the same policy; "" when none was applied */
};

struct ax_decision {
    ax_str id;
    ax_str request_id;
    ax_str deployment;
    ax_str entity;  /* pseudonym of the subject; "" when the caller gave none */
    ax_str product; /* and channel; "" when not known */
    ax_str channel;

    int64_t event_ns;    /* what is decided about happened (the request's time) */
    int64_t decision_ns; /* the answer was ready */
    ax_str clock_source;
    int64_t clock_offset_ns, clock_bound_ns;

    ax_str caller; /* who asked, and how they were authenticated */
    ax_str caller_authenticated_by;

    struct ax_decision_model model;
    ax_digest signature_digest;     /* of the signature the inputs were read by */
    ax_digest preprocessing_digest; /* of tables and transforms before the model */
    ax_str policy_version;
    ax_digest policy_digest;
    ax_digest plan_digest; /* of the serving plan in force */

    const struct ax_decision_feature *features;
    size_t feature_count;

    double margin;      /* raw */
    double probability; /* calibrated */
    double score;
    ax_str outcome; /* "approve", "refer", "decline" */
    ax_str route;   /* "auto" or "refer" */
    ax_str terms;   /* amount, rate; as the policy wrote them */

    ax_str explanation_method;       /* "interventional", "path_dependent", "linear", "" for none */
    ax_digest explanation_reference; /* the reference population */
    double explanation_base;
    double explanation_residual; /* margin - base - sum of contributions */
    const double *contributions; /* one a feature, in order; NULL for none */
    size_t contribution_count;
    const struct ax_decision_reason *reasons;
    size_t reason_count;
    ax_digest reason_map_digest;

    const struct ax_decision_challenger *challengers;
    size_t challenger_count;

    ax_str limits; /* caps and overlays applied, as words */
    bool fallback;
    ax_str fallback_cause;
    ax_str breaker; /* state: "closed", "open", "half_open" */
    bool governed;  /* false in development mode */

    ax_str build_id;
    ax_str cpu_level;
    ax_digest config_hash;
    ax_str mode; /* order in which the model's sums were made: "exact", "fast"; "" is exact */
};

enum { AX_DECISION_BYTES_MAX = 1 << 20, AX_DECISION_ITEMS_MAX = 10'000 };

/* The canonical payload: the same record gives the same bytes. LIMIT is in out->status. */
void ax_decision_write(const struct ax_decision *decision, struct ax_writer *out);

/* Back again: text borrowed from payload, arrays in ctx->arena. Fails: INVALID, LIMIT. */
ax_status ax_decision_read(struct ax_ctx *ctx, ax_str payload, struct ax_decision *out_decision);

/* Only what a request is known by, borrowed from payload; "" for none. Fails: INVALID. */
ax_status ax_decision_read_request(struct ax_ctx *ctx, ax_str payload, ax_str *out_deployment,
                                   ax_str *out_request_id);

/* Fills in the leaf of a decision: kind, times, clock, actor, object, hashes, build. */
void ax_decision_describe(const struct ax_decision *decision, struct ax_event *event);

/* A JSON object for people and the API. */
void ax_decision_show(const struct ax_decision *decision, struct ax_json_writer *out);

/* How a decision computed again differs from the record (R58). */
struct ax_decision_difference {
    bool same;        /* all of the below hold */
    bool margin_same; /* bit for bit; so for the next two */
    bool probability_same;
    bool score_same;
    bool outcome_same;
    bool reasons_same;        /* same codes in the same order */
    bool contributions_close; /* each within 1e-9 of the largest */
    double contribution_gap;  /* the widest, relative to the largest */
};

struct ax_decision_difference ax_decision_compare(const struct ax_decision *recorded,
                                                  const struct ax_decision *again);

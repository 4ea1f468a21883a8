/*
 * Guards: may this input be scored, may this answer leave, is the model well enough to be asked.
 *
 * Input and output guards are compiled from the signature's domains and the policy (R19, R72);
 * checking a row is arithmetic. A breaker watches one version (R74-R79): it opens on errors, keeps
 * the version from being called, and probes it again after a wait that doubles.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "governance/decision_policy.h"

struct ax_guards {
    size_t feature_count;
    const double *min; /* per feature; -INFINITY for none */
    const double *max;
    enum ax_guard_action out_of_domain;
    size_t amount_feature; /* SIZE_MAX for no cap */
    double amount_max;
    enum ax_guard_action amount_action;
    double response_min, response_max; /* what the model's response may be */
};

enum ax_guard_rule {
    AX_GUARD_RULE_NONE,
    AX_GUARD_RULE_DOMAIN,
    AX_GUARD_RULE_AMOUNT,
    AX_GUARD_RULE_INFINITE,
    AX_GUARD_RULE_OUTPUT
};

struct ax_guard_verdict {
    enum ax_guard_action action;
    enum ax_guard_rule rule;
    size_t feature; /* of an input rule */
    double value;
};

/* row: feature_count encoded values, NaN for missing. The gravest verdict; the first on a tie. */
struct ax_guard_verdict ax_guards_check_input(const struct ax_guards *guards, const double *row);

/* A margin or response that is not finite or out of range is refused, always (R75). */
struct ax_guard_verdict ax_guards_check_output(const struct ax_guards *guards, double margin,
                                               double response);

const char *ax_guard_rule_name(enum ax_guard_rule rule);

enum ax_breaker_state {
    AX_BREAKER_CLOSED,
    AX_BREAKER_OPEN,
    AX_BREAKER_HALF_OPEN,
    AX_BREAKER_FORCED_OPEN
};

struct ax_breaker_config {
    double error_rate; /* trips above it, 0..1 */
    int64_t calls_min; /* over at least so many calls */
    int64_t slow_ns;   /* a call above it counts as an error; 0 for no limit */
    int64_t wait_ns;   /* first wait; doubles at each failed probe */
    int64_t wait_ns_max;
    int64_t probes;     /* good probes in a row that close it again */
    bool person_closes; /* tier 1: only a person closes it (R79) */
};

struct ax_breaker;

/* Any thread may use it. Fails: LIMIT. */
ax_status ax_breaker_new(struct ax_ctx *ctx, const struct ax_breaker_config *config,
                         struct ax_breaker **out_breaker);
/* It lives as long as somebody holds it: plans that name the same version share one. */
struct ax_breaker *ax_breaker_ref(struct ax_breaker *breaker);
void ax_breaker_unref(struct ax_breaker *breaker); /* NULL is fine */

/* Whether the version may be called now; a short circuit is counted. */
bool ax_breaker_allows(struct ax_breaker *breaker, int64_t now_ns);

/* How a call ended; returns true when this call tripped or closed the breaker. */
bool ax_breaker_note(struct ax_breaker *breaker, int64_t now_ns, bool ok, int64_t took_ns);

/* The call that was allowed was not made: nothing is known of the version that was not before. */
void ax_breaker_forgo(struct ax_breaker *breaker);

/* A person's hand: open stays open until forced closed. */
void ax_breaker_force(struct ax_breaker *breaker, bool open);

enum ax_breaker_state ax_breaker_state_now(struct ax_breaker *breaker, int64_t now_ns);
int64_t ax_breaker_short_circuits(struct ax_breaker *breaker);
const char *ax_breaker_state_name(enum ax_breaker_state state);

/*
 * The path of a decision: route, encode, guard, score, guard, decide, explain, record.
 *
 * Everything before the record is arithmetic in memory and runs on the loop thread that read the
 * request. The record is sealed and handed to the ledger; a durable decision is answered when the
 * ledger says that it is on the disk, a queued one at once. A thread has a lane of its own: its
 * view of the plan and its scratch memory.
 */
#pragma once

#include "event/decision.h"
#include "governance/kill_switch.h"
#include "serving/decision_index.h"
#include "serving/plan.h"
#include "sys/metrics.h"
#include "sys/snapshot.h"

struct ax_model_server;
struct ax_lane;

struct ax_model_server_config { /* all kept */
    struct ax_ledger *ledger;   /* NULL in development mode: nothing is recorded */
    struct ax_vault *vault;
    struct ax_decision_index *index;
    struct ax_kill_switch *kill;
    struct ax_metrics *metrics;
    ax_str build_id;
};

ax_status ax_model_server_open(struct ax_ctx *ctx, const struct ax_model_server_config *config,
                               struct ax_model_server **out_server);
void ax_model_server_close(struct ax_model_server *server); /* after every lane */
AX_DEFINE_AUTO(struct ax_model_server, ax_model_server_close);

/* Serves this plan from now on. plan: taken, also on failure. Fails: LIMIT. */
ax_status ax_model_server_swap(struct ax_model_server *server, struct ax_ctx *ctx,
                               struct ax_plan *plan);

/* One thread's. Fails: LIMIT. */
ax_status ax_lane_open(struct ax_ctx *ctx, struct ax_model_server *server,
                       struct ax_lane **out_lane);
void ax_lane_close(struct ax_lane *lane);

/* The plan in force, until this lane's next use; NULL before the first swap. */
const struct ax_plan *ax_lane_plan(struct ax_lane *lane);

/* Scratch memory of at least so many bytes, this lane's until its next use; NULL when short. */
void *ax_lane_scratch(struct ax_lane *lane, size_t bytes);

struct ax_decide_request { /* borrowed until the decision is done */
    ax_str deployment;
    ax_str request_id; /* "" when the caller gave none */
    ax_str entity_id;  /* the subject; "" when the caller gave none */
    const struct ax_json *features;
    int64_t event_ns; /* when it was asked */
};

/* A decision made. All in ctx->arena. */
struct ax_decided {
    struct ax_decision record;
    const struct ax_reason *reasons[AX_REASONS_MAX]; /* words of record.reasons, in their order */
    struct ax_plan_deployment deployment;            /* as it was; pointers valid until done */
    ax_str duplicate_of; /* not "": this earlier decision is the answer; nothing else is set */
    bool pending;        /* done will be called */
    bool durable;
    uint64_t leaf;    /* of the ledger when durable */
    ax_status status; /* for done: how recording ended */
    struct ax_ledger_entry entry;
    struct ax_model_server *server;
    void (*done)(struct ax_decided *decided);
    void *arg;
};

/*
 * Decides. When *out_decided is pending, done(decided) is called once, on the ledger's thread,
 * when the record is durable or refused; until then ctx's arena must live.
 *
 * Fails: INVALID (features), NOT_FOUND (deployment), DENIED (kill switch, a guard that refuses,
 * a version past its restriction), CONFLICT (the request id is in progress), LIMIT and UNAVAILABLE
 * (the record cannot be taken): then there is no decision and the request id is free again.
 */
ax_status ax_model_server_decide(struct ax_lane *lane, struct ax_ctx *ctx,
                                 const struct ax_decide_request *request,
                                 void (*done)(struct ax_decided *decided), void *arg,
                                 struct ax_decided **out_decided);

/*
 * Computes a recorded decision again, with the version and policy that it names.
 *
 * Fails: NOT_FOUND when the plan no longer holds that version.
 */
ax_status ax_model_server_replay(struct ax_lane *lane, struct ax_ctx *ctx,
                                 const struct ax_decision *recorded, struct ax_decision *out_again);

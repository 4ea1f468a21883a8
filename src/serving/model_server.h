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
#include "serving/model_phases.h"
#include "serving/model_stats.h"
#include "serving/plan.h"
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

/* What is counted of a model of the plan in force; kept until the server is closed. */
struct ax_model_stats ax_lane_model_stats(struct ax_lane *lane,
                                          const struct ax_loaded_model *model);

/* Likewise, where the time of its requests goes. */
const struct ax_model_phases *ax_lane_model_phases(struct ax_lane *lane,
                                                   const struct ax_loaded_model *model);

/* Triton's metrics of all models, as Prometheus text. */
void ax_model_server_print_stats(struct ax_model_server *server, struct ax_writer *out);

struct ax_decide_request { /* borrowed until the decision is done */
    ax_str deployment;
    ax_str request_id; /* "" when the caller gave none */
    ax_str entity_id;  /* the subject; "" when the caller gave none */
    const struct ax_json *features;
    int64_t event_ns; /* when it was asked */
};

/* A decision made. Itself and what the record points to is in ctx->arena, or the plan's. */
struct ax_decided {
    struct ax_decision record;
    const struct ax_reason *reasons[AX_REASONS_MAX]; /* words of record.reasons, in their order */
    const struct ax_plan_deployment *deployment;     /* for ready: the plan may be gone later */
    const struct ax_model_phases *phases; /* of the version that answers, or should have; kept */
    void *arg;                            /* of ax_decide_answer */

    /* for done */
    ax_status status; /* AX_OK, or why the record was not taken: then there is no decision */
    bool durable;     /* else queued */
    uint64_t leaf;    /* of the ledger when durable */

    struct ax_model_server *server_;
    void (*done_)(struct ax_decided *decided);
    struct ax_ledger_entry entry_;
};

/*
 * Who takes the decision. ready is called on the caller's thread before the record is handed in:
 * the answer is written then, from memory that is sure to be there. done is called once, on any
 * thread, when the record is on the disk, queued or refused; the answer leaves then.
 */
struct ax_decide_answer {
    void (*ready)(struct ax_decided *decided);
    void (*done)(struct ax_decided *decided);
    void *arg;
};

/*
 * Decides. After AX_OK done was called or will be, and until then ctx's arena must live; but when
 * *out_duplicate_of is not "", that earlier decision is the answer and nothing is called.
 *
 * Fails: INVALID (features), NOT_FOUND (deployment), DENIED (kill switch, of the fallback's model
 * too when that answers), CONFLICT (the request id is in progress), LIMIT and UNAVAILABLE (the
 * record cannot be taken): then done is not called, there is no decision and the request id is
 * free again.
 */
ax_status ax_model_server_decide(struct ax_lane *lane, struct ax_ctx *ctx,
                                 const struct ax_decide_request *request,
                                 const struct ax_decide_answer *answer, ax_str *out_duplicate_of);

/*
 * Computes a recorded decision again under this deployment: that of the present plan, or of the
 * plan in force then, loaded again. Compare with ax_decision_compare.
 *
 * Fails: NOT_FOUND when the deployment does not hold the version that decided; CONFLICT when its
 * policy or reason map is another one; as scoring.
 */
ax_status ax_model_server_replay(struct ax_lane *lane, struct ax_ctx *ctx,
                                 const struct ax_plan_deployment *deployment,
                                 const struct ax_decision *recorded, struct ax_decision *out_again);

/*
 * What is served now: the immutable description that every request reads.
 *
 * A plan is made whole from plain data (plan.json: versions, policies, reason maps, deployments)
 * and loaded models, swapped whole, and never edited. The control plane writes plan.json and the
 * bundles beside it; the data plane needs nothing else, so it goes on while the database is away.
 */
#pragma once

#include "governance/decision_policy.h"
#include "governance/explanation.h"
#include "governance/risk_control.h"
#include "serving/model_loader.h"

enum { AX_PLAN_CHALLENGERS_MAX = 4 };

enum ax_record_mode { AX_RECORD_DURABLE, AX_RECORD_QUEUED };

/* One version in one role of one deployment. */
struct ax_plan_member {
    struct ax_loaded_model *model; /* one of the plan's models */
    struct ax_guards guards;
    struct ax_reason_index reasons; /* empty for challengers */
    struct ax_breaker *breaker;  /* kept over plans by (deployment, digest); NULL for challengers */
    int64_t restricted_until_ns; /* real time; INT64_MAX when not restricted (R25) */
};

struct ax_plan_deployment {
    ax_str name;
    int64_t revision;
    int64_t tier;
    struct ax_plan_member champion;
    struct ax_plan_member fallback; /* model NULL when there is none */
    struct ax_plan_member challengers[AX_PLAN_CHALLENGERS_MAX];
    size_t challenger_count;
    const struct ax_decision_policy *policy;
    ax_digest policy_digest;
    const struct ax_reason_map *reasons;
    ax_digest reasons_digest;
    enum ax_record_mode record;
    enum ax_engine_mode mode;
    ax_digest config_digest; /* of the deployment's canonical JSON: in every record (R107) */
};

struct ax_plan {
    int64_t revision;
    ax_digest digest; /* of plan.json; zeros for a plan of bare models */
    bool governed;
    struct ax_plan_deployment *deployments;
    size_t deployment_count;
    struct ax_map *deployment_index; /* name -> deployment */
    struct ax_loaded_model **models; /* what the inference protocol serves; a reference each */
    size_t model_count;
    struct ax_map *model_index; /* name -> the newest model of that name */
    struct ax_arena *arena;
};

/* Where a plan's parts come from. */
struct ax_plan_source {
    ax_str folder;                         /* serving/: plan.json and bundles/<digest>/... */
    const struct ax_plan *previous;        /* its models and breakers are taken over; may be NULL */
    const struct ax_engine_config *engine; /* how engines are opened; NULL: as they are */
};

/*
 * Reads plan.json (see docs/formats.md section 9) and loads what the previous plan does not hold.
 * Blocks: a worker's or the start's work. Fails: NOT_FOUND when there is none yet; CORRUPT,
 * INVALID with the part that is wrong. The previous plan stays as it is.
 */
ax_status ax_plan_load(struct ax_ctx *ctx, const struct ax_plan_source *source,
                       struct ax_plan **out_plan);

/* A plan of bare models, no deployments, governed: false. models: references are taken over. */
ax_status ax_plan_of_models(struct ax_ctx *ctx, struct ax_loaded_model **models, size_t model_count,
                            struct ax_plan **out_plan);

void ax_plan_free(struct ax_plan *plan);
AX_DEFINE_AUTO(struct ax_plan, ax_plan_free);

const struct ax_plan_deployment *ax_plan_deployment(const struct ax_plan *plan, ax_str name);

/* version 0: the newest. NULL when there is none. */
struct ax_loaded_model *ax_plan_model(const struct ax_plan *plan, ax_str name, int64_t version);

/* {"deployment","member","model","version","state","short_circuits"} for champion and fallback. */
void ax_plan_show_breakers(const struct ax_plan_deployment *deployment, struct ax_json_writer *out);

/*
 * Writes a bundle's files under the folder (durably, digest by digest; what is there stays).
 * Used by mlops/deployment before plan.json names it.
 */
ax_status ax_plan_keep_bundle(struct ax_ctx *ctx, ax_str folder, const struct ax_bundle *bundle);

/*
 * Validations: a plan fixed and logged first, a run, findings, a conclusion by a person.
 *
 * The arithmetic is governance/model_validation and governance/fairness; here a version, its
 * held-out rows, the challenger and the naive baseline are brought to it, and what came out is
 * kept. A failed test opens a finding; with an open finding the conclusion cannot be "passed".
 * Protected attributes are read under the fairness job's own identity and only group results come
 * back. Workers only.
 */
#pragma once

#include "mlops/datasets.h"
#include "mlops/model_registry.h"

struct ax_validations;

struct ax_validations_config { /* kept */
    struct ax_store *store;
    struct ax_registry *registry;
    struct ax_datasets *datasets;
};

ax_status ax_validations_open(struct ax_ctx *ctx, const struct ax_validations_config *config,
                              struct ax_validations **out_validations);
void ax_validations_close(struct ax_validations *validations);
AX_DEFINE_AUTO(struct ax_validations, ax_validations_close);

/*
 * Fixes the plan: its digest is in the ledger before anything is computed (R34). The version goes
 * to in_validation. The actor must be a validator who did not develop the version and is not in
 * the developer's reporting line (R20).
 *
 * request: {"model","version","plan"?: {..}, "scope"?, "conceptual_soundness"?}; without a plan the
 * tier's default. A plan may name a "dataset" of this house ("NAME", "NAME/VERSION") and must for a
 * version that was trained elsewhere; its features are taken by name, categories by their words.
 * out: {"id","plan_digest","plan":{..},"state":"fixed"}.
 * Fails: DENIED, CONFLICT (state; a dataset that does not fit), NOT_FOUND, INVALID.
 */
ax_status ax_validations_begin(struct ax_validations *validations, struct ax_ctx *ctx,
                               const struct ax_json *request, struct ax_json_writer *out);

/* Runs it, once. out: {"id","state":"run","results":[..],"findings":[..]}. */
ax_status ax_validations_run(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                             struct ax_json_writer *out);

/*
 * request: {"conclusion":"passed"|"failed","comment","conditions"?}. The version goes to validated
 * or failed. Fails: CONFLICT while a finding is open and the conclusion is "passed".
 */
ax_status ax_validations_conclude(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                                  const struct ax_json *request, struct ax_json_writer *out);

/* Closes a finding with evidence: by a validator (R24). request: {"evidence"}. */
ax_status ax_validations_close_finding(struct ax_validations *validations, struct ax_ctx *ctx,
                                       ax_str finding_id, const struct ax_json *request,
                                       struct ax_json_writer *out);

ax_status ax_validations_show(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                              struct ax_json_writer *out);

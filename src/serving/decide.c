#include "serving/decide.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"
#include "sys/phases.h"

/* One decision on its way: what the steps hand to each other. */
struct path {
    struct ax_ctx *ctx;
    const struct ax_decide_input *input;
    struct ax_decision *record;
    struct ax_decide_output *out;
    const struct ax_plan_member *member; /* that answers; NULL when no version could */
    double *row;                         /* encoded by the member's signature */
    double *contributions;               /* feature_count + 1, bias last; NULL for none */
    struct ax_guard_verdict verdict;     /* of the input */
    enum ax_engine_mode mode;            /* of sums: the deployment's, of a replay the record's */
};

struct numbers {
    double margin, response;
};

/* ---- rows ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a decision");
}

/* A recorded feature back to its place in the row. */
static ax_status
encode_recorded(struct ax_ctx *ctx, const struct ax_signature *signature,
                const struct ax_decision *recorded, double *row)
{
    if (recorded->feature_count != signature->feature_count)
        return ax_fail(ctx, AX_CONFLICT, "the record has %zu features, the version %zu",
                       recorded->feature_count, signature->feature_count);
    for (size_t i = 0; i < recorded->feature_count; i++) {
        const struct ax_decision_feature *feature = &recorded->features[i];
        if (!ax_str_eq(feature->name, signature->names[i]))
            return ax_fail(ctx, AX_CONFLICT, "feature %zu was `%.*s` and is `%.*s`", i,
                           AX_FMT(feature->name), AX_FMT(signature->names[i]));
        row[i] = feature->kind == AX_DECISION_NUMBER ? feature->number : (double)NAN;
        if (feature->kind == AX_DECISION_TEXT)
            AX_TRY(ax_signature_encode_text(ctx, signature, i, feature->text, &row[i]));
    }
    return AX_OK;
}

static ax_status
encode(struct path *path, const struct ax_loaded_model *model, double **out_row)
{
    const struct ax_signature *signature = model->signature;
    double *row = AX_NEW_ARRAY(path->ctx->arena, double, signature->feature_count);
    if (!row)
        return no_memory(path->ctx);
    if (path->input->recorded)
        AX_TRY(encode_recorded(path->ctx, signature, path->input->recorded, row));
    else
        AX_TRY(ax_signature_encode(path->ctx, signature, path->input->features, row));
    *out_row = row;
    return AX_OK;
}

static ax_status
score(struct path *path, const struct ax_loaded_model *model, const double *row,
      struct numbers *out)
{
    const struct ax_engine_call call = {
        .rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE,
        .mode = path->mode,
    };
    const struct ax_engine_answer answer = {.margin = &out->margin, .response = &out->response};
    return ax_engine_score(model->engine, path->ctx, &call, path->input->scratch, &answer);
}

/* ---- guards ---- */

static ax_status
refuse_input(struct path *path, const struct ax_loaded_model *model)
{
    const struct ax_guard_verdict *verdict = &path->verdict;
    const struct ax_guards *guards = &path->member->guards;
    ax_str name = model->signature->names[verdict->feature];
    if (verdict->rule == AX_GUARD_RULE_AMOUNT)
        return ax_fail(path->ctx, AX_INVALID, "feature `%.*s` is %g, above the cap of %g",
                       AX_FMT(name), verdict->value, guards->amount_max);
    if (verdict->rule == AX_GUARD_RULE_INFINITE)
        return ax_fail(path->ctx, AX_INVALID, "feature `%.*s` is not finite", AX_FMT(name));
    return ax_fail(path->ctx, AX_INVALID, "feature `%.*s` is %g, outside its domain %g to %g",
                   AX_FMT(name), verdict->value, guards->min[verdict->feature],
                   guards->max[verdict->feature]);
}

/* Whether the input may be scored by the member; a referral is noted and acts on the outcome. */
static ax_status
guard_input(struct path *path)
{
    const struct ax_loaded_model *model = path->member->model;
    path->verdict = ax_guards_check_input(&path->member->guards, path->row);
    if (path->verdict.action == AX_GUARD_PASS)
        return AX_OK;
    if (path->verdict.action == AX_GUARD_REFUSE)
        return refuse_input(path, model);
    path->record->limits =
        ax_str_printf(path->ctx->arena, "%s: %.*s", ax_guard_rule_name(path->verdict.rule),
                      AX_FMT(model->signature->names[path->verdict.feature]));
    return path->record->limits.at ? AX_OK : no_memory(path->ctx);
}

/* ---- which version answers ---- */

static void
note_call(struct path *path, const struct ax_plan_member *member, bool ok)
{
    if (path->input->recorded) /* a replay is no call of the version */
        return;
    path->out->breaker_changed |=
        ax_breaker_note(member->breaker, path->input->monotonic_ns, ok, 0);
}

static bool
may_call(const struct path *path, const struct ax_plan_member *member)
{
    return path->input->recorded || (path->input->now_ns < member->restricted_until_ns &&
                                     ax_breaker_allows(member->breaker, path->input->monotonic_ns));
}

/*
 * Asks one version. *out_answered is false when the version itself failed: an engine's failure, an
 * output that may not leave. What the caller did wrong is a failure of this call.
 */
static ax_status
ask(struct path *path, const struct ax_plan_member *member, struct numbers *out_numbers,
    bool *out_answered)
{
    path->member = member;
    *out_answered = false;
    ax_status status = encode(path, member->model, &path->row);
    if (status == AX_OK)
        status = guard_input(path);
    if (status != AX_OK) {
        if (!path->input->recorded)
            ax_breaker_forgo(member->breaker); /* the version is not to blame (R75) */
        return status;
    }
    ax_phase_end(path->ctx, AX_PHASE_FEATURES);
    status = score(path, member->model, path->row, out_numbers);
    ax_phase_end(path->ctx, AX_PHASE_SCORE);
    bool good = status == AX_OK &&
                ax_guards_check_output(&member->guards, out_numbers->margin, out_numbers->response)
                        .action == AX_GUARD_PASS;
    note_call(path, member, good);
    *out_answered = good;
    return AX_OK;
}

/* The member that the record names. */
static const struct ax_plan_member *
recorded_member(const struct path *path)
{
    const struct ax_plan_deployment *deployment = path->input->deployment;
    const struct ax_plan_member *const members[] = {&deployment->champion, &deployment->fallback};
    for (size_t i = 0; i < AX_COUNT_OF(members); i++)
        if (members[i]->model &&
            ax_digest_eq(members[i]->model->digest, path->input->recorded->model.digest))
            return members[i];
    return NULL;
}

static ax_status
answer_again(struct path *path, struct numbers *out)
{
    const struct ax_decision *recorded = path->input->recorded;
    const struct ax_plan_member *member = recorded_member(path);
    bool answered = false;
    path->record->fallback = recorded->fallback;
    path->record->fallback_cause = recorded->fallback_cause;
    if (recorded->model.name.len == 0) /* no version answered then */
        return AX_OK;
    if (!member)
        return ax_fail(path->ctx, AX_NOT_FOUND, "version %.*s/%.*s is not at hand",
                       AX_FMT(recorded->model.name), AX_FMT(recorded->model.version));
    AX_TRY(ask(path, member, out, &answered));
    return answered ? AX_OK
                    : ax_fail(path->ctx, AX_INTERNAL, "version %.*s/%.*s does not answer again",
                              AX_FMT(recorded->model.name), AX_FMT(recorded->model.version));
}

/* Champion, else the approved fallback, else nobody: then a person decides (R77). */
static ax_status
answer(struct path *path, struct numbers *out)
{
    const struct ax_plan_deployment *deployment = path->input->deployment;
    bool answered = false;
    if (path->input->recorded)
        return answer_again(path, out);
    if (may_call(path, &deployment->champion)) {
        AX_TRY(ask(path, &deployment->champion, out, &answered));
        if (answered)
            return AX_OK;
        path->record->fallback_cause = AX_STR("the champion failed");
    } else {
        bool expired = path->input->now_ns >= deployment->champion.restricted_until_ns;
        path->record->fallback_cause = expired ? AX_STR("the champion's restriction has ended")
                                               : AX_STR("the champion's breaker is open");
    }
    path->record->fallback = true;
    if (deployment->fallback.model && may_call(path, &deployment->fallback)) {
        AX_TRY(ask(path, &deployment->fallback, out, &answered));
        if (answered)
            return AX_OK;
    }
    path->member = NULL;
    return AX_OK;
}

/* ---- outcome and reasons ---- */

static ax_status
explain(struct path *path, struct numbers numbers)
{
    const struct ax_loaded_model *model = path->member->model;
    size_t count = model->signature->feature_count;
    bool against = path->input->deployment->policy->explanation == AX_EXPLAIN_INTERVENTIONAL &&
                   model->background;
    double *contributions = AX_NEW_ARRAY(path->ctx->arena, double, count + 1);
    if (!contributions)
        return no_memory(path->ctx);
    const struct ax_engine_call call = {
        .rows = {.at = path->row, .count = 1, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_CONTRIBUTIONS,
        .background = against ? model->background : NULL,
    };
    const struct ax_engine_answer answer = {.contributions = contributions};
    AX_TRY(ax_engine_score(model->engine, path->ctx, &call, path->input->scratch, &answer));
    struct ax_decision *record = path->record;
    record->explanation_method = against ? AX_STR("interventional") : AX_STR("path_dependent");
    if (against)
        record->explanation_reference = model->reference_digest;
    record->explanation_base = contributions[count];
    double sum = contributions[count];
    for (size_t i = 0; i < count; i++)
        sum += contributions[i];
    record->explanation_residual = numbers.margin - sum;
    record->contributions = contributions;
    record->contribution_count = count;
    path->contributions = contributions;
    return AX_OK;
}

static ax_status
put_reasons(struct path *path, const struct ax_reason_given *given, size_t count)
{
    struct ax_decision_reason *reasons =
        AX_NEW_ARRAY(path->ctx->arena, struct ax_decision_reason, count + 1);
    if (!reasons)
        return no_memory(path->ctx);
    for (size_t i = 0; i < count; i++) {
        const struct ax_reason *reason = given[i].reason;
        ax_writer_auto struct ax_writer names = ax_writer_of(1 << 20);
        for (size_t f = 0; f < reason->feature_count; f++) {
            if (f)
                ax_writer_char(&names, ',');
            ax_writer_bytes(&names, reason->features[f]);
        }
        reasons[i].code = reason->code;
        reasons[i].text = reason->text;
        reasons[i].contribution = given[i].contribution;
        if (ax_writer_take(&names, path->ctx->arena, &reasons[i].features) != AX_OK)
            return no_memory(path->ctx);
        path->out->reasons[i] = reason;
    }
    path->record->reasons = reasons;
    path->record->reason_count = count;
    return AX_OK;
}

static void
refer(struct path *path, ax_str why)
{
    path->record->outcome = ax_str_of(ax_outcome_name(AX_OUTCOME_REFER));
    path->record->route = AX_STR("refer");
    if (path->record->limits.len == 0)
        path->record->limits = why;
}

/* Reasons of an adverse outcome; what may not be said, or cannot, goes to a person (R64). */
static ax_status
give_reasons(struct path *path, struct numbers numbers, enum ax_outcome outcome)
{
    const struct ax_decision_policy *policy = path->input->deployment->policy;
    struct ax_reason_given given[AX_REASONS_MAX];
    bool adverse = outcome != AX_OUTCOME_APPROVE, blocked = false;
    if (policy->explain == AX_EXPLAIN_NEVER || (policy->explain == AX_EXPLAIN_ADVERSE && !adverse))
        return AX_OK;
    AX_TRY(explain(path, numbers));
    size_t count = ax_reasons_select(&path->member->reasons, path->contributions,
                                     (size_t)policy->reasons_max, given, &blocked);
    path->record->reason_map_digest = path->input->deployment->reasons_digest;
    if (adverse && blocked)
        refer(path, AX_STR("a principal reason may not be disclosed"));
    else if (outcome == AX_OUTCOME_DECLINE && count == 0)
        refer(path, AX_STR("no reason speaks against it"));
    return put_reasons(path, given, blocked ? 0 : count);
}

/* Nobody could score it: the map's own reason for that, and a person. */
static ax_status
give_to_a_person(struct path *path)
{
    const struct ax_reason_map *map = path->input->deployment->reasons;
    path->record->margin = path->record->probability = path->record->score = (double)NAN;
    refer(path, AX_STR("no version could answer"));
    const struct ax_reason_given given = {&map->fallback, 0.0};
    return map->fallback.code.len ? put_reasons(path, &given, 1) : AX_OK;
}

static ax_status
conclude(struct path *path, struct numbers numbers)
{
    const struct ax_plan_deployment *deployment = path->input->deployment;
    struct ax_decision *record = path->record;
    enum ax_outcome outcome = ax_decision_policy_outcome(deployment->policy, numbers.response);
    record->margin = numbers.margin;
    record->probability = numbers.response;
    record->score = ax_decision_policy_score(deployment->policy, numbers.margin);
    record->outcome = ax_str_of(ax_outcome_name(outcome));
    record->route = outcome == AX_OUTCOME_REFER ? AX_STR("refer") : AX_STR("auto");
    if (path->verdict.action == AX_GUARD_REFER) {
        outcome = AX_OUTCOME_REFER;
        refer(path, record->limits);
    }
    return give_reasons(path, numbers, outcome);
}

/* ---- the record ---- */

static ax_status
put_features(struct path *path, const struct ax_signature *signature)
{
    struct ax_decision_feature *features =
        AX_NEW_ARRAY(path->ctx->arena, struct ax_decision_feature, signature->feature_count);
    if (!features)
        return no_memory(path->ctx);
    for (size_t i = 0; i < signature->feature_count; i++) {
        const struct ax_signature_feature *of = &signature->features[i];
        double value = path->row[i];
        features[i].name = of->name;
        features[i].source = AX_STR("request");
        if (isnan(value)) {
            features[i].kind = AX_DECISION_MISSING;
        } else if (of->kind == AX_FEATURE_CATEGORY) {
            features[i].kind = AX_DECISION_TEXT;
            features[i].text = of->categories[(size_t)value];
        } else {
            features[i].kind = AX_DECISION_NUMBER;
            features[i].number = value;
        }
    }
    path->record->features = features;
    path->record->feature_count = signature->feature_count;
    return AX_OK;
}

static ax_status
name_model(struct ax_ctx *ctx, const struct ax_loaded_model *model, struct ax_decision_model *out)
{
    char version[AX_NUMBER_BYTES_MAX];
    ax_str text = {version, ax_format_i64(model->version, version)};
    out->name = model->model;
    out->digest = model->digest;
    return ax_str_copy(ctx->arena, text, &out->version) ? AX_OK : no_memory(ctx);
}

/* Shadows: what they would have said. Their failures are theirs alone. */
static ax_status
ask_challengers(struct path *path)
{
    const struct ax_plan_deployment *deployment = path->input->deployment;
    size_t count = deployment->challenger_count;
    struct ax_decision_challenger *challengers =
        AX_NEW_ARRAY(path->ctx->arena, struct ax_decision_challenger, count + 1);
    if (!challengers)
        return no_memory(path->ctx);
    for (size_t i = 0; i < count; i++) {
        const struct ax_loaded_model *model = deployment->challengers[i].model;
        struct numbers numbers = {};
        double *row;
        AX_TRY(name_model(path->ctx, model, &challengers[i].model));
        bool ok = encode(path, model, &row) == AX_OK &&
                  score(path, model, row, &numbers) == AX_OK && isfinite(numbers.response) &&
                  isfinite(numbers.margin);
        challengers[i].failed = !ok;
        if (!ok)
            continue;
        challengers[i].margin = numbers.margin;
        challengers[i].probability = numbers.response;
        challengers[i].score = ax_decision_policy_score(deployment->policy, numbers.margin);
        challengers[i].outcome = ax_str_of(
            ax_outcome_name(ax_decision_policy_outcome(deployment->policy, numbers.response)));
    }
    path->record->challengers = challengers;
    path->record->challenger_count = count;
    return AX_OK;
}

size_t
ax_decide_scratch_bytes(const struct ax_plan_deployment *deployment)
{
    size_t bytes = deployment->champion.model->scratch_bytes;
    if (deployment->fallback.model && deployment->fallback.model->scratch_bytes > bytes)
        bytes = deployment->fallback.model->scratch_bytes;
    for (size_t i = 0; i < deployment->challenger_count; i++)
        if (deployment->challengers[i].model->scratch_bytes > bytes)
            bytes = deployment->challengers[i].model->scratch_bytes;
    return bytes;
}

static ax_status
take_mode(struct path *path)
{
    const struct ax_decision *recorded = path->input->recorded;
    path->mode = recorded ? AX_ENGINE_EXACT : path->input->deployment->mode;
    if (recorded && recorded->mode.len && !ax_engine_mode_parse(recorded->mode, &path->mode))
        return ax_fail(path->ctx, AX_CONFLICT, "the record's sums are in mode \"%.*s\"",
                       AX_FMT(recorded->mode));
    return AX_OK;
}

/* How the model that answered made its sums; one that is no forest has one way only. */
static ax_str
mode_name(const struct path *path)
{
    bool orders = ax_engine_signature(path->member->model->engine)->orders;
    return ax_str_of(ax_engine_mode_name(orders ? path->mode : AX_ENGINE_EXACT));
}

ax_status
ax_decide(struct ax_ctx *ctx, const struct ax_decide_input *input, struct ax_decision *record,
          struct ax_decide_output *out)
{
    AX_ASSERT((input->features != NULL) != (input->recorded != NULL));
    struct path path = {.ctx = ctx, .input = input, .record = record, .out = out};
    struct numbers numbers = {};
    AX_TRY(take_mode(&path));
    AX_TRY(answer(&path, &numbers));
    if (path.member) {
        AX_TRY(name_model(ctx, path.member->model, &record->model));
        record->mode = mode_name(&path);
        AX_TRY(put_features(&path, path.member->model->signature));
        AX_TRY(conclude(&path, numbers));
        ax_phase_end(ctx, AX_PHASE_EXPLAIN);
    } else {
        AX_TRY(give_to_a_person(&path));
    }
    AX_TRY(ask_challengers(&path));
    if (record->challenger_count)
        ax_phase_end(ctx, AX_PHASE_SCORE);
    return AX_OK;
}

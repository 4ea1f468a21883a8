#include "serving/model_server.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "serving/decide.h"
#include "sys/clock.h"
#include "sys/mutex.h"

enum { OUTCOMES = AX_OUTCOME_DECLINE + 1, SCRATCH_ALIGN = 64 };

/* Of one deployment, looked up once for each plan. */
struct counters {
    struct ax_metric *outcomes[OUTCOMES];
    struct ax_metric *fallbacks;
    struct ax_metric *refused;
    struct ax_metric *challenger_failures;
    struct ax_metric *seconds;
    const struct ax_model_phases *champion, *fallback; /* the latter NULL without one */
    ax_str policy_version;                             /* "credit-policy/3" */
};

/* What a snapshot holds: a plan and what is counted of its parts, index by index. */
struct served {
    struct ax_plan *plan;
    struct counters *counters;             /* of its deployments */
    struct ax_model_stats *stats;          /* of its models */
    const struct ax_model_phases **phases; /* likewise */
};

struct ax_model_server {
    struct ax_model_server_config config;
    struct ax_snapshot *plans;
    struct ax_metrics *stats; /* Triton's, beside config.metrics */
    struct ax_mutex swapping;
    struct ax_model_phases *phases; /* guarded by swapping: of every version ever served */
};

struct ax_lane {
    struct ax_model_server *server;
    struct ax_snapshot_reader reader;
    char *scratch;
    size_t scratch_bytes;
};

/* ---- plans ---- */

static void
served_free(void *value)
{
    struct served *served = value;
    if (!served)
        return;
    if (served->plan)
        ax_plan_free(served->plan);
    ax_free(served->counters);
    ax_free(served->stats);
    ax_free(served->phases);
    ax_free(served);
}

static struct ax_metric *
counter(struct ax_metrics *metrics, const char *name, const char *help, const char *deployment)
{
    return ax_metrics_series(metrics, AX_METRIC_COUNTER, name, help, "deployment", deployment,
                             NULL);
}

static ax_status
phases_of(struct ax_ctx *ctx, struct ax_model_server *server, const struct ax_plan *plan,
          const struct ax_loaded_model *model, const struct ax_model_phases **out)
{
    const char *name = ax_str_c(plan->arena, model->model);
    ax_str version = ax_str_printf(plan->arena, "%lld", (long long)model->version);
    if (!name || !version.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for the names of a plan");
    return ax_model_phases_of(ctx, &server->phases, server->config.metrics, name, version.at, out);
}

static ax_status
count_deployment(struct ax_ctx *ctx, struct ax_model_server *server, struct ax_plan *plan,
                 const struct ax_plan_deployment *deployment, struct counters *out)
{
    struct ax_metrics *metrics = server->config.metrics;
    ax_str name = ax_str_printf(plan->arena, "%.*s", AX_FMT(deployment->name)); /* terminated */
    out->policy_version = ax_str_printf(plan->arena, "%.*s/%lld", AX_FMT(deployment->policy->name),
                                        (long long)deployment->policy->version);
    if (!name.at || !out->policy_version.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for the names of a plan");
    for (int outcome = 0; outcome < OUTCOMES; outcome++)
        out->outcomes[outcome] = ax_metrics_series(
            metrics, AX_METRIC_COUNTER, "axiom_decisions_total", "Decisions made, by outcome.",
            "deployment", name.at, "outcome", ax_outcome_name((enum ax_outcome)outcome), NULL);
    out->fallbacks = counter(metrics, "axiom_decision_fallbacks_total",
                             "Decisions that the champion did not make.", name.at);
    out->refused = counter(metrics, "axiom_decisions_refused_total",
                           "Decisions that were asked for and not made.", name.at);
    out->challenger_failures = counter(metrics, "axiom_challenger_failures_total",
                                       "Times a challenger in shadow gave no answer.", name.at);
    out->seconds =
        ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_decision_seconds",
                          "Time to score, decide, explain and seal; without the wait for the disk.",
                          "deployment", name.at, NULL);
    AX_TRY(phases_of(ctx, server, plan, deployment->champion.model, &out->champion));
    return deployment->fallback.model
               ? phases_of(ctx, server, plan, deployment->fallback.model, &out->fallback)
               : AX_OK;
}

static void
tell_bytes(struct ax_metrics *metrics, const struct ax_loaded_model *model, const char *name,
           const char *version)
{
    const char *governed = model->governed ? "true" : "false";
    ax_metric_set(ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_model_memory_bytes",
                                    "Memory of a loaded version.", "model", name, "version",
                                    version, "governed", governed, NULL),
                  (double)ax_model_memory_bytes(model));
    ax_metric_set(ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_model_mapped_bytes",
                                    "Files of kept forms that a loaded version has mapped.",
                                    "model", name, "version", version, "governed", governed, NULL),
                  (double)ax_model_mapped_bytes(model));
}

static ax_status
count_models(struct ax_ctx *ctx, struct ax_model_server *server, struct served *served)
{
    struct ax_metrics *metrics = server->config.metrics;
    const struct ax_plan *plan = served->plan;
    for (size_t i = 0; i < plan->model_count; i++) {
        const struct ax_loaded_model *model = plan->models[i];
        const char *name = ax_str_c(plan->arena, model->model);
        ax_str version = ax_str_printf(plan->arena, "%lld", (long long)model->version);
        if (!name || !version.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for the names of a plan");
        served->stats[i] = ax_model_stats_of(server->stats, name, version.at);
        AX_TRY(phases_of(ctx, server, plan, model, &served->phases[i]));
        tell_bytes(metrics, model, name, version.at);
    }
    return AX_OK;
}

ax_status
ax_model_server_swap(struct ax_model_server *server, struct ax_ctx *ctx, struct ax_plan *plan)
{
    struct served *served = ax_alloc(sizeof *served, 1);
    if (!served) {
        ax_plan_free(plan);
        return ax_fail(ctx, AX_LIMIT, "no memory to serve a plan");
    }
    served->plan = plan;
    served->counters = ax_alloc(sizeof *served->counters, plan->deployment_count + 1);
    served->stats = ax_alloc(sizeof *served->stats, plan->model_count + 1);
    served->phases = ax_alloc(sizeof(const struct ax_model_phases *), plan->model_count + 1);
    ax_mutex_lock(&server->swapping);
    ax_status status = served->counters && served->stats && served->phases
                           ? count_models(ctx, server, served)
                           : ax_fail(ctx, AX_LIMIT, "no memory to serve a plan");
    for (size_t i = 0; status == AX_OK && i < plan->deployment_count; i++)
        status = count_deployment(ctx, server, plan, &plan->deployments[i], &served->counters[i]);
    ax_mutex_unlock(&server->swapping);
    if (status != AX_OK) {
        served_free(served);
        return status;
    }
    return ax_snapshot_swap(server->plans, ctx, served);
}

ax_status
ax_model_server_open(struct ax_ctx *ctx, const struct ax_model_server_config *config,
                     struct ax_model_server **out_server)
{
    struct ax_model_server *server = ax_alloc(sizeof *server, 1);
    if (!server)
        return ax_fail(ctx, AX_LIMIT, "no memory for the model server");
    server->config = *config;
    ax_status status = ax_metrics_open(ctx, &server->stats);
    if (status == AX_OK)
        status = ax_snapshot_open(ctx, served_free, &server->plans);
    if (status != AX_OK) {
        if (server->stats)
            ax_metrics_close(server->stats);
        ax_free(server);
        return status;
    }
    ax_mutex_init(&server->swapping);
    *out_server = server;
    return AX_OK;
}

void
ax_model_server_close(struct ax_model_server *server)
{
    if (!server)
        return;
    ax_snapshot_close(server->plans);
    ax_model_phases_free(server->phases);
    ax_mutex_done(&server->swapping);
    ax_metrics_close(server->stats);
    ax_free(server);
}

/* ---- lanes ---- */

ax_status
ax_lane_open(struct ax_ctx *ctx, struct ax_model_server *server, struct ax_lane **out_lane)
{
    struct ax_lane *lane = ax_alloc(sizeof *lane, 1);
    if (!lane)
        return ax_fail(ctx, AX_LIMIT, "no memory for a lane");
    lane->server = server;
    *out_lane = lane;
    return AX_OK;
}

void
ax_lane_close(struct ax_lane *lane)
{
    if (!lane)
        return;
    ax_snapshot_done(lane->server->plans, &lane->reader);
    ax_free(lane->scratch);
    ax_free(lane);
}

static const struct served *
lane_served(struct ax_lane *lane)
{
    return ax_snapshot_read(lane->server->plans, &lane->reader);
}

const struct ax_plan *
ax_lane_plan(struct ax_lane *lane)
{
    const struct served *served = lane_served(lane);
    return served ? served->plan : NULL;
}

void *
ax_lane_scratch(struct ax_lane *lane, size_t bytes)
{
    if (bytes > lane->scratch_bytes || !lane->scratch) {
        char *grown = ax_alloc(bytes + SCRATCH_ALIGN, 1);
        if (!grown)
            return NULL;
        ax_free(lane->scratch);
        lane->scratch = grown;
        lane->scratch_bytes = bytes;
    }
    uintptr_t misfit = (uintptr_t)lane->scratch % SCRATCH_ALIGN;
    return lane->scratch + (misfit ? SCRATCH_ALIGN - misfit : 0);
}

static size_t
index_of(const struct served *served, const struct ax_loaded_model *model)
{
    size_t at = 0;
    while (at < served->plan->model_count && served->plan->models[at] != model)
        at++;
    AX_ASSERT(at < served->plan->model_count);
    return at;
}

struct ax_model_stats
ax_lane_model_stats(struct ax_lane *lane, const struct ax_loaded_model *model)
{
    const struct served *served = lane_served(lane);
    return served->stats[index_of(served, model)];
}

const struct ax_model_phases *
ax_lane_model_phases(struct ax_lane *lane, const struct ax_loaded_model *model)
{
    const struct served *served = lane_served(lane);
    return served->phases[index_of(served, model)];
}

void
ax_model_server_print_stats(struct ax_model_server *server, struct ax_writer *out)
{
    ax_metrics_print(server->stats, out);
}

/* ---- one decision ---- */

/* A decision on its way through the steps below. */
struct making {
    struct ax_lane *lane;
    struct ax_model_server *server;
    const struct ax_decide_request *request;
    const struct ax_plan_deployment *deployment;
    const struct counters *counters;
    struct ax_decided *decided;
    ax_str sealed;
};

/* "d_", the time in milliseconds, and 80 random bits: ids sort as they were made. */
static ax_status
make_id(struct ax_ctx *ctx, int64_t now_ns, ax_str *out_id)
{
    uint8_t random[10];
    char hex[2 * sizeof random + 1];
    static const char digits[] = "0123456789abcdef";
    ax_random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        hex[2 * i] = digits[random[i] >> 4];
        hex[2 * i + 1] = digits[random[i] & 15];
    }
    hex[2 * sizeof random] = '\0';
    *out_id =
        ax_str_printf(ctx->arena, "d_%012llx%s", (unsigned long long)(now_ns / 1'000'000), hex);
    return out_id->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a decision id");
}

static ax_status
find_deployment(struct ax_lane *lane, struct ax_ctx *ctx, ax_str name, struct making *out)
{
    const struct served *served = lane_served(lane);
    const struct ax_plan_deployment *found = served ? ax_plan_deployment(served->plan, name) : NULL;
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no deployment \"%.*s\" is served", AX_FMT(name));
    out->deployment = found;
    out->counters = &served->counters[found - served->plan->deployments];
    out->decided->phases = out->counters->champion;
    out->decided->record.plan_digest = served->plan->digest;
    return AX_OK;
}

static ax_status
check_kill_switch(const struct making *making, struct ax_ctx *ctx, ax_str model)
{
    const struct ax_kill_subject subject = {
        .deployment = making->deployment->name,
        .model = model,
        .client = ctx->actor ? ctx->actor->id : AX_STR(""),
    };
    return ax_kill_switch_check(making->server->config.kill, ctx, &subject);
}

/* What is known before anything is computed. */
static ax_status
begin_record(struct making *making, struct ax_ctx *ctx, int64_t now_ns)
{
    struct ax_decision *record = &making->decided->record;
    const struct ax_decide_request *request = making->request;
    const struct ax_plan_deployment *deployment = making->deployment;
    AX_TRY(make_id(ctx, now_ns, &record->id));
    record->request_id = request->request_id;
    record->deployment = request->deployment; /* the caller's memory outlives the plan */
    record->entity = request->entity_id;
    record->event_ns = request->event_ns ? request->event_ns : now_ns;
    record->caller = ctx->actor ? ctx->actor->id : AX_STR("");
    record->caller_authenticated_by = ctx->actor ? ctx->actor->authenticated_by : AX_STR("");
    record->signature_digest = deployment->champion.model->signature_digest;
    record->policy_version = making->counters->policy_version;
    record->policy_digest = deployment->policy_digest;
    record->config_hash = deployment->config_digest;
    record->breaker = ax_str_of(ax_breaker_state_name(
        ax_breaker_state_now(deployment->champion.breaker, ax_clock_monotonic_ns())));
    record->governed = true;
    record->build_id = making->server->config.build_id;
    making->decided->deployment = deployment;
    return AX_OK;
}

/* A fact beside the decision; that it cannot be noted changes neither the decision nor its words.
 */
static void
note_aside(const struct making *making, const struct ax_ctx *ctx, const struct ax_event *event)
{
    struct ax_ctx aside = ax_ctx_of(ctx->arena);
    ax_fault_benign_begin();
    ax_ignore(ax_ledger_queue(making->server->config.ledger, &aside, event, AX_STR("")),
              "a full queue turns no refusal into a decision");
    ax_fault_benign_end();
}

/* A breaker that opened or closed. */
static void
note_breaker(struct making *making, struct ax_ctx *ctx)
{
    const struct ax_plan_deployment *deployment = making->deployment;
    ax_str state = ax_str_of(ax_breaker_state_name(
        ax_breaker_state_now(deployment->champion.breaker, ax_clock_monotonic_ns())));
    const struct ax_event event = {
        .kind = AX_EVENT_BREAKER,
        .producer = AX_STR("breaker"),
        .object = ax_str_printf(ctx->arena, "%.*s/%.*s", AX_FMT(deployment->name), AX_FMT(state)),
        .object_hash = deployment->champion.model->digest,
        .config_hash = deployment->config_digest,
        .build_id = making->server->config.build_id,
    };
    note_aside(making, ctx, &event); /* the state is in the metrics too */
}

static ax_status
compute(struct making *making, struct ax_ctx *ctx, int64_t now_ns)
{
    struct ax_decide_output out = {};
    void *scratch = ax_lane_scratch(making->lane, ax_decide_scratch_bytes(making->deployment));
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    const struct ax_decide_input input = {
        .deployment = making->deployment,
        .features = making->request->features,
        .now_ns = now_ns,
        .monotonic_ns = ax_clock_monotonic_ns(),
        .scratch = scratch,
    };
    ax_status status = ax_decide(ctx, &input, &making->decided->record, &out);
    if (out.breaker_changed)
        note_breaker(making, ctx);
    memcpy(making->decided->reasons, out.reasons, sizeof out.reasons);
    return status;
}

/* The record as bytes under the key of the person it is about. */
static ax_status
seal(struct making *making, struct ax_ctx *ctx)
{
    struct ax_decided *decided = making->decided;
    struct ax_vault_sealed sealed;
    ax_writer_auto struct ax_writer bytes = ax_writer_of(AX_DECISION_BYTES_MAX);
    ax_str entity = decided->record.entity.len ? decided->record.entity : AX_STR("anonymous");
    decided->record.decision_ns = ax_clock_real_ns();
    ax_decision_write(&decided->record, &bytes);
    if (bytes.status != AX_OK)
        return ax_fail(ctx, bytes.status, "the record of the decision is too large");
    AX_TRY(ax_vault_seal(making->server->config.vault, ctx, entity, decided->record.id,
                         ax_writer_str(&bytes), &sealed));
    ax_decision_describe(&decided->record, &decided->entry_.event);
    ax_vault_describe(&sealed, &decided->entry_.event);
    making->sealed = sealed.bytes;
    return AX_OK;
}

/* The request id is answered by this decision, or free again. */
static void
settle_request(struct ax_model_server *server, const struct ax_decided *decided, bool recorded)
{
    const struct ax_decision *record = &decided->record;
    if (record->request_id.len == 0)
        return;
    if (recorded)
        ax_decision_index_answered(server->config.index, record->deployment, record->request_id,
                                   record->id);
    else
        ax_decision_index_release(server->config.index, record->deployment, record->request_id);
}

/* On the ledger's thread: the record of a durable decision is on the disk, or never will be. */
static void
on_recorded(struct ax_ledger_entry *entry)
{
    struct ax_decided *decided = entry->arg;
    decided->status = entry->status;
    decided->durable = entry->status == AX_OK;
    decided->leaf = entry->index;
    settle_request(decided->server_, decided, decided->durable);
    decided->done_(decided); /* the last look at it */
}

static ax_status
record(struct making *making, struct ax_ctx *ctx)
{
    struct ax_decided *decided = making->decided;
    struct ax_ledger *ledger = making->server->config.ledger;
    if (making->deployment->record == AX_RECORD_QUEUED) {
        AX_TRY(ax_ledger_queue(ledger, ctx, &decided->entry_.event, making->sealed));
        settle_request(making->server, decided, true);
        decided->done_(decided);
        return AX_OK;
    }
    decided->entry_.payload = making->sealed;
    decided->entry_.done = on_recorded;
    decided->entry_.arg = decided;
    return ax_ledger_submit(ledger, ctx, &decided->entry_);
}

/* What is counted of a decision, read before its record is handed in: it may be gone behind that.
 */
struct tally {
    enum ax_outcome outcome;
    bool fallback;
    int64_t challenger_failures;
    int64_t took_ns;
};

static struct tally
tally_of(const struct ax_decision *made, int64_t took_ns)
{
    struct tally tally = {
        .outcome = AX_OUTCOME_REFER, .fallback = made->fallback, .took_ns = took_ns};
    AX_ASSERT(ax_outcome_parse(made->outcome, &tally.outcome));
    for (size_t i = 0; i < made->challenger_count; i++)
        tally.challenger_failures += made->challengers[i].failed;
    return tally;
}

static void
count_decision(const struct counters *counters, const struct tally *tally)
{
    ax_metric_add(counters->outcomes[tally->outcome], 1);
    ax_metric_add(counters->fallbacks, tally->fallback);
    ax_metric_add(counters->challenger_failures, tally->challenger_failures);
    ax_metric_observe_ns(counters->seconds, tally->took_ns);
}

/* Asked for and not made: a fact when it was refused by a person's or the policy's will. */
static void
note_refusal(struct making *making, struct ax_ctx *ctx, ax_status status)
{
    ax_metric_add(making->counters->refused, 1);
    if (status != AX_DENIED)
        return;
    const struct ax_event event = {
        .kind = AX_EVENT_REFUSAL,
        .producer = AX_STR("decision"),
        .actor = ctx->actor ? ctx->actor->id : AX_STR(""),
        .object = making->deployment->name,
        .object_hash = making->deployment->champion.model->digest,
        .config_hash = making->deployment->config_digest,
        .build_id = making->server->config.build_id,
    };
    note_aside(making, ctx, &event);
}

/* Everything behind the claim of the request id. */
static ax_status
make(struct making *making, struct ax_ctx *ctx, const struct ax_decide_answer *answer)
{
    int64_t now_ns = ax_clock_real_ns(), begin_ns = ax_clock_monotonic_ns();
    AX_TRY(check_kill_switch(making, ctx, making->deployment->champion.model->model));
    AX_TRY(begin_record(making, ctx, now_ns));
    ax_phase_end(ctx, AX_PHASE_ROUTE);
    AX_TRY(compute(making, ctx, now_ns));
    if (making->decided->record.fallback) { /* it may be of another model, and that one stopped */
        if (making->counters->fallback)
            making->decided->phases = making->counters->fallback;
        AX_TRY(check_kill_switch(making, ctx, making->decided->record.model.name));
    }
    AX_TRY(seal(making, ctx));
    ax_phase_end(ctx, AX_PHASE_RECORD);
    answer->ready(making->decided);
    ax_phase_end(ctx, AX_PHASE_WRITE);
    const struct tally tally =
        tally_of(&making->decided->record, ax_clock_monotonic_ns() - begin_ns);
    AX_TRY(record(making, ctx));
    count_decision(making->counters, &tally);
    return AX_OK;
}

static ax_status
claim_request(struct making *making, struct ax_ctx *ctx, ax_str *out_duplicate_of)
{
    ax_str request_id = making->request->request_id;
    if (request_id.len == 0)
        return AX_OK;
    if (request_id.len > AX_REQUEST_ID_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "`request_id` has %zu bytes; at most %d are allowed",
                       request_id.len, AX_REQUEST_ID_BYTES_MAX);
    return ax_decision_index_claim(making->server->config.index, ctx, making->request->deployment,
                                   request_id, out_duplicate_of);
}

ax_status
ax_model_server_decide(struct ax_lane *lane, struct ax_ctx *ctx,
                       const struct ax_decide_request *request,
                       const struct ax_decide_answer *answer, ax_str *out_duplicate_of)
{
    struct ax_model_server *server = lane->server;
    struct ax_decided *decided = AX_NEW(ctx->arena, struct ax_decided);
    if (!decided)
        return ax_fail(ctx, AX_LIMIT, "no memory for a decision");
    struct making making = {.lane = lane, .server = server, .request = request, .decided = decided};
    *out_duplicate_of = AX_STR("");
    decided->server_ = server;
    decided->done_ = answer->done;
    decided->arg = answer->arg;
    AX_TRY(find_deployment(lane, ctx, request->deployment, &making));
    AX_TRY(claim_request(&making, ctx, out_duplicate_of));
    if (out_duplicate_of->len)
        return AX_OK;
    ax_status status = make(&making, ctx, answer);
    if (status == AX_OK)
        return AX_OK;
    if (request->request_id.len)
        ax_decision_index_release(server->config.index, request->deployment, request->request_id);
    note_refusal(&making, ctx, status);
    return status;
}

/* ---- replay ---- */

ax_status
ax_model_server_replay(struct ax_lane *lane, struct ax_ctx *ctx,
                       const struct ax_plan_deployment *deployment,
                       const struct ax_decision *recorded, struct ax_decision *out_again)
{
    struct ax_decide_output out = {};
    if (!ax_digest_eq(recorded->policy_digest, deployment->policy_digest))
        return ax_fail(ctx, AX_CONFLICT, "it was decided under %.*s, which is not %.*s/%lld",
                       AX_FMT(recorded->policy_version), AX_FMT(deployment->policy->name),
                       (long long)deployment->policy->version);
    if (recorded->reason_count && recorded->explanation_method.len &&
        !ax_digest_eq(recorded->reason_map_digest, deployment->reasons_digest))
        return ax_fail(ctx, AX_CONFLICT, "its reasons come from another map than %.*s/%lld",
                       AX_FMT(deployment->reasons->name), (long long)deployment->reasons->version);
    void *scratch = ax_lane_scratch(lane, ax_decide_scratch_bytes(deployment));
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    const struct ax_decide_input input = {
        .deployment = deployment,
        .recorded = recorded,
        .now_ns = recorded->decision_ns,
        .monotonic_ns = ax_clock_monotonic_ns(),
        .scratch = scratch,
    };
    *out_again = (struct ax_decision){
        .id = recorded->id,
        .request_id = recorded->request_id,
        .deployment = recorded->deployment,
        .entity = recorded->entity,
    };
    return ax_decide(ctx, &input, out_again, &out);
}

#include "api/inference.h"

#include "api/inference_decide.h"
#include "api/limits.h"
#include "base/assert.h"
#include "sys/clock.h"

enum { LOOP_BODY_BYTES_MAX = 64 << 10, LOOP_EXPLAINED_ROWS_MAX = 4 };

ax_status
ax_inference_find(struct ax_ctx *ctx, struct ax_lane *lane,
                  const struct ax_inference_target *target, struct ax_loaded_model **out_model)
{
    const struct ax_plan *plan = ax_lane_plan(lane);
    AX_TRY(ax_policy_check_model(ctx, ctx->actor, target->model, AX_GRANT_USE));
    const struct ax_plan_deployment *deployment =
        plan ? ax_plan_deployment(plan, target->model) : NULL;
    struct ax_loaded_model *any = plan ? ax_plan_model(plan, target->model, 0) : NULL;
    if (deployment && target->version == 0)
        any = deployment->champion.model;
    struct ax_loaded_model *found =
        any && target->version ? ax_plan_model(plan, target->model, target->version) : any;
    if (!found)
        return target->dialect->unknown(ctx, target->model, target->version, any != NULL);
    *out_model = found;
    return AX_OK;
}

/* What the model's statistics are told of a request: Triton's phases made of ours. */
static struct ax_model_times
times_of(const struct ax_call *call, size_t row_count)
{
    const int64_t *took_ns = call->observed.phases.took_ns;
    return (struct ax_model_times){
        .row_count = row_count,
        .queue_ns = took_ns[AX_PHASE_QUEUE],
        .input_ns = took_ns[AX_PHASE_PARSE] + took_ns[AX_PHASE_ROUTE] + took_ns[AX_PHASE_FEATURES],
        .infer_ns = took_ns[AX_PHASE_SCORE] + took_ns[AX_PHASE_EXPLAIN],
        .output_ns = took_ns[AX_PHASE_WRITE],
    };
}

static ax_status
check_kill_switch(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model)
{
    if (!call->services->kill)
        return AX_OK;
    const struct ax_kill_subject subject = {.model = model->model, .client = call->actor.id};
    return ax_kill_switch_check(call->services->kill, ctx, &subject);
}

/* What would keep a loop's other clients waiting. */
static bool
heavy(const struct ax_inference *inference)
{
    return ax_inference_blocks(inference) ||
           (ax_inference_explains(inference) && inference->row_count > LOOP_EXPLAINED_ROWS_MAX);
}

static ax_status serve_on_worker(struct ax_call *call, struct ax_ctx *ctx);

static ax_status
score(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
      const struct ax_loaded_model *model, size_t *out_rows)
{
    const struct ax_inference_target *target = call->data;
    const struct ax_tensor_json_request *request;
    struct ax_inference inference;
    const struct ax_tensor *outputs;
    const void *body;
    size_t output_count;
    AX_ASSERT(model);
    AX_TRY(check_kill_switch(call, ctx, model));
    AX_TRY(target->dialect->read(call, ctx, model, &body, &request));
    AX_TRY(ax_limits_request(call, ctx, &request->parameters));
    ax_phase_end(ctx, AX_PHASE_PARSE);
    AX_TRY(ax_inference_prepare(ctx, model, ax_lane_plan(lane), request, &inference));
    if (lane == call->lane && heavy(&inference))
        return ax_call_to_worker(call, ctx, serve_on_worker);
    void *scratch = ax_lane_scratch(lane, model->scratch_bytes);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    ax_phase_end(ctx, AX_PHASE_FEATURES);
    AX_TRY(ax_inference_run(ctx, &inference, scratch, &outputs, &output_count));
    ax_phase_end(ctx, ax_inference_explains(&inference) ? AX_PHASE_EXPLAIN : AX_PHASE_SCORE);
    AX_TRY(target->dialect->write(call, ctx, model, body, outputs, output_count));
    ax_phase_end(ctx, AX_PHASE_WRITE);
    *out_rows = inference.row_count;
    return AX_OK;
}

static ax_status
serve_with(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane)
{
    struct ax_loaded_model *model = NULL;
    AX_TRY(ax_inference_find(ctx, lane, call->data, &model));
    const struct ax_model_stats stats = ax_lane_model_stats(lane, model);
    size_t row_count = 0;
    ax_observe_model(call, lane, model);
    ax_phase_end(ctx, AX_PHASE_ROUTE);
    ax_status status = score(call, ctx, lane, model, &row_count);
    if (status != AX_OK) {
        int64_t began_ns = ax_exchange_times(call->exchange)->last_byte_ns;
        ax_model_stats_failure(&stats, status, ax_clock_monotonic_ns() - began_ns);
    } else if (row_count > 0) { /* else a worker goes on with it */
        const struct ax_model_times times = times_of(call, row_count);
        ax_model_stats_success(&stats, &times, ax_clock_real_coarse_ns());
    }
    return status;
}

/* A worker has no lane of its own: this one lives as long as the request. */
static ax_status
serve_on_worker(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_lane *lane;
    AX_TRY(ax_lane_open(ctx, call->services->server, &lane));
    ax_status status = serve_with(call, ctx, lane);
    ax_lane_close(lane);
    return status;
}

ax_status
ax_inference_serve(struct ax_call *call, struct ax_ctx *ctx,
                   const struct ax_inference_target *target)
{
    bool decides;
    AX_TRY(ax_limits_model(call, ctx, target->model));
    AX_TRY(ax_inference_decides(call, ctx, target, &decides));
    if (decides)
        return ax_inference_decide(call, ctx, target);
    call->data = target;
    if (call->request->body.len > LOOP_BODY_BYTES_MAX)
        return ax_call_to_worker(call, ctx, serve_on_worker);
    return serve_with(call, ctx, call->lane);
}

#include "api/inference_decide.h"

#include <math.h>
#include <stdio.h>

#include "api/limits.h"
#include "net/grpc.h"
#include "sys/clock.h"
#include "sys/mutex.h"

static const ax_str id_header = {"axiom-decision-id", 17};
static const ax_str entity_header = {"axiom-entity-id", 15};

/* What is kept of each row's decision for the answer. */
struct row {
    struct deciding *deciding;
    ax_str id;
    ax_str outcome;
    double probability, margin, score;
    ax_str reasons[AX_REASONS_MAX];
};

/* A request whose rows are being decided. In the call's arena; gone when its call ends. */
struct deciding {
    struct ax_call *call;
    const struct ax_inference_target *target;
    const struct ax_loaded_model *model;
    const struct ax_plan_deployment *deployment;
    struct ax_inference inference;
    const void *body;
    struct row *rows;
    struct ax_mutex mutex;
    size_t waiting;   /* guarded by mutex: rows without a record, and one for the loop itself */
    ax_status status; /* guarded by mutex: of the first row that failed */
    char words[AX_ERROR_BYTES_MAX]; /* guarded by mutex */
};

/* ---- who asks for what ---- */

ax_status
ax_inference_decides(struct ax_call *call, struct ax_ctx *ctx,
                     const struct ax_inference_target *target, bool *out_decides)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    *out_decides = false;
    if (!call->services->governed || !plan || !(call->actor.roles & AX_ROLE_BIT(CLIENT)))
        return AX_OK;
    AX_TRY(ax_policy_check_model(ctx, &call->actor, target->model, AX_GRANT_USE));
    const struct ax_plan_deployment *deployment = ax_plan_deployment(plan, target->model);
    *out_decides = deployment &&
                   (target->version == 0 || target->version == deployment->champion.model->version);
    if (*out_decides)
        return ax_policy_check(ctx, &call->actor, AX_PERMISSION_DECIDE);
    return ax_plan_model(plan, target->model, target->version)
               ? ax_fail(ctx, AX_DENIED,
                         "a client asks deployments, whose decisions are recorded; '%.*s' is a "
                         "version that no deployment answers with",
                         AX_FMT(target->model))
               : AX_OK; /* there is no such thing: the dialect says so */
}

/* ---- the answer ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for decisions");
}

static ax_status
put_numbers(struct ax_ctx *ctx, const struct deciding *deciding, enum ax_inference_output output,
            struct ax_tensor *tensor)
{
    size_t count = deciding->inference.row_count;
    double *numbers = AX_NEW_ARRAY(ctx->arena, double, count);
    if (!numbers)
        return no_memory(ctx);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &deciding->rows[i];
        numbers[i] = output == AX_INFERENCE_PREDICT  ? row->probability
                     : output == AX_INFERENCE_MARGIN ? row->margin
                                                     : row->score;
    }
    tensor->data = numbers;
    if (output == AX_INFERENCE_SCORE)
        return AX_OK;
    return ax_inference_narrow(ctx, deciding->model, tensor); /* as the metadata says */
}

static ax_status
put_texts(struct ax_ctx *ctx, const struct deciding *deciding, enum ax_inference_output output,
          struct ax_tensor *tensor)
{
    size_t count = deciding->inference.row_count, width = 1;
    if (output == AX_INFERENCE_REASONS)
        width = (size_t)deciding->deployment->policy->reasons_max;
    ax_str *texts = AX_NEW_ARRAY(ctx->arena, ax_str, count * width + 1);
    if (!texts)
        return no_memory(ctx);
    for (size_t i = 0; i < count * width; i++) {
        const struct row *row = &deciding->rows[i / width];
        texts[i] = output == AX_INFERENCE_REASONS   ? row->reasons[i % width]
                   : output == AX_INFERENCE_OUTCOME ? row->outcome
                                                    : row->id;
    }
    tensor->type = AX_TENSOR_BYTES;
    tensor->data = texts;
    tensor->count = count * width;
    if (output == AX_INFERENCE_REASONS)
        tensor->shape[tensor->dim_count++] = (int64_t)width;
    return AX_OK;
}

static ax_status
put_output(struct ax_ctx *ctx, const struct deciding *deciding, enum ax_inference_output output,
           struct ax_tensor *tensor)
{
    *tensor = (struct ax_tensor){.name = ax_inference_output_name(output),
                                 .type = AX_TENSOR_FP64,
                                 .dim_count = 1,
                                 .shape = {(int64_t)deciding->inference.row_count},
                                 .count = deciding->inference.row_count};
    switch (output) {
    case AX_INFERENCE_PREDICT:
    case AX_INFERENCE_MARGIN:
    case AX_INFERENCE_SCORE:
        return put_numbers(ctx, deciding, output, tensor);
    case AX_INFERENCE_REASONS:
    case AX_INFERENCE_OUTCOME:
    case AX_INFERENCE_DECISION_ID:
        return put_texts(ctx, deciding, output, tensor);
    case AX_INFERENCE_CONTRIBUTIONS:
    case AX_INFERENCE_LEAF:
        break;
    }
    return ax_fail(ctx, AX_INVALID, "output '%.*s' is not told of decisions; their records have it",
                   AX_FMT(tensor->name));
}

/* "d_...,d_...": of as many rows as a header takes. */
static void
name_decisions(const struct deciding *deciding)
{
    enum { NAMED_MAX = 64 };
    ax_writer_auto struct ax_writer text = ax_writer_of(8 << 10);
    for (size_t i = 0; i < deciding->inference.row_count && i < NAMED_MAX; i++) {
        if (i)
            ax_writer_char(&text, ',');
        ax_writer_bytes(&text, deciding->rows[i].id);
    }
    if (text.status == AX_OK && deciding->call->grpc)
        ax_grpc_header(deciding->call->grpc, id_header, ax_writer_str(&text));
    else if (text.status == AX_OK)
        ax_exchange_header(deciding->call->exchange, id_header, ax_writer_str(&text));
}

static ax_status
write_answer(struct ax_ctx *ctx, const struct deciding *deciding)
{
    const struct ax_inference *inference = &deciding->inference;
    struct ax_tensor *outputs =
        AX_NEW_ARRAY(ctx->arena, struct ax_tensor, inference->output_count + 1);
    if (!outputs)
        return no_memory(ctx);
    for (size_t i = 0; i < inference->output_count; i++)
        AX_TRY(put_output(ctx, deciding, inference->outputs[i], &outputs[i]));
    name_decisions(deciding);
    return deciding->target->dialect->write(deciding->call, ctx, deciding->model, deciding->body,
                                            outputs, inference->output_count);
}

/* ---- deciding ---- */

/* One less to wait for; the last one ends the call. */
static void
settle(struct deciding *deciding, ax_status status, const char *words)
{
    ax_mutex_lock(&deciding->mutex);
    if (status != AX_OK && deciding->status == AX_OK) {
        deciding->status = status;
        snprintf(deciding->words, sizeof deciding->words, "%s", words);
    }
    bool last = --deciding->waiting == 0;
    ax_mutex_unlock(&deciding->mutex);
    if (!last)
        return;
    struct ax_call *call = deciding->call;
    ax_phase_end(ax_exchange_ctx(call->exchange), AX_PHASE_RECORD);
    if (deciding->status != AX_OK)
        ax_ctx_say(ax_exchange_ctx(call->exchange), deciding->status, "%s", deciding->words);
    ax_mutex_done(&deciding->mutex);
    ax_call_end(call, deciding->status);
}

static void
on_ready(struct ax_decided *decided)
{
    struct row *row = decided->arg;
    const struct ax_decision *record = &decided->record;
    row->id = record->id;
    row->outcome = record->outcome;
    row->probability = record->probability;
    row->margin = record->margin;
    row->score = record->score;
    ax_observe_decided(row->deciding->call, decided->phases, row->deciding->target->model);
    for (size_t i = 0; i < AX_REASONS_MAX; i++)
        row->reasons[i] = i < record->reason_count ? record->reasons[i].code : AX_STR("");
}

/* On the ledger's thread when the record had to be durable first. */
static void
on_done(struct ax_decided *decided)
{
    const struct row *row = decided->arg;
    settle(row->deciding, decided->status,
           "the record of a decision could not be kept, so there is no decision");
}

/* A row as the object of named values that /api/v1 takes. */
static ax_status
row_to_json(struct ax_ctx *ctx, const struct deciding *deciding, size_t row,
            const struct ax_json **out_json)
{
    const struct ax_signature *signature = deciding->model->signature;
    const struct ax_engine_rows *rows = &deciding->inference.rows;
    size_t width = signature->feature_count;
    ax_writer_auto struct ax_writer text = ax_writer_of(8 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_str kept;
    ax_json_begin_object(&json);
    for (size_t f = 0; f < width; f++) {
        double value = rows->type == AX_ENGINE_F32
                           ? (double)((const float *)rows->at)[row * width + f]
                           : ((const double *)rows->at)[row * width + f];
        if (isinf(value))
            return ax_fail(ctx, AX_INVALID, "row %zu: feature `%.*s` is not finite", row,
                           AX_FMT(signature->names[f]));
        ax_json_key_str(&json, signature->names[f]);
        ax_signature_decode(signature, f, value, &json);
    }
    ax_json_end_object(&json);
    AX_TRY(ax_writer_take(&text, ctx->arena, &kept));
    return ax_json_parse(ctx, kept, NULL, out_json);
}

static ax_status
decide_row(struct ax_ctx *ctx, struct deciding *deciding, size_t index)
{
    struct ax_call *call = deciding->call;
    const struct ax_decide_answer answer = {
        .ready = on_ready, .done = on_done, .arg = &deciding->rows[index]};
    struct ax_decide_request request = {
        .deployment = deciding->target->model,
        .request_id = AX_STR(""),
        .entity_id = ax_http_header_find(call->request, entity_header),
        .event_ns = ax_clock_real_ns(),
    };
    ax_str duplicate_of;
    if (!request.entity_id.at)
        request.entity_id = AX_STR("");
    AX_TRY(row_to_json(ctx, deciding, index, &request.features));
    return ax_model_server_decide(call->lane, ctx, &request, &answer, &duplicate_of);
}

static ax_status
decide_rows(struct ax_ctx *ctx, struct deciding *deciding)
{
    for (size_t i = 0; i < deciding->inference.row_count; i++) {
        ax_mutex_lock(&deciding->mutex);
        deciding->waiting++;
        ax_mutex_unlock(&deciding->mutex);
        ax_status status = decide_row(ctx, deciding, i);
        if (status == AX_OK)
            continue;
        if (deciding->inference.row_count > 1)
            status = ax_explain(ctx, status, "row %zu", i);
        settle(deciding, status, ctx->error); /* done was not called for it */
        return status;
    }
    return write_answer(ctx, deciding);
}

static ax_status
prepare(struct ax_ctx *ctx, struct deciding *deciding)
{
    struct ax_call *call = deciding->call;
    const struct ax_tensor_json_request *request;
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    deciding->deployment = ax_plan_deployment(plan, deciding->target->model);
    deciding->model = deciding->deployment->champion.model;
    AX_TRY(deciding->target->dialect->read(call, ctx, deciding->model, &deciding->body, &request));
    AX_TRY(ax_limits_request(call, ctx, &request->parameters));
    ax_phase_end(ctx, AX_PHASE_PARSE);
    AX_TRY(ax_inference_prepare(ctx, deciding->model, plan, request, &deciding->inference));
    if (deciding->inference.graph_inputs)
        return ax_fail(ctx, AX_INVALID,
                       "a deployment takes its features by name, one input each, not the graph's "
                       "tensors");
    if (deciding->inference.row_count > AX_INFERENCE_DECIDED_ROWS_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu rows to decide about in one request; at most %d",
                       deciding->inference.row_count, (int)AX_INFERENCE_DECIDED_ROWS_MAX);
    deciding->rows = AX_NEW_ARRAY(ctx->arena, struct row, deciding->inference.row_count);
    if (!deciding->rows)
        return no_memory(ctx);
    for (size_t i = 0; i < deciding->inference.row_count; i++)
        deciding->rows[i].deciding = deciding;
    return AX_OK;
}

ax_status
ax_inference_decide(struct ax_call *call, struct ax_ctx *ctx,
                    const struct ax_inference_target *target)
{
    struct deciding *deciding = AX_NEW(ctx->arena, struct deciding);
    if (!deciding)
        return no_memory(ctx);
    deciding->call = call;
    deciding->target = target;
    AX_TRY(prepare(ctx, deciding));
    ax_mutex_init(&deciding->mutex);
    deciding->waiting = 1;
    ax_call_defer(call);
    ax_status status = decide_rows(ctx, deciding);
    settle(deciding, status, ctx->error);
    return AX_OK; /* the call may be gone by now */
}

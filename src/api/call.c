/*
 * A call whose route is known: on which thread it runs, and what comes before its handler.
 */
#include "api/limits.h"
#include "api/route_parts.h"
#include "base/assert.h"

enum { WORKER_BYTES_MAX = 1 << 30 };

/* ---- running ---- */

static ax_status
read_body(struct ax_call *call, struct ax_ctx *ctx)
{
    if (call->route->body != AX_ROUTE_JSON)
        return AX_OK;
    if (call->request->body.len == 0)
        return ax_fail(ctx, AX_INVALID, "the body is empty; a JSON object is expected");
    AX_TRY(ax_json_parse(ctx, call->request->body, NULL, &call->body));
    if (ax_json_kind(call->body) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "the body must be a JSON object, not %s",
                       ax_json_kind_name(ax_json_kind(call->body)));
    return AX_OK;
}

static ax_status
check_store(struct ax_call *call, struct ax_ctx *ctx)
{
    if (!call->table->stored || call->services->store)
        return AX_OK;
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "the database is away, so nothing can be changed or looked up; decisions go on "
                   "(/readyz says more)");
}

/* What the protocol itself permits; asked once, before the first piece of a body is taken. */
static ax_status
permit(struct ax_call *call, struct ax_ctx *ctx)
{
    if (call->permitted || !call->table->permit || call->route->permission == AX_PERMISSION_PUBLIC)
        return AX_OK;
    AX_TRY(call->table->permit(call, ctx));
    call->permitted = true;
    return AX_OK;
}

static ax_status
run(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_store(call, ctx));
    AX_TRY(read_body(call, ctx));
    AX_TRY(permit(call, ctx));
    return call->route->handle(call, ctx);
}

static void
run_on_loop(struct ax_call *call)
{
    struct ax_loop_data *data = ax_exchange_loop_data(call->exchange);
    bool outer = data->deferred; /* finishing an answer may begin the next request */
    data->deferred = false;
    call->deferred = &data->deferred;
    ax_status status = run(call, ax_exchange_ctx(call->exchange));
    bool deferred = data->deferred;
    data->deferred = outer;
    if (!deferred) /* else the call may be gone */
        ax_call_end(call, status);
}

/* A worker's job may need more memory than a request on a loop: an arena of its own for a while. */
static ax_status
run_with_room(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_auto(ax_arena_free) struct ax_arena *room = ax_arena_new(WORKER_BYTES_MAX);
    struct ax_arena *outer = ctx->arena;
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    call->deferred = NULL;
    ctx->arena = room;
    ax_status status = run(call, ctx);
    ctx->arena = outer;
    return status;
}

static void
run_on_worker(void *arg)
{
    struct ax_call *call = arg;
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    ax_phase_end(ctx, AX_PHASE_QUEUE);
    if (ax_exchange_cancelled(call->exchange) && call->request->method == AX_HTTP_GET) {
        ax_call_end(call, AX_OK); /* nobody is there to read it */
        return;
    }
    ax_call_end(call, run_with_room(call, ctx));
}

/* In place of run_on_worker. */
static void
drop_call(void *arg, enum ax_work_drop why)
{
    struct ax_call *call = arg;
    ax_call_end(call, ax_limits_dropped(call, ax_exchange_ctx(call->exchange), why));
}

/* A deferred step that goes on elsewhere. */
struct later {
    struct ax_call *call;
    ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx);
};

static void
run_later(void *arg)
{
    struct later *later = arg;
    struct ax_ctx *ctx = ax_exchange_ctx(later->call->exchange);
    ax_phase_end(ctx, AX_PHASE_QUEUE);
    ax_call_end(later->call, later->fn(later->call, ctx));
}

static void
drop_later(void *arg, enum ax_work_drop why)
{
    struct later *later = arg;
    drop_call(later->call, why);
}

ax_status
ax_call_to_worker(struct ax_call *call, struct ax_ctx *ctx,
                  ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx))
{
    struct later *later = AX_NEW(ctx->arena, struct later);
    if (!later)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *later = (struct later){call, fn};
    bool *deferred = call->deferred;
    *deferred = true;
    ax_status status = ax_limits_submit(call, ctx, run_later, drop_later, later);
    if (status != AX_OK)
        *deferred = false;
    return status;
}

/* What the client's own deadline is: it can only be nearer than the server's. */
static ax_status
take_deadline(struct ax_call *call, struct ax_ctx *ctx)
{
    if (call->deadline_ns >= ctx->deadline_ns)
        return AX_OK;
    ctx->deadline_ns = call->deadline_ns;
    return ax_limits_check_deadline(call, ctx);
}

/* Argon2id first: on the one thread for that, which then goes on with the call. */
static ax_status
verify(struct ax_call *call)
{
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    AX_TRY(ax_access_verify(call, ctx));
    AX_TRY(ax_limits_admit(call, ctx, true)); /* until now it was counted as its address's */
    return ax_access_check(call->api->access, call, ctx, call->route->permission);
}

static void
verify_and_run(void *arg)
{
    struct ax_call *call = arg;
    ax_status status = verify(call);
    if (status == AX_OK)
        run_on_worker(call);
    else
        ax_call_end(call, status);
}

static void
submit_unverified(struct ax_call *call, void (*fn)(void *arg))
{
    call->lane = NULL;
    if (!ax_workers_submit(call->api->verifier, fn, call))
        ax_call_end(call, ax_fail(ax_exchange_ctx(call->exchange), AX_UNAVAILABLE,
                                  "too many passwords wait to be verified"));
}

/* ---- bodies of any length ---- */

enum { PIECE_BYTES_MIN = 512 << 10 };

/* One piece of the body; behind the last one the call itself. */
static ax_status
take_piece(struct ax_call *call, struct ax_ctx *ctx, ax_str piece)
{
    AX_TRY(check_store(call, ctx));
    AX_TRY(permit(call, ctx));
    return piece.len > 0 ? call->route->take(call, ctx, piece) : AX_OK;
}

static void
take_on_worker(void *arg)
{
    struct ax_call *call = arg;
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    ax_str piece = call->request->body;
    bool ended = ax_exchange_ended(call->exchange);
    ax_status status = take_piece(call, ctx, piece);
    if (status == AX_OK && !ended) {
        ax_exchange_next(call->exchange, piece.len);
        return;
    }
    ax_call_end(call, status == AX_OK ? run_with_room(call, ctx) : status);
}

/* As verify_and_run: nothing of the body is taken of somebody who is not who they say. */
static void
verify_and_take(void *arg)
{
    struct ax_call *call = arg;
    ax_status status = verify(call);
    if (status == AX_OK)
        take_on_worker(call);
    else
        ax_call_end(call, status);
}

/* Taken when it is worth a worker's while, or the last of it. */
void
ax_call_take(struct ax_call *call)
{
    bool ended = ax_exchange_ended(call->exchange);
    call->lane = NULL;
    if (call->unverified)
        submit_unverified(call, verify_and_take);
    else if (call->request->body.len < PIECE_BYTES_MIN && !ended)
        ax_exchange_next(call->exchange, 0);
    else if (!ax_workers_submit(call->services->workers, take_on_worker, call))
        ax_call_end(call, ax_fail(ax_exchange_ctx(call->exchange), AX_UNAVAILABLE,
                                  "too many requests wait for a worker"));
}

/* ---- the whole ---- */

void
ax_call_run(struct ax_call *call)
{
    struct ax_ctx *ctx = ax_exchange_ctx(call->exchange);
    ax_status status = take_deadline(call, ctx);
    if (status == AX_OK && call->unverified) {
        submit_unverified(call, verify_and_run);
        return;
    }
    if (status == AX_OK && call->route->thread == AX_ROUTE_LOOP) {
        run_on_loop(call);
        return;
    }
    call->lane = NULL;
    if (status == AX_OK)
        status = ax_limits_submit(call, ctx, run_on_worker, drop_call, call);
    if (status != AX_OK)
        ax_call_end(call, status);
}

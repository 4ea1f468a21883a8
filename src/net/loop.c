#include "net/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "net/listener.h"
#include "net/loop_parts.h"
#include "sys/clock.h"

enum {
    TICK_MS = 100,
    CALL_QUEUE = 1024,
    DRAIN_GRACE_MS = 200, /* idle connections may still bring the request that was under way */
    INIT_ARENA_BYTES = 1 << 20,
};

#define NS_PER_MS INT64_C(1'000'000)

/* ---- calls from other threads ---- */

static _Thread_local const struct ax_loop *current; /* the loop whose thread this is */

static bool
loop_is_here(struct ax_loop *loop)
{
    return loop == current;
}

static void
loop_call(struct ax_loop *loop, struct ax_loop_call *call)
{
    if (!ax_queue_push(loop->calls, call)) {
        ax_mutex_lock(&loop->overflow_mutex);
        call->next = loop->overflow;
        loop->overflow = call;
        ax_mutex_unlock(&loop->overflow_mutex);
    }
    uv_async_send(&loop->wake);
}

bool
ax_loop_post(struct ax_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct ax_loop_call *call = ax_alloc(1, sizeof *call);
    if (!call)
        return false;
    *call = (struct ax_loop_call){.fn = fn, .arg = arg, .owned = true};
    loop_call(loop, call);
    return true;
}

static void
run_call(struct ax_loop_call *call)
{
    bool owned = call->owned; /* one that is not may be gone after it has run */
    call->fn(call->arg);
    if (owned)
        ax_free(call);
}

static void
run_calls(struct ax_loop *loop)
{
    for (struct ax_loop_call *call; (call = ax_queue_pop(loop->calls));)
        run_call(call);
    ax_mutex_lock(&loop->overflow_mutex);
    struct ax_loop_call *last_first = loop->overflow, *in_order = NULL;
    loop->overflow = NULL;
    ax_mutex_unlock(&loop->overflow_mutex);
    for (struct ax_loop_call *call = last_first, *next; call; call = next) {
        next = call->next;
        call->next = in_order;
        in_order = call;
    }
    for (struct ax_loop_call *call = in_order, *next; call; call = next) {
        next = call->next;
        run_call(call);
    }
}

static void
loop_on_wake(uv_async_t *wake)
{
    struct ax_loop *loop = wake->data;
    run_calls(loop);
    ax_loop_connection_settle_ready(loop);
    ax_loop_changed(loop);
}

/* ---- the tick ---- */

static void
loop_on_tick(uv_timer_t *timer)
{
    struct ax_loop *loop = timer->data;
    if (loop->spare_socket < 0)
        loop->spare_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (loop->accept_paused)
        ax_loop_accept_set(loop, true);
    ax_buffers_rest(&loop->pool.buffers);
    ax_wheel_turn(&loop->wheel, ax_clock_monotonic_ns(), ax_loop_connection_due, loop);
    ax_loop_connection_settle_ready(loop);
    ax_loop_changed(loop);
}

/* Ticks only while there is something to look after: an idle server sleeps. */
static void
set_ticking(struct ax_loop *loop)
{
    bool needed = loop->connection_count > 0 || loop->accept_paused;
    if (needed == loop->ticking)
        return;
    loop->ticking = needed;
    if (!needed)
        ax_buffers_done(&loop->pool.buffers);
    if (needed)
        uv_timer_start(&loop->timer, loop_on_tick, TICK_MS, TICK_MS);
    else
        uv_timer_stop(&loop->timer);
}

static void
loop_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Each of the two is told once. */
static void
tell_drained(struct ax_loop *loop)
{
    struct ax_loops *loops = loop->loops;
    bool empty = loop->connection_count == 0, idle = empty && loop->pool.lent_count == 0;
    if (empty == loop->told_empty && idle == loop->told_idle)
        return;
    ax_mutex_lock(&loops->mutex);
    loops->empty_count += empty && !loop->told_empty;
    loops->drained_count += idle && !loop->told_idle;
    ax_mutex_unlock(&loops->mutex);
    loop->told_empty |= empty;
    loop->told_idle |= idle;
    ax_cond_broadcast(&loops->changed);
}

void
ax_loop_changed(struct ax_loop *loop)
{
    set_ticking(loop);
    if (!loop->draining)
        return;
    tell_drained(loop);
    if (loop->stopping && loop->told_idle)
        uv_walk(&loop->uv, loop_close_handle, NULL); /* then uv_run returns */
}

/* ---- what the loops' owner asks, by calls ---- */

static void
loop_listen(void *arg)
{
    struct ax_loop *loop = arg;
    loop->listening = true;
    ax_loop_accept_set(loop, true);
}

static void
loop_drain(void *arg)
{
    struct ax_loop *loop = arg;
    if (loop->draining)
        return;
    loop->draining = true;
    ax_loop_accept_stop(loop);
    ax_loop_connection_drain_all(loop, ax_clock_monotonic_ns() + DRAIN_GRACE_MS * NS_PER_MS);
}

static void
loop_cut(void *arg)
{
    ax_loop_connection_cut_all(arg);
}

static void
loop_stop(void *arg)
{
    struct ax_loop *loop = arg;
    loop_drain(loop);
    ax_loop_connection_cut_all(loop);
    loop->stopping = true;
}

/* ---- a loop's life ---- */

static ax_status
loop_init_data(struct ax_loop *loop, struct ax_ctx *ctx)
{
    const struct ax_exchange_service *service = &loop->loops->service;
    if (!ctx->arena)
        return ax_fail(ctx, AX_LIMIT, "no memory to start a loop");
    if (!service->loop_init)
        return AX_OK;
    return service->loop_init(service->arg, ctx, loop, &loop->data);
}

static void
loop_run(void *arg)
{
    struct ax_loop *loop = arg;
    struct ax_loops *loops = loop->loops;
    current = loop;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(INIT_ARENA_BYTES);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_status status = loop_init_data(loop, &ctx);
    loop->pool.home.loop_data = loop->data;

    ax_mutex_lock(&loops->mutex);
    loops->ready_count++;
    if (status != AX_OK && loops->init_status == AX_OK) {
        loops->init_status = status;
        memcpy(loops->init_error, ctx.error, sizeof ctx.error);
    }
    ax_mutex_unlock(&loops->mutex);
    ax_cond_broadcast(&loops->changed);

    uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (status == AX_OK && loops->service.loop_done)
        loops->service.loop_done(loops->service.arg, loop->data);
    ax_exchange_pool_done(&loop->pool);
}

/* The uv call's result, or no memory when a sweep wants this step to fail. */
#define UV_STEP(call) (ax_fault_here() ? UV_ENOMEM : (call))

static int
loop_open_uv(struct ax_loop *loop)
{
    int failed = UV_STEP(uv_loop_init(&loop->uv));
    if (failed != 0)
        return failed;
    loop->uv_opened = true;
    failed = UV_STEP(uv_async_init(&loop->uv, &loop->wake, loop_on_wake));
    if (failed == 0)
        failed = UV_STEP(uv_timer_init(&loop->uv, &loop->timer));
    for (size_t i = 0; failed == 0 && i < loop->loops->listener_count; i++) {
        struct ax_loop_listener *listener = &loop->listeners[i];
        failed = UV_STEP(uv_poll_init(&loop->uv, &listener->poll, listener->socket));
        listener->poll.data = listener;
    }
    loop->wake.data = loop;
    loop->timer.data = loop;
    return failed;
}

static ax_status
loop_open(struct ax_loop *loop, struct ax_ctx *ctx)
{
    struct ax_loops *loops = loop->loops;
    const struct ax_loop_config *config = &loops->config;
    loop->listen_call = (struct ax_loop_call){.fn = loop_listen, .arg = loop};
    loop->drain_call = (struct ax_loop_call){.fn = loop_drain, .arg = loop};
    loop->cut_call = (struct ax_loop_call){.fn = loop_cut, .arg = loop};
    loop->stop_call = (struct ax_loop_call){.fn = loop_stop, .arg = loop};
    struct ax_exchange_config exchange_config = {
        .limits = {.head_bytes_max = (size_t)config->head_bytes_max,
                   .header_count_max = (size_t)config->header_count_max,
                   .body_bytes_max = (size_t)config->body_bytes_max,
                   .pipeline_max = (size_t)config->pipeline_max},
        .answer_bytes_max = (size_t)config->answer_bytes_max,
        .arena_bytes_max = (size_t)config->arena_bytes_max,
        .compress_bytes_min = (size_t)config->compress_bytes_min,
        .compress_bytes_max = (size_t)config->compress_bytes_max,
        .request_ms = config->request_ms,
    };
    struct ax_exchange_home home = {.loop = loop, .here = loop_is_here, .post = loop_call};
    ax_exchange_pool_init(&loop->pool, &exchange_config, &loops->service, &home);
    ax_wheel_init(&loop->wheel, TICK_MS * NS_PER_MS, ax_clock_monotonic_ns());
    loop->input = ax_alloc(1, AX_LOOP_INPUT_BYTES);
    loop->plain = loops->tls ? ax_alloc(1, AX_TLS_RECORD_BYTES) : NULL;
    if (!loop->input || (loops->tls && !loop->plain))
        return ax_fail(ctx, AX_LIMIT, "no memory for a loop");
    AX_TRY(ax_queue_open(ctx, CALL_QUEUE, &loop->calls));
    int failed = loop_open_uv(loop);
    if (failed != 0)
        return ax_fail(ctx, AX_LIMIT, "open an event loop: %s", uv_err_name(failed));
    loop->spare_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return AX_OK;
}

/* After its thread has ended, or when it never began. */
static void
loop_free(struct ax_loop *loop)
{
    if (loop->uv_opened) {
        uv_walk(&loop->uv, loop_close_handle, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        int failed = uv_loop_close(&loop->uv);
        AX_ASSERT(failed == 0);
    }
    if (loop->calls) {
        for (struct ax_loop_call *call; (call = ax_queue_pop(loop->calls));)
            if (call->owned)
                ax_free(call);
        ax_queue_close(loop->calls);
    }
    ax_mutex_done(&loop->overflow_mutex);
    for (size_t i = 0; i < loop->loops->listener_count; i++)
        if (loop->listeners[i].socket >= 0)
            close(loop->listeners[i].socket);
    if (loop->spare_socket >= 0)
        close(loop->spare_socket);
    ax_free(loop->input);
    ax_free(loop->plain);
}

/* ---- all loops ---- */

static size_t
loop_count_of(const struct ax_loop_config *config)
{
    size_t cores = ax_thread_core_count();
    if (config->loop_count > 0)
        return (size_t)config->loop_count;
    return cores > AX_LOOP_COUNT_MAX ? AX_LOOP_COUNT_MAX : cores;
}

/* Memory for all of it: what follows only fills it in. */
static ax_status
loops_new(struct ax_ctx *ctx, const struct ax_loop_config *config, size_t listener_count,
          struct ax_loops **out_loops)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SIZE_MAX);
    struct ax_loops *loops = arena ? AX_NEW(arena, struct ax_loops) : NULL;
    size_t count = loop_count_of(config);
    if (loops) {
        loops->loops = AX_NEW_ARRAY(arena, struct ax_loop, count);
        loops->addresses = AX_NEW_ARRAY(arena, ax_str, listener_count);
        loops->ports = AX_NEW_ARRAY(arena, int, listener_count);
        loops->secure = AX_NEW_ARRAY(arena, bool, listener_count);
    }
    if (!loops || !loops->loops || !loops->addresses || !loops->ports || !loops->secure)
        return ax_fail(ctx, AX_LIMIT, "no memory for the event loops");
    for (size_t i = 0; i < count; i++) {
        struct ax_loop *loop = &loops->loops[i];
        loop->listeners = AX_NEW_ARRAY(arena, struct ax_loop_listener, listener_count);
        if (!loop->listeners)
            return ax_fail(ctx, AX_LIMIT, "no memory for the listeners");
        loop->loops = loops;
        loop->index = i;
        loop->spare_socket = -1;
        for (size_t j = 0; j < listener_count; j++)
            loop->listeners[j] =
                (struct ax_loop_listener){.loop = loop, .socket = -1, .index = (int)j};
    }
    loops->config = *config;
    loops->http1_config = (struct ax_http1_session_config){
        .header_ms = config->header_ms,
        .body_ms = config->body_ms,
        .idle_ms = config->idle_ms,
        .pipeline_max = (size_t)config->pipeline_max,
        .pending_bytes_max = (size_t)config->pending_bytes_max,
    };
    loops->http2_config = (struct ax_http2_session_config){
        .header_ms = config->header_ms,
        .body_ms = config->body_ms,
        .write_ms = config->write_ms,
        .linger_ms = config->linger_ms,
        .idle_ms = config->idle_ms,
        .ping_ms = config->ping_ms,
        .ping_gap_ms = config->ping_gap_ms,
        .streams_max = (size_t)config->streams_max,
        .window_bytes = (size_t)config->window_bytes,
        .pending_bytes_max = (size_t)config->pending_bytes_max,
        .bodies_bytes_max = (size_t)config->bodies_bytes_max,
    };
    loops->loop_count = count;
    loops->arena = ax_take(arena);
    *out_loops = loops;
    return AX_OK;
}

static void
loops_free(struct ax_loops *loops)
{
    for (size_t i = 0; i < loops->loop_count; i++)
        loop_free(&loops->loops[i]);
    if (loops->admission)
        ax_admission_close(loops->admission);
    if (loops->tls)
        ax_tls_close(loops->tls);
    ax_cond_done(&loops->changed);
    ax_mutex_done(&loops->mutex);
    ax_arena_free(loops->arena); /* loops is in it */
}

/* "tls:" in front of an address; the files are read once for all such listeners. */
static ax_status
open_tls(struct ax_loops *loops, struct ax_ctx *ctx, size_t listener, ax_str *address)
{
    static const ax_str prefix = {"tls:", 4};
    if (!ax_str_starts(*address, prefix))
        return AX_OK;
    *address = ax_str_from(*address, prefix.len);
    loops->secure[listener] = true;
    return loops->tls ? AX_OK : ax_tls_open(ctx, &loops->config.tls, &loops->tls);
}

/* One socket a loop for each address. */
static ax_status
open_listeners(struct ax_loops *loops, struct ax_ctx *ctx, const ax_str *listen, size_t count)
{
    int *sockets = AX_NEW_ARRAY(loops->arena, int, loops->loop_count);
    if (!sockets)
        return ax_fail(ctx, AX_LIMIT, "no memory for the listeners");
    for (size_t i = 0; i < count; i++) {
        ax_str address = listen[i];
        AX_TRY(open_tls(loops, ctx, i, &address));
        if (!ax_str_copy(loops->arena, address, &loops->addresses[i]))
            return ax_fail(ctx, AX_LIMIT, "no memory for the listeners");
        struct ax_listener_config config = {.address = address,
                                            .backlog = (int)loops->config.backlog,
                                            .socket_count = loops->loop_count};
        AX_TRY(ax_listener_open(ctx, &config, sockets, &loops->ports[i]));
        for (size_t j = 0; j < loops->loop_count; j++)
            loops->loops[j].listeners[i].socket = sockets[j];
        loops->listener_count = i + 1;
    }
    return AX_OK;
}

/* Removes the files of Unix sockets: at once, before another server makes its own there. */
static void
forget_addresses(struct ax_loops *loops)
{
    for (size_t i = 0; i < loops->listener_count; i++)
        ax_listener_close(loops->addresses[i], NULL, 0);
}

static void
call_all(struct ax_loops *loops, size_t started, size_t offset)
{
    for (size_t i = 0; i < started; i++)
        loop_call(&loops->loops[i],
                  (struct ax_loop_call *)(void *)((char *)&loops->loops[i] + offset));
}

#define CALL(name) offsetof(struct ax_loop, name##_call)

/* Ends the threads that run. */
static void
join_all(struct ax_loops *loops, size_t started)
{
    call_all(loops, started, CALL(stop));
    for (size_t i = 0; i < started; i++)
        ax_thread_join(loops->loops[i].thread);
}

/* Starts the threads and waits until each loop_init has run. */
static ax_status
start_all(struct ax_loops *loops, struct ax_ctx *ctx)
{
    size_t started = 0;
    ax_status status = AX_OK;
    while (status == AX_OK && started < loops->loop_count) {
        char name[16];
        snprintf(name, sizeof name, "loop-%u", (unsigned)started % AX_LOOP_COUNT_MAX);
        struct ax_loop *loop = &loops->loops[started];
        status = ax_thread_start(ctx, name, loop_run, loop, &loop->thread);
        started += status == AX_OK;
    }
    ax_mutex_lock(&loops->mutex);
    while (loops->ready_count < started)
        ax_cond_wait(&loops->changed, &loops->mutex);
    if (status == AX_OK && loops->init_status != AX_OK)
        status = ax_fail(ctx, loops->init_status, "%s", loops->init_error);
    ax_mutex_unlock(&loops->mutex);
    if (status != AX_OK)
        join_all(loops, started);
    return status;
}

static ax_status
loops_open(struct ax_loops *loops, struct ax_ctx *ctx, const ax_str *listen, size_t listen_count)
{
    const struct ax_loop_config *config = &loops->config;
    AX_TRY(ax_admission_open(ctx, (size_t)config->connections_max,
                             (size_t)config->connections_per_address_max, &loops->admission));
    AX_TRY(open_listeners(loops, ctx, listen, listen_count));
    for (size_t i = 0; i < loops->loop_count; i++)
        AX_TRY(loop_open(&loops->loops[i], ctx));
    return start_all(loops, ctx);
}

ax_status
ax_loops_open(struct ax_ctx *ctx, const struct ax_loop_config *config,
              const struct ax_exchange_service *service, const ax_str *listen, size_t listen_count,
              struct ax_loops **out_loops)
{
    AX_ASSERT(listen_count > 0 && config->loop_count >= 0 &&
              config->loop_count <= AX_LOOP_COUNT_MAX);
    struct ax_loops *loops = NULL;
    AX_TRY(loops_new(ctx, config, listen_count, &loops));
    loops->service = *service;
    ax_mutex_init(&loops->mutex);
    ax_cond_init(&loops->changed);
    for (size_t i = 0; i < loops->loop_count; i++)
        ax_mutex_init(&loops->loops[i].overflow_mutex);
    ax_status status = loops_open(loops, ctx, listen, listen_count);
    if (status != AX_OK) {
        forget_addresses(loops);
        loops_free(loops);
        return status;
    }
    call_all(loops, loops->loop_count, CALL(listen));
    *out_loops = loops;
    return AX_OK;
}

int
ax_loops_port(const struct ax_loops *loops, size_t listener)
{
    AX_ASSERT(listener < loops->listener_count);
    return loops->ports[listener];
}

size_t
ax_loops_count(const struct ax_loops *loops)
{
    return loops->loop_count;
}

struct ax_loop *
ax_loops_at(struct ax_loops *loops, size_t index)
{
    AX_ASSERT(index < loops->loop_count);
    return &loops->loops[index];
}

bool
ax_loops_drain(struct ax_loops *loops, int64_t deadline_ns)
{
    AX_ASSERT(!current);
    if (!loops->drained) {
        forget_addresses(loops);
        call_all(loops, loops->loop_count, CALL(drain));
    }
    loops->drained = true;
    ax_mutex_lock(&loops->mutex);
    bool in_time = true;
    while (in_time && loops->drained_count < loops->loop_count)
        in_time = ax_cond_wait_until(&loops->changed, &loops->mutex, deadline_ns);
    bool all = loops->drained_count == loops->loop_count;
    ax_mutex_unlock(&loops->mutex);
    if (all)
        return true;
    if (!loops->cut)
        call_all(loops, loops->loop_count, CALL(cut));
    loops->cut = true;
    ax_mutex_lock(&loops->mutex);
    while (loops->empty_count < loops->loop_count)
        ax_cond_wait(&loops->changed, &loops->mutex);
    ax_mutex_unlock(&loops->mutex);
    return false;
}

void
ax_loops_close(struct ax_loops *loops)
{
    if (!loops->drained)
        forget_addresses(loops);
    join_all(loops, loops->loop_count);
    loops_free(loops);
}

ax_status
ax_loops_reload(struct ax_loops *loops, struct ax_ctx *ctx)
{
    return loops->tls ? ax_tls_reload(loops->tls, ctx) : AX_OK;
}

void *
ax_loop_data(struct ax_loop *loop)
{
    return loop->data;
}

size_t
ax_loop_index(const struct ax_loop *loop)
{
    return loop->index;
}

struct ax_loop_totals
ax_loops_totals(struct ax_loops *loops)
{
    struct ax_admission_totals totals = ax_admission_totals(loops->admission);
    return (struct ax_loop_totals){
        .connections_open = totals.open,
        .connections_accepted = totals.accepted,
        .connections_refused = totals.refused,
        .connections_cut = totals.cut,
    };
}

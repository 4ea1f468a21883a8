#include "net/exchange.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "codec/json.h"
#include "net/exchange_parts.h"
#include "net/http2_session.h"
#include "sys/clock.h"
#include "sys/crypto.h"

enum {
    FREE_KEPT_MAX = 1024,
    FIELDS_BYTES_MAX = 16 * 1024,
    HEAD_BYTES_MAX = FIELDS_BYTES_MAX + 1024,
    ARENA_BYTES_PER_BODY_BYTE = 4, /* "1," may become a double */
};

#define NS_PER_MS INT64_C(1'000'000)

/* ---- what a service without the call does ---- */

static void
plain_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    (void)exchange;
    (void)limits;
}

static void
plain_refused(void *arg, struct ax_exchange *exchange, int status, ax_str reason)
{
    (void)arg;
    (void)status;
    ax_exchange_header(exchange, AX_STR("Content-Type"), AX_STR("application/json"));
    struct ax_json_writer json = ax_json_writer_of(&exchange->body);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "error", reason);
    ax_json_end_object(&json);
}

static void
plain_answered(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    (void)exchange;
}

/* ---- the pool ---- */

void
ax_exchange_pool_init(struct ax_exchange_pool *pool, const struct ax_exchange_config *config,
                      const struct ax_exchange_service *service,
                      const struct ax_exchange_home *home)
{
    AX_ASSERT(service->handler != NULL);
    *pool = (struct ax_exchange_pool){.home = *home, .service = *service, .config = *config};
    if (!service->head)
        pool->service.head = plain_head;
    if (!service->refused)
        pool->service.refused = plain_refused;
    if (!service->answered)
        pool->service.answered = plain_answered;
    ax_random_bytes(&pool->trace_high, sizeof pool->trace_high);
    ax_random_bytes(&pool->trace_next, sizeof pool->trace_next);
}

static void
exchange_free(struct ax_exchange *exchange)
{
    ax_exchange_file_close(exchange);
    if (exchange->ctx.arena)
        ax_arena_free(exchange->ctx.arena);
    ax_message_done(&exchange->message);
    ax_writer_free(&exchange->fields);
    ax_writer_free(&exchange->trailers);
    ax_writer_free(&exchange->body);
    ax_writer_free(&exchange->head);
    ax_mutex_done(&exchange->mutex);
    ax_free(exchange);
}

void
ax_exchange_pool_done(struct ax_exchange_pool *pool)
{
    AX_ASSERT(pool->lent_count == 0);
    for (struct ax_exchange *exchange = pool->free_list, *next; exchange; exchange = next) {
        next = exchange->next;
        exchange_free(exchange);
    }
    pool->free_list = NULL;
    ax_buffers_done(&pool->buffers);
    for (int i = 0; i < AX_COMPRESS_CODING_COUNT; i++)
        if (pool->deflaters[i])
            ax_deflater_free(pool->deflaters[i]);
    if (pool->http2_memory)
        ax_http2_session_memory_free(pool->http2_memory);
}

static struct ax_exchange *
exchange_new(struct ax_exchange_pool *pool)
{
    struct ax_exchange *exchange = ax_alloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    ax_mutex_init(&exchange->mutex);
    exchange->pool = pool;
    exchange->file = -1;
    exchange->fields = ax_writer_of(FIELDS_BYTES_MAX);
    exchange->trailers = ax_writer_of(FIELDS_BYTES_MAX);
    exchange->head = ax_writer_of(HEAD_BYTES_MAX);
    exchange->body = ax_writer_of(pool->config.answer_bytes_max);
    exchange->ctx = ax_ctx_of(ax_arena_new(pool->config.arena_bytes_max));
    if (!exchange->ctx.arena || !ax_message_init(&exchange->message, &pool->config.limits)) {
        exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

struct ax_exchange *
ax_exchange_take(struct ax_exchange_pool *pool, struct ax_session *session,
                 const struct ax_session_peer *peer)
{
    struct ax_exchange *exchange = pool->free_list;
    if (exchange) {
        pool->free_list = exchange->next;
        pool->free_count--;
    } else {
        exchange = exchange_new(pool);
        if (!exchange)
            return NULL;
    }
    exchange->next = NULL;
    exchange->session = session;
    exchange->peer = *peer;
    ax_session_identity_ref(peer->identity);
    exchange->status = 200;
    return exchange;
}

void
ax_exchange_body_expect(struct ax_exchange *exchange, uint64_t bytes)
{
    struct ax_writer *body = &exchange->message.body;
    if (bytes == UINT64_MAX)
        bytes = 2 * body->len;
    if (!exchange->message.inflater && bytes <= body->len_max)
        ax_buffers_fit(&exchange->pool->buffers, body, (size_t)bytes);
}

void
ax_exchange_give(struct ax_exchange *exchange)
{
    struct ax_exchange_pool *pool = exchange->pool;
    AX_ASSERT(!exchange->lent);
    if (pool->free_count >= FREE_KEPT_MAX) {
        ax_session_identity_unref(exchange->peer.identity);
        exchange_free(exchange);
        return;
    }
    ax_buffers_take_back(&pool->buffers, &exchange->body);
    ax_buffers_take_back(&pool->buffers, &exchange->message.body);
    ax_exchange_file_close(exchange);
    ax_writer_clear(&exchange->body);
    ax_writer_clear(&exchange->fields);
    ax_writer_clear(&exchange->trailers);
    ax_writer_clear(&exchange->head);
    ax_message_reset(&exchange->message);
    ax_arena_reset(exchange->ctx.arena);
    ax_arena_set_budget(exchange->ctx.arena, pool->config.arena_bytes_max);
    exchange->ctx = ax_ctx_of(exchange->ctx.arena);
    exchange->times = (struct ax_exchange_times){};
    exchange->request_id = (ax_str){};
    exchange->lineage = (struct ax_exchange_trace){};
    exchange->id_told = exchange->id_given = false;
    ax_session_identity_unref(exchange->peer.identity);
    exchange->peer.identity = NULL;
    exchange->session = NULL;
    exchange->slot = exchange->carrier = NULL;
    exchange->stream = NULL;
    exchange->on_cancel = NULL;
    exchange->broken = exchange->close_after = exchange->refused = exchange->finished = false;
    exchange->interim_due = false;
    exchange->sent_bytes = 0;
    exchange->cancelled = false; /* nobody else has it now */
    exchange->next = pool->free_list;
    pool->free_list = exchange;
    pool->free_count++;
}

/* ---- the way of a request ---- */

void
ax_exchange_head_done(struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    struct ax_exchange_pool *pool = exchange->pool;
    ax_exchange_set_ids(exchange);
    exchange->lent = true;
    pool->lent_count++;
    pool->service.head(pool->service.arg, exchange, limits);
    if (!exchange->lent)
        return;
    exchange->lent = false; /* not finished: it comes back to be read on */
    pool->lent_count--;
    bool whole = exchange->message.request.has_body && !exchange->stream;
    int refused = whole ? ax_exchange_coding_expect(exchange) : 0;
    if (refused == 0)
        return;
    ax_exchange_refuse(exchange, refused,
                       refused == 415 ? AX_STR("the body's Content-Encoding is not one of gzip, "
                                               "deflate and zstd")
                                      : AX_STR("no memory to inflate the body"));
    if (refused == 415)
        ax_exchange_header(exchange, AX_STR("Accept-Encoding"), AX_STR("gzip, deflate, zstd"));
    ax_session_finished(exchange->session, exchange);
}

void
ax_exchange_handle(struct ax_exchange *exchange)
{
    struct ax_exchange_pool *pool = exchange->pool;
    exchange->ctx.deadline_ns = exchange->times.last_byte_ns + pool->config.request_ms * NS_PER_MS;
    exchange->lent = true;
    pool->lent_count++;
    exchange->times.handler_ns = ax_clock_monotonic_ns();
    ax_arena_set_budget(exchange->ctx.arena,
                        pool->config.arena_bytes_max +
                            exchange->message.body.len * ARENA_BYTES_PER_BODY_BYTE);
    if (exchange->message.body.len > AX_BUFFERS_LARGE && pool->buffers.count > 0)
        ax_buffers_fit(&pool->buffers, &exchange->body, exchange->message.body.len);
    pool->service.handler(pool->service.arg, exchange);
}

void
ax_exchange_refuse(struct ax_exchange *exchange, int status, ax_str reason)
{
    struct ax_exchange_pool *pool = exchange->pool;
    if (!exchange->ctx.trace_id.at)
        ax_exchange_set_ids(exchange);
    ax_exchange_restart(exchange);
    exchange->refused = true;
    exchange->close_after = true;
    exchange->status = status;
    pool->service.refused(pool->service.arg, exchange, status, reason);
    exchange->finished = true;
    exchange->times.finish_ns = ax_clock_monotonic_ns();
}

static bool
sound(const struct ax_exchange *exchange)
{
    return !exchange->broken && exchange->body.status == AX_OK &&
           exchange->fields.status == AX_OK && exchange->trailers.status == AX_OK;
}

void
ax_exchange_settle(struct ax_exchange *exchange)
{
    static const ax_str why = {"the server built an answer that cannot be sent", 46};
    struct ax_exchange_service *service = &exchange->pool->service;
    if (sound(exchange)) {
        ax_exchange_coding_apply(exchange);
        ax_exchange_tell_ids(exchange);
        return;
    }
    ax_exchange_restart(exchange);
    exchange->status = 500;
    service->refused(service->arg, exchange, exchange->status, why);
    if (!sound(exchange)) {
        ax_exchange_restart(exchange); /* even that was too much: say it by the status alone */
        exchange->status = 500;
    }
    ax_exchange_tell_ids(exchange);
}

void
ax_exchange_cancel(struct ax_exchange *exchange)
{
    ax_mutex_lock(&exchange->mutex);
    bool first = !exchange->cancelled;
    exchange->cancelled = true;
    ax_mutex_unlock(&exchange->mutex);
    if (first && exchange->lent && exchange->on_cancel)
        exchange->on_cancel(exchange->pool->service.arg, exchange);
}

void
ax_exchange_orphan(struct ax_exchange *exchange)
{
    AX_ASSERT(exchange->lent);
    exchange->session = NULL;
    exchange->next = NULL;
    ax_exchange_cancel(exchange); /* may finish it */
}

void
ax_exchange_report(struct ax_exchange *exchange)
{
    struct ax_exchange_service *service = &exchange->pool->service;
    service->answered(service->arg, exchange);
}

void
ax_exchange_return(struct ax_exchange *exchange)
{
    AX_ASSERT(exchange->lent && !exchange->finished);
    exchange->lent = false;
    exchange->finished = true;
    exchange->pool->lent_count--;
    exchange->times.finish_ns = ax_clock_monotonic_ns();
    if (exchange->session) {
        ax_session_finished(exchange->session, exchange);
        return;
    }
    ax_exchange_report(exchange);
    ax_exchange_give(exchange);
}

static void
exchange_returned_by_post(void *arg)
{
    struct ax_exchange *exchange = arg;
    /* Until the other thread is out of post(), it may still touch the loop. */
    ax_mutex_lock(&exchange->mutex);
    ax_mutex_unlock(&exchange->mutex);
    ax_exchange_return(exchange);
}

void
ax_exchange_finish(struct ax_exchange *exchange)
{
    struct ax_exchange_home *home = &exchange->pool->home;
    if (exchange->stream) {
        ax_exchange_stream_finish(exchange);
        return;
    }
    if (home->here(home->loop)) {
        ax_exchange_return(exchange);
        return;
    }
    exchange->call = (struct ax_loop_call){.fn = exchange_returned_by_post, .arg = exchange};
    ax_mutex_lock(&exchange->mutex);
    home->post(home->loop, &exchange->call);
    ax_mutex_unlock(&exchange->mutex);
}

/* ---- for the service ---- */

const struct ax_http_request *
ax_exchange_request(const struct ax_exchange *exchange)
{
    return &exchange->message.request;
}

struct ax_ctx *
ax_exchange_ctx(struct ax_exchange *exchange)
{
    return &exchange->ctx;
}

struct ax_exchange_trace *
ax_exchange_trace(struct ax_exchange *exchange)
{
    return &exchange->lineage;
}

ax_str
ax_exchange_request_id(const struct ax_exchange *exchange)
{
    return exchange->request_id;
}

ax_str
ax_exchange_peer(const struct ax_exchange *exchange)
{
    return ax_str_of(exchange->peer.address);
}

uint64_t
ax_exchange_network(const struct ax_exchange *exchange)
{
    return exchange->peer.network;
}

bool
ax_exchange_secure(const struct ax_exchange *exchange)
{
    return exchange->peer.secure;
}

ax_str
ax_exchange_client_subject(const struct ax_exchange *exchange)
{
    return ax_str_of(exchange->peer.identity ? exchange->peer.identity->subject : NULL);
}

ax_str
ax_exchange_client_uri(const struct ax_exchange *exchange)
{
    return ax_str_of(exchange->peer.identity ? exchange->peer.identity->uri : NULL);
}

const struct ax_session_identity *
ax_exchange_identity(const struct ax_exchange *exchange)
{
    return exchange->peer.identity;
}

int
ax_exchange_listener(const struct ax_exchange *exchange)
{
    return exchange->peer.listener;
}

struct ax_loop *
ax_exchange_loop(const struct ax_exchange *exchange)
{
    return exchange->pool->home.loop;
}

void *
ax_exchange_loop_data(const struct ax_exchange *exchange)
{
    return exchange->pool->home.loop_data;
}

void **
ax_exchange_slot(struct ax_exchange *exchange)
{
    return &exchange->slot;
}

bool
ax_exchange_cancelled(struct ax_exchange *exchange)
{
    ax_mutex_lock(&exchange->mutex);
    bool cancelled = exchange->cancelled;
    ax_mutex_unlock(&exchange->mutex);
    return cancelled;
}

void
ax_exchange_set_status(struct ax_exchange *exchange, int status)
{
    AX_ASSERT(status >= 200 && status <= 599);
    exchange->status = status;
}

static void
put_field(struct ax_exchange *exchange, struct ax_writer *out, ax_str name, ax_str value)
{
    if (!ax_http_name_ok(name) || !ax_http_value_ok(value)) {
        exchange->broken = true;
        return;
    }
    ax_writer_bytes(out, name);
    ax_writer_bytes(out, AX_STR(": "));
    ax_writer_bytes(out, value);
    ax_writer_bytes(out, AX_STR("\r\n"));
}

void
ax_exchange_header(struct ax_exchange *exchange, ax_str name, ax_str value)
{
    exchange->id_told |= name.len == 12 && ax_str_eq_ignoring_case(name, AX_STR("x-request-id"));
    put_field(exchange, &exchange->fields, name, value);
}

void
ax_exchange_trailer(struct ax_exchange *exchange, ax_str name, ax_str value)
{
    if (exchange->message.request.major >= 2)
        put_field(exchange, &exchange->trailers, name, value);
}

struct ax_writer *
ax_exchange_body(struct ax_exchange *exchange)
{
    return &exchange->body;
}

void
ax_exchange_restart(struct ax_exchange *exchange)
{
    exchange->status = 200;
    exchange->broken = exchange->id_told = false;
    ax_writer_clear(&exchange->fields);
    ax_writer_clear(&exchange->trailers);
    ax_writer_clear(&exchange->body);
    ax_exchange_file_close(exchange);
}

void
ax_exchange_on_cancel(struct ax_exchange *exchange,
                      void (*cancelled)(void *arg, struct ax_exchange *exchange))
{
    exchange->on_cancel = cancelled;
}

void
ax_exchange_close_after(struct ax_exchange *exchange)
{
    exchange->close_after = true;
}

void
ax_exchange_answer(struct ax_exchange *exchange, int status, ax_str content_type, ax_str body)
{
    ax_exchange_set_status(exchange, status);
    ax_exchange_header(exchange, AX_STR("Content-Type"), content_type);
    ax_writer_bytes(&exchange->body, body);
    ax_exchange_finish(exchange);
}

const struct ax_exchange_times *
ax_exchange_times(const struct ax_exchange *exchange)
{
    return &exchange->times;
}

int
ax_exchange_status(const struct ax_exchange *exchange)
{
    return exchange->status;
}

size_t
ax_exchange_body_bytes(const struct ax_exchange *exchange)
{
    if (exchange->file_bytes > 0)
        return exchange->file_bytes;
    return exchange->stream ? exchange->stream->sent_total : exchange->body.len;
}

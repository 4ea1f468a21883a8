/* Exchanges that take their body in pieces and answer in pieces. Part of exchange. */
#include <string.h>

#include "base/assert.h"
#include "net/exchange_parts.h"
#include "sys/clock.h"

enum {
    UNSENT_BYTES_MAX = 1 << 20,  /* more, and the stream is not stepped */
    ARRIVED_BYTES_MAX = 2 << 20, /* more, and no more is read */
};

static void
exchange_stream_done(void *arg)
{
    struct ax_exchange_stream *stream = arg;
    ax_writer_free(&stream->arriving);
    ax_writer_free(&stream->leaving);
    ax_writer_free(&stream->handed);
}

static bool
begin(struct ax_exchange *exchange, void (*step)(void *arg, struct ax_exchange *exchange))
{
    struct ax_arena *arena = exchange->ctx.arena;
    AX_ASSERT(exchange->lent && !exchange->stream);
    struct ax_exchange_stream *stream = AX_NEW(arena, struct ax_exchange_stream);
    if (!stream || !ax_arena_defer(arena, exchange_stream_done, stream))
        return false;
    size_t answer_bytes_max = exchange->pool->config.answer_bytes_max;
    stream->step = step;
    stream->arriving = ax_writer_of(SIZE_MAX); /* the session's window is its limit */
    stream->leaving = stream->handed = ax_writer_of(answer_bytes_max);
    exchange->stream = stream;
    return true;
}

bool
ax_exchange_stream(struct ax_exchange *exchange,
                   void (*step)(void *arg, struct ax_exchange *exchange))
{
    return exchange->session->ops->streams && begin(exchange, step);
}

bool
ax_exchange_take_body(struct ax_exchange *exchange,
                      void (*step)(void *arg, struct ax_exchange *exchange))
{
    if (!begin(exchange, step))
        return false;
    exchange->stream->whole = true;
    exchange->ctx.deadline_ns = INT64_MAX;
    return true;
}

bool
ax_exchange_stream_is_full(const struct ax_exchange *exchange)
{
    const struct ax_exchange_stream *stream = exchange->stream;
    return stream->arriving.len + exchange->message.body.len - stream->body_at >= ARRIVED_BYTES_MAX;
}

bool
ax_exchange_ended(const struct ax_exchange *exchange)
{
    return exchange->stream->ended;
}

/* Adds all of from to the end of to; from is empty then. Moves the memory where it can. */
static void
pour(struct ax_writer *from, struct ax_writer *to)
{
    if (to->len == 0 && to->status == AX_OK && from->len <= to->len_max) {
        struct ax_writer empty = *to;
        size_t from_max = from->len_max, to_max = to->len_max;
        *to = *from;
        *from = empty;
        to->len_max = to_max;
        from->len_max = from_max;
        return;
    }
    ax_writer_bytes(to, ax_writer_str(from));
    if (from->status != AX_OK && to->status == AX_OK)
        to->status = from->status;
    ax_writer_clear(from);
}

void
ax_exchange_stream_gather(struct ax_exchange *exchange)
{
    pour(&exchange->stream->leaving, &exchange->body);
}

/* ---- the loop's side ---- */

static void
lend(struct ax_exchange *exchange)
{
    AX_ASSERT(!exchange->lent);
    exchange->lent = true;
    exchange->pool->lent_count++;
}

static void
take_back(struct ax_exchange *exchange)
{
    AX_ASSERT(exchange->lent);
    exchange->lent = false;
    exchange->pool->lent_count--;
}

static bool
too_much_unsent(const struct ax_exchange_stream *stream)
{
    return stream->leaving.len - stream->left_bytes > UNSENT_BYTES_MAX;
}

/* Moves what is untaken to the front: now and then, so that each byte moves once on average. */
static void
compact(struct ax_exchange *exchange)
{
    struct ax_exchange_stream *stream = exchange->stream;
    struct ax_writer *body = &exchange->message.body;
    body->len -= stream->body_at;
    if (body->len > 0)
        memmove(body->at, body->at + stream->body_at, body->len);
    stream->body_at = 0;
}

bool
ax_exchange_stream_arrived(struct ax_exchange *exchange, ax_str bytes, bool ended)
{
    struct ax_exchange_stream *stream = exchange->stream;
    struct ax_writer *body = &exchange->message.body;
    stream->arrived_all |= ended;
    if (bytes.len == 0)
        return true;
    if (exchange->lent || stream->arriving.len > 0 || too_much_unsent(stream)) {
        ax_writer_bytes(&stream->arriving, bytes);
        return stream->arriving.status == AX_OK;
    }
    if (bytes.len > body->len_max - body->len)
        compact(exchange);
    stream->grew = true;
    return ax_message_add_body(&exchange->message, bytes) == AX_OK;
}

/* What came meanwhile joins the body; false when that becomes too long. */
static bool
merge(struct ax_exchange *exchange)
{
    struct ax_exchange_stream *stream = exchange->stream;
    if (stream->arriving.len == 0)
        return true;
    compact(exchange);
    pour(&stream->arriving, &exchange->message.body);
    stream->grew = true;
    return exchange->message.body.status == AX_OK;
}

static void
drop_taken(struct ax_exchange *exchange, size_t taken_bytes)
{
    struct ax_exchange_stream *stream = exchange->stream;
    size_t len = exchange->message.body.len;
    AX_ASSERT(taken_bytes <= len - stream->body_at);
    stream->body_at += taken_bytes;
    stream->grew |= taken_bytes > 0 && (stream->body_at < len || stream->ended);
    if (stream->body_at > len / 2)
        compact(exchange);
}

/* What is handed over joins what the session has yet to take. */
static void
push(struct ax_exchange_stream *stream, struct ax_writer *from)
{
    if (stream->left_bytes == stream->leaving.len) {
        stream->leaving.len = 0; /* its status stays: what was cut once is not whole again */
        stream->left_bytes = 0;
    }
    stream->sent_total += from->len;
    stream->head_due |= from->len > 0;
    pour(from, &stream->leaving);
}

/* The holder is done with this step. Whether the stream goes on; it may be gone if not. */
static bool
stepped(struct ax_exchange *exchange)
{
    struct ax_exchange_stream *stream = exchange->stream;
    bool finish = stream->then == AX_STREAM_FINISH;
    stream->then = AX_STREAM_HELD;
    push(stream, &exchange->body);
    if (finish || exchange->cancelled || !exchange->session) {
        ax_exchange_return(exchange);
        return false;
    }
    drop_taken(exchange, stream->taken_bytes);
    take_back(exchange);
    return true;
}

void
ax_exchange_stream_run(struct ax_exchange *exchange)
{
    struct ax_exchange_stream *stream = exchange->stream;
    while (!exchange->lent && !exchange->finished && !too_much_unsent(stream)) {
        exchange->broken |= !merge(exchange);
        if (exchange->broken || (!stream->grew && stream->ended == stream->arrived_all))
            return;
        stream->grew = false;
        stream->ended = stream->arrived_all;
        exchange->message.request.body =
            ax_str_from(ax_writer_str(&exchange->message.body), stream->body_at);
        lend(exchange);
        if (exchange->times.handler_ns == 0)
            exchange->times.handler_ns = ax_clock_monotonic_ns();
        stream->stepping = true;
        stream->step(exchange->pool->service.arg, exchange);
        stream->stepping = false;
        ax_mutex_lock(&exchange->mutex);
        bool held = stream->posted || stream->then == AX_STREAM_HELD;
        ax_mutex_unlock(&exchange->mutex);
        if (held || !stepped(exchange))
            return;
    }
}

/* Something was handed over on another thread. */
static void
exchange_stream_posted(void *arg)
{
    struct ax_exchange *exchange = arg;
    struct ax_exchange_stream *stream = exchange->stream;
    ax_mutex_lock(&exchange->mutex);
    stream->posted = false;
    push(stream, &stream->handed);
    stream->head_due |= stream->head_asked;
    bool held = stream->then == AX_STREAM_HELD;
    ax_mutex_unlock(&exchange->mutex);
    if ((held || stepped(exchange)) && exchange->session)
        ax_session_moved(exchange->session, exchange);
}

/* ---- the holder's side ---- */

/*
 * Hands over what is written and says what comes next. false when it is on its way to the loop:
 * from another thread, or behind something that is still under way from one.
 */
static bool
hand_over(struct ax_exchange *exchange, enum ax_stream_then then, size_t taken_bytes)
{
    struct ax_exchange_stream *stream = exchange->stream;
    struct ax_exchange_home *home = &exchange->pool->home;
    bool here = home->here(home->loop);
    ax_mutex_lock(&exchange->mutex);
    AX_ASSERT(stream->then == AX_STREAM_HELD);
    stream->then = then;
    stream->taken_bytes = taken_bytes;
    stream->head_asked |= then == AX_STREAM_HELD;
    bool direct = here && !stream->posted;
    if (!direct)
        pour(&exchange->body, &stream->handed);
    if (!direct && !stream->posted) {
        stream->posted = true;
        exchange->call = (struct ax_loop_call){.fn = exchange_stream_posted, .arg = exchange};
        home->post(home->loop, &exchange->call);
    }
    ax_mutex_unlock(&exchange->mutex);
    return direct;
}

void
ax_exchange_send(struct ax_exchange *exchange)
{
    if (!hand_over(exchange, AX_STREAM_HELD, 0))
        return;
    push(exchange->stream, &exchange->body);
    exchange->stream->head_due = true;
    if (exchange->session)
        ax_session_moved(exchange->session, exchange);
}

void
ax_exchange_next(struct ax_exchange *exchange, size_t taken_bytes)
{
    if (hand_over(exchange, AX_STREAM_NEXT, taken_bytes) && !exchange->stream->stepping &&
        stepped(exchange))
        ax_session_moved(exchange->session, exchange);
}

void
ax_exchange_stream_finish(struct ax_exchange *exchange)
{
    if (hand_over(exchange, AX_STREAM_FINISH, 0) && !exchange->stream->stepping)
        stepped(exchange);
}

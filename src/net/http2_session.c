#include "net/http2_session.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "net/http2_session_parts.h"
#include "sys/clock.h"

enum {
    ACKS_MAX = 256,         /* of pings and settings, not yet sent */
    CONTINUATIONS_MAX = 8,  /* of one head */
    RESETS_AT_ONCE = 1'000, /* nghttp2's own count, which ends with another word than ours */
    RESETS_PER_SECOND = 1'000,
    WINDOWS_A_CONNECTION = 16,
    TABLE_BYTES = 1024, /* of HPACK for answers: a dozen fields; their values come and go */
    GOING_BYTES_MIN = 16 * 1024, /* a slow reader takes so much in write_ms, or is cut */
};

#define NS_PER_MS INT64_C(1'000'000)

static struct ax_http2_session *
of(struct ax_session *session)
{
    return (struct ax_http2_session *)session;
}

/* ---- streams ---- */

static void
timed_remove(struct ax_http2_stream *stream)
{
    struct ax_http2_session *session = stream->session;
    struct ax_http2_stream *next = stream->next_timed, *before = stream->before_timed;
    *(before ? &before->next_timed : &session->timed_first) = next;
    *(next ? &next->before_timed : &session->timed_last) = before;
    stream->next_timed = stream->before_timed = NULL;
    stream->deadline_ns = INT64_MAX;
}

/* Most come with the latest deadline: the place is sought from the end. */
void
ax_http2_session_arm(struct ax_http2_stream *stream, int64_t deadline_ns)
{
    struct ax_http2_session *session = stream->session;
    if (stream->deadline_ns != INT64_MAX)
        timed_remove(stream);
    if (deadline_ns == INT64_MAX || stream->gone)
        return;
    struct ax_http2_stream *before = session->timed_last;
    while (before && before->deadline_ns > deadline_ns)
        before = before->before_timed;
    struct ax_http2_stream *next = before ? before->next_timed : session->timed_first;
    stream->deadline_ns = deadline_ns;
    stream->before_timed = before;
    stream->next_timed = next;
    *(before ? &before->next_timed : &session->timed_first) = stream;
    *(next ? &next->before_timed : &session->timed_last) = stream;
}

struct ax_http2_stream *
ax_http2_session_stream_new(struct ax_http2_session *session, int32_t id)
{
    struct ax_exchange *exchange = ax_exchange_take(session->pool, &session->base, &session->peer);
    if (!exchange)
        return NULL;
    struct ax_http2_stream *stream = AX_NEW(exchange->ctx.arena, struct ax_http2_stream);
    if (!stream) {
        ax_exchange_give(exchange);
        return NULL;
    }
    *stream = (struct ax_http2_stream){
        .session = session,
        .exchange = exchange,
        .next = session->first,
        .deadline_ns = INT64_MAX,
        .id = id,
        .target = AX_STR(""),
    };
    if (stream->next)
        stream->next->before = stream;
    session->first = stream;
    session->stream_count++;
    exchange->carrier = stream;
    exchange->times.first_byte_ns = session->now_ns;
    return stream;
}

static void
waiting_remove(struct ax_http2_stream *stream)
{
    struct ax_http2_session *session = stream->session;
    struct ax_http2_stream **at = &session->waiting_first, *before = NULL;
    for (; *at != stream; at = &(*at)->next_waiting)
        before = *at;
    *at = stream->next_waiting;
    if (session->waiting_last == stream)
        session->waiting_last = before;
    stream->next_waiting = NULL;
    stream->waiting = false;
}

void
ax_http2_session_drop(struct ax_http2_stream *stream, bool report)
{
    struct ax_http2_session *session = stream->session;
    struct ax_exchange *exchange = stream->exchange;
    AX_ASSERT(!stream->dropped && !exchange->lent);
    stream->dropped = true;
    if (stream->waiting)
        waiting_remove(stream);
    ax_http2_session_arm(stream, INT64_MAX);
    *(stream->before ? &stream->before->next : &session->first) = stream->next;
    if (stream->next)
        stream->next->before = stream->before;
    session->bodies_bytes -= stream->body_bytes;
    if (--session->stream_count == 0)
        session->idle_ns = session->now_ns;
    if (report)
        ax_exchange_report(exchange);
    exchange->next = session->dead;
    session->dead = exchange;
}

/* Calls into the session nest; the outermost leave gives back what was dropped. */
static void
enter(struct ax_http2_session *session)
{
    session->depth++;
}

static void
leave(struct ax_http2_session *session)
{
    if (--session->depth > 0)
        return;
    while (session->dead) {
        struct ax_exchange *exchange = session->dead;
        session->dead = exchange->next;
        ax_exchange_give(exchange);
    }
}

void
ax_http2_session_fail(struct ax_http2_session *session, uint32_t error_code)
{
    if (session->over)
        return;
    session->over = true;
    if (nghttp2_session_terminate_session(session->nghttp2, error_code) != 0)
        session->broken = true;
}

int64_t
ax_http2_session_output_ns(struct ax_http2_session *session)
{
    if (session->output_ns == 0)
        session->output_ns = ax_clock_monotonic_ns();
    return session->output_ns;
}

/* ---- bytes ---- */

/* Whether nghttp2 has ended it, or the client has said that it does. */
static void
look_for_end(struct ax_http2_session *session)
{
    session->over |= !nghttp2_session_want_read(session->nghttp2);
}

static void
http2_session_receive(struct ax_session *base, ax_str bytes, int64_t now_ns)
{
    struct ax_http2_session *session = of(base);
    if (session->over || session->broken)
        return;
    enter(session);
    session->now_ns = session->heard_ns = now_ns;
    session->pinged = false;
    session->receiving = true;
    ssize_t taken =
        nghttp2_session_mem_recv(session->nghttp2, (const uint8_t *)bytes.at, bytes.len);
    session->receiving = false;
    if (taken == NGHTTP2_ERR_NOMEM || taken == NGHTTP2_ERR_CALLBACK_FAILURE)
        ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
    else if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        ax_http2_session_fail(session, NGHTTP2_PROTOCOL_ERROR);
    else if (taken < 0) /* floods of acknowledgements due, or of CONTINUATION */
        ax_http2_session_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
    look_for_end(session);
    leave(session);
}

static void
http2_session_end(struct ax_session *base)
{
    struct ax_http2_session *session = of(base);
    enter(session);
    session->ended = session->over = true;
    for (struct ax_http2_stream *at = session->first, *next; at; at = next) {
        next = at->next;
        ax_exchange_cancel(at->exchange);
    }
    leave(session);
}

/* Something to send has come from the service: outside of receive the transport has to be told. */
static void
http2_session_changed(struct ax_http2_session *session, struct ax_http2_stream *stream)
{
    enter(session);
    if (!session->receiving && session->depth == 1)
        session->now_ns = ax_clock_monotonic_ns();
    if (!stream->gone)
        ax_http2_session_answer(stream);
    if (stream->exchange->stream && !stream->exchange->finished)
        ax_http2_session_run(stream);
    if (stream->exchange->finished && stream->gone && !stream->dropped)
        ax_http2_session_drop(stream, true);
    if (!session->receiving)
        session->base.transport.ready(session->base.transport.arg);
    leave(session);
}

static void
http2_session_finished(struct ax_session *base, struct ax_exchange *exchange)
{
    http2_session_changed(of(base), exchange->carrier);
}

static int
http2_session_output(struct ax_session *base, struct iovec out[AX_SESSION_IOV_MAX])
{
    struct ax_http2_session *session = of(base);
    if (session->out_at == session->out.len && !session->broken) {
        enter(session);
        ax_http2_session_fill(session);
        look_for_end(session);
        leave(session);
    }
    if (session->out_at == session->out.len)
        return 0;
    out[0] = (struct iovec){.iov_base = session->out.at + session->out_at,
                            .iov_len = session->out.len - session->out_at};
    return 1;
}

/* Answers have left: streams that waited for that go on. */
static void
go_on(struct ax_http2_session *session)
{
    while (session->waiting_first && session->pending_bytes <= session->config->pending_bytes_max) {
        struct ax_http2_stream *stream = session->waiting_first;
        waiting_remove(stream);
        ax_exchange_handle(stream->exchange);
    }
    if (!session->moved)
        return;
    session->moved = false;
    for (struct ax_http2_stream *at = session->first, *next; at; at = next) {
        next = at->next;
        if (at->exchange->stream && !at->gone)
            ax_http2_session_run(at);
    }
}

static void
http2_session_sent(struct ax_session *base, size_t bytes, int64_t now_ns)
{
    struct ax_http2_session *session = of(base);
    session->out_at += bytes;
    session->now_ns = now_ns;
    if (session->stream_count == 0)
        ax_http2_session_rest(session);
    if (!session->waiting_first && !session->moved)
        return;
    enter(session);
    session->receiving = true; /* the transport asks for more output by itself */
    go_on(session);
    session->receiving = false;
    leave(session);
}

/* ---- the transport's questions ---- */

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of the connection; those of its streams stand in line by themselves. */
static int64_t
own_deadline(const struct ax_http2_session *session)
{
    const struct ax_http2_session_config *config = session->config;
    if (!session->begun)
        return session->idle_ns + config->header_ms * NS_PER_MS;
    int64_t due_ns = session->pinged
                         ? session->heard_ns + (config->idle_ms + config->ping_ms) * NS_PER_MS
                         : session->heard_ns + config->idle_ms * NS_PER_MS;
    if (session->stream_count == 0)
        due_ns = session->idle_ns + config->idle_ms * NS_PER_MS;
    if (session->head_ns != 0)
        due_ns = earlier(due_ns, session->head_ns + config->header_ms * NS_PER_MS);
    return earlier(due_ns, session->goaway_ns);
}

static struct ax_session_wants
http2_session_wants(const struct ax_session *base)
{
    const struct ax_http2_session *session = (const struct ax_http2_session *)base;
    bool empty = session->out_at == session->out.len;
    bool writes = !session->broken && nghttp2_session_want_write(session->nghttp2);
    bool reads = !session->over && nghttp2_session_want_read(session->nghttp2);
    bool over = session->broken || (empty && !writes && !reads);
    /* Frames may be on their way to us that a plain close would answer with a reset, and that takes
       from the client what it has not read yet. */
    bool linger = !session->ended && !session->broken;
    int64_t due_ns = own_deadline(session);
    if (session->timed_first)
        due_ns = earlier(due_ns, session->timed_first->deadline_ns);
    return (struct ax_session_wants){
        .close = over && !linger,
        .linger = over && linger,
        .read = !session->over && !session->broken,
        .deadline_ns = session->over ? INT64_MAX : due_ns,
    };
}

/* ---- deadlines ---- */

/* A stream's time is up, unless it is an answer that still gets somewhere. */
static void
stream_expire(struct ax_http2_stream *stream)
{
    struct ax_http2_session *session = stream->session;
    if (stream->exchange->finished && !stream->answered &&
        stream->sent_at_check >= GOING_BYTES_MIN) {
        stream->sent_at_check = 0;
        ax_http2_session_arm(stream, session->now_ns + session->config->write_ms * NS_PER_MS);
        return;
    }
    ax_http2_session_arm(stream, INT64_MAX);
    if (nghttp2_submit_rst_stream(session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
                                  stream->answered ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL) != 0)
        session->broken = true;
}

void
ax_http2_session_goaway(struct ax_http2_session *session)
{
    session->draining = true;
    session->goaway_ns = INT64_MAX;
    if (nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session->nghttp2),
                              NGHTTP2_NO_ERROR, NULL, 0) != 0)
        session->broken = true;
}

static bool
http2_session_expire(struct ax_session *base, int64_t now_ns)
{
    struct ax_http2_session *session = of(base);
    const struct ax_http2_session_config *config = session->config;
    bool ends = false;
    session->now_ns = now_ns;
    enter(session);
    while (session->timed_first && session->timed_first->deadline_ns <= now_ns)
        stream_expire(session->timed_first);
    if (session->goaway_ns <= now_ns) {
        ax_http2_session_goaway(session);
    } else if (own_deadline(session) <= now_ns) {
        bool head_late =
            session->head_ns != 0 && session->head_ns + config->header_ms * NS_PER_MS <= now_ns;
        if (!session->begun || head_late || session->pinged) {
            session->over = session->broken = ends = true;
        } else if (session->stream_count == 0) {
            ax_http2_session_goaway(session);
            session->over = ends = true;
        } else {
            session->pinged = true;
            if (nghttp2_submit_ping(session->nghttp2, NGHTTP2_FLAG_NONE, NULL) != 0)
                session->broken = true;
        }
    }
    leave(session);
    return ends;
}

static void
http2_session_drain(struct ax_session *base, int64_t grace_until_ns)
{
    struct ax_http2_session *session = of(base);
    if (session->draining || session->over)
        return;
    session->draining = true;
    session->goaway_ns = grace_until_ns;
    if (nghttp2_submit_shutdown_notice(session->nghttp2) != 0)
        session->broken = true;
}

/* ---- life ---- */

static void
http2_session_close(struct ax_session *base)
{
    struct ax_http2_session *session = of(base);
    enter(session);
    while (session->first) {
        struct ax_http2_stream *stream = session->first;
        struct ax_exchange *exchange = stream->exchange;
        stream->gone = true;
        if (!exchange->lent) {
            ax_http2_session_drop(stream, exchange->finished || exchange->stream);
            continue;
        }
        session->first = stream->next;
        if (stream->next)
            stream->next->before = NULL;
        ax_exchange_orphan(exchange);
    }
    leave(session);
    if (session->nghttp2)
        nghttp2_session_del(session->nghttp2);
    ax_writer_free(&session->out);
    ax_free(session);
}

static const struct ax_session_ops ops = {
    .name = "h2",
    .streams = true,
    .receive = http2_session_receive,
    .end = http2_session_end,
    .finished = http2_session_finished,
    .moved = http2_session_finished,
    .output = http2_session_output,
    .sent = http2_session_sent,
    .file = ax_session_no_file,
    .file_sent = ax_session_no_file_sent,
    .wants = http2_session_wants,
    .expire = http2_session_expire,
    .drain = http2_session_drain,
    .close = http2_session_close,
};

static int
open_nghttp2(struct ax_http2_session *session)
{
    struct ax_exchange_pool *pool = session->pool;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    if (!pool->http2_memory)
        pool->http2_memory = ax_http2_session_memory_new();
    if (!pool->http2_memory)
        return NGHTTP2_ERR_NOMEM;
    nghttp2_mem memory = ax_http2_session_memory_of(pool->http2_memory);
    int failed = ax_fault_here() ? NGHTTP2_ERR_NOMEM : nghttp2_session_callbacks_new(&callbacks);
    if (failed == 0)
        failed = nghttp2_option_new(&option);
    if (failed == 0) {
        ax_http2_session_set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
        nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
        nghttp2_option_set_stream_reset_rate_limit(option, RESETS_AT_ONCE, RESETS_PER_SECOND);
        nghttp2_option_set_max_deflate_dynamic_table_size(option, TABLE_BYTES);
        ax_http2_session_memory_opens(pool->http2_memory, true);
        failed =
            nghttp2_session_server_new3(&session->nghttp2, callbacks, session, option, &memory);
        ax_http2_session_memory_opens(pool->http2_memory, false);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return failed;
}

/* Our side of the preface. */
static int
say_settings(struct ax_http2_session *session)
{
    const struct ax_http2_session_config *config = session->config;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)config->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)config->window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         (uint32_t)session->pool->config.limits.head_bytes_max},
    };
    int failed =
        nghttp2_submit_settings(session->nghttp2, NGHTTP2_FLAG_NONE, entries, AX_COUNT_OF(entries));
    if (failed == 0)
        failed = nghttp2_session_set_local_window_size(
            session->nghttp2, NGHTTP2_FLAG_NONE, 0,
            (int32_t)(config->window_bytes * WINDOWS_A_CONNECTION));
    return failed;
}

struct ax_session *
ax_http2_session_new(struct ax_exchange_pool *pool, const struct ax_http2_session_config *config,
                     const struct ax_session_peer *peer, struct ax_session_transport transport,
                     int64_t now_ns)
{
    struct ax_http2_session *session = ax_alloc(1, sizeof *session);
    if (!session)
        return NULL;
    *session = (struct ax_http2_session){
        .base = {.ops = &ops, .transport = transport},
        .pool = pool,
        .config = config,
        .peer = *peer,
        .out = ax_writer_of(SIZE_MAX / 2),
        .now_ns = now_ns,
        .heard_ns = now_ns,
        .idle_ns = now_ns,
        .goaway_ns = INT64_MAX,
    };
    if (open_nghttp2(session) == 0 && say_settings(session) == 0)
        return &session->base;
    http2_session_close(&session->base);
    return NULL;
}

enum ax_http2_preface
ax_http2_preface_of(ax_str bytes)
{
    static const ax_str preface = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", AX_HTTP2_PREFACE_BYTES};
    size_t len = bytes.len < preface.len ? bytes.len : preface.len;
    if (memcmp(bytes.at, preface.at, len) != 0)
        return AX_HTTP2_NO;
    return len < preface.len ? AX_HTTP2_MAYBE : AX_HTTP2_YES;
}

enum ax_http2_preface
ax_http2_start_take(struct ax_http2_start *start, ax_str bytes, ax_str *out_before)
{
    size_t room = sizeof start->bytes - start->len, len = bytes.len < room ? bytes.len : room;
    *out_before = (ax_str){start->bytes, start->len};
    memcpy(start->bytes + start->len, bytes.at, len);
    start->len += len;
    return ax_http2_preface_of((ax_str){start->bytes, start->len});
}

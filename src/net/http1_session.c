#include "net/http1_session.h"

#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "net/http1.h"
#include "sys/clock.h"

enum {
    DISCARD_BYTES_MAX = 64 * 1024,
    UNREAD_BYTES_MAX = 4 * 1024 * 1024,
    UNREAD_BYTES_KEPT = 64 * 1024,
    WINDOW_BYTES = 256 * 1024, /* of a file, in memory */
    KNOCK_BYTES = 16 * 1024,   /* as much as it takes to hear when there is room again */
};

#define NS_PER_MS INT64_C(1'000'000)

static const ax_str interim = {"HTTP/1.1 100 Continue\r\n\r\n", 25};

struct http1_session {
    struct ax_session base;
    struct ax_exchange_pool *pool;
    const struct ax_http1_session_config *config;
    struct ax_session_peer peer;
    struct ax_http1 *parser;
    struct ax_exchange *first, *last; /* the line: answers leave from its front */
    size_t line_count;
    struct ax_exchange *reading; /* the last of the line, while its request is incomplete */
    size_t pending_bytes;        /* of finished answers not yet sent */
    struct ax_writer unread;     /* bytes that wait until the line is shorter */
    size_t discarded_bytes;
    int64_t deadline_ns; /* of the request being read, or for the next one to begin */
    bool receiving;      /* the transport will look for output by itself */
    bool more;           /* bytes of a further request are here already */
    bool last_request;   /* the youngest exchange is the last of this connection */
    bool closing;        /* no further request is taken */
    bool unheard;        /* input was left unread: a plain close could destroy the answer */
    bool done;           /* the last answer is out */
    bool ended;          /* the client will send no more */
    bool draining;       /* the server is stopping */
    bool file_due;       /* the first answer's window is out, the rest of its file is not */
};

static struct http1_session *
of(struct ax_session *session)
{
    return (struct http1_session *)session;
}

/* ---- the line ---- */

static bool
line_is_full(const struct http1_session *session)
{
    return session->line_count >= session->config->pipeline_max ||
           session->pending_bytes > session->config->pending_bytes_max;
}

static struct ax_exchange *
line_begin(struct http1_session *session, int64_t now_ns)
{
    struct ax_exchange *exchange = ax_exchange_take(session->pool, &session->base, &session->peer);
    if (!exchange)
        return NULL;
    exchange->times.first_byte_ns = now_ns;
    if (session->last)
        session->last->next = exchange;
    else
        session->first = exchange;
    session->last = exchange;
    session->line_count++;
    session->reading = exchange;
    session->deadline_ns = now_ns + session->config->header_ms * NS_PER_MS;
    ax_http1_begin(session->parser, &exchange->message);
    return exchange;
}

/* Gives up the request that is being read: nobody has seen it yet, unless it is a stream. */
static void
line_abandon(struct http1_session *session)
{
    struct ax_exchange *gone = session->reading, *before = NULL;
    if (!gone)
        return;
    for (struct ax_exchange *at = session->first; at != gone; at = at->next)
        before = at;
    if (before)
        before->next = NULL;
    else
        session->first = NULL;
    session->last = before;
    session->line_count--;
    session->reading = NULL;
    if (gone->stream && gone->lent) {
        ax_exchange_orphan(gone);
        return;
    }
    if (gone->stream)
        ax_exchange_report(gone);
    ax_exchange_give(gone);
}

static void
line_leave(struct http1_session *session)
{
    struct ax_exchange *exchange = session->first;
    session->first = exchange->next;
    if (!session->first)
        session->last = NULL;
    session->line_count--;
    ax_exchange_report(exchange);
    ax_exchange_give(exchange);
}

/* ---- answers ---- */

static bool
body_goes_out(const struct ax_exchange *exchange)
{
    return exchange->message.request.method != AX_HTTP_HEAD &&
           ax_http_status_has_body(exchange->status);
}

static void
put_number(struct ax_writer *out, uint64_t value)
{
    char digits[AX_NUMBER_BYTES_MAX];
    ax_writer_bytes(out, (ax_str){digits, ax_format_u64(value, digits)});
}

static void
render_head(struct http1_session *session, struct ax_exchange *exchange)
{
    struct ax_writer *out = &exchange->head;
    ax_writer_bytes(out, AX_STR("HTTP/1.1 "));
    put_number(out, (uint64_t)exchange->status);
    ax_writer_char(out, ' ');
    ax_writer_text(out, ax_http_reason(exchange->status));
    ax_writer_bytes(out, AX_STR("\r\nDate: "));
    ax_writer_bytes(out, ax_http_date(&session->pool->date, ax_clock_real_coarse_ns()));
    ax_writer_bytes(out, AX_STR("\r\n"));
    ax_writer_bytes(out, ax_writer_str(&exchange->fields));
    if (ax_http_status_has_body(exchange->status)) {
        ax_writer_bytes(out, AX_STR("Content-Length: "));
        put_number(out, exchange->body.len + exchange->file_left);
        ax_writer_bytes(out, AX_STR("\r\n"));
    }
    if (exchange->close_after)
        ax_writer_bytes(out, AX_STR("Connection: close\r\n"));
    ax_writer_bytes(out, AX_STR("\r\n"));
}

/* Makes the finished answer ready to go. */
static void
seal(struct http1_session *session, struct ax_exchange *exchange)
{
    if (exchange->stream)
        ax_exchange_stream_gather(exchange);
    if (exchange == session->last && session->draining && !session->more)
        session->last_request = session->closing = true;
    if (exchange == session->last && session->last_request)
        exchange->close_after = true;
    exchange->broken |= exchange->file_left > 0 && !ax_exchange_file_next(exchange, WINDOW_BYTES);
    ax_exchange_settle(exchange);
    render_head(session, exchange);
    if (exchange->head.status != AX_OK) { /* no memory, not even for a head: end in silence */
        exchange->close_after = true;
        ax_writer_clear(&exchange->head);
        ax_writer_clear(&exchange->body);
    }
    session->pending_bytes += exchange->head.len;
    if (body_goes_out(exchange))
        session->pending_bytes += exchange->body.len;
}

static void
http1_session_finished(struct ax_session *base, struct ax_exchange *exchange)
{
    struct http1_session *session = of(base);
    if (exchange == session->reading && exchange->stream) { /* its body is left unread */
        session->reading = NULL;
        session->closing = session->unheard = session->last_request = true;
    }
    seal(session, exchange);
    if (!session->receiving)
        base->transport.ready(base->transport.arg);
}

/* Some of a body was taken: more of it may be read. */
static void
http1_session_moved(struct ax_session *base, struct ax_exchange *exchange)
{
    struct http1_session *session = of(base);
    ax_exchange_stream_run(exchange);
    if (!session->receiving)
        base->transport.ready(base->transport.arg);
}

static void
add_piece(ax_str piece, size_t *skip, struct iovec *out, int *count)
{
    if (*skip >= piece.len) {
        *skip -= piece.len;
        return;
    }
    out[*count] = (struct iovec){
        .iov_base = (void *)(uintptr_t)(piece.at + *skip),
        .iov_len = piece.len - *skip,
    };
    *skip = 0;
    (*count)++;
}

static int
http1_session_output(struct ax_session *base, struct iovec out[AX_SESSION_IOV_MAX])
{
    const struct http1_session *session = of(base);
    int count = 0;
    for (struct ax_exchange *at = session->done ? NULL : session->first; at; at = at->next) {
        size_t skip = at->sent_bytes;
        if (count + 3 > AX_SESSION_IOV_MAX || session->file_due)
            break;
        if (at->interim_due)
            add_piece(interim, &skip, out, &count);
        if (!at->finished)
            break;
        add_piece(ax_writer_str(&at->head), &skip, out, &count);
        if (body_goes_out(at))
            add_piece(ax_writer_str(&at->body), &skip, out, &count);
        if (at->close_after || (at->file_left > 0 && body_goes_out(at)))
            break;
    }
    return count;
}

static size_t
answer_bytes(const struct ax_exchange *exchange)
{
    return (exchange->interim_due ? interim.len : 0) + exchange->head.len +
           (body_goes_out(exchange) ? exchange->body.len : 0);
}

/* Counts bytes against the front of the line; returns what is left of them. */
static size_t
send_front(struct http1_session *session, size_t bytes, int64_t now_ns)
{
    struct ax_exchange *exchange = session->first;
    size_t interim_bytes = exchange->interim_due ? interim.len : 0;
    size_t all = exchange->finished ? answer_bytes(exchange) : interim_bytes;
    size_t before = exchange->sent_bytes;
    size_t now = bytes < all - before ? bytes : all - before;
    exchange->sent_bytes += now;
    if (exchange->sent_bytes > interim_bytes) {
        session->pending_bytes -=
            exchange->sent_bytes - (before > interim_bytes ? before : interim_bytes);
        if (exchange->times.written_ns == 0)
            exchange->times.written_ns = now_ns;
    }
    return bytes - now;
}

/* The next bytes of a file in the place of those that are out. The promised length cannot be kept
 * when there are none: the connection ends. */
static void
next_of_file(struct http1_session *session, struct ax_exchange *exchange, size_t bytes_max)
{
    exchange->sent_bytes -= exchange->body.len;
    if (ax_exchange_file_next(exchange, bytes_max)) {
        session->pending_bytes += exchange->body.len;
        return;
    }
    ax_writer_clear(&exchange->body);
    exchange->file_left = 0;
    session->done = session->closing = true;
}

static void take(struct http1_session *session, ax_str *bytes, int64_t now_ns);

/* Goes on with what had to wait for room in the line. */
static void
take_unread(struct http1_session *session, int64_t now_ns)
{
    if (session->unread.len == 0)
        return;
    ax_str bytes = ax_writer_str(&session->unread);
    session->receiving = true;
    take(session, &bytes, now_ns);
    session->receiving = false;
    if (session->closing)
        bytes.len = 0;
    if (bytes.len > 0)
        memmove(session->unread.at, bytes.at, bytes.len);
    session->unread.len = bytes.len;
    session->more = bytes.len > 0;
    if (bytes.len == 0 && session->unread.capacity > UNREAD_BYTES_KEPT)
        ax_writer_free(&session->unread);
}

static void
http1_session_sent(struct ax_session *base, size_t bytes, int64_t now_ns)
{
    struct http1_session *session = of(base);
    while (session->first && !session->done && (bytes > 0 || session->first->finished)) {
        struct ax_exchange *exchange = session->first;
        bytes = send_front(session, bytes, now_ns);
        if (!exchange->finished || exchange->sent_bytes < answer_bytes(exchange))
            break;
        if (exchange->file_left > 0 && body_goes_out(exchange)) {
            session->file_due = base->sends_files;
            if (!session->file_due)
                next_of_file(session, exchange, WINDOW_BYTES);
            break;
        }
        session->done |= exchange->close_after;
        line_leave(session);
    }
    if (session->done) {
        session->unheard |= session->first || session->unread.len > 0;
        session->closing = true;
    }
    take_unread(session, now_ns);
    if (!session->first)
        session->deadline_ns =
            session->draining ? now_ns : now_ns + session->config->idle_ms * NS_PER_MS;
}

/* The window of the file that was read is out, and the transport takes the rest by itself. */
static bool
http1_session_file(const struct ax_session *base, struct ax_session_file *out)
{
    const struct http1_session *session = (const struct http1_session *)base;
    const struct ax_exchange *exchange = session->first;
    if (!session->file_due)
        return false;
    *out = (struct ax_session_file){exchange->file, exchange->file_at, exchange->file_left};
    return true;
}

static void
http1_session_file_sent(struct ax_session *base, size_t bytes, int64_t now_ns)
{
    struct http1_session *session = of(base);
    struct ax_exchange *exchange = session->first;
    AX_ASSERT(session->file_due && bytes <= exchange->file_left);
    if (bytes == 0) {
        session->file_due = false;
        next_of_file(session, exchange, KNOCK_BYTES);
        return;
    }
    exchange->file_at += bytes;
    exchange->file_left -= bytes;
    session->file_due = exchange->file_left > 0;
    if (!session->file_due)
        http1_session_sent(base, 0, now_ns);
}

/* ---- requests ---- */

static void
refuse(struct http1_session *session, int64_t now_ns)
{
    struct ax_exchange *exchange = session->reading;
    exchange->times.last_byte_ns = now_ns;
    ax_str reason;
    if (exchange->stream) { /* somebody may hold it, and be about to answer */
        line_abandon(session);
        session->closing = session->unheard = true;
        session->done = !session->first;
        return;
    }
    int status = ax_http1_refusal(session->parser, &reason);
    session->reading = NULL;
    session->closing = session->unheard = session->last_request = true;
    exchange->interim_due = exchange->interim_due && exchange->sent_bytes > 0;
    ax_exchange_refuse(exchange, status, reason);
    seal(session, exchange);
}

/* Of a stream's body. */
static bool
take_piece(void *arg, ax_str bytes)
{
    return ax_exchange_stream_arrived(arg, bytes, false);
}

static void
head_done(struct http1_session *session, int64_t now_ns)
{
    struct ax_exchange *exchange = session->reading;
    bool has_body = exchange->message.request.has_body;
    bool keep = ax_http1_keeps_alive(session->parser);
    struct ax_http_limits limits = session->pool->config.limits;
    session->deadline_ns = now_ns + session->config->body_ms * NS_PER_MS;
    exchange->times.last_byte_ns = now_ns;
    session->last_request = !keep || has_body; /* an answer now would leave the body unread */
    session->more |= has_body;
    ax_exchange_head_done(exchange, &limits);
    if (exchange->finished && has_body) {
        session->reading = NULL;
        session->closing = session->unheard = true;
        return;
    }
    session->last_request = !keep;
    exchange->interim_due = !exchange->finished && ax_http1_waits_for_continue(session->parser);
    ax_http1_set_body_max(session->parser, limits.body_bytes_max);
    if (has_body && !exchange->finished)
        ax_exchange_body_expect(exchange, exchange->message.request.body_length);
    if (exchange->stream)
        ax_http1_set_sink(session->parser, take_piece, exchange);
}

static void
request_done(struct http1_session *session, int64_t now_ns)
{
    struct ax_exchange *exchange = session->reading;
    exchange->times.last_byte_ns = now_ns;
    session->reading = NULL;
    session->closing |= session->last_request;
    if (exchange->stream && !exchange->finished) {
        exchange->broken |= !ax_exchange_stream_arrived(exchange, AX_STR(""), true);
        ax_exchange_stream_run(exchange);
    } else if (!exchange->finished) { /* else it was answered at its head */
        ax_exchange_handle(exchange);
    }
}

/* More of a body has come: its reader has as long again for the rest. */
static void
stream_goes_on(struct http1_session *session, int64_t now_ns)
{
    session->deadline_ns = now_ns + session->config->body_ms * NS_PER_MS;
    ax_exchange_stream_run(session->reading);
}

/* Takes requests off the front of the bytes until they, or the room in the line, are used up. */
static void
take(struct http1_session *session, ax_str *bytes, int64_t now_ns)
{
    while (!session->closing && (session->reading || (bytes->len > 0 && !line_is_full(session)))) {
        if (!session->reading && !line_begin(session, now_ns)) {
            session->closing = session->unheard = true;
            session->done = !session->first;
            return;
        }
        enum ax_http1_event event = ax_http1_feed(session->parser, bytes);
        session->more = bytes->len > 0;
        if (event == AX_HTTP1_MORE) {
            if (session->reading->stream)
                stream_goes_on(session, now_ns);
            return;
        }
        if (event == AX_HTTP1_HEAD)
            head_done(session, now_ns);
        else if (event == AX_HTTP1_REQUEST)
            request_done(session, now_ns);
        else
            refuse(session, now_ns);
    }
}

static void
http1_session_receive(struct ax_session *base, ax_str bytes, int64_t now_ns)
{
    struct http1_session *session = of(base);
    if (session->unread.len == 0) {
        session->receiving = true;
        take(session, &bytes, now_ns);
        session->receiving = false;
    }
    if (session->closing) {
        session->discarded_bytes += bytes.len;
        session->unheard |= bytes.len > 0;
        return;
    }
    ax_writer_bytes(&session->unread, bytes);
    session->more = session->unread.len > 0;
    if (session->unread.status != AX_OK) { /* no memory: what is complete is still answered */
        line_abandon(session);
        session->closing = session->unheard = true;
    }
}

static void
http1_session_end(struct ax_session *base)
{
    struct http1_session *session = of(base);
    session->ended = true;
    if (session->unread.len == 0) {
        line_abandon(session);
        session->closing = true;
    }
    for (struct ax_exchange *at = session->first; at; at = at->next)
        ax_exchange_cancel(at);
}

/* ---- the transport's questions ---- */

static bool
wants_read(const struct http1_session *session)
{
    const struct ax_exchange *reading = session->reading;
    if (session->ended || (reading && reading->stream && ax_exchange_stream_is_full(reading)))
        return false;
    return session->closing ? session->discarded_bytes < DISCARD_BYTES_MAX
                            : session->unread.len == 0;
}

/* Not for the client: for the service, or for the client to take an answer. */
static bool
is_waiting(const struct http1_session *session)
{
    const struct ax_exchange *reading = session->reading;
    return reading ? reading->stream && reading->lent : session->first != NULL;
}

static struct ax_session_wants
http1_session_wants(const struct ax_session *base)
{
    const struct http1_session *session = (const struct http1_session *)base;
    bool over = session->done || (session->closing && !session->first) ||
                (session->ended && !session->first && session->unread.len == 0);
    bool linger = session->unheard && !session->ended;
    return (struct ax_session_wants){
        .close = over && !linger,
        .linger = over && linger,
        .read = wants_read(session),
        .deadline_ns = is_waiting(session) ? INT64_MAX : session->deadline_ns,
    };
}

static bool
http1_session_expire(struct ax_session *base, int64_t now_ns)
{
    struct http1_session *session = of(base);
    (void)now_ns;
    line_abandon(session);
    session->closing = true; /* complete requests before it are still answered */
    session->unheard = false;
    return true;
}

static void
http1_session_drain(struct ax_session *base, int64_t grace_until_ns)
{
    struct http1_session *session = of(base);
    session->draining = true;
    if (!session->first && session->deadline_ns > grace_until_ns)
        session->deadline_ns = grace_until_ns;
}

static void
http1_session_close(struct ax_session *base)
{
    struct http1_session *session = of(base);
    line_abandon(session);
    while (session->first) {
        struct ax_exchange *exchange = session->first;
        if (exchange->finished) {
            line_leave(session);
            continue;
        }
        session->first = exchange->next;
        ax_exchange_orphan(exchange);
    }
    ax_http1_free(session->parser);
    ax_writer_free(&session->unread);
    ax_free(session);
}

static const struct ax_session_ops ops = {
    .name = "http/1.1",
    .receive = http1_session_receive,
    .end = http1_session_end,
    .finished = http1_session_finished,
    .moved = http1_session_moved,
    .output = http1_session_output,
    .sent = http1_session_sent,
    .file = http1_session_file,
    .file_sent = http1_session_file_sent,
    .wants = http1_session_wants,
    .expire = http1_session_expire,
    .drain = http1_session_drain,
    .close = http1_session_close,
};

struct ax_session *
ax_http1_session_new(struct ax_exchange_pool *pool, const struct ax_http1_session_config *config,
                     const struct ax_session_peer *peer, struct ax_session_transport transport,
                     int64_t now_ns)
{
    ax_auto(ax_http1_free) struct ax_http1 *parser = ax_http1_new();
    struct http1_session *session = parser ? ax_alloc(1, sizeof *session) : NULL;
    if (!session)
        return NULL;
    *session = (struct http1_session){
        .base = {.ops = &ops, .transport = transport},
        .pool = pool,
        .config = config,
        .peer = *peer,
        .parser = ax_take(parser),
        .unread = ax_writer_of(UNREAD_BYTES_MAX),
        .deadline_ns = now_ns + config->header_ms * NS_PER_MS,
    };
    return &session->base;
}

/* Requests: from frames to exchanges. Part of http2_session. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "net/grpc.h"
#include "net/http2_session_parts.h"

enum {
    HEADS_IGNORED = 16, /* heads of the largest size; more in one, and it is an attack */
    UNREAD_BYTES_MAX = 64 * 1024,
};

#define NS_PER_MS INT64_C(1'000'000)

static struct ax_http2_stream *
stream_of(nghttp2_session *nghttp2, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(nghttp2, id) : NULL;
}

/* ---- refusing ---- */

/* The answer to a request that no handler sees; what still comes of it is read over. */
static void
request_refuse(struct ax_http2_stream *stream, int status, ax_str reason)
{
    struct ax_exchange *exchange = stream->exchange;
    exchange->times.last_byte_ns = stream->session->now_ns;
    stream->request_done = true;
    ax_exchange_refuse(exchange, status, reason);
    ax_http2_session_answer(stream);
}

static void
refuse_head(struct ax_http2_stream *stream, int status, const char *reason)
{
    if (stream->refusal == 0) {
        stream->refusal = status;
        stream->refusal_reason = reason;
    }
}

/* ---- heads ---- */

/* Safe for the client to try again: nobody has looked at it. */
static int
turn_away(struct ax_http2_session *session, int32_t id)
{
    int result =
        nghttp2_submit_rst_stream(session->nghttp2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return result == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
http2_on_head_begins(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *arg)
{
    struct ax_http2_session *session = arg;
    int32_t id = frame->hd.stream_id;
    session->head_ns = session->now_ns;
    session->head_bytes = 0;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (session->stream_count >= 2 * session->config->streams_max)
        return turn_away(session, id); /* reset ones are still being worked on */
    struct ax_http2_stream *stream = ax_http2_session_stream_new(session, id);
    if (!stream)
        return turn_away(session, id);
    return nghttp2_session_set_stream_user_data(nghttp2, id, stream) == 0
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The value of a header that begins with a colon. */
static void
set_pseudo(struct ax_http2_stream *stream, ax_str name, ax_str value)
{
    struct ax_message *message = &stream->exchange->message;
    if (ax_str_eq(name, AX_STR(":method")))
        ax_message_set_method(message, value);
    else if (ax_str_eq(name, AX_STR(":path")))
        stream->target = value;
    else if (ax_str_eq(name, AX_STR(":authority")))
        message->request.host = value;
}

static void
add_header(struct ax_http2_stream *stream, ax_str name, ax_str value)
{
    struct ax_message *message = &stream->exchange->message;
    bool pseudo = name.at[0] == ':';
    ax_str kept_name = name;
    if (!pseudo) {
        if (!ax_message_gather(message, name)) {
            refuse_head(stream, 431, "the head is too long");
            return;
        }
        kept_name = ax_message_cut(message);
    }
    if (!ax_message_gather(message, value)) {
        refuse_head(stream, 431, "the head is too long");
        return;
    }
    ax_str kept_value = ax_message_cut(message);
    if (pseudo)
        set_pseudo(stream, name, kept_value);
    else if (!ax_message_add_header(message, kept_name, kept_value))
        refuse_head(stream, 431, "there are too many headers");
    else if (message->request.host.len == 0 && ax_str_eq(kept_name, AX_STR("host")))
        message->request.host = kept_value;
}

static ax_str
str_of(nghttp2_rcbuf *buffer)
{
    nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
    return (ax_str){(const char *)bytes.base, bytes.len};
}

static int
http2_on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct ax_http2_session *session = arg;
    struct ax_http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
    (void)flags;
    session->head_bytes += str_of(name).len + str_of(value).len;
    if (session->head_bytes > HEADS_IGNORED * session->pool->config.limits.head_bytes_max)
        ax_http2_session_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
    if (!stream || stream->head_done || stream->refusal != 0) /* trailers are read over */
        return 0;
    add_header(stream, str_of(name), str_of(value));
    return 0;
}

/* ---- the way of a request ---- */

void
ax_http2_session_run(struct ax_http2_stream *stream)
{
    struct ax_exchange *exchange = stream->exchange;
    struct ax_http2_session *session = stream->session;
    ax_exchange_stream_run(exchange);
    if (stream->gone)
        return;
    if (!exchange->finished && exchange->stream->head_due)
        ax_http2_session_answer(stream);
    if (exchange->broken && !exchange->finished) {
        if (nghttp2_submit_rst_stream(session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
                                      NGHTTP2_INTERNAL_ERROR) != 0)
            ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    size_t held = exchange->stream->arriving.len;
    if (stream->unacked_bytes <= held)
        return;
    if (nghttp2_session_consume(session->nghttp2, stream->id, stream->unacked_bytes - held) != 0)
        ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
    stream->unacked_bytes = held;
}

/* Hands a complete request to the service, or has it wait until fewer answers are unsent. */
static void
request_handle(struct ax_http2_stream *stream)
{
    struct ax_http2_session *session = stream->session;
    if (session->pending_bytes <= session->config->pending_bytes_max) {
        ax_exchange_handle(stream->exchange);
        return;
    }
    stream->waiting = true;
    if (session->waiting_last)
        session->waiting_last->next_waiting = stream;
    else
        session->waiting_first = stream;
    session->waiting_last = stream;
}

/* The client has said all of it. */
static void
request_done(struct ax_http2_stream *stream)
{
    struct ax_http2_session *session = stream->session;
    struct ax_exchange *exchange = stream->exchange;
    stream->remote_ended = true;
    if (stream->request_done)
        return;
    stream->request_done = true;
    exchange->times.last_byte_ns = session->now_ns;
    if (exchange->stream) {
        if (ax_exchange_stream_arrived(exchange, AX_STR(""), true))
            ax_http2_session_run(stream);
        return;
    }
    ax_http2_session_arm(stream, INT64_MAX);
    if (!ax_message_end_body(&exchange->message))
        request_refuse(stream, 400, AX_STR("the body ends before its Content-Encoding does"));
    else
        request_handle(stream);
}

static int
target_status(struct ax_http2_stream *stream)
{
    struct ax_message *message = &stream->exchange->message;
    if (ax_str_eq(message->request.method_text, AX_STR("CONNECT"))) {
        stream->refusal_reason = "CONNECT is not served here";
        return 501;
    }
    if (ax_message_set_target(message, stream->target))
        return 0;
    stream->refusal_reason = "the request target must be a path of visible ASCII";
    return 400;
}

static void
set_body(struct ax_http_request *request, bool ends)
{
    uint64_t length = 0;
    request->has_body = !ends;
    if (!ax_parse_u64(ax_http_header_find(request, AX_STR("content-length")), &length))
        length = ends ? 0 : UINT64_MAX;
    request->body_length = length;
}

static void
body_begins(struct ax_http2_stream *stream, size_t body_bytes_max)
{
    struct ax_http2_session *session = stream->session;
    struct ax_exchange *exchange = stream->exchange;
    const struct ax_http_request *request = &exchange->message.request;
    bool whole = !exchange->stream; /* else: what is untaken, and a window more */
    exchange->message.body.len_max = body_bytes_max + (whole ? 0 : session->config->window_bytes);
    if (whole && request->body_length != UINT64_MAX && request->body_length > body_bytes_max) {
        char text[96];
        int len = snprintf(text, sizeof text, "the body has %llu bytes, at most %zu are taken",
                           (unsigned long long)request->body_length, body_bytes_max);
        request_refuse(stream, 413, (ax_str){text, (size_t)len});
        return;
    }
    if (whole)
        ax_exchange_body_expect(exchange, request->body_length);
    if (whole)
        ax_http2_session_arm(stream, session->now_ns + session->config->body_ms * NS_PER_MS);
    if (ax_http_header_lists(request, AX_STR("expect"), AX_STR("100-continue")))
        ax_http2_session_interim(stream);
}

static void
head_done(struct ax_http2_stream *stream, bool ends)
{
    struct ax_exchange *exchange = stream->exchange;
    struct ax_http_request *request = &exchange->message.request;
    stream->head_done = true;
    exchange->times.last_byte_ns = stream->session->now_ns;
    request->major = 2;
    request->minor = 0;
    if (stream->refusal == 0)
        stream->refusal = target_status(stream);
    set_body(request, ends);
    stream->session->grpc |= ax_grpc_is(request);
    if (stream->refusal != 0) {
        stream->remote_ended = ends;
        request_refuse(stream, stream->refusal, ax_str_of(stream->refusal_reason));
        return;
    }
    struct ax_http_limits limits = exchange->pool->config.limits;
    ax_exchange_head_done(exchange, &limits);
    stream->request_done = exchange->finished;
    if (exchange->stream && !exchange->finished)
        ax_http2_session_arm(stream, exchange->ctx.deadline_ns);
    if (!ends && !exchange->finished)
        body_begins(stream, limits.body_bytes_max);
    if (ends)
        request_done(stream);
}

/* ---- bodies ---- */

/* One that is alone may be as long as its route allows; many together not. */
static bool
bodies_fit(struct ax_http2_stream *stream, size_t before)
{
    struct ax_http2_session *session = stream->session;
    size_t now = stream->exchange->message.body.len;
    session->bodies_bytes += now - before;
    stream->body_bytes += now - before;
    return session->bodies_bytes <= session->config->bodies_bytes_max ||
           session->bodies_bytes == stream->body_bytes;
}

static void
body_add(struct ax_http2_stream *stream, ax_str bytes)
{
    struct ax_exchange *exchange = stream->exchange;
    struct ax_message *message = &exchange->message;
    size_t before = message->body.len;
    if (before + bytes.len > message->body.capacity)
        ax_exchange_body_expect(exchange, UINT64_MAX);
    ax_status status = ax_message_add_body(message, bytes);
    if (!bodies_fit(stream, before)) {
        stream->request_done = true;
        if (turn_away(stream->session, stream->id) != 0)
            ax_http2_session_fail(stream->session, NGHTTP2_INTERNAL_ERROR);
    } else if (status == AX_LIMIT) {
        char text[64];
        int len =
            snprintf(text, sizeof text, "the body is longer than %zu bytes", message->body.len_max);
        request_refuse(stream, 413, (ax_str){text, (size_t)len});
    } else if (status == AX_INVALID) {
        request_refuse(stream, 400, AX_STR("the body is not in its Content-Encoding"));
    } else if (status != AX_OK) {
        request_refuse(stream, 503, AX_STR("no memory for the body"));
    }
}

static void
stream_add(struct ax_http2_stream *stream, ax_str bytes)
{
    struct ax_exchange *exchange = stream->exchange;
    stream->unacked_bytes += bytes.len;
    exchange->times.last_byte_ns = stream->session->now_ns;
    if (!ax_exchange_stream_arrived(exchange, bytes, false))
        exchange->broken = true;
    ax_http2_session_run(stream);
}

/*
 * What is still to come is not wanted: RFC 9113 section 8.1. A client that is in the midst of
 * sending may take that for a failure and forget the answer, so a small rest is rather waited for.
 */
static int
no_more(struct ax_http2_stream *stream)
{
    int result = nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
                                           NGHTTP2_NO_ERROR);
    return result == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
http2_on_body(nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
              void *arg)
{
    struct ax_http2_stream *stream = stream_of(nghttp2, id);
    ax_str piece = {(const char *)bytes, len};
    (void)flags;
    (void)arg;
    if (stream && stream->exchange->stream && !stream->request_done) {
        stream_add(stream, piece);
        return 0;
    }
    if (nghttp2_session_consume(nghttp2, id, len) == NGHTTP2_ERR_NOMEM)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (stream && !stream->request_done)
        body_add(stream, piece);
    if (!stream || !stream->answered)
        return 0;
    stream->unread_bytes += len;
    return stream->unread_bytes > UNREAD_BYTES_MAX ? no_more(stream) : 0;
}

/* ---- what nghttp2 tells ---- */

/*
 * nghttp2 reads over the head of a stream whose number was passed over, as it must for one that was
 * closed; RFC 9113 section 5.1.1 wants a connection error there.
 */
static int
http2_on_frame_begins(nghttp2_session *nghttp2, const nghttp2_frame_hd *head, void *arg)
{
    struct ax_http2_session *session = arg;
    int32_t id = head->stream_id, last_id = session->last_id;
    (void)nghttp2;
    if (head->type != NGHTTP2_HEADERS || id % 2 == 0)
        return 0;
    if (id >= session->gap_from && id < session->gap_to)
        ax_http2_session_fail(session, NGHTTP2_PROTOCOL_ERROR);
    if (id <= last_id)
        return 0;
    if (id - last_id > 2) {
        session->gap_from = last_id + 1;
        session->gap_to = id;
    }
    session->last_id = id;
    return 0;
}

static int
http2_on_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *arg)
{
    struct ax_http2_session *session = arg;
    struct ax_http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    session->begun = true;
    session->draining |= frame->hd.type == NGHTTP2_GOAWAY;
    ax_http2_session_flood_check(session, frame);
    if (frame->hd.type == NGHTTP2_HEADERS)
        session->head_ns = 0;
    if (!stream || stream->gone)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        head_done(stream, ends);
    else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && ends)
        request_done(stream);
    return 0;
}

static int
http2_on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *arg)
{
    struct ax_http2_session *session = arg;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        frame->rst_stream.error_code != NGHTTP2_CANCEL)
        ax_http2_session_flood_reset(session); /* the client made us do it */
    struct ax_http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
    if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    ax_http2_session_flood_forgive(session);
    if (stream->exchange->times.written_ns == 0)
        stream->exchange->times.written_ns = ax_http2_session_output_ns(session);
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || stream->remote_ended)
        return 0;
    stream->answered = true;
    if (stream->exchange->stream)
        return no_more(stream);
    ax_http2_session_arm(stream, session->now_ns + session->config->linger_ms * NS_PER_MS);
    return 0;
}

static int
http2_on_closed(nghttp2_session *nghttp2, int32_t id, uint32_t error_code, void *arg)
{
    struct ax_http2_stream *stream = stream_of(nghttp2, id);
    struct ax_http2_session *session = arg;
    (void)error_code;
    if (!stream)
        return 0;
    struct ax_exchange *exchange = stream->exchange;
    stream->gone = true;
    session->head_ns = stream->head_done ? session->head_ns : 0;
    ax_http2_session_arm(stream, INT64_MAX);
    if (stream->unacked_bytes > 0 &&
        nghttp2_session_consume_connection(nghttp2, stream->unacked_bytes) != 0)
        ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
    stream->unacked_bytes = 0;
    if (exchange->finished)
        session->pending_bytes -= ax_http2_session_unsent(stream);
    if (exchange->lent)
        ax_exchange_cancel(exchange); /* it is dropped when the service gives it back */
    else
        ax_http2_session_drop(stream, exchange->finished || exchange->stream);
    return 0;
}

void
ax_http2_session_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, http2_on_head_begins);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, http2_on_frame_begins);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, http2_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, http2_on_body);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, http2_on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, http2_on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, http2_on_closed);
}

/* Answers: from an exchange to frames. Part of http2_session. */
#include <string.h>

#include "base/number.h"
#include "net/http2_session_parts.h"
#include "sys/clock.h"

enum { OUT_BYTES = 64 * 1024, OUT_BYTES_KEPT = 512, OWN_FIELDS = 3, STATUS_BYTES = 3 };

#define NS_PER_MS INT64_C(1'000'000)

/* ---- heads and trailers ---- */

struct fields {
    nghttp2_nv *at;
    size_t count;
};

static void
field_put(struct fields *fields, ax_str name, ax_str value)
{
    fields->at[fields->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.at,
        .namelen = name.len,
        .value = (uint8_t *)(uintptr_t)value.at,
        .valuelen = value.len,
        .flags = NGHTTP2_NV_FLAG_NONE, /* nghttp2 copies them */
    };
}

static size_t
line_count(ax_str text)
{
    size_t count = 0;
    for (const char *at = text.at, *end = at + text.len;
         at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    return count;
}

/* "Name: value\r\n" lines to fields, names in lower case as HTTP/2 wants them. */
static void
fields_add(struct fields *fields, struct ax_writer *lines)
{
    char *at = lines->at, *end = at + lines->len;
    while (at < end) {
        char *line_end = memchr(at, '\r', (size_t)(end - at));
        char *colon = memchr(at, ':', (size_t)(line_end - at));
        for (char *c = at; c < colon; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        field_put(fields, (ax_str){at, (size_t)(colon - at)},
                  (ax_str){colon + 2, (size_t)(line_end - colon) - 2});
        at = line_end + 2;
    }
}

/* Room for the lines and a few of our own, in the exchange's arena. */
static bool
fields_init(struct fields *fields, struct ax_exchange *exchange, const struct ax_writer *lines)
{
    size_t count = line_count(ax_writer_str(lines)) + OWN_FIELDS;
    *fields = (struct fields){.at = AX_NEW_ARRAY(exchange->ctx.arena, nghttp2_nv, count)};
    return fields->at != NULL;
}

/* ---- bodies ---- */

static const struct ax_writer *
body_of(const struct ax_exchange *exchange)
{
    return exchange->stream ? &exchange->stream->leaving : &exchange->body;
}

static size_t *
taken_of(struct ax_http2_stream *stream)
{
    struct ax_exchange *exchange = stream->exchange;
    return exchange->stream ? &exchange->stream->left_bytes : &stream->sent_bytes;
}

size_t
ax_http2_session_unsent(const struct ax_http2_stream *stream)
{
    const struct ax_exchange *exchange = stream->exchange;
    size_t taken = exchange->stream ? exchange->stream->left_bytes : stream->sent_bytes;
    return body_of(exchange)->len - taken;
}

static bool
body_goes_out(const struct ax_exchange *exchange)
{
    return exchange->message.request.method != AX_HTTP_HEAD &&
           ax_http_status_has_body(exchange->status);
}

/* The end of the body; trailers, if there are any, end the stream in its place. */
static int
body_end(struct ax_http2_stream *stream, uint32_t *out_flags)
{
    struct ax_exchange *exchange = stream->exchange;
    *out_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (exchange->trailers.len == 0)
        return 0;
    struct fields fields;
    if (!fields_init(&fields, exchange, &exchange->trailers))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    fields_add(&fields, &exchange->trailers);
    *out_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(stream->session->nghttp2, stream->id, fields.at, fields.count);
}

static ssize_t
http2_on_body_wanted(nghttp2_session *nghttp2, int32_t id, uint8_t *out, size_t out_bytes,
                     uint32_t *out_flags, nghttp2_data_source *source, void *arg)
{
    struct ax_http2_stream *stream = source->ptr;
    struct ax_http2_session *session = arg;
    struct ax_exchange *exchange = stream->exchange;
    const struct ax_writer *body = body_of(exchange);
    size_t *taken = taken_of(stream), left = body->len - *taken;
    size_t len = left < out_bytes ? left : out_bytes;
    (void)nghttp2;
    (void)id;
    if (len > 0)
        memcpy(out, body->at + *taken, len);
    *taken += len;
    stream->sent_at_check += len;
    session->pending_bytes -= exchange->finished ? len : 0;
    session->moved |= exchange->stream != NULL;
    if (len < left)
        return (ssize_t)len;
    if (exchange->finished) {
        if (exchange->broken || body->status != AX_OK) /* a stream that was cut: say so */
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (body_end(stream, out_flags) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        return (ssize_t)len;
    }
    if (len > 0)
        return (ssize_t)len;
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

/* ---- answering ---- */

static bool
submit_head(struct ax_http2_stream *stream)
{
    struct ax_exchange *exchange = stream->exchange;
    struct ax_http2_session *session = stream->session;
    struct fields fields;
    char status[AX_NUMBER_BYTES_MAX], length[AX_NUMBER_BYTES_MAX];
    if (!fields_init(&fields, exchange, &exchange->fields))
        return false;
    ax_format_u64((uint64_t)exchange->status, status);
    field_put(&fields, AX_STR(":status"), (ax_str){status, STATUS_BYTES});
    field_put(&fields, AX_STR("date"),
              ax_http_date(&session->pool->date, ax_clock_real_coarse_ns()));
    fields_add(&fields, &exchange->fields);
    bool whole = !exchange->stream && exchange->trailers.len == 0;
    if (whole && exchange->body.len > 0 && ax_http_status_has_body(exchange->status))
        field_put(&fields, AX_STR("content-length"),
                  (ax_str){length, ax_format_u64(exchange->body.len, length)});
    bool ends = exchange->finished &&
                (!body_goes_out(exchange) ||
                 (exchange->trailers.len == 0 && ax_http2_session_unsent(stream) == 0));
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = http2_on_body_wanted};
    stream->submitted = true;
    return nghttp2_submit_response(session->nghttp2, stream->id, fields.at, fields.count,
                                   ends ? NULL : &body) == 0;
}

/* What has left cannot become a 500 any more. */
static bool
pieces_sound(const struct ax_exchange *exchange)
{
    return !exchange->broken && exchange->fields.status == AX_OK &&
           exchange->trailers.status == AX_OK && exchange->stream->leaving.status == AX_OK;
}

static void
reset(struct ax_http2_stream *stream)
{
    if (nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
                                  NGHTTP2_INTERNAL_ERROR) != 0)
        ax_http2_session_fail(stream->session, NGHTTP2_INTERNAL_ERROR);
}

void
ax_http2_session_answer(struct ax_http2_stream *stream)
{
    struct ax_exchange *exchange = stream->exchange;
    struct ax_http2_session *session = stream->session;
    bool first = !stream->submitted;
    if (exchange->stream && !pieces_sound(exchange)) {
        reset(stream);
    } else if (first && (exchange->finished || (exchange->stream && exchange->stream->head_due))) {
        if (!exchange->stream)
            ax_exchange_settle(exchange);
        else
            ax_exchange_tell_ids(exchange);
        if (!submit_head(stream))
            ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
    } else if (stream->deferred) {
        stream->deferred = false;
        if (nghttp2_session_resume_data(session->nghttp2, stream->id) != 0)
            ax_http2_session_fail(session, NGHTTP2_INTERNAL_ERROR);
    }
    if (exchange->finished) {
        session->pending_bytes += ax_http2_session_unsent(stream);
        stream->sent_at_check = 0;
        ax_http2_session_arm(stream, session->now_ns + session->config->write_ms * NS_PER_MS);
    }
    if (exchange->finished && exchange->close_after && !exchange->refused)
        ax_http2_session_goaway(session);
}

void
ax_http2_session_interim(struct ax_http2_stream *stream)
{
    static const char status[] = ":status", number[] = "100";
    struct fields fields = {.at = &(nghttp2_nv){}};
    field_put(&fields, (ax_str){status, sizeof status - 1}, (ax_str){number, sizeof number - 1});
    if (nghttp2_submit_headers(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NULL,
                               fields.at, fields.count, NULL) < 0)
        ax_http2_session_fail(stream->session, NGHTTP2_INTERNAL_ERROR);
}

/* ---- output ---- */

void
ax_http2_session_rest(struct ax_http2_session *session)
{
    if (session->out_at < session->out.len || session->out.capacity <= OUT_BYTES_KEPT)
        return;
    ax_writer_free(&session->out);
    session->out_at = 0;
}

void
ax_http2_session_fill(struct ax_http2_session *session)
{
    struct ax_writer *out = &session->out;
    ax_writer_clear(out);
    session->out_at = 0;
    session->output_ns = 0;
    while (out->len < OUT_BYTES) {
        const uint8_t *frame = NULL;
        ssize_t len = nghttp2_session_mem_send(session->nghttp2, &frame);
        if (len == 0)
            return;
        if (len > 0)
            ax_writer_bytes(out, (ax_str){(const char *)frame, (size_t)len});
        ax_http2_session_memory_frame_done(session->pool->http2_memory);
        if (len < 0 || out->status != AX_OK) { /* no memory: what is cut here cannot go on */
            session->over = session->broken = true;
            return;
        }
    }
}

#include "net/http1.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <llhttp.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { REASON_BYTES = 160, FRAMING_PER_BODY_BYTE = 8 };

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_DONE, PHASE_REFUSED };

struct ax_http1 {
    llhttp_t parser;
    struct ax_message *message;
    enum phase phase;
    size_t head_bytes;                     /* as sent, line ends included */
    size_t body_bytes;                     /* as sent, chunk framing included */
    size_t content_bytes;                  /* without it */
    bool (*sink)(void *arg, ax_str bytes); /* NULL: the message takes the body */
    void *sink_arg;
    char last; /* byte of the head before the present piece */
    bool keep_alive;
    bool waits_for_continue;
    int host_count;
    int coding_count; /* Transfer-Encoding headers */
    ax_str name;      /* of the header whose value is being read */
    int refusal_status;
    size_t reason_len;
    char reason[REASON_BYTES];
};

/* Always ends the request; the first refusal stands. Returns what stops llhttp. */
AX_PRINTF(3, 4)
static int
refuse(struct ax_http1 *http1, int status, const char *format, ...)
{
    if (http1->phase == PHASE_REFUSED)
        return HPE_USER;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(http1->reason, sizeof http1->reason, format, args);
    va_end(args);
    http1->reason_len = len < 0 ? 0 : (size_t)len;
    if (http1->reason_len >= sizeof http1->reason)
        http1->reason_len = sizeof http1->reason - 1;
    http1->refusal_status = status;
    http1->phase = PHASE_REFUSED;
    return HPE_USER;
}

/* ---- what llhttp calls ---- */

static int
http1_on_piece(llhttp_t *parser, const char *at, size_t len)
{
    struct ax_http1 *http1 = parser->data;
    if (http1->phase != PHASE_HEAD)
        return 0; /* trailers are read over */
    if (!ax_message_gather(http1->message, (ax_str){at, len}))
        return refuse(http1, 431, "the head is longer than %zu bytes",
                      http1->message->head_bytes_max);
    return 0;
}

static int
http1_on_method_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    ax_message_set_method(http1->message, ax_message_cut(http1->message));
    return 0;
}

static int
http1_on_url_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    ax_str target = ax_message_cut(http1->message);
    if (parser->method == HTTP_CONNECT)
        return refuse(http1, 501, "CONNECT is not served here");
    if (!ax_message_set_target(http1->message, target))
        return refuse(http1, 400, "the request target must be a path of visible ASCII");
    return 0;
}

static int
http1_on_version_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    ax_message_cut(http1->message);
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(http1, 505, "HTTP/%d.%d is not spoken here, HTTP/1.0 and 1.1 are",
                      parser->http_major, parser->http_minor);
    http1->message->request.major = parser->http_major;
    http1->message->request.minor = parser->http_minor;
    return 0;
}

static int
http1_on_field_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    if (http1->phase == PHASE_HEAD)
        http1->name = ax_message_cut(http1->message);
    return 0;
}

static bool
host_ok(ax_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("/\\?#@,\"<>", c))
            return false;
    }
    return true;
}

/* The headers that decide where the message ends and whom it is for. */
static int
check_header(struct ax_http1 *http1, ax_str name, ax_str value)
{
    if (ax_str_eq_ignoring_case(name, AX_STR("host"))) {
        if (http1->host_count++ > 0)
            return refuse(http1, 400, "there are two Host headers");
        if (!host_ok(value))
            return refuse(http1, 400, "the Host header is not a host");
        http1->message->request.host = value;
    } else if (ax_str_eq_ignoring_case(name, AX_STR("expect"))) {
        if (!ax_str_eq_ignoring_case(value, AX_STR("100-continue")))
            return refuse(http1, 417, "the only expectation met here is 100-continue");
        http1->waits_for_continue = true;
    } else if (ax_str_eq_ignoring_case(name, AX_STR("transfer-encoding"))) {
        if (http1->coding_count++ > 0)
            return refuse(http1, 400, "there are two Transfer-Encoding headers");
        if (!ax_str_eq_ignoring_case(value, AX_STR("chunked")))
            return refuse(http1, 501, "the only transfer coding decoded here is chunked");
    }
    return 0;
}

static int
http1_on_value_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    if (http1->phase != PHASE_HEAD)
        return 0;
    ax_str value = ax_str_trim(ax_message_cut(http1->message));
    if (!ax_message_add_header(http1->message, http1->name, value))
        return refuse(http1, 431, "there are more than %zu headers",
                      http1->message->header_count_max);
    return check_header(http1, http1->name, value);
}

static int
http1_on_headers_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    struct ax_http_request *request = &http1->message->request;
    bool chunked = parser->flags & F_CHUNKED;
    if (request->major == 0)
        return refuse(http1, 400, "the version is missing from the request line");
    if (http1->host_count == 0 && request->minor == 1)
        return refuse(http1, 400, "the Host header is missing");
    if (chunked && request->minor == 0)
        return refuse(http1, 400, "HTTP/1.0 knows no transfer coding");
    parser->upgrade = 0; /* an offer of another protocol is passed over: RFC 9110 section 7.8 */
    request->has_body = chunked || parser->content_length > 0;
    request->body_length = chunked ? UINT64_MAX : parser->content_length;
    http1->keep_alive = request->minor == 1 && !(parser->flags & F_CONNECTION_CLOSE);
    http1->waits_for_continue &= request->minor == 1 && request->has_body;
    http1->phase = PHASE_BODY;
    return HPE_PAUSED;
}

static int
http1_on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct ax_http1 *http1 = parser->data;
    http1->content_bytes += len;
    if (http1->sink)
        return http1->sink(http1->sink_arg, (ax_str){at, len})
                   ? 0
                   : refuse(http1, 503, "no memory for the body");
    ax_status status = ax_message_add_body(http1->message, (ax_str){at, len});
    if (status == AX_LIMIT)
        return refuse(http1, 413, "the body is longer than %zu bytes",
                      http1->message->body.len_max);
    if (status == AX_INVALID)
        return refuse(http1, 400, "the body is not in its Content-Encoding");
    if (status != AX_OK)
        return refuse(http1, 503, "no memory for the body");
    return 0;
}

static int
http1_on_message_complete(llhttp_t *parser)
{
    struct ax_http1 *http1 = parser->data;
    if (http1->phase == PHASE_BODY && !ax_message_end_body(http1->message))
        return refuse(http1, 400, "the body ends before its Content-Encoding does");
    http1->phase = PHASE_DONE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method = http1_on_piece,
    .on_method_complete = http1_on_method_complete,
    .on_url = http1_on_piece,
    .on_url_complete = http1_on_url_complete,
    .on_version_complete = http1_on_version_complete,
    .on_header_field = http1_on_piece,
    .on_header_field_complete = http1_on_field_complete,
    .on_header_value = http1_on_piece,
    .on_header_value_complete = http1_on_value_complete,
    .on_headers_complete = http1_on_headers_complete,
    .on_body = http1_on_body,
    .on_message_complete = http1_on_message_complete,
};

/* ---- the glue ---- */

struct ax_http1 *
ax_http1_new(void)
{
    struct ax_http1 *http1 = ax_alloc(1, sizeof *http1);
    if (http1) {
        llhttp_init(&http1->parser, HTTP_REQUEST, &settings);
        http1->parser.data = http1;
        http1->phase = PHASE_DONE;
    }
    return http1;
}

void
ax_http1_free(struct ax_http1 *http1)
{
    ax_free(http1);
}

void
ax_http1_begin(struct ax_http1 *http1, struct ax_message *message)
{
    AX_ASSERT(http1->phase == PHASE_DONE);
    http1->message = message;
    http1->phase = PHASE_HEAD;
    http1->head_bytes = http1->body_bytes = http1->content_bytes = 0;
    http1->sink = NULL;
    http1->last = '\n';
    http1->host_count = http1->coding_count = 0;
    http1->waits_for_continue = false;
}

/* The first fault of the bytes counts, not the first that is noticed, nor what stood behind it. */
static void
refuse_line(struct ax_http1 *http1, const char *why)
{
    http1->phase = PHASE_HEAD;
    http1->message->request.method = AX_HTTP_OTHER;
    refuse(http1, 400, "%s", why);
}

/*
 * Line ends, over the bytes that llhttp took as head: a bare line feed, or a line that begins with
 * white space (obs-fold), is read differently by other servers.
 */
static void
check_lines(struct ax_http1 *http1, ax_str head)
{
    static const char folded[] = "a header line is folded";
    if (head.len == 0)
        return;
    if (http1->last == '\n' && http1->head_bytes > 0 && (head.at[0] == ' ' || head.at[0] == '\t')) {
        refuse_line(http1, folded);
        return;
    }
    const char *end = head.at + head.len;
    for (const char *at = head.at; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        char before = at > head.at ? at[-1] : http1->last;
        bool fold = at + 1 < end && (at[1] == ' ' || at[1] == '\t');
        if (before == '\r' && !fold)
            continue;
        refuse_line(http1, before == '\r' ? folded : "a line ends with a bare line feed");
        return;
    }
    http1->last = head.at[head.len - 1];
}

/* Runs llhttp over the bytes; returns how many it took, those before its complaint too. */
static size_t
run(struct ax_http1 *http1, ax_str bytes, llhttp_errno_t *out_error)
{
    *out_error = llhttp_execute(&http1->parser, bytes.at, bytes.len);
    if (*out_error == HPE_OK)
        return bytes.len;
    const char *at = llhttp_get_error_pos(&http1->parser);
    if (*out_error == HPE_PAUSED)
        llhttp_resume(&http1->parser);
    AX_ASSERT(at >= bytes.at && at <= bytes.at + bytes.len);
    return (size_t)(at - bytes.at);
}

static enum ax_http1_event
feed_head(struct ax_http1 *http1, ax_str *bytes)
{
    size_t room = http1->message->head_bytes_max - http1->head_bytes;
    ax_str piece = {bytes->at, bytes->len < room ? bytes->len : room};
    llhttp_errno_t error = HPE_OK;
    size_t taken = run(http1, piece, &error);
    check_lines(http1, (ax_str){piece.at, taken});
    http1->head_bytes += taken;
    *bytes = ax_str_from(*bytes, taken);
    if (http1->phase == PHASE_REFUSED)
        return AX_HTTP1_REFUSED;
    if (error == HPE_PAUSED)
        return AX_HTTP1_HEAD;
    if (error == HPE_INVALID_VERSION && http1->message->request.major == 0)
        refuse(http1, 505, "the version is not one of HTTP/1.0 and 1.1");
    else if (error != HPE_OK)
        refuse(http1, 400, "malformed request: %s", llhttp_get_error_reason(&http1->parser));
    else if (http1->head_bytes == http1->message->head_bytes_max)
        refuse(http1, 431, "the head is longer than %zu bytes", http1->head_bytes);
    return http1->phase == PHASE_REFUSED ? AX_HTTP1_REFUSED : AX_HTTP1_MORE;
}

/* Tiny chunks, long chunk extensions and trailers cost time and carry nothing. */
static bool
mostly_framing(const struct ax_http1 *http1)
{
    size_t content = http1->content_bytes + http1->message->head_bytes_max;
    return http1->body_bytes / FRAMING_PER_BODY_BYTE > content;
}

static enum ax_http1_event
feed_body(struct ax_http1 *http1, ax_str *bytes)
{
    struct ax_message *message = http1->message;
    uint64_t length = message->request.body_length;
    if (!http1->sink && length != UINT64_MAX && length > message->body.len_max) {
        refuse(http1, 413, "the body has %llu bytes, at most %zu are taken",
               (unsigned long long)length, message->body.len_max);
        return AX_HTTP1_REFUSED;
    }
    llhttp_errno_t error = HPE_OK;
    size_t taken = run(http1, *bytes, &error);
    http1->body_bytes += taken;
    *bytes = ax_str_from(*bytes, taken);
    if (http1->phase == PHASE_DONE)
        return AX_HTTP1_REQUEST;
    if (http1->phase == PHASE_BODY && error != HPE_OK)
        refuse(http1, 400, "malformed body: %s", llhttp_get_error_reason(&http1->parser));
    else if (mostly_framing(http1))
        refuse(http1, 400, "the body is mostly framing of chunks");
    return http1->phase == PHASE_REFUSED ? AX_HTTP1_REFUSED : AX_HTTP1_MORE;
}

enum ax_http1_event
ax_http1_feed(struct ax_http1 *http1, ax_str *bytes)
{
    AX_ASSERT(http1->phase != PHASE_DONE);
    switch (http1->phase) {
    case PHASE_HEAD:
        return bytes->len > 0 ? feed_head(http1, bytes) : AX_HTTP1_MORE;
    case PHASE_BODY:
        return feed_body(http1, bytes);
    case PHASE_DONE:
    case PHASE_REFUSED:
        break;
    }
    return AX_HTTP1_REFUSED;
}

void
ax_http1_set_body_max(struct ax_http1 *http1, size_t bytes)
{
    AX_ASSERT(http1->phase == PHASE_BODY);
    http1->message->body.len_max = bytes;
}

void
ax_http1_set_sink(struct ax_http1 *http1, bool (*sink)(void *arg, ax_str bytes), void *arg)
{
    AX_ASSERT(http1->phase == PHASE_BODY);
    http1->sink = sink;
    http1->sink_arg = arg;
}

bool
ax_http1_waits_for_continue(const struct ax_http1 *http1)
{
    return http1->waits_for_continue;
}

bool
ax_http1_keeps_alive(const struct ax_http1 *http1)
{
    return http1->keep_alive;
}

int
ax_http1_refusal(const struct ax_http1 *http1, ax_str *out_reason)
{
    AX_ASSERT(http1->phase == PHASE_REFUSED);
    *out_reason = (ax_str){http1->reason, http1->reason_len};
    return http1->refusal_status;
}

/*
 * A message of HTTP, whatever its wire version: method, target, headers, body, limits.
 *
 * A request is slices of bytes that its exchange owns: valid until the exchange is finished,
 * never changed, never decoded behind the reader's back (path and query stay percent-encoded as
 * sent; decoding is offered below). Parsing is http1's business, routing the api's.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"

#define AX_HTTP_METHOD_MAP(X)                                                                      \
    X(GET)                                                                                         \
    X(HEAD)                                                                                        \
    X(POST)                                                                                        \
    X(PUT)                                                                                         \
    X(PATCH)                                                                                       \
    X(DELETE)                                                                                      \
    X(OPTIONS)

enum ax_http_method {
#define X(name) AX_HTTP_##name,
    AX_HTTP_METHOD_MAP(X)
#undef X
        AX_HTTP_OTHER /* see method_text */
};

struct ax_http_header {
    ax_str name; /* as sent: compare without case */
    ax_str value;
};

/* What one client may make the server hold. */
struct ax_http_limits {
    size_t head_bytes_max;   /* request line and headers with their line ends: 431 above */
    size_t header_count_max; /* 431 above */
    size_t body_bytes_max;   /* decoded, inflated: 413 above, before it is read where the length is
                                said */
    size_t pipeline_max;     /* requests of a connection in progress; more wait unread */
};

enum {
    AX_HTTP_HEAD_BYTES = 8 * 1024,
    AX_HTTP_HEADER_COUNT = 128,
    AX_HTTP_BODY_BYTES = 1024 * 1024,
    AX_HTTP_PIPELINE = 64
};

/* 8 KiB of head, 128 headers, 1 MiB of body, 64 requests under way. */
static inline struct ax_http_limits
ax_http_limits_default(void)
{
    return (struct ax_http_limits){.head_bytes_max = AX_HTTP_HEAD_BYTES,
                                   .header_count_max = AX_HTTP_HEADER_COUNT,
                                   .body_bytes_max = AX_HTTP_BODY_BYTES,
                                   .pipeline_max = AX_HTTP_PIPELINE};
}

struct ax_http_request {
    enum ax_http_method method;
    ax_str method_text;
    ax_str target; /* as sent */
    ax_str path;   /* begins with '/', or is "*" (OPTIONS); still percent-encoded */
    ax_str query;  /* behind the '?', still encoded; "" when there is none */
    ax_str host;   /* "" only over HTTP/1.0 */
    int major;     /* 1 or 2 */
    int minor;
    const struct ax_http_header *headers;
    size_t header_count;
    bool has_body;        /* a body was announced; it may yet be empty when chunked */
    uint64_t body_length; /* announced by Content-Length; UINT64_MAX when chunked */
    ax_str body;          /* whole and decoded, inflated too; "" until the handler is called */
};

/* Value of the first header of that name, in any case; at is NULL when there is none. */
ax_str ax_http_header_find(const struct ax_http_request *request, ax_str name);

/* Whether a header's comma-separated list holds the token, in any case ("gzip" in "br, gzip"). */
bool ax_http_header_lists(const struct ax_http_request *request, ax_str name, ax_str token);

/*
 * The value of `name` in a query such as "a=1&b=2", still encoded. at is NULL when absent and ""
 * when it has no '='. Names are compared as sent.
 */
ax_str ax_http_query_find(ax_str query, ax_str name);

/* %41 and '+' of a query's or form's value. In ctx->arena. Fails: INVALID, LIMIT. */
ax_status ax_http_query_decode(struct ax_ctx *ctx, ax_str value, ax_str *out_text);

/* %41 of one segment of a path. In ctx->arena. Fails: INVALID on a bad escape or a NUL; LIMIT. */
ax_status ax_http_path_decode(struct ax_ctx *ctx, ax_str segment, ax_str *out_text);

/* "Not Found"; "Unknown" for a number that RFC 9110 does not name. */
const char *ax_http_reason(int status);

/*
 * How much the client likes a content coding, by its Accept-Encoding: 0 (not at all) to 1000.
 * Without the header it takes "identity" alone. Source: RFC 9110 section 12.5.3.
 */
int ax_http_coding_weight(const struct ax_http_request *request, ax_str coding);

/* Whether an answer with this status may carry a body (not 1xx, 204, 304). */
bool ax_http_status_has_body(int status);

/* May it stand in a header: a token as name; no control character but the tab in a value. */
bool ax_http_name_ok(ax_str name);
bool ax_http_value_ok(ax_str value);

/* The Date header's value, made anew once a second. One thread's; zeroed before first use. */
struct ax_http_date {
    int64_t second;
    size_t len;
    char text[32];
};

/* "Sun, 06 Nov 1994 08:49:37 GMT". Source: RFC 9110 section 5.6.7. */
ax_str ax_http_date(struct ax_http_date *cache, int64_t real_ns);

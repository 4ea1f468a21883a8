/*
 * A request while it arrives: the memory behind its slices.
 *
 * The head is gathered in a buffer of its largest permitted size, so that slices never move; the
 * body in one that grows up to the limit of its route. Both are used again by the next request.
 * Fed by a protocol (http1, http2_session), read by whoever has the exchange.
 */
#pragma once

#include "codec/compress.h"
#include "net/http.h"

struct ax_message {
    struct ax_http_request request;
    struct ax_writer body;
    char *head;
    size_t head_len;
    size_t head_bytes_max;
    struct ax_http_header *headers;
    size_t header_count_max;
    size_t piece_at;              /* where the slice being gathered begins */
    struct ax_inflater *inflater; /* NULL for a body that comes as it is */
};

/* false when memory is short. */
[[nodiscard]] bool ax_message_init(struct ax_message *message, const struct ax_http_limits *limits);
void ax_message_done(struct ax_message *message);

/* Empty again for the next request; a body buffer that grew large is given back. */
void ax_message_reset(struct ax_message *message);

/* Appends to the slice being gathered; false when the head is full. */
[[nodiscard]] bool ax_message_gather(struct ax_message *message, ax_str bytes);

/* Ends the slice being gathered and begins the next. */
ax_str ax_message_cut(struct ax_message *message);

/* The gathered slices as one more header; false when there are too many. */
[[nodiscard]] bool ax_message_add_header(struct ax_message *message, ax_str name, ax_str value);

void ax_message_set_method(struct ax_message *message, ax_str method);

/*
 * Splits the target into path and query: "/a?b=1", "http://host/a?b=1" or, for OPTIONS, "*". false
 * when it is none of these or has bytes that may not stand in one.
 */
[[nodiscard]] bool ax_message_set_target(struct ax_message *message, ax_str target);

/* The body will come in this coding, and is gathered inflated; false when memory is short. */
[[nodiscard]] bool ax_message_set_coding(struct ax_message *message,
                                         enum ax_compress_coding coding);

/*
 * Appends what came of the body.
 * Fails (bare): LIMIT past its ceiling, inflated; INVALID when it is not of its coding;
 * UNAVAILABLE when memory is short.
 */
ax_status ax_message_add_body(struct ax_message *message, ax_str bytes);

/* The body is whole: it becomes the request's. false when its coding says that more is missing. */
[[nodiscard]] bool ax_message_end_body(struct ax_message *message);

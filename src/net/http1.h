/*
 * The parser of HTTP/1.0 and 1.1 requests: bytes in, one event at a time out. llhttp ends here.
 *
 * llhttp splits the message; the glue here refuses what it leaves open and smugglers live on: no
 * or two Hosts, folded lines, bare line feeds, codings other than chunked, other versions, limits.
 * It touches no socket and answers nothing: see http1_session.
 */
#pragma once

#include "net/message.h"

struct ax_http1;

enum ax_http1_event {
    AX_HTTP1_MORE,    /* all bytes are taken; more are needed */
    AX_HTTP1_HEAD,    /* the head is complete; the body's limit may be set now */
    AX_HTTP1_REQUEST, /* the request is complete */
    AX_HTTP1_REFUSED, /* see refusal; the connection is of no more use */
};

/* NULL when memory is short. */
struct ax_http1 *ax_http1_new(void);
void ax_http1_free(struct ax_http1 *http1);
AX_DEFINE_AUTO(struct ax_http1, ax_http1_free);

/* The next request goes into message, which is empty; kept until the event REQUEST. */
void ax_http1_begin(struct ax_http1 *http1, struct ax_message *message);

/* Takes bytes off the front until something happens. Call again until MORE. */
enum ax_http1_event ax_http1_feed(struct ax_http1 *http1, ax_str *bytes);

/* After HEAD: the body may be so large. The next feed refuses one that says it is larger. */
void ax_http1_set_body_max(struct ax_http1 *http1, size_t bytes);

/* After HEAD: the body goes to sink as it comes, of any length; false from it ends the request. */
void ax_http1_set_sink(struct ax_http1 *http1, bool (*sink)(void *arg, ax_str bytes), void *arg);

/* After HEAD: the client waits for 100 Continue before it sends the body. */
bool ax_http1_waits_for_continue(const struct ax_http1 *http1);

/* After HEAD: the connection may carry another request afterwards. */
bool ax_http1_keeps_alive(const struct ax_http1 *http1);

/* After REFUSED: the status to answer with, and why in one sentence (lasts as long as http1). */
int ax_http1_refusal(const struct ax_http1 *http1, ax_str *out_reason);

/*
 * What the parser made of some bytes, as text: the same whether it got them whole or in pieces.
 * For http1_test and http1_fuzz.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "net/http1.h"

struct http1_log {
    struct ax_writer text;
    struct ax_http_limits limits;
    struct ax_http1 *parser;
    struct ax_message message;
    bool begun;
    bool over;
};

static inline void
http1_log_open(struct http1_log *log, struct ax_http_limits limits)
{
    *log = (struct http1_log){.text = ax_writer_of(1 << 22), .limits = limits};
    log->parser = ax_http1_new();
    AX_ASSERT(log->parser && ax_message_init(&log->message, &limits));
}

static inline void
http1_log_close(struct http1_log *log)
{
    ax_http1_free(log->parser);
    ax_message_done(&log->message);
    ax_writer_free(&log->text);
}

static inline void
http1_log_request(struct http1_log *log)
{
    const struct ax_http_request *request = &log->message.request;
    ax_writer_print(&log->text, "%.*s %.*s ? %.*s HTTP/1.%d %s", AX_FMT(request->method_text),
                    AX_FMT(request->path), AX_FMT(request->query), request->minor,
                    ax_http1_keeps_alive(log->parser) ? "keep" : "close");
    for (size_t i = 0; i < request->header_count; i++)
        ax_writer_print(&log->text, " [%.*s|%.*s]", AX_FMT(request->headers[i].name),
                        AX_FMT(request->headers[i].value));
    ax_writer_text(&log->text, " {");
    ax_writer_bytes(&log->text, request->body);
    ax_writer_text(&log->text, "}\n");
}

static inline void
http1_log_event(struct http1_log *log, enum ax_http1_event event)
{
    ax_str reason;
    if (event == AX_HTTP1_HEAD) {
        if (ax_http1_waits_for_continue(log->parser))
            ax_writer_text(&log->text, "100 ");
        ax_http1_set_body_max(log->parser, log->limits.body_bytes_max);
    } else if (event == AX_HTTP1_REQUEST) {
        http1_log_request(log);
        log->over = !ax_http1_keeps_alive(log->parser);
        log->begun = false;
    } else if (event == AX_HTTP1_REFUSED) {
        ax_writer_print(&log->text, "refused %d\n", ax_http1_refusal(log->parser, &reason));
        log->over = true;
    }
}

/* From a block of exactly its size, so that reading on shows. */
static inline void
http1_log_feed(struct http1_log *log, ax_str piece)
{
    char *copy = malloc(piece.len > 0 ? piece.len : 1);
    AX_ASSERT(copy);
    memcpy(copy, piece.at, piece.len);
    ax_str bytes = {copy, piece.len};
    while (!log->over && (bytes.len > 0 || log->begun)) {
        if (!log->begun) {
            ax_message_reset(&log->message);
            ax_http1_begin(log->parser, &log->message);
            log->begun = true;
        }
        enum ax_http1_event event = ax_http1_feed(log->parser, &bytes);
        if (event == AX_HTTP1_MORE)
            break;
        http1_log_event(log, event);
    }
    AX_ASSERT(log->over || bytes.len == 0);
    free(copy);
}

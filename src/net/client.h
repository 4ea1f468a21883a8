/*
 * A blocking HTTP/1.1 client for the CLI and for jobs. libcurl ends here.
 *
 * One handle keeps its connection alive between calls and belongs to one thread at a time. An
 * answer of any status is a result; only what kept it from arriving is a failure. Never on a loop
 * thread: it waits.
 */
#pragma once

#include "net/http.h"

struct ax_client;

struct ax_client_config {
    ax_str unix_socket; /* path; "" for TCP */
    int64_t connect_ms; /* 0: 5 s */
    bool public_only;   /* connects to addresses of the internet alone (address.h) */
    ax_str ca_file;     /* PEM of who vouches for servers; "": whom the system trusts */
    int64_t stall_ms;   /* an answer of which nothing comes for so long fails; 0: may be slow */
};

/* config: may be NULL. Fails: LIMIT. */
ax_status ax_client_open(struct ax_ctx *ctx, const struct ax_client_config *config,
                         struct ax_client **out_client);
void ax_client_close(struct ax_client *client);
AX_DEFINE_AUTO(struct ax_client, ax_client_close);

struct ax_client_request {
    ax_str method; /* "" is GET */
    ax_str url;    /* http://host:port/path?query; over a Unix socket the host is only sent */
    const struct ax_http_header *headers;
    size_t header_count;
    ax_str body;             /* borrowed; sent when not empty, or for POST, PUT and PATCH */
    size_t answer_bytes_max; /* of the answer's body; 0: 16 MiB */
    /* The body of a 200 piece by piece, of any length; false ends it. NULL: it is kept. */
    bool (*on_bytes)(void *arg, ax_str bytes);
    void *arg;
};

struct ax_client_answer { /* everything in ctx->arena */
    int status;
    struct ax_http_header *headers;
    size_t header_count;
    ax_str body;
};

/*
 * Sends one request and waits for the whole answer, at most until ctx->deadline_ns. Does not
 * follow redirections and uses no proxy.
 * Fails: INVALID (no such URL), UNAVAILABLE (no connection, or it broke), TIMEOUT, LIMIT (answer
 * too large, or the arena's budget, or on_bytes wanted no more).
 */
ax_status ax_client_send(struct ax_client *client, struct ax_ctx *ctx,
                         const struct ax_client_request *request,
                         struct ax_client_answer *out_answer);

/* Value of the first header of that name, in any case; at is NULL when there is none. */
ax_str ax_client_header_find(const struct ax_client_answer *answer, ax_str name);

/* The seconds that Retry-After asks to wait; -1 when there is none, or a date. */
int64_t ax_client_retry_after_s(const struct ax_client_answer *answer);

/*
 * What stands between a connection's bytes and its exchanges: one protocol on one connection.
 *
 * The port that http1_session and http2_session fill; TLS is a filter between transport and
 * session and changes neither. A session knows no sockets, so that tests and the fuzzer drive
 * it with bytes in random pieces. Everything happens on the loop's thread.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/str.h"

struct ax_exchange;
struct ax_session;

enum { AX_SESSION_PEER_BYTES = 64, AX_SESSION_NAME_BYTES = 256, AX_SESSION_IOV_MAX = 128 };

/* What a client's certificate says. Shared by its connection and exchanges, all of one loop. */
struct ax_session_identity {
    size_t ref_count;                    /* of the loop's thread */
    char subject[AX_SESSION_NAME_BYTES]; /* "CN=a,O=b" (RFC 2253), terminated; "" when too long */
    char uri[AX_SESSION_NAME_BYTES];     /* the first URI of its other names, or "" */
    char dns[AX_SESSION_NAME_BYTES];     /* the first host, in lower case, or "" */
    char email[AX_SESSION_NAME_BYTES];   /* the first address for mail, or "" */
    uint8_t digest[32];                  /* SHA-256 of the whole certificate */
};

/* Who is on the other end. */
struct ax_session_peer {
    char address[AX_SESSION_PEER_BYTES]; /* terminated */
    uint64_t network;                    /* ax_admission_key of it; 0 of a Unix socket */
    int listener;
    bool secure;                          /* over TLS */
    struct ax_session_identity *identity; /* NULL without a certificate that is vouched for */
};

/* One user more, or one less: the last one frees it. NULL is fine. Loop thread. */
static inline void
ax_session_identity_ref(struct ax_session_identity *identity)
{
    if (identity)
        identity->ref_count++;
}

static inline void
ax_session_identity_unref(struct ax_session_identity *identity)
{
    if (identity && --identity->ref_count == 0)
        ax_free(identity);
}

/* What the session wants of its transport now. */
struct ax_session_wants {
    bool read;           /* more bytes are welcome */
    bool close;          /* nothing left to do: end the connection */
    bool linger;         /* end our direction, read on for a while, then close */
    int64_t deadline_ns; /* when ax_session_expire is due; INT64_MAX for never */
};

/* Bytes of a file that are the output now. */
struct ax_session_file {
    int descriptor; /* borrowed */
    uint64_t at, left;
};

struct ax_session_ops {
    const char *name;
    bool streams; /* exchanges may become streams */
    void (*receive)(struct ax_session *session, ax_str bytes, int64_t now_ns);
    void (*end)(struct ax_session *session);
    void (*finished)(struct ax_session *session, struct ax_exchange *exchange);
    void (*moved)(struct ax_session *session, struct ax_exchange *exchange);
    int (*output)(struct ax_session *session, struct iovec out[AX_SESSION_IOV_MAX]);
    void (*sent)(struct ax_session *session, size_t bytes, int64_t now_ns);
    bool (*file)(const struct ax_session *session, struct ax_session_file *out);
    void (*file_sent)(struct ax_session *session, size_t bytes, int64_t now_ns);
    struct ax_session_wants (*wants)(const struct ax_session *session);
    bool (*expire)(struct ax_session *session, int64_t now_ns);
    void (*drain)(struct ax_session *session, int64_t grace_until_ns);
    void (*close)(struct ax_session *session);
};

/* The way back to the transport: there may be something to send. Called outside of receive. */
struct ax_session_transport {
    void *arg;
    void (*ready)(void *arg);
};

struct ax_session {
    const struct ax_session_ops *ops;
    struct ax_session_transport transport;
    bool sends_files; /* the transport does: what is a file need not come as bytes */
};

/* Bytes from the client; all are taken. May call the service, who may finish at once. */
static inline void
ax_session_receive(struct ax_session *session, ax_str bytes, int64_t now_ns)
{
    AX_ASSERT(bytes.len > 0);
    session->ops->receive(session, bytes, now_ns);
}

/* The client will send no more. */
static inline void
ax_session_end(struct ax_session *session)
{
    session->ops->end(session);
}

/* The service has finished an exchange of this session. */
static inline void
ax_session_finished(struct ax_session *session, struct ax_exchange *exchange)
{
    session->ops->finished(session, exchange);
}

/* A stream of this session has answers to send, or has taken some of what had come. */
static inline void
ax_session_moved(struct ax_session *session, struct ax_exchange *exchange)
{
    session->ops->moved(session, exchange);
}

/* What is to be sent, in order; borrowed until ax_session_sent. Returns the count of pieces. */
static inline int
ax_session_output(struct ax_session *session, struct iovec out[AX_SESSION_IOV_MAX])
{
    return session->ops->output(session, out);
}

/* So many bytes of the output went to the kernel. */
static inline void
ax_session_sent(struct ax_session *session, size_t bytes, int64_t now_ns)
{
    session->ops->sent(session, bytes, now_ns);
}

/* Whether the output is a file's bytes now, and not ax_session_output's. */
static inline bool
ax_session_file(const struct ax_session *session, struct ax_session_file *out)
{
    return session->ops->file(session, out);
}

/* So many of them went to the kernel; 0: none could, the next come as bytes. */
static inline void
ax_session_file_sent(struct ax_session *session, size_t bytes, int64_t now_ns)
{
    session->ops->file_sent(session, bytes, now_ns);
}

static inline bool
ax_session_no_file(const struct ax_session *session, struct ax_session_file *out)
{
    (void)session;
    (void)out;
    return false;
}

static inline void
ax_session_no_file_sent(struct ax_session *session, size_t bytes, int64_t now_ns)
{
    (void)session;
    (void)bytes;
    (void)now_ns;
    AX_ASSERT(false); /* no file was offered */
}

static inline struct ax_session_wants
ax_session_wants(const struct ax_session *session)
{
    return session->ops->wants(session);
}

/* The deadline of wants has passed. Whether the connection ends by it. */
static inline bool
ax_session_expire(struct ax_session *session, int64_t now_ns)
{
    return session->ops->expire(session, now_ns);
}

/* The server is stopping: requests that arrive until grace_until_ns are the last. */
static inline void
ax_session_drain(struct ax_session *session, int64_t grace_until_ns)
{
    session->ops->drain(session, grace_until_ns);
}

/* The connection is gone; what the service still holds becomes an orphan. Frees the session. */
static inline void
ax_session_close(struct ax_session *session)
{
    session->ops->close(session);
}

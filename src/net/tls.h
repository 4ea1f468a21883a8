/*
 * TLS under a connection: a certificate for a listener, and the two ways of bytes of one client.
 *
 * It is a filter: ciphertext in, plaintext out, and back; it knows no socket and no HTTP, so the
 * sessions above stay what they are. The certificate can be loaded anew at any time: connections
 * keep what they began with. OpenSSL's TLS ends here.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"
#include "net/session.h"

struct ax_tls;
struct ax_tls_connection;

enum { AX_TLS_RECORD_BYTES = 16 * 1024 };

struct ax_tls_config {  /* all files are PEM */
    ax_str certificate; /* the server's and those between it and the root, in this order */
    ax_str key;         /* without a passphrase */
    ax_str client_ca;   /* who vouches for clients' certificates; "": none is asked for */
    bool client_required;
    bool allow_1_2; /* TLS 1.2 beside 1.3 */
};

/*
 * config: copied. Fails: INVALID (a file is none of what it should be, or key and certificate do
 * not belong together), NOT_FOUND, LIMIT.
 */
ax_status ax_tls_open(struct ax_ctx *ctx, const struct ax_tls_config *config,
                      struct ax_tls **out_tls);
void ax_tls_close(struct ax_tls *tls);

/*
 * Reads the files again, for connections that are yet to come; tickets given before are of no more
 * use. Any thread. Fails as ax_tls_open does: then the old certificate stays.
 */
ax_status ax_tls_reload(struct ax_tls *tls, struct ax_ctx *ctx);

/* ---- one connection; loop thread ---- */

enum ax_tls_state {
    AX_TLS_HANDSHAKE,
    AX_TLS_OPEN,
    AX_TLS_ENDED,  /* the client has said that it ends */
    AX_TLS_FAILED, /* what is in the output says why; nothing else can be done */
};

/* NULL when memory is short. Any thread may open; tls may be reloaded meanwhile. */
struct ax_tls_connection *ax_tls_connection_new(struct ax_tls *tls);
void ax_tls_connection_free(struct ax_tls_connection *connection);

/* Ciphertext from the client; all is taken at once. */
enum ax_tls_state ax_tls_connection_receive(struct ax_tls_connection *connection, ax_str bytes);

/*
 * Plaintext that has come, up to AX_TLS_RECORD_BYTES, and 0 when there is no more: to be asked
 * until then after each receive.
 */
size_t ax_tls_connection_read(struct ax_tls_connection *connection, char *out);

/* Encrypts it into the output; false when that fails: the connection is of no more use. */
bool ax_tls_connection_write(struct ax_tls_connection *connection, ax_str plain);

/* Says to the client that we end. */
void ax_tls_connection_end(struct ax_tls_connection *connection);

enum ax_tls_state ax_tls_connection_state(const struct ax_tls_connection *connection);

/* Ciphertext for the client, to be taken and cleared by the transport. */
struct ax_writer *ax_tls_connection_output(struct ax_tls_connection *connection);

/* When OPEN: "h2", "http/1.1", or "" when the client did not say. */
ax_str ax_tls_connection_protocol(const struct ax_tls_connection *connection);

/*
 * When OPEN: who the client is by its certificate; out is NULL when it showed none. A first
 * reference is the caller's. false when memory is short.
 */
[[nodiscard]] bool ax_tls_connection_identity(struct ax_tls_connection *connection,
                                              struct ax_session_identity **out);

#include "net/tls.h"

#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "sys/mutex.h"

enum { ARENA_BYTES = 64 * 1024, TICKETS = 2, OUTPUT_BYTES_MAX = 64 << 20 };

struct ax_tls {
    struct ax_arena *arena; /* the config's texts, terminated */
    struct ax_tls_config config;
    BIO_METHOD *method;
    struct ax_mutex mutex;
    SSL_CTX *context; /* guarded by mutex; replaced whole */
};

struct ax_tls_connection {
    SSL *ssl;
    ax_str input; /* ciphertext not yet read by OpenSSL */
    struct ax_writer output;
    enum ax_tls_state state;
    bool end_said;
};

/* ---- our side of OpenSSL's buffers: no copy between the socket's bytes and the record ---- */

static int
tls_on_read(BIO *bio, char *out, size_t len, size_t *out_len)
{
    struct ax_tls_connection *connection = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (connection->input.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *out_len = len < connection->input.len ? len : connection->input.len;
    memcpy(out, connection->input.at, *out_len);
    connection->input = ax_str_from(connection->input, *out_len);
    return 1;
}

static int
tls_on_write(BIO *bio, const char *bytes, size_t len, size_t *out_len)
{
    struct ax_tls_connection *connection = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ax_writer_bytes(&connection->output, (ax_str){bytes, len});
    *out_len = len;
    return connection->output.status == AX_OK;
}

static long
tls_on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* the only one that is asked for and means something */
}

static BIO_METHOD *
method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "axiom");
    if (!method)
        return NULL;
    BIO_meth_set_read_ex(method, tls_on_read);
    BIO_meth_set_write_ex(method, tls_on_write);
    BIO_meth_set_ctrl(method, tls_on_control);
    return method;
}

/* ---- contexts ---- */

/* What OpenSSL has against it, as a failure; its queue is empty afterwards. */
static ax_status
tls_fail(struct ax_ctx *ctx, const char *what, ax_str path)
{
    unsigned long first = ERR_get_error();
    const char *reason = first != 0 ? ERR_reason_error_string(first) : NULL;
    bool absent = ERR_GET_LIB(first) == ERR_LIB_SYS;
    ERR_clear_error();
    return ax_fail(ctx, absent ? AX_NOT_FOUND : AX_INVALID, "TLS: %s %.*s: %s", what, AX_FMT(path),
                   absent   ? "it cannot be read"
                   : reason ? reason
                            : "refused");
}

/* Our order counts: HTTP/2 before HTTP/1.1. */
static int
tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
            unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\2h2\x8http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase would ask for it on the terminal. */
static int
tls_on_passphrase(char *out, int out_bytes, int writing, void *arg)
{
    (void)out;
    (void)out_bytes;
    (void)writing;
    (void)arg;
    return -1;
}

static ax_status
load_files(struct ax_ctx *ctx, const struct ax_tls_config *config, SSL_CTX *context)
{
    if (SSL_CTX_use_certificate_chain_file(context, config->certificate.at) != 1)
        return tls_fail(ctx, "certificate", config->certificate);
    if (SSL_CTX_use_PrivateKey_file(context, config->key.at, SSL_FILETYPE_PEM) != 1)
        return tls_fail(ctx, "key", config->key);
    if (SSL_CTX_check_private_key(context) != 1)
        return tls_fail(ctx, "key", config->key);
    if (config->client_ca.len == 0)
        return AX_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(config->client_ca.at);
    if (!names || SSL_CTX_load_verify_locations(context, config->client_ca.at, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_fail(ctx, "client CA", config->client_ca);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (config->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    return AX_OK;
}

/*
 * TLS 1.3 with its own ciphers; of 1.2 only what hides past traffic from who steals the key.
 * Tickets are kept by clients: nothing of a connection that has ended is held here.
 */
static ax_status
context_new(struct ax_ctx *ctx, const struct ax_tls_config *config, SSL_CTX **out_context)
{
    static const unsigned char id[] = "axiom";
    SSL_CTX *context = ax_fault_here() ? NULL : SSL_CTX_new(TLS_server_method());
    if (!context) {
        ERR_clear_error();
        return ax_fail(ctx, AX_LIMIT, "no memory for TLS");
    }
    SSL_CTX_set_min_proto_version(context, config->allow_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    SSL_CTX_set_num_tickets(context, TICKETS);
    SSL_CTX_set_default_passwd_cb(context, tls_on_passphrase);
    SSL_CTX_set_alpn_select_cb(context, tls_on_alpn, NULL);
    ax_status status = load_files(ctx, config, context);
    if (status != AX_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out_context = context;
    return AX_OK;
}

static bool
keep_text(struct ax_arena *arena, ax_str text, ax_str *out)
{
    return ax_str_copy(arena, text.at ? text : AX_STR(""), out);
}

static bool
keep_config(struct ax_tls *tls, const struct ax_tls_config *config)
{
    tls->config = *config;
    return keep_text(tls->arena, config->certificate, &tls->config.certificate) &&
           keep_text(tls->arena, config->key, &tls->config.key) &&
           keep_text(tls->arena, config->client_ca, &tls->config.client_ca);
}

ax_status
ax_tls_open(struct ax_ctx *ctx, const struct ax_tls_config *config, struct ax_tls **out_tls)
{
    if (config->certificate.len == 0 || config->key.len == 0)
        return ax_fail(ctx, AX_INVALID, "TLS: net.tls_certificate and net.tls_key are needed");
    struct ax_arena *arena = ax_arena_new(ARENA_BYTES);
    struct ax_tls *tls = arena ? AX_NEW(arena, struct ax_tls) : NULL;
    if (!tls) {
        if (arena)
            ax_arena_free(arena);
        return ax_fail(ctx, AX_LIMIT, "no memory for TLS");
    }
    tls->arena = arena;
    ax_mutex_init(&tls->mutex);
    tls->method = ax_fault_here() ? NULL : method_new();
    ax_status status = tls->method && keep_config(tls, config)
                           ? context_new(ctx, &tls->config, &tls->context)
                           : ax_fail(ctx, AX_LIMIT, "no memory for TLS");
    if (status != AX_OK) {
        ax_tls_close(tls);
        return status;
    }
    *out_tls = tls;
    return AX_OK;
}

void
ax_tls_close(struct ax_tls *tls)
{
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    ax_mutex_done(&tls->mutex);
    ax_arena_free(tls->arena); /* tls is in it */
}

ax_status
ax_tls_reload(struct ax_tls *tls, struct ax_ctx *ctx)
{
    SSL_CTX *fresh = NULL;
    AX_TRY(context_new(ctx, &tls->config, &fresh));
    ax_mutex_lock(&tls->mutex);
    SSL_CTX *old = tls->context;
    tls->context = fresh;
    ax_mutex_unlock(&tls->mutex);
    SSL_CTX_free(old); /* connections hold it as long as they need it */
    return AX_OK;
}

/* ---- a connection ---- */

struct ax_tls_connection *
ax_tls_connection_new(struct ax_tls *tls)
{
    struct ax_tls_connection *connection = ax_alloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->output = ax_writer_of(OUTPUT_BYTES_MAX);
    BIO *bio = ax_fault_here() ? NULL : BIO_new(tls->method);
    ax_mutex_lock(&tls->mutex);
    connection->ssl = bio ? SSL_new(tls->context) : NULL;
    ax_mutex_unlock(&tls->mutex);
    if (!connection->ssl) {
        BIO_free(bio);
        ERR_clear_error();
        ax_tls_connection_free(connection);
        return NULL;
    }
    BIO_set_data(bio, connection);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection->ssl, bio, bio);
    SSL_set_accept_state(connection->ssl);
    return connection;
}

void
ax_tls_connection_free(struct ax_tls_connection *connection)
{
    SSL_free(connection->ssl);
    ax_writer_free(&connection->output);
    ax_free(connection);
}

/* What a call of OpenSSL that did not give what was asked for means. */
static void
look(struct ax_tls_connection *connection, int result)
{
    int error = SSL_get_error(connection->ssl, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        connection->state = AX_TLS_ENDED;
    else if (error != SSL_ERROR_WANT_READ)
        connection->state = AX_TLS_FAILED;
    if (connection->output.status != AX_OK)
        connection->state = AX_TLS_FAILED;
    ERR_clear_error();
}

enum ax_tls_state
ax_tls_connection_receive(struct ax_tls_connection *connection, ax_str bytes)
{
    AX_ASSERT(connection->input.len == 0 || connection->state != AX_TLS_OPEN);
    connection->input = bytes;
    if (connection->state != AX_TLS_HANDSHAKE)
        return connection->state;
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1)
        connection->state = AX_TLS_OPEN;
    else
        look(connection, result);
    return connection->state;
}

size_t
ax_tls_connection_read(struct ax_tls_connection *connection, char *out)
{
    size_t len = 0;
    if (connection->state != AX_TLS_OPEN)
        return 0;
    int result = SSL_read_ex(connection->ssl, out, AX_TLS_RECORD_BYTES, &len);
    if (result == 1)
        return len;
    look(connection, result);
    return 0;
}

bool
ax_tls_connection_write(struct ax_tls_connection *connection, ax_str plain)
{
    size_t len = 0;
    if (connection->state != AX_TLS_OPEN && connection->state != AX_TLS_ENDED)
        return false;
    int result = SSL_write_ex(connection->ssl, plain.at, plain.len, &len);
    if (result == 1 && connection->output.status == AX_OK)
        return true;
    connection->state = AX_TLS_FAILED;
    ERR_clear_error();
    return false;
}

void
ax_tls_connection_end(struct ax_tls_connection *connection)
{
    bool could = connection->state == AX_TLS_OPEN || connection->state == AX_TLS_ENDED;
    if (could && !connection->end_said)
        SSL_shutdown(connection->ssl);
    connection->end_said = true;
    ERR_clear_error();
}

enum ax_tls_state
ax_tls_connection_state(const struct ax_tls_connection *connection)
{
    return connection->state;
}

struct ax_writer *
ax_tls_connection_output(struct ax_tls_connection *connection)
{
    return &connection->output;
}

ax_str
ax_tls_connection_protocol(const struct ax_tls_connection *connection)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(connection->ssl, &name, &len);
    return len > 0 ? (ax_str){(const char *)name, len} : AX_STR("");
}

/* ---- who the client is ---- */

static void
put_subject(X509 *certificate, struct ax_session_identity *identity)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *at = NULL;
    if (!text)
        return;
    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    long len = BIO_get_mem_data(text, &at);
    if (len > 0 && (size_t)len < sizeof identity->subject)
        memcpy(identity->subject, at, (size_t)len);
    BIO_free(text);
}

/* A name that is text, whole and without a NUL, where there is none yet. */
static void
put_name(const ASN1_STRING *name, char out[AX_SESSION_NAME_BYTES])
{
    ax_str text = {(const char *)ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name)};
    bool whole = text.len < AX_SESSION_NAME_BYTES && !memchr(text.at, '\0', text.len);
    if (whole)
        memcpy(out, text.at, text.len);
}

/* The first of each kind among the other names: a SPIFFE id is a URI. */
static void
put_names(X509 *certificate, struct ax_session_identity *identity)
{
    bool uri = false, dns = false, email = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI && !uri)
            put_name(name->d.uniformResourceIdentifier, identity->uri);
        else if (name->type == GEN_DNS && !dns)
            put_name(name->d.dNSName, identity->dns);
        else if (name->type == GEN_EMAIL && !email)
            put_name(name->d.rfc822Name, identity->email);
        uri |= name->type == GEN_URI;
        dns |= name->type == GEN_DNS;
        email |= name->type == GEN_EMAIL;
    }
    GENERAL_NAMES_free(names);
    for (char *c = identity->dns; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
}

static bool
put_digest(X509 *certificate, struct ax_session_identity *identity)
{
    unsigned len = sizeof identity->digest;
    return X509_digest(certificate, EVP_sha256(), identity->digest, &len) == 1;
}

bool
ax_tls_connection_identity(struct ax_tls_connection *connection, struct ax_session_identity **out)
{
    X509 *certificate = SSL_get0_peer_certificate(connection->ssl);
    *out = NULL;
    if (!certificate || SSL_get_verify_result(connection->ssl) != X509_V_OK)
        return true;
    struct ax_session_identity *identity = ax_alloc(1, sizeof *identity);
    if (!identity)
        return false;
    identity->ref_count = 1;
    put_subject(certificate, identity);
    put_names(certificate, identity);
    bool whole = put_digest(certificate, identity);
    ERR_clear_error();
    if (!whole) {
        ax_free(identity);
        return false;
    }
    *out = identity;
    return true;
}

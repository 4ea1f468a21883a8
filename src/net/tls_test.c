#include "net/tls.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/loopback_test.h"

/* ---- certificates, made here ---- */

static char folder[64];

static ax_str
path_of(const char *name)
{
    static char paths[16][128];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return ax_str_of(path);
}

static void
add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    AX_ASSERT(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* NAME.pem and NAME.key in the folder; by: name of who signs, or NULL for itself. */
static void
make_certificate(const char *name, const char *by, const char *names)
{
    char file[64];
    EVP_PKEY *key = EVP_EC_gen("P-256"), *by_key = key;
    X509 *certificate = X509_new(), *issuer = certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + (long)strlen(name));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3'600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Bank", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    if (by) {
        snprintf(file, sizeof file, "%s.pem", by);
        FILE *in = fopen(path_of(file).at, "r");
        issuer = PEM_read_X509(in, NULL, NULL, NULL);
        fclose(in);
        snprintf(file, sizeof file, "%s.key", by);
        in = fopen(path_of(file).at, "r");
        by_key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
        fclose(in);
    }
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        add_extension(certificate, issuer, NID_subject_alt_name, names);
    AX_ASSERT(X509_sign(certificate, by_key, EVP_sha256()) > 0);
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *out = fopen(path_of(file).at, "w");
    PEM_write_X509(out, certificate);
    fclose(out);
    snprintf(file, sizeof file, "%s.key", name);
    out = fopen(path_of(file).at, "w");
    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    fclose(out);
    if (by) {
        X509_free(issuer);
        EVP_PKEY_free(by_key);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void
make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/axiom_tls_XXXXXX");
    AX_ASSERT(mkdtemp(folder));
    make_certificate("ca", NULL, NULL);
    make_certificate("other", NULL, NULL);
    make_certificate("server", "ca", "DNS:localhost,IP:127.0.0.1");
    make_certificate("alice", "ca", "DNS:alice.bank,URI:spiffe://bank/alice,URI:spiffe://bank/x");
    make_certificate("mallory", "other", "URI:spiffe://bank/alice");
    make_certificate("many", "ca",
                     "email:Many@bank,DNS:Many.Bank,DNS:second.bank,email:x@bank,IP:127.0.0.1");
}

static void
remove_folder(void)
{
    static const char *const names[] = {"ca", "other", "server", "alice", "mallory", "many"};
    char file[64];
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        snprintf(file, sizeof file, "%s.pem", names[i]);
        CHECK_EQ(unlink(path_of(file).at), 0);
        snprintf(file, sizeof file, "%s.key", names[i]);
        CHECK_EQ(unlink(path_of(file).at), 0);
    }
    CHECK_EQ(rmdir(folder), 0);
}

static struct ax_tls_config
config_of(bool clients)
{
    return (struct ax_tls_config){.certificate = path_of("server.pem"),
                                  .key = path_of("server.key"),
                                  .client_ca = clients ? path_of("ca.pem") : AX_STR(""),
                                  .allow_1_2 = true};
}

/* ---- a server that says who asks ---- */

static void
tls_handler(void *arg, struct ax_exchange *exchange)
{
    struct ax_writer *body = ax_exchange_body(exchange);
    const struct ax_http_request *request = ax_exchange_request(exchange);
    const struct ax_session_identity *identity = ax_exchange_identity(exchange);
    (void)arg;
    if (identity && ax_str_eq(request->body, AX_STR("names"))) {
        ax_writer_print(body, "%s|%s|%s|", identity->uri, identity->dns, identity->email);
        for (size_t i = 0; i < sizeof identity->digest; i++)
            ax_writer_print(body, "%02x", identity->digest[i]);
        ax_exchange_finish(exchange);
        return;
    }
    ax_writer_print(body, "%d|%.*s|%.*s|HTTP/%d|", ax_exchange_secure(exchange),
                    AX_FMT(ax_exchange_client_subject(exchange)),
                    AX_FMT(ax_exchange_client_uri(exchange)), request->major);
    ax_writer_bytes(body, request->body);
    ax_exchange_finish(exchange);
}

static struct loopback server;
static int plain_port;

static void
open_server(const struct ax_tls_config *tls, int64_t header_ms)
{
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = tls_handler};
    ax_str listen[] = {AX_STR("tls:127.0.0.1:0"), AX_STR("127.0.0.1:0")};
    config.tls = *tls;
    config.header_ms = header_ms;
    config.body_bytes_max = 4 << 20;
    server.arena = ax_arena_new(1 << 20);
    server.ctx = ax_ctx_of(server.arena);
    ax_status status = ax_loops_open(&server.ctx, &config, &service, listen, 2, &server.loops);
    if (status != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s", server.ctx.error);
    AX_ASSERT(status == AX_OK);
    server.port = ax_loops_port(server.loops, 0);
    plain_port = ax_loops_port(server.loops, 1);
}

/* ---- OpenSSL's client ---- */

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    bool opened;
};

static void
client_init(struct tls_client *client, const char *certificate)
{
    char file[64];
    *client = (struct tls_client){.context = SSL_CTX_new(TLS_client_method()), .fd = -1};
    SSL_CTX_load_verify_locations(client->context, path_of("ca.pem").at, NULL);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (!certificate)
        return;
    snprintf(file, sizeof file, "%s.pem", certificate);
    AX_ASSERT(SSL_CTX_use_certificate_chain_file(client->context, path_of(file).at) == 1);
    snprintf(file, sizeof file, "%s.key", certificate);
    AX_ASSERT(SSL_CTX_use_PrivateKey_file(client->context, path_of(file).at, SSL_FILETYPE_PEM) ==
              1);
}

/* alpn: "\2h2", ... or NULL. */
static bool
client_connect(struct tls_client *client, const char *alpn, SSL_SESSION *resumed)
{
    static struct loopback_client end;
    loopback_connect(&end, server.port);
    client->fd = end.fd;
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
    if (alpn)
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (resumed)
        SSL_set_session(client->ssl, resumed);
    client->opened = SSL_connect(client->ssl) == 1;
    return client->opened;
}

static void
client_close(struct tls_client *client)
{
    SSL_free(client->ssl);
    client->ssl = NULL;
    close(client->fd);
}

static void
client_done(struct tls_client *client)
{
    client_close(client);
    SSL_CTX_free(client->context);
}

/* Asks over HTTP/1.1; the body of the answer, or what went wrong. */
static const char *
client_ask(struct tls_client *client, ax_str body)
{
    static char answer[8192];
    size_t len = 0;
    int got = 0;
    ax_writer_auto struct ax_writer request = ax_writer_of(4 << 20);
    ax_writer_print(&request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                    body.len);
    ax_writer_bytes(&request, body);
    if (SSL_write(client->ssl, request.at, (int)request.len) != (int)request.len)
        return "not sent";
    do {
        got = SSL_read(client->ssl, answer + len, (int)(sizeof answer - 1 - len));
        len += got > 0 ? (size_t)got : 0;
        answer[len] = '\0';
    } while (got > 0 && len < sizeof answer - 1 && !strstr(answer, "\r\n\r\n"));
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "no answer";
}

TEST(tls_carries_http_and_says_who_asks)
{
    static const struct {
        const char *certificate, *alpn, *protocol, *want;
    } cases[] = {
        {NULL, NULL, "", "1|||HTTP/1|hello"},
        {NULL, "\x8http/1.1", "http/1.1", "1|||HTTP/1|hello"},
        {NULL, "\x8http/1.1\2h2", "h2", NULL},
        {"alice", "\x8http/1.1", "http/1.1", "1|CN=alice,O=Bank|spiffe://bank/alice|HTTP/1|hello"},
        {"mallory", NULL, "", "no answer"},
    };
    make_folder();
    struct ax_tls_config config = config_of(true);
    open_server(&config, 10'000);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct tls_client client;
        const unsigned char *protocol = NULL;
        unsigned len = 0;
        client_init(&client, cases[i].certificate);
        CHECK(client_connect(&client, cases[i].alpn, NULL));
        SSL_get0_alpn_selected(client.ssl, &protocol, &len);
        CHECK_STR(((ax_str){(const char *)protocol, len}), cases[i].protocol);
        const char *got = cases[i].want ? client_ask(&client, AX_STR("hello")) : NULL;
        if (got && strcmp(got, cases[i].want) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, got);
        client_done(&client);
    }
    /* Nothing in common, and a protocol that is too old, end the handshake. */
    struct tls_client client;
    client_init(&client, NULL);
    CHECK(!client_connect(&client, "\4spdy", NULL));
    client_close(&client);
    SSL_CTX_set_max_proto_version(client.context, TLS1_1_VERSION);
    CHECK(!client_connect(&client, NULL, NULL));
    client_done(&client);
    CHECK_EQ(loopback_ask(plain_port, AX_STR(LOOPBACK_GET)), 200);
    loopback_close(&server);
    remove_folder();
}

/* The first of each kind, the host in lower case, and the digest of the certificate as it is. */
TEST(tls_tells_every_name_of_a_certificate_and_its_digest)
{
    char want[256], *at = want;
    uint8_t digest[32];
    unsigned len = sizeof digest;
    make_folder();
    struct ax_tls_config config = config_of(true);
    struct tls_client client;
    open_server(&config, 10'000);
    client_init(&client, "many");
    CHECK(client_connect(&client, NULL, NULL));
    CHECK_EQ(X509_digest(SSL_get_certificate(client.ssl), EVP_sha256(), digest, &len), 1);
    at += snprintf(at, sizeof want, "|many.bank|Many@bank|");
    for (size_t i = 0; i < sizeof digest; i++)
        at += snprintf(at, 3, "%02x", digest[i]);
    CHECK_STR(ax_str_of(client_ask(&client, AX_STR("names"))), want);
    client_done(&client);
    loopback_close(&server);
    remove_folder();
}

TEST(tls_1_2_is_spoken_when_it_is_allowed)
{
    make_folder();
    for (int allowed = 0; allowed < 2; allowed++) {
        struct ax_tls_config config = config_of(false);
        struct tls_client client;
        config.allow_1_2 = allowed;
        open_server(&config, 10'000);
        client_init(&client, NULL);
        SSL_CTX_set_max_proto_version(client.context, TLS1_2_VERSION);
        CHECK_EQ(client_connect(&client, NULL, NULL), allowed);
        if (allowed)
            CHECK(strcmp(client_ask(&client, AX_STR("x")), "1|||HTTP/1|x") == 0);
        client_done(&client);
        loopback_close(&server);
    }
    remove_folder();
}

TEST(tls_may_require_a_certificate)
{
    make_folder();
    struct ax_tls_config config = config_of(true);
    config.client_required = true;
    open_server(&config, 10'000);
    struct tls_client client;
    client_init(&client, NULL);
    CHECK(!client_connect(&client, NULL, NULL) ||
          strcmp(client_ask(&client, AX_STR("")), "1|||HTTP/1|") != 0);
    client_done(&client);
    client_init(&client, "alice");
    CHECK(client_connect(&client, NULL, NULL));
    CHECK(ax_str_starts(ax_str_of(client_ask(&client, AX_STR(""))), AX_STR("1|CN=alice")));
    client_done(&client);
    loopback_close(&server);
    remove_folder();
}

TEST(tls_carries_long_bodies_both_ways)
{
    static char text[3'000'000];
    make_folder();
    struct ax_tls_config config = config_of(false);
    open_server(&config, 10'000);
    struct tls_client client;
    client_init(&client, NULL);
    CHECK(client_connect(&client, NULL, NULL));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    const char *begin = client_ask(&client, (ax_str){text, sizeof text});
    size_t len = strlen(begin);
    CHECK(ax_str_starts(ax_str_of(begin), AX_STR("1|||HTTP/1|abc")));
    CHECK(memcmp(begin + 11, text, len - 11) == 0);
    for (size_t at = len - 11; at < sizeof text;) {
        static char piece[65'536];
        int got = SSL_read(client.ssl, piece, sizeof piece);
        REQUIRE(got > 0);
        CHECK(memcmp(piece, text + at, (size_t)got) == 0);
        at += (size_t)got;
    }
    CHECK(strcmp(client_ask(&client, AX_STR("y")), "1|||HTTP/1|y") == 0);
    client_done(&client);
    loopback_close(&server);
    remove_folder();
}

static SSL_SESSION *ticket;

static int
keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

TEST(tls_is_resumed_by_ticket_and_reloaded_without_dropping_anybody)
{
    make_folder();
    struct ax_tls_config config = config_of(true);
    open_server(&config, 10'000);
    struct tls_client first, client;
    client_init(&first, "alice");
    SSL_CTX_set_session_cache_mode(first.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(first.context, keep_ticket);
    CHECK(client_connect(&first, NULL, NULL));
    CHECK(ax_str_starts(ax_str_of(client_ask(&first, AX_STR("1"))), AX_STR("1|CN=alice")));
    CHECK(ticket != NULL);
    client_init(&client, NULL);
    CHECK(client_connect(&client, NULL, ticket));
    CHECK(SSL_session_reused(client.ssl));
    CHECK(ax_str_starts(ax_str_of(client_ask(&client, AX_STR("1"))), AX_STR("1|CN=alice")));
    client_close(&client);

    make_certificate("server", "other", "DNS:localhost"); /* the client does not know its CA */
    CHECK_EQ(ax_loops_reload(server.loops, &server.ctx), AX_OK);
    CHECK(!client_connect(&client, NULL, NULL));
    client_close(&client);
    CHECK(ax_str_starts(ax_str_of(client_ask(&first, AX_STR("2"))), AX_STR("1|CN=alice")));

    FILE *out = fopen(path_of("server.pem").at, "w");
    fputs("no certificate\n", out);
    fclose(out);
    CHECK_EQ(ax_loops_reload(server.loops, &server.ctx), AX_INVALID);
    make_certificate("server", "ca", "DNS:localhost");
    CHECK_EQ(ax_loops_reload(server.loops, &server.ctx), AX_OK);
    CHECK(client_connect(&client, NULL, NULL));
    client_done(&client);
    client_done(&first);
    SSL_SESSION_free(ticket);
    loopback_close(&server);
    remove_folder();
}

TEST(tls_handshakes_that_stall_end_at_the_deadline)
{
    static const ax_str begins[] = {{"", 0}, {"\x16\x03\x01\x02\x00\x01\x00", 7}};
    static struct loopback_client end;
    make_folder();
    struct ax_tls_config config = config_of(false);
    open_server(&config, 500);
    for (size_t i = 0; i < AX_COUNT_OF(begins); i++) {
        loopback_connect(&end, server.port);
        int64_t start_ns = ax_clock_monotonic_ns();
        loopback_send(&end, begins[i]);
        CHECK(loopback_more(&end) <= 0);
        int64_t took_ms = (ax_clock_monotonic_ns() - start_ns) / 1'000'000;
        CHECK(took_ms >= 500 && took_ms < 2'500);
        close(end.fd);
    }
    int64_t start_ns = ax_clock_monotonic_ns();
    loopback_connect(&end, server.port); /* cleartext: the end, at once */
    loopback_send(&end, AX_STR(LOOPBACK_GET));
    while (loopback_more(&end) > 0)
        ;
    CHECK((ax_clock_monotonic_ns() - start_ns) / 1'000'000 < 400);
    close(end.fd);
    loopback_close(&server);
    remove_folder();
}

static void
check_files(struct ax_ctx *ctx)
{
    const struct {
        ax_str certificate, key, client_ca;
        ax_status status;
        const char *says;
    } cases[] = {
        {path_of("server.pem"), path_of("server.key"), AX_STR(""), AX_OK, ""},
        {path_of("server.pem"), path_of("server.key"), path_of("ca.pem"), AX_OK, ""},
        {path_of("absent.pem"), path_of("server.key"), AX_STR(""), AX_NOT_FOUND, "absent.pem"},
        {path_of("server.key"), path_of("server.key"), AX_STR(""), AX_INVALID, "certificate"},
        {path_of("server.pem"), path_of("alice.key"), AX_STR(""), AX_INVALID, "key"},
        {path_of("server.pem"), path_of("server.pem"), AX_STR(""), AX_INVALID, "key"},
        {path_of("server.pem"), path_of("server.key"), path_of("ca.key"), AX_INVALID, "client CA"},
        {AX_STR(""), AX_STR(""), AX_STR(""), AX_INVALID, "are needed"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tls *tls = NULL;
        struct ax_tls_config config = {.certificate = cases[i].certificate,
                                       .key = cases[i].key,
                                       .client_ca = cases[i].client_ca};
        ctx->error[0] = '\0';
        ax_status status = ax_tls_open(ctx, &config, &tls);
        if (status != cases[i].status || !strstr(ctx->error, cases[i].says))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s, %s", i, ax_status_name(status),
                           ctx->error);
        if (status == AX_OK)
            ax_tls_close(tls);
    }
}

TEST(tls_says_what_is_wrong_with_its_files)
{
    make_folder();
    ax_test_with_ctx(check_files);
    remove_folder();
}

static ax_status
open_once(struct ax_ctx *ctx)
{
    struct ax_tls *tls = NULL;
    struct ax_tls_config config = config_of(true);
    AX_TRY(ax_tls_open(ctx, &config, &tls));
    struct ax_tls_connection *connection = ax_tls_connection_new(tls);
    ax_status status = connection ? ax_tls_reload(tls, ctx) : ax_fail(ctx, AX_LIMIT, "short");
    if (connection)
        ax_tls_connection_free(connection);
    ax_tls_close(tls);
    return status;
}

TEST(tls_survives_every_fault)
{
    make_folder();
    FAULT_SWEEP(open_once);
    remove_folder();
}

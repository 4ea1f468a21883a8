#include "net/client.h"

#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/fault.h"
#include "base/number.h"
#include "net/address.h"
#include "sys/clock.h"

enum {
    CONNECT_MS = 5'000,
    ANSWER_BYTES_MAX = 16 * 1024 * 1024,
    HEADER_COUNT_MAX = 256,
    HTTP_OK = 200
};

#define NS_PER_MS INT64_C(1'000'000)
#define MS_PER_S  INT64_C(1'000)

struct ax_client {
    CURL *curl;
    char *unix_socket; /* NULL for TCP */
    char *ca_file;     /* NULL for whom the system trusts */
    int64_t connect_ms, stall_ms;
    bool public_only;
};

/* An answer while it arrives. */
struct arrival {
    CURL *curl;
    const struct ax_client_request *request;
    struct ax_arena *arena;
    struct ax_writer body;
    struct {
        AX_ARRAY(struct ax_http_header)
    } headers;
    bool too_much; /* for the arena or the limit */
};

static ax_status
keep_path(struct ax_ctx *ctx, ax_str path, char **out)
{
    if (path.len == 0)
        return AX_OK;
    *out = ax_alloc(1, path.len + 1);
    if (!*out)
        return ax_fail(ctx, AX_LIMIT, "no memory for a client");
    memcpy(*out, path.at, path.len);
    return AX_OK;
}

ax_status
ax_client_open(struct ax_ctx *ctx, const struct ax_client_config *config,
               struct ax_client **out_client)
{
    struct ax_client_config none = {};
    config = config ? config : &none;
    ax_auto(ax_client_close) struct ax_client *client = ax_alloc(1, sizeof *client);
    if (!client)
        return ax_fail(ctx, AX_LIMIT, "no memory for a client");
    client->public_only = config->public_only;
    client->connect_ms = config->connect_ms > 0 ? config->connect_ms : (int64_t)CONNECT_MS;
    client->stall_ms = config->stall_ms;
    AX_TRY(keep_path(ctx, config->unix_socket, &client->unix_socket));
    AX_TRY(keep_path(ctx, config->ca_file, &client->ca_file));
    client->curl = ax_fault_here() ? NULL : curl_easy_init();
    if (!client->curl)
        return ax_fail(ctx, AX_LIMIT, "no memory for libcurl");
    *out_client = ax_take(client);
    return AX_OK;
}

void
ax_client_close(struct ax_client *client)
{
    if (client->curl)
        curl_easy_cleanup(client->curl);
    ax_free(client->unix_socket);
    ax_free(client->ca_file);
    ax_free(client);
}

/* ---- what libcurl calls ---- */

static size_t
client_on_body(char *at, size_t size, size_t count, void *arg)
{
    struct arrival *arrival = arg;
    long status = 0;
    curl_easy_getinfo(arrival->curl, CURLINFO_RESPONSE_CODE, &status);
    if (arrival->request->on_bytes && status == HTTP_OK) {
        arrival->too_much =
            !arrival->request->on_bytes(arrival->request->arg, (ax_str){at, size * count});
        return arrival->too_much ? 0 : size * count;
    }
    ax_writer_bytes(&arrival->body, (ax_str){at, size * count});
    if (arrival->body.status == AX_OK)
        return size * count;
    arrival->too_much = true;
    return 0;
}

static bool
keep_header(struct arrival *arrival, ax_str name, ax_str value)
{
    if (arrival->headers.count >= HEADER_COUNT_MAX)
        return false;
    struct ax_http_header *header = AX_ARRAY_PUSH(arrival->arena, &arrival->headers);
    return header && ax_str_copy(arrival->arena, name, &header->name) &&
           ax_str_copy(arrival->arena, value, &header->value);
}

static size_t
client_on_header(char *at, size_t size, size_t count, void *arg)
{
    struct arrival *arrival = arg;
    ax_str line = {at, size * count}, value = line, name;
    if (ax_str_starts(line, AX_STR("HTTP/"))) {
        arrival->headers.count = 0; /* what came before belonged to a 100 Continue */
        return line.len;
    }
    if (!memchr(line.at, ':', line.len) || !ax_str_cut(&value, ':', &name))
        return line.len;
    if (keep_header(arrival, ax_str_trim(name), ax_str_trim(value)))
        return line.len;
    arrival->too_much = true;
    return 0;
}

/* The address that is really connected to, whatever its name stood for a moment ago. */
static curl_socket_t
client_on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    bool public = false;
    (void)arg;
    (void)purpose;
    if (address->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->addr, sizeof v4);
        public = ax_address_is_public_v4(ntohl(v4.sin_addr.s_addr));
    } else if (address->family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->addr, sizeof v6);
        public = ax_address_is_public_v6(v6.sin6_addr.s6_addr);
    }
    return public ? socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol)
                  : CURL_SOCKET_BAD;
}

/* ---- one request ---- */

static void
list_free(struct curl_slist *list)
{
    curl_slist_free_all(list);
}
AX_DEFINE_AUTO(struct curl_slist, list_free);

static ax_status
add_line(struct ax_ctx *ctx, struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = ax_fault_here() ? NULL : curl_slist_append(*list, line);
    if (!longer)
        return ax_fail(ctx, AX_LIMIT, "no memory for the request's headers");
    *list = longer;
    return AX_OK;
}

static ax_status
list_headers(struct ax_ctx *ctx, const struct ax_client_request *request,
             struct curl_slist **out_list)
{
    bool typed = false;
    for (size_t i = 0; i < request->header_count; i++) {
        ax_str name = request->headers[i].name, value = request->headers[i].value;
        if (!ax_http_name_ok(name) || !ax_http_value_ok(value))
            return ax_fail(ctx, AX_INVALID, "`%.*s` cannot be sent as a header", AX_FMT(name));
        /* libcurl takes "Name;" for a header without a value, "Name:" for one to leave out. */
        ax_str line = value.len > 0
                          ? ax_str_printf(ctx->arena, "%.*s: %.*s", AX_FMT(name), AX_FMT(value))
                          : ax_str_printf(ctx->arena, "%.*s;", AX_FMT(name));
        if (!line.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for the request's headers");
        AX_TRY(add_line(ctx, out_list, line.at));
        typed = typed || ax_str_eq_ignoring_case(name, AX_STR("content-type"));
    }
    return typed ? AX_OK : add_line(ctx, out_list, "Content-Type:"); /* no form by default */
}

static ax_status
set_request(struct ax_client *client, struct ax_ctx *ctx, const struct ax_client_request *request)
{
    CURL *curl = client->curl;
    ax_str method = request->method.len > 0 ? request->method : AX_STR("GET");
    const char *url = ax_str_c(ctx->arena, request->url);
    const char *verb = ax_str_c(ctx->arena, method);
    if (!url || !verb)
        return ax_fail(ctx, AX_LIMIT, "no memory for the request");
    if (memchr(request->url.at, '\0', request->url.len) || !ax_http_name_ok(method))
        return ax_fail(ctx, AX_INVALID, "neither method nor URL may hold such characters");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (client->unix_socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
    if (client->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    if (client->public_only)
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, client_on_socket);
    bool sends = request->body.len > 0 || ax_str_eq(method, AX_STR("POST")) ||
                 ax_str_eq(method, AX_STR("PUT")) || ax_str_eq(method, AX_STR("PATCH"));
    if (sends) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.at : "");
    } else if (ax_str_eq(method, AX_STR("HEAD"))) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb);
    return AX_OK;
}

static ax_status
set_deadline(struct ax_client *client, struct ax_ctx *ctx)
{
    int64_t left_ns = ax_clock_left_ns(ctx->deadline_ns);
    if (left_ns == 0)
        return ax_fail(ctx, AX_TIMEOUT, "the deadline passed before the request was sent");
    int64_t left_ms = left_ns / NS_PER_MS < LONG_MAX ? left_ns / NS_PER_MS + 1 : LONG_MAX;
    int64_t connect_ms = client->connect_ms < left_ms ? client->connect_ms : left_ms;
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (client->stall_ms) {
        curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME,
                         (long)((client->stall_ms + MS_PER_S - 1) / MS_PER_S));
    }
    if (ctx->deadline_ns != INT64_MAX)
        curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
    return AX_OK;
}

static ax_status
status_of(CURLcode code, const struct arrival *arrival)
{
    if (arrival->too_much || code == CURLE_OUT_OF_MEMORY)
        return AX_LIMIT;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return AX_TIMEOUT;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return AX_INVALID;
    return AX_UNAVAILABLE;
}

static ax_status
perform(struct ax_client *client, struct ax_ctx *ctx, const struct ax_client_request *request,
        struct arrival *arrival, struct ax_client_answer *out_answer)
{
    char words[CURL_ERROR_SIZE] = "";
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, arrival);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, client_on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, arrival);
    CURLcode code = ax_fault_here() ? CURLE_COULDNT_CONNECT : curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK)
        return ax_fail(ctx, status_of(code, arrival), "%.*s: %s", AX_FMT(request->url),
                       arrival->too_much ? "the answer is too large"
                       : words[0]        ? words
                                         : curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ax_str body;
    if (ax_writer_take(&arrival->body, ctx->arena, &body) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "%.*s: the answer is too large", AX_FMT(request->url));
    *out_answer = (struct ax_client_answer){.status = (int)status,
                                            .headers = arrival->headers.items,
                                            .header_count = arrival->headers.count,
                                            .body = body};
    return AX_OK;
}

ax_status
ax_client_send(struct ax_client *client, struct ax_ctx *ctx,
               const struct ax_client_request *request, struct ax_client_answer *out_answer)
{
    ax_auto(list_free) struct curl_slist *headers = NULL;
    curl_easy_reset(client->curl); /* options only: the connection stays */
    AX_TRY(list_headers(ctx, request, &headers));
    AX_TRY(set_request(client, ctx, request));
    AX_TRY(set_deadline(client, ctx));
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    struct arrival arrival = {
        .curl = client->curl,
        .request = request,
        .arena = ctx->arena,
        .body = ax_writer_of(request->answer_bytes_max > 0 ? request->answer_bytes_max
                                                           : (size_t)ANSWER_BYTES_MAX),
    };
    ax_status status = perform(client, ctx, request, &arrival, out_answer);
    ax_writer_free(&arrival.body);
    return status;
}

ax_str
ax_client_header_find(const struct ax_client_answer *answer, ax_str name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (ax_str_eq_ignoring_case(answer->headers[i].name, name))
            return answer->headers[i].value;
    return (ax_str){};
}

int64_t
ax_client_retry_after_s(const struct ax_client_answer *answer)
{
    int64_t seconds;
    ax_str text = ax_client_header_find(answer, AX_STR("retry-after"));
    return text.at && ax_parse_i64(text, &seconds) && seconds >= 0 ? seconds : -1;
}

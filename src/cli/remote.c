#include "cli/remote.h"

#include <stdlib.h>

#include "base/assert.h"
#include "sys/clock.h"

enum { TOKEN_BYTES_MAX = 4096, PATIENCE_S = 900 };

static ax_str
from_environment(const char *name)
{
    const char *text = getenv(name);
    return ax_str_of(text);
}

ax_status
ax_remote_open(struct ax_ctx *ctx, ax_str url, ax_str token_file, struct ax_remote *out_remote)
{
    ax_str token = AX_STR("");
    if (!url.len)
        url = from_environment("AXIOM_URL");
    if (!url.len)
        url = AX_STR("http://127.0.0.1:8080");
    if (!token_file.len) {
        token = from_environment("AXIOM_TOKEN");
        token_file = from_environment("AXIOM_TOKEN_FILE");
    }
    if (!token.len && token_file.len)
        AX_TRY(ax_command_read(ctx, token_file, &token));
    while (url.len && url.at[url.len - 1] == '/')
        url.len--;
    *out_remote = (struct ax_remote){.url = url, .token = ax_str_trim(token)};
    if (out_remote->token.len > TOKEN_BYTES_MAX || !ax_http_value_ok(out_remote->token))
        return ax_fail(ctx, AX_INVALID, "%.*s holds no token", AX_FMT(token_file));
    return ax_client_open(ctx, NULL, &out_remote->client);
}

void
ax_remote_close(struct ax_remote *remote)
{
    if (remote->client)
        ax_client_close(remote->client);
    remote->client = NULL;
}

/* The sentence of a problem document, or of {"error": ...}. */
static ax_status
refusal(struct ax_ctx *ctx, const struct ax_remote_answer *answer)
{
    static const struct {
        int http;
        ax_status status;
    } codes[] = {{400, AX_INVALID},     {401, AX_UNAUTHENTICATED}, {403, AX_DENIED},
                 {404, AX_NOT_FOUND},   {409, AX_CONFLICT},        {429, AX_LIMIT},
                 {501, AX_UNSUPPORTED}, {503, AX_UNAVAILABLE},     {504, AX_TIMEOUT}};
    ax_status status = answer->status < 500 ? AX_INVALID : AX_INTERNAL;
    for (size_t i = 0; i < AX_COUNT_OF(codes); i++)
        if (codes[i].http == answer->status)
            status = codes[i].status;
    ax_str detail = AX_STR(""), code = AX_STR("");
    if (!ax_json_text(ax_json_find(answer->json, "detail"), &detail) &&
        !ax_json_text(ax_json_find(answer->json, "error"), &detail))
        detail = ax_str_of(ax_http_reason(answer->status));
    if (ax_json_text(ax_json_find(answer->json, "code"), &code))
        return ax_fail(ctx, status, "%.*s (%.*s)", AX_FMT(detail), AX_FMT(code));
    return ax_fail(ctx, status, "%.*s", AX_FMT(detail));
}

ax_status
ax_remote_call(struct ax_remote *remote, struct ax_ctx *ctx, const char *method, ax_str path,
               ax_str body, struct ax_remote_answer *out_answer)
{
    struct ax_http_header headers[2];
    struct ax_client_answer answer;
    size_t header_count = 0;
    ax_str url = ax_str_printf(ctx->arena, "%.*s%.*s", AX_FMT(remote->url), AX_FMT(path));
    ax_str bearer = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(remote->token));
    if (!url.at || !bearer.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    headers[header_count++] = (struct ax_http_header){AX_STR("content-type"),
                                                      ax_str_starts(body, AX_STR("{")) || !body.len
                                                          ? AX_STR("application/json")
                                                          : AX_STR("application/octet-stream")};
    if (remote->token.len)
        headers[header_count++] = (struct ax_http_header){AX_STR("authorization"), bearer};
    const struct ax_client_request request = {
        .method = ax_str_of(method),
        .url = url,
        .headers = headers,
        .header_count = header_count,
        .body = body,
        .answer_bytes_max = INT32_MAX,
    };
    if (ctx->deadline_ns == INT64_MAX)
        ctx->deadline_ns = ax_clock_monotonic_ns() + PATIENCE_S * INT64_C(1'000'000'000);
    AX_TRY(ax_client_send(remote->client, ctx, &request, &answer));
    *out_answer = (struct ax_remote_answer){.status = answer.status, .body = answer.body};
    if (answer.body.len) {
        ax_status status = ax_json_parse(ctx, answer.body, NULL, &out_answer->json);
        if (status != AX_OK)
            out_answer->json = NULL;
        if (status != AX_OK && status != AX_INVALID) /* else text: a checkpoint, a proof */
            return status;
    }
    return answer.status < 300 ? AX_OK : refusal(ctx, out_answer);
}

ax_str
ax_remote_segment(struct ax_ctx *ctx, ax_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = ax_arena_alloc(ctx->arena, 1, 3 * text.len + 1);
    size_t len = 0;
    if (!out)
        return (ax_str){};
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[c >> 4];
        out[len++] = digits[c & 15];
    }
    return (ax_str){out, len};
}

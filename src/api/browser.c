#include "api/browser.h"

#include "base/alloc.h"
#include "base/number.h"

enum { ORIGINS_MAX = 64, BROWSER_BYTES_MAX = 64 << 10 };

#define FIELD(name) offsetof(struct ax_browser_config, name)

static const struct ax_setting rows[] = {
    {"origins",
     "origins whose pages may call, as https://HOST[:PORT], separated by spaces; *: all; empty: "
     "none",
     AX_SETTING_TEXT, FIELD(origins), 0, 0, 0, ""},
    {"max_age_s", "seconds for which a browser keeps the answer to its question beforehand",
     AX_SETTING_COUNT, FIELD(max_age_s), 600, 0, 86'400},
};

const struct ax_settings *
ax_browser_settings(void)
{
    static const struct ax_settings settings = {
        .section = "cors", .rows = rows, .row_count = AX_COUNT_OF(rows)};
    return &settings;
}

struct ax_browser {
    struct ax_arena *arena;
    ax_str origins[ORIGINS_MAX];
    size_t origin_count;
    bool all;
    char max_age[AX_NUMBER_BYTES_MAX];
    size_t max_age_len;
};

/* ---- which origins ---- */

static bool
is_origin(ax_str text)
{
    size_t scheme = ax_str_starts(text, AX_STR("https://"))  ? 8
                    : ax_str_starts(text, AX_STR("http://")) ? 7
                                                             : 0;
    ax_str host = ax_str_from(text, scheme);
    return scheme > 0 && host.len > 0 && ax_str_find(host, AX_STR("/")) == SIZE_MAX &&
           ax_str_find(host, AX_STR("*")) == SIZE_MAX;
}

static ax_status
add_origin(struct ax_browser *browser, struct ax_ctx *ctx, ax_str origin)
{
    if (origin.len == 0)
        return AX_OK;
    if (ax_str_eq(origin, AX_STR("*"))) {
        browser->all = true;
        return AX_OK;
    }
    if (!is_origin(origin))
        return ax_fail(ctx, AX_INVALID,
                       "cors.origins: \"%.*s\" is not https://HOST[:PORT], http://HOST[:PORT] or *",
                       AX_FMT(origin));
    if (browser->origin_count == ORIGINS_MAX)
        return ax_fail(ctx, AX_INVALID, "cors.origins: at most %d origins", (int)ORIGINS_MAX);
    if (!ax_str_copy(browser->arena, origin, &browser->origins[browser->origin_count]))
        return ax_fail(ctx, AX_LIMIT, "no memory for origins");
    browser->origin_count++;
    return AX_OK;
}

ax_status
ax_browser_open(struct ax_ctx *ctx, const struct ax_browser_config *config,
                struct ax_browser **out_browser)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(BROWSER_BYTES_MAX);
    struct ax_browser *browser = arena ? AX_NEW(arena, struct ax_browser) : NULL;
    ax_str rest = config->origins, origin;
    if (!browser)
        return ax_fail(ctx, AX_LIMIT, "no memory for origins");
    browser->arena = arena;
    browser->max_age_len = ax_format_i64(config->max_age_s, browser->max_age);
    while (ax_str_cut(&rest, ' ', &origin))
        AX_TRY(add_origin(browser, ctx, origin));
    (void)ax_take(arena);
    *out_browser = browser;
    return AX_OK;
}

void
ax_browser_close(struct ax_browser *browser)
{
    if (browser)
        ax_arena_free(browser->arena);
}

static bool
allows(const struct ax_browser *browser, ax_str origin)
{
    for (size_t i = 0; browser && i < browser->origin_count; i++)
        if (ax_str_eq_ignoring_case(browser->origins[i], origin))
            return true;
    return browser && browser->all;
}

/* "https://host:1" of a request to host:1: the page came from here. */
static bool
is_own(const struct ax_call *call, ax_str origin)
{
    size_t at = ax_str_find(origin, AX_STR("://"));
    return at != SIZE_MAX &&
           ax_str_eq_ignoring_case(ax_str_from(origin, at + 3), call->request->host);
}

/* ---- headers ---- */

static bool
is_browser(const struct ax_http_request *request)
{
    ax_str agent = ax_http_header_find(request, AX_STR("user-agent"));
    return (agent.at && ax_str_starts(agent, AX_STR("Mozilla/"))) ||
           ax_http_header_find(request, AX_STR("sec-fetch-mode")).at;
}

static void
safe_headers(struct ax_call *call)
{
    static const ax_str headers[][2] = {
        {{"x-content-type-options", 22}, {"nosniff", 7}},
        {{"x-frame-options", 15}, {"DENY", 4}},
        {{"content-security-policy", 23}, {"default-src 'none'; frame-ancestors 'none'", 42}},
        {{"referrer-policy", 15}, {"no-referrer", 11}},
        {{"cross-origin-resource-policy", 28}, {"same-site", 9}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(headers); i++)
        ax_exchange_header(call->exchange, headers[i][0], headers[i][1]);
    if (ax_exchange_secure(call->exchange))
        ax_exchange_header(call->exchange, AX_STR("strict-transport-security"),
                           AX_STR("max-age=31536000"));
}

void
ax_browser_headers(struct ax_call *call)
{
    const struct ax_browser *browser = call->services->browser;
    ax_str origin = ax_http_header_find(call->request, AX_STR("origin"));
    if (origin.at || is_browser(call->request))
        safe_headers(call);
    if (!browser || (browser->origin_count == 0 && !browser->all))
        return;
    if (!browser->all) /* or a cache would give one origin's answer to another */
        ax_exchange_header(call->exchange, AX_STR("vary"), AX_STR("origin"));
    if (!origin.at || !allows(browser, origin))
        return;
    ax_exchange_header(call->exchange, AX_STR("access-control-allow-origin"),
                       browser->all ? AX_STR("*") : origin);
    ax_exchange_header(call->exchange, AX_STR("access-control-expose-headers"),
                       AX_STR("retry-after, inference-header-content-length"));
}

/* ---- the question beforehand ---- */

static void
build_preflight(struct ax_call *call)
{
    const struct ax_browser *browser = call->services->browser;
    ax_exchange_set_status(call->exchange, 204);
    ax_exchange_header(call->exchange, AX_STR("access-control-allow-methods"),
                       AX_STR("GET, HEAD, POST, PUT, PATCH, DELETE"));
    ax_exchange_header(call->exchange, AX_STR("access-control-allow-headers"),
                       AX_STR("authorization, content-type, content-encoding, "
                              "inference-header-content-length, x-request-id, x-request-timeout, "
                              "axiom-entity-id, traceparent, tracestate"));
    ax_exchange_header(call->exchange, AX_STR("access-control-max-age"),
                       (ax_str){browser->max_age, browser->max_age_len});
}

int
ax_browser_answers(struct ax_call *call)
{
    const struct ax_browser *browser = call->services->browser;
    const struct ax_http_request *request = call->request;
    ax_str origin = ax_http_header_find(request, AX_STR("origin"));
    if (!origin.at)
        return 0;
    bool asks = request->method == AX_HTTP_OPTIONS &&
                ax_http_header_find(request, AX_STR("access-control-request-method")).at;
    bool allowed = allows(browser, origin);
    if (asks && allowed) {
        build_preflight(call);
        return 204;
    }
    bool reads = request->method == AX_HTTP_GET || request->method == AX_HTTP_HEAD;
    bool open = !call->services->governed && !reads;
    return !allowed && (open || (asks && browser)) && !is_own(call, origin) ? 403 : 0;
}

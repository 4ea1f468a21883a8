#include "api/browser.h"

#include "api_case.h"

/* ---- what is an origin ---- */

static void
origins(struct ax_ctx *ctx)
{
    static const struct {
        const char *text;
        ax_status status;
    } rows[] = {{"", AX_OK},
                {"*", AX_OK},
                {"https://a.example", AX_OK},
                {"  http://localhost:3000   https://b.example:8443 ", AX_OK},
                {"a.example", AX_INVALID},
                {"https://", AX_INVALID},
                {"https://a.example/", AX_INVALID},
                {"https://*.example", AX_INVALID},
                {"null", AX_INVALID}};
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        const struct ax_browser_config config = {.origins = ax_str_of(rows[i].text)};
        struct ax_browser *browser = NULL;
        ax_status status = ax_browser_open(ctx, &config, &browser);
        if (status != rows[i].status)
            ax_test_failed(__FILE__, __LINE__, "\"%s\" is %s", rows[i].text,
                           ax_status_name(status));
        ax_browser_close(browser);
    }
}

TEST(an_origin_is_a_scheme_and_a_host)
{
    ax_test_with_ctx(origins);
}

/* ---- asking as a browser does ---- */

/* One request with up to three headers; those of the answer are looked at. */
static struct ax_client_answer
ask(struct ax_ctx *ctx, struct api_case *at, const char *line, const struct ax_http_header *headers,
    size_t header_count)
{
    struct ax_client_answer answer = {};
    ax_str path = ax_str_of(line), method = {};
    CHECK(ax_str_cut(&path, ' ', &method));
    const struct ax_client_request request = {
        .method = method,
        .url = ax_str_printf(ctx->arena, "http://127.0.0.1:%d%.*s", ax_loops_port(at->loops, 0),
                             AX_FMT(path)),
        .headers = headers,
        .header_count = header_count,
        .body = AX_STR("")};
    CHECK_EQ(ax_client_send(at->client, ctx, &request, &answer), AX_OK);
    return answer;
}

static ax_str
header_of(const struct ax_client_answer *answer, const char *name)
{
    ax_str value = ax_client_header_find(answer, ax_str_of(name));
    return value.at ? value : AX_STR("");
}

#define HEADERS(...)                                                                               \
    (const struct ax_http_header[])                                                                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct ax_http_header asks_post = {{"Access-Control-Request-Method", 29}, {"POST", 4}};

static void
off(struct ax_ctx *ctx, struct api_case *at)
{
    const struct ax_http_header evil = {AX_STR("Origin"), AX_STR("https://evil.example")};
    struct ax_client_answer answer = ask(ctx, at, "GET /v2", NULL, 0);
    CHECK(answer.status == 200 && header_of(&answer, "x-content-type-options").len == 0);

    /* A page of another origin may read nothing, and in development mode change nothing. */
    answer = ask(ctx, at, "GET /v2", &evil, 1);
    CHECK_EQ(answer.status, 200);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "");
    CHECK_STR(header_of(&answer, "x-content-type-options"), "nosniff");
    CHECK_STR(header_of(&answer, "x-frame-options"), "DENY");
    CHECK_STR(header_of(&answer, "strict-transport-security"), "");
    answer = ask(ctx, at, "POST /v2/repository/models/dart/unload", &evil, 1);
    CHECK_EQ(answer.status, 403);
    CHECK_STR(header_of(&answer, "x-frame-options"), "DENY");
    answer = ask(ctx, at, "OPTIONS /v2", HEADERS(evil, asks_post), 2);
    CHECK_EQ(answer.status, 403);

    const struct ax_http_header own = {
        AX_STR("Origin"),
        ax_str_printf(ctx->arena, "http://127.0.0.1:%d", ax_loops_port(at->loops, 0))};
    answer = ask(ctx, at, "POST /v2/repository/models/dart/load", &own, 1);
    CHECK_EQ(answer.status, 200);
    const struct ax_http_header agent = {AX_STR("User-Agent"), AX_STR("Mozilla/5.0 (X11)")};
    answer = ask(ctx, at, "GET /nowhere", &agent, 1);
    CHECK_EQ(answer.status, 404);
    CHECK_STR(header_of(&answer, "content-security-policy"),
              "default-src 'none'; frame-ancestors 'none'");
}

TEST(without_origins_pages_read_nothing_and_change_nothing)
{
    api_case_run_bare(off);
}

static void
named(struct ax_ctx *ctx, struct api_case *at)
{
    const struct ax_http_header desk = {AX_STR("Origin"), AX_STR("https://desk.example")};
    const struct ax_http_header evil = {AX_STR("Origin"), AX_STR("https://evil.example")};
    const struct ax_browser_config config = {
        .origins = AX_STR("https://desk.example http://localhost:3000"), .max_age_s = 60};
    struct ax_browser *browser = NULL;
    CHECK_EQ(ax_browser_open(&at->ctx, &config, &browser), AX_OK);
    api_case_shut(at);
    at->config.browser = browser;
    api_case_open(at);

    struct ax_client_answer answer =
        ask(ctx, at, "OPTIONS /api/v1/models", HEADERS(desk, asks_post), 2);
    CHECK_EQ(answer.status, 204);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "https://desk.example");
    CHECK_STR(header_of(&answer, "vary"), "origin");
    CHECK_STR(header_of(&answer, "access-control-max-age"), "60");
    CHECK_STR(header_of(&answer, "access-control-allow-methods"),
              "GET, HEAD, POST, PUT, PATCH, DELETE");
    CHECK(ax_str_find(header_of(&answer, "access-control-allow-headers"),
                      AX_STR("authorization, content-type")) != SIZE_MAX);

    /* Refusals are readable too, or the page could not say why. */
    answer = ask(ctx, at, "GET /api/v1/models", &desk, 1);
    CHECK_EQ(answer.status, 401);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "https://desk.example");
    CHECK(ax_str_find(header_of(&answer, "access-control-expose-headers"), AX_STR("retry-after")) !=
          SIZE_MAX);

    answer = ask(ctx, at, "OPTIONS /api/v1/models", HEADERS(evil, asks_post), 2);
    CHECK_EQ(answer.status, 403);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "");
    answer = ask(ctx, at, "GET /v2", &evil, 1); /* its credentials decide; it reads nothing */
    CHECK_EQ(answer.status, 200);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "");
    answer = ask(ctx, at, "OPTIONS /v2", &desk, 1); /* no question beforehand */
    CHECK_EQ(answer.status, 405);
    ax_browser_close(browser);
}

TEST(pages_of_named_origins_may_call)
{
    api_case_run(named);
}

static void
everybody(struct ax_ctx *ctx, struct api_case *at)
{
    const struct ax_http_header any = {AX_STR("Origin"), AX_STR("https://any.example")};
    const struct ax_browser_config config = {.origins = AX_STR("*")};
    struct ax_browser *browser = NULL;
    CHECK_EQ(ax_browser_open(&at->ctx, &config, &browser), AX_OK);
    api_case_shut(at);
    at->config.browser = browser;
    api_case_open(at);
    struct ax_client_answer answer = ask(ctx, at, "GET /v2", &any, 1);
    CHECK_STR(header_of(&answer, "access-control-allow-origin"), "*");
    CHECK_STR(header_of(&answer, "vary"), "");
    answer = ask(ctx, at, "POST /v2/repository/models/dart/load", &any, 1);
    CHECK_EQ(answer.status, 200);
    ax_browser_close(browser);
}

TEST(all_origins_may_be_named_by_a_star)
{
    api_case_run_bare(everybody);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    const struct ax_browser_config config = {.origins = AX_STR("https://a.example *")};
    struct ax_browser *browser;
    AX_TRY(ax_browser_open(ctx, &config, &browser));
    ax_browser_close(browser);
    return AX_OK;
}

TEST(naming_origins_survives_every_fault)
{
    FAULT_SWEEP(open_and_close);
}

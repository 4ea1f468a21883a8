#include "api/route.h"

#include "api_case.h"
#include "base/number.h"

/* Refuses with what the query says: ?status=409&code=changed. */
static void
refuse_as_asked(void *arg, struct ax_exchange *exchange)
{
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    struct ax_call *call = AX_NEW(ctx->arena, struct ax_call);
    int64_t status = 0;
    ax_str text = AX_STR(""), code = AX_STR("");
    (void)arg;
    call->exchange = exchange;
    call->request = ax_exchange_request(exchange);
    CHECK_EQ(ax_call_query(call, ctx, "status", &text), AX_OK);
    CHECK_EQ(ax_call_query(call, ctx, "code", &code), AX_OK);
    CHECK(ax_parse_i64(text, &status));
    ax_exchange_set_status(exchange, (int)status);
    ax_problem_refuse(call, (int)status, AX_STR("say \"why\"\n"), code);
    ax_exchange_finish(exchange);
}

static void
problems(struct ax_ctx *ctx)
{
    static const struct {
        const char *query;
        int status;
        const char *title, *code;
    } cases[] = {
        {"status=400", 400, "Bad Request", "invalid"},
        {"status=401", 401, "Unauthorized", "unauthenticated"},
        {"status=403", 403, "Forbidden", "denied"},
        {"status=403&code=four_eyes", 403, "Forbidden", "four_eyes"},
        {"status=404", 404, "Not Found", "not_found"},
        {"status=405", 405, "Method Not Allowed", "method_not_allowed"},
        {"status=409", 409, "Conflict", "conflict"},
        {"status=409&code=changed", 409, "Conflict", "changed"},
        {"status=413", 413, "Content Too Large", "too_large"},
        {"status=415", 415, "Unsupported Media Type", "invalid"},
        {"status=429", 429, "Too Many Requests", "limit"},
        {"status=500", 500, "Internal Server Error", "internal"},
        {"status=501", 501, "Not Implemented", "unsupported"},
        {"status=503", 503, "Service Unavailable", "unavailable"},
        {"status=504", 504, "Gateway Timeout", "timeout"},
    };
    static const struct ax_exchange_service service = {.handler = refuse_as_asked};
    struct api_case at = {.ctx = *ctx};
    struct ax_loop_config config;
    ax_str listen = AX_STR("127.0.0.1:0");
    ax_settings_defaults(ax_loop_settings(), &config);
    config.loop_count = 1;
    CHECK_EQ(ax_loops_open(ctx, &config, &service, &listen, 1, &at.loops), AX_OK);
    CHECK_EQ(ax_client_open(ctx, NULL, &at.client), AX_OK);
    at.header = (struct ax_http_header){AX_STR("X-Request-Id"), AX_STR("mine-1")};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const char *line = API_CASE_LINE(ctx, "GET /?%.*s", ax_str_of(cases[i].query));
        struct api_case_answer answer = api_case_ask(ctx, &at, NOBODY, line, AX_STR(""));
        CHECK_EQ(answer.status, cases[i].status);
        CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("content-type")),
                  "application/problem+json");
        CHECK_STR(api_case_text(&answer, "type"), "about:blank");
        CHECK_STR(api_case_text(&answer, "title"), cases[i].title);
        CHECK_EQ(api_case_number(&answer, "status"), cases[i].status);
        CHECK_STR(api_case_text(&answer, "code"), cases[i].code);
        CHECK_STR(api_case_text(&answer, "detail"), "say \"why\"\n");
        CHECK_STR(api_case_text(&answer, "request_id"), "mine-1");
        CHECK_EQ(ax_json_count(answer.json), 6);
    }
    ax_client_close(at.client);
    ax_loops_close(at.loops);
}

TEST(a_problem_document_tells_status_code_words_and_request)
{
    ax_test_with_ctx(problems);
}

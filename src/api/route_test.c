#include "api/route.h"

#include "api_case.h"
#include "sys/mutex.h"

/* ---- which route ---- */

static void
routes(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /api/v1/nowhere", "", 404, "\"code\":\"not_found\""},
        {NOBODY, "GET /v2/nowhere", "", 404, "{\"error\":\"Not Found\"}"},
        {NOBODY, "GET /", "", 405, "Method Not Allowed"}, /* TorchServe answers OPTIONS */
        {NOBODY, "PUT /api/v1/models", "{}", 405, "\"code\":\"method_not_allowed\""},
        {NOBODY, "DELETE /v2", "", 405, "{\"error\":\"Method Not Allowed\"}"},
        {NOBODY, "OPTIONS /v2", "", 405, "Method Not Allowed"},
        {NOBODY, "BREW /v2", "", 400, "malformed request"},
        {NOBODY, "GET /v2", "", 200, "\"name\":\"axiom\""},
        {NOBODY, "HEAD /v2", "", 200, ""},
        {DANA, "GET /v2/models/a%zz", "", 400, "the path has a bad percent escape"},
        {DANA, "GET /api/v1/models/a%00", "", 400, "the path has a bad percent escape"},
        {DANA, "GET /api/v1/models/a%2Fb", "", 404, "a/b"}, /* one segment all the same */
        {DANA, "GET /api/v1/models/credit/versions/01", "", 404, "\\\"01\\\" is no number of a"},
        {DANA, "GET /api/v1/models/credit/versions/-1", "", 404, "is no number of a version"},
        {DANA, "GET /api/v1/models/credit/versions/9223372036854775808", "", 404, "is no number"},
        {DANA, "GET /api/v1/proposals?state=%zz", "", 400, "\"code\":\"invalid\""},
    };
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "PATCH /api/v1/models", AX_STR("{}"));
    CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("allow")), "GET, POST");
}

TEST(a_path_that_nobody_answers_is_refused_in_its_protocols_form)
{
    api_case_run(routes);
}

/* ---- who asks, and may they ---- */

static void
credentials(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /api/v1/whoami", "", 401, "\"code\":\"unauthenticated\""},
        {NOBODY, "GET /v2/models", "", 401, "{\"error\":"},
        {NOBODY, "POST /api/v1/proposals", "{}", 401, "unauthenticated"},
        {NEW, "GET /api/v1/whoami", "", 200, "\"id\":\"new\""},
        {NEW, "GET /api/v1/models", "", 403, "\"code\":\"denied\""},
        {SAM, "GET /api/v1/models", "", 403, "sam (client) may not read the inventory"},
        {SAM, "GET /v2/models", "", 200, "{\"models\":[]}"},
        {DANA, "GET /api/v1/models", "", 200, "{\"models\":[]}"},
    };
    static const char *const wrong[] = {"Bearer", "Bearer nobody", "Basic YTpi", "", "Bearer "};
    API_CASE_TABLE(ctx, at, rows);
    for (size_t i = 0; i < AX_COUNT_OF(wrong); i++) {
        at->header = (struct ax_http_header){AX_STR("Authorization"), ax_str_of(wrong[i])};
        struct api_case_answer answer =
            api_case_ask(ctx, at, NOBODY, "GET /api/v1/whoami", AX_STR(""));
        CHECK_EQ(answer.status, 401);
        CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("www-authenticate")),
                  "Bearer realm=\"axiom\"");
    }
}

TEST(r83_who_asks_is_known_and_may_before_the_body_is_read)
{
    api_case_run(credentials);
}

/* ---- the body ---- */

static void
bodies(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST /api/v1/models", "", 400, "the body is empty; a JSON object is expected"},
        {DANA, "POST /api/v1/models", "[]", 400, "the body must be a JSON object, not an array"},
        {DANA, "POST /api/v1/models", "{", 400, "\"code\":\"invalid\""},
        {DANA, "POST /api/v1/models", "{\"name\":1,\"name\":2}", 400, "name"},
        {DANA, "POST /api/v1/models", "{\"name\":\"\xff\"}", 400, "byte"},
        {DANA, "POST /api/v1/models", "{}", 400, "`name` is missing"},
    };
    API_CASE_TABLE(ctx, at, rows);
    size_t len = (size_t)AX_ROUTE_SMALL_BODY + 1;
    char *large = ax_arena_alloc(ctx->arena, 1, len);
    REQUIRE(large != NULL);
    memset(large, ' ', len);
    struct api_case_answer answer =
        api_case_ask(ctx, at, DANA, "POST /api/v1/models", (ax_str){large, len});
    CHECK_EQ(answer.status, 413);
    CHECK_STR(api_case_text(&answer, "code"), "too_large");
    at->header = (struct ax_http_header){AX_STR("Content-Encoding"), AX_STR("gzip")};
    answer = api_case_ask(ctx, at, DANA, "POST /api/v1/models", AX_STR("{}"));
    CHECK_EQ(answer.status, 400); /* it is no such thing */
    at->header = (struct ax_http_header){AX_STR("Content-Encoding"), AX_STR("br")};
    answer = api_case_ask(ctx, at, DANA, "POST /api/v1/models", AX_STR("{}"));
    CHECK_EQ(answer.status, 415);
    at->header = (struct ax_http_header){AX_STR("Content-Encoding"), AX_STR("identity")};
    answer = api_case_ask(ctx, at, DANA, "POST /api/v1/models", AX_STR("{}"));
    CHECK_EQ(answer.status, 400);
    CHECK(api_case_says(&answer, "`name` is missing"));
}

TEST(a_body_that_is_no_object_too_large_or_coded_is_refused)
{
    api_case_run(bodies);
}

/* ---- what is away ---- */

/* Without the database what reads or changes it is refused, and says so; the rest goes on. */
static void
store_away(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "GET /api/v1/models", "", 503, "the database is away, so nothing can be changed"},
        {DANA, "POST /api/v1/proposals", "", 503, "the database is away"},
        {DANA, "GET /v2/models", "", 200, "\"models\":[]"},
        {NOBODY, "GET /api/v1/ledger/vkey", "", 200, "axiom.test/ledger+"},
        {NOBODY, "GET /healthz", "", 200, "alive"},
    };
    api_case_shut(at);
    at->config.store = NULL;
    api_case_open(at);
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer answer = api_case_ask(ctx, at, DANA, "GET /api/v1/models", AX_STR(""));
    CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("retry-after")), "1");
}

TEST(without_the_database_what_needs_it_is_refused_and_the_rest_goes_on)
{
    api_case_run(store_away);
}

/* A queue that takes nothing more: refused at once, not waited for. */
static void
hold(void *arg)
{
    struct ax_mutex *gate = arg;
    ax_mutex_lock(gate);
    ax_mutex_unlock(gate);
}

static void
workers_full(struct ax_ctx *ctx, struct api_case *at)
{
    static struct ax_mutex gate; /* outlives the last that passes it */
    ax_mutex_init(&gate);
    ax_mutex_lock(&gate);
    CHECK(ax_workers_submit(at->workers, hold, &gate)); /* each of the two has one in hand */
    CHECK(ax_workers_submit(at->workers, hold, &gate));
    while (ax_workers_queued(at->workers) > 0)
        ;
    while (ax_workers_submit(at->workers, hold, &gate))
        ;
    struct api_case_answer answer = api_case_ask(ctx, at, DANA, "GET /api/v1/models", AX_STR(""));
    CHECK_EQ(answer.status, 503);
    CHECK(api_case_says(&answer, "too many requests wait for a worker"));
    answer = api_case_ask(ctx, at, NOBODY, "GET /healthz", AX_STR(""));
    CHECK_EQ(answer.status, 200); /* needs none */
    ax_mutex_unlock(&gate);
    while (ax_workers_queued(at->workers) > 0)
        ;
    answer = api_case_ask(ctx, at, DANA, "GET /api/v1/models", AX_STR(""));
    CHECK_EQ(answer.status, 200);
}

TEST(more_than_the_workers_can_hold_is_refused_at_once)
{
    api_case_run(workers_full);
}

/* ---- development mode ---- */

static void
development(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2/models", "", 200, "\"xgboost\""},
        {NOBODY, "GET /api/v1/whoami", "", 404, "not_found"},
        {NOBODY, "GET /api/v1/models", "", 404, "not_found"},
        {NOBODY, "POST /api/v1/deployments/loans/decisions", "{}", 404, "not_found"},
        {NOBODY, "GET /api/v1/ledger/checkpoint", "", 404, "not_found"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(development_mode_has_no_governed_route)
{
    api_case_run_bare(development);
}

/* ---- opening ---- */

static ax_status
open_api(struct ax_ctx *ctx)
{
    static struct ax_metrics *metrics; /* one for all runs: what fails there only loses a series */
    struct ax_api *api;
    const bool first = !metrics;
    if (first)
        AX_TRY(ax_metrics_open(ctx, &metrics));
    const struct ax_api_config config = {.governed = true, .metrics = metrics};
    AX_TRY(ax_api_open(ctx, &config, &api));
    ax_api_close(api);
    return AX_OK;
}

TEST(opening_the_api_survives_every_fault)
{
    FAULT_SWEEP(open_api);
}

/* Each table's rows are sound by themselves: a body where one is sent, a line for the reader. */
TEST(every_route_says_what_it_is_for)
{
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++) {
            const struct ax_route *route = &ax_route_tables[t]->routes[r];
            CHECK(route->summary && route->summary[0] && route->pattern[0] == '/');
            CHECK(route->method != AX_HTTP_GET || route->body == AX_ROUTE_NO_BODY ||
                  ax_route_tables[t]->dialect == AX_DIALECT_MLFLOW); /* whose clients send one */
            CHECK(route->body_bytes_max == 0 || route->body != AX_ROUTE_NO_BODY);
        }
}

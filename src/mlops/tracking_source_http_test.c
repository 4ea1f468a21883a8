#include "mlops/tracking_source_http.h"

#include "net/loopback_test.h"

/* What the server says next, and what it was asked last. */
static struct {
    int status, busy; /* busy: answers of 503 first */
    const char *body;
    char target[512], sent[512], authorization[64];
    int asked;
} script;

static void
keep(char *out, size_t room, ax_str text)
{
    snprintf(out, room, "%.*s", AX_FMT(text));
}

static void
source_handler(void *arg, struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    (void)arg;
    script.asked++;
    snprintf(script.target, sizeof script.target, "%.*s %.*s?%.*s", AX_FMT(request->method_text),
             AX_FMT(request->path), AX_FMT(request->query));
    keep(script.sent, sizeof script.sent, request->body);
    keep(script.authorization, sizeof script.authorization,
         ax_http_header_find(request, AX_STR("authorization")));
    if (script.busy-- > 0)
        ax_exchange_answer(exchange, 503, AX_STR("text/plain"), AX_STR("busy"));
    else
        ax_exchange_answer(exchange, script.status, AX_STR("application/json"),
                           ax_str_of(script.body));
}

static struct loopback server;

static struct ax_tracking_source *
open_source(struct ax_ctx *ctx)
{
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = source_handler};
    struct ax_tracking_source *source = NULL;
    script.status = 200;
    script.body = "{}";
    script.busy = script.asked = 0;
    loopback_open(&server, &config, &service);
    const struct ax_tracking_source_http_config http = {
        .url = ax_str_printf(ctx->arena, "http://127.0.0.1:%d/prefix/", server.port),
        .authorization = AX_STR("Bearer t"),
        .ca_file = AX_STR(""),
        .wait_ms = 1};
    CHECK_EQ(ax_tracking_source_http_open(ctx, &http, &source), AX_OK);
    return source;
}

static void
asks(struct ax_ctx *ctx)
{
#define M "/prefix/api/2.0/mlflow/"
#define P "/prefix/api/2.0/mlflow-artifacts/artifacts"
    static const struct {
        struct ax_tracking_ask ask;
        const char *target, *sent;
    } cases[] = {
        {{AX_TRACKING_EXPERIMENTS, {"", 0}, {"", 0}, {"t", 1}},
         "POST " M "experiments/search?",
         "{\"max_results\":1000,\"page_token\":\"t\",\"view_type\":\"ALL\",\"order_by\":["
         "\"experiment_id ASC\"]}"},
        {{AX_TRACKING_RUNS, {"7", 1}, {"", 0}, {"", 0}},
         "POST " M "runs/search?",
         "{\"max_results\":100,\"experiment_ids\":[\"7\"],\"run_view_type\":\"ALL\",\"order_by\":["
         "\"attributes.start_time ASC\"]}"},
        {{AX_TRACKING_RUN, {"a b", 3}, {"", 0}, {"", 0}}, "GET " M "runs/get?run_id=a%20b", ""},
        {{AX_TRACKING_HISTORY, {"r", 1}, {"a/b&c", 5}, {"+", 1}},
         "GET " M "metrics/get-history?run_id=r&metric_key=a%2Fb%26c&max_results=25000&page_token="
         "%2B",
         ""},
        {{AX_TRACKING_VERSIONS, {"", 0}, {"", 0}, {"", 0}},
         "GET " M "model-versions/search?max_results=1000&order_by=name%20ASC&order_by=version_"
         "number%20ASC",
         ""},
        {{AX_TRACKING_LOCATION, {"n", 1}, {"3", 1}, {"", 0}},
         "GET " M "model-versions/get-download-uri?name=n&version=3",
         ""},
        {{AX_TRACKING_FILES, {"", 0}, {"1/a", 3}, {"", 0}}, "GET " P "?path=1%2Fa", ""},
        {{AX_TRACKING_RUN_FILES, {"r", 1}, {"", 0}, {"", 0}},
         "GET " M "artifacts/list?run_id=r",
         ""},
        {{AX_TRACKING_MODEL_FILES, {"m-1", 3}, {"d", 1}, {"", 0}},
         "GET " M "logged-models/m-1/artifacts/directories?artifact_directory_path=d",
         ""},
    };
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = open_source(ctx);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *answer = NULL;
        CHECK_EQ(ax_tracking_source_ask(source, ctx, &cases[i].ask, &answer), AX_OK);
        CHECK(ax_json_kind(answer) == AX_JSON_OBJECT);
        CHECK_STR(ax_str_of(script.target), cases[i].target);
        CHECK_STR(ax_str_of(script.sent), cases[i].sent);
        CHECK_STR(ax_str_of(script.authorization), "Bearer t");
    }
    loopback_close(&server);
}

TEST(questions_go_where_mlflow_has_them)
{
    ax_test_with_ctx(asks);
}

static void
refuses(struct ax_ctx *ctx)
{
    static const struct {
        int status;
        const char *body;
        ax_status want;
        const char *says;
    } cases[] = {
        {401, "You are not authenticated", AX_UNAUTHENTICATED, "401: Unauthorized (MLFLOW_"},
        {403, "{\"message\":\"no\"}", AX_DENIED, "answers 403: no (whoever"},
        {404, "{\"message\":\"gone\\u001b[31m\\nx\"}", AX_NOT_FOUND, "404: gone [31m x"},
        {400, "{\"message\":7}", AX_INVALID, "400: Bad Request"},
        {302, "", AX_CORRUPT, "the address itself"},
        {500, "{", AX_UNAVAILABLE, "500: Internal"},
        {200, "<html>", AX_CORRUPT, "is not answered as MLflow's server answers"},
        {200, "[]", AX_CORRUPT, "no object"},
        {200, "", AX_CORRUPT, "is not answered"},
    };
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = open_source(ctx);
    const struct ax_tracking_ask ask = {.question = AX_TRACKING_RUN, .id = AX_STR("r")};
    const struct ax_tracking_ask models = {.question = AX_TRACKING_MODELS, .id = AX_STR("0")};
    const struct ax_json *answer = NULL;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        script.status = cases[i].status;
        script.body = cases[i].body;
        CHECK_EQ(ax_tracking_source_ask(source, ctx, &ask, &answer), cases[i].want);
        CHECK(ax_test_said(ctx, cases[i].says));
    }
    script.status = 404; /* version 2 knows no logged models */
    CHECK_EQ(ax_tracking_source_ask(source, ctx, &models, &answer), AX_OK);
    CHECK(answer == NULL);
    loopback_close(&server);
}

TEST(refusals_of_a_server_become_sentences)
{
    ax_test_with_ctx(refuses);
}

static void
waits(struct ax_ctx *ctx)
{
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = open_source(ctx);
    const struct ax_tracking_ask ask = {.question = AX_TRACKING_RUN, .id = AX_STR("r")};
    const struct ax_json *answer = NULL;
    script.busy = 3;
    CHECK_EQ(ax_tracking_source_ask(source, ctx, &ask, &answer), AX_OK);
    CHECK_EQ(script.asked, 4);
    script.busy = 100;
    CHECK_EQ(ax_tracking_source_ask(source, ctx, &ask, &answer), AX_UNAVAILABLE);
    CHECK_EQ(script.asked, 9);
    loopback_close(&server);
    CHECK_EQ(ax_tracking_source_ask(source, ctx, &ask, &answer), AX_UNAVAILABLE);
}

TEST(who_is_busy_or_away_is_asked_a_few_times)
{
    ax_test_with_ctx(waits);
}

static void
fetches(struct ax_ctx *ctx)
{
    static const struct {
        struct ax_tracking_ask ask;
        const char *target;
    } cases[] = {
        {{AX_TRACKING_FILES, {"", 0}, {"1/a b/c", 7}, {"", 0}}, "GET " P "/1/a%20b/c?"},
        {{AX_TRACKING_RUN_FILES, {"r", 1}, {"d/f", 3}, {"", 0}},
         "GET /prefix/get-artifact?run_id=r&path=d%2Ff"},
        {{AX_TRACKING_MODEL_FILES, {"m", 1}, {"f", 1}, {"", 0}},
         "GET /prefix/ajax-api/2.0/mlflow/logged-models/m/artifacts/files?artifact_file_path=f"},
    };
    char folder[] = "/tmp/axiom-fetch-XXXXXX";
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = open_source(ctx);
    uint64_t came = 0;
    ax_str bytes = AX_STR("");
    ax_file file;
    CHECK(mkdtemp(folder) != NULL);
    ax_str path = ax_str_printf(ctx->arena, "%s/f", folder);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &file), AX_OK);
    script.body = "the whole file";
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        script.busy = 1; /* what came with the refusal is no part of the file */
        CHECK_EQ(ax_tracking_source_fetch(source, ctx, &cases[i].ask, file, &came), AX_OK);
        CHECK_EQ(came, 14);
        CHECK_STR(ax_str_of(script.target), cases[i].target);
        CHECK_EQ(ax_file_read_all(ctx, path, 100, &bytes), AX_OK);
        CHECK_STR(bytes, "the whole file");
    }
    script.status = 404;
    CHECK_EQ(ax_tracking_source_fetch(source, ctx, &cases[0].ask, file, &came), AX_NOT_FOUND);
    ax_file_close(&file);
    loopback_close(&server);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(files_of_a_server_arrive_whole)
{
    ax_test_with_ctx(fetches);
}

static void
addresses(struct ax_ctx *ctx)
{
    static const char *const cases[] = {"ftp://h", "http://u:p@h", "https://h/?token=1", "h:5000"};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tracking_source *source;
        const struct ax_tracking_source_http_config config = {
            .url = ax_str_of(cases[i]), .authorization = AX_STR(""), .ca_file = AX_STR("")};
        CHECK_EQ(ax_tracking_source_http_open(ctx, &config, &source), AX_INVALID);
    }
}

TEST(an_address_holds_no_password)
{
    ax_test_with_ctx(addresses);
}

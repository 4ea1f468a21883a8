#include "mlops/tracking_source_http.h"

#include "base/alloc.h"
#include "base/number.h"
#include "codec/text.h"
#include "mlops/artifacts.h"
#include "net/client.h"
#include "sys/clock.h"

enum {
    URL_BYTES_MAX = 64 << 10,
    WORDS_BYTES_MAX = 300,
    TRIES = 5,
    WAIT_MS = 250,
    WAIT_MS_MAX = 30'000,
    STALL_MS = 300'000,
    PAGE_MS = 600'000,
};

#define API     "/api/2.0/mlflow/"
#define NS_A_MS INT64_C(1'000'000)

struct http_source {
    struct ax_tracking_source base;
    struct ax_tracking_source_http_config config;
    struct ax_client *client;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a question");
}

/* ---- where a question goes ---- */

struct question {
    struct ax_writer url, body;
    bool queried; /* the URL has a '?' */
};

static void
question_done(struct question *question)
{
    ax_writer_free(&question->url);
    ax_writer_free(&question->body);
}
#define question_auto [[gnu::cleanup(question_done)]]

static void
add_query(struct question *question, const char *name, ax_str value)
{
    ax_writer_char(&question->url, question->queried ? '&' : '?');
    ax_writer_text(&question->url, name);
    ax_writer_char(&question->url, '=');
    ax_percent_encode(value, &question->url);
    question->queried = true;
}

static void
add_path(struct question *question, ax_str path)
{
    ax_str rest = path, segment;
    while (ax_str_cut(&rest, '/', &segment)) {
        ax_writer_char(&question->url, '/');
        ax_percent_encode(segment, &question->url);
    }
}

static void
add_page(struct question *question, int64_t results_max, ax_str token)
{
    char digits[24];
    add_query(question, "max_results", (ax_str){digits, ax_format_i64(results_max, digits)});
    if (token.len)
        add_query(question, "page_token", token);
}

/* {"max_results","page_token"?,"experiment_ids"?: and what stands in `more`. */
static void
add_body(struct question *question, const struct ax_tracking_ask *ask, int64_t results_max,
         const char *more)
{
    struct ax_json_writer json = ax_json_writer_of(&question->body);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "max_results", results_max);
    if (ask->page_token.len)
        ax_json_member_text(&json, "page_token", ask->page_token);
    if (ask->id.len) {
        ax_json_key(&json, "experiment_ids");
        ax_json_begin_array(&json);
        ax_json_put_text(&json, ask->id);
        ax_json_end_array(&json);
    }
    ax_writer_text(&question->body, more);
    ax_json_end_object(&json);
}

static void
ask_registry(struct question *question, const struct ax_tracking_ask *ask)
{
    add_page(question, AX_TRACKING_OTHERS_A_PAGE, ask->page_token);
    if (ask->key.len)
        add_query(question, "filter", AX_STR(AX_TRACKING_PROMPTS));
    if (ask->question != AX_TRACKING_VERSIONS)
        return;
    add_query(question, "order_by", AX_STR("name ASC"));
    add_query(question, "order_by", AX_STR("version_number ASC"));
}

static void
ask_model_files(struct question *question, const struct ax_tracking_ask *ask)
{
    add_path(question, ask->id);
    ax_writer_text(&question->url, "/artifacts/directories");
    if (ask->key.len)
        add_query(question, "artifact_directory_path", ask->key);
}

static const char *const paths[AX_TRACKING_QUESTION_COUNT] = {
    [AX_TRACKING_EXPERIMENTS] = API "experiments/search",
    [AX_TRACKING_RUNS] = API "runs/search",
    [AX_TRACKING_RUN] = API "runs/get",
    [AX_TRACKING_HISTORY] = API "metrics/get-history",
    [AX_TRACKING_MODELS] = API "logged-models/search",
    [AX_TRACKING_REGISTERED] = API "registered-models/search",
    [AX_TRACKING_VERSIONS] = API "model-versions/search",
    [AX_TRACKING_LOCATION] = API "model-versions/get-download-uri",
    [AX_TRACKING_FILES] = AX_ARTIFACTS_ROUTE,
    [AX_TRACKING_RUN_FILES] = API "artifacts/list",
    [AX_TRACKING_MODEL_FILES] = API "logged-models",
};

static void
write_question(struct question *question, const struct ax_tracking_ask *ask)
{
    ax_writer_text(&question->url, paths[ask->question]);
    switch (ask->question) {
    case AX_TRACKING_EXPERIMENTS:
        add_body(question, ask, AX_TRACKING_OTHERS_A_PAGE,
                 ",\"view_type\":\"ALL\",\"order_by\":[\"experiment_id ASC\"]");
        break;
    case AX_TRACKING_RUNS:
        add_body(question, ask, AX_TRACKING_RUNS_A_PAGE,
                 ",\"run_view_type\":\"ALL\",\"order_by\":[\"attributes.start_time ASC\"]");
        break;
    case AX_TRACKING_MODELS:
        add_body(question, ask, AX_TRACKING_MODELS_A_PAGE,
                 ",\"order_by\":[{\"field_name\":\"creation_timestamp\",\"ascending\":true}]");
        break;
    case AX_TRACKING_RUN:
        add_query(question, "run_id", ask->id);
        break;
    case AX_TRACKING_HISTORY:
        add_query(question, "run_id", ask->id);
        add_query(question, "metric_key", ask->key);
        add_page(question, AX_TRACKING_POINTS_A_PAGE, ask->page_token);
        break;
    case AX_TRACKING_LOCATION:
        add_query(question, "name", ask->id);
        add_query(question, "version", ask->key);
        break;
    case AX_TRACKING_FILES:
        add_query(question, "path", ask->key);
        break;
    case AX_TRACKING_RUN_FILES:
        add_query(question, "run_id", ask->id);
        if (ask->key.len)
            add_query(question, "path", ask->key);
        break;
    case AX_TRACKING_MODEL_FILES:
        ask_model_files(question, ask);
        break;
    case AX_TRACKING_REGISTERED:
    case AX_TRACKING_VERSIONS:
    case AX_TRACKING_QUESTION_COUNT:
        ask_registry(question, ask);
        break;
    }
}

/* Where one file is. */
static void
write_file_question(struct question *question, const struct ax_tracking_ask *ask)
{
    if (ask->question == AX_TRACKING_FILES) {
        ax_writer_text(&question->url, AX_ARTIFACTS_ROUTE);
        add_path(question, ask->key);
    } else if (ask->question == AX_TRACKING_RUN_FILES) {
        ax_writer_text(&question->url, "/get-artifact");
        add_query(question, "run_id", ask->id);
        add_query(question, "path", ask->key);
    } else {
        ax_writer_text(&question->url, "/ajax-api/2.0/mlflow/logged-models");
        add_path(question, ask->id);
        ax_writer_text(&question->url, "/artifacts/files");
        add_query(question, "artifact_file_path", ask->key);
    }
}

/* ---- asking ---- */

/* A file while it arrives. */
struct arrival {
    struct ax_ctx *ctx;
    ax_file file;
    uint64_t bytes;
    ax_status status;
};

static bool
http_on_bytes(void *arg, ax_str bytes)
{
    struct arrival *arrival = arg;
    arrival->status = ax_file_write_at(arrival->ctx, arrival->file, arrival->bytes, bytes);
    arrival->bytes += bytes.len;
    return arrival->status == AX_OK;
}

static ax_status
send_once(struct http_source *source, struct ax_ctx *ctx, const struct question *question,
          struct arrival *arrival, struct ax_client_answer *out_answer)
{
    const struct ax_http_header headers[] = {
        {AX_STR("Content-Type"), AX_STR("application/json")},
        {AX_STR("Authorization"), source->config.authorization}};
    const struct ax_client_request request = {
        .method = question->body.len ? AX_STR("POST") : AX_STR("GET"),
        .url = ax_writer_str(&question->url),
        .headers = headers,
        .header_count = AX_COUNT_OF(headers) - (source->config.authorization.len == 0),
        .body = ax_writer_str(&question->body),
        .answer_bytes_max = AX_TRACKING_PAGE_BYTES_MAX,
        .on_bytes = arrival ? http_on_bytes : NULL,
        .arg = arrival,
    };
    struct ax_ctx bounded = *ctx;
    if (!arrival && ctx->deadline_ns == INT64_MAX)
        bounded.deadline_ns = ax_clock_monotonic_ns() + PAGE_MS * NS_A_MS;
    if (arrival) {
        AX_TRY(ax_file_truncate(ctx, arrival->file, 0));
        arrival->bytes = 0;
    }
    ax_status status = ax_client_send(source->client, &bounded, &request, out_answer);
    if (arrival && arrival->status != AX_OK)
        return arrival->status;
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", bounded.error);
}

static bool
is_busy(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Who is away or busy is asked again, a few times and ever more slowly. */
static ax_status
send_question(struct http_source *source, struct ax_ctx *ctx, const struct question *question,
              struct arrival *arrival, struct ax_client_answer *out_answer)
{
    int64_t wait_ms = source->config.wait_ms;
    if (question->url.status != AX_OK || question->body.status != AX_OK)
        return no_memory(ctx);
    for (int left = TRIES - 1;; left--) {
        ax_status status = send_once(source, ctx, question, arrival, out_answer);
        bool again = status == AX_OK ? is_busy(out_answer->status) : status == AX_UNAVAILABLE;
        if (!again || left == 0)
            return status;
        int64_t asked = status == AX_OK ? ax_client_retry_after_s(out_answer) * 1000 : 0;
        wait_ms = asked > wait_ms ? asked : wait_ms;
        ax_clock_sleep_ms(wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX);
        wait_ms *= 2;
    }
}

/* ---- what came back ---- */

/* Some words of a foreign server, fit for a terminal. */
static ax_str
plain_words(struct ax_ctx *ctx, const struct ax_client_answer *answer)
{
    const struct ax_json *json = NULL;
    struct ax_ctx quiet = *ctx;
    ax_str words = AX_STR("");
    if (ax_json_parse(&quiet, answer->body, NULL, &json) != AX_OK ||
        !ax_json_text(ax_json_find(json, "message"), &words))
        words = ax_str_of(ax_http_reason(answer->status));
    char *copy = ax_arena_alloc(ctx->arena, WORDS_BYTES_MAX, 1);
    size_t len = words.len < WORDS_BYTES_MAX ? words.len : WORDS_BYTES_MAX;
    if (!copy)
        return AX_STR("");
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)words.at[i] < ' ' || words.at[i] == 0x7f ? ' ' : words.at[i];
    return (ax_str){copy, len};
}

static ax_status
refusal(struct http_source *source, struct ax_ctx *ctx, const struct ax_client_answer *answer)
{
    static const struct {
        int http;
        ax_status status;
        const char *hint;
    } kinds[] = {
        {400, AX_INVALID, ""},
        {401, AX_UNAUTHENTICATED,
         " (MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, say "
         "who asks)"},
        {403, AX_DENIED, " (whoever asks must see everything: an administrator)"},
        {404, AX_NOT_FOUND, ""},
    };
    ax_status status = answer->status < 400 ? AX_CORRUPT : AX_UNAVAILABLE;
    const char *hint = answer->status < 400 ? " (the address itself must answer)" : "";
    for (size_t i = 0; i < AX_COUNT_OF(kinds); i++) {
        if (kinds[i].http != answer->status)
            continue;
        status = kinds[i].status;
        hint = kinds[i].hint;
    }
    return ax_fail(ctx, status, "%.*s answers %d: %.*s%s", AX_FMT(source->config.url),
                   answer->status, AX_FMT(plain_words(ctx, answer)), hint);
}

static struct question
question_of(const struct http_source *source)
{
    struct question question = {.url = ax_writer_of(URL_BYTES_MAX),
                                .body = ax_writer_of(URL_BYTES_MAX)};
    ax_writer_bytes(&question.url, source->config.url);
    return question;
}

static ax_status
http_ask(struct ax_tracking_source *base, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
         const struct ax_json **out_answer)
{
    struct http_source *source = (struct http_source *)base;
    question_auto struct question question = question_of(source);
    struct ax_client_answer answer;
    const struct ax_json *json = NULL;
    write_question(&question, ask);
    AX_TRY(send_question(source, ctx, &question, NULL, &answer));
    if (answer.status == 404 && ask->question == AX_TRACKING_MODELS) {
        *out_answer = NULL; /* version 2 has none */
        return AX_OK;
    }
    if (answer.status != 200)
        return refusal(source, ctx, &answer);
    ax_status status = ax_json_parse(ctx, answer.body, NULL, &json);
    if (status == AX_LIMIT)
        return status;
    if (status == AX_OK && ax_json_kind(json) != AX_JSON_OBJECT)
        status = ax_fail(ctx, AX_CORRUPT, "no object");
    if (status != AX_OK)
        return ax_explain(ctx, AX_CORRUPT, "%.*s is not answered as MLflow's server answers",
                          AX_FMT(ax_writer_str(&question.url)));
    *out_answer = json;
    return AX_OK;
}

static ax_status
http_fetch(struct ax_tracking_source *base, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
           ax_file to, uint64_t *out_bytes)
{
    struct http_source *source = (struct http_source *)base;
    question_auto struct question question = question_of(source);
    struct arrival arrival = {.ctx = ctx, .file = to, .status = AX_OK};
    struct ax_client_answer answer;
    write_file_question(&question, ask);
    AX_TRY(send_question(source, ctx, &question, &arrival, &answer));
    if (answer.status != 200)
        return refusal(source, ctx, &answer);
    *out_bytes = arrival.bytes;
    return AX_OK;
}

static void
http_close(struct ax_tracking_source *base)
{
    struct http_source *source = (struct http_source *)base;
    if (source->client)
        ax_client_close(source->client);
    ax_free(source);
}

static const struct ax_tracking_source_ops ops = {
    .name = "tracking server", .ask = http_ask, .fetch = http_fetch, .close = http_close};

/* ---- opening ---- */

static ax_status
check_url(struct ax_ctx *ctx, ax_str url)
{
    ax_str rest = url, scheme, host;
    if (!ax_str_starts(url, AX_STR("http://")) && !ax_str_starts(url, AX_STR("https://")))
        return ax_fail(ctx, AX_INVALID, "\"%.*s\" is no address of a server", AX_FMT(url));
    (void)ax_str_cut(&rest, '/', &scheme);
    rest = ax_str_from(rest, 1); /* behind "//" */
    (void)ax_str_cut(&rest, '/', &host);
    if (ax_str_find(host, AX_STR("@")) == SIZE_MAX && ax_str_find(url, AX_STR("?")) == SIZE_MAX)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "the address holds more than host, port and prefix: a password belongs in "
                   "MLFLOW_TRACKING_PASSWORD");
}

ax_status
ax_tracking_source_http_open(struct ax_ctx *ctx,
                             const struct ax_tracking_source_http_config *config,
                             struct ax_tracking_source **out_source)
{
    AX_TRY(check_url(ctx, config->url));
    struct http_source *source = ax_alloc(1, sizeof *source);
    if (!source)
        return no_memory(ctx);
    source->base.ops = &ops;
    source->config = *config;
    if (source->config.wait_ms == 0)
        source->config.wait_ms = WAIT_MS;
    while (ax_str_ends(source->config.url, AX_STR("/")))
        source->config.url.len--;
    const struct ax_client_config client = {.ca_file = config->ca_file, .stall_ms = STALL_MS};
    ax_status status = ax_client_open(ctx, &client, &source->client);
    if (status != AX_OK) {
        http_close(&source->base);
        return status;
    }
    *out_source = &source->base;
    return AX_OK;
}

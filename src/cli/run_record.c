#include "cli/run_record.h"

#include <stdlib.h>

#include "codec/text.h"
#include "mlops/artifacts.h"
#include "sys/clock.h"

enum { PATIENCE_S = 30, BODY_BYTES_MAX = 64 << 10 };

#define API "/api/2.0/mlflow/"

static ax_str
from_environment(const char *name)
{
    return ax_str_of(getenv(name));
}

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a run");
}

bool
ax_run_record_is_secret(ax_str name)
{
    static const char *const words[] = {
        "secret",  "token",   "password", "passwd",     "pwd",        "credential", "apikey",
        "api-key", "api_key", "private",  "access_key", "access-key", "auth"};
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        for (size_t at = 0, len = strlen(words[i]); at + len <= name.len; at++)
            if (ax_str_eq_ignoring_case((ax_str){name.at + at, len}, ax_str_of(words[i])))
                return true;
    return false;
}

ax_status
ax_run_record_authorization(struct ax_ctx *ctx, ax_str *out)
{
    ax_str token = from_environment("MLFLOW_TRACKING_TOKEN");
    ax_str user = from_environment("MLFLOW_TRACKING_USERNAME");
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    *out = AX_STR("");
    if (user.len) {
        ax_str pair = ax_str_printf(ctx->arena, "%.*s:%.*s", AX_FMT(user),
                                    AX_FMT(from_environment("MLFLOW_TRACKING_PASSWORD")));
        if (!pair.at)
            return no_memory(ctx);
        ax_writer_text(&text, "Basic ");
        ax_base64_encode(pair, &text);
    } else if (token.len) {
        ax_writer_print(&text, "Bearer %.*s", AX_FMT(token));
    }
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

ax_status
ax_run_record_open(struct ax_ctx *ctx, ax_str url, struct ax_run_record *out_record)
{
    struct ax_run_record record = {.url = url.len ? url : from_environment("MLFLOW_TRACKING_URI")};
    if (!ax_str_starts(record.url, AX_STR("http://")) &&
        !ax_str_starts(record.url, AX_STR("https://")))
        return ax_fail(ctx, AX_INVALID,
                       "where the tracking server is must be said: MLFLOW_TRACKING_URI or --url, "
                       "http://HOST:PORT");
    while (ax_str_ends(record.url, AX_STR("/")))
        record.url.len--;
    AX_TRY(ax_run_record_authorization(ctx, &record.authorization));
    AX_TRY(ax_client_open(ctx, NULL, &record.client));
    *out_record = record;
    return AX_OK;
}

void
ax_run_record_close(struct ax_run_record *record)
{
    if (record->client)
        ax_client_close(record->client);
    record->client = NULL;
}

static ax_status
send(struct ax_run_record *record, struct ax_ctx *ctx, const char *method, ax_str url, ax_str body,
     struct ax_client_answer *out_answer)
{
    const struct ax_http_header headers[] = {{AX_STR("Content-Type"), AX_STR("application/json")},
                                             {AX_STR("Authorization"), record->authorization}};
    const struct ax_client_request request = {.method = ax_str_of(method),
                                              .url = url,
                                              .headers = headers,
                                              .header_count = AX_COUNT_OF(headers) -
                                                              (record->authorization.len == 0),
                                              .body = body};
    struct ax_ctx bounded = *ctx;
    bounded.deadline_ns = ax_clock_monotonic_ns() + INT64_C(1'000'000'000) * PATIENCE_S;
    ax_status status = ax_client_send(record->client, &bounded, &request, out_answer);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", bounded.error);
}

/* The answer's JSON; NULL and its status when it is a refusal. */
static ax_status
call(struct ax_run_record *record, struct ax_ctx *ctx, const char *path, ax_str body,
     const struct ax_json **out_json)
{
    struct ax_client_answer answer;
    const struct ax_json *json = NULL;
    ax_str words = AX_STR("no answer of a tracking server");
    ax_str url = ax_str_printf(ctx->arena, "%.*s" API "%s", AX_FMT(record->url), path);
    if (!url.at)
        return no_memory(ctx);
    AX_TRY(send(record, ctx, body.len ? "POST" : "GET", url, body, &answer));
    ax_status status = ax_json_parse(ctx, answer.body, NULL, &json);
    if (answer.status == 200 && status == AX_OK) {
        *out_json = json;
        return AX_OK;
    }
    (void)ax_json_text(ax_json_find(json, "message"), &words);
    return ax_fail(ctx, answer.status == 404 ? AX_NOT_FOUND : AX_INVALID, "%.*s: %d %.*s",
                   AX_FMT(record->url), answer.status, AX_FMT(words));
}

ax_status
ax_run_record_post(struct ax_run_record *record, struct ax_ctx *ctx, const char *path, ax_str body)
{
    const struct ax_json *json;
    return call(record, ctx, path, body, &json);
}

ax_status
ax_run_record_experiment(struct ax_run_record *record, struct ax_ctx *ctx, ax_str name,
                         ax_str *out_id)
{
    const struct ax_json *json;
    ax_writer_auto struct ax_writer path = ax_writer_of(BODY_BYTES_MAX);
    ax_writer_auto struct ax_writer body = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer out = ax_json_writer_of(&body);
    *out_id = from_environment("MLFLOW_EXPERIMENT_ID");
    if (name.len == 0 && out_id->len)
        return AX_OK;
    name = name.len ? name : from_environment("MLFLOW_EXPERIMENT_NAME");
    *out_id = AX_STR("0");
    if (name.len == 0)
        return AX_OK;
    ax_writer_text(&path, "experiments/get-by-name?experiment_name=");
    ax_percent_encode(name, &path);
    ax_writer_char(&path, '\0');
    if (path.status != AX_OK)
        return no_memory(ctx);
    ax_status status = call(record, ctx, path.at, AX_STR(""), &json);
    if (status == AX_OK)
        return ax_json_need_text(ctx, ax_json_find(json, "experiment"), "experiment_id", out_id);
    if (status != AX_NOT_FOUND)
        return status;
    ctx->error[0] = '\0';
    ax_json_begin_object(&out);
    ax_json_member_text(&out, "name", name);
    ax_json_end_object(&out);
    AX_TRY(call(record, ctx, "experiments/create", ax_writer_str(&body), &json));
    return ax_json_need_text(ctx, json, "experiment_id", out_id);
}

ax_status
ax_run_record_begin(struct ax_run_record *record, struct ax_ctx *ctx, ax_str body)
{
    const struct ax_json *json;
    ax_str uri;
    AX_TRY(call(record, ctx, "runs/create", body, &json));
    const struct ax_json *info = ax_json_find(ax_json_find(json, "run"), "info");
    AX_TRY(ax_json_need_text(ctx, info, "run_id", &record->run_id));
    AX_TRY(ax_json_need_text(ctx, info, "artifact_uri", &uri));
    record->artifacts = AX_STR("");
    if (ax_str_starts(uri, AX_STR(AX_ARTIFACTS_SCHEME "/")))
        record->artifacts = ax_str_from(uri, strlen(AX_ARTIFACTS_SCHEME "/"));
    return AX_OK;
}

ax_status
ax_run_record_put(struct ax_run_record *record, struct ax_ctx *ctx, const char *name, ax_str bytes)
{
    struct ax_client_answer answer;
    ax_str url = ax_str_printf(ctx->arena, "%.*s" AX_ARTIFACTS_ROUTE "/%.*s/%s",
                               AX_FMT(record->url), AX_FMT(record->artifacts), name);
    if (!url.at)
        return no_memory(ctx);
    if (record->artifacts.len == 0)
        return AX_OK;
    AX_TRY(send(record, ctx, "PUT", url, bytes, &answer));
    return answer.status == 200 ? AX_OK
                                : ax_fail(ctx, AX_INVALID, "%.*s: %d", AX_FMT(url), answer.status);
}

/* MLflow's artifacts: the proxy under mlflow-artifacts:/, and downloads by run, model and version.
 */
#include <stdio.h>

#include "api/mlflow_permissions.h"
#include "base/number.h"
#include "codec/text.h"
#include "mlops/artifacts.h"
#include "mlops/experiment_model.h"
#include "mlops/experiment_run.h"
#include "mlops/registered_version.h"
#include "sys/file.h"

enum {
    SMALL_UPLOAD_BYTES_MAX = 10 << 20,
    PARTS_MAX = 10'000,
    SENT_AS_FILE_BYTES_MIN = 256 << 10, /* fewer are read and compressed like any answer */
};

static struct ax_artifacts *
artifacts(const struct ax_call *call)
{
    return call->services->artifacts;
}

/* ---- downloads ---- */

/* What a browser may be told; texts are plain, so that nothing is run. */
static ax_str
content_type_of(ax_str name)
{
    static const char *const plain[] = {
        "txt",   "log",  "err",  "cfg",     "conf",      "cnf",  "cf", "ini", "properties", "prop",
        "hocon", "toml", "yaml", "yml",     "xml",       "json", "js", "py",  "py3",        "csv",
        "tsv",   "md",   "rst",  "MLmodel", "mlproject", "sh",   "r",  "html"};
    static const struct {
        const char *ending, *type;
    } others[] = {
        {"png", "image/png"},       {"jpg", "image/jpeg"},        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},       {"svg", "image/svg+xml"},     {"webp", "image/webp"},
        {"bmp", "image/bmp"},       {"pdf", "application/pdf"},   {"zip", "application/zip"},
        {"gz", "application/gzip"}, {"tar", "application/x-tar"}, {"mp4", "video/mp4"},
        {"wav", "audio/x-wav"},     {"mp3", "audio/mpeg"},
    };
    ax_str rest = name, ending = name;
    while (ax_str_cut(&rest, '.', &ending))
        continue;
    for (size_t i = 0; i < AX_COUNT_OF(plain); i++)
        if (ax_str_eq_ignoring_case(ending, ax_str_of(plain[i])))
            return AX_STR("text/plain");
    for (size_t i = 0; i < AX_COUNT_OF(others); i++)
        if (ax_str_eq_ignoring_case(ending, ax_str_of(others[i].ending)))
            return ax_str_of(others[i].type);
    return AX_STR("application/octet-stream");
}

/* The file's own name where it is a plain word; else escaped, as RFC 6266 says. */
static ax_status
put_disposition(struct ax_call *call, struct ax_ctx *ctx, ax_str name)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(8192);
    bool plain = name.len > 0;
    for (size_t i = 0; plain && i < name.len; i++) {
        char c = name.at[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                strchr("._-%", c);
    }
    ax_writer_text(&text, plain ? "attachment; filename=" : "attachment; filename*=UTF-8''");
    if (plain)
        ax_writer_bytes(&text, name);
    else
        ax_percent_encode(name, &text);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a header");
    ax_exchange_header(call->exchange, AX_STR("content-disposition"), ax_writer_str(&text));
    return AX_OK;
}

struct range {
    uint64_t from, len;
    bool partial;
};

/* "a-b", "a-" or "-n" as first and last byte of a file; false when it is none of these. */
static bool
read_bounds(ax_str text, uint64_t bytes, uint64_t *out_from, uint64_t *out_to)
{
    ax_str rest = text, first;
    uint64_t from = 0, to = 0;
    if (!ax_str_cut(&rest, '-', &first) || !rest.at || (first.len == 0 && rest.len == 0))
        return false;
    if ((first.len > 0 && !ax_parse_u64(first, &from)) ||
        (rest.len > 0 && !ax_parse_u64(rest, &to)))
        return false;
    uint64_t last = bytes ? bytes - 1 : 0;
    bool suffix = first.len == 0;
    *out_from = suffix ? (to < bytes ? bytes - to : 0) : from;
    *out_to = suffix || rest.len == 0 || to > last ? last : to;
    return true;
}

/* What is asked for; false when there are no such bytes. Anything but one range counts as none. */
static bool
read_range(struct ax_call *call, uint64_t bytes, struct range *out)
{
    ax_str header = ax_http_header_find(call->request, AX_STR("range"));
    uint64_t from, to;
    *out = (struct range){.len = bytes};
    if (!ax_str_starts(header, AX_STR("bytes=")) ||
        !read_bounds(ax_str_from(header, 6), bytes, &from, &to))
        return true;
    if (bytes == 0 || from > to)
        return false;
    *out = (struct range){.from = from, .len = to - from + 1, .partial = true};
    return true;
}

/* The bytes as the answer's body: the file itself where the connection can send one. */
static ax_status
put_bytes(struct ax_call *call, struct ax_ctx *ctx, const struct ax_artifacts_place *place,
          const struct range *range)
{
    ax_file file = {-1};
    if (range->len < SENT_AS_FILE_BYTES_MIN || call->request->major != 1)
        return ax_artifacts_read(artifacts(call), ctx, place, range->from, range->len,
                                 ax_exchange_body(call->exchange));
    AX_TRY(ax_artifacts_open_file(artifacts(call), ctx, place, !range->partial, &file));
    if (!ax_exchange_body_file(call->exchange, file.fd, range->from, range->len))
        ax_file_close(&file);
    return AX_OK;
}

static ax_status
send_file(struct ax_call *call, struct ax_ctx *ctx, const struct ax_artifacts_place *place)
{
    uint64_t bytes;
    struct range range;
    char text[96];
    AX_TRY(ax_artifacts_size(artifacts(call), ctx, place, &bytes));
    if (!read_range(call, bytes, &range)) {
        ax_exchange_set_status(call->exchange, 416);
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)bytes);
        ax_exchange_header(call->exchange, AX_STR("content-range"), ax_str_of(text));
        return AX_OK;
    }
    AX_TRY(put_bytes(call, ctx, place, &range));
    ax_str name = ax_path_name(place->path);
    ax_mlflow_headers(call);
    ax_exchange_header(call->exchange, AX_STR("content-type"), content_type_of(name));
    ax_exchange_header(call->exchange, AX_STR("accept-ranges"), AX_STR("bytes"));
    if (range.partial) {
        ax_exchange_set_status(call->exchange, 206);
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)range.from,
                 (unsigned long long)(range.from + range.len - 1), (unsigned long long)bytes);
        ax_exchange_header(call->exchange, AX_STR("content-range"), ax_str_of(text));
    }
    return put_disposition(call, ctx, name);
}

/* ---- the proxy ---- */

static void
abandon(void *arg)
{
    struct ax_artifacts_upload **upload = arg;
    ax_artifacts_abandon(*upload);
}

/* The upload of a call, begun with its first piece; it ends with the exchange's memory. */
static ax_status
upload_of(struct ax_call *call, struct ax_ctx *ctx, struct ax_artifacts_upload **out)
{
    struct ax_arena *arena = ax_exchange_ctx(call->exchange)->arena;
    struct ax_artifacts_upload *const *begun = call->data;
    if (begun) {
        *out = *begun;
        return AX_OK;
    }
    struct ax_artifacts_upload **upload = AX_NEW(arena, struct ax_artifacts_upload *);
    if (!upload || !ax_arena_defer(arena, abandon, upload))
        return ax_fail(ctx, AX_LIMIT, "no memory for an upload");
    AX_TRY(ax_artifacts_upload(artifacts(call), ctx, call->parameters[0], upload));
    call->data = upload;
    *out = *upload;
    return AX_OK;
}

static ax_status
take_artifact(struct ax_call *call, struct ax_ctx *ctx, ax_str piece)
{
    struct ax_artifacts_upload *upload;
    AX_TRY(upload_of(call, ctx, &upload));
    return ax_artifacts_write(upload, ctx, piece);
}

static ax_status
put_artifact(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_artifacts_upload *upload;
    AX_TRY(upload_of(call, ctx, &upload));
    AX_TRY(ax_artifacts_finish(upload, ctx));
    return ax_mlflow_done(call);
}

static ax_status
get_artifact(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_artifacts_place place;
    AX_TRY(ax_artifacts_at(artifacts(call), ctx, call->parameters[0], &place));
    ax_status status = send_file(call, ctx, &place);
    if (status == AX_NOT_FOUND)
        return ax_fail(ctx, AX_NOT_FOUND,
                       "The following failures occurred while downloading one or more artifacts "
                       "from artifacts:\n##### File %.*s #####\nNo such artifact: '%.*s'",
                       AX_FMT(place.path), AX_FMT(place.path));
    return status;
}

static ax_status
delete_artifact(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_artifacts_delete(artifacts(call), ctx, call->parameters[0]));
    return ax_mlflow_done(call);
}

static ax_status
list_artifacts(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_artifacts_place place;
    ax_str path = AX_STR("");
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_may_text(&request, "path", &path));
    AX_TRY(ax_artifacts_at(artifacts(call), ctx, path, &place));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_artifacts_list(artifacts(call), ctx, &place, AX_STR(""), json));
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- in parts ---- */

/* Where a client puts or gets directly: this server, by the name it was called by. */
static ax_status
own_url(struct ax_call *call, struct ax_ctx *ctx, ax_str path, ax_str *out)
{
    ax_str host = call->request->host;
    ax_str proto = ax_http_header_find(call->request, AX_STR("x-forwarded-proto"));
    bool secure = ax_str_eq_ignoring_case(proto, AX_STR("https"));
    *out = ax_str_printf(ctx->arena, "%s://%.*s%.*s", secure ? "https" : "http", AX_FMT(host),
                         AX_FMT(path));
    return out->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for an address");
}

static ax_status
create_parts(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id, path;
    int64_t count;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "path", &path));
    AX_TRY(ax_mlflow_need_i64(&request, "num_parts", &count));
    if (count < 1 || count > PARTS_MAX)
        return ax_fail(ctx, AX_INVALID, "num_parts must be from 1 to %d", PARTS_MAX);
    AX_TRY(ax_artifacts_begin_parts(artifacts(call), ctx, &id));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "upload_id", id);
    ax_json_key(json, "credentials");
    ax_json_begin_array(json);
    for (int64_t number = 1; number <= count; number++) {
        ax_str url, part = ax_str_printf(ctx->arena, AX_ARTIFACTS_PROXY "mpu/part/%.*s/%lld",
                                         AX_FMT(id), (long long)number);
        if (!part.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for an address");
        AX_TRY(own_url(call, ctx, part, &url));
        ax_json_begin_object(json);
        ax_json_member_text(json, "url", url);
        ax_json_member_i64(json, "part_number", number);
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* The client sends no credentials here: the upload's id is one, 128 random bits. */
static ax_status
put_part(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t number;
    ax_digest digest;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_call_number(call, ctx, 1, &number));
    AX_TRY(ax_artifacts_put_part(artifacts(call), ctx, call->parameters[0], number,
                                 call->request->body, &digest));
    ax_exchange_header(call->exchange, AX_STR("etag"), ax_digest_hex(digest, hex));
    return ax_mlflow_done(call);
}

/* The folder in the address and the name in the body. */
static ax_status
read_target(struct ax_call *call, const struct ax_mlflow_request *request, ax_str *out)
{
    ax_str name, folder = call->parameters[0];
    AX_TRY(ax_mlflow_need_text(request, "path", &name));
    *out =
        ax_str_printf(request->ctx->arena, "%.*s/%.*s", AX_FMT(folder), AX_FMT(ax_path_name(name)));
    return out->at ? AX_OK : ax_fail(request->ctx, AX_LIMIT, "no memory for a path");
}

static ax_status
complete_parts(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    const struct ax_json *parts;
    ax_str id, path;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "upload_id", &id));
    AX_TRY(read_target(call, &request, &path));
    AX_TRY(ax_mlflow_objects(&request, "parts", &parts));
    size_t count = ax_json_count(parts);
    int64_t *numbers = AX_NEW_ARRAY(ctx->arena, int64_t, count + 1);
    if (!numbers)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(parts);
    while (ax_json_next(&it))
        AX_TRY(
            ax_mlflow_member_i64(ctx, it.value, "parts.", "part_number", &numbers[it.index], true));
    ctx->deadline_ns = INT64_MAX; /* it reads and writes all of it */
    AX_TRY(ax_artifacts_complete_parts(artifacts(call), ctx, id, path, numbers, count));
    return ax_mlflow_done(call);
}

static ax_status
abort_parts(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "upload_id", &id));
    AX_TRY(ax_artifacts_abort_parts(artifacts(call), ctx, id));
    return ax_mlflow_done(call);
}

/* Ranges of a file are asked for at its own address, where credentials are asked for: none here. */
static ax_status
presign(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_artifacts_place place;
    uint64_t bytes;
    ax_str url, path;
    ax_writer_auto struct ax_writer escaped = ax_writer_of(64 << 10);
    if (call->services->governed)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "Multipart download is not supported for the current artifact repository");
    AX_TRY(ax_artifacts_at(artifacts(call), ctx, call->parameters[0], &place));
    AX_TRY(ax_artifacts_size(artifacts(call), ctx, &place, &bytes));
    ax_writer_text(&escaped, AX_ARTIFACTS_ROUTE);
    ax_str rest = place.path, part;
    while (ax_str_cut(&rest, '/', &part)) {
        ax_writer_char(&escaped, '/');
        ax_percent_encode(part, &escaped);
    }
    AX_TRY(ax_writer_take(&escaped, ctx->arena, &path));
    AX_TRY(own_url(call, ctx, path, &url));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "url", url);
    ax_json_key(json, "headers");
    ax_json_begin_object(json);
    ax_json_end_object(json);
    ax_json_member_i64(json, "file_size", (int64_t)bytes);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
presign_upload(struct ax_call *, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_INVALID,
                   "Presigned upload URLs are for artifacts in a cloud's store, not for "
                   "proxied ones");
}

/* ---- by run, logged model and version ---- */

static ax_status
list_below(struct ax_call *call, struct ax_ctx *ctx, ax_str uri, ax_str path)
{
    struct ax_artifacts_place place;
    ax_str checked, prefix;
    AX_TRY(ax_artifacts_check_path(ctx, path, &checked));
    AX_TRY(ax_artifacts_find(artifacts(call), ctx, uri, path, &place));
    prefix = ax_str_printf(ctx->arena, "%.*s%s", AX_FMT(checked), checked.len ? "/" : "");
    if (!prefix.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "root_uri", uri);
    AX_TRY(ax_artifacts_list(artifacts(call), ctx, &place, prefix, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
send_below(struct ax_call *call, struct ax_ctx *ctx, ax_str uri, ax_str path)
{
    struct ax_artifacts_place place;
    AX_TRY(ax_artifacts_find(artifacts(call), ctx, uri, path, &place));
    return send_file(call, ctx, &place);
}

static ax_status
run_uri(struct ax_call *call, const struct ax_mlflow_request *request, ax_str *out_uri)
{
    ax_str id = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, "run_uuid", &id));
    AX_TRY(ax_mlflow_may_text(request, "run_id", &id));
    if (id.len == 0)
        return ax_mlflow_missing(request->ctx, "run_id");
    return ax_run_artifact_uri(call->services->experiments, request->ctx, id, out_uri);
}

static ax_status
list_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str uri = AX_STR(""), path = AX_STR("");
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(run_uri(call, &request, &uri));
    AX_TRY(ax_mlflow_may_text(&request, "path", &path));
    return list_below(call, ctx, uri, path);
}

static ax_status
get_of_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str uri = AX_STR(""), path;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "path", &path));
    AX_TRY(run_uri(call, &request, &uri));
    return send_below(call, ctx, uri, path);
}

static ax_status
get_of_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, digits, path, uri = AX_STR("");
    int64_t version;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, "version", &digits));
    AX_TRY(ax_mlflow_need_text(&request, "path", &path));
    if (!ax_parse_i64(digits, &version))
        return ax_fail(ctx, AX_INVALID, "Parameter 'version' must be an integer, got '%.*s'.",
                       AX_FMT(digits));
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    AX_TRY(ax_registered_version_location(call->services->registry, ctx, name, version, &uri));
    return send_below(call, ctx, uri, path);
}

static ax_status
list_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str uri = AX_STR(""), path = AX_STR("");
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_may_text(&request, "artifact_directory_path", &path));
    AX_TRY(ax_experiment_model_artifact_uri(call->services->experiments, ctx, call->parameters[0],
                                            &uri));
    return list_below(call, ctx, uri, path);
}

static ax_status
get_of_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str uri = AX_STR(""), path;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "artifact_file_path", &path));
    AX_TRY(ax_experiment_model_artifact_uri(call->services->experiments, ctx, call->parameters[0],
                                            &uri));
    return send_below(call, ctx, uri, path);
}

/* The page's own upload: where and what for in the query, the bytes as they are. */
static ax_status
upload_of_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request = {.call = call, .ctx = ctx};
    struct ax_artifacts_place place;
    ax_str uri = AX_STR(""), run = AX_STR(""), path = AX_STR("");
    AX_TRY(ax_mlflow_may_text(&request, "run_uuid", &run));
    AX_TRY(ax_mlflow_may_text(&request, "path", &path));
    if (run.len == 0 || path.len == 0)
        return ax_fail(ctx, AX_INVALID, "Request must specify %s.", run.len ? "path" : "run_uuid");
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    if (call->request->body.len == 0)
        return ax_fail(ctx, AX_INVALID, "Request must specify data.");
    AX_TRY(run_uri(call, &request, &uri));
    AX_TRY(ax_artifacts_find(artifacts(call), ctx, uri, path, &place));
    AX_TRY(ax_artifacts_put_below(artifacts(call), ctx, &place, call->request->body));
    return ax_mlflow_done(call);
}

#define PROXY AX_ARTIFACTS_PROXY
#define UPLOAD(method, path, permission, bytes, fn, summary)                                       \
    {                                                                                              \
        AX_HTTP_##method, path, permission, AX_ROUTE_WORKER, AX_ROUTE_BYTES, bytes, fn, summary    \
    }

static const struct ax_route routes[] = {
    AX_MLFLOW_READ(GET, PROXY "artifacts", list_artifacts, "MLflow: lists artifacts"),
    AX_MLFLOW_READ(GET, PROXY "artifacts/{path*}", get_artifact, "MLflow: an artifact's bytes"),
    {AX_HTTP_PUT, PROXY "artifacts/{path*}", AX_PERMISSION_DEVELOP, AX_ROUTE_WORKER, AX_ROUTE_BYTES,
     0, put_artifact, "MLflow: uploads an artifact", take_artifact},
    AX_MLFLOW_WRITE(DELETE, PROXY "artifacts/{path*}", delete_artifact,
                    "MLflow: deletes an artifact or a folder of them"),
    AX_MLFLOW_WRITE(POST, PROXY "mpu/create/{path*}", create_parts,
                    "MLflow: begins an upload in parts"),
    UPLOAD(PUT, PROXY "mpu/part/{upload}/{number}", AX_PERMISSION_PUBLIC, AX_ROUTE_LARGE_BODY,
           put_part, "MLflow: one part of an upload"),
    AX_MLFLOW_WRITE(POST, PROXY "mpu/complete/{path*}", complete_parts,
                    "MLflow: joins an upload's parts"),
    AX_MLFLOW_WRITE(POST, PROXY "mpu/abort/{path*}", abort_parts, "MLflow: gives an upload up"),
    AX_MLFLOW_READ(GET, PROXY "presigned/{path*}", presign,
                   "MLflow: where a file may be got in ranges"),
    AX_MLFLOW_WRITE(POST, AX_MLFLOW "artifacts/presigned-upload-url", presign_upload,
                    "MLflow: for artifacts in a cloud's store"),
    AX_MLFLOW_READ(GET, AX_MLFLOW "artifacts/list", list_run, "MLflow: lists a run's artifacts"),
    AX_MLFLOW_READ(GET, "/get-artifact", get_of_run, "MLflow: an artifact of a run"),
    AX_MLFLOW_READ(GET, "/model-versions/get-artifact", get_of_version,
                   "MLflow: an artifact of a version"),
    AX_MLFLOW_READ(GET, AX_MLFLOW "logged-models/{model}/artifacts/directories", list_model,
                   "MLflow: lists a logged model's artifacts"),
    AX_MLFLOW_READ(GET, AX_MLFLOW "logged-models/{model}/artifacts/files", get_of_model,
                   "MLflow: an artifact of a logged model"),
    UPLOAD(POST, AX_MLFLOW "upload-artifact", AX_PERMISSION_DEVELOP, SMALL_UPLOAD_BYTES_MAX,
           upload_of_run, "MLflow: uploads an artifact of a run"),
};

const struct ax_route_table ax_mlflow_artifacts_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
    .permit = ax_mlflow_permit,
};

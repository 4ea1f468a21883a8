#include "api/mlflow_wire.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "codec/text.h"

enum { NAME_BYTES_MAX = 64, SHOWN_BYTES_MAX = 200 };

/* ---- reading: the body ---- */

/* What does not parse counts as an empty object: then a field is missing, and the client told. */
static const struct ax_json *
parse_body(struct ax_ctx *ctx, ax_str text, int times)
{
    static const struct ax_json_limits limits = {.duplicate_keys = true, .depth_max = 100};
    const struct ax_json *json = NULL;
    ax_str inner;
    if (text.len == 0 || ax_json_parse(ctx, text, &limits, &json) != AX_OK)
        return NULL;
    if (times > 0 && ax_json_text(json, &inner)) /* JSON in a JSON string */
        return parse_body(ctx, inner, times - 1);
    return ax_json_kind(json) == AX_JSON_OBJECT ? json : NULL;
}

static ax_status
check_content_type(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str rest = ax_http_header_find(call->request, AX_STR("content-type")), type = {};
    if (!rest.at)
        return ax_fail(ctx, AX_INVALID, "Bad Request. Content-Type header is missing.");
    (void)ax_str_cut(&rest, ';', &type);
    if (!ax_str_eq_ignoring_case(ax_str_trim(type), AX_STR("application/json")))
        return ax_fail(ctx, AX_INVALID,
                       "Bad Request. Content-Type must be one of ['application/json'].");
    return AX_OK;
}

ax_status
ax_mlflow_read(struct ax_call *call, struct ax_ctx *ctx, struct ax_mlflow_request *out_request)
{
    enum ax_http_method method = call->request->method;
    *out_request = (struct ax_mlflow_request){.call = call, .ctx = ctx, .body = call->body};
    if (call->body)
        return AX_OK; /* read before, to see who may */
    bool in_query = method == AX_HTTP_GET || method == AX_HTTP_HEAD;
    if (in_query && (call->request->query.len > 0 || call->request->body.len == 0))
        return AX_OK;
    if (method == AX_HTTP_POST || method == AX_HTTP_PUT)
        AX_TRY(check_content_type(call, ctx));
    out_request->body = parse_body(ctx, call->request->body, 2);
    ctx->error[0] = '\0';
    if (!out_request->body)
        AX_TRY(ax_json_parse(ctx, AX_STR("{}"), NULL, &out_request->body));
    call->body = out_request->body;
    return AX_OK;
}

/* ---- fields ---- */

/* "run_id" as "runId". */
static const char *
camel(const char *name, char out[NAME_BYTES_MAX])
{
    size_t len = 0;
    for (; *name && len + 1 < NAME_BYTES_MAX; name++) {
        char c = *name;
        if (c == '_' && name[1] >= 'a' && name[1] <= 'z')
            c = (char)(*++name - 'a' + 'A');
        out[len++] = c;
    }
    out[len] = '\0';
    return out;
}

static const struct ax_json *
find_member(const struct ax_json *object, const char *name)
{
    char other[NAME_BYTES_MAX];
    const struct ax_json *value = ax_json_find(object, name);
    if (!value)
        value = ax_json_find(object, camel(name, other));
    return value && ax_json_kind(value) != AX_JSON_NULL ? value : NULL;
}

/* The next parameter of this name in a query; at is NULL behind the last. */
static ax_str
next_parameter(ax_str *rest, const char *name)
{
    ax_str part;
    while (ax_str_cut(rest, '&', &part)) {
        ax_str value = part, key;
        (void)ax_str_cut(&value, '=', &key);
        if (ax_str_eq(key, ax_str_of(name)))
            return value.at ? value : AX_STR("");
    }
    return (ax_str){};
}

static bool
in_query(const struct ax_mlflow_request *request)
{
    return request->body == NULL;
}

/* A parameter, decoded; at is NULL when it is not there. */
static ax_status
query_value(const struct ax_mlflow_request *request, const char *name, ax_str *out)
{
    ax_str rest = request->call->request->query;
    ax_str raw = next_parameter(&rest, name);
    *out = (ax_str){};
    if (!raw.at)
        return AX_OK;
    AX_TRY(ax_http_query_decode(request->ctx, raw, out));
    return ax_utf8_ok(*out) ? AX_OK
                            : ax_fail(request->ctx, AX_INVALID, "parameter '%s' is no UTF-8", name);
}

bool
ax_mlflow_has(const struct ax_mlflow_request *request, const char *name)
{
    ax_str rest = request->call->request->query;
    return in_query(request) ? next_parameter(&rest, name).at != NULL
                             : find_member(request->body, name) != NULL;
}

ax_status
ax_mlflow_missing(struct ax_ctx *ctx, const char *name)
{
    return ax_fail(ctx, AX_INVALID,
                   "Missing value for required parameter '%s'. See the API docs for more "
                   "information about request parameters.",
                   name);
}

static ax_status
wrong_text(struct ax_ctx *ctx, const char *name, ax_str shown, const char *type)
{
    return ax_fail(ctx, AX_INVALID,
                   "Invalid value %.*s for parameter '%s' supplied:  Hint: Value was of type '%s'. "
                   "See the API docs for more information about request parameters.",
                   AX_FMT(ax_experiment_cut(shown, SHOWN_BYTES_MAX)), name, type);
}

/* As Python calls it. */
static const char *
python_type(const struct ax_json *value)
{
    switch (ax_json_kind(value)) {
    case AX_JSON_NULL:
        return "NoneType";
    case AX_JSON_BOOL:
        return "bool";
    case AX_JSON_NUMBER:
        return ax_json_is_real(value) ? "float" : "int";
    case AX_JSON_TEXT:
        return "str";
    case AX_JSON_ARRAY:
        return "list";
    case AX_JSON_OBJECT:
        break;
    }
    return "dict";
}

ax_status
ax_mlflow_wrong(struct ax_ctx *ctx, const char *name, const struct ax_json *value)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 20);
    int64_t whole;
    ax_json_print(value, &text);
    if (ax_json_is_real(value) && ax_json_i64(value, &whole)) /* 9.0 is no int */
        ax_writer_text(&text, ".0");
    return wrong_text(ctx, name, ax_writer_str(&text), python_type(value));
}

static ax_status
wrong_parameter(const struct ax_mlflow_request *request, const char *name, ax_str value)
{
    ax_str quoted = ax_str_printf(request->ctx->arena, "\"%.*s\"", AX_FMT(value));
    return wrong_text(request->ctx, name, quoted.at ? quoted : value, "str");
}

/* ---- numbers ---- */

bool
ax_mlflow_number(const struct ax_json *json, double *out)
{
    ax_str text;
    bool truth;
    if (ax_json_f64(json, out))
        return true;
    if (ax_json_bool(json, &truth)) {
        *out = truth ? 1 : 0;
        return true;
    }
    return ax_json_text(json, &text) && ax_parse_f64(text, out);
}

bool
ax_mlflow_whole(const struct ax_json *json, int64_t *out)
{
    ax_str text;
    double number;
    if (ax_json_i64(json, out))
        return true;
    if (ax_json_f64(json, &number)) { /* 12.0 */
        bool whole = number == floor(number) && fabs(number) < 9e15;
        if (whole)
            *out = (int64_t)number;
        return whole;
    }
    return ax_json_text(json, &text) && ax_parse_i64(text, out);
}

/* ---- typed fields ---- */

ax_status
ax_mlflow_may_text(const struct ax_mlflow_request *request, const char *name, ax_str *out)
{
    ax_str text;
    if (in_query(request)) {
        AX_TRY(query_value(request, name, &text));
        if (text.at)
            *out = text;
        return AX_OK;
    }
    const struct ax_json *value = find_member(request->body, name);
    if (value && !ax_json_text(value, out))
        return ax_mlflow_wrong(request->ctx, name, value);
    if (value && out->len > 0 && memchr(out->at, '\0', out->len))
        return ax_fail(request->ctx, AX_INVALID, "a NUL is in parameter '%s'", name);
    return AX_OK;
}

ax_status
ax_mlflow_need_text(const struct ax_mlflow_request *request, const char *name, ax_str *out)
{
    *out = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, name, out));
    return out->len > 0 ? AX_OK : ax_mlflow_missing(request->ctx, name);
}

ax_status
ax_mlflow_may_i64(const struct ax_mlflow_request *request, const char *name, int64_t *out)
{
    ax_str text;
    if (in_query(request)) {
        AX_TRY(query_value(request, name, &text));
        if (text.at && !ax_parse_i64(text, out))
            return wrong_parameter(request, name, text);
        return AX_OK;
    }
    const struct ax_json *value = find_member(request->body, name);
    if (value && !ax_mlflow_whole(value, out))
        return ax_mlflow_wrong(request->ctx, name, value);
    return AX_OK;
}

ax_status
ax_mlflow_need_i64(const struct ax_mlflow_request *request, const char *name, int64_t *out)
{
    if (!ax_mlflow_has(request, name))
        return ax_mlflow_missing(request->ctx, name);
    return ax_mlflow_may_i64(request, name, out);
}

ax_status
ax_mlflow_need_f64(const struct ax_mlflow_request *request, const char *name, double *out)
{
    ax_str text;
    if (!ax_mlflow_has(request, name))
        return ax_mlflow_missing(request->ctx, name);
    if (in_query(request)) {
        AX_TRY(query_value(request, name, &text));
        return ax_parse_f64(text, out) ? AX_OK : wrong_parameter(request, name, text);
    }
    const struct ax_json *value = find_member(request->body, name);
    return ax_mlflow_number(value, out) ? AX_OK : ax_mlflow_wrong(request->ctx, name, value);
}

ax_status
ax_mlflow_may_bool(const struct ax_mlflow_request *request, const char *name, bool *out)
{
    ax_str text;
    if (in_query(request)) {
        AX_TRY(query_value(request, name, &text));
        bool yes = ax_str_eq_ignoring_case(text, AX_STR("true"));
        if (text.at && !yes && !ax_str_eq_ignoring_case(text, AX_STR("false")))
            return wrong_parameter(request, name, text);
        *out = text.at ? yes : *out;
        return AX_OK;
    }
    const struct ax_json *value = find_member(request->body, name);
    if (value && !ax_json_bool(value, out))
        return ax_mlflow_wrong(request->ctx, name, value);
    return AX_OK;
}

/* ---- lists ---- */

static ax_status
push_text(struct ax_ctx *ctx, struct ax_mlflow_texts *texts, ax_str text)
{
    ax_str *place = AX_ARRAY_PUSH(ctx->arena, texts);
    if (!place)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *place = text;
    return AX_OK;
}

ax_status
ax_mlflow_texts(const struct ax_mlflow_request *request, const char *name,
                struct ax_mlflow_texts *out)
{
    struct ax_ctx *ctx = request->ctx;
    ax_str text;
    if (in_query(request)) {
        ax_str rest = request->call->request->query, raw;
        while ((raw = next_parameter(&rest, name)).at) {
            AX_TRY(ax_http_query_decode(ctx, raw, &text));
            if (!ax_utf8_ok(text))
                return ax_fail(ctx, AX_INVALID, "parameter '%s' is no UTF-8", name);
            AX_TRY(push_text(ctx, out, text));
        }
        return AX_OK;
    }
    const struct ax_json *list = find_member(request->body, name);
    if (list && ax_json_kind(list) != AX_JSON_ARRAY)
        return ax_mlflow_wrong(ctx, name, list);
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        if (!ax_json_text(it.value, &text))
            return ax_mlflow_wrong(ctx, name, list);
        AX_TRY(push_text(ctx, out, text));
    }
    return AX_OK;
}

ax_status
ax_mlflow_objects(const struct ax_mlflow_request *request, const char *name,
                  const struct ax_json **out)
{
    *out = request->body ? find_member(request->body, name) : NULL;
    if (!*out)
        return AX_OK;
    if (ax_json_kind(*out) != AX_JSON_ARRAY)
        return ax_mlflow_wrong(request->ctx, name, *out);
    struct ax_json_iter it = ax_json_iter_of(*out);
    while (ax_json_next(&it))
        if (ax_json_kind(it.value) != AX_JSON_OBJECT)
            return ax_mlflow_wrong(request->ctx, name, *out);
    return AX_OK;
}

/* The member's name with its path, for a message. */
static const char *
path_of(struct ax_ctx *ctx, const char *path, const char *name)
{
    ax_str whole = ax_str_printf(ctx->arena, "%s%s", path, name);
    const char *text = whole.at ? ax_str_c(ctx->arena, whole) : NULL;
    return text ? text : name;
}

ax_status
ax_mlflow_member_text(struct ax_ctx *ctx, const struct ax_json *object, const char *path,
                      const char *name, ax_str *out, bool needed)
{
    const struct ax_json *value = find_member(object, name);
    if (value && !ax_json_text(value, out))
        return ax_mlflow_wrong(ctx, path_of(ctx, path, name), value);
    if (value && out->len > 0 && memchr(out->at, '\0', out->len))
        return ax_fail(ctx, AX_INVALID, "a NUL is in parameter '%s%s'", path, name);
    if (needed && (!value || out->len == 0))
        return ax_mlflow_missing(ctx, path_of(ctx, path, name));
    return AX_OK;
}

ax_status
ax_mlflow_member_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *path,
                     const char *name, int64_t *out, bool needed)
{
    const struct ax_json *value = find_member(object, name);
    if (value && !ax_mlflow_whole(value, out))
        return ax_mlflow_wrong(ctx, path_of(ctx, path, name), value);
    return value || !needed ? AX_OK : ax_mlflow_missing(ctx, path_of(ctx, path, name));
}

ax_status
ax_mlflow_pairs(const struct ax_mlflow_request *request, const char *name,
                struct ax_experiment_pairs *out)
{
    struct ax_ctx *ctx = request->ctx;
    const struct ax_json *list;
    char path[NAME_BYTES_MAX];
    AX_TRY(ax_mlflow_objects(request, name, &list));
    size_t count = ax_json_count(list);
    struct ax_experiment_pair *pairs =
        AX_NEW_ARRAY(ctx->arena, struct ax_experiment_pair, count + 1);
    if (!pairs)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        struct ax_experiment_pair *pair = &pairs[it.index];
        snprintf(path, sizeof path, "%s[%zu].", name, it.index);
        *pair = (struct ax_experiment_pair){.value = AX_STR("")};
        AX_TRY(ax_mlflow_member_text(ctx, it.value, path, "key", &pair->key, true));
        AX_TRY(ax_mlflow_member_text(ctx, it.value, path, "value", &pair->value, false));
    }
    *out = (struct ax_experiment_pairs){count ? pairs : NULL, count};
    return AX_OK;
}

/* ---- answers ---- */

void
ax_mlflow_headers(struct ax_call *call)
{
    ax_exchange_header(call->exchange, AX_STR("x-content-type-options"), AX_STR("nosniff"));
    ax_exchange_header(call->exchange, AX_STR("x-frame-options"), AX_STR("SAMEORIGIN"));
}

struct ax_json_writer *
ax_mlflow_json(struct ax_call *call)
{
    ax_mlflow_headers(call);
    return ax_call_json(call);
}

ax_status
ax_mlflow_done(struct ax_call *call)
{
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_end_object(json);
    return AX_OK;
}

ax_status
ax_mlflow_code(struct ax_call *call, ax_status status, const char *code)
{
    call->code = ax_str_of(code);
    return status;
}

static ax_str
code_of(int http_status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {
        {400, "INVALID_PARAMETER_VALUE"}, {401, "UNAUTHENTICATED"},
        {403, "PERMISSION_DENIED"},       {404, "RESOURCE_DOES_NOT_EXIST"},
        {409, "RESOURCE_ALREADY_EXISTS"}, {413, "INVALID_PARAMETER_VALUE"},
        {415, "INVALID_PARAMETER_VALUE"}, {429, "REQUEST_LIMIT_EXCEEDED"},
        {501, "NOT_IMPLEMENTED"},         {503, "TEMPORARILY_UNAVAILABLE"},
        {504, "DEADLINE_EXCEEDED"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(codes); i++)
        if (codes[i].status == http_status)
            return ax_str_of(codes[i].code);
    return http_status < 500 ? AX_STR("BAD_REQUEST") : AX_STR("INTERNAL_ERROR");
}

/* What Databricks' SDKs look at. */
static ax_str
class_of(ax_str code)
{
    if (ax_str_eq(code, AX_STR("RESOURCE_DOES_NOT_EXIST")))
        return AX_STR("RESOURCE_NOT_FOUND");
    if (ax_str_eq(code, AX_STR("BAD_REQUEST")))
        return AX_STR("INVALID_PARAMETER_VALUE");
    return code;
}

/* As Flask answers where there is no route. */
static void
refuse_html(struct ax_call *call, int http_status)
{
    const char *title = ax_http_reason(http_status);
    const char *words = http_status == 405
                            ? "The method is not allowed for the requested URL."
                            : "The requested URL was not found on the server. If you entered the "
                              "URL manually please check your spelling and try again.";
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/html; charset=utf-8"));
    ax_writer_print(ax_exchange_body(call->exchange),
                    "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n"
                    "<p>%s</p>\n",
                    http_status, title, title, words);
}

void
ax_mlflow_refuse(struct ax_call *call, int http_status, ax_str words, ax_str code)
{
    if (ax_str_eq(code, AX_STR("guard"))) {
        ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/plain"));
        ax_writer_bytes(ax_exchange_body(call->exchange), words);
        return;
    }
    if (!call->route && (http_status == 404 || http_status == 405)) {
        refuse_html(call, http_status);
        return;
    }
    if (code.len == 0)
        code = code_of(http_status);
    if (http_status == 409) /* MLflow's client knows it by the code */
        ax_exchange_set_status(call->exchange, 400);
    ax_mlflow_headers(call);
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("application/json"));
    call->json = ax_json_writer_of(ax_exchange_body(call->exchange));
    struct ax_json_writer *json = &call->json;
    ax_json_begin_object(json);
    ax_json_member_text(json, "error_code", code);
    ax_json_member_text(json, "message", words);
    if (http_status < 500) {
        ax_json_member_text(json, "sqlstate", AX_STR("KAM00"));
        ax_json_member_text(json, "error_class", class_of(code));
    }
    ax_json_end_object(json);
}

/* ---- who may speak where nobody is asked for credentials ---- */

static ax_str
without_port(ax_str host)
{
    if (ax_str_starts(host, AX_STR("["))) {
        const char *end = memchr(host.at, ']', host.len);
        return end ? (ax_str){host.at, (size_t)(end - host.at) + 1} : host;
    }
    ax_str rest = host, name = host;
    (void)ax_str_cut(&rest, ':', &name);
    return name;
}

/* 10.*, 192.168.*, 172.16 to 172.31.* */
static bool
is_private(ax_str host)
{
    int64_t second;
    ax_str rest = host, first = AX_STR(""), part;
    (void)ax_str_cut(&rest, '.', &first);
    bool cut = ax_str_cut(&rest, '.', &part) && ax_parse_i64(part, &second);
    for (size_t i = 0; i < host.len; i++)
        cut &= (host.at[i] >= '0' && host.at[i] <= '9') || host.at[i] == '.';
    if (!cut)
        return false;
    return ax_str_eq(first, AX_STR("10")) || (ax_str_eq(first, AX_STR("192")) && second == 168) ||
           (ax_str_eq(first, AX_STR("172")) && second >= 16 && second <= 31);
}

static bool
is_own(ax_str host)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]", "0.0.0.0"};
    ax_str name = without_port(host);
    for (size_t i = 0; i < AX_COUNT_OF(own); i++)
        if (ax_str_eq_ignoring_case(name, ax_str_of(own[i])))
            return true;
    return is_private(name);
}

int
ax_mlflow_guard(const struct ax_call *call, ax_str *out_words)
{
    ax_str origin = ax_http_header_find(call->request, AX_STR("origin"));
    enum ax_http_method method = call->request->method;
    for (size_t i = 0; i < AX_ROUTE_PARAMETERS_MAX; i++)
        if (!ax_utf8_ok(call->parameters[i])) {
            *out_words = AX_STR("the path is no UTF-8");
            return 400;
        }
    if (call->services->governed)
        return 0;
    if (call->request->host.len > 0 && !is_own(call->request->host)) {
        *out_words = AX_STR("Invalid Host header - possible DNS rebinding attack detected");
        return 403;
    }
    size_t scheme = ax_str_find(origin, AX_STR("://"));
    bool foreign =
        origin.len > 0 && (scheme == SIZE_MAX || !is_own(ax_str_from(origin, scheme + 3)));
    if (foreign && method != AX_HTTP_GET && method != AX_HTTP_HEAD && method != AX_HTTP_OPTIONS) {
        *out_words = AX_STR("Cross-origin request blocked");
        return 403;
    }
    return 0;
}

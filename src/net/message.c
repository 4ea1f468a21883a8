#include "net/message.h"

#include <string.h>

#include "base/alloc.h"

bool
ax_message_init(struct ax_message *message, const struct ax_http_limits *limits)
{
    *message = (struct ax_message){
        .head = ax_alloc(1, limits->head_bytes_max),
        .head_bytes_max = limits->head_bytes_max,
        .headers = ax_alloc(sizeof(struct ax_http_header), limits->header_count_max),
        .header_count_max = limits->header_count_max,
        .body = ax_writer_of(limits->body_bytes_max),
    };
    if (!message->head || !message->headers) {
        ax_message_done(message);
        return false;
    }
    ax_message_reset(message);
    return true;
}

void
ax_message_done(struct ax_message *message)
{
    if (message->inflater)
        ax_inflater_free(message->inflater);
    ax_writer_free(&message->body);
    ax_free(message->headers);
    ax_free(message->head);
    *message = (struct ax_message){};
}

void
ax_message_reset(struct ax_message *message)
{
    static const ax_str none = {"", 0};
    message->head_len = message->piece_at = 0;
    message->request = (struct ax_http_request){
        .method = AX_HTTP_OTHER,
        .method_text = none,
        .target = none,
        .path = none,
        .query = none,
        .host = none,
        .headers = message->headers,
        .body = none,
    };
    if (message->inflater)
        ax_inflater_free(message->inflater);
    message->inflater = NULL;
    ax_writer_clear(&message->body);
}

bool
ax_message_gather(struct ax_message *message, ax_str bytes)
{
    if (bytes.len > message->head_bytes_max - message->head_len)
        return false;
    if (bytes.len > 0)
        memcpy(message->head + message->head_len, bytes.at, bytes.len);
    message->head_len += bytes.len;
    return true;
}

ax_str
ax_message_cut(struct ax_message *message)
{
    ax_str piece = {message->head + message->piece_at, message->head_len - message->piece_at};
    message->piece_at = message->head_len;
    return piece;
}

bool
ax_message_add_header(struct ax_message *message, ax_str name, ax_str value)
{
    if (message->request.header_count == message->header_count_max)
        return false;
    message->headers[message->request.header_count++] =
        (struct ax_http_header){.name = name, .value = value};
    return true;
}

void
ax_message_set_method(struct ax_message *message, ax_str method)
{
    static const ax_str names[] = {
#define X(name) {#name, sizeof #name - 1},
        AX_HTTP_METHOD_MAP(X)
#undef X
    };
    message->request.method_text = method;
    message->request.method = AX_HTTP_OTHER;
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (ax_str_eq(method, names[i]))
            message->request.method = (enum ax_http_method)i;
}

/* The authority of an absolute target is dropped: there is one host here (RFC 9112 3.2.2). */
static ax_str
origin_form(ax_str target)
{
    static const ax_str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < AX_COUNT_OF(schemes); i++) {
        if (target.len < schemes[i].len ||
            !ax_str_eq_ignoring_case((ax_str){target.at, schemes[i].len}, schemes[i]))
            continue;
        ax_str rest = ax_str_from(target, schemes[i].len);
        size_t end = 0;
        while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
            end++;
        ax_str path = ax_str_from(rest, end);
        if (end == 0)
            return (ax_str){"", 0};
        return path.len > 0 ? path : AX_STR("/");
    }
    return target;
}

bool
ax_message_set_target(struct ax_message *message, ax_str target)
{
    struct ax_http_request *request = &message->request;
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.at[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return false;
    }
    request->target = target;
    ax_str path = origin_form(target);
    bool any_host = ax_str_eq(path, AX_STR("*"));
    bool origin = path.at != target.at || (path.len > 0 && path.at[0] == '/');
    if (any_host ? request->method != AX_HTTP_OPTIONS : path.len == 0 || !origin)
        return false;
    const char *mark = memchr(path.at, '?', path.len);
    size_t path_len = mark ? (size_t)(mark - path.at) : path.len;
    request->query = mark ? ax_str_from(path, path_len + 1) : (ax_str){"", 0};
    request->path = path_len > 0 ? (ax_str){path.at, path_len} : AX_STR("/");
    return true;
}

bool
ax_message_set_coding(struct ax_message *message, enum ax_compress_coding coding)
{
    if (coding == AX_COMPRESS_IDENTITY)
        return true;
    message->inflater = ax_inflater_new(coding);
    return message->inflater != NULL;
}

ax_status
ax_message_add_body(struct ax_message *message, ax_str bytes)
{
    struct ax_writer *body = &message->body;
    if (message->inflater)
        return ax_inflater_add(message->inflater, bytes, body);
    if (bytes.len > body->len_max - body->len)
        return AX_LIMIT;
    ax_writer_bytes(body, bytes);
    return body->status == AX_OK ? AX_OK : AX_UNAVAILABLE;
}

bool
ax_message_end_body(struct ax_message *message)
{
    message->request.body = ax_writer_str(&message->body);
    return !message->inflater || ax_inflater_done(message->inflater);
}

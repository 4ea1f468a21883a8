/* Refusals as application/problem+json (RFC 9457), and in the plain form. */
#include "api/route.h"

/* What stands for a status when nobody gave a more telling word. */
static ax_str
plain_code(int http_status)
{
    switch (http_status) {
    case 400:
        return AX_STR("invalid");
    case 401:
        return AX_STR("unauthenticated");
    case 403:
        return AX_STR("denied");
    case 404:
        return AX_STR("not_found");
    case 405:
        return AX_STR("method_not_allowed");
    case 409:
        return AX_STR("conflict");
    case 413:
        return AX_STR("too_large");
    case 429:
        return AX_STR("limit");
    case 501:
        return AX_STR("unsupported");
    case 503:
        return AX_STR("unavailable");
    case 504:
        return AX_STR("timeout");
    default:
        return http_status < 500 ? AX_STR("invalid") : AX_STR("internal");
    }
}

void
ax_problem_refuse(struct ax_call *call, int http_status, ax_str words, ax_str code)
{
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("application/problem+json"));
    call->json = ax_json_writer_of(ax_exchange_body(call->exchange));
    struct ax_json_writer *json = &call->json;
    ax_json_begin_object(json);
    ax_json_member_text(json, "type", AX_STR("about:blank"));
    ax_json_member_text(json, "title", ax_str_of(ax_http_reason(http_status)));
    ax_json_member_i64(json, "status", http_status);
    ax_json_member_text(json, "code", code.len ? code : plain_code(http_status));
    ax_json_member_text(json, "detail", words);
    ax_json_member_text(json, "request_id", ax_exchange_request_id(call->exchange));
    ax_json_end_object(json);
}

void
ax_problem_refuse_plain(struct ax_call *call, int, ax_str words, ax_str)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "error", words);
    ax_json_end_object(json);
}

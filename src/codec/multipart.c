#include "codec/multipart.h"

enum { BOUNDARY_BYTES_MAX = 70 }; /* RFC 2046 */

/* A parameter of a header such as `form-data; name="data"; filename="x"`; "" when absent. */
static ax_str
parameter(ax_str header, ax_str name)
{
    ax_str part;
    while (header.len && ax_str_cut(&header, ';', &part)) {
        ax_str key;
        if (!ax_str_cut(&part, '=', &key) || !ax_str_eq_ignoring_case(ax_str_trim(key), name))
            continue;
        ax_str value = ax_str_trim(part);
        if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
            return (ax_str){value.at + 1, value.len - 2};
        return value;
    }
    return AX_STR("");
}

/* The next line without its end; false when no line ends in what is left. */
static bool
next_line(ax_str *rest, ax_str *out_line)
{
    size_t end = ax_str_find(*rest, AX_STR("\r\n"));
    if (end == SIZE_MAX)
        return false;
    *out_line = (ax_str){rest->at, end};
    *rest = ax_str_from(*rest, end + 2);
    return true;
}

/* Passes over a part's headers; whether they name it so. */
static bool
read_headers(ax_str *rest, ax_str name, bool *out_named)
{
    ax_str line, key;
    *out_named = false;
    while (next_line(rest, &line)) {
        if (line.len == 0)
            return true;
        if (ax_str_cut(&line, ':', &key) &&
            ax_str_eq_ignoring_case(ax_str_trim(key), AX_STR("content-disposition")))
            *out_named |= ax_str_eq(parameter(line, AX_STR("name")), name);
    }
    return false;
}

ax_status
ax_multipart_find(struct ax_ctx *ctx, ax_str content_type, ax_str body, ax_str name,
                  ax_str *out_bytes)
{
    ax_str boundary = parameter(content_type, AX_STR("boundary"));
    if (boundary.len == 0 || boundary.len > BOUNDARY_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a multipart body needs a boundary of 1 to %d characters",
                       (int)BOUNDARY_BYTES_MAX);
    ax_str first = ax_str_printf(ctx->arena, "--%.*s", AX_FMT(boundary));
    ax_str next = ax_str_printf(ctx->arena, "\r\n--%.*s", AX_FMT(boundary));
    if (!first.at || !next.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a multipart body");
    size_t at = ax_str_starts(body, first) ? 0 : ax_str_find(body, next);
    ax_str rest = at == SIZE_MAX ? AX_STR("") : ax_str_from(body, at + (at ? next.len : first.len));
    ax_str line;
    while (next_line(&rest, &line) && !ax_str_starts(line, AX_STR("--"))) {
        bool named;
        if (!read_headers(&rest, name, &named))
            break;
        size_t end = ax_str_starts(rest, ax_str_from(next, 2)) ? 0 : ax_str_find(rest, next);
        if (end == SIZE_MAX)
            break;
        if (named) {
            *out_bytes = (ax_str){rest.at, end};
            return AX_OK;
        }
        rest = ax_str_from(rest, end + next.len);
    }
    return ax_fail(ctx, AX_INVALID, "the multipart body has no complete part named '%.*s'",
                   AX_FMT(name));
}

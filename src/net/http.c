#include "net/http.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"

enum { SECONDS_PER_DAY = 86'400, WEEKDAY_OF_1970 = 4, WEIGHT_MAX = 1000 };

#define NS_PER_SECOND INT64_C(1'000'000'000)

ax_str
ax_http_header_find(const struct ax_http_request *request, ax_str name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.len == name.len &&
            ax_str_eq_ignoring_case(request->headers[i].name, name))
            return request->headers[i].value;
    return (ax_str){};
}

bool
ax_http_header_lists(const struct ax_http_request *request, ax_str name, ax_str token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (!ax_str_eq_ignoring_case(request->headers[i].name, name))
            continue;
        ax_str rest = request->headers[i].value, item;
        while (ax_str_cut(&rest, ',', &item))
            if (ax_str_eq_ignoring_case(ax_str_trim(item), token))
                return true;
    }
    return false;
}

/* Of one item of a list: "gzip;q=0.5" weighs 500; what is no number weighs nothing. */
static int
weight_of(ax_str item, ax_str *out_name)
{
    ax_str part;
    bool named = ax_str_cut(&item, ';', &part);
    *out_name = named ? ax_str_trim(part) : (ax_str){"", 0};
    double weight = 1;
    while (ax_str_cut(&item, ';', &part)) {
        ax_str word = ax_str_trim(part);
        if (word.len < 2 || (word.at[0] | 32) != 'q' || word.at[1] != '=')
            continue;
        if (!ax_parse_f64(ax_str_from(word, 2), &weight) || !(weight >= 0 && weight <= 1))
            weight = 0;
    }
    return (int)(weight * WEIGHT_MAX);
}

int
ax_http_coding_weight(const struct ax_http_request *request, ax_str coding)
{
    int any = ax_str_eq(coding, AX_STR("identity")) ? 1 : 0; /* nobody has to name it */
    for (size_t i = 0; i < request->header_count; i++) {
        if (!ax_str_eq_ignoring_case(request->headers[i].name, AX_STR("accept-encoding")))
            continue;
        ax_str rest = request->headers[i].value, item, name;
        while (ax_str_cut(&rest, ',', &item)) {
            int weight = weight_of(item, &name);
            if (ax_str_eq_ignoring_case(name, coding))
                return weight;
            if (ax_str_eq(name, AX_STR("*")))
                any = weight;
        }
    }
    return any;
}

ax_str
ax_http_query_find(ax_str query, ax_str name)
{
    ax_str pair;
    while (ax_str_cut(&query, '&', &pair)) {
        ax_str value = pair, key;
        if (ax_str_cut(&value, '=', &key) && ax_str_eq(key, name))
            return value.at ? value : (ax_str){"", 0};
    }
    return (ax_str){};
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static ax_status
decode(struct ax_ctx *ctx, ax_str text, bool plus_is_space, ax_str *out_text)
{
    char *out = ax_arena_alloc(ctx->arena, 1, text.len + 1);
    if (!out)
        return ax_fail(ctx, AX_LIMIT, "no memory to decode %zu bytes", text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = text.len - i > 2 ? hex_digit(text.at[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return ax_fail(ctx, AX_INVALID,
                               "'%%' at byte %zu is not followed by two hex digits", i);
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return ax_fail(ctx, AX_INVALID, "a NUL byte is encoded at byte %zu", i);
        out[len++] = c;
    }
    *out_text = (ax_str){out, len};
    return AX_OK;
}

ax_status
ax_http_query_decode(struct ax_ctx *ctx, ax_str value, ax_str *out_text)
{
    return decode(ctx, value, true, out_text);
}

ax_status
ax_http_path_decode(struct ax_ctx *ctx, ax_str segment, ax_str *out_text)
{
    return decode(ctx, segment, false, out_text);
}

/* Source: RFC 9110 section 15; 428, 429, 431 and 511 from RFC 6585. */
static const struct {
    int status;
    const char *text;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

const char *
ax_http_reason(int status)
{
    for (size_t i = 0; i < AX_COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

bool
ax_http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

bool
ax_http_name_ok(ax_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

bool
ax_http_value_ok(ax_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Year, month and day from days since 1970. Source: H. Hinnant, chrono-compatible algorithms. */
static void
date_of(int64_t days, int *out_year, int *out_month, int *out_day)
{
    days += 719'468;
    int64_t era = days / 146'097;
    int64_t day_of_era = days - era * 146'097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *out_day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *out_month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *out_year = (int)(year_of_era + era * 400 + (*out_month <= 2));
}

ax_str
ax_http_date(struct ax_http_date *cache, int64_t real_ns)
{
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t second = real_ns < 0 ? 0 : real_ns / NS_PER_SECOND;
    if (cache->len > 0 && cache->second == second)
        return (ax_str){cache->text, cache->len};
    int64_t days = second / SECONDS_PER_DAY;
    int of_day = (int)(second % SECONDS_PER_DAY), year, month, day;
    date_of(days, &year, &month, &day);
    int len = snprintf(cache->text, sizeof cache->text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                       weekdays[(days + WEEKDAY_OF_1970) % 7], day, months[month - 1], year,
                       of_day / 3'600, of_day / 60 % 60, of_day % 60);
    AX_ASSERT(len > 0 && (size_t)len < sizeof cache->text);
    cache->second = second;
    cache->len = (size_t)len;
    return (ax_str){cache->text, cache->len};
}

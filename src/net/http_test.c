#include "net/http.h"

#include "harness.h"

static const struct ax_http_header headers[] = {
    {AX_STR("Host"), AX_STR("a")},
    {AX_STR("accept-encoding"), AX_STR("br;q=1, GZIP , x")},
    {AX_STR("Accept-Encoding"), AX_STR("zstd")},
};
static const struct ax_http_request request = {.headers = headers,
                                               .header_count = AX_COUNT_OF(headers)};

TEST(headers_are_found_in_any_case)
{
    CHECK_STR(ax_http_header_find(&request, AX_STR("HOST")), "a");
    CHECK_STR(ax_http_header_find(&request, AX_STR("Accept-Encoding")), "br;q=1, GZIP , x");
    CHECK(ax_http_header_find(&request, AX_STR("Hos")).at == NULL);
    CHECK(ax_http_header_lists(&request, AX_STR("Accept-Encoding"), AX_STR("gzip")));
    CHECK(ax_http_header_lists(&request, AX_STR("Accept-Encoding"), AX_STR("zstd")));
    CHECK(!ax_http_header_lists(&request, AX_STR("Accept-Encoding"), AX_STR("br")));
    CHECK(!ax_http_header_lists(&request, AX_STR("Accept"), AX_STR("gzip")));
}

TEST(queries_are_searched_as_sent)
{
    static const struct {
        const char *query, *name, *want;
    } cases[] = {
        {"a=1&b=2", "a", "1"}, {"a=1&b=2", "b", "2"}, {"a=1&b=2", "c", NULL}, {"a=x=y", "a", "x=y"},
        {"a", "a", ""},        {"a=", "a", ""},       {"", "a", NULL},        {"&&a=1", "a", "1"},
        {"a=1&a=2", "a", "1"}, {"ab=1", "a", NULL},   {"%61=1", "a", NULL},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str got = ax_http_query_find(ax_str_of(cases[i].query), ax_str_of(cases[i].name));
        CHECK_EQ(got.at != NULL, cases[i].want != NULL);
        if (got.at && cases[i].want)
            CHECK(ax_str_eq(got, ax_str_of(cases[i].want)));
    }
}

static void
decode(struct ax_ctx *ctx)
{
    static const struct {
        const char *in, *path, *query; /* NULL: refused */
    } cases[] = {
        {"", "", ""},
        {"a%20b+c", "a b+c", "a b c"},
        {"%2F%2f", "//", "//"},
        {"%", NULL, NULL},
        {"%4", NULL, NULL},
        {"a%4", NULL, NULL},
        {"%4g", NULL, NULL},
        {"%00", NULL, NULL},
        {"%e2%82%ac", "\xe2\x82\xac", "\xe2\x82\xac"},
        {"%41%42", "AB", "AB"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str text = {};
        ax_status status = ax_http_path_decode(ctx, ax_str_of(cases[i].in), &text);
        CHECK_EQ(status, cases[i].path ? AX_OK : AX_INVALID);
        if (cases[i].path)
            CHECK(ax_str_eq(text, ax_str_of(cases[i].path)));
        status = ax_http_query_decode(ctx, ax_str_of(cases[i].in), &text);
        CHECK_EQ(status, cases[i].query ? AX_OK : AX_INVALID);
        if (cases[i].query)
            CHECK(ax_str_eq(text, ax_str_of(cases[i].query)));
    }
}

TEST(percent_escapes_are_decoded_or_refused)
{
    ax_test_with_ctx(decode);
}

static ax_status
decode_once(struct ax_ctx *ctx)
{
    ax_str text;
    return ax_http_path_decode(ctx, AX_STR("a%20b"), &text);
}

TEST(decoding_survives_every_fault)
{
    FAULT_SWEEP(decode_once);
}

TEST(dates_are_written_as_the_standard_says)
{
    static const struct {
        int64_t second;
        const char *want;
    } cases[] = {
        {784'111'777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110's own example */
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {951'782'400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1'795'478'400, "Tue, 24 Nov 2026 00:00:00 GMT"},
        {4'107'542'399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4'107'542'400, "Mon, 01 Mar 2100 00:00:00 GMT"},
    };
    struct ax_http_date cache = {};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK(ax_str_eq(ax_http_date(&cache, cases[i].second * 1'000'000'000),
                        ax_str_of(cases[i].want)));
        CHECK(ax_str_eq(ax_http_date(&cache, cases[i].second * 1'000'000'000 + 999'999'999),
                        ax_str_of(cases[i].want)));
    }
}

TEST(what_may_stand_in_a_header)
{
    CHECK(ax_http_name_ok(AX_STR("X-a.b_c!#$%&'*+^`|~9")));
    CHECK(!ax_http_name_ok(AX_STR("")));
    CHECK(!ax_http_name_ok(AX_STR("a b")));
    CHECK(!ax_http_name_ok(AX_STR("a:")));
    CHECK(!ax_http_name_ok(AX_STR("a\0")));
    CHECK(!ax_http_name_ok(AX_STR("\xc3\xa4")));
    CHECK(ax_http_value_ok(AX_STR("")));
    CHECK(ax_http_value_ok(AX_STR("a b\t\xc3\xa4")));
    CHECK(!ax_http_value_ok(AX_STR("a\r\nb")));
    CHECK(!ax_http_value_ok(AX_STR("a\0b")));
    CHECK(!ax_http_value_ok(AX_STR("\x7f")));
    CHECK(strcmp(ax_http_reason(431), "Request Header Fields Too Large") == 0);
    CHECK(strcmp(ax_http_reason(299), "Unknown") == 0);
    CHECK(ax_http_status_has_body(200) && !ax_http_status_has_body(204) &&
          !ax_http_status_has_body(304));
}

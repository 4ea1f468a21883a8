#include "net/message.h"

#include "harness.h"

static const struct {
    const char *method, *target;
    bool ok;
    const char *path, *query;
} targets[] = {
    {"GET", "/", true, "/", ""},
    {"GET", "/a/b%20c", true, "/a/b%20c", ""},
    {"GET", "/a?b=c?d", true, "/a", "b=c?d"},
    {"GET", "/?", true, "/", ""},
    {"GET", "http://example.org", true, "/", ""},
    {"GET", "HTTP://example.org/x?y", true, "/x", "y"},
    {"GET", "https://example.org?y", true, "/", "y"},
    {"OPTIONS", "*", true, "*", ""},
    {"OPTIONS", "/x", true, "/x", ""},
    {"GET", "*", false, "", ""},
    {"GET", "", false, "", ""},
    {"GET", "x", false, "", ""},
    {"GET", "?x", false, "", ""},
    {"GET", "http://", false, "", ""},
    {"GET", "http:///x", false, "", ""},
    {"GET", "/a b", false, "", ""},
    {"GET", "/a#b", false, "", ""},
    {"GET", "/\x7f", false, "", ""},
    {"GET", "/\xff", false, "", ""},
};

TEST(a_target_is_split_into_path_and_query)
{
    struct ax_http_limits limits = ax_http_limits_default();
    struct ax_message message;
    CHECK(ax_message_init(&message, &limits));
    for (size_t i = 0; i < AX_COUNT_OF(targets); i++) {
        ax_message_reset(&message);
        ax_message_set_method(&message, ax_str_of(targets[i].method));
        bool ok = ax_message_set_target(&message, ax_str_of(targets[i].target));
        if (ok != targets[i].ok)
            ax_test_failed(__FILE__, __LINE__, "%s is taken: %d", targets[i].target, ok);
        if (!ok)
            continue;
        CHECK(ax_str_eq(message.request.path, ax_str_of(targets[i].path)));
        CHECK(ax_str_eq(message.request.query, ax_str_of(targets[i].query)));
        CHECK(ax_str_eq(message.request.target, ax_str_of(targets[i].target)));
    }
    ax_message_done(&message);
}

TEST(methods_are_told_apart_by_case)
{
    struct ax_http_limits limits = ax_http_limits_default();
    struct ax_message message;
    CHECK(ax_message_init(&message, &limits));
    ax_message_set_method(&message, AX_STR("DELETE"));
    CHECK_EQ(message.request.method, AX_HTTP_DELETE);
    ax_message_set_method(&message, AX_STR("get"));
    CHECK_EQ(message.request.method, AX_HTTP_OTHER);
    CHECK_STR(message.request.method_text, "get");
    ax_message_done(&message);
}

TEST(a_message_gathers_to_its_limits_and_no_further)
{
    struct ax_http_limits limits = {.head_bytes_max = 8, .header_count_max = 1};
    struct ax_message message;
    CHECK(ax_message_init(&message, &limits));
    CHECK(ax_message_gather(&message, AX_STR("abc")));
    CHECK(ax_message_gather(&message, AX_STR("de")));
    ax_str name = ax_message_cut(&message);
    CHECK_STR(name, "abcde");
    CHECK(!ax_message_gather(&message, AX_STR("1234")));
    CHECK(ax_message_gather(&message, AX_STR("123")));
    CHECK_STR(ax_message_cut(&message), "123");
    CHECK_STR(ax_message_cut(&message), "");
    CHECK(ax_message_add_header(&message, name, name));
    CHECK(!ax_message_add_header(&message, name, name));
    ax_message_reset(&message);
    CHECK_EQ(message.request.header_count, 0);
    CHECK(ax_message_gather(&message, AX_STR("12345678")));
    ax_message_done(&message);
}

static ax_status
init_and_done(struct ax_ctx *ctx)
{
    struct ax_http_limits limits = ax_http_limits_default();
    struct ax_message message;
    if (!ax_message_init(&message, &limits))
        return ax_fail(ctx, AX_LIMIT, "no memory");
    ax_message_done(&message);
    return AX_OK;
}

TEST(a_message_survives_every_fault_of_its_making)
{
    FAULT_SWEEP(init_and_done);
}

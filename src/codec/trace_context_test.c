#include "codec/trace_context.h"

#include "harness.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

/* The recommendation's examples, and the cases of its own test suite (w3c/trace-context). */
TEST(trace_context_takes_what_the_recommendation_allows)
{
    static const struct {
        const char *header;
        bool ok;
        int flags;
    } cases[] = {
        {"00-" TRACE "-" PARENT "-01", true, 1},
        {"00-" TRACE "-" PARENT "-00", true, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, 1},
        {"00-" TRACE "-" PARENT "-03", true, 3},
        {"00-" TRACE "-" PARENT "-ff", true, 3}, /* flags that nobody knows are not passed on */
        {"cc-" TRACE "-" PARENT "-01", true, 1},
        {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", true, 1},
        {"cc-" TRACE "-" PARENT "-01.what-the-future-will-be-like", false, 0},
        {"ff-" TRACE "-" PARENT "-01", false, 0},
        {"00-" TRACE "-" PARENT "-01.", false, 0},
        {"00-" TRACE "-" PARENT "-01-what-the-future-will-be-like", false, 0},
        {"00-00000000000000000000000000000000-" PARENT "-01", false, 0},
        {"00-" TRACE "-0000000000000000-01", false, 0},
        {"00-.2345678901234567890123456789012-" PARENT "-01", false, 0},
        {"00-" TRACE "-.234567890123456-01", false, 0},
        {"00-1234567890123456789012345678901-" PARENT "-01", false, 0},
        {"00-" TRACE "1-" PARENT "-01", false, 0},
        {"00-" TRACE "-123456789012345-01", false, 0},
        {"00-" TRACE "-" PARENT "1-01", false, 0},
        {"00-" TRACE "-" PARENT "-.0", false, 0},
        {"00-" TRACE "-" PARENT "-0.", false, 0},
        {"00-" TRACE "-" PARENT "-1", false, 0},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false, 0},
        {".0-" TRACE "-" PARENT "-01", false, 0},
        {"0-" TRACE "-" PARENT "-01", false, 0},
        {"000-" TRACE "-" PARENT "-01", false, 0},
        {"00_" TRACE "-" PARENT "-01", false, 0},
        {"00-" TRACE "_" PARENT "-01", false, 0},
        {"00-" TRACE "-" PARENT "_01", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_trace_context context = {.flags = 77};
        bool ok = ax_trace_context_parse(ax_str_of(cases[i].header), &context);
        if (ok != cases[i].ok || context.flags != (ok ? cases[i].flags : 77))
            ax_test_failed(__FILE__, __LINE__, "%s: %d, flags %d", cases[i].header, ok,
                           context.flags);
    }
}

TEST(trace_context_is_written_as_it_was_read)
{
    static const char header[] = "00-" TRACE "-" PARENT "-01";
    struct ax_trace_context context;
    char text[AX_TRACE_PARENT_BYTES];
    REQUIRE(ax_trace_context_parse(ax_str_of(header), &context));
    CHECK_EQ(ax_trace_context_number(context.parent_id), INT64_C(0x00f067aa0ba902b7));
    ax_trace_context_format(&context, text);
    CHECK_STR(((ax_str){text, sizeof text}), header);
    ax_trace_context_hex(UINT64_C(0xfedcba9876543210), context.parent_id);
    CHECK_STR(((ax_str){context.parent_id, AX_TRACE_SPAN_BYTES}), "fedcba9876543210");
}

TEST(trace_context_passes_on_only_sound_states)
{
    static const struct {
        const char *state;
        bool ok;
    } cases[] = {
        {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true},
        {"congo=ucfJifl5GOE,rojo=00f067aa0ba902b7", true},
        {"vendorname1=opaqueValue1,vendorname2=opaqueValue2", true},
        {"foo=1 \t , \t bar=2, \t baz=3", true},
        {"foo=1,,bar=2,", true},
        {"fw529a3039@dt=FfUgAAIjQ", true},
        {"foo@vendor=1,bar@vendor=2", true},
        {"0a=1", true},
        {"a_b-c*d/e=1", true},
        {"foo= 1", true},
        {"foo=1=2", false},
        {"foo=", false},
        {"foo", false},
        {"=1", false},
        {"foo=1,foo=2", false},
        {"foo =1", false},
        {"FOO=1", false},
        {"foo.bar=1", false},
        {"foo@=1,bar=2", false},
        {"@foo=1,bar=2", false},
        {"foo@@bar=1,bar=2", false},
        {"foo@bar@baz=1,bar=2", false},
        {"foo@1bar=1", false},
        {"foo@aaaaaaaaaaaaaaa=1", false},
        {"foo=\x7f", false},
        {"foo=\xe9", false},
        {"", false},
        {" ,\t,", false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        if (ax_trace_context_state_ok(ax_str_of(cases[i].state)) != cases[i].ok)
            ax_test_failed(__FILE__, __LINE__, "'%s' is %s", cases[i].state,
                           cases[i].ok ? "refused" : "passed on");
}

TEST(trace_context_bounds_the_members_of_a_state)
{
    char text[600];
    size_t len = 0;
    for (int i = 0; i < 33; i++) {
        CHECK_EQ(ax_trace_context_state_ok((ax_str){text, len}), i > 0);
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%sbar%02d=%02d", i ? "," : "", i, i);
    }
    CHECK(!ax_trace_context_state_ok((ax_str){text, len}));
    memset(text, 'v', sizeof text);
    memcpy(text, "a=", 2);
    CHECK(ax_trace_context_state_ok((ax_str){text, 2 + 256}));
    CHECK(!ax_trace_context_state_ok((ax_str){text, 2 + 257}));
    memset(text, 'k', sizeof text);
    memcpy(text + 256, "=1", 2);
    CHECK(ax_trace_context_state_ok((ax_str){text, 258}));
    memcpy(text + 256, "k=1", 3);
    CHECK(!ax_trace_context_state_ok((ax_str){text, 259}));
}

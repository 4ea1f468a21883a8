#include <math.h>

#include "codec/json.h"
#include "harness.h"

TEST(json_writing_sees_to_commas_and_escapes)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "te\"xt", AX_STR("a\n\t\"\\\x01\x7f\xc3\xa9/"));
    ax_json_member_i64(&json, "i", INT64_MIN);
    ax_json_member_f64(&json, "f", 0.1);
    ax_json_member_bool(&json, "b", false);
    ax_json_key(&json, "list");
    ax_json_begin_array(&json);
    ax_json_put_u64(&json, UINT64_MAX);
    ax_json_put_f32(&json, 0.1f);
    ax_json_put_f64(&json, (double)NAN);
    ax_json_put_f32(&json, INFINITY);
    ax_json_begin_array(&json);
    ax_json_end_array(&json);
    ax_json_begin_object(&json);
    ax_json_end_object(&json);
    ax_json_put_bool(&json, true);
    ax_json_put_raw(&json, AX_STR("{\"raw\":1}"));
    ax_json_end_array(&json);
    ax_json_key_str(&json, AX_STR("last"));
    ax_json_put_null(&json);
    ax_json_end_object(&json);
    CHECK_STR(ax_writer_str(&out),
              "{\"te\\\"xt\":\"a\\n\\t\\\"\\\\\\u0001\x7f\xc3\xa9/\",\"i\":-9223372036854775808,"
              "\"f\":0.1,\"b\":false,\"list\":[18446744073709551615,0.1,null,null,[],{},true,"
              "{\"raw\":1}],\"last\":null}");
    CHECK_EQ(out.status, AX_OK);
}

TEST(json_writing_mends_text_that_is_not_utf_8)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"\xff", "\"\xef\xbf\xbd\""},
        {"a\xc3", "\"a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\b\f\r", "\"\\b\\f\\r\""},
        {"", "\"\""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        struct ax_json_writer json = ax_json_writer_of(&out);
        ax_json_put_text(&json, ax_str_of(cases[i].in));
        CHECK(ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].want)));
    }
}

/* Whatever bytes a string has, the text that comes out is read back by the strict reader. */
static void
every_byte(struct ax_ctx *ctx)
{
    for (unsigned first = 0; first < 256; first++) {
        char bytes[2] = {(char)(unsigned char)first, 'x'};
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        struct ax_json_writer json = ax_json_writer_of(&out);
        ax_json_put_text(&json, (ax_str){bytes, 2});
        const struct ax_json *back = NULL;
        ax_str text = {};
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &back), AX_OK);
        CHECK(ax_json_text(back, &text));
        CHECK(first >= 0x80 || ax_str_eq(text, (ax_str){bytes, 2}));
    }
}

TEST(json_writing_is_read_back_whatever_the_bytes)
{
    ax_test_with_ctx(every_byte);
}

/* A value that was read stands between others, with the commas that are due. */
static void
values_read(struct ax_ctx *ctx)
{
    static const char text[] = "{\"a\":[1,{\"b\":2.5},\"x\"],\"c\":null,\"d\":true}";
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10);
    struct ax_json_writer json = ax_json_writer_of(&out);
    const struct ax_json *value;
    REQUIRE(ax_json_parse(ctx, ax_str_of(text), NULL, &value) == AX_OK);
    ax_json_begin_object(&json);
    struct ax_json_iter it = ax_json_iter_of(value);
    while (ax_json_next(&it)) {
        ax_json_key_str(&json, it.key);
        ax_json_put(&json, it.value);
    }
    ax_json_end_object(&json);
    CHECK(ax_str_eq(ax_writer_str(&out), ax_str_of(text)));
}

TEST(json_writing_takes_values_that_were_read)
{
    ax_test_with_ctx(values_read);
}

/* What was cut short elsewhere is not passed on as if it were whole. */
TEST(json_writer_takes_over_what_failed_elsewhere)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10), small = ax_writer_of(4);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_writer_text(&small, "[1]");
    ax_json_begin_array(&json);
    ax_json_put_text_from(&json, &small);
    ax_json_end_array(&json);
    CHECK_STR(ax_writer_str(&out), "[\"[1]\"]");
    CHECK_EQ(out.status, AX_OK);
    ax_writer_text(&small, "too long");
    CHECK(small.status != AX_OK);
    ax_json_put_text_from(&json, &small);
    CHECK_EQ(out.status, AX_LIMIT);
}

#include "codec/json.h"

#include <math.h>

#include "harness.h"

static ax_status
parse(struct ax_ctx *ctx, const char *text, const struct ax_json **out)
{
    return ax_json_parse(ctx, ax_str_of(text), NULL, out);
}

static void
strictness(struct ax_ctx *ctx)
{
    static const char *const bad[] = {
        "",
        " ",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "1e999",
        "-1e999",
        "0x10",
        "[1] x",
        "[1][2]",
        "[1",
        "{\"a\":",
        "/*c*/1",
        "1 // c",
        "'a'",
        "\"\t\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud8\"",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "nan",
        "tru",
        "nulll",
        "\xef\xbb\xbf\x31",
        "{\"a\":1,\"a\":2}",
        "{a:1}",
        "{\"a\" 1}",
        "[1 2]",
        "{\"a\":1,\"\\u0061\":2}",
        "\"",
        "\"\\ud800x\"",
    };
    const struct ax_json *json;
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        ctx->error[0] = '\0';
        ax_status status = parse(ctx, bad[i], &json);
        if (status != AX_INVALID || !ctx->error[0])
            ax_test_failed(__FILE__, __LINE__, "'%s' gave %s '%s'", bad[i], ax_status_name(status),
                           ctx->error);
    }
    CHECK_EQ(ax_json_parse(ctx, AX_STR("1\0"), NULL, &json), AX_INVALID);
    static const char *const good[] = {"0",
                                       "-0",
                                       "1e5",
                                       "[]",
                                       "{}",
                                       " \t\r\n1 ",
                                       "\"\"",
                                       "1E+2",
                                       "1e-400",
                                       "\"\\u0000\"",
                                       "\"\\ud83d\\ude00\"",
                                       "\"/\\/\"",
                                       "[[[[]]]]"};
    for (size_t i = 0; i < AX_COUNT_OF(good); i++)
        CHECK_EQ(parse(ctx, good[i], &json), AX_OK);
}

TEST(json_refuses_what_rfc_8259_does_not_have)
{
    ax_test_with_ctx(strictness);
}

static void
deep(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    char text[4001];
    memset(text, '[', 2000);
    memset(text + 2000, ']', 2000);
    CHECK_EQ(ax_json_parse(ctx, (ax_str){text, 4000}, NULL, &json), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "JSON: nested deeper than 32 levels");
    CHECK_EQ(ax_json_parse(ctx, (ax_str){text + 2000 - 32, 64}, NULL, &json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, (ax_str){text + 2000 - 33, 66}, NULL, &json), AX_INVALID);
    struct ax_json_limits limits = {.depth_max = 3};
    CHECK_EQ(ax_json_parse(ctx, AX_STR("[[[1]]]"), &limits, &json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, AX_STR("[[],[[{}]]]"), &limits, &json), AX_INVALID);
    limits.depth_max = 1'000'000;
    CHECK_EQ(ax_json_parse(ctx, (ax_str){text, 4000}, &limits, &json), AX_INVALID);
    limits.depth_max = 1'000;
    CHECK_EQ(ax_json_parse(ctx, (ax_str){text + 1000, 2000}, &limits, &json), AX_OK);
}

TEST(json_depth_has_a_limit)
{
    ax_test_with_ctx(deep);
}

static void
many_keys(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    for (int twin = 0; twin < 2; twin++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        struct ax_json_writer writer = ax_json_writer_of(&out);
        ax_json_begin_object(&writer);
        for (int i = 0; i < 300; i++) {
            ax_str key = ax_str_printf(ctx->arena, "k%d", twin && i == 299 ? 7 : i);
            ax_json_key_str(&writer, key);
            ax_json_put_i64(&writer, i);
        }
        ax_json_end_object(&writer);
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &json), twin ? AX_INVALID : AX_OK);
        if (twin)
            CHECK_STR(ax_str_of(ctx->error), "JSON: the key `k7` is there twice in one object");
        struct ax_json_limits limits = {.duplicate_keys = true};
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), &limits, &json), AX_OK);
        int64_t seven = 0;
        CHECK(ax_json_i64(ax_json_find(json, "k7"), &seven));
        CHECK_EQ(seven, twin ? 299 : 7);
    }
}

TEST(json_keys_are_unique_unless_foreign_files_may_repeat_them)
{
    ax_test_with_ctx(many_keys);
}

static void
values(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    CHECK_EQ(parse(ctx,
                   "{\"t\":\"a\\u00e9\\n\",\"b\":true,\"f\":1.5,\"i\":-7,\"w\":3.0,"
                   "\"big\":18446744073709551615,\"huge\":1e300,\"n\":null,\"l\":[1,2,3],\"z\":-0}",
                   &json),
             AX_OK);
    ax_str text = {};
    bool truth = false;
    double wide = 0;
    float narrow = 0;
    int64_t whole = 0;
    uint64_t natural = 0;
    CHECK(ax_json_text(ax_json_find(json, "t"), &text));
    CHECK_STR(text, "a\xc3\xa9\n");
    CHECK(ax_json_bool(ax_json_find(json, "b"), &truth));
    CHECK(truth);
    CHECK(ax_json_f64(ax_json_find(json, "f"), &wide));
    CHECK(wide == 1.5);
    CHECK(ax_json_f32(ax_json_find(json, "f"), &narrow));
    CHECK(narrow == 1.5f);
    CHECK(!ax_json_f32(ax_json_find(json, "huge"), &narrow));
    CHECK(!ax_json_i64(ax_json_find(json, "f"), &whole));
    CHECK(ax_json_is_real(ax_json_find(json, "f")));
    CHECK(!ax_json_is_real(ax_json_find(json, "i")));
    CHECK(!ax_json_is_real(ax_json_find(json, "none")));
    CHECK(ax_json_i64(ax_json_find(json, "i"), &whole));
    CHECK_EQ(whole, -7);
    CHECK(!ax_json_u64(ax_json_find(json, "i"), &natural));
    CHECK(ax_json_i64(ax_json_find(json, "w"), &whole));
    CHECK_EQ(whole, 3);
    CHECK(ax_json_u64(ax_json_find(json, "w"), &natural));
    CHECK(!ax_json_i64(ax_json_find(json, "big"), &whole));
    CHECK(ax_json_u64(ax_json_find(json, "big"), &natural));
    CHECK(natural == UINT64_MAX);
    CHECK(!ax_json_i64(ax_json_find(json, "huge"), &whole));
    CHECK(ax_json_i64(ax_json_find(json, "z"), &whole));
    CHECK_EQ(ax_json_kind(ax_json_find(json, "n")), AX_JSON_NULL);
    CHECK(ax_json_find(json, "absent") == NULL);
    CHECK(ax_json_find(NULL, "absent") == NULL);
    CHECK(ax_json_find(ax_json_find(json, "l"), "absent") == NULL);
    CHECK(!ax_json_text(NULL, &text));
    CHECK_EQ(ax_json_kind(NULL), AX_JSON_NULL);
    CHECK_EQ(ax_json_count(json), 10);
    CHECK_EQ(ax_json_count(NULL), 0);
    struct ax_json_iter iter = ax_json_iter_of(ax_json_find(json, "l"));
    for (size_t i = 0; i < 3; i++) {
        CHECK(ax_json_next(&iter));
        CHECK_EQ(iter.index, i);
        CHECK_EQ(iter.key.len, 0);
        CHECK(ax_json_i64(iter.value, &whole));
        CHECK_EQ(whole, i + 1);
    }
    CHECK(!ax_json_next(&iter));
    iter = ax_json_iter_of(ax_json_find(json, "t"));
    CHECK(!ax_json_next(&iter));
}

TEST(json_values_are_read_as_what_they_are)
{
    ax_test_with_ctx(values);
}

static void
raw(struct ax_ctx *ctx)
{
    struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    const struct ax_json *json;
    CHECK_EQ(
        ax_json_parse(ctx,
                      AX_STR("[1.00000017881393432617187499,NaN,-Infinity,12345678901234567890,"
                             "7,2.50]"),
                      &limits, &json),
        AX_OK);
    struct ax_json_iter iter = ax_json_iter_of(json);
    float narrow = 0;
    double wide = 0;
    uint64_t natural = 0;
    int64_t whole = 0;
    CHECK(ax_json_next(&iter) && ax_json_f32(iter.value, &narrow));
    CHECK(narrow == 1.00000011920928955078125f);
    CHECK(ax_json_next(&iter) && ax_json_f64(iter.value, &wide) && isnan(wide));
    CHECK(ax_json_f32(iter.value, &narrow) && isnan(narrow));
    CHECK(!ax_json_i64(iter.value, &whole));
    CHECK(ax_json_next(&iter) && ax_json_f32(iter.value, &narrow) && isinf(narrow));
    CHECK(ax_json_next(&iter) && ax_json_u64(iter.value, &natural));
    CHECK(natural == UINT64_C(12345678901234567890));
    CHECK(ax_json_next(&iter) && ax_json_i64(iter.value, &whole));
    CHECK_EQ(whole, 7);
    CHECK_EQ(ax_json_kind(iter.value), AX_JSON_NUMBER);
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    ax_json_print(json, &out);
    CHECK_STR(ax_writer_str(&out), "[1.00000017881393432617187499,NaN,-Infinity,"
                                   "12345678901234567890,7,2.50]");
    static const char *const bad[] = {"[nan]",       "[inf]", "[-NaN]", "[INFINITY]", "[1e999]",
                                      "[+Infinity]", "[1.]",  "[01]",   "[infinity]", "[NAN]"};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(bad[i]), &limits, &json), AX_INVALID);
    limits.special_floats = false;
    CHECK_EQ(ax_json_parse(ctx, AX_STR("[NaN]"), &limits, &json), AX_INVALID);
    CHECK_EQ(ax_json_parse(ctx, AX_STR("[1e39]"), &limits, &json), AX_OK);
    iter = ax_json_iter_of(json);
    CHECK(ax_json_next(&iter) && !ax_json_f32(iter.value, &narrow));
}

TEST(json_keeps_raw_numbers_for_one_rounding)
{
    ax_test_with_ctx(raw);
}

static void
print_again(struct ax_ctx *ctx)
{
    static const struct {
        const char *in, *print, *canonical;
    } cases[] = {
        {"{\"b\":1,\"a\":[true,null]}", "{\"b\":1,\"a\":[true,null]}",
         "{\"a\":[true,null],\"b\":1}"},
        {" [ 1.0 , 1e2 , -0 ,0.1] ", NULL, "[1,100,0,0.1]"},
        {"[1e15,1000000000000000]", NULL, "[1000000000000000,1000000000000000]"},
        {"[1152921504606846976,1.152921504606846976e18]", NULL,
         "[1152921504606846976,1152921504606846976]"},
        {"[18446744073709549568,1.8446744073709549568e19]", NULL,
         "[18446744073709549568,18446744073709549568]"},
        {"[-9223372036854775808,-9223372036854775808.0]", NULL,
         "[-9223372036854775808,-9223372036854775808]"},
        {"\"\\u0041\\/\\u00e9\\u0001\\u001f\\\"\"", "\"A/\xc3\xa9\\u0001\\u001f\\\"\"",
         "\"A/\xc3\xa9\\u0001\\u001f\\\"\""},
        {"{\"aa\":1,\"a\":2,\"\":3,\"\\u00e9\":4}", NULL,
         "{\"\":3,\"a\":2,\"aa\":1,\"\xc3\xa9\":4}"},
        {"{}", "{}", "{}"},
        {"[]", "[]", "[]"},
        {"[{},[],{\"x\":{}}]", "[{},[],{\"x\":{}}]", "[{},[],{\"x\":{}}]"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json;
        ax_str canonical = {};
        CHECK_EQ(parse(ctx, cases[i].in, &json), AX_OK);
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        ax_json_print(json, &out);
        if (cases[i].print && !ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].print)))
            ax_test_failed(__FILE__, __LINE__, "%s printed as %.*s", cases[i].in,
                           AX_FMT(ax_writer_str(&out)));
        CHECK_EQ(ax_json_canonical(ctx, json, &canonical), AX_OK);
        if (!ax_str_eq(canonical, ax_str_of(cases[i].canonical)))
            ax_test_failed(__FILE__, __LINE__, "%s canonical as %.*s", cases[i].in,
                           AX_FMT(canonical));
        /* The canonical form of the canonical form is itself, raw numbers or not. */
        ax_str again = {};
        struct ax_json_limits limits = {.raw_numbers = i % 2 == 0};
        CHECK_EQ(ax_json_parse(ctx, canonical, &limits, &json), AX_OK);
        CHECK_EQ(ax_json_canonical(ctx, json, &again), AX_OK);
        CHECK(ax_str_eq(canonical, again));
    }
    const struct ax_json *json;
    ax_str canonical = {};
    struct ax_json_limits limits = {
        .raw_numbers = true, .special_floats = true, .duplicate_keys = true};
    CHECK_EQ(ax_json_parse(ctx, AX_STR("{\"b\":0,\"a\":1,\"a\":2.50,\"a\":3e1}"), &limits, &json),
             AX_OK);
    CHECK_EQ(ax_json_canonical(ctx, json, &canonical), AX_OK);
    CHECK_STR(canonical, "{\"a\":30,\"b\":0}");
    CHECK_EQ(ax_json_parse(ctx, AX_STR("[NaN]"), &limits, &json), AX_OK);
    CHECK_EQ(ax_json_canonical(ctx, json, &canonical), AX_INVALID);
}

TEST(json_has_one_canonical_text_for_one_meaning)
{
    ax_test_with_ctx(print_again);
}

static ax_status
parse_and_print(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    ax_str text;
    AX_TRY(parse(ctx,
                 "{\"i\":9,\"h\":8,\"g\":7,\"f\":[6,{}],\"e\":5,\"d\":4,\"c\":3,\"b\":2,\"a\":1.5}",
                 &json));
    AX_TRY(ax_json_canonical(ctx, json, &text));
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    ax_json_print(json, &out);
    return out.status;
}

TEST(json_survives_every_fault)
{
    FAULT_SWEEP(parse_and_print);
}

TEST(json_stays_within_the_arena)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(40'000);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_json *json;
    static char text[60'001];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i == 0 ? '[' : i == sizeof text - 1 ? ']' : i % 2 ? '1' : ',';
    CHECK_EQ(ax_json_parse(&ctx, (ax_str){text, sizeof text}, NULL, &json), AX_LIMIT);
}

/* A text cut at each byte is refused at each, and nothing is read behind its end. */
static void
cuts(struct ax_ctx *ctx)
{
    static const char text[] =
        "{\"name\":\"A\\u00e9\",\"v\":[1.5e3,-2,true,null,{\"k\":\"\xc3\xa9\"}]}";
    const struct ax_json *json;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = ax_arena_alloc(ctx->arena, 1, len + 1);
        memcpy(copy, text, len);
        CHECK_EQ(ax_json_parse(ctx, (ax_str){copy, len}, NULL, &json), AX_INVALID);
    }
}

TEST(json_refuses_a_text_that_is_cut_anywhere)
{
    ax_test_with_ctx(cuts);
}

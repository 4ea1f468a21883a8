#include "codec/json_scan.h"

#include "codec/json.h"
#include "harness.h"

static ax_status
skip(struct ax_ctx *ctx, ax_str text, int depth_max, bool special_floats)
{
    struct ax_json_scan scan = {.ctx = ctx, .text = text};
    AX_TRY(ax_json_scan_skip(&scan, depth_max, special_floats));
    return ax_json_scan_end(&scan);
}

/* What is passed over is held to the same grammar as what json.c builds a tree of. */
static const char *const grammar[] = {
    "0",
    "-0",
    "1.5e-3",
    "1E+2",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "-",
    "1e999",
    "-1e999",
    "0x10",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "[",
    "]",
    "{}",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\":1 \"b\":2}",
    "{",
    "}",
    "[}",
    "{]",
    "[{}]",
    "true",
    "false",
    "null",
    "tru",
    "nul",
    "truex",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "\"\"",
    "\"a\"",
    "\"",
    "\"\\\"",
    "\"\\u0041\"",
    "\"\\u00g1\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\x\"",
    "\"\\",
    "\"\\u12",
    "\"\t\"",
    "\"\x01\"",
    "\"\x7f\"",
    "\"\xff\"",
    "\"\xc3\xa9\"",
    "\"\xc3\"",
    "\"\xed\xa0\x80\"",
    "\"\\/\\b\\f\\n\\r\\t\\\\\"",
    "/**/1",
    "1 //",
    "1 2",
    "[1][2]",
    " [ 1 , 2 ] ",
    "\t1\r\n",
    "\f1",
    "\xef\xbb\xbf\x31",
    "",
    " ",
    "[[[[[[]]]]]]",
    "[[],[[]],{\"a\":[]}]",
    "[1,[2,{\"b\":[3]}],4]",
};

static void
same_grammar(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(grammar); i++) {
        const struct ax_json *json;
        ax_str text = ax_str_of(grammar[i]);
        ax_status want = ax_json_parse(ctx, text, NULL, &json);
        ctx->error[0] = '\0';
        ax_status got = skip(ctx, text, 32, false);
        if (got != want || (got != AX_OK && !ctx->error[0]))
            ax_test_failed(__FILE__, __LINE__, "'%s' gives %s, not %s: %s", grammar[i],
                           ax_status_name(got), ax_status_name(want), ctx->error);
    }
    CHECK_EQ(skip(ctx, AX_STR("1\0"), 32, false), AX_INVALID);
}

TEST(json_scan_has_the_grammar_of_json)
{
    ax_test_with_ctx(same_grammar);
}

static void
limits(struct ax_ctx *ctx)
{
    char text[4000];
    memset(text, '[', 2000);
    memset(text + 2000, ']', 2000);
    for (int depth = 0; depth <= 100; depth++) {
        ax_str most = {text + 2000 - depth, 2 * (size_t)depth};
        ax_str over = {text + 2000 - depth - 1, 2 * (size_t)depth + 2};
        CHECK_EQ(depth ? skip(ctx, most, depth, false) : AX_OK, AX_OK);
        CHECK_EQ(skip(ctx, over, depth, false), AX_INVALID);
    }
    CHECK_EQ(skip(ctx, AX_STR("7"), 0, false), AX_OK);
    CHECK_EQ(skip(ctx, AX_STR("[NaN,-Infinity,{\"a\":Infinity}]"), 9, true), AX_OK);
    CHECK_EQ(skip(ctx, AX_STR("[NaN]"), 9, false), AX_INVALID);
    CHECK_EQ(skip(ctx, AX_STR("[-NaN]"), 9, true), AX_INVALID);
    CHECK_EQ(skip(ctx, AX_STR("[+Infinity]"), 9, true), AX_INVALID);
    char digits[80];
    memset(digits, '1', sizeof digits);
    CHECK_EQ(skip(ctx, (ax_str){digits, 63}, 0, false), AX_OK);
    CHECK_EQ(skip(ctx, (ax_str){digits, 64}, 0, false), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "JSON: a number longer than 63 characters at byte 0");
}

TEST(json_scan_keeps_its_limits)
{
    ax_test_with_ctx(limits);
}

static void
steps(struct ax_ctx *ctx)
{
    struct ax_json_scan scan = {.ctx = ctx,
                                .text = AX_STR("{ \"a\\u00e9\" : [ 12 , \"x\" , true ] }")};
    bool more = false, truth = false;
    ax_str text = {};
    struct ax_decimal number = {};
    CHECK_EQ(ax_json_scan_open(&scan, '{', &more), AX_OK);
    CHECK(more);
    CHECK_EQ(ax_json_scan_key(&scan, &text), AX_OK);
    CHECK_STR(text, "a\xc3\xa9");
    CHECK_EQ(ax_json_scan_open(&scan, '{', &more), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "JSON: an object was expected at byte 14");
    CHECK_EQ(ax_json_scan_open(&scan, '[', &more), AX_OK);
    CHECK_EQ(ax_json_scan_text(&scan, &text), AX_INVALID);
    CHECK_EQ(ax_json_scan_number(&scan, &number), AX_OK);
    CHECK_STR(number.text, "12");
    CHECK_EQ(ax_json_scan_more(&scan, ']', &more), AX_OK);
    CHECK_EQ(ax_json_scan_number(&scan, &number), AX_INVALID);
    CHECK_EQ(ax_json_scan_text(&scan, &text), AX_OK);
    CHECK(text.at > scan.text.at && text.at < scan.text.at + scan.text.len); /* a slice */
    CHECK_EQ(ax_json_scan_more(&scan, ']', &more), AX_OK);
    CHECK_EQ(ax_json_scan_bool(&scan, &truth), AX_OK);
    CHECK(truth && more);
    CHECK_EQ(ax_json_scan_bool(&scan, &truth), AX_INVALID);
    CHECK_EQ(ax_json_scan_more(&scan, ']', &more), AX_OK);
    CHECK(!more);
    CHECK_EQ(ax_json_scan_end(&scan), AX_INVALID);
    CHECK_EQ(ax_json_scan_more(&scan, '}', &more), AX_OK);
    CHECK_EQ(ax_json_scan_end(&scan), AX_OK);
    CHECK_EQ(ax_json_scan_more(&scan, '}', &more), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error),
              "JSON: a comma or } was expected at byte 35, where the text ends");
}

TEST(json_scan_takes_one_thing_at_a_time)
{
    ax_test_with_ctx(steps);
}

/* Each escape of each code point of the first plane, and pairs, against the tree's decoder. */
static void
escapes(struct ax_ctx *ctx)
{
    for (unsigned point = 0; point < 0x10000; point += point < 0x900 || point > 0xd000 ? 1 : 61) {
        char text[32];
        int len = snprintf(text, sizeof text, "\"<\\u%04x>\"", point);
        if (point % 2)
            len = snprintf(text, sizeof text, "\"\\uD83D\\u%04X\"", point);
        struct ax_json_scan scan = {.ctx = ctx, .text = {text, (size_t)len}};
        const struct ax_json *json = NULL;
        ax_str want = {}, got = {};
        ax_status status = ax_json_parse(ctx, scan.text, NULL, &json);
        CHECK_EQ(ax_json_scan_text(&scan, &got), status);
        if (status != AX_OK)
            continue;
        CHECK(ax_json_text(json, &want));
        CHECK(ax_str_eq(got, want));
    }
}

TEST(json_scan_decodes_escapes_as_the_tree_does)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    escapes(&ctx);
}

static ax_status
decode(struct ax_ctx *ctx)
{
    return skip(ctx, AX_STR("[\"\\n\",{\"\\u0041\":\"plain\"}]"), 3, false);
}

TEST(json_scan_survives_every_fault)
{
    FAULT_SWEEP(decode);
}

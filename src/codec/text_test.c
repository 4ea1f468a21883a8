#include "codec/text.h"

#include "harness.h"

/* RFC 4648 section 10. */
static const struct {
    const char *plain, *base64, *hex;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

static void
rfc_4648(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(vectors); i++) {
        ax_str back = {};
        ax_writer_auto struct ax_writer base64 = ax_writer_of(100), hex = ax_writer_of(100);
        ax_base64_encode(ax_str_of(vectors[i].plain), &base64);
        CHECK(ax_str_eq(ax_writer_str(&base64), ax_str_of(vectors[i].base64)));
        CHECK_EQ(ax_base64_decode(ctx, ax_writer_str(&base64), &back), AX_OK);
        CHECK(ax_str_eq(back, ax_str_of(vectors[i].plain)));
        ax_hex_encode(ax_str_of(vectors[i].plain), &hex);
        CHECK(ax_str_eq(ax_writer_str(&hex), ax_str_of(vectors[i].hex)));
        CHECK_EQ(ax_hex_decode(ctx, ax_writer_str(&hex), &back), AX_OK);
        CHECK(ax_str_eq(back, ax_str_of(vectors[i].plain)));
    }
    ax_str bytes = {};
    CHECK_EQ(ax_base64_decode(ctx, AX_STR("+/+/"), &bytes), AX_OK);
    CHECK_STR(bytes, "\xfb\xff\xbf");
    CHECK_EQ(ax_hex_decode(ctx, AX_STR("aBCd"), &bytes), AX_OK);
    CHECK_STR(bytes, "\xab\xcd");
}

/* The same vectors without padding; the digits that differ; what is of the other form. */
static void
for_urls(struct ax_ctx *ctx)
{
    static const char *const bad[] = {"A",    "Zg==", "Zm8=", "Zh",   "Zm9", "+_+_",
                                      "Z/_v", "Zg ",  " Zg",  "Zg\n", "Z.g", "AAAAA"};
    ax_str bytes = AX_STR("");
    for (size_t i = 0; i < AX_COUNT_OF(vectors); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(100);
        ax_str want = ax_str_of(vectors[i].base64);
        while (ax_str_ends(want, AX_STR("=")))
            want.len--;
        ax_base64url_encode(ax_str_of(vectors[i].plain), &out);
        CHECK_STR(ax_writer_str(&out), ax_str_c(ctx->arena, want));
        CHECK_EQ(ax_base64url_decode(ctx, want, &bytes), AX_OK);
        CHECK_STR(bytes, vectors[i].plain);
    }
    CHECK_EQ(ax_base64url_decode(ctx, AX_STR("-_-_"), &bytes), AX_OK);
    CHECK_STR(bytes, "\xfb\xff\xbf");
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        CHECK_EQ(ax_base64url_decode(ctx, ax_str_of(bad[i]), &bytes), AX_INVALID);
}

TEST(base64_for_urls_has_one_form_without_padding)
{
    ax_test_with_ctx(for_urls);
}

TEST(text_agrees_with_rfc_4648)
{
    ax_test_with_ctx(rfc_4648);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const char *const bad_base64[] = {"A",        "AA",   "AAA",  "Zh==", "Zm9=",
                                             "====",     "A===", "=AAA", "AA=A", "Zg=\n",
                                             "Zg==Zg==", "Z-_v", " Zg=", "AAAA="};
    static const char *const bad_hex[] = {"a", "0g", "g0", "0x", " 0"};
    static const char *const bad_percent[] = {"%", "%4", "a%", "%4g", "%g4", "%%41"};
    ax_str bytes = {};
    for (size_t i = 0; i < AX_COUNT_OF(bad_base64); i++)
        CHECK_EQ(ax_base64_decode(ctx, ax_str_of(bad_base64[i]), &bytes), AX_INVALID);
    for (size_t i = 0; i < AX_COUNT_OF(bad_hex); i++)
        CHECK_EQ(ax_hex_decode(ctx, ax_str_of(bad_hex[i]), &bytes), AX_INVALID);
    for (size_t i = 0; i < AX_COUNT_OF(bad_percent); i++)
        CHECK_EQ(ax_percent_decode(ctx, ax_str_of(bad_percent[i]), &bytes), AX_INVALID);
    CHECK(bytes.at == NULL);
}

TEST(text_refuses_anything_but_the_canonical_form)
{
    ax_test_with_ctx(refusals);
}

/* Of all strings of four digits and padding, each that is accepted encodes back to itself. */
static void
one_form(struct ax_ctx *ctx)
{
    static const char digits[] = "AQgw4/=";
    const size_t n = sizeof digits - 1;
    size_t accepted = 0;
    for (size_t i = 0; i < n * n * n * n; i++) {
        char text[4] = {digits[i % n], digits[i / n % n], digits[i / n / n % n],
                        digits[i / n / n / n]};
        ax_str bytes;
        if (ax_base64_decode(ctx, (ax_str){text, 4}, &bytes) != AX_OK)
            continue;
        ax_writer_auto struct ax_writer out = ax_writer_of(100);
        ax_base64_encode(bytes, &out);
        CHECK(ax_str_eq(ax_writer_str(&out), (ax_str){text, 4}));
        accepted++;
    }
    CHECK(accepted > 1296); /* all without padding, and some with */
}

TEST(text_has_one_base64_form_for_any_bytes)
{
    ax_test_with_ctx(one_form);
}

static void
percent(struct ax_ctx *ctx)
{
    ax_str bytes = {};
    CHECK_EQ(ax_percent_decode(ctx, AX_STR("a%2Fb%20c+d%c3%A9%00"), &bytes), AX_OK);
    CHECK(ax_str_eq(bytes, AX_STR("a/b c+d\xc3\xa9\0")));
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(unsigned char)i;
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    ax_percent_encode((ax_str){all, sizeof all}, &out);
    CHECK_EQ(out.len, 66 + 3 * (256 - 66));
    CHECK_EQ(ax_percent_decode(ctx, ax_writer_str(&out), &bytes), AX_OK);
    CHECK(ax_str_eq(bytes, (ax_str){all, sizeof all}));
}

TEST(text_percent_encoding_leaves_the_unreserved_alone)
{
    ax_test_with_ctx(percent);
}

static void
percent_all(struct ax_ctx *ctx)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"", ""},
        {"a/b+c", "a/b+c"},
        {"a%2Fb", "a/b"},
        {"%252e%252e", ".."},
        {"%25", "%"},
        {"%4", "%4"},
        {"a%2525g", "a%g"},
        {"%41%4", "%41%4"},
        {"%2541%4", "%2541%4"},
        {"%252525252525252541", "A"}, /* nine times */
    };
    ax_str plain = {};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_percent_decode_all(ctx, ax_str_of(cases[i].in), &plain), AX_OK);
        CHECK(ax_str_eq(plain, ax_str_of(cases[i].want)));
        CHECK_EQ(ctx->error[0], '\0');
    }
    CHECK_EQ(ax_percent_decode_all(ctx, AX_STR("%25252525252525252541"), &plain), AX_INVALID);
}

TEST(text_percent_decoding_finds_what_hides_behind_two_escapes)
{
    ax_test_with_ctx(percent_all);
}

/* Against the definition: every code point, in its shortest form, and nothing else. */
static size_t
encode(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)(unsigned char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(unsigned char)(0x80 | (point & 63));
    out[0] = (char)(unsigned char)(heads[len] | point);
    return len;
}

TEST(text_knows_utf_8)
{
    char bytes[4];
    for (uint32_t point = 0; point < 0x110000; point++) {
        size_t len = encode(point, bytes);
        bool surrogate = point >= 0xd800 && point < 0xe000;
        CHECK_EQ(ax_utf8_ok((ax_str){bytes, len}), !surrogate);
        CHECK_EQ(ax_utf8_len((ax_str){bytes, len}), surrogate ? 0 : len);
        CHECK(len == 1 || !ax_utf8_ok((ax_str){bytes, len - 1}));
    }
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x28\xa1",
                                      "abcdefgh\xffijklmnop",
                                      "\xc3\xa9\xa9"};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        CHECK(!ax_utf8_ok(ax_str_of(bad[i])));
    CHECK(ax_utf8_ok(AX_STR("abcdefghijkl\xc3\xa9mnopqrstuvw\xe2\x82\xac")));
    CHECK(ax_utf8_ok(AX_STR("")));
    CHECK_EQ(ax_utf8_len(AX_STR("")), 0);
}

static ax_status
decode_all(struct ax_ctx *ctx)
{
    ax_str bytes;
    AX_TRY(ax_base64_decode(ctx, AX_STR("Zm9vYmE="), &bytes));
    AX_TRY(ax_hex_decode(ctx, AX_STR("00ff"), &bytes));
    return ax_percent_decode(ctx, AX_STR("%41"), &bytes);
}

TEST(text_survives_every_fault)
{
    FAULT_SWEEP(decode_all);
}

TEST(text_counts_the_plain_characters_at_the_front)
{
    char text[40];
    for (size_t at = 0; at < sizeof text; at++)
        for (int byte = 0; byte < 256; byte++) {
            memset(text, 'a', sizeof text);
            text[at] = (char)byte;
            if (at + 1 < sizeof text)
                text[at + 1] = '"';
            bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            size_t len = plain ? at + 1 : at;
            CHECK_EQ(ax_text_plain_len((ax_str){text, sizeof text}), len);
            CHECK_EQ(ax_text_plain_len((ax_str){text, at + 1}), len);
        }
    CHECK_EQ(ax_text_plain_len(AX_STR("")), 0);
}

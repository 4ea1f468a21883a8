#include "codec/ubjson.h"

#include <math.h>

#include "harness.h"

#define BYTES(literal) ((ax_str){"" literal, sizeof(literal) - 1})
#define LEN8(n)        "L\0\0\0\0\0\0\0" n

/* Key `k` of one byte. */
#define KEY(k) LEN8("\1") k

static void
check_scalars(struct ax_ctx *ctx)
{
    static const struct {
        ax_str bytes;
        bool whole;
        double want;
    } cases[] = {
        {BYTES("i\xff"), true, -1},
        {BYTES("U\xff"), true, 255},
        {BYTES("C\x41"), true, 65},
        {BYTES("I\xff\x00"), true, -256},
        {BYTES("l\x7f\xff\xff\xff"), true, 2147483647},
        {BYTES("L\xff\xff\xff\xff\xff\xff\xff\xfe"), true, -2},
        {BYTES("d\x3f\xc0\x00\x00"), false, 1.5},
        {BYTES("D\xc0\x09\x21\xfb\x54\x44\x2d\x18"), false, -3.141592653589793},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_ubjson *root = NULL;
        struct ax_ubjson_number number = {};
        CHECK_EQ(ax_ubjson_parse(ctx, cases[i].bytes, 0, &root), AX_OK);
        CHECK(ax_ubjson_number(root, &number));
        CHECK_EQ(number.whole, cases[i].whole);
        CHECK(number.f64 == cases[i].want);
        if (cases[i].whole)
            CHECK_EQ(number.i64, (int64_t)cases[i].want);
    }
}

TEST(ubjson_reads_numbers_of_every_width)
{
    ax_test_with_ctx(check_scalars);
}

static void
check_tree(struct ax_ctx *ctx)
{
    static const char text[] = "{" KEY("a") "[$d#" LEN8("\2") "\x3f\x80\0\0\x7f\xc0\0\0" KEY(
        "b") "[#" LEN8("\2") "T"
                             "S" LEN8("\2") "hi" KEY("c") "[i\5Zi\6]" KEY("d") "{}"
                                                                               "}";
    const struct ax_ubjson *root = NULL, *b = NULL;
    struct ax_ubjson_number number = {};
    ax_str hi = {};
    bool truth = false;
    CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){text, sizeof text - 1}, 0, &root), AX_OK);
    CHECK_EQ(ax_ubjson_kind(root), AX_UBJSON_OBJECT);
    CHECK_EQ(ax_ubjson_count(root), 4);
    CHECK_STR(ax_ubjson_key(root, 2), "c");
    CHECK(ax_ubjson_number_at(ax_ubjson_find(root, "a"), 0, &number) && number.f64 == 1.0);
    CHECK(ax_ubjson_number_at(ax_ubjson_find(root, "a"), 1, &number) && isnan(number.f64));
    CHECK(!ax_ubjson_number_at(ax_ubjson_find(root, "a"), 2, &number));
    CHECK(!ax_ubjson_item(ax_ubjson_find(root, "a"), 0));
    b = ax_ubjson_find(root, "b");
    CHECK(ax_ubjson_bool(ax_ubjson_item(b, 0), &truth) && truth);
    CHECK(ax_ubjson_text(ax_ubjson_item(b, 1), &hi));
    CHECK_STR(hi, "hi");
    CHECK(!ax_ubjson_number_at(b, 0, &number));
    CHECK(ax_ubjson_number_at(ax_ubjson_find(root, "c"), 2, &number) && number.i64 == 6);
    CHECK_EQ(ax_ubjson_kind(ax_ubjson_item(ax_ubjson_find(root, "c"), 1)), AX_UBJSON_NULL);
    CHECK_EQ(ax_ubjson_count(ax_ubjson_find(root, "d")), 0);
    CHECK(!ax_ubjson_find(root, "e"));
    CHECK(!ax_ubjson_find(NULL, "e"));
    CHECK(!ax_ubjson_text(NULL, &hi));
}

TEST(ubjson_reads_arrays_of_all_forms)
{
    ax_test_with_ctx(check_tree);
}

/* All at once gives what one by one gives, or nothing. */
static void
check_whole_arrays(struct ax_ctx *ctx)
{
    static const struct {
        ax_str text;
        bool whole, narrow;
    } cases[] = {
        {AX_STR("[$U#" LEN8("\2") "\x05\xff"), true, false},
        {AX_STR("[$i#" LEN8("\2") "\x05\xff"), true, false},
        {AX_STR("[$I#" LEN8("\2") "\0\x05\xff\xfe"), false, false},
        {AX_STR("[$l#" LEN8("\2") "\0\0\1\5\xff\xff\xff\xff"), true, false},
        {AX_STR("[$L#" LEN8("\1") "\x80\0\0\0\0\0\0\7"), false, false},
        {AX_STR("[$d#" LEN8("\2") "\x3f\x80\0\0\xff\x80\0\0"), false, true},
        {AX_STR("[$D#" LEN8("\1") "\x3f\xf0\0\0\0\0\0\0"), false, false},
        {AX_STR("[i\5i\6]"), false, false},
        {AX_STR("{}"), false, false},
    };
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++) {
        const struct ax_ubjson *root = NULL;
        struct ax_ubjson_number number = {};
        int32_t whole[2] = {77, 77};
        float narrow[2] = {77, 77};
        CHECK_EQ(ax_ubjson_parse(ctx, cases[c].text, 0, &root), AX_OK);
        CHECK_EQ(ax_ubjson_i32s(root, whole), cases[c].whole);
        CHECK_EQ(ax_ubjson_f32s(root, narrow), cases[c].narrow);
        for (size_t i = 0; i < ax_ubjson_count(root); i++) {
            CHECK(ax_ubjson_number_at(root, i, &number));
            CHECK_EQ(whole[i], cases[c].whole ? number.i64 : 77);
            CHECK((double)narrow[i] == (cases[c].narrow ? number.f64 : 77));
        }
    }
    CHECK(!ax_ubjson_i32s(NULL, NULL) && !ax_ubjson_f32s(NULL, NULL));
}

TEST(ubjson_reads_typed_arrays_whole)
{
    ax_test_with_ctx(check_whole_arrays);
}

static void
check_refusals(struct ax_ctx *ctx)
{
    static const struct {
        ax_str bytes;
        const char *part; /* of the sentence */
    } cases[] = {
        {BYTES(""), "byte 0: the file ends before a value"},
        {BYTES("{"), "byte 1: the file ends before a length"},
        {BYTES("{i\1aT}"), "byte 1: a length must be an int64"},
        {BYTES("{" KEY("a") "T" KEY("a") "F}"), "the key `a` twice"},
        {BYTES("H"), "unknown marker 0x48"},
        {BYTES("[$H#" LEN8("\1") "1"), "byte 2: a typed array must hold numbers"},
        {BYTES("[$d" LEN8("\1")), "must state its count"},
        {BYTES("[$d#" LEN8("\1") "\0\0\0"), "an array of 1 items in the last 3 bytes"},
        {BYTES("[$L#L\x40\0\0\0\0\0\0\0"), "in the last 0 bytes"},
        {BYTES("[$L#L\xff\xff\xff\xff\xff\xff\xff\xfb"), "an array of -5"},
        {BYTES("[#" LEN8("\3") "TT"), "an array of 3 in the last 2 bytes"},
        {BYTES("[i\1"), "the file ends before a value"},
        {BYTES("d\0\0"), "byte 0: the file ends inside a number"},
        {BYTES("S" LEN8("\1") "\xff"), "not UTF-8"},
        {BYTES("TT"), "byte 1: bytes after the value"},
        {BYTES("[[[[]]]]"), "byte 3: nested too deep"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_ubjson *root = NULL;
        ctx->error[0] = '\0';
        CHECK_EQ(ax_ubjson_parse(ctx, cases[i].bytes, 3, &root), AX_INVALID);
        CHECK(!root);
        if (!strstr(ctx->error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(ubjson_refuses_with_the_place)
{
    ax_test_with_ctx(check_refusals);
}

/* Many keys go another way than few: the same rule. */
static void
check_many_keys(struct ax_ctx *ctx)
{
    char text[40 * 11 + 16];
    size_t len = 0;
    text[len++] = '{';
    for (int i = 0; i < 40; i++) {
        memcpy(text + len, "L\0\0\0\0\0\0\0\1", 9);
        text[len + 9] = (char)('0' + i);
        text[len + 10] = 'T';
        len += 11;
    }
    text[len] = '}';
    const struct ax_ubjson *root = NULL;
    CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){text, len + 1}, 0, &root), AX_OK);
    CHECK_EQ(ax_ubjson_count(root), 40);
    text[len - 2] = '0';
    CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){text, len + 1}, 0, &root), AX_INVALID);
    CHECK(strstr(ctx->error, "`0` twice"));
}

TEST(ubjson_finds_a_key_twice_among_many)
{
    ax_test_with_ctx(check_many_keys);
}

static ax_status
parse_some(struct ax_ctx *ctx)
{
    static const char text[] = "{" KEY("a") "[i\1i\2]" KEY("b") "{" KEY("c") "Z}}";
    const struct ax_ubjson *root = NULL;
    return ax_ubjson_parse(ctx, (ax_str){text, sizeof text - 1}, 0, &root);
}

TEST(ubjson_survives_every_failed_allocation)
{
    FAULT_SWEEP(parse_some);
}

static void
check_cuts(struct ax_ctx *ctx)
{
    static const char text[] = "{" KEY("a") "[$i#" LEN8("\3") "123" KEY(
        "b") "[T"
             "S" LEN8("\1") "x"
                            "]" KEY("c") "[#" LEN8("\1") "D12345678"
                                                         "}";
    const struct ax_ubjson *root = NULL;
    for (size_t len = 0; len + 1 < sizeof text; len++)
        CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){text, len}, 0, &root), AX_INVALID);
    CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){text, sizeof text - 1}, 0, &root), AX_OK);
}

TEST(ubjson_cut_anywhere_is_refused)
{
    ax_test_with_ctx(check_cuts);
}

#include "codec/cbor.h"

#include <math.h>

#include "codec/text.h"
#include "harness.h"

static ax_str
unhex(struct ax_ctx *ctx, const char *hex)
{
    ax_str bytes = {};
    CHECK_EQ(ax_hex_decode(ctx, ax_str_of(hex), &bytes), AX_OK);
    return bytes;
}

static void
expect(struct ax_writer *out, const char *hex, int line)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1000);
    ax_hex_encode(ax_writer_str(out), &text);
    if (!ax_str_eq(ax_writer_str(&text), ax_str_of(hex)))
        ax_test_failed(__FILE__, line, "%.*s, not %s", AX_FMT(ax_writer_str(&text)), hex);
    CHECK_EQ(ax_cbor_check(ax_writer_str(out)), AX_OK);
    ax_writer_clear(out);
}

#define EXPECT(out, hex) expect((out), (hex), __LINE__)

/* RFC 8949 appendix A, as far as the profile goes. */
TEST(cbor_writes_the_numbers_of_rfc_8949)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } naturals[] = {
        {0, "00"},
        {1, "01"},
        {10, "0a"},
        {23, "17"},
        {24, "1818"},
        {25, "1819"},
        {100, "1864"},
        {255, "18ff"},
        {256, "190100"},
        {1000, "1903e8"},
        {65535, "19ffff"},
        {65536, "1a00010000"},
        {1000000, "1a000f4240"},
        {4294967295, "1affffffff"},
        {4294967296, "1b0000000100000000"},
        {1000000000000, "1b000000e8d4a51000"},
        {UINT64_MAX, "1bffffffffffffffff"},
    };
    static const struct {
        int64_t value;
        const char *hex;
    } integers[] = {
        {0, "00"},
        {-1, "20"},
        {-10, "29"},
        {-24, "37"},
        {-25, "3818"},
        {-100, "3863"},
        {-1000, "3903e7"},
        {INT64_MAX, "1b7fffffffffffffff"},
        {INT64_MIN, "3b7fffffffffffffff"},
    };
    static const struct {
        double value;
        const char *hex;
    } doubles[] = {
        {0.0, "fb0000000000000000"},
        {-0.0, "fb8000000000000000"},
        {1.1, "fb3ff199999999999a"},
        {1.0e+300, "fb7e37e43c8800759c"},
        {-4.1, "fbc010666666666666"},
        {(double)INFINITY, "fb7ff0000000000000"},
        {-(double)INFINITY, "fbfff0000000000000"},
        {(double)NAN, "fb7ff8000000000000"},
        {-(double)NAN, "fb7ff8000000000000"},
    };
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    for (size_t i = 0; i < AX_COUNT_OF(naturals); i++) {
        ax_cbor_put_u64(&out, naturals[i].value);
        EXPECT(&out, naturals[i].hex);
    }
    for (size_t i = 0; i < AX_COUNT_OF(integers); i++) {
        ax_cbor_put_i64(&out, integers[i].value);
        EXPECT(&out, integers[i].hex);
    }
    for (size_t i = 0; i < AX_COUNT_OF(doubles); i++) {
        ax_cbor_put_f64(&out, doubles[i].value);
        EXPECT(&out, doubles[i].hex);
    }
}

TEST(cbor_writes_strings_and_containers_as_rfc_8949_does)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    ax_cbor_put_bool(&out, false);
    EXPECT(&out, "f4");
    ax_cbor_put_bool(&out, true);
    EXPECT(&out, "f5");
    ax_cbor_put_null(&out);
    EXPECT(&out, "f6");
    ax_cbor_put_bytes(&out, AX_STR("\1\2\3\4"));
    EXPECT(&out, "4401020304");
    ax_cbor_put_text(&out, AX_STR("\xe6\xb0\xb4"));
    EXPECT(&out, "63e6b0b4");
    ax_cbor_put_text(&out, AX_STR(""));
    EXPECT(&out, "60");
    ax_cbor_put_map(&out, 2);
    ax_cbor_put_u64(&out, 1);
    ax_cbor_put_u64(&out, 2);
    ax_cbor_put_u64(&out, 3);
    ax_cbor_put_array(&out, 0);
    EXPECT(&out, "a201020380");
}

static const char *const good[] = {
    "00",
    "a0",
    "80",
    "a3010202032004",     /* {1:2, 2:3, -1:4} */
    "a41818002021002200", /* {24:0, -1:-2 ...} is wrong below; this is 4 pairs */
    "8181818181818180",   /* depth 8 */
    "a101a101a101a101a101a101a101a0",
    "82f4fb7ff8000000000000",
};
static const char *const bad[] = {
    "",
    "1800", /* 0 in two bytes */
    "1817",
    "1900ff",
    "1a0000ffff",
    "1b00000000ffffffff",
    "3800",
    "580100", /* length in a longer form */
    "780161",
    "9801f6",
    "b80101f6",
    "1c",
    "1d",
    "1e",
    "1f",
    "5f4100ff", /* indefinite lengths */
    "7f6161ff",
    "9fff",
    "bfff",
    "ff",
    "c000", /* a tag */
    "d81800",
    "f7", /* undefined */
    "e0",
    "f0",
    "f814", /* false in two bytes */
    "f8ff",
    "f93c00", /* half and single floats */
    "fa3f800000",
    "fb7ff8000000000001", /* another NaN */
    "fbfff8000000000000",
    "fb7ff0000000000001",
    "61ff", /* not UTF-8 */
    "63eda080",
    "a201000100", /* a key twice */
    "a202000100", /* keys descend */
    "a220000100", /* -1 before 1 */
    "a2200020f6",
    "a1616100", /* a key that is text */
    "a1400000",
    "a1f400",
    "818181818181818180", /* depth 9 */
    "a101a101a101a101a101a101a101a101a0",
    "0000", /* something behind */
    "8100f6",
    "a1", /* cut */
    "a100",
    "9bffffffffffffffff00", /* counts that lie */
    "bb7fffffffffffffff00",
    "5bffffffffffffffff00",
    "7b7fffffffffffffff00",
    "62c3",
};

static void
profile(struct ax_ctx *ctx)
{
    CHECK_EQ(ax_cbor_check(unhex(ctx, good[4])), AX_INVALID);
    for (size_t i = 0; i < AX_COUNT_OF(good); i++)
        if (i != 4 && ax_cbor_check(unhex(ctx, good[i])) != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "%s is refused", good[i]);
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        if (ax_cbor_check(unhex(ctx, bad[i])) != AX_INVALID)
            ax_test_failed(__FILE__, __LINE__, "%s is accepted", bad[i]);
    }
}

TEST(cbor_accepts_the_profile_and_nothing_else)
{
    ax_test_with_ctx(profile);
}

static const char leaf[] = "a701020264746578740344000102ff0482f4f505a120fbbff8000000000000"
                           "06f6073b7fffffffffffffff";

/* A record cut at each byte is refused, and so is one with a byte behind. */
static void
cut(struct ax_ctx *ctx)
{
    ax_str bytes = unhex(ctx, leaf);
    CHECK_EQ(ax_cbor_check(bytes), AX_OK);
    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = ax_arena_alloc(ctx->arena, 1, len + 1);
        memcpy(copy, bytes.at, len);
        CHECK_EQ(ax_cbor_check((ax_str){copy, len}), AX_INVALID);
    }
}

TEST(cbor_refuses_a_record_that_is_cut_anywhere)
{
    ax_test_with_ctx(cut);
}

static void
put_item(struct ax_reader *reader, struct ax_writer *out)
{
    struct ax_cbor_item item = ax_cbor_next(reader);
    switch (item.kind) {
    case AX_CBOR_UNSIGNED:
        ax_cbor_put_u64(out, item.u64);
        break;
    case AX_CBOR_NEGATIVE:
        if (item.u64 <= INT64_MAX) {
            ax_cbor_put_i64(out, -1 - (int64_t)item.u64);
        } else { /* a number that CBOR can say and int64_t cannot */
            ax_writer_u8(out, 0x3b);
            ax_writer_u64_be(out, item.u64);
        }
        break;
    case AX_CBOR_BYTES:
        ax_cbor_put_bytes(out, item.bytes);
        break;
    case AX_CBOR_TEXT:
        ax_cbor_put_text(out, item.bytes);
        break;
    case AX_CBOR_F64:
        ax_cbor_put_f64(out, item.f64);
        break;
    case AX_CBOR_BOOL:
        ax_cbor_put_bool(out, item.truth);
        break;
    case AX_CBOR_NULL:
        ax_cbor_put_null(out);
        break;
    case AX_CBOR_ARRAY:
        ax_cbor_put_array(out, item.u64);
        for (uint64_t i = 0; i < item.u64; i++)
            put_item(reader, out);
        break;
    case AX_CBOR_MAP:
        ax_cbor_put_map(out, item.u64);
        for (uint64_t i = 0; i < 2 * item.u64; i++)
            put_item(reader, out);
        break;
    }
}

/* Whatever a flipped byte makes of the record: what is accepted is what a writer would write. */
static void
flips(struct ax_ctx *ctx)
{
    ax_str bytes = unhex(ctx, leaf);
    char *copy = ax_arena_alloc(ctx->arena, 1, bytes.len);
    size_t accepted = 0;
    for (size_t at = 0; at < bytes.len; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            memcpy(copy, bytes.at, bytes.len);
            copy[at] = (char)(unsigned char)((unsigned char)copy[at] ^ flip);
            ax_str changed = {copy, bytes.len};
            if (ax_cbor_check(changed) != AX_OK)
                continue;
            ax_writer_auto struct ax_writer out = ax_writer_of(1000);
            struct ax_reader reader = ax_reader_of(changed);
            put_item(&reader, &out);
            CHECK(ax_str_eq(ax_writer_str(&out), changed));
            accepted++;
        }
    }
    CHECK(accepted > 100);
}

TEST(cbor_has_one_text_for_one_meaning)
{
    ax_test_with_ctx(flips);
}

static void
skipping(struct ax_ctx *ctx)
{
    struct ax_reader reader = ax_reader_of(unhex(ctx, "82018202a10163616263f6"));
    CHECK_EQ(ax_cbor_next(&reader).u64, 2);
    ax_cbor_skip(&reader);
    ax_cbor_skip(&reader);
    CHECK_EQ(ax_cbor_next(&reader).kind, AX_CBOR_NULL);
    CHECK_EQ(reader.status, AX_OK);
    CHECK_EQ(ax_reader_left(&reader), 0);
    ax_cbor_skip(&reader);
    CHECK_EQ(reader.status, AX_INVALID);
    CHECK_EQ(ax_cbor_next(&reader).kind, AX_CBOR_NULL);
}

TEST(cbor_skips_one_whole_item)
{
    ax_test_with_ctx(skipping);
}

static void
showing(struct ax_ctx *ctx)
{
    static const struct {
        const char *hex, *json;
    } cases[] = {
        {leaf, "{\"1\":2,\"2\":\"text\",\"3\":\"AAEC/w==\",\"4\":[false,true],\"5\":{\"-1\":-1.5},"
               "\"6\":null,\"7\":-9223372036854775808}"},
        {"843bffffffffffffffff3b8000000000000000fb7ff8000000000000fbfff0000000000000",
         "[-18446744073709551616,-9223372036854775809,\"NaN\",\"-Infinity\"]"},
        {"820000", "[0,0]"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        struct ax_reader reader = ax_reader_of(unhex(ctx, cases[i].hex));
        ax_cbor_show(&reader, &out);
        CHECK_EQ(reader.status, AX_OK);
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].json)))
            ax_test_failed(__FILE__, __LINE__, "%.*s", AX_FMT(ax_writer_str(&out)));
    }
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    struct ax_reader reader = ax_reader_of(unhex(ctx, "818181818181818180"));
    ax_cbor_show(&reader, &out);
    CHECK_EQ(reader.status, AX_INVALID);
}

TEST(cbor_is_shown_as_json)
{
    ax_test_with_ctx(showing);
}

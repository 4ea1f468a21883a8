#include "base/number.h"

#include <math.h>

#include "harness.h"

TEST(integers_parse_whole_or_not_at_all)
{
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {"01", false, 0},
        {"1 ", false, 0},
        {"1x", false, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int64_t got = 0;
        CHECK_EQ(ax_parse_i64(ax_str_of(cases[i].in), &got), cases[i].ok);
        CHECK_EQ(got, cases[i].want);
    }
}

TEST(doubles_parse_exactly)
{
    static const struct {
        const char *in;
        double want;
    } cases[] = {
        {"0", 0.0},
        {"-0.0", -0.0},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"0.1", 0.1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"4.9e-324", 4.9e-324},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"9007199254740993", 9007199254740993.0},
        {"0.000000000000000000000000000000000000001", 1e-39},
        {"100000000000000000000000", 1e23},
        {"5E-1", 0.5},
        {"+1", 1.0},
        {".5", 0.5},
        {"1.", 1.0},
        {"Infinity", (double)INFINITY},
        {"-inf", -(double)INFINITY},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        double got = 77;
        CHECK(ax_parse_f64(ax_str_of(cases[i].in), &got));
        CHECK(memcmp(&got, &cases[i].want, sizeof got) == 0);
    }
    static const char *const bad[] = {"",     ".",   "e5",  "1e",   "1e+",
                                      "0x10", "1 2", "--1", "nanx", " 1"};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        double got = 0;
        CHECK(!ax_parse_f64(ax_str_of(bad[i]), &got));
    }
}

/* Text that rounds one way through a double and the other way straight to a float. */
TEST(floats_are_rounded_once)
{
    static const char *const texts[] = {
        "1.00000017881393432617187499", /* just below the middle of two floats */
        "1.00000017881393432617187500",
        "1.00000017881393432617187501",
        "16777217",
        "16777217.0000000001",
        "3.4028235677973366e38",
        "1.4e-45",
        "7.0e-46",
        "1.1754943508222875e-38",
    };
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++) {
        float got = 0;
        CHECK(ax_parse_f32(ax_str_of(texts[i]), &got));
        float want = 0;
        CHECK_EQ(sscanf(texts[i], "%f", &want), 1);
        CHECK(memcmp(&got, &want, sizeof got) == 0);
    }
}

static uint64_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state ^ *state >> 29;
}

TEST(shortest_text_reads_back_to_the_last_bit)
{
    uint64_t state = 12345;
    for (int i = 0; i < 200'000; i++) {
        uint64_t bits = next_random(&state);
        char text[AX_NUMBER_BYTES_MAX];
        double wide, wide_back = 0;
        float narrow, narrow_back = 0;
        memcpy(&wide, &bits, sizeof wide);
        memcpy(&narrow, &bits, sizeof narrow);
        size_t len = ax_format_f64(wide, text);
        CHECK(ax_parse_f64((ax_str){text, len}, &wide_back));
        CHECK(wide == wide_back || (isnan(wide) && isnan(wide_back)));
        len = ax_format_f32(narrow, text);
        CHECK(ax_parse_f32((ax_str){text, len}, &narrow_back));
        CHECK(narrow == narrow_back || (isnan(narrow) && isnan(narrow_back)));
    }
    char text[AX_NUMBER_BYTES_MAX];
    CHECK_STR(((ax_str){text, ax_format_f32(0.1f, text)}), "0.1");
    CHECK_STR(((ax_str){text, ax_format_f64(0.1, text)}), "0.1");
    CHECK_STR(((ax_str){text, ax_format_f64(1e300, text)}), "1e+300");
    CHECK_STR(((ax_str){text, ax_format_f64(-0.0, text)}), "-0");
    CHECK_STR(((ax_str){text, ax_format_f64(1169, text)}), "1169");
}

/* What printf and reading back find, digit by digit. */
static void
shortest(float value, char *out)
{
    for (int digits = 6; digits <= 9; digits++) {
        float back = 0;
        snprintf(out, AX_NUMBER_BYTES_MAX, "%.*g", digits, (double)value);
        if (ax_parse_f32(ax_str_of(out), &back) && back == value)
            break;
    }
}

TEST(ordinary_floats_are_written_as_printf_would)
{
    uint64_t state = 54321;
    for (int i = 0; i < 400'000; i++) {
        uint64_t bits = next_random(&state);
        /* Exponents of 2^-14 to 2^20; every third with few digits, every fifth at a power of ten.
         */
        uint32_t pattern = (uint32_t)(bits >> 40 | (113 + bits % 35) << 23);
        char text[AX_NUMBER_BYTES_MAX], want[AX_NUMBER_BYTES_MAX];
        float value;
        memcpy(&value, &pattern, sizeof value);
        if (i % 3 == 0)
            value = (float)(bits % 10'000'000) / (float)(1 + bits % 7'000);
        if (i % 5 == 0) {
            static const float tens[] = {1e-4F, 1e-3F, 0.01F, 0.1F, 1,   10,
                                         100,   1e3F,  1e4F,  1e5F, 1e6F};
            memcpy(&pattern, &tens[bits % AX_COUNT_OF(tens)], sizeof pattern);
            pattern += (uint32_t)(bits >> 60) - 8;
            memcpy(&value, &pattern, sizeof value);
        }
        if (bits >> 63)
            value = -value;
        ax_str got = {text, ax_format_f32(value, text)};
        if (value == truncf(value))
            continue; /* a whole number, written as one */
        shortest(value, want);
        CHECK_STR(got, want);
    }
}

TEST(ordinary_doubles_are_written_as_printf_would)
{
    uint64_t state = 777;
    for (int i = 0; i < 400'000; i++) {
        uint64_t bits = next_random(&state);
        uint64_t pattern = bits >> 12 | (1009 + bits % 35) << 52;
        char text[AX_NUMBER_BYTES_MAX], want[AX_NUMBER_BYTES_MAX];
        double value, back = 0;
        memcpy(&value, &pattern, sizeof value);
        if (i % 3 == 0)
            value = (double)(bits % 1'000'000'000) / (double)(1 + bits % 1'000);
        if (bits >> 63)
            value = -value;
        if (value == trunc(value))
            continue;
        for (int digits = 15; digits <= 17 && back != value; digits++) {
            snprintf(want, sizeof want, "%.*g", digits, value);
            CHECK(ax_parse_f64(ax_str_of(want), &back));
        }
        ax_str got = {text, ax_format_f64(value, text)};
        CHECK_STR(got, want);
    }
}

TEST(sizes_do_not_wrap)
{
    size_t out = 7;
    CHECK(!ax_mul(SIZE_MAX, 2, &out));
    CHECK(!ax_add(SIZE_MAX, 1, &out));
    CHECK_EQ(out, 7);
    CHECK(ax_mul(6, 7, &out));
    CHECK_EQ(out, 42);
}

#include "base/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

TEST(a_number_is_taken_off_the_front_in_jsons_grammar)
{
    static const struct {
        const char *in;
        size_t taken; /* 0: refused */
        uint64_t digits;
        int64_t exponent;
        bool whole;
    } cases[] = {
        {"0", 1, 0, 0, true},
        {"-0,", 2, 0, 0, true},
        {"12]", 2, 12, 0, true},
        {"-1.50 ", 5, 150, -2, false},
        {"1e5", 3, 1, 5, false},
        {"1E+05x", 5, 1, 5, false},
        {"2.5e-3", 6, 25, -4, false},
        {"0.000", 5, 0, -3, false},
        {"9999999999999999999", 19, UINT64_C(9999999999999999999), 0, true},
        {"12345678901234567890", 20, UINT64_C(1234567890123456789), 1, true},
        {"1e99999999999999999999", 22, 1, 100'000 * 10 - 1, false},
        {"", 0},
        {"-", 0},
        {"+1", 0},
        {"01", 0},
        {"-01", 0},
        {".5", 0},
        {"1.", 0},
        {"1.e5", 0},
        {"1e", 0},
        {"1e+", 0},
        {"NaN", 0},
        {"x", 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decimal number = {};
        bool ok = ax_decimal_take(ax_str_of(cases[i].in), &number);
        if (ok != (cases[i].taken > 0) || number.text.len != cases[i].taken)
            ax_test_failed(__FILE__, __LINE__, "'%s': %d, %zu bytes", cases[i].in, ok,
                           number.text.len);
        if (i == 10) { /* an absurd exponent is cut, far outside of any range */
            CHECK(number.exponent >= 100'000);
            continue;
        }
        CHECK(number.digits == cases[i].digits);
        CHECK_EQ(number.exponent, cases[i].exponent);
        CHECK(!ok || number.whole == cases[i].whole);
    }
}

/* Both readers agree with the C library, which reads the same text. */
static void
agree(const char *text)
{
    struct ax_decimal taken = {}, parsed = {};
    double wide = 1, wide_again = 2, want = 3;
    float narrow = 1, narrow_again = 2, want_narrow = 3;
    CHECK(ax_decimal_take(ax_str_of(text), &taken));
    CHECK(ax_decimal_parse(ax_str_of(text), &parsed));
    CHECK(ax_decimal_f64(&taken, &wide) && ax_decimal_f64(&parsed, &wide_again));
    CHECK(ax_decimal_f32(&taken, &narrow) && ax_decimal_f32(&parsed, &narrow_again));
    CHECK_EQ(sscanf(text, "%lf", &want), 1);
    CHECK_EQ(sscanf(text, "%f", &want_narrow), 1);
    if (memcmp(&wide, &want, sizeof want) != 0 || memcmp(&wide_again, &want, sizeof want) != 0 ||
        memcmp(&narrow, &want_narrow, sizeof narrow) != 0 ||
        memcmp(&narrow_again, &want_narrow, sizeof narrow) != 0)
        ax_test_failed(__FILE__, __LINE__, "%s is read as %a, %a, %a, %a", text, wide, wide_again,
                       (double)narrow, (double)narrow_again);
}

static uint64_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state ^ *state >> 29;
}

TEST(a_number_of_any_length_and_size_is_rounded_as_the_c_library_does)
{
    uint64_t state = 7;
    for (int i = 0; i < 100'000; i++) {
        char text[80];
        uint64_t digits = next_random(&state) >> (next_random(&state) % 64);
        int exponent = (int)(next_random(&state) % 700) - 360;
        if (i % 4 == 0)
            exponent = (int)(next_random(&state) % 60) - 40;
        snprintf(text, sizeof text, "%s%" PRIu64 "%se%d", i % 2 ? "-" : "", digits,
                 i % 3 ? "" : ".25", exponent);
        agree(text);
    }
}

/* Doubles of 15 to 19 digits, as programs write them: within the table of powers and beyond. */
TEST(a_number_of_seventeen_digits_is_rounded_as_the_c_library_does)
{
    uint64_t state = 3;
    for (int i = 0; i < 200'000; i++) {
        char text[64];
        double value;
        uint64_t bits = next_random(&state) & ~(UINT64_C(0x7ff) << 52);
        bits |= (uint64_t)(1023 - 150 + (int)(next_random(&state) % 400)) << 52;
        memcpy(&value, &bits, sizeof value);
        snprintf(text, sizeof text, "%.*g", 15 + i % 5, value);
        agree(text);
    }
}

/* Middles between two doubles and two floats, one below and above: the hardest to round. */
TEST(a_number_halfway_between_two_is_rounded_to_even)
{
    uint64_t state = 11;
    for (int i = 0; i < 20'000; i++) {
        char text[1100];
        uint64_t bits = next_random(&state);
        double low, high;
        bits &= ~(UINT64_C(0x7ff) << 52);
        bits |= (uint64_t)(1023 - 60 + (int)(next_random(&state) % 120)) << 52;
        if (i % 2)
            bits &= ~UINT64_C(0x1fffffff); /* a float's neighbourhood */
        memcpy(&low, &bits, sizeof low);
        if (i % 2) {
            high = (double)nextafterf((float)low, INFINITY);
            snprintf(text, sizeof text, "%.150f", low + (high - low) / 2);
        } else {
            long double middle =
                ((long double)low + (long double)nextafter(low, (double)INFINITY)) / 2;
            snprintf(text, sizeof text, "%.150Lf", middle);
        }
        agree(text);
        text[strlen(text) - 1] = '1';
        agree(text);
    }
    static const char *const edges[] = {
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "3.4028234663852886e38",
        "3.4028235677973366e38",
        "3.4028235677973365e38",
        "1.401298464324817e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "1.1754943508222875e-38",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000000001",
        "9223372036854775807",
        "18446744073709551615",
        "1e22",
        "1e23",
        "8.5e22",
    };
    for (size_t i = 0; i < AX_COUNT_OF(edges); i++)
        agree(edges[i]);
}

/* Every length of fraction behind every number of zeros, whatever follows it. */
TEST(a_fraction_of_any_length_is_taken_whole)
{
    static const char digits[] = "98765432101234567899", *const ends[] = {"", " ", "e-5",
                                                                          ",1234567"};
    for (int zeros = 0; zeros < 25; zeros++)
        for (int count = 1; count <= 20; count++)
            for (size_t e = 0; e < AX_COUNT_OF(ends); e++) {
                char text[80], zero[32] = {};
                memset(zero, '0', (size_t)zeros);
                int len = snprintf(text, sizeof text, "-0.%s%.*s%s", zero, count, digits, ends[e]);
                struct ax_decimal number = {};
                double got = 0;
                CHECK(ax_decimal_take((ax_str){text, (size_t)len}, &number));
                CHECK_EQ(number.text.len, (size_t)(3 + zeros + count + (e == 2 ? 3 : 0)));
                CHECK(ax_decimal_f64(&number, &got) && got == strtod(text, NULL));
            }
}

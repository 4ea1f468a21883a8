#include "base/number.h"

#include <math.h>
#include <stdio.h>

#include "base/decimal.h"

bool
ax_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool
ax_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool
ax_parse_u64(ax_str text, uint64_t *out)
{
    if (text.len == 0 || (text.len > 1 && text.at[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool
ax_parse_i64(ax_str text, int64_t *out)
{
    bool negative = text.len > 0 && text.at[0] == '-';
    uint64_t size;
    if (!ax_parse_u64(ax_str_from(text, negative), &size) || size > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

static bool
parse_word(ax_str text, double *out)
{
    bool negative = text.len && text.at[0] == '-';
    ax_str word = ax_str_from(text, text.len && (text.at[0] == '-' || text.at[0] == '+'));
    double value;
    if (ax_str_eq_ignoring_case(word, AX_STR("nan")))
        value = (double)NAN;
    else if (ax_str_eq_ignoring_case(word, AX_STR("inf")) ||
             ax_str_eq_ignoring_case(word, AX_STR("infinity")))
        value = (double)INFINITY;
    else
        return false;
    *out = negative ? -value : value;
    return true;
}

/* A plain number in one pass, any other the long way. */
static bool
parse_decimal(ax_str text, struct ax_decimal *out)
{
    return (ax_decimal_take(text, out) && out->text.len == text.len) || ax_decimal_parse(text, out);
}

bool
ax_parse_f64(ax_str text, double *out)
{
    struct ax_decimal number;
    return parse_decimal(text, &number) ? ax_decimal_f64(&number, out) : parse_word(text, out);
}

bool
ax_parse_f32(ax_str text, float *out)
{
    struct ax_decimal number;
    double wide;
    if (parse_decimal(text, &number))
        return ax_decimal_f32(&number, out);
    if (!parse_word(text, &wide))
        return false;
    *out = (float)wide;
    return true;
}

static size_t
format_special(double value, char *out)
{
    const char *word = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    size_t len = strlen(word);
    memcpy(out, word, len + 1);
    return len;
}

/* Whole numbers of up to 15 digits need no search. */
static bool
format_whole(double value, char *out, size_t *out_len)
{
    if (!(fabs(value) < 1e15) || value != trunc(value) || (value == 0.0 && signbit(value)))
        return false;
    *out_len = ax_format_i64((int64_t)value, out);
    return true;
}

enum { ORDINARY_BELOW = -4 };

/* "0.00123": digits * 10^-places, at least one digit before the point, no zeros at the end. */
static size_t
print_fixed(uint64_t digits, int places, bool negative, char *out)
{
    char text[AX_NUMBER_BYTES_MAX];
    size_t len = 0;
    for (; places > 0 && digits % 10 == 0; places--)
        digits /= 10;
    size_t count = ax_format_u64(digits, text), fraction = (size_t)places;
    size_t point = count > fraction ? count - fraction : 0;
    if (negative)
        out[len++] = '-';
    for (size_t i = 0; i < point; i++)
        out[len++] = text[i];
    if (point == 0)
        out[len++] = '0';
    if (fraction > 0)
        out[len++] = '.';
    for (size_t zeros = fraction - (count - point); zeros > 0; zeros--)
        out[len++] = '0';
    for (size_t i = point; i < count; i++)
        out[len++] = text[i];
    out[len] = '\0';
    return len;
}

static bool
reads_back(const struct ax_decimal *number, double value, bool is_float)
{
    float narrow = 0;
    double wide = 0;
    return is_float ? ax_decimal_f32(number, &narrow) && (double)narrow == value
                    : ax_decimal_f64(number, &wide) && wide == value;
}

/*
 * size * 10^places as a whole number; false where it lies so near to the middle between two that
 * the product's error could decide. A float's product is exact as a double: 24 bits and the 28 of
 * 5^12. A double's is off by less than 0.004 as a long double of 64 bits.
 */
static bool
scale(double size, int places, bool is_float, uint64_t *out_whole)
{
    if (is_float) {
        double scaled = size * ax_decimal_powers[places];
        int64_t whole = (int64_t)(scaled + 0.5);
        *out_whole = (uint64_t)whole;
        return fabs(fabs(scaled - (double)whole) - 0.5) >= 0.01;
    }
    long double scaled = (long double)size * (long double)ax_decimal_powers[places];
    int64_t whole = (int64_t)(scaled + 0.5L);
    *out_whole = (uint64_t)whole;
    return fabsl(fabsl(scaled - (long double)whole) - 0.5L) >= 0.01L;
}

/*
 * The text that printf would find, without it, for sizes from 1e-4 to 1e6. Where the number of
 * digits is not the one that was guessed the answer is 0; whether a text reads back is asked
 * exactly.
 */
static size_t
format_ordinary(double value, bool is_float, char *out)
{
    static const double bounds[] = {1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5};
    const int digits_min = is_float ? 6 : 15, digits_max = is_float ? 9 : 17;
    uint64_t above = is_float ? 1'000'000 : UINT64_C(1'000'000'000'000'000); /* 10^digits */
    double size = fabs(value);
    if (!(size >= 1e-4 && size < 1e6))
        return 0;
    int exponent = ORDINARY_BELOW; /* of the first digit */
    for (size_t i = 0; i < AX_COUNT_OF(bounds) && size >= bounds[i]; i++)
        exponent++;
    for (int digits = digits_min; digits <= digits_max; digits++, above *= 10) {
        int places = digits - 1 - exponent;
        uint64_t whole;
        if (!scale(size, places, is_float, &whole) || whole >= above || whole < above / 10)
            return 0;
        const struct ax_decimal number = {
            .digits = whole, .exponent = -places, .negative = value < 0, .exact = true};
        if (reads_back(&number, value, is_float))
            return print_fixed(whole, places, number.negative, out);
    }
    return 0;
}

size_t
ax_format_f64(double value, char *out)
{
    size_t whole_len;
    if (!isfinite(value))
        return format_special(value, out);
    if (format_whole(value, out, &whole_len))
        return whole_len;
    size_t ordinary_len = format_ordinary(value, false, out);
    if (ordinary_len > 0)
        return ordinary_len;
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, AX_NUMBER_BYTES_MAX, "%.*g", digits, value);
        double back;
        if (ax_parse_f64((ax_str){out, (size_t)len}, &back) && back == value)
            break;
    }
    return (size_t)len;
}

size_t
ax_format_f32(float value, char *out)
{
    size_t whole_len;
    if (!isfinite(value))
        return format_special((double)value, out);
    if (fabsf(value) < 1e7f && format_whole((double)value, out, &whole_len))
        return whole_len;
    size_t ordinary_len = format_ordinary((double)value, true, out);
    if (ordinary_len > 0)
        return ordinary_len;
    int len = 0;
    for (int digits = 6; digits <= 9; digits++) {
        len = snprintf(out, AX_NUMBER_BYTES_MAX, "%.*g", digits, (double)value);
        float back;
        if (ax_parse_f32((ax_str){out, (size_t)len}, &back) && back == value)
            break;
    }
    return (size_t)len;
}

size_t
ax_format_u64(uint64_t value, char *out)
{
    char reversed[AX_NUMBER_BYTES_MAX];
    size_t len = 0;
    do
        reversed[len++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    out[len] = '\0';
    return len;
}

size_t
ax_format_i64(int64_t value, char *out)
{
    if (value >= 0)
        return ax_format_u64((uint64_t)value, out);
    out[0] = '-';
    return 1 + ax_format_u64(0 - (uint64_t)value, out + 1);
}

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
 * The text that printf would find, without it, for sizes from 1e-4 to 1e6. The number times a power
 * of ten is off by less than 0.004 here, as a long double of 64 bits: where that could change how
 * it is rounded to a whole number, or that has another number of digits, the answer is 0. Whether
 * it reads back is asked exactly.
 */
static size_t
format_ordinary(double value, bool is_float, char *out)
{
    static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                         1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                         1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L};
    const int digits_max = is_float ? 9 : 17;
    double size = fabs(value);
    if (!(size >= 1e-4 && size < 1e6))
        return 0;
    int exponent = ORDINARY_BELOW; /* of the first digit */
    while (exponent < 5 &&
           (long double)size >= (exponent < -1 ? 1 / powers[-exponent - 1] : powers[exponent + 1]))
        exponent++;
    for (int digits = is_float ? 6 : 15; digits <= digits_max; digits++) {
        int places = digits - 1 - exponent;
        long double scaled = (long double)size * powers[places], whole = nearbyintl(scaled);
        bool is_close = fabsl(fabsl(scaled - whole) - 0.5L) < 0.01L;
        if (is_close || whole >= powers[digits] || whole < powers[digits - 1])
            return 0;
        const struct ax_decimal number = {
            .digits = (uint64_t)whole, .exponent = -places, .negative = value < 0, .exact = true};
        if (reads_back(&number, value, is_float))
            return print_fixed(number.digits, places, number.negative, out);
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

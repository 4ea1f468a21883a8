#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

enum { EXACT_POWER_MAX = 22, DIGITS_MAX = 19, TEXT_BYTES_MAX = 1100 };

static const double powers_of_ten[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t locale_c;

static void
locale_make(void)
{
    locale_c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    AX_ASSERT(locale_c != (locale_t)0);
}

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

/* A decimal number taken apart: (-1)^negative * digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool exact; /* all significant digits are in `digits` */
};

static bool
is_digit(ax_str text, size_t at)
{
    return at < text.len && text.at[at] >= '0' && text.at[at] <= '9';
}

/* Reads digits from *at on; they count for the exponent when `fraction`. */
static bool
take_digits(ax_str text, size_t *at, bool fraction, struct decimal *number, int *used)
{
    bool any = false;
    for (; is_digit(text, *at); (*at)++, any = true) {
        unsigned digit = (unsigned)(text.at[*at] - '0');
        if (*used == 0 && digit == 0) {
            number->exponent -= fraction;
        } else if (*used < DIGITS_MAX) {
            number->digits = number->digits * 10 + digit;
            number->exponent -= fraction;
            (*used)++;
        } else {
            number->exact &= digit == 0;
            number->exponent += !fraction;
        }
    }
    return any;
}

static bool
take_exponent(ax_str text, size_t *at, int64_t *out)
{
    if (*at >= text.len || (text.at[*at] != 'e' && text.at[*at] != 'E'))
        return true;
    (*at)++;
    bool negative = *at < text.len && text.at[*at] == '-';
    if (*at < text.len && (text.at[*at] == '-' || text.at[*at] == '+'))
        (*at)++;
    if (!is_digit(text, *at))
        return false;
    int64_t value = 0;
    for (; is_digit(text, *at); (*at)++)
        if (value < 100'000)
            value = value * 10 + (text.at[*at] - '0');
    *out += negative ? -value : value;
    return true;
}

static bool
take_apart(ax_str text, struct decimal *out)
{
    size_t at = 0;
    struct decimal number = {.exact = true};
    if (text.len && (text.at[0] == '-' || text.at[0] == '+'))
        number.negative = text.at[at++] == '-';
    int used = 0;
    bool any = take_digits(text, &at, false, &number, &used);
    if (at < text.len && text.at[at] == '.') {
        at++;
        any |= take_digits(text, &at, true, &number, &used);
    }
    if (!any || !take_exponent(text, &at, &number.exponent) || at != text.len)
        return false;
    *out = number;
    return true;
}

/* One exact multiplication or division; false when the general way is needed. */
static bool
fast_f64(const struct decimal *number, double *out)
{
    if (!number->exact || number->digits >> 53 || number->exponent > EXACT_POWER_MAX ||
        number->exponent < -EXACT_POWER_MAX)
        return false;
    double value = (double)number->digits;
    if (number->exponent < 0)
        value /= powers_of_ten[-number->exponent];
    else
        value *= powers_of_ten[number->exponent];
    *out = number->negative ? -value : value;
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

/* The C library's conversion is correctly rounded; it only wants a terminator and a locale. */
static const char *
terminated(ax_str text, char out[TEXT_BYTES_MAX])
{
    if (text.len >= TEXT_BYTES_MAX)
        return NULL;
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    pthread_once(&locale_once, locale_make);
    return out;
}

bool
ax_parse_f64(ax_str text, double *out)
{
    struct decimal number;
    if (!take_apart(text, &number))
        return parse_word(text, out);
    if (fast_f64(&number, out))
        return true;
    char copy[TEXT_BYTES_MAX];
    if (!terminated(text, copy))
        return false;
    *out = strtod_l(copy, NULL, locale_c);
    return true;
}

/*
 * Rounding decimal -> double -> float errs only when the double lies exactly between two floats
 * (or where floats are denormal): those few go the general way.
 */
static bool
narrows_safely(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool between = (bits & 0x1fff'ffff) == 0x1000'0000;
    double size = fabs(value);
    return value == 0.0 || (!between && size > 1.2e-38 && size < 3.4e38);
}

bool
ax_parse_f32(ax_str text, float *out)
{
    struct decimal number;
    double wide;
    if (!take_apart(text, &number)) {
        if (!parse_word(text, &wide))
            return false;
        *out = (float)wide;
        return true;
    }
    if (fast_f64(&number, &wide) && narrows_safely(wide)) {
        *out = (float)wide;
        return true;
    }
    char copy[TEXT_BYTES_MAX];
    if (!terminated(text, copy))
        return false;
    *out = strtof_l(copy, NULL, locale_c);
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

size_t
ax_format_f64(double value, char *out)
{
    size_t whole_len;
    if (!isfinite(value))
        return format_special(value, out);
    if (format_whole(value, out, &whole_len))
        return whole_len;
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

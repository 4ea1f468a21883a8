#include "base/decimal.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/digits.h"

enum { DIGITS_MAX = 19, TEXT_BYTES_MAX = 1100, EXPONENT_MAX = 100'000 };

const double ax_decimal_powers[AX_DECIMAL_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

enum { NO_DIGIT = 10 };

/* The digit at a place, or something from NO_DIGIT on. */
static uint64_t
digit_at(ax_str text, size_t at)
{
    return at < text.len ? (uint64_t)(unsigned char)text.at[at] - '0' : NO_DIGIT;
}

/* Reads digits from *at on, counted for the exponent when `fraction`; keeps the first 19. */
static bool
take_digits(ax_str text, size_t *at, bool fraction, struct ax_decimal *number, int *used)
{
    bool any = false;
    for (uint64_t digit; (digit = digit_at(text, *at)) < NO_DIGIT; (*at)++, any = true) {
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

/* An exponent, if one stands at *at, is added to *exponent; false when it has no digits. */
static bool
take_exponent(ax_str text, size_t *at, int64_t *exponent)
{
    if (*at >= text.len || (text.at[*at] != 'e' && text.at[*at] != 'E'))
        return true;
    (*at)++;
    bool negative = *at < text.len && text.at[*at] == '-';
    if (*at < text.len && (text.at[*at] == '-' || text.at[*at] == '+'))
        (*at)++;
    if (digit_at(text, *at) >= NO_DIGIT)
        return false;
    int64_t value = 0;
    for (uint64_t digit; (digit = digit_at(text, *at)) < NO_DIGIT; (*at)++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (int64_t)digit;
    *exponent += negative ? -value : value;
    return true;
}

bool
ax_decimal_parse(ax_str text, struct ax_decimal *out)
{
    size_t at = 0;
    struct ax_decimal number = {.exact = true, .whole = true, .text = text};
    if (text.len && (text.at[0] == '-' || text.at[0] == '+'))
        number.negative = text.at[at++] == '-';
    int used = 0;
    bool any = take_digits(text, &at, false, &number, &used);
    if (at < text.len && text.at[at] == '.') {
        at++;
        any |= take_digits(text, &at, true, &number, &used);
        number.whole = false;
    }
    size_t mantissa_end = at;
    if (!any || !take_exponent(text, &at, &number.exponent) || at != text.len)
        return false;
    number.whole &= at == mantissa_end;
    *out = number;
    return true;
}

/* Digits from byte at on, while they come by eight; how many there were. */
static size_t
take_eights(ax_str text, size_t at, uint64_t *digits)
{
    size_t taken = 0;
    for (; text.len - at - taken >= AX_DIGITS_WORD; taken += AX_DIGITS_WORD) {
        uint64_t word = ax_digits_load(text.at + at + taken);
        if (ax_digits_count(word) < AX_DIGITS_WORD)
            break;
        *digits = *digits * 100'000'000 + ax_digits_number(word, AX_DIGITS_WORD);
    }
    return taken;
}

/* The digits behind them, fewer than eight, when eight bytes are there to look at. */
static size_t
take_rest(ax_str text, size_t at, uint64_t *digits)
{
    static const uint64_t powers[AX_DIGITS_WORD + 1] = {
        1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
    uint64_t word = ax_digits_load(text.at + at);
    size_t count = ax_digits_count(word);
    if (count > 0)
        *digits = *digits * powers[count] + ax_digits_number(word, count);
    return count;
}

/* Zeros that a number begins with, its point among them. */
static size_t
leading_zeros(ax_str text, size_t at)
{
    size_t zeros = 0;
    for (; at < text.len && (text.at[at] == '0' || text.at[at] == '.'); at++)
        zeros += text.at[at] == '0';
    return zeros;
}

/*
 * Up to 19 digits fit in 64 bits: then no digit needs a second look. A long fraction is taken by
 * eights, a short one digit by digit, which is quicker there. The parts are kept apart until the
 * end: a struct built in pieces and copied whole would stall.
 */
bool
ax_decimal_take(ax_str text, struct ax_decimal *out)
{
    bool negative = text.len && text.at[0] == '-';
    size_t at = negative, from = at, places = 0;
    uint64_t digits = 0, digit;
    for (; (digit = digit_at(text, at)) < NO_DIGIT; at++)
        digits = digits * 10 + digit;
    size_t whole_end = at, count = at - from;
    if (count == 0 || (count > 1 && text.at[from] == '0'))
        return false;
    if (at < text.len && text.at[at] == '.') {
        size_t eights = take_eights(text, ++at, &digits);
        at += eights;
        if (eights > 0 && text.len - at >= AX_DIGITS_WORD)
            at += take_rest(text, at, &digits);
        else
            for (; (digit = digit_at(text, at)) < NO_DIGIT; at++)
                digits = digits * 10 + digit;
        places = at - whole_end - 1;
        if (places == 0)
            return false;
    }
    int64_t exponent = -(int64_t)places;
    if (!take_exponent(text, &at, &exponent))
        return false;
    if (count + places > DIGITS_MAX && count + places - leading_zeros(text, from) > DIGITS_MAX)
        return ax_decimal_parse((ax_str){text.at, at}, out);
    out->digits = digits;
    out->exponent = exponent;
    out->negative = negative;
    out->exact = true;
    out->whole = at == whole_end;
    out->text = (ax_str){text.at, at};
    return true;
}

/* ---- rounding ---- */

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t locale_c;

static void
locale_make(void)
{
    locale_c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    AX_ASSERT(locale_c != (locale_t)0);
}

/*
 * The C library's conversions are correctly rounded; they only want a terminator and a locale.
 * Apart from their callers, whose fast path shall not pay for the copy's room.
 */
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

[[gnu::noinline]] static bool
slow_f64(ax_str text, double *out)
{
    char copy[TEXT_BYTES_MAX];
    if (!terminated(text, copy))
        return false;
    *out = strtod_l(copy, NULL, locale_c);
    return true;
}

[[gnu::noinline]] static bool
slow_f32(ax_str text, float *out)
{
    char copy[TEXT_BYTES_MAX];
    if (!terminated(text, copy))
        return false;
    *out = strtof_l(copy, NULL, locale_c);
    return true;
}

/* One exact multiplication or division; false when the general way is needed. */
static bool
fast_f64(const struct ax_decimal *number, double *out)
{
    if (!number->exact || number->digits >> 53 || number->exponent > AX_DECIMAL_POWER_MAX ||
        number->exponent < -AX_DECIMAL_POWER_MAX)
        return false;
    double value = (double)number->digits;
    if (number->exponent < 0)
        value /= ax_decimal_powers[-number->exponent];
    else
        value *= ax_decimal_powers[number->exponent];
    *out = number->negative ? -value : value;
    return true;
}

/* As fast_f64, all in floats: both operands are exact. */
static bool
narrow_f32(const struct ax_decimal *number, float *out)
{
    static const float powers[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                   1e6F, 1e7F, 1e8F, 1e9F, 1e10F};
    int64_t places = -number->exponent;
    if (!number->exact || number->digits >> 24 || places < 0 || places > 10)
        return false;
    float value = (float)(int32_t)number->digits / powers[places];
    *out = number->negative ? -value : value;
    return true;
}

/* ---- 17 digits, as programs write them: by multiplication in 128 bits ---- */

/* 5^q is `high` and `low` as one number in [2^127, 2^128), cut off, times 2^shift. */
struct power_of_five {
    uint64_t high, low;
    int32_t shift;
};

enum {
    POWER_LEAST = -54, /* below it a remainder would not fit in 128 bits */
    POWER_MOST = 54,
    DOUBLE_BITS = 53,
    REST_BITS = 128 - DOUBLE_BITS,
    DOUBLE_BIAS = 1023,
};

static pthread_once_t powers_once = PTHREAD_ONCE_INIT;
static struct power_of_five powers_of_five[POWER_MOST - POWER_LEAST + 1];

static struct power_of_five
normalised(unsigned __int128 value, int32_t shift)
{
    for (; !(value >> 127); shift--)
        value <<= 1;
    return (struct power_of_five){
        .high = (uint64_t)(value >> 64), .low = (uint64_t)value, .shift = shift};
}

/* 1 / five: long division, bit by bit, until 128 bits are there. */
static struct power_of_five
inverse(unsigned __int128 five)
{
    unsigned __int128 quotient = 0, rest = 1;
    int32_t shift = 0;
    for (; !(quotient >> 127); shift--) {
        rest <<= 1;
        quotient = quotient << 1 | (rest >= five);
        rest -= rest >= five ? five : 0;
    }
    return normalised(quotient, shift);
}

static void
powers_make(void)
{
    unsigned __int128 five = 1;
    for (int32_t q = 0; q <= POWER_MOST; q++, five *= 5) {
        powers_of_five[q - POWER_LEAST] = normalised(five, 0);
        powers_of_five[-q - POWER_LEAST] = q ? inverse(five) : normalised(1, 0);
    }
}

/*
 * Rounds an interval: the digits times the cut-off power, and what cutting can have taken away.
 * Where both ends round to the same double it is the nearest one; false where they do not (one
 * number in 2^70), at a tie, or out of the table. Nothing here is denormal or overflows.
 */
static bool
wide_f64(const struct ax_decimal *number, double *out)
{
    if (!number->exact || number->digits == 0 || number->exponent < POWER_LEAST ||
        number->exponent > POWER_MOST)
        return false;
    pthread_once(&powers_once, powers_make);
    const struct power_of_five *five = &powers_of_five[number->exponent - POWER_LEAST];
    int32_t zeros = __builtin_clzll(number->digits);
    uint64_t digits = number->digits << zeros;
    unsigned __int128 top =
        (unsigned __int128)digits * five->high + ((unsigned __int128)digits * five->low >> 64);
    int32_t half = top >> 127 ? 0 : 1; /* the product has 191 or 192 bits */
    top <<= half;
    const unsigned __int128 middle = (unsigned __int128)1 << (REST_BITS - 1), lost = 4;
    unsigned __int128 rest = top & ((middle << 1) - 1);
    uint64_t mantissa = (uint64_t)(top >> REST_BITS);
    if (rest + lost >= middle && rest <= middle)
        return false;
    mantissa += rest > middle;
    int32_t exponent = REST_BITS + 64 - zeros + five->shift + (int32_t)number->exponent - half;
    if (mantissa >> DOUBLE_BITS) {
        mantissa >>= 1;
        exponent++;
    }
    uint64_t bits = (mantissa & ((UINT64_C(1) << (DOUBLE_BITS - 1)) - 1)) |
                    (uint64_t)(exponent + DOUBLE_BITS - 1 + DOUBLE_BIAS) << (DOUBLE_BITS - 1) |
                    (uint64_t)number->negative << 63;
    memcpy(out, &bits, sizeof *out);
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
ax_decimal_f64(const struct ax_decimal *number, double *out)
{
    return fast_f64(number, out) || wide_f64(number, out) || slow_f64(number->text, out);
}

bool
ax_decimal_f32(const struct ax_decimal *number, float *out)
{
    double wide;
    if (narrow_f32(number, out))
        return true;
    if ((!fast_f64(number, &wide) && !wide_f64(number, &wide)) || !narrows_safely(wide))
        return slow_f32(number->text, out);
    *out = (float)wide;
    return true;
}

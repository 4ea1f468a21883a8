/*
 * A decimal number taken apart: from digits in a text to the nearest double or float.
 *
 * What number.h and the scanners of codec/ stand on: taking a number off the front of a text is
 * one step, rounding it to a type another, so that a scanner reads each digit once. Rounding is
 * exact: one multiplication where that suffices, the general way elsewhere.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* (-1)^negative * digits * 10^exponent. */
struct ax_decimal {
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool exact; /* `digits` has all digits that are not zero; else the first 19 of them */
    bool whole; /* neither a point nor an exponent was written */
    ax_str text;
};

/* 10^0 to 10^22, those that a double has exactly. */
enum { AX_DECIMAL_POWER_MAX = 22 };
extern const double ax_decimal_powers[AX_DECIMAL_POWER_MAX + 1];

/* Takes a number in JSON's grammar off the front of text; false when it does not begin with one. */
[[nodiscard]] bool ax_decimal_take(ax_str text, struct ax_decimal *out);

/* The whole text in the wider grammar of ax_parse_f64 (without its words). */
[[nodiscard]] bool ax_decimal_parse(ax_str text, struct ax_decimal *out);

/*
 * Rounded to nearest, ties to even; infinity beyond the type's range. false when the text is too
 * long to be converted (1'100 bytes and not exact).
 */
[[nodiscard]] bool ax_decimal_f64(const struct ax_decimal *number, double *out);
[[nodiscard]] bool ax_decimal_f32(const struct ax_decimal *number, float *out);

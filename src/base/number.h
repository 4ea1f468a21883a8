/*
 * Numbers: checked arithmetic, and text to number and back, exactly and without a locale.
 *
 * Parsing takes the whole string or refuses it; it is correctly rounded to the type asked for
 * (a float never goes through a double that was rounded already). Formatting gives the shortest
 * decimal that reads back as the same number.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* false on overflow; *out is untouched then. */
[[nodiscard]] bool ax_add(size_t a, size_t b, size_t *out);
[[nodiscard]] bool ax_mul(size_t a, size_t b, size_t *out);

/* Decimal, an optional '-', no '+', no blanks, no leading zeros but "0" itself. */
[[nodiscard]] bool ax_parse_i64(ax_str text, int64_t *out);
[[nodiscard]] bool ax_parse_u64(ax_str text, uint64_t *out);

/*
 * JSON's number grammar with "+", leading zeros, ".5" and "1." allowed beside it, and the words
 * NaN, Infinity, inf, with a sign, in any case. Overflow gives infinity and is accepted here;
 * callers that must refuse it look at isfinite().
 */
[[nodiscard]] bool ax_parse_f64(ax_str text, double *out);
[[nodiscard]] bool ax_parse_f32(ax_str text, float *out);

enum { AX_NUMBER_BYTES_MAX = 32 };

/* Shortest text that reads back equal; "NaN", "Infinity", "-Infinity". out: AX_NUMBER_BYTES_MAX
 * bytes, terminated. Returns its length. */
size_t ax_format_f64(double value, char *out);
size_t ax_format_f32(float value, char *out);
size_t ax_format_i64(int64_t value, char *out);
size_t ax_format_u64(uint64_t value, char *out);

/*
 * The text that LightGBM writes its models in: lines of `key=value`, lists of numbers in a value.
 *
 * A list is read in one pass over its bytes into memory of the caller, who knows how many numbers
 * it must hold. Floats are rounded once, correctly, as LightGBM itself reads thresholds and leaf
 * values.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

/* Takes a line off the front, without its end ("\n" or "\r\n"); false when no text is left. */
bool ax_lightgbm_line(ax_str *rest, ax_str *out_line);

/* "key=value" taken apart at the first '='; false when there is none. */
bool ax_lightgbm_pair(ax_str line, ax_str *out_key, ax_str *out_value);

/* The next word of a list, off the front of it; false when only blanks are left. */
bool ax_lightgbm_word(ax_str *list, ax_str *out_word);

/*
 * A list of exactly count numbers, blanks between them.
 *
 * key: for the sentence of a refusal. out: count of them. Fails: INVALID with key and place.
 */
ax_status ax_lightgbm_f64s(struct ax_ctx *ctx, const char *key, ax_str list, size_t count,
                           double *out);

/* The same of whole numbers between least and most. */
struct ax_lightgbm_range {
    int64_t least, most;
};
ax_status ax_lightgbm_i64s(struct ax_ctx *ctx, const char *key, ax_str list, size_t count,
                           struct ax_lightgbm_range range, int64_t *out);

/*
 * UBJSON as XGBoost writes it: bytes to a read-only tree.
 *
 * Big-endian. Keys and strings have a length of marker L and an int64; objects end with `}`; arrays
 * are typed (`[$t#Ln`, raw values follow), counted (`[#Ln`) or plain (`[ ... ]`). Typed arrays stay
 * where they are in the input and are decoded item by item, so a tree costs little more than its
 * file. Not a general UBJSON reader: no high-precision numbers, no no-ops, no counted objects.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

struct ax_ubjson; /* one value of a tree */

enum ax_ubjson_kind {
    AX_UBJSON_NULL,
    AX_UBJSON_BOOL,
    AX_UBJSON_NUMBER,
    AX_UBJSON_TEXT,
    AX_UBJSON_ARRAY,
    AX_UBJSON_OBJECT,
};

/* A number with its own width kept apart: whole numbers are exact in i64, others in f64. */
struct ax_ubjson_number {
    bool whole;
    int64_t i64; /* when whole */
    double f64;  /* always; of a float32 it is exact */
};

/*
 * Reads one value that takes all of bytes.
 *
 * bytes: kept as long as the tree, which lives in ctx->arena. depth_max: 0 for 32.
 * Fails: INVALID with the byte offset; LIMIT past the arena's budget.
 */
ax_status ax_ubjson_parse(struct ax_ctx *ctx, ax_str bytes, int depth_max,
                          const struct ax_ubjson **out_root);

enum ax_ubjson_kind ax_ubjson_kind(const struct ax_ubjson *value);
const char *ax_ubjson_kind_name(enum ax_ubjson_kind kind); /* "a number", "an object", ... */

/* Readers of one value: false when it is NULL or of another kind; *out is untouched then. */
[[nodiscard]] bool ax_ubjson_bool(const struct ax_ubjson *value, bool *out);
[[nodiscard]] bool ax_ubjson_text(const struct ax_ubjson *value, ax_str *out);
[[nodiscard]] bool ax_ubjson_number(const struct ax_ubjson *value, struct ax_ubjson_number *out);

/* Items of an array or members of an object; 0 for anything else. */
size_t ax_ubjson_count(const struct ax_ubjson *value);

/* Item `index` of an array that is not typed, or member `index` of an object; NULL else. */
const struct ax_ubjson *ax_ubjson_item(const struct ax_ubjson *value, size_t index);
ax_str ax_ubjson_key(const struct ax_ubjson *object, size_t index);

/* A member of an object, or NULL (also when it is NULL or no object). */
const struct ax_ubjson *ax_ubjson_find(const struct ax_ubjson *object, const char *key);

/*
 * All numbers of a typed array at once: whole ones of up to 32 bits, or float32s. false when it is
 * another kind of array, whose items are looked at one by one; *out is untouched then.
 */
[[nodiscard]] bool ax_ubjson_i32s(const struct ax_ubjson *array, int32_t *out);
[[nodiscard]] bool ax_ubjson_f32s(const struct ax_ubjson *array, float *out);

/* Number `index` of an array of either form; false when there is none or it is no number. */
[[nodiscard]] bool ax_ubjson_number_at(const struct ax_ubjson *array, size_t index,
                                       struct ax_ubjson_number *out);

/*
 * A tensor: a name, a type, a shape and the elements, row-major, as the Open Inference Protocol
 * speaks of them.
 *
 * A value: it owns nothing; what it points to lives in the arena or the message that it came
 * from. Elements are in the machine's byte order, which the wire formats share (little-endian).
 * Not arithmetic: engines take the elements and do their own.
 *
 * Source: open-inference-protocol.md section 2.1 (KServe OIP, Triton's BF16).
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

/*   name, bytes of one element; BYTES elements are ax_str */
#define AX_TENSOR_TYPE_MAP(X)                                                                      \
    X(BOOL, 1)                                                                                     \
    X(UINT8, 1)                                                                                    \
    X(UINT16, 2)                                                                                   \
    X(UINT32, 4)                                                                                   \
    X(UINT64, 8)                                                                                   \
    X(INT8, 1)                                                                                     \
    X(INT16, 2)                                                                                    \
    X(INT32, 4)                                                                                    \
    X(INT64, 8)                                                                                    \
    X(FP16, 2)                                                                                     \
    X(BF16, 2)                                                                                     \
    X(FP32, 4)                                                                                     \
    X(FP64, 8)                                                                                     \
    X(BYTES, sizeof(ax_str))

enum ax_tensor_type {
#define X(name, bytes) AX_TENSOR_##name,
    AX_TENSOR_TYPE_MAP(X)
#undef X
        AX_TENSOR_TYPE_COUNT
};

enum { AX_TENSOR_DIMS_MAX = 8 };

struct ax_tensor {
    ax_str name;
    enum ax_tensor_type type;
    size_t dim_count;                  /* 0: a single value */
    int64_t shape[AX_TENSOR_DIMS_MAX]; /* >= 0 each */
    size_t count;                      /* elements: the product of the shape */
    const void *data;                  /* count elements; NULL when they come elsewhere */
};

/* "FP32", "BYTES". */
const char *ax_tensor_type_name(enum ax_tensor_type type);

/* The type a name stands for (exact case); false when there is none. */
[[nodiscard]] bool ax_tensor_type_find(ax_str name, enum ax_tensor_type *out_type);

/* Bytes of one element in memory; of BYTES, those of its ax_str. */
size_t ax_tensor_element_bytes(enum ax_tensor_type type);

/*
 * How many elements a shape holds; false when a dimension is negative, or when the elements would
 * not fit in memory. A zero makes it 0, whatever stands beside it.
 */
[[nodiscard]] bool ax_tensor_count(enum ax_tensor_type type, const int64_t *shape, size_t dim_count,
                                   size_t *out_count);

/*
 * An element as a double: integers beyond 2^53 are rounded, BOOL is 0 or 1.
 *
 * index: < count. The tensor has data and is not BYTES (asserted).
 */
double ax_tensor_f64(const struct ax_tensor *tensor, size_t index);

/* The same, rounded to float once: FP32 elements come out untouched. */
float ax_tensor_f32(const struct ax_tensor *tensor, size_t index);

/*
 * The shape as people read it: "[-1,16]".
 *
 * Fails: LIMIT past the arena's budget: `at` is NULL then.
 */
ax_str ax_tensor_shape_text(struct ax_arena *arena, const int64_t *shape, size_t dim_count);

#include "codec/tensor_json_data.h"

#include <math.h>

#include "base/number.h"

/* What one "data" fills, and how far it has come. */
struct filling {
    struct ax_json_scan *scan;
    enum ax_tensor_type type;
    size_t count; /* elements there must be */
    size_t filled;
    void *elements;
};

static const char not_a_number[] = "must be a number of at most 63 characters";

ax_status
ax_tensor_json_count(struct ax_ctx *ctx, struct ax_tensor *tensor)
{
    if (ax_tensor_count(tensor->type, tensor->shape, tensor->dim_count, &tensor->count))
        return AX_OK;
    ax_str shape = ax_tensor_shape_text(ctx->arena, tensor->shape, tensor->dim_count);
    return ax_fail(ctx, AX_INVALID,
                   "shape %.*s causes total element count to exceed maximum size of %lld",
                   AX_FMT(shape), (long long)INT64_MAX);
}

static ax_status
fail_count(const struct filling *filling, const char *how)
{
    return ax_fail(filling->scan->ctx, AX_INVALID,
                   "Unable to parse 'data': Shape does not match true shape of 'data' field: "
                   "%zu elements were expected, there are %s",
                   filling->count, how);
}

static ax_status
fail_leaf(const struct filling *filling, const char *what)
{
    return ax_fail(filling->scan->ctx, AX_INVALID,
                   "Unable to parse 'data': element %zu of type %s %s (byte %zu)", filling->filled,
                   ax_tensor_type_name(filling->type), what, filling->scan->at);
}

/* ---- leaves ---- */

/* NaN, Infinity or -Infinity, which JSON does not have and tensors need. */
static ax_status
take_special(struct filling *filling, float *out)
{
    if (ax_json_scan_word(filling->scan, AX_STR("NaN")))
        *out = NAN;
    else if (ax_json_scan_word(filling->scan, AX_STR("Infinity")))
        *out = INFINITY;
    else if (ax_json_scan_word(filling->scan, AX_STR("-Infinity")))
        *out = -INFINITY;
    else
        return fail_leaf(filling, not_a_number);
    return AX_OK;
}

/* Takes the number that begins here, if one does: a word, a string or a bracket is none. */
static bool
take_number(struct filling *filling, struct ax_decimal *out_number)
{
    struct ax_json_scan *scan = filling->scan;
    if (!ax_decimal_take(ax_str_from(scan->text, scan->at), out_number) ||
        out_number->text.len > AX_JSON_SCAN_NUMBER_BYTES_MAX)
        return false;
    scan->at += out_number->text.len;
    return true;
}

static ax_status
leaf_f32(struct filling *filling)
{
    float *element = (float *)filling->elements + filling->filled;
    struct ax_decimal number;
    if (!take_number(filling, &number))
        return take_special(filling, element);
    if (!ax_decimal_f32(&number, element) || isinf(*element))
        return fail_leaf(filling, "is out of range");
    return AX_OK;
}

static ax_status
leaf_f64(struct filling *filling)
{
    double *element = (double *)filling->elements + filling->filled;
    struct ax_decimal number;
    if (!take_number(filling, &number)) {
        float special;
        AX_TRY(take_special(filling, &special));
        *element = (double)special;
        return AX_OK;
    }
    if (!ax_decimal_f64(&number, element) || isinf(*element))
        return fail_leaf(filling, "is out of range");
    return AX_OK;
}

static ax_status
leaf_bool(struct filling *filling)
{
    bool truth;
    if (!ax_json_scan_word(filling->scan, AX_STR("true"))) {
        if (!ax_json_scan_word(filling->scan, AX_STR("false")))
            return fail_leaf(filling, "must be true or false");
        truth = false;
    } else {
        truth = true;
    }
    ((uint8_t *)filling->elements)[filling->filled] = truth;
    return AX_OK;
}

static ax_status
leaf_bytes(struct filling *filling)
{
    if (ax_json_scan_peek(filling->scan) != '"')
        return fail_leaf(filling, "must be a string");
    return ax_json_scan_text(filling->scan, (ax_str *)filling->elements + filling->filled);
}

/* A whole number, written as one: 1.0 and 1e3 are none. */
static ax_status
take_whole(struct filling *filling, ax_str *out_digits)
{
    struct ax_decimal number;
    if (!take_number(filling, &number))
        return fail_leaf(filling, not_a_number);
    if (!number.whole)
        return fail_leaf(filling, "must be a whole number");
    *out_digits = number.text;
    return AX_OK;
}

static ax_status
leaf_signed(struct filling *filling)
{
    ax_str digits;
    int64_t value;
    AX_TRY(take_whole(filling, &digits));
    size_t bits = 8 * ax_tensor_element_bytes(filling->type);
    int64_t most = INT64_MAX >> (64 - bits);
    if (!ax_parse_i64(digits, &value) || value > most || value < -most - 1)
        return fail_leaf(filling, "is out of range");
    void *elements = filling->elements;
    if (bits == 8)
        ((int8_t *)elements)[filling->filled] = (int8_t)value;
    else if (bits == 16)
        ((int16_t *)elements)[filling->filled] = (int16_t)value;
    else if (bits == 32)
        ((int32_t *)elements)[filling->filled] = (int32_t)value;
    else
        ((int64_t *)elements)[filling->filled] = value;
    return AX_OK;
}

static ax_status
leaf_unsigned(struct filling *filling)
{
    ax_str digits;
    uint64_t value = 0;
    AX_TRY(take_whole(filling, &digits));
    size_t bits = 8 * ax_tensor_element_bytes(filling->type);
    bool zero = ax_str_eq(digits, AX_STR("-0"));
    if (!zero && (!ax_parse_u64(digits, &value) || value > UINT64_MAX >> (64 - bits)))
        return fail_leaf(filling, "is out of range");
    void *elements = filling->elements;
    if (bits == 8)
        ((uint8_t *)elements)[filling->filled] = (uint8_t)value;
    else if (bits == 16)
        ((uint16_t *)elements)[filling->filled] = (uint16_t)value;
    else if (bits == 32)
        ((uint32_t *)elements)[filling->filled] = (uint32_t)value;
    else
        ((uint64_t *)elements)[filling->filled] = value;
    return AX_OK;
}

/* ---- the array ---- */

typedef ax_status (*take_leaf)(struct filling *filling);

static take_leaf
leaf_of(enum ax_tensor_type type)
{
    static const take_leaf leaves[AX_TENSOR_TYPE_COUNT] = {
        [AX_TENSOR_BOOL] = leaf_bool,       [AX_TENSOR_UINT8] = leaf_unsigned,
        [AX_TENSOR_UINT16] = leaf_unsigned, [AX_TENSOR_UINT32] = leaf_unsigned,
        [AX_TENSOR_UINT64] = leaf_unsigned, [AX_TENSOR_INT8] = leaf_signed,
        [AX_TENSOR_INT16] = leaf_signed,    [AX_TENSOR_INT32] = leaf_signed,
        [AX_TENSOR_INT64] = leaf_signed,    [AX_TENSOR_FP32] = leaf_f32,
        [AX_TENSOR_FP64] = leaf_f64,        [AX_TENSOR_BYTES] = leaf_bytes,
    };
    return leaves[type];
}

/* Enters arrays until a leaf stands there, or an empty one has closed again (*out_leaf false). */
static ax_status
enter(struct filling *filling, int *depth, bool *out_leaf)
{
    bool more = true;
    while (more && ax_json_scan_peek(filling->scan) == '[') {
        if (*depth == AX_JSON_SCAN_DEPTH_MAX)
            return fail_leaf(filling, "is nested too deep");
        AX_TRY(ax_json_scan_open(filling->scan, '[', &more));
        *depth += more;
    }
    *out_leaf = more;
    return AX_OK;
}

/* The leaves that stand here one after another, up to a bracket: the loop that counts. */
static ax_status
take_leaves(struct filling *filling, take_leaf take, bool *out_more)
{
    bool more = true;
    while (more && ax_json_scan_peek(filling->scan) != '[') {
        if (filling->filled == filling->count)
            return fail_count(filling, "more");
        AX_TRY(take(filling));
        filling->filled++;
        AX_TRY(ax_json_scan_more(filling->scan, ']', &more));
    }
    *out_more = more;
    return AX_OK;
}

/* Arrays are entered and left until the outermost has ended. */
static ax_status
fill(struct filling *filling, take_leaf take)
{
    int depth = 0;
    do {
        bool more;
        AX_TRY(enter(filling, &depth, &more));
        if (more) {
            AX_TRY(take_leaves(filling, take, &more));
            depth -= !more;
        }
        while (!more && depth > 0) {
            AX_TRY(ax_json_scan_more(filling->scan, ']', &more));
            depth -= !more;
        }
    } while (depth > 0);
    return filling->filled == filling->count ? AX_OK : fail_count(filling, "fewer");
}

ax_status
ax_tensor_json_data(struct ax_json_scan *scan, struct ax_tensor *tensor)
{
    struct ax_ctx *ctx = scan->ctx;
    take_leaf take = leaf_of(tensor->type);
    if (!take)
        return ax_fail(ctx, AX_INVALID,
                       "receiving %s data via JSON is not supported. Please use the binary data "
                       "format for input %.*s",
                       ax_tensor_type_name(tensor->type),
                       tensor->name.len > 64 ? 64 : (int)tensor->name.len, tensor->name.at);
    AX_TRY(ax_tensor_json_count(ctx, tensor));
    if (ax_json_scan_peek(scan) != '[')
        return ax_json_scan_expected(scan, "an array as 'data'");
    struct filling filling = {.scan = scan, .type = tensor->type, .count = tensor->count};
    /* A leaf and its comma are two bytes at least: a shape that promises more is not believed. */
    if (tensor->count > (scan->text.len - scan->at) / 2)
        return fail_count(&filling, "fewer");
    filling.elements =
        ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(tensor->type), tensor->count);
    if (!filling.elements)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu elements", tensor->count);
    AX_TRY(fill(&filling, take));
    tensor->data = filling.elements;
    return AX_OK;
}

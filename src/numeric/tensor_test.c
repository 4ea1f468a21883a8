#include "numeric/tensor.h"

#include <math.h>

#include "harness.h"

TEST(tensor_types_have_the_names_and_sizes_of_the_protocol)
{
    static const struct {
        enum ax_tensor_type type;
        const char *name;
        size_t bytes;
    } cases[] = {
        {AX_TENSOR_BOOL, "BOOL", 1},     {AX_TENSOR_UINT8, "UINT8", 1},
        {AX_TENSOR_UINT16, "UINT16", 2}, {AX_TENSOR_UINT32, "UINT32", 4},
        {AX_TENSOR_UINT64, "UINT64", 8}, {AX_TENSOR_INT8, "INT8", 1},
        {AX_TENSOR_INT16, "INT16", 2},   {AX_TENSOR_INT32, "INT32", 4},
        {AX_TENSOR_INT64, "INT64", 8},   {AX_TENSOR_FP16, "FP16", 2},
        {AX_TENSOR_BF16, "BF16", 2},     {AX_TENSOR_FP32, "FP32", 4},
        {AX_TENSOR_FP64, "FP64", 8},     {AX_TENSOR_BYTES, "BYTES", sizeof(ax_str)},
    };
    CHECK_EQ(AX_COUNT_OF(cases), AX_TENSOR_TYPE_COUNT);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        enum ax_tensor_type found = AX_TENSOR_TYPE_COUNT;
        CHECK(ax_str_eq(ax_str_of(ax_tensor_type_name(cases[i].type)), ax_str_of(cases[i].name)));
        CHECK(ax_tensor_type_find(ax_str_of(cases[i].name), &found));
        CHECK_EQ(found, cases[i].type);
        CHECK_EQ(ax_tensor_element_bytes(cases[i].type), cases[i].bytes);
    }
    enum ax_tensor_type found = AX_TENSOR_BOOL;
    static const char *const foreign[] = {"", "fp32", "FP3", "FP322", "STRING", "FLOAT", "INT"};
    for (size_t i = 0; i < AX_COUNT_OF(foreign); i++)
        CHECK(!ax_tensor_type_find(ax_str_of(foreign[i]), &found));
}

TEST(tensor_sizes_do_not_wrap)
{
    static const struct {
        enum ax_tensor_type type;
        int64_t shape[3];
        size_t dim_count;
        bool ok;
        size_t count;
    } cases[] = {
        {AX_TENSOR_FP32, {}, 0, true, 1},
        {AX_TENSOR_FP32, {2, 3, 4}, 3, true, 24},
        {AX_TENSOR_FP32, {0, 3}, 2, true, 0},
        {AX_TENSOR_FP32, {INT64_MAX, INT64_MAX, 0}, 3, true, 0},
        {AX_TENSOR_FP32, {INT64_MAX, 23}, 2, false, 0},
        {AX_TENSOR_FP32, {INT64_C(1) << 62, 4}, 2, false, 0},
        {AX_TENSOR_FP32, {INT64_C(1) << 31, INT64_C(1) << 31, INT64_C(1) << 31}, 3, false, 0},
        {AX_TENSOR_FP32, {INT64_C(1) << 61}, 1, false, 0},
        {AX_TENSOR_UINT8, {INT64_MAX}, 1, true, INT64_MAX},
        {AX_TENSOR_UINT16, {INT64_MAX}, 1, false, 0},
        {AX_TENSOR_FP32, {-1, 3}, 2, false, 0},
        {AX_TENSOR_FP32, {0, -1}, 2, false, 0},
        {AX_TENSOR_FP32, {INT64_MIN}, 1, false, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        size_t count = 0;
        CHECK_EQ(ax_tensor_count(cases[i].type, cases[i].shape, cases[i].dim_count, &count),
                 cases[i].ok);
        CHECK_EQ(count, cases[i].count);
    }
}

TEST(tensor_elements_of_any_type_are_numbers)
{
    static const uint8_t u8[] = {255, 1};
    static const int8_t i8[] = {-128, 1};
    static const uint16_t u16[] = {65535, 1};
    static const int16_t i16[] = {-32768, 1};
    static const uint32_t u32[] = {UINT32_MAX, 1};
    static const int32_t i32[] = {INT32_MIN, 1};
    static const uint64_t u64[] = {UINT64_MAX, 1};
    static const int64_t i64[] = {INT64_MIN, 1};
    static const float f32[] = {0.1f, 1};
    static const double f64[] = {0.1, 1};
    static const uint16_t half[] = {0xc000, 0x3c00}, bfloat[] = {0xc000, 0x3f80};
    static const struct {
        enum ax_tensor_type type;
        const void *data;
        double first;
    } cases[] = {
        {AX_TENSOR_BOOL, u8, 1},
        {AX_TENSOR_UINT8, u8, 255},
        {AX_TENSOR_INT8, i8, -128},
        {AX_TENSOR_UINT16, u16, 65535},
        {AX_TENSOR_INT16, i16, -32768},
        {AX_TENSOR_UINT32, u32, 4294967295.0},
        {AX_TENSOR_INT32, i32, -2147483648.0},
        {AX_TENSOR_UINT64, u64, 0x1p64},
        {AX_TENSOR_INT64, i64, -0x1p63},
        {AX_TENSOR_FP32, f32, (double)0.1f},
        {AX_TENSOR_FP64, f64, 0.1},
        {AX_TENSOR_FP16, half, -2},
        {AX_TENSOR_BF16, bfloat, -2},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tensor tensor = {.type = cases[i].type, .count = 2, .data = cases[i].data};
        CHECK(ax_tensor_f64(&tensor, 0) == cases[i].first);
        CHECK(ax_tensor_f32(&tensor, 0) == (float)cases[i].first);
        CHECK(ax_tensor_f64(&tensor, 1) == 1);
        CHECK(ax_tensor_f32(&tensor, 1) == 1);
    }
    /* 2^60 + 2^36 + 1 lies above the middle of two floats; its double lies on it. */
    static const int64_t between[] = {(INT64_C(1) << 60) + (INT64_C(1) << 36) + 1};
    struct ax_tensor tensor = {.type = AX_TENSOR_INT64, .count = 1, .data = between};
    CHECK(ax_tensor_f32(&tensor, 0) == 0x1.000002p60f);
}

/* Every half, against its definition; those of bfloat are floats cut short. */
TEST(tensor_halves_are_the_floats_they_stand_for)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        uint16_t half = (uint16_t)bits;
        struct ax_tensor tensor = {.type = AX_TENSOR_FP16, .count = 1, .data = &half};
        int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 0x3ff);
        double want = exponent == 0    ? ldexp(fraction, -24)
                      : exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                                       : ldexp(1024 + fraction, exponent - 25);
        want = bits & 0x8000 ? -want : want;
        double got = ax_tensor_f64(&tensor, 0);
        CHECK(isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want));
        tensor.type = AX_TENSOR_BF16;
        float narrow = ax_tensor_f32(&tensor, 0);
        uint32_t back;
        memcpy(&back, &narrow, sizeof back);
        CHECK(isnan(narrow) || back == bits << 16);
    }
}

static void
shape_text(struct ax_ctx *ctx)
{
    static const int64_t shape[] = {-1, 16, INT64_MAX};
    CHECK_STR(ax_tensor_shape_text(ctx->arena, shape, 3), "[-1,16,9223372036854775807]");
    CHECK_STR(ax_tensor_shape_text(ctx->arena, shape, 0), "[]");
    ax_auto(ax_arena_free) struct ax_arena *none = ax_arena_new(0);
    CHECK(ax_tensor_shape_text(none, shape, 3).at == NULL);
}

TEST(tensor_shapes_are_shown_to_people)
{
    ax_test_with_ctx(shape_text);
}

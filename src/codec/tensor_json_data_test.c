#include "codec/tensor_json_data.h"

#include <math.h>

#include "harness.h"

static ax_status
take(struct ax_ctx *ctx, enum ax_tensor_type type, int64_t count, const char *data,
     struct ax_tensor *out_tensor)
{
    struct ax_json_scan scan = {.ctx = ctx, .text = ax_str_of(data)};
    *out_tensor =
        (struct ax_tensor){.name = AX_STR("x"), .type = type, .dim_count = 1, .shape = {count}};
    ctx->error[0] = '\0';
    AX_TRY(ax_tensor_json_data(&scan, out_tensor));
    return ax_json_scan_end(&scan);
}

static void
ranges(struct ax_ctx *ctx)
{
    static const struct {
        enum ax_tensor_type type;
        const char *least, *most, *below, *above;
    } cases[] = {
        {AX_TENSOR_INT8, "-128", "127", "-129", "128"},
        {AX_TENSOR_INT16, "-32768", "32767", "-32769", "32768"},
        {AX_TENSOR_INT32, "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {AX_TENSOR_INT64, "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
         "9223372036854775808"},
        {AX_TENSOR_UINT8, "0", "255", "-1", "256"},
        {AX_TENSOR_UINT16, "0", "65535", "-1", "65536"},
        {AX_TENSOR_UINT32, "0", "4294967295", "-1", "4294967296"},
        {AX_TENSOR_UINT64, "-0", "18446744073709551615", "-1", "18446744073709551616"},
        {AX_TENSOR_FP32, "-3.4028235e38", "3.4028235e38", "-3.4028236e38", "1e39"},
        {AX_TENSOR_FP64, "-1.7976931348623157e308", "1.7976931348623157e308", "-1e309", "1e999"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        char data[100];
        struct ax_tensor tensor;
        snprintf(data, sizeof data, "[%s, %s]", cases[i].least, cases[i].most);
        CHECK_EQ(take(ctx, cases[i].type, 2, data, &tensor), AX_OK);
        double least = 0, most = 0;
        CHECK_EQ(sscanf(cases[i].least, "%lf", &least), 1);
        CHECK_EQ(sscanf(cases[i].most, "%lf", &most), 1);
        bool narrow = cases[i].type == AX_TENSOR_FP32;
        CHECK(ax_tensor_f64(&tensor, 0) == (narrow ? (double)(float)least : least));
        CHECK(ax_tensor_f64(&tensor, 1) == (narrow ? (double)(float)most : most));
        const char *const beyond[] = {cases[i].below, cases[i].above};
        for (size_t k = 0; k < 2; k++) {
            snprintf(data, sizeof data, "[%s]", beyond[k]);
            CHECK_EQ(take(ctx, cases[i].type, 1, data, &tensor), AX_INVALID);
            CHECK(strstr(ctx->error, "out of range"));
        }
    }
}

TEST(tensor_data_does_not_wrap_in_any_type)
{
    ax_test_with_ctx(ranges);
}

static void
kinds(struct ax_ctx *ctx)
{
    static const char *const leaves[] = {"1",  "1.5", "1e2",      "true", "null",      "\"x\"",
                                         "{}", "NaN", "Infinity", "[]",   "-Infinity", "nan",
                                         "-",  "01",  "-NaN",     "+1",   "0x1",       "inf"};
    static const struct {
        enum ax_tensor_type type;
        const char *accepted; /* a letter for each leaf above */
    } cases[] = {
        {AX_TENSOR_BOOL, "000100000000000000"},   {AX_TENSOR_INT8, "100000000000000000"},
        {AX_TENSOR_UINT64, "100000000000000000"}, {AX_TENSOR_INT64, "100000000000000000"},
        {AX_TENSOR_FP32, "111000011010000000"},   {AX_TENSOR_FP64, "111000011010000000"},
        {AX_TENSOR_BYTES, "000001000000000000"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        for (size_t k = 0; k < AX_COUNT_OF(leaves); k++) {
            char data[40];
            struct ax_tensor tensor;
            snprintf(data, sizeof data, "[%s]", leaves[k]);
            ax_status want = cases[i].accepted[k] == '1' ? AX_OK : AX_INVALID;
            ax_status got = take(ctx, cases[i].type, 1, data, &tensor);
            if (got != want || (got != AX_OK && !ctx->error[0]))
                ax_test_failed(__FILE__, __LINE__, "%s as %s gives %s: %s", leaves[k],
                               ax_tensor_type_name(cases[i].type), ax_status_name(got), ctx->error);
        }
}

TEST(tensor_data_has_the_leaves_that_its_type_has)
{
    ax_test_with_ctx(kinds);
}

static void
nestings(struct ax_ctx *ctx)
{
    static const struct {
        const char *data;
        int64_t count;
        bool ok;
    } cases[] = {
        {"[1,2,3,4]", 4, true},
        {"[[1,2],[3,4]]", 4, true},
        {"[[1,2],[3],4]", 4, true},
        {"[[[[1]]],[[2]],[[],[]],3,[[4]]]", 4, true},
        {" [ [ 1 , 2 ] , [ 3 , 4 ] ] ", 4, true},
        {"[]", 0, true},
        {"[[],[[]]]", 0, true},
        {"[1]", 1, true},
        {"[[1]]", 1, true},
        {"[1,2,3]", 4, false},
        {"[1,2,3,4,5]", 4, false},
        {"[1]", 0, false},
        {"[]", 1, false},
        {"[1,2,3,4,]", 4, false},
        {"[1,2,3,[4,]]", 4, false},
        {"[,1]", 1, false},
        {"[1 2]", 2, false},
        {"[[1,2]", 2, false},
        {"[1,2]]", 2, false},
        {"[1,2", 2, false},
        {"1", 1, false},
        {"{}", 0, false},
        {"\"x\"", 1, false},
        {"null", 0, false},
        {"", 0, false},
        {"[", 0, false},
        {"[1}", 1, false},
        {"[{\"a\":1}]", 1, false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tensor tensor;
        ax_status status = take(ctx, AX_TENSOR_FP32, cases[i].count, cases[i].data, &tensor);
        if (status != (cases[i].ok ? AX_OK : AX_INVALID))
            ax_test_failed(__FILE__, __LINE__, "'%s' gives %s: %s", cases[i].data,
                           ax_status_name(status), ctx->error);
        for (size_t k = 0; status == AX_OK && k < tensor.count; k++)
            CHECK(ax_tensor_f64(&tensor, k) == (double)k + 1);
    }
    char deep[300];
    for (size_t depth = 99; depth <= 101; depth++) {
        struct ax_tensor tensor;
        memset(deep, '[', depth);
        deep[depth] = '1';
        memset(deep + depth + 1, ']', depth);
        deep[2 * depth + 1] = '\0';
        CHECK_EQ(take(ctx, AX_TENSOR_INT32, 1, deep, &tensor), depth <= 100 ? AX_OK : AX_INVALID);
    }
}

TEST(tensor_data_is_nested_as_anyone_likes)
{
    ax_test_with_ctx(nestings);
}

/* Shapes that promise what the text cannot hold cost no memory. */
static void
hostile(struct ax_ctx *ctx)
{
    static const int64_t shapes[][3] = {{INT64_MAX, 23, 1},
                                        {1 << 30, 1 << 30, 1 << 30},
                                        {INT64_C(1) << 40, 1, 1},
                                        {1'000'000, 1, 1},
                                        {5, 1, 1}};
    for (size_t i = 0; i < AX_COUNT_OF(shapes); i++) {
        struct ax_json_scan scan = {.ctx = ctx, .text = AX_STR("[1,2,3,4]")};
        struct ax_tensor tensor = {.type = AX_TENSOR_FP64, .dim_count = 3};
        memcpy(tensor.shape, shapes[i], sizeof shapes[i]);
        CHECK_EQ(ax_tensor_json_data(&scan, &tensor), AX_INVALID);
        CHECK(tensor.data == NULL);
    }
    CHECK(ax_arena_held_bytes(ctx->arena) < 100'000);
    struct ax_tensor tensor;
    CHECK_EQ(take(ctx, AX_TENSOR_FP16, 1, "[1]", &tensor), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error),
              "receiving FP16 data via JSON is not supported. Please use the "
              "binary data format for input x");
    CHECK_EQ(take(ctx, AX_TENSOR_BF16, 1, "[1]", &tensor), AX_INVALID);
}

TEST(tensor_data_is_weighed_before_it_is_believed)
{
    ax_test_with_ctx(hostile);
}

static void
strings(struct ax_ctx *ctx)
{
    struct ax_tensor tensor;
    CHECK_EQ(take(ctx, AX_TENSOR_BYTES, 3, "[\"a\",[\"\\u00e9\\n\"],\"\"]", &tensor), AX_OK);
    const ax_str *texts = tensor.data;
    CHECK_STR(texts[0], "a");
    CHECK_STR(texts[1], "\xc3\xa9\n");
    CHECK_STR(texts[2], "");
    CHECK_EQ(take(ctx, AX_TENSOR_BOOL, 2, "[true,false]", &tensor), AX_OK);
    CHECK(ax_tensor_f64(&tensor, 0) == 1 && ax_tensor_f64(&tensor, 1) == 0);
    CHECK_EQ(take(ctx, AX_TENSOR_FP32, 3, "[NaN,Infinity,-Infinity]", &tensor), AX_OK);
    CHECK(isnan(ax_tensor_f64(&tensor, 0)));
    CHECK(ax_tensor_f64(&tensor, 1) > 0 && ax_tensor_f64(&tensor, 2) < 0);
    /* Rounded once: just below the middle of two floats, and on it as a double. */
    CHECK_EQ(take(ctx, AX_TENSOR_FP32, 1, "[1.00000017881393432617187499]", &tensor), AX_OK);
    CHECK(ax_tensor_f32(&tensor, 0) == 0x1.000002p0f);
}

TEST(tensor_data_may_be_text_truth_and_no_number)
{
    ax_test_with_ctx(strings);
}

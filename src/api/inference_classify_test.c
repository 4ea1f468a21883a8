#include "api/inference_classify.h"

#include <math.h>

#include "base/writer.h"
#include "harness.h"

static const float floats[] = {0.25f, NAN, 3.3f, 0.25f, -1, 7};
static const int64_t large[] = {INT64_MAX, INT64_MIN};
static const uint8_t small[] = {3, 200, 9};

static void
ranks(struct ax_ctx *ctx)
{
    static const struct {
        struct ax_tensor tensor;
        uint64_t count;
        const char *want; /* rows behind each other */
        int64_t kept;
    } cases[] = {
        {{{"o", 1}, AX_TENSOR_FP32, 2, {2, 3}, 6, floats},
         2,
         "3.300000:2 0.250000:0 7.000000:2 0.250000:0 ",
         2},
        {{{"o", 1}, AX_TENSOR_FP32, 2, {2, 3}, 6, floats},
         9,
         "3.300000:2 0.250000:0 nan:1 7.000000:2 0.250000:0 -1.000000:1 ",
         3},
        {{{"o", 1}, AX_TENSOR_FP32, 1, {4}, 4, floats},
         1,
         "0.250000:0 nan:0 3.300000:0 0.250000:0 ",
         1},
        {{{"o", 1}, AX_TENSOR_INT64, 2, {1, 2}, 2, large},
         UINT64_MAX,
         "9223372036854775807:0 -9223372036854775808:1 ",
         2},
        {{{"o", 1}, AX_TENSOR_UINT8, 2, {1, 3}, 3, small}, 1, "200:1 ", 1},
        {{{"o", 1}, AX_TENSOR_UINT8, 2, {0, 3}, 0, small}, 1, "", 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tensor classes;
        ax_writer_auto struct ax_writer text = ax_writer_of(1000);
        CHECK_EQ(ax_inference_classify(ctx, &cases[i].tensor, cases[i].count, &classes), AX_OK);
        CHECK_EQ(classes.type, AX_TENSOR_BYTES);
        CHECK_EQ(classes.shape[0], cases[i].tensor.shape[0]);
        CHECK_EQ(classes.shape[1], cases[i].kept);
        CHECK_EQ((int64_t)classes.count, classes.shape[0] * classes.shape[1]);
        for (size_t k = 0; k < classes.count; k++) {
            ax_writer_bytes(&text, ((const ax_str *)classes.data)[k]);
            ax_writer_char(&text, ' ');
        }
        CHECK_STR(ax_writer_str(&text), cases[i].want);
    }
}

TEST(inference_classify_gives_the_greatest_first)
{
    ax_test_with_ctx(ranks);
}

static void
refuses(struct ax_ctx *ctx)
{
    static const ax_str words[] = {{"a", 1}};
    const struct ax_tensor text = {{"o", 1}, AX_TENSOR_BYTES, 1, {1}, 1, words};
    const struct ax_tensor many = {{"o", 1}, AX_TENSOR_UINT8, 1, {2'000'000}, 2'000'000, small};
    struct ax_tensor classes;
    CHECK_EQ(ax_inference_classify(ctx, &text, 1, &classes), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "classification is not possible for output 'o': it is text");
    CHECK_EQ(ax_inference_classify(ctx, &many, 1, &classes), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error),
              "classification is not possible for output 'o': 2000000 values, at most 1000000");
}

TEST(inference_classify_refuses_text_and_a_million_values)
{
    ax_test_with_ctx(refuses);
}

static ax_status
classify_once(struct ax_ctx *ctx)
{
    const struct ax_tensor tensor = {{"o", 1}, AX_TENSOR_FP32, 2, {2, 3}, 6, floats};
    struct ax_tensor classes;
    return ax_inference_classify(ctx, &tensor, 2, &classes);
}

TEST(inference_classify_survives_every_fault)
{
    FAULT_SWEEP(classify_once);
}

#include "codec/tensor_binary.h"

#include "harness.h"

static const char two_inputs[] =
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":"
    "{\"binary_data_size\":8}},{\"name\":\"j\",\"datatype\":\"INT8\",\"shape\":[1],\"data\":[7]},"
    "{\"name\":\"t\",\"datatype\":\"BYTES\",\"shape\":[2],\"parameters\":"
    "{\"binary_data_size\":11}}]}";

/* 1.5f, -2.0f, then "abc" and "". */
static const char two_tails[] = "\0\0\xc0\x3f\0\0\0\xc0\3\0\0\0abc\0\0\0\0";

static void
attaches(struct ax_ctx *ctx)
{
    /* At an odd address as at an even one. */
    for (size_t shift = 0; shift < 4; shift++) {
        struct ax_tensor_json_request request;
        char *memory = ax_arena_alloc(ctx->arena, 1, 64);
        REQUIRE(memory != NULL);
        memcpy(memory + shift, two_tails, sizeof two_tails - 1);
        CHECK_EQ(ax_tensor_json_parse(ctx, ax_str_of(two_inputs), NULL, &request), AX_OK);
        CHECK_EQ(ax_tensor_binary_attach(ctx, AX_STR("m"),
                                         (ax_str){memory + shift, sizeof two_tails - 1}, &request),
                 AX_OK);
        const float *numbers = request.inputs[0].tensor.data;
        CHECK_EQ((uintptr_t)numbers % alignof(float), 0);
        CHECK(numbers[0] == 1.5f && numbers[1] == -2.0f);
        CHECK_EQ(((const int8_t *)request.inputs[1].tensor.data)[0], 7);
        const ax_str *texts = request.inputs[2].tensor.data;
        CHECK_STR(texts[0], "abc");
        CHECK_EQ(texts[1].len, 0);
    }
}

TEST(tensor_binary_gives_inputs_their_elements_in_order)
{
    ax_test_with_ctx(attaches);
}

static void
refuses(struct ax_ctx *ctx)
{
    static const struct {
        enum ax_tensor_type type;
        size_t count;
        ax_str bytes;
        const char *words;
    } cases[] = {
        {AX_TENSOR_FP32,
         2,
         {two_tails, 7},
         "input byte size mismatch for input 'x' for model 'm'. Expected 8, got 7"},
        {AX_TENSOR_FP32,
         2,
         {two_tails, 9},
         "input byte size mismatch for input 'x' for model 'm'. Expected 8, got 9"},
        {AX_TENSOR_BOOL,
         2,
         {"\1\2", 2},
         "input 'x': element 1 of a BOOL is the byte 2, not 0 or 1"},
        {AX_TENSOR_BYTES,
         2,
         {"\1\0\0\0a\2\0\0\0b", 10},
         "incomplete string 1 of 2 for inference input 'x' of model 'm'"},
        {AX_TENSOR_BYTES,
         1,
         {"\1\0\0\0ab", 6},
         "unexpected number of string elements for inference input 'x' of model 'm': 1 bytes are "
         "left after 1"},
        {AX_TENSOR_BYTES,
         (size_t)1 << 40,
         {"\1\0\0\0ab", 6},
         "expected 1099511627776 strings for inference input 'x' of model 'm', got 6 bytes"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tensor tensor = {
            .name = AX_STR("x"), .type = cases[i].type, .count = cases[i].count};
        CHECK_EQ(ax_tensor_binary_read(ctx, AX_STR("m"), cases[i].bytes, &tensor), AX_INVALID);
        CHECK_STR(ax_str_of(ctx->error), cases[i].words);
        CHECK(tensor.data == NULL || cases[i].type == AX_TENSOR_BOOL);
    }
}

TEST(tensor_binary_refuses_bytes_that_do_not_fit_the_shape)
{
    ax_test_with_ctx(refuses);
}

static void
refuses_tails(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    for (size_t len = 0; len <= sizeof two_tails - 1; len++) {
        CHECK_EQ(ax_tensor_json_parse(ctx, ax_str_of(two_inputs), NULL, &request), AX_OK);
        bool whole = len == sizeof two_tails - 1;
        CHECK_EQ(ax_tensor_binary_attach(ctx, AX_STR("m"), (ax_str){two_tails, len}, &request),
                 whole ? AX_OK : AX_INVALID);
        CHECK(whole || strstr(ctx->error, "unexpected size for input '"));
    }
    CHECK_EQ(ax_tensor_json_parse(ctx, ax_str_of(two_inputs), NULL, &request), AX_OK);
    CHECK_EQ(
        ax_tensor_binary_attach(ctx, AX_STR("m"), (ax_str){two_tails, sizeof two_tails}, &request),
        AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "unexpected additional input data for model 'm': 1 bytes");
}

TEST(tensor_binary_refuses_a_body_cut_or_continued_anywhere)
{
    ax_test_with_ctx(refuses_tails);
}

static void
round_trips(struct ax_ctx *ctx)
{
    static const double doubles[] = {0.1, -1e300};
    static const uint16_t halves[] = {0x3c00, 0xc000, 1};
    static const ax_str texts[] = {{"a\0b", 3}, {"", 0}, {"\xff", 1}};
    static const struct ax_tensor tensors[] = {
        {{"d", 1}, AX_TENSOR_FP64, 1, {2}, 2, doubles},
        {{"h", 1}, AX_TENSOR_FP16, 1, {3}, 3, halves},
        {{"b", 1}, AX_TENSOR_BF16, 1, {3}, 3, halves},
        {{"t", 1}, AX_TENSOR_BYTES, 1, {3}, 3, texts},
        {{"e", 1}, AX_TENSOR_FP32, 2, {0, 4}, 0, ""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(tensors); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1000), again = ax_writer_of(1000);
        struct ax_tensor read = tensors[i];
        ax_tensor_binary_write(&tensors[i], &out);
        CHECK_EQ(out.len, ax_tensor_binary_bytes(&tensors[i]));
        CHECK_EQ(ax_tensor_binary_read(ctx, AX_STR("m"), ax_writer_str(&out), &read), AX_OK);
        ax_tensor_binary_write(&read, &again);
        CHECK(ax_str_eq(ax_writer_str(&out), ax_writer_str(&again)));
    }
}

TEST(tensor_binary_reads_what_it_writes)
{
    ax_test_with_ctx(round_trips);
}

static void
answers(struct ax_ctx *ctx)
{
    static const uint16_t half[] = {0x3c00};
    static const ax_str texts[] = {{"ab", 2}};
    static const struct ax_tensor outputs[] = {{{"h", 1}, AX_TENSOR_FP16, 1, {1}, 1, half},
                                               {{"t", 1}, AX_TENSOR_BYTES, 1, {1}, 1, texts}};
    static const bool binary[] = {true, false};
    const struct ax_tensor_json_response response = {.model_name = AX_STR("m"),
                                                     .outputs = outputs,
                                                     .output_count = AX_COUNT_OF(outputs),
                                                     .binary = binary};
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    CHECK_EQ(ax_tensor_json_print(ctx, &response, &out), AX_OK);
    CHECK_STR(ax_writer_str(&out),
              "{\"model_name\":\"m\",\"outputs\":[{\"name\":\"h\",\"datatype\":\"FP16\",\"shape\":"
              "[1],\"parameters\":{\"binary_data_size\":2}},{\"name\":\"t\",\"datatype\":\"BYTES\","
              "\"shape\":[1],\"data\":[\"ab\"]}]}");
}

TEST(tensor_binary_outputs_are_announced_in_the_json)
{
    ax_test_with_ctx(answers);
}

static ax_status
attach_once(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    char odd[sizeof two_tails + 1];
    memcpy(odd + 1, two_tails, sizeof two_tails);
    AX_TRY(ax_tensor_json_parse(ctx, ax_str_of(two_inputs), NULL, &request));
    return ax_tensor_binary_attach(ctx, AX_STR("m"), (ax_str){odd + 1, sizeof two_tails - 1},
                                   &request);
}

TEST(tensor_binary_survives_every_fault)
{
    FAULT_SWEEP(attach_once);
}

#include "api/inference_grpc_wire.h"

#include "harness.h"

/* Messages are built as a client would: by field number. */
static void
put_shape(struct ax_writer *out, const int64_t *shape, size_t count)
{
    size_t packed = ax_protobuf_begin(out, 3);
    for (size_t i = 0; i < count; i++) {
        ax_writer_auto struct ax_writer one = ax_writer_of(20);
        ax_protobuf_put_varint(&one, 1, (uint64_t)shape[i]);
        ax_writer_bytes(out, ax_str_from(ax_writer_str(&one), 1)); /* without the tag */
    }
    ax_protobuf_end(out, packed);
}

struct input {
    const char *name, *type;
    int64_t shape[3];
    size_t dim_count;
    ax_str contents; /* InferTensorContents; at NULL for none */
    ax_str raw;      /* at NULL for none */
};

static ax_str
build(struct ax_ctx *ctx, const struct input *inputs, size_t count)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    ax_str bytes = AX_STR("");
    ax_protobuf_put_bytes(&out, 1, AX_STR("m"));
    ax_protobuf_put_bytes(&out, 3, AX_STR("42"));
    for (size_t i = 0; i < count; i++) {
        size_t begun = ax_protobuf_begin(&out, 5);
        ax_protobuf_put_bytes(&out, 1, ax_str_of(inputs[i].name));
        ax_protobuf_put_bytes(&out, 2, ax_str_of(inputs[i].type));
        put_shape(&out, inputs[i].shape, inputs[i].dim_count);
        if (inputs[i].contents.at)
            ax_protobuf_put_bytes(&out, 5, inputs[i].contents);
        ax_protobuf_end(&out, begun);
    }
    for (size_t i = 0; i < count; i++)
        if (inputs[i].raw.at)
            ax_protobuf_put_bytes(&out, 7, inputs[i].raw);
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &bytes), AX_OK);
    return bytes;
}

/* 1.0f and 2.0f, raw; packed in fp32_contents; one by one. */
#define ONE_TWO "\0\0\x80\x3f\0\0\0\x40"
static const ax_str raw = {ONE_TWO, 8}, packed = {"\x32\x08" ONE_TWO, 10},
                    alone = {"\x35\0\0\x80\x3f\x35\0\0\0\x40", 10};

static void
reads(struct ax_ctx *ctx)
{
    const struct input inputs[] = {
        {"x", "FP32", {1, 2}, 2, {}, raw},
        {"x", "FP32", {2, 1}, 2, packed, {}},
        {"x", "FP32", {2}, 1, alone, {}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(inputs); i++) {
        struct ax_inference_message message = {};
        CHECK_EQ(ax_inference_message_read(ctx, build(ctx, &inputs[i], 1), &message), AX_OK);
        CHECK_STR(message.model, "m");
        CHECK_STR(message.request.id, "42");
        CHECK(message.version.len == 0 && message.request.has_id);
        REQUIRE(message.request.input_count == 1);
        const struct ax_tensor *tensor = &message.request.inputs[0].tensor;
        const float *numbers = tensor->data;
        CHECK(tensor->count == 2 && numbers[0] == 1 && numbers[1] == 2);
    }
}

TEST(grpc_wire_reads_raw_and_typed_elements)
{
    ax_test_with_ctx(reads);
}

static void
types(struct ax_ctx *ctx)
{
    static const struct {
        const char *type;
        ax_str contents;
        ax_str bytes; /* the elements in memory; of BYTES the one text */
    } cases[] = {
        {"BOOL", {"\x0a\x02\1\0", 4}, {"\1\0", 2}},
        {"INT8", {"\x12\x0b\x80\xff\xff\xff\xff\xff\xff\xff\xff\x01\x7f", 13}, {"\x80\x7f", 2}},
        {"INT16", {"\x12\x02\1\2", 4}, {"\1\0\2\0", 4}},
        {"INT32", {"\x10\x07\x10\x08", 4}, {"\7\0\0\0\x08\0\0\0", 8}},
        {"INT64", {"\x1a\x02\1\2", 4}, {"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16}},
        {"UINT8", {"\x22\x03\xff\x01\0", 5}, {"\xff\0", 2}},
        {"UINT64", {"\x2a\x02\1\2", 4}, {"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_inference_message message = {};
        const struct input input = {"x", cases[i].type, {2}, 1, cases[i].contents, {}};
        CHECK_EQ(ax_inference_message_read(ctx, build(ctx, &input, 1), &message), AX_OK);
        REQUIRE(message.request.input_count == 1);
        CHECK(memcmp(message.request.inputs[0].tensor.data, cases[i].bytes.at,
                     cases[i].bytes.len) == 0);
    }
    struct ax_inference_message message = {};
    const struct input text = {"t", "BYTES", {2}, 1, {"\x42\x02hi\x42\0", 6}, {}};
    CHECK_EQ(ax_inference_message_read(ctx, build(ctx, &text, 1), &message), AX_OK);
    const ax_str *texts = message.request.inputs[0].tensor.data;
    CHECK_STR(texts[0], "hi");
    CHECK_EQ(texts[1].len, 0);
}

TEST(grpc_wire_knows_the_field_of_every_type)
{
    ax_test_with_ctx(types);
}

static void
refuses(struct ax_ctx *ctx)
{
    static const struct {
        struct input inputs[2];
        size_t count;
        const char *words;
    } cases[] = {
        {{{"x", "FP31", {1}, 1, {}, {"", 0}}}, 1, "input 'x': datatype 'FP31' is not known"},
        {{{"x", "FP32", {-1, 2}, 2, {}, {ONE_TWO, 8}}}, 1, "input 'x': its shape is negative or"},
        {{{"x", "FP32", {1L << 62, 4}, 2, {}, {ONE_TWO, 8}}}, 1, "exceed maximum size"},
        {{{"x", "FP32", {3}, 1, {}, {ONE_TWO, 8}}},
         1,
         "input byte size mismatch for input 'x' for model 'm'. Expected 12, got 8"},
        {{{"x", "FP32", {3}, 1, {"\x32\x08" ONE_TWO, 10}, {}}},
         1,
         "unexpected number of elements 2 for inference input 'x', expecting 3"},
        {{{"x", "FP32", {2}, 1, {"\x32\x07" ONE_TWO, 9}, {}}},
         1,
         "input 'x': its contents are not in the field of FP32, or are cut"},
        {{{"x", "INT64", {2}, 1, {"\x32\x08" ONE_TWO, 10}, {}}},
         1,
         "input 'x': its contents are not in the field of INT64"},
        {{{"x", "UINT8", {1}, 1, {"\x20\x80\x02", 3}, {}}},
         1,
         "input 'x': element 0 is out of range for UINT8"},
        {{{"x", "FP16", {1}, 1, {"\x20\x01", 2}, {}}},
         1,
         "input 'x': FP16 travels in raw_input_contents only"},
        {{{"x", "FP32", {2}, 1, {"\x32\x08" ONE_TWO, 10}, {ONE_TWO, 8}}},
         1,
         "contents field must not be specified when using raw_input_contents for 'x' for model"},
        {{{"x", "FP32", {2}, 1, {}, {ONE_TWO, 8}}, {"x", "FP32", {2}, 1, {}, {ONE_TWO, 8}}},
         2,
         "input 'x' already exists in request"},
        {{{"x", "FP32", {2}, 1, {}, {ONE_TWO, 8}}, {"y", "FP32", {2}, 1, {}, {}}},
         2,
         "expected 2 raw input contents but got 1 for model 'm'"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_inference_message message;
        ax_str bytes = build(ctx, cases[i].inputs, cases[i].count);
        CHECK_EQ(ax_inference_message_read(ctx, bytes, &message), AX_INVALID);
        if (!ax_test_said(ctx, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
    }
}

TEST(grpc_wire_refuses_what_does_not_fit)
{
    ax_test_with_ctx(refuses);
}

/* Cut anywhere, a message is refused or reads as a shorter one: never beyond its end. */
static void
cuts(struct ax_ctx *ctx)
{
    const struct input input = {"x", "FP32", {1, 2}, 2, {}, raw};
    ax_str whole = build(ctx, &input, 1);
    for (size_t len = 0; len < whole.len; len++) {
        struct ax_inference_message message = {};
        char *copy = ax_arena_alloc(ctx->arena, 1, len + 1);
        REQUIRE(copy != NULL);
        memcpy(copy, whole.at, len);
        if (ax_inference_message_read(ctx, (ax_str){copy, len}, &message) == AX_OK)
            CHECK(message.request.input_count == 0);
    }
}

TEST(grpc_wire_withstands_cuts)
{
    ax_test_with_ctx(cuts);
}

static void
parameters(struct ax_ctx *ctx)
{
    static const char message_bytes[] = "\x0a\x01m"
                                        "\x22\x07\x0a\x01"
                                        "b\x12\x02\x08\x01"
                                        "\x22\x07\x0a\x01"
                                        "i\x12\x02\x10\x05"
                                        "\x22\x08\x0a\x01"
                                        "t\x12\x03\x1a\x01z"
                                        "\x32\x1a\x0a\x01"
                                        "p\x12\x15\x0a\x0e"
                                        "classification\x12\x03\x10\x80\x01";
    struct ax_inference_message message = {};
    CHECK_EQ(
        ax_inference_message_read(ctx, (ax_str){message_bytes, sizeof message_bytes - 1}, &message),
        AX_OK);
    CHECK_EQ(message.request.parameters.count, 3);
    CHECK(ax_tensor_json_find(&message.request.parameters, "b")->truth);
    CHECK_EQ(ax_tensor_json_find(&message.request.parameters, "i")->i64, 5);
    CHECK_STR(ax_tensor_json_find(&message.request.parameters, "t")->text, "z");
    REQUIRE(message.request.output_count == 1);
    CHECK_STR(message.request.outputs[0].name, "p");
    CHECK_EQ(message.request.outputs[0].classification, 128);
}

TEST(grpc_wire_reads_parameters_and_outputs)
{
    ax_test_with_ctx(parameters);
}

TEST(grpc_wire_writes_names_shapes_and_raw_elements)
{
    static const float numbers[] = {1, 2};
    static const ax_str texts[] = {{"ab", 2}};
    static const struct ax_tensor outputs[] = {{{"p", 1}, AX_TENSOR_FP32, 1, {2}, 2, numbers},
                                               {{"t", 1}, AX_TENSOR_BYTES, 1, {1}, 1, texts}};
    const struct ax_inference_reply reply = {.model = AX_STR("m"),
                                             .version = AX_STR("1"),
                                             .id = AX_STR(""),
                                             .outputs = outputs,
                                             .output_count = 2};
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    ax_inference_message_write(&reply, &out);
    static const char want[] = "\x0a\x01m\x12\x01"
                               "1"
                               "\x2a\x0b\x0a\x01p\x12\x04"
                               "FP32\x18\x02"
                               "\x2a\x0c\x0a\x01t\x12\x05"
                               "BYTES\x18\x01"
                               "\x32\x08" ONE_TWO "\x32\x06\2\0\0\0ab";
    CHECK(ax_str_eq(ax_writer_str(&out), (ax_str){want, sizeof want - 1}));
}

static ax_status
read_once(struct ax_ctx *ctx)
{
    static const char bytes[] = "\x0a\x01m\x2a\x17\x0a\x01x\x12\x04"
                                "FP32\x18\x02\x2a\x0a\x32\x08" ONE_TWO "\x32\x03\x0a\x01p";
    struct ax_inference_message message;
    return ax_inference_message_read(ctx, (ax_str){bytes, sizeof bytes - 1}, &message);
}

TEST(grpc_wire_survives_every_fault)
{
    FAULT_SWEEP(read_once);
}

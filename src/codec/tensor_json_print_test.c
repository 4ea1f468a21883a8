#include <float.h>
#include <math.h>

#include "codec/json.h"
#include "codec/tensor_json.h"
#include "harness.h"

static const float floats[] = {0.1f, 1, -2.5f, 16777216, 1e-10f, NAN, INFINITY, -INFINITY, -0.0f};
static const double doubles[] = {0.1, 1e300};
static const uint8_t truths[] = {1, 0};
static const int8_t small[] = {-128, 127};
static const uint8_t natural8[] = {0, 255};
static const float largest[] = {FLT_MAX, -FLT_MAX, 0x1.fffffcp127F};
static const int16_t short16[] = {INT16_MIN};
static const uint16_t natural16[] = {UINT16_MAX};
static const int32_t whole32[] = {INT32_MIN};
static const uint32_t natural32[] = {UINT32_MAX};
static const int64_t large[] = {INT64_MIN};
static const uint64_t natural[] = {UINT64_MAX};
static const ax_str texts[] = {{"a\"\n", 3}, {"\xff", 1}, {"", 0}};

static void
tensors(struct ax_ctx *ctx)
{
    static const struct {
        struct ax_tensor tensor;
        const char *want;
    } cases[] = {
        {{{"f", 1}, AX_TENSOR_FP32, 2, {3, 3}, 9, floats},
         "{\"name\":\"f\",\"datatype\":\"FP32\",\"shape\":[3,3],\"data\":[0.1,1,-2.5,16777216,1e-"
         "10,"
         "NaN,Infinity,-Infinity,-0]}"},
        {{{"f", 1}, AX_TENSOR_FP32, 1, {3}, 3, largest},
         "{\"name\":\"f\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":[3.4028234663852886e+38,"
         "-3.4028234663852886e+38,3.4028233e+38]}"},
        {{{"d", 1}, AX_TENSOR_FP64, 1, {2}, 2, doubles},
         "{\"name\":\"d\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[0.1,1e+300]}"},
        {{{"b", 1}, AX_TENSOR_BOOL, 1, {2}, 2, truths},
         "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]}"},
        {{{"i", 1}, AX_TENSOR_INT8, 1, {2}, 2, small},
         "{\"name\":\"i\",\"datatype\":\"INT8\",\"shape\":[2],\"data\":[-128,127]}"},
        {{{"i", 1}, AX_TENSOR_UINT8, 1, {2}, 2, natural8},
         "{\"name\":\"i\",\"datatype\":\"UINT8\",\"shape\":[2],\"data\":[0,255]}"},
        {{{"i", 1}, AX_TENSOR_INT16, 1, {1}, 1, short16},
         "{\"name\":\"i\",\"datatype\":\"INT16\",\"shape\":[1],\"data\":[-32768]}"},
        {{{"i", 1}, AX_TENSOR_UINT16, 1, {1}, 1, natural16},
         "{\"name\":\"i\",\"datatype\":\"UINT16\",\"shape\":[1],\"data\":[65535]}"},
        {{{"i", 1}, AX_TENSOR_INT32, 1, {1}, 1, whole32},
         "{\"name\":\"i\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[-2147483648]}"},
        {{{"i", 1}, AX_TENSOR_UINT32, 1, {1}, 1, natural32},
         "{\"name\":\"i\",\"datatype\":\"UINT32\",\"shape\":[1],\"data\":[4294967295]}"},
        {{{"i", 1}, AX_TENSOR_INT64, 1, {1}, 1, large},
         "{\"name\":\"i\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[-9223372036854775808]}"},
        {{{"i", 1}, AX_TENSOR_UINT64, 1, {1}, 1, natural},
         "{\"name\":\"i\",\"datatype\":\"UINT64\",\"shape\":[1],\"data\":[18446744073709551615]}"},
        {{{"t", 1}, AX_TENSOR_BYTES, 1, {3}, 3, texts},
         "{\"name\":\"t\",\"datatype\":\"BYTES\",\"shape\":[3],\"data\":[\"a\\\"\\n\","
         "\"\xef\xbf\xbd\","
         "\"\"]}"},
        {{{"e", 1}, AX_TENSOR_FP32, 2, {0, 4}, 0, NULL},
         "{\"name\":\"e\",\"datatype\":\"FP32\",\"shape\":[0,4],\"data\":[]}"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        CHECK_EQ(ax_tensor_json_print_tensor(ctx, &cases[i].tensor, &out), AX_OK);
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].want)))
            ax_test_failed(__FILE__, __LINE__, "%.*s", AX_FMT(ax_writer_str(&out)));
    }
    struct ax_tensor half = {{"h", 1}, AX_TENSOR_FP16, 1, {1}, 1, natural16};
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    CHECK_EQ(ax_tensor_json_print_tensor(ctx, &half, &out), AX_UNSUPPORTED);
    ax_writer_auto struct ax_writer small_out = ax_writer_of(20);
    CHECK_EQ(ax_tensor_json_print_tensor(ctx, &cases[0].tensor, &small_out), AX_LIMIT);
}

TEST(tensor_json_writes_tensors_of_every_type)
{
    ax_test_with_ctx(tensors);
}

/* What is written reads back to the last bit. */
static void
round_trip(struct ax_ctx *ctx)
{
    static float many[4000];
    uint64_t state = 5;
    for (size_t i = 0; i < AX_COUNT_OF(many); i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t bits = (uint32_t)(state >> 32);
        memcpy(&many[i], &bits, sizeof bits);
        if (isnan(many[i]))
            many[i] = NAN;
    }
    struct ax_tensor tensor = {{"x", 1}, AX_TENSOR_FP32, 2, {40, 100}, 4000, many};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    ax_writer_text(&out, "{\"inputs\":[");
    CHECK_EQ(ax_tensor_json_print_tensor(ctx, &tensor, &out), AX_OK);
    ax_writer_text(&out, "]}");
    struct ax_tensor_json_request request;
    CHECK_EQ(ax_tensor_json_parse(ctx, ax_writer_str(&out), NULL, &request), AX_OK);
    CHECK_EQ(request.inputs[0].tensor.count, 4000);
    CHECK(memcmp(request.inputs[0].tensor.data, many, sizeof many) == 0);
}

TEST(tensor_json_reads_back_what_it_writes)
{
    ax_test_with_ctx(round_trip);
}

static void
answers(struct ax_ctx *ctx)
{
    static const struct ax_tensor_json_parameter parameters[] = {
        {.name = {"b", 1}, .kind = AX_TENSOR_JSON_BOOL, .truth = true},
        {.name = {"i", 1}, .kind = AX_TENSOR_JSON_I64, .i64 = -1},
        {.name = {"u", 1}, .kind = AX_TENSOR_JSON_U64, .u64 = UINT64_MAX},
        {.name = {"f", 1}, .kind = AX_TENSOR_JSON_F64, .f64 = 0.5},
        {.name = {"t", 1}, .kind = AX_TENSOR_JSON_TEXT, .text = {"x", 1}},
    };
    static const struct ax_tensor outputs[] = {{{"o", 1}, AX_TENSOR_FP64, 1, {2}, 2, doubles},
                                               {{"p", 1}, AX_TENSOR_BOOL, 1, {2}, 2, truths}};
    struct ax_tensor_json_response response = {.model_name = AX_STR("credit")};
    ax_writer_auto struct ax_writer out = ax_writer_of(1000);
    CHECK_EQ(ax_tensor_json_print(ctx, &response, &out), AX_OK);
    CHECK_STR(ax_writer_str(&out), "{\"model_name\":\"credit\",\"outputs\":[]}");
    ax_writer_clear(&out);
    response = (struct ax_tensor_json_response){
        .model_name = AX_STR("credit"),
        .model_version = AX_STR("7"),
        .id = AX_STR(""),
        .has_id = true,
        .parameters = {parameters, AX_COUNT_OF(parameters)},
        .outputs = outputs,
        .output_count = AX_COUNT_OF(outputs),
    };
    CHECK_EQ(ax_tensor_json_print(ctx, &response, &out), AX_OK);
    CHECK_STR(
        ax_writer_str(&out),
        "{\"model_name\":\"credit\",\"model_version\":\"7\",\"id\":\"\",\"parameters\":{\"b\":"
        "true,\"i\":-1,\"u\":18446744073709551615,\"f\":0.5,\"t\":\"x\"},\"outputs\":[{\"name\":"
        "\"o\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[0.1,1e+300]},{\"name\":\"p\","
        "\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]}]}");
    const struct ax_json *json;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &json), AX_OK);
    for (size_t room = 0; room < out.len; room++) {
        ax_writer_auto struct ax_writer narrow = ax_writer_of(room);
        CHECK_EQ(ax_tensor_json_print(ctx, &response, &narrow), AX_LIMIT);
    }
}

TEST(tensor_json_writes_a_whole_answer)
{
    ax_test_with_ctx(answers);
}

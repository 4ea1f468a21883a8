#include "codec/tensor_json.h"

#include <math.h>

#include "codec/json.h"
#include "harness.h"

#define INPUT "{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,2.5,-3]}"
#define BODY  "{\"inputs\":[" INPUT "]}"

static ax_status
parse(struct ax_ctx *ctx, const char *text, struct ax_tensor_json_request *out_request)
{
    ctx->error[0] = '\0';
    return ax_tensor_json_parse(ctx, ax_str_of(text), NULL, out_request);
}

static void
all_members(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    CHECK_EQ(parse(ctx,
                   "{\"id\":\"r\\u00e9\",\"model_name\":\"m\",\"parameters\":{\"priority\":2,"
                   "\"sequence_id\":18446744073709551615,\"temperature\":0.5,\"start\":true,"
                   "\"who\":\"me\",\"binary_data_output\":true},"
                   "\"inputs\":[" INPUT ",{\"name\":\"y\",\"shape\":[2],\"datatype\":\"FP16\","
                   "\"parameters\":{\"binary_data_size\":4,\"note\":\"\"}}],"
                   "\"outputs\":[{\"name\":\"a\",\"parameters\":{\"binary_data\":false,"
                   "\"classification\":3}},{\"name\":\"b\"}]}",
                   &request),
             AX_OK);
    CHECK(request.has_id);
    CHECK_STR(request.id, "r\xc3\xa9");
    CHECK_EQ(request.parameters.count, 6);
    CHECK_EQ(ax_tensor_json_find(&request.parameters, "priority")->i64, 2);
    CHECK_EQ(ax_tensor_json_find(&request.parameters, "sequence_id")->kind, AX_TENSOR_JSON_U64);
    CHECK(ax_tensor_json_find(&request.parameters, "sequence_id")->u64 == UINT64_MAX);
    CHECK(ax_tensor_json_find(&request.parameters, "temperature")->f64 == 0.5);
    CHECK(ax_tensor_json_find(&request.parameters, "start")->truth);
    CHECK_STR(ax_tensor_json_find(&request.parameters, "who")->text, "me");
    CHECK(ax_tensor_json_find(&request.parameters, "absent") == NULL);
    CHECK(request.binary_output);
    CHECK_EQ(request.input_count, 2);
    const struct ax_tensor *x = &request.inputs[0].tensor;
    CHECK_STR(x->name, "x");
    CHECK_EQ(x->type, AX_TENSOR_FP32);
    CHECK_EQ(x->dim_count, 2);
    CHECK_EQ(x->shape[1], 3);
    CHECK_EQ(x->count, 3);
    CHECK(ax_tensor_f32(x, 1) == 2.5f);
    CHECK(!request.inputs[0].is_binary);
    CHECK(request.inputs[1].is_binary);
    CHECK_EQ(request.inputs[1].binary_bytes, 4);
    CHECK_EQ(request.inputs[1].tensor.count, 2);
    CHECK(request.inputs[1].tensor.data == NULL);
    CHECK_EQ(request.output_count, 2);
    CHECK(request.outputs[0].has_binary && !request.outputs[0].binary);
    CHECK_EQ(request.outputs[0].classification, 3);
    CHECK_STR(request.outputs[1].name, "b");
    CHECK(!request.outputs[1].has_binary);
}

TEST(tensor_json_reads_every_member)
{
    ax_test_with_ctx(all_members);
}

/* The four members of an input in each of their 24 orders. */
static void
orders(struct ax_ctx *ctx)
{
    static const char *const members[] = {"\"name\":\"x\"", "\"shape\":[2,2]",
                                          "\"datatype\":\"FP32\"", "\"data\":[[1,NaN],[3,4]]"};
    for (size_t code = 0; code < 256; code++) {
        size_t order[] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
        unsigned seen = 0;
        for (size_t i = 0; i < 4; i++)
            seen |= 1u << order[i];
        if (seen != 15)
            continue;
        ax_str text = ax_str_printf(ctx->arena, "{\"inputs\":[{%s,%s,%s,%s}]}", members[order[0]],
                                    members[order[1]], members[order[2]], members[order[3]]);
        struct ax_tensor_json_request request;
        CHECK_EQ(ax_tensor_json_parse(ctx, text, NULL, &request), AX_OK);
        CHECK_EQ(request.inputs[0].tensor.count, 4);
        CHECK(isnan(ax_tensor_f64(&request.inputs[0].tensor, 1)));
        CHECK(ax_tensor_f64(&request.inputs[0].tensor, 3) == 4);
    }
    struct ax_tensor_json_request request;
    CHECK_EQ(parse(ctx,
                   "{\"inputs\":[{\"data\":[\"NaN\"],\"shape\":[1],\"datatype\":\"FP32\","
                   "\"name\":\"x\"}]}",
                   &request),
             AX_INVALID);
    CHECK_EQ(parse(ctx,
                   "{\"inputs\":[{\"data\":[1,{\"a\":2}],\"shape\":[2],\"datatype\":\"FP32\","
                   "\"name\":\"x\"}]}",
                   &request),
             AX_INVALID);
}

TEST(tensor_json_takes_members_in_any_order)
{
    ax_test_with_ctx(orders);
}

/* network.md section 4: each row is refused, in the data, beside it and behind it. */
static const char *const bad_leaves[] = {"01",    "+1",   ".5",  "1.",    "1e",   "-",
                                         "1e999", "0x10", "'a'", "\"a\"", "true", "nul",
                                         "NaNa",  "-NaN", "nan", "1,",    "1 1",  "/**/1"};
static const char *const bad_values[] = {
    "01",        "+1",    ".5",         "1.",     "1e",       "-",
    "1e999",     "0x10",  "'a'",        "nul",    "NaN",      "Infinity",
    "-Infinity", "[1,]",  "{\"a\":1,}", "\"\t\"", "\"\xff\"", "\"\\ud800\"",
    "\"\\x\"",   "/**/1", "tru",        "[",      "{\"a\"}",  "\"\xed\xa0\x80\""};
static const char *const bad_bodies[] = {
    "",
    "{",
    "[]",
    "null",
    "\"x\"",
    "7",
    "{}",
    BODY " x",
    BODY BODY,
    BODY ",",
    "\xef\xbb\xbf" BODY,
    "{\"inputs\":[" INPUT "],\"inputs\":[" INPUT "]}",
    "{\"inputs\":[" INPUT "],\"id\":\"a\",\"id\":\"a\"}",
    "{\"inputs\":[" INPUT "],}",
    "{\"inputs\":[" INPUT ",]}",
    "{\"inputs\":[" INPUT "," INPUT "]}", /* two of a name */
    "{\"inputs\":{}}",
    "{\"inputs\":\"x\"}",
    "{\"inputs\":[1]}",
    "{\"inputs\":null}",
    "{\"inputs\":[" INPUT "],\"outputs\":\"x\"}",
    "{\"inputs\":[" INPUT "],\"outputs\":[{}]}",
    "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":1}]}",
    "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
    "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"a\",\"name\":\"b\"}]}",
    "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"a\",\"parameters\":{\"binary_data\":1}}]}",
    "{\"inputs\":[" INPUT
    "],\"outputs\":[{\"name\":\"a\",\"parameters\":{\"classification\":-1}}]}",
    "{\"inputs\":[" INPUT "],\"id\":7}",
    "{\"inputs\":[" INPUT "],\"parameters\":[]}",
    "{\"inputs\":[" INPUT "],\"parameters\":{\"a\":null}}",
    "{\"inputs\":[" INPUT "],\"parameters\":{\"a\":[]}}",
    "{\"inputs\":[" INPUT "],\"parameters\":{\"a\":1,\"a\":1}}",
    "{\"inputs\":[" INPUT "],\"parameters\":{\"a\":1e999}}",
    "{\"inputs\":[" INPUT "],\"parameters\":{\"binary_data_output\":1}}",
    "{inputs:[]}",
};

static void
strictness(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    CHECK_EQ(parse(ctx, BODY, &request), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(bad_bodies); i++)
        if (parse(ctx, bad_bodies[i], &request) != AX_INVALID || !ctx->error[0])
            ax_test_failed(__FILE__, __LINE__, "%s gives '%s'", bad_bodies[i], ctx->error);
    for (size_t i = 0; i < AX_COUNT_OF(bad_leaves); i++) {
        ax_str text = ax_str_printf(ctx->arena,
                                    "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":"
                                    "\"FP32\",\"data\":[0,%s]}]}",
                                    bad_leaves[i]);
        if (ax_tensor_json_parse(ctx, text, NULL, &request) != AX_INVALID)
            ax_test_failed(__FILE__, __LINE__, "%.*s", AX_FMT(text));
    }
    for (size_t i = 0; i < AX_COUNT_OF(bad_values); i++) {
        static const char *const places[] = {
            "{\"u\":%s,\"inputs\":[" INPUT "]}", "{\"inputs\":[" INPUT "],\"u\":%s}",
            "{\"inputs\":[{\"u\":{\"v\":[%s]},\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\","
            "\"data\":[1]}]}",
            "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"o\",\"u\":%s}]}"};
        for (size_t k = 0; k < AX_COUNT_OF(places); k++) {
            char text[400];
            const char *hole = strstr(places[k], "%s");
            snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - places[k]), places[k],
                     bad_values[i], hole + 2);
            if (parse(ctx, text, &request) != AX_INVALID)
                ax_test_failed(__FILE__, __LINE__, "%s", text);
        }
    }
    CHECK_EQ(ax_tensor_json_parse(ctx, (ax_str){BODY "\0", sizeof BODY}, NULL, &request),
             AX_INVALID);
}

TEST(tensor_json_refuses_what_the_list_of_strictness_names)
{
    ax_test_with_ctx(strictness);
}

static const struct {
    const char *input, *words;
} bad_inputs[] = {
    {"{\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}", "inputs[0]: 'name' is missing"},
    {"{\"name\":\"x\",\"datatype\":\"FP32\",\"data\":[1]}", "input 'x': 'shape' is missing"},
    {"{\"name\":\"x\",\"shape\":[1],\"data\":[1]}", "input 'x': 'datatype' is missing"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\"}", "input 'x': 'data' is missing"},
    {"{\"name\":\"x\",\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}",
     "'name' is there twice"},
    {"{\"name\":\"x\",\"n\\u0061me\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}",
     "'name' is there twice"},
    {"{\"name\":\"x\",\"shape\":[1],\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}",
     "'shape' is there twice"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"datatype\":\"FP32\",\"data\":[1]}",
     "'datatype' is there twice"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1],\"data\":[1]}",
     "'data' is there twice"},
    {"{\"data\":[1],\"data\":[1],\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\"}",
     "'data' is there twice"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"fp32\",\"data\":[1]}", "no datatype"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":7,\"data\":[1]}", "a string was expected"},
    {"{\"name\":5,\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}", "a string was expected"},
    {"{\"name\":\"x\",\"shape\":\"x\",\"datatype\":\"FP32\",\"data\":[1]}", "an array was"},
    {"{\"name\":\"x\",\"shape\":[\"1\"],\"datatype\":\"FP32\",\"data\":[1]}", "a number was"},
    {"{\"name\":\"x\",\"shape\":[-1,3],\"datatype\":\"FP32\",\"data\":[1]}",
     "Unable to parse 'shape': attempt to access JSON non-unsigned-integer"},
    {"{\"name\":\"x\",\"shape\":[2,-5],\"datatype\":\"FP32\",\"data\":[1]}",
     "attempt to access JSON non-unsigned-integer as unsigned-integer"},
    {"{\"name\":\"x\",\"shape\":[1.5],\"datatype\":\"FP32\",\"data\":[1]}", "a dimension is 1.5"},
    {"{\"name\":\"x\",\"shape\":[18446744073709551617,23],\"datatype\":\"FP32\",\"data\":[1]}",
     "Unable to parse 'shape'"},
    {"{\"name\":\"x\",\"shape\":[9223372036854775807,23],\"datatype\":\"FP32\",\"data\":[1]}",
     "input 'x': shape [9223372036854775807,23] causes total element count to exceed maximum "
     "size of 9223372036854775807"},
    {"{\"name\":\"x\",\"shape\":[4611686018427387904,4],\"datatype\":\"FP32\",\"data\":[1]}",
     "causes total element count to exceed maximum size of"},
    {"{\"name\":\"x\",\"shape\":[2147483648,2147483648,2147483648],\"datatype\":\"FP32\","
     "\"data\":[1]}",
     "causes total element count to exceed maximum size of"},
    {"{\"name\":\"x\",\"shape\":[4611686018427387904,4],\"datatype\":\"FP32\",\"parameters\":"
     "{\"binary_data_size\":4}}",
     "causes total element count to exceed maximum size of"},
    {"{\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1,1,1],\"datatype\":\"FP32\",\"data\":[1]}",
     "more than 8 dimensions"},
    {"{\"name\":\"x\",\"shape\":[0,3],\"datatype\":\"FP32\",\"data\":[1]}",
     "Unable to parse 'data': Shape does not match true shape of 'data' field"},
    {"{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP32\",\"data\":[1,2,3]}",
     "2 elements were expected, there are more"},
    {"{\"name\":\"x\",\"shape\":[4],\"datatype\":\"FP32\",\"data\":[1,2,3]}",
     "4 elements were expected, there are fewer"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[256]}",
     "element 0 of type UINT8 is out of range"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP16\",\"data\":[1]}",
     "receiving FP16 data via JSON is not supported. Please use the binary data format for "
     "input x"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1],\"parameters\":"
     "{\"binary_data_size\":4}}",
     "exclude each other"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":"
     "{\"binary_data_size\":\"4\"}}",
     "'binary_data_size' must be a whole number, not negative"},
    {"{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":"
     "{\"binary_data_size\":-4}}",
     "'binary_data_size' must be a whole number, not negative"},
};

static void
inputs(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(bad_inputs); i++) {
        struct ax_tensor_json_request request;
        char text[400];
        snprintf(text, sizeof text, "{\"inputs\":[%s]}", bad_inputs[i].input);
        ax_status status = parse(ctx, text, &request);
        if (status != AX_INVALID || !strstr(ctx->error, bad_inputs[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s gives %s: %s", text, ax_status_name(status),
                           ctx->error);
    }
    struct ax_tensor_json_request request;
    CHECK_EQ(
        parse(ctx,
              "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":"
              "{\"shared_memory_region\":\"r\"}}]}",
              &request),
        AX_UNSUPPORTED);
}

TEST(tensor_json_says_what_is_wrong_with_an_input)
{
    ax_test_with_ctx(inputs);
}

static void
lenience(struct ax_ctx *ctx)
{
    static const char *const bodies[] = {
        " \r\n\t" BODY " \n",
        "{\"inputs\":[]}",
        "{\"id\":null,\"parameters\":null,\"outputs\":null,\"inputs\":[" INPUT "]}",
        "{\"u\":1,\"u\":2,\"inputs\":[" INPUT "]}", /* members nobody knows */
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[],\"datatype\":\"INT8\",\"data\":[1]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[0],\"datatype\":\"BYTES\",\"data\":[]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[0],\"datatype\":\"BF16\",\"parameters\":"
        "{\"binary_data_size\":0}}]}",
        "{\"inputs\":[" INPUT "],\"outputs\":[]}",
    };
    struct ax_tensor_json_request request;
    for (size_t i = 0; i < AX_COUNT_OF(bodies); i++)
        if (parse(ctx, bodies[i], &request) != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", bodies[i], ctx->error);
    CHECK_EQ(parse(ctx, "{\"id\":null,\"inputs\":[]}", &request), AX_OK);
    CHECK(!request.has_id);
    CHECK_EQ(parse(ctx, "{\"id\":\"\",\"inputs\":[]}", &request), AX_OK);
    CHECK(request.has_id);
}

TEST(tensor_json_leaves_room_where_the_protocol_does)
{
    ax_test_with_ctx(lenience);
}

static void
limits(struct ax_ctx *ctx)
{
    static const struct ax_tensor_json_limits tight = {1, 1, 1};
    struct ax_tensor_json_request request;
    static const char *const over[] = {
        "{\"inputs\":[" INPUT ",{\"name\":\"y\"}]}",
        "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
        "{\"inputs\":[" INPUT "],\"parameters\":{\"a\":1,\"b\":2}}",
    };
    for (size_t i = 0; i < AX_COUNT_OF(over); i++)
        CHECK_EQ(ax_tensor_json_parse(ctx, ax_str_of(over[i]), &tight, &request), AX_LIMIT);
    char deep[4100];
    for (size_t depth = 30; depth <= 2000; depth = depth < 33 ? depth + 1 : 2000) {
        int len = snprintf(deep, sizeof deep, "{\"u\":%0*d%0*d,\"inputs\":[]}", (int)depth, 0,
                           (int)depth, 0);
        memset(deep + 5, '[', depth);
        memset(deep + 5 + depth, ']', depth);
        CHECK_EQ(ax_tensor_json_parse(ctx, (ax_str){deep, (size_t)len}, NULL, &request),
                 depth <= 31 ? AX_OK : AX_INVALID);
        if (depth == 2000)
            break;
    }
}

TEST(tensor_json_keeps_its_limits)
{
    ax_test_with_ctx(limits);
}

static void
many_inputs(struct ax_ctx *ctx)
{
    for (int twin = 0; twin < 2; twin++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        ax_writer_text(&out, "{\"inputs\":[");
        for (int i = 0; i < 100; i++)
            ax_writer_print(
                &out, "%s{\"name\":\"f%d\",\"shape\":[1],\"datatype\":\"FP64\",\"data\":[%d]}",
                i ? "," : "", twin && i == 99 ? 3 : i, i);
        ax_writer_text(&out, "]}");
        struct ax_tensor_json_request request;
        CHECK_EQ(ax_tensor_json_parse(ctx, ax_writer_str(&out), NULL, &request),
                 twin ? AX_INVALID : AX_OK);
        if (twin)
            CHECK_STR(ax_str_of(ctx->error), "input 'f3' already exists in request");
    }
}

TEST(tensor_json_finds_twins_among_many_inputs)
{
    ax_test_with_ctx(many_inputs);
}

static const char whole[] =
    "{\"id\":\"a\\n\",\"u\":[1,{\"v\":null}],\"parameters\":{\"p\":1},\"inputs\":[{\"data\":"
    "[[1.5,NaN],[2,3]],\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP64\"},{\"name\":\"y\","
    "\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\\u00e9\"]}],\"outputs\":[{\"name\":\"o\"}]}";

/* Cut at each byte it is refused; each byte replaced by hostile ones it is answered, not obeyed. */
static void
cut_and_flip(struct ax_ctx *ctx)
{
    static const char hostile[] = "\"\\[]{},:0-eN\n\xff";
    struct ax_arena *arena = ctx->arena;
    size_t len = sizeof whole - 1;
    struct ax_tensor_json_request request;
    CHECK_EQ(parse(ctx, whole, &request), AX_OK);
    for (size_t at = 0; at < len; at++) {
        ax_arena_reset(arena);
        char *copy = ax_arena_alloc(arena, 1, at + 1);
        memcpy(copy, whole, at);
        CHECK_EQ(ax_tensor_json_parse(ctx, (ax_str){copy, at}, NULL, &request), AX_INVALID);
    }
    for (size_t at = 0; at < len; at++)
        for (size_t k = 0; k < sizeof hostile; k++) {
            ax_arena_reset(arena);
            char *copy = ax_arena_alloc(arena, 1, len);
            memcpy(copy, whole, len);
            copy[at] = hostile[k];
            ax_status status = ax_tensor_json_parse(ctx, (ax_str){copy, len}, NULL, &request);
            CHECK(status == AX_OK || status == AX_INVALID);
            const struct ax_json *json;
            /* What is accepted is JSON, but for the NaN and for doubled keys nobody reads. */
            struct ax_json_limits lax = {
                .raw_numbers = true, .special_floats = true, .duplicate_keys = true};
            CHECK(status != AX_OK || ax_json_parse(ctx, (ax_str){copy, len}, &lax, &json) == AX_OK);
        }
}

TEST(tensor_json_withstands_cuts_and_flips)
{
    ax_test_with_ctx(cut_and_flip);
}

static ax_status
parse_whole(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    return ax_tensor_json_parse(ctx, ax_str_of(whole), NULL, &request);
}

TEST(tensor_json_survives_every_fault)
{
    FAULT_SWEEP(parse_whole);
}

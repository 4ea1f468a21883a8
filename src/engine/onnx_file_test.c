#include "engine/onnx_file.h"

#include "harness.h"
#include "onnx_case.h"

enum { ARENA_BYTES = 1 << 22, INITIALIZER = 5, NODE = 1 };

static ax_status
read_bytes(struct ax_ctx *ctx, ax_str bytes, struct ax_onnx_file *out)
{
    ctx->error[0] = '\0';
    return ax_onnx_file_read(ctx, bytes, out);
}

TEST(onnx_file_refuses_broken_wire_with_the_byte)
{
    static const struct {
        ax_str bytes;
        const char *part;
    } cases[] = {
        {AX_STR("\x08"), "byte 1: a field's key"},
        {AX_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "byte 11: a field's key"},
        {AX_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a field's key"},
        {AX_STR("\x3a\x05\x0a\x01"), "a field's key"},
        {AX_STR("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "a field's key"},
        {AX_STR("\x07\x01"), "a field's key"}, /* field 0 */
        {AX_STR("\x0b"), "a field's key"},     /* a group */
        {AX_STR("\x08\x07"), "there is no graph"},
        {AX_STR("\x3a\x00\x3a\x00"), "byte 2: a second graph"},
        {AX_STR("\x38\x01"), "field 7 has wire type 0, not 2"},
        {AX_STR("\x12\x02\x61\x00"), "with a NUL in it"},
    };
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_onnx_file file;
        CHECK_EQ(read_bytes(&ctx, cases[i].bytes, &file), AX_INVALID);
        if (!strstr(ctx.error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx.error);
    }
}

/* A tensor of two dims and a type, with its data in one field. */
static ax_str
tensor_model(struct ax_ctx *ctx, const int64_t *dims, int type, unsigned field, ax_str data)
{
    ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 12), tensor = ax_writer_of(1 << 12);
    onnx_put_int(&tensor, 1, (uint64_t)dims[0]);
    onnx_put_int(&tensor, 1, (uint64_t)dims[1]);
    onnx_put_int(&tensor, 2, (uint64_t)type);
    onnx_put_text(&tensor, 8, "w");
    onnx_put_bytes(&tensor, field, data);
    onnx_put_message(&graph, INITIALIZER, &tensor);
    return onnx_model(ctx, &graph);
}

TEST(onnx_file_counts_the_elements_of_tensors)
{
    static const struct {
        int64_t dims[2];
        int type;
        unsigned field;
        ax_str data;
        ax_status status;
        const char *part;
    } cases[] = {
        {{1, 2}, 1, 9, AX_STR("\0\0\x80\x3f\0\0\0\x40"), AX_OK, ""},
        {{1, 2}, 1, 4, AX_STR("\0\0\x80\x3f\0\0\0\x40"), AX_OK, ""}, /* packed float_data */
        {{1, 2}, 7, 7, AX_STR("\x01\x02"), AX_OK, ""},               /* packed int64_data */
        {{1, 2}, 3, 5, AX_STR("\x01\x02"), AX_OK, ""},               /* int8 as int32_data */
        {{0, 2}, 1, 9, AX_STR(""), AX_OK, ""},
        {{1, 2}, 1, 9, AX_STR("\0\0\x80\x3f"), AX_INVALID, "of 2 elements has the data of 1"},
        {{1, 2}, 1, 9, AX_STR("\0\0\x80\x3f\0"), AX_INVALID, "tensor `w`"},
        {{1, 2}, 1, 4, AX_STR("\0\0\x80"), AX_INVALID, "no whole floats"},
        {{1, -2}, 1, 9, AX_STR(""), AX_INVALID, "a dimension is negative"},
        {{1LL << 40, 1LL << 40}, 1, 9, AX_STR(""), AX_INVALID, "all too large"},
        {{1, 2}, 8, 9, AX_STR("ab"), AX_INVALID, "tensor `w`"}, /* texts are never raw */
        {{1, 2}, 17, 9, AX_STR("ab"), AX_UNSUPPORTED, "elements of ONNX's type 17"},
    };
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_onnx_file file;
        ax_str bytes =
            tensor_model(&ctx, cases[i].dims, cases[i].type, cases[i].field, cases[i].data);
        ax_status status = read_bytes(&ctx, bytes, &file);
        if (status != cases[i].status || !strstr(ctx.error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu ends %s: '%s'", i, ax_status_name(status),
                           ctx.error);
        if (status == AX_OK && file.graph.initializers.items[0].count == 2)
            CHECK(ax_tensor_f64(&file.graph.initializers.items[0], 1) == 2);
    }
}

/*
 * An empty tensor with data where its type keeps none: it stays empty, and what is read behind it
 * finds memory that nobody wrote to.
 */
TEST(onnx_file_takes_nothing_for_the_elements_of_an_empty_tensor)
{
    static const int types[] = {1, 7, 8, 9, 10, 11};
    static const unsigned fields[] = {4, 5, 7, 10, 11};
    char data[1 << 10];
    memset(data, 1, sizeof data);
    for (size_t t = 0; t < AX_COUNT_OF(types); t++)
        for (size_t f = 0; f < AX_COUNT_OF(fields); f++) {
            ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES);
            struct ax_ctx ctx = ax_ctx_of(arena);
            ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 12);
            ax_writer_auto struct ax_writer tensor = ax_writer_of(1 << 12);
            ax_writer_auto struct ax_writer node = ax_writer_of(1 << 10);
            struct ax_onnx_file file;
            onnx_put_int(&tensor, 1, 0);
            onnx_put_int(&tensor, 2, (uint64_t)types[t]);
            onnx_put_bytes(&tensor, fields[f], (ax_str){data, sizeof data});
            onnx_put_message(&graph, INITIALIZER, &tensor);
            onnx_put_text(&node, 4, "Add");
            onnx_put_message(&graph, NODE, &node);
            if (read_bytes(&ctx, onnx_model(&ctx, &graph), &file) != AX_OK) {
                CHECK_EQ(strncmp(ctx.error, "byte", 4), 0); /* of integers, whose data that is */
                continue;
            }
            const struct ax_onnx_file_node *read = &file.graph.nodes.items[0];
            CHECK_EQ(file.graph.initializers.items[0].count, 0);
            CHECK(read->inputs.count == 0 && read->outputs.count == 0);
            CHECK(read->attributes.count == 0);
        }
}

/* What is not read does not hide what is broken further on. */
TEST(onnx_file_goes_on_behind_what_it_does_not_read)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 12), odd = ax_writer_of(1 << 10);
    ax_writer_auto struct ax_writer outside = ax_writer_of(1 << 10);
    struct ax_onnx_file file;
    onnx_put_int(&odd, 2, 17);
    onnx_put_message(&graph, INITIALIZER, &odd);
    CHECK_EQ(read_bytes(&ctx, onnx_model(&ctx, &graph), &file), AX_UNSUPPORTED);
    onnx_put_int(&outside, 2, 1);
    onnx_put_int(&outside, 14, 1); /* data_location: EXTERNAL */
    onnx_put_message(&graph, INITIALIZER, &outside);
    CHECK_EQ(read_bytes(&ctx, onnx_model(&ctx, &graph), &file), AX_INVALID);
    CHECK(strstr(ctx.error, "keeps its data in another file"));
}

TEST(onnx_file_bounds_the_depth_of_messages)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 26);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_onnx_file file;
    ax_str inner = {};
    for (int depth = 0; depth < 12; depth++) { /* a graph in an attribute of a node of a graph */
        ax_writer_auto struct ax_writer attribute = ax_writer_of(1 << 20);
        ax_writer_auto struct ax_writer node = ax_writer_of(1 << 20), graph = ax_writer_of(1 << 20);
        onnx_put_text(&attribute, 1, "body");
        onnx_put_bytes(&attribute, 6, inner);
        onnx_put_int(&attribute, 20, 5);
        onnx_put_message(&node, 5, &attribute);
        onnx_put_message(&graph, NODE, &node);
        CHECK(ax_writer_take(&graph, arena, &inner) == AX_OK);
        ax_writer_auto struct ax_writer whole = ax_writer_of(1 << 20);
        ax_writer_bytes(&whole, inner);
        ax_status status = read_bytes(&ctx, onnx_model(&ctx, &whole), &file);
        CHECK_EQ(status, depth < 7 ? AX_OK : AX_INVALID);
        CHECK(status == AX_OK || strstr(ctx.error, "deep in each other"));
    }
}

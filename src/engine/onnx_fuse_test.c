#include "engine/onnx_fuse.h"

#include "engine/onnx.h"
#include "harness.h"
#include "onnx_case.h"

enum { FLOAT = 1, ROWS = 9, WIDE = 11 };

static const enum ax_engine_level levels[] = {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_LEVEL_AVX2,
                                              AX_ENGINE_LEVEL_AVX512};

/* A node; attribute: "name=whole number" or "name=.float", or NULL. */
static void
put_node(struct ax_writer *graph, const char *op, const char *inputs, const char *output,
         const char *attribute)
{
    ax_writer_auto struct ax_writer node = ax_writer_of(1 << 12), field = ax_writer_of(1 << 10);
    ax_str rest = ax_str_of(inputs), word;
    while (rest.len && ax_str_cut(&rest, ' ', &word))
        onnx_put_bytes(&node, 1, word);
    onnx_put_text(&node, 2, output);
    onnx_put_text(&node, 4, op);
    if (attribute) {
        enum { KIND_FLOAT = 1, KIND_INT = 2 };
        rest = ax_str_of(attribute);
        REQUIRE(ax_str_cut(&rest, '=', &word) && rest.len > 0);
        bool whole = rest.at[0] != '.';
        onnx_put_bytes(&field, 1, word);
        if (whole)
            onnx_put_int(&field, 3, (uint64_t)(rest.at[0] - '0'));
        else
            onnx_put_float(&field, 2, (float)(rest.at[1] - '0') / 10);
        onnx_put_int(&field, 20, whole ? KIND_INT : KIND_FLOAT);
        onnx_put_message(&node, 5, &field);
    }
    onnx_put_message(graph, 1, &node);
}

/* A constant of rows x columns; rows 0: of one dimension. */
static void
put_constant(struct ax_writer *graph, const char *name, size_t rows, size_t columns)
{
    ax_writer_auto struct ax_writer tensor = ax_writer_of(1 << 16);
    if (rows)
        onnx_put_int(&tensor, 1, rows);
    onnx_put_int(&tensor, 1, columns);
    onnx_put_int(&tensor, 2, FLOAT);
    for (size_t i = 0; i < (rows ? rows : 1) * columns; i++)
        onnx_put_float(&tensor, 4, (float)((int)(i * 37 % 23) - 11) / 9);
    onnx_put_text(&tensor, 8, name);
    onnx_put_message(graph, 5, &tensor);
}

/* A graph, and how many nodes are left of it. */
struct shape {
    void (*write)(struct ax_writer *graph);
    size_t nodes;
};

/* Three layers; the bias of the second comes first, the third is one number. */
static void
write_layers(struct ax_writer *graph)
{
    put_constant(graph, "w0", WIDE, 20);
    put_constant(graph, "b0", 1, 20);
    put_constant(graph, "w1", 20, 5);
    put_constant(graph, "b1", 0, 5);
    put_constant(graph, "w2", 5, 1);
    put_constant(graph, "b2", 0, 1);
    put_node(graph, "MatMul", "x w0", "m0", NULL);
    put_node(graph, "Add", "m0 b0", "a0", NULL);
    put_node(graph, "Relu", "a0", "h0", NULL);
    put_node(graph, "MatMul", "h0 w1", "m1", NULL);
    put_node(graph, "Add", "b1 m1", "a1", NULL);
    put_node(graph, "Tanh", "a1", "h1", NULL);
    put_node(graph, "MatMul", "h1 w2", "m2", NULL);
    put_node(graph, "Add", "m2 b2", "a2", NULL);
    put_node(graph, "Sigmoid", "a2", "y", NULL);
}

static void
write_gemm(struct ax_writer *graph)
{
    put_constant(graph, "w0", 7, WIDE);
    put_constant(graph, "c0", 1, 7);
    put_constant(graph, "w1", 7, 3);
    put_node(graph, "Gemm", "x w0 c0", "g0", "transB=1");
    put_node(graph, "Gelu", "g0", "h0", NULL);
    put_node(graph, "Gemm", "h0 w1", "y", "alpha=.3");
}

/* The product is read twice, and the bias is a vector of rows: no layer takes them along. */
static void
write_shared(struct ax_writer *graph)
{
    put_constant(graph, "w0", WIDE, 6);
    put_constant(graph, "b0", 0, 6);
    put_constant(graph, "rows", ROWS, 1);
    put_node(graph, "MatMul", "x w0", "m0", NULL);
    put_node(graph, "Add", "m0 b0", "a0", NULL);
    put_node(graph, "Mul", "m0 a0", "p0", NULL);
    put_node(graph, "MatMul", "x w0", "m1", NULL);
    put_node(graph, "Add", "m1 rows", "a1", NULL);
    put_node(graph, "Add", "p0 a1", "y", NULL);
}

static const struct shape shapes[] = {{write_layers, 3}, {write_gemm, 2}, {write_shared, 6}};

static ax_str
model_of(struct ax_ctx *ctx, const struct shape *shape)
{
    static const int64_t in[2] = {-1, WIDE}, out[2] = {-1, -1};
    ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 18);
    shape->write(&graph);
    onnx_put_value(&graph, 11, "x", FLOAT, in, 2);
    onnx_put_value(&graph, 12, "y", FLOAT, out, 2);
    ax_writer_auto struct ax_writer model = ax_writer_of(1 << 20);
    ax_writer_auto struct ax_writer plain = ax_writer_of(64);
    ax_str bytes = {};
    onnx_put_text(&plain, 1, "");
    onnx_put_int(&plain, 2, 20);
    onnx_put_int(&model, 1, 9);
    onnx_put_message(&model, 7, &graph);
    onnx_put_message(&model, 8, &plain);
    CHECK(ax_writer_take(&model, ctx->arena, &bytes) == AX_OK);
    return bytes;
}

static struct ax_tensor
run(struct ax_ctx *ctx, const struct ax_onnx_program *program, size_t rows)
{
    float *cells = AX_NEW_ARRAY(ctx->arena, float, rows *WIDE);
    const struct ax_onnx_value *out = NULL;
    for (size_t i = 0; cells && i < rows * WIDE; i++)
        cells[i] = (float)((int)(i * 53 % 101) - 50) / 17;
    const struct ax_onnx_value x = {.tensor = {.type = AX_TENSOR_FP32,
                                               .dim_count = 2,
                                               .shape = {(int64_t)rows, WIDE},
                                               .count = rows * WIDE,
                                               .data = cells}};
    struct ax_onnx_run run = {.ctx = ctx, .memory = {.arena = ctx->arena, .work_left = UINT64_MAX}};
    if (!cells || ax_onnx_run(program, &run, &x, &out) != AX_OK || !out) {
        ax_test_failed(__FILE__, __LINE__, "it does not run: %s", ctx->error);
        return (struct ax_tensor){};
    }
    return out->tensor;
}

static void
check_shape(const struct shape *shape, enum ax_engine_level level)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_onnx_file file;
    struct ax_onnx_program plain, fused, pruned;
    char why[160];
    REQUIRE(ax_onnx_file_read(&ctx, model_of(&ctx, shape), &file) == AX_OK);
    REQUIRE(ax_onnx_graph_build(&ctx, arena, &file, ax_onnx_level_pick(AX_ENGINE_LEVEL_PORTABLE),
                                &plain) == AX_OK);
    REQUIRE(ax_onnx_graph_build(&ctx, arena, &file, ax_onnx_level_pick(level), &fused) == AX_OK);
    CHECK_EQ(ax_onnx_fuse(&ctx, arena, &fused), AX_OK);
    CHECK_EQ(fused.graph.node_count, shape->nodes);
    CHECK_EQ(ax_onnx_fuse_prune(&ctx, arena, &fused, fused.graph.outputs[0], &pruned), AX_OK);
    CHECK_EQ(pruned.graph.node_count, shape->nodes);
    struct ax_tensor a = run(&ctx, &plain, ROWS), b = run(&ctx, &fused, ROWS);
    REQUIRE(a.data && b.data);
    if (!onnx_tensors_agree(&b, &a, 0, 0, why, sizeof why))
        ax_test_failed(__FILE__, __LINE__, "level %d: %s", (int)level, why);
    struct ax_tensor c = run(&ctx, &pruned, ROWS);
    CHECK(c.data && onnx_tensors_agree(&c, &a, 0, 0, why, sizeof why));
}

TEST(onnx_fuse_layers_give_the_bits_of_their_nodes_on_every_level)
{
    for (size_t i = 0; i < AX_COUNT_OF(shapes); i++)
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++)
            check_shape(&shapes[i], levels[l]);
}

TEST(onnx_fuse_prunes_what_an_output_does_not_need)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_onnx_file file;
    struct ax_onnx_program program, pruned;
    const struct ax_onnx_level *level = ax_onnx_level_pick(AX_ENGINE_LEVEL_BEST);
    REQUIRE(ax_onnx_file_read(&ctx, model_of(&ctx, &shapes[2]), &file) == AX_OK);
    REQUIRE(ax_onnx_graph_build(&ctx, arena, &file, level, &program) == AX_OK);
    int32_t product = program.graph.nodes[3].outputs[0]; /* the second MatMul */
    CHECK_EQ(ax_onnx_fuse_prune(&ctx, arena, &program, product, &pruned), AX_OK);
    CHECK_EQ(pruned.graph.node_count, 1);
    struct ax_tensor out = run(&ctx, &pruned, 4);
    CHECK(out.dim_count == 2 && out.shape[0] == 4 && out.shape[1] == 6);
    CHECK_EQ(ax_onnx_fuse_prune(&ctx, arena, &program, program.graph.inputs[0], &pruned), AX_OK);
    CHECK_EQ(pruned.graph.node_count, 0);
    out = run(&ctx, &pruned, 2);
    CHECK(out.count == 2 * WIDE);
}

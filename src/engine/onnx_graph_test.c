#include "engine/onnx_graph.h"

#include "engine/onnx.h"
#include "harness.h"
#include "model_case.h"
#include "onnx_case.h"

enum { NODE = 1, GRAPH_NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, FLOAT = 1 };

/* A node: an operator, its inputs and its outputs, space between them. */
static void
put_node(struct ax_writer *graph, const char *op, const char *inputs, const char *outputs)
{
    ax_writer_auto struct ax_writer node = ax_writer_of(1 << 12);
    ax_str rest = ax_str_of(inputs), word;
    while (rest.len && ax_str_cut(&rest, ' ', &word))
        onnx_put_bytes(&node, 1, word);
    rest = ax_str_of(outputs);
    while (rest.len && ax_str_cut(&rest, ' ', &word))
        onnx_put_bytes(&node, 2, word);
    onnx_put_text(&node, 4, op);
    onnx_put_message(graph, NODE, &node);
}

static void
put_ends(struct ax_writer *graph, const char *input, const char *output)
{
    const int64_t dims[2] = {-1, 2};
    onnx_put_value(graph, INPUT, input, FLOAT, dims, 2);
    onnx_put_value(graph, OUTPUT, output, FLOAT, dims, 2);
}

/* A float constant of two elements. */
static void
put_constant(struct ax_writer *graph, const char *name, float a, float b)
{
    ax_writer_auto struct ax_writer tensor = ax_writer_of(1 << 10);
    onnx_put_int(&tensor, 1, 2);
    onnx_put_int(&tensor, 2, FLOAT);
    onnx_put_float(&tensor, 4, a);
    onnx_put_float(&tensor, 4, b);
    onnx_put_text(&tensor, 8, name);
    onnx_put_message(graph, INITIALIZER, &tensor);
}

TEST(onnx_graph_puts_nodes_in_order_and_computes_constants_once)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 14);
    put_node(&graph, "Mul", "d six", "y"); /* before what it needs */
    put_node(&graph, "Add", "x c", "d");
    put_node(&graph, "Add", "c five", "six");
    put_constant(&graph, "c", 1, 1);
    put_constant(&graph, "five", 5, 6);
    put_ends(&graph, "x", "y");
    ax_str bytes = onnx_model(&ctx, &graph);
    struct ax_onnx_file file;
    struct ax_onnx_program program;
    REQUIRE(ax_onnx_file_read(&ctx, bytes, &file) == AX_OK);
    REQUIRE(ax_onnx_graph_build(&ctx, arena, &file, ax_onnx_level_pick(AX_ENGINE_LEVEL_BEST),
                                &program) == AX_OK);
    REQUIRE(program.graph.node_count == 2); /* the sum of constants is one */
    CHECK(strcmp(program.graph.nodes[0].op->name, "Add") == 0);
    CHECK(strcmp(program.graph.nodes[1].op->name, "Mul") == 0);
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    REQUIRE(ax_engine_open(&ctx, bytes, NULL, &engine) == AX_OK);
    const float x[4] = {1, 2, 3, 4};
    const struct ax_tensor input = {
        .type = AX_TENSOR_FP32, .dim_count = 2, .shape = {2, 2}, .count = 4, .data = x};
    const struct ax_tensor *out = onnx_run(&ctx, engine, &input);
    REQUIRE(out);
    const float wanted[4] = {12, 21, 24, 35};
    CHECK(memcmp(out[0].data, wanted, sizeof wanted) == 0);
    CHECK_EQ(ax_engine_graph(engine)->outputs[0].shape[0], -1);
    CHECK_EQ(ax_engine_graph(engine)->outputs[0].shape[1], 2);
}

/* A graph that is wrong in one way, and the words that must say so. */
struct wrong {
    const char *op, *inputs, *outputs;
    ax_status status;
    const char *part;
};

TEST(onnx_graph_refuses_what_makes_no_sense)
{
    static const struct wrong cases[] = {
        {"Add", "x y", "y", AX_INVALID, "on a cycle"},
        {"Add", "x nowhere", "y", AX_INVALID, "`nowhere` is made by nothing"},
        {"Add", "x", "y", AX_INVALID, "1 inputs; expected 2 to 2"},
        {"Add", "x c", "y z", AX_INVALID, "2 outputs; expected 1 to 1"},
        {"Add", "x c", "x", AX_INVALID, "makes `x` twice"},
        {"Add", "x c", "z", AX_INVALID, "output `y` of the graph is made by nothing"},
        {"Add", "x c", "", AX_INVALID, "no outputs"},
        {"Concat", "x c", "y", AX_INVALID, "does not fit the others"},
        {"And", "x c", "y", AX_INVALID, "is of type FP32, which it does not take"},
        {"Less", "x c", "y", AX_INVALID, "is said to be FP32 and comes out as BOOL"},
        {"MatMul", "x wide", "y", AX_INVALID, "2 columns meet 3 rows"},
        {"Conv", "x c", "y", AX_UNSUPPORTED, "operator Conv of operator set 18"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
        ax_auto(ax_arena_free) struct ax_arena *own = ax_arena_new(1 << 24);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 14);
        struct ax_engine *engine = NULL;
        const int64_t dims[2] = {3, 1};
        put_node(&graph, cases[i].op, cases[i].inputs, cases[i].outputs);
        put_constant(&graph, "c", 1, 2);
        if (strstr(cases[i].inputs, "wide"))
            onnx_put_value(&graph, INPUT, "wide", FLOAT, dims, 2);
        put_ends(&graph, "x", "y");
        CHECK_EQ(ax_onnx_read(&ctx, own, onnx_model(&ctx, &graph), AX_ENGINE_LEVEL_BEST, &engine),
                 cases[i].status);
        if (!strstr(ctx.error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx.error);
    }
}

/* Whatever allocation fails, opening and running say so. */
static ax_status
open_and_run(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    const float x[4] = {1, 2, 3, 4};
    const struct ax_tensor input = {
        .type = AX_TENSOR_FP32, .dim_count = 2, .shape = {2, 2}, .count = 4, .data = x};
    const bool wanted[1] = {true};
    struct ax_tensor output[1];
    ax_str bytes;
    if (!model_case_read(ctx, "tests/corpus/onnx/sum.onnx", &bytes))
        return AX_LIMIT;
    AX_TRY(ax_engine_open(ctx, bytes, NULL, &engine));
    AX_TRY(ax_engine_run(engine, ctx, &input, wanted, output));
    CHECK(ax_tensor_f64(&output[0], 0) == 12);
    return AX_OK;
}

TEST(onnx_survives_every_fault)
{
    FAULT_SWEEP(open_and_run);
}

#include "engine/onnxruntime.h"

#include "engine/onnx_file.h"
#include "harness.h"
#include "model_case.h"
#include "onnx_case.h"

static const char lstm[] = "tests/model/onnx/types/lstm.onnx"; /* left to ONNX Runtime */

static void
put_word(struct ax_writer *node, const char *name, const char *word)
{
    enum { ATTRIBUTE = 5, TYPE = 20, STRING = 3 };
    ax_writer_auto struct ax_writer attribute = ax_writer_of(1 << 10);
    onnx_put_text(&attribute, 1, name);
    onnx_put_text(&attribute, 4, word);
    onnx_put_int(&attribute, TYPE, STRING);
    onnx_put_message(node, ATTRIBUTE, &attribute);
}

/* A graph of one node over texts: StringNormalizer to upper case. */
static ax_str
text_model(struct ax_ctx *ctx)
{
    enum { NODE = 1, NAME = 2, INPUT = 11, OUTPUT = 12, STRING = 8 };
    ax_writer_auto struct ax_writer graph = ax_writer_of(1 << 12), node = ax_writer_of(1 << 12);
    const int64_t dims[1] = {-1};
    onnx_put_text(&node, 1, "in");
    onnx_put_text(&node, 2, "out");
    onnx_put_text(&node, 4, "StringNormalizer");
    put_word(&node, "case_change_action", "UPPER");
    put_word(&node, "locale", "C"); /* the default is English, which a machine may lack */
    onnx_put_message(&graph, NODE, &node);
    onnx_put_text(&graph, NAME, "g");
    onnx_put_value(&graph, INPUT, "in", STRING, dims, 1);
    onnx_put_value(&graph, OUTPUT, "out", STRING, dims, 1);
    return onnx_model(ctx, &graph);
}

/* true when ONNX Runtime is there; else the reason must say what to do, and the test ends. */
static bool
opens(struct ax_ctx *ctx, ax_str bytes, const char *operator, struct ax_engine ** out)
{
    ax_status status = ax_engine_open(ctx, bytes, NULL, out);
    if (status == AX_OK)
        return true;
    CHECK_EQ(status, AX_UNSUPPORTED);
    if (!strstr(ctx->error, operator) || !strstr(ctx->error, "tools/setup onnxruntime"))
        ax_test_failed(__FILE__, __LINE__, "it says '%s'", ctx->error);
    printf("skipped: ONNX Runtime is not there\n");
    return false;
}

TEST(onnxruntime_runs_what_axiom_does_not)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    ax_str bytes;
    REQUIRE(model_case_read(&ctx, lstm, &bytes));
    if (!opens(&ctx, bytes, "operator LSTM", &engine))
        return;
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    CHECK(ax_engine_signature(engine)->blocking);
    REQUIRE(graph && graph->input_count == 3 && graph->output_count == 1);
    struct ax_tensor inputs[3] = {};
    for (size_t i = 0; i < 3; i++) {
        inputs[i] = (struct ax_tensor){.type = graph->inputs[i].type,
                                       .dim_count = graph->inputs[i].dim_count};
        memcpy(inputs[i].shape, graph->inputs[i].shape, sizeof inputs[i].shape);
        CHECK(ax_tensor_count(inputs[i].type, inputs[i].shape, inputs[i].dim_count,
                              &inputs[i].count));
        float *data = AX_NEW_ARRAY(arena, float, inputs[i].count);
        for (size_t j = 0; j < inputs[i].count; j++)
            data[j] = 0.1f;
        inputs[i].data = data;
    }
    const struct ax_tensor *out = onnx_run(&ctx, engine, inputs);
    REQUIRE(out && out[0].count > 0);
    for (size_t i = 0; i < out[0].count; i++)
        CHECK(ax_tensor_f64(&out[0], i) > 0 && ax_tensor_f64(&out[0], i) < 1);
    struct ax_tensor outputs[1];
    const bool wanted[1] = {true};
    inputs[1].type = AX_TENSOR_FP64;
    CHECK_EQ(ax_engine_run(engine, &ctx, inputs, wanted, outputs), AX_INVALID);
    CHECK(strstr(ctx.error, "expected FP32"));
    inputs[1].type = AX_TENSOR_FP32;
    inputs[1].dim_count = 1;
    CHECK_EQ(ax_engine_run(engine, &ctx, inputs, wanted, outputs), AX_INVALID);
    CHECK(strstr(ctx.error, "ONNX Runtime: "));
}

TEST(onnxruntime_takes_and_gives_texts)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    if (!opens(&ctx, text_model(&ctx), "operator StringNormalizer", &engine))
        return;
    const ax_str words[3] = {AX_STR("paid"), AX_STR(""), AX_STR("a longer text")};
    const struct ax_tensor input = {
        .type = AX_TENSOR_BYTES, .dim_count = 1, .shape = {3}, .count = 3, .data = words};
    const struct ax_tensor *out = onnx_run(&ctx, engine, &input);
    REQUIRE(out && out[0].type == AX_TENSOR_BYTES && out[0].count == 3);
    CHECK_STR(((const ax_str *)out[0].data)[0], "PAID");
    CHECK_STR(((const ax_str *)out[0].data)[1], "");
    CHECK_STR(((const ax_str *)out[0].data)[2], "A LONGER TEXT");
}

TEST(onnxruntime_is_not_asked_for_a_broken_file)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_engine *engine = NULL;
    ax_str bytes = text_model(&ctx);
    bytes.len -= 3;
    CHECK_EQ(ax_engine_open(&ctx, bytes, NULL, &engine), AX_INVALID);
    CHECK(strstr(ctx.error, "ONNX model: byte "));
}

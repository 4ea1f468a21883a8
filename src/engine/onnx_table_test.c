#include "engine/onnx_table.h"

#include <math.h>

#include "harness.h"
#include "model_case.h"
#include "onnx_case.h"

static const char frame[] = "tests/model/onnx/frame_car_logistic/model.onnx";
static const char tree[] = "tests/model/onnx/tree_ml1/model.onnx";
static const char two_inputs[] = "tests/model/onnx/types/simple.onnx";

enum { ROWS = 131 };

static struct ax_engine_answer
score(struct ax_ctx *ctx, const struct ax_engine *engine, const double *cells, size_t rows)
{
    const struct ax_engine_call call = {
        .rows = {.at = cells, .count = rows, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN,
    };
    return model_case_score(ctx, engine, &call, NULL);
}

TEST(onnx_table_reads_names_and_words_from_the_graph)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 26);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, frame);
    REQUIRE(engine);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK_EQ(signature->feature_count, 7);
    CHECK(signature->named && !signature->blocking);
    CHECK_STR(signature->format, "onnx");
    CHECK_STR(signature->features[0].name, "car_value");
    CHECK(!signature->features[0].categorical);
    CHECK_STR(signature->features[5].name, "size_of_downpayment");
    REQUIRE(signature->features[5].category_count == 5);
    CHECK_STR(signature->features[5].categories[1], "10%");
    CHECK_EQ(signature->response_count, 1);
    CHECK_EQ(ax_engine_feature_find(engine, AX_STR("driver_tenure")), 6);
}

/* The response is the second column of the probabilities, whichever way the rows are cut. */
TEST(onnx_table_answers_as_the_graph_does)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 28);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, frame);
    REQUIRE(engine);
    double *cells = AX_NEW_ARRAY(arena, double, ROWS * 7);
    struct ax_tensor inputs[7];
    float *numbers = AX_NEW_ARRAY(arena, float, ROWS * 7);
    ax_str *words = AX_NEW_ARRAY(arena, ax_str, ROWS * 7);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    for (size_t f = 0; f < 7; f++) {
        const struct ax_engine_feature *feature = &signature->features[f];
        for (size_t i = 0; i < ROWS; i++) {
            double x = (double)((i * 37 + f * 11) % 19);
            if (feature->categorical)
                x = i % 9 == 0 ? -1 : (double)(i % feature->category_count);
            cells[i * 7 + f] = x;
            numbers[f * ROWS + i] = (float)x;
            words[f * ROWS + i] = feature->categorical && x >= 0 ? feature->categories[(size_t)x]
                                                                 : AX_STR("a word of no table");
        }
        inputs[f] =
            (struct ax_tensor){.type = feature->categorical ? AX_TENSOR_BYTES : AX_TENSOR_FP32,
                               .dim_count = 2,
                               .shape = {ROWS, 1},
                               .count = ROWS};
        inputs[f].data =
            feature->categorical ? (void *)(words + f * ROWS) : (void *)(numbers + f * ROWS);
    }
    const struct ax_tensor *outputs = onnx_run(&ctx, engine, inputs);
    REQUIRE(outputs);
    struct ax_engine_answer all = score(&ctx, engine, cells, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        double p = ax_tensor_f64(&outputs[1], i * 2 + 1);
        CHECK(all.response[i] == p);
        if (p > 1e-6 && p < 1 - 1e-6)
            CHECK(fabs(all.margin[i] - log(p / (1 - p))) < 1e-9);
    }
    for (size_t step = 1; step < ROWS; step += step < 4 ? 1 : 31)
        for (size_t from = 0; from + step <= ROWS; from += step) {
            struct ax_engine_answer part = score(&ctx, engine, cells + from * 7, step);
            if (memcmp(part.response, all.response + from, step * sizeof(double)) != 0)
                ax_test_failed(__FILE__, __LINE__, "%zu rows from %zu on differ", step, from);
        }
}

/* Margins of a probability of exactly 0 or 1 are finite: trees give them. */
TEST(onnx_table_margins_are_finite_log_odds)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 26);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, tree);
    REQUIRE(engine);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t columns = signature->feature_count;
    CHECK(!signature->named);
    CHECK_STR(signature->features[1].name, "f1");
    double *cells = AX_NEW_ARRAY(arena, double, ROWS *columns);
    for (size_t i = 0; i < ROWS * columns; i++)
        cells[i] = i % 5 == 0 ? (double)NAN : (double)(i * 7919 % 2000) - 200;
    struct ax_engine_answer answer = score(&ctx, engine, cells, ROWS);
    float *floats = AX_NEW_ARRAY(arena, float, ROWS *columns); /* which are copied as they lie */
    for (size_t i = 0; i < ROWS * columns; i++)
        floats[i] = (float)cells[i];
    const struct ax_engine_call call = {
        .rows = {.at = floats, .count = ROWS, .type = AX_ENGINE_F32},
        .outputs = AX_ENGINE_RESPONSE,
    };
    struct ax_engine_answer copied = model_case_score(&ctx, engine, &call, NULL);
    CHECK(memcmp(copied.response, answer.response, ROWS * sizeof(double)) == 0);
    for (size_t i = 0; i < ROWS; i++) {
        CHECK(answer.response[i] >= 0 && answer.response[i] <= 1);
        CHECK(isfinite(answer.margin[i]));
        CHECK((answer.margin[i] > 0) == (answer.response[i] > 0.5));
    }
}

TEST(onnx_table_is_none_where_no_output_is_a_number_a_row)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, two_inputs);
    REQUIRE(engine);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK_EQ(signature->outputs, 0);
    CHECK_EQ(signature->feature_count, 0);
    CHECK(signature->note_count > 0);
    const double cell = 0;
    double response;
    const struct ax_engine_call call = {.rows = {.at = &cell, .count = 1, .type = AX_ENGINE_F64},
                                        .outputs = AX_ENGINE_RESPONSE};
    const struct ax_engine_answer answer = {.response = &response};
    CHECK_EQ(ax_engine_score(engine, &ctx, &call, NULL, &answer), AX_UNSUPPORTED);
}

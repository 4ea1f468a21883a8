#include "api/row_json.h"

#include "harness.h"
#include "sys/file.h"

static const struct ax_row_json_options strict = {}, lax = {.drop_unknown = true};

/* A model of the small set; the bundle and all else in the test's arena. */
static struct ax_loaded_model *
load(struct ax_ctx *ctx, const char *name)
{
    struct ax_loaded_model *model = NULL;
    struct ax_bundle bundle;
    ax_str bytes = AX_STR("");
    ax_str path = ax_str_printf(ctx->arena, "tests/model/small/%s.json", name);
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_bundle_of_model(ctx, bytes, &bundle), AX_OK);
    CHECK_EQ(ax_model_load(ctx, ax_str_of(name), 1, false, &bundle, &model), AX_OK);
    return model;
}

/* The request's inputs, told: "age FP64 [2] [1,2]; ..." */
static void
tell(const struct ax_tensor_json_request *request, struct ax_writer *out)
{
    for (size_t i = 0; i < request->input_count; i++) {
        const struct ax_tensor *tensor = &request->inputs[i].tensor;
        struct ax_json_writer json = ax_json_writer_of(out);
        ax_writer_print(out, "%s%.*s %s ", i ? "; " : "", AX_FMT(tensor->name),
                        ax_tensor_type_name(tensor->type));
        ax_row_json_print(tensor, &json);
    }
}

static ax_status
read_rows(struct ax_ctx *ctx, const struct ax_loaded_model *model, const char *text,
          const struct ax_row_json_options *options, struct ax_tensor_json_request *out)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    const struct ax_json *json;
    AX_TRY(ax_json_parse(ctx, ax_str_of(text), &limits, &json));
    return ax_row_json_columns(ctx, model, json, options, out);
}

static void
rows(struct ax_ctx *ctx)
{
    static const struct {
        const char *model, *text;
        bool lax;
        const char *want; /* what the request tells, or the words of the refusal */
    } cases[] = {
        {"dart", "[[1,2.5,null],[true,NaN,0]]", false, "input-0 FP32 [[1,2.5,NaN],[1,NaN,0]]"},
        {"dart", "[[0.1,16777217,1e-50]]", false, "input-0 FP32 [[0.1,16777216,0]]"},
        {"dart", "[{\"job\":2,\"age\":1}]", false, "job FP64 [2]; age FP64 [1]"},
        {"dart", "[{\"age\":1,\"x\":[]},{\"x\":{},\"age\":[2]}]", true,
         "input 'age': value 1 has another shape than the first: lists must be of equal length"},
        {"dart", "[{\"age\":[1]},{\"age\":[2]}]", false, "age FP64 [[1],[2]]"},
        {"dart", "{\"age\":[1,2],\"y\":3}", true, "age FP64 [1,2]"},
        {"dart", "{\"age\":7}", false, "age FP64 [7]"},
        {"dart", "{\"age\":[]}", false, "there are no rows to score"},
        {"dart", "{\"y\":1}", true, "nothing in the body is an input of model 'dart'"},
        {"dart", "{\"y\":1}", false, "unexpected inference input 'y' for model 'dart'"},
        {"xgboost", "[[1,2,\"cook\"],[3,4,null]]", false,
         "age FP32 [1,3]; income FP32 [2,4]; job BYTES [\"cook\",\"\"]"},
        {"xgboost", "[{\"job\":3}]", false, "input 'job': value 0 must be text, not a number"},
        {"xgboost", "[1]", false, "a row has 1 values; model 'xgboost' has 3 features"},
        {"xgboost", "[[1,2,\"a\"],7]", false, "row 1: a list of 3 values is expected"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tensor_json_request request;
        ax_auto(ax_model_unref) struct ax_loaded_model *model = load(ctx, cases[i].model);
        ax_writer_auto struct ax_writer told = ax_writer_of(1000);
        if (read_rows(ctx, model, cases[i].text, cases[i].lax ? &lax : &strict, &request) == AX_OK)
            tell(&request, &told);
        else
            ax_writer_text(&told, ctx->error);
        CHECK_STR(ax_writer_str(&told), cases[i].want);
    }
}

TEST(row_json_gives_values_to_inputs_by_name_or_place)
{
    ax_test_with_ctx(rows);
}

static void
tables(struct ax_ctx *ctx)
{
    struct ax_tensor_json_request request;
    ax_auto(ax_model_unref) struct ax_loaded_model *model = load(ctx, "xgboost");
    ax_writer_auto struct ax_writer told = ax_writer_of(1000);
    CHECK_EQ(
        ax_row_json_csv(ctx, model, AX_STR("job,age\n\"co\"\"ok\",1e3\n,\n"), &strict, &request),
        AX_OK);
    tell(&request, &told);
    CHECK_STR(ax_writer_str(&told), "job BYTES [\"co\\\"ok\",\"\"]; age FP32 [1000,NaN]");
    CHECK_EQ(ax_row_json_csv(ctx, model, AX_STR("age,age\n1,2\n"), &strict, &request), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "input 'age' is there twice");
    CHECK_EQ(ax_row_json_csv(ctx, model, AX_STR("age,z\n1,2\n"), &strict, &request), AX_INVALID);
    CHECK_EQ(ax_row_json_csv(ctx, model, AX_STR("age,z\n1,2\n"), &lax, &request), AX_OK);
    CHECK_EQ(request.input_count, 1);
}

TEST(row_json_reads_tables_of_text)
{
    ax_test_with_ctx(tables);
}

static void
printed(struct ax_ctx *ctx)
{
    (void)ctx;
    static const int32_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct ax_tensor cube = {{"c", 1}, AX_TENSOR_INT32, 3, {2, 2, 2}, 8, numbers};
    const struct ax_tensor one = {{"o", 1}, AX_TENSOR_INT32, 0, {0}, 1, numbers};
    ax_writer_auto struct ax_writer text = ax_writer_of(1000);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_array(&json);
    ax_row_json_print(&cube, &json);
    ax_row_json_print_row(&cube, 1, &json);
    ax_row_json_print(&one, &json);
    ax_row_json_print_row(&one, 0, &json);
    ax_json_end_array(&json);
    CHECK_STR(ax_writer_str(&text), "[[[[1,2],[3,4]],[[5,6],[7,8]]],[[5,6],[7,8]],1,1]");
}

TEST(row_json_prints_nested_lists)
{
    ax_test_with_ctx(printed);
}

#include "mlops/mlmodel.h"

#include "harness.h"

static const struct {
    const char *name, *text;
    ax_status want;
    const char *flavor, *data, *hint; /* hint: a part of it */
    enum ax_mlmodel_answer answer;
} cases[] = {
    {"xgboost classifier",
     "flavors:\n  python_function:\n    data: model.ubj\n    loader_module: mlflow.xgboost\n"
     "  xgboost:\n    data: model.ubj\n    model_class: xgboost.sklearn.XGBClassifier\n",
     AX_OK, "xgboost", "model.ubj", "", AX_MLMODEL_LABEL},
    {"xgboost booster",
     "flavors:\n  xgboost:\n    data: model.xgb\n    model_class: xgboost.core.Booster\n", AX_OK,
     "xgboost", "model.xgb", "", AX_MLMODEL_RESPONSE},
    {"lightgbm booster",
     "flavors:\n  lightgbm:\n    data: model.lgb\n    model_class: lightgbm.basic.Booster\n", AX_OK,
     "lightgbm", "model.lgb", "", AX_MLMODEL_RESPONSE},
    {"lightgbm estimator",
     "flavors:\n  lightgbm:\n    data: model.pkl\n    model_class: "
     "lightgbm.sklearn.LGBMClassifier\n",
     AX_OK, "lightgbm", "", "booster_", AX_MLMODEL_LABEL},
    {"catboost binary", "flavors:\n  catboost:\n    data: model.cb\n    save_format: cbm\n", AX_OK,
     "catboost", "", "format=\"json\"", AX_MLMODEL_RESPONSE},
    {"catboost json", "flavors:\n  catboost:\n    data: model.cb\n    save_format: json\n", AX_OK,
     "catboost", "model.cb", "", AX_MLMODEL_RESPONSE},
    {"onnx", "flavors:\n  onnx:\n    data: model.onnx\n", AX_OK, "onnx", "model.onnx", "",
     AX_MLMODEL_OUTPUTS},
    {"scikit-learn",
     "flavors:\n  python_function:\n    predict_fn: predict_proba\n  sklearn:\n"
     "    pickled_model: model.pkl\n",
     AX_OK, "sklearn", "", "_onnx", AX_MLMODEL_PROBABILITIES},
    {"python function", "flavors:\n  python_function:\n    loader_module: x\n", AX_OK,
     "python_function", "", "ONNX", AX_MLMODEL_RESPONSE},
    {"unknown flavor", "flavors:\n  prophet:\n    data: a\n", AX_OK, "prophet", "", "not known",
     AX_MLMODEL_RESPONSE},
    {"no file", "flavors:\n  xgboost:\n    xgb_version: 3\n", AX_OK, "xgboost", "", "not name",
     AX_MLMODEL_RESPONSE},
    {"leads out", "flavors:\n  xgboost:\n    data: a/../../b\n", AX_INVALID, "", "", "", 0},
    {"absolute", "flavors:\n  xgboost:\n    data: /etc/passwd\n", AX_INVALID, "", "", "", 0},
    {"no flavors", "mlflow_version: 3.18.0\n", AX_INVALID, "", "", "", 0},
    {"empty flavors", "flavors: {}\n", AX_INVALID, "", "", "", 0},
    {"empty", "", AX_INVALID, "", "", "", 0},
    {"no YAML", "flavors: [", AX_INVALID, "", "", "", 0},
    {"an object of Python", "flavors: !!python/object:x.y {}\n", AX_INVALID, "", "", "", 0},
};

TEST(flavors_are_read_or_say_what_would_help)
{
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct ax_mlmodel model = {};
        ax_status status = ax_mlmodel_parse(&ctx, ax_str_of(cases[i].text), &model);
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s %s", cases[i].name, ax_status_name(status),
                           ctx.error);
        if (status != AX_OK)
            continue;
        CHECK_STR(model.flavor, cases[i].flavor);
        CHECK_STR(model.data, cases[i].data);
        CHECK_EQ(model.answer, cases[i].answer);
        CHECK(ax_str_find(model.hint, ax_str_of(cases[i].hint)) != SIZE_MAX);
        CHECK((model.hint.len > 0) != (model.data.len > 0));
    }
}

TEST(signature_and_example_are_read)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_mlmodel model = {};
    static const char text[] =
        "flavors:\n  xgboost:\n    data: m\nmlflow_version: 3.18.0\nsaved_input_example_info:\n"
        "  serving_input_path: serving_input_example.json\nsignature:\n"
        "  inputs: '[{\"type\": \"double\", \"name\": \"a\"}, {\"type\": \"long\",\n"
        "    \"name\": \"b c\"}]'\n";
    CHECK_EQ(ax_mlmodel_parse(&ctx, ax_str_of(text), &model), AX_OK);
    CHECK_EQ(model.column_count, 2);
    CHECK_STR(model.columns[1], "b c");
    CHECK_STR(model.example, "serving_input_example.json");
    CHECK_STR(model.version, "3.18.0");
    static const char tensor[] = "flavors:\n  xgboost:\n    data: m\nsignature:\n"
                                 "  inputs: '[{\"type\": \"tensor\"}]'\n";
    CHECK_EQ(ax_mlmodel_parse(&ctx, ax_str_of(tensor), &model), AX_OK);
    CHECK_EQ(model.column_count, 0);
}

static ax_status
parse_first(struct ax_ctx *ctx)
{
    struct ax_mlmodel model;
    return ax_mlmodel_parse(ctx, ax_str_of(cases[0].text), &model);
}

TEST(an_mlmodel_file_is_read_under_faults)
{
    FAULT_SWEEP(parse_first);
}

#include "mlops/mlmodel.h"

#include "codec/yaml.h"

/* Flavors whose file the engine may read, the more telling ones first. */
static const struct {
    const char *name;
    const char *file;  /* member that names the file */
    const char *form;  /* member whose value tells another form of it */
    const char *wrong; /* the value, or its beginning, that cannot be read; NULL: none */
    const char *hint;
} readable[] = {
    {"xgboost", "data", "model_format", NULL, ""},
    {"lightgbm", "data", "model_class", "lightgbm.sklearn.",
     "LightGBM's scikit-learn estimators are logged as Python objects: log the booster, "
     "mlflow.lightgbm.log_model(model.booster_)"},
    {"catboost", "data", "save_format", "cbm",
     "CatBoost's binary form is read by CatBoost alone: log it as JSON, "
     "mlflow.catboost.log_model(model, format=\"json\")"},
    {"onnx", "data", "save_as_external_data", NULL, ""},
};

/* Flavors of which an export can be read. */
static const struct {
    const char *name, *hint;
} exported[] = {
    {"sklearn",
     "scikit-learn models are logged as Python objects: log its ONNX form beside it in the same "
     "run, under the same name with _onnx behind, mlflow.onnx.log_model(skl2onnx.to_onnx(model, "
     "X[:1]), name=\"NAME_onnx\")"},
    {"pytorch", "log the ONNX form of the network, torch.onnx.export and mlflow.onnx.log_model"},
    {"tensorflow", "log the ONNX form of the network, tf2onnx and mlflow.onnx.log_model"},
    {"keras", "log the ONNX form of the network, tf2onnx and mlflow.onnx.log_model"},
    {"spark", "log the ONNX form of the pipeline, onnxmltools and mlflow.onnx.log_model"},
    {"h2o", "log the model again as XGBoost, or in ONNX form"},
    {"python_function", "a Python function runs in MLflow's own server: log the model inside it "
                        "in its library's flavor, or in ONNX form"},
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for an MLmodel file");
}

/* A path of the file that stays in its folder. */
static ax_status
take_path(struct ax_ctx *ctx, const struct ax_json *object, const char *key, ax_str *out)
{
    ax_str path = AX_STR(""), rest, part;
    AX_TRY(ax_json_may_text(ctx, object, key, &path));
    rest = path;
    bool inside = path.len == 0 || path.at[0] != '/';
    while (inside && ax_str_cut(&rest, '/', &part))
        inside = !ax_str_eq(part, AX_STR(".."));
    if (!inside || (path.len && memchr(path.at, '\0', path.len)))
        return ax_fail(ctx, AX_INVALID, "MLmodel, `%s` leads out of the model's folder", key);
    *out = path;
    return AX_OK;
}

static enum ax_mlmodel_answer
answer_of(const struct ax_json *flavor, const struct ax_json *function)
{
    ax_str model_class = AX_STR(""), predict = AX_STR("");
    (void)ax_json_text(ax_json_find(flavor, "model_class"), &model_class);
    (void)ax_json_text(ax_json_find(function, "predict_fn"), &predict);
    if (ax_str_eq(predict, AX_STR("predict_proba")))
        return AX_MLMODEL_PROBABILITIES;
    if (ax_str_eq(predict, AX_STR("predict")))
        return AX_MLMODEL_LABEL; /* of a classifier; a regressor has no other output */
    return ax_str_ends(model_class, AX_STR("Classifier")) ? AX_MLMODEL_LABEL : AX_MLMODEL_RESPONSE;
}

/* A flavor that the engine may read; *out_taken says whether there is one. */
static ax_status
take_readable(struct ax_ctx *ctx, const struct ax_json *flavors, struct ax_mlmodel *out,
              bool *out_taken)
{
    *out_taken = false;
    for (size_t i = 0; i < AX_COUNT_OF(readable) && !*out_taken; i++) {
        const struct ax_json *flavor = ax_json_find(flavors, readable[i].name);
        ax_str form = AX_STR("");
        if (!flavor)
            continue;
        *out_taken = true;
        out->flavor = ax_str_of(readable[i].name);
        (void)ax_json_text(ax_json_find(flavor, readable[i].form), &form);
        AX_TRY(take_path(ctx, flavor, readable[i].file, &out->data));
        if (readable[i].wrong && ax_str_starts(form, ax_str_of(readable[i].wrong))) {
            out->hint = ax_str_of(readable[i].hint);
            out->data = AX_STR("");
        } else if (out->data.len == 0) {
            out->hint = AX_STR("its MLmodel file does not name the model's file");
        }
        out->answer = ax_str_eq(out->flavor, AX_STR("onnx"))
                          ? AX_MLMODEL_OUTPUTS
                          : answer_of(flavor, ax_json_find(flavors, "python_function"));
    }
    return AX_OK;
}

static void
take_exported(const struct ax_json *flavors, struct ax_mlmodel *out)
{
    for (size_t i = 0; i < AX_COUNT_OF(exported); i++) {
        if (!ax_json_find(flavors, exported[i].name))
            continue;
        out->flavor = ax_str_of(exported[i].name);
        out->hint = ax_str_of(exported[i].hint);
        out->answer = answer_of(NULL, ax_json_find(flavors, "python_function"));
        return;
    }
    struct ax_json_iter it = ax_json_iter_of(flavors);
    (void)ax_json_next(&it);
    out->flavor = it.key;
    out->hint = AX_STR("the flavor is not known: log the model in its library's flavor, or in "
                       "ONNX form");
}

/* The signature is JSON inside the YAML: a list of columns, or one tensor without a name. */
static ax_status
take_columns(struct ax_ctx *ctx, const struct ax_json *signature, struct ax_mlmodel *out)
{
    ax_str text = AX_STR(""), name;
    const struct ax_json *columns;
    AX_TRY(ax_json_may_text(ctx, signature, "inputs", &text));
    if (text.len == 0)
        return AX_OK;
    ax_status status = ax_json_parse(ctx, text, NULL, &columns);
    if (status != AX_OK)
        return ax_explain(ctx, status, "MLmodel, the signature's `inputs`");
    out->columns = AX_NEW_ARRAY(ctx->arena, ax_str, ax_json_count(columns) + 1);
    if (!out->columns)
        return no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(columns);
    while (ax_json_next(&it))
        if (ax_json_text(ax_json_find(it.value, "name"), &name))
            out->columns[out->column_count++] = name;
    if (out->column_count != ax_json_count(columns))
        out->column_count = 0;
    return AX_OK;
}

ax_status
ax_mlmodel_parse(struct ax_ctx *ctx, ax_str text, struct ax_mlmodel *out)
{
    static const struct ax_yaml_limits limits = {.depth_max = 16,
                                                 .bytes_max = AX_MLMODEL_BYTES_MAX};
    struct ax_mlmodel model = {
        .hint = AX_STR(""), .data = AX_STR(""), .example = AX_STR(""), .version = AX_STR("")};
    const struct ax_json *json;
    bool taken;
    ax_status status = ax_yaml_parse(ctx, text, &limits, &json);
    if (status != AX_OK)
        return ax_explain(ctx, status, "MLmodel");
    const struct ax_json *flavors = ax_json_find(json, "flavors");
    if (ax_json_kind(flavors) != AX_JSON_OBJECT || ax_json_count(flavors) == 0)
        return ax_fail(ctx, AX_INVALID, "MLmodel: it names no flavors");
    AX_TRY(take_readable(ctx, flavors, &model, &taken));
    if (!taken)
        take_exported(flavors, &model);
    (void)ax_json_text(ax_json_find(json, "mlflow_version"), &model.version);
    const struct ax_json *example = ax_json_find(json, "saved_input_example_info");
    if (example)
        AX_TRY(take_path(ctx, example, "serving_input_path", &model.example));
    const struct ax_json *signature = ax_json_find(json, "signature");
    if (signature && ax_json_kind(signature) == AX_JSON_OBJECT)
        AX_TRY(take_columns(ctx, signature, &model));
    *out = model;
    return AX_OK;
}

const char *
ax_mlmodel_answer_name(enum ax_mlmodel_answer answer)
{
    static const char *const names[] = {[AX_MLMODEL_RESPONSE] = "response",
                                        [AX_MLMODEL_LABEL] = "label",
                                        [AX_MLMODEL_PROBABILITIES] = "probabilities",
                                        [AX_MLMODEL_OUTPUTS] = "outputs"};
    return names[answer];
}

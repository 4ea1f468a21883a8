#include "engine/catboost.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"
#include "engine/catboost_tree.h"

enum {
    FEATURES_MAX = 1'000'000,
    OUTPUTS_MAX = 10'000,
    CELLS_MAX = 1 << 27, /* outputs times features: of one row's contributions */
    WORD_BYTES_MAX = 4096,
    SHOWN_BYTES_MAX = 64,
};

struct reading {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    const struct ax_json *root, *info; /* `features_info` */
    struct ax_forest_engine *engine;
    struct ax_catboost_model model;
    struct ax_engine_feature *features;
    size_t feature_count;
    const ax_str *words; /* of all categorical features */
    size_t word_count;
    bool loss_known;
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- losses ---- */

static const struct {
    ax_str name;
    enum ax_catboost_transform transform;
} losses[] = {
    {AX_STR("Logloss"), AX_CATBOOST_SIGMOID},
    {AX_STR("CrossEntropy"), AX_CATBOOST_SIGMOID},
    {AX_STR("Focal"), AX_CATBOOST_SIGMOID},
    {AX_STR("MultiLogloss"), AX_CATBOOST_SIGMOID},
    {AX_STR("MultiCrossEntropy"), AX_CATBOOST_SIGMOID},
    {AX_STR("MultiClassOneVsAll"), AX_CATBOOST_SIGMOID},
    {AX_STR("MultiClass"), AX_CATBOOST_SOFTMAX},
    {AX_STR("Poisson"), AX_CATBOOST_EXP},
    {AX_STR("Tweedie"), AX_CATBOOST_EXP},
    {AX_STR("RMSEWithUncertainty"), AX_CATBOOST_VARIANCE},
    {AX_STR("RMSE"), AX_CATBOOST_IDENTITY},
    {AX_STR("LogCosh"), AX_CATBOOST_IDENTITY},
    {AX_STR("MAE"), AX_CATBOOST_IDENTITY},
    {AX_STR("Quantile"), AX_CATBOOST_IDENTITY},
    {AX_STR("MultiQuantile"), AX_CATBOOST_IDENTITY},
    {AX_STR("GroupQuantile"), AX_CATBOOST_IDENTITY},
    {AX_STR("LogLinQuantile"), AX_CATBOOST_IDENTITY},
    {AX_STR("Expectile"), AX_CATBOOST_IDENTITY},
    {AX_STR("MAPE"), AX_CATBOOST_IDENTITY},
    {AX_STR("Lq"), AX_CATBOOST_IDENTITY},
    {AX_STR("Huber"), AX_CATBOOST_IDENTITY},
    {AX_STR("MultiRMSE"), AX_CATBOOST_IDENTITY},
    {AX_STR("MultiRMSEWithMissingValues"), AX_CATBOOST_IDENTITY},
    {AX_STR("Cox"), AX_CATBOOST_IDENTITY},
    {AX_STR("SurvivalAft"), AX_CATBOOST_IDENTITY},
    {AX_STR("PairLogit"), AX_CATBOOST_IDENTITY},
    {AX_STR("PairLogitPairwise"), AX_CATBOOST_IDENTITY},
    {AX_STR("YetiRank"), AX_CATBOOST_IDENTITY},
    {AX_STR("YetiRankPairwise"), AX_CATBOOST_IDENTITY},
    {AX_STR("QueryRMSE"), AX_CATBOOST_IDENTITY},
    {AX_STR("QuerySoftMax"), AX_CATBOOST_IDENTITY},
    {AX_STR("LambdaMart"), AX_CATBOOST_IDENTITY},
    {AX_STR("StochasticRank"), AX_CATBOOST_IDENTITY},
};

enum ax_catboost_transform
ax_catboost_transform_find(ax_str loss, bool *out_known)
{
    *out_known = true;
    for (size_t i = 0; i < AX_COUNT_OF(losses); i++)
        if (ax_str_eq(losses[i].name, loss))
            return losses[i].transform;
    *out_known = false;
    return AX_CATBOOST_IDENTITY;
}

static void
softmax(const double *margin, size_t count, double *out)
{
    double largest = margin[0], sum = 0;
    for (size_t k = 1; k < count; k++)
        largest = margin[k] > largest ? margin[k] : largest;
    for (size_t k = 0; k < count; k++) {
        out[k] = exp(margin[k] - largest);
        sum += out[k];
    }
    for (size_t k = 0; k < count; k++)
        out[k] /= sum;
}

void
ax_catboost_respond(int transform, const double *margin, size_t margin_count, double *out)
{
    AX_ASSERT(margin_count > 0);
    switch ((enum ax_catboost_transform)transform) {
    case AX_CATBOOST_SOFTMAX:
        softmax(margin, margin_count, out);
        return;
    case AX_CATBOOST_SIGMOID:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = 1.0 / (1.0 + exp(-margin[k]));
        return;
    case AX_CATBOOST_EXP:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = exp(margin[k]);
        return;
    case AX_CATBOOST_VARIANCE:
        for (size_t k = 0; k < margin_count; k++)
            out[k] = k == 0 ? margin[k] : exp(2 * margin[k]);
        return;
    case AX_CATBOOST_IDENTITY:
        memcpy(out, margin, margin_count * sizeof *out);
        return;
    }
}

/* ---- what the file says about its training ---- */

/* `params` is an object; in files before 1.0 it is the text of one. */
static ax_status
read_loss(struct reading *reading)
{
    struct ax_engine_signature *signature = &reading->engine->engine.signature;
    const struct ax_json *info = ax_json_find(reading->root, "model_info");
    const struct ax_json *params = ax_json_find(info, "params");
    ax_str text = {}, loss = {};
    if (ax_json_text(params, &text)) {
        ax_status status = ax_json_parse(reading->ctx, text, NULL, &params);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`model_info`.`params`");
    }
    if (!ax_json_text(ax_json_find(ax_json_find(params, "loss_function"), "type"), &loss))
        loss = AX_STR("unknown");
    reading->engine->objective = (int)ax_catboost_transform_find(loss, &reading->loss_known);
    reading->engine->respond = ax_catboost_respond;
    if (loss.len > WORD_BYTES_MAX || !ax_str_copy(reading->arena, loss, &signature->objective))
        return out_of_memory(reading->ctx, "the loss's name");
    return AX_OK;
}

/* The release's number in "... Summary: CatBoost release 1.2.10. ..."; "unknown" without it. */
static ax_status
read_version(struct reading *reading)
{
    const ax_str mark = AX_STR("CatBoost release ");
    ax_str text = {}, version = AX_STR("unknown");
    const struct ax_json *info = ax_json_find(reading->root, "model_info");
    if (ax_json_text(ax_json_find(info, "catboost_version_info"), &text)) {
        size_t at = ax_str_find(text, mark), len = 0;
        ax_str rest = at == SIZE_MAX ? (ax_str){} : ax_str_from(text, at + mark.len);
        while (len < rest.len &&
               (rest.at[len] == '.' || (rest.at[len] >= '0' && rest.at[len] <= '9')))
            len++;
        while (len > 0 && rest.at[len - 1] == '.')
            len--;
        if (len > 0 && len <= SHOWN_BYTES_MAX)
            version = (ax_str){rest.at, len};
    }
    return ax_str_copy(reading->arena, version, &reading->engine->engine.signature.version)
               ? AX_OK
               : out_of_memory(reading->ctx, "the version");
}

/* ---- scale and bias: result = scale * sum + bias ---- */

static ax_status
take_bias(struct reading *reading, const struct ax_json *json, double *out)
{
    if (ax_json_f64(json, out) && isfinite(*out))
        return AX_OK;
    return ax_fail(reading->ctx, AX_INVALID, "`scale_and_bias` must hold finite numbers");
}

/* The biases are an array of one for each output, or, in old files, the one number. */
static ax_status
read_bias(struct reading *reading)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_json *pair = NULL;
    AX_TRY(ax_json_need_array(ctx, reading->root, "scale_and_bias", &pair));
    if (ax_json_count(pair) != 2)
        return ax_fail(ctx, AX_INVALID, "`scale_and_bias` has %zu items; expected 2",
                       ax_json_count(pair));
    struct ax_json_iter iter = ax_json_iter_of(pair);
    (void)ax_json_next(&iter);
    AX_TRY(take_bias(reading, iter.value, &reading->model.scale));
    (void)ax_json_next(&iter);
    bool array = ax_json_kind(iter.value) == AX_JSON_ARRAY;
    size_t outputs = array ? ax_json_count(iter.value) : 1;
    if (outputs == 0 || outputs > OUTPUTS_MAX)
        return ax_fail(ctx, AX_INVALID, "`scale_and_bias` has %zu biases; expected 1 to %d",
                       outputs, (int)OUTPUTS_MAX);
    double *base = AX_NEW_ARRAY(reading->arena, double, outputs);
    if (!base)
        return out_of_memory(ctx, "biases");
    struct ax_json_iter biases = ax_json_iter_of(iter.value);
    while (array && ax_json_next(&biases))
        AX_TRY(take_bias(reading, biases.value, &base[biases.index]));
    if (!array)
        AX_TRY(take_bias(reading, iter.value, &base[0]));
    reading->model.output_count = outputs;
    reading->engine->forest.base = base;
    reading->engine->forest.output_count = outputs;
    return AX_OK;
}

/* ---- words of categories ---- */

static ax_status
read_words(struct reading *reading)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_json *list = ax_json_find(reading->info, "cat_features_hash");
    size_t count = ax_json_count(list);
    struct ax_map *map = ax_map_new(ctx->arena);
    uint32_t *hashes = AX_NEW_ARRAY(ctx->arena, uint32_t, count);
    ax_str *words = AX_NEW_ARRAY(reading->arena, ax_str, count);
    if (!map || !hashes || !words)
        return out_of_memory(ctx, "categories");
    struct ax_json_iter iter = ax_json_iter_of(list);
    while (ax_json_next(&iter)) {
        int64_t hash = 0;
        ax_str word = {};
        if (!ax_json_i64(ax_json_find(iter.value, "hash"), &hash) || hash < 0 ||
            hash > UINT32_MAX || !ax_json_text(ax_json_find(iter.value, "value"), &word) ||
            word.len > WORD_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID,
                           "`cat_features_hash`[%zu] must have a 32-bit `hash` and a `value`",
                           iter.index);
        hashes[iter.index] = (uint32_t)hash;
        if (!ax_str_copy(reading->arena, word, &words[iter.index]) ||
            !ax_map_put(map, (ax_str){(const char *)&hashes[iter.index], sizeof *hashes},
                        &words[iter.index]))
            return out_of_memory(ctx, "categories");
    }
    reading->model.words = map;
    reading->model.word_first = reading->words = words;
    reading->word_count = count;
    return AX_OK;
}

/* ---- features ---- */

static const struct {
    const char *key;
    const char *what;
} refused[] = {
    {"text_features", "text features"},
    {"embedding_features", "embeddings"},
};

/* Columns of one kind, with room for each `feature_index`; the largest flat index is followed. */
static ax_status
count_columns(struct reading *reading, const char *key, struct ax_catboost_columns *columns)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_json *list = ax_json_find(reading->info, key);
    struct ax_json_iter iter = ax_json_iter_of(list);
    while (ax_json_next(&iter)) {
        int64_t index = 0, flat = 0;
        if (!ax_json_i64(ax_json_find(iter.value, "feature_index"), &index) ||
            !ax_json_i64(ax_json_find(iter.value, "flat_feature_index"), &flat) || index < 0 ||
            index >= FEATURES_MAX || flat < 0 || flat >= FEATURES_MAX)
            return ax_fail(
                ctx, AX_INVALID,
                "`%s`[%zu] must have `feature_index` and `flat_feature_index` of 0 to %d", key,
                iter.index, (int)FEATURES_MAX - 1);
        columns->count = (size_t)index >= columns->count ? (size_t)index + 1 : columns->count;
        if ((size_t)flat >= reading->feature_count)
            reading->feature_count = (size_t)flat + 1;
    }
    columns->items = AX_NEW_ARRAY(ctx->arena, struct ax_catboost_column, columns->count);
    return columns->items ? AX_OK : out_of_memory(ctx, "features");
}

static ax_status
read_name(struct reading *reading, const struct ax_json *json, struct ax_map *names,
          struct ax_engine_feature *feature)
{
    ax_str name = {};
    if (!ax_json_text(ax_json_find(json, "feature_id"), &name) || name.len == 0)
        return AX_OK;
    if (name.len > WORD_BYTES_MAX || ax_map_find(names, name))
        return ax_fail(reading->ctx, AX_INVALID, "`feature_id` `%.*s` %s",
                       name.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)name.len, name.at,
                       name.len > WORD_BYTES_MAX ? "is too long" : "stands there twice");
    if (!ax_str_copy(reading->arena, name, &feature->name) ||
        !ax_map_put(names, feature->name, feature))
        return out_of_memory(reading->ctx, "feature names");
    reading->engine->engine.signature.named = true;
    return AX_OK;
}

static ax_status
read_nan(struct reading *reading, const struct ax_json *json, struct ax_catboost_column *column)
{
    ax_str treatment = AX_STR("AsIs");
    AX_TRY(ax_json_may_text(reading->ctx, json, "nan_value_treatment", &treatment));
    column->nan_right = ax_str_eq(treatment, AX_STR("AsTrue"));
    if (column->nan_right || ax_str_eq(treatment, AX_STR("AsIs")) ||
        ax_str_eq(treatment, AX_STR("AsFalse")))
        return AX_OK;
    return ax_fail(reading->ctx, AX_INVALID,
                   "`nan_value_treatment` is `%.*s`; expected AsIs, AsFalse or AsTrue",
                   treatment.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)treatment.len,
                   treatment.at);
}

/* used: one a feature, set for those that a column has taken. */
static ax_status
read_column(struct reading *reading, const struct ax_json *json, struct ax_catboost_columns columns,
            struct ax_map *names, bool *used)
{
    int64_t index = 0, flat = 0;
    AX_TRY(ax_json_need_i64(reading->ctx, json, "feature_index", &index));
    AX_TRY(ax_json_need_i64(reading->ctx, json, "flat_feature_index", &flat));
    struct ax_catboost_column *column = &columns.items[index];
    struct ax_engine_feature *feature = &reading->features[flat];
    if (column->known || used[flat])
        return ax_fail(reading->ctx, AX_INVALID,
                       "`feature_index` %lld or `flat_feature_index` %lld stands there twice",
                       (long long)index, (long long)flat);
    used[flat] = column->known = true;
    column->feature = (size_t)flat;
    if (columns.items == reading->model.categories.items) {
        feature->categorical = true;
        feature->categories = reading->word_count ? reading->words : NULL;
        feature->category_count = reading->word_count;
    } else {
        AX_TRY(read_nan(reading, json, column));
    }
    return read_name(reading, json, names, feature);
}

static ax_status
read_columns(struct reading *reading, const char *key, struct ax_catboost_columns columns,
             struct ax_map *names, bool *used)
{
    struct ax_json_iter iter = ax_json_iter_of(ax_json_find(reading->info, key));
    while (ax_json_next(&iter)) {
        ax_status status = read_column(reading, iter.value, columns, names, used);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`%s`[%zu]", key, iter.index);
    }
    return AX_OK;
}

static ax_status
read_features(struct reading *reading)
{
    static const char floats[] = "float_features", categories[] = "categorical_features";
    struct ax_ctx *ctx = reading->ctx;
    AX_TRY(ax_json_need_object(ctx, reading->root, "features_info", &reading->info));
    for (size_t i = 0; i < AX_COUNT_OF(refused); i++)
        if (ax_json_count(ax_json_find(reading->info, refused[i].key)) > 0)
            return ax_fail(ctx, AX_UNSUPPORTED, "it has %s, which are not read", refused[i].what);
    if (ax_json_count(ax_json_find(reading->info, "ctrs")) > 0)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "it has target statistics of categories (CTRs), which are not read; train "
                       "with a one_hot_max_size above the number of categories");
    AX_TRY(count_columns(reading, floats, &reading->model.floats));
    AX_TRY(count_columns(reading, categories, &reading->model.categories));
    if (reading->feature_count + 1 > CELLS_MAX / reading->model.output_count)
        return ax_fail(ctx, AX_LIMIT, "%zu outputs of %zu features: contributions too large",
                       reading->model.output_count, reading->feature_count);
    struct ax_map *names = ax_map_new(ctx->arena);
    bool *used = AX_NEW_ARRAY(ctx->arena, bool, reading->feature_count);
    reading->features =
        AX_NEW_ARRAY(reading->arena, struct ax_engine_feature, reading->feature_count);
    if (!names || !used || !reading->features)
        return out_of_memory(ctx, "features");
    AX_TRY(read_words(reading));
    AX_TRY(read_columns(reading, floats, reading->model.floats, names, used));
    return read_columns(reading, categories, reading->model.categories, names, used);
}

/* ---- putting it together ---- */

static ax_status
check_words(struct reading *reading)
{
    struct ax_json_iter iter = ax_json_iter_of(ax_json_find(reading->info, "categorical_features"));
    while (ax_json_next(&iter))
        if (reading->word_count == 0 && ax_json_count(ax_json_find(iter.value, "values")) > 0)
            return ax_fail(reading->ctx, AX_UNSUPPORTED,
                           "it has categories without their words (`cat_features_hash`); save it "
                           "with save_model(..., format=\"json\", pool=...)");
    return AX_OK;
}

static ax_status
read_model(struct reading *reading)
{
    struct ax_engine_signature *signature = &reading->engine->engine.signature;
    AX_TRY(read_version(reading));
    AX_TRY(read_loss(reading));
    AX_TRY(read_bias(reading));
    AX_TRY(read_features(reading));
    AX_TRY(check_words(reading));
    signature->format = AX_STR("catboost-json");
    signature->booster =
        ax_json_find(reading->root, "trees") ? AX_STR("nested") : AX_STR("oblivious");
    signature->input = AX_ENGINE_F32;
    signature->output = AX_ENGINE_F64;
    signature->feature_count = reading->feature_count;
    signature->response_count = reading->model.output_count;
    reading->engine->forest.feature_count = reading->feature_count;
    AX_TRY(ax_catboost_tree_read(reading->ctx, reading->arena, &reading->model, reading->engine));
    AX_TRY(ax_engine_name_features(&reading->engine->engine, reading->ctx, reading->features,
                                   reading->feature_count));
    AX_TRY(ax_forest_engine_finish(reading->engine, reading->ctx, reading->features));
    if (!reading->loss_known)
        AX_TRY(ax_engine_note(&reading->engine->engine, reading->ctx,
                              "the loss is not CatBoost's: the response is the margin"));
    if (reading->model.categories.count > 0)
        AX_TRY(ax_engine_note(&reading->engine->engine, reading->ctx,
                              "codes of categories are places in the file's `cat_features_hash`"));
    return AX_OK;
}

ax_status
ax_catboost_read(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_json *root,
                 struct ax_engine **out_engine)
{
    struct ax_forest_engine *engine = AX_NEW(arena, struct ax_forest_engine);
    if (!engine)
        return out_of_memory(ctx, "the engine");
    engine->engine.arena = arena;
    struct reading reading = {
        .ctx = ctx, .arena = arena, .root = root, .engine = engine, .model = {.root = root}};
    ax_status status = read_model(&reading);
    if (status != AX_OK)
        return ax_explain(ctx, status, "CatBoost model");
    *out_engine = &engine->engine;
    return AX_OK;
}

#include "engine/lightgbm.h"

#include <math.h>

#include "base/map.h"
#include "base/number.h"
#include "codec/json.h"
#include "engine/lightgbm_text.h"
#include "engine/lightgbm_tree.h"

enum {
    FEATURES_MAX = 1'000'000,
    OUTPUTS_MAX = 10'000,
    CELLS_MAX = 1 << 27, /* outputs times features: of one row's contributions */
    WORD_BYTES_MAX = 4096,
    SHOWN_BYTES_MAX = 64,
};

enum header_key {
    VERSION,
    NUM_CLASS,
    NUM_TREE_PER_ITERATION,
    MAX_FEATURE_IDX,
    OBJECTIVE,
    FEATURE_NAMES,
    FEATURE_INFOS,
    TREE_SIZES,
    AVERAGE_OUTPUT,
    HEADER_KEY_COUNT,
};

static const ax_str header_names[HEADER_KEY_COUNT] = {
    [VERSION] = AX_STR("version"),
    [NUM_CLASS] = AX_STR("num_class"),
    [NUM_TREE_PER_ITERATION] = AX_STR("num_tree_per_iteration"),
    [MAX_FEATURE_IDX] = AX_STR("max_feature_idx"),
    [OBJECTIVE] = AX_STR("objective"),
    [FEATURE_NAMES] = AX_STR("feature_names"),
    [FEATURE_INFOS] = AX_STR("feature_infos"),
    [TREE_SIZES] = AX_STR("tree_sizes"),
    [AVERAGE_OUTPUT] = AX_STR("average_output"), /* a line of its own, without a value */
};

struct header {
    ax_str values[HEADER_KEY_COUNT]; /* at is NULL where the file has no such key */
};

/* What comes after the trees. */
struct tail {
    ax_str boosting;              /* `[boosting: gbdt]` */
    ax_str categorical;           /* `[categorical_feature: 0,2]` */
    const struct ax_json *pandas; /* NULL when the file has none */
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

static int
shown(ax_str text)
{
    return text.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)text.len;
}

/* ---- header ---- */

static ax_status
take_header_line(struct ax_ctx *ctx, ax_str line, struct header *header)
{
    ax_str key = line, value = {line.at, 0};
    ax_lightgbm_pair(line, &key, &value);
    for (size_t i = 0; i < HEADER_KEY_COUNT; i++) {
        if (!ax_str_eq(header_names[i], key))
            continue;
        if (header->values[i].at)
            return ax_fail(ctx, AX_INVALID, "`%s` stands there twice", header_names[i].at);
        header->values[i] = value;
        return AX_OK;
    }
    return AX_OK;
}

/* The lines up to the first tree, or to the mark that there is none. */
static ax_status
take_header(struct ax_ctx *ctx, ax_str *rest, struct header *header)
{
    ax_str line = {};
    ax_lightgbm_line(rest, &line); /* "tree", of which the format was known */
    for (;;) {
        ax_str before = *rest;
        if (!ax_lightgbm_line(rest, &line))
            return ax_fail(ctx, AX_INVALID, "the file ends in its header");
        if (ax_str_starts(line, AX_STR("Tree=")) || ax_lightgbm_block_is_end(line)) {
            *rest = before;
            return AX_OK;
        }
        AX_TRY(take_header_line(ctx, line, header));
    }
}

static ax_status
need_value(struct ax_ctx *ctx, const struct header *header, enum header_key key, ax_str *out)
{
    if (!header->values[key].at)
        return ax_fail(ctx, AX_INVALID, "`%s` is missing", header_names[key].at);
    *out = header->values[key];
    return AX_OK;
}

static ax_status
need_whole(struct ax_ctx *ctx, const struct header *header, enum header_key key,
           struct ax_lightgbm_range range, int64_t *out)
{
    ax_str text = {};
    AX_TRY(need_value(ctx, header, key, &text));
    if (!ax_parse_i64(ax_str_trim(text), out))
        return ax_fail(ctx, AX_INVALID, "`%s` is `%.*s`; expected a whole number",
                       header_names[key].at, shown(text), text.at);
    if (*out < range.least || *out > range.most)
        return ax_fail(ctx, AX_INVALID, "`%s` is %lld; expected %lld to %lld", header_names[key].at,
                       (long long)*out, (long long)range.least, (long long)range.most);
    return AX_OK;
}

static ax_status
read_version(struct ax_ctx *ctx, struct ax_arena *arena, const struct header *header,
             struct ax_lightgbm_model *model)
{
    static const ax_str known[] = {AX_STR("v2"), AX_STR("v3"), AX_STR("v4")};
    ax_str version = {};
    if (!header->values[VERSION].at)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "`version` is missing: written before LightGBM 2.1, save it again");
    version = ax_str_trim(header->values[VERSION]);
    for (size_t i = 0; i < AX_COUNT_OF(known); i++)
        if (ax_str_eq(version, known[i]))
            return ax_str_copy(arena, version, &model->signature.version)
                       ? AX_OK
                       : out_of_memory(ctx, "the version");
    return ax_fail(ctx, AX_UNSUPPORTED, "`version` is `%.*s`; v2, v3 and v4 are read",
                   shown(version), version.at);
}

/* num_class is written beside num_tree_per_iteration, which is what counts. */
static ax_status
read_counts(struct ax_ctx *ctx, const struct header *header, struct ax_lightgbm_model *model)
{
    int64_t classes = 0, outputs = 0, last = 0;
    AX_TRY(
        need_whole(ctx, header, NUM_CLASS, (struct ax_lightgbm_range){1, OUTPUTS_MAX}, &classes));
    outputs = classes;
    if (header->values[NUM_TREE_PER_ITERATION].at)
        AX_TRY(need_whole(ctx, header, NUM_TREE_PER_ITERATION,
                          (struct ax_lightgbm_range){1, OUTPUTS_MAX}, &outputs));
    AX_TRY(need_whole(ctx, header, MAX_FEATURE_IDX, (struct ax_lightgbm_range){0, FEATURES_MAX - 1},
                      &last));
    model->output_count = (size_t)outputs;
    model->signature.feature_count = (size_t)last + 1;
    if ((size_t)last + 2 > CELLS_MAX / model->output_count)
        return ax_fail(ctx, AX_LIMIT, "%zu outputs of %zu features: contributions too large",
                       model->output_count, model->signature.feature_count);
    return AX_OK;
}

static ax_status
read_objective(struct ax_ctx *ctx, struct ax_arena *arena, const struct header *header,
               struct ax_lightgbm_model *model)
{
    ax_str text = ax_str_trim(header->values[OBJECTIVE]);
    AX_TRY(ax_lightgbm_objective_parse(ctx, text, model->output_count, &model->objective));
    model->average = header->values[AVERAGE_OUTPUT].at != NULL;
    model->signature.response_count = model->output_count;
    if (text.len == 0)
        text = AX_STR("none");
    if (text.len > WORD_BYTES_MAX || !ax_str_copy(arena, text, &model->signature.objective))
        return out_of_memory(ctx, "the objective's name");
    return AX_OK;
}

/* ---- features ---- */

static ax_status
read_names(struct ax_ctx *ctx, struct ax_arena *arena, const struct header *header,
           struct ax_lightgbm_model *model)
{
    size_t count = model->signature.feature_count, found = 0;
    ax_str list = {}, name;
    struct ax_map *known = ax_map_new(ctx->arena);
    AX_TRY(need_value(ctx, header, FEATURE_NAMES, &list));
    if (!known)
        return out_of_memory(ctx, "feature names");
    for (; ax_lightgbm_word(&list, &name); found++) {
        if (found == count)
            return ax_fail(ctx, AX_INVALID, "`feature_names` has more than %zu names", count);
        if (name.len > WORD_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID, "`feature_names`[%zu] has more than %d bytes", found,
                           (int)WORD_BYTES_MAX);
        if (ax_map_find(known, name))
            return ax_fail(ctx, AX_INVALID, "`feature_names` holds `%.*s` twice", shown(name),
                           name.at);
        struct ax_engine_feature *feature = &model->features[found];
        if (!ax_str_copy(arena, name, &feature->name) || !ax_map_put(known, feature->name, feature))
            return out_of_memory(ctx, "feature names");
    }
    if (found != count)
        return ax_fail(ctx, AX_INVALID, "`feature_names` has %zu names for %zu features", found,
                       count);
    model->signature.named = true;
    return AX_OK;
}

/* "[least:most]" of a number, "c1:c2:c3" of a category, "none" of a feature that is not used. */
static bool
read_info(ax_str info, struct ax_engine_feature *feature)
{
    bool number = info.len >= 2 && info.at[0] == '[' && info.at[info.len - 1] == ']';
    ax_str part, list = number ? (ax_str){info.at + 1, info.len - 2} : info;
    size_t count = 0;
    if (ax_str_eq(info, AX_STR("none")))
        return true;
    feature->least = (double)INFINITY;
    feature->most = -(double)INFINITY;
    for (; ax_str_cut(&list, ':', &part); count++) {
        double value;
        if (!ax_parse_f64(part, &value) || isnan(value))
            return false;
        feature->least = fmin(feature->least, value);
        feature->most = fmax(feature->most, value);
    }
    feature->ranged = true;
    feature->categorical = !number;
    return !number || count == 2;
}

static ax_status
read_infos(struct ax_ctx *ctx, const struct header *header, struct ax_lightgbm_model *model)
{
    size_t count = model->signature.feature_count, found = 0;
    ax_str list = header->values[FEATURE_INFOS], info;
    if (!list.at)
        return AX_OK;
    for (; ax_lightgbm_word(&list, &info); found++)
        if (found < count && !read_info(info, &model->features[found]))
            return ax_fail(ctx, AX_INVALID,
                           "`feature_infos`[%zu] is `%.*s`; expected `[least:most]`, codes or "
                           "`none`",
                           found, shown(info), info.at);
    if (found != count)
        return ax_fail(ctx, AX_INVALID, "`feature_infos` has %zu items for %zu features", found,
                       count);
    return AX_OK;
}

/* ---- after the trees ---- */

/* The value of a line "[key: value]". */
static bool
parameter(ax_str line, ax_str key, ax_str *out)
{
    if (!ax_str_starts(line, key) || line.at[line.len - 1] != ']')
        return false;
    *out = ax_str_trim((ax_str){line.at + key.len, line.len - key.len - 1});
    return true;
}

static ax_status
read_parameters(struct ax_ctx *ctx, ax_str *rest, struct tail *tail)
{
    ax_str line = {};
    while (ax_lightgbm_line(rest, &line)) {
        if (ax_str_eq(line, AX_STR("end of parameters")))
            return AX_OK;
        if (line.len == 0 || parameter(line, AX_STR("[boosting: "), &tail->boosting) ||
            parameter(line, AX_STR("[boosting_type: "), &tail->boosting))
            continue;
        (void)parameter(line, AX_STR("[categorical_feature: "), &tail->categorical);
    }
    return ax_fail(ctx, AX_INVALID, "the file ends in its parameters");
}

static ax_status
read_tail(struct ax_ctx *ctx, ax_str rest, struct tail *tail)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    const ax_str pandas = AX_STR("pandas_categorical:");
    ax_str line = {};
    while (ax_lightgbm_line(&rest, &line)) {
        if (ax_str_starts(line, AX_STR("parameters:")))
            AX_TRY(read_parameters(ctx, &rest, tail));
        if (!ax_str_starts(line, pandas))
            continue;
        ax_status status =
            ax_json_parse(ctx, ax_str_from(line, pandas.len), &limits, &tail->pandas);
        if (status != AX_OK)
            return ax_explain(ctx, status, "`pandas_categorical`");
    }
    return AX_OK;
}

/* ---- pandas' categories: one table for each categorical column, in the columns' order ---- */

/* A category as pandas prints it. */
static bool
category_word(struct ax_arena *arena, const struct ax_json *json, ax_str *out)
{
    bool truth = false;
    ax_str text = {};
    if (ax_json_bool(json, &truth))
        text = truth ? AX_STR("True") : AX_STR("False");
    else if (ax_json_kind(json) == AX_JSON_NUMBER) {
        ax_writer_auto struct ax_writer writer = ax_writer_of(WORD_BYTES_MAX);
        ax_json_print(json, &writer);
        return writer.status == AX_OK && ax_str_copy(arena, (ax_str){writer.at, writer.len}, out);
    } else if (!ax_json_text(json, &text)) {
        return false;
    }
    return ax_str_copy(arena, text, out);
}

static ax_status
read_table(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_json *table,
           struct ax_engine_feature *feature)
{
    size_t count = ax_json_count(table);
    ax_str *words = AX_NEW_ARRAY(arena, ax_str, count);
    if (!words)
        return out_of_memory(ctx, "categories");
    struct ax_json_iter iter = ax_json_iter_of(table);
    while (ax_json_next(&iter))
        if (!category_word(arena, iter.value, &words[iter.index]))
            return ax_fail(ctx, AX_INVALID, "[%zu] must be a text, a number or a bool", iter.index);
    feature->categories = words;
    feature->category_count = count;
    feature->categorical = true;
    return AX_OK;
}

/*
 * Which features the tables belong to: those that the parameters list, else those whose info is a
 * list of codes. False when that is another number of features than of tables.
 */
static bool
categorical_columns(const struct ax_lightgbm_model *model, const struct tail *tail,
                    size_t *out_columns, size_t count)
{
    ax_str list = tail->categorical, part;
    size_t found = 0;
    while (list.len && ax_str_cut(&list, ',', &part)) {
        uint64_t column;
        if (!ax_parse_u64(part, &column) || column >= model->signature.feature_count ||
            found == count)
            return false;
        out_columns[found++] = (size_t)column;
    }
    for (size_t f = 0; tail->categorical.len == 0 && f < model->signature.feature_count; f++) {
        if (!model->features[f].categorical)
            continue;
        if (found == count)
            return false;
        out_columns[found++] = f;
    }
    return found == count;
}

/* *out_matched: false when the file does not say whose the tables are. */
static ax_status
read_pandas(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_lightgbm_model *model,
            const struct tail *tail, bool *out_matched)
{
    size_t count = ax_json_count(tail->pandas);
    *out_matched = true;
    if (count == 0)
        return AX_OK;
    size_t *columns = AX_NEW_ARRAY(ctx->arena, size_t, count);
    if (!columns)
        return out_of_memory(ctx, "categories");
    *out_matched = ax_json_kind(tail->pandas) == AX_JSON_ARRAY &&
                   categorical_columns(model, tail, columns, count);
    struct ax_json_iter iter = ax_json_iter_of(tail->pandas);
    while (*out_matched && ax_json_next(&iter)) {
        ax_status status =
            ax_json_kind(iter.value) == AX_JSON_ARRAY
                ? read_table(ctx, arena, iter.value, &model->features[columns[iter.index]])
                : ax_fail(ctx, AX_INVALID, "must be an array");
        if (status != AX_OK)
            return ax_explain(ctx, status, "`pandas_categorical`[%zu]", iter.index);
    }
    return AX_OK;
}

/* ---- putting it together ---- */

static ax_status
read_booster(struct ax_ctx *ctx, struct ax_arena *arena, const struct tail *tail,
             struct ax_lightgbm_model *model)
{
    ax_str name = tail->boosting.len ? tail->boosting : AX_STR("gbdt");
    if (model->average)
        name = AX_STR("rf");
    if (name.len > WORD_BYTES_MAX || !ax_str_copy(arena, name, &model->signature.booster))
        return out_of_memory(ctx, "the booster's name");
    return AX_OK;
}

static ax_status
read_header(struct ax_ctx *ctx, struct ax_arena *arena, ax_str *rest,
            struct ax_lightgbm_model *model)
{
    struct header header = {};
    AX_TRY(take_header(ctx, rest, &header));
    AX_TRY(read_version(ctx, arena, &header, model));
    AX_TRY(read_counts(ctx, &header, model));
    AX_TRY(read_objective(ctx, arena, &header, model));
    model->sizes = header.values[TREE_SIZES];
    model->features = AX_NEW_ARRAY(arena, struct ax_engine_feature, model->signature.feature_count);
    if (!model->features)
        return out_of_memory(ctx, "features");
    AX_TRY(read_names(ctx, arena, &header, model));
    return read_infos(ctx, &header, model);
}

static ax_status
read_model(struct ax_ctx *ctx, struct ax_arena *arena, ax_str text, struct ax_engine **out_engine)
{
    struct ax_lightgbm_model model = {
        .signature = {.format = AX_STR("lightgbm-text"),
                      .input = AX_ENGINE_F64,
                      .output = AX_ENGINE_F64},
        .carriage = ax_str_starts(text, AX_STR("tree\r")),
    };
    struct tail tail = {};
    struct ax_engine *engine = NULL;
    ax_str rest = text;
    bool matched = true;
    AX_TRY(read_header(ctx, arena, &rest, &model));
    AX_TRY(ax_lightgbm_block_scan(ctx, &rest, &model.trees));
    AX_TRY(read_tail(ctx, rest, &tail));
    AX_TRY(read_booster(ctx, arena, &tail, &model));
    AX_TRY(read_pandas(ctx, arena, &model, &tail, &matched));
    AX_TRY(ax_lightgbm_tree_read(ctx, arena, &model, &engine));
    if (!model.objective.known)
        AX_TRY(ax_engine_note(engine, ctx,
                              "the objective is not LightGBM's: the response is the margin"));
    if (!matched)
        AX_TRY(ax_engine_note(engine, ctx,
                              "`pandas_categorical` has %zu tables, and the file does not say of "
                              "which features: give categories as codes",
                              ax_json_count(tail.pandas)));
    *out_engine = engine;
    return AX_OK;
}

ax_status
ax_lightgbm_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_str text,
                 struct ax_engine **out_engine)
{
    ax_status status = read_model(ctx, arena, text, out_engine);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "LightGBM model");
}

#include "engine/xgboost.h"

#include <math.h>

#include "base/map.h"
#include "base/number.h"
#include "engine/xgboost_learner.h"
#include "engine/xgboost_linear.h"
#include "engine/xgboost_tree.h"

enum {
    FEATURES_MAX = 1'000'000,
    OUTPUTS_MAX = 10'000,
    CELLS_MAX = 1 << 27, /* outputs times features: of one row's contributions */
    WORD_BYTES_MAX = 4096,
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- version ---- */

static ax_status
read_version(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
             struct ax_xgboost_learner *learner)
{
    struct ax_document_i64s parts;
    if (!ax_document_present(ax_document_find(root, "version"))) {
        learner->signature.version = AX_STR("unknown");
        return AX_OK;
    }
    AX_TRY(ax_document_need_i64s(ctx, root, "version", &parts));
    if (parts.count != 3)
        return ax_fail(ctx, AX_INVALID, "`version` must be three numbers, not %zu", parts.count);
    for (size_t i = 0; i < 3; i++)
        if (parts.items[i] < 0 || parts.items[i] > 99)
            return ax_fail(ctx, AX_INVALID, "`version`[%zu] is out of range", i);
    learner->version = (int)(parts.items[0] * 100 + parts.items[1]);
    learner->signature.version = ax_str_printf(arena, "%d.%d.%d", (int)parts.items[0],
                                               (int)parts.items[1], (int)parts.items[2]);
    return learner->signature.version.at ? AX_OK : out_of_memory(ctx, "the version");
}

/* ---- counts and base score ---- */

static ax_status
need_count(struct ax_ctx *ctx, ax_document params, const char *key, int64_t max, int64_t *out)
{
    int64_t value;
    AX_TRY(ax_document_need_whole(ctx, params, key, &value));
    if (value < 0 || value > max)
        return ax_fail(ctx, AX_INVALID, "`%s` is %lld; expected 0 to %lld", key, (long long)value,
                       (long long)max);
    *out = value;
    return AX_OK;
}

/* "5E-1", "[5E-1]", "[1,2,3]" or the same in round brackets; one score counts for every output. */
static ax_status
parse_base(struct ax_ctx *ctx, ax_str text, float *scores, size_t count)
{
    ax_str inner = ax_str_trim(text);
    bool bracket = inner.len >= 2 && ((inner.at[0] == '[' && inner.at[inner.len - 1] == ']') ||
                                      (inner.at[0] == '(' && inner.at[inner.len - 1] == ')'));
    if (bracket)
        inner = (ax_str){inner.at + 1, inner.len - 2};
    size_t found = 0;
    ax_str part;
    while (ax_str_cut(&inner, ',', &part)) {
        float score;
        if (!ax_parse_f32(ax_str_trim(part), &score) || !isfinite(score))
            return ax_fail(ctx, AX_INVALID, "`base_score` holds `%.*s`; expected finite numbers",
                           part.len > 32 ? 32 : (int)part.len, part.at);
        if (found < count)
            scores[found] = score;
        found++;
    }
    if (found != count && found != 1)
        return ax_fail(ctx, AX_INVALID, "`base_score` holds %zu numbers; expected 1 or %zu", found,
                       count);
    for (size_t k = found; k < count; k++)
        scores[k] = scores[0];
    return AX_OK;
}

static ax_status
read_params(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
            struct ax_xgboost_learner *learner)
{
    ax_document params = {};
    int64_t features, classes = 0, targets = 1;
    ax_str base;
    AX_TRY(ax_document_need_object(ctx, root, "learner_model_param", &params));
    AX_TRY(need_count(ctx, params, "num_feature", FEATURES_MAX, &features));
    AX_TRY(need_count(ctx, params, "num_class", OUTPUTS_MAX, &classes));
    if (ax_document_present(ax_document_find(params, "num_target")))
        AX_TRY(need_count(ctx, params, "num_target", OUTPUTS_MAX, &targets));
    AX_TRY(ax_document_need_text(ctx, params, "base_score", &base));
    int64_t outputs = classes > targets ? classes : targets;
    learner->output_count = outputs > 1 ? (size_t)outputs : 1;
    learner->signature.feature_count = (size_t)features;
    if ((size_t)(features + 1) > CELLS_MAX / learner->output_count)
        return ax_fail(ctx, AX_LIMIT, "%zu outputs of %lld features: contributions too large",
                       learner->output_count, (long long)features);
    learner->base = AX_NEW_ARRAY(arena, float, learner->output_count);
    if (!learner->base)
        return out_of_memory(ctx, "base scores");
    return parse_base(ctx, base, learner->base, learner->output_count);
}

/* ---- objective ---- */

static ax_status
read_objective(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
               struct ax_xgboost_learner *learner)
{
    ax_document objective = {};
    ax_str name;
    AX_TRY(ax_document_need_object(ctx, root, "objective", &objective));
    AX_TRY(ax_document_need_text(ctx, objective, "name", &name));
    learner->objective =
        ax_xgboost_objective_find(name, learner->version, &learner->objective_known);
    learner->signature.response_count =
        ax_xgboost_objective_responses(learner->objective, learner->output_count);
    if (name.len > WORD_BYTES_MAX || !ax_str_copy(arena, name, &learner->signature.objective))
        return out_of_memory(ctx, "the objective's name");
    return ax_xgboost_objective_base(ctx, learner->objective, learner->version, learner->base,
                                     learner->output_count);
}

/* ---- features ---- */

/* An array of texts that is empty, absent, or one a feature. */
static ax_status
feature_texts(struct ax_ctx *ctx, ax_document root, const char *key, size_t count,
              ax_document *out_array)
{
    *out_array = ax_document_find(root, key);
    if (!ax_document_present(*out_array))
        return AX_OK;
    AX_TRY(ax_document_need_array(ctx, root, key, out_array));
    size_t found = ax_document_count(*out_array);
    if (found != 0 && found != count)
        return ax_fail(ctx, AX_INVALID, "`%s` has %zu items for %zu features", key, found, count);
    return AX_OK;
}

static ax_status
read_names(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
           struct ax_xgboost_learner *learner)
{
    ax_document names = {}, types = {};
    size_t count = learner->signature.feature_count;
    AX_TRY(feature_texts(ctx, root, "feature_names", count, &names));
    AX_TRY(feature_texts(ctx, root, "feature_types", count, &types));
    struct ax_map *known = ax_map_new(ctx->arena);
    if (!known)
        return out_of_memory(ctx, "feature names");
    struct ax_document_iter iter = ax_document_iter_of(names);
    while (ax_document_next(&iter)) {
        struct ax_engine_feature *feature = &learner->features[iter.index];
        ax_str name;
        if (!ax_document_text(iter.value, &name) || name.len == 0 || name.len > WORD_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID, "`feature_names`[%zu] must be a text of 1 to %d bytes",
                           iter.index, (int)WORD_BYTES_MAX);
        if (ax_map_find(known, name))
            return ax_fail(ctx, AX_INVALID, "`feature_names` holds `%.*s` twice",
                           name.len > 64 ? 64 : (int)name.len, name.at);
        if (!ax_str_copy(arena, name, &feature->name) || !ax_map_put(known, feature->name, feature))
            return out_of_memory(ctx, "feature names");
        learner->signature.named = true;
    }
    iter = ax_document_iter_of(types);
    while (ax_document_next(&iter)) {
        ax_str type;
        if (!ax_document_text(iter.value, &type))
            return ax_fail(ctx, AX_INVALID, "`feature_types`[%zu] must be a text", iter.index);
        learner->features[iter.index].categorical = ax_str_eq(type, AX_STR("c"));
    }
    return AX_OK;
}

/* ---- categories of data frames (3.1 and later) ---- */

/* Words as offsets into their bytes, each byte a number. */
static ax_status
read_words(struct ax_ctx *ctx, struct ax_arena *arena, ax_document entry,
           struct ax_engine_feature *feature)
{
    struct ax_document_i64s offsets, bytes;
    AX_TRY(ax_document_need_i64s(ctx, entry, "offsets", &offsets));
    AX_TRY(ax_document_need_i64s(ctx, entry, "values", &bytes));
    if (offsets.count < 2)
        return AX_OK;
    char *text = AX_NEW_ARRAY(arena, char, bytes.count);
    ax_str *words = AX_NEW_ARRAY(arena, ax_str, offsets.count - 1);
    if (!text || !words)
        return out_of_memory(ctx, "categories");
    for (size_t i = 0; i < bytes.count; i++) {
        if (bytes.items[i] < INT8_MIN || bytes.items[i] > UINT8_MAX)
            return ax_fail(ctx, AX_INVALID, "`values`[%zu] is no byte", i);
        text[i] = (char)(unsigned char)(bytes.items[i] & 0xff);
    }
    for (size_t i = 0; i + 1 < offsets.count; i++) {
        int64_t from = offsets.items[i], to = offsets.items[i + 1];
        if (from < 0 || to < from || (uint64_t)to > bytes.count)
            return ax_fail(ctx, AX_INVALID, "`offsets`[%zu] to [%zu] are %lld to %lld of %zu bytes",
                           i, i + 1, (long long)from, (long long)to, bytes.count);
        words[i] = (ax_str){text + from, (size_t)(to - from)};
    }
    feature->categories = words;
    feature->category_count = offsets.count - 1;
    return AX_OK;
}

static ax_status
read_categories(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_xgboost_learner *learner)
{
    ax_document model = ax_document_find(learner->booster, "model");
    ax_document encodings = ax_document_find(ax_document_find(model, "cats"), "enc");
    size_t count = ax_document_count(encodings);
    if (count == 0)
        return AX_OK;
    if (count != learner->signature.feature_count)
        return ax_fail(ctx, AX_INVALID, "`cats`.`enc` has %zu items for %zu features", count,
                       learner->signature.feature_count);
    struct ax_document_iter iter = ax_document_iter_of(encodings);
    while (ax_document_next(&iter)) {
        if (!ax_document_present(ax_document_find(iter.value, "offsets")))
            continue; /* categories that are numbers: codes are all there is */
        ax_status status = read_words(ctx, arena, iter.value, &learner->features[iter.index]);
        if (status != AX_OK)
            return ax_explain(ctx, status, "`cats`.`enc`[%zu]", iter.index);
    }
    return AX_OK;
}

/* ---- putting it together ---- */

static ax_status
read_learner(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
             struct ax_xgboost_learner *learner)
{
    ax_document object = {};
    AX_TRY(read_version(ctx, arena, root, learner));
    AX_TRY(ax_document_need_object(ctx, root, "learner", &object));
    AX_TRY(read_params(ctx, arena, object, learner));
    AX_TRY(read_objective(ctx, arena, object, learner));
    AX_TRY(ax_document_need_object(ctx, object, "gradient_booster", &learner->booster));
    learner->features =
        AX_NEW_ARRAY(arena, struct ax_engine_feature, learner->signature.feature_count);
    if (!learner->features)
        return out_of_memory(ctx, "features");
    learner->signature.features = learner->features;
    AX_TRY(read_names(ctx, arena, object, learner));
    return read_categories(ctx, arena, learner);
}

static ax_status
read_booster(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_xgboost_learner *learner,
             struct ax_engine **out_engine)
{
    static const struct {
        ax_str name;
        ax_status (*read)(struct ax_ctx *ctx, struct ax_arena *arena,
                          const struct ax_xgboost_learner *learner, struct ax_engine **out_engine);
    } boosters[] = {
        {AX_STR("gbtree"), ax_xgboost_tree_read},
        {AX_STR("dart"), ax_xgboost_tree_read},
        {AX_STR("gblinear"), ax_xgboost_linear_read},
    };
    ax_str name;
    AX_TRY(ax_document_need_text(ctx, learner->booster, "name", &name));
    for (size_t i = 0; i < AX_COUNT_OF(boosters); i++) {
        if (!ax_str_eq(name, boosters[i].name))
            continue;
        learner->signature.booster = boosters[i].name;
        return boosters[i].read(ctx, arena, learner, out_engine);
    }
    return ax_fail(ctx, AX_INVALID,
                   "`gradient_booster`.`name` is `%.*s`; expected gbtree, dart or gblinear",
                   name.len > 32 ? 32 : (int)name.len, name.at);
}

/* Boosting rounds in the file; 0 where that is not a question (linear boosters). */
static size_t
round_count(const struct ax_xgboost_learner *learner)
{
    ax_document inner = ax_document_find(learner->booster, "gbtree");
    ax_document model =
        ax_document_find(ax_document_present(inner) ? inner : learner->booster, "model");
    size_t starts = ax_document_count(ax_document_find(model, "iteration_indptr"));
    if (starts > 0)
        return starts - 1;
    ax_document params = ax_document_find(model, "gbtree_model_param");
    ax_str text;
    int64_t parallel = 1;
    if (!ax_document_text(ax_document_find(params, "num_parallel_tree"), &text) ||
        !ax_parse_i64(text, &parallel) || parallel < 1)
        parallel = 1;
    return ax_document_count(ax_document_find(model, "trees")) / learner->output_count /
           (size_t)parallel;
}

static ax_status
note_best(struct ax_ctx *ctx, ax_document root, const struct ax_xgboost_learner *learner,
          struct ax_engine *engine)
{
    ax_document attributes = ax_document_find(ax_document_find(root, "learner"), "attributes");
    size_t rounds = round_count(learner);
    ax_str text;
    int64_t best;
    if (!ax_document_text(ax_document_find(attributes, "best_iteration"), &text) ||
        !ax_parse_i64(text, &best) || best < 0 || (uint64_t)best + 1 >= rounds)
        return AX_OK;
    return ax_engine_note(engine, ctx,
                          "`best_iteration` is %lld of %zu rounds: every tree is used all the "
                          "same, as Booster.predict does",
                          (long long)best, rounds);
}

static ax_status
note_learner(struct ax_ctx *ctx, ax_document root, const struct ax_xgboost_learner *learner,
             struct ax_engine *engine)
{
    if (!learner->objective_known)
        AX_TRY(ax_engine_note(engine, ctx,
                              "the objective is not one of XGBoost's: the response is the margin"));
    if (!engine->signature.named)
        AX_TRY(ax_engine_note(engine, ctx, "the file has no feature names"));
    return note_best(ctx, root, learner, engine);
}

ax_status
ax_xgboost_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root, ax_str format,
                struct ax_engine **out_engine)
{
    struct ax_xgboost_learner learner = {
        .signature = {.format = format, .input = AX_ENGINE_F32, .output = AX_ENGINE_F32}};
    struct ax_engine *engine = NULL;
    ax_status status = read_learner(ctx, arena, root, &learner);
    if (status == AX_OK)
        status = read_booster(ctx, arena, &learner, &engine);
    if (status == AX_OK)
        status =
            ax_engine_name_features(engine, ctx, learner.features, learner.signature.feature_count);
    if (status == AX_OK)
        status = note_learner(ctx, root, &learner, engine);
    if (status != AX_OK)
        return ax_explain(ctx, status, "XGBoost model");
    *out_engine = engine;
    return AX_OK;
}

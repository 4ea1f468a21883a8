#include "engine/linear.h"

#include <math.h>

#include "base/map.h"
#include "engine/linear_engine.h"

enum { TERMS_MAX = 100'000, LEVELS_MAX = 10'000, WORD_BYTES_MAX = 1000, FORMAT_VERSION = 1 };

/* A file being read: a scorecard has bins, groups and perhaps points, a linear model values. */
struct reading {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    bool scorecard;
    int points; /* -1 until the first level says whether the file has them */
    struct ax_linear_engine *engine;
    struct ax_linear_term *terms;
    struct ax_engine_feature *features;
};

static ax_status
out_of_memory(const struct reading *reading)
{
    return ax_fail(reading->ctx, AX_LIMIT, "no memory for the model");
}

/* ---- members ---- */

/* names: NULL-terminated. */
static ax_status
check_members(const struct reading *reading, const struct ax_json *object, const char *const *names)
{
    struct ax_json_iter iter = ax_json_iter_of(object);
    while (ax_json_next(&iter)) {
        bool known = false;
        for (size_t i = 0; names[i] && !known; i++)
            known = ax_str_eq(iter.key, ax_str_of(names[i]));
        if (!known)
            return ax_fail(reading->ctx, AX_INVALID, "`%.*s` is no member of the format",
                           iter.key.len > 64 ? 64 : (int)iter.key.len, iter.key.at);
    }
    return AX_OK;
}

static ax_status
need_finite(const struct reading *reading, const struct ax_json *object, const char *key,
            double *out)
{
    double value = 0;
    AX_TRY(ax_json_need_f64(reading->ctx, object, key, &value));
    if (!isfinite(value))
        return ax_fail(reading->ctx, AX_INVALID, "`%s` must be a finite number", key);
    *out = value;
    return AX_OK;
}

static ax_status
need_word(const struct reading *reading, const struct ax_json *value, const char *what,
          size_t len_min, ax_str *out)
{
    ax_str word;
    if (!ax_json_text(value, &word) || word.len < len_min || word.len > WORD_BYTES_MAX)
        return ax_fail(reading->ctx, AX_INVALID, "%s must be a text of %zu to %d bytes", what,
                       len_min, (int)WORD_BYTES_MAX);
    return ax_str_copy(reading->arena, word, out) ? AX_OK : out_of_memory(reading);
}

static ax_status
need_levels(const struct reading *reading, const struct ax_json *object, const char *key,
            const struct ax_json **out_array)
{
    const struct ax_json *array = NULL;
    AX_TRY(ax_json_need_array(reading->ctx, object, key, &array));
    size_t count = ax_json_count(array);
    if (count == 0 || count > LEVELS_MAX)
        return ax_fail(reading->ctx, AX_INVALID, "`%s` has %zu items; expected 1 to %d", key, count,
                       (int)LEVELS_MAX);
    *out_array = array;
    return AX_OK;
}

/* ---- levels ---- */

/* Points are in every level of a file or in none. */
static ax_status
read_points(struct reading *reading, const struct ax_json *object, struct ax_linear_level *level)
{
    bool has = ax_json_find(object, "points") != NULL;
    if (reading->points < 0)
        reading->points = has;
    if (has != reading->points)
        return ax_fail(reading->ctx, AX_INVALID,
                       "`points` must be in every bin and group, or in none");
    return has ? need_finite(reading, object, "points", &level->points) : AX_OK;
}

/* names: the members that such an object may have. */
static ax_status
read_level(struct reading *reading, const struct ax_json *object, const char *const *names,
           struct ax_linear_level *out)
{
    if (ax_json_kind(object) != AX_JSON_OBJECT)
        return ax_fail(reading->ctx, AX_INVALID, "expected an object, not %s",
                       ax_json_kind_name(ax_json_kind(object)));
    AX_TRY(check_members(reading, object, names));
    if (!reading->scorecard)
        return need_finite(reading, object, "value", &out->value);
    AX_TRY(need_finite(reading, object, "woe", &out->value));
    return read_points(reading, object, out);
}

/* `missing` and `other`: a word or a level. */
static ax_status
read_rule(struct reading *reading, const struct ax_json *term, const char *key,
          enum ax_engine_rule *out_rule, struct ax_linear_level *out_level)
{
    static const char *const woe_names[] = {"woe", "points", NULL};
    static const char *const value_names[] = {"value", NULL};
    const struct ax_json *value = ax_json_find(term, key);
    bool other = key[0] == 'o';
    ax_str word;
    if (!value)
        return ax_fail(reading->ctx, AX_INVALID, "`%s` is missing", key);
    if (!ax_json_text(value, &word)) {
        *out_rule = AX_ENGINE_LEARNED;
        ax_status status =
            read_level(reading, value, reading->scorecard ? woe_names : value_names, out_level);
        return status == AX_OK ? AX_OK : ax_explain(reading->ctx, status, "`%s`", key);
    }
    if (ax_str_eq(word, AX_STR("refuse")))
        *out_rule = AX_ENGINE_REFUSED;
    else if (other && ax_str_eq(word, AX_STR("missing")))
        *out_rule = AX_ENGINE_MISSING;
    else
        return ax_fail(reading->ctx, AX_INVALID, "`%s` must be \"refuse\"%s or an object", key,
                       other ? ", \"missing\"" : "");
    return AX_OK;
}

/* ---- numeric terms ---- */

static ax_status
read_bins(struct reading *reading, const struct ax_json *object, struct ax_linear_term *term)
{
    static const char *const names[] = {"to", "woe", "points", NULL};
    const struct ax_json *bins = NULL;
    AX_TRY(need_levels(reading, object, "bins", &bins));
    size_t count = ax_json_count(bins);
    double *edges = AX_NEW_ARRAY(reading->arena, double, count);
    struct ax_linear_level *levels = AX_NEW_ARRAY(reading->arena, struct ax_linear_level, count);
    if (!edges || !levels)
        return out_of_memory(reading);
    struct ax_json_iter iter = ax_json_iter_of(bins);
    while (ax_json_next(&iter)) {
        size_t i = iter.index;
        ax_status status = read_level(reading, iter.value, names, &levels[i]);
        if (status == AX_OK && i + 1 < count)
            status = need_finite(reading, iter.value, "to", &edges[i]);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`bins`[%zu]", i);
        if (i + 1 == count && ax_json_find(iter.value, "to"))
            return ax_fail(reading->ctx, AX_INVALID,
                           "`bins`[%zu]: the last bin holds all the rest and has no `to`", i);
        if (i > 0 && i + 1 < count && !(edges[i] > edges[i - 1]))
            return ax_fail(reading->ctx, AX_INVALID, "`bins`[%zu]: `to` must ascend", i);
    }
    term->shape = AX_LINEAR_BINS;
    term->edges = edges;
    term->levels = levels;
    term->level_count = count;
    return AX_OK;
}

static ax_status
read_numeric(struct reading *reading, const struct ax_json *object, struct ax_linear_term *term)
{
    static const char *const bin_names[] = {"name", "type",    "coefficient", "mean",
                                            "bins", "missing", "info",        NULL};
    static const char *const value_names[] = {"name",    "type", "coefficient", "mean",
                                              "missing", "info", NULL};
    AX_TRY(check_members(reading, object, reading->scorecard ? bin_names : value_names));
    term->shape = AX_LINEAR_VALUE;
    return reading->scorecard ? read_bins(reading, object, term) : AX_OK;
}

/* ---- categorical terms ---- */

/* The words in order of their codes; out_codes: from word to its levels' place plus one. */
static ax_status
read_words(struct reading *reading, const struct ax_json *object, struct ax_engine_feature *feature,
           struct ax_linear_level *levels, struct ax_map **out_codes)
{
    const struct ax_json *array = ax_json_find(object, "categories");
    ax_str *words = AX_NEW_ARRAY(reading->arena, ax_str, ax_json_count(array));
    struct ax_map *codes = ax_map_new(reading->ctx->arena);
    if (!words || !codes)
        return out_of_memory(reading);
    struct ax_json_iter iter = ax_json_iter_of(array);
    while (ax_json_next(&iter)) {
        AX_TRY(need_word(reading, iter.value, "a category", 0, &words[iter.index]));
        if (ax_map_find(codes, words[iter.index]))
            return ax_fail(reading->ctx, AX_INVALID, "`categories` has `%.*s` twice",
                           words[iter.index].len > 64 ? 64 : (int)words[iter.index].len,
                           words[iter.index].at);
        if (!ax_map_put(codes, words[iter.index], &levels[iter.index]))
            return out_of_memory(reading);
    }
    feature->categories = words;
    feature->category_count = ax_json_count(array);
    *out_codes = codes;
    return AX_OK;
}

static ax_status
read_group(struct reading *reading, const struct ax_json *group, const struct ax_map *codes,
           const struct ax_linear_level *first, bool *placed)
{
    static const char *const names[] = {"categories", "woe", "points", NULL};
    struct ax_linear_level level = {};
    const struct ax_json *words = NULL;
    AX_TRY(read_level(reading, group, names, &level));
    AX_TRY(need_levels(reading, group, "categories", &words));
    struct ax_json_iter iter = ax_json_iter_of(words);
    while (ax_json_next(&iter)) {
        ax_str word = {"", 0};
        bool text = ax_json_text(iter.value, &word);
        struct ax_linear_level *at = text ? ax_map_find(codes, word) : NULL;
        if (!at || placed[at - first])
            return ax_fail(reading->ctx, AX_INVALID, "`categories`[%zu], `%.*s`, is %s", iter.index,
                           word.len > 64 ? 64 : (int)word.len, word.at,
                           at ? "in two groups" : "none of the feature's categories");
        placed[at - first] = true;
        *at = level;
    }
    return AX_OK;
}

static ax_status
read_groups(struct reading *reading, const struct ax_json *object, const struct ax_map *codes,
            const struct ax_engine_feature *feature, struct ax_linear_level *levels)
{
    const struct ax_json *groups = NULL;
    AX_TRY(need_levels(reading, object, "groups", &groups));
    bool *placed = AX_NEW_ARRAY(reading->ctx->arena, bool, feature->category_count);
    if (!placed)
        return out_of_memory(reading);
    struct ax_json_iter iter = ax_json_iter_of(groups);
    while (ax_json_next(&iter)) {
        ax_status status = read_group(reading, iter.value, codes, levels, placed);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`groups`[%zu]", iter.index);
    }
    for (size_t i = 0; i < feature->category_count; i++)
        if (!placed[i])
            return ax_fail(reading->ctx, AX_INVALID, "the category `%.*s` is in no group",
                           feature->categories[i].len > 64 ? 64 : (int)feature->categories[i].len,
                           feature->categories[i].at);
    return AX_OK;
}

static ax_status
read_values(struct reading *reading, const struct ax_json *object, struct ax_linear_level *levels,
            size_t count)
{
    const struct ax_json *values = NULL;
    AX_TRY(need_levels(reading, object, "values", &values));
    if (ax_json_count(values) != count)
        return ax_fail(reading->ctx, AX_INVALID, "`values` has %zu items for %zu categories",
                       ax_json_count(values), count);
    struct ax_json_iter iter = ax_json_iter_of(values);
    while (ax_json_next(&iter))
        if (!ax_json_f64(iter.value, &levels[iter.index].value) ||
            !isfinite(levels[iter.index].value))
            return ax_fail(reading->ctx, AX_INVALID, "`values`[%zu] must be a finite number",
                           iter.index);
    return AX_OK;
}

static ax_status
read_categorical(struct reading *reading, const struct ax_json *object, struct ax_linear_term *term,
                 struct ax_engine_feature *feature)
{
    static const char *const names[] = {"name",    "type",  "coefficient", "mean", "categories",
                                        "missing", "other", "info",        NULL,   NULL};
    const char *allowed[AX_COUNT_OF(names)];
    const struct ax_json *categories = NULL;
    memcpy(allowed, names, sizeof names);
    allowed[AX_COUNT_OF(names) - 2] = reading->scorecard ? "groups" : "values";
    AX_TRY(check_members(reading, object, allowed));
    AX_TRY(need_levels(reading, object, "categories", &categories));
    size_t count = ax_json_count(categories);
    struct ax_linear_level *levels = AX_NEW_ARRAY(reading->arena, struct ax_linear_level, count);
    struct ax_map *codes = NULL;
    if (!levels)
        return out_of_memory(reading);
    AX_TRY(read_words(reading, object, feature, levels, &codes));
    AX_TRY(reading->scorecard ? read_groups(reading, object, codes, feature, levels)
                              : read_values(reading, object, levels, count));
    feature->categorical = true;
    term->shape = AX_LINEAR_CODES;
    term->levels = levels;
    term->level_count = count;
    return read_rule(reading, object, "other", &term->other_rule, &term->other);
}

/* ---- the file ---- */

static ax_status
read_term(struct reading *reading, const struct ax_json *object, size_t index)
{
    struct ax_linear_term *term = &reading->terms[index];
    struct ax_engine_feature *feature = &reading->features[index];
    ax_str type = {};
    if (ax_json_kind(object) != AX_JSON_OBJECT)
        return ax_fail(reading->ctx, AX_INVALID, "a term must be an object");
    AX_TRY(need_word(reading, ax_json_find(object, "name"), "`name`", 1, &feature->name));
    AX_TRY(ax_json_need_text(reading->ctx, object, "type", &type));
    AX_TRY(need_finite(reading, object, "coefficient", &term->coefficient));
    AX_TRY(need_finite(reading, object, "mean", &term->mean));
    if (ax_str_eq(type, AX_STR("numeric")))
        AX_TRY(read_numeric(reading, object, term));
    else if (ax_str_eq(type, AX_STR("categorical")))
        AX_TRY(read_categorical(reading, object, term, feature));
    else
        return ax_fail(reading->ctx, AX_INVALID, "`type` must be \"numeric\" or \"categorical\"");
    return read_rule(reading, object, "missing", &term->missing_rule, &term->missing);
}

static ax_status
read_terms(struct reading *reading, const struct ax_json *root, const char *key)
{
    const struct ax_json *array = NULL;
    AX_TRY(ax_json_need_array(reading->ctx, root, key, &array));
    size_t count = ax_json_count(array);
    if (count == 0 || count > TERMS_MAX)
        return ax_fail(reading->ctx, AX_INVALID, "`%s` has %zu items; expected 1 to %d", key, count,
                       (int)TERMS_MAX);
    struct ax_map *names = ax_map_new(reading->ctx->arena);
    reading->terms = AX_NEW_ARRAY(reading->arena, struct ax_linear_term, count);
    reading->features = AX_NEW_ARRAY(reading->arena, struct ax_engine_feature, count);
    if (!names || !reading->terms || !reading->features)
        return out_of_memory(reading);
    struct ax_json_iter iter = ax_json_iter_of(array);
    while (ax_json_next(&iter)) {
        ax_str name = {"", 0};
        (void)ax_json_text(ax_json_find(iter.value, "name"), &name);
        ax_status status = read_term(reading, iter.value, iter.index);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`%s`[%zu] `%.*s`", key, iter.index,
                              name.len > 64 ? 64 : (int)name.len, name.at);
        if (ax_map_find(names, name))
            return ax_fail(reading->ctx, AX_INVALID, "`%s` has two terms named `%.*s`", key,
                           name.len > 64 ? 64 : (int)name.len, name.at);
        if (!ax_map_put(names, reading->features[iter.index].name, &reading->terms[iter.index]))
            return out_of_memory(reading);
    }
    reading->engine->terms = reading->terms;
    reading->engine->term_count = count;
    return AX_OK;
}

static ax_status
read_scaling(const struct reading *reading, const struct ax_json *root)
{
    static const char *const names[] = {"base_points", "base_odds", "pdo", NULL};
    const struct ax_json *scaling = ax_json_find(root, "scaling");
    double ignored;
    if (!scaling)
        return AX_OK;
    AX_TRY(ax_json_need_object(reading->ctx, root, "scaling", &scaling));
    AX_TRY(check_members(reading, scaling, names));
    for (size_t i = 0; names[i]; i++)
        if (ax_json_find(scaling, names[i]))
            AX_TRY(need_finite(reading, scaling, names[i], &ignored));
    return AX_OK;
}

static ax_status
read_scorecard(struct reading *reading, const struct ax_json *root)
{
    static const char *const names[] = {"format",    "version",     "event",
                                        "intercept", "scaling",     "characteristics",
                                        "info",      "points_base", NULL};
    struct ax_linear_engine *engine = reading->engine;
    AX_TRY(check_members(reading, root, names));
    AX_TRY(read_scaling(reading, root));
    if (ax_json_find(root, "points_base"))
        AX_TRY(need_finite(reading, root, "points_base", &engine->points_base));
    engine->link = AX_LINEAR_LOGISTIC;
    engine->engine.signature.format = AX_STR("axiom.scorecard");
    engine->engine.signature.kind = AX_STR("scorecard");
    engine->engine.signature.objective = AX_STR("logistic");
    return read_terms(reading, root, "characteristics");
}

static ax_status
read_linear(struct reading *reading, const struct ax_json *root)
{
    static const char *const names[] = {"format",    "version", "event", "link",
                                        "intercept", "terms",   "info",  NULL};
    static const ax_str links[] = {
        [AX_LINEAR_IDENTITY] = AX_STR("identity"),
        [AX_LINEAR_LOGISTIC] = AX_STR("logistic"),
        [AX_LINEAR_LOG] = AX_STR("log"),
    };
    struct ax_linear_engine *engine = reading->engine;
    ax_str link = {};
    size_t found = 0;
    AX_TRY(check_members(reading, root, names));
    AX_TRY(ax_json_need_text(reading->ctx, root, "link", &link));
    while (found < AX_COUNT_OF(links) && !ax_str_eq(link, links[found]))
        found++;
    if (found == AX_COUNT_OF(links))
        return ax_fail(reading->ctx, AX_INVALID, "`link` must be identity, logistic or log");
    engine->link = (enum ax_linear_link)found;
    engine->engine.signature.format = AX_STR("axiom.linear");
    engine->engine.signature.kind = AX_STR("linear");
    engine->engine.signature.objective = links[found];
    return read_terms(reading, root, "terms");
}

static ax_status
read_model(struct reading *reading, const struct ax_json *root)
{
    ax_str format = {}, event = {};
    int64_t version = 0;
    AX_TRY(ax_json_need_text(reading->ctx, root, "format", &format));
    reading->scorecard = ax_str_eq(format, AX_STR("axiom.scorecard"));
    if (!reading->scorecard && !ax_str_eq(format, AX_STR("axiom.linear")))
        return ax_fail(reading->ctx, AX_UNSUPPORTED,
                       "`format` is `%.*s`; expected axiom.scorecard or axiom.linear",
                       format.len > 64 ? 64 : (int)format.len, format.at);
    AX_TRY(ax_json_need_i64(reading->ctx, root, "version", &version));
    if (version != FORMAT_VERSION)
        return ax_fail(reading->ctx, AX_UNSUPPORTED, "`version` is %lld; this program reads %d",
                       (long long)version, (int)FORMAT_VERSION);
    AX_TRY(ax_json_may_text(reading->ctx, root, "event", &event));
    AX_TRY(need_finite(reading, root, "intercept", &reading->engine->intercept));
    reading->engine->engine.signature.version = AX_STR("1");
    return reading->scorecard ? read_scorecard(reading, root) : read_linear(reading, root);
}

ax_status
ax_linear_read(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_json *root,
               struct ax_engine **out_engine)
{
    struct reading reading = {.ctx = ctx, .arena = arena, .points = -1};
    reading.engine = AX_NEW(arena, struct ax_linear_engine);
    if (!reading.engine)
        return out_of_memory(&reading);
    reading.engine->engine.arena = arena;
    ax_status status = read_model(&reading, root);
    if (status != AX_OK)
        return ax_explain(ctx, status, "Axiom model");
    AX_TRY(ax_linear_engine_finish(reading.engine, ctx, reading.features, reading.points == 1));
    *out_engine = &reading.engine->engine;
    return AX_OK;
}

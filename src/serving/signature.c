#include "serving/signature.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
}

/* "accept"/"refuse" and the like: absent is false. */
static ax_status
take_choice(struct ax_ctx *ctx, const struct ax_json *json, const char *key, const char *yes,
            bool *out)
{
    ax_str word = AX_STR("refuse");
    AX_TRY(ax_json_may_text(ctx, json, key, &word));
    *out = ax_str_eq(word, ax_str_of(yes));
    if (!*out && !ax_str_eq(word, AX_STR("refuse")))
        return ax_fail(ctx, AX_INVALID, "`%s` must be \"refuse\" or \"%s\", not \"%.*s\"", key, yes,
                       AX_FMT(word));
    return AX_OK;
}

static ax_status
take_categories(struct ax_ctx *ctx, const struct ax_json *json,
                struct ax_signature_feature *feature)
{
    const struct ax_json *categories;
    AX_TRY(ax_json_need_array(ctx, json, "categories", &categories));
    feature->category_count = ax_json_count(categories);
    feature->categories = AX_NEW_ARRAY(ctx->arena, ax_str, feature->category_count + 1);
    feature->category_index = ax_map_new(ctx->arena);
    if (!feature->categories || !feature->category_index)
        return no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(categories);
    while (ax_json_next(&it)) {
        ax_str *slot = &feature->categories[it.index];
        if (!ax_json_text(it.value, slot))
            return ax_fail(ctx, AX_INVALID, "category %zu must be a string", it.index);
        if (ax_map_find(feature->category_index, *slot))
            return ax_fail(ctx, AX_INVALID, "category \"%.*s\" occurs twice", AX_FMT(*slot));
        if (!ax_map_put(feature->category_index, *slot, slot))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
take_feature(struct ax_ctx *ctx, const struct ax_json *json, struct ax_signature_feature *feature)
{
    ax_str type = AX_STR("number");
    feature->min = -(double)INFINITY;
    feature->max = (double)INFINITY;
    AX_TRY(ax_json_need_text(ctx, json, "name", &feature->name));
    AX_TRY(ax_json_may_text(ctx, json, "type", &type));
    AX_TRY(take_choice(ctx, json, "missing", "accept", &feature->missing_accepted));
    if (ax_str_eq(type, AX_STR("category"))) {
        feature->kind = AX_FEATURE_CATEGORY;
        AX_TRY(take_choice(ctx, json, "unknown", "missing", &feature->unknown_is_missing));
        return take_categories(ctx, json, feature);
    }
    if (!ax_str_eq(type, AX_STR("number")))
        return ax_fail(ctx, AX_INVALID, "`type` must be \"number\" or \"category\", not \"%.*s\"",
                       AX_FMT(type));
    AX_TRY(ax_json_may_f64(ctx, json, "min", &feature->min));
    AX_TRY(ax_json_may_f64(ctx, json, "max", &feature->max));
    if (feature->min > feature->max)
        return ax_fail(ctx, AX_INVALID, "`min` %g is above `max` %g", feature->min, feature->max);
    return AX_OK;
}

static ax_status
signature_new(struct ax_ctx *ctx, size_t feature_count, struct ax_signature **out)
{
    if (feature_count > AX_SIGNATURE_FEATURES_MAX)
        return ax_fail(ctx, AX_INVALID, "a signature has up to %d features, not %zu",
                       AX_SIGNATURE_FEATURES_MAX, feature_count);
    struct ax_signature *signature = AX_NEW(ctx->arena, struct ax_signature);
    if (!signature)
        return no_memory(ctx);
    signature->feature_count = feature_count;
    signature->features = AX_NEW_ARRAY(ctx->arena, struct ax_signature_feature, feature_count);
    signature->names = AX_NEW_ARRAY(ctx->arena, ax_str, feature_count);
    signature->index = ax_map_new(ctx->arena);
    signature->response = AX_STR("probability");
    signature->answer = AX_STR("response");
    if (!signature->features || !signature->names || !signature->index)
        return no_memory(ctx);
    *out = signature;
    return AX_OK;
}

static ax_status
add_name(struct ax_ctx *ctx, struct ax_signature *signature, size_t at)
{
    ax_str name = signature->features[at].name;
    if (name.len == 0)
        return ax_fail(ctx, AX_INVALID, "feature %zu has no name", at);
    if (ax_map_find(signature->index, name))
        return ax_fail(ctx, AX_INVALID, "feature `%.*s` occurs twice", AX_FMT(name));
    signature->names[at] = name;
    return ax_map_put(signature->index, name, &signature->features[at]) ? AX_OK : no_memory(ctx);
}

ax_status
ax_signature_parse(struct ax_ctx *ctx, const struct ax_json *json,
                   struct ax_signature **out_signature)
{
    const struct ax_json *features;
    struct ax_signature *signature;
    AX_TRY(ax_json_need_array(ctx, json, "features", &features));
    AX_TRY(signature_new(ctx, ax_json_count(features), &signature));
    struct ax_json_iter it = ax_json_iter_of(features);
    while (ax_json_next(&it)) {
        ax_status status = take_feature(ctx, it.value, &signature->features[it.index]);
        if (status == AX_OK)
            status = add_name(ctx, signature, it.index);
        if (status != AX_OK)
            return ax_explain(ctx, status, "signature, feature %zu", it.index);
    }
    const struct ax_json *target = ax_json_find(json, "target");
    if (target) {
        AX_TRY(ax_json_need_text(ctx, target, "name", &signature->target));
        AX_TRY(ax_json_may_text(ctx, target, "positive", &signature->positive));
    }
    AX_TRY(ax_json_may_text(ctx, json, "response", &signature->response));
    AX_TRY(ax_json_may_text(ctx, json, "answer", &signature->answer));
    *out_signature = signature;
    return AX_OK;
}

ax_status
ax_signature_of_names(struct ax_ctx *ctx, const ax_str *names, size_t name_count,
                      struct ax_signature **out_signature)
{
    struct ax_signature *signature;
    AX_TRY(signature_new(ctx, name_count, &signature));
    for (size_t i = 0; i < name_count; i++) {
        signature->features[i] = (struct ax_signature_feature){
            .name = names[i],
            .missing_accepted = true,
            .min = -(double)INFINITY,
            .max = (double)INFINITY,
        };
        AX_TRY(add_name(ctx, signature, i));
    }
    *out_signature = signature;
    return AX_OK;
}

static void
print_feature(const struct ax_signature_feature *feature, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", feature->name);
    ax_json_member_text(
        json, "type", feature->kind == AX_FEATURE_CATEGORY ? AX_STR("category") : AX_STR("number"));
    ax_json_member_text(json, "missing",
                        feature->missing_accepted ? AX_STR("accept") : AX_STR("refuse"));
    if (feature->kind == AX_FEATURE_CATEGORY) {
        ax_json_member_text(json, "unknown",
                            feature->unknown_is_missing ? AX_STR("missing") : AX_STR("refuse"));
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t i = 0; i < feature->category_count; i++)
            ax_json_put_text(json, feature->categories[i]);
        ax_json_end_array(json);
    }
    if (isfinite(feature->min))
        ax_json_member_f64(json, "min", feature->min);
    if (isfinite(feature->max))
        ax_json_member_f64(json, "max", feature->max);
    ax_json_end_object(json);
}

void
ax_signature_print(const struct ax_signature *signature, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_key(json, "features");
    ax_json_begin_array(json);
    for (size_t i = 0; i < signature->feature_count; i++)
        print_feature(&signature->features[i], json);
    ax_json_end_array(json);
    if (signature->target.len) {
        ax_json_key(json, "target");
        ax_json_begin_object(json);
        ax_json_member_text(json, "name", signature->target);
        ax_json_member_text(json, "positive", signature->positive);
        ax_json_end_object(json);
    }
    ax_json_member_text(json, "response", signature->response);
    if (!ax_str_eq(signature->answer, AX_STR("response"))) /* as digests have always had it */
        ax_json_member_text(json, "answer", signature->answer);
    ax_json_end_object(json);
}

static ax_status
encode_missing(struct ax_ctx *ctx, const struct ax_signature_feature *feature, double *out)
{
    if (!feature->missing_accepted)
        return ax_fail(ctx, AX_INVALID, "feature `%.*s` is missing", AX_FMT(feature->name));
    *out = (double)NAN;
    return AX_OK;
}

static ax_status
encode_category(struct ax_ctx *ctx, const struct ax_signature_feature *feature, ax_str category,
                double *out)
{
    const ax_str *slot = ax_map_find(feature->category_index, category);
    if (slot) {
        *out = (double)(slot - feature->categories);
        return AX_OK;
    }
    if (feature->unknown_is_missing) {
        *out = (double)NAN;
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "feature `%.*s`: \"%.*s\" is not one of its %zu categories",
                   AX_FMT(feature->name), (int)(category.len > 80 ? 80 : category.len), category.at,
                   feature->category_count);
}

static ax_status
encode_value(struct ax_ctx *ctx, const struct ax_signature_feature *feature,
             const struct ax_json *value, double *out)
{
    enum ax_json_kind kind = ax_json_kind(value);
    if (kind == AX_JSON_NULL)
        return encode_missing(ctx, feature, out);
    ax_str text;
    if (feature->kind == AX_FEATURE_CATEGORY && ax_json_text(value, &text))
        return encode_category(ctx, feature, text, out);
    if (feature->kind == AX_FEATURE_NUMBER && ax_json_f64(value, out)) {
        *out += 0.0; /* there is one zero, as in training */
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "feature `%.*s` must be %s, not %s", AX_FMT(feature->name),
                   feature->kind == AX_FEATURE_CATEGORY ? "a string" : "a number",
                   ax_json_kind_name(kind));
}

ax_status
ax_signature_encode(struct ax_ctx *ctx, const struct ax_signature *signature,
                    const struct ax_json *features, double *out_row)
{
    if (!features || ax_json_kind(features) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "`features` must be an object of names and values");
    const double unset = -(double)INFINITY; /* JSON cannot say it, so it marks what was not sent */
    for (size_t i = 0; i < signature->feature_count; i++)
        out_row[i] = unset;
    struct ax_json_iter it = ax_json_iter_of(features);
    while (ax_json_next(&it)) {
        const struct ax_signature_feature *feature = ax_map_find(signature->index, it.key);
        if (!feature)
            return ax_fail(ctx, AX_INVALID, "unknown feature `%.*s`",
                           (int)(it.key.len > 80 ? 80 : it.key.len), it.key.at);
        AX_TRY(encode_value(ctx, feature, it.value, &out_row[feature - signature->features]));
    }
    for (size_t i = 0; i < signature->feature_count; i++)
        if (out_row[i] == unset)
            AX_TRY(encode_missing(ctx, &signature->features[i], &out_row[i]));
    return AX_OK;
}

ax_status
ax_signature_encode_text(struct ax_ctx *ctx, const struct ax_signature *signature, size_t feature,
                         ax_str text, double *out_value)
{
    AX_ASSERT(feature < signature->feature_count);
    const struct ax_signature_feature *wanted = &signature->features[feature];
    if (text.len == 0)
        return encode_missing(ctx, wanted, out_value);
    if (wanted->kind == AX_FEATURE_CATEGORY)
        return encode_category(ctx, wanted, text, out_value);
    double value;
    if (!ax_parse_f64(ax_str_trim(text), &value))
        return ax_fail(ctx, AX_INVALID, "feature `%.*s` must be a number, not \"%.*s\"",
                       AX_FMT(wanted->name), (int)(text.len > 80 ? 80 : text.len), text.at);
    *out_value = value + 0.0; /* there is one zero, as in training */
    return AX_OK;
}

void
ax_signature_decode(const struct ax_signature *signature, size_t feature, double value,
                    struct ax_json_writer *json)
{
    const struct ax_signature_feature *of = &signature->features[feature];
    if (isnan(value))
        ax_json_put_null(json);
    else if (of->kind == AX_FEATURE_CATEGORY && value >= 0 && value < (double)of->category_count)
        ax_json_put_text(json, of->categories[(size_t)value]);
    else
        ax_json_put_f64(json, value);
}

#include "governance/explanation.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"

enum { REASONS_IN_MAP_MAX = 512, FEATURES_IN_REASON_MAX = 4096 };

/* Reasons that state no cause; compared without case.   Source: 12 CFR 1002.9(b)(2). */
static const char *const refused_phrases[] = {
    "internal standard", "internal policy",  "internal policies", "our policy", "company policy",
    "credit policy",     "qualifying score", "score too low",     "low score",  "credit score",
    "scoring system",    "the model",        "algorithm",
};

static bool
contains_ignoring_case(ax_str text, ax_str phrase)
{
    for (size_t i = 0; i + phrase.len <= text.len; i++)
        if (ax_str_eq_ignoring_case((ax_str){text.at + i, phrase.len}, phrase))
            return true;
    return false;
}

static ax_status
check_text(struct ax_ctx *ctx, ax_str code, ax_str text)
{
    if (code.len == 0 || text.len == 0)
        return ax_fail(ctx, AX_INVALID, "a reason needs a `code` and a `text`");
    for (size_t i = 0; i < AX_COUNT_OF(refused_phrases); i++)
        if (contains_ignoring_case(text, ax_str_of(refused_phrases[i])))
            return ax_fail(ctx, AX_INVALID,
                           "reason %.*s: \"%s\" names no cause; state the factor itself "
                           "(12 CFR 1002.9(b)(2))",
                           AX_FMT(code), refused_phrases[i]);
    return AX_OK;
}

static ax_status
take_features(struct ax_ctx *ctx, const struct ax_json *json, struct ax_reason *reason,
              struct ax_map *seen)
{
    const struct ax_json *features;
    AX_TRY(ax_json_need_array(ctx, json, "features", &features));
    reason->feature_count = ax_json_count(features);
    if (reason->feature_count == 0 || reason->feature_count > FEATURES_IN_REASON_MAX)
        return ax_fail(ctx, AX_INVALID, "reason %.*s needs 1 to %d features", AX_FMT(reason->code),
                       FEATURES_IN_REASON_MAX);
    reason->features = AX_NEW_ARRAY(ctx->arena, ax_str, reason->feature_count);
    if (!reason->features)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reason map");
    struct ax_json_iter it = ax_json_iter_of(features);
    while (ax_json_next(&it)) {
        ax_str *name = &reason->features[it.index];
        if (!ax_json_text(it.value, name))
            return ax_fail(ctx, AX_INVALID, "reason %.*s: feature %zu must be a string",
                           AX_FMT(reason->code), it.index);
        if (ax_map_find(seen, *name))
            return ax_fail(ctx, AX_INVALID, "feature `%.*s` has two reason codes", AX_FMT(*name));
        if (!ax_map_put(seen, *name, reason))
            return ax_fail(ctx, AX_LIMIT, "no memory for a reason map");
    }
    return AX_OK;
}

static ax_status
take_reason(struct ax_ctx *ctx, const struct ax_json *json, struct ax_reason *out,
            struct ax_map *seen)
{
    out->disclose = true;
    AX_TRY(ax_json_need_text(ctx, json, "code", &out->code));
    AX_TRY(ax_json_need_text(ctx, json, "text", &out->text));
    AX_TRY(ax_json_may_bool(ctx, json, "disclose", &out->disclose));
    AX_TRY(check_text(ctx, out->code, out->text));
    return seen ? take_features(ctx, json, out, seen) : AX_OK;
}

static int
by_code(const void *a, const void *b)
{
    return ax_str_cmp(((const struct ax_reason *)a)->code, ((const struct ax_reason *)b)->code);
}

ax_status
ax_reason_map_parse(struct ax_ctx *ctx, const struct ax_json *json, struct ax_reason_map *out_map)
{
    struct ax_reason_map map = {.version = 1, .language = AX_STR("en")};
    const struct ax_json *reasons;
    if (!json || ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "a reason map must be an object");
    AX_TRY(ax_json_may_text(ctx, json, "name", &map.name));
    AX_TRY(ax_json_may_i64(ctx, json, "version", &map.version));
    AX_TRY(ax_json_may_text(ctx, json, "language", &map.language));
    AX_TRY(ax_json_need_array(ctx, json, "reasons", &reasons));
    map.reason_count = ax_json_count(reasons);
    if (map.reason_count == 0 || map.reason_count > REASONS_IN_MAP_MAX)
        return ax_fail(ctx, AX_INVALID, "`reasons` must hold 1 to %d reasons, not %zu",
                       REASONS_IN_MAP_MAX, map.reason_count);
    map.reasons = AX_NEW_ARRAY(ctx->arena, struct ax_reason, map.reason_count);
    struct ax_map *seen = ax_map_new(ctx->arena);
    if (!map.reasons || !seen)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reason map");
    struct ax_json_iter it = ax_json_iter_of(reasons);
    while (ax_json_next(&it))
        AX_TRY(take_reason(ctx, it.value, &map.reasons[it.index], seen));
    qsort(map.reasons, map.reason_count, sizeof *map.reasons, by_code);
    for (size_t i = 1; i < map.reason_count; i++)
        if (ax_str_eq(map.reasons[i - 1].code, map.reasons[i].code))
            return ax_fail(ctx, AX_INVALID, "code %.*s occurs twice", AX_FMT(map.reasons[i].code));
    const struct ax_json *fallback = ax_json_find(json, "fallback");
    if (fallback)
        AX_TRY(take_reason(ctx, fallback, &map.fallback, NULL));
    *out_map = map;
    return AX_OK;
}

static bool
reason_has(const struct ax_reason *reason, ax_str feature)
{
    for (size_t i = 0; i < reason->feature_count; i++)
        if (ax_str_eq(reason->features[i], feature))
            return true;
    return false;
}

ax_status
ax_reason_map_compile(struct ax_ctx *ctx, const struct ax_reason_map *map, const ax_str *features,
                      size_t feature_count, struct ax_reason_index *out_index)
{
    uint16_t *reason_of = AX_NEW_ARRAY(ctx->arena, uint16_t, feature_count);
    if (!reason_of)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reason map");
    for (size_t f = 0; f < feature_count; f++) {
        size_t r = 0;
        while (r < map->reason_count && !reason_has(&map->reasons[r], features[f]))
            r++;
        if (r == map->reason_count)
            return ax_fail(ctx, AX_INVALID,
                           "reason map %.*s has no code for the feature `%.*s` of the model",
                           AX_FMT(map->name), AX_FMT(features[f]));
        reason_of[f] = (uint16_t)r;
    }
    *out_index = (struct ax_reason_index){map, reason_of, feature_count};
    return AX_OK;
}

/* Puts a reason in its place among the given ones; the last falls off when there are too many. */
static size_t
insert(struct ax_reason_given *given, size_t count, size_t max, struct ax_reason_given next)
{
    size_t at = count;
    while (at > 0 && given[at - 1].contribution < next.contribution)
        at--;
    if (at == max)
        return count;
    size_t last = count < max ? count : max - 1;
    for (size_t i = last; i > at; i--)
        given[i] = given[i - 1];
    given[at] = next;
    return last + 1;
}

size_t
ax_reasons_select(const struct ax_reason_index *index, const double *contributions,
                  size_t reasons_max, struct ax_reason_given out_given[AX_REASONS_MAX],
                  bool *out_blocked)
{
    AX_ASSERT(reasons_max >= 1 && reasons_max <= AX_REASONS_MAX);
    const struct ax_reason_map *map = index->map;
    double sums[REASONS_IN_MAP_MAX];
    memset(sums, 0, map->reason_count * sizeof *sums);
    for (size_t f = 0; f < index->feature_count; f++)
        sums[index->reason_of[f]] += contributions[f];
    size_t count = 0;
    for (size_t r = 0; r < map->reason_count; r++) /* in order of code: ties keep it */
        if (sums[r] > 0.0)
            count = insert(out_given, count, reasons_max,
                           (struct ax_reason_given){&map->reasons[r], sums[r]});
    *out_blocked = false;
    for (size_t i = 0; i < count; i++)
        *out_blocked |= !out_given[i].reason->disclose;
    return count;
}

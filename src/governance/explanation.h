/*
 * From contributions to reason codes in words: which features hurt, in the terms of the law.
 *
 * A reason map (docs/formats.md section 5) joins features to reasons, many to one; it is versioned
 * and approved. Compiled against a model's features it is an index; selecting reasons for a
 * decision is arithmetic without allocation. Nothing is dropped silently: a reason that may not
 * be disclosed blocks the release (R64).
 */
#pragma once

#include <stdint.h>

#include "codec/json.h"

enum { AX_REASONS_MAX = 4 };

struct ax_reason { /* one entry of a map */
    ax_str code;
    ax_str text;
    ax_str *features;
    size_t feature_count;
    bool disclose;
};

struct ax_reason_map {
    ax_str name;
    int64_t version;
    ax_str language;
    struct ax_reason *reasons; /* sorted by code */
    size_t reason_count;
    struct ax_reason fallback; /* for decisions that no model made; code "" when absent */
};

/*
 * In ctx->arena. Fails: INVALID: a member is wrong, a feature has two codes, a code occurs twice,
 * or a text uses a refused phrase (R63).
 */
ax_status ax_reason_map_parse(struct ax_ctx *ctx, const struct ax_json *json,
                              struct ax_reason_map *out_map);

/* A map laid over the features of one model. */
struct ax_reason_index {
    const struct ax_reason_map *map;
    const uint16_t *reason_of; /* per feature: which of map->reasons */
    size_t feature_count;
};

/*
 * Which reason each feature belongs to.
 *
 * map: kept. out_index: its array is in ctx->arena.
 * Fails: INVALID when a feature has no reason (no silent drop, R64).
 */
ax_status ax_reason_map_compile(struct ax_ctx *ctx, const struct ax_reason_map *map,
                                const ax_str *features, size_t feature_count,
                                struct ax_reason_index *out_index);

struct ax_reason_given {
    const struct ax_reason *reason;
    double contribution; /* margin units, towards the bad outcome; > 0 */
};

/*
 * The principal reasons: contributions summed by reason, adverse sign only, by size, ties by code.
 *
 * contributions: one a feature, margin space, positive towards the bad outcome.
 * out_blocked: a principal reason may not be disclosed: the decision must go to a person.
 * Returns how many of at most reasons_max (<= AX_REASONS_MAX) were given.
 * Source: 12 CFR 1002.9(b)(2) and its commentary; 15 USC 1681g(f)(1)(C).
 */
size_t ax_reasons_select(const struct ax_reason_index *index, const double *contributions,
                         size_t reasons_max, struct ax_reason_given out_given[AX_REASONS_MAX],
                         bool *out_blocked);

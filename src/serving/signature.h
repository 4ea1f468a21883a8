/*
 * What a model's inputs are: names, types, category tables, missing rule, domain.
 *
 * One table (docs/formats.md section 3) that training writes and serving reads, so the two cannot
 * differ. It turns a caller's named features into the row of numbers that an engine scores. It is
 * immutable and any thread may read it.
 */
#pragma once

#include <stdint.h>

#include "base/map.h"
#include "codec/json.h"

enum { AX_SIGNATURE_FEATURES_MAX = 65'536 };

enum ax_feature_kind { AX_FEATURE_NUMBER, AX_FEATURE_CATEGORY };

struct ax_signature_feature {
    ax_str name;
    enum ax_feature_kind kind;
    bool missing_accepted; /* null or absent becomes NaN */
    bool unknown_is_missing;
    double min, max; /* domain; -+INFINITY when none */
    ax_str *categories;
    size_t category_count;
    struct ax_map *category_index; /* category -> its slot in categories */
};

struct ax_signature {
    struct ax_signature_feature *features;
    size_t feature_count;
    ax_str *names;        /* of the features, in order */
    struct ax_map *index; /* name -> its slot in features */
    ax_str target;        /* "" when the file says none */
    ax_str positive;      /* the target's value that the response is the probability of */
    ax_str response;      /* "probability", "value" */
    ax_str answer;        /* what predict() of the library gives: "response"; "label", the class as
                             its number; "probabilities" of all classes; "outputs" of a graph */
};

/* In ctx->arena; the signature keeps slices of json's strings. Fails: INVALID, LIMIT. */
ax_status ax_signature_parse(struct ax_ctx *ctx, const struct ax_json *json,
                             struct ax_signature **out_signature);

/*
 * A signature for a bare file: numeric features, missing accepted, no domain. Of none, for a graph
 * of tensors that is no function of a table's rows.
 */
ax_status ax_signature_of_names(struct ax_ctx *ctx, const ax_str *names, size_t name_count,
                                struct ax_signature **out_signature);

/* The signature as the JSON object that ax_signature_parse reads. */
void ax_signature_print(const struct ax_signature *signature, struct ax_json_writer *json);

/*
 * Named features to the encoded row.
 *
 * features: an object of name -> number, string, or null.
 * out_row: feature_count values, NaN for missing.
 * Fails: INVALID: unknown, missing, wrong kind, unknown category; the sentence names the feature.
 */
ax_status ax_signature_encode(struct ax_ctx *ctx, const struct ax_signature *signature,
                              const struct ax_json *features, double *out_row);

/* One value from text (a CSV cell; "" is missing). Fails: INVALID. */
ax_status ax_signature_encode_text(struct ax_ctx *ctx, const struct ax_signature *signature,
                                   size_t feature, ax_str text, double *out_value);

/* The value in words again: a category's name, a number, "" for missing. */
void ax_signature_decode(const struct ax_signature *signature, size_t feature, double value,
                         struct ax_json_writer *json);

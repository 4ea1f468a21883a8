#include "dataops/data_versioning.h"

#include <math.h>

#include "codec/json.h"
#include "numeric/random.h"

enum { MANIFEST_BYTES_MAX = 16 << 20, SPLIT_STREAM = 0x5b117, PART_COUNT = 3 };

static const char *const role_words[] = {
    [AX_SCHEMA_FEATURE] = "feature",
    [AX_SCHEMA_TARGET] = "target",
    [AX_SCHEMA_PROTECTED] = "protected",
    [AX_SCHEMA_IGNORED] = "ignored",
    [AX_SCHEMA_KEY] = "key",
};

static void
write_profile(struct ax_json_writer *json, const struct ax_ingestion_profile *profile)
{
    bool number = profile->kind == AX_FRAME_NUMBER;
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", profile->name);
    ax_json_member_text(json, "role", ax_str_of(role_words[profile->role]));
    if (profile->role == AX_SCHEMA_FEATURE) { /* of protected columns nothing but the name */
        ax_json_member_text(json, "type", number ? AX_STR("number") : AX_STR("category"));
        ax_json_member_i64(json, "missing", (int64_t)profile->missing);
        ax_json_member_i64(json, "distinct", (int64_t)profile->distinct);
        if (isfinite(profile->min)) {
            ax_json_member_f64(json, "min", profile->min);
            ax_json_member_f64(json, "max", profile->max);
            ax_json_member_f64(json, "mean", profile->mean);
        }
    }
    ax_json_end_object(json);
}

static void
write_manifest(struct ax_json_writer *json, const struct ax_batch *batch, ax_str schema,
               ax_str features)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_json_begin_object(json);
    ax_json_member_i64(json, "axiom_dataset", 1);
    ax_json_member_text(json, "name", batch->schema.name);
    ax_json_member_i64(json, "rows", (int64_t)batch->features.row_count);
    ax_json_member_i64(json, "positive", (int64_t)batch->positive_count);
    ax_json_key(json, "columns");
    ax_json_begin_array(json);
    for (size_t i = 0; i < batch->profile_count; i++)
        write_profile(json, &batch->profiles[i]);
    ax_json_end_array(json);
    ax_json_key(json, "schema");
    ax_json_put_raw(json, schema);
    ax_json_key(json, "data");
    ax_json_begin_object(json);
    ax_json_member_text(json, "digest", ax_digest_hex(ax_sha256(features), hex));
    ax_json_member_i64(json, "bytes", (int64_t)features.len);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

ax_status
ax_data_version_of(struct ax_ctx *ctx, const struct ax_batch *batch,
                   struct ax_data_version *out_version)
{
    struct ax_data_version version = {};
    ax_str schema = {};
    const struct ax_json *tree = NULL;
    AX_TRY(ax_frame_encode(ctx, &batch->features, &version.features));
    AX_TRY(ax_schema_format(ctx, &batch->schema, &schema));
    ax_writer_auto struct ax_writer text = ax_writer_of(MANIFEST_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    write_manifest(&json, batch, schema, version.features);
    if (text.status != AX_OK)
        return ax_fail(ctx, text.status, "the dataset's manifest is too large");
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &tree));
    AX_TRY(ax_json_canonical(ctx, tree, &version.manifest));
    version.digest = ax_sha256(version.manifest);
    *out_version = version;
    return AX_OK;
}

ax_status
ax_data_version_read(struct ax_ctx *ctx, ax_str manifest, ax_str features,
                     struct ax_frame *out_features)
{
    const struct ax_json *json = NULL, *data = NULL;
    ax_str hex = {};
    ax_digest digest;
    int64_t version = 0;
    AX_TRY(ax_json_parse(ctx, manifest, NULL, &json));
    AX_TRY(ax_json_need_i64(ctx, json, "axiom_dataset", &version));
    AX_TRY(ax_json_need_object(ctx, json, "data", &data));
    AX_TRY(ax_json_need_text(ctx, data, "digest", &hex));
    if (version != 1 || !ax_digest_parse(hex, &digest))
        return ax_fail(ctx, AX_INVALID, "the dataset's manifest is of no known form");
    if (!ax_digest_eq(digest, ax_sha256(features)))
        return ax_fail(ctx, AX_CORRUPT, "the dataset's rows are not those of its manifest");
    return ax_frame_decode(ctx, features, out_features);
}

ax_status
ax_data_version_schema(struct ax_ctx *ctx, ax_str manifest, struct ax_schema *out_schema)
{
    const struct ax_json *json = NULL, *schema = NULL;
    ax_str text = {};
    AX_TRY(ax_json_parse(ctx, manifest, NULL, &json));
    AX_TRY(ax_json_need_object(ctx, json, "schema", &schema));
    AX_TRY(ax_json_canonical(ctx, schema, &text));
    return ax_schema_parse(ctx, text, out_schema);
}

/* ---- splits ---- */

/* Which part each row is in: 0 train, 1 validation, 2 held out. */
static ax_status
assign_parts(struct ax_ctx *ctx, const struct ax_frame *features,
             const struct ax_data_shares *shares, uint8_t *out_part)
{
    uint32_t *rows = AX_NEW_ARRAY(ctx->arena, uint32_t, features->row_count + 1);
    if (!rows)
        return ax_fail(ctx, AX_LIMIT, "no memory for a split of %zu rows", features->row_count);
    for (uint8_t label = 0; label <= 1; label++) {
        size_t count = 0;
        for (size_t r = 0; r < features->row_count; r++) {
            if (features->labels[r] == label)
                rows[count++] = (uint32_t)r;
        }
        struct ax_random random = ax_random_of(shares->seed, SPLIT_STREAM + label);
        ax_random_shuffle(&random, rows, count);
        size_t train = (size_t)floor((double)count * shares->train + 0.5);
        size_t validation = (size_t)floor((double)count * shares->validation + 0.5);
        if (train == 0 || validation == 0 || train + validation >= count)
            return ax_fail(ctx, AX_INVALID,
                           "%zu rows of class %d cannot be split: a part would have none", count,
                           label);
        for (size_t i = 0; i < count; i++)
            out_part[rows[i]] = i < train ? 0 : i < train + validation ? 1 : 2;
    }
    return AX_OK;
}

ax_status
ax_data_version_split(struct ax_ctx *ctx, const struct ax_frame *features,
                      const struct ax_data_shares *shares, struct ax_data_split *out_split)
{
    if (!(shares->train > 0 && shares->validation > 0 && shares->train + shares->validation < 1))
        return ax_fail(ctx, AX_INVALID,
                       "shares of training and validation must be above 0 and "
                       "together below 1");
    if (!features->labels || features->row_count >= UINT32_MAX)
        return ax_fail(ctx, AX_INVALID, "a split needs rows with labels");
    uint8_t *part = AX_NEW_ARRAY(ctx->arena, uint8_t, features->row_count + 1);
    uint32_t *rows = AX_NEW_ARRAY(ctx->arena, uint32_t, features->row_count + 1);
    if (!part || !rows)
        return ax_fail(ctx, AX_LIMIT, "no memory for a split of %zu rows", features->row_count);
    AX_TRY(assign_parts(ctx, features, shares, part));
    struct ax_data_split split = {};
    struct ax_frame *const parts[PART_COUNT] = {&split.train, &split.validation, &split.held_out};
    for (int p = 0; p < PART_COUNT; p++) {
        size_t count = 0;
        for (size_t r = 0; r < features->row_count; r++) {
            if (part[r] == p)
                rows[count++] = (uint32_t)r;
        }
        AX_TRY(ax_frame_take(ctx, features, rows, count, parts[p]));
    }
    *out_split = split;
    return AX_OK;
}

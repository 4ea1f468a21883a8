#include "serving/bundle.h"

#include "codec/text.h"
#include "engine/engine.h"

enum { CONTAINER_DEPTH_MAX = 16 };

static const struct ax_json_limits limits = {.depth_max = CONTAINER_DEPTH_MAX};

const char *
ax_bundle_file_name(enum ax_bundle_file file)
{
    static const char *const names[AX_BUNDLE_FILES] = {
        [AX_BUNDLE_MODEL] = "model",
        [AX_BUNDLE_REFERENCE] = "reference",
        [AX_BUNDLE_SELF_TEST] = "self_test",
    };
    return names[file];
}

bool
ax_bundle_is_container(ax_str bytes)
{
    static const size_t head_bytes = 64;
    ax_str head = {bytes.at, bytes.len < head_bytes ? bytes.len : head_bytes};
    ax_str trimmed = ax_str_trim(head);
    return trimmed.len > 0 && trimmed.at[0] == '{' &&
           ax_str_find(head, AX_STR("\"axiom_bundle\"")) != SIZE_MAX;
}

static ax_status
take_file(struct ax_ctx *ctx, const struct ax_json *manifest, enum ax_bundle_file file,
          struct ax_bundle *bundle)
{
    const char *name = ax_bundle_file_name(file);
    const struct ax_json *described = ax_json_find(manifest, name);
    ax_str hex;
    if (!described && file != AX_BUNDLE_MODEL)
        return AX_OK;
    AX_TRY(ax_json_need_object(ctx, manifest, name, &described));
    AX_TRY(ax_json_need_text(ctx, described, "digest", &hex));
    if (!ax_digest_parse(hex, &bundle->digests[file]))
        return ax_fail(ctx, AX_INVALID, "manifest, `%s.digest` must be 64 hex digits", name);
    if (file == AX_BUNDLE_MODEL)
        AX_TRY(ax_json_may_text(ctx, described, "format", &bundle->format));
    bundle->present[file] = true;
    return AX_OK;
}

static ax_status
take_manifest(struct ax_ctx *ctx, const struct ax_json *manifest, struct ax_bundle *out)
{
    int64_t form = 0;
    struct ax_bundle bundle = {.json = manifest};
    AX_TRY(ax_json_need_i64(ctx, manifest, "axiom_bundle", &form));
    if (form != 1)
        return ax_fail(ctx, AX_UNSUPPORTED, "manifest of form %lld; this program reads form 1",
                       (long long)form);
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++)
        AX_TRY(take_file(ctx, manifest, file, &bundle));
    const struct ax_json *signature;
    AX_TRY(ax_json_need_object(ctx, manifest, "signature", &signature));
    AX_TRY(ax_json_canonical(ctx, manifest, &bundle.manifest));
    bundle.digest = ax_sha256(bundle.manifest);
    *out = bundle;
    return AX_OK;
}

ax_status
ax_bundle_read_manifest(struct ax_ctx *ctx, ax_str manifest, struct ax_bundle *out_bundle)
{
    const struct ax_json *json;
    ax_status status = ax_json_parse(ctx, manifest, &limits, &json);
    if (status != AX_OK)
        return ax_explain(ctx, status, "manifest");
    return take_manifest(ctx, json, out_bundle);
}

static ax_status
take_bytes(struct ax_ctx *ctx, const struct ax_json *files, enum ax_bundle_file file,
           struct ax_bundle *bundle)
{
    const char *name = ax_bundle_file_name(file);
    ax_str base64;
    AX_TRY(ax_json_need_text(ctx, files, name, &base64));
    ax_status status = ax_base64_decode(ctx, base64, &bundle->files[file]);
    if (status != AX_OK)
        return ax_explain(ctx, status, "bundle, file `%s`", name);
    if (!ax_digest_eq(ax_sha256(bundle->files[file]), bundle->digests[file]))
        return ax_fail(ctx, AX_CORRUPT, "bundle, file `%s` has another digest than its manifest",
                       name);
    return AX_OK;
}

ax_status
ax_bundle_read(struct ax_ctx *ctx, ax_str container, struct ax_bundle *out_bundle)
{
    const struct ax_json *json, *manifest, *files;
    struct ax_bundle bundle;
    AX_TRY(ax_json_parse(ctx, container, &limits, &json));
    AX_TRY(ax_json_need_object(ctx, json, "manifest", &manifest));
    AX_TRY(ax_json_need_object(ctx, json, "files", &files));
    AX_TRY(take_manifest(ctx, manifest, &bundle));
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++)
        if (bundle.present[file])
            AX_TRY(take_bytes(ctx, files, file, &bundle));
    *out_bundle = bundle;
    return AX_OK;
}

static size_t
row_count(ax_str csv)
{
    size_t lines = 0;
    for (size_t i = 0; i < csv.len; i++)
        lines += csv.at[i] == '\n';
    return lines ? lines - 1 : 0;
}

static void
print_file(const struct ax_bundle_parts *parts, enum ax_bundle_file file,
           struct ax_json_writer *json)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str bytes = parts->files[file];
    ax_json_key(json, ax_bundle_file_name(file));
    ax_json_begin_object(json);
    ax_json_member_text(json, "digest", ax_digest_hex(ax_sha256(bytes), hex));
    if (file == AX_BUNDLE_MODEL) {
        ax_json_member_i64(json, "bytes", (int64_t)bytes.len);
        ax_json_member_text(json, "format", parts->format);
        ax_json_member_text(json, "library", parts->library);
    } else {
        ax_json_member_i64(json, "rows", (int64_t)row_count(bytes));
    }
    if (file == AX_BUNDLE_REFERENCE)
        ax_json_member_text(json, "method", parts->reference_method);
    ax_json_end_object(json);
}

static void
print_object(struct ax_json_writer *json, const char *key, ax_str object)
{
    if (object.len == 0)
        return;
    ax_json_key(json, key);
    ax_json_put_raw(json, object);
}

ax_status
ax_bundle_make(struct ax_ctx *ctx, const struct ax_bundle_parts *parts,
               struct ax_bundle *out_bundle)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_SIGNATURE_FEATURES_MAX * 4096ull);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_bundle", 1);
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++)
        if (parts->files[file].len)
            print_file(parts, file, &json);
    ax_json_key(&json, "signature");
    ax_signature_print(parts->signature, &json);
    print_object(&json, "lineage", parts->lineage);
    print_object(&json, "metrics", parts->metrics);
    ax_json_member_text(&json, "description", parts->description);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a manifest");
    struct ax_bundle bundle;
    AX_TRY(ax_bundle_read_manifest(ctx, ax_writer_str(&text), &bundle));
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++)
        bundle.files[file] = parts->files[file];
    *out_bundle = bundle;
    return AX_OK;
}

/* Names, category tables and missing rules as the file itself says them; they outlive the engine.
 */
static ax_status
signature_of_engine(struct ax_ctx *ctx, const struct ax_engine_signature *from,
                    struct ax_signature **out)
{
    ax_str *names = AX_NEW_ARRAY(ctx->arena, ax_str, from->feature_count);
    struct ax_signature *signature;
    if (!names)
        return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
    for (size_t i = 0; i < from->feature_count; i++)
        if (!ax_str_copy(ctx->arena, from->features[i].name, &names[i]))
            return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
    AX_TRY(ax_signature_of_names(ctx, names, from->feature_count, &signature));
    for (size_t i = 0; i < from->feature_count; i++) {
        const struct ax_engine_feature *feature = &from->features[i];
        struct ax_signature_feature *to = &signature->features[i];
        to->missing_accepted = feature->missing != AX_ENGINE_REFUSED;
        if (feature->category_count == 0)
            continue;
        to->kind = AX_FEATURE_CATEGORY;
        to->unknown_is_missing = feature->other == AX_ENGINE_MISSING;
        to->category_count = feature->category_count;
        to->categories = AX_NEW_ARRAY(ctx->arena, ax_str, feature->category_count);
        to->category_index = ax_map_new(ctx->arena);
        if (!to->categories || !to->category_index)
            return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
        for (size_t c = 0; c < to->category_count; c++) {
            if (!ax_str_copy(ctx->arena, feature->categories[c], &to->categories[c]) ||
                !ax_map_put(to->category_index, to->categories[c], &to->categories[c]))
                return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
        }
    }
    *out = signature;
    return AX_OK;
}

ax_status
ax_bundle_describe(struct ax_ctx *ctx, ax_str model, struct ax_bundle_parts *out_parts,
                   struct ax_signature **out_signature)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    struct ax_signature *signature = NULL;
    struct ax_bundle_parts parts = {.files[AX_BUNDLE_MODEL] = model};
    AX_TRY(ax_engine_open(ctx, model, NULL, &engine));
    const struct ax_engine_signature *from = ax_engine_signature(engine);
    AX_TRY(signature_of_engine(ctx, from, &signature));
    if (!ax_str_copy(ctx->arena, from->format, &parts.format) ||
        !ax_str_copy(ctx->arena, from->version, &parts.library))
        return ax_fail(ctx, AX_LIMIT, "no memory for a bundle");
    parts.signature = *out_signature = signature;
    *out_parts = parts;
    return AX_OK;
}

ax_status
ax_bundle_of_model(struct ax_ctx *ctx, ax_str model, struct ax_bundle *out_bundle)
{
    struct ax_signature *signature;
    struct ax_bundle_parts parts;
    AX_TRY(ax_bundle_describe(ctx, model, &parts, &signature));
    return ax_bundle_make(ctx, &parts, out_bundle);
}

ax_status
ax_bundle_write(struct ax_ctx *ctx, const struct ax_bundle *bundle, ax_str *out_container)
{
    size_t bytes_max = bundle->manifest.len + 1024;
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++)
        bytes_max += bundle->files[file].len * 2 + 64;
    ax_writer_auto struct ax_writer text = ax_writer_of(bytes_max);
    ax_writer_auto struct ax_writer base64 = ax_writer_of(bytes_max);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_bundle", 1);
    ax_json_key(&json, "manifest");
    ax_json_put_raw(&json, bundle->manifest);
    ax_json_key(&json, "files");
    ax_json_begin_object(&json);
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++) {
        if (!bundle->present[file])
            continue;
        ax_writer_clear(&base64);
        ax_base64_encode(bundle->files[file], &base64);
        ax_json_member_text(&json, ax_bundle_file_name(file), ax_writer_str(&base64));
    }
    ax_json_end_object(&json);
    ax_json_end_object(&json);
    if (base64.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a bundle");
    if (ax_writer_take(&text, ctx->arena, out_container) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a bundle");
    return AX_OK;
}

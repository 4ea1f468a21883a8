#include "dataops/protected_store.h"

#include "base/map.h"
#include "sys/crypto_key_file.h"
#include "sys/file.h"

static const size_t STORE_BYTES_MAX = (size_t)1 << 30;
#define MAGIC AX_STR("axiom protected attributes 1\n")

/* What is authenticated beside the rows: the form, and which dataset they belong to. */
static ax_status
bound_text(struct ax_ctx *ctx, const struct ax_protected_place *place, ax_str *out_text)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str dataset = ax_digest_hex(place->dataset, hex);
    *out_text = ax_str_printf(ctx->arena, "%.*s%.*s", AX_FMT(MAGIC), AX_FMT(dataset));
    return out_text->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for the protected store");
}

/* ---- the store ---- */

static ax_status
seal_and_write(struct ax_ctx *ctx, const struct ax_protected_place *place, ax_str plain,
               const uint8_t key[AX_KEY_BYTES])
{
    ax_str bound = {};
    AX_TRY(bound_text(ctx, place, &bound));
    size_t sealed_bytes = plain.len + AX_SEAL_OVERHEAD_BYTES;
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, MAGIC.len + sealed_bytes);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "no memory for the protected store");
    memcpy(bytes, MAGIC.at, MAGIC.len);
    ax_seal(key, bound, plain, bytes + MAGIC.len);
    return ax_file_write_atomic(ctx, place->path, (ax_str){bytes, MAGIC.len + sealed_bytes});
}

ax_status
ax_protected_store_write(struct ax_ctx *ctx, const struct ax_protected_place *place,
                         const struct ax_frame *attributes)
{
    ax_str plain = {};
    uint8_t key[AX_KEY_BYTES];
    AX_TRY(ax_frame_encode(ctx, attributes, &plain));
    ax_status status = ax_crypto_key_file_need(ctx, place->key_path, key);
    if (status != AX_OK)
        status = ax_explain(ctx, status, "the key of the protected attributes");
    else
        status = seal_and_write(ctx, place, plain, key);
    ax_crypto_wipe(key, sizeof key);
    ax_crypto_wipe((char *)(uintptr_t)plain.at, plain.len);
    return status;
}

static ax_status
unseal(struct ax_ctx *ctx, const struct ax_protected_place *place, ax_str bytes,
       const uint8_t key[AX_KEY_BYTES], struct ax_frame *out_attributes)
{
    ax_str bound = {}, sealed = ax_str_from(bytes, MAGIC.len);
    AX_TRY(bound_text(ctx, place, &bound));
    if (!ax_str_starts(bytes, MAGIC) || sealed.len < AX_SEAL_OVERHEAD_BYTES)
        return ax_fail(ctx, AX_CORRUPT, "it does not begin as a protected store does");
    size_t plain_bytes = sealed.len - AX_SEAL_OVERHEAD_BYTES;
    char *plain = AX_NEW_ARRAY(ctx->arena, char, plain_bytes + 1);
    if (!plain)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu bytes", plain_bytes);
    if (ax_unseal(key, bound, sealed, plain) != AX_OK)
        return ax_fail(ctx, AX_CORRUPT,
                       "it was changed, or belongs to another dataset or another key");
    return ax_frame_decode(ctx, (ax_str){plain, plain_bytes}, out_attributes);
}

ax_status
ax_protected_store_read(struct ax_ctx *ctx, const struct ax_protected_place *place,
                        struct ax_frame *out_attributes)
{
    if (!ctx->actor || !(ctx->actor->roles & AX_ROLE_BIT(FAIRNESS)))
        return ax_fail(ctx, AX_DENIED, "protected attributes are for the fairness job alone");
    uint8_t key[AX_KEY_BYTES];
    ax_str bytes = {};
    AX_TRY(ax_crypto_key_file_read(ctx, place->key_path, key));
    ax_status status = ax_file_read_all(ctx, place->path, STORE_BYTES_MAX, &bytes);
    if (status == AX_OK) {
        status = unseal(ctx, place, bytes, key, out_attributes);
        if (status != AX_OK)
            ax_ignore(ax_explain(ctx, status, "%.*s", AX_FMT(place->path)), "passed on below");
    }
    ax_crypto_wipe(key, sizeof key);
    return status;
}

ax_status
ax_protected_store_join(struct ax_ctx *ctx, const struct ax_frame *attributes,
                        const uint64_t *row_ids, size_t row_count, struct ax_frame *out_attributes)
{
    struct ax_map *places = ax_map_new(ctx->arena);
    uint32_t *rows = AX_NEW_ARRAY(ctx->arena, uint32_t, row_count + 1);
    if (!places || !rows || attributes->row_count >= UINT32_MAX)
        return ax_fail(ctx, AX_LIMIT, "no memory to join %zu rows", row_count);
    for (size_t i = 0; i < attributes->row_count; i++) {
        ax_str id = {(const char *)&attributes->row_ids[i], sizeof(uint64_t)};
        if (!ax_map_put(places, id, (void *)(uintptr_t)(i + 1)))
            return ax_fail(ctx, AX_LIMIT, "no memory to join %zu rows", row_count);
    }
    for (size_t i = 0; i < row_count; i++) {
        ax_str id = {(const char *)&row_ids[i], sizeof(uint64_t)};
        uintptr_t place = (uintptr_t)ax_map_find(places, id);
        if (place == 0)
            return ax_fail(ctx, AX_INVALID, "row %llu has no protected attributes",
                           (unsigned long long)row_ids[i]);
        rows[i] = (uint32_t)(place - 1);
    }
    return ax_frame_take(ctx, attributes, rows, row_count, out_attributes);
}

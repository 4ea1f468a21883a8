#include "sys/crypto_key_file.h"

#include "sys/file.h"

enum { KEY_FILE_BYTES_MAX = 256 };

/* Written whole beside its place and then linked there: nobody ever reads half a key. */
static ax_status
write_new_key(struct ax_ctx *ctx, ax_str path)
{
    ax_digest name = {}, key = {};
    char text[AX_DIGEST_HEX_BYTES + 1];
    ax_random_bytes(name.bytes, sizeof name.bytes);
    ax_digest_hex(name, text);
    ax_str beside = ax_str_printf(ctx->arena, "%.*s.%.16s", AX_FMT(path), text);
    if (!beside.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key");
    ax_random_bytes(key.bytes, sizeof key.bytes);
    ax_digest_hex(key, text);
    text[AX_DIGEST_HEX_BYTES] = '\n';
    ax_status status = ax_file_write_atomic(ctx, beside, (ax_str){text, sizeof text});
    ax_crypto_wipe(&key, sizeof key);
    ax_crypto_wipe(text, sizeof text);
    AX_TRY(status);
    status = ax_file_link(ctx, beside, path);
    ax_status removed = ax_file_remove(ctx, beside);
    if (status == AX_CONFLICT)
        status = AX_OK; /* another was first, and its key is the key */
    return status != AX_OK ? status : removed;
}

ax_status
ax_crypto_key_file_need(struct ax_ctx *ctx, ax_str path, uint8_t out_key[AX_KEY_BYTES])
{
    if (!ax_file_exists(path)) {
        AX_TRY(ax_file_make_folders(ctx, ax_path_folder(path)));
        ax_status status = write_new_key(ctx, path);
        if (status != AX_OK)
            return ax_explain(ctx, status, "make %.*s", AX_FMT(path));
        AX_TRY(ax_file_sync_folder(ctx, ax_path_folder(path)));
    }
    return ax_crypto_key_file_read(ctx, path, out_key);
}

ax_status
ax_crypto_key_file_read(struct ax_ctx *ctx, ax_str path, uint8_t out_key[AX_KEY_BYTES])
{
    ax_str text = {};
    ax_digest key;
    AX_TRY(ax_file_read_all(ctx, path, KEY_FILE_BYTES_MAX, &text));
    bool sound = ax_digest_parse(ax_str_trim(text), &key);
    if (sound)
        memcpy(out_key, key.bytes, AX_KEY_BYTES);
    ax_crypto_wipe((char *)(uintptr_t)text.at, text.len);
    ax_crypto_wipe(&key, sizeof key);
    if (!sound)
        return ax_fail(ctx, AX_INVALID, "%.*s is no key: 64 hex digits are expected", AX_FMT(path));
    return AX_OK;
}

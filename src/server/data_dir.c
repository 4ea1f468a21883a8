#include "server/data_dir.h"

#include "event/checkpoint.h"
#include "event/vault.h"

enum { KEY_FILE_BYTES_MAX = 4096, SETTINGS_BYTES_MAX = 1 << 20 };

ax_status
ax_data_dir_of(struct ax_ctx *ctx, ax_str root, ax_str keys, struct ax_data_dir *out_dir)
{
    struct ax_data_dir *dir = out_dir;
    struct ax_arena *arena = ctx->arena;
    while (root.len > 1 && root.at[root.len - 1] == '/')
        root.len--;
    if (!keys.len)
        keys = ax_str_printf(arena, "%.*s.keys", AX_FMT(root));
    *dir = (struct ax_data_dir){.root = root, .keys = keys, .lock = {-1}};
    const struct {
        ax_str *place;
        ax_str folder;
        const char *name;
    } names[] = {
        {&dir->settings, root, "axiom.yaml"},
        {&dir->development, root, "DEVELOPMENT"},
        {&dir->artifacts, root, "artifacts"},
        {&dir->store, root, "store.db"},
        {&dir->blobs, root, "blobs"},
        {&dir->ledger, root, "ledger"},
        {&dir->vault, keys, "vault"},
        {&dir->index, root, "index"},
        {&dir->protected, root, "protected"},
        {&dir->serving, root, "serving"},
        {&dir->latches, root, "serving/latches.json"},
        {&dir->directory_cache, root, "serving/directory.json"},
        {&dir->scratch, root, "scratch"},
        {&dir->ledger_key, keys, "ledger.key"},
        {&dir->ledger_vkey, keys, "ledger.vkey"},
        {&dir->vault_key, keys, "vault.key"},
        {&dir->protected_key, keys, "protected.key"},
        {&dir->webhook_key, keys, "webhook.key"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        *names[i].place = ax_path_join(arena, names[i].folder, ax_str_of(names[i].name));
        if (!names[i].place->at || !keys.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for the names of a data directory");
    }
    return AX_OK;
}

/* ---- making ---- */

static ax_status
check_empty(struct ax_ctx *ctx, ax_str folder)
{
    ax_str *names;
    size_t count = 0;
    if (!ax_file_exists(folder))
        return AX_OK;
    AX_TRY(ax_file_list(ctx, folder, &names, &count));
    if (count > 0)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is there and not empty: it holds %.*s",
                       AX_FMT(folder), AX_FMT(names[0]));
    return AX_OK;
}

static ax_status
write_ledger_key(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str origin)
{
    uint8_t seed[AX_KEY_BYTES], public_key[AX_PUBLIC_KEY_BYTES];
    ax_digest as_digest;
    char hex[AX_DIGEST_HEX_BYTES + 2];
    ax_str vkey, line;
    ax_ed25519_keypair(seed, public_key);
    struct ax_checkpoint_key key = ax_checkpoint_key_of(origin, AX_CHECKPOINT_ED25519, public_key);
    memcpy(as_digest.bytes, seed, sizeof seed);
    ax_digest_hex(as_digest, hex);
    hex[AX_DIGEST_HEX_BYTES] = '\n';
    ax_status status =
        ax_file_write_atomic(ctx, dir->ledger_key, (ax_str){hex, AX_DIGEST_HEX_BYTES + 1});
    ax_crypto_wipe(seed, sizeof seed);
    ax_crypto_wipe(&as_digest, sizeof as_digest);
    ax_crypto_wipe(hex, sizeof hex);
    AX_TRY(status);
    AX_TRY(ax_checkpoint_vkey_format(ctx, &key, &vkey));
    line = ax_str_printf(ctx->arena, "%.*s\n", AX_FMT(vkey));
    if (!line.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key");
    return ax_file_write_atomic(ctx, dir->ledger_vkey, line);
}

static ax_status
make_all(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str origin)
{
    const ax_str folders[] = {dir->root, dir->blobs,     dir->ledger,  dir->vault,  dir->index,
                              dir->keys, dir->protected, dir->serving, dir->scratch};
    for (size_t i = 0; i < AX_COUNT_OF(folders); i++)
        AX_TRY(ax_file_make_folders(ctx, folders[i]));
    AX_TRY(write_ledger_key(ctx, dir, origin));
    AX_TRY(ax_vault_make_kek(ctx, dir->vault_key));
    ax_str text = ax_str_printf(ctx->arena,
                                "# What differs from the defaults: docs/settings.md\n"
                                "server:\n  origin: %.*s\n  keys: %.*s\n",
                                AX_FMT(origin), AX_FMT(dir->keys));
    if (!text.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for settings");
    return ax_file_write_atomic(ctx, dir->settings, text); /* last: it says that all is there */
}

ax_status
ax_data_dir_make(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str origin)
{
    if (!ax_checkpoint_name_ok(origin))
        return ax_fail(ctx, AX_INVALID,
                       "\"%.*s\" cannot name a ledger: no white space and no '+' may be in it",
                       AX_FMT(origin));
    AX_TRY(check_empty(ctx, dir->root));
    AX_TRY(check_empty(ctx, dir->keys));
    ax_status status = make_all(ctx, dir, origin);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove_tree(ctx, dir->root), "what could be made is taken away again");
        ax_ignore(ax_file_remove_tree(ctx, dir->keys), "as above");
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

ax_status
ax_data_dir_set_store(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str url)
{
    struct ax_server_settings settings;
    ax_str text;
    ax_server_settings_defaults(&settings);
    AX_TRY(ax_server_settings_set(ctx, &settings, AX_STR("store.url"), url));
    AX_TRY(ax_file_read_all(ctx, dir->settings, SETTINGS_BYTES_MAX, &text));
    text = ax_str_printf(ctx->arena, "%.*s\nstore.url: \"%.*s\"\n", AX_FMT(text), AX_FMT(url));
    if (!text.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for settings");
    return ax_file_write_atomic(ctx, dir->settings, text); /* what stands last holds */
}

/* ---- without credentials ---- */

bool
ax_data_dir_is_development(struct ax_ctx *ctx, const struct ax_data_dir *dir)
{
    bool fresh = !ax_file_exists(dir->root) || check_empty(ctx, dir->root) == AX_OK;
    ctx->error[0] = '\0';
    return fresh || (ax_file_exists(dir->development) && !ax_file_exists(dir->settings));
}

ax_status
ax_data_dir_make_development(struct ax_ctx *ctx, const struct ax_data_dir *dir)
{
    static const char words[] =
        "This folder was made by `axiom serve --data-dir` for development: there are no\n"
        "credentials and no records in it. `axiom init` makes one that is governed.\n";
    if (ax_file_exists(dir->development))
        return AX_OK;
    AX_TRY(ax_file_make_folders(ctx, dir->blobs));
    AX_TRY(ax_file_make_folders(ctx, dir->artifacts));
    return ax_file_write_atomic(ctx, dir->development, ax_str_of(words));
}

/* ---- holding ---- */

ax_status
ax_data_dir_hold(struct ax_ctx *ctx, struct ax_data_dir *dir)
{
    if (!ax_file_exists(dir->settings) && !ax_file_exists(dir->development))
        return ax_fail(ctx, AX_NOT_FOUND,
                       "%.*s is no data directory (it has no axiom.yaml); axiom init makes one",
                       AX_FMT(dir->root));
    ax_str path = ax_path_join(ctx->arena, dir->root, AX_STR("lock"));
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &dir->lock));
    ax_status status = ax_file_lock(ctx, dir->lock);
    if (status == AX_OK)
        return AX_OK;
    ax_file_close(&dir->lock);
    if (status == AX_CONFLICT)
        return ax_fail(ctx, AX_CONFLICT, "another server runs on %.*s", AX_FMT(dir->root));
    return status;
}

void
ax_data_dir_release(struct ax_data_dir *dir)
{
    if (dir->lock.fd >= 0)
        ax_file_close(&dir->lock);
}

ax_status
ax_data_dir_ledger_seed(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                        uint8_t out_seed[AX_KEY_BYTES])
{
    ax_str text;
    ax_digest seed;
    AX_TRY(ax_file_read_all(ctx, dir->ledger_key, KEY_FILE_BYTES_MAX, &text));
    if (!ax_digest_parse(ax_str_trim(text), &seed))
        return ax_fail(ctx, AX_CORRUPT, "%.*s must hold 64 hex digits", AX_FMT(dir->ledger_key));
    memcpy(out_seed, seed.bytes, AX_KEY_BYTES);
    ax_crypto_wipe(&seed, sizeof seed);
    return AX_OK;
}

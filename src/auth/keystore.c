#include "auth/keystore.h"

#include <sys/stat.h>

#include "base/assert.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

enum {
    FILE_BYTES_MAX = 512,
    SALT_BYTES = 16,
    SEALED_BYTES = AX_KEY_BYTES + AX_SEAL_OVERHEAD_BYTES,
    OTHERS_MAY = 077,
};

#define FIRST_LINE "axiom key v1"
#define file_auto  [[gnu::cleanup(ax_file_close)]]

/* ---- the five lines ---- */

static bool
take_salt(ax_str line, struct ax_keystore_file *file)
{
    ax_digest padded; /* hex reads 32 bytes at a time: the salt twice */
    char hex[AX_DIGEST_HEX_BYTES];
    if (line.len != 2 * SALT_BYTES)
        return false;
    memcpy(hex, line.at, line.len);
    memcpy(hex + line.len, line.at, line.len);
    if (!ax_digest_parse((ax_str){hex, sizeof hex}, &padded))
        return false;
    memcpy(file->salt, padded.bytes, sizeof file->salt);
    return true;
}

static bool
take_lines(struct ax_ctx *ctx, ax_str text, struct ax_keystore_file *file)
{
    ax_str rest = text, lines[5] = {}, end = {};
    for (size_t i = 0; i < AX_COUNT_OF(lines); i++)
        if (!ax_str_cut(&rest, '\n', &lines[i]))
            return false;
    if (!ax_str_cut(&rest, '\n', &end) || end.len || rest.at)
        return false;
    if (!ax_str_eq(lines[0], AX_STR(FIRST_LINE)) ||
        ax_signing_key_parse(ctx, lines[2], file->key.public_key) != AX_OK)
        return false;
    ax_signing_key_id(file->key.public_key, file->key.id);
    file->key.sealed = !ax_str_eq(lines[3], AX_STR("plain"));
    file->secret = lines[4];
    if (!ax_str_eq(lines[1], ax_str_of(file->key.id)) ||
        file->secret.len != 2 * (size_t)(file->key.sealed ? SEALED_BYTES : AX_KEY_BYTES))
        return false;
    return !file->key.sealed || (ax_str_starts(lines[3], AX_STR("argon2id ")) &&
                                 take_salt(ax_str_from(lines[3], sizeof "argon2id " - 1), file));
}

ax_status
ax_keystore_parse(struct ax_ctx *ctx, ax_str text, struct ax_keystore_file *out_file)
{
    struct ax_keystore_file file = {};
    if (!take_lines(ctx, text, &file))
        return ax_fail(ctx, AX_CORRUPT, "this is no key file that was written by axiom");
    *out_file = file;
    return AX_OK;
}

static ax_status
format(struct ax_ctx *ctx, const struct ax_keystore_key *key, ax_str passphrase,
       struct ax_writer *out)
{
    char sealed[SEALED_BYTES];
    uint8_t salt[SALT_BYTES], wrap[AX_KEY_BYTES];
    ax_str public_key = {(const char *)key->public_key, sizeof key->public_key};
    ax_str seed = {(const char *)key->seed, AX_KEY_BYTES};
    ax_writer_print(out, FIRST_LINE "\n%s\n", key->id);
    ax_base64_encode(public_key, out);
    if (passphrase.len) {
        ax_random_bytes(salt, sizeof salt);
        AX_TRY(ax_password_key(ctx, passphrase, salt, wrap));
        ax_seal(wrap, public_key, seed, sealed);
        ax_crypto_wipe(wrap, sizeof wrap);
        ax_writer_text(out, "\nargon2id ");
        ax_hex_encode((ax_str){(const char *)salt, sizeof salt}, out);
        ax_writer_char(out, '\n');
        ax_hex_encode((ax_str){sealed, sizeof sealed}, out);
    } else {
        ax_writer_text(out, "\nplain\n");
        ax_hex_encode(seed, out);
    }
    ax_writer_char(out, '\n');
    return out->status == AX_OK ? AX_OK : ax_fail(ctx, out->status, "no memory for a key file");
}

/* ---- making ---- */

static ax_status
make(struct ax_ctx *ctx, struct ax_keystore_key *key)
{
    key->seed = ax_crypto_secret_new(AX_KEY_BYTES);
    if (!key->seed)
        return ax_fail(ctx, AX_LIMIT, "no locked memory for a private key");
    ax_ed25519_keypair(key->seed, key->public_key);
    ax_signing_key_id(key->public_key, key->id);
    return AX_OK;
}

/* Under another name first: the key's own name has all of it, or is not there. */
static ax_status
write_new(struct ax_ctx *ctx, ax_str path, ax_str text)
{
    ax_str folder = ax_path_folder(path);
    ax_str draft = ax_str_printf(ctx->arena, "%.*s.new", AX_FMT(path));
    if (!draft.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_make_folders(ctx, folder));
    if (ax_file_exists(path))
        return ax_fail(ctx, AX_CONFLICT, "%.*s is there already; a key is never overwritten",
                       AX_FMT(path));
    AX_TRY(ax_file_write_atomic(ctx, draft, text));
    ax_status status = ax_file_link(ctx, draft, path);
    struct ax_ctx second = ax_ctx_of(ctx->arena);
    ax_status removed = ax_file_remove(&second, draft);
    AX_TRY(status);
    if (removed != AX_OK)
        return ax_fail(ctx, removed, "%s", second.error);
    return ax_file_sync_folder(ctx, folder);
}

ax_status
ax_keystore_create(struct ax_ctx *ctx, ax_str path, ax_str passphrase,
                   struct ax_keystore_key *out_key)
{
    struct ax_keystore_key key = {.sealed = passphrase.len > 0};
    ax_writer_auto struct ax_writer text = ax_writer_of(FILE_BYTES_MAX);
    char *room = ax_writer_room(&text, FILE_BYTES_MAX); /* grows no more: one copy to wipe */
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key file");
    ax_writer_clear(&text);
    ax_status status = make(ctx, &key);
    if (status == AX_OK)
        status = format(ctx, &key, passphrase, &text);
    if (status == AX_OK)
        status = write_new(ctx, path, ax_writer_str(&text));
    ax_crypto_wipe(room, FILE_BYTES_MAX);
    if (status != AX_OK) {
        ax_keystore_close(&key);
        return ax_explain(ctx, status, "make key %.*s", AX_FMT(path));
    }
    *out_key = key;
    return AX_OK;
}

/* ---- opening ---- */

static ax_status
read_file(struct ax_ctx *ctx, ax_str path, char bytes[FILE_BYTES_MAX], ax_str *out_text)
{
    struct stat facts;
    uint64_t len;
    file_auto ax_file file = {-1};
    AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
    if (fstat(file.fd, &facts) != 0 || (facts.st_mode & OTHERS_MAY))
        return ax_fail(ctx, AX_DENIED, "others may read it; say chmod 600 and think of a new key");
    AX_TRY(ax_file_size(ctx, file, &len));
    if (len > FILE_BYTES_MAX)
        return ax_fail(ctx, AX_CORRUPT, "this is no key file that was written by axiom");
    AX_TRY(ax_file_read_at(ctx, file, 0, bytes, (size_t)len));
    *out_text = (ax_str){bytes, (size_t)len};
    return AX_OK;
}

static ax_status
unseal(struct ax_ctx *ctx, const struct ax_keystore_file *file, ax_str passphrase,
       struct ax_keystore_key *key)
{
    ax_str sealed;
    uint8_t wrap[AX_KEY_BYTES];
    if (!passphrase.len)
        return ax_fail(ctx, AX_DENIED, "it is sealed under a passphrase, and none was given");
    if (ax_hex_decode(ctx, file->secret, &sealed) != AX_OK)
        return ax_fail(ctx, AX_CORRUPT, "the sealed seed is no hex");
    AX_TRY(ax_password_key(ctx, passphrase, file->salt, wrap));
    ax_str public_key = {(const char *)key->public_key, sizeof key->public_key};
    ax_status status = ax_unseal(wrap, public_key, sealed, (char *)key->seed);
    ax_crypto_wipe(wrap, sizeof wrap);
    if (status == AX_CORRUPT)
        return ax_fail(ctx, AX_DENIED, "the passphrase is wrong, or the file is damaged");
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory to unseal a key");
}

static ax_status
take_seed(struct ax_ctx *ctx, const struct ax_keystore_file *file, ax_str passphrase,
          struct ax_keystore_key *key)
{
    uint8_t derived[AX_PUBLIC_KEY_BYTES];
    key->seed = ax_crypto_secret_new(AX_KEY_BYTES);
    if (!key->seed)
        return ax_fail(ctx, AX_LIMIT, "no locked memory for a private key");
    if (file->key.sealed) {
        AX_TRY(unseal(ctx, file, passphrase, key));
    } else {
        ax_digest seed;
        bool hex = ax_digest_parse(file->secret, &seed);
        if (hex)
            memcpy(key->seed, seed.bytes, AX_KEY_BYTES);
        ax_crypto_wipe(&seed, sizeof seed);
        if (!hex)
            return ax_fail(ctx, AX_CORRUPT, "the seed is no hex");
    }
    ax_ed25519_public(key->seed, derived);
    if (memcmp(derived, key->public_key, sizeof derived) != 0)
        return ax_fail(ctx, AX_CORRUPT, "its halves do not belong together");
    return AX_OK;
}

static ax_status
open_file(struct ax_ctx *ctx, ax_str path, const ax_str *passphrase, struct ax_keystore_key *key)
{
    char bytes[FILE_BYTES_MAX];
    ax_str text;
    struct ax_keystore_file file = {};
    ax_status status = read_file(ctx, path, bytes, &text);
    if (status == AX_OK)
        status = ax_keystore_parse(ctx, text, &file);
    if (status == AX_OK)
        *key = file.key;
    if (status == AX_OK && passphrase)
        status = take_seed(ctx, &file, *passphrase, key);
    ax_crypto_wipe(bytes, sizeof bytes);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "key %.*s", AX_FMT(path));
}

ax_status
ax_keystore_open(struct ax_ctx *ctx, ax_str path, ax_str passphrase,
                 struct ax_keystore_key *out_key)
{
    struct ax_keystore_key key = {};
    ax_status status = open_file(ctx, path, &passphrase, &key);
    if (status != AX_OK) {
        ax_keystore_close(&key);
        return status;
    }
    *out_key = key;
    return AX_OK;
}

ax_status
ax_keystore_look(struct ax_ctx *ctx, ax_str path, struct ax_keystore_key *out_key)
{
    struct ax_keystore_key key = {};
    AX_TRY(open_file(ctx, path, NULL, &key));
    *out_key = key;
    return AX_OK;
}

void
ax_keystore_close(struct ax_keystore_key *key)
{
    ax_crypto_secret_free(key->seed);
    key->seed = NULL;
}

/* ---- using ---- */

void
ax_keystore_sign(const struct ax_keystore_key *key, ax_str bytes,
                 uint8_t out_signature[AX_SIGNATURE_BYTES])
{
    AX_ASSERT(key->seed != NULL);
    ax_ed25519_sign(key->seed, bytes, out_signature);
}

static void
put_base64(struct ax_json_writer *json, const char *name, const uint8_t *bytes, size_t len)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * AX_SIGNATURE_BYTES);
    ax_base64_encode((ax_str){(const char *)bytes, len}, &text);
    ax_json_member_text(json, name, ax_writer_str(&text));
    if (text.status != AX_OK)
        json->out->status = text.status;
}

static ax_status
take_json(struct ax_ctx *ctx, struct ax_writer *text, ax_str *out_json)
{
    ax_status status = ax_writer_take(text, ctx->arena, out_json);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for a signed request");
}

ax_status
ax_keystore_enrolment(struct ax_ctx *ctx, const struct ax_keystore_key *key, ax_str user,
                      int64_t valid_days, ax_str *out_change)
{
    ax_str message;
    uint8_t proof[AX_SIGNATURE_BYTES];
    ax_writer_auto struct ax_writer text = ax_writer_of(FILE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    AX_TRY(ax_signing_enrolment_bytes(ctx, user, key->public_key, &message));
    ax_keystore_sign(key, message, proof);
    ax_json_begin_object(&json);
    put_base64(&json, "enroll", key->public_key, sizeof key->public_key);
    put_base64(&json, "proof", proof, sizeof proof);
    ax_json_member_i64(&json, "valid_days", valid_days);
    ax_json_end_object(&json);
    return take_json(ctx, &text, out_change);
}

ax_status
ax_keystore_approval(struct ax_ctx *ctx, const struct ax_keystore_key *key,
                     const struct ax_signing_approval *approval, ax_str *out_body)
{
    ax_str message;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    uint8_t signature[AX_SIGNATURE_BYTES];
    ax_writer_auto struct ax_writer text = ax_writer_of(FILE_BYTES_MAX + 6 * approval->comment.len);
    struct ax_json_writer json = ax_json_writer_of(&text);
    AX_TRY(ax_signing_approval_bytes(ctx, approval, &message));
    ax_keystore_sign(key, message, signature);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "comment", approval->comment);
    ax_json_member_text(&json, "digest", ax_digest_hex(approval->proposal, hex));
    ax_json_member_text(&json, "key_id", ax_str_of(key->id));
    put_base64(&json, "signature", signature, sizeof signature);
    ax_json_end_object(&json);
    return take_json(ctx, &text, out_body);
}

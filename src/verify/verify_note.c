#include "verify/verify_note.h"

#include "base/number.h"

enum { KEY_BYTES = 1 + AX_PUBLIC_KEY_BYTES, LINE_BYTES = 4 + AX_SIGNATURE_BYTES, ED25519 = 1 };

static const ax_str dash = {"\xe2\x80\x94 ", 4};

static int
digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
ax_verify_base64(ax_str text, uint8_t *out, size_t len)
{
    size_t padding = (3 - len % 3) % 3, digits = (len + 2) / 3 * 4;
    uint32_t bits = 0;
    int have = 0;
    size_t at = 0;
    if (text.len != digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (i >= digits - padding) {
            if (text.at[i] != '=')
                return false;
            continue;
        }
        int digit = digit_of(text.at[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[at++] = (uint8_t)(bits >> have);
        }
    }
    return at == len && (bits & ((1U << have) - 1)) == 0;
}

static void
hash_key(ax_str name, const uint8_t raw[KEY_BYTES], uint8_t out[4])
{
    const ax_str pieces[] = {name, AX_STR("\n"), {(const char *)raw, KEY_BYTES}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    memcpy(out, digest.bytes, 4);
}

ax_status
ax_verify_key_parse(struct ax_ctx *ctx, ax_str vkey, struct ax_verify_key *out_key)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t raw[KEY_BYTES];
    ax_str rest = vkey, hash;
    if (!ax_str_cut(&rest, '+', &out_key->name) || !rest.at || !ax_str_cut(&rest, '+', &hash) ||
        !rest.at || !out_key->name.len || hash.len != 8 ||
        !ax_verify_base64(rest, raw, sizeof raw) || raw[0] != ED25519)
        return ax_fail(ctx, AX_INVALID,
                       "the verifier key must be name+hash+base64 of an Ed25519 key");
    memcpy(out_key->public_key, raw + 1, AX_PUBLIC_KEY_BYTES);
    hash_key(out_key->name, raw, out_key->hash);
    for (size_t i = 0; i < 8; i++)
        if (hash.at[i] != hex[i % 2 ? out_key->hash[i / 2] & 15 : out_key->hash[i / 2] >> 4])
            return ax_fail(ctx, AX_INVALID,
                           "the verifier key's hash does not belong to its name and key");
    return AX_OK;
}

/* Whether one of the signature lines is this key's and holds. */
static ax_status
check_lines(struct ax_ctx *ctx, const struct ax_verify_key *key, ax_str text, ax_str lines)
{
    ax_str line;
    while (lines.len && ax_str_cut(&lines, '\n', &line)) {
        uint8_t raw[LINE_BYTES];
        ax_str rest = ax_str_from(line, dash.len), name;
        if (!ax_str_starts(line, dash) || !ax_str_cut(&rest, ' ', &name) || !rest.at)
            return ax_fail(ctx, AX_CORRUPT, "a checkpoint with a line that is no signature");
        if (!ax_str_eq(name, key->name) || !ax_verify_base64(rest, raw, sizeof raw) ||
            memcmp(raw, key->hash, sizeof key->hash) != 0)
            continue; /* a witness's, or another key's */
        if (ax_ed25519_verify(key->public_key, text,
                              (ax_str){(const char *)raw + 4, AX_SIGNATURE_BYTES}))
            return AX_OK;
        return ax_fail(ctx, AX_CORRUPT, "the checkpoint's signature by %.*s does not hold",
                       AX_FMT(key->name));
    }
    return ax_fail(ctx, AX_CORRUPT, "the checkpoint is not signed by %.*s", AX_FMT(key->name));
}

ax_status
ax_verify_note(struct ax_ctx *ctx, const struct ax_verify_key *key, ax_str note,
               struct ax_verify_head *out_head)
{
    size_t at = ax_str_find(note, AX_STR("\n\n"));
    ax_str text, rest, origin, size, root;
    if (at == SIZE_MAX || note.at[note.len - 1] != '\n')
        return ax_fail(ctx, AX_CORRUPT,
                       "no signed note: a blank line or the last line's end is "
                       "missing");
    text = rest = (ax_str){note.at, at + 1};
    AX_TRY(check_lines(ctx, key, text, ax_str_from(note, at + 2)));
    if (!ax_str_cut(&rest, '\n', &origin) || !rest.at || !ax_str_cut(&rest, '\n', &size) ||
        !rest.at || !ax_str_cut(&rest, '\n', &root) || !ax_parse_u64(size, &out_head->size) ||
        !ax_verify_base64(root, out_head->root.bytes, sizeof out_head->root.bytes))
        return ax_fail(ctx, AX_CORRUPT, "no checkpoint: origin, size and root are expected");
    if (!ax_str_eq(origin, key->name))
        return ax_fail(ctx, AX_CORRUPT, "the checkpoint is of %.*s, not of %.*s", AX_FMT(origin),
                       AX_FMT(key->name));
    return AX_OK;
}

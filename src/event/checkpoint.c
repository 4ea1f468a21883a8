#include "event/checkpoint.h"

#include <inttypes.h>

#include "base/number.h"
#include "base/reader.h"
#include "codec/text.h"

enum { NAME_BYTES_MAX = 255, KEY_HASH_BYTES = 4, COSIGNATURE_TIME_BYTES = 8 };

/* What stands in front of each signature line: an em dash and a blank. */
static const ax_str dash = {"\xe2\x80\x94 ", 4};

/* ---- keys ---- */

bool
ax_checkpoint_name_ok(ax_str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || !ax_utf8_ok(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= ' ' || c == '+' || c == 0x7f)
            return false;
    }
    static const char *const spaces[] = {"\xc2\x85", "\xc2\xa0", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                         "\xe3\x80\x80"};
    for (size_t i = 0; i < AX_COUNT_OF(spaces); i++)
        if (ax_str_find(name, ax_str_of(spaces[i])) != SIZE_MAX)
            return false;
    return true;
}

struct ax_checkpoint_key
ax_checkpoint_key_of(ax_str name, enum ax_checkpoint_algorithm algorithm,
                     const uint8_t public_key[AX_PUBLIC_KEY_BYTES])
{
    struct ax_checkpoint_key key = {.name = name, .algorithm = algorithm};
    const char kind = (char)algorithm;
    const ax_str pieces[] = {
        name, AX_STR("\n"), {&kind, 1}, {(const char *)public_key, AX_PUBLIC_KEY_BYTES}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    memcpy(key.key, public_key, AX_PUBLIC_KEY_BYTES);
    key.hash = (uint32_t)digest.bytes[0] << 24 | (uint32_t)digest.bytes[1] << 16 |
               (uint32_t)digest.bytes[2] << 8 | digest.bytes[3];
    return key;
}

static ax_status
take(struct ax_ctx *ctx, struct ax_writer *out, ax_str *out_text)
{
    ax_status status = ax_writer_take(out, ctx->arena, out_text);
    return status == AX_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a note");
}

ax_status
ax_checkpoint_vkey_format(struct ax_ctx *ctx, const struct ax_checkpoint_key *key, ax_str *out_vkey)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1024);
    char raw[1 + AX_PUBLIC_KEY_BYTES];
    raw[0] = (char)key->algorithm;
    memcpy(raw + 1, key->key, AX_PUBLIC_KEY_BYTES);
    ax_writer_bytes(&out, key->name);
    ax_writer_print(&out, "+%08" PRIx32 "+", key->hash);
    ax_base64_encode((ax_str){raw, sizeof raw}, &out);
    return take(ctx, &out, out_vkey);
}

static bool
parse_hash(ax_str hex, uint32_t *out)
{
    *out = 0;
    if (hex.len != 2 * KEY_HASH_BYTES)
        return false;
    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.at[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

ax_status
ax_checkpoint_vkey_parse(struct ax_ctx *ctx, ax_str vkey, struct ax_checkpoint_key *out_key)
{
    ax_str rest = vkey, name, hex, raw;
    uint32_t hash;
    if (!ax_str_cut(&rest, '+', &name) || !rest.at || !ax_str_cut(&rest, '+', &hex) || !rest.at ||
        !ax_checkpoint_name_ok(name) || !parse_hash(hex, &hash))
        return ax_fail(ctx, AX_INVALID, "a verifier key is name+hash+base64");
    ax_status status = ax_base64_decode(ctx, rest, &raw);
    if (status != AX_OK)
        return ax_explain(ctx, status, "verifier key");
    bool known = raw.len == 1 + AX_PUBLIC_KEY_BYTES &&
                 (raw.at[0] == AX_CHECKPOINT_ED25519 || raw.at[0] == AX_CHECKPOINT_COSIGNATURE);
    if (!known)
        return ax_fail(ctx, AX_INVALID, "the verifier key is of no known algorithm");
    struct ax_checkpoint_key key = ax_checkpoint_key_of(
        name, (enum ax_checkpoint_algorithm)raw.at[0], (const uint8_t *)raw.at + 1);
    if (key.hash != hash)
        return ax_fail(ctx, AX_INVALID, "the verifier key's hash is not that of its name and key");
    *out_key = key;
    return AX_OK;
}

/* ---- signing ---- */

static void
write_signature(struct ax_writer *out, const struct ax_checkpoint_key *key, ax_str signature)
{
    ax_writer_auto struct ax_writer raw = ax_writer_of(256);
    ax_writer_u32_be(&raw, key->hash);
    ax_writer_bytes(&raw, signature);
    ax_writer_bytes(out, dash);
    ax_writer_bytes(out, key->name);
    ax_writer_char(out, ' ');
    ax_base64_encode(ax_writer_str(&raw), out);
    ax_writer_char(out, '\n');
    if (raw.status != AX_OK)
        out->status = raw.status;
}

/* text (ends in a newline) as a note signed by key, in ctx->arena. */
static ax_status
sign_note(struct ax_ctx *ctx, const struct ax_checkpoint_key *key, const uint8_t seed[32],
          ax_str text, ax_str *out_note)
{
    uint8_t signature[AX_SIGNATURE_BYTES];
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_CHECKPOINT_BYTES_MAX);
    if (text.len == 0 || text.at[text.len - 1] != '\n')
        return ax_fail(ctx, AX_INVALID, "the text of a note ends in a newline");
    ax_ed25519_sign(seed, text, signature);
    ax_writer_bytes(&out, text);
    ax_writer_char(&out, '\n');
    write_signature(&out, key, (ax_str){(const char *)signature, sizeof signature});
    return take(ctx, &out, out_note);
}

ax_status
ax_checkpoint_sign(struct ax_ctx *ctx, const struct ax_checkpoint_key *key, const uint8_t seed[32],
                   struct ax_merkle_head head, ax_str *out_note)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_CHECKPOINT_BYTES_MAX);
    ax_writer_bytes(&text, key->name);
    ax_writer_print(&text, "\n%" PRIu64 "\n", head.size);
    ax_base64_encode((ax_str){(const char *)head.root.bytes, sizeof head.root.bytes}, &text);
    ax_writer_char(&text, '\n');
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a checkpoint");
    return sign_note(ctx, key, seed, ax_writer_str(&text), out_note);
}

/* "cosignature/v1", the time, then the note's text (C2SP tlog-cosignature). */
static ax_status
cosigned_text(struct ax_ctx *ctx, ax_str text, uint64_t time_s, ax_str *out)
{
    *out =
        ax_str_printf(ctx->arena, "cosignature/v1\ntime %" PRIu64 "\n%.*s", time_s, AX_FMT(text));
    return out->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a note");
}

/* ---- reading ---- */

/* A note cut in two: its text with the last newline, and its signature lines. */
static ax_status
split(struct ax_ctx *ctx, ax_str note, ax_str *out_text, ax_str *out_lines)
{
    size_t at = SIZE_MAX;
    if (note.len > AX_CHECKPOINT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a note of %zu bytes; at most %d are read", note.len,
                       AX_CHECKPOINT_BYTES_MAX);
    for (size_t i = 1; i < note.len; i++) {
        unsigned char c = (unsigned char)note.at[i];
        if (c == '\n' && note.at[i - 1] == '\n')
            at = i; /* the last blank line counts: text may hold one */
        if (c < ' ' && c != '\n')
            return ax_fail(ctx, AX_INVALID, "a control character at byte %zu of a note", i);
    }
    if (at == SIZE_MAX || !ax_utf8_ok(note) || note.at[note.len - 1] != '\n' || at + 1 == note.len)
        return ax_fail(ctx, AX_INVALID,
                       "no signed note: text, a blank line and signatures are "
                       "expected");
    *out_text = (ax_str){note.at, at};
    *out_lines = ax_str_from(note, at + 1);
    return AX_OK;
}

struct line {
    ax_str name;
    uint32_t hash;
    ax_str signature; /* behind the hash */
};

static ax_status
read_line(struct ax_ctx *ctx, ax_str text, struct line *out)
{
    ax_str rest = ax_str_from(text, dash.len), raw;
    if (!ax_str_starts(text, dash) || !ax_str_cut(&rest, ' ', &out->name) || !rest.at ||
        !ax_checkpoint_name_ok(out->name))
        return ax_fail(ctx, AX_INVALID,
                       "no signature line: a dash, a name and base64 are expected");
    ax_status status = ax_base64_decode(ctx, rest, &raw);
    if (status != AX_OK)
        return ax_explain(ctx, status, "signature line");
    if (raw.len <= KEY_HASH_BYTES)
        return ax_fail(ctx, AX_INVALID, "a signature of %zu bytes", raw.len);
    struct ax_reader reader = ax_reader_of(raw);
    out->hash = ax_reader_u32_be(&reader);
    out->signature = ax_str_from(raw, KEY_HASH_BYTES);
    return AX_OK;
}

static ax_status
check_signature(struct ax_ctx *ctx, const struct ax_checkpoint_key *key, ax_str text,
                ax_str signature, uint64_t *out_time_s)
{
    ax_str signed_text = text;
    *out_time_s = 0;
    if (key->algorithm == AX_CHECKPOINT_COSIGNATURE) {
        struct ax_reader reader = ax_reader_of(signature);
        *out_time_s = ax_reader_u64_be(&reader);
        signature = ax_str_from(signature, COSIGNATURE_TIME_BYTES);
        AX_TRY(cosigned_text(ctx, text, *out_time_s, &signed_text));
    }
    if (signature.len == AX_SIGNATURE_BYTES && ax_ed25519_verify(key->key, signed_text, signature))
        return AX_OK;
    return ax_fail(ctx, AX_DENIED, "the signature of %.*s does not fit the note",
                   AX_FMT(key->name));
}

ax_status
ax_checkpoint_note_open(struct ax_ctx *ctx, ax_str note, const struct ax_checkpoint_key *key,
                        ax_str *out_text, uint64_t *out_time_s)
{
    ax_str text, lines, one;
    uint64_t time_s = 0;
    bool found = false;
    AX_TRY(split(ctx, note, &text, &lines));
    for (int count = 0; lines.len && ax_str_cut(&lines, '\n', &one); count++) {
        struct line line;
        if (count == AX_CHECKPOINT_SIGNATURES_MAX)
            return ax_fail(ctx, AX_INVALID, "a note with more than %d signatures",
                           AX_CHECKPOINT_SIGNATURES_MAX);
        AX_TRY(read_line(ctx, one, &line));
        if (line.hash != key->hash || !ax_str_eq(line.name, key->name))
            continue; /* somebody else's */
        AX_TRY(check_signature(ctx, key, text, line.signature, &time_s));
        found = true;
    }
    if (!found)
        return ax_fail(ctx, AX_DENIED, "the note is not signed by %.*s", AX_FMT(key->name));
    if (out_text)
        *out_text = text;
    if (out_time_s)
        *out_time_s = time_s;
    return AX_OK;
}

ax_status
ax_checkpoint_cosign(struct ax_ctx *ctx, const struct ax_checkpoint_key *witness,
                     const uint8_t seed[32], ax_str note, uint64_t time_s, ax_str *out_note)
{
    uint8_t signature[AX_SIGNATURE_BYTES];
    ax_str text, lines, signed_text;
    ax_writer_auto struct ax_writer raw = ax_writer_of(256);
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_CHECKPOINT_BYTES_MAX);
    AX_TRY(split(ctx, note, &text, &lines));
    AX_TRY(cosigned_text(ctx, text, time_s, &signed_text));
    ax_ed25519_sign(seed, signed_text, signature);
    ax_writer_u64_be(&raw, time_s);
    ax_writer_bytes(&raw, (ax_str){(const char *)signature, sizeof signature});
    ax_writer_bytes(&out, note);
    write_signature(&out, witness, ax_writer_str(&raw));
    return take(ctx, &out, out_note);
}

ax_status
ax_checkpoint_parse(struct ax_ctx *ctx, ax_str note, struct ax_checkpoint *out_checkpoint)
{
    ax_str rest, lines, origin, size, root, raw;
    AX_TRY(split(ctx, note, &rest, &lines));
    if (!ax_str_cut(&rest, '\n', &origin) || !rest.at || !ax_str_cut(&rest, '\n', &size) ||
        !rest.at || !ax_str_cut(&rest, '\n', &root) || !rest.at || !origin.len)
        return ax_fail(ctx, AX_INVALID, "no checkpoint: origin, size and root are expected");
    if (!ax_parse_u64(size, &out_checkpoint->head.size))
        return ax_fail(ctx, AX_INVALID, "the checkpoint's size is \"%.*s\"",
                       (int)(size.len > 40 ? 40 : size.len), size.at);
    ax_status status = ax_base64_decode(ctx, root, &raw);
    if (status != AX_OK || raw.len != sizeof out_checkpoint->head.root.bytes)
        return ax_fail(ctx, AX_INVALID, "the checkpoint's root is no hash of 32 bytes");
    memcpy(out_checkpoint->head.root.bytes, raw.at, raw.len);
    out_checkpoint->origin = origin;
    return AX_OK;
}

ax_status
ax_checkpoint_verify(struct ax_ctx *ctx, ax_str note, const struct ax_checkpoint_key *key,
                     struct ax_checkpoint *out_checkpoint)
{
    AX_TRY(ax_checkpoint_note_open(ctx, note, key, NULL, NULL));
    AX_TRY(ax_checkpoint_parse(ctx, note, out_checkpoint));
    if (!ax_str_eq(out_checkpoint->origin, key->name))
        return ax_fail(ctx, AX_DENIED, "the checkpoint is of %.*s, the key of %.*s",
                       AX_FMT(out_checkpoint->origin), AX_FMT(key->name));
    return AX_OK;
}

/* ---- .tlog-proof ---- */

static const char proof_header[] = "c2sp.org/tlog-proof@v1\n";

ax_status
ax_checkpoint_proof_format(struct ax_ctx *ctx, uint64_t index, struct ax_merkle_proof proof,
                           ax_str note, ax_str *out_file)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(2 * AX_CHECKPOINT_BYTES_MAX);
    ax_writer_text(&out, proof_header);
    ax_writer_print(&out, "index %" PRIu64 "\n", index);
    for (size_t i = 0; i < proof.count; i++) {
        const char *hash = (const char *)proof.hashes[i].bytes;
        ax_base64_encode((ax_str){hash, sizeof proof.hashes[i].bytes}, &out);
        ax_writer_char(&out, '\n');
    }
    ax_writer_char(&out, '\n');
    ax_writer_bytes(&out, note);
    return take(ctx, &out, out_file);
}

/* Header, optional extra, index, hashes, a blank line; what is left is the checkpoint. */
static ax_status
read_proof(struct ax_ctx *ctx, ax_str file, uint64_t *out_index, struct ax_merkle_proof *out_proof,
           ax_str *out_note)
{
    ax_str rest = ax_str_from(file, sizeof proof_header - 1), line, raw;
    if (!ax_str_starts(file, ax_str_of(proof_header)))
        return ax_fail(ctx, AX_INVALID, "no tlog-proof: it does not begin as one");
    if (!ax_str_cut(&rest, '\n', &line))
        return ax_fail(ctx, AX_INVALID, "tlog-proof: it ends before the index");
    if (ax_str_starts(line, AX_STR("extra ")) && !ax_str_cut(&rest, '\n', &line))
        return ax_fail(ctx, AX_INVALID, "tlog-proof: it ends before the index");
    if (!ax_str_starts(line, AX_STR("index ")) || !ax_parse_u64(ax_str_from(line, 6), out_index))
        return ax_fail(ctx, AX_INVALID, "tlog-proof: `index N` is expected");
    out_proof->count = 0;
    out_proof->hashes = AX_NEW_ARRAY(ctx->arena, ax_digest, AX_MERKLE_PROOF_MAX);
    if (!out_proof->hashes)
        return ax_fail(ctx, AX_LIMIT, "no memory for a proof");
    while (rest.at && ax_str_cut(&rest, '\n', &line) && line.len > 0) {
        if (out_proof->count == AX_MERKLE_PROOF_MAX)
            return ax_fail(ctx, AX_INVALID, "tlog-proof: too many hashes");
        ax_digest *hash = &out_proof->hashes[out_proof->count++];
        if (ax_base64_decode(ctx, line, &raw) != AX_OK || raw.len != sizeof hash->bytes)
            return ax_fail(ctx, AX_INVALID, "tlog-proof: hash %zu is no hash of 32 bytes",
                           out_proof->count);
        memcpy(hash->bytes, raw.at, raw.len);
    }
    if (!rest.at)
        return ax_fail(ctx, AX_INVALID, "tlog-proof: it ends before the checkpoint");
    *out_note = rest;
    return AX_OK;
}

ax_status
ax_checkpoint_proof_verify(struct ax_ctx *ctx, ax_str file, ax_str leaf,
                           const struct ax_checkpoint_key *key, uint64_t *out_index)
{
    struct ax_merkle_proof proof;
    struct ax_checkpoint checkpoint;
    uint64_t index;
    ax_str note;
    AX_TRY(read_proof(ctx, file, &index, &proof, &note));
    AX_TRY(ax_checkpoint_verify(ctx, note, key, &checkpoint));
    if (!ax_merkle_check_inclusion(index, checkpoint.head.size, ax_merkle_leaf(leaf),
                                   checkpoint.head.root, proof))
        return ax_fail(ctx, AX_DENIED, "the leaf is not number %" PRIu64 " of the log", index);
    *out_index = index;
    return AX_OK;
}

#include "auth/signing.h"

#include "codec/text.h"

enum { BYTES_MAX = 4096 };

ax_str
ax_signing_key_id(const uint8_t public_key[AX_PUBLIC_KEY_BYTES],
                  char out[AX_SIGNING_KEY_ID_BYTES + 1])
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(ax_sha256((ax_str){(const char *)public_key, AX_PUBLIC_KEY_BYTES}), hex);
    memcpy(out, hex, AX_SIGNING_KEY_ID_BYTES);
    out[AX_SIGNING_KEY_ID_BYTES] = '\0';
    return (ax_str){out, AX_SIGNING_KEY_ID_BYTES};
}

/* A line end or NUL in a name would let one text say another's. */
static ax_status
check_line(struct ax_ctx *ctx, const char *what, ax_str line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.at[i] < ' ' || line.at[i] == 0x7f)
            return ax_fail(ctx, AX_INVALID, "%s holds a control character at byte %zu", what, i);
    if (!line.len || line.len > BYTES_MAX / 2)
        return ax_fail(ctx, AX_INVALID, "%s of %zu bytes cannot be signed for", what, line.len);
    return AX_OK;
}

static ax_status
take(struct ax_ctx *ctx, struct ax_writer *writer, ax_str *out_bytes)
{
    ax_status status = ax_writer_take(writer, ctx->arena, out_bytes);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for what is signed");
}

ax_status
ax_signing_approval_bytes(struct ax_ctx *ctx, const struct ax_signing_approval *approval,
                          ax_str *out_bytes)
{
    char proposal[AX_DIGEST_HEX_BYTES + 1], comment[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer writer = ax_writer_of(BYTES_MAX);
    AX_TRY(check_line(ctx, "the id of the proposal", approval->proposal_id));
    ax_digest_hex(approval->proposal, proposal);
    ax_digest_hex(ax_sha256(approval->comment), comment);
    ax_writer_print(&writer, "axiom approval v1\n%s\n%.*s\n%s\n%s\n",
                    approval->approve ? "approve" : "reject", AX_FMT(approval->proposal_id),
                    proposal, comment);
    return take(ctx, &writer, out_bytes);
}

ax_status
ax_signing_enrolment_bytes(struct ax_ctx *ctx, ax_str user,
                           const uint8_t public_key[AX_PUBLIC_KEY_BYTES], ax_str *out_bytes)
{
    ax_writer_auto struct ax_writer writer = ax_writer_of(BYTES_MAX);
    AX_TRY(check_line(ctx, "the id of the user", user));
    ax_writer_print(&writer, "axiom key enrolment v1\n%.*s\n", AX_FMT(user));
    ax_base64_encode((ax_str){(const char *)public_key, AX_PUBLIC_KEY_BYTES}, &writer);
    ax_writer_char(&writer, '\n');
    return take(ctx, &writer, out_bytes);
}

static ax_status
parse(struct ax_ctx *ctx, const char *what, ax_str base64, uint8_t *out, size_t len)
{
    ax_str bytes;
    ax_status status = ax_base64_decode(ctx, base64, &bytes);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%s", what);
    if (bytes.len != len)
        return ax_fail(ctx, AX_INVALID, "%s has %zu bytes, not %zu", what, bytes.len, len);
    memcpy(out, bytes.at, len);
    return AX_OK;
}

ax_status
ax_signing_key_parse(struct ax_ctx *ctx, ax_str base64, uint8_t out_public[AX_PUBLIC_KEY_BYTES])
{
    return parse(ctx, "the public key", base64, out_public, AX_PUBLIC_KEY_BYTES);
}

ax_status
ax_signing_signature_parse(struct ax_ctx *ctx, ax_str base64,
                           uint8_t out_signature[AX_SIGNATURE_BYTES])
{
    return parse(ctx, "the signature", base64, out_signature, AX_SIGNATURE_BYTES);
}

#include "auth/signing.h"

#include "harness.h"

/* Written out once by hand from docs/formats.md section 7, digests by sha256sum. */
static void
golden(struct ax_ctx *ctx)
{
    ax_str bytes;
    const struct ax_signing_approval approval = {
        .approve = true,
        .proposal_id = AX_STR("p_1"),
        .proposal = ax_sha256(AX_STR("{}")),
        .comment = AX_STR("looks right"),
    };
    CHECK_EQ(ax_signing_approval_bytes(ctx, &approval, &bytes), AX_OK);
    CHECK_STR(bytes, "axiom approval v1\napprove\np_1\n"
                     "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
                     "52725cf8d307a5d339a7dcd0dbbbf37dc021be0d6402b84a91ecb14ecc00136f\n");
    uint8_t zeros[AX_PUBLIC_KEY_BYTES] = {};
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    CHECK_EQ(ax_signing_enrolment_bytes(ctx, AX_STR("dana"), zeros, &bytes), AX_OK);
    CHECK_STR(bytes,
              "axiom key enrolment v1\ndana\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    CHECK_STR(ax_signing_key_id(zeros, id), "66687aadf862bd77");
}

TEST(r45_what_is_signed_is_the_text_of_the_format)
{
    ax_test_with_ctx(golden);
}

/* Whatever differs in meaning differs in bytes. */
static void
differs(struct ax_ctx *ctx)
{
    const struct ax_signing_approval base = {
        .approve = true, .proposal_id = AX_STR("p_1"), .comment = AX_STR("")};
    struct ax_signing_approval others[] = {base, base, base, base};
    others[0].approve = false;
    others[1].proposal_id = AX_STR("p_2");
    others[2].proposal.bytes[31] = 1;
    others[3].comment = AX_STR("\n");
    ax_str one, other;
    CHECK_EQ(ax_signing_approval_bytes(ctx, &base, &one), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(others); i++) {
        CHECK_EQ(ax_signing_approval_bytes(ctx, &others[i], &other), AX_OK);
        CHECK(!ax_str_eq(one, other));
    }
    static const ax_str bad[] = {{"p\n1", 3}, {"p\0", 2}, {"", 0}};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        struct ax_signing_approval approval = base;
        approval.proposal_id = bad[i];
        CHECK_EQ(ax_signing_approval_bytes(ctx, &approval, &other), AX_INVALID);
    }
}

TEST(r45_a_signature_for_one_thing_is_none_for_another)
{
    ax_test_with_ctx(differs);
}

static void
parses(struct ax_ctx *ctx)
{
    uint8_t key[AX_PUBLIC_KEY_BYTES], signature[AX_SIGNATURE_BYTES];
    CHECK_EQ(ax_signing_key_parse(ctx, AX_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), key),
             AX_OK);
    CHECK_EQ(ax_signing_key_parse(ctx, AX_STR("AAAA"), key), AX_INVALID);
    CHECK(strcmp(ctx->error, "the public key has 3 bytes, not 32") == 0);
    CHECK_EQ(ax_signing_signature_parse(ctx, AX_STR("?"), signature), AX_INVALID);
    CHECK(strstr(ctx->error, "the signature") != NULL);
}

TEST(keys_and_signatures_have_their_length)
{
    ax_test_with_ctx(parses);
}

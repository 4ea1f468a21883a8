#include "sys/crypto_public_key.h"

#include "jwt_case.h"

static ax_str
decoded(struct ax_ctx *ctx, const char *text)
{
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_base64url_decode(ctx, ax_str_of(text), &bytes), AX_OK);
    return bytes;
}

/* RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A.4. */
#define RFC_MODULUS                                                                                \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4" \
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re" \
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX" \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RFC_CLAIMS                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
#define RFC_RSA_SIGNATURE                                                                          \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5" \
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb" \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO" \
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC_EC_SIGNATURE                                                                           \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define RFC_ED "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC_ED_SIGNATURE                                                                           \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

struct vector {
    enum ax_public_key_algorithm algorithm;
    const char *message, *signature;
};

static const struct vector vectors[] = {
    {AX_PUBLIC_KEY_RS256, "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS, RFC_RSA_SIGNATURE},
    {AX_PUBLIC_KEY_ES256, "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS, RFC_EC_SIGNATURE},
    {AX_PUBLIC_KEY_EDDSA, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     RFC_ED_SIGNATURE},
};

static ax_status
key_of(struct ax_ctx *ctx, size_t which, struct ax_public_key **out_key)
{
    if (which == 0)
        return ax_public_key_of_rsa(ctx, decoded(ctx, RFC_MODULUS), decoded(ctx, "AQAB"), out_key);
    return which == 1
               ? ax_public_key_of_p256(ctx, decoded(ctx, RFC_X), decoded(ctx, RFC_Y), out_key)
               : ax_public_key_of_ed25519(ctx, decoded(ctx, RFC_ED), out_key);
}

static void
published(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(vectors); i++) {
        struct ax_public_key *key = NULL;
        ax_str message = ax_str_of(vectors[i].message);
        ax_str signature = decoded(ctx, vectors[i].signature);
        CHECK_EQ(key_of(ctx, i, &key), AX_OK);
        for (size_t j = 0; j < AX_PUBLIC_KEY_ALGORITHM_COUNT; j++) {
            enum ax_public_key_algorithm algorithm = (enum ax_public_key_algorithm)j;
            CHECK_EQ(ax_public_key_verify(key, algorithm, message, signature),
                     algorithm == vectors[i].algorithm);
        }
        ax_public_key_free(key);
    }
}

TEST(signatures_of_rfc_7515_and_8037_hold_under_their_own_algorithm_alone)
{
    ax_test_with_ctx(published);
}

/* Every byte of a signature counts, and so does its length. */
static void
tampered(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(vectors); i++) {
        struct ax_public_key *key = NULL;
        ax_str message = ax_str_of(vectors[i].message);
        ax_str signature = decoded(ctx, vectors[i].signature);
        char bytes[300];
        CHECK_EQ(key_of(ctx, i, &key), AX_OK);
        for (size_t at = 0; at < signature.len; at++) {
            memcpy(bytes, signature.at, signature.len);
            bytes[at] ^= (char)(1 << at % 8);
            CHECK(!ax_public_key_verify(key, vectors[i].algorithm, message,
                                        (ax_str){bytes, signature.len}));
        }
        memset(bytes, 0, sizeof bytes);
        CHECK(!ax_public_key_verify(key, vectors[i].algorithm, message,
                                    (ax_str){bytes, signature.len})); /* r = s = 0 */
        memcpy(bytes, signature.at, signature.len);
        const size_t lens[] = {0, signature.len - 1, signature.len + 1};
        for (size_t j = 0; j < AX_COUNT_OF(lens); j++)
            CHECK(!ax_public_key_verify(key, vectors[i].algorithm, message,
                                        (ax_str){bytes, lens[j]}));
        CHECK(!ax_public_key_verify(key, vectors[i].algorithm, ax_str_from(message, 1), signature));
        ax_public_key_free(key);
    }
}

TEST(a_signature_with_one_bit_or_byte_changed_is_none)
{
    ax_test_with_ctx(tampered);
}

/* The group's order itself as s, or r above the field: what Wycheproof tries on ECDSA. */
static void
out_of_range(struct ax_ctx *ctx)
{
    static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    struct ax_public_key *key = NULL;
    ax_str signature = decoded(ctx, RFC_EC_SIGNATURE), bytes = AX_STR("");
    char pair[64];
    CHECK_EQ(key_of(ctx, 1, &key), AX_OK);
    CHECK_EQ(ax_hex_decode(ctx, ax_str_of(order), &bytes), AX_OK);
    for (size_t at = 0; at < 64; at += 32) {
        memcpy(pair, signature.at, sizeof pair);
        memcpy(pair + at, bytes.at, 32);
        CHECK(!ax_public_key_verify(key, AX_PUBLIC_KEY_ES256, ax_str_of(vectors[1].message),
                                    (ax_str){pair, sizeof pair}));
    }
    ax_public_key_free(key);
}

TEST(numbers_of_an_ecdsa_signature_outside_the_group_are_refused)
{
    ax_test_with_ctx(out_of_range);
}

static void
bad_keys(struct ax_ctx *ctx)
{
    struct ax_public_key *key = NULL;
    ax_str modulus = decoded(ctx, RFC_MODULUS), y = decoded(ctx, RFC_Y), x = decoded(ctx, RFC_X);
    const ax_str exponents[] = {AX_STR(""), AX_STR("\x01"), AX_STR("\x02"), AX_STR("\0\x03"),
                                AX_STR("\x01\0\0\0\x01")};
    for (size_t i = 0; i < AX_COUNT_OF(exponents); i++)
        CHECK_EQ(ax_public_key_of_rsa(ctx, modulus, exponents[i], &key), AX_INVALID);
    CHECK_EQ(ax_public_key_of_rsa(ctx, ax_str_from(modulus, 1), AX_STR("\x03"), &key), AX_INVALID);
    CHECK_EQ(ax_public_key_of_p256(ctx, x, ax_str_from(y, 1), &key), AX_INVALID);
    CHECK_EQ(ax_public_key_of_p256(ctx, x, x, &key), AX_INVALID); /* not on the curve */
    CHECK_EQ(ax_public_key_of_ed25519(ctx, ax_str_from(x, 1), &key), AX_INVALID);
    CHECK(key == NULL);
    ax_public_key_free(key);
}

TEST(numbers_that_make_no_sound_key_are_refused)
{
    ax_test_with_ctx(bad_keys);
}

static void
pss(struct ax_ctx *ctx)
{
    struct jwt_case made;
    struct ax_public_key *key = NULL;
    jwt_case_open(&made);
    ax_str n = AX_STR(""), e = AX_STR(""), message = AX_STR("to be signed");
    CHECK_EQ(ax_base64url_decode(
                 ctx, jwt_case_number(ctx, made.keys[JWT_RSA], OSSL_PKEY_PARAM_RSA_N, 0), &n),
             AX_OK);
    CHECK_EQ(ax_base64url_decode(
                 ctx, jwt_case_number(ctx, made.keys[JWT_RSA], OSSL_PKEY_PARAM_RSA_E, 0), &e),
             AX_OK);
    CHECK_EQ(ax_public_key_of_rsa(ctx, n, e, &key), AX_OK);
    ax_str padded = jwt_case_sign(ctx, &made, JWT_RSA, true, message);
    ax_str plain = jwt_case_sign(ctx, &made, JWT_RSA, false, message);
    CHECK(ax_public_key_verify(key, AX_PUBLIC_KEY_PS256, message, padded));
    CHECK(!ax_public_key_verify(key, AX_PUBLIC_KEY_RS256, message, padded));
    CHECK(ax_public_key_verify(key, AX_PUBLIC_KEY_RS256, message, plain));
    CHECK(!ax_public_key_verify(key, AX_PUBLIC_KEY_PS256, message, plain));
    ax_public_key_free(key);
    jwt_case_done(&made);
}

TEST(the_two_paddings_of_rsa_are_two_algorithms)
{
    ax_test_with_ctx(pss);
}

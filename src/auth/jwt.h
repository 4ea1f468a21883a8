/*
 * JSON web tokens of an issuer that is trusted (RFC 7519, in compact form): read strictly,
 * verified, and judged. Who their subject is here is the credential's business (auth/credential).
 *
 * The algorithm is the key's, not the token's: what the header says must be allowed by setting and
 * fit the key that it names. Refused are "none" and every algorithm with a shared secret, headers
 * with `crit` or `b64`, keys that travel in the token or are linked from it (they are not looked
 * at), members that occur twice, and every form of base64url but the one.
 *
 * Source: RFC 7515, RFC 7519, RFC 8725.
 */
#pragma once

#include "auth/jwks.h"
#include "codec/json.h"

enum { AX_JWT_BYTES_MAX = 8 << 10, AX_JWT_SUBJECT_BYTES_MAX = 120 };

struct ax_jwt_rules {
    ax_str issuer;        /* `iss` must be this */
    ax_str audience;      /* `aud` must be this, or have it among others */
    ax_str subject_claim; /* "sub" */
    ax_str groups_claim;  /* "groups": an array of texts, or words in one text */
    uint32_t algorithms;  /* 1 << AX_PUBLIC_KEY_... | ... */
    int64_t skew_ns;      /* clocks may differ by so much */
};

struct ax_jwt { /* texts in ctx->arena */
    ax_str subject;
    const struct ax_json *groups; /* NULL when there is no such claim */
    int64_t expires_ns;           /* UTC, skew included */
};

/* Whether it looks like one: two points, nothing but base64url. Costs nothing. */
bool ax_jwt_looks(ax_str token);

/*
 * Fails: UNAUTHENTICATED, says precisely why; NOT_FOUND when the issuer's keys as they are known
 * here have none for it: they may be older than the token.
 */
ax_status ax_jwt_verify(struct ax_ctx *ctx, const struct ax_jwt_rules *rules,
                        const struct ax_jwks *keys, ax_str token, struct ax_jwt *out_jwt);

/* One group after the other: false at the end. *place: 0 at first. */
[[nodiscard]] bool ax_jwt_group(const struct ax_jwt *jwt, size_t *place, ax_str *out_group);

/* ---- for the fuzzer ---- */

struct ax_jwt_parts {
    enum ax_public_key_algorithm algorithm;
    ax_str key;     /* its name, or "" */
    ax_str message; /* what is signed; borrowed */
    ax_str signature;
    const struct ax_json *claims;
};

/* The form alone, nothing verified. Fails: UNAUTHENTICATED, LIMIT. */
ax_status ax_jwt_parse(struct ax_ctx *ctx, ax_str token, struct ax_jwt_parts *out_parts);

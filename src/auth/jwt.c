#include "auth/jwt.h"

#include <math.h>

#include "codec/text.h"
#include "sys/clock.h"

enum { DEPTH_MAX = 8, GROUPS_MAX = 256 };

/* In the year 2261: what is later counts as this, so that nanoseconds fit, skew included. */
#define SECONDS_MAX 9'200'000'000.0
#define NS_PER_S    1e9

static const struct ax_json_limits limits = {.depth_max = DEPTH_MAX};

bool
ax_jwt_looks(ax_str token)
{
    size_t points = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.at[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        points += c == '.';
        if (!digit && c != '-' && c != '_' && c != '.')
            return false;
    }
    return points == 2;
}

/* ---- the form ---- */

/* One of the three parts as a JSON object; what: "header", "claims". */
static ax_status
take_object(struct ax_ctx *ctx, const char *what, ax_str text, const struct ax_json **out_json)
{
    ax_str bytes;
    ax_status status = ax_base64url_decode(ctx, text, &bytes);
    if (status == AX_OK)
        status = ax_json_parse(ctx, bytes, &limits, out_json);
    if (status == AX_OK && ax_json_kind(*out_json) != AX_JSON_OBJECT)
        status = ax_fail(ctx, AX_INVALID, "no object");
    if (status == AX_OK || status == AX_LIMIT)
        return status;
    return ax_explain(ctx, AX_UNAUTHENTICATED, "the token's %s", what);
}

/* Type and what a reader must understand: nothing is, beyond what is here. */
static ax_status
check_header(struct ax_ctx *ctx, const struct ax_json *header)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt"};
    const struct ax_json *type = ax_json_find(header, "typ");
    ax_str word = AX_STR("");
    bool known = !type;
    if (ax_json_find(header, "crit"))
        return ax_fail(ctx, AX_UNAUTHENTICATED,
                       "the token's header has `crit`: none of its extensions is understood");
    if (ax_json_find(header, "b64"))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's header has `b64`, which is refused");
    if (ax_json_text(type, &word))
        for (size_t i = 0; i < AX_COUNT_OF(types); i++)
            known |= ax_str_eq_ignoring_case(word, ax_str_of(types[i]));
    return known ? AX_OK : ax_fail(ctx, AX_UNAUTHENTICATED, "the token's `typ` is not JWT");
}

static ax_status
take_header(struct ax_ctx *ctx, const struct ax_json *header, struct ax_jwt_parts *parts)
{
    ax_str word = AX_STR("");
    const struct ax_json *name = ax_json_find(header, "kid");
    AX_TRY(check_header(ctx, header));
    if (!ax_json_text(ax_json_find(header, "alg"), &word))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's header has no `alg`");
    if (!ax_jwks_algorithm_parse(word, &parts->algorithm))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's algorithm \"%.*s\" is not accepted",
                       (int)(word.len < 32 ? word.len : 32), word.at);
    parts->key = AX_STR("");
    if (name && !ax_json_text(name, &parts->key))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's `kid` is no text");
    return AX_OK;
}

ax_status
ax_jwt_parse(struct ax_ctx *ctx, ax_str token, struct ax_jwt_parts *out_parts)
{
    ax_str rest = token, header, claims;
    const struct ax_json *json;
    struct ax_jwt_parts parts = {};
    if (token.len > AX_JWT_BYTES_MAX)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token has %zu bytes; at most %d are taken",
                       token.len, (int)AX_JWT_BYTES_MAX);
    if (!ax_jwt_looks(token))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is not valid");
    bool three = ax_str_cut(&rest, '.', &header) && ax_str_cut(&rest, '.', &claims);
    if (!three || !rest.at)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is not valid");
    AX_TRY(take_object(ctx, "header", header, &json));
    AX_TRY(take_header(ctx, json, &parts));
    parts.message = (ax_str){token.at, header.len + 1 + claims.len};
    if (ax_base64url_decode(ctx, rest, &parts.signature) != AX_OK)
        return ax_explain(ctx, AX_UNAUTHENTICATED, "the token's signature");
    AX_TRY(take_object(ctx, "claims", claims, &parts.claims));
    *out_parts = parts;
    return AX_OK;
}

/* ---- the claims ---- */

static const struct ax_json *
find(struct ax_ctx *ctx, const struct ax_json *claims, ax_str name)
{
    const char *key = ax_str_c(ctx->arena, name);
    return key ? ax_json_find(claims, key) : NULL;
}

/* Seconds since 1970, fractions allowed; *out_ns keeps its value when absent. */
static ax_status
take_time(struct ax_ctx *ctx, const struct ax_json *claims, const char *name, int64_t *out_ns)
{
    double seconds;
    const struct ax_json *json = ax_json_find(claims, name);
    if (!json)
        return AX_OK;
    if (!ax_json_f64(json, &seconds) || !(seconds >= 0))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's `%s` is no time", name);
    *out_ns = (int64_t)(fmin(seconds, SECONDS_MAX) * NS_PER_S);
    return AX_OK;
}

static ax_status
check_times(struct ax_ctx *ctx, const struct ax_jwt_rules *rules, const struct ax_json *claims,
            int64_t *out_expires_ns)
{
    int64_t now_ns = ax_clock_real_ns(), expires_ns = -1, from_ns = 0, issued_ns = 0;
    AX_TRY(take_time(ctx, claims, "exp", &expires_ns));
    AX_TRY(take_time(ctx, claims, "nbf", &from_ns));
    AX_TRY(take_time(ctx, claims, "iat", &issued_ns));
    if (expires_ns < 0)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token has no `exp`: it would never expire");
    *out_expires_ns = expires_ns + rules->skew_ns;
    if (now_ns >= *out_expires_ns)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token has expired");
    if (from_ns - rules->skew_ns > now_ns)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is not valid yet");
    if (issued_ns - rules->skew_ns > now_ns)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token was issued in the future");
    return AX_OK;
}

static bool
is_for(const struct ax_json *audiences, ax_str audience)
{
    ax_str word = AX_STR("");
    if (ax_json_text(audiences, &word))
        return ax_str_eq(word, audience);
    bool found = false;
    if (ax_json_kind(audiences) != AX_JSON_ARRAY)
        return false;
    struct ax_json_iter it = ax_json_iter_of(audiences);
    while (ax_json_next(&it))
        found |= ax_json_text(it.value, &word) && ax_str_eq(word, audience);
    return found;
}

static bool
is_subject(ax_str subject)
{
    for (size_t i = 0; i < subject.len; i++)
        if ((unsigned char)subject.at[i] <= ' ' || subject.at[i] == 0x7f)
            return false;
    return subject.len > 0 && subject.len <= AX_JWT_SUBJECT_BYTES_MAX && ax_utf8_ok(subject);
}

static ax_status
check_claims(struct ax_ctx *ctx, const struct ax_jwt_rules *rules, const struct ax_json *claims,
             struct ax_jwt *out)
{
    ax_str issuer = AX_STR("");
    const struct ax_json *audiences = ax_json_find(claims, "aud");
    if (!ax_json_text(ax_json_find(claims, "iss"), &issuer) || !ax_str_eq(issuer, rules->issuer))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is of another issuer");
    if (!audiences || !is_for(audiences, rules->audience))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is for another audience");
    AX_TRY(check_times(ctx, rules, claims, &out->expires_ns));
    if (!ax_json_text(find(ctx, claims, rules->subject_claim), &out->subject) ||
        !is_subject(out->subject))
        return ax_fail(ctx, AX_UNAUTHENTICATED,
                       "the token's `%.*s` is no name of 1 to %d visible characters",
                       AX_FMT(rules->subject_claim), (int)AX_JWT_SUBJECT_BYTES_MAX);
    out->groups = find(ctx, claims, rules->groups_claim);
    return AX_OK;
}

ax_status
ax_jwt_verify(struct ax_ctx *ctx, const struct ax_jwt_rules *rules, const struct ax_jwks *keys,
              ax_str token, struct ax_jwt *out_jwt)
{
    struct ax_jwt_parts parts;
    struct ax_jwt jwt = {};
    const struct ax_public_key *key;
    AX_TRY(ax_jwt_parse(ctx, token, &parts));
    if (!(rules->algorithms >> parts.algorithm & 1))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's algorithm is not accepted here");
    AX_TRY(ax_jwks_find(keys, ctx, parts.key, parts.algorithm, &key));
    if (!ax_public_key_verify(key, parts.algorithm, parts.message, parts.signature))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token's signature does not hold");
    AX_TRY(check_claims(ctx, rules, parts.claims, &jwt));
    *out_jwt = jwt;
    return AX_OK;
}

/* ---- groups ---- */

static bool
nth_word(ax_str text, size_t index, ax_str *out_word)
{
    ax_str word;
    size_t seen = 0;
    while (ax_str_cut(&text, ' ', &word)) {
        if (word.len == 0 || seen++ < index)
            continue;
        *out_word = word;
        return true;
    }
    return false;
}

bool
ax_jwt_group(const struct ax_jwt *jwt, size_t *place, ax_str *out_group)
{
    ax_str text = AX_STR("");
    if (*place >= GROUPS_MAX)
        return false;
    if (ax_json_text(jwt->groups, &text))
        return nth_word(text, (*place)++, out_group);
    if (ax_json_kind(jwt->groups) != AX_JSON_ARRAY)
        return false;
    struct ax_json_iter it = ax_json_iter_of(jwt->groups);
    while (ax_json_next(&it))
        if (it.index >= *place && ax_json_text(it.value, out_group)) {
            *place = it.index + 1;
            return true;
        }
    return false;
}

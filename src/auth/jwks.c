#include "auth/jwks.h"

#include "base/alloc.h"
#include "codec/json.h"
#include "codec/text.h"

enum { ARENA_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 256 };

struct entry {
    ax_str name;   /* "" when it has none */
    int algorithm; /* the only one it is for, or -1 */
    struct ax_public_key *key;
};

struct ax_jwks {
    struct ax_arena *arena;
    struct entry entries[AX_JWKS_KEYS_MAX];
    size_t count;
};

static const char *const algorithm_words[AX_PUBLIC_KEY_ALGORITHM_COUNT] = {
    [AX_PUBLIC_KEY_RS256] = "RS256",
    [AX_PUBLIC_KEY_PS256] = "PS256",
    [AX_PUBLIC_KEY_ES256] = "ES256",
    [AX_PUBLIC_KEY_EDDSA] = "EdDSA",
};

bool
ax_jwks_algorithm_parse(ax_str word, enum ax_public_key_algorithm *out)
{
    for (size_t i = 0; i < AX_PUBLIC_KEY_ALGORITHM_COUNT; i++)
        if (ax_str_eq(word, ax_str_of(algorithm_words[i]))) {
            *out = (enum ax_public_key_algorithm)i;
            return true;
        }
    return false;
}

/* ---- one key ---- */

static ax_status
need_bytes(struct ax_ctx *ctx, const struct ax_json *json, const char *name, ax_str *out)
{
    ax_str text;
    AX_TRY(ax_json_need_text(ctx, json, name, &text));
    ax_status status = ax_base64url_decode(ctx, text, out);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "`%s`", name);
}

static ax_status
take_numbers(struct ax_ctx *ctx, const struct ax_json *json, ax_str kind,
             struct ax_public_key **out_key)
{
    ax_str one, other;
    if (ax_str_eq(kind, AX_STR("RSA"))) {
        AX_TRY(need_bytes(ctx, json, "n", &one));
        AX_TRY(need_bytes(ctx, json, "e", &other));
        return ax_public_key_of_rsa(ctx, one, other, out_key);
    }
    AX_TRY(need_bytes(ctx, json, "x", &one));
    if (ax_str_eq(kind, AX_STR("OKP")))
        return ax_public_key_of_ed25519(ctx, one, out_key);
    AX_TRY(need_bytes(ctx, json, "y", &other));
    return ax_public_key_of_p256(ctx, one, other, out_key);
}

/* Whether it is of a kind that is verified with here. */
static bool
is_known(ax_str kind, ax_str curve)
{
    return ax_str_eq(kind, AX_STR("RSA")) ||
           (ax_str_eq(kind, AX_STR("EC")) && ax_str_eq(curve, AX_STR("P-256"))) ||
           (ax_str_eq(kind, AX_STR("OKP")) && ax_str_eq(curve, AX_STR("Ed25519")));
}

/* RFC 7517 sections 4.2 and 4.3: absent means any use. */
static bool
is_for_signatures(const struct ax_json *json, ax_str use)
{
    const struct ax_json *uses = ax_json_find(json, "key_ops");
    struct ax_json_iter it = ax_json_iter_of(uses);
    bool named = false;
    while (ax_json_next(&it)) {
        ax_str word = AX_STR("");
        named |= ax_json_text(it.value, &word) && ax_str_eq(word, AX_STR("verify"));
    }
    return (use.len == 0 || ax_str_eq(use, AX_STR("sig"))) && (!uses || named);
}

static ax_status
take_key(struct ax_jwks *keys, struct ax_ctx *ctx, const struct ax_json *json)
{
    struct entry entry = {.algorithm = -1};
    enum ax_public_key_algorithm algorithm;
    ax_str kind = AX_STR(""), curve = AX_STR(""), use = AX_STR(""), word = AX_STR("");
    ax_str name = AX_STR("");
    AX_TRY(ax_json_need_text(ctx, json, "kty", &kind));
    AX_TRY(ax_json_may_text(ctx, json, "crv", &curve));
    AX_TRY(ax_json_may_text(ctx, json, "use", &use));
    AX_TRY(ax_json_may_text(ctx, json, "alg", &word));
    AX_TRY(ax_json_may_text(ctx, json, "kid", &name));
    if (!is_known(kind, curve) || !is_for_signatures(json, use))
        return AX_OK;
    if (ax_json_find(json, "d"))
        return ax_fail(ctx, AX_INVALID, "it shows its private half; it must be given up");
    if (word.len && !ax_jwks_algorithm_parse(word, &algorithm))
        return AX_OK;
    if (name.len > NAME_BYTES_MAX || !ax_str_copy(keys->arena, name, &entry.name))
        return ax_fail(ctx, AX_INVALID, "its name has %zu bytes", name.len);
    AX_TRY(take_numbers(ctx, json, kind, &entry.key));
    if (word.len)
        entry.algorithm = (int)algorithm;
    keys->entries[keys->count++] = entry;
    return AX_OK;
}

/* ---- the set ---- */

static ax_status
take_keys(struct ax_jwks *keys, struct ax_ctx *ctx, ax_str text)
{
    const struct ax_json *json, *list;
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    AX_TRY(ax_json_need_array(ctx, json, "keys", &list));
    if (ax_json_count(list) > AX_JWKS_KEYS_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu keys; at most %d are taken", ax_json_count(list),
                       (int)AX_JWKS_KEYS_MAX);
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        ax_status status = take_key(keys, ctx, it.value);
        if (status != AX_OK)
            return ax_explain(ctx, status, "key %zu", it.index);
    }
    return keys->count > 0
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "no key of RSA, P-256 or Ed25519 for signatures");
}

ax_status
ax_jwks_parse(struct ax_ctx *ctx, ax_str text, struct ax_jwks **out_keys)
{
    struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    ax_auto(ax_jwks_free) struct ax_jwks *keys = arena ? AX_NEW(arena, struct ax_jwks) : NULL;
    if (!keys) {
        if (arena)
            ax_arena_free(arena);
        return ax_fail(ctx, AX_LIMIT, "no memory for keys");
    }
    keys->arena = arena;
    if (text.len > AX_JWKS_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a JWK set of %zu bytes", text.len);
    ax_status status = take_keys(keys, ctx, text);
    if (status != AX_OK)
        return ax_explain(ctx, status, "the JWK set");
    *out_keys = ax_take(keys);
    return AX_OK;
}

void
ax_jwks_free(struct ax_jwks *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        ax_public_key_free(keys->entries[i].key);
    ax_arena_free(keys->arena); /* keys is in it */
}

size_t
ax_jwks_count(const struct ax_jwks *keys)
{
    return keys->count;
}

static bool
fits(const struct entry *entry, enum ax_public_key_algorithm algorithm)
{
    return ax_public_key_fits(entry->key, algorithm) &&
           (entry->algorithm < 0 || entry->algorithm == (int)algorithm);
}

ax_status
ax_jwks_find(const struct ax_jwks *keys, struct ax_ctx *ctx, ax_str name,
             enum ax_public_key_algorithm algorithm, const struct ax_public_key **out_key)
{
    const struct entry *found = NULL;
    size_t fitting = 0;
    bool named = false;
    for (size_t i = 0; i < keys->count; i++) {
        const struct entry *entry = &keys->entries[i];
        if (name.len && !ax_str_eq(entry->name, name))
            continue;
        named = true;
        if (!fits(entry, algorithm))
            continue;
        found = found ? found : entry;
        fitting++;
    }
    if (found && (name.len || fitting == 1)) {
        *out_key = found->key;
        return AX_OK;
    }
    if (found)
        return ax_fail(ctx, AX_NOT_FOUND, "the token names no key, and the issuer has %zu for %s",
                       fitting, algorithm_words[algorithm]);
    if (named)
        return ax_fail(ctx, AX_NOT_FOUND, "the token's key is none for %s",
                       algorithm_words[algorithm]);
    return ax_fail(ctx, AX_NOT_FOUND, "the token's key \"%.*s\" is not among the issuer's",
                   AX_FMT(name));
}

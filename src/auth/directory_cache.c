#include "auth/directory_cache.h"

enum { FORM = 2 };

/* ---- writing ---- */

static void
put_hex(struct ax_json_writer *json, const char *name, const uint8_t bytes[32])
{
    ax_digest digest;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    memcpy(digest.bytes, bytes, sizeof digest.bytes);
    ax_json_member_text(json, name, ax_digest_hex(digest, hex));
}

static void
put_user(struct ax_json_writer *json, const struct ax_directory_user *user)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", user->id);
    ax_json_member_text(json, "name", user->name);
    ax_json_member_bool(json, "person", user->kind == AX_ACTOR_PERSON);
    ax_json_member_i64(json, "roles", user->roles);
    ax_json_member_i64(json, "line", user->line);
    ax_json_member_text(json, "manager", user->manager);
    ax_json_member_bool(json, "disabled", user->disabled);
    ax_json_member_i64(json, "created_ns", user->created_ns);
    ax_json_member_bool(json, "limited", user->limited);
    ax_json_end_object(json);
}

static void
put_key(struct ax_json_writer *json, const struct ax_directory_key *key, ax_str user)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", key->id);
    ax_json_member_text(json, "user", user);
    put_hex(json, "public_key", key->public_key);
    ax_json_member_i64(json, "valid_from_ns", key->valid_from_ns);
    ax_json_member_i64(json, "valid_until_ns", key->valid_until_ns);
    ax_json_member_i64(json, "revoked_ns", key->revoked_ns);
    ax_json_end_object(json);
}

static void
put_token(struct ax_json_writer *json, const struct ax_directory_token *token)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", token->id);
    ax_json_member_text(json, "user", token->user_id);
    put_hex(json, "hash", token->hash.bytes);
    ax_json_member_i64(json, "expires_ns", token->expires_ns);
    ax_json_end_object(json);
}

static void
put_grant(struct ax_json_writer *json, const struct ax_directory_grant *grant)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "user", grant->user_id);
    ax_json_member_text(json, "pattern", grant->grant.pattern);
    ax_json_member_i64(json, "level", grant->grant.level);
    ax_json_end_object(json);
}

static void
put_identity(struct ax_json_writer *json, const struct ax_directory_identity *known)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "user", known->user_id);
    ax_json_member_text(json, "identity", known->identity);
    ax_json_end_object(json);
}

static void
put_state(const struct ax_directory_state *state, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_i64(json, "axiom_directory", FORM);
    ax_json_key(json, "users");
    ax_json_begin_array(json);
    for (size_t i = 0; i < state->users.count; i++)
        put_user(json, &state->users.items[i]);
    ax_json_end_array(json);
    ax_json_key(json, "keys");
    ax_json_begin_array(json);
    for (size_t i = 0; i < state->keys.count; i++)
        put_key(json, &state->keys.items[i], state->key_users.items[i]);
    ax_json_end_array(json);
    ax_json_key(json, "tokens");
    ax_json_begin_array(json);
    for (size_t i = 0; i < state->tokens.count; i++)
        put_token(json, &state->tokens.items[i]);
    ax_json_end_array(json);
    ax_json_key(json, "grants");
    ax_json_begin_array(json);
    for (size_t i = 0; i < state->grants.count; i++)
        put_grant(json, &state->grants.items[i]);
    ax_json_end_array(json);
    ax_json_key(json, "identities");
    ax_json_begin_array(json);
    for (size_t i = 0; i < state->identities.count; i++)
        put_identity(json, &state->identities.items[i]);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

void
ax_directory_cache_format(const struct ax_directory_state *state, struct ax_writer *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_DIRECTORY_CACHE_BYTES_MAX - 128);
    struct ax_json_writer json = ax_json_writer_of(&text);
    put_state(state, &json);
    ax_writer_bytes(out, ax_digest_hex(ax_sha256(ax_writer_str(&text)), hex));
    ax_writer_char(out, '\n');
    ax_writer_bytes(out, ax_writer_str(&text));
    if (text.status != AX_OK)
        out->status = text.status;
}

/* ---- reading: everything in the picture's own arena ---- */

static ax_status
need_hex(struct ax_ctx *ctx, const struct ax_json *json, const char *name, uint8_t out[32])
{
    ax_str hex;
    ax_digest digest;
    AX_TRY(ax_json_need_text(ctx, json, name, &hex));
    if (!ax_digest_parse(hex, &digest))
        return ax_fail(ctx, AX_INVALID, "`%s` is no SHA-256 or key in hex", name);
    memcpy(out, digest.bytes, sizeof digest.bytes);
    return AX_OK;
}

static ax_status
take_user(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json)
{
    bool person = false;
    int64_t roles = 0, line = 0;
    struct ax_directory_user user = {};
    AX_TRY(ax_json_need_text(ctx, json, "id", &user.id));
    AX_TRY(ax_json_need_text(ctx, json, "name", &user.name));
    AX_TRY(ax_json_need_bool(ctx, json, "person", &person));
    AX_TRY(ax_json_need_i64(ctx, json, "roles", &roles));
    AX_TRY(ax_json_need_i64(ctx, json, "line", &line));
    AX_TRY(ax_json_need_text(ctx, json, "manager", &user.manager));
    AX_TRY(ax_json_need_bool(ctx, json, "disabled", &user.disabled));
    AX_TRY(ax_json_need_i64(ctx, json, "created_ns", &user.created_ns));
    AX_TRY(ax_json_need_bool(ctx, json, "limited", &user.limited));
    if (roles < 0 || roles >> AX_ROLE_COUNT || line < 0 || line > 3)
        return ax_fail(ctx, AX_INVALID, "a user has roles or a line that are none");
    user.kind = person ? AX_ACTOR_PERSON : AX_ACTOR_SERVICE;
    user.roles = (uint32_t)roles;
    user.line = (int)line;
    struct ax_directory_user *place = AX_ARRAY_PUSH(state->arena, &state->users);
    if (!place)
        return ax_fail(ctx, AX_LIMIT, "no memory for users");
    *place = user;
    return AX_OK;
}

static ax_status
take_key(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json)
{
    ax_str owner;
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    struct ax_directory_key key = {};
    AX_TRY(ax_json_need_text(ctx, json, "id", &key.id));
    AX_TRY(ax_json_need_text(ctx, json, "user", &owner));
    AX_TRY(need_hex(ctx, json, "public_key", key.public_key));
    AX_TRY(ax_json_need_i64(ctx, json, "valid_from_ns", &key.valid_from_ns));
    AX_TRY(ax_json_need_i64(ctx, json, "valid_until_ns", &key.valid_until_ns));
    AX_TRY(ax_json_need_i64(ctx, json, "revoked_ns", &key.revoked_ns));
    if (!ax_str_eq(ax_signing_key_id(key.public_key, id), key.id))
        return ax_fail(ctx, AX_INVALID, "a key is not what its id says");
    struct ax_directory_key *place = AX_ARRAY_PUSH(state->arena, &state->keys);
    ax_str *user = place ? AX_ARRAY_PUSH(state->arena, &state->key_users) : NULL;
    if (!user)
        return ax_fail(ctx, AX_LIMIT, "no memory for keys");
    *place = key;
    *user = owner;
    return AX_OK;
}

static ax_status
take_token(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json)
{
    struct ax_directory_token token = {};
    AX_TRY(ax_json_need_text(ctx, json, "id", &token.id));
    AX_TRY(ax_json_need_text(ctx, json, "user", &token.user_id));
    AX_TRY(need_hex(ctx, json, "hash", token.hash.bytes));
    AX_TRY(ax_json_need_i64(ctx, json, "expires_ns", &token.expires_ns));
    struct ax_directory_token *place = AX_ARRAY_PUSH(state->arena, &state->tokens);
    if (!place)
        return ax_fail(ctx, AX_LIMIT, "no memory for tokens");
    *place = token;
    return AX_OK;
}

static ax_status
take_grant(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json)
{
    int64_t level = 0;
    struct ax_directory_grant grant = {};
    AX_TRY(ax_json_need_text(ctx, json, "user", &grant.user_id));
    AX_TRY(ax_json_need_text(ctx, json, "pattern", &grant.grant.pattern));
    AX_TRY(ax_json_need_i64(ctx, json, "level", &level));
    if (level <= AX_GRANT_NONE || level >= AX_GRANT_COUNT)
        return ax_fail(ctx, AX_INVALID, "a grant has a level that is none");
    grant.grant.level = (enum ax_grant_level)level;
    struct ax_directory_grant *place = AX_ARRAY_PUSH(state->arena, &state->grants);
    if (!place)
        return ax_fail(ctx, AX_LIMIT, "no memory for grants");
    *place = grant;
    return AX_OK;
}

static ax_status
take_identity(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json)
{
    struct ax_directory_identity known = {};
    AX_TRY(ax_json_need_text(ctx, json, "user", &known.user_id));
    AX_TRY(ax_json_need_text(ctx, json, "identity", &known.identity));
    struct ax_directory_identity *place = AX_ARRAY_PUSH(state->arena, &state->identities);
    if (!place)
        return ax_fail(ctx, AX_LIMIT, "no memory for identities");
    *place = known;
    return AX_OK;
}

static ax_status
take_each(struct ax_directory_state *state, struct ax_ctx *ctx, const struct ax_json *json,
          const char *name,
          ax_status (*take)(struct ax_directory_state *state, struct ax_ctx *ctx,
                            const struct ax_json *json))
{
    const struct ax_json *items;
    AX_TRY(ax_json_need_array(ctx, json, name, &items));
    struct ax_json_iter it = ax_json_iter_of(items);
    while (ax_json_next(&it))
        AX_TRY(take(state, ctx, it.value));
    return AX_OK;
}

static ax_status
take_state(struct ax_directory_state *state, struct ax_ctx *ctx, ax_str bytes)
{
    ax_str hex = {bytes.at, bytes.len < AX_DIGEST_HEX_BYTES ? bytes.len : AX_DIGEST_HEX_BYTES};
    ax_str text = ax_str_from(bytes, AX_DIGEST_HEX_BYTES + 1), own;
    ax_digest digest;
    int64_t form = 0;
    const struct ax_json *json;
    if (bytes.len <= AX_DIGEST_HEX_BYTES || bytes.at[AX_DIGEST_HEX_BYTES] != '\n' ||
        !ax_digest_parse(hex, &digest) || !ax_digest_eq(digest, ax_sha256(text)))
        return ax_fail(ctx, AX_CORRUPT, "its digest is not that of its content");
    if (!ax_str_copy(state->arena, text, &own))
        return ax_fail(ctx, AX_LIMIT, "no memory for it");
    AX_TRY(ax_json_parse(ctx, own, NULL, &json));
    AX_TRY(ax_json_need_i64(ctx, json, "axiom_directory", &form));
    if (form != FORM)
        return ax_fail(ctx, AX_UNSUPPORTED, "it has form %lld, this program reads %d",
                       (long long)form, FORM);
    AX_TRY(take_each(state, ctx, json, "users", take_user));
    AX_TRY(take_each(state, ctx, json, "keys", take_key));
    AX_TRY(take_each(state, ctx, json, "tokens", take_token));
    AX_TRY(take_each(state, ctx, json, "grants", take_grant));
    AX_TRY(take_each(state, ctx, json, "identities", take_identity));
    return ax_directory_state_index(state, ctx);
}

ax_status
ax_directory_cache_parse(struct ax_ctx *ctx, ax_str bytes, struct ax_directory_state **out_state)
{
    struct ax_directory_state *state = ax_directory_state_new();
    if (!state)
        return ax_fail(ctx, AX_LIMIT, "no memory for the directory of users");
    struct ax_ctx own = ax_ctx_of(state->arena);
    ax_status status = take_state(state, &own, bytes);
    if (status != AX_OK) {
        bool spent = status == AX_LIMIT;
        status =
            ax_fail(ctx, spent ? AX_LIMIT : AX_CORRUPT, "the copy of the directory: %s", own.error);
        ax_directory_state_free(state);
        return status;
    }
    *out_state = state;
    return AX_OK;
}

#include "auth/directory_state.h"

#include "auth/policy.h"
#include "base/map.h"
#include "codec/text.h"
#include "sys/clock.h"

enum { STATE_BYTES_MAX = 256 << 20, SLOTS_MIN = 16 };

#define USER_COLUMNS "id, name, kind, line, manager, roles, disabled, created_ns, limited"
#define KEY_COLUMNS  "id, user_id, public_key, valid_from_ns, valid_until_ns, revoked_ns"

struct ax_directory_state *
ax_directory_state_new(void)
{
    struct ax_arena *arena = ax_arena_new(STATE_BYTES_MAX);
    struct ax_directory_state *state = arena ? AX_NEW(arena, struct ax_directory_state) : NULL;
    if (state)
        state->arena = arena;
    else if (arena)
        ax_arena_free(arena);
    return state;
}

void
ax_directory_state_free(void *value)
{
    struct ax_directory_state *state = value;
    ax_arena_free(state->arena);
}
AX_DEFINE_AUTO(struct ax_directory_state, ax_directory_state_free);

/* ---- rows ---- */

static ax_status
take_user(struct ax_store_rows *rows, struct ax_ctx *ctx, struct ax_directory_user *user)
{
    ax_str id = ax_store_read_text(rows, 0);
    ax_str kind = ax_store_read_text(rows, 2);
    int64_t line = ax_store_read_i64(rows, 3);
    int64_t roles = ax_store_read_i64(rows, 5);
    *user = (struct ax_directory_user){
        .id = id,
        .name = ax_store_read_text(rows, 1),
        .kind = ax_str_eq(kind, AX_STR("person")) ? AX_ACTOR_PERSON : AX_ACTOR_SERVICE,
        .line = (int)line,
        .manager = ax_store_read_text(rows, 4),
        .roles = (uint32_t)roles,
        .disabled = ax_store_read_i64(rows, 6) != 0,
        .created_ns = ax_store_read_i64(rows, 7),
        .limited = ax_store_read_i64(rows, 8) != 0,
    };
    if (rows->status != AX_OK)
        return AX_OK; /* the caller's finish tells */
    if (roles < 0 || roles >> AX_ROLE_COUNT || line < 0 || line > 3)
        return ax_fail(ctx, AX_CORRUPT, "user %.*s has roles or a line that are none", AX_FMT(id));
    return AX_OK;
}

static ax_status
take_key(struct ax_store_rows *rows, struct ax_ctx *ctx, struct ax_directory_key *key,
         ax_str *out_user)
{
    ax_digest public_key = {};
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    ax_str hex = ax_store_read_text(rows, 2);
    *out_user = ax_store_read_text(rows, 1);
    *key = (struct ax_directory_key){
        .id = ax_store_read_text(rows, 0),
        .valid_from_ns = ax_store_read_i64(rows, 3),
        .valid_until_ns = ax_store_read_i64(rows, 4),
        .revoked_ns = ax_store_read_i64_or(rows, 5, 0),
    };
    if (rows->status != AX_OK)
        return AX_OK; /* the caller's finish tells */
    static_assert(sizeof key->public_key == sizeof public_key.bytes);
    bool sound = ax_digest_parse(hex, &public_key);
    memcpy(key->public_key, public_key.bytes, sizeof key->public_key);
    if (!sound || !ax_str_eq(ax_signing_key_id(key->public_key, id), key->id))
        return ax_fail(ctx, AX_CORRUPT, "key %.*s of %.*s is not what its id says", AX_FMT(key->id),
                       AX_FMT(*out_user));
    return AX_OK;
}

static ax_status
take_token(struct ax_store_rows *rows, struct ax_ctx *ctx, struct ax_directory_token *token)
{
    ax_str hash = ax_store_read_text(rows, 2);
    *token = (struct ax_directory_token){
        .id = ax_store_read_text(rows, 0),
        .user_id = ax_store_read_text(rows, 1),
        .expires_ns = ax_store_read_i64(rows, 3),
    };
    if (rows->status == AX_OK && !ax_digest_parse(hash, &token->hash))
        return ax_fail(ctx, AX_CORRUPT, "token %.*s has no SHA-256", AX_FMT(token->id));
    return AX_OK;
}

static ax_status
take_grant(struct ax_store_rows *rows, struct ax_ctx *ctx, struct ax_directory_grant *grant)
{
    int64_t level = ax_store_read_i64(rows, 2);
    grant->user_id = ax_store_read_text(rows, 0);
    grant->grant.pattern = ax_store_read_text(rows, 1);
    if (rows->status == AX_OK && (level <= AX_GRANT_NONE || level >= AX_GRANT_COUNT))
        return ax_fail(ctx, AX_CORRUPT, "a grant of %.*s has no level", AX_FMT(grant->user_id));
    grant->grant.level = (enum ax_grant_level)level;
    return AX_OK;
}

static ax_status
read_users(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select " USER_COLUMNS " from users order by id"),
                          AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_user *user = AX_ARRAY_PUSH(state->arena, &state->users);
        status = user ? take_user(rows, ctx, user) : ax_fail(ctx, AX_LIMIT, "no memory for users");
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

static ax_status
read_keys(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select " KEY_COLUMNS " from user_keys order by user_id, id"),
                          AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_key *key = AX_ARRAY_PUSH(state->arena, &state->keys);
        ax_str *user = key ? AX_ARRAY_PUSH(state->arena, &state->key_users) : NULL;
        status =
            user ? take_key(rows, ctx, key, user) : ax_fail(ctx, AX_LIMIT, "no memory for keys");
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

static ax_status
read_tokens(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, user_id, hash, expires_ns from tokens "
                                 "where revoked_ns is null order by id"),
                          AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_token *token = AX_ARRAY_PUSH(state->arena, &state->tokens);
        status =
            token ? take_token(rows, ctx, token) : ax_fail(ctx, AX_LIMIT, "no memory for tokens");
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

static ax_status
read_grants(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select user_id, pattern, level from user_models "
                                 "order by user_id, pattern"),
                          AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_grant *grant = AX_ARRAY_PUSH(state->arena, &state->grants);
        status =
            grant ? take_grant(rows, ctx, grant) : ax_fail(ctx, AX_LIMIT, "no memory for grants");
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

static ax_status
read_identities(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select user_id, identity from user_identities "
                                 "order by user_id, identity"),
                          AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_identity *known = AX_ARRAY_PUSH(state->arena, &state->identities);
        if (known)
            *known = (struct ax_directory_identity){.user_id = ax_store_read_text(rows, 0),
                                                    .identity = ax_store_read_text(rows, 1)};
        else
            status = ax_fail(ctx, AX_LIMIT, "no memory for identities");
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

static ax_status
read_all(struct ax_store *store, struct ax_ctx *ctx, struct ax_directory_state *state)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(read_users(tx, ctx, state));
    AX_TRY(read_keys(tx, ctx, state));
    AX_TRY(read_tokens(tx, ctx, state));
    AX_TRY(read_grants(tx, ctx, state));
    AX_TRY(read_identities(tx, ctx, state));
    return ax_directory_state_index(state, ctx);
}

ax_status
ax_directory_state_read(struct ax_store *store, struct ax_ctx *ctx,
                        struct ax_directory_state **out_state)
{
    ax_auto(ax_directory_state_free) struct ax_directory_state *state = ax_directory_state_new();
    if (!state)
        return ax_fail(ctx, AX_LIMIT, "no memory for the directory of users");
    struct ax_ctx own = ax_ctx_of(state->arena); /* what is read lives as long as the picture */
    own.deadline_ns = ctx->deadline_ns;
    ax_status status = read_all(store, &own, state);
    if (status != AX_OK)
        return ax_fail(ctx, status, "read the directory of users: %s", own.error);
    *out_state = ax_take(state);
    return AX_OK;
}

/* ---- finding ---- */

static ax_status
join_keys(struct ax_directory_state *state, struct ax_ctx *ctx)
{
    for (size_t i = 0; i < state->keys.count; i++) {
        struct ax_directory_user *user = ax_map_find(state->by_id, state->key_users.items[i]);
        if (!user || (user->keys && user->keys + user->key_count != &state->keys.items[i]))
            return ax_fail(ctx, AX_CORRUPT, "key %.*s is nobody's, or out of order",
                           AX_FMT(state->keys.items[i].id));
        if (!user->keys)
            user->keys = &state->keys.items[i];
        user->key_count++;
    }
    return AX_OK;
}

static size_t
slot_of(const struct ax_directory_state *state, ax_digest hash)
{
    uint64_t place;
    memcpy(&place, hash.bytes, sizeof place); /* of a SHA-256: nobody chooses it */
    return (size_t)place & (state->slot_count - 1);
}

static ax_status
join_tokens(struct ax_directory_state *state, struct ax_ctx *ctx)
{
    for (size_t i = 0; i < state->tokens.count; i++) {
        struct ax_directory_token *token = &state->tokens.items[i];
        token->user = ax_map_find(state->by_id, token->user_id);
        if (!token->user || ax_directory_state_token(state, token->hash))
            return ax_fail(ctx, AX_CORRUPT, "token %.*s is nobody's, or there twice",
                           AX_FMT(token->id));
        size_t slot = slot_of(state, token->hash);
        while (state->slots[slot])
            slot = (slot + 1) & (state->slot_count - 1);
        state->slots[slot] = (uint32_t)i + 1;
    }
    return AX_OK;
}

/* The user's grants as they stand in an array of their own: what actors carry. */
static ax_status
join_grants(struct ax_directory_state *state, struct ax_ctx *ctx)
{
    struct ax_grant *grants = NULL;
    if (state->grants.count)
        grants = AX_NEW_ARRAY(state->arena, struct ax_grant, state->grants.count);
    if (state->grants.count && !grants)
        return ax_fail(ctx, AX_LIMIT, "no memory for grants");
    for (size_t i = 0; i < state->grants.count; i++) {
        struct ax_directory_user *user = ax_map_find(state->by_id, state->grants.items[i].user_id);
        grants[i] = state->grants.items[i].grant;
        if (!user || (user->grants && user->grants + user->grant_count != &grants[i]))
            return ax_fail(ctx, AX_CORRUPT, "a grant of %.*s is nobody's, or out of order",
                           AX_FMT(state->grants.items[i].user_id));
        if (!user->grants)
            user->grants = &grants[i];
        user->grant_count++;
    }
    return AX_OK;
}

static ax_status
join_identities(struct ax_directory_state *state, struct ax_ctx *ctx)
{
    ax_str *names = NULL;
    if (state->identities.count)
        names = AX_NEW_ARRAY(state->arena, ax_str, state->identities.count);
    if (state->identities.count && !names)
        return ax_fail(ctx, AX_LIMIT, "no memory for identities");
    for (size_t i = 0; i < state->identities.count; i++) {
        struct ax_directory_identity *known = &state->identities.items[i];
        struct ax_directory_user *user = ax_map_find(state->by_id, known->user_id);
        names[i] = known->identity;
        if (!user || ax_map_find(state->by_identity, known->identity) ||
            (user->identities && user->identities + user->identity_count != &names[i]))
            return ax_fail(ctx, AX_CORRUPT,
                           "identity %.*s is nobody's, there twice or out of order",
                           AX_FMT(known->identity));
        known->user = user;
        if (!user->identities)
            user->identities = &names[i];
        user->identity_count++;
        if (!ax_map_put(state->by_identity, known->identity, known))
            return ax_fail(ctx, AX_LIMIT, "no memory to index identities");
    }
    return AX_OK;
}

ax_status
ax_directory_state_index(struct ax_directory_state *state, struct ax_ctx *ctx)
{
    state->by_id = ax_map_new(state->arena);
    state->by_identity = ax_map_new(state->arena);
    state->slot_count = SLOTS_MIN;
    while (state->slot_count < 2 * state->tokens.count)
        state->slot_count *= 2;
    state->slots = AX_NEW_ARRAY(state->arena, uint32_t, state->slot_count);
    if (!state->by_id || !state->by_identity || !state->slots)
        return ax_fail(ctx, AX_LIMIT, "no memory to index users");
    for (size_t i = 0; i < state->users.count; i++) {
        struct ax_directory_user *user = &state->users.items[i];
        if (ax_map_find(state->by_id, user->id))
            return ax_fail(ctx, AX_CORRUPT, "user %.*s is there twice", AX_FMT(user->id));
        if (!ax_map_put(state->by_id, user->id, user))
            return ax_fail(ctx, AX_LIMIT, "no memory to index users");
    }
    AX_TRY(join_keys(state, ctx));
    AX_TRY(join_grants(state, ctx));
    AX_TRY(join_identities(state, ctx));
    return join_tokens(state, ctx);
}

const struct ax_directory_user *
ax_directory_state_user(const struct ax_directory_state *state, ax_str id)
{
    return ax_map_find(state->by_id, id);
}

const struct ax_directory_token *
ax_directory_state_token(const struct ax_directory_state *state, ax_digest hash)
{
    for (size_t slot = slot_of(state, hash); state->slots[slot];
         slot = (slot + 1) & (state->slot_count - 1)) {
        const struct ax_directory_token *token = &state->tokens.items[state->slots[slot] - 1];
        if (ax_digest_eq(token->hash, hash))
            return token;
    }
    return NULL;
}

const struct ax_directory_user *
ax_directory_state_known_as(const struct ax_directory_state *state, ax_str identity)
{
    const struct ax_directory_identity *known = ax_map_find(state->by_identity, identity);
    return known ? known->user : NULL;
}

/* ---- who asks ---- */

static bool
copy_grants(struct ax_ctx *ctx, const struct ax_directory_user *user, struct ax_actor *actor)
{
    struct ax_grant *grants = NULL;
    if (user->grant_count)
        grants = AX_NEW_ARRAY(ctx->arena, struct ax_grant, user->grant_count);
    if (user->grant_count && !grants)
        return false;
    for (size_t i = 0; i < user->grant_count; i++) {
        grants[i].level = user->grants[i].level;
        if (!ax_str_copy(ctx->arena, user->grants[i].pattern, &grants[i].pattern))
            return false;
    }
    actor->grants = grants;
    actor->grant_count = user->grant_count;
    return true;
}

ax_status
ax_directory_state_actor(struct ax_ctx *ctx, const struct ax_directory_user *user,
                         struct ax_actor *out_actor)
{
    struct ax_actor actor = {
        .kind = user->kind,
        .roles = user->roles,
        .line = user->line,
        .authenticated_by = AX_STR(""),
        .limited = user->limited,
    };
    if (!ax_str_copy(ctx->arena, user->id, &actor.id) ||
        !ax_str_copy(ctx->arena, user->manager, &actor.manager) ||
        (user->limited && !copy_grants(ctx, user, &actor)))
        return ax_fail(ctx, AX_LIMIT, "no memory to say who asks");
    *out_actor = actor;
    return AX_OK;
}

/* ---- one user ---- */

static ax_status
read_user_keys(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_user *user)
{
    struct {
        AX_ARRAY(struct ax_directory_key)
    } keys = {};
    ax_str owner;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select " KEY_COLUMNS " from user_keys where user_id = $1 order by id"),
        AX_STORE_PARAMS(ax_store_text(user->id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_key *key = AX_ARRAY_PUSH(ctx->arena, &keys);
        status =
            key ? take_key(rows, ctx, key, &owner) : ax_fail(ctx, AX_LIMIT, "no memory for keys");
    }
    ax_status finished = ax_store_finish(rows);
    user->keys = keys.items;
    user->key_count = keys.count;
    return status == AX_OK ? finished : status;
}

static ax_status
read_user_grants(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_user *user)
{
    struct {
        AX_ARRAY(struct ax_grant)
    } grants = {};
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select user_id, pattern, level from user_models "
                                 "where user_id = $1 order by pattern"),
                          AX_STORE_PARAMS(ax_store_text(user->id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_directory_grant one;
        struct ax_grant *grant = AX_ARRAY_PUSH(ctx->arena, &grants);
        status = grant ? take_grant(rows, ctx, &one) : ax_fail(ctx, AX_LIMIT, "no memory");
        if (status == AX_OK)
            *grant = one.grant;
    }
    ax_status finished = ax_store_finish(rows);
    user->grants = grants.items;
    user->grant_count = grants.count;
    return status == AX_OK ? finished : status;
}

static ax_status
read_user_identities(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_directory_user *user)
{
    struct {
        AX_ARRAY(ax_str)
    } names = {};
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select identity from user_identities where user_id = $1 "
                                 "order by identity"),
                          AX_STORE_PARAMS(ax_store_text(user->id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        ax_str *name = AX_ARRAY_PUSH(ctx->arena, &names);
        if (name)
            *name = ax_store_read_text(rows, 0);
        else
            status = ax_fail(ctx, AX_LIMIT, "no memory for identities");
    }
    ax_status finished = ax_store_finish(rows);
    user->identities = names.items;
    user->identity_count = names.count;
    return status == AX_OK ? finished : status;
}

ax_status
ax_directory_state_read_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                             struct ax_directory_user *out_user)
{
    struct ax_directory_user user = {};
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select " USER_COLUMNS " from users where id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    ax_status status = found ? take_user(rows, ctx, &user) : AX_OK;
    ax_status finished = ax_store_finish(rows);
    AX_TRY(status);
    AX_TRY(finished);
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no user \"%.*s\"", AX_FMT(id));
    AX_TRY(read_user_keys(tx, ctx, &user));
    AX_TRY(read_user_grants(tx, ctx, &user));
    AX_TRY(read_user_identities(tx, ctx, &user));
    *out_user = user;
    return AX_OK;
}

static void
write_time(struct ax_json_writer *out, const char *name, int64_t ns)
{
    char text[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(out, name, ax_clock_format(ns, text));
}

static void
write_key(const struct ax_directory_key *key, struct ax_json_writer *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * AX_PUBLIC_KEY_BYTES);
    ax_base64_encode((ax_str){(const char *)key->public_key, AX_PUBLIC_KEY_BYTES}, &text);
    if (text.status != AX_OK)
        out->out->status = text.status;
    ax_json_begin_object(out);
    ax_json_member_text(out, "id", key->id);
    ax_json_member_text(out, "public_key", ax_writer_str(&text));
    write_time(out, "valid_from", key->valid_from_ns);
    write_time(out, "valid_until", key->valid_until_ns);
    if (key->revoked_ns)
        write_time(out, "revoked", key->revoked_ns);
    ax_json_end_object(out);
}

/* Neither is there for who has none: most users. */
static void
write_bounds(const struct ax_directory_user *user, struct ax_json_writer *out)
{
    if (user->limited) {
        ax_json_key(out, "models");
        ax_json_begin_object(out);
        for (size_t i = 0; i < user->grant_count; i++) {
            ax_json_key_str(out, user->grants[i].pattern);
            ax_json_put_text(out, ax_str_of(ax_policy_level_name(user->grants[i].level)));
        }
        ax_json_end_object(out);
    }
    if (user->identity_count == 0)
        return;
    ax_json_key(out, "identities");
    ax_json_begin_array(out);
    for (size_t i = 0; i < user->identity_count; i++)
        ax_json_put_text(out, user->identities[i]);
    ax_json_end_array(out);
}

void
ax_directory_state_write_user(const struct ax_directory_user *user, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    ax_json_member_text(out, "id", user->id);
    ax_json_member_text(out, "name", user->name);
    ax_json_member_text(out, "kind",
                        user->kind == AX_ACTOR_PERSON ? AX_STR("person") : AX_STR("service"));
    ax_json_key(out, "roles");
    ax_json_begin_array(out);
    for (size_t i = 0; i < AX_ROLE_COUNT; i++)
        if (user->roles >> i & 1)
            ax_json_put_text(out, ax_str_of(ax_policy_role_name((enum ax_role)i)));
    ax_json_end_array(out);
    ax_json_member_i64(out, "line", user->line);
    ax_json_member_text(out, "manager", user->manager);
    ax_json_member_bool(out, "disabled", user->disabled);
    write_time(out, "created", user->created_ns);
    ax_json_key(out, "keys");
    ax_json_begin_array(out);
    for (size_t i = 0; i < user->key_count; i++)
        write_key(&user->keys[i], out);
    ax_json_end_array(out);
    write_bounds(user, out);
    ax_json_end_object(out);
}

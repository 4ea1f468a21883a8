/* What gates ask, and what an approved proposal does, in the transaction of the change. */
#include "auth/directory.h"
#include "auth/directory_state.h"
#include "auth/policy.h"
#include "codec/text.h"
#include "store/store.h"
#include "sys/clock.h"

enum { PATTERN_BYTES_MAX = 256, IDENTITY_BYTES_MAX = 512 };
enum { MANAGERS_MAX = 64, LINE_MAX = 3, VALID_DAYS_MAX = 1'096, VALID_DAYS = 365 };

#define NS_PER_DAY INT64_C(86'400'000'000'000)

/* ---- asking ---- */

ax_status
ax_directory_read_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                       struct ax_directory_user *out_user)
{
    return ax_directory_state_read_user(tx, ctx, id, out_user);
}

ax_status
ax_directory_write_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                        struct ax_json_writer *out)
{
    struct ax_directory_user user;
    AX_TRY(ax_directory_state_read_user(tx, ctx, id, &user));
    ax_directory_state_write_user(&user, out);
    return AX_OK;
}

/* Whether `id` reports to `above`, at once or over others. */
static ax_status
reports_to(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, ax_str above, bool *out_so)
{
    struct ax_directory_user user;
    for (int steps = 0; steps < MANAGERS_MAX; steps++) {
        AX_TRY(ax_directory_state_read_user(tx, ctx, id, &user));
        *out_so = user.manager.len && ax_str_eq(user.manager, above);
        if (*out_so || !user.manager.len)
            return AX_OK;
        id = user.manager;
    }
    return ax_fail(ctx, AX_CORRUPT, "%.*s has more than %d managers above, or a circle of them",
                   AX_FMT(id), MANAGERS_MAX);
}

ax_status
ax_directory_check_independent(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str one, ax_str other)
{
    bool below = false, above = false;
    if (ax_str_eq(one, other))
        return ax_fail(ctx, AX_DENIED, "%.*s is the same person", AX_FMT(one));
    AX_TRY(reports_to(tx, ctx, one, other, &below));
    AX_TRY(reports_to(tx, ctx, other, one, &above));
    if (below)
        return ax_fail(ctx, AX_DENIED, "%.*s reports to %.*s", AX_FMT(one), AX_FMT(other));
    if (above)
        return ax_fail(ctx, AX_DENIED, "%.*s reports to %.*s", AX_FMT(other), AX_FMT(one));
    return AX_OK;
}

static bool
key_holds(const struct ax_directory_key *key, int64_t now_ns)
{
    return !key->revoked_ns && now_ns >= key->valid_from_ns && now_ns < key->valid_until_ns;
}

ax_status
ax_directory_holders(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_role role, ax_str except,
                     int64_t out_counts[2])
{
    int64_t all, keyed, bit = INT64_C(1) << role;
    AX_TRY(ax_store_get_i64(tx, ctx,
                            AX_STR("select count(*) from users where kind = 'person' and "
                                   "disabled = 0 and (roles & $1) <> 0 and id <> $2"),
                            AX_STORE_PARAMS(ax_store_i64(bit), ax_store_text(except)), &all));
    AX_TRY(ax_store_get_i64(
        tx, ctx,
        AX_STR("select count(*) from users u where u.kind = 'person' and u.disabled = 0 and "
               "(u.roles & $1) <> 0 and u.id <> $2 and exists (select 1 from user_keys k where "
               "k.user_id = u.id and k.revoked_ns is null and k.valid_from_ns <= $3 and "
               "k.valid_until_ns > $3)"),
        AX_STORE_PARAMS(ax_store_i64(bit), ax_store_text(except), ax_store_i64(ax_clock_real_ns())),
        &keyed));
    out_counts[AX_DIRECTORY_ALL] = all;
    out_counts[AX_DIRECTORY_KEYED] = keyed;
    return AX_OK;
}

static const struct ax_directory_key *
find_key(const struct ax_directory_user *user, ax_str id)
{
    for (size_t i = 0; i < user->key_count; i++)
        if (ax_str_eq(user->keys[i].id, id))
            return &user->keys[i];
    return NULL;
}

ax_status
ax_directory_check_signature(struct ax_store_tx *tx, struct ax_ctx *ctx,
                             const struct ax_directory_signed *what)
{
    struct ax_directory_user user;
    ax_status status = ax_directory_state_read_user(tx, ctx, what->user, &user);
    if (status == AX_NOT_FOUND)
        return ax_fail(ctx, AX_DENIED, "nobody named \"%.*s\" can sign", AX_FMT(what->user));
    AX_TRY(status);
    if (user.kind != AX_ACTOR_PERSON || user.disabled)
        return ax_fail(ctx, AX_DENIED, "%.*s is %s and cannot sign", AX_FMT(user.id),
                       user.disabled ? "disabled" : "a service");
    const struct ax_directory_key *key = find_key(&user, what->key_id);
    if (!key)
        return ax_fail(ctx, AX_DENIED, "\"%.*s\" is no key of %.*s", AX_FMT(what->key_id),
                       AX_FMT(user.id));
    if (!key_holds(key, ax_clock_real_ns()))
        return ax_fail(ctx, AX_DENIED, "key %.*s of %.*s %s", AX_FMT(key->id), AX_FMT(user.id),
                       key->revoked_ns ? "was revoked" : "is not valid now");
    if (what->signature.len != AX_SIGNATURE_BYTES ||
        !ax_ed25519_verify(key->public_key, what->message, what->signature))
        return ax_fail(ctx, AX_DENIED,
                       "the signature is not that of key %.*s over what was to be signed",
                       AX_FMT(key->id));
    return AX_OK;
}

/* ---- roles ---- */

static ax_status
take_roles(struct ax_ctx *ctx, const struct ax_json *change, const char *name, uint32_t *out_roles)
{
    const struct ax_json *words = ax_json_find(change, name);
    uint32_t roles = 0;
    *out_roles = 0;
    if (!words)
        return AX_OK;
    if (ax_json_kind(words) != AX_JSON_ARRAY)
        return ax_fail(ctx, AX_INVALID, "`%s` must be an array of roles", name);
    struct ax_json_iter it = ax_json_iter_of(words);
    while (ax_json_next(&it)) {
        ax_str word = AX_STR("?");
        enum ax_role role;
        if (!ax_json_text(it.value, &word) || !ax_policy_role_parse(word, &role))
            return ax_fail(ctx, AX_INVALID, "`%s`: \"%.*s\" is no role", name, AX_FMT(word));
        roles |= UINT32_C(1) << role;
    }
    *out_roles = roles;
    return AX_OK;
}

static ax_status
take_place(struct ax_ctx *ctx, const struct ax_json *change, struct ax_directory_user *user)
{
    int64_t line = user->line;
    AX_TRY(ax_json_may_i64(ctx, change, "line", &line));
    AX_TRY(ax_json_may_text(ctx, change, "manager", &user->manager));
    bool person = user->kind == AX_ACTOR_PERSON;
    if (person ? line < 1 || line > LINE_MAX : line != 0)
        return ax_fail(ctx, AX_INVALID, "`line` must be %s",
                       person ? "1, 2 or 3" : "0: a service is in none");
    user->line = (int)line;
    return AX_OK;
}

static ax_status
check_members(struct ax_ctx *ctx, const struct ax_json *change, const char *const *names,
              size_t name_count)
{
    if (ax_json_kind(change) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "`change` must be an object");
    struct ax_json_iter it = ax_json_iter_of(change);
    while (ax_json_next(&it)) {
        size_t i = 0;
        while (i < name_count && !ax_str_eq(it.key, ax_str_of(names[i])))
            i++;
        if (i == name_count)
            return ax_fail(ctx, AX_INVALID, "`change` has a member `%.*s`, which is none here",
                           AX_FMT(it.key));
    }
    return AX_OK;
}

/* ---- what the user is limited to, and is known as: both come whole ---- */

static ax_status
check_pattern(struct ax_ctx *ctx, ax_str pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        bool star = pattern.at[i] == '*' && i + 1 < pattern.len;
        if ((unsigned char)pattern.at[i] < ' ' || star)
            return ax_fail(ctx, AX_INVALID,
                           "`models`: \"%.*s\" is no name: a '*' may stand at its end alone",
                           AX_FMT(pattern));
    }
    if (pattern.len == 0 || pattern.len > PATTERN_BYTES_MAX || !ax_utf8_ok(pattern))
        return ax_fail(ctx, AX_INVALID, "`models`: a name has 1 to %d bytes of UTF-8",
                       PATTERN_BYTES_MAX);
    return AX_OK;
}

/* null takes the limit away; an object is the limit. */
static ax_status
take_models(struct ax_ctx *ctx, const struct ax_json *change, struct ax_directory_user *user)
{
    const struct ax_json *models = ax_json_find(change, "models");
    if (!models)
        return AX_OK;
    user->limited = ax_json_kind(models) != AX_JSON_NULL;
    user->grants = NULL;
    user->grant_count = 0;
    if (!user->limited)
        return AX_OK;
    size_t count = ax_json_count(models);
    if (ax_json_kind(models) != AX_JSON_OBJECT || count > AX_DIRECTORY_GRANTS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "`models` must be null, or an object of names and permissions, %d at most",
                       (int)AX_DIRECTORY_GRANTS_MAX);
    struct ax_grant *grants = AX_NEW_ARRAY(ctx->arena, struct ax_grant, count + 1);
    if (!grants)
        return ax_fail(ctx, AX_LIMIT, "no memory for grants");
    struct ax_json_iter it = ax_json_iter_of(models);
    while (ax_json_next(&it)) {
        struct ax_grant *grant = &grants[it.index];
        ax_str word = AX_STR("");
        grant->pattern = it.key;
        AX_TRY(check_pattern(ctx, it.key));
        if (!ax_json_text(it.value, &word) || !ax_policy_level_parse(word, &grant->level) ||
            grant->level == AX_GRANT_NONE)
            return ax_fail(ctx, AX_INVALID, "`models`: READ, USE, EDIT or MANAGE, not \"%.*s\"",
                           AX_FMT(word));
    }
    user->grants = grants;
    user->grant_count = count;
    return AX_OK;
}

static ax_status
check_identity(struct ax_ctx *ctx, ax_str identity)
{
    static const ax_str kinds[] = {
        {"uri:", 4}, {"dns:", 4}, {"email:", 6}, {"subject:", 8}, {"jwt:", 4}};
    bool known = false;
    for (size_t i = 0; i < AX_COUNT_OF(kinds); i++)
        known |= identity.len > kinds[i].len && ax_str_starts(identity, kinds[i]);
    if (!known || identity.len > IDENTITY_BYTES_MAX || !ax_utf8_ok(identity))
        return ax_fail(ctx, AX_INVALID,
                       "`identities`: \"%.*s\" does not begin with uri:, dns:, email:, subject: or "
                       "jwt:, or is too long",
                       (int)(identity.len < 64 ? identity.len : 64), identity.at);
    for (size_t i = 0; i < identity.len; i++)
        if ((unsigned char)identity.at[i] < ' ' || identity.at[i] == 0x7f)
            return ax_fail(ctx, AX_INVALID, "`identities`: one holds a control character");
    return AX_OK;
}

static ax_status
take_identities(struct ax_ctx *ctx, const struct ax_json *change, struct ax_directory_user *user)
{
    const struct ax_json *list = ax_json_find(change, "identities");
    size_t count = ax_json_count(list);
    if (!list)
        return AX_OK;
    if (ax_json_kind(list) != AX_JSON_ARRAY || count > AX_DIRECTORY_IDENTITIES_MAX)
        return ax_fail(ctx, AX_INVALID, "`identities` must be an array of texts, %d at most",
                       (int)AX_DIRECTORY_IDENTITIES_MAX);
    ax_str *names = AX_NEW_ARRAY(ctx->arena, ax_str, count + 1);
    if (!names)
        return ax_fail(ctx, AX_LIMIT, "no memory for identities");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        names[it.index] = AX_STR("");
        if (!ax_json_text(it.value, &names[it.index]))
            return ax_fail(ctx, AX_INVALID, "`identities` must be texts");
        AX_TRY(check_identity(ctx, names[it.index]));
        for (size_t i = 0; i < it.index; i++)
            if (ax_str_eq(names[i], names[it.index]))
                return ax_fail(ctx, AX_INVALID, "`identities`: %.*s is there twice",
                               AX_FMT(names[i]));
    }
    user->identities = names;
    user->identity_count = count;
    return AX_OK;
}

/* Whether what came whole is what was there, in whatever order. */
static bool
same_bounds(const struct ax_directory_user *one, const struct ax_directory_user *other)
{
    size_t same = 0;
    if (one->limited != other->limited || one->grant_count != other->grant_count ||
        one->identity_count != other->identity_count)
        return false;
    for (size_t i = 0; i < one->grant_count; i++)
        for (size_t j = 0; j < other->grant_count; j++)
            same += one->grants[i].level == other->grants[j].level &&
                    ax_str_eq(one->grants[i].pattern, other->grants[j].pattern);
    for (size_t i = 0; i < one->identity_count; i++)
        for (size_t j = 0; j < other->identity_count; j++)
            same += ax_str_eq(one->identities[i], other->identities[j]);
    return same == one->grant_count + one->identity_count;
}

static ax_status
check_identities(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_directory_user *user)
{
    int64_t others;
    for (size_t i = 0; i < user->identity_count; i++) {
        AX_TRY(ax_store_get_i64(
            tx, ctx,
            AX_STR("select count(*) from user_identities where identity = $1 and user_id <> $2"),
            AX_STORE_PARAMS(ax_store_text(user->identities[i]), ax_store_text(user->id)), &others));
        if (others)
            return ax_fail(ctx, AX_CONFLICT, "%.*s is an identity of somebody else",
                           AX_FMT(user->identities[i]));
    }
    return AX_OK;
}

/* The user's rows are those of `after`, and no others. */
static ax_status
put_bounds(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_directory_user *after)
{
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from user_models where user_id = $1"),
                        AX_STORE_PARAMS(ax_store_text(after->id)), NULL));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from user_identities where user_id = $1"),
                        AX_STORE_PARAMS(ax_store_text(after->id)), NULL));
    for (size_t i = 0; i < after->grant_count; i++)
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into user_models (user_id, pattern, level) values ($1, $2, $3)"),
            AX_STORE_PARAMS(ax_store_text(after->id), ax_store_text(after->grants[i].pattern),
                            ax_store_i64(after->grants[i].level)),
            NULL));
    for (size_t i = 0; i < after->identity_count; i++)
        AX_TRY(ax_store_run(
            tx, ctx, AX_STR("insert into user_identities (identity, user_id) values ($1, $2)"),
            AX_STORE_PARAMS(ax_store_text(after->identities[i]), ax_store_text(after->id)), NULL));
    return AX_OK;
}

/* The user as it would be. Fails when it could not be so. */
static ax_status
take_role_change(struct ax_ctx *ctx, const struct ax_json *change, struct ax_directory_user *user)
{
    static const char *const names[] = {"grant",   "revoke", "line",
                                        "manager", "models", "identities"};
    uint32_t grant, revoke;
    const struct ax_directory_user before = *user;
    AX_TRY(check_members(ctx, change, names, AX_COUNT_OF(names)));
    AX_TRY(take_roles(ctx, change, "grant", &grant));
    AX_TRY(take_roles(ctx, change, "revoke", &revoke));
    AX_TRY(take_place(ctx, change, user));
    AX_TRY(take_models(ctx, change, user));
    AX_TRY(take_identities(ctx, change, user));
    if (grant & revoke)
        return ax_fail(ctx, AX_INVALID, "a role is both granted and revoked");
    user->roles = (user->roles | grant) & ~revoke;
    if (user->roles == before.roles && user->line == before.line &&
        ax_str_eq(user->manager, before.manager) && same_bounds(user, &before))
        return ax_fail(ctx, AX_CONFLICT, "%.*s is so already: nothing would change",
                       AX_FMT(user->id));
    return ax_policy_check_roles(ctx, user->kind, user->roles);
}

static ax_status
check_manager(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_directory_user *user)
{
    bool circle = false;
    struct ax_directory_user manager;
    if (!user->manager.len)
        return AX_OK;
    ax_status status = ax_directory_state_read_user(tx, ctx, user->manager, &manager);
    if (status != AX_OK)
        return ax_explain(ctx, status, "`manager`");
    if (manager.kind != AX_ACTOR_PERSON)
        return ax_fail(ctx, AX_INVALID, "`manager`: a service manages nobody");
    AX_TRY(reports_to(tx, ctx, user->manager, user->id, &circle));
    if (circle || ax_str_eq(user->manager, user->id))
        return ax_fail(ctx, AX_INVALID, "`manager`: %.*s would report to themselves",
                       AX_FMT(user->id));
    return AX_OK;
}

static ax_status
judge_role(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, const struct ax_json *change,
           struct ax_directory_user *user)
{
    int64_t others[2];
    AX_TRY(ax_directory_state_read_user(tx, ctx, id, user));
    if (user->disabled)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is disabled", AX_FMT(id));
    bool was_admin = user->roles & AX_ROLE_BIT(SECURITY_ADMIN);
    AX_TRY(take_role_change(ctx, change, user));
    AX_TRY(check_manager(tx, ctx, user));
    AX_TRY(check_identities(tx, ctx, user));
    if (!was_admin || (user->roles & AX_ROLE_BIT(SECURITY_ADMIN)))
        return AX_OK;
    AX_TRY(ax_directory_holders(tx, ctx, AX_ROLE_SECURITY_ADMIN, id, others));
    if (others[AX_DIRECTORY_ALL] == 0)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is the last security administrator", AX_FMT(id));
    return AX_OK;
}

ax_status
ax_directory_check_role(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                        const struct ax_json *change)
{
    struct ax_directory_user after;
    return judge_role(tx, ctx, user, change, &after);
}

ax_status
ax_directory_apply_role(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                        const struct ax_json *change)
{
    struct ax_directory_user after;
    AX_TRY(judge_role(tx, ctx, user, change, &after));
    AX_TRY(put_bounds(tx, ctx, &after));
    return ax_store_run(
        tx, ctx,
        AX_STR("update users set roles = $2, line = $3, manager = $4, limited = $5 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(user), ax_store_i64(after.roles), ax_store_i64(after.line),
                        ax_store_text(after.manager), ax_store_i64(after.limited)),
        NULL);
}

/* ---- keys ---- */

struct key_change {
    bool enrol;
    ax_str revoke; /* id */
    uint8_t public_key[AX_PUBLIC_KEY_BYTES];
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    int64_t valid_days;
};

static ax_status
take_enrolment(struct ax_ctx *ctx, ax_str user, const struct ax_json *change,
               struct key_change *out)
{
    ax_str public_key, proof, message;
    uint8_t signature[AX_SIGNATURE_BYTES];
    out->valid_days = VALID_DAYS;
    AX_TRY(ax_json_need_text(ctx, change, "enroll", &public_key));
    AX_TRY(ax_json_need_text(ctx, change, "proof", &proof));
    AX_TRY(ax_json_may_i64(ctx, change, "valid_days", &out->valid_days));
    AX_TRY(ax_signing_key_parse(ctx, public_key, out->public_key));
    AX_TRY(ax_signing_signature_parse(ctx, proof, signature));
    if (out->valid_days < 1 || out->valid_days > VALID_DAYS_MAX)
        return ax_fail(ctx, AX_INVALID, "`valid_days` must be 1 to %d (R89)", VALID_DAYS_MAX);
    AX_TRY(ax_signing_enrolment_bytes(ctx, user, out->public_key, &message));
    if (!ax_ed25519_verify(out->public_key, message,
                           (ax_str){(const char *)signature, sizeof signature}))
        return ax_fail(ctx, AX_DENIED, "`proof` does not show that %.*s holds this key",
                       AX_FMT(user));
    ax_signing_key_id(out->public_key, out->id);
    return AX_OK;
}

static ax_status
take_key_change(struct ax_ctx *ctx, ax_str user, const struct ax_json *change,
                struct key_change *out)
{
    static const char *const enrol[] = {"enroll", "proof", "valid_days"};
    static const char *const revoke[] = {"revoke"};
    out->enrol = ax_json_find(change, "enroll") != NULL;
    if (out->enrol) {
        AX_TRY(check_members(ctx, change, enrol, AX_COUNT_OF(enrol)));
        return take_enrolment(ctx, user, change, out);
    }
    AX_TRY(check_members(ctx, change, revoke, AX_COUNT_OF(revoke)));
    return ax_json_need_text(ctx, change, "revoke", &out->revoke);
}

static ax_status
judge_key(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, const struct ax_json *change,
          struct key_change *out)
{
    int64_t known;
    struct ax_directory_user user;
    AX_TRY(ax_directory_state_read_user(tx, ctx, id, &user));
    AX_TRY(take_key_change(ctx, id, change, out));
    if (!out->enrol) {
        const struct ax_directory_key *key = find_key(&user, out->revoke);
        if (!key)
            return ax_fail(ctx, AX_NOT_FOUND, "\"%.*s\" is no key of %.*s", AX_FMT(out->revoke),
                           AX_FMT(id));
        return key->revoked_ns
                   ? ax_fail(ctx, AX_CONFLICT, "key %.*s was revoked already", AX_FMT(key->id))
                   : AX_OK;
    }
    if (user.kind != AX_ACTOR_PERSON)
        return ax_fail(ctx, AX_DENIED, "%.*s is a service: only people sign (R44)", AX_FMT(id));
    if (user.disabled)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is disabled", AX_FMT(id));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from user_keys where id = $1"),
                            AX_STORE_PARAMS(ax_store_text(ax_str_of(out->id))), &known));
    return known ? ax_fail(ctx, AX_CONFLICT, "key %s was enrolled before; make a new one", out->id)
                 : AX_OK;
}

ax_status
ax_directory_check_key(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                       const struct ax_json *change)
{
    struct key_change parsed = {};
    return judge_key(tx, ctx, user, change, &parsed);
}

ax_status
ax_directory_apply_key(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                       const struct ax_json *change)
{
    struct key_change parsed = {};
    int64_t now_ns = ax_clock_real_ns();
    AX_TRY(judge_key(tx, ctx, user, change, &parsed));
    if (!parsed.enrol)
        return ax_store_run(tx, ctx, AX_STR("update user_keys set revoked_ns = $2 where id = $1"),
                            AX_STORE_PARAMS(ax_store_text(parsed.revoke), ax_store_i64(now_ns)),
                            NULL);
    ax_digest public_key;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    memcpy(public_key.bytes, parsed.public_key, sizeof public_key.bytes);
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into user_keys (id, user_id, public_key, valid_from_ns, valid_until_ns) "
               "values ($1, $2, $3, $4, $5)"),
        AX_STORE_PARAMS(ax_store_text(ax_str_of(parsed.id)), ax_store_text(user),
                        ax_store_text(ax_digest_hex(public_key, hex)), ax_store_i64(now_ns),
                        ax_store_i64(now_ns + parsed.valid_days * NS_PER_DAY)),
        NULL);
}

#include "auth/jwt_issuer.h"

#include "auth/policy.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "base/map.h"
#include "base/number.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/snapshot.h"

enum { ARENA_BYTES_MAX = 64 << 10, MAPS_MAX = 64, FETCH_MS = 5'000 };
enum { ROWS = 512, PLACES = 4 };

#define NS_PER_MS  INT64_C(1'000'000)
#define NS_PER_S   INT64_C(1'000'000'000)
#define RETRY_NS   (10 * NS_PER_S) /* after a failure, and between unknown names */
#define AGE_MIN_NS (60 * NS_PER_S) /* whatever the source says */
#define AGE_MAX_NS (86'400 * NS_PER_S)

#define FIELD(name) offsetof(struct ax_jwt_config, name)

static const struct ax_setting rows[] = {
    {"issuer", "who issues tokens that are trusted, their `iss`; empty: nobody", AX_SETTING_TEXT,
     FIELD(issuer), 0, 0, 0, ""},
    {"audience", "what tokens must be for, their `aud`", AX_SETTING_TEXT, FIELD(audience), 0, 0, 0,
     "axiom"},
    {"keys", "the issuer's public keys, a JWK set: a path, or https://...", AX_SETTING_TEXT,
     FIELD(keys), 0, 0, 0, ""},
    {"algorithms", "which signatures count: RS256, PS256, ES256, EdDSA", AX_SETTING_TEXT,
     FIELD(algorithms), 0, 0, 0, "RS256 ES256 EdDSA"},
    {"subject_claim", "the claim that says whose the token is", AX_SETTING_TEXT,
     FIELD(subject_claim), 0, 0, 0, "sub"},
    {"groups_claim", "the claim with the groups they are in", AX_SETTING_TEXT, FIELD(groups_claim),
     0, 0, 0, "groups"},
    {"roles",
     "what groups give to who is no user here, as \"group=role group=role\"; only roles that a "
     "service may have",
     AX_SETTING_TEXT, FIELD(roles), 0, 0, 0, ""},
    {"skew_ms", "by how much the issuer's clock may differ", AX_SETTING_DURATION_MS, FIELD(skew_ms),
     30'000, 0, 300'000},
    {"refresh_ms", "until the keys are read again, where their source does not say",
     AX_SETTING_DURATION_MS, FIELD(refresh_ms), 300'000, 60'000, 86'400'000},
};

const struct ax_settings ax_jwt_settings = {
    .section = "jwt", .rows = rows, .row_count = AX_COUNT_OF(rows)};

/* What a token said that was verified with keys of this generation. */
struct entry {
    int64_t expires_ns; /* UTC; 0: the place is free */
    uint64_t generation;
    struct ax_jwt_bearer bearer;
};

struct group {
    ax_str name;
    uint32_t roles;
};

struct ax_jwt_issuer {
    struct ax_arena *arena; /* the issuer itself and its texts */
    struct ax_jwt_rules rules;
    ax_str source;
    bool is_url;
    int64_t refresh_ns;
    struct group groups[MAPS_MAX];
    size_t group_count;
    struct ax_snapshot *keys; /* struct ax_jwks */
    struct ax_mutex mutex;
    bool known;                     /* guarded by mutex, as are those below: there are keys */
    bool wanted;                    /* a token named a key that is not known */
    uint64_t generation;            /* of the keys */
    int64_t due_ns;                 /* monotonic: when to read them again */
    int64_t tried_ns;               /* monotonic: when that was last tried */
    char words[AX_ERROR_BYTES_MAX]; /* why they could not be read */
    struct entry entries[ROWS][PLACES];
};

/* ---- settings ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for an issuer of tokens");
}

static ax_status
take_algorithms(struct ax_ctx *ctx, ax_str words, uint32_t *out_algorithms)
{
    ax_str word;
    enum ax_public_key_algorithm algorithm;
    *out_algorithms = 0;
    while (ax_str_cut(&words, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!ax_jwks_algorithm_parse(word, &algorithm))
            return ax_fail(ctx, AX_INVALID,
                           "jwt.algorithms: \"%.*s\" is none of RS256, PS256, ES256 and EdDSA",
                           AX_FMT(word));
        *out_algorithms |= UINT32_C(1) << algorithm;
    }
    return *out_algorithms ? AX_OK : ax_fail(ctx, AX_INVALID, "jwt.algorithms is empty");
}

/* "group=role": roles of one group may come one by one. */
static ax_status
take_group(struct ax_ctx *ctx, struct ax_jwt_issuer *issuer, ax_str word)
{
    enum ax_role role;
    ax_str rest = word, name;
    struct group *group = issuer->groups;
    bool sound = ax_str_cut(&rest, '=', &name) && rest.at && name.len > 0;
    if (!sound || !ax_policy_role_parse(rest, &role))
        return ax_fail(ctx, AX_INVALID, "jwt.roles: \"%.*s\" is no group=role", AX_FMT(word));
    while (group < issuer->groups + issuer->group_count && !ax_str_eq(group->name, name))
        group++;
    if (group == issuer->groups + MAPS_MAX)
        return ax_fail(ctx, AX_INVALID, "jwt.roles: more than %d groups", (int)MAPS_MAX);
    if (group == issuer->groups + issuer->group_count) {
        issuer->group_count++;
        group->name = name;
    }
    group->roles |= UINT32_C(1) << role;
    ax_status status = ax_policy_check_roles(ctx, AX_ACTOR_SERVICE, group->roles);
    return status == AX_OK ? AX_OK : ax_explain(ctx, AX_INVALID, "jwt.roles");
}

static ax_status
take_groups(struct ax_ctx *ctx, struct ax_jwt_issuer *issuer, ax_str words)
{
    ax_str word;
    while (ax_str_cut(&words, ' ', &word))
        if (word.len)
            AX_TRY(take_group(ctx, issuer, word));
    return AX_OK;
}

/* Keys over the wire come encrypted, or from this machine. */
static ax_status
take_source(struct ax_ctx *ctx, struct ax_jwt_issuer *issuer, ax_str keys)
{
    static const ax_str local[] = {{"http://127.0.0.1:", 17}, {"http://localhost:", 17}};
    if (keys.len == 0)
        return ax_fail(ctx, AX_INVALID, "jwt.keys: where are the issuer's keys?");
    issuer->is_url = ax_str_starts(keys, AX_STR("https://"));
    for (size_t i = 0; i < AX_COUNT_OF(local); i++)
        issuer->is_url |= ax_str_starts(keys, local[i]);
    if (!issuer->is_url && ax_str_find(keys, AX_STR("://")) != SIZE_MAX)
        return ax_fail(ctx, AX_INVALID, "jwt.keys: keys come over https, or from a file");
    return ax_str_copy(issuer->arena, keys, &issuer->source) ? AX_OK : no_memory(ctx);
}

static ax_status
take_config(struct ax_ctx *ctx, struct ax_jwt_issuer *issuer, const struct ax_jwt_config *config)
{
    ax_str roles;
    struct ax_jwt_rules *rules = &issuer->rules;
    const struct ax_str_pair {
        ax_str from, *to;
    } texts[] = {{config->issuer, &rules->issuer},
                 {config->audience, &rules->audience},
                 {config->subject_claim, &rules->subject_claim},
                 {config->groups_claim, &rules->groups_claim},
                 {config->roles, &roles}};
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++)
        if (!ax_str_copy(issuer->arena, texts[i].from, texts[i].to))
            return no_memory(ctx);
    if (!rules->audience.len || !rules->subject_claim.len)
        return ax_fail(ctx, AX_INVALID, "jwt.audience and jwt.subject_claim must say something");
    rules->skew_ns = config->skew_ms * NS_PER_MS;
    issuer->refresh_ns = config->refresh_ms * NS_PER_MS;
    AX_TRY(take_algorithms(ctx, config->algorithms, &rules->algorithms));
    AX_TRY(take_groups(ctx, issuer, roles));
    return take_source(ctx, issuer, config->keys);
}

/* ---- the keys ---- */

static void
free_keys(void *keys)
{
    ax_jwks_free(keys);
}

/* "max-age=600" of a Cache-Control header, bounded; otherwise what the settings say. */
static int64_t
age_of(const struct ax_jwt_issuer *issuer, ax_str control)
{
    ax_str word;
    int64_t seconds;
    while (control.at && ax_str_cut(&control, ',', &word)) {
        word = ax_str_trim(word);
        if (!ax_str_starts(word, AX_STR("max-age=")) ||
            !ax_parse_i64(ax_str_from(word, 8), &seconds))
            continue;
        if (seconds < AGE_MIN_NS / NS_PER_S)
            return AGE_MIN_NS;
        return seconds > AGE_MAX_NS / NS_PER_S ? AGE_MAX_NS : seconds * NS_PER_S;
    }
    return issuer->refresh_ns;
}

static ax_status
fetch(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, ax_str *out_text, int64_t *out_age_ns)
{
    struct ax_client_answer answer = {};
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    const struct ax_client_request request = {.url = issuer->source,
                                              .answer_bytes_max = AX_JWKS_BYTES_MAX};
    struct ax_ctx own = ax_ctx_of(ctx->arena);
    own.deadline_ns = ax_clock_monotonic_ns() + FETCH_MS * NS_PER_MS;
    ax_status status = ax_client_open(&own, NULL, &client);
    if (status == AX_OK)
        status = ax_client_send(client, &own, &request, &answer);
    if (status != AX_OK)
        return ax_fail(ctx, AX_UNAVAILABLE, "%.*s: %s", AX_FMT(issuer->source), own.error);
    if (answer.status != 200)
        return ax_fail(ctx, AX_UNAVAILABLE, "%.*s answers %d", AX_FMT(issuer->source),
                       answer.status);
    *out_text = answer.body;
    *out_age_ns = age_of(issuer, ax_client_header_find(&answer, AX_STR("cache-control")));
    return AX_OK;
}

static ax_status
read_keys(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, int64_t *out_age_ns)
{
    ax_str text;
    struct ax_jwks *keys;
    *out_age_ns = issuer->refresh_ns;
    if (issuer->is_url)
        AX_TRY(fetch(issuer, ctx, &text, out_age_ns));
    else
        AX_TRY(ax_file_read_all(ctx, issuer->source, AX_JWKS_BYTES_MAX, &text));
    AX_TRY(ax_jwks_parse(ctx, text, &keys));
    return ax_snapshot_swap(issuer->keys, ctx, keys);
}

/* The last good keys stay when this fails. */
static ax_status
refresh(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx)
{
    int64_t age_ns;
    ax_status status = read_keys(issuer, ctx, &age_ns);
    int64_t now_ns = ax_clock_monotonic_ns();
    if (status != AX_OK)
        status = ax_explain(ctx, status, "the keys of %.*s", AX_FMT(issuer->rules.issuer));
    ax_mutex_lock(&issuer->mutex);
    issuer->tried_ns = now_ns;
    issuer->wanted = false;
    issuer->due_ns = now_ns + (status == AX_OK ? age_ns : RETRY_NS);
    if (status == AX_OK) {
        issuer->known = true;
        issuer->generation++;
    } else {
        memcpy(issuer->words, ctx->error, sizeof issuer->words);
    }
    ax_mutex_unlock(&issuer->mutex);
    return status;
}

ax_status
ax_jwt_issuer_upkeep(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx)
{
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_mutex_lock(&issuer->mutex);
    bool due = now_ns >= issuer->due_ns;
    due |= issuer->wanted && now_ns - issuer->tried_ns >= RETRY_NS;
    ax_mutex_unlock(&issuer->mutex);
    return due ? refresh(issuer, ctx) : AX_OK;
}

ax_status
ax_jwt_issuer_check(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx)
{
    char words[AX_ERROR_BYTES_MAX];
    ax_mutex_lock(&issuer->mutex);
    bool known = issuer->known;
    memcpy(words, issuer->words, sizeof words);
    ax_mutex_unlock(&issuer->mutex);
    return known ? AX_OK
                 : ax_fail(ctx, AX_UNAVAILABLE, "%s",
                           words[0] ? words : "the issuer's keys have not been read yet");
}

/* ---- opening ---- */

ax_status
ax_jwt_issuer_open(struct ax_ctx *ctx, const struct ax_jwt_config *config,
                   struct ax_jwt_issuer **out_issuer)
{
    *out_issuer = NULL;
    if (config->issuer.len == 0)
        return AX_OK;
    ax_auto(ax_jwt_issuer_close) struct ax_jwt_issuer *issuer = ax_alloc(sizeof *issuer, 1);
    if (!issuer)
        return no_memory(ctx);
    ax_mutex_init(&issuer->mutex);
    issuer->arena = ax_arena_new(ARENA_BYTES_MAX);
    if (!issuer->arena)
        return no_memory(ctx);
    AX_TRY(take_config(ctx, issuer, config));
    AX_TRY(ax_snapshot_open(ctx, free_keys, &issuer->keys));
    if (!issuer->is_url)
        AX_TRY(refresh(issuer, ctx));
    *out_issuer = ax_take(issuer);
    return AX_OK;
}

void
ax_jwt_issuer_close(struct ax_jwt_issuer *issuer)
{
    if (!issuer)
        return;
    if (issuer->keys)
        ax_snapshot_close(issuer->keys);
    if (issuer->arena)
        ax_arena_free(issuer->arena);
    ax_mutex_done(&issuer->mutex);
    ax_free(issuer);
}

/* ---- asking ---- */

static struct entry *
row_of(struct ax_jwt_issuer *issuer, ax_digest token)
{
    uint64_t place;
    memcpy(&place, token.bytes, sizeof place);
    return issuer->entries[place % ROWS];
}

/* *out_generation: of the keys that are there now. */
static bool
recall(struct ax_jwt_issuer *issuer, ax_digest token, struct ax_jwt_bearer *out,
       uint64_t *out_generation)
{
    bool found = false;
    int64_t now_ns = ax_clock_real_ns();
    const struct entry *row = row_of(issuer, token);
    ax_mutex_lock(&issuer->mutex);
    *out_generation = issuer->generation;
    for (size_t i = 0; i < PLACES && !found; i++) {
        found = row[i].expires_ns > now_ns && row[i].generation == issuer->generation &&
                ax_digest_eq(row[i].bearer.token, token);
        if (found)
            *out = row[i].bearer;
    }
    ax_mutex_unlock(&issuer->mutex);
    return found;
}

/* In place of what expires first: a free place has expired. */
static void
remember(struct ax_jwt_issuer *issuer, const struct entry *entry)
{
    struct entry *row = row_of(issuer, entry->bearer.token), *first = &row[0];
    ax_mutex_lock(&issuer->mutex);
    for (size_t i = 1; i < PLACES; i++) {
        bool old = row[i].generation < first->generation;
        if (old ||
            (row[i].generation == first->generation && row[i].expires_ns < first->expires_ns))
            first = &row[i];
    }
    *first = *entry;
    ax_mutex_unlock(&issuer->mutex);
}

/* Roles of all the groups together, as far as one service may hold them. */
static ax_status
roles_of(const struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, const struct ax_jwt *jwt,
         uint32_t *out_roles)
{
    ax_str name;
    size_t place = 0;
    *out_roles = 0;
    while (ax_jwt_group(jwt, &place, &name))
        for (size_t i = 0; i < issuer->group_count; i++)
            if (ax_str_eq(issuer->groups[i].name, name))
                *out_roles |= issuer->groups[i].roles;
    ax_status status = ax_policy_check_roles(ctx, AX_ACTOR_SERVICE, *out_roles);
    return status == AX_OK ? AX_OK : ax_explain(ctx, AX_UNAUTHENTICATED, "the token's groups");
}

static ax_status
verify(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, ax_str token, struct entry *entry)
{
    void *keys;
    struct ax_jwt jwt;
    AX_TRY(ax_snapshot_here(issuer->keys, ctx, &keys));
    if (!keys) {
        AX_TRY(ax_jwt_issuer_check(issuer, ctx));
        return ax_fail(ctx, AX_UNAVAILABLE, "the issuer's keys have just come; ask again");
    }
    ax_status status = ax_jwt_verify(ctx, &issuer->rules, keys, token, &jwt);
    if (status == AX_NOT_FOUND) {
        ax_mutex_lock(&issuer->mutex);
        issuer->wanted = true;
        ax_mutex_unlock(&issuer->mutex);
        return ax_explain(ctx, AX_UNAUTHENTICATED, "the token cannot be verified");
    }
    AX_TRY(status);
    memcpy(entry->bearer.subject, jwt.subject.at, jwt.subject.len);
    entry->expires_ns = jwt.expires_ns;
    return roles_of(issuer, ctx, &jwt, &entry->bearer.roles);
}

bool
ax_jwt_issuer_recall(struct ax_jwt_issuer *issuer, ax_str token, struct ax_jwt_bearer *out_bearer)
{
    uint64_t generation;
    return recall(issuer, ax_sha256(token), out_bearer, &generation);
}

ax_status
ax_jwt_issuer_verify(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, ax_str token,
                     struct ax_jwt_bearer *out_bearer)
{
    struct entry entry = {.bearer.token = ax_sha256(token)};
    if (!recall(issuer, entry.bearer.token, &entry.bearer, &entry.generation)) {
        AX_TRY(verify(issuer, ctx, token, &entry));
        remember(issuer, &entry);
    }
    *out_bearer = entry.bearer;
    return AX_OK;
}

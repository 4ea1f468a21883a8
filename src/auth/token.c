#include "auth/token.h"

#include "auth/access_fact.h"
#include "auth/attempts.h"
#include "auth/directory_state.h"
#include "auth/token_uses.h"
#include "codec/text.h"
#include "store/store.h"
#include "sys/clock.h"

enum { OVERLAP_HOURS = 24, OVERLAP_HOURS_MAX = 720 };
enum { DAYS = 90, DAYS_MAX = 366, ID_RANDOM_BYTES = 8, NAME_BYTES_MAX = 128, PREFIX_BYTES = 4 };

#define NS_PER_DAY  INT64_C(86'400'000'000'000)
#define NS_PER_HOUR INT64_C(3'600'000'000'000)

static const ax_str prefix = {"axm_", PREFIX_BYTES};

/* ---- who is it ---- */

bool
ax_token_is(ax_str bearer)
{
    return bearer.len == AX_TOKEN_BYTES && ax_str_starts(bearer, prefix);
}

/* The credentials of "Bearer <credentials>"; at is NULL when the header is of another scheme. */
static ax_str
bearer_of(ax_str authorization)
{
    static const ax_str scheme = {"Bearer ", 7};
    ax_str head = {authorization.at, scheme.len};
    if (authorization.len < scheme.len || !ax_str_eq_ignoring_case(head, scheme))
        return (ax_str){};
    return ax_str_trim(ax_str_from(authorization, scheme.len));
}

static ax_status
refuse(struct ax_directory *directory, struct ax_ctx *ctx, uint64_t network, const char *words)
{
    if (!ax_attempts_failed(ax_directory_attempts(directory), network))
        return ax_fail(ctx, AX_LIMIT, "too many attempts without a good token; wait a while");
    return ax_fail(ctx, AX_UNAUTHENTICATED, "%s", words);
}

ax_status
ax_token_authenticate(struct ax_directory *directory, struct ax_ctx *ctx, ax_str authorization,
                      uint64_t network, struct ax_actor *out_actor)
{
    const struct ax_directory_state *state;
    if (!authorization.len)
        return ax_fail(ctx, AX_UNAUTHENTICATED,
                       "say who you are: authorization: Bearer axm_... (an API token)");
    AX_TRY(ax_directory_present(directory, ctx, &state));
    ax_str bearer = bearer_of(authorization);
    if (!bearer.at)
        return refuse(directory, ctx, network, "the authorization must be: Bearer axm_...");
    if (!ax_token_is(bearer))
        return refuse(directory, ctx, network, "the token is not valid");
    const struct ax_directory_token *token = ax_directory_state_token(state, ax_sha256(bearer));
    if (!token || token->user->disabled)
        return refuse(directory, ctx, network, "the token is not valid");
    if (ax_clock_real_ns() >= token->expires_ns) /* only who has the token is told */
        return refuse(directory, ctx, network, "the token has expired");
    AX_TRY(ax_directory_state_actor(ctx, token->user, out_actor));
    out_actor->authenticated_by = AX_STR("token");
    memcpy(out_actor->credential, token->hash.bytes, sizeof out_actor->credential);
    ax_token_uses_note(ax_directory_uses(directory), token->id);
    return AX_OK;
}

/* ---- issuing ---- */

/* prefix and the random bytes in hex, in the arena; the bytes are wiped. */
static ax_status
make_text(struct ax_ctx *ctx, ax_str start, void *random, size_t len, ax_str *out_text)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_TOKEN_BYTES);
    ax_random_bytes(random, len);
    ax_writer_bytes(&text, start);
    ax_hex_encode((ax_str){random, len}, &text);
    ax_status status = ax_writer_take(&text, ctx->arena, out_text);
    ax_crypto_wipe(random, len);
    if (text.at)
        ax_crypto_wipe(text.at, text.len);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for a token");
}

static ax_status
check_request(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str name, int64_t days)
{
    struct ax_directory_user row;
    if (days < 1 || days > DAYS_MAX)
        return ax_fail(ctx, AX_INVALID, "`days` must be 1 to %d", DAYS_MAX);
    if (name.len > NAME_BYTES_MAX || !ax_utf8_ok(name))
        return ax_fail(ctx, AX_INVALID, "`name` must be at most %d bytes of UTF-8", NAME_BYTES_MAX);
    AX_TRY(ax_directory_read_user(tx, ctx, user, &row));
    return row.disabled ? ax_fail(ctx, AX_CONFLICT, "%.*s is disabled", AX_FMT(user)) : AX_OK;
}

ax_status
ax_token_put(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str name, int64_t days,
             struct ax_token_issued *out_issued)
{
    uint8_t secret[32], number[ID_RANDOM_BYTES];
    char hash[AX_DIGEST_HEX_BYTES + 1];
    struct ax_token_issued issued = {.created_ns = ax_clock_real_ns()};
    AX_TRY(check_request(tx, ctx, user, name, days));
    AX_TRY(make_text(ctx, AX_STR("t_"), number, sizeof number, &issued.id));
    AX_TRY(make_text(ctx, prefix, secret, sizeof secret, &issued.token));
    issued.expires_ns = issued.created_ns + days * NS_PER_DAY;
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into tokens (id, user_id, name, hash, created_ns, expires_ns, prefix) "
               "values ($1, $2, $3, $4, $5, $6, $7)"),
        AX_STORE_PARAMS(ax_store_text(issued.id), ax_store_text(user), ax_store_text(name),
                        ax_store_text(ax_digest_hex(ax_sha256(issued.token), hash)),
                        ax_store_i64(issued.created_ns), ax_store_i64(issued.expires_ns),
                        ax_store_text((ax_str){issued.token.at, AX_TOKEN_PREFIX_BYTES})),
        NULL));
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_TOKEN, .object = issued.id, .verb = AX_STR("issued"), .subject = user};
    AX_TRY(ax_access_fact_put(tx, ctx, &fact));
    *out_issued = issued;
    return AX_OK;
}

static void
write_time(struct ax_json_writer *out, const char *name, int64_t ns)
{
    char text[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(out, name, ax_clock_format(ns, text));
}

static void
show_issued(const struct ax_token_issued *issued, ax_str user, ax_str name,
            struct ax_json_writer *out)
{
    ax_json_member_text(out, "id", issued->id);
    ax_json_member_text(out, "user", user);
    ax_json_member_text(out, "name", name);
    ax_json_member_text(out, "token", issued->token);
    write_time(out, "created", issued->created_ns);
    write_time(out, "expires", issued->expires_ns);
}

ax_status
ax_token_issue(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user,
               const struct ax_json *request, struct ax_json_writer *out)
{
    int64_t days = DAYS;
    ax_str name = AX_STR("");
    struct ax_token_issued issued;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_json_may_i64(ctx, request, "days", &days));
    AX_TRY(ax_json_may_text(ctx, request, "name", &name));
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_token_put(tx, ctx, user, name, days, &issued));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_directory_settle(directory, ctx);
    ax_json_begin_object(out);
    show_issued(&issued, user, name, out);
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- rotating ---- */

struct old_token {
    ax_str user, name;
    int64_t expires_ns;
};

static ax_status
read_old(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct old_token *out)
{
    struct ax_store_rows *rows;
    bool revoked = false;
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select user_id, name, expires_ns, revoked_ns from tokens where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        out->user = ax_store_read_text(rows, 0);
        out->name = ax_store_read_text(rows, 1);
        out->expires_ns = ax_store_read_i64(rows, 2);
        revoked = !ax_store_is_null(rows, 3);
    }
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no token \"%.*s\"", AX_FMT(id));
    return revoked ? ax_fail(ctx, AX_CONFLICT, "%.*s was revoked", AX_FMT(id)) : AX_OK;
}

/* The old one ends when the overlap does, or earlier as it would have. */
static ax_status
shorten(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct old_token *old,
        int64_t until_ns)
{
    if (old->expires_ns > until_ns)
        old->expires_ns = until_ns;
    AX_TRY(ax_store_run(tx, ctx, AX_STR("update tokens set expires_ns = $2 where id = $1"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(old->expires_ns)), NULL));
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_TOKEN, .object = id, .verb = AX_STR("rotated"), .subject = old->user};
    return ax_access_fact_put(tx, ctx, &fact);
}

ax_status
ax_token_rotate(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                const struct ax_json *request, struct ax_json_writer *out)
{
    int64_t days = DAYS, hours = OVERLAP_HOURS;
    struct old_token old = {};
    struct ax_token_issued issued;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_json_may_i64(ctx, request, "days", &days));
    AX_TRY(ax_json_may_i64(ctx, request, "overlap_hours", &hours));
    if (hours < 0 || hours > OVERLAP_HOURS_MAX)
        return ax_fail(ctx, AX_INVALID, "`overlap_hours` must be 0 to %d", OVERLAP_HOURS_MAX);
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(read_old(tx, ctx, id, &old));
    AX_TRY(ax_token_put(tx, ctx, old.user, old.name, days, &issued));
    AX_TRY(shorten(tx, ctx, id, &old, issued.created_ns + hours * NS_PER_HOUR));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_directory_settle(directory, ctx);
    ax_json_begin_object(out);
    show_issued(&issued, old.user, old.name, out);
    ax_json_member_text(out, "replaces", id);
    write_time(out, "old_expires", old.expires_ns);
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- taking back ---- */

static ax_status
revoke(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id)
{
    int64_t known, changed = 0;
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from tokens where id = $1"),
                            AX_STORE_PARAMS(ax_store_text(id)), &known));
    if (!known)
        return ax_fail(ctx, AX_NOT_FOUND, "no token \"%.*s\"", AX_FMT(id));
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("update tokens set revoked_ns = $2 where id = $1 and revoked_ns is null"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(ax_clock_real_ns())), &changed));
    if (!changed)
        return AX_OK; /* revoked before: there is a fact of it */
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_TOKEN, .object = id, .verb = AX_STR("revoked")};
    return ax_access_fact_put(tx, ctx, &fact);
}

ax_status
ax_token_revoke(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(revoke(tx, ctx, id));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_status status = ax_directory_reload(directory, ctx);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s is revoked, and still known in memory", AX_FMT(id));
    return AX_OK;
}

static ax_status
write_tokens(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str begins,
             struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, user_id, name, created_ns, expires_ns, revoked_ns, "
                                 "prefix, last_used_ns from tokens where "
                                 "(user_id = $1 or $1 = '') and (prefix = $2 or $2 = '') "
                                 "order by id"),
                          AX_STORE_PARAMS(ax_store_text(user), ax_store_text(begins)), &rows));
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "id", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "user", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "name", ax_store_read_text(rows, 2));
        ax_json_member_text(out, "prefix", ax_store_read_text(rows, 6));
        write_time(out, "created", ax_store_read_i64(rows, 3));
        write_time(out, "expires", ax_store_read_i64(rows, 4));
        if (!ax_store_is_null(rows, 7))
            write_time(out, "last_used", ax_store_read_i64(rows, 7));
        if (!ax_store_is_null(rows, 5))
            write_time(out, "revoked", ax_store_read_i64(rows, 5));
        ax_json_end_object(out);
    }
    return ax_store_finish(rows);
}

ax_status
ax_token_list(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user, ax_str begins,
              struct ax_json_writer *out)
{
    if (begins.len > AX_TOKEN_PREFIX_BYTES)
        begins.len = AX_TOKEN_PREFIX_BYTES; /* a whole token finds itself */
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_READ, &tx));
    ax_json_begin_object(out);
    ax_json_key(out, "tokens");
    ax_json_begin_array(out);
    AX_TRY(write_tokens(tx, ctx, user, begins, out));
    ax_json_end_array(out);
    ax_json_end_object(out);
    return AX_OK;
}

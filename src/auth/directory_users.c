/* Users come and go: made without roles, disabled for good. */
#include "auth/access_fact.h"
#include "auth/directory.h"
#include "auth/directory_state.h"
#include "auth/token.h"
#include "codec/text.h"
#include "store/store.h"
#include "sys/clock.h"

enum { ID_BYTES_MAX = 64, NAME_BYTES_MAX = 128, LINE_MAX = 3, FIRST_TOKEN_DAYS = 90 };

static bool
id_ok(ax_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool inside = c == '.' || c == '_' || c == '-' || c == '@';
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(inside && i > 0))
            return false;
    }
    return id.len > 0 && id.len <= ID_BYTES_MAX;
}

static ax_status
check_user(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_directory_user *user)
{
    struct ax_directory_user manager;
    bool person = user->kind == AX_ACTOR_PERSON;
    if (!id_ok(user->id))
        return ax_fail(ctx, AX_INVALID,
                       "`id` must be 1 to %d of a-z, 0-9, and after the first . _ - @",
                       ID_BYTES_MAX);
    if (user->name.len > NAME_BYTES_MAX || !ax_utf8_ok(user->name))
        return ax_fail(ctx, AX_INVALID, "`name` must be at most %d bytes of UTF-8", NAME_BYTES_MAX);
    if (person ? user->line < 1 || user->line > LINE_MAX : user->line != 0)
        return ax_fail(ctx, AX_INVALID, "`line` must be %s",
                       person ? "1, 2 or 3"
                              : "0: a service "
                                "is in none");
    if (!user->manager.len)
        return AX_OK;
    ax_status status = ax_directory_read_user(tx, ctx, user->manager, &manager);
    if (status == AX_OK && manager.kind != AX_ACTOR_PERSON)
        status = ax_fail(ctx, AX_INVALID, "a service manages nobody");
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "`manager`");
}

static ax_status
put_user(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_directory_user *user)
{
    int64_t inserted = 0;
    AX_TRY(check_user(tx, ctx, user));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into users (id, name, kind, line, manager, roles, disabled, created_ns) "
               "values ($1, $2, $3, $4, $5, $6, 0, $7) on conflict (id) do nothing"),
        AX_STORE_PARAMS(
            ax_store_text(user->id), ax_store_text(user->name),
            ax_store_text(user->kind == AX_ACTOR_PERSON ? AX_STR("person") : AX_STR("service")),
            ax_store_i64(user->line), ax_store_text(user->manager), ax_store_i64(user->roles),
            ax_store_i64(user->created_ns)),
        &inserted));
    if (!inserted)
        return ax_fail(ctx, AX_CONFLICT, "user %.*s is there already; an id is never given again",
                       AX_FMT(user->id));
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_USER, .object = user->id, .verb = AX_STR("created")};
    return ax_access_fact_put(tx, ctx, &fact);
}

static ax_status
take_request(struct ax_ctx *ctx, const struct ax_json *request, struct ax_directory_user *user)
{
    int64_t line = -1;
    ax_str kind = AX_STR("person");
    AX_TRY(ax_json_need_text(ctx, request, "id", &user->id));
    user->name = user->id;
    AX_TRY(ax_json_may_text(ctx, request, "name", &user->name));
    AX_TRY(ax_json_may_text(ctx, request, "kind", &kind));
    AX_TRY(ax_json_may_text(ctx, request, "manager", &user->manager));
    AX_TRY(ax_json_may_i64(ctx, request, "line", &line));
    bool person = ax_str_eq(kind, AX_STR("person"));
    if (!person && !ax_str_eq(kind, AX_STR("service")))
        return ax_fail(ctx, AX_INVALID, "`kind` must be person or service");
    if (line < -1 || line > LINE_MAX)
        return ax_fail(ctx, AX_INVALID, "`line` must be 1, 2 or 3");
    user->kind = person ? AX_ACTOR_PERSON : AX_ACTOR_SERVICE;
    user->line = line >= 0 ? (int)line : person ? 1 : 0;
    return AX_OK;
}

ax_status
ax_directory_create_user(struct ax_directory *directory, struct ax_ctx *ctx,
                         const struct ax_json *request, struct ax_json_writer *out)
{
    struct ax_directory_user user = {.manager = AX_STR(""), .created_ns = ax_clock_real_ns()};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(take_request(ctx, request, &user));
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(put_user(tx, ctx, &user));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_directory_settle(directory, ctx);
    ax_directory_state_write_user(&user, out);
    return AX_OK;
}

static ax_status
disable(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, ax_str reason)
{
    int64_t others[2];
    struct ax_directory_user user;
    AX_TRY(ax_directory_read_user(tx, ctx, id, &user));
    if (user.disabled)
        return AX_OK;
    AX_TRY(ax_directory_holders(tx, ctx, AX_ROLE_SECURITY_ADMIN, id, others));
    if ((user.roles & AX_ROLE_BIT(SECURITY_ADMIN)) && others[AX_DIRECTORY_ALL] == 0)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is the last security administrator", AX_FMT(id));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("update users set disabled = 1 where id = $1"),
                        AX_STORE_PARAMS(ax_store_text(id)), NULL));
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_USER, .object = id, .verb = AX_STR("disabled"), .reason = reason};
    return ax_access_fact_put(tx, ctx, &fact);
}

ax_status
ax_directory_disable_user(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                          ax_str reason)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(disable(tx, ctx, id, reason));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_status status = ax_directory_reload(directory, ctx);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s is disabled, and still known in memory", AX_FMT(id));
    return AX_OK;
}

ax_status
ax_directory_make_first(struct ax_store *store, struct ax_ctx *ctx, ax_str id, ax_str *out_token)
{
    int64_t count;
    struct ax_token_issued issued;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_directory_user user = {
        .id = id,
        .name = id,
        .roles = AX_ROLE_BIT(SECURITY_ADMIN),
        .line = 1,
        .manager = AX_STR(""),
        .created_ns = ax_clock_real_ns(),
    };
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from users"), AX_STORE_NO_PARAMS,
                            &count));
    if (count > 0)
        return ax_fail(ctx, AX_CONFLICT, "there are users already; one of them makes the next");
    AX_TRY(put_user(tx, ctx, &user));
    AX_TRY(ax_token_put(tx, ctx, id, AX_STR("first"), FIRST_TOKEN_DAYS, &issued));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    *out_token = issued.token;
    return AX_OK;
}

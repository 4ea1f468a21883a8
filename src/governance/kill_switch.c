#include "governance/kill_switch.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

enum { FILE_BYTES_MAX = 1 << 20, TEXT_BYTES_MAX = 512 };

/* One latch with its own copies of the words. */
struct latch {
    char scope[TEXT_BYTES_MAX], reason[TEXT_BYTES_MAX], actor[TEXT_BYTES_MAX];
    int64_t thrown_ns;
};

struct ax_kill_switch {
    struct ax_mutex mutex;
    struct latch *latches; /* guarded by mutex; AX_KILL_LATCHES_MAX of them */
    size_t count;          /* guarded by mutex */
    char path[4096];
};

static bool
scope_ok(ax_str scope)
{
    return ax_str_eq(scope, AX_STR("all")) ||
           ((ax_str_starts(scope, AX_STR("deployment:")) ||
             ax_str_starts(scope, AX_STR("model:")) || ax_str_starts(scope, AX_STR("client:"))) &&
            scope.at[scope.len - 1] != ':' && scope.len < TEXT_BYTES_MAX);
}

/* Words longer than there is room are cut: they are for people. */
static void
copy_text(char out[TEXT_BYTES_MAX], ax_str text)
{
    size_t len = text.len < TEXT_BYTES_MAX ? text.len : TEXT_BYTES_MAX - 1;
    if (len)
        memcpy(out, text.at, len);
    out[len] = '\0';
}

static struct latch *
find(struct ax_kill_switch *kill, ax_str scope)
{
    for (size_t i = 0; i < kill->count; i++)
        if (ax_str_eq(ax_str_of(kill->latches[i].scope), scope))
            return &kill->latches[i];
    return NULL;
}

/* Sets or replaces. The caller holds the mutex. */
static bool
set(struct ax_kill_switch *kill, const struct ax_kill_latch *from)
{
    struct latch *latch = find(kill, from->scope);
    if (!latch && kill->count == AX_KILL_LATCHES_MAX)
        return false;
    if (!latch)
        latch = &kill->latches[kill->count++];
    copy_text(latch->scope, from->scope);
    copy_text(latch->reason, from->reason);
    copy_text(latch->actor, from->actor);
    latch->thrown_ns = from->thrown_ns;
    return true;
}

static void
put(const struct latch *latch, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "scope", ax_str_of(latch->scope));
    ax_json_member_text(json, "reason", ax_str_of(latch->reason));
    ax_json_member_text(json, "actor", ax_str_of(latch->actor));
    ax_json_member_i64(json, "thrown_ns", latch->thrown_ns);
    ax_json_end_object(json);
}

void
ax_kill_switch_show(struct ax_kill_switch *kill, struct ax_json_writer *json)
{
    ax_json_begin_array(json);
    ax_mutex_lock(&kill->mutex);
    for (size_t i = 0; i < kill->count; i++)
        put(&kill->latches[i], json);
    ax_mutex_unlock(&kill->mutex);
    ax_json_end_array(json);
}

/* The state as it is now, durably. The caller holds no lock. */
static ax_status
write_file(struct ax_kill_switch *kill, struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(8 * FILE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_latches", 1);
    ax_json_key(&json, "latches");
    ax_kill_switch_show(kill, &json);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the latches");
    return ax_file_write_atomic(ctx, ax_str_of(kill->path), ax_writer_str(&text));
}

static ax_status
take_latch(struct ax_kill_switch *kill, struct ax_ctx *ctx, const struct ax_json *json)
{
    struct ax_kill_latch latch = {};
    AX_TRY(ax_json_need_text(ctx, json, "scope", &latch.scope));
    AX_TRY(ax_json_need_text(ctx, json, "reason", &latch.reason));
    AX_TRY(ax_json_need_text(ctx, json, "actor", &latch.actor));
    AX_TRY(ax_json_need_i64(ctx, json, "thrown_ns", &latch.thrown_ns));
    if (!scope_ok(latch.scope) || !set(kill, &latch))
        return ax_fail(ctx, AX_CORRUPT, "latch of an unknown scope, or too many of them");
    return AX_OK;
}

static ax_status
take_file(struct ax_kill_switch *kill, struct ax_ctx *ctx, ax_str text)
{
    const struct ax_json *json, *latches;
    int64_t form = 0;
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    AX_TRY(ax_json_need_i64(ctx, json, "axiom_latches", &form));
    AX_TRY(ax_json_need_array(ctx, json, "latches", &latches));
    if (form != 1)
        return ax_fail(ctx, AX_CORRUPT, "latches of form %lld", (long long)form);
    struct ax_json_iter it = ax_json_iter_of(latches);
    while (ax_json_next(&it))
        AX_TRY(take_latch(kill, ctx, it.value));
    return AX_OK;
}

/* Reads the file; what cannot be understood stops everything. */
static ax_status
read_file(struct ax_kill_switch *kill, struct ax_ctx *ctx)
{
    ax_str text;
    ax_status status = ax_file_read_all(ctx, ax_str_of(kill->path), FILE_BYTES_MAX, &text);
    if (status == AX_NOT_FOUND)
        return AX_OK;
    if (status == AX_OK)
        status = take_file(kill, ctx, text);
    if (status != AX_INVALID && status != AX_CORRUPT)
        return status;
    const struct ax_kill_latch closed = {
        .scope = AX_STR("all"),
        .reason = ax_str_printf(ctx->arena, "the latch file is not understood: %s", ctx->error),
        .actor = AX_STR("axiom"),
        .thrown_ns = ax_clock_real_ns(),
    };
    if (!set(kill, &closed))
        kill->count = 0;
    return set(kill, &closed) ? AX_OK : ax_fail(ctx, AX_INTERNAL, "no room for a latch");
}

ax_status
ax_kill_switch_open(struct ax_ctx *ctx, ax_str path, struct ax_kill_switch **out_switch)
{
    ax_auto(ax_kill_switch_close) struct ax_kill_switch *kill = ax_alloc(sizeof *kill, 1);
    if (!kill)
        return ax_fail(ctx, AX_LIMIT, "no memory for the kill switch");
    ax_mutex_init(&kill->mutex);
    kill->latches = ax_alloc(sizeof *kill->latches, AX_KILL_LATCHES_MAX);
    if (!kill->latches)
        return ax_fail(ctx, AX_LIMIT, "no memory for the kill switch");
    if (path.len >= sizeof kill->path)
        return ax_fail(ctx, AX_INVALID, "path of %zu bytes is too long", path.len);
    memcpy(kill->path, path.at, path.len);
    AX_TRY(read_file(kill, ctx));
    *out_switch = ax_take(kill);
    return AX_OK;
}

void
ax_kill_switch_close(struct ax_kill_switch *kill)
{
    if (!kill)
        return;
    ax_mutex_done(&kill->mutex);
    ax_free(kill->latches);
    ax_free(kill);
}

ax_status
ax_kill_switch_throw(struct ax_kill_switch *kill, struct ax_ctx *ctx,
                     const struct ax_kill_latch *latch)
{
    if (!scope_ok(latch->scope))
        return ax_fail(ctx, AX_INVALID,
                       "scope must be all, deployment:NAME, model:NAME or client:NAME, not "
                       "\"%.*s\"",
                       AX_FMT(latch->scope));
    ax_mutex_lock(&kill->mutex);
    bool done = set(kill, latch);
    ax_mutex_unlock(&kill->mutex);
    if (!done)
        return ax_fail(ctx, AX_LIMIT, "more than %d latches; throw \"all\"", AX_KILL_LATCHES_MAX);
    ax_status status = write_file(kill, ctx);
    return status == AX_OK ? AX_OK
                           : ax_explain(ctx, status, "%.*s is stopped, but not across a restart",
                                        AX_FMT(latch->scope));
}

/* Takes the latch away; *out_was keeps it. */
static bool
unset(struct ax_kill_switch *kill, ax_str scope, struct latch *out_was)
{
    ax_mutex_lock(&kill->mutex);
    struct latch *latch = find(kill, scope);
    if (latch) {
        *out_was = *latch;
        *latch = kill->latches[--kill->count];
    }
    ax_mutex_unlock(&kill->mutex);
    return latch != NULL;
}

ax_status
ax_kill_switch_release(struct ax_kill_switch *kill, struct ax_ctx *ctx, ax_str scope)
{
    struct latch was;
    if (!unset(kill, scope, &was))
        return ax_fail(ctx, AX_NOT_FOUND, "%.*s is not stopped", AX_FMT(scope));
    ax_status status = write_file(kill, ctx);
    if (status == AX_OK)
        return AX_OK;
    const struct ax_kill_latch again = {ax_str_of(was.scope), ax_str_of(was.reason),
                                        ax_str_of(was.actor), was.thrown_ns};
    ax_mutex_lock(&kill->mutex);
    bool back = set(kill, &again);
    ax_mutex_unlock(&kill->mutex);
    AX_ASSERT(back); /* its place has just become free */
    return ax_explain(ctx, status, "%.*s stays stopped", AX_FMT(scope));
}

/* Whether the latch is of this kind and name. */
static bool
stops(const struct latch *latch, ax_str kind, ax_str name)
{
    ax_str scope = ax_str_of(latch->scope);
    return name.len && ax_str_starts(scope, kind) && ax_str_eq(ax_str_from(scope, kind.len), name);
}

ax_status
ax_kill_switch_check(struct ax_kill_switch *kill, struct ax_ctx *ctx,
                     const struct ax_kill_subject *subject)
{
    ax_status status = AX_OK;
    ax_mutex_lock(&kill->mutex);
    for (size_t i = 0; i < kill->count && status == AX_OK; i++) {
        const struct latch *latch = &kill->latches[i];
        if (ax_str_eq(ax_str_of(latch->scope), AX_STR("all")) ||
            stops(latch, AX_STR("deployment:"), subject->deployment) ||
            stops(latch, AX_STR("model:"), subject->model) ||
            stops(latch, AX_STR("client:"), subject->client))
            status = ax_fail(ctx, AX_DENIED, "stopped by the kill switch of %s: %s", latch->scope,
                             latch->reason);
    }
    ax_mutex_unlock(&kill->mutex);
    return status;
}

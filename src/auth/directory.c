#include "auth/directory.h"

#include "auth/attempts.h"
#include "auth/directory_cache.h"
#include "auth/token_uses.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/snapshot.h"

enum { PATH_BYTES_MAX = 4096 };

/* Twenty wrong tokens at once from one address, then one every three seconds. */
static const struct ax_attempts_config attempts_config = {.failures_max = 20, .refill_ms = 3'000};

struct ax_directory {
    struct ax_store *store; /* NULL while it is away */
    struct ax_snapshot *snapshot;
    struct ax_attempts *attempts;
    struct ax_token_uses *uses;
    char cache_path[PATH_BYTES_MAX];
    struct ax_mutex cache_mutex; /* one writer of the copy at a time */
    uint64_t cached;             /* ticket of the copy on disk; guarded by cache_mutex */
    struct ax_mutex mutex;
    uint64_t tickets;               /* given out; guarded by mutex, as are those below */
    uint64_t published;             /* ticket of the picture */
    bool stale;                     /* a picture or copy could not be made */
    char words[AX_ERROR_BYTES_MAX]; /* why; or why there is no picture at all */
};

/* ---- the picture ---- */

static void
note_stale(struct ax_directory *directory, const char *words)
{
    ax_mutex_lock(&directory->mutex);
    directory->stale = true;
    memcpy(directory->words, words, sizeof directory->words);
    ax_mutex_unlock(&directory->mutex);
}

/*
 * A ticket is taken before the rows are read, so the picture with the higher one has seen all that
 * was committed before the lower one was taken: the higher one stays.
 */
static uint64_t
take_ticket(struct ax_directory *directory)
{
    ax_mutex_lock(&directory->mutex);
    uint64_t ticket = ++directory->tickets;
    directory->stale = false;
    ax_mutex_unlock(&directory->mutex);
    return ticket;
}

/* state: taken. */
static ax_status
publish(struct ax_directory *directory, struct ax_ctx *ctx, uint64_t ticket,
        struct ax_directory_state *state)
{
    ax_status status = AX_OK;
    ax_mutex_lock(&directory->mutex);
    bool newer = ticket > directory->published;
    if (newer)
        status = ax_snapshot_swap(directory->snapshot, ctx, state);
    if (newer && status == AX_OK)
        directory->published = ticket;
    ax_mutex_unlock(&directory->mutex);
    if (!newer)
        ax_directory_state_free(state);
    return status;
}

static ax_status
write_copy(struct ax_directory *directory, struct ax_ctx *ctx, uint64_t ticket, ax_str text)
{
    ax_status status = AX_OK;
    ax_mutex_lock(&directory->cache_mutex);
    if (ticket > directory->cached)
        status = ax_file_write_atomic(ctx, ax_str_of(directory->cache_path), text);
    if (status == AX_OK && ticket > directory->cached)
        directory->cached = ticket;
    ax_mutex_unlock(&directory->cache_mutex);
    return status;
}

/* A copy that is late hurts nobody who has the picture: upkeep tries again, readiness tells. */
static void
save(struct ax_directory *directory, uint64_t ticket, const struct ax_writer *text)
{
    ax_fault_benign_begin();
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_status status = text->status;
    if (status == AX_OK && arena)
        status = write_copy(directory, &ctx, ticket, ax_writer_str(text));
    else
        status = ax_fail(&ctx, AX_LIMIT, "no memory");
    if (status != AX_OK) {
        ax_ignore(ax_explain(&ctx, status, "the copy of the directory is older than the store"),
                  "the words go to readiness");
        note_stale(directory, ctx.error);
    }
    ax_fault_benign_end();
}

static ax_status
reload(struct ax_directory *directory, struct ax_ctx *ctx)
{
    struct ax_directory_state *state;
    ax_writer_auto struct ax_writer copy = ax_writer_of(AX_DIRECTORY_CACHE_BYTES_MAX);
    uint64_t ticket = take_ticket(directory);
    AX_TRY(ax_directory_state_read(directory->store, ctx, &state));
    ax_fault_benign_begin();
    ax_directory_cache_format(state, &copy);
    ax_fault_benign_end();
    AX_TRY(publish(directory, ctx, ticket, state));
    save(directory, ticket, &copy);
    return AX_OK;
}

ax_status
ax_directory_reload(struct ax_directory *directory, struct ax_ctx *ctx)
{
    if (!directory->store)
        return ax_fail(ctx, AX_UNAVAILABLE, "the store is away: users cannot be read anew");
    ax_status status = reload(directory, ctx);
    if (status != AX_OK)
        note_stale(directory, ctx->error);
    return status;
}

void
ax_directory_settle(struct ax_directory *directory, struct ax_ctx *ctx)
{
    struct ax_ctx second = ax_ctx_of(ctx->arena);
    ax_fault_benign_begin();
    ax_ignore(ax_directory_reload(directory, &second), "upkeep tries again; readiness tells");
    ax_fault_benign_end();
}

ax_status
ax_directory_upkeep(struct ax_directory *directory, struct ax_ctx *ctx)
{
    ax_mutex_lock(&directory->mutex);
    bool stale = directory->stale;
    ax_mutex_unlock(&directory->mutex);
    if (!directory->store)
        return AX_OK;
    if (stale)
        AX_TRY(ax_directory_reload(directory, ctx));
    return ax_token_uses_flush(directory->uses, ctx, directory->store);
}

ax_status
ax_directory_check(struct ax_directory *directory, struct ax_ctx *ctx)
{
    char words[AX_ERROR_BYTES_MAX];
    ax_mutex_lock(&directory->mutex);
    bool stale = directory->stale;
    memcpy(words, directory->words, sizeof words);
    ax_mutex_unlock(&directory->mutex);
    return stale ? ax_fail(ctx, AX_UNAVAILABLE, "%s", words) : AX_OK;
}

/* ---- opening ---- */

/* Without the store the copy serves; without that too, nobody is known, and why is remembered. */
static ax_status
load_copy(struct ax_directory *directory, struct ax_ctx *ctx)
{
    ax_str bytes;
    struct ax_directory_state *state;
    ax_status status = ax_file_read_all(ctx, ax_str_of(directory->cache_path),
                                        AX_DIRECTORY_CACHE_BYTES_MAX, &bytes);
    if (status == AX_OK)
        status = ax_directory_cache_parse(ctx, bytes, &state);
    if (status == AX_OK)
        return publish(directory, ctx, take_ticket(directory), state);
    if (status != AX_NOT_FOUND && status != AX_CORRUPT)
        return status;
    note_stale(directory, ctx->error);
    return AX_OK;
}

ax_status
ax_directory_open(struct ax_ctx *ctx, struct ax_store *store, ax_str cache_path,
                  struct ax_directory **out_directory)
{
    ax_auto(ax_directory_close) struct ax_directory *directory = ax_alloc(sizeof *directory, 1);
    if (!directory)
        return ax_fail(ctx, AX_LIMIT, "no memory for the directory of users");
    ax_mutex_init(&directory->mutex);
    ax_mutex_init(&directory->cache_mutex);
    directory->store = store;
    if (cache_path.len >= sizeof directory->cache_path)
        return ax_fail(ctx, AX_INVALID, "path of %zu bytes is too long", cache_path.len);
    memcpy(directory->cache_path, cache_path.at, cache_path.len);
    AX_TRY(ax_snapshot_open(ctx, ax_directory_state_free, &directory->snapshot));
    AX_TRY(ax_attempts_open(ctx, &attempts_config, &directory->attempts));
    AX_TRY(ax_token_uses_open(ctx, &directory->uses));
    AX_TRY(store ? ax_directory_reload(directory, ctx) : load_copy(directory, ctx));
    *out_directory = ax_take(directory);
    return AX_OK;
}

void
ax_directory_close(struct ax_directory *directory)
{
    if (directory->uses)
        ax_token_uses_close(directory->uses);
    if (directory->attempts)
        ax_attempts_close(directory->attempts);
    if (directory->snapshot)
        ax_snapshot_close(directory->snapshot);
    ax_mutex_done(&directory->cache_mutex);
    ax_mutex_done(&directory->mutex);
    ax_free(directory);
}

/* ---- asking ---- */

ax_status
ax_directory_present(struct ax_directory *directory, struct ax_ctx *ctx,
                     const struct ax_directory_state **out_state)
{
    void *value;
    AX_TRY(ax_snapshot_here(directory->snapshot, ctx, &value));
    if (!value)
        return ax_fail(ctx, AX_UNAVAILABLE,
                       "the directory of users is away, and nobody can be recognised");
    *out_state = value;
    return AX_OK;
}

struct ax_attempts *
ax_directory_attempts(struct ax_directory *directory)
{
    return directory->attempts;
}

struct ax_token_uses *
ax_directory_uses(struct ax_directory *directory)
{
    return directory->uses;
}

ax_status
ax_directory_begin(struct ax_directory *directory, struct ax_ctx *ctx, enum ax_store_access access,
                   struct ax_store_tx **out_tx)
{
    if (!directory->store)
        return ax_fail(ctx, AX_UNAVAILABLE, "the store is away: users and tokens stand still");
    return ax_store_begin(directory->store, ctx, access, out_tx);
}

static ax_status
find(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
     const struct ax_directory_user **out_user)
{
    const struct ax_directory_state *state;
    AX_TRY(ax_directory_present(directory, ctx, &state));
    *out_user = ax_directory_state_user(state, id);
    return *out_user ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no user \"%.*s\"", AX_FMT(id));
}

static bool
copy_bounds(struct ax_arena *arena, const struct ax_directory_user *from,
            struct ax_directory_user *out)
{
    struct ax_grant *grants = AX_NEW_ARRAY(arena, struct ax_grant, from->grant_count + 1);
    ax_str *names = AX_NEW_ARRAY(arena, ax_str, from->identity_count + 1);
    bool whole = grants && names;
    for (size_t i = 0; whole && i < from->grant_count; i++) {
        grants[i].level = from->grants[i].level;
        whole = ax_str_copy(arena, from->grants[i].pattern, &grants[i].pattern);
    }
    for (size_t i = 0; whole && i < from->identity_count; i++)
        whole = ax_str_copy(arena, from->identities[i], &names[i]);
    out->grants = grants;
    out->identities = names;
    return whole;
}

/* The picture may go at this thread's next question: what is given out is a copy. */
static bool
copy_user(struct ax_arena *arena, const struct ax_directory_user *from,
          struct ax_directory_user *out)
{
    struct ax_directory_user user = *from;
    struct ax_directory_key *keys = NULL;
    if (user.key_count)
        keys = AX_NEW_ARRAY(arena, struct ax_directory_key, user.key_count);
    if ((user.key_count && !keys) || !ax_str_copy(arena, from->id, &user.id) ||
        !ax_str_copy(arena, from->name, &user.name) ||
        !ax_str_copy(arena, from->manager, &user.manager))
        return false;
    for (size_t i = 0; keys && i < user.key_count; i++) {
        keys[i] = from->keys[i];
        if (!ax_str_copy(arena, from->keys[i].id, &keys[i].id))
            return false;
    }
    user.keys = keys;
    *out = user;
    return copy_bounds(arena, from, out);
}

ax_status
ax_directory_find(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                  struct ax_directory_user *out_user)
{
    const struct ax_directory_user *user;
    AX_TRY(find(directory, ctx, id, &user));
    return copy_user(ctx->arena, user, out_user) ? AX_OK
                                                 : ax_fail(ctx, AX_LIMIT, "no memory for a user");
}

ax_status
ax_directory_show(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                  struct ax_json_writer *out)
{
    const struct ax_directory_user *user;
    AX_TRY(find(directory, ctx, id, &user));
    ax_directory_state_write_user(user, out);
    return AX_OK;
}

ax_status
ax_directory_list(struct ax_directory *directory, struct ax_ctx *ctx, struct ax_json_writer *out)
{
    const struct ax_directory_state *state;
    AX_TRY(ax_directory_present(directory, ctx, &state));
    ax_json_begin_object(out);
    ax_json_key(out, "users");
    ax_json_begin_array(out);
    for (size_t i = 0; i < state->users.count; i++)
        ax_directory_state_write_user(&state->users.items[i], out);
    ax_json_end_array(out);
    ax_json_end_object(out);
    return AX_OK;
}

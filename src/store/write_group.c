#include "store/write_group.h"

#include <stdio.h>

#include "store/store.h"
#include "sys/clock.h"

enum { MEMBERS_MAX = 256, AGE_MS_MAX = 20 };

#define MS 1'000'000LL

/* One that is done; on its own stack, for it sleeps until the group has ended. */
struct ax_write_member {
    struct ax_write_member *next;
    bool ended;
    ax_status status;
    char words[AX_ERROR_BYTES_MAX];
};

void
ax_write_group_init(struct ax_write_group *group, int64_t wait_ms_max)
{
    *group = (struct ax_write_group){.wait_ms_max = wait_ms_max};
    ax_mutex_init(&group->mutex);
    ax_cond_init(&group->free);
    ax_cond_init(&group->ended);
}

void
ax_write_group_done(struct ax_write_group *group)
{
    ax_cond_done(&group->ended);
    ax_cond_done(&group->free);
    ax_mutex_done(&group->mutex);
}

/* ---- whose turn it is ---- */

static bool
take_turn(struct ax_write_group *group, const struct ax_ctx *ctx)
{
    int64_t until_ns = ax_clock_monotonic_ns() + group->wait_ms_max * MS;
    if (ctx->deadline_ns < until_ns)
        until_ns = ctx->deadline_ns;
    ax_mutex_lock(&group->mutex);
    group->waiting++;
    while (group->busy && ax_cond_wait_until(&group->free, &group->mutex, until_ns))
        continue;
    group->waiting--;
    bool mine = !group->busy;
    group->busy = true;
    ax_mutex_unlock(&group->mutex);
    return mine;
}

static void
give_turn(struct ax_write_group *group) AX_REQUIRES(&group->mutex)
{
    group->busy = false;
    ax_cond_signal(&group->free);
}

/* Whether somebody waits who may write in the same transaction. */
static bool
goes_on(const struct ax_write_group *group) AX_REQUIRES(&group->mutex)
{
    return group->waiting > 0 && group->member_count < MEMBERS_MAX &&
           ax_clock_monotonic_ns() - group->began_ns < AGE_MS_MAX * MS;
}

/* The transaction is over: tells those who sleep how it ended, and lets the next begin. */
static void
end_group(struct ax_write_group *group, ax_status status, const char *words)
{
    ax_mutex_lock(&group->mutex);
    for (struct ax_write_member *member = group->members; member; member = member->next) {
        member->status = status;
        snprintf(member->words, sizeof member->words, "%s", words);
        member->ended = true;
    }
    if (group->members)
        ax_cond_broadcast(&group->ended);
    group->members = NULL;
    group->tx = NULL;
    give_turn(group);
    ax_mutex_unlock(&group->mutex);
}

/* Hands the transaction on and sleeps until it has ended; false when nobody waits for it. */
static bool
hand_on(struct ax_write_group *group, struct ax_write_member *member)
{
    ax_mutex_lock(&group->mutex);
    bool on = goes_on(group);
    if (on) {
        member->next = group->members;
        group->members = member;
        give_turn(group);
        while (!member->ended)
            ax_cond_wait(&group->ended, &group->mutex);
    }
    ax_mutex_unlock(&group->mutex);
    return on;
}

/* ---- transactions ---- */

static void
break_group(struct ax_write_group *group, struct ax_store_tx *tx, const char *words)
{
    tx->store->ops->rollback(tx);
    end_group(group, AX_UNAVAILABLE, words);
}

static ax_status
begin_first(struct ax_store *store, struct ax_ctx *ctx)
{
    struct ax_write_group *group = &store->group;
    ax_status status = store->ops->begin(store, ctx, AX_STORE_WRITE, &group->tx);
    if (status != AX_OK) {
        ax_mutex_lock(&group->mutex);
        group->tx = NULL;
        give_turn(group);
        ax_mutex_unlock(&group->mutex);
        return status;
    }
    group->tx->store = store;
    group->tx->access = AX_STORE_WRITE;
    group->began_ns = ax_clock_monotonic_ns();
    group->member_count = 0;
    return AX_OK;
}

static ax_status
join(struct ax_store *store, struct ax_ctx *ctx)
{
    struct ax_write_group *group = &store->group;
    ax_status status = store->ops->save(group->tx, ctx, AX_STORE_SAVE);
    if (status != AX_OK)
        break_group(group, group->tx, ctx->error);
    return status;
}

ax_status
ax_write_group_begin(struct ax_store *store, struct ax_ctx *ctx, struct ax_store_tx **out_tx)
{
    struct ax_write_group *group = &store->group;
    if (!take_turn(group, ctx))
        return ax_fail(ctx, AX_UNAVAILABLE, "the database is busy: no writer became free in time");
    bool first = !group->tx;
    AX_TRY(first ? begin_first(store, ctx) : join(store, ctx));
    group->saved = !first;
    group->member_count++;
    group->tx->status = AX_OK;
    *out_tx = group->tx;
    return AX_OK;
}

/* Commits for all. */
static ax_status
commit_group(struct ax_write_group *group, struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    ax_status status = tx->store->ops->commit(tx, ctx);
    end_group(group, status, ctx->error);
    return status;
}

ax_status
ax_write_group_commit(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    struct ax_write_group *group = &tx->store->group;
    struct ax_write_member member = {};
    ax_status status =
        tx->store->ops->save(tx, ctx, group->saved ? AX_STORE_SAVED : AX_STORE_CLOSE_ROWS);
    if (status != AX_OK) {
        break_group(group, tx, ctx->error);
        return status;
    }
    if (!hand_on(group, &member))
        return commit_group(group, tx, ctx);
    return member.status == AX_OK ? AX_OK : ax_fail(ctx, member.status, "%s", member.words);
}

/* Whether the next may go on, or nobody is left for whom there is something to commit. */
static bool
leave(struct ax_write_group *group, bool *out_others)
{
    ax_mutex_lock(&group->mutex);
    bool on = goes_on(group);
    *out_others = group->members != NULL;
    if (on)
        give_turn(group);
    ax_mutex_unlock(&group->mutex);
    return on;
}

void
ax_write_group_rollback(struct ax_store_tx *tx)
{
    struct ax_write_group *group = &tx->store->group;
    struct ax_ctx aside = ax_ctx_of(NULL);
    bool others = false;
    if (!group->saved || tx->store->ops->save(tx, &aside, AX_STORE_UNDO) != AX_OK) {
        break_group(group, tx, aside.error);
        return;
    }
    if (leave(group, &others))
        return;
    if (others)
        ax_ignore(commit_group(group, tx, &aside), "those whose work it is are told");
    else
        break_group(group, tx, "");
}

#include "auth/token_uses.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/clock.h"
#include "sys/mutex.h"

enum { ROWS = 256, PLACES = 4, ID_BYTES_MAX = 31, FLUSHED_MAX = 128 };

#define FINE_NS INT64_C(60'000'000'000)

struct use {
    char id[ID_BYTES_MAX + 1]; /* terminated; "": the place is free */
    int64_t used_ns;           /* UTC */
    bool unwritten;
};

struct ax_token_uses {
    struct ax_mutex mutex;
    bool any; /* guarded by mutex, as is the table: something is unwritten */
    struct use rows[ROWS][PLACES];
};

ax_status
ax_token_uses_open(struct ax_ctx *ctx, struct ax_token_uses **out_uses)
{
    struct ax_token_uses *uses = ax_alloc(sizeof *uses, 1);
    if (!uses)
        return ax_fail(ctx, AX_LIMIT, "no memory to note the use of tokens");
    ax_mutex_init(&uses->mutex);
    *out_uses = uses;
    return AX_OK;
}

void
ax_token_uses_close(struct ax_token_uses *uses)
{
    ax_mutex_done(&uses->mutex);
    ax_free(uses);
}

/* The token's place, or that of a written use which is oldest; NULL when all are unwritten. */
static struct use *
find_place(struct use row[PLACES], ax_str id)
{
    struct use *oldest = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        if (ax_str_eq(ax_str_of(row[i].id), id))
            return &row[i];
        if (!row[i].unwritten && (!oldest || row[i].used_ns < oldest->used_ns))
            oldest = &row[i];
    }
    if (oldest) {
        *oldest = (struct use){};
        memcpy(oldest->id, id.at, id.len);
    }
    return oldest;
}

void
ax_token_uses_note(struct ax_token_uses *uses, ax_str id)
{
    if (id.len == 0 || id.len > ID_BYTES_MAX)
        return;
    int64_t now_ns = ax_clock_real_ns();
    uint64_t hash = ax_map_hash(id);
    ax_mutex_lock(&uses->mutex);
    struct use *use = find_place(uses->rows[hash % ROWS], id);
    if (use && now_ns - use->used_ns >= FINE_NS) {
        use->used_ns = now_ns;
        use->unwritten = uses->any = true;
    }
    ax_mutex_unlock(&uses->mutex);
}

/* Some of what is unwritten; it counts as written until it turns out that it was not. */
static size_t
take_some(struct ax_token_uses *uses, struct use out[FLUSHED_MAX])
{
    size_t count = 0;
    ax_mutex_lock(&uses->mutex);
    for (size_t i = 0; uses->any && i < ROWS * PLACES; i++) {
        struct use *use = &uses->rows[i / PLACES][i % PLACES];
        if (!use->unwritten)
            continue;
        if (count == FLUSHED_MAX)
            break;
        use->unwritten = false;
        out[count++] = *use;
    }
    uses->any = count == FLUSHED_MAX;
    ax_mutex_unlock(&uses->mutex);
    return count;
}

static void
give_back(struct ax_token_uses *uses, const struct use *some, size_t count)
{
    ax_mutex_lock(&uses->mutex);
    for (size_t i = 0; i < count; i++) {
        ax_str id = ax_str_of(some[i].id);
        struct use *row = uses->rows[ax_map_hash(id) % ROWS];
        for (size_t j = 0; j < PLACES; j++)
            row[j].unwritten |= ax_str_eq(ax_str_of(row[j].id), id);
    }
    uses->any = true;
    ax_mutex_unlock(&uses->mutex);
}

static ax_status
write_uses(struct ax_ctx *ctx, struct ax_store *store, const struct use *some, size_t count)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    for (size_t i = 0; i < count; i++)
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("update tokens set last_used_ns = $2 where id = $1 and "
                   "coalesce(last_used_ns, 0) < $2"),
            AX_STORE_PARAMS(ax_store_text(ax_str_of(some[i].id)), ax_store_i64(some[i].used_ns)),
            NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_token_uses_flush(struct ax_token_uses *uses, struct ax_ctx *ctx, struct ax_store *store)
{
    struct use some[FLUSHED_MAX];
    size_t count = take_some(uses, some);
    if (count == 0)
        return AX_OK;
    ax_status status = write_uses(ctx, store, some, count);
    if (status != AX_OK)
        give_back(uses, some, count);
    return status;
}

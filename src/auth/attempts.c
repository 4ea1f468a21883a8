#include "auth/attempts.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/clock.h"
#include "sys/mutex.h"

/* A network may stand in any place of one row. */
enum { ROWS = 256, PLACES = 4, NS_PER_MS = 1'000'000 };

struct bucket {
    uint64_t who;
    int64_t last_ns;     /* monotonic; 0: the place is free */
    int64_t failures_ns; /* failures not forgiven yet, in time that they take to be */
};

struct ax_attempts {
    struct ax_mutex mutex;
    int64_t refill_ns;
    int64_t full_ns;
    struct bucket rows[ROWS][PLACES]; /* guarded by mutex */
};

ax_status
ax_attempts_open(struct ax_ctx *ctx, const struct ax_attempts_config *config,
                 struct ax_attempts **out_attempts)
{
    struct ax_attempts *attempts = ax_alloc(sizeof *attempts, 1);
    if (!attempts)
        return ax_fail(ctx, AX_LIMIT, "no memory to count failed attempts");
    ax_mutex_init(&attempts->mutex);
    attempts->refill_ns = config->refill_ms * NS_PER_MS;
    attempts->full_ns = config->failures_max * attempts->refill_ns;
    *out_attempts = attempts;
    return AX_OK;
}

void
ax_attempts_close(struct ax_attempts *attempts)
{
    ax_mutex_done(&attempts->mutex);
    ax_free(attempts);
}

/* Nobody outside knows which networks share a row. */
static size_t
row_of(uint64_t who)
{
    char bytes[sizeof who];
    memcpy(bytes, &who, sizeof who);
    return ax_map_hash((ax_str){bytes, sizeof bytes}) % ROWS;
}

/* Whose it is, or the one that failed longest ago. The caller holds the mutex. */
static struct bucket *
find_place(struct bucket row[PLACES], uint64_t who)
{
    struct bucket *oldest = &row[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (row[i].last_ns && row[i].who == who)
            return &row[i];
        if (row[i].last_ns < oldest->last_ns)
            oldest = &row[i];
    }
    *oldest = (struct bucket){.who = who};
    return oldest;
}

bool
ax_attempts_spent(struct ax_attempts *attempts, uint64_t who)
{
    bool spent = false;
    int64_t now_ns = ax_clock_monotonic_ns();
    const struct bucket *row = attempts->rows[row_of(who)];
    ax_mutex_lock(&attempts->mutex);
    for (size_t i = 0; i < PLACES; i++)
        if (row[i].last_ns && row[i].who == who)
            spent = row[i].failures_ns - (now_ns - row[i].last_ns) + attempts->refill_ns >
                    attempts->full_ns;
    ax_mutex_unlock(&attempts->mutex);
    return spent;
}

bool
ax_attempts_failed(struct ax_attempts *attempts, uint64_t who)
{
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_mutex_lock(&attempts->mutex);
    struct bucket *bucket = find_place(attempts->rows[row_of(who)], who);
    int64_t passed_ns = bucket->last_ns ? now_ns - bucket->last_ns : 0;
    int64_t left_ns = bucket->failures_ns - (passed_ns > 0 ? passed_ns : 0);
    left_ns = (left_ns > 0 ? left_ns : 0) + attempts->refill_ns;
    bool few = left_ns <= attempts->full_ns;
    bucket->failures_ns = few ? left_ns : attempts->full_ns;
    bucket->last_ns = now_ns > 0 ? now_ns : 1;
    ax_mutex_unlock(&attempts->mutex);
    return few;
}

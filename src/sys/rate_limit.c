#include "sys/rate_limit.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/assert.h"

#define NS_PER_SECOND INT64_C(1'000'000'000)

enum { WINDOW = 8, TRIES = 4 };

struct bucket {
    _Atomic uint64_t key;    /* 0: never used */
    _Atomic int64_t full_ns; /* when it will be full; in the past: it is */
};

struct ax_rate_limit {
    _Atomic int64_t token_ns; /* between two tokens; 0: no limit */
    _Atomic int64_t burst_ns; /* what a full bucket is worth */
    size_t mask;
    struct bucket *buckets;
};

ax_status
ax_rate_limit_open(struct ax_ctx *ctx, size_t key_max, struct ax_rate_limit **out_limit)
{
    AX_ASSERT(key_max > 0 && key_max <= SIZE_MAX / 64);
    size_t count = WINDOW;
    while (count < key_max)
        count *= 2;
    struct ax_rate_limit *limit = ax_alloc(1, sizeof *limit);
    struct bucket *buckets = ax_alloc(sizeof *buckets, count);
    if (!limit || !buckets) {
        ax_free(limit);
        ax_free(buckets);
        return ax_fail(ctx, AX_LIMIT, "no memory to limit the rates of %zu", count);
    }
    limit->mask = count - 1;
    limit->buckets = buckets;
    *out_limit = limit;
    return AX_OK;
}

void
ax_rate_limit_close(struct ax_rate_limit *limit)
{
    ax_free(limit->buckets);
    ax_free(limit);
}

/* Relaxed: who takes at this moment may still go by the old rate. */
void
ax_rate_limit_set(struct ax_rate_limit *limit, struct ax_rate rate)
{
    AX_ASSERT(rate.per_second >= 0 && rate.per_second <= NS_PER_SECOND && rate.burst >= 0);
    int64_t token_ns = rate.per_second ? NS_PER_SECOND / rate.per_second : 0;
    int64_t burst = rate.burst ? rate.burst : rate.per_second;
    int64_t burst_ns =
        token_ns && burst > INT64_MAX / 4 / token_ns ? INT64_MAX / 4 : burst * token_ns;
    atomic_store_explicit(&limit->burst_ns, burst_ns, memory_order_relaxed);
    atomic_store_explicit(&limit->token_ns, token_ns, memory_order_relaxed);
}

bool
ax_rate_limit_is_on(const struct ax_rate_limit *limit)
{
    return atomic_load_explicit(&limit->token_ns, memory_order_relaxed) != 0;
}

/* Its bucket; or one of which nobody has need, given to it; or NULL: another was quicker. */
static struct bucket *
find_bucket(struct ax_rate_limit *limit, uint64_t key, int64_t now_ns)
{
    struct bucket *free_one = NULL;
    for (size_t i = 0; i < WINDOW; i++) {
        struct bucket *bucket = &limit->buckets[((size_t)key + i) & limit->mask];
        if (atomic_load_explicit(&bucket->key, memory_order_relaxed) == key)
            return bucket;
        if (!free_one && atomic_load_explicit(&bucket->full_ns, memory_order_relaxed) <= now_ns)
            free_one = bucket;
    }
    if (!free_one) /* shared */
        return &limit->buckets[(size_t)key & limit->mask];
    uint64_t before = atomic_load_explicit(&free_one->key, memory_order_relaxed);
    bool given = atomic_compare_exchange_strong_explicit(
        &free_one->key, &before, key, memory_order_relaxed, memory_order_relaxed);
    return given || before == key ? free_one : NULL;
}

static struct bucket *
bucket_of(struct ax_rate_limit *limit, uint64_t key, int64_t now_ns)
{
    for (int i = 0; i < TRIES; i++) {
        struct bucket *bucket = find_bucket(limit, key, now_ns);
        if (bucket)
            return bucket;
    }
    return &limit->buckets[(size_t)key & limit->mask];
}

/* Relaxed throughout: a bucket guards nothing but its own number. */
int64_t
ax_rate_limit_take(struct ax_rate_limit *limit, uint64_t key, int64_t now_ns)
{
    int64_t token_ns = atomic_load_explicit(&limit->token_ns, memory_order_relaxed);
    int64_t burst_ns = atomic_load_explicit(&limit->burst_ns, memory_order_relaxed);
    if (token_ns == 0)
        return 0;
    struct bucket *bucket = bucket_of(limit, key ? key : 1, now_ns);
    int64_t full_ns = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed), next_ns;
    do {
        next_ns = (full_ns > now_ns ? full_ns : now_ns) + token_ns;
        if (next_ns - now_ns > burst_ns)
            return next_ns - now_ns - burst_ns;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_ns, &full_ns, next_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    return 0;
}

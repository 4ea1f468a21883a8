/*
 * So many a second for each of many: token buckets, lock-free, over all threads together.
 *
 * A bucket is one number, the time at which it will be full again (the generic cell rate
 * algorithm), so that taking a token is one compare-and-swap and an idle bucket is no bucket: its
 * place is given to another key. The table is fixed; when all places of a key are held by others
 * who are active it shares the first one of them, so that a flood of keys finds no way round. Exact
 * otherwise, but for a key that two threads bring at the same moment for the first time: it may
 * have two buckets for as long as one takes to fill.
 *
 * Source: ITU-T I.371, annex A (GCRA).
 */
#pragma once

#include "base/ctx.h"

struct ax_rate_limit;

struct ax_rate {
    int64_t per_second; /* 0: no limit; at most 1e9 */
    int64_t burst;      /* at once after a rest; 0: as many as in a second */
};

/* key_max: places; rounded up to a power of two. Without a limit at first. Fails: LIMIT. */
ax_status ax_rate_limit_open(struct ax_ctx *ctx, size_t key_max, struct ax_rate_limit **out_limit);
void ax_rate_limit_close(struct ax_rate_limit *limit);

/* From now on; buckets keep what they hold. Any thread. */
void ax_rate_limit_set(struct ax_rate_limit *limit, struct ax_rate rate);

/* Whether there is a limit now. Any thread. */
bool ax_rate_limit_is_on(const struct ax_rate_limit *limit);

/* 0: a token was taken; else how long until there is one. Any thread. */
[[nodiscard]] int64_t ax_rate_limit_take(struct ax_rate_limit *limit, uint64_t key, int64_t now_ns);

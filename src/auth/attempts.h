/*
 * How often somebody failed to say who they are, by the network they came from: a bounded table.
 *
 * Each has a bucket of failures that empties with time. Where the table is full, who failed longest
 * ago is forgotten: a flood from many networks cannot make it grow, and costs at most the memory of
 * earlier ones. Only failures are counted, so those who know their token never come here.
 *
 * who: a network as net/admission.h counts it, an IPv4 address or an IPv6 /64, of which everybody
 * has 2^64 addresses; or the hash of a name.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

struct ax_attempts;

struct ax_attempts_config {
    int64_t failures_max; /* at once */
    int64_t refill_ms;    /* until one of them is forgiven */
};

ax_status ax_attempts_open(struct ax_ctx *ctx, const struct ax_attempts_config *config,
                           struct ax_attempts **out_attempts);
void ax_attempts_close(struct ax_attempts *attempts);
AX_DEFINE_AUTO(struct ax_attempts, ax_attempts_close);

/* Whether it has failed so often that one more would be too many; counts nothing. */
[[nodiscard]] bool ax_attempts_spent(struct ax_attempts *attempts, uint64_t who);

/* Counts a failure; false when it was one too many. Any thread; a short lock, never a wait. */
[[nodiscard]] bool ax_attempts_failed(struct ax_attempts *attempts, uint64_t who);

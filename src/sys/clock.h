/*
 * What time it is: the only place that asks the machine.
 *
 * Durations use the monotonic clock, facts the real one (UTC). Tests may set both.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

enum { AX_CLOCK_TEXT_BYTES = 32 };

int64_t ax_clock_monotonic_ns(void);

/* Since 1970-01-01 UTC. It may jump, backwards too. */
int64_t ax_clock_real_ns(void);
int64_t ax_clock_real_ms(void);

/* As the kernel's last tick had it, at most 10 ms ago: a fifth of the cost. */
int64_t ax_clock_real_coarse_ns(void);

/* "2026-11-23T10:11:12.123456Z" (RFC 3339, microseconds), terminated. */
ax_str ax_clock_format(int64_t real_ns, char out[AX_CLOCK_TEXT_BYTES]);

/* The reverse, with or without fraction, zone Z or +hh:mm. Fails: INVALID. */
ax_status ax_clock_parse(ax_str text, int64_t *out_real_ns);

/* Until the deadline; never negative. INT64_MAX when there is none. */
int64_t ax_clock_left_ns(int64_t deadline_ns);

void ax_clock_sleep_ms(int64_t ms);

/* Tests only: from now on both clocks stand still at these times; (0, 0) lets them run again. */
void ax_clock_fake(int64_t monotonic_ns, int64_t real_ns);

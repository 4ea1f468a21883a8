/*
 * The places where the world may say no. Release builds compile them away.
 *
 * A sweep (tests/harness.h) makes step 0, 1, 2 ... fail until a run completes. A spot where a
 * failure is harmless by design (a cache that may miss) stands between benign_begin and _end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef AX_FAULTS
/* True when the running sweep wants this step to fail. */
bool ax_fault_here(void);

/* Makes step number `at` (from 0) of this thread fail; with `forever`, every later one too. */
void ax_fault_arm(int at, bool forever);

/* Stops failing steps; returns whether the armed step was reached. */
bool ax_fault_disarm(void);

/* Whether a step failed outside every benign stretch: then the run may not end AX_OK. */
bool ax_fault_must_be_noticed(void);

/* Steps between the two may fail without anybody noticing. */
void ax_fault_benign_begin(void);
void ax_fault_benign_end(void);

/* Overwrites what nobody is to read again: tests find out who does. */
void ax_fault_spoil(void *at, size_t bytes);
#else
static inline bool
ax_fault_here(void)
{
    return false;
}

static inline void
ax_fault_benign_begin(void)
{
}

static inline void
ax_fault_benign_end(void)
{
}

static inline void
ax_fault_spoil(void *, size_t)
{
}
#endif

/*
 * Child processes with bounded time, memory and output. The only place that forks.
 *
 * A child inherits nothing but its three standard streams: every other descriptor is closed, no
 * signal is ignored or blocked, no core is dumped. It and what it starts form a group that is
 * killed when it ends, at the deadline, and when the thread that runs it dies. How many threads it
 * may use is told to it in its environment. Calling is safe in a program with many threads.
 */
#pragma once

#include "base/ctx.h"

/* For a child that somebody sits before: it stays in the parent's group and is not cut off. */
struct ax_process_watch {
    void *arg;
    void (*on_output)(void *arg, bool errors, ax_str bytes); /* all of it, as it comes */
    void (*on_tick)(void *arg, int pid);                     /* about twenty times a second */
};

struct ax_process_config {
    const char *const
        *arguments; /* argv, NULL at the end; [0] is a path, or a name looked up in PATH */
    const char *const
        *environment;   /* "NAME=value" set on top of the parent's, NULL at the end; may be NULL */
    ax_str input;       /* written to its standard input */
    const char *folder; /* working folder; NULL for the parent's */
    int64_t timeout_ms; /* then, or at the context's deadline, it and its group are killed */
    uint64_t memory_bytes_max; /* address space; 0 for no limit */
    int64_t cpu_seconds_max;   /* of all its threads together; 0 for no limit */
    size_t output_bytes_max;   /* of each output stream; more is cut off */
    /*
     * NULL: none. Else its standard input is the parent's, and signals that ask the parent to end
     * are handed to it; the caller has blocked them in every thread.
     */
    const struct ax_process_watch *watch;
};

struct ax_process_result {
    int exit_code; /* 0..255; 128 + signal when killed */
    int signal;    /* that killed it; 0: none did */
    int forwarded; /* the newest that was handed to it; 0: none was */
    bool timed_out;
    ax_str output; /* standard output, in ctx->arena */
    ax_str errors; /* standard error, in ctx->arena */
};

/*
 * Runs it to its end, blocking: for a worker. A non-zero exit is a result, not a failure.
 *
 * Fails: NOT_FOUND (no such program), DENIED, LIMIT; TIMEOUT, with out_result filled all the same:
 * it holds what was said until then.
 */
ax_status ax_process_run(struct ax_ctx *ctx, const struct ax_process_config *config,
                         struct ax_process_result *out_result);

/* Blocks the signals that ax_process_watch hands on; before any thread. */
void ax_process_block_signals(void);

/* Path of the running program (/proc/self/exe), in ctx->arena. */
ax_status ax_process_self(struct ax_ctx *ctx, ax_str *out_path);

/* Resident memory of this process, in bytes. */
uint64_t ax_process_resident_bytes(void);

/* No core dumps, no tracing by others: secrets stay inside (R92). */
void ax_process_harden(void);

/* Lets this process have so many descriptors, or as many as it may; how many that are now. */
uint64_t ax_process_descriptors(uint64_t wanted);

/*
 * Whether the server, a service or a model answers, and who wants to hear when that changes.
 *
 * Whoever watches is told once at the beginning and then at each change; a job looks every so
 * often. Knows no protocol: a watcher brings two functions. When the server drains each is told
 * NOT_SERVING and ended. Source: grpc/grpc doc/health-checking.md.
 */
#pragma once

#include "api/api.h"

struct ax_health_watch;
struct ax_lane;

enum ax_health { /* as grpc.health.v1.HealthCheckResponse.ServingStatus */
                 AX_HEALTH_SERVING = 1,
                 AX_HEALTH_NOT_SERVING = 2,
                 AX_HEALTH_UNKNOWN_SERVICE = 3,
};

struct ax_health_watcher { /* the caller's, kept until it is ended or taken out */
    struct ax_health_watcher *next, *before;
    ax_str name; /* "": the whole server; a service's name; a model's or deployment's; kept */
    enum ax_health state;
    bool listed;
    void (*tell)(struct ax_health_watcher *watcher, enum ax_health state); /* any thread */
    void (*end)(struct ax_health_watcher *watcher); /* any thread; the last call */
};

/* The state of what has that name. lane: the calling thread's. */
enum ax_health ax_health_of(const struct ax_api_config *services, struct ax_lane *lane,
                            ax_str name);

/* services: kept. Fails: LIMIT. */
ax_status ax_health_watch_open(struct ax_ctx *ctx, const struct ax_api_config *services,
                               struct ax_health_watch **out_watch);
void ax_health_watch_close(struct ax_health_watch *watch); /* after every watcher is gone */

/*
 * Tells the watcher the state it came with and keeps it. Any thread.
 * Fails: LIMIT (too many watch already), UNAVAILABLE (the server drains): it was not told then.
 */
ax_status ax_health_watch_add(struct ax_health_watch *watch, struct ax_ctx *ctx,
                              struct ax_health_watcher *watcher);

/* Takes a watcher out; false when it has been ended, or is about to be. Any thread. */
bool ax_health_watch_remove(struct ax_health_watch *watch, struct ax_health_watcher *watcher);

/* Tells those whose state has changed. Not on a loop thread. Fails: LIMIT. */
ax_status ax_health_watch_look(struct ax_health_watch *watch, struct ax_ctx *ctx);

/* The server stops: all are told NOT_SERVING and ended, and nobody is added any more. */
void ax_health_watch_drain(struct ax_health_watch *watch);

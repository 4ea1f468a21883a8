#include "api/health_watch.h"

#include "api/rpc.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "sys/mutex.h"

enum { WATCHERS_MAX = 1'024 };

struct ax_health_watch {
    const struct ax_api_config *services;
    struct ax_mutex mutex;
    struct ax_health_watcher *first; /* guarded by mutex */
    size_t count;                    /* guarded by mutex */
    bool draining;                   /* guarded by mutex */
};

/* ---- what the state is ---- */

static bool
is_service(ax_str name)
{
    for (size_t i = 0; i < ax_rpc_service_count; i++)
        if (ax_str_eq(name, ax_str_of(ax_rpc_services[i]->name)))
            return true;
    return name.len == 0;
}

static enum ax_health
state_of_server(const struct ax_api_host *host)
{
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    return host->ready(host->arg, &said) ? AX_HEALTH_SERVING : AX_HEALTH_NOT_SERVING;
}

static enum ax_health
state_of_model(struct ax_lane *lane, ax_str name)
{
    const struct ax_plan *plan = ax_lane_plan(lane);
    return plan && (ax_plan_model(plan, name, 0) || ax_plan_deployment(plan, name))
               ? AX_HEALTH_SERVING
               : AX_HEALTH_UNKNOWN_SERVICE;
}

enum ax_health
ax_health_of(const struct ax_api_config *services, struct ax_lane *lane, ax_str name)
{
    return is_service(name) ? state_of_server(&services->host) : state_of_model(lane, name);
}

/* ---- who watches ---- */

ax_status
ax_health_watch_open(struct ax_ctx *ctx, const struct ax_api_config *services,
                     struct ax_health_watch **out_watch)
{
    struct ax_health_watch *watch = ax_alloc(sizeof *watch, 1);
    if (!watch)
        return ax_fail(ctx, AX_LIMIT, "no memory for health");
    watch->services = services;
    ax_mutex_init(&watch->mutex);
    *out_watch = watch;
    return AX_OK;
}

void
ax_health_watch_close(struct ax_health_watch *watch)
{
    if (!watch)
        return;
    AX_ASSERT(watch->count == 0);
    ax_mutex_done(&watch->mutex);
    ax_free(watch);
}

static void
unlist(struct ax_health_watch *watch, struct ax_health_watcher *watcher) AX_REQUIRES(&watch->mutex)
{
    *(watcher->before ? &watcher->before->next : &watch->first) = watcher->next;
    if (watcher->next)
        watcher->next->before = watcher->before;
    watcher->listed = false;
    watch->count--;
}

/* Told under the lock, so that no later state overtakes it. */
ax_status
ax_health_watch_add(struct ax_health_watch *watch, struct ax_ctx *ctx,
                    struct ax_health_watcher *watcher)
{
    ax_mutex_lock(&watch->mutex);
    bool draining = watch->draining, full = watch->count >= WATCHERS_MAX;
    if (!draining && !full) {
        watcher->before = NULL;
        watcher->next = watch->first;
        if (watcher->next)
            watcher->next->before = watcher;
        watch->first = watcher;
        watcher->listed = true;
        watch->count++;
        watcher->tell(watcher, watcher->state);
    }
    ax_mutex_unlock(&watch->mutex);
    if (draining)
        return ax_fail(ctx, AX_UNAVAILABLE, "the server is stopping");
    return full ? ax_fail(ctx, AX_LIMIT, "%d watch already; ask Check", WATCHERS_MAX) : AX_OK;
}

bool
ax_health_watch_remove(struct ax_health_watch *watch, struct ax_health_watcher *watcher)
{
    ax_mutex_lock(&watch->mutex);
    bool listed = watcher->listed;
    if (listed)
        unlist(watch, watcher);
    ax_mutex_unlock(&watch->mutex);
    return listed;
}

static bool
anybody(struct ax_health_watch *watch)
{
    ax_mutex_lock(&watch->mutex);
    bool found = watch->first != NULL;
    ax_mutex_unlock(&watch->mutex);
    return found;
}

ax_status
ax_health_watch_look(struct ax_health_watch *watch, struct ax_ctx *ctx)
{
    struct ax_lane *lane;
    if (!anybody(watch))
        return AX_OK;
    AX_TRY(ax_lane_open(ctx, watch->services->server, &lane));
    enum ax_health server = state_of_server(&watch->services->host);
    ax_mutex_lock(&watch->mutex);
    for (struct ax_health_watcher *at = watch->first; at; at = at->next) {
        enum ax_health state = is_service(at->name) ? server : state_of_model(lane, at->name);
        if (state == at->state)
            continue;
        at->state = state;
        at->tell(at, state);
    }
    ax_mutex_unlock(&watch->mutex);
    ax_lane_close(lane);
    return AX_OK;
}

static struct ax_health_watcher *
take_first(struct ax_health_watch *watch)
{
    ax_mutex_lock(&watch->mutex);
    watch->draining = true;
    struct ax_health_watcher *watcher = watch->first;
    if (watcher)
        unlist(watch, watcher);
    ax_mutex_unlock(&watch->mutex);
    return watcher;
}

void
ax_health_watch_drain(struct ax_health_watch *watch)
{
    for (struct ax_health_watcher *at; (at = take_first(watch));) {
        if (at->state != AX_HEALTH_NOT_SERVING)
            at->tell(at, AX_HEALTH_NOT_SERVING);
        at->end(at);
    }
}

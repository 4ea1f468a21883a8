/*
 * What the two halves of routing share: route.c finds the route and asks who calls, call.c
 * runs the handler on its thread.
 */
#pragma once

#include "api/access.h"
#include "api/path_tree.h"
#include "api/route.h"
#include "api/rpc.h"

struct ax_api {
    struct ax_api_config config;
    struct ax_arena *arena;
    struct ax_path_tree *paths;
    struct ax_metric *requests[6]; /* by hundreds of the status: [2] is 2xx */
    struct ax_metric *refused;     /* before a route was known */
    struct ax_metric *seconds;
    struct ax_grpc grpc;
    struct ax_access *access;
    struct ax_workers *verifier; /* one thread, on which passwords are verified; or NULL */
    struct ax_observers observers;
};

/* What each loop has of its own. */
struct ax_loop_data {
    struct ax_lane *lane;
    bool deferred; /* of the call whose handler runs: it outlives that call */
};

enum { AX_ROUTE_PIECE_BYTES_MAX = 8 << 20 };

/* The request is whole: runs its handler, on the loop or on a worker. */
void ax_call_run(struct ax_call *call);

/* More of a body that is not gathered has come. */
void ax_call_take(struct ax_call *call);

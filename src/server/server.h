/*
 * The program that serves: services, loops, workers, jobs; from start to an orderly end.
 *
 * Two ways to run: on a data directory, governed; or in development mode, on bare model files or on
 * a folder for tracking experiments: loopback only, no credentials, nothing recorded, and marked so
 * everywhere.
 */
#pragma once

#include "server/model_repository.h"
#include "server/server_settings.h"

enum { AX_SERVER_LISTEN_MAX = 16, AX_SERVER_MODELS_MAX = 1024, AX_SERVER_OVERRIDES_MAX = 64 };

struct ax_server_override { /* "net.idle_ms" "5s" */
    ax_str name, value;
};

struct ax_server_options {
    ax_str data_dir; /* "" in development mode */
    bool may_be_new; /* a folder that is not there or empty is made, for development */
    struct ax_model_repository_file models[AX_SERVER_MODELS_MAX];
    size_t model_count;
    ax_str listen[AX_SERVER_LISTEN_MAX]; /* none: 127.0.0.1:8080 */
    size_t listen_count;
    struct ax_server_override overrides[AX_SERVER_OVERRIDES_MAX];
    size_t override_count;
};

/*
 * Serves until SIGTERM or SIGINT, then lets requests in flight end. Logs one line "ready" with
 * the ports when it accepts.
 * Fails: as the services and the loops, before anything was accepted.
 */
ax_status ax_server_run(struct ax_ctx *ctx, const struct ax_server_options *options);

/*
 * A folder of its own with a data directory in it, and the services over that: for tests of
 * whatever opens, copies or brings back a data directory.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "directory_case.h"
#include "harness.h"
#include "server/init.h"
#include "server/services.h"

struct server_case {
    char folder[64]; /* a fresh one */
    ax_str root;     /* folder/data, not made */
    ax_str keys;     /* folder/keys, not made */
};

static inline void
server_case_make(struct ax_ctx *ctx, struct server_case *made)
{
    snprintf(made->folder, sizeof made->folder, "%s/axiom-server-XXXXXX",
             ax_file_exists(AX_STR("/dev/shm")) ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(made->folder) != NULL);
    made->root = ax_str_printf(ctx->arena, "%s/data", made->folder);
    made->keys = ax_str_printf(ctx->arena, "%s/keys", made->folder);
}

static inline void
server_case_done(struct ax_ctx *ctx, struct server_case *made)
{
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(made->folder)), AX_OK);
}

static inline ax_status
server_case_init(struct ax_ctx *ctx, const struct server_case *made)
{
    struct ax_init init = {
        .root = made->root,
        .keys = made->keys,
        .origin = AX_STR("axiom.test/ledger"),
        .admin = AX_STR("amy"),
    };
    return ax_init(ctx, &init);
}

/* The services over the directory; the caller closes them. */
static inline ax_status
server_case_open(struct ax_ctx *ctx, const struct server_case *made, struct ax_services *services)
{
    *services = (struct ax_services){};
    ax_server_settings_defaults(&services->settings);
    AX_TRY(ax_data_dir_of(ctx, made->root, made->keys, &services->dir));
    AX_TRY(ax_server_settings_read(ctx, &services->settings, services->dir.settings));
    services->settings.ledger.prepare_bytes = 1 << 20; /* a sweep opens it some hundred times */
    AX_TRY(ax_data_dir_hold(ctx, &services->dir));
    return ax_services_open(ctx, services);
}

/* As FAULT_SWEEP with the folder made before each run of body and removed, unbroken, after it. */
static struct server_case server_case_swept;

static inline void
server_case_after(struct ax_ctx *ctx, ax_status status)
{
    (void)status;
    server_case_done(ctx, &server_case_swept);
}

/* First in the body of a sweep: names that need no memory of the test's. */
static inline void
server_case_begin(void)
{
    static char root[96], keys[96];
    struct server_case *made = &server_case_swept;
    snprintf(made->folder, sizeof made->folder, "%s/axiom-server-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(made->folder) != NULL);
    snprintf(root, sizeof root, "%.64s/data", made->folder);
    snprintf(keys, sizeof keys, "%.64s/keys", made->folder);
    made->root = ax_str_of(root);
    made->keys = ax_str_of(keys);
}

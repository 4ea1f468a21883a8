/*
 * The protocols: bytes of a dialect to calls into the domain, and back.
 *
 * One struct holds the services that are spoken for; each protocol file has a table of routes
 * (route.h) and nothing else that anybody calls. No rule of the domain is here: what is refused
 * is refused below, and only told here, in the dialect's own form.
 */
#pragma once

#include "auth/directory.h"
#include "mlops/artifacts.h"
#include "mlops/change_control.h"
#include "mlops/experiment.h"
#include "mlops/training_pipeline.h"
#include "mlops/validation.h"
#include "mlops/webhook.h"
#include "net/exchange.h"
#include "serving/decision_archive.h"
#include "sys/workers.h"

struct ax_access_log;
struct ax_api;
struct ax_health_watch;
struct ax_limits;
struct ax_browser;
struct ax_jwt_issuer;
struct ax_passwords;
struct ax_payload_log;
struct ax_permissions;
struct ax_tracer;

/* What the server itself can do for a caller. */
struct ax_api_host {
    void *arg;
    /* Parts and their state, a member each: {"store":"ready",...}; false when one is away. */
    bool (*ready)(void *arg, struct ax_json_writer *parts);
    /* One consistent copy of store, ledger and blobs in a folder; its checkpoint in out. */
    ax_status (*backup)(void *arg, struct ax_ctx *ctx, ax_str folder, struct ax_json_writer *out);
    /* Drains the outbox, so that a fact just made is in the ledger. */
    ax_status (*settle)(void *arg, struct ax_ctx *ctx);
    /* Reads settings and certificates again; what changed in out. Fails: INVALID, NOT_FOUND. */
    ax_status (*reload)(void *arg, struct ax_ctx *ctx, struct ax_json_writer *out);
    /* Gauges that are read when somebody asks: ledger, disk, connections. */
    void (*observe)(void *arg);
    /* Development mode: reads a model's file again, or serves it no more. Blocks. */
    ax_status (*load)(void *arg, struct ax_ctx *ctx, ax_str model);
    ax_status (*unload)(void *arg, struct ax_ctx *ctx, ax_str model);
    /* Models that are known and not served, an object each; none on a governed server. */
    void (*show_unloaded)(void *arg, struct ax_json_writer *out);
};

/* Whose answer stands where Triton and KServe disagree: docs/protocols.md has the table. */
enum ax_compat { AX_COMPAT_KSERVE, AX_COMPAT_TRITON };

/*
 * All kept. In development mode only server, metrics, workers and host are there; with a folder to
 * track experiments in, what that needs too.
 */
struct ax_api_config {
    bool governed;
    const unsigned *listener_dialects; /* of each listener: dialect.h */
    size_t listener_count;
    ax_str default_model; /* of MLflow's /invocations; "": the only one there is */
    ax_str server_name;   /* of the inference protocol's metadata; "axiom" */
    enum ax_compat compat;
    ax_str build_id;
    struct ax_model_server *server;
    struct ax_metrics *metrics;
    struct ax_workers *workers;
    struct ax_limits *limits;         /* limits.h; NULL: no rates */
    struct ax_browser *browser;       /* browser.h; NULL: pages of other origins read nothing */
    struct ax_access_log *access_log; /* NULL: off; so are */
    struct ax_payload_log *payload_log;
    struct ax_tracer *tracer;
    struct ax_api_host host;
    struct ax_directory *directory;
    struct ax_jwt_issuer *issuer;       /* NULL: no tokens of an issuer are taken */
    struct ax_passwords *passwords;     /* NULL: no passwords are */
    struct ax_permissions *permissions; /* of tracking; NULL: the roles alone decide */
    struct ax_store *store;
    struct ax_registry *registry;
    struct ax_experiments *experiments;
    struct ax_artifacts *artifacts;
    struct ax_datasets *datasets;
    struct ax_training *training;
    struct ax_validations *validations;
    struct ax_deployments *deployments;
    struct ax_change_control *control;
    struct ax_decision_archive *archive;
    struct ax_ledger *ledger;
    ax_str ledger_folder; /* tiles are served from here */
    struct ax_kill_switch *kill;
    struct ax_health_watch *health_watch; /* ax_api_open sets it */
    const struct ax_webhooks_config *webhooks;
};

ax_status ax_api_open(struct ax_ctx *ctx, const struct ax_api_config *config,
                      struct ax_api **out_api);

/* After the loops and the workers. */
void ax_api_close(struct ax_api *api);
AX_DEFINE_AUTO(struct ax_api, ax_api_close);

/* Tells those who watch the server's health what has changed. Every so often, not on a loop. */
ax_status ax_api_look(struct ax_api *api, struct ax_ctx *ctx);

/* The server stops: who watches is told so and let go. Before the loops drain. Any thread. */
void ax_api_drain(struct ax_api *api);

/* What the loops call. */
struct ax_exchange_service ax_api_service(struct ax_api *api);

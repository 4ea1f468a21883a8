/*
 * All services of a governed server, opened from the bottom up and closed from the top down.
 *
 * The one place where adapters are named and put together (adapters.c). A database that is away
 * stops only what needs it: those services are NULL then, and decisions go on from the plan on
 * disk. No sockets here: `axiom init` and `axiom restore` open the same services.
 */
#pragma once

#include "api/api.h"
#include "server/data_dir.h"
#include "sys/mutex.h"

struct ax_services {
    struct ax_data_dir dir;
    struct ax_mutex settling; /* one drain of the outbox at a time */
    struct ax_server_settings settings;
    ax_str build_id;
    struct ax_metrics *metrics;
    struct ax_forms *forms;         /* NULL: nothing of an engine is kept */
    struct ax_engine_config engine; /* how models that are served are opened */
    struct ax_kill_switch *kill;
    struct ax_vault *vault;
    struct ax_ledger *ledger;
    struct ax_kv *kv;
    struct ax_decision_index *index;
    struct ax_model_server *server;
    struct ax_decision_archive *archive;
    struct ax_directory *directory;
    struct ax_jwt_issuer *issuer; /* NULL: none is trusted */
    struct ax_passwords *passwords;
    struct ax_permissions *permissions;
    struct ax_store *store; /* NULL while it is away; so are all below */
    struct ax_blob *blob;
    struct ax_registry *registry;
    struct ax_experiments *experiments;
    struct ax_artifacts *artifacts;
    struct ax_datasets *datasets;
    struct ax_training *training;
    struct ax_validations *validations;
    struct ax_deployments *deployments;
    struct ax_change_control *control;
    const char *train_command[3];
    char store_words[AX_ERROR_BYTES_MAX]; /* why the store is away; "" when it is not */
};

/*
 * dir, settings: of services, filled in by the caller; the directory is held.
 * Fails: as the services; those that were opened are closed again.
 */
ax_status ax_services_open(struct ax_ctx *ctx, struct ax_services *services);

/*
 * The few of them that track experiments and keep models, over a folder without credentials: no
 * ledger, no change control. Fails: as above.
 */
ax_status ax_services_open_tracking(struct ax_ctx *ctx, struct ax_services *services);

void ax_services_close(struct ax_services *services);

/* Facts of changes made so far are in the ledger when it returns. */
ax_status ax_services_settle(struct ax_services *services, struct ax_ctx *ctx);

/* Parts and their state, a member each; false when decisions cannot be made. Never blocks. */
bool ax_services_ready(struct ax_services *services, struct ax_json_writer *parts);

/* Gauges that are read when somebody asks. */
void ax_services_observe(struct ax_services *services);

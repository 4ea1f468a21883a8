/*
 * Every setting of the server: the modules' tables side by side, and one file for all.
 *
 * axiom.yaml holds what differs from the defaults; a flag `--section.name value` wins over it.
 */
#pragma once

#include "api/access_log.h"
#include "api/browser.h"
#include "api/limits.h"
#include "api/payload_log.h"
#include "api/tracer.h"
#include "auth/jwt_issuer.h"
#include "engine/engine.h"
#include "event/ledger.h"
#include "mlops/webhook.h"
#include "net/loop.h"
#include "store/postgres.h"
#include "store/sqlite.h"

/* Section "tracking": experiments, registry and artifacts as MLflow's client has them. */
struct ax_tracking_config {
    ax_str artifact_root;       /* where new experiments' artifacts are, as a URI */
    ax_str artifact_folder;     /* where uploaded ones lie; "": DIR/artifacts */
    ax_str promotion;           /* "advise" or "enforce" */
    ax_str production_alias;    /* aliases that mean production, with spaces */
    int64_t artifact_bytes_max; /* of all together; 0: as large as the disk */
    ax_str default_permission;  /* "READ" ...: of what nobody was permitted anything */
};

/* Section "server". */
struct ax_general_config {
    ax_str origin;      /* name of the ledger in its checkpoints */
    ax_str keys;        /* folder of the keys; "": beside the data directory */
    ax_str server_name; /* as the inference protocol's metadata has it */
    ax_str compat;      /* "kserve" or "triton": whose answer stands where they disagree */
    ax_str log_level;
    int64_t worker_count;
    int64_t worker_queue_max;
    int64_t drain_ms;
    int64_t index_bytes_max;
    int64_t proposal_days;
    int64_t training_ms;
    int64_t training_memory_bytes;
    int64_t training_threads;
};

/* Section "scoring". */
struct ax_scoring_config {
    ax_str default_model; /* of MLflow's /invocations; "": the only one there is */
};

/* Section "engine". */
struct ax_engine_settings {
    ax_str forms_folder;     /* tables of explanations that took long to make; "": DIR/forms */
    int64_t forms_bytes_max; /* of all of them; 0: none are kept */
    bool leaf_masks;
    bool machine_code;
};

/* Section "store", before those of its adapter. */
struct ax_database_config {
    ax_str url; /* "": SQLite in the data directory; else "postgresql://..." */
};

struct ax_server_settings {
    struct ax_general_config general;
    struct ax_scoring_config scoring;
    struct ax_engine_settings engine;
    struct ax_loop_config net;
    struct ax_ledger_config ledger;
    struct ax_database_config database;
    struct ax_sqlite_config store;
    struct ax_postgres_config postgres; /* its url is taken from database */
    struct ax_tracking_config tracking;
    struct ax_limits_config limits;
    struct ax_browser_config cors;
    struct ax_jwt_config jwt;
    struct ax_access_log_config access_log;
    struct ax_payload_log_config payload_log;
    struct ax_tracer_config tracing;
    struct ax_webhooks_config webhooks; /* its store is the services' */
};

/* How engines of models that are served are opened; where they keep forms is the caller's. */
struct ax_engine_config ax_server_settings_engine(const struct ax_server_settings *settings);

void ax_server_settings_defaults(struct ax_server_settings *out_settings);

/* name: "section.name". Texts are in ctx->arena. Fails: INVALID, NOT_FOUND with the near name. */
ax_status ax_server_settings_set(struct ax_ctx *ctx, struct ax_server_settings *settings,
                                 ax_str name, ax_str value);

/* Sets what the file says. Fails: INVALID with the line; NOT_FOUND when there is no file. */
ax_status ax_server_settings_read(struct ax_ctx *ctx, struct ax_server_settings *settings,
                                  ax_str path);

/* server.log_level comes into force, and its word outlives what was read. Fails: INVALID. */
ax_status ax_server_settings_apply_log_level(struct ax_ctx *ctx, ax_str *level);

/* server.compat. Fails: INVALID. */
ax_status ax_server_settings_compat(struct ax_ctx *ctx, ax_str word, enum ax_compat *out_compat);

/*
 * What a running server can take over: server.log_level, server.drain_ms and all of limits.
 *
 * Fails: INVALID when others differ, with their names; then nothing has changed.
 */
ax_status ax_server_settings_check_change(struct ax_ctx *ctx, const struct ax_server_settings *now,
                                          const struct ax_server_settings *wanted);

/* Takes it over and writes the names of what has changed, a text each. Texts are borrowed. */
void ax_server_settings_change(struct ax_server_settings *now,
                               const struct ax_server_settings *wanted,
                               struct ax_json_writer *changed);

/* docs/settings.md. */
void ax_server_settings_document(struct ax_writer *out);

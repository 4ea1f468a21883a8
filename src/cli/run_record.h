/*
 * A run on an MLflow tracking server, as `axiom run` keeps it: made, written to, ended.
 *
 * Where the server is and who we are comes from MLflow's own variables: MLFLOW_TRACKING_URI,
 * MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD; MLFLOW_EXPERIMENT_ID or _NAME.
 */
#pragma once

#include "codec/json.h"
#include "net/client.h"

struct ax_run_record {
    ax_str url, authorization; /* of the header; "" */
    struct ax_client *client;
    ax_str run_id;
    ax_str artifacts; /* path of its files at the server's proxy; "" when they are elsewhere */
};

/* url: "" for what the environment says. Fails: INVALID, LIMIT. */
ax_status ax_run_record_open(struct ax_ctx *ctx, ax_str url, struct ax_run_record *out_record);
void ax_run_record_close(struct ax_run_record *record);

/* What the environment says to send as Authorization: "Bearer ..", "Basic .."; "". Fails: LIMIT. */
ax_status ax_run_record_authorization(struct ax_ctx *ctx, ax_str *out);

/* An experiment's id: of a name, which is made when it is new; "": as the environment says. */
ax_status ax_run_record_experiment(struct ax_run_record *record, struct ax_ctx *ctx, ax_str name,
                                   ax_str *out_id);

/* body: of runs/create. */
ax_status ax_run_record_begin(struct ax_run_record *record, struct ax_ctx *ctx, ax_str body);

/* POST to M/path, whose answer is not looked at. Fails: in the server's words. */
ax_status ax_run_record_post(struct ax_run_record *record, struct ax_ctx *ctx, const char *path,
                             ax_str body);

/* Puts a file of the run in its place, whole; nothing where its files are elsewhere. */
ax_status ax_run_record_put(struct ax_run_record *record, struct ax_ctx *ctx, const char *name,
                            ax_str bytes);

/* Whether a name is one of those whose values are never written down: passwords, tokens, keys. */
bool ax_run_record_is_secret(ax_str name);

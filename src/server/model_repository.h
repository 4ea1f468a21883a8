/*
 * The models of development mode: which there are, which are loaded; load and unload by name.
 *
 * A model is a file, or a version of the registry where there is one (a folder for tracking):
 * "models:/credit/3", "models:/credit@champion", "models:/credit" for the newest. Each change makes
 * a whole new plan of the models that are loaded and swaps it in; those that stay are taken over as
 * they are. What fails to load changes nothing. Governed servers have none of this: there,
 * deployments say what is loaded.
 */
#pragma once

#include "codec/json.h"
#include "serving/model_server.h"

struct ax_model_repository;
struct ax_registry;

enum { AX_MODEL_REPOSITORY_MODELS_MAX = 1024 };

struct ax_model_repository_file {
    ax_str name;
    ax_str path; /* or "models:/..." */
};

struct ax_model_repository_config { /* all kept */
    struct ax_model_server *server;
    struct ax_registry *registry; /* NULL: files alone */
    struct ax_engine_config engine;
    const struct ax_model_repository_file *files;
    size_t file_count;
};

/* Loads every file and serves them. Fails: as ax_model_load, with the path; LIMIT. */
ax_status ax_model_repository_open(struct ax_ctx *ctx,
                                   const struct ax_model_repository_config *config,
                                   struct ax_model_repository **out_repository);
void ax_model_repository_close(struct ax_model_repository *repository);

/*
 * Reads the file again and serves what it holds now; of a registered model that was not loaded yet,
 * the newest version. Blocks; any thread, one after the other.
 * Fails: NOT_FOUND when there is no such name; as ax_model_load: what was served goes on.
 */
ax_status ax_model_repository_load(struct ax_model_repository *repository, struct ax_ctx *ctx,
                                   ax_str name);

/* Serves it no more; not an error when it was not loaded. Fails: NOT_FOUND, LIMIT. */
ax_status ax_model_repository_unload(struct ax_model_repository *repository, struct ax_ctx *ctx,
                                     ax_str name);

/* Names of models that are not loaded, an object each: {"name","state","reason"}. */
void ax_model_repository_show_unloaded(struct ax_model_repository *repository,
                                       struct ax_json_writer *out);

/*
 * A verb of the program: its name, its help, its function. main.c holds the table.
 *
 * A command prints its result to standard output and nothing else there; what went wrong is one
 * sentence in ctx, which main prints. It knows nothing of how it was found.
 */
#pragma once

#include "codec/csv_stream.h"
#include "sys/file.h"

struct ax_command {
    const char *name;    /* "score", "model inspect" */
    const char *summary; /* one line for the list */
    const char *help;    /* usage, options, an example */
    ax_status (*run)(struct ax_ctx *ctx, int argument_count, char **arguments);
    /* Instead of run, where the exit code is a child's. */
    ax_status (*run_child)(struct ax_ctx *ctx, int argument_count, char **arguments, int *out_exit);
};

extern const struct ax_command ax_command_score;
extern const struct ax_command ax_command_inspect;
extern const struct ax_command ax_command_compare;
extern const struct ax_command ax_command_init;
extern const struct ax_command ax_command_serve;
extern const struct ax_command ax_command_restore;
extern const struct ax_command ax_command_settings;
extern const struct ax_command ax_command_train_worker; /* hidden: no summary */
extern const struct ax_command ax_command_approve;
extern const struct ax_command ax_command_reject;
extern const struct ax_command ax_command_key_new;
extern const struct ax_command ax_command_key_enroll;
extern const struct ax_command ax_command_verify;
extern const struct ax_command ax_command_import_mlflow;
extern const struct ax_command ax_command_export_mlflow;
extern const struct ax_command ax_command_run;

/* One option of a command: "--model FILE" or "--json". */
struct ax_option {
    const char *name;  /* with its dashes */
    ax_str *out_value; /* of an option with a value */
    bool *out_given;   /* of one without */
};

/*
 * Reads options and up to one positional argument.
 * Fails: INVALID: an unknown option, a value that is missing, too many arguments.
 */
ax_status ax_command_options(struct ax_ctx *ctx, int argument_count, char **arguments,
                             const struct ax_option *options, size_t option_count,
                             ax_str *out_positional);

/* The whole of a model file, in ctx->arena. Fails: as ax_file_read_all. */
ax_status ax_command_read(struct ax_ctx *ctx, ax_str path, ax_str *out_bytes);

struct ax_engine;
struct ax_engine_config;

/* Opens the model in a file. Fails: as the file, as the engine, with the path in front. */
ax_status ax_command_model(struct ax_ctx *ctx, ax_str path, const struct ax_engine_config *config,
                           struct ax_engine **out_engine);

/* A table that is read from front to back, from a file or, as "-", from standard input. */
struct ax_command_table {
    ax_file file;
    uint64_t bytes; /* 0: not known */
    struct ax_csv_stream *stream;
};

/*
 * Reads a table's header. out_table: stays where it is until it is closed.
 * Fails: as the file, as the stream, with the path in front.
 */
ax_status ax_command_table_open(struct ax_ctx *ctx, ax_str path,
                                struct ax_command_table *out_table);
void ax_command_table_close(struct ax_command_table *table);

/* Guards a table on the stack. */
#define ax_command_table_auto [[gnu::cleanup(ax_command_table_close)]]

/* axiom import mlflow, axiom export mlflow: from MLflow into a data directory, and back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/run_record.h"
#include "server/mlflow_export.h"
#include "server/mlflow_import.h"
#include "sys/clock.h"

enum { PROBLEMS_SHOWN = 50, REPORT_BYTES_MAX = 1 << 20 };

#define AGAIN_NS INT64_C(100'000'000)

struct watching {
    bool drawn, terminal;
    int64_t shown_ns;
    struct ax_writer problems; /* a JSON array's items */
    struct ax_json_writer json;
    size_t problem_count;
};

static void
import_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct watching *watching = arg;
    int64_t now_ns = ax_clock_monotonic_ns();
    if (!watching->terminal || (now_ns - watching->shown_ns < AGAIN_NS && done != total))
        return;
    watching->shown_ns = now_ns;
    watching->drawn = true;
    fprintf(stderr, "\r%s %" PRIu64, what, done);
    if (total)
        fprintf(stderr, " of %" PRIu64 " (%d %%)", total, (int)(100 * done / total));
    fputs("\033[K", stderr);
    fflush(stderr);
}

static void
end_line(struct watching *watching)
{
    if (watching->drawn)
        fputc('\n', stderr);
    watching->drawn = false;
}

static void
import_problem(void *arg, ax_str words)
{
    struct watching *watching = arg;
    ax_json_put_text(&watching->json, words);
    if (watching->problem_count++ < PROBLEMS_SHOWN) {
        end_line(watching);
        fprintf(stderr, "not taken over: %.*s\n", AX_FMT(words));
    }
}

static const struct {
    const char *name, *what;
    size_t offset;
} rows[] = {
#define ROW(name, what)                                                                            \
    {                                                                                              \
#name, what, offsetof(struct ax_tracking_import_counts, name)                              \
    }
    ROW(experiments, "experiments"),
    ROW(runs, "runs"),
    ROW(runs_skipped, "runs that an import before this one had done"),
    ROW(metrics, "metric points"),
    ROW(params, "parameters"),
    ROW(tags, "tags"),
    ROW(datasets, "datasets"),
    ROW(logged_models, "logged models"),
    ROW(registered_models, "registered models"),
    ROW(versions, "versions"),
    ROW(aliases, "aliases"),
    ROW(files, "files"),
    ROW(file_bytes, "bytes of files"),
    ROW(runs_checked, "runs read back and found the same"),
    ROW(differences, "runs that differ"),
    ROW(problems, "things that were not taken over"),
#undef ROW
};

static uint64_t
count_of(const struct ax_tracking_import_counts *counts, size_t row)
{
    uint64_t value;
    memcpy(&value, (const char *)counts + rows[row].offset, sizeof value);
    return value;
}

static ax_status
print_report(struct ax_ctx *ctx, const struct ax_tracking_import_counts *counts,
             const struct watching *watching, bool json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * REPORT_BYTES_MAX);
    struct ax_json_writer out = ax_json_writer_of(&text);
    if (!json) {
        for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
            printf("%12" PRIu64 "  %s\n", count_of(counts, i), rows[i].what);
        return AX_OK;
    }
    ax_json_begin_object(&out);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
        ax_json_member_i64(&out, rows[i].name, (int64_t)count_of(counts, i));
    ax_json_key(&out, "not_taken_over");
    ax_json_begin_array(&out);
    ax_writer_bytes(&text, ax_writer_str(&watching->problems));
    ax_json_end_array(&out);
    ax_json_end_object(&out);
    if (text.status != AX_OK)
        return ax_fail(ctx, text.status, "no memory for a report");
    printf("%.*s\n", AX_FMT(ax_writer_str(&text)));
    return AX_OK;
}

/* What the command line and the environment say: one end is MLflow's, the other Axiom's. */
struct asked {
    ax_str mlflow, axiom, artifacts, authorization, ca_file;
    bool json;
};

/* option: that names MLflow's end. */
static ax_status
read_asked(struct ax_ctx *ctx, int argument_count, char **arguments, const char *option,
           const char *example, struct asked *out)
{
    *out = (struct asked){.mlflow = AX_STR(""),
                          .artifacts = AX_STR(""),
                          .ca_file = ax_str_of(getenv("MLFLOW_TRACKING_SERVER_CERT_PATH"))};
    const struct ax_option options[] = {
        {.name = option, .out_value = &out->mlflow},
        {.name = "--artifacts", .out_value = &out->artifacts},
        {.name = "--json", .out_given = &out->json},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options),
                              &out->axiom));
    if (out->axiom.len == 0 || out->mlflow.len == 0)
        return ax_fail(ctx, AX_INVALID, "both ends are needed: %s", example);
    return ax_run_record_authorization(ctx, &out->authorization);
}

static ax_status
run_import(struct ax_ctx *ctx, const struct asked *asked, struct watching *watching,
           struct ax_tracking_import_counts *out_counts)
{
    const struct ax_mlflow_import import = {.from = asked->mlflow,
                                            .artifacts = asked->artifacts,
                                            .authorization = asked->authorization,
                                            .ca_file = asked->ca_file,
                                            .data_dir = asked->axiom,
                                            .on_progress = import_progress,
                                            .on_problem = import_problem,
                                            .arg = watching};
    return ax_mlflow_import(ctx, &import, out_counts);
}

static ax_status
run_export(struct ax_ctx *ctx, const struct asked *asked, struct watching *watching,
           struct ax_tracking_import_counts *out_counts)
{
    const struct ax_mlflow_export export = {.from = asked->axiom,
                                            .to = asked->mlflow,
                                            .artifacts = asked->artifacts,
                                            .authorization = asked->authorization,
                                            .ca_file = asked->ca_file,
                                            .on_progress = import_progress,
                                            .on_problem = import_problem,
                                            .arg = watching};
    return ax_mlflow_export(ctx, &export, out_counts);
}

/* Moves one way or the other, and tells what was done and what it comes to. */
static ax_status
move(struct ax_ctx *ctx, const struct asked *asked,
     ax_status (*run)(struct ax_ctx *ctx, const struct asked *asked, struct watching *watching,
                      struct ax_tracking_import_counts *out_counts))
{
    struct ax_tracking_import_counts counts = {};
    struct watching watching = {.terminal = isatty(STDERR_FILENO) == 1,
                                .problems = ax_writer_of(REPORT_BYTES_MAX)};
    watching.json = ax_json_writer_of(&watching.problems);
    ax_status status = run(ctx, asked, &watching, &counts);
    end_line(&watching);
    if (status == AX_OK)
        status = print_report(ctx, &counts, &watching, asked->json);
    ax_writer_free(&watching.problems);
    if (status == AX_OK && counts.differences)
        return ax_fail(ctx, AX_CORRUPT, "%" PRIu64 " things differ from their source",
                       counts.differences);
    return status;
}

static ax_status
import_mlflow(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct asked asked;
    AX_TRY(read_asked(ctx, argument_count, arguments, "--from",
                      "axiom import mlflow --from sqlite:///mlflow.db DIR", &asked));
    return move(ctx, &asked, run_import);
}

static ax_status
export_mlflow(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct asked asked;
    AX_TRY(read_asked(ctx, argument_count, arguments, "--to",
                      "axiom export mlflow --to sqlite:///mlflow.db --artifacts ./mlartifacts DIR",
                      &asked));
    return move(ctx, &asked, run_export);
}

const struct ax_command ax_command_import_mlflow = {
    .name = "import mlflow",
    .summary = "move an MLflow, its database or its server, into a data directory",
    .help =
        "usage: axiom import mlflow --from URL [--artifacts FOLDER] [--json] DIR\n"
        "\n"
        "  --from URL          sqlite:///mlflow.db, sqlite:////absolute/mlflow.db or\n"
        "                      postgresql://...: what MLflow's --backend-store-uri names; or\n"
        "                      http://HOST:PORT, https://...: a running server of MLflow 2 or 3\n"
        "  --artifacts FOLDER  of a database: what its --artifacts-destination names; files that\n"
        "                      experiments keep in folders of this machine are found without it\n"
        "  --json              the report as JSON\n"
        "\n"
        "A server is asked with MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and\n"
        "MLFLOW_TRACKING_PASSWORD; MLFLOW_TRACKING_SERVER_CERT_PATH says who vouches for it. Its\n"
        "files come with it. What was deleted for good it cannot tell; of logged models and\n"
        "versions, what was deleted at all.\n"
        "\n"
        "Experiments, runs, metrics with their history, parameters, tags, datasets, logged "
        "models,\n"
        "the registry and files keep their identities. Stop the server of DIR first. It may be\n"
        "done again: it goes on where it was cut, and changes nothing that is there. Each run is\n"
        "read back and held against its source.\n"
        "\n"
        "  axiom import mlflow --from sqlite:///mlflow.db --artifacts ./mlartifacts ./tracking\n"
        "  MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=... \\\n"
        "      axiom import mlflow --from https://mlflow.bank.example ./tracking\n",
    .run = import_mlflow,
};

const struct ax_command ax_command_export_mlflow = {
    .name = "export mlflow",
    .summary = "move a data directory, or a server's, into a new MLflow database",
    .help =
        "usage: axiom export mlflow --to sqlite:///FILE [--artifacts FOLDER] [--json] DIR|URL\n"
        "\n"
        "  DIR|URL             a data directory whose server is stopped; or http://HOST:PORT,\n"
        "                      https://...: a running server, Axiom or MLflow\n"
        "  --to sqlite:///FILE a database that MLflow made and nobody has used yet\n"
        "  --artifacts FOLDER  an empty or new folder for the files: MLflow's\n"
        "                      --artifacts-destination later\n"
        "  --json              the report as JSON\n"
        "\n"
        "Runs and all others keep their identities, links and files. MLflow makes the database,\n"
        "so its tables are those of that MLflow. A copy of it is filled, read back and held\n"
        "against its source, and then takes its place: until then FILE is untouched. It may be\n"
        "done again after it was cut. Of Axiom's own, approvals, ledger, deployments, people and\n"
        "webhooks do not come along. A server is asked as by `axiom import mlflow`.\n"
        "\n"
        "  MLFLOW_TRACKING_URI=sqlite:///mlflow.db mlflow experiments search\n"
        "  axiom export mlflow --to sqlite:///mlflow.db --artifacts ./mlartifacts ./tracking\n"
        "  mlflow server --backend-store-uri sqlite:///mlflow.db \\\n"
        "      --artifacts-destination ./mlartifacts\n",
    .run = export_mlflow,
};

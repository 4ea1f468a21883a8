/* axiom init, serve, restore, settings and the hidden train-worker: what runs here, not remotely.
 */
#include <stdio.h>

#include "cli/command.h"
#include "learner/learner.h"
#include "server/backup.h"
#include "server/init.h"
#include "server/server.h"
#include "sys/crypto.h"
#include "verify/verify.h"

/* ---- serve ---- */

static ax_status
add_model(struct ax_ctx *ctx, struct ax_server_options *options, ax_str text)
{
    ax_str rest = text, name;
    if (options->model_count == AX_SERVER_MODELS_MAX)
        return ax_fail(ctx, AX_LIMIT, "at most %d models", AX_SERVER_MODELS_MAX);
    if (ax_str_starts(text, AX_STR("models:/"))) { /* under the registry's own name */
        size_t len = 0;
        ax_str address = ax_str_from(text, strlen("models:/"));
        while (len < address.len && address.at[len] != '/' && address.at[len] != '@')
            len++;
        options->models[options->model_count++] =
            (struct ax_model_repository_file){{address.at, len}, text};
        return AX_OK;
    }
    if (!ax_str_cut(&rest, '=', &name) || !rest.at || !name.len || !rest.len)
        return ax_fail(ctx, AX_INVALID, "--model wants NAME=FILE, not \"%.*s\"", AX_FMT(text));
    options->models[options->model_count++] = (struct ax_model_repository_file){name, rest};
    return AX_OK;
}

static ax_status
add_listen(struct ax_ctx *ctx, struct ax_server_options *options, ax_str text)
{
    if (options->listen_count == AX_SERVER_LISTEN_MAX)
        return ax_fail(ctx, AX_LIMIT, "at most %d addresses", AX_SERVER_LISTEN_MAX);
    options->listen[options->listen_count++] = text;
    return AX_OK;
}

static ax_status
add_override(struct ax_ctx *ctx, struct ax_server_options *options, ax_str name, ax_str value)
{
    if (options->override_count == AX_SERVER_OVERRIDES_MAX)
        return ax_fail(ctx, AX_LIMIT, "at most %d settings", AX_SERVER_OVERRIDES_MAX);
    options->overrides[options->override_count++] = (struct ax_server_override){name, value};
    return AX_OK;
}

/* What --host and --port say, when --listen does not. */
struct host_port {
    ax_str host, port;
};

static ax_status
take_option(struct ax_ctx *ctx, struct ax_server_options *options, struct host_port *address,
            ax_str name, ax_str value)
{
    if (ax_str_eq(name, AX_STR("--model")))
        return add_model(ctx, options, value);
    if (ax_str_eq(name, AX_STR("--listen")))
        return add_listen(ctx, options, value);
    if (ax_str_eq(name, AX_STR("--host"))) {
        address->host = value;
    } else if (ax_str_eq(name, AX_STR("--port"))) {
        address->port = value;
    } else if (ax_str_eq(name, AX_STR("--data-dir"))) {
        options->data_dir = value;
        options->may_be_new = true;
    } else if (ax_str_eq(name, AX_STR("--default-artifact-root"))) {
        return add_override(ctx, options, AX_STR("tracking.artifact_root"), value);
    } else if (ax_str_eq(name, AX_STR("--artifacts-destination"))) {
        return add_override(ctx, options, AX_STR("tracking.artifact_folder"), value);
    } else if (ax_str_find(name, AX_STR(".")) != SIZE_MAX) {
        return add_override(ctx, options, ax_str_from(name, 2), value);
    } else {
        return ax_fail(ctx, AX_INVALID, "unknown option `%.*s`", AX_FMT(name));
    }
    return AX_OK;
}

static ax_status
read_serve(struct ax_ctx *ctx, struct ax_server_options *options, int argument_count,
           char **arguments)
{
    struct host_port address = {};
    for (int i = 0; i < argument_count; i++) {
        ax_str argument = ax_str_of(arguments[i]);
        if (!ax_str_starts(argument, AX_STR("--"))) {
            if (options->data_dir.len)
                return ax_fail(ctx, AX_INVALID, "unexpected argument `%s`", arguments[i]);
            options->data_dir = argument;
            continue;
        }
        if (++i == argument_count)
            return ax_fail(ctx, AX_INVALID, "option `%.*s` needs a value", AX_FMT(argument));
        AX_TRY(take_option(ctx, options, &address, argument, ax_str_of(arguments[i])));
    }
    if (address.host.at || address.port.at) {
        ax_str text = ax_str_printf(ctx->arena, "%.*s:%.*s",
                                    AX_FMT(address.host.at ? address.host : AX_STR("127.0.0.1")),
                                    AX_FMT(address.port.at ? address.port : AX_STR("8080")));
        if (!text.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for an address");
        AX_TRY(add_listen(ctx, options, text));
    }
    if (options->data_dir.len == 0 && options->model_count == 0)
        return ax_fail(ctx, AX_INVALID,
                       "either a data directory (axiom init makes one) or --model NAME=FILE");
    if (options->data_dir.len && options->model_count && !options->may_be_new)
        return ax_fail(ctx, AX_INVALID,
                       "either a data directory (axiom init makes one) or --model NAME=FILE");
    return AX_OK;
}

static ax_status
serve(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct ax_server_options *options = AX_NEW(ctx->arena, struct ax_server_options);
    if (!options)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    options->data_dir = AX_STR("");
    AX_TRY(read_serve(ctx, options, argument_count, arguments));
    return ax_server_run(ctx, options);
}

const struct ax_command ax_command_serve = {
    .name = "serve",
    .summary = "serve a data directory, or model files in development mode",
    .help =
        "usage: axiom serve DIR [--listen HOST:PORT ...] [--section.name VALUE ...]\n"
        "       axiom serve --model NAME=FILE [--model ...] [--listen HOST:PORT ...]\n"
        "       axiom serve --data-dir NEW [--default-artifact-root URI]\n"
        "                   [--artifacts-destination FOLDER] [--host HOST] [--port PORT]\n"
        "                   [--model models:/NAME/VERSION ...]\n"
        "\n"
        "  --listen HOST:PORT   127.0.0.1:8080; [::1]:8080, unix:/run/axiom.sock; port 0: any\n"
        "                       HOST:PORT=DIALECT,... narrows it: inference, tfserving,\n"
        "                       torchserve, torchserve_management, mlflow, axiom\n"
        "  --host, --port       the same in two parts\n"
        "  --data-dir DIR       the same as DIR; a folder that is new or empty is made, for\n"
        "                       tracking experiments in development mode (MLFLOW_TRACKING_URI)\n"
        "  --model NAME=FILE    development mode: loopback only, no credentials, no records\n"
        "  --model models:/N/3  the same of a version that was registered in --data-dir; also\n"
        "                       models:/N@ALIAS, models:/N for the newest\n"
        "  --section.name V     a setting (docs/settings.md), over axiom.yaml\n"
        "\n"
        "SIGTERM lets requests in flight end. Logs are JSON lines on standard error.\n"
        "\n"
        "  axiom serve --model credit=credit.ubj --listen 127.0.0.1:8080\n",
    .run = serve,
};

/* ---- init ---- */

static ax_status
init(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct ax_init made = {.admin = AX_STR("admin"), .keys = AX_STR(""), .origin = AX_STR("")};
    bool json = false;
    const struct ax_option options[] = {
        {.name = "--admin", .out_value = &made.admin},
        {.name = "--keys", .out_value = &made.keys},
        {.name = "--origin", .out_value = &made.origin},
        {.name = "--store.url", .out_value = &made.store_url},
        {.name = "--json", .out_given = &json},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options),
                              &made.root));
    if (!made.root.len)
        return ax_fail(ctx, AX_INVALID, "a directory is needed: axiom init DIR");
    AX_TRY(ax_init(ctx, &made));
    if (json) {
        printf("{\"directory\":\"%.*s\",\"keys\":\"%.*s\",\"vkey\":\"%.*s\",\"admin\":\"%.*s\","
               "\"token\":\"%.*s\"}\n",
               AX_FMT(made.root), AX_FMT(made.keys), AX_FMT(made.vkey), AX_FMT(made.admin),
               AX_FMT(made.token));
        return AX_OK;
    }
    printf("data directory  %.*s\n"
           "keys            %.*s  (keep them elsewhere, and never in a backup of the directory)\n"
           "verifier key    %.*s\n"
           "administrator   %.*s\n"
           "token           %.*s\n\n"
           "The token is shown this once. It may grant roles and make users; it may not approve.\n",
           AX_FMT(made.root), AX_FMT(made.keys), AX_FMT(made.vkey), AX_FMT(made.admin),
           AX_FMT(made.token));
    return AX_OK;
}

const struct ax_command ax_command_init = {
    .name = "init",
    .summary = "make a data directory, its keys and one administrator",
    .help =
        "usage: axiom init DIR [--admin NAME] [--keys FOLDER] [--origin NAME] [--store.url URL]\n"
        "                      [--json]\n"
        "\n"
        "  --admin NAME     id of the administrator; admin\n"
        "  --keys FOLDER    where the keys go; DIR.keys\n"
        "  --origin NAME    name of the ledger in its checkpoints; axiom.local/<random>\n"
        "  --store.url URL  postgresql://USER@HOST/DB, an empty database; else SQLite in DIR\n"
        "\n"
        "  axiom init /var/lib/axiom\n",
    .run = init,
};

/* ---- restore ---- */

static ax_status
restore(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct ax_restore what = {.checkpoint = AX_STR("")};
    const struct ax_option options[] = {
        {.name = "--to", .out_value = &what.root},
        {.name = "--keys", .out_value = &what.keys},
        {.name = "--checkpoint", .out_value = &what.checkpoint},
        {.name = "--store.url", .out_value = &what.store_url},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options),
                              &what.backup));
    if (!what.backup.len || !what.root.len || !what.keys.len)
        return ax_fail(ctx, AX_INVALID,
                       "axiom restore BACKUP --to DIR --keys FOLDER [--checkpoint FILE] "
                       "[--store.url URL]");
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    AX_TRY(ax_restore(ctx, &what, &json));
    printf("%.*s\n", AX_FMT(ax_writer_str(&text)));
    return AX_OK;
}

const struct ax_command ax_command_restore = {
    .name = "restore",
    .summary = "prove a backup, and make a data directory of it",
    .help = "usage: axiom restore BACKUP --to DIR --keys FOLDER [--checkpoint FILE]\n"
            "                             [--store.url URL]\n"
            "\n"
            "  --to DIR            data directory to make\n"
            "  --keys FOLDER       the keys, which are in no backup\n"
            "  --checkpoint FILE   one that was kept elsewhere: the ledger must extend it\n"
            "  --store.url URL     an empty database, for a backup of a PostgreSQL one\n"
            "\n"
            "  axiom restore /backups/monday --to /var/lib/axiom --keys /etc/axiom/keys \\\n"
            "      --checkpoint kept.txt\n",
    .run = restore,
};

/* ---- settings ---- */

static ax_status
settings(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    AX_TRY(ax_command_options(ctx, argument_count, arguments, NULL, 0, NULL));
    ax_server_settings_document(&out);
    fwrite(out.at, 1, out.len, stdout);
    return AX_OK;
}

const struct ax_command ax_command_settings = {
    .name = "settings",
    .summary = "every setting with its meaning, default and bounds",
    .help = "usage: axiom settings\n\nPrints docs/settings.md.\n\n  axiom settings | less\n",
    .run = settings,
};

/* ---- the training process ---- */

static ax_status
train_worker(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    if (argument_count != 1)
        return ax_fail(ctx, AX_INVALID, "the path of a job is expected");
    return ax_learner_child(ctx, ax_str_of(arguments[0]));
}

const struct ax_command ax_command_train_worker = {
    .name = "train-worker",
    .summary = NULL, /* the server calls it */
    .help =
        "usage: axiom train-worker JOB\n\nTrains in a process of its own; the server calls it.\n"
        "\n  axiom train-worker /var/lib/axiom/scratch/r_1/job.json\n",
    .run = train_worker,
};

/* ---- audit verify ---- */

static ax_status
verify(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct ax_verify_report report = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str folder = {}, vkey_path = AX_STR(""), since_path = AX_STR(""), vkey, since = AX_STR("");
    const struct ax_option options[] = {
        {.name = "--vkey", .out_value = &vkey_path},
        {.name = "--since", .out_value = &since_path},
    };
    AX_TRY(
        ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), &folder));
    if (!folder.len || !vkey_path.len)
        return ax_fail(ctx, AX_INVALID, "axiom audit verify LEDGER --vkey FILE [--since FILE]");
    AX_TRY(ax_command_read(ctx, vkey_path, &vkey));
    if (since_path.len)
        AX_TRY(ax_command_read(ctx, since_path, &since));
    AX_TRY(ax_verify_log(ctx, folder, ax_str_trim(vkey), since, &report));
    printf("%llu facts verify; root %s\n", (unsigned long long)report.size,
           ax_digest_hex(report.root, hex).at);
    return AX_OK;
}

const struct ax_command ax_command_verify = {
    .name = "audit verify",
    .summary = "verify a ledger's folder, as axiom-verify does",
    .help =
        "usage: axiom audit verify LEDGER --vkey FILE [--since CHECKPOINT]\n\n"
        "The separate program axiom-verify does the same and shares no code with the writer.\n\n"
        "  axiom audit verify /var/lib/axiom/ledger --vkey ledger.vkey --since kept.txt\n",
    .run = verify,
};

#include "server/server_settings.h"

#include "sys/file.h"

enum { FILE_BYTES_MAX = 1 << 20 };

#define FIELD(name) offsetof(struct ax_general_config, name)

static const struct ax_setting rows[] = {
    {"origin", "name of the ledger in its checkpoints; fixed when the directory is made",
     AX_SETTING_TEXT, FIELD(origin), 0, 0, 0, "axiom.local/ledger"},
    {"keys", "folder of the keys; empty: DIR.keys beside the data directory", AX_SETTING_TEXT,
     FIELD(keys), 0, 0, 0, ""},
    {"server_name", "name in the inference protocol's metadata", AX_SETTING_TEXT,
     FIELD(server_name), 0, 0, 0, "axiom"},
    {"log_level", "debug, info, warn or error", AX_SETTING_TEXT, FIELD(log_level), 0, 0, 0, "info"},
    {"worker_count", "threads for whatever may block", AX_SETTING_COUNT, FIELD(worker_count), 4, 1,
     256},
    {"worker_queue_max", "requests that may wait for a worker", AX_SETTING_COUNT,
     FIELD(worker_queue_max), 256, 1, 65'536},
    {"drain_ms", "for requests in flight to end when the server stops", AX_SETTING_DURATION_MS,
     FIELD(drain_ms), 10'000, 0, 600'000},
    {"index_bytes_max", "address space of the index of decisions", AX_SETTING_BYTES,
     FIELD(index_bytes_max), 4294967296.0, 16 << 20, 1099511627776.0},
    {"proposal_days", "how long a proposal and its approvals hold", AX_SETTING_COUNT,
     FIELD(proposal_days), 30, 1, 365},
    {"training_ms", "longest training run", AX_SETTING_DURATION_MS, FIELD(training_ms), 600'000,
     1'000, 86'400'000},
    {"training_memory_bytes", "address space of a training process", AX_SETTING_BYTES,
     FIELD(training_memory_bytes), 4294967296.0, 64 << 20, 1099511627776.0},
    {"training_threads", "threads of a training process", AX_SETTING_COUNT, FIELD(training_threads),
     2, 1, 256},
};

static const struct ax_settings general_settings = {
    .section = "server", .rows = rows, .row_count = AX_COUNT_OF(rows)};

static const struct ax_setting scoring_rows[] = {
    {"default_model", "model that /invocations scores with; empty: the only one there is",
     AX_SETTING_TEXT, offsetof(struct ax_scoring_config, default_model), 0, 0, 0, ""},
};

static const struct ax_settings scoring_settings = {
    .section = "scoring", .rows = scoring_rows, .row_count = AX_COUNT_OF(scoring_rows)};

static const struct ax_setting database_rows[] = {
    {"url",
     "database; empty: SQLite in the data directory; else postgresql://USER@HOST/DB?sslmode=...",
     AX_SETTING_TEXT, offsetof(struct ax_database_config, url), 0, 0, 0, ""},
};

static const struct ax_settings database_settings = {
    .section = "store", .rows = database_rows, .row_count = AX_COUNT_OF(database_rows)};

#define TRACKING(name) offsetof(struct ax_tracking_config, name)

static const struct ax_setting tracking_rows[] = {
    {"artifact_root", "where the artifacts of new experiments are, as a URI", AX_SETTING_TEXT,
     TRACKING(artifact_root), 0, 0, 0, "mlflow-artifacts:"},
    {"artifact_folder", "folder of uploaded artifacts; empty: DIR/artifacts", AX_SETTING_TEXT,
     TRACKING(artifact_folder), 0, 0, 0, ""},
    {"promotion",
     "what happens when a version that is not approved is put into production: advise notes it, "
     "enforce refuses it",
     AX_SETTING_TEXT, TRACKING(promotion), 0, 0, 0, "advise"},
    {"production_alias", "aliases that mean production, separated by spaces", AX_SETTING_TEXT,
     TRACKING(production_alias), 0, 0, 0, "production prod champion"},
    {"artifact_bytes_max", "all artifacts together; 0: as much as the disk has", AX_SETTING_BYTES,
     TRACKING(artifact_bytes_max), 0, 0, (double)(1LL << 50)},
};

static const struct ax_settings tracking_settings = {
    .section = "tracking", .rows = tracking_rows, .row_count = AX_COUNT_OF(tracking_rows)};

#define WEBHOOKS(name) offsetof(struct ax_webhooks_config, name)

static const struct ax_setting webhook_rows[] = {
    {"allow_http", "whether receivers may be called without TLS", AX_SETTING_SWITCH,
     WEBHOOKS(allow_http), 0, 0, 1},
    {"allow_private", "whether receivers may be on this machine or in this house",
     AX_SETTING_SWITCH, WEBHOOKS(allow_private), 0, 0, 1},
    {"attempts_max", "how often a delivery is tried; each time the wait before the next doubles",
     AX_SETTING_COUNT, WEBHOOKS(attempts_max), 10, 1, 100},
    {"timeout_ms", "longest wait for a receiver", AX_SETTING_DURATION_MS, WEBHOOKS(timeout_ms),
     10'000, 100, 60'000},
    {"keep_days", "days that the log of deliveries goes back", AX_SETTING_COUNT,
     WEBHOOKS(keep_days), 7, 1, 365},
};

static const struct ax_settings webhook_settings = {
    .section = "webhooks", .rows = webhook_rows, .row_count = AX_COUNT_OF(webhook_rows)};

enum { SECTION_COUNT = 9 };

struct section {
    const struct ax_settings *settings;
    void *config;
};

static void
sections_of(struct ax_server_settings *settings, struct section out[SECTION_COUNT])
{
    out[0] = (struct section){&general_settings, &settings->general};
    out[1] = (struct section){ax_loop_settings(), &settings->net};
    out[2] = (struct section){&ax_ledger_settings, &settings->ledger};
    out[3] = (struct section){&database_settings, &settings->database};
    out[4] = (struct section){&ax_sqlite_settings, &settings->store};
    out[5] = (struct section){&ax_postgres_settings, &settings->postgres};
    out[6] = (struct section){&scoring_settings, &settings->scoring};
    out[7] = (struct section){&tracking_settings, &settings->tracking};
    out[8] = (struct section){&webhook_settings, &settings->webhooks};
}

void
ax_server_settings_defaults(struct ax_server_settings *out_settings)
{
    struct section sections[SECTION_COUNT];
    *out_settings = (struct ax_server_settings){};
    sections_of(out_settings, sections);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        ax_settings_defaults(sections[i].settings, sections[i].config);
}

static bool
has_row(const struct ax_settings *settings, ax_str name)
{
    for (size_t i = 0; i < settings->row_count; i++)
        if (ax_str_eq(name, ax_str_of(settings->rows[i].name)))
            return true;
    return false;
}

/* A section may have several tables: the one with the name, else its last, which says no. */
static ax_status
set(struct ax_ctx *ctx, struct ax_server_settings *settings, ax_str section, ax_str name,
    ax_str value)
{
    struct section sections[SECTION_COUNT];
    sections_of(settings, sections);
    const struct section *found = NULL;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (ax_str_eq(section, ax_str_of(sections[i].settings->section)) &&
            (!found || !has_row(found->settings, name)))
            found = &sections[i];
    if (found)
        return ax_settings_set(ctx, found->settings, found->config, name, value);
    return ax_fail(
        ctx, AX_NOT_FOUND,
        "no settings section \"%.*s\"; server, net, ledger, store, postgres, scoring, tracking and "
        "webhooks are known",
        AX_FMT(section));
}

ax_status
ax_server_settings_set(struct ax_ctx *ctx, struct ax_server_settings *settings, ax_str name,
                       ax_str value)
{
    ax_str rest = name, section;
    if (!ax_str_cut(&rest, '.', &section) || !rest.at)
        return ax_fail(ctx, AX_INVALID, "a setting is section.name, not \"%.*s\"", AX_FMT(name));
    return set(ctx, settings, section, rest, value);
}

static ax_status
found(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name, ax_str value, int line)
{
    ax_status status = set(ctx, arg, section, name, value);
    return status == AX_OK ? AX_OK : ax_explain(ctx, AX_INVALID, "line %d", line);
}

ax_status
ax_server_settings_read(struct ax_ctx *ctx, struct ax_server_settings *settings, ax_str path)
{
    ax_str text;
    AX_TRY(ax_file_read_all(ctx, path, FILE_BYTES_MAX, &text));
    ax_status status = ax_settings_read(ctx, text, found, settings);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(path));
}

void
ax_server_settings_document(struct ax_writer *out)
{
    struct ax_server_settings settings = {};
    struct section sections[SECTION_COUNT];
    sections_of(&settings, sections);
    ax_writer_text(out,
                   "# Settings\n\n"
                   "Generated by `axiom settings`; do not edit. `axiom.yaml` in the data directory "
                   "holds what differs from the defaults; `axiom serve --section.name VALUE` wins "
                   "over it.\n");
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const char *section = sections[i].settings->section;
        bool goes_on = i > 0 && strcmp(section, sections[i - 1].settings->section) == 0;
        if (!goes_on)
            ax_writer_print(out, "\n## %s\n", section);
        ax_writer_text(out, "\n");
        ax_settings_document(sections[i].settings, out);
    }
}

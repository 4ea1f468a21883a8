#include "server/server_settings.h"

#include <stdio.h>

#include "codec/json.h"
#include "mlops/artifacts.h"
#include "sys/file.h"
#include "sys/log.h"

enum { FILE_BYTES_MAX = 1 << 20 };

#define FIELD(name) offsetof(struct ax_general_config, name)

static const struct ax_setting rows[] = {
    {"origin", "name of the ledger in its checkpoints; fixed when the directory is made",
     AX_SETTING_TEXT, FIELD(origin), 0, 0, 0, "axiom.local/ledger"},
    {"keys", "folder of the keys; empty: DIR.keys beside the data directory", AX_SETTING_TEXT,
     FIELD(keys), 0, 0, 0, ""},
    {"server_name", "name in the inference protocol's metadata", AX_SETTING_TEXT,
     FIELD(server_name), 0, 0, 0, "axiom"},
    {"compat",
     "whose answer stands where inference servers disagree: kserve (404 for an unknown model, 503 "
     "when not ready) or triton (400 for both)",
     AX_SETTING_TEXT, FIELD(compat), 0, 0, 0, "kserve"},
    {"log_level", "debug, info, warn or error", AX_SETTING_TEXT, FIELD(log_level), 0, 0, 0, "info"},
    {"worker_count", "threads for whatever may block", AX_SETTING_COUNT, FIELD(worker_count), 16, 1,
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

static const struct ax_setting engine_rows[] = {
    {"forms_folder",
     "folder of what is made of models (forms of kernels, tables for explanations), found again at "
     "the next start; empty: DIR/forms",
     AX_SETTING_TEXT, offsetof(struct ax_engine_settings, forms_folder), 0, 0, 0, ""},
    {"forms_bytes_max",
     "all that is kept there; what was used longest ago goes first; 0: nothing is kept",
     AX_SETTING_BYTES, offsetof(struct ax_engine_settings, forms_bytes_max), 1073741824.0, 0,
     1099511627776.0},
    {"leaf_masks",
     "single rows by leaf masks where they are quicker: a method of which a patent application is "
     "told, so a person must allow it (docs/kernels.md)",
     AX_SETTING_SWITCH, offsetof(struct ax_engine_settings, leaf_masks), 0, 0, 1},
    {"machine_code",
     "batches by machine code that is made when a model is loaded, with AVX-512; needs memory that "
     "is made executable",
     AX_SETTING_SWITCH, offsetof(struct ax_engine_settings, machine_code), 0, 0, 1},
};

static const struct ax_settings engine_settings = {
    .section = "engine", .rows = engine_rows, .row_count = AX_COUNT_OF(engine_rows)};

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
     TRACKING(artifact_root), 0, 0, 0, AX_ARTIFACTS_SCHEME},
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
    {"default_permission",
     "what a user whose role allows it may do with experiments and registered models that they "
     "were "
     "permitted nothing about: NO_PERMISSIONS, READ, USE, EDIT or MANAGE",
     AX_SETTING_TEXT, TRACKING(default_permission), 0, 0, 0, "MANAGE"},
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

enum { SECTION_COUNT = 16 };

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
    out[8] = (struct section){ax_limits_settings(), &settings->limits};
    out[9] = (struct section){ax_browser_settings(), &settings->cors};
    out[10] = (struct section){&ax_jwt_settings, &settings->jwt};
    out[11] = (struct section){&ax_access_log_settings, &settings->access_log};
    out[12] = (struct section){&ax_payload_log_settings, &settings->payload_log};
    out[13] = (struct section){&ax_tracer_settings, &settings->tracing};
    out[14] = (struct section){&webhook_settings, &settings->webhooks};
    out[15] = (struct section){&engine_settings, &settings->engine};
}

struct ax_engine_config
ax_server_settings_engine(const struct ax_server_settings *settings)
{
    return (struct ax_engine_config){.leaf_masks = settings->engine.leaf_masks,
                                     .forest_code = settings->engine.machine_code};
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
        "no settings section \"%.*s\"; server, net, ledger, store, postgres, scoring, tracking, "
        "limits, cors, jwt, access_log, payload_log, tracing, webhooks and engine are known",
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

/* ---- words that stand for something ---- */

ax_status
ax_server_settings_apply_log_level(struct ax_ctx *ctx, ax_str *level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (ax_str_eq(*level, ax_str_of(names[i]))) {
            *level = ax_str_of(names[i]); /* which outlives what was read */
            ax_log_level_set((enum ax_log_level)i);
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID,
                   "server.log_level must be debug, info, warn or error, not \"%.*s\"",
                   AX_FMT(*level));
}

ax_status
ax_server_settings_compat(struct ax_ctx *ctx, ax_str word, enum ax_compat *out_compat)
{
    *out_compat = ax_str_eq(word, AX_STR("triton")) ? AX_COMPAT_TRITON : AX_COMPAT_KSERVE;
    return *out_compat == AX_COMPAT_TRITON || ax_str_eq(word, AX_STR("kserve"))
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "server.compat must be kserve or triton, not \"%.*s\"",
                         AX_FMT(word));
}

/* ---- while it runs ---- */

static bool
is_live(const char *section, const char *name)
{
    static const char *const live[] = {"server.log_level", "server.drain_ms"};
    char full[128];
    snprintf(full, sizeof full, "%s.%s", section, name);
    for (size_t i = 0; i < AX_COUNT_OF(live); i++)
        if (strcmp(full, live[i]) == 0)
            return true;
    return strcmp(section, "limits") == 0;
}

static size_t
value_bytes(const struct ax_setting *row)
{
    return row->kind == AX_SETTING_SWITCH ? sizeof(bool)
           : row->kind == AX_SETTING_TEXT ? sizeof(ax_str)
                                          : sizeof(int64_t); /* a double is as long */
}

static bool
differs(const struct ax_setting *row, const void *one_config, const void *other_config)
{
    const char *one = (const char *)one_config + row->offset;
    const char *other = (const char *)other_config + row->offset;
    if (row->kind != AX_SETTING_TEXT)
        return memcmp(one, other, value_bytes(row)) != 0;
    return !ax_str_eq(*(const ax_str *)(const void *)one, *(const ax_str *)(const void *)other);
}

/* Calls each for each row that differs. */
static void
compare(struct ax_server_settings *now, struct ax_server_settings *wanted,
        void (*each)(void *arg, const struct section *section, const struct ax_setting *row,
                     const void *wanted_config),
        void *arg)
{
    struct section here[SECTION_COUNT], there[SECTION_COUNT];
    sections_of(now, here);
    sections_of(wanted, there);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        for (size_t r = 0; r < here[i].settings->row_count; r++) {
            const struct ax_setting *row = &here[i].settings->rows[r];
            if (differs(row, here[i].config, there[i].config))
                each(arg, &here[i], row, there[i].config);
        }
}

static void
name_fixed(void *arg, const struct section *section, const struct ax_setting *row, const void *)
{
    struct ax_writer *names = arg;
    if (!is_live(section->settings->section, row->name))
        ax_writer_print(names, "%s%s.%s", names->len ? ", " : "", section->settings->section,
                        row->name);
}

ax_status
ax_server_settings_check_change(struct ax_ctx *ctx, const struct ax_server_settings *now,
                                const struct ax_server_settings *wanted)
{
    struct ax_server_settings here = *now, there = *wanted;
    ax_writer_auto struct ax_writer names = ax_writer_of(64 << 10);
    compare(&here, &there, name_fixed, &names);
    if (names.len == 0 && names.status == AX_OK)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "%.*s cannot change while the server runs: restart it; nothing was changed",
                   AX_FMT(ax_writer_str(&names)));
}

static void
take_over(void *arg, const struct section *section, const struct ax_setting *row,
          const void *wanted_config)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", section->settings->section, row->name);
    ax_json_put_text(arg, ax_str_of(name));
    memcpy((char *)section->config + row->offset, (const char *)wanted_config + row->offset,
           value_bytes(row));
}

void
ax_server_settings_change(struct ax_server_settings *now, const struct ax_server_settings *wanted,
                          struct ax_json_writer *changed)
{
    struct ax_server_settings there = *wanted;
    compare(now, &there, take_over, changed);
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

#include "server/server.h"

#include <signal.h>
#include <time.h>

#include "api/access_log.h"
#include "api/browser.h"
#include "api/dialect.h"
#include "api/limits.h"
#include "api/tracer.h"
#include "mlops/webhook_delivery.h"
#include "net/listener.h"
#include "server/backup.h"
#include "server/jobs.h"
#include "server/services.h"
#include "server/systemd.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/process.h"

enum { CLOCK_BACK_NS_MAX = 1'000'000'000, JOB_COUNT = 9 };
enum { DESCRIPTORS_OWN = 512, RELOAD_BYTES_MAX = 4 << 20 };
enum { WEBHOOKS_AT_ONCE = 50, WEBHOOKS_NS_MAX = 1'000'000'000 };
enum { ARTIFACT_BYTES = (1 << 28) + 1 }; /* what may be uploaded at once comes back at once */

struct server {
    const struct ax_server_options *options;
    struct ax_services services; /* in development mode only metrics, server and settings */
    bool governed;
    struct ax_model_repository *repository; /* NULL when governed */
    bool tracking;                          /* development, over a folder */
    struct ax_workers *workers;
    struct ax_limits *limits;
    struct ax_browser *browser;
    struct ax_api *api;
    struct ax_systemd systemd;
    struct ax_access_log *access_log; /* NULL when off, as are */
    struct ax_payload_log *payload_log;
    struct ax_tracer *tracer;
    struct ax_mutex mutex;
    struct ax_loops *loops; /* guarded by mutex: requests come before its opening returns */
    struct ax_server_settings as_read; /* guarded by mutex: before anybody filled in the rest */
    bool stopping;                     /* guarded by mutex: nobody shall send more */
    size_t beat_count;                 /* guarded by mutex: loops that have answered the watchdog */
    struct ax_jobs *jobs;
    struct ax_job job_table[JOB_COUNT];
    struct ax_jobs *webhook_jobs; /* a thread of its own: receivers may be slow */
    struct ax_job webhook_job;
    struct ax_metric *connections;
    ax_str listen[AX_SERVER_LISTEN_MAX]; /* addresses, without their dialects */
    unsigned dialects[AX_SERVER_LISTEN_MAX];
    size_t listen_count;
    uint64_t sweep_cursor;
};

/* ---- settings ---- */

static ax_status
override_settings(struct ax_ctx *ctx, struct server *server)
{
    const struct ax_server_options *options = server->options;
    for (size_t i = 0; i < options->override_count; i++)
        AX_TRY(ax_server_settings_set(ctx, &server->services.settings, options->overrides[i].name,
                                      options->overrides[i].value));
    return AX_OK;
}

/* ---- reading settings and certificates again ---- */

static ax_status
read_again(struct ax_ctx *ctx, const struct server *server, struct ax_server_settings *out_wanted)
{
    const struct ax_server_options *options = server->options;
    ax_server_settings_defaults(out_wanted);
    if (server->governed)
        AX_TRY(ax_server_settings_read(ctx, out_wanted, server->services.dir.settings));
    for (size_t i = 0; i < options->override_count; i++)
        AX_TRY(ax_server_settings_set(ctx, out_wanted, options->overrides[i].name,
                                      options->overrides[i].value));
    return AX_OK;
}

/* All of it, or nothing. */
static ax_status
take_over(struct ax_ctx *ctx, struct server *server, struct ax_server_settings *wanted,
          struct ax_json_writer *out) AX_REQUIRES(&server->mutex)
{
    if (!server->loops)
        return ax_fail(ctx, AX_UNAVAILABLE, "the server is not serving");
    AX_TRY(ax_server_settings_check_change(ctx, &server->as_read, wanted));
    AX_TRY(ax_loops_reload(server->loops, ctx));
    if (!ax_str_eq(wanted->general.log_level, server->as_read.general.log_level))
        AX_TRY(ax_server_settings_apply_log_level(ctx, &wanted->general.log_level));
    ax_json_key(out, "changed");
    ax_json_begin_array(out);
    ax_server_settings_change(&server->as_read, wanted, out);
    ax_json_end_array(out);
    server->services.settings.general.drain_ms = wanted->general.drain_ms;
    ax_limits_set(server->limits, &wanted->limits);
    ax_access_log_reopen(server->access_log);
    ax_payload_log_reopen(server->payload_log);
    return AX_OK;
}

static ax_status
reload(struct ax_ctx *ctx, struct server *server, struct ax_json_writer *out)
{
    struct ax_server_settings wanted;
    AX_TRY(read_again(ctx, server, &wanted));
    ax_systemd_say_reloading(&server->systemd);
    ax_json_begin_object(out);
    ax_mutex_lock(&server->mutex);
    ax_status status = take_over(ctx, server, &wanted, out);
    ax_mutex_unlock(&server->mutex);
    ax_json_end_object(out);
    ax_systemd_say_ready(&server->systemd);
    return status;
}

/* SIGHUP: whoever sent it looks into the log. */
static void
reload_and_log(struct server *server)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(RELOAD_BYTES_MAX);
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 10);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_status status =
        arena ? reload(&ctx, server, &json) : ax_fail(&ctx, AX_LIMIT, "no memory to read settings");
    const char *said = status == AX_OK ? ax_str_c(arena, ax_writer_str(&text)) : NULL;
    if (status == AX_OK)
        ax_log(AX_LOG_INFO, NULL, "reloaded", "settings", said ? said : "", NULL);
    else
        ax_log(AX_LOG_ERROR, NULL, "reload_failed", "error", ctx.error, NULL);
}

/* ---- what the api asks of its host ---- */

static bool
host_ready(void *arg, struct ax_json_writer *parts)
{
    struct server *server = arg;
    ax_mutex_lock(&server->mutex);
    bool stopping = server->stopping;
    ax_mutex_unlock(&server->mutex);
    if (stopping)
        ax_json_member_text(parts, "server", AX_STR("stopping"));
    if (server->governed)
        return ax_services_ready(&server->services, parts) && !stopping;
    ax_json_member_text(parts, "mode", AX_STR("development"));
    return !stopping;
}

static ax_status
host_backup(void *arg, struct ax_ctx *ctx, ax_str folder, struct ax_json_writer *out)
{
    struct server *server = arg;
    return ax_backup(&server->services, ctx, folder, out);
}

static ax_status
host_reload(void *arg, struct ax_ctx *ctx, struct ax_json_writer *out)
{
    return reload(ctx, arg, out);
}

static ax_status
host_settle(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return ax_services_settle(&server->services, ctx);
}

static void
host_observe(void *arg)
{
    struct server *server = arg;
    if (server->governed)
        ax_services_observe(&server->services);
    ax_mutex_lock(&server->mutex);
    if (server->loops)
        ax_metric_set(server->connections, (double)ax_loops_totals(server->loops).connections_open);
    ax_mutex_unlock(&server->mutex);
    ax_limits_observe(server->limits);
}

static ax_status
refuse_explicit(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "explicit model load / unload is not allowed: approved deployments say what is "
                   "served (axiom deploy)");
}

static ax_status
host_load(void *arg, struct ax_ctx *ctx, ax_str model)
{
    struct server *server = arg;
    return server->governed ? refuse_explicit(ctx)
                            : ax_model_repository_load(server->repository, ctx, model);
}

static ax_status
host_unload(void *arg, struct ax_ctx *ctx, ax_str model)
{
    struct server *server = arg;
    return server->governed ? refuse_explicit(ctx)
                            : ax_model_repository_unload(server->repository, ctx, model);
}

static void
host_show_unloaded(void *arg, struct ax_json_writer *out)
{
    struct server *server = arg;
    if (!server->governed)
        ax_model_repository_show_unloaded(server->repository, out);
}

/* ---- jobs ---- */

static ax_status
job_outbox(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return ax_services_settle(&server->services, ctx);
}

static ax_status
job_index(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return ax_decision_index_catch_up(server->services.index, ctx);
}

static ax_status
job_index_sync(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return ax_kv_sync(server->services.kv, ctx);
}

static ax_status
job_store(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    struct ax_store_upkeep upkeep;
    return server->services.store ? ax_store_maintain(server->services.store, ctx, &upkeep) : AX_OK;
}

static ax_status
job_changes(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    AX_TRY(ax_directory_upkeep(server->services.directory, ctx));
    return server->services.control ? ax_change_control_upkeep(server->services.control, ctx)
                                    : AX_OK;
}

/* Payloads whose keys are destroyed are removed where they lie, some at a time. */
static ax_status
job_sweep(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    size_t removed;
    uint64_t before = server->sweep_cursor;
    AX_TRY(ax_ledger_sweep(server->services.ledger, ctx, &server->sweep_cursor, 10'000, &removed));
    if (server->sweep_cursor == before)
        server->sweep_cursor = 0; /* from the beginning again */
    return AX_OK;
}

/* Facts keep their order by index; who compares their times must know that the clock jumped. */
static ax_status
job_clock(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    struct ax_ledger_stats stats;
    ax_ledger_stats(server->services.ledger, &stats);
    int64_t behind_ns = stats.newest_ns - ax_clock_real_ns();
    if (behind_ns < CLOCK_BACK_NS_MAX)
        return AX_OK;
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "the clock went back: it is %.1f s behind the newest fact in the ledger",
                   (double)behind_ns / 1e9);
}

/* Whoever watches the server's health is told of changes. */
static ax_status
job_watch(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return ax_api_look(server->api, ctx);
}

static ax_status
job_issuer(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    return server->services.issuer ? ax_jwt_issuer_upkeep(server->services.issuer, ctx) : AX_OK;
}

/* No new delivery is begun after a second, so that an end does not wait for many of them. */
static ax_status
job_webhooks(void *arg, struct ax_ctx *ctx)
{
    struct server *server = arg;
    int64_t began_ns = ax_clock_monotonic_ns();
    size_t count = 1;
    for (int i = 0; i < WEBHOOKS_AT_ONCE && count; i++) {
        if (ax_clock_monotonic_ns() - began_ns > WEBHOOKS_NS_MAX)
            break;
        AX_TRY(ax_webhook_deliver(&server->services.settings.webhooks, ctx, 1, &count));
    }
    return AX_OK;
}

static ax_status
start_webhooks(struct ax_ctx *ctx, struct server *server)
{
    if (!server->services.store)
        return AX_OK;
    server->webhook_job = (struct ax_job){"webhooks", 250, job_webhooks, server};
    return ax_jobs_start(ctx, &server->webhook_job, 1, &server->webhook_jobs);
}

static ax_status
start_jobs(struct ax_ctx *ctx, struct server *server)
{
    const struct ax_job jobs[JOB_COUNT] = {
        {"outbox", 100, job_outbox, server},           {"index", 200, job_index, server},
        {"index_sync", 1'000, job_index_sync, server}, {"store", 1'000, job_store, server},
        {"changes", 2'000, job_changes, server},       {"sweep", 30'000, job_sweep, server},
        {"clock", 1'000, job_clock, server},           {"watch", 200, job_watch, server},
        {"issuer", 1'000, job_issuer, server},
    };
    memcpy(server->job_table, jobs, sizeof jobs);
    return ax_jobs_start(ctx, server->job_table, JOB_COUNT, &server->jobs);
}

/* Without a ledger there is only the database to look after, if there is one. */
static ax_status
start_development_jobs(struct ax_ctx *ctx, struct server *server)
{
    size_t count = 0;
    server->job_table[count++] = (struct ax_job){"watch", 200, job_watch, server};
    if (server->tracking)
        server->job_table[count++] = (struct ax_job){"store", 1'000, job_store, server};
    return ax_jobs_start(ctx, server->job_table, count, &server->jobs);
}

/* ---- development mode ---- */

static bool
is_loopback(ax_str listen)
{
    static const ax_str secure = {"tls:", 4};
    return ax_listener_is_local(ax_str_starts(listen, secure) ? ax_str_from(listen, secure.len)
                                                              : listen);
}

/* Who asks for credentials may listen anywhere; who does not, may not. */
static ax_status
check_loopback(struct ax_ctx *ctx, const struct server *server)
{
    for (size_t i = 0; i < server->listen_count; i++)
        if (!is_loopback(server->listen[i]))
            return ax_fail(ctx, AX_DENIED,
                           "development mode listens on loopback addresses only, not on %.*s: "
                           "there are no credentials",
                           AX_FMT(server->listen[i]));
    return AX_OK;
}

static ax_status
open_repository(struct ax_ctx *ctx, struct server *server)
{
    const struct ax_model_repository_config config = {
        .server = server->services.server,
        .registry = server->services.registry,
        .engine = ax_server_settings_engine(&server->services.settings),
        .files = server->options->models,
        .file_count = server->options->model_count,
    };
    return ax_model_repository_open(ctx, &config, &server->repository);
}

static ax_status
open_tracking(struct ax_ctx *ctx, struct server *server)
{
    struct ax_services *services = &server->services;
    AX_TRY(check_loopback(ctx, server));
    AX_TRY(override_settings(ctx, server));
    AX_TRY(ax_data_dir_make_development(ctx, &services->dir));
    AX_TRY(ax_data_dir_hold(ctx, &services->dir));
    const char *root = ax_str_c(ctx->arena, services->dir.root);
    ax_log(AX_LOG_WARN, ctx, "development_tracking_server", "folder", root ? root : "", "meaning",
           "no credentials, no records, no approvals: whoever reaches the loopback address may "
           "read and change everything; axiom init makes a governed directory",
           NULL);
    AX_TRY(ax_services_open_tracking(ctx, services));
    return open_repository(ctx, server);
}

static ax_status
open_development(struct ax_ctx *ctx, struct server *server)
{
    struct ax_services *services = &server->services;
    AX_TRY(check_loopback(ctx, server));
    AX_TRY(ax_metrics_open(ctx, &services->metrics));
    const struct ax_model_server_config config = {.metrics = services->metrics,
                                                  .build_id = services->build_id};
    AX_TRY(ax_model_server_open(ctx, &config, &services->server));
    return open_repository(ctx, server);
}

/* ---- opening and closing ---- */

static ax_status
open_governed(struct ax_ctx *ctx, struct server *server)
{
    struct ax_services *services = &server->services;
    AX_TRY(ax_data_dir_of(ctx, server->options->data_dir, AX_STR(""), &services->dir));
    AX_TRY(ax_data_dir_hold(ctx, &services->dir));
    ax_status status = ax_server_settings_read(ctx, &services->settings, services->dir.settings);
    if (status == AX_OK)
        status = override_settings(ctx, server);
    ax_file lock = services->dir.lock;
    if (status == AX_OK) /* the keys may lie elsewhere */
        status = ax_data_dir_of(ctx, server->options->data_dir, services->settings.general.keys,
                                &services->dir);
    services->dir.lock = lock;
    if (status != AX_OK) {
        ax_data_dir_release(&services->dir);
        return status;
    }
    return ax_services_open(ctx, services);
}

static ax_status
open_api(struct ax_ctx *ctx, struct server *server)
{
    struct ax_services *services = &server->services;
    const struct ax_general_config *general = &services->settings.general;
    enum ax_compat compat;
    AX_TRY(ax_server_settings_compat(ctx, general->compat, &compat));
    AX_TRY(ax_workers_open(ctx, (int)general->worker_count, (int)general->worker_queue_max,
                           &server->workers));
    AX_TRY(ax_limits_open(ctx, &services->settings.limits, services->metrics, server->workers,
                          &server->limits));
    AX_TRY(ax_browser_open(ctx, &services->settings.cors, &server->browser));
    AX_TRY(ax_access_log_open(ctx, &services->settings.access_log, services->metrics,
                              &server->access_log));
    AX_TRY(ax_payload_log_open(ctx, &services->settings.payload_log, server->governed,
                               services->metrics, &server->payload_log));
    AX_TRY(ax_tracer_open(ctx, &services->settings.tracing, services->metrics, &server->tracer));
    server->connections =
        ax_metrics_series(services->metrics, AX_METRIC_GAUGE, "axiom_http_connections",
                          "Connections that are open.", NULL);
    const struct ax_api_config config = {
        .governed = server->governed,
        .listener_dialects = server->dialects,
        .listener_count = server->listen_count,
        .default_model = services->settings.scoring.default_model,
        .server_name = general->server_name,
        .compat = compat,
        .build_id = services->build_id,
        .server = services->server,
        .metrics = services->metrics,
        .workers = server->workers,
        .limits = server->limits,
        .browser = server->browser,
        .access_log = server->access_log,
        .payload_log = server->payload_log,
        .tracer = server->tracer,
        .host = {.arg = server,
                 .ready = host_ready,
                 .backup = host_backup,
                 .settle = host_settle,
                 .reload = host_reload,
                 .observe = host_observe,
                 .load = host_load,
                 .unload = host_unload,
                 .show_unloaded = host_show_unloaded},
        .directory = services->directory,
        .issuer = services->issuer,
        .passwords = services->passwords,
        .permissions = services->permissions,
        .store = services->store,
        .registry = services->registry,
        .experiments = services->experiments,
        .artifacts = services->artifacts,
        .datasets = services->datasets,
        .training = services->training,
        .validations = services->validations,
        .deployments = services->deployments,
        .control = services->control,
        .archive = services->archive,
        .ledger = services->ledger,
        .ledger_folder = services->dir.ledger,
        .kill = services->kill,
        .webhooks = &services->settings.webhooks,
    };
    return ax_api_open(ctx, &config, &server->api);
}

static void
publish_loops(struct server *server, struct ax_loops *loops)
{
    ax_mutex_lock(&server->mutex);
    server->loops = loops;
    ax_mutex_unlock(&server->mutex);
}

/* Each connection is a descriptor. Who may not have so many is told now, not when they are short.
 */
static void
check_descriptors(struct ax_ctx *ctx, const struct server *server)
{
    uint64_t connections = (uint64_t)server->services.settings.net.connections_max;
    uint64_t wanted = connections + DESCRIPTORS_OWN;
    uint64_t allowed = ax_process_descriptors(wanted);
    if (allowed >= wanted)
        return;
    ax_str has = ax_str_printf(ctx->arena, "%llu", (unsigned long long)allowed);
    ax_str needs = ax_str_printf(ctx->arena, "%llu", (unsigned long long)wanted);
    ax_log(AX_LOG_WARN, NULL, "descriptors_short", "allowed", has.at ? has.at : "", "needed",
           needs.at ? needs.at : "", "meaning",
           "fewer connections than net.connections_max will be served: raise LimitNOFILE", NULL);
}

static ax_status
open_network(struct ax_ctx *ctx, struct server *server)
{
    const struct ax_exchange_service service = ax_api_service(server->api);
    const ax_str *listen = server->listen;
    size_t count = server->listen_count;
    struct ax_loops *loops;
    if (server->services.artifacts &&
        server->services.settings.net.answer_bytes_max < ARTIFACT_BYTES)
        server->services.settings.net.answer_bytes_max = ARTIFACT_BYTES;
    check_descriptors(ctx, server);
    AX_TRY(ax_loops_open(ctx, &server->services.settings.net, &service, listen, count, &loops));
    publish_loops(server, loops);
    for (size_t i = 0; i < count; i++) {
        ax_str port = ax_str_printf(ctx->arena, "%d", ax_loops_port(loops, i));
        const char *address = ax_str_c(ctx->arena, listen[i]);
        if (port.at && address)
            ax_log(AX_LOG_INFO, ctx, "ready", "listen", address, "port", port.at, "mode",
                   server->governed ? "governed" : "development", NULL);
    }
    return AX_OK;
}

static ax_status
note(struct ax_ctx *ctx, struct server *server, enum ax_event_kind kind, ax_str object, ax_str body)
{
    const struct ax_event event = {
        .kind = kind,
        .producer = AX_STR("server"),
        .actor = AX_STR("server"),
        .object = object,
        .build_id = server->services.build_id,
        .body = body,
    };
    return ax_ledger_append(server->services.ledger, ctx, &event, AX_STR(""), NULL);
}

/* That the server runs, and that it stopped in order, are facts. */
static ax_status
note_state(struct ax_ctx *ctx, struct server *server, enum ax_event_kind kind)
{
    return note(ctx, server, kind, server->services.settings.general.origin, AX_STR(""));
}

/* So is that it writes down what people are judged by outside the ledger. */
static ax_status
note_payload_log(struct ax_ctx *ctx, struct server *server)
{
    ax_writer_auto struct ax_writer body = ax_writer_of(AX_EVENT_BODY_BYTES_MAX);
    ax_payload_log_put_fact(&server->services.settings.payload_log, &body);
    if (body.status != AX_OK)
        return ax_fail(ctx, body.status, "no room for the fact that payloads are written down");
    return note(ctx, server, AX_EVENT_SETTING, AX_STR("payload_log"), ax_writer_str(&body));
}

/* A folder is governed, unless it was named as one that may be new and is. */
static ax_status
choose_mode(struct ax_ctx *ctx, struct server *server)
{
    const struct ax_server_options *options = server->options;
    struct ax_data_dir *dir = &server->services.dir;
    server->governed = options->data_dir.len > 0;
    if (!server->governed || !options->may_be_new)
        return AX_OK;
    AX_TRY(ax_data_dir_of(ctx, options->data_dir, AX_STR(""), dir));
    server->tracking = ax_data_dir_is_development(ctx, dir);
    server->governed = !server->tracking;
    if (server->governed && options->model_count)
        return ax_fail(ctx, AX_DENIED,
                       "%.*s is a governed directory: approved deployments say what is served "
                       "(axiom deploy), not --model",
                       AX_FMT(options->data_dir));
    return AX_OK;
}

/* All that systemd has opened for us. */
static ax_status
take_sockets(struct ax_ctx *ctx, struct server *server)
{
    server->listen_count = server->systemd.socket_count;
    for (size_t i = 0; i < server->listen_count; i++) {
        server->dialects[i] = ax_dialects_default();
        AX_TRY(ax_systemd_address_at(&server->systemd, ctx, i, &server->listen[i]));
    }
    return AX_OK;
}

static ax_status
read_listeners(struct ax_ctx *ctx, struct server *server)
{
    static const ax_str plain = {"127.0.0.1:8080", 14};
    const struct ax_server_options *options = server->options;
    const ax_str *listen = options->listen_count ? options->listen : &plain;
    server->listen_count = options->listen_count ? options->listen_count : 1;
    if (options->listen_count == 0 && server->systemd.socket_count > 0)
        return take_sockets(ctx, server);
    for (size_t i = 0; i < server->listen_count; i++) {
        ax_str address;
        AX_TRY(ax_dialects_of_listener(ctx, listen[i], &address, &server->dialects[i]));
        AX_TRY(ax_systemd_address(&server->systemd, ctx, address, &server->listen[i]));
    }
    return AX_OK;
}

static ax_status
open_server(struct ax_ctx *ctx, struct server *server)
{
    ax_server_settings_defaults(&server->services.settings);
    server->services.dir.lock.fd = -1;
    server->services.build_id = AX_STR("axiom " AX_VERSION);
    AX_TRY(ax_systemd_open(ctx, &server->systemd));
    AX_TRY(choose_mode(ctx, server));
    AX_TRY(read_listeners(ctx, server));
    if (server->tracking) {
        AX_TRY(open_tracking(ctx, server));
    } else if (server->governed) {
        AX_TRY(open_governed(ctx, server));
    } else {
        AX_TRY(override_settings(ctx, server));
        AX_TRY(open_development(ctx, server));
    }
    AX_TRY(ax_server_settings_apply_log_level(ctx, &server->services.settings.general.log_level));
    AX_TRY(read_again(ctx, server, &server->as_read));
    AX_TRY(open_api(ctx, server));
    if (server->governed) {
        AX_TRY(note_state(ctx, server, AX_EVENT_START));
        if (server->payload_log)
            AX_TRY(note_payload_log(ctx, server));
        AX_TRY(start_jobs(ctx, server));
    } else {
        AX_TRY(start_development_jobs(ctx, server));
    }
    AX_TRY(start_webhooks(ctx, server));
    return open_network(ctx, server);
}

static void
close_server(struct ax_ctx *ctx, struct server *server)
{
    struct ax_loops *loops = server->loops;
    if (loops) {
        ax_mutex_lock(&server->mutex);
        server->stopping = true;
        ax_mutex_unlock(&server->mutex);
        int64_t patience_ns = server->services.settings.general.drain_ms * 1'000'000;
        ax_api_drain(server->api);
        if (!ax_loops_drain(loops, ax_clock_monotonic_ns() + patience_ns))
            ax_log(AX_LOG_WARN, ctx, "requests_cut", NULL);
        publish_loops(server, NULL); /* a request that was cut may still look */
        ax_loops_close(loops);
    }
    if (server->workers)
        ax_workers_close(server->workers);
    ax_jobs_stop(server->webhook_jobs);
    ax_jobs_stop(server->jobs);
    if (loops && server->governed && note_state(ctx, server, AX_EVENT_STOP) != AX_OK)
        ax_log(AX_LOG_WARN, ctx, "stop_not_noted", NULL);
    if (server->api)
        ax_api_close(server->api);
    ax_browser_close(server->browser);
    ax_limits_close(server->limits);
    ax_access_log_close(server->access_log);
    ax_payload_log_close(server->payload_log);
    ax_tracer_close(server->tracer);
    if (server->repository)
        ax_model_repository_close(server->repository);
    ax_services_close(&server->services);
}

/* ---- running ---- */

static sigset_t
own_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

static void
beat(void *arg)
{
    struct server *server = arg;
    ax_mutex_lock(&server->mutex);
    server->beat_count++;
    ax_mutex_unlock(&server->mutex);
}

/* Says that we are alive if every loop has run since the last time, and asks them all anew. */
static void
tell_watchdog(struct server *server)
{
    size_t loop_count = ax_loops_count(server->loops);
    ax_mutex_lock(&server->mutex);
    bool alive = server->beat_count == loop_count;
    server->beat_count = alive ? 0 : server->beat_count;
    ax_mutex_unlock(&server->mutex);
    if (!alive)
        return; /* who still owes an answer is not asked twice */
    ax_systemd_say_alive(&server->systemd);
    for (size_t i = 0; i < loop_count; i++)
        if (!ax_loop_post(ax_loops_at(server->loops, i), beat, server))
            beat(server);
}

/* The next signal; between them the watchdog hears from us, twice as often as it wants to. */
static int
next_signal(struct server *server, const sigset_t *signals)
{
    int64_t every_ms = server->systemd.watchdog_ms / 2;
    const struct timespec patience = {every_ms / 1'000, every_ms % 1'000 * 1'000'000};
    int number = -1;
    if (server->systemd.watchdog_ms == 0) {
        sigwait(signals, &number);
        return number;
    }
    while (number < 0) {
        tell_watchdog(server);
        number = sigtimedwait(signals, NULL, &patience);
    }
    return number;
}

/* Waits for the signal that ends the server; SIGHUP reads settings and certificates again. */
static int
wait_for_end(struct server *server, const sigset_t *signals)
{
    server->beat_count = ax_loops_count(server->loops);
    for (;;) {
        int number = next_signal(server, signals);
        if (number != SIGHUP)
            return number;
        reload_and_log(server);
    }
}

ax_status
ax_server_run(struct ax_ctx *ctx, const struct ax_server_options *options)
{
    struct server server = {.options = options, .systemd.notify_socket = -1};
    sigset_t signals = own_signals();
    ax_mutex_init(&server.mutex);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
    if (options->data_dir.len)
        ax_process_harden();
    ax_status status = open_server(ctx, &server);
    if (status == AX_OK) {
        ax_systemd_say_ready(&server.systemd);
        int number = wait_for_end(&server, &signals);
        ax_systemd_say_stopping(&server.systemd);
        ax_log(AX_LOG_INFO, NULL, "stopping", "signal", number == SIGTERM ? "TERM" : "INT", NULL);
    }
    char words[AX_ERROR_BYTES_MAX];
    memcpy(words, ctx->error, sizeof words);
    close_server(ctx, &server);
    ax_systemd_close(&server.systemd);
    ax_mutex_done(&server.mutex);
    memcpy(ctx->error, words, sizeof words);
    return status;
}

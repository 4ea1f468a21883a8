#include "server/server.h"

#include <signal.h>

#include "api/dialect.h"
#include "mlops/webhook_delivery.h"
#include "server/backup.h"
#include "server/jobs.h"
#include "server/services.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/process.h"

enum { WEBHOOKS_AT_ONCE = 50, WEBHOOKS_NS_MAX = 1'000'000'000 };
enum { CLOCK_BACK_NS_MAX = 1'000'000'000, JOB_COUNT = 7 };
enum { ARTIFACT_BYTES = (1 << 28) + 1 }; /* what may be uploaded at once comes back at once */

struct server {
    const struct ax_server_options *options;
    struct ax_services services; /* in development mode only metrics, server and settings */
    bool governed;
    struct ax_model_repository *repository; /* NULL when governed */
    bool tracking;                          /* development, over a folder */
    struct ax_workers *workers;
    struct ax_api *api;
    struct ax_mutex mutex;
    struct ax_loops *loops; /* guarded by mutex: requests come before its opening returns */
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

static ax_status
apply_log_level(struct ax_ctx *ctx, ax_str level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (ax_str_eq(level, ax_str_of(names[i]))) {
            ax_log_level_set((enum ax_log_level)i);
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID,
                   "server.log_level must be debug, info, warn or error, not \"%.*s\"",
                   AX_FMT(level));
}

/* ---- what the api asks of its host ---- */

static bool
host_ready(void *arg, struct ax_json_writer *parts)
{
    struct server *server = arg;
    if (server->governed)
        return ax_services_ready(&server->services, parts);
    ax_json_member_text(parts, "mode", AX_STR("development"));
    return true;
}

static ax_status
host_backup(void *arg, struct ax_ctx *ctx, ax_str folder, struct ax_json_writer *out)
{
    struct server *server = arg;
    return ax_backup(&server->services, ctx, folder, out);
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
        {"clock", 1'000, job_clock, server},
    };
    memcpy(server->job_table, jobs, sizeof jobs);
    return ax_jobs_start(ctx, server->job_table, JOB_COUNT, &server->jobs);
}

/* Without a ledger there is only the database to look after. */
static ax_status
start_tracking_jobs(struct ax_ctx *ctx, struct server *server)
{
    server->job_table[0] = (struct ax_job){"store", 1'000, job_store, server};
    return ax_jobs_start(ctx, server->job_table, 1, &server->jobs);
}

/* ---- development mode ---- */

static bool
is_loopback(ax_str listen)
{
    static const ax_str secure = {"tls:", 4};
    listen = ax_str_starts(listen, secure) ? ax_str_from(listen, secure.len) : listen;
    return ax_str_starts(listen, AX_STR("127.")) || ax_str_starts(listen, AX_STR("[::1]:")) ||
           ax_str_starts(listen, AX_STR("localhost:")) || ax_str_starts(listen, AX_STR("unix:"));
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
    AX_TRY(ax_workers_open(ctx, (int)general->worker_count, (int)general->worker_queue_max,
                           &server->workers));
    server->connections =
        ax_metrics_series(services->metrics, AX_METRIC_GAUGE, "axiom_http_connections",
                          "Connections that are open.", NULL);
    const struct ax_api_config config = {
        .governed = server->governed,
        .listener_dialects = server->dialects,
        .listener_count = server->listen_count,
        .default_model = services->settings.scoring.default_model,
        .server_name = general->server_name,
        .build_id = services->build_id,
        .server = services->server,
        .metrics = services->metrics,
        .workers = server->workers,
        .host = {.arg = server,
                 .ready = host_ready,
                 .backup = host_backup,
                 .settle = host_settle,
                 .observe = host_observe,
                 .load = host_load,
                 .unload = host_unload,
                 .show_unloaded = host_show_unloaded},
        .directory = services->directory,
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

/* That the server runs, and that it stopped in order, are facts. */
static ax_status
note(struct ax_ctx *ctx, struct server *server, enum ax_event_kind kind)
{
    const struct ax_event event = {
        .kind = kind,
        .producer = AX_STR("server"),
        .actor = AX_STR("server"),
        .object = server->services.settings.general.origin,
        .build_id = server->services.build_id,
    };
    return ax_ledger_append(server->services.ledger, ctx, &event, AX_STR(""), NULL);
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

static ax_status
read_listeners(struct ax_ctx *ctx, struct server *server)
{
    static const ax_str plain = {"127.0.0.1:8080", 14};
    const struct ax_server_options *options = server->options;
    const ax_str *listen = options->listen_count ? options->listen : &plain;
    server->listen_count = options->listen_count ? options->listen_count : 1;
    for (size_t i = 0; i < server->listen_count; i++)
        AX_TRY(ax_dialects_of_listener(ctx, listen[i], &server->listen[i], &server->dialects[i]));
    return AX_OK;
}

static ax_status
open_server(struct ax_ctx *ctx, struct server *server)
{
    ax_server_settings_defaults(&server->services.settings);
    server->services.dir.lock.fd = -1;
    server->services.build_id = AX_STR("axiom " AX_VERSION);
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
    AX_TRY(apply_log_level(ctx, server->services.settings.general.log_level));
    AX_TRY(open_api(ctx, server));
    if (server->governed) {
        AX_TRY(note(ctx, server, AX_EVENT_START));
        AX_TRY(start_jobs(ctx, server));
        AX_TRY(start_webhooks(ctx, server));
    } else if (server->tracking) {
        AX_TRY(start_tracking_jobs(ctx, server));
        AX_TRY(start_webhooks(ctx, server));
    }
    return open_network(ctx, server);
}

static void
close_server(struct ax_ctx *ctx, struct server *server)
{
    struct ax_loops *loops = server->loops;
    if (loops) {
        int64_t patience_ns = server->services.settings.general.drain_ms * 1'000'000;
        if (!ax_loops_drain(loops, ax_clock_monotonic_ns() + patience_ns))
            ax_log(AX_LOG_WARN, ctx, "requests_cut", NULL);
        publish_loops(server, NULL); /* a request that was cut may still look */
        ax_loops_close(loops);
    }
    if (server->workers)
        ax_workers_close(server->workers);
    ax_jobs_stop(server->webhook_jobs);
    ax_jobs_stop(server->jobs);
    if (loops && server->governed && note(ctx, server, AX_EVENT_STOP) != AX_OK)
        ax_log(AX_LOG_WARN, ctx, "stop_not_noted", NULL);
    if (server->api)
        ax_api_close(server->api);
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

/* Waits for the signal that ends the server; SIGHUP reads the certificates again. */
static int
wait_for_end(struct ax_ctx *ctx, struct server *server, const sigset_t *signals)
{
    int number;
    for (;;) {
        sigwait(signals, &number);
        if (number != SIGHUP)
            return number;
        ax_status status = ax_loops_reload(server->loops, ctx);
        if (status == AX_OK)
            ax_log(AX_LOG_INFO, NULL, "reloaded", NULL);
        else
            ax_log(AX_LOG_ERROR, NULL, "reload_failed", "error", ctx->error, NULL);
        ctx->error[0] = '\0';
    }
}

ax_status
ax_server_run(struct ax_ctx *ctx, const struct ax_server_options *options)
{
    struct server server = {.options = options};
    sigset_t signals = own_signals();
    ax_mutex_init(&server.mutex);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
    if (options->data_dir.len)
        ax_process_harden();
    ax_status status = open_server(ctx, &server);
    if (status == AX_OK) {
        int number = wait_for_end(ctx, &server, &signals);
        ax_log(AX_LOG_INFO, NULL, "stopping", "signal", number == SIGTERM ? "TERM" : "INT", NULL);
    }
    char words[AX_ERROR_BYTES_MAX];
    memcpy(words, ctx->error, sizeof words);
    close_server(ctx, &server);
    ax_mutex_done(&server.mutex);
    memcpy(ctx->error, words, sizeof words);
    return status;
}

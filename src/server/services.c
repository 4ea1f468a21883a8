#include "server/services.h"

#include "auth/jwt_issuer.h"
#include "auth/passwords.h"
#include "auth/permissions.h"
#include "base/fault.h"
#include "engine/forms.h"
#include "event/outbox.h"
#include "mlops/webhook_secret.h"
#include "server/adapters.h"
#include "sys/log.h"
#include "sys/process.h"

enum { SETTLE_AT_ONCE = 1000 };

/* ---- callbacks: what a lower service asks of a higher one ---- */

/* The plan on disk is a new one. Models and breakers of the present one are taken over. */
static ax_status
on_plan(void *arg, struct ax_ctx *ctx)
{
    struct ax_services *services = arg;
    struct ax_lane *lane;
    struct ax_plan *plan;
    AX_TRY(ax_lane_open(ctx, services->server, &lane));
    const struct ax_plan_source source = {.folder = services->dir.serving,
                                          .previous = ax_lane_plan(lane),
                                          .engine = &services->engine};
    ax_status status = ax_plan_load(ctx, &source, &plan);
    if (status == AX_OK)
        status = ax_model_server_swap(services->server, ctx, plan);
    ax_lane_close(lane);
    return status;
}

static ax_status
on_breaker(void *arg, struct ax_ctx *ctx, ax_str deployment)
{
    struct ax_services *services = arg;
    struct ax_lane *lane;
    AX_TRY(ax_lane_open(ctx, services->server, &lane));
    const struct ax_plan *plan = ax_lane_plan(lane);
    const struct ax_plan_deployment *found = plan ? ax_plan_deployment(plan, deployment) : NULL;
    if (found)
        ax_breaker_force(found->champion.breaker, false);
    ax_lane_close(lane);
    return found
               ? AX_OK
               : ax_fail(ctx, AX_NOT_FOUND, "no deployment \"%.*s\" is served", AX_FMT(deployment));
}

static ax_status
older_plan(void *arg, struct ax_ctx *ctx, const struct ax_decision *decision, ax_str folder)
{
    struct ax_services *services = arg;
    if (!services->deployments)
        return ax_fail(ctx, AX_UNAVAILABLE, "the database is away");
    return ax_deployments_publish_revision(
        services->deployments, ctx, decision->deployment, decision->config_hash,
        decision->reason_count ? &decision->reason_map_digest : NULL, folder);
}

/* ---- opening ---- */

static ax_status
open_ledger(struct ax_ctx *ctx, struct ax_services *services)
{
    uint8_t seed[AX_KEY_BYTES];
    const struct ax_vault_config vault = {.folder = services->dir.vault,
                                          .kek_path = services->dir.vault_key};
    AX_TRY(ax_vault_open(ctx, &vault, &services->vault));
    AX_TRY(ax_data_dir_ledger_seed(ctx, &services->dir, seed));
    const struct ax_ledger_place place = {
        .folder = services->dir.ledger,
        .origin = services->settings.general.origin,
        .seed = seed,
        .vault = services->vault,
    };
    ax_status status = ax_ledger_open(ctx, &services->settings.ledger, &place, &services->ledger);
    ax_crypto_wipe(seed, sizeof seed);
    return status;
}

/* An index that does not belong to this ledger is made again from it. */
static ax_status
open_index(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(ax_adapters_kv(ctx, &services->dir, &services->settings, &services->kv));
    ax_status status =
        ax_decision_index_open(ctx, services->kv, services->ledger, &services->index);
    if (status != AX_CORRUPT)
        return status;
    ax_log(AX_LOG_WARN, ctx, "index_made_again", NULL);
    ax_kv_close(ax_take(services->kv));
    AX_TRY(ax_file_remove_tree(ctx, services->dir.index));
    AX_TRY(ax_adapters_kv(ctx, &services->dir, &services->settings, &services->kv));
    return ax_decision_index_open(ctx, services->kv, services->ledger, &services->index);
}

/* A folder of forms that cannot be used costs time and nothing else. */
static void
open_forms(struct ax_ctx *ctx, struct ax_services *services)
{
    const struct ax_engine_settings *engine = &services->settings.engine;
    const struct ax_forms_config config = {
        .folder = engine->forms_folder.len
                      ? engine->forms_folder
                      : ax_path_join(ctx->arena, services->dir.root, AX_STR("forms")),
        .bytes_max = (uint64_t)engine->forms_bytes_max,
        .secret = ax_vault_secret(services->vault, AX_STR("forms"))};
    if (engine->forms_bytes_max == 0)
        return;
    ax_fault_benign_begin();
    if (!config.folder.at || ax_forms_open(ctx, &config, &services->forms) != AX_OK) {
        ax_log(AX_LOG_WARN, ctx, "forms_are_not_kept", NULL);
        ctx->error[0] = '\0';
    }
    ax_fault_benign_end();
}

static ax_status
open_data_plane(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(ax_metrics_open(ctx, &services->metrics));
    AX_TRY(ax_kill_switch_open(ctx, services->dir.latches, &services->kill));
    AX_TRY(open_ledger(ctx, services));
    AX_TRY(open_index(ctx, services));
    open_forms(ctx, services);
    services->engine = ax_server_settings_engine(&services->settings);
    services->engine.forms = services->forms;
    const struct ax_model_server_config server = {
        .ledger = services->ledger,
        .vault = services->vault,
        .index = services->index,
        .kill = services->kill,
        .metrics = services->metrics,
        .build_id = services->build_id,
    };
    AX_TRY(ax_model_server_open(ctx, &server, &services->server));
    const struct ax_decision_archive_config archive = {
        .ledger = services->ledger,
        .vault = services->vault,
        .index = services->index,
        .server = services->server,
        .build_id = services->build_id,
        .older_plan = older_plan,
        .arg = services,
        .folder = services->dir.scratch,
    };
    return ax_decision_archive_open(ctx, &archive, &services->archive);
}

static ax_status
open_training(struct ax_ctx *ctx, struct ax_services *services)
{
    const struct ax_general_config *general = &services->settings.general;
    ax_str self;
    AX_TRY(ax_process_self(ctx, &self));
    services->train_command[0] = ax_str_c(ctx->arena, self);
    services->train_command[1] = "train-worker";
    if (!services->train_command[0])
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    const struct ax_training_config training = {
        .store = services->store,
        .registry = services->registry,
        .datasets = services->datasets,
        .command = services->train_command,
        .folder = services->dir.scratch,
        .timeout_ms = general->training_ms,
        .memory_bytes_max = general->training_memory_bytes,
        .thread_count_max = general->training_threads,
    };
    return ax_training_open(ctx, &training, &services->training);
}

static ax_status
open_models(struct ax_ctx *ctx, struct ax_services *services, bool unrecorded)
{
    const struct ax_tracking_config *tracking = &services->settings.tracking;
    bool enforce = ax_str_eq(tracking->promotion, AX_STR("enforce"));
    if (!enforce && !ax_str_eq(tracking->promotion, AX_STR("advise")))
        return ax_fail(ctx, AX_INVALID,
                       "tracking.promotion must be advise or enforce, not \"%.*s\"",
                       AX_FMT(tracking->promotion));
    const struct ax_registry_config registry = {
        .store = services->store,
        .blob = services->blob,
        .unrecorded = unrecorded,
        .enforce = enforce,
        .production_aliases = tracking->production_alias,
    };
    return ax_registry_open(ctx, &registry, &services->registry);
}

static ax_status
open_registry(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(open_models(ctx, services, false));
    const struct ax_datasets_config datasets = {
        .store = services->store,
        .blob = services->blob,
        .protected_folder = services->dir.protected,
        .protected_key = services->dir.protected_key,
    };
    AX_TRY(ax_datasets_open(ctx, &datasets, &services->datasets));
    AX_TRY(open_training(ctx, services));
    const struct ax_validations_config validations = {
        .store = services->store,
        .registry = services->registry,
        .datasets = services->datasets,
    };
    return ax_validations_open(ctx, &validations, &services->validations);
}

static ax_status
open_tracking(struct ax_ctx *ctx, struct ax_services *services)
{
    const struct ax_tracking_config *tracking = &services->settings.tracking;
    ax_str root;
    AX_TRY(ax_experiment_location(ctx, tracking->artifact_root, &root));
    while (ax_str_ends(root, AX_STR("/")) && root.len > 1)
        root.len--;
    const struct ax_experiments_config experiments = {.store = services->store,
                                                      .artifact_root = root};
    AX_TRY(ax_experiments_open(ctx, &experiments, &services->experiments));
    services->settings.webhooks.store = services->store;
    services->settings.webhooks.secret_key = services->dir.webhook_key;
    AX_TRY(ax_webhook_secret_seal_old(&services->settings.webhooks, ctx));
    ax_str folder =
        tracking->artifact_folder.len ? tracking->artifact_folder : services->dir.artifacts;
    ax_str blobs = ax_path_join(ctx->arena, folder, AX_STR(AX_ARTIFACTS_BLOBS));
    struct ax_artifacts_config artifacts = {.store = services->store,
                                            .folder = folder,
                                            .default_root = root,
                                            .bytes_max = tracking->artifact_bytes_max};
    if (!blobs.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_adapters_blob(ctx, blobs, &artifacts.blob));
    return ax_artifacts_open(ctx, &artifacts, &services->artifacts);
}

/* What needs the database. */
static ax_status
open_control_plane(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(ax_adapters_blob(ctx, services->dir.blobs, &services->blob));
    AX_TRY(open_registry(ctx, services));
    AX_TRY(open_tracking(ctx, services));
    const struct ax_deployments_config deployments = {
        .store = services->store,
        .registry = services->registry,
        .folder = services->dir.serving,
        .on_plan = on_plan,
        .arg = services,
    };
    AX_TRY(ax_deployments_open(ctx, &deployments, &services->deployments));
    const struct ax_change_control_config control = {
        .store = services->store,
        .ledger = services->ledger,
        .vault = services->vault,
        .directory = services->directory,
        .registry = services->registry,
        .deployments = services->deployments,
        .kill = services->kill,
        .on_breaker = on_breaker,
        .arg = services,
        .expires_days = services->settings.general.proposal_days,
    };
    AX_TRY(ax_change_control_open(ctx, &control, &services->control));
    AX_TRY(ax_change_control_upkeep(services->control, ctx)); /* what a crash left undone */
    AX_TRY(ax_services_settle(services, ctx));
    return ax_deployments_publish(services->deployments, ctx);
}

/* The database of a directory that has served before is not made again when it is gone. */
static ax_status
open_store(struct ax_ctx *ctx, struct ax_services *services)
{
    return ax_adapters_store(ctx, &services->dir, &services->settings,
                             ax_ledger_size(services->ledger) > 0, &services->store);
}

static ax_status
open_all(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(open_data_plane(ctx, services));
    ax_status status = open_store(ctx, services);
    if (status == AX_UNAVAILABLE || status == AX_CORRUPT) {
        memcpy(services->store_words, ctx->error, sizeof services->store_words);
        ax_log(AX_LOG_ERROR, ctx, "store_away", NULL);
        status = AX_OK;
    }
    AX_TRY(status);
    AX_TRY(ax_directory_open(ctx, services->store, services->dir.directory_cache,
                             &services->directory));
    AX_TRY(ax_jwt_issuer_open(ctx, &services->settings.jwt, &services->issuer));
    AX_TRY(ax_passwords_open(ctx, services->directory, &services->passwords));
    AX_TRY(ax_permissions_open(ctx, services->directory,
                               services->settings.tracking.default_permission,
                               &services->permissions));
    if (services->store)
        return open_control_plane(ctx, services);
    status = on_plan(services, ctx); /* the last good plan */
    return status == AX_NOT_FOUND ? AX_OK : status;
}

/* All of them by open, or none and its words. */
static ax_status
open_with(struct ax_ctx *ctx, struct ax_services *services,
          ax_status (*open)(struct ax_ctx *ctx, struct ax_services *services))
{
    services->build_id = AX_STR("axiom " AX_VERSION);
    ax_mutex_init(&services->settling);
    ax_status status = open(ctx, services);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_services_close(services);
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

ax_status
ax_services_open(struct ax_ctx *ctx, struct ax_services *services)
{
    return open_with(ctx, services, open_all);
}

static ax_status
open_untold(struct ax_ctx *ctx, struct ax_services *services)
{
    AX_TRY(ax_metrics_open(ctx, &services->metrics));
    const struct ax_model_server_config server = {.metrics = services->metrics,
                                                  .build_id = services->build_id};
    AX_TRY(ax_model_server_open(ctx, &server, &services->server));
    AX_TRY(ax_adapters_store(ctx, &services->dir, &services->settings, false, &services->store));
    AX_TRY(ax_adapters_blob(ctx, services->dir.blobs, &services->blob));
    AX_TRY(open_models(ctx, services, true));
    return open_tracking(ctx, services);
}

ax_status
ax_services_open_tracking(struct ax_ctx *ctx, struct ax_services *services)
{
    return open_with(ctx, services, open_untold);
}

#define CLOSE(service, close_fn)                                                                   \
    do {                                                                                           \
        if (services->service)                                                                     \
            close_fn(services->service);                                                           \
        services->service = NULL;                                                                  \
    } while (0)

void
ax_services_close(struct ax_services *services)
{
    CLOSE(control, ax_change_control_close);
    CLOSE(deployments, ax_deployments_close);
    CLOSE(validations, ax_validations_close);
    CLOSE(training, ax_training_close);
    CLOSE(datasets, ax_datasets_close);
    CLOSE(artifacts, ax_artifacts_close);
    CLOSE(experiments, ax_experiments_close);
    CLOSE(registry, ax_registry_close);
    CLOSE(permissions, ax_permissions_close);
    CLOSE(passwords, ax_passwords_close);
    CLOSE(issuer, ax_jwt_issuer_close);
    CLOSE(directory, ax_directory_close);
    CLOSE(blob, ax_blob_close);
    CLOSE(store, ax_store_close);
    CLOSE(archive, ax_decision_archive_close);
    CLOSE(server, ax_model_server_close);
    CLOSE(forms, ax_forms_close); /* no engine is open any more */
    CLOSE(index, ax_decision_index_close);
    CLOSE(kv, ax_kv_close);
    CLOSE(ledger, ax_ledger_close);
    CLOSE(vault, ax_vault_close);
    CLOSE(kill, ax_kill_switch_close);
    CLOSE(metrics, ax_metrics_close);
    ax_mutex_done(&services->settling);
    ax_data_dir_release(&services->dir);
}

/* ---- what the server and its jobs ask ---- */

ax_status
ax_services_settle(struct ax_services *services, struct ax_ctx *ctx)
{
    ax_status status = AX_OK;
    size_t count = SETTLE_AT_ONCE;
    ax_mutex_lock(&services->settling);
    while (services->store && status == AX_OK && count == SETTLE_AT_ONCE)
        status = ax_outbox_drain(services->store, ctx, services->ledger, SETTLE_AT_ONCE, &count);
    ax_mutex_unlock(&services->settling);
    return status;
}

static bool
plan_served(struct ax_services *services, struct ax_ctx *ctx, int64_t *out_revision)
{
    struct ax_lane *lane;
    *out_revision = 0;
    if (ax_lane_open(ctx, services->server, &lane) != AX_OK)
        return false;
    const struct ax_plan *plan = ax_lane_plan(lane);
    if (plan)
        *out_revision = plan->revision;
    ax_lane_close(lane);
    return plan != NULL;
}

bool
ax_services_ready(struct ax_services *services, struct ax_json_writer *parts)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    int64_t revision;
    bool ledger = ax_ledger_check(services->ledger, &ctx) == AX_OK;
    ax_json_member_text(parts, "ledger", ledger ? AX_STR("ready") : ax_str_of(ctx.error));
    ax_json_member_text(parts, "store",
                        services->store ? AX_STR("ready") : ax_str_of(services->store_words));
    bool known = ax_directory_check(services->directory, &ctx) == AX_OK;
    ax_json_member_text(parts, "directory", known ? AX_STR("ready") : ax_str_of(ctx.error));
    if (services->issuer) {
        bool keyed = ax_jwt_issuer_check(services->issuer, &ctx) == AX_OK;
        ax_json_member_text(parts, "jwt", keyed ? AX_STR("ready") : ax_str_of(ctx.error));
    }
    bool served = plan_served(services, &ctx, &revision);
    ax_json_member_i64(parts, "plan_revision", revision);
    return ledger && served;
}

static void
gauge(struct ax_metrics *metrics, const char *name, const char *help, double value)
{
    ax_metric_set(ax_metrics_series(metrics, AX_METRIC_GAUGE, name, help, NULL), value);
}

void
ax_services_observe(struct ax_services *services)
{
    struct ax_metrics *metrics = services->metrics;
    struct ax_ledger_stats stats;
    ax_ledger_stats(services->ledger, &stats);
    gauge(metrics, "axiom_ledger_facts", "Durable facts in the ledger.", (double)stats.size);
    gauge(metrics, "axiom_ledger_signed_facts", "Facts under the newest checkpoint.",
          (double)stats.signed_size);
    gauge(metrics, "axiom_ledger_queued_facts", "Facts that wait to be written.",
          (double)stats.queued);
    gauge(metrics, "axiom_ledger_batches", "Group commits since the start.", (double)stats.batches);
    gauge(metrics, "axiom_ledger_sync_seconds", "Time of the newest sync.",
          (double)stats.sync_ns / 1e9);
    gauge(metrics, "axiom_ledger_log_bytes", "Size of the ledger's segments.",
          (double)stats.log_bytes);
    gauge(metrics, "axiom_disk_free_bytes", "Free space where the ledger is.",
          (double)stats.disk_free_bytes);
    gauge(metrics, "axiom_disk_total_bytes", "Space where the ledger is.",
          (double)stats.disk_total_bytes);
    gauge(metrics, "axiom_ledger_failed", "1 after a failed write or sync.",
          stats.failed ? 1.0 : 0.0);
    gauge(metrics, "axiom_ledger_reserve_reached", "1 when the disk's reserve is reached.",
          stats.reserved ? 1.0 : 0.0);
    gauge(metrics, "axiom_store_away", "1 while the database is away.",
          services->store ? 0.0 : 1.0);
    gauge(metrics, "axiom_resident_bytes", "Resident memory of the process.",
          (double)ax_process_resident_bytes());
}

/*
 * The API over real loops on loopback: governed, with mlops_case's people and their tokens, or over
 * bare model files in development mode. Requests go through the client, as they do in life.
 *
 * Most tests are tables of api_case_row: who asks what, the status, and words of the answer.
 */
#pragma once

#include "api/api.h"
#include "api/browser.h"
#include "api/limits.h"
#include "auth/passwords.h"
#include "auth/permissions.h"
#include "deployed_case.h"
#include "event/outbox.h"
#include "kv/lmdb.h"
#include "net/client.h"
#include "net/loop.h"
#include "serving/model_loader.h"
#include "sys/metrics.h"

/* Besides mlops_case's: a service that asks for decisions, an auditor, an administrator, and one
 * who has no role yet. */
enum { NOBODY = -1, SAM = PEOPLE, LEX, AMY, NEW, API_CASE_PEOPLE };

struct api_case {
    struct mlops_case mlops; /* governed only */
    struct ax_arena *arena;  /* as long as the case */
    struct ax_ctx ctx;
    struct ax_metrics *metrics;
    struct ax_kv *kv;
    struct ax_decision_index *index;
    struct ax_model_server *server;
    struct ax_decision_archive *archive;
    struct ax_training *training;
    struct ax_experiments *experiments;
    struct ax_artifacts *artifacts;
    struct ax_passwords *passwords;
    struct ax_permissions *permissions;
    const char *default_permission; /* NULL: "MANAGE" */
    unsigned dialects;              /* of the listener; 0: those by default */
    struct ax_webhooks_config webhooks;
    struct ax_workers *workers;
    struct ax_api_config config;
    struct ax_api *api;
    struct ax_loops *loops;
    struct ax_client *client;
    struct ax_http_header header; /* one more in each request; name "" for none */
    ax_str tokens[API_CASE_PEOPLE];
    bool away;       /* what the host says about its readiness */
    char loads[256]; /* what the host was asked to load and unload: "+dart -dart " */
    const struct ax_limits_config *limits; /* NULL: none */
    void (*observed)(struct api_case *at); /* on a worker, by GET /metrics; NULL: nothing */
};

/* ---- the host ---- */

static inline bool
api_case_ready(void *arg, struct ax_json_writer *parts)
{
    const struct api_case *at = arg;
    ax_json_member_text(parts, "ledger", at->away ? AX_STR("disk full") : AX_STR("ready"));
    return !at->away;
}

static inline ax_status
api_case_backup(void *arg, struct ax_ctx *ctx, ax_str folder, struct ax_json_writer *out)
{
    (void)arg;
    if (!ax_str_starts(folder, AX_STR("/")))
        return ax_fail(ctx, AX_INVALID, "%.*s is no absolute path", AX_FMT(folder));
    ax_json_begin_object(out);
    ax_json_member_text(out, "folder", folder);
    ax_json_end_object(out);
    return AX_OK;
}

static inline ax_status
api_case_settle(void *arg, struct ax_ctx *ctx)
{
    struct api_case *at = arg;
    size_t count;
    return ax_outbox_drain(at->mlops.base.store, ctx, at->mlops.ledger, 1'000, &count);
}

static inline ax_status
api_case_reload(void *arg, struct ax_ctx *ctx, struct ax_json_writer *out)
{
    const struct api_case *at = arg;
    if (at->away)
        return ax_fail(ctx, AX_INVALID, "net.idle_ms cannot change while the server runs");
    ax_json_begin_object(out);
    ax_json_end_object(out);
    return AX_OK;
}

static inline void
api_case_observe(void *arg)
{
    struct api_case *at = arg;
    if (at->observed)
        at->observed(at);
    ax_metric_set(ax_metrics_series(at->metrics, AX_METRIC_GAUGE, "axiom_tests_away",
                                    "Whether the host is away.", NULL),
                  at->away ? 1 : 0);
}

/* Knows "dart" alone and keeps a list of what was asked. */
static inline ax_status
api_case_note_load(struct api_case *at, struct ax_ctx *ctx, char sign, ax_str model)
{
    size_t len = strlen(at->loads);
    snprintf(at->loads + len, sizeof at->loads - len, "%c%.*s ", sign, AX_FMT(model));
    return ax_str_eq(model, AX_STR("dart"))
               ? AX_OK
               : ax_fail(ctx, AX_NOT_FOUND, "no model file was given for '%.*s'", AX_FMT(model));
}

static inline ax_status
api_case_load(void *arg, struct ax_ctx *ctx, ax_str model)
{
    return api_case_note_load(arg, ctx, '+', model);
}

static inline ax_status
api_case_unload(void *arg, struct ax_ctx *ctx, ax_str model)
{
    return api_case_note_load(arg, ctx, '-', model);
}

static inline void
api_case_show_unloaded(void *arg, struct ax_json_writer *out)
{
    (void)arg;
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", AX_STR("resting"));
    ax_json_member_text(out, "state", AX_STR("UNAVAILABLE"));
    ax_json_end_object(out);
}

/* The plan on disk is a new one. */
static inline ax_status
api_case_on_plan(void *arg, struct ax_ctx *ctx)
{
    struct api_case *at = arg;
    struct ax_lane *lane;
    struct ax_plan *plan;
    AX_TRY(ax_lane_open(ctx, at->server, &lane));
    const struct ax_plan_source source = {.folder = mlops_case_path(&at->mlops, "serving"),
                                          .previous = ax_lane_plan(lane)};
    ax_status status = ax_plan_load(ctx, &source, &plan);
    if (status == AX_OK)
        status = ax_model_server_swap(at->server, ctx, plan);
    ax_lane_close(lane);
    return status;
}

/* ---- opening and closing ---- */

static inline void
api_case_open(struct api_case *at)
{
    struct ax_loop_config config;
    ax_str listen = AX_STR("127.0.0.1:0");
    CHECK_EQ(ax_workers_open(&at->ctx, 2, 64, &at->workers), AX_OK);
    if (at->limits)
        CHECK_EQ(ax_limits_open(&at->ctx, at->limits, at->metrics, at->workers, &at->config.limits),
                 AX_OK);
    if (at->dialects) {
        at->config.listener_dialects = &at->dialects;
        at->config.listener_count = 1;
    }
    at->config.server_name = AX_STR("axiom");
    at->config.build_id = AX_STR("axiom test");
    at->config.server = at->server;
    at->config.metrics = at->metrics;
    at->config.workers = at->workers;
    at->config.host = (struct ax_api_host){.arg = at,
                                           .ready = api_case_ready,
                                           .backup = api_case_backup,
                                           .settle = api_case_settle,
                                           .reload = api_case_reload,
                                           .observe = api_case_observe,
                                           .load = api_case_load,
                                           .unload = api_case_unload,
                                           .show_unloaded = api_case_show_unloaded};
    CHECK_EQ(ax_api_open(&at->ctx, &at->config, &at->api), AX_OK);
    const struct ax_exchange_service service = ax_api_service(at->api);
    ax_settings_defaults(ax_loop_settings(), &config);
    config.loop_count = 1;
    CHECK_EQ(ax_loops_open(&at->ctx, &config, &service, &listen, 1, &at->loops), AX_OK);
    CHECK_EQ(ax_client_open(&at->ctx, NULL, &at->client), AX_OK);
}

/* The way in alone, so that a test may open another. */
static inline void
api_case_shut(struct api_case *at)
{
    ax_client_close(at->client);
    ax_loops_close(at->loops);
    ax_workers_close(at->workers);
    ax_api_close(at->api);
    ax_limits_close(at->config.limits);
    at->config.limits = NULL;
}

static inline void
api_case_hire(struct api_case *at)
{
    static const struct {
        const char *request, *roles;
    } more[] = {
        [SAM - PEOPLE] = {"{\"id\":\"sam\",\"kind\":\"service\"}", "{\"grant\":[\"client\"]}"},
        [LEX - PEOPLE] = {"{\"id\":\"lex\"}", "{\"grant\":[\"auditor\"],\"line\":3}"},
        [AMY - PEOPLE] = {"{\"id\":\"amy\"}", "{\"grant\":[\"security_admin\"],\"line\":1}"},
        [NEW - PEOPLE] = {"{\"id\":\"new\"}", NULL},
    };
    static const char *const ids[] = {"dana", "vic", "ada", "dee", "rob", "ria",
                                      "pia",  "pam", "sam", "lex", "amy", "new"};
    struct directory_case *base = &at->mlops.base;
    mlops_case_hire_all(&at->mlops);
    for (size_t i = 0; i < AX_COUNT_OF(more); i++)
        directory_case_user(&at->ctx, base, more[i].request, more[i].roles);
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++)
        at->tokens[i] = directory_case_token(&at->ctx, base, ids[i], NULL);
}

static inline void
api_case_open_serving(struct api_case *at)
{
    struct ax_ctx *ctx = &at->ctx;
    struct mlops_case *mlops = &at->mlops;
    CHECK_EQ(ax_lmdb_open(ctx, mlops_case_path(mlops, "index"), 1 << 24, &at->kv), AX_OK);
    CHECK_EQ(ax_decision_index_open(ctx, at->kv, mlops->ledger, &at->index), AX_OK);
    CHECK_EQ(ax_metrics_open(ctx, &at->metrics), AX_OK);
    const struct ax_model_server_config server = {.ledger = mlops->ledger,
                                                  .vault = mlops->vault,
                                                  .index = at->index,
                                                  .kill = mlops->kill,
                                                  .metrics = at->metrics,
                                                  .build_id = AX_STR("axiom test")};
    CHECK_EQ(ax_model_server_open(ctx, &server, &at->server), AX_OK);
    const struct ax_decision_archive_config archive = {.ledger = mlops->ledger,
                                                       .vault = mlops->vault,
                                                       .index = at->index,
                                                       .server = at->server,
                                                       .build_id = AX_STR("axiom test"),
                                                       .folder = mlops_case_path(mlops, "scratch")};
    CHECK_EQ(ax_decision_archive_open(ctx, &archive, &at->archive), AX_OK);
}

static inline void
api_case_open_tracking(struct api_case *at)
{
    struct mlops_case *mlops = &at->mlops;
    struct ax_ctx *ctx = &at->ctx;
    const struct ax_experiments_config experiments = {.store = mlops->base.store,
                                                      .artifact_root = AX_STR("mlflow-artifacts:")};
    struct ax_artifacts_config artifacts = {.store = mlops->base.store,
                                            .folder = mlops_case_path(mlops, "artifacts"),
                                            .default_root = experiments.artifact_root};
    ax_str blobs = ax_path_join(at->arena, artifacts.folder, AX_STR(AX_ARTIFACTS_BLOBS));
    CHECK_EQ(ax_experiments_open(ctx, &experiments, &at->experiments), AX_OK);
    CHECK_EQ(ax_fs_open(ctx, blobs, &artifacts.blob), AX_OK);
    CHECK_EQ(ax_artifacts_open(ctx, &artifacts, &at->artifacts), AX_OK);
}

static inline void
api_case_open_governed(struct api_case *at)
{
    static const char *const learner[] = {"/bin/false", NULL};
    struct mlops_case *mlops = &at->mlops;
    mlops->arena = at->arena;
    mlops->ctx = at->ctx;
    mlops->on_plan = api_case_on_plan;
    mlops->on_plan_arg = at;
    directory_case_make(&at->ctx, &mlops->base);
    CHECK_EQ(ax_directory_open(&at->ctx, mlops->base.store, ax_str_of(mlops->base.cache),
                               &mlops->base.directory),
             AX_OK);
    api_case_hire(at);
    mlops_case_open_records(mlops);
    api_case_open_serving(at);
    mlops_case_open_models(mlops);
    api_case_open_tracking(at);
    const struct ax_training_config training = {.store = mlops->base.store,
                                                .registry = mlops->registry,
                                                .datasets = mlops->datasets,
                                                .command = learner,
                                                .folder = mlops_case_path(mlops, "scratch"),
                                                .timeout_ms = 10'000,
                                                .memory_bytes_max = 1 << 30,
                                                .thread_count_max = 1};
    CHECK_EQ(ax_training_open(&at->ctx, &training, &at->training), AX_OK);
    const char *otherwise = at->default_permission ? at->default_permission : "MANAGE";
    CHECK_EQ(ax_passwords_open(&at->ctx, mlops->base.directory, &at->passwords), AX_OK);
    CHECK_EQ(ax_permissions_open(&at->ctx, mlops->base.directory, ax_str_of(otherwise),
                                 &at->permissions),
             AX_OK);
    at->config = (struct ax_api_config){.governed = true,
                                        .directory = mlops->base.directory,
                                        .passwords = at->passwords,
                                        .permissions = at->permissions,
                                        .store = mlops->base.store,
                                        .registry = mlops->registry,
                                        .datasets = mlops->datasets,
                                        .training = at->training,
                                        .experiments = at->experiments,
                                        .artifacts = at->artifacts,
                                        .validations = mlops->validations,
                                        .deployments = mlops->deployments,
                                        .control = mlops->control,
                                        .archive = at->archive,
                                        .ledger = mlops->ledger,
                                        .ledger_folder = mlops_case_path(mlops, "ledger"),
                                        .kill = mlops->kill,
                                        .webhooks = &at->webhooks};
    at->webhooks = (struct ax_webhooks_config){.store = mlops->base.store,
                                               .secret_key = mlops_case_path(mlops, "webhook.key"),
                                               .attempts_max = 3,
                                               .timeout_ms = 1'000,
                                               .keep_days = 7};
}

/* Everybody is hired, nothing is deployed. set: NULL, or says what is to be otherwise. */
static inline void
api_case_run_set(void (*set)(struct api_case *at),
                 void (*body)(struct ax_ctx *ctx, struct api_case *at))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct api_case at = {.arena = ax_arena_new(64 << 20)};
    at.ctx = ax_ctx_of(at.arena);
    if (set)
        set(&at);
    api_case_open_governed(&at);
    api_case_open(&at);
    body(&ctx, &at);
    api_case_shut(&at);
    ax_training_close(at.training);
    ax_permissions_close(at.permissions);
    ax_passwords_close(at.passwords);
    ax_artifacts_close(at.artifacts);
    ax_experiments_close(at.experiments);
    ax_decision_archive_close(at.archive);
    ax_model_server_close(at.server);
    ax_decision_index_close(at.index);
    ax_kv_close(at.kv);
    ax_metrics_close(at.metrics);
    mlops_case_done(&at.mlops); /* and the arena */
}

static inline void
api_case_run(void (*body)(struct ax_ctx *ctx, struct api_case *at))
{
    api_case_run_set(NULL, body);
}

/* Development mode: the small models under names that say what they are. */
static inline void
api_case_run_bare(void (*body)(struct ax_ctx *ctx, struct api_case *at))
{
    static const char *const names[] = {"xgboost",   "vector", "linear",
                                        "scorecard", "dart",   "gblinear"};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct api_case at = {.arena = ax_arena_new(64 << 20)};
    struct ax_loaded_model *models[AX_COUNT_OF(names)] = {};
    struct ax_plan *plan = NULL;
    at.ctx = ax_ctx_of(at.arena);
    CHECK_EQ(ax_metrics_open(&at.ctx, &at.metrics), AX_OK);
    const struct ax_model_server_config server = {.metrics = at.metrics,
                                                  .build_id = AX_STR("axiom test")};
    CHECK_EQ(ax_model_server_open(&at.ctx, &server, &at.server), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        struct ax_bundle bundle;
        ax_str path = ax_str_printf(at.arena, "tests/model/small/%s.json", names[i]), bytes = {};
        CHECK_EQ(ax_file_read_all(&at.ctx, path, 1 << 20, &bytes), AX_OK);
        CHECK_EQ(ax_bundle_of_model(&at.ctx, bytes, &bundle), AX_OK);
        CHECK_EQ(ax_model_load(&at.ctx, ax_str_of(names[i]), 1, false, &bundle, &models[i]), AX_OK);
    }
    CHECK_EQ(ax_plan_of_models(&at.ctx, models, AX_COUNT_OF(names), &plan), AX_OK);
    CHECK_EQ(ax_model_server_swap(at.server, &at.ctx, plan), AX_OK);
    api_case_open(&at);
    body(&ctx, &at);
    api_case_shut(&at);
    ax_model_server_close(at.server);
    ax_metrics_close(at.metrics);
    ax_arena_free(at.arena);
}

/* ---- asking ---- */

struct api_case_answer {
    int status;
    ax_str body;
    const struct ax_json *json; /* NULL when the body is no JSON */
    struct ax_client_answer whole;
};

/* line: "POST /api/v1/models". */
static inline struct api_case_answer
api_case_ask(struct ax_ctx *ctx, struct api_case *at, int who, const char *line, ax_str body)
{
    struct api_case_answer answer = {.body = AX_STR("")};
    struct ax_http_header headers[2];
    size_t header_count = 0;
    ax_str path = ax_str_of(line), method = {};
    CHECK(ax_str_cut(&path, ' ', &method));
    if (who != NOBODY)
        headers[header_count++] = (struct ax_http_header){
            AX_STR("Authorization"),
            ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(at->tokens[who]))};
    if (at->header.name.len)
        headers[header_count++] = at->header;
    const struct ax_client_request request = {
        .method = method,
        .url = ax_str_printf(ctx->arena, "http://127.0.0.1:%d%.*s", ax_loops_port(at->loops, 0),
                             AX_FMT(path)),
        .headers = headers,
        .header_count = header_count,
        .body = body,
    };
    if (ax_client_send(at->client, ctx, &request, &answer.whole) != AX_OK) {
        ax_test_failed(__FILE__, __LINE__, "%s: %s", line, ctx->error);
        return answer;
    }
    answer.status = answer.whole.status;
    answer.body = answer.whole.body;
    if (ax_json_parse(ctx, answer.body, NULL, &answer.json) != AX_OK)
        answer.json = NULL;
    return answer;
}

static inline bool
api_case_says(const struct api_case_answer *answer, const char *words)
{
    return ax_str_find(answer->body, ax_str_of(words)) != SIZE_MAX;
}

/* A member of the answer that is a text; "" when there is none. */
static inline ax_str
api_case_text(const struct api_case_answer *answer, const char *member)
{
    ax_str text = AX_STR("");
    bool found = ax_json_text(ax_json_find(answer->json, member), &text);
    return found ? text : AX_STR("");
}

static inline int64_t
api_case_number(const struct api_case_answer *answer, const char *member)
{
    int64_t number = -1;
    bool found = ax_json_i64(ax_json_find(answer->json, member), &number);
    return found ? number : -1;
}

/* What a person's keystore makes of a proposal: the body of its approve or reject. */
static inline ax_str
api_case_signature(struct ax_ctx *ctx, struct api_case *at, int who, bool approve,
                   const struct api_case_answer *proposal)
{
    ax_str body = AX_STR("");
    struct ax_signing_approval signing = {.approve = approve,
                                          .proposal_id = api_case_text(proposal, "id"),
                                          .comment = AX_STR("checked")};
    CHECK(ax_digest_parse(api_case_text(proposal, "digest"), &signing.proposal));
    CHECK_EQ(ax_keystore_approval(ctx, &at->mlops.keys[who], &signing, &body), AX_OK);
    return body;
}

struct api_case_row {
    int who;
    const char *request, *body;
    int status;
    const char *words; /* somewhere in the body */
};

static inline void
api_case_table(struct ax_ctx *ctx, struct api_case *at, const struct api_case_row *rows,
               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct api_case_row *row = &rows[i];
        struct api_case_answer answer =
            api_case_ask(ctx, at, row->who, row->request, ax_str_of(row->body));
        if (answer.status != row->status || !api_case_says(&answer, row->words))
            ax_test_failed(__FILE__, __LINE__, "row %zu: %s %s is %d, not %d with %s: %.*s", i,
                           row->request, row->body, answer.status, row->status, row->words,
                           AX_FMT(answer.body));
    }
}

#define API_CASE_TABLE(ctx, at, rows) api_case_table(ctx, at, rows, AX_COUNT_OF(rows))

/* The line of a request whose path names something: "POST /api/v1/proposals/%.*s/approve". */
#define API_CASE_LINE(ctx, format, id)                                                             \
    ax_str_c((ctx)->arena, ax_str_printf((ctx)->arena, format, AX_FMT(id)))

#include "api/mlflow_permissions.h"

#include "auth/permissions.h"
#include "base/number.h"
#include "mlops/artifacts.h"
#include "mlops/experiment_model.h"
#include "mlops/experiment_run.h"

/* ---- what a route is about, and how much of it it takes ---- */

enum about {
    MAKES,              /* something new, for which a role is needed */
    LISTS,              /* what may be read: the handler leaves the rest out */
    EXPERIMENT,         /* `experiment_id` */
    EXPERIMENT_NAME,    /* `experiment_name` */
    EXPERIMENT_OF_PATH, /* the first word of the path */
    EXPERIMENTS,        /* `experiment_ids`, all of them */
    RUN,                /* `run_id`: its experiment */
    RUN_OF_PATH,        /* the first word of the path: its experiment */
    RUNS,               /* `run_id` or `run_ids`, several */
    RUNS_LISTED,        /* `runs`, with commas between them */
    LOGGED_MODEL,       /* the first word of the path: its experiment */
    MODEL,              /* `name`, of a registered model */
    NEW_VERSION,        /* the same, and to be read: the run and the files it is made of */
    ARTIFACT,           /* the rest of the path: the first word in it is an experiment */
    ARTIFACT_FIELD,     /* the same in `path` */
    WEBHOOKS,           /* which tell of everything: for who is limited to nothing */
};

struct row {
    const char *pattern;
    enum about about;
    enum ax_grant_level level;
};

#define EXPERIMENTS_ AX_MLFLOW "experiments/"
#define RUNS_        AX_MLFLOW "runs/"
#define METRICS_     AX_MLFLOW "metrics/"
#define LOGGED_      AX_MLFLOW "logged-models"
#define MODELS_      AX_MLFLOW "registered-models/"
#define VERSIONS_    AX_MLFLOW "model-versions/"
#define PROXY_       AX_ARTIFACTS_PROXY

static const struct row table[] = {
    {EXPERIMENTS_ "create", MAKES, AX_GRANT_EDIT},
    {EXPERIMENTS_ "get", EXPERIMENT, AX_GRANT_READ},
    {EXPERIMENTS_ "get-by-name", EXPERIMENT_NAME, AX_GRANT_READ},
    {EXPERIMENTS_ "search", LISTS, AX_GRANT_READ},
    {EXPERIMENTS_ "update", EXPERIMENT, AX_GRANT_EDIT},
    {EXPERIMENTS_ "delete", EXPERIMENT, AX_GRANT_MANAGE},
    {EXPERIMENTS_ "restore", EXPERIMENT, AX_GRANT_MANAGE},
    {EXPERIMENTS_ "set-experiment-tag", EXPERIMENT, AX_GRANT_EDIT},
    {EXPERIMENTS_ "delete-experiment-tag", EXPERIMENT, AX_GRANT_EDIT},
    {EXPERIMENTS_ "search-datasets", EXPERIMENTS, AX_GRANT_READ},
    {"/api/2.0mlflow/experiments/search-datasets", EXPERIMENTS, AX_GRANT_READ},
    {RUNS_ "create", EXPERIMENT, AX_GRANT_EDIT},
    {RUNS_ "get", RUN, AX_GRANT_READ},
    {RUNS_ "update", RUN, AX_GRANT_EDIT},
    {RUNS_ "delete", RUN, AX_GRANT_MANAGE},
    {RUNS_ "restore", RUN, AX_GRANT_MANAGE},
    {RUNS_ "log-metric", RUN, AX_GRANT_EDIT},
    {RUNS_ "log-parameter", RUN, AX_GRANT_EDIT},
    {RUNS_ "set-tag", RUN, AX_GRANT_EDIT},
    {RUNS_ "delete-tag", RUN, AX_GRANT_EDIT},
    {RUNS_ "log-batch", RUN, AX_GRANT_EDIT},
    {RUNS_ "log-inputs", RUN, AX_GRANT_EDIT},
    {RUNS_ "outputs", RUN, AX_GRANT_EDIT},
    {RUNS_ "log-model", RUN, AX_GRANT_EDIT},
    {RUNS_ "search", EXPERIMENTS, AX_GRANT_READ},
    {METRICS_ "get-history", RUN, AX_GRANT_READ},
    {METRICS_ "get-history-bulk", RUNS, AX_GRANT_READ},
    {METRICS_ "get-history-bulk-interval", RUNS, AX_GRANT_READ},
    {LOGGED_, EXPERIMENT, AX_GRANT_EDIT},
    {LOGGED_ "/search", EXPERIMENTS, AX_GRANT_READ},
    {LOGGED_ "/{model}", LOGGED_MODEL, AX_GRANT_EDIT},
    {LOGGED_ "/{model}/tags", LOGGED_MODEL, AX_GRANT_EDIT},
    {LOGGED_ "/{model}/tags/{key}", LOGGED_MODEL, AX_GRANT_EDIT},
    {LOGGED_ "/{model}/params", LOGGED_MODEL, AX_GRANT_EDIT},
    {LOGGED_ "/{model}/artifacts/directories", LOGGED_MODEL, AX_GRANT_READ},
    {LOGGED_ "/{model}/artifacts/files", LOGGED_MODEL, AX_GRANT_READ},
    {MODELS_ "create", MAKES, AX_GRANT_EDIT},
    {MODELS_ "get", MODEL, AX_GRANT_READ},
    {MODELS_ "update", MODEL, AX_GRANT_EDIT},
    {MODELS_ "rename", MODEL, AX_GRANT_MANAGE},
    {MODELS_ "delete", MODEL, AX_GRANT_MANAGE},
    {MODELS_ "search", LISTS, AX_GRANT_READ},
    {MODELS_ "get-latest-versions", MODEL, AX_GRANT_READ},
    {MODELS_ "set-tag", MODEL, AX_GRANT_EDIT},
    {MODELS_ "delete-tag", MODEL, AX_GRANT_EDIT},
    {MODELS_ "alias", MODEL, AX_GRANT_EDIT},
    {VERSIONS_ "create", NEW_VERSION, AX_GRANT_EDIT},
    {VERSIONS_ "get", MODEL, AX_GRANT_READ},
    {VERSIONS_ "update", MODEL, AX_GRANT_EDIT},
    {VERSIONS_ "delete", MODEL, AX_GRANT_MANAGE},
    {VERSIONS_ "search", LISTS, AX_GRANT_READ},
    {VERSIONS_ "get-download-uri", MODEL, AX_GRANT_READ},
    {VERSIONS_ "transition-stage", MODEL, AX_GRANT_EDIT},
    {VERSIONS_ "set-tag", MODEL, AX_GRANT_EDIT},
    {VERSIONS_ "delete-tag", MODEL, AX_GRANT_EDIT},
    {PROXY_ "artifacts", ARTIFACT_FIELD, AX_GRANT_READ},
    {PROXY_ "artifacts/{path*}", ARTIFACT, AX_GRANT_EDIT},
    {PROXY_ "mpu/create/{path*}", ARTIFACT, AX_GRANT_EDIT},
    {PROXY_ "mpu/complete/{path*}", ARTIFACT, AX_GRANT_EDIT},
    {PROXY_ "mpu/abort/{path*}", ARTIFACT, AX_GRANT_EDIT},
    {PROXY_ "presigned/{path*}", ARTIFACT, AX_GRANT_READ},
    {AX_MLFLOW "artifacts/presigned-upload-url", RUN, AX_GRANT_EDIT},
    {AX_MLFLOW "artifacts/list", RUN, AX_GRANT_READ},
    {AX_MLFLOW "upload-artifact", RUN, AX_GRANT_EDIT},
    {"/get-artifact", RUN, AX_GRANT_READ},
    {AX_MLFLOW "webhooks", WEBHOOKS, AX_GRANT_EDIT},
    {AX_MLFLOW "webhooks/{id}", WEBHOOKS, AX_GRANT_EDIT},
    {AX_MLFLOW "webhooks/{id}/test", WEBHOOKS, AX_GRANT_EDIT},
    {AX_MLFLOW "webhooks/{id}/deliveries", WEBHOOKS, AX_GRANT_READ},
    {"/model-versions/get-artifact", MODEL, AX_GRANT_READ},
    {"/api/v1/runs/compare", RUNS_LISTED, AX_GRANT_READ},
    {"/api/v1/runs/{run}/metrics/{key*}", RUN_OF_PATH, AX_GRANT_READ},
    {"/api/v1/experiments/{experiment}/parallel", EXPERIMENT_OF_PATH, AX_GRANT_READ},
};

static const struct row *
row_of(const struct ax_route *route)
{
    for (size_t i = 0; i < AX_COUNT_OF(table); i++)
        if (strcmp(table[i].pattern, route->pattern) == 0)
            return &table[i];
    return NULL;
}

/* One path, read with GET and changed with the other methods. */
static enum ax_grant_level
level_of(const struct ax_route *route, const struct row *row)
{
    return route->method == AX_HTTP_GET ? AX_GRANT_READ : row->level;
}

bool
ax_mlflow_permit_knows(const struct ax_route *route)
{
    return row_of(route) != NULL;
}

/* ---- asking ---- */

struct question {
    struct ax_call *call;
    struct ax_ctx *ctx;
    struct ax_mlflow_request request;
    enum ax_grant_level level;
};

static ax_status
require(const struct question *question, const char *kind, ax_str resource)
{
    struct ax_call *call = question->call;
    const struct ax_permissions_key key = {kind, resource, call->actor.id};
    enum ax_grant_level has;
    bool registered = strcmp(kind, "registered_model") == 0;
    if (registered)
        AX_TRY(ax_policy_check_model(question->ctx, &call->actor, resource, question->level));
    AX_TRY(ax_permissions_level(call->services->permissions, question->ctx, &key,
                                call->actor.roles != 0, &has));
    if (has >= question->level)
        return AX_OK;
    return ax_fail(question->ctx, AX_DENIED,
                   "Permission denied: %.*s has %s of %s \"%.*s\", and this takes %s",
                   AX_FMT(call->actor.id), ax_policy_level_name(has),
                   registered ? "registered model" : kind, AX_FMT(resource),
                   ax_policy_level_name(question->level));
}

static ax_status
require_experiment(const struct question *question, ax_str id)
{
    return require(question, "experiment", id.len ? id : AX_STR("0"));
}

/* What is not there is the handler's to say. */
static ax_status
require_found(const struct question *question, ax_status status, ax_str experiment_id)
{
    if (status == AX_NOT_FOUND)
        return AX_OK;
    AX_TRY(status);
    return require_experiment(question, experiment_id);
}

static ax_status
require_run(const struct question *question, ax_str id)
{
    ax_str experiment_id = AX_STR("");
    ax_status status =
        ax_run_experiment(question->call->services->experiments, question->ctx, id, &experiment_id);
    return require_found(question, status, experiment_id);
}

static ax_status
ask_run(const struct question *question)
{
    ax_str id = AX_STR("");
    AX_TRY(ax_mlflow_may_text(&question->request, "run_uuid", &id));
    AX_TRY(ax_mlflow_may_text(&question->request, "run_id", &id));
    return id.len ? require_run(question, id) : AX_OK;
}

static ax_status
ask_each(const struct question *question, const char *field,
         ax_status (*ask)(const struct question *question, ax_str id))
{
    struct ax_mlflow_texts ids = {};
    AX_TRY(ax_mlflow_texts(&question->request, field, &ids));
    for (size_t i = 0; i < ids.count; i++)
        AX_TRY(ask(question, ids.items[i]));
    return AX_OK;
}

static ax_status
ask_experiment_named(const struct question *question)
{
    struct ax_ctx *ctx = question->ctx;
    const struct ax_json *json;
    ax_str name = AX_STR(""), id = AX_STR("");
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer out = ax_json_writer_of(&text);
    AX_TRY(ax_mlflow_may_text(&question->request, "experiment_name", &name));
    ax_status status =
        ax_experiment_show_named(question->call->services->experiments, ctx, name, &out);
    if (status == AX_NOT_FOUND)
        return AX_OK;
    AX_TRY(status);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &json));
    AX_TRY(ax_json_need_text(ctx, json, "experiment_id", &id));
    return require_experiment(question, id);
}

static ax_status
ask_experiment(const struct question *question)
{
    ax_str id = AX_STR("");
    AX_TRY(ax_mlflow_may_text(&question->request, "experiment_id", &id));
    return require_experiment(question, id);
}

static ax_status
ask_model(const struct question *question)
{
    ax_str name = AX_STR("");
    AX_TRY(ax_mlflow_may_text(&question->request, "name", &name));
    return name.len ? require(question, "registered_model", name) : AX_OK;
}

static ax_status
require_logged_model(const struct question *question, ax_str id)
{
    ax_str experiment_id = AX_STR("");
    ax_status status = ax_experiment_model_experiment(question->call->services->experiments,
                                                      question->ctx, id, &experiment_id);
    return require_found(question, status, experiment_id);
}

/* root/EXPERIMENT/RUN/artifacts/...; elsewhere the default says who may. */
static ax_status
ask_path(const struct question *question, ax_str path)
{
    ax_str checked, first = AX_STR("");
    AX_TRY(ax_artifacts_check_path(question->ctx, path, &checked));
    (void)ax_str_cut(&checked, '/', &first);
    return require(question, "experiment", first);
}

/* "runs:/ID/..", "models:/m-ID", "models:/NAME/..", or a place on this server. */
static ax_status
require_source(const struct question *question, ax_str source)
{
    static const ax_str runs = {"runs:/", 6}, models = {"models:/", 8};
    struct ax_artifacts_place place;
    ax_str rest, first = AX_STR("");
    struct ax_artifacts *artifacts = question->call->services->artifacts;
    if (ax_artifacts_are_proxied(artifacts, source)) {
        AX_TRY(ax_artifacts_find(artifacts, question->ctx, source, AX_STR(""), &place));
        return ask_path(question, place.path);
    }
    if (ax_str_starts(source, runs)) {
        rest = ax_str_from(source, runs.len);
        (void)ax_str_cut(&rest, '/', &first);
        return require_run(question, first);
    }
    if (!ax_str_starts(source, models))
        return AX_OK; /* elsewhere: nothing of ours is read */
    rest = ax_str_from(source, models.len);
    (void)ax_str_cut(&rest, '/', &first);
    return rest.at ? require(question, "registered_model", first)
                   : require_logged_model(question, first);
}

/* Whoever registers files lets everybody read them who may read the model: they must be theirs. */
static ax_status
ask_new_version(const struct question *question)
{
    struct question reading = *question;
    ax_str source = AX_STR(""), logged = AX_STR("");
    reading.level = AX_GRANT_READ;
    AX_TRY(ask_model(question));
    AX_TRY(ask_run(&reading));
    AX_TRY(ax_mlflow_may_text(&question->request, "model_id", &logged));
    AX_TRY(ax_mlflow_may_text(&question->request, "source", &source));
    if (logged.len)
        AX_TRY(require_logged_model(&reading, logged));
    return require_source(&reading, source);
}

static ax_status
ask_path_field(const struct question *question)
{
    ax_str path = AX_STR("");
    AX_TRY(ax_mlflow_may_text(&question->request, "path", &path));
    return ask_path(question, path);
}

static ax_status
ask_webhooks(const struct question *question)
{
    const struct ax_actor *actor = &question->call->actor;
    if (actor->limited)
        return ax_fail(question->ctx, AX_DENIED,
                       "%.*s is limited to some models, and webhooks tell of all",
                       AX_FMT(actor->id));
    return require(question, "webhook", AX_STR("all"));
}

static ax_status
ask_role(const struct question *question)
{
    return ax_policy_check(question->ctx, &question->call->actor, AX_PERMISSION_DEVELOP);
}

static ax_status
ask_nothing(const struct question *)
{
    return AX_OK;
}

static ax_status
ask_experiments(const struct question *question)
{
    return ask_each(question, "experiment_ids", require_experiment);
}

static ax_status
ask_runs(const struct question *question)
{
    AX_TRY(ask_each(question, "run_id", require_run));
    return ask_each(question, "run_ids", require_run);
}

/* "?runs=ID,ID" */
static ax_status
ask_runs_listed(const struct question *question)
{
    ax_str rest, id;
    AX_TRY(ax_call_query(question->call, question->ctx, "runs", &rest));
    while (ax_str_cut(&rest, ',', &id))
        AX_TRY(require_run(question, id));
    return AX_OK;
}

static ax_status
ask_experiment_of_path(const struct question *question)
{
    return require_experiment(question, question->call->parameters[0]);
}

static ax_status
ask_run_of_path(const struct question *question)
{
    return require_run(question, question->call->parameters[0]);
}

static ax_status
ask_logged_model(const struct question *question)
{
    return require_logged_model(question, question->call->parameters[0]);
}

static ax_status
ask_artifact(const struct question *question)
{
    return ask_path(question, question->call->parameters[0]);
}

static ax_status (*const asks[])(const struct question *question) = {
    [MAKES] = ask_role,
    [LISTS] = ask_nothing,
    [EXPERIMENT] = ask_experiment,
    [EXPERIMENT_NAME] = ask_experiment_named,
    [EXPERIMENT_OF_PATH] = ask_experiment_of_path,
    [EXPERIMENTS] = ask_experiments,
    [RUN] = ask_run,
    [RUN_OF_PATH] = ask_run_of_path,
    [RUNS] = ask_runs,
    [RUNS_LISTED] = ask_runs_listed,
    [LOGGED_MODEL] = ask_logged_model,
    [MODEL] = ask_model,
    [NEW_VERSION] = ask_new_version,
    [ARTIFACT] = ask_artifact,
    [ARTIFACT_FIELD] = ask_path_field,
    [WEBHOOKS] = ask_webhooks,
};

/* Fields that bytes are uploaded beside stand in the query. */
static bool
is_upload(const struct ax_route *route)
{
    return strcmp(route->pattern, AX_MLFLOW "upload-artifact") == 0 ||
           (route->method == AX_HTTP_PUT &&
            strcmp(route->pattern, PROXY_ "artifacts/{path*}") == 0);
}

ax_status
ax_mlflow_permit(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct row *row = row_of(call->route);
    struct question question = {.call = call, .ctx = ctx};
    if (!call->services->permissions)
        return AX_OK; /* development: there are no users */
    if (!row)
        return ax_fail(ctx, AX_DENIED, "nothing says what %s takes", call->route->pattern);
    question.level = level_of(call->route, row);
    question.request = (struct ax_mlflow_request){.call = call, .ctx = ctx};
    if (!is_upload(call->route))
        AX_TRY(ax_mlflow_read(call, ctx, &question.request));
    return asks[row->about](&question);
}

/* ---- what handlers tell, and ask ---- */

ax_status
ax_mlflow_made(struct ax_call *call, struct ax_ctx *ctx, const char *kind, ax_str resource)
{
    const struct ax_permissions_key key = {kind, resource, call->actor.id};
    if (!call->services->permissions)
        return AX_OK;
    ax_status status = ax_permissions_set(call->services->permissions, ctx, &key, AX_GRANT_MANAGE,
                                          AX_PERMISSIONS_PUT);
    return status == AX_NOT_FOUND ? AX_OK : status; /* who is no user here has the default */
}

ax_status
ax_mlflow_moved(struct ax_call *call, struct ax_ctx *ctx, const char *kind, ax_str from, ax_str to)
{
    return call->services->permissions
               ? ax_permissions_move(call->services->permissions, ctx, kind, from, to)
               : AX_OK;
}

struct sieve {
    struct ax_permissions_view view;
    const struct ax_actor *actor;
    bool registered;
    const char *list, *id;
};

static bool
may_read(const struct sieve *sieve, const struct ax_json *item)
{
    ax_str resource = AX_STR("");
    if (!ax_json_text(ax_json_find(item, sieve->id), &resource))
        return false;
    return ax_permissions_seen(&sieve->view, resource) >= AX_GRANT_READ &&
           (!sieve->registered || ax_policy_may_model(sieve->actor, resource, AX_GRANT_READ));
}

static void
put_left(const struct sieve *sieve, struct ax_json_writer *json, const struct ax_json *answer)
{
    struct ax_json_iter members = ax_json_iter_of(answer);
    ax_json_begin_object(json);
    while (ax_json_next(&members)) {
        ax_json_key_str(json, members.key);
        if (!ax_str_eq(members.key, ax_str_of(sieve->list))) {
            ax_json_put(json, members.value);
            continue;
        }
        struct ax_json_iter items = ax_json_iter_of(members.value);
        ax_json_begin_array(json);
        while (ax_json_next(&items))
            if (may_read(sieve, items.value))
                ax_json_put(json, items.value);
        ax_json_end_array(json);
    }
    ax_json_end_object(json);
}

ax_status
ax_mlflow_leave_out(struct ax_call *call, struct ax_ctx *ctx, const char *kind, const char *list,
                    const char *id)
{
    struct sieve sieve = {.actor = &call->actor, .list = list, .id = id};
    const struct ax_json *answer;
    ax_str text;
    if (!call->services->permissions)
        return AX_OK;
    sieve.registered = strcmp(kind, "registered_model") == 0;
    AX_TRY(ax_permissions_view(call->services->permissions, ctx, kind, call->actor.id,
                               call->actor.roles != 0, &sieve.view));
    bool all = sieve.view.otherwise >= AX_GRANT_READ && ax_map_count(sieve.view.levels) == 0 &&
               !call->actor.limited;
    if (all)
        return AX_OK;
    if (!ax_str_copy(ctx->arena, ax_writer_str(ax_exchange_body(call->exchange)), &text))
        return ax_fail(ctx, AX_LIMIT, "no memory for an answer");
    AX_TRY(ax_json_parse(ctx, text, NULL, &answer));
    ax_exchange_restart(call->exchange);
    put_left(&sieve, ax_mlflow_json(call), answer);
    return AX_OK;
}

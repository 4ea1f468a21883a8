/* MLflow's model registry API: registered models and their versions. */
#include "api/mlflow_permissions.h"
#include "base/number.h"
#include "mlops/registered_version.h"

static struct ax_registry *
registry(const struct ax_call *call)
{
    return call->services->registry;
}

static ax_status
need_version(const struct ax_mlflow_request *request, int64_t *out)
{
    ax_str text;
    const struct ax_json *number = request->body ? ax_json_find(request->body, "version") : NULL;
    if (ax_json_i64(number, out))
        return AX_OK;
    AX_TRY(ax_mlflow_need_text(request, "version", &text));
    if (!ax_parse_i64(text, out))
        return ax_fail(request->ctx, AX_INVALID,
                       "Parameter 'version' must be an integer, got '%.*s'.",
                       AX_FMT(ax_experiment_cut(text, 100)));
    return AX_OK;
}

/* {"registered_model": ..} or {"model_version": ..}: begun here, ended by `ended`. */
static struct ax_json_writer *
begun(struct ax_call *call, const char *name)
{
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    if (name)
        ax_json_key(json, name);
    return json;
}

static ax_status
ended(struct ax_json_writer *json)
{
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- registered models ---- */

static ax_status
create_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_registered_model_new made = {.description = AX_STR("")};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &made.name));
    AX_TRY(ax_mlflow_may_text(&request, "description", &made.description));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &made.tags));
    struct ax_json_writer *json = begun(call, "registered_model");
    AX_TRY(ax_registered_model_create(registry(call), ctx, &made, json));
    AX_TRY(ax_mlflow_made(call, ctx, "registered_model", made.name));
    return ended(json);
}

static ax_status
get_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    struct ax_json_writer *json = begun(call, "registered_model");
    AX_TRY(ax_registered_model_show(registry(call), ctx, name, json));
    return ended(json);
}

static ax_status
update_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, description = AX_STR("");
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_may_text(&request, "description", &description));
    struct ax_json_writer *json = begun(call, "registered_model");
    AX_TRY(ax_registered_model_describe(registry(call), ctx, name, description, json));
    return ended(json);
}

static ax_status
rename_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, new_name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, "new_name", &new_name));
    struct ax_json_writer *json = begun(call, "registered_model");
    AX_TRY(ax_registered_model_rename(registry(call), ctx, name, new_name, json));
    AX_TRY(ax_mlflow_moved(call, ctx, "registered_model", name, new_name));
    return ended(json);
}

static ax_status
delete_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_registered_model_delete(registry(call), ctx, name));
    AX_TRY(ax_mlflow_moved(call, ctx, "registered_model", name, AX_STR("")));
    return ax_mlflow_done(call);
}

static ax_status
read_search(const struct ax_mlflow_request *request, int64_t most,
            struct ax_experiment_search *search)
{
    struct ax_ctx *ctx = request->ctx;
    struct ax_mlflow_texts orders = {};
    ax_str said = AX_STR("");
    search->filter = search->page_token = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, "filter", &search->filter));
    AX_TRY(ax_mlflow_may_text(request, "page_token", &search->page_token));
    AX_TRY(ax_mlflow_may_i64(request, "max_results", &search->results_max));
    AX_TRY(ax_mlflow_texts(request, "order_by", &orders));
    search->order_by = orders.items;
    search->order_count = orders.count;
    if (search->results_max >= 1 && search->results_max <= most)
        return AX_OK;
    if (request->body)
        return ax_mlflow_wrong(ctx, "max_results", ax_json_find(request->body, "max_results"));
    AX_TRY(ax_mlflow_may_text(request, "max_results", &said));
    return ax_fail(ctx, AX_INVALID,
                   "Invalid value \"%.*s\" for parameter 'max_results' supplied:  Hint: Value was "
                   "of type 'str'. See the API docs for more information about request parameters.",
                   AX_FMT(said));
}

static ax_status
search_models(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_search search = {.results_max = 100};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(read_search(&request, AX_REGISTERED_MODEL_RESULTS_MAX, &search));
    struct ax_json_writer *json = begun(call, NULL);
    AX_TRY(ax_registered_models_search(registry(call), ctx, &search, json));
    AX_TRY(ended(json));
    return ax_mlflow_leave_out(call, ctx, "registered_model", "registered_models", "name");
}

static ax_status
latest_versions(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_mlflow_texts stages = {};
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_texts(&request, "stages", &stages));
    struct ax_json_writer *json = begun(call, NULL);
    AX_TRY(
        ax_registered_version_latest(registry(call), ctx, name, stages.items, stages.count, json));
    return ended(json);
}

static ax_status
set_model_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_pair tag = {.value = AX_STR("")};
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, "key", &tag.key));
    AX_TRY(ax_mlflow_may_text(&request, "value", &tag.value));
    AX_TRY(ax_registered_model_set_tag(registry(call), ctx, name, tag));
    return ax_mlflow_done(call);
}

/* What takes something named away from a model. */
static ax_status
delete_of_model(struct ax_call *call, struct ax_ctx *ctx, const char *member,
                ax_status (*delete)(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                    ax_str key))
{
    struct ax_mlflow_request request;
    ax_str name, key;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, member, &key));
    AX_TRY(delete (registry(call), ctx, name, key));
    return ax_mlflow_done(call);
}

static ax_status
delete_model_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    return delete_of_model(call, ctx, "key", ax_registered_model_delete_tag);
}

/* ---- aliases ---- */

static ax_status
set_alias(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, alias;
    int64_t version;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, "alias", &alias));
    AX_TRY(need_version(&request, &version));
    AX_TRY(ax_registered_model_set_alias(registry(call), ctx, name, alias, version));
    return ax_mlflow_done(call);
}

static ax_status
delete_alias(struct ax_call *call, struct ax_ctx *ctx)
{
    return delete_of_model(call, ctx, "alias", ax_registered_model_delete_alias);
}

static ax_status
get_alias(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, alias;
    int64_t version;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &name));
    AX_TRY(ax_mlflow_need_text(&request, "alias", &alias));
    AX_TRY(ax_registered_model_alias(registry(call), ctx, name, alias, &version));
    struct ax_json_writer *json = begun(call, "model_version");
    AX_TRY(ax_registered_version_show(registry(call), ctx, name, version, json));
    return ended(json);
}

/* ---- versions ---- */

static ax_status
create_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_registered_version_new made = {.description = AX_STR(""),
                                             .run_id = AX_STR(""),
                                             .run_link = AX_STR(""),
                                             .logged_model_id = AX_STR(""),
                                             .artifacts = call->services->artifacts};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &made.model));
    AX_TRY(ax_mlflow_need_text(&request, "source", &made.source));
    AX_TRY(ax_mlflow_may_text(&request, "run_id", &made.run_id));
    AX_TRY(ax_mlflow_may_text(&request, "run_link", &made.run_link));
    AX_TRY(ax_mlflow_may_text(&request, "description", &made.description));
    AX_TRY(ax_mlflow_may_text(&request, "model_id", &made.logged_model_id));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &made.tags));
    struct ax_json_writer *json = begun(call, "model_version");
    AX_TRY(ax_registered_version_create(registry(call), ctx, &made, json));
    return ended(json);
}

struct named {
    ax_str name;
    int64_t version;
};

static ax_status
read_named(struct ax_call *call, struct ax_ctx *ctx, struct ax_mlflow_request *request,
           struct named *out)
{
    AX_TRY(ax_mlflow_read(call, ctx, request));
    AX_TRY(ax_mlflow_need_text(request, "name", &out->name));
    return need_version(request, &out->version);
}

static ax_status
get_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct named named;
    AX_TRY(read_named(call, ctx, &request, &named));
    struct ax_json_writer *json = begun(call, "model_version");
    AX_TRY(ax_registered_version_show(registry(call), ctx, named.name, named.version, json));
    return ended(json);
}

static ax_status
update_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct named named;
    ax_str description = AX_STR("");
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_mlflow_may_text(&request, "description", &description));
    struct ax_json_writer *json = begun(call, "model_version");
    AX_TRY(ax_registered_version_describe(registry(call), ctx, named.name, named.version,
                                          description, json));
    return ended(json);
}

static ax_status
delete_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct named named;
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_registered_version_delete(registry(call), ctx, named.name, named.version));
    return ax_mlflow_done(call);
}

static ax_status
search_versions(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_search search = {.results_max = AX_REGISTERED_VERSION_RESULTS_MAX};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(read_search(&request, AX_REGISTERED_VERSION_RESULTS_MAX, &search));
    struct ax_json_writer *json = begun(call, NULL);
    AX_TRY(ax_registered_versions_search(registry(call), ctx, &search, json));
    AX_TRY(ended(json));
    return ax_mlflow_leave_out(call, ctx, "registered_model", "model_versions", "name");
}

static ax_status
download_uri(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct named named;
    ax_str uri;
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_registered_version_location(registry(call), ctx, named.name, named.version, &uri));
    struct ax_json_writer *json = begun(call, NULL);
    ax_json_member_text(json, "artifact_uri", uri);
    return ended(json);
}

static ax_status
transition(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_registered_version_move move = {};
    struct named named;
    ax_str word;
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_mlflow_need_text(&request, "stage", &word));
    AX_TRY(ax_mlflow_may_bool(&request, "archive_existing_versions", &move.archive_others));
    AX_TRY(ax_registered_version_stage(ctx, word, &move.stage));
    move.model = named.name;
    move.version = named.version;
    struct ax_json_writer *json = begun(call, "model_version");
    AX_TRY(ax_registered_version_transition(registry(call), ctx, &move, json));
    return ended(json);
}

static ax_status
set_version_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_pair tag = {.value = AX_STR("")};
    struct named named;
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_mlflow_need_text(&request, "key", &tag.key));
    AX_TRY(ax_mlflow_may_text(&request, "value", &tag.value));
    AX_TRY(ax_registered_version_set_tag(registry(call), ctx, named.name, named.version, tag));
    return ax_mlflow_done(call);
}

static ax_status
delete_version_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct named named;
    ax_str key;
    AX_TRY(read_named(call, ctx, &request, &named));
    AX_TRY(ax_mlflow_need_text(&request, "key", &key));
    AX_TRY(ax_registered_version_delete_tag(registry(call), ctx, named.name, named.version, key));
    return ax_mlflow_done(call);
}

#define MODELS   AX_MLFLOW "registered-models/"
#define VERSIONS AX_MLFLOW "model-versions/"

static const struct ax_route routes[] = {
    AX_MLFLOW_WRITE(POST, MODELS "create", create_model, "MLflow: registers a model"),
    AX_MLFLOW_READ(GET, MODELS "get", get_model, "MLflow: a registered model"),
    AX_MLFLOW_WRITE(PATCH, MODELS "update", update_model, "MLflow: describes a model"),
    AX_MLFLOW_WRITE(POST, MODELS "rename", rename_model, "MLflow: renames a model"),
    AX_MLFLOW_WRITE(DELETE, MODELS "delete", delete_model, "MLflow: deletes a model"),
    AX_MLFLOW_READ(GET, MODELS "search", search_models, "MLflow: searches models"),
    AX_MLFLOW_READ(GET, MODELS "get-latest-versions", latest_versions,
                   "MLflow: the newest version of each stage"),
    AX_MLFLOW_READ(POST, MODELS "get-latest-versions", latest_versions,
                   "MLflow: the newest version of each stage"),
    AX_MLFLOW_WRITE(POST, MODELS "set-tag", set_model_tag, "MLflow: sets a tag of a model"),
    AX_MLFLOW_WRITE(DELETE, MODELS "delete-tag", delete_model_tag,
                    "MLflow: deletes a tag of a model"),
    AX_MLFLOW_WRITE(POST, MODELS "alias", set_alias, "MLflow: an alias for a version"),
    AX_MLFLOW_WRITE(DELETE, MODELS "alias", delete_alias, "MLflow: deletes an alias"),
    AX_MLFLOW_READ(GET, MODELS "alias", get_alias, "MLflow: the version of an alias"),
    AX_MLFLOW_WRITE(POST, VERSIONS "create", create_version, "MLflow: registers a version"),
    AX_MLFLOW_READ(GET, VERSIONS "get", get_version, "MLflow: a version"),
    AX_MLFLOW_WRITE(PATCH, VERSIONS "update", update_version, "MLflow: describes a version"),
    AX_MLFLOW_WRITE(DELETE, VERSIONS "delete", delete_version, "MLflow: deletes a version"),
    AX_MLFLOW_READ(GET, VERSIONS "search", search_versions, "MLflow: searches versions"),
    AX_MLFLOW_READ(GET, VERSIONS "get-download-uri", download_uri,
                   "MLflow: where a version's files are"),
    AX_MLFLOW_WRITE(POST, VERSIONS "transition-stage", transition,
                    "MLflow: moves a version to a stage"),
    AX_MLFLOW_WRITE(POST, VERSIONS "set-tag", set_version_tag, "MLflow: sets a tag of a version"),
    AX_MLFLOW_WRITE(DELETE, VERSIONS "delete-tag", delete_version_tag,
                    "MLflow: deletes a tag of a version"),
};

const struct ax_route_table ax_mlflow_registry_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
    .permit = ax_mlflow_permit,
};

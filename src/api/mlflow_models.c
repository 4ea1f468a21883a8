/* MLflow's API of logged models. */
#include "api/mlflow_permissions.h"
#include "mlops/experiment_model.h"

enum { RESULTS_MAX = 50 };

static struct ax_experiments *
tracking(const struct ax_call *call)
{
    return call->services->experiments;
}

/* {"model": what shows it} */
struct shown {
    struct ax_call *call;
    struct ax_json_writer *json;
};

static struct shown
begin_model(struct ax_call *call)
{
    struct shown shown = {call, ax_mlflow_json(call)};
    ax_json_begin_object(shown.json);
    ax_json_key(shown.json, "model");
    return shown;
}

static ax_status
create_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_model_new made = {
        .name = AX_STR(""), .model_type = AX_STR(""), .source_run_id = AX_STR("")};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "experiment_id", &made.experiment_id));
    AX_TRY(ax_mlflow_may_text(&request, "name", &made.name));
    AX_TRY(ax_mlflow_may_text(&request, "model_type", &made.model_type));
    AX_TRY(ax_mlflow_may_text(&request, "source_run_id", &made.source_run_id));
    AX_TRY(ax_mlflow_pairs(&request, "params", &made.params));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &made.tags));
    struct shown shown = begin_model(call);
    AX_TRY(ax_experiment_model_create(tracking(call), ctx, &made, shown.json));
    ax_json_end_object(shown.json);
    return AX_OK;
}

static ax_status
get_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    bool deleted_too = false;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_may_bool(&request, "allow_deleted", &deleted_too));
    struct shown shown = begin_model(call);
    AX_TRY(ax_experiment_model_show(tracking(call), ctx, call->parameters[0], deleted_too,
                                    shown.json));
    ax_json_end_object(shown.json);
    return AX_OK;
}

static ax_status
finish_model(struct ax_call *call, struct ax_ctx *ctx)
{
    static const char *const names[] = {"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
                                        "LOGGED_MODEL_UPLOAD_FAILED"};
    struct ax_mlflow_request request;
    ax_str text = AX_STR(""), status = AX_STR("");
    int64_t number = 0;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    if (!(request.body && ax_json_i64(ax_json_find(request.body, "status"), &number)))
        AX_TRY(ax_mlflow_need_text(&request, "status", &text));
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (number == (int64_t)i + 1 || ax_str_eq(text, ax_str_of(names[i])))
            status = ax_str_of(names[i]);
    if (status.len == 0)
        return ax_fail(ctx, AX_INVALID, "Invalid model status: %.*s", AX_FMT(text));
    struct shown shown = begin_model(call);
    AX_TRY(
        ax_experiment_model_finish(tracking(call), ctx, call->parameters[0], status, shown.json));
    ax_json_end_object(shown.json);
    return AX_OK;
}

static ax_status
delete_model(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_experiment_model_delete(tracking(call), ctx, call->parameters[0]));
    return ax_mlflow_done(call);
}

static ax_status
set_pairs(struct ax_call *call, struct ax_ctx *ctx, const char *name,
          ax_status (*set)(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                           const struct ax_experiment_pairs *pairs))
{
    struct ax_mlflow_request request;
    struct ax_experiment_pairs pairs;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_pairs(&request, name, &pairs));
    AX_TRY(set(tracking(call), ctx, call->parameters[0], &pairs));
    return ax_mlflow_done(call);
}

static ax_status
set_tags(struct ax_call *call, struct ax_ctx *ctx)
{
    return set_pairs(call, ctx, "tags", ax_experiment_model_set_tags);
}

static ax_status
log_params(struct ax_call *call, struct ax_ctx *ctx)
{
    return set_pairs(call, ctx, "params", ax_experiment_model_log_params);
}

static ax_status
delete_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_experiment_model_delete_tag(tracking(call), ctx, call->parameters[0],
                                          call->parameters[1]));
    return ax_mlflow_done(call);
}

/* ---- searching ---- */

static ax_status
read_orders(const struct ax_mlflow_request *request, struct ax_search_orders *out)
{
    struct ax_ctx *ctx = request->ctx;
    const struct ax_json *list;
    AX_TRY(ax_mlflow_objects(request, "order_by", &list));
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        ax_str field = AX_STR(""), name = AX_STR(""), digest = AX_STR("");
        bool ascending = true;
        AX_TRY(ax_mlflow_member_text(ctx, it.value, "order_by.", "field_name", &field, true));
        AX_TRY(ax_mlflow_member_text(ctx, it.value, "order_by.", "dataset_name", &name, false));
        AX_TRY(ax_mlflow_member_text(ctx, it.value, "order_by.", "dataset_digest", &digest, false));
        AX_TRY(ax_json_may_bool(ctx, it.value, "ascending", &ascending));
        AX_TRY(ax_search_order_parse(ctx, AX_SEARCH_LOGGED_MODELS, field, out));
        struct ax_search_order *order = &out->items[out->count - 1];
        if (name.len + digest.len > 0 && order->entity != AX_SEARCH_METRIC)
            return ax_fail(ctx, AX_INVALID,
                           "`dataset_name` and `dataset_digest` are for metrics, not for '%.*s'.",
                           AX_FMT(field));
        order->descending = !ascending;
        order->dataset_name = name;
        order->dataset_digest = digest;
    }
    return AX_OK;
}

static ax_status
read_datasets(const struct ax_mlflow_request *request, struct ax_experiment_model_search *search)
{
    struct ax_ctx *ctx = request->ctx;
    const struct ax_json *list;
    AX_TRY(ax_mlflow_objects(request, "datasets", &list));
    size_t count = ax_json_count(list);
    struct ax_experiment_pair *datasets =
        AX_NEW_ARRAY(ctx->arena, struct ax_experiment_pair, count + 1);
    if (!datasets)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        struct ax_experiment_pair *dataset = &datasets[it.index];
        *dataset = (struct ax_experiment_pair){.value = AX_STR("")};
        AX_TRY(
            ax_mlflow_member_text(ctx, it.value, "datasets.", "dataset_name", &dataset->key, true));
        AX_TRY(ax_mlflow_member_text(ctx, it.value, "datasets.", "dataset_digest", &dataset->value,
                                     false));
    }
    search->datasets = datasets;
    search->dataset_count = count;
    return AX_OK;
}

static ax_status
search_models(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_mlflow_texts ids = {};
    struct ax_experiment_model_search search = {
        .base = {.filter = AX_STR(""), .page_token = AX_STR(""), .results_max = RESULTS_MAX}};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_texts(&request, "experiment_ids", &ids));
    if (ids.count == 0)
        return ax_mlflow_missing(ctx, "experiment_ids");
    AX_TRY(ax_mlflow_may_text(&request, "filter", &search.base.filter));
    AX_TRY(ax_mlflow_may_text(&request, "page_token", &search.base.page_token));
    AX_TRY(ax_mlflow_may_i64(&request, "max_results", &search.base.results_max));
    AX_TRY(read_orders(&request, &search.orders));
    AX_TRY(read_datasets(&request, &search));
    if (search.base.results_max < 1 || search.base.results_max > AX_SEARCH_RESULTS_MAX)
        return ax_mlflow_wrong(ctx, "max_results", ax_json_find(request.body, "max_results"));
    search.base.experiment_ids = ids.items;
    search.base.experiment_count = ids.count;
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_experiment_models_search(tracking(call), ctx, &search, json));
    ax_json_end_object(json);
    return AX_OK;
}

#define MODELS AX_MLFLOW "logged-models"

static const struct ax_route routes[] = {
    AX_MLFLOW_WRITE(POST, MODELS, create_model, "MLflow: begins a logged model"),
    AX_MLFLOW_READ(POST, MODELS "/search", search_models, "MLflow: searches logged models"),
    AX_MLFLOW_READ(GET, MODELS "/{model}", get_model, "MLflow: a logged model"),
    AX_MLFLOW_WRITE(PATCH, MODELS "/{model}", finish_model, "MLflow: a logged model is ready"),
    AX_MLFLOW_WRITE(DELETE, MODELS "/{model}", delete_model, "MLflow: deletes a logged model"),
    AX_MLFLOW_WRITE(PATCH, MODELS "/{model}/tags", set_tags, "MLflow: tags of a logged model"),
    AX_MLFLOW_WRITE(DELETE, MODELS "/{model}/tags/{key}", delete_tag,
                    "MLflow: deletes a tag of a logged model"),
    AX_MLFLOW_WRITE(POST, MODELS "/{model}/params", log_params,
                    "MLflow: parameters of a logged model"),
};

const struct ax_route_table ax_mlflow_models_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
    .permit = ax_mlflow_permit,
};

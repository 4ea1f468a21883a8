/* MLflow's tracking API: experiments, runs, metrics. */
#include <stdio.h>
#include <stdlib.h>

#include "api/mlflow_permissions.h"
#include "mlops/experiment_run.h"

enum { BULK_RUNS_MAX = 100, BULK_RESULTS_MAX = 25'000, INTERVAL_RESULTS_MAX = 2500 };

static struct ax_experiments *
tracking(const struct ax_call *call)
{
    return call->services->experiments;
}

/* run_id, or run_uuid as old clients say. */
static ax_status
need_run_id(const struct ax_mlflow_request *request, ax_str *out)
{
    *out = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, "run_uuid", out));
    AX_TRY(ax_mlflow_may_text(request, "run_id", out));
    return out->len > 0 ? AX_OK : ax_mlflow_missing(request->ctx, "run_id");
}

/* ---- experiments ---- */

static ax_status
create_experiment(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_new made = {.artifact_location = AX_STR("")};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &made.name));
    AX_TRY(ax_mlflow_may_text(&request, "artifact_location", &made.artifact_location));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &made.tags));
    AX_TRY(ax_experiment_create(tracking(call), ctx, &made, &id));
    AX_TRY(ax_mlflow_made(call, ctx, "experiment", id));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "experiment_id", id);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
show_experiment(struct ax_call *call, struct ax_ctx *ctx, const char *field,
                ax_status (*show)(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                                  struct ax_json_writer *out))
{
    struct ax_mlflow_request request;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, field, &id));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "experiment");
    AX_TRY(show(tracking(call), ctx, id, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
get_experiment(struct ax_call *call, struct ax_ctx *ctx)
{
    return show_experiment(call, ctx, "experiment_id", ax_experiment_show);
}

static ax_status
get_experiment_by_name(struct ax_call *call, struct ax_ctx *ctx)
{
    return show_experiment(call, ctx, "experiment_name", ax_experiment_show_named);
}

static ax_status
update_experiment(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id, name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "experiment_id", &id));
    AX_TRY(ax_mlflow_need_text(&request, "new_name", &name));
    ax_status status = ax_experiment_rename(tracking(call), ctx, id, name);
    if (status == AX_CONFLICT)
        return ax_mlflow_code(call, status, "BAD_REQUEST");
    AX_TRY(status);
    return ax_mlflow_done(call);
}

/* What is done to one thing by its id. */
typedef ax_status do_by_id(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id);

static ax_status
with_experiment(struct ax_call *call, struct ax_ctx *ctx, do_by_id *what)
{
    struct ax_mlflow_request request;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "experiment_id", &id));
    AX_TRY(what(tracking(call), ctx, id));
    return ax_mlflow_done(call);
}

static ax_status
delete_experiment(struct ax_call *call, struct ax_ctx *ctx)
{
    return with_experiment(call, ctx, ax_experiment_delete);
}

static ax_status
restore_experiment(struct ax_call *call, struct ax_ctx *ctx)
{
    return with_experiment(call, ctx, ax_experiment_restore);
}

static ax_status
set_experiment_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_pair tag = {.value = AX_STR("")};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "experiment_id", &id));
    AX_TRY(ax_mlflow_need_text(&request, "key", &tag.key));
    AX_TRY(ax_mlflow_may_text(&request, "value", &tag.value));
    AX_TRY(ax_experiment_set_tag(tracking(call), ctx, id, tag));
    return ax_mlflow_done(call);
}

static ax_status
delete_experiment_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id, key;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "experiment_id", &id));
    AX_TRY(ax_mlflow_need_text(&request, "key", &key));
    AX_TRY(ax_experiment_delete_tag(tracking(call), ctx, id, key));
    return ax_mlflow_done(call);
}

/* ---- searches ---- */

/* ACTIVE_ONLY and so on, or its number; what is unknown counts as unset. */
static ax_status
read_view(const struct ax_mlflow_request *request, const char *name, enum ax_experiment_view *out)
{
    static const char *const names[] = {"", "ACTIVE_ONLY", "DELETED_ONLY", "ALL"};
    static const enum ax_experiment_view views[] = {AX_VIEW_ACTIVE, AX_VIEW_ACTIVE, AX_VIEW_DELETED,
                                                    AX_VIEW_ALL};
    int64_t number = 0;
    ax_str text = AX_STR("");
    *out = AX_VIEW_ACTIVE;
    bool is_number = request->body && ax_json_i64(ax_json_find(request->body, name), &number);
    if (!is_number)
        AX_TRY(ax_mlflow_may_text(request, name, &text));
    for (size_t i = 1; i < AX_COUNT_OF(names); i++)
        if ((size_t)number == i || ax_str_eq(text, ax_str_of(names[i])))
            *out = views[i];
    return AX_OK;
}

static ax_status
read_search(const struct ax_mlflow_request *request, struct ax_experiment_search *search)
{
    struct ax_mlflow_texts orders = {};
    search->filter = search->page_token = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, "filter", &search->filter));
    AX_TRY(ax_mlflow_may_text(request, "page_token", &search->page_token));
    AX_TRY(ax_mlflow_may_i64(request, "max_results", &search->results_max));
    AX_TRY(ax_mlflow_texts(request, "order_by", &orders));
    search->order_by = orders.items;
    search->order_count = orders.count;
    return AX_OK;
}

static ax_status
search_experiments(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_experiment_search search = {};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(read_search(&request, &search));
    AX_TRY(read_view(&request, "view_type", &search.view));
    if (search.results_max < 1 || search.results_max > AX_SEARCH_RESULTS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "Invalid value %lld for parameter 'max_results' supplied. It must be %s",
                       (long long)search.results_max,
                       search.results_max < 1 ? "a positive integer" : "at most 50000");
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_experiments_search(tracking(call), ctx, &search, json));
    ax_json_end_object(json);
    return ax_mlflow_leave_out(call, ctx, "experiment", "experiments", "experiment_id");
}

static ax_status
search_runs(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_mlflow_texts ids = {};
    struct ax_experiment_search search = {.results_max = 1000};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_texts(&request, "experiment_ids", &ids));
    AX_TRY(read_search(&request, &search));
    AX_TRY(read_view(&request, "run_view_type", &search.view));
    if (search.results_max < 0 || search.results_max > AX_SEARCH_RESULTS_MAX)
        return ax_mlflow_wrong(ctx, "max_results", ax_json_find(request.body, "max_results"));
    search.experiment_ids = ids.items;
    search.experiment_count = ids.count;
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_runs_search(tracking(call), ctx, &search, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
search_datasets(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_mlflow_texts ids = {};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_texts(&request, "experiment_ids", &ids));
    if (ids.count == 0)
        return ax_fail(ctx, AX_INVALID,
                       "SearchDatasets request must specify at least one "
                       "experiment_id.");
    if (ids.count > 20)
        return ax_fail(ctx, AX_INVALID,
                       "SearchDatasets request cannot specify more than 20 experiment_ids. "
                       "Received %zu experiment_ids.",
                       ids.count);
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_runs_datasets(tracking(call), ctx, ids.items, ids.count, json));
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- runs ---- */

static ax_status
create_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_run_new made = {
        .experiment_id = AX_STR(""), .user_id = AX_STR(""), .name = AX_STR("")};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_may_text(&request, "experiment_id", &made.experiment_id));
    AX_TRY(ax_mlflow_may_text(&request, "user_id", &made.user_id));
    AX_TRY(ax_mlflow_may_text(&request, "run_name", &made.name));
    AX_TRY(ax_mlflow_may_i64(&request, "start_time", &made.start_ms));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &made.tags));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "run");
    AX_TRY(ax_run_create(tracking(call), ctx, &made, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
get_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "run");
    AX_TRY(ax_run_show(tracking(call), ctx, id, json));
    ax_json_end_object(json);
    return AX_OK;
}

/* By name or number; a name that is unknown counts as unset. */
static ax_status
read_status(const struct ax_mlflow_request *request, ax_str *out)
{
    static const char *const names[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    int64_t number = 0;
    ax_str text = AX_STR("");
    *out = AX_STR("");
    if (!(request->body && ax_json_i64(ax_json_find(request->body, "status"), &number)))
        AX_TRY(ax_mlflow_may_text(request, "status", &text));
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (number == (int64_t)i + 1 || ax_str_eq(text, ax_str_of(names[i])))
            *out = ax_str_of(names[i]);
    return AX_OK;
}

static ax_status
update_run(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_run_change change = {.name = AX_STR("")};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(read_status(&request, &change.status));
    AX_TRY(ax_mlflow_may_text(&request, "run_name", &change.name));
    change.ends = ax_mlflow_has(&request, "end_time");
    AX_TRY(ax_mlflow_may_i64(&request, "end_time", &change.end_ms));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "run_info");
    AX_TRY(ax_run_update(tracking(call), ctx, id, &change, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
with_run(struct ax_call *call, struct ax_ctx *ctx, do_by_id *what)
{
    struct ax_mlflow_request request;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(what(tracking(call), ctx, id));
    return ax_mlflow_done(call);
}

static ax_status
delete_run(struct ax_call *call, struct ax_ctx *ctx)
{
    return with_run(call, ctx, ax_run_delete);
}

static ax_status
restore_run(struct ax_call *call, struct ax_ctx *ctx)
{
    return with_run(call, ctx, ax_run_restore);
}

/* ---- logging ---- */

static ax_status
log_metric(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_metric metric = {
        .model_id = AX_STR(""), .dataset_name = AX_STR(""), .dataset_digest = AX_STR("")};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_need_text(&request, "key", &metric.key));
    AX_TRY(ax_mlflow_need_f64(&request, "value", &metric.value));
    AX_TRY(ax_mlflow_need_i64(&request, "timestamp", &metric.timestamp_ms));
    AX_TRY(ax_mlflow_may_i64(&request, "step", &metric.step));
    AX_TRY(ax_mlflow_may_text(&request, "model_id", &metric.model_id));
    AX_TRY(ax_mlflow_may_text(&request, "dataset_name", &metric.dataset_name));
    AX_TRY(ax_mlflow_may_text(&request, "dataset_digest", &metric.dataset_digest));
    const struct ax_run_batch batch = {.metrics = {&metric, 1}};
    AX_TRY(ax_run_log(tracking(call), ctx, id, &batch));
    return ax_mlflow_done(call);
}

static ax_status
log_pair(struct ax_call *call, struct ax_ctx *ctx, bool tag)
{
    struct ax_mlflow_request request;
    struct ax_experiment_pair pair = {.value = AX_STR("")};
    struct ax_run_batch batch = {};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_need_text(&request, "key", &pair.key));
    AX_TRY(ax_mlflow_may_text(&request, "value", &pair.value));
    *(tag ? &batch.tags : &batch.params) = (struct ax_experiment_pairs){&pair, 1};
    AX_TRY(ax_run_log(tracking(call), ctx, id, &batch));
    return ax_mlflow_done(call);
}

static ax_status
log_parameter(struct ax_call *call, struct ax_ctx *ctx)
{
    return log_pair(call, ctx, false);
}

static ax_status
set_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    return log_pair(call, ctx, true);
}

static ax_status
delete_tag(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str id, key;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_need_text(&request, "key", &key));
    AX_TRY(ax_run_delete_tag(tracking(call), ctx, id, key));
    return ax_mlflow_done(call);
}

static ax_status
read_metric(struct ax_ctx *ctx, const struct ax_json *object, size_t index,
            struct ax_metric *metric)
{
    char path[64];
    snprintf(path, sizeof path, "metrics[%zu].", index);
    *metric = (struct ax_metric){
        .model_id = AX_STR(""), .dataset_name = AX_STR(""), .dataset_digest = AX_STR("")};
    AX_TRY(ax_mlflow_member_text(ctx, object, path, "key", &metric->key, true));
    const struct ax_json *value = ax_json_find(object, "value");
    if (!value || ax_json_kind(value) == AX_JSON_NULL) {
        snprintf(path, sizeof path, "metrics[%zu].value", index);
        return ax_mlflow_missing(ctx, path);
    }
    if (!ax_mlflow_number(value, &metric->value))
        return ax_mlflow_wrong(ctx, "metrics", value);
    AX_TRY(ax_mlflow_member_i64(ctx, object, path, "timestamp", &metric->timestamp_ms, true));
    AX_TRY(ax_mlflow_member_i64(ctx, object, path, "step", &metric->step, false));
    AX_TRY(ax_mlflow_member_text(ctx, object, path, "model_id", &metric->model_id, false));
    AX_TRY(ax_mlflow_member_text(ctx, object, path, "dataset_name", &metric->dataset_name, false));
    return ax_mlflow_member_text(ctx, object, path, "dataset_digest", &metric->dataset_digest,
                                 false);
}

static ax_status
read_metrics(const struct ax_mlflow_request *request, struct ax_metrics_logged *out)
{
    struct ax_ctx *ctx = request->ctx;
    const struct ax_json *list;
    AX_TRY(ax_mlflow_objects(request, "metrics", &list));
    size_t count = ax_json_count(list);
    struct ax_metric *metrics = AX_NEW_ARRAY(ctx->arena, struct ax_metric, count + 1);
    if (!metrics)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it))
        AX_TRY(read_metric(ctx, it.value, it.index, &metrics[it.index]));
    *out = (struct ax_metrics_logged){metrics, count};
    return AX_OK;
}

static ax_status
log_batch(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_run_batch batch = {};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(read_metrics(&request, &batch.metrics));
    AX_TRY(ax_mlflow_pairs(&request, "params", &batch.params));
    AX_TRY(ax_mlflow_pairs(&request, "tags", &batch.tags));
    AX_TRY(ax_run_log(tracking(call), ctx, id, &batch));
    return ax_mlflow_done(call);
}

/* ---- inputs and outputs ---- */

static ax_status
read_models(const struct ax_mlflow_request *request, struct ax_run_models *out)
{
    struct ax_ctx *ctx = request->ctx;
    const struct ax_json *list;
    char path[64];
    AX_TRY(ax_mlflow_objects(request, "models", &list));
    size_t count = ax_json_count(list);
    struct ax_run_model *models = AX_NEW_ARRAY(ctx->arena, struct ax_run_model, count + 1);
    if (!models)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        snprintf(path, sizeof path, "models[%zu].", it.index);
        AX_TRY(ax_mlflow_member_text(ctx, it.value, path, "model_id", &models[it.index].id, true));
        AX_TRY(ax_mlflow_member_i64(ctx, it.value, path, "step", &models[it.index].step, false));
    }
    *out = (struct ax_run_models){models, count};
    return AX_OK;
}

/* {"dataset":{..},"tags":[..]} */
static ax_status
read_dataset(struct ax_ctx *ctx, const struct ax_json *object, size_t index,
             struct ax_run_dataset *out)
{
    char path[64];
    const struct ax_json *dataset = ax_json_find(object, "dataset");
    const struct ax_mlflow_request inner = {.ctx = ctx, .body = object};
    snprintf(path, sizeof path, "datasets[%zu].dataset", index);
    if (ax_json_kind(dataset) != AX_JSON_OBJECT)
        return ax_mlflow_missing(ctx, path);
    snprintf(path, sizeof path, "datasets[%zu].dataset.", index);
    *out = (struct ax_run_dataset){};
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "name", &out->name, true));
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "digest", &out->digest, true));
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "source_type", &out->source_type, true));
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "source", &out->source, true));
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "schema", &out->schema, false));
    AX_TRY(ax_mlflow_member_text(ctx, dataset, path, "profile", &out->profile, false));
    return ax_mlflow_pairs(&inner, "tags", &out->tags);
}

static ax_status
log_inputs(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_run_inputs inputs = {};
    const struct ax_json *list;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_objects(&request, "datasets", &list));
    AX_TRY(read_models(&request, &inputs.models));
    inputs.dataset_count = ax_json_count(list);
    struct ax_run_dataset *datasets =
        AX_NEW_ARRAY(ctx->arena, struct ax_run_dataset, inputs.dataset_count + 1);
    if (!datasets)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it))
        AX_TRY(read_dataset(ctx, it.value, it.index, &datasets[it.index]));
    inputs.datasets = datasets;
    AX_TRY(ax_run_log_inputs(tracking(call), ctx, id, &inputs));
    return ax_mlflow_done(call);
}

static ax_status
log_outputs(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_run_models models;
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(read_models(&request, &models));
    AX_TRY(ax_run_log_outputs(tracking(call), ctx, id, &models));
    return ax_mlflow_done(call);
}

static ax_status
log_model(struct ax_call *call, struct ax_ctx *ctx)
{
    static const char *const needed[] = {"artifact_path", "flavors", "utc_time_created", "run_id"};
    struct ax_mlflow_request request;
    const struct ax_json *model = NULL;
    ax_str id, text;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_need_text(&request, "model_json", &text));
    if (ax_json_parse(ctx, text, NULL, &model) != AX_OK || ax_json_kind(model) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "Malformed model info. \n %.*s \n failed to parse as JSON.",
                       AX_FMT(ax_experiment_cut(text, 200)));
    for (size_t i = 0; i < AX_COUNT_OF(needed); i++)
        if (!ax_json_find(model, needed[i]))
            return ax_fail(ctx, AX_INVALID, "Model json is missing mandatory fields: ['%s']",
                           needed[i]);
    AX_TRY(ax_run_log_model(tracking(call), ctx, id, model));
    return ax_mlflow_done(call);
}

/* ---- metrics ---- */

static ax_status
get_history(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_metric_history history = {.run_count = 1, .page_token = AX_STR("")};
    ax_str id;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_run_id(&request, &id));
    AX_TRY(ax_mlflow_need_text(&request, "metric_key", &history.key));
    AX_TRY(ax_mlflow_may_text(&request, "page_token", &history.page_token));
    AX_TRY(ax_mlflow_may_i64(&request, "max_results", &history.results_max));
    history.run_ids = &id;
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_metric_history(tracking(call), ctx, &history, json));
    ax_json_end_object(json);
    return AX_OK;
}

static int
history_run_order(const void *a, const void *b)
{
    return ax_str_cmp(*(const ax_str *)a, *(const ax_str *)b);
}

static ax_status
read_bulk(const struct ax_mlflow_request *request, struct ax_metric_history *history)
{
    struct ax_ctx *ctx = request->ctx;
    struct ax_mlflow_texts ids = {};
    AX_TRY(ax_mlflow_texts(request, "run_id", &ids));
    if (ids.count == 0)
        return ax_fail(ctx, AX_INVALID,
                       "GetMetricHistoryBulk request must specify at least one run_id.");
    if (ids.count > BULK_RUNS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "GetMetricHistoryBulk request cannot specify more than %d run_ids. Received "
                       "%zu run_ids.",
                       BULK_RUNS_MAX, ids.count);
    qsort(ids.items, ids.count, sizeof *ids.items, history_run_order);
    history->run_ids = ids.items;
    history->run_count = ids.count;
    if (!ax_mlflow_has(request, "metric_key"))
        return ax_fail(ctx, AX_INVALID, "GetMetricHistoryBulk request must specify a metric_key.");
    return ax_mlflow_need_text(request, "metric_key", &history->key);
}

static ax_status
get_history_bulk(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_metric_history history = {.results_max = BULK_RESULTS_MAX};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(read_bulk(&request, &history));
    AX_TRY(ax_mlflow_may_i64(&request, "max_results", &history.results_max));
    if (history.results_max > BULK_RESULTS_MAX)
        history.results_max = BULK_RESULTS_MAX;
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_metric_history_bulk(tracking(call), ctx, &history, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
read_interval(const struct ax_mlflow_request *request, struct ax_metric_interval *out)
{
    struct ax_ctx *ctx = request->ctx;
    bool start = ax_mlflow_has(request, "start_step"), end = ax_mlflow_has(request, "end_step");
    AX_TRY(ax_mlflow_may_i64(request, "start_step", &out->start_step));
    AX_TRY(ax_mlflow_may_i64(request, "end_step", &out->end_step));
    if (start != end)
        return ax_fail(ctx, AX_INVALID,
                       "If either start step or end step are specified, both must be specified.");
    if (start && out->start_step > out->end_step)
        return ax_fail(ctx, AX_INVALID,
                       "end_step must be greater than start_step. Found "
                       "start_step=%lld and end_step=%lld.",
                       (long long)out->start_step, (long long)out->end_step);
    out->bounded = start;
    return AX_OK;
}

static ax_status
get_history_interval(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_metric_history history = {.results_max = INTERVAL_RESULTS_MAX};
    struct ax_metric_interval interval = {};
    struct ax_mlflow_texts ids = {};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_texts(&request, "run_ids", &ids));
    if (ids.count == 0)
        return ax_mlflow_missing(ctx, "run_ids");
    if (ids.count > BULK_RUNS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "GetMetricHistoryBulkInterval request must specify at most %d run_ids. "
                       "Received %zu run_ids.",
                       BULK_RUNS_MAX, ids.count);
    history.run_ids = ids.items;
    history.run_count = ids.count;
    AX_TRY(ax_mlflow_need_text(&request, "metric_key", &history.key));
    AX_TRY(read_interval(&request, &interval));
    AX_TRY(ax_mlflow_may_i64(&request, "max_results", &history.results_max));
    if (history.results_max < 1 || history.results_max > INTERVAL_RESULTS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "max_results must be between 1 and %d. Found max_results=%lld.",
                       INTERVAL_RESULTS_MAX, (long long)history.results_max);
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    AX_TRY(ax_metric_history_interval(tracking(call), ctx, &history, &interval, json));
    ax_json_end_object(json);
    return AX_OK;
}

#define READ(method, path, fn, summary)  AX_MLFLOW_READ(method, AX_MLFLOW path, fn, summary)
#define WRITE(method, path, fn, summary) AX_MLFLOW_WRITE(method, AX_MLFLOW path, fn, summary)

static const struct ax_route routes[] = {
    WRITE(POST, "experiments/create", create_experiment, "MLflow: makes an experiment"),
    READ(GET, "experiments/get", get_experiment, "MLflow: an experiment"),
    READ(GET, "experiments/get-by-name", get_experiment_by_name, "MLflow: an experiment by name"),
    READ(GET, "experiments/search", search_experiments, "MLflow: searches experiments"),
    READ(POST, "experiments/search", search_experiments, "MLflow: searches experiments"),
    WRITE(POST, "experiments/update", update_experiment, "MLflow: renames an experiment"),
    WRITE(POST, "experiments/delete", delete_experiment, "MLflow: deletes an experiment, softly"),
    WRITE(POST, "experiments/restore", restore_experiment, "MLflow: restores an experiment"),
    WRITE(POST, "experiments/set-experiment-tag", set_experiment_tag,
          "MLflow: sets a tag of an experiment"),
    WRITE(POST, "experiments/delete-experiment-tag", delete_experiment_tag,
          "MLflow: deletes a tag of an experiment"),
    READ(POST, "experiments/search-datasets", search_datasets,
         "MLflow: the datasets that runs of experiments used"),
    AX_MLFLOW_READ(POST, "/api/2.0mlflow/experiments/search-datasets", search_datasets,
                   "MLflow: the same, by the path its client has"),
    WRITE(POST, "runs/create", create_run, "MLflow: begins a run"),
    READ(GET, "runs/get", get_run, "MLflow: a run with all that belongs to it"),
    WRITE(POST, "runs/update", update_run, "MLflow: changes a run's status, end or name"),
    WRITE(POST, "runs/delete", delete_run, "MLflow: deletes a run, softly"),
    WRITE(POST, "runs/restore", restore_run, "MLflow: restores a run"),
    WRITE(POST, "runs/log-metric", log_metric, "MLflow: one point of a metric"),
    WRITE(POST, "runs/log-parameter", log_parameter, "MLflow: a parameter"),
    WRITE(POST, "runs/set-tag", set_tag, "MLflow: sets a tag of a run"),
    WRITE(POST, "runs/delete-tag", delete_tag, "MLflow: deletes a tag of a run"),
    WRITE(POST, "runs/log-batch", log_batch, "MLflow: metrics, parameters and tags at once"),
    WRITE(POST, "runs/log-inputs", log_inputs, "MLflow: the datasets and models a run used"),
    WRITE(POST, "runs/outputs", log_outputs, "MLflow: the models a run made"),
    WRITE(POST, "runs/log-model", log_model, "MLflow: notes a model in a run's tag"),
    READ(POST, "runs/search", search_runs, "MLflow: searches runs"),
    READ(GET, "metrics/get-history", get_history, "MLflow: the points of a metric"),
    READ(GET, "metrics/get-history-bulk", get_history_bulk,
         "MLflow: the points of a metric of several runs"),
    READ(GET, "metrics/get-history-bulk-interval", get_history_interval,
         "MLflow: the same, sampled by step"),
};

const struct ax_route_table ax_mlflow_tracking_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
    .permit = ax_mlflow_permit,
};

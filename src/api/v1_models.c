/* /api/v1/models, datasets, training-runs, validations: what there is and how good it is. */
#include "api/route.h"

static struct ax_registry *
registry(const struct ax_call *call)
{
    return call->services->registry;
}

/* ---- models and versions ---- */

static ax_status
list_models(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_registry_list(registry(call), ctx, false, ax_call_json(call));
}

static ax_status
inventory(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_registry_list(registry(call), ctx, true, ax_call_json(call));
}

static ax_status
create_model(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str name;
    AX_TRY(ax_json_need_text(ctx, call->body, "name", &name));
    AX_TRY(ax_registry_create(registry(call), ctx, call->body));
    ax_exchange_set_status(call->exchange, 201);
    return ax_registry_show(registry(call), ctx, name, ax_call_json(call));
}

static ax_status
show_model(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_registry_show(registry(call), ctx, call->parameters[0], ax_call_json(call));
}

static ax_status
change_model(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_registry_change(registry(call), ctx, call->parameters[0], call->body));
    return show_model(call, ctx);
}

static ax_status
register_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_version_record record;
    if (call->request->body.len == 0)
        return ax_fail(ctx, AX_INVALID, "the body is empty; a bundle or a model file is expected");
    ax_status status = ax_registry_register(registry(call), ctx, call->parameters[0],
                                            call->request->body, &record);
    if (status == AX_UNSUPPORTED) /* what was sent is no model of ours: the client's to mend */
        return AX_INVALID;
    AX_TRY(status);
    ax_exchange_set_status(call->exchange, 201);
    return ax_registry_show_version(registry(call), ctx, record.model, record.version,
                                    ax_call_json(call));
}

static ax_status
show_version(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t version;
    AX_TRY(ax_call_number(call, ctx, 1, &version));
    return ax_registry_show_version(registry(call), ctx, call->parameters[0], version,
                                    ax_call_json(call));
}

static ax_status
download_version(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_version_record record;
    struct ax_bundle bundle;
    ax_str container;
    int64_t version;
    AX_TRY(ax_call_number(call, ctx, 1, &version));
    AX_TRY(ax_registry_version(registry(call), ctx, NULL, call->parameters[0], version, &record));
    AX_TRY(ax_registry_bundle(registry(call), ctx, NULL, &record, &bundle));
    AX_TRY(ax_bundle_write(ctx, &bundle, &container));
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("application/json"));
    ax_writer_bytes(ax_exchange_body(call->exchange), container);
    return AX_OK;
}

/* ---- datasets ---- */

/* {"schema": {..}, "csv": "...", "train": 0.6, "validation": 0.2, "seed": 7} */
static ax_status
ingest(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_json *schema;
    struct ax_data_shares shares = {.train = 0.6, .validation = 0.2};
    struct ax_dataset_record record;
    int64_t seed;
    ax_str csv, text;
    AX_TRY(ax_json_need_object(ctx, call->body, "schema", &schema));
    AX_TRY(ax_json_need_text(ctx, call->body, "csv", &csv));
    AX_TRY(ax_json_may_f64(ctx, call->body, "train", &shares.train));
    AX_TRY(ax_json_may_f64(ctx, call->body, "validation", &shares.validation));
    AX_TRY(ax_json_need_i64(ctx, call->body, "seed", &seed));
    AX_TRY(ax_json_canonical(ctx, schema, &text));
    shares.seed = (uint64_t)seed;
    AX_TRY(ax_datasets_ingest(call->services->datasets, ctx, text, &shares, csv, &record));
    ax_exchange_set_status(call->exchange, 201);
    return ax_datasets_show(call->services->datasets, ctx, record.name, record.version,
                            ax_call_json(call));
}

static ax_status
list_datasets(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_datasets_list(call->services->datasets, ctx, ax_call_json(call));
}

static ax_status
show_dataset(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_datasets_show(call->services->datasets, ctx, call->parameters[0], 0,
                            ax_call_json(call));
}

static ax_status
show_dataset_version(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t version;
    AX_TRY(ax_call_number(call, ctx, 1, &version));
    return ax_datasets_show(call->services->datasets, ctx, call->parameters[0], version,
                            ax_call_json(call));
}

static ax_status
show_dataset_rows(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str part;
    int64_t version;
    AX_TRY(ax_call_number(call, ctx, 1, &version));
    AX_TRY(ax_call_query(call, ctx, "part", &part));
    return ax_datasets_show_part(call->services->datasets, ctx, call->parameters[0], version, part,
                                 ax_call_json(call));
}

/* ---- training ---- */

static ax_status
train(struct ax_call *call, struct ax_ctx *ctx)
{
    ctx->deadline_ns = INT64_MAX; /* it has a bound of its own */
    ax_exchange_set_status(call->exchange, 201);
    return ax_training_run(call->services->training, ctx, call->body, ax_call_json(call));
}

static ax_status
show_training(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_training_show(call->services->training, ctx, call->parameters[0], ax_call_json(call));
}

/* ---- validation ---- */

static ax_status
begin_validation(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_exchange_set_status(call->exchange, 201);
    return ax_validations_begin(call->services->validations, ctx, call->body, ax_call_json(call));
}

static ax_status
run_validation(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_validations_run(call->services->validations, ctx, call->parameters[0],
                              ax_call_json(call));
}

static ax_status
conclude_validation(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_validations_conclude(call->services->validations, ctx, call->parameters[0],
                                   call->body, ax_call_json(call));
}

static ax_status
show_validation(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_validations_show(call->services->validations, ctx, call->parameters[0],
                               ax_call_json(call));
}

static ax_status
close_finding(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_validations_close_finding(call->services->validations, ctx, call->parameters[0],
                                        call->body, ax_call_json(call));
}

#define READ(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_READ, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, fn, summary   \
    }
#define WRITE(path, permission, body, bytes, fn, summary)                                          \
    {                                                                                              \
        AX_HTTP_POST, path, permission, AX_ROUTE_WORKER, body, bytes, fn, summary                  \
    }

static const struct ax_route routes[] = {
    READ("/api/v1/models", list_models, "Models"),
    READ("/api/v1/inventory", inventory, "The model inventory, whole"),
    WRITE("/api/v1/models", AX_PERMISSION_DEVELOP, AX_ROUTE_JSON, 0, create_model,
          "Makes a model from its inventory record"),
    READ("/api/v1/models/{model}", show_model, "A model and its versions"),
    {AX_HTTP_PATCH, "/api/v1/models/{model}", AX_PERMISSION_DEVELOP, AX_ROUTE_WORKER, AX_ROUTE_JSON,
     0, change_model, "Changes a model's inventory record"},
    WRITE("/api/v1/models/{model}/versions", AX_PERMISSION_DEVELOP, AX_ROUTE_BYTES,
          AX_ROUTE_LARGE_BODY, register_version, "Registers a version: a bundle or a model file"),
    READ("/api/v1/models/{model}/versions/{version}", show_version, "A version"),
    READ("/api/v1/models/{model}/versions/{version}/bundle", download_version,
         "A version's bundle, to be kept or moved"),
    READ("/api/v1/datasets", list_datasets, "Datasets"),
    WRITE("/api/v1/datasets", AX_PERMISSION_DEVELOP, AX_ROUTE_JSON, AX_ROUTE_LARGE_BODY, ingest,
          "Reads rows into a new version of a dataset"),
    READ("/api/v1/datasets/{dataset}", show_dataset, "The newest version of a dataset"),
    READ("/api/v1/datasets/{dataset}/versions/{version}", show_dataset_version,
         "A version of a dataset"),
    READ("/api/v1/datasets/{dataset}/versions/{version}/rows", show_dataset_rows,
         "Which rows are in a part: ?part=train, validation or held_out"),
    WRITE("/api/v1/training-runs", AX_PERMISSION_DEVELOP, AX_ROUTE_JSON, 0, train,
          "Trains a model and registers it"),
    READ("/api/v1/training-runs/{run}", show_training, "A training run"),
    WRITE("/api/v1/validations", AX_PERMISSION_VALIDATE, AX_ROUTE_JSON, 0, begin_validation,
          "Fixes the plan of a validation"),
    READ("/api/v1/validations/{validation}", show_validation, "A validation and its findings"),
    WRITE("/api/v1/validations/{validation}/run", AX_PERMISSION_VALIDATE, AX_ROUTE_NO_BODY, 0,
          run_validation, "Runs the fixed plan, once"),
    WRITE("/api/v1/validations/{validation}/conclude", AX_PERMISSION_VALIDATE, AX_ROUTE_JSON, 0,
          conclude_validation, "Concludes a validation"),
    WRITE("/api/v1/findings/{finding}/close", AX_PERMISSION_VALIDATE, AX_ROUTE_JSON, 0,
          close_finding, "Closes a finding with its evidence"),
};

const struct ax_route_table ax_v1_models_table = {routes, AX_COUNT_OF(routes), true,
                                                  true,   ax_problem_refuse,   AX_DIALECT_AXIOM};

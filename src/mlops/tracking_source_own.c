#include "mlops/tracking_source_own.h"

#include "base/number.h"
#include "mlops/experiment_model.h"
#include "mlops/experiment_run.h"
#include "mlops/registered_version.h"

enum { PIECE_BYTES = 1 << 20 };

typedef ax_status (*answer_fn)(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
                               const struct ax_tracking_ask *ask, struct ax_json_writer *out);

static ax_status
own_experiments(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
                const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    const ax_str order = AX_STR("experiment_id ASC");
    const struct ax_experiment_search search = {.filter = AX_STR(""),
                                                .order_by = &order,
                                                .order_count = 1,
                                                .view = AX_VIEW_ALL,
                                                .results_max = AX_TRACKING_OTHERS_A_PAGE,
                                                .page_token = ask->page_token};
    return ax_experiments_search(own->experiments, ctx, &search, out);
}

static ax_status
own_runs(struct ax_tracking_source_own *own, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
         struct ax_json_writer *out)
{
    const ax_str order = AX_STR("attributes.start_time ASC");
    const struct ax_experiment_search search = {.experiment_ids = &ask->id,
                                                .experiment_count = 1,
                                                .filter = AX_STR(""),
                                                .order_by = &order,
                                                .order_count = 1,
                                                .view = AX_VIEW_ALL,
                                                .results_max = AX_TRACKING_RUNS_A_PAGE,
                                                .page_token = ask->page_token};
    return ax_runs_search(own->experiments, ctx, &search, out);
}

static ax_status
own_run(struct ax_tracking_source_own *own, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
        struct ax_json_writer *out)
{
    ax_json_key(out, "run");
    return ax_run_show(own->experiments, ctx, ask->id, out);
}

static ax_status
own_history(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
            const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    const struct ax_metric_history history = {.run_ids = &ask->id,
                                              .run_count = 1,
                                              .key = ask->key,
                                              .results_max = AX_TRACKING_POINTS_A_PAGE,
                                              .page_token = ask->page_token};
    return ax_metric_history(own->experiments, ctx, &history, out);
}

static ax_status
own_models(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
           const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    struct ax_experiment_model_search search = {.base = {.experiment_ids = &ask->id,
                                                         .experiment_count = 1,
                                                         .filter = AX_STR(""),
                                                         .results_max = AX_TRACKING_MODELS_A_PAGE,
                                                         .page_token = ask->page_token}};
    AX_TRY(ax_search_order_parse(ctx, AX_SEARCH_LOGGED_MODELS, AX_STR("creation_timestamp ASC"),
                                 &search.orders));
    return ax_experiment_models_search(own->experiments, ctx, &search, out);
}

static ax_status
own_registered(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
               const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    const struct ax_experiment_search search = {.filter = ask->key.len ? AX_STR(AX_TRACKING_PROMPTS)
                                                                       : AX_STR(""),
                                                .results_max = AX_TRACKING_OTHERS_A_PAGE,
                                                .page_token = ask->page_token};
    return ax_registered_models_search(own->registry, ctx, &search, out);
}

static ax_status
own_versions(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
             const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    static const ax_str orders[] = {{"name ASC", 8}, {"version_number ASC", 18}};
    const struct ax_experiment_search search = {.filter = ask->key.len ? AX_STR(AX_TRACKING_PROMPTS)
                                                                       : AX_STR(""),
                                                .order_by = orders,
                                                .order_count = AX_COUNT_OF(orders),
                                                .results_max = AX_TRACKING_OTHERS_A_PAGE,
                                                .page_token = ask->page_token};
    return ax_registered_versions_search(own->registry, ctx, &search, out);
}

static ax_status
own_location(struct ax_tracking_source_own *own, struct ax_ctx *ctx,
             const struct ax_tracking_ask *ask, struct ax_json_writer *out)
{
    int64_t version;
    ax_str uri;
    if (!ax_parse_i64(ask->key, &version))
        return ax_fail(ctx, AX_INVALID, "version %.*s is no whole number", AX_FMT(ask->key));
    AX_TRY(ax_registered_version_location(own->registry, ctx, ask->id, version, &uri));
    ax_json_member_text(out, "artifact_uri", uri);
    return AX_OK;
}

static ax_status
own_files(struct ax_tracking_source_own *own, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
          struct ax_json_writer *out)
{
    struct ax_artifacts_place place;
    AX_TRY(ax_artifacts_at(own->artifacts, ctx, ask->key, &place));
    return ax_artifacts_list(own->artifacts, ctx, &place, AX_STR(""), out);
}

static const answer_fn answers[AX_TRACKING_QUESTION_COUNT] = {
    [AX_TRACKING_EXPERIMENTS] = own_experiments,
    [AX_TRACKING_RUNS] = own_runs,
    [AX_TRACKING_RUN] = own_run,
    [AX_TRACKING_HISTORY] = own_history,
    [AX_TRACKING_MODELS] = own_models,
    [AX_TRACKING_REGISTERED] = own_registered,
    [AX_TRACKING_VERSIONS] = own_versions,
    [AX_TRACKING_LOCATION] = own_location,
    [AX_TRACKING_FILES] = own_files,
};

static ax_status
own_ask(struct ax_tracking_source *source, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
        const struct ax_json **out_answer)
{
    struct ax_tracking_source_own *own = (struct ax_tracking_source_own *)source;
    ax_writer_auto struct ax_writer text = ax_writer_of(AX_TRACKING_PAGE_BYTES_MAX);
    struct ax_json_writer out = ax_json_writer_of(&text);
    ax_str copy;
    if (!answers[ask->question])
        return ax_fail(ctx, AX_UNSUPPORTED, "a data directory keeps its files in one place");
    ax_json_begin_object(&out);
    AX_TRY(answers[ask->question](own, ctx, ask, &out));
    ax_json_end_object(&out);
    if (ax_writer_take(&text, ctx->arena, &copy) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for an answer");
    return ax_json_parse(ctx, copy, NULL, out_answer);
}

static ax_status
copy_pieces(struct ax_ctx *ctx, ax_file from, ax_file to, uint64_t *out_bytes)
{
    ax_writer_auto struct ax_writer piece = ax_writer_of(PIECE_BYTES);
    char *room = ax_writer_room(&piece, PIECE_BYTES);
    uint64_t copied = 0;
    size_t len;
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for a file");
    do {
        AX_TRY(ax_file_read_next(ctx, from, room, PIECE_BYTES, &len));
        AX_TRY(ax_file_write_at(ctx, to, copied, (ax_str){room, len}));
        copied += len;
    } while (len);
    *out_bytes = copied;
    return AX_OK;
}

static ax_status
own_fetch(struct ax_tracking_source *source, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
          ax_file to, uint64_t *out_bytes)
{
    struct ax_tracking_source_own *own = (struct ax_tracking_source_own *)source;
    struct ax_artifacts_place place;
    ax_file file;
    AX_TRY(ax_artifacts_at(own->artifacts, ctx, ask->key, &place));
    AX_TRY(ax_artifacts_open_file(own->artifacts, ctx, &place, true, &file));
    ax_status status = copy_pieces(ctx, file, to, out_bytes);
    ax_file_close(&file);
    return status;
}

static void
own_close(struct ax_tracking_source *source)
{
    (void)source;
}

static const struct ax_tracking_source_ops ops = {
    .name = "data directory", .ask = own_ask, .fetch = own_fetch, .close = own_close};

void
ax_tracking_source_own_init(struct ax_tracking_source_own *own, struct ax_experiments *experiments,
                            struct ax_registry *registry, struct ax_artifacts *artifacts)
{
    *own = (struct ax_tracking_source_own){.base = {.ops = &ops},
                                           .experiments = experiments,
                                           .registry = registry,
                                           .artifacts = artifacts};
}

#include "mlops/training_pipeline.h"

#include "base/alloc.h"
#include "dataops/reference_population.h"
#include "event/outbox.h"
#include "learner/evaluation.h"
#include "learner/learner.h"
#include "serving/model_loader.h"
#include "sys/clock.h"

enum {
    REFERENCE_ROWS = 200,
    REFERENCE_ROWS_MAX = 100'000,
    SELF_TEST_ROWS = 16,
    TEXT_BYTES_MAX = 16 << 20,
    DEFAULT_SEED = 1,
};

struct ax_training {
    struct ax_training_config config;
};

/* One run on its way. */
struct run {
    struct ax_training *training;
    struct ax_ctx *ctx;
    const struct ax_json *task;
    ax_str id, model, learner;
    int64_t seed;
    struct ax_reference_config reference;
    struct ax_dataset_record dataset;
    struct ax_dataset_parts parts;
    struct ax_learner_result learned;
    struct ax_loaded_model *loaded; /* owned */
    ax_str metrics;                 /* JSON of the held-out rows */
    struct ax_version_record version;
};

ax_status
ax_training_open(struct ax_ctx *ctx, const struct ax_training_config *config,
                 struct ax_training **out_training)
{
    struct ax_training *training = ax_alloc(sizeof *training, 1);
    if (!training)
        return ax_fail(ctx, AX_LIMIT, "no memory for training");
    training->config = *config;
    *out_training = training;
    return AX_OK;
}

void
ax_training_close(struct ax_training *training)
{
    ax_free(training);
}

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory to train");
}

/* ---- the task ---- */

/* Read before anything is learnt: a word that is wrong costs no run. */
static ax_status
read_reference(struct run *run)
{
    struct ax_ctx *ctx = run->ctx;
    const struct ax_json *wanted;
    ax_str method = AX_STR("near_cutoff");
    int64_t rows = REFERENCE_ROWS;
    run->reference = (struct ax_reference_config){.seed = (uint64_t)run->seed, .cutoff = 0.5};
    if (ax_json_find(run->task, "reference")) {
        AX_TRY(ax_json_need_object(ctx, run->task, "reference", &wanted));
        AX_TRY(ax_json_may_text(ctx, wanted, "method", &method));
        AX_TRY(ax_json_may_i64(ctx, wanted, "rows", &rows));
        AX_TRY(ax_json_may_f64(ctx, wanted, "cutoff", &run->reference.cutoff));
    }
    bool all = ax_str_eq(method, AX_STR("all_applicants"));
    if (!all && !ax_str_eq(method, AX_STR("near_cutoff")))
        return ax_fail(ctx, AX_INVALID,
                       "`reference.method` must be near_cutoff or all_applicants, not \"%.*s\"",
                       AX_FMT(method));
    if (rows < 1 || rows > REFERENCE_ROWS_MAX)
        return ax_fail(ctx, AX_INVALID, "`reference.rows` is %lld; 1 to %d can be kept",
                       (long long)rows, REFERENCE_ROWS_MAX);
    run->reference.row_count = (size_t)rows;
    run->reference.method = all ? AX_REFERENCE_ALL : AX_REFERENCE_NEAR_CUTOFF;
    return AX_OK;
}

static ax_status
read_task(struct run *run)
{
    struct ax_ctx *ctx = run->ctx;
    const struct ax_training_config *config = &run->training->config;
    ax_str dataset;
    int64_t version = 0;
    AX_TRY(ax_json_need_text(ctx, run->task, "model", &run->model));
    AX_TRY(ax_json_need_text(ctx, run->task, "dataset", &dataset));
    AX_TRY(ax_json_need_text(ctx, run->task, "learner", &run->learner));
    AX_TRY(ax_json_may_i64(ctx, run->task, "dataset_version", &version));
    run->seed = DEFAULT_SEED;
    AX_TRY(ax_json_may_i64(ctx, run->task, "seed", &run->seed));
    if (run->seed < 0)
        return ax_fail(ctx, AX_INVALID, "`seed` is %lld; it must be from 0 on",
                       (long long)run->seed);
    if (!ax_learner_find(run->learner))
        return ax_fail(ctx, AX_INVALID,
                       "there is no learner \"%.*s\"; xgboost, scorecard and logistic are known",
                       AX_FMT(run->learner));
    AX_TRY(read_reference(run));
    AX_TRY(ax_datasets_find(config->datasets, ctx, dataset, version, &run->dataset));
    return ax_datasets_read(config->datasets, ctx, &run->dataset, &run->parts);
}

/* Before anything is computed: the model that the version will belong to. */
static ax_status
check_model(struct run *run)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(run->training->config.store, run->ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, run->ctx, AX_STR("select count(*) from models where name = $1"),
                            AX_STORE_PARAMS(ax_store_text(run->model)), &count));
    return count == 1 ? AX_OK
                      : ax_fail(run->ctx, AX_NOT_FOUND, "no model \"%.*s\"; make it first",
                                AX_FMT(run->model));
}

/* ---- learning, in a child process ---- */

static ax_status
learn(struct run *run)
{
    struct ax_ctx *ctx = run->ctx;
    const struct ax_training_config *config = &run->training->config;
    const struct ax_learner_run child = {
        .command = config->command,
        .learner = run->learner,
        .folder = ax_str_printf(ctx->arena, "%.*s/%.*s", AX_FMT(config->folder), AX_FMT(run->id)),
        .timeout_ms = config->timeout_ms,
        .memory_bytes_max = (uint64_t)config->memory_bytes_max,
    };
    const struct ax_learner_input input = {
        .train = &run->parts.split.train,
        .validation = &run->parts.split.validation,
        .parameters = ax_json_find(run->task, "parameters"),
        .seed = (uint64_t)run->seed,
        .thread_count = (int)config->thread_count_max,
    };
    if (!child.folder.at)
        return no_memory(ctx);
    return ax_learner_run(ctx, &child, &input, &run->learned);
}

/* ---- what came back ---- */

static ax_status
score_frame(struct run *run, const struct ax_frame *frame, double **out_margins,
            double **out_responses)
{
    struct ax_ctx *ctx = run->ctx;
    size_t width = frame->column_count, rows = frame->row_count;
    double *encoded = AX_NEW_ARRAY(ctx->arena, double, rows *width + 1);
    void *scratch = ax_arena_alloc(ctx->arena, 1, run->loaded->scratch_bytes + 1);
    *out_margins = AX_NEW_ARRAY(ctx->arena, double, rows + 1);
    *out_responses = AX_NEW_ARRAY(ctx->arena, double, rows + 1);
    if (!encoded || !scratch || !*out_margins || !*out_responses)
        return no_memory(ctx);
    for (size_t i = 0; i < rows; i++)
        ax_frame_row(frame, i, encoded + i * width);
    const struct ax_engine_call call = {
        .rows = {.at = encoded, .count = rows, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE,
    };
    const struct ax_engine_answer answer = {.margin = *out_margins, .response = *out_responses};
    return ax_engine_score(run->loaded->engine, ctx, &call, scratch, &answer);
}

/* The engine answers the bits that training saw: no skew between the two (R15). */
static ax_status
compare_probes(struct run *run)
{
    double *margins, *responses;
    AX_TRY(score_frame(run, &run->parts.split.train, &margins, &responses));
    for (size_t i = 0; i < run->learned.probe_count; i++)
        if (memcmp(&margins[i], &run->learned.probe_margins[i], sizeof margins[i]) != 0)
            return ax_fail(run->ctx, AX_INTERNAL,
                           "training row %zu: the engine answers %.17g, training said %.17g", i,
                           margins[i], run->learned.probe_margins[i]);
    return AX_OK;
}

/* Opened as it will be served, with the tables that it was trained by. */
static ax_status
open_model(struct run *run, struct ax_signature **out_signature)
{
    struct ax_ctx *ctx = run->ctx;
    const struct ax_json *json;
    struct ax_bundle bundle;
    AX_TRY(ax_json_parse(ctx, run->parts.signature, NULL, &json));
    AX_TRY(ax_signature_parse(ctx, json, out_signature));
    const struct ax_bundle_parts parts = {
        .files = {[AX_BUNDLE_MODEL] = run->learned.model,
                  [AX_BUNDLE_REFERENCE] = AX_STR(""),
                  [AX_BUNDLE_SELF_TEST] = AX_STR("")},
        .format = run->learned.format,
        .library = run->learned.library,
        .signature = *out_signature,
        .reference_method = AX_STR(""),
        .lineage = AX_STR(""),
        .metrics = AX_STR(""),
        .description = AX_STR(""),
    };
    AX_TRY(ax_bundle_make(ctx, &parts, &bundle));
    return ax_model_load(ctx, run->model, 0, true, &bundle, &run->loaded);
}

static ax_status
measure(struct run *run)
{
    const struct ax_frame *held_out = &run->parts.split.held_out;
    double *margins, *responses;
    struct ax_evaluation evaluation;
    AX_TRY(score_frame(run, held_out, &margins, &responses));
    const struct ax_score_sample sample = {.score = responses,
                                           .label = held_out->labels,
                                           .count = held_out->row_count,
                                           .seed = (uint64_t)run->seed};
    AX_TRY(ax_evaluation_of(run->ctx, &sample, &evaluation));
    ax_writer_auto struct ax_writer text = ax_writer_of(TEXT_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_key(&json, "held_out");
    ax_evaluation_write(&evaluation, &json);
    ax_json_end_object(&json);
    return ax_writer_take(&text, run->ctx->arena, &run->metrics) == AX_OK ? AX_OK
                                                                          : no_memory(run->ctx);
}

/* ---- the bundle ---- */

static ax_status
draw_reference(struct run *run, struct ax_reference_sample *out)
{
    bool all = run->reference.method == AX_REFERENCE_ALL;
    double *margins, *responses;
    AX_TRY(score_frame(run, &run->parts.split.train, &margins, &responses));
    return ax_reference_draw(run->ctx, &run->parts.split.train, all ? NULL : responses,
                             &run->reference, out);
}

static ax_status
make_self_test(struct run *run, ax_str *out_csv)
{
    double *margins, *responses;
    struct ax_frame rows;
    AX_TRY(score_frame(run, &run->parts.split.train, &margins, &responses));
    AX_TRY(ax_reference_self_test(run->ctx, &run->parts.split.train, responses, SELF_TEST_ROWS,
                                  &rows));
    AX_TRY(score_frame(run, &rows, &margins, &responses));
    const struct ax_reference_extra extra[] = {{AX_STR("margin"), margins},
                                               {AX_STR("response"), responses}};
    return ax_reference_csv(run->ctx, &rows, extra, AX_COUNT_OF(extra), out_csv);
}

static ax_status
write_lineage(struct run *run, ax_str *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer text = ax_writer_of(TEXT_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "dataset", run->dataset.name);
    ax_json_member_i64(&json, "dataset_version", run->dataset.version);
    ax_json_member_text(&json, "dataset_digest", ax_digest_hex(run->dataset.digest, hex));
    ax_json_key(&json, "split_seed");
    ax_json_put_u64(&json, run->dataset.shares.seed);
    ax_json_member_i64(&json, "seed", run->seed);
    ax_json_member_text(&json, "learner", run->learner);
    ax_json_member_text(&json, "training_run", run->id);
    ax_json_key(&json, "report");
    ax_json_put_raw(&json, run->learned.report);
    ax_json_end_object(&json);
    return ax_writer_take(&text, run->ctx->arena, out) == AX_OK ? AX_OK : no_memory(run->ctx);
}

static ax_status
register_model(struct run *run, const struct ax_signature *signature)
{
    struct ax_ctx *ctx = run->ctx;
    struct ax_reference_sample reference;
    struct ax_bundle bundle;
    ax_str container;
    struct ax_bundle_parts parts = {
        .files = {[AX_BUNDLE_MODEL] = run->learned.model},
        .format = run->learned.format,
        .library = run->learned.library,
        .signature = signature,
        .metrics = run->metrics,
        .description = AX_STR(""),
    };
    AX_TRY(draw_reference(run, &reference));
    parts.files[AX_BUNDLE_REFERENCE] = reference.csv;
    parts.reference_method = ax_str_of(reference.method);
    AX_TRY(make_self_test(run, &parts.files[AX_BUNDLE_SELF_TEST]));
    AX_TRY(write_lineage(run, &parts.lineage));
    AX_TRY(ax_json_may_text(ctx, run->task, "description", &parts.description));
    AX_TRY(ax_bundle_make(ctx, &parts, &bundle));
    AX_TRY(ax_bundle_write(ctx, &bundle, &container));
    return ax_registry_register(run->training->config.registry, ctx, run->model, container,
                                &run->version);
}

/* ---- the row of the run ---- */

static ax_status
make_id(struct run *run)
{
    uint8_t random[8];
    uint64_t number;
    ax_random_bytes(random, sizeof random);
    memcpy(&number, random, sizeof number);
    run->id = ax_str_printf(run->ctx->arena, "r_%016llx", (unsigned long long)number);
    return run->id.at ? AX_OK : no_memory(run->ctx);
}

static ax_status
note_start(struct run *run)
{
    struct ax_ctx *ctx = run->ctx;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str task;
    AX_TRY(ax_json_canonical(ctx, run->task, &task));
    AX_TRY(ax_store_begin(run->training->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("insert into training_runs (id, model, task, state, result, "
                               "started_by, started_ns) values ($1, $2, $3, 'running', '', $4, "
                               "$5)"),
                        AX_STORE_PARAMS(ax_store_text(run->id), ax_store_text(run->model),
                                        ax_store_text(task), ax_store_text(ctx->actor->id),
                                        ax_store_i64(ax_clock_real_ns())),
                        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
note_end(struct run *run, const char *state, ax_str result)
{
    struct ax_ctx *ctx = run->ctx;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(run->training->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update training_runs set state = $2, result = $3, version = $4, "
               "ended_ns = $5 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(run->id), ax_store_text(ax_str_of(state)),
                        ax_store_text(result),
                        run->version.version ? ax_store_i64(run->version.version) : ax_store_null(),
                        ax_store_i64(ax_clock_real_ns())),
        NULL));
    const struct ax_event event = {
        .kind = AX_EVENT_TRAINING_RUN,
        .actor = ctx->actor->id,
        .actor_roles = ctx->actor->roles,
        .object = run->id,
        .object_hash = run->version.digest,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    AX_TRY(ax_outbox_put(tx, ctx, NULL, &event, AX_STR("")));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- the whole ---- */

static ax_status
train(struct run *run)
{
    struct ax_signature *signature;
    AX_TRY(learn(run));
    AX_TRY(open_model(run, &signature));
    AX_TRY(compare_probes(run));
    AX_TRY(measure(run));
    return register_model(run, signature);
}

static ax_status
write_result(struct run *run, int64_t took_ns, ax_str *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer text = ax_writer_of(TEXT_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "run_id", run->id);
    ax_json_member_text(&json, "model", run->model);
    ax_json_member_i64(&json, "version", run->version.version);
    ax_json_member_text(&json, "digest", ax_digest_hex(run->version.digest, hex));
    ax_json_member_text(&json, "learner", run->learner);
    ax_json_member_text(&json, "library", run->learned.library);
    ax_json_key(&json, "metrics");
    ax_json_put_raw(&json, run->metrics);
    ax_json_member_f64(&json, "seconds", (double)took_ns / 1e9);
    ax_json_end_object(&json);
    return ax_writer_take(&text, run->ctx->arena, out) == AX_OK ? AX_OK : no_memory(run->ctx);
}

ax_status
ax_training_run(struct ax_training *training, struct ax_ctx *ctx, const struct ax_json *task,
                struct ax_json_writer *out)
{
    struct run run = {.training = training, .ctx = ctx, .task = task};
    int64_t begin_ns = ax_clock_monotonic_ns();
    ax_str result = AX_STR("");
    AX_TRY(read_task(&run));
    AX_TRY(check_model(&run));
    AX_TRY(make_id(&run));
    AX_TRY(note_start(&run));
    ax_status status = train(&run);
    if (status == AX_OK)
        status = write_result(&run, ax_clock_monotonic_ns() - begin_ns, &result);
    if (run.loaded)
        ax_model_unref(run.loaded);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(note_end(&run, "failed", ax_str_of(words)), "the failure itself is told");
        memcpy(ctx->error, words, sizeof words);
        return ax_explain(ctx, status, "training run %.*s", AX_FMT(run.id));
    }
    AX_TRY(note_end(&run, "finished", result));
    ax_json_put_raw(out, result);
    return AX_OK;
}

ax_status
ax_training_show(struct ax_training *training, struct ax_ctx *ctx, ax_str run_id,
                 struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    char time[AX_CLOCK_TEXT_BYTES];
    AX_TRY(ax_store_begin(training->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select model, task, state, result, started_by, started_ns from "
                                 "training_runs where id = $1"),
                          AX_STORE_PARAMS(ax_store_text(run_id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        ax_str state = ax_store_read_text(rows, 2), result = ax_store_read_text(rows, 3);
        ax_json_begin_object(out);
        ax_json_member_text(out, "run_id", run_id);
        ax_json_member_text(out, "model", ax_store_read_text(rows, 0));
        ax_json_key(out, "task");
        ax_json_put_raw(out, ax_store_read_text(rows, 1));
        ax_json_member_text(out, "state", state);
        ax_json_member_text(out, "started_by", ax_store_read_text(rows, 4));
        ax_json_member_text(out, "started", ax_clock_format(ax_store_read_i64(rows, 5), time));
        if (ax_str_eq(state, AX_STR("finished"))) {
            ax_json_key(out, "result");
            ax_json_put_raw(out, result);
        } else {
            ax_json_member_text(out, "error", result);
        }
        ax_json_end_object(out);
    }
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no training run \"%.*s\"", AX_FMT(run_id));
}

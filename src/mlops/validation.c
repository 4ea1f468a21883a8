#include "mlops/validation.h"

#include <math.h>

#include "auth/directory.h"
#include "base/alloc.h"
#include "base/number.h"
#include "event/outbox.h"
#include "governance/model_validation.h"
#include "serving/model_loader.h"
#include "sys/clock.h"

enum { RESULTS_BYTES_MAX = 4 << 20, TEXT_BYTES_MAX = 64 << 10 };

struct ax_validations {
    struct ax_validations_config config;
};

/* A row, and the version it is about. */
struct validation {
    ax_str id;
    struct ax_version_record version;
    ax_str validator, plan, plan_digest, state;
};

ax_status
ax_validations_open(struct ax_ctx *ctx, const struct ax_validations_config *config,
                    struct ax_validations **out_validations)
{
    struct ax_validations *validations = ax_alloc(sizeof *validations, 1);
    if (!validations)
        return ax_fail(ctx, AX_LIMIT, "no memory for validations");
    validations->config = *config;
    *out_validations = validations;
    return AX_OK;
}

void
ax_validations_close(struct ax_validations *validations)
{
    ax_free(validations);
}

/* ---- helpers ---- */

static ax_status
put_fact(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_event_kind kind, ax_str object,
         ax_digest digest)
{
    const struct ax_event event = {
        .kind = kind,
        .actor = ctx->actor->id,
        .actor_roles = ctx->actor->roles,
        .object = object,
        .object_hash = digest,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    return ax_outbox_put(tx, ctx, NULL, &event, AX_STR(""));
}

static ax_status
make_id(struct ax_ctx *ctx, char kind, ax_str *out_id)
{
    uint8_t random[8];
    uint64_t number;
    ax_random_bytes(random, sizeof random);
    memcpy(&number, random, sizeof number);
    *out_id = ax_str_printf(ctx->arena, "%c_%016llx", kind, (unsigned long long)number);
    return out_id->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for an id");
}

/* The validator is not the developer and not in their line of reporting, either way (R20). */
static ax_status
check_independence(struct ax_store_tx *tx, struct ax_ctx *ctx,
                   const struct ax_version_record *version)
{
    if (ax_str_eq(ctx->actor->id, version->developer))
        return ax_fail(ctx, AX_DENIED, "%.*s developed %.*s/%lld and may not validate it",
                       AX_FMT(ctx->actor->id), AX_FMT(version->model), (long long)version->version);
    return ax_directory_check_independent(tx, ctx, ctx->actor->id, version->developer);
}

static ax_status
read_validation(struct ax_validations *validations, struct ax_ctx *ctx, struct ax_store_tx *tx,
                ax_str id, struct validation *out)
{
    struct ax_store_rows *rows;
    ax_str model = AX_STR("");
    int64_t version = 0;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select model, version, validator, plan, plan_digest, state from "
                                 "validations where id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        model = ax_store_read_text(rows, 0);
        version = ax_store_read_i64(rows, 1);
        out->validator = ax_store_read_text(rows, 2);
        out->plan = ax_store_read_text(rows, 3);
        out->plan_digest = ax_store_read_text(rows, 4);
        out->state = ax_store_read_text(rows, 5);
    }
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no validation \"%.*s\"", AX_FMT(id));
    out->id = id;
    return ax_registry_version(validations->config.registry, ctx, tx, model, version,
                               &out->version);
}

/* Only who began a validation goes on with it, and only from the state before. */
static ax_status
check_step(struct ax_ctx *ctx, const struct validation *validation, const char *state)
{
    if (!ax_str_eq(validation->validator, ctx->actor->id))
        return ax_fail(ctx, AX_DENIED, "validation %.*s is %.*s's", AX_FMT(validation->id),
                       AX_FMT(validation->validator));
    if (!ax_str_eq(validation->state, ax_str_of(state)))
        return ax_fail(ctx, AX_CONFLICT, "validation %.*s is %.*s, not %s", AX_FMT(validation->id),
                       AX_FMT(validation->state), state);
    return AX_OK;
}

/* ---- the rows it is judged on ---- */

/* "NAME/VERSION", or "NAME" for the newest. */
static ax_status
find_named(struct ax_validations *validations, struct ax_ctx *ctx, ax_str named,
           struct ax_dataset_record *out)
{
    ax_str rest = named, name = AX_STR("");
    int64_t version = 0;
    bool whole = !ax_str_cut(&rest, '/', &name) || !rest.at;
    if (name.len == 0 || (!whole && (!ax_parse_i64(rest, &version) || version < 1)))
        return ax_fail(ctx, AX_INVALID, "`dataset` is NAME or NAME/VERSION, not \"%.*s\"",
                       AX_FMT(named));
    return ax_datasets_find(validations->config.datasets, ctx, name, version, out);
}

/* The codes of the version for those of the dataset; a word it does not know is as it says. */
static ax_status
fit_categories(struct ax_ctx *ctx, const struct ax_signature_feature *feature, size_t row_count,
               struct ax_frame_column *column)
{
    double *codes = AX_NEW_ARRAY(ctx->arena, double, column->category_count + 1);
    double *values = AX_NEW_ARRAY(ctx->arena, double, row_count + 1);
    if (!codes || !values)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", row_count);
    for (size_t c = 0; c < column->category_count; c++) {
        const ax_str *slot = ax_map_find(feature->category_index, column->categories[c]);
        codes[c] = slot ? (double)(slot - feature->categories) : (double)NAN;
    }
    for (size_t i = 0; i < row_count; i++) {
        size_t code = isnan(column->values[i]) ? column->category_count : (size_t)column->values[i];
        values[i] = code < column->category_count ? codes[code] : (double)NAN;
        if (isnan(values[i]) && code < column->category_count && !feature->unknown_is_missing)
            return ax_fail(ctx, AX_CONFLICT, "feature %.*s: the version does not know \"%.*s\"",
                           AX_FMT(feature->name), AX_FMT(column->categories[code]));
    }
    column->values = values;
    column->categories = feature->categories;
    column->category_count = feature->category_count;
    return AX_OK;
}

/*
 * The rows as the version takes them: a model of this house has all columns in order and with the
 * dataset's own codes, one from elsewhere fewer, in an order of its own and with other codes.
 */
static ax_status
fit_frame(struct ax_ctx *ctx, const struct ax_signature *signature, const struct ax_frame *frame,
          struct ax_frame *out)
{
    struct ax_frame_column *columns =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, signature->feature_count + 1);
    if (!columns)
        return ax_fail(ctx, AX_LIMIT, "no memory for columns");
    if (signature->feature_count == 0)
        return ax_fail(ctx, AX_CONFLICT, "the version takes tensors, no rows of a dataset");
    for (size_t i = 0; i < signature->feature_count; i++) {
        const struct ax_signature_feature *feature = &signature->features[i];
        bool words = feature->kind == AX_FEATURE_CATEGORY;
        size_t at = ax_frame_find(frame, feature->name);
        if (at == SIZE_MAX)
            return ax_fail(ctx, AX_CONFLICT,
                           "the dataset has no feature %.*s, which the version takes",
                           AX_FMT(feature->name));
        columns[i] = frame->columns[at];
        if (words != (columns[i].kind == AX_FRAME_CATEGORY))
            return ax_fail(
                ctx, AX_CONFLICT, "feature %.*s: the version takes %s, the dataset has %s",
                AX_FMT(feature->name), words ? "words" : "numbers", words ? "numbers" : "words");
        if (words)
            AX_TRY(fit_categories(ctx, feature, frame->row_count, &columns[i]));
    }
    *out = *frame;
    out->columns = columns;
    out->column_count = signature->feature_count;
    return AX_OK;
}

static ax_status
read_parts(struct ax_validations *validations, struct ax_ctx *ctx,
           const struct ax_loaded_model *model, const struct ax_dataset_record *dataset,
           struct ax_data_split *out)
{
    struct ax_dataset_parts parts;
    AX_TRY(ax_datasets_read(validations->config.datasets, ctx, dataset, &parts));
    AX_TRY(fit_frame(ctx, model->signature, &parts.split.train, &out->train));
    return fit_frame(ctx, model->signature, &parts.split.held_out, &out->held_out);
}

/* What would end the run is said before the version leaves its state for a plan that is fixed. */
static ax_status
check_fits(struct ax_validations *validations, struct ax_ctx *ctx,
           const struct ax_version_record *version, const struct ax_dataset_record *dataset)
{
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    struct ax_bundle bundle;
    struct ax_data_split split;
    AX_TRY(ax_registry_bundle(validations->config.registry, ctx, NULL, version, &bundle));
    AX_TRY(ax_model_load(ctx, version->model, version->version, true, &bundle, &model));
    return read_parts(validations, ctx, model, dataset, &split);
}

/*
 * A plan that names a dataset names its version from then on. A version that was trained elsewhere
 * does not say on which rows, so there the plan must.
 */
static ax_status
fix_dataset(struct ax_validations *validations, struct ax_ctx *ctx,
            const struct ax_version_record *version, struct ax_validation_plan *plan)
{
    struct ax_dataset_record dataset;
    if (plan->dataset.len == 0 && version->dataset.len == 0)
        return ax_fail(ctx, AX_CONFLICT,
                       "%.*s/%lld does not say on which dataset it was trained: the plan must name "
                       "one, {\"dataset\": \"NAME/VERSION\"}",
                       AX_FMT(version->model), (long long)version->version);
    if (plan->dataset.len == 0)
        return AX_OK;
    AX_TRY(find_named(validations, ctx, plan->dataset, &dataset));
    AX_TRY(check_fits(validations, ctx, version, &dataset));
    plan->dataset =
        ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(dataset.name), (long long)dataset.version);
    return plan->dataset.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a plan");
}

/* ---- fixing the plan ---- */

static ax_status
insert_validation(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct validation *validation,
                  ax_str soundness)
{
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into validations (id, model, version, validator, plan, plan_digest, state, "
               "results, conclusion, comment, fixed_ns) values ($1, $2, $3, $4, $5, $6, 'fixed', "
               "'', '', $7, $8)"),
        AX_STORE_PARAMS(ax_store_text(validation->id), ax_store_text(validation->version.model),
                        ax_store_i64(validation->version.version),
                        ax_store_text(validation->validator), ax_store_text(validation->plan),
                        ax_store_text(validation->plan_digest), ax_store_text(soundness),
                        ax_store_i64(ax_clock_real_ns())),
        NULL);
}

static ax_status
fix_plan(struct ax_validations *validations, struct ax_ctx *ctx, const struct ax_json *request,
         struct validation *validation)
{
    struct ax_validation_plan plan = ax_validation_plan_default(validation->version.tier);
    const struct ax_json *given = ax_json_find(request, "plan");
    char hex[AX_DIGEST_HEX_BYTES + 1];
    if (given) {
        AX_TRY(ax_json_need_object(ctx, request, "plan", &given));
        AX_TRY(ax_validation_plan_parse(ctx, given, &plan));
    }
    AX_TRY(fix_dataset(validations, ctx, &validation->version, &plan));
    AX_TRY(ax_validation_plan_print(ctx, &plan, &validation->plan));
    ax_digest_hex(ax_sha256(validation->plan), hex);
    return ax_str_copy(ctx->arena, ax_str_of(hex), &validation->plan_digest)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a plan");
}

ax_status
ax_validations_begin(struct ax_validations *validations, struct ax_ctx *ctx,
                     const struct ax_json *request, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct validation validation = {.validator = ctx->actor->id};
    ax_str model, soundness = AX_STR("");
    int64_t version;
    AX_TRY(ax_json_need_text(ctx, request, "model", &model));
    AX_TRY(ax_json_need_i64(ctx, request, "version", &version));
    AX_TRY(ax_json_may_text(ctx, request, "conceptual_soundness", &soundness));
    AX_TRY(ax_registry_version(validations->config.registry, ctx, NULL, model, version,
                               &validation.version));
    AX_TRY(fix_plan(validations, ctx, request, &validation));
    AX_TRY(make_id(ctx, 'v', &validation.id));
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_independence(tx, ctx, &validation.version));
    AX_TRY(ax_registry_move(validations->config.registry, ctx, tx, &validation.version,
                            AX_VERSION_IN_VALIDATION, INT64_MAX));
    AX_TRY(insert_validation(tx, ctx, &validation, soundness));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_VALIDATION, validation.id, ax_sha256(validation.plan)));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    return ax_validations_show(validations, ctx, validation.id, out);
}

/* ---- running it ---- */

/* What the tests score with. */
struct scoring {
    struct ax_loaded_model *model;
    void *scratch;
};

static ax_status
score(void *arg, struct ax_ctx *ctx, const double *rows, size_t count, double *out_probabilities)
{
    const struct scoring *scoring = arg;
    const struct ax_engine_call call = {
        .rows = {.at = rows, .count = count, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_RESPONSE,
    };
    const struct ax_engine_answer answer = {.response = out_probabilities};
    return ax_engine_score(scoring->model->engine, ctx, &call, scoring->scratch, &answer);
}

/* The dataset version that the version's own manifest names. */
static ax_status
find_trained_on(struct ax_validations *validations, struct ax_ctx *ctx,
                const struct ax_loaded_model *model, struct ax_dataset_record *out)
{
    const struct ax_json *manifest, *lineage;
    ax_str name, digest;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_json_parse(ctx, model->manifest, NULL, &manifest));
    lineage = ax_json_find(manifest, "lineage");
    if (!ax_json_text(ax_json_find(lineage, "dataset"), &name) ||
        !ax_json_text(ax_json_find(lineage, "dataset_digest"), &digest))
        return ax_fail(ctx, AX_CONFLICT,
                       "the version does not say on which dataset it was trained, so it cannot be "
                       "validated here");
    for (int64_t version = 0;;) { /* the newest first, then back */
        AX_TRY(ax_datasets_find(validations->config.datasets, ctx, name, version, out));
        if (ax_str_eq(digest, ax_digest_hex(out->digest, hex)))
            return AX_OK;
        if (out->version == 1)
            return ax_fail(ctx, AX_NOT_FOUND, "dataset %.*s has no version with digest %.*s",
                           AX_FMT(name), AX_FMT(digest));
        version = out->version - 1;
    }
}

/* The fairness job is a role of its own: nobody who validates reads the attributes themselves. */
static ax_status
read_protected(struct ax_validations *validations, struct ax_ctx *ctx,
               const struct ax_dataset_record *dataset, const struct ax_frame *rows,
               struct ax_frame *out, bool *out_there)
{
    static const struct ax_actor job = {.id = {"fairness-job", 12},
                                        .kind = AX_ACTOR_SERVICE,
                                        .roles = AX_ROLE_BIT(FAIRNESS),
                                        .manager = {"", 0},
                                        .authenticated_by = {"local", 5}};
    const struct ax_actor *outer = ctx->actor;
    ctx->actor = &job;
    ax_status status = ax_datasets_protected(validations->config.datasets, ctx, dataset,
                                             rows->row_ids, rows->row_count, out);
    ctx->actor = outer;
    *out_there = status == AX_OK;
    return status == AX_NOT_FOUND ? AX_OK : status;
}

static ax_status
run_tests(struct ax_validations *validations, struct ax_ctx *ctx,
          const struct validation *validation, struct ax_loaded_model *model,
          struct ax_validation_result **out_results, size_t *out_count)
{
    struct ax_validation_plan plan = ax_validation_plan_default(validation->version.tier);
    struct ax_dataset_record dataset;
    struct ax_data_split split = {};
    struct ax_frame protected;
    const struct ax_json *fixed;
    bool there;
    struct scoring scoring = {
        .model = model,
        .scratch = ax_arena_alloc(ctx->arena, 1, model->scratch_bytes + 1),
    };
    if (!scoring.scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    AX_TRY(ax_json_parse(ctx, validation->plan, NULL, &fixed));
    AX_TRY(ax_validation_plan_parse(ctx, fixed, &plan));
    AX_TRY(plan.dataset.len ? find_named(validations, ctx, plan.dataset, &dataset)
                            : find_trained_on(validations, ctx, model, &dataset));
    AX_TRY(read_parts(validations, ctx, model, &dataset, &split));
    AX_TRY(read_protected(validations, ctx, &dataset, &split.held_out, &protected, &there));
    const struct ax_validation_input input = {
        .train = &split.train,
        .held_out = &split.held_out,
        .protected = there ? &protected : NULL,
        .score = score,
        .arg = &scoring,
    };
    return ax_validation_run(ctx, &plan, &input, out_results, out_count);
}

/* Each test that failed is a finding, which blocks until a validator closes it. */
static ax_status
open_findings(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct validation *validation,
              const struct ax_validation_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ax_str id, title;
        if (results[i].verdict != AX_VERDICT_FAIL)
            continue;
        AX_TRY(make_id(ctx, 'f', &id));
        title =
            ax_str_printf(ctx->arena, "%s failed%s%.*s", ax_validation_test_name(results[i].test),
                          results[i].subject.len ? ": " : "", AX_FMT(results[i].subject));
        if (!title.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for a finding");
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into findings (id, validation_id, model, version, severity, title, "
                   "detail, state, owner, evidence, opened_ns, closed_by) values ($1, $2, $3, $4, "
                   "'high', $5, $6, 'open', $7, '', $8, '')"),
            AX_STORE_PARAMS(
                ax_store_text(id), ax_store_text(validation->id),
                ax_store_text(validation->version.model), ax_store_i64(validation->version.version),
                ax_store_text(title), ax_store_text(results[i].detail),
                ax_store_text(validation->version.developer), ax_store_i64(ax_clock_real_ns())),
            NULL));
        AX_TRY(put_fact(tx, ctx, AX_EVENT_FINDING, id, ax_sha256(results[i].detail)));
    }
    return AX_OK;
}

static ax_status
keep_results(struct ax_validations *validations, struct ax_ctx *ctx,
             const struct validation *validation, const struct ax_validation_result *results,
             size_t count)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(RESULTS_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    int64_t changed;
    ax_validation_show(results, count, &json);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for results");
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update validations set state = 'run', results = $2, run_ns = $3 "
                               "where id = $1 and state = 'fixed'"),
                        AX_STORE_PARAMS(ax_store_text(validation->id),
                                        ax_store_text(ax_writer_str(&text)),
                                        ax_store_i64(ax_clock_real_ns())),
                        &changed));
    if (changed != 1)
        return ax_fail(ctx, AX_CONFLICT, "validation %.*s was run by another request meanwhile",
                       AX_FMT(validation->id));
    AX_TRY(open_findings(tx, ctx, validation, results, count));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_VALIDATION, validation->id, ax_sha256(ax_writer_str(&text))));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_validations_run(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                   struct ax_json_writer *out)
{
    struct validation validation = {};
    struct ax_bundle bundle;
    struct ax_validation_result *results;
    struct ax_store_tx *tx;
    size_t count;
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_READ, &tx));
    ax_status status = read_validation(validations, ctx, tx, id, &validation);
    ax_store_rollback(tx);
    AX_TRY(status);
    AX_TRY(check_step(ctx, &validation, "fixed"));
    AX_TRY(
        ax_registry_bundle(validations->config.registry, ctx, NULL, &validation.version, &bundle));
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    AX_TRY(ax_model_load(ctx, validation.version.model, validation.version.version, true, &bundle,
                         &model));
    AX_TRY(run_tests(validations, ctx, &validation, model, &results, &count));
    AX_TRY(keep_results(validations, ctx, &validation, results, count));
    return ax_validations_show(validations, ctx, id, out);
}

/* ---- concluding ---- */

static ax_status
check_findings(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct validation *validation)
{
    int64_t open;
    AX_TRY(ax_store_get_i64(tx, ctx,
                            AX_STR("select count(*) from findings where validation_id = $1 and "
                                   "state = 'open'"),
                            AX_STORE_PARAMS(ax_store_text(validation->id)), &open));
    if (open > 0)
        return ax_fail(ctx, AX_CONFLICT,
                       "%lld finding%s open: the validation cannot be passed until closed with "
                       "evidence",
                       (long long)open, open == 1 ? " is" : "s are");
    return AX_OK;
}

ax_status
ax_validations_conclude(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                        const struct ax_json *request, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct validation validation = {};
    ax_str conclusion, comment = AX_STR(""), conditions = AX_STR("");
    AX_TRY(ax_json_need_text(ctx, request, "conclusion", &conclusion));
    AX_TRY(ax_json_may_text(ctx, request, "comment", &comment));
    AX_TRY(ax_json_may_text(ctx, request, "conditions", &conditions));
    bool passed = ax_str_eq(conclusion, AX_STR("passed"));
    if (!passed && !ax_str_eq(conclusion, AX_STR("failed")))
        return ax_fail(ctx, AX_INVALID, "`conclusion` must be passed or failed, not \"%.*s\"",
                       AX_FMT(conclusion));
    if (comment.len + conditions.len > TEXT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "comment and conditions have more than %d bytes",
                       TEXT_BYTES_MAX);
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(read_validation(validations, ctx, tx, id, &validation));
    AX_TRY(check_step(ctx, &validation, "run"));
    if (passed)
        AX_TRY(check_findings(tx, ctx, &validation));
    ax_str words = ax_str_printf(ctx->arena, "%.*s%s%.*s", AX_FMT(comment),
                                 conditions.len ? "\nconditions of use: " : "", AX_FMT(conditions));
    if (!words.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a conclusion");
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update validations set state = 'concluded', conclusion = $2, "
                               "comment = $3, concluded_ns = $4 where id = $1"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(conclusion),
                                        ax_store_text(words), ax_store_i64(ax_clock_real_ns())),
                        NULL));
    AX_TRY(ax_registry_move(validations->config.registry, ctx, tx, &validation.version,
                            passed ? AX_VERSION_VALIDATED : AX_VERSION_FAILED, INT64_MAX));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_VALIDATION, id, ax_sha256(words)));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    return ax_validations_show(validations, ctx, id, out);
}

ax_status
ax_validations_close_finding(struct ax_validations *validations, struct ax_ctx *ctx,
                             ax_str finding_id, const struct ax_json *request,
                             struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_str evidence, owner = AX_STR("");
    int64_t changed;
    AX_TRY(ax_json_need_text(ctx, request, "evidence", &evidence));
    if (evidence.len == 0 || evidence.len > TEXT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "`evidence` must have 1 to %d bytes", TEXT_BYTES_MAX);
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select owner from findings where id = $1"),
                          AX_STORE_PARAMS(ax_store_text(finding_id)), &rows));
    bool found = ax_store_next(rows);
    if (found)
        owner = ax_store_read_text(rows, 0);
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no finding \"%.*s\"", AX_FMT(finding_id));
    if (ax_str_eq(owner, ctx->actor->id))
        return ax_fail(ctx, AX_DENIED, "%.*s owns the finding: a validator must close it",
                       AX_FMT(owner));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update findings set state = 'closed', evidence = $2, "
                               "closed_by = $3, closed_ns = $4 where id = $1 and state = 'open'"),
                        AX_STORE_PARAMS(ax_store_text(finding_id), ax_store_text(evidence),
                                        ax_store_text(ctx->actor->id),
                                        ax_store_i64(ax_clock_real_ns())),
                        &changed));
    if (changed != 1)
        return ax_fail(ctx, AX_CONFLICT, "finding %.*s is closed already", AX_FMT(finding_id));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_FINDING, finding_id, ax_sha256(evidence)));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_json_begin_object(out);
    ax_json_member_text(out, "id", finding_id);
    ax_json_member_text(out, "state", AX_STR("closed"));
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- showing ---- */

static ax_status
show_findings(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, severity, title, detail, state, owner, evidence from "
                                 "findings where validation_id = $1 order by opened_ns, id"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    ax_json_key(out, "findings");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        static const char *const names[] = {"id",    "severity", "title",   "detail",
                                            "state", "owner",    "evidence"};
        ax_json_begin_object(out);
        for (size_t i = 0; i < AX_COUNT_OF(names); i++)
            ax_json_member_text(out, names[i], ax_store_read_text(rows, (int)i));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return ax_store_finish(rows);
}

ax_status
ax_validations_show(struct ax_validations *validations, struct ax_ctx *ctx, ax_str id,
                    struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct validation validation = {};
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(validations->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(read_validation(validations, ctx, tx, id, &validation));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select results, conclusion, comment from validations where "
                                 "id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    ax_str results = found ? ax_store_read_text(rows, 0) : AX_STR("");
    ax_str conclusion = found ? ax_store_read_text(rows, 1) : AX_STR("");
    ax_str comment = found ? ax_store_read_text(rows, 2) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    ax_json_begin_object(out);
    ax_json_member_text(out, "id", id);
    ax_json_member_text(out, "model", validation.version.model);
    ax_json_member_i64(out, "version", validation.version.version);
    ax_json_member_text(out, "validator", validation.validator);
    ax_json_member_text(out, "state", validation.state);
    ax_json_member_text(out, "conclusion", conclusion);
    ax_json_member_text(out, "comment", comment);
    ax_json_member_text(out, "plan_digest", validation.plan_digest);
    ax_json_key(out, "plan");
    ax_json_put_raw(out, validation.plan);
    ax_json_key(out, "results");
    ax_json_put_raw(out, results.len ? results : AX_STR("[]"));
    AX_TRY(show_findings(tx, ctx, id, out));
    ax_json_end_object(out);
    return AX_OK;
}

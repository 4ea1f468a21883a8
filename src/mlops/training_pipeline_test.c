#include "mlops/training_pipeline.h"

#include "mlops_case.h"

/* The German data, and training of it by the real learner's child. */
static void
prepare(struct ax_ctx *ctx, struct mlops_case *at)
{
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 20260101};
    struct ax_dataset_record dataset;
    ax_str csv = AX_STR(""), schema = AX_STR("");
    mlops_case_as(ctx, at, DANA);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("demo/german_credit.csv"), 1 << 20, &csv), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("demo/schema.json"), 1 << 20, &schema), AX_OK);
    CHECK_EQ(ax_datasets_ingest(at->datasets, ctx, schema, &shares, csv, &dataset), AX_OK);
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    directory_case_script(ctx, &at->base, "delete from outbox");
}

static char program[512];
static const char *const command[] = {program, "train-worker", NULL};

static struct ax_training_config
config_of(struct mlops_case *at)
{
    return (struct ax_training_config){.store = at->base.store,
                                       .registry = at->registry,
                                       .datasets = at->datasets,
                                       .command = command,
                                       .folder = mlops_case_path(at, "scratch"),
                                       .timeout_ms = 120'000,
                                       .memory_bytes_max = INT64_C(1) << 46, /* for ASan */
                                       .thread_count_max = 1};
}

/* False where this build's program is not known: a test that was started by hand. */
static bool
find_program(void)
{
    const char *build = getenv("AX_TEST_BUILD");
    if (!build)
        printf("skipped: AX_TEST_BUILD does not say where the program is\n");
    else
        snprintf(program, sizeof program, "%s/axiom", build);
    return build != NULL;
}

static ax_status
run(struct ax_ctx *ctx, struct mlops_case *at, const char *task, ax_str *out)
{
    ax_auto(ax_training_close) struct ax_training *training = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_training_config config = config_of(at);
    const struct ax_json *parsed;
    mlops_case_as(ctx, at, DANA);
    AX_TRY(ax_json_parse(ctx, ax_str_of(task), NULL, &parsed));
    AX_TRY(ax_training_open(ctx, &config, &training));
    AX_TRY(ax_training_run(training, ctx, parsed, &json));
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK
                                                           : ax_fail(ctx, AX_LIMIT, "no memory");
}

/* The one run there is, as it is shown. */
static const struct ax_json *
show_run(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_auto(ax_training_close) struct ax_training *training = NULL;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_training_config config = config_of(at);
    const struct ax_json *parsed = NULL;
    struct ax_store_rows *rows = NULL;
    ax_str copy = AX_STR("");
    CHECK_EQ(ax_training_open(ctx, &config, &training), AX_OK);
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(
        ax_store_query(tx, ctx, AX_STR("select id from training_runs"), AX_STORE_NO_PARAMS, &rows),
        AX_OK);
    CHECK(ax_store_next(rows));
    ax_str id = ax_store_read_text(rows, 0);
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    ax_store_rollback(ax_take(tx));
    CHECK_EQ(ax_training_show(training, ctx, id, &json), AX_OK);
    CHECK(ax_str_copy(ctx->arena, ax_writer_str(&text), &copy));
    CHECK_EQ(ax_json_parse(ctx, copy, NULL, &parsed), AX_OK);
    return parsed;
}

static ax_str
text_of(struct ax_ctx *ctx, const struct ax_json *json, const char *name)
{
    ax_str text = AX_STR("");
    CHECK_EQ(ax_json_need_text(ctx, json, name, &text), AX_OK);
    return text;
}

/* ---- a run ---- */

static void
trained(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record = {};
    struct ax_bundle bundle = {};
    struct ax_loaded_model *model = NULL;
    ax_str answer = AX_STR("");
    const struct ax_json *json = NULL;
    if (!find_program())
        return;
    prepare(ctx, at);
    CHECK_EQ(run(ctx, at,
                 "{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\","
                 "\"seed\":7,\"reference\":{\"method\":\"all_applicants\",\"rows\":50},"
                 "\"description\":\"the first\"}",
                 &answer),
             AX_OK);
    CHECK_EQ(ax_json_parse(ctx, answer, NULL, &json), AX_OK);
    CHECK_STR(text_of(ctx, json, "model"), "credit");
    CHECK_STR(text_of(ctx, json, "learner"), "scorecard");
    CHECK(ax_str_find(answer, AX_STR("\"auc\":{\"value\":0.")) != SIZE_MAX);
    CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 1, &record), AX_OK);
    CHECK_STR(record.dataset, "german");
    CHECK(ax_str_eq(record.run_id, text_of(ctx, json, "run_id")));
    CHECK_STR(record.developer, "dana");
    CHECK_EQ(ax_registry_bundle(at->registry, ctx, NULL, &record, &bundle), AX_OK);
    for (int i = 0; i < AX_BUNDLE_FILES; i++)
        CHECK(bundle.present[i]);
    CHECK(ax_str_find(bundle.manifest, AX_STR("\"split_seed\":20260101")) != SIZE_MAX);
    CHECK(ax_str_find(bundle.manifest, AX_STR("\"the first\"")) != SIZE_MAX);
    CHECK(ax_str_find(bundle.manifest, AX_STR("age_in_years")) == SIZE_MAX);
    CHECK_EQ(ax_model_load(ctx, AX_STR("credit"), 1, true, &bundle, &model), AX_OK);
    if (model)
        ax_model_unref(model);
    const struct ax_json *shown = show_run(ctx, at);
    CHECK_STR(text_of(ctx, shown, "state"), "finished");
    CHECK_STR(text_of(ctx, shown, "started_by"), "dana");
    CHECK(ax_json_find(shown, "result") != NULL);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from training_runs where version = 1"), 1);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), 2); /* version and run */
}

TEST(r15_a_run_ends_in_a_version_that_says_where_it_comes_from)
{
    mlops_case_run(trained);
}

/* ---- refusals ---- */

static void
refused(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *task;
        ax_status want;
        const char *words;
    } cases[] = {
        {"{}", AX_INVALID, "`model`"},
        {"{\"model\":\"credit\"}", AX_INVALID, "`dataset`"},
        {"{\"model\":\"credit\",\"dataset\":\"german\"}", AX_INVALID, "`learner`"},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"oracle\"}", AX_INVALID,
         "there is no learner \"oracle\"; xgboost, scorecard and logistic are known"},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\",\"seed\":-1}",
         AX_INVALID, "`seed` is -1; it must be from 0 on"},
        {"{\"model\":\"credit\",\"dataset\":\"french\",\"learner\":\"scorecard\"}", AX_NOT_FOUND,
         "no dataset \"french\""},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"dataset_version\":4,"
         "\"learner\":\"scorecard\"}",
         AX_NOT_FOUND, "no dataset \"german\" version 4"},
        {"{\"model\":\"other\",\"dataset\":\"german\",\"learner\":\"scorecard\"}", AX_NOT_FOUND,
         "no model \"other\"; make it first"},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\",\"reference\":7}",
         AX_INVALID, "`reference`"},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\","
         "\"reference\":{\"method\":\"best\"}}",
         AX_INVALID, "`reference.method` must be near_cutoff or all_applicants, not \"best\""},
        {"{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\","
         "\"reference\":{\"rows\":0}}",
         AX_INVALID, "`reference.rows` is 0; 1 to 100000 can be kept"},
    };
    ax_str answer;
    prepare(ctx, at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = run(ctx, at, cases[i].task, &answer);
        if (status != cases[i].want || !ax_test_said(ctx, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].task, ax_status_name(status),
                           ctx->error);
    }
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from training_runs"), 0);
    ax_auto(ax_training_close) struct ax_training *training = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_training_config config = config_of(at);
    CHECK_EQ(ax_training_open(ctx, &config, &training), AX_OK);
    CHECK_EQ(ax_training_show(training, ctx, AX_STR("r_1"), &json), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no training run \"r_1\"") == 0);
}

TEST(a_task_that_cannot_be_run_is_refused_before_anything_is_learnt)
{
    mlops_case_run(refused);
}

/* A child that cannot be started, or whose task its learner refuses: a failed run all the same. */
static void
failed(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_str answer;
    prepare(ctx, at);
    snprintf(program, sizeof program, "/nonexistent/axiom");
    CHECK(run(ctx, at, "{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\"}",
              &answer) != AX_OK);
    CHECK(strncmp(ctx->error, "training run r_", strlen("training run r_")) == 0);
    const struct ax_json *shown = show_run(ctx, at);
    CHECK_STR(text_of(ctx, shown, "state"), "failed");
    CHECK(text_of(ctx, shown, "error").len > 0);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), 1);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from model_versions"), 0);
}

TEST(r15_a_failed_run_is_a_row_with_its_words_and_a_fact)
{
    mlops_case_run(failed);
}

/* ---- faults ---- */

static ax_status
train_swept(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    ax_str answer;
    (void)step;
    return run(ctx, at, "{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"logistic\"}",
               &answer);
}

/* A finished run has its version; whatever is over has its fact. */
static void
after_train(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    int64_t finished = mlops_case_count(
        ctx, at, "select count(*) from training_runs where state = 'finished' and version > 0");
    int64_t over =
        mlops_case_count(ctx, at, "select count(*) from training_runs where state <> 'running'");
    int64_t versions = mlops_case_count(ctx, at, "select count(*) from model_versions");
    (void)step;
    CHECK_EQ(status == AX_OK, finished == 1);
    CHECK(versions >= finished);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), over + versions);
    directory_case_script(ctx, &at->base,
                          "delete from training_runs; delete from model_versions; delete from "
                          "outbox");
}

/* Each run is a child process of some tenths of a second: a sample, and all with AX_LONG=1. */
static void
sweep_train(struct ax_ctx *ctx, struct mlops_case *at)
{
    const int stride = getenv("AX_LONG") ? 1 : 97;
    bool fired = true;
    if (!find_program())
        return;
    prepare(ctx, at);
    for (int step = 0; fired; step += stride) {
        for (int forever = 0; forever < 2; forever++) {
            ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
            struct ax_ctx inside = ax_ctx_of(arena);
            ax_fault_arm(step, forever);
            ax_status status = train_swept(&inside, at, step);
            fired = ax_fault_disarm();
            if (fired && ax_fault_must_be_noticed() && status == AX_OK)
                ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", step);
            if (!fired && status != AX_OK)
                ax_test_failed(__FILE__, __LINE__, "unbroken run: %s", inside.error);
            after_train(ctx, at, step, status);
        }
    }
}

TEST(a_training_run_meets_faults_finished_with_its_version_or_failed)
{
    mlops_case_run(sweep_train);
}

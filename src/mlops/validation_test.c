#include "mlops/validation.h"

#include "mlops_case.h"

/* The German data as a dataset, and a scorecard trained on it by the real learner's child. */
static const char task[] = "{\"model\":\"credit\",\"dataset\":\"german\",\"learner\":\"scorecard\","
                           "\"seed\":7}";

static void
ingest(struct ax_ctx *ctx, struct mlops_case *at, struct ax_dataset_record *out)
{
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 20260101};
    ax_str csv = AX_STR(""), schema = AX_STR("");
    mlops_case_as(ctx, at, DANA);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("demo/german_credit.csv"), 1 << 20, &csv), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("demo/schema.json"), 1 << 20, &schema), AX_OK);
    CHECK_EQ(ax_datasets_ingest(at->datasets, ctx, schema, &shares, csv, out), AX_OK);
}

/* False where this build's program is not known: a test that was started by hand. */
static bool
train(struct ax_ctx *ctx, struct mlops_case *at)
{
    const char *build = getenv("AX_TEST_BUILD");
    char program[512];
    const char *command[] = {program, "train-worker", NULL};
    struct ax_training *training = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    if (!build) {
        printf("skipped: AX_TEST_BUILD does not say where the program is\n");
        return false;
    }
    snprintf(program, sizeof program, "%s/axiom", build);
    const struct ax_training_config config = {.store = at->base.store,
                                              .registry = at->registry,
                                              .datasets = at->datasets,
                                              .command = command,
                                              .folder = mlops_case_path(at, "scratch"),
                                              .timeout_ms = 120'000,
                                              .memory_bytes_max = INT64_C(1) << 46, /* for ASan */
                                              .thread_count_max = 1};
    CHECK_EQ(ax_training_open(ctx, &config, &training), AX_OK);
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(ax_training_run(training, ctx, directory_case_json(ctx, task), &json), AX_OK);
    CHECK(strstr(ax_str_c(ctx->arena, ax_writer_str(&text)), "\"held_out\"") != NULL);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from training_runs"), 1);
    ax_training_close(training);
    return true;
}

/* A member of what a call answered, as text. */
static ax_str
member(struct ax_ctx *ctx, const struct ax_writer *text, const char *name)
{
    const struct ax_json *json = NULL;
    ax_str out = AX_STR("");
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(text), NULL, &json), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, json, name, &out), AX_OK);
    return out;
}

static ax_str
begin(struct ax_ctx *ctx, struct mlops_case *at, const char *auc_min)
{
    char request[512];
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    snprintf(request, sizeof request,
             "{\"model\":\"credit\",\"version\":1,\"plan\":{\"tests\":{\"auc\":{\"min\":%s}},"
             "\"cutoff\":0.35,\"seed\":1},\"conceptual_soundness\":\"sound\"}",
             auc_min);
    const struct ax_json *parsed = directory_case_json(ctx, request);
    mlops_case_as(ctx, at, DANA);
    CHECK(ax_validations_begin(at->validations, ctx, parsed, &json) != AX_OK);
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    mlops_case_as(ctx, at, VIC);
    CHECK_EQ(ax_validations_begin(at->validations, ctx, parsed, &json), AX_OK);
    return member(ctx, &text, "id");
}

static ax_status
conclude(struct ax_ctx *ctx, struct mlops_case *at, ax_str id, const char *conclusion)
{
    char request[128];
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    snprintf(request, sizeof request, "{\"conclusion\":\"%s\",\"comment\":\"x\"}", conclusion);
    return ax_validations_conclude(at->validations, ctx, id, directory_case_json(ctx, request),
                                   &json);
}

static ax_status
run(struct ax_ctx *ctx, struct mlops_case *at, ax_str id)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    AX_TRY(ax_validations_run(at->validations, ctx, id, &json));
    return text.status; /* an answer that was cut short was none */
}

static ax_str
state_of(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record = {};
    CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 1, &record), AX_OK);
    return ax_str_of(ax_version_state_name(record.state));
}

static void
lifetime(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_dataset_record dataset = {};
    ingest(ctx, at, &dataset);
    if (!train(ctx, at))
        return;
    ax_str id = begin(ctx, at, "0.5");
    CHECK_STR(state_of(ctx, at), "in_validation");
    CHECK_EQ(conclude(ctx, at, id, "passed"), AX_CONFLICT); /* nothing was run */
    CHECK_EQ(run(ctx, at, id), AX_OK);
    CHECK_EQ(run(ctx, at, id), AX_CONFLICT); /* once */
    CHECK_EQ(conclude(ctx, at, id, "maybe"), AX_INVALID);
    CHECK_EQ(conclude(ctx, at, id, "passed"), AX_OK);
    CHECK_STR(state_of(ctx, at), "validated");
    CHECK_EQ(conclude(ctx, at, id, "failed"), AX_CONFLICT);
}

TEST(r28_a_version_is_validated_once_by_somebody_else)
{
    mlops_case_run(lifetime);
}

/* The step that can fail: a finding blocks until somebody closes it with evidence. */
static void
failing(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_dataset_record dataset = {};
    const struct ax_json *shown = NULL;
    ax_str finding = AX_STR("");
    ingest(ctx, at, &dataset);
    if (!train(ctx, at))
        return;
    ax_str id = begin(ctx, at, "0.99");
    CHECK_EQ(run(ctx, at, id), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from findings"), 1);
    CHECK_EQ(conclude(ctx, at, id, "passed"), AX_CONFLICT);
    CHECK(strstr(ctx->error, "finding") != NULL);
    CHECK_EQ(conclude(ctx, at, id, "failed"), AX_OK);
    CHECK_STR(state_of(ctx, at), "failed");
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    CHECK_EQ(ax_validations_show(at->validations, ctx, id, &json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&text), NULL, &shown), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(shown, "findings"));
    REQUIRE(ax_json_next(&it));
    CHECK_EQ(ax_json_need_text(ctx, it.value, "id", &finding), AX_OK);
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK(ax_validations_close_finding(at->validations, ctx, finding,
                                       directory_case_json(ctx, "{\"evidence\":\"\"}"),
                                       &json) != AX_OK);
    CHECK_EQ(ax_validations_close_finding(at->validations, ctx, finding,
                                          directory_case_json(ctx, "{\"evidence\":\"reviewed\"}"),
                                          &json),
             AX_OK);
}

TEST(r30_a_failed_test_is_a_finding_that_blocks)
{
    mlops_case_run(failing);
}

/* ---- a version that was trained elsewhere ---- */

/* Rows for tests/model/small/xgboost.json: its features in another order, and one it never saw. */
static void
ingest_rows(struct ax_ctx *ctx, struct mlops_case *at, const char *name, const char *const jobs[3])
{
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 1};
    ax_writer_auto struct ax_writer csv = ax_writer_of(1 << 16);
    struct ax_dataset_record record = {};
    ax_str schema = ax_str_printf(
        ctx->arena,
        "{\"name\":\"%s\",\"target\":{\"column\":\"bad\",\"positive\":\"yes\"},\"columns\":{"
        "\"income\":{\"type\":\"number\"},\"age\":{\"type\":\"number\"}}}",
        name);
    ax_writer_text(&csv, "income,never seen,job,age,bad\n");
    for (int row = 0; row < 200; row++)
        ax_writer_print(&csv, "%d,%d,%s,%d,%s\n", row * 37 % 5000, row, jobs[row % 3],
                        18 + row * 7 % 60, row * 11 % 10 < 4 ? "yes" : "no");
    mlops_case_as(ctx, at, DANA);
    CHECK_EQ(ax_datasets_ingest(at->datasets, ctx, schema, &shares, ax_writer_str(&csv), &record),
             AX_OK);
}

/* What begin says to a plan with this member; the validation in *out, if any. */
static ax_status
begin_on(struct ax_ctx *ctx, struct mlops_case *at, const char *dataset, struct ax_writer *out)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    char request[256];
    snprintf(request, sizeof request,
             "{\"model\":\"credit\",\"version\":1,\"plan\":{\"tests\":{\"psi\":{}}%s}}", dataset);
    mlops_case_as(ctx, at, VIC);
    return ax_validations_begin(at->validations, ctx, directory_case_json(ctx, request), &json);
}

static void
elsewhere(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *dataset;
        ax_status want;
        const char *words;
    } cases[] = {
        {"", AX_CONFLICT, "the plan must name one"},
        {",\"dataset\":\"none\"", AX_NOT_FOUND, "none"},
        {",\"dataset\":\"rows/2\"", AX_NOT_FOUND, "rows"},
        {",\"dataset\":\"rows/\"", AX_INVALID, "NAME/VERSION"},
        {",\"dataset\":\"rows/x\"", AX_INVALID, "NAME/VERSION"},
        {",\"dataset\":\"/1\"", AX_INVALID, "NAME/VERSION"},
        {",\"dataset\":7", AX_INVALID, "dataset"},
        {",\"dataset\":\"german\"", AX_CONFLICT, "has no feature age"},
        {",\"dataset\":\"numbers/1\"", AX_CONFLICT, "takes words, the dataset has numbers"},
        {",\"dataset\":\"others/1\"", AX_CONFLICT, "does not know \"pilot\""},
    };
    /* Codes by the order of words: nurse is 2 here and 3 in the model, which knows drivers too. */
    static const char *const words[] = {"cook", "nurse", "clerk"};
    static const char *const numbers[] = {"0.5", "1.5", "2.5"};
    static const char *const others[] = {"cook", "pilot", "clerk"};
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_version_record version = {};
    struct ax_dataset_record german = {};
    ingest(ctx, at, &german);
    ingest_rows(ctx, at, "rows", words);
    ingest_rows(ctx, at, "numbers", numbers);
    ingest_rows(ctx, at, "others", others);
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &version), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = begin_on(ctx, at, cases[i].dataset, &text);
        if (status != cases[i].want || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu ends %s: %s", i, ax_status_name(status),
                           ctx->error);
        CHECK_STR(state_of(ctx, at), "registered"); /* as before: nothing was fixed */
    }
    CHECK_EQ(begin_on(ctx, at, ",\"dataset\":\"rows\"", &text), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&text), AX_STR("\"dataset\":\"rows/1\"")) != SIZE_MAX);
    ingest_rows(ctx, at, "rows", numbers); /* a newer version: what was fixed stays */
    ax_str id = member(ctx, &text, "id");
    mlops_case_as(ctx, at, VIC);
    CHECK_EQ(run(ctx, at, id), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at,
                              "select count(*) from validations where results like '%\"n\":40,%'"),
             1);
    CHECK_EQ(conclude(ctx, at, id, "passed"), AX_OK);
    CHECK_STR(state_of(ctx, at), "validated");
}

TEST(r28_a_version_trained_elsewhere_is_validated_on_a_dataset_that_the_plan_names)
{
    mlops_case_run(elsewhere);
}

/* ---- faults: a run is kept with its findings, or not at all ---- */

static ax_str swept_id;

static ax_status
run_swept(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    (void)step;
    mlops_case_as(ctx, at, VIC);
    return run(ctx, at, swept_id);
}

static void
after_run(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    (void)step;
    bool kept = mlops_case_count(ctx, at, "select count(*) from validations where state = 'run'");
    CHECK(kept || status != AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from findings"), kept);
    directory_case_script(ctx, &at->base,
                          "update validations set state = 'fixed'; delete from findings");
}

static void
sweep_run(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_dataset_record dataset = {};
    ingest(ctx, at, &dataset);
    if (!train(ctx, at))
        return;
    swept_id = begin(ctx, at, "0.99");
    mlops_case_sweep(at, run_swept, after_run);
}

TEST(r30_a_run_meets_every_fault_with_its_findings_or_not_at_all)
{
    mlops_case_run(sweep_run);
}

static ax_status
ingest_swept(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 1};
    struct ax_dataset_record record;
    ax_str csv, schema;
    (void)step;
    mlops_case_as(ctx, at, DANA);
    AX_TRY(ax_file_read_all(ctx, AX_STR("demo/german_credit.csv"), 1 << 20, &csv));
    AX_TRY(ax_file_read_all(ctx, AX_STR("demo/schema.json"), 1 << 20, &schema));
    csv.len = ax_str_find(csv, AX_STR("\n")) + 1;
    ax_str all = {csv.at, csv.len};
    for (int row = 0; row < 60; row++) { /* enough rows for every part, few enough for a sweep */
        ax_str rest = {csv.at + all.len, SIZE_MAX / 2};
        const char *end = memchr(rest.at, '\n', 4096);
        all.len = (size_t)(end + 1 - csv.at);
    }
    return ax_datasets_ingest(at->datasets, ctx, schema, &shares, all, &record);
}

static void
after_ingest(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    struct ax_dataset_record record = {};
    struct ax_dataset_parts parts = {};
    (void)step;
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from datasets"), status == AX_OK);
    if (status == AX_OK) {
        CHECK_EQ(ax_datasets_find(at->datasets, ctx, AX_STR("german"), 0, &record), AX_OK);
        CHECK_EQ(ax_datasets_read(at->datasets, ctx, &record, &parts), AX_OK);
        CHECK_EQ(parts.features.row_count, 60);
    }
    directory_case_script(ctx, &at->base, "delete from datasets");
}

static void
sweep_ingest(struct ax_ctx *ctx, struct mlops_case *at)
{
    (void)ctx;
    mlops_case_sweep(at, ingest_swept, after_ingest);
}

TEST(r70_a_dataset_is_read_in_whole_or_not_at_all)
{
    mlops_case_run(sweep_ingest);
}

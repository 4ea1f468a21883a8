#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "harness.h"
#include "learner/learner.h"
#include "sys/file.h"
#include "sys/process.h"

/*
 * This program is its own child: told to be a worker, it is one before any test runs. Two more
 * verbs behave badly.
 */
[[gnu::constructor]] static void
be_the_child(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "train-worker") != 0) {
        if (argc == 3 && strcmp(argv[1], "train-forever") == 0)
            pause();
        if (argc == 3 && strcmp(argv[1], "train-crash") == 0) {
            fputs("the library went away\n", stderr);
            _exit(70);
        }
        return;
    }
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    _exit(ax_learner_child(&ctx, ax_str_of(argv[2])) == AX_OK ? 0 : 1);
}

enum { ROWS = 8 };
static const ax_str words[] = {{"own", 3}, {"rent", 4}};
static const double amounts[] = {1, 2, 3, 4, 5.5, 6, (double)NAN, 8};
static const double codes[] = {0, 1, 0, 1, 1, (double)NAN, 0, 1};
static const uint8_t labels[] = {0, 1, 0, 1, 1, 0, 0, 1};
static const uint64_t ids[] = {0, 1, 2, 3, 4, 5, 6, 7};
static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"housing", 7},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = words,
     .category_count = 2},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = ROWS, .row_ids = ids, .labels = labels};

static char parent[64], folder[96];

static void
make_parent(void)
{
    snprintf(parent, sizeof parent, "/tmp/axiom-learner-XXXXXX");
    CHECK(mkdtemp(parent) != NULL);
    snprintf(folder, sizeof folder, "%s/job", parent);
}

static void
remove_parent(struct ax_ctx *ctx)
{
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(parent)), AX_OK);
}

static const char RIDGE[] = "{\"ridge\":0.5}";

static ax_status
input_of(struct ax_ctx *ctx, const char *parameters, struct ax_learner_input *out_input)
{
    const struct ax_json *json = NULL;
    AX_TRY(ax_json_parse(ctx, ax_str_of(parameters), NULL, &json));
    *out_input = (struct ax_learner_input){.train = &frame,
                                           .validation = &frame,
                                           .parameters = json,
                                           .seed = UINT64_MAX,
                                           .thread_count = 1};
    return AX_OK;
}

/* A training by a child that is started with this verb. */
static uint64_t memory_bytes_max; /* of a child; 0 for no limit */

static ax_status
run(struct ax_ctx *ctx, const char *verb, const char *learner, const char *parameters,
    struct ax_learner_result *result)
{
    ax_str self = {};
    struct ax_learner_input input;
    AX_TRY(ax_process_self(ctx, &self));
    AX_TRY(input_of(ctx, parameters, &input));
    const char *program = ax_str_c(ctx->arena, self);
    if (!program)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    const char *command[] = {program, verb, NULL};
    const struct ax_learner_run job = {.command = command,
                                       .learner = ax_str_of(learner),
                                       .folder = ax_str_of(folder),
                                       .memory_bytes_max = memory_bytes_max,
                                       .timeout_ms = strstr(verb, "forever") ? 200 : 20'000};
    return ax_learner_run(ctx, &job, &input, result);
}

static void
check_child(struct ax_ctx *ctx, const char *learner, const char *parameters)
{
    struct ax_learner_result result = {}, here = {};
    struct ax_learner_input input;
    CHECK_EQ(input_of(ctx, parameters, &input), AX_OK);
    CHECK_EQ(ax_learner_train(ctx, ax_str_of(learner), &input, &here), AX_OK);
    if (run(ctx, "train-worker", learner, parameters, &result) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s: %s", learner, ctx->error);
    CHECK(ax_str_eq(result.model, here.model) && ax_str_eq(result.format, here.format));
    CHECK(ax_str_eq(result.report, here.report) && ax_str_eq(result.library, here.library));
    CHECK_EQ(result.probe_count, ROWS);
    for (size_t i = 0; i < result.probe_count; i++)
        CHECK(result.probe_margins[i] == here.probe_margins[i]);
    CHECK(!ax_file_exists(ax_str_of(folder)));
}

static void
child_body(struct ax_ctx *ctx)
{
    make_parent();
    check_child(ctx, "logistic", RIDGE);
    check_child(ctx, "scorecard", "{\"iv_min\":0,\"ridge\":0.5}");
    check_child(ctx, "xgboost", "{\"rounds\":3,\"min_child_weight\":0}");
    remove_parent(ctx);
}

TEST(learner_in_a_child_gives_what_it_gives_here)
{
    ax_test_with_ctx(child_body);
}

/* Address space: enough for the library, then far too little for it. */
static void
memory_body(struct ax_ctx *ctx)
{
    static const char *const parameters = "{\"rounds\":3,\"min_child_weight\":0}";
    struct ax_learner_result result = {}, none = {};
    make_parent();
    memory_bytes_max = (uint64_t)2 << 30;
    CHECK_EQ(run(ctx, "train-worker", "xgboost", parameters, &result), AX_OK);
    memory_bytes_max = 12 << 20;
    CHECK(run(ctx, "train-worker", "xgboost", parameters, &none) != AX_OK);
    CHECK(strstr(ctx->error, "libxgboost") && none.model.at == NULL);
    CHECK(!ax_file_exists(ax_str_of(folder)));
    remove_parent(ctx);
}

TEST(learner_child_keeps_within_its_memory)
{
    if (AX_ADDRESS_SANITIZED || AX_THREAD_SANITIZED)
        puts("skipped: a sanitized program needs more address space than any limit leaves it");
    else
        ax_test_with_ctx(memory_body);
}

static void
failures_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *verb, *learner;
        ax_status want;
        const char *words;
    } cases[] = {
        {"train-worker", "oracle", AX_NOT_FOUND, "there is no learner `oracle`"},
        {"train-worker", "xgboost", AX_INVALID, "train xgboost: there is no parameter `ridge`"},
        {"train-crash", "logistic", AX_INTERNAL, "exit code 70: the library went away"},
        {"train-forever", "logistic", AX_TIMEOUT, "200 ms"},
    };
    make_parent();
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_learner_result result = {};
        CHECK_EQ(run(ctx, cases[i].verb, cases[i].learner, RIDGE, &result), cases[i].want);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
        CHECK(result.model.at == NULL);
        CHECK(!ax_file_exists(ax_str_of(folder))); /* nobody's rows stay behind */
    }
    struct ax_learner_result result = {};
    CHECK_EQ(ax_file_make_folders(ctx, ax_str_of(folder)), AX_OK);
    CHECK_EQ(run(ctx, "train-worker", "logistic", RIDGE, &result), AX_CONFLICT);
    CHECK(ax_file_exists(ax_str_of(folder))); /* it is somebody else's */
    remove_parent(ctx);
}

TEST(learner_run_passes_on_what_the_child_says)
{
    ax_test_with_ctx(failures_body);
}

/* ---- the child's side, in this process ---- */

static ax_status
write_job(struct ax_ctx *ctx, ax_str job)
{
    ax_str rows = {}, path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("train.rows"));
    ax_str job_path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("job.json"));
    if (!path.at || !job_path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_file_make_folders(ctx, ax_str_of(folder)));
    AX_TRY(ax_frame_encode(ctx, &frame, &rows));
    AX_TRY(ax_file_write_atomic(ctx, path, rows));
    return ax_file_write_atomic(ctx, job_path, job);
}

static ax_status
be_child(struct ax_ctx *ctx)
{
    ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("job.json"));
    return path.at ? ax_learner_child(ctx, path) : ax_fail(ctx, AX_LIMIT, "no memory");
}

static const char JOB[] =
    "{\"axiom_job\":1,\"learner\":\"logistic\",\"seed\":1,\"threads\":1,\"validation\":false}";
enum { JOB_LEN = sizeof JOB - 1 };

/* A job that was cut or bent: one status and one sentence, and the result file says the same. */
static void
cut_body(struct ax_ctx *ctx)
{
    make_parent();
    for (size_t at = 0; at < 2 * JOB_LEN; at++) {
        char bent[JOB_LEN];
        memcpy(bent, JOB, JOB_LEN);
        bent[at % JOB_LEN] ^= 0x10;
        bool cut = at < JOB_LEN;
        CHECK_EQ(write_job(ctx, (ax_str){cut ? JOB : bent, cut ? at : JOB_LEN}), AX_OK);
        ctx->error[0] = '\0';
        ax_status status = be_child(ctx);
        CHECK(status == AX_OK ? !cut : ctx->error[0] != '\0');
        CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
        ax_arena_reset(ctx->arena);
    }
    remove_parent(ctx);
}

TEST(learner_child_refuses_a_job_that_was_cut_or_bent)
{
    ax_test_with_ctx(cut_body);
}

static void
hostile_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *job;
        ax_status want;
        const char *words;
    } cases[] = {
        {"{}", AX_INVALID, "`axiom_job` is missing"},
        {"{\"axiom_job\":2,\"learner\":\"logistic\",\"threads\":1,\"validation\":false,\"seed\":1}",
         AX_UNSUPPORTED, "`axiom_job` must be 1, not 2"},
        {"{\"axiom_job\":1,\"learner\":\"logistic\",\"threads\":0,\"validation\":false,\"seed\":1}",
         AX_INVALID, "`threads` must be 1 to 1024"},
        {"{\"axiom_job\":1,\"learner\":\"logistic\",\"threads\":1,\"validation\":false,"
         "\"seed\":-1}",
         AX_INVALID, "`seed` must be a whole number"},
        {"{\"axiom_job\":1,\"learner\":\"logistic\",\"threads\":1,\"validation\":true,\"seed\":1}",
         AX_NOT_FOUND, "validation.rows"},
        {"{\"axiom_job\":1,\"learner\":\"magic\",\"threads\":1,\"validation\":false,\"seed\":1}",
         AX_NOT_FOUND, "there is no learner `magic`"},
    };
    make_parent();
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(write_job(ctx, ax_str_of(cases[i].job)), AX_OK);
        CHECK_EQ(be_child(ctx), cases[i].want);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
    }
    remove_parent(ctx);
}

TEST(learner_child_names_what_is_wrong_with_a_job)
{
    ax_test_with_ctx(hostile_body);
}

static ax_status
child_sweep_body(struct ax_ctx *ctx)
{
    AX_TRY(write_job(ctx, ax_str_of(JOB)));
    return be_child(ctx);
}

TEST(learner_child_notices_every_failed_step)
{
    make_parent();
    FAULT_SWEEP(child_sweep_body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    remove_parent(&ctx);
}

/* A lasting fault leaves its folder behind, so each run has a new one. */
static ax_status
run_sweep_body(struct ax_ctx *ctx)
{
    static int runs;
    struct ax_learner_result result = {};
    snprintf(folder, sizeof folder, "%s/job%d", parent, runs++);
    ax_status status = run(ctx, "train-worker", "logistic", RIDGE, &result);
    CHECK((status == AX_OK) == (result.model.at != NULL));
    CHECK(status != AX_OK || !ax_file_exists(ax_str_of(folder)));
    return status;
}

TEST(learner_run_notices_every_failed_step)
{
    make_parent();
    FAULT_SWEEP(run_sweep_body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    remove_parent(&ctx);
}

#include "mlops/tracking_source_own.h"

#include "mlops/experiment_model.h"
#include "tracking_case.h"

static size_t
count_of(struct ax_ctx *ctx, struct ax_tracking_source_own *own, const struct ax_tracking_ask *ask,
         const char *member)
{
    const struct ax_json *answer = NULL;
    if (ax_tracking_source_ask(&own->base, ctx, ask, &answer) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "question %d: %s", (int)ask->question, ctx->error);
    return ax_json_count(ax_json_find(answer, member));
}

static void
fill(struct ax_ctx *ctx, struct tracking_case *at)
{
    TRACKING_CASE_SHOWN(shown);
    const struct ax_registered_model_new model = {.name = AX_STR("credit"),
                                                  .description = AX_STR("")};
    const struct ax_registered_version_new version = {.model = AX_STR("credit"),
                                                      .source = AX_STR("s3://bucket/m"),
                                                      .description = AX_STR(""),
                                                      .run_id = AX_STR(""),
                                                      .run_link = AX_STR(""),
                                                      .logged_model_id = AX_STR("")};
    const struct ax_experiment_model_new logged = {.experiment_id = AX_STR("0"),
                                                   .name = AX_STR("lr"),
                                                   .model_type = AX_STR(""),
                                                   .source_run_id = AX_STR("")};
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &model, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_version_create(at->registry, ctx, &version, &shown.json), AX_OK);
    CHECK_EQ(ax_experiment_model_create(at->experiments, ctx, &logged, &shown.json), AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("0/a/b.txt"), AX_STR("hello")), AX_OK);
}

static void
answers(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_tracking_source_own own;
    const struct ax_json *answer = NULL;
    ax_tracking_source_own_init(&own, at->experiments, at->registry, at->artifacts);
    fill(ctx, at);
    ax_str run = tracking_case_make_run(ctx, at, "one");
    CHECK_EQ(tracking_case_log(ctx, at, run, "loss", (struct ax_metric){.value = 1}), AX_OK);
    const struct {
        struct ax_tracking_ask ask;
        const char *member;
        size_t want;
    } cases[] = {
        {{.question = AX_TRACKING_EXPERIMENTS}, "experiments", 1},
        {{.question = AX_TRACKING_RUNS, .id = AX_STR("0")}, "runs", 1},
        {{.question = AX_TRACKING_RUN, .id = run}, "run", 4},
        {{.question = AX_TRACKING_HISTORY, .id = run, .key = AX_STR("loss")}, "metrics", 1},
        {{.question = AX_TRACKING_MODELS, .id = AX_STR("0")}, "models", 1},
        {{.question = AX_TRACKING_REGISTERED}, "registered_models", 1},
        {{.question = AX_TRACKING_REGISTERED, .key = AX_STR("prompts")}, "registered_models", 0},
        {{.question = AX_TRACKING_VERSIONS}, "model_versions", 1},
        {{.question = AX_TRACKING_FILES, .key = AX_STR("")}, "files", 1},
        {{.question = AX_TRACKING_FILES, .key = AX_STR("0/a")}, "files", 1},
        {{.question = AX_TRACKING_FILES, .key = AX_STR("7")}, "files", 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(count_of(ctx, &own, &cases[i].ask, cases[i].member), cases[i].want);
    const struct ax_tracking_ask location = {
        .question = AX_TRACKING_LOCATION, .id = AX_STR("credit"), .key = AX_STR("1")};
    CHECK_EQ(ax_tracking_source_ask(&own.base, ctx, &location, &answer), AX_OK);
    ax_str uri = AX_STR("");
    CHECK(ax_json_text(ax_json_find(answer, "artifact_uri"), &uri));
    CHECK_STR(uri, "s3://bucket/m");
    const struct ax_tracking_ask unknown = {.question = AX_TRACKING_RUN, .id = AX_STR("none")};
    CHECK_EQ(ax_tracking_source_ask(&own.base, ctx, &unknown, &answer), AX_NOT_FOUND);
    const struct ax_tracking_ask elsewhere = {.question = AX_TRACKING_RUN_FILES, .id = run};
    CHECK_EQ(ax_tracking_source_ask(&own.base, ctx, &elsewhere, &answer), AX_UNSUPPORTED);
}

TEST(a_data_directory_answers_every_question)
{
    tracking_case_run(answers);
}

static void
fetches(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_tracking_source_own own;
    const struct ax_tracking_ask ask = {.question = AX_TRACKING_FILES, .key = AX_STR("0/a/b.txt")};
    const struct ax_tracking_ask none = {.question = AX_TRACKING_FILES, .key = AX_STR("0/a/c")};
    const struct ax_tracking_ask out = {.question = AX_TRACKING_FILES, .key = AX_STR("../x")};
    ax_str path = ax_str_printf(ctx->arena, "%s/fetched", at->base.folder), bytes = AX_STR("");
    uint64_t came = 0;
    ax_file file;
    ax_tracking_source_own_init(&own, at->experiments, at->registry, at->artifacts);
    fill(ctx, at);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &file), AX_OK);
    CHECK_EQ(ax_tracking_source_fetch(&own.base, ctx, &ask, file, &came), AX_OK);
    CHECK_EQ(came, 5);
    CHECK_EQ(ax_tracking_source_fetch(&own.base, ctx, &none, file, &came), AX_NOT_FOUND);
    CHECK_EQ(ax_tracking_source_fetch(&own.base, ctx, &out, file, &came), AX_INVALID);
    ax_file_close(&file);
    CHECK_EQ(ax_file_read_all(ctx, path, 100, &bytes), AX_OK);
    CHECK_STR(bytes, "hello");
}

TEST(its_files_are_read_where_they_lie)
{
    tracking_case_run(fetches);
}

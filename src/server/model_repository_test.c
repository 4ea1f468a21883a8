#include "server/model_repository.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "sys/file.h"

#define GOLDEN "tests/model/xgboost-3.2.0/"
#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct ax_model_repository_file files[] = {
    {{"one", 3}, LITERAL(GOLDEN "binary_logitraw/model.ubj")},
    {{"two", 3}, LITERAL(GOLDEN "cat_partition/model.ubj")},
};

struct served {
    struct ax_metrics *metrics;
    struct ax_model_server *server;
    struct ax_lane *lane;
};

static ax_status
serve(struct ax_ctx *ctx, struct served *served)
{
    AX_TRY(ax_metrics_open(ctx, &served->metrics));
    const struct ax_model_server_config config = {.metrics = served->metrics};
    AX_TRY(ax_model_server_open(ctx, &config, &served->server));
    return ax_lane_open(ctx, served->server, &served->lane);
}

static void
stop(struct served *served)
{
    ax_lane_close(served->lane);
    ax_model_server_close(served->server);
    if (served->metrics)
        ax_metrics_close(served->metrics);
}

static ax_status
open_files(struct ax_ctx *ctx, const struct served *served,
           const struct ax_model_repository_file *of, size_t count,
           struct ax_model_repository **out_repository)
{
    const struct ax_model_repository_config config = {
        .server = served->server, .files = of, .file_count = count};
    return ax_model_repository_open(ctx, &config, out_repository);
}

static bool
is_served(const struct served *served, const char *name)
{
    const struct ax_plan *plan = ax_lane_plan(served->lane);
    return plan && ax_plan_model(plan, ax_str_of(name), 0) != NULL;
}

static bool
is_shown(struct ax_model_repository *repository, const char *text)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(10'000);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_json_begin_array(&json);
    ax_model_repository_show_unloaded(repository, &json);
    ax_json_end_array(&json);
    return ax_str_eq(ax_writer_str(&out), ax_str_of(text));
}

static void
loads_and_unloads(struct ax_ctx *ctx)
{
    struct served served = {};
    struct ax_model_repository *repository;
    CHECK_EQ(serve(ctx, &served), AX_OK);
    CHECK_EQ(open_files(ctx, &served, files, 2, &repository), AX_OK);
    CHECK(is_served(&served, "one") && is_served(&served, "two"));
    CHECK(is_shown(repository, "[]"));
    CHECK_EQ(ax_model_repository_unload(repository, ctx, AX_STR("one")), AX_OK);
    CHECK_EQ(ax_model_repository_unload(repository, ctx, AX_STR("one")), AX_OK);
    CHECK(!is_served(&served, "one") && is_served(&served, "two"));
    CHECK(is_shown(repository, "[{\"name\":\"one\",\"version\":\"1\",\"state\":\"UNAVAILABLE\","
                               "\"reason\":\"unloaded\"}]"));
    CHECK_EQ(ax_model_repository_load(repository, ctx, AX_STR("one")), AX_OK);
    CHECK_EQ(ax_model_repository_load(repository, ctx, AX_STR("one")), AX_OK);
    CHECK(is_served(&served, "one") && is_served(&served, "two"));
    CHECK_EQ(ax_model_repository_load(repository, ctx, AX_STR("three")), AX_NOT_FOUND);
    CHECK_STR(ax_str_of(ctx->error), "failed to load 'three': no model file was given for 'three'");
    CHECK_EQ(ax_model_repository_unload(repository, ctx, AX_STR("three")), AX_NOT_FOUND);
    ax_model_repository_close(repository);
    stop(&served);
}

TEST(model_repository_loads_and_unloads_by_name)
{
    ax_test_with_ctx(loads_and_unloads);
}

static void
opens_engines_as_told(struct ax_ctx *ctx)
{
    struct served served = {};
    struct ax_model_repository *repository;
    CHECK_EQ(serve(ctx, &served), AX_OK);
    const struct ax_model_repository_config config = {.server = served.server,
                                                      .engine = {.kernel = AX_ENGINE_KERNEL_MASKS},
                                                      .files = files,
                                                      .file_count = 1};
    CHECK_EQ(ax_model_repository_open(ctx, &config, &repository), AX_OK);
    const struct ax_loaded_model *model =
        ax_plan_model(ax_lane_plan(served.lane), AX_STR("one"), 0);
    CHECK(model && ax_engine_signature(model->engine)->row_kernel == AX_ENGINE_KERNEL_MASKS);
    ax_model_repository_close(repository);
    stop(&served);
}

TEST(repository_opens_engines_as_it_was_told)
{
    ax_test_with_ctx(opens_engines_as_told);
}

static void
keeps_what_was(struct ax_ctx *ctx)
{
    struct served served = {};
    struct ax_model_repository *repository;
    char path[] = "/tmp/axiom-repository-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    ax_str bytes;
    CHECK_EQ(ax_file_read_all(ctx, files[0].path, 1 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(path), bytes), AX_OK);
    const struct ax_model_repository_file changing = {AX_STR("m"), ax_str_of(path)};
    CHECK_EQ(serve(ctx, &served), AX_OK);
    CHECK_EQ(open_files(ctx, &served, &changing, 1, &repository), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(path), AX_STR("no model")), AX_OK);
    CHECK_EQ(ax_model_repository_load(repository, ctx, AX_STR("m")), AX_INVALID);
    CHECK(strstr(ctx->error, path) != NULL);
    CHECK(is_served(&served, "m"));
    ax_model_repository_close(repository);
    CHECK_EQ(open_files(ctx, &served, &changing, 1, &repository), AX_INVALID);
    stop(&served);
    unlink(path);
}

TEST(model_repository_goes_on_with_what_was_when_a_file_is_broken)
{
    ax_test_with_ctx(keeps_what_was);
}

static ax_status
open_once(struct ax_ctx *ctx)
{
    struct served served = {};
    struct ax_model_repository *repository = NULL;
    ax_status status = serve(ctx, &served);
    if (status == AX_OK)
        status = open_files(ctx, &served, files, 1, &repository);
    if (status == AX_OK)
        status = ax_model_repository_load(repository, ctx, AX_STR("one"));
    if (status == AX_OK)
        status = ax_model_repository_unload(repository, ctx, AX_STR("one"));
    if (repository)
        ax_model_repository_close(repository);
    stop(&served);
    return status;
}

TEST(model_repository_survives_every_fault)
{
    FAULT_SWEEP(open_once);
}

#include "server/mlflow_export.h"

#include "server_case.h"

static void
refused(struct ax_ctx *ctx)
{
    struct server_case made;
    struct ax_tracking_import_counts counts;
    server_case_make(ctx, &made);
    CHECK_EQ(server_case_init(ctx, &made), AX_OK);
    ax_str empty = ax_path_join(ctx->arena, ax_str_of(made.folder), AX_STR("empty.db"));
    CHECK_EQ(ax_file_write_atomic(ctx, empty, AX_STR("")), AX_OK);
    const struct {
        ax_str from, to;
        ax_status want;
        const char *says;
    } cases[] = {
        {made.root, AX_STR("mysql://x"), AX_UNSUPPORTED, "sqlite:///FILE can"},
        {made.root, AX_STR("sqlite:///"), AX_UNSUPPORTED, "sqlite:///FILE can"},
        {made.root, AX_STR("sqlite:////nowhere/mlflow.db"), AX_NOT_FOUND, "let MLflow make it"},
        {made.root, ax_str_printf(ctx->arena, "sqlite:///%.*s", AX_FMT(empty)), AX_UNSUPPORTED,
         "MLflow has made no tables"},
        {AX_STR("/nowhere/data"), ax_str_printf(ctx->arena, "sqlite:///%.*s", AX_FMT(empty)),
         AX_NOT_FOUND, "no data directory"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_mlflow_export export = {
            .from = cases[i].from, .to = cases[i].to, .artifacts = AX_STR("")};
        CHECK_EQ(ax_mlflow_export(ctx, &export, &counts), cases[i].want);
        CHECK(ax_test_said(ctx, cases[i].says));
        CHECK(ctx->actor == NULL);
    }
    CHECK(!ax_file_exists(ax_str_printf(ctx->arena, "%.*s.part", AX_FMT(empty))));
    server_case_done(ctx, &made);
}

TEST(only_a_database_that_mlflow_made_takes_an_export)
{
    ax_test_with_ctx(refused);
}

#include "server/mlflow_import.h"

#include "server_case.h"

static void
refused(struct ax_ctx *ctx)
{
    struct server_case made;
    struct ax_tracking_import_counts counts;
    server_case_make(ctx, &made);
    static const struct {
        const char *from;
        ax_status want;
        const char *says;
    } cases[] = {
        {"mysql://x", AX_UNSUPPORTED, "sqlite:///FILE or postgresql://"},
        {"sqlite:////nowhere/mlflow.db", AX_NOT_FOUND, "nowhere"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_mlflow_import import = {
            .from = ax_str_of(cases[i].from), .artifacts = AX_STR(""), .data_dir = made.root};
        CHECK_EQ(ax_mlflow_import(ctx, &import, &counts), cases[i].want);
        CHECK(ax_test_said(ctx, cases[i].says));
        CHECK(ctx->actor == NULL);
    }
    const struct ax_mlflow_import into_new = {
        .from = AX_STR("sqlite:////nowhere/mlflow.db"),
        .artifacts = AX_STR(""),
        .data_dir = ax_path_join(ctx->arena, made.root, AX_STR("new"))};
    CHECK_EQ(ax_mlflow_import(ctx, &into_new, &counts), AX_NOT_FOUND);
    CHECK(!ax_file_exists(into_new.data_dir)); /* nothing came, nothing is made */
    server_case_done(ctx, &made);
}

TEST(only_what_mlflow_keeps_in_sqlite_and_postgresql_is_imported)
{
    ax_test_with_ctx(refused);
}

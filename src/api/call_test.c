#include "mlflow_case.h"

#define ARTIFACTS "/api/2.0/mlflow-artifacts/artifacts/"

enum { BYTES = 3'000'001 }; /* several pieces */

static void
permit_nothing(struct api_case *at)
{
    at->default_permission = "NO_PERMISSIONS";
}

static ax_str
long_body(struct ax_ctx *ctx)
{
    char *bytes = ax_arena_alloc(ctx->arena, 1, BYTES);
    CHECK(bytes != NULL);
    if (bytes)
        memset(bytes, 'x', BYTES);
    return (ax_str){bytes, bytes ? BYTES : 0};
}

/* What a protocol's own permissions refuse is refused before a byte of it is kept. */
static void
refused_uploads(struct ax_ctx *ctx, struct api_case *at)
{
    ax_str body = long_body(ctx);
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[NEW] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "POST " MLFLOW_API "experiments/create",
                          AX_STR("{\"name\":\"one\"}"))
                 .status,
             200);
    struct api_case_answer answer =
        api_case_ask(ctx, at, NEW, "PUT " ARTIFACTS "1/run/artifacts/a", body);
    CHECK_EQ(answer.status, 403);
    CHECK(api_case_says(&answer, "dora has NO_PERMISSIONS of experiment"));
    CHECK_EQ(api_case_ask(ctx, at, DANA, "GET " ARTIFACTS "1/run/artifacts/a", AX_STR("")).status,
             404);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "PUT " ARTIFACTS "1/run/artifacts/a", body).status, 200);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "GET " ARTIFACTS "1/run/artifacts/a", AX_STR("")).body.len,
             BYTES);
}

TEST(nothing_of_a_body_is_taken_that_is_not_permitted)
{
    api_case_run_set(permit_nothing, refused_uploads);
}

/* A password is verified before the first piece; a wrong one is told whatever is being sent. */
static void
upload_with_password(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *pair;
        int status;
    } rows[] = {{"dana:wrong word", 401}, {"dana:pass word", 200}, {"dana:pass word", 200}};
    ax_str body = long_body(ctx);
    CHECK_EQ(ax_passwords_set(at->passwords, ctx, AX_STR("dana"), AX_STR("pass word")), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        mlflow_case_password(ctx, at, rows[i].pair);
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "PUT " ARTIFACTS "1/run/artifacts/a", body).status,
                 rows[i].status);
    }
}

TEST(r84_a_password_is_verified_before_a_long_body_is_taken)
{
    api_case_run(upload_with_password);
}

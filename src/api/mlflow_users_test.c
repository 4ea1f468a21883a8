#include "mlflow_case.h"

#define USERS  MLFLOW_API "users/"
#define USERS3 "/api/3.0/mlflow/users/permissions/"

static void
users(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST " USERS "create", "{\"username\":\"eve\",\"password\":\"pass word\"}", 403,
         "PERMISSION_DENIED"},
        {AMY, "POST " USERS "create", "{\"username\":\"eve\"}", 400, "'password'"},
        {AMY, "POST " USERS "create", "{\"username\":\"eve\",\"password\":\"short\"}", 400,
         "a password has 8 to 256 bytes"},
        {AMY, "POST " USERS "create", "{\"username\":\"E V E\",\"password\":\"pass word\"}", 400,
         "`id` must be"},
        {AMY, "POST " USERS "create", "{\"username\":\"eve\",\"password\":\"pass word\"}", 200,
         "{\"user\":{\"id\":\"eve\",\"username\":\"eve\",\"is_admin\":false,"
         "\"experiment_permissions\":[],\"registered_model_permissions\":[]}}"},
        {AMY, "POST " USERS "create", "{\"username\":\"eve\",\"password\":\"pass word\"}", 400,
         "RESOURCE_ALREADY_EXISTS"},
        {DANA, "GET " USERS "get?username=eve", "", 200, "\"is_admin\":false"},
        {DANA, "GET " USERS "get?username=amy", "", 200, "\"is_admin\":true"},
        {SAM, "GET " USERS "get?username=eve", "", 403, "may not read who the users are"},
        {SAM, "GET " USERS "get?username=sam", "", 200, "\"sam\""},
        {SAM, "GET " USERS "current", "", 200, "\"username\":\"sam\""},
        {DANA, "GET " USERS "list", "", 200, "\"username\":\"eve\""},
        {DANA, "PATCH " USERS "update-password",
         "{\"username\":\"eve\",\"password\":\"new password\"}", 403, "by its owner"},
        {AMY, "PATCH " USERS "update-password",
         "{\"username\":\"eve\",\"password\":\"new password\"}", 200, "{}"},
        {AMY, "PATCH " USERS "update-password",
         "{\"username\":\"nobody\",\"password\":\"new password\"}", 404, "nobody"},
        {AMY, "PATCH " USERS "update-admin", "{\"username\":\"eve\",\"is_admin\":true}", 403,
         "two people"},
        {AMY, "DELETE " USERS "delete", "{\"username\":\"eve\"}", 200, "{}"},
        {AMY, "GET " USERS "get?username=nobody", "", 404, "nobody"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer list = api_case_ask(ctx, at, DANA, "GET " USERS "list", AX_STR(""));
    CHECK(!api_case_says(&list, "\"eve\"")); /* who was deleted */
}

TEST(mlflows_users_are_the_directorys)
{
    api_case_run(users);
}

static struct api_case_answer
ask_as(struct ax_ctx *ctx, struct api_case *at, const char *pair, const char *line,
       const char *body)
{
    mlflow_case_password(ctx, at, pair);
    return api_case_ask(ctx, at, NOBODY, line, ax_str_of(body));
}

static void
passwords(struct ax_ctx *ctx, struct api_case *at)
{
    static const char get[] = "GET " USERS "current";
    const ax_str dana = AX_STR("dana");
    CHECK_EQ(ax_passwords_set(at->passwords, ctx, dana, AX_STR("pass word")), AX_OK);
    CHECK_EQ(ask_as(ctx, at, "dana:wrong word", get, "").status, 401);
    CHECK_EQ(ask_as(ctx, at, "nobody:pass word", get, "").status, 401);
    CHECK_EQ(ask_as(ctx, at, "vic:pass word", get, "").status, 401);
    CHECK_EQ(ask_as(ctx, at, "dana", get, "").status, 401);
    for (int i = 0; i < 3; i++) { /* verified, then remembered */
        struct api_case_answer answer = ask_as(ctx, at, "dana:pass word", get, "");
        CHECK_EQ(answer.status, 200);
        CHECK(api_case_says(&answer, "\"username\":\"dana\""));
    }
    CHECK_EQ(ask_as(ctx, at, "dana:pass word", "GET /api/v1/whoami", "").status, 401);
    CHECK_EQ(ask_as(ctx, at, "dana:pass word", "GET " USERS "get?username=vic", "").status, 200);
    ax_str pair = ax_str_printf(ctx->arena, "dana:%.*s", AX_FMT(at->tokens[DANA]));
    CHECK_EQ(ask_as(ctx, at, ax_str_c(ctx->arena, pair), get, "").status, 200);
    pair = ax_str_printf(ctx->arena, "vic:%.*s", AX_FMT(at->tokens[DANA]));
    CHECK_EQ(ask_as(ctx, at, ax_str_c(ctx->arena, pair), get, "").status, 401);
    CHECK_EQ(ax_passwords_set(at->passwords, ctx, dana, AX_STR("another word")), AX_OK);
    CHECK_EQ(ask_as(ctx, at, "dana:pass word", get, "").status, 401); /* at once */
    CHECK_EQ(ask_as(ctx, at, "dana:another word", get, "").status, 200);
}

TEST(r84_a_password_opens_tracking_and_nothing_else)
{
    api_case_run(passwords);
}

/* A role that is missing is told only to who has shown that it is them. */
static void
after_verifying(struct ax_ctx *ctx, struct api_case *at)
{
    static const char create[] = "POST " USERS "create";
    CHECK_EQ(ax_passwords_set(at->passwords, ctx, AX_STR("dana"), AX_STR("pass word")), AX_OK);
    CHECK_EQ(ask_as(ctx, at, "dana:wrong word", create, "{}").status, 401);
    CHECK_EQ(ask_as(ctx, at, "dana:pass word", create, "{}").status, 403);
    CHECK_EQ(ask_as(ctx, at, "dana:pass word", create, "{}").status, 403);
}

TEST(r84_a_role_is_asked_for_after_the_password)
{
    api_case_run(after_verifying);
}

static void
of_any_kind(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST " MLFLOW_API "experiments/create", "{\"name\":\"one\"}", 200, "\"1\""},
        {DANA, "POST " USERS3 "grant",
         "{\"username\":\"new\",\"resource_type\":\"experiment\",\"resource_id\":\"1\","
         "\"permission\":\"READ\"}",
         200, "{}"},
        {DANA, "POST " USERS3 "grant",
         "{\"username\":\"new\",\"resource_type\":\"experiment\",\"resource_id\":\"1\","
         "\"permission\":\"USE\"}",
         200, "{}"}, /* again, another one */
        {NEW, "GET " USERS3 "get?username=new&resource_type=experiment&resource_id=1", "", 200,
         "{\"allowed\":true,\"permission\":\"USE\"}"},
        {NEW, "GET " USERS3 "get?username=new&resource_type=experiment&resource_id=0", "", 200,
         "{\"allowed\":false,\"permission\":\"NO_PERMISSIONS\"}"},
        {NEW, "GET " USERS3 "get?username=dana&resource_type=experiment&resource_id=1", "", 403,
         "does not manage"},
        {DANA, "GET " USERS3 "get?username=new&resource_type=experiment&resource_id=1", "", 200,
         "USE"},
        {DANA, "POST " USERS3 "grant",
         "{\"username\":\"new\",\"resource_type\":\"prompt\",\"resource_id\":\"1\","
         "\"permission\":\"READ\"}",
         400, "none of experiment and registered_model"},
        {NEW, "POST " USERS3 "revoke",
         "{\"username\":\"new\",\"resource_type\":\"experiment\",\"resource_id\":\"1\"}", 403,
         "does not manage"},
        {DANA, "POST " USERS3 "revoke",
         "{\"username\":\"new\",\"resource_type\":\"experiment\",\"resource_id\":\"1\"}", 200,
         "{}"},
        {DANA, "POST " USERS3 "revoke",
         "{\"username\":\"new\",\"resource_type\":\"experiment\",\"resource_id\":\"1\"}", 404,
         "permitted nothing"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(newer_clients_permit_things_of_any_kind_by_one_family)
{
    api_case_run(of_any_kind);
}

#include "api/mlflow_permissions.h"

#include "mlflow_case.h"

#define EXPERIMENTS MLFLOW_API "experiments/"
#define MODELS      MLFLOW_API "registered-models/"
#define GRANT       MLFLOW_API "experiments/permissions/"

static void
permit_nothing(struct api_case *at)
{
    at->default_permission = "NO_PERMISSIONS";
}

static void
read_only(struct api_case *at)
{
    at->default_permission = "READ";
}

/* dana makes it and manages it; dora, another developer, gets what she is given; new has no role.
 */
static void
levels(struct ax_ctx *ctx, struct api_case *at)
{
    enum { DORA = SAM };
    static const struct api_case_row rows[] = {
        {DANA, "POST " EXPERIMENTS "create", "{\"name\":\"one\"}", 200, "\"1\""},
        {DORA, "GET " EXPERIMENTS "get?experiment_id=1", "", 403, "dora has NO_PERMISSIONS of"},
        {DORA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"dora\",\"permission\":\"MANAGE\"}", 403,
         "does not manage"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"dora\",\"permission\":\"READ\"}", 200,
         "{\"experiment_permission\":{\"experiment_id\":\"1\",\"user_id\":\"dora\",\"permission\":"
         "\"READ\"}}"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"dora\",\"permission\":\"READ\"}", 400,
         "RESOURCE_ALREADY_EXISTS"},
        {DORA, "GET " EXPERIMENTS "get?experiment_id=1", "", 200, "\"one\""},
        {DORA, "GET " EXPERIMENTS "get-by-name?experiment_name=one", "", 200, "\"one\""},
        {DORA, "POST " EXPERIMENTS "set-experiment-tag",
         "{\"experiment_id\":\"1\",\"key\":\"a\",\"value\":\"b\"}", 403, "this takes EDIT"},
        {DANA, "PATCH " GRANT "update",
         "{\"experiment_id\":\"1\",\"username\":\"dora\",\"permission\":\"EDIT\"}", 200, "{}"},
        {DORA, "POST " EXPERIMENTS "set-experiment-tag",
         "{\"experiment_id\":\"1\",\"key\":\"a\",\"value\":\"b\"}", 200, "{}"},
        {DORA, "POST " EXPERIMENTS "delete", "{\"experiment_id\":\"1\"}", 403, "this takes MANAGE"},
        {DANA, "GET " GRANT "get?experiment_id=1&username=dora", "", 200, "\"EDIT\""},
        {DANA, "GET " GRANT "get?experiment_id=1&username=vic", "", 404, "permitted nothing"},
        {NEW, "GET " EXPERIMENTS "get?experiment_id=1", "", 403, "new has NO_PERMISSIONS"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"new\",\"permission\":\"EDIT\"}", 200, "EDIT"},
        {NEW, "GET " EXPERIMENTS "get?experiment_id=1", "", 200, "\"one\""},
        {NEW, "POST " MLFLOW_API "runs/create", "{\"experiment_id\":\"1\"}", 200, "\"run_id\""},
        {NEW, "POST " MLFLOW_API "runs/create", "{}", 403, "experiment \\\"0\\\""},
        {NEW, "POST " EXPERIMENTS "create", "{\"name\":\"two\"}", 403, "may not"},
        {NEW, "GET /api/v1/models", "", 403, "denied"}, /* tracking alone */
        {DANA, "DELETE " GRANT "delete", "{\"experiment_id\":\"1\",\"username\":\"new\"}", 200,
         "{}"},
        {DANA, "DELETE " GRANT "delete", "{\"experiment_id\":\"1\",\"username\":\"new\"}", 404,
         "permitted nothing"},
        {NEW, "GET " EXPERIMENTS "get?experiment_id=1", "", 403, "NO_PERMISSIONS"},
        {AMY, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"vic\",\"permission\":\"READ\"}", 200, "READ"},
        {VIC, "GET " EXPERIMENTS "get?experiment_id=1", "", 200, "\"one\""},
        {VIC, "POST " EXPERIMENTS "delete", "{\"experiment_id\":\"1\"}", 403, "developer"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"nobody\",\"permission\":\"READ\"}", 404,
         "nobody"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"ada\",\"permission\":\"WRITE\"}", 400,
         "Invalid permission 'WRITE'"},
    };
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[DORA] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(who_makes_an_experiment_manages_it_and_others_have_what_they_were_permitted)
{
    api_case_run_set(permit_nothing, levels);
}

static void
lists(struct ax_ctx *ctx, struct api_case *at)
{
    enum { DORA = SAM };
    static const struct api_case_row before[] = {
        {DANA, "POST " EXPERIMENTS "create", "{\"name\":\"seen\"}", 200, "\"1\""},
        {DANA, "POST " EXPERIMENTS "create", "{\"name\":\"hidden\"}", 200, "\"2\""},
        {DANA, "POST " MODELS "create", "{\"name\":\"seen\"}", 200, "seen"},
        {DANA, "POST " MODELS "create", "{\"name\":\"hidden\"}", 200, "hidden"},
        {DANA, "POST " GRANT "create",
         "{\"experiment_id\":\"1\",\"username\":\"dora\",\"permission\":\"READ\"}", 200, "READ"},
        {DANA, "POST " MODELS "permissions/create",
         "{\"name\":\"seen\",\"username\":\"dora\",\"permission\":\"READ\"}", 200,
         "{\"registered_model_permission\":{\"name\":\"seen\""},
    };
    static const char *const searches[] = {"GET " EXPERIMENTS "search?max_results=9",
                                           "GET " MODELS "search?max_results=9"};
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[DORA] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    API_CASE_TABLE(ctx, at, before);
    for (size_t i = 0; i < AX_COUNT_OF(searches); i++) {
        struct api_case_answer mine = api_case_ask(ctx, at, DANA, searches[i], AX_STR(""));
        CHECK(api_case_says(&mine, "\"seen\"") && api_case_says(&mine, "\"hidden\""));
        struct api_case_answer hers = api_case_ask(ctx, at, DORA, searches[i], AX_STR(""));
        CHECK(api_case_says(&hers, "\"seen\"") && !api_case_says(&hers, "\"hidden\""));
        CHECK(!api_case_says(&hers, "Default"));
    }
}

TEST(lists_leave_out_what_may_not_be_read)
{
    api_case_run_set(permit_nothing, lists);
}

/* A model's new name takes what was permitted along; a name that is free again does not. */
static void
renamed(struct ax_ctx *ctx, struct api_case *at)
{
    enum { DORA = SAM };
    static const struct api_case_row rows[] = {
        {DANA, "POST " MODELS "create", "{\"name\":\"a\"}", 200, "\"a\""},
        {DORA, "PATCH " MODELS "update", "{\"name\":\"a\",\"description\":\"x\"}", 403,
         "dora has READ"},
        {DANA, "POST " MODELS "permissions/create",
         "{\"name\":\"a\",\"username\":\"dora\",\"permission\":\"EDIT\"}", 200, "EDIT"},
        {DANA, "POST " MODELS "rename", "{\"name\":\"a\",\"new_name\":\"b\"}", 200, "\"b\""},
        {DORA, "PATCH " MODELS "update", "{\"name\":\"b\",\"description\":\"x\"}", 200, "\"x\""},
        {DORA, "DELETE " MODELS "delete", "{\"name\":\"b\"}", 403, "takes MANAGE"},
        {DANA, "DELETE " MODELS "delete", "{\"name\":\"b\"}", 200, "{}"},
        {DANA, "POST " MODELS "create", "{\"name\":\"b\"}", 200, "\"b\""},
        {DORA, "PATCH " MODELS "update", "{\"name\":\"b\",\"description\":\"x\"}", 403, "has READ"},
    };
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[DORA] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(permissions_of_a_model_go_with_its_name)
{
    api_case_run_set(read_only, renamed);
}

/* A version's files are read by whoever may read the model: who registers it must read them. */
static void
sources(struct ax_ctx *ctx, struct api_case *at)
{
    enum { DORA = SAM };
    static const struct api_case_row begin[] = {
        {DANA, "POST " EXPERIMENTS "create", "{\"name\":\"one\"}", 200, "\"1\""},
        {DORA, "POST " MODELS "create", "{\"name\":\"hers\"}", 200, "hers"},
        {DANA, "POST " MODELS "create", "{\"name\":\"danas\"}", 200, "danas"},
    };
    static const char *const foreign[] = {
        "\"source\":\"mlflow-artifacts:/1/x/artifacts\"",
        "\"source\":\"mlflow-artifacts://host:1/1/x\"",
        "\"source\":\"mlflow-artifacts:/2/../1/x\"",
        "\"source\":\"mlflow-artifacts:/%31/x\"",
        "\"source\":\"runs:/RUN_ID/model\"",
        "\"source\":\"https://elsewhere/x\",\"run_id\":\"RUN_ID\"",
        "\"source\":\"https://elsewhere/x\",\"runId\":\"RUN_ID\"",
        "\"source\":\"models:/danas/1\"",
        "\"source\":\"models:/danas@prod\"",
        "\"source\":\"https://elsewhere/x\",\"model_id\":\"LOGGED\"",
        "\"source\":\"models:/LOGGED\"",
    };
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[DORA] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    API_CASE_TABLE(ctx, at, begin);
    const ax_str of_one = AX_STR("{\"experiment_id\":\"1\"}");
    ax_str run_id =
        mlflow_case_make(ctx, at, "POST " MLFLOW_API "runs/create", of_one, "run", "run_id");
    ax_str model_id =
        mlflow_case_make(ctx, at, "POST " MLFLOW_API "logged-models", of_one, "model", "model_id");
    for (size_t i = 0; i < AX_COUNT_OF(foreign); i++) {
        ax_str text = ax_str_of(foreign[i]), word = AX_STR("RUN_ID"), value = run_id;
        if (ax_str_find(text, AX_STR("LOGGED")) != SIZE_MAX) {
            word = AX_STR("LOGGED");
            value = model_id;
        }
        size_t found = ax_str_find(text, word);
        ax_str body =
            found == SIZE_MAX
                ? ax_str_printf(ctx->arena, "{\"name\":\"hers\",%.*s}", AX_FMT(text))
                : ax_str_printf(ctx->arena, "{\"name\":\"hers\",%.*s%.*s%.*s}", (int)found, text.at,
                                AX_FMT(value), AX_FMT(ax_str_from(text, found + word.len)));
        struct api_case_answer answer =
            api_case_ask(ctx, at, DORA, "POST " MLFLOW_API "model-versions/create", body);
        if (answer.status != 403 && answer.status != 400)
            ax_test_failed(__FILE__, __LINE__, "%s is %d: %.*s", foreign[i], answer.status,
                           AX_FMT(answer.body));
    }
    struct api_case_answer own =
        api_case_ask(ctx, at, DORA, "POST " MLFLOW_API "model-versions/create",
                     AX_STR("{\"name\":\"hers\",\"source\":\"https://elsewhere/x\"}"));
    CHECK_EQ(own.status, 200);
}

TEST(who_registers_files_must_be_allowed_to_read_them)
{
    api_case_run_set(permit_nothing, sources);
}

/* A registered model is a model: who is limited to others does not see it. */
static void
limited(struct ax_ctx *ctx, struct api_case *at)
{
    enum { DORA = SAM };
    static const struct api_case_row rows[] = {
        {DANA, "POST " MODELS "create", "{\"name\":\"credit\"}", 200, "credit"},
        {DANA, "POST " MODELS "create", "{\"name\":\"fraud\"}", 200, "fraud"},
        {DORA, "GET " MODELS "get?name=fraud", "", 200, "fraud"},
        {DORA, "GET " MODELS "get?name=credit", "", 403, "no grant of theirs"},
        {DORA, "PATCH " MODELS "update", "{\"name\":\"fraud\"}", 403, "no grant of theirs"},
    };
    mlflow_case_begin(at);
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}",
                        "{\"grant\":[\"developer\"],\"models\":{\"fraud\":\"READ\"}}");
    at->tokens[DORA] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer seen =
        api_case_ask(ctx, at, DORA, "GET " MODELS "search?max_results=9", AX_STR(""));
    CHECK(api_case_says(&seen, "fraud") && !api_case_says(&seen, "credit"));
}

TEST(r83_registered_models_are_models_to_who_is_limited)
{
    api_case_run(limited);
}

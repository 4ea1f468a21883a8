#include "api_case.h"

static void
users(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "GET /api/v1/whoami", "", 200,
         "{\"id\":\"dana\",\"roles\":[\"developer\"],\"line\":1,\"manager\":\"\","
         "\"authenticated_by\":\"token\"}"},
        {NEW, "GET /api/v1/whoami", "", 200, "\"roles\":[]"},
        {SAM, "GET /api/v1/users", "", 403, "denied"},
        {AMY, "GET /api/v1/users", "", 200, "\"id\":\"sam\""},
        {AMY, "GET /api/v1/users/vic", "", 200, "\"roles\":[\"validator\"]"},
        {AMY, "GET /api/v1/users/nobody", "", 404, "no user \\\"nobody\\\""},
        {DANA, "POST /api/v1/users", "{\"id\":\"eve\"}", 403, "denied"},
        {AMY, "POST /api/v1/users", "{}", 400, "`id` is missing"},
        {AMY, "POST /api/v1/users", "{\"id\":\"e v\"}", 400, "id"},
        {AMY, "POST /api/v1/users", "{\"id\":\"eve\",\"kind\":\"bot\"}", 400, "kind"},
        {AMY, "POST /api/v1/users", "{\"id\":\"eve\",\"line\":9}", 400, "line"},
        {AMY, "POST /api/v1/users", "{\"id\":\"eve\",\"name\":\"Eve\",\"line\":1}", 201,
         "\"id\":\"eve\""},
        {AMY, "POST /api/v1/users", "{\"id\":\"eve\"}", 409, "eve"},
        {AMY, "GET /api/v1/users/eve", "", 200, "\"roles\":[]"}, /* which come by proposal */
        {AMY, "POST /api/v1/users/eve/disable", "{}", 400, "`reason` is missing"},
        {DANA, "POST /api/v1/users/eve/disable", "{\"reason\":\"left\"}", 403, "denied"},
        {AMY, "POST /api/v1/users/nobody/disable", "{\"reason\":\"left\"}", 404, "nobody"},
        {AMY, "POST /api/v1/users/eve/disable", "{\"reason\":\"left\"}", 200, "\"disabled\":true"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r83_users_are_made_without_roles_shown_and_disabled_by_who_manages_them)
{
    api_case_run(users);
}

/* A token is told once, opens the door, and is shut by revoking it or by disabling its user. */
static void
tokens(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row refused[] = {
        {DANA, "POST /api/v1/users/dana/tokens", "{}", 403, "denied"},
        {AMY, "POST /api/v1/users/nobody/tokens", "{}", 404, "nobody"},
        {AMY, "POST /api/v1/users/new/tokens", "{\"days\":0}", 400, "`days` must be 1 to 366"},
        {AMY, "POST /api/v1/users/new/tokens", "{\"days\":367}", 400, "`days` must be 1 to 366"},
        {AMY, "POST /api/v1/tokens/t_none/revoke", "", 404, "no token \\\"t_none\\\""},
        {DANA, "GET /api/v1/users/new/tokens", "", 403, "denied"},
    };
    API_CASE_TABLE(ctx, at, refused);
    struct api_case_answer issued = api_case_ask(ctx, at, AMY, "POST /api/v1/users/new/tokens",
                                                 AX_STR("{\"days\":7,\"name\":\"laptop\"}"));
    CHECK_EQ(issued.status, 201);
    ax_str id = api_case_text(&issued, "id"), token = api_case_text(&issued, "token");
    CHECK(ax_str_starts(token, AX_STR("axm_")));
    struct api_case_answer listed =
        api_case_ask(ctx, at, AMY, "GET /api/v1/users/new/tokens", AX_STR(""));
    CHECK_EQ(listed.status, 200);
    CHECK(api_case_says(&listed, "laptop"));
    CHECK(ax_str_find(listed.body, token) == SIZE_MAX);
    at->tokens[NEW] = token;
    const struct api_case_row rows[] = {
        {NEW, "GET /api/v1/whoami", "", 200, "\"id\":\"new\""},
        {DANA, API_CASE_LINE(ctx, "POST /api/v1/tokens/%.*s/revoke", id), "", 403, "denied"},
        {AMY, API_CASE_LINE(ctx, "POST /api/v1/tokens/%.*s/revoke", id), "", 200,
         "\"revoked\":\"t_"},
        {NEW, "GET /api/v1/whoami", "", 401, "unauthenticated"},
        {VIC, "GET /api/v1/whoami", "", 200, "\"id\":\"vic\""},
        {AMY, "POST /api/v1/users/vic/disable", "{\"reason\":\"left\"}", 200, "vic"},
        {VIC, "GET /api/v1/whoami", "", 401, "unauthenticated"},
        {AMY, "POST /api/v1/users/vic/tokens", "{}", 409, "vic is disabled"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r83_a_token_is_told_once_and_revoked)
{
    api_case_run(tokens);
}

#include "api/access.h"

#include "api/mlflow_permissions.h"
#include "mlflow_case.h"

/*
 * The tables themselves say which routes there are: a route that is added is asked here, by nobody,
 * by somebody wrong, without the role, and for a model that is not theirs.
 */

/* ---- a request for any route ---- */

struct asked {
    const struct ax_route *route;
    const struct ax_route_table *table;
    const char *line; /* "POST /v2/models/credit/infer" */
    bool model;       /* the path names a model or a deployment */
};

/* Words of a pattern as something that could be there: names of models are "credit". */
static ax_str
word_for(ax_str part)
{
    static const struct {
        ax_str word, value;
    } words[] = {
        {{"{model}", 7}, {"credit", 6}},
        {{"{deployment}", 12}, {"credit", 6}},
        {{"{version}", 9}, {"1", 1}},
        {{"{number}", 8}, {"1", 1}},
        {{"{path*}", 7}, {"0/r/artifacts/a", 15}},
        {{"{user}", 6}, {"dana", 4}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_eq(part, words[i].word))
            return words[i].value;
    return ax_str_starts(part, AX_STR("{")) ? AX_STR("1") : part;
}

static struct asked
asked_of(struct ax_ctx *ctx, const struct ax_route_table *table, const struct ax_route *route,
         ax_str query)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    ax_writer_auto struct ax_writer out = ax_writer_of(8 << 10);
    ax_str rest = ax_str_of(route->pattern), part, line = AX_STR("");
    ax_writer_print(&out, "%s ", methods[route->method]);
    for (bool first = true; ax_str_cut(&rest, '/', &part); first = false)
        ax_writer_print(&out, "%s%.*s", first ? "" : "/", AX_FMT(word_for(part)));
    if (query.len && route->body == AX_ROUTE_NO_BODY)
        ax_writer_print(&out, "?%.*s", AX_FMT(query));
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &line), AX_OK);
    return (struct asked){route, table, ax_str_c(ctx->arena, line),
                          ax_access_model_parameter(route->pattern) >= 0};
}

static void
each_route(struct ax_ctx *ctx, struct api_case *at,
           void (*look)(struct ax_ctx *ctx, struct api_case *at, const struct asked *asked))
{
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++) {
            const struct ax_route *route = &ax_route_tables[t]->routes[r];
            const struct asked asked = asked_of(ctx, ax_route_tables[t], route, AX_STR(""));
            look(ctx, at, &asked);
        }
}

static bool
is_open(const struct ax_route *route)
{
    return route->permission == AX_PERMISSION_PUBLIC;
}

/* The form of refusal that the dialect's clients read. */
static const char *
form_of(const struct ax_route_table *table, int status)
{
    if (table->dialect == AX_DIALECT_MLFLOW)
        return "\"error_code\":";
    if (table->dialect == AX_DIALECT_AXIOM)
        return status == 401   ? "\"status\":401"
               : status == 403 ? "\"status\":403"
                               : "\"status\":429";
    if (table->dialect == AX_DIALECT_TORCHSERVE ||
        table->dialect == AX_DIALECT_TORCHSERVE_MANAGEMENT)
        return status == 401 ? "\"code\":401" : status == 403 ? "\"code\":403" : "\"code\":429";
    return "{\"error\":\"";
}

static void
expect(const struct asked *asked, const struct api_case_answer *answer, int status, int or)
{
    bool right = answer->status == status || answer->status == or ;
    if (!right || !api_case_says(answer, form_of(asked->table, answer->status)))
        ax_test_failed(__FILE__, __LINE__, "%s is %d, not %d, or not in its form: %.*s",
                       asked->line, answer->status, status, AX_FMT(answer->body));
}

static void
speak_all(struct api_case *at)
{
    at->dialects = (1U << AX_DIALECT_COUNT) - 1;
}

/* ---- nobody, and somebody wrong ---- */

static const ax_str json_body = {"{}", 2};

static ax_str
body_of(const struct asked *asked)
{
    return asked->route->body == AX_ROUTE_NO_BODY ? AX_STR("") : json_body;
}

static void
look_nobody(struct ax_ctx *ctx, struct api_case *at, const struct asked *asked)
{
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, asked->line, body_of(asked));
    if (is_open(asked->route)) {
        CHECK(answer.status != 401 && answer.status != 403);
        return;
    }
    expect(asked, &answer, 401, 401);
    ax_str scheme = ax_client_header_find(&answer.whole, AX_STR("www-authenticate"));
    CHECK(ax_str_starts(scheme, asked->table->tracked ? AX_STR("Basic ") : AX_STR("Bearer ")));
}

static void
nobody(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    each_route(ctx, at, look_nobody);
}

TEST(r83_no_route_is_open_that_does_not_say_so)
{
    api_case_run_set(speak_all, nobody);
}

/* 429 once there were too many. */
static void
look_wrong(struct ax_ctx *ctx, struct api_case *at, const struct asked *asked)
{
    if (is_open(asked->route))
        return;
    struct api_case_answer answer = api_case_ask(ctx, at, NEW, asked->line, body_of(asked));
    expect(asked, &answer, 401, 429);
}

static void
wrong(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    at->tokens[NEW] =
        AX_STR("axm_0000000000000000000000000000000000000000000000000000000000000000");
    each_route(ctx, at, look_wrong);
}

TEST(r84_no_route_takes_a_token_that_is_none)
{
    api_case_run_set(speak_all, wrong);
}

/* ---- without the role ---- */

static int
without_role(enum ax_permission permission)
{
    static const struct {
        int who;
        struct ax_actor actor;
    } people[] = {
        {SAM, {.kind = AX_ACTOR_SERVICE, .roles = AX_ROLE_BIT(CLIENT)}},
        {AMY, {.kind = AX_ACTOR_PERSON, .roles = AX_ROLE_BIT(SECURITY_ADMIN)}},
        {LEX, {.kind = AX_ACTOR_PERSON, .roles = AX_ROLE_BIT(AUDITOR)}},
    };
    struct ax_ctx ctx = ax_ctx_of(NULL);
    for (size_t i = 0; i < AX_COUNT_OF(people); i++)
        if (ax_policy_check(&ctx, &people[i].actor, permission) != AX_OK)
            return people[i].who;
    return NOBODY;
}

static int64_t denied, privileged_denied;

static void
look_role(struct ax_ctx *ctx, struct api_case *at, const struct asked *asked)
{
    enum ax_permission permission = asked->route->permission;
    if (is_open(asked->route) || permission == AX_PERMISSION_KNOWN)
        return;
    int who = without_role(permission);
    CHECK(who != NOBODY);
    struct api_case_answer answer = api_case_ask(ctx, at, who, asked->line, body_of(asked));
    expect(asked, &answer, 403, 403);
    denied++;
    privileged_denied += ax_policy_privileged(permission);
}

static int64_t
facts_of(struct ax_ctx *ctx, struct api_case *at, enum ax_event_kind kind)
{
    int64_t count = 0;
    uint64_t size = ax_ledger_size(at->mlops.ledger);
    for (uint64_t i = 0; i < size; i++) {
        struct ax_event event;
        ax_str leaf = AX_STR("");
        CHECK_EQ(ax_ledger_read(at->mlops.ledger, ctx, i, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
        count += event.kind == kind;
    }
    return count;
}

static void
roles(struct ax_ctx *ctx, struct api_case *at)
{
    const struct ax_event mark = {.kind = AX_EVENT_HEARTBEAT, .producer = AX_STR("test")};
    mlflow_case_begin(at);
    denied = privileged_denied = 0;
    each_route(ctx, at, look_role);
    CHECK(denied > 100 && privileged_denied > 10);
    CHECK_EQ(ax_ledger_append(at->mlops.ledger, ctx, &mark, AX_STR(""), NULL), AX_OK);
    CHECK_EQ(facts_of(ctx, at, AX_EVENT_ACCESS_DENIED), privileged_denied); /* R86 */
}

TEST(r86_no_route_is_answered_without_its_role_and_privileged_refusals_are_facts)
{
    api_case_run_set(speak_all, roles);
}

/* ---- a model without a grant ---- */

static ax_str limited_tokens[AX_ROLE_COUNT];

static void
hire_limited(struct ax_ctx *ctx, struct api_case *at)
{
    struct directory_case *base = &at->mlops.base;
    for (int role = 0; role < AX_ROLE_COUNT; role++) {
        const char *word = ax_policy_role_name((enum ax_role)role);
        ax_str request = ax_str_printf(ctx->arena, "{\"id\":\"only.%s\"}", word);
        ax_str change = ax_str_printf(
            ctx->arena, "{\"grant\":[\"%s\"],\"models\":{\"other*\":\"MANAGE\"}}", word);
        ax_str id = ax_str_printf(ctx->arena, "only.%s", word);
        directory_case_user(ctx, base, request.at, change.at);
        limited_tokens[role] = directory_case_token(ctx, base, id.at, NULL);
    }
}

static int
role_for(enum ax_permission permission)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    for (int role = 0; role < AX_ROLE_COUNT; role++) {
        const struct ax_actor actor = {.kind = AX_ACTOR_PERSON, .roles = UINT32_C(1) << role};
        if (ax_policy_check(&ctx, &actor, permission) == AX_OK)
            return role;
    }
    return -1;
}

static void
look_model(struct ax_ctx *ctx, struct api_case *at, const struct asked *asked)
{
    enum ax_permission permission = asked->route->permission;
    if (is_open(asked->route) || permission == AX_PERMISSION_KNOWN || asked->table->permit)
        return;
    int role = role_for(permission);
    CHECK(role >= 0);
    at->tokens[NEW] = limited_tokens[role];
    struct api_case_answer answer = api_case_ask(ctx, at, NEW, asked->line, body_of(asked));
    bool asks = asked->table->checks_models && ax_policy_level(permission) < AX_GRANT_MANAGE;
    bool judges = !asked->model && (asks || permission == AX_PERMISSION_PROPOSE);
    if (judges &&
        (answer.status == 500 || answer.status == 503 || api_case_says(&answer, "credit")))
        ax_test_failed(__FILE__, __LINE__, "%s is %d and tells: %.*s", asked->line, answer.status,
                       AX_FMT(answer.body));
    if (!judges)
        expect(asked, &answer, 403, 403);
}

static void
models(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NEW, "GET /v2/models/credit", "", 403, "may not use model"},
        {NEW, "GET /v2/models/other", "", 404, "unknown model"},
        {NEW, "GET /v1/models/credit", "", 403, "may not use model"},
        {NEW, "POST /v1/models/credit:predict", "{}", 403, "may not use model"},
        {NEW, "POST /v1/models/credit%3Apredict", "{}", 403, "may not use model"},
    };
    hire_limited(ctx, at);
    each_route(ctx, at, look_model);
    at->tokens[NEW] = limited_tokens[AX_ROLE_CLIENT];
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r83_no_route_answers_about_a_model_without_a_grant)
{
    api_case_run_set(speak_all, models);
}

/* Whoever is limited proposes about their models, and enrols their own key. */
static void
proposals(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NEW, "POST /api/v1/proposals", "{\"kind\":\"deployment\",\"subject\":\"credit\"}", 403,
         "may not change model"},
        {NEW, "POST /api/v1/proposals", "{\"kind\":\"state\",\"subject\":\"credit/1\"}", 403,
         "may not change model"},
        {NEW, "POST /api/v1/proposals", "{\"kind\":\"key\",\"subject\":\"dana\"}", 403,
         "may not change model"},
        {NEW, "POST /api/v1/proposals", "{\"kind\":\"key\",\"subject\":\"only.developer\"}", 400,
         "`change` is missing"},
        {NEW, "POST /api/v1/proposals", "{\"kind\":\"deployment\",\"subject\":\"other-1\"}", 400,
         "`change` is missing"},
    };
    hire_limited(ctx, at);
    at->tokens[NEW] = limited_tokens[AX_ROLE_DEVELOPER];
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r83_who_is_limited_proposes_about_their_models_alone)
{
    api_case_run_set(speak_all, proposals);
}

/* ---- MLflow's permissions ---- */

TEST(every_tracked_route_says_what_it_is_about)
{
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++) {
            const struct ax_route *route = &ax_route_tables[t]->routes[r];
            bool asked = ax_route_tables[t]->permit == ax_mlflow_permit;
            bool judged = !ax_route_tables[t]->tracked || is_open(route) ||
                          ax_route_tables[t] == &ax_mlflow_users_table;
            if (!judged && !(asked && ax_mlflow_permit_knows(route)))
                ax_test_failed(__FILE__, __LINE__, "%s is in no row of mlflow_permissions.c",
                               route->pattern);
        }
}

static ax_str tracked_query, tracked_body;

static void
look_tracked(struct ax_ctx *ctx, struct api_case *at, const struct ax_route_table *table,
             const struct ax_route *route)
{
    const struct asked asked = asked_of(ctx, table, route, tracked_query);
    ax_str line = ax_str_of(asked.line), pattern = ax_str_of(route->pattern);
    if (ax_str_ends(pattern, AX_STR("experiments/create")) ||
        ax_str_ends(pattern, AX_STR("registered-models/create")))
        return; /* what is new is nobody's yet: a role makes it */
    bool upload = ax_str_ends(line, AX_STR("upload-artifact"));
    if (upload) /* its fields stand in the query beside the bytes */
        line = ax_str_printf(ctx->arena, "%.*s?%.*s", AX_FMT(line), AX_FMT(tracked_query));
    struct api_case_answer answer =
        api_case_ask(ctx, at, NEW, ax_str_c(ctx->arena, line),
                     route->body == AX_ROUTE_NO_BODY ? AX_STR("") : tracked_body);
    bool lists = ax_str_ends(pattern, AX_STR("experiments/search")) ||
                 ax_str_ends(pattern, AX_STR("registered-models/search")) ||
                 ax_str_ends(pattern, AX_STR("model-versions/search"));
    if (lists && (answer.status != 200 || api_case_says(&answer, "secret") ||
                  api_case_says(&answer, "Default")))
        ax_test_failed(__FILE__, __LINE__, "%s is %d and tells: %.*s", asked.line, answer.status,
                       AX_FMT(answer.body));
    else if (!lists && (answer.status != 403 || !api_case_says(&answer, "Permission denied")))
        ax_test_failed(__FILE__, __LINE__, "%s is %d, not 403: %.*s", asked.line, answer.status,
                       AX_FMT(answer.body));
}

/* Of a second developer who was permitted nothing: each route of tracking, with ids that are there.
 */
static void
tracked(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST " MLFLOW_API "experiments/create", "{\"name\":\"secret\"}", 200, "\"1\""},
        {DANA, "POST " MLFLOW_API "registered-models/create", "{\"name\":\"secret-model\"}", 200,
         "secret-model"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
    const ax_str of_one = AX_STR("{\"experiment_id\":\"1\"}");
    ax_str run_id =
        mlflow_case_make(ctx, at, "POST " MLFLOW_API "runs/create", of_one, "run", "run_id");
    ax_str model_id =
        mlflow_case_make(ctx, at, "POST " MLFLOW_API "logged-models", of_one, "model", "model_id");
    tracked_query = ax_str_printf(
        ctx->arena,
        "experiment_id=1&experiment_name=secret&experiment_ids=1&run_id=%.*s&run_ids=%.*s&runs=%.*"
        "s&"
        "name=secret-model&version=1&path=1/r/artifacts/a&metric_key=m&max_results=5&alias=a",
        AX_FMT(run_id), AX_FMT(run_id), AX_FMT(run_id));
    tracked_body = ax_str_printf(
        ctx->arena,
        "{\"experiment_id\":\"1\",\"experiment_ids\":[\"1\"],\"run_id\":\"%.*s\",\"name\":"
        "\"secret-model\",\"version\":\"1\",\"max_results\":5,\"path\":\"1/a\",\"num_parts\":1}",
        AX_FMT(run_id));
    directory_case_user(ctx, &at->mlops.base, "{\"id\":\"dora\"}", "{\"grant\":[\"developer\"]}");
    at->tokens[NEW] = directory_case_token(ctx, &at->mlops.base, "dora", NULL);
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++) {
            struct ax_route route = ax_route_tables[t]->routes[r];
            if (ax_route_tables[t]->permit != ax_mlflow_permit || is_open(&route))
                continue;
            ax_str pattern = ax_str_of(route.pattern), begin = AX_STR(MLFLOW_API "logged-models/{");
            if (ax_str_starts(pattern, begin)) /* those that are there */
                route.pattern =
                    ax_str_printf(ctx->arena, MLFLOW_API "logged-models/%.*s%.*s", AX_FMT(model_id),
                                  AX_FMT(ax_str_from(pattern, begin.len + 6)))
                        .at;
            if (ax_str_starts(pattern, AX_STR("/api/v1/runs/{")))
                route.pattern =
                    ax_str_printf(ctx->arena, "/api/v1/runs/%.*s/metrics/m", AX_FMT(run_id)).at;
            if (ax_str_starts(pattern, AX_STR("/api/v1/experiments/{")))
                route.pattern = "/api/v1/experiments/1/parallel";
            look_tracked(ctx, at, ax_route_tables[t], &route);
        }
}

static void
permit_nothing(struct api_case *at)
{
    at->default_permission = "NO_PERMISSIONS";
    speak_all(at);
}

TEST(no_route_of_tracking_is_answered_without_a_permission)
{
    api_case_run_set(permit_nothing, tracked);
}

/* ---- privileged actions that are allowed ---- */

static void
allowed(struct ax_ctx *ctx, struct api_case *at)
{
    const struct ax_event mark = {.kind = AX_EVENT_HEARTBEAT, .producer = AX_STR("test")};
    static const struct api_case_row rows[] = {
        {AMY, "POST /api/v1/users/new/tokens", "{}", 201, "axm_"},
        {AMY, "GET /api/v1/tokens", "", 200, "\"prefix\":\"axm_"},
        {DANA, "GET /api/v1/whoami", "", 200, "dana"},
    };
    API_CASE_TABLE(ctx, at, rows);
    CHECK_EQ(ax_ledger_append(at->mlops.ledger, ctx, &mark, AX_STR(""), NULL), AX_OK);
    CHECK_EQ(facts_of(ctx, at, AX_EVENT_ACCESS_ALLOWED), 2);
}

TEST(r86_privileged_actions_that_were_allowed_are_facts)
{
    api_case_run(allowed);
}

/* ---- the word of a pattern that names a model ---- */

TEST(the_parameter_that_names_a_model_is_found_in_a_pattern)
{
    static const struct {
        const char *pattern;
        int parameter;
    } cases[] = {{"/v2/models/{model}/infer", 0},
                 {"/v2/repository/{repository}/models/{model}/load", 1},
                 {"/api/v1/deployments/{deployment}/decisions", 0},
                 {"/api/v1/users/{user}", -1},
                 {"/v2/models", -1}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_access_model_parameter(cases[i].pattern), cases[i].parameter);
}

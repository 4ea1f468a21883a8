#include "api/route.h"

#include "api_case.h"

/* "{path*}" is told as "{path}". */
static const char *
told_as(struct ax_ctx *ctx, const char *pattern)
{
    ax_str rest = ax_str_of(pattern), before = rest;
    CHECK(ax_str_cut(&rest, '*', &before));
    return ax_str_c(ctx->arena,
                    ax_str_printf(ctx->arena, "%.*s%.*s", AX_FMT(before), AX_FMT(rest)));
}

static size_t
parameter_count(const char *pattern)
{
    size_t count = 0;
    for (; *pattern; pattern++)
        count += *pattern == '{';
    return count;
}

static bool
told(struct ax_ctx *ctx, const struct ax_json *paths, const struct ax_route *route)
{
    static const char *const methods[] = {"get",   "head",   "post",   "put",
                                          "patch", "delete", "options"};
    const struct ax_json *operation =
        ax_json_find(ax_json_find(paths, told_as(ctx, route->pattern)), methods[route->method]);
    ax_str summary = AX_STR("");
    bool body = ax_json_find(operation, "requestBody") != NULL;
    bool free = ax_json_find(operation, "security") != NULL;
    return ax_json_text(ax_json_find(operation, "summary"), &summary) &&
           ax_str_eq(summary, ax_str_of(route->summary)) &&
           ax_json_count(ax_json_find(operation, "parameters")) ==
               parameter_count(route->pattern) &&
           body == (route->body != AX_ROUTE_NO_BODY) &&
           free == (route->permission == AX_PERMISSION_PUBLIC);
}

static void
described(struct ax_ctx *ctx, struct api_case *at)
{
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/openapi.json", AX_STR(""));
    CHECK_EQ(answer.status, 200);
    CHECK_STR(api_case_text(&answer, "openapi"), "3.1.0");
    const struct ax_json *paths = ax_json_find(answer.json, "paths");
    size_t operations = 0, wanted = 0;
    struct ax_json_iter path = ax_json_iter_of(paths);
    while (ax_json_next(&path))
        operations += ax_json_count(path.value);
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; !ax_route_tables[t]->tracked && r < ax_route_tables[t]->count;
             r++, wanted++)
            if (!told(ctx, paths, &ax_route_tables[t]->routes[r]))
                ax_test_failed(__FILE__, __LINE__, "%s is not told as it is",
                               ax_route_tables[t]->routes[r].pattern);
    CHECK_EQ(operations, wanted);
}

TEST(the_description_tells_every_route_and_nothing_else)
{
    api_case_run(described);
}

/*
 * An example that the server would not read misleads whoever copies it. Asked by who may, each is
 * taken, or misses what it is about: 404 where there is no such model, deployment or person.
 */
static void
examples(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *kind;
        int who, status;
    } cases[] = {
        {"model_version", DANA, 404}, {"deployment", DEE, 404},  {"policy", DANA, 201},
        {"threshold", DANA, 404},     {"reason_map", DANA, 201}, {"tier", DANA, 404},
        {"role", AMY, 409},           {"key", ADA, 400},         {"breaker", RIA, 201},
        {"kill", ROB, 201},           {"erasure", PIA, 201},     {"quorum", DANA, 201},
    };
    static const char *const way[] = {"paths",   "/api/v1/proposals", "post",    "requestBody",
                                      "content", "application/json",  "examples"};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/openapi.json", AX_STR(""));
    const struct ax_json *here = answer.json;
    for (size_t i = 0; i < AX_COUNT_OF(way); i++)
        here = ax_json_find(here, way[i]);
    CHECK_EQ(ax_json_count(here), AX_COUNT_OF(cases));
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer body = ax_writer_of(1 << 16);
        const struct ax_json *value = ax_json_find(ax_json_find(here, cases[i].kind), "value");
        REQUIRE(value != NULL);
        ax_json_print(value, &body);
        struct api_case_answer made =
            api_case_ask(ctx, at, cases[i].who, "POST /api/v1/proposals", ax_writer_str(&body));
        if (made.status != cases[i].status)
            ax_test_failed(__FILE__, __LINE__, "%s is %d: %.*s", cases[i].kind, made.status,
                           AX_FMT(made.body));
    }
}

TEST(the_description_has_an_example_of_every_kind_of_proposal)
{
    api_case_run(examples);
}

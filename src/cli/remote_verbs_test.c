#include "api/path_tree.h"
#include "api/route.h"
#include "cli/remote_verb.h"

#include "remote_case.h"

/* ---- against the routes ---- */

static const struct ax_route *
route_of(const struct ax_remote_verb *verb)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++) {
            const struct ax_route *route = &ax_route_tables[t]->routes[r];
            if (strcmp(route->pattern, verb->path) == 0 &&
                strcmp(methods[route->method], verb->method) == 0)
                return route;
        }
    return NULL;
}

/* What goes into a body that nobody reads would be lost without a word. */
static bool
sends_something(const struct ax_remote_verb *verb)
{
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        if (verb->options[i].kind != AX_REMOTE_QUERY)
            return true;
    return verb->fixed || verb->change;
}

TEST(every_verb_is_a_route_that_reads_what_it_sends)
{
    for (size_t i = 0; i < ax_remote_verb_count; i++) {
        const struct ax_remote_verb *verb = &ax_remote_verbs[i];
        const struct ax_route *route = route_of(verb);
        if (!route) {
            ax_test_failed(__FILE__, __LINE__, "%s: no route %s %s", verb->name, verb->method,
                           verb->path);
            continue;
        }
        if (sends_something(verb) && route->body == AX_ROUTE_NO_BODY)
            ax_test_failed(__FILE__, __LINE__, "%s sends what %s does not read", verb->name,
                           verb->path);
        for (size_t o = 0; o < AX_REMOTE_OPTIONS_MAX && verb->options[o].flag; o++)
            CHECK_EQ(verb->options[o].kind == AX_REMOTE_BODY, route->body == AX_ROUTE_BYTES);
    }
}

/* ---- by themselves ---- */

static bool
has_place(const struct ax_remote_verb *verb, ax_str word)
{
    for (size_t i = 0; i < AX_REMOTE_POSITIONALS_MAX && verb->positionals[i]; i++)
        if (ax_str_eq(word, ax_str_of(verb->positionals[i])))
            return true;
    return false;
}

static void
check_options(const struct ax_remote_verb *verb)
{
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++) {
        const struct ax_remote_option *option = &verb->options[i];
        bool whole = option->kind == AX_REMOTE_BODY || option->kind == AX_REMOTE_BODY_JSON;
        CHECK(option->meaning && option->meaning[0]);
        CHECK_EQ(option->member == NULL, whole);
        CHECK(option->kind != AX_REMOTE_CHANGE || verb->change);
        CHECK(option->kind == AX_REMOTE_QUERY || strcmp(verb->method, "GET") != 0);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(option->flag, verb->options[j].flag) != 0);
        static const char *const taken[] = {"--json", "--url", "--token-file", "--help"};
        for (size_t j = 0; j < AX_COUNT_OF(taken); j++)
            CHECK(strcmp(option->flag, taken[j]) != 0);
    }
}

TEST(every_verb_is_told_apart_and_has_its_places_filled)
{
    for (size_t i = 0; i < ax_remote_verb_count; i++) {
        const struct ax_remote_verb *verb = &ax_remote_verbs[i];
        ax_str path = ax_str_of(verb->path), segment;
        CHECK(verb->summary && verb->summary[0]);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(verb->name, ax_remote_verbs[j].name) != 0);
        while (ax_str_cut(&path, '/', &segment))
            if (ax_str_starts(segment, AX_STR("{")) &&
                !has_place(verb, (ax_str){segment.at + 1, segment.len - 2}))
                ax_test_failed(__FILE__, __LINE__, "%s: nothing fills %.*s", verb->name,
                               AX_FMT(segment));
        check_options(verb);
    }
}

/* ---- the examples ---- */

struct example {
    struct ax_ctx *ctx;
    const struct ax_remote_verb *verb;
    struct remote_case_arguments arguments;
    ax_status status;
};

static void
run_example(void *arg)
{
    struct example *example = arg;
    example->status = ax_remote_verb_run(example->ctx, example->verb, example->arguments.count,
                                         example->arguments.at);
}

/* "axiom NAME arguments > file" without its beginning and its end; NULL when it begins wrongly. */
static const char *
arguments_of(struct ax_ctx *ctx, const struct ax_remote_verb *verb)
{
    ax_str line = ax_str_of(verb->example), before;
    ax_str begin = ax_str_printf(ctx->arena, "axiom %s", verb->name);
    if (!ax_str_starts(line, begin) || !ax_str_cut(&line, '>', &before))
        return NULL;
    return ax_str_c(ctx->arena, ax_str_from(before, begin.len));
}

static bool
fits(struct ax_ctx *ctx, const char *pattern, const char *target)
{
    struct ax_path_tree *tree = ax_path_tree_new(ctx->arena);
    struct ax_path_match match;
    ax_str rest = ax_str_of(target), path;
    return tree && ax_path_tree_add(tree, pattern, 0, pattern) && ax_str_cut(&rest, '?', &path) &&
           ax_path_tree_find(tree, path, &match);
}

/* Whoever copies an example out of the help has it run, given the files that it names. */
static void
examples(struct ax_ctx *ctx)
{
    static const char *const files[] = {"model.json",      "credit.ubj",   "german_credit.csv",
                                        "schema.json",     "policy.json",  "reasons.json",
                                        "deployment.json", "credit-1.json"};
    char folder[] = "/tmp/axiom-verbs-XXXXXX";
    struct remote_case at;
    REQUIRE(mkdtemp(folder) && chdir(folder) == 0);
    for (size_t i = 0; i < AX_COUNT_OF(files); i++)
        CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(files[i]), AX_STR("{\"a\":1}")), AX_OK);
    remote_case_open(ctx, &at);
    for (size_t i = 0; i < ax_remote_verb_count; i++) {
        const struct ax_remote_verb *verb = &ax_remote_verbs[i];
        const char *line = arguments_of(ctx, verb);
        const struct ax_json *body = NULL;
        if (!line) {
            ax_test_failed(__FILE__, __LINE__, "%s: %s is no example of it", verb->name,
                           verb->example);
            continue;
        }
        struct example example = {ctx, verb, remote_case_split(ctx, line), AX_OK};
        remote_case_add(ctx, &example.arguments, AX_STR("--url"));
        remote_case_add(ctx, &example.arguments, at.url);
        remote_case_printed(ctx, run_example, &example);
        if (example.status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", verb->example, ctx->error);
        CHECK(strcmp(at.method, verb->method) == 0);
        CHECK(fits(ctx, verb->path, at.target));
        if (strcmp(verb->method, "GET") == 0)
            CHECK(at.body[0] == '\0');
        else
            CHECK_EQ(ax_json_parse(ctx, ax_str_of(at.body), NULL, &body), AX_OK);
    }
    remote_case_close(&at);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(every_verbs_example_asks_what_the_verb_is_for)
{
    ax_test_with_ctx(examples);
}

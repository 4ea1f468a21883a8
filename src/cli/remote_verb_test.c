#include "cli/remote_verb.h"

#include "codec/json.h"
#include "remote_case.h"

/* One verb with an option of every kind, and one that only reads. */
static const struct ax_remote_verb everything = {
    .name = "try all",
    .summary = "try every kind of option",
    .example = "axiom try all credit",
    .method = "POST",
    .path = "/api/v1/models/{model}/try",
    .positionals = {"model", "subject", "note?"},
    .options = {{"--text", "text", AX_REMOTE_TEXT, false, "a text"},
                {"--number", "number", AX_REMOTE_NUMBER, false, "a number"},
                {"--words", "words", AX_REMOTE_WORDS, false, "a list"},
                {"--json", "never", AX_REMOTE_TEXT, false, "hidden by --json itself"},
                {"--value", "value", AX_REMOTE_JSON, false, "JSON or @FILE"},
                {"--csv", "csv", AX_REMOTE_FILE_TEXT, false, "a file's text"},
                {"--more", NULL, AX_REMOTE_BODY_JSON, false, "a file's members"},
                {"--whole", NULL, AX_REMOTE_BODY, false, "a file's bytes"},
                {"--reason", "reason", AX_REMOTE_CHANGE, false, "why"},
                {"--state", "state", AX_REMOTE_QUERY, false, "which"}},
    .change = "\"state\":\"closed\"",
    .fixed = "\"kind\":\"breaker\"",
};

static const struct ax_remote_verb reading = {
    .name = "look",
    .summary = "look at something",
    .example = "axiom look credit --since 1",
    .method = "GET",
    .path = "/api/v1/models/{model}",
    .positionals = {"model"},
    .options = {{"--since", "since", AX_REMOTE_QUERY, true, "from when on"},
                {"--until", "until", AX_REMOTE_QUERY, false, "to when"}},
};

struct running {
    struct ax_ctx *ctx;
    const struct ax_remote_verb *verb;
    struct remote_case_arguments arguments;
    ax_status status;
};

static void
run_verb(void *arg)
{
    struct running *running = arg;
    running->status = ax_remote_verb_run(running->ctx, running->verb, running->arguments.count,
                                         running->arguments.at);
}

/* Runs the line against the server; what was printed. */
static ax_str
run(struct ax_ctx *ctx, const struct remote_case *at, const struct ax_remote_verb *verb,
    const char *line, ax_status *out_status)
{
    struct running running = {ctx, verb, remote_case_split(ctx, line), AX_OK};
    remote_case_add(ctx, &running.arguments, AX_STR("--url"));
    remote_case_add(ctx, &running.arguments, at->url);
    ctx->error[0] = '\0';
    ax_str printed = remote_case_printed(ctx, run_verb, &running);
    *out_status = running.status;
    return printed;
}

/* A folder with the files that the lines name; the test runs in it. */
static void
enter_folder(struct ax_ctx *ctx, char *folder)
{
    static const struct {
        const char *name, *bytes;
    } files[] = {
        {"members.json", "{\"owner\":\"dana\",\"tier\":2}"},
        {"array.json", "[1]"},
        {"broken.json", "{\"a\":"},
        {"rows.csv", "a,b\n1,\"x\"\n"},
        {"model.ubj", "\x89UBJ"},
        {"value.json", " {\"a\": [1, 2]}\n"},
    };
    AX_ASSERT(mkdtemp(folder) && chdir(folder) == 0);
    for (size_t i = 0; i < AX_COUNT_OF(files); i++)
        CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(files[i].name), ax_str_of(files[i].bytes)),
                 AX_OK);
}

/* ---- what is sent ---- */

#define HEAD "{\"kind\":\"breaker\",\"change\":{\"state\":\"closed\""

static void
sent(struct ax_ctx *ctx)
{
    static const struct {
        const struct ax_remote_verb *verb;
        const char *line, *target, *body;
    } cases[] = {
        {&everything, "credit x", "/api/v1/models/credit/try", HEAD "},\"subject\":\"x\"}"},
        {&everything, "a/b 'two words' aside", "/api/v1/models/a%2Fb/try",
         HEAD "},\"subject\":\"two words\",\"note\":\"aside\"}"},
        {&everything, "c x --text 'say \"x\"' --number 0.25", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"text\":\"say \\\"x\\\"\",\"number\":0.25}"},
        {&everything, "--words 'a, b,c' c x", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"words\":[\"a\",\"b\",\"c\"]}"},
        {&everything, "c x --value '{\"n\":[1]}'", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"value\":{\"n\":[1]}}"},
        {&everything, "c x --value @value.json", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"value\":{\"a\": [1, 2]}}"},
        {&everything, "c x --csv rows.csv", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"csv\":\"a,b\\n1,\\\"x\\\"\\n\"}"},
        {&everything, "c x --more members.json", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"owner\":\"dana\",\"tier\":2}"},
        {&everything, "c x --whole model.ubj", "/api/v1/models/c/try", "\x89UBJ"},
        {&everything, "c x --reason mended", "/api/v1/models/c/try",
         HEAD ",\"reason\":\"mended\"},\"subject\":\"x\"}"},
        {&everything, "c x --state 'half open'", "/api/v1/models/c/try?state=half%20open",
         HEAD "},\"subject\":\"x\"}"},
        {&everything, "c x --text one --text two", "/api/v1/models/c/try",
         HEAD "},\"subject\":\"x\",\"text\":\"two\"}"},
        {&reading, "credit --since 1", "/api/v1/models/credit?since=1", ""},
        {&reading, "credit --until 2&x --since 1", "/api/v1/models/credit?since=1&until=2%26x", ""},
    };
    char folder[] = "/tmp/axiom-verb-XXXXXX";
    struct remote_case at;
    ax_status status = AX_OK;
    enter_folder(ctx, folder);
    remote_case_open(ctx, &at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        run(ctx, &at, cases[i].verb, cases[i].line, &status);
        if (status != AX_OK || strcmp(at.target, cases[i].target) != 0 ||
            strcmp(at.body, cases[i].body) != 0 || strcmp(at.method, cases[i].verb->method) != 0)
            ax_test_failed(__FILE__, __LINE__, "%s: %s (%s) %s %s", cases[i].line,
                           ax_status_name(status), ctx->error, at.target, at.body);
    }
    remote_case_close(&at);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(arguments_become_path_query_and_body)
{
    ax_test_with_ctx(sent);
}

static void
refused(struct ax_ctx *ctx)
{
    static const struct {
        const struct ax_remote_verb *verb;
        const char *line;
        ax_status want;
        const char *words;
    } cases[] = {
        {&everything, "", AX_INVALID, "argument model is missing; axiom try all --help"},
        {&everything, "c", AX_INVALID, "argument subject is missing"},
        {&everything, "c x y z", AX_INVALID, "unexpected argument `z`"},
        {&everything, "c x --txet a", AX_INVALID, "unknown option `--txet`"},
        {&everything, "c x --number many", AX_INVALID, "--number must be a number, not \"many\""},
        {&everything, "c x --value {", AX_INVALID, "--value"},
        {&everything, "c x --value @none.json", AX_NOT_FOUND, "none.json"},
        {&everything, "c x --value @broken.json", AX_INVALID, "--value"},
        {&everything, "c x --csv none.csv", AX_NOT_FOUND, "none.csv"},
        {&everything, "c x --more array.json", AX_INVALID, "array.json must hold a JSON object"},
        {&everything, "c x --more broken.json", AX_INVALID, "broken.json"},
        {&everything, "c x --whole none.ubj", AX_NOT_FOUND, "none.ubj"},
        {&everything, "c x --token-file none", AX_NOT_FOUND, "none"},
        {&reading, "credit", AX_INVALID, "option --since is missing; axiom look --help"},
    };
    char folder[] = "/tmp/axiom-verb-XXXXXX";
    struct remote_case at;
    ax_status status = AX_OK;
    enter_folder(ctx, folder);
    remote_case_open(ctx, &at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str printed = run(ctx, &at, cases[i].verb, cases[i].line, &status);
        if (status != cases[i].want || !strstr(ctx->error, cases[i].words) || printed.len > 0)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].line, ax_status_name(status),
                           ctx->error);
    }
    CHECK(at.method[0] == '\0'); /* nothing was asked */
    remote_case_close(&at);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(wrong_arguments_are_refused_before_anything_is_asked)
{
    ax_test_with_ctx(refused);
}

/* "--url" as the last word has no value. */
static void
no_value(struct ax_ctx *ctx)
{
    struct remote_case_arguments arguments = remote_case_split(ctx, "credit --since");
    CHECK_EQ(ax_remote_verb_run(ctx, &reading, arguments.count, arguments.at), AX_INVALID);
    CHECK(strcmp(ctx->error, "option `--since` needs a value") == 0);
}

TEST(an_option_without_its_value_is_refused)
{
    ax_test_with_ctx(no_value);
}

/* ---- what is printed ---- */

static void
printed(struct ax_ctx *ctx)
{
    static const struct {
        const char *line, *answer, *want;
    } cases[] = {
        {"c --since 1", "{\"id\":\"p_1\"}", "id                     p_1\n"},
        {"c --since 1 --json", "{\"id\":\"p_1\"}", "{\"id\":\"p_1\"}\n"},
        {"c --since 1", "axiom.test/ledger\n7\n", "axiom.test/ledger\n7\n"},
        {"c --since 1 --json", "axiom.test/ledger\n7\n", "axiom.test/ledger\n7\n"},
    };
    struct remote_case at;
    ax_status status = AX_OK;
    remote_case_open(ctx, &at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        at.answer = cases[i].answer;
        CHECK_STR(run(ctx, &at, &reading, cases[i].line, &status), cases[i].want);
        CHECK_EQ(status, AX_OK);
    }
    at.status = 409;
    at.answer = "{\"detail\":\"it changed\",\"code\":\"changed\"}";
    CHECK_STR(run(ctx, &at, &reading, "c --since 1", &status), "");
    CHECK_EQ(status, AX_CONFLICT);
    CHECK(strcmp(ctx->error, "it changed (changed)") == 0);
    remote_case_close(&at);
}

TEST(an_answer_is_printed_for_people_or_as_it_came_and_a_refusal_is_not)
{
    ax_test_with_ctx(printed);
}

static void
help(void *arg)
{
    ax_remote_verb_help(arg);
}

static void
helped(struct ax_ctx *ctx)
{
    struct ax_remote_verb verb = everything;
    ax_str text = remote_case_printed(ctx, help, &verb);
    CHECK(ax_str_starts(text, AX_STR("try every kind of option\n\n"
                                     "usage: axiom try all model subject [note] [options]\n")));
    CHECK(ax_str_find(text, AX_STR("  --text               a text\n")) != SIZE_MAX);
    CHECK(ax_str_ends(text, AX_STR("\n  axiom try all credit\n")));
    verb = reading;
    text = remote_case_printed(ctx, help, &verb);
    CHECK(ax_str_find(text, AX_STR("  --since              from when on (needed)\n")) != SIZE_MAX);
}

TEST(help_shows_usage_options_and_an_example)
{
    ax_test_with_ctx(helped);
}

/* ---- faults ---- */

static struct remote_case swept;

static ax_status
run_once(struct ax_ctx *ctx)
{
    char words[][64] = {"c",       "x",         "--words",  "a,b",
                        "--value", "{\"n\":1}", "--reason", "mended again",
                        "--state", "o p",       "--url",    ""};
    char *arguments[AX_COUNT_OF(words)];
    snprintf(words[AX_COUNT_OF(words) - 1], sizeof words[0], "http://127.0.0.1:%d",
             swept.server.port);
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        arguments[i] = words[i];
    return ax_remote_verb_run(ctx, &everything, AX_COUNT_OF(words), arguments);
}

static void
sweep_verb(void *)
{
    FAULT_SWEEP(run_once);
}

static void
sweep(struct ax_ctx *ctx)
{
    remote_case_open(ctx, &swept);
    swept.answer = "{\"rows\":[{\"a\":1,\"b\":[1,2]},{\"a\":\"x\"}]}";
    remote_case_printed(ctx, sweep_verb, NULL);
    remote_case_close(&swept);
}

TEST(a_verb_survives_every_fault)
{
    ax_test_with_ctx(sweep);
}

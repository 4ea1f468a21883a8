#include "cli/remote.h"

#include "remote_case.h"

/* ---- where and who ---- */

static void
opened(struct ax_ctx *ctx)
{
    static const struct {
        const char *url, *token_file;                     /* of the options */
        const char *env_url, *env_token, *env_token_file; /* NULL: not there */
        const char *want_url, *want_token;
    } cases[] = {
        {"", "", NULL, NULL, NULL, "http://127.0.0.1:8080", ""},
        {"", "", "http://a:1", "t", NULL, "http://a:1", "t"},
        {"http://b:2//", "", "http://a:1", NULL, NULL, "http://b:2", ""},
        {"", "token", NULL, "t", NULL, "http://127.0.0.1:8080", "axm_file"},
        {"", "", NULL, NULL, "token", "http://127.0.0.1:8080", "axm_file"},
        {"", "", NULL, "t", "token", "http://127.0.0.1:8080", "t"},
        {"", "", "", "", "", "http://127.0.0.1:8080", ""},
    };
    char folder[] = "/tmp/axiom-remote-XXXXXX";
    REQUIRE(mkdtemp(folder) && chdir(folder) == 0);
    CHECK_EQ(ax_file_write_atomic(ctx, AX_STR("token"), AX_STR(" axm_file\n")), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const char *const names[] = {"AXIOM_URL", "AXIOM_TOKEN", "AXIOM_TOKEN_FILE"};
        const char *const values[] = {cases[i].env_url, cases[i].env_token,
                                      cases[i].env_token_file};
        struct ax_remote remote = {};
        for (size_t n = 0; n < AX_COUNT_OF(names); n++)
            CHECK_EQ(values[n] ? setenv(names[n], values[n], 1) : unsetenv(names[n]), 0);
        CHECK_EQ(
            ax_remote_open(ctx, ax_str_of(cases[i].url), ax_str_of(cases[i].token_file), &remote),
            AX_OK);
        CHECK_STR(remote.url, cases[i].want_url);
        CHECK_STR(remote.token, cases[i].want_token);
        ax_remote_close(&remote);
        ax_remote_close(&remote); /* twice is once */
    }
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(options_win_over_the_environment_and_the_environment_over_the_default)
{
    ax_test_with_ctx(opened);
}

static void
no_token(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-remote-XXXXXX";
    struct ax_remote remote = {};
    char large[5000];
    REQUIRE(mkdtemp(folder) && chdir(folder) == 0);
    memset(large, 'x', sizeof large);
    CHECK_EQ(ax_file_write_atomic(ctx, AX_STR("lines"), AX_STR("axm_1\naxm_2\n")), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, AX_STR("large"), (ax_str){large, sizeof large}), AX_OK);
    CHECK_EQ(ax_remote_open(ctx, AX_STR(""), AX_STR("none"), &remote), AX_NOT_FOUND);
    CHECK(strstr(ctx->error, "none") != NULL);
    CHECK_EQ(ax_remote_open(ctx, AX_STR(""), AX_STR("lines"), &remote), AX_INVALID);
    CHECK(strcmp(ctx->error, "lines holds no token") == 0);
    CHECK_EQ(ax_remote_open(ctx, AX_STR(""), AX_STR("large"), &remote), AX_INVALID);
    CHECK(remote.client == NULL);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(a_file_that_holds_no_token_is_refused_by_name)
{
    ax_test_with_ctx(no_token);
}

/* ---- asking ---- */

static void
answered(struct ax_ctx *ctx)
{
    static const struct {
        int status;
        const char *answer;
        ax_status want;
        const char *words; /* "": no refusal */
    } cases[] = {
        {200, "{\"a\":1}", AX_OK, ""},
        {201, "{\"a\":1}", AX_OK, ""},
        {200, "axiom.test/ledger\n7\n", AX_OK, ""}, /* text is an answer too */
        {200, "", AX_OK, ""},
        {400, "{\"detail\":\"`name` is missing\",\"code\":\"invalid\"}", AX_INVALID,
         "`name` is missing (invalid)"},
        {401, "{\"error\":\"say who you are\"}", AX_UNAUTHENTICATED, "say who you are"},
        {403, "{\"detail\":\"the same person\",\"code\":\"four_eyes\"}", AX_DENIED,
         "the same person (four_eyes)"},
        {404, "not json", AX_NOT_FOUND, "Not Found"},
        {405, "", AX_INVALID, "Method Not Allowed"},
        {409, "{\"detail\":\"it changed\",\"code\":\"changed\"}", AX_CONFLICT,
         "it changed (changed)"},
        {413, "{}", AX_INVALID, "Content Too Large"},
        {429, "{\"detail\":\"wait\"}", AX_LIMIT, "wait"},
        {500, "[]", AX_INTERNAL, "Internal Server Error"},
        {501, "{\"detail\":7}", AX_UNSUPPORTED, "Not Implemented"},
        {503, "{\"detail\":\"the database is away\"}", AX_UNAVAILABLE, "the database is away"},
        {504, "{\"detail\":\"too late\"}", AX_TIMEOUT, "too late"},
        {502, "<html>", AX_INTERNAL, "Bad Gateway"},
    };
    struct remote_case at;
    struct ax_remote remote = {};
    remote_case_open(ctx, &at);
    CHECK_EQ(ax_remote_open(ctx, at.url, AX_STR(""), &remote), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_remote_answer answer = {};
        at.status = cases[i].status;
        at.answer = cases[i].answer;
        ctx->error[0] = '\0';
        CHECK_EQ(ax_remote_call(&remote, ctx, "GET", AX_STR("/x"), AX_STR(""), &answer),
                 cases[i].want);
        CHECK_EQ(answer.status, cases[i].status);
        CHECK_STR(answer.body, cases[i].answer);
        CHECK_EQ(answer.json != NULL, cases[i].answer[0] == '{' || cases[i].answer[0] == '[');
        if (cases[i].want != AX_OK && strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "%d says: %s", cases[i].status, ctx->error);
    }
    ax_remote_close(&remote);
    remote_case_close(&at);
}

TEST(a_refusal_becomes_its_code_and_the_servers_own_sentence)
{
    ax_test_with_ctx(answered);
}

static void
sent(struct ax_ctx *ctx)
{
    static const struct {
        const char *method, *body, *type;
    } cases[] = {
        {"GET", "", "application/json"},           {"POST", "", "application/json"},
        {"POST", "{\"a\":1}", "application/json"}, {"POST", "\x89UBJ", "application/octet-stream"},
        {"PATCH", "{}", "application/json"},
    };
    struct remote_case at;
    struct ax_remote remote = {};
    struct ax_remote_answer answer = {};
    remote_case_open(ctx, &at);
    CHECK_EQ(setenv("AXIOM_TOKEN", "axm_mine", 1), 0);
    CHECK_EQ(ax_remote_open(ctx, at.url, AX_STR(""), &remote), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_remote_call(&remote, ctx, cases[i].method, AX_STR("/a/b?c=d"),
                                ax_str_of(cases[i].body), &answer),
                 AX_OK);
        CHECK(strcmp(at.method, cases[i].method) == 0 && strcmp(at.target, "/a/b?c=d") == 0);
        CHECK(strcmp(at.body, cases[i].body) == 0 && strcmp(at.type, cases[i].type) == 0);
        CHECK(strcmp(at.authorization, "Bearer axm_mine") == 0);
    }
    ax_remote_close(&remote);
    CHECK_EQ(unsetenv("AXIOM_TOKEN"), 0);
    CHECK_EQ(ax_remote_open(ctx, at.url, AX_STR(""), &remote), AX_OK);
    CHECK_EQ(ax_remote_call(&remote, ctx, "GET", AX_STR("/"), AX_STR(""), &answer), AX_OK);
    CHECK(at.authorization[0] == '\0'); /* no token, no header */
    remote_case_close(&at);
    CHECK_EQ(ax_remote_call(&remote, ctx, "GET", AX_STR("/"), AX_STR(""), &answer), AX_UNAVAILABLE);
    ax_remote_close(&remote);
}

TEST(a_request_carries_body_type_and_token_and_a_server_that_is_away_is_told)
{
    ax_test_with_ctx(sent);
}

static void
segments(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},           {"credit-1_a.b~c", "credit-1_a.b~c"}, {"a/b", "a%2Fb"},
        {"../x", "..%2Fx"}, {"a b?c#d%e", "a%20b%3Fc%23d%25e"},   {"Zo\xc3\xab\x7f", "Zo%C3%AB%7F"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_STR(ax_remote_segment(ctx, ax_str_of(cases[i].text)), cases[i].want);
}

TEST(text_becomes_one_segment_of_a_path)
{
    ax_test_with_ctx(segments);
}

/* ---- faults ---- */

static struct remote_case swept;

static ax_status
ask_once(struct ax_ctx *ctx)
{
    struct ax_remote remote = {};
    struct ax_remote_answer answer;
    AX_TRY(ax_remote_open(ctx, swept.url, AX_STR(""), &remote));
    ax_status status =
        ax_remote_call(&remote, ctx, "POST", AX_STR("/x"), AX_STR("{\"a\":1}"), &answer);
    ax_remote_close(&remote);
    return status;
}

static void
sweep(struct ax_ctx *ctx)
{
    remote_case_open(ctx, &swept);
    swept.answer = "{\"models\":[{\"name\":\"credit\"}]}";
    FAULT_SWEEP(ask_once);
    remote_case_close(&swept);
}

TEST(a_request_survives_every_fault)
{
    ax_test_with_ctx(sweep);
}

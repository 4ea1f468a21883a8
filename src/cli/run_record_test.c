#include "cli/run_record.h"

#include <stdlib.h>

#include "harness.h"

TEST(values_of_secret_names_are_known_by_their_names)
{
    static const struct {
        const char *name;
        bool secret;
    } cases[] = {{"--api-key", true},
                 {"AWS_SECRET_ACCESS_KEY", true},
                 {"db-Password", true},
                 {"HF_TOKEN", true},
                 {"authorization", true},
                 {"depth", false},
                 {"learning_rate", false},
                 {"keys", false},
                 {"", false}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        if (ax_run_record_is_secret(ax_str_of(cases[i].name)) != cases[i].secret)
            ax_test_failed(__FILE__, __LINE__, "%s", cases[i].name);
}

static void
opened(struct ax_ctx *ctx)
{
    static const struct {
        const char *uri, *token, *user, *password;
        ax_status want;
        const char *url, *authorization;
    } cases[] = {
        {NULL, NULL, NULL, NULL, AX_INVALID, "", ""},
        {"sqlite:///x", NULL, NULL, NULL, AX_INVALID, "", ""},
        {"http://a:1//", NULL, NULL, NULL, AX_OK, "http://a:1", ""},
        {"https://a", "t", NULL, NULL, AX_OK, "https://a", "Bearer t"},
        {"https://a", "t", "u", "p", AX_OK, "https://a", "Basic dTpw"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const char *const names[] = {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN",
                                     "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"};
        const char *const values[] = {cases[i].uri, cases[i].token, cases[i].user,
                                      cases[i].password};
        struct ax_run_record record = {};
        for (size_t n = 0; n < AX_COUNT_OF(names); n++)
            CHECK_EQ(values[n] ? setenv(names[n], values[n], 1) : unsetenv(names[n]), 0);
        CHECK_EQ(ax_run_record_open(ctx, AX_STR(""), &record), cases[i].want);
        if (cases[i].want == AX_OK) {
            CHECK_STR(record.url, cases[i].url);
            CHECK_STR(record.authorization, cases[i].authorization);
        }
        ax_run_record_close(&record);
    }
}

TEST(mlflows_variables_say_where_and_who)
{
    ax_test_with_ctx(opened);
}

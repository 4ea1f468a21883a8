#include "cli/command.h"

#include "harness.h"

static void
options(struct ax_ctx *ctx)
{
    static struct {
        char arguments[4][12];
        int count;
        ax_status want;
        const char *words;
    } cases[] = {
        {{"--model", "m.json", "--json", "x.csv"}, 4, AX_OK, ""},
        {{"--modle"}, 1, AX_INVALID, "unknown option `--modle`"},
        {{"--model"}, 1, AX_INVALID, "option `--model` needs a value"},
        {{"a", "b"}, 2, AX_INVALID, "unexpected argument `b`"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str model = {}, positional = {};
        bool json = false;
        const struct ax_option table[] = {
            {.name = "--model", .out_value = &model},
            {.name = "--json", .out_given = &json},
        };
        char *arguments[4];
        for (int j = 0; j < 4; j++)
            arguments[j] = cases[i].arguments[j];
        ctx->error[0] = '\0';
        CHECK_EQ(ax_command_options(ctx, cases[i].count, arguments, table, AX_COUNT_OF(table),
                                    &positional),
                 cases[i].want);
        CHECK(strcmp(ctx->error, cases[i].words) == 0);
        if (cases[i].want == AX_OK) {
            CHECK_STR(model, "m.json");
            CHECK_STR(positional, "x.csv");
            CHECK(json);
        }
    }
}

TEST(options_are_read_and_unknown_ones_named)
{
    ax_test_with_ctx(options);
}

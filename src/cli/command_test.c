#include "cli/command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine.h"
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

static void
model(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    CHECK_EQ(ax_command_model(ctx, AX_STR("tests/model/small/none.json"), NULL, &engine),
             AX_NOT_FOUND);
    CHECK(ax_test_said(ctx, "tests/model/small/none.json"));
    CHECK_EQ(ax_command_model(ctx, AX_STR("meson.build"), NULL, &engine), AX_INVALID);
    CHECK(ax_test_said(ctx, "meson.build: "));
    CHECK_EQ(ax_command_model(ctx, AX_STR("tests/model/small/xgboost.json"), NULL, &engine), AX_OK);
    REQUIRE(engine != NULL);
    CHECK_EQ(ax_engine_signature(engine)->feature_count, 3);
}

TEST(a_model_that_cannot_be_opened_is_named)
{
    ax_test_with_ctx(model);
}

/* A table of that text; its path. */
static ax_str
table_file(struct ax_ctx *ctx, const char *text)
{
    char path[] = "/tmp/axiom-table-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    ax_str copy = {};
    CHECK(ax_str_copy(ctx->arena, ax_str_of(path), &copy));
    return copy;
}

static void
table(struct ax_ctx *ctx)
{
    ax_str path = table_file(ctx, "a,b\n1,2\n"), empty = table_file(ctx, "");
    ax_writer_auto struct ax_writer room = ax_writer_of(1 << 20);
    struct ax_csv_part part;
    struct ax_command_table table = {};
    CHECK_EQ(ax_command_table_open(ctx, path, &table), AX_OK);
    CHECK_EQ(table.bytes, 8);
    CHECK_STR(ax_csv_stream_header(table.stream)->fields[1], "b");
    CHECK_EQ(ax_csv_stream_next(table.stream, ctx, &room, &part), AX_OK);
    CHECK_STR(part.text, "1,2\n");
    ax_command_table_close(&table);
    CHECK_EQ(ax_command_table_open(ctx, empty, &table), AX_INVALID);
    CHECK(ax_test_said(ctx, "the file is empty; a header was expected"));
    ax_command_table_close(&table);
    CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
    CHECK_EQ(ax_file_remove(ctx, empty), AX_OK);
    CHECK_EQ(ax_command_table_open(ctx, path, &table), AX_NOT_FOUND);
    ax_command_table_close(&table);

    int ends[2];
    REQUIRE(pipe(ends) == 0 && write(ends[1], "x\n3\n", 4) == 4 && dup2(ends[0], 0) == 0);
    close(ends[1]);
    CHECK_EQ(ax_command_table_open(ctx, AX_STR("-"), &table), AX_OK);
    CHECK_STR(ax_csv_stream_header(table.stream)->fields[0], "x");
    ax_command_table_close(&table);
    CHECK(isatty(STDIN_FILENO) == 0 && fcntl(STDIN_FILENO, F_GETFD) >= 0); /* still open */
}

TEST(a_table_is_a_file_or_standard_input)
{
    ax_test_with_ctx(table);
}

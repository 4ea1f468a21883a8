#include "cli/compare.h"

#include <math.h>

#include "cli/command.h"
#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

static const char small_path[] = "tests/model/small/lightgbm.txt";

static const char rows[] = "age,income,region\n20,10,north\n40,10,7\n60,200,33\n,,\n";

/* The model, and the model with a part replaced. */
struct pair {
    struct ax_engine *engines[2];
};

static bool
open_pair(struct ax_ctx *ctx, const char *find, const char *with, struct pair *out)
{
    ax_str text = {};
    *out = (struct pair){};
    bool read = model_case_read(ctx, small_path, &text);
    if (read && ax_engine_open(ctx, text, NULL, &out->engines[0]) == AX_OK &&
        ax_engine_open(ctx, model_case_replace(ctx, text, find, with), NULL, &out->engines[1]) ==
            AX_OK)
        return true;
    ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
    return false;
}

static void
close_pair(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++)
        if (pair->engines[i])
            ax_engine_close(pair->engines[i]);
}

static const struct {
    const char *find, *with;
    double tolerance;
    size_t differing;
    double largest;
    size_t row, line; /* of the largest */
} cases[] = {
    {"leaf_value=32", "leaf_value=32", 0, 0, 0, 0, 0},
    {"leaf_value=32", "leaf_value=33", 0, 4, 1, 2, 2},
    {"leaf_value=32", "leaf_value=33", 0.1, 0, 1, 2, 2}, /* within the tolerance, and said */
    {"leaf_value=1 2 4", "leaf_value=1.5 2 4", 0, 2, 0.5, 2, 2},
    {"leaf_value=-0.5 0.25 0.75", "leaf_value=-0.5 0.25 9.75", 0, 1, 9, 4, 4},
    {"leaf_value=32", "leaf_value=32.000000000000007", 0, 3, 7.1054273576010019e-15, 2, 2},
    {"leaf_value=32", "leaf_value=32.000000000000007", 1e-12, 0, 7.1054273576010019e-15, 2, 2},
};

static void
check_pairs(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct pair pair;
        struct ax_compare_result result = {};
        struct ax_compare_config config = {.output = AX_ENGINE_MARGIN,
                                           .tolerance = cases[i].tolerance};
        const struct ax_engine *engines[2];
        if (open_pair(ctx, cases[i].find, cases[i].with, &pair)) {
            engines[0] = pair.engines[0];
            engines[1] = pair.engines[1];
            CHECK_EQ(ax_compare_models(ctx, engines, ax_str_of(rows), &config, &result), AX_OK);
            CHECK_EQ(result.row_count, 4);
            CHECK_EQ(result.differing, cases[i].differing);
            CHECK_EQ(result.spot_count, cases[i].differing);
            CHECK_EQ(result.largest_at.row, cases[i].row);
            CHECK_EQ(result.largest_at.line, cases[i].line);
            if (result.largest != cases[i].largest)
                ax_test_failed(__FILE__, __LINE__, "case %zu: largest %.17g", i, result.largest);
        }
        close_pair(&pair);
    }
}

TEST(compare_counts_rows_that_differ_and_finds_the_largest)
{
    ax_test_with_ctx(check_pairs);
}

/* More rows than a call takes; only the first that differ are kept. */
static void
check_many(struct ax_ctx *ctx)
{
    enum { ROWS = 1000 };
    struct pair pair;
    struct ax_compare_result result = {};
    const struct ax_compare_config config = {.output = AX_ENGINE_RESPONSE};
    char *text = AX_NEW_ARRAY(ctx->arena, char, 20 * ROWS);
    size_t len = (size_t)sprintf(text, "age,income,region\n");
    for (int i = 0; i < ROWS; i++)
        len += (size_t)sprintf(text + len, "%d,1,0\n", i % 2 ? 20 : 60);
    if (open_pair(ctx, "sigmoid:1", "sigmoid:0.01", &pair)) {
        const struct ax_engine *engines[] = {pair.engines[0], pair.engines[1]};
        CHECK_EQ(ax_compare_models(ctx, engines, (ax_str){text, len}, &config, &result), AX_OK);
        CHECK_EQ(result.row_count, ROWS);
        CHECK_EQ(result.differing, ROWS);
        CHECK_EQ(result.spot_count, AX_COMPARE_SPOTS_MAX);
        CHECK_EQ(result.spots[AX_COMPARE_SPOTS_MAX - 1].row, AX_COMPARE_SPOTS_MAX + 1);
    }
    close_pair(&pair);
}

TEST(compare_goes_through_many_rows_in_blocks)
{
    ax_test_with_ctx(check_many);
}

static void
check_refusals(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *one = model_case_open(ctx, small_path);
    ax_auto(ax_engine_close) struct ax_engine *two =
        model_case_open(ctx, "tests/model/small/catboost_nested.json");
    REQUIRE(one && two);
    struct ax_compare_result result = {};
    const struct ax_compare_config config = {.output = AX_ENGINE_MARGIN};
    const struct ax_engine *others[] = {one, two}, *same[] = {one, one};
    CHECK_EQ(ax_compare_models(ctx, others, ax_str_of(rows), &config, &result), AX_INVALID);
    CHECK(strstr(ctx->error, "the first model has 1 outputs, the second 2"));
    CHECK_EQ(ax_compare_models(ctx, same, AX_STR("a\n1\n"), &config, &result), AX_INVALID);
    CHECK_EQ(ax_compare_models(ctx, same, AX_STR("a,b,c\n1,x,2\n"), &config, &result), AX_INVALID);
    CHECK(strstr(ctx->error, "row 2 (line 2), column `income`"));
}

TEST(compare_refuses_models_and_rows_that_do_not_fit)
{
    ax_test_with_ctx(check_refusals);
}

static const struct {
    const char *arguments[6];
    int count;
    const char *part;
} commands[] = {
    {{}, 0, "two model files are needed"},
    {{"--input", "x.csv"}, 2, "two model files are needed"},
    {{small_path, small_path}, 2, "two model files and `--input ROWS.csv` are needed"},
    {{small_path, "--input", "x.csv"}, 3, "two model files and `--input ROWS.csv` are needed"},
    {{"no_such_file", small_path, "--input", "x.csv"}, 4, "no_such_file"},
    {{small_path, small_path, "--input", "no_such_rows"}, 4, "no_such_rows"},
    {{small_path, small_path, "--input", "x", "--output", "leaf"},
     6,
     "--output must be response or margin, not \"leaf\""},
    {{small_path, small_path, "--input", "x", "--tolerance", "-1"}, 6, "--tolerance must be"},
    {{small_path, small_path, "--input", "x", "--missing", "none"}, 6, "--missing must be"},
};

static void
check_command(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++) {
        char texts[6][64], *arguments[6];
        for (int j = 0; j < commands[i].count; j++) {
            snprintf(texts[j], sizeof texts[j], "%s", commands[i].arguments[j]);
            arguments[j] = texts[j];
        }
        ctx->error[0] = '\0';
        CHECK(ax_command_compare.run(ctx, commands[i].count, arguments) != AX_OK);
        if (!strstr(ctx->error, commands[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(compare_command_says_what_it_needs)
{
    ax_test_with_ctx(check_command);
}

#include "learner/parameters.h"

#include <stddef.h>

#include "harness.h"

struct config {
    int64_t rounds;
    double rate;
};

static const struct ax_parameter rows[] = {
    {"rounds", AX_PARAMETER_COUNT, offsetof(struct config, rounds), 10, 1, 100},
    {"rate", AX_PARAMETER_NUMBER, offsetof(struct config, rate), 0.5, 0, 1},
};
static const struct ax_parameters parameters = {rows, 2, true, true};

static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER},
    {.name = {"housing", 7}, .kind = AX_FRAME_CATEGORY},
};
static const struct ax_frame frame = {.columns = columns, .column_count = 2};

static void
read_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *json;
        ax_status want;
        const char *words;
        int64_t rounds;
        double rate;
    } cases[] = {
        {"{}", AX_OK, "", 10, 0.5},
        {"{\"rounds\":7,\"monotone\":{},\"special\":{}}", AX_OK, "", 7, 0.5},
        {"{\"rate\":1,\"rounds\":100}", AX_OK, "", 100, 1},
        {"{\"rounds\":0}", AX_INVALID, "`rounds` must be a whole number from 1 to 100", 0, 0},
        {"{\"rounds\":1.5}", AX_INVALID, "whole number", 0, 0},
        {"{\"rate\":1.01}", AX_INVALID, "`rate` must be a number from 0 to 1", 0, 0},
        {"{\"rate\":\"1\"}", AX_INVALID, "`rate`", 0, 0},
        {"{\"round\":5}", AX_INVALID, "no parameter `round`", 0, 0},
        {"[1]", AX_INVALID, "must be an object, not an array", 0, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        struct config config = {};
        CHECK_EQ(ax_parameters_read(ctx, &parameters, json, &config), cases[i].want);
        if (cases[i].want != AX_OK) {
            CHECK(strstr(ctx->error, cases[i].words));
            continue;
        }
        CHECK_EQ(config.rounds, cases[i].rounds);
        CHECK(config.rate == cases[i].rate);
    }
    struct config config = {};
    CHECK_EQ(ax_parameters_read(ctx, &parameters, NULL, &config), AX_OK);
    ax_writer_auto struct ax_writer out = ax_writer_of(1'000);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_json_begin_object(&json);
    ax_parameters_write(&parameters, &config, &json);
    ax_json_end_object(&json);
    CHECK_STR(ax_writer_str(&out), "{\"rounds\":10,\"rate\":0.5}");
}

TEST(parameters_are_checked_against_their_table)
{
    ax_test_with_ctx(read_body);
}

static void
monotone_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *json;
        ax_status want;
        const char *words;
        int amount;
    } cases[] = {
        {"{}", AX_OK, "", 0},
        {"{\"monotone\":{\"amount\":1}}", AX_OK, "", 1},
        {"{\"monotone\":{\"amount\":-1}}", AX_OK, "", -1},
        {"{\"monotone\":{\"amount\":2}}", AX_INVALID, "`amount` must be 1, 0 or -1", 0},
        {"{\"monotone\":{\"amount\":0.5}}", AX_INVALID, "`amount`", 0},
        {"{\"monotone\":{\"housing\":1}}", AX_INVALID, "`housing` is no number", 0},
        {"{\"monotone\":{\"age\":1}}", AX_INVALID, "no column `age`", 0},
        {"{\"monotone\":[1]}", AX_INVALID, "monotone must be an object", 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        int *directions = NULL;
        CHECK_EQ(ax_parameters_monotone(ctx, json, &frame, &directions), cases[i].want);
        if (cases[i].want == AX_OK)
            CHECK(directions[0] == cases[i].amount && directions[1] == 0);
        else
            CHECK(strstr(ctx->error, cases[i].words));
    }
    int *directions = NULL;
    CHECK_EQ(ax_parameters_monotone(ctx, NULL, &frame, &directions), AX_OK);
}

TEST(parameters_name_the_column_of_a_wrong_direction)
{
    ax_test_with_ctx(monotone_body);
}

static void
special_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *json;
        ax_status want;
        const char *words;
        size_t count;
    } cases[] = {
        {"{}", AX_OK, "", 0},
        {"{\"special\":{}}", AX_OK, "", 0},
        {"{\"special\":{\"amount\":[]}}", AX_OK, "", 0},
        {"{\"special\":{\"amount\":[999,-1]}}", AX_OK, "", 2},
        {"{\"special\":{\"amount\":[1,2,3,4]}}", AX_INVALID, "at most 3 numbers", 0},
        {"{\"special\":{\"amount\":[1,null]}}", AX_INVALID, "item 1 of `amount`", 0},
        {"{\"special\":{\"amount\":[2e300]}}", AX_INVALID, "from -1e300 to 1e300", 0},
        {"{\"special\":{\"amount\":[0,-0.0]}}", AX_INVALID, "names a value twice", 0},
        {"{\"special\":{\"amount\":{}}}", AX_INVALID, "`amount` must be an array", 0},
        {"{\"special\":{\"housing\":[1]}}", AX_INVALID, "`housing` is no number", 0},
        {"{\"special\":{\"age\":[1]}}", AX_INVALID, "special: there is no column `age`", 0},
        {"{\"special\":7}", AX_INVALID, "special must be an object", 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        struct ax_parameter_specials *specials = NULL;
        CHECK_EQ(ax_parameters_special(ctx, json, &frame, 3, &specials), cases[i].want);
        if (cases[i].want != AX_OK) {
            CHECK(strstr(ctx->error, cases[i].words));
            continue;
        }
        CHECK(specials[0].count == cases[i].count && specials[1].count == 0);
        if (cases[i].count == 2)
            CHECK(specials[0].values[0] == -1 && specials[0].values[1] == 999);
    }
}

TEST(parameters_sort_special_values)
{
    ax_test_with_ctx(special_body);
}

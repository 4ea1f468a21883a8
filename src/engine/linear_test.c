#include "engine/linear.h"

#include <math.h>

#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

struct refusal {
    const char *find, *with, *part;
};

static const struct refusal scorecard_refusals[] = {
    {"\"version\":1", "\"version\":2", "`version` is 2; this program reads 1"},
    {"\"event\":\"bad\"", "\"event\":3", "`event` must be"},
    {"\"event\":\"bad\"", "\"evnt\":\"bad\"", "`evnt` is no member of the format"},
    {"\"intercept\":-0.75", "\"intercept\":NaN", "`intercept` must be a finite number"},
    {"\"intercept\":-0.75,", "", "`intercept` is missing"},
    {"\"pdo\":20", "\"pdq\":20", "`pdq` is no member"},
    {"\"name\":\"duration\"", "\"name\":\"\"",
     "`characteristics`[0] ``: `name` must be a text of 1"},
    {"\"name\":\"duration\"", "\"name\":\"purpose\"", "has two terms named `purpose`"},
    {"\"type\":\"numeric\"", "\"type\":\"number\"", "`type` must be \"numeric\" or"},
    {"\"coefficient\":-0.9", "\"coefficient\":Infinity", "`coefficient` must be a finite number"},
    {"\"mean\":0.125", "\"mean\":\"0\"", "`characteristics`[0] `duration`: `mean` must be"},
    {"{\"to\":12,", "{\"to\":31,", "`bins`[1]: `to` must ascend"},
    {"{\"to\":12,", "{", "`bins`[0]: `to` is missing"},
    {"{\"woe\":-0.75", "{\"to\":99,\"woe\":-0.75", "`bins`[2]: the last bin holds all the rest"},
    {"\"woe\":0.5,", "", "`bins`[0]: `woe` is missing"},
    {"\"woe\":0.5,", "\"weight\":0.5,", "`weight` is no member"},
    {",\"points\":18.25", "", "`points` must be in every bin and group, or in none"},
    {"\"missing\":{\"woe\":0,\"points\":17}", "\"missing\":{\"woe\":0}",
     "`missing`: `points` must"},
    {"\"missing\":{\"woe\":0,\"points\":17}", "\"missing\":\"other\"",
     "`missing` must be \"refuse\" or an object"},
    {",\"missing\":\"refuse\"", "", "`characteristics`[1] `purpose`: `missing` is missing"},
    {"[\"car\",\"education\",\"furniture\"]", "[\"car\",\"car\",\"furniture\"]",
     "`categories` has `car` twice"},
    {"[\"car\",\"education\",\"furniture\"]", "[\"car\",\"education\",\"furniture\",\"tv\"]",
     "the category `tv` is in no group"},
    {"[\"car\",\"education\",\"furniture\"]", "[]", "`categories` has 0 items; expected 1 to"},
    {"[\"car\",\"furniture\"]", "[\"car\",\"boat\"]",
     "`groups`[0]: `categories`[1], `boat`, is none"},
    {"[\"car\",\"furniture\"]", "[\"car\",\"car\"]", "`categories`[1], `car`, is in two groups"},
    {"\"other\":{\"woe\":-0.3,\"points\":8}", "\"other\":7", "`other`: expected an object, not"},
};

static const struct refusal linear_refusals[] = {
    {"\"link\":\"logistic\"", "\"link\":\"probit\"", "`link` must be identity, logistic or log"},
    {"[-0.3,0.4]", "[-0.3]", "`values` has 1 items for 2 categories"},
    {"[-0.3,0.4]", "[-0.3,NaN]", "`values`[1] must be a finite number"},
    {"{\"value\":2319.5}", "{\"woe\":2319.5}", "`woe` is no member"},
    {"\"other\":\"missing\"", "\"other\":\"car\"", "`other` must be \"refuse\", \"missing\" or"},
    {"axiom.linear", "axiom.lineal", "`format` is `axiom.lineal`"},
    {"\"terms\":[", "\"terms\":[7,", "`terms`[0] ``: a term must be an object"},
};

static void
check_table(struct ax_ctx *ctx, const char *path, const struct refusal *refusals, size_t count)
{
    ax_str text;
    CHECK(model_case_read(ctx, path, &text));
    for (size_t i = 0; i < count; i++)
        model_case_refuse(ctx, text, refusals[i].find, refusals[i].with, AX_OK, refusals[i].part);
}

static void
check_refusals(struct ax_ctx *ctx)
{
    check_table(ctx, "tests/model/small/scorecard.json", scorecard_refusals,
                AX_COUNT_OF(scorecard_refusals));
    check_table(ctx, "tests/model/small/linear.json", linear_refusals,
                AX_COUNT_OF(linear_refusals));
}

TEST(linear_files_that_break_a_rule_are_refused_with_the_term)
{
    ax_test_with_ctx(check_refusals);
}

/* Every example in the document is a model. */
static void
check_document(struct ax_ctx *ctx)
{
    ax_str text;
    size_t found = 0, at;
    CHECK(model_case_read(ctx, "docs/model-formats.md", &text));
    while ((at = ax_str_find(text, AX_STR("```json\n"))) != SIZE_MAX) {
        struct ax_engine *engine = NULL;
        text = ax_str_from(text, at + 8);
        ax_str example = {text.at, ax_str_find(text, AX_STR("```"))};
        CHECK_EQ(ax_engine_open(ctx, example, NULL, &engine), AX_OK);
        if (engine)
            ax_engine_close(engine);
        else
            ax_test_failed(__FILE__, __LINE__, "example %zu: %s", found, ctx->error);
        text = ax_str_from(text, example.len + 3);
        found++;
    }
    CHECK_EQ(found, 2);
}

TEST(linear_examples_of_the_document_are_models)
{
    ax_test_with_ctx(check_document);
}

static void
check_links(struct ax_ctx *ctx)
{
    static const double row[2] = {1000, 0}; /* 0.25 + 0.1 - 0.6 */
    static const char *const links[] = {"\"identity\"", "\"logistic\"", "\"log\""};
    double margin = 0.25 + 0.0001 * 1000 + 2 * -0.3;
    const double wants[] = {margin, 1 / (1 + exp(-margin)), exp(margin)};
    ax_str text;
    CHECK(model_case_read(ctx, "tests/model/small/linear.json", &text));
    for (size_t i = 0; i < AX_COUNT_OF(links); i++) {
        struct ax_engine *engine = NULL;
        ax_str linked = model_case_replace(ctx, text, "\"logistic\"", links[i]);
        CHECK_EQ(ax_engine_open(ctx, linked, NULL, &engine), AX_OK);
        struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                      .outputs = AX_ENGINE_RESPONSE};
        CHECK(model_case_score(ctx, engine, &call, NULL).response[0] == wants[i]);
        ax_engine_close(engine);
    }
}

TEST(linear_models_answer_through_their_link)
{
    ax_test_with_ctx(check_links);
}

#include "serving/signature.h"

#include <math.h>

#include "harness.h"

static const char text[] =
    "{\"features\":["
    "{\"name\":\"duration\",\"type\":\"number\",\"missing\":\"refuse\",\"min\":4,\"max\":72},"
    "{\"name\":\"purpose\",\"type\":\"category\",\"missing\":\"accept\","
    "\"unknown\":\"refuse\",\"categories\":[\"car\",\"radio\"]},"
    "{\"name\":\"housing\",\"type\":\"category\",\"missing\":\"accept\","
    "\"unknown\":\"missing\",\"categories\":[\"own\"]}],"
    "\"target\":{\"name\":\"creditability\",\"positive\":\"bad\"},\"response\":\"probability\"}";

static ax_status
open_signature(struct ax_ctx *ctx, struct ax_signature **out)
{
    const struct ax_json *json;
    AX_TRY(ax_json_parse(ctx, ax_str_of(text), NULL, &json));
    return ax_signature_parse(ctx, json, out);
}

static void
encoding(struct ax_ctx *ctx)
{
    static const struct {
        const char *in;
        ax_status want;
        double row[3];
        const char *words;
    } cases[] = {
        {"{\"purpose\":\"radio\",\"duration\":6,\"housing\":\"own\"}", AX_OK, {6, 1, 0}, ""},
        {"{\"duration\":6}", AX_OK, {6, (double)NAN, (double)NAN}, ""},
        {"{\"duration\":6,\"purpose\":null,\"housing\":\"rent\"}",
         AX_OK,
         {6, (double)NAN, (double)NAN},
         ""},
        {"{\"purpose\":\"radio\"}", AX_INVALID, {}, "feature `duration` is missing"},
        {"{\"duration\":null}", AX_INVALID, {}, "feature `duration` is missing"},
        {"{\"duration\":\"6\"}",
         AX_INVALID,
         {},
         "feature `duration` must be a number, not a string"},
        {"{\"duration\":6,\"purpose\":3}",
         AX_INVALID,
         {},
         "feature `purpose` must be a string, not a number"},
        {"{\"duration\":6,\"purpose\":\"boat\"}",
         AX_INVALID,
         {},
         "feature `purpose`: \"boat\" is not one of its 2 categories"},
        {"{\"duration\":6,\"age\":3}", AX_INVALID, {}, "unknown feature `age`"},
        {"[1]", AX_INVALID, {}, "`features` must be an object of names and values"},
    };
    struct ax_signature *signature = NULL;
    CHECK_EQ(open_signature(ctx, &signature), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        double row[3] = {};
        ctx->error[0] = '\0';
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].in), NULL, &json), AX_OK);
        CHECK_EQ(ax_signature_encode(ctx, signature, json, row), cases[i].want);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
        for (size_t f = 0; cases[i].want == AX_OK && f < 3; f++)
            CHECK(row[f] == cases[i].row[f] || (isnan(row[f]) && isnan(cases[i].row[f])));
    }
}

TEST(features_become_the_row_that_the_model_was_trained_on_or_are_refused_by_name)
{
    ax_test_with_ctx(encoding);
}

static ax_status
round_trip(struct ax_ctx *ctx)
{
    struct ax_signature *signature, *again;
    const struct ax_json *json;
    AX_TRY(open_signature(ctx, &signature));
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    struct ax_json_writer writer = ax_json_writer_of(&out);
    ax_signature_print(signature, &writer);
    if (out.status != AX_OK)
        return ax_fail(ctx, out.status, "printing");
    ax_str first = ax_writer_str(&out);
    AX_TRY(ax_json_parse(ctx, first, NULL, &json));
    AX_TRY(ax_signature_parse(ctx, json, &again));
    CHECK_EQ(again->feature_count, 3);
    CHECK(again->features[0].max == 72.0);
    CHECK(again->features[2].unknown_is_missing);
    CHECK_STR(again->positive, "bad");
    return AX_OK;
}

TEST(a_signature_prints_as_it_reads_and_survives_every_fault)
{
    FAULT_SWEEP(round_trip);
}

static void
answers(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    struct ax_json_writer writer = ax_json_writer_of(&out);
    struct ax_signature *signature = NULL;
    const struct ax_json *json;
    const ax_str name = AX_STR("age");
    CHECK_EQ(ax_signature_of_names(ctx, &name, 1, &signature), AX_OK);
    CHECK_STR(signature->answer, "response");
    ax_signature_print(signature, &writer);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("answer")) == SIZE_MAX); /* as digests knew it */
    ax_writer_clear(&out);
    writer = ax_json_writer_of(&out);
    signature->answer = AX_STR("label");
    ax_signature_print(signature, &writer);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &json), AX_OK);
    CHECK_EQ(ax_signature_parse(ctx, json, &signature), AX_OK);
    CHECK_STR(signature->answer, "label");
}

TEST(what_predict_answers_is_said_where_it_is_not_the_response)
{
    ax_test_with_ctx(answers);
}

#include "api/observe.h"

#include "api_case.h"

#define ROW "{\"age\":41,\"income\":1200.5,\"job\":\"cook\"}"

static bool
counted(struct ax_ctx *ctx, struct api_case *at, const char *phase, int count)
{
    char words[160];
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    snprintf(words, sizeof words,
             "axiom_phase_seconds_count{model=\"xgboost\",version=\"1\",phase=\"%s\"} %d\n", phase,
             count);
    return api_case_says(&answer, words);
}

/* Each phase that a request passes is counted once, for the version that answered. */
static void
phases(struct ax_ctx *ctx, struct api_case *at)
{
    static const char *const passed[] = {"read",     "queue", "parse", "route",
                                         "features", "score", "write"};
    static const char *const not_passed[] = {"explain", "record"};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict",
                              AX_STR("{\"instances\":[" ROW "]}"))
                     .status,
                 200);
    for (size_t i = 0; i < AX_COUNT_OF(passed); i++)
        if (!counted(ctx, at, passed[i], 3))
            ax_test_failed(__FILE__, __LINE__, "%s is not counted 3 times", passed[i]);
    for (size_t i = 0; i < AX_COUNT_OF(not_passed); i++)
        CHECK(counted(ctx, at, not_passed[i], 0));
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", AX_STR("{")).status,
             400);
    CHECK(counted(ctx, at, "parse", 3) && counted(ctx, at, "route", 4)); /* as far as it came */
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /healthz", AX_STR("")).status, 200);
    CHECK(counted(ctx, at, "route", 4)); /* no version, no phases */
}

TEST(phases_are_counted_for_the_version_that_answered)
{
    api_case_run_bare(phases);
}

/* What is explained is told apart from what is only scored. */
static void
explained(struct ax_ctx *ctx, struct api_case *at)
{
    static const char body[] =
        "{\"inputs\":[{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[41]},"
        "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1200.5]},"
        "{\"name\":\"job\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"cook\"]}],"
        "\"outputs\":[{\"name\":\"contributions\"}]}";
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", ax_str_of(body)).status,
             200);
    CHECK(counted(ctx, at, "explain", 1) && counted(ctx, at, "score", 0));
}

TEST(phases_tell_explaining_from_scoring)
{
    api_case_run_bare(explained);
}

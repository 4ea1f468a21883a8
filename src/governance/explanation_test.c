#include "governance/explanation.h"

#include "harness.h"

static const char map_text[] =
    "{\"name\":\"credit-reasons\",\"reasons\":["
    "{\"code\":\"R02\",\"text\":\"Length of the requested credit\",\"features\":[\"duration\"]},"
    "{\"code\":\"R01\",\"text\":\"Level of savings\",\"features\":[\"savings\",\"checking\"]},"
    "{\"code\":\"R03\",\"text\":\"Purpose\",\"features\":[\"purpose\"],\"disclose\":false},"
    "{\"code\":\"R04\",\"text\":\"Housing\",\"features\":[\"housing\"]},"
    "{\"code\":\"R05\",\"text\":\"Job\",\"features\":[\"job\"]},"
    "{\"code\":\"R06\",\"text\":\"Phone\",\"features\":[\"phone\"]}]}";

static const ax_str features[] = {
    {"checking", 8}, {"duration", 8}, {"purpose", 7}, {"savings", 7},
    {"housing", 7},  {"job", 3},      {"phone", 5},
};
enum { FEATURE_COUNT = AX_COUNT_OF(features) };

static ax_status
parse(struct ax_ctx *ctx, const char *text, struct ax_reason_map *out)
{
    const struct ax_json *json;
    AX_TRY(ax_json_parse(ctx, ax_str_of(text), NULL, &json));
    return ax_reason_map_parse(ctx, json, out);
}

static void
selection(struct ax_ctx *ctx)
{
    static const struct {
        double contributions[FEATURE_COUNT];
        const char *codes; /* in order */
        bool blocked;
    } cases[] = {
        {{0.3, 0.4, -1, 0.2, -0.1, 0, 0}, "R01 R02 ", false},  /* 0.5 of two features wins */
        {{0.3, 0.3, -1, 0, 0.3, 0, 0}, "R01 R02 R04 ", false}, /* ties by code */
        {{0.1, 0.2, -1, 0, 0.3, 0.4, 0.5}, "R06 R05 R04 R02 ", false}, /* four at most */
        {{0, 0, 2, 0, 0, 1, 0}, "R03 R05 ", true}, /* what may not be said blocks */
        {{-1, -1, -1, -1, -1, -1, -1}, "", false},
        {{0.5, 0, 0, -0.6, 0, 0, 0}, "", false}, /* the group as a whole helps */
    };
    struct ax_reason_map map = {};
    struct ax_reason_index index = {};
    CHECK_EQ(parse(ctx, map_text, &map), AX_OK);
    CHECK_EQ(ax_reason_map_compile(ctx, &map, features, FEATURE_COUNT, &index), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_reason_given given[AX_REASONS_MAX];
        bool blocked = false;
        char codes[64] = "";
        size_t count = ax_reasons_select(&index, cases[i].contributions, 4, given, &blocked);
        for (size_t r = 0; r < count; r++) {
            size_t used = strlen(codes);
            snprintf(codes + used, sizeof codes - used, "%.*s ", AX_FMT(given[r].reason->code));
            CHECK(given[r].contribution > 0);
        }
        if (strcmp(codes, cases[i].codes) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu gives %s", i, codes);
        CHECK_EQ(blocked, cases[i].blocked);
    }
}

TEST(r63_r64_reasons_are_adverse_ordered_at_most_four_and_none_is_dropped)
{
    ax_test_with_ctx(selection);
}

static void
coverage(struct ax_ctx *ctx)
{
    struct ax_reason_map map = {};
    struct ax_reason_index index = {};
    const ax_str more[] = {AX_STR("checking"), AX_STR("age")};
    CHECK_EQ(parse(ctx, map_text, &map), AX_OK);
    CHECK_EQ(ax_reason_map_compile(ctx, &map, more, 2, &index), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error),
              "reason map credit-reasons has no code for the feature `age` of the model");
}

TEST(r64_a_feature_without_a_reason_is_refused)
{
    ax_test_with_ctx(coverage);
}

static void
phrases(struct ax_ctx *ctx)
{
    static const char *const texts[] = {
        "Internal standards", "Failed to achieve a QUALIFYING SCORE",
        "Credit policy",      "Score too low",
        "The model says so",
    };
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++) {
        struct ax_reason_map map = {};
        ax_str text = ax_str_printf(
            ctx->arena, "{\"reasons\":[{\"code\":\"R1\",\"text\":\"%s\",\"features\":[\"a\"]}]}",
            texts[i]);
        CHECK_EQ(parse(ctx, text.at, &map), AX_INVALID);
        CHECK(strstr(ctx->error, "names no cause") != NULL);
    }
    struct ax_reason_map map = {};
    CHECK_EQ(parse(ctx,
                   "{\"reasons\":[{\"code\":\"R1\",\"text\":\"x\",\"features\":[\"a\"]},"
                   "{\"code\":\"R2\",\"text\":\"y\",\"features\":[\"a\"]}]}",
                   &map),
             AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "feature `a` has two reason codes");
}

TEST(r63_texts_that_state_no_cause_are_refused)
{
    ax_test_with_ctx(phrases);
}

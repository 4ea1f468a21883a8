#include "mlops/tracking_source.h"

#include <math.h>

#include "harness.h"

/* A source whose pages are written down. */
struct scripted {
    struct ax_tracking_source base;
    const char *const *pages;
    size_t page_count, asked;
    char tokens[64]; /* that it was asked with, a ',' behind each */
};

static ax_status
scripted_ask(struct ax_tracking_source *base, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
             const struct ax_json **out_answer)
{
    struct scripted *scripted = (struct scripted *)base;
    size_t used = strlen(scripted->tokens);
    snprintf(scripted->tokens + used, sizeof scripted->tokens - used, "%.*s,",
             AX_FMT(ask->page_token));
    if (scripted->asked >= scripted->page_count)
        return ax_fail(ctx, AX_UNAVAILABLE, "it went away");
    return ax_json_parse(ctx, ax_str_of(scripted->pages[scripted->asked++]), NULL, out_answer);
}

static ax_status
scripted_fetch(struct ax_tracking_source *base, struct ax_ctx *ctx,
               const struct ax_tracking_ask *ask, ax_file to, uint64_t *out_bytes)
{
    (void)base;
    (void)ask;
    *out_bytes = 3;
    return ax_file_write_at(ctx, to, 0, AX_STR("abc"));
}

static void
scripted_close(struct ax_tracking_source *base)
{
    ((struct scripted *)base)->asked = 0;
}

static const struct ax_tracking_source_ops ops = {
    .name = "script", .ask = scripted_ask, .fetch = scripted_fetch, .close = scripted_close};

/* Adds up the items. */
static ax_status
source_one(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    int64_t *sum = arg, value = 0;
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "v", &value));
    *sum += value;
    return AX_OK;
}

static ax_status
walk(struct ax_ctx *ctx, struct scripted *scripted, int64_t *sum)
{
    const struct ax_tracking_walk walk = {
        .ask = {.question = AX_TRACKING_RUNS}, .member = "runs", .one = source_one, .arg = sum};
    return ax_tracking_source_walk(&scripted->base, ctx, &walk);
}

TEST(pages_are_followed_and_lead_somewhere)
{
    static const struct {
        const char *pages[3];
        size_t count;
        ax_status want;
        int64_t sum;
        const char *tokens, *says;
    } cases[] = {
        {{"{}"}, 1, AX_OK, 0, ",", ""},
        {{"{\"runs\":[{\"v\":1},{\"v\":\"2\"}]}"}, 1, AX_OK, 3, ",", ""},
        {{"{\"runs\":[{\"v\":1}],\"next_page_token\":\"a\"}",
          "{\"runs\":[{\"v\":4}],\"next_page_token\":\"b\"}", "{\"runs\":[{\"v\":8}]}"},
         3,
         AX_OK,
         13,
         ",a,b,",
         ""},
        {{"{\"runs\":[{\"v\":1}],\"next_page_token\":\"a\"}",
          "{\"runs\":[{\"v\":4}],\"next_page_token\":\"a\"}"},
         2,
         AX_CORRUPT,
         1,
         ",a,",
         "lead nowhere"},
        {{"{\"runs\":[],\"next_page_token\":\"a\"}"}, 1, AX_CORRUPT, 0, ",", "lead nowhere"},
        {{"{\"next_page_token\":\"a\"}"}, 1, AX_CORRUPT, 0, ",", "lead nowhere"},
        {{"{\"runs\":{}}"}, 1, AX_CORRUPT, 0, ",", "is no list"},
        {{"{\"runs\":[1],\"next_page_token\":[]}"}, 1, AX_CORRUPT, 0, ",", "is no text"},
        {{"{\"runs\":[{\"v\":\"x\"}]}"}, 1, AX_CORRUPT, 0, ",", "no whole number"},
        {{"{\"runs\":[{\"v\":1}],\"next_page_token\":\"a\"}"}, 1, AX_UNAVAILABLE, 1, ",a,", "away"},
    };
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct scripted scripted = {
            .base = {.ops = &ops}, .pages = cases[i].pages, .page_count = cases[i].count};
        int64_t sum = 0;
        ctx.error[0] = '\0';
        CHECK_EQ(walk(&ctx, &scripted, &sum), cases[i].want);
        CHECK_EQ(sum, cases[i].sum);
        CHECK_STR(ax_str_of(scripted.tokens), cases[i].tokens);
        CHECK(ax_test_said(&ctx, cases[i].says));
    }
}

static ax_status
walk_all(struct ax_ctx *ctx)
{
    static const char *const pages[] = {"{\"runs\":[{\"v\":1}],\"next_page_token\":\"a\"}",
                                        "{\"runs\":[{\"v\":2}]}"};
    struct scripted scripted = {.base = {.ops = &ops}, .pages = pages, .page_count = 2};
    int64_t sum = 0;
    AX_TRY(walk(ctx, &scripted, &sum));
    CHECK_EQ(sum, 3);
    return AX_OK;
}

TEST(pages_that_cannot_be_had_are_no_end)
{
    FAULT_SWEEP(walk_all);
}

static void
reads(struct ax_ctx *ctx)
{
    static const char text[] =
        "{\"t\":\"x\",\"n\":7,\"i\":\"12\",\"nan\":\"NaN\",\"inf\":\"-Infinity\",\"f\":\"2.5\","
        "\"z\":null,\"nul\":\"a\\u0000b\",\"big\":123456789012,\"half\":1.5,\"list\":[]}";
    const struct ax_json *json, *list;
    ax_str read;
    int64_t whole = 3;
    double number;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(text), NULL, &json), AX_OK);
    CHECK_EQ(ax_tracking_source_text(ctx, json, "t", &read), AX_OK);
    CHECK_STR(read, "x");
    CHECK_EQ(ax_tracking_source_text(ctx, json, "n", &read), AX_OK);
    CHECK_STR(read, "7"); /* a version that came as a number */
    CHECK_EQ(ax_tracking_source_text(ctx, json, "z", &read), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_text(ctx, NULL, "t", &read), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_text(ctx, json, "nul", &read), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_text(ctx, json, "list", &read), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_may_text(ctx, json, "z", &read), AX_OK);
    CHECK_STR(read, "");
    CHECK_EQ(ax_tracking_source_may_i64(ctx, json, "none", &whole), AX_OK);
    CHECK_EQ(whole, 3);
    CHECK_EQ(ax_tracking_source_may_i64(ctx, json, "i", &whole), AX_OK);
    CHECK_EQ(whole, 12);
    CHECK_EQ(ax_tracking_source_may_i64(ctx, json, "half", &whole), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_may_i64(ctx, json, "t", &whole), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_f64(ctx, json, "nan", &number), AX_OK);
    CHECK(isnan(number));
    CHECK_EQ(ax_tracking_source_f64(ctx, json, "inf", &number), AX_OK);
    CHECK(isinf(number) && number < 0);
    CHECK_EQ(ax_tracking_source_f64(ctx, json, "f", &number), AX_OK);
    CHECK(number == 2.5);
    CHECK_EQ(ax_tracking_source_f64(ctx, json, "t", &number), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_f64(ctx, json, "z", &number), AX_CORRUPT);
    CHECK_EQ(ax_tracking_source_items(ctx, json, "none", &list), AX_OK);
    CHECK(list == NULL);
    CHECK_EQ(ax_tracking_source_items(ctx, json, "t", &list), AX_CORRUPT);
}

TEST(members_of_a_foreign_answer_are_checked)
{
    ax_test_with_ctx(reads);
}

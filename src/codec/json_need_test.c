#include "codec/json.h"
#include "harness.h"

static void
needs(struct ax_ctx *ctx)
{
    const struct ax_json *json, *array = NULL;
    CHECK_EQ(ax_json_parse(ctx,
                           AX_STR("{\"t\":\"x\",\"f\":1.5,\"i\":3,\"b\":true,\"l\":[],\"o\":{},"
                                  "\"n\":null,\"huge\":1e300}"),
                           NULL, &json),
             AX_OK);
    ax_str text = AX_STR("kept");
    double wide = 0;
    int64_t whole = 5;
    bool truth = false;
    CHECK_EQ(ax_json_need_text(ctx, json, "t", &text), AX_OK);
    CHECK_STR(text, "x");
    CHECK_EQ(ax_json_need_f64(ctx, json, "f", &wide), AX_OK);
    CHECK_EQ(ax_json_need_i64(ctx, json, "i", &whole), AX_OK);
    CHECK_EQ(whole, 3);
    CHECK_EQ(ax_json_need_bool(ctx, json, "b", &truth), AX_OK);
    CHECK_EQ(ax_json_need_array(ctx, json, "l", &array), AX_OK);
    CHECK_EQ(ax_json_need_object(ctx, json, "o", &array), AX_OK);

    CHECK_EQ(ax_json_need_f64(ctx, json, "t", &wide), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`t` must be a number, not a string");
    CHECK_EQ(ax_json_need_text(ctx, json, "n", &text), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`n` must be a string, not null");
    CHECK_EQ(ax_json_need_text(ctx, json, "gone", &text), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`gone` is missing");
    CHECK_EQ(ax_json_need_i64(ctx, json, "f", &whole), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`f` must be a whole number, not 1.5");
    CHECK_EQ(ax_json_need_i64(ctx, json, "huge", &whole), AX_INVALID);
    CHECK_EQ(ax_json_need_i64(ctx, json, "b", &whole), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`b` must be a whole number, not a boolean");
    CHECK_EQ(ax_json_need_bool(ctx, json, "i", &truth), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`i` must be true or false, not a number");
    CHECK_EQ(ax_json_need_array(ctx, json, "o", &array), AX_INVALID);
    CHECK_EQ(ax_json_need_object(ctx, json, "l", &array), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`l` must be an object, not an array");
    CHECK_EQ(ax_json_need_object(ctx, ax_json_find(json, "l"), "x", &array), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "an object with `x` was expected, not an array");
    CHECK_STR(text, "x");
    CHECK_EQ(whole, 3);
}

TEST(json_members_that_must_be_there_are_asked_for_in_words)
{
    ax_test_with_ctx(needs);
}

static void
mays(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    CHECK_EQ(ax_json_parse(ctx, AX_STR("{\"t\":\"x\",\"f\":2,\"i\":3,\"b\":true,\"n\":null}"), NULL,
                           &json),
             AX_OK);
    ax_str text = AX_STR("default");
    double wide = 0.5;
    int64_t whole = 5;
    bool truth = false;
    CHECK_EQ(ax_json_may_text(ctx, json, "gone", &text), AX_OK);
    CHECK_EQ(ax_json_may_text(ctx, json, "n", &text), AX_OK);
    CHECK_STR(text, "default");
    CHECK_EQ(ax_json_may_f64(ctx, json, "n", &wide), AX_OK);
    CHECK_EQ(ax_json_may_i64(ctx, json, "n", &whole), AX_OK);
    CHECK_EQ(ax_json_may_bool(ctx, NULL, "b", &truth), AX_OK);
    CHECK(!truth && whole == 5 && wide == 0.5);
    CHECK_EQ(ax_json_may_text(ctx, json, "t", &text), AX_OK);
    CHECK_STR(text, "x");
    CHECK_EQ(ax_json_may_f64(ctx, json, "f", &wide), AX_OK);
    CHECK_EQ(ax_json_may_i64(ctx, json, "i", &whole), AX_OK);
    CHECK_EQ(ax_json_may_bool(ctx, json, "b", &truth), AX_OK);
    CHECK(truth && whole == 3 && wide == 2);
    CHECK_EQ(ax_json_may_text(ctx, json, "f", &text), AX_INVALID);
    CHECK_EQ(ax_json_may_f64(ctx, json, "t", &wide), AX_INVALID);
    CHECK_EQ(ax_json_may_i64(ctx, json, "t", &whole), AX_INVALID);
    CHECK_EQ(ax_json_may_bool(ctx, json, "t", &truth), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "`t` must be true or false, not a string");
}

TEST(json_members_that_may_be_absent_keep_their_default)
{
    ax_test_with_ctx(mays);
}

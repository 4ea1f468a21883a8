#include "engine/document.h"

#include <math.h>

#include "harness.h"

/* The same object in both forms. */
static const char as_json[] = "{\"t\":\"17\",\"n\":5,\"f\":[1.5,2,NaN],\"i\":[true,-3,0],\"o\":{}}";
#define KEY(k) "L\0\0\0\0\0\0\0\1" k
static const char as_ubjson[] = "{" KEY(
    "t") "SL\0\0\0\0\0\0\0\2"
         "17" KEY("n") "i\5" KEY("f") "[$d#L\0\0\0\0\0\0\0\3\x3f\xc0\0\0\x40\0\0\0\x7f\xc0\0\0" KEY(
             "i") "[Ti\xfdi\0]" KEY("o") "{}}";

static void
check_view(struct ax_ctx *ctx, ax_document root)
{
    ax_document part = {};
    ax_str text = {};
    int64_t whole = 0;
    size_t members = 0;
    struct ax_document_f32s floats = {};
    struct ax_document_i64s wholes = {};
    struct ax_document_i32s narrow = {};
    CHECK(ax_document_is_object(root) && !ax_document_is_array(root));
    CHECK_EQ(ax_document_count(root), 5);
    CHECK_EQ(ax_document_need_text(ctx, root, "t", &text), AX_OK);
    CHECK_STR(text, "17");
    CHECK_EQ(ax_document_need_whole(ctx, root, "t", &whole), AX_OK);
    CHECK_EQ(whole, 17);
    CHECK(ax_document_i64(ax_document_find(root, "n"), &whole) && whole == 5);
    CHECK_EQ(ax_document_need_f32s(ctx, root, "f", &floats), AX_OK);
    CHECK(floats.count == 3 && floats.items[0] == 1.5f && isnan(floats.items[2]));
    CHECK_EQ(ax_document_need_i64s(ctx, root, "i", &wholes), AX_OK);
    CHECK_EQ(ax_document_need_i32s(ctx, root, "i", &narrow), AX_OK);
    CHECK(wholes.count == 3 && wholes.items[0] == 1 && wholes.items[1] == -3);
    CHECK(narrow.count == 3 && narrow.items[0] == 1 && narrow.items[1] == -3);
    CHECK_EQ(ax_document_need_object(ctx, root, "o", &part), AX_OK);
    CHECK_EQ(ax_document_count(part), 0);
    CHECK(!ax_document_present(ax_document_find(root, "x")));
    CHECK(!ax_document_present(ax_document_find(ax_document_find(root, "x"), "y")));
    struct ax_document_iter iter = ax_document_iter_of(root);
    while (ax_document_next(&iter))
        members += iter.key.len == 1 && iter.index == members && ax_document_present(iter.value);
    CHECK_EQ(members, 5);
}

static void
check_refusals(struct ax_ctx *ctx, ax_document root)
{
    ax_document part = {};
    ax_str text = {};
    int64_t whole = 0;
    struct ax_document_f32s floats = {};
    struct ax_document_i64s wholes = {};
    CHECK_EQ(ax_document_need_text(ctx, root, "x", &text), AX_INVALID);
    CHECK(strstr(ctx->error, "`x` is missing; expected a text"));
    CHECK_EQ(ax_document_need_object(ctx, root, "n", &part), AX_INVALID);
    CHECK(strstr(ctx->error, "`n` must be an object, not a number"));
    CHECK_EQ(ax_document_need_array(ctx, root, "o", &part), AX_INVALID);
    CHECK(strstr(ctx->error, "`o` must be an array, not an object"));
    CHECK_EQ(ax_document_need_whole(ctx, root, "n", &whole), AX_INVALID);
    CHECK_EQ(ax_document_need_i64s(ctx, root, "f", &wholes), AX_INVALID);
    CHECK(strstr(ctx->error, "`f`[0] must be a whole number"));
    CHECK_EQ(ax_document_need_f32s(ctx, root, "i", &floats), AX_INVALID);
    CHECK(strstr(ctx->error, "`i`[0] must be a float32"));
}

static void
check_both(struct ax_ctx *ctx)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    ax_document json = {}, ubjson = {};
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(as_json), &limits, &json.json), AX_OK);
    CHECK_EQ(ax_ubjson_parse(ctx, (ax_str){as_ubjson, sizeof as_ubjson - 1}, 0, &ubjson.ubjson),
             AX_OK);
    check_view(ctx, json);
    check_view(ctx, ubjson);
    check_refusals(ctx, json);
    check_refusals(ctx, ubjson);
}

TEST(document_reads_json_and_ubjson_alike)
{
    ax_test_with_ctx(check_both);
}

#define WIDE_UBJSON(number) "{L\0\0\0\0\0\0\0\1i[$L#L\0\0\0\0\0\0\0\2" number "}"

/* Numbers of 32 bits are taken up to both ends and no further. */
static void
check_narrow(struct ax_ctx *ctx)
{
    static const struct ax_json_limits limits = {.raw_numbers = true};
    static const struct {
        const char *json;
        ax_str ubjson;
        bool fits;
    } cases[] = {
        {"{\"i\":[2147483647,-2147483648]}",
         AX_STR(WIDE_UBJSON("\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff\x80\0\0\0")), true},
        {"{\"i\":[0,2147483648]}", AX_STR(WIDE_UBJSON("\0\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0")),
         false},
        {"{\"i\":[0,-2147483649]}",
         AX_STR(WIDE_UBJSON("\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x7f\xff\xff\xff")), false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_document roots[2] = {};
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), &limits, &roots[0].json), AX_OK);
        CHECK_EQ(ax_ubjson_parse(ctx, cases[i].ubjson, 0, &roots[1].ubjson), AX_OK);
        for (size_t r = 0; r < AX_COUNT_OF(roots); r++) {
            struct ax_document_i32s narrow = {};
            ax_status status = ax_document_need_i32s(ctx, roots[r], "i", &narrow);
            CHECK_EQ(status, cases[i].fits ? AX_OK : AX_INVALID);
            if (cases[i].fits)
                CHECK(narrow.items[0] == INT32_MAX && narrow.items[1] == INT32_MIN);
            else
                CHECK(strstr(ctx->error, "`i`[1] must be a whole number of 32 bits"));
        }
    }
}

TEST(document_takes_numbers_of_32_bits_and_no_wider)
{
    ax_test_with_ctx(check_narrow);
}

/* A float32 is rounded once: this text is just above the middle of two of them. */
static void
check_rounding(struct ax_ctx *ctx)
{
    static const struct ax_json_limits limits = {.raw_numbers = true};
    ax_document json = {};
    struct ax_document_f32s floats = {};
    ax_str text = AX_STR("{\"f\":[1.00000017881393432617187501,1.00000017881393432617187499]}");
    CHECK_EQ(ax_json_parse(ctx, text, &limits, &json.json), AX_OK);
    CHECK_EQ(ax_document_need_f32s(ctx, json, "f", &floats), AX_OK);
    CHECK(floats.items[0] == 1.00000023841857910156f);
    CHECK(floats.items[1] == 1.00000011920928955078f);
}

TEST(document_rounds_a_float32_once)
{
    ax_test_with_ctx(check_rounding);
}

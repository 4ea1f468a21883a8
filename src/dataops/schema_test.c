#include "dataops/schema.h"

#include <math.h>

#include "harness.h"

#define TARGET "\"target\":{\"column\":\"y\",\"positive\":\"bad\"}"

static void
reads_body(struct ax_ctx *ctx)
{
    static const char text[] =
        "{\"name\":\"loans\"," TARGET ",\"key\":\"id\",\"protected\":[\"age\",\"sex\"],"
        "\"ignored\":[\"note\"],\"missing\":[\"NA\",\"?\"],\"columns\":{"
        "\"amount\":{\"type\":\"number\",\"min\":0,\"max\":1e6,\"missing\":\"refuse\","
        "\"unit\":\"DM\"},"
        "\"purpose\":{\"type\":\"category\",\"categories\":[\"tv\",\"car\"],"
        "\"unknown\":\"missing\",\"missing\":\"accept\"},"
        "\"since\":{}}}";
    struct ax_schema schema;
    CHECK_EQ(ax_schema_parse(ctx, ax_str_of(text), &schema), AX_OK);
    CHECK_STR(schema.name, "loans");
    CHECK_STR(schema.target, "y");
    CHECK_STR(schema.positive, "bad");
    CHECK_STR(schema.key, "id");
    CHECK_EQ(schema.protected_count, 2);
    CHECK_EQ(schema.ignored_count, 1);
    CHECK_EQ(schema.missing_count, 2);
    CHECK_EQ(schema.column_count, 3);
    const struct ax_schema_column *amount = ax_schema_find(&schema, AX_STR("amount"));
    CHECK(amount && amount->type == AX_SCHEMA_NUMBER && amount->min == 0 && amount->max == 1e6);
    CHECK(amount && amount->missing_refused && !amount->missing_accepted);
    CHECK(amount && ax_str_eq(amount->unit, AX_STR("DM")));
    const struct ax_schema_column *purpose = ax_schema_find(&schema, AX_STR("purpose"));
    CHECK(purpose && purpose->type == AX_SCHEMA_CATEGORY && purpose->category_count == 2);
    CHECK(purpose && purpose->unknown_is_missing && purpose->missing_accepted);
    CHECK(purpose && ax_str_eq(purpose->categories[0], AX_STR("tv")));
    const struct ax_schema_column *since = ax_schema_find(&schema, AX_STR("since"));
    CHECK(since && since->type == AX_SCHEMA_FOUND && isinf(since->min) && isinf(since->max));
    CHECK(!ax_schema_find(&schema, AX_STR("sinc")));
}

TEST(schema_reads_every_member)
{
    ax_test_with_ctx(reads_body);
}

static void
roles_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *column;
        enum ax_schema_role role;
    } cases[] = {
        {"y", AX_SCHEMA_TARGET},     {"id", AX_SCHEMA_KEY},         {"age", AX_SCHEMA_PROTECTED},
        {"note", AX_SCHEMA_IGNORED}, {"amount", AX_SCHEMA_FEATURE}, {"", AX_SCHEMA_FEATURE},
    };
    struct ax_schema schema;
    CHECK_EQ(ax_schema_parse(ctx,
                             AX_STR("{" TARGET ",\"key\":\"id\",\"protected\":[\"age\"],"
                                    "\"ignored\":[\"note\"]}"),
                             &schema),
             AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_schema_role(&schema, ax_str_of(cases[i].column)), cases[i].role);
    CHECK_EQ(ax_schema_parse(ctx, AX_STR("{" TARGET "}"), &schema), AX_OK);
    CHECK_EQ(ax_schema_role(&schema, AX_STR("")), AX_SCHEMA_FEATURE);
}

TEST(schema_gives_each_column_one_role)
{
    ax_test_with_ctx(roles_body);
}

static void
refuses_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "schema: "},
        {"[]", "it must be an object"},
        {"{}", "`target` is missing"},
        {"{\"target\":{\"column\":\"y\"}}", "`positive` is missing"},
        {"{\"target\":{\"column\":\"y\",\"positive\":\"1\",\"negative\":\"0\"}}",
         "`target` has a member `negative`"},
        {"{" TARGET ",\"colums\":{}}", "it has a member `colums` that nobody knows"},
        {"{" TARGET ",\"protected\":\"age\"}", "`protected` must be a list"},
        {"{" TARGET ",\"protected\":[1]}", "item 0 of `protected` must be a text"},
        {"{" TARGET ",\"protected\":[\"a\",\"a\"]}", "`protected` holds \"a\" twice"},
        {"{" TARGET ",\"protected\":[\"y\"]}", "column `y` is the target and protected"},
        {"{" TARGET ",\"ignored\":[\"y\"]}", "column `y` is the target and ignored"},
        {"{" TARGET ",\"key\":\"y\"}", "column `y` is the target and the key"},
        {"{" TARGET ",\"key\":\"k\",\"ignored\":[\"k\"]}", "column `k` is the key and ignored"},
        {"{" TARGET ",\"protected\":[\"a\"],\"ignored\":[\"a\"]}",
         "column `a` is protected and ignored"},
        {"{" TARGET ",\"columns\":[]}", "`columns` must be an object"},
        {"{" TARGET ",\"columns\":{\"a\":1}}", "column `a`: it must be an object"},
        {"{" TARGET ",\"columns\":{\"a\":{\"typ\":\"number\"}}}",
         "column `a`: it has a member `typ`"},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"date\"}}}",
         "`type` must be \"number\" or \"category\", not \"date\""},
        {"{" TARGET ",\"columns\":{\"a\":{\"missing\":\"drop\"}}}", "`missing` must be \"refuse\""},
        {"{" TARGET ",\"columns\":{\"a\":{\"min\":1}}}", "are for columns of type \"number\""},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"number\",\"min\":2,\"max\":1}}}",
         "`min` is above `max`"},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"number\",\"min\":\"1\"}}}", "`min` must be"},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"number\",\"categories\":[\"x\"]}}}",
         "`categories` are for columns of type \"category\""},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"category\",\"categories\":[]}}}",
         "`categories` must hold at least one"},
        {"{" TARGET ",\"columns\":{\"a\":{\"type\":\"category\",\"unknown\":\"missing\"}}}",
         "`unknown` needs the closed list"},
        {"{" TARGET ",\"columns\":{\"a\":{\"unknown\":\"x\"}}}", "`unknown` must be \"refuse\""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_schema schema = {.column_count = 77};
        ax_status status = ax_schema_parse(ctx, ax_str_of(cases[i].text), &schema);
        if (status != AX_INVALID || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s: %s", cases[i].text, ax_status_name(status),
                           ctx->error);
        CHECK_EQ(schema.column_count, 77);
    }
}

TEST(schema_refuses_with_the_member_and_what_was_expected)
{
    ax_test_with_ctx(refuses_body);
}

static void
canonical_body(struct ax_ctx *ctx)
{
    static const char *const same[] = {
        "{" TARGET ",\"columns\":{\"b\":{\"type\":\"number\",\"max\":10.0},\"a\":{}},"
        "\"missing\":[\"NA\"]}",
        "{ \"missing\" : [\"NA\"], \"name\":\"\", \"ignored\":[], \"protected\":[], \"key\":\"\","
        "\"columns\":{\"a\":{\"unit\":\"\"},\"b\":{\"max\":1e1,\"type\":\"number\"}}," TARGET "}",
    };
    static const char canonical[] =
        "{\"columns\":{\"a\":{},\"b\":{\"max\":10,\"type\":\"number\"}},\"ignored\":[],"
        "\"missing\":[\"NA\"],\"name\":\"\",\"protected\":[]," TARGET "}";
    for (size_t i = 0; i < AX_COUNT_OF(same); i++) {
        struct ax_schema schema, again;
        ax_str text = {}, text_again = {};
        CHECK_EQ(ax_schema_parse(ctx, ax_str_of(same[i]), &schema), AX_OK);
        CHECK_EQ(ax_schema_format(ctx, &schema, &text), AX_OK);
        if (!ax_str_eq(text, ax_str_of(canonical)))
            ax_test_failed(__FILE__, __LINE__, "%zu: %.*s", i, AX_FMT(text));
        CHECK_EQ(ax_schema_parse(ctx, text, &again), AX_OK);
        CHECK_EQ(ax_schema_format(ctx, &again, &text_again), AX_OK);
        CHECK(ax_str_eq(text, text_again));
    }
}

TEST(schema_has_one_canonical_text_for_one_meaning)
{
    ax_test_with_ctx(canonical_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    struct ax_schema schema;
    ax_str text = {};
    AX_TRY(ax_schema_parse(ctx,
                           AX_STR("{" TARGET ",\"protected\":[\"age\"],\"columns\":{\"a\":{"
                                  "\"type\":\"category\",\"categories\":[\"x\",\"y\"]}}}"),
                           &schema));
    return ax_schema_format(ctx, &schema, &text);
}

TEST(schema_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

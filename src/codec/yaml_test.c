#include "codec/yaml.h"

#include "harness.h"

static void
conversions(struct ax_ctx *ctx)
{
    static const struct {
        const char *in, *json;
    } cases[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"---\na: 1\n...\n", "{\"a\":1}"},
        {"%YAML 1.1\n---\na: 1\n", "{\"a\":1}"},
        {"a: 1\nb: 2.50\nc: -3e2\nd: 0.1\n", "{\"a\":1,\"b\":2.5,\"c\":-300,\"d\":0.1}"},
        {"a: true\nb: false\nc: null\nd: ~\ne:\n",
         "{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":null}"},
        {"a: 'true'\nb: \"1\"\nc: 'null'\nd: ''\n",
         "{\"a\":\"true\",\"b\":\"1\",\"c\":\"null\",\"d\":\"\"}"},
        {"a: 2024-01-31\nb: 1:30\nc: v1.2\nd: 10%\ne: 1 000\nf: -\n",
         NULL}, /* a lone dash is no scalar in a mapping */
        {"a: 2024-01-31\nb: 1:30\nc: v1.2\nd: 10%\ne: 1 000\nf: e5\ng: 1.2.3\nh: 1,5\n",
         "{\"a\":\"2024-01-31\",\"b\":\"1:30\",\"c\":\"v1.2\",\"d\":\"10%\",\"e\":\"1 000\",\"f\":"
         "\"e5\",\"g\":\"1.2.3\",\"h\":\"1,5\"}"},
        {"- a\n- [b, {c: d}]\n- - e\n  - f\n", "[\"a\",[\"b\",{\"c\":\"d\"}],[\"e\",\"f\"]]"},
        {"{a: [], b: {}}", "{\"a\":[],\"b\":{}}"},
        {"text: |\n  two\n  lines\nfold: >\n  one\n  line\n",
         "{\"text\":\"two\\nlines\\n\",\"fold\":\"one line\\n\"}"},
        {"1: one\ntrue: yes it is\n? x\n: y\n",
         "{\"1\":\"one\",\"true\":\"yes it is\",\"x\":\"y\"}"},
        {"a: \"\\u00e9\\n\\x41\"\n", "{\"a\":\"\xc3\xa9\\nA\"}"},
        {"a: \xc3\xa9 # comment\n", "{\"a\":\"\xc3\xa9\"}"},
        {"\xef\xbb\xbf\x61: 1\n", "{\"a\":1}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"a: 12345678901234567890\n", "{\"a\":12345678901234567890}"},
        {"plain", "\"plain\""},
        {"7", "7"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        ax_status status = ax_yaml_parse(ctx, ax_str_of(cases[i].in), NULL, &json);
        if (!cases[i].json) {
            CHECK_EQ(status, AX_INVALID);
            continue;
        }
        CHECK_EQ(status, AX_OK);
        ax_writer_auto struct ax_writer out = ax_writer_of(1000);
        if (status == AX_OK)
            ax_json_print(json, &out);
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].json)))
            ax_test_failed(__FILE__, __LINE__, "%s becomes %.*s (%s)", cases[i].in,
                           AX_FMT(ax_writer_str(&out)), ctx->error);
    }
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_yaml_parse(ctx, (ax_str){}, NULL, &json), AX_OK);
}

TEST(yaml_is_the_tree_that_json_would_be)
{
    ax_test_with_ctx(conversions);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *in, *words;
    } cases[] = {
        {"a: &x 1\n", "line 1, column 4: anchors are not accepted"},
        {"a: &x [1]\n", "line 1, column 4: anchors are not accepted"},
        {"a: &x {b: 1}\n", "anchors are not accepted"},
        {"a: *x\n", "line 1, column 4: aliases are not accepted"},
        {"a: !!str 1\n", "line 1, column 4: tags are not accepted"},
        {"a: ! 1\n", "tags are not accepted"},
        {"a: !x [1]\n", "tags are not accepted"},
        {"a: !!map {b: 1}\n", "tags are not accepted"},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", "tags are not accepted"},
        {"a: 1\n---\nb: 2\n", "line 2, column 1: a second document"},
        {"a:\n  <<: {b: 1}\n", "line 2, column 3: merge keys are not accepted"},
        {"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key `a` is there twice, first in line 1"},
        {"a: {b: 1, \"b\": 2}\n", "the key `b` is there twice, first in line 1"},
        {"[a, b]: 1\n", "line 1, column 1: a key must be a scalar"},
        {"{a: 1}: 1\n", "a key must be a scalar"},
        {"a: yes\n", "line 1, column 4: a word that YAML versions read differently"},
        {"a: No\n", "read differently"},
        {"a: ON\n", "read differently"},
        {"a: off\n", "read differently"},
        {"a: True\n", "read differently"},
        {"a: NULL\n", "read differently"},
        {"a: 012\n", "line 1, column 4: a number in a form that YAML versions read differently"},
        {"a: 0x1F\n", "read differently"},
        {"a: 0o17\n", "read differently"},
        {"a: 0b11\n", "read differently"},
        {"a: 1_000\n", "read differently"},
        {"a: +1\n", "read differently"},
        {"a: .5\n", "read differently"},
        {"a: 1.\n", "read differently"},
        {"a: .inf\n", "read differently"},
        {"a: -.Inf\n", "read differently"},
        {"a: .NaN\n", "read differently"},
        {"a: 1e999\n", "a number beyond a double"},
        {"a: [1\n", "line 2"},
        {"a: 'x\n", "unexpected end of stream"},
        {"a: b: c\n", "mapping values"},
        {"\ta: 1\n", "line 1"},
        {"a: 1\n b: 2\n", "line 2"},
        {"a: \xff\n", "UTF-8"},
        {"a: \x01\n", "control characters"},
        {"a: \"\\q\"\n", "escape"},
        {"\xff\xfe\x61", "UTF-8"},
        {"@a", "line 1, column 1"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json;
        ctx->error[0] = '\0';
        ax_status status = ax_yaml_parse(ctx, ax_str_of(cases[i].in), NULL, &json);
        if (status != AX_INVALID || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s gives %s: %s", cases[i].in,
                           ax_status_name(status), ctx->error);
    }
    const struct ax_json *json;
    CHECK_EQ(ax_yaml_parse(ctx, (ax_str){"a: \0b", 5}, NULL, &json), AX_INVALID);
}

TEST(yaml_beyond_json_is_refused_with_its_place)
{
    ax_test_with_ctx(refusals);
}

static void
limits(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    char deep[300];
    for (size_t depth = 15; depth <= 17; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        CHECK_EQ(ax_yaml_parse(ctx, (ax_str){deep, 2 * depth}, NULL, &json),
                 depth <= 16 ? AX_OK : AX_INVALID);
    }
    memset(deep, '[', sizeof deep);
    struct ax_yaml_limits wide = {.depth_max = 100'000};
    CHECK_EQ(ax_yaml_parse(ctx, (ax_str){deep, sizeof deep}, &wide, &json), AX_INVALID);
    struct ax_yaml_limits small = {.bytes_max = 5};
    CHECK_EQ(ax_yaml_parse(ctx, AX_STR("a: 10"), &small, &json), AX_OK);
    CHECK_EQ(ax_yaml_parse(ctx, AX_STR("a: 100"), &small, &json), AX_LIMIT);
    CHECK_EQ(ax_yaml_parse(ctx, AX_STR("\"\\0\""), &small, &json), AX_OK);
}

TEST(yaml_keeps_its_limits)
{
    ax_test_with_ctx(limits);
}

static ax_status
policy(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    return ax_yaml_parse(ctx, AX_STR("policy: credit\nbands:\n  - {from: 0.0, to: 0.2}\n  - x\n"),
                         NULL, &json);
}

TEST(yaml_survives_every_fault)
{
    FAULT_SWEEP(policy);
}

/* Cut anywhere, it is a shorter text or a refusal, never a crash. */
static void
cuts(struct ax_ctx *ctx)
{
    static const char text[] = "a: {b: [1, 'two', \"\\u00e9\"], c: |\n    x\n  }\nd:\n- e: f\n";
    for (size_t len = 0; len < sizeof text; len++) {
        const struct ax_json *json;
        char *copy = ax_arena_alloc(ctx->arena, 1, len + 1);
        memcpy(copy, text, len);
        ax_status status = ax_yaml_parse(ctx, (ax_str){copy, len}, NULL, &json);
        CHECK(status == AX_OK || status == AX_INVALID);
    }
}

TEST(yaml_withstands_cuts)
{
    ax_test_with_ctx(cuts);
}

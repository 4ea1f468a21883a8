#include "cli/show.h"

#include "harness.h"

static void
show(struct ax_ctx *ctx, const char *json, bool colour, struct ax_writer *out)
{
    const struct ax_json *parsed = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_str_of(json), NULL, &parsed), AX_OK);
    ax_writer_clear(out);
    ax_show(parsed, colour, out);
    CHECK_EQ(out->status, AX_OK);
}

/* ---- what a person sees ---- */

static void
shown(struct ax_ctx *ctx)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"\"words\"", "words\n"},
        {"17", "17\n"},
        {"null", "-\n"},
        {"[1,2]", "[1,2]\n"},
        {"{\"id\":\"p_1\",\"size\":3}", "id                     p_1\n"
                                        "size                   3\n"},
        {"{\"a\":null,\"b\":true,\"c\":[],\"d\":[1,\"x\"]}", "a                      -\n"
                                                             "b                      true\n"
                                                             "c                      -\n"
                                                             "d                      1, x\n"},
        {"{\"a\":{\"b\":{\"c\":1}},\"z\":2}", "a                      \n"
                                              "  b                      \n"
                                              "    c                      1\n"
                                              "z                      2\n"},
        {"{\"a name that is longer than its column\":1}", "a name that is longer than its column "
                                                          "1\n"},
        /* One list of objects is a table by itself; beside others it is one under its name. */
        {"{\"models\":[{\"name\":\"credit\",\"tier\":2},{\"name\":\"x\",\"tier\":1}]}",
         "name    tier\n"
         "credit  2\n"
         "x       1\n"},
        {"{\"models\":[]}", "models                 -\n"},
        {"{\"n\":1,\"rows\":[{\"a\":1,\"b\":2},{\"b\":3,\"c\":[4]}]}", "n                      1\n"
                                                                       "rows                   \n"
                                                                       "  a  b  c\n"
                                                                       "  1  2  \n"
                                                                       "     3  [4]\n"},
        {"{\"mixed\":[1,{\"a\":2}]}", "mixed                  [1,{\"a\":2}]\n"},
        /* Characters stand under characters, whatever their bytes. */
        {"{\"r\":[{\"n\":\"Zo\xc3\xab\",\"v\":1},{\"n\":\"Zoes\",\"v\":2}]}", "n     v\n"
                                                                              "Zo\xc3\xab   1\n"
                                                                              "Zoes  2\n"},
    };
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        show(ctx, cases[i].json, false, &out);
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].want)))
            ax_test_failed(__FILE__, __LINE__, "%s is shown as\n%.*s", cases[i].json,
                           AX_FMT(ax_writer_str(&out)));
    }
}

TEST(answers_are_shown_as_members_lists_and_tables)
{
    ax_test_with_ctx(shown);
}

/* What is nested deeper, wider or longer than a screen is cut or shown as JSON, never lost whole.
 */
static void
limits(struct ax_ctx *ctx)
{
    static const char deep[] = "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}";
    static const char wide[] = "{\"r\":[{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
                               "\"h\":1,\"i\":1,\"j\":1,\"k\":7}]}";
    static const char long_cells[] =
        "{\"r\":[{\"a\":\"\xc3\xa9"
        "23456789012345678901234567890123456789012\xc3\xa9\xc3\xa9\xc3\xa9\",\"b\":\"last\"}]}";
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    show(ctx, deep, false, &out);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("{\"a\":1}")) != SIZE_MAX);
    show(ctx, wide, false, &out);
    CHECK_STR(ax_writer_str(&out), "a  b  c  d  e  f  g  h  i  j\n"
                                   "1  1  1  1  1  1  1  1  1  1\n");
    show(ctx, long_cells, false, &out); /* 44 characters, none of them halved */
    CHECK(ax_str_ends(ax_writer_str(&out),
                      AX_STR("\n\xc3\xa9"
                             "23456789012345678901234567890123456789012\xc3\xa9\xc3\xa9  last\n")));
}

TEST(what_does_not_fit_is_cut_between_characters)
{
    ax_test_with_ctx(limits);
}

/* ---- what a terminal sees ---- */

static void
colours(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    show(ctx, "{\"state\":\"approved\",\"x\":1}", true, &out);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\x1b[32mapproved\x1b[0m\n")) != SIZE_MAX);
    show(ctx, "{\"state\":\"rejected\",\"x\":1}", true, &out);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\x1b[31mrejected\x1b[0m\n")) != SIZE_MAX);
    show(ctx, "{\"state\":\"approved\",\"r\":[{\"a\":\"pass\"}]}", false, &out);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\x1b")) == SIZE_MAX);
}

TEST(colours_are_for_terminals_alone)
{
    ax_test_with_ctx(colours);
}

/* A name or a comment that somebody else chose does not steer the reader's terminal. */
static void
hostile(struct ax_ctx *ctx)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"a\":\"x\\u001b[2Jy\"}", "a                      x\\u001b[2Jy\n"},
        {"{\"a\":\"one\\ntwo\\r\\t\"}", "a                      one\\ntwo\\u000d\\u0009\n"},
        {"{\"a\":\"\\u007f\\u009b31m\"}", "a                      \\u007f\\u009b31m\n"},
        {"{\"a\\u001b[m\":1}", "a\\u001b[m              1\n"},
        {"{\"r\":[{\"a\\u009b\":\"\\u001b]0;x\\u0007\"}]}", "a\\u009b\n\\u001b]0;x\\u0007\n"},
        {"{\"a\":[[\"\\u009b\"]]}", "a                      [[\"\\u009b\"]]\n"},
        {"\"\\u001bc\"", "\\u001bc\n"},
    };
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        show(ctx, cases[i].json, false, &out);
        if (!ax_str_eq(ax_writer_str(&out), ax_str_of(cases[i].want)))
            ax_test_failed(__FILE__, __LINE__, "%s is shown as\n%.*s", cases[i].json,
                           AX_FMT(ax_writer_str(&out)));
    }
}

TEST(what_would_steer_a_terminal_is_shown_as_text)
{
    ax_test_with_ctx(hostile);
}

/* ---- faults ---- */

static ax_status
show_once(struct ax_ctx *ctx)
{
    const struct ax_json *json;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    AX_TRY(ax_json_parse(ctx,
                         AX_STR("{\"a\":\"x\",\"b\":[1,\"y\"],\"r\":[{\"c\":[1],\"d\":2}],"
                                "\"m\":[1,{\"e\":2}],\"o\":{\"p\":null}}"),
                         NULL, &json));
    ax_show(json, true, &out);
    return out.status == AX_OK ? AX_OK : ax_fail(ctx, out.status, "no memory for the answer");
}

TEST(an_answer_that_memory_cannot_hold_is_not_shown_in_part)
{
    FAULT_SWEEP(show_once);
}

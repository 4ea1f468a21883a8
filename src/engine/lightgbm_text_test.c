#include "engine/lightgbm_text.h"

#include <math.h>
#include <stdio.h>

#include "harness.h"

TEST(lightgbm_text_lines_end_either_way)
{
    ax_str rest = AX_STR("a=1\r\n\nb\n"), line;
    static const char *const wanted[] = {"a=1", "", "b"};
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++) {
        CHECK(ax_lightgbm_line(&rest, &line));
        CHECK_STR(line, wanted[i]);
    }
    CHECK(!ax_lightgbm_line(&rest, &line));
    CHECK(!ax_lightgbm_line(&rest, &line));
}

TEST(lightgbm_text_pairs_part_at_the_first_sign)
{
    ax_str key, value;
    CHECK(ax_lightgbm_pair(AX_STR("a=b=c"), &key, &value));
    CHECK_STR(key, "a");
    CHECK_STR(value, "b=c");
    CHECK(ax_lightgbm_pair(AX_STR("a="), &key, &value) && value.at && value.len == 0);
    CHECK(!ax_lightgbm_pair(AX_STR("average_output"), &key, &value));
    CHECK(!ax_lightgbm_pair((ax_str){}, &key, &value));
}

static const struct {
    const char *list;
    size_t count;
    double numbers[3];
    const char *part; /* of the sentence; NULL: it is read */
} floats[] = {
    {"1 2 3", 3, {1, 2, 3}, NULL},
    {"  1.0000000180025095e-35\t-2.5  ", 2, {1.0000000180025095e-35, -2.5}, NULL},
    {"+1 .5 -inf", 3, {1, 0.5, -(double)INFINITY}, NULL},
    {"", 0, {}, NULL},
    {"   ", 0, {}, NULL},
    {"1 2", 3, {}, "`x` has 2 numbers; expected 3"},
    {"1 2 3 4", 3, {}, "`x` has more than 3 numbers; expected 3"},
    {"1 two 3", 3, {}, "`x`[1] is `two`; expected a number"},
    {"1 2;3", 2, {}, "`x`[1] is `2;3`; expected a number"},
    {"1 0x10", 2, {}, "`x`[1] is `0x10`"},
    {"1 --2", 2, {}, "`x`[1] is `--2`"},
    {"1 2e", 2, {}, "`x`[1] is `2e`"},
};

static void
check_floats(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(floats); i++) {
        double got[3] = {};
        ctx->error[0] = '\0';
        ax_status status =
            ax_lightgbm_f64s(ctx, "x", ax_str_of(floats[i].list), floats[i].count, got);
        if (floats[i].part ? status != AX_INVALID || !strstr(ctx->error, floats[i].part)
                           : status != AX_OK || memcmp(got, floats[i].numbers, sizeof got) != 0)
            ax_test_failed(__FILE__, __LINE__, "\"%s\" ends %s: %s", floats[i].list,
                           ax_status_name(status), ctx->error);
    }
}

TEST(lightgbm_text_floats_are_read_exactly_and_counted)
{
    ax_test_with_ctx(check_floats);
}

static const struct {
    const char *list;
    size_t count;
    int64_t numbers[3];
    const char *part;
} wholes[] = {
    {"1 -2 3", 3, {1, -2, 3}, NULL},
    {" 007 ", 1, {7}, NULL},
    {"-8 8", 2, {-8, 8}, NULL},
    {"9", 1, {}, "`x`[0] is 9; expected -8 to 8"},
    {"1 -9", 2, {}, "`x`[1] is -9; expected -8 to 8"},
    {"1.5", 1, {}, "`x`[0] is `1.5`; expected a whole number"},
    {"-", 1, {}, "`x`[0] is `-`; expected a whole number"},
    {"9999999999999999999", 1, {}, "`x`[0] is `9999999999999999999`; expected a whole number"},
    {"1 2", 1, {}, "`x` has more than 1 numbers; expected 1"},
    {"", 1, {}, "`x` has 0 numbers; expected 1"},
};

static void
check_wholes(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(wholes); i++) {
        int64_t got[3] = {};
        ctx->error[0] = '\0';
        ax_status status = ax_lightgbm_i64s(ctx, "x", ax_str_of(wholes[i].list), wholes[i].count,
                                            (struct ax_lightgbm_range){-8, 8}, got);
        if (wholes[i].part ? status != AX_INVALID || !strstr(ctx->error, wholes[i].part)
                           : status != AX_OK || memcmp(got, wholes[i].numbers, sizeof got) != 0)
            ax_test_failed(__FILE__, __LINE__, "\"%s\" ends %s: %s", wholes[i].list,
                           ax_status_name(status), ctx->error);
    }
}

TEST(lightgbm_text_whole_numbers_are_within_their_range)
{
    ax_test_with_ctx(check_wholes);
}

/* Numbers of every length, with every neighbour and distance to the end. */
static void
check_lengths(struct ax_ctx *ctx)
{
    static const struct ax_lightgbm_range any = {INT64_MIN, INT64_MAX};
    int64_t number = 0;
    for (int digits = 1; digits <= 18; digits++) {
        number = number * 10 + digits % 10;
        for (size_t more = 0; more < 12; more++) {
            char text[64];
            int64_t got[3] = {};
            int len = snprintf(text, sizeof text, "%lld -%lld %0*d", (long long)number,
                               (long long)number, (int)more + 1, 5);
            CHECK_EQ(ax_lightgbm_i64s(ctx, "x", (ax_str){text, (size_t)len}, 3, any, got), AX_OK);
            CHECK(got[0] == number && got[1] == -number && got[2] == 5);
        }
    }
}

TEST(lightgbm_text_whole_numbers_have_up_to_18_digits)
{
    ax_test_with_ctx(check_lengths);
}

/* Any byte but a blank that follows a number makes it none. */
static void
check_neighbours(struct ax_ctx *ctx)
{
    for (int byte = 0; byte < 256; byte++) {
        char text[] = "123x 56789 12";
        int64_t got[3] = {};
        bool digit = byte >= '0' && byte <= '9', blank = byte == ' ' || byte == '\t';
        text[3] = (char)byte;
        ax_status status = ax_lightgbm_i64s(ctx, "x", ax_str_of(text), 3,
                                            (struct ax_lightgbm_range){0, 100'000}, got);
        CHECK_EQ(status == AX_OK, digit || blank);
        if (status == AX_OK)
            CHECK(got[0] == (digit ? 1230 + byte - '0' : 123) && got[1] == 56'789 && got[2] == 12);
    }
}

TEST(lightgbm_text_whole_numbers_end_at_a_blank)
{
    ax_test_with_ctx(check_neighbours);
}

/* A byte that is no text is part of a word, and no number. */
static void
check_nul(struct ax_ctx *ctx)
{
    double number = 0;
    CHECK_EQ(ax_lightgbm_f64s(ctx, "x", AX_STR("1\0002"), 1, &number), AX_INVALID);
}

TEST(lightgbm_text_a_nul_ends_nothing)
{
    ax_test_with_ctx(check_nul);
}

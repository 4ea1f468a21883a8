#include "harness.h"

TEST(strings_split_at_every_separator)
{
    static const struct {
        const char *in;
        int parts;
    } cases[] = {{"", 1}, {"a", 1}, {"a,b", 2}, {"a,", 2}, {",", 2}, {",,", 3}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str rest = ax_str_of(cases[i].in), part;
        int parts = 0;
        while (ax_str_cut(&rest, ',', &part))
            parts++;
        CHECK_EQ(parts, cases[i].parts);
    }
}

TEST(strings_compare_find_and_trim)
{
    CHECK(ax_str_cmp(AX_STR("a"), AX_STR("ab")) < 0);
    CHECK(ax_str_cmp(AX_STR("b"), AX_STR("ab")) > 0);
    CHECK_EQ(ax_str_cmp(AX_STR(""), AX_STR("")), 0);
    CHECK(ax_str_eq_ignoring_case(AX_STR("Content-Length"), AX_STR("content-length")));
    CHECK_EQ(ax_str_find(AX_STR("champion"), AX_STR("pi")), 4);
    CHECK_EQ(ax_str_find(AX_STR("a"), AX_STR("ab")), SIZE_MAX);
    CHECK_STR(ax_str_trim(AX_STR(" \t x y \r\n")), "x y");
    CHECK(ax_str_starts(AX_STR("credit/7"), AX_STR("credit/")));
    CHECK(ax_str_ends(AX_STR("model.json"), AX_STR(".json")));
    CHECK_STR(ax_str_from(AX_STR("abc"), 9), "");
}

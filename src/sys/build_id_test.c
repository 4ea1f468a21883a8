#include "sys/build_id.h"

#include "harness.h"

TEST(build_id_is_the_same_each_time_and_long_enough_to_be_one)
{
    ax_str id = ax_build_id(), again = ax_build_id();
    CHECK(id.len >= 8 && id.len <= 64);
    CHECK(ax_str_eq(id, again));
}

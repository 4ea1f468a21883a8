#include "sys/queue_delay.h"

#include "harness.h"

enum { MS = 1'000'000 };

static const struct ax_queue_delay_config config = {.target_ns = 10 * MS, .interval_ns = 100 * MS};

/* Whether the last of `count`, one a millisecond that each waited so long, is turned away. */
static bool
after(struct ax_queue_delay *delay, int64_t *now_ns, int count, int64_t waited_ns)
{
    bool shed = false;
    for (int i = 0; i < count; i++) {
        *now_ns += MS;
        shed = ax_queue_delay_sheds(delay, &config, waited_ns, *now_ns);
    }
    return shed;
}

TEST(a_burst_is_taken_and_a_standing_queue_is_not)
{
    struct ax_queue_delay delay = {};
    int64_t now_ns = 1'000 * MS;
    CHECK(!after(&delay, &now_ns, 90, 50 * MS)); /* for less than an interval: a burst */
    CHECK(!after(&delay, &now_ns, 1, 2 * MS));   /* which was worked off */
    CHECK(!after(&delay, &now_ns, 100, 50 * MS));
    CHECK(after(&delay, &now_ns, 200, 50 * MS)); /* a whole interval without such a moment */
    CHECK(!after(&delay, &now_ns, 1, 20 * MS));  /* who waited twice the target is served yet */
    CHECK(after(&delay, &now_ns, 1, 21 * MS));
    CHECK(!after(&delay, &now_ns, 220, 5 * MS)); /* it was quick for an interval: all is well */
    CHECK(!after(&delay, &now_ns, 1, 50 * MS));
}

TEST(what_was_before_a_pause_does_not_count)
{
    struct ax_queue_delay delay = {};
    int64_t now_ns = 1'000 * MS;
    CHECK(after(&delay, &now_ns, 300, 50 * MS));
    now_ns += 1'000 * MS;
    CHECK(!after(&delay, &now_ns, 1, 50 * MS));
}

TEST(without_a_target_nobody_is_turned_away)
{
    const struct ax_queue_delay_config off = {.interval_ns = MS};
    struct ax_queue_delay delay = {};
    for (int64_t i = 0; i < 1'000; i++)
        CHECK(!ax_queue_delay_sheds(&delay, &off, INT64_MAX / 4, i * MS));
}

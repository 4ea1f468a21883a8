#include "net/wheel.h"

#include "harness.h"

enum { NODES = 300, STEPS = 20'000 };

static struct ax_wheel wheel;
static struct ax_wheel_node nodes[NODES];
static int64_t now_ns, armed_ns[NODES]; /* INT64_MAX: not on the wheel */
static int called;

static void
due(void *arg, struct ax_wheel_node *node)
{
    size_t i = (size_t)(node - nodes);
    CHECK(arg == &wheel);
    CHECK(armed_ns[i] <= now_ns);
    armed_ns[i] = INT64_MAX;
    called++;
    /* What is called may change others, those of the same slot among them. */
    size_t other = (i + 1) % NODES;
    if (armed_ns[other] != INT64_MAX && i % 7 == 0) {
        armed_ns[other] = now_ns + 1'000;
        ax_wheel_arm(&wheel, &nodes[other], armed_ns[other]);
    }
    if (armed_ns[other] != INT64_MAX && i % 11 == 0) {
        armed_ns[other] = INT64_MAX;
        ax_wheel_arm(&wheel, &nodes[other], INT64_MAX);
    }
}

TEST(a_wheel_calls_each_deadline_once_never_early_and_at_most_a_tick_late)
{
    enum { TICK = 100 };
    uint32_t seed = 42; /* fixed: printed by the line that fails */
    ax_wheel_init(&wheel, TICK, 0);
    for (size_t i = 0; i < NODES; i++)
        armed_ns[i] = INT64_MAX;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 1664525 + 1013904223;
        size_t i = (seed >> 8) % NODES;
        int64_t ahead =
            (seed >> 16) % 5 == 0 ? (int64_t)(seed >> 10) % 200'000 : (seed >> 10) % 5'000;
        armed_ns[i] = seed % 17 == 0 ? INT64_MAX : now_ns + ahead;
        ax_wheel_arm(&wheel, &nodes[i], armed_ns[i]);
        now_ns += seed % 97 == 0 ? 60'000 : seed % 50;
        ax_wheel_turn(&wheel, now_ns, due, &wheel);
        for (size_t j = 0; j < NODES && step % 50 == 0; j++)
            CHECK(armed_ns[j] / TICK + 1 > now_ns / TICK);
    }
    CHECK(called > 1'000);
    now_ns += 1'000'000;
    for (int turns = 0; turns < 1'000; turns++)
        ax_wheel_turn(&wheel, now_ns += TICK, due, &wheel);
    for (size_t j = 0; j < NODES; j++)
        CHECK(armed_ns[j] == INT64_MAX && nodes[j].link == NULL);
}

#include "base/fault.h"

#include "harness.h"

#ifdef AX_FAULTS

enum { STEPS = 6 };

/* Which of the next steps fail, as a row of letters. */
static void
walk(char out[STEPS + 1])
{
    for (int i = 0; i < STEPS; i++)
        out[i] = ax_fault_here() ? 'x' : '.';
    out[STEPS] = '\0';
}

TEST(fault_fails_the_armed_step_once_or_from_there_on)
{
    static const struct {
        int at;
        bool forever;
        const char *steps;
        bool reached;
    } cases[] = {{0, false, "x.....", true},  {0, true, "xxxxxx", true},
                 {3, false, "...x..", true},  {3, true, "...xxx", true},
                 {5, false, ".....x", true},  {6, false, "......", false},
                 {100, true, "......", false}};
    char steps[STEPS + 1];
    walk(steps);
    CHECK_STR(ax_str_of(steps), "......"); /* nothing is armed */
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_fault_arm(cases[i].at, cases[i].forever);
        walk(steps);
        CHECK_EQ(ax_fault_disarm(), cases[i].reached);
        CHECK_EQ(ax_fault_must_be_noticed(), cases[i].reached);
        CHECK(strcmp(steps, cases[i].steps) == 0);
        walk(steps);
        CHECK_STR(ax_str_of(steps), "......");
    }
}

TEST(fault_in_a_benign_stretch_need_not_be_noticed)
{
    ax_fault_arm(0, false);
    ax_fault_benign_begin();
    ax_fault_benign_begin();
    CHECK(ax_fault_here());
    ax_fault_benign_end();
    ax_fault_benign_end();
    CHECK(ax_fault_disarm());
    CHECK(!ax_fault_must_be_noticed());
    ax_fault_arm(0, true);
    ax_fault_benign_begin();
    CHECK(ax_fault_here());
    ax_fault_benign_end();
    CHECK(ax_fault_here()); /* the lasting fault is met outside as well */
    CHECK(ax_fault_disarm());
    CHECK(ax_fault_must_be_noticed());
}

static int sweep_runs, sweep_faults;

static ax_status
two_steps(struct ax_ctx *ctx)
{
    sweep_runs++;
    for (int i = 0; i < 2; i++) {
        if (ax_fault_here()) {
            sweep_faults++;
            return ax_fail(ctx, AX_UNAVAILABLE, "step %d", i);
        }
    }
    return AX_OK;
}

TEST(fault_sweeps_visit_every_step_twice)
{
    FAULT_SWEEP(two_steps);
    CHECK_EQ(sweep_faults, 4);
    CHECK_EQ(sweep_runs, 6);
}

TEST(fault_spoiling_leaves_nothing_of_what_was)
{
    char bytes[4] = "abc";
    ax_fault_spoil(bytes, 3);
    ax_fault_spoil(NULL, 0);
    CHECK(bytes[0] != 'a' && bytes[1] != 'b' && bytes[2] != 'c' && bytes[3] == 0);
}

#else

TEST(fault_points_are_nothing_in_a_release)
{
    char byte = 'a';
    ax_fault_spoil(&byte, 1);
    CHECK_EQ(byte, 'a');
    CHECK(!ax_fault_here());
    ax_fault_benign_begin();
    ax_fault_benign_end();
}

#endif

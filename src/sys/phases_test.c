#include "sys/phases.h"

#include "harness.h"
#include "sys/clock.h"

TEST(phases_share_all_of_the_time_between_them)
{
    struct ax_phases phases = {.mark_ns = 100};
    ax_phases_end_at(&phases, AX_PHASE_PARSE, 130);
    ax_phases_end_at(&phases, AX_PHASE_SCORE, 150);
    ax_phases_end_at(&phases, AX_PHASE_PARSE, 155);
    ax_phases_end_at(&phases, AX_PHASE_WRITE, 140); /* never backwards */
    CHECK_EQ(phases.took_ns[AX_PHASE_PARSE], 35);
    CHECK_EQ(phases.began_ns[AX_PHASE_PARSE], 100);
    CHECK_EQ(phases.ended_ns[AX_PHASE_PARSE], 155);
    CHECK_EQ(phases.took_ns[AX_PHASE_SCORE], 20);
    CHECK_EQ(phases.took_ns[AX_PHASE_WRITE], 0);
    CHECK_EQ(phases.began_ns[AX_PHASE_RECORD], 0);
    CHECK_EQ(phases.mark_ns, 155);
}

TEST(phases_end_now_where_somebody_asks)
{
    struct ax_phases phases = {.mark_ns = 1'000};
    struct ax_ctx ctx = ax_ctx_of(NULL);
    ax_clock_fake(5'000, 5'000);
    ax_phase_end(&ctx, AX_PHASE_READ);
    ctx.phases = &phases;
    ax_phase_end(&ctx, AX_PHASE_READ);
    CHECK_EQ(phases.took_ns[AX_PHASE_READ], 4'000);
    CHECK_STR(ax_str_of(ax_phase_name(AX_PHASE_READ)), "read");
    CHECK_STR(ax_str_of(ax_phase_name(AX_PHASE_WRITE)), "write");
}

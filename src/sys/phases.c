#include "sys/phases.h"

#include "sys/clock.h"

const char *
ax_phase_name(enum ax_phase phase)
{
    static const char *const names[AX_PHASE_COUNT] = {
#define X(name, label) label,
        AX_PHASE_MAP(X)
#undef X
    };
    return names[phase];
}

void
ax_phases_end_at(struct ax_phases *phases, enum ax_phase phase, int64_t now_ns)
{
    if (now_ns < phases->mark_ns)
        now_ns = phases->mark_ns;
    if (phases->began_ns[phase] == 0)
        phases->began_ns[phase] = phases->mark_ns;
    phases->took_ns[phase] += now_ns - phases->mark_ns;
    phases->ended_ns[phase] = phases->mark_ns = now_ns;
}

void
ax_phase_end(struct ax_ctx *ctx, enum ax_phase phase)
{
    if (ctx->phases)
        ax_phases_end_at(ctx->phases, phase, ax_clock_monotonic_ns());
}

#include "base/fault.h"

#include <string.h>

#ifdef AX_FAULTS
static _Thread_local struct {
    int steps_left;
    int benign_depth;
    bool armed;
    bool forever;
    bool fired;
    bool noticed_needed;
} plan;

bool
ax_fault_here(void)
{
    if (!plan.armed || (plan.fired && !plan.forever))
        return false;
    if (plan.steps_left > 0) {
        plan.steps_left--;
        return false;
    }
    plan.fired = true;
    if (plan.benign_depth == 0)
        plan.noticed_needed = true;
    return true;
}

void
ax_fault_arm(int at, bool forever)
{
    plan = (typeof(plan)){.steps_left = at, .armed = true, .forever = forever};
}

bool
ax_fault_disarm(void)
{
    plan.armed = false;
    return plan.fired;
}

bool
ax_fault_must_be_noticed(void)
{
    return plan.noticed_needed;
}

void
ax_fault_benign_begin(void)
{
    plan.benign_depth++;
}

void
ax_fault_benign_end(void)
{
    plan.benign_depth--;
}

void
ax_fault_spoil(void *at, size_t bytes)
{
    if (bytes > 0)
        memset(at, 0xa5, bytes);
}
#endif

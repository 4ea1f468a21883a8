/*
 * Where the time of requests goes, for each version that is served: one histogram a phase.
 *
 * Entries live as long as their list, longer than any plan: a request that is answered when the
 * next plan is in force still knows which version it was for.
 */
#pragma once

#include "sys/metrics.h"
#include "sys/phases.h"

struct ax_model_phases {
    struct ax_model_phases *next;
    const char *model, *version; /* kept with the entry */
    struct ax_metric *seconds[AX_PHASE_COUNT];
};

/*
 * That of this version, put into the list when it is new; the caller keeps others out meanwhile.
 * Fails: LIMIT.
 */
ax_status ax_model_phases_of(struct ax_ctx *ctx, struct ax_model_phases **list,
                             struct ax_metrics *metrics, const char *model, const char *version,
                             const struct ax_model_phases **out_phases);

void ax_model_phases_free(struct ax_model_phases *list);

/* A request is answered: each phase that it passed is counted. Any thread. */
void ax_model_phases_observe(const struct ax_model_phases *model, const struct ax_phases *phases);

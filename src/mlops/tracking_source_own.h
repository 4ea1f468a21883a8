/* The services of a data directory as a source: asked without a server between. */
#pragma once

#include "mlops/artifacts.h"
#include "mlops/experiment.h"
#include "mlops/model_registry.h"
#include "mlops/tracking_source.h"

struct ax_tracking_source_own { /* all kept */
    struct ax_tracking_source base;
    struct ax_experiments *experiments;
    struct ax_registry *registry;
    struct ax_artifacts *artifacts;
};

/* Fills a struct of the caller's; closing it closes nothing. */
void ax_tracking_source_own_init(struct ax_tracking_source_own *own,
                                 struct ax_experiments *experiments, struct ax_registry *registry,
                                 struct ax_artifacts *artifacts);

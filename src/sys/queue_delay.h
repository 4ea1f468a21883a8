/*
 * Whether a queue is late for good or only for a moment: CoDel, as servers use it.
 *
 * A queue that takes up a burst empties again; one that is standing only adds its length to every
 * answer. So what counts is the shortest wait within an interval: above the target it is a standing
 * one, and for the next interval whoever waited more than twice the target is turned away. A value
 * of its owner's; whose clock it is does not matter.
 *
 * Source: Nichols and Jacobson, Controlling Queue Delay, 2012; Maurer, Fail at Scale, 2015.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ax_queue_delay {
    int64_t ends_ns; /* of the interval that runs; 0 before the first */
    int64_t least_ns;
    bool standing; /* the interval before was too slow throughout */
};

struct ax_queue_delay_config {
    int64_t target_ns; /* 0: nobody is turned away */
    int64_t interval_ns;
};

/* One that waited so long is taken at now: whether it is to be turned away. */
[[nodiscard]] bool ax_queue_delay_sheds(struct ax_queue_delay *delay,
                                        const struct ax_queue_delay_config *config,
                                        int64_t waited_ns, int64_t now_ns);

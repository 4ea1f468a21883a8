/*
 * Absolute deadlines of many connections, kept by one coarse tick.
 *
 * A ring of slots, one a tick; a node hangs in the slot of its deadline. Deadlines that move
 * later cost nothing: the node stays where it is and is looked at once more in vain. Times are
 * exact to a tick, and never early. One thread's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { AX_WHEEL_SLOTS = 512 };

struct ax_wheel_node { /* zeroed before first use; embedded in what has the deadline */
    struct ax_wheel_node *next, **link;
    int64_t tick;        /* when it is looked at; its slot */
    int64_t deadline_ns; /* when it is due */
};

struct ax_wheel {
    struct ax_wheel_node *slots[AX_WHEEL_SLOTS];
    int64_t tick_ns;
    int64_t tick; /* the last one turned to */
};

void ax_wheel_init(struct ax_wheel *wheel, int64_t tick_ns, int64_t now_ns);

/* Sets or changes the node's deadline; INT64_MAX takes it off. */
void ax_wheel_arm(struct ax_wheel *wheel, struct ax_wheel_node *node, int64_t deadline_ns);

/* Calls due(arg, node) for each node whose deadline has passed; it is off the wheel then. */
void ax_wheel_turn(struct ax_wheel *wheel, int64_t now_ns,
                   void (*due)(void *arg, struct ax_wheel_node *node), void *arg);

#include "net/wheel.h"

#include <stddef.h>

#include "base/assert.h"

void
ax_wheel_init(struct ax_wheel *wheel, int64_t tick_ns, int64_t now_ns)
{
    AX_ASSERT(tick_ns > 0);
    *wheel = (struct ax_wheel){.tick_ns = tick_ns, .tick = now_ns / tick_ns};
}

static void
take_off(struct ax_wheel_node *node)
{
    if (!node->link)
        return;
    *node->link = node->next;
    if (node->next)
        node->next->link = node->link;
    node->next = NULL;
    node->link = NULL;
}

/* Into the slot of its deadline, or the furthest one there is. */
static void
hang_up(struct ax_wheel *wheel, struct ax_wheel_node *node)
{
    int64_t tick = node->deadline_ns / wheel->tick_ns + 1;
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    if (tick > wheel->tick + AX_WHEEL_SLOTS - 1)
        tick = wheel->tick + AX_WHEEL_SLOTS - 1;
    struct ax_wheel_node **slot = &wheel->slots[tick % AX_WHEEL_SLOTS];
    node->tick = tick;
    node->next = *slot;
    node->link = slot;
    if (*slot)
        (*slot)->link = &node->next;
    *slot = node;
}

void
ax_wheel_arm(struct ax_wheel *wheel, struct ax_wheel_node *node, int64_t deadline_ns)
{
    node->deadline_ns = deadline_ns;
    if (deadline_ns == INT64_MAX) {
        take_off(node);
        return;
    }
    if (node->link && node->tick <= deadline_ns / wheel->tick_ns + 1)
        return; /* it is looked at early enough */
    take_off(node);
    hang_up(wheel, node);
}

static void
turn_one(struct ax_wheel *wheel, int64_t now_ns, void (*due)(void *arg, struct ax_wheel_node *node),
         void *arg)
{
    /* The slot is taken down first: due() may arm and free nodes, this one's neighbours too. */
    struct ax_wheel_node **slot = &wheel->slots[wheel->tick % AX_WHEEL_SLOTS];
    struct ax_wheel_node *waiting = *slot;
    *slot = NULL;
    if (waiting)
        waiting->link = &waiting;
    while (waiting) {
        struct ax_wheel_node *node = waiting;
        take_off(node);
        if (node->deadline_ns > now_ns)
            hang_up(wheel, node);
        else
            due(arg, node);
    }
}

void
ax_wheel_turn(struct ax_wheel *wheel, int64_t now_ns,
              void (*due)(void *arg, struct ax_wheel_node *node), void *arg)
{
    int64_t tick = now_ns / wheel->tick_ns;
    if (tick - wheel->tick > AX_WHEEL_SLOTS) /* asleep for more than a round: each slot once */
        wheel->tick = tick - AX_WHEEL_SLOTS;
    while (wheel->tick < tick) {
        wheel->tick++;
        turn_one(wheel, now_ns, due, arg);
    }
}

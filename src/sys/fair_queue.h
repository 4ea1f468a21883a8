/*
 * Jobs that wait, taken in a fair order: a bounded queue, for whoever holds its lock.
 *
 * A job belongs to a group (what is asked for: a model) and in it to a flow (who asks). Groups take
 * turns, and so do the flows of a group; a job of cost 3 is three turns (deficit round robin).
 * Among a flow's own jobs priority counts, then their order: it takes nothing from others.
 *
 * A group may hold only its share of what runs at once, and of the places: the less the fewer are
 * free (dynamic thresholds), so that one is left for who comes. So may a flow of its group's. Of
 * jobs that compute a group runs no more than there are cores, and a flow its share of those: more
 * of them are no sooner done, and who comes would get a smaller part of a core. All memory is had
 * at the opening; nothing blocks.
 *
 * Source: Shreedhar and Varghese, Efficient Fair Queuing Using Deficit Round Robin, 1996; Choudhury
 * and Hahne, Dynamic Queue Length Thresholds, 1998.
 */
#pragma once

#include "base/ctx.h"
#include "sys/queue_delay.h"

struct ax_fair_queue;
struct ax_fair_flow;

/* 1 goes first; 0 stands for the one in the middle, a larger one for the last. */
enum { AX_FAIR_PRIORITIES = 8, AX_FAIR_PRIORITY_DEFAULT = 4, AX_FAIR_COST_MAX = 8 };

/* In the caller's storage, from put to done. */
struct ax_fair_job {
    uint64_t group, flow; /* a group 0 has no share: the program's own jobs */
    unsigned cost;        /* 1 to AX_FAIR_COST_MAX; 0 is 1 */
    unsigned priority;
    bool computes; /* as all of its group: it needs a core rather than wait for something */
    struct ax_fair_flow *of; /* the queue's own, as what follows */
    struct ax_fair_job *next;
};

struct ax_fair_queue_config {
    size_t waiting_max;
    size_t running_max; /* that are taken and not done; the number of threads */
    int share_percent;  /* of one group, and of one flow in it; 1 to 100 (all of it) */
    size_t core_count;  /* for jobs that compute; 0: as many as running_max */
};

enum ax_fair_answer { AX_FAIR_TAKEN, AX_FAIR_FULL, AX_FAIR_OVER_SHARE };

/* Fails: LIMIT. */
ax_status ax_fair_queue_open(struct ax_ctx *ctx, const struct ax_fair_queue_config *config,
                             struct ax_fair_queue **out_queue);
void ax_fair_queue_close(struct ax_fair_queue *queue);

void ax_fair_queue_set_share(struct ax_fair_queue *queue, int share_percent);

enum ax_fair_answer ax_fair_queue_put(struct ax_fair_queue *queue, struct ax_fair_job *job);

/* The next one to run; NULL when none waits, or all who wait run as many as they may. */
struct ax_fair_job *ax_fair_queue_take(struct ax_fair_queue *queue);

/* It has run. Its flow may be gone afterwards. */
void ax_fair_queue_done(struct ax_fair_queue *queue, struct ax_fair_job *job);

/* How long jobs of its flow wait: between take and done. */
struct ax_queue_delay *ax_fair_queue_delay(const struct ax_fair_job *job);

size_t ax_fair_queue_waiting(const struct ax_fair_queue *queue);
size_t ax_fair_queue_running(const struct ax_fair_queue *queue);

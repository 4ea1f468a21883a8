#include "sys/fair_queue.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"

enum { PERCENT = 100 };

/* What groups and flows have in common: a place in the table and a turn among their peers. */
struct turn {
    struct turn *next, *before; /* in the ring of those with jobs that wait */
    struct turn *chain;         /* in the table, or of free ones */
    uint64_t key;
    size_t waiting, running;
    unsigned debt; /* turns that the last job took beyond its own */
    bool free_of_shares, computes;
};

struct group {
    struct turn turn;
    struct turn *flows; /* whose turn is next */
};

struct ax_fair_flow {
    struct turn turn;
    struct group *group;
    unsigned levels; /* a bit for each priority with jobs */
    struct ax_fair_job *first[AX_FAIR_PRIORITIES], *last[AX_FAIR_PRIORITIES];
    struct ax_queue_delay delay;
};

struct table {
    struct turn **chains;
    size_t mask;
    struct turn *unused;
};

struct ax_fair_queue {
    struct ax_fair_queue_config config;
    size_t waiting, running;
    struct turn *groups; /* whose turn is next */
    struct table group_table, flow_table;
    struct group *group_memory;
    struct ax_fair_flow *flow_memory;
};

/* ---- rings: before the one whose turn is next stands the last ---- */

static void
ring_add(struct turn **ring, struct turn *turn)
{
    struct turn *first = *ring;
    if (!first) {
        turn->next = turn->before = turn;
        *ring = turn;
        return;
    }
    turn->next = first;
    turn->before = first->before;
    first->before->next = turn;
    first->before = turn;
}

static void
ring_remove(struct turn **ring, struct turn *turn)
{
    turn->next->before = turn->before;
    turn->before->next = turn->next;
    if (*ring == turn)
        *ring = turn->next == turn ? NULL : turn->next;
}

/* ---- tables: a group or flow is there as long as it has jobs ---- */

static struct turn **
chain_of(const struct table *table, uint64_t key)
{
    char bytes[sizeof key];
    memcpy(bytes, &key, sizeof key);
    return &table->chains[ax_map_hash((ax_str){bytes, sizeof bytes}) & table->mask];
}

/* out_made: it is a new one, all zero but its key. There is one for each job that there can be. */
static struct turn *
table_get(struct table *table, uint64_t key, size_t turn_bytes)
{
    struct turn **chain = chain_of(table, key);
    for (struct turn *turn = *chain; turn; turn = turn->chain)
        if (turn->key == key)
            return turn;
    struct turn *turn = table->unused;
    AX_ASSERT(turn != NULL);
    table->unused = turn->chain;
    memset(turn, 0, turn_bytes);
    turn->key = key;
    turn->chain = *chain;
    *chain = turn;
    return turn;
}

static void
table_drop(struct table *table, struct turn *turn)
{
    struct turn **link = chain_of(table, turn->key);
    while (*link != turn)
        link = &(*link)->chain;
    *link = turn->chain;
    turn->chain = table->unused;
    table->unused = turn;
}

static bool
table_open(struct table *table, size_t count)
{
    size_t chain_count = 2;
    while (chain_count < count)
        chain_count *= 2;
    table->chains = ax_alloc(sizeof(struct turn *), chain_count);
    table->mask = chain_count - 1;
    return table->chains != NULL;
}

static void
table_offer(struct table *table, struct turn *turn)
{
    turn->chain = table->unused;
    table->unused = turn;
}

/* ---- opening ---- */

ax_status
ax_fair_queue_open(struct ax_ctx *ctx, const struct ax_fair_queue_config *config,
                   struct ax_fair_queue **out_queue)
{
    AX_ASSERT(config->waiting_max > 0 && config->running_max > 0);
    AX_ASSERT(config->share_percent > 0 && config->share_percent <= PERCENT);
    size_t count = config->waiting_max + config->running_max;
    struct ax_fair_queue *queue = ax_alloc(1, sizeof *queue);
    if (!queue)
        return ax_fail(ctx, AX_LIMIT, "no memory for a queue");
    queue->config = *config;
    queue->group_memory = ax_alloc(sizeof *queue->group_memory, count);
    queue->flow_memory = ax_alloc(sizeof *queue->flow_memory, count);
    bool tables = table_open(&queue->group_table, count) && table_open(&queue->flow_table, count);
    if (!tables || !queue->group_memory || !queue->flow_memory) {
        ax_fair_queue_close(queue);
        return ax_fail(ctx, AX_LIMIT, "no memory for a queue of %zu jobs", count);
    }
    for (size_t i = 0; i < count; i++) {
        table_offer(&queue->group_table, &queue->group_memory[i].turn);
        table_offer(&queue->flow_table, &queue->flow_memory[i].turn);
    }
    *out_queue = queue;
    return AX_OK;
}

void
ax_fair_queue_close(struct ax_fair_queue *queue)
{
    ax_free(queue->group_table.chains);
    ax_free(queue->flow_table.chains);
    ax_free(queue->group_memory);
    ax_free(queue->flow_memory);
    ax_free(queue);
}

void
ax_fair_queue_set_share(struct ax_fair_queue *queue, int share_percent)
{
    AX_ASSERT(share_percent > 0 && share_percent <= PERCENT);
    queue->config.share_percent = share_percent;
}

/* ---- shares: a group's of all, a flow's of its group's ---- */

/*
 * With the share s one alone may hold s of the places, two together 2s/(1+s) of them, and so on:
 * each as much as s/(1-s) times what is free. So is it within a group, of what that may still take.
 */
static bool
may_wait(const struct ax_fair_queue *queue, const struct ax_fair_flow *flow)
{
    size_t share = (size_t)queue->config.share_percent, rest = PERCENT - share;
    size_t room = queue->config.waiting_max - queue->waiting;
    if (flow->turn.free_of_shares || rest == 0)
        return true;
    room = room * share / rest;
    if (flow->group->turn.waiting >= room)
        return false;
    return flow->turn.waiting * rest < (room - flow->group->turn.waiting) * share;
}

static size_t
part(size_t count, size_t share)
{
    count = count * share / PERCENT;
    return count > 0 ? count : 1;
}

/* ---- putting ---- */

static struct ax_fair_flow *
flow_of(struct ax_fair_queue *queue, const struct ax_fair_job *job)
{
    uint64_t keys[2] = {job->group, job->flow};
    uint64_t key = ax_map_hash((ax_str){(const char *)keys, sizeof keys});
    struct turn *turn = table_get(&queue->group_table, job->group, sizeof(struct group));
    struct group *group = (struct group *)(void *)turn;
    turn = table_get(&queue->flow_table, key, sizeof(struct ax_fair_flow));
    struct ax_fair_flow *flow = (struct ax_fair_flow *)(void *)turn;
    flow->group = group;
    group->turn.free_of_shares = flow->turn.free_of_shares = job->group == 0;
    group->turn.computes = flow->turn.computes = job->computes;
    return flow;
}

/* Whoever has nothing that waits or runs is forgotten, debts and all. */
static void
forget_idle(struct ax_fair_queue *queue, struct ax_fair_flow *flow)
{
    struct group *group = flow->group;
    if (flow->turn.waiting == 0 && flow->turn.running == 0)
        table_drop(&queue->flow_table, &flow->turn);
    if (group->turn.waiting == 0 && group->turn.running == 0)
        table_drop(&queue->group_table, &group->turn);
}

static unsigned
level_of(const struct ax_fair_job *job)
{
    unsigned priority = job->priority ? job->priority : (unsigned)AX_FAIR_PRIORITY_DEFAULT;
    return (priority < AX_FAIR_PRIORITIES ? priority : (unsigned)AX_FAIR_PRIORITIES) - 1;
}

static void
append(struct ax_fair_flow *flow, struct ax_fair_job *job)
{
    unsigned level = level_of(job);
    job->of = flow;
    job->next = NULL;
    if (flow->levels >> level & 1)
        flow->last[level]->next = job;
    else
        flow->first[level] = job;
    flow->last[level] = job;
    flow->levels |= 1U << level;
}

enum ax_fair_answer
ax_fair_queue_put(struct ax_fair_queue *queue, struct ax_fair_job *job)
{
    AX_ASSERT(job->cost <= AX_FAIR_COST_MAX);
    if (queue->waiting == queue->config.waiting_max)
        return AX_FAIR_FULL;
    struct ax_fair_flow *flow = flow_of(queue, job);
    struct group *group = flow->group;
    if (!may_wait(queue, flow)) {
        forget_idle(queue, flow);
        return AX_FAIR_OVER_SHARE;
    }
    append(flow, job);
    if (flow->turn.waiting++ == 0)
        ring_add(&group->flows, &flow->turn);
    if (group->turn.waiting++ == 0)
        ring_add(&queue->groups, &group->turn);
    queue->waiting++;
    return AX_FAIR_TAKEN;
}

/* ---- taking ---- */

/* How many one alone may run: of jobs that wait for something, and of those that compute. */
struct most {
    size_t waiting, computing;
};

/* Who is next in a ring, past those who pay for a job before and those who run enough. */
static struct turn *
next_turn(struct turn **ring, struct most most)
{
    for (struct turn *passed = NULL; *ring && *ring != passed; *ring = (*ring)->next) {
        struct turn *turn = *ring;
        size_t running_max = turn->computes ? most.computing : most.waiting;
        bool may_run = turn->free_of_shares || turn->running < running_max;
        if (turn->debt == 0 && may_run)
            return turn;
        if (turn->debt > 0) {
            turn->debt--;
            passed = NULL; /* once round again, for somebody may be next then */
        } else if (!passed) {
            passed = turn;
        }
    }
    return NULL;
}

static struct ax_fair_job *
first_job(struct ax_fair_flow *flow)
{
    unsigned level = (unsigned)__builtin_ctz(flow->levels);
    struct ax_fair_job *job = flow->first[level];
    flow->first[level] = job->next;
    if (!job->next)
        flow->levels &= ~(1U << level);
    return job;
}

/* Its turn is taken: the next one's comes. */
static void
leave_ring(struct turn **ring, struct turn *turn, const struct ax_fair_job *job)
{
    *ring = turn->next;
    turn->debt = job->cost > 1 ? job->cost - 1 : 0;
    turn->running++;
    if (--turn->waiting > 0)
        return;
    ring_remove(ring, turn);
    turn->debt = 0;
}

struct ax_fair_job *
ax_fair_queue_take(struct ax_fair_queue *queue)
{
    size_t share = (size_t)queue->config.share_percent;
    size_t threads = part(queue->config.running_max, share), cores = queue->config.core_count;
    cores = cores == 0 || cores > threads ? threads : cores;
    const struct most group_max = {threads, cores};
    const struct most flow_max = {part(threads, share), part(cores, share)};
    struct turn *stuck = NULL; /* the first group that may run, but none of whose flows may */
    for (struct turn *turn; (turn = next_turn(&queue->groups, group_max)) && turn != stuck;) {
        struct group *group = (struct group *)(void *)turn;
        struct ax_fair_flow *flow = (void *)next_turn(&group->flows, flow_max);
        if (!flow) {
            stuck = stuck ? stuck : turn;
            queue->groups = turn->next;
            continue;
        }
        struct ax_fair_job *job = first_job(flow);
        leave_ring(&group->flows, &flow->turn, job);
        leave_ring(&queue->groups, turn, job);
        queue->waiting--;
        queue->running++;
        AX_ASSERT(queue->running <= queue->config.running_max);
        return job;
    }
    return NULL;
}

void
ax_fair_queue_done(struct ax_fair_queue *queue, struct ax_fair_job *job)
{
    struct ax_fair_flow *flow = job->of;
    AX_ASSERT(flow->turn.running > 0 && flow->group->turn.running > 0 && queue->running > 0);
    flow->turn.running--;
    flow->group->turn.running--;
    queue->running--;
    forget_idle(queue, flow);
}

struct ax_queue_delay *
ax_fair_queue_delay(const struct ax_fair_job *job)
{
    return &job->of->delay;
}

size_t
ax_fair_queue_waiting(const struct ax_fair_queue *queue)
{
    return queue->waiting;
}

size_t
ax_fair_queue_running(const struct ax_fair_queue *queue)
{
    return queue->running;
}

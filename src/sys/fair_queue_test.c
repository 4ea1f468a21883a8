#include "sys/fair_queue.h"

#include "harness.h"

enum { JOBS = 64 };

/* Jobs with names, so that an order reads as a text. */
struct named {
    struct ax_fair_job job; /* first: it is found again by it */
    char name;
};

struct case_at {
    struct ax_fair_queue *queue;
    struct named jobs[JOBS];
    size_t count;
};

static struct case_at
open_queue(struct ax_ctx *ctx, size_t waiting_max, size_t running_max, int share_percent)
{
    struct case_at at = {};
    const struct ax_fair_queue_config config = {waiting_max, running_max, share_percent};
    CHECK_EQ(ax_fair_queue_open(ctx, &config, &at.queue), AX_OK);
    return at;
}

static enum ax_fair_answer
put(struct case_at *at, char name, struct ax_fair_job job)
{
    struct named *named = &at->jobs[at->count];
    CHECK(at->count < JOBS);
    *named = (struct named){.job = job, .name = name};
    enum ax_fair_answer answer = ax_fair_queue_put(at->queue, &named->job);
    at->count += answer == AX_FAIR_TAKEN;
    return answer;
}

static void
put_many(struct case_at *at, size_t count, char name, struct ax_fair_job job)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(put(at, name, job), AX_FAIR_TAKEN);
}

static char
take(struct case_at *at, struct named **out_named)
{
    struct ax_fair_job *job = ax_fair_queue_take(at->queue);
    *out_named = (struct named *)(void *)job;
    return job ? (*out_named)->name : '.';
}

/* Takes all, one at a time, and says in which order. */
static void
check_order(struct case_at *at, const char *order)
{
    char text[JOBS + 1] = "";
    for (size_t i = 0; ax_fair_queue_waiting(at->queue) > 0 && i < JOBS; i++) {
        struct named *named;
        text[i] = take(at, &named);
        if (named)
            ax_fair_queue_done(at->queue, &named->job);
    }
    CHECK_STR(ax_str_of(text), order);
    CHECK_EQ(ax_fair_queue_running(at->queue), 0);
    at->count = 0;
}

static void
takes_turns(struct ax_ctx *ctx)
{
    struct case_at at = open_queue(ctx, 40, 4, 75);

    /* A client that brings ten at once does not keep the other, who comes last, waiting. */
    put_many(&at, 10, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    put_many(&at, 2, 'q', (struct ax_fair_job){.group = 1, .flow = 2});
    check_order(&at, "nqnqnnnnnnnn");

    /* Nor does one model's crowd of clients keep another model's one. */
    for (uint64_t client = 1; client <= 6; client++)
        put_many(&at, 2, (char)('a' + client - 1),
                 (struct ax_fair_job){.group = 1, .flow = client});
    put_many(&at, 3, 'Q', (struct ax_fair_job){.group = 2, .flow = 1});
    check_order(&at, "aQbQcQdefabcdef");

    /* Who comes while others wait stands behind them once, and then in turn. */
    struct named *first;
    put_many(&at, 4, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    CHECK_EQ(take(&at, &first), 'n');
    put_many(&at, 2, 'q', (struct ax_fair_job){.group = 1, .flow = 2});
    ax_fair_queue_done(at.queue, &first->job);
    check_order(&at, "nqnqn");
    ax_fair_queue_close(at.queue);
}

TEST(groups_take_turns_and_in_them_flows)
{
    ax_test_with_ctx(takes_turns);
}

static void
pays(struct ax_ctx *ctx)
{
    struct case_at at = open_queue(ctx, 40, 4, 100);
    put_many(&at, 3, 'B', (struct ax_fair_job){.group = 1, .flow = 1, .cost = 4});
    put_many(&at, 8, 's', (struct ax_fair_job){.group = 1, .flow = 2});
    check_order(&at, "BssssBssssB");
    put_many(&at, 2, 'B', (struct ax_fair_job){.group = 1, .flow = 1, .cost = 3});
    put_many(&at, 4, 's', (struct ax_fair_job){.group = 2, .flow = 2});
    check_order(&at, "BsssBs");

    /* With nobody else there, nobody waits for a debt to be paid; and it is not kept for later. */
    put_many(&at, 3, 'B', (struct ax_fair_job){.group = 1, .flow = 1, .cost = 8});
    check_order(&at, "BBB");
    put_many(&at, 1, 'B', (struct ax_fair_job){.group = 1, .flow = 1, .cost = 8});
    put_many(&at, 1, 's', (struct ax_fair_job){.group = 1, .flow = 2});
    check_order(&at, "Bs");
    ax_fair_queue_close(at.queue);
}

TEST(a_large_job_is_several_turns)
{
    ax_test_with_ctx(pays);
}

static void
priorities(struct ax_ctx *ctx)
{
    static const struct {
        char name;
        unsigned priority;
        uint64_t flow;
    } rows[] = {{'m', 0, 1}, {'l', 7, 1}, {'z', 900, 1}, {'h', 1, 1},
                {'M', 4, 1}, {'H', 1, 1}, {'o', 7, 2},   {'p', 0, 2}};
    struct case_at at = open_queue(ctx, 16, 4, 100);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
        CHECK_EQ(put(&at, rows[i].name,
                     (struct ax_fair_job){
                         .group = 1, .flow = rows[i].flow, .priority = rows[i].priority}),
                 AX_FAIR_TAKEN);
    /* The other's turn comes all the same, although all of its jobs may wait. */
    check_order(&at, "hpHomMlz");
    ax_fair_queue_close(at.queue);
}

TEST(priority_orders_ones_own_jobs)
{
    ax_test_with_ctx(priorities);
}

static void
shares(struct ax_ctx *ctx)
{
    struct case_at at = open_queue(ctx, 32, 4, 75);
    size_t count = 0;
    while (put(&at, 'n', (struct ax_fair_job){.group = 1, .flow = 1}) == AX_FAIR_TAKEN)
        count++;
    CHECK(count >= 20 && count <= 24); /* three quarters of three quarters, and some */
    CHECK_EQ(put(&at, 'm', (struct ax_fair_job){.group = 1, .flow = 2}), AX_FAIR_TAKEN);
    size_t others = 0;
    for (uint64_t model = 2; model < 6; model++)
        others += put(&at, 'q', (struct ax_fair_job){.group = model, .flow = 1}) == AX_FAIR_TAKEN;
    CHECK_EQ(others, 4);
    while (put(&at, 's', (struct ax_fair_job){}) == AX_FAIR_TAKEN)
        count++; /* the program's own take what is left */
    CHECK_EQ(ax_fair_queue_waiting(at.queue), 32);
    CHECK_EQ(put(&at, 'x', (struct ax_fair_job){.group = 9, .flow = 9}), AX_FAIR_FULL);
    ax_fair_queue_close(at.queue);

    at = open_queue(ctx, 32, 4, 100);
    put_many(&at, 32, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    CHECK_EQ(put(&at, 'n', (struct ax_fair_job){.group = 1, .flow = 1}), AX_FAIR_FULL);
    ax_fair_queue_close(at.queue);

    at = open_queue(ctx, 1, 1, 75); /* the smallest there is */
    put_many(&at, 1, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    CHECK_EQ(put(&at, 'n', (struct ax_fair_job){.group = 2, .flow = 1}), AX_FAIR_FULL);
    check_order(&at, "n");
    ax_fair_queue_close(at.queue);
}

TEST(nobody_takes_all_the_places)
{
    ax_test_with_ctx(shares);
}

static void
threads(struct ax_ctx *ctx)
{
    struct case_at at = open_queue(ctx, 32, 4, 75);
    struct named *run[4], *more;
    put_many(&at, 4, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    CHECK_EQ(take(&at, &run[0]), 'n');
    CHECK_EQ(take(&at, &run[1]), 'n');
    CHECK_EQ(take(&at, &more), '.'); /* two of four: its share of the group's share */
    put_many(&at, 3, 'm', (struct ax_fair_job){.group = 1, .flow = 2});
    CHECK_EQ(take(&at, &run[2]), 'm');
    CHECK_EQ(take(&at, &more), '.'); /* three of four: the group's */
    put_many(&at, 1, 'q', (struct ax_fair_job){.group = 2, .flow = 2});
    CHECK_EQ(take(&at, &run[3]), 'q');
    CHECK_EQ(ax_fair_queue_running(at.queue), 4);
    for (size_t i = 0; i < AX_COUNT_OF(run); i++)
        ax_fair_queue_done(at.queue, &run[i]->job);
    check_order(&at, "nmnm");

    ax_fair_queue_set_share(at.queue, 100);
    put_many(&at, 4, 'n', (struct ax_fair_job){.group = 1, .flow = 1});
    for (size_t i = 0; i < AX_COUNT_OF(run); i++)
        CHECK_EQ(take(&at, &run[i]), 'n');
    for (size_t i = 0; i < AX_COUNT_OF(run); i++)
        ax_fair_queue_done(at.queue, &run[i]->job);
    ax_fair_queue_close(at.queue);
}

TEST(nobody_takes_all_the_threads)
{
    ax_test_with_ctx(threads);
}

/* Of eight threads on two cores. */
static void
computing(struct ax_ctx *ctx)
{
    const struct ax_fair_queue_config config = {32, 8, 75, .core_count = 2};
    struct case_at at = {};
    struct named *run[6], *more;
    CHECK_EQ(ax_fair_queue_open(ctx, &config, &at.queue), AX_OK);
    put_many(&at, 2, 'n', (struct ax_fair_job){.group = 1, .flow = 1, .computes = true});
    CHECK_EQ(take(&at, &run[0]), 'n');
    CHECK_EQ(take(&at, &more), '.'); /* one of two cores: a caller's share of them */
    put_many(&at, 2, 'm', (struct ax_fair_job){.group = 1, .flow = 2, .computes = true});
    CHECK_EQ(take(&at, &run[1]), 'm');
    CHECK_EQ(take(&at, &more), '.'); /* both cores */
    put_many(&at, 4, 'w', (struct ax_fair_job){.group = 2, .flow = 1});
    for (size_t i = 2; i < AX_COUNT_OF(run); i++)
        CHECK_EQ(take(&at, &run[i]), 'w'); /* these wait for something, and need no core */
    for (size_t i = 0; i < AX_COUNT_OF(run); i++)
        ax_fair_queue_done(at.queue, &run[i]->job);
    check_order(&at, "nm");
    ax_fair_queue_close(at.queue);
}

TEST(of_jobs_that_compute_nobody_runs_more_than_there_are_cores)
{
    ax_test_with_ctx(computing);
}

/* However they come and go, none is lost, none is given twice, and each flow keeps its order. */
static void
churn(struct ax_ctx *ctx)
{
    struct case_at at = open_queue(ctx, 24, 3, 75);
    struct named *running[3] = {};
    uint64_t seed = 20'261'128, put_count = 0, taken_count = 0;
    for (int step = 0; step < 20'000; step++) {
        seed = seed * 6'364'136'223'846'793'005U + 1;
        unsigned dice = (unsigned)(seed >> 33);
        struct named **place = &running[dice % 3];
        if (dice & 8) {
            size_t slot = 0;
            while (slot < JOBS && at.jobs[slot].name)
                slot++;
            REQUIRE(slot < JOBS);
            at.jobs[slot] = (struct named){.job = {.group = 1 + dice % 5,
                                                   .flow = dice % 7,
                                                   .cost = dice % 9,
                                                   .priority = dice % 11},
                                           .name = 'j'};
            bool taken = ax_fair_queue_put(at.queue, &at.jobs[slot].job) == AX_FAIR_TAKEN;
            at.jobs[slot].name = taken ? 'j' : '\0';
            put_count += taken;
        } else if (*place) {
            ax_fair_queue_done(at.queue, &(*place)->job);
            (*place)->name = '\0';
            *place = NULL;
        } else if (take(&at, place) != '.') {
            CHECK_EQ((*place)->name, 'j');
            taken_count++;
        }
        CHECK_EQ(ax_fair_queue_waiting(at.queue), put_count - taken_count);
    }
    CHECK(taken_count > 3'000);
    ax_fair_queue_close(at.queue);
}

TEST(no_job_is_lost_in_a_long_churn)
{
    ax_test_with_ctx(churn);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    const struct ax_fair_queue_config config = {16, 2, 75};
    struct ax_fair_queue *queue;
    AX_TRY(ax_fair_queue_open(ctx, &config, &queue));
    ax_fair_queue_close(queue);
    return AX_OK;
}

TEST(a_fair_queue_survives_every_fault_at_its_opening)
{
    FAULT_SWEEP(open_and_close);
}

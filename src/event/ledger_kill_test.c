/*
 * The ledger's promise under kill -9: a child appends and reports what was acknowledged through a
 * pipe, is killed at a random moment, and everything it reported is there.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"
#include "sys/clock.h"

enum { KILLS = 30, IN_FLIGHT = 8, WAIT_MS_MAX = 40 };

/* One acknowledged fact, as the child reports it. */
struct report {
    uint64_t sequence;
    uint64_t index;
    uint64_t signed_size;
};

struct slot {
    struct ax_ledger_entry entry;
    struct killed *killed;
    struct ax_arena *arena;
    bool busy; /* guarded by the mutex */
};

struct killed {
    struct ax_ledger *ledger;
    struct ax_mutex mutex;
    struct ax_cond cond;
    struct slot slots[IN_FLIGHT];
    int pipe;
};

static void
acknowledged(struct ax_ledger_entry *entry)
{
    struct slot *slot = entry->arg;
    struct killed *killed = slot->killed;
    struct ax_ledger_stats stats;
    ax_ledger_stats(killed->ledger, &stats);
    const struct report report = {entry->event.sequence, entry->index, stats.signed_size};
    if (entry->status != AX_OK ||
        write(killed->pipe, &report, sizeof report) != (ssize_t)sizeof report)
        _exit(3);
    ax_mutex_lock(&killed->mutex);
    slot->busy = false;
    ax_cond_signal(&killed->cond);
    ax_mutex_unlock(&killed->mutex);
}

static struct slot *
free_slot(struct killed *killed)
{
    ax_mutex_lock(&killed->mutex);
    for (;;) {
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (killed->slots[i].busy)
                continue;
            killed->slots[i].busy = true;
            ax_mutex_unlock(&killed->mutex);
            return &killed->slots[i];
        }
        ax_cond_wait(&killed->cond, &killed->mutex);
    }
}

/* Appends until it is killed. */
static void
child(struct ax_ctx *ctx, struct ledger_case *at, int pipe)
{
    static struct killed killed;
    killed.pipe = pipe;
    ax_mutex_init(&killed.mutex);
    ax_cond_init(&killed.cond);
    if (ledger_case_open(ctx, at, &killed.ledger) != AX_OK)
        _exit(2);
    uint64_t facts = 0;
    for (size_t i = 0; i < killed.ledger->producers.count; i++) {
        const struct ax_producer *producer = killed.ledger->producers.items[i];
        if (producer->name[0] == 't')
            facts = producer->sequence;
    }
    for (uint64_t i = facts;; i++) {
        struct slot *slot = free_slot(&killed);
        if (slot->arena)
            ax_arena_reset(slot->arena);
        else
            slot->arena = ax_arena_new(1 << 20);
        struct ax_ctx inner = ax_ctx_of(slot->arena);
        slot->killed = &killed;
        slot->entry = (struct ax_ledger_entry){.done = acknowledged, .arg = slot};
        if (ledger_case_fact(&inner, at, i, &slot->entry.event, &slot->entry.payload) != AX_OK)
            _exit(4);
        slot->entry.event.sequence = i + 1;
        if (ax_ledger_submit(killed.ledger, &inner, &slot->entry) != AX_OK)
            _exit(5);
    }
}

/* Reads what the child says until the pipe ends. */
static void
listen_to(int pipe, struct report *last, uint64_t *out_count)
{
    struct report report;
    while (read(pipe, &report, sizeof report) == (ssize_t)sizeof report) {
        CHECK(report.sequence > last->sequence);
        CHECK(last->sequence == 0 || report.index > last->index);
        *last = report;
        ++*out_count;
    }
}

/* Every reported fact is there, none is missing between, and nothing signed was taken back. */
static void
check_after(struct ax_ctx *ctx, struct ledger_case *at, const struct report *last)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK(ax_ledger_size(ledger) > last->index || last->sequence == 0);
    CHECK(ledger->signed_size >= last->signed_size);
    uint64_t seen = 0;
    for (uint64_t i = 0; i < ax_ledger_size(ledger); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
        struct ax_ctx inner = ax_ctx_of(arena);
        ax_str leaf;
        struct ax_event event;
        CHECK_EQ(ax_ledger_read(ledger, &inner, i, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(&inner, leaf, &event), AX_OK);
        if (!ax_str_eq(event.producer, AX_STR("test")))
            continue; /* notes of torn writes */
        CHECK_EQ(event.sequence, seen + 1);
        if (i + 50 > ax_ledger_size(ledger)) /* the keys of the last ones too */
            ledger_case_check(&inner, ledger, i, seen, true);
        if (event.sequence == last->sequence)
            CHECK_EQ(i, last->index);
        seen++;
    }
    CHECK(seen >= last->sequence);
    ax_ledger_free(ledger);
}

static void
kill_once(struct ax_ctx *ctx, struct ledger_case *at, struct report *last, uint64_t *acked)
{
    int ends[2];
    uint8_t random;
    ax_random_bytes(&random, 1);
    CHECK_EQ(pipe(ends), 0);
    ax_vault_close(at->vault);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        ledger_case_open_vault(ctx, at);
        child(ctx, at, ends[1]);
    }
    close(ends[1]);
    ax_clock_sleep_ms(5 + random % WAIT_MS_MAX);
    kill(pid, SIGKILL);
    listen_to(ends[0], last, acked);
    close(ends[0]);
    int how = 0;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    ledger_case_open_vault(ctx, at);
}

static void
killing(struct ax_ctx *ctx, struct ledger_case *at)
{
    const char *soak = getenv("AX_SOAK");
    int64_t kills = KILLS;
    struct report last = {};
    uint64_t acked = 0;
    if (soak && !ax_parse_i64(ax_str_of(soak), &kills))
        kills = 1'000;
    if (kills > KILLS)
        alarm(0); /* a soak takes as long as it takes */
    at->config.segment_bytes = 200'000;
    at->config.publish_interval_ms = 10;
    for (int64_t i = 0; i < kills; i++) {
        kill_once(ctx, at, &last, &acked);
        check_after(ctx, at, &last);
    }
    CHECK(acked > 0);
    fprintf(stderr, "%d kills, %d facts acknowledged, none lost\n", (int)kills, (int)acked);
}

TEST(ledger_survives_kill_9)
{
    ledger_case_run(killing);
}

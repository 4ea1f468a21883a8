#include "event/ledger.h"

#include "base/fault.h"
#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"
#include "sys/clock.h"

enum { FACTS = 300 };

static void
life(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_ledger_stats stats;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_size(ledger), 0);
    ledger_case_fill(ctx, at, ledger, 0, FACTS);
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(ax_ledger_size(ledger), FACTS);
        for (uint64_t i = 0; i < FACTS; i++)
            ledger_case_check(ctx, ledger, i, i, true);
        ledger_case_prove(ctx, at, ledger);
        ax_ledger_stats(ledger, &stats);
        CHECK_EQ(stats.size, FACTS);
        CHECK_EQ(stats.signed_size, FACTS);
        CHECK(!stats.failed && !stats.reserved);
        CHECK(stats.log_bytes > FACTS * 100 && stats.disk_total_bytes > 0);
        CHECK_EQ(ax_ledger_check(ledger, ctx), AX_OK);
        ax_ledger_close(ledger);
        CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    }
    ax_ledger_close(ledger);
}

TEST(ledger_keeps_and_proves_facts)
{
    ledger_case_run(life);
}

/* ---- many at once ---- */

enum { PRODUCERS = 4, IN_FLIGHT = 16, EACH = 400 };

struct flight {
    struct ax_ledger_entry entry;
    struct load *load;
    char object[32];
};

/* One thread that keeps some facts under way. */
struct load {
    struct ax_ledger *ledger;
    struct ax_mutex mutex;
    struct ax_cond cond;
    struct flight flights[IN_FLIGHT], *idle[IN_FLIGHT];
    size_t idle_count; /* guarded by mutex */
    uint64_t acked;    /* guarded by mutex */
    uint64_t indices[EACH];
    int number;
};

static void
load_done(struct ax_ledger_entry *entry)
{
    struct flight *flight = entry->arg;
    struct load *load = flight->load;
    ax_mutex_lock(&load->mutex);
    CHECK_EQ(entry->status, AX_OK);
    load->indices[load->acked++] = entry->index;
    load->idle[load->idle_count++] = flight;
    ax_cond_signal(&load->cond);
    ax_mutex_unlock(&load->mutex);
}

static void
load_run(void *arg)
{
    struct load *load = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char producer[16];
    int len = snprintf(producer, sizeof producer, "load-%d", load->number);
    for (int i = 0; i < IN_FLIGHT; i++) {
        load->flights[i].load = load;
        load->idle[load->idle_count++] = &load->flights[i];
    }
    for (uint64_t i = 0; i < EACH; i++) {
        ax_mutex_lock(&load->mutex);
        while (load->idle_count == 0)
            ax_cond_wait(&load->cond, &load->mutex);
        struct flight *flight = load->idle[--load->idle_count];
        ax_mutex_unlock(&load->mutex);
        int named = snprintf(flight->object, sizeof flight->object, "%s/%d", producer, (int)i);
        flight->entry = (struct ax_ledger_entry){
            .event = {.kind = AX_EVENT_OUTCOME,
                      .producer = {producer, (size_t)len},
                      .sequence = i + 1,
                      .object = {flight->object, (size_t)named}},
            .done = load_done,
            .arg = flight,
        };
        CHECK_EQ(ax_ledger_submit(load->ledger, &ctx, &flight->entry), AX_OK);
    }
    ax_mutex_lock(&load->mutex);
    while (load->acked < EACH)
        ax_cond_wait(&load->cond, &load->mutex);
    ax_mutex_unlock(&load->mutex);
}

static void
crowd(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_thread *threads[PRODUCERS];
    static struct load loads[PRODUCERS];
    static bool seen[PRODUCERS * EACH];
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    for (int i = 0; i < PRODUCERS; i++) {
        loads[i].ledger = ledger;
        loads[i].number = i;
        ax_mutex_init(&loads[i].mutex);
        ax_cond_init(&loads[i].cond);
        CHECK_EQ(ax_thread_start(ctx, "load", load_run, &loads[i], &threads[i]), AX_OK);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        ax_thread_join(threads[i]);
        ax_mutex_done(&loads[i].mutex);
        ax_cond_done(&loads[i].cond);
        for (size_t j = 0; j < EACH; j++) {
            CHECK(loads[i].indices[j] < PRODUCERS * EACH && !seen[loads[i].indices[j]]);
            CHECK(j == 0 || loads[i].indices[j] > loads[i].indices[j - 1]);
            seen[loads[i].indices[j]] = true;
        }
    }
    struct ax_ledger_stats stats;
    ax_ledger_stats(ledger, &stats);
    CHECK_EQ(stats.size, PRODUCERS * EACH);
    CHECK(stats.batches < stats.size / 2); /* they did share syncs */
    ax_ledger_close(ledger);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_size(ledger), PRODUCERS * EACH);
    ax_ledger_close(ledger);
}

TEST(ledger_takes_facts_from_many_threads)
{
    ledger_case_run(crowd);
}

/* ---- once and only once ---- */

/* What happens to the fact with this sequence; its index. */
static ax_status
hand_in(struct ax_ctx *ctx, struct ax_ledger *ledger, uint64_t sequence, uint64_t *out_index)
{
    const struct ax_event event = {.kind = AX_EVENT_CHANGE,
                                   .producer = AX_STR("outbox"),
                                   .sequence = sequence,
                                   .object = AX_STR("credit")};
    return ax_ledger_append(ledger, ctx, &event, AX_STR(""), out_index);
}

static void
retries(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    uint64_t index = 0;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(hand_in(ctx, ledger, 2, &index), AX_INVALID); /* the first is missing */
    CHECK(strstr(ctx->error, "gap") != NULL);
    for (uint64_t i = 1; i <= 5; i++) {
        CHECK_EQ(hand_in(ctx, ledger, i, &index), AX_OK);
        CHECK_EQ(index, i - 1);
    }
    CHECK_EQ(hand_in(ctx, ledger, 7, &index), AX_INVALID);
    CHECK_EQ(hand_in(ctx, ledger, 3, &index), AX_OK);
    CHECK_EQ(index, 2);
    CHECK_EQ(hand_in(ctx, ledger, 0, &index), AX_OK); /* the next one */
    CHECK_EQ(index, 5);
    CHECK_EQ(ax_ledger_size(ledger), 6);
    ax_ledger_close(ledger);
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(hand_in(ctx, ledger, 6, &index), AX_OK);
    CHECK_EQ(index, 5);
    CHECK_EQ(hand_in(ctx, ledger, 1, &index), AX_OK);
    CHECK(index == UINT64_MAX); /* before what is remembered */
    CHECK_EQ(hand_in(ctx, ledger, 8, &index), AX_INVALID);
    CHECK_EQ(hand_in(ctx, ledger, 7, &index), AX_OK);
    CHECK_EQ(index, 6);
    ax_ledger_close(ledger);
}

TEST(ledger_knows_a_retry_and_refuses_a_gap)
{
    ledger_case_run(retries);
}

/* Each leaf names its producer's leaf before, so that a fact left out is seen. */
static void
chains(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    static const char *const names[] = {"a", "b"};
    ax_digest last[2] = {};
    uint64_t sequence[2] = {};
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    for (int i = 0; i < 20; i++) {
        struct ax_event event = {.kind = AX_EVENT_ALERT, .producer = ax_str_of(names[i % 3 == 0])};
        CHECK_EQ(ax_ledger_append(ledger, ctx, &event, AX_STR(""), NULL), AX_OK);
        if (i == 10) {
            ax_ledger_close(ledger);
            CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
        }
    }
    for (uint64_t i = 0; i < 20; i++) {
        ax_str leaf;
        struct ax_event event;
        CHECK_EQ(ax_ledger_read(ledger, ctx, i, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
        int who = ax_str_eq(event.producer, AX_STR("b"));
        CHECK_EQ(event.sequence, ++sequence[who]);
        CHECK(ax_digest_eq(event.previous, last[who]));
        CHECK(event.log_ns > 0);
        last[who] = ax_merkle_leaf(leaf);
    }
    ax_ledger_close(ledger);
}

TEST(ledger_chains_the_facts_of_each_producer)
{
    ledger_case_run(chains);
}

/* ---- limits ---- */

static void
reserve(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_event event = {.kind = AX_EVENT_DECISION, .producer = AX_STR("decision")};
    struct ax_ledger_stats stats;
    at->config.reserve_percent = 100; /* no disk is that empty */
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_check(ledger, ctx), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "nearly full") != NULL);
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, AX_STR("")), AX_UNAVAILABLE);
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, AX_STR(""), NULL), AX_OK); /* vital */
    event.kind = AX_EVENT_ACCESS_DENIED; /* whoever is refused could fill the reserve */
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, AX_STR("")), AX_UNAVAILABLE);
    event.kind = AX_EVENT_ACCESS_ALLOWED;
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, AX_STR("")), AX_OK);
    CHECK_EQ(ax_ledger_wait(ledger, ctx, 1), AX_OK);
    ax_ledger_stats(ledger, &stats);
    CHECK(stats.reserved && stats.size == 2);
    ax_ledger_close(ledger);
}

TEST(ledger_keeps_the_reserve_of_the_disk_for_vital_facts)
{
    ledger_case_run(reserve);
}

static void
refusals(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_event event = {.kind = AX_EVENT_DECISION, .producer = AX_STR("decision")};
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, AX_STR("x"), NULL), AX_INVALID);
    event.payload_bytes = 1;
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, AX_STR(""), NULL), AX_INVALID);
    char *large = AX_NEW_ARRAY(ctx->arena, char, 100'001);
    event.payload_bytes = 100'001;
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, (ax_str){large, 100'001}, NULL), AX_INVALID);
    event.payload_bytes = 0;
    event.kind = 0;
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, AX_STR("")), AX_INVALID);
    ax_str leaf;
    CHECK_EQ(ax_ledger_read(ledger, ctx, 0, &leaf), AX_NOT_FOUND);
    CHECK_EQ(ax_ledger_size(ledger), 0);
    ax_ledger_close(ledger);
}

TEST(ledger_refuses_what_cannot_be_written)
{
    ledger_case_run(refusals);
}

static void
full_queue(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_event event;
    ax_str payload;
    at->config.queue_records_max = 4;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK); /* nobody empties it */
    CHECK_EQ(ledger_case_fact(ctx, at, 0, &event, &payload), AX_OK);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, payload), AX_OK);
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, payload), AX_LIMIT);
    ledger->config.queue_records_max = 100;
    ledger->config.queue_bytes_max = (int64_t)ledger->copied_bytes + 10;
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, payload), AX_LIMIT);
    ledger->closing = true;
    CHECK_EQ(ax_ledger_queue(ledger, ctx, &event, payload), AX_UNAVAILABLE);
    ax_ledger_writer_run(ledger); /* drains it, since it is closing */
    CHECK_EQ(ax_ledger_size(ledger), 4);
    CHECK_EQ(ledger->copied_bytes, 0);
    ax_ledger_free(ledger);
}

TEST(ledger_refuses_rather_than_drops_when_the_queue_is_full)
{
    ledger_case_run(full_queue);
}

static void
queued(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    for (uint64_t i = 0; i < 50; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx inner = ax_ctx_of(arena); /* gone before the fact is written */
        struct ax_event event;
        ax_str payload;
        CHECK_EQ(ledger_case_fact(&inner, at, i, &event, &payload), AX_OK);
        CHECK_EQ(ax_ledger_queue(ledger, &inner, &event, payload), AX_OK);
    }
    while (ax_ledger_size(ledger) < 50)
        CHECK_EQ(ax_ledger_wait(ledger, ctx, ax_ledger_size(ledger)), AX_OK);
    for (uint64_t i = 0; i < 50; i++)
        ledger_case_check(ctx, ledger, i, i, true);
    ctx->deadline_ns = ax_clock_monotonic_ns() + 1'000'000;
    CHECK_EQ(ax_ledger_wait(ledger, ctx, 50), AX_TIMEOUT);
    ax_ledger_close(ledger);
}

TEST(ledger_queues_a_copy)
{
    ledger_case_run(queued);
}

static void
heartbeat(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    ax_str leaf;
    struct ax_event event;
    at->config.heartbeat_interval_ms = 5;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_wait(ledger, ctx, 1), AX_OK); /* two of them */
    CHECK_EQ(ax_ledger_read(ledger, ctx, 1, &leaf), AX_OK);
    CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
    CHECK_EQ(event.kind, AX_EVENT_HEARTBEAT);
    CHECK_EQ(event.sequence, 2);
    ax_ledger_close(ledger);
}

TEST(ledger_gives_signs_of_life)
{
    ledger_case_run(heartbeat);
}

/* ---- a disk that fails ---- */

#ifdef AX_FAULTS
/* Called on the ledger's thread: from now on nothing there succeeds. */
static void
break_disk(struct ax_ledger_entry *entry)
{
    (void)entry;
    ax_fault_arm(0, true);
}

static void
broken(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    struct ax_ledger_entry entry = {
        .event = {.kind = AX_EVENT_DECISION, .producer = AX_STR("test"), .event_ns = 1'000},
        .done = break_disk,
    };
    struct ax_event event;
    ax_str payload;
    struct ax_ledger_stats stats;
    entry.event.object = AX_STR("object-0");
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_submit(ledger, ctx, &entry), AX_OK);
    CHECK_EQ(ax_ledger_wait(ledger, ctx, 0), AX_OK);
    CHECK_EQ(ledger_case_fact(ctx, at, 2, &event, &payload), AX_OK);
    ax_clock_sleep_ms(20);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(ax_ledger_append(ledger, ctx, &event, payload, NULL), AX_UNAVAILABLE);
    CHECK_EQ(ax_ledger_check(ledger, ctx), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "failed") != NULL);
    ax_ledger_stats(ledger, &stats);
    CHECK(stats.failed);
    CHECK_EQ(stats.size, 1);
    CHECK_EQ(ax_ledger_wait(ledger, ctx, 1), AX_UNAVAILABLE);
    ledger_case_check(ctx, ledger, 0, 0, false); /* what is there can be read */
    ax_ledger_close(ledger);
    /* Opened again: what was acknowledged is there, and it goes on. */
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    CHECK(ax_ledger_size(ledger) >= 1);
    ledger_case_check(ctx, ledger, 0, 0, false);
    CHECK_EQ(ax_ledger_check(ledger, ctx), AX_OK);
    ax_ledger_close(ledger);
}

TEST(ledger_acknowledges_nothing_after_a_failure)
{
    ledger_case_run(broken);
}
#endif

static void
settings(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    ax_settings_defaults(&ax_ledger_settings, &at->config);
    CHECK_EQ(at->config.segment_bytes, 64 << 20);
    CHECK(at->config.reserve_percent > 4 && at->config.reserve_percent < 6);
    at->config.reserve_percent = 0;
    CHECK_EQ(ledger_case_open(ctx, at, &ledger), AX_OK);
    ledger_case_fill(ctx, at, ledger, 0, 3);
    ax_ledger_close(ledger);
}

TEST(ledger_works_with_its_default_settings)
{
    ledger_case_run(settings);
}

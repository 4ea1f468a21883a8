/*
 * How many facts the ledger takes in a second, and how long each waits for the disk.
 *
 *     bench_ledger [FOLDER [SECONDS [PAYLOAD_BYTES [RATE]]]]
 *
 * Eight producers keep up to 64 facts in flight each, every one with a sealed payload: RATE facts a
 * second in all, or (0, the default) as many as the ledger takes. FOLDER (default: a new one in the
 * current folder) is on the disk that is measured; it is removed afterwards.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "event/ledger.h"
#include "event/vault.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/workers.h"

enum { PRODUCERS = 8, IN_FLIGHT = 64, WAITS_MAX = 4'000'000, SEALS = 20'000, ENTITIES = 1'000 };
enum { LATE_NS = 2'000'000 }; /* more than a sleep of 1 ms is late by itself */

/* A fact under way. */
struct flight {
    struct ax_ledger_entry entry;
    struct producer *producer;
    int64_t begin_ns;
};

struct producer {
    struct ax_ledger *ledger;
    struct ax_vault_sealed sealed; /* sealed once: what is measured here is the ledger */
    int64_t end_ns;
    int64_t interval_ns; /* between two of its facts; 0: none */
    int number;
    uint64_t failures; /* guarded by mutex, as what follows */
    struct flight flights[IN_FLIGHT], *idle[IN_FLIGHT];
    size_t idle_count;
    int64_t *waits_ns;
    size_t wait_count;
    struct ax_mutex mutex;
    struct ax_cond cond;
};

static void
check(struct ax_ctx *ctx, ax_status status, const char *what)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_ledger: %s: %s\n", what, ctx->error);
    exit(EXIT_FAILURE);
}

static void
acknowledged(struct ax_ledger_entry *entry)
{
    struct flight *flight = entry->arg;
    struct producer *producer = flight->producer;
    int64_t wait_ns = ax_clock_monotonic_ns() - flight->begin_ns;
    ax_mutex_lock(&producer->mutex);
    producer->failures += entry->status != AX_OK;
    if (producer->wait_count < WAITS_MAX)
        producer->waits_ns[producer->wait_count++] = wait_ns;
    producer->idle[producer->idle_count++] = flight;
    if (producer->idle_count == 1)
        ax_cond_signal(&producer->cond);
    ax_mutex_unlock(&producer->mutex);
}

/* Some that are idle, at least one. */
static size_t
take_idle(struct producer *producer, struct flight *out_flights[IN_FLIGHT])
{
    ax_mutex_lock(&producer->mutex);
    while (producer->idle_count == 0)
        ax_cond_wait(&producer->cond, &producer->mutex);
    size_t count = producer->idle_count;
    for (size_t i = 0; i < count; i++)
        out_flights[i] = producer->idle[i];
    producer->idle_count = 0;
    ax_mutex_unlock(&producer->mutex);
    return count;
}

static void
submit(struct producer *producer, struct ax_ctx *ctx, struct flight *flight, int64_t begin_ns)
{
    flight->begin_ns = begin_ns;
    flight->entry = (struct ax_ledger_entry){
        .event = {.kind = AX_EVENT_DECISION,
                  .producer = AX_STR("decision"),
                  .event_ns = ax_clock_real_ns(),
                  .actor = AX_STR("svc-scoring"),
                  .object = AX_STR("d_0193f1b2c4d5e6f7a8b9c0d1e2f3"),
                  .build_id = AX_STR("0.1.0")},
        .payload = producer->sealed.bytes,
        .done = acknowledged,
        .arg = flight,
    };
    ax_vault_describe(&producer->sealed, &flight->entry.event);
    check(ctx, ax_ledger_submit(producer->ledger, ctx, &flight->entry), "submit");
}

/*
 * Waits until the next fact is due. Its time runs from then on, also when it was late because all
 * 64 were still in flight: who waits to be let in waits, too.
 */
static int64_t
due(const struct producer *producer, int64_t *next_ns)
{
    int64_t now_ns = ax_clock_monotonic_ns();
    if (!producer->interval_ns)
        return now_ns;
    for (; now_ns < *next_ns; now_ns = ax_clock_monotonic_ns())
        ax_clock_sleep_ms(1);
    int64_t scheduled_ns = *next_ns;
    *next_ns += producer->interval_ns;
    return now_ns - scheduled_ns > LATE_NS ? scheduled_ns : now_ns;
}

static void
produce(void *arg)
{
    struct producer *producer = arg;
    struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct flight *flights[IN_FLIGHT];
    for (int i = 0; i < IN_FLIGHT; i++) {
        producer->flights[i].producer = producer;
        producer->idle[producer->idle_count++] = &producer->flights[i];
    }
    int64_t next_ns = ax_clock_monotonic_ns();
    for (size_t count = 0, back = 0; back < IN_FLIGHT;) {
        count = take_idle(producer, flights);
        for (size_t i = 0; i < count; i++) {
            if (ax_clock_monotonic_ns() >= producer->end_ns)
                back++;
            else
                submit(producer, &ctx, flights[i], due(producer, &next_ns));
        }
    }
    ax_arena_free(arena);
}

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void
measure_sealing(struct ax_ctx *ctx, struct ax_vault *vault, ax_str payload)
{
    struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx inner = ax_ctx_of(arena);
    char entity[32];
    int64_t first_ns = 0;
    for (int round = 0; round < 2; round++) { /* the first round makes the keys */
        int64_t begin_ns = ax_clock_monotonic_ns();
        int count = round == 0 ? ENTITIES : SEALS;
        for (int i = 0; i < count; i++) {
            struct ax_vault_sealed sealed;
            int len = snprintf(entity, sizeof entity, "entity-%d", i % ENTITIES);
            if (i % 64 == 0)
                ax_arena_reset(arena);
            check(&inner,
                  ax_vault_seal(vault, &inner, (ax_str){entity, (size_t)len}, AX_STR("d_1"),
                                payload, &sealed),
                  "seal");
        }
        int64_t each_ns = (ax_clock_monotonic_ns() - begin_ns) / count;
        if (round == 0)
            first_ns = each_ns;
        else
            printf("seal %zu bytes: %.2f us; with a new key: %.2f us\n", payload.len,
                   (double)each_ns / 1e3, (double)first_ns / 1e3);
    }
    check(ctx, ax_vault_commit(vault, ctx), "commit keys");
    ax_arena_free(arena);
}

static void
report(struct producer *producers, int64_t took_ns, struct ax_ledger *ledger)
{
    struct ax_ledger_stats stats;
    size_t count = 0;
    uint64_t failures = 0;
    ax_ledger_stats(ledger, &stats);
    int64_t *all = malloc(sizeof *all * PRODUCERS * WAITS_MAX);
    for (int i = 0; all && i < PRODUCERS; i++) {
        memcpy(all + count, producers[i].waits_ns, producers[i].wait_count * sizeof *all);
        count += producers[i].wait_count;
        failures += producers[i].failures;
    }
    if (!all || count == 0)
        exit(EXIT_FAILURE);
    qsort(all, count, sizeof *all, by_value);
    printf("%zu facts in %.2f s: %.0f facts/s, %.0f facts a batch, %llu refused\n", count,
           (double)took_ns / 1e9, (double)count * 1e9 / (double)took_ns,
           (double)stats.size / (double)stats.batches, (unsigned long long)failures);
    printf("acknowledged after: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, longest %.2f ms\n",
           (double)all[count / 2] / 1e6, (double)all[count - 1 - count / 100] / 1e6,
           (double)all[count - 1 - count / 1'000] / 1e6, (double)all[count - 1] / 1e6);
    free(all);
}

static void
measure_proofs(struct ax_ctx *ctx, struct ax_ledger *ledger)
{
    enum { PROOFS = 500 };
    struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx inner = ax_ctx_of(arena);
    check(ctx, ax_ledger_publish(ledger, ctx), "publish");
    int64_t begin_ns = ax_clock_monotonic_ns();
    for (uint64_t i = 0; i < PROOFS; i++) {
        ax_str proof;
        ax_arena_reset(arena);
        check(&inner,
              ax_ledger_prove(ledger, &inner, i * (ax_ledger_size(ledger) / PROOFS), &proof),
              "prove");
    }
    printf("a proof out of %llu facts: %.0f us\n", (unsigned long long)ax_ledger_size(ledger),
           (double)(ax_clock_monotonic_ns() - begin_ns) / PROOFS / 1e3);
    ax_arena_free(arena);
}

static void
measure(struct ax_ctx *ctx, struct ax_ledger *ledger, struct ax_vault *vault, ax_str payload,
        int64_t seconds, int64_t rate)
{
    static struct producer producers[PRODUCERS];
    struct ax_thread *threads[PRODUCERS];
    int64_t begin_ns = ax_clock_monotonic_ns();
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].ledger = ledger;
        producers[i].number = i;
        producers[i].interval_ns = rate ? PRODUCERS * INT64_C(1'000'000'000) / rate : 0;
        producers[i].end_ns = begin_ns + seconds * 1'000'000'000;
        producers[i].waits_ns = malloc(sizeof(int64_t) * WAITS_MAX);
        ax_mutex_init(&producers[i].mutex);
        ax_cond_init(&producers[i].cond);
        check(ctx,
              ax_vault_seal(vault, ctx, AX_STR("entity"), AX_STR("d_0193f1b2c4d5e6f7a8b9c0d1e2f3"),
                            payload, &producers[i].sealed),
              "seal");
        check(ctx, ax_thread_start(ctx, "producer", produce, &producers[i], &threads[i]), "thread");
    }
    for (int i = 0; i < PRODUCERS; i++)
        ax_thread_join(threads[i]);
    report(producers, ax_clock_monotonic_ns() - begin_ns, ledger);
    for (int i = 0; i < PRODUCERS; i++)
        free(producers[i].waits_ns);
}

int
main(int argc, char **argv)
{
    struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str folder = ax_str_of(argc > 1 ? argv[1] : "bench_ledger.data");
    int64_t seconds = 5, payload_bytes = 300, rate = 0;
    if ((argc > 2 && !ax_parse_i64(ax_str_of(argv[2]), &seconds)) ||
        (argc > 3 && !ax_parse_i64(ax_str_of(argv[3]), &payload_bytes)) ||
        (argc > 4 && !ax_parse_i64(ax_str_of(argv[4]), &rate))) {
        fprintf(stderr, "usage: bench_ledger [FOLDER [SECONDS [PAYLOAD_BYTES [RATE]]]]\n");
        return EXIT_FAILURE;
    }
    static const uint8_t seed[32] = {1};
    const struct ax_vault_config vault_config = {
        .folder = ax_path_join(arena, folder, AX_STR("keys")),
        .kek_path = ax_path_join(arena, folder, AX_STR("kek")),
    };
    struct ax_ledger_config config;
    struct ax_vault *vault;
    struct ax_ledger *ledger;
    ax_settings_defaults(&ax_ledger_settings, &config);
    check(&ctx, ax_crypto_init(&ctx), "crypto");
    check(&ctx, ax_file_make_folders(&ctx, folder), "folder");
    check(&ctx, ax_vault_make_kek(&ctx, vault_config.kek_path), "key");
    check(&ctx, ax_vault_open(&ctx, &vault_config, &vault), "vault");
    const struct ax_ledger_place place = {
        .folder = ax_path_join(arena, folder, AX_STR("ledger")),
        .origin = AX_STR("bench.example/ledger"),
        .seed = seed,
        .vault = vault,
    };
    check(&ctx, ax_ledger_open(&ctx, &config, &place, &ledger), "ledger");
    char *bytes = ax_arena_alloc(arena, 1, (size_t)payload_bytes + 1);
    ax_str payload = {bytes, (size_t)payload_bytes};
    measure_sealing(&ctx, vault, payload);
    measure(&ctx, ledger, vault, payload, seconds, rate);
    measure_proofs(&ctx, ledger);
    ax_ledger_close(ledger);
    int64_t begin_ns = ax_clock_monotonic_ns();
    check(&ctx, ax_ledger_open(&ctx, &config, &place, &ledger), "open again");
    printf("opened again in %.0f ms\n", (double)(ax_clock_monotonic_ns() - begin_ns) / 1e6);
    ax_ledger_close(ledger);
    ax_vault_close(vault);
    check(&ctx, ax_file_remove_tree(&ctx, folder), "remove");
    ax_arena_free(arena);
    return EXIT_SUCCESS;
}

#include "sys/once.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "harness.h"
#include "sys/workers.h"

enum { THREADS = 8, ROUNDS = 200, FAILURES = 3, TEST_BYTES_MAX = 1 << 20 };

static atomic_int living;

static void
number_free(void *value)
{
    ax_free(value);
    atomic_fetch_sub(&living, 1);
}

static int *
number_new(int number)
{
    int *value = ax_alloc(1, sizeof *value);
    if (!value)
        return NULL;
    *value = number;
    atomic_fetch_add(&living, 1);
    return value;
}

TEST(once_keeps_what_was_made_until_its_arena_goes)
{
    struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_once *once = ax_once_new(arena, number_free);
    REQUIRE(once);
    CHECK(ax_once_get(once) == NULL);
    CHECK(ax_once_begin(once) == NULL);
    CHECK(ax_once_get(once) == NULL); /* on the way */
    ax_once_end(once, NULL);          /* it failed: the next one tries */
    CHECK(ax_once_begin(once) == NULL);
    int *value = number_new(7);
    ax_once_end(once, value);
    CHECK(ax_once_get(once) == value && ax_once_begin(once) == value);
    CHECK_EQ(atomic_load(&living), 1);
    ax_arena_free(arena);
    CHECK_EQ(atomic_load(&living), 0);
}

TEST(once_needs_no_value_to_end_and_says_when_memory_is_short)
{
    struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX), *small = ax_arena_new(1);
    REQUIRE(arena && small);
    CHECK(ax_once_new(arena, number_free) != NULL);
    CHECK(ax_once_new(small, number_free) == NULL);
    ax_arena_free(arena);
    ax_arena_free(small);
    CHECK_EQ(atomic_load(&living), 0);
}

struct race {
    struct ax_once *once;
    atomic_int begun, made, waiting;
    void *seen[THREADS];
};

struct racer {
    struct race *race;
    size_t index;
};

/* The first makers fail; exactly one succeeds, and everyone sees the same. */
static void
race_run(void *arg)
{
    struct racer *racer = arg;
    struct race *race = racer->race;
    atomic_fetch_add(&race->waiting, 1);
    while (atomic_load(&race->waiting) < THREADS) {
    }
    void *value = ax_once_get(race->once);
    while (!value) {
        value = ax_once_begin(race->once);
        if (value)
            break;
        bool fails = atomic_fetch_add(&race->begun, 1) < FAILURES;
        value = fails ? NULL : number_new(1);
        atomic_fetch_add(&race->made, !fails);
        ax_once_end(race->once, value);
    }
    race->seen[racer->index] = value;
}

static void
race_once(struct ax_ctx *ctx)
{
    struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct race race = {.once = ax_once_new(arena, number_free)};
    struct racer racers[THREADS];
    struct ax_thread *threads[THREADS];
    REQUIRE(race.once);
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){&race, i};
        REQUIRE(ax_thread_start(ctx, "racer", race_run, &racers[i], &threads[i]) == AX_OK);
    }
    for (size_t i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&race.made), 1);
    CHECK_EQ(atomic_load(&race.begun), FAILURES + 1);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(race.seen[i] && race.seen[i] == ax_once_get(race.once));
    ax_arena_free(arena);
    CHECK_EQ(atomic_load(&living), 0);
}

TEST(once_makes_one_value_however_many_threads_ask)
{
    for (int round = 0; round < ROUNDS; round++)
        ax_test_with_ctx(race_once);
}

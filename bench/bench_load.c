/*
 * What it costs to open a model file that lies in memory: the reader alone, no disk.
 *
 *     bench_load FILE...
 *
 * One thread's processor time; the least and the middle of so many openings. The peer's number for
 * the same bytes is in bench/load_peers.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "sys/file.h"

enum { ROUNDS = 31, FILE_BYTES_MAX = 1 << 30 };

static int
by_time(const void *a, const void *b)
{
    clock_t x = *(const clock_t *)a, y = *(const clock_t *)b;
    return (x > y) - (x < y);
}

static void
bench(const char *path)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FILE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    clock_t times[ROUNDS];
    ax_str bytes = {};
    if (ax_file_read_all(&ctx, ax_str_of(path), FILE_BYTES_MAX / 2, &bytes) != AX_OK) {
        fprintf(stderr, "bench_load: %s\n", ctx.error);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct ax_engine *engine = NULL;
        clock_t began = clock();
        if (ax_engine_open(&ctx, bytes, NULL, &engine) != AX_OK) {
            fprintf(stderr, "bench_load: %s: %s\n", path, ctx.error);
            exit(EXIT_FAILURE);
        }
        times[i] = clock() - began;
        ax_engine_close(engine);
    }
    qsort(times, ROUNDS, sizeof *times, by_time);
    printf("%-60s %9zu bytes  least %9.1f us  middle %9.1f us\n", path, bytes.len,
           (double)times[0] * 1e6 / CLOCKS_PER_SEC,
           (double)times[ROUNDS / 2] * 1e6 / CLOCKS_PER_SEC);
}

int
main(int argument_count, char **arguments)
{
    for (int i = 1; i < argument_count; i++)
        bench(arguments[i]);
    return EXIT_SUCCESS;
}

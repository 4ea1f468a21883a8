/*
 * Many models resident at once: what a row costs whose model has not been looked at for a while.
 *
 *     bench_models MODEL ROWS.csv [COUNT [ROUNDS]]
 *
 * COUNT (default 500) engines are opened from MODEL, each with memory of its own, so that to the
 * caches they are as many different models. Single rows are scored in a fixed random order, first
 * all by one of them, then each by another. Beside it stands what it takes merely to read a word of
 * every cache line of as many row forms in the same order: the memory's share. Also printed: bytes
 * a model, as opened and with all that calls can make it make; the forms' cache lines. Processor
 * time; the best and the middle of ROUNDS rounds (default 9), which take turns.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/number.h"
#include "codec/csv.h"
#include "engine/forest_engine.h"
#include "sys/file.h"

enum { MODELS_MAX = 10'000, ROUNDS_MAX = 101, ROWS = 1'000, CALLS = 20'000, LINE_BYTES = 64 };

enum kind { ONE, ALL, TOUCH, KINDS };

struct bench {
    struct ax_ctx ctx;
    struct ax_engine *engines[MODELS_MAX];
    size_t count, features;
    double *cells;
    void *scratch;
    uint32_t model[CALLS], row[CALLS]; /* of each call */
    uint64_t seen;                     /* keeps the reading of lines alive */
    double ns[KINDS][ROUNDS_MAX];
};

static void
check(struct bench *bench, ax_status status, const char *what)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_models: %s: %s\n", what, bench->ctx.error);
    exit(EXIT_FAILURE);
}

static void
open_all(struct bench *bench, ax_str path)
{
    ax_str bytes;
    check(bench, ax_file_read_all(&bench->ctx, path, SIZE_MAX, &bytes), "model");
    for (size_t i = 0; i < bench->count; i++)
        check(bench, ax_engine_open(&bench->ctx, bytes, NULL, &bench->engines[i]), "open");
    bench->features = ax_engine_signature(bench->engines[0])->feature_count;
    bench->scratch = ax_arena_alloc(
        bench->ctx.arena, 1, ax_engine_scratch_bytes(bench->engines[0], AX_ENGINE_MARGIN, NULL));
    check(bench, bench->scratch ? AX_OK : AX_LIMIT, "memory");
}

static void
read_rows(struct bench *bench, ax_str path)
{
    ax_str text;
    struct ax_csv *csv;
    struct ax_csv_row row;
    size_t count = 0;
    bench->cells = AX_NEW_ARRAY(bench->ctx.arena, double, ROWS * bench->features);
    check(bench, bench->cells ? AX_OK : AX_LIMIT, "memory");
    check(bench, ax_file_read_all(&bench->ctx, path, SIZE_MAX, &text), "rows");
    check(bench, ax_csv_open(&bench->ctx, text, NULL, &csv), "rows");
    for (; count < ROWS; count++) {
        check(bench, ax_csv_next(csv, &bench->ctx, &row), "rows");
        if (!row.fields)
            break;
        for (size_t f = 0; f < bench->features; f++) {
            double *cell = &bench->cells[count * bench->features + f];
            if (f >= row.count || !ax_parse_f64(row.fields[f], cell))
                *cell = (double)NAN;
        }
    }
    check(bench, count > 0 ? AX_OK : AX_INVALID, "rows");
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < CALLS; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bench->model[i] = (uint32_t)(state >> 33) % (uint32_t)bench->count;
        bench->row[i] = (uint32_t)(state & 0xffffff) % (uint32_t)count;
    }
}

static void
score(struct bench *bench, size_t model, size_t row)
{
    double margin[64];
    const struct ax_engine_call call = {
        .rows = {.at = bench->cells + row * bench->features, .count = 1, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_MARGIN};
    const struct ax_engine_answer answer = {.margin = margin};
    check(bench,
          ax_engine_score(bench->engines[model], &bench->ctx, &call, bench->scratch, &answer),
          "score");
}

static const struct ax_forest_row *
form_of(const struct bench *bench, size_t model)
{
    return ((const struct ax_forest_engine *)bench->engines[model])->scorer.row;
}

static void
touch(struct bench *bench, size_t model)
{
    const struct ax_forest_row *form = form_of(bench, model);
    for (size_t at = 0; at < form->bytes; at += LINE_BYTES) {
        uint64_t word;
        memcpy(&word, (const char *)form + at, sizeof word);
        bench->seen += word;
    }
}

/* Nanoseconds a call. */
static double
measure(struct bench *bench, enum kind kind)
{
    struct timespec began, ended;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
    for (size_t i = 0; i < CALLS; i++)
        if (kind == TOUCH)
            touch(bench, bench->model[i]);
        else
            score(bench, kind == ONE ? 0 : bench->model[i], bench->row[i]);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    return ((double)(ended.tv_sec - began.tv_sec) * 1e9 + (double)(ended.tv_nsec - began.tv_nsec)) /
           CALLS;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
report(struct bench *bench, const char *path, int rounds)
{
    static const char *const names[] = {"a row, one model", "a row, all models",
                                        "a form's lines read, all models"};
    const struct ax_engine_call most = {.rows = {.count = 1'000},
                                        .outputs = ax_engine_signature(bench->engines[0])->outputs &
                                                   ~(unsigned)AX_ENGINE_LEAF};
    size_t opened = ax_engine_memory_bytes(bench->engines[0]);
    check(bench, ax_engine_prepare(bench->engines[0], &bench->ctx, &most), "prepare");
    printf("%s x %zu: %zu KB a model, %zu KB with batches and explanations; row form %u bytes, %u "
           "cache lines\n",
           path, bench->count, opened >> 10, ax_engine_memory_bytes(bench->engines[0]) >> 10,
           form_of(bench, 0)->bytes, form_of(bench, 0)->bytes / LINE_BYTES);
    for (size_t k = 0; k < KINDS; k++) {
        qsort(bench->ns[k], (size_t)rounds, sizeof(double), by_value);
        printf("%-32s %9.0f ns best, %9.0f middle\n", names[k], bench->ns[k][0],
               bench->ns[k][rounds / 2]);
    }
    printf("all models over one: %.1f; over reading the form's lines: %.2f\n",
           bench->ns[ALL][rounds / 2] / bench->ns[ONE][rounds / 2],
           bench->ns[ALL][rounds / 2] / bench->ns[TOUCH][rounds / 2]);
}

int
main(int argument_count, char **arguments)
{
    static struct bench bench;
    struct ax_arena *arena = ax_arena_new((size_t)1 << 30);
    int64_t count = 500, rounds = 9;
    bench.ctx = ax_ctx_of(arena);
    if (argument_count < 3 ||
        (argument_count > 3 && !ax_parse_i64(ax_str_of(arguments[3]), &count)) || count < 1 ||
        count > MODELS_MAX ||
        (argument_count > 4 && !ax_parse_i64(ax_str_of(arguments[4]), &rounds)) || rounds < 1 ||
        rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_models MODEL ROWS.csv [COUNT [ROUNDS]]\n");
        return EXIT_FAILURE;
    }
    bench.count = (size_t)count;
    open_all(&bench, ax_str_of(arguments[1]));
    if (!form_of(&bench, 0))
        check(&bench, ax_fail(&bench.ctx, AX_UNSUPPORTED, "no form for single rows"), "model");
    read_rows(&bench, ax_str_of(arguments[2]));
    for (int64_t r = 0; r < rounds; r++)
        for (int k = 0; k < KINDS; k++)
            bench.ns[k][r] = measure(&bench, (enum kind)k);
    report(&bench, arguments[1], (int)rounds);
    for (size_t i = 0; i < bench.count; i++)
        ax_engine_close(bench.engines[i]);
    ax_arena_free(arena);
    return EXIT_SUCCESS;
}

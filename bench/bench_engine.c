/*
 * How long the engine takes for a row, alone and in batches, kernel by kernel.
 *
 *     bench_engine MODEL ROWS.csv [ROUNDS [KERNEL]]
 *
 * KERNEL: only those whose name holds this text are timed.
 * The CSV's columns are the model's features by place; its rows are repeated up to 10,000. Rows are
 * given in the model's own input type, and the answer is the margin. A kernel's margins are first
 * compared with the walk's in the same mode, bit for bit. One row is timed over calls with 1,000
 * rows in turn. Each figure is the best of ROUNDS rounds (default 7), then their median and the
 * worst; rounds of all kernels take turns, so that a noisy neighbour meets all of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "codec/csv.h"
#include "engine/engine.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { ROWS = 10'000, ROUNDS_MAX = 101, SINGLES = 1'000, LEAST_NS = 2'000'000 };

static const size_t batches[] = {1, 16, 64, 128, 256, 512, 1'000, ROWS};

static const struct {
    const char *name;
    enum ax_engine_kernel kernel;
    enum ax_engine_level level;
    bool code;
    enum ax_engine_mode mode;
} kinds[] = {
    {"walk", AX_ENGINE_KERNEL_WALK, AX_ENGINE_LEVEL_BEST},
    {"as chosen", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_BEST},
    {"fast, as chosen", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_BEST, .mode = AX_ENGINE_FAST},
    {"interleave", AX_ENGINE_KERNEL_INTERLEAVE, AX_ENGINE_LEVEL_BEST},
    {"match", AX_ENGINE_KERNEL_MATCH, AX_ENGINE_LEVEL_BEST},
    {"heap", AX_ENGINE_KERNEL_HEAP, AX_ENGINE_LEVEL_BEST},
    {"gather", AX_ENGINE_KERNEL_GATHER, AX_ENGINE_LEVEL_BEST},
    {"masks", AX_ENGINE_KERNEL_MASKS, AX_ENGINE_LEVEL_BEST},
    {"batch", AX_ENGINE_KERNEL_BATCH, AX_ENGINE_LEVEL_BEST},
    {"batch, code", AX_ENGINE_KERNEL_BATCH, AX_ENGINE_LEVEL_BEST, true},
    {"AVX2 as chosen", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_AVX2},
    {"AVX2 fast", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_AVX2, .mode = AX_ENGINE_FAST},
    {"AVX2 masks", AX_ENGINE_KERNEL_MASKS, AX_ENGINE_LEVEL_AVX2},
    {"AVX2 batch", AX_ENGINE_KERNEL_BATCH, AX_ENGINE_LEVEL_AVX2},
    {"portable as chosen", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_PORTABLE},
    {"portable fast", AX_ENGINE_KERNEL_BEST, AX_ENGINE_LEVEL_PORTABLE, .mode = AX_ENGINE_FAST},
    {"portable masks", AX_ENGINE_KERNEL_MASKS, AX_ENGINE_LEVEL_PORTABLE},
    {"portable batch", AX_ENGINE_KERNEL_BATCH, AX_ENGINE_LEVEL_PORTABLE},
};

enum { WALK = 0, KINDS = AX_COUNT_OF(kinds), BATCHES = AX_COUNT_OF(batches) };

struct subject {
    struct ax_engine *engine; /* NULL: not on this machine */
    void *scratch;
    double *margin;
    enum ax_engine_mode mode;
    double ns[BATCHES][ROUNDS_MAX]; /* a row */
};

struct table {
    void *cells;
    size_t row_bytes;
    enum ax_engine_type type;
};

static void
check(struct ax_ctx *ctx, ax_status status, const char *what)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_engine: %s: %s\n", what, ctx->error);
    exit(EXIT_FAILURE);
}

static void *
reserve(struct ax_ctx *ctx, size_t bytes)
{
    void *memory = ax_arena_alloc(ctx->arena, 1, bytes + 64);
    check(ctx, memory ? AX_OK : AX_LIMIT, "memory");
    return (char *)memory + (-(uintptr_t)memory & 63);
}

static struct table
read_rows(struct ax_ctx *ctx, ax_str path, const struct ax_engine_signature *signature)
{
    ax_str text;
    struct ax_csv *csv;
    struct ax_csv_row row;
    size_t features = signature->feature_count, count = 0;
    size_t cell = signature->input == AX_ENGINE_F32 ? sizeof(float) : sizeof(double);
    struct table table = {reserve(ctx, ROWS * features * cell), features * cell, signature->input};
    float *narrow = table.cells;
    double *wide = table.cells;
    check(ctx, ax_file_read_all(ctx, path, SIZE_MAX, &text), "rows");
    check(ctx, ax_csv_open(ctx, text, NULL, &csv), "rows");
    for (; count < ROWS; count++) {
        check(ctx, ax_csv_next(csv, ctx, &row), "rows");
        if (!row.fields)
            break;
        for (size_t f = 0; f < features; f++) {
            double x = (double)NAN;
            if (f < row.count && row.fields[f].len)
                (void)ax_parse_f64(row.fields[f], &x);
            if (signature->input == AX_ENGINE_F32)
                narrow[count * features + f] = (float)x;
            else
                wide[count * features + f] = x;
        }
    }
    check(ctx, count ? AX_OK : AX_INVALID, "the table has no rows");
    for (size_t i = count; i < ROWS; i++)
        memcpy((char *)table.cells + i * table.row_bytes,
               (char *)table.cells + i % count * table.row_bytes, table.row_bytes);
    return table;
}

static void
score(struct ax_ctx *ctx, const struct subject *subject, const struct table *table, size_t first,
      size_t count)
{
    struct ax_engine_call call = {
        .rows = {.at = (char *)table->cells + first * table->row_bytes,
                 .count = count,
                 .type = table->type},
        .outputs = AX_ENGINE_MARGIN,
        .mode = subject->mode,
    };
    struct ax_engine_answer answer = {.margin = subject->margin};
    check(ctx, ax_engine_score(subject->engine, ctx, &call, subject->scratch, &answer), "score");
}

/* Nanoseconds a row. */
static double
measure(struct ax_ctx *ctx, const struct subject *subject, const struct table *table, size_t batch)
{
    size_t calls = 0;
    int64_t begin_ns = ax_clock_monotonic_ns(), took_ns;
    do {
        size_t turns = batch == 1 ? SINGLES : 1;
        for (size_t i = 0; i < turns; i++)
            score(ctx, subject, table, batch == 1 ? i : 0, batch);
        calls += turns;
        took_ns = ax_clock_monotonic_ns() - begin_ns;
    } while (took_ns < LEAST_NS);
    return (double)took_ns / (double)(calls * batch);
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
report(struct subject *subject, const char *name, size_t trees, int rounds)
{
    if (!subject->engine)
        return;
    printf("%-20s %7.0f KB", name,
           (double)ax_engine_signature(subject->engine)->memory_bytes / 1024);
    for (size_t b = 0; b < BATCHES; b++) {
        double *ns = subject->ns[b];
        qsort(ns, (size_t)rounds, sizeof *ns, by_value);
        if (batches[b] == 1)
            printf(" | %.3f %.3f %.3f us", ns[0] / 1e3, ns[rounds / 2] / 1e3, ns[rounds - 1] / 1e3);
        else
            printf(" | %.3f %.3f %.3f", ns[0] / (double)trees, ns[rounds / 2] / (double)trees,
                   ns[rounds - 1] / (double)trees);
    }
    printf("\n");
}

static void
open_all(struct ax_ctx *ctx, ax_str bytes, const char *part, struct subject *subjects)
{
    for (size_t k = 0; k < KINDS; k++) {
        if (k != WALK && !strstr(kinds[k].name, part))
            continue;
        struct ax_engine_config config = {
            .kernel = kinds[k].kernel, .level = kinds[k].level, .forest_code = kinds[k].code};
        struct subject *subject = &subjects[k];
        ax_status status = ax_engine_open(ctx, bytes, &config, &subject->engine);
        if (status == AX_UNSUPPORTED && kinds[k].level != AX_ENGINE_LEVEL_BEST)
            continue;
        check(ctx, status, "open");
        subject->mode = kinds[k].mode;
        subject->scratch =
            reserve(ctx, ax_engine_scratch_bytes(subject->engine, AX_ENGINE_MARGIN, NULL));
        subject->margin = reserve(ctx, ROWS * ax_engine_signature(subject->engine)->margin_count *
                                           sizeof(double));
    }
}

static void
compare(struct ax_ctx *ctx, const struct subject *subjects, const struct table *table)
{
    struct subject walk = subjects[WALK];
    size_t outputs = ax_engine_signature(subjects[WALK].engine)->margin_count;
    for (size_t k = 0; k < KINDS; k++) {
        if (!subjects[k].engine)
            continue;
        walk.mode = subjects[k].mode;
        score(ctx, &walk, table, 0, ROWS);
        score(ctx, &subjects[k], table, 0, ROWS);
        if (memcmp(subjects[k].margin, walk.margin, ROWS * outputs * sizeof(double)) != 0)
            check(ctx, ax_fail(ctx, AX_INVALID, "not the walk's bits"), kinds[k].name);
    }
}

int
main(int argc, char **argv)
{
    static struct subject subjects[KINDS];
    struct ax_arena *arena = ax_arena_new((size_t)4 << 30);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const char *part = argc > 4 ? argv[4] : "";
    int64_t rounds = 7;
    if (argc < 3 || (argc > 3 && !ax_parse_i64(ax_str_of(argv[3]), &rounds)) || rounds < 1 ||
        rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_engine MODEL ROWS.csv [ROUNDS [KERNEL]]\n");
        return EXIT_FAILURE;
    }
    ax_str bytes;
    check(&ctx, ax_file_read_all(&ctx, ax_str_of(argv[1]), SIZE_MAX, &bytes), "model");
    open_all(&ctx, bytes, part, subjects);
    const struct ax_engine_signature *signature = ax_engine_signature(subjects[WALK].engine);
    struct table table = read_rows(&ctx, ax_str_of(argv[2]), signature);
    compare(&ctx, subjects, &table);
    for (int64_t r = 0; r < rounds; r++)
        for (size_t b = 0; b < BATCHES; b++)
            for (size_t k = 0; k < KINDS; k++)
                if (subjects[k].engine && (k != WALK || strstr(kinds[k].name, part)))
                    subjects[k].ns[b][r] = measure(&ctx, &subjects[k], &table, batches[b]);
    printf("%s: %zu trees, %zu features; best, median and worst of %d rounds; one row in us a "
           "call, then ns a row and tree for 16 64 128 256 512 1,000 10,000 rows\n",
           argv[1], signature->tree_count, signature->feature_count, (int)rounds);
    for (size_t k = 0; k < KINDS; k++)
        if (strstr(kinds[k].name, part))
            report(&subjects[k], kinds[k].name, signature->tree_count, (int)rounds);
    for (size_t k = 0; k < KINDS; k++)
        if (subjects[k].engine)
            ax_engine_close(subjects[k].engine);
    ax_arena_free(arena);
    return EXIT_SUCCESS;
}

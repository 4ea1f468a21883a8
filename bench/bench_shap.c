/*
 * What explanations cost: microseconds a row, one row a call and many rows in one call.
 *
 *     bench_shap MODEL ROWS.csv [ROUNDS [portable|avx2|avx512 [FOLDER]]]
 *
 * One thread. Path-dependent and against 100 and 1,000 references (the last rows of the file);
 * best, median and worst of ROUNDS rounds (default 31), and what preparing costs in time and bytes.
 * With a folder, tables are kept there: a second run finds them.
 * A round is short, 500 rows, so that on a shared machine some rounds have the core to themselves.
 * The last line is the plain kernel on the same rows, the measure of all others.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "codec/csv.h"
#include "engine/forest_engine.h"
#include "engine/forms.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
    ROUNDS_MAX = 1001,
    ROUND_ROWS = 500,
    ROWS_MAX = 10'000,
    PLAIN_ROWS = 20,
    REFERENCES_MAX = 1'000
};

struct bench {
    struct ax_ctx *ctx;
    struct ax_engine *engine;
    float *cells;
    size_t rows, columns;
    size_t rounds;
    double *out;
};

static void
check(struct ax_ctx *ctx, ax_status status, const char *what)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_shap: %s: %s\n", what, ctx->error);
    exit(EXIT_FAILURE);
}

_Noreturn static void
refuse(const char *what, const char *which)
{
    fprintf(stderr, "bench_shap: %s %s\n", what, which);
    exit(EXIT_FAILURE);
}

static void
read_rows(struct bench *bench, const char *path)
{
    ax_str text;
    struct ax_csv *csv;
    struct ax_csv_row row;
    check(bench->ctx, ax_file_read_all(bench->ctx, ax_str_of(path), 1 << 28, &text), path);
    check(bench->ctx, ax_csv_open(bench->ctx, text, NULL, &csv), path);
    if (ax_csv_header(csv)->count < bench->columns)
        refuse("fewer columns than the model has, in", path);
    bench->cells = AX_NEW_ARRAY(bench->ctx->arena, float, ROWS_MAX * bench->columns);
    while (bench->rows < ROWS_MAX) {
        check(bench->ctx, ax_csv_next(csv, bench->ctx, &row), path);
        if (!row.fields)
            break;
        float *to = bench->cells + bench->rows++ * bench->columns;
        for (size_t i = 0; i < bench->columns; i++)
            if (!ax_parse_f32(row.fields[i], &to[i]))
                to[i] = NAN;
    }
    if (bench->rows < REFERENCES_MAX)
        refuse("at least 1,000 rows are wanted, of", path);
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
report(const char *name, double *each_us, size_t rounds)
{
    qsort(each_us, rounds, sizeof *each_us, by_value);
    printf("  %-34s %8.2f / %8.2f / %8.2f us a row\n", name, each_us[0], each_us[rounds / 2],
           each_us[rounds - 1]);
}

/* Scores ROUND_ROWS rows, `batch` in a call; each round has the next ones of the file. */
static double
round_us(const struct bench *bench, const struct ax_engine_background *background, size_t round,
         size_t batch, void *scratch)
{
    struct ax_engine_call call = {.outputs = AX_ENGINE_CONTRIBUTIONS, .background = background};
    struct ax_engine_answer answer = {.contributions = bench->out};
    size_t first = round * ROUND_ROWS % (bench->rows - ROUND_ROWS + 1);
    int64_t begin_ns = ax_clock_monotonic_ns();
    for (size_t i = 0; i < ROUND_ROWS; i += batch) {
        call.rows =
            (struct ax_engine_rows){.at = bench->cells + (first + i) * bench->columns,
                                    .count = ROUND_ROWS - i < batch ? ROUND_ROWS - i : batch};
        check(bench->ctx, ax_engine_score(bench->engine, bench->ctx, &call, scratch, &answer),
              "score");
    }
    return (double)(ax_clock_monotonic_ns() - begin_ns) / 1e3 / ROUND_ROWS;
}

static void
measure(const struct bench *bench, const char *name, const struct ax_engine_background *background)
{
    static const size_t batches[] = {1, 8, 16, 64, ROUND_ROWS};
    double each_us[ROUNDS_MAX] = {};
    void *scratch =
        ax_arena_alloc(bench->ctx->arena, 1,
                       ax_engine_scratch_bytes(bench->engine, AX_ENGINE_CONTRIBUTIONS, background));
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        char title[64];
        snprintf(title, sizeof title, "%s, %zu a call", name, batches[b]);
        for (size_t i = 0; i < bench->rounds; i++)
            each_us[i] = round_us(bench, background, i, batches[b], scratch);
        report(title, each_us, bench->rounds);
    }
}

static void
measure_population(const struct bench *bench, size_t count)
{
    struct ax_engine_background *background;
    struct ax_engine_rows rows = {.at = bench->cells + (bench->rows - count) * bench->columns,
                                  .count = count};
    char name[64];
    int64_t begin_ns = ax_clock_monotonic_ns();
    check(bench->ctx, ax_engine_background_open(bench->engine, bench->ctx, &rows, &background),
          "population");
    printf("  prepared %zu references in %.1f ms, %.1f MB, %.1f MB mapped\n", count,
           (double)(ax_clock_monotonic_ns() - begin_ns) / 1e6,
           (double)ax_engine_background_bytes(background) / 1e6,
           (double)ax_engine_background_mapped_bytes(background) / 1e6);
    snprintf(name, sizeof name, "%zu references", count);
    measure(bench, name, background);
    ax_engine_background_close(background);
}

/* By cover. */
static void
measure_cover(const struct bench *bench)
{
    const struct ax_engine_call one = {.rows = {.count = 1}, .outputs = AX_ENGINE_CONTRIBUTIONS};
    size_t opened = ax_engine_memory_bytes(bench->engine);
    int64_t begin_ns = ax_clock_monotonic_ns();
    check(bench->ctx, ax_engine_prepare(bench->engine, bench->ctx, &one), "prepare");
    printf("  prepared in %.1f ms, %.1f MB, %.1f MB mapped\n",
           (double)(ax_clock_monotonic_ns() - begin_ns) / 1e6,
           (double)(ax_engine_memory_bytes(bench->engine) - opened) / 1e6,
           (double)ax_engine_mapped_bytes(bench->engine) / 1e6);
    measure(bench, "path-dependent", NULL);
}

static void
measure_plain(const struct bench *bench)
{
    const struct ax_forest *forest = &((struct ax_forest_engine *)bench->engine)->forest;
    struct ax_shap_points points;
    double each_us[ROUNDS_MAX] = {};
    double *row = AX_NEW_ARRAY(bench->ctx->arena, double, bench->columns);
    void *scratch = ax_arena_alloc(bench->ctx->arena, 1, ax_shap_scratch_bytes(forest));
    struct ax_engine_rows rows = {.at = bench->cells};
    check(bench->ctx, ax_shap_prepare(forest, bench->ctx, bench->ctx->arena, &points), "points");
    for (size_t i = 0; i < bench->rounds; i++) {
        int64_t begin_ns = ax_clock_monotonic_ns();
        for (size_t r = 0; r < PLAIN_ROWS; r++) {
            ax_engine_row(&rows, r, bench->columns, AX_ENGINE_F32, row);
            ax_shap_row(forest, &points, row, scratch, bench->out);
        }
        each_us[i] = (double)(ax_clock_monotonic_ns() - begin_ns) / 1e3 / PLAIN_ROWS;
    }
    report("plain kernel", each_us, bench->rounds);
}

static enum ax_engine_level
level_of(const char *name)
{
    static const char *const names[] = {"best", "portable", "avx2", "avx512"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ax_str_eq(ax_str_of(name), ax_str_of(names[i])))
            return (enum ax_engine_level)i;
    refuse("no level", name);
}

int
main(int argc, char **argv)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 30);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct bench bench = {.ctx = &ctx, .rounds = 31};
    struct ax_engine_config config = {};
    struct ax_forms *forms = NULL;
    int64_t rounds = 31;
    ax_str bytes;
    if (argc < 3 || (argc > 3 && (!ax_parse_i64(ax_str_of(argv[3]), &rounds) || rounds < 1 ||
                                  rounds > ROUNDS_MAX))) {
        fprintf(stderr,
                "usage: bench_shap MODEL ROWS.csv [ROUNDS [portable|avx2|avx512 [FOLDER]]]\n");
        return EXIT_FAILURE;
    }
    bench.rounds = (size_t)rounds;
    config.level = level_of(argc > 4 ? argv[4] : "best");
    if (argc > 5) {
        const struct ax_forms_config kept = {.folder = ax_str_of(argv[5]), .bytes_max = 1 << 30};
        check(&ctx, ax_forms_open(&ctx, &kept, &forms), argv[5]);
        config.forms = forms;
    }
    check(&ctx, ax_file_read_all(&ctx, ax_str_of(argv[1]), 1 << 28, &bytes), argv[1]);
    int64_t begin_ns = ax_clock_monotonic_ns();
    check(&ctx, ax_engine_open(&ctx, bytes, &config, &bench.engine), argv[1]);
    const struct ax_engine_signature *signature = ax_engine_signature(bench.engine);
    bench.columns = signature->feature_count;
    printf("%s: %zu trees, %zu leaves; opened in %.0f ms, %.1f MB\n", argv[1],
           signature->tree_count, signature->leaf_count,
           (double)(ax_clock_monotonic_ns() - begin_ns) / 1e6,
           (double)signature->memory_bytes / 1e6);
    read_rows(&bench, argv[2]);
    bench.out =
        AX_NEW_ARRAY(arena, double, ROWS_MAX * signature->margin_count * (bench.columns + 1));
    measure_cover(&bench);
    for (size_t count = 100; count <= REFERENCES_MAX; count *= 10)
        measure_population(&bench, count);
    measure_plain(&bench);
    ax_engine_close(bench.engine);
    if (forms)
        ax_forms_close(forms);
    return EXIT_SUCCESS;
}

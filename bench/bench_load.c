/*
 * What it costs to open a model file that lies in memory: the reader alone, no disk.
 *
 *     bench_load FILE...
 *
 * One thread's processor time: of opening, of opening and answering a first row, and of the latter
 * where the kernel's form was kept (engine/forms.h; the file is hashed for it); the least and the
 * middle of so many. The peer's numbers for the same bytes are in bench/load_peers.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/forms.h"
#include "sys/file.h"

enum { ROUNDS = 31, FILE_BYTES_MAX = 1 << 30 };

/* What a round took, in clock_t. */
struct times {
    clock_t opened[ROUNDS], answered[ROUNDS], kept[ROUNDS];
};

static int
by_time(const void *a, const void *b)
{
    clock_t x = *(const clock_t *)a, y = *(const clock_t *)b;
    return (x > y) - (x < y);
}

static void
check(const struct ax_ctx *ctx, ax_status status, const char *path)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_load: %s: %s\n", path, ctx->error);
    exit(EXIT_FAILURE);
}

/* A row of zeros: its margin, or that it is refused, which costs the same. */
static void
answer_one(struct ax_ctx *ctx, const struct ax_engine *engine)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t scratch_bytes = ax_engine_scratch_bytes(engine, AX_ENGINE_MARGIN, NULL);
    double *row = calloc(signature->feature_count + 1, sizeof *row);
    double *margin = calloc(signature->margin_count + 1, sizeof *margin);
    void *scratch = malloc(scratch_bytes + 1);
    const struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                        .outputs = AX_ENGINE_MARGIN};
    const struct ax_engine_answer answer = {.margin = margin};
    if (row && margin && scratch)
        (void)ax_engine_score(engine, ctx, &call, scratch, &answer);
    free(row);
    free(margin);
    free(scratch);
}

static void
report(const char *what, clock_t *times)
{
    qsort(times, ROUNDS, sizeof *times, by_time);
    printf("  %s: least %9.1f us  middle %9.1f us", what, (double)times[0] * 1e6 / CLOCKS_PER_SEC,
           (double)times[ROUNDS / 2] * 1e6 / CLOCKS_PER_SEC);
}

/* Opens the file and answers a row; what each took. */
static void
time_one(struct ax_ctx *ctx, const char *path, ax_str bytes, const struct ax_forms *forms,
         clock_t *out_opened, clock_t *out_answered)
{
    const struct ax_engine_config config = {.forms = forms};
    struct ax_engine *engine = NULL;
    clock_t began = clock();
    check(ctx, ax_engine_open(ctx, bytes, &config, &engine), path);
    *out_opened = clock() - began;
    if (ax_engine_signature(engine)->outputs & AX_ENGINE_MARGIN)
        answer_one(ctx, engine);
    *out_answered = clock() - began;
    ax_engine_close(engine);
}

static void
bench(const char *path, const struct ax_forms *forms)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FILE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct times times;
    ax_str bytes = {};
    clock_t opened, answered;
    check(&ctx, ax_file_read_all(&ctx, ax_str_of(path), FILE_BYTES_MAX / 2, &bytes), path);
    time_one(&ctx, path, bytes, forms, &opened, &answered); /* keeps what there is to keep */
    for (int i = 0; i < ROUNDS; i++) {
        time_one(&ctx, path, bytes, NULL, &times.opened[i], &times.answered[i]);
        time_one(&ctx, path, bytes, forms, &opened, &times.kept[i]);
    }
    printf("%-40s %9zu bytes", path, bytes.len);
    report("open", times.opened);
    report("and a first answer", times.answered);
    report("the same, form kept", times.kept);
    putchar('\n');
}

int
main(int argument_count, char **arguments)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FILE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char folder[] = "/tmp/axiom-load-XXXXXX";
    struct ax_forms *forms = NULL;
    const struct ax_forms_config config = {.folder = ax_str_of(folder), .bytes_max = 1 << 30};
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    check(&ctx, ax_forms_open(&ctx, &config, &forms), folder);
    for (int i = 1; i < argument_count; i++)
        bench(arguments[i], forms);
    ax_forms_close(forms);
    check(&ctx, ax_file_remove_tree(&ctx, ax_str_of(folder)), folder);
    return EXIT_SUCCESS;
}

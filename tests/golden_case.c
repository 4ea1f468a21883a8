#include "golden_case.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "engine/forest_engine.h"
#include "harness.h"

enum { CASE_BYTES_MAX = 1 << 29, BLOCK_ROWS = 7, MALFORMED_BYTES_MAX = 256 << 20 };

/* One model of one case while it is checked. */
struct check {
    struct ax_ctx *ctx;
    const struct golden_rule *rule;
    const struct model_case *model_case;
    const char *file;
    const struct ax_engine *engine;
    const struct ax_engine_signature *signature;
    struct ax_engine_answer scored;
};

static struct ax_engine_rows
rows_of(const struct check *check, size_t from, size_t count)
{
    struct ax_engine_rows rows = model_case_rows(check->model_case, from, count);
    rows.at = check->model_case->wide + from * check->model_case->column_count;
    rows.type = AX_ENGINE_F64;
    return rows;
}

static struct ax_engine_answer
score(const struct check *check, struct ax_engine_rows rows, unsigned outputs,
      const struct ax_engine_background *background)
{
    struct ax_engine_call call = {.rows = rows, .outputs = outputs, .background = background};
    return model_case_score(check->ctx, check->engine, &call, NULL);
}

static int64_t
ordered_bits(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static bool
ulps_within(double a, double b, int64_t allowed)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return llabs(ordered_bits(a) - ordered_bits(b)) <= allowed;
}

static bool
near(double a, double b, double relative)
{
    if (relative == 0)
        return memcmp(&a, &b, sizeof a) == 0;
    return fabs(a - b) <= relative * fmax(1, fabs(b));
}

static void
differs(const struct check *check, const char *what, size_t i, double got, double wanted)
{
    ax_test_failed(__FILE__, __LINE__, "%s/%s: %s[%zu] is %.17g, not %.17g",
                   check->model_case->name, check->file, what, i, got, wanted);
}

static void
check_margins(const struct check *check)
{
    double *wanted;
    size_t count = model_case_numbers(check->ctx, check->model_case, "margin", &wanted);
    CHECK_EQ(count, check->model_case->row_count * check->signature->margin_count);
    for (size_t i = 0; i < count; i++)
        if (!near(check->scored.margin[i], wanted[i], check->rule->margin))
            differs(check, "margin", i, check->scored.margin[i], wanted[i]);
}

static void
check_responses(const struct check *check)
{
    const struct golden_rule *rule = check->rule;
    double *wanted;
    size_t count = model_case_numbers(check->ctx, check->model_case, "prediction", &wanted);
    size_t rows = check->model_case->row_count, given = count / rows;
    size_t columns = check->signature->response_count;
    int64_t ulps = columns > 1 ? rule->softmax_ulps : rule->response_ulps;
    CHECK(given == columns || rule->response_last);
    for (size_t i = 0; i < rows * columns; i++) {
        double got = check->scored.response[i];
        double want = given == columns ? wanted[i] : wanted[i * given + given - 1];
        if (rule->response_ulps < 0 ? !near(got, want, rule->response)
                                    : !ulps_within(got, want, ulps))
            differs(check, "response", i, got, want);
    }
}

static void
check_leaves(const struct check *check)
{
    double *wanted;
    size_t count = model_case_numbers(check->ctx, check->model_case, "leaf", &wanted);
    CHECK(check->signature->tree_count == 0 || count % check->signature->tree_count == 0);
    for (size_t i = 0; i < count; i++)
        if (check->scored.leaf[i] != (int32_t)wanted[i])
            differs(check, "leaf", i, check->scored.leaf[i], wanted[i]);
}

static bool
adds_up(const double *contributions, size_t count, double margin)
{
    double sum = 0, size = fmax(1, fabs(margin));
    for (size_t f = 0; f < count; f++) {
        sum += contributions[f];
        size = fmax(size, fabs(contributions[f]));
    }
    return fabs(sum - margin) <= 1e-9 * size;
}

/* They add up to the margin, up to the rounding of the sum. */
static void
check_additive(const struct check *check, const double *contributions, size_t rows)
{
    size_t outputs = check->signature->margin_count, block = check->signature->feature_count + 1;
    for (size_t i = 0; i < rows * outputs; i++)
        if (!adds_up(contributions + i * block, block, check->scored.margin[i]))
            ax_test_failed(__FILE__, __LINE__,
                           "%s/%s: the contributions to margin %zu do not add up",
                           check->model_case->name, check->file, i);
}

/* One row's contributions to one output, from place `from` on. */
static void
check_explained(const struct check *check, const double *got, const double *wanted, size_t from)
{
    size_t block = check->signature->feature_count + 1;
    double size = 0;
    for (size_t i = from; i < from + block; i++)
        size = fmax(size, fabs(wanted[i]));
    for (size_t i = from; i < from + block; i++)
        if (!(fabs(got[i] - wanted[i]) <= check->rule->contributions * size))
            differs(check, "contribution", i, got[i], wanted[i]);
}

static void
check_contributions(const struct check *check)
{
    size_t block = check->signature->feature_count + 1;
    size_t width = check->signature->margin_count * block;
    double *wanted;
    size_t count = model_case_numbers(check->ctx, check->model_case, "contribs", &wanted);
    if (!(check->signature->outputs & AX_ENGINE_CONTRIBUTIONS)) {
        CHECK_EQ(count, 0);
        return;
    }
    size_t rows = count ? count / width : 8;
    struct ax_engine_answer explained =
        score(check, rows_of(check, 0, rows), AX_ENGINE_CONTRIBUTIONS, NULL);
    for (size_t i = 0; i < count; i += block)
        if (!check->rule->if_additive ||
            adds_up(wanted + i, block, check->scored.margin[i / block]))
            check_explained(check, explained.contributions, wanted, i);
    check_additive(check, explained.contributions, rows);
}

static void
check_background(const struct check *check)
{
    enum { REFERENCES = 40, EXPLAINED = 3 };
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_rows references = rows_of(check, 20, REFERENCES);
    ax_status wanted = check->signature->background ? AX_OK : AX_UNSUPPORTED;
    CHECK_EQ(ax_engine_background_open(check->engine, check->ctx, &references, &background),
             wanted);
    if (!background)
        return;
    struct ax_engine_answer explained =
        score(check, rows_of(check, 0, EXPLAINED), AX_ENGINE_CONTRIBUTIONS, background);
    check_additive(check, explained.contributions, EXPLAINED);
}

/* Rows as columns and in blocks of a few give the same bits. */
static void
check_layouts(const struct check *check)
{
    size_t rows = check->model_case->row_count, columns = check->model_case->column_count;
    size_t width = check->signature->margin_count;
    double *turned = AX_NEW_ARRAY(check->ctx->arena, double, rows *columns);
    for (size_t i = 0; i < rows * columns; i++)
        turned[i % columns * rows + i / columns] = check->model_case->wide[i];
    struct ax_engine_rows by_column = rows_of(check, 0, rows);
    by_column.at = turned;
    by_column.row_stride_bytes = sizeof(double);
    by_column.column_stride_bytes = rows * sizeof(double);
    struct ax_engine_answer other = score(check, by_column, AX_ENGINE_MARGIN, NULL);
    CHECK(memcmp(other.margin, check->scored.margin, rows * width * sizeof(double)) == 0);
    for (size_t from = 0; from + BLOCK_ROWS <= rows; from += BLOCK_ROWS) {
        other = score(check, rows_of(check, from, BLOCK_ROWS), AX_ENGINE_MARGIN, NULL);
        CHECK(memcmp(other.margin, check->scored.margin + from * width,
                     BLOCK_ROWS * width * sizeof(double)) == 0);
    }
}

static bool
check_file(struct check *check, const char *folder)
{
    char path[512];
    ax_str bytes;
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    snprintf(path, sizeof path, "%s/%s/%s", folder, check->model_case->name, check->file);
    if (!model_case_read(check->ctx, path, &bytes))
        return false;
    if (ax_engine_open(check->ctx, bytes, NULL, &engine) != AX_OK) {
        ax_test_failed(__FILE__, __LINE__, "%s: %s", path, check->ctx->error);
        return true;
    }
    check->engine = engine;
    check->signature = ax_engine_signature(engine);
    CHECK_EQ(check->signature->feature_count, check->model_case->column_count);
    check->scored = score(check, rows_of(check, 0, check->model_case->row_count),
                          AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE | AX_ENGINE_LEAF, NULL);
    check_margins(check);
    check_responses(check);
    check_leaves(check);
    check_contributions(check);
    check_background(check);
    check_layouts(check);
    return true;
}

size_t
golden_case_check(const char *folder, const struct golden_rule *rule)
{
    ax_auto(ax_arena_free) struct ax_arena *list_arena = ax_arena_new(CASE_BYTES_MAX);
    struct ax_ctx list_ctx = ax_ctx_of(list_arena);
    ax_str *names;
    size_t count = model_case_list(&list_ctx, folder, &names);
    for (size_t i = 0; i < count; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(CASE_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct model_case model_case;
        size_t files = 0;
        if (!model_case_load(&ctx, folder, ax_str_c(arena, names[i]), &model_case))
            continue;
        struct check check = {.ctx = &ctx, .rule = rule, .model_case = &model_case};
        for (size_t f = 0; f < AX_COUNT_OF(rule->files) && rule->files[f]; f++) {
            check.file = rule->files[f];
            files += check_file(&check, folder);
        }
        if (files == 0)
            ax_test_failed(__FILE__, __LINE__, "%s/%s has no model", folder, model_case.name);
    }
    return count;
}

void
golden_case_check_shared(const char *folder, const struct golden_rule *rule, size_t cases_least)
{
    size_t count = golden_case_check(folder, rule);
    if (count == 0)
        printf("skipped: %s is not there\n", folder);
    else
        CHECK(count >= cases_least);
}

void
golden_case_check_malformed(const char *format, const char *control, size_t refused_least)
{
    static const char folder[] = "../shared/models/malformed";
    static const struct ax_engine_config config = {.memory_bytes_max = MALFORMED_BYTES_MAX};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(CASE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char path[512];
    const struct ax_json *manifest = NULL;
    ax_str text;
    size_t refused = 0;
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    if (!model_case_read(&ctx, path, &text)) {
        printf("skipped: %s is not there\n", folder);
        return;
    }
    CHECK_EQ(ax_json_parse(&ctx, text, NULL, &manifest), AX_OK);
    struct ax_json_iter iter = ax_json_iter_of(manifest);
    while (ax_json_next(&iter)) {
        ax_str file = {}, of = {}, bytes = {};
        struct ax_engine *engine = NULL;
        CHECK(ax_json_text(ax_json_find(iter.value, "file"), &file));
        CHECK(ax_json_text(ax_json_find(iter.value, "format"), &of));
        if (!ax_str_starts(of, ax_str_of(format)))
            continue;
        snprintf(path, sizeof path, "%s/%.*s", folder, AX_FMT(file));
        CHECK(model_case_read(&ctx, path, &bytes));
        ctx.error[0] = '\0';
        clock_t begin = clock();
        ax_status status = ax_engine_open(&ctx, bytes, &config, &engine);
        bool wanted = ax_str_eq(file, ax_str_of(control));
        if ((status == AX_OK) != wanted || (!wanted && (!ctx.error[0] || strchr(ctx.error, '\n'))))
            ax_test_failed(__FILE__, __LINE__, "%s ends %s: %s", path, ax_status_name(status),
                           ctx.error);
        CHECK(clock() - begin < CLOCKS_PER_SEC);
        refused += status != AX_OK;
        if (engine)
            ax_engine_close(engine);
    }
    CHECK(refused >= refused_least);
}

void
golden_case_check_prefixes(struct ax_ctx *ctx, ax_str bytes, size_t step, size_t whole)
{
    for (size_t len = 0; len < bytes.len; len += step) {
        struct ax_engine *engine = NULL;
        ctx->error[0] = '\0';
        ax_status status = ax_engine_open(ctx, (ax_str){bytes.at, len}, NULL, &engine);
        if (status == AX_OK ? len < whole : !ctx->error[0])
            ax_test_failed(__FILE__, __LINE__, "the first %zu of %zu bytes end %s: %s", len,
                           bytes.len, ax_status_name(status), ctx->error);
        if (engine)
            ax_engine_close(engine);
    }
}

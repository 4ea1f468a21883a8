#include "model_case.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/number.h"
#include "harness.h"

struct number_array {
    AX_ARRAY(double)
};

bool
model_case_read(struct ax_ctx *ctx, const char *path, ax_str *out_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    fseek(file, 0, SEEK_END);
    size_t len = (size_t)ftell(file);
    rewind(file);
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, len + 1);
    bool whole = bytes && fread(bytes, 1, len, file) == len;
    fclose(file);
    *out_bytes = (ax_str){bytes, len};
    return whole;
}

static int
by_name(const void *a, const void *b)
{
    return ax_str_cmp(*(const ax_str *)a, *(const ax_str *)b);
}

size_t
model_case_list(struct ax_ctx *ctx, const char *folder, ax_str **out_names)
{
    struct {
        AX_ARRAY(ax_str)
    } names = {};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        ax_str *name = AX_ARRAY_PUSH(ctx->arena, &names);
        if (!name || !ax_str_copy(ctx->arena, ax_str_of(entry->d_name), name))
            break;
    }
    if (dir)
        closedir(dir);
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, by_name);
    *out_names = names.items;
    return names.count;
}

/* An empty cell is NaN. */
static bool
read_cell(ax_str cell, bool wide, double *out)
{
    float narrow = NAN;
    *out = (double)NAN;
    if (cell.len == 0 || ax_str_eq(cell, AX_STR("\"\"")))
        return true;
    if (wide)
        return ax_parse_f64(cell, out);
    bool ok = ax_parse_f32(cell, &narrow);
    *out = (double)narrow;
    return ok;
}

static bool
read_rows(struct ax_ctx *ctx, ax_str csv, bool wide, struct model_case *out)
{
    struct number_array cells = {};
    ax_str line, cell;
    bool header = true;
    while (ax_str_cut(&csv, '\n', &line)) {
        line = ax_str_trim(line);
        if (line.len == 0)
            continue;
        size_t columns = 0;
        while (ax_str_cut(&line, ',', &cell)) {
            columns++;
            if (header)
                continue;
            double *slot = AX_ARRAY_PUSH(ctx->arena, &cells);
            if (!slot || !read_cell(cell, wide, slot))
                return false;
        }
        if (header)
            out->column_count = columns;
        else if (columns != out->column_count)
            return false;
        else
            out->row_count++;
        header = false;
    }
    out->wide = cells.items;
    out->cells = AX_NEW_ARRAY(ctx->arena, float, cells.count);
    for (size_t i = 0; i < cells.count; i++)
        out->cells[i] = (float)cells.items[i];
    return out->row_count > 0;
}

static bool
read_part(struct ax_ctx *ctx, const char *folder, const char *name, const char *file,
          ax_str *out_bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    return model_case_read(ctx, path, out_bytes);
}

bool
model_case_load(struct ax_ctx *ctx, const char *folder, const char *name,
                struct model_case *out_case)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    struct model_case found = {.name = name};
    const struct ax_json *meta = NULL;
    ax_str csv, expected, about, type = {};
    bool ok = read_part(ctx, folder, name, "input.csv", &csv) &&
              read_part(ctx, folder, name, "expected.json", &expected) &&
              read_part(ctx, folder, name, "meta.json", &about) &&
              ax_json_parse(ctx, expected, &limits, &found.expected) == AX_OK &&
              ax_json_parse(ctx, about, &limits, &meta) == AX_OK;
    bool wide =
        ax_json_text(ax_json_find(meta, "input_type"), &type) && ax_str_eq(type, AX_STR("float64"));
    ok = ok && read_rows(ctx, csv, wide, &found);
    if (!ok) {
        ax_test_failed(__FILE__, __LINE__, "case %s/%s is not whole: %s", folder, name, ctx->error);
        return false;
    }
    found.missing_given = ax_json_f64(ax_json_find(meta, "missing"), &found.missing);
    *out_case = found;
    return true;
}

static void
flatten(struct ax_ctx *ctx, const struct ax_json *json, int depth, struct number_array *numbers)
{
    if (ax_json_kind(json) != AX_JSON_ARRAY) {
        double *slot = AX_ARRAY_PUSH(ctx->arena, numbers);
        double value = (double)NAN;
        if (slot)
            *slot = ax_json_f64(json, &value) ? value : (double)NAN;
        return;
    }
    struct ax_json_iter iter = ax_json_iter_of(json);
    while (depth > 0 && ax_json_next(&iter))
        flatten(ctx, iter.value, depth - 1, numbers);
}

size_t
model_case_numbers(struct ax_ctx *ctx, const struct model_case *model_case, const char *key,
                   double **out_numbers)
{
    struct number_array numbers = {};
    const struct ax_json *json = ax_json_find(model_case->expected, key);
    if (json)
        flatten(ctx, json, 4, &numbers);
    *out_numbers = numbers.items;
    return numbers.count;
}

struct ax_engine_rows
model_case_rows(const struct model_case *model_case, size_t from, size_t count)
{
    return (struct ax_engine_rows){.at = model_case->cells + from * model_case->column_count,
                                   .count = count,
                                   .type = AX_ENGINE_F32,
                                   .missing_given = model_case->missing_given,
                                   .missing = model_case->missing};
}

struct ax_engine *
model_case_open(struct ax_ctx *ctx, const char *path)
{
    ax_str bytes;
    struct ax_engine *engine = NULL;
    if (!model_case_read(ctx, path, &bytes))
        ax_test_failed(__FILE__, __LINE__, "%s is not there", path);
    else if (ax_engine_open(ctx, bytes, NULL, &engine) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s: %s", path, ctx->error);
    return engine;
}

ax_str
model_case_replace(struct ax_ctx *ctx, ax_str text, const char *find, const char *with)
{
    size_t at = ax_str_find(text, ax_str_of(find)), len = strlen(find);
    if (at == SIZE_MAX) {
        ax_test_failed(__FILE__, __LINE__, "'%s' is not in the text", find);
        return text;
    }
    return ax_str_printf(ctx->arena, "%.*s%s%.*s", (int)at, text.at, with,
                         AX_FMT(ax_str_from(text, at + len)));
}

void
model_case_refuse(struct ax_ctx *ctx, ax_str text, const char *find, const char *with,
                  ax_status status, const char *part)
{
    struct ax_engine *engine = NULL;
    ctx->error[0] = '\0';
    ax_status got = ax_engine_open(ctx, model_case_replace(ctx, text, find, with), NULL, &engine);
    if (got == AX_OK || (status != AX_OK && got != status) || !strstr(ctx->error, part) ||
        strchr(ctx->error, '\n'))
        ax_test_failed(__FILE__, __LINE__, "'%s' -> '%s' ends %s: %s", find, with,
                       ax_status_name(got), ctx->error);
    if (engine)
        ax_engine_close(engine);
}

struct ax_engine_answer
model_case_score(struct ax_ctx *ctx, const struct ax_engine *engine,
                 const struct ax_engine_call *call, ax_status *out_status)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t rows = call->rows.count;
    size_t block = signature->margin_count * (signature->feature_count + 1);
    struct ax_engine_answer answer = {};
    if (call->outputs & AX_ENGINE_RESPONSE)
        answer.response = AX_NEW_ARRAY(ctx->arena, double, rows * signature->response_count);
    if (call->outputs & AX_ENGINE_MARGIN)
        answer.margin = AX_NEW_ARRAY(ctx->arena, double, rows * signature->margin_count);
    if (call->outputs & AX_ENGINE_CONTRIBUTIONS)
        answer.contributions = AX_NEW_ARRAY(ctx->arena, double, rows *block);
    if (call->outputs & AX_ENGINE_LEAF)
        answer.leaf = AX_NEW_ARRAY(ctx->arena, int32_t, rows * signature->tree_count);
    if (call->outputs & AX_ENGINE_POINTS)
        answer.points = AX_NEW_ARRAY(ctx->arena, double, rows);
    if (call->outputs & AX_ENGINE_INTERACTIONS)
        answer.interactions =
            AX_NEW_ARRAY(ctx->arena, double, rows *block *(signature->feature_count + 1));
    size_t scratch_bytes = ax_engine_scratch_bytes(engine, call->outputs, call->background);
    void *scratch =
        ax_alloc(1, scratch_bytes ? scratch_bytes : 1); /* of its exact size, for ASan */
    memset(scratch, 0xa5, scratch_bytes);
    ax_status status = ax_engine_score(engine, ctx, call, scratch, &answer);
    ax_free(scratch);
    if (out_status)
        *out_status = status;
    else if (status != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "score: %s", ctx->error);
    return answer;
}

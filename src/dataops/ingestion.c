#include "dataops/ingestion.h"

#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/map.h"
#include "base/number.h"
#include "codec/csv.h"
#include "numeric/stats.h"

enum {
    TEXT_BYTES_MAX = 1'000, /* what a frame's tables of names and categories can hold */
    EXCERPT_BYTES_MAX = 60, /* of a cell in a message */
};

struct texts {
    AX_ARRAY(ax_str)
};

/* A column of the source while it is read. */
struct source {
    ax_str name;
    enum ax_schema_role role;
    const struct ax_schema_column *declared; /* NULL when nothing is said about it */
    bool number;                             /* every present cell so far is one */
    struct ax_map *codes;                    /* text -> code + 1; NULL for numbers */
    struct texts categories;                 /* code -> text */
    double *values;
    uint64_t missing;
};

struct reading {
    const struct ax_schema *schema;
    ax_str text;
    struct source *sources;
    size_t source_count, row_count;
    uint8_t *labels;
    ax_str negative; /* the target's other value; at is NULL until it is met */
    uint64_t positive_count;
    ax_str *keys; /* NULL without a key column */
    struct ax_map *key_rows;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the rows");
}

/* "row 17, column `credit_amount`: ...": rows as a person counts them, the header being row 1. */
#define BAD_CELL(ctx, row, source, format, ...)                                                    \
    ax_fail((ctx), AX_INVALID, "row %zu, column `%.*s`: " format, (row)->number,                   \
            AX_FMT((source)->name), __VA_ARGS__)

/* The beginning of a cell for a message; nothing of a protected one, for messages get about. */
static ax_str
excerpt(const struct source *source, ax_str cell)
{
    if (source->role == AX_SCHEMA_PROTECTED)
        return AX_STR("(protected)");
    if (cell.len <= EXCERPT_BYTES_MAX)
        return cell;
    size_t len = EXCERPT_BYTES_MAX;
    while (len > 0 && ((unsigned char)cell.at[len] & 0xc0) == 0x80)
        len--; /* not inside a character */
    return (ax_str){cell.at, len};
}

static bool
is_missing(const struct ax_schema *schema, ax_str cell)
{
    if (cell.len == 0)
        return true;
    for (size_t i = 0; i < schema->missing_count; i++) {
        if (ax_str_eq(schema->missing[i], cell))
            return true;
    }
    return false;
}

/* Calls each(reading, ctx, row) for the rows behind the header. */
static ax_status
for_each_row(struct ax_ctx *ctx, struct reading *reading,
             ax_status (*each)(struct ax_ctx *ctx, struct reading *reading,
                               const struct ax_csv_row *row))
{
    struct ax_csv *csv = NULL;
    struct ax_csv_row row = {};
    AX_TRY(ax_csv_open(ctx, reading->text, NULL, &csv));
    for (;;) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            return AX_OK;
        AX_TRY(each(ctx, reading, &row));
    }
}

/* ---- the header ---- */

static ax_status
check_declared(struct ax_ctx *ctx, const struct reading *reading, const struct ax_map *names)
{
    const struct ax_schema *schema = reading->schema;
    const struct {
        const ax_str *names;
        size_t count;
    } lists[] = {{&schema->target, 1},
                 {&schema->key, schema->key.len > 0},
                 {schema->protected_columns, schema->protected_count},
                 {schema->ignored, schema->ignored_count}};
    for (size_t l = 0; l < AX_COUNT_OF(lists); l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            if (!ax_map_find(names, lists[l].names[i]))
                return ax_fail(ctx, AX_INVALID, "the header has no column `%.*s`",
                               AX_FMT(lists[l].names[i]));
        }
    }
    for (size_t i = 0; i < schema->column_count; i++) {
        if (!ax_map_find(names, schema->columns[i].name))
            return ax_fail(ctx, AX_INVALID, "the header has no column `%.*s`",
                           AX_FMT(schema->columns[i].name));
    }
    return AX_OK;
}

static ax_status
read_header(struct ax_ctx *ctx, struct reading *reading)
{
    struct ax_csv *csv = NULL;
    AX_TRY(ax_csv_open(ctx, reading->text, NULL, &csv));
    const struct ax_csv_row *header = ax_csv_header(csv);
    if (header->count > AX_FRAME_COLUMNS_MAX)
        return ax_fail(ctx, AX_LIMIT, "%zu columns; at most %d", header->count,
                       AX_FRAME_COLUMNS_MAX);
    reading->sources = AX_NEW_ARRAY(ctx->arena, struct source, header->count);
    struct ax_map *names = ax_map_new(ctx->arena);
    if (!reading->sources || !names)
        return no_memory(ctx);
    reading->source_count = header->count;
    for (size_t i = 0; i < header->count; i++) {
        struct source *source = &reading->sources[i];
        if (header->fields[i].len == 0)
            return ax_fail(ctx, AX_INVALID, "column %zu of the header has no name", i + 1);
        if (header->fields[i].len > TEXT_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID,
                           "column %zu of the header has a name of %zu bytes; at "
                           "most %d",
                           i + 1, header->fields[i].len, TEXT_BYTES_MAX);
        if (ax_map_find(names, header->fields[i]))
            return ax_fail(ctx, AX_INVALID, "the header has column `%.*s` twice",
                           AX_FMT(header->fields[i]));
        if (!ax_str_copy(ctx->arena, header->fields[i], &source->name) ||
            !ax_map_put(names, source->name, source))
            return no_memory(ctx);
        source->role = ax_schema_role(reading->schema, source->name);
        source->declared = ax_schema_find(reading->schema, source->name);
        source->number = source->role != AX_SCHEMA_TARGET && source->role != AX_SCHEMA_KEY;
    }
    return check_declared(ctx, reading, names);
}

/* ---- first pass: what type each column is ---- */

static ax_status
look_at_row(struct ax_ctx *ctx, struct reading *reading, const struct ax_csv_row *row)
{
    (void)ctx;
    for (size_t i = 0; i < row->count; i++) {
        struct source *source = &reading->sources[i];
        double value = 0;
        if (is_missing(reading->schema, row->fields[i]))
            continue;
        source->number = source->number && ax_parse_f64(row->fields[i], &value);
    }
    reading->row_count++;
    return AX_OK;
}

static size_t
code_of(const struct source *source, ax_str cell)
{
    return (size_t)(uintptr_t)ax_map_find(source->codes, cell) - 1; /* NULL becomes SIZE_MAX */
}

/* A map's value may not be NULL, so a code is kept as the pointer code + 1. */
static bool
keep_code(struct source *source, ax_str category, size_t code)
{
    return ax_map_put(source->codes, category, (void *)(uintptr_t)(code + 1));
}

static ax_status
start_categories(struct ax_ctx *ctx, struct source *source)
{
    source->codes = ax_map_new(ctx->arena);
    if (!source->codes)
        return no_memory(ctx);
    if (!source->declared || !source->declared->categories)
        return AX_OK;
    source->categories.items = source->declared->categories;
    source->categories.count = source->declared->category_count;
    for (size_t code = 0; code < source->categories.count; code++) {
        if (!keep_code(source, source->categories.items[code], code))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
start_keys(struct ax_ctx *ctx, struct reading *reading)
{
    reading->keys = AX_NEW_ARRAY(ctx->arena, ax_str, reading->row_count);
    reading->key_rows = ax_map_new(ctx->arena);
    return reading->keys && reading->key_rows ? AX_OK : no_memory(ctx);
}

static ax_status
settle_types(struct ax_ctx *ctx, struct reading *reading)
{
    if (reading->row_count == 0)
        return ax_fail(ctx, AX_INVALID, "there are no rows behind the header");
    reading->labels = AX_NEW_ARRAY(ctx->arena, uint8_t, reading->row_count);
    if (!reading->labels)
        return no_memory(ctx);
    for (size_t i = 0; i < reading->source_count; i++) {
        struct source *source = &reading->sources[i];
        if (source->declared && source->declared->type != AX_SCHEMA_FOUND)
            source->number = source->declared->type == AX_SCHEMA_NUMBER;
        if (source->role == AX_SCHEMA_KEY)
            AX_TRY(start_keys(ctx, reading));
        if (source->role != AX_SCHEMA_FEATURE && source->role != AX_SCHEMA_PROTECTED)
            continue;
        source->values = AX_NEW_ARRAY(ctx->arena, double, reading->row_count);
        if (!source->values)
            return no_memory(ctx);
        if (!source->number)
            AX_TRY(start_categories(ctx, source));
    }
    reading->row_count = 0;
    return AX_OK;
}

/* ---- second pass: values, and categories in the order they are met ---- */

static ax_status
read_number(struct ax_ctx *ctx, const struct source *source, const struct ax_csv_row *row,
            ax_str cell, double *out_value)
{
    double value = 0;
    if (!ax_parse_f64(cell, &value))
        return BAD_CELL(ctx, row, source, "'%.*s' is not a number", AX_FMT(excerpt(source, cell)));
    if (!isfinite(value))
        return BAD_CELL(ctx, row, source,
                        "'%.*s' is not a finite number; if it means missing, list it so",
                        AX_FMT(excerpt(source, cell)));
    const struct ax_schema_column *declared = source->declared;
    if (declared && (value < declared->min || value > declared->max)) {
        char low[AX_NUMBER_BYTES_MAX], high[AX_NUMBER_BYTES_MAX];
        ax_format_f64(declared->min, low);
        ax_format_f64(declared->max, high);
        return BAD_CELL(ctx, row, source, "%.*s is outside %s to %s", AX_FMT(excerpt(source, cell)),
                        low, high);
    }
    *out_value = value + 0.0; /* one zero, as in a stored frame: without a minus */
    return AX_OK;
}

static ax_status
new_category(struct ax_ctx *ctx, struct source *source, const struct ax_csv_row *row, ax_str cell,
             size_t *out_code)
{
    if (cell.len > TEXT_BYTES_MAX)
        return BAD_CELL(ctx, row, source, "%zu bytes; a category has at most %d", cell.len,
                        TEXT_BYTES_MAX);
    if (source->categories.count == AX_FRAME_CATEGORIES_MAX)
        return BAD_CELL(ctx, row, source, "more than %d different texts: no category; ignore it",
                        AX_FRAME_CATEGORIES_MAX);
    ax_str copy = {};
    ax_str *item = AX_ARRAY_PUSH(ctx->arena, &source->categories);
    if (!item || !ax_str_copy(ctx->arena, cell, &copy) ||
        !keep_code(source, copy, source->categories.count - 1))
        return no_memory(ctx);
    *item = copy;
    *out_code = source->categories.count - 1;
    return AX_OK;
}

static ax_status
read_category(struct ax_ctx *ctx, struct source *source, const struct ax_csv_row *row, ax_str cell,
              double *out_value)
{
    size_t code = code_of(source, cell);
    if (code == SIZE_MAX && source->declared && source->declared->unknown_is_missing) {
        *out_value = (double)NAN;
        source->missing++;
        return AX_OK;
    }
    if (code == SIZE_MAX && source->declared && source->declared->categories)
        return BAD_CELL(ctx, row, source, "'%.*s' is none of its %zu categories",
                        AX_FMT(excerpt(source, cell)), source->categories.count);
    if (code == SIZE_MAX)
        AX_TRY(new_category(ctx, source, row, cell, &code));
    *out_value = (double)code;
    return AX_OK;
}

static ax_status
read_label(struct ax_ctx *ctx, struct reading *reading, const struct source *source,
           const struct ax_csv_row *row, ax_str cell)
{
    if (is_missing(reading->schema, cell))
        return BAD_CELL(ctx, row, source, "the target is missing%s", "");
    bool positive = ax_str_eq(cell, reading->schema->positive);
    reading->labels[reading->row_count] = positive;
    reading->positive_count += positive;
    if (positive)
        return AX_OK;
    if (!reading->negative.at && !ax_str_copy(ctx->arena, cell, &reading->negative))
        return no_memory(ctx);
    if (!ax_str_eq(reading->negative, cell))
        return BAD_CELL(ctx, row, source, "'%.*s' is a third value of the target, beside '%.*s'",
                        AX_FMT(excerpt(source, cell)), AX_FMT(excerpt(source, reading->negative)));
    return AX_OK;
}

static ax_status
read_key(struct ax_ctx *ctx, struct reading *reading, const struct source *source,
         const struct ax_csv_row *row, ax_str cell)
{
    ax_str *key = &reading->keys[reading->row_count];
    if (is_missing(reading->schema, cell))
        return BAD_CELL(ctx, row, source, "the key is missing%s", "");
    if (ax_map_find(reading->key_rows, cell))
        return BAD_CELL(ctx, row, source, "key '%.*s' was there before",
                        AX_FMT(excerpt(source, cell)));
    if (!ax_str_copy(ctx->arena, cell, key) || !ax_map_put(reading->key_rows, *key, key))
        return no_memory(ctx);
    return AX_OK;
}

static ax_status
read_cell(struct ax_ctx *ctx, struct reading *reading, struct source *source,
          const struct ax_csv_row *row, ax_str cell)
{
    if (source->role == AX_SCHEMA_IGNORED)
        return AX_OK;
    if (source->role == AX_SCHEMA_TARGET)
        return read_label(ctx, reading, source, row, cell);
    if (source->role == AX_SCHEMA_KEY)
        return read_key(ctx, reading, source, row, cell);
    double *value = &source->values[reading->row_count];
    if (is_missing(reading->schema, cell)) {
        if (source->declared && source->declared->missing_refused)
            return BAD_CELL(ctx, row, source, "it may not be missing%s", "");
        *value = (double)NAN;
        source->missing++;
        return AX_OK;
    }
    return source->number ? read_number(ctx, source, row, cell, value)
                          : read_category(ctx, source, row, cell, value);
}

static ax_status
read_row(struct ax_ctx *ctx, struct reading *reading, const struct ax_csv_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        AX_TRY(read_cell(ctx, reading, &reading->sources[i], row, row->fields[i]));
    reading->row_count++;
    return AX_OK;
}

/* ---- what comes out ---- */

static int
compare_texts(const void *a, const void *b)
{
    return ax_str_cmp(*(const ax_str *)a, *(const ax_str *)b);
}

/* Found categories get their codes by the order of their bytes, whatever the order of the rows. */
static ax_status
sort_categories(struct ax_ctx *ctx, struct source *source, size_t row_count)
{
    size_t count = source->categories.count;
    if (source->number || (source->declared && source->declared->categories) || count == 0)
        return AX_OK;
    ax_str *sorted = AX_NEW_ARRAY(ctx->arena, ax_str, count);
    double *new_code = AX_NEW_ARRAY(ctx->arena, double, count);
    if (!sorted || !new_code)
        return no_memory(ctx);
    memcpy(sorted, source->categories.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_texts);
    for (size_t i = 0; i < count; i++)
        new_code[code_of(source, sorted[i])] = (double)i;
    for (size_t r = 0; r < row_count; r++) {
        if (!isnan(source->values[r]))
            source->values[r] = new_code[(size_t)source->values[r]];
    }
    source->categories.items = sorted;
    return AX_OK;
}

static ax_status
make_frame(struct ax_ctx *ctx, const struct reading *reading, enum ax_schema_role role,
           struct ax_frame *out_frame)
{
    struct ax_frame_column *columns =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, reading->source_count + 1);
    uint64_t *ids = AX_NEW_ARRAY(ctx->arena, uint64_t, reading->row_count + 1);
    if (!columns || !ids)
        return no_memory(ctx);
    struct ax_frame frame = {.columns = columns, .row_count = reading->row_count, .row_ids = ids};
    for (size_t r = 0; r < reading->row_count; r++)
        ids[r] = r;
    for (size_t i = 0; i < reading->source_count; i++) {
        const struct source *source = &reading->sources[i];
        if (source->role != role)
            continue;
        columns[frame.column_count++] = (struct ax_frame_column){
            .name = source->name,
            .kind = source->number ? AX_FRAME_NUMBER : AX_FRAME_CATEGORY,
            .values = source->values,
            .categories = source->categories.items,
            .category_count = source->number ? 0 : source->categories.count};
    }
    if (role == AX_SCHEMA_FEATURE)
        frame.labels = reading->labels;
    *out_frame = frame;
    return AX_OK;
}

static ax_status
count_distinct(struct ax_ctx *ctx, const struct source *source, size_t row_count,
               uint64_t *out_distinct)
{
    double *sorted = AX_NEW_ARRAY(ctx->arena, double, row_count + 1);
    if (!sorted)
        return no_memory(ctx);
    memcpy(sorted, source->values, row_count * sizeof *sorted);
    ax_stats_sort(sorted, row_count);
    uint64_t distinct = 0;
    for (size_t r = 0; r < row_count && !isnan(sorted[r]); r++)
        distinct += r == 0 || sorted[r] != sorted[r - 1];
    *out_distinct = distinct;
    return AX_OK;
}

static ax_status
profile(struct ax_ctx *ctx, const struct reading *reading, const struct source *source,
        struct ax_ingestion_profile *out_profile)
{
    struct ax_ingestion_profile result = {.name = source->name,
                                          .role = source->role,
                                          .kind =
                                              source->number ? AX_FRAME_NUMBER : AX_FRAME_CATEGORY,
                                          .rows = reading->row_count,
                                          .missing = source->missing,
                                          .min = (double)NAN,
                                          .max = (double)NAN,
                                          .mean = (double)NAN};
    if (source->role == AX_SCHEMA_TARGET)
        result.distinct = 2;
    if (source->role == AX_SCHEMA_KEY)
        result.distinct = reading->row_count;
    if (source->values)
        AX_TRY(count_distinct(ctx, source, reading->row_count, &result.distinct));
    if (source->values && source->number) {
        struct ax_moments moments = {};
        for (size_t r = 0; r < reading->row_count; r++)
            ax_stats_add(&moments, source->values[r]);
        if (moments.count > 0) {
            result.min = moments.min;
            result.max = moments.max;
            result.mean = moments.mean;
        }
    }
    *out_profile = result;
    return AX_OK;
}

static ax_status
finish(struct ax_ctx *ctx, struct reading *reading, struct ax_batch *batch)
{
    if (reading->positive_count == 0 || reading->positive_count == reading->row_count)
        return ax_fail(ctx, AX_INVALID,
                       "column `%.*s`: %zu of %zu rows are '%.*s'; both outcomes are needed",
                       AX_FMT(reading->schema->target), (size_t)reading->positive_count,
                       reading->row_count, AX_FMT(reading->schema->positive));
    batch->profile_count = reading->source_count;
    batch->profiles = AX_NEW_ARRAY(ctx->arena, struct ax_ingestion_profile, reading->source_count);
    if (!batch->profiles)
        return no_memory(ctx);
    for (size_t i = 0; i < reading->source_count; i++) {
        struct source *source = &reading->sources[i];
        AX_TRY(sort_categories(ctx, source, reading->row_count));
        AX_TRY(profile(ctx, reading, source, &batch->profiles[i]));
    }
    batch->schema = *reading->schema;
    batch->positive_count = reading->positive_count;
    batch->keys = reading->keys;
    AX_TRY(make_frame(ctx, reading, AX_SCHEMA_PROTECTED, &batch->protected));
    AX_TRY(make_frame(ctx, reading, AX_SCHEMA_FEATURE, &batch->features));
    if (batch->features.column_count == 0)
        return ax_fail(ctx, AX_INVALID, "no column is left that a model may use");
    return AX_OK;
}

ax_status
ax_ingestion_csv(struct ax_ctx *ctx, const struct ax_schema *schema, ax_str text,
                 struct ax_batch *out_batch)
{
    struct reading reading = {.schema = schema, .text = text};
    struct ax_batch batch = {};
    AX_TRY(read_header(ctx, &reading));
    AX_TRY(for_each_row(ctx, &reading, look_at_row));
    AX_TRY(settle_types(ctx, &reading));
    AX_TRY(for_each_row(ctx, &reading, read_row));
    AX_TRY(finish(ctx, &reading, &batch));
    *out_batch = batch;
    return AX_OK;
}

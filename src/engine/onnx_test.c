#include "engine/onnx.h"

#include <math.h>
#include <time.h>

#include "harness.h"
#include "model_case.h"
#include "onnx_case.h"

/* Where golden cases are: a few with the sources, all of them beside the project. */
static const char small_set[] = "tests/model/onnx";
static const char large_set[] = "../shared/models/onnx";
static const char malformed_set[] = "../shared/models/malformed";
static const char types_set[] = "tests/model/onnx/types"; /* one operator, every type */

enum { CASE_BYTES_MAX = 1 << 30, BLOCK_ROWS = 7 };

static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};

/* ---- golden cases ---- */

struct golden {
    const char *name;
    ax_str csv;
    const struct ax_json *meta, *expected;
    struct ax_engine *engine;
    double tolerance; /* relative, and absolute */
};

static bool
read_json(struct ax_ctx *ctx, const char *folder, const char *name, const char *file,
          const struct ax_json **out)
{
    char path[512];
    ax_str text;
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    return model_case_read(ctx, path, &text) && ax_json_parse(ctx, text, &limits, out) == AX_OK;
}

static bool
load_golden(struct ax_ctx *ctx, const char *folder, const char *name, struct golden *out)
{
    char path[512];
    *out = (struct golden){.name = name};
    snprintf(path, sizeof path, "%s/%s/input.csv", folder, name);
    bool whole = model_case_read(ctx, path, &out->csv) &&
                 read_json(ctx, folder, name, "meta.json", &out->meta) &&
                 read_json(ctx, folder, name, "expected.json", &out->expected);
    if (!whole) {
        ax_test_failed(__FILE__, __LINE__, "case %s/%s is not whole: %s", folder, name, ctx->error);
        return false;
    }
    snprintf(path, sizeof path, "%s/%s/model.onnx", folder, name);
    out->engine = model_case_open(ctx, path);
    /* Where ONNX Runtime answers otherwise for a batch than for a row, by its own rounding. */
    int64_t differs = 0;
    CHECK(ax_json_i64(ax_json_find(out->meta, "ort_differs_between_batch_and_one_row"), &differs));
    out->tolerance = differs ? 5e-6 : 1e-6;
    return out->engine != NULL;
}

/* Row `row` of an output in expected.json: a number, a text, or an array of numbers. */
static const struct ax_json *
wanted_row(const struct golden *golden, const char *set, ax_str output, size_t row)
{
    char name[256];
    snprintf(name, sizeof name, "%.*s", AX_FMT(output));
    const struct ax_json *all = ax_json_find(ax_json_find(golden->expected, set), name);
    const struct ax_json *rows = ax_json_find(all, "rows");
    struct ax_json_iter it = ax_json_iter_of(rows ? rows : all);
    while (ax_json_next(&it))
        if (it.index == row)
            return it.value;
    return NULL;
}

/* Item `column` of a row that is an array, or the row itself. */
static const struct ax_json *
item_of(const struct ax_json *row, size_t column)
{
    if (ax_json_kind(row) != AX_JSON_ARRAY)
        return column == 0 ? row : NULL;
    struct ax_json_iter it = ax_json_iter_of(row);
    while (ax_json_next(&it))
        if (it.index == column)
            return it.value;
    return NULL;
}

static bool
cell_agrees(const struct golden *golden, const struct ax_tensor *got, size_t index,
            const struct ax_json *wanted)
{
    ax_str text;
    double number = (double)NAN;
    if (got->type == AX_TENSOR_BYTES)
        return ax_json_text(wanted, &text) && ax_str_eq(text, ((const ax_str *)got->data)[index]);
    if (!wanted || (ax_json_kind(wanted) != AX_JSON_NULL && !ax_json_f64(wanted, &number)))
        return false;
    double value = ax_tensor_f64(got, index);
    if (got->type == AX_TENSOR_INT64)
        return value == number;
    return isnan(number) ? isnan(value)
                         : fabs(value - number) <= golden->tolerance * (1 + fabs(number));
}

/* Nearer to what scikit-learn says in float64 than ONNX Runtime is: then the rounding is its own.
 */
static bool
cell_is_nearer(const struct golden *golden, double got, const struct ax_json *ort, size_t row,
               size_t column, size_t width)
{
    static const char *const names[] = {"predict_proba", "decision_function", "predict"};
    double theirs, source;
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        const struct ax_json *of = wanted_row(golden, "source", ax_str_of(names[i]), row);
        size_t items = ax_json_kind(of) == AX_JSON_ARRAY ? ax_json_count(of) : 1;
        if (of && items == width && ax_json_f64(item_of(of, column), &source) &&
            ax_json_f64(ort, &theirs))
            return fabs(got - source) <= fabs(theirs - source) + 1e-6;
    }
    return false;
}

static bool
row_agrees(const struct golden *golden, const struct ax_tensor *got, size_t from, size_t row,
           size_t width)
{
    const struct ax_json *batch = wanted_row(golden, "ort", got->name, from + row);
    const struct ax_json *alone =
        wanted_row(golden, "ort_one_row_at_a_time_first_40", got->name, from + row);
    if (!batch || width != (ax_json_kind(batch) == AX_JSON_ARRAY ? ax_json_count(batch) : 1))
        return false;
    for (size_t k = 0; k < width; k++)
        if (!cell_agrees(golden, got, row * width + k, item_of(batch, k)) &&
            !(alone && cell_agrees(golden, got, row * width + k, item_of(alone, k))) &&
            !(got->type == AX_TENSOR_FP32 &&
              cell_is_nearer(golden, ax_tensor_f64(got, row * width + k), item_of(batch, k),
                             from + row, k, width)))
            return false;
    return true;
}

/*
 * As ONNX Runtime answers for the batch, or for the row alone, or nearer to scikit-learn than it:
 * where its own answers differ by more than the tolerance, sums of large numbers are its reason.
 */
static void
check_output(const struct golden *golden, const struct ax_tensor *got, size_t from, size_t rows)
{
    size_t width = rows ? got->count / rows : 0;
    if (width == 0 || got->count % rows) {
        ax_test_failed(__FILE__, __LINE__, "%s: %.*s has %zu numbers for %zu rows", golden->name,
                       AX_FMT(got->name), got->count, rows);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        if (!row_agrees(golden, got, from, i, width)) {
            ax_test_failed(__FILE__, __LINE__, "%s: row %zu of %.*s is %.9g ...", golden->name,
                           from + i, AX_FMT(got->name),
                           got->type == AX_TENSOR_BYTES ? 0 : ax_tensor_f64(got, i * width));
            return; /* the first one says enough */
        }
}

static size_t
count_rows(const struct golden *golden)
{
    const struct ax_json *ort = ax_json_find(golden->expected, "ort");
    struct ax_json_iter it = ax_json_iter_of(ort);
    if (!ax_json_next(&it))
        return 0;
    const struct ax_json *rows = ax_json_find(it.value, "rows");
    return ax_json_count(rows ? rows : it.value);
}

/* All rows in one call, some alone, some in small blocks: the same bits each time. */
static void
check_rows(struct ax_ctx *ctx, const struct golden *golden)
{
    size_t rows = count_rows(golden);
    size_t count = ax_engine_graph(golden->engine)->output_count;
    const struct ax_tensor *inputs =
        onnx_case_inputs(ctx, golden->engine, golden->csv, golden->meta, 0, rows);
    const struct ax_tensor *all = onnx_run(ctx, golden->engine, inputs);
    REQUIRE(all && rows > 0);
    for (size_t i = 0; i < count; i++)
        check_output(golden, &all[i], 0, rows);
    for (size_t from = 0, step = 1; from + step <= rows && from < 30;
         from += step, step = step == 1 ? BLOCK_ROWS : 1) {
        inputs = onnx_case_inputs(ctx, golden->engine, golden->csv, golden->meta, from, step);
        const struct ax_tensor *part = onnx_run(ctx, golden->engine, inputs);
        REQUIRE(part);
        for (size_t i = 0; i < count; i++) {
            size_t bytes = all[i].count / rows * ax_tensor_element_bytes(all[i].type);
            if (all[i].type != AX_TENSOR_BYTES &&
                memcmp(part[i].data, (const char *)all[i].data + from * bytes, step * bytes) != 0)
                ax_test_failed(__FILE__, __LINE__, "%s: rows %zu on differ from those of a batch",
                               golden->name, from);
        }
    }
}

static void
check_golden(const char *folder, const char *name)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(CASE_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct golden golden;
    if (!load_golden(&ctx, folder, name, &golden))
        return;
    check_rows(&ctx, &golden);
    ax_engine_close(golden.engine);
}

static size_t
check_goldens(const char *folder)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str *names;
    size_t count = model_case_list(&ctx, folder, &names), checked = 0;
    for (size_t i = 0; i < count; i++) {
        if (ax_str_find(names[i], AX_STR(".")) != SIZE_MAX || ax_str_eq(names[i], AX_STR("types")))
            continue;
        check_golden(folder, names[i].at);
        checked++;
    }
    return checked;
}

TEST(onnx_golden_cases_that_come_with_the_sources_agree)
{
    CHECK(check_goldens(small_set) >= 6);
}

TEST(onnx_golden_cases_beside_the_project_agree)
{
    size_t count = check_goldens(large_set);
    if (count == 0)
        printf("skipped: %s is not there\n", large_set);
    else
        CHECK_EQ(count, 78);
}

/* ---- models of one operator and every type ---- */

static void
check_identity(const char *word, enum ax_tensor_type type)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char path[256], why[160];
    unsigned char bytes[6 * sizeof(ax_str)];
    snprintf(path, sizeof path, "%s/identity_%s.onnx", types_set, word);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    REQUIRE(engine);
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    REQUIRE(graph && graph->input_count == 1 && graph->output_count == 1);
    CHECK_EQ(graph->inputs[0].type, type);
    CHECK_EQ(graph->outputs[0].type, type);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i & 1);
    ax_str texts[6] = {AX_STR("a"),        AX_STR(""),  AX_STR("b\n"),
                       AX_STR("\xc3\xa9"), AX_STR("4"), AX_STR("5")};
    struct ax_tensor input = {.type = type,
                              .dim_count = graph->inputs[0].dim_count,
                              .count = 1,
                              .data = type == AX_TENSOR_BYTES ? (void *)texts : bytes};
    for (size_t i = 0; i < input.dim_count; i++) {
        input.shape[i] = i == 0 ? 3 : 2;
        if (graph->inputs[0].shape[i] > 0)
            input.shape[i] = graph->inputs[0].shape[i];
        input.count *= (size_t)input.shape[i];
    }
    REQUIRE(input.count <= 6);
    const struct ax_tensor *out = onnx_run(&ctx, engine, &input);
    if (out && !onnx_tensors_agree(out, &input, 0, 0, why, sizeof why))
        ax_test_failed(__FILE__, __LINE__, "%s: %s", path, why);
}

TEST(onnx_identity_of_every_type_runs)
{
    static const struct {
        const char *word;
        enum ax_tensor_type type;
    } types[] = {
        {"bool", AX_TENSOR_BOOL},     {"uint8", AX_TENSOR_UINT8},   {"uint16", AX_TENSOR_UINT16},
        {"uint32", AX_TENSOR_UINT32}, {"uint64", AX_TENSOR_UINT64}, {"int8", AX_TENSOR_INT8},
        {"int16", AX_TENSOR_INT16},   {"int32", AX_TENSOR_INT32},   {"int64", AX_TENSOR_INT64},
        {"fp16", AX_TENSOR_FP16},     {"bf16", AX_TENSOR_BF16},     {"fp32", AX_TENSOR_FP32},
        {"fp64", AX_TENSOR_FP64},     {"bytes", AX_TENSOR_BYTES},
    };
    for (size_t i = 0; i < AX_COUNT_OF(types); i++)
        check_identity(types[i].word, types[i].type);
}

TEST(onnx_sum_and_difference_of_the_oip_example)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char path[256];
    snprintf(path, sizeof path, "%s/simple.onnx", types_set);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    REQUIRE(engine);
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    REQUIRE(graph->input_count == 2 && graph->output_count == 2);
    int32_t a[16], b[16];
    for (int i = 0; i < 16; i++) {
        a[i] = i;
        b[i] = 100 - 3 * i;
    }
    struct ax_tensor inputs[2] = {
        {.type = AX_TENSOR_INT32, .dim_count = 2, .shape = {1, 16}, .count = 16, .data = a},
        {.type = AX_TENSOR_INT32, .dim_count = 2, .shape = {1, 16}, .count = 16, .data = b}};
    const struct ax_tensor *out = onnx_run(&ctx, engine, inputs);
    REQUIRE(out);
    for (int i = 0; i < 16; i++) {
        CHECK_EQ(((const int32_t *)out[0].data)[i], a[i] + b[i]);
        CHECK_EQ(((const int32_t *)out[1].data)[i], a[i] - b[i]);
    }
    inputs[1].type = AX_TENSOR_INT64;
    struct ax_tensor outputs[2];
    const bool wanted[2] = {true, true};
    CHECK_EQ(ax_engine_run(engine, &ctx, inputs, wanted, outputs), AX_INVALID);
    CHECK(strstr(ctx.error, "is INT64; expected INT32"));
    inputs[1].type = AX_TENSOR_INT32;
    inputs[1].dim_count = 1;
    CHECK_EQ(ax_engine_run(engine, &ctx, inputs, wanted, outputs), AX_INVALID);
    CHECK(strstr(ctx.error, "has shape"));
}

/* A map comes in as a tensor whose columns are the keys that its taker knows. */
TEST(onnx_maps_are_tensors_with_named_columns)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(&ctx, "tests/model/onnx/types/dict_vectorizer.onnx");
    REQUIRE(engine);
    const struct ax_engine_port *port = &ax_engine_graph(engine)->inputs[0];
    REQUIRE(port->map && port->key_count == 3 && port->dim_count == 2 && port->shape[1] == 3);
    CHECK_STR(port->keys[1], "b");
    CHECK_EQ(ax_engine_feature_find(engine, AX_STR("c")), 2);
    const float x[6] = {1, 0, 2, 1, 1, 0};
    const struct ax_tensor input = {
        .type = AX_TENSOR_FP32, .dim_count = 2, .shape = {2, 3}, .count = 6, .data = x};
    const struct ax_tensor *out = onnx_run(&ctx, engine, &input);
    REQUIRE(out);
    CHECK(ax_tensor_f64(&out[0], 0) == 7.5); /* 1 + 3 * 2 + 0.5, as ONNX Runtime has it */
    CHECK(ax_tensor_f64(&out[0], 1) == 3.5);
    ax_auto(ax_engine_close) struct ax_engine *cast =
        model_case_open(&ctx, "tests/model/onnx/types/cast_map.onnx");
    REQUIRE(cast && ax_engine_graph(cast)->inputs[0].key_count == 4);
    CHECK_STR(ax_engine_graph(cast)->inputs[0].keys[3], "3");
}

/* ---- files to refuse ---- */

TEST(onnx_malformed_files_are_refused_with_the_place)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 26);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_engine_config config = {.memory_bytes_max = 256 << 20};
    ax_str *names;
    size_t count = model_case_list(&ctx, malformed_set, &names), refused = 0;
    for (size_t i = 0; i < count; i++) {
        char path[512];
        ax_str bytes;
        struct ax_engine *engine = NULL;
        if (!ax_str_ends(names[i], AX_STR(".onnx")))
            continue;
        snprintf(path, sizeof path, "%s/%.*s", malformed_set, AX_FMT(names[i]));
        REQUIRE(model_case_read(&ctx, path, &bytes));
        clock_t began = clock();
        ax_status status = ax_engine_open(&ctx, bytes, &config, &engine);
        bool control = ax_str_starts(names[i], AX_STR("control_"));
        if ((status == AX_OK) != control)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", path, control ? ctx.error : "accepted");
        if ((double)(clock() - began) / CLOCKS_PER_SEC > 1)
            ax_test_failed(__FILE__, __LINE__, "%s took more than a second", path);
        if (status == AX_OK)
            ax_engine_close(engine);
        refused += !control && status != AX_OK;
    }
    if (count == 0)
        printf("skipped: %s is not there\n", malformed_set);
    else
        CHECK_EQ(refused, 20);
}

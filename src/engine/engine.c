#include "engine/engine.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/number.h"
#include "engine/catboost.h"
#include "engine/document.h"
#include "engine/engine_ops.h"
#include "engine/forest_engine.h"
#include "engine/lightgbm.h"
#include "engine/linear.h"
#include "engine/onnx.h"
#include "engine/onnxruntime.h"
#include "engine/xgboost.h"

enum {
    TREE_BYTES_PER_BYTE = 96, /* a document's tree and arrays, for each byte of its file */
    NOTES_MAX = 32,
    BACKGROUND_ROWS_MAX = 100'000,
    SLOTS = 1 << 10, /* of what has been seen before a sort */
    SLOT_SHIFT = 64 - 10,
    SORTED_MAX = 2'048, /* by merging on the stack */
};

static const size_t memory_bytes_default = (size_t)1 << 30;
static const size_t reading_bytes_least = (size_t)16 << 20;

/* ---- opening: what the file is, and who reads it ---- */

/* What Axiom knows by its first bytes and does not run. */
static const struct {
    ax_str start;
    const char *what;
} strangers[] = {
    {AX_STR("CBM1"), "a CatBoost binary model; save it with format=\"json\""},
    {AX_STR("binf"), "XGBoost's old binary format; save it again as JSON or UBJSON"},
    {AX_STR("\x80"), "a Python pickle, which is a program and not a model file"},
    {AX_STR("<"), "an XML document; PMML is not read"},
    {AX_STR("["), "a JSON array, perhaps a model dump; save the model itself instead"},
    {AX_STR("PK\x03\x04"), "a ZIP archive; give the model file inside it"},
};

static ax_status
fail_stranger(struct ax_ctx *ctx, ax_str bytes)
{
    for (size_t i = 0; i < AX_COUNT_OF(strangers); i++)
        if (ax_str_starts(bytes, strangers[i].start))
            return ax_fail(ctx, AX_UNSUPPORTED, "this is %s", strangers[i].what);
    if (bytes.len == 0)
        return ax_fail(ctx, AX_INVALID, "the file is empty; expected a model");
    return ax_fail(ctx, AX_INVALID, "no model format that Axiom knows begins with the byte 0x%02x",
                   (unsigned)(unsigned char)bytes.at[0]);
}

static ax_status
read_json(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes, struct ax_engine **out_engine)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    ax_document root = {};
    AX_TRY(ax_json_parse(ctx, bytes, &limits, &root.json));
    if (ax_document_present(ax_document_find(root, "learner")))
        return ax_xgboost_read(ctx, arena, root, AX_STR("xgboost-json"), out_engine);
    if (ax_document_present(ax_document_find(root, "format")))
        return ax_linear_read(ctx, arena, root.json, out_engine);
    if (ax_document_present(ax_document_find(root, "features_info")))
        return ax_catboost_read(ctx, arena, root.json, out_engine);
    if (ax_document_present(ax_document_find(root, "tree_info")))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "this is a LightGBM JSON dump, which this version does not read");
    return ax_fail(ctx, AX_INVALID,
                   "a JSON object with neither `learner` (XGBoost), `features_info` (CatBoost) nor "
                   "`format` (Axiom)");
}

static ax_status
read_ubjson(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes, struct ax_engine **out_engine)
{
    ax_document root = {};
    AX_TRY(ax_ubjson_parse(ctx, bytes, 0, &root.ubjson));
    return ax_xgboost_read(ctx, arena, root, AX_STR("xgboost-ubjson"), out_engine);
}

/* Axiom's own engine first; what that does not run is ONNX Runtime's, with the reason in front. */
static ax_status
read_onnx(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes, enum ax_engine_level level,
          struct ax_engine **out_engine)
{
    ax_status status = ax_onnx_read(ctx, arena, bytes, level, out_engine);
    if (status != AX_UNSUPPORTED)
        return status;
    ax_str why = ax_str_printf(ctx->arena, "%s", ctx->error);
    ax_arena_reset(arena);
    ctx->error[0] = '\0';
    status = ax_onnxruntime_open(ctx, arena, bytes, out_engine);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(why));
}

static ax_status
read_model(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes, enum ax_engine_level level,
           struct ax_engine **out_engine)
{
    if (ax_str_starts(bytes, AX_STR("{L")))
        return read_ubjson(ctx, arena, bytes, out_engine);
    if (ax_str_starts(bytes, AX_STR("tree\n")) || ax_str_starts(bytes, AX_STR("tree\r\n")))
        return ax_lightgbm_read(ctx, arena, bytes, out_engine);
    if (ax_str_starts(ax_str_trim(bytes), AX_STR("{")))
        return read_json(ctx, arena, bytes, out_engine);
    if (ax_onnx_file_is(bytes))
        return read_onnx(ctx, arena, bytes, level, out_engine);
    return fail_stranger(ctx, bytes);
}

/* Kernels' forms take half of what the budget leaves at most. */
static ax_status
compile_model(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_engine_config *config,
              size_t budget, struct ax_engine *engine)
{
    AX_ASSERT(engine && engine->ops);
    engine->arena = arena;
    return ax_forest_engine_compile(engine, ctx, config, (budget - ax_arena_held_bytes(arena)) / 2);
}

ax_status
ax_engine_open(struct ax_ctx *ctx, ax_str bytes, const struct ax_engine_config *config,
               struct ax_engine **out_engine)
{
    struct ax_engine_config used = config ? *config : (struct ax_engine_config){};
    size_t budget = used.memory_bytes_max ? used.memory_bytes_max : memory_bytes_default, reading;
    ax_digest digest;
    if (!ax_mul(bytes.len, TREE_BYTES_PER_BYTE, &reading) ||
        !ax_add(reading, reading_bytes_least, &reading))
        return ax_fail(ctx, AX_LIMIT, "a model file of %zu bytes", bytes.len);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(budget);
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(reading);
    if (!arena || !scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to open a model");
    struct ax_arena *callers = ctx->arena;
    struct ax_engine *engine = NULL;
    ctx->arena = scratch;
    if (used.forms && !used.digest) {
        digest = ax_sha256(bytes);
        used.digest = &digest;
    }
    ax_status status = read_model(ctx, arena, bytes, used.level, &engine);
    if (status == AX_OK)
        status = compile_model(ctx, arena, &used, budget, engine);
    ctx->arena = callers;
    AX_TRY(status);
    engine->signature.memory_bytes += ax_arena_held_bytes(arena);
    (void)ax_take(arena); /* the engine lives in it */
    *out_engine = engine;
    return AX_OK;
}

void
ax_engine_close(struct ax_engine *engine)
{
    ax_arena_free(engine->arena);
}

/* ---- signature ---- */

const char *
ax_engine_type_name(enum ax_engine_type type)
{
    return type == AX_ENGINE_F32 ? "FP32" : "FP64";
}

const char *
ax_engine_level_name(enum ax_engine_level level)
{
    static const char *const names[] = {
        [AX_ENGINE_LEVEL_BEST] = "best",
        [AX_ENGINE_LEVEL_PORTABLE] = "portable",
        [AX_ENGINE_LEVEL_AVX2] = "AVX2",
        [AX_ENGINE_LEVEL_AVX512] = "AVX-512",
    };
    return names[level];
}

static const char *const mode_names[] = {
    [AX_ENGINE_EXACT] = "exact",
    [AX_ENGINE_FAST] = "fast",
};

const char *
ax_engine_mode_name(enum ax_engine_mode mode)
{
    return mode_names[mode];
}

bool
ax_engine_mode_parse(ax_str name, enum ax_engine_mode *out_mode)
{
    for (size_t i = 0; i < AX_COUNT_OF(mode_names); i++)
        if (ax_str_eq(name, ax_str_of(mode_names[i]))) {
            *out_mode = (enum ax_engine_mode)i;
            return true;
        }
    return false;
}

const char *
ax_engine_kernel_name(enum ax_engine_kernel kernel)
{
    static const char *const names[] = {
        [AX_ENGINE_KERNEL_BEST] = "best",
        [AX_ENGINE_KERNEL_WALK] = "walk",
        [AX_ENGINE_KERNEL_INTERLEAVE] = "interleave",
        [AX_ENGINE_KERNEL_MATCH] = "match",
        [AX_ENGINE_KERNEL_HEAP] = "heap",
        [AX_ENGINE_KERNEL_GATHER] = "gather",
        [AX_ENGINE_KERNEL_BATCH] = "batch",
        [AX_ENGINE_KERNEL_MASKS] = "masks",
    };
    return names[kernel];
}

size_t
ax_engine_memory_bytes(const struct ax_engine *engine)
{
    return engine->signature.memory_bytes + engine->ops->made_bytes(engine);
}

size_t
ax_engine_mapped_bytes(const struct ax_engine *engine)
{
    return engine->ops->mapped_bytes(engine);
}

const struct ax_engine_signature *
ax_engine_signature(const struct ax_engine *engine)
{
    return &engine->signature;
}

size_t
ax_engine_feature_find(const struct ax_engine *engine, ax_str name)
{
    for (size_t i = 0; i < engine->signature.feature_count; i++)
        if (ax_str_eq(engine->signature.features[i].name, name))
            return i;
    return SIZE_MAX;
}

bool
ax_engine_category_find(const struct ax_engine_feature *feature, ax_str word, double *out_code)
{
    for (size_t i = 0; i < feature->category_count; i++)
        if (ax_str_eq(feature->categories[i], word)) {
            *out_code = (double)i;
            return true;
        }
    return false;
}

ax_status
ax_engine_note(struct ax_engine *engine, struct ax_ctx *ctx, const char *format, ...)
{
    struct ax_engine_signature *signature = &engine->signature;
    if (!engine->notes) {
        engine->notes = AX_NEW_ARRAY(engine->arena, ax_str, NOTES_MAX);
        if (!engine->notes)
            return ax_fail(ctx, AX_LIMIT, "no memory for notes");
        signature->notes = engine->notes;
    }
    if (signature->note_count == NOTES_MAX)
        return AX_OK;
    char text[AX_ERROR_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ax_str note = {text, len < (int)sizeof text ? (size_t)len : sizeof text - 1};
    if (!ax_str_copy(engine->arena, note, &engine->notes[signature->note_count]))
        return ax_fail(ctx, AX_LIMIT, "no memory for notes");
    signature->note_count++;
    return AX_OK;
}

ax_status
ax_engine_name_features(struct ax_engine *engine, struct ax_ctx *ctx,
                        struct ax_engine_feature *features, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (features[i].name.at)
            continue;
        features[i].name = ax_str_printf(engine->arena, "f%zu", i);
        if (!features[i].name.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu feature names", count);
    }
    return AX_OK;
}

/* ---- rows ---- */

static size_t
type_bytes(enum ax_engine_type type)
{
    return type == AX_ENGINE_F32 ? sizeof(float) : sizeof(double);
}

static double
cell_at(const char *at, enum ax_engine_type type)
{
    float narrow;
    double wide;
    if (type == AX_ENGINE_F64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return (double)narrow;
}

void
ax_engine_row(const struct ax_engine_rows *rows, size_t index, size_t feature_count,
              enum ax_engine_type input, double *out)
{
    size_t step = rows->column_stride_bytes ? rows->column_stride_bytes : type_bytes(rows->type);
    size_t row_step = rows->row_stride_bytes ? rows->row_stride_bytes : step * feature_count;
    const char *at = (const char *)rows->at + index * row_step;
    double missing = input == AX_ENGINE_F32 ? (double)(float)rows->missing : rows->missing;
    for (size_t j = 0; j < feature_count; j++, at += step) {
        double x = cell_at(at, rows->type);
        if (input == AX_ENGINE_F32)
            x = (double)(float)x;
        out[j] = rows->missing_given && x == missing ? (double)NAN : x;
    }
}

/* Shell's, with Ciura's gaps: no call a comparison and no memory; n^1.5 at the worst. */
static void
sort_many(double *values, size_t count)
{
    size_t gap = 1;
    while (gap < count / 9)
        gap = gap * 9 / 4 + 1;
    for (; gap > 0; gap = gap * 4 / 9)
        for (size_t i = gap; i < count; i++) {
            double value = values[i];
            size_t at = i;
            for (; at >= gap && values[at - gap] > value; at -= gap)
                values[at] = values[at - gap];
            values[at] = value;
        }
}

/* Two ascending runs behind each other into one; which is next is no branch. */
static void
merge_runs(const double *from, size_t middle, size_t end, double *to)
{
    size_t left = 0, right = middle;
    while (left < middle && right < end) {
        bool second = from[right] < from[left];
        *to++ = second ? from[right] : from[left];
        right += second;
        left += !second;
    }
    memcpy(to, from + left, (middle - left) * sizeof *to);
    memcpy(to + (middle - left), from + right, (end - right) * sizeof *to);
}

/* By merging, from pairs up: for as many as the stack holds, where guessing wrong is what costs. */
static void
sort_ascending(double *values, size_t count)
{
    double room[SORTED_MAX], *from = values, *to = room;
    if (count > SORTED_MAX) {
        sort_many(values, count);
        return;
    }
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t left = count - at, end = left < 2 * run ? left : 2 * run;
            merge_runs(from + at, end < run ? end : run, end, to + at);
        }
        double *last = from;
        from = to;
        to = last;
    }
    if (from != values)
        memcpy(values, from, count * sizeof *values);
}

/*
 * Most repeats fall out before the sort, which costs far more: trees ask for few distinct
 * thresholds, many times each. A slot remembers the last value that came to it.
 */
static size_t
drop_repeats(double *values, size_t count)
{
    double last[SLOTS];
    size_t kept = 0;
    for (size_t i = 0; i < SLOTS; i++)
        last[i] = (double)NAN;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        double *slot = &last[bits * UINT64_C(0x9e3779b97f4a7c15) >> SLOT_SHIFT];
        if (*slot == values[i])
            continue;
        *slot = values[kept++] = values[i];
    }
    return kept;
}

size_t
ax_engine_sort_unique(double *values, size_t count)
{
    if (count == 0)
        return 0;
    if (count > SLOTS / 4)
        count = drop_repeats(values, count);
    sort_ascending(values, count);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (values[i] != values[kept - 1])
            values[kept++] = values[i];
    return kept;
}

/* ---- calls ---- */

size_t
ax_engine_scratch_bytes(const struct ax_engine *engine, unsigned outputs,
                        const struct ax_engine_background *background)
{
    return engine->ops->scratch_bytes(engine, outputs, background);
}

static ax_status
check_outputs(const struct ax_engine *engine, struct ax_ctx *ctx, const struct ax_engine_call *call)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {AX_ENGINE_RESPONSE, "response"},
        {AX_ENGINE_MARGIN, "margin"},
        {AX_ENGINE_CONTRIBUTIONS, "contributions"},
        {AX_ENGINE_LEAF, "leaf"},
        {AX_ENGINE_POINTS, "points"},
        {AX_ENGINE_INTERACTIONS, "interactions"},
    };
    unsigned given = engine->signature.outputs;
    if (call->background && engine->signature.background)
        given |= AX_ENGINE_CONTRIBUTIONS;
    if (call->background && call->outputs & AX_ENGINE_INTERACTIONS)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "interactions are given without a reference population only");
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (call->outputs & ~given & names[i].bit)
            return ax_fail(ctx, AX_UNSUPPORTED, "this model (%.*s) has no output `%s`%s",
                           AX_FMT(engine->signature.kind), names[i].name,
                           names[i].bit == AX_ENGINE_CONTRIBUTIONS && engine->signature.background
                               ? " without a reference population"
                               : "");
    return AX_OK;
}

ax_status
ax_engine_prepare(const struct ax_engine *engine, struct ax_ctx *ctx,
                  const struct ax_engine_call *call)
{
    AX_TRY(check_outputs(engine, ctx, call));
    return engine->ops->prepare(engine, ctx, call);
}

bool
ax_engine_prepared(const struct ax_engine *engine, const struct ax_engine_call *call)
{
    return engine->ops->prepared(engine, call);
}

ax_status
ax_engine_prepare_nothing(const struct ax_engine *, struct ax_ctx *, const struct ax_engine_call *)
{
    return AX_OK;
}

bool
ax_engine_prepared_always(const struct ax_engine *, const struct ax_engine_call *)
{
    return true;
}

size_t
ax_engine_made_nothing(const struct ax_engine *)
{
    return 0;
}

ax_status
ax_engine_score(const struct ax_engine *engine, struct ax_ctx *ctx,
                const struct ax_engine_call *call, void *scratch,
                const struct ax_engine_answer *answer)
{
    unsigned outputs = call->outputs;
    AX_ASSERT(!(outputs & AX_ENGINE_RESPONSE) || answer->response);
    AX_ASSERT(!(outputs & AX_ENGINE_MARGIN) || answer->margin);
    AX_ASSERT(!(outputs & AX_ENGINE_CONTRIBUTIONS) || answer->contributions);
    AX_ASSERT(!(outputs & AX_ENGINE_LEAF) || answer->leaf || engine->signature.tree_count == 0);
    AX_ASSERT(!(outputs & AX_ENGINE_POINTS) || answer->points);
    AX_ASSERT(!(outputs & AX_ENGINE_INTERACTIONS) || answer->interactions);
    AX_ASSERT(!call->background || call->background->engine == engine);
    if (call->background || outputs & ~engine->signature.outputs)
        AX_TRY(check_outputs(engine, ctx, call));
    return engine->ops->score(engine, ctx, call, scratch, answer);
}

ax_status
ax_engine_thresholds(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                     const double **out_thresholds, size_t *out_count)
{
    AX_ASSERT(feature < engine->signature.feature_count);
    return engine->ops->thresholds(engine, ctx, feature, out_thresholds, out_count);
}

/* ---- reference populations ---- */

ax_status
ax_engine_background_open(const struct ax_engine *engine, struct ax_ctx *ctx,
                          const struct ax_engine_rows *rows,
                          struct ax_engine_background **out_background)
{
    if (!engine->signature.background)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "this model (%.*s) has no contributions against a reference population",
                       AX_FMT(engine->signature.kind));
    if (rows->count == 0 || rows->count > BACKGROUND_ROWS_MAX)
        return ax_fail(ctx, AX_INVALID, "a reference population of %zu rows; expected 1 to %d",
                       rows->count, (int)BACKGROUND_ROWS_MAX);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(memory_bytes_default);
    if (!arena)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reference population");
    struct ax_engine_background *background = NULL;
    ax_status status = engine->ops->background_open(engine, ctx, rows, arena, &background);
    if (status != AX_OK)
        return ax_explain(ctx, status, "reference population");
    background->engine = engine;
    background->arena = ax_take(arena);
    background->count = rows->count;
    *out_background = background;
    return AX_OK;
}

void
ax_engine_background_close(struct ax_engine_background *background)
{
    ax_arena_free(background->arena);
}

size_t
ax_engine_background_count(const struct ax_engine_background *background)
{
    return background->count;
}

size_t
ax_engine_background_bytes(const struct ax_engine_background *background)
{
    return ax_arena_held_bytes(background->arena);
}

size_t
ax_engine_background_mapped_bytes(const struct ax_engine_background *background)
{
    return background->mapped_bytes;
}

/* ---- graphs ---- */

const struct ax_engine_graph *
ax_engine_graph(const struct ax_engine *engine)
{
    return engine->graph;
}

ax_status
ax_engine_run(const struct ax_engine *engine, struct ax_ctx *ctx, const struct ax_tensor *inputs,
              const bool *wanted, struct ax_tensor *out_outputs)
{
    return engine->ops->run(engine, ctx, inputs, wanted, out_outputs);
}

ax_status
ax_engine_run_unsupported(const struct ax_engine *engine, struct ax_ctx *ctx,
                          const struct ax_tensor *, const bool *, struct ax_tensor *)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "this model (%.*s) is no graph of tensors",
                   AX_FMT(engine->signature.kind));
}

#include "serving/model_loader.h"

#include <math.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "codec/csv.h"
#include "sys/mutex.h"

enum { ARENA_BYTES_MAX = 1 << 30 };

/* What the public struct does not show: how many hold it. */
struct loaded {
    struct ax_loaded_model public;
    struct ax_mutex mutex;
    int64_t references; /* guarded by mutex */
};

struct ax_loaded_model *
ax_model_ref(struct ax_loaded_model *model)
{
    struct loaded *loaded = (struct loaded *)model;
    ax_mutex_lock(&loaded->mutex);
    AX_ASSERT(loaded->references > 0);
    loaded->references++;
    ax_mutex_unlock(&loaded->mutex);
    return model;
}

void
ax_model_unref(struct ax_loaded_model *model)
{
    struct loaded *loaded = (struct loaded *)model;
    ax_mutex_lock(&loaded->mutex);
    bool last = --loaded->references == 0;
    ax_mutex_unlock(&loaded->mutex);
    if (!last)
        return;
    if (model->background)
        ax_engine_background_close(model->background);
    if (model->engine)
        ax_engine_close(model->engine);
    ax_mutex_done(&loaded->mutex);
    struct ax_arena *arena = model->arena;
    ax_free(loaded);
    ax_arena_free(arena);
    ax_alloc_trim();
}

/* Encoded rows of a bundle's CSV: columns in order of the signature, then `extra` more. */
struct table {
    double *cells; /* row after row */
    size_t row_count;
    size_t column_count;
};

static ax_status
check_header(struct ax_ctx *ctx, const struct ax_csv_row *header,
             const struct ax_signature *signature, size_t column_count)
{
    if (header->count != column_count)
        return ax_fail(ctx, AX_INVALID, "header has %zu columns, not %zu", header->count,
                       column_count);
    for (size_t i = 0; i < signature->feature_count; i++)
        if (!ax_str_eq(header->fields[i], signature->names[i]))
            return ax_fail(ctx, AX_INVALID, "column %zu is `%.*s`, not `%.*s`", i + 1,
                           AX_FMT(header->fields[i]), AX_FMT(signature->names[i]));
    return AX_OK;
}

static ax_status
take_cells(struct ax_ctx *ctx, const struct ax_csv_row *row, double *out)
{
    for (size_t i = 0; i < row->count; i++) {
        out[i] = (double)NAN;
        if (row->fields[i].len && !ax_parse_f64(row->fields[i], &out[i]))
            return ax_fail(ctx, AX_INVALID, "row %zu, column %zu: \"%.*s\" is not a number",
                           row->number, i + 1, AX_FMT(row->fields[i]));
    }
    return AX_OK;
}

static size_t
line_count(ax_str text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

static ax_status
read_table(struct ax_ctx *ctx, ax_str csv_text, const struct ax_signature *signature, size_t extra,
           struct table *out)
{
    struct ax_csv *csv;
    struct ax_csv_row row;
    struct table table = {.column_count = signature->feature_count + extra};
    AX_TRY(ax_csv_open(ctx, csv_text, NULL, &csv));
    AX_TRY(check_header(ctx, ax_csv_header(csv), signature, table.column_count));
    size_t cell_count;
    if (!ax_mul(line_count(csv_text), table.column_count, &cell_count))
        return ax_fail(ctx, AX_LIMIT, "too many rows");
    table.cells = AX_NEW_ARRAY(ctx->arena, double, cell_count);
    if (!table.cells)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu cells", cell_count);
    for (;;) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
        AX_TRY(take_cells(ctx, &row, table.cells + table.row_count * table.column_count));
        table.row_count++;
    }
    *out = table;
    return AX_OK;
}

static struct ax_engine_rows
rows_of(const struct table *table)
{
    return (struct ax_engine_rows){
        .at = table->cells,
        .count = table->row_count,
        .row_stride_bytes = table->column_count * sizeof(double),
        .type = AX_ENGINE_F64,
    };
}

static bool
same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Scores the stored rows; what they gave where the model was made must come again, bit for bit. */
static ax_status
self_test(struct ax_ctx *ctx, const struct ax_loaded_model *model, ax_str csv)
{
    struct table table;
    AX_TRY(read_table(ctx, csv, model->signature, 2, &table));
    const struct ax_engine_signature *engine = ax_engine_signature(model->engine);
    if (engine->margin_count != 1 || engine->response_count != 1)
        return ax_fail(ctx, AX_UNSUPPORTED, "a self-test is for models of one output");
    double *margin = AX_NEW_ARRAY(ctx->arena, double, table.row_count + 1);
    double *response = AX_NEW_ARRAY(ctx->arena, double, table.row_count + 1);
    unsigned outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE;
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(model->engine, outputs, NULL) + 1);
    if (!margin || !response || !scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for a self-test");
    const struct ax_engine_call call = {.rows = rows_of(&table), .outputs = outputs};
    const struct ax_engine_answer answer = {.margin = margin, .response = response};
    AX_TRY(ax_engine_score(model->engine, ctx, &call, scratch, &answer));
    for (size_t i = 0; i < table.row_count; i++) {
        const double *want = table.cells + i * table.column_count + model->signature->feature_count;
        if (!same_bits(margin[i], want[0]) || !same_bits(response[i], want[1]))
            return ax_fail(ctx, AX_CORRUPT,
                           "row %zu scores margin %.17g, response %.17g here, and %.17g, %.17g "
                           "where it was made",
                           i + 1, margin[i], response[i], want[0], want[1]);
    }
    return AX_OK;
}

static ax_status
open_background(struct ax_ctx *ctx, struct ax_loaded_model *model, ax_str csv)
{
    struct table table;
    AX_TRY(read_table(ctx, csv, model->signature, 0, &table));
    const struct ax_engine_rows rows = rows_of(&table);
    return ax_engine_background_open(model->engine, ctx, &rows, &model->background);
}

static ax_status
check_inputs(struct ax_ctx *ctx, const struct ax_loaded_model *model)
{
    const struct ax_engine_signature *engine = ax_engine_signature(model->engine);
    const struct ax_signature *signature = model->signature;
    if (engine->feature_count != signature->feature_count)
        return ax_fail(ctx, AX_INVALID, "the signature has %zu features, the model file %zu",
                       signature->feature_count, engine->feature_count);
    for (size_t i = 0; engine->named && i < engine->feature_count; i++)
        if (!ax_str_eq(engine->features[i].name, signature->names[i]))
            return ax_fail(ctx, AX_INVALID, "feature %zu is `%.*s` here and `%.*s` in the file", i,
                           AX_FMT(signature->names[i]), AX_FMT(engine->features[i].name));
    return AX_OK;
}

/* Everything but the two steps that need scratch memory of their own. */
static ax_status
open_parts(struct ax_ctx *inside, struct ax_loaded_model *model, const struct ax_bundle *bundle)
{
    const struct ax_json *manifest, *signature_json;
    struct ax_signature *signature;
    ax_str copy, text;
    if (!ax_str_copy(inside->arena, bundle->manifest, &copy))
        return ax_fail(inside, AX_LIMIT, "no memory for a manifest");
    AX_TRY(ax_json_parse(inside, copy, NULL, &manifest));
    AX_TRY(ax_json_need_object(inside, manifest, "signature", &signature_json));
    AX_TRY(ax_signature_parse(inside, signature_json, &signature));
    model->manifest = copy;
    model->signature = signature;
    AX_TRY(ax_json_canonical(inside, signature_json, &text));
    model->signature_digest = ax_sha256(text);
    struct ax_engine_config config = bundle->engine ? *bundle->engine : (struct ax_engine_config){};
    config.digest = &bundle->digests[AX_BUNDLE_MODEL];
    AX_TRY(ax_engine_open(inside, bundle->files[AX_BUNDLE_MODEL], &config, &model->engine));
    return check_inputs(inside, model);
}

static ax_status
test_and_prepare(struct ax_ctx *ctx, struct ax_loaded_model *model, const struct ax_bundle *bundle)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(ARENA_BYTES_MAX);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to load a model");
    struct ax_arena *outer = ctx->arena;
    ctx->arena = scratch;
    const struct ax_engine_call one = {.rows = {.count = 1},
                                       .outputs = ax_engine_signature(model->engine)->outputs &
                                                  AX_ENGINE_RESPONSE};
    ax_status status = ax_engine_prepare(model->engine, ctx, &one);
    if (status == AX_OK && bundle->present[AX_BUNDLE_SELF_TEST]) {
        status = self_test(ctx, model, bundle->files[AX_BUNDLE_SELF_TEST]);
        if (status != AX_OK)
            status = ax_explain(ctx, status, "self-test");
    }
    if (status == AX_OK && bundle->present[AX_BUNDLE_REFERENCE]) {
        status = open_background(ctx, model, bundle->files[AX_BUNDLE_REFERENCE]);
        if (status != AX_OK)
            status = ax_explain(ctx, status, "reference population");
    }
    ctx->arena = outer;
    return status;
}

static void
count_scratch(struct ax_loaded_model *model)
{
    const struct ax_engine_signature *engine = ax_engine_signature(model->engine);
    unsigned outputs =
        engine->outputs & (AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_CONTRIBUTIONS);
    size_t plain = ax_engine_scratch_bytes(model->engine, outputs, NULL);
    size_t against =
        model->background ? ax_engine_scratch_bytes(model->engine, outputs, model->background) : 0;
    model->scratch_bytes = plain > against ? plain : against;
}

size_t
ax_model_memory_bytes(const struct ax_loaded_model *model)
{
    return ax_engine_memory_bytes(model->engine) + ax_arena_held_bytes(model->arena) +
           (model->background ? ax_engine_background_bytes(model->background) : 0);
}

size_t
ax_model_mapped_bytes(const struct ax_loaded_model *model)
{
    return ax_engine_mapped_bytes(model->engine) +
           (model->background ? ax_engine_background_mapped_bytes(model->background) : 0);
}

ax_status
ax_model_explain_soon(struct ax_ctx *ctx, const struct ax_loaded_model *model, bool against)
{
    const struct ax_engine_call call = {.rows = {.count = 1},
                                        .outputs = AX_ENGINE_CONTRIBUTIONS,
                                        .background = against ? model->background : NULL};
    if (!call.background &&
        !(ax_engine_signature(model->engine)->outputs & AX_ENGINE_CONTRIBUTIONS))
        return AX_OK; /* a decision that asks for them says so itself */
    return ax_engine_prepare(model->engine, ctx, &call);
}

ax_status
ax_model_load(struct ax_ctx *ctx, ax_str model, int64_t version, bool governed,
              const struct ax_bundle *bundle, struct ax_loaded_model **out_model)
{
    struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    struct loaded *loaded = arena ? ax_alloc(sizeof *loaded, 1) : NULL;
    if (!loaded) {
        if (arena)
            ax_arena_free(arena);
        return ax_fail(ctx, AX_LIMIT, "no memory for model %.*s", AX_FMT(model));
    }
    ax_mutex_init(&loaded->mutex);
    loaded->references = 1;
    ax_auto(ax_model_unref) struct ax_loaded_model *made = &loaded->public;
    *made = (struct ax_loaded_model){
        .version = version,
        .digest = bundle->digest,
        .reference_digest = bundle->digests[AX_BUNDLE_REFERENCE],
        .governed = governed,
        .arena = arena,
    };
    ax_digest_hex(made->digest, made->digest_hex);
    struct ax_arena *outer = ctx->arena;
    ctx->arena = arena; /* manifest and signature live with the model */
    ax_status status = ax_str_copy(arena, model, &made->model)
                           ? open_parts(ctx, made, bundle)
                           : ax_fail(ctx, AX_LIMIT, "no memory for a name");
    ctx->arena = outer;
    if (status == AX_OK)
        status = test_and_prepare(ctx, made, bundle);
    if (status != AX_OK)
        return ax_explain(ctx, status, "load %.*s/%lld", AX_FMT(model), (long long)version);
    count_scratch(made);
    *out_model = ax_take(made);
    return AX_OK;
}

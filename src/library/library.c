/*
 * libaxiom (include/axiom.h) over the engine's port: names and memory, no arithmetic.
 */
#include <axiom.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/engine.h"
#include "sys/file.h"

enum {
    MODEL_BYTES_MAX = 1 << 30,
    CALL_BYTES_MAX = 1 << 20, /* of a call that fails: its words */
    NAMES_BYTES_MAX = 256 << 20
};

struct axiom_model {
    struct ax_engine *engine;
    struct ax_arena *arena; /* names as C strings */
    axiom_signature signature;
};

struct axiom_scorer {
    const axiom_model *model;
    unsigned outputs;
    struct ax_engine_background *background; /* NULL without references */
    struct ax_arena *arena;                  /* of a call's words; empty between calls */
    struct ax_ctx ctx;                       /* of its rows: to clear one for each would cost more
                                                than a linear model's arithmetic */
    void *scratch;
    enum ax_engine_mode mode;
};

static_assert((int)AXIOM_RESPONSE == (int)AX_ENGINE_RESPONSE);
static_assert((int)AXIOM_MARGIN == (int)AX_ENGINE_MARGIN);
static_assert((int)AXIOM_CONTRIBUTIONS == (int)AX_ENGINE_CONTRIBUTIONS);
static_assert((int)AXIOM_LEAF == (int)AX_ENGINE_LEAF);
static_assert((int)AXIOM_INTERACTIONS == (int)AX_ENGINE_INTERACTIONS);

const char *
axiom_version(void)
{
    return AX_VERSION;
}

/* ---- errors ---- */

static axiom_status
status_of(ax_status status)
{
    switch (status) {
    case AX_OK:
        return AXIOM_OK;
    case AX_INVALID:
    case AX_CORRUPT:
    case AX_CONFLICT:
        return AXIOM_INVALID;
    case AX_NOT_FOUND:
    case AX_DENIED:
        return AXIOM_NOT_FOUND;
    case AX_LIMIT:
    case AX_TIMEOUT:
        return AXIOM_LIMIT;
    case AX_UNSUPPORTED:
    case AX_UNAVAILABLE:
        return AXIOM_UNSUPPORTED;
    case AX_UNAUTHENTICATED:
    case AX_INTERNAL:
        break;
    }
    return AXIOM_INTERNAL;
}

static axiom_status
tell(const struct ax_ctx *ctx, ax_status status, axiom_error *error)
{
    static_assert(sizeof ctx->error <= sizeof error->text);
    if (error) {
        error->status = status_of(status);
        memcpy(error->text, status == AX_OK ? "" : ctx->error,
               status == AX_OK ? 1 : sizeof ctx->error);
    }
    return status_of(status);
}

/* ---- models ---- */

static ax_status
copy_text(struct ax_ctx *ctx, struct ax_arena *arena, ax_str text, const char **out)
{
    *out = ax_str_c(arena, text);
    return *out ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a model's names");
}

static ax_status
copy_categories(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_engine_feature *from,
                axiom_feature *to)
{
    const char **words = AX_NEW_ARRAY(arena, const char *, from->category_count + 1);
    if (!words)
        return ax_fail(ctx, AX_LIMIT, "no memory for a model's names");
    for (size_t i = 0; i < from->category_count; i++)
        AX_TRY(copy_text(ctx, arena, from->categories[i], &words[i]));
    to->category_count = from->category_count;
    to->categories = words;
    return AX_OK;
}

static ax_status
copy_signature(struct ax_ctx *ctx, axiom_model *model)
{
    const struct ax_engine_signature *from = ax_engine_signature(model->engine);
    axiom_signature *to = &model->signature;
    struct ax_arena *arena = model->arena;
    axiom_feature *features = AX_NEW_ARRAY(arena, axiom_feature, from->feature_count + 1);
    if (!features)
        return ax_fail(ctx, AX_LIMIT, "no memory for a model's names");
    AX_TRY(copy_text(ctx, arena, from->format, &to->format));
    AX_TRY(copy_text(ctx, arena, from->version, &to->version));
    AX_TRY(copy_text(ctx, arena, from->kind, &to->kind));
    AX_TRY(copy_text(ctx, arena, from->objective, &to->objective));
    for (size_t i = 0; i < from->feature_count; i++) {
        AX_TRY(copy_text(ctx, arena, from->features[i].name, &features[i].name));
        features[i].categorical = from->features[i].categorical;
        if (from->features[i].categories)
            AX_TRY(copy_categories(ctx, arena, &from->features[i], &features[i]));
    }
    to->float32 = from->input == AX_ENGINE_F32;
    to->feature_count = from->feature_count;
    to->features = features;
    to->margin_count = from->margin_count;
    to->response_count = from->response_count;
    to->tree_count = from->tree_count;
    to->outputs = from->outputs & (AXIOM_RESPONSE | AXIOM_MARGIN | AXIOM_CONTRIBUTIONS |
                                   AXIOM_LEAF | AXIOM_INTERACTIONS);
    to->memory_bytes = from->memory_bytes;
    return AX_OK;
}

static ax_status
read_model(struct ax_ctx *ctx, ax_str bytes, unsigned allowed, axiom_model **out_model)
{
    const struct ax_engine_config config = {.forest_code = allowed & AXIOM_MACHINE_CODE,
                                            .leaf_masks = allowed & AXIOM_LEAF_MASKS};
    if (allowed & ~(unsigned)(AXIOM_MACHINE_CODE | AXIOM_LEAF_MASKS))
        return ax_fail(ctx, AX_INVALID, "allowed is %u; this library knows 1 and 2", allowed);
    axiom_model *model = ax_alloc(sizeof *model, 1);
    if (!model)
        return ax_fail(ctx, AX_LIMIT, "no memory for a model");
    model->arena = ax_arena_new(NAMES_BYTES_MAX);
    ax_status status = model->arena ? ax_engine_open(ctx, bytes, &config, &model->engine)
                                    : ax_fail(ctx, AX_LIMIT, "no memory for a model");
    if (status == AX_OK)
        status = copy_signature(ctx, model);
    if (status != AX_OK) {
        axiom_model_close(model);
        return status;
    }
    *out_model = model;
    return AX_OK;
}

axiom_status
axiom_model_read_with(const void *bytes, size_t len, unsigned allowed, axiom_model **out_model,
                      axiom_error *error)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(CALL_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    if (!arena)
        return tell(&ctx, ax_fail(&ctx, AX_LIMIT, "no memory for a call"), error);
    return tell(&ctx, read_model(&ctx, (ax_str){bytes, len}, allowed, out_model), error);
}

axiom_status
axiom_model_read(const void *bytes, size_t len, axiom_model **out_model, axiom_error *error)
{
    return axiom_model_read_with(bytes, len, 0, out_model, error);
}

axiom_status
axiom_model_open_with(const char *path, unsigned allowed, axiom_model **out_model,
                      axiom_error *error)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)2 * MODEL_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str bytes;
    if (!arena)
        return tell(&ctx, ax_fail(&ctx, AX_LIMIT, "no memory for a call"), error);
    ax_status status = ax_file_read_all(&ctx, ax_str_of(path), MODEL_BYTES_MAX, &bytes);
    if (status == AX_OK)
        status = read_model(&ctx, bytes, allowed, out_model);
    if (status != AX_OK)
        status = ax_explain(&ctx, status, "%s", path);
    return tell(&ctx, status, error);
}

axiom_status
axiom_model_open(const char *path, axiom_model **out_model, axiom_error *error)
{
    return axiom_model_open_with(path, 0, out_model, error);
}

void
axiom_model_close(axiom_model *model)
{
    if (!model)
        return;
    if (model->engine)
        ax_engine_close(model->engine);
    if (model->arena)
        ax_arena_free(model->arena);
    ax_free(model);
}

const axiom_signature *
axiom_model_signature(const axiom_model *model)
{
    return &model->signature;
}

double
axiom_model_category(const axiom_model *model, size_t feature, const char *word)
{
    double code = -1;
    const struct ax_engine_signature *signature = ax_engine_signature(model->engine);
    AX_ASSERT(feature < signature->feature_count);
    (void)ax_engine_category_find(&signature->features[feature], ax_str_of(word), &code);
    return code;
}

/* ---- scorers ---- */

static struct ax_engine_rows
rows_of(const axiom_rows *rows)
{
    return (struct ax_engine_rows){
        .at = rows->at,
        .count = rows->count,
        .row_stride_bytes = rows->row_stride,
        .column_stride_bytes = rows->column_stride,
        .type = rows->float32 ? AX_ENGINE_F32 : AX_ENGINE_F64,
        .missing_given = rows->missing_given != 0,
        .missing = rows->missing,
    };
}

static ax_status
open_scorer(struct ax_ctx *ctx, const axiom_model *model, unsigned outputs,
            const axiom_rows *references, axiom_scorer **out_scorer)
{
    axiom_scorer *scorer = ax_alloc(sizeof *scorer, 1);
    if (!scorer)
        return ax_fail(ctx, AX_LIMIT, "no memory for a scorer");
    scorer->model = model;
    scorer->outputs = outputs;
    scorer->arena = ax_arena_new(CALL_BYTES_MAX);
    scorer->ctx = ax_ctx_of(scorer->arena);
    ax_status status = scorer->arena ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a scorer");
    if (status == AX_OK && references) {
        const struct ax_engine_rows rows = rows_of(references);
        status = ax_engine_background_open(model->engine, ctx, &rows, &scorer->background);
    }
    unsigned given = model->signature.outputs;
    if (scorer->background)
        given = (given | AXIOM_CONTRIBUTIONS) & ~(unsigned)AXIOM_INTERACTIONS;
    if (status == AX_OK && (outputs == 0 || (outputs & ~given)))
        status =
            ax_fail(ctx, AX_UNSUPPORTED, "outputs 0x%x of a model that gives 0x%x", outputs, given);
    if (status == AX_OK) {
        const struct ax_engine_call one = {
            .rows = {.count = 1}, .outputs = outputs, .background = scorer->background};
        status = ax_engine_prepare(model->engine, ctx, &one);
    }
    if (status == AX_OK) {
        scorer->scratch =
            ax_alloc(1, ax_engine_scratch_bytes(model->engine, outputs, scorer->background) + 1);
        if (!scorer->scratch)
            status = ax_fail(ctx, AX_LIMIT, "no memory for a scorer");
    }
    if (status != AX_OK) {
        axiom_scorer_close(scorer);
        return status;
    }
    *out_scorer = scorer;
    return AX_OK;
}

axiom_status
axiom_scorer_open(const axiom_model *model, unsigned outputs, const axiom_rows *references,
                  axiom_scorer **out_scorer, axiom_error *error)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(NAMES_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    if (!arena)
        return tell(&ctx, ax_fail(&ctx, AX_LIMIT, "no memory for a call"), error);
    return tell(&ctx, open_scorer(&ctx, model, outputs, references, out_scorer), error);
}

void
axiom_scorer_close(axiom_scorer *scorer)
{
    if (!scorer)
        return;
    if (scorer->background)
        ax_engine_background_close(scorer->background);
    if (scorer->arena)
        ax_arena_free(scorer->arena);
    ax_free(scorer->scratch);
    ax_free(scorer);
}

void
axiom_scorer_fast(axiom_scorer *scorer, int fast)
{
    scorer->mode = fast ? AX_ENGINE_FAST : AX_ENGINE_EXACT;
}

axiom_status
axiom_score(axiom_scorer *scorer, const axiom_rows *rows, const axiom_answer *answer,
            axiom_error *error)
{
    struct ax_ctx ctx = ax_ctx_of(scorer->arena);
    const struct ax_engine_call call = {
        .rows = rows_of(rows),
        .outputs = scorer->outputs,
        .background = scorer->background,
        .mode = scorer->mode,
    };
    const struct ax_engine_answer out = {
        .response = answer->response,
        .margin = answer->margin,
        .contributions = answer->contributions,
        .leaf = answer->leaf,
        .interactions = scorer->outputs & AXIOM_INTERACTIONS ? answer->interactions : NULL};
    ax_status status = ax_engine_score(scorer->model->engine, &ctx, &call, scorer->scratch, &out);
    axiom_status told = tell(&ctx, status, error);
    ax_arena_reset(scorer->arena);
    return told;
}

/* The response of a row that lies densely; margins alone need no more of the scorer's outputs. */
static axiom_status
score_row(axiom_scorer *scorer, const void *row, enum ax_engine_type type, double *out_response)
{
    const struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = type},
                                        .outputs = AX_ENGINE_RESPONSE,
                                        .mode = scorer->mode};
    const struct ax_engine_answer answer = {.response = out_response};
    ax_status status =
        ax_engine_score(scorer->model->engine, &scorer->ctx, &call, scorer->scratch, &answer);
    if (status == AX_OK)
        return AXIOM_OK;
    scorer->ctx.error[0] = '\0';
    ax_arena_reset(scorer->arena);
    return status_of(status);
}

axiom_status
axiom_score_row_f32(axiom_scorer *scorer, const float *row, double *out_response)
{
    return score_row(scorer, row, AX_ENGINE_F32, out_response);
}

axiom_status
axiom_score_row_f64(axiom_scorer *scorer, const double *row, double *out_response)
{
    return score_row(scorer, row, AX_ENGINE_F64, out_response);
}

#include "engine/linear_engine.h"

#include <math.h>

#include "engine/scratch.h"

enum { EDGES_COUNTED = 12, ROWS_ABREAST = 4 };

struct linear_background {
    struct ax_engine_background background;
    double *means; /* of each term's value */
};

static const struct ax_linear_engine *
of_engine(const struct ax_engine *engine)
{
    return (const struct ax_linear_engine *)engine;
}

/* ---- one term ---- */

/*
 * The first bin whose upper end is not below x; the last one has none. Of few bins the ends below
 * x are counted, which no branch predictor has to guess.
 */
static size_t
bin_of(const struct ax_linear_term *term, double x)
{
    size_t low = 0, high = term->level_count - 1;
    if (high <= EDGES_COUNTED) {
        for (size_t i = 0; i < high; i++)
            low += x > term->edges[i];
        return low;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x <= term->edges[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static ax_status
fail_value(const struct ax_linear_engine *engine, struct ax_ctx *ctx, size_t row, size_t index,
           double x)
{
    const struct ax_engine_feature *feature = &engine->engine.signature.features[index];
    if (isnan(x))
        return ax_fail(ctx, AX_INVALID, "row %zu: `%.*s` is missing, which the model refuses", row,
                       AX_FMT(feature->name));
    if (!feature->categorical)
        return ax_fail(ctx, AX_INVALID, "row %zu: `%.*s` is %g; expected a finite number", row,
                       AX_FMT(feature->name), x);
    return ax_fail(ctx, AX_INVALID,
                   "row %zu: `%.*s` is %g, which is none of its %zu categories' codes", row,
                   AX_FMT(feature->name), x, feature->category_count);
}

/* What the value stands for; NULL when it is refused. */
static const struct ax_linear_level *
level_of(const struct ax_linear_term *term, double x, struct ax_linear_level *room)
{
    if (isnan(x))
        return term->missing_rule == AX_ENGINE_LEARNED ? &term->missing : NULL;
    switch (term->shape) {
    case AX_LINEAR_BINS:
        return &term->levels[bin_of(term, x)];
    case AX_LINEAR_CODES:
        if (x >= 0 && x < (double)term->level_count && x == floor(x))
            return &term->levels[(size_t)x];
        if (term->other_rule == AX_ENGINE_MISSING)
            return term->missing_rule == AX_ENGINE_LEARNED ? &term->missing : NULL;
        return term->other_rule == AX_ENGINE_LEARNED ? &term->other : NULL;
    case AX_LINEAR_VALUE:
        *room = (struct ax_linear_level){.value = x};
        return isfinite(x) ? room : NULL;
    }
    return NULL;
}

/* ---- scoring ---- */

static double
respond(enum ax_linear_link link, double margin)
{
    switch (link) {
    case AX_LINEAR_IDENTITY:
        return margin;
    case AX_LINEAR_LOGISTIC:
        return 1.0 / (1.0 + exp(-margin));
    case AX_LINEAR_LOG:
        return exp(margin);
    }
    return margin;
}

static size_t
terms_scratch_bytes(const struct ax_engine *engine, unsigned outputs,
                    const struct ax_engine_background *background)
{
    (void)outputs;
    (void)background;
    return ax_scratch_bytes(sizeof(double), of_engine(engine)->term_count);
}

/* A row being scored. */
struct row_score {
    size_t index;
    const double *row;
    const double *means;        /* of the population; NULL: of the training rows */
    double *contributions;      /* NULL when they are not wanted */
    struct ax_linear_level sum; /* margin and points */
};

static ax_status
score_row(const struct ax_linear_engine *engine, struct ax_ctx *ctx, struct row_score *score)
{
    double bias = engine->intercept;
    struct ax_linear_level sum = {engine->intercept, engine->points_base}, room;
    for (size_t i = 0; i < engine->term_count; i++) {
        const struct ax_linear_term *term = &engine->terms[i];
        const struct ax_linear_level *level = level_of(term, score->row[i], &room);
        if (!level)
            return fail_value(engine, ctx, score->index, i, score->row[i]);
        double mean = score->means ? score->means[i] : term->mean;
        sum.value += term->coefficient * level->value;
        sum.points += level->points;
        bias += term->coefficient * mean;
        if (score->contributions)
            score->contributions[i] = term->coefficient * (level->value - mean);
    }
    if (score->contributions)
        score->contributions[engine->term_count] = bias;
    score->sum = sum;
    return AX_OK;
}

static void
store(const struct ax_linear_engine *engine, unsigned outputs, size_t index, double margin,
      const struct ax_engine_answer *answer)
{
    if (outputs & AX_ENGINE_MARGIN)
        answer->margin[index] = margin;
    if (outputs & AX_ENGINE_RESPONSE)
        answer->response[index] = respond(engine->link, margin);
}

/* Row `index` term by term; row: room for it. */
static ax_status
score_terms(const struct ax_linear_engine *engine, struct ax_ctx *ctx,
            const struct ax_engine_call *call, const struct ax_engine_answer *answer, size_t index,
            double *row)
{
    const struct linear_background *background = (const struct linear_background *)call->background;
    struct row_score score = {
        .index = index, .row = row, .means = background ? background->means : NULL};
    if (call->outputs & AX_ENGINE_CONTRIBUTIONS)
        score.contributions = answer->contributions + index * (engine->term_count + 1);
    ax_engine_row(&call->rows, index, engine->term_count, AX_ENGINE_F64, row);
    AX_TRY(score_row(engine, ctx, &score));
    store(engine, call->outputs, index, score.sum.value, answer);
    if (call->outputs & AX_ENGINE_POINTS)
        answer->points[index] = score.sum.points;
    return AX_OK;
}

/* ---- values that count as they are ---- */

/* Whether rows are doubles side by side of which only the sum is wanted. */
static bool
are_plain(const struct ax_linear_engine *engine, const struct ax_engine_call *call)
{
    const struct ax_engine_rows *rows = &call->rows;
    return engine->weights &&
           !(call->outputs & ~(unsigned)(AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE)) &&
           rows->type == AX_ENGINE_F64 && !rows->missing_given &&
           (rows->column_stride_bytes == 0 || rows->column_stride_bytes == sizeof(double)) &&
           rows->row_stride_bytes % sizeof(double) == 0;
}

/* The intercept, then each product in the order of the terms. */
static double
sum_of(const struct ax_linear_engine *engine, const double *row)
{
    const double *weights = engine->weights;
    double sum = engine->intercept;
    size_t i = 0;
    for (; i + 4 <= engine->term_count; i += 4) { /* the order stays; the loop costs less */
        sum += weights[i] * row[i];
        sum += weights[i + 1] * row[i + 1];
        sum += weights[i + 2] * row[i + 2];
        sum += weights[i + 3] * row[i + 3];
    }
    for (; i < engine->term_count; i++)
        sum += weights[i] * row[i];
    return sum;
}

static void
sum_abreast(const struct ax_linear_engine *engine, const double *rows, size_t stride, double *out)
{
    double sums[ROWS_ABREAST];
    for (size_t r = 0; r < ROWS_ABREAST; r++)
        sums[r] = engine->intercept;
    for (size_t i = 0; i < engine->term_count; i++)
        for (size_t r = 0; r < ROWS_ABREAST; r++)
            sums[r] += engine->weights[i] * rows[r * stride + i];
    memcpy(out, sums, sizeof sums);
}

__attribute__((noinline)) static ax_status /* its frame is not the quickest call's */
score_plain(const struct ax_linear_engine *engine, struct ax_ctx *ctx,
            const struct ax_engine_call *call, double *room, const struct ax_engine_answer *answer)
{
    const double *rows = call->rows.at;
    size_t stride = call->rows.row_stride_bytes ? call->rows.row_stride_bytes / sizeof(double)
                                                : engine->term_count;
    double sums[ROWS_ABREAST];
    for (size_t i = 0, count; i < call->rows.count; i += count) {
        count = call->rows.count - i < ROWS_ABREAST ? 1 : ROWS_ABREAST;
        if (count == 1)
            sums[0] = sum_of(engine, rows + i * stride);
        else
            sum_abreast(engine, rows + i * stride, stride, sums);
        for (size_t r = 0; r < count; r++)
            if (isfinite(sums[r]))
                store(engine, call->outputs, i + r, sums[r], answer);
            else
                AX_TRY(score_terms(engine, ctx, call, answer, i + r, room));
    }
    return AX_OK;
}

static ax_status
terms_score(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call,
            void *scratch, const struct ax_engine_answer *answer)
{
    const struct ax_linear_engine *engine = of_engine(base);
    double *row = scratch;
    if (are_plain(engine, call)) {
        double sum = call->rows.count == 1 ? sum_of(engine, call->rows.at) : (double)NAN;
        if (!isfinite(sum))
            return score_plain(engine, ctx, call, row, answer);
        store(engine, call->outputs, 0, sum, answer);
        return AX_OK;
    }
    for (size_t i = 0; i < call->rows.count; i++)
        AX_TRY(score_terms(engine, ctx, call, answer, i, row));
    return AX_OK;
}

static ax_status
terms_background_open(const struct ax_engine *base, struct ax_ctx *ctx,
                      const struct ax_engine_rows *rows, struct ax_arena *arena,
                      struct ax_engine_background **out_background)
{
    const struct ax_linear_engine *engine = of_engine(base);
    struct linear_background *background = AX_NEW(arena, struct linear_background);
    double *row = AX_NEW_ARRAY(arena, double, engine->term_count);
    if (!background || !row ||
        !(background->means = AX_NEW_ARRAY(arena, double, engine->term_count)))
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu means", engine->term_count);
    for (size_t i = 0; i < rows->count; i++) {
        ax_engine_row(rows, i, engine->term_count, AX_ENGINE_F64, row);
        for (size_t j = 0; j < engine->term_count; j++) {
            struct ax_linear_level room;
            const struct ax_linear_level *level = level_of(&engine->terms[j], row[j], &room);
            if (!level)
                return fail_value(engine, ctx, i, j, row[j]);
            background->means[j] += level->value;
        }
    }
    for (size_t j = 0; j < engine->term_count; j++)
        background->means[j] /= (double)rows->count;
    *out_background = &background->background;
    return AX_OK;
}

static ax_status
terms_thresholds(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                 const double **out_thresholds, size_t *out_count)
{
    (void)ctx;
    const struct ax_linear_term *term = &of_engine(engine)->terms[feature];
    *out_thresholds = term->edges;
    *out_count = term->shape == AX_LINEAR_BINS ? term->level_count - 1 : 0;
    return AX_OK;
}

static const struct ax_engine_ops ops = {
    .name = "terms",
    .scratch_bytes = terms_scratch_bytes,
    .score = terms_score,
    .background_open = terms_background_open,
    .thresholds = terms_thresholds,
    .prepare = ax_engine_prepare_nothing,
    .prepared = ax_engine_prepared_always,
    .made_bytes = ax_engine_made_nothing,
    .mapped_bytes = ax_engine_made_nothing,
    .run = ax_engine_run_unsupported,
};

/* The coefficients side by side, when no term looks its value up. */
static ax_status
set_weights(struct ax_linear_engine *engine, struct ax_ctx *ctx)
{
    for (size_t i = 0; i < engine->term_count; i++)
        if (engine->terms[i].shape != AX_LINEAR_VALUE)
            return AX_OK;
    double *weights = AX_NEW_ARRAY(engine->engine.arena, double, engine->term_count);
    if (!weights)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu coefficients", engine->term_count);
    for (size_t i = 0; i < engine->term_count; i++)
        weights[i] = engine->terms[i].coefficient;
    engine->weights = weights;
    return AX_OK;
}

ax_status
ax_linear_engine_finish(struct ax_linear_engine *engine, struct ax_ctx *ctx,
                        struct ax_engine_feature *features, bool points)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    for (size_t i = 0; i < engine->term_count; i++) {
        const struct ax_linear_term *term = &engine->terms[i];
        features[i].missing = term->missing_rule;
        features[i].other = term->other_rule;
        features[i].split_count = term->coefficient == 0 ? 0
                                  : term->level_count    ? term->level_count
                                                         : 1;
    }
    engine->engine.ops = &ops;
    signature->named = true;
    signature->input = signature->output = AX_ENGINE_F64;
    signature->feature_count = engine->term_count;
    signature->features = features;
    signature->margin_count = signature->response_count = 1;
    signature->outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_CONTRIBUTIONS;
    if (points)
        signature->outputs |= AX_ENGINE_POINTS;
    signature->background = true;
    return set_weights(engine, ctx);
}

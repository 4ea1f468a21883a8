#include "learner/scorecard.h"

#include <math.h>

#include "base/number.h"
#include "learner/binning.h"
#include "learner/logistic.h"
#include "learner/parameters.h"

enum { MODEL_BYTES_MAX = 64 << 20 };

struct config {
    double share_min, smoothing, iv_min, ridge;
    double base_points, base_odds, points_to_double;
    int64_t bins_max;
};

#define FIELD(name) offsetof(struct config, name)
static const struct ax_parameter rows[] = {
    {"share_min", AX_PARAMETER_NUMBER, FIELD(share_min), 0.05, 0.01, 0.5},
    {"bins_max", AX_PARAMETER_COUNT, FIELD(bins_max), 6, 2, 32},
    {"smoothing", AX_PARAMETER_NUMBER, FIELD(smoothing), 0.5, 1e-6, 100},
    {"iv_min", AX_PARAMETER_NUMBER, FIELD(iv_min), 0.02, 0, 10},
    {"ridge", AX_PARAMETER_NUMBER, FIELD(ridge), 1e-6, 0, 1e6},
    {"base_points", AX_PARAMETER_NUMBER, FIELD(base_points), 600, -1e6, 1e6},
    {"base_odds", AX_PARAMETER_NUMBER, FIELD(base_odds), 30, 1e-6, 1e6},
    {"points_to_double", AX_PARAMETER_NUMBER, FIELD(points_to_double), 20, 1e-3, 1e6},
};
static const struct ax_parameters parameters = {rows, AX_COUNT_OF(rows), true, true};

struct characteristic {
    const struct ax_frame_column *column;
    struct ax_binning binning;
    bool used;          /* tells enough, and its coefficient did not turn */
    double coefficient; /* of the weight of evidence, on the log odds of bad: <= 0 */
    double error;       /* its standard error */
    double mean;        /* of the weight of evidence over the training rows */
};

struct card {
    struct config config;
    struct characteristic *characteristics;
    size_t count, used_count;
    double intercept; /* log odds of bad */
    double deviance;
    int iterations;
    struct ax_scorecard_scale scale;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a scorecard");
}

struct ax_scorecard_scale
ax_scorecard_scale(double base_points, double base_odds, double points_to_double)
{
    double factor = points_to_double / M_LN2;
    return (struct ax_scorecard_scale){.factor = factor,
                                       .offset = base_points - factor * log(base_odds)};
}

/* ---- bins, then the regression ---- */

static double
evidence(const struct characteristic *characteristic, size_t row)
{
    size_t bin = ax_binning_find(&characteristic->binning, characteristic->column->values[row]);
    return bin == SIZE_MAX ? 0 : characteristic->binning.bins[bin].woe;
}

static ax_status
bin_columns(struct ax_ctx *ctx, const struct ax_learner_input *input, struct card *card)
{
    const struct ax_frame *train = input->train;
    int *directions = NULL;
    struct ax_parameter_specials *specials = NULL;
    AX_TRY(ax_parameters_monotone(ctx, input->parameters, train, &directions));
    AX_TRY(
        ax_parameters_special(ctx, input->parameters, train, AX_BINNING_SPECIALS_MAX, &specials));
    card->count = train->column_count;
    card->characteristics = AX_NEW_ARRAY(ctx->arena, struct characteristic, card->count + 1);
    if (!card->characteristics)
        return no_memory(ctx);
    for (size_t c = 0; c < card->count; c++) {
        struct characteristic *characteristic = &card->characteristics[c];
        const struct ax_binning_config config = {.share_min = card->config.share_min,
                                                 .bins_max = (size_t)card->config.bins_max,
                                                 .smoothing = card->config.smoothing,
                                                 .direction = directions[c],
                                                 .specials = specials[c].values,
                                                 .special_count = specials[c].count};
        characteristic->column = &train->columns[c];
        AX_TRY(ax_binning_fit(ctx, &train->columns[c], train->labels, train->row_count, &config,
                              &characteristic->binning));
        characteristic->used = characteristic->binning.bin_count > 1 &&
                               characteristic->binning.information_value >= card->config.iv_min;
        card->used_count += characteristic->used;
        double sum = 0;
        for (size_t i = 0; i < train->row_count; i++)
            sum += evidence(characteristic, i);
        characteristic->mean = sum / (double)train->row_count;
    }
    if (card->used_count == 0)
        return ax_fail(ctx, AX_INVALID, "no column has an information value of %g or more",
                       card->config.iv_min);
    return AX_OK;
}

/* Rows of minus the weight of evidence: more of it means more bad, so coefficients are >= 0. */
static ax_status
make_rows(struct ax_ctx *ctx, const struct card *card, size_t row_count, double **out_rows)
{
    size_t cells = 0;
    double *x = NULL;
    if (ax_mul(row_count, card->used_count, &cells))
        x = AX_NEW_ARRAY(ctx->arena, double, cells + 1);
    if (!x)
        return no_memory(ctx);
    size_t feature = 0;
    for (size_t c = 0; c < card->count; c++) {
        if (!card->characteristics[c].used)
            continue;
        for (size_t i = 0; i < row_count; i++)
            x[i * card->used_count + feature] = -evidence(&card->characteristics[c], i);
        feature++;
    }
    *out_rows = x;
    return AX_OK;
}

static ax_status
regress(struct ax_ctx *ctx, const struct ax_frame *train, struct card *card)
{
    double *x = NULL;
    AX_TRY(make_rows(ctx, card, train->row_count, &x));
    const struct ax_logistic_data data = {.rows = x,
                                          .labels = train->labels,
                                          .row_count = train->row_count,
                                          .feature_count = card->used_count};
    const struct ax_logistic_config config = {.ridge = card->config.ridge, .non_negative = true};
    struct ax_logistic_model model;
    AX_TRY(ax_logistic_fit(ctx, &data, &config, &model));
    if (!model.converged)
        return ax_fail(ctx, AX_INVALID, "no convergence after %d iterations; a larger ridge helps",
                       model.iterations);
    card->intercept = model.intercept;
    card->deviance = model.deviance;
    card->iterations = model.iterations;
    size_t feature = 0;
    for (size_t c = 0; c < card->count; c++) {
        struct characteristic *characteristic = &card->characteristics[c];
        if (!characteristic->used)
            continue;
        characteristic->coefficient = -model.coefficients[feature];
        characteristic->error = model.standard_errors[feature];
        characteristic->used = model.coefficients[feature] > 0;
        card->used_count -= !characteristic->used;
        feature++;
    }
    if (card->used_count == 0)
        return ax_fail(ctx, AX_INVALID, "no column is left in the regression");
    return AX_OK;
}

/* ---- the file ---- */

/* Points of a bin: its share of the score, offset and intercept spread evenly over the used. */
static double
points_of(const struct card *card, const struct characteristic *characteristic, double woe)
{
    double n = (double)card->used_count;
    return -(characteristic->coefficient * woe + card->intercept / n) * card->scale.factor +
           card->scale.offset / n;
}

static void
write_level(struct ax_json_writer *json, const struct card *card,
            const struct characteristic *characteristic, double woe)
{
    ax_json_member_f64(json, "woe", characteristic->used ? woe : 0);
    ax_json_member_f64(json, "points",
                       characteristic->used ? points_of(card, characteristic, woe) : 0);
}

/* What stands for values the bins do not hold: refused, but by a characteristic that is unused. */
static void
write_other(struct ax_json_writer *json, const struct card *card,
            const struct characteristic *characteristic, const char *key)
{
    const struct ax_binning *binning = &characteristic->binning;
    const struct ax_binning_bin *last = &binning->bins[binning->bin_count - 1];
    bool has_bin = last->missing && ax_str_eq(ax_str_of(key), AX_STR("missing"));
    ax_json_key(json, key);
    if (characteristic->used && !has_bin) {
        ax_json_put_text(json, AX_STR("refuse"));
        return;
    }
    ax_json_begin_object(json);
    write_level(json, card, characteristic, has_bin ? last->woe : 0);
    ax_json_end_object(json);
}

/* The bins of a numeric characteristic on their way into the file. */
struct bin_writer {
    struct ax_json_writer *json;
    const struct card *card;
    const struct characteristic *characteristic;
    double done; /* values up to here are in the file */
};

/* Values above `done` and up to `to` have this bin's weight. */
static void
write_range(struct bin_writer *writer, double to, const struct ax_binning_bin *bin)
{
    if (!(to > writer->done))
        return;
    ax_json_begin_object(writer->json);
    if (isfinite(to))
        ax_json_member_f64(writer->json, "to", to);
    write_level(writer->json, writer->card, writer->characteristic, bin->woe);
    ax_json_end_object(writer->json);
    writer->done = to;
}

/*
 * The file knows ranges alone, so a special value v is the range that holds nothing else: above
 * the number before v, up to v. The range that v lies in goes on behind it.
 */
static void
write_bins(struct ax_json_writer *json, const struct card *card,
           const struct characteristic *characteristic)
{
    const struct ax_binning *binning = &characteristic->binning;
    const struct ax_binning_bin *special = &binning->bins[binning->cut_count];
    const struct ax_binning_bin *end = &binning->bins[binning->bin_count];
    struct bin_writer writer = {json, card, characteristic, -(double)INFINITY};
    ax_json_key(json, "bins");
    ax_json_begin_array(json);
    if (!characteristic->used)
        special = end; /* one bin that holds everything */
    size_t first = characteristic->used ? 0 : binning->cut_count - 1;
    for (size_t b = first; b < binning->cut_count; b++) {
        const struct ax_binning_bin *bin = &binning->bins[b];
        for (; special < end && special->special && special->high <= bin->high; special++) {
            write_range(&writer, nextafter(special->high, -(double)INFINITY), bin);
            write_range(&writer, special->high, special);
        }
        write_range(&writer, bin->high, bin);
    }
    ax_json_end_array(json);
}

static void
write_groups(struct ax_json_writer *json, const struct card *card,
             const struct characteristic *characteristic)
{
    const struct ax_frame_column *column = characteristic->column;
    const struct ax_binning *binning = &characteristic->binning;
    ax_json_key(json, "categories");
    ax_json_begin_array(json);
    for (size_t i = 0; i < column->category_count; i++)
        ax_json_put_text(json, column->categories[i]);
    ax_json_end_array(json);
    ax_json_key(json, "groups");
    ax_json_begin_array(json);
    for (size_t b = 0; b < binning->cut_count; b++) {
        if (!characteristic->used && b > 0)
            break; /* one group that holds everything */
        ax_json_begin_object(json);
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t code = 0; code < column->category_count; code++) {
            if (!characteristic->used || binning->bin_of_code[code] == b)
                ax_json_put_text(json, column->categories[code]);
        }
        ax_json_end_array(json);
        write_level(json, card, characteristic, binning->bins[b].woe);
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
}

static void
write_characteristic(struct ax_json_writer *json, const struct card *card,
                     const struct characteristic *characteristic)
{
    bool number = characteristic->column->kind == AX_FRAME_NUMBER;
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", characteristic->column->name);
    ax_json_member_text(json, "type", number ? AX_STR("numeric") : AX_STR("categorical"));
    ax_json_member_f64(json, "coefficient", characteristic->used ? characteristic->coefficient : 0);
    ax_json_member_f64(json, "mean", characteristic->used ? characteristic->mean : 0);
    if (number)
        write_bins(json, card, characteristic);
    else
        write_groups(json, card, characteristic);
    write_other(json, card, characteristic, "missing");
    if (!number)
        write_other(json, card, characteristic, "other");
    ax_json_end_object(json);
}

static void
write_model(struct ax_writer *out, const struct card *card)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "format", AX_STR("axiom.scorecard"));
    ax_json_member_i64(&json, "version", 1);
    ax_json_member_f64(&json, "intercept", card->intercept);
    ax_json_member_text(&json, "event", AX_STR("bad"));
    ax_json_member_f64(&json, "points_base", 0);
    ax_json_key(&json, "scaling");
    ax_json_begin_object(&json);
    ax_json_member_f64(&json, "base_points", card->config.base_points);
    ax_json_member_f64(&json, "base_odds", card->config.base_odds);
    ax_json_member_f64(&json, "pdo", card->config.points_to_double);
    ax_json_end_object(&json);
    ax_json_key(&json, "characteristics");
    ax_json_begin_array(&json);
    for (size_t c = 0; c < card->count; c++)
        write_characteristic(&json, card, &card->characteristics[c]);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
}

/* A bin for people: what was counted, and what came of it. */
static void
report_bin(struct ax_json_writer *json, const struct card *card,
           const struct characteristic *characteristic, size_t at)
{
    const struct ax_binning *binning = &characteristic->binning;
    const struct ax_binning_bin *bin = &binning->bins[at];
    ax_json_begin_object(json);
    if (bin->missing) {
        ax_json_member_bool(json, "missing", true);
    } else if (bin->special) {
        ax_json_member_f64(json, "value", bin->high);
    } else if (binning->bin_of_code) {
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t code = 0; code < binning->code_count; code++) {
            if (binning->bin_of_code[code] == at)
                ax_json_put_text(json, characteristic->column->categories[code]);
        }
        ax_json_end_array(json);
    } else if (isfinite(bin->high)) {
        ax_json_member_f64(json, "to", bin->high);
    }
    ax_json_member_i64(json, "good", (int64_t)bin->good);
    ax_json_member_i64(json, "bad", (int64_t)bin->bad);
    ax_json_member_f64(json, "woe", bin->woe);
    if (characteristic->used)
        ax_json_member_f64(json, "points", points_of(card, characteristic, bin->woe));
    ax_json_end_object(json);
}

static void
report_characteristic(struct ax_json_writer *json, const struct card *card,
                      const struct characteristic *characteristic)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", characteristic->column->name);
    ax_json_member_f64(json, "information_value", characteristic->binning.information_value);
    ax_json_member_bool(json, "used", characteristic->used);
    if (characteristic->used) {
        ax_json_member_f64(json, "coefficient", characteristic->coefficient);
        ax_json_member_f64(json, "standard_error", characteristic->error);
    }
    ax_json_member_i64(json, "direction", characteristic->binning.direction);
    ax_json_key(json, "bins");
    ax_json_begin_array(json);
    for (size_t b = 0; b < characteristic->binning.bin_count; b++)
        report_bin(json, card, characteristic, b);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

static void
write_report(struct ax_writer *out, const struct card *card)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_key(&json, "parameters");
    ax_json_begin_object(&json);
    ax_parameters_write(&parameters, &card->config, &json);
    ax_json_end_object(&json);
    ax_json_member_f64(&json, "factor", card->scale.factor);
    ax_json_member_f64(&json, "offset", card->scale.offset);
    ax_json_member_f64(&json, "deviance", card->deviance);
    ax_json_member_i64(&json, "iterations", card->iterations);
    ax_json_key(&json, "characteristics");
    ax_json_begin_array(&json);
    for (size_t c = 0; c < card->count; c++)
        report_characteristic(&json, card, &card->characteristics[c]);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
}

/* What the file will answer, from the numbers that went into it and in its order of sums. */
static double
scorecard_margin(const void *arg, size_t row)
{
    const struct card *card = arg;
    double margin = card->intercept;
    for (size_t c = 0; c < card->count; c++) {
        const struct characteristic *characteristic = &card->characteristics[c];
        if (characteristic->used)
            margin += characteristic->coefficient * evidence(characteristic, row);
    }
    return margin;
}

static ax_status
scorecard_train(struct ax_ctx *ctx, const struct ax_learner_input *input,
                struct ax_learner_result *out_result)
{
    struct card card = {};
    AX_TRY(ax_parameters_read(ctx, &parameters, input->parameters, &card.config));
    card.scale = ax_scorecard_scale(card.config.base_points, card.config.base_odds,
                                    card.config.points_to_double);
    AX_TRY(bin_columns(ctx, input, &card));
    AX_TRY(regress(ctx, input->train, &card));
    ax_writer_auto struct ax_writer file = ax_writer_of(MODEL_BYTES_MAX);
    ax_writer_auto struct ax_writer report = ax_writer_of(MODEL_BYTES_MAX);
    write_model(&file, &card);
    write_report(&report, &card);
    struct ax_learner_result result = {.format = AX_STR("axiom.scorecard"),
                                       .library = AX_STR("axiom " AX_VERSION)};
    AX_TRY(ax_writer_take(&file, ctx->arena, &result.model));
    AX_TRY(ax_writer_take(&report, ctx->arena, &result.report));
    AX_TRY(ax_learner_probe(ctx, input->train, scorecard_margin, &card, &result));
    *out_result = result;
    return AX_OK;
}

const struct ax_learner_ops ax_scorecard_ops = {.name = "scorecard", .train = scorecard_train};

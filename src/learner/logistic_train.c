#include "learner/logistic_train.h"

#include <math.h>

#include "base/number.h"
#include "learner/logistic.h"
#include "learner/parameters.h"

enum { MODEL_BYTES_MAX = 64 << 20 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a logistic regression");
}

struct config {
    double ridge;
    int64_t iteration_max;
};

#define FIELD(name) offsetof(struct config, name)
static const struct ax_parameter rows[] = {
    {"ridge", AX_PARAMETER_NUMBER, FIELD(ridge), 1, 1e-9, 1e9},
    {"iteration_max", AX_PARAMETER_COUNT, FIELD(iteration_max), 100, 1, 10'000},
};
static const struct ax_parameters parameters = {rows, AX_COUNT_OF(rows), false, false};

/* What becomes of one column: one feature of a number, one a category of a category. */
struct term {
    const struct ax_frame_column *column;
    size_t first;         /* feature */
    double centre, scale; /* numbers: (x - centre) / scale is the feature; missing is the centre */
    bool missing;         /* seen in training */
    double coefficient;   /* in the file: of the value as it is; categories: 1 */
};

struct design {
    struct term *terms;
    size_t term_count;
    double *rows;
    size_t feature_count;
    double intercept; /* in the file */
    const double *coefficients;
};

/* Mean and deviation of what is there. */
static void
standardise(struct term *term, size_t row_count)
{
    double sum = 0, squares = 0;
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++) {
        double value = term->column->values[i];
        term->missing = term->missing || isnan(value);
        sum += isnan(value) ? 0 : value;
        count += isnan(value) ? 0 : 1;
    }
    term->centre = count ? sum / (double)count : 0;
    for (size_t i = 0; i < row_count; i++) {
        double d = term->column->values[i] - term->centre;
        squares += isnan(d) ? 0 : d * d;
    }
    term->scale = squares > 0 ? sqrt(squares / (double)count) : 1;
}

static ax_status
make_design(struct ax_ctx *ctx, const struct ax_frame *frame, struct design *out_design)
{
    struct design design = {.term_count = frame->column_count};
    design.terms = AX_NEW_ARRAY(ctx->arena, struct term, frame->column_count + 1);
    if (!design.terms)
        return no_memory(ctx);
    for (size_t c = 0; c < frame->column_count; c++) {
        struct term *term = &design.terms[c];
        term->column = &frame->columns[c];
        term->first = design.feature_count;
        standardise(term, frame->row_count);
        design.feature_count +=
            term->column->kind == AX_FRAME_NUMBER ? 1 : term->column->category_count;
    }
    size_t cells = 0;
    if (ax_mul(frame->row_count, design.feature_count, &cells))
        design.rows = AX_NEW_ARRAY(ctx->arena, double, cells + 1);
    if (!design.rows)
        return no_memory(ctx);
    for (size_t i = 0; i < frame->row_count; i++) {
        double *x = design.rows + i * design.feature_count;
        for (size_t c = 0; c < design.term_count; c++) {
            const struct term *term = &design.terms[c];
            double value = term->column->values[i];
            if (term->column->kind == AX_FRAME_NUMBER)
                x[term->first] = isnan(value) ? 0 : (value - term->centre) / term->scale;
            else if (!isnan(value))
                x[term->first + (size_t)value] = 1;
        }
    }
    *out_design = design;
    return AX_OK;
}

/* The coefficients of standardised features, in the units of the data. */
static void
take_units(struct design *design, const struct ax_logistic_model *model)
{
    design->coefficients = model->coefficients;
    design->intercept = model->intercept;
    for (size_t c = 0; c < design->term_count; c++) {
        struct term *term = &design->terms[c];
        term->coefficient = 1;
        if (term->column->kind != AX_FRAME_NUMBER)
            continue;
        term->coefficient = model->coefficients[term->first] / term->scale;
        design->intercept -= term->coefficient * term->centre;
    }
}

/* What the file's term makes of a row. */
static double
value_of(const struct design *design, const struct term *term, size_t row)
{
    double value = term->column->values[row];
    if (term->column->kind == AX_FRAME_NUMBER)
        return isnan(value) ? term->centre : value;
    return isnan(value) ? 0 : design->coefficients[term->first + (size_t)value];
}

static double
mean_value(const struct design *design, const struct term *term, size_t row_count)
{
    double sum = 0;
    for (size_t i = 0; i < row_count; i++)
        sum += value_of(design, term, i);
    return sum / (double)row_count;
}

/* What the file will answer, from the numbers that went into it and in its order of sums. */
static double
logistic_margin(const void *arg, size_t row)
{
    const struct design *design = arg;
    double margin = design->intercept;
    for (size_t c = 0; c < design->term_count; c++)
        margin += design->terms[c].coefficient * value_of(design, &design->terms[c], row);
    return margin;
}

static void
write_missing(struct ax_json_writer *json, bool accepted, double value)
{
    ax_json_key(json, "missing");
    if (!accepted) {
        ax_json_put_text(json, AX_STR("refuse"));
        return;
    }
    ax_json_begin_object(json);
    ax_json_member_f64(json, "value", value);
    ax_json_end_object(json);
}

static void
write_term(struct ax_json_writer *json, const struct design *design, const struct term *term,
           size_t row_count)
{
    const struct ax_frame_column *column = term->column;
    bool number = column->kind == AX_FRAME_NUMBER;
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", column->name);
    ax_json_member_text(json, "type", number ? AX_STR("numeric") : AX_STR("categorical"));
    ax_json_member_f64(json, "coefficient", term->coefficient);
    ax_json_member_f64(json, "mean", mean_value(design, term, row_count));
    if (!number) {
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t i = 0; i < column->category_count; i++)
            ax_json_put_text(json, column->categories[i]);
        ax_json_end_array(json);
        ax_json_key(json, "values");
        ax_json_begin_array(json);
        for (size_t i = 0; i < column->category_count; i++)
            ax_json_put_f64(json, design->coefficients[term->first + i]);
        ax_json_end_array(json);
        ax_json_member_text(json, "other", AX_STR("refuse"));
    }
    write_missing(json, term->missing, number ? term->centre : 0);
    ax_json_end_object(json);
}

static void
write_model(struct ax_writer *out, const struct design *design, size_t row_count)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "format", AX_STR("axiom.linear"));
    ax_json_member_i64(&json, "version", 1);
    ax_json_member_text(&json, "link", AX_STR("logistic"));
    ax_json_member_f64(&json, "intercept", design->intercept);
    ax_json_key(&json, "terms");
    ax_json_begin_array(&json);
    for (size_t c = 0; c < design->term_count; c++)
        write_term(&json, design, &design->terms[c], row_count);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
}

static void
write_report(struct ax_writer *out, const struct config *config,
             const struct ax_logistic_model *model, size_t feature_count)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_key(&json, "parameters");
    ax_json_begin_object(&json);
    ax_parameters_write(&parameters, config, &json);
    ax_json_end_object(&json);
    ax_json_member_i64(&json, "features", (int64_t)feature_count);
    ax_json_member_i64(&json, "iterations", model->iterations);
    ax_json_member_bool(&json, "converged", model->converged);
    ax_json_member_f64(&json, "deviance", model->deviance);
    ax_json_key(&json, "standard_errors");
    ax_json_begin_array(&json);
    for (size_t j = 0; j <= feature_count; j++)
        ax_json_put_f64(&json, model->standard_errors[j]);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
}

static ax_status
logistic_train(struct ax_ctx *ctx, const struct ax_learner_input *input,
               struct ax_learner_result *out_result)
{
    struct config config;
    AX_TRY(ax_parameters_read(ctx, &parameters, input->parameters, &config));
    struct design design;
    AX_TRY(make_design(ctx, input->train, &design));
    const struct ax_logistic_data data = {.rows = design.rows,
                                          .labels = input->train->labels,
                                          .row_count = input->train->row_count,
                                          .feature_count = design.feature_count};
    const struct ax_logistic_config fit = {.ridge = config.ridge,
                                           .iteration_max = (int)config.iteration_max};
    struct ax_logistic_model model;
    AX_TRY(ax_logistic_fit(ctx, &data, &fit, &model));
    if (!model.converged)
        return ax_fail(ctx, AX_INVALID, "no convergence after %d iterations; a larger ridge helps",
                       model.iterations);
    ax_writer_auto struct ax_writer file = ax_writer_of(MODEL_BYTES_MAX);
    ax_writer_auto struct ax_writer report = ax_writer_of(MODEL_BYTES_MAX);
    take_units(&design, &model);
    write_model(&file, &design, data.row_count);
    write_report(&report, &config, &model, design.feature_count);
    struct ax_learner_result result = {.format = AX_STR("axiom.linear"),
                                       .library = AX_STR("axiom " AX_VERSION)};
    AX_TRY(ax_writer_take(&file, ctx->arena, &result.model));
    AX_TRY(ax_writer_take(&report, ctx->arena, &result.report));
    AX_TRY(ax_learner_probe(ctx, input->train, logistic_margin, &design, &result));
    *out_result = result;
    return AX_OK;
}

const struct ax_learner_ops ax_logistic_train_ops = {.name = "logistic", .train = logistic_train};

#include "learner/parameters.h"

#include <math.h>

#include "base/number.h"
#include "numeric/stats.h"

static const char MONOTONE[] = "monotone", SPECIAL[] = "special";
static const double SPECIAL_MAX = 1e300;

static const struct ax_parameter *
find(const struct ax_parameters *parameters, ax_str name)
{
    for (size_t i = 0; i < parameters->row_count; i++) {
        if (ax_str_eq(ax_str_of(parameters->rows[i].name), name))
            return &parameters->rows[i];
    }
    return NULL;
}

static void
set(const struct ax_parameter *parameter, double value, void *config)
{
    char *at = (char *)config + parameter->offset;
    if (parameter->kind == AX_PARAMETER_COUNT) {
        int64_t count = (int64_t)value;
        memcpy(at, &count, sizeof count);
    } else {
        memcpy(at, &value, sizeof value);
    }
}

static ax_status
read_one(struct ax_ctx *ctx, const struct ax_parameter *parameter, const struct ax_json *json,
         void *config)
{
    double value = 0;
    bool sound = ax_json_f64(json, &value) && value >= parameter->min && value <= parameter->max;
    if (sound && parameter->kind == AX_PARAMETER_COUNT)
        sound = value == floor(value);
    if (!sound) {
        char low[AX_NUMBER_BYTES_MAX], high[AX_NUMBER_BYTES_MAX];
        ax_format_f64(parameter->min, low);
        ax_format_f64(parameter->max, high);
        return ax_fail(
            ctx, AX_INVALID, "parameter `%s` must be a %s from %s to %s", parameter->name,
            parameter->kind == AX_PARAMETER_COUNT ? "whole number" : "number", low, high);
    }
    set(parameter, value, config);
    return AX_OK;
}

ax_status
ax_parameters_read(struct ax_ctx *ctx, const struct ax_parameters *parameters,
                   const struct ax_json *json, void *config)
{
    for (size_t i = 0; i < parameters->row_count; i++)
        set(&parameters->rows[i], parameters->rows[i].initial, config);
    if (!json)
        return AX_OK;
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "parameters must be an object, not %s",
                       ax_json_kind_name(ax_json_kind(json)));
    struct ax_json_iter iter = ax_json_iter_of(json);
    while (ax_json_next(&iter)) {
        if (parameters->monotone && ax_str_eq(iter.key, ax_str_of(MONOTONE)))
            continue;
        if (parameters->special && ax_str_eq(iter.key, ax_str_of(SPECIAL)))
            continue;
        const struct ax_parameter *parameter = find(parameters, iter.key);
        if (!parameter)
            return ax_fail(ctx, AX_INVALID, "there is no parameter `%.*s`", AX_FMT(iter.key));
        AX_TRY(read_one(ctx, parameter, iter.value, config));
    }
    return AX_OK;
}

void
ax_parameters_write(const struct ax_parameters *parameters, const void *config,
                    struct ax_json_writer *out)
{
    for (size_t i = 0; i < parameters->row_count; i++) {
        const struct ax_parameter *parameter = &parameters->rows[i];
        const char *at = (const char *)config + parameter->offset;
        if (parameter->kind == AX_PARAMETER_COUNT) {
            int64_t count = 0;
            memcpy(&count, at, sizeof count);
            ax_json_member_i64(out, parameter->name, count);
        } else {
            double number = 0;
            memcpy(&number, at, sizeof number);
            ax_json_member_f64(out, parameter->name, number);
        }
    }
}

/* The column of numbers that a member of `what` is about. */
static ax_status
find_column(struct ax_ctx *ctx, const struct ax_frame *frame, const char *what, ax_str name,
            size_t *out_column)
{
    size_t column = ax_frame_find(frame, name);
    if (column == SIZE_MAX)
        return ax_fail(ctx, AX_INVALID, "%s: there is no column `%.*s`", what, AX_FMT(name));
    if (frame->columns[column].kind != AX_FRAME_NUMBER)
        return ax_fail(ctx, AX_INVALID, "%s: column `%.*s` is no number", what, AX_FMT(name));
    *out_column = column;
    return AX_OK;
}

static ax_status
read_direction(struct ax_ctx *ctx, const struct ax_json_iter *member, const struct ax_frame *frame,
               int *directions)
{
    size_t column = 0;
    AX_TRY(find_column(ctx, frame, MONOTONE, member->key, &column));
    int64_t direction = 0;
    if (!ax_json_i64(member->value, &direction) || direction < -1 || direction > 1)
        return ax_fail(ctx, AX_INVALID, "monotone: `%.*s` must be 1, 0 or -1", AX_FMT(member->key));
    directions[column] = (int)direction;
    return AX_OK;
}

ax_status
ax_parameters_monotone(struct ax_ctx *ctx, const struct ax_json *json, const struct ax_frame *frame,
                       int **out_directions)
{
    int *directions = AX_NEW_ARRAY(ctx->arena, int, frame->column_count + 1);
    if (!directions)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", frame->column_count);
    const struct ax_json *monotone = ax_json_find(json, MONOTONE);
    if (monotone && ax_json_kind(monotone) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "monotone must be an object of column and direction");
    struct ax_json_iter iter = ax_json_iter_of(monotone);
    while (ax_json_next(&iter))
        AX_TRY(read_direction(ctx, &iter, frame, directions));
    *out_directions = directions;
    return AX_OK;
}

static ax_status
read_specials(struct ax_ctx *ctx, const struct ax_json_iter *member, size_t value_max,
              struct ax_parameter_specials *out_specials)
{
    size_t count = ax_json_count(member->value);
    if (ax_json_kind(member->value) != AX_JSON_ARRAY || count > value_max)
        return ax_fail(ctx, AX_INVALID, "special: `%.*s` must be an array of at most %zu numbers",
                       AX_FMT(member->key), value_max);
    double *values = AX_NEW_ARRAY(ctx->arena, double, count + 1);
    if (!values)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu special values", count);
    struct ax_json_iter iter = ax_json_iter_of(member->value);
    while (ax_json_next(&iter)) {
        if (!ax_json_f64(iter.value, &values[iter.index]) ||
            !(fabs(values[iter.index]) <= SPECIAL_MAX))
            return ax_fail(ctx, AX_INVALID,
                           "special: item %zu of `%.*s` must be a number from -1e300 to 1e300",
                           iter.index, AX_FMT(member->key));
    }
    ax_stats_sort(values, count);
    for (size_t i = 1; i < count; i++) {
        if (values[i] == values[i - 1])
            return ax_fail(ctx, AX_INVALID, "special: `%.*s` names a value twice",
                           AX_FMT(member->key));
    }
    *out_specials = (struct ax_parameter_specials){values, count};
    return AX_OK;
}

ax_status
ax_parameters_special(struct ax_ctx *ctx, const struct ax_json *json, const struct ax_frame *frame,
                      size_t value_max, struct ax_parameter_specials **out_specials)
{
    struct ax_parameter_specials *specials =
        AX_NEW_ARRAY(ctx->arena, struct ax_parameter_specials, frame->column_count + 1);
    if (!specials)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", frame->column_count);
    const struct ax_json *special = ax_json_find(json, SPECIAL);
    if (special && ax_json_kind(special) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "special must be an object of column and values");
    struct ax_json_iter iter = ax_json_iter_of(special);
    while (ax_json_next(&iter)) {
        size_t column = 0;
        AX_TRY(find_column(ctx, frame, SPECIAL, iter.key, &column));
        AX_TRY(read_specials(ctx, &iter, value_max, &specials[column]));
    }
    *out_specials = specials;
    return AX_OK;
}

#include <math.h>

#include "dataops/data_validation.h"

enum { EXPECTATIONS_MAX = 10'000, COLUMNS_MAX = 64 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a suite of expectations");
}

/* ---- the arguments; each reader takes one group of them ---- */

static ax_status
read_column(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    expectation->columns = AX_NEW_ARRAY(ctx->arena, ax_str, 1);
    if (!expectation->columns)
        return no_memory(ctx);
    expectation->column_count = 1;
    return ax_json_need_text(ctx, kwargs, "column", &expectation->columns[0]);
}

static ax_status
read_pair(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    expectation->columns = AX_NEW_ARRAY(ctx->arena, ax_str, 2);
    if (!expectation->columns)
        return no_memory(ctx);
    expectation->column_count = 2;
    AX_TRY(ax_json_need_text(ctx, kwargs, "column_A", &expectation->columns[0]));
    AX_TRY(ax_json_need_text(ctx, kwargs, "column_B", &expectation->columns[1]));
    return ax_json_may_bool(ctx, kwargs, "or_equal", &expectation->or_equal);
}

static ax_status
read_column_list(struct ax_ctx *ctx, const struct ax_json *kwargs,
                 struct ax_expectation *expectation)
{
    const struct ax_json *list = NULL;
    AX_TRY(ax_json_need_array(ctx, kwargs, "column_list", &list));
    size_t count = ax_json_count(list);
    if (count < 2 || count > COLUMNS_MAX)
        return ax_fail(ctx, AX_INVALID, "`column_list` must name 2 to %d columns", COLUMNS_MAX);
    expectation->columns = AX_NEW_ARRAY(ctx->arena, ax_str, count);
    if (!expectation->columns)
        return no_memory(ctx);
    expectation->column_count = count;
    struct ax_json_iter iter = ax_json_iter_of(list);
    while (ax_json_next(&iter)) {
        if (!ax_json_text(iter.value, &expectation->columns[iter.index]))
            return ax_fail(ctx, AX_INVALID, "item %zu of `column_list` must be a text", iter.index);
    }
    return AX_OK;
}

static ax_status
read_ignore(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    static const struct {
        const char *word;
        enum ax_expectation_ignore ignore;
    } words[] = {
        {"both_values_are_missing", AX_EXPECT_IGNORE_ALL_MISSING},
        {"all_values_are_missing", AX_EXPECT_IGNORE_ALL_MISSING},
        {"either_value_is_missing", AX_EXPECT_IGNORE_ANY_MISSING},
        {"any_value_is_missing", AX_EXPECT_IGNORE_ANY_MISSING},
        {"neither", AX_EXPECT_IGNORE_NEVER},
        {"never", AX_EXPECT_IGNORE_NEVER},
    };
    ax_str said = AX_STR("all_values_are_missing");
    AX_TRY(ax_json_may_text(ctx, kwargs, "ignore_row_if", &said));
    for (size_t i = 0; i < AX_COUNT_OF(words); i++) {
        if (ax_str_eq(said, ax_str_of(words[i].word))) {
            expectation->ignore = words[i].ignore;
            return AX_OK;
        }
    }
    return ax_fail(ctx, AX_INVALID, "`ignore_row_if` cannot be \"%.*s\"", AX_FMT(said));
}

static ax_status
read_bounds(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    AX_TRY(ax_json_may_f64(ctx, kwargs, "min_value", &expectation->min));
    AX_TRY(ax_json_may_f64(ctx, kwargs, "max_value", &expectation->max));
    AX_TRY(ax_json_may_bool(ctx, kwargs, "strict_min", &expectation->min_strict));
    AX_TRY(ax_json_may_bool(ctx, kwargs, "strict_max", &expectation->max_strict));
    if (expectation->min > expectation->max)
        return ax_fail(ctx, AX_INVALID, "`min_value` is above `max_value`");
    return AX_OK;
}

static ax_status
read_count(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    AX_TRY(ax_json_need_f64(ctx, kwargs, "value", &expectation->min));
    expectation->max = expectation->min;
    return AX_OK;
}

static ax_status
read_limit(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    AX_TRY(ax_json_need_f64(ctx, kwargs, "max_value", &expectation->max));
    return expectation->max > 0 ? AX_OK
                                : ax_fail(ctx, AX_INVALID, "`max_value` of an index is above 0");
}

static ax_status
read_type(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    ax_str word = {};
    AX_TRY(ax_json_need_text(ctx, kwargs, "type_", &word));
    bool number = ax_str_eq(word, AX_STR("number"));
    if (!number && !ax_str_eq(word, AX_STR("category")))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "`type_` is \"number\" or \"category\" here, not \"%.*s\"", AX_FMT(word));
    expectation->type = number ? AX_FRAME_NUMBER : AX_FRAME_CATEGORY;
    return AX_OK;
}

static ax_status
read_set(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    const struct ax_json *set = ax_json_find(kwargs, "value_set");
    expectation->any = !set || ax_json_kind(set) == AX_JSON_NULL;
    if (expectation->any)
        return AX_OK;
    AX_TRY(ax_json_need_array(ctx, kwargs, "value_set", &set));
    expectation->values = AX_NEW_ARRAY(ctx->arena, ax_str, ax_json_count(set) + 1);
    expectation->numbers = AX_NEW_ARRAY(ctx->arena, double, ax_json_count(set) + 1);
    if (!expectation->values || !expectation->numbers)
        return no_memory(ctx);
    struct ax_json_iter iter = ax_json_iter_of(set);
    while (ax_json_next(&iter)) {
        if (ax_json_text(iter.value, &expectation->values[expectation->value_count]))
            expectation->value_count++;
        else if (ax_json_f64(iter.value, &expectation->numbers[expectation->number_count]))
            expectation->number_count++;
        else if (ax_json_kind(iter.value) != AX_JSON_NULL) /* missing values are not judged */
            return ax_fail(ctx, AX_INVALID, "item %zu of `value_set` must be a text or a number",
                           iter.index);
    }
    return AX_OK;
}

static ax_status
read_mostly(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    AX_TRY(ax_json_may_f64(ctx, kwargs, "mostly", &expectation->mostly));
    if (!(expectation->mostly >= 0 && expectation->mostly <= 1))
        return ax_fail(ctx, AX_INVALID, "`mostly` must be from 0 to 1");
    return AX_OK;
}

static ax_status
need_bound(struct ax_ctx *ctx, const struct ax_json *kwargs, struct ax_expectation *expectation)
{
    (void)kwargs;
    if (isinf(expectation->min) && isinf(expectation->max))
        return ax_fail(ctx, AX_INVALID, "`min_value` or `max_value` is needed");
    return AX_OK;
}

/* ---- the kinds ---- */

enum { READERS_MAX = 4, WORDS_MAX = 6 };

static const struct rule {
    const char *type;
    enum ax_expectation_kind kind;
    const char *words[WORDS_MAX];
    ax_status (*readers[READERS_MAX])(struct ax_ctx *ctx, const struct ax_json *kwargs,
                                      struct ax_expectation *expectation);
} rules[] = {
    {"expect_column_to_exist", AX_EXPECT_COLUMN, {"column"}, {read_column}},
    {"expect_column_values_to_be_of_type",
     AX_EXPECT_TYPE,
     {"column", "type_"},
     {read_column, read_type}},
    {"expect_column_values_to_not_be_null",
     AX_EXPECT_NOT_NULL,
     {"column", "mostly"},
     {read_column, read_mostly}},
    {"expect_column_values_to_be_between",
     AX_EXPECT_BETWEEN,
     {"column", "mostly", "min_value", "max_value", "strict_min", "strict_max"},
     {read_column, read_bounds, need_bound, read_mostly}},
    {"expect_column_values_to_be_in_set",
     AX_EXPECT_IN_SET,
     {"column", "mostly", "value_set"},
     {read_column, read_set, read_mostly}},
    {"expect_column_values_to_be_unique",
     AX_EXPECT_UNIQUE,
     {"column", "mostly"},
     {read_column, read_mostly}},
    {"expect_compound_columns_to_be_unique",
     AX_EXPECT_UNIQUE_ROWS,
     {"column_list", "ignore_row_if", "mostly"},
     {read_column_list, read_ignore, read_mostly}},
    {"expect_column_pair_values_a_to_be_greater_than_b",
     AX_EXPECT_PAIR_GREATER,
     {"column_A", "column_B", "or_equal", "ignore_row_if", "mostly"},
     {read_pair, read_ignore, read_mostly}},
    {"expect_table_row_count_to_be_between",
     AX_EXPECT_ROW_COUNT,
     {"min_value", "max_value"},
     {read_bounds}},
    {"expect_table_row_count_to_equal", AX_EXPECT_ROW_COUNT, {"value"}, {read_count}},
    {"expect_column_mean_to_be_between",
     AX_EXPECT_MEAN,
     {"column", "min_value", "max_value", "strict_min", "strict_max"},
     {read_column, read_bounds}},
    {"expect_column_min_to_be_between",
     AX_EXPECT_MIN,
     {"column", "min_value", "max_value", "strict_min", "strict_max"},
     {read_column, read_bounds}},
    {"expect_column_max_to_be_between",
     AX_EXPECT_MAX,
     {"column", "min_value", "max_value", "strict_min", "strict_max"},
     {read_column, read_bounds}},
    {"expect_column_psi_to_be_less_than",
     AX_EXPECT_STABLE,
     {"column", "max_value"},
     {read_column, read_limit}},
};

static const struct rule *
find_rule(ax_str type)
{
    for (size_t i = 0; i < AX_COUNT_OF(rules); i++) {
        if (ax_str_eq(type, ax_str_of(rules[i].type)))
            return &rules[i];
    }
    return NULL;
}

static bool
is_word(const char *const *words, size_t count, ax_str word)
{
    for (size_t i = 0; i < count && words[i]; i++) {
        if (ax_str_eq(word, ax_str_of(words[i])))
            return true;
    }
    return false;
}

/* An argument that is passed over could have said that the rule is about other rows. */
static ax_status
check_arguments(struct ax_ctx *ctx, const struct ax_json *kwargs, const struct rule *rule)
{
    static const char *const without_effect[] = {"batch_id", "result_format", "catch_exceptions",
                                                 "include_config"};
    struct ax_json_iter iter = ax_json_iter_of(kwargs);
    while (ax_json_next(&iter)) {
        bool known = is_word(rule->words, WORDS_MAX, iter.key) ||
                     is_word(without_effect, AX_COUNT_OF(without_effect), iter.key);
        if (!known && ax_json_kind(iter.value) != AX_JSON_NULL)
            return ax_fail(ctx, AX_UNSUPPORTED, "the argument `%.*s` is not judged here",
                           AX_FMT(iter.key));
    }
    return AX_OK;
}

static ax_status
read_severity(struct ax_ctx *ctx, const struct ax_json *json, struct ax_expectation *expectation)
{
    ax_str severity = AX_STR("critical");
    AX_TRY(ax_json_may_text(ctx, json, "severity", &severity));
    if (ax_str_eq(severity, AX_STR("warning")))
        expectation->severity = AX_EXPECT_WARNING;
    else if (ax_str_eq(severity, AX_STR("info")))
        expectation->severity = AX_EXPECT_INFO;
    else if (!ax_str_eq(severity, AX_STR("critical")))
        return ax_fail(ctx, AX_INVALID,
                       "`severity` must be \"critical\", \"warning\" or \"info\", not \"%.*s\"",
                       AX_FMT(severity));
    return AX_OK;
}

static ax_status
read_expectation(struct ax_ctx *ctx, const struct ax_json *json, struct ax_expectation *expectation)
{
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "it must be an object");
    AX_TRY(ax_json_may_text(ctx, json, "expectation_type", &expectation->name));
    AX_TRY(ax_json_may_text(ctx, json, "type", &expectation->name));
    if (!expectation->name.at)
        return ax_fail(ctx, AX_INVALID, "`type` is missing");
    const struct rule *rule = find_rule(expectation->name);
    if (!rule)
        return ax_fail(ctx, AX_UNSUPPORTED, "the type `%.*s` is not judged here",
                       AX_FMT(expectation->name));
    AX_TRY(ax_json_need_object(ctx, json, "kwargs", &expectation->kwargs));
    AX_TRY(check_arguments(ctx, expectation->kwargs, rule));
    AX_TRY(read_severity(ctx, json, expectation));
    expectation->kind = rule->kind;
    expectation->mostly = 1;
    expectation->min = -(double)INFINITY;
    expectation->max = (double)INFINITY;
    for (size_t i = 0; i < READERS_MAX && rule->readers[i]; i++)
        AX_TRY(rule->readers[i](ctx, expectation->kwargs, expectation));
    return AX_OK;
}

static ax_status
read_suite(struct ax_ctx *ctx, ax_str text, struct ax_expectation_suite *suite)
{
    const struct ax_json *json = NULL, *list = NULL;
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "it must be an object");
    suite->name = AX_STR("");
    AX_TRY(ax_json_may_text(ctx, json, "expectation_suite_name", &suite->name));
    AX_TRY(ax_json_may_text(ctx, json, "name", &suite->name));
    AX_TRY(ax_json_need_array(ctx, json, "expectations", &list));
    suite->count = ax_json_count(list);
    if (suite->count > EXPECTATIONS_MAX)
        return ax_fail(ctx, AX_INVALID, "more than %d expectations", EXPECTATIONS_MAX);
    suite->expectations = AX_NEW_ARRAY(ctx->arena, struct ax_expectation, suite->count + 1);
    if (!suite->expectations)
        return no_memory(ctx);
    struct ax_json_iter iter = ax_json_iter_of(list);
    while (ax_json_next(&iter)) {
        ax_status status = read_expectation(ctx, iter.value, &suite->expectations[iter.index]);
        if (status != AX_OK)
            return ax_explain(ctx, status, "expectation %zu", iter.index);
    }
    return AX_OK;
}

ax_status
ax_data_validation_parse(struct ax_ctx *ctx, ax_str json, struct ax_expectation_suite *out_suite)
{
    struct ax_expectation_suite suite = {};
    ax_status status = read_suite(ctx, json, &suite);
    if (status != AX_OK)
        return ax_explain(ctx, status, "suite");
    *out_suite = suite;
    return AX_OK;
}

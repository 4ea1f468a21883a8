#include "dataops/data_validation.h"

#include <math.h>

#include "harness.h"
#include "sys/file.h"

static const ax_str kinds[] = {{"car", 3}, {"radio", 5}, {"tv", 2}};
static const double amounts[] = {10, 20, (double)NAN, 40, 20};
static const double limits[] = {15, 15, 15, (double)NAN, 20};
static const double codes[] = {0, 1, 1, (double)NAN, 2};
static const uint64_t ids[] = {100, 101, 102, 103, 104};
static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"limit", 5}, .kind = AX_FRAME_NUMBER, .values = limits},
    {.name = {"kind", 4},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = kinds,
     .category_count = 3},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 3, .row_count = 5, .row_ids = ids};

static ax_status
judge(struct ax_ctx *ctx, const struct ax_frame *judged, const char *type, const char *kwargs,
      struct ax_expectation_verdict *out_verdict)
{
    struct ax_expectation_suite suite;
    struct ax_expectation_verdict *verdicts = NULL;
    bool success = false;
    ax_str text = ax_str_printf(ctx->arena,
                                "{\"name\":\"s\",\"expectations\":[{\"type\":\"expect_%s\","
                                "\"kwargs\":%s}]}",
                                type, kwargs);
    if (!text.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_data_validation_parse(ctx, text, &suite));
    suite.reference = &frame;
    AX_TRY(ax_data_validation_check(ctx, judged, &suite, &verdicts, &success));
    if (success != verdicts[0].success)
        return ax_fail(ctx, AX_INTERNAL, "the run and its one verdict differ");
    *out_verdict = verdicts[0];
    return AX_OK;
}

static const struct {
    const char *type, *kwargs;
    bool success;
    uint64_t missing, unexpected;
    const char *words;
} verdict_cases[] = {
    {"column_to_exist", "{\"column\":\"kind\"}", true, 0, 0, "column `kind`: expected that"},
    {"column_to_exist", "{\"column\":\"kin\"}", false, 0, 0, "there is none of this name"},
    {"column_values_to_be_of_type", "{\"column\":\"kind\",\"type_\":\"category\"}", true, 0, 0,
     "its type is the one said"},
    {"column_values_to_be_of_type", "{\"column\":\"kind\",\"type_\":\"number\"}", false, 0, 0,
     "its type is the one said"},
    {"column_values_to_not_be_null", "{\"column\":\"amount\"}", false, 0, 1,
     "not so in 1 of 5 judged rows, the first is row 104"},
    {"column_values_to_not_be_null", "{\"column\":\"amount\",\"mostly\":0.8}", true, 0, 1,
     "1 of 5"},
    {"column_values_to_be_between", "{\"column\":\"amount\",\"min_value\":20}", false, 1, 1,
     "not so in 1 of 4 judged rows, the first is row 102"},
    {"column_values_to_be_between", "{\"column\":\"amount\",\"min_value\":10,\"max_value\":40}",
     true, 1, 0, "between the bounds"},
    {"column_values_to_be_between",
     "{\"column\":\"amount\",\"min_value\":10,\"strict_min\":true,\"mostly\":0.75}", true, 1, 1,
     "1 of 4"},
    {"column_values_to_be_between",
     "{\"column\":\"amount\",\"max_value\":40,\"strict_max\":true,\"mostly\":0.76}", false, 1, 1,
     "1 of 4"},
    {"column_values_to_be_between", "{\"column\":\"kind\",\"min_value\":0}", false, 0, 0,
     "column `kind`: it holds categories, not numbers"},
    {"column_values_to_be_in_set", "{\"column\":\"kind\",\"value_set\":[\"car\",\"tv\"]}", false, 1,
     2, "2 of 4"},
    {"column_values_to_be_in_set", "{\"column\":\"kind\",\"value_set\":[0,1,2]}", false, 1, 4,
     "4 of 4"},
    {"column_values_to_be_in_set", "{\"column\":\"kind\",\"value_set\":null}", true, 1, 0, ""},
    {"column_values_to_be_in_set", "{\"column\":\"amount\",\"value_set\":[10,20,40.0]}", true, 1, 0,
     ""},
    {"column_values_to_be_in_set", "{\"column\":\"amount\",\"value_set\":[\"10\",20,40]}", false, 1,
     1, "1 of 4"},
    {"column_values_to_be_unique", "{\"column\":\"amount\"}", false, 1, 2, "2 of 4"},
    {"column_values_to_be_unique", "{\"column\":\"amount\",\"mostly\":0.5}", true, 1, 2, ""},
    {"compound_columns_to_be_unique", "{\"column_list\":[\"amount\",\"kind\"]}", true, 0, 0,
     "column `amount`, `kind`: expected that"},
    {"compound_columns_to_be_unique", "{\"column_list\":[\"limit\",\"kind\"]}", false, 1, 2,
     "not so in 2 of 4 judged rows, the first is row 103"},
    {"column_pair_values_a_to_be_greater_than_b",
     "{\"column_A\":\"amount\",\"column_B\":\"limit\"}", false, 0, 4, "4 of 5"},
    {"column_pair_values_a_to_be_greater_than_b",
     "{\"column_A\":\"amount\",\"column_B\":\"limit\",\"or_equal\":true,"
     "\"ignore_row_if\":\"either_value_is_missing\"}",
     false, 2, 1, "1 of 3"},
    {"table_row_count_to_be_between", "{\"min_value\":5,\"max_value\":5}", true, 0, 0,
     "expected that the number of rows is between the bounds; observed 5"},
    {"table_row_count_to_equal", "{\"value\":4}", false, 0, 0, "observed 5"},
    {"column_mean_to_be_between", "{\"column\":\"amount\",\"min_value\":22,\"max_value\":23}", true,
     1, 0, "observed 22.5"},
    {"column_mean_to_be_between", "{\"column\":\"amount\",\"max_value\":22}", false, 1, 0, ""},
    {"column_min_to_be_between", "{\"column\":\"amount\",\"min_value\":10}", true, 1, 0, "10"},
    {"column_max_to_be_between", "{\"column\":\"amount\",\"max_value\":39}", false, 1, 0, "40"},
    {"column_psi_to_be_less_than", "{\"column\":\"amount\",\"max_value\":0.1}", true, 0, 0,
     "observed 0"},
    {"column_psi_to_be_less_than", "{\"column\":\"age\",\"max_value\":0.1}", false, 0, 0,
     "there is none"},
};

static void
verdicts_body(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(verdict_cases); i++) {
        struct ax_expectation_verdict verdict = {};
        CHECK_EQ(judge(ctx, &frame, verdict_cases[i].type, verdict_cases[i].kwargs, &verdict),
                 AX_OK);
        ax_str message = verdict.message;
        if (verdict.success != verdict_cases[i].success ||
            verdict.missing_count != verdict_cases[i].missing ||
            verdict.unexpected_count != verdict_cases[i].unexpected ||
            ax_str_find(message, ax_str_of(verdict_cases[i].words)) == SIZE_MAX)
            ax_test_failed(__FILE__, __LINE__, "%zu %s %s: %d, %d missing, %d unexpected: %.*s", i,
                           verdict_cases[i].type, verdict_cases[i].kwargs, verdict.success,
                           (int)verdict.missing_count, (int)verdict.unexpected_count,
                           AX_FMT(message));
        ax_arena_reset(ctx->arena);
    }
}

TEST(data_validation_judges_each_kind)
{
    ax_test_with_ctx(verdicts_body);
}

static void
refuses_body(struct ax_ctx *ctx)
{
#define ONE(type, kwargs)                                                                          \
    "{\"expectations\":[{\"type\":\"expect_" type "\",\"kwargs\":" kwargs "}]}"
    static const struct {
        const char *text, *words;
        ax_status status;
    } cases[] = {
        {"", "suite: ", AX_INVALID},
        {"[]", "suite: it must be an object", AX_INVALID},
        {"{}", "`expectations` is missing", AX_INVALID},
        {"{\"expectations\":[1]}", "expectation 0: it must be an object", AX_INVALID},
        {"{\"expectations\":[{\"kwargs\":{}}]}", "expectation 0: `type` is missing", AX_INVALID},
        {"{\"expectations\":[{\"type\":\"expect_column_to_exist\"}]}", "`kwargs` is missing",
         AX_INVALID},
        {ONE("column_kl_divergence_to_be_less_than", "{}"), "is not judged here", AX_UNSUPPORTED},
        {ONE("column_to_exist", "{}"), "`column` is missing", AX_INVALID},
        {ONE("column_to_exist", "{\"column\":\"a\",\"column_index\":1}"),
         "the argument `column_index` is not judged", AX_UNSUPPORTED},
        {ONE("column_values_to_not_be_null", "{\"column\":\"a\",\"row_condition\":\"a > 2\"}"),
         "the argument `row_condition` is not judged", AX_UNSUPPORTED},
        {ONE("column_values_to_not_be_null", "{\"column\":\"a\",\"mostly\":1.1}"),
         "`mostly` must be from 0 to 1", AX_INVALID},
        {ONE("column_values_to_be_between", "{\"column\":\"a\"}"),
         "`min_value` or `max_value` is needed", AX_INVALID},
        {ONE("column_values_to_be_between", "{\"column\":\"a\",\"min_value\":\"1\"}"),
         "`min_value` must be a number", AX_INVALID},
        {ONE("column_values_to_be_between", "{\"column\":\"a\",\"min_value\":2,\"max_value\":1}"),
         "`min_value` is above `max_value`", AX_INVALID},
        {ONE("column_values_to_be_in_set", "{\"column\":\"a\",\"value_set\":[{}]}"),
         "item 0 of `value_set`", AX_INVALID},
        {ONE("column_values_to_be_of_type", "{\"column\":\"a\",\"type_\":\"int64\"}"),
         "`type_` is \"number\" or \"category\" here", AX_UNSUPPORTED},
        {ONE("compound_columns_to_be_unique", "{\"column_list\":[\"a\"]}"),
         "`column_list` must name 2 to 64 columns", AX_INVALID},
        {ONE("compound_columns_to_be_unique", "{\"column_list\":[\"a\",1]}"),
         "item 1 of `column_list`", AX_INVALID},
        {ONE("compound_columns_to_be_unique",
             "{\"column_list\":[\"a\",\"b\"],\"ignore_row_if\":\"x\"}"),
         "`ignore_row_if` cannot be \"x\"", AX_INVALID},
        {ONE("column_psi_to_be_less_than", "{\"column\":\"a\",\"max_value\":0}"),
         "`max_value` of an index is above 0", AX_INVALID},
        {ONE("table_row_count_to_equal", "{}"), "`value` is missing", AX_INVALID},
        {"{\"expectations\":[{\"type\":\"expect_column_to_exist\",\"severity\":\"bad\","
         "\"kwargs\":{\"column\":\"a\"}}]}",
         "`severity` must be", AX_INVALID},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_expectation_suite suite = {.count = 77};
        ax_status status = ax_data_validation_parse(ctx, ax_str_of(cases[i].text), &suite);
        if (status != cases[i].status || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s: %s", cases[i].text, ax_status_name(status),
                           ctx->error);
        CHECK_EQ(suite.count, 77);
    }
}

TEST(data_validation_refuses_what_it_would_judge_wrongly)
{
    ax_test_with_ctx(refuses_body);
}

/* An empty batch passes what is said of its rows, and has no mean. */
static void
empty_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *type, *kwargs;
        bool success;
    } cases[] = {
        {"column_values_to_not_be_null", "{\"column\":\"amount\"}", true},
        {"column_values_to_be_between", "{\"column\":\"amount\",\"min_value\":1}", true},
        {"column_values_to_be_unique", "{\"column\":\"amount\"}", true},
        {"column_psi_to_be_less_than", "{\"column\":\"amount\",\"max_value\":0.1}", true},
        {"column_mean_to_be_between", "{\"column\":\"amount\"}", false},
        {"table_row_count_to_be_between", "{\"min_value\":1}", false},
    };
    struct ax_frame none = frame;
    none.row_count = 0;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_expectation_verdict verdict = {};
        CHECK_EQ(judge(ctx, &none, cases[i].type, cases[i].kwargs, &verdict), AX_OK);
        CHECK_EQ(verdict.success, cases[i].success);
    }
}

TEST(data_validation_of_an_empty_batch)
{
    ax_test_with_ctx(empty_body);
}

/* ---- drift ---- */

enum { DRIFT_ROWS = 400 };

static double then_values[DRIFT_ROWS], now_values[DRIFT_ROWS];
static double then_codes[DRIFT_ROWS], now_codes[DRIFT_ROWS];
static uint64_t drift_ids[DRIFT_ROWS];
static const ax_str then_kinds[] = {{"car", 3}, {"tv", 2}};
static const ax_str now_kinds[] = {{"boat", 4}, {"car", 3}, {"tv", 2}};
static const struct ax_frame_column then_columns[] = {
    {.name = {"v", 1}, .values = then_values},
    {.name = {"k", 1},
     .kind = AX_FRAME_CATEGORY,
     .values = then_codes,
     .categories = then_kinds,
     .category_count = 2},
};
static const struct ax_frame_column now_columns[] = {
    {.name = {"v", 1}, .values = now_values},
    {.name = {"k", 1},
     .kind = AX_FRAME_CATEGORY,
     .values = now_codes,
     .categories = now_kinds,
     .category_count = 3},
};
static const struct ax_frame then_frame = {
    .columns = then_columns, .column_count = 2, .row_count = DRIFT_ROWS, .row_ids = drift_ids};

static void
drift_body(struct ax_ctx *ctx)
{
    static const struct {
        double shift;
        size_t boats;     /* a category that the reference does not know */
        size_t missing;   /* values now missing */
        size_t row_count; /* of now */
        bool number_stable, category_stable;
    } cases[] = {
        {0, 0, 0, 400, true, true},    {100, 0, 0, 400, false, true}, {0, 100, 0, 400, true, false},
        {0, 0, 100, 400, false, true}, {100, 1, 0, 4, true, true}, /* four rows show nothing: past
                                                                      the limit, not past chance */
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        for (size_t r = 0; r < DRIFT_ROWS; r++) {
            then_values[r] = (double)r;
            then_codes[r] = (double)(r % 2);
            size_t spread = r * (DRIFT_ROWS / cases[i].row_count) % DRIFT_ROWS;
            now_values[r] = r < cases[i].missing ? (double)NAN : (double)spread + cases[i].shift;
            now_codes[r] = r < cases[i].boats ? 0 : (double)(1 + r % 2);
        }
        const struct ax_frame now = {.columns = now_columns,
                                     .column_count = 2,
                                     .row_count = cases[i].row_count,
                                     .row_ids = drift_ids};
        struct ax_expectation_suite suite;
        struct ax_expectation_verdict *verdicts = NULL;
        bool success;
        CHECK_EQ(ax_data_validation_parse(
                     ctx,
                     AX_STR("{\"expectations\":["
                            "{\"type\":\"expect_column_psi_to_be_less_than\",\"kwargs\":"
                            "{\"column\":\"v\",\"max_value\":0.1}},"
                            "{\"type\":\"expect_column_psi_to_be_less_than\",\"kwargs\":"
                            "{\"column\":\"k\",\"max_value\":0.1},\"severity\":\"warning\"}]}"),
                     &suite),
                 AX_OK);
        CHECK_EQ(ax_data_validation_check(ctx, &now, &suite, &verdicts, &success), AX_INVALID);
        CHECK(strstr(ctx->error, "compares with a reference, and there is none") != NULL);
        suite.reference = &then_frame;
        CHECK_EQ(ax_data_validation_check(ctx, &now, &suite, &verdicts, &success), AX_OK);
        if (verdicts[0].success != cases[i].number_stable ||
            verdicts[1].success != cases[i].category_stable)
            ax_test_failed(__FILE__, __LINE__, "case %zu: %f and %f", i, verdicts[0].observed,
                           verdicts[1].observed);
        CHECK_EQ(success, cases[i].number_stable); /* a warning stops nothing */
        ax_arena_reset(ctx->arena);
    }
}

TEST(data_validation_tells_drift_from_chance)
{
    ax_test_with_ctx(drift_body);
}

/* ---- as a document ---- */

static void
format_body(struct ax_ctx *ctx)
{
    struct ax_expectation_suite suite;
    struct ax_expectation_verdict *verdicts = NULL;
    bool success;
    ax_str text = {};
    CHECK_EQ(ax_data_validation_parse(
                 ctx,
                 AX_STR("{\"expectation_suite_name\":\"old\",\"expectations\":["
                        "{\"expectation_type\":\"expect_column_values_to_be_between\","
                        "\"severity\":\"warning\",\"meta\":{},\"kwargs\":{\"column\":\"amount\","
                        "\"min_value\":20,\"batch_id\":\"b\",\"row_condition\":null}},"
                        "{\"type\":\"expect_column_mean_to_be_between\",\"kwargs\":"
                        "{\"column\":\"kind\"}}]}"),
                 &suite),
             AX_OK);
    CHECK_EQ(ax_data_validation_check(ctx, &frame, &suite, &verdicts, &success), AX_OK);
    CHECK(!success);
    CHECK_EQ(ax_data_validation_format(ctx, &frame, &suite, verdicts, &text), AX_OK);
    CHECK_STR(text,
              "{\"success\":false,\"suite_name\":\"old\",\"statistics\":{"
              "\"evaluated_expectations\":2,\"successful_expectations\":0,"
              "\"unsuccessful_expectations\":2,\"success_percent\":0},\"results\":["
              "{\"success\":false,\"expectation_config\":{\"type\":"
              "\"expect_column_values_to_be_between\",\"kwargs\":{\"column\":\"amount\","
              "\"min_value\":20,\"batch_id\":\"b\",\"row_condition\":null},"
              "\"severity\":\"warning\"},"
              "\"exception_info\":{\"raised_exception\":false,\"exception_message\":null},"
              "\"result\":{\"element_count\":5,\"unexpected_count\":1,\"unexpected_percent\":25,"
              "\"partial_unexpected_list\":[10],\"missing_count\":1,\"missing_percent\":20,"
              "\"unexpected_percent_total\":20,\"unexpected_percent_nonmissing\":25},"
              "\"meta\":{\"message\":\"column `amount`: expected that each value is between the "
              "bounds; not so in 1 of 4 judged rows, the first is row 102\"}},"
              "{\"success\":false,\"expectation_config\":{\"type\":"
              "\"expect_column_mean_to_be_between\",\"kwargs\":{\"column\":\"kind\"},"
              "\"severity\":\"critical\"},\"exception_info\":{\"raised_exception\":true,"
              "\"exception_message\":\"column `kind`: it holds categories, not numbers\"},"
              "\"result\":{},\"meta\":{\"message\":"
              "\"column `kind`: it holds categories, not numbers\"}}]}");
}

TEST(data_validation_writes_the_result_document)
{
    ax_test_with_ctx(format_body);
}

/* ---- Great Expectations' own verdicts ---- */

/* The document says null for the one infinity in its tables: row 3 of `f` (its verdicts show it).
 */
static double
golden_null(const struct ax_frame_column *column, size_t row)
{
    return ax_str_eq(column->name, AX_STR("f")) && row == 3 ? (double)INFINITY : (double)NAN;
}

static ax_status
golden_column(struct ax_ctx *ctx, const struct ax_json *rows, size_t at,
              struct ax_frame_column *column)
{
    size_t row_count = ax_json_count(rows);
    double *values = AX_NEW_ARRAY(ctx->arena, double, row_count + 1);
    ax_str *categories = AX_NEW_ARRAY(ctx->arena, ax_str, row_count + 1);
    if (!values || !categories)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    column->values = values;
    column->categories = categories;
    struct ax_json_iter iter = ax_json_iter_of(rows);
    while (ax_json_next(&iter)) {
        struct ax_json_iter cells = ax_json_iter_of(iter.value);
        while (ax_json_next(&cells) && cells.index < at)
            continue;
        ax_str text = {};
        values[iter.index] = golden_null(column, iter.index);
        if (ax_json_text(cells.value, &text)) {
            column->kind = AX_FRAME_CATEGORY;
            size_t code = ax_frame_code(column, text);
            if (code == SIZE_MAX)
                categories[code = column->category_count++] = text;
            values[iter.index] = (double)code;
        } else {
            ax_ignore(ax_json_f64(cells.value, &values[iter.index]) ? AX_OK : AX_INVALID,
                      "null stays missing");
        }
    }
    return AX_OK;
}

static ax_status
golden_frame(struct ax_ctx *ctx, const struct ax_json *table, struct ax_frame *out_frame)
{
    const struct ax_json *names = ax_json_find(table, "columns"),
                         *rows = ax_json_find(table, "data");
    struct ax_frame_column *found =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, ax_json_count(names));
    uint64_t *row_ids = AX_NEW_ARRAY(ctx->arena, uint64_t, ax_json_count(rows) + 1);
    if (!found || !row_ids)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    struct ax_json_iter iter = ax_json_iter_of(names);
    while (ax_json_next(&iter)) {
        if (!ax_json_text(iter.value, &found[iter.index].name))
            return ax_fail(ctx, AX_INVALID, "a name");
        AX_TRY(golden_column(ctx, rows, iter.index, &found[iter.index]));
    }
    *out_frame = (struct ax_frame){.columns = found,
                                   .column_count = ax_json_count(names),
                                   .row_count = ax_json_count(rows),
                                   .row_ids = row_ids};
    return AX_OK;
}

/* Says 1 when the case was judged, 0 when it is of a kind or has an argument that we leave. */
static int
golden_case(struct ax_ctx *ctx, const struct ax_json *tables, const struct ax_json *one)
{
    ax_str table = {}, type = {}, kwargs = {};
    bool wanted = false;
    struct ax_frame judged;
    struct ax_expectation_verdict verdict = {};
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    CHECK_EQ(ax_json_need_text(ctx, one, "table", &table), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, one, "type", &type), AX_OK);
    if (!ax_json_bool(ax_json_find(one, "success"), &wanted))
        return 0; /* refused when it was made, before there was a verdict */
    ax_json_print(ax_json_find(one, "kwargs"), &text);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &kwargs), AX_OK);
    CHECK_EQ(golden_frame(ctx, ax_json_find(tables, ax_str_c(ctx->arena, table)), &judged), AX_OK);
    ax_status status = judge(ctx, &judged, ax_str_c(ctx->arena, ax_str_from(type, 7)),
                             ax_str_c(ctx->arena, kwargs), &verdict);
    if (status == AX_UNSUPPORTED)
        return 0;
    /* What Great Expectations finds wrong while it runs may be refused by us before. */
    bool success = status == AX_OK && verdict.success;
    if (success != wanted)
        ax_test_failed(__FILE__, __LINE__, "%.*s %.*s: %d, and %d for Great Expectations: %s",
                       AX_FMT(type), AX_FMT(kwargs), success, wanted, ctx->error);
    int64_t unexpected = -1;
    const struct ax_json *result = ax_json_find(one, "result");
    if (status == AX_OK && ax_json_i64(ax_json_find(result, "unexpected_count"), &unexpected))
        CHECK_EQ(verdict.unexpected_count, unexpected);
    return 1;
}

TEST(data_validation_agrees_with_great_expectations)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str text = {};
    const struct ax_json *golden = NULL;
    int judged = 0;
    if (ax_file_read_all(&ctx, AX_STR("../shared/oracles/monitoring/gx_edge_golden.json"), 16 << 20,
                         &text) != AX_OK) {
        printf("skipped: ../shared/oracles/monitoring/gx_edge_golden.json is not here\n");
        return;
    }
    const struct ax_json_limits as_python = {.raw_numbers = true, .special_floats = true};
    CHECK_EQ(ax_json_parse(&ctx, text, &as_python, &golden), AX_OK);
    struct ax_json_iter iter = ax_json_iter_of(ax_json_find(golden, "cases"));
    while (ax_json_next(&iter))
        judged += golden_case(&ctx, ax_json_find(golden, "tables"), iter.value);
    printf("%d verdicts compared\n", judged);
    CHECK(judged >= 40);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const char suite_text[] =
        "{\"expectations\":["
        "{\"type\":\"expect_column_values_to_be_in_set\",\"kwargs\":{\"column\":\"kind\","
        "\"value_set\":[\"car\"]}},"
        "{\"type\":\"expect_compound_columns_to_be_unique\",\"kwargs\":{\"column_list\":"
        "[\"kind\",\"limit\"]}},"
        "{\"type\":\"expect_column_pair_values_a_to_be_greater_than_b\",\"kwargs\":"
        "{\"column_A\":\"amount\",\"column_B\":\"limit\"}},"
        "{\"type\":\"expect_column_psi_to_be_less_than\",\"kwargs\":{\"column\":\"kind\","
        "\"max_value\":1}},"
        "{\"type\":\"expect_column_psi_to_be_less_than\",\"kwargs\":{\"column\":\"amount\","
        "\"max_value\":1}},"
        "{\"type\":\"expect_column_mean_to_be_between\",\"kwargs\":{\"column\":\"none\"}}]}";
    struct ax_expectation_suite suite;
    struct ax_expectation_verdict *verdicts = NULL;
    bool success;
    ax_str text = {};
    AX_TRY(ax_data_validation_parse(ctx, ax_str_of(suite_text), &suite));
    suite.reference = &frame;
    AX_TRY(ax_data_validation_check(ctx, &frame, &suite, &verdicts, &success));
    return ax_data_validation_format(ctx, &frame, &suite, verdicts, &text);
}

TEST(data_validation_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

#include <math.h>

#include "dataops/data_validation.h"

enum { PARTIAL_ROWS_MAX = 20 };

static const size_t RESULT_BYTES_MAX = (size_t)256 << 20;

static void
put_value(struct ax_json_writer *json, const struct ax_frame_column *column, size_t row)
{
    double value = column->values[row];
    if (isnan(value))
        ax_json_put_null(json);
    else if (column->kind == AX_FRAME_CATEGORY)
        ax_json_put_text(json, column->categories[(size_t)value]);
    else
        ax_json_put_f64(json, value);
}

/* One value; a pair as a list; several columns as an object. */
static void
put_row(struct ax_json_writer *json, const struct ax_frame *frame,
        const struct ax_expectation *expectation, size_t row)
{
    bool pair = expectation->kind == AX_EXPECT_PAIR_GREATER;
    bool several = expectation->column_count > 1;
    if (pair)
        ax_json_begin_array(json);
    else if (several)
        ax_json_begin_object(json);
    for (size_t i = 0; i < expectation->column_count; i++) {
        if (several && !pair)
            ax_json_key_str(json, expectation->columns[i]);
        put_value(json, &frame->columns[ax_frame_find(frame, expectation->columns[i])], row);
    }
    if (pair)
        ax_json_end_array(json);
    else if (several)
        ax_json_end_object(json);
}

/* null when there is nothing to take a share of. */
static void
put_percent(struct ax_json_writer *json, const char *key, uint64_t part, uint64_t whole)
{
    ax_json_key(json, key);
    if (whole == 0)
        ax_json_put_null(json);
    else
        ax_json_put_f64(json, 100 * ((double)part / (double)whole));
}

static void
put_rows(struct ax_json_writer *json, const struct ax_frame *frame,
         const struct ax_expectation *expectation, const struct ax_expectation_verdict *verdict)
{
    uint64_t rows = verdict->element_count, unexpected = verdict->unexpected_count;
    uint64_t judged = rows - verdict->missing_count;
    ax_json_member_i64(json, "element_count", (int64_t)rows);
    ax_json_member_i64(json, "unexpected_count", (int64_t)unexpected);
    put_percent(json, "unexpected_percent", unexpected, judged);
    ax_json_key(json, "partial_unexpected_list");
    ax_json_begin_array(json);
    for (uint64_t i = 0; i < unexpected && i < PARTIAL_ROWS_MAX; i++)
        put_row(json, frame, expectation, verdict->unexpected[i]);
    ax_json_end_array(json);
    if (expectation->kind == AX_EXPECT_NOT_NULL)
        return;
    ax_json_member_i64(json, "missing_count", (int64_t)verdict->missing_count);
    put_percent(json, "missing_percent", verdict->missing_count, rows);
    put_percent(json, "unexpected_percent_total", unexpected, rows);
    put_percent(json, "unexpected_percent_nonmissing", unexpected, judged);
}

static void
put_result(struct ax_json_writer *json, const struct ax_frame *frame,
           const struct ax_expectation *expectation, const struct ax_expectation_verdict *verdict)
{
    ax_json_key(json, "result");
    ax_json_begin_object(json);
    if (verdict->judged && verdict->unexpected) {
        put_rows(json, frame, expectation, verdict);
    } else if (verdict->judged && expectation->kind == AX_EXPECT_TYPE) {
        bool number = verdict->success == (expectation->type == AX_FRAME_NUMBER);
        ax_json_member_text(json, "observed_value", number ? AX_STR("number") : AX_STR("category"));
    } else if (verdict->judged && expectation->kind != AX_EXPECT_COLUMN) {
        ax_json_member_f64(json, "observed_value", verdict->observed);
    }
    ax_json_end_object(json);
}

static void
put_config(struct ax_json_writer *json, const struct ax_expectation *expectation)
{
    static const char *const severities[] = {
        [AX_EXPECT_CRITICAL] = "critical",
        [AX_EXPECT_WARNING] = "warning",
        [AX_EXPECT_INFO] = "info",
    };
    ax_json_key(json, "expectation_config");
    ax_json_begin_object(json);
    ax_json_member_text(json, "type", expectation->name);
    ax_json_key(json, "kwargs");
    ax_json_put(json, expectation->kwargs);
    ax_json_member_text(json, "severity", ax_str_of(severities[expectation->severity]));
    ax_json_end_object(json);
}

static void
put_verdict(struct ax_json_writer *json, const struct ax_frame *frame,
            const struct ax_expectation *expectation, const struct ax_expectation_verdict *verdict)
{
    bool missed = !verdict->judged && expectation->kind != AX_EXPECT_COLUMN;
    ax_json_begin_object(json);
    ax_json_member_bool(json, "success", verdict->success);
    put_config(json, expectation);
    ax_json_key(json, "exception_info");
    ax_json_begin_object(json);
    ax_json_member_bool(json, "raised_exception", missed);
    ax_json_key(json, "exception_message");
    if (missed)
        ax_json_put_text(json, verdict->message);
    else
        ax_json_put_null(json);
    ax_json_end_object(json);
    put_result(json, frame, expectation, verdict);
    ax_json_key(json, "meta");
    ax_json_begin_object(json);
    ax_json_member_text(json, "message", verdict->message);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

ax_status
ax_data_validation_format(struct ax_ctx *ctx, const struct ax_frame *frame,
                          const struct ax_expectation_suite *suite,
                          const struct ax_expectation_verdict *verdicts, ax_str *out_json)
{
    uint64_t good = 0;
    for (size_t i = 0; i < suite->count; i++)
        good += verdicts[i].success;
    ax_writer_auto struct ax_writer text = ax_writer_of(RESULT_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_bool(&json, "success", good == suite->count);
    ax_json_member_text(&json, "suite_name", suite->name);
    ax_json_key(&json, "statistics");
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "evaluated_expectations", (int64_t)suite->count);
    ax_json_member_i64(&json, "successful_expectations", (int64_t)good);
    ax_json_member_i64(&json, "unsuccessful_expectations", (int64_t)(suite->count - good));
    put_percent(&json, "success_percent", good, suite->count);
    ax_json_end_object(&json);
    ax_json_key(&json, "results");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < suite->count; i++)
        put_verdict(&json, frame, &suite->expectations[i], &verdicts[i]);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    if (text.status != AX_OK || ax_writer_take(&text, ctx->arena, out_json) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a result of %zu verdicts", suite->count);
    return AX_OK;
}

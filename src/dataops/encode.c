#include "dataops/encode.h"

#include <math.h>

#include "codec/json.h"

static const size_t SIGNATURE_BYTES_MAX = (size_t)64 << 20;

/* What the training rows show of a column. */
struct seen {
    bool missing;
    double min, max; /* infinite, the wrong way round, when no value is there */
};

static struct seen
look(const struct ax_frame *training, const struct ax_frame_column *column)
{
    struct seen seen = {.min = (double)INFINITY, .max = -(double)INFINITY};
    for (size_t r = 0; r < training->row_count; r++) {
        double value = column->values[r];
        seen.missing = seen.missing || isnan(value);
        seen.min = value < seen.min ? value : seen.min;
        seen.max = value > seen.max ? value : seen.max;
    }
    return seen;
}

static void
write_domain(struct ax_json_writer *json, const struct ax_schema_column *declared,
             const struct seen *seen)
{
    double min = declared && isfinite(declared->min) ? declared->min : seen->min;
    double max = declared && isfinite(declared->max) ? declared->max : seen->max;
    if (isfinite(min))
        ax_json_member_f64(json, "min", min);
    if (isfinite(max))
        ax_json_member_f64(json, "max", max);
}

static void
write_categories(struct ax_json_writer *json, const struct ax_schema_column *declared,
                 const struct ax_frame_column *column)
{
    bool to_missing = declared && declared->unknown_is_missing;
    ax_json_member_text(json, "unknown", to_missing ? AX_STR("missing") : AX_STR("refuse"));
    ax_json_key(json, "categories");
    ax_json_begin_array(json);
    for (size_t i = 0; i < column->category_count; i++)
        ax_json_put_text(json, column->categories[i]);
    ax_json_end_array(json);
}

static void
write_feature(struct ax_json_writer *json, const struct ax_schema_column *declared,
              const struct ax_frame *training, const struct ax_frame_column *column)
{
    struct seen seen = look(training, column);
    bool number = column->kind == AX_FRAME_NUMBER;
    bool refused = declared && declared->missing_refused;
    bool accepted = !refused && (seen.missing || (declared && declared->missing_accepted));
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", column->name);
    ax_json_member_text(json, "type", number ? AX_STR("number") : AX_STR("category"));
    ax_json_member_text(json, "missing", accepted ? AX_STR("accept") : AX_STR("refuse"));
    if (number)
        write_domain(json, declared, &seen);
    else
        write_categories(json, declared, column);
    ax_json_end_object(json);
}

static void
write_signature(struct ax_json_writer *json, const struct ax_schema *schema,
                const struct ax_frame *training)
{
    ax_json_begin_object(json);
    ax_json_key(json, "features");
    ax_json_begin_array(json);
    for (size_t c = 0; c < training->column_count; c++) {
        const struct ax_frame_column *column = &training->columns[c];
        write_feature(json, ax_schema_find(schema, column->name), training, column);
    }
    ax_json_end_array(json);
    ax_json_key(json, "target");
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", schema->target);
    ax_json_member_text(json, "positive", schema->positive);
    ax_json_end_object(json);
    ax_json_member_text(json, "response", AX_STR("probability"));
    ax_json_key(json, "protected_excluded");
    ax_json_begin_array(json);
    for (size_t i = 0; i < schema->protected_count; i++)
        ax_json_put_text(json, schema->protected_columns[i]);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

/* The rows come from ingestion, which lets none of these through; a caller's mistake ends here. */
static ax_status
check_features(struct ax_ctx *ctx, const struct ax_schema *schema, const struct ax_frame *training)
{
    if (training->column_count == 0 || training->row_count == 0)
        return ax_fail(ctx, AX_INVALID, "a signature needs features and training rows");
    for (size_t c = 0; c < training->column_count; c++) {
        ax_str name = training->columns[c].name;
        if (ax_schema_role(schema, name) != AX_SCHEMA_FEATURE)
            return ax_fail(ctx, AX_INVALID,
                           "column `%.*s` is target, key, protected or ignored: no model may "
                           "have it as a feature",
                           AX_FMT(name));
    }
    return AX_OK;
}

ax_status
ax_encode_signature(struct ax_ctx *ctx, const struct ax_schema *schema,
                    const struct ax_frame *training, ax_str *out_json)
{
    AX_TRY(check_features(ctx, schema, training));
    ax_writer_auto struct ax_writer text = ax_writer_of(SIGNATURE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    write_signature(&json, schema, training);
    if (text.status != AX_OK || ax_writer_take(&text, ctx->arena, out_json) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a signature");
    return AX_OK;
}

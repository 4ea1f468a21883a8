/*
 * Training and serving encode one applicant to the same bytes (docs/formats.md section 3).
 *
 * Each row of a table goes three ways: through ingestion (what a model learns from), through the
 * signature as JSON features (a decision request) and through the signature as text (axiom score).
 */
#include <math.h>

#include "base/number.h"
#include "codec/csv.h"
#include "dataops/encode.h"
#include "dataops/ingestion.h"
#include "harness.h"
#include "serving/signature.h"
#include "sys/file.h"

static bool
same_bits(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

/* The cells of one row that are features, as the object a caller would send. */
static void
put_features(struct ax_json_writer *json, const struct ax_signature *signature,
             const struct ax_csv *csv, const struct ax_csv_row *row)
{
    ax_json_begin_object(json);
    for (size_t i = 0; i < signature->feature_count; i++) {
        const struct ax_signature_feature *feature = &signature->features[i];
        ax_str cell = row->fields[ax_csv_column(csv, feature->name)];
        double number = 0;
        ax_json_key_str(json, feature->name);
        if (cell.len == 0)
            ax_json_put_null(json);
        else if (feature->kind == AX_FEATURE_CATEGORY)
            ax_json_put_text(json, cell);
        else if (ax_parse_f64(cell, &number))
            ax_json_put_f64(json, number);
    }
    ax_json_end_object(json);
}

static void
check_row(struct ax_ctx *ctx, const struct ax_signature *signature, const struct ax_frame *frame,
          const struct ax_csv *csv, const struct ax_csv_row *row)
{
    size_t count = signature->feature_count;
    double *trained = AX_NEW_ARRAY(ctx->arena, double, count);
    double *served = AX_NEW_ARRAY(ctx->arena, double, count);
    const struct ax_json *features = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&text);
    put_features(&json, signature, csv, row);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&text), NULL, &features), AX_OK);
    CHECK_EQ(ax_signature_encode(ctx, signature, features, served), AX_OK);
    ax_frame_row(frame, row->number - 2, trained);
    for (size_t i = 0; i < count; i++) {
        ax_str cell = row->fields[ax_csv_column(csv, signature->names[i])];
        double scored = 0;
        CHECK(ax_str_eq(frame->columns[i].name, signature->names[i]));
        CHECK_EQ(ax_signature_encode_text(ctx, signature, i, cell, &scored), AX_OK);
        if (!same_bits(trained[i], served[i]) || !same_bits(trained[i], scored))
            ax_test_failed(__FILE__, __LINE__, "row %zu, `%.*s`: %a, %a and %a", row->number,
                           AX_FMT(signature->names[i]), trained[i], served[i], scored);
    }
}

static void
check_table(struct ax_ctx *ctx, const char *schema_text, ax_str text, size_t row_count)
{
    struct ax_schema schema;
    struct ax_batch batch;
    struct ax_signature *signature = NULL;
    struct ax_csv *csv = NULL;
    struct ax_csv_row row = {};
    const struct ax_json *json = NULL;
    ax_str signed_text = {};
    size_t rows = 0;
    CHECK_EQ(ax_schema_parse(ctx, ax_str_of(schema_text), &schema), AX_OK);
    CHECK_EQ(ax_ingestion_csv(ctx, &schema, text, &batch), AX_OK);
    CHECK_EQ(ax_encode_signature(ctx, &schema, &batch.features, &signed_text), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, signed_text, NULL, &json), AX_OK);
    CHECK_EQ(ax_signature_parse(ctx, json, &signature), AX_OK);
    CHECK_EQ(ax_csv_open(ctx, text, NULL, &csv), AX_OK);
    for (;;) {
        CHECK_EQ(ax_csv_next(csv, ctx, &row), AX_OK);
        if (!row.fields)
            break;
        check_row(ctx, signature, &batch.features, csv, &row);
        rows++;
    }
    CHECK_EQ(rows, row_count);
}

TEST(training_and_serving_encode_small_oddities_alike)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    check_table(&ctx,
                "{\"target\":{\"column\":\"y\",\"positive\":\"1\"},\"protected\":[\"age\"],"
                "\"columns\":{\"k\":{\"type\":\"category\",\"categories\":[\"z\",\"a\"],"
                "\"unknown\":\"missing\"},\"code\":{\"type\":\"category\"}}}",
                AX_STR("v,k,code,age,y\n0.1,z,007,3,1\n2E2,a,7,4,0\n,never seen,7.0,5,0\n"
                       "1e-300,a,\"q\"\"\xc3\xa4\",6,1\n179769313486231570000,z,7,7,0\n"),
                5);
}

TEST(training_and_serving_encode_every_german_applicant_alike)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str text = {};
    CHECK_EQ(ax_file_read_all(&ctx, AX_STR("demo/german_credit.csv"), 1 << 20, &text), AX_OK);
    check_table(&ctx,
                "{\"target\":{\"column\":\"creditability\",\"positive\":\"bad\"},\"protected\":["
                "\"personal_status_and_sex\",\"age_in_years\",\"foreign_worker\"]}",
                text, 1000);
}

TEST(training_and_serving_know_one_zero)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(8 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    check_table(&ctx, "{\"target\":{\"column\":\"y\",\"positive\":\"1\"}}",
                AX_STR("v,y\n-0,1\n0,0\n-0.0,0\n"), 3);
}

#include "dataops/encode.h"

#include <math.h>

#include "dataops/ingestion.h"
#include "harness.h"

static const char schema_text[] =
    "{\"target\":{\"column\":\"y\",\"positive\":\"bad\"},\"protected\":[\"age\"],\"columns\":{"
    "\"term\":{\"type\":\"number\",\"min\":1},"
    "\"kind\":{\"type\":\"category\",\"categories\":[\"z\",\"a\"],\"unknown\":\"missing\"},"
    "\"rate\":{\"missing\":\"accept\"},\"own\":{\"missing\":\"refuse\"}}}";
static const char rows_text[] = "term,kind,rate,gap,own,age,y\n"
                                "12,a,0.5,,yes,30,bad\n"
                                "24,z,1.5,3,no,31,good\n"
                                "999,z,99,4,no,32,good\n";

static ax_status
read_rows(struct ax_ctx *ctx, struct ax_batch *out_batch)
{
    struct ax_schema *schema = AX_NEW(ctx->arena, struct ax_schema);
    if (!schema)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_schema_parse(ctx, ax_str_of(schema_text), schema));
    return ax_ingestion_csv(ctx, schema, ax_str_of(rows_text), out_batch);
}

/* The domain is that of the training rows: the third row is not among them. */
static ax_status
sign(struct ax_ctx *ctx, ax_str *out_text)
{
    static const uint32_t training_rows[] = {0, 1};
    struct ax_batch batch;
    struct ax_frame training;
    AX_TRY(read_rows(ctx, &batch));
    AX_TRY(ax_frame_take(ctx, &batch.features, training_rows, 2, &training));
    return ax_encode_signature(ctx, &batch.schema, &training, out_text);
}

static void
signature_body(struct ax_ctx *ctx)
{
    ax_str text = {};
    CHECK_EQ(sign(ctx, &text), AX_OK);
    CHECK_STR(
        text,
        "{\"features\":["
        "{\"name\":\"term\",\"type\":\"number\",\"missing\":\"refuse\",\"min\":1,\"max\":24},"
        "{\"name\":\"kind\",\"type\":\"category\",\"missing\":\"refuse\",\"unknown\":\"missing\","
        "\"categories\":[\"z\",\"a\"]},"
        "{\"name\":\"rate\",\"type\":\"number\",\"missing\":\"accept\",\"min\":0.5,\"max\":1.5},"
        "{\"name\":\"gap\",\"type\":\"number\",\"missing\":\"accept\",\"min\":3,\"max\":3},"
        "{\"name\":\"own\",\"type\":\"category\",\"missing\":\"refuse\",\"unknown\":\"refuse\","
        "\"categories\":[\"no\",\"yes\"]}],"
        "\"target\":{\"name\":\"y\",\"positive\":\"bad\"},\"response\":\"probability\","
        "\"protected_excluded\":[\"age\"]}");
}

TEST(encode_writes_tables_missing_rule_and_domain_of_the_training_rows)
{
    ax_test_with_ctx(signature_body);
}

static void
refuses_body(struct ax_ctx *ctx)
{
    struct ax_batch batch;
    struct ax_frame none = {};
    ax_str text = {};
    CHECK_EQ(read_rows(ctx, &batch), AX_OK);
    CHECK_EQ(ax_encode_signature(ctx, &batch.schema, &batch.protected, &text), AX_INVALID);
    CHECK(strstr(ctx->error, "column `age` is target, key, protected or ignored") != NULL);
    CHECK_EQ(ax_encode_signature(ctx, &batch.schema, &none, &text), AX_INVALID);
    CHECK(!text.at);
}

TEST(r70_encode_signs_no_protected_column)
{
    ax_test_with_ctx(refuses_body);
}

/* A column of which the training rows show nothing has no domain, and accepts that. */
static void
empty_column_body(struct ax_ctx *ctx)
{
    static const double values[] = {(double)NAN, (double)NAN};
    static const uint64_t ids[] = {0, 1};
    const struct ax_frame_column column = {.name = AX_STR("gap"), .values = values};
    const struct ax_frame frame = {
        .columns = &column, .column_count = 1, .row_count = 2, .row_ids = ids};
    const struct ax_schema schema = {.target = AX_STR("y"), .positive = AX_STR("1")};
    ax_str text = {};
    CHECK_EQ(ax_encode_signature(ctx, &schema, &frame, &text), AX_OK);
    CHECK(ax_str_starts(text, AX_STR("{\"features\":[{\"name\":\"gap\",\"type\":\"number\","
                                     "\"missing\":\"accept\"}]")));
}

TEST(encode_gives_no_domain_to_a_column_without_values)
{
    ax_test_with_ctx(empty_column_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    ax_str text = {};
    return sign(ctx, &text);
}

TEST(encode_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

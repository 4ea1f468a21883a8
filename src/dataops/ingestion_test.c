#include "dataops/ingestion.h"

#include <math.h>

#include "harness.h"
#include "sys/file.h"

#define TARGET "\"target\":{\"column\":\"y\",\"positive\":\"bad\"}"

static const char declared_schema[] =
    "{" TARGET ",\"protected\":[\"age\"],\"missing\":[\"NA\"],\"columns\":{"
    "\"amount\":{\"type\":\"number\",\"min\":0,\"max\":100,\"missing\":\"refuse\"},"
    "\"purpose\":{\"type\":\"category\",\"categories\":[\"tv\",\"car\"]}}}";
static const char open_schema[] = "{" TARGET ",\"protected\":[\"age\"],\"ignored\":[\"note\"],"
                                  "\"key\":\"id\",\"missing\":[\"NA\"]}";

static ax_status
ingest(struct ax_ctx *ctx, const char *schema_text, ax_str csv, struct ax_batch *out_batch)
{
    struct ax_schema *schema = AX_NEW(ctx->arena, struct ax_schema);
    if (!schema)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    AX_TRY(ax_schema_parse(ctx, ax_str_of(schema_text), schema));
    return ax_ingestion_csv(ctx, schema, csv, out_batch);
}

static void
finds_body(struct ax_ctx *ctx)
{
    static const char text[] = "id,amount,purpose,age,note,y\n"
                               "a1,1.5,tv,30,x,bad\n"
                               "a2,,car,41,\"y, z\",good\n"
                               "a3,-0,NA,NA,,good\n"
                               "a4,-7,\"radio \"\"fm\"\"\",30,,bad\n";
    struct ax_batch batch = {};
    REQUIRE(ingest(ctx, open_schema, ax_str_of(text), &batch) == AX_OK);
    const struct ax_frame *features = &batch.features;
    REQUIRE(features->columns && features->columns[0].values);
    CHECK_EQ(features->row_count, 4);
    CHECK_EQ(features->column_count, 2);
    CHECK_STR(features->columns[0].name, "amount");
    CHECK_EQ(features->columns[0].kind, AX_FRAME_NUMBER);
    CHECK(features->columns[0].values[0] == 1.5 && isnan(features->columns[0].values[1]) &&
          features->columns[0].values[2] == 0 && !signbit(features->columns[0].values[2]) &&
          features->columns[0].values[3] == -7);
    const struct ax_frame_column *purpose = &features->columns[1];
    CHECK_EQ(purpose->kind, AX_FRAME_CATEGORY);
    CHECK_EQ(purpose->category_count, 3); /* by their bytes: car, radio "fm", tv */
    CHECK_STR(purpose->categories[0], "car");
    CHECK_STR(purpose->categories[1], "radio \"fm\"");
    CHECK_STR(purpose->categories[2], "tv");
    CHECK(purpose->values[0] == 2 && purpose->values[1] == 0 && isnan(purpose->values[2]) &&
          purpose->values[3] == 1);
    CHECK(features->labels[0] == 1 && features->labels[1] == 0 && features->labels[3] == 1);
    CHECK_EQ(batch.positive_count, 2);
    CHECK_EQ(features->row_ids[3], 3);
    CHECK(batch.keys && ax_str_eq(batch.keys[2], AX_STR("a3")));
}

TEST(ingestion_finds_types_tables_and_missing_values)
{
    ax_test_with_ctx(finds_body);
}

static void
profiles_body(struct ax_ctx *ctx)
{
    static const char text[] = "id,amount,purpose,age,note,y\n"
                               "1,4,tv,30,x,bad\n"
                               "2,,car,41,x,good\n"
                               "3,4,NA,NA,x,good\n"
                               "4,-7,tv,30,x,bad\n";
    static const struct {
        const char *name;
        enum ax_schema_role role;
        uint64_t missing, distinct;
        double min, max;
    } cases[] = {
        {"id", AX_SCHEMA_KEY, 0, 4, (double)NAN, (double)NAN},
        {"amount", AX_SCHEMA_FEATURE, 1, 2, -7, 4},
        {"purpose", AX_SCHEMA_FEATURE, 1, 2, (double)NAN, (double)NAN},
        {"age", AX_SCHEMA_PROTECTED, 1, 2, 30, 41},
        {"note", AX_SCHEMA_IGNORED, 0, 0, (double)NAN, (double)NAN},
        {"y", AX_SCHEMA_TARGET, 0, 2, (double)NAN, (double)NAN},
    };
    struct ax_batch batch = {};
    CHECK_EQ(ingest(ctx, open_schema, ax_str_of(text), &batch), AX_OK);
    REQUIRE(batch.profiles && batch.profile_count == AX_COUNT_OF(cases));
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_ingestion_profile *profile = &batch.profiles[i];
        CHECK(ax_str_eq(profile->name, ax_str_of(cases[i].name)));
        CHECK_EQ(profile->role, cases[i].role);
        CHECK_EQ(profile->rows, 4);
        CHECK_EQ(profile->missing, cases[i].missing);
        CHECK_EQ(profile->distinct, cases[i].distinct);
        CHECK(profile->min == cases[i].min || (isnan(profile->min) && isnan(cases[i].min)));
        CHECK(profile->max == cases[i].max || (isnan(profile->max) && isnan(cases[i].max)));
    }
    CHECK(fabs(batch.profiles[1].mean - 1.0 / 3) < 1e-12);
}

TEST(ingestion_says_what_was_seen_in_each_column)
{
    ax_test_with_ctx(profiles_body);
}

/* One table in several spellings: the same batch. */
static void
spellings_body(struct ax_ctx *ctx)
{
    static const char *const spellings[] = {
        "amount,purpose,age,y\n1,tv,30,bad\n2,car,40,good\n",
        "amount,purpose,age,y\r\n1,tv,30,bad\r\n2,car,40,good\r\n",
        "\xef\xbb\xbf\x61mount,purpose,age,y\n1,tv,30,bad\n2,car,40,good\n", /* \x61 is 'a' */
        "amount,purpose,age,y\n1,tv,30,bad\n2,car,40,good",
        "\"amount\",\"purpose\",\"age\",\"y\"\n\"1\",\"tv\",\"30\",\"bad\"\n2.0,car,40,good\n",
    };
    ax_str first = {}, bytes = {};
    for (size_t i = 0; i < AX_COUNT_OF(spellings); i++) {
        struct ax_batch batch = {};
        CHECK_EQ(ingest(ctx, declared_schema, ax_str_of(spellings[i]), &batch), AX_OK);
        CHECK_EQ(ax_frame_encode(ctx, &batch.features, &bytes), AX_OK);
        if (i == 0)
            first = bytes;
        CHECK(ax_str_eq(first, bytes));
        CHECK_EQ(batch.protected.row_count, 2);
    }
}

TEST(ingestion_reads_crlf_bom_quotes_and_a_missing_last_line_end_alike)
{
    ax_test_with_ctx(spellings_body);
}

#define HEAD "amount,purpose,age,y\n"
#define GOOD "1,tv,30,bad\n2,car,40,good\n"

static void
refuses_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "the file is empty; a header was expected"},
        {"\xef\xbb\xbf", "the file is empty; a header was expected"},
        {HEAD, "there are no rows behind the header"},
        {HEAD "1,tv,30,bad\n2,car,good\n", "row 3 (line 3) has 3 fields, the header 4"},
        {HEAD "1,tv,30,bad,\n", "row 2 (line 2) has 5 fields, the header 4"},
        {HEAD GOOD "\n", "row 4 (line 4) has 1 fields, the header 4"},
        {HEAD "1,t\"v,30,bad\n", "row 2 (line 2): a quote inside a bare field"},
        {HEAD "1,\"tv\"x,30,bad\n", "row 2 (line 2): text behind a closing quote"},
        {HEAD "1,tv,30,bad\r2,car,40,good\n", "row 2 (line 2): a carriage return"},
        {HEAD "1,\"tv,30,bad\n", "a quoted field is never closed"},
        {HEAD "1,\xff,30,bad\n", "row 2 (line 2): text is not UTF-8"},
        {HEAD "x,tv,30,bad\n", "row 2, column `amount`: 'x' is not a number"},
        {HEAD "1,tv,30,bad\n1 ,tv,30,bad\n", "row 3, column `amount`: '1 ' is not a number"},
        {HEAD "inf,tv,30,bad\n", "row 2, column `amount`: 'inf' is not a finite number"},
        {HEAD "NaN,tv,30,bad\n", "row 2, column `amount`: 'NaN' is not a finite number"},
        {HEAD "1e999,tv,30,bad\n", "row 2, column `amount`: '1e999' is not a finite number"},
        {HEAD "101,tv,30,bad\n", "row 2, column `amount`: 101 is outside 0 to 100"},
        {HEAD "-1,tv,30,bad\n", "row 2, column `amount`: -1 is outside 0 to 100"},
        {HEAD ",tv,30,bad\n", "row 2, column `amount`: it may not be missing"},
        {HEAD "NA,tv,30,bad\n", "row 2, column `amount`: it may not be missing"},
        {HEAD "1,TV,30,bad\n", "row 2, column `purpose`: 'TV' is none of its 2 categories"},
        {HEAD "1,tv,30,\n", "row 2, column `y`: the target is missing"},
        {HEAD GOOD "1,tv,30,maybe\n",
         "row 4, column `y`: 'maybe' is a third value of the target, beside 'good'"},
        {HEAD "1,tv,30,bad\n", "column `y`: 1 of 1 rows are 'bad'; both outcomes are needed"},
        {HEAD "1,tv,30,good\n", "column `y`: 0 of 1 rows are 'bad'; both outcomes are needed"},
        {"amount,purpose,amount,y\n" GOOD, "the header has column `amount` twice"},
        {"amount,,age,y\n" GOOD, "column 2 of the header has no name"},
        {"amount,purpose,old,y\n" GOOD, "the header has no column `age`"},
        {"amount,purpose,age,z\n" GOOD, "the header has no column `y`"},
        {"amount,use,age,y\n" GOOD, "the header has no column `purpose`"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_batch batch = {.positive_count = 77};
        ax_status status = ingest(ctx, declared_schema, ax_str_of(cases[i].text), &batch);
        if (status != AX_INVALID || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu (%s): %s: %s", i, cases[i].words,
                           ax_status_name(status), ctx->error);
        CHECK_EQ(batch.positive_count, 77);
        ax_arena_reset(ctx->arena);
    }
}

TEST(ingestion_refuses_with_row_and_column)
{
    ax_test_with_ctx(refuses_body);
}

static void
keys_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"id,a,age,note,y\n7,1,2,x,bad\n7,1,2,x,good\n",
         "row 3, column `id`: key '7' was there before"},
        {"id,a,age,note,y\n7,1,2,x,bad\n,1,2,x,good\n", "row 3, column `id`: the key is missing"},
        {"a,age,note,y\n1,2,x,bad\n", "the header has no column `id`"},
        {"id,age,note,y\n7,2,x,bad\n8,3,x,good\n", "no column is left that a model may use"},
    };
    struct ax_batch batch = {};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ingest(ctx, open_schema, ax_str_of(cases[i].text), &batch), AX_INVALID);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
    }
}

TEST(ingestion_wants_each_key_once)
{
    ax_test_with_ctx(keys_body);
}

static void
unknown_body(struct ax_ctx *ctx)
{
    static const char schema[] = "{" TARGET ",\"columns\":{\"c\":{\"type\":\"category\","
                                 "\"categories\":[\"a\",\"b\"],\"unknown\":\"missing\"}}}";
    struct ax_batch batch = {};
    CHECK_EQ(ingest(ctx, schema, AX_STR("c,y\nb,bad\nzzz,good\na,good\n"), &batch), AX_OK);
    REQUIRE(batch.features.columns && batch.profiles);
    const struct ax_frame_column *column = &batch.features.columns[0];
    CHECK(column->values[0] == 1 && isnan(column->values[1]) && column->values[2] == 0);
    CHECK_EQ(batch.profiles[0].missing, 1);
    CHECK_EQ(batch.protected.column_count, 0);
}

TEST(ingestion_takes_an_unknown_category_for_missing_where_that_is_declared)
{
    ax_test_with_ctx(unknown_body);
}

/* What a stored frame cannot hold must not be read in the first place. */
static void
long_texts_body(struct ax_ctx *ctx)
{
    static const struct {
        size_t name_bytes, cell_bytes;
        const char *words; /* NULL: accepted */
    } cases[] = {
        {1000, 1000, NULL},
        {1001, 1, "column 1 of the header has a name of 1001 bytes; at most 1000"},
        {1, 1001, "1001 bytes; a category has at most 1000"},
    };
    char name[1002], cell[1002];
    memset(name, 'n', sizeof name);
    memset(cell, 'c', sizeof cell);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_batch batch = {};
        struct ax_frame back;
        ax_str bytes = {};
        ax_str text = ax_str_printf(ctx->arena, "%.*s,y\n%.*s,bad\nd,good\n",
                                    (int)cases[i].name_bytes, name, (int)cases[i].cell_bytes, cell);
        ax_status status = ingest(ctx, "{" TARGET "}", text, &batch);
        CHECK_EQ(status, cases[i].words ? AX_INVALID : AX_OK);
        if (cases[i].words) {
            CHECK(strstr(ctx->error, cases[i].words) != NULL);
            continue;
        }
        CHECK_EQ(ax_frame_encode(ctx, &batch.features, &bytes), AX_OK);
        CHECK_EQ(ax_frame_decode(ctx, bytes, &back), AX_OK);
    }
    ax_str odd = AX_STR("{" TARGET ",\"columns\":{\"a\":{\"type\":\"number\"}}}");
    struct ax_batch batch = {};
    /* The excerpt in the message ends between characters. */
    ax_str text = ax_str_printf(ctx->arena, "a,y\n%.59s\xc3\xa4%.20s,bad\n", cell, cell);
    CHECK_EQ(ingest(ctx, odd.at, text, &batch), AX_INVALID);
    CHECK(strstr(ctx->error, "c' is not a number") && !strstr(ctx->error, "\xc3"));
}

TEST(ingestion_refuses_texts_that_no_frame_can_hold)
{
    ax_test_with_ctx(long_texts_body);
}

static bool
holds(ax_str bytes, const char *part)
{
    return ax_str_find(bytes, ax_str_of(part)) != SIZE_MAX;
}

static void
protected_body(struct ax_ctx *ctx)
{
    struct ax_batch batch = {};
    ax_str bytes = {};
    CHECK_EQ(ingest(ctx, "{" TARGET ",\"protected\":[\"sex\",\"age\"]}",
                    AX_STR("a,sex,age,y\n1,femina,42,bad\n2,vir,43,good\n3,femina,44,good\n"),
                    &batch),
             AX_OK);
    CHECK_EQ(batch.features.column_count, 1);
    CHECK_EQ(ax_frame_encode(ctx, &batch.features, &bytes), AX_OK);
    CHECK(!holds(bytes, "femina") && !holds(bytes, "sex") && !holds(bytes, "age"));
    CHECK_EQ(batch.protected.column_count, 2);
    CHECK_EQ(batch.protected.row_count, 3);
    CHECK(!batch.protected.labels);
    REQUIRE(batch.protected.columns && batch.protected.columns[0].categories);
    CHECK_STR(batch.protected.columns[0].categories[0], "femina");
    CHECK(batch.protected.columns[1].values[2] == 44);
    /* A message about a protected cell goes to logs and clients: it holds none of it. */
    static const char schema[] = "{" TARGET ",\"protected\":[\"sex\",\"age\"],\"columns\":{"
                                 "\"age\":{\"type\":\"number\",\"max\":120},"
                                 "\"sex\":{\"type\":\"category\",\"categories\":[\"vir\"]}}}";
    static const char *const tables[] = {
        "a,sex,age,y\n1,vir,forty,bad\n",
        "a,sex,age,y\n1,vir,4321,bad\n",
        "a,sex,age,y\n1,femina,42,bad\n",
    };
    for (size_t i = 0; i < AX_COUNT_OF(tables); i++) {
        CHECK_EQ(ingest(ctx, schema, ax_str_of(tables[i]), &batch), AX_INVALID);
        CHECK(strstr(ctx->error, "(protected)") && !strstr(ctx->error, "forty") &&
              !strstr(ctx->error, "4321") && !strstr(ctx->error, "femina"));
    }
}

TEST(r70_protected_columns_leave_the_table_before_anything_sees_it)
{
    ax_test_with_ctx(protected_body);
}

static const char german_schema[] =
    "{\"name\":\"german\",\"target\":{\"column\":\"creditability\",\"positive\":\"bad\"},"
    "\"protected\":[\"personal_status_and_sex\",\"age_in_years\",\"foreign_worker\"]}";

TEST(ingestion_reads_the_german_credit_table_whole)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(32 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str text = {};
    static const char *const places[] = {"demo/german_credit.csv",
                                         "../shared/data/german_credit.csv"};
    ax_status status = AX_NOT_FOUND;
    for (size_t i = 0; i < AX_COUNT_OF(places) && status != AX_OK; i++)
        status = ax_file_read_all(&ctx, ax_str_of(places[i]), 1 << 20, &text);
    if (status != AX_OK) {
        printf("skipped: german_credit.csv is not here\n");
        return;
    }
    struct ax_batch batch = {};
    CHECK_EQ(ingest(&ctx, german_schema, text, &batch), AX_OK);
    REQUIRE(batch.features.columns && batch.profiles);
    CHECK_EQ(batch.features.row_count, 1000);
    CHECK_EQ(batch.positive_count, 300);
    CHECK_EQ(batch.features.column_count, 17);
    CHECK_EQ(batch.protected.column_count, 3);
    size_t numbers = 0;
    for (size_t c = 0; c < batch.features.column_count; c++)
        numbers += batch.features.columns[c].kind == AX_FRAME_NUMBER;
    CHECK_EQ(numbers, 6);
    for (size_t i = 0; i < batch.profile_count; i++)
        CHECK_EQ(batch.profiles[i].missing, 0);
    size_t amount = ax_frame_find(&batch.features, AX_STR("credit_amount"));
    CHECK(batch.features.columns[amount].values[0] == 1169);
    CHECK(ax_frame_find(&batch.features, AX_STR("age_in_years")) == SIZE_MAX);
}

TEST(ingestion_reads_thirty_thousand_card_holders_by_their_key)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str text = {};
    if (ax_file_read_all(&ctx, AX_STR("../shared/data/credit_default.csv"), 8 << 20, &text) !=
        AX_OK) {
        printf("skipped: ../shared/data/credit_default.csv is not here\n");
        return;
    }
    struct ax_batch batch = {};
    CHECK_EQ(ingest(&ctx,
                    "{\"target\":{\"column\":\"DEFAULT\",\"positive\":\"1\"},\"key\":\"ID\","
                    "\"protected\":[\"SEX\",\"AGE\",\"MARRIAGE\"]}",
                    text, &batch),
             AX_OK);
    CHECK_EQ(batch.features.row_count, 30'000);
    CHECK_EQ(batch.positive_count, 6'636);
    CHECK_EQ(batch.features.column_count, 20);
    CHECK_EQ(batch.protected.column_count, 3);
    REQUIRE(batch.keys);
    CHECK_STR(batch.keys[29'999], "30000");
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    struct ax_batch batch = {};
    return ingest(ctx, open_schema,
                  AX_STR("id,a,c,age,note,y\n7,1,t,2,x,bad\n8,,\"u\"\"v\",3,x,good\n"), &batch);
}

TEST(ingestion_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

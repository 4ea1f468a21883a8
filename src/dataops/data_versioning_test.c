#include "dataops/data_versioning.h"

#include <math.h>

#include "harness.h"

#define SCHEMA                                                                                     \
    "{\"name\":\"loans\",\"target\":{\"column\":\"y\",\"positive\":\"1\"},"                        \
    "\"protected\":[\"age\"],\"ignored\":[\"note\"]"

static const char rows_text[] = "a,c,age,note,y\n1,x,30,n,1\n2.5,y,31,n,0\n,x,32,n,0\n";

static ax_status
version_of(struct ax_ctx *ctx, const char *schema_text, const char *csv,
           struct ax_data_version *out_version)
{
    struct ax_schema schema = {};
    struct ax_batch batch = {};
    AX_TRY(ax_schema_parse(ctx, ax_str_of(schema_text), &schema));
    AX_TRY(ax_ingestion_csv(ctx, &schema, ax_str_of(csv), &batch));
    return ax_data_version_of(ctx, &batch, out_version);
}

/* The digest is part of records that are kept for years: this very text must stay. */
static void
manifest_body(struct ax_ctx *ctx)
{
    struct ax_data_version version = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    CHECK_EQ(version_of(ctx, SCHEMA "}", rows_text, &version), AX_OK);
    ax_str data = ax_digest_hex(ax_sha256(version.features), hex);
    ax_str wanted = ax_str_printf(
        ctx->arena,
        "{\"axiom_dataset\":1,\"columns\":["
        "{\"distinct\":2,\"max\":2.5,\"mean\":1.75,\"min\":1,\"missing\":1,\"name\":\"a\","
        "\"role\":\"feature\",\"type\":\"number\"},"
        "{\"distinct\":2,\"missing\":0,\"name\":\"c\",\"role\":\"feature\",\"type\":\"category\"},"
        "{\"name\":\"age\",\"role\":\"protected\"},{\"name\":\"note\",\"role\":\"ignored\"},"
        "{\"name\":\"y\",\"role\":\"target\"}],"
        "\"data\":{\"bytes\":%zu,\"digest\":\"%.*s\"},\"name\":\"loans\",\"positive\":1,\"rows\":3,"
        "\"schema\":{\"columns\":{},\"ignored\":[\"note\"],\"missing\":[],\"name\":\"loans\","
        "\"protected\":[\"age\"],\"target\":{\"column\":\"y\",\"positive\":\"1\"}}}",
        version.features.len, AX_FMT(data));
    if (!ax_str_eq(version.manifest, wanted))
        ax_test_failed(__FILE__, __LINE__, "%.*s", AX_FMT(version.manifest));
    CHECK(ax_digest_eq(version.digest, ax_sha256(version.manifest)));
    CHECK_STR(ax_digest_hex(version.digest, hex),
              "8202ad0c2700ecb94b3893043c03337aac261b895c37441bcf2c1fa78493a7fe");
}

TEST(data_version_is_the_digest_of_its_canonical_manifest)
{
    ax_test_with_ctx(manifest_body);
}

static void
same_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *what, *schema, *csv;
        bool same;
    } cases[] = {
        {"itself", SCHEMA "}", rows_text, true},
        {"other spelling", SCHEMA ",\"columns\":{}}",
         "a,c,age,note,y\r\n\"1\",x,30,n,1\r\n25e-1,y,31,n,0\r\n,x,32,n,0", true},
        {"other protected values", SCHEMA "}",
         "a,c,age,note,y\n1,x,99,n,1\n2.5,y,98,n,0\n,x,97,n,0\n", true},
        {"other ignored cells", SCHEMA "}", "a,c,age,note,y\n1,x,30,m,1\n2.5,y,31,m,0\n,x,32,m,0\n",
         true},
        {"a value", SCHEMA "}", "a,c,age,note,y\n1,x,30,n,1\n2.6,y,31,n,0\n,x,32,n,0\n", false},
        {"a label", SCHEMA "}", "a,c,age,note,y\n1,x,30,n,1\n2.5,y,31,n,1\n,x,32,n,0\n", false},
        {"a category", SCHEMA "}", "a,c,age,note,y\n1,x,30,n,1\n2.5,z,31,n,0\n,x,32,n,0\n", false},
        {"order of rows", SCHEMA "}", "a,c,age,note,y\n2.5,y,31,n,0\n1,x,30,n,1\n,x,32,n,0\n",
         false},
        {"a description", SCHEMA ",\"columns\":{\"a\":{\"unit\":\"DM\"}}}", rows_text, false},
    };
    struct ax_data_version first, version;
    CHECK_EQ(version_of(ctx, SCHEMA "}", rows_text, &first), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(version_of(ctx, cases[i].schema, cases[i].csv, &version), AX_OK);
        if (ax_digest_eq(first.digest, version.digest) != cases[i].same)
            ax_test_failed(__FILE__, __LINE__, "%s", cases[i].what);
    }
}

TEST(r70_data_version_changes_with_features_and_description_and_with_nothing_protected)
{
    ax_test_with_ctx(same_body);
}

static void
read_body(struct ax_ctx *ctx)
{
    struct ax_data_version version = {};
    struct ax_frame frame = {};
    struct ax_schema schema = {};
    ax_str again = {};
    CHECK_EQ(version_of(ctx, SCHEMA "}", rows_text, &version), AX_OK);
    CHECK_EQ(ax_data_version_read(ctx, version.manifest, version.features, &frame), AX_OK);
    CHECK_EQ(frame.row_count, 3);
    CHECK(frame.labels[0] == 1 && isnan(frame.columns[0].values[2]));
    CHECK_EQ(ax_frame_encode(ctx, &frame, &again), AX_OK);
    CHECK(ax_str_eq(again, version.features));
    CHECK_EQ(ax_data_version_schema(ctx, version.manifest, &schema), AX_OK);
    CHECK_STR(schema.name, "loans");
    CHECK_EQ(ax_schema_role(&schema, AX_STR("age")), AX_SCHEMA_PROTECTED);
    static const char *const manifests[] = {"",
                                            "[]",
                                            "{}",
                                            "{\"axiom_dataset\":2,\"data\":{\"digest\":\"00\"}}",
                                            "{\"axiom_dataset\":1,\"data\":{\"digest\":\"00\"}}",
                                            "{\"axiom_dataset\":1,\"data\":1}"};
    for (size_t i = 0; i < AX_COUNT_OF(manifests); i++) {
        ax_str manifest = ax_str_of(manifests[i]);
        CHECK_EQ(ax_data_version_read(ctx, manifest, version.features, &frame), AX_INVALID);
        CHECK_EQ(ax_data_version_schema(ctx, manifest, &schema), AX_INVALID);
    }
}

TEST(data_version_reads_back_what_it_is_of)
{
    ax_test_with_ctx(read_body);
}

static void
broken_body(struct ax_ctx *ctx)
{
    struct ax_data_version version = {};
    struct ax_frame frame = {};
    REQUIRE(version_of(ctx, SCHEMA "}", rows_text, &version) == AX_OK && version.features.at);
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, version.features.len);
    REQUIRE(bytes);
    memcpy(bytes, version.features.at, version.features.len);
    for (size_t i = 0; i < version.features.len; i++) {
        CHECK_EQ(ax_data_version_read(ctx, version.manifest, (ax_str){bytes, i}, &frame),
                 AX_CORRUPT);
        bytes[i] ^= 1;
        CHECK_EQ(ax_data_version_read(ctx, version.manifest, (ax_str){bytes, version.features.len},
                                      &frame),
                 AX_CORRUPT);
        bytes[i] ^= 1;
    }
    char *manifest = AX_NEW_ARRAY(ctx->arena, char, version.manifest.len);
    memcpy(manifest, version.manifest.at, version.manifest.len);
    for (size_t i = 0; i < version.manifest.len; i++) {
        ax_status status =
            ax_data_version_read(ctx, (ax_str){manifest, i}, version.features, &frame);
        CHECK_EQ(status, AX_INVALID);
    }
}

TEST(data_version_finds_every_cut_and_every_flipped_byte)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    broken_body(&ctx);
}

/* ---- splits ---- */

enum { ROWS = 1000, EVENTS = 300 };

static double split_values[ROWS];
static uint64_t split_ids[ROWS];
static uint8_t split_labels[ROWS];
static struct ax_frame_column split_column = {.name = {"v", 1}, .values = split_values};
static struct ax_frame split_frame = {.columns = &split_column,
                                      .column_count = 1,
                                      .row_count = ROWS,
                                      .row_ids = split_ids,
                                      .labels = split_labels};

static void
fill(void)
{
    for (size_t r = 0; r < ROWS; r++) {
        split_values[r] = (double)r * 0.5;
        split_ids[r] = 5000 + r;
        split_labels[r] = r % 10 < 3;
    }
}

static size_t
events_of(const struct ax_frame *frame)
{
    size_t count = 0;
    for (size_t r = 0; r < frame->row_count; r++)
        count += frame->labels[r];
    return count;
}

static void
split_body(struct ax_ctx *ctx)
{
    fill();
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 20260101};
    struct ax_data_split split, again;
    CHECK_EQ(ax_data_version_split(ctx, &split_frame, &shares, &split), AX_OK);
    CHECK_EQ(ax_data_version_split(ctx, &split_frame, &shares, &again), AX_OK);
    CHECK_EQ(split.train.row_count, 600);
    CHECK_EQ(split.validation.row_count, 200);
    CHECK_EQ(split.held_out.row_count, 200);
    CHECK_EQ(events_of(&split.train), 180);
    CHECK_EQ(events_of(&split.validation), 60);
    CHECK_EQ(events_of(&split.held_out), 60);
    const struct ax_frame *const parts[] = {&split.train, &split.validation, &split.held_out};
    bool seen[ROWS] = {};
    for (size_t p = 0; p < AX_COUNT_OF(parts); p++) {
        for (size_t r = 0; r < parts[p]->row_count; r++) {
            size_t row = (size_t)(parts[p]->row_ids[r] - 5000);
            CHECK(!seen[row] && parts[p]->columns[0].values[r] == split_values[row]);
            CHECK(r == 0 || parts[p]->row_ids[r] > parts[p]->row_ids[r - 1]);
            seen[row] = true;
        }
    }
    CHECK(memcmp(split.train.row_ids, again.train.row_ids, 600 * sizeof(uint64_t)) == 0);
    /* A recorded seed must give these rows for ever. */
    ax_str bytes = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    CHECK_EQ(ax_frame_encode(ctx, &split.held_out, &bytes), AX_OK);
    CHECK_STR(ax_digest_hex(ax_sha256(bytes), hex),
              "861b0eec02576a98596f0c5941cac0a0d14184c084c1137b8fa41e7ff1b61b17");
    struct ax_data_shares other = shares;
    other.seed++;
    CHECK_EQ(ax_data_version_split(ctx, &split_frame, &other, &again), AX_OK);
    CHECK(memcmp(split.train.row_ids, again.train.row_ids, 600 * sizeof(uint64_t)) != 0);
}

TEST(data_split_is_stratified_disjoint_whole_and_made_again_from_its_seed)
{
    ax_test_with_ctx(split_body);
}

static void
shares_body(struct ax_ctx *ctx)
{
    fill();
    static const struct {
        double train, validation;
        size_t rows;
        const char *words;
    } cases[] = {
        {0, 0.5, ROWS, "shares of training and validation"},
        {0.5, 0, ROWS, "shares of training and validation"},
        {0.5, 0.5, ROWS, "shares of training and validation"},
        {-1, 0.5, ROWS, "shares of training and validation"},
        {(double)NAN, 0.5, ROWS, "shares of training and validation"},
        {0.6, 0.2, 3, "0 rows of class 0 cannot be split"},
        {0.6, 0.2, 13, "6 rows of class 1 cannot be split"},
        {0.6, 0.2, 0, "0 rows of class 0 cannot be split"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_data_shares shares = {.train = cases[i].train, .validation = cases[i].validation};
        struct ax_data_split split = {.train = {.row_count = 77}};
        struct ax_frame frame = split_frame;
        frame.row_count = cases[i].rows;
        ax_status status = ax_data_version_split(ctx, &frame, &shares, &split);
        if (cases[i].rows == 13) {
            CHECK_EQ(status, AX_OK); /* seven and six rows: each part has both classes */
            continue;
        }
        CHECK_EQ(status, AX_INVALID);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
        CHECK_EQ(split.train.row_count, 77);
    }
    struct ax_frame plain = split_frame;
    plain.labels = NULL;
    struct ax_data_split split = {};
    const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2};
    CHECK_EQ(ax_data_version_split(ctx, &plain, &shares, &split), AX_INVALID);
}

TEST(data_split_refuses_shares_and_rows_that_leave_a_part_without_a_class)
{
    ax_test_with_ctx(shares_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    struct ax_data_version version = {};
    struct ax_frame frame = {};
    struct ax_data_split split = {};
    struct ax_schema schema = {};
    const struct ax_data_shares shares = {.train = 0.5, .validation = 0.25};
    AX_TRY(version_of(ctx, SCHEMA "}",
                      "a,c,age,note,y\n1,x,3,n,1\n2,y,3,n,0\n3,x,3,n,0\n4,x,3,n,1\n5,x,3,n,1\n"
                      "6,x,3,n,1\n7,x,3,n,0\n8,x,3,n,0\n",
                      &version));
    AX_TRY(ax_data_version_read(ctx, version.manifest, version.features, &frame));
    AX_TRY(ax_data_version_schema(ctx, version.manifest, &schema));
    return ax_data_version_split(ctx, &frame, &shares, &split);
}

TEST(data_versioning_notices_every_fault)
{
    FAULT_SWEEP(sweep_body);
}

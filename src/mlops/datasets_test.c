#include "mlops/datasets.h"

#include <math.h>

#include "base/actor.h"
#include "mlops_case.h"

static const char schema[] =
    "{\"name\":\"loans\",\"target\":{\"column\":\"result\",\"positive\":\"bad\"},"
    "\"protected\":[\"age\"],\"columns\":{\"amount\":{\"type\":\"number\"},"
    "\"purpose\":{\"type\":\"category\"}}}";

enum { ROWS = 60 };

static const struct ax_data_shares shares = {.train = 0.6, .validation = 0.2, .seed = 7};

/* The rows, in ctx->arena; row i is told by i alone. */
static ax_str
rows(struct ax_ctx *ctx, const char *last)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    ax_str out = AX_STR("");
    ax_writer_text(&text, "amount,purpose,age,result\n");
    for (int i = 0; i < ROWS; i++)
        ax_writer_print(&text, "%d,%s,%d,%s\n", 1000 + i, i % 3 ? "car" : "house", 20 + i,
                        i % 4 ? "good" : "bad");
    ax_writer_text(&text, last);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &out), AX_OK);
    return out;
}

static ax_status
ingest(struct ax_ctx *ctx, struct mlops_case *at, const struct ax_data_shares *split,
       struct ax_dataset_record *out)
{
    mlops_case_as(ctx, at, DANA);
    return ax_datasets_ingest(at->datasets, ctx, ax_str_of(schema), split, rows(ctx, ""), out);
}

/* ---- versions ---- */

static void
versions(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_dataset_record first = {}, again = {}, other = {}, found = {};
    struct ax_data_shares another = shares;
    int64_t facts = mlops_case_count(ctx, at, "select count(*) from outbox");
    CHECK_EQ(ingest(ctx, at, &shares, &first), AX_OK);
    CHECK_STR(first.name, "loans");
    CHECK_EQ(first.version, 1);
    CHECK_STR(first.created_by, "dana");
    CHECK_EQ(ingest(ctx, at, &shares, &again), AX_OK);
    CHECK_EQ(again.version, 1); /* the version it already is */
    CHECK(again.created_ns == first.created_ns && ax_digest_eq(again.digest, first.digest));
    another.seed = UINT64_MAX; /* any seed there is */
    CHECK_EQ(ingest(ctx, at, &another, &other), AX_OK);
    CHECK_EQ(other.version, 2);
    CHECK_EQ(ax_datasets_find(at->datasets, ctx, AX_STR("loans"), 0, &found), AX_OK);
    CHECK(found.version == 2 && found.shares.seed == UINT64_MAX);
    CHECK_EQ(ax_datasets_find(at->datasets, ctx, AX_STR("loans"), 1, &found), AX_OK);
    CHECK(found.shares.seed == 7 && ax_str_eq(found.manifest, first.manifest));
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), facts + 2);
    CHECK_EQ(ax_datasets_find(at->datasets, ctx, AX_STR("loans"), 3, &found), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no dataset \"loans\" version 3") == 0);
    CHECK_EQ(ax_datasets_find(at->datasets, ctx, AX_STR("cars"), 0, &found), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no dataset \"cars\"") == 0);
}

TEST(r15_the_same_rows_and_description_are_the_version_they_are)
{
    mlops_case_run(versions);
}

static void
refused(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *schema, *last;
        struct ax_data_shares shares;
        const char *words;
    } cases[] = {
        {"{\"target\":{\"column\":\"result\",\"positive\":\"bad\"}}",
         "",
         {.train = 0.6, .validation = 0.2},
         "name"},
        {schema,
         "1,car,30\n",
         {.train = 0.6, .validation = 0.2},
         "row 62 (line 62) has 3 fields, the header 4"},
        {schema, "much,car,30,good\n", {.train = 0.6, .validation = 0.2}, "`amount`"},
        {schema,
         "",
         {.train = 0.9, .validation = 0.2},
         "shares of training and validation must be above 0 and together below 1"},
    };
    struct ax_dataset_record record;
    mlops_case_as(ctx, at, DANA);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = ax_datasets_ingest(at->datasets, ctx, ax_str_of(cases[i].schema),
                                              &cases[i].shares, rows(ctx, cases[i].last), &record);
        if (status != AX_INVALID || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s, %s", i, ax_status_name(status),
                           ctx->error);
    }
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from datasets"), 0);
    CHECK(!ax_file_exists(mlops_case_path(at, "protected")));
}

TEST(rows_that_cannot_be_read_are_refused_by_row_and_column_and_nothing_is_kept)
{
    mlops_case_run(refused);
}

/* ---- reading ---- */

static void
read_parts(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_dataset_record record = {};
    struct ax_dataset_parts parts = {}, again = {};
    CHECK_EQ(ingest(ctx, at, &shares, &record), AX_OK);
    CHECK_EQ(ax_datasets_read(at->datasets, ctx, &record, &parts), AX_OK);
    CHECK_EQ(parts.features.row_count, ROWS);
    CHECK_EQ(parts.features.column_count, 2); /* no protected column, no label */
    for (size_t i = 0; i < parts.features.column_count; i++)
        CHECK(!ax_str_eq(parts.features.columns[i].name, AX_STR("age")));
    const struct ax_data_split *split = &parts.split;
    CHECK_EQ(split->train.row_count + split->validation.row_count + split->held_out.row_count,
             ROWS);
    CHECK(split->train.row_count > split->validation.row_count && split->held_out.row_count > 0);
    CHECK(ax_str_find(parts.signature, AX_STR("\"amount\"")) != SIZE_MAX);
    CHECK(ax_str_find(parts.signature, AX_STR("\"min\"")) != SIZE_MAX);
    CHECK_EQ(ax_datasets_read(at->datasets, ctx, &record, &again), AX_OK);
    CHECK_EQ(again.split.train.row_count, split->train.row_count);
    for (size_t i = 0; i < split->train.row_count; i++) /* the recorded seed gives the same rows */
        CHECK_EQ(again.split.train.row_ids[i], split->train.row_ids[i]);
    directory_case_script(ctx, &at->base, "update datasets set features = 'x'");
    CHECK_EQ(ax_datasets_read(at->datasets, ctx, &record, &again), AX_CORRUPT);
    CHECK(strcmp(ctx->error, "a row of the datasets is damaged") == 0);
}

TEST(r15_a_split_is_made_again_from_its_seed_and_holds_no_protected_column)
{
    mlops_case_run(read_parts);
}

static void
protected_attributes(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const uint64_t ids[] = {59, 0, 7};
    static const struct ax_actor job = {
        .id = {"fairness-job", 12}, .kind = AX_ACTOR_SERVICE, .roles = AX_ROLE_BIT(FAIRNESS)};
    struct ax_dataset_record record = {};
    struct ax_frame attributes = {};
    CHECK_EQ(ingest(ctx, at, &shares, &record), AX_OK);
    for (int who = 0; who < PEOPLE; who++) {
        mlops_case_as(ctx, at, (enum mlops_case_who)who);
        CHECK_EQ(ax_datasets_protected(at->datasets, ctx, &record, ids, 3, &attributes), AX_DENIED);
        CHECK(strcmp(ctx->error, "protected attributes are for the fairness job alone") == 0);
    }
    ctx->actor = &job;
    CHECK_EQ(ax_datasets_protected(at->datasets, ctx, &record, ids, 3, &attributes), AX_OK);
    REQUIRE(attributes.column_count == 1 && attributes.row_count == 3);
    CHECK_STR(attributes.columns[0].name, "age");
    for (size_t i = 0; i < 3; i++)
        CHECK(fabs(attributes.columns[0].values[i] - (20.0 + (double)ids[i])) < 1e-12);
}

TEST(r70_protected_attributes_are_read_by_the_fairness_job_alone)
{
    mlops_case_run(protected_attributes);
}

/* ---- showing ---- */

static bool
shown(struct ax_ctx *ctx, const struct ax_writer *text, const char *words)
{
    ax_str copy = AX_STR("");
    CHECK(ax_str_copy(ctx->arena, ax_writer_str(text), &copy));
    return ax_str_find(copy, ax_str_of(words)) != SIZE_MAX;
}

static void
showing(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_dataset_record record = {};
    const struct ax_data_shares large = {.train = 0.6, .validation = 0.2, .seed = UINT64_MAX};
    CHECK_EQ(ingest(ctx, at, &large, &record), AX_OK);
    CHECK_EQ(ax_datasets_show(at->datasets, ctx, AX_STR("loans"), 0, &json), AX_OK);
    CHECK(shown(ctx, &text, "\"name\":\"loans\",\"version\":1,"));
    CHECK(shown(ctx, &text, "\"seed\":18446744073709551615"));
    CHECK(shown(ctx, &text, "\"manifest\":{"));
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK_EQ(ax_datasets_list(at->datasets, ctx, &json), AX_OK);
    CHECK(shown(ctx, &text, "{\"datasets\":[{\"name\":\"loans\""));
    CHECK(!shown(ctx, &text, "manifest"));
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK_EQ(
        ax_datasets_show_part(at->datasets, ctx, AX_STR("loans"), 1, AX_STR("held_out"), &json),
        AX_OK);
    CHECK(shown(ctx, &text, "{\"part\":\"held_out\",\"rows\":["));
    CHECK_EQ(ax_datasets_show_part(at->datasets, ctx, AX_STR("loans"), 1, AX_STR("rest"), &json),
             AX_INVALID);
    CHECK(strcmp(ctx->error, "`part` must be train, validation or held_out, not \"rest\"") == 0);
    CHECK_EQ(ax_datasets_show(at->datasets, ctx, AX_STR("cars"), 0, &json), AX_NOT_FOUND);
}

TEST(a_dataset_is_shown_with_its_seed_and_its_parts)
{
    mlops_case_run(showing);
}

/* ---- faults ---- */

static ax_str swept_rows;

static ax_status
ingest_and_read(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    struct ax_dataset_record record;
    struct ax_dataset_parts parts;
    struct ax_datasets *datasets;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    (void)step;
    mlops_case_as(ctx, at, DANA);
    AX_TRY(ax_datasets_open(ctx, &(struct ax_datasets_config){}, &datasets));
    ax_datasets_close(datasets);
    AX_TRY(ax_datasets_ingest(at->datasets, ctx, ax_str_of(schema), &shares, swept_rows, &record));
    AX_TRY(ax_datasets_read(at->datasets, ctx, &record, &parts));
    AX_TRY(ax_datasets_show(at->datasets, ctx, record.name, 0, &json));
    AX_TRY(ax_datasets_list(at->datasets, ctx, &json));
    AX_TRY(ax_datasets_show_part(at->datasets, ctx, record.name, 1, AX_STR("train"), &json));
    return text.status;
}

static void
after_ingest(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    int64_t kept = mlops_case_count(ctx, at, "select count(*) from datasets");
    (void)step;
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), kept);
    CHECK(kept == 1 || status != AX_OK);
    directory_case_script(ctx, &at->base, "delete from datasets; delete from outbox");
}

static void
sweep_ingest(struct ax_ctx *ctx, struct mlops_case *at)
{
    swept_rows = rows(ctx, "");
    directory_case_script(ctx, &at->base, "delete from outbox");
    mlops_case_sweep(at, ingest_and_read, after_ingest);
}

TEST(a_dataset_meets_every_fault_with_its_fact_or_not_at_all)
{
    mlops_case_run(sweep_ingest);
}

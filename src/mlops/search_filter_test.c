#include "mlops/search_filter.h"

#include "base/number.h"
#include "base/writer.h"
#include "harness.h"

struct row {
    enum ax_search_subject subject;
    const char *text;
    const char *says; /* entity:key comparator value, .. of each clause; or "! words" */
};

static const char *const entities[] = {"attribute", "metric", "param", "tag", "dataset"};

/* The clauses written out again. */
static void
print(const struct ax_search_clauses *clauses, struct ax_writer *out)
{
    char number[AX_NUMBER_BYTES_MAX];
    for (size_t i = 0; i < clauses->count; i++) {
        const struct ax_search_clause *clause = &clauses->items[i];
        ax_writer_print(out, "%s%s:%.*s %s", i ? "; " : "", entities[clause->entity],
                        AX_FMT(clause->key), ax_search_comparator_name(clause->comparator));
        if (clause->numeric) {
            ax_format_f64(clause->number, number);
            ax_writer_print(out, " %s", number);
        } else if (clause->texts) {
            for (size_t t = 0; t < clause->text_count; t++)
                ax_writer_print(out, " [%.*s]", AX_FMT(clause->texts[t]));
        } else if (clause->text.at) {
            ax_writer_print(out, " [%.*s]", AX_FMT(clause->text));
        }
    }
}

static void
check_row(struct ax_ctx *ctx, const struct row *row)
{
    ax_writer_auto struct ax_writer got = ax_writer_of(1 << 20);
    struct ax_search_clauses clauses = {};
    ax_status status = ax_search_filter_parse(ctx, row->subject, ax_str_of(row->text), &clauses);
    if (status == AX_OK)
        print(&clauses, &got);
    else
        ax_writer_print(&got, "! %s", ctx->error);
    bool refused = row->says[0] == '!';
    bool same =
        refused ? ax_str_starts(ax_writer_str(&got), ax_str_of(row->says)) && status == AX_INVALID
                : ax_str_eq(ax_writer_str(&got), ax_str_of(row->says));
    if (!same)
        ax_test_failed(__FILE__, __LINE__, "\"%s\": \"%.*s\", not \"%s\"", row->text,
                       AX_FMT(ax_writer_str(&got)), row->says);
}

static const struct row rows[] = {
    {AX_SEARCH_RUNS, "", ""},
    {AX_SEARCH_RUNS, "  \t\n ", ""},
    {AX_SEARCH_RUNS, "metrics.auc > 0.8", "metric:auc > 0.8"},
    {AX_SEARCH_RUNS, "metric.a.b.c<=-1e3", "metric:a.b.c <= -1000"},
    {AX_SEARCH_RUNS, "metrics.`a b-c:d` != 5", "metric:a b-c:d != 5"},
    {AX_SEARCH_RUNS, "metrics.\"1st\" = .5", "metric:1st = 0.5"},
    {AX_SEARCH_RUNS, "params.p = '1' AND tags.t LIKE 'x%' and tag.u iLiKe \"y_\"",
     "param:p = [1]; tag:t LIKE [x%]; tag:u ILIKE [y_]"},
    {AX_SEARCH_RUNS, "parameters.p IS NULL and parameter.q is not null",
     "param:p IS NULL; param:q IS NOT NULL"},
    {AX_SEARCH_RUNS, "tags.t = ''", "tag:t = []"},
    {AX_SEARCH_RUNS, "tags.t = 'it''s'", "tag:t = [it''s]"},
    {AX_SEARCH_RUNS, "tags.t = 'a AND b'", "tag:t = [a AND b]"},
    {AX_SEARCH_RUNS, "status = 'RUNNING'", "attribute:status = [RUNNING]"},
    {AX_SEARCH_RUNS, "attributes.start_time >= 12", "attribute:start_time >= 12"},
    {AX_SEARCH_RUNS, "`run name` = 'a'", "attribute:run name = [a]"},
    {AX_SEARCH_RUNS, "run.`Run Name` != 'a'", "attribute:Run Name != [a]"},
    {AX_SEARCH_RUNS, "run_id IN ('a', \"b\",)", "attribute:run_id IN [a] [b]"},
    {AX_SEARCH_RUNS, "attr.run_id not in ('a','ABC')", "attribute:run_id NOT IN [a]"},
    {AX_SEARCH_RUNS, "dataset.name = 'd' and datasets.context in ('train')",
     "dataset:name = [d]; dataset:context IN [train]"},
    {AX_SEARCH_RUNS, "metrics.\xc3\xa4 > 1", "metric:\xc3\xa4 > 1"},
    {AX_SEARCH_RUNS, "bogus", "! Invalid clause(s) in filter string: 'bogus'"},
    {AX_SEARCH_RUNS, "params.p = '1' OR params.p='2'",
     "! Invalid clause(s) in filter string: 'OR'"},
    {AX_SEARCH_RUNS, "NOT params.p = '1'", "! Invalid clause(s) in filter string: 'NOT"},
    {AX_SEARCH_RUNS, "(params.p = '1')", "! Invalid clause(s) in filter string: '(params.p"},
    {AX_SEARCH_RUNS, "params.p = '1' AND", "! Invalid clause(s) in filter string: ''"},
    {AX_SEARCH_RUNS, "params.p = '1'AND params.q = '2'", "! Invalid clause(s) in filter"},
    {AX_SEARCH_RUNS, "params.p = '1'; drop table runs", "! Invalid clause(s) in filter"},
    {AX_SEARCH_RUNS, "params.p = 1", "! Expected a quoted string value for parameter"},
    {AX_SEARCH_RUNS, "params.p = 'open", "! Expected a quoted string value for parameter"},
    {AX_SEARCH_RUNS, "params.p > '1'",
     "! Invalid comparator '>' not one of '{'LIKE', 'IS NOT NULL', 'ILIKE', 'IS NULL', '=', '!='}"},
    {AX_SEARCH_RUNS, "metrics.m > 'a'", "! Expected numeric value type for metric. Found 'a'"},
    {AX_SEARCH_RUNS, "metrics.m > nan", "! Expected numeric value type for metric. Found nan"},
    {AX_SEARCH_RUNS, "metrics.m > 1e999", "! Expected numeric value type for metric"},
    {AX_SEARCH_RUNS, "metrics.m like 'a'", "! Invalid comparator 'like'"},
    {AX_SEARCH_RUNS, "metrics.m is null", "! Invalid comparator 'is null'"},
    {AX_SEARCH_RUNS, "start_time > 'a'", "! Expected numeric value type for numeric attribute"},
    {AX_SEARCH_RUNS, "acme = 'a'", "! Invalid attribute key 'acme' specified. Valid keys are"},
    {AX_SEARCH_RUNS, "dataset.acme = 'a'", "! Invalid dataset key 'acme' specified"},
    {AX_SEARCH_RUNS, "m.acme = 'a'", "! Invalid entity type 'm'. Valid values are"},
    {AX_SEARCH_RUNS, "status IN ('a')", "! Only the 'run_id' attribute supports comparison"},
    {AX_SEARCH_RUNS, "run_id IN ()", "! While parsing a list in the query, expected a non-empty"},
    {AX_SEARCH_RUNS, "run_id IN (1, 2)", "! While parsing a list in the query, expected string"},
    {AX_SEARCH_RUNS, "run_id IN ('a' 'b')", "! While parsing a list in the query"},
    {AX_SEARCH_RUNS, "run_id IN ('a'", "! While parsing a list in the query"},
    {AX_SEARCH_RUNS, "run_id IN 'a'", "! While parsing a list in the query"},
    {AX_SEARCH_RUNS, "metrics. > 1", "! Invalid clause(s)"},
    {AX_SEARCH_RUNS, "metrics.5 > 1", "! Invalid clause(s)"},
    {AX_SEARCH_RUNS, "tags.a-b = '1'", "! Invalid clause(s)"},
    {AX_SEARCH_RUNS, "tags.t = '\xff'", "! a filter is UTF-8 text without NUL"},
    {AX_SEARCH_EXPERIMENTS, "name ILIKE 'a%' AND tags.x IS NULL",
     "attribute:name ILIKE [a%]; tag:x IS NULL"},
    {AX_SEARCH_EXPERIMENTS, "creation_time > 5", "attribute:creation_time > 5"},
    {AX_SEARCH_EXPERIMENTS, "metrics.m > 5", "! Invalid entity type 'metrics'"},
    {AX_SEARCH_EXPERIMENTS, "experiment_id = '5'", "! Invalid attribute key 'experiment_id'"},
    {AX_SEARCH_REGISTERED_MODELS, "name != 'a' and tag.k = 'v'",
     "attribute:name != [a]; tag:k = [v]"},
    {AX_SEARCH_REGISTERED_MODELS, "tags.k is null", "! Invalid comparator 'is null'"},
    {AX_SEARCH_REGISTERED_MODELS, "run_id = 'x'", "! Invalid attribute key 'run_id'"},
    {AX_SEARCH_MODEL_VERSIONS, "name = 'a' and run_id in ('A') and version_number < 3",
     "attribute:name = [a]; attribute:run_id IN [A]; attribute:version_number < 3"},
    {AX_SEARCH_MODEL_VERSIONS, "source_path like '%m'", "attribute:source_path LIKE [%m]"},
    {AX_SEARCH_LOGGED_MODELS,
     "name IN ('a','b') and metrics.auc > 1 and params.p not in ('x') and creation_timestamp > 1",
     "attribute:name IN [a] [b]; metric:auc > 1; param:p NOT IN [x]; "
     "attribute:creation_timestamp > 1"},
    {AX_SEARCH_LOGGED_MODELS, "dataset.name = 'a'", "! Invalid entity type 'dataset'"},
    {AX_SEARCH_LOGGED_MODELS, "bogus", "! Invalid filter string: 'bogus'"},
    {AX_SEARCH_LOGGED_MODELS, "name = 'a' OR name = 'b'", "! Invalid filter string: 'OR'"},
    {AX_SEARCH_LOGGED_MODELS, "name > 'a'", "! Invalid comparison operator '>'"},
    {AX_SEARCH_LOGGED_MODELS, "metrics.m LIKE 0", "! Invalid comparison operator 'LIKE'"},
    {AX_SEARCH_REGISTERED_MODELS, "name = a",
     "! Parameter value is either not quoted or unidentified quote types used for string value a."},
};

static void
filters(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
        check_row(ctx, &rows[i]);
}

TEST(filters_are_taken_apart_or_refused_in_mlflows_words)
{
    ax_test_with_ctx(filters);
}

static void
bounds(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_search_clauses clauses = {};
    for (int i = 0; i <= AX_SEARCH_CLAUSES_MAX; i++)
        ax_writer_print(&text, "%stags.t = 'a'", i ? " and " : "");
    CHECK_EQ(ax_search_filter_parse(ctx, AX_SEARCH_RUNS, ax_writer_str(&text), &clauses),
             AX_INVALID);
    ax_writer_clear(&text);
    ax_writer_text(&text, "run_id in (");
    for (int i = 0; i <= AX_SEARCH_LIST_MAX; i++)
        ax_writer_text(&text, "'a',");
    ax_writer_text(&text, ")");
    CHECK_EQ(ax_search_filter_parse(ctx, AX_SEARCH_RUNS, ax_writer_str(&text), &clauses),
             AX_INVALID);
    ax_writer_clear(&text);
    for (int i = 0; i <= AX_SEARCH_TEXT_BYTES_MAX; i++)
        ax_writer_char(&text, 'a');
    CHECK_EQ(ax_search_filter_parse(ctx, AX_SEARCH_RUNS, ax_writer_str(&text), &clauses),
             AX_INVALID);
}

TEST(filters_have_bounds)
{
    ax_test_with_ctx(bounds);
}

static void
orders(struct ax_ctx *ctx)
{
    static const struct {
        enum ax_search_subject subject;
        const char *text, *says;
    } cases[] = {
        {AX_SEARCH_RUNS, "metrics.m DESC", "metric:m desc"},
        {AX_SEARCH_RUNS, " params.`a b` asc ", "param:a b asc"},
        {AX_SEARCH_RUNS, "tag.x", "tag:x asc"},
        {AX_SEARCH_RUNS, "start_time desc", "attribute:start_time desc"},
        {AX_SEARCH_RUNS, "dataset.name", "! Invalid dataset key"},
        {AX_SEARCH_RUNS, "metrics.m down", "! Invalid order_by clause 'metrics.m down'"},
        {AX_SEARCH_RUNS, "", "! Invalid order_by clause ''"},
        {AX_SEARCH_RUNS, "acme", "! Invalid attribute key 'acme'"},
        {AX_SEARCH_EXPERIMENTS, "experiment_id DESC", "attribute:experiment_id desc"},
        {AX_SEARCH_EXPERIMENTS, "tags.t", "! Invalid order_by clause"},
        {AX_SEARCH_REGISTERED_MODELS, "timestamp", "attribute:timestamp asc"},
        {AX_SEARCH_MODEL_VERSIONS, "version_number desc", "attribute:version_number desc"},
        {AX_SEARCH_REGISTERED_MODELS, "creation_timestamp",
         "! Invalid order by key 'creation_timestamp' specified. Valid keys are"},
        {AX_SEARCH_MODEL_VERSIONS, "run_id", "! Invalid attribute key 'run_id' specified"},
        {AX_SEARCH_LOGGED_MODELS, "metrics.auc", "metric:auc asc"},
        {AX_SEARCH_LOGGED_MODELS, "params.p", "! Invalid order_by clause"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_search_orders list = {};
        char got[256];
        ax_status status =
            ax_search_order_parse(ctx, cases[i].subject, ax_str_of(cases[i].text), &list);
        if (status == AX_OK)
            snprintf(got, sizeof got, "%s:%.*s %s", entities[list.items[0].entity],
                     AX_FMT(list.items[0].key), list.items[0].descending ? "desc" : "asc");
        else
            snprintf(got, sizeof got, "! %.200s", ctx->error);
        if (!ax_str_starts(ax_str_of(got), ax_str_of(cases[i].says)))
            ax_test_failed(__FILE__, __LINE__, "\"%s\": \"%s\"", cases[i].text, got);
    }
    struct ax_search_orders twice = {};
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("metrics.m"), &twice), AX_OK);
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("metrics.m desc"), &twice),
             AX_INVALID);
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("params.m"), &twice), AX_OK);
    CHECK(!ax_search_orders_by(&twice, "start_time"));
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("start_time"), &twice), AX_OK);
    CHECK(ax_search_orders_by(&twice, "start_time"));
}

TEST(orders_are_read)
{
    ax_test_with_ctx(orders);
}

static void
pages(struct ax_ctx *ctx)
{
    int64_t offset = -1;
    ax_str token = AX_STR("");
    CHECK_EQ(ax_search_page_parse(ctx, AX_STR(""), &offset), AX_OK);
    CHECK_EQ(offset, 0);
    CHECK_EQ(ax_search_page_format(ctx, 1, &token), AX_OK);
    CHECK_STR(token, "eyJvZmZzZXQiOiAxfQ=="); /* as MLflow's server writes it */
    CHECK_EQ(ax_search_page_parse(ctx, token, &offset), AX_OK);
    CHECK_EQ(offset, 1);
    static const char *const wrong[] = {"zz", "eyJvZmZzZXQiOiAtMX0=", "e30=", "W10=", "YWJj"};
    for (size_t i = 0; i < AX_COUNT_OF(wrong); i++)
        CHECK_EQ(ax_search_page_parse(ctx, ax_str_of(wrong[i]), &offset), AX_INVALID);
}

TEST(page_tokens_are_offsets)
{
    ax_test_with_ctx(pages);
}

static ax_status
parse_all(struct ax_ctx *ctx)
{
    struct ax_search_clauses clauses;
    struct ax_search_orders list = {};
    ax_str token;
    AX_TRY(ax_search_filter_parse(ctx, AX_SEARCH_RUNS,
                                  AX_STR("run_id in ('a','b') and tags.t = 'x' and metrics.m > 1"),
                                  &clauses));
    AX_TRY(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("metrics.m"), &list));
    return ax_search_page_format(ctx, 7, &token);
}

TEST(parsing_notices_every_fault)
{
    FAULT_SWEEP(parse_all);
}

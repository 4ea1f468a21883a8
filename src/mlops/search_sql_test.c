#include "mlops/search_sql.h"

#include "harness.h"

struct row {
    enum ax_search_subject subject;
    enum ax_store_dialect dialect;
    const char *filter;
    const char *sql; /* without what stands around it */
};

static const struct row rows[] = {
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "metrics.m > 1 and status = 'RUNNING'",
     " and r.key in (select t.run_key from metric_series t where t.key = $1 and t.value > $2)"
     " and r.status = $3"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "params.p like 'a%'",
     " and r.key in (select t.run_key from run_params t where t.key = $1 and t.value glob $2)"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "params.p ilike 'a%'",
     " and r.key in (select t.run_key from run_params t where t.key = $1 and t.value like $2)"},
    {AX_SEARCH_RUNS, AX_STORE_POSTGRES, "params.p like 'a%' and tags.t ilike 'b'",
     " and r.key in (select t.run_key from run_params t where t.key = $1 and t.value like $2 "
     "escape "
     "'') and r.key in (select t.run_key from run_tags t where t.key = $3 and t.value ilike $4 "
     "escape '')"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "tags.t is null and tags.u is not null",
     " and r.key not in (select t.run_key from run_tags t where t.key = $1)"
     " and r.key in (select t.run_key from run_tags t where t.key = $2)"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "run_id in ('a','b')", " and r.id in ($1, $2)"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "run_id in ('A')", " and r.id in ('')"},
    {AX_SEARCH_RUNS, AX_STORE_SQLITE, "dataset.context = 'x'",
     " and r.key in (select t.run_key from run_inputs t where t.context = $1)"},
    {AX_SEARCH_REGISTERED_MODELS, AX_STORE_SQLITE, "tags.k != 'true'",
     " and r.name in (select t.model from model_tags t where t.key = $1 and t.value != $2)"},
    {AX_SEARCH_MODEL_VERSIONS, AX_STORE_SQLITE, "tags.k = 'v'",
     " and (r.model, r.version) in (select t.model, t.version from model_version_tags t where "
     "t.key = $1 and t.value = $2)"},
};

static void
conditions(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, rows[i].dialect);
        struct ax_search_clauses clauses = {};
        CHECK_EQ(ax_search_filter_parse(ctx, rows[i].subject, ax_str_of(rows[i].filter), &clauses),
                 AX_OK);
        ax_search_sql_where(&sql, rows[i].subject, &clauses);
        CHECK_EQ(sql.status, AX_OK);
        CHECK_STR(ax_writer_str(&sql.text), rows[i].sql);
    }
}

TEST(clauses_become_conditions_with_bound_values)
{
    ax_test_with_ctx(conditions);
}

static void
patterns(struct ax_ctx *ctx)
{
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, AX_STORE_SQLITE);
    struct ax_search_clauses clauses = {};
    CHECK_EQ(ax_search_filter_parse(ctx, AX_SEARCH_RUNS, AX_STR("tags.t like '%a_[*?'"), &clauses),
             AX_OK);
    ax_search_sql_where(&sql, AX_SEARCH_RUNS, &clauses);
    REQUIRE(sql.values.count == 2);
    CHECK_STR(sql.values.items[1].bytes, "*a?[[][*][?]");
}

TEST(patterns_of_like_become_those_of_glob)
{
    ax_test_with_ctx(patterns);
}

static void
orders(struct ax_ctx *ctx)
{
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, AX_STORE_SQLITE);
    struct ax_search_orders list = {};
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("metrics.m desc"), &list), AX_OK);
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_RUNS, AX_STR("end_time"), &list), AX_OK);
    ax_search_sql_joins(&sql, AX_SEARCH_RUNS, &list);
    ax_search_sql_add(&sql, " order by ");
    ax_search_sql_order(&sql, &list);
    ax_search_sql_add(&sql, "r.id");
    ax_search_sql_page(&sql, 5, 10);
    CHECK_STR(
        ax_writer_str(&sql.text),
        " left join metric_series o0 on o0.run_key = r.key and o0.key = $1 order by case when "
        "o0.value is null then 2 when o0.is_nan = 1 then 1 else 0 end, o0.value desc, case "
        "when (r.end_ns / 1000000) is null then 1 else 0 end, (r.end_ns / 1000000) asc, r.id "
        "limit $2 offset $3");
}

TEST(orders_put_what_is_missing_last)
{
    ax_test_with_ctx(orders);
}

static ax_status
build(struct ax_ctx *ctx)
{
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, AX_STORE_SQLITE);
    struct ax_search_clauses clauses = {};
    AX_TRY(ax_search_filter_parse(ctx, AX_SEARCH_RUNS, AX_STR("tags.t like 'a%' and user_id = 'x'"),
                                  &clauses));
    ax_search_sql_where(&sql, AX_SEARCH_RUNS, &clauses);
    return sql.status != AX_OK ? ax_fail(ctx, sql.status, "no memory") : sql.text.status;
}

TEST(building_notices_every_fault)
{
    FAULT_SWEEP(build);
}

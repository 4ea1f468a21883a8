/*
 * Searching for runs.
 *
 * One statement says what is wanted; there are two ways to get it. Rows in order: all that fulfil
 * the filter are sorted, and the page is taken off. Walking: the index of the first order's metric
 * is read in its order, each run is asked whether it fulfils the filter, and reading ends with the
 * page. Walking wins where much fulfils the filter and loses where little does, so what is asked
 * for is counted first, as far as FEW.
 */
#include "base/assert.h"
#include "base/number.h"
#include "mlops/experiment_run.h"
#include "mlops/experiment_search.h"

enum { DATASETS_MAX = 1000, FEW = 2000 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for runs");
}

/* A search on its way. */
struct searching {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    const struct ax_experiment_search *search;
    struct ax_experiment_search_parts parts;
    bool few;  /* a clause is fulfilled by few runs: they are looked up */
    bool walk; /* in the order of the first metric, until the page is full */
    int64_t *keys;
    size_t count; /* at most results_max + 1 */
};

static ax_status
check_experiment_ids(struct ax_ctx *ctx, const ax_str *ids, size_t count)
{
    int64_t number;
    for (size_t i = 0; i < count; i++)
        if (!ax_parse_i64(ids[i], &number))
            return ax_fail(ctx, AX_INVALID,
                           "Invalid experiment ID '%.*s'. Experiment ID must be a valid integer.",
                           AX_FMT(ax_experiment_cut(ids[i], 100)));
    return AX_OK;
}

static struct ax_search_sql
sql_of(const struct searching *searching)
{
    return ax_search_sql_of(searching->ctx, ax_store_dialect(ax_store_of(searching->tx)));
}

/* ---- which way ---- */

static ax_status
read_count(struct ax_search_sql *sql, struct ax_store_tx *tx, int64_t *out_count)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_search_sql_query(sql, tx, &rows));
    *out_count = ax_store_next(rows) ? ax_store_read_i64(rows, 0) : 0;
    return ax_store_finish(rows);
}

static ax_status
count_runs(const struct searching *searching, int64_t *out_count)
{
    ax_search_sql_auto struct ax_search_sql sql = sql_of(searching);
    ax_search_sql_add(&sql,
                      "select count(*) from (select 1 from runs r where r.experiment_id in (");
    ax_search_sql_bind_texts(&sql, searching->search->experiment_ids,
                             searching->search->experiment_count);
    ax_search_sql_add(&sql, ")");
    ax_search_sql_add(&sql, ax_experiment_view_sql(searching->search->view));
    ax_search_sql_add(&sql, " limit ");
    ax_search_sql_bind(&sql, ax_store_i64(FEW));
    ax_search_sql_add(&sql, ") counted");
    return read_count(&sql, searching->tx, out_count);
}

/* Counting what a pattern fits reads all there is; how many runs lack something is not known. */
static bool
is_countable(const struct ax_search_clause *clause)
{
    return clause->entity != AX_SEARCH_ATTRIBUTE && clause->entity != AX_SEARCH_DATASET &&
           clause->comparator != AX_SEARCH_LIKE && clause->comparator != AX_SEARCH_ILIKE &&
           clause->comparator != AX_SEARCH_IS_NULL;
}

/* Whether one of few attributes that most runs share, such as being finished. */
static bool
is_common(const struct ax_search_clause *clause)
{
    return clause->entity == AX_SEARCH_ATTRIBUTE && ax_str_eq(clause->key, AX_STR("status"));
}

static ax_status
choose_way(struct searching *searching)
{
    const struct ax_search_orders *orders = &searching->parts.orders;
    int64_t count = 0;
    searching->walk = orders->count > 0 && orders->items[0].entity == AX_SEARCH_METRIC;
    for (size_t i = 0; i < searching->parts.clauses.count; i++) {
        struct ax_search_clause *clause = &searching->parts.clauses.items[i];
        if (!is_countable(clause)) {
            searching->walk = searching->walk && is_common(clause);
            continue;
        }
        ax_search_sql_auto struct ax_search_sql sql = sql_of(searching);
        ax_search_sql_count(&sql, AX_SEARCH_RUNS, clause, FEW);
        AX_TRY(read_count(&sql, searching->tx, &count));
        clause->each = count == FEW;
        searching->few = searching->few || !clause->each;
    }
    if (searching->few || !searching->walk) {
        searching->walk = false;
        return AX_OK;
    }
    AX_TRY(count_runs(searching, &count));
    searching->walk = count == FEW;
    return AX_OK;
}

/* ---- the statement ---- */

static void
put_search(struct ax_search_sql *sql, const struct searching *searching)
{
    const struct ax_experiment_search *search = searching->search;
    const struct ax_search_orders *orders = &searching->parts.orders;
    sql->numbers_first = searching->walk;
    ax_search_sql_add(sql, searching->walk ? "select r.key from metric_series o0 cross join runs r"
                                           : "select r.key from runs r");
    ax_search_sql_joins(sql, AX_SEARCH_RUNS, orders);
    ax_search_sql_add(sql, " where ");
    if (searching->walk) {
        ax_search_sql_add(sql, "o0.run_key = r.key and o0.is_nan = 0 and o0.key = ");
        ax_search_sql_bind(sql, ax_store_text(orders->items[0].key));
        ax_search_sql_add(sql, " and ");
    }
    /* No column but a value: the index by experiment is not to be used where few are looked up. */
    ax_search_sql_add(sql, searching->few ? "r.experiment_id || '' in (" : "r.experiment_id in (");
    ax_search_sql_bind_texts(sql, search->experiment_ids, search->experiment_count);
    ax_search_sql_add(sql, ")");
    ax_search_sql_add(sql, ax_experiment_view_sql(search->view));
    ax_search_sql_where(sql, AX_SEARCH_RUNS, &searching->parts.clauses);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, orders);
    if (!ax_search_orders_by(orders, "start_time"))
        ax_search_sql_add(sql, "r.start_ns desc, ");
    ax_search_sql_add(sql, "r.id");
    ax_search_sql_page(sql, search->results_max + 1, searching->parts.offset);
}

static ax_status
read_keys(struct searching *searching)
{
    ax_search_sql_auto struct ax_search_sql sql = sql_of(searching);
    struct ax_store_rows *rows;
    put_search(&sql, searching);
    searching->count = 0;
    AX_TRY(ax_search_sql_query(&sql, searching->tx, &rows));
    while (ax_store_next(rows)) {
        AX_ASSERT((int64_t)searching->count <= searching->search->results_max);
        searching->keys[searching->count++] = ax_store_read_i64(rows, 0);
    }
    return ax_store_finish(rows);
}

/* Behind the numbers come runs without one: a page that is not full is read the other way. */
static ax_status
find_keys(struct searching *searching)
{
    size_t count_max = (size_t)searching->search->results_max + 1;
    searching->keys = AX_NEW_ARRAY(searching->ctx->arena, int64_t, count_max);
    if (!searching->keys)
        return no_memory(searching->ctx);
    AX_TRY(choose_way(searching));
    AX_TRY(read_keys(searching));
    if (!searching->walk || searching->count == count_max)
        return AX_OK;
    searching->walk = false;
    return read_keys(searching);
}

/* ---- searching ---- */

static ax_status
find(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_experiment_search *search,
     struct searching *out)
{
    *out = (struct searching){.tx = tx, .ctx = ctx, .search = search};
    AX_TRY(check_experiment_ids(ctx, search->experiment_ids, search->experiment_count));
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_RUNS, search, &out->parts));
    return search->experiment_count > 0 ? find_keys(out) : AX_OK;
}

ax_status
ax_runs_find(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_experiment_search *search,
             struct ax_run_keys *out_keys)
{
    struct searching searching;
    AX_TRY(find(tx, ctx, search, &searching));
    bool more = (int64_t)searching.count > search->results_max;
    *out_keys = (struct ax_run_keys){searching.keys, searching.count - more};
    return AX_OK;
}

ax_status
ax_runs_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
               const struct ax_experiment_search *search, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct searching searching;
    ax_str token;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(find(tx, ctx, search, &searching));
    if (search->experiment_count == 0)
        return AX_OK;
    bool more = (int64_t)searching.count > search->results_max;
    const struct ax_run_keys shown = {searching.keys, searching.count - more};
    ax_json_key(out, "runs");
    ax_json_begin_array(out);
    AX_TRY(ax_runs_show(tx, ctx, ax_experiments_shown(experiments), &shown, out));
    ax_json_end_array(out);
    if (!more)
        return AX_OK;
    AX_TRY(ax_search_page_format(ctx, searching.parts.offset + search->results_max, &token));
    ax_json_member_text(out, "next_page_token", token);
    return AX_OK;
}

ax_status
ax_runs_datasets(struct ax_experiments *experiments, struct ax_ctx *ctx,
                 const ax_str *experiment_ids, size_t experiment_count, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store *store = ax_experiments_store(experiments);
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, ax_store_dialect(store));
    struct ax_store_rows *rows;
    AX_TRY(check_experiment_ids(ctx, experiment_ids, experiment_count));
    ax_search_sql_add(&sql, "select distinct r.experiment_id, i.dataset_name, i.dataset_digest, "
                            "i.context from run_inputs i join runs r on r.key = i.run_key where "
                            "r.lifecycle_stage = 'active' and r.experiment_id in (");
    ax_search_sql_bind_texts(&sql, experiment_ids, experiment_count);
    ax_search_sql_add(&sql, ") order by 1, 2, 3, 4 limit ");
    ax_search_sql_bind(&sql, ax_store_i64(DATASETS_MAX));
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_search_sql_query(&sql, tx, &rows));
    ax_json_key(out, "dataset_summaries");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        ax_str context = ax_store_read_text(rows, 3);
        ax_json_begin_object(out);
        ax_json_member_text(out, "experiment_id", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "name", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "digest", ax_store_read_text(rows, 2));
        if (context.len > 0)
            ax_json_member_text(out, "context", context);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return ax_store_finish(rows);
}

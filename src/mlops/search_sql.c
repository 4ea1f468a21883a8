#include "mlops/search_sql.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

/* Where the metrics, params and tags of a subject lie, and what of r they belong to. */
struct place {
    const char *table;
    const char *owner; /* columns of the table */
    const char *row;   /* the same of r */
};

static const struct place places[AX_SEARCH_SUBJECTS][5] = {
    [AX_SEARCH_RUNS] = {[AX_SEARCH_METRIC] = {"metric_series", "t.run_key", "r.key"},
                        [AX_SEARCH_PARAM] = {"run_params", "t.run_key", "r.key"},
                        [AX_SEARCH_TAG] = {"run_tags", "t.run_key", "r.key"},
                        [AX_SEARCH_DATASET] = {"run_inputs", "t.run_key", "r.key"}},
    [AX_SEARCH_EXPERIMENTS] = {[AX_SEARCH_TAG] = {"experiment_tags", "t.experiment_id", "r.id"}},
    [AX_SEARCH_REGISTERED_MODELS] = {[AX_SEARCH_TAG] = {"model_tags", "t.model", "r.name"}},
    [AX_SEARCH_MODEL_VERSIONS] = {[AX_SEARCH_TAG] = {"model_version_tags", "t.model, t.version",
                                                     "(r.model, r.version)"}},
    [AX_SEARCH_LOGGED_MODELS] = {[AX_SEARCH_METRIC] = {"logged_model_metrics", "t.model_id",
                                                       "r.id"},
                                 [AX_SEARCH_PARAM] = {"logged_model_params", "t.model_id", "r.id"},
                                 [AX_SEARCH_TAG] = {"logged_model_tags", "t.model_id", "r.id"}},
};

/* ---- putting together ---- */

struct ax_search_sql
ax_search_sql_of(struct ax_ctx *ctx, enum ax_store_dialect dialect)
{
    return (struct ax_search_sql){
        .ctx = ctx, .dialect = dialect, .text = ax_writer_of(TEXT_BYTES_MAX), .status = AX_OK};
}

void
ax_search_sql_done(struct ax_search_sql *sql)
{
    ax_writer_free(&sql->text);
}

void
ax_search_sql_add(struct ax_search_sql *sql, const char *words)
{
    ax_writer_text(&sql->text, words);
}

void
ax_search_sql_bind(struct ax_search_sql *sql, ax_store_value value)
{
    ax_store_value *place = AX_ARRAY_PUSH(sql->ctx->arena, &sql->values);
    if (!place) {
        sql->status = AX_LIMIT;
        return;
    }
    *place = value;
    ax_writer_print(&sql->text, "$%zu", sql->values.count);
}

void
ax_search_sql_bind_texts(struct ax_search_sql *sql, const ax_str *texts, size_t count)
{
    if (count == 0)
        ax_search_sql_add(sql, "null");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            ax_search_sql_add(sql, ", ");
        ax_search_sql_bind(sql, ax_store_text(texts[i]));
    }
}

/* ---- comparing ---- */

/* The pattern as GLOB has it, which minds the case: SQLite's LIKE does not. */
static ax_str
glob_of(struct ax_search_sql *sql, ax_str pattern)
{
    ax_writer_auto struct ax_writer glob = ax_writer_of(4 * AX_SEARCH_TEXT_BYTES_MAX);
    ax_str copy = AX_STR("");
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.at[i];
        if (c == '%')
            ax_writer_char(&glob, '*');
        else if (c == '_')
            ax_writer_char(&glob, '?');
        else if (strchr("*?[", c))
            ax_writer_print(&glob, "[%c]", c);
        else
            ax_writer_char(&glob, c);
    }
    if (ax_writer_take(&glob, sql->ctx->arena, &copy) != AX_OK)
        sql->status = AX_LIMIT;
    return copy;
}

static void
compare_like(struct ax_search_sql *sql, const char *column, const struct ax_search_clause *clause)
{
    bool any_case = clause->comparator == AX_SEARCH_ILIKE;
    bool sqlite = sql->dialect == AX_STORE_SQLITE;
    const char *word = sqlite ? (any_case ? "like" : "glob") : (any_case ? "ilike" : "like");
    ax_writer_print(&sql->text, "%s %s ", column, word);
    ax_str pattern = sqlite && !any_case ? glob_of(sql, clause->text) : clause->text;
    ax_search_sql_bind(sql, ax_store_text(pattern));
    if (!sqlite)
        ax_search_sql_add(sql, " escape ''");
}

static bool
is_list(const struct ax_search_clause *clause)
{
    return clause->comparator == AX_SEARCH_IN || clause->comparator == AX_SEARCH_NOT_IN;
}

static void
compare(struct ax_search_sql *sql, const char *column, const struct ax_search_clause *clause)
{
    if (clause->comparator == AX_SEARCH_LIKE || clause->comparator == AX_SEARCH_ILIKE) {
        compare_like(sql, column, clause);
    } else if (is_list(clause)) {
        ax_writer_print(&sql->text, "%s %s (", column,
                        clause->comparator == AX_SEARCH_IN ? "in" : "not in");
        if (clause->text_count == 0) /* all fell out: nothing is in it */
            ax_search_sql_add(sql, "''");
        else
            ax_search_sql_bind_texts(sql, clause->texts, clause->text_count);
        ax_search_sql_add(sql, ")");
    } else {
        ax_writer_print(&sql->text, "%s %s ", column,
                        ax_search_comparator_name(clause->comparator));
        ax_search_sql_bind(sql, clause->numeric ? ax_store_f64(clause->number)
                                                : ax_store_text(clause->text));
    }
}

static bool
checks_null(const struct ax_search_clause *clause)
{
    return clause->comparator == AX_SEARCH_IS_NULL || clause->comparator == AX_SEARCH_IS_NOT_NULL;
}

/* "t.key = $1 [and t.value = $2]" */
static void
match_other(struct ax_search_sql *sql, const struct ax_search_clause *clause)
{
    if (clause->entity == AX_SEARCH_DATASET) {
        compare(sql, clause->column, clause);
        return;
    }
    ax_search_sql_add(sql, "t.key = ");
    ax_search_sql_bind(sql, ax_store_text(clause->key));
    if (!checks_null(clause)) {
        ax_search_sql_add(sql, " and ");
        compare(sql, "t.value", clause);
    }
}

/* "r.key [not] in (select t.run_key from run_tags t where ..)", or "exists (select 1 ..)" */
static void
where_other(struct ax_search_sql *sql, const struct place *place,
            const struct ax_search_clause *clause)
{
    const char *negation = clause->comparator == AX_SEARCH_IS_NULL ? "not " : "";
    if (clause->each)
        ax_writer_print(&sql->text, "%sexists (select 1 from %s t where %s = %s and ", negation,
                        place->table, place->owner, place->row);
    else
        ax_writer_print(&sql->text, "%s %sin (select %s from %s t where ", place->row, negation,
                        place->owner, place->table);
    match_other(sql, clause);
    ax_search_sql_add(sql, ")");
}

void
ax_search_sql_count(struct ax_search_sql *sql, enum ax_search_subject subject,
                    const struct ax_search_clause *clause, int64_t most)
{
    ax_writer_print(&sql->text, "select count(*) from (select 1 from %s t where ",
                    places[subject][clause->entity].table);
    match_other(sql, clause);
    ax_search_sql_add(sql, " limit ");
    ax_search_sql_bind(sql, ax_store_i64(most));
    ax_search_sql_add(sql, ") counted");
}

void
ax_search_sql_where(struct ax_search_sql *sql, enum ax_search_subject subject,
                    const struct ax_search_clauses *clauses)
{
    for (size_t i = 0; i < clauses->count; i++) {
        const struct ax_search_clause *clause = &clauses->items[i];
        ax_search_sql_add(sql, " and ");
        if (clause->entity == AX_SEARCH_ATTRIBUTE)
            compare(sql, clause->column, clause);
        else
            where_other(sql, &places[subject][clause->entity], clause);
    }
}

/* ---- order ---- */

/* A logged model's metric has a row a dataset and step: the newest counts. */
static void
join_newest(struct ax_search_sql *sql, const struct ax_search_order *order, size_t number)
{
    ax_search_sql_add(sql, " left join (select t.model_id, t.value, t.is_nan, row_number() over "
                           "(partition by t.model_id order by t.timestamp_ms desc, t.step desc) "
                           "as place from logged_model_metrics t where t.key = ");
    ax_search_sql_bind(sql, ax_store_text(order->key));
    if (order->dataset_name.len > 0) {
        ax_search_sql_add(sql, " and t.dataset_name = ");
        ax_search_sql_bind(sql, ax_store_text(order->dataset_name));
    }
    if (order->dataset_digest.len > 0) {
        ax_search_sql_add(sql, " and t.dataset_digest = ");
        ax_search_sql_bind(sql, ax_store_text(order->dataset_digest));
    }
    ax_writer_print(&sql->text, ") o%zu on o%zu.model_id = r.id and o%zu.place = 1", number, number,
                    number);
}

void
ax_search_sql_joins(struct ax_search_sql *sql, enum ax_search_subject subject,
                    const struct ax_search_orders *orders)
{
    for (size_t i = sql->numbers_first; i < orders->count; i++) {
        const struct ax_search_order *order = &orders->items[i];
        const struct place *place = &places[subject][order->entity];
        if (order->entity == AX_SEARCH_ATTRIBUTE)
            continue;
        if (subject == AX_SEARCH_LOGGED_MODELS && order->entity == AX_SEARCH_METRIC) {
            join_newest(sql, order, i);
            continue;
        }
        ax_writer_print(&sql->text,
                        " left join %s o%zu on o%zu.%s = %s and o%zu.key = ", place->table, i, i,
                        place->owner + 2, place->row, i);
        ax_search_sql_bind(sql, ax_store_text(order->key));
    }
}

void
ax_search_sql_order(struct ax_search_sql *sql, const struct ax_search_orders *orders)
{
    for (size_t i = 0; i < orders->count; i++) {
        const struct ax_search_order *order = &orders->items[i];
        const char *direction = order->descending ? "desc" : "asc";
        if (order->entity == AX_SEARCH_ATTRIBUTE)
            ax_writer_print(&sql->text, "case when %s is null then 1 else 0 end, %s %s, ",
                            order->column, order->column, direction);
        else if (i == 0 && sql->numbers_first)
            ax_writer_print(&sql->text, "o0.value %s, ", direction);
        else if (order->entity == AX_SEARCH_METRIC)
            ax_writer_print(&sql->text,
                            "case when o%zu.value is null then 2 when o%zu.is_nan = 1 then 1 "
                            "else 0 end, o%zu.value %s, ",
                            i, i, i, direction);
        else
            ax_writer_print(&sql->text,
                            "case when o%zu.value is null then 1 else 0 end, "
                            "o%zu.value %s, ",
                            i, i, direction);
    }
}

void
ax_search_sql_page(struct ax_search_sql *sql, int64_t count, int64_t offset)
{
    ax_search_sql_add(sql, " limit ");
    ax_search_sql_bind(sql, ax_store_i64(count));
    ax_search_sql_add(sql, " offset ");
    ax_search_sql_bind(sql, ax_store_i64(offset));
}

ax_status
ax_search_sql_query(struct ax_search_sql *sql, struct ax_store_tx *tx,
                    struct ax_store_rows **out_rows)
{
    if (sql->status != AX_OK || sql->text.status != AX_OK)
        return ax_fail(sql->ctx, AX_LIMIT, "no memory for a search");
    return ax_store_query(tx, sql->ctx, ax_writer_str(&sql->text),
                          (ax_store_params){sql->values.items, sql->values.count}, out_rows);
}

/*
 * Clauses and orders of search_filter.h as SQL: a statement put together, its values bound.
 *
 * The row that is searched is called r. What a client wrote reaches the database as parameters
 * only; the names in the text are this program's. SQLite and PostgreSQL understand the text, but
 * for LIKE, which is written as each compares with respect to case.
 */
#pragma once

#include "base/writer.h"
#include "mlops/search_filter.h"
#include "store/store.h"

struct ax_search_sql {
    struct ax_ctx *ctx;
    enum ax_store_dialect dialect;
    struct ax_writer text; /* ax_search_sql_done frees it */
    struct {
        AX_ARRAY(ax_store_value)
    } values;           /* $1 is the first */
    ax_status status;   /* sticky: LIMIT */
    bool numbers_first; /* rows are read in the order of the first item's metric: it is joined
                           already, as o0, and is a number */
};

struct ax_search_sql ax_search_sql_of(struct ax_ctx *ctx, enum ax_store_dialect dialect);
void ax_search_sql_done(struct ax_search_sql *sql);
#define ax_search_sql_auto [[gnu::cleanup(ax_search_sql_done)]]

/* Words of the statement, as they stand. */
void ax_search_sql_add(struct ax_search_sql *sql, const char *words);

/* "$n" for a value, which is borrowed until the statement has run. */
void ax_search_sql_bind(struct ax_search_sql *sql, ax_store_value value);

/* "$n, $m, ..." for texts; "null" for none. */
void ax_search_sql_bind_texts(struct ax_search_sql *sql, const ax_str *texts, size_t count);

/* " and <condition>" for every clause. */
void ax_search_sql_where(struct ax_search_sql *sql, enum ax_search_subject subject,
                         const struct ax_search_clauses *clauses);

/* "select count(*) ...": how many things fulfil a clause that is no attribute's, up to most. */
void ax_search_sql_count(struct ax_search_sql *sql, enum ax_search_subject subject,
                         const struct ax_search_clause *clause, int64_t most);

/* " left join ..." for what an order needs beside r. Before "where". */
void ax_search_sql_joins(struct ax_search_sql *sql, enum ax_search_subject subject,
                         const struct ax_search_orders *orders);

/*
 * "<item>, <item>, " behind "order by": what is missing comes last, in both directions; of metrics
 * the numbers, then what is not a number. The caller's own last words follow.
 */
void ax_search_sql_order(struct ax_search_sql *sql, const struct ax_search_orders *orders);

/* " limit $n offset $m" */
void ax_search_sql_page(struct ax_search_sql *sql, int64_t count, int64_t offset);

/* Runs it. The rows belong to tx. Fails: the sticky status; as ax_store_query. */
ax_status ax_search_sql_query(struct ax_search_sql *sql, struct ax_store_tx *tx,
                              struct ax_store_rows **out_rows);

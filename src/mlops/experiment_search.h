/*
 * What every search of tracking and registry shares: the client's words taken apart, and the rows
 * of one page as JSON with the token of the next.
 */
#pragma once

#include "mlops/experiment.h"
#include "mlops/search_sql.h"

struct ax_experiment_search_parts {
    struct ax_search_clauses clauses;
    struct ax_search_orders orders;
    int64_t offset;
};

/* The filter, the orders and the page token, in ctx->arena. Fails: INVALID in MLflow's words. */
ax_status ax_experiment_search_parse(struct ax_ctx *ctx, enum ax_search_subject subject,
                                     const struct ax_experiment_search *search,
                                     struct ax_experiment_search_parts *out_parts);

/* The row that the rows stand on, as a value. */
typedef ax_status ax_experiment_show_row(struct ax_store_tx *tx, struct ax_ctx *ctx,
                                         struct ax_store_rows *rows, struct ax_json_writer *out);

struct ax_experiment_list {
    const char *name; /* of the member, which is left out where there is no row */
    ax_experiment_show_row *show;
    int64_t left; /* rows that may still be shown */
};
ax_status ax_experiment_show_rows(struct ax_store_tx *tx, struct ax_ctx *ctx,
                                  struct ax_store_rows *rows, struct ax_experiment_list *list,
                                  struct ax_json_writer *out);

/* Asks sql, which is for one row more than results_max, and shows the page as the member name. */
ax_status ax_experiment_search_show(struct ax_store *store, struct ax_search_sql *sql,
                                    const struct ax_experiment_search *search, const char *name,
                                    ax_experiment_show_row *show, struct ax_json_writer *out);

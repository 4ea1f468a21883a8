#include "mlops/experiment_search.h"

ax_status
ax_experiment_search_parse(struct ax_ctx *ctx, enum ax_search_subject subject,
                           const struct ax_experiment_search *search,
                           struct ax_experiment_search_parts *out_parts)
{
    out_parts->orders = (struct ax_search_orders){};
    AX_TRY(ax_search_filter_parse(ctx, subject, search->filter, &out_parts->clauses));
    for (size_t i = 0; i < search->order_count; i++)
        AX_TRY(ax_search_order_parse(ctx, subject, search->order_by[i], &out_parts->orders));
    return ax_search_page_parse(ctx, search->page_token, &out_parts->offset);
}

ax_status
ax_experiment_show_rows(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows,
                        struct ax_experiment_list *list, struct ax_json_writer *out)
{
    ax_status status = AX_OK;
    bool any = false;
    for (; status == AX_OK && list->left > 0 && ax_store_next(rows); list->left--) {
        if (!any) {
            ax_json_key(out, list->name);
            ax_json_begin_array(out);
        }
        any = true;
        status = list->show(tx, ctx, rows, out);
    }
    if (any)
        ax_json_end_array(out);
    return status;
}

/* Ends the rows of a page: "next_page_token" where they go on. status: of what showed them. */
static ax_status
end_page(struct ax_ctx *ctx, const struct ax_experiment_search *search, struct ax_store_rows *rows,
         ax_status status, int64_t left, struct ax_json_writer *out)
{
    int64_t offset;
    ax_str token;
    bool more = status == AX_OK && left == 0 && ax_store_next(rows);
    ax_status end = ax_store_finish(rows);
    AX_TRY(status == AX_OK ? end : status);
    if (!more)
        return AX_OK;
    AX_TRY(ax_search_page_parse(ctx, search->page_token, &offset));
    AX_TRY(ax_search_page_format(ctx, offset + search->results_max, &token));
    if (search->page_scope.len > 0)
        token = ax_str_printf(ctx->arena, "%.*s.%.*s", AX_FMT(token), AX_FMT(search->page_scope));
    if (!token.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a page token");
    ax_json_member_text(out, "next_page_token", token);
    return AX_OK;
}

ax_status
ax_experiment_search_show(struct ax_store *store, struct ax_search_sql *sql,
                          const struct ax_experiment_search *search, const char *name,
                          ax_experiment_show_row *show, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    struct ax_experiment_list list = {name, show, search->results_max};
    AX_TRY(ax_store_begin(store, sql->ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_search_sql_query(sql, tx, &rows));
    ax_status status = ax_experiment_show_rows(tx, sql->ctx, rows, &list, out);
    return end_page(sql->ctx, search, rows, status, list.left, out);
}

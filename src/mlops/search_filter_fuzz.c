#include "base/assert.h"
#include "mlops/search_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted becomes SQL in both dialects that holds none of the client's own characters. */
static void
check_sql(struct ax_ctx *ctx, enum ax_search_subject subject,
          const struct ax_search_clauses *clauses, const struct ax_search_orders *orders)
{
    static const enum ax_store_dialect dialects[] = {AX_STORE_SQLITE, AX_STORE_POSTGRES};
    for (size_t d = 0; d < AX_COUNT_OF(dialects); d++) {
        ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, dialects[d]);
        ax_search_sql_joins(&sql, subject, orders);
        ax_search_sql_where(&sql, subject, clauses);
        ax_search_sql_order(&sql, orders);
        AX_ASSERT(sql.status == AX_OK && sql.text.status == AX_OK);
        for (size_t i = 0; i < sql.text.len; i++)
            AX_ASSERT(sql.text.at[i] >= ' ' && sql.text.at[i] < 0x7f && sql.text.at[i] != ';');
        for (size_t i = 0; i < sql.values.count; i++)
            AX_ASSERT(sql.values.items[i].kind != AX_STORE_NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int subject = 0; subject < AX_SEARCH_SUBJECTS; subject++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct ax_search_clauses clauses = {};
        struct ax_search_orders orders = {};
        ax_str text = {(const char *)data, size};
        enum ax_search_subject of = (enum ax_search_subject)subject;
        if (ax_search_filter_parse(&ctx, of, text, &clauses) != AX_OK)
            clauses.count = 0;
        ax_ignore(ax_search_order_parse(&ctx, of, text, &orders), "it may be no order");
        check_sql(&ctx, of, &clauses, &orders);
    }
    return 0;
}

#include "mlops/experiment_search.h"

#include "tracking_case.h"

static void
parts(struct ax_ctx *ctx, struct tracking_case *)
{
    const ax_str order = AX_STR("name DESC"), wrong = AX_STR("nonsense DESC");
    ax_str token;
    CHECK_EQ(ax_search_page_format(ctx, 7, &token), AX_OK);
    struct ax_experiment_search search = {.filter = AX_STR("name = 'a' and tags.k = 'v'"),
                                          .order_by = &order,
                                          .order_count = 1,
                                          .page_token = token};
    struct ax_experiment_search_parts parts;
    CHECK_EQ(ax_experiment_search_parse(ctx, AX_SEARCH_EXPERIMENTS, &search, &parts), AX_OK);
    CHECK(parts.clauses.count == 2 && parts.orders.count == 1 && parts.offset == 7);
    search.order_by = &wrong;
    CHECK_EQ(ax_experiment_search_parse(ctx, AX_SEARCH_EXPERIMENTS, &search, &parts), AX_INVALID);
    search.order_count = 0;
    search.page_token = AX_STR("?");
    CHECK_EQ(ax_experiment_search_parse(ctx, AX_SEARCH_EXPERIMENTS, &search, &parts), AX_INVALID);
}

TEST(a_search_is_taken_apart_whole_or_refused)
{
    tracking_case_run(parts);
}

static ax_status
show_id(struct ax_store_tx *, struct ax_ctx *, struct ax_store_rows *rows,
        struct ax_json_writer *out)
{
    ax_json_put_text(out, ax_store_read_text(rows, 0));
    return AX_OK;
}

/* A page of the experiments "Default" (0) and those made, by id. */
static ax_str
page(struct ax_ctx *ctx, struct tracking_case *at, int64_t results_max, int64_t offset)
{
    TRACKING_CASE_SHOWN(shown);
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(at->base.store));
    struct ax_experiment_search search = {.results_max = results_max, .page_token = AX_STR("")};
    if (offset > 0)
        CHECK_EQ(ax_search_page_format(ctx, offset, &search.page_token), AX_OK);
    ax_search_sql_add(&sql, "select r.id from experiments r order by r.id");
    ax_search_sql_page(&sql, results_max + 1, offset);
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_experiment_search_show(at->base.store, &sql, &search, "ids", show_id, &shown.json),
             AX_OK);
    ax_json_end_object(&shown.json);
    ax_str text;
    CHECK(ax_str_copy(ctx->arena, ax_writer_str(&shown.text), &text));
    return text;
}

static void
pages(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str token, id;
    CHECK_STR(page(ctx, at, 5, 0), "{\"ids\":[\"0\"]}");
    CHECK_STR(page(ctx, at, 1, 0), "{\"ids\":[\"0\"]}"); /* all there is: no page follows */
    CHECK_STR(page(ctx, at, 5, 1), "{}");
    const struct ax_experiment_new made = {.name = AX_STR("second"),
                                           .artifact_location = AX_STR("")};
    CHECK_EQ(ax_experiment_create(at->experiments, ctx, &made, &id), AX_OK);
    CHECK_EQ(ax_search_page_format(ctx, 1, &token), AX_OK);
    ax_str first = page(ctx, at, 1, 0);
    CHECK(ax_str_starts(first, AX_STR("{\"ids\":[\"0\"],\"next_page_token\":\"")));
    CHECK(ax_str_find(first, token) != SIZE_MAX);
    CHECK(ax_str_starts(page(ctx, at, 1, 1), AX_STR("{\"ids\":[")));
    CHECK(ax_str_find(page(ctx, at, 1, 1), AX_STR("next_page_token")) == SIZE_MAX);
}

TEST(a_page_names_the_next_one_only_when_rows_are_left)
{
    tracking_case_run(pages);
}

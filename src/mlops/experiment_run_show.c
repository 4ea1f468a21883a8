/* Runs with all that belongs to them, some at a time, and searching for them. */
#include "base/number.h"
#include "mlops/experiment_run.h"
#include "mlops/experiment_search.h"

enum { ROOM_BYTES_MAX = 512 << 20, DATASETS_MAX = 1000 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for runs");
}

struct ax_run_row
ax_run_read(struct ax_store_rows *rows)
{
    return (struct ax_run_row){.id = ax_store_read_text(rows, 0),
                               .experiment_id = ax_store_read_text(rows, 1),
                               .name = ax_store_read_text(rows, 2),
                               .user_id = ax_store_read_text(rows, 3),
                               .status = ax_store_read_text(rows, 4),
                               .start_ns = ax_store_read_i64(rows, 5),
                               .end_ns = ax_store_read_i64_or(rows, 6, INT64_MIN),
                               .artifact_uri = ax_store_read_text(rows, 7),
                               .stage = ax_store_read_text(rows, 8)};
}

void
ax_run_show_info(const struct ax_run_row *run, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    ax_json_member_text(out, "run_uuid", run->id);
    ax_json_member_text(out, "experiment_id", run->experiment_id);
    ax_json_member_text(out, "run_name", run->name);
    ax_json_member_text(out, "user_id", run->user_id);
    ax_json_member_text(out, "status", run->status);
    ax_json_member_i64(out, "start_time", ax_experiment_ms(run->start_ns));
    if (run->end_ns != INT64_MIN)
        ax_json_member_i64(out, "end_time", ax_experiment_ms(run->end_ns));
    ax_json_member_text(out, "artifact_uri", run->artifact_uri);
    ax_json_member_text(out, "lifecycle_stage", run->stage);
    ax_json_member_text(out, "run_id", run->id);
    ax_json_end_object(out);
}

/* ---- what belongs to runs ---- */

enum part { METRICS, PARAMS, TAGS, DATASETS, MODEL_INPUTS, MODEL_OUTPUTS, PARTS };

/* One thing of a run; which fields count depends on the part. */
struct item {
    struct item *next;
    ax_str texts[7]; /* as the columns come */
    struct ax_metric point;
};

struct shown { /* one run while its parts are gathered */
    struct item *first[PARTS];
    struct item **last[PARTS];
};

struct gathering {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    const struct ax_run_row *runs;
    size_t count;
    struct shown shown[AX_RUNS_AT_ONCE];
    size_t at; /* the run of the row before: rows come run after run */
};

static struct item *
add_item(struct gathering *gathering, ax_str run_id, enum part part)
{
    size_t at = gathering->at;
    if (at >= gathering->count || !ax_str_eq(gathering->runs[at].id, run_id))
        for (at = 0; at < gathering->count && !ax_str_eq(gathering->runs[at].id, run_id);)
            at++;
    struct item *item = at < gathering->count ? AX_NEW(gathering->ctx->arena, struct item) : NULL;
    if (!item)
        return NULL;
    gathering->at = at;
    struct shown *shown = &gathering->shown[at];
    if (!shown->last[part])
        shown->last[part] = &shown->first[part];
    *shown->last[part] = item;
    shown->last[part] = &item->next;
    return item;
}

/* The rows of the runs: sql stands before the list of ids, order behind it. */
static ax_status
query(struct gathering *gathering, const char *sql, const char *order, struct ax_store_rows **rows)
{
    ax_search_sql_auto struct ax_search_sql text =
        ax_search_sql_of(gathering->ctx, ax_store_dialect(ax_store_of(gathering->tx)));
    size_t count = gathering->count == 1 ? 1 : AX_RUNS_AT_ONCE; /* two texts, prepared once */
    ax_search_sql_add(&text, sql);
    for (size_t i = 0; i < count; i++) {
        size_t run = i < gathering->count ? i : 0;
        ax_search_sql_add(&text, i ? ", " : "");
        ax_search_sql_bind(&text, ax_store_text(gathering->runs[run].id));
    }
    ax_search_sql_add(&text, order);
    return ax_search_sql_query(&text, gathering->tx, rows);
}

static ax_status
gather_texts(struct gathering *gathering, enum part part, const char *sql, int columns)
{
    struct ax_store_rows *rows;
    bool room = true;
    AX_TRY(query(gathering, sql,
                 part == DATASETS ? ") order by run_id, dataset_name, "
                                    "dataset_digest"
                                  : ") order by run_id, key",
                 &rows));
    while (room && ax_store_next(rows)) {
        struct item *item = add_item(gathering, ax_store_read_text(rows, 0), part);
        room = item != NULL;
        for (int i = 0; room && i < columns; i++)
            item->texts[i] = ax_store_read_text_or_null(rows, i + 1);
    }
    AX_TRY(ax_store_finish(rows));
    return room ? AX_OK : no_memory(gathering->ctx);
}

static ax_status
gather_metrics(struct gathering *gathering)
{
    struct ax_store_rows *rows;
    bool room = true;
    AX_TRY(query(gathering,
                 "select run_id, key, step, timestamp_ms, value, is_nan from metric_series "
                 "where run_id in (",
                 ") order by run_id, key", &rows));
    while (room && ax_store_next(rows)) {
        struct item *item = add_item(gathering, ax_store_read_text(rows, 0), METRICS);
        room = item != NULL;
        if (room) {
            item->texts[0] = ax_store_read_text(rows, 1);
            item->point = ax_metric_read(rows, 2);
        }
    }
    AX_TRY(ax_store_finish(rows));
    return room ? AX_OK : no_memory(gathering->ctx);
}

static ax_status
gather_models(struct gathering *gathering)
{
    struct ax_store_rows *rows;
    bool room = true;
    AX_TRY(query(gathering,
                 "select run_id, direction, model_id, step from run_models where run_id "
                 "in (",
                 ") order by run_id, direction, step, model_id", &rows));
    while (room && ax_store_next(rows)) {
        bool input = ax_str_eq(ax_store_read_text(rows, 1), AX_STR("input"));
        struct item *item =
            add_item(gathering, ax_store_read_text(rows, 0), input ? MODEL_INPUTS : MODEL_OUTPUTS);
        room = item != NULL;
        if (room) {
            item->texts[0] = ax_store_read_text(rows, 2);
            item->point.step = ax_store_read_i64(rows, 3);
        }
    }
    AX_TRY(ax_store_finish(rows));
    return room ? AX_OK : no_memory(gathering->ctx);
}

/* ---- as JSON ---- */

static void
show_pair(const struct item *item, struct ax_json_writer *out)
{
    ax_json_member_text(out, "key", item->texts[0]);
    ax_json_member_text(out, "value", item->texts[1]);
}

static void
show_metric(const struct item *item, struct ax_json_writer *out)
{
    ax_metric_show(item->texts[0], &item->point, out);
}

static void
show_dataset(const struct item *item, struct ax_json_writer *out)
{
    static const char *const names[] = {"name",   "digest", "source_type",
                                        "source", "schema", "profile"};
    if (item->texts[6].len > 2) {
        ax_json_key(out, "tags");
        ax_json_put_raw(out, item->texts[6]);
    }
    ax_json_key(out, "dataset");
    ax_json_begin_object(out);
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        if (item->texts[i].at)
            ax_json_member_text(out, names[i], item->texts[i]);
    ax_json_end_object(out);
}

static void
show_model_input(const struct item *item, struct ax_json_writer *out)
{
    ax_json_member_text(out, "model_id", item->texts[0]);
}

static void
show_model_output(const struct item *item, struct ax_json_writer *out)
{
    ax_json_member_text(out, "model_id", item->texts[0]);
    ax_json_member_i64(out, "step", item->point.step);
}

static void
show_part(const struct shown *shown, enum part part, struct ax_json_writer *out)
{
    static const struct {
        const char *name;
        void (*show)(const struct item *item, struct ax_json_writer *out);
    } parts[PARTS] = {
        [METRICS] = {"metrics", show_metric},
        [PARAMS] = {"params", show_pair},
        [TAGS] = {"tags", show_pair},
        [DATASETS] = {"dataset_inputs", show_dataset},
        [MODEL_INPUTS] = {"model_inputs", show_model_input},
        [MODEL_OUTPUTS] = {"model_outputs", show_model_output},
    };
    if (!shown->first[part])
        return;
    ax_json_key(out, parts[part].name);
    ax_json_begin_array(out);
    for (const struct item *item = shown->first[part]; item; item = item->next) {
        ax_json_begin_object(out);
        parts[part].show(item, out);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
}

static void
show_run(const struct ax_run_row *run, const struct shown *shown, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    ax_json_key(out, "info");
    ax_run_show_info(run, out);
    ax_json_key(out, "data");
    ax_json_begin_object(out);
    for (enum part part = METRICS; part <= TAGS; part++)
        show_part(shown, part, out);
    ax_json_end_object(out);
    ax_json_key(out, "inputs");
    ax_json_begin_object(out);
    show_part(shown, DATASETS, out);
    show_part(shown, MODEL_INPUTS, out);
    ax_json_end_object(out);
    ax_json_key(out, "outputs");
    ax_json_begin_object(out);
    show_part(shown, MODEL_OUTPUTS, out);
    ax_json_end_object(out);
    ax_json_end_object(out);
}

ax_status
ax_runs_show(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_run_row *runs,
             size_t count, struct ax_json_writer *out)
{
    struct gathering *gathering = AX_NEW(ctx->arena, struct gathering);
    if (!gathering)
        return no_memory(ctx);
    *gathering = (struct gathering){.tx = tx, .ctx = ctx, .runs = runs, .count = count};
    if (count == 0)
        return AX_OK;
    AX_TRY(gather_metrics(gathering));
    AX_TRY(gather_texts(gathering, PARAMS,
                        "select run_id, key, value from run_params where run_id in (", 2));
    AX_TRY(gather_texts(gathering, TAGS,
                        "select run_id, key, value from run_tags where run_id in (", 2));
    AX_TRY(gather_texts(gathering, DATASETS,
                        "select run_id, dataset_name, dataset_digest, source_type, source, "
                        "dataset_schema, dataset_profile, tags from run_inputs where run_id in (",
                        7));
    AX_TRY(gather_models(gathering));
    for (size_t i = 0; i < count; i++)
        show_run(&runs[i], &gathering->shown[i], out);
    return AX_OK;
}

/* ---- searching ---- */

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

static ax_status
put_search(struct ax_search_sql *sql, const struct ax_experiment_search *search)
{
    struct ax_ctx *ctx = sql->ctx;
    struct ax_experiment_search_parts parts;
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_RUNS, search, &parts));
    ax_search_sql_add(sql, "select r.id from runs r"); /* the rest is read of those shown */
    ax_search_sql_joins(sql, AX_SEARCH_RUNS, &parts.orders);
    ax_search_sql_add(sql, " where r.experiment_id in (");
    ax_search_sql_bind_texts(sql, search->experiment_ids, search->experiment_count);
    ax_search_sql_add(sql, ")");
    ax_search_sql_add(sql, ax_experiment_view_sql(search->view));
    ax_search_sql_where(sql, AX_SEARCH_RUNS, &parts.clauses);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, &parts.orders);
    if (!ax_search_orders_by(&parts.orders, "start_time"))
        ax_search_sql_add(sql, "r.start_ns desc, ");
    ax_search_sql_add(sql, "r.id");
    ax_search_sql_page(sql, search->results_max + 1, parts.offset);
    return AX_OK;
}

/* The rows of these ids, in their order. One that is gone meanwhile is none: a reader sees one
 * state. */
static ax_status
read_runs(struct ax_store_tx *tx, struct ax_ctx *ctx, const ax_str *ids, size_t count,
          struct ax_run_row *out_runs)
{
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(ax_store_of(tx)));
    struct ax_store_rows *rows;
    ax_search_sql_add(&sql, "select " AX_RUN_COLUMNS " from runs r where r.id in (");
    for (size_t i = 0; i < AX_RUNS_AT_ONCE; i++) { /* one text, prepared once */
        ax_search_sql_add(&sql, i ? ", " : "");
        ax_search_sql_bind(&sql, ax_store_text(ids[i < count ? i : 0]));
    }
    ax_search_sql_add(&sql, ")");
    AX_TRY(ax_search_sql_query(&sql, tx, &rows));
    while (ax_store_next(rows)) {
        struct ax_run_row run = ax_run_read(rows);
        for (size_t i = 0; i < count; i++)
            if (ax_str_eq(ids[i], run.id))
                out_runs[i] = run;
    }
    return ax_store_finish(rows);
}

/* Some runs in memory of their own, given back when they are written. */
static ax_status
show_some(struct ax_store_tx *tx, struct ax_ctx *ctx, const ax_str *ids, size_t count,
          struct ax_json_writer *out)
{
    ax_auto(ax_arena_free) struct ax_arena *room = ax_arena_new(ROOM_BYTES_MAX);
    struct ax_run_row *runs = room ? AX_NEW_ARRAY(room, struct ax_run_row, AX_RUNS_AT_ONCE) : NULL;
    if (!runs)
        return no_memory(ctx);
    struct ax_arena *outer = ctx->arena;
    ctx->arena = room;
    ax_status status = count > 0 ? read_runs(tx, ctx, ids, count, runs) : AX_OK;
    if (status == AX_OK)
        status = ax_runs_show(tx, ctx, runs, count, out);
    ctx->arena = outer;
    return status;
}

static ax_status
show_rows(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows, int64_t *left,
          struct ax_json_writer *out)
{
    ax_str *ids = AX_NEW_ARRAY(ctx->arena, ax_str, AX_RUNS_AT_ONCE);
    size_t count = AX_RUNS_AT_ONCE;
    ax_status status = ids ? AX_OK : no_memory(ctx);
    while (status == AX_OK && count == AX_RUNS_AT_ONCE) {
        for (count = 0; count<AX_RUNS_AT_ONCE && * left> 0 && ax_store_next(rows);) {
            ids[count++] = ax_store_read_text(rows, 0);
            (*left)--;
        }
        status = show_some(tx, ctx, ids, count, out);
    }
    return status;
}

ax_status
ax_runs_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
               const struct ax_experiment_search *search, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store *store = ax_experiments_store(experiments);
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, ax_store_dialect(store));
    struct ax_store_rows *rows;
    int64_t left = search->results_max;
    AX_TRY(check_experiment_ids(ctx, search->experiment_ids, search->experiment_count));
    AX_TRY(put_search(&sql, search));
    if (search->experiment_count == 0)
        return AX_OK;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_search_sql_query(&sql, tx, &rows));
    ax_json_key(out, "runs");
    ax_json_begin_array(out);
    ax_status status = show_rows(tx, ctx, rows, &left, out);
    ax_json_end_array(out);
    return ax_experiment_search_end(ctx, search, rows, status, left, out);
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
                            "i.context from run_inputs i join runs r on r.id = i.run_id where "
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

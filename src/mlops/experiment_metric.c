#include "mlops/experiment_metric.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/number.h"

enum {
    POINT_COLUMNS = 5,
    SERIES_COLUMNS_ALL = 7,
    ROWS_AT_ONCE = 20,          /* of one statement, whose run costs about as much as a row */
    SERIES_ONE_BY_ONE = 16,     /* more keys than this: all series of the run are read at once */
    SERIES_MAX = (1 << 20) - 1, /* of a run: the low bits of a series's id */
    INTERVAL_RUN_MAX = 2500,    /* points of one run in a sampled history */
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for metrics");
}

/* ---- points ---- */

ax_status
ax_metric_check(struct ax_ctx *ctx, const struct ax_metric *metric)
{
    char value[AX_NUMBER_BYTES_MAX];
    AX_TRY(ax_experiment_check_key(ctx, metric->key, "Metric name"));
    if (metric->timestamp_ms >= 0)
        return AX_OK;
    ax_format_f64(metric->value, value);
    return ax_fail(ctx, AX_INVALID,
                   "Invalid value %lld for parameter 'timestamp' supplied: metric '%.*s' "
                   "(value=%s%s). Timestamp must be a nonnegative long (64-bit integer) ",
                   (long long)metric->timestamp_ms, AX_FMT(metric->key), value,
                   strpbrk(value, ".eNI") ? "" : ".0");
}

double
ax_metric_kept(double value)
{
    if (isnan(value))
        return 0;
    return isinf(value) ? copysign(DBL_MAX, value) : value;
}

/* By step, then time, then value. */
static bool
greater(const struct ax_metric *a, const struct ax_metric *b)
{
    if (a->step != b->step)
        return a->step > b->step;
    if (a->timestamp_ms != b->timestamp_ms)
        return a->timestamp_ms > b->timestamp_ms;
    return ax_metric_kept(a->value) > ax_metric_kept(b->value);
}

struct ax_metric
ax_metric_read(struct ax_store_rows *rows, int column)
{
    bool nan = ax_store_read_i64(rows, column + 3) != 0;
    return (struct ax_metric){.step = ax_store_read_i64(rows, column),
                              .timestamp_ms = ax_store_read_i64(rows, column + 1),
                              .value = nan ? (double)NAN : ax_store_read_f64(rows, column + 2)};
}

void
ax_metric_show(ax_str key, const struct ax_metric *point, struct ax_json_writer *out)
{
    ax_json_member_text(out, "key", key);
    if (isnan(point->value))
        ax_json_member_text(out, "value", AX_STR("NaN"));
    else
        ax_json_member_f64(out, "value", point->value);
    ax_json_member_i64(out, "timestamp", point->timestamp_ms);
    ax_json_member_i64(out, "step", point->step);
}

/* ---- writing ---- */

/* One series while points are added to it. */
struct series {
    int64_t id; /* 0: not there yet */
    struct ax_metric summary;
};

/* Rows of one table. */
struct batch {
    AX_ARRAY(ax_store_params)
};

/* What goes into the tables, gathered. */
struct putting {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    struct ax_metric_run run;
    struct ax_map *known; /* key -> struct series, when they were read at once */
    struct batch series, points;
    bool made; /* a series that was not there */
};

/* A row of a batch with room for its values, which are to be filled; NULL without memory. */
static ax_store_value *
push_row(struct ax_ctx *ctx, struct batch *batch, size_t value_count)
{
    ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, value_count);
    ax_store_params *row = AX_ARRAY_PUSH(ctx->arena, batch);
    if (!values || !row)
        return NULL;
    *row = (ax_store_params){values, value_count};
    return values;
}

static ax_status
put_point(struct putting *putting, int64_t series_id, const struct ax_metric *point)
{
    ax_store_value *values = push_row(putting->ctx, &putting->points, POINT_COLUMNS);
    if (!values)
        return no_memory(putting->ctx);
    values[0] = ax_store_i64(series_id);
    values[1] = ax_store_i64(point->timestamp_ms);
    values[2] = ax_store_i64(point->step);
    values[3] = ax_store_f64(ax_metric_kept(point->value));
    values[4] = ax_store_i64(isnan(point->value));
    return AX_OK;
}

#define SERIES_COLUMNS "select id, step, timestamp_ms, value, is_nan, key from metric_series "

static struct series
read_series(struct ax_store_rows *rows)
{
    return (struct series){.id = ax_store_read_i64(rows, 0), .summary = ax_metric_read(rows, 1)};
}

static ax_status
read_all_series(struct putting *putting)
{
    struct ax_ctx *ctx = putting->ctx;
    struct ax_store_rows *rows;
    putting->known = ax_map_new(ctx->arena);
    if (putting->known && putting->run.series_count == 0)
        return AX_OK;
    AX_TRY(ax_store_query(putting->tx, ctx, AX_STR(SERIES_COLUMNS "where run_key = $1"),
                          AX_STORE_PARAMS(ax_store_i64(putting->run.key)), &rows));
    bool room = putting->known != NULL;
    while (room && ax_store_next(rows)) {
        struct series *series = AX_NEW(ctx->arena, struct series);
        if (series)
            *series = read_series(rows);
        room = series && ax_map_put(putting->known, ax_store_read_text(rows, 5), series);
    }
    AX_TRY(ax_store_finish(rows));
    return room ? AX_OK : no_memory(ctx);
}

static ax_status
find_series(struct putting *putting, ax_str key, struct series *out)
{
    struct ax_store_rows *rows;
    *out = (struct series){};
    if (putting->known) {
        const struct series *found = ax_map_find(putting->known, key);
        if (found)
            *out = *found;
        return AX_OK;
    }
    AX_TRY(ax_store_query(
        putting->tx, putting->ctx, AX_STR(SERIES_COLUMNS "where run_key = $1 and key = $2"),
        AX_STORE_PARAMS(ax_store_i64(putting->run.key), ax_store_text(key)), &rows));
    if (ax_store_next(rows))
        *out = read_series(rows);
    return ax_store_finish(rows);
}

/* The series with this summary: made, or changed when it is there. */
static ax_status
put_series(struct putting *putting, ax_str key, const struct ax_metric *summary, int64_t *id)
{
    struct ax_ctx *ctx = putting->ctx;
    bool made = *id == 0;
    ax_store_value *values = push_row(ctx, &putting->series, SERIES_COLUMNS_ALL);
    if (!values)
        return no_memory(ctx);
    putting->made |= made;
    if (made && putting->run.series_count == SERIES_MAX)
        return ax_fail(ctx, AX_INVALID, "A run can have at most %d metrics", SERIES_MAX);
    if (made)
        *id = putting->run.key * (SERIES_MAX + 1) + ++putting->run.series_count;
    values[0] = ax_store_i64(putting->run.key);
    values[1] = ax_store_text(key);
    values[2] = ax_store_i64(summary->step);
    values[3] = ax_store_i64(summary->timestamp_ms);
    values[4] = ax_store_f64(ax_metric_kept(summary->value));
    values[5] = ax_store_i64(isnan(summary->value));
    values[6] = ax_store_i64(*id);
    return AX_OK;
}

/* How rows are written: what stands before the values, and behind them. */
struct row_statement {
    const char *head, *tail;
    size_t column_count;
};

static ax_status
format_rows(struct ax_ctx *ctx, const struct row_statement *statement, size_t row_count,
            ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(8 << 10);
    ax_writer_text(&text, statement->head);
    for (size_t i = 0; i < row_count * statement->column_count; i++) {
        bool first = i % statement->column_count == 0;
        ax_writer_print(&text, "%s$%zu", first ? (i ? "), (" : " (") : ", ", i + 1);
    }
    ax_writer_print(&text, ") %s", statement->tail);
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

/* Many rows a statement, and what is left over one by one. */
static ax_status
write_rows(struct putting *putting, const struct row_statement *statement,
           const struct batch *batch)
{
    struct ax_ctx *ctx = putting->ctx;
    size_t width = ROWS_AT_ONCE * statement->column_count, whole = batch->count / ROWS_AT_ONCE;
    size_t done = whole * ROWS_AT_ONCE;
    ax_store_params *many = AX_NEW_ARRAY(ctx->arena, ax_store_params, whole + 1);
    ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, whole * width + 1);
    ax_str sql;
    if (!many || !values)
        return no_memory(ctx);
    for (size_t i = 0; i < done; i++)
        memcpy(values + i * statement->column_count, batch->items[i].items,
               statement->column_count * sizeof *values);
    for (size_t i = 0; i < whole; i++)
        many[i] = (ax_store_params){values + i * width, width};
    if (whole > 0) {
        AX_TRY(format_rows(ctx, statement, ROWS_AT_ONCE, &sql));
        AX_TRY(ax_store_run_each(putting->tx, ctx, sql, many, whole, NULL));
    }
    if (done == batch->count)
        return AX_OK;
    AX_TRY(format_rows(ctx, statement, 1, &sql));
    return ax_store_run_each(putting->tx, ctx, sql, batch->items + done, batch->count - done, NULL);
}

/* All that was gathered. A key stands in one row of its batch. */
static ax_status
write_gathered(struct putting *putting)
{
    static const struct row_statement series = {
        "insert into metric_series (run_key, key, step, timestamp_ms, value, is_nan, id) values",
        "on conflict (run_key, key) do update set step = excluded.step, timestamp_ms = "
        "excluded.timestamp_ms, value = excluded.value, is_nan = excluded.is_nan",
        SERIES_COLUMNS_ALL};
    static const struct row_statement points = {
        "insert into metric_points (series_id, timestamp_ms, step, value, is_nan) values",
        "on conflict do nothing", POINT_COLUMNS};
    if (putting->made)
        AX_TRY(ax_store_run(putting->tx, putting->ctx,
                            AX_STR("update runs set series_count = $2 where key = $1"),
                            AX_STORE_PARAMS(ax_store_i64(putting->run.key),
                                            ax_store_i64(putting->run.series_count)),
                            NULL));
    AX_TRY(write_rows(putting, &series, &putting->series));
    return write_rows(putting, &points, &putting->points);
}

/* A point among others, by key. */
struct sorted {
    const struct ax_metric *at;
};

/* All points of one key. */
static ax_status
put_group(struct putting *putting, const struct sorted *points, size_t count)
{
    struct series series;
    ax_str key = points[0].at->key;
    AX_TRY(find_series(putting, key, &series));
    bool changed = series.id == 0;
    struct ax_metric summary = changed ? *points[0].at : series.summary;
    for (size_t i = 0; i < count; i++)
        if (greater(points[i].at, &summary)) {
            summary = *points[i].at;
            changed = true;
        }
    if (changed)
        AX_TRY(put_series(putting, key, &summary, &series.id));
    for (size_t i = 0; i < count; i++)
        AX_TRY(put_point(putting, series.id, points[i].at));
    return AX_OK;
}

/* A metric that names a logged model is that model's too. */
static ax_status
put_model_metric(struct putting *putting, const struct ax_metric *metric)
{
    int64_t known;
    AX_TRY(ax_store_get_i64(putting->tx, putting->ctx,
                            AX_STR("select count(*) from logged_models where id = $1"),
                            AX_STORE_PARAMS(ax_store_text(metric->model_id)), &known));
    if (!known)
        return ax_fail(putting->ctx, AX_NOT_FOUND, "Logged model with ID '%.*s' not found.",
                       AX_FMT(ax_experiment_cut(metric->model_id, 100)));
    return ax_store_run(
        putting->tx, putting->ctx,
        AX_STR("insert into logged_model_metrics (model_id, key, timestamp_ms, step, run_id, "
               "dataset_name, dataset_digest, value, is_nan) values ($1, $2, $3, $4, $5, $6, $7, "
               "$8, $9) on conflict (model_id, key, timestamp_ms, step, run_id, dataset_name, "
               "dataset_digest) do update set value = excluded.value, is_nan = excluded.is_nan"),
        AX_STORE_PARAMS(ax_store_text(metric->model_id), ax_store_text(metric->key),
                        ax_store_i64(metric->timestamp_ms), ax_store_i64(metric->step),
                        ax_store_text(putting->run.id), ax_store_text(metric->dataset_name),
                        ax_store_text(metric->dataset_digest),
                        ax_store_f64(ax_metric_kept(metric->value)),
                        ax_store_i64(isnan(metric->value))),
        NULL);
}

static int
by_key(const void *a, const void *b)
{
    const struct sorted *one = a, *other = b;
    int order = ax_str_cmp(one->at->key, other->at->key);
    return order ? order : (one->at > other->at) - (one->at < other->at);
}

ax_status
ax_metrics_put(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_metric_run *run,
               const struct ax_metrics_logged *metrics)
{
    struct putting *putting = AX_NEW(ctx->arena, struct putting);
    struct sorted *sorted = AX_NEW_ARRAY(ctx->arena, struct sorted, metrics->count + 1);
    size_t key_count = 0;
    if (!putting || !sorted)
        return no_memory(ctx);
    *putting = (struct putting){.tx = tx, .ctx = ctx, .run = *run};
    for (size_t i = 0; i < metrics->count; i++)
        sorted[i].at = &metrics->items[i];
    qsort(sorted, metrics->count, sizeof *sorted, by_key);
    for (size_t i = 0; i < metrics->count; i++)
        key_count += i == 0 || !ax_str_eq(sorted[i].at->key, sorted[i - 1].at->key);
    if (key_count > SERIES_ONE_BY_ONE)
        AX_TRY(read_all_series(putting));
    for (size_t i = 0, end; i < metrics->count; i = end) {
        for (end = i + 1;
             end < metrics->count && ax_str_eq(sorted[end].at->key, sorted[i].at->key);)
            end++;
        AX_TRY(put_group(putting, sorted + i, end - i));
    }
    AX_TRY(write_gathered(putting));
    for (size_t i = 0; i < metrics->count; i++)
        if (metrics->items[i].model_id.len > 0)
            AX_TRY(put_model_metric(putting, &metrics->items[i]));
    return AX_OK;
}

/* ---- reading ---- */

#define HISTORY                                                                                    \
    "select p.step, p.timestamp_ms, p.value, p.is_nan from runs r join metric_series s on "        \
    "s.run_key = r.key join metric_points p on p.series_id = s.id where r.id = $1 and s.key = $2 "

/* "metrics":[..], which is not there when it would be empty. */
struct listing {
    struct ax_json_writer *out;
    int64_t left; /* how many more there may be */
    bool begun;
};

static void
list_point(struct listing *listing, ax_str key, ax_str run_id, const struct ax_metric *point)
{
    if (!listing->begun) {
        ax_json_key(listing->out, "metrics");
        ax_json_begin_array(listing->out);
    }
    listing->begun = true;
    listing->left--;
    ax_json_begin_object(listing->out);
    ax_metric_show(key, point, listing->out);
    if (run_id.len > 0)
        ax_json_member_text(listing->out, "run_id", run_id);
    ax_json_end_object(listing->out);
}

static void
end_list(struct listing *listing)
{
    if (listing->begun)
        ax_json_end_array(listing->out);
}

ax_status
ax_metric_history(struct ax_experiments *experiments, struct ax_ctx *ctx,
                  const struct ax_metric_history *history, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    int64_t offset, count = history->results_max > 0 ? history->results_max : INT64_MAX - 1;
    struct listing listing = {.out = out, .left = count};
    ax_str token;
    AX_TRY(ax_search_page_parse(ctx, history->page_token, &offset));
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR(HISTORY "order by p.timestamp_ms, p.step, p.value "
                                         "limit $3 offset $4"),
                          AX_STORE_PARAMS(ax_store_text(history->run_ids[0]),
                                          ax_store_text(history->key), ax_store_i64(count + 1),
                                          ax_store_i64(offset)),
                          &rows));
    while (listing.left > 0 && ax_store_next(rows)) {
        struct ax_metric point = ax_metric_read(rows, 0);
        list_point(&listing, history->key, AX_STR(""), &point);
    }
    end_list(&listing);
    bool more = listing.left == 0 && ax_store_next(rows);
    AX_TRY(ax_store_finish(rows));
    if (!more)
        return AX_OK;
    AX_TRY(ax_search_page_format(ctx, offset + count, &token));
    ax_json_member_text(out, "next_page_token", token);
    return AX_OK;
}

ax_status
ax_metric_history_bulk(struct ax_experiments *experiments, struct ax_ctx *ctx,
                       const struct ax_metric_history *history, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct listing listing = {.out = out, .left = history->results_max};
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    for (size_t i = 0; i < history->run_count && listing.left > 0; i++) {
        AX_TRY(ax_store_query(
            tx, ctx, AX_STR(HISTORY "order by p.timestamp_ms, p.step, p.value"),
            AX_STORE_PARAMS(ax_store_text(history->run_ids[i]), ax_store_text(history->key)),
            &rows));
        while (listing.left > 0 && ax_store_next(rows)) {
            struct ax_metric point = ax_metric_read(rows, 0);
            list_point(&listing, history->key, history->run_ids[i], &point);
        }
        AX_TRY(ax_store_finish(rows));
    }
    end_list(&listing);
    return AX_OK;
}

/* ---- sampling ---- */

struct steps {
    AX_ARRAY(int64_t)
};

static int
by_step(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static void
sort_once(struct steps *steps)
{
    size_t kept = 0;
    if (steps->count > 0)
        qsort(steps->items, steps->count, sizeof *steps->items, by_step);
    for (size_t i = 0; i < steps->count; i++)
        if (kept == 0 || steps->items[kept - 1] != steps->items[i])
            steps->items[kept++] = steps->items[i];
    steps->count = kept;
}

static ax_status
push_step(struct ax_ctx *ctx, struct steps *steps, int64_t step)
{
    int64_t *place = AX_ARRAY_PUSH(ctx->arena, steps);
    if (!place)
        return no_memory(ctx);
    *place = step;
    return AX_OK;
}

/* The run's steps added to all, its first and last to ends. */
static ax_status
read_steps(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id, ax_str key,
           struct steps out[2])
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    size_t before = out[0].count;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select distinct p.step from runs r join metric_series s on "
                                 "s.run_key = r.key join metric_points p on p.series_id = s.id "
                                 "where r.id = $1 and s.key = $2 "
                                 "order by p.step"),
                          AX_STORE_PARAMS(ax_store_text(run_id), ax_store_text(key)), &rows));
    while (status == AX_OK && ax_store_next(rows))
        status = push_step(ctx, &out[0], ax_store_read_i64(rows, 0));
    if (status == AX_OK && out[0].count > before) {
        status = push_step(ctx, &out[1], out[0].items[before]);
        if (status == AX_OK)
            status = push_step(ctx, &out[1], out[0].items[out[0].count - 1]);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* Those of all that are shown. Source: MLflow's _get_sampled_steps_from_steps. */
static ax_status
sample(struct ax_ctx *ctx, const struct steps read[2], const struct ax_metric_interval *interval,
       int64_t results_max, struct steps *out)
{
    const struct steps *all = &read[0], *ends = &read[1];
    int64_t start = interval->bounded ? interval->start_step : 0;
    int64_t end =
        interval->bounded ? interval->end_step : (all->count ? all->items[all->count - 1] : 0);
    size_t first = 0, last = all->count;
    while (first < all->count && all->items[first] < start)
        first++;
    while (last > first && all->items[last - 1] > end)
        last--;
    size_t count = last - first, wanted = (size_t)results_max;
    for (size_t i = 0; i < (count <= wanted ? count : wanted); i++) {
        double at = count <= wanted ? (double)i : (double)i * ((double)count / (double)wanted);
        AX_TRY(push_step(ctx, out, all->items[first + (size_t)at]));
    }
    if (count > 0)
        AX_TRY(push_step(ctx, out, all->items[last - 1]));
    for (size_t i = 0; i < ends->count; i++)
        if (ends->items[i] >= start && ends->items[i] <= end)
            AX_TRY(push_step(ctx, out, ends->items[i]));
    sort_once(out);
    return AX_OK;
}

static ax_status
show_sampled(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id, ax_str key,
             const struct steps *steps, struct listing *listing)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, AX_STR(HISTORY "order by p.step, p.timestamp_ms, p.value"),
                          AX_STORE_PARAMS(ax_store_text(run_id), ax_store_text(key)), &rows));
    listing->left = INTERVAL_RUN_MAX;
    while (listing->left > 0 && ax_store_next(rows)) {
        struct ax_metric point = ax_metric_read(rows, 0);
        if (bsearch(&point.step, steps->items, steps->count, sizeof *steps->items, by_step))
            list_point(listing, key, run_id, &point);
    }
    return ax_store_finish(rows);
}

ax_status
ax_metric_history_interval(struct ax_experiments *experiments, struct ax_ctx *ctx,
                           const struct ax_metric_history *history,
                           const struct ax_metric_interval *interval, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct steps read[2] = {}, shown = {};
    struct listing listing = {.out = out};
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    for (size_t i = 0; i < history->run_count; i++)
        AX_TRY(read_steps(tx, ctx, history->run_ids[i], history->key, read));
    sort_once(&read[0]);
    AX_TRY(sample(ctx, read, interval, history->results_max, &shown));
    for (size_t i = 0; i < history->run_count && shown.count > 0; i++)
        AX_TRY(show_sampled(tx, ctx, history->run_ids[i], history->key, &shown, &listing));
    end_list(&listing);
    return AX_OK;
}

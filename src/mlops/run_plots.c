#include "mlops/run_plots.h"

#include <math.h>

#include "base/map.h"
#include "base/number.h"
#include "mlops/search_sql.h"

enum { EXTREMES_PER_POINT = 4 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a plot");
}

/* ---- runs by key ---- */

/* Keys of runs, in their order, and the way back from a key to its place. */
struct chosen {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    const int64_t *keys;
    size_t count;
};

static struct ax_search_sql
sql_of(const struct chosen *chosen)
{
    return ax_search_sql_of(chosen->ctx, ax_store_dialect(ax_store_of(chosen->tx)));
}

static void
bind_keys(struct ax_search_sql *sql, const struct chosen *chosen)
{
    for (size_t i = 0; i < chosen->count; i++) {
        ax_search_sql_add(sql, i ? ", " : "");
        ax_search_sql_bind(sql, ax_store_i64(chosen->keys[i]));
    }
    if (chosen->count == 0)
        ax_search_sql_add(sql, "null");
}

static size_t
place_of(const struct chosen *chosen, int64_t key)
{
    size_t at = 0;
    while (at < chosen->count && chosen->keys[at] != key)
        at++;
    return at;
}

/* ---- comparing ---- */

/* One value of a run, as it is shown. */
struct cell {
    bool is_there, is_number;
    ax_str text;
    double number;
};

static void
show_cell(const struct cell *cell, struct ax_json_writer *out)
{
    if (!cell->is_there)
        ax_json_put_null(out);
    else if (cell->is_number)
        ax_json_put_f64(out, cell->number);
    else
        ax_json_put_text(out, cell->text);
}

static bool
same(const struct cell *a, const struct cell *b)
{
    if (a->is_there != b->is_there || !a->is_there)
        return a->is_there == b->is_there;
    return a->is_number ? a->number == b->number : ax_str_eq(a->text, b->text);
}

static void
show_line(ax_str key, const struct cell *cells, size_t count, struct ax_json_writer *out)
{
    bool differs = false;
    for (size_t i = 1; i < count; i++)
        differs = differs || !same(&cells[0], &cells[i]);
    ax_json_begin_object(out);
    ax_json_member_text(out, "key", key);
    ax_json_member_bool(out, "differs", differs);
    ax_json_key(out, "values");
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++)
        show_cell(&cells[i], out);
    ax_json_end_array(out);
    ax_json_end_object(out);
}

/* Rows (run_key, key, value[, is_nan]) in the order of keys, as a line each. */
static ax_status
show_lines(const struct chosen *chosen, struct ax_store_rows *rows, bool numbers,
           struct ax_json_writer *out)
{
    struct cell *cells = AX_NEW_ARRAY(chosen->ctx->arena, struct cell, chosen->count + 1);
    ax_str key = {};
    if (!cells)
        return no_memory(chosen->ctx);
    while (ax_store_next(rows)) {
        ax_str here = ax_store_peek_text(rows, 1);
        if (key.at && !ax_str_eq(here, key)) {
            show_line(key, cells, chosen->count, out);
            memset(cells, 0, chosen->count * sizeof *cells);
        }
        if (!key.at || !ax_str_eq(here, key))
            key = ax_store_read_text(rows, 1);
        struct cell *cell = &cells[place_of(chosen, ax_store_read_i64(rows, 0))];
        cell->is_there = !numbers || ax_store_read_i64(rows, 3) == 0;
        cell->is_number = numbers;
        if (numbers)
            cell->number = ax_store_read_f64(rows, 2);
        else
            cell->text = ax_store_read_text(rows, 2);
    }
    if (key.at)
        show_line(key, cells, chosen->count, out);
    return AX_OK;
}

static ax_status
show_table(const struct chosen *chosen, const char *name, const char *select, bool numbers,
           struct ax_json_writer *out)
{
    ax_search_sql_auto struct ax_search_sql sql = sql_of(chosen);
    struct ax_store_rows *rows;
    ax_search_sql_add(&sql, select);
    bind_keys(&sql, chosen);
    ax_search_sql_add(&sql, ") order by key, run_key");
    AX_TRY(ax_search_sql_query(&sql, chosen->tx, &rows));
    ax_json_key(out, name);
    ax_json_begin_array(out);
    ax_status status = show_lines(chosen, rows, numbers, out);
    ax_json_end_array(out);
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* The runs of these ids, in their order, each with a word about itself. */
static ax_status
show_runs(struct chosen *chosen, const ax_str *ids, size_t count, struct ax_json_writer *out)
{
    struct ax_ctx *ctx = chosen->ctx;
    int64_t *keys = AX_NEW_ARRAY(ctx->arena, int64_t, count + 1);
    if (!keys)
        return no_memory(ctx);
    ax_json_key(out, "runs");
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++) {
        struct ax_store_rows *rows;
        AX_TRY(ax_store_query(chosen->tx, ctx,
                              AX_STR("select " AX_RUN_COLUMNS " from runs r where r.id = $1"),
                              AX_STORE_PARAMS(ax_store_text(ids[i])), &rows));
        bool found = ax_store_next(rows);
        struct ax_run_row run = found ? ax_run_read(rows) : (struct ax_run_row){};
        AX_TRY(ax_store_finish(rows));
        if (!found || place_of(&(struct chosen){.keys = keys, .count = i}, run.key) < i)
            return ax_fail(ctx, found ? AX_INVALID : AX_NOT_FOUND,
                           found ? "Run with id=%.*s is named twice" : "Run with id=%.*s not found",
                           AX_FMT(ax_experiment_cut(ids[i], 100)));
        keys[i] = run.key;
        ax_json_begin_object(out);
        ax_json_member_text(out, "run_id", run.id);
        ax_json_member_text(out, "name", run.name);
        ax_json_member_text(out, "status", run.status);
        ax_json_member_text(out, "experiment_id", run.experiment_id);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    chosen->keys = keys;
    chosen->count = count;
    return AX_OK;
}

ax_status
ax_run_plots_compare(struct ax_experiments *experiments, struct ax_ctx *ctx, const ax_str *ids,
                     size_t count, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    if (count == 0 || count > AX_RUN_PLOTS_RUNS_MAX)
        return ax_fail(ctx, AX_INVALID, "`runs` must name 1 to %d runs", AX_RUN_PLOTS_RUNS_MAX);
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    struct chosen chosen = {.tx = tx, .ctx = ctx};
    ax_json_begin_object(out);
    AX_TRY(show_runs(&chosen, ids, count, out));
    AX_TRY(show_table(&chosen, "params",
                      "select run_key, key, value from run_params where run_key in (", false, out));
    AX_TRY(show_table(&chosen, "metrics",
                      "select run_key, key, value, is_nan from metric_series where run_key in (",
                      true, out));
    AX_TRY(show_table(&chosen, "tags",
                      "select run_key, key, value from run_tags where substr(key, 1, 7) <> "
                      "'mlflow.' and run_key in (",
                      false, out));
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- thinning a series ---- */

struct points {
    AX_ARRAY(struct ax_metric)
};

/* The rows of one stretch, as they come: its least and greatest point. */
struct stretch {
    struct ax_metric least, greatest;
    size_t count;
    bool least_first;
};

static bool
push(struct ax_arena *arena, struct points *points, const struct ax_metric *point)
{
    struct ax_metric *place = AX_ARRAY_PUSH(arena, points);
    if (place)
        *place = *point;
    return place != NULL;
}

static void
extend(struct stretch *stretch, const struct ax_metric *point)
{
    if (stretch->count == 0 || point->value < stretch->least.value) {
        stretch->least = *point;
        stretch->least_first = stretch->count == 0;
    }
    if (stretch->count == 0 || point->value > stretch->greatest.value) {
        stretch->greatest = *point;
        stretch->least_first = stretch->count > 0;
    }
    stretch->count++;
}

static bool
end_stretch(struct ax_arena *arena, struct stretch *stretch, struct points *out)
{
    bool room = true;
    if (stretch->count > 0) {
        const struct ax_metric *pair[] = {&stretch->least, &stretch->greatest};
        room = push(arena, out, pair[!stretch->least_first]);
        if (room && stretch->least.value < stretch->greatest.value)
            room = push(arena, out, pair[stretch->least_first]);
    }
    *stretch = (struct stretch){};
    return room;
}

/* Numbers of a series while they are thinned. */
struct thinning {
    struct ax_ctx *ctx;
    int64_t count;      /* of all numbers */
    int64_t points_max; /* of those that stay */
    struct points out;
    struct stretch stretch;
    int64_t at, in; /* numbers seen; the stretch they are in */
};

static bool
take_number(struct thinning *thinning, const struct ax_metric *point)
{
    struct ax_arena *arena = thinning->ctx->arena;
    int64_t at = thinning->at++, inner = thinning->count - 2;
    int64_t stretches = (thinning->points_max - 2) / 2 > 0 ? (thinning->points_max - 2) / 2 : 1;
    if (thinning->count <= thinning->points_max)
        return push(arena, &thinning->out, point);
    if (at == 0)
        return push(arena, &thinning->out, point);
    bool last = at == thinning->count - 1;
    int64_t in = last ? stretches : (int64_t)((double)(at - 1) / (double)inner * (double)stretches);
    bool room = true;
    if (in != thinning->in)
        room = end_stretch(arena, &thinning->stretch, &thinning->out);
    thinning->in = in;
    if (last)
        return room && push(arena, &thinning->out, point);
    extend(&thinning->stretch, point);
    return room;
}

/* The triangle between what was kept, a point, and the middle of the next stretch; doubled. */
static double
area(const struct ax_metric *kept, const struct ax_metric *point, double next_step,
     double next_value)
{
    double from_step = (double)kept->step, step = (double)point->step;
    return fabs((from_step - next_step) * (point->value - kept->value) -
                (from_step - step) * (next_value - kept->value));
}

/* Of [from, to) the one that makes the largest triangle. */
static size_t
largest(const struct points *all, size_t kept, size_t from, size_t to, size_t next_to)
{
    double step = 0, value = 0, most = -1;
    size_t best = from;
    for (size_t i = to; i < next_to; i++) {
        step += (double)all->items[i].step / (double)(next_to - to);
        value += all->items[i].value / (double)(next_to - to);
    }
    for (size_t i = from; i < to; i++) {
        double here = area(&all->items[kept], &all->items[i], step, value);
        if (here > most) {
            most = here;
            best = i;
        }
    }
    return best;
}

static ax_status
keep_largest(struct ax_ctx *ctx, const struct points *all, size_t points_max, struct points *out)
{
    size_t inner = all->count - 2, wanted = points_max - 2, kept = 0;
    if (!push(ctx->arena, out, &all->items[0]))
        return no_memory(ctx);
    for (size_t i = 0; i < wanted; i++) {
        size_t from = 1 + i * inner / wanted, to = 1 + (i + 1) * inner / wanted;
        size_t next_to = i + 1 == wanted ? all->count : 1 + (i + 2) * inner / wanted;
        kept = largest(all, kept, from, to, next_to);
        if (!push(ctx->arena, out, &all->items[kept]))
            return no_memory(ctx);
    }
    return push(ctx->arena, out, &all->items[all->count - 1]) ? AX_OK : no_memory(ctx);
}

#define SERIES_ROWS                                                                                \
    "from runs r join metric_series s on s.run_key = r.key join metric_points p on p.series_id = " \
    "s.id where r.id = $1 and s.key = $2"

static ax_status
count_points(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_run_plots_series *series,
             int64_t out_counts[2])
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select count(*), coalesce(cast(sum(p.is_nan) as bigint), 0) " SERIES_ROWS),
        AX_STORE_PARAMS(ax_store_text(series->run_id), ax_store_text(series->key)), &rows));
    if (ax_store_next(rows)) {
        out_counts[0] = ax_store_read_i64(rows, 0);
        out_counts[1] = ax_store_read_i64(rows, 1);
    }
    AX_TRY(ax_store_finish(rows));
    if (out_counts[0] == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "run %.*s has no metric %.*s",
                       AX_FMT(ax_experiment_cut(series->run_id, 100)),
                       AX_FMT(ax_experiment_cut(series->key, 250)));
    return AX_OK;
}

static ax_status
thin(struct ax_store_tx *tx, const struct ax_run_plots_series *series, struct thinning *thinning)
{
    struct ax_store_rows *rows;
    bool room = true;
    AX_TRY(ax_store_query(
        tx, thinning->ctx,
        AX_STR("select p.step, p.timestamp_ms, p.value, p.is_nan " SERIES_ROWS
               " and p.is_nan = 0 order by p.step, p.timestamp_ms, p.value"),
        AX_STORE_PARAMS(ax_store_text(series->run_id), ax_store_text(series->key)), &rows));
    while (room && ax_store_next(rows)) {
        struct ax_metric point = ax_metric_read(rows, 0);
        room = take_number(thinning, &point);
    }
    AX_TRY(ax_store_finish(rows));
    return room ? AX_OK : no_memory(thinning->ctx);
}

static void
show_points(const struct points *points, struct ax_json_writer *out)
{
    ax_json_key(out, "points");
    ax_json_begin_array(out);
    for (size_t i = 0; i < points->count; i++) {
        ax_json_begin_array(out);
        ax_json_put_i64(out, points->items[i].step);
        ax_json_put_i64(out, points->items[i].timestamp_ms);
        ax_json_put_f64(out, points->items[i].value);
        ax_json_end_array(out);
    }
    ax_json_end_array(out);
}

ax_status
ax_run_plots_series(struct ax_experiments *experiments, struct ax_ctx *ctx,
                    const struct ax_run_plots_series *series, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t counts[2] = {0, 0}, most = series->points_max;
    struct points shown = {};
    if (most < 3 || most > AX_RUN_PLOTS_POINTS_MAX)
        return ax_fail(ctx, AX_INVALID, "`points` must be from 3 to %d", AX_RUN_PLOTS_POINTS_MAX);
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(count_points(tx, ctx, series, counts));
    struct thinning thinning = {.ctx = ctx,
                                .count = counts[0] - counts[1],
                                .points_max = series->lttb ? most * EXTREMES_PER_POINT : most};
    AX_TRY(thin(tx, series, &thinning));
    if (series->lttb && thinning.out.count > (size_t)most)
        AX_TRY(keep_largest(ctx, &thinning.out, (size_t)most, &shown));
    else
        shown = thinning.out;
    ax_json_begin_object(out);
    ax_json_member_text(out, "run_id", series->run_id);
    ax_json_member_text(out, "key", series->key);
    ax_json_member_i64(out, "count", counts[0]);
    ax_json_member_i64(out, "nan_count", counts[1]);
    show_points(&shown, out);
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- parallel coordinates ---- */

struct axis {
    ax_str name, key;
    bool is_metric, is_number;
    struct cell *cells; /* a run each */
};

static ax_status
read_axis(const struct chosen *chosen, struct axis *axis)
{
    ax_search_sql_auto struct ax_search_sql sql = sql_of(chosen);
    struct ax_store_rows *rows;
    ax_search_sql_add(&sql, axis->is_metric
                                ? "select run_key, value, is_nan from metric_series where key = "
                                : "select run_key, value from run_params where key = ");
    ax_search_sql_bind(&sql, ax_store_text(axis->key));
    ax_search_sql_add(&sql, " and run_key in (");
    bind_keys(&sql, chosen);
    ax_search_sql_add(&sql, ")");
    AX_TRY(ax_search_sql_query(&sql, chosen->tx, &rows));
    axis->is_number = true;
    while (ax_store_next(rows)) {
        struct cell *cell = &axis->cells[place_of(chosen, ax_store_read_i64(rows, 0))];
        cell->is_there = !axis->is_metric || ax_store_read_i64(rows, 2) == 0;
        if (axis->is_metric) {
            cell->number = ax_store_read_f64(rows, 1);
            continue;
        }
        cell->text = ax_store_read_text(rows, 1);
        axis->is_number =
            axis->is_number && ax_parse_f64(cell->text, &cell->number) && isfinite(cell->number);
    }
    for (size_t i = 0; i < chosen->count; i++)
        axis->cells[i].is_number = axis->is_number;
    return ax_store_finish(rows);
}

static void
show_range(const struct axis *axis, size_t count, struct ax_json_writer *out)
{
    bool any = false;
    double least = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = &axis->cells[i];
        if (!cell->is_there)
            continue;
        least = any && least < cell->number ? least : cell->number;
        most = any && most > cell->number ? most : cell->number;
        any = true;
    }
    ax_json_member_text(out, "kind", AX_STR("number"));
    if (any) {
        ax_json_member_f64(out, "min", least);
        ax_json_member_f64(out, "max", most);
    }
}

/* Each text once, as the runs come. */
static ax_status
show_texts(struct ax_ctx *ctx, const struct axis *axis, size_t count, struct ax_json_writer *out)
{
    static char mark;
    struct ax_map *seen = ax_map_new(ctx->arena);
    ax_json_member_text(out, "kind", AX_STR("text"));
    ax_json_key(out, "values");
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = &axis->cells[i];
        if (!cell->is_there || (seen && ax_map_find(seen, cell->text)))
            continue;
        if (!seen || !ax_map_put(seen, cell->text, &mark))
            return no_memory(ctx);
        ax_json_put_text(out, cell->text);
    }
    ax_json_end_array(out);
    return AX_OK;
}

static ax_status
name_axis(struct ax_ctx *ctx, ax_str name, size_t run_count, struct axis *out)
{
    out->name = name;
    out->is_metric = ax_str_starts(name, AX_STR("metrics."));
    if (!out->is_metric && !ax_str_starts(name, AX_STR("params.")))
        return ax_fail(ctx, AX_INVALID, "an axis is named metrics.KEY or params.KEY, not \"%.*s\"",
                       AX_FMT(ax_experiment_cut(name, 100)));
    out->key = ax_str_from(name, out->is_metric ? strlen("metrics.") : strlen("params."));
    out->cells = AX_NEW_ARRAY(ctx->arena, struct cell, run_count + 1);
    return out->cells ? AX_OK : no_memory(ctx);
}

static ax_status
show_axes(const struct chosen *chosen, struct axis *axes, size_t count, struct ax_json_writer *out)
{
    ax_json_key(out, "axes");
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++) {
        AX_TRY(read_axis(chosen, &axes[i]));
        ax_json_begin_object(out);
        ax_json_member_text(out, "name", axes[i].name);
        if (axes[i].is_number)
            show_range(&axes[i], chosen->count, out);
        else
            AX_TRY(show_texts(chosen->ctx, &axes[i], chosen->count, out));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return AX_OK;
}

/* Each run's id and its value on every axis. */
static ax_status
show_lines_of_runs(const struct chosen *chosen, const struct axis *axes, size_t count,
                   struct ax_json_writer *out)
{
    ax_json_key(out, "runs");
    ax_json_begin_array(out);
    for (size_t i = 0; i < chosen->count; i++) {
        struct ax_store_rows *rows;
        AX_TRY(ax_store_query(chosen->tx, chosen->ctx, AX_STR("select id from runs where key = $1"),
                              AX_STORE_PARAMS(ax_store_i64(chosen->keys[i])), &rows));
        ax_json_begin_object(out);
        if (ax_store_next(rows))
            ax_json_member_text(out, "run_id", ax_store_peek_text(rows, 0));
        AX_TRY(ax_store_finish(rows));
        ax_json_key(out, "values");
        ax_json_begin_array(out);
        for (size_t k = 0; k < count; k++)
            show_cell(&axes[k].cells[i], out);
        ax_json_end_array(out);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return AX_OK;
}

ax_status
ax_run_plots_parallel(struct ax_experiments *experiments, struct ax_ctx *ctx,
                      const struct ax_experiment_search *search, const ax_str *names,
                      size_t axis_count, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct axis *axes = AX_NEW_ARRAY(ctx->arena, struct axis, axis_count + 1);
    struct ax_run_keys found = {};
    if (!axes)
        return no_memory(ctx);
    if (axis_count == 0 || axis_count > AX_RUN_PLOTS_AXES_MAX)
        return ax_fail(ctx, AX_INVALID, "`axes` must name 1 to %d", AX_RUN_PLOTS_AXES_MAX);
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_runs_find(tx, ctx, search, &found));
    for (size_t i = 0; i < axis_count; i++)
        AX_TRY(name_axis(ctx, names[i], found.count, &axes[i]));
    const struct chosen chosen = {tx, ctx, found.items, found.count};
    ax_json_begin_object(out);
    AX_TRY(show_axes(&chosen, axes, axis_count, out));
    AX_TRY(show_lines_of_runs(&chosen, axes, axis_count, out));
    ax_json_end_object(out);
    return AX_OK;
}

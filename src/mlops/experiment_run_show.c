/* Runs with all that belongs to them, some at a time. */
#include <stdlib.h>

#include "mlops/experiment_run.h"
#include "mlops/run_cache.h"
#include "mlops/search_sql.h"

enum { TEXT_BYTES_MAX = 512 << 20 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for runs");
}

struct ax_run_row
ax_run_read(struct ax_store_rows *rows)
{
    return (struct ax_run_row){.key = ax_store_read_i64(rows, 0),
                               .revision = ax_store_read_i64(rows, 1),
                               .id = ax_store_read_text(rows, 2),
                               .experiment_id = ax_store_read_text(rows, 3),
                               .name = ax_store_read_text(rows, 4),
                               .user_id = ax_store_read_text(rows, 5),
                               .status = ax_store_read_text(rows, 6),
                               .start_ns = ax_store_read_i64(rows, 7),
                               .end_ns = ax_store_read_i64_or(rows, 8, INT64_MIN),
                               .artifact_uri = ax_store_read_text(rows, 9),
                               .stage = ax_store_read_text(rows, 10)};
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

static void
show_pair(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    ax_json_member_text(out, "key", ax_store_peek_text(rows, 1));
    ax_json_member_text(out, "value", ax_store_peek_text(rows, 2));
}

static void
show_metric(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    struct ax_metric point = ax_metric_read(rows, 2);
    ax_metric_show(ax_store_peek_text(rows, 1), &point, out);
}

static void
show_dataset(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    static const char *const names[] = {"name",   "digest", "source_type",
                                        "source", "schema", "profile"};
    ax_str tags = ax_store_peek_text(rows, 7);
    if (tags.len > 2) {
        ax_json_key(out, "tags");
        ax_json_put_raw(out, tags);
    }
    ax_json_key(out, "dataset");
    ax_json_begin_object(out);
    for (int i = 0; i < (int)AX_COUNT_OF(names); i++) {
        ax_str text = ax_store_peek_text_or_null(rows, i + 1);
        if (text.at)
            ax_json_member_text(out, names[i], text);
    }
    ax_json_end_object(out);
}

static void
show_model_input(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    ax_json_member_text(out, "model_id", ax_store_peek_text(rows, 1));
}

static void
show_model_output(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    ax_json_member_text(out, "model_id", ax_store_peek_text(rows, 1));
    ax_json_member_i64(out, "step", ax_store_read_i64(rows, 2));
}

enum part { METRICS, PARAMS, TAGS, DATASETS, MODEL_INPUTS, MODEL_OUTPUTS, PARTS };

/* The first column is the run's key; the list of keys stands between sql and order. */
static const struct {
    const char *name, *sql, *order;
    void (*show)(struct ax_store_rows *rows, struct ax_json_writer *out);
} parts[PARTS] = {
    [METRICS] = {"metrics",
                 "select run_key, key, step, timestamp_ms, value, is_nan from metric_series "
                 "where run_key in (",
                 ") order by run_key, key", show_metric},
    [PARAMS] = {"params", "select run_key, key, value from run_params where run_key in (",
                ") order by run_key, key", show_pair},
    [TAGS] = {"tags", "select run_key, key, value from run_tags where run_key in (",
              ") order by run_key, key", show_pair},
    [DATASETS] = {"dataset_inputs",
                  "select run_key, dataset_name, dataset_digest, source_type, source, "
                  "dataset_schema, dataset_profile, tags from run_inputs where run_key in (",
                  ") order by run_key, dataset_name, dataset_digest", show_dataset},
    [MODEL_INPUTS] = {"model_inputs",
                      "select run_key, model_id from run_models where direction = 'input' and "
                      "run_key in (",
                      ") order by run_key, step, model_id", show_model_input},
    [MODEL_OUTPUTS] = {"model_outputs",
                       "select run_key, model_id, step from run_models where direction = 'output' "
                       "and run_key in (",
                       ") order by run_key, step, model_id", show_model_output},
};

/* ---- several runs ---- */

/* A run on its way to the page: its text is a piece of what was written so far. */
struct shown {
    int64_t key;
    struct ax_run_row run; /* unset when the text was kept */
    size_t from, len;      /* len 0: to be written */
};

/* The rows of one part, which come in the order of the runs' keys. */
struct cursor {
    struct ax_store_rows *rows; /* NULL: not open */
    bool on_row;
    int64_t key;
};

struct showing {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    struct ax_run_cache *cache; /* NULL: what is shown may never be committed */
    size_t count;
    struct shown runs[AX_RUNS_AT_ONCE]; /* by key */
    struct cursor cursors[PARTS];
    struct ax_writer text;
};

/* The rows of the runs that are still to be written. Two texts, so that both stay prepared. */
static ax_status
query(struct showing *showing, const char *sql, const char *order, struct ax_store_rows **rows)
{
    ax_search_sql_auto struct ax_search_sql text =
        ax_search_sql_of(showing->ctx, ax_store_dialect(ax_store_of(showing->tx)));
    size_t places = showing->count == 1 ? 1 : AX_RUNS_AT_ONCE, bound = 0;
    int64_t last = 0;
    ax_search_sql_add(&text, sql);
    for (size_t i = 0; bound < places; i++) {
        if (i < showing->count && showing->runs[i].len > 0)
            continue;
        last = i < showing->count ? showing->runs[i].key : last;
        ax_search_sql_add(&text, bound++ > 0 ? ", " : "");
        ax_search_sql_bind(&text, ax_store_i64(last));
    }
    ax_search_sql_add(&text, order);
    return ax_search_sql_query(&text, showing->tx, rows);
}

static void
advance(struct cursor *cursor)
{
    cursor->on_row = ax_store_next(cursor->rows);
    cursor->key = cursor->on_row ? ax_store_read_i64(cursor->rows, 0) : 0;
}

static void
show_part(struct showing *showing, enum part part, int64_t key, struct ax_json_writer *out)
{
    struct cursor *cursor = &showing->cursors[part];
    if (!cursor->on_row || cursor->key != key)
        return;
    ax_json_key(out, parts[part].name);
    ax_json_begin_array(out);
    for (; cursor->on_row && cursor->key == key; advance(cursor)) {
        ax_json_begin_object(out);
        parts[part].show(cursor->rows, out);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
}

static void
write_run(struct showing *showing, struct shown *shown)
{
    struct ax_json_writer out = ax_json_writer_of(&showing->text);
    shown->from = ax_writer_str(&showing->text).len;
    ax_json_begin_object(&out);
    ax_json_key(&out, "info");
    ax_run_show_info(&shown->run, &out);
    ax_json_key(&out, "data");
    ax_json_begin_object(&out);
    for (enum part part = METRICS; part <= TAGS; part++)
        show_part(showing, part, shown->key, &out);
    ax_json_end_object(&out);
    ax_json_key(&out, "inputs");
    ax_json_begin_object(&out);
    show_part(showing, DATASETS, shown->key, &out);
    show_part(showing, MODEL_INPUTS, shown->key, &out);
    ax_json_end_object(&out);
    ax_json_key(&out, "outputs");
    ax_json_begin_object(&out);
    show_part(showing, MODEL_OUTPUTS, shown->key, &out);
    ax_json_end_object(&out);
    ax_json_end_object(&out);
    shown->len = ax_writer_str(&showing->text).len - shown->from;
}

/* The runs by key: the text that is kept, or what there is to write. */
static ax_status
read_runs(struct showing *showing)
{
    struct ax_store_rows *rows;
    size_t at = 0;
    AX_TRY(query(showing, "select " AX_RUN_COLUMNS " from runs r where r.key in (",
                 ") order by r.key", &rows));
    for (; at < showing->count && ax_store_next(rows); at++) {
        struct shown *shown = &showing->runs[at];
        int64_t revision = ax_store_read_i64(rows, 1);
        *shown = (struct shown){.key = ax_store_read_i64(rows, 0),
                                .from = ax_writer_str(&showing->text).len};
        if (showing->cache &&
            ax_run_cache_find(showing->cache, shown->key, revision, &showing->text))
            shown->len = ax_writer_str(&showing->text).len - shown->from;
        else
            shown->run = ax_run_read(rows);
    }
    showing->count = at;
    return ax_store_finish(rows);
}

static ax_status
open_cursors(struct showing *showing)
{
    for (enum part part = METRICS; part < PARTS; part++) {
        struct cursor *cursor = &showing->cursors[part];
        AX_TRY(query(showing, parts[part].sql, parts[part].order, &cursor->rows));
        advance(cursor);
    }
    return AX_OK;
}

static ax_status
close_cursors(struct showing *showing, ax_status status)
{
    for (enum part part = METRICS; part < PARTS; part++) {
        if (!showing->cursors[part].rows)
            continue;
        ax_status end = ax_store_finish(showing->cursors[part].rows);
        status = status == AX_OK ? end : status;
    }
    return status;
}

/* The runs whose text is not kept. */
static ax_status
write_missing(struct showing *showing)
{
    size_t missing = 0;
    for (size_t i = 0; i < showing->count; i++)
        missing += showing->runs[i].len == 0;
    if (missing == 0)
        return AX_OK;
    ax_status status = open_cursors(showing);
    for (size_t i = 0; status == AX_OK && i < showing->count; i++)
        if (showing->runs[i].len == 0)
            write_run(showing, &showing->runs[i]);
    AX_TRY(close_cursors(showing, status));
    if (showing->text.status != AX_OK)
        return no_memory(showing->ctx);
    for (size_t i = 0; showing->cache && i < showing->count; i++) {
        struct shown *shown = &showing->runs[i];
        if (shown->run.id.at)
            ax_run_cache_keep(showing->cache, shown->key, shown->run.revision,
                              (ax_str){ax_writer_str(&showing->text).at + shown->from, shown->len});
    }
    return AX_OK;
}

static int
by_key(const void *a, const void *b)
{
    int64_t one = ((const struct shown *)a)->key, other = ((const struct shown *)b)->key;
    return (one > other) - (one < other);
}

static void
show_texts(const struct showing *showing, const int64_t *keys, size_t count,
           struct ax_json_writer *out)
{
    for (size_t i = 0; i < count; i++) {
        struct shown wanted = {.key = keys[i]};
        const struct shown *shown = showing->count ? bsearch(&wanted, showing->runs, showing->count,
                                                             sizeof *showing->runs, by_key)
                                                   : NULL;
        if (shown)
            ax_json_put_raw(out,
                            (ax_str){ax_writer_str(&showing->text).at + shown->from, shown->len});
    }
}

static ax_status
show_some(struct showing *showing, const int64_t *keys, size_t count, struct ax_json_writer *out)
{
    showing->count = count;
    for (size_t i = 0; i < count; i++)
        showing->runs[i] = (struct shown){.key = keys[i]};
    AX_TRY(read_runs(showing));
    AX_TRY(write_missing(showing));
    if (showing->text.status != AX_OK)
        return no_memory(showing->ctx);
    show_texts(showing, keys, count, out);
    return AX_OK;
}

ax_status
ax_runs_show(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_run_cache *cache,
             const struct ax_run_keys *runs, struct ax_json_writer *out)
{
    ax_status status = AX_OK;
    ax_auto(ax_arena_free) struct ax_arena *room = ax_arena_new(TEXT_BYTES_MAX);
    struct showing *showing = room ? AX_NEW(room, struct showing) : NULL;
    struct ax_arena *outer = ctx->arena;
    if (!showing)
        return no_memory(ctx);
    for (size_t at = 0; status == AX_OK && at < runs->count; at += AX_RUNS_AT_ONCE) {
        size_t left = runs->count - at;
        *showing = (struct showing){.tx = tx,
                                    .ctx = ctx,
                                    .cache = tx->access == AX_STORE_READ ? cache : NULL,
                                    .text = ax_writer_of(TEXT_BYTES_MAX)};
        ctx->arena = room;
        status = show_some(showing, runs->items + at,
                           left < AX_RUNS_AT_ONCE ? left : AX_RUNS_AT_ONCE, out);
        ctx->arena = outer;
        ax_writer_free(&showing->text);
    }
    return status;
}

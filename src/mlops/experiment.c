#include "mlops/experiment.h"

#include "base/alloc.h"
#include "base/number.h"
#include "codec/text.h"
#include "mlops/experiment_search.h"
#include "mlops/run_cache.h"
#include "sys/clock.h"
#include "sys/crypto.h"
#include "sys/file.h"

enum { NAME_CHARS_MAX = 500, LOCATION_CHARS_MAX = 2048, ID_BYTES = 16, SHOWN_BYTES_MAX = 32 << 20 };

struct ax_experiments {
    struct ax_experiments_config config;
    struct ax_run_cache *shown;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for tracking");
}

/* ---- opening ---- */

static ax_status
make_default(struct ax_experiments *experiments, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    ax_str location =
        ax_str_printf(ctx->arena, "%.*s/0", AX_FMT(experiments->config.artifact_root));
    if (!location.at)
        return no_memory(ctx);
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from experiments"), AX_STORE_NO_PARAMS,
                            &count));
    if (count == 0)
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into experiments (id, name, artifact_location, lifecycle_stage, "
                   "created_ns, updated_ns) values ('0', 'Default', $1, 'active', $2, $2) "
                   "on conflict do nothing"),
            AX_STORE_PARAMS(ax_store_text(location), ax_store_i64(ax_clock_real_ns())), NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiments_open(struct ax_ctx *ctx, const struct ax_experiments_config *config,
                    struct ax_experiments **out_experiments)
{
    ax_auto(ax_experiments_close) struct ax_experiments *experiments =
        ax_alloc(sizeof *experiments, 1);
    if (!experiments)
        return no_memory(ctx);
    experiments->config = *config;
    experiments->shown = ax_run_cache_new(SHOWN_BYTES_MAX);
    if (!experiments->shown)
        return no_memory(ctx);
    AX_TRY(make_default(experiments, ctx));
    *out_experiments = ax_take(experiments);
    return AX_OK;
}

void
ax_experiments_close(struct ax_experiments *experiments)
{
    if (experiments)
        ax_run_cache_free(experiments->shown);
    ax_free(experiments);
}

struct ax_store *
ax_experiments_store(const struct ax_experiments *experiments)
{
    return experiments->config.store;
}

struct ax_run_cache *
ax_experiments_shown(const struct ax_experiments *experiments)
{
    return experiments->shown;
}

/* ---- texts ---- */

size_t
ax_experiment_chars(ax_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

ax_str
ax_experiment_cut(ax_str text, size_t chars_max)
{
    size_t count = 0;
    if (text.len <= chars_max)
        return text;
    for (size_t i = 0; i < text.len; i++) {
        count += (text.at[i] & 0xc0) != 0x80;
        if (count > chars_max)
            return (ax_str){text.at, i};
    }
    return text;
}

/* Letters, digits, '_', '/', '.', '-', ' ', ':' and letters beyond ASCII. */
static bool
may_stand_in_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c & 0x80) || (c != '\0' && strchr("_/.- :", c));
}

/* A path while it is put together again. */
struct path {
    char *at;
    size_t len;
};

static void
push_part(struct path *path, ax_str part)
{
    if (path->len > 0)
        path->at[path->len++] = '/';
    memcpy(path->at + path->len, part.at, part.len);
    path->len += part.len;
}

/* Takes the last part off; false when there is none, or it leads up itself. */
static bool
pop_part(struct path *path)
{
    const char *slash = path->len > 0 ? memrchr(path->at, '/', path->len) : NULL;
    size_t from = slash ? (size_t)(slash - path->at) + 1 : 0;
    if (path->len == 0 || ax_str_eq((ax_str){path->at + from, path->len - from}, AX_STR("..")))
        return false;
    path->len = slash ? from - 1 : 0;
    return true;
}

/* The path with "." and ".." carried out, as POSIX says; in the arena. */
static ax_status
normalise(struct ax_ctx *ctx, ax_str name, ax_str *out)
{
    struct path path = {.at = ax_arena_alloc(ctx->arena, 1, name.len + 3)};
    ax_str rest = name, part;
    bool absolute = ax_str_starts(name, AX_STR("/"));
    if (!path.at)
        return no_memory(ctx);
    while (ax_str_cut(&rest, '/', &part)) {
        bool up = ax_str_eq(part, AX_STR(".."));
        if (part.len == 0 || ax_str_eq(part, AX_STR(".")) || (up && pop_part(&path)))
            continue;
        if (!up || !absolute)
            push_part(&path, part);
    }
    *out = (ax_str){path.at, path.len};
    if (absolute)
        *out = ax_str_printf(ctx->arena, "/%.*s", (int)path.len, path.at);
    else if (path.len == 0)
        *out = AX_STR(".");
    return out->at ? AX_OK : no_memory(ctx);
}

ax_status
ax_experiment_check_key(struct ax_ctx *ctx, ax_str key, const char *what)
{
    ax_str normal;
    bool good = ax_utf8_ok(key);
    for (size_t i = 0; good && i < key.len; i++)
        good = may_stand_in_key(key.at[i]);
    if (!good)
        return ax_fail(ctx, AX_INVALID,
                       "Invalid value \"%.*s\" for parameter 'name' supplied: Names may only "
                       "contain alphanumerics, underscores (_), dashes (-), periods (.), spaces "
                       "( ), colon(:) and slashes (/).",
                       AX_FMT(ax_experiment_cut(key, 100)));
    AX_TRY(normalise(ctx, key, &normal));
    bool leaves = ax_str_eq(normal, AX_STR(".")) || ax_str_starts(normal, AX_STR("..")) ||
                  ax_str_starts(normal, AX_STR("/"));
    if (leaves || !ax_str_eq(normal, key))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid value \"%.*s\" for parameter 'name' supplied: Names may be treated "
                       "as files in certain cases, and must not resolve to other names when "
                       "treated as such. This name would resolve to '%.*s'",
                       AX_FMT(ax_experiment_cut(key, 100)), AX_FMT(ax_experiment_cut(normal, 100)));
    if (ax_experiment_chars(key) > AX_EXPERIMENT_KEY_CHARS_MAX)
        return ax_fail(ctx, AX_INVALID, "'%s' exceeds the maximum length of %d characters", what,
                       AX_EXPERIMENT_KEY_CHARS_MAX);
    return AX_OK;
}

static ax_status
check_length(struct ax_ctx *ctx, ax_str text, const char *what, size_t chars_max)
{
    if (ax_experiment_chars(text) <= chars_max)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "'%s' exceeds the maximum length of %zu characters", what,
                   chars_max);
}

ax_status
ax_experiment_new_id(struct ax_ctx *ctx, const char *prefix, ax_str *out_id)
{
    char bytes[ID_BYTES];
    ax_writer_auto struct ax_writer hex = ax_writer_of(128);
    ax_random_bytes(bytes, sizeof bytes);
    ax_writer_text(&hex, prefix);
    ax_hex_encode((ax_str){bytes, sizeof bytes}, &hex);
    return ax_writer_take(&hex, ctx->arena, out_id) == AX_OK ? AX_OK : no_memory(ctx);
}

int64_t
ax_experiment_ms(int64_t ns)
{
    return ns / 1'000'000;
}

ax_status
ax_experiment_ns(struct ax_ctx *ctx, int64_t ms, int64_t *out_ns)
{
    if (ms > INT64_MAX / 1'000'000 || ms < INT64_MIN / 1'000'000)
        return ax_fail(ctx, AX_INVALID, "a time of %lld ms is beyond what is kept", (long long)ms);
    *out_ns = ms * 1'000'000;
    return AX_OK;
}

ax_status
ax_experiment_artifact_uri(struct ax_ctx *ctx, ax_str location, ax_str name, ax_str *out_uri)
{
    size_t query = ax_str_find(location, AX_STR("?"));
    ax_str path = {location.at, query == SIZE_MAX ? location.len : query};
    ax_str behind = ax_str_from(location, path.len);
    *out_uri =
        ax_str_printf(ctx->arena, "%.*s%s%.*s/artifacts%.*s", AX_FMT(path),
                      ax_str_ends(path, AX_STR("/")) ? "" : "/", AX_FMT(name), AX_FMT(behind));
    return out_uri->at ? AX_OK : no_memory(ctx);
}

ax_status
ax_experiment_show_pairs(struct ax_store_rows *rows, const char *name, struct ax_json_writer *out)
{
    bool any = false;
    for (; ax_store_next(rows); any = true) {
        if (!any) {
            ax_json_key(out, name);
            ax_json_begin_array(out);
        }
        ax_json_begin_object(out);
        ax_json_member_text(out, "key", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "value", ax_store_read_text(rows, 1));
        ax_json_end_object(out);
    }
    if (any)
        ax_json_end_array(out);
    return ax_store_finish(rows);
}

/* ---- finding ---- */

static ax_status
no_experiment(struct ax_ctx *ctx, ax_str id)
{
    return ax_fail(ctx, AX_NOT_FOUND, "No Experiment with id=%.*s exists",
                   AX_FMT(ax_experiment_cut(id, 100)));
}

static ax_status
find_experiment(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                struct ax_experiment_place *out_place)
{
    struct ax_store_rows *rows;
    int64_t number;
    if (!ax_parse_i64(id, &number))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid experiment ID '%.*s'. Experiment ID must be a valid integer.",
                       AX_FMT(ax_experiment_cut(id, 100)));
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select artifact_location, lifecycle_stage from experiments where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        out_place->artifact_location = ax_store_read_text(rows, 0);
        out_place->active = ax_str_eq(ax_store_read_text(rows, 1), AX_STR("active"));
    }
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : no_experiment(ctx, id);
}

ax_status
ax_experiment_find_active(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                          struct ax_experiment_place *out_place)
{
    AX_TRY(find_experiment(tx, ctx, id, out_place));
    if (!out_place->active)
        return ax_fail(ctx, AX_INVALID,
                       "The experiment %.*s must be in the 'active' state. Current state is "
                       "deleted.",
                       AX_FMT(id));
    return AX_OK;
}

/* ---- making and changing ---- */

/* A place for files: no fragment, no parameters, no way out by its query. */
static ax_status
check_location(struct ax_ctx *ctx, ax_str location)
{
    const char *query = location.len ? memchr(location.at, '?', location.len) : NULL;
    ax_str path = query ? (ax_str){location.at, (size_t)(query - location.at)} : location;
    ax_str behind = query ? ax_str_from(location, path.len + 1) : AX_STR("");
    if (ax_str_find(location, AX_STR("#")) != SIZE_MAX ||
        ax_str_find(path, AX_STR(";")) != SIZE_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "'artifact_location' URL can't include fragments or params.");
    if (ax_str_find(behind, AX_STR("..")) != SIZE_MAX)
        return ax_fail(ctx, AX_INVALID, "Invalid query string: %.*s", AX_FMT(behind));
    if (ax_str_starts(location, AX_STR("runs:")))
        return ax_fail(ctx, AX_INVALID, "Artifact location cannot be a runs:/ URI. Given: '%.*s'",
                       AX_FMT(location));
    return check_length(ctx, location, "artifact_location", LOCATION_CHARS_MAX);
}

ax_status
ax_experiment_location(struct ax_ctx *ctx, ax_str location, ax_str *out_location)
{
    ax_str rest = location, first;
    *out_location = location;
    (void)ax_str_cut(&rest, '/', &first);
    if (location.len == 0 || first.len == 0 || memchr(first.at, ':', first.len))
        return AX_OK;
    return ax_file_absolute(ctx, location, out_location);
}

static ax_status
put_tag(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_experiment_pair tag)
{
    AX_TRY(check_length(ctx, tag.key, "key", AX_EXPERIMENT_KEY_CHARS_MAX));
    AX_TRY(ax_experiment_check_key(ctx, tag.key, "key"));
    AX_TRY(check_length(ctx, tag.value, "value", AX_EXPERIMENT_TAG_CHARS_MAX));
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into experiment_tags (experiment_id, key, value) values ($1, $2, $3) "
               "on conflict (experiment_id, key) do update set value = excluded.value"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(tag.key), ax_store_text(tag.value)), NULL);
}

static ax_status
insert(struct ax_experiments *experiments, struct ax_ctx *ctx, struct ax_store_tx *tx,
       const struct ax_experiment_new *made, ax_str *out_id)
{
    int64_t number;
    ax_str location;
    AX_TRY(ax_experiment_location(ctx, made->artifact_location, &location));
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select coalesce(max(cast(id as bigint)), -1) + 1 from experiments"),
        AX_STORE_NO_PARAMS, &number));
    *out_id = made->id.len ? made->id : ax_str_printf(ctx->arena, "%lld", (long long)number);
    if (location.len == 0 && out_id->at)
        location = ax_str_printf(ctx->arena, "%.*s/%.*s", AX_FMT(experiments->config.artifact_root),
                                 AX_FMT(*out_id));
    if (!out_id->at || !location.at)
        return no_memory(ctx);
    ax_status status = ax_store_run(
        tx, ctx,
        AX_STR("insert into experiments (id, name, artifact_location, lifecycle_stage, created_ns, "
               "updated_ns) values ($1, $2, $3, 'active', $4, $4)"),
        AX_STORE_PARAMS(
            ax_store_text(*out_id), ax_store_text(made->name), ax_store_text(location),
            ax_store_i64(made->created_ms ? made->created_ms * 1'000'000 : ax_clock_real_ns())),
        NULL);
    if (status == AX_CONFLICT)
        return ax_fail(ctx, AX_CONFLICT, "Experiment(name=%.*s) already exists.",
                       AX_FMT(made->name));
    AX_TRY(status);
    for (size_t i = 0; i < made->tags.count; i++)
        AX_TRY(put_tag(tx, ctx, *out_id, made->tags.items[i]));
    return AX_OK;
}

ax_status
ax_experiment_create(struct ax_experiments *experiments, struct ax_ctx *ctx,
                     const struct ax_experiment_new *made, ax_str *out_id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(check_length(ctx, made->name, "name", NAME_CHARS_MAX));
    AX_TRY(check_location(ctx, made->artifact_location));
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(insert(experiments, ctx, tx, made, out_id));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_rename(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, ax_str name)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_experiment_place place;
    AX_TRY(check_length(ctx, name, "name", NAME_CHARS_MAX));
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find_experiment(tx, ctx, id, &place));
    if (!place.active)
        return ax_fail(ctx, AX_INVALID, "Cannot rename a non-active experiment.");
    ax_status status = ax_store_run(
        tx, ctx, AX_STR("update experiments set name = $2, updated_ns = $3 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(name), ax_store_i64(ax_clock_real_ns())),
        NULL);
    if (status == AX_CONFLICT)
        return ax_fail(ctx, AX_CONFLICT, "Experiment(name=%.*s) already exists.", AX_FMT(name));
    AX_TRY(status);
    return ax_store_commit(ax_take(tx), ctx);
}

/* From one stage to the other, the runs too. */
static ax_status
move(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, bool active)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_experiment_place place;
    int64_t now_ns = ax_clock_real_ns();
    ax_store_value stage = ax_store_text(active ? AX_STR("active") : AX_STR("deleted"));
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find_experiment(tx, ctx, id, &place));
    if (place.active == active)
        return no_experiment(ctx, id);
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update experiments set lifecycle_stage = $2, updated_ns = $3 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id), stage, ax_store_i64(now_ns)), NULL));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update runs set lifecycle_stage = $2, deleted_ns = $3, revision = revision + 1 "
               "where experiment_id = $1 and lifecycle_stage <> $2"),
        AX_STORE_PARAMS(ax_store_text(id), stage, active ? ax_store_null() : ax_store_i64(now_ns)),
        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_delete(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id)
{
    return move(experiments, ctx, id, false);
}

ax_status
ax_experiment_restore(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id)
{
    return move(experiments, ctx, id, true);
}

ax_status
ax_experiment_set_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                      struct ax_experiment_pair tag)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_experiment_place place;
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_experiment_find_active(tx, ctx, id, &place));
    AX_TRY(put_tag(tx, ctx, id, tag));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                         ax_str key)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_experiment_place place;
    int64_t changed;
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_experiment_find_active(tx, ctx, id, &place));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("delete from experiment_tags where experiment_id = $1 and key = $2"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(key)), &changed));
    if (changed == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "No tag with name: %.*s in experiment with id %.*s",
                       AX_FMT(ax_experiment_cut(key, 250)), AX_FMT(id));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- showing ---- */

#define COLUMNS "r.id, r.name, r.artifact_location, r.lifecycle_stage, r.updated_ns, r.created_ns"

/* The row the rows stand on, and its tags. */
static ax_status
show_row(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows,
         struct ax_json_writer *out)
{
    struct ax_store_rows *tags;
    ax_str id = ax_store_read_text(rows, 0);
    ax_json_begin_object(out);
    ax_json_member_text(out, "experiment_id", id);
    ax_json_member_text(out, "name", ax_store_read_text(rows, 1));
    ax_json_member_text(out, "artifact_location", ax_store_read_text(rows, 2));
    ax_json_member_text(out, "lifecycle_stage", ax_store_read_text(rows, 3));
    ax_json_member_i64(out, "last_update_time", ax_experiment_ms(ax_store_read_i64(rows, 4)));
    ax_json_member_i64(out, "creation_time", ax_experiment_ms(ax_store_read_i64(rows, 5)));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select key, value from experiment_tags where experiment_id = $1 order by key"),
        AX_STORE_PARAMS(ax_store_text(id)), &tags));
    AX_TRY(ax_experiment_show_pairs(tags, "tags", out));
    ax_json_end_object(out);
    return AX_OK;
}

static ax_status
show_one(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str sql, ax_str value,
         struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(experiments->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, sql, AX_STORE_PARAMS(ax_store_text(value)), &rows));
    bool found = ax_store_next(rows);
    ax_status status = found ? show_row(tx, ctx, rows, out) : AX_OK;
    ax_status end = ax_store_finish(rows);
    AX_TRY(status == AX_OK ? end : status);
    return found ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no such experiment");
}

ax_status
ax_experiment_show(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                   struct ax_json_writer *out)
{
    int64_t number;
    if (!ax_parse_i64(id, &number))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid experiment ID '%.*s'. Experiment ID must be a valid integer.",
                       AX_FMT(ax_experiment_cut(id, 100)));
    ax_status status = show_one(
        experiments, ctx, AX_STR("select " COLUMNS " from experiments r where r.id = $1"), id, out);
    return status == AX_NOT_FOUND ? no_experiment(ctx, id) : status;
}

ax_status
ax_experiment_show_named(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str name,
                         struct ax_json_writer *out)
{
    ax_status status =
        show_one(experiments, ctx,
                 AX_STR("select " COLUMNS " from experiments r where r.name = $1"), name, out);
    if (status != AX_NOT_FOUND)
        return status;
    return ax_fail(ctx, AX_NOT_FOUND, "Could not find experiment with name '%.*s'",
                   AX_FMT(ax_experiment_cut(name, 200)));
}

/* ---- searching ---- */

const char *
ax_experiment_view_sql(enum ax_experiment_view view)
{
    static const char *const words[] = {
        [AX_VIEW_ACTIVE] = " and r.lifecycle_stage = 'active'",
        [AX_VIEW_DELETED] = " and r.lifecycle_stage = 'deleted'",
        [AX_VIEW_ALL] = "",
    };
    return words[view];
}

static ax_status
put_search(struct ax_search_sql *sql, const struct ax_experiment_search *search)
{
    struct ax_ctx *ctx = sql->ctx;
    struct ax_experiment_search_parts parts;
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_EXPERIMENTS, search, &parts));
    ax_search_sql_add(sql, "select " COLUMNS " from experiments r where 1 = 1");
    ax_search_sql_add(sql, ax_experiment_view_sql(search->view));
    ax_search_sql_where(sql, AX_SEARCH_EXPERIMENTS, &parts.clauses);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, &parts.orders);
    ax_search_sql_add(sql, parts.orders.count == 0
                               ? "r.created_ns / 1000000 desc, cast(r.id as bigint) asc"
                               : "cast(r.id as bigint) desc");
    ax_search_sql_page(sql, search->results_max + 1, parts.offset);
    return AX_OK;
}

ax_status
ax_experiments_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
                      const struct ax_experiment_search *search, struct ax_json_writer *out)
{
    struct ax_store *store = experiments->config.store;
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, ax_store_dialect(store));
    AX_TRY(put_search(&sql, search));
    return ax_experiment_search_show(store, &sql, search, "experiments", show_row, out);
}

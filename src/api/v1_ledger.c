/* /api/v1/ledger: the signed checkpoint, the tiles anybody may read, facts, backups, reloads. */
#include "api/route.h"
#include "base/number.h"
#include "event/merkle.h"
#include "sys/file.h"

enum { FACTS_MAX = 1000, TILE_BYTES_MAX = 32 << 20 };

static void
answer_text(struct ax_call *call, ax_str text)
{
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/plain; charset=utf-8"));
    ax_writer_bytes(ax_exchange_body(call->exchange), text);
}

static ax_status
checkpoint(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str note, fresh;
    AX_TRY(ax_call_query(call, ctx, "fresh", &fresh));
    if (ax_str_eq(fresh, AX_STR("true"))) { /* over everything there is by now */
        AX_TRY(call->services->host.settle(call->services->host.arg, ctx));
        AX_TRY(ax_ledger_publish(call->services->ledger, ctx));
    }
    AX_TRY(ax_ledger_checkpoint(call->services->ledger, ctx, &note));
    answer_text(call, note);
    return AX_OK;
}

static ax_status
verifier_key(struct ax_call *call, struct ax_ctx *)
{
    answer_text(call, ax_ledger_vkey(call->services->ledger));
    ax_writer_char(ax_exchange_body(call->exchange), '\n');
    return AX_OK;
}

/* Only digits, "x", "p", "entries", dots and slashes are in a tile's path: no way out of the
 * folder. */
static bool
tile_path_ok(ax_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];
        bool letter = c >= 'a' && c <= 'z';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '/' && c != '.')
            return false;
    }
    return path.len > 0 && path.at[0] != '/' && ax_str_find(path, AX_STR("..")) == SIZE_MAX;
}

static ax_status
tile(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str rest = call->parameters[0], bytes;
    if (!tile_path_ok(rest))
        return ax_fail(ctx, AX_NOT_FOUND, "no such tile");
    ax_str path = ax_str_printf(ctx->arena, "%.*s/tile/%.*s", AX_FMT(call->services->ledger_folder),
                                AX_FMT(rest));
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    ax_status status = ax_file_read_all(ctx, path, TILE_BYTES_MAX, &bytes);
    if (status != AX_OK)
        return ax_fail(ctx, AX_NOT_FOUND, "no tile \"%.*s\"", AX_FMT(rest));
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("application/octet-stream"));
    ax_writer_bytes(ax_exchange_body(call->exchange), bytes);
    return AX_OK;
}

/* ---- facts ---- */

static ax_status
show_fact(struct ax_ctx *ctx, uint64_t index, ax_str leaf, struct ax_json_writer *json)
{
    struct ax_event event;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_event_read(ctx, leaf, &event));
    ax_json_begin_object(json);
    ax_json_member_i64(json, "index", (int64_t)index);
    ax_json_member_text(json, "leaf_hash", ax_digest_hex(ax_merkle_leaf(leaf), hex));
    ax_json_key(json, "fact");
    ax_event_show(&event, json);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
query_number(struct ax_call *call, struct ax_ctx *ctx, const char *name, int64_t *out)
{
    ax_str text;
    AX_TRY(ax_call_query(call, ctx, name, &text));
    if (text.len && (!ax_parse_i64(text, out) || *out < 0))
        return ax_fail(ctx, AX_INVALID, "`%s` must be a number from 0 on, not \"%.*s\"", name,
                       AX_FMT(text));
    return AX_OK;
}

static ax_status
facts(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t from = 0, count = 100;
    ax_str *leaves;
    size_t found;
    AX_TRY(query_number(call, ctx, "from", &from));
    AX_TRY(query_number(call, ctx, "count", &count));
    if (count > FACTS_MAX)
        return ax_fail(ctx, AX_INVALID, "`count` is %lld; at most %d are given at once",
                       (long long)count, FACTS_MAX);
    AX_TRY(ax_ledger_read_many(call->services->ledger, ctx, (uint64_t)from, (size_t)count, &leaves,
                               &found));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_i64(json, "size", (int64_t)ax_ledger_size(call->services->ledger));
    ax_json_key(json, "facts");
    ax_json_begin_array(json);
    for (size_t i = 0; i < found; i++)
        AX_TRY(show_fact(ctx, (uint64_t)from + i, leaves[i], json));
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
fact(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t index;
    ax_str leaf;
    AX_TRY(ax_call_number(call, ctx, 0, &index));
    AX_TRY(ax_ledger_read(call->services->ledger, ctx, (uint64_t)index, &leaf));
    return show_fact(ctx, (uint64_t)index, leaf, ax_call_json(call));
}

static ax_status
fact_proof(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t index;
    ax_str proof;
    AX_TRY(ax_call_number(call, ctx, 0, &index));
    AX_TRY(ax_ledger_prove(call->services->ledger, ctx, (uint64_t)index, &proof));
    answer_text(call, proof);
    return AX_OK;
}

static ax_status
status(struct ax_call *call, struct ax_ctx *)
{
    struct ax_ledger_stats stats;
    ax_ledger_stats(call->services->ledger, &stats);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_i64(json, "size", (int64_t)stats.size);
    ax_json_member_i64(json, "signed_size", (int64_t)stats.signed_size);
    ax_json_member_i64(json, "queued", (int64_t)stats.queued);
    ax_json_member_i64(json, "batches", (int64_t)stats.batches);
    ax_json_member_f64(json, "last_sync_ms", (double)stats.sync_ns / 1e6);
    ax_json_member_i64(json, "log_bytes", (int64_t)stats.log_bytes);
    ax_json_member_i64(json, "disk_free_bytes", (int64_t)stats.disk_free_bytes);
    ax_json_member_i64(json, "torn_bytes", (int64_t)stats.torn_bytes);
    ax_json_member_bool(json, "failed", stats.failed);
    ax_json_member_bool(json, "reserve_reached", stats.reserved);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
backup(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_str folder;
    AX_TRY(ax_json_need_text(ctx, call->body, "folder", &folder));
    return host->backup(host->arg, ctx, folder, ax_call_json(call));
}

static ax_status
reload(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    return host->reload(host->arg, ctx, ax_call_json(call));
}

#define PUBLIC(path, fn, summary)                                                                  \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_PUBLIC, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, fn, summary \
    }
#define AUDIT(path, fn, summary)                                                                   \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_AUDIT, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, fn, summary  \
    }

static const struct ax_route routes[] = {
    PUBLIC("/api/v1/ledger/checkpoint", checkpoint, "The newest signed checkpoint"),
    PUBLIC("/api/v1/ledger/vkey", verifier_key, "The key that checkpoints are verified with"),
    AUDIT("/api/v1/ledger/tile/{path*}", tile, "Tiles and entry bundles as in C2SP tlog-tiles"),
    AUDIT("/api/v1/ledger/facts", facts, "Facts in their order"),
    AUDIT("/api/v1/ledger/facts/{index}", fact, "One fact"),
    AUDIT("/api/v1/ledger/facts/{index}/proof", fact_proof, "A proof that a fact is in the log"),
    AUDIT("/api/v1/ledger/status", status, "Sizes and state of the ledger"),
    {AX_HTTP_POST, "/api/v1/backups", AX_PERMISSION_OPERATE, AX_ROUTE_WORKER, AX_ROUTE_JSON, 0,
     backup, "Copies store, ledger and blobs as one consistent point"},
    {AX_HTTP_POST, "/api/v1/reload", AX_PERMISSION_OPERATE, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0,
     reload, "Reads settings and certificates again, without dropping a connection"},
};

const struct ax_route_table ax_v1_ledger_table = {routes, AX_COUNT_OF(routes), true,
                                                  false,  ax_problem_refuse,   AX_DIALECT_AXIOM};

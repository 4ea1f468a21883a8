/* Where artifacts are: what clients say, made into a folder of this machine and a path in it.
 */
#include "codec/text.h"
#include "mlops/artifacts_parts.h"

enum { PATH_BYTES_MAX = 2048 };

static ax_status
invalid_path(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_INVALID, "Invalid path");
}

static bool
has_forbidden(ax_str path)
{
    bool found = path.len > PATH_BYTES_MAX || ax_str_starts(path, AX_STR("/")) || !ax_utf8_ok(path);
    for (size_t i = 0; !found && i < path.len; i++)
        found = path.at[i] == '#' || path.at[i] == '\0' || path.at[i] == '\\';
    return found;
}

ax_status
ax_artifacts_check_path(struct ax_ctx *ctx, ax_str path, ax_str *out_path)
{
    ax_status status = ax_percent_decode_all(ctx, path, &path);
    if (status != AX_OK)
        return status == AX_INVALID ? invalid_path(ctx) : status;
    char *room = ax_arena_alloc(ctx->arena, 1, path.len + 1);
    ax_str rest = path, part;
    size_t len = 0;
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    if (has_forbidden(path))
        return invalid_path(ctx);
    while (ax_str_cut(&rest, '/', &part)) {
        bool blobs = len == 0 && ax_str_eq(part, AX_STR(AX_ARTIFACTS_BLOBS));
        if (blobs || ax_str_eq(part, AX_STR("..")))
            return invalid_path(ctx);
        if (part.len == 0 || ax_str_eq(part, AX_STR(".")))
            continue;
        if (len > 0)
            room[len++] = '/';
        memcpy(room + len, part.at, part.len);
        len += part.len;
    }
    *out_path = (ax_str){room, len};
    return AX_OK;
}

/* "file:///tmp/x" and "/tmp/x" as "/tmp/x"; at is NULL for another URI. */
static ax_str
local_path(ax_str uri)
{
    if (ax_str_starts(uri, AX_STR("file:")))
        uri = ax_str_from(uri, 5);
    while (ax_str_starts(uri, AX_STR("//")))
        uri = ax_str_from(uri, 1);
    return ax_str_starts(uri, AX_STR("/")) ? uri : (ax_str){};
}

ax_status
ax_artifacts_join(struct ax_ctx *ctx, ax_str base, ax_str path, ax_str *out)
{
    *out = path.len == 0 ? base : base.len == 0 ? path : ax_path_join(ctx->arena, base, path);
    return out->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

ax_status
ax_artifacts_at(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                struct ax_artifacts_place *out_place)
{
    out_place->folder = artifacts->config.folder;
    out_place->is_proxied = true;
    return ax_artifacts_check_path(ctx, path, &out_place->path);
}

/*
 * Behind "mlflow-artifacts:", without the name of a host, or behind the way to it over HTTP where
 * that is the default root; at is NULL for another place.
 */
static ax_str
proxied_path(ax_str root, ax_str uri)
{
    ax_str scheme = AX_STR(AX_ARTIFACTS_SCHEME), route = AX_STR(AX_ARTIFACTS_ROUTE);
    size_t at = ax_str_starts(uri, root) ? ax_str_find(root, route) : SIZE_MAX;
    ax_str rest = ax_str_from(uri, at == SIZE_MAX ? scheme.len : at + route.len), host;
    if (at == SIZE_MAX && !ax_str_starts(uri, scheme))
        return (ax_str){};
    if (at == SIZE_MAX && ax_str_starts(rest, AX_STR("//"))) {
        rest = ax_str_from(rest, 2);
        (void)ax_str_cut(&rest, '/', &host);
        return rest.at ? rest : AX_STR("");
    }
    if (ax_str_starts(rest, AX_STR("/")))
        return ax_str_from(rest, 1);
    return at == SIZE_MAX || rest.len == 0 ? rest : (ax_str){};
}

bool
ax_artifacts_are_proxied(const struct ax_artifacts *artifacts, ax_str uri)
{
    return proxied_path(artifacts->config.default_root, uri).at;
}

ax_status
ax_artifacts_find(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str uri, ax_str path,
                  struct ax_artifacts_place *out_place)
{
    ax_str base = proxied_path(artifacts->config.default_root, uri), below;
    ax_str root = local_path(artifacts->config.default_root), own = local_path(uri);
    AX_TRY(ax_artifacts_check_path(ctx, path, &below));
    if (base.at) {
        AX_TRY(ax_artifacts_check_path(ctx, base, &base));
        out_place->folder = artifacts->config.folder;
        out_place->is_proxied = true;
        return ax_artifacts_join(ctx, base, below, &out_place->path);
    }
    bool inside = root.len > 1 && own.at && ax_str_starts(own, root) &&
                  (own.len == root.len || own.at[root.len] == '/') &&
                  ax_str_find(own, AX_STR("..")) == SIZE_MAX;
    if (!inside)
        return ax_fail(ctx, AX_INVALID,
                       "the artifacts are at %.*s: this server does not read them there",
                       AX_FMT(uri));
    *out_place = (struct ax_artifacts_place){.folder = own, .path = below};
    return AX_OK;
}

ax_status
ax_artifacts_put_below(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                       const struct ax_artifacts_place *place, ax_str bytes)
{
    ax_str file;
    if (place->is_proxied)
        return ax_artifacts_put(artifacts, ctx, place->path, bytes);
    if (place->path.len == 0)
        return invalid_path(ctx);
    AX_TRY(ax_artifacts_join(ctx, place->folder, place->path, &file));
    AX_TRY(ax_file_make_folders(ctx, ax_path_folder(file)));
    return ax_file_write_atomic(ctx, file, bytes);
}

#include "mlops/artifacts.h"

#include "base/alloc.h"
#include "base/array.h"
#include "codec/text.h"
#include "mlops/artifacts_parts.h"
#include "sys/clock.h"

enum { ID_BYTES = 16, PIECE_BYTES = 256 << 10 };

/* How long a file counts as checked that nobody has touched. */
#define CHECKED_NS (10 * 60 * 1'000'000'000LL)

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for artifacts");
}

/* ---- opening ---- */

static ax_status
parts_folder(const struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id, ax_str *out)
{
    *out = ax_str_printf(ctx->arena, "%.*s/" AX_ARTIFACTS_BLOBS "/parts%s%.*s",
                         AX_FMT(artifacts->config.folder), id.len ? "/" : "", AX_FMT(id));
    return out->at ? AX_OK : no_memory(ctx);
}

ax_status
ax_artifacts_open(struct ax_ctx *ctx, const struct ax_artifacts_config *config,
                  struct ax_artifacts **out_artifacts)
{
    ax_auto(ax_artifacts_close) struct ax_artifacts *artifacts = ax_alloc(sizeof *artifacts, 1);
    ax_str parts;
    if (!artifacts) {
        ax_blob_close(config->blob);
        return no_memory(ctx);
    }
    artifacts->config = *config;
    ax_mutex_init(&artifacts->mutex);
    AX_TRY(parts_folder(artifacts, ctx, AX_STR(""), &parts));
    AX_TRY(ax_file_remove_tree(ctx, parts));
    AX_TRY(ax_artifacts_unpin(artifacts, ctx));
    *out_artifacts = ax_take(artifacts);
    return AX_OK;
}

void
ax_artifacts_close(struct ax_artifacts *artifacts)
{
    ax_blob_close(artifacts->config.blob);
    ax_mutex_done(&artifacts->mutex);
    ax_free(artifacts);
}

/* ---- rows ---- */

/* The digest under a path; false when nobody uploaded it. */
static ax_status
read_digest(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path, ax_digest *out,
            bool *out_known)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select digest from artifact_files where path = $1"),
                          AX_STORE_PARAMS(ax_store_text(path)), &rows));
    ax_str hex = ax_store_next(rows) ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    *out_known = hex.len > 0;
    if (*out_known && !ax_digest_parse(hex, out))
        return ax_fail(ctx, AX_CORRUPT, "the digest of %.*s is damaged", AX_FMT(path));
    return AX_OK;
}

static ax_status
put_row(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path, ax_digest digest,
        uint64_t bytes)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into artifact_files (path, digest, bytes, created_ns) values ($1, $2, $3, "
               "$4) on conflict (path) do update set digest = excluded.digest, bytes = "
               "excluded.bytes, created_ns = excluded.created_ns"),
        AX_STORE_PARAMS(ax_store_text(path), ax_store_text(ax_digest_hex(digest, hex)),
                        ax_store_i64((int64_t)bytes), ax_store_i64(ax_clock_real_ns())),
        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
check_quota(struct ax_artifacts *artifacts, struct ax_ctx *ctx, uint64_t more)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t held, most = artifacts->config.bytes_max;
    if (most == 0)
        return AX_OK;
    AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select coalesce(sum(bytes), 0) from artifact_files"),
                            AX_STORE_NO_PARAMS, &held));
    if (more <= (uint64_t)most && held <= most - (int64_t)more)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "artifacts may hold %lld bytes together (tracking.artifact_bytes_max); %lld are "
                   "there and %llu would come",
                   (long long)most, (long long)held, (unsigned long long)more);
}

/* ---- in ---- */

static ax_status
new_id(struct ax_ctx *ctx, ax_str *out_id)
{
    char bytes[ID_BYTES];
    ax_writer_auto struct ax_writer hex = ax_writer_of(64);
    ax_random_bytes(bytes, sizeof bytes);
    ax_hex_encode((ax_str){bytes, sizeof bytes}, &hex);
    return ax_writer_take(&hex, ctx->arena, out_id) == AX_OK ? AX_OK : no_memory(ctx);
}

ax_status
ax_artifacts_put_in_place(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                          ax_digest digest)
{
    ax_str file, id, beside, folder;
    AX_TRY(ax_artifacts_join(ctx, artifacts->config.folder, path, &file));
    folder = ax_path_folder(file);
    AX_TRY(new_id(ctx, &id));
    beside = ax_str_printf(ctx->arena, "%.*s/" AX_ARTIFACTS_BLOBS "/incoming/%.*s",
                           AX_FMT(artifacts->config.folder), AX_FMT(id));
    if (!beside.at)
        return no_memory(ctx);
    if (ax_file_is_folder(file))
        return ax_fail(ctx, AX_INVALID, "%.*s is a folder", AX_FMT(path));
    if (ax_file_make_folders(ctx, folder) != AX_OK)
        return ax_fail(ctx, AX_INVALID,
                       "a folder of %.*s cannot be made: something else has its "
                       "name",
                       AX_FMT(path));
    AX_TRY(ax_blob_link(artifacts->config.blob, ctx, digest, beside));
    ax_status status = ax_file_rename(ctx, beside, file);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove(ctx, beside), "the next open removes it");
        memcpy(ctx->error, words, sizeof words);
        return status;
    }
    /* rename(2) of two names of one file does nothing and leaves both */
    if (ax_file_exists(beside))
        AX_TRY(ax_file_remove(ctx, beside));
    return ax_file_sync_folder(ctx, folder);
}

static ax_status
need_name(struct ax_ctx *ctx, ax_str path)
{
    return path.len > 0 ? AX_OK : ax_fail(ctx, AX_INVALID, "Invalid path");
}

/*
 * The bytes as a blob; one that is there already and sound stays as it is, so that its links go on
 * being links to it. (Somebody may have written through one of them.)
 */
static ax_status
keep(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str bytes, ax_digest *out_digest)
{
    *out_digest = ax_sha256(bytes);
    ax_status status = ax_blob_stream(artifacts->config.blob, ctx, *out_digest, NULL, NULL);
    if (status != AX_NOT_FOUND && status != AX_CORRUPT)
        return status;
    ctx->error[0] = '\0';
    return ax_blob_put(artifacts->config.blob, ctx, bytes, out_digest);
}

ax_status
ax_artifacts_put(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path, ax_str bytes)
{
    ax_digest digest;
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    AX_TRY(need_name(ctx, path));
    AX_TRY(check_quota(artifacts, ctx, bytes.len));
    AX_TRY(keep(artifacts, ctx, bytes, &digest));
    AX_TRY(ax_artifacts_put_in_place(artifacts, ctx, path, digest));
    return put_row(artifacts, ctx, path, digest, bytes.len);
}

/* ---- piece by piece ---- */

struct ax_artifacts_upload {
    struct ax_artifacts *artifacts;
    struct ax_blob_upload *blob; /* NULL once finished */
    ax_str path;                 /* behind it in memory */
    uint64_t bytes, checked_bytes;
};

/* The quota is looked at now and then, and at the end. */
enum { QUOTA_CHECK_BYTES = 64 << 20 };

ax_status
ax_artifacts_upload(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                    struct ax_artifacts_upload **out_upload)
{
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    AX_TRY(need_name(ctx, path));
    AX_TRY(check_quota(artifacts, ctx, 0));
    ax_auto(ax_artifacts_abandon) struct ax_artifacts_upload *upload =
        ax_alloc(sizeof *upload + path.len, 1);
    if (!upload)
        return no_memory(ctx);
    memcpy(upload + 1, path.at, path.len);
    upload->artifacts = artifacts;
    upload->path = (ax_str){(const char *)(upload + 1), path.len};
    AX_TRY(ax_blob_upload(artifacts->config.blob, ctx, &upload->blob));
    *out_upload = ax_take(upload);
    return AX_OK;
}

ax_status
ax_artifacts_write(struct ax_artifacts_upload *upload, struct ax_ctx *ctx, ax_str bytes)
{
    upload->bytes += bytes.len;
    if (upload->bytes - upload->checked_bytes >= QUOTA_CHECK_BYTES) {
        upload->checked_bytes = upload->bytes;
        AX_TRY(check_quota(upload->artifacts, ctx, upload->bytes));
    }
    return ax_blob_write(upload->blob, ctx, bytes);
}

ax_status
ax_artifacts_finish(struct ax_artifacts_upload *upload, struct ax_ctx *ctx)
{
    struct ax_artifacts *artifacts = upload->artifacts;
    ax_digest digest;
    AX_TRY(check_quota(artifacts, ctx, upload->bytes));
    struct ax_blob_upload *blob = upload->blob;
    upload->blob = NULL;
    AX_TRY(ax_blob_finish(blob, ctx, NULL, &digest));
    AX_TRY(ax_artifacts_put_in_place(artifacts, ctx, upload->path, digest));
    return put_row(artifacts, ctx, upload->path, digest, upload->bytes);
}

void
ax_artifacts_abandon(struct ax_artifacts_upload *upload)
{
    if (!upload)
        return;
    if (upload->blob)
        ax_blob_abandon(upload->blob);
    ax_free(upload);
}

/* ---- parts ---- */

static ax_status
check_id(struct ax_ctx *ctx, ax_str id)
{
    bool good = id.len == 2 * ID_BYTES;
    for (size_t i = 0; good && i < id.len; i++)
        good = (id.at[i] >= '0' && id.at[i] <= '9') || (id.at[i] >= 'a' && id.at[i] <= 'f');
    return good ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no such upload");
}

static ax_status
find_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id, ax_str *out_folder)
{
    AX_TRY(check_id(ctx, id));
    AX_TRY(parts_folder(artifacts, ctx, id, out_folder));
    return ax_file_is_folder(*out_folder) ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no such upload");
}

ax_status
ax_artifacts_begin_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str *out_id)
{
    ax_str folder;
    AX_TRY(new_id(ctx, out_id));
    AX_TRY(parts_folder(artifacts, ctx, *out_id, &folder));
    return ax_file_make_folders(ctx, folder);
}

static ax_status
part_file(struct ax_ctx *ctx, ax_str folder, int64_t number, ax_str *out)
{
    if (number < 1 || number > AX_ARTIFACTS_PARTS_MAX)
        return ax_fail(ctx, AX_INVALID, "parts are numbered from 1 to %d", AX_ARTIFACTS_PARTS_MAX);
    *out = ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(folder), (long long)number);
    return out->at ? AX_OK : no_memory(ctx);
}

ax_status
ax_artifacts_put_part(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id, int64_t number,
                      ax_str bytes, ax_digest *out_digest)
{
    ax_str folder, file;
    AX_TRY(find_parts(artifacts, ctx, id, &folder));
    AX_TRY(part_file(ctx, folder, number, &file));
    AX_TRY(check_quota(artifacts, ctx, bytes.len));
    *out_digest = ax_sha256(bytes);
    return ax_file_write_atomic(ctx, file, bytes);
}

static ax_status
append_file(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_str path, char *room,
            uint64_t *out_bytes)
{
    ax_file file = {-1};
    uint64_t bytes = 0;
    AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
    ax_status status = ax_file_size(ctx, file, &bytes);
    for (uint64_t at = 0; status == AX_OK && at < bytes;) {
        size_t len = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        status = ax_file_read_at(ctx, file, at, room, len);
        if (status == AX_OK)
            status = ax_blob_write(upload, ctx, (ax_str){room, len});
        at += len;
    }
    ax_file_close(&file);
    *out_bytes += bytes;
    return status;
}

/* Parts on their way into one blob. */
struct joining {
    ax_str folder;
    const int64_t *numbers;
    size_t count;
    uint64_t bytes;
};

static ax_status
join_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, struct joining *joining,
           ax_digest *out_digest)
{
    ax_auto(ax_blob_abandon) struct ax_blob_upload *upload = NULL;
    char *room = ax_arena_alloc(ctx->arena, 1, PIECE_BYTES);
    if (!room)
        return no_memory(ctx);
    AX_TRY(ax_blob_upload(artifacts->config.blob, ctx, &upload));
    for (size_t i = 0; i < joining->count; i++) {
        ax_str file;
        AX_TRY(part_file(ctx, joining->folder, joining->numbers[i], &file));
        ax_status status = append_file(upload, ctx, file, room, &joining->bytes);
        if (status == AX_NOT_FOUND)
            return ax_fail(ctx, AX_INVALID, "part %lld was not uploaded",
                           (long long)joining->numbers[i]);
        AX_TRY(status);
    }
    return ax_blob_finish(ax_take(upload), ctx, NULL, out_digest);
}

ax_status
ax_artifacts_complete_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id,
                            ax_str path, const int64_t *numbers, size_t count)
{
    struct joining joining = {.numbers = numbers, .count = count};
    ax_digest digest;
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    AX_TRY(need_name(ctx, path));
    AX_TRY(find_parts(artifacts, ctx, id, &joining.folder));
    AX_TRY(join_parts(artifacts, ctx, &joining, &digest));
    AX_TRY(ax_artifacts_put_in_place(artifacts, ctx, path, digest));
    AX_TRY(put_row(artifacts, ctx, path, digest, joining.bytes));
    return ax_file_remove_tree(ctx, joining.folder);
}

ax_status
ax_artifacts_abort_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id)
{
    ax_str folder;
    AX_TRY(find_parts(artifacts, ctx, id, &folder));
    return ax_file_remove_tree(ctx, folder);
}

/* ---- taking away ---- */

/* As substr counts. */
static size_t
chars_of(ax_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

struct digests {
    AX_ARRAY(ax_digest)
};

/* The rows of a path and below it, which are gone then; their digests. */
static ax_status
delete_rows(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path, struct digests *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_str below = ax_str_printf(ctx->arena, "%.*s/", AX_FMT(path));
    bool room = below.at != NULL;
    if (!room)
        return no_memory(ctx);
    AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(
        ax_store_query(tx, ctx,
                       AX_STR("delete from artifact_files where path = $1 or "
                              "substr(path, 1, cast($2 as integer)) = $3 returning digest"),
                       AX_STORE_PARAMS(ax_store_text(path), ax_store_i64((int64_t)chars_of(below)),
                                       ax_store_text(below)),
                       &rows));
    while (room && ax_store_next(rows)) {
        ax_digest *digest = AX_ARRAY_PUSH(ctx->arena, out);
        room = digest && ax_digest_parse(ax_store_read_text(rows, 0), digest);
    }
    AX_TRY(ax_store_finish(rows));
    return room ? ax_store_commit(ax_take(tx), ctx) : no_memory(ctx);
}

static ax_status
drop_unneeded(struct ax_artifacts *artifacts, struct ax_ctx *ctx, const struct digests *digests)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    for (size_t i = 0; i < digests->count; i++) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        int64_t needed;
        AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_READ, &tx));
        AX_TRY(ax_store_get_i64(
            tx, ctx, AX_STR("select count(*) from artifact_files where digest = $1"),
            AX_STORE_PARAMS(ax_store_text(ax_digest_hex(digests->items[i], hex))), &needed));
        if (needed > 0)
            continue;
        ax_status status = ax_blob_delete(artifacts->config.blob, ctx, digests->items[i]);
        if (status != AX_OK && status != AX_NOT_FOUND)
            return status;
        ctx->error[0] = '\0';
    }
    return AX_OK;
}

ax_status
ax_artifacts_delete(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path)
{
    struct digests digests = {};
    ax_str file;
    AX_TRY(ax_artifacts_check_path(ctx, path, &path));
    AX_TRY(need_name(ctx, path));
    AX_TRY(ax_artifacts_join(ctx, artifacts->config.folder, path, &file));
    AX_TRY(delete_rows(artifacts, ctx, path, &digests));
    if (ax_file_is_folder(file))
        AX_TRY(ax_file_remove_tree(ctx, file));
    else if (ax_file_exists(file))
        AX_TRY(ax_file_remove(ctx, file));
    return drop_unneeded(artifacts, ctx, &digests);
}

/* ---- out ---- */

static ax_status
open_file(struct ax_ctx *ctx, const struct ax_artifacts_place *place, ax_file *out)
{
    ax_str file;
    AX_TRY(ax_artifacts_join(ctx, place->folder, place->path, &file));
    ax_status status =
        ax_file_is_folder(file) ? AX_NOT_FOUND : ax_file_open(ctx, file, AX_FILE_READ, out);
    if (status != AX_NOT_FOUND)
        return status;
    return ax_fail(ctx, AX_NOT_FOUND, "No such artifact: '%.*s'", AX_FMT(place->path));
}

ax_status
ax_artifacts_size(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                  const struct ax_artifacts_place *place, uint64_t *out_bytes)
{
    ax_file file = {-1};
    (void)artifacts;
    AX_TRY(open_file(ctx, place, &file));
    ax_status status = ax_file_size(ctx, file, out_bytes);
    ax_file_close(&file);
    return status;
}

static ax_status
damaged(struct ax_ctx *ctx, const struct ax_artifacts_place *place)
{
    return ax_fail(ctx, AX_CORRUPT, "%.*s is damaged: its bytes have another digest than was put",
                   AX_FMT(place->path));
}

static ax_status
check_bytes(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
            const struct ax_artifacts_place *place, ax_str bytes)
{
    ax_digest digest;
    bool known = false;
    if (place->is_proxied)
        AX_TRY(read_digest(artifacts, ctx, place->path, &digest, &known));
    if (!known || ax_digest_eq(ax_sha256(bytes), digest))
        return AX_OK;
    return damaged(ctx, place);
}

ax_status
ax_artifacts_read(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                  const struct ax_artifacts_place *place, uint64_t offset, uint64_t len,
                  struct ax_writer *out)
{
    ax_file file = {-1};
    uint64_t bytes = 0;
    AX_TRY(open_file(ctx, place, &file));
    ax_status status = ax_file_size(ctx, file, &bytes);
    offset = offset < bytes ? offset : bytes;
    len = len < bytes - offset ? len : bytes - offset;
    char *room = status == AX_OK && len <= SIZE_MAX ? ax_writer_room(out, (size_t)len) : NULL;
    if (status == AX_OK && !room && len > 0)
        status = ax_fail(ctx, AX_INVALID,
                         "an artifact of %llu bytes is more than one answer holds; ask for it in "
                         "ranges (MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=true)",
                         (unsigned long long)len);
    if (status == AX_OK && len > 0)
        status = ax_file_read_at(ctx, file, offset, room, (size_t)len);
    ax_file_close(&file);
    if (status == AX_OK && len == bytes)
        status = check_bytes(artifacts, ctx, place, (ax_str){room ? room : "", (size_t)len});
    return status;
}

/* Whether the file was found to have this digest lately. */
static bool
was_checked(struct ax_artifacts *artifacts, const struct ax_file_stamp *stamp, ax_digest digest)
{
    ax_mutex_lock(&artifacts->mutex);
    const struct ax_artifacts_checked *checked =
        &artifacts->checked[stamp->inode % AX_ARTIFACTS_CHECKED_FILES];
    const struct ax_file_stamp *known = &checked->stamp;
    bool so = ax_clock_left_ns(checked->until_ns) > 0 && known->device == stamp->device &&
              known->inode == stamp->inode && known->bytes == stamp->bytes &&
              known->changed_ns == stamp->changed_ns && ax_digest_eq(checked->digest, digest);
    ax_mutex_unlock(&artifacts->mutex);
    return so;
}

static void
note_checked(struct ax_artifacts *artifacts, const struct ax_file_stamp *stamp, ax_digest digest)
{
    ax_mutex_lock(&artifacts->mutex);
    artifacts->checked[stamp->inode % AX_ARTIFACTS_CHECKED_FILES] =
        (struct ax_artifacts_checked){*stamp, digest, ax_clock_monotonic_ns() + CHECKED_NS};
    ax_mutex_unlock(&artifacts->mutex);
}

static ax_status
digest_of_file(struct ax_ctx *ctx, ax_file file, uint64_t bytes, ax_digest *out)
{
    char *room = ax_arena_alloc(ctx->arena, 1, PIECE_BYTES);
    struct ax_sha256 *hash = room ? ax_sha256_new() : NULL;
    ax_status status = hash ? AX_OK : no_memory(ctx);
    for (uint64_t at = 0; status == AX_OK && at < bytes;) {
        size_t len = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        status = ax_file_read_at(ctx, file, at, room, len);
        if (status == AX_OK)
            ax_sha256_add(hash, (ax_str){room, len});
        at += len;
    }
    if (hash)
        *out = ax_sha256_finish(hash);
    return status;
}

static ax_status
check_file(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
           const struct ax_artifacts_place *place, ax_file file)
{
    struct ax_file_stamp before, after;
    ax_digest wanted, digest;
    bool known = false;
    if (place->is_proxied)
        AX_TRY(read_digest(artifacts, ctx, place->path, &wanted, &known));
    if (!known)
        return AX_OK;
    AX_TRY(ax_file_stamp(ctx, file, &before));
    if (was_checked(artifacts, &before, wanted))
        return AX_OK;
    AX_TRY(digest_of_file(ctx, file, before.bytes, &digest));
    if (!ax_digest_eq(digest, wanted))
        return damaged(ctx, place);
    AX_TRY(ax_file_stamp(ctx, file, &after));
    if (after.changed_ns == before.changed_ns)
        note_checked(artifacts, &after, digest);
    return AX_OK;
}

ax_status
ax_artifacts_open_file(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                       const struct ax_artifacts_place *place, bool whole, ax_file *out_file)
{
    ax_file file = {-1};
    AX_TRY(open_file(ctx, place, &file));
    ax_status status = whole ? check_file(artifacts, ctx, place, file) : AX_OK;
    if (status == AX_OK)
        *out_file = file;
    else
        ax_file_close(&file);
    return status;
}

static ax_status
list_entry(struct ax_ctx *ctx, ax_str folder, ax_str prefix, ax_str name,
           struct ax_json_writer *out)
{
    ax_file file = {-1};
    uint64_t bytes = 0;
    ax_str path = ax_path_join(ctx->arena, folder, name);
    ax_str shown = ax_str_printf(ctx->arena, "%.*s%.*s", AX_FMT(prefix), AX_FMT(name));
    if (!path.at || !shown.at)
        return no_memory(ctx);
    bool is_folder = ax_file_is_folder(path);
    if (!is_folder) {
        AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
        ax_status status = ax_file_size(ctx, file, &bytes);
        ax_file_close(&file);
        AX_TRY(status);
    }
    ax_json_begin_object(out);
    ax_json_member_text(out, "path", shown);
    ax_json_member_bool(out, "is_dir", is_folder);
    if (!is_folder)
        ax_json_member_i64(out, "file_size", (int64_t)bytes);
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_artifacts_list(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                  const struct ax_artifacts_place *place, ax_str prefix, struct ax_json_writer *out)
{
    ax_str folder, *names;
    size_t count = 0, shown = 0;
    (void)artifacts;
    AX_TRY(ax_artifacts_join(ctx, place->folder, place->path, &folder));
    if (!ax_file_is_folder(folder))
        return AX_OK;
    AX_TRY(ax_file_list(ctx, folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (place->is_proxied && place->path.len == 0 &&
            ax_str_eq(names[i], AX_STR(AX_ARTIFACTS_BLOBS)))
            continue;
        if (shown++ == 0) {
            ax_json_key(out, "files");
            ax_json_begin_array(out);
        }
        AX_TRY(list_entry(ctx, folder, prefix, names[i], out));
    }
    if (shown > 0)
        ax_json_end_array(out);
    return AX_OK;
}

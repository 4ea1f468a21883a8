#include "server/backup.h"

#include "event/outbox.h"
#include "server/adapters.h"
#include "sys/clock.h"
#include "verify/verify.h"

enum { SCRATCH_BYTES_MAX = 1 << 20, BLOBS_AT_ONCE = 256, TRIES_MAX = 20, TREE_DEPTH_MAX = 16 };

/* What was copied. */
struct copied {
    ax_str checkpoint;
    uint64_t blobs, artifacts;
    ax_str pins; /* of artifacts, as they were at that point; at is NULL without any */
};

static ax_status
place(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str *out_path)
{
    *out_path = ax_path_join(ctx->arena, folder, ax_str_of(name));
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* A file that may be absent; its bytes are held only meanwhile. */
static ax_status
copy_file(struct ax_ctx *ctx, ax_str from, ax_str to)
{
    ax_str bytes;
    if (!ax_file_exists(from))
        return AX_OK;
    AX_TRY(ax_file_map(ctx, from, &bytes));
    ax_status status = ax_file_write_atomic(ctx, to, bytes);
    ax_file_unmap(bytes);
    return status;
}

/* A folder with all in it; one that is absent becomes an empty one. */
static ax_status
copy_tree(struct ax_ctx *ctx, ax_str from, ax_str to, int depth)
{
    ax_str *names;
    size_t count = 0;
    if (depth == TREE_DEPTH_MAX)
        return ax_fail(ctx, AX_LIMIT, "%.*s is nested too deeply", AX_FMT(from));
    AX_TRY(ax_file_make_folders(ctx, to));
    if (ax_file_exists(from))
        AX_TRY(ax_file_list(ctx, from, &names, &count));
    for (size_t i = 0; i < count; i++) {
        ax_str source = ax_path_join(ctx->arena, from, names[i]);
        ax_str target = ax_path_join(ctx->arena, to, names[i]), *inside;
        size_t inside_count;
        if (!source.at || !target.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for a path");
        bool folder = ax_file_list(ctx, source, &inside, &inside_count) == AX_OK;
        AX_TRY(folder ? copy_tree(ctx, source, target, depth + 1) : copy_file(ctx, source, target));
    }
    return AX_OK;
}

static ax_status
write_blob(void *upload, struct ax_ctx *ctx, ax_str piece)
{
    return ax_blob_write(upload, ctx, piece);
}

/* Piece by piece, and only as what its name says. */
static ax_status
copy_blob(struct ax_ctx *ctx, struct ax_blob *from, struct ax_blob *to, ax_digest digest)
{
    ax_auto(ax_blob_abandon) struct ax_blob_upload *upload = NULL;
    ax_digest put;
    AX_TRY(ax_blob_upload(to, ctx, &upload));
    AX_TRY(ax_blob_stream(from, ctx, digest, write_blob, upload));
    return ax_blob_finish(ax_take(upload), ctx, &digest, &put);
}

/* Verified on the way: a blob that is damaged is not copied silently. */
static ax_status
copy_blobs(struct ax_ctx *ctx, struct ax_blob *from, ax_str folder, uint64_t *out_count)
{
    ax_auto(ax_blob_close) struct ax_blob *to = NULL;
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    ax_digest last, *digests;
    size_t count = BLOBS_AT_ONCE;
    bool first = true;
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to copy blobs");
    AX_TRY(ax_adapters_blob(ctx, folder, &to));
    *out_count = 0;
    while (count == BLOBS_AT_ONCE) {
        AX_TRY(ax_blob_list(from, ctx, first ? NULL : &last, BLOBS_AT_ONCE, &digests, &count));
        for (size_t i = 0; i < count; i++) {
            struct ax_arena *outer = ctx->arena;
            ctx->arena = scratch;
            ax_status status = copy_blob(ctx, from, to, digests[i]);
            ctx->arena = outer;
            ax_arena_reset(scratch);
            AX_TRY(status);
            last = digests[i];
        }
        first = false;
        *out_count += count;
    }
    return AX_OK;
}

static ax_status
copy_blobs_of(struct ax_ctx *ctx, ax_str from_folder, ax_str folder, uint64_t *out_count)
{
    ax_auto(ax_blob_close) struct ax_blob *from = NULL;
    AX_TRY(ax_adapters_blob(ctx, from_folder, &from));
    return copy_blobs(ctx, from, folder, out_count);
}

/* Whether uploads lie in the data directory: those in a folder of their own are copied with it. */
static bool
has_own_artifacts(const struct ax_services *services)
{
    return services->artifacts && services->settings.tracking.artifact_folder.len == 0;
}

/*
 * Store and ledger at one point: while this transaction is open nothing changes, and the outbox
 * was empty when it began, so every change in the store's copy has its fact in the ledger's.
 */
static ax_status
copy_point(struct ax_services *services, struct ax_ctx *ctx, ax_str folder, struct copied *out)
{
    ax_str ledger, store;
    AX_TRY(place(ctx, folder, "ledger", &ledger));
    AX_TRY(place(ctx, folder, ax_adapters_copy_name(&services->settings), &store));
    AX_TRY(ax_store_backup(services->store, ctx, store));
    if (has_own_artifacts(services))
        AX_TRY(ax_artifacts_pin(services->artifacts, ctx, &out->pins));
    return ax_ledger_backup(services->ledger, ctx, ledger, &out->checkpoint);
}

static ax_status
copy_when_quiet(struct ax_services *services, struct ax_ctx *ctx, ax_str folder, struct copied *out)
{
    for (int try = 0; try < TRIES_MAX; try++) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        uint64_t waiting;
        AX_TRY(ax_services_settle(services, ctx));
        AX_TRY(ax_store_begin(services->store, ctx, AX_STORE_WRITE, &tx));
        AX_TRY(ax_outbox_waiting(services->store, ctx, &waiting));
        if (waiting == 0)
            return copy_point(services, ctx, folder, out);
    }
    return ax_fail(ctx, AX_CONFLICT, "changes come faster than they are recorded; try again");
}

static ax_status
write_note(struct ax_ctx *ctx, ax_str folder, const struct copied *copied,
           struct ax_json_writer *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    char time[AX_CLOCK_TEXT_BYTES];
    ax_str path;
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_backup", 1);
    ax_json_member_text(&json, "folder", folder);
    ax_json_member_text(&json, "made", ax_clock_format(ax_clock_real_ns(), time));
    ax_json_member_text(&json, "checkpoint", copied->checkpoint);
    ax_json_member_i64(&json, "blobs", (int64_t)copied->blobs);
    ax_json_member_i64(&json, "artifacts", (int64_t)copied->artifacts);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a note on the backup");
    AX_TRY(place(ctx, folder, "backup.json", &path));
    AX_TRY(ax_file_write_atomic(ctx, path, ax_writer_str(&text)));
    ax_json_put_raw(out, ax_writer_str(&text));
    return AX_OK;
}

static ax_status
note_fact(struct ax_services *services, struct ax_ctx *ctx, enum ax_event_kind kind)
{
    const struct ax_event event = {
        .kind = kind,
        .producer = AX_STR("server"),
        .actor = ctx->actor ? ctx->actor->id : AX_STR("server"),
        .object = services->settings.general.origin,
        .build_id = services->build_id,
    };
    return ax_ledger_append(services->ledger, ctx, &event, AX_STR(""), NULL);
}

static ax_status
copy_all(struct ax_services *services, struct ax_ctx *ctx, ax_str folder, struct copied *out)
{
    ax_str settings, latches, protected, blobs, artifacts;
    AX_TRY(place(ctx, folder, "axiom.yaml", &settings));
    AX_TRY(place(ctx, folder, "latches.json", &latches));
    AX_TRY(place(ctx, folder, "protected", &protected));
    AX_TRY(place(ctx, folder, "blobs", &blobs));
    AX_TRY(place(ctx, folder, "artifacts", &artifacts));
    AX_TRY(copy_when_quiet(services, ctx, folder, out));
    AX_TRY(copy_file(ctx, services->dir.settings, settings));
    AX_TRY(copy_file(ctx, services->dir.latches, latches));
    AX_TRY(copy_tree(ctx, services->dir.protected, protected, 0));
    AX_TRY(copy_blobs(ctx, services->blob, blobs, &out->blobs));
    return out->pins.at ? copy_blobs_of(ctx, out->pins, artifacts, &out->artifacts) : AX_OK;
}

ax_status
ax_backup(struct ax_services *services, struct ax_ctx *ctx, ax_str folder,
          struct ax_json_writer *out)
{
    struct copied copied = {};
    if (!services->store)
        return ax_fail(ctx, AX_UNAVAILABLE, "the database is away");
    if (folder.len == 0 || folder.at[0] != '/')
        return ax_fail(ctx, AX_INVALID, "`folder` must be an absolute path, not \"%.*s\"",
                       AX_FMT(folder));
    if (ax_file_exists(folder))
        return ax_fail(ctx, AX_CONFLICT, "%.*s exists already", AX_FMT(folder));
    AX_TRY(ax_file_make_folders(ctx, folder));
    ax_status status = copy_all(services, ctx, folder, &copied);
    if (copied.pins.at && status == AX_OK)
        status = ax_artifacts_unpin(services->artifacts, ctx);
    if (status == AX_OK)
        status = write_note(ctx, folder, &copied, out);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove_tree(ctx, folder), "what is left of a failed copy is no backup");
        if (copied.pins.at)
            ax_ignore(ax_file_remove_tree(ctx, copied.pins), "the next start removes it");
        memcpy(ctx->error, words, sizeof words);
        return status;
    }
    return note_fact(services, ctx, AX_EVENT_BACKUP);
}

/* ---- the way back ---- */

static ax_status
prove_ledger(struct ax_ctx *ctx, const struct ax_restore *restore, ax_str folder)
{
    ax_str vkey, checkpoint = AX_STR(""), path;
    struct ax_verify_report report;
    AX_TRY(place(ctx, restore->keys, "ledger.vkey", &path));
    AX_TRY(ax_file_read_all(ctx, path, 4096, &vkey));
    if (restore->checkpoint.len)
        AX_TRY(ax_file_read_all(ctx, restore->checkpoint, 64 << 10, &checkpoint));
    ax_status status = ax_verify_log(ctx, folder, ax_str_trim(vkey), checkpoint, &report);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "the ledger of the backup");
}

/* The database stands where the restored axiom.yaml says, which is never where it stood before. */
static ax_status
bring_back_store(struct ax_ctx *ctx, const struct ax_restore *restore,
                 const struct ax_data_dir *dir)
{
    struct ax_server_settings settings;
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_server_settings_defaults(&settings);
    settings.database.url = restore->store_url.len ? restore->store_url : AX_STR("");
    AX_TRY(ax_adapters_restore_store(ctx, dir, &settings, restore->backup));
    if (restore->store_url.len)
        AX_TRY(ax_data_dir_set_store(ctx, dir, restore->store_url));
    AX_TRY(ax_adapters_store(ctx, dir, &settings, true, &store));
    return ax_store_check(store, ctx);
}

/* The blobs; their files follow when the directory is opened. Older backups have none. */
static ax_status
bring_back_artifacts(struct ax_ctx *ctx, const struct ax_restore *restore,
                     const struct ax_data_dir *dir)
{
    ax_str path, blobs = ax_path_join(ctx->arena, dir->artifacts, AX_STR(AX_ARTIFACTS_BLOBS));
    uint64_t count;
    if (!blobs.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(place(ctx, restore->backup, "artifacts", &path));
    return ax_file_is_folder(path) ? copy_blobs_of(ctx, path, blobs, &count) : AX_OK;
}

static ax_status
rebuild_artifacts(struct ax_ctx *ctx, const struct ax_restore *restore,
                  const struct ax_services *services)
{
    ax_str path;
    uint64_t count;
    AX_TRY(place(ctx, restore->backup, "artifacts", &path));
    return ax_file_is_folder(path) && has_own_artifacts(services)
               ? ax_artifacts_rebuild(services->artifacts, ctx, &count)
               : AX_OK;
}

static ax_status
bring_back(struct ax_ctx *ctx, const struct ax_restore *restore, const struct ax_data_dir *dir,
           struct ax_json_writer *out)
{
    ax_auto(ax_blob_close) struct ax_blob *blobs = NULL;
    ax_str path;
    uint64_t count;
    const struct {
        const char *name;
        ax_str to;
    } files[] = {{"axiom.yaml", dir->settings}, {"latches.json", dir->latches}};
    const ax_str folders[] = {dir->root, dir->serving, dir->index, dir->scratch};
    for (size_t i = 0; i < AX_COUNT_OF(folders); i++)
        AX_TRY(ax_file_make_folders(ctx, folders[i]));
    AX_TRY(place(ctx, restore->backup, "ledger", &path));
    AX_TRY(copy_tree(ctx, path, dir->ledger, 0));
    AX_TRY(prove_ledger(ctx, restore, dir->ledger));
    for (size_t i = 0; i < AX_COUNT_OF(files); i++) {
        AX_TRY(place(ctx, restore->backup, files[i].name, &path));
        AX_TRY(copy_file(ctx, path, files[i].to));
    }
    AX_TRY(bring_back_store(ctx, restore, dir));
    AX_TRY(place(ctx, restore->backup, "protected", &path));
    AX_TRY(copy_tree(ctx, path, dir->protected, 0));
    AX_TRY(place(ctx, restore->backup, "blobs", &path));
    AX_TRY(ax_adapters_blob(ctx, path, &blobs));
    AX_TRY(copy_blobs(ctx, blobs, dir->blobs, &count));
    AX_TRY(bring_back_artifacts(ctx, restore, dir));
    ax_json_begin_object(out);
    ax_json_member_text(out, "restored", dir->root);
    ax_json_member_i64(out, "blobs", (int64_t)count);
    ax_json_member_bool(out, "against_checkpoint", restore->checkpoint.len > 0);
    ax_json_end_object(out);
    return AX_OK;
}

/* The restored directory opens, and says in its ledger that it was restored. */
static ax_status
open_once(struct ax_ctx *ctx, const struct ax_restore *restore)
{
    struct ax_services services = {};
    ax_server_settings_defaults(&services.settings);
    AX_TRY(ax_data_dir_of(ctx, restore->root, restore->keys, &services.dir));
    AX_TRY(ax_data_dir_hold(ctx, &services.dir));
    ax_status status = ax_server_settings_read(ctx, &services.settings, services.dir.settings);
    if (status != AX_OK) {
        ax_data_dir_release(&services.dir);
        return status;
    }
    AX_TRY(ax_services_open(ctx, &services));
    status = services.store ? rebuild_artifacts(ctx, restore, &services)
                            : ax_fail(ctx, AX_UNAVAILABLE, "%s", services.store_words);
    if (status == AX_OK)
        status = note_fact(&services, ctx, AX_EVENT_RESTORE);
    ax_services_close(&services);
    return status;
}

ax_status
ax_restore(struct ax_ctx *ctx, const struct ax_restore *restore, struct ax_json_writer *out)
{
    struct ax_data_dir dir;
    if (ax_file_exists(restore->root))
        return ax_fail(ctx, AX_CONFLICT, "%.*s exists already", AX_FMT(restore->root));
    AX_TRY(ax_data_dir_of(ctx, restore->root, restore->keys, &dir));
    ax_status status = bring_back(ctx, restore, &dir, out);
    if (status == AX_OK)
        status = open_once(ctx, restore);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove_tree(ctx, restore->root), "a backup that is not proved is none");
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

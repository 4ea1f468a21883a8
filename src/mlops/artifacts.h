/*
 * Artifacts: files that runs and models leave, under paths, as MLflow's clients put and get them.
 *
 * The bytes are a blob, once for all that are equal; the path is a real file, a hard link to the
 * blob, so that people and tools that look into the folder see what they expect; a row says which
 * digest stands under a path, against which what is read whole is checked. The file is put in place
 * by a rename: a path shows the old bytes or the new, also after a crash. Files that others laid
 * into the folder are served as they are. Workers only.
 *
 * Fails everywhere: INVALID for a path that leads out; NOT_FOUND; LIMIT when the quota or the disk
 * is full; as blob and store.
 */
#pragma once

#include "blob/blob.h"
#include "codec/json.h"
#include "store/store.h"
#include "sys/file.h"

struct ax_artifacts;

struct ax_artifacts_config { /* all kept */
    struct ax_store *store;
    struct ax_blob *blob; /* its own, in folder/AX_ARTIFACTS_BLOBS: taken */
    ax_str folder;        /* of the paths */
    ax_str default_root;  /* new experiments' artifacts: a local URI there may be read too */
    int64_t bytes_max;    /* all together; 0: as much as the disk has */
};

#define AX_ARTIFACTS_BLOBS  ".blobs"
#define AX_ARTIFACTS_SCHEME "mlflow-artifacts:" /* of URIs of places in the folder */
#define AX_ARTIFACTS_PROXY  "/api/2.0/mlflow-artifacts/"
#define AX_ARTIFACTS_ROUTE  AX_ARTIFACTS_PROXY "artifacts" /* to the folder over HTTP */

enum { AX_ARTIFACTS_PARTS_MAX = 10'000 };

/* Parts of uploads that were never completed are taken away. */
ax_status ax_artifacts_open(struct ax_ctx *ctx, const struct ax_artifacts_config *config,
                            struct ax_artifacts **out_artifacts);
void ax_artifacts_close(struct ax_artifacts *artifacts);
AX_DEFINE_AUTO(struct ax_artifacts, ax_artifacts_close);

/*
 * A path of a client made plain: escapes undone until none is left; no "..", no root, no NUL, no
 * '#', not into the blobs. In ctx->arena. Fails: INVALID, "Invalid path".
 */
ax_status ax_artifacts_check_path(struct ax_ctx *ctx, ax_str path, ax_str *out_path);

/* Where artifacts are that a URI names: in the folder, or under a local default root. */
struct ax_artifacts_place {
    ax_str folder;   /* the one that path is in */
    ax_str path;     /* checked; "" for all of it */
    bool is_proxied; /* it is this folder's: rows know it */
};

/* Whether a URI names a place in the folder: its own scheme, or a default root that is its URL. */
bool ax_artifacts_are_proxied(const struct ax_artifacts *artifacts, ax_str uri);

/*
 * uri: "mlflow-artifacts:/1/abc/artifacts"; path: below that, of a client.
 * Fails: INVALID when the artifacts are not here.
 */
ax_status ax_artifacts_find(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str uri,
                            ax_str path, struct ax_artifacts_place *out_place);

/* A path of the folder itself. */
ax_status ax_artifacts_at(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                          struct ax_artifacts_place *out_place);

/* ---- in ---- */

ax_status ax_artifacts_put(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                           ax_str bytes);

/* At a place, which under a local default root is a plain file: no blob, no row, no quota. */
ax_status ax_artifacts_put_below(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                                 const struct ax_artifacts_place *place, ax_str bytes);

/*
 * The same piece by piece, of any length and with bounded memory. Nobody sees the file before
 * finish returns; what is abandoned, or cut off by a crash, leaves nothing.
 *
 * out_upload: owned; ended by abandon, also after finish.
 */
struct ax_artifacts_upload;
ax_status ax_artifacts_upload(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                              struct ax_artifacts_upload **out_upload);
ax_status ax_artifacts_write(struct ax_artifacts_upload *upload, struct ax_ctx *ctx, ax_str bytes);
ax_status ax_artifacts_finish(struct ax_artifacts_upload *upload, struct ax_ctx *ctx);
void ax_artifacts_abandon(struct ax_artifacts_upload *upload);
AX_DEFINE_AUTO(struct ax_artifacts_upload, ax_artifacts_abandon);

/* A file or a folder with all in it; fine when absent. Blobs that nothing needs go too. */
ax_status ax_artifacts_delete(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path);

/* In parts, each of which may be put again; complete joins those numbered 1, 2 ... in order. */
ax_status ax_artifacts_begin_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                                   ax_str *out_id);
ax_status ax_artifacts_put_part(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id,
                                int64_t number, ax_str bytes, ax_digest *out_digest);
ax_status ax_artifacts_complete_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id,
                                      ax_str path, const int64_t *numbers, size_t count);
ax_status ax_artifacts_abort_parts(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str id);

/* ---- out ---- */

/* Bytes of the file. Fails: NOT_FOUND, also for a folder. */
ax_status ax_artifacts_size(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                            const struct ax_artifacts_place *place, uint64_t *out_bytes);

/*
 * The bytes from offset on, in pieces to sink. The whole of a file that was uploaded is checked
 * against its digest: CORRUPT, as the last word, when it is not what was put.
 */
ax_status ax_artifacts_read(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                            const struct ax_artifacts_place *place, uint64_t offset, uint64_t len,
                            struct ax_writer *out);

/*
 * The file, open, for whoever sends it on. whole: it is checked first as a whole read is, unless
 * that was done within the last minutes and nobody has touched the file since.
 *
 * out_file: owned. Fails: NOT_FOUND; CORRUPT.
 */
ax_status ax_artifacts_open_file(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                                 const struct ax_artifacts_place *place, bool whole,
                                 ax_file *out_file);

/* ---- in backups: artifacts_copy.c ---- */

/*
 * Second names for all blobs there are, in a folder of its own that is laid out as they are: what
 * is deleted meanwhile stays readable there. One at a time; gone with ax_artifacts_unpin.
 */
ax_status ax_artifacts_pin(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str *out_folder);
ax_status ax_artifacts_unpin(struct ax_artifacts *artifacts, struct ax_ctx *ctx);

/*
 * Every file that a row tells of in its place, from blobs that were brought back.
 * Fails: CORRUPT when there is no blob for one.
 */
ax_status ax_artifacts_rebuild(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                               uint64_t *out_count);

/*
 * "files":[{"path","is_dir","file_size"?}..] of a folder, sorted; no member when it is none or
 * empty. prefix: stands before each name, "" or "d/".
 */
ax_status ax_artifacts_list(struct ax_artifacts *artifacts, struct ax_ctx *ctx,
                            const struct ax_artifacts_place *place, ax_str prefix,
                            struct ax_json_writer *out);

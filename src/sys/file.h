/*
 * Files and folders: whole reads, atomic writes, positioned writes, locks, maps.
 *
 * errno ends here: every failure names the path and the reason. What is written "durably" is on
 * the disk, its folder entry too, when the call returns. Descriptors are close-on-exec.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

/* An open file. A value; fd < 0 is none. */
typedef struct ax_file {
    int fd;
} ax_file;

enum ax_file_mode {
    AX_FILE_READ,       /* must exist */
    AX_FILE_WRITE,      /* read and write; made when absent */
    AX_FILE_CREATE_NEW, /* read and write; CONFLICT when it exists */
};

/* Fails: NOT_FOUND, DENIED, CONFLICT, LIMIT (no descriptor, no space), UNAVAILABLE. New files are
 * 0600. */
ax_status ax_file_open(struct ax_ctx *ctx, ax_str path, enum ax_file_mode mode, ax_file *out_file);
void ax_file_close(ax_file *file);

ax_status ax_file_size(struct ax_ctx *ctx, ax_file file, uint64_t *out_bytes);

/* What changes when anybody writes to a file or puts another in its place. */
struct ax_file_stamp {
    uint64_t device, inode, bytes;
    int64_t changed_ns;
};
ax_status ax_file_stamp(struct ax_ctx *ctx, ax_file file, struct ax_file_stamp *out_stamp);

/* Exactly len bytes at the offset. Fails: CORRUPT when the file ends first; UNAVAILABLE. */
ax_status ax_file_read_at(struct ax_ctx *ctx, ax_file file, uint64_t offset, char *out, size_t len);

/*
 * Up to `room` bytes behind what was read last; none at the end. For what is read from front to
 * back and may be a pipe. Fails: UNAVAILABLE.
 */
ax_status ax_file_read_next(struct ax_ctx *ctx, ax_file file, char *out, size_t room,
                            size_t *out_len);

/* All of bytes at the offset (short writes are continued). Fails: LIMIT (disk full), UNAVAILABLE.
 */
ax_status ax_file_write_at(struct ax_ctx *ctx, ax_file file, uint64_t offset, ax_str bytes);

/* fdatasync. After a failure the file's contents are unknown: do not try again. */
ax_status ax_file_sync(struct ax_ctx *ctx, ax_file file);

ax_status ax_file_truncate(struct ax_ctx *ctx, ax_file file, uint64_t bytes);

/* Zero-fills from the present end up to bytes, so that later syncs have no metadata to write. */
ax_status ax_file_prepare(struct ax_ctx *ctx, ax_file file, uint64_t bytes);

/* Takes an exclusive lock that dies with the process. Fails: CONFLICT when another holds it. */
ax_status ax_file_lock(struct ax_ctx *ctx, ax_file file);

/* The whole file, in ctx->arena. Fails: as open; LIMIT above bytes_max. */
ax_status ax_file_read_all(struct ax_ctx *ctx, ax_str path, size_t bytes_max, ax_str *out_bytes);

/* Old content or new, never a mixture: a temporary file, fsync, rename, fsync of the folder. */
ax_status ax_file_write_atomic(struct ax_ctx *ctx, ax_str path, ax_str bytes);

/* fsync of a folder: makes renames and new entries durable. */
ax_status ax_file_sync_folder(struct ax_ctx *ctx, ax_str path);

bool ax_file_exists(ax_str path);
bool ax_file_is_folder(ax_str path);                       /* follows links */
ax_status ax_file_remove(struct ax_ctx *ctx, ax_str path); /* NOT_FOUND when absent */
ax_status ax_file_touch(struct ax_ctx *ctx, ax_str path);  /* changed now, for its stamp */
ax_status ax_file_rename(struct ax_ctx *ctx, ax_str from, ax_str to);
ax_status ax_file_link(struct ax_ctx *ctx, ax_str from, ax_str to);
ax_status ax_file_make_folders(struct ax_ctx *ctx,
                               ax_str path); /* 0700, parents too; fine if there */
ax_status ax_file_remove_tree(struct ax_ctx *ctx,
                              ax_str path); /* follows no links; fine when absent */

/*
 * Names in a folder (not ".", "..", nor what a write_atomic that was cut off left behind),
 * sorted, in ctx->arena.
 */
ax_status ax_file_list(struct ax_ctx *ctx, ax_str path, ax_str **out_names, size_t *out_count);

/* A relative path below the folder that the process works in; another as it is. In ctx->arena. */
ax_status ax_file_absolute(struct ax_ctx *ctx, ax_str path, ax_str *out_path);

/* "a" "b" -> "a/b" in the arena; at is NULL past the budget. */
ax_str ax_path_join(struct ax_arena *arena, ax_str folder, ax_str name);
ax_str ax_path_name(ax_str path);   /* what stands behind the last '/' */
ax_str ax_path_folder(ax_str path); /* what stands before: "a/b" -> "a", "b" -> ".", "/b" -> "/" */

/* Read-only view of a whole file; NULL at for an empty one. */
ax_status ax_file_map(struct ax_ctx *ctx, ax_str path, ax_str *out_bytes);
void ax_file_unmap(ax_str bytes);

/* Room on the file system of path, in bytes. */
ax_status ax_file_space(struct ax_ctx *ctx, ax_str path, uint64_t *out_free, uint64_t *out_total);

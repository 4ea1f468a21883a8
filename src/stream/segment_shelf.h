/*
 * Which segments there are, what of them is durable, and how to read, erase and copy it.
 *
 * The part of a segment log that readers share with its one writer, who alone adds to it. A record
 * is found by halving over the segments, then by the offsets of the last one in memory, or by the
 * index file of an older one: a hint only, made again when the frame it points to is another.
 */
#pragma once

#include "stream/segment_log.h"
#include "sys/file.h"
#include "sys/mutex.h"

enum { AX_SEGMENT_SHELF_PATH_BYTES_MAX = 4'096 };

struct ax_segment_shelf_item {
    uint64_t first; /* number of the first record; the file's name */
    uint64_t end;   /* offset behind the last durable batch */
};

struct ax_segment_shelf {
    ax_str folder;
    char folder_bytes[AX_SEGMENT_SHELF_PATH_BYTES_MAX];
    struct ax_mutex mutex;
    struct ax_segment_shelf_item *items; /* guarded by mutex; the last one is written to */
    size_t item_count, item_capacity;
    uint32_t *offsets; /* guarded by mutex; of the last segment's records, in 8 bytes */
    size_t offset_capacity;
    struct ax_segment_log_state state; /* guarded by mutex; what is durable */
    struct ax_mutex erasing;           /* held while attachments are overwritten or copied */
};

/* Fails: INVALID when the path is too long. */
ax_status ax_segment_shelf_init(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, ax_str folder);
void ax_segment_shelf_done(struct ax_segment_shelf *shelf);

/* Room for one more; false when memory is short. Then push cannot fail. Mutex held for push. */
[[nodiscard]] bool ax_segment_shelf_room(struct ax_segment_shelf *shelf);
void ax_segment_shelf_push(struct ax_segment_shelf *shelf, struct ax_segment_shelf_item item);

/* The last one; the writer's view. */
struct ax_segment_shelf_item *ax_segment_shelf_last(struct ax_segment_shelf *shelf);

/* Path of a segment, or of a file beside it; in ctx->arena. */
ax_status ax_segment_shelf_path(const struct ax_segment_shelf *shelf, struct ax_ctx *ctx,
                                uint64_t first, const char *suffix, ax_str *out_path);

/* The index of a segment that is about to be sealed. */
ax_status ax_segment_shelf_index(const struct ax_segment_shelf *shelf, struct ax_ctx *ctx,
                                 uint64_t first, const uint32_t *offsets, size_t count);

/* The functions of segment_log.h that do not write records. */
ax_status ax_segment_shelf_read(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t from,
                                size_t count_max, size_t bytes_max,
                                struct ax_segment_log_records *out_records);
ax_status ax_segment_shelf_erase(struct ax_segment_shelf *shelf, struct ax_ctx *ctx,
                                 const uint64_t *sequences, size_t count);
ax_status ax_segment_shelf_copy(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t count,
                                ax_str folder);

/* Copies bytes [start, end) from one file to the same place in another (or itself), and syncs. */
ax_status ax_segment_shelf_copy_bytes(struct ax_ctx *ctx, ax_file from, ax_file to, uint64_t start,
                                      uint64_t end);

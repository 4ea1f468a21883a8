/*
 * The file of wrapped data keys: slots of one size, added at the end, destroyed where they stand.
 *
 * Slot 0 is the head. A slot says how many before it were sure when it was written, so that a slot
 * that is broken is told apart: above what is sure it is a torn write (and becomes void), below it
 * is damage. Destroying a key is noted in a file of its own first, and finished at the next open
 * when a crash came between; the note holds nothing of the key.
 *
 * Layout of a slot, 128 bytes, little-endian: magic u32 | state u32 | sure u64 | key id 16 |
 * entity tag 32 | wrapped key 60 (of a destroyed one: when, i64, then zeros) | crc32c u32.
 * It knows nothing of keys in clear. One writer at a time.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "sys/file.h"

enum {
    AX_KEY_FILE_SLOT_BYTES = 128,
    AX_KEY_FILE_ID_BYTES = 16,
    AX_KEY_FILE_TAG_BYTES = 32,
    AX_KEY_FILE_WRAPPED_BYTES = 60,
};

enum ax_key_file_state {
    AX_KEY_FILE_HEAD = 0,
    AX_KEY_FILE_ALIVE = 1,
    AX_KEY_FILE_ERASED = 2,
    AX_KEY_FILE_VOID = 3,
};

struct ax_key_file_slot {
    enum ax_key_file_state state;
    uint64_t sure;                        /* slots that were on the disk before */
    uint8_t key_id[AX_KEY_FILE_ID_BYTES]; /* of the head: id of the key-encryption key */
    uint8_t tag[AX_KEY_FILE_TAG_BYTES];
    uint8_t wrapped[AX_KEY_FILE_WRAPPED_BYTES];
    int64_t erased_ns; /* of ERASED */
};

struct ax_key_file {
    ax_str folder; /* kept by the caller */
    ax_file lock;
    ax_file file;
    struct ax_key_file_slot head;
    uint64_t count;    /* slots on the disk, without the head */
    uint64_t prepared; /* bytes of the file */
};

/*
 * Opens the file, finishes what a crash interrupted and judges every slot.
 *
 * folder: kept; made when absent. first: the head when the file is new.
 * Fails: CONFLICT (in use), CORRUPT, LIMIT, UNAVAILABLE.
 */
ax_status ax_key_file_open(struct ax_ctx *ctx, ax_str folder, const struct ax_key_file_slot *first,
                           struct ax_key_file *out_file);
void ax_key_file_close(struct ax_key_file *file);

/* Calls visit for each slot in order. */
typedef ax_status (*ax_key_file_fn)(void *arg, struct ax_ctx *ctx, uint64_t number,
                                    const struct ax_key_file_slot *slot);
ax_status ax_key_file_scan(struct ax_key_file *file, struct ax_ctx *ctx, ax_key_file_fn visit,
                           void *arg);

/* Slot `number`, from 0. Fails: CORRUPT, UNAVAILABLE. */
ax_status ax_key_file_read(const struct ax_key_file *file, struct ax_ctx *ctx, uint64_t number,
                           struct ax_key_file_slot *out_slot);

/*
 * Adds slots, durably; `sure` is filled in. Fails: LIMIT (disk full, memory: nothing changed);
 * UNAVAILABLE, after which the file must be opened again.
 */
ax_status ax_key_file_append(struct ax_key_file *file, struct ax_ctx *ctx,
                             const struct ax_key_file_slot *slots, size_t count);

/* Overwrites a slot: key and tag are gone, durably. Fails: as append. */
ax_status ax_key_file_erase(struct ax_key_file *file, struct ax_ctx *ctx, uint64_t number,
                            int64_t erased_ns);

/*
 * Writes all slots anew under another head: all or nothing. convert changes a slot's wrapped key.
 * The old file is overwritten before it is let go.
 */
typedef ax_status (*ax_key_file_convert_fn)(void *arg, struct ax_ctx *ctx,
                                            struct ax_key_file_slot *slot);
ax_status ax_key_file_replace(struct ax_key_file *file, struct ax_ctx *ctx,
                              const struct ax_key_file_slot *head, ax_key_file_convert_fn convert,
                              void *arg);

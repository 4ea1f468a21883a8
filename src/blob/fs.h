/*
 * A folder behind the blob port: root/ab/cdef... by the digest's hex, root/incoming for uploads.
 *
 * An upload is a file of its own until it is whole and on the disk; then it is renamed, which
 * either happened or did not. One process owns the folder; what an earlier one left in incoming
 * is removed at open.
 */
#pragma once

#include "blob/blob.h"

/* root: made when absent. Fails: UNAVAILABLE, DENIED, LIMIT. */
ax_status ax_fs_open(struct ax_ctx *ctx, ax_str root, struct ax_blob **out_blob);

/*
 * The directory's picture as a file, so that decisions go on after a restart without the store.
 *
 * A line with the SHA-256 of the rest, then JSON. Token hashes are in it, tokens are not. A file
 * that is not what was written is refused as a whole.
 */
#pragma once

#include "auth/directory_state.h"
#include "base/writer.h"

void ax_directory_cache_format(const struct ax_directory_state *state, struct ax_writer *out);

/* out_state: owned. Fails: CORRUPT, LIMIT. */
ax_status ax_directory_cache_parse(struct ax_ctx *ctx, ax_str bytes,
                                   struct ax_directory_state **out_state);

enum { AX_DIRECTORY_CACHE_BYTES_MAX = 64 << 20 };

/*
 * Content codings: gzip, deflate (zlib's format, RFC 9110 8.4.1.2) and zstd, both ways.
 *
 * Input may come in pieces of any size and inflates into a writer whose ceiling is the most that
 * is taken: a small bomb costs no more than that. zlib and zstd end here. Which coding a peer
 * speaks, and what is worth compressing, is net's business.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"

enum ax_compress_coding {
    AX_COMPRESS_IDENTITY,
    AX_COMPRESS_GZIP,
    AX_COMPRESS_DEFLATE,
    AX_COMPRESS_ZSTD,
};

enum { AX_COMPRESS_CODING_COUNT = AX_COMPRESS_ZSTD + 1 };

/* "gzip", "x-gzip", "deflate", "zstd" or "identity", in any case; false for other words. */
[[nodiscard]] bool ax_compress_coding_of(ax_str name, enum ax_compress_coding *out_coding);

/* As it stands in a Content-Encoding header. */
ax_str ax_compress_name(enum ax_compress_coding coding);

/* One compressed text on its way back. */
struct ax_inflater;

/* Not for IDENTITY. NULL when memory is short. */
struct ax_inflater *ax_inflater_new(enum ax_compress_coding coding);
void ax_inflater_free(struct ax_inflater *inflater);
AX_DEFINE_AUTO(struct ax_inflater, ax_inflater_free);

/*
 * Appends to out what the next bytes say.
 *
 * Fails (bare), for good: INVALID (not of this coding, or more behind its end; zstd: a window over
 * 8 MiB, RFC 9659); LIMIT when out would grow past its ceiling; UNAVAILABLE when memory is short.
 */
ax_status ax_inflater_add(struct ax_inflater *inflater, ax_str bytes, struct ax_writer *out);

/* Whether the text is whole: nothing is missing at its end. */
bool ax_inflater_done(const struct ax_inflater *inflater);

/* A whole text at once. Fails: INVALID, LIMIT, UNAVAILABLE as above. */
ax_status ax_compress_inflate(struct ax_ctx *ctx, enum ax_compress_coding coding, ax_str bytes,
                              struct ax_writer *out);

/* Compresses whole texts, one after another, with memory that is used again. */
struct ax_deflater;

/* Not for IDENTITY. NULL when memory is short. */
struct ax_deflater *ax_deflater_new(enum ax_compress_coding coding);
void ax_deflater_free(struct ax_deflater *deflater);
AX_DEFINE_AUTO(struct ax_deflater, ax_deflater_free);

/* Appends bytes, compressed fast rather than small. Fails (bare): LIMIT, out's own. */
ax_status ax_deflater_run(struct ax_deflater *deflater, ax_str bytes, struct ax_writer *out);

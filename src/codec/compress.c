#define ZLIB_CONST
#include "codec/compress.h"

#include <limits.h>

#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"

enum {
    WINDOW_BITS = 15,
    GZIP_WINDOW_BITS = WINDOW_BITS + 16, /* zlib's way to ask for gzip's frame */
    ZSTD_WINDOW_LOG_MAX = 23,            /* 8 MiB: what every decoder takes, RFC 9659 */
    MEMORY_LEVEL = 8,
    FAST = 1,
    CHUNK_BYTES = 16 * 1024,
    PIECE_BYTES_MAX = 1 << 30, /* zlib counts in 32 bits */
};

static const ax_str names[AX_COMPRESS_CODING_COUNT] = {
    [AX_COMPRESS_IDENTITY] = {"identity", 8},
    [AX_COMPRESS_GZIP] = {"gzip", 4},
    [AX_COMPRESS_DEFLATE] = {"deflate", 7},
    [AX_COMPRESS_ZSTD] = {"zstd", 4},
};

bool
ax_compress_coding_of(ax_str name, enum ax_compress_coding *out_coding)
{
    if (ax_str_eq_ignoring_case(name, AX_STR("x-gzip")))
        name = names[AX_COMPRESS_GZIP];
    for (int i = 0; i < AX_COMPRESS_CODING_COUNT; i++) {
        if (!ax_str_eq_ignoring_case(name, names[i]))
            continue;
        *out_coding = (enum ax_compress_coding)i;
        return true;
    }
    return false;
}

ax_str
ax_compress_name(enum ax_compress_coding coding)
{
    return names[coding];
}

static void *
compress_alloc(void *arg, uInt count, uInt size)
{
    (void)arg;
    return ax_alloc(size, count);
}

static void
compress_free(void *arg, void *block)
{
    (void)arg;
    ax_free(block);
}

/* ---- room in a writer that may be full: one byte more says whether more would come ---- */

struct room {
    struct ax_writer *out;
    char *at;
    size_t len;
    char spare;
    bool full;    /* only the spare byte is left */
    bool used_up; /* more may be waiting */
};

static ax_status
room_take(struct room *room)
{
    size_t left = room->out->len_max - room->out->len;
    room->full = left == 0;
    room->len = room->full ? 1 : left < CHUNK_BYTES ? left : CHUNK_BYTES;
    room->at = room->full ? &room->spare : ax_writer_room(room->out, room->len);
    return room->at ? AX_OK : AX_UNAVAILABLE;
}

/* Gives back what was not used. */
static ax_status
room_give(struct room *room, size_t unused)
{
    room->used_up = unused == 0;
    if (room->full)
        return room->used_up ? AX_LIMIT : AX_OK;
    room->out->len -= unused;
    return AX_OK;
}

/* ---- inflating ---- */

struct ax_inflater {
    enum ax_compress_coding coding;
    z_stream zlib;
    ZSTD_DCtx *zstd;
    bool opened; /* zlib */
    bool begun;  /* a byte has come */
    bool done;   /* at the end of a member or frame */
    ax_status status;
};

struct ax_inflater *
ax_inflater_new(enum ax_compress_coding coding)
{
    AX_ASSERT(coding != AX_COMPRESS_IDENTITY);
    ax_auto(ax_inflater_free) struct ax_inflater *inflater = ax_alloc(sizeof *inflater, 1);
    if (!inflater)
        return NULL;
    inflater->coding = coding;
    if (coding == AX_COMPRESS_ZSTD) {
        inflater->zstd = ax_fault_here() ? NULL : ZSTD_createDCtx();
        if (!inflater->zstd)
            return NULL;
        size_t set =
            ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        AX_ASSERT(!ZSTD_isError(set));
        return ax_take(inflater);
    }
    inflater->zlib.zalloc = compress_alloc;
    inflater->zlib.zfree = compress_free;
    int bits = coding == AX_COMPRESS_GZIP ? GZIP_WINDOW_BITS : WINDOW_BITS;
    inflater->opened = inflateInit2(&inflater->zlib, bits) == Z_OK;
    return inflater->opened ? ax_take(inflater) : NULL;
}

void
ax_inflater_free(struct ax_inflater *inflater)
{
    if (inflater->opened)
        inflateEnd(&inflater->zlib);
    ZSTD_freeDCtx(inflater->zstd);
    ax_free(inflater);
}

/* One call of zlib; *bytes loses what was taken. */
static ax_status
zlib_step(struct ax_inflater *inflater, ax_str *bytes, struct room *room)
{
    z_stream *zlib = &inflater->zlib;
    size_t len = bytes->len < PIECE_BYTES_MAX ? bytes->len : PIECE_BYTES_MAX;
    zlib->next_in = (const Bytef *)bytes->at;
    zlib->avail_in = (uInt)len;
    zlib->next_out = (Bytef *)room->at;
    zlib->avail_out = (uInt)room->len;
    int result = inflate(zlib, Z_NO_FLUSH);
    *bytes = ax_str_from(*bytes, len - zlib->avail_in);
    AX_TRY(room_give(room, zlib->avail_out));
    if (result == Z_MEM_ERROR)
        return AX_UNAVAILABLE;
    inflater->done = result == Z_STREAM_END;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? AX_OK : AX_INVALID;
}

static ax_status
zstd_step(struct ax_inflater *inflater, ax_str *bytes, struct room *room)
{
    ZSTD_inBuffer in = {.src = bytes->at, .size = bytes->len};
    ZSTD_outBuffer out = {.dst = room->at, .size = room->len};
    size_t result = ZSTD_decompressStream(inflater->zstd, &out, &in);
    *bytes = ax_str_from(*bytes, in.pos);
    AX_TRY(room_give(room, room->len - out.pos));
    inflater->done = result == 0;
    return ZSTD_isError(result) ? AX_INVALID : AX_OK;
}

/* Behind its end a gzip file may have another member (RFC 1952); zlib's format may not. */
static ax_status
next_member(struct ax_inflater *inflater)
{
    if (inflater->coding == AX_COMPRESS_ZSTD)
        return AX_OK;
    bool reset = inflater->coding == AX_COMPRESS_GZIP && inflateReset(&inflater->zlib) == Z_OK;
    return reset ? AX_OK : AX_INVALID;
}

static ax_status
inflate_piece(struct ax_inflater *inflater, ax_str bytes, struct ax_writer *out)
{
    bool more = true;
    while (bytes.len > 0 || more) {
        struct room room = {.out = out};
        if (inflater->done)
            AX_TRY(next_member(inflater));
        AX_TRY(room_take(&room));
        if (inflater->coding == AX_COMPRESS_ZSTD)
            AX_TRY(zstd_step(inflater, &bytes, &room));
        else
            AX_TRY(zlib_step(inflater, &bytes, &room));
        more = room.used_up && !inflater->done;
    }
    return AX_OK;
}

ax_status
ax_inflater_add(struct ax_inflater *inflater, ax_str bytes, struct ax_writer *out)
{
    if (inflater->status != AX_OK || bytes.len == 0)
        return inflater->status;
    inflater->begun = true;
    inflater->status = inflate_piece(inflater, bytes, out);
    return inflater->status;
}

bool
ax_inflater_done(const struct ax_inflater *inflater)
{
    return inflater->done && inflater->status == AX_OK;
}

ax_status
ax_compress_inflate(struct ax_ctx *ctx, enum ax_compress_coding coding, ax_str bytes,
                    struct ax_writer *out)
{
    ax_auto(ax_inflater_free) struct ax_inflater *inflater = ax_inflater_new(coding);
    ax_str name = names[coding];
    ax_status status = inflater ? ax_inflater_add(inflater, bytes, out) : AX_UNAVAILABLE;
    if (status == AX_OK && !ax_inflater_done(inflater))
        return ax_fail(ctx, AX_INVALID, "the %.*s text ends early", AX_FMT(name));
    if (status == AX_INVALID)
        return ax_fail(ctx, status, "the text is not %.*s", AX_FMT(name));
    if (status == AX_LIMIT)
        return ax_fail(ctx, status, "the %.*s text inflates to more than %zu bytes", AX_FMT(name),
                       out->len_max);
    if (status != AX_OK)
        return ax_fail(ctx, status, "no memory to inflate a %.*s text", AX_FMT(name));
    return AX_OK;
}

/* ---- deflating ---- */

struct ax_deflater {
    enum ax_compress_coding coding;
    z_stream zlib;
    ZSTD_CCtx *zstd;
    bool opened; /* zlib */
};

struct ax_deflater *
ax_deflater_new(enum ax_compress_coding coding)
{
    AX_ASSERT(coding != AX_COMPRESS_IDENTITY);
    ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_alloc(sizeof *deflater, 1);
    if (!deflater)
        return NULL;
    deflater->coding = coding;
    if (coding == AX_COMPRESS_ZSTD) {
        deflater->zstd = ax_fault_here() ? NULL : ZSTD_createCCtx();
        return deflater->zstd ? ax_take(deflater) : NULL;
    }
    deflater->zlib.zalloc = compress_alloc;
    deflater->zlib.zfree = compress_free;
    int bits = coding == AX_COMPRESS_GZIP ? GZIP_WINDOW_BITS : WINDOW_BITS;
    int result =
        deflateInit2(&deflater->zlib, FAST, Z_DEFLATED, bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    deflater->opened = result == Z_OK;
    return deflater->opened ? ax_take(deflater) : NULL;
}

void
ax_deflater_free(struct ax_deflater *deflater)
{
    if (deflater->opened)
        deflateEnd(&deflater->zlib);
    ZSTD_freeCCtx(deflater->zstd);
    ax_free(deflater);
}

/* In one call: room for the worst case. */
static ax_status
zstd_run(struct ax_deflater *deflater, ax_str bytes, struct ax_writer *out)
{
    size_t most = ZSTD_compressBound(bytes.len), left = out->len_max - out->len;
    size_t len = most < left ? most : left;
    char *at = ax_writer_room(out, len);
    if (!at)
        return AX_LIMIT;
    size_t written = ZSTD_compressCCtx(deflater->zstd, at, len, bytes.at, bytes.len, FAST);
    bool failed = ZSTD_isError(written);
    out->len -= failed ? len : len - written;
    return failed ? AX_LIMIT : AX_OK;
}

static ax_status
zlib_run(struct ax_deflater *deflater, ax_str bytes, struct ax_writer *out)
{
    z_stream *zlib = &deflater->zlib;
    int result = deflateReset(zlib);
    AX_ASSERT(result == Z_OK);
    while (result != Z_STREAM_END) {
        size_t len = bytes.len < PIECE_BYTES_MAX ? bytes.len : PIECE_BYTES_MAX;
        struct room room = {.out = out};
        if (room_take(&room) != AX_OK)
            return AX_LIMIT;
        zlib->next_in = (const Bytef *)bytes.at;
        zlib->avail_in = (uInt)len;
        zlib->next_out = (Bytef *)room.at;
        zlib->avail_out = (uInt)room.len;
        result = deflate(zlib, len == bytes.len ? Z_FINISH : Z_NO_FLUSH);
        bytes = ax_str_from(bytes, len - zlib->avail_in);
        AX_TRY(room_give(&room, zlib->avail_out));
    }
    return AX_OK;
}

ax_status
ax_deflater_run(struct ax_deflater *deflater, ax_str bytes, struct ax_writer *out)
{
    return deflater->coding == AX_COMPRESS_ZSTD ? zstd_run(deflater, bytes, out)
                                                : zlib_run(deflater, bytes, out);
}

#include "codec/compress.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 1 << 20 };

/*
 * The first byte says the coding and how the rest is cut: whole and in pieces it must give the
 * same. What it gives must come back when it is compressed again.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum ax_compress_coding coding = (enum ax_compress_coding)(1 + data[0] % 3);
    size_t piece_bytes = 1 + data[0] / 3u;
    ax_str bytes = {(const char *)data + 1, size - 1};
    struct ax_ctx ctx = ax_ctx_of(NULL);
    ax_writer_auto struct ax_writer whole = ax_writer_of(FUZZ_BYTES_MAX),
                                    pieces = ax_writer_of(FUZZ_BYTES_MAX);
    ax_status status = ax_compress_inflate(&ctx, coding, bytes, &whole);

    ax_auto(ax_inflater_free) struct ax_inflater *inflater = ax_inflater_new(coding);
    ax_status by_piece = AX_OK;
    while (bytes.len > 0 && by_piece == AX_OK) {
        size_t len = piece_bytes < bytes.len ? piece_bytes : bytes.len;
        by_piece = ax_inflater_add(inflater, (ax_str){bytes.at, len}, &pieces);
        bytes = ax_str_from(bytes, len);
    }
    if (by_piece == AX_OK && !ax_inflater_done(inflater))
        by_piece = AX_INVALID;
    AX_ASSERT(by_piece == status);
    if (status != AX_OK)
        return 0;
    AX_ASSERT(ax_str_eq(ax_writer_str(&whole), ax_writer_str(&pieces)));

    ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(coding);
    ax_writer_auto struct ax_writer small = ax_writer_of(2 * FUZZ_BYTES_MAX),
                                    back = ax_writer_of(FUZZ_BYTES_MAX);
    AX_ASSERT(ax_deflater_run(deflater, ax_writer_str(&whole), &small) == AX_OK);
    AX_ASSERT(ax_compress_inflate(&ctx, coding, ax_writer_str(&small), &back) == AX_OK);
    AX_ASSERT(ax_str_eq(ax_writer_str(&back), ax_writer_str(&whole)));
    return 0;
}

#include <stdint.h>

#include "base/assert.h"
#include "net/http1_log_test.h"

/* The first byte says how the rest is cut into pieces; the parser must not be able to tell. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct ax_http_limits limits = {
        .head_bytes_max = 512, .header_count_max = 8, .body_bytes_max = 256, .pipeline_max = 1};
    struct http1_log whole, pieces;
    http1_log_open(&whole, limits);
    http1_log_open(&pieces, limits);
    ax_str bytes = {(const char *)data + 1, size - 1};
    http1_log_feed(&whole, bytes);
    uint32_t seed = data[0];
    while (bytes.len > 0) {
        seed = seed * 1664525 + 1013904223;
        size_t len = 1 + (seed >> 24) % (1 + data[0] % 32u);
        len = len < bytes.len ? len : bytes.len;
        http1_log_feed(&pieces, (ax_str){bytes.at, len});
        bytes = ax_str_from(bytes, len);
    }
    AX_ASSERT(ax_str_eq(ax_writer_str(&whole.text), ax_writer_str(&pieces.text)));
    http1_log_close(&whole);
    http1_log_close(&pieces);
    return 0;
}

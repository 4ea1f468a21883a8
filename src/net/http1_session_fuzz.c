#include <stdint.h>

#include "base/assert.h"
#include "net/http1_bench_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * All but the interim answers: whether a 100 was sent before a body turned out to be refused
 * depends on how fast the body came.
 */
static void
without_interim(ax_str text, struct ax_writer *out)
{
    static const ax_str interim = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
    for (size_t at; (at = ax_str_find(text, interim)) != SIZE_MAX;) {
        ax_writer_bytes(out, (ax_str){text.at, at});
        text = ax_str_from(text, at + interim.len);
    }
    ax_writer_bytes(out, text);
}

/* The first two bytes say how the rest is cut, held and sent; the answers must be the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    ax_clock_fake(1'000'000'000, 1'000'000'000); /* the Date header stands still */
    struct http1_bench whole, pieces;
    ax_str bytes = {(const char *)data + 2, size - 2};
    http1_bench_open(&whole, SIZE_MAX, false);
    http1_bench_run(&whole, bytes, bytes.len, 0);
    http1_bench_open(&pieces, 1 + data[0] % 64u, data[1] % 2);
    http1_bench_run(&pieces, bytes, 1 + data[1] % 64u, data[0]);

    ax_writer_auto struct ax_writer want = ax_writer_of(1 << 22), got = ax_writer_of(1 << 22);
    without_interim(ax_writer_str(&whole.out), &want);
    without_interim(ax_writer_str(&pieces.out), &got);
    AX_ASSERT(ax_str_eq(ax_writer_str(&want), ax_writer_str(&got)));
    http1_bench_close(&whole);
    http1_bench_close(&pieces);
    return 0;
}

#include <stdint.h>

#include "net/http2_bench_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 9 };

/* Whole frames and nothing else are said, however the bytes came. */
static void
check_frames(ax_str out)
{
    while (out.len > 0) {
        const unsigned char *head = (const unsigned char *)out.at;
        AX_ASSERT(out.len >= HEAD_BYTES);
        size_t len = HEAD_BYTES + ((size_t)head[0] << 16) + ((size_t)head[1] << 8) + head[2];
        AX_ASSERT(len <= out.len && head[3] <= NGHTTP2_CONTINUATION);
        out = ax_str_from(out, len);
    }
}

static void
say(struct http2_bench *bench, struct ax_writer *out)
{
    struct iovec pieces[AX_SESSION_IOV_MAX];
    while (ax_session_output(bench->session, pieces) > 0) {
        size_t len = http2_bench_piece(bench, pieces[0].iov_len);
        ax_writer_bytes(out, (ax_str){pieces[0].iov_base, len});
        ax_session_sent(bench->session, len, bench->now_ns);
    }
}

/*
 * The first two bytes say how the rest, which follows the client's preface, is cut and how long
 * exchanges are held; one more tells when time passes.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http2_bench bench;
    ax_str preface = AX_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
    if (size < 3)
        return 0;
    struct ax_exchange_service service = http2_bench_service(&bench);
    AX_ASSERT(http2_bench_open(&bench, &service));
    ax_writer_auto struct ax_writer out = ax_writer_of(64 << 20);
    http2_bench_receive(&bench, preface);
    bench.piece_bytes = 1 + data[0];
    bench.hold = data[1] % 2;
    bench.seed = data[2];
    ax_str bytes = {(const char *)data + 3, size - 3};
    while (bytes.len > 0 && ax_session_wants(bench.session).read) {
        size_t len = http2_bench_piece(&bench, bytes.len);
        ax_session_receive(bench.session, (ax_str){bytes.at, len}, bench.now_ns);
        bytes = ax_str_from(bytes, len);
        say(&bench, &out);
        if (bench.seed % 5 == 0)
            http2_bench_finish_held(&bench);
        if (data[2] % 7 == 0 && ax_session_wants(bench.session).deadline_ns != INT64_MAX) {
            bench.now_ns = ax_session_wants(bench.session).deadline_ns;
            ax_session_expire(bench.session, bench.now_ns);
        }
    }
    if (data[1] % 3 == 0)
        ax_session_end(bench.session);
    if (data[1] % 5 != 0)
        http2_bench_finish_held(&bench);
    say(&bench, &out);
    check_frames(ax_writer_str(&out));
    ax_session_close(bench.session);
    bench.session = NULL;
    http2_bench_finish_held(&bench);
    http2_bench_close(&bench);
    return 0;
}

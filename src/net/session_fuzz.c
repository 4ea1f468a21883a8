#include "net/grpc_bench_test.h"
#include "net/http1_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONTROL_BYTES = 4, OUT_BYTES_MAX = 64 << 20 };

static const struct ax_http1_session_config http1_config = {.header_ms = 1'000,
                                                            .body_ms = 1'000,
                                                            .idle_ms = 1'000,
                                                            .pipeline_max = 4,
                                                            .pending_bytes_max = 1 << 16};

/* One connection as the loop has it: HTTP/1.1 until the first bytes say HTTP/2. */
struct connection {
    struct http2_bench *bench;
    struct ax_http2_start start;
    bool begun;
    size_t out_bytes;
};

static const struct ax_session_peer peer = {.address = "127.0.0.1"};

static void
become(struct connection *connection, bool http2)
{
    struct http2_bench *bench = connection->bench;
    struct ax_session_transport transport = {.arg = bench, .ready = http2_bench_ready};
    if (bench->session)
        ax_session_close(bench->session);
    bench->session =
        http2 ? ax_http2_session_new(&bench->pool, &bench->config, &peer, transport, bench->now_ns)
              : ax_http1_session_new(&bench->pool, &http1_config, &peer, transport, bench->now_ns);
    AX_ASSERT(bench->session != NULL);
}

static void
hear(struct connection *connection, ax_str bytes)
{
    struct http2_bench *bench = connection->bench;
    if (!connection->begun) {
        ax_str before;
        enum ax_http2_preface preface = ax_http2_start_take(&connection->start, bytes, &before);
        if (preface == AX_HTTP2_MAYBE)
            return;
        connection->begun = true;
        become(connection, preface == AX_HTTP2_YES);
        if (before.len > 0)
            ax_session_receive(bench->session, before, bench->now_ns);
    }
    ax_session_receive(bench->session, bytes, bench->now_ns);
}

static void
say(struct connection *connection)
{
    struct http2_bench *bench = connection->bench;
    struct iovec pieces[AX_SESSION_IOV_MAX];
    for (int count; (count = ax_session_output(bench->session, pieces)) > 0;) {
        size_t all = 0;
        for (int i = 0; i < count; i++)
            all += pieces[i].iov_len;
        size_t len = http2_bench_piece(bench, all);
        connection->out_bytes += len;
        AX_ASSERT(len > 0 && connection->out_bytes < OUT_BYTES_MAX);
        ax_session_sent(bench->session, len, bench->now_ns);
    }
}

/* Time, the server and whoever holds a call do something, as the input has it. */
static void
happen(struct connection *connection, unsigned what)
{
    struct http2_bench *bench = connection->bench;
    struct ax_session_wants wants = ax_session_wants(bench->session);
    switch (what % 8) {
    case 0:
        if (wants.deadline_ns == INT64_MAX)
            break;
        bench->now_ns = wants.deadline_ns > bench->now_ns ? wants.deadline_ns : bench->now_ns;
        ax_clock_fake(bench->now_ns, bench->now_ns);
        ax_session_expire(bench->session, bench->now_ns);
        break;
    case 1:
        ax_session_drain(bench->session, bench->now_ns + HTTP2_MS);
        break;
    case 2:
        if (!grpc_bench.kept || ax_grpc_method(grpc_bench.kept)->kind == AX_GRPC_UNARY)
            break;
        ax_writer_text(ax_grpc_reply(grpc_bench.kept), "news");
        ax_grpc_send(grpc_bench.kept);
        break;
    case 3:
        grpc_bench_let_go();
        break;
    default:
        break;
    }
}

/*
 * The first byte says how the rest is cut, the second how much the kernel takes, the third and
 * fourth what happens meanwhile and when. Whatever comes, nobody holds a call when it is over (the
 * pool sees to that).
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CONTROL_BYTES)
        return 0;
    AX_ASSERT(grpc_bench_open());
    struct connection connection = {.bench = &grpc_bench.http2};
    struct http2_bench *bench = connection.bench;
    become(&connection, false);
    bench->piece_bytes = 1 + data[0];
    bench->seed = data[1];
    ax_str bytes = {(const char *)data + CONTROL_BYTES, size - CONTROL_BYTES};
    while (bytes.len > 0 && ax_session_wants(bench->session).read) {
        size_t len = http2_bench_piece(bench, bytes.len);
        hear(&connection, (ax_str){bytes.at, len});
        bytes = ax_str_from(bytes, len);
        if (bench->seed % 3 != 0)
            say(&connection);
        if ((bench->seed >> 8) % (1 + data[3]) == 0)
            happen(&connection, data[2] + (bench->seed >> 16) % 2);
    }
    if (data[2] % 3 == 0)
        ax_session_end(bench->session);
    say(&connection);
    if (data[2] % 2 == 0)
        grpc_bench_let_go();
    ax_session_close(bench->session);
    bench->session = NULL;
    grpc_bench_let_go();
    http2_bench_close(bench);
    return 0;
}

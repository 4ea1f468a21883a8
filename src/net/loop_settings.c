/* The table of settings of section "net". Part of loop. */
#include "net/loop.h"

#define FIELD(name) offsetof(struct ax_loop_config, name)

static const struct ax_setting rows[] = {
    {"loop_count", "event loops; 0 is one a core", AX_SETTING_COUNT, FIELD(loop_count), 0, 0,
     AX_LOOP_COUNT_MAX},
    {"backlog", "connections that the kernel holds unaccepted", AX_SETTING_COUNT, FIELD(backlog),
     1'024, 1, 65'535},
    {"connections_max", "connections in all", AX_SETTING_COUNT, FIELD(connections_max), 10'000, 1,
     1'000'000},
    {"connections_per_address_max", "connections of one address (IPv6: of one /64)",
     AX_SETTING_COUNT, FIELD(connections_per_address_max), 10'000, 1, 1'000'000},
    {"header_ms", "from the connection, or a request's first byte, to the end of its head",
     AX_SETTING_DURATION_MS, FIELD(header_ms), 10'000, 1, 3'600'000},
    {"body_ms", "from the end of the head to the last byte of the body", AX_SETTING_DURATION_MS,
     FIELD(body_ms), 30'000, 1, 3'600'000},
    {"request_ms", "from the last byte read to the deadline of the work", AX_SETTING_DURATION_MS,
     FIELD(request_ms), 30'000, 1, 3'600'000},
    {"write_ms", "for a slow reader to take the answers that are due", AX_SETTING_DURATION_MS,
     FIELD(write_ms), 30'000, 1, 3'600'000},
    {"idle_ms", "between two requests of a connection", AX_SETTING_DURATION_MS, FIELD(idle_ms),
     75'000, 1, 3'600'000},
    {"linger_ms", "reading on after a refusal, so that it arrives", AX_SETTING_DURATION_MS,
     FIELD(linger_ms), 2'000, 1, 60'000},
    {"head_bytes_max", "request line and headers of a request", AX_SETTING_BYTES,
     FIELD(head_bytes_max), AX_HTTP_HEAD_BYTES, 256, 1 << 20},
    {"header_count_max", "headers of a request", AX_SETTING_COUNT, FIELD(header_count_max),
     AX_HTTP_HEADER_COUNT, 1, 4'096},
    {"body_bytes_max", "body of a request, where the route does not say otherwise",
     AX_SETTING_BYTES, FIELD(body_bytes_max), AX_HTTP_BODY_BYTES, 0, 1 << 30},
    {"pipeline_max", "requests of a connection under way at once", AX_SETTING_COUNT,
     FIELD(pipeline_max), AX_HTTP_PIPELINE, 1, 4'096},
    {"pending_bytes_max", "unsent answers of a connection above which it is not read",
     AX_SETTING_BYTES, FIELD(pending_bytes_max), 1 << 20, 1, 1 << 30},
    {"answer_bytes_max", "body of an answer", AX_SETTING_BYTES, FIELD(answer_bytes_max), 64 << 20,
     1'024, 1 << 30},
    {"arena_bytes_max", "memory of one request besides its body, and four times as much as that",
     AX_SETTING_BYTES, FIELD(arena_bytes_max), 16 << 20, 32 << 10, 1 << 30},
    {"streams_max", "streams of an HTTP/2 connection at once", AX_SETTING_COUNT, FIELD(streams_max),
     128, 1, 10'000},
    {"window_bytes", "that an HTTP/2 stream may send ahead; its connection 16 times that",
     AX_SETTING_BYTES, FIELD(window_bytes), 1 << 20, 65'535, 64 << 20},
    {"bodies_bytes_max", "bodies under way on an HTTP/2 connection, when it is more than one",
     AX_SETTING_BYTES, FIELD(bodies_bytes_max), 64 << 20, 65'536, 1 << 30},
    {"ping_ms", "for an HTTP/2 client to answer a ping after idle_ms of silence with streams open",
     AX_SETTING_DURATION_MS, FIELD(ping_ms), 20'000, 1, 3'600'000},
    {"ping_gap_ms",
     "least time between a gRPC client's pings while nothing is sent to it; the third that comes "
     "sooner ends the connection",
     AX_SETTING_DURATION_MS, FIELD(ping_gap_ms), 300'000, 0, 86'400'000},
    {"compress_bytes_min",
     "answers of text from this size on are compressed for clients who ask; "
     "0: never",
     AX_SETTING_BYTES, FIELD(compress_bytes_min), 16 << 10, 0, 1 << 30},
    {"compress_bytes_max", "larger answers are not compressed: the loop would be held up",
     AX_SETTING_BYTES, FIELD(compress_bytes_max), 1 << 20, 0, 1 << 30},
    {"tls_certificate",
     "PEM file of the certificate, and those between it and the root, for "
     "listeners \"tls:HOST:PORT\"",
     AX_SETTING_TEXT, FIELD(tls.certificate), 0, 0, 0, ""},
    {"tls_key", "PEM file of its key, without a passphrase", AX_SETTING_TEXT, FIELD(tls.key), 0, 0,
     0, ""},
    {"tls_client_ca", "PEM file of who vouches for clients' certificates; empty: none is asked for",
     AX_SETTING_TEXT, FIELD(tls.client_ca), 0, 0, 0, ""},
    {"tls_client_required", "whether a client must show a certificate", AX_SETTING_SWITCH,
     FIELD(tls.client_required), 0, 0, 1},
    {"tls_allow_1_2", "whether TLS 1.2 is spoken beside 1.3", AX_SETTING_SWITCH,
     FIELD(tls.allow_1_2), 0, 0, 1},
};

const struct ax_settings *
ax_loop_settings(void)
{
    static const struct ax_settings settings = {
        .section = "net", .rows = rows, .row_count = AX_COUNT_OF(rows)};
    return &settings;
}

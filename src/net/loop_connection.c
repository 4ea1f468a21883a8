/* The transport of one connection: libuv's stream below, a session above. Part of loop. */
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/loop_parts.h"
#include "sys/clock.h"

enum { RECORDS_BYTES = 64 * 1024, RECORDS_BYTES_KEPT = 512, FILE_BYTES_AT_ONCE = 1 << 20 };

#define NS_PER_MS INT64_C(1'000'000)

struct ax_loop_connection {
    struct ax_wheel_node node; /* first: the wheel gives it back */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } as;
    uv_write_t write;
    struct ax_loop *loop;
    struct ax_session *session; /* NULL once closing */
    struct ax_loop_connection *next, **link;
    struct ax_loop_connection *next_ready;
    struct ax_session_peer peer;
    size_t writing_bytes;
    int64_t write_deadline_ns;
    struct ax_http2_start start;
    bool begun;                    /* the session is that of the client's protocol */
    struct ax_tls_connection *tls; /* NULL for cleartext */
    struct ax_writer records; /* of TLS, on their way to the kernel: nothing is added to them */
    size_t records_sent_bytes;
    bool tls_opened; /* its handshake has been looked at */
    bool is_ready;
    bool reading;
    bool writing; /* the kernel took no more: uv has the rest */
    bool lingering;
    bool closing;
};

static void settle(struct ax_loop_connection *connection, int64_t now_ns);
static void count_sent(struct ax_loop_connection *connection, size_t bytes, int64_t now_ns);

static void
connection_on_closed(uv_handle_t *handle)
{
    struct ax_loop_connection *connection = handle->data;
    ax_writer_free(&connection->records); /* until now the kernel could have had them */
    ax_free(connection);
}

static void
connection_close(struct ax_loop_connection *connection)
{
    struct ax_loop *loop = connection->loop;
    if (connection->closing)
        return;
    connection->closing = true;
    ax_wheel_arm(&loop->wheel, &connection->node, INT64_MAX);
    if (connection->session)
        ax_session_close(connection->session);
    connection->session = NULL;
    if (connection->tls)
        ax_tls_connection_free(connection->tls);
    connection->tls = NULL;
    ax_session_identity_unref(connection->peer.identity);
    connection->peer.identity = NULL;
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    loop->connection_count--;
    ax_admission_leave(loop->loops->admission, connection->peer.network);
    uv_close(&connection->as.handle, connection_on_closed);
}

/* ---- reading ---- */

static void connection_ready(void *arg);

/* A session in the place of one that nobody has spoken to, if any. */
static void
become(struct ax_loop_connection *connection, bool http2, int64_t now_ns)
{
    struct ax_loop *loop = connection->loop;
    struct ax_loops *loops = loop->loops;
    struct ax_session_transport transport = {.arg = connection, .ready = connection_ready};
    if (connection->session)
        ax_session_close(connection->session);
    connection->session = http2 ? ax_http2_session_new(&loop->pool, &loops->http2_config,
                                                       &connection->peer, transport, now_ns)
                                : ax_http1_session_new(&loop->pool, &loops->http1_config,
                                                       &connection->peer, transport, now_ns);
    if (!connection->session) {
        connection_close(connection);
        return;
    }
    connection->session->sends_files = !connection->tls;
    if (loop->draining)
        ax_session_drain(connection->session, now_ns);
}

/*
 * The first bytes tell the protocol. They are kept as long as they may be the preface of HTTP/2.
 * Whether the session, which has heard what came before, is to hear the bytes now.
 */
static bool
begin(struct ax_loop_connection *connection, ax_str bytes, int64_t now_ns)
{
    ax_str before;
    enum ax_http2_preface preface = ax_http2_start_take(&connection->start, bytes, &before);
    if (preface == AX_HTTP2_MAYBE)
        return false;
    connection->begun = true;
    if (preface == AX_HTTP2_YES)
        become(connection, true, now_ns);
    if (!connection->closing && before.len > 0)
        ax_session_receive(connection->session, before, now_ns);
    return !connection->closing;
}

static void
receive_plain(struct ax_loop_connection *connection, ax_str bytes, int64_t now_ns)
{
    if (connection->begun || begin(connection, bytes, now_ns))
        ax_session_receive(connection->session, bytes, now_ns);
}

/* The handshake is done: it may have said the protocol, and who the client is. */
static void
look_at_handshake(struct ax_loop_connection *connection, int64_t now_ns)
{
    ax_str protocol = ax_tls_connection_protocol(connection->tls);
    connection->tls_opened = true;
    connection->begun = protocol.len > 0;
    if (ax_tls_connection_identity(connection->tls, &connection->peer.identity))
        become(connection, ax_str_eq(protocol, AX_STR("h2")), now_ns);
    else
        connection_close(connection);
}

static void
receive(struct ax_loop_connection *connection, ax_str bytes, int64_t now_ns)
{
    if (!connection->tls) {
        receive_plain(connection, bytes, now_ns);
        return;
    }
    enum ax_tls_state state = ax_tls_connection_receive(connection->tls, bytes);
    if (state == AX_TLS_OPEN && !connection->tls_opened)
        look_at_handshake(connection, now_ns);
    char *plain = connection->loop->plain;
    for (size_t len;
         !connection->closing && (len = ax_tls_connection_read(connection->tls, plain)) > 0;)
        receive_plain(connection, (ax_str){plain, len}, now_ns);
    if (!connection->closing && ax_tls_connection_state(connection->tls) == AX_TLS_ENDED)
        ax_session_end(connection->session);
}

static void
connection_on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct ax_loop_connection *connection = handle->data;
    (void)wanted;
    *out = uv_buf_init(connection->loop->input, AX_LOOP_INPUT_BYTES);
}

static void
connection_on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct ax_loop_connection *connection = stream->data;
    struct ax_loop *loop = connection->loop;
    if (len == 0 || connection->closing)
        return;
    int64_t now_ns = ax_clock_monotonic_ns();
    if (len > 0 && !connection->lingering)
        receive(connection, (ax_str){buffer->base, (size_t)len}, now_ns);
    else if (len == UV_EOF && !connection->lingering)
        ax_session_end(connection->session);
    else if (len < 0)
        connection_close(connection);
    if (!connection->lingering)
        settle(connection, now_ns);
    ax_loop_connection_settle_ready(loop);
    ax_loop_changed(loop);
}

static void
set_reading(struct ax_loop_connection *connection, bool reading)
{
    if (reading == connection->reading)
        return;
    connection->reading = reading;
    if (!reading)
        uv_read_stop(&connection->as.stream);
    else if (uv_read_start(&connection->as.stream, connection_on_room, connection_on_read) != 0)
        connection_close(connection);
}

/* ---- writing ---- */

static void
connection_on_written(uv_write_t *write, int status)
{
    struct ax_loop_connection *connection = write->data;
    struct ax_loop *loop = connection->loop;
    connection->writing = false;
    if (connection->closing)
        return;
    int64_t now_ns = ax_clock_monotonic_ns();
    if (status < 0) {
        connection_close(connection);
    } else {
        count_sent(connection, connection->writing_bytes, now_ns);
        settle(connection, now_ns);
    }
    ax_loop_connection_settle_ready(loop);
    ax_loop_changed(loop);
}

/* Small pieces share a record, which has its price; large ones fill several. */
static bool
encrypt(struct ax_loop_connection *connection, const struct iovec *pieces, int count)
{
    char *plain = connection->loop->plain;
    size_t held = 0;
    for (int i = 0; i < count; i++) {
        ax_str rest = {pieces[i].iov_base, pieces[i].iov_len};
        while (rest.len > 0) {
            size_t room = AX_TLS_RECORD_BYTES - held, len = rest.len < room ? rest.len : room;
            memcpy(plain + held, rest.at, len);
            held += len;
            rest = ax_str_from(rest, len);
            if (held < AX_TLS_RECORD_BYTES)
                continue;
            if (!ax_tls_connection_write(connection->tls, (ax_str){plain, held}))
                return false;
            held = 0;
        }
    }
    return held == 0 || ax_tls_connection_write(connection->tls, (ax_str){plain, held});
}

/* What the session has to send goes into records, once those before have left. */
static void
fill_records(struct ax_loop_connection *connection, int64_t now_ns)
{
    struct ax_writer *output = ax_tls_connection_output(connection->tls);
    struct iovec pieces[AX_SESSION_IOV_MAX];
    if (connection->records_sent_bytes < connection->records.len)
        return;
    for (int count; connection->tls_opened && output->len < RECORDS_BYTES &&
                    (count = ax_session_output(connection->session, pieces)) > 0;) {
        size_t bytes = 0;
        for (int i = 0; i < count; i++)
            bytes += pieces[i].iov_len;
        if (!encrypt(connection, pieces, count))
            break;
        ax_session_sent(connection->session, bytes, now_ns);
    }
    struct ax_writer sent = connection->records;
    connection->records = *output;
    connection->records_sent_bytes = 0;
    ax_writer_clear(&sent);
    *output = sent;
    if (connection->records.len > 0)
        return;
    if (output->capacity > RECORDS_BYTES_KEPT) /* it rests: what it held goes back */
        ax_writer_free(output);
    if (connection->records.capacity > RECORDS_BYTES_KEPT)
        ax_writer_free(&connection->records);
}

/* So much of what was gathered went to the kernel. */
static void
count_sent(struct ax_loop_connection *connection, size_t bytes, int64_t now_ns)
{
    if (connection->tls)
        connection->records_sent_bytes += bytes;
    else
        ax_session_sent(connection->session, bytes, now_ns);
}

/* What there is to send; returns the count of pieces. */
static unsigned
gather(struct ax_loop_connection *connection, uv_buf_t out[AX_SESSION_IOV_MAX], size_t *out_bytes)
{
    struct iovec pieces[AX_SESSION_IOV_MAX];
    int count = 1;
    if (connection->tls) {
        const struct ax_writer *records = &connection->records;
        fill_records(connection, ax_clock_monotonic_ns());
        size_t sent = connection->records_sent_bytes;
        pieces[0] = (struct iovec){.iov_base = records->at + sent, .iov_len = records->len - sent};
        count = records->len > sent;
    } else {
        count = ax_session_output(connection->session, pieces);
    }
    *out_bytes = 0;
    for (int i = 0; i < count; i++) {
        out[i] = (uv_buf_t){.base = pieces[i].iov_base, .len = pieces[i].iov_len};
        *out_bytes += pieces[i].iov_len;
    }
    return (unsigned)count;
}

/* Leaves the rest to uv, which calls back when the client has taken it. */
static void
write_rest(struct ax_loop_connection *connection, int64_t now_ns)
{
    uv_buf_t pieces[AX_SESSION_IOV_MAX];
    unsigned count = gather(connection, pieces, &connection->writing_bytes);
    connection->write.data = connection;
    connection->write_deadline_ns = now_ns + connection->loop->loops->config.write_ms * NS_PER_MS;
    connection->writing = true;
    if (uv_write(&connection->write, &connection->as.stream, pieces, count,
                 connection_on_written) != 0) {
        connection->writing = false;
        connection_close(connection);
    }
}

/*
 * A file's bytes from the kernel's memory to the socket's. When none can go, whatever the reason,
 * the session reads a few of them: what is wrong is found there, or uv says when there is room.
 */
static void
send_file(struct ax_loop_connection *connection, const struct ax_session_file *file)
{
    uv_os_fd_t socket;
    off_t at = (off_t)file->at;
    size_t len = file->left < FILE_BYTES_AT_ONCE ? (size_t)file->left : FILE_BYTES_AT_ONCE;
    ssize_t sent = 0;
    if (uv_fileno(&connection->as.handle, &socket) == 0)
        sent = sendfile(socket, file->descriptor, &at, len);
    ax_session_file_sent(connection->session, sent > 0 ? (size_t)sent : 0, ax_clock_monotonic_ns());
}

/* Straight to the kernel: one call for all answers that are due. */
static void
flush(struct ax_loop_connection *connection)
{
    while (!connection->writing && !connection->closing) {
        uv_buf_t pieces[AX_SESSION_IOV_MAX];
        struct ax_session_file file;
        size_t bytes;
        if (ax_session_file(connection->session, &file)) {
            send_file(connection, &file);
            continue;
        }
        unsigned count = gather(connection, pieces, &bytes);
        if (count == 0)
            return;
        int64_t now_ns = ax_clock_monotonic_ns();
        int sent = uv_try_write(&connection->as.stream, pieces, count);
        if (sent > 0)
            count_sent(connection, (size_t)sent, now_ns);
        if (sent < 0 && sent != UV_EAGAIN)
            connection_close(connection);
        else if (sent < 0 || (size_t)sent < bytes)
            write_rest(connection, now_ns);
    }
}

/* ---- what the session wants ---- */

/*
 * Closing now could make the kernel throw away the answer, because input is unread: so only our
 * direction ends, and what still comes is read and forgotten for a while.
 */
static void
linger(struct ax_loop_connection *connection, int64_t now_ns)
{
    uv_os_fd_t socket;
    connection->lingering = true;
    if (uv_fileno(&connection->as.handle, &socket) != 0 || shutdown(socket, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    set_reading(connection, true);
    int64_t linger_ns = connection->loop->loops->config.linger_ms * NS_PER_MS;
    if (!connection->closing)
        ax_wheel_arm(&connection->loop->wheel, &connection->node, now_ns + linger_ns);
}

/* Ends the encryption in order when the session ends, and with a word when it failed. */
static bool
settle_tls(struct ax_loop_connection *connection, struct ax_session_wants *wants)
{
    if (ax_tls_connection_state(connection->tls) == AX_TLS_FAILED)
        *wants = (struct ax_session_wants){.close = true, .deadline_ns = INT64_MAX};
    if (wants->close || wants->linger) {
        ax_tls_connection_end(connection->tls);
        flush(connection);
    }
    return !connection->closing;
}

static void
settle(struct ax_loop_connection *connection, int64_t now_ns)
{
    if (!connection->closing)
        flush(connection);
    if (connection->closing || connection->lingering)
        return;
    struct ax_session_wants wants = ax_session_wants(connection->session);
    if (connection->tls && !settle_tls(connection, &wants))
        return;
    if (wants.close && !connection->writing) {
        connection_close(connection);
        return;
    }
    if (wants.linger && !connection->writing) {
        linger(connection, now_ns);
        return;
    }
    set_reading(connection, wants.read);
    int64_t deadline_ns = wants.deadline_ns;
    if (connection->writing && connection->write_deadline_ns < deadline_ns)
        deadline_ns = connection->write_deadline_ns;
    if (!connection->closing)
        ax_wheel_arm(&connection->loop->wheel, &connection->node, deadline_ns);
}

/* Without an end in order: the kernel forgets what the client did not take. */
static void
connection_reset(struct ax_loop_connection *connection)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    uv_os_fd_t socket;
    if (uv_fileno(&connection->as.handle, &socket) == 0)
        (void)!setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    connection_close(connection);
}

void
ax_loop_connection_due(void *arg, struct ax_wheel_node *node)
{
    struct ax_loop *loop = arg;
    struct ax_loop_connection *connection = (struct ax_loop_connection *)node;
    int64_t now_ns = ax_clock_monotonic_ns();
    if (connection->lingering) {
        connection_close(connection);
        return;
    }
    if (connection->writing && connection->write_deadline_ns <= now_ns) {
        ax_admission_count_cut(loop->loops->admission);
        connection_reset(connection);
        return;
    }
    if (ax_session_expire(connection->session, now_ns))
        ax_admission_count_cut(loop->loops->admission);
    settle(connection, now_ns);
}

static void
connection_ready(void *arg)
{
    struct ax_loop_connection *connection = arg;
    if (connection->is_ready || connection->closing)
        return;
    connection->is_ready = true;
    connection->next_ready = connection->loop->ready;
    connection->loop->ready = connection;
}

void
ax_loop_connection_settle_ready(struct ax_loop *loop)
{
    if (!loop->ready)
        return;
    int64_t now_ns = ax_clock_monotonic_ns();
    while (loop->ready) {
        struct ax_loop_connection *connection = loop->ready;
        loop->ready = connection->next_ready;
        connection->is_ready = false;
        settle(connection, now_ns);
    }
}

/* ---- coming and going ---- */

void
ax_loop_connection_drain_all(struct ax_loop *loop, int64_t grace_until_ns)
{
    int64_t now_ns = ax_clock_monotonic_ns();
    for (struct ax_loop_connection *at = loop->connections, *next; at; at = next) {
        next = at->next;
        if (at->lingering)
            continue;
        ax_session_drain(at->session, grace_until_ns);
        settle(at, now_ns);
    }
}

void
ax_loop_connection_cut_all(struct ax_loop *loop)
{
    while (loop->connections)
        connection_close(loop->connections);
}

static int
stream_open(struct ax_loop_connection *connection, int socket, bool is_unix)
{
    if (is_unix) {
        int failed = uv_pipe_init(&connection->loop->uv, &connection->as.pipe, 0);
        return failed != 0 ? failed : uv_pipe_open(&connection->as.pipe, socket);
    }
    int failed = uv_tcp_init(&connection->loop->uv, &connection->as.tcp);
    return failed != 0 ? failed : uv_tcp_open(&connection->as.tcp, socket);
}

void
ax_loop_connection_open(struct ax_loop *loop, int socket, const struct ax_session_peer *peer)
{
    struct ax_loops *loops = loop->loops;
    int64_t now_ns = ax_clock_monotonic_ns();
    struct ax_loop_connection *connection = ax_alloc(1, sizeof *connection);
    if (!connection) {
        close(socket);
        ax_admission_leave(loops->admission, peer->network);
        return;
    }
    connection->loop = loop;
    connection->peer = *peer;
    connection->records = ax_writer_of(SIZE_MAX / 2);
    int failed = stream_open(connection, socket, peer->network == 0);
    connection->as.handle.data = connection;
    if (failed != 0)
        close(socket); /* the handle did not take it */
    connection->next = loop->connections;
    connection->link = &loop->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    loop->connections = connection;
    loop->connection_count++;
    if (failed == 0 && peer->secure)
        connection->tls = ax_tls_connection_new(loops->tls);
    if (failed != 0 || (peer->secure && !connection->tls)) {
        connection_close(connection);
        return;
    }
    become(connection, false, now_ns);
    settle(connection, now_ns);
}

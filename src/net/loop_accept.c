/* Accepting connections, turning away what is too much. Part of loop. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/loop_parts.h"

enum { ACCEPTS_AT_ONCE = 32 };

/* What a client hears who comes when all places are taken; best effort. */
static void
turn_away(int socket, bool secure)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 32\r\n"
                               "Retry-After: 1\r\n"
                               "Connection: close\r\n\r\n"
                               "{\"error\":\"too many connections\"}";
    if (!secure) /* else the words would not be understood */
        (void)!send(socket, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(socket);
}

/* Gives up the spare descriptor to accept one connection and close it. false: it did not help. */
static bool
shed_one(struct ax_loop *loop, const struct ax_loop_listener *listener)
{
    struct sockaddr_storage address;
    if (loop->spare_socket < 0)
        return false;
    close(loop->spare_socket);
    int socket = ax_listener_accept(listener->socket, &address);
    if (socket >= 0) {
        turn_away(socket, loop->loops->secure[listener->index]);
        ax_admission_count_refused(loop->loops->admission);
    }
    loop->spare_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return socket >= 0;
}

static void
accept_one(struct ax_loop_listener *listener, int socket, const struct sockaddr_storage *address)
{
    struct ax_loop *loop = listener->loop;
    struct ax_session_peer peer = {.network = ax_admission_key((const struct sockaddr *)address),
                                   .listener = listener->index,
                                   .secure = loop->loops->secure[listener->index]};
    if (!ax_admission_enter(loop->loops->admission, peer.network)) {
        turn_away(socket, peer.secure);
        return;
    }
    ax_listener_name(address, peer.address, sizeof peer.address);
    ax_loop_connection_open(loop, socket, &peer);
}

/* false when none waits any more, or none can be taken. */
static bool
accept_some(struct ax_loop_listener *listener)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage address;
        int socket = ax_listener_accept(listener->socket, &address);
        if (socket >= 0) {
            accept_one(listener, socket, &address);
            continue;
        }
        if (socket == -EAGAIN)
            return false;
        bool full = socket == -EMFILE || socket == -ENFILE;
        if (!full || !shed_one(listener->loop, listener)) {
            ax_loop_accept_set(listener->loop, false); /* else it would be told again at once */
            return false;
        }
    }
    return true;
}

static void
loop_on_connection(uv_poll_t *poll, int status, int events)
{
    struct ax_loop_listener *listener = poll->data;
    (void)status;
    (void)events;
    accept_some(listener);
    ax_loop_connection_settle_ready(listener->loop);
    ax_loop_changed(listener->loop);
}

void
ax_loop_accept_set(struct ax_loop *loop, bool accepting)
{
    loop->accept_paused = !accepting;
    for (size_t i = 0; i < loop->loops->listener_count; i++) {
        struct ax_loop_listener *listener = &loop->listeners[i];
        if (listener->socket < 0)
            continue;
        if (accepting)
            uv_poll_start(&listener->poll, UV_READABLE, loop_on_connection);
        else
            uv_poll_stop(&listener->poll);
    }
}

static void
loop_on_listener_closed(uv_handle_t *handle)
{
    struct ax_loop_listener *listener = handle->data;
    if (listener->socket >= 0)
        close(listener->socket);
    listener->socket = -1;
}

void
ax_loop_accept_stop(struct ax_loop *loop)
{
    loop->accept_paused = false;
    for (size_t i = 0; i < loop->loops->listener_count; i++) {
        struct ax_loop_listener *listener = &loop->listeners[i];
        while (loop->listening &&
               accept_some(listener)) /* the kernel has accepted them for us: they are served */
            ;
        uv_poll_stop(&listener->poll);
        uv_close((uv_handle_t *)&listener->poll, loop_on_listener_closed);
    }
}

#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/number.h"
#include "sys/os_error.h"

enum { PORT_TRIES = 8, PORT_MAX = 65'535, UNIX_MODE = 0660, HOST_BYTES_MAX = 256 };

static const ax_str unix_prefix = {"unix:", 5}, fd_prefix = {"fd:", 3};

struct place {
    struct sockaddr_storage at;
    socklen_t len;
};

static const struct sockaddr *
address_of(const struct place *place)
{
    return (const struct sockaddr *)&place->at;
}

static void
close_all(const int *sockets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(sockets[i]);
}

/* ---- TCP ---- */

static ax_status
split(struct ax_ctx *ctx, ax_str address, ax_str *out_host, uint64_t *out_port)
{
    size_t colon = address.len;
    while (colon > 0 && address.at[colon - 1] != ':')
        colon--;
    if (colon < 2 || !ax_parse_u64(ax_str_from(address, colon), out_port) || *out_port > PORT_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "listen on %.*s: expected HOST:PORT, [IPV6]:PORT or unix:PATH",
                       AX_FMT(address));
    ax_str host = {address.at, colon - 1};
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = (ax_str){host.at + 1, host.len - 2};
    *out_host = host;
    return AX_OK;
}

static ax_status
resolve(struct ax_ctx *ctx, ax_str address, struct place *out_place)
{
    ax_str host;
    uint64_t port;
    AX_TRY(split(ctx, address, &host, &port));
    char name[HOST_BYTES_MAX], service[8];
    if (host.len >= sizeof name)
        return ax_fail(ctx, AX_INVALID, "listen on %.*s: the host is too long", AX_FMT(address));
    snprintf(name, sizeof name, "%.*s", AX_FMT(host));
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int failed = ax_fault_here() ? EAI_MEMORY : getaddrinfo(name, service, &hints, &found);
    if (failed != 0)
        return ax_fail(ctx, failed == EAI_MEMORY ? AX_LIMIT : AX_INVALID, "listen on %.*s: %s",
                       AX_FMT(address), gai_strerror(failed));
    AX_ASSERT(found->ai_addrlen <= sizeof out_place->at);
    *out_place = (struct place){.len = found->ai_addrlen};
    memcpy(&out_place->at, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return AX_OK;
}

static in_port_t *
port_of(struct place *place)
{
    return place->at.ss_family == AF_INET6 ? &((struct sockaddr_in6 *)&place->at)->sin6_port
                                           : &((struct sockaddr_in *)&place->at)->sin_port;
}

/* Options are inherited by accepted connections, which saves a call for each. */
static int
tcp_bind(const struct place *place, bool shared)
{
    static const int on = 1;
    int fd = AX_OS_CALL(
        socket(place->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (fd < 0)
        return -errno;
    bool failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
                  (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
                  (place->at.ss_family == AF_INET6 &&
                   setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
                  AX_OS_CALL(bind(fd, address_of(place), place->len)) != 0;
    if (!failed)
        return fd;
    int number = errno;
    close(fd);
    return -number;
}

/*
 * A socket that does not share finds out whether anybody listens there: with SO_REUSEPORT a second
 * server would silently take half of the first one's clients. It also finds a free port for 0.
 */
static int
tcp_probe(struct place *place)
{
    int fd = tcp_bind(place, false);
    if (fd < 0)
        return fd;
    socklen_t len = sizeof place->at;
    int number = AX_OS_CALL(getsockname(fd, (struct sockaddr *)&place->at, &len)) == 0 ? 0 : errno;
    close(fd);
    return -number;
}

static int
tcp_listen(const struct place *place, const struct ax_listener_config *config, int *out_sockets)
{
    for (size_t i = 0; i < config->socket_count; i++) {
        int fd = tcp_bind(place, true);
        int number = fd < 0 ? -fd : 0;
        if (number == 0 && AX_OS_CALL(listen(fd, config->backlog)) != 0) {
            number = errno;
            close(fd);
        }
        if (number != 0) {
            close_all(out_sockets, i);
            return -number;
        }
        out_sockets[i] = fd;
    }
    return 0;
}

static ax_status
tcp_open(struct ax_ctx *ctx, const struct ax_listener_config *config, int *out_sockets,
         int *out_port)
{
    struct place place;
    AX_TRY(resolve(ctx, config->address, &place));
    bool any_port = *port_of(&place) == 0;
    int failed = 0;
    for (int i = 0; i < (any_port ? PORT_TRIES : 1); i++) { /* a chosen port may be snatched */
        if (any_port)
            *port_of(&place) = 0;
        failed = tcp_probe(&place);
        if (failed == 0)
            failed = tcp_listen(&place, config, out_sockets);
        if (failed != -EADDRINUSE)
            break;
    }
    if (failed != 0)
        return ax_os_error(ctx, -failed, "listen on %.*s", AX_FMT(config->address));
    *out_port = ntohs(*port_of(&place));
    return AX_OK;
}

/* One socket for all: a descriptor of it for each, from `from` on; a negative errno. */
static int
share(int fd, int *out_sockets, size_t from, size_t count)
{
    for (size_t i = from; i < count; i++) {
        out_sockets[i] = AX_OS_CALL(fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (out_sockets[i] >= 0)
            continue;
        int number = errno;
        close_all(out_sockets, i);
        return -number;
    }
    return 0;
}

/* ---- Unix ---- */

/* Removes the file that a server left when it died; not one behind which somebody listens. */
static void
remove_stale(const struct sockaddr_un *at)
{
    struct stat found;
    if (lstat(at->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED)
        unlink(at->sun_path);
    close(fd);
}

static ax_status
unix_open(struct ax_ctx *ctx, const struct ax_listener_config *config, int *out_sockets)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    ax_str path = ax_str_from(config->address, unix_prefix.len);
    if (path.len == 0 || path.len >= sizeof at.sun_path)
        return ax_fail(ctx, AX_INVALID, "listen on %.*s: the path has 1 to %zu bytes",
                       AX_FMT(config->address), sizeof at.sun_path - 1);
    memcpy(at.sun_path, path.at, path.len);
    remove_stale(&at);
    int fd = AX_OS_CALL(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return ax_os_error(ctx, errno, "listen on %.*s", AX_FMT(config->address));
    bool bound = AX_OS_CALL(bind(fd, (struct sockaddr *)&at, sizeof at)) == 0;
    if (!bound || AX_OS_CALL(chmod(at.sun_path, UNIX_MODE)) != 0 ||
        AX_OS_CALL(listen(fd, config->backlog)) != 0) {
        int number = errno;
        if (bound)
            unlink(at.sun_path);
        close(fd);
        return ax_os_error(ctx, number, "listen on %.*s", AX_FMT(config->address));
    }
    out_sockets[0] = fd;
    int failed = share(fd, out_sockets, 1, config->socket_count);
    if (failed == 0)
        return AX_OK;
    unlink(at.sun_path);
    return ax_os_error(ctx, -failed, "listen on %.*s", AX_FMT(config->address));
}

/* ---- one that another program opened, systemd above all ---- */

static bool
listens(int fd)
{
    int type = 0, accepts = 0;
    socklen_t type_len = sizeof type, accepts_len = sizeof accepts;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &accepts_len) == 0 && accepts;
}

static ax_status
fd_of(struct ax_ctx *ctx, ax_str address, int *out_fd)
{
    uint64_t number;
    ax_str text = ax_str_from(address, fd_prefix.len);
    if (!ax_parse_u64(text, &number) || number > INT_MAX || !listens((int)number))
        return ax_fail(ctx, AX_INVALID, "listen on %.*s: that is no socket that listens",
                       AX_FMT(address));
    *out_fd = (int)number;
    return AX_OK;
}

/* The socket itself stays: who opened it may want it for the next one who serves. */
static ax_status
fd_open(struct ax_ctx *ctx, const struct ax_listener_config *config, int *out_sockets,
        int *out_port)
{
    static const int on = 1;
    struct place place = {.len = sizeof place.at};
    int fd;
    AX_TRY(fd_of(ctx, config->address, &fd));
    int flags = fcntl(fd, F_GETFL);
    bool failed = flags < 0 || AX_OS_CALL(fcntl(fd, F_SETFL, flags | O_NONBLOCK)) != 0 ||
                  AX_OS_CALL(getsockname(fd, (struct sockaddr *)&place.at, &place.len)) != 0;
    int number = failed ? -errno : share(fd, out_sockets, 0, config->socket_count);
    if (number != 0)
        return ax_os_error(ctx, -number, "listen on %.*s", AX_FMT(config->address));
    bool tcp = place.at.ss_family == AF_INET || place.at.ss_family == AF_INET6;
    if (tcp) /* inherited by what is accepted */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *out_port = tcp ? ntohs(*port_of(&place)) : 0;
    return AX_OK;
}

bool
ax_listener_is_local(ax_str address)
{
    struct sockaddr_storage at = {};
    socklen_t len = sizeof at;
    uint64_t fd;
    char name[INET6_ADDRSTRLEN];
    if (ax_str_starts(address, unix_prefix))
        return true;
    if (!ax_str_starts(address, fd_prefix))
        return ax_str_starts(address, AX_STR("127.")) || ax_str_starts(address, AX_STR("[::1]:")) ||
               ax_str_starts(address, AX_STR("localhost:"));
    if (!ax_parse_u64(ax_str_from(address, fd_prefix.len), &fd) || fd > INT_MAX ||
        getsockname((int)fd, (struct sockaddr *)&at, &len) != 0)
        return false;
    ax_listener_name(&at, name, sizeof name);
    return at.ss_family == AF_UNIX || ax_str_starts(ax_str_of(name), AX_STR("127.")) ||
           ax_str_eq(ax_str_of(name), AX_STR("::1"));
}

/* ---- the door ---- */

ax_status
ax_listener_open(struct ax_ctx *ctx, const struct ax_listener_config *config, int *out_sockets,
                 int *out_port)
{
    AX_ASSERT(config->socket_count > 0 && config->backlog > 0);
    if (ax_str_starts(config->address, fd_prefix))
        return fd_open(ctx, config, out_sockets, out_port);
    if (!ax_str_starts(config->address, unix_prefix))
        return tcp_open(ctx, config, out_sockets, out_port);
    AX_TRY(unix_open(ctx, config, out_sockets));
    *out_port = 0;
    return AX_OK;
}

void
ax_listener_close(ax_str address, const int *sockets, size_t socket_count)
{
    close_all(sockets, socket_count);
    struct sockaddr_un at = {};
    ax_str path = ax_str_from(address, unix_prefix.len);
    if (!ax_str_starts(address, unix_prefix) || path.len >= sizeof at.sun_path)
        return;
    memcpy(at.sun_path, path.at, path.len);
    unlink(at.sun_path);
}

int
ax_listener_accept(int socket, struct sockaddr_storage *out_address)
{
    socklen_t len = sizeof *out_address;
    out_address->ss_family = AF_UNSPEC;
    int fd;
    do {
        fd = accept4(socket, (struct sockaddr *)out_address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd >= 0 ? fd : -errno;
}

void
ax_listener_name(const struct sockaddr_storage *address, char *out, size_t out_bytes)
{
    const void *host = NULL;
    if (address->ss_family == AF_INET)
        host = &((const struct sockaddr_in *)address)->sin_addr;
    else if (address->ss_family == AF_INET6)
        host = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (!host || !inet_ntop(address->ss_family, host, out, (socklen_t)out_bytes))
        snprintf(out, out_bytes, "unix");
}

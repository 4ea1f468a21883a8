#include "server/systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"
#include "sys/clock.h"

/* ---- the environment ---- */

/* A variable of systemd's, taken out of the environment; "" when it is not there. */
static ax_str
take_variable(struct ax_ctx *ctx, const char *name)
{
    ax_str kept = AX_STR("");
    const char *text = getenv(name);
    if (text)
        (void)ax_str_copy(ctx->arena, ax_str_of(text), &kept);
    unsetenv(name);
    return kept;
}

static ax_status
number_of(struct ax_ctx *ctx, const char *name, ax_str text, uint64_t max, uint64_t *out_number)
{
    *out_number = 0;
    if (text.len == 0 || (ax_parse_u64(text, out_number) && *out_number <= max))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "%s is \"%.*s\", which systemd would not say", name,
                   AX_FMT(text));
}

/* Whether what stands beside it is meant for this process and not for one that started it. */
static bool
is_ours(ax_str pid)
{
    uint64_t number;
    return pid.len == 0 || (ax_parse_u64(pid, &number) && number == (uint64_t)getpid());
}

static ax_status
take_sockets(struct ax_ctx *ctx, struct ax_systemd *systemd)
{
    ax_str pid = take_variable(ctx, "LISTEN_PID"), fds = take_variable(ctx, "LISTEN_FDS");
    ax_str rest = take_variable(ctx, "LISTEN_FDNAMES"), name;
    uint64_t count;
    (void)take_variable(ctx, "LISTEN_PIDFDID");
    if (pid.len == 0 || !is_ours(pid))
        return AX_OK;
    AX_TRY(number_of(ctx, "LISTEN_FDS", fds, AX_SYSTEMD_SOCKETS_MAX, &count));
    if (rest.len >= sizeof systemd->names_text)
        return ax_fail(ctx, AX_INVALID, "LISTEN_FDNAMES is too long");
    memcpy(systemd->names_text, rest.at, rest.len);
    rest.at = systemd->names_text;
    for (size_t i = 0; i < count; i++) {
        systemd->names[i] = ax_str_cut(&rest, ':', &name) ? name : AX_STR("");
        fcntl(AX_SYSTEMD_FIRST_SOCKET + (int)i, F_SETFD, FD_CLOEXEC);
    }
    systemd->socket_count = (size_t)count;
    return AX_OK;
}

static ax_status
take_watchdog(struct ax_ctx *ctx, struct ax_systemd *systemd)
{
    ax_str pid = take_variable(ctx, "WATCHDOG_PID"), text = take_variable(ctx, "WATCHDOG_USEC");
    uint64_t us;
    if (!is_ours(pid))
        return AX_OK;
    AX_TRY(number_of(ctx, "WATCHDOG_USEC", text, INT64_MAX / 1'000, &us));
    systemd->watchdog_ms = (int64_t)(us / 1'000);
    if (us > 0 && systemd->watchdog_ms == 0)
        systemd->watchdog_ms = 1;
    return AX_OK;
}

/* A path, or '@' and a name without a file. */
static ax_status
take_notify_socket(struct ax_ctx *ctx, struct ax_systemd *systemd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    ax_str path = take_variable(ctx, "NOTIFY_SOCKET");
    if (path.len == 0)
        return AX_OK;
    bool named = path.at[0] == '@';
    if ((!named && path.at[0] != '/') || path.len >= sizeof at.sun_path)
        return ax_fail(ctx, AX_INVALID, "NOTIFY_SOCKET is \"%.*s\", which systemd would not say",
                       AX_FMT(path));
    memcpy(at.sun_path, path.at, path.len);
    if (named)
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + !named);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, len) != 0) {
        close(fd);
        fd = -1;
    }
    systemd->notify_socket = fd;
    return AX_OK;
}

ax_status
ax_systemd_open(struct ax_ctx *ctx, struct ax_systemd *out_systemd)
{
    *out_systemd = (struct ax_systemd){.notify_socket = -1};
    AX_TRY(take_sockets(ctx, out_systemd));
    AX_TRY(take_watchdog(ctx, out_systemd));
    return take_notify_socket(ctx, out_systemd);
}

void
ax_systemd_close(struct ax_systemd *systemd)
{
    if (systemd->notify_socket >= 0)
        close(systemd->notify_socket);
    systemd->notify_socket = -1;
}

/* ---- sockets ---- */

static ax_status
address_of(struct ax_ctx *ctx, const char *prefix, size_t index, ax_str *out_address)
{
    *out_address = ax_str_printf(ctx->arena, "%sfd:%zu", prefix, AX_SYSTEMD_FIRST_SOCKET + index);
    return out_address->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for an address");
}

ax_status
ax_systemd_address(const struct ax_systemd *systemd, struct ax_ctx *ctx, ax_str address,
                   ax_str *out_address)
{
    bool secure = ax_str_starts(address, AX_STR("tls:"));
    ax_str name = secure ? ax_str_from(address, 4) : address;
    bool named = ax_str_starts(name, AX_STR("systemd:"));
    if (!named && !ax_str_eq(name, AX_STR("systemd"))) {
        *out_address = address;
        return AX_OK;
    }
    name = named ? ax_str_from(name, 8) : AX_STR("");
    for (size_t i = 0; i < systemd->socket_count; i++)
        if (named ? ax_str_eq(name, systemd->names[i]) : systemd->socket_count == 1)
            return address_of(ctx, secure ? "tls:" : "", i, out_address);
    return ax_fail(ctx, AX_NOT_FOUND,
                   "listen on %.*s: systemd has handed over %zu sockets, none by that name",
                   AX_FMT(address), systemd->socket_count);
}

ax_status
ax_systemd_address_at(const struct ax_systemd *systemd, struct ax_ctx *ctx, size_t index,
                      ax_str *out_address)
{
    bool secure = ax_str_eq(systemd->names[index], AX_STR("tls")) ||
                  ax_str_eq(systemd->names[index], AX_STR("https"));
    return address_of(ctx, secure ? "tls:" : "", index, out_address);
}

/* ---- words ---- */

static void
say(const struct ax_systemd *systemd, const char *words)
{
    if (systemd->notify_socket >= 0)
        (void)!send(systemd->notify_socket, words, strlen(words), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
ax_systemd_say_ready(const struct ax_systemd *systemd)
{
    say(systemd, "READY=1\nSTATUS=serving");
}

void
ax_systemd_say_reloading(const struct ax_systemd *systemd)
{
    char words[96];
    snprintf(words, sizeof words, "RELOADING=1\nSTATUS=reloading\nMONOTONIC_USEC=%lld",
             (long long)(ax_clock_monotonic_ns() / 1'000));
    say(systemd, words);
}

void
ax_systemd_say_stopping(const struct ax_systemd *systemd)
{
    say(systemd, "STOPPING=1\nSTATUS=requests in flight end");
}

void
ax_systemd_say_alive(const struct ax_systemd *systemd)
{
    say(systemd, "WATCHDOG=1");
}

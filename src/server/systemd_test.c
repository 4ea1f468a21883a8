#include "server/systemd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"
#include "harness.h"
#include "sys/clock.h"

/* A socket that stands for systemd's: with a file, or by name alone. */
static int
listen_at(const char *path, bool named)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + !named);
    if (named)
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, len), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static ax_str
heard(int fd, char *room, size_t room_bytes)
{
    ssize_t count = recv(fd, room, room_bytes, MSG_DONTWAIT);
    return count > 0 ? (ax_str){room, (size_t)count} : AX_STR("");
}

static void
words(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-systemd-XXXXXX", path[64], room[256];
    CHECK(mkdtemp(folder) != NULL);
    for (int named = 0; named < 2; named++) {
        struct ax_systemd systemd;
        snprintf(path, sizeof path, "%s%s/notify", named ? "@" : "", folder);
        int fd = listen_at(path, named);
        CHECK_EQ(ax_systemd_open(ctx, &systemd), AX_OK);
        CHECK(getenv("NOTIFY_SOCKET") == NULL);
        ax_systemd_say_ready(&systemd);
        CHECK_STR(heard(fd, room, sizeof room), "READY=1\nSTATUS=serving");
        int64_t before_us = ax_clock_monotonic_ns() / 1'000;
        ax_systemd_say_reloading(&systemd);
        ax_str said = heard(fd, room, sizeof room);
        ax_str start = AX_STR("RELOADING=1\nSTATUS=reloading\nMONOTONIC_USEC=");
        int64_t us = 0;
        CHECK(ax_str_starts(said, start) && ax_parse_i64(ax_str_from(said, start.len), &us));
        CHECK(us >= before_us && us <= ax_clock_monotonic_ns() / 1'000);
        ax_systemd_say_alive(&systemd);
        CHECK_STR(heard(fd, room, sizeof room), "WATCHDOG=1");
        ax_systemd_say_stopping(&systemd);
        CHECK(ax_str_starts(heard(fd, room, sizeof room), AX_STR("STOPPING=1\n")));
        close(fd); /* nobody is there any more: nothing happens */
        ax_systemd_say_alive(&systemd);
        ax_systemd_close(&systemd);
        if (!named)
            unlink(path);
    }
    rmdir(folder);
}

TEST(systemd_hears_how_we_are)
{
    ax_test_with_ctx(words);
}

static void
nobody(struct ax_ctx *ctx)
{
    struct ax_systemd systemd;
    unsetenv("NOTIFY_SOCKET");
    CHECK_EQ(ax_systemd_open(ctx, &systemd), AX_OK);
    CHECK(systemd.notify_socket == -1 && systemd.socket_count == 0 && systemd.watchdog_ms == 0);
    ax_systemd_say_ready(&systemd);
    ax_systemd_close(&systemd);
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    CHECK_EQ(ax_systemd_open(ctx, &systemd), AX_OK);
    CHECK_EQ(systemd.notify_socket, -1);
}

TEST(without_systemd_nothing_is_said)
{
    ax_test_with_ctx(nobody);
}

static void
set_pid(const char *name, int add)
{
    char text[AX_NUMBER_BYTES_MAX];
    text[ax_format_i64(getpid() + add, text)] = '\0';
    setenv(name, text, 1);
}

static void
sockets(struct ax_ctx *ctx)
{
    static const struct {
        const char *address, *want; /* NULL: there is no such one */
    } rows[] = {{"systemd:api", "fd:3"},
                {"tls:systemd:https", "tls:fd:4"},
                {"systemd:", "fd:5"}, /* systemd would name it after its unit; this one has none */
                {"systemd:other", NULL},
                {"systemd", NULL}, /* which of them? */
                {"127.0.0.1:8080", "127.0.0.1:8080"},
                {"tls:[::1]:1", "tls:[::1]:1"},
                {"systemdx:1", "systemdx:1"}};
    struct ax_systemd systemd;
    ax_str address;
    set_pid("LISTEN_PID", 0);
    setenv("LISTEN_FDS", "3", 1);
    setenv("LISTEN_FDNAMES", "api:https:", 1);
    CHECK_EQ(ax_systemd_open(ctx, &systemd), AX_OK);
    CHECK_EQ(systemd.socket_count, 3);
    CHECK(getenv("LISTEN_FDS") == NULL && getenv("LISTEN_PID") == NULL);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        ax_status status = ax_systemd_address(&systemd, ctx, ax_str_of(rows[i].address), &address);
        CHECK_EQ(status, rows[i].want ? AX_OK : AX_NOT_FOUND);
        if (status == AX_OK)
            CHECK_STR(address, rows[i].want);
    }
    CHECK_EQ(ax_systemd_address_at(&systemd, ctx, 0, &address), AX_OK);
    CHECK_STR(address, "fd:3");
    CHECK_EQ(ax_systemd_address_at(&systemd, ctx, 1, &address), AX_OK);
    CHECK_STR(address, "tls:fd:4");
    ax_systemd_close(&systemd);

    set_pid("LISTEN_PID", 0);
    setenv("LISTEN_FDS", "1", 1);
    CHECK_EQ(ax_systemd_open(ctx, &systemd), AX_OK);
    CHECK_EQ(ax_systemd_address(&systemd, ctx, AX_STR("systemd"), &address), AX_OK);
    CHECK_STR(address, "fd:3");
}

TEST(sockets_are_found_by_their_names)
{
    ax_test_with_ctx(sockets);
}

static void
variables(struct ax_ctx *ctx)
{
    static const struct {
        const char *name, *value;
        int pid_add;
        ax_status want;
    } rows[] = {{"LISTEN_FDS", "2", 1, AX_OK}, /* somebody else's */
                {"LISTEN_FDS", "two", 0, AX_INVALID},
                {"LISTEN_FDS", "17", 0, AX_INVALID},
                {"LISTEN_FDS", "-1", 0, AX_INVALID},
                {"WATCHDOG_USEC", "30000000", 0, AX_OK},
                {"WATCHDOG_USEC", "1", 0, AX_OK},
                {"WATCHDOG_USEC", "soon", 0, AX_INVALID},
                {"NOTIFY_SOCKET", "relative", 0, AX_INVALID}};
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        struct ax_systemd systemd;
        set_pid("LISTEN_PID", rows[i].pid_add);
        setenv(rows[i].name, rows[i].value, 1);
        CHECK_EQ(ax_systemd_open(ctx, &systemd), rows[i].want);
        CHECK_EQ(systemd.socket_count, 0);
        if (i == 4)
            CHECK_EQ(systemd.watchdog_ms, 30'000);
        if (i == 5)
            CHECK_EQ(systemd.watchdog_ms, 1);
    }
}

TEST(what_systemd_would_not_say_is_refused)
{
    ax_test_with_ctx(variables);
}

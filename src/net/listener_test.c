#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#include "net/loopback_test.h"

#define OPEN(address_, count)                                                                      \
    &(struct ax_listener_config)                                                                   \
    {                                                                                              \
        .address = (address_), .backlog = 8, .socket_count = (count)                               \
    }

static void
bad_addresses(struct ax_ctx *ctx)
{
    static const char *const cases[] = {
        "",
        "127.0.0.1",
        ":80",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:x",
        "127.0.0.1:+1",
        "192.0.2.1:0",
        "no host:0",
        "unix:",
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int sockets[1], port;
        ax_status status = ax_listener_open(ctx, OPEN(ax_str_of(cases[i]), 1), sockets, &port);
        if (status != AX_INVALID || !strstr(ctx->error, "listen on"))
            ax_test_failed(__FILE__, __LINE__, "'%s': %s: %s", cases[i], ax_status_name(status),
                           ctx->error);
    }
}

TEST(an_address_that_is_none_is_refused_in_words)
{
    ax_test_with_ctx(bad_addresses);
}

static void
ports(struct ax_ctx *ctx)
{
    int sockets[3], more[1], port, other;
    CHECK_EQ(ax_listener_open(ctx, OPEN(AX_STR("127.0.0.1:0"), 3), sockets, &port), AX_OK);
    CHECK(port > 0);
    ax_str address = ax_str_printf(ctx->arena, "127.0.0.1:%d", port);
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 1), more, &other), AX_CONFLICT);
    CHECK(strstr(ctx->error, "Address already in use") != NULL);

    int client = loopback_dial(port), accepted = -EAGAIN, on = 0;
    socklen_t len = sizeof on;
    struct sockaddr_storage from;
    char name[64];
    for (int tries = 0; accepted < 0 && tries < 300; tries++) {
        accepted = ax_listener_accept(sockets[tries % 3], &from);
        ax_clock_sleep_ms(accepted < 0);
    }
    CHECK(accepted >= 0);
    ax_listener_name(&from, name, sizeof name);
    CHECK_STR(ax_str_of(name), "127.0.0.1");
    CHECK_EQ(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    CHECK(on != 0);
    CHECK(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    close(accepted);
    close(client);
    ax_listener_close(address, sockets, 3);
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 1), more, &other), AX_OK);
    CHECK_EQ(other, port);
    ax_listener_close(address, more, 1);
}

TEST(a_port_is_chosen_shared_by_our_sockets_and_by_nobody_else)
{
    ax_test_with_ctx(ports);
}

static void
unix_sockets(struct ax_ctx *ctx)
{
    ax_str path = ax_str_printf(ctx->arena, "/tmp/axiom_listener_%d.sock", (int)getpid());
    ax_str address = ax_str_printf(ctx->arena, "unix:%.*s", AX_FMT(path));
    int sockets[2], more[1], port;
    struct stat found;
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 2), sockets, &port), AX_OK);
    CHECK_EQ(port, 0);
    CHECK_EQ(stat(path.at, &found), 0);
    CHECK_EQ(found.st_mode & 0777, 0660);
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 1), more, &port), AX_CONFLICT);
    close(sockets[0]);
    close(sockets[1]); /* a server that died: its file stays and is replaced */
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 1), sockets, &port), AX_OK);
    ax_listener_close(address, sockets, 1);
    CHECK(stat(path.at, &found) != 0);

    int file = open(path.at, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* not ours: not removed */
    close(file);
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 1), sockets, &port), AX_CONFLICT);
    CHECK_EQ(stat(path.at, &found), 0);
    unlink(path.at);
}

TEST(a_unix_socket_replaces_a_dead_one_and_nothing_else)
{
    ax_test_with_ctx(unix_sockets);
}

static void
handed_over(struct ax_ctx *ctx)
{
    int first[1], sockets[2], port, same;
    struct sockaddr_storage from;
    CHECK_EQ(ax_listener_open(ctx, OPEN(AX_STR("127.0.0.1:0"), 1), first, &port), AX_OK);
    ax_str address = ax_str_printf(ctx->arena, "fd:%d", first[0]);
    CHECK_EQ(ax_listener_open(ctx, OPEN(address, 2), sockets, &same), AX_OK);
    CHECK_EQ(same, port);
    CHECK(ax_listener_is_local(address));
    int client = loopback_dial(port), accepted = -EAGAIN;
    for (int tries = 0; accepted < 0 && tries < 300; tries++) {
        accepted = ax_listener_accept(sockets[tries % 2], &from);
        ax_clock_sleep_ms(accepted < 0 ? 10 : 0);
    }
    CHECK(accepted >= 0);
    close(accepted);
    close(client);
    ax_listener_close(address, sockets, 2);
    client = loopback_dial(port); /* whose it was still has it */
    CHECK(client >= 0);
    close(client);

    static const char *const none[] = {"fd:", "fd:x", "fd:-1", "fd:99999999999", "fd:1000", "fd:0"};
    for (size_t i = 0; i < AX_COUNT_OF(none); i++) {
        CHECK_EQ(ax_listener_open(ctx, OPEN(ax_str_of(none[i]), 1), sockets, &same), AX_INVALID);
        CHECK(ax_test_said(ctx, "that is no socket that listens"));
        CHECK(!ax_listener_is_local(ax_str_of(none[i])));
    }
    close(first[0]);
    CHECK_EQ(ax_listener_open(ctx, OPEN(AX_STR("0.0.0.0:0"), 1), first, &port), AX_OK);
    CHECK(!ax_listener_is_local(ax_str_printf(ctx->arena, "fd:%d", first[0])));
    close(first[0]);
}

TEST(a_socket_that_another_opened_is_shared)
{
    ax_test_with_ctx(handed_over);
}

static int swept_socket;

static ax_status
open_fd(struct ax_ctx *ctx)
{
    char text[32];
    int sockets[2], port;
    snprintf(text, sizeof text, "fd:%d", swept_socket);
    AX_TRY(ax_listener_open(ctx, OPEN(ax_str_of(text), 2), sockets, &port));
    ax_listener_close(ax_str_of(text), sockets, 2);
    return AX_OK;
}

static ax_status
open_tcp(struct ax_ctx *ctx)
{
    int sockets[2], port;
    AX_TRY(ax_listener_open(ctx, OPEN(AX_STR("127.0.0.1:0"), 2), sockets, &port));
    ax_listener_close(AX_STR("127.0.0.1:0"), sockets, 2);
    return AX_OK;
}

static ax_status
open_unix(struct ax_ctx *ctx)
{
    int sockets[2], port;
    ax_str address = AX_STR("unix:/tmp/axiom_listener_sweep.sock");
    AX_TRY(ax_listener_open(ctx, OPEN(address, 2), sockets, &port));
    ax_listener_close(address, sockets, 2);
    return AX_OK;
}

TEST(listeners_survive_every_fault_of_their_opening)
{
    int before = dup(0), after;
    FAULT_SWEEP(open_tcp);
    FAULT_SWEEP(open_unix);
    swept_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(listen(swept_socket, 1), 0);
    FAULT_SWEEP(open_fd);
    close(swept_socket);
    after = dup(0);
    CHECK_EQ(after, before + 1); /* no descriptor was left open */
}

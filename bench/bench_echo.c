/*
 * The floor under every figure over HTTP and gRPC: the same loop and parser, and a body or message
 * sent back.
 *
 *     bench_echo [PORT [CERTIFICATE KEY]]
 *
 * gRPC: /axiom.Echo/Unary and /axiom.Echo/Stream. One loop; ends with the process. With a
 * certificate the port has TLS. Prints "ready" when it listens.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/grpc.h"
#include "net/loop.h"

static ax_status
echo_message(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    (void)ctx;
    if (!ax_grpc_half_closed(call))
        ax_writer_bytes(ax_grpc_reply(call), ax_grpc_message(call));
    return AX_OK;
}

static const struct ax_grpc_method methods[] = {
    {"Unary", AX_GRPC_UNARY, 0, echo_message, "sends the message back", NULL},
    {"Stream", AX_GRPC_STREAM, 0, echo_message, "sends each message back", NULL},
};
static const struct ax_grpc_service echo_service = {"axiom.Echo", methods, AX_COUNT_OF(methods)};
static const struct ax_grpc_service *const services[] = {&echo_service};
static const struct ax_grpc grpc = {.services = services, .service_count = AX_COUNT_OF(services)};

static void
echo_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_head(&grpc, exchange, limits);
}

static void
echo(void *arg, struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    ax_str body = request->body.len ? request->body : AX_STR("{}");
    (void)arg;
    if (ax_grpc_is(request))
        ax_grpc_handle(exchange);
    else
        ax_exchange_answer(exchange, 200, AX_STR("application/json"), body);
}

static void
echo_refused(void *arg, struct ax_exchange *exchange, int status, ax_str reason)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_refused(exchange, status, reason);
}

int
main(int argc, char **argv)
{
    struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_loop_config config;
    struct ax_loops *loops;
    const struct ax_exchange_service service = {
        .head = echo_head, .handler = echo, .refused = echo_refused};
    ax_str listen =
        ax_str_printf(arena, "%s127.0.0.1:%s", argc > 3 ? "tls:" : "", argc > 1 ? argv[1] : "8099");
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    ax_settings_defaults(ax_loop_settings(), &config);
    config.loop_count = 1;
    if (argc > 3)
        config.tls =
            (struct ax_tls_config){.certificate = ax_str_of(argv[2]), .key = ax_str_of(argv[3])};
    if (ax_loops_open(&ctx, &config, &service, &listen, 1, &loops) != AX_OK) {
        fprintf(stderr, "bench_echo: %s\n", ctx.error);
        return EXIT_FAILURE;
    }
    printf("ready\n");
    fflush(stdout);
    sigwait(&signals, &number);
    ax_loops_close(loops);
    ax_arena_free(arena);
    return EXIT_SUCCESS;
}

/*
 * The floor under every figure over HTTP: the same loop and parser, and a body sent back.
 *
 *     bench_echo [PORT]
 *
 * One loop; ends with the process. Prints "ready" when it listens.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/loop.h"

static void
echo(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    ax_str body = ax_exchange_request(exchange)->body;
    ax_exchange_answer(exchange, 200, AX_STR("application/json"), body.len ? body : AX_STR("{}"));
}

int
main(int argc, char **argv)
{
    struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_loop_config config;
    struct ax_loops *loops;
    const struct ax_exchange_service service = {.handler = echo};
    ax_str listen = ax_str_printf(arena, "127.0.0.1:%s", argc > 1 ? argv[1] : "8099");
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    ax_settings_defaults(ax_loop_settings(), &config);
    config.loop_count = 1;
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

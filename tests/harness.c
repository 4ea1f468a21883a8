#include "harness.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SWEEP_STEPS_MAX = 10'000, TEST_SECONDS_MAX = 60 };

static struct ax_test *tests;
static bool failed;

void
ax_test_add(struct ax_test *test)
{
    struct ax_test **at = &tests;
    while (*at && strcmp((*at)->name, test->name) < 0)
        at = &(*at)->next;
    test->next = *at;
    *at = test;
}

void
ax_test_failed(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    failed = true;
}

bool
ax_test_said(const struct ax_ctx *ctx, const char *words)
{
    return strstr(ctx->error, words) != NULL;
}

void
ax_test_with_ctx(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = {.arena = arena, .deadline_ns = INT64_MAX};
    body(&ctx);
}

static bool
sweep_step(const char *file, int line, ax_status (*body)(struct ax_ctx *ctx), int step,
           bool forever)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = {.arena = arena, .deadline_ns = INT64_MAX};
    ax_fault_arm(step, forever);
    ax_status status = body(&ctx);
    bool fired = ax_fault_disarm();
    if (fired && ax_fault_must_be_noticed() && status == AX_OK)
        ax_test_failed(file, line, "step %d failed and nobody noticed", step);
    if (!fired && status != AX_OK)
        ax_test_failed(file, line, "unbroken run ends %s: %s", ax_status_name(status), ctx.error);
    return fired;
}

void
ax_fault_sweep(const char *file, int line, ax_status (*body)(struct ax_ctx *ctx))
{
    for (int step = 0; step < SWEEP_STEPS_MAX; step++) {
        sweep_step(file, line, body, step, false);
        if (!sweep_step(file, line, body, step, true))
            return;
    }
    ax_test_failed(file, line, "more than %d steps", SWEEP_STEPS_MAX);
}

/* AX_TEST_SLOW: how many times slower than a build of its own a test is: sanitized, emulated. */
static unsigned
seconds_max(void)
{
    const char *slow = getenv("AX_TEST_SLOW");
    return TEST_SECONDS_MAX * (slow ? (unsigned)strtoul(slow, NULL, 10) : 1);
}

/* A test runs in a child, so that a crash or a hang fails one test and not the rest. */
static bool
run_one(const struct ax_test *test)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(seconds_max());
        test->run();
        exit(failed ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    int how = 0;
    if (child < 0 || waitpid(child, &how, 0) != child)
        return false;
    if (WIFSIGNALED(how))
        fprintf(stderr, "%s: killed by signal %d\n", test->name, WTERMSIG(how));
    return WIFEXITED(how) && WEXITSTATUS(how) == EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    int passed = 0, broken = 0;
    for (const struct ax_test *test = tests; test; test = test->next) {
        if (!strstr(test->name, only))
            continue;
        bool ok = run_one(test);
        printf("%s %s\n", ok ? "ok    " : "FAILED", test->name);
        passed += ok;
        broken += !ok;
    }
    printf("%d passed, %d failed\n", passed, broken);
    return broken || !passed ? EXIT_FAILURE : EXIT_SUCCESS;
}

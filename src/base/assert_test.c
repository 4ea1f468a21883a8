#include "base/assert.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* What a process that makes a broken promise says last, and the signal it dies of. */
static int
broken_promise(char *out, size_t len)
{
    int ends[2], status = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int argument_count = -1;
        dup2(ends[1], STDERR_FILENO);
        AX_ASSERT(argument_count >= 0);
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], out, len - 1);
    out[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(assert_stops_the_program_and_says_where)
{
    char said[512];
    CHECK_EQ(broken_promise(said, sizeof said), SIGABRT);
    CHECK(strstr(said, "assert_test.c:") != NULL);
    CHECK(strstr(said, ": broken promise: argument_count >= 0\n") != NULL);
}

TEST(assert_evaluates_its_condition_once)
{
    int count = 0;
    AX_ASSERT(++count == 1);
    CHECK_EQ(count, 1);
}

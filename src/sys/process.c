#include "sys/process.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/number.h"
#include "base/writer.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/os_error.h"

extern char **environ;

enum {
    POLL_MS_MAX = 50,
    POLL_MS_BLIND = 2, /* where the system does not tell when a child ends */
    EXIT_NOT_RUN = 127,
    FIRST_FREE_FD = 3,
};

/* Both ends of what connects parent and child; -1 for one that is closed. */
struct link {
    int ours, theirs;
};

struct running {
    struct ax_ctx *ctx;
    const struct ax_process_config *config;
    pid_t pid;
    int pid_fd; /* readable when it has ended; -1 where the system has no such thing */
    struct link input, output, errors, failure; /* failure: errno of an exec that did not work */
    ax_str left;                                /* of the input */
    struct ax_writer output_bytes, error_bytes;
    int64_t deadline_ns;
    int forwarded; /* signal */
    bool timed_out;
};

static void
close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void
close_links(struct running *running)
{
    struct link *const links[] = {&running->input, &running->output, &running->errors,
                                  &running->failure};
    for (size_t i = 0; i < AX_COUNT_OF(links); i++) {
        close_end(&links[i]->ours);
        close_end(&links[i]->theirs);
    }
    close_end(&running->pid_fd);
}

/*
 * Pipes for what it says, so that /dev/stderr can be opened in it; a socket for what it is told,
 * because writing to one whose reader is gone can be done without a signal.
 */
static ax_status
open_links(struct running *running)
{
    struct link *const pipes[] = {&running->output, &running->errors, &running->failure};
    int ends[2];
    if (AX_OS_CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) != 0)
        return ax_os_error(running->ctx, errno, "open a channel to a child process");
    running->input = (struct link){ends[0], ends[1]};
    for (size_t i = 0; i < AX_COUNT_OF(pipes); i++) {
        if (AX_OS_CALL(pipe2(ends, O_CLOEXEC)) != 0)
            return ax_os_error(running->ctx, errno, "open a channel from a child process");
        *pipes[i] = (struct link){ends[0], ends[1]};
        if (AX_OS_CALL(fcntl(ends[0], F_SETFL, O_NONBLOCK)) != 0)
            return ax_os_error(running->ctx, errno, "open a channel from a child process");
    }
    return AX_OK;
}

/* ---- the child's side: only calls that are safe between fork and exec ---- */

struct starting {
    const char *path;
    char *const *arguments;
    char **environment;
    const char *folder;
    uint64_t memory_bytes_max;
    int64_t cpu_seconds_max;
    pid_t parent;
    bool watched;
    int input, output, errors, failure;
};

_Noreturn static void
give_up(const struct starting *starting)
{
    int number = errno;
    ssize_t written = write(starting->failure, &number, sizeof number);
    _exit(written == (ssize_t)sizeof number ? EXIT_NOT_RUN : EXIT_NOT_RUN - 1);
}

static void
limit_to(const struct starting *starting, int resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
        give_up(starting);
}

/* No handler of the server may run in the child, and none of its signals stay ignored. */
static void
forget_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* refused for a few, which have no handlers */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Out of the way of 0, 1 and 2, which the server may have been started without. */
static int
moved_up(const struct starting *starting, int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved < 0)
        give_up(starting);
    return moved;
}

_Noreturn static void
become(struct starting *starting)
{
    if (!starting->watched)
        setpgid(0, 0);
    forget_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a training outlives no server */
    if (getppid() != starting->parent)
        _exit(EXIT_NOT_RUN);
    starting->failure = moved_up(starting, starting->failure);
    int input = starting->watched ? 0 : moved_up(starting, starting->input),
        output = moved_up(starting, starting->output);
    int errors = moved_up(starting, starting->errors);
    if ((input && dup2(input, 0) < 0) || dup2(output, 1) < 0 || dup2(errors, 2) < 0)
        give_up(starting);
    /* What a library forgot to mark; where the call is missing, our own marks must do. */
    close_range(FIRST_FREE_FD, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    limit_to(starting, RLIMIT_CORE, 0, 0);
    if (starting->memory_bytes_max)
        limit_to(starting, RLIMIT_AS, starting->memory_bytes_max, starting->memory_bytes_max);
    if (starting->cpu_seconds_max)
        limit_to(starting, RLIMIT_CPU, (rlim_t)starting->cpu_seconds_max,
                 (rlim_t)starting->cpu_seconds_max + 1);
    if (starting->folder && chdir(starting->folder) != 0)
        give_up(starting);
    execve(starting->path, starting->arguments, starting->environment);
    give_up(starting);
}

/* ---- the parent's side ---- */

/* A name without a slash is looked for along PATH here: execvp is not safe after a fork. */
static ax_status
find_program(struct ax_ctx *ctx, const char *name, const char **out_path)
{
    ax_str program = ax_str_of(name), folders = AX_STR("/usr/local/bin:/usr/bin:/bin"), folder;
    *out_path = name;
    if (ax_str_find(program, AX_STR("/")) != SIZE_MAX)
        return AX_OK;
    for (char **at = environ; *at; at++)
        if (ax_str_starts(ax_str_of(*at), AX_STR("PATH=")))
            folders = ax_str_from(ax_str_of(*at), 5);
    while (ax_str_cut(&folders, ':', &folder)) {
        if (!ax_str_starts(folder, AX_STR("/"))) /* nothing is run from wherever we stand */
            continue;
        ax_str path = ax_path_join(ctx->arena, folder, program);
        const char *text = path.at ? ax_str_c(ctx->arena, path) : NULL;
        if (!text)
            return ax_fail(ctx, AX_LIMIT, "no memory for a path");
        if (access(text, X_OK) == 0) {
            *out_path = text;
            return AX_OK;
        }
    }
    return ax_fail(ctx, AX_NOT_FOUND, "no program %s", name);
}

static bool
same_name(const char *a, const char *b)
{
    const char *end = strchr(b, '=');
    return end && strncmp(a, b, (size_t)(end - b) + 1) == 0;
}

/* A copy that execve may have: it takes strings that are not const. */
static char *
copy_text(struct ax_arena *arena, const char *text)
{
    size_t len = strlen(text);
    char *copy = ax_arena_alloc(arena, 1, len + 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

static size_t
list_len(const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

/* The parent's environment with the given variables on top. */
static ax_status
make_environment(struct ax_ctx *ctx, const char *const *extra, char ***out)
{
    size_t inherited = 0, extra_count = list_len(extra), count = 0;
    while (environ[inherited])
        inherited++;
    char **made = AX_NEW_ARRAY(ctx->arena, char *, inherited + extra_count + 1);
    if (!made)
        return ax_fail(ctx, AX_LIMIT, "no memory for an environment");
    for (size_t at = 0; at < inherited; at++) {
        bool replaced = false;
        for (size_t i = 0; i < extra_count; i++)
            replaced |= same_name(environ[at], extra[i]);
        if (!replaced)
            made[count++] = environ[at];
    }
    for (size_t i = 0; i < extra_count; i++) {
        made[count] = copy_text(ctx->arena, extra[i]);
        if (!made[count++])
            return ax_fail(ctx, AX_LIMIT, "no memory for an environment");
    }
    *out = made;
    return AX_OK;
}

static ax_status
copy_arguments(struct ax_ctx *ctx, const char *const *arguments, char ***out)
{
    size_t count = list_len(arguments);
    char **copy = AX_NEW_ARRAY(ctx->arena, char *, count + 1);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = copy_text(ctx->arena, arguments[i]);
        if (!copy[i])
            return ax_fail(ctx, AX_LIMIT, "no memory for arguments");
    }
    *out = copy;
    return copy ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for arguments");
}

/* Signals wait while both are the same program: the server's handlers write to its own pipes. */
static ax_status
split(struct running *running, struct starting *starting)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    running->pid = AX_OS_CALL(fork());
    int number = errno;
    if (running->pid == 0)
        become(starting);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (running->pid < 0)
        return ax_os_error(running->ctx, number, "start %s", running->config->arguments[0]);
    if (!running->config->watch)
        setpgid(running->pid, running->pid); /* here too: whoever is first */
    running->pid_fd = pidfd_open(running->pid, 0);
    return AX_OK;
}

static ax_status
start(struct running *running)
{
    const struct ax_process_config *config = running->config;
    struct ax_ctx *ctx = running->ctx;
    struct starting starting = {.folder = config->folder,
                                .memory_bytes_max = config->memory_bytes_max,
                                .cpu_seconds_max = config->cpu_seconds_max,
                                .parent = getpid(),
                                .watched = config->watch != NULL,
                                .input = running->input.theirs,
                                .output = running->output.theirs,
                                .errors = running->errors.theirs,
                                .failure = running->failure.theirs};
    char **arguments;
    AX_TRY(find_program(ctx, config->arguments[0], &starting.path));
    AX_TRY(copy_arguments(ctx, config->arguments, &arguments));
    AX_TRY(make_environment(ctx, config->environment, &starting.environment));
    starting.arguments = arguments;
    AX_TRY(split(running, &starting));
    close_end(&running->input.theirs);
    close_end(&running->output.theirs);
    close_end(&running->errors.theirs);
    close_end(&running->failure.theirs);
    return AX_OK;
}

static void
feed(struct running *running)
{
    ssize_t sent =
        send(running->input.ours, running->left.at, running->left.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        running->left = ax_str_from(running->left, (size_t)sent);
    else if (sent < 0 && errno != EAGAIN && errno != EINTR)
        running->left = AX_STR(""); /* it does not read on: its own affair */
    if (running->left.len == 0)
        close_end(&running->input.ours);
}

/* What is past the limit is read and dropped, so that the child is not held up. */
static void
take(struct running *running, bool errors)
{
    int *fd = errors ? &running->errors.ours : &running->output.ours;
    struct ax_writer *out = errors ? &running->error_bytes : &running->output_bytes;
    const struct ax_process_watch *watch = running->config->watch;
    char piece[16 << 10];
    ssize_t got = read(*fd, piece, sizeof piece);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close_end(fd);
        return;
    }
    size_t len = got > 0 ? (size_t)got : 0;
    if (watch && len)
        watch->on_output(watch->arg, errors, (ax_str){piece, len});
    size_t room = out->len_max - out->len;
    ax_writer_bytes(out, (ax_str){piece, len < room ? len : room});
}

/* Moves what is there to be moved, waiting for it at most so long; false when nothing was said. */
static bool
converse(struct running *running, int wait_ms)
{
    struct pollfd polled[] = {{running->output.ours, POLLIN, 0},
                              {running->errors.ours, POLLIN, 0},
                              {running->input.ours, POLLOUT, 0},
                              {running->pid_fd, POLLIN, 0}};
    if (poll(polled, AX_COUNT_OF(polled), wait_ms) <= 0)
        return false;
    if (polled[0].revents)
        take(running, false);
    if (polled[1].revents)
        take(running, true);
    if (polled[2].revents)
        feed(running);
    return polled[0].revents || polled[1].revents;
}

/* It stays a zombie, so that its number, and its group's, is nobody else's yet. */
static bool
has_ended(const struct running *running)
{
    siginfo_t info = {};
    int failed = waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return failed ? errno != EINTR : info.si_pid == running->pid;
}

static int
wait_ms(const struct running *running)
{
    int64_t most = running->pid_fd >= 0 ? POLL_MS_MAX : POLL_MS_BLIND;
    int64_t left_ms = ax_clock_left_ns(running->deadline_ns) / 1'000'000 + 1;
    return (int)(running->timed_out || left_ms > most ? most : left_ms);
}

static sigset_t
handed_on(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < AX_COUNT_OF(numbers); i++)
        sigaddset(&signals, numbers[i]);
    return signals;
}

void
ax_process_block_signals(void)
{
    sigset_t signals = handed_on();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* What a terminal sends goes to the whole group, so the child has it already. */
static void
hand_on(struct running *running)
{
    static const struct timespec at_once = {};
    const sigset_t signals = handed_on();
    siginfo_t info;
    for (int number; (number = sigtimedwait(&signals, &info, &at_once)) > 0;) {
        running->forwarded = number;
        if (info.si_code != SI_KERNEL)
            kill(running->pid, number);
    }
}

static void
watch(struct running *running)
{
    const struct ax_process_watch *watch = running->config->watch;
    if (!watch)
        return;
    hand_on(running);
    watch->on_tick(watch->arg, running->pid);
}

/* To its end: by itself, or at the deadline; then its whole group goes and is heard out. */
static ax_status
attend(struct running *running, int *out_status)
{
    while (!has_ended(running)) {
        if (!running->timed_out && ax_clock_left_ns(running->deadline_ns) == 0) {
            running->timed_out = true;
            kill(running->config->watch ? running->pid : -running->pid, SIGKILL);
        }
        converse(running, wait_ms(running));
        watch(running);
    }
    if (!running->config->watch)
        kill(-running->pid, SIGKILL); /* what it left behind */
    while (converse(running, 0))
        ; /* the rest of what it said */
    pid_t got = waitpid(running->pid, out_status, 0);
    while (got < 0 && errno == EINTR)
        got = waitpid(running->pid, out_status, 0);
    return got == running->pid ? AX_OK
                               : ax_os_error(running->ctx, errno, "wait for the end of %s",
                                             running->config->arguments[0]);
}

static ax_status
conclude(struct running *running, int status, struct ax_process_result *out_result)
{
    struct ax_ctx *ctx = running->ctx;
    int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    int number = 0;
    if (read(running->failure.ours, &number, sizeof number) == (ssize_t)sizeof number)
        return ax_os_error(ctx, number, "start %s", running->config->arguments[0]);
    struct ax_process_result result = {.exit_code = exit_code,
                                       .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                       .forwarded = running->forwarded,
                                       .timed_out = running->timed_out};
    if (ax_writer_take(&running->output_bytes, ctx->arena, &result.output) != AX_OK ||
        ax_writer_take(&running->error_bytes, ctx->arena, &result.errors) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for what %s said", running->config->arguments[0]);
    *out_result = result;
    if (running->timed_out)
        return ax_fail(ctx, AX_TIMEOUT, "%s did not end within %lld ms",
                       running->config->arguments[0], (long long)running->config->timeout_ms);
    return AX_OK;
}

static int64_t
deadline_of(const struct ax_ctx *ctx, int64_t timeout_ms)
{
    int64_t span_ns, at_ns;
    if (__builtin_mul_overflow(timeout_ms, INT64_C(1'000'000), &span_ns) ||
        __builtin_add_overflow(ax_clock_monotonic_ns(), span_ns, &at_ns))
        return ctx->deadline_ns;
    return at_ns < ctx->deadline_ns ? at_ns : ctx->deadline_ns;
}

ax_status
ax_process_run(struct ax_ctx *ctx, const struct ax_process_config *config,
               struct ax_process_result *out_result)
{
    AX_ASSERT(config->arguments && config->arguments[0]);
    struct running running = {
        .ctx = ctx,
        .config = config,
        .pid_fd = -1,
        .input = {-1, -1},
        .output = {-1, -1},
        .errors = {-1, -1},
        .failure = {-1, -1},
        .left = config->input,
        .output_bytes = ax_writer_of(config->output_bytes_max),
        .error_bytes = ax_writer_of(config->output_bytes_max),
        .deadline_ns = deadline_of(ctx, config->timeout_ms),
    };
    int ended = 0;
    ax_status status = open_links(&running);
    if (status == AX_OK)
        status = start(&running);
    if (status == AX_OK) {
        if (running.left.len == 0)
            close_end(&running.input.ours);
        status = attend(&running, &ended);
    }
    if (status == AX_OK)
        status = conclude(&running, ended, out_result);
    close_links(&running);
    ax_writer_free(&running.output_bytes);
    ax_writer_free(&running.error_bytes);
    return status;
}

/* ---- this process ---- */

ax_status
ax_process_self(struct ax_ctx *ctx, ax_str *out_path)
{
    char path[PATH_MAX];
    ssize_t len = AX_OS_CALL(readlink("/proc/self/exe", path, sizeof path));
    if (len < 0)
        return ax_os_error(ctx, errno, "find the running program");
    return ax_str_copy(ctx->arena, (ax_str){path, (size_t)len}, out_path)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

uint64_t
ax_process_resident_bytes(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close_end(&fd);
    ax_str rest = {text, len > 0 ? (size_t)len : 0}, total, resident;
    uint64_t pages = 0;
    if (!ax_str_cut(&rest, ' ', &total) || !ax_str_cut(&rest, ' ', &resident) ||
        !ax_parse_u64(resident, &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
ax_process_harden(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

uint64_t
ax_process_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    const struct rlimit higher = {wanted, wanted > limit.rlim_max ? wanted : limit.rlim_max};
    const struct rlimit highest = {limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &higher) == 0) /* above the hard limit only root may go */
        return wanted;
    return setrlimit(RLIMIT_NOFILE, &highest) == 0 ? limit.rlim_max : limit.rlim_cur;
}

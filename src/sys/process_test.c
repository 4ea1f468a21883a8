#include "sys/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "harness.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/workers.h"

enum { LONG_MS = 30'000, OUTPUT_MAX = 64 << 10, SOON_MS = 10'000, STRAY_FD = 77 };

/* A shell's script, generously bounded; the caller tightens what its case is about. */
static struct ax_process_config
script(const char *const arguments[4])
{
    return (struct ax_process_config){
        .arguments = arguments, .timeout_ms = LONG_MS, .output_bytes_max = OUTPUT_MAX};
}

#define SCRIPT(text) script((const char *const[4]){"/bin/sh", "-c", (text), NULL})

static int64_t
now_ms(void)
{
    return ax_clock_monotonic_ns() / 1'000'000;
}

static void
results(struct ax_ctx *ctx)
{
    static const struct {
        const char *script, *output, *errors;
        int exit_code;
    } cases[] = {
        {"exit 0", "", "", 0},
        {"echo out; echo err >&2; exit 7", "out\n", "err\n", 7},
        {"echo told > /dev/stderr", "", "told\n", 0},
        {"exec 1>&- 2>&-; exit 3", "", "", 3},
        {"kill -KILL $$", "", "", 128 + SIGKILL},
        {"kill -TERM $$", "", "", 128 + SIGTERM},
        {"cat", "input", "", 0},
        {"echo $AX_A-$AX_B; env | grep -c ^HOME=; echo $HOME", "one-\n1\n/nowhere\n", "", 0},
        {"pwd", "/usr\n", "", 0},
        /* 32 and up are the C library's own: posix_spawn, and so make, leaves one ignored. */
        {"while read name mask; do case $name in (SigBlk:|SigIgn:)"
         " echo $name $((0x$mask & 0x7fffffff));; esac; done < /proc/$$/status",
         "SigBlk: 0\nSigIgn: 0\n", "", 0},
        {"ulimit -c", "0\n", "", 0},
        {"test -e /proc/self/fd/77 || echo clean", "clean\n", "", 0},
    };
    static const char *const environment[] = {"AX_A=one", "AX_B=", "HOME=/nowhere", NULL};
    signal(SIGUSR1, SIG_IGN); /* the child hears it all the same */
    CHECK_EQ(dup2(STDERR_FILENO, STRAY_FD), STRAY_FD);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_process_config config = SCRIPT(cases[i].script);
        struct ax_process_result result = {};
        config.environment = environment;
        config.folder = "/usr";
        config.input = AX_STR("input");
        CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
        CHECK_EQ(result.exit_code, cases[i].exit_code);
        CHECK_STR(result.output, cases[i].output);
        CHECK_STR(result.errors, cases[i].errors);
        CHECK(!result.timed_out);
    }
}

TEST(process_gives_what_a_child_said_and_how_it_ended)
{
    ax_test_with_ctx(results);
}

static void
not_started(struct ax_ctx *ctx)
{
    static const struct {
        const char *program, *folder;
        ax_status want;
        const char *words;
    } cases[] = {
        {"axiom-no-such-program", NULL, AX_NOT_FOUND, "no program axiom-no-such-program"},
        {"/nowhere/program", NULL, AX_NOT_FOUND, "start /nowhere/program: No such file"},
        {"/etc/passwd", NULL, AX_DENIED, "start /etc/passwd: Permission denied"},
        {"/bin/sh", "/nowhere", AX_NOT_FOUND, "start /bin/sh: No such file"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const char *const arguments[] = {cases[i].program, NULL};
        struct ax_process_config config = {.arguments = arguments, .timeout_ms = LONG_MS};
        struct ax_process_result result = {.exit_code = 99};
        config.folder = cases[i].folder;
        CHECK_EQ(ax_process_run(ctx, &config, &result), cases[i].want);
        CHECK(strstr(ctx->error, cases[i].words) != NULL);
        CHECK_EQ(result.exit_code, 99);
    }
    const char *const by_name[] = {"true", NULL};
    struct ax_process_config config = {.arguments = by_name, .timeout_ms = LONG_MS};
    struct ax_process_result result;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
}

TEST(process_says_why_a_program_did_not_start)
{
    ax_test_with_ctx(not_started);
}

/* Gone, or dead and only waiting for whoever inherited it. */
static bool
is_gone(int64_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    return len <= 0 || strstr(text, ") Z ") || strstr(text, ") X ");
}

static bool
soon_gone(int64_t pid)
{
    for (int64_t end = now_ms() + SOON_MS; now_ms() < end; ax_clock_sleep_ms(5))
        if (is_gone(pid))
            return true;
    return false;
}

static void
deadlines(struct ax_ctx *ctx)
{
    static const char *const scripts[] = {
        "sleep 100 & echo $!; wait", "sleep 100 & echo $!; exec 1>&- 2>&-; wait",
        "trap '' TERM INT HUP; sleep 100 & echo $!; while :; do sleep 1; done"};
    for (size_t i = 0; i < 2 * AX_COUNT_OF(scripts); i++) {
        struct ax_process_config config = SCRIPT(scripts[i / 2]);
        struct ax_process_result result = {};
        int64_t pid = 0, start_ms = now_ms();
        if (i % 2)
            ctx->deadline_ns = ax_clock_monotonic_ns() + 300'000'000;
        else
            config.timeout_ms = 300;
        CHECK_EQ(ax_process_run(ctx, &config, &result), AX_TIMEOUT);
        ctx->deadline_ns = INT64_MAX;
        CHECK(now_ms() - start_ms >= 300 && now_ms() - start_ms < SOON_MS);
        CHECK(strstr(ctx->error, "/bin/sh did not end within") != NULL);
        CHECK(result.timed_out);
        CHECK_EQ(result.exit_code, 128 + SIGKILL);
        CHECK(ax_parse_i64(ax_str_trim(result.output), &pid)); /* what was said until then */
        CHECK(soon_gone(pid));
    }
}

TEST(process_kills_a_child_and_what_it_started_at_the_deadline)
{
    ax_test_with_ctx(deadlines);
}

static void
left_behind(struct ax_ctx *ctx)
{
    int64_t start_ms = now_ms(), pid = 0;
    struct ax_process_result result = {};
    struct ax_process_config config = SCRIPT("sleep 100 & echo $!");
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK(ax_parse_i64(ax_str_trim(result.output), &pid));
    CHECK(soon_gone(pid));
    /* One that left the group keeps the streams open: nobody waits for it. */
    config = SCRIPT("setsid sleep 15 & echo said");
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_STR(result.output, "said\n");
    CHECK(now_ms() - start_ms < SOON_MS);
}

TEST(process_does_not_wait_for_what_a_child_left_behind)
{
    ax_test_with_ctx(left_behind);
}

static void
limits(struct ax_ctx *ctx)
{
    struct ax_process_result result = {};
    struct ax_process_config config = SCRIPT("ulimit -v; dd if=/dev/zero of=/dev/null bs=200M "
                                             "count=1");
    config.memory_bytes_max = 64 << 20;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_STR(result.output, "65536\n");
    CHECK(result.exit_code != 0);
    CHECK(ax_str_find(result.errors, AX_STR("memory")) != SIZE_MAX);

    config = SCRIPT("while :; do :; done");
    config.cpu_seconds_max = 1;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_EQ(result.exit_code, 128 + SIGXCPU);

    config = SCRIPT("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; exit 4");
    config.output_bytes_max = 1'000;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_EQ(result.output.len, 1'000);
    CHECK_EQ(result.errors.len, 1'000);
    CHECK_EQ(result.exit_code, 4);
}

TEST(process_bounds_memory_time_and_what_is_said)
{
    ax_test_with_ctx(limits);
}

static void
much_input(struct ax_ctx *ctx)
{
    enum { INPUT = 3 << 20 };
    char *input = ax_arena_alloc(ctx->arena, 1, INPUT);
    for (int i = 0; i < INPUT; i++)
        input[i] = (char)(i % 251);
    struct ax_process_config config = SCRIPT("cat");
    struct ax_process_result result = {};
    config.input = (ax_str){input, INPUT};
    config.output_bytes_max = INPUT;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK(ax_str_eq(result.output, config.input));
    config.arguments = (const char *const[]){"/bin/sh", "-c", "exec 0<&-; echo deaf", NULL};
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK); /* and no SIGPIPE */
    CHECK_STR(result.output, "deaf\n");
    ax_arena_reset(ctx->arena);
    config.input = AX_STR("");
    config.output_bytes_max = 64 << 20;
    config.arguments = (const char *const[]){"head", "-c", "20000000", "/dev/zero", NULL};
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_LIMIT); /* more than the arena holds */
}

TEST(process_takes_more_input_than_a_channel_holds)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    much_input(&ctx);
}

static void
without_streams(struct ax_ctx *ctx)
{
    struct ax_process_config config = SCRIPT("cat; echo err >&2");
    struct ax_process_result result = {};
    config.input = AX_STR("in");
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_STR(result.output, "in");
    CHECK_STR(result.errors, "err\n");
}

TEST(process_works_in_a_server_started_without_streams)
{
    ax_test_with_ctx(without_streams);
}

static void
run_some(void *arg)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (int i = 0; i < 8; i++) {
        struct ax_process_config config = SCRIPT("cat; exit 5");
        struct ax_process_result result = {};
        config.input = ax_str_of(arg);
        CHECK_EQ(ax_process_run(&ctx, &config, &result), AX_OK);
        CHECK(ax_str_eq(result.output, config.input));
        CHECK_EQ(result.exit_code, 5);
    }
}

static void
from_threads(struct ax_ctx *ctx)
{
    static char words[][8] = {"one", "two", "three", "four"};
    struct ax_thread *threads[AX_COUNT_OF(words)];
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        CHECK_EQ(ax_thread_start(ctx, "runner", run_some, words[i], &threads[i]), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        ax_thread_join(threads[i]);
}

TEST(process_is_run_by_many_threads_at_once)
{
    ax_test_with_ctx(from_threads);
}

/* Stands for a server: runs a child that says where it is, and never comes back. */
[[gnu::noreturn]] static void
be_the_parent(const char *path)
{
    static char text[256];
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_process_result result;
    snprintf(text, sizeof text, "echo $$ > %s.part; mv %s.part %s; exec sleep 100", path, path,
             path);
    struct ax_process_config config = SCRIPT(text);
    ax_ignore(ax_process_run(&ctx, &config, &result), "it is killed before");
    _exit(EXIT_FAILURE);
}

static void
orphaned(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-process-XXXXXX", path[64];
    int64_t pid = 0;
    ax_str said;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/pid", folder);
    pid_t parent = fork();
    if (parent == 0)
        be_the_parent(path);
    for (int64_t end = now_ms() + SOON_MS; now_ms() < end && !ax_file_exists(ax_str_of(path));)
        ax_clock_sleep_ms(5);
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(path), 100, &said), AX_OK);
    CHECK(ax_parse_i64(ax_str_trim(said), &pid));
    CHECK(!is_gone(pid));
    CHECK_EQ(kill(parent, SIGKILL), 0);
    CHECK_EQ(waitpid(parent, NULL, 0), parent);
    CHECK(soon_gone(pid));
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(process_outlives_no_server)
{
    ax_test_with_ctx(orphaned);
}

static ax_status
run_once(struct ax_ctx *ctx)
{
    static const char *const environment[] = {"AX_A=1", NULL};
    struct ax_process_config config =
        script((const char *const[4]){"sh", "-c", "cat; echo err >&2", NULL});
    struct ax_process_result result;
    config.environment = environment;
    config.input = AX_STR("in");
    AX_TRY(ax_process_run(ctx, &config, &result));
    CHECK_STR(result.output, "in");
    CHECK_STR(result.errors, "err\n");
    ax_str path;
    return ax_process_self(ctx, &path);
}

TEST(process_survives_every_fault)
{
    FAULT_SWEEP(run_once);
}

struct seen {
    char text[64];
    size_t errors, ticks;
    int pid;
};

static void
on_output(void *arg, bool errors, ax_str bytes)
{
    struct seen *seen = arg;
    size_t len = strlen(seen->text);
    seen->errors += errors;
    for (size_t i = 0; i < bytes.len && len + 1 < sizeof seen->text; i++)
        seen->text[len++] = bytes.at[i];
}

/* The first time it asks for the end of this program, which is handed on to the child. */
static void
on_tick(void *arg, int pid)
{
    struct seen *seen = arg;
    if (seen->text[0] && seen->ticks++ == 0)
        kill(getpid(), SIGTERM);
    seen->pid = pid;
}

static void
watched(struct ax_ctx *ctx)
{
    struct seen seen = {};
    const struct ax_process_watch watch = {&seen, on_output, on_tick};
    struct ax_process_config config =
        SCRIPT("trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    struct ax_process_result result = {};
    config.watch = &watch;
    ax_process_block_signals();
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_EQ(result.exit_code, 7);
    CHECK_EQ(result.forwarded, SIGTERM);
    CHECK_EQ(result.signal, 0);
    CHECK_STR(ax_str_of(seen.text), "ready\nasked\n");
    CHECK(seen.ticks > 0 && seen.pid > 0);
    config = SCRIPT("echo wrong >&2; kill -9 $$");
    config.watch = &watch;
    CHECK_EQ(ax_process_run(ctx, &config, &result), AX_OK);
    CHECK_EQ(result.signal, SIGKILL);
    CHECK_EQ(result.exit_code, 128 + SIGKILL);
    CHECK(seen.errors > 0);
}

TEST(a_watched_child_is_heard_as_it_speaks_and_told_what_we_are_told)
{
    ax_test_with_ctx(watched);
}

static void
myself(struct ax_ctx *ctx)
{
    enum { BLOCK = 32 << 20 };
    ax_str path;
    struct rlimit core;
    CHECK_EQ(ax_process_self(ctx, &path), AX_OK);
    CHECK_STR(ax_path_name(path), "sys_tests");
    uint64_t before = ax_process_resident_bytes();
    char *block = malloc(BLOCK);
    volatile char *touched = block; /* or the compiler leaves it all out */
    for (size_t i = 0; i < BLOCK; i += 1'024)
        touched[i] = 1;
    CHECK(before > 0 && ax_process_resident_bytes() >= before + BLOCK / 2);
    free(block);
    ax_process_harden();
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    CHECK_EQ(getrlimit(RLIMIT_CORE, &core), 0);
    CHECK_EQ(core.rlim_max, 0);
    prctl(PR_SET_DUMPABLE, 1); /* the leak checker looks into its own process */
}

TEST(R92_a_process_leaves_no_core_and_knows_itself)
{
    ax_test_with_ctx(myself);
}

static void
descriptors(struct ax_ctx *ctx)
{
    struct rlimit limit;
    (void)ctx;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    limit.rlim_max = limit.rlim_max < 512 ? limit.rlim_max : 512;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(ax_process_descriptors(32), 64); /* never fewer */
    CHECK_EQ(ax_process_descriptors(100), 100);
    uint64_t most = ax_process_descriptors(1'000'000'000); /* more than any system gives */
    CHECK(most == limit.rlim_max);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(limit.rlim_cur, most);
}

TEST(descriptors_are_raised_as_far_as_may_be)
{
    ax_test_with_ctx(descriptors);
}

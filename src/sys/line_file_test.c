#include "sys/line_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/workers.h"

enum { THREADS = 4, LINES = 500 };

struct counts {
    struct ax_metrics *metrics;
    struct ax_metric *written, *dropped, *failed;
};

static struct counts
counts_of(struct ax_ctx *ctx)
{
    struct counts counts = {};
    CHECK_EQ(ax_metrics_open(ctx, &counts.metrics), AX_OK);
    counts.written = ax_metrics_series(counts.metrics, AX_METRIC_COUNTER, "lines_total", "Lines.",
                                       "result", "written", NULL);
    counts.dropped = ax_metrics_series(counts.metrics, AX_METRIC_COUNTER, "lines_total", "Lines.",
                                       "result", "dropped", NULL);
    counts.failed = ax_metrics_series(counts.metrics, AX_METRIC_COUNTER, "lines_total", "Lines.",
                                      "result", "failed", NULL);
    return counts;
}

static struct ax_line_file *
open_lines(struct ax_ctx *ctx, const struct counts *counts, ax_str path, size_t bytes)
{
    const struct ax_line_file_config config = {.path = path,
                                               .buffer_bytes = bytes,
                                               .written = counts->written,
                                               .dropped = counts->dropped,
                                               .failed = counts->failed};
    struct ax_line_file *file = NULL;
    CHECK_EQ(ax_line_file_open(ctx, &config, &file), AX_OK);
    return file;
}

static void
put_many(void *arg)
{
    for (int i = 0; i < LINES; i++)
        CHECK(ax_line_file_put(arg, AX_STR("{\"a\":\"a line that is of some length\"}")));
}

static void
whole_lines(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-lines-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    struct counts counts = counts_of(ctx);
    ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("log")), text, line;
    struct ax_line_file *file = open_lines(ctx, &counts, path, 1 << 20);
    struct ax_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(ax_thread_start(ctx, "lines", put_many, file, &threads[i]), AX_OK);
    for (int i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
    ax_line_file_close(file);
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &text), AX_OK);
    int count = 0;
    while (ax_str_cut(&text, '\n', &line) && text.at) {
        CHECK_STR(line, "{\"a\":\"a line that is of some length\"}");
        count++;
    }
    CHECK_EQ(count, THREADS * LINES);
    CHECK_EQ(ax_metric_count(counts.written), THREADS * LINES);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
    ax_metrics_close(counts.metrics);
}

TEST(lines_of_many_threads_are_written_whole)
{
    ax_test_with_ctx(whole_lines);
}

static bool
comes(struct ax_ctx *ctx, ax_str path, const char *wanted)
{
    ax_str text = AX_STR("");
    for (int i = 0; i < 200; i++) {
        if (ax_file_read_all(ctx, path, 1 << 20, &text) == AX_OK &&
            ax_str_eq(text, ax_str_of(wanted)))
            return true;
        ax_clock_sleep_ms(10);
    }
    return false;
}

static void
moved_away(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-lines-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    struct counts counts = counts_of(ctx);
    ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("log"));
    ax_str old = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("log.1"));
    struct ax_line_file *file = open_lines(ctx, &counts, path, 4096);
    CHECK(ax_line_file_put(file, AX_STR("one")));
    CHECK(comes(ctx, path, "one\n")); /* by itself, soon */
    CHECK_EQ(ax_file_rename(ctx, path, old), AX_OK);
    CHECK(ax_line_file_put(file, AX_STR("two")));
    ax_line_file_reopen(file);
    CHECK(comes(ctx, old, "one\ntwo\n"));
    CHECK(comes(ctx, path, ""));
    CHECK(ax_line_file_put(file, AX_STR("three")));
    ax_line_file_close(file);
    CHECK(comes(ctx, path, "three\n"));
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
    ax_metrics_close(counts.metrics);
}

TEST(lines_go_to_the_new_file_when_the_old_one_was_moved_away)
{
    ax_test_with_ctx(moved_away);
}

/* A pipe that nobody empties: the writer stands still, who has lines does not. */
static void
no_room(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-lines-XXXXXX", piece[512];
    CHECK(mkdtemp(folder) != NULL);
    struct counts counts = counts_of(ctx);
    ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("pipe"));
    CHECK_EQ(mkfifo(ax_str_c(ctx->arena, path), 0600), 0);
    int reader = open(ax_str_c(ctx->arena, path), O_RDONLY | O_NONBLOCK);
    struct ax_line_file *file = open_lines(ctx, &counts, path, 4096);
    memset(piece, 'x', sizeof piece);
    int64_t put = 0, dropped = 0;
    while (dropped < 10 && put < 10'000) {
        if (ax_line_file_put(file, (ax_str){piece, sizeof piece}))
            put++;
        else
            dropped++;
    }
    CHECK_EQ(dropped, 10);
    CHECK_EQ(ax_metric_count(counts.dropped), 10);
    close(reader); /* the writer is told that nobody reads, and counts what is lost */
    ax_line_file_close(file);
    CHECK_EQ(ax_metric_count(counts.written) + ax_metric_count(counts.failed), put);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
    ax_metrics_close(counts.metrics);
}

TEST(lines_without_room_are_dropped_and_counted)
{
    signal(SIGPIPE, SIG_IGN);
    ax_test_with_ctx(no_room);
}

/* Also a file that was there before, with a wider mode. */
static void
secret(struct ax_ctx *ctx)
{
    char folder[] = "/tmp/axiom-lines-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    for (int there = 0; there < 2; there++) {
        const char *name = there ? "old" : "new";
        ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), ax_str_of(name));
        const struct ax_line_file_config config = {
            .path = path, .buffer_bytes = 4096, .secret = true};
        struct ax_line_file *file;
        struct stat facts;
        if (there)
            CHECK_EQ(ax_file_write_atomic(ctx, path, AX_STR("before\n")), AX_OK);
        if (there)
            CHECK_EQ(chmod(ax_str_c(ctx->arena, path), 0644), 0);
        CHECK_EQ(ax_line_file_open(ctx, &config, &file), AX_OK);
        CHECK(ax_line_file_put(file, AX_STR("one")));
        ax_line_file_close(file);
        CHECK_EQ(stat(ax_str_c(ctx->arena, path), &facts), 0);
        CHECK_EQ(facts.st_mode & 07777, 0600);
        CHECK(comes(ctx, path, there ? "before\none\n" : "one\n"));
    }
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(lines_that_are_secret_are_their_owners_alone)
{
    ax_test_with_ctx(secret);
}

static ax_status
open_secret_and_close(struct ax_ctx *ctx)
{
    const struct ax_line_file_config config = {
        .path = ax_str_printf(ctx->arena, "/tmp/axiom-lines-%d", (int)getpid()),
        .buffer_bytes = 1024,
        .secret = true};
    struct ax_line_file *file;
    if (!config.path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    chmod(ax_str_c(ctx->arena, config.path), 0644); /* of the file of the run before */
    AX_TRY(ax_line_file_open(ctx, &config, &file));
    ax_line_file_close(file);
    unlink(ax_str_c(ctx->arena, config.path));
    return AX_OK;
}

TEST(lines_that_are_secret_survive_every_fault_of_their_opening)
{
    FAULT_SWEEP(open_secret_and_close);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    const struct ax_line_file_config config = {.path = AX_STR("/dev/null"), .buffer_bytes = 1024};
    struct ax_line_file *file;
    AX_TRY(ax_line_file_open(ctx, &config, &file));
    ax_line_file_put(file, AX_STR("line"));
    ax_line_file_close(file);
    return AX_OK;
}

TEST(lines_survive_every_fault_of_their_opening)
{
    FAULT_SWEEP(open_and_close);
}

static void
nowhere(struct ax_ctx *ctx)
{
    const struct ax_line_file_config config = {.path = AX_STR("/nowhere/log"),
                                               .buffer_bytes = 1024};
    struct ax_line_file *file;
    CHECK_EQ(ax_line_file_open(ctx, &config, &file), AX_NOT_FOUND);
    CHECK(ax_test_said(ctx, "/nowhere/log"));
}

TEST(lines_say_where_they_cannot_be_written)
{
    ax_test_with_ctx(nowhere);
}

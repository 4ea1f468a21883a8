#include "sys/log.h"

#include <stdlib.h>
#include <unistd.h>

#include "codec/json.h"
#include "harness.h"
#include "sys/clock.h"
#include "sys/workers.h"

enum { CAPTURED_MAX = 1 << 20 };

static struct {
    int file, before;
    char text[CAPTURED_MAX];
} captured;

static void
capture_begin(void)
{
    char path[] = "/tmp/axiom-log-XXXXXX";
    captured.file = mkstemp(path);
    CHECK(captured.file >= 0);
    unlink(path);
    captured.before = dup(STDERR_FILENO);
    dup2(captured.file, STDERR_FILENO);
}

static ax_str
capture_end(void)
{
    dup2(captured.before, STDERR_FILENO);
    ssize_t len = pread(captured.file, captured.text, CAPTURED_MAX, 0);
    CHECK(len >= 0 && len < CAPTURED_MAX);
    close(captured.before);
    close(captured.file);
    return (ax_str){captured.text, len > 0 ? (size_t)len : 0};
}

static void
lines(struct ax_ctx *ctx)
{
    ax_clock_fake(1, INT64_C(1'700'000'000'123'456'789));
    ctx->trace_id = AX_STR("4bf92f35");
    ax_ignore(ax_fail(ctx, AX_UNAVAILABLE, "sync ledger: disk \"full\""), "only its words");
    capture_begin();
    ax_log(AX_LOG_DEBUG, ctx, "unheard", NULL);
    ax_log(AX_LOG_INFO, ctx, "server_ready", "port", "8080", "host", "::1", NULL);
    ax_log(AX_LOG_WARN, ctx, "ledger_slow", "ms", "12\n\xff", "none", (const char *)NULL, NULL);
    ax_log_level_set(AX_LOG_ERROR);
    ax_log(AX_LOG_WARN, NULL, "unheard", NULL);
    ax_log(AX_LOG_ERROR, NULL, "alone", NULL);
    ax_log_level_set(AX_LOG_DEBUG);
    ax_log(AX_LOG_DEBUG, NULL, "heard", NULL);
    ax_clock_fake(0, 0);
#define TIME "{\"time\":\"2023-11-14T22:13:20.123456Z\","
    CHECK_STR(capture_end(),
              TIME "\"level\":\"info\",\"event\":\"server_ready\",\"trace_id\":\"4bf92f35\","
                   "\"port\":\"8080\",\"host\":\"::1\"}\n" TIME
                   "\"level\":\"warn\",\"event\":\"ledger_slow\",\"trace_id\":\"4bf92f35\","
                   "\"error\":\"sync ledger: disk \\\"full\\\"\",\"ms\":\"12\\n\xef\xbf\xbd\","
                   "\"none\":\"\"}\n" TIME "\"level\":\"error\",\"event\":\"alone\"}\n" TIME
                   "\"level\":\"debug\",\"event\":\"heard\"}\n");
}

TEST(log_lines_are_json_with_what_the_operation_knows)
{
    ax_test_with_ctx(lines);
}

static void
long_line(struct ax_ctx *ctx)
{
    static const size_t lengths[] = {10'000, 16'000, 16'200, 16'274, 16'275,
                                     16'276, 16'277, 16'300, 16'384, 40'000};
    for (size_t i = 0; i < AX_COUNT_OF(lengths); i++) {
        char *text = ax_arena_alloc(ctx->arena, 1, lengths[i] + 1);
        memset(text, 'x', lengths[i]);
        capture_begin();
        ax_log(AX_LOG_INFO, NULL, "long", "text", text, NULL);
        ax_str line = capture_end(), event, field;
        const struct ax_json *json = NULL;
        CHECK(line.len > 0 && line.len <= 16 << 10);
        CHECK_EQ(line.at[line.len - 1], '\n');
        CHECK_EQ(ax_json_parse(ctx, line, NULL, &json), AX_OK);
        CHECK_EQ(ax_json_need_text(ctx, json, "event", &event), AX_OK);
        CHECK_STR(event, "long");
        bool cut = ax_json_find(json, "cut") != NULL;
        CHECK_EQ(ax_json_find(json, "text") != NULL, !cut);
        if (!cut)
            CHECK_EQ(ax_json_need_text(ctx, json, "text", &field), AX_OK);
        CHECK_EQ(cut, lengths[i] > 16'384 - (line.len - (cut ? 11 : lengths[i] + 10)) - 10);
    }
}

TEST(log_says_that_something_happened_when_the_line_is_too_long)
{
    ax_test_with_ctx(long_line);
}

static void
log_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        ax_log(AX_LOG_INFO, NULL, "tick", "thread", arg, NULL);
}

static void
from_threads(struct ax_ctx *ctx)
{
    static char names[][4] = {"a", "b", "c"};
    struct ax_thread *threads[AX_COUNT_OF(names)];
    size_t counts[AX_COUNT_OF(names)] = {}, count = 0;
    capture_begin();
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        CHECK_EQ(ax_thread_start(ctx, "logger", log_many, names[i], &threads[i]), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        ax_thread_join(threads[i]);
    ax_str text = capture_end(), line;
    while (ax_str_cut(&text, '\n', &line) && line.len > 0) {
        CHECK(ax_str_starts(line, AX_STR("{\"time\":\"")));
        CHECK(ax_str_ends((ax_str){line.at, line.len - 3},
                          AX_STR("\"event\":\"tick\",\"thread\":\"")));
        CHECK(ax_str_ends(line, AX_STR("\"}")));
        counts[line.at[line.len - 3] - 'a']++;
        count++;
    }
    CHECK_EQ(count, 1'500);
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        CHECK_EQ(counts[i], 500);
}

TEST(log_lines_of_many_threads_stay_whole)
{
    ax_test_with_ctx(from_threads);
}

static ax_status
one_line(struct ax_ctx *ctx)
{
    ax_log(AX_LOG_ERROR, ctx, "tried", "what", "nothing", NULL);
    return AX_OK; /* a log that cannot be written stops no work */
}

TEST(log_survives_every_fault)
{
    capture_begin();
    FAULT_SWEEP(one_line);
    CHECK(ax_str_find(capture_end(), AX_STR("\"event\":\"tried\"")) != SIZE_MAX);
}

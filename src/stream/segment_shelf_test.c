#include "stream/segment_shelf.h"

#include <stdlib.h>

#include "harness.h"
#include "sys/clock.h"
#include "sys/workers.h"

/*
 * What the shelf promises to readers while others write, erase and make room; reading in general
 * is tested where the log is opened (segment_log_test).
 */
static char folder[64];
static struct ax_segment_log *shared_log;
enum { RECORDS = 600, BATCH = 5 };

static ax_str
bytes_of(uint64_t i, char out[24])
{
    int len = snprintf(out, 24, "number %d", (int)i);
    return (ax_str){out, (size_t)len};
}

static void
reader_run(void *arg)
{
    uint64_t *seen = arg;
    while (*seen < RECORDS) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct ax_segment_log_records records = {};
        CHECK_EQ(ax_segment_log_read(shared_log, &ctx, *seen, 50, 1 << 20, &records), AX_OK);
        for (size_t i = 0; i < records.count; i++) {
            char text[24];
            ax_str want = bytes_of(*seen + i, text);
            CHECK(ax_str_eq(records.items[i].bytes, want));
            CHECK(records.items[i].erased || ax_str_eq(records.items[i].attachment, want));
        }
        *seen += records.count;
        if (records.count == 0)
            ax_clock_sleep_ms(1);
    }
}

static void
upkeep_run(void *arg)
{
    (void)arg;
    struct ax_segment_log_state state = {};
    while (state.count < RECORDS) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        CHECK_EQ(ax_segment_log_prepare(shared_log, &ctx), AX_OK);
        ax_segment_log_state(shared_log, &state);
        if (state.count > 0)
            CHECK_EQ(ax_segment_log_erase(shared_log, &ctx, &(uint64_t){state.count / 2}, 1),
                     AX_OK);
    }
}

static ax_status
write_all(struct ax_ctx *ctx)
{
    static const uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES];
    for (uint64_t at = 0; at < RECORDS; at += BATCH) {
        char text[BATCH][24];
        struct ax_segment_log_record records[BATCH];
        for (uint64_t i = 0; i < BATCH; i++) {
            ax_str bytes = bytes_of(at + i, text[i]);
            records[i] = (struct ax_segment_log_record){.bytes = bytes, .attachment = bytes};
        }
        AX_TRY(ax_segment_log_reserve(shared_log, ctx, BATCH * 100));
        AX_TRY(ax_segment_log_write(shared_log, ctx, records, BATCH, mark));
        AX_TRY(ax_segment_log_sync(shared_log, ctx));
    }
    return AX_OK;
}

TEST(segment_shelf_serves_readers_while_it_is_written_erased_and_extended)
{
    snprintf(folder, sizeof folder, "/tmp/axiom-shelf-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_segment_log_config config = {
        .folder = ax_str_of(folder), .segment_bytes = 20'000, .prepare_bytes = 4'096};
    CHECK_EQ(ax_segment_log_open(&ctx, &config, &shared_log), AX_OK);
    struct ax_thread *readers[2], *upkeep;
    uint64_t seen[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        CHECK_EQ(ax_thread_start(&ctx, "reader", reader_run, &seen[i], &readers[i]), AX_OK);
    CHECK_EQ(ax_thread_start(&ctx, "upkeep", upkeep_run, NULL, &upkeep), AX_OK);
    CHECK_EQ(write_all(&ctx), AX_OK);
    for (int i = 0; i < 2; i++)
        ax_thread_join(readers[i]);
    ax_thread_join(upkeep);
    CHECK_EQ(seen[0], RECORDS);
    CHECK_EQ(seen[1], RECORDS);
    ax_segment_log_close(shared_log);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

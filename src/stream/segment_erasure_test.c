#include "stream/segment_erasure.h"

#include <stdlib.h>

#include "harness.h"

static char folder[64];

static ax_str
segment_bytes(struct ax_ctx *ctx)
{
    ax_str path, bytes = {};
    CHECK_EQ(ax_segment_erasure_path(ctx, ax_str_of(folder), 0x1f, "", &path), AX_OK);
    CHECK_STR(ax_path_name(path), "000000000000001f");
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
    return bytes;
}

/* Two attachments in segment 0x1f, at 0 and at 40. */
static void
make_segment(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    ax_str path;
    for (uint64_t i = 0; i < 2; i++)
        ax_segment_frame_write(&(struct ax_segment_frame){.kind = AX_SEGMENT_FRAME_ATTACHMENT,
                                                          .sequence = 31 + i,
                                                          .batch = 4,
                                                          .bytes = AX_STR("secret one")},
                               &out);
    CHECK_EQ(ax_segment_erasure_path(ctx, ax_str_of(folder), 0x1f, "", &path), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, path, ax_writer_str(&out)), AX_OK);
}

static const struct ax_segment_erasure items[] = {{0x1f, 0, 31}, {0x1f, 40, 32}};

static bool
all_erased(ax_str bytes)
{
    struct ax_segment_frame first, second;
    return ax_segment_frame_read(bytes, &first) == AX_OK &&
           ax_segment_frame_read(ax_str_from(bytes, 40), &second) == AX_OK &&
           first.kind == AX_SEGMENT_FRAME_ERASED && second.kind == AX_SEGMENT_FRAME_ERASED &&
           first.sequence == 31 && second.sequence == 32 && second.batch == 4;
}

static void
with_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-erasure-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_test_with_ctx(body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static void
overwrites(struct ax_ctx *ctx)
{
    make_segment(ctx);
    CHECK_EQ(ax_segment_erasure_run(ctx, ax_str_of(folder), items, 0), AX_OK);
    CHECK(ax_str_find(segment_bytes(ctx), AX_STR("secret")) != SIZE_MAX);
    CHECK_EQ(ax_segment_erasure_run(ctx, ax_str_of(folder), items, 2), AX_OK);
    CHECK(ax_str_find(segment_bytes(ctx), AX_STR("secret")) == SIZE_MAX);
    CHECK(all_erased(segment_bytes(ctx)));
    const struct ax_segment_erasure wrong[] = {{0x1f, 8, 31}}, absent[] = {{0x20, 0, 31}};
    CHECK_EQ(ax_segment_erasure_run(ctx, ax_str_of(folder), wrong, 1), AX_CORRUPT);
    CHECK_EQ(ax_segment_erasure_run(ctx, ax_str_of(folder), absent, 1), AX_CORRUPT);
}

TEST(segment_erasure_overwrites_and_refuses_places_that_are_not)
{
    with_folder(overwrites);
}

/* A crash at any step leaves all, or a note that the next open finishes. */
static void
crashes(struct ax_ctx *ctx)
{
    for (int step = 0;; step++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx broken = ax_ctx_of(arena);
        make_segment(ctx);
        ax_fault_arm(step, true); /* from here on the machine is gone */
        ax_status status = ax_segment_erasure_run(&broken, ax_str_of(folder), items, 2);
        bool fired = ax_fault_disarm();
        ax_str note = ax_path_join(arena, ax_str_of(folder), AX_STR("erasing"));
        bool noted = ax_file_exists(note);
        CHECK_EQ(ax_segment_erasure_finish(&broken, ax_str_of(folder)), AX_OK);
        CHECK(!ax_file_exists(note));
        CHECK(all_erased(segment_bytes(ctx)) == (noted || status == AX_OK || !fired) ||
              all_erased(segment_bytes(ctx)));
        if (!fired) {
            CHECK_EQ(status, AX_OK);
            CHECK(step > 10);
            return;
        }
        CHECK(status != AX_OK);
    }
}

TEST(segment_erasure_is_finished_after_a_crash_at_any_step)
{
    with_folder(crashes);
}

static void
bad_notes(struct ax_ctx *ctx)
{
    ax_str note = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("erasing"));
    make_segment(ctx);
    const ax_str bad[] = {AX_STR(""), AX_STR("rubbish"),
                          AX_STR("\1\0\0\0\0\0\0\0rubbish.rubbish.")};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        CHECK_EQ(ax_file_write_atomic(ctx, note, bad[i]), AX_OK);
        CHECK_EQ(ax_segment_erasure_finish(ctx, ax_str_of(folder)), AX_CORRUPT);
    }
}

TEST(segment_erasure_refuses_a_note_that_is_none)
{
    with_folder(bad_notes);
}

#include "net/buffers.h"

#include "harness.h"

enum { MB = 1 << 20 };

TEST(buffers_are_used_again_and_keep_what_is_written)
{
    struct ax_buffers buffers = {};
    struct ax_writer one = ax_writer_of(8 * MB), other = ax_writer_of(8 * MB);
    ax_buffers_fit(&buffers, &one, 1000);
    CHECK_EQ(one.capacity, 0); /* not worth it */
    ax_buffers_fit(&buffers, &one, MB);
    CHECK_EQ(one.capacity, MB);
    const char *memory = one.at;
    ax_writer_text(&one, "first");
    ax_buffers_fit(&buffers, &one, MB / 2);
    CHECK(one.at == memory);
    ax_buffers_take_back(&buffers, &one);
    CHECK(one.at == NULL && one.len == 0 && one.len_max == 8 * MB);
    CHECK_EQ(buffers.held_bytes, MB);
    ax_writer_text(&other, "second");
    ax_buffers_fit(&buffers, &other, 900'000);
    CHECK(other.at == memory && buffers.held_bytes == 0);
    CHECK_STR(ax_writer_str(&other), "second");
    ax_buffers_fit(&buffers, &one, 2 * MB);
    ax_buffers_take_back(&buffers, &one);
    ax_buffers_fit(&buffers, &other, 2 * MB); /* grows into it; its own is kept */
    CHECK_STR(ax_writer_str(&other), "second");
    CHECK_EQ(buffers.held_bytes, MB);
    ax_writer_free(&other);
    ax_buffers_done(&buffers);
}

TEST(buffers_are_bounded_and_go_when_nobody_wants_them)
{
    struct ax_buffers buffers = {};
    for (size_t i = 0; i < 40; i++) {
        struct ax_writer writer = ax_writer_of(64 * MB);
        ax_writer_room(&writer, i % 2 ? 4 * MB : 300'000);
        ax_buffers_take_back(&buffers, &writer);
        CHECK(writer.at == NULL && buffers.held_bytes <= 16 * MB);
    }
    CHECK_EQ(buffers.count, AX_BUFFERS_COUNT);
    struct ax_writer huge = ax_writer_of(64 * MB), small = ax_writer_of(100 * 1024);
    ax_writer_room(&huge, 20 * MB);
    ax_buffers_take_back(&buffers, &huge);
    CHECK(huge.at == NULL && buffers.count == AX_BUFFERS_COUNT);
    ax_buffers_fit(&buffers, &huge, 20 * MB);
    ax_buffers_fit(&buffers, &small, MB); /* its limit is less */
    CHECK(huge.at == NULL && small.at == NULL);
    for (int i = 0; i <= 20; i++)
        ax_buffers_rest(&buffers);
    CHECK(buffers.count == 0 && buffers.held_bytes == 0);
}

static ax_status
use(struct ax_ctx *ctx)
{
    struct ax_buffers buffers = {};
    struct ax_writer writer = ax_writer_of(8 * MB);
    ax_buffers_fit(&buffers, &writer, MB);
    bool roomy = writer.capacity == MB;
    ax_buffers_take_back(&buffers, &writer);
    ax_writer_free(&writer);
    ax_buffers_done(&buffers);
    return roomy ? AX_OK : ax_fail(ctx, AX_LIMIT, "no room");
}

TEST(buffers_survive_every_fault)
{
    FAULT_SWEEP(use);
}

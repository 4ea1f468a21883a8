#include "event/follower.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "sys/file.h"

enum { POSITION_BYTES_MAX = 64, READ_AT_ONCE = 256, SCRATCH_BYTES_MAX = 32 << 20 };

struct ax_follower {
    struct ax_ledger *ledger;
    uint64_t position; /* of the next fact */
    size_t path_len;
    char path[];
};

/* The position as text: "1234\n". */
static ax_status
position_read(struct ax_ctx *ctx, ax_str path, uint64_t *out_position)
{
    ax_str text;
    ax_status status = ax_file_read_all(ctx, path, POSITION_BYTES_MAX, &text);
    if (status == AX_NOT_FOUND) {
        *out_position = 0;
        return AX_OK;
    }
    AX_TRY(status);
    if (!ax_str_ends(text, AX_STR("\n")) ||
        !ax_parse_u64((ax_str){text.at, text.len - 1}, out_position))
        return ax_fail(ctx, AX_CORRUPT, "%.*s does not hold the position of a follower",
                       AX_FMT(path));
    return AX_OK;
}

static ax_status
position_write(const struct ax_follower *follower, struct ax_ctx *ctx)
{
    char text[AX_NUMBER_BYTES_MAX + 1];
    size_t len = ax_format_u64(follower->position, text);
    text[len++] = '\n';
    return ax_file_write_atomic(ctx, (ax_str){follower->path, follower->path_len},
                                (ax_str){text, len});
}

ax_status
ax_follower_open(struct ax_ctx *ctx, struct ax_ledger *ledger, ax_str path,
                 struct ax_follower **out_follower)
{
    uint64_t position;
    AX_TRY(position_read(ctx, path, &position));
    if (position > ax_ledger_size(ledger))
        return ax_fail(ctx, AX_CORRUPT,
                       "%.*s has seen %" PRIu64 " facts and the ledger holds %" PRIu64
                       ": they do not belong together",
                       AX_FMT(path), position, ax_ledger_size(ledger));
    struct ax_follower *follower = ax_alloc(1, sizeof *follower + path.len);
    if (!follower)
        return ax_fail(ctx, AX_LIMIT, "no memory for a follower");
    follower->ledger = ledger;
    follower->position = position;
    follower->path_len = path.len;
    memcpy(follower->path, path.at, path.len);
    *out_follower = follower;
    return AX_OK;
}

void
ax_follower_close(struct ax_follower *follower)
{
    ax_free(follower);
}

/* A few facts, in memory of their own. out_done is right also after a failure. */
static ax_status
run_some(struct ax_follower *follower, struct ax_ctx *ctx, size_t count_max, ax_follower_fn handle,
         void *arg)
{
    ax_str *leaves;
    size_t count;
    AX_TRY(
        ax_ledger_read_many(follower->ledger, ctx, follower->position, count_max, &leaves, &count));
    for (size_t i = 0; i < count; i++) {
        struct ax_event event;
        ax_status status = ax_event_read(ctx, leaves[i], &event);
        if (status != AX_OK)
            return ax_explain(ctx, AX_CORRUPT, "fact %" PRIu64, follower->position);
        AX_TRY(handle(arg, ctx, follower->position, &event));
        follower->position++;
    }
    return AX_OK;
}

ax_status
ax_follower_run(struct ax_follower *follower, struct ax_ctx *ctx, size_t count_max,
                ax_follower_fn handle, void *arg, size_t *out_count)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for a follower");
    struct ax_arena *outer = ctx->arena;
    uint64_t begin = follower->position, before = UINT64_MAX;
    ax_status status = AX_OK;
    ctx->arena = scratch;
    while (status == AX_OK && follower->position != before &&
           follower->position - begin < count_max) {
        size_t left = count_max - (size_t)(follower->position - begin);
        before = follower->position;
        ax_arena_reset(scratch);
        status = run_some(follower, ctx, left < READ_AT_ONCE ? left : READ_AT_ONCE, handle, arg);
    }
    ctx->arena = outer;
    *out_count = (size_t)(follower->position - begin);
    if (*out_count == 0)
        return status;
    if (status == AX_OK)
        return position_write(follower, ctx);
    struct ax_ctx second = ax_ctx_of(ctx->arena); /* the words of what stopped it are kept */
    ax_ignore(position_write(follower, &second), "handled again at worst");
    return status;
}

uint64_t
ax_follower_position(const struct ax_follower *follower)
{
    return follower->position;
}

uint64_t
ax_follower_behind(const struct ax_follower *follower)
{
    uint64_t size = ax_ledger_size(follower->ledger);
    return size > follower->position ? size - follower->position : 0;
}

#include "stream/stream.h"

#include "base/assert.h"
#include "base/fault.h"

static ax_status
check_records(struct ax_ctx *ctx, const ax_str *records, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (records[i].len > AX_STREAM_RECORD_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID,
                           "record %zu has %zu bytes, at most %d can be appended to a stream", i,
                           records[i].len, AX_STREAM_RECORD_BYTES_MAX);
        total += records[i].len; /* at most 4,096 times 1 MiB: it cannot overflow */
    }
    if (total > AX_STREAM_APPEND_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu bytes in one append, at most %d are possible", total,
                       AX_STREAM_APPEND_BYTES_MAX);
    return AX_OK;
}

ax_status
ax_stream_append(struct ax_stream *stream, struct ax_ctx *ctx, const ax_str *records, size_t count,
                 uint64_t *out_first)
{
    AX_ASSERT(count > 0);
    AX_ASSERT(count <= AX_STREAM_APPEND_MAX);
    AX_TRY(check_records(ctx, records, count));
    if (ax_fault_here())
        return ax_fail(ctx, AX_LIMIT, "append to the %s stream: fault", stream->ops->name);
    return stream->ops->append(stream, ctx, records, count, out_first);
}

ax_status
ax_stream_sync(struct ax_stream *stream, struct ax_ctx *ctx)
{
    return stream->ops->sync(stream, ctx);
}

ax_status
ax_stream_read(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t from, size_t count_max,
               ax_str **out_records, size_t *out_count)
{
    AX_ASSERT(count_max > 0);
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "read the %s stream: fault", stream->ops->name);
    return stream->ops->read(stream, ctx, from, count_max, out_records, out_count);
}

uint64_t
ax_stream_count(struct ax_stream *stream)
{
    return stream->ops->count(stream);
}

void
ax_stream_close(struct ax_stream *stream)
{
    stream->ops->close(stream);
}

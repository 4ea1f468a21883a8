#include "verify/verify_segment.h"

#include "base/reader.h"
#include "sys/file.h"

enum {
    HEAD_BYTES = 64,
    HEAD_CRC_AT = 56,
    FRAME_BYTES = 28,
    FRAME_CRC_AT = 24,
    FRAME_BYTES_MAX = 2 << 20,
    NAME_DIGITS = 16,
};

enum kind { RECORD, ATTACHMENT, ERASED, TRAILER, KINDS };

static const uint32_t head_magic = UINT32_C(0x31535841);
static const uint32_t magics[KINDS] = {UINT32_C(0x3158F2B9), UINT32_C(0x9DC6A3B5),
                                       UINT32_C(0x4E0B7CAA), UINT32_C(0xE271D9A8)};

struct frame {
    enum kind kind;
    uint64_t sequence, batch;
    ax_str bytes;
    size_t size; /* in the file */
};

struct scan {
    struct ax_ctx *ctx;
    const struct ax_verify_visitor *visitor;
    ax_str name; /* of the segment */
    ax_str bytes;
    uint64_t next;  /* leaf */
    uint64_t batch; /* number of the last whole batch */
};

/* CRC-32C (Castagnoli), bit by bit tables of 256. */
static uint32_t
crc32c(uint32_t crc, ax_str bytes)
{
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value >> 1 ^ (value & 1 ? UINT32_C(0x82F63B78) : 0);
            table[i] = value;
        }
    crc = ~crc;
    for (size_t i = 0; i < bytes.len; i++)
        crc = crc >> 8 ^ table[(crc ^ (uint8_t)bytes.at[i]) & 255];
    return ~crc;
}

static bool
all_zero(ax_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i])
            return false;
    return true;
}

static bool
read_frame(ax_str bytes, struct frame *out)
{
    struct ax_reader reader = ax_reader_of(bytes);
    uint32_t magic = ax_reader_u32_le(&reader), len = ax_reader_u32_le(&reader);
    out->sequence = ax_reader_u64_le(&reader);
    out->batch = ax_reader_u64_le(&reader);
    uint32_t crc = ax_reader_u32_le(&reader);
    out->kind = KINDS;
    for (int i = 0; i < KINDS; i++)
        if (magics[i] == magic)
            out->kind = (enum kind)i;
    out->size = (FRAME_BYTES + (size_t)len + 7) / 8 * 8;
    if (reader.status != AX_OK || out->kind == KINDS || len > FRAME_BYTES_MAX ||
        out->size > bytes.len)
        return false;
    out->bytes = ax_reader_bytes(&reader, len);
    ax_str pad = ax_reader_bytes(&reader, out->size - FRAME_BYTES - len);
    return crc == crc32c(crc32c(0, (ax_str){bytes.at, FRAME_CRC_AT}), out->bytes) &&
           all_zero(pad) && (out->kind != ERASED || all_zero(out->bytes));
}

/* Whether a whole batch begins here; its bytes with the trailer, and the trailer's own. */
static bool
find_batch(ax_str bytes, size_t *out_size, ax_str *out_trailer, uint64_t *out_batch)
{
    struct frame frame;
    size_t at = 0;
    while (read_frame(ax_str_from(bytes, at), &frame)) {
        at += frame.size;
        if (frame.kind == TRAILER) {
            *out_size = at;
            *out_trailer = frame.bytes;
            *out_batch = frame.batch;
            return true;
        }
    }
    return false;
}

static ax_status
damaged(const struct scan *scan, size_t at, const char *what)
{
    return ax_fail(scan->ctx, AX_CORRUPT, "segment %.*s, byte %zu: %s", AX_FMT(scan->name), at,
                   what);
}

/* Hands on the records of a batch, each with what is attached to it. */
static ax_status
visit_batch(struct scan *scan, size_t at, size_t size, ax_str trailer)
{
    struct ax_reader reader = ax_reader_of(trailer);
    uint64_t count = ax_reader_u64_le(&reader), first = ax_reader_u64_le(&reader);
    uint64_t bytes = ax_reader_u64_le(&reader), seen = 0;
    ax_str mark = ax_reader_bytes(&reader, 32);
    size_t end = at + size - (FRAME_BYTES + trailer.len + 7) / 8 * 8, begin = at;
    if (reader.status != AX_OK || ax_reader_left(&reader) || first != scan->next ||
        bytes != end - begin)
        return damaged(scan, end, "the batch's trailer does not fit its batch");
    while (at < end) {
        struct frame frame, attached;
        struct ax_verify_record record = {.payload = AX_STR("")};
        (void)read_frame(ax_str_from(scan->bytes, at), &frame); /* whole: it was read before */
        if (frame.kind != RECORD || frame.sequence != scan->next)
            return damaged(scan, at, "a record out of its order");
        at += frame.size;
        record.leaf = frame.bytes;
        if (at < end && read_frame(ax_str_from(scan->bytes, at), &attached) &&
            (attached.kind == ATTACHMENT || attached.kind == ERASED)) {
            if (attached.sequence != frame.sequence)
                return damaged(scan, at, "a payload that belongs to another record");
            record.erased = attached.kind == ERASED;
            record.payload = attached.bytes;
            at += attached.size;
        }
        AX_TRY(scan->visitor->record(scan->visitor->arg, scan->ctx, scan->next, &record));
        scan->next++;
        seen++;
    }
    if (seen != count)
        return damaged(scan, end, "the batch's trailer counts other records");
    return scan->visitor->batch(scan->visitor->arg, scan->ctx, (const uint8_t *)mark.at);
}

static ax_status
check_head(struct scan *scan)
{
    struct ax_reader reader = ax_reader_of(scan->bytes);
    uint32_t magic = ax_reader_u32_le(&reader), version = ax_reader_u32_le(&reader);
    uint64_t first = ax_reader_u64_le(&reader), batch = ax_reader_u64_le(&reader);
    (void)ax_reader_bytes(&reader, 32);
    uint32_t crc = ax_reader_u32_le(&reader);
    if (reader.status != AX_OK || scan->bytes.len < HEAD_BYTES || magic != head_magic ||
        version != 1 || crc != crc32c(0, (ax_str){scan->bytes.at, HEAD_CRC_AT}) ||
        !all_zero((ax_str){scan->bytes.at + HEAD_CRC_AT + 4, HEAD_BYTES - HEAD_CRC_AT - 4}))
        return damaged(scan, 0, "no head of a segment");
    if (first != scan->next || batch != scan->batch)
        return damaged(scan, 0, "the segment does not follow the one before it");
    return AX_OK;
}

/* *out_left: bytes behind the last whole batch that are not zero. */
static ax_status
read_segment(struct scan *scan, uint64_t *out_left)
{
    size_t at = HEAD_BYTES, size;
    uint64_t batch;
    ax_str trailer;
    AX_TRY(check_head(scan));
    while (find_batch(ax_str_from(scan->bytes, at), &size, &trailer, &batch)) {
        if (batch != scan->batch + 1)
            return damaged(scan, at, "a batch out of its order");
        AX_TRY(visit_batch(scan, at, size, trailer));
        scan->batch = batch;
        at += size;
    }
    ax_str rest = ax_str_from(scan->bytes, at);
    while (rest.len && rest.at[rest.len - 1] == '\0')
        rest.len--;
    *out_left = rest.len;
    return AX_OK;
}

static bool
is_segment(ax_str name)
{
    if (name.len != NAME_DIGITS)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!((name.at[i] >= '0' && name.at[i] <= '9') || (name.at[i] >= 'a' && name.at[i] <= 'f')))
            return false;
    return true;
}

/* Behind the last whole batch of a segment there may be only zeros, but for a torn tail. */
static ax_status
judge_rest(struct scan *scan, uint64_t left, bool last, uint64_t signed_size)
{
    if (left == 0)
        return AX_OK;
    if (!last)
        return damaged(scan, scan->bytes.len, "a broken batch, though another segment follows");
    if (scan->next < signed_size)
        return ax_fail(scan->ctx, AX_CORRUPT,
                       "segment %.*s: a broken batch behind leaf %llu, below the %llu leaves that "
                       "were signed",
                       AX_FMT(scan->name), (unsigned long long)scan->next,
                       (unsigned long long)signed_size);
    return AX_OK;
}

ax_status
ax_verify_segments(struct ax_ctx *ctx, ax_str folder, uint64_t signed_size,
                   const struct ax_verify_visitor *visitor, uint64_t *out_torn_bytes)
{
    struct scan scan = {.ctx = ctx, .visitor = visitor};
    ax_str *names, log = ax_path_join(ctx->arena, folder, AX_STR("log"));
    size_t count, segments = 0;
    if (!log.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_list(ctx, log, &names, &count));
    for (size_t i = 0; i < count; i++)
        if (is_segment(names[i]))
            names[segments++] = names[i]; /* sorted by name, so by first leaf */
    *out_torn_bytes = 0;
    for (size_t i = 0; i < segments; i++) {
        uint64_t left = 0;
        ax_str path = ax_path_join(ctx->arena, log, names[i]);
        if (!path.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for a path");
        scan.name = names[i];
        AX_TRY(ax_file_map(ctx, path, &scan.bytes));
        ax_status status = read_segment(&scan, &left);
        if (status == AX_OK)
            status = judge_rest(&scan, left, i + 1 == segments, signed_size);
        ax_file_unmap(scan.bytes);
        AX_TRY(status);
        *out_torn_bytes += left;
    }
    return AX_OK;
}

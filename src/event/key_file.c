#include "event/key_file.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/reader.h"
#include "base/writer.h"
#include "stream/crc32c.h"

enum {
    MAGIC = 0x4b564158, /* "AXVK" */
    CRC_AT = AX_KEY_FILE_SLOT_BYTES - 4,
    CHUNK_SLOTS = 512,
    PREPARE_BYTES = 64 << 10,
    NOTE_BYTES = 8 + AX_KEY_FILE_SLOT_BYTES,
};

#define file_auto [[gnu::cleanup(ax_file_close)]]

/* ---- one slot ---- */

static void
slot_write(const struct ax_key_file_slot *slot, struct ax_writer *out)
{
    size_t start = out->len;
    ax_writer_u32_le(out, MAGIC);
    ax_writer_u32_le(out, (uint32_t)slot->state);
    ax_writer_u64_le(out, slot->sure);
    ax_writer_bytes(out, (ax_str){(const char *)slot->key_id, sizeof slot->key_id});
    ax_writer_bytes(out, (ax_str){(const char *)slot->tag, sizeof slot->tag});
    if (slot->state == AX_KEY_FILE_ERASED) {
        static const char zeros[AX_KEY_FILE_WRAPPED_BYTES - 8];
        ax_writer_u64_le(out, (uint64_t)slot->erased_ns);
        ax_writer_bytes(out, (ax_str){zeros, sizeof zeros});
    } else {
        ax_writer_bytes(out, (ax_str){(const char *)slot->wrapped, sizeof slot->wrapped});
    }
    if (out->status == AX_OK)
        ax_writer_u32_le(out, ax_crc32c(0, (ax_str){out->at + start, CRC_AT}));
}

static bool
slot_read(ax_str bytes, struct ax_key_file_slot *out_slot)
{
    struct ax_reader reader = ax_reader_of(bytes);
    struct ax_key_file_slot slot = {};
    uint32_t magic = ax_reader_u32_le(&reader), state = ax_reader_u32_le(&reader);
    slot.state = (enum ax_key_file_state)state;
    slot.sure = ax_reader_u64_le(&reader);
    memcpy(slot.key_id, ax_reader_bytes(&reader, sizeof slot.key_id).at, sizeof slot.key_id);
    memcpy(slot.tag, ax_reader_bytes(&reader, sizeof slot.tag).at, sizeof slot.tag);
    ax_str wrapped = ax_reader_bytes(&reader, sizeof slot.wrapped);
    uint32_t crc = ax_reader_u32_le(&reader);
    if (reader.status != AX_OK || magic != MAGIC || state > AX_KEY_FILE_VOID ||
        crc != ax_crc32c(0, (ax_str){bytes.at, CRC_AT}))
        return false;
    if (slot.state == AX_KEY_FILE_ERASED) {
        struct ax_reader time = ax_reader_of(wrapped);
        slot.erased_ns = (int64_t)ax_reader_u64_le(&time);
    } else {
        memcpy(slot.wrapped, wrapped.at, sizeof slot.wrapped);
    }
    *out_slot = slot;
    return true;
}

static uint64_t
offset_of(uint64_t number)
{
    return (number + 1) * AX_KEY_FILE_SLOT_BYTES;
}

static ax_status
path_in(struct ax_ctx *ctx, ax_str folder, ax_str name, ax_str *out_path)
{
    *out_path = ax_path_join(ctx->arena, folder, name);
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

static ax_status
slots_encode(struct ax_ctx *ctx, const struct ax_key_file_slot *slots, size_t count,
             struct ax_writer *out)
{
    for (size_t i = 0; i < count; i++)
        slot_write(&slots[i], out);
    return out->status == AX_OK ? AX_OK
                                : ax_fail(ctx, out->status, "no memory for %zu key slots", count);
}

/* ---- reading all of it ---- */

/* Called for each slot's bytes from number `from` on. */
typedef ax_status (*bytes_fn)(void *arg, struct ax_ctx *ctx, uint64_t number, ax_str bytes);

static ax_status
each_slot(const struct ax_key_file *file, struct ax_ctx *ctx, uint64_t count, bytes_fn visit,
          void *arg)
{
    ax_writer_auto struct ax_writer chunk =
        ax_writer_of((size_t)CHUNK_SLOTS * AX_KEY_FILE_SLOT_BYTES);
    for (uint64_t at = 0; at < count;) {
        uint64_t part = count - at < CHUNK_SLOTS ? count - at : CHUNK_SLOTS;
        ax_writer_clear(&chunk);
        char *bytes = ax_writer_room(&chunk, (size_t)part * AX_KEY_FILE_SLOT_BYTES);
        if (!bytes)
            return ax_fail(ctx, AX_LIMIT, "no memory to read keys");
        AX_TRY(ax_file_read_at(ctx, file->file, offset_of(at), bytes,
                               (size_t)part * AX_KEY_FILE_SLOT_BYTES));
        for (uint64_t i = 0; i < part; i++)
            AX_TRY(visit(arg, ctx, at + i,
                         (ax_str){bytes + i * AX_KEY_FILE_SLOT_BYTES, AX_KEY_FILE_SLOT_BYTES}));
        at += part;
    }
    return AX_OK;
}

/* What a first look over the slots finds. */
struct judgement {
    uint64_t count;      /* behind the last slot that is not zeros */
    uint64_t sure;       /* the highest that any slot vouches for */
    uint64_t bad_first;  /* the first slot that is broken, or zeros with others behind it */
    uint64_t zero_first; /* of the zeros met last; UINT64_MAX for none */
};

static ax_status
judge_slot(void *arg, struct ax_ctx *ctx, uint64_t number, ax_str bytes)
{
    static const char zeros[AX_KEY_FILE_SLOT_BYTES];
    struct judgement *judgement = arg;
    struct ax_key_file_slot slot;
    (void)ctx;
    if (memcmp(bytes.at, zeros, sizeof zeros) == 0) {
        if (judgement->zero_first == UINT64_MAX)
            judgement->zero_first = number;
        return AX_OK;
    }
    bool good = slot_read(bytes, &slot) && slot.state != AX_KEY_FILE_HEAD && slot.sure <= number;
    uint64_t bad = good ? judgement->zero_first
                        : (judgement->zero_first < number ? judgement->zero_first : number);
    if (bad < judgement->bad_first)
        judgement->bad_first = bad;
    if (good && slot.sure > judgement->sure)
        judgement->sure = slot.sure;
    judgement->zero_first = UINT64_MAX;
    judgement->count = number + 1;
    return AX_OK;
}

/* Torn slots get a form that later opens take for what it is. */
static ax_status
void_slot(void *arg, struct ax_ctx *ctx, uint64_t number, ax_str bytes)
{
    const struct ax_key_file *file = arg;
    struct ax_key_file_slot slot = {};
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_KEY_FILE_SLOT_BYTES);
    if (slot_read(bytes, &slot))
        return AX_OK;
    slot = (struct ax_key_file_slot){.state = AX_KEY_FILE_VOID};
    AX_TRY(slots_encode(ctx, &slot, 1, &out));
    return ax_file_write_at(ctx, file->file, offset_of(number), ax_writer_str(&out));
}

static ax_status
judge(struct ax_key_file *file, struct ax_ctx *ctx)
{
    struct judgement judgement = {.bad_first = UINT64_MAX, .zero_first = UINT64_MAX};
    uint64_t slots = file->prepared / AX_KEY_FILE_SLOT_BYTES - 1;
    AX_TRY(each_slot(file, ctx, slots, judge_slot, &judgement));
    if (judgement.bad_first < judgement.sure)
        return ax_fail(ctx, AX_CORRUPT,
                       "key slot %" PRIu64 " in %.*s is damaged, though %" PRIu64
                       " were durable: keys are lost",
                       judgement.bad_first, AX_FMT(file->folder), judgement.sure);
    file->count = judgement.count;
    if (judgement.bad_first == UINT64_MAX)
        return AX_OK;
    AX_TRY(each_slot(file, ctx, file->count, void_slot, file));
    return ax_file_sync(ctx, file->file);
}

struct scanning {
    ax_key_file_fn visit;
    void *arg;
};

static ax_status
scan_slot(void *arg, struct ax_ctx *ctx, uint64_t number, ax_str bytes)
{
    const struct scanning *scanning = arg;
    struct ax_key_file_slot slot;
    if (!slot_read(bytes, &slot))
        return ax_fail(ctx, AX_CORRUPT, "key slot %" PRIu64 " is damaged", number);
    return scanning->visit(scanning->arg, ctx, number, &slot);
}

ax_status
ax_key_file_scan(struct ax_key_file *file, struct ax_ctx *ctx, ax_key_file_fn visit, void *arg)
{
    struct scanning scanning = {visit, arg};
    return each_slot(file, ctx, file->count, scan_slot, &scanning);
}

ax_status
ax_key_file_read(const struct ax_key_file *file, struct ax_ctx *ctx, uint64_t number,
                 struct ax_key_file_slot *out_slot)
{
    char bytes[AX_KEY_FILE_SLOT_BYTES];
    AX_TRY(ax_file_read_at(ctx, file->file, offset_of(number), bytes, sizeof bytes));
    if (!slot_read((ax_str){bytes, sizeof bytes}, out_slot))
        return ax_fail(ctx, AX_CORRUPT, "key slot %" PRIu64 " is damaged", number);
    return AX_OK;
}

/* ---- erasing ---- */

static ax_status
overwrite(const struct ax_key_file *file, struct ax_ctx *ctx, uint64_t number, ax_str slot)
{
    AX_TRY(ax_file_write_at(ctx, file->file, offset_of(number), slot));
    return ax_file_sync(ctx, file->file);
}

static ax_status
note_remove(const struct ax_key_file *file, struct ax_ctx *ctx)
{
    ax_str path;
    AX_TRY(path_in(ctx, file->folder, AX_STR("erasing"), &path));
    AX_TRY(ax_file_remove(ctx, path));
    return ax_file_sync_folder(ctx, file->folder);
}

ax_status
ax_key_file_erase(struct ax_key_file *file, struct ax_ctx *ctx, uint64_t number, int64_t erased_ns)
{
    struct ax_key_file_slot slot;
    ax_str path;
    ax_writer_auto struct ax_writer note = ax_writer_of(NOTE_BYTES);
    AX_ASSERT(number < file->count);
    AX_TRY(ax_key_file_read(file, ctx, number, &slot));
    memset(slot.tag, 0, sizeof slot.tag);
    slot.state = AX_KEY_FILE_ERASED;
    slot.erased_ns = erased_ns;
    ax_writer_u64_le(&note, number);
    AX_TRY(slots_encode(ctx, &slot, 1, &note));
    AX_TRY(path_in(ctx, file->folder, AX_STR("erasing"), &path));
    AX_TRY(ax_file_write_atomic(ctx, path, ax_writer_str(&note)));
    ax_status status = overwrite(file, ctx, number, ax_str_from(ax_writer_str(&note), 8));
    if (status == AX_OK)
        status = note_remove(file, ctx);
    return status == AX_OK ? AX_OK : ax_explain(ctx, AX_UNAVAILABLE, "destroy a key");
}

static ax_status
finish_erasure(const struct ax_key_file *file, struct ax_ctx *ctx)
{
    ax_str path, note;
    struct ax_key_file_slot slot;
    AX_TRY(path_in(ctx, file->folder, AX_STR("erasing"), &path));
    ax_status status = ax_file_read_all(ctx, path, NOTE_BYTES, &note);
    if (status == AX_NOT_FOUND)
        return AX_OK;
    AX_TRY(status);
    struct ax_reader reader = ax_reader_of(note);
    uint64_t number = ax_reader_u64_le(&reader);
    ax_str image = ax_str_from(note, 8);
    if (note.len != NOTE_BYTES || !slot_read(image, &slot) || slot.state != AX_KEY_FILE_ERASED ||
        number >= file->prepared / AX_KEY_FILE_SLOT_BYTES - 1)
        return ax_fail(ctx, AX_CORRUPT, "%.*s does not name a key slot", AX_FMT(path));
    AX_TRY(overwrite(file, ctx, number, image));
    return note_remove(file, ctx);
}

/* ---- adding ---- */

/* Zeros up to where the slots end, through a descriptor of its own (see segment_log). */
static ax_status
prepare(struct ax_key_file *file, struct ax_ctx *ctx, uint64_t needed)
{
    ax_str path;
    file_auto ax_file again = {-1};
    if (needed <= file->prepared)
        return AX_OK;
    uint64_t target = (needed + PREPARE_BYTES - 1) / PREPARE_BYTES * PREPARE_BYTES;
    AX_TRY(path_in(ctx, file->folder, AX_STR("keys"), &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &again));
    AX_TRY(ax_file_prepare(ctx, again, target));
    file->prepared = target;
    return AX_OK;
}

ax_status
ax_key_file_append(struct ax_key_file *file, struct ax_ctx *ctx,
                   const struct ax_key_file_slot *slots, size_t count)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(count * AX_KEY_FILE_SLOT_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct ax_key_file_slot slot = slots[i];
        slot.sure = file->count;
        AX_TRY(slots_encode(ctx, &slot, 1, &out));
    }
    AX_TRY(prepare(file, ctx, offset_of(file->count + count)));
    ax_status status =
        ax_file_write_at(ctx, file->file, offset_of(file->count), ax_writer_str(&out));
    if (status == AX_OK)
        status = ax_file_sync(ctx, file->file);
    if (status != AX_OK)
        return ax_explain(ctx, AX_UNAVAILABLE, "write %zu keys", count);
    file->count += count;
    return AX_OK;
}

/* ---- replacing ---- */

struct replacing {
    ax_file to;
    ax_key_file_convert_fn convert;
    void *arg;
};

static ax_status
replace_slot(void *arg, struct ax_ctx *ctx, uint64_t number, const struct ax_key_file_slot *slot)
{
    const struct replacing *replacing = arg;
    struct ax_key_file_slot changed = *slot;
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_KEY_FILE_SLOT_BYTES);
    if (slot->state == AX_KEY_FILE_ALIVE)
        AX_TRY(replacing->convert(replacing->arg, ctx, &changed));
    AX_TRY(slots_encode(ctx, &changed, 1, &out));
    return ax_file_write_at(ctx, replacing->to, offset_of(number), ax_writer_str(&out));
}

static ax_status
overwrite_all(struct ax_ctx *ctx, ax_file file, uint64_t bytes)
{
    static const char zeros[PREPARE_BYTES];
    for (uint64_t at = 0; at < bytes; at += sizeof zeros) {
        size_t len = bytes - at < sizeof zeros ? (size_t)(bytes - at) : sizeof zeros;
        AX_TRY(ax_file_write_at(ctx, file, at, (ax_str){zeros, len}));
    }
    return ax_file_sync(ctx, file);
}

ax_status
ax_key_file_replace(struct ax_key_file *file, struct ax_ctx *ctx,
                    const struct ax_key_file_slot *head, ax_key_file_convert_fn convert, void *arg)
{
    ax_str draft, path;
    file_auto ax_file next = {-1};
    uint64_t bytes = offset_of(file->count);
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_KEY_FILE_SLOT_BYTES);
    AX_TRY(path_in(ctx, file->folder, AX_STR("keys.new"), &draft));
    AX_TRY(path_in(ctx, file->folder, AX_STR("keys"), &path));
    AX_TRY(ax_file_open(ctx, draft, AX_FILE_WRITE, &next));
    AX_TRY(ax_file_truncate(ctx, next, 0));
    AX_TRY(slots_encode(ctx, head, 1, &out));
    AX_TRY(ax_file_write_at(ctx, next, 0, ax_writer_str(&out)));
    struct replacing replacing = {.to = next, .convert = convert, .arg = arg};
    AX_TRY(ax_key_file_scan(file, ctx, replace_slot, &replacing));
    AX_TRY(ax_file_prepare(ctx, next, bytes)); /* adds nothing, and syncs */
    AX_TRY(ax_file_rename(ctx, draft, path));
    ax_file old = file->file;
    file->file = next;
    file->head = *head;
    next = old; /* closed on the way out */
    uint64_t old_bytes = file->prepared;
    file->prepared = bytes;
    AX_TRY(ax_file_sync_folder(ctx, file->folder));
    return overwrite_all(ctx, old, old_bytes);
}

/* ---- opening ---- */

static ax_status
open_lock(struct ax_ctx *ctx, ax_str folder, ax_file *out_lock)
{
    ax_str path;
    file_auto ax_file lock = {-1};
    AX_TRY(path_in(ctx, folder, AX_STR("lock"), &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &lock));
    AX_TRY(ax_file_lock(ctx, lock));
    *out_lock = lock;
    lock.fd = -1;
    return AX_OK;
}

static ax_status
open_head(struct ax_key_file *file, struct ax_ctx *ctx, const struct ax_key_file_slot *first)
{
    ax_str path;
    char bytes[AX_KEY_FILE_SLOT_BYTES];
    AX_TRY(path_in(ctx, file->folder, AX_STR("keys"), &path));
    if (!ax_file_exists(path)) {
        ax_writer_auto struct ax_writer out = ax_writer_of(AX_KEY_FILE_SLOT_BYTES);
        AX_TRY(slots_encode(ctx, first, 1, &out));
        AX_TRY(ax_file_write_atomic(ctx, path, ax_writer_str(&out)));
    }
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file->file));
    AX_TRY(ax_file_size(ctx, file->file, &file->prepared));
    file->prepared -= file->prepared % AX_KEY_FILE_SLOT_BYTES;
    if (file->prepared < sizeof bytes)
        return ax_fail(ctx, AX_CORRUPT, "%.*s is cut short", AX_FMT(path));
    AX_TRY(ax_file_read_at(ctx, file->file, 0, bytes, sizeof bytes));
    if (!slot_read((ax_str){bytes, sizeof bytes}, &file->head) ||
        file->head.state != AX_KEY_FILE_HEAD)
        return ax_fail(ctx, AX_CORRUPT, "the head of %.*s is damaged", AX_FMT(path));
    return AX_OK;
}

ax_status
ax_key_file_open(struct ax_ctx *ctx, ax_str folder, const struct ax_key_file_slot *first,
                 struct ax_key_file *out_file)
{
    struct ax_key_file file = {.folder = folder, .lock = {-1}, .file = {-1}};
    ax_status status = ax_file_make_folders(ctx, folder);
    if (status == AX_OK)
        status = open_lock(ctx, folder, &file.lock);
    if (status == AX_OK)
        status = open_head(&file, ctx, first);
    if (status == AX_OK)
        status = finish_erasure(&file, ctx);
    if (status == AX_OK)
        status = judge(&file, ctx);
    if (status != AX_OK) {
        ax_key_file_close(&file);
        return ax_explain(ctx, status, "open keys");
    }
    *out_file = file;
    return AX_OK;
}

void
ax_key_file_close(struct ax_key_file *file)
{
    ax_file_close(&file->file);
    ax_file_close(&file->lock);
}

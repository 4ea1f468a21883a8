#include "event/key_file.h"

#include <stdlib.h>

#include "harness.h"

enum { COMMITS = 3, SLOTS_EACH = 3, SLOTS = COMMITS * SLOTS_EACH };

static char folder[64];

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-keys-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static ax_status
reopen(struct ax_ctx *ctx, struct ax_key_file *out_file)
{
    const struct ax_key_file_slot head = {.state = AX_KEY_FILE_HEAD, .key_id = {9}};
    return ax_key_file_open(ctx, ax_str_of(folder), &head, out_file);
}

static struct ax_key_file_slot
slot_of(int i)
{
    struct ax_key_file_slot slot = {.state = AX_KEY_FILE_ALIVE};
    memset(slot.key_id, i + 1, sizeof slot.key_id);
    memset(slot.tag, i + 2, sizeof slot.tag);
    memset(slot.wrapped, i + 3, sizeof slot.wrapped);
    return slot;
}

static void
fill(struct ax_ctx *ctx)
{
    struct ax_key_file file;
    CHECK_EQ(reopen(ctx, &file), AX_OK);
    for (int i = 0; i < COMMITS; i++) {
        struct ax_key_file_slot slots[SLOTS_EACH];
        for (int j = 0; j < SLOTS_EACH; j++)
            slots[j] = slot_of(i * SLOTS_EACH + j);
        CHECK_EQ(ax_key_file_append(&file, ctx, slots, SLOTS_EACH), AX_OK);
    }
    CHECK_EQ(file.count, SLOTS);
    ax_key_file_close(&file);
}

struct seen {
    int alive, erased, empty;
};

static ax_status
look(void *arg, struct ax_ctx *ctx, uint64_t number, const struct ax_key_file_slot *slot)
{
    struct seen *seen = arg;
    struct ax_key_file_slot want = slot_of((int)number);
    (void)ctx;
    seen->alive += slot->state == AX_KEY_FILE_ALIVE;
    seen->erased += slot->state == AX_KEY_FILE_ERASED;
    seen->empty += slot->state == AX_KEY_FILE_VOID;
    if (slot->state == AX_KEY_FILE_ALIVE) {
        CHECK(memcmp(slot->key_id, want.key_id, sizeof want.key_id) == 0);
        CHECK(memcmp(slot->tag, want.tag, sizeof want.tag) == 0);
        CHECK(memcmp(slot->wrapped, want.wrapped, sizeof want.wrapped) == 0);
    }
    return AX_OK;
}

/* How many living slots an open finds; -1 for CORRUPT. */
static int
judged(struct ax_ctx *ctx)
{
    struct ax_key_file file;
    struct seen seen = {};
    ax_status status = reopen(ctx, &file);
    if (status != AX_OK) {
        CHECK_EQ(status, AX_CORRUPT);
        return -1;
    }
    CHECK_EQ(ax_key_file_scan(&file, ctx, look, &seen), AX_OK);
    struct ax_key_file_slot next = slot_of((int)file.count);
    CHECK_EQ(ax_key_file_append(&file, ctx, &next, 1), AX_OK); /* and it goes on */
    ax_key_file_close(&file);
    CHECK_EQ(reopen(ctx, &file), AX_OK);
    ax_key_file_close(&file);
    return seen.alive;
}

static ax_str
image(struct ax_ctx *ctx, ax_str *out_path)
{
    ax_str bytes;
    *out_path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("keys"));
    CHECK_EQ(ax_file_read_all(ctx, *out_path, 1 << 20, &bytes), AX_OK);
    return bytes;
}

/* Zeros behind the slots are of no interest: only the slots and the head are damaged. */
static void
cut_and_flip(struct ax_ctx *ctx)
{
    fill(ctx);
    ax_str path, whole = image(ctx, &path);
    size_t used = (1 + SLOTS) * AX_KEY_FILE_SLOT_BYTES;
    size_t last = (1 + SLOTS - SLOTS_EACH) * AX_KEY_FILE_SLOT_BYTES;
    for (size_t cut = 0; cut <= used; cut += 16) {
        CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){whole.at, cut}), AX_OK);
        int slots = (int)(cut / AX_KEY_FILE_SLOT_BYTES) - 1;
        CHECK_EQ(judged(ctx), slots);
    }
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, whole.len);
    for (size_t at = 0; at < used; at += 5) {
        memcpy(bytes, whole.at, whole.len);
        bytes[at] ^= 0x10;
        CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bytes, whole.len}), AX_OK);
        CHECK_EQ(judged(ctx), at < last ? -1 : SLOTS - 1);
    }
    memcpy(bytes, whole.at, whole.len); /* a sector of the last commit never reached the disk */
    memset(bytes + last, 0, AX_KEY_FILE_SLOT_BYTES);
    CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bytes, whole.len}), AX_OK);
    CHECK_EQ(judged(ctx), SLOTS - 1);
}

TEST(key_file_tells_a_torn_write_from_damage)
{
    in_fresh_folder(cut_and_flip);
}

static void
erase_cut_off(struct ax_ctx *ctx)
{
    struct ax_key_file file;
    struct seen seen = {};
    fill(ctx);
    ax_str path, before = image(ctx, &path);
    CHECK_EQ(reopen(ctx, &file), AX_OK);
    CHECK_EQ(ax_key_file_erase(&file, ctx, 1, 77), AX_OK);
    struct ax_key_file_slot slot;
    CHECK_EQ(ax_key_file_read(&file, ctx, 1, &slot), AX_OK);
    CHECK_EQ(slot.state, AX_KEY_FILE_ERASED);
    CHECK_EQ(slot.erased_ns, 77);
    ax_key_file_close(&file);
    ax_str after = image(ctx, &path);
    ax_str note_path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("erasing"));
    CHECK(!ax_file_exists(note_path));
    /* The crash comes after each byte of the overwriting. */
    for (size_t at = 0; at <= AX_KEY_FILE_SLOT_BYTES; at++) {
        char note[8 + AX_KEY_FILE_SLOT_BYTES] = {1};
        char *bytes = AX_NEW_ARRAY(ctx->arena, char, before.len);
        size_t start = 2 * AX_KEY_FILE_SLOT_BYTES;
        memcpy(note + 8, after.at + start, AX_KEY_FILE_SLOT_BYTES);
        memcpy(bytes, before.at, before.len);
        memcpy(bytes + start, after.at + start, at);
        CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){bytes, before.len}), AX_OK);
        CHECK_EQ(ax_file_write_atomic(ctx, note_path, (ax_str){note, sizeof note}), AX_OK);
        CHECK_EQ(reopen(ctx, &file), AX_OK);
        seen = (struct seen){};
        CHECK_EQ(ax_key_file_scan(&file, ctx, look, &seen), AX_OK);
        CHECK_EQ(seen.erased, 1);
        CHECK_EQ(seen.alive, SLOTS - 1);
        CHECK(!ax_file_exists(note_path));
        ax_key_file_close(&file);
    }
    CHECK_EQ(ax_file_write_atomic(ctx, note_path, AX_STR("rubbish")), AX_OK);
    CHECK_EQ(reopen(ctx, &file), AX_CORRUPT);
}

TEST(key_file_finishes_an_erasure_that_was_cut_off)
{
    in_fresh_folder(erase_cut_off);
}

static ax_status
convert(void *arg, struct ax_ctx *ctx, struct ax_key_file_slot *slot)
{
    (void)arg;
    (void)ctx;
    memset(slot->wrapped, slot->wrapped[0] + 100, sizeof slot->wrapped);
    return AX_OK;
}

static void
replaced(struct ax_ctx *ctx)
{
    struct ax_key_file file;
    const struct ax_key_file_slot head = {.state = AX_KEY_FILE_HEAD, .key_id = {8}};
    fill(ctx);
    CHECK_EQ(reopen(ctx, &file), AX_OK);
    CHECK_EQ(ax_key_file_erase(&file, ctx, 4, 1), AX_OK);
    CHECK_EQ(ax_key_file_replace(&file, ctx, &head, convert, NULL), AX_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(file.head.key_id[0], 8);
        CHECK_EQ(file.count, SLOTS);
        for (int i = 0; i < SLOTS; i++) {
            struct ax_key_file_slot slot;
            CHECK_EQ(ax_key_file_read(&file, ctx, (uint64_t)i, &slot), AX_OK);
            CHECK_EQ(slot.state, i == 4 ? AX_KEY_FILE_ERASED : AX_KEY_FILE_ALIVE);
            CHECK_EQ(slot.wrapped[5], i == 4 ? 0 : i + 103);
        }
        ax_key_file_close(&file);
        CHECK_EQ(reopen(ctx, &file), AX_OK);
    }
    struct ax_key_file_slot next = slot_of(SLOTS);
    CHECK_EQ(ax_key_file_append(&file, ctx, &next, 1), AX_OK);
    ax_key_file_close(&file);
    CHECK_EQ(reopen(ctx, &file), AX_OK);
    CHECK_EQ(file.count, SLOTS + 1);
    ax_key_file_close(&file);
}

TEST(key_file_is_replaced_whole)
{
    in_fresh_folder(replaced);
}

/* Bytes that are taken for a kept form: as they are, and once more with a digest that fits. */
#include "engine/forms.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20, BYTES_AT = 16, KEY_AT = 24, DIGEST_AT = 96, HEAD = 128 };

/* The numbers are the rest of the file, or there are none. */
static void
look(struct ax_ctx *ctx, ax_digest key, uint64_t bytes, ax_str file)
{
    ax_str numbers = {};
    if (ax_forms_check(ctx, key, (size_t)bytes, file, &numbers) != AX_OK) {
        AX_ASSERT(ctx->error[0] != '\0' && !numbers.at);
        return;
    }
    AX_ASSERT(numbers.len == (size_t)bytes);
    AX_ASSERT(numbers.at == file.at + HEAD && numbers.len == file.len - HEAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str file = {(const char *)data, size};
    ax_digest key = {};
    uint64_t bytes = 0;
    if (size >= KEY_AT + sizeof key) {
        memcpy(&key, data + KEY_AT, sizeof key);
        memcpy(&bytes, data + BYTES_AT, sizeof bytes);
    }
    look(&ctx, key, bytes, file);
    char *fitting = AX_NEW_ARRAY(arena, char, size);
    if (size < HEAD || !fitting)
        return 0;
    memcpy(fitting, data, size);
    const ax_str pieces[] = {{fitting, DIGEST_AT}, {fitting + HEAD, size - HEAD}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    memcpy(fitting + DIGEST_AT, &digest, sizeof digest);
    look(&ctx, key, bytes, (ax_str){fitting, size});
    return 0;
}

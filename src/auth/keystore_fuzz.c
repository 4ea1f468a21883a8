/* A key file is five lines that hold together, or refused. */
#include "auth/keystore.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_keystore_file file;
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    if (ax_keystore_parse(&ctx, (ax_str){(const char *)data, size}, &file) == AX_OK) {
        AX_ASSERT(!file.key.seed);
        AX_ASSERT(ax_str_eq(ax_signing_key_id(file.key.public_key, id), ax_str_of(file.key.id)));
    }
    return 0;
}

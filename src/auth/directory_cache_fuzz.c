/* Any bytes under their right digest: a picture that can be asked and written again, or refused. */
#include "auth/directory_cache.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_directory_state *state;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_writer_auto struct ax_writer file = ax_writer_of(1 << 20), again = ax_writer_of(1 << 20);
    ax_str text = {(const char *)data, size};
    ax_writer_bytes(&file, ax_digest_hex(ax_sha256(text), hex));
    ax_writer_char(&file, '\n');
    ax_writer_bytes(&file, text);
    if (file.status != AX_OK ||
        ax_directory_cache_parse(&ctx, ax_writer_str(&file), &state) != AX_OK)
        return 0;
    for (size_t i = 0; i < state->tokens.count; i++)
        AX_ASSERT(ax_directory_state_token(state, state->tokens.items[i].hash) ==
                  &state->tokens.items[i]);
    for (size_t i = 0; i < state->users.count; i++)
        AX_ASSERT(ax_directory_state_user(state, state->users.items[i].id) ==
                  &state->users.items[i]);
    ax_directory_cache_format(state, &again);
    ax_directory_state_free(state);
    AX_ASSERT(again.status != AX_OK ||
              ax_directory_cache_parse(&ctx, ax_writer_str(&again), &state) == AX_OK);
    if (again.status == AX_OK)
        ax_directory_state_free(state);
    return 0;
}

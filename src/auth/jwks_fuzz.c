/* A JWK set is read or refused; what is in it can be asked for by any name. */
#include "auth/jwks.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_jwks_free) struct ax_jwks *keys = NULL;
    const struct ax_public_key *key;
    if (ax_jwks_parse(&ctx, (ax_str){(const char *)data, size}, &keys) != AX_OK)
        return 0;
    AX_ASSERT(ax_jwks_count(keys) > 0);
    for (size_t i = 0; i < AX_PUBLIC_KEY_ALGORITHM_COUNT; i++) {
        enum ax_public_key_algorithm algorithm = (enum ax_public_key_algorithm)i;
        if (ax_jwks_find(keys, &ctx, AX_STR(""), algorithm, &key) == AX_OK)
            AX_ASSERT(ax_public_key_fits(key, algorithm));
    }
    return 0;
}

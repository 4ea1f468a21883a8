/* A token is read or refused; what is read is one text: written again, it is the same. */
#include "auth/jwt.h"
#include "base/assert.h"
#include "codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_jwt_parts parts;
    ax_str token = {(const char *)data, size};
    ax_status status = ax_jwt_parse(&ctx, token, &parts);
    AX_ASSERT(status == AX_OK || status == AX_UNAUTHENTICATED || status == AX_LIMIT);
    if (status != AX_OK)
        return 0;
    ax_writer_auto struct ax_writer again = ax_writer_of(AX_JWT_BYTES_MAX);
    ax_writer_bytes(&again, parts.message);
    ax_writer_char(&again, '.');
    ax_base64url_encode(parts.signature, &again);
    AX_ASSERT(ax_str_eq(ax_writer_str(&again), token));
    AX_ASSERT(ax_jwt_looks(token));
    AX_ASSERT(ax_json_kind(parts.claims) == AX_JSON_OBJECT);
    return 0;
}

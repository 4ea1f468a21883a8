#include "mlops/mlmodel.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted either names a file that lies in the folder, or says why there is none. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_mlmodel model;
    if (ax_mlmodel_parse(&ctx, (ax_str){(const char *)data, size}, &model) != AX_OK)
        return 0;
    AX_ASSERT((model.data.len > 0) != (model.hint.len > 0));
    AX_ASSERT(model.data.len == 0 || model.data.at[0] != '/');
    AX_ASSERT(model.flavor.len > 0 || model.hint.len > 0);
    return 0;
}

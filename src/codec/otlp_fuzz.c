#include "codec/otlp.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A collector's answer may be anything: a count of spans, or a refusal in words. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    int64_t count = -1;
    ax_status status = ax_otlp_rejected(&ctx, (ax_str){(const char *)data, size}, &count);
    AX_ASSERT(status == AX_OK ? count >= 0 : status == AX_INVALID && ctx.error[0]);
    return 0;
}

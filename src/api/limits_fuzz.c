#include "api/limits.h"

#include "base/assert.h"
#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A timeout that is taken is not negative, and the same when it is told in microseconds. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ns, again_ns;
    char text[AX_NUMBER_BYTES_MAX + 2];
    if (!ax_limits_timeout_parse((ax_str){(const char *)data, size}, &ns))
        return 0;
    AX_ASSERT(ns >= 0 && ns % 1'000 == 0);
    size_t len = ax_format_i64(ns / 1'000, text);
    memcpy(text + len, "us", 2);
    if (!ax_limits_timeout_parse((ax_str){text, len + 2}, &again_ns))
        return 0; /* more digits than one may write */
    AX_ASSERT(again_ns == ns);
    return 0;
}

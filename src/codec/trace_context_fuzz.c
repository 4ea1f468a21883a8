#include "codec/trace_context.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both headers, with a newline between. What is taken is written back as the same context. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_str state = {(const char *)data, size}, parent;
    struct ax_trace_context context, again;
    char text[AX_TRACE_PARENT_BYTES];
    if (!ax_str_cut(&state, '\n', &parent))
        return 0;
    if (ax_trace_context_parse(parent, &context)) {
        ax_trace_context_format(&context, text);
        AX_ASSERT(ax_trace_context_parse((ax_str){text, sizeof text}, &again));
        AX_ASSERT(memcmp(&context, &again, sizeof context) == 0);
    }
    if (state.at && ax_trace_context_state_ok(state))
        AX_ASSERT(state.len <= AX_TRACE_STATE_BYTES_MAX && memchr(state.at, '=', state.len));
    return 0;
}

/*
 * Where a request comes from, as traceparent and tracestate say it.
 *
 * Strict: what breaks a rule of the recommendation is no context, and a new trace begins. Pure;
 * who takes it from headers and what is done with it is net's and the api's business.
 *
 * Source: W3C Trace Context (recommendation, and level 2 for keys that begin with a digit).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
    AX_TRACE_ID_BYTES = 32, /* in hex, as in the header */
    AX_TRACE_SPAN_BYTES = 16,
    AX_TRACE_PARENT_BYTES = 55,     /* of a traceparent of version 00 */
    AX_TRACE_STATE_BYTES_MAX = 512, /* of a tracestate: what everybody must be able to pass on */
};

enum { AX_TRACE_SAMPLED = 1, AX_TRACE_RANDOM = 2 }; /* of flags */

struct ax_trace_context {
    char trace_id[AX_TRACE_ID_BYTES];
    char parent_id[AX_TRACE_SPAN_BYTES]; /* the caller's span */
    uint8_t flags;
};

/* false when the header is not sound; out is untouched then. */
[[nodiscard]] bool ax_trace_context_parse(ax_str traceparent, struct ax_trace_context *out);

/* As version 00; parent_id is then the span of whoever sends it. Not terminated. */
void ax_trace_context_format(const struct ax_trace_context *context,
                             char out[AX_TRACE_PARENT_BYTES]);

/* Whether a tracestate may be passed on: at most 32 members and 512 bytes, no key twice. */
bool ax_trace_context_state_ok(ax_str tracestate);

/* Hex digits of a number, as many as out has room for, and back. */
void ax_trace_context_hex(uint64_t number, char out[AX_TRACE_SPAN_BYTES]);
uint64_t ax_trace_context_number(const char hex[AX_TRACE_SPAN_BYTES]);

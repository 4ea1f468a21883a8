/*
 * Spans as OpenTelemetry's collectors take them: an ExportTraceServiceRequest in protobuf.
 *
 * A request is begun with what the spans have in common, then each span with its attributes, then
 * it is ended. Pure; sending is the tracer's business.
 *
 * Source: open-telemetry/opentelemetry-proto, trace/v1/trace.proto and collector/trace/v1 (1.x).
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"

enum { AX_OTLP_INTERNAL = 1, AX_OTLP_SERVER = 2 }; /* kinds of spans */

struct ax_otlp_resource {
    ax_str service, version, instance; /* of the program that sends */
};

struct ax_otlp_span {
    const char *trace_id; /* 32 digits in hex */
    uint64_t span_id;
    uint64_t parent_id; /* 0: none */
    ax_str state;       /* tracestate; "" for none */
    ax_str name;
    int kind;
    int64_t start_ns, end_ns; /* real time */
    bool failed;
};

struct ax_otlp { /* of one request in the making */
    struct ax_writer *out;
    size_t resource_begun, scope_begun, span_begun;
};

struct ax_otlp ax_otlp_begin(struct ax_writer *out, const struct ax_otlp_resource *resource);
void ax_otlp_end(struct ax_otlp *otlp);

void ax_otlp_span_begin(struct ax_otlp *otlp, const struct ax_otlp_span *span);
void ax_otlp_span_text(struct ax_otlp *otlp, const char *key, ax_str value); /* "" is left out */
void ax_otlp_span_number(struct ax_otlp *otlp, const char *key, int64_t value);
void ax_otlp_span_end(struct ax_otlp *otlp);

/* How many spans the collector took not, by its ExportTraceServiceResponse. Fails: INVALID. */
ax_status ax_otlp_rejected(struct ax_ctx *ctx, ax_str response, int64_t *out_count);

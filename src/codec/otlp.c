#include "codec/otlp.h"

#include "codec/protobuf.h"
#include "codec/trace_context.h"

enum { STATUS_ERROR = 2 };

/* Field numbers of the messages, each in its own name. */
enum { REQUEST_RESOURCE_SPANS = 1, RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPE_SPANS = 2 };
enum { RESOURCE_ATTRIBUTES = 1, SCOPE_SPANS_SCOPE = 1, SCOPE_SPANS_SPANS = 2 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2, KEY = 1, VALUE = 2, VALUE_TEXT = 1, VALUE_INT = 3 };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_STATE = 3,
    SPAN_PARENT_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15,
    STATUS_CODE = 3,
};

static void
put_text(struct ax_writer *out, uint32_t field, const char *key, ax_str value)
{
    if (value.len == 0)
        return;
    size_t attribute = ax_protobuf_begin(out, field);
    ax_protobuf_put_bytes(out, KEY, ax_str_of(key));
    size_t begun = ax_protobuf_begin(out, VALUE);
    ax_protobuf_put_bytes(out, VALUE_TEXT, value);
    ax_protobuf_end(out, begun);
    ax_protobuf_end(out, attribute);
}

/* Ids are bytes there, the first digit first. */
static void
put_id(struct ax_writer *out, uint32_t field, uint64_t id)
{
    ax_protobuf_put_head(out, field, sizeof id);
    ax_writer_u64_be(out, id);
}

struct ax_otlp
ax_otlp_begin(struct ax_writer *out, const struct ax_otlp_resource *resource)
{
    struct ax_otlp otlp = {.out = out};
    otlp.resource_begun = ax_protobuf_begin(out, REQUEST_RESOURCE_SPANS);
    size_t begun = ax_protobuf_begin(out, RESOURCE_SPANS_RESOURCE);
    put_text(out, RESOURCE_ATTRIBUTES, "service.name", resource->service);
    put_text(out, RESOURCE_ATTRIBUTES, "service.version", resource->version);
    put_text(out, RESOURCE_ATTRIBUTES, "service.instance.id", resource->instance);
    ax_protobuf_end(out, begun);
    otlp.scope_begun = ax_protobuf_begin(out, RESOURCE_SPANS_SCOPE_SPANS);
    begun = ax_protobuf_begin(out, SCOPE_SPANS_SCOPE);
    ax_protobuf_put_bytes(out, SCOPE_NAME, AX_STR("axiom"));
    ax_protobuf_put_bytes(out, SCOPE_VERSION, resource->version);
    ax_protobuf_end(out, begun);
    return otlp;
}

void
ax_otlp_end(struct ax_otlp *otlp)
{
    ax_protobuf_end(otlp->out, otlp->scope_begun);
    ax_protobuf_end(otlp->out, otlp->resource_begun);
}

void
ax_otlp_span_begin(struct ax_otlp *otlp, const struct ax_otlp_span *span)
{
    struct ax_writer *out = otlp->out;
    otlp->span_begun = ax_protobuf_begin(out, SCOPE_SPANS_SPANS);
    ax_protobuf_put_head(out, SPAN_TRACE_ID, AX_TRACE_ID_BYTES / 2);
    ax_writer_u64_be(out, ax_trace_context_number(span->trace_id));
    ax_writer_u64_be(out, ax_trace_context_number(span->trace_id + AX_TRACE_SPAN_BYTES));
    put_id(out, SPAN_ID, span->span_id);
    if (span->state.len)
        ax_protobuf_put_bytes(out, SPAN_STATE, span->state);
    if (span->parent_id)
        put_id(out, SPAN_PARENT_ID, span->parent_id);
    ax_protobuf_put_bytes(out, SPAN_NAME, span->name);
    ax_protobuf_put_varint(out, SPAN_KIND, (uint64_t)span->kind);
    ax_protobuf_put_fixed64(out, SPAN_START, (uint64_t)span->start_ns);
    ax_protobuf_put_fixed64(out, SPAN_END, (uint64_t)span->end_ns);
    if (!span->failed)
        return;
    size_t begun = ax_protobuf_begin(out, SPAN_STATUS);
    ax_protobuf_put_varint(out, STATUS_CODE, STATUS_ERROR);
    ax_protobuf_end(out, begun);
}

void
ax_otlp_span_text(struct ax_otlp *otlp, const char *key, ax_str value)
{
    put_text(otlp->out, SPAN_ATTRIBUTES, key, value);
}

void
ax_otlp_span_number(struct ax_otlp *otlp, const char *key, int64_t value)
{
    struct ax_writer *out = otlp->out;
    size_t attribute = ax_protobuf_begin(out, SPAN_ATTRIBUTES);
    ax_protobuf_put_bytes(out, KEY, ax_str_of(key));
    size_t begun = ax_protobuf_begin(out, VALUE);
    ax_protobuf_put_varint(out, VALUE_INT, (uint64_t)value);
    ax_protobuf_end(out, begun);
    ax_protobuf_end(out, attribute);
}

void
ax_otlp_span_end(struct ax_otlp *otlp)
{
    ax_protobuf_end(otlp->out, otlp->span_begun);
}

/* ---- the answer ---- */

ax_status
ax_otlp_rejected(struct ax_ctx *ctx, ax_str response, int64_t *out_count)
{
    struct ax_protobuf field = ax_protobuf_of(response);
    int64_t count = 0;
    while (ax_protobuf_next(&field)) {
        if (!ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES)) /* partial_success */
            continue;
        struct ax_protobuf part = ax_protobuf_of(field.bytes);
        while (ax_protobuf_next(&part))
            if (ax_protobuf_is(&part, 1, AX_PROTOBUF_VARINT))
                count = (int64_t)part.number;
        AX_TRY(ax_protobuf_check(&part, ctx, "partial_success"));
    }
    AX_TRY(ax_protobuf_check(&field, ctx, "ExportTraceServiceResponse"));
    *out_count = count > 0 ? count : 0;
    return AX_OK;
}

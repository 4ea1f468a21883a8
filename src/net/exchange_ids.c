/* The ids of a request: taken from its headers or made, and told in its answer. Part of exchange.
 */
#include "base/fault.h"
#include "net/exchange_parts.h"

enum {
    REQUEST_ID_BYTES_MAX = 128,
    IDS_BYTES_MAX = REQUEST_ID_BYTES_MAX + AX_TRACE_STATE_BYTES_MAX + 128,
};

static bool
request_id_ok(ax_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] <= ' ' || id.at[i] > '~')
            return false;
    return id.len > 0 && id.len <= REQUEST_ID_BYTES_MAX;
}

/* The headers that name a request, of one walk over all. */
struct named {
    ax_str parent, state, id;
    size_t parents;
    bool states; /* more than one: to be joined */
};

static struct named
named_of(const struct ax_http_request *request)
{
    struct named named = {};
    for (size_t i = 0; i < request->header_count; i++) {
        const struct ax_http_header *header = &request->headers[i];
        if (header->name.len == 11 &&
            ax_str_eq_ignoring_case(header->name, AX_STR("traceparent"))) {
            named.parent = header->value;
            named.parents++;
        } else if (header->name.len == 10 &&
                   ax_str_eq_ignoring_case(header->name, AX_STR("tracestate"))) {
            named.states = named.state.len > 0;
            named.state = named.states ? named.state : header->value;
        } else if (header->name.len == 12 && !named.id.at &&
                   ax_str_eq_ignoring_case(header->name, AX_STR("x-request-id"))) {
            named.id = header->value;
        }
    }
    return named;
}

/* The members of all headers of that name, in their order. "" when memory is short. */
static ax_str
join_states(struct ax_exchange *exchange)
{
    const struct ax_http_request *request = &exchange->message.request;
    ax_writer_auto struct ax_writer joined = ax_writer_of(AX_TRACE_STATE_BYTES_MAX + 1);
    ax_str state;
    ax_fault_benign_begin();
    for (size_t i = 0; i < request->header_count; i++) {
        if (!ax_str_eq_ignoring_case(request->headers[i].name, AX_STR("tracestate")))
            continue;
        if (joined.len)
            ax_writer_char(&joined, ',');
        ax_writer_bytes(&joined, request->headers[i].value);
    }
    bool taken = ax_writer_take(&joined, exchange->ctx.arena, &state) == AX_OK;
    ax_fault_benign_end();
    return taken ? state : AX_STR("");
}

/* A bijection that looks like chance (splitmix64): ids differ, and sampling by their bits works. */
static uint64_t
mixed(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static void
set_trace(struct ax_exchange *exchange, const struct named *named)
{
    struct ax_exchange_pool *pool = exchange->pool;
    struct ax_trace_context *trace = &exchange->trace;
    uint64_t number = pool->trace_next++;
    struct ax_exchange_trace lineage = {.span_id = mixed(number ^ pool->trace_high),
                                        .state = AX_STR("")};
    if (named->parents == 1 && ax_trace_context_parse(named->parent, trace)) {
        ax_str state = named->states ? join_states(exchange) : named->state;
        lineage.parent_id = ax_trace_context_number(trace->parent_id);
        lineage.sampled = (trace->flags & AX_TRACE_SAMPLED) != 0;
        lineage.state = ax_trace_context_state_ok(state) ? state : AX_STR("");
    } else {
        trace->flags = 0;
        ax_trace_context_hex(pool->trace_high, trace->trace_id);
        ax_trace_context_hex(mixed(number), trace->trace_id + AX_TRACE_SPAN_BYTES);
    }
    lineage.span_id += lineage.span_id == 0;
    exchange->lineage = lineage;
    exchange->ctx.trace_id = (ax_str){trace->trace_id, AX_TRACE_ID_BYTES};
}

void
ax_exchange_set_ids(struct ax_exchange *exchange)
{
    const struct named named = named_of(&exchange->message.request);
    set_trace(exchange, &named);
    exchange->id_given = request_id_ok(named.id);
    exchange->request_id = exchange->id_given ? named.id : exchange->ctx.trace_id;
}

bool
ax_exchange_fields_have_room(struct ax_exchange *exchange, size_t bytes)
{
    if (ax_writer_room(&exchange->fields, bytes)) {
        exchange->fields.len -= bytes;
        return true;
    }
    exchange->fields.status = AX_OK;
    return false;
}

void
ax_exchange_tell_ids(struct ax_exchange *exchange)
{
    static const ax_str id_name = {"X-Request-Id", 12}, parent_name = {"traceparent", 11},
                        state_name = {"tracestate", 10};
    const struct ax_exchange_trace *lineage = &exchange->lineage;
    bool id = (exchange->id_given || exchange->status >= 400) && !exchange->id_told;
    bool parent = lineage->parent_id || lineage->sampled;
    if (!exchange->ctx.trace_id.at || (!id && !parent))
        return;
    ax_fault_benign_begin();
    bool room = ax_exchange_fields_have_room(exchange, IDS_BYTES_MAX);
    ax_fault_benign_end();
    if (!room)
        return;
    if (id)
        ax_exchange_header(exchange, id_name, exchange->request_id);
    if (!parent)
        return;
    struct ax_trace_context own = exchange->trace;
    char text[AX_TRACE_PARENT_BYTES];
    ax_trace_context_hex(lineage->span_id, own.parent_id);
    own.flags =
        (uint8_t)((own.flags & AX_TRACE_RANDOM) | (lineage->sampled ? AX_TRACE_SAMPLED : 0));
    ax_trace_context_format(&own, text);
    ax_exchange_header(exchange, parent_name, (ax_str){text, sizeof text});
    if (lineage->state.len)
        ax_exchange_header(exchange, state_name, lineage->state);
}

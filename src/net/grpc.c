#include "net/grpc.h"

#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "base/reader.h"
#include "codec/compress.h"
#include "codec/text.h"

enum {
    TIMEOUT_DIGITS_MAX = 8,
    WORDS_BYTES_MAX = 1024, /* of grpc-message, before it is escaped */
    ESCAPED_BYTES_MAX = 3 * WORDS_BYTES_MAX,
    DETAILS_BYTES_MAX = 4096,
};

enum step { STEP_MORE, STEP_MESSAGE, STEP_BAD };

struct ax_grpc_call {
    const struct ax_grpc *grpc;
    struct ax_exchange *exchange;
    const struct ax_grpc_service *service;
    const struct ax_grpc_method *method;
    void *slot;
    void (*gone)(struct ax_grpc_call *call);
    enum ax_compress_coding coding;       /* of messages in */
    enum ax_compress_coding reply_coding; /* of messages out */
    ax_str message;
    struct ax_writer inflated;
    size_t taken_bytes; /* of the body, by the present message */
    size_t reply_at;    /* where the present message out begins in the body */
    bool reply_begun;
    bool head_done; /* content type and coding are set */
    bool sent;      /* something has left */
    bool half_closed;
    bool coded;             /* code was set */
    enum ax_grpc_code code; /* for a failure */
    bool over;              /* the answer is complete */
    enum ax_grpc_code ended_code;
    ax_str details;
    int64_t deadline_ns;
    bool *deferred; /* on the stack of whoever called the handler: the call may be gone first */
};

static const ax_str content_type = {"application/grpc", 16};

/* ---- small things ---- */

bool
ax_grpc_is(const struct ax_http_request *request)
{
    if (request->major < 2 || request->method != AX_HTTP_POST)
        return false;
    ax_str type = ax_http_header_find(request, AX_STR("content-type"));
    if (!type.at || !ax_str_starts(type, content_type))
        return false;
    return type.len == content_type.len || type.at[content_type.len] == '+' ||
           type.at[content_type.len] == ';';
}

bool
ax_grpc_timeout_parse(ax_str text, int64_t *out_ns)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', INT64_C(3'600'000'000'000)},
                 {'M', INT64_C(60'000'000'000)},
                 {'S', INT64_C(1'000'000'000)},
                 {'m', INT64_C(1'000'000)},
                 {'u', INT64_C(1'000)},
                 {'n', INT64_C(1)}};
    int64_t number = 0;
    if (text.len < 2 || text.len > TIMEOUT_DIGITS_MAX + 1)
        return false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    for (size_t i = 0; i < AX_COUNT_OF(units); i++) {
        if (units[i].unit != text.at[text.len - 1])
            continue;
        *out_ns = number < INT64_MAX / units[i].ns ? number * units[i].ns : INT64_MAX;
        return true;
    }
    return false;
}

void
ax_grpc_message_escape(ax_str words, struct ax_writer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < words.len; i++) {
        unsigned char c = (unsigned char)words.at[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            ax_writer_char(out, (char)c);
            continue;
        }
        const char escape[] = {'%', digits[c >> 4], digits[c & 15]};
        ax_writer_bytes(out, (ax_str){escape, sizeof escape});
    }
}

/* ---- the status ---- */

typedef void put_field(struct ax_exchange *exchange, ax_str name, ax_str value);

static void
put_status(struct ax_exchange *exchange, put_field *put, enum ax_grpc_code code, ax_str words)
{
    char number[AX_NUMBER_BYTES_MAX];
    put(exchange, AX_STR("grpc-status"), (ax_str){number, ax_format_u64(code, number)});
    if (words.len == 0)
        return;
    ax_writer_auto struct ax_writer escaped = ax_writer_of(ESCAPED_BYTES_MAX);
    if (words.len > WORDS_BYTES_MAX)
        words.len = WORDS_BYTES_MAX;
    ax_grpc_message_escape(words, &escaped);
    put(exchange, AX_STR("grpc-message"), ax_writer_str(&escaped));
}

static void
put_details(struct ax_grpc_call *call, put_field *put)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * DETAILS_BYTES_MAX);
    if (call->details.len == 0)
        return;
    ax_base64_encode(call->details, &text);
    if (text.status == AX_OK)
        put(call->exchange, AX_STR("grpc-status-details-bin"), ax_writer_str(&text));
}

/* Everything in one head, as gRPC wants it of calls that have sent nothing. */
static void
trailers_only(struct ax_exchange *exchange, enum ax_grpc_code code, ax_str words)
{
    ax_exchange_restart(exchange);
    ax_exchange_header(exchange, AX_STR("content-type"), content_type);
    put_status(exchange, ax_exchange_header, code, words);
}

static void
call_finish(struct ax_grpc_call *call, enum ax_grpc_code code, ax_str words)
{
    struct ax_exchange *exchange = call->exchange;
    call->over = true;
    call->ended_code = code;
    if (code != AX_GRPC_OK && !call->sent) {
        trailers_only(exchange, code, words);
        put_details(call, ax_exchange_header);
        if (code == AX_GRPC_UNIMPLEMENTED)
            ax_exchange_header(exchange, AX_STR("grpc-accept-encoding"),
                               AX_STR("identity,deflate,gzip"));
    } else {
        put_status(exchange, ax_exchange_trailer, code, code == AX_GRPC_OK ? AX_STR("") : words);
        if (code != AX_GRPC_OK)
            put_details(call, ax_exchange_trailer);
    }
    ax_exchange_finish(exchange);
}

/* ---- messages out ---- */

static void
head_begin(struct ax_grpc_call *call)
{
    if (call->head_done)
        return;
    call->head_done = true;
    ax_exchange_header(call->exchange, AX_STR("content-type"), content_type);
    if (call->reply_coding != AX_COMPRESS_IDENTITY)
        ax_exchange_header(call->exchange, AX_STR("grpc-encoding"),
                           ax_compress_name(call->reply_coding));
}

struct ax_writer *
ax_grpc_reply(struct ax_grpc_call *call)
{
    struct ax_writer *body = ax_exchange_body(call->exchange);
    if (call->reply_begun)
        return body;
    call->reply_begun = true;
    call->reply_at = body->len;
    ax_writer_room(body, AX_GRPC_PREFIX_BYTES);
    return body;
}

/* The message in its place, compressed if it is worth it; whether it was. */
static bool
reply_compress(struct ax_grpc_call *call, struct ax_writer *body)
{
    size_t from = call->reply_at + AX_GRPC_PREFIX_BYTES, len = body->len - from;
    size_t least = call->grpc->compress_bytes_min;
    if (call->reply_coding == AX_COMPRESS_IDENTITY || least == 0 || len < least)
        return false;
    ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(call->reply_coding);
    ax_writer_auto struct ax_writer small = ax_writer_of(len - 1);
    if (!deflater || ax_deflater_run(deflater, (ax_str){body->at + from, len}, &small) != AX_OK)
        return false;
    memcpy(body->at + from, small.at, small.len);
    body->len = from + small.len;
    return true;
}

/* Writes the prefix of the message that was begun; false when it cannot be sent. */
static bool
reply_seal(struct ax_grpc_call *call)
{
    struct ax_writer *body = ax_exchange_body(call->exchange);
    if (!call->reply_begun)
        return body->status == AX_OK;
    call->reply_begun = false;
    if (body->status != AX_OK || body->len - call->reply_at - AX_GRPC_PREFIX_BYTES > UINT32_MAX) {
        body->len = call->reply_at; /* half a message is none */
        return false;
    }
    bool compressed = reply_compress(call, body);
    size_t len = body->len - call->reply_at - AX_GRPC_PREFIX_BYTES;
    char *prefix = body->at + call->reply_at;
    prefix[0] = compressed;
    for (int i = 0; i < 4; i++)
        prefix[1 + i] = (char)(len >> (24 - 8 * i));
    return true;
}

void
ax_grpc_send(struct ax_grpc_call *call)
{
    AX_ASSERT(call->method->kind != AX_GRPC_UNARY);
    if (!reply_seal(call))
        return; /* the writer keeps its status, and the end says it */
    head_begin(call);
    call->sent = true;
    ax_exchange_send(call->exchange);
}

/* ---- the end of a handler ---- */

static void
end_badly(struct ax_grpc_call *call, ax_status status)
{
    struct ax_writer *body = ax_exchange_body(call->exchange);
    enum ax_grpc_code code = call->coded ? call->code : (enum ax_grpc_code)ax_status_grpc(status);
    if (call->reply_begun)
        body->len = call->reply_at;
    body->status = AX_OK;
    call->sent |= body->len > 0 && call->method->kind != AX_GRPC_UNARY;
    if (call->sent)
        head_begin(call);
    if (call->grpc->failing && call->details.len == 0)
        call->grpc->failing(call->grpc->arg, call, status, code);
    call_finish(call, code, ax_str_of(ax_grpc_ctx(call)->error));
}

void
ax_grpc_end(struct ax_grpc_call *call, ax_status status)
{
    enum ax_grpc_kind kind = call->method->kind;
    if (status == AX_OK && kind == AX_GRPC_UNARY)
        ax_grpc_reply(call);
    if (status == AX_OK && !reply_seal(call))
        status = ax_fail(ax_grpc_ctx(call), AX_LIMIT, "the reply is too large");
    if (status != AX_OK) {
        end_badly(call, status);
        return;
    }
    bool more = kind == AX_GRPC_STREAM && !call->half_closed;
    size_t taken_bytes = call->taken_bytes;
    call->taken_bytes = 0;
    if (ax_exchange_body(call->exchange)->len > 0 || !more) {
        head_begin(call);
        call->sent = true;
    }
    if (more)
        ax_exchange_next(call->exchange, taken_bytes);
    else
        call_finish(call, AX_GRPC_OK, AX_STR(""));
}

void
ax_grpc_defer(struct ax_grpc_call *call)
{
    *call->deferred = true;
}

static void
call_run(struct ax_grpc_call *call)
{
    struct ax_ctx *ctx = ax_grpc_ctx(call);
    bool deferred = false;
    ax_status status = AX_OK;
    /* cppcheck-suppress autoVariables ; it is read by this handler's own call alone */
    call->deferred = &deferred;
    if (ctx->deadline_ns > ax_exchange_times(call->exchange)->handler_ns) {
        status = call->method->handle(call, ctx);
    } else {
        if (call->grpc->expired)
            call->grpc->expired(call->grpc->arg);
        status = ax_fail(ctx, AX_TIMEOUT, "the deadline passed before the call was begun");
    }
    if (!deferred)
        ax_grpc_end(call, status);
}

static void
call_fail(struct ax_grpc_call *call, enum ax_grpc_code code, const char *words)
{
    ax_grpc_set_code(call, code);
    ax_ctx_say(ax_grpc_ctx(call), AX_INTERNAL, "%s", words);
    end_badly(call, AX_INTERNAL);
}

/* ---- messages in ---- */

static size_t
message_bytes_max(const struct ax_grpc_call *call)
{
    return call->method->message_bytes_max ? call->method->message_bytes_max
                                           : (size_t)AX_GRPC_MESSAGE_BYTES;
}

/* Compressed messages, one by one: each is a text of its own. */
static bool
message_inflate(struct ax_grpc_call *call, ax_str bytes)
{
    if (call->coding == AX_COMPRESS_IDENTITY) {
        call_fail(call, AX_GRPC_INTERNAL, "a message is compressed, but no grpc-encoding says how");
        return false;
    }
    ax_writer_clear(&call->inflated);
    call->inflated.len_max = message_bytes_max(call);
    ax_status status = ax_compress_inflate(ax_grpc_ctx(call), call->coding, bytes, &call->inflated);
    call->message = ax_writer_str(&call->inflated);
    if (status == AX_OK)
        return true;
    if (status == AX_INVALID)
        ax_grpc_set_code(call, AX_GRPC_INTERNAL);
    else
        ax_grpc_set_code(call, AX_GRPC_RESOURCE_EXHAUSTED);
    end_badly(call, status);
    return false;
}

/* Looks for a message at the front of the body; what is wrong with it ends the call. */
static enum step
message_take(struct ax_grpc_call *call, ax_str body)
{
    struct ax_reader reader = ax_reader_of(body);
    uint8_t flag = ax_reader_u8(&reader);
    uint32_t len = ax_reader_u32_be(&reader);
    if (reader.status != AX_OK)
        return STEP_MORE;
    if (flag > 1) {
        call_fail(call, AX_GRPC_INTERNAL, "the first byte of a message is neither 0 nor 1");
        return STEP_BAD;
    }
    if (len > message_bytes_max(call)) {
        ax_grpc_set_code(call, AX_GRPC_RESOURCE_EXHAUSTED);
        ax_ctx_say(ax_grpc_ctx(call), AX_LIMIT, "a message has %u bytes, at most %zu are taken",
                   len, message_bytes_max(call));
        end_badly(call, AX_LIMIT);
        return STEP_BAD;
    }
    if (body.len - AX_GRPC_PREFIX_BYTES < len)
        return STEP_MORE;
    call->taken_bytes = AX_GRPC_PREFIX_BYTES + len;
    call->message = (ax_str){body.at + AX_GRPC_PREFIX_BYTES, len};
    if (flag == 1 && !message_inflate(call, call->message))
        return STEP_BAD;
    return STEP_MESSAGE;
}

/* The body is whole: it must be one message. */
static void
handle_one(struct ax_grpc_call *call, ax_str body)
{
    enum step step = message_take(call, body);
    if (step == STEP_MORE)
        call_fail(call, AX_GRPC_INTERNAL, "the request ends before its message does");
    else if (step == STEP_MESSAGE && call->taken_bytes < body.len)
        call_fail(call, AX_GRPC_UNIMPLEMENTED, "this method takes one message, there are more");
    else if (step == STEP_MESSAGE)
        call_run(call);
}

void
ax_grpc_handle(struct ax_exchange *exchange)
{
    struct ax_grpc_call *call = *ax_exchange_slot(exchange);
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    if (call->deadline_ns < ctx->deadline_ns)
        ctx->deadline_ns = call->deadline_ns;
    handle_one(call, ax_exchange_request(exchange)->body);
}

/* A call that streams has more to read, or all. */
static void
grpc_step(void *arg, struct ax_exchange *exchange)
{
    struct ax_grpc_call *call = *ax_exchange_slot(exchange);
    ax_str body = ax_exchange_request(exchange)->body;
    bool ended = ax_exchange_ended(exchange);
    (void)arg;
    call->message = AX_STR("");
    if (call->method->kind == AX_GRPC_SERVER_STREAM) {
        if (ended)
            handle_one(call, body);
        else
            ax_exchange_next(exchange, 0);
        return;
    }
    enum step step = message_take(call, body);
    if (step == STEP_MESSAGE) {
        call_run(call);
    } else if (step == STEP_MORE && !ended) {
        ax_exchange_next(exchange, 0);
    } else if (step == STEP_MORE && body.len > 0) {
        call_fail(call, AX_GRPC_INTERNAL, "the request ends within a message");
    } else if (step == STEP_MORE) {
        call->half_closed = true;
        call_run(call);
    }
}

/* ---- the head ---- */

/* "/service/method". */
static bool
find_method(struct ax_grpc_call *call, ax_str path)
{
    const struct ax_grpc *grpc = call->grpc;
    ax_str rest = ax_str_from(path, 1), service, method;
    if (!ax_str_cut(&rest, '/', &service) || !rest.at)
        return false;
    method = rest;
    for (size_t i = 0; i < grpc->service_count; i++) {
        if (!ax_str_eq(service, ax_str_of(grpc->services[i]->name)))
            continue;
        call->service = grpc->services[i];
        for (size_t j = 0; j < call->service->method_count && !call->method; j++)
            if (ax_str_eq(method, ax_str_of(call->service->methods[j].name)))
                call->method = &call->service->methods[j];
        return call->method != NULL;
    }
    return false;
}

static ax_status
read_timeout(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    ax_str timeout = ax_grpc_metadata(call, AX_STR("grpc-timeout"));
    int64_t ns, began_ns = ax_exchange_times(call->exchange)->first_byte_ns;
    call->deadline_ns = INT64_MAX;
    if (!timeout.at)
        return AX_OK;
    if (!ax_grpc_timeout_parse(timeout, &ns))
        return ax_fail(ctx, AX_INTERNAL, "grpc-timeout is 1 to 8 digits and one of HMSmun");
    if (ns < INT64_MAX - began_ns)
        call->deadline_ns = began_ns + ns;
    return AX_OK;
}

static ax_status
read_codings(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    const struct ax_http_request *request = ax_exchange_request(call->exchange);
    ax_str name = ax_grpc_metadata(call, AX_STR("grpc-encoding"));
    if (name.at &&
        (!ax_compress_coding_of(name, &call->coding) || call->coding == AX_COMPRESS_ZSTD))
        return ax_fail(ctx, AX_UNSUPPORTED, "grpc-encoding %.*s is not one of gzip and deflate",
                       AX_FMT(name));
    if (call->grpc->compress_bytes_min == 0)
        return AX_OK;
    if (ax_http_header_lists(request, AX_STR("grpc-accept-encoding"), AX_STR("gzip")))
        call->reply_coding = AX_COMPRESS_GZIP;
    return AX_OK;
}

static ax_status
call_begin(struct ax_grpc_call *call, struct ax_ctx *ctx, struct ax_http_limits *limits)
{
    const struct ax_grpc *grpc = call->grpc;
    ax_str path = ax_exchange_request(call->exchange)->path;
    if (!find_method(call, path))
        return ax_fail(ctx, AX_UNSUPPORTED, "there is no method %.*s", AX_FMT(path));
    AX_TRY(read_timeout(call, ctx));
    AX_TRY(read_codings(call, ctx));
    if (grpc->admit)
        AX_TRY(grpc->admit(grpc->arg, call, ctx));
    limits->body_bytes_max = AX_GRPC_PREFIX_BYTES + message_bytes_max(call);
    if (call->method->kind == AX_GRPC_UNARY)
        return AX_OK;
    if (!ax_exchange_stream(call->exchange, grpc_step))
        return ax_fail(ctx, AX_LIMIT, "no memory for a stream");
    ctx->deadline_ns = call->deadline_ns;
    return AX_OK;
}

static void
grpc_call_done(void *arg)
{
    struct ax_grpc_call *call = arg;
    ax_writer_free(&call->inflated);
}

void
ax_grpc_head(const struct ax_grpc *grpc, struct ax_exchange *exchange,
             struct ax_http_limits *limits)
{
    static const struct ax_grpc_method none = {.name = "", .kind = AX_GRPC_UNARY};
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    struct ax_grpc_call *call = AX_NEW(ctx->arena, struct ax_grpc_call);
    if (!call || !ax_arena_defer(ctx->arena, grpc_call_done, call)) {
        trailers_only(exchange, AX_GRPC_RESOURCE_EXHAUSTED, AX_STR("no memory for a call"));
        ax_exchange_finish(exchange);
        return;
    }
    call->grpc = grpc;
    call->exchange = exchange;
    call->message = AX_STR("");
    *ax_exchange_slot(exchange) = call;
    ax_status status = call_begin(call, ctx, limits);
    if (status == AX_OK)
        return;
    if (!call->method)
        call->method = &none;
    end_badly(call, status);
}

/* ---- around it ---- */

void
ax_grpc_refused(struct ax_exchange *exchange, int status, ax_str reason)
{
    static const struct {
        int status;
        enum ax_grpc_code code;
    } codes[] = {
        {400, AX_GRPC_INTERNAL},           {401, AX_GRPC_UNAUTHENTICATED},
        {403, AX_GRPC_PERMISSION_DENIED},  {404, AX_GRPC_UNIMPLEMENTED},
        {413, AX_GRPC_RESOURCE_EXHAUSTED}, {415, AX_GRPC_UNIMPLEMENTED},
        {429, AX_GRPC_RESOURCE_EXHAUSTED}, {431, AX_GRPC_RESOURCE_EXHAUSTED},
        {500, AX_GRPC_INTERNAL},           {503, AX_GRPC_UNAVAILABLE},
        {504, AX_GRPC_DEADLINE_EXCEEDED},
    };
    struct ax_grpc_call *call = *ax_exchange_slot(exchange);
    enum ax_grpc_code code = AX_GRPC_UNKNOWN;
    for (size_t i = 0; i < AX_COUNT_OF(codes); i++)
        if (codes[i].status == status)
            code = codes[i].code;
    trailers_only(exchange, code, reason);
    if (!call)
        return;
    call->over = true;
    call->ended_code = code;
}

void
ax_grpc_answered(struct ax_exchange *exchange)
{
    struct ax_grpc_call *call = *ax_exchange_slot(exchange);
    if (!call || !call->grpc->ended)
        return;
    bool cancelled = !call->over || ax_exchange_cancelled(exchange);
    call->grpc->ended(call->grpc->arg, call, cancelled ? AX_GRPC_CANCELLED : call->ended_code);
}

ax_str
ax_grpc_message(const struct ax_grpc_call *call)
{
    return call->message;
}

bool
ax_grpc_half_closed(const struct ax_grpc_call *call)
{
    return call->half_closed;
}

void
ax_grpc_header(struct ax_grpc_call *call, ax_str name, ax_str value)
{
    ax_exchange_header(call->exchange, name, value);
}

void
ax_grpc_trailer(struct ax_grpc_call *call, ax_str name, ax_str value)
{
    ax_exchange_trailer(call->exchange, name, value);
}

ax_str
ax_grpc_metadata(const struct ax_grpc_call *call, ax_str name)
{
    return ax_http_header_find(ax_exchange_request(call->exchange), name);
}

void
ax_grpc_set_code(struct ax_grpc_call *call, enum ax_grpc_code code)
{
    call->coded = true;
    call->code = code;
}

void
ax_grpc_set_details(struct ax_grpc_call *call, ax_str status_message)
{
    ax_str copy;
    if (status_message.len <= DETAILS_BYTES_MAX &&
        ax_str_copy(ax_grpc_ctx(call)->arena, status_message, &copy))
        call->details = copy;
}

static void
grpc_cancelled(void *arg, struct ax_exchange *exchange)
{
    struct ax_grpc_call *call = *ax_exchange_slot(exchange);
    (void)arg;
    call->gone(call);
}

void
ax_grpc_on_cancel(struct ax_grpc_call *call, void (*gone)(struct ax_grpc_call *call))
{
    call->gone = gone;
    ax_exchange_on_cancel(call->exchange, grpc_cancelled);
}

bool
ax_grpc_cancelled(struct ax_grpc_call *call)
{
    return ax_exchange_cancelled(call->exchange);
}

struct ax_exchange *
ax_grpc_exchange(const struct ax_grpc_call *call)
{
    return call->exchange;
}

struct ax_ctx *
ax_grpc_ctx(const struct ax_grpc_call *call)
{
    return ax_exchange_ctx(call->exchange);
}

const struct ax_grpc_method *
ax_grpc_method(const struct ax_grpc_call *call)
{
    return call->service ? call->method : NULL;
}

const struct ax_grpc_service *
ax_grpc_service(const struct ax_grpc_call *call)
{
    return call->service;
}

void **
ax_grpc_slot(struct ax_grpc_call *call)
{
    return &call->slot;
}

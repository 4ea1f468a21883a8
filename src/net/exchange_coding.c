/* Content codings of bodies, both ways. Part of exchange. */
#include <string.h>

#include "base/fault.h"
#include "net/exchange_parts.h"

enum { FIELDS_BYTES = 96 }; /* of Vary and Content-Encoding, at most */

/* Fast ones first: among what a client likes equally, the first is taken. */
static const enum ax_compress_coding preferred[] = {AX_COMPRESS_ZSTD, AX_COMPRESS_GZIP,
                                                    AX_COMPRESS_DEFLATE};

/* One coding for the whole body: several over each other are not taken apart. */
int
ax_exchange_coding_expect(struct ax_exchange *exchange)
{
    const struct ax_http_request *request = &exchange->message.request;
    enum ax_compress_coding coding = AX_COMPRESS_IDENTITY;
    int count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!ax_str_eq_ignoring_case(request->headers[i].name, AX_STR("content-encoding")))
            continue;
        if (count++ > 0 || !ax_compress_coding_of(request->headers[i].value, &coding))
            return 415;
    }
    return ax_message_set_coding(&exchange->message, coding) ? 0 : 503;
}

ax_str
ax_exchange_answer_header(const struct ax_exchange *exchange, ax_str name)
{
    ax_str rest = ax_writer_str(&exchange->fields), line;
    while (ax_str_cut(&rest, '\n', &line)) {
        ax_str value = line, key;
        if (ax_str_cut(&value, ':', &key) && value.at && ax_str_eq_ignoring_case(key, name))
            return ax_str_trim(value);
    }
    return (ax_str){};
}

/* Text shrinks to a part of itself; numbers in binary and what is compressed already do not. */
static bool
shrinks(ax_str type)
{
    if (ax_str_starts(type, AX_STR("application/grpc"))) /* compresses its messages by itself */
        return false;
    static const ax_str words[] = {{"json", 4}, {"xml", 3}, {"javascript", 10}, {"yaml", 4}};
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_find(type, words[i]) != SIZE_MAX)
            return true;
    return ax_str_starts(type, AX_STR("text/"));
}

static enum ax_compress_coding
choose(const struct ax_http_request *request)
{
    enum ax_compress_coding best = AX_COMPRESS_IDENTITY;
    int best_weight = 0;
    for (size_t i = 0; i < AX_COUNT_OF(preferred); i++) {
        int weight = ax_http_coding_weight(request, ax_compress_name(preferred[i]));
        if (weight > best_weight) {
            best_weight = weight;
            best = preferred[i];
        }
    }
    bool plain = ax_http_coding_weight(request, AX_STR("identity")) > best_weight;
    return plain ? AX_COMPRESS_IDENTITY : best;
}

/* In its own place, so that the body that was built stays whole when it does not shrink. */
static void
compress(struct ax_exchange *exchange, enum ax_compress_coding coding)
{
    struct ax_deflater **deflater = &exchange->pool->deflaters[coding];
    if (!*deflater)
        *deflater = ax_deflater_new(coding);
    ax_writer_auto struct ax_writer small = ax_writer_of(exchange->body.len - 1);
    if (!*deflater || ax_deflater_run(*deflater, ax_writer_str(&exchange->body), &small) != AX_OK)
        return;
    small.len_max = exchange->body.len_max;
    struct ax_writer plain = exchange->body;
    exchange->body = small;
    small = plain; /* freed with this call */
    ax_exchange_header(exchange, AX_STR("Content-Encoding"), ax_compress_name(coding));
}

void
ax_exchange_coding_apply(struct ax_exchange *exchange)
{
    const struct ax_exchange_config *config = &exchange->pool->config;
    size_t len = exchange->body.len;
    if (exchange->file_bytes > 0 || config->compress_bytes_min == 0 ||
        len < config->compress_bytes_min || len > config->compress_bytes_max ||
        exchange->message.request.method == AX_HTTP_HEAD ||
        ax_exchange_answer_header(exchange, AX_STR("content-encoding")).at ||
        !shrinks(ax_exchange_answer_header(exchange, AX_STR("content-type"))))
        return;
    ax_fault_benign_begin(); /* an answer that cannot be compressed goes as it is */
    if (ax_exchange_fields_have_room(exchange, FIELDS_BYTES)) { /* for two more */
        ax_exchange_header(exchange, AX_STR("Vary"), AX_STR("Accept-Encoding"));
        enum ax_compress_coding coding = choose(&exchange->message.request);
        if (coding != AX_COMPRESS_IDENTITY)
            compress(exchange, coding);
    }
    ax_fault_benign_end();
}

#include "api/rpc_details.h"

#include <string.h>

#include "base/str.h"
#include "codec/protobuf.h"
#include "codec/text.h"

enum { REASON_BYTES_MAX = 63 };

/* The path of the field that words speak of; "input 'A'": "inputs", and the name in out_name. */
static ax_str
field_of(ax_str words, ax_str *out_name)
{
    static const struct {
        ax_str mark, field;
    } marks[] = {
        {{"input '", 7}, {"inputs", 6}},
        {{"output '", 8}, {"outputs", 7}},
        {{"parameter '", 11}, {"parameters", 10}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(marks); i++) {
        const char *found = memmem(words.at, words.len, marks[i].mark.at, marks[i].mark.len);
        if (!found)
            continue;
        ax_str rest = ax_str_from(words, (size_t)(found - words.at) + marks[i].mark.len), name;
        if (!ax_str_cut(&rest, '\'', &name) || !rest.at || name.len == 0)
            continue;
        *out_name = name;
        return marks[i].field;
    }
    *out_name = AX_STR("");
    return AX_STR("");
}

static size_t
detail_begin(struct ax_writer *out, const char *type, size_t *out_value)
{
    size_t any = ax_protobuf_begin(out, 3);
    ax_writer_auto struct ax_writer url = ax_writer_of(128);
    ax_writer_print(&url, "type.googleapis.com/google.rpc.%s", type);
    ax_protobuf_put_bytes(out, 1, ax_writer_str(&url));
    *out_value = ax_protobuf_begin(out, 2);
    return any;
}

static void
detail_end(struct ax_writer *out, size_t any, size_t value)
{
    ax_protobuf_end(out, value);
    ax_protobuf_end(out, any);
}

/* "four_eyes" is FOUR_EYES: reasons are in upper case. */
static void
put_reason(const struct ax_rpc_failure *failure, struct ax_writer *out)
{
    ax_str reason =
        failure->reason.len ? failure->reason : ax_str_of(ax_status_name(failure->status));
    ax_writer_auto struct ax_writer upper = ax_writer_of(REASON_BYTES_MAX);
    for (size_t i = 0; i < reason.len && i < REASON_BYTES_MAX; i++) {
        char c = reason.at[i];
        ax_writer_char(&upper, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
    ax_protobuf_put_bytes(out, 1, ax_writer_str(&upper));
}

static void
put_error_info(const struct ax_rpc_failure *failure, struct ax_writer *out)
{
    size_t value, any = detail_begin(out, "ErrorInfo", &value);
    put_reason(failure, out);
    ax_protobuf_put_bytes(out, 2, AX_STR("axiom"));
    if (failure->trace_id.len) {
        size_t entry = ax_protobuf_begin(out, 3);
        ax_protobuf_put_bytes(out, 1, AX_STR("trace_id"));
        ax_protobuf_put_bytes(out, 2, failure->trace_id);
        ax_protobuf_end(out, entry);
    }
    detail_end(out, any, value);
}

static void
put_bad_request(const struct ax_rpc_failure *failure, struct ax_writer *out)
{
    ax_str name, field = field_of(failure->words, &name);
    if (failure->status != AX_INVALID || field.len == 0)
        return;
    size_t value, any = detail_begin(out, "BadRequest", &value);
    size_t violation = ax_protobuf_begin(out, 1);
    ax_protobuf_put_head(out, 1, field.len + 1 + name.len);
    ax_writer_bytes(out, field);
    ax_writer_char(out, '.');
    ax_writer_bytes(out, name);
    ax_protobuf_put_bytes(out, 2, failure->words);
    ax_protobuf_end(out, violation);
    detail_end(out, any, value);
}

/* What another try may cure; a deadline that has passed is the client's to set anew. */
static void
put_retry_info(const struct ax_rpc_failure *failure, struct ax_writer *out)
{
    bool retry = ax_status_retry(failure->status) || failure->retry_after_s > 0;
    uint64_t seconds = failure->retry_after_s > 0 ? (uint64_t)failure->retry_after_s : 1;
    if (!retry || failure->status == AX_TIMEOUT)
        return;
    size_t value, any = detail_begin(out, "RetryInfo", &value);
    size_t delay = ax_protobuf_begin(out, 1);
    ax_protobuf_put_varint(out, 1, seconds);
    ax_protobuf_end(out, delay);
    detail_end(out, any, value);
}

void
ax_rpc_details(const struct ax_rpc_failure *failure, struct ax_writer *out)
{
    if (!ax_utf8_ok(failure->words) || !ax_utf8_ok(failure->reason))
        return;
    ax_protobuf_put_varint(out, 1, (uint64_t)failure->code);
    ax_protobuf_put_bytes(out, 2, failure->words);
    put_error_info(failure, out);
    put_bad_request(failure, out);
    put_retry_info(failure, out);
}

#include "api/rpc_details.h"

#include "protobuf_case.h"

/* The value of the detail of that type; at is NULL when there is none. */
static ax_str
detail(ax_str status, const char *type)
{
    struct ax_protobuf field = ax_protobuf_of(status);
    while (ax_protobuf_next(&field)) {
        if (!ax_protobuf_is(&field, 3, AX_PROTOBUF_BYTES))
            continue;
        struct ax_protobuf any = ax_protobuf_of(field.bytes);
        ax_str url = {}, value = {};
        while (ax_protobuf_next(&any))
            *(any.field == 1 ? &url : &value) = any.bytes;
        CHECK(ax_str_starts(url, AX_STR("type.googleapis.com/google.rpc.")));
        if (ax_str_ends(url, ax_str_of(type)))
            return value;
    }
    CHECK_EQ(field.status, AX_OK);
    return (ax_str){};
}

/* The text in that field of a message. */
static ax_str
text_in(ax_str message, uint32_t number)
{
    return protobuf_case_field(message, number, 0).bytes;
}

TEST(rpc_details_name_the_reason_the_field_and_the_wait)
{
    static const struct {
        struct ax_rpc_failure failure;
        const char *reason, *field;
        bool waits;
    } rows[] = {
        {{AX_INVALID, 3, {"wrong shape for input 'A' for", 29}, {"", 0}, {"", 0}, 0},
         "INVALID",
         "inputs.A",
         false},
        {{AX_INVALID, 3, {"unexpected inference output 'Z'", 31}, {"", 0}, {"t", 1}, 0},
         "INVALID",
         "outputs.Z",
         false},
        {{AX_INVALID, 3, {"parameter 'p' is text", 21}, {"", 0}, {"", 0}, 0},
         "INVALID",
         "parameters.p",
         false},
        {{AX_INVALID, 3, {"input 'cut", 10}, {"", 0}, {"", 0}, 0}, "INVALID", NULL, false},
        {{AX_NOT_FOUND, 5, {"no input 'A'", 12}, {"", 0}, {"", 0}, 0}, "NOT_FOUND", NULL, false},
        {{AX_UNAVAILABLE, 14, {"stopping", 8}, {"", 0}, {"", 0}, 0}, "UNAVAILABLE", NULL, true},
        {{AX_LIMIT, 8, {"full", 4}, {"rate", 4}, {"", 0}, 0}, "RATE", NULL, true},
        {{AX_TIMEOUT, 4, {"late", 4}, {"", 0}, {"", 0}, 0}, "TIMEOUT", NULL, false},
        {{AX_DENIED, 7, {"", 0}, {"four_eyes", 9}, {"", 0}, 0}, "FOUR_EYES", NULL, false},
        {{AX_LIMIT, 8, {"too many", 8}, {"", 0}, {"", 0}, 30}, "LIMIT", NULL, true},
    };
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(4'096);
        ax_rpc_details(&rows[i].failure, &out);
        ax_str status = ax_writer_str(&out), info = detail(status, "ErrorInfo"),
               bad = detail(status, "BadRequest");
        struct ax_protobuf code = ax_protobuf_of(status);
        CHECK(ax_protobuf_next(&code) && code.number == (uint64_t)rows[i].failure.code);
        CHECK(ax_str_eq(text_in(status, 2), rows[i].failure.words));
        CHECK_STR(text_in(info, 1), rows[i].reason);
        CHECK_STR(text_in(info, 2), "axiom");
        CHECK_EQ(text_in(info, 3).len > 0, rows[i].failure.trace_id.len > 0);
        CHECK_EQ(bad.at != NULL, rows[i].field != NULL);
        if (rows[i].field)
            CHECK_STR(text_in(text_in(bad, 1), 1), rows[i].field);
        ax_str retry = detail(status, "RetryInfo");
        CHECK_EQ(retry.at != NULL, rows[i].waits);
        if (rows[i].failure.retry_after_s)
            CHECK_STR(text_in(retry, 1), "\x08\x1e"); /* a Duration of 30 s */
    }
}

TEST(rpc_details_hold_no_text_that_protobuf_would_refuse)
{
    const struct ax_rpc_failure failure = {.status = AX_INVALID, .code = 3, .words = {"\xff", 1}};
    ax_writer_auto struct ax_writer out = ax_writer_of(4'096);
    ax_rpc_details(&failure, &out);
    CHECK_EQ(out.len, 0);
}

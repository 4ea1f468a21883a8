#include "codec/otlp.h"

#include "protobuf_case.h"

TEST(otlp_spans_are_written_as_collectors_read_them)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    const struct ax_otlp_resource resource = {AX_STR("axiom"), AX_STR("1.2"), AX_STR("host-1")};
    const struct ax_otlp_span span = {.trace_id = "0af7651916cd43dd8448eb211c80319c",
                                      .span_id = UINT64_C(0xb7ad6b7169203331),
                                      .parent_id = 1,
                                      .state = AX_STR("rojo=1"),
                                      .name = AX_STR("POST /v2"),
                                      .kind = AX_OTLP_SERVER,
                                      .start_ns = 5,
                                      .end_ns = 9,
                                      .failed = true};
    const struct ax_otlp_span child = {
        .trace_id = span.trace_id, .span_id = 2, .name = AX_STR("c")};
    struct ax_otlp otlp = ax_otlp_begin(&out, &resource);
    ax_otlp_span_begin(&otlp, &span);
    ax_otlp_span_text(&otlp, "http.route", AX_STR("/v2"));
    ax_otlp_span_text(&otlp, "nothing", AX_STR(""));
    ax_otlp_span_number(&otlp, "http.response.status_code", 503);
    ax_otlp_span_end(&otlp);
    ax_otlp_span_begin(&otlp, &child);
    ax_otlp_span_end(&otlp);
    ax_otlp_end(&otlp);
    CHECK_EQ(out.status, AX_OK);
    ax_str spans = protobuf_case_field(ax_writer_str(&out), 1, 0).bytes;
    ax_str attribute = protobuf_case_field(protobuf_case_field(spans, 1, 0).bytes, 1, 0).bytes;
    CHECK_STR(protobuf_case_field(attribute, 1, 0).bytes, "service.name");
    CHECK_STR(protobuf_case_field(protobuf_case_field(attribute, 2, 0).bytes, 1, 0).bytes, "axiom");
    ax_str scope = protobuf_case_field(spans, 2, 0).bytes,
           first = protobuf_case_field(scope, 2, 0).bytes;
    CHECK_STR(protobuf_case_field(first, 1, 0).bytes,
              "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c");
    CHECK_STR(protobuf_case_field(first, 2, 0).bytes, "\xb7\xad\x6b\x71\x69\x20\x33\x31");
    CHECK_STR(protobuf_case_field(first, 3, 0).bytes, "rojo=1");
    CHECK_EQ(protobuf_case_field(first, 4, 0).bytes.len, 8);
    CHECK_STR(protobuf_case_field(first, 5, 0).bytes, "POST /v2");
    CHECK_EQ(protobuf_case_field(first, 6, 0).number, 2);
    CHECK_EQ(protobuf_case_field(first, 7, 0).number, 5);
    CHECK_EQ(protobuf_case_field(first, 8, 0).number, 9);
    CHECK_EQ(protobuf_case_field(protobuf_case_field(first, 15, 0).bytes, 3, 0).number, 2);
    attribute = protobuf_case_field(first, 9, 1).bytes;
    CHECK_STR(protobuf_case_field(attribute, 1, 0).bytes, "http.response.status_code");
    CHECK_EQ(protobuf_case_field(protobuf_case_field(attribute, 2, 0).bytes, 3, 0).number, 503);
    CHECK_EQ(protobuf_case_field(first, 9, 2).bytes.len, 0);
    ax_str second = protobuf_case_field(scope, 2, 1).bytes;
    CHECK_EQ(protobuf_case_field(second, 4, 0).bytes.len, 0); /* nobody called it */
    CHECK_EQ(protobuf_case_field(second, 15, 0).bytes.len, 0);
}

static void
rejected(struct ax_ctx *ctx)
{
    int64_t count = -1;
    CHECK_EQ(ax_otlp_rejected(ctx, AX_STR(""), &count), AX_OK);
    CHECK_EQ(count, 0);
    CHECK_EQ(ax_otlp_rejected(ctx, AX_STR("\x0a\x07\x08\x05\x12\x03why"), &count), AX_OK);
    CHECK_EQ(count, 5);
    CHECK_EQ(ax_otlp_rejected(ctx, AX_STR("\x0a\x07\x08"), &count), AX_INVALID);
    CHECK_EQ(ax_otlp_rejected(ctx, AX_STR("<html>"), &count), AX_INVALID);
}

TEST(otlp_answers_say_how_many_spans_were_not_taken)
{
    ax_test_with_ctx(rejected);
}

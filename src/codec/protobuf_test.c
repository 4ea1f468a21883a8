#include "codec/protobuf.h"

#include <math.h>

#include "harness.h"

/* Fields told as "1=7;2='abc';3:8=0.5;" */
static void
tell(ax_str bytes, struct ax_writer *out)
{
    struct ax_protobuf message = ax_protobuf_of(bytes);
    while (ax_protobuf_next(&message)) {
        if (message.wire == AX_PROTOBUF_BYTES)
            ax_writer_print(out, "%u='%.*s';", message.field, AX_FMT(message.bytes));
        else
            ax_writer_print(out, "%u:%d=%llu;", message.field, (int)message.wire,
                            (unsigned long long)message.number);
    }
    if (message.status != AX_OK)
        ax_writer_text(out, "bad");
}

TEST(protobuf_reads_every_wire_type)
{
    static const struct {
        ax_str bytes;
        const char *told;
    } cases[] = {
        {{"", 0}, ""},
        {{"\x08\x96\x01", 3}, "1:0=150;"}, /* the guide's own example */
        {{"\x12\x07testing", 9}, "2='testing';"},
        {{"\x12\0\x18\0", 4}, "2='';3:0=0;"},
        {{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, "1:0=18446744073709551615;"},
        {{"\x0d\1\0\0\0", 5}, "1:5=1;"},
        {{"\x09\2\0\0\0\0\0\0\0", 9}, "1:1=2;"},
        {{"\xfa\xff\xff\xff\x0f\0", 6}, "536870911='';"},
        {{"\x08", 1}, "bad"},
        {{"\x08\x80", 2}, "bad"},
        {{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11}, "bad"},
        {{"\0\0", 2}, "bad"},     /* field 0 */
        {{"\x0b\x0c", 2}, "bad"}, /* a group */
        {{"\x0a\x05"
          "abc",
          5},
         "bad"},
        {{"\x0d\1\0\0", 4}, "bad"},
        {{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10}, "bad"},
        {{"\x80\x80\x80\x80\x80\x01\0", 7}, "bad"}, /* a tag of more than 32 bits */
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer told = ax_writer_of(1000);
        tell(cases[i].bytes, &told);
        CHECK_STR(ax_writer_str(&told), cases[i].told);
    }
}

TEST(protobuf_writes_lengths_for_streams_of_messages)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(16);
    ax_protobuf_put_length(&out, 3);
    ax_protobuf_put_length(&out, 300);
    CHECK_STR(ax_writer_str(&out), "\x03\xac\x02");
}

TEST(protobuf_writes_what_it_reads)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    char large[300];
    memset(large, 'x', sizeof large);
    ax_protobuf_put_varint(&out, 1, 150);
    size_t outer = ax_protobuf_begin(&out, 2);
    size_t inner = ax_protobuf_begin(&out, 3);
    ax_protobuf_put_bytes(&out, 4, (ax_str){large, sizeof large});
    ax_protobuf_end(&out, inner);
    ax_protobuf_put_f64(&out, 5, 0.5);
    ax_protobuf_end(&out, outer);
    ax_protobuf_end(&out, ax_protobuf_begin(&out, 6));
    CHECK_EQ(out.status, AX_OK);
    struct ax_protobuf message = ax_protobuf_of(ax_writer_str(&out));
    CHECK(ax_protobuf_next(&message) && message.number == 150);
    CHECK(ax_protobuf_next(&message) && ax_protobuf_is(&message, 2, AX_PROTOBUF_BYTES));
    struct ax_protobuf two = ax_protobuf_of(message.bytes);
    CHECK(ax_protobuf_next(&two) && ax_protobuf_is(&two, 3, AX_PROTOBUF_BYTES));
    struct ax_protobuf three = ax_protobuf_of(two.bytes);
    CHECK(ax_protobuf_next(&three) && three.bytes.len == sizeof large);
    CHECK(!ax_protobuf_next(&three) && three.status == AX_OK);
    CHECK(ax_protobuf_next(&two) && ax_protobuf_f64(two.number) == 0.5);
    CHECK(ax_protobuf_next(&message) && message.bytes.len == 0 && message.field == 6);
    for (size_t room = 0; room < out.len; room++) {
        ax_writer_auto struct ax_writer narrow = ax_writer_of(room);
        size_t begun = ax_protobuf_begin(&narrow, 2);
        ax_protobuf_put_bytes(&narrow, 4, (ax_str){large, sizeof large});
        ax_protobuf_end(&narrow, begun);
        CHECK(narrow.status == AX_OK || narrow.status == AX_LIMIT);
    }
}

static ax_status
add(void *arg, uint64_t number)
{
    double *sum = arg;
    *sum += (double)ax_protobuf_f32(number);
    return isnan(*sum) ? AX_LIMIT : AX_OK;
}

TEST(protobuf_takes_repeated_scalars_packed_or_alone)
{
    static const float values[] = {1.5f, 2, -0.25f};
    struct ax_protobuf packed = {.wire = AX_PROTOBUF_BYTES,
                                 .bytes = {(const char *)values, sizeof values}};
    struct ax_protobuf alone = {.wire = AX_PROTOBUF_FIXED32, .number = 0x3fc00000};
    struct ax_protobuf other = {.wire = AX_PROTOBUF_VARINT, .number = 1};
    struct ax_protobuf varints = {.wire = AX_PROTOBUF_BYTES, .bytes = {"\x01\x80\x01\x02", 4}};
    double sum = 0;
    CHECK_EQ(ax_protobuf_each(&packed, AX_PROTOBUF_FIXED32, add, &sum), AX_OK);
    CHECK(sum == 3.25);
    CHECK_EQ(ax_protobuf_each(&alone, AX_PROTOBUF_FIXED32, add, &sum), AX_OK);
    CHECK(sum == 4.75);
    CHECK_EQ(ax_protobuf_each(&other, AX_PROTOBUF_FIXED32, add, &sum), AX_INVALID);
    CHECK_EQ(ax_protobuf_count(&packed, AX_PROTOBUF_FIXED32), 3);
    CHECK_EQ(ax_protobuf_count(&packed, AX_PROTOBUF_FIXED64), SIZE_MAX);
    CHECK_EQ(ax_protobuf_count(&varints, AX_PROTOBUF_VARINT), 3);
    varints.bytes.len = 2;
    CHECK_EQ(ax_protobuf_count(&varints, AX_PROTOBUF_VARINT), SIZE_MAX);
    packed.bytes.len = 7;
    CHECK_EQ(ax_protobuf_each(&packed, AX_PROTOBUF_FIXED32, add, &sum), AX_INVALID);
    float not_a_number = NAN;
    packed.bytes = (ax_str){(const char *)&not_a_number, sizeof not_a_number};
    CHECK_EQ(ax_protobuf_each(&packed, AX_PROTOBUF_FIXED32, add, &sum), AX_LIMIT);
}

static void
words(struct ax_ctx *ctx)
{
    struct ax_protobuf message = ax_protobuf_of(AX_STR("\x0a\x05"
                                                       "abc"));
    CHECK(!ax_protobuf_next(&message));
    CHECK_EQ(ax_protobuf_check(&message, ctx, "ModelInferRequest"), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error),
              "the bytes are no ModelInferRequest: field 1 is cut or malformed");
}

TEST(protobuf_says_which_field_is_cut)
{
    ax_test_with_ctx(words);
}

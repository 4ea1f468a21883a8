/* Looking at messages that were written. */
#pragma once

#include "codec/protobuf.h"
#include "harness.h"

/* The nth field of that number of a message: its bytes, and its number; empty when there is none.
 */
static inline struct ax_protobuf
protobuf_case_field(ax_str message, uint32_t number, int nth)
{
    struct ax_protobuf field = ax_protobuf_of(message);
    while (ax_protobuf_next(&field))
        if (field.field == number && nth-- == 0)
            return field;
    CHECK_EQ(field.status, AX_OK);
    return (struct ax_protobuf){.bytes = AX_STR("")};
}

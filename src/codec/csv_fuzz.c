#include "codec/csv.h"

#include <stdint.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a table; with `out`, writes its rows there. */
static ax_status
read_table(struct ax_ctx *ctx, ax_str text, struct ax_writer *out)
{
    struct ax_csv *csv;
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    struct ax_csv_row row = *ax_csv_header(csv);
    while (row.fields) {
        AX_ASSERT(row.count == ax_csv_header(csv)->count);
        ax_csv_put_row(out, row.fields, row.count);
        AX_TRY(ax_csv_next(csv, ctx, &row));
    }
    return AX_OK;
}

/* What was read, written and read again, is written the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer first = ax_writer_of(64 << 20), second = ax_writer_of(64 << 20);
    if (read_table(&ctx, (ax_str){(const char *)data, size}, &first) != AX_OK)
        return 0;
    AX_ASSERT(read_table(&ctx, ax_writer_str(&first), &second) == AX_OK);
    AX_ASSERT(ax_str_eq(ax_writer_str(&first), ax_writer_str(&second)));
    return 0;
}

#include "codec/csv.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_csv *csv;
    struct ax_csv_row row;
    if (ax_csv_open(&ctx, (ax_str){(const char *)data, size}, NULL, &csv) != AX_OK)
        return 0;
    do
        if (ax_csv_next(csv, &ctx, &row) != AX_OK)
            return 0;
    while (row.fields);
    return 0;
}

/* Text that is taken for a suite of expectations: what is accepted can be judged and written. */
#include "dataops/data_validation.h"

#include <math.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ax_str kinds[] = {{"x", 1}, {"y", 1}};
static const double numbers[] = {1, 2, (double)NAN, 2};
static const double codes[] = {0, 1, 1, (double)NAN};
static const uint64_t ids[] = {0, 1, 2, 3};
static const struct ax_frame_column columns[] = {
    {.name = {"a", 1}, .values = numbers},
    {.name = {"b", 1},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = kinds,
     .category_count = 2},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = 4, .row_ids = ids};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    AX_ASSERT(arena);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_expectation_suite suite = {};
    struct ax_expectation_verdict *verdicts = NULL;
    const struct ax_json *tree = NULL;
    bool success = false;
    ax_str text = {};
    if (ax_data_validation_parse(&ctx, (ax_str){(const char *)data, size}, &suite) != AX_OK)
        return 0;
    suite.reference = &frame;
    if (ax_data_validation_check(&ctx, &frame, &suite, &verdicts, &success) == AX_OK &&
        ax_data_validation_format(&ctx, &frame, &suite, verdicts, &text) == AX_OK)
        AX_ASSERT(ax_json_parse(&ctx, text, NULL, &tree) == AX_OK);
    return 0;
}

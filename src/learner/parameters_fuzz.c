/* Any JSON as the parameters of a training: refused in words, or a model comes of it. */
#include "base/assert.h"
#include "learner/learner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20, ROWS = 12 };

static const double amounts[ROWS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
static const double codes[ROWS] = {0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0};
static const uint8_t labels[ROWS] = {1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1};
static const ax_str words[] = {{"own", 3}, {"rent", 4}};
static const struct ax_frame_column columns[] = {
    {.name = {"amount", 6}, .kind = AX_FRAME_NUMBER, .values = amounts},
    {.name = {"housing", 7},
     .kind = AX_FRAME_CATEGORY,
     .values = codes,
     .categories = words,
     .category_count = 2},
};
static const struct ax_frame frame = {
    .columns = columns, .column_count = 2, .row_count = ROWS, .labels = labels};

static void
train(struct ax_ctx *ctx, const char *learner, const struct ax_json *parameters)
{
    const struct ax_learner_input input = {
        .train = &frame, .parameters = parameters, .thread_count = 1};
    struct ax_learner_result result = {};
    ctx->error[0] = '\0';
    ax_status status = ax_learner_train(ctx, ax_str_of(learner), &input, &result);
    AX_ASSERT(status == AX_OK ? result.model.len > 0 : ctx->error[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_json *parameters = NULL;
    if (ax_json_parse(&ctx, (ax_str){(const char *)data, size}, NULL, &parameters) != AX_OK)
        return 0;
    train(&ctx, "scorecard", parameters);
    train(&ctx, "logistic", parameters);
    return 0;
}

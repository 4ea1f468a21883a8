#include "mlops/tracking_source.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A source that answers everything with one text. */
struct fuzzed {
    struct ax_tracking_source base;
    ax_str text;
    int asked;
};

static ax_status
fuzz_ask(struct ax_tracking_source *base, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
         const struct ax_json **out_answer)
{
    struct fuzzed *fuzzed = (struct fuzzed *)base;
    (void)ask;
    fuzzed->asked++;
    return ax_json_parse(ctx, fuzzed->text, NULL, out_answer);
}

static ax_status
fuzz_one(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    static const char *const keys[] = {"name", "value", "version", "step"};
    int64_t whole = 0;
    (void)arg;
    for (size_t i = 0; i < AX_COUNT_OF(keys); i++) {
        const struct ax_json *found = ax_json_find(item, keys[i]), *list;
        double number;
        ax_str text = AX_STR("");
        if (ax_tracking_source_text(ctx, item, keys[i], &text) == AX_OK)
            AX_ASSERT(found && (text.len == 0 || !memchr(text.at, '\0', text.len)));
        if (ax_tracking_source_f64(ctx, item, keys[i], &number) == AX_OK)
            AX_ASSERT(found);
        if (ax_tracking_source_items(ctx, item, keys[i], &list) == AX_OK)
            AX_ASSERT(!list || list == found);
        ax_ignore(ax_tracking_source_may_i64(ctx, item, keys[i], &whole), "it may be no number");
    }
    return AX_OK;
}

/* A server that says the same again and again is left after its second page at the latest. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ax_tracking_source_ops ops = {.name = "fuzz", .ask = fuzz_ask};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct fuzzed fuzzed = {.base = {.ops = &ops}, .text = {(const char *)data, size}};
    const struct ax_tracking_walk walk = {
        .ask = {.question = AX_TRACKING_RUNS}, .member = "runs", .one = fuzz_one};
    ax_ignore(ax_tracking_source_walk(&fuzzed.base, &ctx, &walk), "it may be no answer");
    AX_ASSERT(fuzzed.asked <= 2);
    return 0;
}

#include "mlops/tracking_source.h"

#include <math.h>

#include "base/assert.h"
#include "base/fault.h"
#include "base/number.h"

enum { PAGE_ARENA_BYTES_MAX = 1 << 30 };

ax_status
ax_tracking_source_ask(struct ax_tracking_source *source, struct ax_ctx *ctx,
                       const struct ax_tracking_ask *ask, const struct ax_json **out_answer)
{
    AX_ASSERT(ask->question < AX_TRACKING_QUESTION_COUNT);
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "%s: no", source->ops->name);
    return source->ops->ask(source, ctx, ask, out_answer);
}

ax_status
ax_tracking_source_fetch(struct ax_tracking_source *source, struct ax_ctx *ctx,
                         const struct ax_tracking_ask *ask, ax_file to, uint64_t *out_bytes)
{
    AX_ASSERT(ask->question >= AX_TRACKING_FILES && ask->question < AX_TRACKING_QUESTION_COUNT);
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "%s: no", source->ops->name);
    return source->ops->fetch(source, ctx, ask, to, out_bytes);
}

void
ax_tracking_source_close(struct ax_tracking_source *source)
{
    source->ops->close(source);
}

/* ---- pages ---- */

/* One page in memory of its own. token: of the page, then of the next; of the walk's memory. */
static ax_status
walk_page(struct ax_tracking_source *source, struct ax_ctx *ctx,
          const struct ax_tracking_walk *walk, struct ax_writer *token)
{
    const struct ax_json *answer, *items;
    struct ax_tracking_ask ask = walk->ask;
    ax_status status = AX_OK;
    ax_str next;
    ask.page_token = ax_writer_str(token);
    AX_TRY(ax_tracking_source_ask(source, ctx, &ask, &answer));
    AX_TRY(ax_tracking_source_items(ctx, answer, walk->member, &items));
    AX_TRY(ax_tracking_source_may_text(ctx, answer, "next_page_token", &next));
    if (next.len && (ax_json_count(items) == 0 || ax_str_eq(next, ask.page_token)))
        return ax_fail(ctx, AX_CORRUPT, "the pages of \"%s\" lead nowhere", walk->member);
    if (walk->page && items)
        status = walk->page(walk->arg, ctx, items);
    struct ax_json_iter it = ax_json_iter_of(items);
    while (walk->one && status == AX_OK && ax_json_next(&it))
        status = walk->one(walk->arg, ctx, it.value);
    AX_TRY(status);
    ax_writer_clear(token);
    ax_writer_bytes(token, next);
    return token->status == AX_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "a page's token is too long");
}

ax_status
ax_tracking_source_walk(struct ax_tracking_source *source, struct ax_ctx *ctx,
                        const struct ax_tracking_walk *walk)
{
    enum { TOKEN_BYTES_MAX = 16 << 10 };
    ax_writer_auto struct ax_writer token = ax_writer_of(TOKEN_BYTES_MAX);
    do {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(PAGE_ARENA_BYTES_MAX);
        if (!arena)
            return ax_fail(ctx, AX_LIMIT, "no memory for a page");
        struct ax_ctx inside = *ctx;
        inside.arena = arena;
        ax_status status = walk_page(source, &inside, walk, &token);
        if (status != AX_OK)
            return ax_fail(ctx, status, "%s", inside.error);
    } while (token.len);
    return AX_OK;
}

/* ---- readers ---- */

static ax_status
wrong(struct ax_ctx *ctx, const char *key, const char *what)
{
    return ax_fail(ctx, AX_CORRUPT, "\"%s\" of an answer is no %s", key, what);
}

static const struct ax_json *
find(const struct ax_json *object, const char *key)
{
    const struct ax_json *found = ax_json_find(object, key);
    return found && ax_json_kind(found) != AX_JSON_NULL ? found : NULL;
}

ax_status
ax_tracking_source_may_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                            ax_str *out)
{
    const struct ax_json *found = find(object, key);
    ax_str text = AX_STR("");
    int64_t number;
    if (found && ax_json_i64(found, &number)) { /* ids and versions, as some write them */
        text = ax_str_printf(ctx->arena, "%lld", (long long)number);
        if (!text.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for an answer");
    } else if (found && !ax_json_text(found, &text)) {
        return wrong(ctx, key, "text");
    }
    if (text.len && memchr(text.at, '\0', text.len))
        return wrong(ctx, key, "text without NUL");
    *out = text;
    return AX_OK;
}

ax_status
ax_tracking_source_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                        ax_str *out)
{
    if (!find(object, key))
        return ax_fail(ctx, AX_CORRUPT, "an answer has no \"%s\"", key);
    return ax_tracking_source_may_text(ctx, object, key, out);
}

ax_status
ax_tracking_source_may_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                           int64_t *out)
{
    const struct ax_json *found = find(object, key);
    ax_str text;
    if (!found || ax_json_i64(found, out) ||
        (ax_json_text(found, &text) && ax_parse_i64(text, out)))
        return AX_OK;
    return wrong(ctx, key, "whole number");
}

ax_status
ax_tracking_source_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                       double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {
        {"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", -(double)INFINITY}};
    const struct ax_json *found = find(object, key);
    ax_str text;
    if (found && ax_json_f64(found, out))
        return AX_OK;
    if (!found || !ax_json_text(found, &text))
        return wrong(ctx, key, "number");
    for (size_t i = 0; i < AX_COUNT_OF(words); i++) {
        if (!ax_str_eq(text, ax_str_of(words[i].word)))
            continue;
        *out = words[i].value;
        return AX_OK;
    }
    return ax_parse_f64(text, out) ? AX_OK : wrong(ctx, key, "number");
}

ax_status
ax_tracking_source_items(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                         const struct ax_json **out)
{
    const struct ax_json *found = find(object, key);
    if (found && ax_json_kind(found) != AX_JSON_ARRAY)
        return wrong(ctx, key, "list");
    *out = found;
    return AX_OK;
}

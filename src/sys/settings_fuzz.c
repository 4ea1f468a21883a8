#include "sys/settings.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
    int64_t count, bytes, wait_ms;
    bool strict;
    ax_str text;
    double share;
};

#define FIELD(name) offsetof(struct sample, name)

static const struct ax_setting rows[] = {
    {"count", "how many", AX_SETTING_COUNT, FIELD(count), 5, 1, 1e15, NULL},
    {"bytes", "how large", AX_SETTING_BYTES, FIELD(bytes), 1 << 20, 0, 1e15, NULL},
    {"wait_ms", "how long", AX_SETTING_DURATION_MS, FIELD(wait_ms), 10, 0, 1e15, NULL},
    {"strict", "whether", AX_SETTING_SWITCH, FIELD(strict), 0, 0, 1, NULL},
    {"text", "what", AX_SETTING_TEXT, FIELD(text), 0, 0, 0, "as it was"},
    {"share", "which part", AX_SETTING_NUMBER, FIELD(share), 0.5, -1e300, 1e300, NULL},
};

static const struct ax_settings table = {"a", rows, AX_COUNT_OF(rows)};

static ax_status
found(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name, ax_str value, int line)
{
    AX_ASSERT(line > 0);
    ax_status status = ax_settings_set(ctx, &table, arg, name, value);
    AX_ASSERT(status == AX_OK || ctx->error[0]);
    ax_ignore(status, "the next line may be a good one");
    return section.len < 100 ? AX_OK : ax_fail(ctx, AX_INVALID, "line %d", line);
}

/* What was read and printed is read again as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct sample sample = {}, again = {};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20), same = ax_writer_of(1 << 20);
    ax_settings_defaults(&table, &sample);
    ax_ignore(ax_settings_read(&ctx, (ax_str){(const char *)data, size}, found, &sample),
              "whatever it was");
    ax_settings_print(&table, &sample, &out);
    if (out.status != AX_OK)
        return 0;
    AX_ASSERT(ax_settings_read(&ctx, ax_writer_str(&out), found, &again) == AX_OK);
    ax_settings_print(&table, &again, &same);
    AX_ASSERT(ax_str_eq(ax_writer_str(&out), ax_writer_str(&same)));
    return 0;
}

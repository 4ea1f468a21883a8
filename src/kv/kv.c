#include "kv/kv.h"

#include "base/assert.h"
#include "base/fault.h"

static ax_status
injected(struct ax_kv *kv, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_UNAVAILABLE, "%s: injected", kv->ops->name);
}

ax_status
ax_kv_get(struct ax_kv *kv, struct ax_ctx *ctx, ax_str key, ax_str *out_value)
{
    AX_ASSERT(key.len > 0 && key.len <= AX_KV_KEY_BYTES_MAX);
    if (ax_fault_here())
        return injected(kv, ctx);
    return kv->ops->get(kv, ctx, key, out_value);
}

ax_status
ax_kv_write(struct ax_kv *kv, struct ax_ctx *ctx, const struct ax_kv_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AX_ASSERT(items[i].key.len > 0 && items[i].key.len <= AX_KV_KEY_BYTES_MAX);
        AX_ASSERT(items[i].value.len <= AX_KV_VALUE_BYTES_MAX);
    }
    if (ax_fault_here())
        return injected(kv, ctx);
    return kv->ops->write(kv, ctx, items, count);
}

ax_status
ax_kv_scan(struct ax_kv *kv, struct ax_ctx *ctx, ax_str prefix, size_t count_max,
           struct ax_kv_item **out_items, size_t *out_count)
{
    AX_ASSERT(prefix.len <= AX_KV_KEY_BYTES_MAX);
    if (ax_fault_here())
        return injected(kv, ctx);
    return kv->ops->scan(kv, ctx, prefix, count_max, out_items, out_count);
}

ax_status
ax_kv_sync(struct ax_kv *kv, struct ax_ctx *ctx)
{
    if (ax_fault_here())
        return injected(kv, ctx);
    return kv->ops->sync(kv, ctx);
}

void
ax_kv_close(struct ax_kv *kv)
{
    if (kv)
        kv->ops->close(kv);
}

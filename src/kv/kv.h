/*
 * A value by key, fast: the port to a key-value store.
 *
 * For what is read on the request path and can be made again from a source of truth (the index of
 * decisions, features by entity). A batch of writes is one transaction: all of it or none is seen.
 * How soon it is on the disk is the adapter's word (`durable`); after a crash an older state may
 * come back, never a mixture. tests/contract/kv_contract.c runs against every adapter.
 */
#pragma once

#include "base/ctx.h"

enum { AX_KV_KEY_BYTES_MAX = 500, AX_KV_VALUE_BYTES_MAX = 1 << 20 };

struct ax_kv;

struct ax_kv_item {
    ax_str key;
    ax_str value;
    bool removed; /* takes the key away instead */
};

struct ax_kv_ops {
    const char *name;
    ax_status (*get)(struct ax_kv *kv, struct ax_ctx *ctx, ax_str key, ax_str *out_value);
    ax_status (*write)(struct ax_kv *kv, struct ax_ctx *ctx, const struct ax_kv_item *items,
                       size_t count);
    ax_status (*scan)(struct ax_kv *kv, struct ax_ctx *ctx, ax_str prefix, size_t count_max,
                      struct ax_kv_item **out_items, size_t *out_count);
    ax_status (*sync)(struct ax_kv *kv, struct ax_ctx *ctx);
    void (*close)(struct ax_kv *kv);
};

/* An adapter embeds this as its first member. */
struct ax_kv {
    const struct ax_kv_ops *ops;
};

/* The value under key, in ctx->arena. Any thread. Fails: NOT_FOUND, UNAVAILABLE, LIMIT. */
ax_status ax_kv_get(struct ax_kv *kv, struct ax_ctx *ctx, ax_str key, ax_str *out_value);

/* All items or none, in order. One writer at a time waits for the other. Fails: LIMIT, UNAVAILABLE.
 */
ax_status ax_kv_write(struct ax_kv *kv, struct ax_ctx *ctx, const struct ax_kv_item *items,
                      size_t count);

/* The first count_max items whose keys begin with prefix, by key; in ctx->arena. */
ax_status ax_kv_scan(struct ax_kv *kv, struct ax_ctx *ctx, ax_str prefix, size_t count_max,
                     struct ax_kv_item **out_items, size_t *out_count);

/* What was written is on the disk when it returns. */
ax_status ax_kv_sync(struct ax_kv *kv, struct ax_ctx *ctx);

void ax_kv_close(struct ax_kv *kv);
AX_DEFINE_AUTO(struct ax_kv, ax_kv_close);

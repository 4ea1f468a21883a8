#include "auth/access_fact.h"

#include "codec/cbor.h"
#include "event/outbox.h"

enum { BODY_BYTES_MAX = 4096 };

ax_status
ax_access_fact_put(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_access_fact *fact)
{
    const ax_str texts[] = {fact->verb, fact->subject, fact->reason};
    ax_writer_auto struct ax_writer body = ax_writer_of(BODY_BYTES_MAX);
    uint64_t count = 0;
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++)
        count += texts[i].len > 0;
    ax_cbor_put_map(&body, count);
    for (size_t i = 0; i < AX_COUNT_OF(texts); i++) {
        if (!texts[i].len)
            continue;
        ax_cbor_put_u64(&body, i + 1);
        ax_cbor_put_text(&body, texts[i]);
    }
    if (body.status != AX_OK)
        return ax_fail(ctx, body.status, "no room for the fact about %.*s", AX_FMT(fact->object));
    const struct ax_event event = {
        .kind = fact->kind,
        .actor = ctx->actor          ? ctx->actor->id
                 : fact->subject.len ? fact->subject
                                     : fact->object,
        .actor_roles = ctx->actor ? ctx->actor->roles : 0,
        .object = fact->object,
        .body = ax_writer_str(&body),
    };
    return ax_outbox_put(tx, ctx, NULL, &event, AX_STR(""));
}

#include "mlops/webhook_secret.h"

#include "codec/text.h"
#include "sys/crypto_key_file.h"

#define FORM AX_STR("1:")

enum { SECRET_BYTES_MAX = 64 << 10, OLD_AT_ONCE = 100 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a webhook's secret");
}

/* What is authenticated beside the secret: the form, and whose it is. */
static ax_status
bound_text(struct ax_ctx *ctx, ax_str webhook_id, ax_str *out_text)
{
    *out_text = ax_str_printf(ctx->arena, "axiom webhook secret 1\n%.*s", AX_FMT(webhook_id));
    return out_text->at ? AX_OK : no_memory(ctx);
}

ax_status
ax_webhook_secret_seal(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                       ax_str webhook_id, ax_str secret, ax_str *out_sealed)
{
    uint8_t key[AX_KEY_BYTES];
    ax_str bound;
    *out_sealed = AX_STR("");
    if (secret.len == 0)
        return AX_OK;
    if (secret.len > SECRET_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a webhook's secret has at most %d bytes",
                       SECRET_BYTES_MAX);
    char *sealed = AX_NEW_ARRAY(ctx->arena, char, secret.len + AX_SEAL_OVERHEAD_BYTES);
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * SECRET_BYTES_MAX);
    AX_TRY(bound_text(ctx, webhook_id, &bound));
    if (!sealed)
        return no_memory(ctx);
    AX_TRY(ax_crypto_key_file_need(ctx, config->secret_key, key));
    ax_seal(key, bound, secret, sealed);
    ax_crypto_wipe(key, sizeof key);
    ax_writer_bytes(&text, FORM);
    ax_base64_encode((ax_str){sealed, secret.len + AX_SEAL_OVERHEAD_BYTES}, &text);
    return ax_writer_take(&text, ctx->arena, out_sealed) == AX_OK ? AX_OK : no_memory(ctx);
}

ax_status
ax_webhook_secret_open(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                       ax_str webhook_id, ax_str sealed, ax_str *out_secret)
{
    uint8_t key[AX_KEY_BYTES];
    ax_str bytes, bound;
    *out_secret = AX_STR("");
    if (sealed.len == 0)
        return AX_OK;
    if (!ax_str_starts(sealed, FORM) ||
        ax_base64_decode(ctx, ax_str_from(sealed, FORM.len), &bytes) != AX_OK ||
        bytes.len < AX_SEAL_OVERHEAD_BYTES)
        return ax_fail(ctx, AX_CORRUPT, "the webhook's secret is not as it was sealed");
    char *secret = AX_NEW_ARRAY(ctx->arena, char, bytes.len - AX_SEAL_OVERHEAD_BYTES + 1);
    AX_TRY(bound_text(ctx, webhook_id, &bound));
    if (!secret)
        return no_memory(ctx);
    AX_TRY(ax_crypto_key_file_read(ctx, config->secret_key, key));
    ax_status status = ax_unseal(key, bound, bytes, secret);
    ax_crypto_wipe(key, sizeof key);
    if (status != AX_OK)
        return status == AX_LIMIT
                   ? no_memory(ctx)
                   : ax_fail(ctx, AX_CORRUPT,
                             "the webhook's secret was changed, or sealed under another key than "
                             "%.*s: set it anew",
                             AX_FMT(config->secret_key));
    *out_secret = (ax_str){secret, bytes.len - AX_SEAL_OVERHEAD_BYTES};
    return AX_OK;
}

/* ---- what an older version left ---- */

struct old {
    ax_str id, secret;
};

static ax_status
read_old(struct ax_store_tx *tx, struct ax_ctx *ctx, struct old out[OLD_AT_ONCE], size_t *out_count)
{
    struct ax_store_rows *rows;
    size_t count = 0;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, secret from webhooks where secret <> '' limit $1"),
                          AX_STORE_PARAMS(ax_store_i64(OLD_AT_ONCE)), &rows));
    while (count < OLD_AT_ONCE && ax_store_next(rows)) {
        out[count].id = ax_store_read_text(rows, 0);
        out[count++].secret = ax_store_read_text(rows, 1);
    }
    *out_count = count;
    return ax_store_finish(rows);
}

ax_status
ax_webhook_secret_seal_old(const struct ax_webhooks_config *config, struct ax_ctx *ctx)
{
    for (size_t count = OLD_AT_ONCE; count == OLD_AT_ONCE;) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        struct old old[OLD_AT_ONCE];
        AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
        AX_TRY(read_old(tx, ctx, old, &count));
        for (size_t i = 0; i < count; i++) {
            ax_str sealed;
            AX_TRY(ax_webhook_secret_seal(config, ctx, old[i].id, old[i].secret, &sealed));
            AX_TRY(ax_store_run(
                tx, ctx, AX_STR("update webhooks set sealed = $2, secret = '' where id = $1"),
                AX_STORE_PARAMS(ax_store_text(old[i].id), ax_store_text(sealed)), NULL));
        }
        AX_TRY(ax_store_commit(ax_take(tx), ctx));
    }
    return AX_OK;
}

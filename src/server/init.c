#include "server/init.h"

#include "auth/directory.h"
#include "server/adapters.h"
#include "server/services.h"

static ax_status
choose_origin(struct ax_ctx *ctx, struct ax_init *init)
{
    uint8_t random[6];
    ax_random_bytes(random, sizeof random);
    if (!init->origin.len)
        init->origin = ax_str_printf(ctx->arena, "axiom.local/%02x%02x%02x%02x%02x%02x", random[0],
                                     random[1], random[2], random[3], random[4], random[5]);
    return init->origin.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a name");
}

/* The first administrator, and the ledger's first facts: who that is. */
static ax_status
populate(struct ax_ctx *ctx, struct ax_init *init, struct ax_data_dir *dir)
{
    struct ax_services services = {.dir = *dir};
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_server_settings_defaults(&services.settings);
    AX_TRY(ax_server_settings_read(ctx, &services.settings, dir->settings));
    AX_TRY(ax_adapters_store(ctx, dir, &services.settings, false, &store));
    AX_TRY(ax_directory_make_first(store, ctx, init->admin, &init->token));
    ax_store_close(ax_take(store));
    AX_TRY(ax_data_dir_hold(ctx, &services.dir));
    AX_TRY(ax_services_open(ctx, &services)); /* hands the facts to the ledger, writes the plan */
    init->vkey = AX_STR("");
    ax_status status = services.store
                           ? AX_OK /* a server goes on without it; a new directory does not */
                           : ax_fail(ctx, AX_UNAVAILABLE, "%s", services.store_words);
    if (status == AX_OK)
        status = ax_str_copy(ctx->arena, ax_ledger_vkey(services.ledger), &init->vkey)
                     ? AX_OK
                     : ax_fail(ctx, AX_LIMIT, "no memory for a key");
    ax_services_close(&services);
    return status;
}

ax_status
ax_init(struct ax_ctx *ctx, struct ax_init *init)
{
    struct ax_data_dir dir;
    AX_TRY(choose_origin(ctx, init));
    AX_TRY(ax_data_dir_of(ctx, init->root, init->keys, &dir));
    AX_TRY(ax_data_dir_make(ctx, &dir, init->origin));
    init->keys = dir.keys;
    ax_status status =
        init->store_url.len ? ax_data_dir_set_store(ctx, &dir, init->store_url) : AX_OK;
    if (status == AX_OK)
        status = populate(ctx, init, &dir);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove_tree(ctx, dir.root), "nothing is left of what failed");
        ax_ignore(ax_file_remove_tree(ctx, dir.keys), "as above");
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

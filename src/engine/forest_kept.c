#include "engine/forest_kept.h"

enum { FRONT_BYTES = AX_FOREST_ROW_ALIGN };

/* Facts in as many bytes as keep the form behind them aligned. */
union front {
    struct ax_forest_kept_facts facts;
    char bytes[FRONT_BYTES];
};
static_assert(sizeof(union front) == FRONT_BYTES && AX_FORMS_ALIGN % FRONT_BYTES == 0);

static ax_digest
key_of(const struct ax_forms_of_model *of, ax_str what, const struct ax_forest_kept_wish *wish)
{
    return ax_forms_key(of, what, (ax_str){(const char *)wish, sizeof *wish});
}

static ax_digest
row_key(const struct ax_forms_of_model *of, const struct ax_forest_kept_wish *wish)
{
    return key_of(of, AX_STR("forest row"), wish);
}

static ax_digest
batch_key(const struct ax_forms_of_model *of, const struct ax_forest_kept_wish *wish)
{
    return key_of(of, AX_STR("forest batch"), wish);
}

const struct ax_forest_row *
ax_forest_kept_find_row(const struct ax_forms_of_model *of, struct ax_ctx *ctx,
                        const struct ax_forest_kept_wish *wish, struct ax_arena *arena,
                        struct ax_forest_kept_facts *out_facts)
{
    ax_str found = ax_forms_find(of->forms, ctx, row_key(of, wish), arena);
    if (found.len < FRONT_BYTES + sizeof(struct ax_forest_row))
        return NULL;
    memcpy(out_facts, found.at, sizeof *out_facts);
    const struct ax_forest_row *row = (const void *)(found.at + FRONT_BYTES);
    return row->bytes == found.len - FRONT_BYTES ? row : NULL;
}

void
ax_forest_kept_keep_row(const struct ax_forms_of_model *of, const struct ax_forest_kept_wish *wish,
                        const struct ax_forest_kept_facts *facts, const struct ax_forest_row *row)
{
    union front front = {};
    front.facts = *facts;
    const ax_str pieces[] = {{front.bytes, sizeof front}, {(const char *)row, row->bytes}};
    ax_forms_keep(of->forms, row_key(of, wish), pieces, AX_COUNT_OF(pieces));
}

const struct ax_forest_batch_form *
ax_forest_kept_find_batch(const struct ax_forms_of_model *of, struct ax_ctx *ctx,
                          const struct ax_forest_kept_wish *wish, struct ax_arena *arena)
{
    ax_str found = ax_forms_find(of->forms, ctx, batch_key(of, wish), arena);
    const struct ax_forest_batch_form *form = (const void *)found.at;
    return found.len >= sizeof *form && form->bytes == found.len ? form : NULL;
}

void
ax_forest_kept_keep_batch(const struct ax_forms_of_model *of,
                          const struct ax_forest_kept_wish *wish,
                          const struct ax_forest_batch_form *form)
{
    const ax_str piece = {(const char *)form, form->bytes};
    ax_forms_keep(of->forms, batch_key(of, wish), &piece, 1);
}

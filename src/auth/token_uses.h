/*
 * When tokens were last used: noted in memory by whoever is let in, written to the store now and
 * then by a job.
 *
 * A bounded table to the minute: a request costs a short lock and no write. What has no place, and
 * what was not written when the program ends, is lost: the column says "at least since".
 */
#pragma once

#include "store/store.h"

struct ax_token_uses;

ax_status ax_token_uses_open(struct ax_ctx *ctx, struct ax_token_uses **out_uses);
void ax_token_uses_close(struct ax_token_uses *uses);
AX_DEFINE_AUTO(struct ax_token_uses, ax_token_uses_close);

/* The token of that id was used now. Any thread; never waits for the store. */
void ax_token_uses_note(struct ax_token_uses *uses, ax_str id);

/* Writes what is not written yet. Fails: as the store; then it is tried again. */
ax_status ax_token_uses_flush(struct ax_token_uses *uses, struct ax_ctx *ctx,
                              struct ax_store *store);

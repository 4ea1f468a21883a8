/*
 * A key in a file of its own, outside what it seals: 64 hex digits and a line end, mode 0600.
 *
 * It is made when something is first sealed with it, so that a folder of keys needs no keys that
 * nobody uses. Two who make it at once end with one key. Who opens what was sealed never makes one:
 * another key could not open it.
 */
#pragma once

#include "sys/crypto.h"

/* Makes the key, and its folder, when absent. Fails: as read; LIMIT, DENIED, UNAVAILABLE. */
ax_status ax_crypto_key_file_need(struct ax_ctx *ctx, ax_str path, uint8_t out_key[AX_KEY_BYTES]);

/* Fails: NOT_FOUND; INVALID when it holds no key; DENIED, UNAVAILABLE. */
ax_status ax_crypto_key_file_read(struct ax_ctx *ctx, ax_str path, uint8_t out_key[AX_KEY_BYTES]);

/*
 * The tree built anew from leaves, compared tile by tile with what lies in the folder.
 *
 * A level holds at most 256 hashes; a full one is compared and becomes one hash of the level
 * above. So memory does not grow with the log.
 */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

struct ax_verify_tree;

struct ax_verify_tree *ax_verify_tree_new(struct ax_arena *arena, ax_str folder);
void ax_verify_tree_done(struct ax_verify_tree *tree); /* before its arena */

/* One leaf more; full tiles and bundles are compared. Fails: CORRUPT names the file and place. */
ax_status ax_verify_tree_push(struct ax_verify_tree *tree, struct ax_ctx *ctx, ax_str leaf,
                              bool compare);

/* The tiles that are not full at this size. */
ax_status ax_verify_tree_check_partials(struct ax_verify_tree *tree, struct ax_ctx *ctx);

ax_digest ax_verify_tree_root(const struct ax_verify_tree *tree);
uint64_t ax_verify_tree_size(const struct ax_verify_tree *tree);

ax_digest ax_verify_leaf_hash(ax_str leaf);
ax_digest ax_verify_node_hash(ax_digest left, ax_digest right);

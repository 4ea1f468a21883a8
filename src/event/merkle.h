/*
 * The tree of RFC 6962: hashes of leaves and nodes, the right edge of a growing tree, and the
 * checks of RFC 9162 that a leaf is in a tree and that one tree extends another.
 *
 * Pure arithmetic over hashes; where the hashes of a stored tree lie is tile.h's business.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "sys/crypto.h"

enum { AX_MERKLE_LEVELS_MAX = 64, AX_MERKLE_PROOF_MAX = 2 * AX_MERKLE_LEVELS_MAX };

/* The right edge: one hash for each bit set in size, the largest subtree first. A value. */
struct ax_merkle_range {
    uint64_t size;
    ax_digest edge[AX_MERKLE_LEVELS_MAX];
    int edge_count;
};

struct ax_merkle_proof {
    ax_digest *hashes;
    size_t count;
};

ax_digest ax_merkle_leaf(ax_str leaf);                     /* SHA-256(0x00 || leaf) */
ax_digest ax_merkle_node(ax_digest left, ax_digest right); /* SHA-256(0x01 || l || r) */
void ax_merkle_push(struct ax_merkle_range *range, ax_digest leaf_hash);
ax_digest ax_merkle_root(const struct ax_merkle_range *range); /* SHA-256("") when empty */

/* The leaf with this hash is number index of the tree with this size and root. */
[[nodiscard]] bool ax_merkle_check_inclusion(uint64_t index, uint64_t size, ax_digest leaf_hash,
                                             ax_digest root, struct ax_merkle_proof proof);

struct ax_merkle_head {
    uint64_t size;
    ax_digest root;
};

/* The newer tree begins with all leaves of the older one. An older size of 0 is refused. */
[[nodiscard]] bool ax_merkle_check_consistency(struct ax_merkle_head older,
                                               struct ax_merkle_head newer,
                                               struct ax_merkle_proof proof);

[[nodiscard]] bool ax_merkle_check_subtree_inclusion(uint64_t index, uint64_t start, uint64_t end,
                                                     ax_digest leaf_hash, ax_digest root,
                                                     struct ax_merkle_proof proof);

/* newer begins with the leaves over which older's root was built: [start, older.size). */
[[nodiscard]] bool ax_merkle_check_subtree_consistency(uint64_t start, struct ax_merkle_head older,
                                                       struct ax_merkle_head newer,
                                                       struct ax_merkle_proof proof);

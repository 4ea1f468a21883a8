#include "event/merkle.h"

#include "base/assert.h"

ax_digest
ax_merkle_leaf(ax_str leaf)
{
    return ax_sha256_of((const ax_str[]){AX_STR("\0"), leaf}, 2);
}

ax_digest
ax_merkle_node(ax_digest left, ax_digest right)
{
    char bytes[1 + 2 * sizeof left.bytes];
    bytes[0] = 1;
    memcpy(bytes + 1, left.bytes, sizeof left.bytes);
    memcpy(bytes + 1 + sizeof left.bytes, right.bytes, sizeof right.bytes);
    return ax_sha256((ax_str){bytes, sizeof bytes});
}

void
ax_merkle_push(struct ax_merkle_range *range, ax_digest leaf_hash)
{
    AX_ASSERT(range->size < UINT64_MAX);
    ax_digest hash = leaf_hash;
    for (uint64_t size = range->size; size & 1; size >>= 1)
        hash = ax_merkle_node(range->edge[--range->edge_count], hash);
    range->edge[range->edge_count++] = hash;
    range->size++;
}

ax_digest
ax_merkle_root(const struct ax_merkle_range *range)
{
    if (range->edge_count == 0)
        return ax_sha256(AX_STR(""));
    ax_digest root = range->edge[range->edge_count - 1];
    for (int i = range->edge_count - 2; i >= 0; i--)
        root = ax_merkle_node(range->edge[i], root);
    return root;
}

/* RFC 9162 section 2.1.3.2. */
bool
ax_merkle_check_inclusion(uint64_t index, uint64_t size, ax_digest leaf_hash, ax_digest root,
                          struct ax_merkle_proof proof)
{
    if (index >= size || proof.count > AX_MERKLE_PROOF_MAX)
        return false;
    uint64_t at = index, last = size - 1;
    ax_digest hash = leaf_hash;
    for (size_t i = 0; i < proof.count; i++) {
        if (last == 0)
            return false;
        if (at & 1 || at == last) {
            hash = ax_merkle_node(proof.hashes[i], hash);
            while (!(at & 1) && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = ax_merkle_node(hash, proof.hashes[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && ax_digest_eq(hash, root);
}

bool
ax_merkle_check_consistency(struct ax_merkle_head older, struct ax_merkle_head newer,
                            struct ax_merkle_proof proof)
{
    return older.size > 0 && ax_merkle_check_subtree_consistency(0, older, newer, proof);
}

/* Of leaves [start, end): start is a multiple of the power of two that holds it. */
static bool
is_subtree(uint64_t start, uint64_t end)
{
    if (start >= end)
        return false;
    uint64_t width = 1;
    while (width < end - start && width <= UINT64_MAX / 2)
        width *= 2;
    return start == 0 || (width >= end - start && start % width == 0);
}

bool
ax_merkle_check_subtree_inclusion(uint64_t index, uint64_t start, uint64_t end, ax_digest leaf_hash,
                                  ax_digest root, struct ax_merkle_proof proof)
{
    return is_subtree(start, end) && index >= start &&
           ax_merkle_check_inclusion(index - start, end - start, leaf_hash, root, proof);
}

struct path { /* where the walk up from the older tree's last leaf stands, at one level */
    uint64_t first, last, top;
};

static void
path_up(struct path *path)
{
    path->first >>= 1;
    path->last >>= 1;
    path->top >>= 1;
}

/* Both hashes as they stand after one hash of the proof. false when there are too many. */
static bool
take_hash(struct path *path, ax_digest hash, ax_digest *old_hash, ax_digest *new_hash)
{
    if (path->top == 0)
        return false;
    if (path->last & 1 || path->last == path->top) {
        if (path->first < path->last)
            *old_hash = ax_merkle_node(hash, *old_hash);
        *new_hash = ax_merkle_node(hash, *new_hash);
        while (!(path->last & 1) && path->last != 0)
            path_up(path);
    } else {
        *new_hash = ax_merkle_node(*new_hash, hash);
    }
    path_up(path);
    return true;
}

/* Whether the subtree and the proof are such as a tree of size newer_size can have. */
static bool
subtree_possible(uint64_t start, uint64_t older_size, uint64_t newer_size, size_t proof_count)
{
    return is_subtree(start, older_size) && older_size <= newer_size &&
           proof_count <= AX_MERKLE_PROOF_MAX;
}

/* RFC 9162 section 2.1.4.2, for any start: draft-ietf-plants-merkle-tree-certs section 4.4. */
bool
ax_merkle_check_subtree_consistency(uint64_t start, struct ax_merkle_head older,
                                    struct ax_merkle_head newer, struct ax_merkle_proof proof)
{
    if (start == older.size && older.size <= newer.size) /* no leaves: of every tree a part */
        return proof.count == 0 && ax_digest_eq(older.root, ax_sha256(AX_STR("")));
    if (!subtree_possible(start, older.size, newer.size, proof.count))
        return false;
    struct path path = {start, older.size - 1, newer.size - 1};
    bool whole = path.last == path.top;
    while (path.first != path.last && (whole || path.last & 1))
        path_up(&path);

    size_t next = 0;
    ax_digest old_hash = older.root, new_hash = older.root;
    if (path.first != path.last) {
        if (proof.count == 0)
            return false;
        old_hash = new_hash = proof.hashes[next++];
    }
    for (; next < proof.count; next++)
        if (!take_hash(&path, proof.hashes[next], &old_hash, &new_hash))
            return false;
    return path.top == 0 && ax_digest_eq(old_hash, older.root) &&
           ax_digest_eq(new_hash, newer.root);
}

/* What the verifier reads in a leaf: the chain of its producer, and its payload's digest. */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

struct ax_verify_leaf {
    ax_str producer; /* borrowed */
    uint64_t sequence;
    ax_digest previous;    /* zeros when it is the producer's first */
    ax_digest payload_ref; /* zeros when there is no payload */
    uint64_t payload_bytes;
};

/* Deterministic CBOR, a map with ascending integer keys. false when it is not. */
[[nodiscard]] bool ax_verify_leaf_read(ax_str bytes, struct ax_verify_leaf *out_leaf);

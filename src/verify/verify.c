#include "verify/verify.h"

#include "base/map.h"
#include "base/number.h"
#include "sys/file.h"
#include "verify/verify_leaf.h"
#include "verify/verify_note.h"
#include "verify/verify_segment.h"
#include "verify/verify_tree.h"

enum { NOTE_BYTES_MAX = 64 << 10, HISTORY_BYTES_MAX = 1 << 30, PROOF_MAX = 64 };

/* Where a producer's chain stands. */
struct producer {
    uint64_t sequence;
    ax_digest last;
};

struct verifying {
    struct ax_ctx *ctx;
    ax_str folder;
    struct ax_verify_key key;
    struct ax_verify_report *report;
    struct ax_verify_tree *tree;
    struct ax_map *producers;
    struct ax_verify_head *heads; /* that must hold, by size */
    size_t head_count, head_next;
    bool partials_checked;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory to verify");
}

/* ---- checkpoints ---- */

static ax_status
add_head(struct verifying *verifying, struct ax_verify_head head)
{
    size_t at = verifying->head_count;
    while (at > 0 && verifying->heads[at - 1].size > head.size) {
        verifying->heads[at] = verifying->heads[at - 1];
        at--;
    }
    verifying->heads[at] = head;
    verifying->head_count++;
    return AX_OK;
}

/* "bytes\n" and a note, one after another; a torn one at the end is passed over. */
static ax_status
read_history(struct verifying *verifying, ax_str history)
{
    struct ax_ctx *ctx = verifying->ctx;
    for (size_t count = 0; history.len > 0; count++) {
        struct ax_verify_head head;
        uint64_t bytes;
        ax_str rest = history, line;
        if (!ax_str_cut(&rest, '\n', &line) || !rest.at || !ax_parse_u64(line, &bytes) ||
            bytes > rest.len)
            return AX_OK;
        ax_status status =
            ax_verify_note(ctx, &verifying->key, (ax_str){rest.at, (size_t)bytes}, &head);
        if (status != AX_OK)
            return ax_explain(ctx, status, "%.*s/checkpoints: number %zu",
                              AX_FMT(verifying->folder), count);
        AX_TRY(add_head(verifying, head));
        history = ax_str_from(rest, (size_t)bytes);
    }
    return AX_OK;
}

static size_t
notes_in(ax_str history)
{
    size_t count = 2; /* and the newest, and the given one */
    for (size_t i = 0; i + 1 < history.len; i++)
        count += history.at[i] == '\n' && history.at[i + 1] == '\n';
    return count;
}

static ax_status
read_checkpoints(struct verifying *verifying, ax_str since)
{
    struct ax_ctx *ctx = verifying->ctx;
    struct ax_verify_head head;
    ax_str path = ax_path_join(ctx->arena, verifying->folder, AX_STR("checkpoint"));
    ax_str history_path = ax_path_join(ctx->arena, verifying->folder, AX_STR("checkpoints"));
    ax_str note, history = AX_STR("");
    if (!path.at || !history_path.at)
        return no_memory(ctx);
    ax_status status = ax_file_read_all(ctx, path, NOTE_BYTES_MAX, &note);
    if (status == AX_NOT_FOUND)
        return ax_fail(ctx, AX_CORRUPT, "%.*s is missing", AX_FMT(path));
    AX_TRY(status);
    if (ax_file_exists(history_path))
        AX_TRY(ax_file_read_all(ctx, history_path, HISTORY_BYTES_MAX, &history));
    verifying->heads = AX_NEW_ARRAY(ctx->arena, struct ax_verify_head, notes_in(history) + 2);
    if (!verifying->heads)
        return no_memory(ctx);
    status = ax_verify_note(ctx, &verifying->key, note, &head);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(path));
    verifying->report->signed_size = head.size;
    AX_TRY(add_head(verifying, head));
    AX_TRY(read_history(verifying, history));
    if (!since.len)
        return AX_OK;
    status = ax_verify_note(ctx, &verifying->key, since, &head);
    if (status != AX_OK)
        return ax_explain(ctx, AX_INVALID, "the checkpoint that was given");
    if (head.size > verifying->report->signed_size)
        return ax_fail(ctx, AX_CORRUPT,
                       "the log was rolled back: it is signed up to %llu leaves, the given "
                       "checkpoint is over %llu",
                       (unsigned long long)verifying->report->signed_size,
                       (unsigned long long)head.size);
    return add_head(verifying, head);
}

/* Checkpoints over as many leaves as there are by now. */
static ax_status
check_heads(struct verifying *verifying)
{
    uint64_t size = ax_verify_tree_size(verifying->tree);
    while (verifying->head_next < verifying->head_count &&
           verifying->heads[verifying->head_next].size == size) {
        ax_digest root = ax_verify_tree_root(verifying->tree);
        if (!ax_digest_eq(root, verifying->heads[verifying->head_next].root))
            return ax_fail(verifying->ctx, AX_CORRUPT,
                           "the log was rewritten: its first %llu leaves have another root than "
                           "the signed checkpoint over them",
                           (unsigned long long)size);
        verifying->head_next++;
        verifying->report->checkpoints++;
    }
    if (size == verifying->report->signed_size && !verifying->partials_checked) {
        verifying->partials_checked = true;
        return ax_verify_tree_check_partials(verifying->tree, verifying->ctx);
    }
    return AX_OK;
}

/* ---- leaves ---- */

static ax_status
check_chain(struct verifying *verifying, uint64_t index, const struct ax_verify_leaf *leaf,
            ax_digest hash)
{
    struct ax_ctx *ctx = verifying->ctx;
    struct producer *producer = ax_map_find(verifying->producers, leaf->producer);
    if (!producer) {
        ax_str name;
        producer = AX_NEW(ctx->arena, struct producer);
        if (!producer || !ax_str_copy(ctx->arena, leaf->producer, &name) ||
            !ax_map_put(verifying->producers, name, producer))
            return no_memory(ctx);
        verifying->report->producers++;
    }
    if (leaf->sequence != producer->sequence + 1)
        return ax_fail(ctx, AX_CORRUPT,
                       "leaf %llu is number %llu of producer %.*s; number %llu is expected",
                       (unsigned long long)index, (unsigned long long)leaf->sequence,
                       AX_FMT(leaf->producer), (unsigned long long)producer->sequence + 1);
    if (!ax_digest_eq(leaf->previous, producer->last))
        return ax_fail(ctx, AX_CORRUPT,
                       "leaf %llu does not follow the leaf before it of producer %.*s",
                       (unsigned long long)index, AX_FMT(leaf->producer));
    producer->sequence = leaf->sequence;
    producer->last = hash;
    return AX_OK;
}

static ax_status
check_payload(struct verifying *verifying, uint64_t index, const struct ax_verify_leaf *leaf,
              const struct ax_verify_record *record)
{
    struct ax_ctx *ctx = verifying->ctx;
    if (record->erased) {
        verifying->report->erased++;
        return AX_OK;
    }
    if (leaf->payload_bytes != record->payload.len)
        return ax_fail(ctx, AX_CORRUPT, "leaf %llu speaks of %llu payload bytes; there are %zu",
                       (unsigned long long)index, (unsigned long long)leaf->payload_bytes,
                       record->payload.len);
    if (leaf->payload_bytes == 0)
        return AX_OK;
    if (!ax_digest_eq(ax_sha256(record->payload), leaf->payload_ref))
        return ax_fail(ctx, AX_CORRUPT, "the sealed payload of leaf %llu was changed",
                       (unsigned long long)index);
    verifying->report->payloads++;
    return AX_OK;
}

static ax_status
on_record(void *arg, struct ax_ctx *ctx, uint64_t index, const struct ax_verify_record *record)
{
    struct verifying *verifying = arg;
    struct ax_verify_leaf leaf;
    if (!ax_verify_leaf_read(record->leaf, &leaf))
        return ax_fail(ctx, AX_CORRUPT, "leaf %llu is no canonical record",
                       (unsigned long long)index);
    AX_TRY(check_chain(verifying, index, &leaf, ax_verify_leaf_hash(record->leaf)));
    AX_TRY(check_payload(verifying, index, &leaf, record));
    AX_TRY(ax_verify_tree_push(verifying->tree, ctx, record->leaf,
                               index < verifying->report->signed_size));
    return check_heads(verifying);
}

static ax_status
on_batch(void *arg, struct ax_ctx *ctx, const uint8_t mark[32])
{
    struct verifying *verifying = arg;
    ax_digest root = ax_verify_tree_root(verifying->tree);
    if (memcmp(root.bytes, mark, sizeof root.bytes) != 0)
        return ax_fail(ctx, AX_CORRUPT, "the batch that ends at leaf %llu notes another root",
                       (unsigned long long)ax_verify_tree_size(verifying->tree));
    return AX_OK;
}

/* ---- the whole ---- */

static ax_status
verify(struct verifying *verifying, ax_str since)
{
    struct ax_ctx *ctx = verifying->ctx;
    const struct ax_verify_visitor visitor = {
        .record = on_record, .batch = on_batch, .arg = verifying};
    AX_TRY(read_checkpoints(verifying, since));
    AX_TRY(check_heads(verifying)); /* of the empty log */
    AX_TRY(ax_verify_segments(ctx, verifying->folder, verifying->report->signed_size, &visitor,
                              &verifying->report->torn_bytes));
    verifying->report->size = ax_verify_tree_size(verifying->tree);
    verifying->report->root = ax_verify_tree_root(verifying->tree);
    if (verifying->head_next < verifying->head_count)
        return ax_fail(ctx, AX_CORRUPT,
                       "the log was rolled back: it holds %llu leaves, a signed checkpoint is over "
                       "%llu",
                       (unsigned long long)verifying->report->size,
                       (unsigned long long)verifying->heads[verifying->head_next].size);
    return AX_OK;
}

ax_status
ax_verify_log(struct ax_ctx *ctx, ax_str folder, ax_str vkey, ax_str since,
              struct ax_verify_report *out_report)
{
    struct verifying verifying = {.ctx = ctx, .folder = folder, .report = out_report};
    ax_str inside = ax_path_join(ctx->arena, folder, AX_STR("ledger/checkpoint"));
    *out_report = (struct ax_verify_report){};
    if (!inside.at)
        return no_memory(ctx);
    if (ax_file_exists(inside))
        verifying.folder = (ax_str){inside.at, inside.len - strlen("/checkpoint")};
    else if (!ax_file_exists(folder))
        return ax_fail(ctx, AX_NOT_FOUND, "%.*s is not there", AX_FMT(folder));
    AX_TRY(ax_verify_key_parse(ctx, vkey, &verifying.key));
    verifying.tree = ax_verify_tree_new(ctx->arena, verifying.folder);
    verifying.producers = ax_map_new(ctx->arena);
    if (!verifying.tree || !verifying.producers)
        return no_memory(ctx);
    ax_status status = verify(&verifying, since);
    ax_verify_tree_done(verifying.tree);
    return status;
}

/* ---- proofs ---- */

static bool
included(uint64_t index, uint64_t size, ax_digest leaf_hash, ax_digest root,
         const ax_digest *hashes, size_t count)
{
    uint64_t fn = index, sn = size - 1;
    ax_digest hash = leaf_hash;
    if (index >= size)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            hash = ax_verify_node_hash(hashes[i], hash);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hash = ax_verify_node_hash(hash, hashes[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && ax_digest_eq(hash, root);
}

/* The head of a .tlog-proof: what it is, perhaps something extra, the leaf's index. */
static ax_status
read_proof_head(struct ax_ctx *ctx, ax_str *rest, uint64_t *out_index)
{
    ax_str line;
    if (!ax_str_cut(rest, '\n', &line) || !ax_str_eq(line, AX_STR("c2sp.org/tlog-proof@v1")))
        return ax_fail(ctx, AX_INVALID, "no tlog-proof: c2sp.org/tlog-proof@v1 is expected first");
    while (rest->at && ax_str_cut(rest, '\n', &line))
        if (!ax_str_starts(line, AX_STR("extra ")))
            break;
    if (!ax_str_starts(line, AX_STR("index ")) || !ax_parse_u64(ax_str_from(line, 6), out_index))
        return ax_fail(ctx, AX_INVALID, "tlog-proof: `index N` is expected");
    return AX_OK;
}

/* Its hashes; what is left is the checkpoint. */
static ax_status
read_proof(struct ax_ctx *ctx, ax_str *rest, uint64_t *out_index, ax_digest hashes[PROOF_MAX],
           size_t *out_count)
{
    ax_str line;
    *out_count = 0;
    AX_TRY(read_proof_head(ctx, rest, out_index));
    while (rest->at && ax_str_cut(rest, '\n', &line) && line.len > 0)
        if (*out_count == PROOF_MAX || !ax_verify_base64(line, hashes[(*out_count)++].bytes, 32))
            return ax_fail(ctx, AX_INVALID, "tlog-proof: hash %zu is no hash", *out_count);
    return rest->at ? AX_OK : ax_fail(ctx, AX_INVALID, "tlog-proof: it ends before the checkpoint");
}

ax_status
ax_verify_proof(struct ax_ctx *ctx, ax_str file, ax_digest leaf_hash, ax_str vkey,
                uint64_t *out_index, uint64_t *out_size)
{
    struct ax_verify_key key;
    struct ax_verify_head head;
    ax_digest hashes[PROOF_MAX];
    size_t count;
    ax_str rest = file;
    AX_TRY(ax_verify_key_parse(ctx, vkey, &key));
    AX_TRY(read_proof(ctx, &rest, out_index, hashes, &count));
    AX_TRY(ax_verify_note(ctx, &key, rest, &head));
    *out_size = head.size;
    if (!included(*out_index, head.size, leaf_hash, head.root, hashes, count))
        return ax_fail(ctx, AX_CORRUPT, "the leaf is not number %llu of the signed log",
                       (unsigned long long)*out_index);
    return AX_OK;
}

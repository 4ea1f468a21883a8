#include "event/merkle.h"

#include "codec/json.h"
#include "codec/text.h"
#include "harness.h"
#include "sys/file.h"

/* The hash constants of RFC 6962 as its reference implementation has them. */
TEST(merkle_hashes_as_rfc_6962_says)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    struct ax_merkle_range empty = {};
    CHECK_STR(ax_digest_hex(ax_merkle_root(&empty), hex),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_STR(ax_digest_hex(ax_merkle_leaf(AX_STR("")), hex),
              "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    CHECK_STR(ax_digest_hex(ax_merkle_leaf(AX_STR("L123456")), hex),
              "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
}

static ax_digest
digest_of(struct ax_ctx *ctx, const struct ax_json *json)
{
    ax_digest digest = {};
    ax_str text = {}, raw = {};
    if (!ax_json_text(json, &text) || ax_base64_decode(ctx, text, &raw) != AX_OK)
        return digest;
    if (raw.len != sizeof digest.bytes)
        return ax_sha256(raw); /* some roots are words that nobody should look at */
    memcpy(digest.bytes, raw.at, raw.len);
    return digest;
}

static uint64_t
number_of(const struct ax_json *json, const char *key)
{
    uint64_t number = 0;
    CHECK(ax_json_u64(ax_json_find(json, key), &number));
    return number;
}

static struct ax_merkle_proof
proof_of(struct ax_ctx *ctx, const struct ax_json *json)
{
    const struct ax_json *list = ax_json_find(json, "proof");
    struct ax_merkle_proof proof = {
        .hashes = AX_NEW_ARRAY(ctx->arena, ax_digest, ax_json_count(list) + 1)};
    struct ax_json_iter it = ax_json_iter_of(list);
    while (proof.hashes && ax_json_next(&it))
        proof.hashes[proof.count++] = digest_of(ctx, it.value);
    return proof;
}

/* A hash of another length is no hash: such a case must fail, and does before it is asked. */
static bool
well_formed(struct ax_ctx *ctx, const struct ax_json *json)
{
    static const char *const keys[] = {"root", "leafHash"};
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "proof"));
    ax_str text = {}, raw = {};
    for (size_t i = 0; i < AX_COUNT_OF(keys); i++)
        if (ax_json_text(ax_json_find(json, keys[i]), &text) &&
            (ax_base64_decode(ctx, text, &raw) != AX_OK || raw.len != 32))
            return false;
    while (ax_json_next(&it))
        if (!ax_json_text(it.value, &text) || ax_base64_decode(ctx, text, &raw) != AX_OK ||
            raw.len != 32)
            return false;
    return true;
}

typedef bool check_fn(struct ax_ctx *ctx, const struct ax_json *json);

static bool
inclusion(struct ax_ctx *ctx, const struct ax_json *json)
{
    return ax_merkle_check_inclusion(number_of(json, "leafIdx"), number_of(json, "treeSize"),
                                     digest_of(ctx, ax_json_find(json, "leafHash")),
                                     digest_of(ctx, ax_json_find(json, "root")),
                                     proof_of(ctx, json));
}

static bool
consistency(struct ax_ctx *ctx, const struct ax_json *json)
{
    const struct ax_merkle_head older = {number_of(json, "size1"),
                                         digest_of(ctx, ax_json_find(json, "root1"))};
    const struct ax_merkle_head newer = {number_of(json, "size2"),
                                         digest_of(ctx, ax_json_find(json, "root2"))};
    return ax_merkle_check_consistency(older, newer, proof_of(ctx, json));
}

static bool
subtree_inclusion(struct ax_ctx *ctx, const struct ax_json *json)
{
    return ax_merkle_check_subtree_inclusion(
        number_of(json, "leafIdx"), number_of(json, "start"), number_of(json, "end"),
        digest_of(ctx, ax_json_find(json, "leafHash")), digest_of(ctx, ax_json_find(json, "root")),
        proof_of(ctx, json));
}

static bool
subtree_consistency(struct ax_ctx *ctx, const struct ax_json *json)
{
    const struct ax_merkle_head older = {number_of(json, "end"),
                                         digest_of(ctx, ax_json_find(json, "root1"))};
    const struct ax_merkle_head newer = {number_of(json, "size"),
                                         digest_of(ctx, ax_json_find(json, "root2"))};
    return ax_merkle_check_subtree_consistency(number_of(json, "start"), older, newer,
                                               proof_of(ctx, json));
}

static void
judge(const char *path, ax_str line, check_fn *check)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_json *json = NULL;
    bool fails = false;
    CHECK_EQ(ax_json_parse(&ctx, line, NULL, &json), AX_OK);
    CHECK(ax_json_bool(ax_json_find(json, "wantErr"), &fails));
    bool holds = well_formed(&ctx, json) && check(&ctx, json);
    if (holds == fails)
        ax_test_failed(__FILE__, __LINE__, "%s: %.*s", path, AX_FMT(line));
}

static void
vectors(struct ax_ctx *ctx, const char *path, size_t expected, check_fn *check)
{
    ax_str text = {}, line;
    size_t count = 0;
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(path), 1 << 20, &text), AX_OK);
    for (; text.len && ax_str_cut(&text, '\n', &line) && line.len; count++)
        judge(path, line, check);
    CHECK_EQ(count, expected);
}

static void
published(struct ax_ctx *ctx)
{
    vectors(ctx, "tests/golden/ledger/inclusion.jsonl", 98, inclusion);
    vectors(ctx, "tests/golden/ledger/consistency.jsonl", 98, consistency);
    vectors(ctx, "tests/golden/ledger/subtreeinclusion.jsonl", 204, subtree_inclusion);
    vectors(ctx, "tests/golden/ledger/subtreeconsistency.jsonl", 118, subtree_consistency);
}

TEST(merkle_proofs_hold_or_fail_as_published)
{
    ax_test_with_ctx(published);
}

/* The right edge gives the root that building the whole tree gives. */
static ax_digest
whole_root(const ax_digest *leaves, size_t count)
{
    if (count == 1)
        return leaves[0];
    size_t left = 1;
    while (left * 2 < count)
        left *= 2;
    return ax_merkle_node(whole_root(leaves, left), whole_root(leaves + left, count - left));
}

TEST(merkle_range_grows_to_the_root_of_the_whole_tree)
{
    ax_digest leaves[70];
    struct ax_merkle_range range = {};
    for (size_t i = 0; i < AX_COUNT_OF(leaves); i++) {
        char text[16];
        snprintf(text, sizeof text, "leaf %zu", i);
        leaves[i] = ax_merkle_leaf(ax_str_of(text));
        ax_merkle_push(&range, leaves[i]);
        CHECK(ax_digest_eq(ax_merkle_root(&range), whole_root(leaves, i + 1)));
    }
}

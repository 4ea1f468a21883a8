#include "verify/verify.h"

#include <stdlib.h>

#include "codec/text.h"
#include "harness.h"
#include "sys/file.h"

/* A ledger of 120 leaves that axiom wrote: approvals, nine decisions, one of them erased. */
#define GOLDEN "tests/golden/ledger/small"

static char folder[64];

static ax_str
text_of(struct ax_ctx *ctx, const char *name)
{
    ax_str bytes = {"", 0};
    ax_str path = ax_str_printf(ctx->arena, GOLDEN "/%s", name);
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &bytes), AX_OK);
    return bytes;
}

static ax_status
verify(ax_str vkey, ax_str since, struct ax_verify_report *out, char error[AX_ERROR_BYTES_MAX])
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(128 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_status status = ax_verify_log(&ctx, ax_str_of(folder), ax_str_trim(vkey), since, out);
    memcpy(error, ctx.error, AX_ERROR_BYTES_MAX);
    return status;
}

static const char *const files[] = {"checkpoint", "checkpoints", "log/0000000000000000",
                                    "tile/0/000.p/120", "tile/entries/000.p/120"};

/* A copy that may be spoiled. */
static void
copy_golden(struct ax_ctx *ctx)
{
    static const char *const folders[] = {"log", "tile/0/000.p", "tile/entries/000.p"};
    snprintf(folder, sizeof folder, "/tmp/axiom-verify-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < AX_COUNT_OF(folders); i++)
        CHECK_EQ(ax_file_make_folders(ctx, ax_str_printf(ctx->arena, "%s/%s", folder, folders[i])),
                 AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(files); i++) {
        ax_str name = ax_str_printf(ctx->arena, "ledger/%s", files[i]);
        CHECK_EQ(ax_file_write_atomic(ctx, ax_str_printf(ctx->arena, "%s/%s", folder, files[i]),
                                      text_of(ctx, name.at)),
                 AX_OK);
    }
}

static void
with_golden(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    copy_golden(&ctx);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static void
holds(struct ax_ctx *ctx)
{
    struct ax_verify_report report;
    char error[AX_ERROR_BYTES_MAX];
    ax_str vkey = text_of(ctx, "ledger.vkey");
    CHECK_EQ(verify(vkey, AX_STR(""), &report, error), AX_OK);
    CHECK_EQ(report.size, 120);
    CHECK_EQ(report.signed_size, 120);
    CHECK_EQ(report.payloads, 8);
    CHECK_EQ(report.erased, 1);
    CHECK_EQ(report.producers, 5);
    CHECK_EQ(report.torn_bytes, 0);
    CHECK_EQ(verify(vkey, text_of(ctx, "kept.txt"), &report, error), AX_OK);
    CHECK_EQ(verify(vkey, text_of(ctx, "newest.txt"), &report, error), AX_OK);
}

TEST(verify_says_that_a_real_ledger_holds)
{
    with_golden(holds);
}

/* One bit anywhere in what is signed, hashed or checked: found, with a sentence. */
static void
flipped(struct ax_ctx *ctx)
{
    static const size_t strides[] = {1, 0, 61, 17, 61}; /* the history's lengths are not signed */
    ax_str vkey = text_of(ctx, "ledger.vkey");
    for (size_t f = 0; f < AX_COUNT_OF(files); f++) {
        ax_str name = ax_str_printf(ctx->arena, "ledger/%s", files[f]);
        ax_str path = ax_str_printf(ctx->arena, "%s/%s", folder, files[f]);
        ax_str good = text_of(ctx, name.at);
        char *bent = ax_arena_alloc(ctx->arena, 1, good.len + 1);
        for (size_t at = 0; bent && strides[f] && at < good.len; at += strides[f]) {
            struct ax_verify_report report;
            char error[AX_ERROR_BYTES_MAX];
            ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(1 << 20);
            struct ax_ctx inner = ax_ctx_of(scratch);
            memcpy(bent, good.at, good.len);
            bent[at] ^= 1;
            CHECK_EQ(ax_file_write_atomic(&inner, path, (ax_str){bent, good.len}), AX_OK);
            if (verify(vkey, AX_STR(""), &report, error) == AX_OK || !error[0])
                ax_test_failed(__FILE__, __LINE__, "%s, byte %zu: not found", files[f], at);
        }
        CHECK_EQ(ax_file_write_atomic(ctx, path, good), AX_OK);
    }
}

TEST(r97_verify_finds_a_flipped_bit_wherever_it_is)
{
    with_golden(flipped);
}

static void
cut(struct ax_ctx *ctx)
{
    ax_str vkey = text_of(ctx, "ledger.vkey"), good = text_of(ctx, "ledger/log/0000000000000000");
    ax_str path = ax_str_printf(ctx->arena, "%s/log/0000000000000000", folder);
    for (size_t len = 0; len < good.len; len += 997) {
        struct ax_verify_report report;
        char error[AX_ERROR_BYTES_MAX];
        CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){good.at, len}), AX_OK);
        CHECK_EQ(verify(vkey, AX_STR(""), &report, error), AX_CORRUPT);
    }
    CHECK_EQ(ax_file_write_atomic(ctx, path, good), AX_OK);
}

TEST(r97_verify_finds_a_log_that_was_cut)
{
    with_golden(cut);
}

/* ---- a forger who has the key ---- */

struct forger {
    uint8_t seed[32], public_key[32], hash[4];
    ax_str vkey;
};

static void
forger_init(struct ax_ctx *ctx, ax_str name, struct forger *out)
{
    char raw[33] = {1};
    memset(out->seed, 7, sizeof out->seed);
    ax_ed25519_public(out->seed, out->public_key);
    memcpy(raw + 1, out->public_key, 32);
    const ax_str pieces[] = {name, AX_STR("\n"), {raw, sizeof raw}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    memcpy(out->hash, digest.bytes, 4);
    ax_writer_auto struct ax_writer text = ax_writer_of(1024);
    ax_writer_print(&text, "%.*s+%02x%02x%02x%02x+", AX_FMT(name), out->hash[0], out->hash[1],
                    out->hash[2], out->hash[3]);
    ax_base64_encode((ax_str){raw, sizeof raw}, &text);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &out->vkey), AX_OK);
}

/* The text of a note, with some size and root instead of its own, signed by the forger. */
static ax_str
forge(struct ax_ctx *ctx, const struct forger *forger, ax_str name, uint64_t size, ax_digest root)
{
    char raw[4 + AX_SIGNATURE_BYTES];
    ax_str note = {};
    ax_writer_auto struct ax_writer text = ax_writer_of(4096);
    ax_writer_print(&text, "%.*s\n%" PRIu64 "\n", AX_FMT(name), size);
    ax_base64_encode((ax_str){(const char *)root.bytes, 32}, &text);
    ax_writer_char(&text, '\n');
    memcpy(raw, forger->hash, 4);
    ax_ed25519_sign(forger->seed, ax_writer_str(&text), (uint8_t *)raw + 4);
    ax_writer_print(&text, "\n\xe2\x80\x94 %.*s ", AX_FMT(name));
    ax_base64_encode((ax_str){raw, sizeof raw}, &text);
    ax_writer_char(&text, '\n');
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &note), AX_OK);
    return note;
}

static void
forged(struct ax_ctx *ctx)
{
    struct ax_verify_report report;
    struct forger forger;
    char error[AX_ERROR_BYTES_MAX];
    ax_str vkey = text_of(ctx, "ledger.vkey"), rest = vkey, name = {};
    ax_digest other = {.bytes = {1, 2, 3}};
    CHECK(ax_str_cut(&rest, '+', &name));
    CHECK_EQ(verify(vkey, AX_STR(""), &report, error), AX_OK);
    forger_init(ctx, name, &forger);
    ax_str path = ax_str_printf(ctx->arena, "%s/checkpoint", folder);
    CHECK_EQ(ax_file_remove(ctx, ax_str_printf(ctx->arena, "%s/checkpoints", folder)), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, path, forge(ctx, &forger, name, 120, report.root)), AX_OK);
    CHECK_EQ(verify(vkey, AX_STR(""), &report, error), AX_CORRUPT); /* another key's */
    CHECK_EQ(verify(forger.vkey, AX_STR(""), &report, error), AX_OK);
    CHECK_EQ(verify(forger.vkey, forge(ctx, &forger, name, 130, other), &report, error),
             AX_CORRUPT);
    CHECK(strstr(error, "rolled back") != NULL);
    CHECK_EQ(verify(forger.vkey, forge(ctx, &forger, name, 100, other), &report, error),
             AX_CORRUPT);
    CHECK(strstr(error, "rewritten") != NULL);
    CHECK_EQ(verify(forger.vkey, AX_STR("no note"), &report, error), AX_INVALID);
    CHECK_EQ(ax_file_write_atomic(ctx, path, forge(ctx, &forger, name, 130, other)), AX_OK);
    CHECK_EQ(verify(forger.vkey, AX_STR(""), &report, error), AX_CORRUPT);
}

TEST(verify_finds_what_was_rolled_back_or_rewritten_and_signed_anew)
{
    with_golden(forged);
}

static void
proof(struct ax_ctx *ctx)
{
    uint64_t index = 0, size = 0;
    ax_digest leaf = {}, other = {.bytes = {9}};
    ax_str vkey = ax_str_trim(text_of(ctx, "ledger.vkey"));
    ax_str file = text_of(ctx, "decision.tlog-proof");
    CHECK(ax_digest_parse(ax_str_trim(text_of(ctx, "leaf_hash.txt")), &leaf));
    CHECK_EQ(ax_verify_proof(ctx, file, leaf, vkey, &index, &size), AX_OK);
    CHECK(index < size);
    CHECK_EQ(ax_verify_proof(ctx, file, other, vkey, &index, &size), AX_CORRUPT);
    for (size_t at = 0; at < file.len; at++) {
        char bent[4096];
        memcpy(bent, file.at, file.len);
        bent[at] ^= 1;
        if (ax_verify_proof(ctx, (ax_str){bent, file.len}, leaf, vkey, &index, &size) == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "proof, byte %zu: not found", at);
        CHECK(ax_verify_proof(ctx, (ax_str){file.at, at}, leaf, vkey, &index, &size) != AX_OK);
    }
}

TEST(verify_checks_a_proof_file_to_the_last_byte)
{
    ax_test_with_ctx(proof);
}

static ax_status
whole(struct ax_ctx *ctx)
{
    struct ax_verify_report report;
    ax_str vkey;
    AX_TRY(ax_file_read_all(ctx, AX_STR(GOLDEN "/ledger.vkey"), 4096, &vkey));
    return ax_verify_log(ctx, AX_STR(GOLDEN "/ledger"), ax_str_trim(vkey), AX_STR(""), &report);
}

TEST(verify_survives_every_fault)
{
    FAULT_SWEEP(whole);
}

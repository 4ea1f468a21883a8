#include "event/checkpoint.h"

#include "harness.h"
#include "sys/file.h"

static const char log_vkey[] =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/* C2SP signed-note: the example of its specification. */
static void
published(struct ax_ctx *ctx)
{
    static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    static const char note[] =
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\xe2\x80\x94 PeterNeumann "
        "x08go/ZJkuBS9UG/"
        "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    struct ax_checkpoint_key key;
    ax_str text, again;
    CHECK_EQ(ax_checkpoint_vkey_parse(ctx, ax_str_of(vkey), &key), AX_OK);
    CHECK_EQ(ax_checkpoint_note_open(ctx, ax_str_of(note), &key, &text, NULL), AX_OK);
    CHECK(ax_str_ends(text, AX_STR("problem is.\n")));
    CHECK_EQ(ax_checkpoint_vkey_format(ctx, &key, &again), AX_OK);
    CHECK(ax_str_eq(again, ax_str_of(vkey)));
    for (size_t i = 0; i < sizeof note - 1; i++) { /* one flipped bit anywhere is noticed */
        char bent[sizeof note];
        memcpy(bent, note, sizeof note);
        bent[i] ^= 1;
        CHECK(ax_checkpoint_note_open(ctx, (ax_str){bent, sizeof note - 1}, &key, NULL, NULL) !=
              AX_OK);
    }
    for (size_t len = 0; len < sizeof note - 1; len++)
        CHECK(ax_checkpoint_note_open(ctx, (ax_str){note, len}, &key, NULL, NULL) != AX_OK);
}

TEST(checkpoint_reads_the_published_note_and_no_bent_one)
{
    ax_test_with_ctx(published);
}

static void
published_log(struct ax_ctx *ctx)
{
    struct ax_checkpoint_key key;
    CHECK_EQ(ax_checkpoint_vkey_parse(ctx, ax_str_of(log_vkey), &key), AX_OK);
    for (uint64_t size = 0; size <= 15; size++) {
        ax_str note;
        struct ax_checkpoint checkpoint;
        ax_str path = ax_str_printf(ctx->arena,
                                    "../shared/oracles/ledger/tile_log/checkpoint.%" PRIu64, size);
        if (!ax_file_exists(path)) {
            printf("skipped: %.*s is not here\n", AX_FMT(path));
            return;
        }
        CHECK_EQ(ax_file_read_all(ctx, path, 4096, &note), AX_OK);
        CHECK_EQ(ax_checkpoint_verify(ctx, note, &key, &checkpoint), AX_OK);
        CHECK_EQ(checkpoint.head.size, size);
    }
}

TEST(checkpoint_verifies_a_published_log)
{
    ax_test_with_ctx(published_log);
}

static ax_status
round_trip(struct ax_ctx *ctx)
{
    uint8_t seed[32] = {1, 2, 3}, witness_seed[32] = {9}, public_key[32];
    struct ax_merkle_head head = {.size = 123456789012345, .root = {.bytes = {7, 8}}};
    struct ax_checkpoint checkpoint;
    ax_str note, both;
    uint64_t time_s = 0;
    ax_ed25519_public(seed, public_key);
    struct ax_checkpoint_key key =
        ax_checkpoint_key_of(AX_STR("example.org/log"), AX_CHECKPOINT_ED25519, public_key);
    AX_TRY(ax_checkpoint_sign(ctx, &key, seed, head, &note));
    AX_TRY(ax_checkpoint_verify(ctx, note, &key, &checkpoint));
    CHECK_EQ(checkpoint.head.size, head.size);
    CHECK(ax_digest_eq(checkpoint.head.root, head.root));
    ax_ed25519_public(witness_seed, public_key);
    struct ax_checkpoint_key witness =
        ax_checkpoint_key_of(AX_STR("witness.example"), AX_CHECKPOINT_COSIGNATURE, public_key);
    AX_TRY(ax_checkpoint_cosign(ctx, &witness, witness_seed, note, 1'700'000'000, &both));
    AX_TRY(ax_checkpoint_verify(ctx, both, &key, &checkpoint));
    AX_TRY(ax_checkpoint_note_open(ctx, both, &witness, NULL, &time_s));
    CHECK_EQ(time_s, 1'700'000'000);
    return AX_OK;
}

TEST(checkpoint_signs_cosigns_and_survives_every_fault)
{
    FAULT_SWEEP(round_trip);
}

static void
refused_keys(struct ax_ctx *ctx)
{
    static const char *const cases[] = {
        "",
        "a",
        "a+b",
        "a+33d7b496+",
        "+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
        "example.com/log/testdata+33d7b497+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
        "example.com/log/testdata+33D7B496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
        "example.com/log/testdata+33d7b496+AuHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
        "example.com/log/testdata+33d7b496+AeHT",
    };
    struct ax_checkpoint_key key;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_checkpoint_vkey_parse(ctx, ax_str_of(cases[i]), &key), AX_INVALID);
    CHECK(!ax_checkpoint_name_ok(AX_STR("a b")) && !ax_checkpoint_name_ok(AX_STR("a+b")) &&
          !ax_checkpoint_name_ok(AX_STR("")) && ax_checkpoint_name_ok(AX_STR("a.b/c")));
}

TEST(checkpoint_refuses_what_is_no_key)
{
    ax_test_with_ctx(refused_keys);
}

#include "sys/crypto.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/writer.h"
#include "codec/text.h"
#include "harness.h"
#include "sys/workers.h"

enum { PLAIN_MAX = 64 };

static ax_str
hex(struct ax_ctx *ctx, const char *text)
{
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_hex_decode(ctx, ax_str_of(text), &bytes), AX_OK);
    return bytes;
}

static const uint8_t *
hex_bytes(struct ax_ctx *ctx, const char *text)
{
    return (const uint8_t *)hex(ctx, text).at;
}

static void
check_bytes(int line, const void *got, ax_str want)
{
    if (memcmp(got, want.at, want.len) != 0)
        ax_test_failed(__FILE__, line, "the bytes are not the published ones");
}

/* ---- hashes ---- */

/* FIPS 180-4 examples and NIST's million letters. */
static const struct {
    const char *text;
    size_t repeated;
    const char *digest;
} hashes[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
     "lmnopqrsmnopqrstnopqrstu",
     1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1'000'000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

static void
sha256(struct ax_ctx *ctx)
{
    char text[AX_DIGEST_HEX_BYTES + 1];
    CHECK_EQ(ax_crypto_init(ctx), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(hashes); i++) {
        struct ax_sha256 *hash = ax_sha256_new();
        ax_str piece = ax_str_of(hashes[i].text);
        for (size_t k = 0; k < hashes[i].repeated; k++)
            ax_sha256_add(hash, piece);
        ax_digest digest = ax_sha256_finish(hash), parsed;
        CHECK(ax_str_eq(ax_digest_hex(digest, text), ax_str_of(hashes[i].digest)));
        CHECK(ax_digest_parse(ax_str_of(hashes[i].digest), &parsed));
        CHECK(ax_digest_eq(digest, parsed));
        if (hashes[i].repeated > 1)
            continue;
        CHECK(ax_digest_eq(ax_sha256(piece), digest));
        for (size_t cut = 0; cut <= piece.len; cut++) {
            const ax_str pieces[] = {{piece.at, cut}, AX_STR(""), ax_str_from(piece, cut)};
            CHECK(ax_digest_eq(ax_sha256_of(pieces, AX_COUNT_OF(pieces)), digest));
        }
    }
}

TEST(crypto_hashes_as_published)
{
    ax_test_with_ctx(sha256);
}

static void
hash_in_thread(void *arg)
{
    ax_digest *digest = arg;
    for (int i = 0; i < 1'000; i++)
        *digest = ax_sha256((ax_str){(const char *)digest->bytes, sizeof digest->bytes});
}

static void
hash_in_threads(struct ax_ctx *ctx)
{
    struct ax_thread *threads[4];
    ax_digest digests[4] = {};
    for (int i = 0; i < 4; i++)
        CHECK_EQ(ax_thread_start(ctx, "hasher", hash_in_thread, &digests[i], &threads[i]), AX_OK);
    for (int i = 0; i < 4; i++)
        ax_thread_join(threads[i]);
    for (int i = 1; i < 4; i++)
        CHECK(ax_digest_eq(digests[i], digests[0]));
    CHECK(!ax_digest_eq(digests[0], (ax_digest){}));
}

TEST(crypto_hashes_in_many_threads)
{
    ax_test_with_ctx(hash_in_threads);
}

TEST(crypto_digests_have_one_text)
{
    static const char good[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    ax_digest digest = {};
    CHECK(ax_digest_parse(
        AX_STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), &digest));
    const ax_digest kept = digest;
    for (size_t len = 0; len < sizeof good - 1; len++)
        CHECK(!ax_digest_parse((ax_str){good, len}, &digest));
    for (size_t i = 0; i < sizeof good - 1; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (size_t k = 0; k < 4; k++) {
            text[i] = "gA/ "[k];
            CHECK(!ax_digest_parse((ax_str){text, sizeof good - 1}, &digest));
        }
    }
    CHECK(ax_digest_eq(digest, kept)); /* untouched by refusals */
}

/* RFC 4231. */
static const struct {
    const char *key_hex, *data_hex, *digest;
} macs[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b"
     "6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

static void
hmac(struct ax_ctx *ctx)
{
    char text[AX_DIGEST_HEX_BYTES + 1];
    for (size_t i = 0; i < AX_COUNT_OF(macs); i++) {
        ax_digest digest = ax_hmac_sha256(hex(ctx, macs[i].key_hex), hex(ctx, macs[i].data_hex));
        CHECK(ax_str_eq(ax_digest_hex(digest, text), ax_str_of(macs[i].digest)));
    }
}

TEST(crypto_authenticates_as_published)
{
    ax_test_with_ctx(hmac);
}

/* ---- signatures ---- */

/* RFC 8032 section 7.1: TEST 1, 2, 3 and SHA(abc). */
static const struct {
    const char *seed, *public_key, *message, *signature;
} signatures[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
     "f9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
     "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
     "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3"
     "feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c664"
     "31e0303dca179c138ac17ad9bef1177331a704"},
};

static void
ed25519(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(signatures); i++) {
        const uint8_t *seed = hex_bytes(ctx, signatures[i].seed);
        ax_str want_public = hex(ctx, signatures[i].public_key);
        ax_str want = hex(ctx, signatures[i].signature), message = hex(ctx, signatures[i].message);
        uint8_t public_key[AX_PUBLIC_KEY_BYTES], signature[AX_SIGNATURE_BYTES];
        ax_ed25519_public(seed, public_key);
        check_bytes(__LINE__, public_key, want_public);
        ax_ed25519_sign(seed, message, signature);
        check_bytes(__LINE__, signature, want);
        CHECK(ax_ed25519_verify(public_key, message, want));
        for (size_t bit = 0; bit < 8 * sizeof signature; bit += 5) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK(!ax_ed25519_verify(public_key, message,
                                     (ax_str){(const char *)signature, sizeof signature}));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        CHECK(!ax_ed25519_verify(public_key, message, (ax_str){want.at, want.len - 1}));
        CHECK(!ax_ed25519_verify(public_key, message, AX_STR("")));
        CHECK(!ax_ed25519_verify(public_key, AX_STR("other"), want));
        public_key[0] ^= 1;
        CHECK(!ax_ed25519_verify(public_key, message, want));
    }
}

TEST(crypto_signs_and_verifies_as_published)
{
    ax_test_with_ctx(ed25519);
}

static void
forgeries(struct ax_ctx *ctx)
{
    /* RFC 8032 TEST 1 with the group's order added to S: the same point, another signature. */
    ax_str second = hex(ctx, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                             "4c8c7872aa064e049dbb3013fbf29380d25bf5f0595bbe24655141438e7a101b");
    CHECK(!ax_ed25519_verify(hex_bytes(ctx, signatures[0].public_key), AX_STR(""), second));
    /* Points of small order as the key: a signature of zeros would hold for any message. */
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"};
    for (size_t i = 0; i < AX_COUNT_OF(small); i++) {
        char zeros[AX_SIGNATURE_BYTES] = {};
        memcpy(zeros, hex(ctx, small[1]).at, 32);
        CHECK(!ax_ed25519_verify(hex_bytes(ctx, small[i]), AX_STR("any"),
                                 (ax_str){zeros, sizeof zeros}));
    }
    uint8_t seed[AX_KEY_BYTES], other[AX_KEY_BYTES], key[AX_PUBLIC_KEY_BYTES], derived[32];
    uint8_t signature[AX_SIGNATURE_BYTES];
    ax_ed25519_keypair(seed, key);
    ax_ed25519_keypair(other, derived);
    CHECK(memcmp(seed, other, sizeof seed) != 0);
    ax_ed25519_public(seed, derived);
    CHECK(memcmp(key, derived, sizeof key) == 0);
    ax_ed25519_sign(seed, AX_STR("proposal"), signature);
    CHECK(ax_ed25519_verify(key, AX_STR("proposal"),
                            (ax_str){(const char *)signature, sizeof signature}));
}

TEST(crypto_refuses_second_forms_and_weak_keys)
{
    ax_test_with_ctx(forgeries);
}

/* ---- sealed boxes ---- */

#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN                                                                                  \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"   \
    "a6b525b16aedf5aa0de657ba637b39"
#define GCM_CIPHER                                                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"   \
    "828838c5f61e6393ba7a0abcc9f662"

/* McGrew and Viega, The Galois/Counter Mode of Operation: test cases 13 to 16. */
static const struct {
    const char *key, *nonce, *aad, *plain, *cipher, *tag;
} boxes[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_PLAIN "1aafd255", GCM_CIPHER "898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", GCM_PLAIN,
     GCM_CIPHER, "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void
gcm(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(boxes); i++) {
        const uint8_t *key = hex_bytes(ctx, boxes[i].key);
        ax_str nonce = hex(ctx, boxes[i].nonce), aad = hex(ctx, boxes[i].aad);
        ax_str plain = hex(ctx, boxes[i].plain), want = hex(ctx, boxes[i].cipher);
        char cipher[PLAIN_MAX] = "", opened[PLAIN_MAX] = "";
        uint8_t tag[16];
        ax_aes_gcm_encrypt(key, (const uint8_t *)nonce.at, aad, plain, cipher, tag);
        check_bytes(__LINE__, cipher, want);
        check_bytes(__LINE__, tag, hex(ctx, boxes[i].tag));
        ax_str sealed = ax_str_printf(ctx->arena, "%*s", (int)(12 + want.len + 16), "");
        char *at = ax_arena_alloc(ctx->arena, 1, sealed.len);
        memcpy(at, nonce.at, nonce.len);
        memcpy(at + 12, cipher, want.len);
        memcpy(at + 12 + want.len, tag, sizeof tag);
        CHECK_EQ(ax_unseal(key, aad, (ax_str){at, sealed.len}, opened), AX_OK);
        check_bytes(__LINE__, opened, plain);
    }
}

TEST(crypto_encrypts_as_published)
{
    ax_test_with_ctx(gcm);
}

TEST(crypto_opens_only_what_was_sealed)
{
    static const ax_str plain = {"applicant 17", 12}, aad = {"entity", 6};
    uint8_t key[AX_KEY_BYTES];
    char sealed[64], again[64], opened[64];
    const size_t len = plain.len + AX_SEAL_OVERHEAD_BYTES;
    ax_random_bytes(key, sizeof key);
    ax_seal(key, aad, plain, sealed);
    ax_seal(key, aad, plain, again);
    CHECK(memcmp(sealed, again, 12) != 0); /* a fresh nonce each time */
    CHECK_EQ(ax_unseal(key, aad, (ax_str){sealed, len}, opened), AX_OK);
    CHECK(memcmp(opened, plain.at, plain.len) == 0);
    for (size_t cut = 0; cut < len; cut++)
        CHECK_EQ(ax_unseal(key, aad, (ax_str){sealed, cut}, opened), AX_CORRUPT);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memset(opened, 'x', sizeof opened);
        sealed[bit / 8] ^= (char)(1 << bit % 8);
        CHECK_EQ(ax_unseal(key, aad, (ax_str){sealed, len}, opened), AX_CORRUPT);
        for (size_t i = 0; i < plain.len; i++)
            CHECK_EQ(opened[i], 0);
        sealed[bit / 8] ^= (char)(1 << bit % 8);
    }
    CHECK_EQ(ax_unseal(key, AX_STR("Entity"), (ax_str){sealed, len}, opened), AX_CORRUPT);
    CHECK_EQ(ax_unseal(key, AX_STR(""), (ax_str){sealed, len}, opened), AX_CORRUPT);
    key[31] ^= 0x80;
    CHECK_EQ(ax_unseal(key, aad, (ax_str){sealed, len}, opened), AX_CORRUPT);
    key[31] ^= 0x80;
    CHECK_EQ(ax_unseal(key, aad, (ax_str){sealed, len}, opened), AX_OK);
}

/* ---- random bytes, secrets, passwords ---- */

/* A child that draws on must not draw what its parent draws next. */
TEST(R92_random_bytes_come_once_also_across_a_fork)
{
    enum { DRAWS = 300, BYTES = 16 };
    static uint8_t drawn[DRAWS][BYTES];
    int ends[2];
    ax_random_bytes(drawn[0], BYTES);
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        ax_random_bytes(drawn[1], BYTES);
        _exit(write(ends[1], drawn[1], BYTES) == BYTES ? 0 : 1);
    }
    CHECK_EQ(read(ends[0], drawn[1], BYTES), BYTES);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    for (int i = 2; i < DRAWS; i++)
        ax_random_bytes(drawn[i], BYTES);
    for (int i = 0; i < DRAWS; i++)
        for (int j = i + 1; j < DRAWS; j++)
            CHECK(memcmp(drawn[i], drawn[j], BYTES) != 0);
}

TEST(R92_crypto_keeps_secrets_zeroed_and_wipes_them)
{
    uint8_t random[256] = {}, bits_seen = 0;
    char text[] = "secret";
    static const char zeros[sizeof text];
    ax_random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        bits_seen |= random[i];
    CHECK_EQ(bits_seen, 0xff);
    char *secret = ax_crypto_secret_new(100);
    CHECK(secret != NULL);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(secret[i], 0);
    memset(secret, 1, 100);
    ax_crypto_secret_free(secret);
    ax_crypto_secret_free(NULL);
    ax_crypto_wipe(text, sizeof text - 1);
    CHECK(memcmp(text, zeros, sizeof text) == 0);
    CHECK(ax_crypto_equal(AX_STR("token"), AX_STR("token")));
    CHECK(!ax_crypto_equal(AX_STR("token"), AX_STR("tokem")));
    CHECK(!ax_crypto_equal(AX_STR("token"), AX_STR("toke")));
    CHECK(ax_crypto_equal((ax_str){NULL, 0}, AX_STR("")));
}

static void
passwords(struct ax_ctx *ctx)
{
    static const uint8_t salt[16] = "0123456789abcdef", other_salt[16] = "0123456789abcdeF";
    ax_str hash = {}, again = {};
    uint8_t key[AX_KEY_BYTES], same[AX_KEY_BYTES], other[AX_KEY_BYTES];
    CHECK_EQ(ax_password_hash(ctx, AX_STR("correct horse"), &hash), AX_OK);
    CHECK_EQ(ax_password_hash(ctx, AX_STR("correct horse"), &again), AX_OK);
    CHECK(ax_str_starts(hash, AX_STR("$argon2id$v=19$m=65536,t=2,p=1$")));
    CHECK(!ax_str_eq(hash, again));
    CHECK(ax_password_verify(AX_STR("correct horse"), hash.at));
    CHECK(!ax_password_verify(AX_STR("correct horsf"), hash.at));
    CHECK(!ax_password_verify(AX_STR(""), hash.at));
    CHECK(!ax_password_verify(AX_STR("correct horse"), "$argon2id$v=19$m=65536,t=2,p=1$"));
    CHECK(!ax_password_verify(AX_STR("correct horse"), ""));
    CHECK_EQ(ax_password_key(ctx, AX_STR("correct horse"), salt, key), AX_OK);
    CHECK_EQ(ax_password_key(ctx, AX_STR("correct horse"), salt, same), AX_OK);
    CHECK_EQ(ax_password_key(ctx, AX_STR("correct horse"), other_salt, other), AX_OK);
    CHECK(memcmp(key, same, sizeof key) == 0);
    CHECK(memcmp(key, other, sizeof key) != 0);
    /* What the reference implementation of Argon2 gives. */
    check_bytes(__LINE__, key,
                hex(ctx, "5e5200462044d270c5ecfb1fb9b9c497bfa48f661c229469141c9d2c3bb10e02"));
}

TEST(crypto_hashes_passwords_slowly_and_with_salt)
{
    ax_test_with_ctx(passwords);
}

static ax_status
every_allocation(struct ax_ctx *ctx)
{
    static const uint8_t key[AX_KEY_BYTES] = {1}, salt[16] = {2};
    char sealed[3 + AX_SEAL_OVERHEAD_BYTES], opened[3];
    uint8_t derived[AX_KEY_BYTES];
    ax_str hash;
    struct ax_sha256 *sha = ax_sha256_new();
    if (!sha)
        return ax_fail(ctx, AX_LIMIT, "no memory for a hash");
    ax_digest empty = ax_sha256_finish(sha);
    CHECK(ax_digest_eq(empty, ax_sha256(AX_STR("")))); /* another way when memory is short */
    void *secret = ax_crypto_secret_new(32);
    if (!secret)
        return ax_fail(ctx, AX_LIMIT, "no memory for a secret");
    ax_crypto_secret_free(secret);
    ax_seal(key, AX_STR(""), AX_STR("abc"), sealed);
    AX_TRY(ax_unseal(key, AX_STR(""), (ax_str){sealed, sizeof sealed}, opened));
    AX_TRY(ax_password_hash(ctx, AX_STR("x"), &hash));
    return ax_password_key(ctx, AX_STR("x"), salt, derived);
}

TEST(crypto_survives_every_fault)
{
    FAULT_SWEEP(every_allocation);
}

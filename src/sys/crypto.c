#include "sys/crypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"

enum { RANDOM_BLOCK_BYTES = 1024, RANDOM_SMALL_BYTES = 64 };
enum { NONCE_BYTES = 12, TAG_BYTES = 16, PASSWORD_HASH_BYTES = crypto_pwhash_STRBYTES };

static_assert(AX_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES);
static_assert(AX_SIGNATURE_BYTES == crypto_sign_BYTES);
static_assert(AX_KEY_BYTES == crypto_sign_SEEDBYTES);
static_assert(sizeof(ax_digest) == crypto_hash_sha256_BYTES);

/* ---- the libraries, made ready once ---- */

/* Fetched once: a fetch by name at each use costs more than hashing a short text. */
static EVP_MD *sha256_method;
static EVP_CIPHER *gcm_method;
static pthread_key_t hash_key; /* its destructor frees a thread's context when the thread ends */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_ready;

static _Thread_local EVP_MD_CTX *thread_hash;

static void
thread_hash_free(void *hash)
{
    EVP_MD_CTX_free(hash);
    thread_hash = NULL;
}

/* Random bytes not yet given out. */
static _Thread_local struct {
    uint8_t bytes[RANDOM_BLOCK_BYTES];
    size_t left;
} thread_random;

/* In a child: what its parent gives out must not be given out again. */
static void
thread_random_forget(void)
{
    thread_random.left = 0;
}

static void
library_open(void)
{
    sha256_method = EVP_MD_fetch(NULL, "SHA256", NULL);
    gcm_method = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    library_ready = sodium_init() >= 0 && sha256_method && gcm_method &&
                    pthread_key_create(&hash_key, thread_hash_free) == 0 &&
                    pthread_atfork(NULL, NULL, thread_random_forget) == 0;
}

static bool
library(void)
{
    pthread_once(&library_once, library_open);
    return library_ready;
}

ax_status
ax_crypto_init(struct ax_ctx *ctx)
{
    if (!library())
        return ax_fail(ctx, AX_INTERNAL,
                       "OpenSSL or libsodium refuses SHA-256 or AES-256-GCM on this machine");
    return AX_OK;
}

/* ---- SHA-256 ---- */

/* The calling thread's context; NULL when memory is short. */
static EVP_MD_CTX *
thread_hash_get(void)
{
    if (thread_hash)
        return thread_hash;
    AX_ASSERT(library());
    ax_fault_benign_begin(); /* libsodium takes over */
    EVP_MD_CTX *made = ax_fault_here() ? NULL : EVP_MD_CTX_new();
    ax_fault_benign_end();
    if (made && pthread_setspecific(hash_key, made) != 0) {
        EVP_MD_CTX_free(made);
        return NULL;
    }
    thread_hash = made;
    return made;
}

/* Slower, and needs no memory. */
static ax_digest
sodium_sha256(const ax_str *pieces, size_t piece_count)
{
    ax_digest digest;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < piece_count; i++)
        crypto_hash_sha256_update(&state, (const uint8_t *)pieces[i].at, pieces[i].len);
    crypto_hash_sha256_final(&state, digest.bytes);
    return digest;
}

ax_digest
ax_sha256_of(const ax_str *pieces, size_t piece_count)
{
    ax_digest digest;
    EVP_MD_CTX *hash = thread_hash_get();
    if (!hash || EVP_DigestInit_ex2(hash, sha256_method, NULL) != 1)
        return sodium_sha256(pieces, piece_count);
    for (size_t i = 0; i < piece_count; i++) {
        int added = EVP_DigestUpdate(hash, pieces[i].at, pieces[i].len);
        AX_ASSERT(added == 1);
    }
    int finished = EVP_DigestFinal_ex(hash, digest.bytes, NULL);
    AX_ASSERT(finished == 1);
    return digest;
}

ax_digest
ax_sha256(ax_str bytes)
{
    return ax_sha256_of(&bytes, 1);
}

struct ax_sha256 {
    EVP_MD_CTX *hash;
};

struct ax_sha256 *
ax_sha256_new(void)
{
    AX_ASSERT(library());
    struct ax_sha256 *hash = ax_alloc(1, sizeof *hash);
    if (!hash)
        return NULL;
    hash->hash = EVP_MD_CTX_new();
    if (!hash->hash || EVP_DigestInit_ex2(hash->hash, sha256_method, NULL) != 1) {
        EVP_MD_CTX_free(hash->hash);
        ax_free(hash);
        return NULL;
    }
    return hash;
}

void
ax_sha256_add(struct ax_sha256 *hash, ax_str bytes)
{
    int added = EVP_DigestUpdate(hash->hash, bytes.at, bytes.len);
    AX_ASSERT(added == 1);
}

ax_digest
ax_sha256_finish(struct ax_sha256 *hash)
{
    ax_digest digest;
    int finished = EVP_DigestFinal_ex(hash->hash, digest.bytes, NULL);
    AX_ASSERT(finished == 1);
    EVP_MD_CTX_free(hash->hash);
    ax_free(hash);
    return digest;
}

/* libsodium's: keys of any length, no memory to ask for, and the state can be wiped. */
ax_digest
ax_hmac_sha256(ax_str key, ax_str bytes)
{
    AX_ASSERT(library());
    ax_digest digest;
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)key.at, key.len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)bytes.at, bytes.len);
    crypto_auth_hmacsha256_final(&state, digest.bytes);
    sodium_memzero(&state, sizeof state);
    return digest;
}

bool
ax_digest_eq(ax_digest a, ax_digest b)
{
    return sodium_memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

ax_str
ax_digest_hex(ax_digest digest, char out[AX_DIGEST_HEX_BYTES + 1])
{
    sodium_bin2hex(out, AX_DIGEST_HEX_BYTES + 1, digest.bytes, sizeof digest.bytes);
    return (ax_str){out, AX_DIGEST_HEX_BYTES};
}

/* One text for one digest: upper case is refused. */
bool
ax_digest_parse(ax_str hex, ax_digest *out)
{
    ax_digest digest = {};
    if (hex.len != AX_DIGEST_HEX_BYTES)
        return false;
    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.at[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        int nibble = c <= '9' ? c - '0' : c - 'a' + 10;
        digest.bytes[i / 2] = (uint8_t)(digest.bytes[i / 2] << 4 | nibble);
    }
    *out = digest;
    return true;
}

/* ---- random bytes and secrets ---- */

/*
 * Few bytes come from a block that the system filled, one call for many; what was given out is
 * wiped from it, so that what leaks later tells nothing of what was used before.
 */
void
ax_random_bytes(void *out, size_t len)
{
    AX_ASSERT(library());
    if (len > RANDOM_SMALL_BYTES) {
        randombytes_buf(out, len);
        return;
    }
    if (thread_random.left < len) {
        randombytes_buf(thread_random.bytes, sizeof thread_random.bytes);
        thread_random.left = sizeof thread_random.bytes;
    }
    thread_random.left -= len;
    memcpy(out, thread_random.bytes + thread_random.left, len);
    sodium_memzero(thread_random.bytes + thread_random.left, len);
}

bool
ax_crypto_equal(ax_str a, ax_str b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.at, b.at, a.len) == 0);
}

void
ax_crypto_wipe(void *secret, size_t len)
{
    sodium_memzero(secret, len);
}

void *
ax_crypto_secret_new(size_t len)
{
    AX_ASSERT(library());
    void *secret = ax_fault_here() ? NULL : sodium_malloc(len);
    if (secret)
        sodium_memzero(secret, len);
    return secret;
}

void
ax_crypto_secret_free(void *secret)
{
    sodium_free(secret);
}

/* ---- Ed25519 ---- */

void
ax_ed25519_public(const uint8_t seed[32], uint8_t out_public[32])
{
    AX_ASSERT(library());
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(out_public, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

void
ax_ed25519_keypair(uint8_t out_seed[32], uint8_t out_public[32])
{
    ax_random_bytes(out_seed, AX_KEY_BYTES);
    ax_ed25519_public(out_seed, out_public);
}

/* The public half is derived anew: signing with a wrong one beside the seed would reveal it. */
void
ax_ed25519_sign(const uint8_t seed[32], ax_str message, uint8_t out_signature[64])
{
    AX_ASSERT(library());
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, secret, seed);
    int failed =
        crypto_sign_detached(out_signature, NULL, (const uint8_t *)message.at, message.len, secret);
    sodium_memzero(secret, sizeof secret);
    AX_ASSERT(!failed);
}

bool
ax_ed25519_verify(const uint8_t public_key[32], ax_str message, ax_str signature)
{
    AX_ASSERT(library());
    return signature.len == AX_SIGNATURE_BYTES &&
           crypto_sign_verify_detached((const uint8_t *)signature.at, (const uint8_t *)message.at,
                                       message.len, public_key) == 0;
}

/* ---- AES-256-GCM ---- */

struct gcm {
    bool encrypt;
    const uint8_t *key, *nonce;
    ax_str aad, in;
    char *out;    /* in.len bytes */
    uint8_t *tag; /* written or compared */
};

/* OpenSSL counts in int. out NULL: bytes that are only authenticated. */
static bool
gcm_feed(EVP_CIPHER_CTX *cipher, ax_str bytes, char *out)
{
    for (size_t done = 0; done < bytes.len;) {
        size_t part = bytes.len - done < INT_MAX / 2 ? bytes.len - done : INT_MAX / 2;
        int written = 0;
        if (EVP_CipherUpdate(cipher, out ? (uint8_t *)out + done : NULL, &written,
                             (const uint8_t *)bytes.at + done, (int)part) != 1 ||
            written != (int)part)
            return false;
        done += part;
    }
    return true;
}

static bool
gcm_run(EVP_CIPHER_CTX *cipher, const struct gcm *job)
{
    uint8_t rest[TAG_BYTES]; /* stays empty: a stream has no last block */
    int rest_len = 0;
    if (EVP_CipherInit_ex2(cipher, gcm_method, job->key, job->nonce, job->encrypt, NULL) != 1)
        return false;
    if (!job->encrypt &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, job->tag) != 1)
        return false;
    return gcm_feed(cipher, job->aad, NULL) && gcm_feed(cipher, job->in, job->out) &&
           EVP_CipherFinal_ex(cipher, rest, &rest_len) == 1 &&
           (!job->encrypt ||
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, job->tag) == 1);
}

void
ax_aes_gcm_encrypt(const uint8_t key[32], const uint8_t nonce[12], ax_str aad, ax_str plain,
                   char *out_cipher, uint8_t out_tag[16])
{
    AX_ASSERT(library());
    struct gcm job = {.encrypt = true,
                      .key = key,
                      .nonce = nonce,
                      .aad = aad,
                      .in = plain,
                      .out = out_cipher,
                      .tag = out_tag};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool done = cipher && gcm_run(cipher, &job);
    EVP_CIPHER_CTX_free(cipher); /* wipes the key schedule */
    AX_ASSERT(done); /* only for want of a few hundred bytes; going on unsealed is no choice */
}

void
ax_seal(const uint8_t key[32], ax_str aad, ax_str plain, char *out)
{
    uint8_t *nonce = (uint8_t *)out;
    ax_random_bytes(nonce, NONCE_BYTES);
    ax_aes_gcm_encrypt(key, nonce, aad, plain, out + NONCE_BYTES,
                       (uint8_t *)out + NONCE_BYTES + plain.len);
}

ax_status
ax_unseal(const uint8_t key[32], ax_str aad, ax_str sealed, char *out)
{
    AX_ASSERT(library());
    if (sealed.len < AX_SEAL_OVERHEAD_BYTES)
        return AX_CORRUPT;
    size_t len = sealed.len - AX_SEAL_OVERHEAD_BYTES;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed.at + NONCE_BYTES + len, sizeof tag);
    struct gcm job = {.key = key,
                      .nonce = (const uint8_t *)sealed.at,
                      .aad = aad,
                      .in = {sealed.at + NONCE_BYTES, len},
                      .out = out,
                      .tag = tag};
    EVP_CIPHER_CTX *cipher = ax_fault_here() ? NULL : EVP_CIPHER_CTX_new();
    if (!cipher)
        return AX_LIMIT;
    bool genuine = gcm_run(cipher, &job);
    EVP_CIPHER_CTX_free(cipher);
    if (!genuine && len > 0)
        sodium_memzero(out, len); /* nobody may use what is not authentic */
    return genuine ? AX_OK : AX_CORRUPT;
}

/* ---- Argon2id ---- */

ax_status
ax_password_hash(struct ax_ctx *ctx, ax_str password, ax_str *out_hash)
{
    AX_ASSERT(library());
    char hash[PASSWORD_HASH_BYTES];
    if (ax_fault_here() ||
        crypto_pwhash_str_alg(hash, password.at, password.len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return ax_fail(ctx, AX_LIMIT, "hash a password: Argon2id found no 64 MiB of memory");
    if (!ax_str_copy(ctx->arena, ax_str_of(hash), out_hash))
        return ax_fail(ctx, AX_LIMIT, "no memory for a password's hash");
    return AX_OK;
}

bool
ax_password_verify(ax_str password, const char *hash)
{
    AX_ASSERT(library());
    return strlen(hash) < PASSWORD_HASH_BYTES &&
           crypto_pwhash_str_verify(hash, password.at, password.len) == 0;
}

ax_status
ax_password_key(struct ax_ctx *ctx, ax_str password, const uint8_t salt[16], uint8_t out_key[32])
{
    AX_ASSERT(library());
    static_assert(crypto_pwhash_SALTBYTES == 16);
    if (ax_fault_here() ||
        crypto_pwhash(out_key, AX_KEY_BYTES, password.at, password.len, salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return ax_fail(ctx, AX_LIMIT, "derive a key: Argon2id found no 64 MiB of memory");
    return AX_OK;
}

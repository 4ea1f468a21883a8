#include "event/vault.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "codec/text.h"
#include "event/key_file.h"
#include "event/key_table.h"
#include "sys/clock.h"
#include "sys/mutex.h"

enum {
    ALGORITHM_AES_256_GCM = 1,
    BLIND_BYTES = 32,
    SEALED_OVERHEAD_BYTES = 1 + AX_SEAL_OVERHEAD_BYTES + BLIND_BYTES,
    CACHE_ENTRIES = 4'096,
    PENDING_MAX = 1 << 20,
    KEK_FILE_BYTES_MAX = 256,
    HASH_BLOCK_BYTES = 64,
    COMMIT_SLOTS_MAX = 8'192,
};

static_assert(AX_KEY_FILE_ID_BYTES == (int)AX_EVENT_KEY_ID_BYTES);
static_assert(AX_KEY_FILE_WRAPPED_BYTES == AX_KEY_BYTES + (int)AX_SEAL_OVERHEAD_BYTES);

/* In locked memory. */
struct secrets {
    uint8_t kek[AX_KEY_BYTES];
    uint8_t tag_key[AX_KEY_BYTES]; /* hashes entities; wrapped in the head of the key file */
    uint8_t keys[][AX_KEY_BYTES];  /* data keys, place by place of the cache */
};

/* What the key at the same place of secrets->keys is; one place for each slot's number. */
struct cached {
    uint64_t number; /* of the slot, plus 1; 0 for none */
    struct ax_key_file_slot slot;
};

struct ax_vault {
    struct ax_mutex mutex; /* guards what follows */
    struct ax_key_table table;
    struct ax_key_file_slot *pending; /* slots that are not on the disk yet */
    size_t pending_count, pending_capacity;
    struct cached *cache;
    size_t cache_entries;
    struct secrets *secrets;
    uint64_t alive, erased;
    bool failed; /* a write of keys failed: no new ones until it is opened again */

    struct ax_mutex writing; /* held while the file is changed; taken before mutex */
    struct ax_key_file file; /* changed under both */
    char folder[];           /* of the file */
};

/* A data key in hand; wiped by whoever got it. */
struct key {
    uint8_t bytes[AX_KEY_BYTES];
    uint8_t id[AX_KEY_FILE_ID_BYTES];
};

static uint64_t
prefix_of(const uint8_t *bytes)
{
    uint64_t prefix;
    memcpy(&prefix, bytes, sizeof prefix);
    return prefix;
}

static ax_str
bytes_of(const void *bytes, size_t len)
{
    return (ax_str){bytes, len};
}

/*
 * HMAC-SHA-256 (RFC 2104) over the fast SHA-256, with a key of at most a block: payloads are
 * hashed on the request path, where the library's own costs five times as much.
 */
static ax_digest
hmac(const uint8_t key[AX_KEY_BYTES], ax_str message)
{
    uint8_t inner[HASH_BLOCK_BYTES] = {}, outer[HASH_BLOCK_BYTES] = {};
    memcpy(inner, key, AX_KEY_BYTES);
    memcpy(outer, key, AX_KEY_BYTES);
    for (size_t i = 0; i < HASH_BLOCK_BYTES; i++) {
        inner[i] ^= 0x36;
        outer[i] ^= 0x5c;
    }
    const ax_str first[] = {bytes_of(inner, sizeof inner), message};
    ax_digest digest = ax_sha256_of(first, AX_COUNT_OF(first));
    const ax_str second[] = {bytes_of(outer, sizeof outer), bytes_of(&digest, sizeof digest)};
    digest = ax_sha256_of(second, AX_COUNT_OF(second));
    ax_crypto_wipe(inner, sizeof inner);
    ax_crypto_wipe(outer, sizeof outer);
    return digest;
}

/* ---- the key-encryption key and what it wraps ---- */

ax_status
ax_vault_make_kek(struct ax_ctx *ctx, ax_str path)
{
    uint8_t kek[AX_KEY_BYTES];
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * sizeof kek + 1);
    if (ax_file_exists(path))
        return ax_fail(ctx, AX_CONFLICT, "there is a key-encryption key at %.*s already",
                       AX_FMT(path));
    ax_random_bytes(kek, sizeof kek);
    ax_hex_encode(bytes_of(kek, sizeof kek), &text);
    ax_writer_char(&text, '\n');
    ax_crypto_wipe(kek, sizeof kek);
    ax_status status = text.status == AX_OK
                           ? ax_file_write_atomic(ctx, path, ax_writer_str(&text))
                           : ax_fail(ctx, text.status, "no memory for a key-encryption key");
    if (text.at)
        ax_crypto_wipe(text.at, text.len);
    return status;
}

static void
wipe_text(ax_str text)
{
    ax_crypto_wipe((void *)(uintptr_t)text.at, text.len);
}

static ax_status
kek_read(struct ax_ctx *ctx, ax_str path, uint8_t out_kek[AX_KEY_BYTES])
{
    ax_str text, bytes = AX_STR("");
    ax_status status = ax_file_read_all(ctx, path, KEK_FILE_BYTES_MAX, &text);
    if (status != AX_OK)
        return ax_explain(ctx, status, "key-encryption key");
    status = ax_hex_decode(ctx, ax_str_trim(text), &bytes);
    bool whole = status == AX_OK && bytes.len == AX_KEY_BYTES;
    if (whole)
        memcpy(out_kek, bytes.at, AX_KEY_BYTES);
    wipe_text(text);
    if (bytes.len)
        wipe_text(bytes);
    if (status == AX_LIMIT)
        return status;
    return whole ? AX_OK
                 : ax_fail(ctx, AX_CORRUPT, "%.*s does not hold a key of %d hex digits",
                           AX_FMT(path), 2 * AX_KEY_BYTES);
}

static void
kek_id(const uint8_t kek[AX_KEY_BYTES], uint8_t out_id[AX_KEY_FILE_ID_BYTES])
{
    ax_digest digest = hmac(kek, AX_STR("axiom key-encryption key"));
    memcpy(out_id, digest.bytes, AX_KEY_FILE_ID_BYTES);
}

/* What a wrapped key is bound to: its purpose and its id. */
enum { WRAP_AAD_BYTES = 9 + AX_KEY_FILE_ID_BYTES };

static ax_str
wrap_aad(const struct ax_key_file_slot *slot, char out[WRAP_AAD_BYTES])
{
    memcpy(out, slot->state == AX_KEY_FILE_HEAD ? "axiom tag" : "axiom key", 9);
    memcpy(out + 9, slot->key_id, AX_KEY_FILE_ID_BYTES);
    return (ax_str){out, WRAP_AAD_BYTES};
}

static void
wrap(const uint8_t kek[AX_KEY_BYTES], const uint8_t key[AX_KEY_BYTES],
     struct ax_key_file_slot *slot)
{
    char aad[WRAP_AAD_BYTES];
    ax_seal(kek, wrap_aad(slot, aad), bytes_of(key, AX_KEY_BYTES), (char *)slot->wrapped);
}

static ax_status
unwrap(struct ax_ctx *ctx, const uint8_t kek[AX_KEY_BYTES], const struct ax_key_file_slot *slot,
       uint8_t out_key[AX_KEY_BYTES])
{
    char aad[WRAP_AAD_BYTES];
    ax_status status = ax_unseal(kek, wrap_aad(slot, aad),
                                 bytes_of(slot->wrapped, sizeof slot->wrapped), (char *)out_key);
    if (status == AX_LIMIT)
        return ax_fail(ctx, AX_LIMIT, "no memory to unwrap a key");
    return status == AX_OK ? AX_OK : ax_fail(ctx, AX_CORRUPT, "a wrapped key was changed");
}

/* ---- finding and making keys; the caller holds the mutex ---- */

/* The slot as it is in memory or on the disk. */
static ax_status
slot_load(struct ax_vault *vault, struct ax_ctx *ctx, uint64_t number,
          struct ax_key_file_slot *out_slot)
{
    if (number < vault->file.count)
        return ax_key_file_read(&vault->file, ctx, number, out_slot);
    AX_ASSERT(number - vault->file.count < vault->pending_count);
    *out_slot = vault->pending[number - vault->file.count];
    return AX_OK;
}

static void
cache_drop(struct ax_vault *vault, uint64_t number)
{
    size_t place = (size_t)(number % vault->cache_entries);
    if (vault->cache[place].number != number + 1)
        return;
    ax_crypto_wipe(vault->secrets->keys[place], AX_KEY_BYTES);
    vault->cache[place] = (struct cached){};
}

/* The cached slot; its key at the same place. Read and unwrapped when it is not there. */
static ax_status
cache_fill(struct ax_vault *vault, struct ax_ctx *ctx, uint64_t number, size_t *out_place)
{
    size_t place = (size_t)(number % vault->cache_entries);
    struct cached *cached = &vault->cache[place];
    if (cached->number != number + 1) {
        struct ax_key_file_slot slot;
        AX_TRY(slot_load(vault, ctx, number, &slot));
        cached->number = 0;
        AX_TRY(unwrap(ctx, vault->secrets->kek, &slot, vault->secrets->keys[place]));
        *cached = (struct cached){number + 1, slot};
    }
    *out_place = place;
    return AX_OK;
}

static void
take_key(const struct ax_vault *vault, size_t place, struct key *out_key)
{
    memcpy(out_key->bytes, vault->secrets->keys[place], AX_KEY_BYTES);
    memcpy(out_key->id, vault->cache[place].slot.key_id, AX_KEY_FILE_ID_BYTES);
}

static bool
pending_room(struct ax_vault *vault)
{
    if (vault->pending_count < vault->pending_capacity)
        return true;
    size_t capacity = vault->pending_capacity ? 2 * vault->pending_capacity : 64;
    void *more = vault->pending_count < PENDING_MAX
                     ? ax_realloc(vault->pending, capacity * sizeof *vault->pending)
                     : NULL;
    if (!more)
        return false;
    vault->pending = more;
    vault->pending_capacity = capacity;
    return true;
}

static ax_status
make_key(struct ax_vault *vault, struct ax_ctx *ctx, ax_digest tag, struct key *out_key)
{
    struct ax_key_file_slot slot = {.state = AX_KEY_FILE_ALIVE};
    if (vault->failed)
        return ax_fail(ctx, AX_UNAVAILABLE,
                       "a write of keys failed before: no new ones until it is opened again");
    if (!pending_room(vault) || !ax_key_table_room(&vault->table))
        return ax_fail(ctx, AX_LIMIT, "no memory for one more key");
    uint64_t number = vault->table.count;
    size_t place = (size_t)(number % vault->cache_entries);
    ax_random_bytes(slot.key_id, sizeof slot.key_id);
    ax_random_bytes(vault->secrets->keys[place], AX_KEY_BYTES);
    memcpy(slot.tag, tag.bytes, sizeof slot.tag);
    wrap(vault->secrets->kek, vault->secrets->keys[place], &slot);
    vault->cache[place] = (struct cached){number + 1, slot};
    vault->pending[vault->pending_count++] = slot;
    ax_key_table_add(&vault->table, (struct ax_key_table_row){.tag = prefix_of(slot.tag),
                                                              .id = prefix_of(slot.key_id)});
    vault->alive++;
    take_key(vault, place, out_key);
    return AX_OK;
}

/* The entity's living key. out_number: SIZE_MAX when it has none. */
static ax_status
find_key(struct ax_vault *vault, struct ax_ctx *ctx, ax_digest tag, size_t *out_number,
         size_t *out_place)
{
    size_t number = SIZE_MAX;
    for (;;) {
        number = ax_key_table_find_tag(&vault->table, prefix_of(tag.bytes), number);
        if (number == SIZE_MAX)
            break;
        AX_TRY(cache_fill(vault, ctx, number, out_place));
        if (memcmp(vault->cache[*out_place].slot.tag, tag.bytes, sizeof tag.bytes) == 0)
            break;
    }
    *out_number = number;
    return AX_OK;
}

static ax_status
key_for(struct ax_vault *vault, struct ax_ctx *ctx, ax_digest tag, struct key *out_key)
{
    size_t number, place;
    AX_TRY(find_key(vault, ctx, tag, &number, &place));
    if (number == SIZE_MAX)
        return make_key(vault, ctx, tag, out_key);
    take_key(vault, place, out_key);
    return AX_OK;
}

/* ---- sealing ---- */

/* What a sealed payload is bound to. */
static ax_status
payload_aad(struct ax_ctx *ctx, const uint8_t key_id[AX_KEY_FILE_ID_BYTES], ax_str object,
            ax_str *out_aad)
{
    size_t len = AX_KEY_FILE_ID_BYTES + object.len;
    char *aad = ax_arena_alloc(ctx->arena, 1, len);
    if (!aad)
        return ax_fail(ctx, AX_LIMIT, "no memory to seal a payload");
    memcpy(aad, key_id, AX_KEY_FILE_ID_BYTES);
    if (object.len)
        memcpy(aad + AX_KEY_FILE_ID_BYTES, object.at, object.len);
    *out_aad = (ax_str){aad, len};
    return AX_OK;
}

static ax_status
seal_with(struct ax_ctx *ctx, const struct key *key, ax_str object, ax_str payload,
          struct ax_vault_sealed *out_sealed)
{
    ax_str aad;
    uint8_t blind[BLIND_BYTES];
    AX_TRY(payload_aad(ctx, key->id, object, &aad));
    char *sealed = ax_arena_alloc(ctx->arena, 1, payload.len + SEALED_OVERHEAD_BYTES);
    char *plain = ax_arena_alloc(ctx->arena, 1, payload.len + BLIND_BYTES);
    if (!sealed || !plain)
        return ax_fail(ctx, AX_LIMIT, "no memory to seal a payload of %zu bytes", payload.len);
    ax_random_bytes(blind, sizeof blind);
    memcpy(plain, blind, sizeof blind);
    if (payload.len)
        memcpy(plain + sizeof blind, payload.at, payload.len);
    sealed[0] = ALGORITHM_AES_256_GCM;
    ax_seal(key->bytes, aad, (ax_str){plain, payload.len + sizeof blind}, sealed + 1);
    struct ax_vault_sealed made = {
        .bytes = {sealed, payload.len + SEALED_OVERHEAD_BYTES},
        .commit = hmac(blind, payload),
    };
    made.ref = ax_sha256(made.bytes);
    memcpy(made.key_id, key->id, sizeof made.key_id);
    ax_crypto_wipe(plain, payload.len + sizeof blind);
    ax_crypto_wipe(blind, sizeof blind);
    *out_sealed = made;
    return AX_OK;
}

ax_status
ax_vault_seal(struct ax_vault *vault, struct ax_ctx *ctx, ax_str entity, ax_str object,
              ax_str payload, struct ax_vault_sealed *out_sealed)
{
    AX_ASSERT(entity.len > 0);
    struct key key;
    ax_digest tag = hmac(vault->secrets->tag_key, entity);
    ax_mutex_lock(&vault->mutex);
    ax_status status = key_for(vault, ctx, tag, &key);
    ax_mutex_unlock(&vault->mutex);
    if (status == AX_OK)
        status = seal_with(ctx, &key, object, payload, out_sealed);
    ax_crypto_wipe(&key, sizeof key);
    return status;
}

void
ax_vault_describe(const struct ax_vault_sealed *sealed, struct ax_event *event)
{
    event->payload_commit = sealed->commit;
    event->payload_ref = sealed->ref;
    event->payload_bytes = sealed->bytes.len;
    memcpy(event->key_id, sealed->key_id, sizeof event->key_id);
}

/* ---- unsealing ---- */

static ax_status
say_erased(struct ax_vault *vault, struct ax_ctx *ctx, size_t number)
{
    struct ax_key_file_slot slot;
    char time[AX_CLOCK_TEXT_BYTES];
    AX_TRY(slot_load(vault, ctx, number, &slot));
    ax_str when = ax_clock_format(slot.erased_ns, time);
    return ax_fail(ctx, AX_NOT_FOUND, "the payload was erased: its key was destroyed at %.*s",
                   AX_FMT(when));
}

static ax_status
key_by_id(struct ax_vault *vault, struct ax_ctx *ctx, const uint8_t id[AX_KEY_FILE_ID_BYTES],
          struct key *out_key)
{
    size_t number = SIZE_MAX, place;
    for (;;) {
        number = ax_key_table_find_id(&vault->table, prefix_of(id), number);
        if (number == SIZE_MAX)
            return ax_fail(ctx, AX_CORRUPT, "the payload's key is not in the vault");
        if (vault->table.rows[number].erased)
            return say_erased(vault, ctx, number);
        AX_TRY(cache_fill(vault, ctx, number, &place));
        if (memcmp(vault->cache[place].slot.key_id, id, AX_KEY_FILE_ID_BYTES) == 0)
            break;
    }
    take_key(vault, place, out_key);
    return AX_OK;
}

static ax_status
unseal_with(struct ax_ctx *ctx, const struct key *key, const struct ax_event *event, ax_str sealed,
            ax_str *out_payload)
{
    ax_str aad;
    size_t len = sealed.len - 1 - AX_SEAL_OVERHEAD_BYTES;
    AX_TRY(payload_aad(ctx, key->id, event->object, &aad));
    char *plain = ax_arena_alloc(ctx->arena, 1, len);
    if (!plain)
        return ax_fail(ctx, AX_LIMIT, "no memory for a payload of %zu bytes", len);
    ax_status status = ax_unseal(key->bytes, aad, ax_str_from(sealed, 1), plain);
    if (status == AX_LIMIT)
        return ax_fail(ctx, AX_LIMIT, "no memory to unseal a payload");
    ax_str payload = {plain + BLIND_BYTES, len - BLIND_BYTES};
    if (status != AX_OK ||
        !ax_digest_eq(hmac((const uint8_t *)plain, payload), event->payload_commit)) {
        ax_crypto_wipe(plain, len);
        return ax_fail(ctx, AX_CORRUPT, "the payload is not what its fact has committed to");
    }
    ax_crypto_wipe(plain, BLIND_BYTES);
    *out_payload = payload;
    return AX_OK;
}

ax_status
ax_vault_unseal(struct ax_vault *vault, struct ax_ctx *ctx, const struct ax_event *event,
                ax_str sealed, ax_str *out_payload)
{
    struct key key = {};
    ax_mutex_lock(&vault->mutex);
    ax_status status = key_by_id(vault, ctx, event->key_id, &key);
    ax_mutex_unlock(&vault->mutex);
    if (status == AX_OK &&
        (sealed.len < SEALED_OVERHEAD_BYTES || sealed.at[0] != ALGORITHM_AES_256_GCM ||
         !ax_digest_eq(ax_sha256(sealed), event->payload_ref)))
        status = ax_fail(ctx, AX_CORRUPT, "the sealed payload is not the one its fact names");
    if (status == AX_OK)
        status = unseal_with(ctx, &key, event, sealed, out_payload);
    ax_crypto_wipe(&key, sizeof key);
    return status;
}

/* ---- writing keys ---- */

/* Writes what is pending; the caller holds `writing`. Sealing goes on meanwhile. */
static ax_status
commit_pending(struct ax_vault *vault, struct ax_ctx *ctx)
{
    for (;;) {
        ax_mutex_lock(&vault->mutex);
        bool failed = vault->failed;
        size_t count =
            vault->pending_count < COMMIT_SLOTS_MAX ? vault->pending_count : COMMIT_SLOTS_MAX;
        struct ax_key_file_slot *slots = count && !failed ? ax_alloc(sizeof *slots, count) : NULL;
        if (slots)
            memcpy(slots, vault->pending, count * sizeof *slots);
        struct ax_key_file file = vault->file;
        ax_mutex_unlock(&vault->mutex);
        if (failed)
            return ax_fail(ctx, AX_UNAVAILABLE, "a write of keys failed before");
        if (count == 0)
            return AX_OK;
        if (!slots)
            return ax_fail(ctx, AX_LIMIT, "no memory to write %zu keys", count);

        ax_status status = ax_key_file_append(&file, ctx, slots, count);
        ax_free(slots);
        ax_mutex_lock(&vault->mutex);
        vault->file = file;
        vault->failed = status != AX_OK && status != AX_LIMIT;
        if (status == AX_OK) {
            vault->pending_count -= count;
            memmove(vault->pending, vault->pending + count,
                    vault->pending_count * sizeof *vault->pending);
        }
        ax_mutex_unlock(&vault->mutex);
        AX_TRY(status);
    }
}

ax_status
ax_vault_commit(struct ax_vault *vault, struct ax_ctx *ctx)
{
    ax_mutex_lock(&vault->mutex);
    bool needless = vault->pending_count == 0 && !vault->failed;
    ax_mutex_unlock(&vault->mutex);
    if (needless)
        return AX_OK;
    ax_mutex_lock(&vault->writing);
    ax_status status = commit_pending(vault, ctx);
    ax_mutex_unlock(&vault->writing);
    return status;
}

/* The caller holds both locks, and everything is on the disk. */
static ax_status
erase_locked(struct ax_vault *vault, struct ax_ctx *ctx, ax_digest tag,
             struct ax_vault_receipt *out_receipt)
{
    size_t number, place;
    AX_TRY(find_key(vault, ctx, tag, &number, &place));
    if (number == SIZE_MAX)
        return ax_fail(ctx, AX_NOT_FOUND, "the entity has no key: nothing of it is sealed here");
    if (number >= vault->file.count) /* made since the commit: let the caller try again */
        return ax_fail(ctx, AX_CONFLICT, "a key of the entity was made at this moment");
    struct ax_vault_receipt receipt = {.erased_ns = ax_clock_real_ns()};
    memcpy(receipt.key_id, vault->cache[place].slot.key_id, sizeof receipt.key_id);
    cache_drop(vault, number);
    ax_key_table_erase(&vault->table, number); /* not sealed under again, come what may */
    vault->alive--;
    vault->erased++;
    ax_status status = ax_key_file_erase(&vault->file, ctx, number, receipt.erased_ns);
    if (status != AX_OK) {
        vault->failed = true;
        return ax_explain(ctx, status, "erase an entity");
    }
    *out_receipt = receipt;
    return AX_OK;
}

ax_status
ax_vault_erase(struct ax_vault *vault, struct ax_ctx *ctx, ax_str entity,
               struct ax_vault_receipt *out_receipt)
{
    AX_ASSERT(entity.len > 0);
    ax_digest tag = hmac(vault->secrets->tag_key, entity);
    ax_mutex_lock(&vault->writing);
    ax_status status = commit_pending(vault, ctx);
    if (status == AX_OK) {
        ax_mutex_lock(&vault->mutex);
        status = erase_locked(vault, ctx, tag, out_receipt);
        ax_mutex_unlock(&vault->mutex);
    }
    ax_mutex_unlock(&vault->writing);
    return status;
}

bool
ax_vault_erased(struct ax_vault *vault, const uint8_t key_id[AX_EVENT_KEY_ID_BYTES])
{
    ax_mutex_lock(&vault->mutex);
    size_t number = ax_key_table_find_id(&vault->table, prefix_of(key_id), SIZE_MAX);
    bool erased = number != SIZE_MAX && vault->table.rows[number].erased;
    ax_mutex_unlock(&vault->mutex);
    return erased;
}

void
ax_vault_count(struct ax_vault *vault, uint64_t *out_alive, uint64_t *out_erased)
{
    ax_mutex_lock(&vault->mutex);
    *out_alive = vault->alive;
    *out_erased = vault->erased;
    ax_mutex_unlock(&vault->mutex);
}

/* ---- rewrapping ---- */

struct rewrapping {
    const uint8_t *from, *to;
};

static ax_status
rewrap_slot(void *arg, struct ax_ctx *ctx, struct ax_key_file_slot *slot)
{
    const struct rewrapping *rewrapping = arg;
    uint8_t key[AX_KEY_BYTES];
    ax_status status = unwrap(ctx, rewrapping->from, slot, key);
    if (status == AX_OK)
        wrap(rewrapping->to, key, slot);
    ax_crypto_wipe(key, sizeof key);
    return status;
}

/* The head under a key-encryption key; holds the key that hashes entities. */
static struct ax_key_file_slot
head_of(const uint8_t kek[AX_KEY_BYTES], const uint8_t tag_key[AX_KEY_BYTES])
{
    struct ax_key_file_slot head = {.state = AX_KEY_FILE_HEAD};
    kek_id(kek, head.key_id);
    wrap(kek, tag_key, &head);
    return head;
}

/* The caller holds both locks, and everything is on the disk. */
static ax_status
rewrap_locked(struct ax_vault *vault, struct ax_ctx *ctx, const uint8_t kek[AX_KEY_BYTES])
{
    struct ax_key_file_slot head = head_of(kek, vault->secrets->tag_key);
    struct rewrapping rewrapping = {vault->secrets->kek, kek};
    ax_status status = ax_key_file_replace(&vault->file, ctx, &head, rewrap_slot, &rewrapping);
    bool replaced = memcmp(vault->file.head.key_id, head.key_id, sizeof head.key_id) == 0;
    if (replaced)
        memcpy(vault->secrets->kek, kek, AX_KEY_BYTES);
    for (size_t i = 0; i < vault->cache_entries; i++) /* their slots have changed */
        vault->cache[i].number = 0;
    vault->failed = status != AX_OK && replaced;
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "wrap keys anew");
}

ax_status
ax_vault_rewrap(struct ax_vault *vault, struct ax_ctx *ctx, ax_str new_kek_path)
{
    uint8_t kek[AX_KEY_BYTES];
    AX_TRY(kek_read(ctx, new_kek_path, kek));
    ax_mutex_lock(&vault->writing);
    ax_mutex_lock(&vault->mutex);
    ax_status status = AX_OK;
    if (vault->failed)
        status = ax_fail(ctx, AX_UNAVAILABLE, "a write of keys failed before");
    if (status == AX_OK && vault->pending_count > 0)
        status = ax_key_file_append(&vault->file, ctx, vault->pending, vault->pending_count);
    if (status == AX_OK) {
        vault->pending_count = 0;
        status = rewrap_locked(vault, ctx, kek);
    } else if (status != AX_LIMIT) {
        vault->failed = true;
    }
    ax_mutex_unlock(&vault->mutex);
    ax_mutex_unlock(&vault->writing);
    ax_crypto_wipe(kek, sizeof kek);
    return status;
}

ax_digest
ax_vault_secret(struct ax_vault *vault, ax_str purpose)
{
    ax_digest of_purpose = ax_sha256(purpose);
    static const char label[] = "axiom secret for ";
    char said[sizeof label - 1 + sizeof of_purpose];
    memcpy(said, label, sizeof label - 1);
    memcpy(said + sizeof label - 1, &of_purpose, sizeof of_purpose);
    ax_mutex_lock(&vault->mutex); /* the key may just be wrapped anew */
    ax_digest secret = hmac(vault->secrets->kek, (ax_str){said, sizeof said});
    ax_mutex_unlock(&vault->mutex);
    return secret;
}

/* ---- opening and closing ---- */

static ax_status
open_slot(void *arg, struct ax_ctx *ctx, uint64_t number, const struct ax_key_file_slot *slot)
{
    struct ax_vault *vault = arg;
    if (!ax_key_table_room(&vault->table))
        return ax_fail(ctx, AX_LIMIT, "no memory for key %" PRIu64, number);
    bool alive = slot->state == AX_KEY_FILE_ALIVE, erased = slot->state == AX_KEY_FILE_ERASED;
    ax_key_table_add(&vault->table,
                     (struct ax_key_table_row){.tag = alive ? prefix_of(slot->tag) : 0,
                                               .id = alive || erased ? prefix_of(slot->key_id) : 0,
                                               .erased = erased});
    vault->alive += alive;
    vault->erased += erased;
    return AX_OK;
}

static ax_status
open_keys(struct ax_vault *vault, struct ax_ctx *ctx, const struct ax_vault_config *config)
{
    uint8_t id[AX_KEY_FILE_ID_BYTES];
    AX_TRY(kek_read(ctx, config->kek_path, vault->secrets->kek));
    ax_random_bytes(vault->secrets->tag_key, AX_KEY_BYTES);
    struct ax_key_file_slot first = head_of(vault->secrets->kek, vault->secrets->tag_key);
    ax_str folder = {vault->folder, config->folder.len};
    AX_TRY(ax_key_file_open(ctx, folder, &first, &vault->file));
    kek_id(vault->secrets->kek, id);
    if (memcmp(id, vault->file.head.key_id, sizeof id) != 0)
        return ax_fail(ctx, AX_DENIED, "the keys in %.*s were not wrapped under the key in %.*s",
                       AX_FMT(config->folder), AX_FMT(config->kek_path));
    AX_TRY(unwrap(ctx, vault->secrets->kek, &vault->file.head, vault->secrets->tag_key));
    return ax_key_file_scan(&vault->file, ctx, open_slot, vault);
}

static void
vault_free(struct ax_vault *vault)
{
    ax_key_file_close(&vault->file);
    ax_key_table_done(&vault->table);
    ax_free(vault->pending);
    ax_free(vault->cache);
    ax_crypto_secret_free(vault->secrets);
    ax_mutex_done(&vault->mutex);
    ax_mutex_done(&vault->writing);
    ax_free(vault);
}

ax_status
ax_vault_open(struct ax_ctx *ctx, const struct ax_vault_config *config, struct ax_vault **out_vault)
{
    struct ax_vault *vault = ax_alloc(sizeof *vault + config->folder.len + 1, 1);
    if (!vault)
        return ax_fail(ctx, AX_LIMIT, "no memory for a vault");
    ax_mutex_init(&vault->mutex);
    ax_mutex_init(&vault->writing);
    vault->file = (struct ax_key_file){.lock = {-1}, .file = {-1}};
    memcpy(vault->folder, config->folder.at, config->folder.len);
    vault->cache_entries =
        config->cache_entries > 0 ? (size_t)config->cache_entries : (size_t)CACHE_ENTRIES;
    vault->cache = ax_alloc(sizeof *vault->cache, vault->cache_entries);
    vault->secrets =
        ax_crypto_secret_new(sizeof *vault->secrets + vault->cache_entries * AX_KEY_BYTES);
    ax_status status = vault->cache && vault->secrets
                           ? open_keys(vault, ctx, config)
                           : ax_fail(ctx, AX_LIMIT, "no memory for a vault's keys");
    if (status != AX_OK) {
        vault_free(vault);
        return ax_explain(ctx, status, "open vault %.*s", AX_FMT(config->folder));
    }
    *out_vault = vault;
    return AX_OK;
}

void
ax_vault_close(struct ax_vault *vault)
{
    ax_fault_benign_begin();
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    if (arena)
        ax_ignore(ax_vault_commit(vault, &ctx), "what a fact needs was committed with the fact");
    ax_fault_benign_end();
    vault_free(vault);
}

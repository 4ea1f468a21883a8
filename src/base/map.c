#include "base/map.h"

struct slot {
    ax_str key;
    void *value;
    uint64_t hash;
};

struct ax_map {
    struct ax_arena *arena;
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t count;
};

enum { FIRST_SLOTS = 16 };

static uint64_t seed_low = UINT64_C(0x9e3779b97f4a7c15), seed_high = UINT64_C(0xd1b54a32d192ed03);

void
ax_map_seed(uint64_t low, uint64_t high)
{
    seed_low = low;
    seed_high = high;
}

static inline void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = v[1] << 13 | v[1] >> 51;
    v[1] ^= v[0];
    v[0] = v[0] << 32 | v[0] >> 32;
    v[2] += v[3];
    v[3] = v[3] << 16 | v[3] >> 48;
    v[3] ^= v[2];
    v[0] += v[3];
    v[3] = v[3] << 21 | v[3] >> 43;
    v[3] ^= v[0];
    v[2] += v[1];
    v[1] = v[1] << 17 | v[1] >> 47;
    v[1] ^= v[2];
    v[2] = v[2] << 32 | v[2] >> 32;
}

/* SipHash-1-3. Source: Aumasson, Bernstein, SipHash, 2012. */
uint64_t
ax_map_hash(ax_str key)
{
    uint64_t v[4] = {
        seed_low ^ UINT64_C(0x736f6d6570736575), seed_high ^ UINT64_C(0x646f72616e646f6d),
        seed_low ^ UINT64_C(0x6c7967656e657261), seed_high ^ UINT64_C(0x7465646279746573)};
    size_t at = 0;
    for (; at + 8 <= key.len; at += 8) {
        uint64_t word;
        memcpy(&word, key.at + at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.len << 56;
    for (size_t i = 0; at + i < key.len; i++)
        last |= (uint64_t)(unsigned char)key.at[at + i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct ax_map *
ax_map_new(struct ax_arena *arena)
{
    struct ax_map *map = AX_NEW(arena, struct ax_map);
    if (!map)
        return NULL;
    map->arena = arena;
    map->slots = AX_NEW_ARRAY(arena, struct slot, FIRST_SLOTS);
    map->slot_count = FIRST_SLOTS;
    return map->slots ? map : NULL;
}

/* The slot that holds key, or the empty one where it would go. */
static struct slot *
slot_of(struct slot *slots, size_t slot_count, ax_str key, uint64_t hash)
{
    for (size_t i = hash & (slot_count - 1);; i = (i + 1) & (slot_count - 1)) {
        struct slot *slot = &slots[i];
        if (!slot->value || (slot->hash == hash && ax_str_eq(slot->key, key)))
            return slot;
    }
}

static bool
grow(struct ax_map *map)
{
    size_t more = map->slot_count * 2;
    struct slot *slots = AX_NEW_ARRAY(map->arena, struct slot, more);
    if (!slots)
        return false;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].value)
            *slot_of(slots, more, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    map->slots = slots;
    map->slot_count = more;
    return true;
}

bool
ax_map_put(struct ax_map *map, ax_str key, void *value)
{
    if (!value) /* what an arena past its budget gave */
        return false;
    if (map->count * 4 >= map->slot_count * 3 && !grow(map))
        return false;
    uint64_t hash = ax_map_hash(key);
    struct slot *slot = slot_of(map->slots, map->slot_count, key, hash);
    map->count += !slot->value;
    *slot = (struct slot){.key = key, .value = value, .hash = hash};
    return true;
}

void *
ax_map_find(const struct ax_map *map, ax_str key)
{
    return slot_of(map->slots, map->slot_count, key, ax_map_hash(key))->value;
}

size_t
ax_map_count(const struct ax_map *map)
{
    return map->count;
}

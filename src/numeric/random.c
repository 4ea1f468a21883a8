#include "numeric/random.h"

#include "base/assert.h"
#include "numeric/distribution.h"

enum { ROUNDS = 10 };

static const uint32_t MULTIPLIER[2] = {0xD2511F53, 0xCD9E8D57};
static const uint32_t KEY_STEP[2] = {0x9E3779B9, 0xBB67AE85};

void
ax_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a = (uint64_t)MULTIPLIER[0] * c[0];
        uint64_t b = (uint64_t)MULTIPLIER[1] * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        k[0] += KEY_STEP[0];
        k[1] += KEY_STEP[1];
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

uint64_t
ax_random_at(uint64_t seed, uint64_t stream, uint64_t index)
{
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    ax_random_philox(counter, key, out);
    return out[0] | (uint64_t)out[1] << 32;
}

uint64_t
ax_random_u64(struct ax_random *random)
{
    return ax_random_at(random->seed, random->stream, random->index++);
}

uint64_t
ax_random_below(struct ax_random *random, uint64_t bound)
{
    AX_ASSERT(bound > 0);
    /* Lemire 2019: the high half of a product is even once the short first interval is refused. */
    uint64_t refused_below = (0 - bound) % bound;
    for (;;) {
        __uint128_t product = (__uint128_t)ax_random_u64(random) * bound;
        if ((uint64_t)product >= refused_below)
            return (uint64_t)(product >> 64);
    }
}

double
ax_random_unit(struct ax_random *random)
{
    return (double)(ax_random_u64(random) >> 11) * 0x1p-53;
}

double
ax_random_normal(struct ax_random *random)
{
    /* The middle of one of 2^53 cells, so that 0 and 1 do not occur. */
    return ax_distribution_normal_quantile(((double)(ax_random_u64(random) >> 12) + 0.5) * 0x1p-52);
}

void
ax_random_shuffle(struct ax_random *random, uint32_t *items, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        size_t other = (size_t)ax_random_below(random, left);
        uint32_t item = items[left - 1];
        items[left - 1] = items[other];
        items[other] = item;
    }
}

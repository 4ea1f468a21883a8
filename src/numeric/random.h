/*
 * Random numbers that anybody can make again: counter-based, seeded, without hidden state.
 *
 * Number `index` of stream `stream` under `seed` is a pure function of the three (Philox4x32-10),
 * so a record that names them names every draw, in any order and on any machine. Two uses of one
 * seed take different streams. It is not for secrets: those come from sys/crypto.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A cursor over one stream; a value. */
struct ax_random {
    uint64_t seed;
    uint64_t stream;
    uint64_t index; /* of the next draw */
};

static inline struct ax_random
ax_random_of(uint64_t seed, uint64_t stream)
{
    return (struct ax_random){.seed = seed, .stream = stream};
}

/*
 * The block cipher itself: four words of counter, two of key, ten rounds.
 * Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011; Random123 vectors.
 */
void ax_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* 64 even bits. */
uint64_t ax_random_at(uint64_t seed, uint64_t stream, uint64_t index);

uint64_t ax_random_u64(struct ax_random *random);

/* Even in 0 .. bound - 1, without the bias of a remainder; bound > 0. */
uint64_t ax_random_below(struct ax_random *random, uint64_t bound);

/* Even in [0, 1): 53 bits. */
double ax_random_unit(struct ax_random *random);

/* Standard normal, by inversion: one draw a number. */
double ax_random_normal(struct ax_random *random);

/* Every order equally likely (Fisher and Yates, from the end). */
void ax_random_shuffle(struct ax_random *random, uint32_t *items, size_t count);

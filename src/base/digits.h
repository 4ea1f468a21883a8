/*
 * Digits of a number eight at a time, in a register: a loop over them is guessed wrong once a
 * number.
 */
#pragma once

#include <stdint.h>
#include <string.h>

enum { AX_DIGITS_WORD = sizeof(uint64_t) };

/* Eight bytes, the first one lowest. */
static inline uint64_t
ax_digits_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* How many of a word's bytes are digits before the first that is none. */
static inline size_t
ax_digits_count(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t others = (word ^ ones * '0') & ones * 0x80;
    others |= ((word & ones * 0x7f) ^ ones * '0') + ones * (0x80 - 10);
    others &= ones * 0x80;
    return others ? (size_t)__builtin_ctzll(others) / 8 : sizeof word;
}

/* The number that so many bytes of a word are, at least one: pairs, fours, all. */
static inline uint64_t
ax_digits_number(uint64_t word, size_t count)
{
    word = (word ^ UINT64_C(0x3030303030303030)) << (sizeof word - count) * 8;
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (word * 10'000 + (word >> 32)) & UINT64_C(0x00000000ffffffff);
}

#include "stream/crc32c.h"

enum { TABLE_LEN = 256 };

static const uint32_t polynomial = UINT32_C(0x82F63B78);

static uint32_t table[TABLE_LEN];

[[gnu::constructor]] static void
table_fill(void)
{
    for (uint32_t i = 0; i < TABLE_LEN; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
        table[i] = crc;
    }
}

static uint32_t
crc_by_table(uint32_t crc, ax_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        crc = (crc >> 8) ^ table[(crc ^ (uint8_t)bytes.at[i]) & 0xFF];
    return crc;
}

#ifdef __x86_64__
[[gnu::target("sse4.2")]] static uint32_t
crc_by_instruction(uint32_t crc, ax_str bytes)
{
    uint64_t wide = crc;
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= bytes.len; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes.at + at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; at < bytes.len; at++)
        crc = __builtin_ia32_crc32qi(crc, (uint8_t)bytes.at[at]);
    return crc;
}
#endif

uint32_t
ax_crc32c(uint32_t before, ax_str bytes)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_by_instruction(~before, bytes);
#endif
    return ~crc_by_table(~before, bytes);
}

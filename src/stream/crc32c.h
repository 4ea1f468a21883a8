/*
 * CRC-32C (Castagnoli, reflected 0x82F63B78): tells a torn or rotten frame from a whole one.
 *
 * Not a defence against people: that is the Merkle tree's. Uses the processor's instruction where
 * there is one.   Source: RFC 3720 appendix B.4 (test vectors).
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* The CRC of what went before (0 at the start) carried on over bytes. */
uint32_t ax_crc32c(uint32_t before, ax_str bytes);

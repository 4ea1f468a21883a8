#include "stream/crc32c.h"

#include "harness.h"

/* RFC 3720 appendix B.4, and the check value of the catalogue of CRCs. */
TEST(crc32c_agrees_with_the_published_values)
{
    char zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (char)i;
        down[i] = (char)(31 - i);
    }
    const struct {
        ax_str bytes;
        uint32_t want;
    } cases[] = {
        {AX_STR(""), 0},
        {AX_STR("123456789"), UINT32_C(0xE3069283)},
        {{zeros, 32}, UINT32_C(0x8A9136AA)},
        {{ones, 32}, UINT32_C(0x62A8AB43)},
        {{up, 32}, UINT32_C(0x46DD794E)},
        {{down, 32}, UINT32_C(0x113FDB5C)},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_crc32c(0, cases[i].bytes), cases[i].want);
}

TEST(crc32c_in_pieces_is_the_crc_of_the_whole)
{
    char bytes[100];
    for (int i = 0; i < 100; i++)
        bytes[i] = (char)(i * 37);
    uint32_t whole = ax_crc32c(0, (ax_str){bytes, sizeof bytes});
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t first = ax_crc32c(0, (ax_str){bytes, cut});
        CHECK_EQ(ax_crc32c(first, (ax_str){bytes + cut, sizeof bytes - cut}), whole);
    }
}

#include "net/address.h"

#include <arpa/inet.h>

#include "base/status.h"

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct {
    uint32_t network;
    int bits;
} special[] = {
    {V4(0, 0, 0, 0), 8},      {V4(10, 0, 0, 0), 8},     {V4(100, 64, 0, 0), 10},
    {V4(127, 0, 0, 0), 8},    {V4(169, 254, 0, 0), 16}, {V4(172, 16, 0, 0), 12},
    {V4(192, 0, 0, 0), 24},   {V4(192, 0, 2, 0), 24},   {V4(192, 88, 99, 0), 24},
    {V4(192, 168, 0, 0), 16}, {V4(198, 18, 0, 0), 15},  {V4(198, 51, 100, 0), 24},
    {V4(203, 0, 113, 0), 24}, {V4(224, 0, 0, 0), 3},
};

bool
ax_address_is_public_v4(uint32_t address)
{
    for (size_t i = 0; i < AX_COUNT_OF(special); i++)
        if ((address ^ special[i].network) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

static uint32_t
v4_at(const uint8_t *at)
{
    return V4(at[0], at[1], at[2], at[3]);
}

static bool
starts(const uint8_t address[16], const char *prefix, size_t len)
{
    return memcmp(address, prefix, len) == 0;
}

bool
ax_address_is_public_v6(const uint8_t address[16])
{
    if (starts(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)) /* IPv4-mapped */
        return ax_address_is_public_v4(v4_at(address + 12));
    if (starts(address, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12)) /* NAT64 */
        return ax_address_is_public_v4(v4_at(address + 12));
    if (starts(address, "\x20\x02", 2)) /* 6to4 */
        return ax_address_is_public_v4(v4_at(address + 2));
    if (starts(address, "\x20\x01\x0d\xb8", 4) || starts(address, "\x20\x01\0\0", 4))
        return false;                   /* documentation; Teredo */
    return (address[0] & 0xe0) == 0x20; /* 2000::/3 is what is given out */
}

ax_str
ax_address_host(ax_str url, ax_str *out_scheme)
{
    size_t at = ax_str_find(url, AX_STR("://"));
    *out_scheme = at == SIZE_MAX ? AX_STR("") : (ax_str){url.at, at};
    ax_str rest = at == SIZE_MAX ? AX_STR("") : ax_str_from(url, at + 3), host;
    size_t len = 0;
    while (len < rest.len && !strchr("/?#\\", rest.at[len]))
        len++;
    rest.len = len;
    if (memchr(rest.at, '@', rest.len))
        return AX_STR("");
    if (rest.len && rest.at[0] == '[') {
        const char *end = memchr(rest.at, ']', rest.len);
        return end ? (ax_str){rest.at + 1, (size_t)(end - rest.at) - 1} : AX_STR("");
    }
    return ax_str_cut(&rest, ':', &host) ? host : AX_STR("");
}

bool
ax_address_host_may_be_public(ax_str host)
{
    char text[INET6_ADDRSTRLEN + 1] = "";
    uint8_t bytes[16];
    bool number = host.len > 0;
    if (host.len < sizeof text)
        memcpy(text, host.at, host.len);
    for (size_t i = 0; number && i < host.len; i++)
        number = (host.at[i] >= '0' && host.at[i] <= '9') || host.at[i] == '.';
    if (memchr(host.at, ':', host.len))
        return inet_pton(AF_INET6, text, bytes) == 1 && ax_address_is_public_v6(bytes);
    if (number || ax_str_starts(host, AX_STR("0x")))
        return inet_pton(AF_INET, text, bytes) == 1 && ax_address_is_public_v4(v4_at(bytes));
    return host.len > 0 && !ax_str_eq_ignoring_case(host, AX_STR("localhost")) &&
           !ax_str_ends(host, AX_STR(".localhost"));
}

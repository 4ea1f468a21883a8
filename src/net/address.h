/*
 * Which addresses are the internet's, and which are this machine's or this house's: for a client
 * that strangers may give URLs to.
 *
 * Not public: loopback, private, link-local (where clouds keep credentials), shared (CGNAT),
 * multicast, reserved and documentation ranges, and IPv6 forms that wrap such an IPv4 address.
 *
 * Source: IANA's special-purpose registries (RFC 6890).
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

bool ax_address_is_public_v4(uint32_t address); /* in the machine's byte order */
bool ax_address_is_public_v6(const uint8_t address[16]);

/*
 * The host of an http or https URL, without brackets and port; "" when it is none, or names a user.
 * out_scheme: "https".
 */
ax_str ax_address_host(ax_str url, ax_str *out_scheme);

/*
 * Whether a host may be one of the internet's: false for literals that are not public, for numbers
 * that are no address in its usual form (127.1, 0x7f000001), and for localhost. Other names are
 * only known when they are looked up.
 */
bool ax_address_host_may_be_public(ax_str host);

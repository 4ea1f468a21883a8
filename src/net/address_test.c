#include "net/address.h"

#include "harness.h"

TEST(addresses_of_this_house_are_not_public)
{
    static const struct {
        const char *url;
        bool may;
    } cases[] = {
        {"https://example.com/x", true},
        {"https://93.184.216.34:8443/x?y", true},
        {"https://[2606:2800:220:1::]/", true},
        {"https://localhost/", false},
        {"https://a.localhost", false},
        {"https://127.0.0.1/", false},
        {"https://127.1/", false},
        {"https://2130706433/", false},
        {"https://0x7f000001/", false},
        {"https://0177.0.0.1/", false},
        {"https://10.1.2.3/", false},
        {"https://172.16.0.1/", false},
        {"https://172.32.0.1/", true},
        {"https://192.168.1.1/", false},
        {"https://169.254.169.254/latest/meta-data", false},
        {"https://100.64.0.1/", false},
        {"https://0.0.0.0/", false},
        {"https://224.0.0.1/", false},
        {"https://255.255.255.255/", false},
        {"https://[::1]/", false},
        {"https://[::]/", false},
        {"https://[fe80::1]/", false},
        {"https://[fd00::1]/", false},
        {"https://[::ffff:10.0.0.1]/", false},
        {"https://[64:ff9b::7f00:1]/", false},
        {"https://[2002:7f00:1::]/", false},
        {"https://[2001:db8::1]/", false},
        {"https://[::1/", false},
        {"https://user:pw@example.com/", false},
        {"https:///x", false},
        {"example.com", false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str scheme, host = ax_address_host(ax_str_of(cases[i].url), &scheme);
        if (ax_address_host_may_be_public(host) != cases[i].may)
            ax_test_failed(__FILE__, __LINE__, "%s: '%.*s'", cases[i].url, AX_FMT(host));
    }
    ax_str scheme;
    CHECK_STR(ax_address_host(AX_STR("http://a.b:80/c"), &scheme), "a.b");
    CHECK_STR(scheme, "http");
}

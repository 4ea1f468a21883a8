#include "net/admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "harness.h"

static uint64_t
key_of(const char *text)
{
    struct sockaddr_storage at = {};
    struct sockaddr_in *four = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        at.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        at.ss_family = AF_INET6;
    return ax_admission_key((struct sockaddr *)&at);
}

TEST(admission_counts_by_ipv4_address_and_ipv6_network)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"2001:db8::1", "2001:db8::ffff:1", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::1", "10.0.0.1", false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(key_of(cases[i].a) == key_of(cases[i].b), cases[i].same);
        CHECK(key_of(cases[i].a) != 0);
    }
    CHECK_EQ(ax_admission_key(&(struct sockaddr){.sa_family = AF_UNIX}), 0);
}

static void
limits(struct ax_ctx *ctx)
{
    ax_auto(ax_admission_close) struct ax_admission *admission = NULL;
    CHECK(ax_admission_open(ctx, 3, 2, &admission) == AX_OK);
    CHECK(ax_admission_enter(admission, 7));
    CHECK(ax_admission_enter(admission, 7));
    CHECK(!ax_admission_enter(admission, 7));
    CHECK(ax_admission_enter(admission, 8));
    CHECK(!ax_admission_enter(admission, 9));
    CHECK(!ax_admission_enter(admission, 0));
    ax_admission_leave(admission, 7);
    CHECK(ax_admission_enter(admission, 0));
    ax_admission_count_cut(admission);
    ax_admission_count_refused(admission);
    struct ax_admission_totals totals = ax_admission_totals(admission);
    CHECK_EQ(totals.open, 3);
    CHECK_EQ(totals.accepted, 4);
    CHECK_EQ(totals.refused, 4);
    CHECK_EQ(totals.cut, 1);
}

TEST(admission_keeps_both_limits)
{
    ax_test_with_ctx(limits);
}

enum { ADDRESSES = 100, ROUNDS = 20'000 };

/* Against a plain table, at a size at which slots collide all the time. */
static void
random_walk(struct ax_ctx *ctx)
{
    ax_auto(ax_admission_close) struct ax_admission *admission = NULL;
    int counts[ADDRESSES] = {}, open = 0;
    uint32_t seed = 11;
    CHECK(ax_admission_open(ctx, ADDRESSES, 3, &admission) == AX_OK);
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t at = (seed >> 8) % ADDRESSES;
        if (seed >> 31 || counts[at] == 0) {
            bool fits = counts[at] < 3 && open < ADDRESSES;
            CHECK_EQ(ax_admission_enter(admission, at + 1), fits);
            counts[at] += fits;
            open += fits;
        } else {
            ax_admission_leave(admission, at + 1);
            counts[at]--;
            open--;
        }
    }
    CHECK_EQ(ax_admission_totals(admission).open, open);
}

TEST(admission_forgets_addresses_that_have_left)
{
    ax_test_with_ctx(random_walk);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_admission *admission = NULL;
    AX_TRY(ax_admission_open(ctx, 100, 10, &admission));
    ax_admission_close(admission);
    return AX_OK;
}

TEST(admission_survives_every_fault_of_its_opening)
{
    FAULT_SWEEP(open_and_close);
}

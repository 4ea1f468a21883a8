#include "numeric/random.h"

#include <math.h>

#include "harness.h"

TEST(random_philox_gives_the_published_vectors)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {
        /* Random123, kat_vectors, philox4x32 10 */
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        uint32_t got[4];
        ax_random_philox(cases[i].counter, cases[i].key, got);
        for (int w = 0; w < 4; w++)
            CHECK_EQ(got[w], cases[i].want[w]);
    }
}

TEST(random_draws_depend_on_seed_stream_and_index_alone)
{
    CHECK(ax_random_at(1, 2, 3) == ax_random_at(1, 2, 3));
    CHECK(ax_random_at(1, 2, 3) != ax_random_at(2, 2, 3));
    CHECK(ax_random_at(1, 2, 3) != ax_random_at(1, 3, 3));
    CHECK(ax_random_at(1, 2, 3) != ax_random_at(1, 2, 4));
    struct ax_random random = ax_random_of(1, 2);
    for (uint64_t i = 0; i < 4; i++)
        CHECK(ax_random_u64(&random) == ax_random_at(1, 2, i));
}

TEST(random_below_is_even_and_never_reaches_its_bound)
{
    static const uint64_t bounds[] = {1, 2, 3, 7, 10};
    for (size_t b = 0; b < AX_COUNT_OF(bounds); b++) {
        enum { DRAWS = 20'000 };
        uint64_t counts[10] = {};
        struct ax_random random = ax_random_of(42, b);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t draw = ax_random_below(&random, bounds[b]);
            CHECK(draw < bounds[b]);
            counts[draw % 10]++;
        }
        double expected = (double)DRAWS / (double)bounds[b];
        for (uint64_t v = 0; v < bounds[b]; v++)
            CHECK(fabs((double)counts[v] - expected) < 5 * sqrt(expected));
    }
    struct ax_random random = ax_random_of(42, 99);
    for (int i = 0; i < 1'000; i++)
        CHECK(ax_random_below(&random, UINT64_MAX) < UINT64_MAX);
}

TEST(random_units_and_normals_have_their_moments)
{
    enum { DRAWS = 50'000 };
    struct ax_random random = ax_random_of(7, 0);
    double sum = 0, squares = 0, normals = 0, normal_squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        double unit = ax_random_unit(&random);
        CHECK(unit >= 0 && unit < 1);
        sum += unit;
        squares += unit * unit;
        double normal = ax_random_normal(&random);
        CHECK(isfinite(normal));
        normals += normal;
        normal_squares += normal * normal;
    }
    CHECK(fabs(sum / DRAWS - 0.5) < 0.006);
    CHECK(fabs(squares / DRAWS - 1.0 / 3) < 0.006);
    CHECK(fabs(normals / DRAWS) < 0.02);
    CHECK(fabs(normal_squares / DRAWS - 1) < 0.03);
}

TEST(random_shuffle_gives_every_order_its_share)
{
    enum { DRAWS = 12'000, ORDERS = 27 };
    int counts[ORDERS] = {};
    struct ax_random random = ax_random_of(3, 1);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t items[3] = {0, 1, 2};
        ax_random_shuffle(&random, items, 3);
        counts[items[0] * 9 + items[1] * 3 + items[2]]++;
    }
    int orders = 0;
    for (int i = 0; i < ORDERS; i++) {
        orders += counts[i] > 0;
        if (counts[i] > 0)
            CHECK(counts[i] > DRAWS / 6 - 250 && counts[i] < DRAWS / 6 + 250);
    }
    CHECK_EQ(orders, 6);
}

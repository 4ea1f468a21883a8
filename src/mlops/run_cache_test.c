#include "mlops/run_cache.h"

#include "base/alloc.h"
#include "harness.h"

static bool
has(struct ax_run_cache *cache, int64_t key, int64_t revision, const char *text)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10);
    if (!ax_run_cache_find(cache, key, revision, &out))
        return false;
    CHECK_STR(ax_writer_str(&out), text);
    return true;
}

TEST(a_run_is_found_as_of_its_revision)
{
    struct ax_run_cache *cache = ax_run_cache_new(1 << 10);
    REQUIRE(cache != NULL);
    CHECK(!has(cache, 7, 0, ""));
    ax_run_cache_keep(cache, 7, 1, AX_STR("one"));
    CHECK(has(cache, 7, 1, "one"));
    CHECK(!has(cache, 7, 2, ""));
    ax_run_cache_keep(cache, 7, 2, AX_STR("two"));
    CHECK(has(cache, 7, 2, "two"));
    CHECK(!has(cache, 7, 1, ""));
    ax_run_cache_free(cache);
}

/* Runs that share a place: five where four fit, of which the one shown last stays. */
TEST(what_was_not_shown_for_longest_goes_first)
{
    struct ax_run_cache *cache = ax_run_cache_new(1 << 10);
    REQUIRE(cache != NULL);
    for (int64_t i = 0; i < 4; i++)
        ax_run_cache_keep(cache, i * 4096, 0, AX_STR("x"));
    CHECK(has(cache, 0, 0, "x"));
    ax_run_cache_keep(cache, 4 * 4096, 0, AX_STR("y"));
    CHECK(has(cache, 0, 0, "x"));
    CHECK(!has(cache, 4096, 0, ""));
    CHECK(has(cache, 4 * 4096, 0, "y"));
    ax_run_cache_free(cache);
}

TEST(memory_has_a_bound)
{
    struct ax_run_cache *cache = ax_run_cache_new(800);
    char text[100] = {};
    int kept = 0;
    REQUIRE(cache != NULL);
    memset(text, 'a', sizeof text);
    for (int64_t i = 0; i < 50; i++)
        ax_run_cache_keep(cache, i, 0, (ax_str){text, sizeof text});
    for (int64_t i = 0; i < 50; i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10);
        kept += ax_run_cache_find(cache, i, 0, &out);
    }
    CHECK_EQ(kept, 8);
    ax_run_cache_keep(cache, 99, 0, (ax_str){text, 101});
    CHECK(!has(cache, 99, 0, ""));
    ax_run_cache_free(cache);
}

#include "sys/crypto_key_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "harness.h"
#include "sys/file.h"

static char folder[64]; /* a fresh one for each test, which runs in a process of its own */

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-key-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_test_with_ctx(body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static void
made_once(struct ax_ctx *ctx)
{
    uint8_t first[AX_KEY_BYTES] = {}, again[AX_KEY_BYTES] = {}, other[AX_KEY_BYTES] = {};
    ax_str path = ax_str_printf(ctx->arena, "%s/keys/a.key", folder);
    ax_str second = ax_str_printf(ctx->arena, "%s/keys/b.key", folder);
    struct stat facts;
    ax_str *names = NULL;
    size_t count = 0;
    CHECK_EQ(ax_crypto_key_file_read(ctx, path, again), AX_NOT_FOUND);
    CHECK(!ax_file_exists(path)); /* who opens makes none */
    CHECK_EQ(ax_crypto_key_file_need(ctx, path, first), AX_OK);
    CHECK_EQ(ax_crypto_key_file_need(ctx, path, again), AX_OK);
    CHECK(memcmp(first, again, AX_KEY_BYTES) == 0);
    CHECK_EQ(ax_crypto_key_file_read(ctx, path, again), AX_OK);
    CHECK(memcmp(first, again, AX_KEY_BYTES) == 0);
    CHECK_EQ(ax_crypto_key_file_need(ctx, second, other), AX_OK);
    CHECK(memcmp(first, other, AX_KEY_BYTES) != 0);
    CHECK_EQ(stat(path.at, &facts), 0);
    CHECK_EQ(facts.st_mode & 07777, 0600);
    CHECK_EQ(ax_file_list(ctx, ax_str_printf(ctx->arena, "%s/keys", folder), &names, &count),
             AX_OK);
    CHECK_EQ(count, 2); /* nothing is left beside them */
}

TEST(a_key_is_made_once_for_its_owners_eyes)
{
    in_fresh_folder(made_once);
}

static void
broken(struct ax_ctx *ctx)
{
    static const char *const cases[] = {
        "", "0011", "zz00000000000000000000000000000000000000000000000000000000000000\n"};
    ax_str path = ax_str_printf(ctx->arena, "%s/key", folder);
    uint8_t key[AX_KEY_BYTES] = {7};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_file_write_atomic(ctx, path, ax_str_of(cases[i])), AX_OK);
        CHECK_EQ(ax_crypto_key_file_need(ctx, path, key), AX_INVALID);
        CHECK_EQ(ax_crypto_key_file_read(ctx, path, key), AX_INVALID);
        CHECK(strstr(ctx->error, "64 hex digits are expected") != NULL);
        CHECK_EQ(key[0], 7);
    }
}

TEST(a_broken_key_is_refused_and_stays)
{
    in_fresh_folder(broken);
}

/* A fault leaves a whole key or none. */
static ax_status
need(struct ax_ctx *ctx)
{
    static int run;
    uint8_t key[AX_KEY_BYTES];
    ax_str path = ax_str_printf(ctx->arena, "%s/keys/%d.key", folder, run++);
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    return ax_crypto_key_file_need(ctx, path, key);
}

static void
swept(struct ax_ctx *ctx)
{
    ax_str *names = NULL;
    size_t count = 0;
    FAULT_SWEEP(need);
    ax_str keys = ax_str_printf(ctx->arena, "%s/keys", folder);
    CHECK_EQ(ax_file_list(ctx, keys, &names, &count), AX_OK);
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        uint8_t key[AX_KEY_BYTES];
        if (ax_str_ends(names[i], AX_STR(".key")))
            CHECK_EQ(ax_crypto_key_file_read(ctx, ax_path_join(ctx->arena, keys, names[i]), key),
                     AX_OK);
    }
}

TEST(a_fault_leaves_a_whole_key_or_none)
{
    in_fresh_folder(swept);
}

/*
 * What it costs to know who asks: one API token checked, with ten thousand tokens known.
 *
 *     bench_token [FOLDER]
 *
 * One thread; nobody changes the directory meanwhile. FOLDER (default: a new one in the current
 * folder) holds the database and is removed afterwards.
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/token.h"
#include "store/migrate.h"
#include "store/sqlite.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { TOKENS = 10'000, ROUNDS = 9, CHECKS = 100'000 };

static void
check(struct ax_ctx *ctx, ax_status status, const char *what)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "bench_token: %s: %s\n", what, ctx->error);
    exit(EXIT_FAILURE);
}

static struct ax_store *
open_store(struct ax_ctx *ctx, const char *folder)
{
    int version;
    struct ax_store *store;
    struct ax_sqlite_config config;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = ax_str_printf(ctx->arena, "%s/store.db", folder);
    check(ctx, ax_file_make_folders(ctx, ax_str_of(folder)), "make the folder");
    check(ctx, ax_sqlite_open(ctx, &config, &store), "open the store");
    check(ctx, ax_migrate(store, ctx, &version), "make the tables");
    return store;
}

/* The first user and many tokens of theirs; the last one. */
static ax_str
fill(struct ax_ctx *ctx, struct ax_store *store)
{
    ax_str first;
    struct ax_token_issued issued = {};
    struct ax_store_tx *tx;
    check(ctx, ax_directory_make_first(store, ctx, AX_STR("ada"), &first), "make a user");
    check(ctx, ax_store_begin(store, ctx, AX_STORE_WRITE, &tx), "begin");
    for (int i = 0; i < TOKENS; i++)
        check(ctx, ax_token_put(tx, ctx, AX_STR("ada"), AX_STR(""), 1, &issued), "issue");
    check(ctx, ax_store_commit(tx, ctx), "commit");
    return issued.token;
}

static int
by_time(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

static void
measure(struct ax_directory *directory, ax_str header)
{
    double ns[ROUNDS];
    struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (int round = 0; round < ROUNDS; round++) {
        struct ax_actor actor;
        int64_t begin_ns = ax_clock_monotonic_ns();
        for (int i = 0; i < CHECKS; i++) {
            if (i % 1'000 == 0)
                ax_arena_reset(arena);
            check(&ctx, ax_token_authenticate(directory, &ctx, header, 1, &actor), "authenticate");
        }
        ns[round] = (double)(ax_clock_monotonic_ns() - begin_ns) / CHECKS;
    }
    qsort(ns, ROUNDS, sizeof ns[0], by_time);
    printf("token_check %.0f ns (of %d rounds: %.0f to %.0f), %d tokens known\n", ns[ROUNDS / 2],
           ROUNDS, ns[0], ns[ROUNDS - 1], TOKENS);
    ax_arena_free(arena);
}

int
main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "bench-token.d";
    struct ax_directory *directory;
    struct ax_arena *arena = ax_arena_new((size_t)1 << 28);
    struct ax_ctx ctx = ax_ctx_of(arena);
    check(&ctx, ax_crypto_init(&ctx), "crypto");
    struct ax_store *store = open_store(&ctx, folder);
    ax_str token = fill(&ctx, store);
    ax_str header = ax_str_printf(arena, "Bearer %.*s", AX_FMT(token));
    ax_str cache = ax_str_printf(arena, "%s/directory.json", folder);
    check(&ctx, ax_directory_open(&ctx, store, cache, &directory), "open the directory");
    measure(directory, header);
    ax_directory_close(directory);
    ax_store_close(store);
    check(&ctx, ax_file_remove_tree(&ctx, ax_str_of(folder)), "tidy up");
    ax_arena_free(arena);
    return 0;
}

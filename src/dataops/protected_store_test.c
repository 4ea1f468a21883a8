#include "dataops/protected_store.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "harness.h"
#include "sys/file.h"

static char folder[64]; /* a fresh one for each test, which runs in a process of its own */

static const ax_str sexes[] = {{"femina", 6}, {"vir", 3}};
static const double sex_codes[] = {0, 1, (double)NAN, 0};
static const double ages[] = {30, 41.5, 67, (double)NAN};
static const uint64_t ids[] = {10, 11, 12, UINT64_MAX};
static const struct ax_frame_column columns[] = {
    {.name = {"sex", 3},
     .kind = AX_FRAME_CATEGORY,
     .values = sex_codes,
     .categories = sexes,
     .category_count = 2},
    {.name = {"age", 3}, .kind = AX_FRAME_NUMBER, .values = ages},
};
static const struct ax_frame attributes = {
    .columns = columns, .column_count = 2, .row_count = 4, .row_ids = ids};

static const struct ax_actor fairness = {
    .id = {"fairness-job", 12}, .kind = AX_ACTOR_SERVICE, .roles = AX_ROLE_BIT(FAIRNESS)};
static const struct ax_actor everyone_else = {.id = {"dana", 4}, .roles = ~AX_ROLE_BIT(FAIRNESS)};

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-protected-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_test_with_ctx(body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static struct ax_protected_place
place_of(struct ax_ctx *ctx, const char *file, const char *key, const char *dataset)
{
    return (struct ax_protected_place){
        .path = ax_path_join(ctx->arena, ax_str_of(folder), ax_str_of(file)),
        .key_path = ax_path_join(ctx->arena, ax_str_of(folder), ax_str_of(key)),
        .dataset = ax_sha256(ax_str_of(dataset))};
}

static void
put_file(struct ax_ctx *ctx, ax_str path, ax_str bytes)
{
    CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
}

static void
round_trip_body(struct ax_ctx *ctx)
{
    struct ax_protected_place place = place_of(ctx, "store", "key", "loans");
    struct ax_frame back;
    ax_str before = {}, after = {}, key = {}, again = {};
    ctx->actor = &fairness;
    CHECK_EQ(ax_protected_store_read(ctx, &place, &back), AX_NOT_FOUND);
    CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), AX_OK);
    CHECK_EQ(ax_protected_store_read(ctx, &place, &back), AX_OK);
    CHECK_EQ(ax_frame_encode(ctx, &attributes, &before), AX_OK);
    CHECK_EQ(ax_frame_encode(ctx, &back, &after), AX_OK);
    CHECK(ax_str_eq(before, after));
    /* The key is made once, for its owner's eyes, and nothing is left beside it. */
    CHECK_EQ(ax_file_read_all(ctx, place.key_path, 256, &key), AX_OK);
    CHECK_EQ(key.len, AX_DIGEST_HEX_BYTES + 1);
    struct stat facts;
    CHECK_EQ(stat(place.key_path.at, &facts), 0);
    CHECK_EQ(facts.st_mode & 07777, 0600);
    CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, place.key_path, 256, &again), AX_OK);
    CHECK(ax_str_eq(key, again));
    ax_str *names = NULL;
    size_t count = 0;
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    CHECK_EQ(count, 2);
}

TEST(protected_store_gives_back_what_was_put_in)
{
    in_fresh_folder(round_trip_body);
}

static void
denied_body(struct ax_ctx *ctx)
{
    struct ax_protected_place place = place_of(ctx, "store", "key", "loans");
    struct ax_protected_place nowhere = place_of(ctx, "none", "none", "loans");
    struct ax_frame back = {.row_count = 77};
    CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), AX_OK); /* anybody may put in */
    static const struct ax_actor *const actors[] = {NULL, &everyone_else};
    for (size_t i = 0; i < AX_COUNT_OF(actors); i++) {
        ctx->actor = actors[i];
        CHECK_EQ(ax_protected_store_read(ctx, &place, &back), AX_DENIED);
        CHECK(strstr(ctx->error, "for the fairness job alone") != NULL);
        CHECK_EQ(ax_protected_store_read(ctx, &nowhere, &back), AX_DENIED); /* before any look */
        CHECK_EQ(back.row_count, 77);
    }
}

TEST(r70_protected_store_opens_for_the_fairness_role_and_no_other)
{
    in_fresh_folder(denied_body);
}

static void
sealed_body(struct ax_ctx *ctx)
{
    struct ax_protected_place place = place_of(ctx, "store", "key", "loans");
    struct ax_protected_place other_key = place_of(ctx, "other", "other.key", "loans");
    struct ax_protected_place other_data = place_of(ctx, "store", "key", "cards");
    struct ax_protected_place no_key = place_of(ctx, "store", "no.key", "loans");
    struct ax_frame back = {.row_count = 77};
    ax_str bytes = {};
    ctx->actor = &fairness;
    CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), AX_OK);
    CHECK_EQ(ax_protected_store_write(ctx, &other_key, &attributes), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, place.path, 1 << 16, &bytes), AX_OK);
    static const char *const secrets[] = {"femina", "vir", "sex", "AXFRAME"};
    for (size_t i = 0; i < AX_COUNT_OF(secrets); i++)
        CHECK(ax_str_find(bytes, ax_str_of(secrets[i])) == SIZE_MAX);
    CHECK_EQ(ax_protected_store_read(ctx, &other_data, &back), AX_CORRUPT);
    CHECK(strstr(ctx->error, "belongs to another dataset or another key") != NULL);
    other_key.path = place.path;
    CHECK_EQ(ax_protected_store_read(ctx, &other_key, &back), AX_CORRUPT);
    CHECK_EQ(ax_protected_store_read(ctx, &no_key, &back), AX_NOT_FOUND);
    CHECK_EQ(back.row_count, 77);
}

TEST(r70_protected_store_is_sealed_to_its_key_and_its_dataset)
{
    in_fresh_folder(sealed_body);
}

/* Cut after each byte, each byte changed: CORRUPT, and nothing comes out. */
static void
broken_body(struct ax_ctx *ctx)
{
    struct ax_protected_place place = place_of(ctx, "store", "key", "loans");
    struct ax_protected_place bad = place_of(ctx, "bad", "key", "loans");
    ax_str bytes = {};
    char copy[1024];
    ctx->actor = &fairness;
    CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, place.path, sizeof copy, &bytes), AX_OK);
    size_t len = bytes.len;
    memcpy(copy, bytes.at, len);
    for (size_t i = 0; i < len; i++) {
        struct ax_frame back = {.row_count = 77};
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx step = ax_ctx_of(arena);
        step.actor = &fairness;
        put_file(&step, bad.path, (ax_str){copy, i});
        CHECK_EQ(ax_protected_store_read(&step, &bad, &back), AX_CORRUPT);
        copy[i] ^= 0x10;
        put_file(&step, bad.path, (ax_str){copy, len});
        CHECK_EQ(ax_protected_store_read(&step, &bad, &back), AX_CORRUPT);
        copy[i] ^= 0x10;
        CHECK_EQ(back.row_count, 77);
    }
}

TEST(protected_store_finds_every_cut_and_every_flipped_byte)
{
    in_fresh_folder(broken_body);
}

static void
bad_key_body(struct ax_ctx *ctx)
{
    static const struct {
        const char *text;
        ax_status status;
    } cases[] = {
        {"", AX_INVALID},
        {"0011", AX_INVALID},
        {"zz00000000000000000000000000000000000000000000000000000000000000\n", AX_INVALID},
        {"0000000000000000000000000000000000000000000000000000000000000000", AX_OK},
    };
    struct ax_protected_place place = place_of(ctx, "store", "key", "loans");
    struct ax_frame back;
    ctx->actor = &fairness;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        put_file(ctx, place.key_path, ax_str_of(cases[i].text));
        CHECK_EQ(ax_protected_store_write(ctx, &place, &attributes), cases[i].status);
        CHECK_EQ(ax_file_exists(place.path), cases[i].status == AX_OK);
        CHECK_EQ(ax_protected_store_read(ctx, &place, &back), cases[i].status);
        if (cases[i].status != AX_OK)
            CHECK(strstr(ctx->error, "is no key: 64 hex digits are expected") != NULL);
    }
}

TEST(protected_store_refuses_a_broken_key_and_writes_nothing)
{
    in_fresh_folder(bad_key_body);
}

static void
join_body(struct ax_ctx *ctx)
{
    static const uint64_t wanted[] = {UINT64_MAX, 10, 10};
    static const uint64_t absent[] = {10, 13};
    struct ax_frame joined = {};
    CHECK_EQ(ax_protected_store_join(ctx, &attributes, wanted, 3, &joined), AX_OK);
    CHECK_EQ(joined.row_count, 3);
    CHECK(isnan(joined.columns[1].values[0]) && joined.columns[1].values[2] == 30);
    CHECK_EQ(joined.row_ids[1], 10);
    CHECK_EQ(ax_protected_store_join(ctx, &attributes, NULL, 0, &joined), AX_OK);
    CHECK_EQ(joined.row_count, 0);
    CHECK_EQ(ax_protected_store_join(ctx, &attributes, absent, 2, &joined), AX_INVALID);
    CHECK(strstr(ctx->error, "row 13 has no protected attributes") != NULL);
}

TEST(protected_store_joins_by_row_id)
{
    ax_test_with_ctx(join_body);
}

/* A fault leaves the old file or the new one, and no key that is half there. */
static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const uint64_t wanted[] = {12};
    char name[32];
    static int run;
    snprintf(name, sizeof name, "key%d", run++);
    struct ax_protected_place place = place_of(ctx, "store", name, "loans");
    struct ax_frame back;
    if (!place.path.at || !place.key_path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    ctx->actor = &fairness;
    AX_TRY(ax_protected_store_write(ctx, &place, &attributes));
    AX_TRY(ax_protected_store_read(ctx, &place, &back));
    return ax_protected_store_join(ctx, &back, wanted, 1, &back);
}

static void
swept_body(struct ax_ctx *ctx)
{
    FAULT_SWEEP(sweep_body);
    ax_str *names = NULL;
    size_t count = 0;
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    for (size_t i = 0; i < count; i++) {
        ax_str text = {};
        ax_digest key;
        if (!ax_str_starts(names[i], AX_STR("key")))
            continue;
        ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), names[i]);
        CHECK_EQ(ax_file_read_all(ctx, path, 256, &text), AX_OK);
        CHECK(ax_digest_parse(ax_str_trim(text), &key));
    }
}

TEST(protected_store_notices_every_fault_and_leaves_no_half_key)
{
    in_fresh_folder(swept_body);
}

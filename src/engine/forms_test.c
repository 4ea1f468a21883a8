#include "engine/forms.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "sys/build_id.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { NUMBERS = 40, HEAD = 128, SEAL_AT = 96, VERSION_AT = 8, MANY = 1 << 17 };

static char folder[64]; /* a fresh one for each test, which runs in a process of its own */
static double numbers[NUMBERS], many[MANY];

static const ax_digest secret = {{42}}, key = {{1, 2, 3}}, other = {{4, 5, 6}}, third = {{7, 8, 9}};

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-forms-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = (double)i / 7;
    for (size_t i = 0; i < MANY; i++)
        many[i] = (double)i / 3;
    ax_test_with_ctx(body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static struct ax_forms *
open_folder(struct ax_ctx *ctx, uint64_t bytes_max)
{
    struct ax_forms *forms = NULL;
    struct ax_forms_config config = {
        .folder = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("forms")),
        .bytes_max = bytes_max,
        .secret = secret};
    CHECK_EQ(ax_forms_open(ctx, &config, &forms), AX_OK);
    return forms;
}

static ax_str
bytes_of_numbers(void)
{
    return (ax_str){(const char *)numbers, sizeof numbers};
}

static ax_str
bytes_of_many(void)
{
    return (ax_str){(const char *)many, sizeof many};
}

/* Whether the numbers are found, and are those that were kept. */
static bool
finds(struct ax_ctx *ctx, const struct ax_forms *forms, ax_digest wanted, ax_str want)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    ax_str found = ax_forms_find(forms, ctx, wanted, arena);
    if (found.at)
        CHECK((uintptr_t)found.at % AX_FORMS_ALIGN == 0 && ax_str_eq(found, want));
    return found.at != NULL;
}

static ax_str
text_of(const ax_digest *digest)
{
    return (ax_str){(const char *)digest, sizeof *digest};
}

/* What names and seals files in this build. */
static ax_digest
secret_of_build(void)
{
    return ax_hmac_sha256(text_of(&secret), ax_build_id());
}

static ax_str
path_of(struct ax_ctx *ctx, ax_digest wanted, const char *end)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest own = secret_of_build();
    ax_digest_hex(ax_hmac_sha256(text_of(&own), text_of(&wanted)), hex);
    return ax_str_printf(ctx->arena, "%s/forms/%s%s", folder, hex, end);
}

/* In two pieces, which lie behind each other in the file. */
static void
keep(const struct ax_forms *forms, ax_digest under, ax_str form)
{
    const ax_str pieces[] = {{form.at, 24}, ax_str_from(form, 24)};
    ax_forms_keep(forms, under, pieces, AX_COUNT_OF(pieces));
}

static void
check_kept(struct ax_ctx *ctx)
{
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 22);
    CHECK(!finds(ctx, forms, key, bytes_of_numbers()));
    keep(forms, key, bytes_of_numbers());
    CHECK(finds(ctx, forms, key, bytes_of_numbers()));
    CHECK(!finds(ctx, forms, other, bytes_of_numbers()));
    ax_auto(ax_forms_close) struct ax_forms *again = open_folder(ctx, 1 << 22);
    CHECK(finds(ctx, again, key, bytes_of_numbers()));
    CHECK_EQ(ctx->error[0], '\0');     /* what was not found is no failure */
    keep(again, key, bytes_of_many()); /* the newest counts */
    CHECK(finds(ctx, forms, key, bytes_of_many()));
}

TEST(forms_are_found_by_key_and_length_by_whoever_opens_the_folder)
{
    in_fresh_folder(check_kept);
}

/* Whatever one bit or the length of a file is, its numbers are as kept or absent. */
static void
check_damaged(struct ax_ctx *ctx)
{
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 20);
    ax_str path = path_of(ctx, key, ".form"), file;
    keep(forms, key, bytes_of_numbers());
    REQUIRE(ax_file_read_all(ctx, path, 1 << 20, &file) == AX_OK);
    CHECK_EQ(file.len, HEAD + sizeof numbers);
    char *copy = AX_NEW_ARRAY(ctx->arena, char, file.len + 1);
    for (size_t i = 0; i < file.len; i++) {
        memcpy(copy, file.at, file.len);
        copy[i] = (char)(copy[i] ^ 1 << i % 8);
        REQUIRE(ax_file_write_atomic(ctx, path, (ax_str){copy, file.len}) == AX_OK);
        CHECK(!finds(ctx, forms, key, bytes_of_numbers()));
    }
    memcpy(copy, file.at, file.len);
    for (size_t len = 0; len <= file.len + 1; len++) {
        REQUIRE(ax_file_write_atomic(ctx, path, (ax_str){copy, len}) == AX_OK);
        CHECK_EQ(finds(ctx, forms, key, bytes_of_numbers()), len == file.len);
    }
    CHECK(!finds(ctx, forms, key, bytes_of_numbers()));
    keep(forms, key, bytes_of_numbers()); /* takes the place of what differs */
    CHECK(finds(ctx, forms, key, bytes_of_numbers()));
}

TEST(forms_that_differ_in_a_bit_or_their_length_are_made_again)
{
    in_fresh_folder(check_damaged);
}

/* A seal that fits is of no use where the head says something else; nor is a digest. */
static void
check_seals(struct ax_ctx *ctx)
{
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 20);
    ax_str path = path_of(ctx, key, ".form"), file, found;
    keep(forms, key, bytes_of_numbers());
    REQUIRE(ax_file_read_all(ctx, path, 1 << 20, &file) == AX_OK);
    CHECK_EQ(ax_forms_check(forms, ctx, key, file, &found), AX_OK);
    CHECK(ax_str_eq(found, bytes_of_numbers()));
    CHECK_EQ(ax_forms_check(forms, ctx, other, file, &found), AX_CORRUPT);
    CHECK_EQ(ax_forms_check(forms, ctx, key, (ax_str){file.at, HEAD}, &found), AX_CORRUPT);
    char *copy = AX_NEW_ARRAY(ctx->arena, char, file.len);
    memcpy(copy, file.at, file.len);
    copy[VERSION_AT] = AX_FORMS_VERSION - 1;
    const ax_str pieces[] = {{copy, SEAL_AT}, {copy + HEAD, file.len - HEAD}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces)), own = secret_of_build();
    ax_digest seal = ax_hmac_sha256(text_of(&own), text_of(&digest));
    memcpy(copy + SEAL_AT, &seal, sizeof seal);
    CHECK_EQ(ax_forms_check(forms, ctx, key, (ax_str){copy, file.len}, &found), AX_CORRUPT);
    CHECK(strstr(ctx->error, "another kind, version") != NULL);
    copy[VERSION_AT] = AX_FORMS_VERSION;
    memcpy(copy + SEAL_AT, &digest, sizeof digest); /* as anybody can work out */
    CHECK_EQ(ax_forms_check(forms, ctx, key, (ax_str){copy, file.len}, &found), AX_CORRUPT);
    CHECK(strstr(ctx->error, "another seal") != NULL);
}

TEST(forms_are_believed_under_a_seal_of_their_head_and_secret)
{
    in_fresh_folder(check_seals);
}

/* Whose secret is another finds nothing, and leaves what it cannot read. */
static void
check_secrets(struct ax_ctx *ctx)
{
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 22);
    struct ax_forms *opened = NULL;
    struct ax_forms_config config = {
        .folder = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("forms")),
        .bytes_max = 1 << 22,
        .secret = {{43}}};
    REQUIRE(ax_forms_open(ctx, &config, &opened) == AX_OK);
    ax_auto(ax_forms_close) struct ax_forms *stranger = opened;
    keep(forms, key, bytes_of_numbers());
    CHECK(!finds(ctx, stranger, key, bytes_of_numbers()));
    keep(stranger, key, bytes_of_many());
    CHECK(finds(ctx, forms, key, bytes_of_numbers()));
    CHECK(finds(ctx, stranger, key, bytes_of_many()));
}

TEST(forms_of_another_secret_are_neither_found_nor_overwritten)
{
    in_fresh_folder(check_secrets);
}

static void
check_keys(struct ax_ctx *)
{
    const struct ax_forms_of_model of = {.digest = {{1}}}, of_other = {.digest = {{2}}};
    const ax_digest keys[] = {ax_forms_key(&of, AX_STR("a"), AX_STR("bc")),
                              ax_forms_key(&of, AX_STR("ab"), AX_STR("c")),
                              ax_forms_key(&of_other, AX_STR("a"), AX_STR("bc")),
                              ax_forms_key(&of, AX_STR("a"), AX_STR(""))};
    for (size_t i = 0; i < AX_COUNT_OF(keys); i++)
        for (size_t j = 0; j < i; j++)
            CHECK(!ax_digest_eq(keys[i], keys[j]));
}

TEST(forms_have_a_key_of_what_they_are_of_which_model_and_from_what)
{
    ax_test_with_ctx(check_keys);
}

static void
check_unusable(struct ax_ctx *ctx)
{
    struct ax_forms *none = NULL;
    const struct ax_forms_config nowhere = {.folder = AX_STR("/dev/null/forms"), .bytes_max = 1};
    CHECK(ax_forms_open(ctx, &nowhere, &none) != AX_OK && !none);
    ctx->error[0] = '\0';
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 20);
    ax_str path = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("forms"));
    REQUIRE(ax_file_remove_tree(ctx, path) == AX_OK);
    REQUIRE(ax_file_write_atomic(ctx, path, AX_STR("a file")) == AX_OK);
    keep(forms, key, bytes_of_numbers());
    CHECK(!finds(ctx, forms, key, bytes_of_numbers()));
    CHECK_EQ(ctx->error[0], '\0');
}

TEST(forms_do_without_a_folder_that_cannot_be_written)
{
    in_fresh_folder(check_unusable);
}

/* Of three files two fit: the one used longest ago goes, not the one written first. */
static void
check_bounded(struct ax_ctx *ctx)
{
    enum { PAUSE_MS = 30 }; /* the file system's clock goes in ticks */
    ax_auto(ax_forms_close) struct ax_forms *forms =
        open_folder(ctx, 2 * (HEAD + sizeof numbers) + 100);
    keep(forms, key, bytes_of_numbers());
    ax_clock_sleep_ms(PAUSE_MS);
    keep(forms, other, bytes_of_numbers());
    ax_clock_sleep_ms(PAUSE_MS);
    CHECK(finds(ctx, forms, key, bytes_of_numbers()));
    ax_clock_sleep_ms(PAUSE_MS);
    keep(forms, third, bytes_of_numbers());
    CHECK(finds(ctx, forms, key, bytes_of_numbers()));
    CHECK(!finds(ctx, forms, other, bytes_of_numbers()));
    CHECK(finds(ctx, forms, third, bytes_of_numbers()));
    keep(forms, other, bytes_of_many()); /* larger than the folder may be */
    CHECK(!finds(ctx, forms, other, bytes_of_many()));
}

TEST(forms_used_longest_ago_make_room)
{
    in_fresh_folder(check_bounded);
}

/* A process that keeps and finds the same numbers over and over. */
static pid_t
start_user(struct ax_ctx *ctx, const struct ax_forms *forms, int rounds)
{
    pid_t process = fork();
    if (process != 0)
        return process;
    for (int i = 0; i < rounds; i++) {
        keep(forms, key, bytes_of_many());
        (void)finds(ctx, forms, key, bytes_of_many());
        ax_ignore(ax_file_remove(ctx, path_of(ctx, key, ".form")), "another was quicker");
        ax_arena_reset(ctx->arena);
    }
    _exit(EXIT_SUCCESS);
}

static void
check_together(struct ax_ctx *ctx)
{
    enum { PROCESSES = 3, ROUNDS = 40 };
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 30);
    pid_t processes[PROCESSES];
    for (size_t i = 0; i < PROCESSES; i++)
        processes[i] = start_user(ctx, forms, ROUNDS);
    for (size_t i = 0; i < PROCESSES; i++) {
        int ended = -1;
        CHECK(waitpid(processes[i], &ended, 0) == processes[i] && ended == EXIT_SUCCESS);
    }
    keep(forms, key, bytes_of_many());
    CHECK(finds(ctx, forms, key, bytes_of_many()));
    CHECK(!ax_file_exists(path_of(ctx, key, ".part")));
}

TEST(forms_kept_by_processes_at_once_are_whole)
{
    in_fresh_folder(check_together);
}

/* Killed at any moment, a writer leaves the old file, the new one or none; and a part. */
static void
check_killed(struct ax_ctx *ctx)
{
    enum { KILLS = 25 };
    ax_auto(ax_forms_close) struct ax_forms *forms = open_folder(ctx, 1 << 30);
    for (int i = 0; i < KILLS; i++) {
        pid_t process = start_user(ctx, forms, 1 << 20);
        int ended = -1;
        ax_clock_sleep_ms(1 + i % 7);
        CHECK_EQ(kill(process, SIGKILL), 0);
        CHECK_EQ(waitpid(process, &ended, 0), process);
        (void)finds(ctx, forms, key, bytes_of_many());
        ax_ignore(ax_file_remove(ctx, path_of(ctx, key, ".part")), "the next one writes again");
    }
    REQUIRE(ax_file_write_atomic(ctx, path_of(ctx, key, ".part"), AX_STR("cut off")) == AX_OK);
    ax_ignore(ax_file_remove(ctx, path_of(ctx, key, ".form")), "the kill may have come first");
    keep(forms, key, bytes_of_many()); /* it may be at work: it is left alone */
    CHECK(!finds(ctx, forms, key, bytes_of_many()));
    ax_clock_fake(ax_clock_monotonic_ns(), ax_clock_real_ns() + 3'600'000'000'000);
    keep(forms, key, bytes_of_many()); /* an hour later it is not */
    CHECK(finds(ctx, forms, key, bytes_of_many()));
    CHECK(!ax_file_exists(path_of(ctx, key, ".part")));
}

TEST(forms_survive_a_writer_that_is_killed)
{
    in_fresh_folder(check_killed);
}

static ax_status
keep_and_find(struct ax_ctx *ctx)
{
    struct ax_forms *opened = NULL;
    struct ax_forms_config config = {
        .folder = ax_path_join(ctx->arena, ax_str_of(folder), AX_STR("swept")),
        .bytes_max = 1 << 20};
    if (!config.folder.at)
        return AX_LIMIT;
    AX_TRY(ax_forms_open(ctx, &config, &opened));
    ax_auto(ax_forms_close) struct ax_forms *forms = opened;
    keep(forms, key, bytes_of_numbers());
    ax_str found = ax_forms_find(forms, ctx, key, ctx->arena);
    CHECK(!found.at || ax_str_eq(found, bytes_of_numbers()));
    return AX_OK;
}

static void
check_faults(struct ax_ctx *)
{
    FAULT_SWEEP(keep_and_find);
}

TEST(forms_that_cannot_be_kept_or_found_fail_nobody)
{
    in_fresh_folder(check_faults);
}

#include "auth/keystore.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "codec/json.h"
#include "harness.h"
#include "sys/file.h"

/* A folder of its own per test; every test is a process. */
static char folder[64];

static ax_str
path_of(struct ax_ctx *ctx, const char *name)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/axiom-keystore-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
    }
    return ax_str_printf(ctx->arena, "%s/%s", folder, name);
}

static void
tidy_up(struct ax_ctx *ctx)
{
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

static void
keeps(struct ax_ctx *ctx, ax_str passphrase)
{
    struct stat facts;
    uint8_t signature[AX_SIGNATURE_BYTES];
    struct ax_keystore_key made = {}, opened = {}, seen = {};
    ax_str path = path_of(ctx, "deep/er/dana.key");
    CHECK_EQ(ax_keystore_create(ctx, path, passphrase, &made), AX_OK);
    CHECK_EQ(stat(ax_str_c(ctx->arena, path), &facts), 0);
    CHECK_EQ(facts.st_mode & 0777, 0600);
    CHECK_EQ(facts.st_nlink, 1);
    CHECK_EQ(ax_keystore_create(ctx, path, passphrase, &seen), AX_CONFLICT);
    CHECK_EQ(ax_keystore_open(ctx, path, passphrase, &opened), AX_OK);
    CHECK_EQ(opened.sealed, passphrase.len > 0);
    CHECK(memcmp(opened.seed, made.seed, AX_KEY_BYTES) == 0);
    CHECK_EQ(ax_keystore_look(ctx, path, &seen), AX_OK);
    CHECK(!seen.seed && memcmp(seen.public_key, made.public_key, AX_PUBLIC_KEY_BYTES) == 0);
    ax_keystore_sign(&opened, AX_STR("hello"), signature);
    CHECK(ax_ed25519_verify(seen.public_key, AX_STR("hello"),
                            (ax_str){(const char *)signature, sizeof signature}));
    ax_keystore_close(&made);
    ax_keystore_close(&opened);
    tidy_up(ctx);
}

static void
keeps_plain(struct ax_ctx *ctx)
{
    keeps(ctx, AX_STR(""));
}

static void
keeps_sealed(struct ax_ctx *ctx)
{
    keeps(ctx, AX_STR("correct horse"));
}

TEST(r45_a_key_comes_back_as_it_was_made)
{
    ax_test_with_ctx(keeps_plain);
}

TEST(r92_a_sealed_key_comes_back_with_its_passphrase)
{
    ax_test_with_ctx(keeps_sealed);
}

static void
refuses(struct ax_ctx *ctx)
{
    ax_str path = path_of(ctx, "sealed.key"), text;
    struct ax_keystore_key key = {}, none = {};
    CHECK_EQ(ax_keystore_open(ctx, path, AX_STR(""), &none), AX_NOT_FOUND);
    CHECK_EQ(ax_keystore_create(ctx, path, AX_STR("right"), &key), AX_OK);
    CHECK_EQ(ax_keystore_open(ctx, path, AX_STR("wrong"), &none), AX_DENIED);
    CHECK_EQ(ax_keystore_open(ctx, path, AX_STR(""), &none), AX_DENIED);
    CHECK_EQ(ax_file_read_all(ctx, path, 512, &text), AX_OK);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 16);
    for (size_t i = 0; i + AX_KEY_BYTES <= text.len; i++) /* the seed is not in it */
        CHECK(memcmp(text.at + i, key.seed, AX_KEY_BYTES) != 0);
    CHECK_EQ(chmod(ax_str_c(arena, path), 0644), 0);
    CHECK_EQ(ax_keystore_open(ctx, path, AX_STR("right"), &none), AX_DENIED);
    CHECK(strstr(ctx->error, "chmod 600") != NULL);
    ax_keystore_close(&key);
    tidy_up(ctx);
}

TEST(r92_a_key_that_others_may_read_or_whose_passphrase_is_wrong_is_refused)
{
    ax_test_with_ctx(refuses);
}

/* Whether what is left of a plain key file after the damage is refused. */
static void
damaged(ax_str path, ax_str bytes)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_keystore_key key = {};
    CHECK_EQ(ax_file_write_atomic(&ctx, path, bytes), AX_OK);
    CHECK_EQ(ax_keystore_open(&ctx, path, AX_STR(""), &key), AX_CORRUPT);
    ax_keystore_close(&key);
}

static void
sweep_damage(struct ax_ctx *ctx)
{
    ax_str path = path_of(ctx, "plain.key"), text, copy;
    struct ax_keystore_key key = {};
    CHECK_EQ(ax_keystore_create(ctx, path, AX_STR(""), &key), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, path, 512, &text), AX_OK);
    for (size_t len = 0; len < text.len; len++)
        damaged(path, (ax_str){text.at, len});
    char flipped[512];
    for (size_t i = 0; i < text.len; i++) {
        memcpy(flipped, text.at, text.len);
        flipped[i] = (char)(flipped[i] ^ 1);
        damaged(path, (ax_str){flipped, text.len});
    }
    copy = ax_str_printf(ctx->arena, "%.*s\n", AX_FMT(text));
    damaged(path, copy);
    ax_keystore_close(&key);
    tidy_up(ctx);
}

TEST(r97_a_key_file_cut_or_changed_at_any_byte_is_refused)
{
    ax_test_with_ctx(sweep_damage);
}

static ax_status
creates(struct ax_ctx *ctx)
{
    static int run;
    struct ax_keystore_key key = {}, again = {};
    ax_fault_benign_begin();
    char name[32];
    snprintf(name, sizeof name, "%d.key", run++);
    ax_fault_benign_end();
    char text[128];
    snprintf(text, sizeof text, "%s/%s", folder, name);
    ax_str path = ax_str_of(text);
    ax_status status = ax_keystore_create(ctx, path, AX_STR(""), &key);
    if (status == AX_OK)
        status = ax_keystore_open(ctx, path, AX_STR(""), &again);
    if (status == AX_OK)
        CHECK(memcmp(again.seed, key.seed, AX_KEY_BYTES) == 0);
    ax_keystore_close(&key);
    ax_keystore_close(&again);
    return status;
}

static void
sweep_create(struct ax_ctx *ctx)
{
    path_of(ctx, "");
    FAULT_SWEEP(creates);
    tidy_up(ctx);
}

TEST(making_and_opening_a_key_meets_every_fault)
{
    ax_test_with_ctx(sweep_create);
}

static void
bodies(struct ax_ctx *ctx)
{
    struct ax_keystore_key key = {};
    ax_str change, body, text, message;
    const struct ax_json *json;
    uint8_t signature[AX_SIGNATURE_BYTES], public_key[AX_PUBLIC_KEY_BYTES];
    CHECK_EQ(ax_keystore_create(ctx, path_of(ctx, "k"), AX_STR(""), &key), AX_OK);
    CHECK_EQ(ax_keystore_enrolment(ctx, &key, AX_STR("dana"), 30, &change), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, change, NULL, &json), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, json, "enroll", &text), AX_OK);
    CHECK_EQ(ax_signing_key_parse(ctx, text, public_key), AX_OK);
    CHECK(memcmp(public_key, key.public_key, sizeof public_key) == 0);
    CHECK_EQ(ax_json_need_text(ctx, json, "proof", &text), AX_OK);
    CHECK_EQ(ax_signing_signature_parse(ctx, text, signature), AX_OK);
    CHECK_EQ(ax_signing_enrolment_bytes(ctx, AX_STR("dana"), public_key, &message), AX_OK);
    CHECK(ax_ed25519_verify(public_key, message,
                            (ax_str){(const char *)signature, sizeof signature}));

    const struct ax_signing_approval approval = {
        .approve = false, .proposal_id = AX_STR("p_1"), .comment = AX_STR("\"no\"\n")};
    CHECK_EQ(ax_keystore_approval(ctx, &key, &approval, &body), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, body, NULL, &json), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, json, "comment", &text), AX_OK);
    CHECK(ax_str_eq(text, approval.comment));
    CHECK_EQ(ax_json_need_text(ctx, json, "key_id", &text), AX_OK);
    CHECK(ax_str_eq(text, ax_str_of(key.id)));
    CHECK_EQ(ax_json_need_text(ctx, json, "signature", &text), AX_OK);
    CHECK_EQ(ax_signing_signature_parse(ctx, text, signature), AX_OK);
    CHECK_EQ(ax_signing_approval_bytes(ctx, &approval, &message), AX_OK);
    CHECK(ax_ed25519_verify(public_key, message,
                            (ax_str){(const char *)signature, sizeof signature}));
    ax_keystore_close(&key);
    tidy_up(ctx);
}

TEST(r45_the_requests_of_a_person_carry_their_signature)
{
    ax_test_with_ctx(bodies);
}

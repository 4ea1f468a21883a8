#include "auth/directory_cache.h"

#include "harness.h"

/* Two people, a key, a token. */
static struct ax_directory_state *
make(struct ax_ctx *ctx)
{
    struct ax_directory_state *state = ax_directory_state_new();
    struct ax_directory_user *users[2];
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    for (size_t i = 0; i < 2; i++)
        users[i] = AX_ARRAY_PUSH(state->arena, &state->users);
    *users[1] = (struct ax_directory_user){
        .id = AX_STR("robot"), .name = AX_STR(""), .kind = AX_ACTOR_SERVICE, .roles = 1 << 11};
    users[1]->manager = AX_STR("");
    state->users.items[0] = (struct ax_directory_user){.id = AX_STR("dana"),
                                                       .name = AX_STR("D\"ana\n\xc3\xa4"),
                                                       .roles = 3,
                                                       .line = 2,
                                                       .manager = AX_STR("robot"),
                                                       .disabled = true,
                                                       .created_ns = INT64_MAX};
    state->users.items[1] = *users[1];
    struct ax_directory_key *key = AX_ARRAY_PUSH(state->arena, &state->keys);
    *key = (struct ax_directory_key){.valid_from_ns = -1, .valid_until_ns = 9, .revoked_ns = 3};
    key->public_key[4] = 77;
    CHECK(ax_str_copy(state->arena, ax_signing_key_id(key->public_key, id), &key->id));
    *AX_ARRAY_PUSH(state->arena, &state->key_users) = AX_STR("dana");
    struct ax_directory_token *token = AX_ARRAY_PUSH(state->arena, &state->tokens);
    *token = (struct ax_directory_token){
        .id = AX_STR("t_1"), .user_id = AX_STR("robot"), .expires_ns = 12};
    token->hash = ax_sha256(AX_STR("axm_"));
    CHECK_EQ(ax_directory_state_index(state, ctx), AX_OK);
    return state;
}

static void
round_trip(struct ax_ctx *ctx)
{
    struct ax_directory_state *state = make(ctx), *again = NULL;
    ax_writer_auto struct ax_writer one = ax_writer_of(1 << 16), two = ax_writer_of(1 << 16);
    ax_directory_cache_format(state, &one);
    CHECK_EQ(ax_directory_cache_parse(ctx, ax_writer_str(&one), &again), AX_OK);
    ax_directory_cache_format(again, &two);
    CHECK(one.status == AX_OK && ax_str_eq(ax_writer_str(&one), ax_writer_str(&two)));
    const struct ax_directory_user *dana = ax_directory_state_user(again, AX_STR("dana"));
    CHECK(dana && dana->disabled && dana->key_count == 1 && dana->keys[0].revoked_ns == 3);
    CHECK_EQ(dana->created_ns, INT64_MAX);
    const struct ax_directory_token *token =
        ax_directory_state_token(again, ax_sha256(AX_STR("axm_")));
    CHECK(token && token->user->kind == AX_ACTOR_SERVICE);
    ax_directory_state_free(state);
    ax_directory_state_free(again);
}

TEST(the_copy_says_what_the_picture_says)
{
    ax_test_with_ctx(round_trip);
}

static void
refused(ax_str bytes)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_directory_state *state = NULL;
    CHECK_EQ(ax_directory_cache_parse(&ctx, bytes, &state), AX_CORRUPT);
}

static void
damage(struct ax_ctx *ctx)
{
    struct ax_directory_state *state = make(ctx);
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    ax_directory_cache_format(state, &text);
    for (size_t len = 0; len < text.len; len++)
        refused((ax_str){text.at, len});
    for (size_t i = 0; i < text.len; i++) {
        text.at[i] = (char)(text.at[i] ^ 4);
        refused(ax_writer_str(&text));
        text.at[i] = (char)(text.at[i] ^ 4);
    }
    ax_directory_state_free(state);
}

TEST(r97_a_copy_cut_or_changed_at_any_byte_is_refused)
{
    ax_test_with_ctx(damage);
}

static struct ax_writer swept;

static ax_status
parses(struct ax_ctx *ctx)
{
    struct ax_directory_state *state;
    AX_TRY(ax_directory_cache_parse(ctx, ax_writer_str(&swept), &state));
    ax_directory_state_free(state);
    return AX_OK;
}

static void
sweep(struct ax_ctx *ctx)
{
    struct ax_directory_state *state = make(ctx);
    swept = ax_writer_of(1 << 16);
    ax_directory_cache_format(state, &swept);
    ax_directory_state_free(state);
    FAULT_SWEEP(parses);
    ax_writer_free(&swept);
}

TEST(reading_the_copy_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}

#include "auth/directory.h"

#include "directory_case.h"

static const uint64_t network = 7;

static ax_status
whoami(struct ax_ctx *ctx, struct directory_case *made, ax_str token, struct ax_actor *out)
{
    ax_str header = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token));
    return ax_token_authenticate(made->directory, ctx, header, network, out);
}

static void
open_case(struct ax_ctx *ctx, struct directory_case *made)
{
    directory_case_make(ctx, made);
    CHECK_EQ(ax_directory_open(ctx, made->store, ax_str_of(made->cache), &made->directory), AX_OK);
}

static void
goes_on(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_actor actor = {};
    struct ax_directory_user user = {};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"mo\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"dana\",\"name\":\"Dana\",\"manager\":\"mo\"}",
                        "{\"grant\":[\"developer\"],\"line\":2}");
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    ax_directory_close(made.directory);
    ax_store_close(made.store);
    made.store = NULL;

    CHECK_EQ(ax_directory_open(ctx, NULL, ax_str_of(made.cache), &made.directory), AX_OK);
    CHECK_EQ(ax_directory_check(made.directory, ctx), AX_OK);
    CHECK_EQ(whoami(ctx, &made, token, &actor), AX_OK);
    CHECK_STR(actor.id, "dana");
    CHECK_STR(actor.manager, "mo");
    CHECK_EQ(actor.roles, AX_ROLE_BIT(DEVELOPER));
    CHECK_EQ(actor.line, 2);
    CHECK_EQ(ax_directory_find(made.directory, ctx, AX_STR("dana"), &user), AX_OK);
    CHECK_STR(user.name, "Dana");
    CHECK_EQ(ax_directory_find(made.directory, ctx, AX_STR("nobody"), &user), AX_NOT_FOUND);
    CHECK_EQ(ax_directory_reload(made.directory, ctx), AX_UNAVAILABLE);
    CHECK_EQ(ax_directory_upkeep(made.directory, ctx), AX_OK);
    CHECK_EQ(ax_directory_create_user(made.directory, ctx,
                                      directory_case_json(ctx, "{\"id\":\"x\"}"), &json),
             AX_UNAVAILABLE);
    CHECK_EQ(whoami(ctx, &made, token, &actor), AX_OK);
    directory_case_done(ctx, &made);
}

TEST(users_stay_known_over_a_restart_without_the_store)
{
    ax_test_with_ctx(goes_on);
}

static void
nobody(struct ax_ctx *ctx)
{
    static const char *const copies[] = {NULL, "", "garbage"};
    for (size_t i = 0; i < AX_COUNT_OF(copies); i++) {
        struct directory_case made = {};
        struct ax_actor actor;
        directory_case_make(ctx, &made);
        if (copies[i])
            CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(made.cache), ax_str_of(copies[i])), AX_OK);
        CHECK_EQ(ax_directory_open(ctx, NULL, ax_str_of(made.cache), &made.directory), AX_OK);
        CHECK_EQ(ax_directory_check(made.directory, ctx), AX_UNAVAILABLE);
        CHECK_EQ(whoami(ctx, &made, AX_STR("axm_"), &actor), AX_UNAVAILABLE);
        directory_case_done(ctx, &made);
    }
}

TEST(without_store_and_copy_nobody_is_known_and_it_says_so)
{
    ax_test_with_ctx(nobody);
}

static void
late(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    open_case(ctx, &made);
    /* A folder in the place of the copy: it cannot be replaced. */
    CHECK_EQ(ax_file_remove(ctx, ax_str_of(made.cache)), AX_OK);
    CHECK_EQ(ax_file_make_folders(ctx, ax_str_of(made.cache)), AX_OK);
    directory_case_user(ctx, &made, "{\"id\":\"mo\"}", NULL);
    CHECK_EQ(ax_directory_check(made.directory, ctx), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "older than the store") != NULL);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(made.cache)), AX_OK);
    CHECK_EQ(ax_directory_upkeep(made.directory, ctx), AX_OK);
    CHECK_EQ(ax_directory_check(made.directory, ctx), AX_OK);
    CHECK(ax_file_exists(ax_str_of(made.cache)));
    directory_case_done(ctx, &made);
}

TEST(a_copy_that_could_not_be_written_is_told_and_made_up_for)
{
    ax_test_with_ctx(late);
}

static void
lists(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    const struct ax_json *json, *users;
    ax_writer_auto struct ax_writer all = ax_writer_of(1 << 16), one = ax_writer_of(1 << 16);
    struct ax_json_writer all_json = ax_json_writer_of(&all), one_json = ax_json_writer_of(&one);
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"bo\",\"kind\":\"service\"}",
                        "{\"grant\":[\"client\"]}");
    directory_case_user(ctx, &made, "{\"id\":\"al\"}", NULL);
    CHECK_EQ(ax_directory_list(made.directory, ctx, &all_json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&all), NULL, &json), AX_OK);
    CHECK_EQ(ax_json_need_array(ctx, json, "users", &users), AX_OK);
    CHECK_EQ(ax_json_count(users), 2);
    CHECK_EQ(ax_directory_show(made.directory, ctx, AX_STR("bo"), &one_json), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&one),
                      AX_STR("\"kind\":\"service\",\"roles\":[\"client\"],\"line\":0")) !=
          SIZE_MAX);
    CHECK_EQ(ax_directory_show(made.directory, ctx, AX_STR("cy"), &one_json), AX_NOT_FOUND);
    directory_case_done(ctx, &made);
}

TEST(users_are_listed_with_their_roles)
{
    ax_test_with_ctx(lists);
}

static struct directory_case swept;

static ax_status
opens(struct ax_ctx *ctx)
{
    ax_auto(ax_directory_close) struct ax_directory *directory = NULL;
    struct ax_directory_user user;
    AX_TRY(ax_directory_open(ctx, swept.store, ax_str_of(swept.cache), &directory));
    AX_TRY(ax_directory_find(directory, ctx, AX_STR("mo"), &user));
    return ax_directory_reload(directory, ctx);
}

static ax_status
opens_copy(struct ax_ctx *ctx)
{
    ax_auto(ax_directory_close) struct ax_directory *directory = NULL;
    struct ax_directory_user user;
    AX_TRY(ax_directory_open(ctx, NULL, ax_str_of(swept.cache), &directory));
    return ax_directory_find(directory, ctx, AX_STR("mo"), &user);
}

static void
sweep(struct ax_ctx *ctx)
{
    open_case(ctx, &swept);
    directory_case_user(ctx, &swept, "{\"id\":\"mo\"}", NULL);
    FAULT_SWEEP(opens);
    FAULT_SWEEP(opens_copy);
    directory_case_done(ctx, &swept);
}

TEST(opening_the_directory_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}

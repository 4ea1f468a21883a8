#include "directory_case.h"

static void
open_case(struct ax_ctx *ctx, struct directory_case *made)
{
    directory_case_make(ctx, made);
    CHECK_EQ(ax_directory_open(ctx, made->store, ax_str_of(made->cache), &made->directory), AX_OK);
}

static void
creates(struct ax_ctx *ctx)
{
    static const struct {
        const char *request;
        ax_status want;
    } cases[] = {
        {"{\"id\":\"dana\"}", AX_OK},
        {"{\"id\":\"dana\"}", AX_CONFLICT},
        {"{\"id\":\"erin.x-1@bank_2\",\"name\":\"E\",\"line\":3,\"manager\":\"dana\"}", AX_OK},
        {"{\"id\":\"robot\",\"kind\":\"service\",\"line\":0}", AX_OK},
        {"{\"id\":\"r2\",\"kind\":\"service\",\"line\":1}", AX_INVALID},
        {"{\"id\":\"r2\",\"kind\":\"machine\"}", AX_INVALID},
        {"{\"id\":\"r2\",\"manager\":\"robot\"}", AX_INVALID},
        {"{\"id\":\"r2\",\"manager\":\"nobody\"}", AX_NOT_FOUND},
        {"{\"id\":\"r2\",\"line\":0}", AX_INVALID},
        {"{\"id\":\"r2\",\"line\":4}", AX_INVALID},
        {"{\"id\":\"\"}", AX_INVALID},
        {"{\"id\":\"Dana\"}", AX_INVALID},
        {"{\"id\":\"-a\"}", AX_INVALID},
        {"{\"id\":\"a b\"}", AX_INVALID},
        {"{\"id\":\"a\\nb\"}", AX_INVALID},
        {"{\"name\":\"a\"}", AX_INVALID},
        {"{\"id\":7}", AX_INVALID},
    };
    struct directory_case made = {};
    open_case(ctx, &made);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        struct ax_json_writer json = ax_json_writer_of(&out);
        ax_status got = ax_directory_create_user(made.directory, ctx,
                                                 directory_case_json(ctx, cases[i].request), &json);
        if (got != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].request, ax_status_name(got),
                           ctx->error);
    }
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from users"), 3);
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from users where roles <> 0"), 0);
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from outbox where kind = 60"), 3);
    directory_case_done(ctx, &made);
}

TEST(r84_users_are_unique_and_made_without_roles)
{
    ax_test_with_ctx(creates);
}

static void
first(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_actor actor = {};
    ax_str token, second;
    directory_case_make(ctx, &made);
    CHECK_EQ(ax_directory_make_first(made.store, ctx, AX_STR("Ada!"), &token), AX_INVALID);
    CHECK_EQ(ax_directory_make_first(made.store, ctx, AX_STR("ada"), &token), AX_OK);
    CHECK_EQ(ax_directory_make_first(made.store, ctx, AX_STR("eve"), &second), AX_CONFLICT);
    CHECK_EQ(ax_directory_open(ctx, made.store, ax_str_of(made.cache), &made.directory), AX_OK);
    ax_str header = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token));
    CHECK_EQ(ax_token_authenticate(made.directory, ctx, header, 1, &actor), AX_OK);
    CHECK_STR(actor.id, "ada");
    CHECK_EQ(actor.roles, AX_ROLE_BIT(SECURITY_ADMIN));
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from outbox"), 2);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("ada"), AX_STR("")),
             AX_CONFLICT);
    directory_case_done(ctx, &made);
}

TEST(r44_the_first_administrator_is_one_and_stays)
{
    ax_test_with_ctx(first);
}

static void
disables(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_actor actor;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}", "{\"grant\":[\"developer\"]}");
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    ax_str header = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token));
    CHECK_EQ(ax_token_authenticate(made.directory, ctx, header, 1, &actor), AX_OK);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("nobody"), AX_STR("")),
             AX_NOT_FOUND);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("dana"), AX_STR("left")), AX_OK);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("dana"), AX_STR("left")), AX_OK);
    CHECK_EQ(ax_token_authenticate(made.directory, ctx, header, 1, &actor), AX_UNAUTHENTICATED);
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from outbox where kind = 60"), 2);
    directory_case_done(ctx, &made);
}

TEST(r84_a_disabled_user_is_known_no_more)
{
    ax_test_with_ctx(disables);
}

static struct directory_case swept;

static ax_status
create_and_disable(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    const struct ax_json *request;
    AX_TRY(ax_json_parse(ctx, AX_STR("{\"id\":\"dana\"}"), NULL, &request));
    AX_TRY(ax_directory_create_user(swept.directory, ctx, request, &json));
    AX_TRY(out.status);
    return ax_directory_disable_user(swept.directory, ctx, AX_STR("dana"), AX_STR("sweep"));
}

static int64_t
swept_count(struct ax_ctx *ctx, const char *sql)
{
    return directory_case_count(ctx, &swept, sql);
}

/* A change and its fact are there together or not at all. */
static void
after_user(struct ax_ctx *ctx, ax_status status)
{
    int64_t facts = swept_count(ctx, "select count(*) from outbox");
    CHECK_EQ(swept_count(ctx, "select count(*) + coalesce(sum(disabled), 0) from users"), facts);
    CHECK(status != AX_OK || facts == 2);
    directory_case_script(ctx, &swept, "delete from outbox; delete from users");
    CHECK_EQ(ax_directory_reload(swept.directory, ctx), AX_OK);
    CHECK_EQ(ax_directory_check(swept.directory, ctx), AX_OK);
}

static void
sweep(struct ax_ctx *ctx)
{
    open_case(ctx, &swept);
    directory_case_sweep(create_and_disable, after_user);
    directory_case_done(ctx, &swept);
}

TEST(r43_making_and_disabling_users_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}

static ax_status
make_first(struct ax_ctx *ctx)
{
    ax_str token;
    return ax_directory_make_first(swept.store, ctx, AX_STR("ada"), &token);
}

static void
after_first(struct ax_ctx *ctx, ax_status status)
{
    int64_t users = swept_count(ctx, "select count(*) from users");
    CHECK(status != AX_OK || users == 1);
    CHECK_EQ(swept_count(ctx, "select count(*) from tokens"), users);
    CHECK_EQ(swept_count(ctx, "select count(*) from outbox"), 2 * users);
    directory_case_script(ctx, &swept, "delete from outbox; delete from tokens; delete from users");
}

static void
sweep_first(struct ax_ctx *ctx)
{
    directory_case_make(ctx, &swept);
    directory_case_sweep(make_first, after_first);
    directory_case_done(ctx, &swept);
}

TEST(r44_the_first_administrator_is_made_whole_or_not_at_all)
{
    ax_test_with_ctx(sweep_first);
}

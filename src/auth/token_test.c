#include "auth/token.h"

#include "directory_case.h"
#include "sys/clock.h"
#include "sys/workers.h"

#define NS_PER_DAY INT64_C(86'400'000'000'000)

static const uint64_t network = 7;

static void
open_case(struct ax_ctx *ctx, struct directory_case *made)
{
    directory_case_make(ctx, made);
    CHECK_EQ(ax_directory_open(ctx, made->store, ax_str_of(made->cache), &made->directory), AX_OK);
    directory_case_user(ctx, made, "{\"id\":\"dana\"}", "{\"grant\":[\"developer\"]}");
}

static ax_status
ask(struct ax_ctx *ctx, struct directory_case *made, const char *scheme, ax_str token)
{
    struct ax_actor actor = {};
    ax_str header = ax_str_printf(ctx->arena, "%s%.*s", scheme, AX_FMT(token));
    ax_status status = ax_token_authenticate(made->directory, ctx, header, network, &actor);
    if (status == AX_OK)
        CHECK_STR(actor.id, "dana");
    return status;
}

static void
forms(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_actor actor;
    open_case(ctx, &made);
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    CHECK_EQ(token.len, AX_TOKEN_BYTES);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_OK);
    CHECK_EQ(ask(ctx, &made, "bearer  ", token), AX_OK);
    CHECK_EQ(ask(ctx, &made, "Basic ", token), AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "", token), AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "Bearer ", (ax_str){token.at, token.len - 1}), AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "Bearer x", token), AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "Bearer ", AX_STR("")), AX_UNAUTHENTICATED);
    CHECK_EQ(ax_token_authenticate(made.directory, ctx, AX_STR(""), network, &actor),
             AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_OK);
    directory_case_done(ctx, &made);
}

TEST(r84_a_token_says_who_its_bearer_is)
{
    ax_test_with_ctx(forms);
}

/* Unknown, revoked and a disabled user's: one answer. */
static void
words(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    ax_str id = AX_STR("");
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"eve\"}", NULL);
    ax_str revoked = directory_case_token(ctx, &made, "dana", &id);
    ax_str disabled = directory_case_token(ctx, &made, "eve", NULL);
    ax_str unknown = AX_STR("axm_0000000000000000000000000000000000000000000000000000000000000000");
    CHECK_EQ(ax_token_revoke(made.directory, ctx, id), AX_OK);
    CHECK_EQ(ax_token_revoke(made.directory, ctx, id), AX_OK);
    CHECK_EQ(ax_token_revoke(made.directory, ctx, AX_STR("t_none")), AX_NOT_FOUND);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("eve"), AX_STR("")), AX_OK);
    const ax_str tokens[] = {unknown, revoked, disabled};
    for (size_t i = 0; i < AX_COUNT_OF(tokens); i++) {
        CHECK_EQ(ask(ctx, &made, "Bearer ", tokens[i]), AX_UNAUTHENTICATED);
        CHECK_STR(ax_str_of(ctx->error), "the token is not valid");
    }
    directory_case_done(ctx, &made);
}

TEST(r84_the_refusal_does_not_tell_what_is_known)
{
    ax_test_with_ctx(words);
}

static void
expires(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    open_case(ctx, &made);
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    int64_t now_ns = ax_clock_real_ns();
    ax_clock_fake(1, now_ns + 89 * NS_PER_DAY);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_OK);
    ax_clock_fake(1, now_ns + 90 * NS_PER_DAY);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_UNAUTHENTICATED);
    CHECK_STR(ax_str_of(ctx->error), "the token has expired");
    ax_clock_fake(0, 0);
    directory_case_done(ctx, &made);
}

TEST(r84_a_token_ends_with_its_days)
{
    ax_test_with_ctx(expires);
}

static void
limited(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    ax_str wrong = AX_STR("axm_");
    int refused = 0, limit = 0;
    open_case(ctx, &made);
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    ax_clock_fake(1'000, ax_clock_real_ns());
    for (int i = 0; i < 50; i++) {
        ax_status status = ask(ctx, &made, "Bearer ", wrong);
        refused += status == AX_UNAUTHENTICATED;
        limit += status == AX_LIMIT;
    }
    CHECK_EQ(refused, 20);
    CHECK_EQ(limit, 30);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_OK); /* a good token is not its neighbours' */
    ax_clock_fake(0, 0);
    directory_case_done(ctx, &made);
}

TEST(wrong_tokens_from_one_address_are_limited_and_good_ones_are_not)
{
    ax_test_with_ctx(limited);
}

static void
issues(struct ax_ctx *ctx)
{
    static const struct {
        const char *user, *request;
        ax_status want;
    } cases[] = {
        {"dana", "{\"days\":366,\"name\":\"ci\"}", AX_OK},
        {"dana", "{\"days\":0}", AX_INVALID},
        {"dana", "{\"days\":367}", AX_INVALID},
        {"dana", "{\"days\":\"1\"}", AX_INVALID},
        {"nobody", "{}", AX_NOT_FOUND},
        {"gone", "{}", AX_CONFLICT},
    };
    struct directory_case made = {};
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"gone\"}", NULL);
    CHECK_EQ(ax_directory_disable_user(made.directory, ctx, AX_STR("gone"), AX_STR("")), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        struct ax_json_writer json = ax_json_writer_of(&out);
        CHECK_EQ(ax_token_issue(made.directory, ctx, ax_str_of(cases[i].user),
                                directory_case_json(ctx, cases[i].request), &json),
                 cases[i].want);
    }
    ax_writer_auto struct ax_writer list = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&list);
    CHECK_EQ(ax_token_list(made.directory, ctx, AX_STR("dana"), AX_STR(""), &json), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&list), AX_STR("\"name\":\"ci\"")) != SIZE_MAX);
    ax_str shown = ax_writer_str(&list); /* how it begins, and no more of it */
    for (size_t at; (at = ax_str_find(shown, AX_STR("axm_"))) != SIZE_MAX;
         shown = ax_str_from(shown, at + 1))
        CHECK(shown.at[at + AX_TOKEN_PREFIX_BYTES] == '"');
    CHECK_EQ(directory_case_count(ctx, &made, "select count(*) from tokens where hash like 'axm%'"),
             0);
    CHECK_EQ(directory_case_count_facts(ctx, &made, "axm_"), 0);
    directory_case_done(ctx, &made);
}

TEST(r92_a_token_is_shown_once_and_kept_nowhere)
{
    ax_test_with_ctx(issues);
}

static struct directory_case swept;

static ax_status
issue_and_revoke(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    const struct ax_json *request, *answer;
    ax_str id;
    AX_TRY(ax_json_parse(ctx, AX_STR("{}"), NULL, &request));
    AX_TRY(ax_token_issue(swept.directory, ctx, AX_STR("dana"), request, &json));
    AX_TRY(out.status);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&out), NULL, &answer));
    AX_TRY(ax_json_need_text(ctx, answer, "id", &id));
    return ax_token_revoke(swept.directory, ctx, id);
}

static ax_status
authenticates(struct ax_ctx *ctx)
{
    static const ax_str wrong = {"Bearer axm_0123456789abcdef0123456789abcdef0123456789abcdef"
                                 "0123456789abcdef",
                                 AX_TOKEN_BYTES + 7};
    struct ax_actor actor;
    ax_auto(ax_directory_close) struct ax_directory *directory = NULL;
    AX_TRY(ax_directory_open(ctx, swept.store, ax_str_of(swept.cache), &directory));
    ax_status status = ax_token_authenticate(directory, ctx, wrong, network, &actor);
    return status == AX_UNAUTHENTICATED ? AX_OK : status;
}

/* Each token, and each end of one, has its fact. */
static void
after_token(struct ax_ctx *ctx, ax_status status)
{
    int64_t facts =
        directory_case_count(ctx, &swept, "select count(*) from outbox where kind = 63");
    CHECK_EQ(directory_case_count(ctx, &swept,
                                  "select (select count(*) from tokens) + (select count(*) from "
                                  "tokens where revoked_ns is not null)"),
             facts);
    CHECK(status != AX_OK || facts == 2);
    directory_case_script(ctx, &swept, "delete from tokens; delete from outbox");
}

static void
sweep(struct ax_ctx *ctx)
{
    open_case(ctx, &swept);
    directory_case_script(ctx, &swept, "delete from outbox");
    directory_case_sweep(issue_and_revoke, after_token);
    FAULT_SWEEP(authenticates);
    directory_case_done(ctx, &swept);
}

TEST(r43_issuing_and_revoking_meets_every_fault_with_its_fact)
{
    ax_test_with_ctx(sweep);
}

/* ---- from many threads, while everything changes ---- */

enum { THREADS = 3, ROUNDS = 40 };

static struct directory_case shared;
static ax_str shared_token;

static void
asks(void *arg)
{
    size_t *asked = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 16);
    ax_str header = ax_str_printf(arena, "Bearer %.*s", AX_FMT(shared_token));
    for (; *asked < 2'000; ++*asked) {
        ax_auto(ax_arena_free) struct ax_arena *own = ax_arena_new(1 << 14);
        struct ax_ctx ctx = ax_ctx_of(own);
        struct ax_actor actor = {};
        CHECK_EQ(ax_token_authenticate(shared.directory, &ctx, header, network, &actor), AX_OK);
        CHECK_STR(actor.id, "dana");
    }
}

static void
many(struct ax_ctx *ctx)
{
    size_t asked[THREADS] = {};
    struct ax_thread *threads[THREADS];
    open_case(ctx, &shared);
    shared_token = directory_case_token(ctx, &shared, "dana", NULL);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(ax_thread_start(ctx, "asks", asks, &asked[i], &threads[i]), AX_OK);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(ax_directory_reload(shared.directory, ctx), AX_OK);
    for (size_t i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(asked[i], 2'000);
    directory_case_done(ctx, &shared);
}

TEST(tokens_are_checked_by_many_threads_while_the_directory_changes)
{
    ax_test_with_ctx(many);
}

/* ---- rotation, finding, use ---- */

static ax_str
list_of(struct ax_ctx *ctx, struct directory_case *made, ax_str begins)
{
    ax_str text = AX_STR("");
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    CHECK_EQ(ax_token_list(made->directory, ctx, AX_STR(""), begins, &json), AX_OK);
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &text), AX_OK);
    return text;
}

static ax_status
rotate(struct ax_ctx *ctx, struct directory_case *made, ax_str id, const char *request,
       ax_str *out_token)
{
    const struct ax_json *json;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer writer = ax_json_writer_of(&out);
    AX_TRY(ax_token_rotate(made->directory, ctx, id, directory_case_json(ctx, request), &writer));
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&out), NULL, &json));
    return ax_json_need_text(ctx, json, "token", out_token);
}

static void
rotation(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    ax_str id = AX_STR(""), fresh = AX_STR("");
    open_case(ctx, &made);
    ax_str old = directory_case_token(ctx, &made, "dana", &id);
    CHECK_EQ(rotate(ctx, &made, AX_STR("t_none"), "{}", &fresh), AX_NOT_FOUND);
    CHECK_EQ(rotate(ctx, &made, id, "{\"overlap_hours\":721}", &fresh), AX_INVALID);
    CHECK_EQ(rotate(ctx, &made, id, "{\"overlap_hours\":1,\"days\":9}", &fresh), AX_OK);
    CHECK(!ax_str_eq(old, fresh));
    CHECK_EQ(ask(ctx, &made, "Bearer ", old), AX_OK);
    CHECK_EQ(ask(ctx, &made, "Bearer ", fresh), AX_OK);
    int64_t now_ns = ax_clock_real_ns();
    ax_clock_fake(1, now_ns + INT64_C(3'601'000'000'000));
    CHECK_EQ(ask(ctx, &made, "Bearer ", old), AX_UNAUTHENTICATED);
    CHECK_EQ(ask(ctx, &made, "Bearer ", fresh), AX_OK);
    ax_clock_fake(0, 0);
    CHECK_EQ(ax_token_revoke(made.directory, ctx, id), AX_OK);
    CHECK_EQ(rotate(ctx, &made, id, "{}", &fresh), AX_CONFLICT);
    directory_case_done(ctx, &made);
}

TEST(r84_a_token_is_rotated_while_the_old_one_goes_on)
{
    ax_test_with_ctx(rotation);
}

static void
found(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"eve\"}", NULL);
    ax_str token = directory_case_token(ctx, &made, "dana", NULL);
    directory_case_token(ctx, &made, "eve", NULL);
    ax_str list = list_of(ctx, &made, token);
    CHECK(ax_str_find(list, AX_STR("\"user\":\"dana\"")) != SIZE_MAX);
    CHECK(ax_str_find(list, AX_STR("\"user\":\"eve\"")) == SIZE_MAX);
    CHECK(ax_str_find(list, AX_STR("last_used")) == SIZE_MAX);
    CHECK_EQ(ask(ctx, &made, "Bearer ", token), AX_OK);
    CHECK_EQ(ax_directory_upkeep(made.directory, ctx), AX_OK);
    list = list_of(ctx, &made, (ax_str){token.at, AX_TOKEN_PREFIX_BYTES});
    CHECK(ax_str_find(list, AX_STR("last_used")) != SIZE_MAX);
    list = list_of(ctx, &made, AX_STR("axm_00000000"));
    CHECK(ax_str_find(list, AX_STR("user")) == SIZE_MAX);
    directory_case_done(ctx, &made);
}

TEST(r84_a_token_that_was_found_somewhere_says_whose_it_is_and_when_it_was_used)
{
    ax_test_with_ctx(found);
}

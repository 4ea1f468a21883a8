#include "directory_case.h"
#include "sys/clock.h"

#define NS_PER_DAY INT64_C(86'400'000'000'000)

static void
open_case(struct ax_ctx *ctx, struct directory_case *made)
{
    directory_case_make(ctx, made);
    CHECK_EQ(ax_directory_open(ctx, made->store, ax_str_of(made->cache), &made->directory), AX_OK);
}

static void
begin(struct ax_ctx *ctx, struct directory_case *made, struct ax_store_tx **out_tx)
{
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_WRITE, out_tx), AX_OK);
}

static void
roles(struct ax_ctx *ctx)
{
    static const struct {
        const char *change;
        ax_status want;
    } cases[] = {
        {"{\"grant\":[\"developer\",\"owner\"],\"line\":2,\"manager\":\"mo\"}", AX_OK},
        {"{\"grant\":[\"developer\"]}", AX_CONFLICT},
        {"{}", AX_CONFLICT},
        {"{\"grant\":[\"root\"]}", AX_INVALID},
        {"{\"grant\":[7]}", AX_INVALID},
        {"{\"grant\":\"developer\"}", AX_INVALID},
        {"{\"grant\":[\"client\"],\"revoke\":[\"client\"]}", AX_INVALID},
        {"{\"grants\":[\"client\"]}", AX_INVALID},
        {"[]", AX_INVALID},
        {"{\"line\":4}", AX_INVALID},
        {"{\"line\":\"2\"}", AX_INVALID},
        {"{\"manager\":\"dana\"}", AX_INVALID},
        {"{\"manager\":\"sam\"}", AX_INVALID},
        {"{\"manager\":\"robot\"}", AX_INVALID},
        {"{\"manager\":\"nobody\"}", AX_NOT_FOUND},
        {"{\"grant\":[\"security_admin\"]}", AX_DENIED},
        {"{\"grant\":[\"auditor\"]}", AX_DENIED},
        {"{\"grant\":[\"fairness\"]}", AX_DENIED},
        {"{\"grant\":[\"security_admin\"],\"revoke\":[\"developer\",\"owner\"]}", AX_OK},
        {"{\"revoke\":[\"security_admin\"]}", AX_CONFLICT},
    };
    struct directory_case made = {};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"mo\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"sam\",\"manager\":\"dana\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"robot\",\"kind\":\"service\"}", NULL);
    begin(ctx, &made, &tx);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *change = directory_case_json(ctx, cases[i].change);
        ax_status check = ax_directory_check_role(tx, ctx, AX_STR("dana"), change);
        ax_status apply = ax_directory_apply_role(tx, ctx, AX_STR("dana"), change);
        if (check != cases[i].want || apply != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s: %s", cases[i].change,
                           ax_status_name(check), ax_status_name(apply), ctx->error);
    }
    struct ax_directory_user user;
    CHECK_EQ(ax_directory_read_user(tx, ctx, AX_STR("dana"), &user), AX_OK);
    CHECK_EQ(user.roles, AX_ROLE_BIT(SECURITY_ADMIN));
    CHECK_EQ(user.line, 2);
    CHECK_STR(user.manager, "mo");
    CHECK_EQ(ax_directory_apply_role(tx, ctx, AX_STR("nobody"), directory_case_json(ctx, "{}")),
             AX_NOT_FOUND);
    CHECK_EQ(ax_directory_apply_role(tx, ctx, AX_STR("robot"),
                                     directory_case_json(ctx, "{\"grant\":[\"approver\"]}")),
             AX_DENIED);
    ax_store_rollback(ax_take(tx));
    directory_case_done(ctx, &made);
}

TEST(r43_r44_a_role_is_changed_as_the_proposal_says_or_not_at_all)
{
    ax_test_with_ctx(roles);
}

static void
independent(struct ax_ctx *ctx)
{
    static const struct {
        const char *validator, *developer;
        ax_status want;
    } cases[] = {
        {"vera", "dana", AX_OK},     {"dana", "dana", AX_DENIED},      {"lead", "dana", AX_DENIED},
        {"head", "dana", AX_DENIED}, {"dana", "head", AX_DENIED},      {"head", "vera", AX_OK},
        {"dev2", "dana", AX_OK},     {"nobody", "dana", AX_NOT_FOUND},
    };
    struct directory_case made = {};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"head\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"lead\",\"manager\":\"head\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"dana\",\"manager\":\"lead\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"dev2\",\"manager\":\"lead\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"vera\",\"line\":2}", NULL);
    begin(ctx, &made, &tx);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_directory_check_independent(tx, ctx, ax_str_of(cases[i].validator),
                                                ax_str_of(cases[i].developer)),
                 cases[i].want);
    CHECK_EQ(ax_directory_check_independent(tx, ctx, AX_STR("head"), AX_STR("dana")), AX_DENIED);
    CHECK_STR(ax_str_of(ctx->error), "dana reports to head");
    ax_store_rollback(ax_take(tx));
    directory_case_done(ctx, &made);
}

TEST(r20_a_validator_stands_outside_the_developers_line)
{
    ax_test_with_ctx(independent);
}

/* A key of its own file, its enrolment's change. */
static const struct ax_json *
enrolment(struct ax_ctx *ctx, struct directory_case *made, const char *user,
          struct ax_keystore_key *out_key)
{
    static int number;
    ax_str change = AX_STR("{}");
    ax_str path = ax_str_printf(ctx->arena, "%s/%d.key", made->folder, number++);
    CHECK_EQ(ax_keystore_create(ctx, path, AX_STR(""), out_key), AX_OK);
    CHECK_EQ(ax_keystore_enrolment(ctx, out_key, ax_str_of(user), 30, &change), AX_OK);
    return directory_case_json(ctx, ax_str_c(ctx->arena, change));
}

static ax_status
signs(struct ax_store_tx *tx, struct ax_ctx *ctx, const char *user,
      const struct ax_keystore_key *key)
{
    uint8_t signature[AX_SIGNATURE_BYTES];
    ax_keystore_sign(key, AX_STR("message"), signature);
    return ax_directory_check_signature(
        tx, ctx,
        &(struct ax_directory_signed){.user = ax_str_of(user),
                                      .key_id = ax_str_of(key->id),
                                      .signature = {(const char *)signature, sizeof signature},
                                      .message = AX_STR("message")});
}

static void
keys(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_keystore_key key = {}, other = {};
    int64_t counts[2] = {-1, -1}, now_ns = ax_clock_real_ns();
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}", "{\"grant\":[\"approver\"]}");
    directory_case_user(ctx, &made, "{\"id\":\"eve\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"robot\",\"kind\":\"service\"}", NULL);
    const struct ax_json *change = enrolment(ctx, &made, "dana", &key);
    const struct ax_json *robots = enrolment(ctx, &made, "robot", &other);
    begin(ctx, &made, &tx);
    CHECK_EQ(signs(tx, ctx, "dana", &key), AX_DENIED); /* not enrolled yet */
    CHECK_EQ(ax_directory_check_key(tx, ctx, AX_STR("dana"), change), AX_OK);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("eve"), change), AX_DENIED); /* not hers */
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("robot"), robots), AX_DENIED);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("dana"), change), AX_OK);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("dana"), change), AX_CONFLICT);
    CHECK_EQ(signs(tx, ctx, "dana", &key), AX_OK);
    CHECK_EQ(signs(tx, ctx, "eve", &key), AX_DENIED);
    CHECK_EQ(signs(tx, ctx, "dana", &other), AX_DENIED);
    CHECK_EQ(signs(tx, ctx, "nobody", &key), AX_DENIED);
    CHECK_EQ(ax_directory_holders(tx, ctx, AX_ROLE_APPROVER, AX_STR(""), counts), AX_OK);
    CHECK_EQ(counts[AX_DIRECTORY_ALL], 1);
    CHECK_EQ(counts[AX_DIRECTORY_KEYED], 1);
    CHECK_EQ(ax_directory_holders(tx, ctx, AX_ROLE_APPROVER, AX_STR("dana"), counts), AX_OK);
    CHECK_EQ(counts[AX_DIRECTORY_ALL], 0);
    ax_clock_fake(1, now_ns + 31 * NS_PER_DAY); /* it was for 30 days */
    CHECK_EQ(signs(tx, ctx, "dana", &key), AX_DENIED);
    CHECK(strstr(ctx->error, "not valid now") != NULL);
    ax_clock_fake(1, now_ns - NS_PER_DAY);
    CHECK_EQ(signs(tx, ctx, "dana", &key), AX_DENIED);
    ax_clock_fake(0, 0);
    ax_str revoke = ax_str_printf(ctx->arena, "{\"revoke\":\"%s\"}", key.id);
    const struct ax_json *revoking = directory_case_json(ctx, revoke.at);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("eve"), revoking), AX_NOT_FOUND);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("dana"), revoking), AX_OK);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("dana"), revoking), AX_CONFLICT);
    CHECK_EQ(signs(tx, ctx, "dana", &key), AX_DENIED);
    CHECK(strstr(ctx->error, "revoked") != NULL);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, AX_STR("dana"), change), AX_CONFLICT);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    CHECK_EQ(ax_directory_reload(made.directory, ctx), AX_OK);
    struct ax_directory_user user;
    CHECK_EQ(ax_directory_find(made.directory, ctx, AX_STR("dana"), &user), AX_OK);
    CHECK(user.key_count == 1 && user.keys[0].revoked_ns != 0);
    ax_keystore_close(&key);
    ax_keystore_close(&other);
    directory_case_done(ctx, &made);
}

TEST(r45_only_a_key_its_owner_holds_and_that_is_valid_now_signs)
{
    ax_test_with_ctx(keys);
}

static void
changes_refused(struct ax_ctx *ctx)
{
    static const char *const changes[] = {
        "{}",
        "{\"enroll\":\"AAAA\",\"proof\":\"AAAA\"}",
        "{\"enroll\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
        "{\"revoke\":7}",
        "{\"revoke\":\"x\",\"enroll\":\"x\"}",
        "[]",
    };
    struct directory_case made = {};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}", NULL);
    begin(ctx, &made, &tx);
    for (size_t i = 0; i < AX_COUNT_OF(changes); i++)
        CHECK_EQ(
            ax_directory_apply_key(tx, ctx, AX_STR("dana"), directory_case_json(ctx, changes[i])),
            AX_INVALID);
    ax_store_rollback(ax_take(tx));
    directory_case_done(ctx, &made);
}

TEST(changes_of_keys_that_make_no_sense_are_refused)
{
    ax_test_with_ctx(changes_refused);
}

static struct directory_case swept;
static const char *swept_change;

static ax_status
apply(struct ax_ctx *ctx)
{
    const struct ax_json *role, *key;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_json_parse(ctx, AX_STR("{\"grant\":[\"owner\"],\"manager\":\"mo\"}"), NULL, &role));
    AX_TRY(ax_json_parse(ctx, ax_str_of(swept_change), NULL, &key));
    AX_TRY(ax_store_begin(swept.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_directory_apply_role(tx, ctx, AX_STR("dana"), role));
    return ax_directory_apply_key(tx, ctx, AX_STR("dana"), key); /* and roll back */
}

static void
sweep(struct ax_ctx *ctx)
{
    struct ax_keystore_key key = {};
    ax_str change;
    open_case(ctx, &swept);
    directory_case_user(ctx, &swept, "{\"id\":\"mo\"}", NULL);
    directory_case_user(ctx, &swept, "{\"id\":\"dana\"}", NULL);
    enrolment(ctx, &swept, "dana", &key);
    CHECK_EQ(ax_keystore_enrolment(ctx, &key, AX_STR("dana"), 30, &change), AX_OK);
    swept_change = ax_str_c(ctx->arena, change);
    FAULT_SWEEP(apply);
    ax_keystore_close(&key);
    directory_case_done(ctx, &swept);
}

TEST(r43_changes_of_roles_and_keys_meet_every_fault)
{
    ax_test_with_ctx(sweep);
}

/* ---- limits and identities ---- */

static void
bounds(struct ax_ctx *ctx)
{
    static const struct {
        const char *change;
        ax_status want;
    } cases[] = {
        {"{\"models\":{\"credit*\":\"USE\",\"fraud\":\"MANAGE\"}}", AX_OK},
        {"{\"models\":{\"fraud\":\"MANAGE\",\"credit*\":\"USE\"}}",
         AX_CONFLICT}, /* is so already */
        {"{\"models\":{\"credit*\":\"EDIT\",\"fraud\":\"MANAGE\"}}", AX_OK},
        {"{\"models\":{}}", AX_OK},
        {"{\"models\":null}", AX_OK},
        {"{\"models\":null}", AX_CONFLICT},
        {"{\"models\":[]}", AX_INVALID},
        {"{\"models\":{\"a*b\":\"USE\"}}", AX_INVALID},
        {"{\"models\":{\"\":\"USE\"}}", AX_INVALID},
        {"{\"models\":{\"a\":\"NO_PERMISSIONS\"}}", AX_INVALID},
        {"{\"models\":{\"a\":\"use\"}}", AX_INVALID},
        {"{\"models\":{\"a\":2}}", AX_INVALID},
        {"{\"identities\":[\"uri:spiffe://bank/dana\",\"jwt:dana\"]}", AX_OK},
        {"{\"identities\":[\"jwt:dana\",\"uri:spiffe://bank/dana\"]}", AX_CONFLICT},
        {"{\"identities\":[\"jwt:dana\",\"jwt:dana\"]}", AX_INVALID},
        {"{\"identities\":[\"dana\"]}", AX_INVALID},
        {"{\"identities\":[\"uri:\"]}", AX_INVALID},
        {"{\"identities\":[\"dns:a\\nb\"]}", AX_INVALID},
        {"{\"identities\":[7]}", AX_INVALID},
        {"{\"identities\":{}}", AX_INVALID},
        {"{\"identities\":[\"dns:eve.bank\"]}", AX_CONFLICT}, /* eve's */
        {"{\"identities\":[]}", AX_OK},
    };
    struct directory_case made = {};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_directory_user user;
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}", NULL);
    directory_case_user(ctx, &made, "{\"id\":\"eve\"}", "{\"identities\":[\"dns:eve.bank\"]}");
    begin(ctx, &made, &tx);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *change = directory_case_json(ctx, cases[i].change);
        ax_status check = ax_directory_check_role(tx, ctx, AX_STR("dana"), change);
        ax_status apply = ax_directory_apply_role(tx, ctx, AX_STR("dana"), change);
        if (check != cases[i].want || apply != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s: %s", cases[i].change,
                           ax_status_name(check), ax_status_name(apply), ctx->error);
    }
    CHECK_EQ(ax_directory_read_user(tx, ctx, AX_STR("dana"), &user), AX_OK);
    CHECK(!user.limited && user.grant_count == 0 && user.identity_count == 0);
    ax_store_rollback(ax_take(tx));
    directory_case_done(ctx, &made);
}

TEST(r83_limits_and_identities_change_whole_and_an_identity_is_one_users)
{
    ax_test_with_ctx(bounds);
}

/* The limit travels: to the picture, to its copy on disk, to people. */
static void
shown(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_directory_user user;
    struct ax_directory *copy = NULL;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    open_case(ctx, &made);
    directory_case_user(ctx, &made, "{\"id\":\"dana\"}",
                        "{\"models\":{\"a*\":\"USE\"},\"identities\":[\"jwt:d\"]}");
    CHECK_EQ(ax_directory_show(made.directory, ctx, AX_STR("dana"), &json), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&out),
                      AX_STR("\"models\":{\"a*\":\"USE\"},\"identities\":[\"jwt:d\"]")) !=
          SIZE_MAX);
    CHECK_EQ(ax_directory_open(ctx, NULL, ax_str_of(made.cache), &copy), AX_OK);
    CHECK_EQ(ax_directory_find(copy, ctx, AX_STR("dana"), &user), AX_OK);
    CHECK(user.limited && user.grant_count == 1 && user.identity_count == 1);
    CHECK_STR(user.grants[0].pattern, "a*");
    ax_directory_close(copy);
    directory_case_done(ctx, &made);
}

TEST(r83_limits_outlive_a_restart_without_the_store)
{
    ax_test_with_ctx(shown);
}

#include "auth/policy.h"

#include "harness.h"

#define ROLE(name) AX_ROLE_BIT(name)

static ax_status
may(struct ax_ctx *ctx, enum ax_actor_kind kind, uint32_t roles, enum ax_permission permission)
{
    const struct ax_actor actor = {.id = AX_STR("dana"), .kind = kind, .roles = roles};
    return ax_policy_check(ctx, &actor, permission);
}

/* The table of governance.md, row by row: exactly these roles, each alone. */
static void
matrix(struct ax_ctx *ctx)
{
    static const struct {
        enum ax_permission permission;
        uint32_t roles;
    } rows[] = {
        {AX_PERMISSION_DEVELOP, ROLE(DEVELOPER) | ROLE(OWNER)},
        {AX_PERMISSION_VALIDATE, ROLE(VALIDATOR)},
        {AX_PERMISSION_DECIDE, ROLE(CLIENT)},
        {AX_PERMISSION_KILL, ROLE(OWNER) | ROLE(OPERATOR) | ROLE(RISK_OFFICER)},
        {AX_PERMISSION_ROLLBACK, ROLE(OPERATOR) | ROLE(DEPLOYER)},
        {AX_PERMISSION_AUDIT, ROLE(COMPLIANCE) | ROLE(AUDITOR)},
        {AX_PERMISSION_PROPOSE_ACCESS, ROLE(SECURITY_ADMIN)},
        {AX_PERMISSION_PROPOSE_RELEASE, ROLE(OPERATOR) | ROLE(RISK_OFFICER)},
        {AX_PERMISSION_PROPOSE_ERASURE, ROLE(PRIVACY)},
        {AX_PERMISSION_MANAGE_USERS, ROLE(SECURITY_ADMIN)},
        {AX_PERMISSION_MANAGE_TOKENS, ROLE(SECURITY_ADMIN)},
        {AX_PERMISSION_READ_PROTECTED, ROLE(FAIRNESS)},
    };
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
        for (size_t role = 0; role < AX_ROLE_COUNT; role++) {
            bool want = rows[i].roles >> role & 1;
            ax_status got = may(ctx, AX_ACTOR_PERSON, UINT32_C(1) << role, rows[i].permission);
            if (got != (want ? AX_OK : AX_DENIED))
                ax_test_failed(__FILE__, __LINE__, "row %zu, %s: %s", i,
                               ax_policy_role_name((enum ax_role)role), ax_status_name(got));
        }
}

TEST(r83_each_action_is_open_to_the_roles_of_the_table_and_no_other)
{
    ax_test_with_ctx(matrix);
}

static void
default_deny(struct ax_ctx *ctx)
{
    for (int i = 0; i < AX_PERMISSION_COUNT; i++) {
        enum ax_permission permission = (enum ax_permission)i;
        bool open = permission == AX_PERMISSION_PUBLIC || permission == AX_PERMISSION_KNOWN ||
                    permission == AX_PERMISSION_PROPOSE;
        CHECK_EQ(may(ctx, AX_ACTOR_PERSON, 0, permission), open ? AX_OK : AX_DENIED);
        CHECK_EQ(ax_policy_check(ctx, NULL, permission),
                 permission == AX_PERMISSION_PUBLIC ? AX_OK : AX_UNAUTHENTICATED);
    }
    CHECK_EQ(may(ctx, AX_ACTOR_PERSON, ROLE(DEVELOPER), AX_PERMISSION_VALIDATE), AX_DENIED);
    CHECK_STR(ax_str_of(ctx->error),
              "dana (developer) may not validate a model: that takes validator");
}

TEST(r83_without_a_role_nothing_but_what_is_everybodys_is_open)
{
    ax_test_with_ctx(default_deny);
}

static void
services(struct ax_ctx *ctx)
{
    static const enum ax_permission personal[] = {
        AX_PERMISSION_SIGN,
        AX_PERMISSION_REVIEW,
        AX_PERMISSION_MANAGE_USERS,
        AX_PERMISSION_MANAGE_TOKENS,
        AX_PERMISSION_PROPOSE_ACCESS,
        AX_PERMISSION_PROPOSE_ERASURE,
        AX_PERMISSION_PROPOSE_RELEASE,
    };
    for (size_t i = 0; i < AX_COUNT_OF(personal); i++) {
        CHECK_EQ(may(ctx, AX_ACTOR_SERVICE, UINT32_MAX, personal[i]), AX_DENIED);
        CHECK(strstr(ctx->error, "takes a person") != NULL);
    }
    static const uint32_t never[] = {ROLE(APPROVER),     ROLE(VALIDATOR),  ROLE(OWNER),
                                     ROLE(RISK_OFFICER), ROLE(COMPLIANCE), ROLE(SECURITY_ADMIN),
                                     ROLE(PRIVACY)};
    for (size_t i = 0; i < AX_COUNT_OF(never); i++)
        CHECK_EQ(ax_policy_check_roles(ctx, AX_ACTOR_SERVICE, never[i]), AX_DENIED);
    CHECK_EQ(ax_policy_check_roles(ctx, AX_ACTOR_SERVICE, ROLE(CLIENT) | ROLE(OPERATOR)), AX_OK);
}

TEST(r44_a_service_neither_signs_nor_holds_a_role_that_judges)
{
    ax_test_with_ctx(services);
}

static void
together(struct ax_ctx *ctx)
{
    static const struct {
        uint32_t roles;
        ax_status want;
    } cases[] = {
        {0, AX_OK},
        {ROLE(SECURITY_ADMIN), AX_OK},
        {ROLE(SECURITY_ADMIN) | ROLE(APPROVER), AX_DENIED},
        {ROLE(SECURITY_ADMIN) | ROLE(DEVELOPER), AX_DENIED},
        {ROLE(SECURITY_ADMIN) | ROLE(PRIVACY), AX_DENIED},
        {ROLE(AUDITOR) | ROLE(COMPLIANCE), AX_DENIED},
        {ROLE(OPERATOR) | ROLE(RISK_OFFICER), AX_DENIED},
        {ROLE(FAIRNESS) | ROLE(DEVELOPER), AX_DENIED},
        {ROLE(VALIDATOR) | ROLE(OWNER), AX_DENIED},
        {ROLE(VALIDATOR) | ROLE(FAIRNESS), AX_OK},
        {ROLE(DEVELOPER) | ROLE(OWNER), AX_OK},
        {ROLE(DEVELOPER) | ROLE(APPROVER), AX_OK}, /* per version: governance's */
        {UINT32_C(1) << AX_ROLE_COUNT, AX_INVALID},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_policy_check_roles(ctx, AX_ACTOR_PERSON, cases[i].roles), cases[i].want);
    CHECK_EQ(ax_policy_check_roles(ctx, AX_ACTOR_PERSON, ROLE(SECURITY_ADMIN) | ROLE(APPROVER)),
             AX_DENIED);
    CHECK_STR(ax_str_of(ctx->error), "security_admin does not go together with approver: who "
                                     "grants roles holds no other (R44, R84)");
}

TEST(r20_r44_r79_roles_that_check_each_other_are_not_one_persons)
{
    ax_test_with_ctx(together);
}

TEST(roles_have_words_and_words_have_roles)
{
    for (size_t i = 0; i < AX_ROLE_COUNT; i++) {
        enum ax_role role = AX_ROLE_COUNT;
        CHECK(ax_policy_role_parse(ax_str_of(ax_policy_role_name((enum ax_role)i)), &role));
        CHECK_EQ(role, i);
    }
    enum ax_role role;
    CHECK(!ax_policy_role_parse(AX_STR("root"), &role));
    CHECK(!ax_policy_role_parse(AX_STR(""), &role));
}

/* ---- grants ---- */

static void
grants(struct ax_ctx *ctx)
{
    static const struct ax_grant given[] = {
        {{"credit*", 7}, AX_GRANT_USE}, {{"fraud", 5}, AX_GRANT_MANAGE}, {{"*", 1}, AX_GRANT_READ}};
    static const struct {
        const char *model;
        enum ax_grant_level most;
    } cases[] = {{"credit", AX_GRANT_USE},   {"credit-2", AX_GRANT_USE}, {"fraud", AX_GRANT_MANAGE},
                 {"fraud-2", AX_GRANT_READ}, {"", AX_GRANT_READ},        {"Credit", AX_GRANT_READ},
                 {"credi", AX_GRANT_READ}};
    const struct ax_actor all = {.id = AX_STR("dana")};
    struct ax_actor some = {
        .id = AX_STR("sam"), .limited = true, .grants = given, .grant_count = 3};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        for (int level = AX_GRANT_READ; level < AX_GRANT_COUNT; level++) {
            ax_str model = ax_str_of(cases[i].model);
            bool may = level <= (int)cases[i].most;
            CHECK_EQ(ax_policy_may_model(&some, model, (enum ax_grant_level)level), may);
            CHECK(ax_policy_may_model(&all, model, (enum ax_grant_level)level));
            CHECK_EQ(ax_policy_check_model(ctx, &some, model, (enum ax_grant_level)level),
                     may ? AX_OK : AX_DENIED);
        }
    CHECK_EQ(ax_policy_check_model(ctx, NULL, AX_STR("x"), AX_GRANT_MANAGE), AX_OK);
    some.grant_count = 0;
    CHECK_EQ(ax_policy_check_model(ctx, &some, AX_STR("credit"), AX_GRANT_READ), AX_DENIED);
    CHECK(ax_test_said(ctx, "sam may not read about model \"credit\""));
}

TEST(r83_who_is_limited_may_what_their_grants_say)
{
    ax_test_with_ctx(grants);
}

TEST(every_permission_is_about_some_level_of_a_model)
{
    for (int i = 0; i < AX_PERMISSION_COUNT; i++) {
        enum ax_permission permission = (enum ax_permission)i;
        enum ax_grant_level level = ax_policy_level(permission);
        CHECK(level > AX_GRANT_NONE && level < AX_GRANT_COUNT);
        CHECK(!ax_policy_privileged(permission) || level >= AX_GRANT_READ);
    }
    CHECK_EQ(ax_policy_level(AX_PERMISSION_PREDICT), AX_GRANT_USE);
    CHECK_EQ(ax_policy_level(AX_PERMISSION_KILL), AX_GRANT_MANAGE);
    CHECK(ax_policy_privileged(AX_PERMISSION_MANAGE_TOKENS));
    CHECK(!ax_policy_privileged(AX_PERMISSION_PREDICT));
}

TEST(levels_have_the_words_of_mlflow)
{
    enum ax_grant_level level;
    for (int i = 0; i < AX_GRANT_COUNT; i++) {
        ax_str word = ax_str_of(ax_policy_level_name((enum ax_grant_level)i));
        CHECK(ax_policy_level_parse(word, &level) && level == (enum ax_grant_level)i);
    }
    CHECK(!ax_policy_level_parse(AX_STR("read"), &level));
}

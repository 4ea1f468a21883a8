#include "governance/approval.h"

#include "harness.h"

static const struct ax_quorum_table defaults = {{
    {2, 1, AX_ROLE_BIT(APPROVER) | AX_ROLE_BIT(RISK_OFFICER)},
    {1, 1, AX_ROLE_BIT(APPROVER) | AX_ROLE_BIT(RISK_OFFICER)},
    {1, 0, AX_ROLE_BIT(APPROVER) | AX_ROLE_BIT(RISK_OFFICER) | AX_ROLE_BIT(OWNER)},
}};

static void
canonical(struct ax_ctx *ctx)
{
    struct ax_proposal proposal = {.id = AX_STR("p_1"),
                                   .kind = AX_CHANGE_DEPLOYMENT,
                                   .subject = AX_STR("credit"),
                                   .proposer = AX_STR("dee"),
                                   .tier = 2,
                                   .created_ns = 0,
                                   .expires_ns = INT64_C(1'000'000'000)};
    ax_str one = {}, other = {};
    CHECK_EQ(ax_json_parse(ctx, AX_STR("{\"b\": 1, \"a\": [2.0]}"), NULL, &proposal.change), AX_OK);
    CHECK_EQ(ax_proposal_canonical(ctx, &proposal, &one), AX_OK);
    CHECK_STR(
        one,
        "{\"axiom_proposal\":1,\"change\":{\"a\":[2],\"b\":1},"
        "\"created\":\"1970-01-01T00:00:00.000000Z\",\"expires\":\"1970-01-01T00:00:01.000000Z\","
        "\"id\":\"p_1\",\"kind\":\"deployment\",\"object_digest\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"proposer\":\"dee\",\"subject\":\"credit\",\"tier\":2}");
    CHECK_EQ(ax_json_parse(ctx, AX_STR("{\"a\":[2],\"b\":1}"), NULL, &proposal.change), AX_OK);
    CHECK_EQ(ax_proposal_canonical(ctx, &proposal, &other), AX_OK);
    CHECK(ax_str_eq(one, other)); /* one meaning, one text */
    proposal.object_digest.bytes[0] = 1;
    CHECK_EQ(ax_proposal_canonical(ctx, &proposal, &other), AX_OK);
    CHECK(!ax_str_eq(one, other));
}

TEST(r43_a_proposal_has_one_text_that_covers_all_of_it)
{
    ax_test_with_ctx(canonical);
}

TEST(r46_the_quorum_follows_from_kind_and_tier)
{
    static const struct {
        struct ax_approval_case about;
        int approvals, second_line;
        uint32_t roles; /* one that must count; 0: nobody need sign */
    } cases[] = {
        {{AX_CHANGE_DEPLOYMENT, 1, .table = &defaults}, 2, 1, AX_ROLE_BIT(APPROVER)},
        {{AX_CHANGE_MODEL_VERSION, 2, .table = &defaults}, 1, 1, AX_ROLE_BIT(RISK_OFFICER)},
        {{AX_CHANGE_POLICY, 3, .table = &defaults}, 1, 0, AX_ROLE_BIT(OWNER)},
        {{AX_CHANGE_REASON_MAP, 2, .table = &defaults}, 1, 1, AX_ROLE_BIT(COMPLIANCE)},
        {{AX_CHANGE_TIER, 2, .lowers_tier = true, .table = &defaults}, 1, 1, AX_ROLE_BIT(APPROVER)},
        {{AX_CHANGE_TIER, 2, .table = &defaults}, 0, 0, 0},
        {{AX_CHANGE_ROLE, 2, .second_administrator = true, .table = &defaults},
         1,
         0,
         AX_ROLE_BIT(SECURITY_ADMIN)},
        {{AX_CHANGE_KEY, 2, .table = &defaults}, 0, 0, 0},
        {{AX_CHANGE_KILL, 2, .proposer_roles = AX_ROLE_BIT(OPERATOR), .table = &defaults},
         1,
         0,
         AX_ROLE_BIT(RISK_OFFICER)},
        {{AX_CHANGE_BREAKER, 2, .proposer_roles = AX_ROLE_BIT(RISK_OFFICER), .table = &defaults},
         1,
         0,
         AX_ROLE_BIT(OPERATOR)},
        {{AX_CHANGE_ERASURE, 2, .table = &defaults}, 1, 0, AX_ROLE_BIT(PRIVACY)},
        {{AX_CHANGE_QUORUM, 2, .table = &defaults}, 2, 1, AX_ROLE_BIT(APPROVER)},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_quorum quorum = ax_approval_quorum(&cases[i].about);
        CHECK_EQ(quorum.approvals, cases[i].approvals);
        CHECK_EQ(quorum.second_line, cases[i].second_line);
        CHECK(cases[i].roles == 0 || (quorum.roles & cases[i].roles));
    }
}

TEST(r79_whoever_proposes_a_release_cannot_be_both_of_its_keys)
{
    const struct ax_approval_case about = {
        AX_CHANGE_KILL, 2, .proposer_roles = AX_ROLE_BIT(OPERATOR), .table = &defaults};
    CHECK_EQ(ax_approval_quorum(&about).roles & AX_ROLE_BIT(OPERATOR), 0);
}

static void
people(struct ax_ctx *ctx)
{
    static const ax_str involved[] = {{"dana", 4}, {"vic", 3}}, signers[] = {{"rick", 4}};
    const struct ax_quorum quorum = {2, 1, AX_ROLE_BIT(APPROVER) | AX_ROLE_BIT(RISK_OFFICER)};
    const struct ax_approval_conflicts conflicts = {
        AX_STR("dee"), AX_STR("eve"), involved, 2, signers, 1};
    static const struct {
        struct ax_approval_person person;
        const char *words; /* "" when their signature counts */
    } cases[] = {
        {{{"ada", 3}, AX_ACTOR_PERSON, AX_ROLE_BIT(APPROVER), 2}, ""},
        {{{"svc", 3}, AX_ACTOR_SERVICE, AX_ROLE_BIT(APPROVER), 0},
         "svc is a service: only natural persons sign"},
        {{{"dee", 3}, AX_ACTOR_PERSON, AX_ROLE_BIT(APPROVER), 2},
         "dee proposed it: a second person must sign"},
        {{{"eve", 3}, AX_ACTOR_PERSON, AX_ROLE_BIT(APPROVER), 2},
         "eve is whom it is about: another person must sign"},
        {{{"vic", 3}, AX_ACTOR_PERSON, AX_ROLE_BIT(APPROVER), 2},
         "vic developed or validated it: an uninvolved person must sign"},
        {{{"root", 4}, AX_ACTOR_PERSON, AX_ROLE_BIT(SECURITY_ADMIN) | AX_ROLE_BIT(APPROVER), 2},
         "root is a security administrator, who may not approve"},
        {{{"oli", 3}, AX_ACTOR_PERSON, AX_ROLE_BIT(OPERATOR), 1},
         "oli may not sign this: approver or risk_officer is needed"},
        {{{"rick", 4}, AX_ACTOR_PERSON, AX_ROLE_BIT(RISK_OFFICER), 2},
         "rick has signed it already"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ctx->error[0] = '\0';
        ax_status status = ax_approval_check_person(ctx, AX_CHANGE_DEPLOYMENT, &quorum,
                                                    &cases[i].person, &conflicts);
        CHECK_EQ(status, cases[i].words[0] ? AX_DENIED : AX_OK);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
}

TEST(r44_only_an_uninvolved_person_with_the_role_signs_and_once)
{
    ax_test_with_ctx(people);
}

TEST(r46_signatures_are_enough_when_number_and_line_are)
{
    const struct ax_quorum quorum = {2, 1, 0};
    CHECK(!ax_approval_satisfied(&quorum, (const int[]){2}, 1));
    CHECK(!ax_approval_satisfied(&quorum, (const int[]){1, 1}, 2));
    CHECK(ax_approval_satisfied(&quorum, (const int[]){1, 2}, 2));
    CHECK(ax_approval_satisfied(&(struct ax_quorum){}, NULL, 0));
}

static void
configured(struct ax_ctx *ctx)
{
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"4\":{}}", "unknown tier `4`; 1, 2 and 3 are known"},
        {"{\"1\":{\"approvals\":0}}", "tier 1: `approvals` must be 1 to 5, not 0"},
        {"{\"1\":{\"approvals\":1,\"second_line\":2}}",
         "tier 1: `second_line` must be 0 to 1, not 2"},
        {"[]", "a quorum is an object of tiers"},
    };
    struct ax_quorum_table table = ax_quorum_default();
    const struct ax_json *json = NULL;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        CHECK_EQ(ax_quorum_parse(ctx, json, &table), AX_INVALID);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    CHECK_EQ(ax_json_parse(ctx, AX_STR("{\"2\":{\"approvals\":3,\"second_line\":2}}"), NULL, &json),
             AX_OK);
    CHECK_EQ(ax_quorum_parse(ctx, json, &table), AX_OK);
    CHECK_EQ(table.tiers[1].approvals, 3);
    CHECK_EQ(table.tiers[1].second_line, 2);
    CHECK_EQ(table.tiers[0].approvals, 2); /* as it was */
    ax_writer_auto struct ax_writer text = ax_writer_of(1024);
    struct ax_json_writer shown = ax_json_writer_of(&text);
    ax_quorum_show(&table.tiers[1], &shown);
    CHECK_STR(ax_writer_str(&text),
              "[\"3 signatures by approver or risk_officer, 2 of the second line\"]");
}

TEST(r46_a_quorum_is_configuration_and_is_checked)
{
    ax_test_with_ctx(configured);
}

TEST(change_kinds_have_one_word_each)
{
    for (int i = 0; i < AX_CHANGE_KIND_COUNT; i++) {
        enum ax_change_kind kind = AX_CHANGE_KIND_COUNT;
        CHECK(ax_change_kind_parse(ax_str_of(ax_change_kind_name((enum ax_change_kind)i)), &kind));
        CHECK_EQ(kind, i);
    }
    enum ax_change_kind kind;
    CHECK(!ax_change_kind_parse(AX_STR("nonsense"), &kind));
}

#include "auth/policy.h"

#include <stdio.h>

#include "base/assert.h"

#define ROLE(name)    AX_ROLE_BIT(name)
#define ALL_ROLES     ((UINT32_C(1) << AX_ROLE_COUNT) - 1)
#define ALL_BUT(mask) (ALL_ROLES & ~(mask))
#define READS_DECISIONS                                                                            \
    (ROLE(CLIENT) | ROLE(OWNER) | ROLE(VALIDATOR) | ROLE(OPERATOR) | ROLE(RISK_OFFICER) |          \
     ROLE(COMPLIANCE) | ROLE(AUDITOR) | ROLE(PRIVACY))

enum { PERSON_ONLY = 1, ROLELESS_TOO = 2, PRIVILEGED = 4 };

/*
 * Whoever has no role yet may propose a key of their own: so PROPOSE is open to them. Reading is
 * privileged only where it shows what others may not see; AUDIT is not, since each look into the
 * ledger would lengthen it.
 */
static const struct rule {
    const char *words; /* what those without it may not do */
    uint32_t roles;    /* any of them suffices */
    int flags;
} rules[AX_PERMISSION_COUNT] = {
    [AX_PERMISSION_PUBLIC] = {"use what is public", ALL_ROLES, ROLELESS_TOO},
    [AX_PERMISSION_KNOWN] = {"use this server", ALL_ROLES, ROLELESS_TOO},
    [AX_PERMISSION_PREDICT] = {"ask a model for predictions",
                               ROLE(CLIENT) | ROLE(DEVELOPER) | ROLE(VALIDATOR), 0},
    [AX_PERMISSION_DECIDE] = {"ask for decisions", ROLE(CLIENT), 0},
    [AX_PERMISSION_OUTCOME] = {"report the outcome of a decision",
                               ROLE(CLIENT) | ROLE(OPERATOR) | ROLE(OWNER), 0},
    [AX_PERMISSION_READ_DECISIONS] = {"read decisions", READS_DECISIONS, 0},
    [AX_PERMISSION_PROVE] = {"fetch the proof of a decision", READS_DECISIONS, 0},
    [AX_PERMISSION_REPLAY] = {"replay a decision",
                              ROLE(VALIDATOR) | ROLE(COMPLIANCE) | ROLE(AUDITOR), PRIVILEGED},
    [AX_PERMISSION_REVIEW] = {"review a referred decision",
                              ROLE(OWNER) | ROLE(OPERATOR) | ROLE(RISK_OFFICER) | ROLE(COMPLIANCE),
                              PERSON_ONLY},
    [AX_PERMISSION_READ] = {"read the inventory", ALL_BUT(ROLE(CLIENT)), 0},
    [AX_PERMISSION_DEVELOP] = {"change models, data sets or training runs",
                               ROLE(DEVELOPER) | ROLE(OWNER), 0},
    [AX_PERMISSION_VALIDATE] = {"validate a model", ROLE(VALIDATOR), PRIVILEGED},
    [AX_PERMISSION_PROPOSE] = {"propose a change", ALL_BUT(ROLE(CLIENT) | ROLE(AUDITOR)),
                               ROLELESS_TOO},
    [AX_PERMISSION_PROPOSE_MODEL] = {"propose a change of a model, a policy or a reason map",
                                     ROLE(DEVELOPER) | ROLE(OWNER) | ROLE(RISK_OFFICER) |
                                         ROLE(COMPLIANCE),
                                     0},
    [AX_PERMISSION_PROPOSE_DEPLOYMENT] = {"propose a deployment",
                                          ROLE(DEVELOPER) | ROLE(OWNER) | ROLE(DEPLOYER), 0},
    [AX_PERMISSION_PROPOSE_ACCESS] = {"propose a change of roles", ROLE(SECURITY_ADMIN),
                                      PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_PROPOSE_RELEASE] = {"propose that a breaker or a kill switch is released",
                                       ROLE(OPERATOR) | ROLE(RISK_OFFICER),
                                       PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_PROPOSE_ERASURE] = {"propose that somebody's data are erased", ROLE(PRIVACY),
                                       PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_SIGN] = {"approve or reject a proposal", ALL_BUT(ROLE(CLIENT) | ROLE(AUDITOR)),
                            PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_ROLLBACK] = {"roll a deployment back", ROLE(OPERATOR) | ROLE(DEPLOYER),
                                PRIVILEGED},
    [AX_PERMISSION_KILL] = {"stop a model, a client or the whole server",
                            ROLE(OWNER) | ROLE(OPERATOR) | ROLE(RISK_OFFICER), PRIVILEGED},
    [AX_PERMISSION_OPERATE] = {"run backups", ROLE(OPERATOR), PRIVILEGED},
    [AX_PERMISSION_AUDIT] = {"read the ledger", ROLE(COMPLIANCE) | ROLE(AUDITOR), 0},
    [AX_PERMISSION_READ_USERS] = {"read who the users are", ALL_BUT(ROLE(CLIENT)), 0},
    [AX_PERMISSION_MANAGE_USERS] = {"make or disable users", ROLE(SECURITY_ADMIN),
                                    PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_MANAGE_TOKENS] = {"issue or revoke tokens", ROLE(SECURITY_ADMIN),
                                     PERSON_ONLY | PRIVILEGED},
    [AX_PERMISSION_READ_PROTECTED] = {"read protected attributes", ROLE(FAIRNESS), PRIVILEGED},
};

/* Two sets of roles that one user does not hold a member of each of. */
static const struct clash {
    uint32_t one, other;
    const char *why;
} clashes[] = {
    {ROLE(SECURITY_ADMIN), ALL_BUT(ROLE(SECURITY_ADMIN)),
     "who grants roles holds no other (R44, R84)"},
    {ROLE(AUDITOR), ALL_BUT(ROLE(AUDITOR)), "who audits changes nothing (R26)"},
    {ROLE(OPERATOR), ROLE(RISK_OFFICER), "a release takes both, which are two persons (R79)"},
    {ROLE(FAIRNESS), ROLE(DEVELOPER) | ROLE(OWNER) | ROLE(DEPLOYER) | ROLE(CLIENT),
     "who reads protected attributes neither trains nor scores (R70)"},
    {ROLE(VALIDATOR), ROLE(OWNER), "who validates models owns none (R20)"},
};

/* What takes judgement, or a signature, is a person's (R44). */
static const uint32_t service_roles = ROLE(DEVELOPER) | ROLE(DEPLOYER) | ROLE(OPERATOR) |
                                      ROLE(AUDITOR) | ROLE(CLIENT) | ROLE(FAIRNESS);

static const char *const role_names[AX_ROLE_COUNT] = {
#define X(name, word) [AX_ROLE_##name] = (word),
    AX_ROLE_MAP(X)
#undef X
};

enum { ROLE_WORDS_BYTES = 256 };

/* "developer, owner"; what the set has no room for is left out. */
static const char *
role_words(uint32_t roles, const char *joint, char out[ROLE_WORDS_BYTES])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < AX_ROLE_COUNT; i++) {
        if (!(roles >> i & 1))
            continue;
        int more =
            snprintf(out + len, ROLE_WORDS_BYTES - len, "%s%s", len ? joint : "", role_names[i]);
        if (more < 0 || (size_t)more >= ROLE_WORDS_BYTES - len)
            break;
        len += (size_t)more;
    }
    return out;
}

ax_status
ax_policy_check(struct ax_ctx *ctx, const struct ax_actor *actor, enum ax_permission permission)
{
    char has[ROLE_WORDS_BYTES], takes[ROLE_WORDS_BYTES];
    AX_ASSERT(permission < AX_PERMISSION_COUNT);
    const struct rule *rule = &rules[permission];
    if (permission == AX_PERMISSION_PUBLIC)
        return AX_OK;
    if (!actor)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "only known users may %s", rule->words);
    if ((rule->flags & PERSON_ONLY) && actor->kind != AX_ACTOR_PERSON)
        return ax_fail(ctx, AX_DENIED, "%.*s is a service and may not %s: that takes a person",
                       AX_FMT(actor->id), rule->words);
    if (actor->roles & rule->roles)
        return AX_OK;
    if (!actor->roles && (rule->flags & ROLELESS_TOO))
        return AX_OK;
    return ax_fail(ctx, AX_DENIED, "%.*s (%s) may not %s: that takes %s", AX_FMT(actor->id),
                   actor->roles ? role_words(actor->roles, ", ", has) : "no role", rule->words,
                   role_words(rule->roles, " or ", takes));
}

/* ---- grants ---- */

static const char *const level_names[AX_GRANT_COUNT] = {"NO_PERMISSIONS", "READ", "USE", "EDIT",
                                                        "MANAGE"};

static bool
covers(ax_str pattern, ax_str name)
{
    if (!pattern.len || pattern.at[pattern.len - 1] != '*')
        return ax_str_eq(pattern, name);
    pattern.len--;
    return ax_str_starts(name, pattern);
}

bool
ax_policy_may_model(const struct ax_actor *actor, ax_str model, enum ax_grant_level level)
{
    if (!actor || !actor->limited)
        return true;
    for (size_t i = 0; i < actor->grant_count; i++)
        if (actor->grants[i].level >= level && covers(actor->grants[i].pattern, model))
            return true;
    return false;
}

ax_status
ax_policy_check_model(struct ax_ctx *ctx, const struct ax_actor *actor, ax_str model,
                      enum ax_grant_level level)
{
    static const char *const verbs[AX_GRANT_COUNT] = {"see", "read about", "use", "change",
                                                      "manage"};
    if (ax_policy_may_model(actor, model, level))
        return AX_OK;
    return ax_fail(ctx, AX_DENIED, "%.*s may not %s model \"%.*s\": no grant of theirs says so",
                   AX_FMT(actor->id), verbs[level], AX_FMT(model));
}

enum ax_grant_level
ax_policy_level(enum ax_permission permission)
{
    static const enum ax_grant_level levels[AX_PERMISSION_COUNT] = {
        [AX_PERMISSION_PREDICT] = AX_GRANT_USE,
        [AX_PERMISSION_DECIDE] = AX_GRANT_USE,
        [AX_PERMISSION_OUTCOME] = AX_GRANT_USE,
        [AX_PERMISSION_READ_DECISIONS] = AX_GRANT_READ,
        [AX_PERMISSION_PROVE] = AX_GRANT_READ,
        [AX_PERMISSION_REPLAY] = AX_GRANT_READ,
        [AX_PERMISSION_REVIEW] = AX_GRANT_USE,
        [AX_PERMISSION_READ] = AX_GRANT_READ,
        [AX_PERMISSION_DEVELOP] = AX_GRANT_EDIT,
        [AX_PERMISSION_VALIDATE] = AX_GRANT_EDIT,
        [AX_PERMISSION_PROPOSE] = AX_GRANT_EDIT,
        [AX_PERMISSION_PROPOSE_MODEL] = AX_GRANT_EDIT,
        [AX_PERMISSION_PROPOSE_DEPLOYMENT] = AX_GRANT_EDIT,
    };
    AX_ASSERT(permission < AX_PERMISSION_COUNT);
    bool anybody = permission == AX_PERMISSION_PUBLIC || permission == AX_PERMISSION_KNOWN;
    if (anybody)
        return AX_GRANT_READ;
    return levels[permission] ? levels[permission] : AX_GRANT_MANAGE;
}

bool
ax_policy_privileged(enum ax_permission permission)
{
    AX_ASSERT(permission < AX_PERMISSION_COUNT);
    return rules[permission].flags & PRIVILEGED;
}

const char *
ax_policy_words(enum ax_permission permission)
{
    AX_ASSERT(permission < AX_PERMISSION_COUNT);
    return rules[permission].words;
}

const char *
ax_policy_level_name(enum ax_grant_level level)
{
    AX_ASSERT(level < AX_GRANT_COUNT);
    return level_names[level];
}

bool
ax_policy_level_parse(ax_str word, enum ax_grant_level *out_level)
{
    for (size_t i = 0; i < AX_GRANT_COUNT; i++)
        if (ax_str_eq(word, ax_str_of(level_names[i]))) {
            *out_level = (enum ax_grant_level)i;
            return true;
        }
    return false;
}

/* ---- roles ---- */

ax_status
ax_policy_check_roles(struct ax_ctx *ctx, enum ax_actor_kind kind, uint32_t roles)
{
    char one[ROLE_WORDS_BYTES], other[ROLE_WORDS_BYTES];
    if (roles & ~ALL_ROLES)
        return ax_fail(ctx, AX_INVALID, "roles %#x are not all known", roles);
    if (kind != AX_ACTOR_PERSON && (roles & ~service_roles))
        return ax_fail(ctx, AX_DENIED, "a service may not be %s: that takes a person (R44)",
                       role_words(roles & ~service_roles, ", ", one));
    for (size_t i = 0; i < AX_COUNT_OF(clashes); i++) {
        uint32_t first = roles & clashes[i].one, second = roles & clashes[i].other;
        if (first && second)
            return ax_fail(ctx, AX_DENIED, "%s does not go together with %s: %s",
                           role_words(first, ", ", one), role_words(second, ", ", other),
                           clashes[i].why);
    }
    return AX_OK;
}

const char *
ax_policy_role_name(enum ax_role role)
{
    AX_ASSERT(role < AX_ROLE_COUNT);
    return role_names[role];
}

bool
ax_policy_role_parse(ax_str word, enum ax_role *out_role)
{
    for (size_t i = 0; i < AX_ROLE_COUNT; i++) {
        if (!ax_str_eq(word, ax_str_of(role_names[i])))
            continue;
        *out_role = (enum ax_role)i;
        return true;
    }
    return false;
}

/*
 * Who is accountable for an operation.
 *
 * A value made once when the caller is authenticated (auth/token) and read by gates, the ledger
 * and the log. What the roles may do is auth/policy's business.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* One bit a role (governance.md R83); the order is stored, so new ones go at the end. */
#define AX_ROLE_MAP(X)                                                                             \
    X(DEVELOPER, "developer")                                                                      \
    X(OWNER, "owner")                                                                              \
    X(VALIDATOR, "validator")                                                                      \
    X(APPROVER, "approver")                                                                        \
    X(DEPLOYER, "deployer")                                                                        \
    X(OPERATOR, "operator")                                                                        \
    X(RISK_OFFICER, "risk_officer")                                                                \
    X(COMPLIANCE, "compliance")                                                                    \
    X(AUDITOR, "auditor")                                                                          \
    X(SECURITY_ADMIN, "security_admin")                                                            \
    X(PRIVACY, "privacy")                                                                          \
    X(CLIENT, "client")                                                                            \
    X(FAIRNESS, "fairness")

enum ax_role {
#define X(name, word) AX_ROLE_##name,
    AX_ROLE_MAP(X)
#undef X
        AX_ROLE_COUNT
};

#define AX_ROLE_BIT(name) (UINT32_C(1) << AX_ROLE_##name)

enum ax_actor_kind { AX_ACTOR_PERSON, AX_ACTOR_SERVICE };

/* What somebody may do with one model, experiment or the like: who may EDIT may USE and READ. */
enum ax_grant_level {
    AX_GRANT_NONE,
    AX_GRANT_READ,
    AX_GRANT_USE,
    AX_GRANT_EDIT,
    AX_GRANT_MANAGE,
    AX_GRANT_COUNT
};

/* Of models and deployments by name; a '*' at the end takes every name that begins so. */
struct ax_grant {
    ax_str pattern;
    enum ax_grant_level level;
};

enum { AX_CREDENTIAL_BYTES = 32 };

struct ax_actor {
    ax_str id;               /* stable user or service name, never a credential */
    enum ax_actor_kind kind; /* a service may not approve (R44) */
    uint32_t roles;          /* AX_ROLE_BIT(...) | ... */
    int line;                /* line of defence: 1, 2, 3; 0 for services */
    ax_str manager;          /* id of the person reported to; "" when nobody (R20) */
    ax_str authenticated_by; /* "token", "certificate", "jwt", "password", "development" */
    bool limited;            /* to the grants; otherwise the roles alone decide */
    const struct ax_grant *grants;
    size_t grant_count;
    uint8_t credential[AX_CREDENTIAL_BYTES]; /* SHA-256 of certificate or token; zeros: none */
};

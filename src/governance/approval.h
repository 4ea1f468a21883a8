/*
 * Who must sign a change, who may, and over which bytes: maker and checker.
 *
 * Pure rules (R43-R46, R20): a proposal's canonical bytes and digest, how many signatures of whom
 * a kind and tier need, and whether one person's signature counts. What a change is about and how
 * it takes effect is mlops/change_control's; who a person is comes from auth.
 */
#pragma once

#include "base/actor.h"
#include "codec/json.h"
#include "sys/crypto.h"

#define AX_CHANGE_KIND_MAP(X)                                                                      \
    X(MODEL_VERSION, "model_version")                                                              \
    X(DEPLOYMENT, "deployment")                                                                    \
    X(POLICY, "policy")                                                                            \
    X(THRESHOLD, "threshold")                                                                      \
    X(REASON_MAP, "reason_map")                                                                    \
    X(TIER, "tier")                                                                                \
    X(ROLE, "role")                                                                                \
    X(KEY, "key")                                                                                  \
    X(BREAKER, "breaker")                                                                          \
    X(KILL, "kill")                                                                                \
    X(ERASURE, "erasure")                                                                          \
    X(QUORUM, "quorum")

enum ax_change_kind {
#define X(name, word) AX_CHANGE_##name,
    AX_CHANGE_KIND_MAP(X)
#undef X
        AX_CHANGE_KIND_COUNT
};

const char *ax_change_kind_name(enum ax_change_kind kind);
[[nodiscard]] bool ax_change_kind_parse(ax_str word, enum ax_change_kind *out);

/* What a change is, as it is hashed (docs/formats.md section 7). */
struct ax_proposal {
    ax_str id;
    enum ax_change_kind kind;
    ax_str subject;
    const struct ax_json *change;
    ax_digest object_digest; /* of what it is about, as it stood when it was proposed */
    ax_str proposer;
    int64_t tier;
    int64_t created_ns;
    int64_t expires_ns;
};

/* The canonical bytes; their digest is what people sign for. In ctx->arena. Fails: LIMIT. */
ax_status ax_proposal_canonical(struct ax_ctx *ctx, const struct ax_proposal *proposal,
                                ax_str *out_bytes);

/* How many signatures, of whom. */
struct ax_quorum {
    int approvals;
    int second_line; /* of them by persons of the second line of defence */
    uint32_t roles;  /* any of these counts */
};

/* Quorum by tier (R46), which a `quorum` change replaces; index 0 is tier 1. */
struct ax_quorum_table {
    struct ax_quorum tiers[3];
};
struct ax_quorum_table ax_quorum_default(void);

/*
 * {"1":{"approvals":2,"second_line":1},"2":...,"3":...}: tiers that are absent stay as they are.
 * Fails: INVALID: an unknown tier, a number out of 1..5, more of the second line than approvals.
 */
ax_status ax_quorum_parse(struct ax_ctx *ctx, const struct ax_json *json,
                          struct ax_quorum_table *table);

struct ax_approval_case {
    enum ax_change_kind kind;
    int64_t tier;
    bool lowers_tier;          /* of TIER: raising needs nobody */
    bool second_administrator; /* of ROLE and KEY: another one with a key is there */
    uint32_t proposer_roles;   /* of BREAKER and KILL: the other of the two must sign */
    const struct ax_quorum_table *table;
};
struct ax_quorum ax_approval_quorum(const struct ax_approval_case *about);

/* The needs in words: ["1 approver of the second line"]. */
void ax_quorum_show(const struct ax_quorum *quorum, struct ax_json_writer *out);

/* Who is about to sign, and who may not. */
struct ax_approval_person {
    ax_str id;
    enum ax_actor_kind kind;
    uint32_t roles;
    int line;
};
struct ax_approval_conflicts {
    ax_str proposer;
    ax_str subject_user;    /* of ROLE and KEY: whose roles or key; "" else */
    const ax_str *involved; /* developers and validators of what it is about */
    size_t involved_count;
    const ax_str *signed_by; /* who has signed already */
    size_t signed_count;
};

/*
 * Whether this person's signature may count (R44): a natural person, with a role that counts, who
 * did not propose, develop or validate it, is not its subject, and has not signed yet.
 * Fails: DENIED with the reason.
 */
ax_status ax_approval_check_person(struct ax_ctx *ctx, enum ax_change_kind kind,
                                   const struct ax_quorum *quorum,
                                   const struct ax_approval_person *person,
                                   const struct ax_approval_conflicts *conflicts);

/* Whether these signatures are enough. lines: of the persons who approved. */
bool ax_approval_satisfied(const struct ax_quorum *quorum, const int *lines, size_t count);

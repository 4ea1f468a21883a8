#include "governance/approval.h"

#include "sys/clock.h"

enum { CANONICAL_BYTES_MAX = 4 << 20, APPROVALS_MAX = 5 };

#define FIRST_ROLES  (AX_ROLE_BIT(APPROVER) | AX_ROLE_BIT(RISK_OFFICER))
#define SAFETY_ROLES (AX_ROLE_BIT(OPERATOR) | AX_ROLE_BIT(RISK_OFFICER))

static const char *const kind_names[] = {
#define X(name, word) word,
    AX_CHANGE_KIND_MAP(X)
#undef X
};

const char *
ax_change_kind_name(enum ax_change_kind kind)
{
    return kind_names[kind];
}

bool
ax_change_kind_parse(ax_str word, enum ax_change_kind *out)
{
    for (size_t i = 0; i < AX_COUNT_OF(kind_names); i++)
        if (ax_str_eq(word, ax_str_of(kind_names[i]))) {
            *out = (enum ax_change_kind)i;
            return true;
        }
    return false;
}

/* ---- bytes ---- */

ax_status
ax_proposal_canonical(struct ax_ctx *ctx, const struct ax_proposal *proposal, ax_str *out_bytes)
{
    char hex[AX_DIGEST_HEX_BYTES + 1], time[AX_CLOCK_TEXT_BYTES];
    ax_writer_auto struct ax_writer text = ax_writer_of(CANONICAL_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *parsed;
    ax_str change;
    AX_TRY(ax_json_canonical(ctx, proposal->change, &change));
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_proposal", 1);
    ax_json_member_text(&json, "id", proposal->id);
    ax_json_member_text(&json, "kind", ax_str_of(ax_change_kind_name(proposal->kind)));
    ax_json_member_text(&json, "subject", proposal->subject);
    ax_json_key(&json, "change");
    ax_json_put_raw(&json, change);
    ax_json_member_text(&json, "object_digest", ax_digest_hex(proposal->object_digest, hex));
    ax_json_member_text(&json, "proposer", proposal->proposer);
    ax_json_member_i64(&json, "tier", proposal->tier);
    ax_json_member_text(&json, "created", ax_clock_format(proposal->created_ns, time));
    ax_json_member_text(&json, "expires", ax_clock_format(proposal->expires_ns, time));
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "a proposal of more than %d bytes", CANONICAL_BYTES_MAX);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &parsed));
    return ax_json_canonical(ctx, parsed, out_bytes);
}

/* ---- how many, of whom ---- */

struct ax_quorum_table
ax_quorum_default(void)
{
    return (struct ax_quorum_table){{
        {2, 1, FIRST_ROLES},
        {1, 1, FIRST_ROLES},
        {1, 0, FIRST_ROLES | AX_ROLE_BIT(OWNER)},
    }};
}

static ax_status
parse_tier(struct ax_ctx *ctx, ax_str name, const struct ax_json *json, struct ax_quorum *out)
{
    int64_t approvals = out->approvals, second_line = out->second_line;
    AX_TRY(ax_json_may_i64(ctx, json, "approvals", &approvals));
    AX_TRY(ax_json_may_i64(ctx, json, "second_line", &second_line));
    if (approvals < 1 || approvals > APPROVALS_MAX)
        return ax_fail(ctx, AX_INVALID, "tier %.*s: `approvals` must be 1 to %d, not %lld",
                       AX_FMT(name), APPROVALS_MAX, (long long)approvals);
    if (second_line < 0 || second_line > approvals)
        return ax_fail(ctx, AX_INVALID, "tier %.*s: `second_line` must be 0 to %lld, not %lld",
                       AX_FMT(name), (long long)approvals, (long long)second_line);
    out->approvals = (int)approvals;
    out->second_line = (int)second_line;
    return AX_OK;
}

ax_status
ax_quorum_parse(struct ax_ctx *ctx, const struct ax_json *json, struct ax_quorum_table *table)
{
    struct ax_json_iter it = ax_json_iter_of(json);
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "a quorum is an object of tiers");
    while (ax_json_next(&it)) {
        bool tier = it.key.len == 1 && it.key.at[0] >= '1' && it.key.at[0] <= '3';
        if (!tier)
            return ax_fail(ctx, AX_INVALID, "unknown tier `%.*s`; 1, 2 and 3 are known",
                           AX_FMT(it.key));
        AX_TRY(parse_tier(ctx, it.key, it.value, &table->tiers[it.key.at[0] - '1']));
    }
    return AX_OK;
}

static struct ax_quorum
by_tier(const struct ax_approval_case *about)
{
    int64_t tier = about->tier < 1 ? 1 : about->tier > 3 ? 3 : about->tier;
    struct ax_quorum quorum = about->table->tiers[tier - 1];
    if (about->kind == AX_CHANGE_REASON_MAP)
        quorum.roles |= AX_ROLE_BIT(COMPLIANCE);
    return quorum;
}

struct ax_quorum
ax_approval_quorum(const struct ax_approval_case *about)
{
    switch (about->kind) {
    case AX_CHANGE_MODEL_VERSION:
    case AX_CHANGE_DEPLOYMENT:
    case AX_CHANGE_POLICY:
    case AX_CHANGE_THRESHOLD:
    case AX_CHANGE_REASON_MAP:
        return by_tier(about);
    case AX_CHANGE_TIER: /* R13 */
        return about->lowers_tier ? (struct ax_quorum){1, 1, FIRST_ROLES} : (struct ax_quorum){};
    case AX_CHANGE_ROLE:
    case AX_CHANGE_KEY:
        return about->second_administrator ? (struct ax_quorum){1, 0, AX_ROLE_BIT(SECURITY_ADMIN)}
                                           : (struct ax_quorum){};
    case AX_CHANGE_BREAKER:
    case AX_CHANGE_KILL: { /* R79: both, so whoever proposed cannot be the same kind who signs */
        uint32_t other = SAFETY_ROLES & ~about->proposer_roles;
        return (struct ax_quorum){1, 0, other ? other : SAFETY_ROLES};
    }
    case AX_CHANGE_ERASURE: /* two privacy officers: who proposes, and who signs */
        return (struct ax_quorum){1, 0, AX_ROLE_BIT(PRIVACY)};
    case AX_CHANGE_QUORUM:
        return (struct ax_quorum){2, 1, FIRST_ROLES};
    case AX_CHANGE_KIND_COUNT:
        break;
    }
    return (struct ax_quorum){2, 1, FIRST_ROLES};
}

static const char *const role_names[] = {
#define X(name, word) word,
    AX_ROLE_MAP(X)
#undef X
};

static void
write_roles(uint32_t roles, struct ax_writer *out)
{
    bool first = true;
    for (size_t i = 0; i < AX_COUNT_OF(role_names); i++) {
        if (!(roles & (UINT32_C(1) << i)))
            continue;
        ax_writer_print(out, "%s%s", first ? "" : " or ", role_names[i]);
        first = false;
    }
}

void
ax_quorum_show(const struct ax_quorum *quorum, struct ax_json_writer *out)
{
    ax_json_begin_array(out);
    if (quorum->approvals > 0) {
        ax_writer_auto struct ax_writer text = ax_writer_of(1024);
        ax_writer_print(&text, "%d signature%s by ", quorum->approvals,
                        quorum->approvals == 1 ? "" : "s");
        write_roles(quorum->roles, &text);
        if (quorum->second_line)
            ax_writer_print(&text, ", %d of the second line", quorum->second_line);
        ax_json_put_text_from(out, &text);
    }
    ax_json_end_array(out);
}

/* ---- one person ---- */

static bool
among(const ax_str *list, size_t count, ax_str id)
{
    for (size_t i = 0; i < count; i++)
        if (ax_str_eq(list[i], id))
            return true;
    return false;
}

ax_status
ax_approval_check_person(struct ax_ctx *ctx, enum ax_change_kind kind,
                         const struct ax_quorum *quorum, const struct ax_approval_person *person,
                         const struct ax_approval_conflicts *conflicts)
{
    bool administration = kind == AX_CHANGE_ROLE || kind == AX_CHANGE_KEY;
    if (person->kind == AX_ACTOR_SERVICE)
        return ax_fail(ctx, AX_DENIED, "%.*s is a service: only natural persons sign",
                       AX_FMT(person->id));
    if (ax_str_eq(person->id, conflicts->proposer))
        return ax_fail(ctx, AX_DENIED, "%.*s proposed it: a second person must sign",
                       AX_FMT(person->id));
    if (conflicts->subject_user.len && ax_str_eq(person->id, conflicts->subject_user))
        return ax_fail(ctx, AX_DENIED, "%.*s is whom it is about: another person must sign",
                       AX_FMT(person->id));
    if (among(conflicts->involved, conflicts->involved_count, person->id))
        return ax_fail(ctx, AX_DENIED,
                       "%.*s developed or validated it: an uninvolved person must sign",
                       AX_FMT(person->id));
    if (!administration && (person->roles & AX_ROLE_BIT(SECURITY_ADMIN)))
        return ax_fail(ctx, AX_DENIED, "%.*s is a security administrator, who may not approve",
                       AX_FMT(person->id));
    if (!(person->roles & quorum->roles)) {
        ax_writer_auto struct ax_writer wanted = ax_writer_of(1024);
        write_roles(quorum->roles, &wanted);
        return ax_fail(ctx, AX_DENIED, "%.*s may not sign this: %.*s is needed", AX_FMT(person->id),
                       AX_FMT(ax_writer_str(&wanted)));
    }
    if (among(conflicts->signed_by, conflicts->signed_count, person->id))
        return ax_fail(ctx, AX_DENIED, "%.*s has signed it already", AX_FMT(person->id));
    return AX_OK;
}

bool
ax_approval_satisfied(const struct ax_quorum *quorum, const int *lines, size_t count)
{
    int second = 0;
    for (size_t i = 0; i < count; i++)
        second += lines[i] == 2;
    return (int)count >= quorum->approvals && second >= quorum->second_line;
}

#include "mlops/change_control.h"

#include "base/alloc.h"
#include "event/outbox.h"
#include "mlops/change_kinds.h"
#include "sys/clock.h"

enum { SIGNERS_MAX = 16, LIST_MAX = 500, COMMENT_BYTES_MAX = 16 << 10, DAY_S = 86'400 };

struct ax_change_control {
    struct ax_change_control_config config;
};

/* A proposal's row, and what follows from it. */
struct proposal {
    struct ax_proposal fields;
    ax_str digest_hex, canonical, state;
    struct ax_change change;
    struct ax_quorum quorum;
    ax_str signers[SIGNERS_MAX];
    int lines[SIGNERS_MAX];
    size_t signer_count;
};

ax_status
ax_change_control_open(struct ax_ctx *ctx, const struct ax_change_control_config *config,
                       struct ax_change_control **out_control)
{
    struct ax_change_control *control = ax_alloc(sizeof *control, 1);
    if (!control)
        return ax_fail(ctx, AX_LIMIT, "no memory for change control");
    control->config = *config;
    *out_control = control;
    return AX_OK;
}

void
ax_change_control_close(struct ax_change_control *control)
{
    ax_free(control);
}

const char *
ax_change_refusal_name(enum ax_change_refusal refusal)
{
    static const char *const names[] = {"",        "four_eyes", "unsigned",
                                        "changed", "expired",   "closed"};
    return names[refusal];
}

/* ---- facts ---- */

static ax_status
put_fact(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_event_kind kind, ax_str object,
         ax_str digest_hex)
{
    struct ax_event event = {
        .kind = kind,
        .actor = ctx->actor ? ctx->actor->id : AX_STR("server"),
        .actor_roles = ctx->actor ? ctx->actor->roles : 0,
        .object = object,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    if (digest_hex.len && !ax_digest_parse(digest_hex, &event.object_hash))
        return ax_fail(ctx, AX_INTERNAL, "a digest of %zu characters", digest_hex.len);
    return ax_outbox_put(tx, ctx, NULL, &event, AX_STR(""));
}

/* That somebody was refused is a fact too (R86); it stands in a transaction of its own. */
static void
note_refusal(struct ax_change_control *control, struct ax_ctx *ctx, ax_str object)
{
    char words[AX_ERROR_BYTES_MAX];
    struct ax_store_tx *tx;
    memcpy(words, ctx->error, sizeof words);
    if (ax_store_begin(control->config.store, ctx, AX_STORE_WRITE, &tx) == AX_OK) {
        if (put_fact(tx, ctx, AX_EVENT_ACCESS_DENIED, object, AX_STR("")) == AX_OK)
            ax_ignore(ax_store_commit(tx, ctx), "the refusal itself has been told");
        else
            ax_store_rollback(tx);
    }
    memcpy(ctx->error, words, sizeof words);
}

/* ---- proposing ---- */

static ax_status
quorum_of(struct proposal *proposal)
{
    const struct ax_change *change = &proposal->change;
    struct ax_quorum_table table;
    struct ax_approval_case about = {
        .kind = change->kind, .tier = proposal->fields.tier, .table = &table};
    struct ax_directory_user proposer;
    int64_t holders[2] = {};
    AX_TRY(ax_change_quorum_table(change->tx, change->ctx, &table));
    if (change->kind == AX_CHANGE_TIER)
        AX_TRY(ax_change_lowers_tier(change, &about.lowers_tier));
    if (change->kind == AX_CHANGE_ROLE || change->kind == AX_CHANGE_KEY) {
        /* Whose key or role it is cannot sign for it; nor can who proposes. */
        AX_TRY(ax_directory_read_user(change->tx, change->ctx, change->proposer, &proposer));
        AX_TRY(ax_directory_holders(change->tx, change->ctx, AX_ROLE_SECURITY_ADMIN,
                                    change->proposer, holders));
        bool administrator = proposer.roles & AX_ROLE_BIT(SECURITY_ADMIN);
        about.second_administrator = holders[AX_DIRECTORY_KEYED] > 0 || !administrator;
    }
    if (change->kind == AX_CHANGE_BREAKER || change->kind == AX_CHANGE_KILL) {
        AX_TRY(ax_directory_read_user(change->tx, change->ctx, change->proposer, &proposer));
        about.proposer_roles = proposer.roles;
    }
    proposal->quorum = ax_approval_quorum(&about);
    return AX_OK;
}

static ax_status
make_id(struct ax_ctx *ctx, int64_t now_ns, ax_str *out_id)
{
    uint8_t random[8];
    uint64_t number;
    ax_random_bytes(random, sizeof random);
    memcpy(&number, random, sizeof number);
    *out_id = ax_str_printf(ctx->arena, "p_%011llx%016llx",
                            (unsigned long long)(now_ns / 1'000'000), (unsigned long long)number);
    return out_id->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a proposal");
}

static ax_status
object_digest(const struct ax_change *change, ax_digest *out_digest)
{
    ax_str text;
    AX_TRY(ax_change_row(change->kind)->object(change, &text));
    *out_digest = ax_sha256(text);
    return AX_OK;
}

static ax_status
read_request(struct ax_ctx *ctx, const struct ax_json *request, struct proposal *proposal,
             ax_str *out_comment)
{
    struct ax_change *change = &proposal->change;
    ax_str kind;
    AX_TRY(ax_json_need_text(ctx, request, "kind", &kind));
    AX_TRY(ax_json_need_text(ctx, request, "subject", &change->subject));
    AX_TRY(ax_json_need_object(ctx, request, "change", &change->change));
    AX_TRY(ax_json_may_text(ctx, request, "comment", out_comment));
    if (!ax_change_kind_parse(kind, &change->kind))
        return ax_fail(ctx, AX_INVALID, "there is no kind of change \"%.*s\"", AX_FMT(kind));
    if (change->subject.len == 0 || change->subject.len > AX_EVENT_TEXT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "`subject` must have 1 to %d bytes",
                       AX_EVENT_TEXT_BYTES_MAX);
    if (out_comment->len > COMMENT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "`comment` has %zu bytes; at most %d are allowed",
                       out_comment->len, COMMENT_BYTES_MAX);
    return AX_OK;
}

static ax_status
insert(struct proposal *proposal, ax_str comment)
{
    const struct ax_change *change = &proposal->change;
    const struct ax_proposal *fields = &proposal->fields;
    char object_hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str text;
    AX_TRY(ax_json_canonical(change->ctx, change->change, &text));
    return ax_store_run(
        change->tx, change->ctx,
        AX_STR("insert into proposals (id, kind, subject, change, object_digest, canonical, "
               "digest, proposer, tier, comment, state, created_ns, expires_ns) values "
               "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, $12)"),
        AX_STORE_PARAMS(
            ax_store_text(fields->id), ax_store_text(ax_str_of(ax_change_kind_name(change->kind))),
            ax_store_text(change->subject), ax_store_text(text),
            ax_store_text(ax_digest_hex(fields->object_digest, object_hex)),
            ax_store_text(proposal->canonical), ax_store_text(proposal->digest_hex),
            ax_store_text(fields->proposer), ax_store_i64(fields->tier), ax_store_text(comment),
            ax_store_i64(fields->created_ns), ax_store_i64(fields->expires_ns)),
        NULL);
}

static ax_status
hash(struct proposal *proposal)
{
    struct ax_ctx *ctx = proposal->change.ctx;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_proposal_canonical(ctx, &proposal->fields, &proposal->canonical));
    ax_digest_hex(ax_sha256(proposal->canonical), hex);
    return ax_str_copy(ctx->arena, ax_str_of(hex), &proposal->digest_hex)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a proposal");
}

static ax_status
set_state(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, const char *state)
{
    return ax_store_run(tx, ctx,
                        AX_STR("update proposals set state = $2, decided_ns = $3 where id = $1"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(ax_str_of(state)),
                                        ax_store_i64(ax_clock_real_ns())),
                        NULL);
}

/* Takes effect inside the transaction; what must follow it is `applying` until it is done. */
static ax_status
apply(struct proposal *proposal)
{
    struct ax_change *change = &proposal->change;
    const struct ax_change_row *row = ax_change_row(change->kind);
    change->proposal_id = proposal->fields.id;
    AX_TRY(row->check(change));
    if (row->apply)
        AX_TRY(row->apply(change));
    AX_TRY(put_fact(change->tx, change->ctx, AX_EVENT_CHANGE, proposal->fields.id,
                    proposal->digest_hex));
    return set_state(change->tx, change->ctx, proposal->fields.id,
                     row->effect_is_durable ? "applying" : "applied");
}

/* After the commit. Done again by upkeep when a crash came between. */
static ax_status
effect(struct ax_change_control *control, struct proposal *proposal)
{
    struct ax_change *change = &proposal->change;
    const struct ax_change_row *row = ax_change_row(change->kind);
    change->tx = NULL;
    if (row->effect)
        AX_TRY(row->effect(change));
    if (!row->effect_is_durable)
        return AX_OK;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(control->config.store, change->ctx, AX_STORE_WRITE, &tx));
    AX_TRY(set_state(tx, change->ctx, proposal->fields.id, "applied"));
    return ax_store_commit(ax_take(tx), change->ctx);
}

static ax_status
prepare(struct ax_change_control *control, struct proposal *proposal)
{
    struct ax_change *change = &proposal->change;
    struct ax_proposal *fields = &proposal->fields;
    struct ax_ctx *ctx = change->ctx;
    AX_TRY(ax_policy_check(ctx, ctx->actor, ax_change_row(change->kind)->propose));
    AX_TRY(ax_change_row(change->kind)->check(change));
    fields->created_ns = ax_clock_real_ns();
    fields->expires_ns =
        fields->created_ns + control->config.expires_days * DAY_S * INT64_C(1'000'000'000);
    AX_TRY(make_id(ctx, fields->created_ns, &fields->id));
    AX_TRY(object_digest(change, &fields->object_digest));
    AX_TRY(ax_change_tier(change, &fields->tier));
    fields->kind = change->kind;
    fields->subject = change->subject;
    fields->change = change->change;
    fields->proposer = change->proposer;
    AX_TRY(quorum_of(proposal));
    return hash(proposal);
}

ax_status
ax_change_control_propose(struct ax_change_control *control, struct ax_ctx *ctx,
                          const struct ax_json *request, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct proposal proposal = {.change = {.services = &control->config,
                                           .ctx = ctx,
                                           .proposer = ctx->actor->id,
                                           .proposal_id = AX_STR("")}};
    ax_str comment = AX_STR("");
    AX_TRY(read_request(ctx, request, &proposal, &comment));
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_WRITE, &tx));
    proposal.change.tx = tx;
    ax_status status = prepare(control, &proposal);
    if (status == AX_DENIED) {
        ax_store_rollback(ax_take(tx));
        note_refusal(control, ctx, proposal.change.subject);
    }
    AX_TRY(status);
    AX_TRY(insert(&proposal, comment));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_PROPOSAL, proposal.fields.id, proposal.digest_hex));
    bool at_once = proposal.quorum.approvals == 0;
    if (at_once)
        AX_TRY(apply(&proposal));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    if (at_once)
        AX_TRY(effect(control, &proposal));
    return ax_change_control_show(control, ctx, proposal.fields.id, out);
}

/* ---- reading a proposal ---- */

static ax_status
read_row(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct proposal *out)
{
    struct ax_store_rows *rows;
    ax_str kind = AX_STR(""), text = AX_STR(""), object = AX_STR("");
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select kind, subject, change, object_digest, canonical, digest, "
                                 "proposer, tier, state, created_ns, expires_ns from proposals "
                                 "where id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        kind = ax_store_read_text(rows, 0);
        out->change.subject = ax_store_read_text(rows, 1);
        text = ax_store_read_text(rows, 2);
        object = ax_store_read_text(rows, 3);
        out->canonical = ax_store_read_text(rows, 4);
        out->digest_hex = ax_store_read_text(rows, 5);
        out->change.proposer = ax_store_read_text(rows, 6);
        out->fields.tier = ax_store_read_i64(rows, 7);
        out->state = ax_store_read_text(rows, 8);
        out->fields.created_ns = ax_store_read_i64(rows, 9);
        out->fields.expires_ns = ax_store_read_i64(rows, 10);
    }
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no proposal \"%.*s\"", AX_FMT(id));
    if (!ax_change_kind_parse(kind, &out->change.kind) ||
        !ax_digest_parse(object, &out->fields.object_digest))
        return ax_fail(ctx, AX_CORRUPT, "proposal %.*s is damaged", AX_FMT(id));
    return ax_json_parse(ctx, text, NULL, &out->change.change);
}

static ax_status
read_signers(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct proposal *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select a.approver, u.line from approvals a join users u on "
                                 "u.id = a.approver where a.proposal_id = $1 and "
                                 "a.verb = 'approve'"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    while (out->signer_count < SIGNERS_MAX && ax_store_next(rows)) {
        out->signers[out->signer_count] = ax_store_read_text(rows, 0);
        out->lines[out->signer_count++] = (int)ax_store_read_i64(rows, 1);
    }
    return ax_store_finish(rows);
}

static ax_status
read_proposal(struct ax_change_control *control, struct ax_ctx *ctx, struct ax_store_tx *tx,
              ax_str id, struct proposal *out)
{
    out->change.services = &control->config;
    out->change.ctx = ctx;
    out->change.tx = tx;
    out->change.proposal_id = id;
    AX_TRY(read_row(tx, ctx, id, out));
    AX_TRY(read_signers(tx, ctx, id, out));
    out->fields.id = id;
    out->fields.kind = out->change.kind;
    out->fields.subject = out->change.subject;
    out->fields.proposer = out->change.proposer;
    out->fields.change = out->change.change;
    return quorum_of(out);
}

/* ---- signing ---- */

struct signing {
    struct ax_change_control *control;
    struct ax_ctx *ctx;
    struct ax_store_tx *tx;
    struct proposal proposal;
    bool approve;
    ax_str digest, comment, key_id, signature_text;
    enum ax_change_refusal *refusal;
};

static ax_status
refuse(struct signing *signing, enum ax_change_refusal refusal, ax_status status)
{
    *signing->refusal = refusal;
    return status;
}

static ax_status
read_signature(struct signing *signing, const struct ax_json *request)
{
    struct ax_ctx *ctx = signing->ctx;
    signing->comment = signing->key_id = signing->signature_text = AX_STR("");
    AX_TRY(ax_json_need_text(ctx, request, "digest", &signing->digest));
    AX_TRY(ax_json_may_text(ctx, request, "comment", &signing->comment));
    AX_TRY(ax_json_may_text(ctx, request, "key_id", &signing->key_id));
    AX_TRY(ax_json_may_text(ctx, request, "signature", &signing->signature_text));
    return signing->comment.len <= COMMENT_BYTES_MAX
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "`comment` has %zu bytes; at most %d are allowed",
                         signing->comment.len, COMMENT_BYTES_MAX);
}

/* Whether the proposal is still what it was, and open. */
static ax_status
check_proposal(struct signing *signing)
{
    struct proposal *proposal = &signing->proposal;
    struct ax_ctx *ctx = signing->ctx;
    ax_digest now;
    if (!ax_str_eq(proposal->state, AX_STR("open")))
        return refuse(
            signing, AX_CHANGE_CLOSED,
            ax_fail(ctx, AX_CONFLICT, "the proposal is %.*s already", AX_FMT(proposal->state)));
    if (proposal->fields.expires_ns <= ax_clock_real_ns())
        return refuse(signing, AX_CHANGE_EXPIRED,
                      ax_fail(ctx, AX_CONFLICT, "the proposal has expired; propose it again"));
    if (!ax_str_eq(signing->digest, proposal->digest_hex))
        return refuse(signing, AX_CHANGE_CHANGED,
                      ax_fail(ctx, AX_CONFLICT, "the proposal has digest %.*s, not %.*s",
                              AX_FMT(proposal->digest_hex), AX_FMT(signing->digest)));
    AX_TRY(object_digest(&proposal->change, &now));
    if (!ax_digest_eq(now, proposal->fields.object_digest))
        return refuse(signing, AX_CHANGE_CHANGED,
                      ax_fail(ctx, AX_CONFLICT,
                              "what it is about has changed since it was proposed; propose it "
                              "again"));
    return AX_OK;
}

static ax_status
check_person(struct signing *signing, struct ax_directory_user *out_user)
{
    struct proposal *proposal = &signing->proposal;
    struct ax_ctx *ctx = signing->ctx;
    bool about_user =
        proposal->change.kind == AX_CHANGE_ROLE || proposal->change.kind == AX_CHANGE_KEY;
    struct ax_approval_conflicts conflicts = {
        .proposer = proposal->change.proposer,
        .subject_user = about_user ? proposal->change.subject : AX_STR(""),
        .signed_by = proposal->signers,
        .signed_count = proposal->signer_count,
    };
    ax_str *involved;
    AX_TRY(ax_directory_read_user(signing->tx, ctx, ctx->actor->id, out_user));
    AX_TRY(ax_change_involved(&proposal->change, &involved, &conflicts.involved_count));
    conflicts.involved = involved;
    const struct ax_approval_person person = {out_user->id, out_user->kind, out_user->roles,
                                              out_user->line};
    ax_status status = ax_approval_check_person(ctx, proposal->change.kind, &proposal->quorum,
                                                &person, &conflicts);
    return status == AX_DENIED ? refuse(signing, AX_CHANGE_FOUR_EYES, status) : status;
}

static ax_status
check_signature(struct signing *signing)
{
    struct ax_ctx *ctx = signing->ctx;
    uint8_t signature[AX_SIGNATURE_BYTES];
    struct ax_signing_approval approval = {.approve = signing->approve,
                                           .proposal_id = signing->proposal.fields.id,
                                           .comment = signing->comment};
    ax_str message;
    if (!ax_digest_parse(signing->digest, &approval.proposal))
        return ax_fail(ctx, AX_INVALID, "`digest` must be 64 hex digits");
    if (!signing->signature_text.len || !signing->key_id.len)
        return refuse(signing, AX_CHANGE_UNSIGNED,
                      ax_fail(ctx, AX_DENIED,
                              "an approval is a signature: `key_id` and "
                              "`signature` are missing (axiom approve makes them)"));
    AX_TRY(ax_signing_approval_bytes(ctx, &approval, &message));
    if (ax_signing_signature_parse(ctx, signing->signature_text, signature) != AX_OK)
        return refuse(signing, AX_CHANGE_UNSIGNED,
                      ax_fail(ctx, AX_DENIED, "`signature` is no signature in base64"));
    const struct ax_directory_signed what = {
        .user = ctx->actor->id,
        .key_id = signing->key_id,
        .signature = {(const char *)signature, sizeof signature},
        .message = message,
    };
    ax_status status = ax_directory_check_signature(signing->tx, ctx, &what);
    return status == AX_DENIED ? refuse(signing, AX_CHANGE_UNSIGNED, status) : status;
}

static ax_status
record_signature(struct signing *signing, const struct ax_directory_user *user)
{
    struct proposal *proposal = &signing->proposal;
    AX_TRY(ax_store_run(
        signing->tx, signing->ctx,
        AX_STR("insert into approvals (proposal_id, approver, verb, comment, key_id, signature, "
               "created_ns) values ($1, $2, $3, $4, $5, $6, $7)"),
        AX_STORE_PARAMS(ax_store_text(proposal->fields.id), ax_store_text(user->id),
                        ax_store_text(signing->approve ? AX_STR("approve") : AX_STR("reject")),
                        ax_store_text(signing->comment), ax_store_text(signing->key_id),
                        ax_store_text(signing->signature_text), ax_store_i64(ax_clock_real_ns())),
        NULL));
    AX_TRY(put_fact(signing->tx, signing->ctx,
                    signing->approve ? AX_EVENT_APPROVAL : AX_EVENT_REJECTION, proposal->fields.id,
                    proposal->digest_hex));
    if (signing->approve && proposal->signer_count < SIGNERS_MAX) {
        proposal->signers[proposal->signer_count] = user->id;
        proposal->lines[proposal->signer_count++] = user->line;
    }
    return AX_OK;
}

/* Everything inside the transaction; *out_applied: the last signature needed was this one. */
static ax_status
sign_in(struct signing *signing, ax_str id, bool *out_applied)
{
    struct proposal *proposal = &signing->proposal;
    struct ax_directory_user user;
    *out_applied = false;
    AX_TRY(read_proposal(signing->control, signing->ctx, signing->tx, id, proposal));
    AX_TRY(check_proposal(signing));
    AX_TRY(check_person(signing, &user));
    AX_TRY(check_signature(signing));
    AX_TRY(record_signature(signing, &user));
    if (!signing->approve)
        return set_state(signing->tx, signing->ctx, id, "rejected");
    *out_applied =
        ax_approval_satisfied(&proposal->quorum, proposal->lines, proposal->signer_count);
    return *out_applied ? apply(proposal) : AX_OK;
}

static ax_status
sign(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
     const struct ax_json *request, struct ax_json_writer *out, struct signing *signing)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    bool applied;
    signing->control = control;
    signing->ctx = ctx;
    AX_TRY(read_signature(signing, request));
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_WRITE, &tx));
    signing->tx = tx;
    ax_status status = sign_in(signing, id, &applied);
    if (status == AX_DENIED) {
        ax_store_rollback(ax_take(tx));
        note_refusal(control, ctx, id);
    }
    AX_TRY(status);
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    if (applied)
        AX_TRY(effect(control, &signing->proposal));
    return ax_change_control_show(control, ctx, id, out);
}

ax_status
ax_change_control_approve(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
                          const struct ax_json *request, struct ax_json_writer *out,
                          enum ax_change_refusal *out_refusal)
{
    struct signing signing = {.approve = true, .refusal = out_refusal};
    return sign(control, ctx, id, request, out, &signing);
}

ax_status
ax_change_control_reject(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
                         const struct ax_json *request, struct ax_json_writer *out,
                         enum ax_change_refusal *out_refusal)
{
    struct signing signing = {.refusal = out_refusal};
    return sign(control, ctx, id, request, out, &signing);
}

/* ---- showing ---- */

static void
show_time(struct ax_json_writer *out, const char *key, int64_t ns)
{
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(out, key, ax_clock_format(ns, time));
}

static ax_status
show_approvals(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select approver, verb, comment, key_id, signature, created_ns "
                                 "from approvals where proposal_id = $1 order by created_ns"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    ax_json_key(out, "approvals");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "approver", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "verb", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "comment", ax_store_read_text(rows, 2));
        ax_json_member_text(out, "key_id", ax_store_read_text(rows, 3));
        ax_json_member_text(out, "signature", ax_store_read_text(rows, 4));
        show_time(out, "created", ax_store_read_i64(rows, 5));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return ax_store_finish(rows);
}

ax_status
ax_change_control_show(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
                       struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct proposal proposal = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(read_proposal(control, ctx, tx, id, &proposal));
    ax_json_begin_object(out);
    ax_json_member_text(out, "id", id);
    ax_json_member_text(out, "digest", proposal.digest_hex);
    ax_json_member_text(out, "kind", ax_str_of(ax_change_kind_name(proposal.change.kind)));
    ax_json_member_text(out, "subject", proposal.change.subject);
    ax_json_member_text(out, "state", proposal.state);
    ax_json_key(out, "needs");
    ax_quorum_show(&proposal.quorum, out);
    ax_json_key(out, "change");
    ax_json_put(out, proposal.change.change);
    ax_json_member_text(out, "object_digest", ax_digest_hex(proposal.fields.object_digest, hex));
    ax_json_member_text(out, "proposer", proposal.change.proposer);
    ax_json_member_i64(out, "tier", proposal.fields.tier);
    show_time(out, "created", proposal.fields.created_ns);
    show_time(out, "expires", proposal.fields.expires_ns);
    ax_json_member_text(out, "canonical", proposal.canonical);
    AX_TRY(show_approvals(tx, ctx, id, out));
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_change_control_list(struct ax_change_control *control, struct ax_ctx *ctx, ax_str state,
                       struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select id, kind, subject, state, proposer, created_ns, digest "
                                 "from proposals where $1 = '' or state = $1 "
                                 "order by created_ns desc limit $2"),
                          AX_STORE_PARAMS(ax_store_text(state), ax_store_i64(LIST_MAX)), &rows));
    ax_json_begin_object(out);
    ax_json_key(out, "proposals");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "id", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "kind", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "subject", ax_store_read_text(rows, 2));
        ax_json_member_text(out, "state", ax_store_read_text(rows, 3));
        ax_json_member_text(out, "proposer", ax_store_read_text(rows, 4));
        show_time(out, "created", ax_store_read_i64(rows, 5));
        ax_json_member_text(out, "digest", ax_store_read_text(rows, 6));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    ax_json_end_object(out);
    return ax_store_finish(rows);
}

/* ---- at once: rollback and kill ---- */

static ax_status
revision_before(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str deployment,
                const struct ax_json **out_body, ax_str *out_proposal_id)
{
    struct ax_store_rows *rows;
    ax_str body = AX_STR("");
    int count = 0;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select body, proposal_id from deployments where name = $1 "
                                 "order by revision desc limit 2"),
                          AX_STORE_PARAMS(ax_store_text(deployment)), &rows));
    for (; ax_store_next(rows); count++) {
        body = ax_store_read_text(rows, 0);
        *out_proposal_id = ax_store_read_text(rows, 1);
    }
    AX_TRY(ax_store_finish(rows));
    if (count < 2)
        return ax_fail(ctx, count ? AX_CONFLICT : AX_NOT_FOUND,
                       count ? "deployment \"%.*s\" has no revision before this one"
                             : "no deployment \"%.*s\"",
                       AX_FMT(deployment));
    return ax_json_parse(ctx, body, NULL, out_body);
}

ax_status
ax_change_control_rollback(struct ax_change_control *control, struct ax_ctx *ctx, ax_str deployment,
                           const struct ax_json *request, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_json *body;
    ax_str reason, proposal_id = AX_STR("");
    AX_TRY(ax_json_need_text(ctx, request, "reason", &reason));
    if (!reason.len)
        return ax_fail(ctx, AX_INVALID, "`reason` is empty");
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(revision_before(tx, ctx, deployment, &body, &proposal_id));
    AX_TRY(ax_deployments_check(control->config.deployments, ctx, tx, deployment, body));
    AX_TRY(
        ax_deployments_apply(control->config.deployments, ctx, tx, deployment, body, proposal_id));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    AX_TRY(ax_deployments_publish(control->config.deployments, ctx));
    return ax_deployments_show(control->config.deployments, ctx, deployment, out);
}

ax_status
ax_change_control_kill(struct ax_change_control *control, struct ax_ctx *ctx,
                       const struct ax_json *request, struct ax_json_writer *out)
{
    struct ax_kill_latch latch = {.actor = ctx->actor->id, .thrown_ns = ax_clock_real_ns()};
    AX_TRY(ax_json_need_text(ctx, request, "scope", &latch.scope));
    AX_TRY(ax_json_need_text(ctx, request, "reason", &latch.reason));
    AX_TRY(ax_kill_switch_throw(control->config.kill, ctx, &latch)); /* first of all it stops */
    const struct ax_event event = {
        .kind = AX_EVENT_KILL_SWITCH,
        .producer = AX_STR("kill"),
        .event_ns = latch.thrown_ns,
        .actor = ctx->actor->id,
        .actor_roles = ctx->actor->roles,
        .object = latch.scope,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    AX_TRY(ax_ledger_append(control->config.ledger, ctx, &event, AX_STR(""), NULL));
    ax_json_begin_object(out);
    ax_json_key(out, "latches");
    ax_kill_switch_show(control->config.kill, out);
    ax_json_end_object(out);
    return AX_OK;
}

/* ---- upkeep ---- */

static ax_status
list_ids(struct ax_change_control *control, struct ax_ctx *ctx, const char *sql, ax_str **out_ids,
         size_t *out_count)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_str *ids = AX_NEW_ARRAY(ctx->arena, ax_str, LIST_MAX);
    *out_count = 0;
    if (!ids)
        return ax_fail(ctx, AX_LIMIT, "no memory for proposals");
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, ax_str_of(sql),
                          AX_STORE_PARAMS(ax_store_i64(ax_clock_real_ns())), &rows));
    while (*out_count < LIST_MAX && ax_store_next(rows))
        ids[(*out_count)++] = ax_store_read_text(rows, 0);
    *out_ids = ids;
    return ax_store_finish(rows);
}

static ax_status
expire(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(set_state(tx, ctx, id, "expired"));
    AX_TRY(put_fact(tx, ctx, AX_EVENT_EXPIRY, id, AX_STR("")));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
finish_effect(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id)
{
    struct proposal proposal = {};
    struct ax_store_tx *tx;
    AX_TRY(ax_store_begin(control->config.store, ctx, AX_STORE_READ, &tx));
    ax_status status = read_proposal(control, ctx, tx, id, &proposal);
    ax_store_rollback(tx);
    AX_TRY(status);
    return effect(control, &proposal);
}

ax_status
ax_change_control_upkeep(struct ax_change_control *control, struct ax_ctx *ctx)
{
    ax_str *ids;
    size_t count;
    AX_TRY(list_ids(control, ctx,
                    "select id from proposals where state = 'open' and expires_ns <= $1", &ids,
                    &count));
    for (size_t i = 0; i < count; i++)
        AX_TRY(expire(control, ctx, ids[i]));
    AX_TRY(list_ids(control, ctx,
                    "select id from proposals where state = 'applying' and created_ns <= $1", &ids,
                    &count));
    for (size_t i = 0; i < count; i++)
        AX_TRY(finish_effect(control, ctx, ids[i]));
    return AX_OK;
}

#include "serving/decision_archive.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "event/merkle.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { FOLLOW_UP_BYTES_MAX = 64 << 10, LABEL_BYTES_MAX = 128 };

struct ax_decision_archive {
    struct ax_decision_archive_config config;
};

ax_status
ax_decision_archive_open(struct ax_ctx *ctx, const struct ax_decision_archive_config *config,
                         struct ax_decision_archive **out_archive)
{
    struct ax_decision_archive *archive = ax_alloc(sizeof *archive, 1);
    if (!archive)
        return ax_fail(ctx, AX_LIMIT, "no memory for the archive of decisions");
    archive->config = *config;
    *out_archive = archive;
    return AX_OK;
}

void
ax_decision_archive_close(struct ax_decision_archive *archive)
{
    ax_free(archive);
}

/* ---- finding ---- */

ax_status
ax_decision_archive_find(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                         ax_str decision_id, uint64_t *out_leaf)
{
    struct ax_decision_index *index = archive->config.index;
    ax_status status = ax_decision_index_find(index, ctx, decision_id, out_leaf);
    if (status != AX_NOT_FOUND)
        return status;
    AX_TRY(ax_decision_index_catch_up(index, ctx)); /* it may be a moment old */
    return ax_decision_index_find(index, ctx, decision_id, out_leaf);
}

/* The leaf and the record; *out_erased when the record's key is destroyed. */
struct found {
    uint64_t leaf;
    ax_str leaf_bytes;
    struct ax_event event;
    struct ax_decision record;
    bool erased;
};

static ax_status
find(struct ax_decision_archive *archive, struct ax_ctx *ctx, ax_str decision_id, struct found *out)
{
    struct ax_ledger *ledger = archive->config.ledger;
    ax_str payload;
    AX_TRY(ax_decision_archive_find(archive, ctx, decision_id, &out->leaf));
    AX_TRY(ax_ledger_read(ledger, ctx, out->leaf, &out->leaf_bytes));
    AX_TRY(ax_event_read(ctx, out->leaf_bytes, &out->event));
    out->erased = ax_vault_erased(archive->config.vault, out->event.key_id);
    if (out->erased)
        return AX_OK;
    AX_TRY(ax_ledger_read_payload(ledger, ctx, out->leaf, &out->event, &payload));
    return ax_decision_read(ctx, payload, &out->record);
}

static ax_status
need_record(struct ax_decision_archive *archive, struct ax_ctx *ctx, ax_str decision_id,
            struct found *out)
{
    AX_TRY(find(archive, ctx, decision_id, out));
    if (out->erased)
        return ax_fail(ctx, AX_NOT_FOUND, "the record of decision %.*s was erased",
                       AX_FMT(decision_id));
    return AX_OK;
}

ax_status
ax_decision_archive_read(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                         ax_str decision_id, struct ax_decision *out_decision)
{
    struct found found = {};
    AX_TRY(need_record(archive, ctx, decision_id, &found));
    *out_decision = found.record;
    return AX_OK;
}

/* ---- showing ---- */

static ax_status
show_addition(struct ax_decision_archive *archive, struct ax_ctx *ctx, uint64_t leaf, bool erased,
              struct ax_json_writer *out)
{
    struct ax_event event;
    ax_str payload, bytes;
    char time[AX_CLOCK_TEXT_BYTES];
    AX_TRY(ax_ledger_read(archive->config.ledger, ctx, leaf, &bytes));
    AX_TRY(ax_event_read(ctx, bytes, &event));
    ax_json_begin_object(out);
    ax_json_member_text(out, "kind", ax_str_of(ax_event_kind_name(event.kind)));
    ax_json_member_i64(out, "leaf", (int64_t)leaf);
    ax_json_member_text(out, "at", ax_clock_format(event.log_ns, time));
    ax_json_member_text(out, "actor", event.actor);
    if (event.payload_bytes && !erased) {
        ax_status status =
            ax_ledger_read_payload(archive->config.ledger, ctx, leaf, &event, &payload);
        if (status != AX_OK && status != AX_NOT_FOUND) /* not found: erased meanwhile */
            return status;
        if (status == AX_OK) {
            ax_json_key(out, "content");
            ax_json_put_raw(out, payload); /* our own canonical JSON */
        }
    }
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_decision_archive_show(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                         ax_str decision_id, struct ax_json_writer *out)
{
    struct found found = {};
    uint64_t *leaves;
    size_t count;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_decision_index_catch_up(archive->config.index, ctx));
    AX_TRY(find(archive, ctx, decision_id, &found));
    AX_TRY(ax_decision_index_added(archive->config.index, ctx, decision_id, &leaves, &count));
    ax_json_begin_object(out);
    ax_json_member_text(out, "decision_id", decision_id);
    ax_json_member_i64(out, "leaf", (int64_t)found.leaf);
    ax_json_member_text(out, "leaf_hash", ax_digest_hex(ax_merkle_leaf(found.leaf_bytes), hex));
    ax_json_member_bool(out, "erased", found.erased);
    ax_json_key(out, "record");
    if (found.erased)
        ax_json_put_null(out);
    else
        ax_decision_show(&found.record, out);
    ax_json_key(out, "added");
    ax_json_begin_array(out);
    for (size_t i = 0; i < count; i++)
        AX_TRY(show_addition(archive, ctx, leaves[i], found.erased, out));
    ax_json_end_array(out);
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_decision_archive_prove(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                          ax_str decision_id, ax_str *out_proof)
{
    uint64_t leaf;
    AX_TRY(ax_decision_archive_find(archive, ctx, decision_id, &leaf));
    return ax_ledger_prove(archive->config.ledger, ctx, leaf, out_proof);
}

/* ---- facts added to a decision ---- */

static struct ax_event
addition(const struct ax_decision_archive *archive, const struct ax_ctx *ctx,
         enum ax_event_kind kind, const struct found *found)
{
    return (struct ax_event){
        .kind = kind,
        .producer = AX_STR("archive"),
        .event_ns = ax_clock_real_ns(),
        .actor = ctx->actor ? ctx->actor->id : AX_STR(""),
        .actor_roles = ctx->actor ? ctx->actor->roles : 0,
        .object = found->event.object,
        .object_hash = found->event.object_hash,
        .build_id = archive->config.build_id,
        .links = {found->leaf},
        .link_count = 1,
    };
}

/* Sealed under the key of the person it is about, then in the ledger, then answered. */
static ax_status
add(struct ax_decision_archive *archive, struct ax_ctx *ctx, const struct found *found,
    struct ax_event event, const struct ax_writer *payload, struct ax_json_writer *out)
{
    struct ax_vault_sealed sealed;
    uint64_t leaf;
    ax_str entity = found->record.entity.len ? found->record.entity : AX_STR("anonymous");
    if (payload->status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for what is added to a decision");
    AX_TRY(ax_vault_seal(archive->config.vault, ctx, entity, event.object, ax_writer_str(payload),
                         &sealed));
    ax_vault_describe(&sealed, &event);
    AX_TRY(ax_ledger_append(archive->config.ledger, ctx, &event, sealed.bytes, &leaf));
    ax_json_begin_object(out);
    ax_json_member_text(out, "decision_id", event.object);
    ax_json_member_text(out, "kind", ax_str_of(ax_event_kind_name(event.kind)));
    ax_json_member_i64(out, "leaf", (int64_t)leaf);
    ax_json_end_object(out);
    return AX_OK;
}

static ax_status
check_length(struct ax_ctx *ctx, const char *name, ax_str text, size_t bytes_max)
{
    if (text.len == 0)
        return ax_fail(ctx, AX_INVALID, "`%s` is empty", name);
    if (text.len > bytes_max)
        return ax_fail(ctx, AX_INVALID, "`%s` has %zu bytes; at most %zu are allowed", name,
                       text.len, bytes_max);
    return AX_OK;
}

ax_status
ax_decision_archive_outcome(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                            ax_str decision_id, const struct ax_json *request,
                            struct ax_json_writer *out)
{
    struct found found = {};
    ax_str label, observed = AX_STR("");
    int64_t observed_ns;
    AX_TRY(ax_json_need_text(ctx, request, "label", &label));
    AX_TRY(check_length(ctx, "label", label, LABEL_BYTES_MAX));
    AX_TRY(ax_json_may_text(ctx, request, "observed_at", &observed));
    if (observed.len && ax_clock_parse(observed, &observed_ns) != AX_OK)
        return ax_fail(ctx, AX_INVALID, "`observed_at` must be a time as in RFC 3339, not \"%.*s\"",
                       AX_FMT(observed));
    AX_TRY(need_record(archive, ctx, decision_id, &found));
    ax_writer_auto struct ax_writer text = ax_writer_of(FOLLOW_UP_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "label", label);
    if (observed.len)
        ax_json_member_text(&json, "observed_at", observed);
    ax_json_end_object(&json);
    return add(archive, ctx, &found, addition(archive, ctx, AX_EVENT_OUTCOME, &found), &text, out);
}

static ax_status
read_review(struct ax_ctx *ctx, const struct ax_json *request, ax_str *outcome, ax_str *reason,
            ax_str *comment, bool *contest)
{
    AX_TRY(ax_json_need_text(ctx, request, "outcome", outcome));
    if (!ax_str_eq(*outcome, AX_STR("approve")) && !ax_str_eq(*outcome, AX_STR("decline")))
        return ax_fail(ctx, AX_INVALID, "`outcome` must be approve or decline, not \"%.*s\"",
                       AX_FMT(*outcome));
    AX_TRY(ax_json_need_text(ctx, request, "reason", reason));
    AX_TRY(check_length(ctx, "reason", *reason, 4096));
    AX_TRY(ax_json_may_text(ctx, request, "comment", comment));
    return ax_json_may_bool(ctx, request, "contest", contest);
}

ax_status
ax_decision_archive_review(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                           ax_str decision_id, const struct ax_json *request,
                           struct ax_json_writer *out)
{
    struct found found = {};
    ax_str outcome, reason, comment = AX_STR("");
    bool contest = false;
    AX_TRY(read_review(ctx, request, &outcome, &reason, &comment, &contest));
    AX_TRY(need_record(archive, ctx, decision_id, &found));
    if (!ax_str_eq(found.record.outcome, AX_STR("refer")) && !contest)
        return ax_fail(ctx, AX_CONFLICT,
                       "decision %.*s was \"%.*s\", not referred; say \"contest\": true when the "
                       "person contests it",
                       AX_FMT(decision_id), AX_FMT(found.record.outcome));
    ax_writer_auto struct ax_writer text = ax_writer_of(FOLLOW_UP_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "model_outcome", found.record.outcome);
    ax_json_member_text(&json, "outcome", outcome);
    ax_json_member_text(&json, "reason", reason);
    ax_json_member_text(&json, "comment", comment);
    ax_json_member_bool(&json, "contest", contest);
    ax_json_end_object(&json);
    return add(archive, ctx, &found, addition(archive, ctx, AX_EVENT_REVIEW, &found), &text, out);
}

/* ---- computing it again ---- */

/* What a replay holds until its answer is written. */
struct replaying {
    struct ax_lane *lane;
    struct ax_plan *older; /* NULL when the present plan does */
};

/* What is left of a plan of then is in nobody's way; that it stays changes no words. */
static void
remove_aside(const struct ax_ctx *ctx, ax_str folder)
{
    struct ax_ctx aside = ax_ctx_of(ctx->arena);
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove_tree(&aside, folder), "it may not be there");
    ax_fault_benign_end();
}

/* Under the plan in force then, loaded again from what the registry kept. */
static ax_status
replay_older(struct ax_decision_archive *archive, struct ax_ctx *ctx, struct replaying *replaying,
             const struct ax_decision *recorded, struct ax_decision *out_again)
{
    ax_str folder = ax_path_join(ctx->arena, archive->config.folder, recorded->id);
    if (!folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    ax_status status = archive->config.older_plan(archive->config.arg, ctx, recorded, folder);
    if (status == AX_OK)
        status = ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &replaying->older);
    remove_aside(ctx, folder);
    AX_TRY(status);
    const struct ax_plan_deployment *deployment =
        ax_plan_deployment(replaying->older, recorded->deployment);
    if (!deployment)
        return ax_fail(ctx, AX_NOT_FOUND, "the plan of then has no deployment \"%.*s\"",
                       AX_FMT(recorded->deployment));
    return ax_model_server_replay(replaying->lane, ctx, deployment, recorded, out_again);
}

static ax_status
compute(struct ax_decision_archive *archive, struct ax_ctx *ctx, struct replaying *replaying,
        const struct ax_decision *recorded, struct ax_decision *out_again)
{
    const struct ax_plan *plan = ax_lane_plan(replaying->lane);
    const struct ax_plan_deployment *deployment =
        plan ? ax_plan_deployment(plan, recorded->deployment) : NULL;
    if (deployment && ax_digest_eq(deployment->config_digest, recorded->config_hash)) {
        ax_status status =
            ax_model_server_replay(replaying->lane, ctx, deployment, recorded, out_again);
        if (status != AX_NOT_FOUND && status != AX_CONFLICT)
            return status;
    }
    return replay_older(archive, ctx, replaying, recorded, out_again);
}

static void
show_pair(struct ax_json_writer *out, const char *key, double recorded, double again, bool same)
{
    ax_json_key(out, key);
    ax_json_begin_object(out);
    ax_json_member_f64(out, "recorded", recorded);
    ax_json_member_f64(out, "again", again);
    ax_json_member_bool(out, "same", same);
    ax_json_end_object(out);
}

static void
show_replay(const struct ax_decision *recorded, const struct ax_decision *again,
            struct ax_json_writer *out)
{
    struct ax_decision_difference found = ax_decision_compare(recorded, again);
    ax_json_begin_object(out);
    ax_json_member_text(out, "decision_id", recorded->id);
    ax_json_member_bool(out, "same", found.same);
    show_pair(out, "margin", recorded->margin, again->margin, found.margin_same);
    show_pair(out, "probability", recorded->probability, again->probability,
              found.probability_same);
    show_pair(out, "score", recorded->score, again->score, found.score_same);
    ax_json_member_bool(out, "outcome_same", found.outcome_same);
    ax_json_member_bool(out, "reasons_same", found.reasons_same);
    ax_json_member_bool(out, "contributions_close", found.contributions_close);
    ax_json_member_f64(out, "contribution_gap", found.contribution_gap);
    ax_json_member_text(out, "recorded_build", recorded->build_id);
    ax_json_end_object(out);
}

ax_status
ax_decision_archive_replay(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                           ax_str decision_id, struct ax_json_writer *out)
{
    struct found found = {};
    struct ax_decision again;
    struct replaying replaying = {};
    AX_TRY(need_record(archive, ctx, decision_id, &found));
    AX_TRY(ax_lane_open(ctx, archive->config.server, &replaying.lane));
    ax_status status = compute(archive, ctx, &replaying, &found.record, &again);
    if (status == AX_OK)
        show_replay(&found.record, &again, out);
    if (replaying.older)
        ax_plan_free(replaying.older);
    ax_lane_close(replaying.lane);
    if (status != AX_OK)
        return ax_explain(ctx, status, "replay %.*s", AX_FMT(decision_id));
    struct ax_event event = addition(archive, ctx, AX_EVENT_REPLAY, &found);
    return ax_ledger_append(archive->config.ledger, ctx, &event, AX_STR(""), NULL);
}

#include "serving/decision_archive.h"

#include <stdlib.h>

#include "event/checkpoint.h"
#include "serving_case.h"

static const char plain[] = "\"champion\":{\"model\":\"credit\",\"version\":1}";
static const char queued[] =
    "\"champion\":{\"model\":\"credit\",\"version\":1},\"record\":\"queued\"";

/* Which plan an older one is, and how often it was asked for. */
struct older {
    struct serving_case *at;
    const char *deployment, *policy;
    ax_status answer;
    int count;
};

static ax_status
older_plan(void *arg, struct ax_ctx *ctx, const struct ax_decision *decision, ax_str folder)
{
    struct older *older = arg;
    const ax_str now = older->at->folder;
    CHECK_STR(decision->deployment, "loans");
    older->count++;
    if (older->answer != AX_OK)
        return ax_fail(ctx, older->answer, "the registry is away");
    older->at->folder = folder;
    serving_case_write_plan(older->at, older->deployment, older->policy);
    older->at->folder = now;
    return AX_OK;
}

static struct older older;

static struct ax_decision_archive *
open_archive(struct serving_case *at)
{
    struct ax_decision_archive *archive = NULL;
    const struct ax_decision_archive_config config = {
        .ledger = at->ledger,
        .vault = at->base->vault,
        .index = at->index,
        .server = at->server,
        .build_id = AX_STR("test"),
        .older_plan = older_plan,
        .arg = &older,
        .folder = serving_case_path(at, "scratch"),
    };
    older = (struct older){.at = at, .deployment = plain, .policy = ""};
    CHECK_EQ(ax_decision_archive_open(&at->ctx, &config, &archive), AX_OK);
    return archive;
}

/* Decides and gives the id, in ctx->arena; the record is durable. */
static ax_str
decide(struct ax_ctx *ctx, struct serving_case *at, const char *features)
{
    struct serving_case_answer answer = {};
    CHECK_EQ(serving_case_decide(ctx, at, "", features, &answer), AX_OK);
    return answer.decided ? answer.decided->record.id : AX_STR("none");
}

/* One of the calls that take a request and write an answer, or only write one. */
enum call { SHOW, REPLAY, OUTCOME, REVIEW };

static ax_status
call(struct ax_ctx *ctx, struct ax_decision_archive *archive, enum call what, ax_str id,
     const char *request, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *parsed = NULL;
    *out = AX_STR("");
    if (request)
        AX_TRY(ax_json_parse(ctx, ax_str_of(request), NULL, &parsed));
    if (what == SHOW)
        AX_TRY(ax_decision_archive_show(archive, ctx, id, &json));
    else if (what == REPLAY)
        AX_TRY(ax_decision_archive_replay(archive, ctx, id, &json));
    else if (what == OUTCOME)
        AX_TRY(ax_decision_archive_outcome(archive, ctx, id, parsed, &json));
    else
        AX_TRY(ax_decision_archive_review(archive, ctx, id, parsed, &json));
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK
                                                           : ax_fail(ctx, AX_LIMIT, "no memory");
}

static bool
says(ax_str text, const char *words)
{
    if (ax_str_find(text, ax_str_of(words)) != SIZE_MAX)
        return true;
    fprintf(stderr, "no %s in %.*s\n", words, AX_FMT(text));
    return false;
}

/* ---- reading and proving ---- */

static void
shown(struct ax_ctx *ctx, struct serving_case *at)
{
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    struct ax_decision record = {};
    struct ax_checkpoint_key key;
    ax_str text, proof = AX_STR(""), leaf_bytes = AX_STR("");
    uint64_t leaf = 9, index = 9;
    serving_case_serve(at, plain, "");
    ax_str id = decide(ctx, at, serving_case_bad);
    CHECK_EQ(ax_decision_archive_find(archive, ctx, id, &leaf), AX_OK); /* a moment old */
    CHECK_EQ(leaf, 0);
    CHECK_EQ(call(ctx, archive, SHOW, id, NULL, &text), AX_OK);
    CHECK(says(text, "\"leaf\":0,\"leaf_hash\":\""));
    CHECK(says(text, "\"erased\":false,\"record\":{"));
    CHECK(says(text, "\"added\":[]"));
    CHECK_EQ(ax_decision_archive_read(archive, ctx, id, &record), AX_OK);
    CHECK_STR(record.outcome, "decline");
    CHECK_STR(record.entity, "person-1");
    CHECK_EQ(ax_decision_archive_prove(archive, ctx, id, &proof), AX_OK);
    CHECK_EQ(ax_checkpoint_vkey_parse(ctx, ax_ledger_vkey(at->ledger), &key), AX_OK);
    CHECK_EQ(ax_ledger_read(at->ledger, ctx, leaf, &leaf_bytes), AX_OK);
    CHECK_EQ(ax_checkpoint_proof_verify(ctx, proof, leaf_bytes, &key, &index), AX_OK);
    CHECK_EQ(index, leaf);
    CHECK_EQ(call(ctx, archive, SHOW, AX_STR("d_nobody"), NULL, &text), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no decision \"d_nobody\"") == 0);
    CHECK_EQ(ax_decision_archive_prove(archive, ctx, AX_STR("d_nobody"), &proof), AX_NOT_FOUND);
}

SERVING_TEST(r57_a_decision_is_read_and_proved_from_the_ledger, shown)

/* ---- adding ---- */

static void
added(struct ax_ctx *ctx, struct serving_case *at)
{
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    static const struct ax_actor clerk = {.id = AX_STR("clara")};
    ax_str text;
    serving_case_serve(at, plain, "");
    ax_str id = decide(ctx, at, serving_case_middling);
    ctx->actor = &clerk;
    CHECK_EQ(call(ctx, archive, OUTCOME, id,
                  "{\"label\":\"bad\",\"observed_at\":\"2026-05-01T00:00:00Z\"}", &text),
             AX_OK);
    CHECK(says(text, "\"kind\":\"outcome\",\"leaf\":1"));
    CHECK_EQ(call(ctx, archive, REVIEW, id,
                  "{\"outcome\":\"approve\",\"reason\":\"a pay slip\",\"comment\":\"seen\"}",
                  &text),
             AX_OK);
    CHECK(says(text, "\"kind\":\"review\",\"leaf\":2"));
    CHECK_EQ(call(ctx, archive, SHOW, id, NULL, &text), AX_OK);
    CHECK(says(text, "\"actor\":\"clara\",\"content\":{\"label\":\"bad\",\"observed_at\":"));
    CHECK(says(text, "\"content\":{\"model_outcome\":\"refer\",\"outcome\":\"approve\","));
    CHECK(says(text, "\"outcome\":\"refer\"")); /* the record is what it was */
    struct ax_event event = {};
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_ledger_read(at->ledger, ctx, 2, &bytes), AX_OK);
    CHECK_EQ(ax_event_read(ctx, bytes, &event), AX_OK);
    CHECK(event.link_count == 1 && event.links[0] == 0);
    CHECK(ax_str_eq(event.object, id));
    ctx->actor = NULL;
}

SERVING_TEST(r61_a_late_outcome_and_a_human_result_are_new_facts_that_link_to_the_decision, added)

static void
not_added(struct ax_ctx *ctx, struct serving_case *at)
{
    static const struct {
        enum call what;
        const char *request, *words;
        ax_status want;
    } cases[] = {
        {OUTCOME, "{}", "`label`", AX_INVALID},
        {OUTCOME, "{\"label\":\"\"}", "`label` is empty", AX_INVALID},
        {OUTCOME, "{\"label\":\"bad\",\"observed_at\":\"yesterday\"}",
         "`observed_at` must be a time as in RFC 3339, not \"yesterday\"", AX_INVALID},
        {REVIEW, "{}", "`outcome`", AX_INVALID},
        {REVIEW, "{\"outcome\":\"maybe\"}", "`outcome` must be approve or decline, not \"maybe\"",
         AX_INVALID},
        {REVIEW, "{\"outcome\":\"approve\"}", "`reason`", AX_INVALID},
        {REVIEW, "{\"outcome\":\"approve\",\"reason\":\"\"}", "`reason` is empty", AX_INVALID},
        {REVIEW, "{\"outcome\":\"approve\",\"reason\":\"x\"}", "was \"decline\", not referred",
         AX_CONFLICT},
        {REVIEW, "{\"outcome\":\"approve\",\"reason\":\"x\",\"contest\":7}", "`contest`",
         AX_INVALID},
    };
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    char long_label[256];
    ax_str text;
    serving_case_serve(at, plain, "");
    ax_str id = decide(ctx, at, serving_case_bad);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = call(ctx, archive, cases[i].what, id, cases[i].request, &text);
        if (status != cases[i].want || !ax_test_said(ctx, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].request,
                           ax_status_name(status), ctx->error);
    }
    snprintf(long_label, sizeof long_label, "{\"label\":\"%0129d\"}", 0);
    CHECK_EQ(call(ctx, archive, OUTCOME, id, long_label, &text), AX_INVALID);
    CHECK(strcmp(ctx->error, "`label` has 129 bytes; at most 128 are allowed") == 0);
    CHECK_EQ(ax_ledger_size(at->ledger), 1);
    CHECK_EQ(call(ctx, archive, REVIEW, id,
                  "{\"outcome\":\"approve\",\"reason\":\"x\",\"contest\":true}", &text),
             AX_OK);
    CHECK_EQ(ax_ledger_size(at->ledger), 2);
}

SERVING_TEST(r61_what_is_added_to_a_decision_is_checked_word_by_word, not_added)

static void
erased(struct ax_ctx *ctx, struct serving_case *at)
{
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    struct ax_vault_receipt receipt;
    struct ax_decision record;
    char words[128];
    ax_str text, proof = AX_STR("");
    serving_case_serve(at, plain, "");
    ax_str id = decide(ctx, at, serving_case_bad);
    CHECK_EQ(call(ctx, archive, OUTCOME, id, "{\"label\":\"secret\"}", &text), AX_OK);
    CHECK_EQ(ax_vault_erase(at->base->vault, ctx, AX_STR("person-1"), &receipt), AX_OK);
    CHECK_EQ(call(ctx, archive, SHOW, id, NULL, &text), AX_OK);
    CHECK(says(text, "\"erased\":true,\"record\":null"));
    CHECK(ax_str_find(text, AX_STR("secret")) == SIZE_MAX);
    snprintf(words, sizeof words, "the record of decision %.*s was erased", AX_FMT(id));
    CHECK_EQ(ax_decision_archive_read(archive, ctx, id, &record), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, words) == 0);
    CHECK_EQ(call(ctx, archive, OUTCOME, id, "{\"label\":\"bad\"}", &text), AX_NOT_FOUND);
    CHECK_EQ(call(ctx, archive, REPLAY, id, NULL, &text), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, words) == 0);
    CHECK_EQ(ax_decision_archive_prove(archive, ctx, id, &proof), AX_OK); /* still in the log */
    CHECK(proof.len > 0);
}

SERVING_TEST(an_erased_decision_is_shown_without_its_record_and_still_proved, erased)

/* ---- computing again ---- */

static void
replayed(struct ax_ctx *ctx, struct serving_case *at)
{
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    struct ax_event event = {};
    ax_str text, bytes = AX_STR("");
    serving_case_serve(at, plain, "");
    ax_str id = decide(ctx, at, serving_case_bad);
    CHECK_EQ(call(ctx, archive, REPLAY, id, NULL, &text), AX_OK);
    CHECK(says(text, "\"same\":true,\"margin\":{\"recorded\":-0."));
    CHECK(says(text, "\"reasons_same\":true") && says(text, "\"recorded_build\":\"test\""));
    CHECK_EQ(older.count, 0);
    CHECK_EQ(ax_ledger_read(at->ledger, ctx, 1, &bytes), AX_OK);
    CHECK_EQ(ax_event_read(ctx, bytes, &event), AX_OK);
    CHECK(event.kind == AX_EVENT_REPLAY && event.links[0] == 0);
    static const struct {
        const char *deployment, *policy;
    } later[] = {{queued, ""},                  /* another revision */
                 {plain, ",\"reasons_max\":1"}, /* another policy under that revision */
                 {"\"champion\":{\"model\":\"credit\",\"version\":2}", ""}}; /* another version */
    for (size_t i = 0; i < AX_COUNT_OF(later); i++) {
        serving_case_serve(at, later[i].deployment, later[i].policy);
        CHECK_EQ(call(ctx, archive, REPLAY, id, NULL, &text), AX_OK);
        CHECK(says(text, "\"same\":true"));
        CHECK_EQ(older.count, i + 1);
        CHECK(!ax_file_exists(ax_path_join(ctx->arena, serving_case_path(at, "scratch"), id)));
    }
    older.policy = ",\"reasons_max\":1"; /* what comes back is not the plan of then */
    CHECK_EQ(call(ctx, archive, REPLAY, id, NULL, &text), AX_CONFLICT);
    CHECK(strstr(ctx->error, "replay d_") == ctx->error);
    CHECK(strstr(ctx->error, ": it was decided under p/1, which is not p/1") != NULL);
    older.answer = AX_UNAVAILABLE;
    CHECK_EQ(call(ctx, archive, REPLAY, id, NULL, &text), AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, ": the registry is away") != NULL);
    CHECK_EQ(ax_ledger_size(at->ledger), 5); /* a replay that did not come about is no fact */
}

SERVING_TEST(r58_a_replay_finds_the_plan_of_then_and_is_a_fact, replayed)

/* ---- faults ---- */

static ax_status
use(struct ax_ctx *ctx, struct ax_decision_archive *archive, ax_str id)
{
    struct ax_decision record;
    ax_str text, proof;
    AX_TRY(ax_decision_archive_read(archive, ctx, id, &record));
    AX_TRY(call(ctx, archive, OUTCOME, id, "{\"label\":\"bad\"}", &text));
    AX_TRY(call(ctx, archive, REVIEW, id, "{\"outcome\":\"decline\",\"reason\":\"x\"}", &text));
    AX_TRY(call(ctx, archive, REPLAY, id, NULL, &text));
    CHECK(says(text, "\"same\":true"));
    AX_TRY(call(ctx, archive, SHOW, id, NULL, &text));
    CHECK(says(text, "\"content\":{\"label\":\"bad\"}"));
    return ax_decision_archive_prove(archive, ctx, id, &proof);
}

static void
sweep_step(struct serving_case *at, struct ax_decision_archive *archive, int step, bool forever,
           bool *fired)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str id = decide(&ctx, at, serving_case_middling); /* its own: it grows with each step */
    uint64_t size = ax_ledger_size(at->ledger);
    ax_fault_arm(step, forever);
    ax_status status = use(&ctx, archive, id);
    *fired = ax_fault_disarm();
    if (*fired && ax_fault_must_be_noticed() && status == AX_OK)
        ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", step);
    if (!*fired && status != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "unbroken run: %s", ctx.error);
    CHECK(status == AX_OK || ctx.error[0]);
    CHECK(ax_ledger_size(at->ledger) <= size + 3);
    CHECK(status != AX_OK || ax_ledger_size(at->ledger) == size + 3);
    CHECK_EQ(use(&ctx, archive, id), AX_OK);
}

/* Each step waits for the disk some ten times: a sample, and all with AX_LONG=1. */
static void
sweep(struct ax_ctx *ctx, struct serving_case *at)
{
    ax_auto(ax_decision_archive_close) struct ax_decision_archive *archive = open_archive(at);
    const int stride = getenv("AX_LONG") ? 1 : 7;
    bool fired = true;
    (void)ctx;
    serving_case_serve(at, plain, "");
    for (int step = 2; fired; step += stride) { /* 86, where an addition is read, among them */
        sweep_step(at, archive, step, false, &fired);
        sweep_step(at, archive, step, true, &fired);
    }
}

SERVING_TEST(an_archive_meets_every_fault_with_whole_facts_or_none, sweep)

#include "serving/model_server.h"

#include <math.h>

#include "event/ledger_state.h"
#include "serving_case.h"

static const char durable[] = "\"champion\":{\"model\":\"credit\",\"version\":1},"
                              "\"challengers\":[{\"model\":\"credit\",\"version\":2}]";
static const char queued[] =
    "\"champion\":{\"model\":\"credit\",\"version\":1},\"record\":\"queued\"";

/* A counter's line in the printed metrics is there. */
static bool
counted(struct ax_ctx *ctx, struct serving_case *at, const char *line)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    ax_str copy = AX_STR("");
    ax_metrics_print(at->metrics, &text);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &copy), AX_OK);
    return ax_str_find(copy, ax_str_of(line)) != SIZE_MAX;
}

/* How many facts of the kind the ledger holds once all that was queued is durable. */
static size_t
fact_count(struct ax_ctx *ctx, struct serving_case *at, enum ax_event_kind kind)
{
    struct ax_ledger_fact *facts = NULL;
    size_t count = 0, found = 0;
    const struct ax_event last = {.kind = AX_EVENT_REPLAY, .producer = AX_STR("test")};
    CHECK_EQ(ax_ledger_append(at->ledger, ctx, &last, AX_STR(""), NULL), AX_OK);
    CHECK_EQ(ax_ledger_read_facts(at->ledger, ctx, 0, 1000, &facts, &count), AX_OK);
    for (size_t i = 0; i < count; i++)
        found += facts[i].event.kind == kind;
    return found;
}

/* ---- what is answered and recorded ---- */

static void
decided(struct ax_ctx *ctx, struct serving_case *at)
{
    static const struct {
        const char *features, *outcome;
        double probability;
        bool reasoned;
    } cases[] = {
        {serving_case_good, "approve", 0.15141, false},
        {serving_case_middling, "refer", 0.32111, true},
        {serving_case_bad, "decline", 0.43817, true},
    };
    static const struct ax_actor client = {.id = AX_STR("shop"),
                                           .authenticated_by = AX_STR("token")};
    serving_case_serve(at, durable, "");
    ctx->actor = &client;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct serving_case_answer answer = {};
        struct ax_decision record = {};
        struct ax_event event;
        ax_str payload = AX_STR("");
        CHECK_EQ(serving_case_decide(ctx, at, "", cases[i].features, &answer), AX_OK);
        REQUIRE(answer.decided != NULL);
        CHECK_EQ(answer.done_count, 1);
        CHECK(answer.durable && answer.leaf == i);
        CHECK_STR(answer.decided->record.outcome, cases[i].outcome);
        CHECK(fabs(answer.decided->record.probability - cases[i].probability) < 1e-4);
        CHECK_EQ(ax_ledger_read_payload(at->ledger, ctx, i, &event, &payload), AX_OK);
        CHECK_EQ(event.kind, AX_EVENT_DECISION);
        CHECK(ax_str_eq(event.object, answer.decided->record.id));
        CHECK_EQ(ax_decision_read(ctx, payload, &record), AX_OK);
        CHECK_STR(record.outcome, cases[i].outcome);
        CHECK_STR(record.deployment, "loans");
        CHECK_STR(record.entity, "person-1");
        CHECK_STR(record.caller, "shop");
        CHECK_STR(record.caller_authenticated_by, "token");
        CHECK_STR(record.policy_version, "p/1");
        CHECK_STR(record.breaker, "closed");
        CHECK_STR(record.build_id, "test");
        CHECK(record.governed && !record.fallback);
        CHECK_EQ(record.reason_count > 0, cases[i].reasoned);
        CHECK_EQ(record.challenger_count, 1);
        CHECK_STR(record.challengers[0].model.version, "2");
        CHECK(record.event_ns > 0 && record.decision_ns >= record.event_ns);
        const struct ax_plan *plan = ax_lane_plan(at->lane);
        CHECK(ax_digest_eq(record.plan_digest, plan->digest));
        CHECK(ax_digest_eq(record.config_hash, plan->deployments[0].config_digest));
        CHECK(ax_digest_eq(record.policy_digest, plan->deployments[0].policy_digest));
    }
    CHECK(counted(ctx, at, "axiom_decisions_total{deployment=\"loans\",outcome=\"decline\"} 1"));
    ctx->actor = NULL;
}

SERVING_TEST(r57_r107_a_decision_is_recorded_whole_before_it_is_answered, decided)

static void
unwaited(struct ax_ctx *ctx, struct serving_case *at)
{
    struct serving_case_answer answer = {};
    serving_case_serve(at, queued, "");
    CHECK_EQ(serving_case_decide(ctx, at, "", serving_case_bad, &answer), AX_OK);
    CHECK_EQ(answer.done_count, 1);
    CHECK(!answer.durable);
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_DECISION), 1);
}

SERVING_TEST(a_queued_decision_is_answered_at_once_and_recorded_behind, unwaited)

static void
repeated(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char *const modes[] = {durable, queued};
    for (size_t i = 0; i < AX_COUNT_OF(modes); i++) {
        struct serving_case_answer first = {}, again = {}, other = {};
        const char *request_id = i ? "second" : "first";
        serving_case_serve(at, modes[i], "");
        CHECK_EQ(serving_case_decide(ctx, at, request_id, serving_case_bad, &first), AX_OK);
        CHECK_EQ(serving_case_decide(ctx, at, request_id, serving_case_good, &again), AX_OK);
        REQUIRE(first.decided != NULL);
        CHECK(ax_str_eq(again.duplicate_of, first.decided->record.id));
        CHECK(again.decided == NULL && again.done_count == 0);
        request_id = i ? "fourth" : "third";
        CHECK_EQ(serving_case_decide(ctx, at, request_id, "{\"age\":1}", &other), AX_INVALID);
        CHECK_EQ(serving_case_decide(ctx, at, request_id, serving_case_good, &other), AX_OK);
        CHECK(other.decided != NULL); /* free again after the failure */
    }
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_DECISION), 4);
}

SERVING_TEST(the_same_request_id_gives_the_same_decision_and_a_failed_one_is_free_again, repeated)

/* ---- refusals ---- */

static void
refused(struct ax_ctx *ctx, struct serving_case *at)
{
    static char long_id[AX_REQUEST_ID_BYTES_MAX + 2];
    static const struct {
        const char *request_id, *features;
        ax_status want;
        const char *words;
    } cases[] = {
        {"", "{\"age\":30,\"income\":1,\"jbo\":\"cook\"}", AX_INVALID, "`jbo`"},
        {"", "{\"age\":30}", AX_INVALID, "feature `income` is missing"},
        {"", "{\"age\":30,\"income\":1,\"job\":\"king\"}", AX_INVALID, "king"},
        {long_id, serving_case_good, AX_INVALID,
         "`request_id` has 129 bytes; at most 128 are allowed"},
        {"", "{\"age\":17,\"income\":1,\"job\":\"cook\"}", AX_INVALID,
         "feature `age` is 17, outside its domain 18 to 100"},
        {"", "{\"age\":30,\"income\":9000,\"job\":\"cook\"}", AX_INVALID,
         "feature `income` is 9000, above the cap of 5000"},
    };
    struct serving_case_answer answer = {};
    memset(long_id, 'x', sizeof long_id - 1);
    CHECK_EQ(serving_case_decide(ctx, at, "", serving_case_good, &answer), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no deployment \"loans\" is served") == 0);
    CHECK(ax_lane_plan(at->lane) == NULL);
    serving_case_serve(at, durable,
                       ",\"out_of_domain\":\"refuse\",\"amount\":{\"feature\":\"income\","
                       "\"max\":5000,\"action\":\"refuse\"}");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(serving_case_decide(ctx, at, cases[i].request_id, cases[i].features, &answer),
                 cases[i].want);
        CHECK(answer.decided == NULL && answer.done_count == 0);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_DECISION), 0);
    CHECK(counted(ctx, at, "axiom_decisions_refused_total{deployment=\"loans\"} 5"));
}

SERVING_TEST(r19_r72_a_request_that_cannot_be_decided_says_why_and_leaves_nothing, refused)

static void throw(struct ax_ctx * ctx, struct serving_case *at, const char *scope)
{
    const struct ax_kill_latch latch = {
        .scope = ax_str_of(scope), .reason = AX_STR("wrong prices"), .actor = AX_STR("rob")};
    CHECK_EQ(ax_kill_switch_throw(at->kill, ctx, &latch), AX_OK);
}

static void
stopped(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char *const scopes[] = {"all", "deployment:loans", "model:credit", "client:shop"};
    static const char *const others[] = {"deployment:cars", "model:broken", "client:bank"};
    static const struct ax_actor client = {.id = AX_STR("shop")};
    struct serving_case_answer answer = {};
    char words[128];
    serving_case_serve(at, durable, "");
    ctx->actor = &client;
    for (size_t i = 0; i < AX_COUNT_OF(scopes); i++) {
        throw(ctx, at, scopes[i]);
        CHECK_EQ(serving_case_decide(ctx, at, "one", serving_case_good, &answer), AX_DENIED);
        snprintf(words, sizeof words, "stopped by the kill switch of %s: wrong prices", scopes[i]);
        CHECK(strcmp(ctx->error, words) == 0);
        CHECK(answer.decided == NULL && answer.done_count == 0);
        CHECK_EQ(ax_kill_switch_release(at->kill, ctx, ax_str_of(scopes[i])), AX_OK);
    }
    for (size_t i = 0; i < AX_COUNT_OF(others); i++)
        throw(ctx, at, others[i]);
    CHECK_EQ(serving_case_decide(ctx, at, "one", serving_case_good, &answer), AX_OK);
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_REFUSAL), AX_COUNT_OF(scopes));
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_DECISION), 1);
}

SERVING_TEST(r80_the_kill_switch_stops_its_scope_and_each_refusal_is_a_fact, stopped)

/* The champion fails; the fallback is of a model that was stopped. */
static void
stopped_fallback(struct ax_ctx *ctx, struct serving_case *at)
{
    struct serving_case_answer answer = {};
    serving_case_serve(at,
                       "\"champion\":{\"model\":\"broken\",\"version\":1},"
                       "\"fallback\":{\"model\":\"credit\",\"version\":1}",
                       "");
    CHECK_EQ(serving_case_decide(ctx, at, "one", serving_case_good, &answer), AX_OK);
    CHECK(answer.decided && answer.decided->record.fallback);
    CHECK(counted(ctx, at, "axiom_decision_fallbacks_total{deployment=\"loans\"} 1"));
    throw(ctx, at, "model:credit");
    CHECK_EQ(serving_case_decide(ctx, at, "two", serving_case_good, &answer), AX_DENIED);
    CHECK(strcmp(ctx->error, "stopped by the kill switch of model:credit: wrong prices") == 0);
    CHECK(answer.decided == NULL);
    CHECK_EQ(ax_kill_switch_release(at->kill, ctx, AX_STR("model:credit")), AX_OK);
    CHECK_EQ(serving_case_decide(ctx, at, "two", serving_case_good, &answer), AX_OK);
}

SERVING_TEST(r80_a_stopped_model_does_not_answer_as_a_fallback_either, stopped_fallback)

/* ---- a ledger that takes nothing ---- */

static void
taken_by_nobody(struct ax_ledger_entry *entry)
{
    ax_test_failed(__FILE__, __LINE__, "%d: this ledger has no threads", entry->status);
}

static void
full_ledger(struct serving_case *at, const char *mode)
{
    struct ax_ctx *ctx = &at->ctx;
    struct serving_case_answer answer = {};
    ax_str earlier = AX_STR("x");
    serving_case_serve(at, mode, "");
    CHECK_EQ(serving_case_decide(ctx, at, "one", serving_case_good, &answer), AX_LIMIT);
    CHECK(strcmp(ctx->error, "1 facts wait for the disk: no more are taken") == 0);
    CHECK_EQ(answer.done_count, 0);
    CHECK(!counted(ctx, at, "outcome=\"approve\"} 1"));
    CHECK(counted(ctx, at, "axiom_decisions_refused_total{deployment=\"loans\"} 1"));
    CHECK_EQ(ax_decision_index_claim(at->index, ctx, AX_STR("loans"), AX_STR("one"), &earlier),
             AX_OK);
    CHECK_STR(earlier, ""); /* the id was free again */
    ax_decision_index_release(at->index, AX_STR("loans"), AX_STR("one"));
    throw(ctx, at, "all"); /* a refusal keeps its words though its fact finds no room */
    CHECK_EQ(serving_case_decide(ctx, at, "one", serving_case_good, &answer), AX_DENIED);
    CHECK(strcmp(ctx->error, "stopped by the kill switch of all: wrong prices") == 0);
    CHECK_EQ(ax_kill_switch_release(at->kill, ctx, AX_STR("all")), AX_OK);
}

static void
full(struct ax_ctx *ctx, struct ledger_case *base)
{
    static const char *const modes[] = {durable, queued};
    (void)ctx;
    base->config.queue_records_max = 1;
    for (size_t i = 0; i < AX_COUNT_OF(modes); i++) {
        struct serving_case at = {.base = base, .arena = ax_arena_new(64 << 20)};
        struct ax_ledger_entry waiting = {
            .event = {.kind = AX_EVENT_REPLAY, .producer = AX_STR("test")},
            .done = taken_by_nobody,
        };
        at.ctx = ax_ctx_of(at.arena);
        CHECK_EQ(ledger_case_open_still(&at.ctx, base, &at.ledger), AX_OK);
        serving_case_open(&at);
        CHECK_EQ(ax_ledger_submit(at.ledger, &at.ctx, &waiting), AX_OK);
        full_ledger(&at, modes[i]);
        serving_case_close(&at);
        ax_ledger_free(at.ledger);
        ax_arena_free(at.arena);
    }
}

TEST(r62_without_room_in_the_ledger_there_is_no_decision_and_none_is_counted)
{
    ledger_case_run(full);
}

/* ---- plans and lanes ---- */

static void
swapped(struct ax_ctx *ctx, struct serving_case *at)
{
    struct ax_lane *other = NULL;
    CHECK_EQ(ax_lane_open(ctx, at->server, &other), AX_OK);
    serving_case_serve(at, durable, "");
    const struct ax_plan *first = ax_lane_plan(at->lane);
    CHECK(first != NULL && ax_lane_plan(other) == first);
    serving_case_serve(at, queued, "");
    CHECK_EQ(first->revision, 7); /* held by both lanes until they look again */
    const struct ax_plan *second = ax_lane_plan(at->lane);
    CHECK(second != first && second->deployments[0].record == AX_RECORD_QUEUED);
    CHECK_EQ(first->deployments[0].record, AX_RECORD_DURABLE); /* the other lane's still */
    ax_lane_close(other);
    void *scratch = ax_lane_scratch(at->lane, 1000);
    CHECK(scratch && (uintptr_t)scratch % 64 == 0);
    CHECK(ax_lane_scratch(at->lane, 10) == scratch);
    const struct ax_model_stats stats = ax_lane_model_stats(at->lane, second->models[0]);
    ax_model_stats_success(&stats, &(struct ax_model_times){.row_count = 12}, 0);
    ax_writer_auto struct ax_writer page = ax_writer_of(1 << 20);
    ax_model_server_print_stats(at->server, &page);
    CHECK(ax_str_find(ax_writer_str(&page),
                      AX_STR("nv_inference_count{model=\"credit\",version=\"1\"} 12\n")) !=
          SIZE_MAX);
    (void)ctx;
}

SERVING_TEST(a_lane_keeps_its_plan_until_its_next_use, swapped)

/* ---- replay ---- */

static void
replayed(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char *const inputs[] = {serving_case_good, serving_case_middling, serving_case_bad,
                                         "{\"income\":700}"};
    serving_case_serve(at, durable, "");
    for (size_t i = 0; i < AX_COUNT_OF(inputs); i++) {
        struct serving_case_answer answer = {};
        struct ax_decision again = {};
        CHECK_EQ(serving_case_decide(ctx, at, "", inputs[i], &answer), AX_OK);
        REQUIRE(answer.decided != NULL);
        const struct ax_plan *plan = ax_lane_plan(at->lane);
        CHECK_EQ(ax_model_server_replay(at->lane, ctx, &plan->deployments[0],
                                        &answer.decided->record, &again),
                 AX_OK);
        CHECK(ax_decision_compare(&answer.decided->record, &again).same);
    }
}

SERVING_TEST(r58_a_decision_computed_again_is_the_same_bit_for_bit, replayed)

static void
not_replayed(struct ax_ctx *ctx, struct serving_case *at)
{
    struct serving_case_answer answer = {};
    struct ax_decision again = {}, record;
    serving_case_serve(at, durable, "");
    CHECK_EQ(serving_case_decide(ctx, at, "", serving_case_bad, &answer), AX_OK);
    REQUIRE(answer.decided != NULL);
    const struct ax_plan_deployment *loans = &ax_lane_plan(at->lane)->deployments[0];
    record = answer.decided->record;
    record.policy_digest = ax_sha256(AX_STR("another"));
    CHECK_EQ(ax_model_server_replay(at->lane, ctx, loans, &record, &again), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "it was decided under p/1, which is not p/1") == 0);
    record = answer.decided->record;
    record.reason_map_digest = ax_sha256(AX_STR("another"));
    CHECK_EQ(ax_model_server_replay(at->lane, ctx, loans, &record, &again), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "its reasons come from another map than r/1") == 0);
    record = answer.decided->record;
    record.model.digest = ax_sha256(AX_STR("another"));
    CHECK_EQ(ax_model_server_replay(at->lane, ctx, loans, &record, &again), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "version credit/1 is not at hand") == 0);
    record = answer.decided->record;
    record.feature_count--;
    CHECK_EQ(ax_model_server_replay(at->lane, ctx, loans, &record, &again), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "the record has 2 features, the version 3") == 0);
}

SERVING_TEST(r58_what_was_decided_otherwise_is_not_computed_again_as_if_it_were_the_same,
             not_replayed)

/* ---- faults ---- */

/* A decision under every fault: refused with its id free, or taken, answered and recorded. */
static void
sweep_decide_mode(struct ax_ctx *ctx, struct serving_case *at, const char *mode)
{
    bool fired = true;
    size_t taken = fact_count(ctx, at, AX_EVENT_DECISION);
    serving_case_serve(at, mode, ",\"explain\":\"always\"");
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
        struct ax_ctx inside = ax_ctx_of(arena);
        struct serving_case_answer answer = {};
        char request_id[32];
        snprintf(request_id, sizeof request_id, "%s-%d", mode == durable ? "d" : "q", run);
        ax_fault_arm(run / 2, run % 2);
        ax_status status = serving_case_decide(&inside, at, request_id, serving_case_bad, &answer);
        fired = ax_fault_disarm();
        CHECK(!fired || !ax_fault_must_be_noticed() || status != AX_OK);
        CHECK_EQ(answer.done_count, status == AX_OK);
        if (!fired)
            CHECK_EQ(status, AX_OK);
        if (status == AX_OK) {
            taken++;
            continue;
        }
        CHECK(inside.error[0] != '\0');
        CHECK_EQ(serving_case_decide(&inside, at, request_id, serving_case_bad, &answer), AX_OK);
        CHECK_STR(answer.duplicate_of, "");
        taken++;
    }
    CHECK_EQ(fact_count(ctx, at, AX_EVENT_DECISION), taken);
}

static void
sweep_decide(struct ax_ctx *ctx, struct serving_case *at)
{
    sweep_decide_mode(ctx, at, durable);
    sweep_decide_mode(ctx, at, queued);
}

SERVING_TEST(a_decision_meets_every_fault_recorded_once_or_not_made, sweep_decide)

static struct serving_case *swept;

static ax_status
open_serve_and_close(struct ax_ctx *ctx)
{
    struct ax_plan *plan = NULL;
    struct ax_lane *lane = NULL;
    ax_auto(ax_model_server_close) struct ax_model_server *server = NULL;
    const struct ax_model_server_config config = {.ledger = swept->ledger,
                                                  .vault = swept->base->vault,
                                                  .index = swept->index,
                                                  .kill = swept->kill,
                                                  .metrics = swept->metrics};
    AX_TRY(ax_model_server_open(ctx, &config, &server));
    AX_TRY(ax_plan_load(ctx, &(struct ax_plan_source){swept->folder, ax_lane_plan(swept->lane)},
                        &plan));
    AX_TRY(ax_model_server_swap(server, ctx, plan));
    AX_TRY(ax_lane_open(ctx, server, &lane));
    ax_status status = ax_lane_plan(lane) && ax_lane_scratch(lane, 5000)
                           ? AX_OK
                           : ax_fail(ctx, AX_LIMIT, "no memory for scratch");
    ax_lane_close(lane);
    return status;
}

static void
sweep_open(struct ax_ctx *ctx, struct serving_case *at)
{
    (void)ctx;
    serving_case_serve(at, durable, "");
    swept = at;
    FAULT_SWEEP(open_serve_and_close);
}

SERVING_TEST(a_model_server_opens_and_swaps_under_every_fault, sweep_open)

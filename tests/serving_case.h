/*
 * A plan of small models in a folder, and everything a decision passes through on its way to a
 * ledger: for tests of what decides, records, finds and computes again.
 *
 * credit/1 is the small model with a domain for age. credit/2 has another leaf and so other
 * scores. broken/1 answers the young and poor with infinity, which no guard lets out.
 */
#pragma once

#include "harness.h"
#include "kv/lmdb.h"
#include "ledger_case.h"
#include "serving/model_server.h"
#include "sys/file.h"
#include "sys/mutex.h"

struct serving_case {
    struct ledger_case *base;
    struct ax_arena *arena; /* as long as the case */
    struct ax_ctx ctx;      /* the case's own */
    ax_str folder;          /* of the plan */
    struct ax_ledger *ledger;
    struct ax_kv *kv;
    struct ax_decision_index *index;
    struct ax_kill_switch *kill;
    struct ax_metrics *metrics;
    struct ax_model_server *server;
    struct ax_lane *lane;
};

static const char serving_case_signature[] =
    "{\"features\":["
    "{\"name\":\"age\",\"type\":\"number\",\"missing\":\"accept\",\"min\":18,\"max\":100},"
    "{\"name\":\"income\",\"type\":\"number\",\"missing\":\"refuse\"},"
    "{\"name\":\"job\",\"type\":\"category\",\"missing\":\"accept\",\"unknown\":\"refuse\","
    "\"categories\":[\"clerk\",\"cook\",\"driver\",\"nurse\"]}],"
    "\"response\":\"probability\"}";

/* Approved, referred and declined by credit/1 under the policy of serving_case_plan. */
static const char serving_case_good[] = "{\"age\":25,\"income\":500,\"job\":\"clerk\"}";
static const char serving_case_middling[] = "{\"age\":40,\"income\":2000,\"job\":\"clerk\"}";
static const char serving_case_bad[] = "{\"age\":40,\"income\":2000,\"job\":\"cook\"}";

static inline ax_str
serving_case_replace(struct ax_ctx *ctx, ax_str text, const char *find, const char *with)
{
    size_t at = ax_str_find(text, ax_str_of(find));
    if (at == SIZE_MAX) {
        ax_test_failed(__FILE__, __LINE__, "no %s in the text", find);
        return text;
    }
    ax_str rest = ax_str_from(text, at + strlen(find));
    return ax_str_printf(ctx->arena, "%.*s%s%.*s", (int)at, text.at, with, AX_FMT(rest));
}

enum serving_case_model { CREDIT_1, CREDIT_2, BROKEN_1 };

/* The small model's bundle, with other leaves for the other models. */
static inline ax_status
serving_case_bundle(struct ax_ctx *ctx, enum serving_case_model which, struct ax_bundle *out)
{
    static const char young[] = "[30.0,-0.5,", poor[] = "[1000.5,-0.125,";
    ax_str model;
    struct ax_bundle bare;
    struct ax_signature *signature;
    const struct ax_json *json;
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.json"), 1 << 20, &model));
    if (which == CREDIT_2)
        model = serving_case_replace(ctx, model, young, "[30.0,-0.25,");
    if (which == BROKEN_1) { /* two leaves whose sum is no float */
        model = serving_case_replace(ctx, model, young, "[30.0,3e38,");
        model = serving_case_replace(ctx, model, poor, "[1000.5,3e38,");
    }
    if (!model.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a model");
    AX_TRY(ax_bundle_of_model(ctx, model, &bare));
    AX_TRY(ax_json_parse(ctx, ax_str_of(serving_case_signature), NULL, &json));
    AX_TRY(ax_signature_parse(ctx, json, &signature));
    const struct ax_bundle_parts parts = {
        .files = {model, AX_STR("age,income,job\n30,1000,0\n50,2000,1\n"), AX_STR("")},
        .format = bare.format,
        .library = AX_STR("xgboost"),
        .signature = signature,
        .reference_method = AX_STR("all"),
    };
    return ax_bundle_make(ctx, &parts, out);
}

static inline ax_str
serving_case_keep(struct serving_case *at, enum serving_case_model which)
{
    struct ax_bundle bundle = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str copy = AX_STR("");
    CHECK_EQ(serving_case_bundle(&at->ctx, which, &bundle), AX_OK);
    CHECK_EQ(ax_plan_keep_bundle(&at->ctx, at->folder, &bundle), AX_OK);
    CHECK(ax_str_copy(at->arena, ax_digest_hex(bundle.digest, hex), &copy));
    return copy;
}

/*
 * Writes plan.json with one deployment "loans" of these members, under policy p/1 with these
 * members more (or ""), approving below 0.3 and declining from 0.4.
 */
static inline void
serving_case_write_plan(struct serving_case *at, const char *deployment, const char *policy)
{
    ax_str first = serving_case_keep(at, CREDIT_1);
    ax_str second = serving_case_keep(at, CREDIT_2);
    ax_str broken = serving_case_keep(at, BROKEN_1);
    ax_str text = ax_str_printf(
        at->arena,
        "{\"axiom_plan\":1,\"revision\":7,\"versions\":["
        "{\"model\":\"credit\",\"version\":1,\"digest\":\"%.*s\",\"state\":\"approved\"},"
        "{\"model\":\"credit\",\"version\":2,\"digest\":\"%.*s\",\"state\":\"approved\"},"
        "{\"model\":\"broken\",\"version\":1,\"digest\":\"%.*s\",\"state\":\"approved\"},"
        "{\"model\":\"credit\",\"version\":3,\"digest\":\"%.*s\",\"state\":\"approved_restricted\","
        "\"until\":\"2020-01-01T00:00:00Z\"}],"
        "\"policies\":[{\"name\":\"p\",\"version\":1,\"approve_below\":0.3,\"decline_from\":0.4,"
        "\"reason_map\":\"r\"%s}],"
        "\"reason_maps\":[{\"name\":\"r\",\"version\":1,\"reasons\":["
        "{\"code\":\"R1\",\"text\":\"Age of the applicant\",\"features\":[\"age\"]},"
        "{\"code\":\"R2\",\"text\":\"Income\",\"features\":[\"income\"]},"
        "{\"code\":\"R3\",\"text\":\"Kind of work\",\"features\":[\"job\"]}],"
        "\"fallback\":{\"code\":\"R90\",\"text\":\"A person looks at it\"}}],"
        "\"deployments\":[{\"name\":\"loans\",\"revision\":3,\"tier\":2,%s,"
        "\"policy\":{\"name\":\"p\",\"version\":1}}]}",
        AX_FMT(first), AX_FMT(second), AX_FMT(broken), AX_FMT(first), policy, deployment);
    CHECK_EQ(ax_file_write_atomic(&at->ctx,
                                  ax_path_join(at->arena, at->folder, AX_STR("plan.json")), text),
             AX_OK);
}

/* Loads what was written and serves it. */
static inline void
serving_case_serve(struct serving_case *at, const char *deployment, const char *policy)
{
    struct ax_plan *plan = NULL;
    serving_case_write_plan(at, deployment, policy);
    CHECK_EQ(ax_plan_load(&at->ctx, &(struct ax_plan_source){.folder = at->folder}, &plan), AX_OK);
    if (plan)
        CHECK_EQ(ax_model_server_swap(at->server, &at->ctx, plan), AX_OK);
    else
        ax_test_failed(__FILE__, __LINE__, "the plan is refused: %s", at->ctx.error);
}

static inline ax_str
serving_case_path(struct serving_case *at, const char *name)
{
    return ax_path_join(at->arena, ax_str_of(at->base->folder), ax_str_of(name));
}

/* Over at->base, at->arena, at->ctx and at->ledger. */
static inline void
serving_case_open(struct serving_case *at)
{
    struct ax_ctx *ctx = &at->ctx;
    at->folder = serving_case_path(at, "serving");
    CHECK_EQ(ax_lmdb_open(ctx, serving_case_path(at, "index"), 1 << 24, &at->kv), AX_OK);
    CHECK_EQ(ax_decision_index_open(ctx, at->kv, at->ledger, &at->index), AX_OK);
    CHECK_EQ(ax_kill_switch_open(ctx, serving_case_path(at, "latches"), &at->kill), AX_OK);
    CHECK_EQ(ax_metrics_open(ctx, &at->metrics), AX_OK);
    const struct ax_model_server_config config = {.ledger = at->ledger,
                                                  .vault = at->base->vault,
                                                  .index = at->index,
                                                  .kill = at->kill,
                                                  .metrics = at->metrics,
                                                  .build_id = AX_STR("test")};
    CHECK_EQ(ax_model_server_open(ctx, &config, &at->server), AX_OK);
    CHECK_EQ(ax_lane_open(ctx, at->server, &at->lane), AX_OK);
}

/* Everything but the ledger. */
static inline void
serving_case_close(struct serving_case *at)
{
    ax_lane_close(at->lane);
    ax_model_server_close(at->server);
    ax_metrics_close(at->metrics);
    ax_kill_switch_close(at->kill);
    ax_decision_index_close(at->index);
    ax_kv_close(at->kv);
}

/* Runs body with everything open; its ctx is for what it does. */
static inline void
serving_case_run(struct ax_ctx *ctx, struct ledger_case *base,
                 void (*body)(struct ax_ctx *ctx, struct serving_case *at))
{
    struct serving_case at = {.base = base, .arena = ax_arena_new(64 << 20)};
    at.ctx = ax_ctx_of(at.arena);
    CHECK_EQ(ledger_case_open(&at.ctx, base, &at.ledger), AX_OK);
    serving_case_open(&at);
    body(ctx, &at);
    serving_case_close(&at);
    ax_ledger_close(at.ledger);
    ax_arena_free(at.arena);
}

/* SERVING_TEST(a_sentence, body): with a case whose ledger has its threads. */
#define SERVING_TEST(id, body)                                                                     \
    static void id##_in(struct ax_ctx *ctx, struct ledger_case *base)                              \
    {                                                                                              \
        serving_case_run(ctx, base, body);                                                         \
    }                                                                                              \
    TEST(id)                                                                                       \
    {                                                                                              \
        ledger_case_run(id##_in);                                                                  \
    }

/* ---- deciding ---- */

/* One request and what became of it. */
struct serving_case_answer {
    struct ax_decided *decided; /* as ready saw it; NULL when it was not called */
    struct ax_mutex mutex;
    struct ax_cond cond;
    int done_count; /* guarded by mutex */
    ax_status status;
    bool durable;
    uint64_t leaf;
    ax_str duplicate_of;
};

static inline void
serving_case_ready(struct ax_decided *decided)
{
    ((struct serving_case_answer *)decided->arg)->decided = decided;
}

static inline void
serving_case_done(struct ax_decided *decided)
{
    struct serving_case_answer *answer = decided->arg;
    ax_mutex_lock(&answer->mutex);
    answer->done_count++;
    answer->status = decided->status;
    answer->durable = decided->durable;
    answer->leaf = decided->leaf;
    ax_cond_signal(&answer->cond);
    ax_mutex_unlock(&answer->mutex);
}

/* Decides and waits until the record is taken or refused. */
static inline ax_status
serving_case_decide(struct ax_ctx *ctx, struct serving_case *at, const char *request_id,
                    const char *features, struct serving_case_answer *out)
{
    const struct ax_json *json;
    const struct ax_decide_answer answer = {serving_case_ready, serving_case_done, out};
    AX_TRY(ax_json_parse(ctx, ax_str_of(features), NULL, &json));
    const struct ax_decide_request request = {.deployment = AX_STR("loans"),
                                              .request_id = ax_str_of(request_id),
                                              .entity_id = AX_STR("person-1"),
                                              .features = json};
    *out = (struct serving_case_answer){};
    ax_mutex_init(&out->mutex);
    ax_cond_init(&out->cond);
    ax_status status = ax_model_server_decide(at->lane, ctx, &request, &answer, &out->duplicate_of);
    ax_mutex_lock(&out->mutex);
    while (status == AX_OK && out->duplicate_of.len == 0 && out->done_count == 0)
        ax_cond_wait(&out->cond, &out->mutex);
    ax_mutex_unlock(&out->mutex);
    ax_cond_done(&out->cond);
    ax_mutex_done(&out->mutex);
    return status == AX_OK ? out->status : status;
}

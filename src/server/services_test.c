#include "server/services.h"

#include <math.h>

#include "deployed_case.h"
#include "server_case.h"
#include "sys/clock.h"

/* What mlops_case has of its own, over services that are open already. */
static void
deploy(struct ax_ctx *ctx, const struct server_case *made, struct ax_services *services)
{
    struct mlops_case at = {
        .base = {.store = services->store, .directory = services->directory},
        .arena = ctx->arena,
        .ctx = *ctx,
        .registry = services->registry,
        .control = services->control,
    };
    memcpy(at.base.folder, made->folder, sizeof at.base.folder);
    mlops_case_hire_all(&at);
    deployed_case_make(ctx, &at);
    for (int who = 0; who < PEOPLE; who++)
        ax_keystore_close(&at.keys[who]);
    ctx->actor = NULL;
}

/* A directory with one deployment; closed. */
static void
make_deployed(struct ax_ctx *ctx, struct server_case *made)
{
    struct ax_services services;
    server_case_make(ctx, made);
    CHECK_EQ(server_case_init(ctx, made), AX_OK);
    CHECK_EQ(server_case_open(ctx, made, &services), AX_OK);
    deploy(ctx, made, &services);
    ax_services_close(&services);
}

/* Who waits for a decision of its own. */
struct waiting {
    struct ax_mutex mutex;
    struct ax_cond cond;
    bool done;
    struct ax_decided *decided;
};

static void
on_ready(struct ax_decided *decided)
{
    ((struct waiting *)decided->arg)->decided = decided;
}

static void
on_done(struct ax_decided *decided)
{
    struct waiting *waiting = decided->arg;
    ax_mutex_lock(&waiting->mutex);
    waiting->done = true;
    ax_cond_signal(&waiting->cond);
    ax_mutex_unlock(&waiting->mutex);
}

/* A decision about somebody, waited for; the earlier one's id when the request was answered. */
static ax_status
decide(struct ax_ctx *ctx, struct ax_lane *lane, const char *features, ax_str request_id,
       struct ax_decision *out, ax_str *out_earlier)
{
    struct waiting waiting = {};
    const struct ax_json *json;
    AX_TRY(ax_json_parse(ctx, ax_str_of(features), NULL, &json));
    const struct ax_decide_request request = {.deployment = AX_STR("loans"),
                                              .request_id = request_id,
                                              .entity_id = AX_STR("somebody"),
                                              .features = json,
                                              .event_ns = ax_clock_real_ns()};
    const struct ax_decide_answer answer = {.ready = on_ready, .done = on_done, .arg = &waiting};
    ax_mutex_init(&waiting.mutex);
    ax_cond_init(&waiting.cond);
    ax_status status = ax_model_server_decide(lane, ctx, &request, &answer, out_earlier);
    ax_mutex_lock(&waiting.mutex);
    while (status == AX_OK && out_earlier->len == 0 && !waiting.done)
        ax_cond_wait(&waiting.cond, &waiting.mutex);
    ax_mutex_unlock(&waiting.mutex);
    if (status == AX_OK && waiting.done) {
        status = waiting.decided->status;
        *out = waiting.decided->record;
    }
    ax_cond_done(&waiting.cond);
    ax_mutex_done(&waiting.mutex);
    return status;
}

static const char features[] = DEPLOYED_CASE_FEATURES;

static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

/* ---- a decision: made once, found, proved, replayed, added to ---- */

static void
decision(struct ax_ctx *ctx)
{
    struct server_case made = {};
    struct ax_services services;
    struct ax_lane *lane = NULL;
    struct ax_decision first = {}, again = {}, read = {};
    ax_str earlier = AX_STR(""), proof = AX_STR("");
    uint64_t leaf = 0;
    make_deployed(ctx, &made);
    CHECK_EQ(server_case_open(ctx, &made, &services), AX_OK);
    CHECK_EQ(ax_lane_open(ctx, services.server, &lane), AX_OK);
    CHECK_EQ(decide(ctx, lane, features, AX_STR("r1"), &first, &earlier), AX_OK);
    CHECK(earlier.len == 0 && first.id.len > 0 && first.outcome.len > 0);
    CHECK(isfinite(first.probability) && first.probability > 0 && first.probability < 1);
    CHECK_EQ(decide(ctx, lane, features, AX_STR("r1"), &again, &earlier), AX_OK);
    CHECK(ax_str_eq(earlier, first.id)); /* the same request, the same decision */
    CHECK_EQ(ax_decision_archive_find(services.archive, ctx, first.id, &leaf), AX_OK);
    CHECK_EQ(ax_decision_archive_read(services.archive, ctx, first.id, &read), AX_OK);
    CHECK(read.probability == first.probability && read.feature_count == 3);
    CHECK_EQ(ax_ledger_publish(services.ledger, ctx), AX_OK);
    CHECK_EQ(ax_decision_archive_prove(services.archive, ctx, first.id, &proof), AX_OK);
    CHECK(proof.len > 0);
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    CHECK_EQ(ax_decision_archive_replay(services.archive, ctx, first.id, &json), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&text), AX_STR("\"same\":true")) != SIZE_MAX);
    CHECK_EQ(ax_decision_archive_read(services.archive, ctx, AX_STR("d_none"), &read),
             AX_NOT_FOUND);
    ax_lane_close(lane);
    ax_services_close(&services);
    CHECK_EQ(server_case_open(ctx, &made, &services), AX_OK); /* another day */
    CHECK_EQ(ax_lane_open(ctx, services.server, &lane), AX_OK);
    CHECK_EQ(decide(ctx, lane, features, AX_STR("r1"), &again, &earlier), AX_OK);
    CHECK(ax_str_eq(earlier, first.id));
    ax_lane_close(lane);
    ax_services_close(&services);
    server_case_done(ctx, &made);
}

TEST(r84_a_decision_is_made_once_and_found_and_replayed)
{
    with_room(decision);
}

static void
refused(struct ax_ctx *ctx)
{
    static const struct {
        const char *features, *words;
    } cases[] = {
        {"{}", "age"},
        {"{\"age\":41,\"income\":1,\"job\":\"pilot\"}", "pilot"},
        {"{\"age\":\"old\",\"income\":1,\"job\":\"cook\"}", "age"},
        {"{\"age\":41,\"income\":1,\"job\":\"cook\",\"shoes\":43}", "shoes"},
        {"{\"age\":17,\"income\":1,\"job\":\"cook\"}", "outside its domain 18 to 99"},
        {"[]", "object"},
    };
    struct server_case made = {};
    struct ax_services services;
    struct ax_lane *lane = NULL;
    struct ax_decision out = {};
    ax_str earlier = AX_STR("");
    make_deployed(ctx, &made);
    CHECK_EQ(server_case_open(ctx, &made, &services), AX_OK);
    CHECK_EQ(ax_lane_open(ctx, services.server, &lane), AX_OK);
    uint64_t size = ax_ledger_size(services.ledger);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(decide(ctx, lane, cases[i].features, AX_STR("r2"), &out, &earlier), AX_INVALID);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s", cases[i].features, ctx->error);
    }
    CHECK_EQ(ax_ledger_size(services.ledger), size);
    CHECK_EQ(decide(ctx, lane, features, AX_STR("r2"), &out, &earlier), AX_OK);
    CHECK(earlier.len == 0); /* a refusal leaves the request id free */
    const struct ax_kill_latch latch = {.scope = AX_STR("deployment:loans"),
                                        .reason = AX_STR("wrong prices"),
                                        .actor = AX_STR("rob")};
    CHECK_EQ(ax_kill_switch_throw(services.kill, ctx, &latch), AX_OK);
    CHECK_EQ(decide(ctx, lane, features, AX_STR("r3"), &out, &earlier), AX_DENIED);
    CHECK(strstr(ctx->error, "wrong prices") != NULL);
    ax_lane_close(lane);
    ax_services_close(&services);
    server_case_done(ctx, &made);
}

TEST(r74_r80_what_cannot_be_decided_is_refused_and_leaves_nothing)
{
    with_room(refused);
}

/* ---- faults ---- */

static struct server_case swept;
static struct ax_services swept_services;
static struct ax_lane *swept_lane;

/* As directory_case_sweep; after each step the same must go well without a fault. */
static void
sweep(ax_status (*body)(struct ax_ctx *ctx, int run),
      void (*after)(struct ax_ctx *ctx, int run, ax_status status))
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_fault_arm(run / 2, run % 2);
        ax_status status = body(&ctx, run);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run ends %s: %s", ax_status_name(status),
                           ctx.error);
        after(&ctx, run, status);
    }
}

/* Open, with the database or (its absence said) without it. */
static ax_status
open_once(struct ax_ctx *ctx, int run)
{
    struct ax_services services;
    (void)run;
    AX_TRY(server_case_open(ctx, &swept, &services));
    ax_status status = services.store ? AX_OK : AX_UNAVAILABLE;
    ax_services_close(&services);
    return status;
}

static void
after_open(struct ax_ctx *ctx, int run, ax_status status)
{
    (void)status;
    if (run % 8)
        return; /* each eighth state is looked into: whatever a fault left is no harm */
    CHECK_EQ(server_case_open(ctx, &swept, &swept_services), AX_OK);
    CHECK(swept_services.store != NULL);
    ax_services_close(&swept_services);
}

static void
sweep_open(struct ax_ctx *ctx)
{
    make_deployed(ctx, &swept);
    sweep(open_once, after_open);
    server_case_done(ctx, &swept);
}

TEST(opening_all_services_meets_every_fault)
{
    with_room(sweep_open);
}

static ax_str
request_of(struct ax_ctx *ctx, int run)
{
    return ax_str_printf(ctx->arena, "request-%d", run);
}

static ax_status
decide_once(struct ax_ctx *ctx, int run)
{
    struct ax_decision out;
    ax_str earlier, request = request_of(ctx, run);
    if (!request.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request id");
    return decide(ctx, swept_lane, features, request, &out, &earlier);
}

/* There is one decision for the request: that which was answered, or the one made now. */
static void
after_decide(struct ax_ctx *ctx, int run, ax_status status)
{
    struct ax_decision out = {}, read = {};
    ax_str earlier = AX_STR("");
    CHECK_EQ(decide(ctx, swept_lane, features, request_of(ctx, run), &out, &earlier), AX_OK);
    CHECK_EQ(earlier.len > 0, status == AX_OK);
    CHECK_EQ(ax_decision_archive_read(swept_services.archive, ctx, earlier.len ? earlier : out.id,
                                      &read),
             AX_OK);
}

static void
sweep_decide(struct ax_ctx *ctx)
{
    make_deployed(ctx, &swept);
    CHECK_EQ(server_case_open(ctx, &swept, &swept_services), AX_OK);
    CHECK_EQ(ax_lane_open(ctx, swept_services.server, &swept_lane), AX_OK);
    CHECK_EQ(decide_once(ctx, -1), AX_OK); /* the entity's key is made, and scratch memory */
    sweep(decide_once, after_decide);
    ax_lane_close(swept_lane);
    ax_services_close(&swept_services);
    server_case_done(ctx, &swept);
}

TEST(a_decision_meets_every_fault_once_or_not_at_all)
{
    with_room(sweep_decide);
}

#include "serving/decision_index.h"

#include "event/decision.h"
#include "harness.h"
#include "kv/lmdb.h"
#include "ledger_case.h"
#include "sys/file.h"

static const ax_str loans = AX_STR("loans");

static ax_str
index_folder(struct ax_ctx *ctx, struct ledger_case *at)
{
    return ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("index"));
}

/* What a test holds open. */
struct opened {
    struct ax_ledger *ledger;
    struct ax_kv *kv;
    struct ax_decision_index *index;
};

static void
open_all(struct ax_ctx *ctx, struct ledger_case *at, struct opened *out)
{
    CHECK_EQ(ledger_case_open(ctx, at, &out->ledger), AX_OK);
    CHECK_EQ(ax_lmdb_open(ctx, index_folder(ctx, at), 1 << 24, &out->kv), AX_OK);
    CHECK_EQ(ax_decision_index_open(ctx, out->kv, out->ledger, &out->index), AX_OK);
}

static void
close_all(struct opened *opened)
{
    ax_decision_index_close(opened->index);
    ax_kv_close(opened->kv);
    ax_ledger_close(opened->ledger);
}

/* Decision i of person i, asked under request "q-<i>", made durable. */
static uint64_t
decide(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger, int i)
{
    struct ax_decision record = {
        .id = ax_str_printf(ctx->arena, "d_%d", i),
        .request_id = ax_str_printf(ctx->arena, "q-%d", i),
        .deployment = loans,
        .outcome = AX_STR("approve"),
    };
    struct ax_vault_sealed sealed;
    struct ax_event event = {};
    uint64_t leaf = UINT64_MAX;
    ax_writer_auto struct ax_writer bytes = ax_writer_of(AX_DECISION_BYTES_MAX);
    ax_decision_write(&record, &bytes);
    CHECK_EQ(ax_vault_seal(at->vault, ctx, ax_str_printf(ctx->arena, "entity-%d", i % 10),
                           record.id, ax_writer_str(&bytes), &sealed),
             AX_OK);
    ax_decision_describe(&record, &event);
    ax_vault_describe(&sealed, &event);
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, sealed.bytes, &leaf), AX_OK);
    return leaf;
}

static uint64_t
add(struct ax_ctx *ctx, struct ax_ledger *ledger, enum ax_event_kind kind, const char *decision)
{
    const struct ax_event event = {
        .kind = kind, .producer = AX_STR("archive"), .object = ax_str_of(decision)};
    uint64_t leaf = UINT64_MAX;
    CHECK_EQ(ax_ledger_append(ledger, ctx, &event, AX_STR(""), &leaf), AX_OK);
    return leaf;
}

/* ---- claims ---- */

static void
claims(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct opened open = {};
    ax_str earlier = AX_STR("?");
    open_all(ctx, at, &open);
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q"), &earlier), AX_OK);
    CHECK_STR(earlier, "");
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q"), &earlier), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "request_id \"q\" is being decided by another request") == 0);
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, AX_STR("cars"), AX_STR("q"), &earlier),
             AX_OK); /* of another deployment */
    CHECK_STR(earlier, "");
    ax_decision_index_release(open.index, loans, AX_STR("q"));
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q"), &earlier), AX_OK);
    CHECK_STR(earlier, "");
    ax_decision_index_answered(open.index, loans, AX_STR("q"), AX_STR("d_9"));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q"), &earlier), AX_OK);
        CHECK_STR(earlier, "d_9");
    }
    ax_decision_index_answered(open.index, loans, AX_STR("nobody"), AX_STR("d_8")); /* no claim */
    ax_decision_index_release(open.index, loans, AX_STR("nobody"));
    close_all(&open);
}

TEST(a_request_id_is_claimed_once_and_then_gives_its_decision)
{
    ledger_case_run(claims);
}

/* ---- following ---- */

static void
follows(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct opened open = {};
    ax_str earlier = AX_STR("");
    uint64_t leaf = 0, *leaves = NULL;
    size_t count = 9;
    open_all(ctx, at, &open);
    for (int i = 0; i < 5; i++)
        add(ctx, open.ledger, AX_EVENT_REFUSAL, "loans"); /* is passed over */
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q-1"), &earlier), AX_OK);
    uint64_t first = decide(ctx, at, open.ledger, 1);
    ax_decision_index_answered(open.index, loans, AX_STR("q-1"), AX_STR("d_1"));
    CHECK_EQ(ax_decision_index_find(open.index, ctx, AX_STR("d_1"), &leaf), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no decision \"d_1\"") == 0); /* not read yet */
    const uint64_t added[] = {add(ctx, open.ledger, AX_EVENT_OUTCOME, "d_1"),
                              add(ctx, open.ledger, AX_EVENT_REVIEW, "d_1"),
                              add(ctx, open.ledger, AX_EVENT_REPLAY, "d_1")};
    add(ctx, open.ledger, AX_EVENT_OUTCOME, "d_10"); /* whose name begins alike */
    CHECK_EQ(ax_decision_index_catch_up(open.index, ctx), AX_OK);
    CHECK_EQ(ax_decision_index_find(open.index, ctx, AX_STR("d_1"), &leaf), AX_OK);
    CHECK_EQ(leaf, first);
    CHECK_EQ(ax_decision_index_added(open.index, ctx, AX_STR("d_1"), &leaves, &count), AX_OK);
    REQUIRE(count == AX_COUNT_OF(added));
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(leaves[i], added[i]);
    CHECK_EQ(ax_decision_index_added(open.index, ctx, AX_STR("d_2"), &leaves, &count), AX_OK);
    CHECK_EQ(count, 0);
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q-1"), &earlier), AX_OK);
    CHECK_STR(earlier, "d_1"); /* from the store now */
    CHECK_EQ(ax_decision_index_find(open.index, ctx, AX_STR(""), &leaf), AX_NOT_FOUND);
    char longest[AX_DECISION_ID_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    CHECK_EQ(ax_decision_index_find(open.index, ctx, (ax_str){longest, sizeof longest}, &leaf),
             AX_NOT_FOUND);
    close_all(&open);
}

TEST(r61_a_decision_is_found_with_what_was_added_to_it_in_order)
{
    ledger_case_run(follows);
}

/* Made again from the ledger whatever the store has forgotten. */
static void
made_again(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct opened open = {};
    ax_str earlier = AX_STR("");
    uint64_t leaves[30], leaf;
    open_all(ctx, at, &open);
    for (int i = 0; i < 30; i++)
        leaves[i] = decide(ctx, at, open.ledger, i);
    close_all(&open); /* nothing was caught up */
    for (int run = 0; run < 2; run++) {
        open_all(ctx, at, &open);
        for (int i = 0; i < 30; i++) {
            ax_str id = ax_str_printf(ctx->arena, "d_%d", i);
            ax_str request = ax_str_printf(ctx->arena, "q-%d", i);
            CHECK_EQ(ax_decision_index_find(open.index, ctx, id, &leaf), AX_OK);
            CHECK_EQ(leaf, leaves[i]);
            CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, request, &earlier), AX_OK);
            CHECK(ax_str_eq(earlier, id));
        }
        close_all(&open);
        CHECK_EQ(ax_file_remove_tree(ctx, index_folder(ctx, at)), AX_OK);
    }
}

TEST(an_index_is_made_again_from_the_ledger_when_it_opens)
{
    ledger_case_run(made_again);
}

/* A decision whose person was erased is found; its request id is gone with the payload. */
static void
erased(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct opened open = {};
    struct ax_vault_receipt receipt;
    ax_str earlier = AX_STR("?");
    uint64_t leaf = 0;
    open_all(ctx, at, &open);
    uint64_t want = decide(ctx, at, open.ledger, 3);
    CHECK_EQ(ax_vault_erase(at->vault, ctx, AX_STR("entity-3"), &receipt), AX_OK);
    CHECK_EQ(ax_decision_index_catch_up(open.index, ctx), AX_OK);
    CHECK_EQ(ax_decision_index_find(open.index, ctx, AX_STR("d_3"), &leaf), AX_OK);
    CHECK_EQ(leaf, want);
    CHECK_EQ(ax_decision_index_claim(open.index, ctx, loans, AX_STR("q-3"), &earlier), AX_OK);
    CHECK_STR(earlier, "");
    close_all(&open);
}

TEST(an_erased_decision_is_found_and_its_request_is_forgotten)
{
    ledger_case_run(erased);
}

static void
foreign(struct ax_ctx *ctx, struct ledger_case *at)
{
    static const char longer[] = "\x09\0\0\0\0\0\0\0";
    static const struct {
        ax_str position;
        const char *words;
    } cases[] = {
        {{longer, 8},
         "the index has read 9 facts and the ledger holds 1: they do not belong together"},
        {{longer, 3}, "the index has 3 bytes for a number"},
    };
    struct opened open = {};
    open_all(ctx, at, &open);
    decide(ctx, at, open.ledger, 0);
    ax_decision_index_close(open.index);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decision_index *index = NULL;
        const struct ax_kv_item item = {.key = AX_STR("p/decisions"), .value = cases[i].position};
        CHECK_EQ(ax_kv_write(open.kv, ctx, &item, 1), AX_OK);
        CHECK_EQ(ax_decision_index_open(ctx, open.kv, open.ledger, &index), AX_CORRUPT);
        CHECK(strcmp(ctx->error, cases[i].words) == 0);
        CHECK(index == NULL);
    }
    ax_kv_close(open.kv);
    ax_ledger_close(open.ledger);
}

TEST(an_index_of_another_ledger_is_refused)
{
    ledger_case_run(foreign);
}

/* ---- faults ---- */

/* Opened, caught up and asked with a fault at each step; afterwards the truth is found. */
static ax_status
use(struct ax_ctx *ctx, struct ax_kv *kv, struct ax_ledger *ledger, int step)
{
    ax_auto(ax_decision_index_close) struct ax_decision_index *index = NULL;
    ax_str earlier, request = ax_str_printf(ctx->arena, "new-%d", step);
    uint64_t leaf, *leaves;
    size_t count;
    if (!request.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request id");
    AX_TRY(ax_decision_index_open(ctx, kv, ledger, &index));
    AX_TRY(ax_decision_index_catch_up(index, ctx));
    AX_TRY(ax_decision_index_claim(index, ctx, loans, AX_STR("q-4"), &earlier));
    CHECK_STR(earlier, "d_4");
    AX_TRY(ax_decision_index_claim(index, ctx, loans, request, &earlier));
    CHECK_STR(earlier, "");
    ax_decision_index_answered(index, loans, request, AX_STR("d_9"));
    AX_TRY(ax_decision_index_claim(index, ctx, loans, request, &earlier));
    CHECK_STR(earlier, "d_9");
    AX_TRY(ax_decision_index_find(index, ctx, AX_STR("d_4"), &leaf));
    return ax_decision_index_added(index, ctx, AX_STR("d_4"), &leaves, &count);
}

static void
sweep(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct opened open = {};
    bool fired = true;
    open_all(ctx, at, &open);
    ax_decision_index_close(open.index);
    for (int i = 0; i < 10; i++)
        decide(ctx, at, open.ledger, i);
    add(ctx, open.ledger, AX_EVENT_OUTCOME, "d_4");
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
        struct ax_ctx inside = ax_ctx_of(arena);
        const struct ax_kv_item none = {.key = AX_STR("p/decisions"), .removed = true};
        CHECK_EQ(ax_kv_write(open.kv, ctx, &none, 1), AX_OK); /* all is to be read again */
        ax_fault_arm(run / 2, run % 2);
        ax_status status = use(&inside, open.kv, open.ledger, run);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run: %s", inside.error);
        CHECK_EQ(use(&inside, open.kv, open.ledger, -run - 1), AX_OK);
    }
    ax_kv_close(open.kv);
    ax_ledger_close(open.ledger);
}

TEST(an_index_meets_every_fault_without_a_lie)
{
    ledger_case_run(sweep);
}

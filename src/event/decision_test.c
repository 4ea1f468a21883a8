#include "event/decision.h"

#include <math.h>

#include "codec/cbor.h"
#include "harness.h"

static const struct ax_decision_feature features[] = {
    {.name = AX_STR("income"),
     .kind = AX_DECISION_NUMBER,
     .number = 52'000.5,
     .source = AX_STR("request")},
    {.name = AX_STR("purpose"),
     .kind = AX_DECISION_TEXT,
     .text = AX_STR("car"),
     .source = AX_STR("view/7"),
     .as_of_ns = 1'600'000'000'000'000'000},
    {.name = AX_STR("guarantor"), .kind = AX_DECISION_MISSING},
    {.name = AX_STR("zero"), .kind = AX_DECISION_NUMBER, .number = -0.0},
    {.name = AX_STR("no text"), .kind = AX_DECISION_TEXT},
    {.name = AX_STR("infinite"), .kind = AX_DECISION_NUMBER, .number = HUGE_VAL},
};
static const double contributions[] = {0.5, -0.25, 0, 1e-300, -0.0, 3};
static const struct ax_decision_reason reasons[] = {
    {.code = AX_STR("R01"),
     .contribution = -0.25,
     .features = AX_STR("purpose"),
     .text = AX_STR("the purpose of the loan")},
    {.code = AX_STR("R07"), .contribution = 0.5, .features = AX_STR("income,zero")},
};
static const struct ax_decision_challenger challengers[] = {
    {.model = {.name = AX_STR("credit"), .version = AX_STR("8")},
     .margin = 1,
     .probability = 0.7,
     .score = 600,
     .outcome = AX_STR("approve")},
    {.model = {.name = AX_STR("credit"), .version = AX_STR("9")}, .failed = true},
};

static struct ax_decision
full_decision(void)
{
    struct ax_decision decision = {
        .id = AX_STR("d_1"),
        .request_id = AX_STR("r-1"),
        .deployment = AX_STR("credit"),
        .entity = AX_STR("e-1"),
        .event_ns = 1'700'000'000'000'000'000,
        .decision_ns = 1'700'000'000'000'000'500,
        .clock_source = AX_STR("chrony"),
        .clock_offset_ns = -3,
        .caller = AX_STR("svc"),
        .caller_authenticated_by = AX_STR("token"),
        .model = {.name = AX_STR("credit"), .version = AX_STR("7")},
        .policy_version = AX_STR("p/3"),
        .features = features,
        .feature_count = AX_COUNT_OF(features),
        .margin = -1.25,
        .probability = 0.2227,
        .score = 512,
        .outcome = AX_STR("approve"),
        .route = AX_STR("auto"),
        .explanation_method = AX_STR("path_dependent"),
        .explanation_base = -2,
        .contributions = contributions,
        .contribution_count = AX_COUNT_OF(contributions),
        .reasons = reasons,
        .reason_count = AX_COUNT_OF(reasons),
        .challengers = challengers,
        .challenger_count = AX_COUNT_OF(challengers),
        .breaker = AX_STR("closed"),
        .governed = true,
        .build_id = AX_STR("0.1.0"),
        .mode = AX_STR("fast"),
    };
    memset(&decision.model.digest, 1, sizeof(ax_digest));
    memset(&decision.plan_digest, 2, sizeof(ax_digest));
    memset(&decision.config_hash, 3, sizeof(ax_digest));
    return decision;
}

static void
check_same(const struct ax_decision *a, const struct ax_decision *b)
{
    ax_writer_auto struct ax_writer first = ax_writer_of(1 << 20), second = ax_writer_of(1 << 20);
    ax_decision_write(a, &first);
    ax_decision_write(b, &second);
    CHECK_EQ(first.status, AX_OK);
    CHECK(ax_str_eq(ax_writer_str(&first), ax_writer_str(&second)));
}

static void
round_trip(struct ax_ctx *ctx)
{
    const struct ax_decision decision = full_decision(), nothing = {};
    struct ax_decision back;
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_DECISION_BYTES_MAX);
    ax_decision_write(&decision, &out);
    CHECK_EQ(ax_cbor_check(ax_writer_str(&out)), AX_OK);
    CHECK_EQ(ax_decision_read(ctx, ax_writer_str(&out), &back), AX_OK);
    check_same(&decision, &back);
    ax_str deployment, request_id;
    CHECK_EQ(ax_decision_read_request(ctx, ax_writer_str(&out), &deployment, &request_id), AX_OK);
    CHECK(ax_str_eq(deployment, decision.deployment));
    CHECK(ax_str_eq(request_id, decision.request_id));
    for (size_t cut = 0; cut < 40; cut++) /* no answer out of half a record's head */
        CHECK_EQ(ax_decision_read_request(ctx, (ax_str){out.at, cut}, &deployment, &request_id),
                 AX_INVALID);
    CHECK_EQ(back.feature_count, AX_COUNT_OF(features));
    CHECK_EQ(back.features[2].kind, AX_DECISION_MISSING);
    CHECK_EQ(back.features[4].kind, AX_DECISION_TEXT);
    CHECK(signbit(back.features[3].number));
    CHECK(isinf(back.features[5].number));
    CHECK_STR(back.features[1].source, "view/7");
    CHECK_EQ(back.contribution_count, AX_COUNT_OF(contributions));
    CHECK(signbit(back.contributions[4]));
    CHECK_STR(back.reasons[0].text, "the purpose of the loan");
    CHECK(back.challengers[1].failed);
    CHECK(back.governed && !back.fallback);
    ax_writer_clear(&out);
    ax_decision_write(&nothing, &out);
    CHECK_EQ(ax_decision_read(ctx, ax_writer_str(&out), &back), AX_OK);
    check_same(&nothing, &back);
}

TEST(decision_is_read_back_as_it_was_written)
{
    ax_test_with_ctx(round_trip);
}

/* Not a number in any of its forms comes back with its bits. */
static void
odd_numbers(struct ax_ctx *ctx)
{
    static const uint64_t bits[] = {UINT64_C(0x7ff8000000000000),
                                    UINT64_C(0x7ff8000000000001),
                                    UINT64_C(0xfff8000000000000),
                                    UINT64_C(0x7ff0000000000001),
                                    UINT64_C(0x7ff0000000000000),
                                    UINT64_C(0x8000000000000000),
                                    1};
    for (size_t i = 0; i < AX_COUNT_OF(bits); i++) {
        struct ax_decision_feature feature = {.kind = AX_DECISION_NUMBER};
        struct ax_decision decision = {.features = &feature, .feature_count = 1}, back;
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        memcpy(&feature.number, &bits[i], sizeof bits[i]);
        ax_decision_write(&decision, &out);
        CHECK_EQ(ax_decision_read(ctx, ax_writer_str(&out), &back), AX_OK);
        CHECK(memcmp(&back.features[0].number, &bits[i], sizeof bits[i]) == 0);
    }
}

TEST(decision_keeps_the_bits_of_every_number)
{
    ax_test_with_ctx(odd_numbers);
}

static void
damaged(struct ax_ctx *ctx)
{
    const struct ax_decision decision = full_decision();
    struct ax_decision back;
    ax_writer_auto struct ax_writer out = ax_writer_of(AX_DECISION_BYTES_MAX);
    ax_decision_write(&decision, &out);
    for (size_t cut = 0; cut < out.len; cut++)
        CHECK_EQ(ax_decision_read(ctx, (ax_str){out.at, cut}, &back), AX_INVALID);
    for (size_t i = 0; i < out.len * 8; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
        struct ax_ctx inner = ax_ctx_of(arena);
        out.at[i / 8] = (char)(out.at[i / 8] ^ 1 << i % 8);
        if (ax_decision_read(&inner, ax_writer_str(&out), &back) == AX_OK) {
            ax_writer_auto struct ax_writer again = ax_writer_of(AX_DECISION_BYTES_MAX);
            ax_decision_write(&back, &again); /* whatever it says now, it can be written */
            CHECK_EQ(again.status, AX_OK);
        }
        out.at[i / 8] = (char)(out.at[i / 8] ^ 1 << i % 8);
    }
    static const char *const bad[] = {
        "\xa0", "\xa1\x01\x02", "\xa2\x01\x01\x02\x01", "\xa2\x01\x01\x18\x15\xa0", "\x80", ""};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        CHECK_EQ(ax_decision_read(ctx, ax_str_of(bad[i]), &back), AX_INVALID);
}

TEST(decision_survives_every_cut_and_every_flipped_bit)
{
    ax_test_with_ctx(damaged);
}

static void
described(struct ax_ctx *ctx)
{
    const struct ax_decision decision = full_decision();
    struct ax_event event = {};
    ax_decision_describe(&decision, &event);
    CHECK_EQ(ax_event_check(ctx, &event), AX_OK);
    CHECK_EQ(event.kind, AX_EVENT_DECISION);
    CHECK_EQ(event.event_ns, decision.decision_ns);
    CHECK_STR(event.object, "d_1");
    CHECK_STR(event.actor, "svc");
    CHECK(ax_digest_eq(event.object_hash, decision.model.digest));
    ax_writer_auto struct ax_writer leaf = ax_writer_of(1 << 16);
    event.sequence = 1;
    ax_event_write(&event, &leaf);
    CHECK(ax_str_find(ax_writer_str(&leaf), AX_STR("e-1")) == SIZE_MAX); /* nobody is named */
}

TEST(decision_leaf_names_no_person)
{
    ax_test_with_ctx(described);
}

static void
shown(struct ax_ctx *ctx)
{
    const struct ax_decision decision = full_decision();
    const struct ax_json *parsed;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_decision_show(&decision, &json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &parsed), AX_OK);
    ax_str text = ax_writer_str(&out);
    CHECK(ax_str_find(text, AX_STR("\"decision_id\":\"d_1\"")) != SIZE_MAX);
    CHECK(ax_str_find(text, AX_STR("{\"name\":\"guarantor\",\"value\":null}")) != SIZE_MAX);
    CHECK(ax_str_find(text, AX_STR("\"value\":\"Infinity\"")) != SIZE_MAX);
    CHECK(ax_str_find(text, AX_STR("\"fallback\":false")) != SIZE_MAX);
    CHECK(ax_str_find(text, AX_STR("\"governed\":true")) != SIZE_MAX);
}

TEST(decision_is_shown_as_json)
{
    ax_test_with_ctx(shown);
}

TEST(decision_computed_again_is_compared_bit_for_bit)
{
    const struct ax_decision recorded = full_decision();
    struct ax_decision again = recorded;
    CHECK(ax_decision_compare(&recorded, &again).same);
    again.margin = nextafter(again.margin, 0);
    CHECK(!ax_decision_compare(&recorded, &again).same);
    CHECK(!ax_decision_compare(&recorded, &again).margin_same);
    again = recorded;
    again.outcome = AX_STR("refer");
    CHECK(!ax_decision_compare(&recorded, &again).outcome_same);
    double changed[AX_COUNT_OF(contributions)];
    memcpy(changed, contributions, sizeof changed);
    again = recorded;
    again.contributions = changed;
    changed[0] += 3e-10;
    CHECK(ax_decision_compare(&recorded, &again).same);
    changed[0] += 1e-8;
    CHECK(!ax_decision_compare(&recorded, &again).contributions_close);
    changed[0] = nan("");
    CHECK(!ax_decision_compare(&recorded, &again).same);
    again = recorded;
    again.contribution_count--;
    CHECK(!ax_decision_compare(&recorded, &again).same);
    struct ax_decision_reason swapped[] = {reasons[1], reasons[0]};
    again = recorded;
    again.reasons = swapped;
    CHECK(!ax_decision_compare(&recorded, &again).reasons_same);
}

TEST(decision_that_is_too_large_is_said_so)
{
    const struct ax_decision decision = full_decision();
    ax_writer_auto struct ax_writer out = ax_writer_of(100);
    ax_decision_write(&decision, &out);
    CHECK_EQ(out.status, AX_LIMIT);
}

static ax_status
read_it(struct ax_ctx *ctx)
{
    static char bytes[1 << 14];
    static size_t len;
    struct ax_decision back;
    if (len == 0) {
        const struct ax_decision decision = full_decision();
        struct ax_writer out = ax_writer_of(sizeof bytes);
        ax_decision_write(&decision, &out);
        if (out.status == AX_OK) {
            memcpy(bytes, out.at, out.len);
            len = out.len;
        }
        ax_status status = out.status;
        ax_writer_free(&out);
        if (status != AX_OK)
            return ax_fail(ctx, status, "no memory");
    }
    return ax_decision_read(ctx, (ax_str){bytes, len}, &back);
}

TEST(decision_read_notices_every_fault)
{
    FAULT_SWEEP(read_it);
}

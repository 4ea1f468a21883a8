#include "event/event.h"

#include "codec/cbor.h"
#include "codec/text.h"
#include "harness.h"

static struct ax_event
full_event(void)
{
    struct ax_event event = {
        .kind = AX_EVENT_DECISION,
        .producer = AX_STR("decision"),
        .sequence = 7,
        .event_ns = 1'700'000'000'000'000'000,
        .log_ns = 1'700'000'000'000'000'001,
        .clock_source = AX_STR("chrony"),
        .clock_offset_ns = -12,
        .clock_bound_ns = 40'000,
        .actor = AX_STR("svc-scoring"),
        .actor_roles = AX_ROLE_BIT(CLIENT) | AX_ROLE_BIT(OWNER),
        .object = AX_STR("d_0001"),
        .payload_bytes = 512,
        .build_id = AX_STR("0.1.0"),
        .retention = 2,
        .links = {0, 3},
        .link_count = 2,
        .body = AX_STR("\xa1\x01\x63"
                       "abc"),
    };
    memset(&event.previous, 1, sizeof event.previous);
    memset(&event.actor_cert, 2, sizeof event.actor_cert);
    memset(&event.object_hash, 3, sizeof event.object_hash);
    memset(&event.payload_commit, 4, sizeof event.payload_commit);
    memset(&event.payload_ref, 5, sizeof event.payload_ref);
    memset(event.key_id, 6, sizeof event.key_id);
    memset(&event.config_hash, 7, sizeof event.config_hash);
    return event;
}

static bool
same(const struct ax_event *a, const struct ax_event *b)
{
    ax_writer_auto struct ax_writer first = ax_writer_of(1 << 20), second = ax_writer_of(1 << 20);
    ax_event_write(a, &first);
    ax_event_write(b, &second);
    return ax_str_eq(ax_writer_str(&first), ax_writer_str(&second));
}

static void
round_trip(struct ax_ctx *ctx)
{
    const struct ax_event small = {
        .kind = AX_EVENT_HEARTBEAT, .producer = AX_STR("ledger"), .sequence = 1};
    const struct ax_event events[] = {full_event(), small};
    for (size_t i = 0; i < AX_COUNT_OF(events); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
        struct ax_event back;
        CHECK_EQ(ax_event_check(ctx, &events[i]), AX_OK);
        ax_event_write(&events[i], &out);
        CHECK(out.len <= ax_event_bytes_max(&events[i]));
        CHECK_EQ(ax_event_read(ctx, ax_writer_str(&out), &back), AX_OK);
        CHECK(same(&events[i], &back));
    }
    struct ax_event event = full_event(), back;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    ax_event_write(&event, &out);
    CHECK_EQ(ax_event_read(ctx, ax_writer_str(&out), &back), AX_OK);
    CHECK_STR(back.object, "d_0001");
    CHECK_EQ(back.clock_offset_ns, -12);
    CHECK_EQ(back.link_count, 2);
    CHECK_EQ(back.links[1], 3);
    CHECK_EQ(back.actor_roles, event.actor_roles);
    CHECK(ax_str_eq(back.body, event.body));
}

TEST(event_is_read_back_as_it_was_written)
{
    ax_test_with_ctx(round_trip);
}

/* These bytes are stored for ever: a change here is a change of the format. */
static void
golden(struct ax_ctx *ctx)
{
    const struct ax_event event = {.kind = AX_EVENT_START,
                                   .producer = AX_STR("ledger"),
                                   .sequence = 1,
                                   .log_ns = 256,
                                   .actor = AX_STR("x"),
                                   .links = {24},
                                   .link_count = 1};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10), hex = ax_writer_of(1 << 10);
    ax_event_write(&event, &out);
    ax_hex_encode(ax_writer_str(&out), &hex);
    CHECK_STR(ax_writer_str(&hex), "a7010102185003666c65646765720401071901000"
                                   "9a10161781381"
                                   "1818");
    CHECK_EQ(ax_event_check(ctx, &event), AX_OK);
}

TEST(event_bytes_are_those_of_the_format)
{
    ax_test_with_ctx(golden);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *hex;
        ax_status want;
    } cases[] = {
        {"a40101021850036161"
         "0401",
         AX_OK},
        {"a50101021850036161"
         "0401"
         "1863f5",
         AX_OK},                            /* field 99 is passed over */
        {"a30101021850036161", AX_INVALID}, /* no sequence */
        {"a40102021850036161"
         "0401",
         AX_INVALID}, /* version 2 */
        {"a3021850036161"
         "0401",
         AX_INVALID}, /* no version */
        {"a40101021850036161"
         "0400",
         AX_INVALID}, /* "none" is written by leaving out */
        {"a4010102185003416104"
         "01",
         AX_INVALID}, /* bytes for text */
        {"a50101021850036161"
         "0401"
         "0581",
         AX_INVALID}, /* cut */
        {"a50101021850036161"
         "0401"
         "0541aa",
         AX_INVALID}, /* a digest of one byte */
        {"a50101021850036161"
         "0401"
         "0a60",
         AX_INVALID}, /* an empty text */
        {"a50101021850036161"
         "0401"
         "1380",
         AX_INVALID}, /* no links */
        {"a50101021850036161"
         "0401"
         "08a0",
         AX_INVALID}, /* an empty clock */
        {"a50101021850036161"
         "0401"
         "08a10201",
         AX_INVALID}, /* an offset without a source */
        {"a40101021b0000000100000000036161"
         "0401",
         AX_INVALID},                               /* a kind beyond 32 bits */
        {"a5010102185003616104010401", AX_INVALID}, /* twice */
        {"84010203"
         "04",
         AX_INVALID},
        {"", AX_INVALID},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str leaf;
        struct ax_event event;
        CHECK_EQ(ax_hex_decode(ctx, ax_str_of(cases[i].hex), &leaf), AX_OK);
        ax_status got = ax_event_read(ctx, leaf, &event);
        if (got != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "case %zu ends %s: %s", i, ax_status_name(got),
                           ctx->error);
    }
}

TEST(event_refuses_a_leaf_that_is_not_of_the_one_form)
{
    ax_test_with_ctx(refusals);
}

static void
unwritable(struct ax_ctx *ctx)
{
    char long_text[AX_EVENT_TEXT_BYTES_MAX + 1];
    memset(long_text, 'a', sizeof long_text);
    struct ax_event event = full_event();
    event.object = (ax_str){long_text, sizeof long_text};
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    CHECK(strstr(ctx->error, "object") != NULL);
    event.object.len--;
    CHECK_EQ(ax_event_check(ctx, &event), AX_OK);
    event.actor = AX_STR("\xff");
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event = full_event();
    event.kind = 0;
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event = full_event();
    event.producer = AX_STR("");
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event = full_event();
    event.link_count = AX_EVENT_LINKS_MAX + 1;
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event = full_event();
    event.clock_source = AX_STR("");
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event = full_event();
    event.body = AX_STR("\x18\x01"); /* 1, in two bytes */
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
    event.body = AX_STR("\x81\x81\x81\x81\x81\x81\x81\x01"); /* the leaf is one level more */
    CHECK_EQ(ax_event_check(ctx, &event), AX_OK);
    event.body = AX_STR("\x81\x81\x81\x81\x81\x81\x81\x81\x01");
    CHECK_EQ(ax_event_check(ctx, &event), AX_INVALID);
}

TEST(event_says_which_field_cannot_be_written)
{
    ax_test_with_ctx(unwritable);
}

/* The largest event that passes the check fits in a bundle's entry. */
static void
largest(struct ax_ctx *ctx)
{
    char text[AX_EVENT_TEXT_BYTES_MAX];
    memset(text, 'a', sizeof text);
    ax_writer_auto struct ax_writer body = ax_writer_of(1 << 20), out = ax_writer_of(1 << 20);
    char *blob = AX_NEW_ARRAY(ctx->arena, char, AX_EVENT_BODY_BYTES_MAX);
    ax_cbor_put_bytes(&body, (ax_str){blob, AX_EVENT_BODY_BYTES_MAX - 3});
    struct ax_event event = full_event();
    ax_str longest = {text, sizeof text};
    event.producer = event.clock_source = event.actor = event.object = event.build_id = longest;
    event.link_count = AX_EVENT_LINKS_MAX;
    for (size_t i = 0; i < event.link_count; i++)
        event.links[i] = UINT64_MAX;
    event.sequence = event.payload_bytes = UINT64_MAX;
    event.body = ax_writer_str(&body);
    CHECK_EQ(ax_event_check(ctx, &event), AX_OK);
    ax_event_write(&event, &out);
    CHECK(out.len <= ax_event_bytes_max(&event));
    CHECK(ax_event_bytes_max(&event) <= AX_EVENT_BYTES_MAX);
    struct ax_event back;
    CHECK_EQ(ax_event_read(ctx, ax_writer_str(&out), &back), AX_OK);
}

TEST(event_of_the_largest_size_fits_a_leaf)
{
    ax_test_with_ctx(largest);
}

static void
damaged(struct ax_ctx *ctx)
{
    const struct ax_event event = full_event();
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    struct ax_event back;
    ax_event_write(&event, &out);
    for (size_t cut = 0; cut < out.len; cut++)
        CHECK_EQ(ax_event_read(ctx, (ax_str){out.at, cut}, &back), AX_INVALID);
    for (size_t at = 0; at < out.len * 8; at++) {
        out.at[at / 8] = (char)(out.at[at / 8] ^ 1 << at % 8);
        if (ax_event_read(ctx, ax_writer_str(&out), &back) == AX_OK)
            CHECK(!same(&event, &back));
        out.at[at / 8] = (char)(out.at[at / 8] ^ 1 << at % 8);
    }
    CHECK_EQ(ax_event_read(ctx, ax_writer_str(&out), &back), AX_OK);
}

TEST(event_survives_every_cut_and_every_flipped_bit)
{
    ax_test_with_ctx(damaged);
}

TEST(event_kinds_have_words)
{
    uint32_t kind = 0;
    CHECK(ax_event_kind_parse(AX_STR("kill_switch"), &kind));
    CHECK_EQ(kind, AX_EVENT_KILL_SWITCH);
    CHECK(strcmp(ax_event_kind_name(AX_EVENT_KILL_SWITCH), "kill_switch") == 0);
    CHECK(strcmp(ax_event_kind_name(12'345), "unknown") == 0);
    CHECK(!ax_event_kind_parse(AX_STR("unknown"), &kind));
}

static void
shown(struct ax_ctx *ctx)
{
    const struct ax_event event = full_event();
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&out);
    const struct ax_json *parsed;
    ax_event_show(&event, &json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&out), NULL, &parsed), AX_OK);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\"kind\":\"decision\"")) != SIZE_MAX);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\"roles\":[\"owner\",\"client\"]")) != SIZE_MAX);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\"body\":{\"1\":\"abc\"}")) != SIZE_MAX);
    CHECK(ax_str_find(ax_writer_str(&out), AX_STR("\"event_time\":\"2023-11-14T22:13:20")) !=
          SIZE_MAX);
}

TEST(event_is_shown_as_json)
{
    ax_test_with_ctx(shown);
}

static ax_status
check_all(struct ax_ctx *ctx)
{
    const struct ax_event event = full_event();
    return ax_event_check(ctx, &event);
}

TEST(event_check_notices_every_fault)
{
    FAULT_SWEEP(check_all);
}

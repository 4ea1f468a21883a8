#include <stdlib.h>

#include "event/ledger_state.h"
#include "harness.h"
#include "ledger_case.h"

enum { FACTS = 12, SIGNED = 6 };

static ax_str
path_of(struct ax_ctx *ctx, const struct ledger_case *at, const char *name)
{
    return ax_path_join(ctx->arena, at->ledger_folder, ax_str_of(name));
}

/* Facts in batches of three; the first SIGNED are under a checkpoint. */
static void
fill(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    for (uint64_t i = 0; i < FACTS; i += 3) {
        CHECK_EQ(ledger_case_commit(ctx, at, ledger, i, i + 3), AX_OK);
        if (i + 3 == SIGNED)
            CHECK_EQ(ax_ledger_publish_round(ledger, ctx), AX_OK);
    }
    ax_ledger_free(ledger);
}

/* Facts found, all of them right; -1 for CORRUPT. */
static int64_t
judged(struct ax_ctx *ctx, struct ledger_case *at)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx inner = ax_ctx_of(arena);
    struct ax_ledger *ledger = NULL;
    (void)ctx;
    ax_status status = ledger_case_open_still(&inner, at, &ledger);
    if (status != AX_OK) {
        CHECK_EQ(status, AX_CORRUPT);
        return -1;
    }
    uint64_t size = ax_ledger_size(ledger), facts = ledger->torn_bytes > 0 ? size - 1 : size;
    for (uint64_t i = 0; i < facts; i++)
        ledger_case_check(&inner, ledger, i, i, true);
    if (ledger->torn_bytes > 0) {
        ax_str leaf;
        struct ax_event event;
        CHECK_EQ(ax_ledger_read(ledger, &inner, facts, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(&inner, leaf, &event), AX_OK);
        CHECK_EQ(event.kind, AX_EVENT_RECOVERY);
    }
    CHECK_EQ(ledger->signed_size, size);
    ax_ledger_free(ledger);
    return (int64_t)facts;
}

/* The whole ledger as files, to begin again from. */
struct image {
    ax_str paths[8], bytes[8];
    size_t count;
};

static struct image
image_of(struct ax_ctx *ctx, const struct ledger_case *at)
{
    static const char *const names[] = {"state", "checkpoint", "checkpoints",
                                        "log/0000000000000000"};
    struct image image = {};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        image.paths[i] = path_of(ctx, at, names[i]);
        image.bytes[i] = ledger_case_read(ctx, image.paths[i]);
        image.count++;
    }
    return image;
}

static void
put_back(struct ax_ctx *ctx, const struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        ledger_case_write(ctx, image->paths[i], image->bytes[i]);
}

/*
 * The log cut at each byte: below what was signed it is found out, above it some batches are there
 * and nothing of the others.
 */
static void
cuts(struct ax_ctx *ctx, struct ledger_case *at)
{
    fill(ctx, at);
    const struct image image = image_of(ctx, at);
    ax_str log = image.bytes[3];
    int64_t before = -1;
    for (size_t cut = 0; cut <= log.len; cut += cut < log.len - 300 ? 13 : 1) {
        put_back(ctx, &image);
        ledger_case_write(ctx, image.paths[3], (ax_str){log.at, cut});
        int64_t facts = judged(ctx, at);
        CHECK(facts == -1 || (facts >= SIGNED && facts <= FACTS && facts % 3 == 0));
        CHECK(facts >= before);
        before = facts;
    }
    CHECK_EQ(before, FACTS);
}

TEST(ledger_open_judges_every_cut_of_the_log)
{
    ledger_case_run(cuts);
}

/*
 * A flipped bit anywhere in the log: damage to what is signed, or to what a later batch proves to
 * have been durable, is found; in the last batch it looks torn. Nothing wrong is ever served. Each
 * waits for the disk: a sample, and every byte with AX_LONG=1.
 */
static void
flips(struct ax_ctx *ctx, struct ledger_case *at)
{
    fill(ctx, at);
    const struct image image = image_of(ctx, at);
    ax_str log = image.bytes[3];
    const size_t stride = getenv("AX_LONG") ? 1 : 7;
    size_t found = 0, torn = 0, passed = 0;
    for (size_t i = 0; i < log.len; i += stride) {
        char *bytes = AX_NEW_ARRAY(ctx->arena, char, log.len);
        memcpy(bytes, log.at, log.len);
        bytes[i] ^= (char)(1 << i % 8);
        put_back(ctx, &image);
        ledger_case_write(ctx, image.paths[3], (ax_str){bytes, log.len});
        int64_t facts = judged(ctx, at);
        found += facts == -1;
        torn += facts == FACTS - 3;
        passed += facts == FACTS; /* the reserved bytes of a head, zeros between frames */
        CHECK(facts == -1 || facts == FACTS - 3 || facts == FACTS);
    }
    CHECK(found > 5 * torn / 2 && torn > 10);
    CHECK(passed < log.len / stride / 20);
}

TEST(ledger_open_finds_every_flipped_bit_of_the_log)
{
    ledger_case_run(flips);
}

static void
small_files(struct ax_ctx *ctx, struct ledger_case *at)
{
    fill(ctx, at);
    const struct image image = image_of(ctx, at);
    for (size_t file = 0; file < 2; file++) { /* the state and the checkpoint */
        ax_str whole = image.bytes[file];
        for (size_t i = 0; i < whole.len; i++) {
            char *bytes = AX_NEW_ARRAY(ctx->arena, char, whole.len);
            memcpy(bytes, whole.at, whole.len);
            bytes[i] ^= 1;
            put_back(ctx, &image);
            ledger_case_write(ctx, image.paths[file], (ax_str){bytes, whole.len});
            CHECK_EQ(judged(ctx, at), -1);
            if (i == 0) /* "" reads as absent: a checkpoint may be, a state behind it may not */
                continue;
            ledger_case_write(ctx, image.paths[file], (ax_str){whole.at, i});
            CHECK_EQ(judged(ctx, at), -1);
        }
    }
    put_back(ctx, &image);
    CHECK_EQ(ax_file_remove(ctx, image.paths[0]), AX_OK);
    CHECK_EQ(judged(ctx, at), -1); /* a checkpoint, and nothing that knows of it */
    put_back(ctx, &image);
    CHECK_EQ(ax_file_remove(ctx, image.paths[1]), AX_OK);
    CHECK_EQ(judged(ctx, at), FACTS); /* a crash between the two: it is signed again */
}

TEST(ledger_open_finds_a_changed_state_or_checkpoint)
{
    ledger_case_run(small_files);
}

/* The log rolled back to an earlier copy, state and all: only what was signed elsewhere tells. */
static void
rolled_back(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    fill(ctx, at);
    const struct image old = image_of(ctx, at);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ledger_case_commit(ctx, at, ledger, FACTS, FACTS + 3), AX_OK);
    CHECK_EQ(ax_ledger_publish_round(ledger, ctx), AX_OK);
    ax_ledger_free(ledger);
    const struct image later = image_of(ctx, at);
    ledger_case_write(ctx, old.paths[3], old.bytes[3]); /* the log alone */
    CHECK_EQ(judged(ctx, at), -1);
    put_back(ctx, &later);
    ledger_case_write(ctx, old.paths[0], old.bytes[0]); /* the state alone */
    CHECK_EQ(judged(ctx, at), -1);
    put_back(ctx, &later);
    CHECK_EQ(judged(ctx, at), FACTS + 3);
}

TEST(ledger_open_refuses_a_log_that_is_smaller_than_what_was_signed)
{
    ledger_case_run(rolled_back);
}

static void
strangers(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL, *second = NULL;
    fill(ctx, at);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ledger_case_open_still(ctx, at, &second), AX_CONFLICT);
    ax_ledger_free(ledger);
    at->seed[0] ^= 1;
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_CORRUPT);
    at->seed[0] ^= 1;
    at->origin = AX_STR("example.org/other");
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_CORRUPT);
    CHECK(strstr(ctx->error, "another origin") != NULL);
    at->origin = AX_STR("white space");
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_INVALID);
    at->origin = AX_STR("example.org/axiom/test");
    CHECK_EQ(judged(ctx, at), FACTS);
}

TEST(ledger_open_refuses_another_key_origin_or_process)
{
    ledger_case_run(strangers);
}

/* A log that follows another begins with that one's last checkpoint. */
static void
genesis(struct ax_ctx *ctx, struct ledger_case *at)
{
    struct ax_ledger *ledger = NULL;
    ax_str note, vkey, leaf;
    struct ax_event event;
    fill(ctx, at);
    CHECK_EQ(ledger_case_open_still(ctx, at, &ledger), AX_OK);
    CHECK_EQ(ax_ledger_checkpoint(ledger, ctx, &note), AX_OK);
    CHECK(ax_str_copy(ctx->arena, ax_ledger_vkey(ledger), &vkey));
    ax_ledger_free(ledger);
    const struct ax_ledger_genesis before = {note, vkey, AX_STR("rotation")};
    const struct ax_ledger_place place = {
        .folder = ax_path_join(ctx->arena, ax_str_of(at->folder), AX_STR("next")),
        .origin = AX_STR("example.org/axiom/next"),
        .seed = at->seed,
        .genesis = &before,
    };
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(ax_ledger_open_still(ctx, &at->config, &place, &ledger), AX_OK);
        CHECK_EQ(ax_ledger_size(ledger), 1);
        CHECK_EQ(ax_ledger_read(ledger, ctx, 0, &leaf), AX_OK);
        CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
        CHECK_EQ(event.kind, AX_EVENT_GENESIS);
        CHECK(ax_str_find(event.body, note) != SIZE_MAX);
        ax_ledger_free(ledger);
    }
}

TEST(ledger_open_begins_a_log_that_follows_another)
{
    ledger_case_run(genesis);
}

/* ---- faults ---- */

static struct ledger_case *sweep_case;

static ax_status
open_again(struct ax_ctx *ctx)
{
    struct ax_ledger *ledger = NULL;
    AX_TRY(ledger_case_open(ctx, sweep_case, &ledger));
    ax_ledger_close(ledger);
    return AX_OK;
}

static void
faults(struct ax_ctx *ctx, struct ledger_case *at)
{
    sweep_case = at;
    fill(ctx, at);
    FAULT_SWEEP(open_again);
    CHECK_EQ(judged(ctx, at), FACTS);
}

TEST(ledger_open_notices_every_fault_and_loses_nothing)
{
    ledger_case_run(faults);
}

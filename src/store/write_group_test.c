#include "store/write_group.h"

#include "harness.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/workers.h"

/* A database that only counts what is asked of it; its commits take a while. */
struct counting {
    struct ax_store base;
    struct ax_store_tx tx;
    ax_status commit_gives, save_gives;
    int begins, commits, rollbacks, saves, undos;
    int rows, savepoint; /* written in the transaction, and by those before the savepoint */
    int durable;
};

static ax_status
begin(struct ax_store *base, struct ax_ctx *ctx, enum ax_store_access access,
      struct ax_store_tx **out_tx)
{
    struct counting *counting = (struct counting *)base;
    (void)ctx;
    (void)access;
    counting->begins++;
    counting->rows = 0;
    *out_tx = &counting->tx;
    return AX_OK;
}

static ax_status
commit(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    struct counting *counting = (struct counting *)tx->store;
    counting->commits++;
    ax_clock_sleep_ms(3);
    if (counting->commit_gives != AX_OK)
        return ax_fail(ctx, counting->commit_gives, "the disk is full");
    counting->durable += counting->rows;
    return AX_OK;
}

static void
rollback(struct ax_store_tx *tx)
{
    ((struct counting *)tx->store)->rollbacks++;
}

static ax_status
save(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_store_save what)
{
    struct counting *counting = (struct counting *)tx->store;
    if (what == AX_STORE_SAVE) {
        counting->saves++;
        counting->savepoint = counting->rows;
        if (counting->save_gives != AX_OK)
            return ax_fail(ctx, counting->save_gives, "the connection is lost");
    }
    if (what == AX_STORE_UNDO) {
        counting->undos++;
        counting->rows = counting->savepoint;
    }
    return AX_OK;
}

static ax_status
run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
    int64_t *out_changed)
{
    (void)params;
    *out_changed = 1;
    if (sql.len > 0)
        return ax_fail(ctx, AX_CONFLICT, "it is there already");
    ((struct counting *)tx->store)->rows++;
    return AX_OK;
}

static void
close_nothing(struct ax_store *store)
{
    (void)store;
}

static const struct ax_store_ops ops = {.name = "counting",
                                        .begin = begin,
                                        .commit = commit,
                                        .rollback = rollback,
                                        .save = save,
                                        .run = run,
                                        .close = close_nothing};

/* ---- writers ---- */

enum { WRITERS = 8, ROUNDS = 20 };

struct writer {
    struct counting *counting;
    int number;
    int kept, lost; /* transactions that said they are durable, or are not */
    struct ax_thread *thread;
};

static ax_status
write_once(struct ax_store *store, struct ax_ctx *ctx, bool clashes)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx, AX_STR(""), AX_STORE_NO_PARAMS, NULL));
    if (clashes)
        AX_TRY(ax_store_run(tx, ctx, AX_STR("clash"), AX_STORE_NO_PARAMS, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static void
write_rounds(void *arg)
{
    struct writer *writer = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct ax_ctx ctx = ax_ctx_of(NULL);
        bool clashes = (i + writer->number) % 4 == 0;
        ax_status status = write_once(&writer->counting->base, &ctx, clashes);
        writer->kept += status == AX_OK;
        writer->lost += status != AX_OK;
        CHECK(status != AX_OK || !clashes);
        CHECK(status == AX_OK || ctx.error[0] != '\0');
    }
}

static void
write_together(struct counting *counting, struct writer out[WRITERS])
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    ax_store_init(&counting->base, &ops, 60'000);
    for (int i = 0; i < WRITERS; i++) {
        out[i] = (struct writer){.counting = counting, .number = i};
        CHECK_EQ(ax_thread_start(&ctx, "writer", write_rounds, &out[i], &out[i].thread), AX_OK);
    }
    for (int i = 0; i < WRITERS; i++)
        ax_thread_join(out[i].thread);
    ax_store_close(&counting->base);
}

TEST(writers_that_wait_are_committed_together_and_who_fails_fails_alone)
{
    struct counting counting = {};
    struct writer writers[WRITERS];
    write_together(&counting, writers);
    int kept = 0, lost = 0;
    for (int i = 0; i < WRITERS; i++) {
        kept += writers[i].kept;
        lost += writers[i].lost;
    }
    CHECK_EQ(kept, WRITERS * ROUNDS * 3 / 4);
    CHECK_EQ(lost, WRITERS * ROUNDS / 4);
    CHECK_EQ(counting.durable, kept);
    CHECK(counting.commits < kept); /* while one waits for the disk the others gather */
    CHECK_EQ(counting.begins, counting.commits + counting.rollbacks);
    CHECK(counting.undos > 0);
}

TEST(a_commit_that_fails_fails_for_everybody_in_it)
{
    struct counting counting = {.commit_gives = AX_LIMIT};
    struct writer writers[WRITERS];
    write_together(&counting, writers);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(writers[i].kept, 0);
    CHECK_EQ(counting.durable, 0);
    CHECK(counting.commits < WRITERS * ROUNDS * 3 / 4);
}

TEST(what_is_said_to_be_durable_is_when_a_group_breaks)
{
    struct counting counting = {.save_gives = AX_UNAVAILABLE};
    struct writer writers[WRITERS];
    write_together(&counting, writers);
    int kept = 0;
    for (int i = 0; i < WRITERS; i++)
        kept += writers[i].kept;
    CHECK_EQ(counting.durable, kept);
    CHECK(counting.saves > 0);
    CHECK_EQ(counting.begins, counting.commits + counting.rollbacks);
}

TEST(a_writer_alone_needs_no_savepoint)
{
    struct counting counting = {};
    struct ax_ctx ctx = ax_ctx_of(NULL);
    ax_store_init(&counting.base, &ops, 60'000);
    CHECK_EQ(write_once(&counting.base, &ctx, false), AX_OK);
    CHECK_EQ(write_once(&counting.base, &ctx, true), AX_CONFLICT);
    CHECK_EQ(counting.saves, 0);
    CHECK_EQ(counting.commits, 1);
    CHECK_EQ(counting.rollbacks, 1);
    ax_store_close(&counting.base);
}

TEST(the_writers_place_is_waited_for_within_the_deadline)
{
    struct counting counting = {};
    struct ax_ctx ctx = ax_ctx_of(NULL), late = ax_ctx_of(NULL);
    struct ax_store_tx *tx = NULL, *other = NULL;
    ax_store_init(&counting.base, &ops, 20);
    CHECK_EQ(ax_store_begin(&counting.base, &ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_begin(&counting.base, &late, AX_STORE_WRITE, &other), AX_UNAVAILABLE);
    CHECK(strstr(late.error, "no writer became free") != NULL);
    CHECK_EQ(ax_store_commit(tx, &ctx), AX_OK);
    ax_store_close(&counting.base);
}

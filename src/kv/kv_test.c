#include "kv/kv.h"

#include "harness.h"

/* An adapter that says what it was asked. */
struct told {
    struct ax_kv base;
    int gets, writes, scans, syncs, closes;
    size_t items; /* of the last write */
    ax_status answer;
};

static ax_status
told_get(struct ax_kv *kv, struct ax_ctx *ctx, ax_str key, ax_str *out_value)
{
    struct told *told = (struct told *)kv;
    told->gets++;
    if (told->answer != AX_OK)
        return ax_fail(ctx, told->answer, "no %.*s", AX_FMT(key));
    *out_value = AX_STR("value");
    return AX_OK;
}

static ax_status
told_write(struct ax_kv *kv, struct ax_ctx *ctx, const struct ax_kv_item *items, size_t count)
{
    struct told *told = (struct told *)kv;
    (void)ctx, (void)items;
    told->writes++;
    told->items = count;
    return told->answer;
}

static ax_status
told_scan(struct ax_kv *kv, struct ax_ctx *ctx, ax_str prefix, size_t count_max,
          struct ax_kv_item **out_items, size_t *out_count)
{
    struct told *told = (struct told *)kv;
    (void)ctx, (void)prefix, (void)count_max;
    told->scans++;
    *out_items = NULL;
    *out_count = 0;
    return told->answer;
}

static ax_status
told_sync(struct ax_kv *kv, struct ax_ctx *ctx)
{
    (void)ctx;
    ((struct told *)kv)->syncs++;
    return ((struct told *)kv)->answer;
}

static void
told_close(struct ax_kv *kv)
{
    ((struct told *)kv)->closes++;
}

static const struct ax_kv_ops ops = {.name = "told",
                                     .get = told_get,
                                     .write = told_write,
                                     .scan = told_scan,
                                     .sync = told_sync,
                                     .close = told_close};

static const struct ax_kv_item items[] = {{.key = AX_STR("a"), .value = AX_STR("1")},
                                          {.key = AX_STR("b"), .removed = true}};

static ax_status
use(struct ax_ctx *ctx, struct told *told)
{
    struct ax_kv_item *found;
    ax_str value;
    size_t count;
    AX_TRY(ax_kv_get(&told->base, ctx, AX_STR("a"), &value));
    CHECK_STR(value, "value");
    AX_TRY(ax_kv_write(&told->base, ctx, items, AX_COUNT_OF(items)));
    AX_TRY(ax_kv_scan(&told->base, ctx, AX_STR(""), 10, &found, &count));
    CHECK_EQ(count, 0);
    return ax_kv_sync(&told->base, ctx);
}

static void
passes_on(struct ax_ctx *ctx)
{
    struct told told = {.base = {&ops}};
    ax_str value;
    CHECK_EQ(use(ctx, &told), AX_OK);
    CHECK(told.gets == 1 && told.writes == 1 && told.scans == 1 && told.syncs == 1);
    CHECK_EQ(told.items, 2);
    told.answer = AX_NOT_FOUND;
    CHECK_EQ(ax_kv_get(&told.base, ctx, AX_STR("a"), &value), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no a") == 0);
    told.answer = AX_UNAVAILABLE;
    CHECK_EQ(ax_kv_write(&told.base, ctx, items, 1), AX_UNAVAILABLE);
    CHECK_EQ(ax_kv_sync(&told.base, ctx), AX_UNAVAILABLE);
    ax_kv_close(&told.base);
    ax_kv_close(NULL); /* nothing to close */
    CHECK_EQ(told.closes, 1);
}

TEST(the_port_asks_its_adapter_and_passes_on_what_it_says)
{
    ax_test_with_ctx(passes_on);
}

/* A fault at the port never reaches the adapter, and names it. */
static void
faults(struct ax_ctx *ctx)
{
    for (int step = 0; step < 5; step++) {
        struct told told = {.base = {&ops}};
        ax_fault_arm(step, false);
        ax_status status = use(ctx, &told);
        bool fired = ax_fault_disarm();
        CHECK_EQ(fired, step < 4);
        CHECK_EQ(status, fired ? AX_UNAVAILABLE : AX_OK);
        CHECK(!fired || strcmp(ctx->error, "told: injected") == 0);
        CHECK_EQ(told.gets + told.writes + told.scans + told.syncs, step < 4 ? step : 4);
    }
}

TEST(each_call_of_the_port_is_a_step_that_may_fail)
{
    ax_test_with_ctx(faults);
}

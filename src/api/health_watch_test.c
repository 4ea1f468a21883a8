#include "api/health_watch.h"

#include "api_case.h"

enum { TOLD_MAX = 8 };

struct ear {
    struct ax_health_watcher base;
    int told[TOLD_MAX];
    int told_count, end_count;
};

static void
ear_tell(struct ax_health_watcher *base, enum ax_health state)
{
    struct ear *ear = (struct ear *)base;
    CHECK(ear->told_count < TOLD_MAX && ear->end_count == 0);
    ear->told[ear->told_count++] = (int)state;
}

static void
ear_end(struct ax_health_watcher *base)
{
    ((struct ear *)base)->end_count++;
}

static struct ear
ear_of(const char *name, enum ax_health state)
{
    return (struct ear){
        .base = {.name = ax_str_of(name), .state = state, .tell = ear_tell, .end = ear_end}};
}

static void
watch_changes(struct ax_ctx *ctx, struct api_case *at)
{
    struct ax_health_watch *watch;
    struct ear whole = ear_of("", AX_HEALTH_SERVING), model = ear_of("dart", AX_HEALTH_SERVING),
               none = ear_of("none", AX_HEALTH_UNKNOWN_SERVICE);
    CHECK_EQ(ax_health_watch_open(ctx, &at->config, &watch), AX_OK);
    CHECK_EQ(ax_health_watch_look(watch, ctx), AX_OK); /* nobody is there */
    CHECK_EQ(ax_health_watch_add(watch, ctx, &whole.base), AX_OK);
    CHECK_EQ(ax_health_watch_add(watch, ctx, &model.base), AX_OK);
    CHECK_EQ(ax_health_watch_add(watch, ctx, &none.base), AX_OK);
    CHECK_EQ(ax_health_watch_look(watch, ctx), AX_OK);
    CHECK_EQ(whole.told_count, 1); /* no change, no word */
    CHECK_EQ(none.told[0], AX_HEALTH_UNKNOWN_SERVICE);
    at->away = true;
    CHECK_EQ(ax_health_watch_look(watch, ctx), AX_OK);
    CHECK_EQ(ax_health_watch_look(watch, ctx), AX_OK);
    CHECK_EQ(whole.told_count, 2);
    CHECK_EQ(whole.told[1], AX_HEALTH_NOT_SERVING);
    CHECK_EQ(model.told_count, 1);
    CHECK(ax_health_watch_remove(watch, &model.base));
    CHECK(!ax_health_watch_remove(watch, &model.base));
    ax_health_watch_drain(watch);
    CHECK_EQ(whole.told_count, 2); /* it knew */
    CHECK_EQ(none.told[1], AX_HEALTH_NOT_SERVING);
    CHECK(whole.end_count == 1 && none.end_count == 1 && model.end_count == 0);
    CHECK(!ax_health_watch_remove(watch, &none.base));
    CHECK_EQ(ax_health_watch_add(watch, ctx, &model.base), AX_UNAVAILABLE);
    ax_health_watch_close(watch);
}

TEST(health_watchers_hear_of_changes_and_of_the_end)
{
    api_case_run_bare(watch_changes);
}

static void
watch_bounds(struct ax_ctx *ctx, struct api_case *at)
{
    enum { MORE_THAN_ENOUGH = 2'000 };
    static struct ear ears[MORE_THAN_ENOUGH];
    struct ax_health_watch *watch;
    size_t count = 0;
    CHECK_EQ(ax_health_watch_open(ctx, &at->config, &watch), AX_OK);
    do
        ears[count] = ear_of("", AX_HEALTH_SERVING);
    while (ax_health_watch_add(watch, ctx, &ears[count].base) == AX_OK &&
           ++count < MORE_THAN_ENOUGH);
    CHECK_EQ(count, 1'024);
    CHECK_EQ(ears[count].told_count, 0);
    CHECK(ax_test_said(ctx, "ask Check"));
    CHECK(ax_health_watch_remove(watch, &ears[512].base)); /* from the middle */
    CHECK_EQ(ax_health_watch_add(watch, ctx, &ears[count].base), AX_OK);
    ax_health_watch_drain(watch);
    for (size_t i = 0; i <= count; i++)
        CHECK_EQ(ears[i].end_count, i == 512 ? 0 : 1);
    ax_health_watch_close(watch);
}

TEST(health_watchers_are_bounded)
{
    api_case_run_bare(watch_bounds);
}

#include "api/dialect.h"

#include "harness.h"

static void
listeners(struct ax_ctx *ctx)
{
    static const struct {
        const char *listener, *address;
        unsigned dialects; /* 0: the default */
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", 0},
        {"[::1]:0", "[::1]:0", 0},
        {"127.0.0.1:8081=torchserve_management", "127.0.0.1:8081",
         1 << AX_DIALECT_BASE | 1 << AX_DIALECT_TORCHSERVE_MANAGEMENT},
        {"a:1=torchserve", "a:1",
         1 << AX_DIALECT_BASE | 1 << AX_DIALECT_TORCHSERVE | 1 << AX_DIALECT_TFSERVING},
        {"unix:/run/a.sock=mlflow,axiom", "unix:/run/a.sock",
         1 << AX_DIALECT_BASE | 1 << AX_DIALECT_MLFLOW | 1 << AX_DIALECT_AXIOM},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str address = AX_STR("");
        unsigned dialects = 0;
        CHECK_EQ(ax_dialects_of_listener(ctx, ax_str_of(cases[i].listener), &address, &dialects),
                 AX_OK);
        CHECK_STR(address, cases[i].address);
        CHECK_EQ(dialects, cases[i].dialects ? cases[i].dialects : ax_dialects_default());
    }
    CHECK(!(ax_dialects_default() >> AX_DIALECT_TORCHSERVE_MANAGEMENT & 1));
    for (int i = 0; i < AX_DIALECT_COUNT; i++)
        CHECK(ax_dialect_name((enum ax_dialect)i)[0] != 0);
}

TEST(dialects_of_a_listener_are_behind_its_address)
{
    ax_test_with_ctx(listeners);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *listener, *words;
    } cases[] = {
        {"a:1=", "listener \"a:1=\" names no dialect behind the '='"},
        {"a:1=triton", "\"triton\" is no dialect; a listener may name inference, tfserving, "
                       "torchserve, torchserve_management, mlflow and axiom"},
        {"a:1=mlflow,,axiom", "\"\" is no dialect; a listener may name inference, tfserving, "
                              "torchserve, torchserve_management, mlflow and axiom"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str address = AX_STR("as it was");
        unsigned dialects = 7;
        CHECK_EQ(ax_dialects_of_listener(ctx, ax_str_of(cases[i].listener), &address, &dialects),
                 AX_INVALID);
        CHECK_STR(ax_str_of(ctx->error), cases[i].words);
        CHECK_STR(address, "as it was");
        CHECK_EQ(dialects, 7);
    }
}

TEST(dialects_that_are_none_are_refused)
{
    ax_test_with_ctx(refusals);
}

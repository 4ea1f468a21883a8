#include "engine/forest_code.h"

#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, SEEDS = 60, WORDS = 8 };

static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545F4914F6CDD1Du;
}

/* Any bitmaps for predicates: the code must do what the operations say, and touch nothing else. */
static void
check_trees(struct ax_ctx *ctx, const struct ax_forest_slice *slice,
            const struct ax_forest_code *code, size_t trees)
{
    uint32_t first = slice->temporary_first;
    size_t words = (size_t)(slice->slot_count + AX_FOREST_SLICE_PLANES_MAX) * WORDS;
    uint64_t *want = kernel_case_scratch(ctx, words * sizeof *want);
    uint64_t *got = kernel_case_scratch(ctx, words * sizeof *got);
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < words; i++)
        want[i] = i < WORDS ? 0 : i < 2 * WORDS ? UINT64_MAX : next(&state);
    memcpy(got, want, words * sizeof *got);
    for (size_t t = 0; t < trees; t++) {
        const struct ax_forest_slice_tree *tree = &slice->trees[t];
        for (uint32_t i = tree->op_first; i < tree->op_first + tree->op_count; i++)
            for (size_t w = 0; w < WORDS; w++) {
                const struct ax_forest_slice_op *op = &slice->ops[i];
                uint64_t select = want[op->select * WORDS + w];
                want[op->out * WORDS + w] =
                    (select & want[op->right * WORDS + w]) | (~select & want[op->left * WORDS + w]);
            }
        ax_forest_code_run(code, t, got);
        for (uint32_t p = 0; p < slice->planes; p++)
            CHECK(memcmp(want + tree->plane[p] * WORDS, got + (first + p) * WORDS,
                         WORDS * sizeof *got) == 0);
        CHECK(memcmp(want, got, first * WORDS * sizeof *got) == 0);
    }
}

static bool
has_avx512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

TEST(forest_code_does_what_the_operations_say)
{
    size_t made = 0;
    for (uint64_t seed = 0; seed < SEEDS && has_avx512(); seed++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct kernel_case about = kernel_case_of(seed);
        struct ax_forest *forest = kernel_case_make(&ctx, &about);
        struct ax_forest_plan plan;
        struct ax_forest_slice slice;
        struct ax_forest_slice_config config = {.spare = (uint32_t)(seed % 3)};
        const struct ax_forest_code *code;
        CHECK_EQ(ax_forest_compile(&ctx, forest, &plan), AX_OK);
        if (!plan.fits || plan.leaves_max > AX_FOREST_SLICE_LEAVES_MAX)
            continue;
        uint32_t *order = AX_NEW_ARRAY(arena, uint32_t, forest->tree_count);
        for (uint32_t t = 0; t < forest->tree_count; t++)
            order[t] = t;
        CHECK_EQ(ax_forest_slice_compile(&ctx, &plan, &config, &slice), AX_OK);
        CHECK_EQ(ax_forest_code_make(&ctx, &slice, order, forest->tree_count, arena, &code), AX_OK);
        bool fits = slice.slot_count - slice.temporary_first <= AX_FOREST_CODE_REGISTERS;
        CHECK(fits == (code != NULL));
        if (!code)
            continue;
        CHECK(ax_forest_code_bytes(code) > 0);
        check_trees(&ctx, &slice, code, forest->tree_count);
        made++;
    }
    CHECK(made > SEEDS / 3 || !has_avx512());
}

#include "engine/onnx_dense.h"

#include <math.h>

#include "engine/onnx_level.h"
#include "harness.h"

enum { ROWS_MAX = 13, DEPTH_MAX = 37, COLUMNS_MAX = 75, ODD_STRIDE = 3 };

static const enum ax_engine_level levels[] = {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_LEVEL_AVX2,
                                              AX_ENGINE_LEVEL_AVX512};

/* Numbers whose sums depend on their order. */
static float
number(size_t index)
{
    uint32_t bits = (uint32_t)index * 2654435761U;
    return (float)(bits >> 8) / (float)(1 << (bits % 23)) - 3.0f;
}

struct product {
    float rows[ROWS_MAX * (DEPTH_MAX + ODD_STRIDE)];
    float matrix[DEPTH_MAX * COLUMNS_MAX];
    float narrow[COLUMNS_MAX];
    double wide[COLUMNS_MAX];
    size_t row_count, depth, columns, stride;
};

static double
sum_of(const struct product *product, const struct ax_onnx_dense_source *source, size_t row,
       size_t column)
{
    double sum = 0;
    for (size_t k = 0; k < product->depth; k++)
        sum += (double)product->rows[row * product->stride + k] *
               (double)source->at[k * source->row_step + column * source->column_step];
    return sum;
}

static void
check_level(struct ax_ctx *ctx, const struct product *product,
            const struct ax_onnx_dense_source *source, const struct ax_onnx_dense *dense,
            enum ax_engine_level asked)
{
    const struct ax_onnx_level *level = ax_onnx_level_pick(asked);
    size_t cells = product->row_count * product->columns;
    float *out = AX_NEW_ARRAY(ctx->arena, float, cells);
    double *sums = AX_NEW_ARRAY(ctx->arena, double, cells);
    double *room = AX_NEW_ARRAY(ctx->arena, double, ax_onnx_dense_room(dense));
    REQUIRE(out && sums && room);
    level->dense(dense, product->rows, product->stride, product->row_count, room, out);
    level->sums(dense, product->rows, product->stride, product->row_count, room, sums);
    for (size_t i = 0; i < cells; i++) {
        size_t column = i % product->columns;
        double sum = dense->alpha * sum_of(product, source, i / product->columns, column);
        if (dense->wide)
            sum += dense->wide[column];
        float value = (float)sum;
        if (dense->narrow)
            value += dense->narrow[column];
        if (dense->relu)
            value = value < 0 ? 0 : value;
        if (memcmp(&sum, &sums[i], sizeof sum) != 0 || memcmp(&value, &out[i], sizeof value) != 0) {
            ax_test_failed(__FILE__, __LINE__,
                           "%s: %zu rows, %zux%zu: cell %zu is %.17g, not %.17g", level->name,
                           product->row_count, product->depth, product->columns, i, sums[i], sum);
            return;
        }
    }
}

/* By rows, and turned. */
static void
check_product(struct ax_ctx *ctx, const struct product *product)
{
    const struct ax_onnx_dense_source sources[] = {
        {product->matrix, product->depth, product->columns, product->columns, 1},
        {product->matrix, product->depth, product->columns, 1, product->depth},
    };
    for (size_t s = 0; s < AX_COUNT_OF(sources); s++)
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
            struct ax_onnx_dense dense;
            CHECK_EQ(ax_onnx_dense_pack(ctx, ctx->arena, &sources[s], &dense), AX_OK);
            check_level(ctx, product, &sources[s], &dense, levels[l]);
            dense.narrow = product->narrow;
            dense.relu = true;
            check_level(ctx, product, &sources[s], &dense, levels[l]);
            dense.alpha = 0.3;
            dense.wide = product->wide;
            check_level(ctx, product, &sources[s], &dense, levels[l]);
        }
}

static void
fill(struct product *product)
{
    for (size_t i = 0; i < AX_COUNT_OF(product->rows); i++)
        product->rows[i] = number(i + 1);
    for (size_t i = 0; i < AX_COUNT_OF(product->matrix); i++)
        product->matrix[i] = number(i * 7 + 5);
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        product->narrow[i] = number(i + 900);
        product->wide[i] = (double)number(i + 7000) / 3;
    }
}

TEST(onnx_dense_gives_the_bits_of_a_plain_loop_in_every_shape_and_level)
{
    static const size_t depths[] = {1, 7, 8, 9, 23, DEPTH_MAX};
    static const size_t columns[] = {1, 2, 3, 4, 5, 8, 12, 16, 24, 33, 64, COLUMNS_MAX};
    static const size_t rows[] = {1, 3, 4, 8, ROWS_MAX};
    for (size_t d = 0; d < AX_COUNT_OF(depths); d++)
        for (size_t c = 0; c < AX_COUNT_OF(columns); c++)
            for (size_t r = 0; r < AX_COUNT_OF(rows); r++) {
                ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
                struct ax_ctx ctx = ax_ctx_of(arena);
                struct product *product = AX_NEW(arena, struct product);
                REQUIRE(product);
                fill(product);
                product->depth = depths[d];
                product->columns = columns[c];
                product->row_count = rows[r];
                product->stride = depths[d] + (c % 2 ? ODD_STRIDE : 0);
                check_product(&ctx, product);
            }
}

TEST(onnx_dense_keeps_what_is_no_number)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 24);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct product *product = AX_NEW(arena, struct product);
    REQUIRE(product);
    fill(product);
    product->depth = product->stride = 9;
    product->columns = 11;
    product->row_count = 6;
    product->rows[2 * 9 + 3] = (float)INFINITY;
    product->rows[5 * 9] = 1e-42F; /* denormal: its products are exact, too */
    product->matrix[4] = 1e-44F;
    check_product(&ctx, product);
    struct ax_onnx_dense dense;
    const struct ax_onnx_dense_source source = {product->matrix, 9, 11, 11, 1};
    float out[6 * 11];
    product->rows[4 * 9 + 8] = (float)NAN;
    CHECK_EQ(ax_onnx_dense_pack(&ctx, arena, &source, &dense), AX_OK);
    dense.relu = true;
    double *room = AX_NEW_ARRAY(arena, double, ax_onnx_dense_room(&dense));
    REQUIRE(room);
    ax_onnx_level_pick(AX_ENGINE_LEVEL_BEST)->dense(&dense, product->rows, 9, 6, room, out);
    for (size_t j = 0; j < 11; j++)
        CHECK(isnan(out[4 * 11 + j]) && !isnan(out[3 * 11 + j]));
}

TEST(onnx_dense_refuses_a_matrix_that_fits_no_memory)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 16);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_onnx_dense dense;
    const struct ax_onnx_dense_source source = {NULL, SIZE_MAX / 2, 64, 64, 1};
    CHECK_EQ(ax_onnx_dense_pack(&ctx, arena, &source, &dense), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx.error), "no memory for 9223372036854775807x64 weights");
}

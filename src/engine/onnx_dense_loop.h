/*
 * Rows times a matrix, in the two shapes of onnx_dense.h. Included by one onnx_level_x.c a level.
 *
 * A tile of panels keeps its sums in registers over the whole depth: up to 4 rows x 4 panels, or
 * one row x 8, with AVX-512's 32 registers; half of it otherwise. Rows are widened to float64 once,
 * and sums are finished while they lie in the nearest cache.
 */
#pragma once

#include <string.h>

#include "engine/onnx_dense.h"
#include "engine/shap_lanes.h"

enum { AX_DENSE_PANEL = 8 };

AX_LANES_INLINE struct ax_lanes
ax_dense_madd(struct ax_lanes sum, struct ax_lanes x, struct ax_lanes y)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
#if defined(__AVX512F__)
        sum.at[i] =
            (ax_lane_part)_mm512_fmadd_pd((__m512d)x.at[i], (__m512d)y.at[i], (__m512d)sum.at[i]);
#elif defined(__FMA__)
        sum.at[i] =
            (ax_lane_part)_mm256_fmadd_pd((__m256d)x.at[i], (__m256d)y.at[i], (__m256d)sum.at[i]);
#else
        sum.at[i] += x.at[i] * y.at[i]; /* the product is exact */
#endif
    return sum;
}

/* A tile; out: rows of sums, width of them apart. Both counts are constants where it is called. */
AX_LANES_INLINE void
ax_dense_tile(const struct ax_onnx_dense *dense, const double *rows, size_t panel, double *out,
              int row_count, int panel_count)
{
    size_t depth = dense->depth;
    const double *weights = dense->weights + panel * depth * AX_DENSE_PANEL;
    struct ax_lanes sums[AX_DENSE_PANEL * 2];
    for (int i = 0; i < row_count * panel_count; i++)
        sums[i] = ax_lanes_of(0);
    for (size_t k = 0; k < depth; k++) {
        struct ax_lanes columns[AX_DENSE_PANEL];
        for (int p = 0; p < panel_count; p++)
            columns[p] = ax_lanes_load(weights + ((size_t)p * depth + k) * AX_DENSE_PANEL);
        for (int r = 0; r < row_count; r++) {
            struct ax_lanes x = ax_lanes_of(rows[(size_t)r * depth + k]);
            for (int p = 0; p < panel_count; p++)
                sums[r * panel_count + p] = ax_dense_madd(sums[r * panel_count + p], x, columns[p]);
        }
    }
    for (int r = 0; r < row_count; r++)
        for (int p = 0; p < panel_count; p++)
            memcpy(out + (size_t)r * dense->width + (panel + (size_t)p) * AX_DENSE_PANEL,
                   &sums[r * panel_count + p], sizeof sums[0]);
}

#if defined(__AVX512F__)
enum { AX_DENSE_PANELS_OF_ROWS = 4, AX_DENSE_PANELS_OF_ROW = 8 };
#else
enum { AX_DENSE_PANELS_OF_ROWS = 1, AX_DENSE_PANELS_OF_ROW = 4 };
#endif

/* Four rows. */
static void
ax_dense_rows(const struct ax_onnx_dense *dense, const double *rows, double *out)
{
    size_t panels = dense->width / AX_DENSE_PANEL, p = 0;
    for (; p + AX_DENSE_PANELS_OF_ROWS <= panels; p += AX_DENSE_PANELS_OF_ROWS)
        ax_dense_tile(dense, rows, p, out, AX_ONNX_DENSE_ROWS, AX_DENSE_PANELS_OF_ROWS);
    for (; p + 2 <= panels; p += 2)
        ax_dense_tile(dense, rows, p, out, AX_ONNX_DENSE_ROWS, 2);
    for (; p < panels; p++)
        ax_dense_tile(dense, rows, p, out, AX_ONNX_DENSE_ROWS, 1);
}

static void
ax_dense_row(const struct ax_onnx_dense *dense, const double *row, double *out)
{
    size_t panels = dense->width / AX_DENSE_PANEL, p = 0;
    for (; p + AX_DENSE_PANELS_OF_ROW <= panels; p += AX_DENSE_PANELS_OF_ROW)
        ax_dense_tile(dense, row, p, out, 1, AX_DENSE_PANELS_OF_ROW);
    for (; p + 2 <= panels; p += 2)
        ax_dense_tile(dense, row, p, out, 1, 2);
    for (; p < panels; p++)
        ax_dense_tile(dense, row, p, out, 1, 1);
}

/* ---- few columns ---- */

#if defined(__AVX__)
/* In pieces as wide as those it is loaded in again: others would wait in the store buffer. */
AX_LANES_INLINE void
ax_dense_widen(__m256 from, double *out)
{
#if defined(__AVX512F__)
    _mm512_store_pd(out, _mm512_cvtps_pd(from));
#else
    _mm256_store_pd(out, _mm256_cvtps_pd(_mm256_castps256_ps128(from)));
    _mm256_store_pd(out + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(from, 1)));
#endif
}

/* Eight rows of eight floats become eight columns in float64; `count` of them are there. */
AX_LANES_INLINE void
ax_dense_turn(const float *rows, size_t stride, int count, double *out)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    __m256i there = _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - count));
    __m256 row[8], pair[8], four[8];
    for (int r = 0; r < 8; r++)
        row[r] = count == 8 ? _mm256_loadu_ps(rows + (size_t)r * stride)
                            : _mm256_maskload_ps(rows + (size_t)r * stride, there);
    for (int r = 0; r < 8; r += 2) {
        pair[r] = _mm256_unpacklo_ps(row[r], row[r + 1]);
        pair[r + 1] = _mm256_unpackhi_ps(row[r], row[r + 1]);
    }
    for (int r = 0; r < 8; r += 4)
        for (int half = 0; half < 2; half++) {
            four[r + 2 * half] = _mm256_shuffle_ps(pair[r + half], pair[r + half + 2], 0x44);
            four[r + 2 * half + 1] = _mm256_shuffle_ps(pair[r + half], pair[r + half + 2], 0xee);
        }
    for (int c = 0; c < 4; c++) {
        ax_dense_widen(_mm256_permute2f128_ps(four[c], four[c + 4], 0x20), out + (size_t)c * 8);
        ax_dense_widen(_mm256_permute2f128_ps(four[c], four[c + 4], 0x31),
                       out + (size_t)(c + 4) * 8);
    }
}
#else
AX_LANES_INLINE void
ax_dense_turn(const float *rows, size_t stride, int count, double *out)
{
    for (int c = 0; c < count; c++)
        for (int r = 0; r < 8; r++)
            out[c * 8 + r] = (double)rows[(size_t)r * stride + (size_t)c];
}
#endif

/* Eight rows side by side. */
AX_LANES_INLINE void
ax_dense_eight(const struct ax_onnx_dense *dense, const float *rows, size_t stride, double *out,
               int columns)
{
    _Alignas(64) double turned[8 * 8], by_column[AX_ONNX_DENSE_FEW][8];
    struct ax_lanes sums[AX_ONNX_DENSE_FEW];
    for (int j = 0; j < columns; j++)
        sums[j] = ax_lanes_of(0);
    for (size_t from = 0; from < dense->depth; from += 8) {
        size_t left = dense->depth - from, count = left < 8 ? left : 8;
        ax_dense_turn(rows + from, stride, (int)count, turned);
        for (size_t k = 0; k < count; k++) {
            struct ax_lanes x = ax_lanes_load(turned + k * 8);
            for (int j = 0; j < columns; j++)
                sums[j] = ax_dense_madd(
                    sums[j], x, ax_lanes_of(dense->weights[(size_t)j * dense->depth + from + k]));
        }
    }
    for (int j = 0; j < columns; j++)
        ax_lanes_store(by_column[j], sums[j]);
    for (int r = 0; r < 8; r++)
        for (int j = 0; j < columns; j++)
            out[r * columns + j] = by_column[j][r];
}

static void
ax_dense_rows_of_few(const struct ax_onnx_dense *dense, const float *rows, size_t stride,
                     double *out)
{
    switch (dense->columns) {
    case 1:
        ax_dense_eight(dense, rows, stride, out, 1);
        return;
    case 2:
        ax_dense_eight(dense, rows, stride, out, 2);
        return;
    case 3:
        ax_dense_eight(dense, rows, stride, out, 3);
        return;
    default:
        ax_dense_eight(dense, rows, stride, out, AX_ONNX_DENSE_FEW);
    }
}

static void
ax_dense_row_of_few(const struct ax_onnx_dense *dense, const float *row, double *out)
{
    for (size_t j = 0; j < dense->columns; j++) {
        double sum = 0;
        for (size_t k = 0; k < dense->depth; k++)
            sum += (double)row[k] * dense->weights[j * dense->depth + k];
        out[j] = sum;
    }
}

/* ---- what becomes of sums ---- */

AX_LANES_INLINE double
ax_dense_wide(const struct ax_onnx_dense *dense, double sum, size_t column)
{
    sum *= dense->alpha;
    return dense->wide ? sum + dense->wide[column] : sum;
}

/* What there is to do is a constant where this is called. */
AX_LANES_INLINE void
ax_dense_finish_as(const struct ax_onnx_dense *dense, const double *sums, size_t rows, float *out,
                   bool narrow, bool relu)
{
    const float *bias = dense->narrow;
    size_t columns = dense->columns;
    for (size_t r = 0; r < rows; r++, sums += dense->width, out += columns)
        for (size_t j = 0; j < columns; j++) {
            float x = (float)sums[j];
            if (narrow)
                x += bias[j];
            out[j] = relu && x < 0 ? 0 : x;
        }
}

static void
ax_dense_finish(const struct ax_onnx_dense *dense, double *sums, size_t rows, float *out)
{
    bool plain = dense->alpha == 1 && !dense->wide;
    for (size_t r = 0; !plain && r < rows; r++)
        for (size_t j = 0; j < dense->columns; j++)
            sums[r * dense->width + j] = ax_dense_wide(dense, sums[r * dense->width + j], j);
    if (dense->narrow && dense->relu)
        ax_dense_finish_as(dense, sums, rows, out, true, true);
    else if (dense->narrow)
        ax_dense_finish_as(dense, sums, rows, out, true, false);
    else if (dense->relu)
        ax_dense_finish_as(dense, sums, rows, out, false, true);
    else
        ax_dense_finish_as(dense, sums, rows, out, false, false);
}

static void
ax_dense_finish_wide(const struct ax_onnx_dense *dense, const double *sums, size_t rows,
                     double *out)
{
    bool plain = dense->alpha == 1 && dense->wide;
    for (size_t r = 0; r < rows; r++, sums += dense->width)
        for (size_t j = 0; j < dense->columns; j++)
            *out++ = plain ? sums[j] + dense->wide[j] : ax_dense_wide(dense, sums[j], j);
}

/* Sums of the next rows, and how many those are. */
AX_LANES_INLINE size_t
ax_dense_next(const struct ax_onnx_dense *dense, const float *rows, size_t stride, size_t left,
              double *room)
{
    size_t depth = dense->depth;
    if (dense->columns <= AX_ONNX_DENSE_FEW) {
        if (left >= 8)
            ax_dense_rows_of_few(dense, rows, stride, room);
        else
            ax_dense_row_of_few(dense, rows, room);
        return left >= 8 ? 8 : 1;
    }
    size_t count = left >= AX_ONNX_DENSE_ROWS ? AX_ONNX_DENSE_ROWS : 1;
    double *widened = room + count * dense->width;
    for (size_t r = 0; r < count; r++)
        for (size_t k = 0; k < depth; k++)
            widened[r * depth + k] = (double)rows[r * stride + k];
    if (count == 1)
        ax_dense_row(dense, widened, room);
    else
        ax_dense_rows(dense, widened, room);
    return count;
}

static void
ax_onnx_dense_loop(const struct ax_onnx_dense *dense, const float *rows, size_t stride,
                   size_t row_count, double *room, float *out)
{
    for (size_t i = 0, count; i < row_count; i += count) {
        count = ax_dense_next(dense, rows + i * stride, stride, row_count - i, room);
        ax_dense_finish(dense, room, count, out + i * dense->columns);
    }
}

static void
ax_onnx_dense_sums(const struct ax_onnx_dense *dense, const float *rows, size_t stride,
                   size_t row_count, double *room, double *out)
{
    for (size_t i = 0, count; i < row_count; i += count) {
        count = ax_dense_next(dense, rows + i * stride, stride, row_count - i, room);
        ax_dense_finish_wide(dense, room, count, out + i * dense->columns);
    }
}

/*
 * What the kernels of forests have in common: the rows they read and the levels of machine that
 * they are written for.
 *
 * A level is a whole set of kernels in translation units of its own, compiled for instructions
 * that the rest of the program does not assume. All levels give the same bits.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/* Each includes the ones before. */
enum ax_forest_level {
    AX_FOREST_PORTABLE, /* C alone */
    AX_FOREST_AVX2,
    AX_FOREST_AVX512, /* F, BW, DQ, VL, VBMI and GFNI: Ice Lake, Zen 4 and later */
};

/* Rows of features next to each other; NaN is missing. The types are as the rows say. */
struct ax_forest_rows {
    const void *at;
    size_t count;
    size_t stride_bytes;
    bool f32; /* floats, else doubles */
};

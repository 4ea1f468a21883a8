/*
 * What the kernels of forests have in common: the rows they read, and how.
 *
 * A level of machine (enum ax_engine_level) has kernels in translation units of its own, compiled
 * for instructions that the rest of the program does not assume. All levels give the same bits.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/* Rows of features next to each other; NaN is missing. The types are as the rows say. */
struct ax_forest_rows {
    const void *at;
    size_t count;
    size_t stride_bytes;
    bool f32;  /* floats, else doubles */
    bool fast; /* leaves are added in runs: see forest.h */
};

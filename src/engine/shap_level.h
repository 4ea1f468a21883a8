/*
 * The fast explanation kernels, once for each kind of processor, and which one runs here.
 *
 * A level is a table of the same five functions compiled for other instructions. They all give the
 * same bits (shap_lanes.h says why), so a decision explained on one machine replays on any other.
 */
#pragma once

#include "engine/engine.h"
#include "engine/shap_decide.h"
#include "engine/shap_node.h"
#include "engine/shap_table.h"

/* Working memory of a table's row. */
struct ax_shap_table_work {
    uint32_t *where; /* one a unit */
    double *spill;   /* ax_shap_table_spill_count, aligned to 64 bytes */
};

/* Working memory of nodes; vectors aligned to 64 bytes. For one row all by slot of a block and
 * point; for rows by slot of a tree, point and row. */
struct ax_shap_node_work {
    double *g;             /* G on the way up, P on the way down */
    double *a, *z;         /* of tops */
    const double **where;  /* entries of units; one row */
    uint64_t *index;       /* of units; rows */
    uint64_t *left, *live; /* rows of a block, by top; rows */
    const double *tables;  /* of ax_shap_node_rows_make; rows */
    double *sums;          /* one row: [class][column]; rows: [group][class][column][8] */
};

struct ax_shap_level {
    const char *name;
    enum ax_engine_level level;
    unsigned rows_min; /* of a group of eight rows, for node_rows to pay; 9: never */

    /* A row's bits from its ranks; bytes behind the last slot are left as they are. */
    void (*bits)(const struct ax_shap_decide *decide, const uint16_t *ranks, uint8_t *out_bits);
    /* For each slot the word of AX_SHAP_BLOCK rows, from their ranks column by column. */
    void (*words)(const struct ax_shap_decide *decide, const uint16_t *ranks, uint64_t *out_words);
    /* A row's contributions, column by column. */
    void (*table)(const struct ax_shap_table *table, const uint8_t *bits,
                  const struct ax_shap_table_work *work, double *out);
    void (*node_row)(const struct ax_shap_nodes *nodes, const uint8_t *bits,
                     const struct ax_shap_node_work *work, double *out);
    /* Of `groups` times 8 rows, the first of them `first` in the words; results are in
     * work->sums: [group][class 0][column][8]. */
    void (*node_rows)(const struct ax_shap_nodes *nodes, const uint64_t *words, size_t first,
                      size_t groups, const struct ax_shap_node_work *work);
};

/* The level asked for, or the best that the processor has below it. */
const struct ax_shap_level *ax_shap_level_pick(enum ax_engine_level level);

extern const struct ax_shap_level ax_shap_level_portable;
#if defined(__x86_64__)
extern const struct ax_shap_level ax_shap_level_avx2, ax_shap_level_avx512;
#endif

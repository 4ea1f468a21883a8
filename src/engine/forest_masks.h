/*
 * K2: a table from rank to leaf masks, for one row at a time.
 *
 * Idea. For each column and each rank that a value can have there, and for each tree, a mask has a
 * bit for every leaf that the column's tests leave possible. The AND over the columns leaves one
 * bit, which is the leaf. No branch, no dependent load but the leaf's value; 16 trees of up to 32
 * leaves are a register of 64 bytes, 8 of up to 64. Thresholds, sets of ranks, categories and
 * missing values are alike here: each is a rank.
 *
 * Cost: F T/16 loads of 64 bytes and ANDs for F columns and T trees (T/8 above 32 leaves), then 4
 * operations a tree, an addition among them, whose latency is the bound below.
 * Table: (cuts + F) T masks of 4 or 8 bytes; quick while it fits a second cache, and the lines it
 * touches differ from row to row, so that it suffers most when many models share the caches.
 *
 * LEGAL NOTE. This is a mask-AND scheme of the QuickScorer family (Lucchese, Nardini, Orlando,
 * Perego, Tonellotto, Venturini: QuickScorer, SIGIR 2015). Its authors' README claims a patent
 * application for that method (Tiscali, PCT29914), whose state we do not know. A lawyer decides
 * whether you may use it, so it is never chosen by itself: the setting `leaf_masks` allows it
 * (struct ax_engine_config), or a test asks for it by name. Nothing else in this engine uses leaf
 * masks. The code is ours, from the idea alone.
 */
#pragma once

#include "engine/forest_row.h"

enum {
    AX_FOREST_MASKS_LEAVES_MAX = 64, /* of a tree */
    AX_FOREST_MASKS_STEP = 128,      /* bytes of masks that are made together */
    AX_FOREST_MASKS_BYTES_MAX = 16 << 20,
};

/* What a plan's table is like. */
struct ax_forest_masks {
    uint32_t each; /* bytes of a mask, 4 or 8; 0: a tree has too many leaves, or it is too large */
    size_t rank;   /* bytes of a rank: masks of all trees, in whole steps */
    size_t bytes;  /* of the table */
};

struct ax_forest_masks ax_forest_masks_of(const struct ax_forest_plan *plan);

/* Ranks that a value can have in a column; columns follow each other in the table. */
size_t ax_forest_masks_ranks(const struct ax_forest_column *column);

/* Fills a table of ax_forest_masks_of(plan).bytes. ctx->arena: working memory. Fails: LIMIT. */
ax_status ax_forest_masks_write(struct ax_ctx *ctx, const struct ax_forest_plan *plan, void *out);

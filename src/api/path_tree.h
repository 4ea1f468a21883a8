/*
 * Paths by their segments: which entry answers "/v2/models/credit/infer".
 *
 * A pattern is literal segments, "{word}" for any one segment, and "{word*}" at the end for the
 * rest of the path. A literal wins over a word. Made once at start, read by every thread.
 */
#pragma once

#include "base/ctx.h"

struct ax_path_tree;

enum { AX_PATH_WORDS_MAX = 4, AX_PATH_METHODS_MAX = 8 };

struct ax_path_tree *ax_path_tree_new(struct ax_arena *arena);

/* Keeps entry under pattern and slot (a method). false when short of memory, or on a clash. */
[[nodiscard]] bool ax_path_tree_add(struct ax_path_tree *tree, const char *pattern, size_t slot,
                                    const void *entry);

struct ax_path_match {
    const void *const *entries;      /* AX_PATH_METHODS_MAX of them; NULL where there is none */
    ax_str words[AX_PATH_WORDS_MAX]; /* still percent-encoded, slices of the path */
    size_t word_count;
};

/* false when no pattern fits. */
[[nodiscard]] bool ax_path_tree_find(const struct ax_path_tree *tree, ax_str path,
                                     struct ax_path_match *out_match);

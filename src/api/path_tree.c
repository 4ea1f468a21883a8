#include "api/path_tree.h"

/* One segment of the patterns; children are few, so they are a list. */
struct node {
    ax_str literal; /* "" for a word */
    struct node *children;
    struct node *word; /* the child that takes any segment */
    struct node *rest; /* the child that takes all that is left */
    struct node *next;
    const void *entries[AX_PATH_METHODS_MAX];
    bool ends; /* a pattern ends here */
};

struct ax_path_tree {
    struct ax_arena *arena;
    struct node root;
};

struct ax_path_tree *
ax_path_tree_new(struct ax_arena *arena)
{
    struct ax_path_tree *tree = AX_NEW(arena, struct ax_path_tree);
    if (tree)
        tree->arena = arena;
    return tree;
}

static struct node *
child_of(struct ax_path_tree *tree, struct node *parent, ax_str segment)
{
    bool word = segment.len > 1 && segment.at[0] == '{';
    bool rest = word && segment.at[segment.len - 2] == '*';
    struct node **place = rest ? &parent->rest : &parent->word;
    if (!word) {
        place = &parent->children;
        while (*place && !ax_str_eq((*place)->literal, segment))
            place = &(*place)->next;
    }
    if (!*place) {
        *place = AX_NEW(tree->arena, struct node);
        if (*place && !word)
            (*place)->literal = segment;
    }
    return *place;
}

bool
ax_path_tree_add(struct ax_path_tree *tree, const char *pattern, size_t slot, const void *entry)
{
    ax_str path = ax_str_from(ax_str_of(pattern), 1), segment;
    struct node *node = &tree->root;
    while (node && ax_str_cut(&path, '/', &segment))
        node = child_of(tree, node, segment);
    if (!node || node->entries[slot])
        return false;
    node->entries[slot] = entry;
    node->ends = true;
    return true;
}

static const struct node *
literal_child(const struct node *node, ax_str segment)
{
    for (const struct node *child = node->children; child; child = child->next)
        if (ax_str_eq(child->literal, segment))
            return child;
    return NULL;
}

bool
ax_path_tree_find(const struct ax_path_tree *tree, ax_str path, struct ax_path_match *out_match)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    ax_str left = ax_str_from(path, 1), whole = left, segment;
    const struct node *node = &tree->root;
    out_match->word_count = 0;
    for (; ax_str_cut(&left, '/', &segment); whole = left) {
        const struct node *next = literal_child(node, segment);
        if (!next && segment.len > 0 && out_match->word_count < AX_PATH_WORDS_MAX) {
            if (!node->word && node->rest) { /* all that is left, slashes too */
                segment = whole;
                left = (ax_str){};
            }
            next = node->word ? node->word : node->rest;
            out_match->words[out_match->word_count++] = segment;
        }
        if (!next)
            return false;
        node = next;
    }
    out_match->entries = node->entries;
    return node->ends;
}

#include "api/path_tree.h"

#include "harness.h"

/* Patterns by what is kept under them: slot 0 holds the entry, its text is the pattern. */
static const char *const patterns[] = {
    "/v2",
    "/v2/models/{model}",
    "/v2/models/{model}/infer",
    "/v2/models/{model}/versions/{version}/infer",
    "/v2/models/all",
    "/tile/{path*}",
    "/x/{a}/{b}/{c}/{d}/{e}",
};

static ax_status
make(struct ax_ctx *ctx, struct ax_path_tree **out_tree)
{
    struct ax_path_tree *tree = ax_path_tree_new(ctx->arena);
    for (size_t i = 0; tree && i < AX_COUNT_OF(patterns); i++)
        if (!ax_path_tree_add(tree, patterns[i], 0, patterns[i]))
            tree = NULL;
    *out_tree = tree;
    return tree ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a tree");
}

static void
found(struct ax_ctx *ctx)
{
    static const struct {
        const char *path, *pattern; /* NULL: none fits */
        const char *words[2];
    } cases[] = {
        {"/v2", "/v2", {}},
        {"/v2/", NULL, {}},
        {"/", NULL, {}},
        {"", NULL, {}},
        {"*", NULL, {}},
        {"v2", NULL, {}},
        {"/v3", NULL, {}},
        {"/v2/models", NULL, {}},
        {"/v2/models/credit", "/v2/models/{model}", {"credit"}},
        {"/v2/models/a%2Fb", "/v2/models/{model}", {"a%2Fb"}}, /* still encoded */
        {"/v2/models/all", "/v2/models/all", {}},              /* a literal wins over a word */
        {"/v2/models/all/infer", NULL, {}},                    /* and is not gone back on */
        {"/v2/models//infer", NULL, {}},
        {"/v2/models/credit/infer", "/v2/models/{model}/infer", {"credit"}},
        {"/v2/models/credit/infer/", NULL, {}},
        {"/v2/models/credit/versions/7/infer",
         "/v2/models/{model}/versions/{version}/infer",
         {"credit", "7"}},
        {"/v2/models/credit/versions/7", NULL, {}},
        {"/tile", NULL, {}},
        {"/tile/", NULL, {}},
        {"/tile/0", "/tile/{path*}", {"0"}},
        {"/tile/entries/x001/067.p/3", "/tile/{path*}", {"entries/x001/067.p/3"}},
        {"/x/1/2/3/4/5", NULL, {}}, /* more words than a match holds */
    };
    struct ax_path_tree *tree = NULL;
    CHECK_EQ(make(ctx, &tree), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_path_match match = {};
        bool fits = ax_path_tree_find(tree, ax_str_of(cases[i].path), &match);
        if (fits != (cases[i].pattern != NULL)) {
            ax_test_failed(__FILE__, __LINE__, "%s: %s", cases[i].path,
                           fits ? "something fits" : "nothing fits");
            continue;
        }
        if (!fits)
            continue;
        CHECK(strcmp(match.entries[0], cases[i].pattern) == 0 && match.entries[1] == NULL);
        size_t words = cases[i].words[0] ? cases[i].words[1] ? 2 : 1 : 0;
        CHECK_EQ(match.word_count, words);
        for (size_t w = 0; w < words && w < match.word_count; w++)
            CHECK_STR(match.words[w], cases[i].words[w]);
    }
}

TEST(a_path_finds_its_pattern_and_the_words_in_it)
{
    ax_test_with_ctx(found);
}

static void
clashes(struct ax_ctx *ctx)
{
    struct ax_path_tree *tree = NULL;
    struct ax_path_match match = {};
    CHECK_EQ(make(ctx, &tree), AX_OK);
    CHECK(!ax_path_tree_add(tree, "/v2/models/{model}", 0, "again"));
    CHECK(!ax_path_tree_add(tree, "/v2/models/{other}", 0, "by another name"));
    CHECK(ax_path_tree_add(tree, "/v2/models/{model}", 2, "another method"));
    CHECK(ax_path_tree_find(tree, AX_STR("/v2/models/x"), &match));
    CHECK(strcmp(match.entries[0], "/v2/models/{model}") == 0);
    CHECK(strcmp(match.entries[2], "another method") == 0);
}

TEST(one_pattern_holds_one_entry_a_method)
{
    ax_test_with_ctx(clashes);
}

static ax_status
make_once(struct ax_ctx *ctx)
{
    struct ax_path_tree *tree;
    return make(ctx, &tree);
}

TEST(making_a_tree_of_paths_survives_every_fault)
{
    FAULT_SWEEP(make_once);
}

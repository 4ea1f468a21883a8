#include "engine/onnx_ops.h"

#include <stdlib.h>

#include "codec/compress.h"
#include "engine/onnx.h"
#include "harness.h"
#include "onnx_case.h"
#include "sys/file.h"

/*
 * The onnx package's own node tests, one operator (or one function written out) a model.
 *
 * All those whose operators Axiom claims must pass, up to rtol 1e-6 and atol 2e-7 (what is wanted
 * was computed in float32 and carries that noise); 16-bit floats up to two steps. What is claimed
 * is what the tables of operators say; the rest is named.
 */

static const char large_set[] = "../shared/models/onnx_node_tests.tar.gz";
static const char small_set[] = "tests/model/onnx/node_tests.tar.gz";

enum { SET_BYTES_MAX = 1 << 28, TAR_BLOCK = 512, TEST_BYTES_MAX = 1 << 26 };

/* A file of a tar archive that is read from front to back. */
struct entry {
    ax_str name, bytes;
};

/* The path of a pax header: "87 path=node_tests/...\n" among other records. */
static ax_str
pax_path(ax_str records)
{
    size_t at = ax_str_find(records, AX_STR("path="));
    ax_str rest = ax_str_from(records, at == SIZE_MAX ? records.len : at + 5), path = {};
    return ax_str_cut(&rest, '\n', &path) ? path : (ax_str){};
}

static bool
next_entry(ax_str *rest, struct entry *out)
{
    ax_str long_name = {};
    while (rest->len >= TAR_BLOCK && rest->at[0]) {
        size_t size = 0;
        for (const char *digit = rest->at + 124; *digit >= '0' && *digit <= '7'; digit++)
            size = size * 8 + (size_t)(*digit - '0');
        char type = rest->at[156];
        out->name = long_name.at ? long_name : (ax_str){rest->at, strnlen(rest->at, 100)};
        out->bytes = (ax_str){rest->at + TAR_BLOCK, size};
        size_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK + TAR_BLOCK;
        if (padded > rest->len)
            return false;
        *rest = ax_str_from(*rest, padded);
        if (type == '0' || type == 0)
            return true;
        long_name = type == 'x'   ? pax_path(out->bytes)
                    : type == 'L' ? ax_str_of(out->bytes.at)
                                  : (ax_str){};
    }
    return false;
}

/* Empty where it is not there. */
static ax_str
read_archive(struct ax_ctx *ctx, const char *path)
{
    ax_str packed, bytes = {};
    ax_writer_auto struct ax_writer out = ax_writer_of(SET_BYTES_MAX / 4);
    if (ax_file_read_all(ctx, ax_str_of(path), SET_BYTES_MAX / 4, &packed) != AX_OK)
        return bytes;
    CHECK_EQ(ax_compress_inflate(ctx, AX_COMPRESS_GZIP, packed, &out), AX_OK);
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &bytes), AX_OK);
    return bytes;
}

/* All files of one test: test/model.onnx, test/test_data_set_N/input_M.pb ... */
struct node_test {
    ax_str name; /* "node_tests/test_abs" */
    ax_str model;
    struct {
        AX_ARRAY(struct entry)
    } data;
};

static ax_str
folder_of(ax_str name)
{
    ax_str folder = AX_STR("node_tests/");
    size_t at = ax_str_starts(name, folder) ? folder.len : 0;
    size_t slash = ax_str_find(ax_str_from(name, at), AX_STR("/"));
    return (ax_str){name.at, slash == SIZE_MAX ? name.len : at + slash};
}

static ax_str
data_of(struct ax_ctx *ctx, const struct node_test *test, size_t set, const char *kind,
        size_t index)
{
    ax_str wanted = ax_str_printf(ctx->arena, "%.*s/test_data_set_%zu/%s_%zu.pb",
                                  AX_FMT(test->name), set, kind, index);
    for (size_t i = 0; i < test->data.count; i++)
        if (ax_str_eq(test->data.items[i].name, wanted))
            return test->data.items[i].bytes;
    return (ax_str){};
}

/* One data set of a test; false when there is none of that number. */
static bool
check_set(struct ax_ctx *ctx, const struct node_test *test, const struct ax_engine *engine,
          size_t set)
{
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    struct ax_tensor *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->input_count + 1);
    char why[160];
    if (!data_of(ctx, test, set, "output", 0).at)
        return false;
    for (size_t i = 0; i < graph->input_count; i++)
        inputs[i] = onnx_tensor(ctx, data_of(ctx, test, set, "input", i));
    const struct ax_tensor *outputs = onnx_run(ctx, engine, inputs);
    if (!outputs)
        ax_test_failed(__FILE__, __LINE__, "%.*s does not run", AX_FMT(test->name));
    for (size_t i = 0; outputs && i < graph->output_count; i++) {
        struct ax_tensor wanted = onnx_tensor(ctx, data_of(ctx, test, set, "output", i));
        if (!onnx_tensors_agree(&outputs[i], &wanted, 1e-6, 2e-7, why, sizeof why))
            ax_test_failed(__FILE__, __LINE__, "%.*s, output %zu: %s", AX_FMT(test->name), i, why);
    }
    return true;
}

struct tally {
    size_t passed, unclaimed, ml;
    struct ax_writer *names; /* of operators that are not claimed, once each */
};

/* "operator LSTM of operator set 22 is none ...": the operator's name. */
static void
note_unclaimed(struct tally *tally, const char *error)
{
    ax_str word = ax_str_of(error), rest = word;
    size_t at = ax_str_find(rest, AX_STR("operator "));
    rest = at == SIZE_MAX ? AX_STR("training") : ax_str_from(rest, at + 9);
    (void)ax_str_cut(&rest, ' ', &word);
    tally->unclaimed++;
    if (ax_str_find(ax_writer_str(tally->names), word) == SIZE_MAX)
        ax_writer_print(tally->names, " %.*s", AX_FMT(word));
}

static void
check_test(const struct node_test *test, struct tally *tally)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_arena_free) struct ax_arena *own = ax_arena_new(TEST_BYTES_MAX);
    struct ax_engine *engine = NULL; /* in `own`; ONNX Runtime is not asked */
    struct ax_onnx_file file;
    ax_status status = ax_onnx_file_read(&ctx, test->model, &file);
    if (status == AX_OK)
        status = ax_onnx_read(&ctx, own, test->model, AX_ENGINE_LEVEL_BEST, &engine);
    if (status == AX_UNSUPPORTED) {
        note_unclaimed(tally, ctx.error);
        return;
    }
    if (status != AX_OK) {
        ax_test_failed(__FILE__, __LINE__, "%.*s: %s", AX_FMT(test->name), ctx.error);
        return;
    }
    size_t sets = 0;
    while (check_set(&ctx, test, engine, sets))
        sets++;
    if (sets == 0)
        ax_test_failed(__FILE__, __LINE__, "%.*s has no data", AX_FMT(test->name));
    tally->passed++;
    tally->ml += ax_str_eq(file.graph.nodes.items[0].domain, AX_STR("ai.onnx.ml"));
}

static void
check_archive(struct ax_ctx *ctx, ax_str archive, struct tally *tally)
{
    struct node_test test = {};
    struct entry entry;
    while (next_entry(&archive, &entry)) {
        ax_str folder = folder_of(entry.name);
        if (test.name.at && !ax_str_eq(folder, test.name)) {
            check_test(&test, tally);
            test = (struct node_test){};
        }
        test.name = folder;
        if (ax_str_ends(entry.name, AX_STR("/model.onnx")))
            test.model = entry.bytes;
        struct entry *slot = AX_ARRAY_PUSH(ctx->arena, &test.data);
        REQUIRE(slot);
        *slot = entry;
    }
    if (test.name.at)
        check_test(&test, tally);
}

TEST(node_tests_of_the_operators_claimed_pass)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SET_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer names = ax_writer_of(1 << 16);
    struct tally tally = {.names = &names};
    ax_str archive = read_archive(&ctx, large_set);
    if (archive.len == 0) {
        printf("skipped: %s is not there\n", large_set);
        return;
    }
    check_archive(&ctx, archive, &tally);
    printf("%zu node tests of ONNX pass, %zu of them ai.onnx.ml; %zu skipped, of operators left to "
           "ONNX Runtime:%.*s\n",
           tally.passed, tally.ml, tally.unclaimed, AX_FMT(ax_writer_str(&names)));
    CHECK_EQ(tally.ml, 8);
    CHECK_EQ(tally.passed + tally.unclaimed, 914);
}

TEST(node_tests_that_come_with_the_sources_pass)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(SET_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer names = ax_writer_of(1 << 16);
    struct tally tally = {.names = &names};
    ax_str archive = read_archive(&ctx, small_set);
    REQUIRE(archive.len > 0);
    check_archive(&ctx, archive, &tally);
    CHECK(tally.passed > 150);
    CHECK_EQ(tally.unclaimed, 0);
}

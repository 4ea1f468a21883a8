#include "mlops/artifacts.h"

#include "sys/clock.h"
#include "tracking_case.h"

static void
paths(struct ax_ctx *ctx)
{
    static const struct {
        const char *path, *plain; /* NULL: refused */
    } cases[] = {
        {"a/b.txt", "a/b.txt"}, {"a//b/./c/", "a/b/c"}, {"", ""},
        {"a%20b", "a b"},       {"a%2Fb", "a/b"},       {"50%", "50%"},
        {"..a/b..", "..a/b.."}, {"../a", NULL},         {"a/../b", NULL},
        {"%2e%2e/x", NULL},     {"%252e%252e/x", NULL}, {"/etc/passwd", NULL},
        {"%2fetc", NULL},       {"a#b", NULL},          {"a%23b", NULL},
        {"a\\b", NULL},         {"%ff", NULL},          {"a%00b", NULL},
        {".blobs/x", NULL},     {"./.blobs/x", NULL},   {"x/.blobs", "x/.blobs"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str plain = AX_STR("");
        ax_status status = ax_artifacts_check_path(ctx, ax_str_of(cases[i].path), &plain);
        if (status != (cases[i].plain ? AX_OK : AX_INVALID) ||
            (cases[i].plain && !ax_str_eq(plain, ax_str_of(cases[i].plain))))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %.*s", cases[i].path,
                           ax_status_name(status), AX_FMT(plain));
    }
}

TEST(paths_do_not_lead_out)
{
    ax_test_with_ctx(paths);
}

static ax_status
get(struct ax_ctx *ctx, struct tracking_case *at, const char *path, uint64_t offset, uint64_t len,
    ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_artifacts_place place;
    AX_TRY(ax_artifacts_at(at->artifacts, ctx, ax_str_of(path), &place));
    AX_TRY(ax_artifacts_read(at->artifacts, ctx, &place, offset, len, &text));
    return ax_writer_take(&text, ctx->arena, out);
}

static void
files(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str bytes = AX_STR(""), on_disk = AX_STR("");
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/d/a.txt"), AX_STR("hello")),
             AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/b"), AX_STR("hello")),
             AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/empty"), AX_STR("")),
             AX_OK);
    ax_str file = ax_path_join(ctx->arena, at->artifact_folder, AX_STR("1/r/artifacts/d/a.txt"));
    CHECK_EQ(ax_file_read_all(ctx, file, 100, &on_disk), AX_OK);
    CHECK_STR(on_disk, "hello");
    CHECK_EQ(get(ctx, at, "1/r/artifacts/d/a.txt", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_STR(bytes, "hello");
    CHECK_EQ(get(ctx, at, "1/r/artifacts/d/a.txt", 1, 3, &bytes), AX_OK);
    CHECK_STR(bytes, "ell");
    CHECK_EQ(get(ctx, at, "1/r/artifacts/d/a.txt", 9, 3, &bytes), AX_OK);
    CHECK_STR(bytes, "");
    CHECK_EQ(get(ctx, at, "1/r/artifacts/empty", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_EQ(get(ctx, at, "1/r/artifacts/d", 0, 1, &bytes), AX_NOT_FOUND);
    CHECK_EQ(get(ctx, at, "none", 0, 1, &bytes), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "No such artifact: 'none'"));
    /* another content takes the place of the first */
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/b"), AX_STR("other")),
             AX_OK);
    CHECK_EQ(get(ctx, at, "1/r/artifacts/b", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_STR(bytes, "other");
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/d"), AX_STR("x")),
             AX_INVALID);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("1/r/artifacts/b/c"), AX_STR("x")),
             AX_INVALID);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR(""), AX_STR("x")), AX_INVALID);
    TRACKING_CASE_SHOWN(shown);
    struct ax_artifacts_place place;
    CHECK_EQ(ax_artifacts_find(at->artifacts, ctx, AX_STR("mlflow-artifacts:/1/r/artifacts"),
                               AX_STR(""), &place),
             AX_OK);
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_artifacts_list(at->artifacts, ctx, &place, AX_STR(""), &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    CHECK(tracking_case_says(&shown, "{\"files\":[{\"path\":\"b\",\"is_dir\":false,\"file_size\":5}"
                                     ",{\"path\":\"d\",\"is_dir\":true},{\"path\":\"empty\","));
    TRACKING_CASE_SHOWN(top);
    CHECK_EQ(ax_artifacts_at(at->artifacts, ctx, AX_STR(""), &place), AX_OK);
    ax_json_begin_object(&top.json);
    CHECK_EQ(ax_artifacts_list(at->artifacts, ctx, &place, AX_STR(""), &top.json), AX_OK);
    ax_json_end_object(&top.json);
    CHECK_STR(ax_writer_str(&top.text), "{\"files\":[{\"path\":\"1\",\"is_dir\":true}]}");
}

TEST(artifacts_are_files_under_their_paths)
{
    tracking_case_run(files);
}

static void
damage(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str bytes = AX_STR("");
    ax_file file = {-1};
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("a"), AX_STR("hello")), AX_OK);
    ax_str path = ax_path_join(ctx->arena, at->artifact_folder, AX_STR("a"));
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &file), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, file, 0, AX_STR("J")), AX_OK);
    ax_file_close(&file);
    CHECK_EQ(get(ctx, at, "a", 0, UINT64_MAX, &bytes), AX_CORRUPT);
    CHECK(tracking_case_fails(ctx, "a is damaged"));
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("a"), AX_STR("hello")), AX_OK); /* mends */
    CHECK_EQ(get(ctx, at, "a", 0, UINT64_MAX, &bytes), AX_OK);
    ax_str laid = ax_path_join(ctx->arena, at->artifact_folder, AX_STR("laid"));
    CHECK_EQ(ax_file_write_atomic(ctx, laid, AX_STR("by hand")), AX_OK);
    CHECK_EQ(get(ctx, at, "laid", 0, UINT64_MAX, &bytes), AX_OK);
}

TEST(what_was_changed_is_not_given_out)
{
    tracking_case_run(damage);
}

static int64_t
blobs(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    ax_digest *digests;
    size_t count = 0;
    ax_str folder = ax_path_join(ctx->arena, at->artifact_folder, AX_STR(AX_ARTIFACTS_BLOBS));
    CHECK_EQ(ax_fs_open(ctx, folder, &blob), AX_OK);
    CHECK_EQ(ax_blob_list(blob, ctx, NULL, 100, &digests, &count), AX_OK);
    return (int64_t)count;
}

static void
deleting(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str bytes = AX_STR("");
    static const char *const names[] = {"1/a", "1/b/c", "1/b/d", "12/a"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, ax_str_of(names[i]),
                                  i == 2 ? AX_STR("only here") : AX_STR("same")),
                 AX_OK);
    CHECK_EQ(blobs(ctx, at), 2);
    CHECK_EQ(ax_artifacts_delete(at->artifacts, ctx, AX_STR("1/b")), AX_OK);
    CHECK_EQ(blobs(ctx, at), 1);
    CHECK_EQ(get(ctx, at, "1/a", 0, 9, &bytes), AX_OK);
    CHECK_EQ(get(ctx, at, "1/b/c", 0, 9, &bytes), AX_NOT_FOUND);
    CHECK_EQ(ax_artifacts_delete(at->artifacts, ctx, AX_STR("1")), AX_OK);
    CHECK_EQ(get(ctx, at, "12/a", 0, 9, &bytes), AX_OK);
    CHECK_EQ(ax_artifacts_delete(at->artifacts, ctx, AX_STR("none")), AX_OK);
    CHECK_EQ(ax_artifacts_delete(at->artifacts, ctx, AX_STR("")), AX_INVALID);
    CHECK_EQ(ax_artifacts_delete(at->artifacts, ctx, AX_STR("12")), AX_OK);
    CHECK_EQ(blobs(ctx, at), 0);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from artifact_files"), 0);
}

TEST(what_nobody_needs_is_deleted)
{
    tracking_case_run(deleting);
}

static void
parts(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str id = AX_STR(""), bytes = AX_STR("");
    ax_digest digest;
    static const int64_t order[] = {1, 2}, missing[] = {1, 3};
    struct ax_artifacts *artifacts = at->artifacts;
    CHECK_EQ(ax_artifacts_begin_parts(artifacts, ctx, &id), AX_OK);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, id, 2, AX_STR("lo"), &digest), AX_OK);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, id, 1, AX_STR("x"), &digest), AX_OK);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, id, 1, AX_STR("hel"), &digest), AX_OK);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, id, 0, AX_STR("x"), &digest), AX_INVALID);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, AX_STR("../x"), 1, AX_STR("x"), &digest),
             AX_NOT_FOUND);
    CHECK_EQ(ax_artifacts_complete_parts(artifacts, ctx, id, AX_STR("d/f"), missing, 2),
             AX_INVALID);
    CHECK_EQ(ax_artifacts_complete_parts(artifacts, ctx, id, AX_STR("d/f"), order, 2), AX_OK);
    CHECK_EQ(get(ctx, at, "d/f", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_STR(bytes, "hello");
    CHECK_EQ(ax_artifacts_complete_parts(artifacts, ctx, id, AX_STR("d/f"), order, 2),
             AX_NOT_FOUND);
    CHECK_EQ(ax_artifacts_begin_parts(artifacts, ctx, &id), AX_OK);
    CHECK_EQ(ax_artifacts_abort_parts(artifacts, ctx, id), AX_OK);
    CHECK_EQ(ax_artifacts_put_part(artifacts, ctx, id, 1, AX_STR("x"), &digest), AX_NOT_FOUND);
}

TEST(parts_are_joined_in_order)
{
    tracking_case_run(parts);
}

static void
quota(struct ax_ctx *ctx, struct tracking_case *at)
{
    char *room = ax_arena_alloc(ctx->arena, 1, 1 << 20);
    REQUIRE(room != NULL);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("a"), (ax_str){room, 600 << 10}), AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("b"), (ax_str){room, 600 << 10}),
             AX_INVALID);
    CHECK(tracking_case_fails(ctx, "tracking.artifact_bytes_max"));
}

TEST(artifacts_have_a_quota)
{
    tracking_case_run(quota);
}

/* How many files lie in the folder of what is not yet whole. */
static size_t
incoming(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str *names, folder = ax_path_join(ctx->arena, at->artifact_folder,
                                         AX_STR(AX_ARTIFACTS_BLOBS "/incoming"));
    size_t count = 99;
    CHECK_EQ(ax_file_list(ctx, folder, &names, &count), AX_OK);
    return count;
}

static void
pieces(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_artifacts_upload *upload = NULL;
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_artifacts_upload(at->artifacts, ctx, AX_STR("../x"), &upload), AX_INVALID);
    CHECK_EQ(ax_artifacts_upload(at->artifacts, ctx, AX_STR("1/big"), &upload), AX_OK);
    CHECK_EQ(ax_artifacts_write(upload, ctx, AX_STR("one ")), AX_OK);
    CHECK_EQ(ax_artifacts_write(upload, ctx, AX_STR("two")), AX_OK);
    CHECK_EQ(incoming(ctx, at), 1);
    CHECK_EQ(get(ctx, at, "1/big", 0, UINT64_MAX, &bytes), AX_NOT_FOUND);
    CHECK_EQ(ax_artifacts_finish(upload, ctx), AX_OK);
    ax_artifacts_abandon(upload);
    CHECK_EQ(get(ctx, at, "1/big", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_STR(bytes, "one two");
    CHECK_EQ(ax_artifacts_upload(at->artifacts, ctx, AX_STR("1/gone"), &upload), AX_OK);
    CHECK_EQ(ax_artifacts_write(upload, ctx, AX_STR("half")), AX_OK);
    ax_artifacts_abandon(upload);
    CHECK_EQ(incoming(ctx, at), 0);
    CHECK_EQ(get(ctx, at, "1/gone", 0, UINT64_MAX, &bytes), AX_NOT_FOUND);
    /* the quota of this case is a MiB */
    char *large = ax_arena_alloc(ctx->arena, 1, 1 << 20);
    CHECK_EQ(ax_artifacts_upload(at->artifacts, ctx, AX_STR("1/large"), &upload), AX_OK);
    CHECK_EQ(ax_artifacts_write(upload, ctx, (ax_str){large, 1 << 20}), AX_OK);
    CHECK_EQ(ax_artifacts_finish(upload, ctx), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "artifacts may hold 1048576 bytes together"));
    ax_artifacts_abandon(upload);
    CHECK_EQ(incoming(ctx, at), 0);
}

TEST(an_upload_in_pieces_is_seen_when_it_is_whole)
{
    tracking_case_run(pieces);
}

static ax_status
open_whole(struct ax_ctx *ctx, struct tracking_case *at, const char *path)
{
    struct ax_artifacts_place place;
    ax_file file = {-1};
    AX_TRY(ax_artifacts_at(at->artifacts, ctx, ax_str_of(path), &place));
    ax_status status = ax_artifacts_open_file(at->artifacts, ctx, &place, true, &file);
    ax_file_close(&file);
    return status;
}

/* A file that was found sound is looked at again when somebody has touched it. */
static void
checked(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_file file = {-1};
    CHECK_EQ(open_whole(ctx, at, "none"), AX_NOT_FOUND);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("a"), AX_STR("hello")), AX_OK);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(open_whole(ctx, at, "a"), AX_OK);
    ax_str path = ax_path_join(ctx->arena, at->artifact_folder, AX_STR("a"));
    ax_clock_sleep_ms(20); /* the file system's clock is a coarse one */
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &file), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, file, 0, AX_STR("J")), AX_OK);
    ax_file_close(&file);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(open_whole(ctx, at, "a"), AX_CORRUPT);
    CHECK(tracking_case_fails(ctx, "a is damaged"));
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("a"), AX_STR("hello")), AX_OK);
    CHECK_EQ(open_whole(ctx, at, "a"), AX_OK);
}

TEST(a_file_that_is_sent_on_is_checked_once_and_again_when_touched)
{
    tracking_case_run(checked);
}

static void
elsewhere(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const char *const uris[] = {"s3://b/x", "/etc", "file:///etc", "relative"};
    struct ax_artifacts_place place;
    for (size_t i = 0; i < AX_COUNT_OF(uris); i++)
        CHECK_EQ(ax_artifacts_find(at->artifacts, ctx, ax_str_of(uris[i]), AX_STR(""), &place),
                 AX_INVALID);
    CHECK_EQ(ax_artifacts_find(at->artifacts, ctx, AX_STR("mlflow-artifacts://host:5/1/r"),
                               AX_STR("d"), &place),
             AX_OK);
    CHECK_STR(place.path, "1/r/d");
}

TEST(only_artifacts_of_this_server_are_read)
{
    tracking_case_run(elsewhere);
}

/* A second one over the same folder, with another root for new experiments. */
static struct ax_artifacts *
open_with_root(struct ax_ctx *ctx, struct tracking_case *at, ax_str root)
{
    struct ax_artifacts *artifacts = NULL;
    struct ax_artifacts_config config = {
        .store = at->base.store, .folder = at->artifact_folder, .default_root = root};
    ax_str blobs = ax_path_join(ctx->arena, at->artifact_folder, AX_STR(AX_ARTIFACTS_BLOBS));
    CHECK_EQ(ax_fs_open(ctx, blobs, &config.blob), AX_OK);
    CHECK_EQ(ax_artifacts_open(ctx, &config, &artifacts), AX_OK);
    return artifacts;
}

static void
local_root(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str folder = ax_str_printf(ctx->arena, "%s/local", at->base.folder), bytes = AX_STR("");
    ax_auto(ax_artifacts_close) struct ax_artifacts *artifacts =
        open_with_root(ctx, at, ax_str_printf(ctx->arena, "file://%.*s", AX_FMT(folder)));
    struct ax_artifacts_place place;
    CHECK_EQ(ax_artifacts_find(artifacts, ctx, ax_path_join(ctx->arena, folder, AX_STR("1/r")),
                               AX_STR("d/a.txt"), &place),
             AX_OK);
    CHECK(!place.is_proxied);
    CHECK_EQ(ax_artifacts_put_below(artifacts, ctx, &place, AX_STR("hello")), AX_OK);
    CHECK_EQ(
        ax_file_read_all(ctx, ax_path_join(ctx->arena, folder, AX_STR("1/r/d/a.txt")), 10, &bytes),
        AX_OK);
    CHECK_STR(bytes, "hello");
    place.path = AX_STR("");
    CHECK_EQ(ax_artifacts_put_below(artifacts, ctx, &place, AX_STR("hello")), AX_INVALID);
    ax_str beside = ax_str_printf(ctx->arena, "%.*s-beside/1", AX_FMT(folder));
    CHECK_EQ(ax_artifacts_find(artifacts, ctx, beside, AX_STR("a"), &place), AX_INVALID);
}

TEST(under_a_local_root_artifacts_are_plain_files)
{
    tracking_case_run(local_root);
}

/* New experiments' artifacts are at the address of this server's own proxy. */
static void
by_address(struct ax_ctx *ctx, struct tracking_case *at)
{
#define PROXY "http://axiom:5000/api/2.0/mlflow-artifacts/artifacts"
    static const struct {
        const char *uri, *path; /* NULL: not here */
    } cases[] = {
        {PROXY "/1/r/artifacts", "1/r/artifacts"},
        {PROXY, ""},
        {"mlflow-artifacts:/1/r", "1/r"},
        {PROXY "s/1/r", NULL},
        {PROXY "/1/../2", NULL},
        {"http://other:5000/api/2.0/mlflow-artifacts/artifacts/1/r", NULL},
        {"http://axiom:5000/1/r", NULL},
    };
    ax_auto(ax_artifacts_close) struct ax_artifacts *artifacts =
        open_with_root(ctx, at, AX_STR(PROXY));
#undef PROXY
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_artifacts_place place = {};
        ax_str uri = ax_str_of(cases[i].uri);
        ax_status status = ax_artifacts_find(artifacts, ctx, uri, AX_STR(""), &place);
        if (status != (cases[i].path ? AX_OK : AX_INVALID) ||
            (cases[i].path && (!place.is_proxied || !ax_artifacts_are_proxied(artifacts, uri) ||
                               !ax_str_eq(place.path, ax_str_of(cases[i].path)))))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %.*s", cases[i].uri, ax_status_name(status),
                           AX_FMT(place.path));
    }
}

TEST(artifacts_at_this_servers_own_address_are_read)
{
    tracking_case_run(by_address);
}

static ax_status
swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    char text[32];
    snprintf(text, sizeof text, "content %d", run);
    return ax_artifacts_put(at->artifacts, ctx, AX_STR("1/swept"), ax_str_of(text));
}

/* The path shows this content or one before, whole. */
static void
swept_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    char text[32];
    ax_str file = ax_path_join(ctx->arena, at->artifact_folder, AX_STR("1/swept"));
    ax_str bytes = AX_STR("");
    snprintf(text, sizeof text, "content %d", run);
    bool there = ax_file_exists(file);
    if (there) {
        CHECK_EQ(ax_file_read_all(ctx, file, 100, &bytes), AX_OK);
        CHECK(ax_str_starts(bytes, AX_STR("content ")));
    }
    if (status != AX_OK) /* whoever heard nothing says it again */
        CHECK_EQ(swept(ctx, at, run), AX_OK);
    CHECK_EQ(get(ctx, at, "1/swept", 0, UINT64_MAX, &bytes), AX_OK);
    CHECK_STR(bytes, text);
}

static void
sweep(struct ax_ctx *, struct tracking_case *at)
{
    tracking_case_sweep(at, swept, swept_after);
}

TEST(an_upload_is_seen_whole_or_not_at_all)
{
    tracking_case_run(sweep);
}

#include "sys/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "sys/clock.h"

static char folder[64]; /* a fresh one for each test, which runs in a process of its own */

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-file-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_test_with_ctx(body);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
    CHECK(!ax_file_exists(ax_str_of(folder)));
}

static ax_str
in_folder(struct ax_ctx *ctx, const char *name)
{
    return ax_path_join(ctx->arena, ax_str_of(folder), ax_str_of(name));
}

/* Not through the module under test, nor through its fault points. */
static size_t
plain_read(ax_str path, char *out, size_t len)
{
    FILE *file = fopen(path.at, "r");
    size_t got = file ? fread(out, 1, len, file) : 0;
    if (file)
        fclose(file);
    return got;
}

static void
positioned(struct ax_ctx *ctx)
{
    ax_str path = in_folder(ctx, "log"), all;
    ax_file file = {-1};
    char some[4] = "";
    uint64_t size = 0;
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_READ, &file), AX_NOT_FOUND);
    CHECK(strstr(ctx->error, "log: No such file or directory") != NULL);
    CHECK_EQ(file.fd, -1);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &file), AX_OK);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &(ax_file){-1}), AX_CONFLICT);
    CHECK_EQ(ax_file_write_at(ctx, file, 3, AX_STR("defg")), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, file, 0, AX_STR("abc")), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, file, 0, AX_STR("")), AX_OK);
    CHECK_EQ(ax_file_sync(ctx, file), AX_OK);
    CHECK_EQ(ax_file_read_at(ctx, file, 2, some, sizeof some), AX_OK);
    CHECK(memcmp(some, "cdef", 4) == 0);
    CHECK_EQ(ax_file_read_at(ctx, file, 5, some, sizeof some), AX_CORRUPT);
    CHECK(strstr(ctx->error, "log: it ends before byte 7, 2 bytes are missing") != NULL);
    CHECK_EQ(ax_file_truncate(ctx, file, 5), AX_OK);
    CHECK_EQ(ax_file_size(ctx, file, &size), AX_OK);
    CHECK_EQ(size, 5);
    CHECK(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
    struct stat facts;
    CHECK_EQ(fstat(file.fd, &facts), 0);
    CHECK_EQ(facts.st_mode & 07777, 0600);
    ax_file_close(&file);
    ax_file_close(&file);
    CHECK_EQ(file.fd, -1);
    CHECK_EQ(ax_file_read_all(ctx, path, 5, &all), AX_OK);
    CHECK_STR(all, "abcde");
    CHECK_EQ(ax_file_read_all(ctx, path, 4, &all), AX_LIMIT);
    CHECK(strstr(ctx->error, "5 bytes, at most 4 are allowed") != NULL);
}

TEST(files_are_read_and_written_at_positions)
{
    in_fresh_folder(positioned);
}

static void
prepared(struct ax_ctx *ctx)
{
    enum { SIZE = 700'000 };
    ax_file file;
    struct stat facts;
    uint64_t size;
    ax_str path = in_folder(ctx, "segment"), bytes;
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &file), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, file, 0, AX_STR("head")), AX_OK);
    CHECK_EQ(ax_file_prepare(ctx, file, SIZE), AX_OK);
    CHECK_EQ(ax_file_prepare(ctx, file, 10), AX_OK); /* never shorter */
    CHECK_EQ(ax_file_size(ctx, file, &size), AX_OK);
    CHECK_EQ(size, SIZE);
    CHECK_EQ(fstat(file.fd, &facts), 0);
    CHECK(facts.st_blocks * 512 >= SIZE); /* written, not a hole */
    ax_file_close(&file);
    CHECK_EQ(ax_file_map(ctx, path, &bytes), AX_OK);
    CHECK_EQ(bytes.len, SIZE);
    CHECK(ax_str_starts(bytes, AX_STR("head")));
    size_t zeros = 0;
    for (size_t i = 4; i < bytes.len; i++)
        zeros += bytes.at[i] == 0;
    CHECK_EQ(zeros, SIZE - 4);
    ax_file_unmap(bytes);
}

TEST(a_prepared_file_is_zeros_on_the_disk)
{
    in_fresh_folder(prepared);
}

static void
in_pieces(struct ax_ctx *ctx)
{
    ax_file file;
    ax_str path = in_folder(ctx, "pieces");
    char at[8];
    size_t len = 9;
    CHECK_EQ(ax_file_write_atomic(ctx, path, AX_STR("front to back")), AX_OK);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_READ, &file), AX_OK);
    CHECK_EQ(ax_file_read_next(ctx, file, at, sizeof at, &len), AX_OK);
    CHECK_STR(((ax_str){at, len}), "front to");
    CHECK_EQ(ax_file_read_next(ctx, file, at, sizeof at, &len), AX_OK);
    CHECK_STR(((ax_str){at, len}), " back");
    CHECK_EQ(ax_file_read_next(ctx, file, at, sizeof at, &len), AX_OK);
    CHECK_EQ(len, 0);
    ax_file_close(&file);
    CHECK_EQ(ax_file_open(ctx, ax_str_of(folder), AX_FILE_READ, &file), AX_OK);
    CHECK_EQ(ax_file_read_next(ctx, file, at, sizeof at, &len), AX_INVALID);
    CHECK(ax_test_said(ctx, folder));
    ax_file_close(&file);
}

TEST(a_file_is_read_from_front_to_back)
{
    in_fresh_folder(in_pieces);
}

static void
refusals(struct ax_ctx *ctx)
{
    ax_str all;
    ax_file full, file;
    static char long_path[5'000];
    memset(long_path, 'x', sizeof long_path);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR(""), 10, &all), AX_INVALID);
    CHECK_EQ(ax_file_read_all(ctx, (ax_str){"a\0b", 3}, 10, &all), AX_INVALID);
    CHECK_EQ(ax_file_read_all(ctx, (ax_str){long_path, sizeof long_path}, 10, &all), AX_INVALID);
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(folder), 1 << 20, &all), AX_INVALID);
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("/proc/self/statm"), 4'096, &all), AX_OK);
    CHECK(all.len > 0); /* although its size is said to be 0 */
    CHECK_EQ(ax_file_read_all(ctx, AX_STR("/dev/zero"), 100'000, &all), AX_LIMIT);

    CHECK_EQ(ax_file_open(ctx, AX_STR("/dev/full"), AX_FILE_WRITE, &full), AX_OK);
    CHECK_EQ(ax_file_write_at(ctx, full, 0, AX_STR("x")), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "write /dev/full: disk full");
    ax_file_close(&full);

    struct rlimit before, few = {.rlim_cur = 3, .rlim_max = 3};
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(ax_file_open(ctx, AX_STR("/dev/null"), AX_FILE_READ, &file), AX_LIMIT);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

    uint64_t free_bytes = 0, total_bytes = 0;
    CHECK_EQ(ax_file_space(ctx, ax_str_of(folder), &free_bytes, &total_bytes), AX_OK);
    CHECK(free_bytes > 0 && free_bytes <= total_bytes);
    CHECK_EQ(ax_file_space(ctx, in_folder(ctx, "none"), &free_bytes, &total_bytes), AX_NOT_FOUND);
}

TEST(what_cannot_be_opened_read_or_written_is_named)
{
    in_fresh_folder(refusals);
}

static void
locking(struct ax_ctx *ctx)
{
    ax_file first, second;
    ax_str path = in_folder(ctx, "lock");
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &first), AX_OK);
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &second), AX_OK);
    CHECK_EQ(ax_file_lock(ctx, first), AX_OK);
    CHECK_EQ(ax_file_lock(ctx, second), AX_CONFLICT);
    CHECK(strstr(ctx->error, "lock: another process holds it") != NULL);
    ax_file_close(&first);
    CHECK_EQ(ax_file_lock(ctx, second), AX_OK);
    ax_file_close(&second);

    int ready[2];
    CHECK_EQ(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        bool held = ax_file_open(ctx, path, AX_FILE_WRITE, &first) == AX_OK &&
                    ax_file_lock(ctx, first) == AX_OK;
        ssize_t told = write(ready[1], held ? "y" : "n", 1);
        for (;;)
            ax_clock_sleep_ms(told > 0 ? 1'000 : 1);
    }
    char answer = 0;
    CHECK_EQ(read(ready[0], &answer, 1), 1);
    CHECK_EQ(answer, 'y');
    CHECK_EQ(ax_file_open(ctx, path, AX_FILE_WRITE, &second), AX_OK);
    CHECK_EQ(ax_file_lock(ctx, second), AX_CONFLICT);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK_EQ(ax_file_lock(ctx, second), AX_OK); /* it died with its process */
    ax_file_close(&second);
}

TEST(a_lock_has_one_holder_and_dies_with_it)
{
    in_fresh_folder(locking);
}

static void
names_and_folders(struct ax_ctx *ctx)
{
    ax_str *names, text, deep = in_folder(ctx, "a/b//c/");
    size_t count;
    CHECK_EQ(ax_file_make_folders(ctx, deep), AX_OK);
    CHECK_EQ(ax_file_make_folders(ctx, deep), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, in_folder(ctx, "a/z"), AX_STR("one")), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, in_folder(ctx, "a/z"), AX_STR("two")), AX_OK);
    CHECK_EQ(ax_file_make_folders(ctx, in_folder(ctx, "a/z")), AX_CONFLICT);
    CHECK_EQ(ax_file_link(ctx, in_folder(ctx, "a/z"), in_folder(ctx, "a/m")), AX_OK);
    CHECK_EQ(ax_file_link(ctx, in_folder(ctx, "a/z"), in_folder(ctx, "a/m")), AX_CONFLICT);
    CHECK_EQ(ax_file_rename(ctx, in_folder(ctx, "a/m"), in_folder(ctx, "a/k")), AX_OK);
    CHECK_EQ(ax_file_rename(ctx, in_folder(ctx, "a/m"), in_folder(ctx, "a/k")), AX_NOT_FOUND);
    CHECK_EQ(ax_file_sync_folder(ctx, in_folder(ctx, "a")), AX_OK);
    CHECK_EQ(ax_file_sync_folder(ctx, in_folder(ctx, "none")), AX_NOT_FOUND);
    CHECK_EQ(ax_file_write_atomic(ctx, in_folder(ctx, "none/x"), AX_STR("")), AX_NOT_FOUND);
    CHECK_EQ(ax_file_write_atomic(ctx, in_folder(ctx, "a/b"), AX_STR("")), AX_INVALID);
    CHECK_EQ(symlink("/", in_folder(ctx, "a/root").at), 0);
    CHECK_EQ(ax_file_list(ctx, in_folder(ctx, "a"), &names, &count), AX_OK);
    CHECK_EQ(count, 4);
    CHECK_STR(names[0], "b");
    CHECK_STR(names[1], "k");
    CHECK_STR(names[2], "root");
    CHECK_STR(names[3], "z");
    CHECK_EQ(ax_file_list(ctx, in_folder(ctx, "a/z"), &names, &count), AX_NOT_FOUND);
    CHECK_EQ(ax_file_read_all(ctx, in_folder(ctx, "a/k"), 100, &text), AX_OK);
    CHECK_STR(text, "two");
    CHECK_EQ(ax_file_remove(ctx, in_folder(ctx, "a/k")), AX_OK);
    CHECK_EQ(ax_file_remove(ctx, in_folder(ctx, "a/k")), AX_NOT_FOUND);
    CHECK(ax_file_exists(in_folder(ctx, "a/z")));
    CHECK(!ax_file_exists(in_folder(ctx, "a/k")));
    CHECK(!ax_file_exists(AX_STR("")));
    CHECK_EQ(ax_file_remove_tree(ctx, in_folder(ctx, "a/root/")), AX_OK);
    CHECK(ax_file_exists(AX_STR("/tmp")));
    CHECK_EQ(ax_file_remove_tree(ctx, in_folder(ctx, "a")), AX_OK);
    CHECK_EQ(ax_file_remove_tree(ctx, in_folder(ctx, "a")), AX_OK);
    CHECK_EQ(ax_file_remove_tree(ctx, AX_STR("/")), AX_INVALID);
}

TEST(folders_are_made_listed_and_removed)
{
    in_fresh_folder(names_and_folders);
}

static void
too_deep(struct ax_ctx *ctx)
{
    char path[600];
    int len = snprintf(path, sizeof path, "%s", folder);
    for (int i = 0; i < 70; i++)
        len += snprintf(path + len, sizeof path - (size_t)len, "/d");
    CHECK_EQ(ax_file_make_folders(ctx, (ax_str){path, (size_t)len}), AX_OK);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_LIMIT);
    CHECK_EQ(ax_file_remove_tree(ctx, (ax_str){path, (size_t)len - 40}), AX_OK);
}

TEST(a_tree_deeper_than_the_limit_is_refused)
{
    in_fresh_folder(too_deep);
}

TEST(paths_are_joined)
{
    static const struct {
        const char *head, *name, *want;
    } cases[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK(ax_str_eq(ax_path_join(arena, ax_str_of(cases[i].head), ax_str_of(cases[i].name)),
                        ax_str_of(cases[i].want)));
}

TEST(paths_are_taken_apart)
{
    static const struct {
        const char *path, *folder, *name;
    } cases[] = {{"a/b.json", "a", "b.json"},
                 {"b.json", ".", "b.json"},
                 {"/x", "/", "x"},
                 {"a/b/c", "a/b", "c"},
                 {"/a/b", "/a", "b"},
                 {"a//b", "a", "b"},
                 {"a/", "a", ""},
                 {"//x", "/", "x"},
                 {"/", "/", ""},
                 {"", ".", ""}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK(ax_str_eq(ax_path_folder(ax_str_of(cases[i].path)), ax_str_of(cases[i].folder)));
        CHECK(ax_str_eq(ax_path_name(ax_str_of(cases[i].path)), ax_str_of(cases[i].name)));
    }
}

static void
empty_map(struct ax_ctx *ctx)
{
    ax_str bytes = AX_STR("x");
    CHECK_EQ(ax_file_write_atomic(ctx, in_folder(ctx, "empty"), AX_STR("")), AX_OK);
    CHECK_EQ(ax_file_map(ctx, in_folder(ctx, "empty"), &bytes), AX_OK);
    CHECK(bytes.at == NULL && bytes.len == 0);
    ax_file_unmap(bytes);
    CHECK_EQ(ax_file_map(ctx, in_folder(ctx, "none"), &bytes), AX_NOT_FOUND);
}

static void
absolute_paths(struct ax_ctx *ctx)
{
    char here[4096];
    ax_str path = AX_STR("");
    REQUIRE(getcwd(here, sizeof here) != NULL);
    CHECK_EQ(ax_file_absolute(ctx, AX_STR("/a/../b"), &path), AX_OK);
    CHECK_STR(path, "/a/../b");
    CHECK_EQ(ax_file_absolute(ctx, AX_STR("a/b"), &path), AX_OK);
    CHECK(ax_str_eq(path, ax_str_printf(ctx->arena, "%s/a/b", here)));
}

TEST(a_relative_path_is_below_the_working_folder)
{
    ax_test_with_ctx(absolute_paths);
}

TEST(an_empty_file_maps_to_nothing)
{
    in_fresh_folder(empty_map);
}

/* After each failed step: the old content or the new, and no temporary file. */
static ax_status
replace_old(struct ax_ctx *ctx)
{
    char path[128], got[8] = "";
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("old", file) >= 0 && fclose(file) == 0);
    ax_status status = ax_file_write_atomic(ctx, ax_str_of(path), AX_STR("new"));
    size_t len = plain_read(ax_str_of(path), got, sizeof got);
    CHECK_EQ(len, 3);
    CHECK(memcmp(got, "new", 3) == 0 || (status != AX_OK && memcmp(got, "old", 3) == 0));
    struct stat facts;
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(rmdir(folder), 0); /* only when nothing else is in it */
    CHECK_EQ(mkdir(folder, 0700), 0);
    CHECK_EQ(stat(folder, &facts), 0);
    return status;
}

static void
replace_sweep(struct ax_ctx *ctx)
{
    (void)ctx;
    FAULT_SWEEP(replace_old);
}

TEST(an_atomic_write_leaves_old_or_new_after_every_fault)
{
    in_fresh_folder(replace_sweep);
}

static ax_status
everything_else(struct ax_ctx *ctx)
{
    char path[128];
    ax_str text, *names, map, absolute;
    size_t count;
    uint64_t free_bytes, total_bytes;
    snprintf(path, sizeof path, "%s/x", folder);
    AX_TRY(ax_file_make_folders(ctx, ax_str_of(path)));
    snprintf(path, sizeof path, "%s/x/y", folder);
    ax_file file;
    AX_TRY(ax_file_open(ctx, ax_str_of(path), AX_FILE_WRITE, &file));
    ax_status status = ax_file_lock(ctx, file);
    if (status == AX_OK)
        status = ax_file_truncate(ctx, file, 0);
    if (status == AX_OK)
        status = ax_file_prepare(ctx, file, 10'000);
    if (status == AX_OK)
        status = ax_file_write_at(ctx, file, 0, AX_STR("abc"));
    if (status == AX_OK)
        status = ax_file_sync(ctx, file);
    ax_file_close(&file);
    AX_TRY(status);
    AX_TRY(ax_file_read_all(ctx, ax_str_of(path), 10'000, &text));
    AX_TRY(ax_file_list(ctx, ax_str_of(folder), &names, &count));
    AX_TRY(ax_file_space(ctx, ax_str_of(folder), &free_bytes, &total_bytes));
    AX_TRY(ax_file_absolute(ctx, AX_STR("x"), &absolute));
    AX_TRY(ax_file_map(ctx, ax_str_of(path), &map));
    CHECK(ax_str_eq(map, text));
    ax_file_unmap(map);
    AX_TRY(ax_file_link(ctx, ax_str_of(path), in_folder(ctx, "linked")));
    AX_TRY(ax_file_rename(ctx, in_folder(ctx, "linked"), in_folder(ctx, "renamed")));
    AX_TRY(ax_file_remove(ctx, in_folder(ctx, "renamed")));
    return ax_file_remove_tree(ctx, in_folder(ctx, "x"));
}

static ax_status
everything_else_again(struct ax_ctx *ctx)
{
    ax_status status = everything_else(ctx);
    char path[128]; /* what an earlier step left must not make this one fail */
    snprintf(path, sizeof path, "%s/linked", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/renamed", folder);
    unlink(path);
    return status;
}

static void
everything_sweep(struct ax_ctx *ctx)
{
    (void)ctx;
    FAULT_SWEEP(everything_else_again);
}

TEST(every_file_operation_reports_every_fault)
{
    in_fresh_folder(everything_sweep);
}

static void
killed(struct ax_ctx *ctx)
{
    enum { SIZE = 50'000, KILLS = 12 };
    static char as[SIZE], bs[SIZE], got[SIZE + 1];
    memset(as, 'a', sizeof as);
    memset(bs, 'b', sizeof bs);
    ax_str path = in_folder(ctx, "file"), *names;
    size_t count;
    CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){as, SIZE}), AX_OK);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) {
                if (ax_file_write_atomic(ctx, path, (ax_str){bs, SIZE}) != AX_OK ||
                    ax_file_write_atomic(ctx, path, (ax_str){as, SIZE}) != AX_OK)
                    _exit(1);
            }
        ax_clock_sleep_ms(3 + i * 2);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        CHECK_EQ(plain_read(path, got, sizeof got), SIZE);
        CHECK(memcmp(got, as, SIZE) == 0 || memcmp(got, bs, SIZE) == 0);
    }
    CHECK_EQ(ax_file_list(ctx, ax_str_of(folder), &names, &count), AX_OK);
    CHECK_EQ(count, 1); /* whatever was left behind is not shown */
}

TEST(a_killed_writer_leaves_old_or_new)
{
    in_fresh_folder(killed);
}

#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/array.h"
#include "base/assert.h"
#include "sys/os_error.h"

enum {
    PATH_BYTES_MAX = 4'096,
    FOLDER_DEPTH_MAX = 64,
    TEMPORARY_TRIES_MAX = 8,
    ZERO_BYTES = 256 * 1024,
    ZERO_SYNC_BYTES = 1 << 20,
    READ_BYTES_FIRST = 4'096,
    NAME_BYTES_SHOWN = 256,
    NEW_FILE_MODE = 0600,
    NEW_FOLDER_MODE = 0700
};

/* What write_atomic leaves behind when the machine stops in the middle; list passes over it. */
#define TEMPORARY_PREFIX ".axiom-tmp-"

#define file_auto [[gnu::cleanup(ax_file_close)]]

/* A path as the system wants it: terminated, without a NUL inside. */
struct path {
    size_t len;
    char at[PATH_BYTES_MAX];
};

static ax_status
path_of(struct ax_ctx *ctx, ax_str text, struct path *out)
{
    if (text.len == 0)
        return ax_fail(ctx, AX_INVALID, "the path is empty");
    if (text.len >= sizeof out->at)
        return ax_fail(ctx, AX_INVALID, "the path %.60s... has %zu bytes, at most %zu are possible",
                       text.at, text.len, sizeof out->at - 1);
    if (memchr(text.at, '\0', text.len))
        return ax_fail(ctx, AX_INVALID, "the path %.*s has a NUL byte inside", AX_FMT(text));
    memcpy(out->at, text.at, text.len);
    out->at[text.len] = '\0';
    out->len = text.len;
    return AX_OK;
}

/* The folder that holds the path's last name; slashes at its end are none: "a/b/" -> "a". */
static struct path
folder_of(const struct path *path)
{
    struct path folder;
    ax_str whole = {path->at, path->len};
    while (whole.len > 1 && whole.at[whole.len - 1] == '/')
        whole.len--;
    ax_str parent = ax_path_folder(whole);
    memcpy(folder.at, parent.at, parent.len);
    folder.at[parent.len] = '\0';
    folder.len = parent.len;
    return folder;
}

/* An open file does not know its name; the system does. buffer holds what is returned. */
static ax_str
name_of(ax_file file, char buffer[NAME_BYTES_SHOWN])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file.fd);
    ssize_t len = readlink(link, buffer, NAME_BYTES_SHOWN);
    return len < 0 ? AX_STR("an open file") : (ax_str){buffer, (size_t)len};
}

static ax_status
file_failed(struct ax_ctx *ctx, ax_file file, int number, const char *verb)
{
    char buffer[NAME_BYTES_SHOWN];
    ax_str name = name_of(file, buffer);
    return ax_os_error(ctx, number, "%s %.*s", verb, AX_FMT(name));
}

static ax_status
path_failed(struct ax_ctx *ctx, const struct path *path, int number, const char *verb)
{
    return ax_os_error(ctx, number, "%s %s", verb, path->at);
}

/* ---- open files ---- */

static ax_status
open_path(struct ax_ctx *ctx, const struct path *path, int flags, ax_file *out_file)
{
    int fd;
    do
        fd = AX_OS_CALL(open(path->at, flags | O_CLOEXEC, NEW_FILE_MODE));
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return path_failed(ctx, path, errno, "open");
    *out_file = (ax_file){fd};
    return AX_OK;
}

ax_status
ax_file_open(struct ax_ctx *ctx, ax_str path, enum ax_file_mode mode, ax_file *out_file)
{
    static const int flags[] = {
        [AX_FILE_READ] = O_RDONLY,
        [AX_FILE_WRITE] = O_RDWR | O_CREAT,
        [AX_FILE_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
    };
    struct path name;
    AX_TRY(path_of(ctx, path, &name));
    return open_path(ctx, &name, flags[mode], out_file);
}

void
ax_file_close(ax_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

ax_status
ax_file_size(struct ax_ctx *ctx, ax_file file, uint64_t *out_bytes)
{
    struct stat facts;
    if (AX_OS_CALL(fstat(file.fd, &facts)) < 0)
        return file_failed(ctx, file, errno, "look at");
    *out_bytes = (uint64_t)facts.st_size;
    return AX_OK;
}

ax_status
ax_file_stamp(struct ax_ctx *ctx, ax_file file, struct ax_file_stamp *out_stamp)
{
    struct stat facts;
    if (AX_OS_CALL(fstat(file.fd, &facts)) < 0)
        return file_failed(ctx, file, errno, "look at");
    *out_stamp = (struct ax_file_stamp){
        .device = facts.st_dev,
        .inode = facts.st_ino,
        .bytes = (uint64_t)facts.st_size,
        .changed_ns = facts.st_ctim.tv_sec * 1'000'000'000LL + facts.st_ctim.tv_nsec,
    };
    return AX_OK;
}

static ax_status
file_too_short(struct ax_ctx *ctx, ax_file file, uint64_t end, size_t missing)
{
    char buffer[NAME_BYTES_SHOWN];
    ax_str name = name_of(file, buffer);
    return ax_fail(ctx, AX_CORRUPT,
                   "read %.*s: it ends before byte %" PRIu64 ", %zu bytes are missing",
                   AX_FMT(name), end, missing);
}

ax_status
ax_file_read_at(struct ax_ctx *ctx, ax_file file, uint64_t offset, char *out, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = AX_OS_CALL(pread(file.fd, out + done, len - done, (off_t)(offset + done)));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_failed(ctx, file, errno, "read");
        if (got == 0)
            return file_too_short(ctx, file, offset + done, len - done);
        done += (size_t)got;
    }
    return AX_OK;
}

ax_status
ax_file_read_next(struct ax_ctx *ctx, ax_file file, char *out, size_t room, size_t *out_len)
{
    ssize_t got;
    do
        got = AX_OS_CALL(read(file.fd, out, room));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return file_failed(ctx, file, errno, "read");
    *out_len = (size_t)got;
    return AX_OK;
}

ax_status
ax_file_write_at(struct ax_ctx *ctx, ax_file file, uint64_t offset, ax_str bytes)
{
    for (size_t done = 0; done < bytes.len;) {
        ssize_t put =
            AX_OS_CALL(pwrite(file.fd, bytes.at + done, bytes.len - done, (off_t)(offset + done)));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return file_failed(ctx, file, errno, "write");
        done += (size_t)put;
    }
    return AX_OK;
}

/* EINTR is a failure like any other: what a second sync would say is not to be trusted. */
ax_status
ax_file_sync(struct ax_ctx *ctx, ax_file file)
{
    if (AX_OS_CALL(fdatasync(file.fd)) < 0)
        return file_failed(ctx, file, errno, "sync");
    return AX_OK;
}

/* With its metadata: for what has just been made or has changed its size. */
static ax_status
sync_all(struct ax_ctx *ctx, ax_file file)
{
    if (AX_OS_CALL(fsync(file.fd)) < 0)
        return file_failed(ctx, file, errno, "sync");
    return AX_OK;
}

ax_status
ax_file_truncate(struct ax_ctx *ctx, ax_file file, uint64_t bytes)
{
    int failed;
    do
        failed = AX_OS_CALL(ftruncate(file.fd, (off_t)bytes));
    while (failed && errno == EINTR);
    return failed ? file_failed(ctx, file, errno, "truncate") : AX_OK;
}

/*
 * Real zeros and not fallocate: an allocated but unwritten extent still changes the file system's
 * books at the first write, and every sync would wait for that.
 */
ax_status
ax_file_prepare(struct ax_ctx *ctx, ax_file file, uint64_t bytes)
{
    static const char zeros[ZERO_BYTES];
    uint64_t at = 0;
    AX_TRY(ax_file_size(ctx, file, &at));
    while (at < bytes) {
        size_t len = bytes - at < sizeof zeros ? (size_t)(bytes - at) : sizeof zeros;
        AX_TRY(ax_file_write_at(ctx, file, at, (ax_str){zeros, len}));
        at += len;
        if (at % ZERO_SYNC_BYTES == 0) /* little at once: whoever syncs meanwhile waits behind it */
            AX_TRY(ax_file_sync(ctx, file));
    }
    return sync_all(ctx, file); /* also when nothing was missing: an earlier try may have died */
}

/* A lock of the open file and not of the process: a second open in one process meets it too. */
ax_status
ax_file_lock(struct ax_ctx *ctx, ax_file file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int failed = AX_OS_CALL(fcntl(file.fd, F_OFD_SETLK, &whole));
    if (!failed)
        return AX_OK;
    if (errno != EAGAIN && errno != EACCES)
        return file_failed(ctx, file, errno, "lock");
    char buffer[NAME_BYTES_SHOWN];
    ax_str name = name_of(file, buffer);
    return ax_fail(ctx, AX_CONFLICT, "lock %.*s: another process holds it", AX_FMT(name));
}

/* ---- whole files ---- */

/* Reads to the end, which the size only foretells: /proc says 0, a log grows meanwhile. */
static ax_status
read_to_end(struct ax_ctx *ctx, ax_file file, size_t size, size_t bytes_max, ax_str *out_bytes)
{
    size_t capacity = size + 1 > READ_BYTES_FIRST ? size + 1 : (size_t)READ_BYTES_FIRST;
    char *at = NULL;
    for (size_t len = 0;;) {
        if (!at || len == capacity) {
            capacity = at ? capacity * 2 : capacity;
            char *more = ax_arena_alloc(ctx->arena, 1, capacity);
            if (!more)
                return ax_fail(ctx, AX_LIMIT, "no memory for %zu bytes", capacity);
            if (len)
                memcpy(more, at, len);
            at = more;
        }
        ssize_t got = AX_OS_CALL(read(file.fd, at + len, capacity - len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_failed(ctx, file, errno, "read");
        if (got == 0) {
            *out_bytes = (ax_str){at, len};
            return AX_OK;
        }
        len += (size_t)got;
        if (len > bytes_max)
            return ax_fail(ctx, AX_LIMIT, "more than the %zu bytes allowed", bytes_max);
    }
}

ax_status
ax_file_read_all(struct ax_ctx *ctx, ax_str path, size_t bytes_max, ax_str *out_bytes)
{
    struct path name;
    file_auto ax_file file = {-1};
    uint64_t size = 0;
    AX_TRY(path_of(ctx, path, &name));
    AX_TRY(open_path(ctx, &name, O_RDONLY, &file));
    AX_TRY(ax_file_size(ctx, file, &size));
    ax_status status =
        size > bytes_max
            ? ax_fail(ctx, AX_LIMIT, "%" PRIu64 " bytes, at most %zu are allowed", size, bytes_max)
            : read_to_end(ctx, file, (size_t)size, bytes_max, out_bytes);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "read %s", name.at);
}

static ax_status
temporary_open(struct ax_ctx *ctx, const struct path *folder, struct path *out_name,
               ax_file *out_file)
{
    ax_status status = AX_OK;
    for (int i = 0; i < TEMPORARY_TRIES_MAX; i++) {
        uint64_t number;
        if (AX_OS_CALL(getrandom(&number, sizeof number, 0)) != (ssize_t)sizeof number)
            return ax_os_error(ctx, errno, "name a temporary file in %s", folder->at);
        int len = snprintf(out_name->at, sizeof out_name->at, "%s/" TEMPORARY_PREFIX "%016" PRIx64,
                           folder->at, number);
        if (len < 0 || (size_t)len >= sizeof out_name->at)
            return ax_fail(ctx, AX_INVALID, "the folder's path %.60s... is too long", folder->at);
        out_name->len = (size_t)len;
        status = open_path(ctx, out_name, O_WRONLY | O_CREAT | O_EXCL, out_file);
        if (status != AX_CONFLICT)
            break;
    }
    return status;
}

static ax_status
replace(struct ax_ctx *ctx, const struct path *from, const struct path *to)
{
    if (AX_OS_CALL(rename(from->at, to->at)) < 0)
        return path_failed(ctx, to, errno, "rename to");
    return AX_OK;
}

static ax_status
sync_folder(struct ax_ctx *ctx, const struct path *folder)
{
    file_auto ax_file file = {-1};
    AX_TRY(open_path(ctx, folder, O_RDONLY | O_DIRECTORY, &file));
    return sync_all(ctx, file);
}

ax_status
ax_file_write_atomic(struct ax_ctx *ctx, ax_str path, ax_str bytes)
{
    struct path target, temporary;
    file_auto ax_file file = {-1};
    AX_TRY(path_of(ctx, path, &target));
    struct path folder = folder_of(&target);
    ax_status status = temporary_open(ctx, &folder, &temporary, &file);
    if (status != AX_OK)
        return ax_explain(ctx, status, "write %s", target.at);

    status = ax_file_write_at(ctx, file, 0, bytes);
    if (status == AX_OK)
        status = sync_all(ctx, file);
    if (status == AX_OK)
        status = replace(ctx, &temporary, &target);
    if (status != AX_OK)
        unlink(temporary.at);
    else
        status = sync_folder(ctx, &folder);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "write %s", target.at);
}

ax_status
ax_file_map(struct ax_ctx *ctx, ax_str path, ax_str *out_bytes)
{
    struct path name;
    file_auto ax_file file = {-1};
    uint64_t size = 0;
    AX_TRY(path_of(ctx, path, &name));
    AX_TRY(open_path(ctx, &name, O_RDONLY, &file));
    AX_TRY(ax_file_size(ctx, file, &size));
    void *at = NULL;
    if (size > 0) {
        at = ax_fault_here() ? (errno = EIO, MAP_FAILED)
                             : mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file.fd, 0);
        if (at == MAP_FAILED)
            return path_failed(ctx, &name, errno, "map");
    }
    *out_bytes = (ax_str){at, (size_t)size};
    return AX_OK;
}

void
ax_file_unmap(ax_str bytes)
{
    if (!bytes.at)
        return;
    int failed = munmap((void *)(uintptr_t)bytes.at, bytes.len);
    AX_ASSERT(!failed);
}

/* ---- names ---- */

ax_status
ax_file_sync_folder(struct ax_ctx *ctx, ax_str path)
{
    struct path folder;
    AX_TRY(path_of(ctx, path, &folder));
    return sync_folder(ctx, &folder);
}

bool
ax_file_exists(ax_str path)
{
    if (path.len == 0 || path.len >= PATH_BYTES_MAX || memchr(path.at, '\0', path.len))
        return false;
    char name[PATH_BYTES_MAX];
    memcpy(name, path.at, path.len);
    name[path.len] = '\0';
    return access(name, F_OK) == 0;
}

ax_status
ax_file_remove(struct ax_ctx *ctx, ax_str path)
{
    struct path name;
    AX_TRY(path_of(ctx, path, &name));
    if (AX_OS_CALL(unlink(name.at)) < 0)
        return path_failed(ctx, &name, errno, "remove");
    return AX_OK;
}

ax_status
ax_file_touch(struct ax_ctx *ctx, ax_str path)
{
    struct path name;
    AX_TRY(path_of(ctx, path, &name));
    if (AX_OS_CALL(utimensat(AT_FDCWD, name.at, NULL, 0)) < 0)
        return path_failed(ctx, &name, errno, "touch");
    return AX_OK;
}

ax_status
ax_file_rename(struct ax_ctx *ctx, ax_str from, ax_str to)
{
    struct path old_name, new_name;
    AX_TRY(path_of(ctx, from, &old_name));
    AX_TRY(path_of(ctx, to, &new_name));
    ax_status status = replace(ctx, &old_name, &new_name);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%s", old_name.at);
}

bool
ax_file_is_folder(ax_str path)
{
    struct stat found;
    char name[PATH_BYTES_MAX];
    if (path.len == 0 || path.len >= PATH_BYTES_MAX || memchr(path.at, '\0', path.len))
        return false;
    memcpy(name, path.at, path.len);
    name[path.len] = '\0';
    return stat(name, &found) == 0 && S_ISDIR(found.st_mode);
}

ax_status
ax_file_link(struct ax_ctx *ctx, ax_str from, ax_str to)
{
    struct path old_name, new_name;
    AX_TRY(path_of(ctx, from, &old_name));
    AX_TRY(path_of(ctx, to, &new_name));
    if (AX_OS_CALL(link(old_name.at, new_name.at)) < 0)
        return ax_os_error(ctx, errno, "link %s to %s", old_name.at, new_name.at);
    return AX_OK;
}

static bool
is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static ax_status
make_folder(struct ax_ctx *ctx, const struct path *path)
{
    if (AX_OS_CALL(mkdir(path->at, NEW_FOLDER_MODE)) == 0) {
        struct path parent = folder_of(path);
        return sync_folder(ctx, &parent);
    }
    int number = errno;
    if (number == EEXIST && is_folder(path->at))
        return AX_OK;
    if (number == EEXIST)
        return ax_fail(ctx, AX_CONFLICT, "make folder %s: a file of this name is there", path->at);
    return path_failed(ctx, path, number, "make folder");
}

ax_status
ax_file_make_folders(struct ax_ctx *ctx, ax_str path)
{
    struct path whole;
    AX_TRY(path_of(ctx, path, &whole));
    for (size_t len = 1; len <= whole.len; len++) {
        if (len < whole.len && whole.at[len] != '/')
            continue;
        struct path part;
        AX_TRY(path_of(ctx, (ax_str){whole.at, len}, &part));
        AX_TRY(make_folder(ctx, &part));
    }
    return AX_OK;
}

static void
close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

#define folder_auto [[gnu::cleanup(close_folder)]]

/* The next name but "." and ".."; NULL at the end or, with errno set, after a failure. */
static const char *
next_name(DIR *folder)
{
    for (;;) {
        errno = 0;
        if (ax_fault_here()) {
            errno = EIO;
            return NULL;
        }
        const struct dirent *entry = readdir(folder);
        if (!entry)
            return NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    }
}

static int
compare_names(const void *a, const void *b)
{
    const ax_str *left = a, *right = b;
    return ax_str_cmp(*left, *right);
}

ax_status
ax_file_list(struct ax_ctx *ctx, ax_str path, ax_str **out_names, size_t *out_count)
{
    struct path name;
    AX_TRY(path_of(ctx, path, &name));
    folder_auto DIR *folder = ax_fault_here() ? (errno = EIO, NULL) : opendir(name.at);
    if (!folder)
        return path_failed(ctx, &name, errno, "list");

    struct {
        AX_ARRAY(ax_str)
    } names = {};
    for (const char *entry; (entry = next_name(folder)) != NULL;) {
        if (ax_str_starts(ax_str_of(entry), AX_STR(TEMPORARY_PREFIX)))
            continue;
        ax_str *slot = AX_ARRAY_PUSH(ctx->arena, &names);
        if (!slot || !ax_str_copy(ctx->arena, ax_str_of(entry), slot))
            return ax_fail(ctx, AX_LIMIT, "list %s: no memory for %zu names", name.at, names.count);
    }
    if (errno != 0)
        return path_failed(ctx, &name, errno, "list");
    if (names.count > 0)
        qsort(names.items, names.count, sizeof *names.items, compare_names);
    *out_names = names.items;
    *out_count = names.count;
    return AX_OK;
}

static ax_status remove_entry(struct ax_ctx *ctx, int folder_fd, const char *name, int depth);

static ax_status
remove_entries(struct ax_ctx *ctx, int folder_fd, const char *name, int depth)
{
    int fd = AX_OS_CALL(openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0)
        return ax_os_error(ctx, errno, "open folder %s", name);
    folder_auto DIR *folder = fdopendir(fd);
    if (!folder) {
        int number = errno;
        close(fd);
        return ax_os_error(ctx, number, "list %s", name);
    }
    for (const char *entry; (entry = next_name(folder)) != NULL;)
        AX_TRY(remove_entry(ctx, dirfd(folder), entry, depth));
    return errno == 0 ? AX_OK : ax_os_error(ctx, errno, "list %s", name);
}

/* By descriptors and not by paths: a link put there meanwhile cannot lead outside. */
static ax_status
remove_entry(struct ax_ctx *ctx, int folder_fd, const char *name, int depth)
{
    if (depth == 0)
        return ax_fail(ctx, AX_LIMIT, "%s lies more than %d folders deep", name, FOLDER_DEPTH_MAX);
    int failed = AX_OS_CALL(unlinkat(folder_fd, name, 0));
    if (failed && errno == EISDIR) {
        AX_TRY(remove_entries(ctx, folder_fd, name, depth - 1));
        failed = AX_OS_CALL(unlinkat(folder_fd, name, AT_REMOVEDIR));
    }
    return failed && errno != ENOENT ? ax_os_error(ctx, errno, "remove %s", name) : AX_OK;
}

ax_status
ax_file_remove_tree(struct ax_ctx *ctx, ax_str path)
{
    struct path name;
    ax_str stem = path;
    while (stem.len > 0 && stem.at[stem.len - 1] == '/') /* "link/" would follow the link */
        stem.len--;
    AX_TRY(path_of(ctx, stem, &name));
    ax_status status = remove_entry(ctx, AT_FDCWD, name.at, FOLDER_DEPTH_MAX);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "remove tree %s", name.at);
}

ax_status
ax_file_absolute(struct ax_ctx *ctx, ax_str path, ax_str *out_path)
{
    char folder[PATH_BYTES_MAX];
    *out_path = path;
    if (ax_str_starts(path, AX_STR("/")))
        return AX_OK;
    if (AX_OS_CALL(getcwd(folder, sizeof folder) ? 0 : -1) < 0)
        return ax_os_error(ctx, errno, "find the working folder");
    *out_path = ax_path_join(ctx->arena, ax_str_of(folder), path);
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

ax_str
ax_path_join(struct ax_arena *arena, ax_str folder, ax_str name)
{
    bool slash = folder.len > 0 && folder.at[folder.len - 1] != '/';
    return ax_str_printf(arena, "%.*s%s%.*s", AX_FMT(folder), slash ? "/" : "", AX_FMT(name));
}

ax_str
ax_path_name(ax_str path)
{
    size_t from = path.len;
    while (from > 0 && path.at[from - 1] != '/')
        from--;
    return ax_str_from(path, from);
}

ax_str
ax_path_folder(ax_str path)
{
    ax_str folder = {path.at, path.len - ax_path_name(path).len};
    while (folder.len > 1 && folder.at[folder.len - 1] == '/')
        folder.len--;
    return folder.len > 0 ? folder : AX_STR(".");
}

ax_status
ax_file_space(struct ax_ctx *ctx, ax_str path, uint64_t *out_free, uint64_t *out_total)
{
    struct path name;
    struct statvfs facts;
    AX_TRY(path_of(ctx, path, &name));
    if (AX_OS_CALL(statvfs(name.at, &facts)) < 0)
        return path_failed(ctx, &name, errno, "ask for the room of");
    *out_free = (uint64_t)facts.f_bavail * facts.f_frsize;
    *out_total = (uint64_t)facts.f_blocks * facts.f_frsize;
    return AX_OK;
}

#include "sys/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "sys/clock.h"
#include "sys/mutex.h"
#include "sys/os_error.h"
#include "sys/workers.h"

enum { GATHER_NS = 50'000'000, FILE_MODE = 0640, SECRET_MODE = 0600 };

struct buffer {
    char *at;
    size_t len;
    int64_t line_count;
};

struct ax_line_file {
    struct ax_line_file_config config;
    char *path; /* NULL: standard error */
    struct ax_thread *thread;
    struct ax_mutex mutex;
    struct ax_cond cond;
    struct buffer filling; /* guarded by mutex, as are */
    bool stopping;
    bool reopening;
    struct buffer writing; /* the thread's, as is */
    int fd;
};

/* A pipe is whose it is; a file that others may read is made one that they may not. */
static ax_status
shut_out_others(struct ax_ctx *ctx, const char *path, int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) ||
        (facts.st_mode & ALLPERMS & ~(mode_t)SECRET_MODE) == 0)
        return AX_OK;
    int failed = AX_OS_CALL(fchmod(fd, SECRET_MODE));
    int number = errno;
    return failed == 0 ? AX_OK : ax_os_error(ctx, number, "keep others from reading %s", path);
}

static ax_status
open_path(struct ax_ctx *ctx, const char *path, bool secret, int *out_fd)
{
    if (!path) {
        *out_fd = STDERR_FILENO;
        return AX_OK;
    }
    int fd = AX_OS_CALL(
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, secret ? SECRET_MODE : FILE_MODE));
    int number = errno;
    if (fd < 0)
        return ax_os_error(ctx, number, "open %s", path);
    ax_status status = secret ? shut_out_others(ctx, path, fd) : AX_OK;
    if (status != AX_OK) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    return AX_OK;
}

static void
close_fd(struct ax_line_file *file)
{
    if (file->fd >= 0 && file->path)
        close(file->fd);
    file->fd = -1;
}

static void
count(struct ax_metric *metric, int64_t amount)
{
    if (metric && amount)
        ax_metric_add(metric, amount);
}

/* All of the buffer, or it is counted as failed. */
static void
write_out(struct ax_line_file *file)
{
    size_t at = 0;
    while (at < file->writing.len) {
        ssize_t wrote = write(file->fd, file->writing.at + at, file->writing.len - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            break; /* the disk is full, or nobody listens: the counter says so */
        at += (size_t)wrote;
    }
    count(at == file->writing.len ? file->config.written : file->config.failed,
          file->writing.line_count);
    file->writing.len = 0;
    file->writing.line_count = 0;
}

static void
open_again(struct ax_line_file *file)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    int fd = -1;
    if (!file->path || open_path(&ctx, file->path, file->config.secret, &fd) != AX_OK)
        return; /* lines go on to where they went */
    close_fd(file);
    file->fd = fd;
}

/* Waits until there is something to do, and a little for more of it; takes what there is. */
static bool
take(struct ax_line_file *file, bool *out_reopen)
{
    ax_mutex_lock(&file->mutex);
    while (file->filling.len == 0 && !file->stopping && !file->reopening)
        ax_cond_wait(&file->cond, &file->mutex);
    int64_t until_ns = ax_clock_monotonic_ns() + GATHER_NS;
    while (!file->stopping && !file->reopening && file->filling.len < file->config.buffer_bytes / 2)
        if (!ax_cond_wait_until(&file->cond, &file->mutex, until_ns))
            break;
    struct buffer empty = file->writing;
    file->writing = file->filling;
    file->filling = empty;
    *out_reopen = file->reopening;
    file->reopening = false;
    bool more = !file->stopping;
    ax_mutex_unlock(&file->mutex);
    return more;
}

static void
line_file_run(void *arg)
{
    struct ax_line_file *file = arg;
    bool more, reopen;
    do {
        more = take(file, &reopen);
        write_out(file);
        if (reopen)
            open_again(file);
    } while (more);
}

/* ---- for its users ---- */

static void
free_all(struct ax_line_file *file)
{
    close_fd(file);
    ax_cond_done(&file->cond);
    ax_mutex_done(&file->mutex);
    ax_free(file->filling.at);
    ax_free(file->writing.at);
    ax_free(file->path);
    ax_free(file);
}

static ax_status
make(struct ax_ctx *ctx, struct ax_line_file *file)
{
    ax_str path = file->config.path;
    file->filling.at = ax_alloc(1, file->config.buffer_bytes);
    file->writing.at = ax_alloc(1, file->config.buffer_bytes);
    if (path.len)
        file->path = ax_alloc(1, path.len + 1);
    if (!file->filling.at || !file->writing.at || (path.len && !file->path))
        return ax_fail(ctx, AX_LIMIT, "no memory for a file of lines");
    if (path.len)
        memcpy(file->path, path.at, path.len);
    AX_TRY(open_path(ctx, file->path, file->config.secret, &file->fd));
    return ax_thread_start(ctx, "axiom-lines", line_file_run, file, &file->thread);
}

ax_status
ax_line_file_open(struct ax_ctx *ctx, const struct ax_line_file_config *config,
                  struct ax_line_file **out_file)
{
    struct ax_line_file *file = ax_alloc(1, sizeof *file);
    if (!file)
        return ax_fail(ctx, AX_LIMIT, "no memory for a file of lines");
    file->config = *config;
    file->fd = -1;
    ax_mutex_init(&file->mutex);
    ax_cond_init(&file->cond);
    ax_status status = make(ctx, file);
    if (status != AX_OK) {
        free_all(file);
        return status;
    }
    *out_file = file;
    return AX_OK;
}

void
ax_line_file_close(struct ax_line_file *file)
{
    if (!file)
        return;
    ax_mutex_lock(&file->mutex);
    file->stopping = true;
    ax_cond_signal(&file->cond);
    ax_mutex_unlock(&file->mutex);
    ax_thread_join(file->thread);
    free_all(file);
}

bool
ax_line_file_put(struct ax_line_file *file, ax_str line)
{
    ax_mutex_lock(&file->mutex);
    struct buffer *buffer = &file->filling;
    size_t before = buffer->len, half = file->config.buffer_bytes / 2;
    bool fits = line.len < file->config.buffer_bytes - before;
    if (fits) {
        memcpy(buffer->at + before, line.at, line.len);
        buffer->at[before + line.len] = '\n';
        buffer->len += line.len + 1;
        buffer->line_count++;
        if (before == 0 || (before < half && buffer->len >= half))
            ax_cond_signal(&file->cond);
    }
    ax_mutex_unlock(&file->mutex);
    if (!fits)
        count(file->config.dropped, 1);
    return fits;
}

void
ax_line_file_reopen(struct ax_line_file *file)
{
    ax_mutex_lock(&file->mutex);
    file->reopening = true;
    ax_cond_signal(&file->cond);
    ax_mutex_unlock(&file->mutex);
}

#include "sys/usage.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/number.h"
#include "sys/clock.h"

enum { FILE_BYTES_MAX = 64 << 10, CPU_FIELDS = 8, IDLE = 3, WAITING = 4 };

#define MEGABYTE 1e6
#define UNKNOWN  ((double)NAN)

/* A file of /proc, whose size nobody knows before; "" when there is none. */
static ax_str
read_file(const char *path, char out[FILE_BYTES_MAX])
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got = fd < 0 ? 0 : 1; got > 0 && len < FILE_BYTES_MAX;) {
        got = read(fd, out + len, FILE_BYTES_MAX - len);
        len += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    return (ax_str){out, len};
}

/* The next word that white space ends; "" at the end. */
static ax_str
word(ax_str *rest)
{
    size_t from = 0, to;
    while (from < rest->len && strchr(" \t\n", rest->at[from]))
        from++;
    for (to = from; to < rest->len && !strchr(" \t\n", rest->at[to]); to++)
        ;
    ax_str found = {rest->at + from, to - from};
    *rest = ax_str_from(*rest, to);
    return found;
}

static uint64_t
number(ax_str *rest)
{
    int64_t value = 0;
    return ax_parse_i64(word(rest), &value) && value > 0 ? (uint64_t)value : 0;
}

static double
share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : UNKNOWN;
}

static void
look_at_cpu(struct ax_usage *usage, char text[FILE_BYTES_MAX])
{
    ax_str rest = read_file("/proc/stat", text);
    uint64_t total = 0, busy = 0;
    (void)word(&rest); /* cpu */
    for (int i = 0; i < CPU_FIELDS; i++) {
        uint64_t ticks = number(&rest);
        total += ticks;
        busy += i == IDLE || i == WAITING ? 0 : ticks;
    }
    usage->cpu_percent = share(busy - usage->busy_, total - usage->total_);
    usage->busy_ = busy;
    usage->total_ = total;
}

/* Of "Name:  123 kB", the kilobytes. */
static uint64_t
kilobytes(ax_str text, const char *name)
{
    size_t at = ax_str_find(text, ax_str_of(name));
    ax_str rest = at == SIZE_MAX ? AX_STR("") : ax_str_from(text, at + strlen(name));
    return number(&rest);
}

static void
look_at_memory(struct ax_usage *usage, char text[FILE_BYTES_MAX])
{
    ax_str info = read_file("/proc/meminfo", text);
    uint64_t total = kilobytes(info, "MemTotal:"), left = kilobytes(info, "MemAvailable:");
    usage->memory_megabytes = total ? (double)(total - left) * 1024 / MEGABYTE : UNKNOWN;
    usage->memory_percent = share(total - left, total);
}

static void
look_at_disk(struct ax_usage *usage, const char *path)
{
    struct statvfs disk;
    usage->disk_megabytes = usage->disk_percent = usage->disk_available_megabytes = UNKNOWN;
    if (statvfs(path, &disk) != 0)
        return;
    uint64_t used = disk.f_blocks - disk.f_bfree;
    usage->disk_megabytes = (double)used * (double)disk.f_frsize / MEGABYTE;
    usage->disk_available_megabytes = (double)disk.f_bavail * (double)disk.f_frsize / MEGABYTE;
    usage->disk_percent = share(used, used + disk.f_bavail);
}

static void
look_at_network(struct ax_usage *usage, char text[FILE_BYTES_MAX])
{
    ax_str rest = read_file("/proc/net/dev", text), line;
    uint64_t received = 0, sent = 0;
    while (ax_str_cut(&rest, '\n', &line)) {
        ax_str values = line, name;
        if (!memchr(line.at, ':', line.len) || !ax_str_cut(&values, ':', &name) ||
            ax_str_eq(ax_str_trim(name), AX_STR("lo")))
            continue;
        received += number(&values);
        for (int i = 0; i < 7; i++)
            (void)number(&values);
        sent += number(&values);
    }
    if (usage->looked_ns_ == 0) {
        usage->received_ = received;
        usage->sent_ = sent;
    }
    usage->receive_megabytes = (double)(received - usage->received_) / MEGABYTE;
    usage->transmit_megabytes = (double)(sent - usage->sent_) / MEGABYTE;
}

static void
look_at_process(struct ax_usage *usage, int pid, char text[FILE_BYTES_MAX])
{
    char path[64];
    long a_second = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    int64_t now_ns = ax_clock_monotonic_ns();
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    ax_str stat = read_file(path, text);
    size_t at = ax_str_find(stat, AX_STR(") ")); /* behind the name, which may hold anything */
    ax_str rest = at == SIZE_MAX ? AX_STR("") : ax_str_from(stat, at + 2);
    for (int i = 0; i < 11; i++)
        (void)word(&rest);
    uint64_t ticks = number(&rest) + number(&rest);
    double seconds = (double)(now_ns - usage->looked_ns_) / 1e9;
    usage->process_cpu_percent = UNKNOWN;
    if (usage->looked_ns_ && seconds > 0 && stat.len)
        usage->process_cpu_percent =
            100.0 * (double)(ticks - usage->process_ticks_) / (double)a_second / seconds;
    for (int i = 0; i < 8; i++)
        (void)word(&rest);
    usage->process_memory_megabytes =
        stat.len ? (double)number(&rest) * (double)page / MEGABYTE : UNKNOWN;
    usage->process_ticks_ = ticks;
    usage->looked_ns_ = now_ns;
}

void
ax_usage_look(struct ax_usage *usage, int pid, const char *path)
{
    char text[FILE_BYTES_MAX];
    look_at_cpu(usage, text);
    look_at_memory(usage, text);
    look_at_disk(usage, path);
    look_at_network(usage, text);
    look_at_process(usage, pid, text);
}

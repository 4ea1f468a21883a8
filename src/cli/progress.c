#include "cli/progress.h"

#include <inttypes.h>

#include "sys/clock.h"

enum { BAR_CELLS = 24, GROUP = 1'000, NS_A_SECOND = 1'000'000'000 };

static const int64_t first_after_ns = 300'000'000, again_after_ns = 100'000'000;

struct ax_progress
ax_progress_of(FILE *out, uint64_t bytes_total)
{
    return (struct ax_progress){
        .out = out, .bytes_total = bytes_total, .began_ns = ax_clock_monotonic_ns()};
}

/* "1,234,567" */
static void
print_grouped(FILE *out, uint64_t value)
{
    uint64_t unit = 1;
    while (value / unit >= GROUP)
        unit *= GROUP;
    fprintf(out, "%" PRIu64, value / unit);
    for (unit /= GROUP; unit > 0; unit /= GROUP)
        fprintf(out, ",%03" PRIu64, value / unit % GROUP);
}

static void
draw(struct ax_progress *progress, int64_t now_ns)
{
    FILE *out = progress->out;
    double seconds = (double)(now_ns - progress->began_ns) / NS_A_SECOND;
    fputc('\r', out);
    if (progress->bytes_total > 0) {
        double share = (double)progress->bytes / (double)progress->bytes_total;
        share = share > 1 ? 1 : share;
        fputc('[', out);
        for (int i = 0; i < BAR_CELLS; i++)
            fputc(i < (int)(share * BAR_CELLS) ? '#' : '.', out);
        fprintf(out, "] %3d %%  ", (int)(100 * share));
    }
    print_grouped(out, progress->rows);
    fputs(" rows  ", out);
    print_grouped(out, seconds > 0 ? (uint64_t)((double)progress->rows / seconds) : 0);
    fputs(" rows/s\033[K", out); /* and nothing of a longer line */
    fflush(out);
    progress->shown_ns = now_ns;
}

void
ax_progress_add(struct ax_progress *progress, uint64_t rows, uint64_t bytes)
{
    progress->rows += rows;
    progress->bytes += bytes;
    if (!progress->out)
        return;
    int64_t now_ns = ax_clock_monotonic_ns();
    if (progress->shown_ns ? now_ns - progress->shown_ns >= again_after_ns
                           : now_ns - progress->began_ns >= first_after_ns)
        draw(progress, now_ns);
}

void
ax_progress_done(struct ax_progress *progress)
{
    if (!progress->out || !progress->shown_ns)
        return;
    draw(progress, ax_clock_monotonic_ns());
    fputc('\n', progress->out);
}

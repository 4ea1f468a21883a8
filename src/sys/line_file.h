/*
 * Lines to a file by a thread of its own: whoever has one to write never waits for the disk.
 *
 * Lines gather in a buffer of fixed size; what does not fit is dropped and counted. The thread
 * writes a twentieth of a second after the first line came, or when the buffer is half full; the
 * file is opened again when asked, after it was moved away.
 */
#pragma once

#include "base/ctx.h"
#include "sys/metrics.h"

struct ax_line_file;

struct ax_line_file_config { /* metrics: kept; each may be NULL */
    ax_str path;             /* appended to; "" is standard error */
    size_t buffer_bytes;
    bool secret; /* what is in the file is for its owner alone, also when it was there already */
    struct ax_metric *written; /* lines */
    struct ax_metric *dropped; /* there was no room */
    struct ax_metric *failed;  /* the file took them not */
};

/* Fails: as opening the file; LIMIT. */
ax_status ax_line_file_open(struct ax_ctx *ctx, const struct ax_line_file_config *config,
                            struct ax_line_file **out_file);

/* Writes what is there. No line may come any more. */
void ax_line_file_close(struct ax_line_file *file);
AX_DEFINE_AUTO(struct ax_line_file, ax_line_file_close);

/* One line without its end, copied. false when it was dropped. Any thread. */
bool ax_line_file_put(struct ax_line_file *file, ax_str line);

/* The path is opened anew behind the lines so far; when that fails, the file goes on as it was. */
void ax_line_file_reopen(struct ax_line_file *file);

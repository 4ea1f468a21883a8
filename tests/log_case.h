/*
 * A log of the API in a folder of its own: made while nobody asks, read when its writer has ended.
 */
#pragma once

#include <stdlib.h>

#include "api_case.h"

struct log_case {
    char folder[32];
    ax_str path;
};

/* The way in is shut afterwards, so that a log can be put into at->config. */
static inline void
log_case_make(struct api_case *at, struct log_case *out)
{
    *out = (struct log_case){.folder = "/tmp/axiom-log-XXXXXX"};
    CHECK(mkdtemp(out->folder) != NULL);
    out->path = ax_path_join(at->arena, ax_str_of(out->folder), AX_STR("requests.log"));
    api_case_shut(at);
}

/* What was written; its writer was closed. */
static inline ax_str
log_case_read(struct ax_ctx *ctx, const struct log_case *log)
{
    ax_str text = AX_STR("");
    CHECK_EQ(ax_file_read_all(ctx, log->path, 1 << 20, &text), AX_OK);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(log->folder)), AX_OK);
    return text;
}

static inline bool
log_case_says(ax_str text, const char *words)
{
    return ax_str_find(text, ax_str_of(words)) != SIZE_MAX;
}

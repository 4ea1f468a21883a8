/*
 * What the parts of artifacts share. For nobody else.
 */
#pragma once

#include "mlops/artifacts.h"
#include "sys/mutex.h"

enum { AX_ARTIFACTS_CHECKED_FILES = 1024 };

/* A file that was found sound. */
struct ax_artifacts_checked {
    struct ax_file_stamp stamp;
    ax_digest digest;
    int64_t until_ns; /* monotonic; 0: a free place */
};

struct ax_artifacts {
    struct ax_artifacts_config config;
    struct ax_mutex mutex;
    struct ax_artifacts_checked
        checked[AX_ARTIFACTS_CHECKED_FILES]; /* by inode; guarded by mutex */
};

/* One below the other; either may be "". */
ax_status ax_artifacts_join(struct ax_ctx *ctx, ax_str base, ax_str path, ax_str *out);

/* The path shows the blob: a name beside, then a rename, which happens or does not. */
ax_status ax_artifacts_put_in_place(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str path,
                                    ax_digest digest);

/*
 * Numbers that took long to work out, kept on disk: a folder of files, one for each form.
 *
 * A form's key is the digest of all that its numbers follow from, so a file is never out of date:
 * it is of this model and this population, or it is not asked for. What is kept holds no place, no
 * index and no size that anybody follows, and its length is known before it is looked for: whoever
 * wrote the file, a reader of it stays within it. It is mapped read-only, and its digest is worked
 * out before the first number is used. A file that differs in a bit, a byte or its length is taken
 * for absent, the numbers are made again, and the next keeping puts them in its place.
 *
 * The digest finds what disks, kernels and cut-off writes do to a file. It is no seal: who may
 * write to the folder can write numbers with their digest, as it can replace the program's other
 * data.
 *
 * A file is written under another name and renamed, without waiting for the disk: after a power cut
 * it is whole or refused. The folder holds at most bytes_max; what was used longest ago goes first.
 * Nothing here fails a model: a folder that cannot be read or written is as good as none.
 */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

enum {
    AX_FORMS_VERSION = 1, /* of the files, and of the way in which numbers are worked out */
    AX_FORMS_ALIGN = 64,  /* of the numbers in a mapping */
};

struct ax_forms;

struct ax_forms_config {
    ax_str folder; /* copied; made when it is absent */
    uint64_t bytes_max;
};

/* Any thread may use it at once. Fails: as ax_file_make_folders; LIMIT. */
ax_status ax_forms_open(struct ax_ctx *ctx, const struct ax_forms_config *config,
                        struct ax_forms **out_forms);
void ax_forms_close(struct ax_forms *forms);
AX_DEFINE_AUTO(struct ax_forms, ax_forms_close);

/*
 * The numbers kept under the key, mapped until the arena goes; NULL when there are none of that
 * length, or what there is differs from what was written.
 */
const void *ax_forms_find(const struct ax_forms *forms, struct ax_ctx *ctx, ax_digest key,
                          size_t bytes, struct ax_arena *arena);

/* Keeps numbers for the next time, where that is possible. */
void ax_forms_keep(const struct ax_forms *forms, ax_digest key, ax_str numbers);

/*
 * The numbers in a file's bytes; what stands there is not believed.
 * Fails: CORRUPT, with what is wrong: its length, its head, its digest.
 */
ax_status ax_forms_check(struct ax_ctx *ctx, ax_digest key, size_t bytes, ax_str file,
                         ax_str *out_numbers);

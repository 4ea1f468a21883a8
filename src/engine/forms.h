/*
 * What took long to make of a model, kept on disk: a folder of files, one for each form.
 *
 * A form follows from the model's file, from what was asked for and from the program, so its key is
 * the digest of the first two and its seal is of this build alone: a file is never out of date. It
 * is mapped read-only, and its seal is worked out before its first byte is used. A file that
 * differs in a bit, a byte or its length is taken for absent, the form is made again, and the next
 * keeping puts it in its place.
 *
 * A form holds places and sizes that are followed without a second look, so whoever could write one
 * that is believed could make the program read what is not its own. The seal is a MAC under a
 * secret that lies outside the folder: a folder that was restored, shared or moved can hold wrong
 * forms and none is believed. A file belongs to the program's user alone, who could change it after
 * the look as well as the program's memory.
 *
 * A file is written under another name and renamed, without waiting for the disk: after a power cut
 * it is whole or refused. The folder holds at most bytes_max; what was used longest ago goes first.
 * Nothing here fails a model: a folder that cannot be read or written is as good as none.
 */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

enum {
    AX_FORMS_VERSION = 2, /* of a file's head */
    AX_FORMS_ALIGN = 64,  /* of the form in a mapping */
};

struct ax_forms;

struct ax_forms_config {
    ax_str folder; /* copied; made when it is absent */
    uint64_t bytes_max;
    ax_digest secret;
};

/*
 * Any thread may use it at once. Fails: as ax_file_make_folders; UNSUPPORTED when the program has
 * no build id; LIMIT.
 */
ax_status ax_forms_open(struct ax_ctx *ctx, const struct ax_forms_config *config,
                        struct ax_forms **out_forms);
void ax_forms_close(struct ax_forms *forms);
AX_DEFINE_AUTO(struct ax_forms, ax_forms_close);

/* Where the forms of a model are kept. */
struct ax_forms_of_model {
    const struct ax_forms *forms; /* kept; NULL: nowhere */
    ax_digest digest;             /* SHA-256 of the model's file */
};

/* The key of a form: what it is, of which model, and all it follows from besides that. */
ax_digest ax_forms_key(const struct ax_forms_of_model *of, ax_str what, ax_str follows_from);

/*
 * The form kept under the key, mapped until the arena goes; at is NULL when there is none, or what
 * there is differs from what was written.
 */
ax_str ax_forms_find(const struct ax_forms *forms, struct ax_ctx *ctx, ax_digest key,
                     struct ax_arena *arena);

/* Keeps a form, in pieces, for the next time, where that is possible. */
void ax_forms_keep(const struct ax_forms *forms, ax_digest key, const ax_str *pieces,
                   size_t piece_count);

/*
 * The form in a file's bytes; what stands there is not believed.
 * Fails: CORRUPT, with what is wrong: its length, its head, its seal.
 */
ax_status ax_forms_check(const struct ax_forms *forms, struct ax_ctx *ctx, ax_digest key,
                         ax_str file, ax_str *out_form);

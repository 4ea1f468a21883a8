#include "engine/forms.h"

#include <stdlib.h>

#include "base/fault.h"
#include "sys/build_id.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
    MAGIC_BYTES = 8,
    HEAD_BYTES = 2 * AX_FORMS_ALIGN,
    SEALED_BYTES = HEAD_BYTES - (int)sizeof(ax_digest), /* of the head: all but the seal */
    PATH_BYTES_MAX = 8 << 10,
    LIST_BYTES_MAX = 8 << 20, /* names in the folder */
};

static const char magic[MAGIC_BYTES] = "AXFORMS";
static const int64_t abandoned_ns = 600'000'000'000; /* a writer that has been so long has ended */

/*
 * How a file begins; the form follows, and the file ends. All of it is fixed by key and length, so
 * it is compared as a whole.
 */
struct head {
    char magic[MAGIC_BYTES];
    uint32_t version;
    uint32_t order; /* of bytes: 1 as this machine writes it */
    uint64_t bytes; /* of the form */
    ax_digest key;
    uint8_t zeros[HEAD_BYTES - MAGIC_BYTES - 16 - 2 * sizeof(ax_digest)];
    ax_digest seal; /* of the digest of the head before it and of the form */
};
static_assert(sizeof(struct head) == HEAD_BYTES);

struct ax_forms {
    struct ax_arena *arena;
    ax_str folder;
    uint64_t bytes_max;
    ax_digest secret; /* of this build of the program */
};

/* ---- a file's bytes ---- */

static ax_str
bytes_of(const ax_digest *digest)
{
    return (ax_str){(const char *)digest, sizeof *digest};
}

static struct head
head_of(ax_digest key, size_t bytes)
{
    struct head head = {.version = AX_FORMS_VERSION, .order = 1, .bytes = bytes, .key = key};
    memcpy(head.magic, magic, sizeof magic);
    return head;
}

/* Hashing first and sealing the hash takes the form as it lies, in pieces. */
static bool
seal_of(const struct ax_forms *forms, const struct head *head, const ax_str *pieces,
        size_t piece_count, ax_digest *out_seal)
{
    struct ax_sha256 *hash = ax_sha256_new();
    if (!hash)
        return false;
    ax_sha256_add(hash, (ax_str){(const char *)head, SEALED_BYTES});
    for (size_t i = 0; i < piece_count; i++)
        ax_sha256_add(hash, pieces[i]);
    ax_digest digest = ax_sha256_finish(hash);
    *out_seal = ax_hmac_sha256(bytes_of(&forms->secret), bytes_of(&digest));
    return true;
}

ax_status
ax_forms_check(const struct ax_forms *forms, struct ax_ctx *ctx, ax_digest key, ax_str file,
               ax_str *out_form)
{
    if (file.len < HEAD_BYTES)
        return ax_fail(ctx, AX_CORRUPT, "a form of %zu bytes; expected a head of %d", file.len,
                       (int)HEAD_BYTES);
    ax_str form = ax_str_from(file, HEAD_BYTES);
    struct head head = head_of(key, form.len);
    if (memcmp(file.at, &head, SEALED_BYTES) != 0)
        return ax_fail(ctx, AX_CORRUPT, "a form of another kind, version, length or model");
    if (!seal_of(forms, &head, &form, 1, &head.seal))
        return ax_fail(ctx, AX_LIMIT, "no memory to look at a form's seal");
    if (!ax_crypto_equal((ax_str){file.at, sizeof head},
                         (ax_str){(const char *)&head, sizeof head}))
        return ax_fail(ctx, AX_CORRUPT, "a form with another seal");
    *out_form = form;
    return AX_OK;
}

/* ---- the folder ---- */

ax_status
ax_forms_open(struct ax_ctx *ctx, const struct ax_forms_config *config, struct ax_forms **out_forms)
{
    ax_str build = ax_build_id();
    if (build.len == 0)
        return ax_fail(ctx, AX_UNSUPPORTED, "this program was linked without a build id");
    AX_TRY(ax_file_make_folders(ctx, config->folder));
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(PATH_BYTES_MAX * 4);
    struct ax_forms *forms = arena ? AX_NEW(arena, struct ax_forms) : NULL;
    if (!forms || !ax_str_copy(arena, config->folder, &forms->folder))
        return ax_fail(ctx, AX_LIMIT, "no memory for a folder of forms");
    forms->bytes_max = config->bytes_max;
    forms->secret = ax_hmac_sha256(bytes_of(&config->secret), build);
    forms->arena = ax_take(arena);
    *out_forms = forms;
    return AX_OK;
}

void
ax_forms_close(struct ax_forms *forms)
{
    ax_crypto_wipe(&forms->secret, sizeof forms->secret);
    ax_arena_free(forms->arena);
}

ax_digest
ax_forms_key(const struct ax_forms_of_model *of, ax_str what, ax_str follows_from)
{
    ax_digest digests[] = {ax_sha256(what), of->digest, ax_sha256(follows_from)};
    return ax_sha256((ax_str){(const char *)digests, sizeof digests});
}

/*
 * "<folder>/<name>.form" or ".part", in the arena. The name is the key under the secret: programs
 * that cannot read each other's forms do not overwrite them either.
 */
static ax_str
path_of(const struct ax_forms *forms, struct ax_arena *arena, ax_digest key, const char *end)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(ax_hmac_sha256(bytes_of(&forms->secret), bytes_of(&key)), hex);
    return ax_str_printf(arena, "%.*s/%s%s", AX_FMT(forms->folder), hex, end);
}

static void
forms_unmap(void *arg)
{
    ax_file_unmap(*(const ax_str *)arg);
}

/* The form in the file, mapped until the arena goes. */
static ax_status
map_form(const struct ax_forms *forms, struct ax_ctx *ctx, ax_str path, ax_digest key,
         struct ax_arena *arena, ax_str *out_form)
{
    ax_str *file = AX_NEW(arena, ax_str);
    if (!file)
        return ax_fail(ctx, AX_LIMIT, "no memory for a form");
    AX_TRY(ax_file_map(ctx, path, file));
    ax_str form = {};
    ax_status status = ax_forms_check(forms, ctx, key, *file, &form);
    if (status == AX_OK && !ax_arena_defer(arena, forms_unmap, file))
        status = ax_fail(ctx, AX_LIMIT, "no memory for a form");
    if (status == AX_OK)
        *out_form = form;
    else
        ax_file_unmap(*file);
    return status;
}

ax_str
ax_forms_find(const struct ax_forms *forms, struct ax_ctx *ctx, ax_digest key,
              struct ax_arena *arena)
{
    struct ax_ctx own = ax_ctx_of(ctx->arena); /* what is wrong with a file fails nobody */
    ax_str form = {};
    ax_fault_benign_begin(); /* what is not found is made */
    ax_str path = path_of(forms, own.arena, key, ".form");
    if (path.at && map_form(forms, &own, path, key, arena, &form) == AX_OK)
        ax_ignore(ax_file_touch(&own, path), "it is only taken for one used longer ago");
    ax_fault_benign_end();
    return form;
}

/* ---- keeping ---- */

/* A file of the folder. */
struct kept {
    ax_str path;
    uint64_t bytes;
    int64_t changed_ns;
};

static int
by_age(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return (x->changed_ns > y->changed_ns) - (x->changed_ns < y->changed_ns);
}

static ax_status
look_at(struct ax_ctx *ctx, ax_str path, struct kept *out_kept)
{
    ax_file file;
    struct ax_file_stamp stamp = {};
    AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
    ax_status status = ax_file_stamp(ctx, file, &stamp);
    ax_file_close(&file);
    *out_kept = (struct kept){path, stamp.bytes, stamp.changed_ns};
    return status;
}

/* Removes what was used longest ago until so many bytes more fit. */
static ax_status
make_room(const struct ax_forms *forms, struct ax_ctx *ctx, uint64_t bytes)
{
    ax_str *names = NULL;
    size_t count = 0, found = 0;
    uint64_t held = bytes;
    AX_TRY(ax_file_list(ctx, forms->folder, &names, &count));
    struct kept *all = AX_NEW_ARRAY(ctx->arena, struct kept, count + 1);
    if (!all)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu forms", count);
    for (size_t i = 0; i < count; i++) {
        ax_str path = ax_path_join(ctx->arena, forms->folder, names[i]);
        if (!path.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu forms", count);
        if (look_at(ctx, path, &all[found]) == AX_OK) /* else another process removed it */
            held += all[found++].bytes;
    }
    qsort(all, found, sizeof *all, by_age);
    for (size_t i = 0; i < found && held > forms->bytes_max; i++) {
        ax_ignore(ax_file_remove(ctx, all[i].path), "another process may have removed it");
        held -= all[i].bytes;
    }
    return held <= forms->bytes_max ? AX_OK
                                    : ax_fail(ctx, AX_LIMIT, "a form larger than the folder");
}

/* A form to be kept. */
struct form {
    ax_digest key;
    const ax_str *pieces;
    size_t piece_count, bytes;
};

static ax_status
write_form(const struct ax_forms *forms, struct ax_ctx *ctx, ax_str path, const struct form *form)
{
    struct head head = head_of(form->key, form->bytes);
    uint64_t at = sizeof head;
    ax_file file;
    if (!seal_of(forms, &head, form->pieces, form->piece_count, &head.seal))
        return ax_fail(ctx, AX_LIMIT, "no memory to seal a form");
    AX_TRY(ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &file));
    ax_status status = ax_file_write_at(ctx, file, 0, (ax_str){(const char *)&head, sizeof head});
    for (size_t i = 0; status == AX_OK && i < form->piece_count; at += form->pieces[i++].len)
        status = ax_file_write_at(ctx, file, at, form->pieces[i]);
    ax_file_close(&file);
    return status;
}

/* What a writer left that did not end its work; one that is at work is left alone. */
static void
remove_abandoned(struct ax_ctx *ctx, ax_str part)
{
    struct kept left = {};
    if (look_at(ctx, part, &left) == AX_OK && ax_clock_real_ns() - left.changed_ns > abandoned_ns)
        ax_ignore(ax_file_remove(ctx, part), "another process may have removed it");
}

static ax_status
keep(const struct ax_forms *forms, struct ax_ctx *ctx, const struct form *form)
{
    ax_str part = path_of(forms, ctx->arena, form->key, ".part");
    ax_str path = path_of(forms, ctx->arena, form->key, ".form");
    if (!part.at || !path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a form's path");
    remove_abandoned(ctx, part);
    AX_TRY(make_room(forms, ctx, HEAD_BYTES + form->bytes));
    ax_status status = write_form(forms, ctx, part, form);
    if (status == AX_CONFLICT) /* another writes the same */
        return status;
    if (status == AX_OK)
        status = ax_file_rename(ctx, part, path);
    if (status != AX_OK)
        ax_ignore(ax_file_remove(ctx, part), "it goes with the folder's oldest");
    return status;
}

void
ax_forms_keep(const struct ax_forms *forms, ax_digest key, const ax_str *pieces, size_t piece_count)
{
    struct form form = {.key = key, .pieces = pieces, .piece_count = piece_count};
    for (size_t i = 0; i < piece_count; i++)
        form.bytes += pieces[i].len;
    ax_fault_benign_begin(); /* the form is made again next time */
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(LIST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    if (arena)
        ax_ignore(keep(forms, &ctx, &form), "the next one tries again");
    ax_fault_benign_end();
}

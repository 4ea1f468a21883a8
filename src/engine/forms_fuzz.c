#include "engine/forms.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sys/build_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20, KEY_AT = 24, SEAL_AT = 96, HEAD = 128 };

static const ax_digest secret = {{7}};

/* A folder that nobody writes to; it stays as long as the program. */
static const struct ax_forms *
folder_of_forms(struct ax_ctx *ctx)
{
    static struct ax_forms *forms;
    const struct ax_forms_config config = {
        .folder = AX_STR("/tmp/axiom-forms-fuzz"), .bytes_max = 1, .secret = secret};
    if (!forms)
        AX_ASSERT(ax_forms_open(ctx, &config, &forms) == AX_OK);
    return forms;
}

/* The form is the rest of the file, or there is none. */
static void
look(struct ax_ctx *ctx, ax_digest key, ax_str file)
{
    ax_str form = {};
    if (ax_forms_check(folder_of_forms(ctx), ctx, key, file, &form) != AX_OK) {
        AX_ASSERT(ctx->error[0] != '\0' && !form.at);
        return;
    }
    AX_ASSERT(form.at == file.at + HEAD && form.len == file.len - HEAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_digest key = {};
    if (size >= KEY_AT + sizeof key)
        memcpy(&key, data + KEY_AT, sizeof key);
    look(&ctx, key, (ax_str){(const char *)data, size});
    char *fitting = AX_NEW_ARRAY(arena, char, size);
    if (size < HEAD || !fitting)
        return 0;
    memcpy(fitting, data, size);
    ax_digest of_build =
        ax_hmac_sha256((ax_str){(const char *)&secret, sizeof secret}, ax_build_id());
    const ax_str pieces[] = {{fitting, SEAL_AT}, {fitting + HEAD, size - HEAD}};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    ax_digest seal = ax_hmac_sha256((ax_str){(const char *)&of_build, sizeof of_build},
                                    (ax_str){(const char *)&digest, sizeof digest});
    memcpy(fitting + SEAL_AT, &seal, sizeof seal);
    look(&ctx, key, (ax_str){fitting, size});
    return 0;
}

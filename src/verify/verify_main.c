/* axiom-verify: the ledger's verifier, for whoever trusts nobody. */
#include <stdio.h>
#include <stdlib.h>

#include "sys/file.h"
#include "verify/verify.h"

enum { ARENA_BYTES_MAX = INT32_MAX, KEY_BYTES_MAX = 4096, NOTE_BYTES_MAX = 1 << 20, USAGE = 2 };

static const char help[] =
    "axiom-verify: whether a ledger holds together, offline and from its bytes alone\n\n"
    "usage: axiom-verify DIR --vkey FILE [--since CHECKPOINT] [--json]\n"
    "       axiom-verify proof FILE --vkey FILE --leaf-hash HEX\n\n"
    "  DIR               a ledger's folder, or a data directory\n"
    "  --vkey FILE       the verifier key: name+hash+base64\n"
    "  --since FILE      a signed checkpoint kept elsewhere: the log must extend it\n"
    "  --leaf-hash HEX   hash of the leaf that the proof is about\n\n"
    "Exit code 0 only if every hash, signature and sequence holds; 1 with one sentence when not;\n"
    "2 when it was called wrongly.\n\n"
    "  axiom-verify /var/lib/axiom --vkey ledger.vkey --since kept.txt\n";

struct asked {
    const char *folder, *proof, *vkey, *since, *leaf_hash;
    bool json;
};

/* Where the value of an option goes; NULL when it is none. */
static const char **
place_of(struct asked *asked, const char *word)
{
    const struct {
        const char *name;
        const char **place;
    } options[] = {{"--vkey", &asked->vkey},
                   {"--since", &asked->since},
                   {"--leaf-hash", &asked->leaf_hash},
                   {"proof", &asked->proof}};
    for (size_t i = 0; i < AX_COUNT_OF(options); i++)
        if (strcmp(word, options[i].name) == 0)
            return options[i].place;
    return NULL;
}

static bool
read_arguments(int count, char **arguments, struct asked *out)
{
    for (int i = 1; i < count; i++) {
        const char **place = place_of(out, arguments[i]);
        if (strcmp(arguments[i], "--json") == 0) {
            out->json = true;
        } else if (place) {
            if (++i == count)
                return false;
            *place = arguments[i];
        } else if (arguments[i][0] != '-' && !out->folder) {
            out->folder = arguments[i];
        } else {
            return false;
        }
    }
    return out->vkey && (out->folder != NULL) != (out->proof != NULL) &&
           (!out->proof || out->leaf_hash);
}

static ax_status
verify_proof(struct ax_ctx *ctx, const struct asked *asked, ax_str vkey)
{
    ax_digest leaf;
    uint64_t index, size;
    ax_str file;
    if (!ax_digest_parse(ax_str_of(asked->leaf_hash), &leaf))
        return ax_fail(ctx, AX_INVALID, "--leaf-hash must be 64 hex digits");
    AX_TRY(ax_file_read_all(ctx, ax_str_of(asked->proof), NOTE_BYTES_MAX, &file));
    AX_TRY(ax_verify_proof(ctx, file, leaf, vkey, &index, &size));
    printf(asked->json ? "{\"ok\":true,\"index\":%llu,\"size\":%llu}\n"
                       : "the leaf is number %llu of a signed log of %llu\n",
           (unsigned long long)index, (unsigned long long)size);
    return AX_OK;
}

static ax_status
verify_log(struct ax_ctx *ctx, const struct asked *asked, ax_str vkey)
{
    struct ax_verify_report report;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str since = AX_STR("");
    if (asked->since)
        AX_TRY(ax_file_read_all(ctx, ax_str_of(asked->since), NOTE_BYTES_MAX, &since));
    AX_TRY(ax_verify_log(ctx, ax_str_of(asked->folder), vkey, since, &report));
    ax_digest_hex(report.root, hex);
    printf(asked->json
               ? "{\"ok\":true,\"leaves\":%llu,\"signed\":%llu,\"root\":\"%s\","
                 "\"checkpoints\":%llu,\"payloads\":%llu,\"erased\":%llu,\"producers\":%llu,"
                 "\"torn_bytes\":%llu}\n"
               : "%llu leaves, %llu of them signed; root %s\n%llu checkpoints, %llu payloads, "
                 "%llu erased, %llu producers; %llu bytes of a torn batch\n",
           (unsigned long long)report.size, (unsigned long long)report.signed_size, hex,
           (unsigned long long)report.checkpoints, (unsigned long long)report.payloads,
           (unsigned long long)report.erased, (unsigned long long)report.producers,
           (unsigned long long)report.torn_bytes);
    return AX_OK;
}

int
main(int argument_count, char **arguments)
{
    struct asked asked = {};
    if (argument_count == 2 && strcmp(arguments[1], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (!read_arguments(argument_count, arguments, &asked)) {
        fputs(help, stderr);
        return USAGE;
    }
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    if (!arena) {
        fprintf(stderr, "axiom-verify: no memory\n");
        return EXIT_FAILURE;
    }
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str vkey;
    ax_status status = ax_crypto_init(&ctx);
    if (status == AX_OK)
        status = ax_file_read_all(&ctx, ax_str_of(asked.vkey), KEY_BYTES_MAX, &vkey);
    if (status == AX_OK)
        status = asked.proof ? verify_proof(&ctx, &asked, ax_str_trim(vkey))
                             : verify_log(&ctx, &asked, ax_str_trim(vkey));
    if (status != AX_OK) {
        fprintf(stderr, "axiom-verify: %s\n", ctx.error);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* axiom approve, reject and key: what is done with a key that never leaves this machine. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/keystore.h"
#include "cli/command.h"
#include "cli/remote.h"

/* What the verbs have in common. */
struct asked {
    ax_str url, token_file, key, passphrase_file, comment;
    bool json;
};

static ax_status
read_passphrase(struct ax_ctx *ctx, const struct asked *asked, ax_str *out)
{
    *out = AX_STR("");
    if (!asked->passphrase_file.len)
        return AX_OK;
    AX_TRY(ax_command_read(ctx, asked->passphrase_file, out));
    *out = ax_str_trim(*out);
    return AX_OK;
}

static ax_status
key_path(struct ax_ctx *ctx, struct asked *asked)
{
    const char *home = getenv("HOME");
    if (asked->key.len)
        return AX_OK;
    asked->key = ax_str_printf(ctx->arena, "%s/.axiom/key", home ? home : ".");
    return asked->key.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* ---- approve and reject ---- */

/* The proposal as the server gives it; its digest is computed here, not believed. */
static ax_status
fetch_proposal(struct ax_ctx *ctx, struct ax_remote *remote, ax_str id, ax_digest *out_digest,
               ax_str *out_canonical)
{
    struct ax_remote_answer answer = {};
    ax_str path =
        ax_str_printf(ctx->arena, "/api/v1/proposals/%.*s", AX_FMT(ax_remote_segment(ctx, id)));
    ax_str said;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_remote_call(remote, ctx, "GET", path, AX_STR(""), &answer));
    if (!ax_json_text(ax_json_find(answer.json, "canonical"), out_canonical) ||
        !ax_json_text(ax_json_find(answer.json, "digest"), &said))
        return ax_fail(ctx, AX_INVALID, "the server's answer is no proposal");
    *out_digest = ax_sha256(*out_canonical);
    if (!ax_str_eq(said, ax_digest_hex(*out_digest, hex)))
        return ax_fail(ctx, AX_CORRUPT,
                       "the server says digest %.*s, but what it shows has %s: not signed",
                       AX_FMT(said), hex);
    return AX_OK;
}

static ax_status
sign(struct ax_ctx *ctx, bool approve, int argument_count, char **arguments)
{
    struct asked asked = {.url = AX_STR(""), .token_file = AX_STR(""), .comment = AX_STR("")};
    ax_str id = {}, passphrase, canonical, body;
    struct ax_remote remote;
    struct ax_keystore_key key;
    struct ax_remote_answer answer = {};
    const struct ax_option options[] = {
        {.name = "--url", .out_value = &asked.url},
        {.name = "--token-file", .out_value = &asked.token_file},
        {.name = "--key", .out_value = &asked.key},
        {.name = "--passphrase-file", .out_value = &asked.passphrase_file},
        {.name = "--comment", .out_value = &asked.comment},
        {.name = "--json", .out_given = &asked.json},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), &id));
    if (!id.len)
        return ax_fail(ctx, AX_INVALID, "a proposal's id is needed");
    AX_TRY(key_path(ctx, &asked));
    AX_TRY(read_passphrase(ctx, &asked, &passphrase));
    AX_TRY(ax_remote_open(ctx, asked.url, asked.token_file, &remote));
    struct ax_signing_approval approval = {
        .approve = approve, .proposal_id = id, .comment = asked.comment};
    ax_status status = fetch_proposal(ctx, &remote, id, &approval.proposal, &canonical);
    if (status == AX_OK)
        status = ax_keystore_open(ctx, asked.key, passphrase, &key);
    if (status == AX_OK) {
        if (!asked.json)
            printf("you sign for: %.*s\n", AX_FMT(canonical));
        status = ax_keystore_approval(ctx, &key, &approval, &body);
        ax_keystore_close(&key);
    }
    if (status == AX_OK) {
        ax_str path =
            ax_str_printf(ctx->arena, "/api/v1/proposals/%.*s/%s",
                          AX_FMT(ax_remote_segment(ctx, id)), approve ? "approve" : "reject");
        status = path.at ? ax_remote_call(&remote, ctx, "POST", path, body, &answer)
                         : ax_fail(ctx, AX_LIMIT, "no memory for a path");
    }
    ax_remote_close(&remote);
    AX_TRY(status);
    ax_str state = AX_STR("");
    (void)(ax_json_text(ax_json_find(answer.json, "state"), &state));
    if (asked.json)
        printf("%.*s\n", AX_FMT(answer.body));
    else
        printf("%s; the proposal is %.*s\n", approve ? "approved" : "rejected", AX_FMT(state));
    return AX_OK;
}

static ax_status
approve(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    return sign(ctx, true, argument_count, arguments);
}

static ax_status
reject(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    return sign(ctx, false, argument_count, arguments);
}

#define SIGN_HELP                                                                                  \
    "  --key FILE              your key; ~/.axiom/key (axiom key new makes it)\n"                  \
    "  --passphrase-file FILE  when the key is sealed\n"                                           \
    "  --comment TEXT          kept and signed with it\n"                                          \
    "  --json                  print the server's answer as it came\n"                             \
    "  --url, --token-file     server and token; else AXIOM_URL, AXIOM_TOKEN\n"

const struct ax_command ax_command_approve = {
    .name = "approve",
    .summary = "sign for a proposal with your own key",
    .help = "usage: axiom approve PROPOSAL [options]\n\n"
            "Shows the proposal, computes its digest here and signs that.\n\n" SIGN_HELP
            "\n  axiom approve p_1 --key ~/.axiom/key --comment 'validated, limits are right'\n",
    .run = approve,
};

const struct ax_command ax_command_reject = {
    .name = "reject",
    .summary = "sign against a proposal with your own key",
    .help = "usage: axiom reject PROPOSAL [options]\n\n" SIGN_HELP
            "\n  axiom reject p_1 --comment 'the sample is too small'\n",
    .run = reject,
};

/* ---- keys ---- */

static ax_status
key_new(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct asked asked = {};
    struct ax_keystore_key key;
    ax_str passphrase, path = {};
    const struct ax_option options[] = {
        {.name = "--passphrase-file", .out_value = &asked.passphrase_file},
        {.name = "--json", .out_given = &asked.json},
    };
    AX_TRY(
        ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), &path));
    asked.key = path;
    AX_TRY(key_path(ctx, &asked));
    AX_TRY(read_passphrase(ctx, &asked, &passphrase));
    AX_TRY(ax_keystore_create(ctx, asked.key, passphrase, &key));
    printf(asked.json ? "{\"key_id\":\"%s\",\"file\":\"%.*s\"}\n" : "key %s in %.*s\n", key.id,
           AX_FMT(asked.key));
    ax_keystore_close(&key);
    return AX_OK;
}

const struct ax_command ax_command_key_new = {
    .name = "key new",
    .summary = "make a key of your own, in a file that only you can read",
    .help = "usage: axiom key new [FILE] [--passphrase-file FILE] [--json]\n\n"
            "FILE is ~/.axiom/key unless given. The private half never leaves it.\n\n"
            "  axiom key new\n",
    .run = key_new,
};

static ax_status
key_enroll(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct asked asked = {.url = AX_STR(""), .token_file = AX_STR("")};
    struct ax_keystore_key key;
    struct ax_remote remote;
    struct ax_remote_answer answer = {};
    ax_str user = {}, passphrase, change;
    const struct ax_option options[] = {
        {.name = "--url", .out_value = &asked.url},
        {.name = "--token-file", .out_value = &asked.token_file},
        {.name = "--key", .out_value = &asked.key},
        {.name = "--passphrase-file", .out_value = &asked.passphrase_file},
        {.name = "--json", .out_given = &asked.json},
    };
    AX_TRY(
        ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), &user));
    if (!user.len)
        return ax_fail(ctx, AX_INVALID, "your user id is needed: axiom key enroll USER");
    AX_TRY(key_path(ctx, &asked));
    AX_TRY(read_passphrase(ctx, &asked, &passphrase));
    AX_TRY(ax_keystore_open(ctx, asked.key, passphrase, &key));
    ax_status status = ax_keystore_enrolment(ctx, &key, user, 365, &change);
    ax_keystore_close(&key);
    AX_TRY(status);
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 10);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "kind", AX_STR("key"));
    ax_json_member_text(&json, "subject", user);
    ax_json_key(&json, "change");
    ax_json_put_raw(&json, change);
    ax_json_end_object(&json);
    AX_TRY(ax_remote_open(ctx, asked.url, asked.token_file, &remote));
    status = ax_remote_call(&remote, ctx, "POST", AX_STR("/api/v1/proposals"), ax_writer_str(&text),
                            &answer);
    ax_remote_close(&remote);
    AX_TRY(status);
    ax_str id = AX_STR(""), state = AX_STR("");
    (void)(ax_json_text(ax_json_find(answer.json, "id"), &id) &&
           ax_json_text(ax_json_find(answer.json, "state"), &state));
    if (asked.json)
        printf("%.*s\n", AX_FMT(answer.body));
    else
        printf("proposal %.*s is %.*s\n", AX_FMT(id), AX_FMT(state));
    return AX_OK;
}

const struct ax_command ax_command_key_enroll = {
    .name = "key enroll",
    .summary = "propose that your key is enrolled, with the proof that you hold it",
    .help = "usage: axiom key enroll USER [--key FILE] [--passphrase-file FILE] [--json]\n\n"
            "A security administrator approves it.\n\n"
            "  axiom key enroll dana\n",
    .run = key_enroll,
};

/*
 * Talking to a server: where it is, who we are, one request, its answer or its refusal in words.
 *
 * URL and token come from --url and --token-file, else from AXIOM_URL and AXIOM_TOKEN (or
 * AXIOM_TOKEN_FILE). A refusal becomes the sentence that the server gave.
 */
#pragma once

#include "cli/command.h"
#include "codec/json.h"
#include "net/client.h"

struct ax_remote {
    ax_str url;
    ax_str token;
    struct ax_client *client;
};

/* url, token_file: "" for what the environment says. Fails: INVALID, as reading the file. */
ax_status ax_remote_open(struct ax_ctx *ctx, ax_str url, ax_str token_file,
                         struct ax_remote *out_remote);
void ax_remote_close(struct ax_remote *remote);

struct ax_remote_answer {
    int status;
    ax_str body;
    const struct ax_json *json; /* NULL when the body is no JSON */
};

/*
 * One request. A body that is no JSON object goes as bytes.
 * Fails: the code that the server's refusal stands for, with its sentence; UNAVAILABLE.
 */
ax_status ax_remote_call(struct ax_remote *remote, struct ax_ctx *ctx, const char *method,
                         ax_str path, ax_str body, struct ax_remote_answer *out_answer);

/* Text as one segment of a path. In ctx->arena; at is NULL when short. */
ax_str ax_remote_segment(struct ax_ctx *ctx, ax_str text);

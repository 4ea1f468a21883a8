/*
 * A server on loopback that notes what was asked of it and answers as it is told, for tests of the
 * program's verbs; and what a verb prints, caught.
 */
#pragma once

#include "cli/command.h"
#include "net/loopback_test.h"
#include "sys/file.h"

struct remote_case {
    struct loopback server;
    ax_str url;

    /* what came, in text that ends with a NUL; one request at a time */
    char method[16], target[512], type[64], authorization[128];
    char body[64 * 1024];

    /* what it answers */
    int status;
    const char *answer;
};

static inline void
remote_case_keep(char *out, size_t bytes, ax_str text)
{
    AX_ASSERT(text.len < bytes);
    memcpy(out, text.at ? text.at : "", text.len);
    out[text.len] = '\0';
}

static inline void
remote_case_handler(void *arg, struct ax_exchange *exchange)
{
    struct remote_case *at = arg;
    const struct ax_http_request *request = ax_exchange_request(exchange);
    remote_case_keep(at->method, sizeof at->method, request->method_text);
    remote_case_keep(at->target, sizeof at->target, request->target);
    remote_case_keep(at->type, sizeof at->type,
                     ax_http_header_find(request, AX_STR("content-type")));
    remote_case_keep(at->authorization, sizeof at->authorization,
                     ax_http_header_find(request, AX_STR("authorization")));
    remote_case_keep(at->body, sizeof at->body, request->body);
    ax_exchange_answer(exchange, at->status, AX_STR("application/json"), ax_str_of(at->answer));
}

static inline void
remote_case_open(struct ax_ctx *ctx, struct remote_case *at)
{
    struct ax_loop_config config = loopback_config();
    const struct ax_exchange_service service = {.arg = at, .handler = remote_case_handler};
    *at = (struct remote_case){.status = 200, .answer = "{}"};
    config.loop_count = 1;
    loopback_open(&at->server, &config, &service);
    at->url = ax_str_printf(ctx->arena, "http://127.0.0.1:%d", at->server.port);
}

static inline void
remote_case_close(struct remote_case *at)
{
    loopback_close(&at->server);
}

/* ---- arguments and output ---- */

enum { REMOTE_CASE_ARGUMENTS_MAX = 24 };

struct remote_case_arguments {
    char *at[REMOTE_CASE_ARGUMENTS_MAX];
    int count;
};

/* Words between spaces; '...' holds them together, as a shell's quotes do. */
static inline struct remote_case_arguments
remote_case_split(struct ax_ctx *ctx, const char *line)
{
    struct remote_case_arguments out = {};
    char *text = ax_arena_alloc(ctx->arena, 1, strlen(line) + 2);
    bool quoted = false, inside = false;
    for (; *line; line++) {
        if (*line == '\'') {
            quoted = !quoted;
            continue;
        }
        bool space = *line == ' ' && !quoted;
        if (!space && !inside) {
            AX_ASSERT(out.count < REMOTE_CASE_ARGUMENTS_MAX);
            out.at[out.count++] = text;
        }
        *text++ = space ? '\0' : *line;
        inside = !space;
    }
    *text = '\0';
    return out;
}

static inline void
remote_case_add(struct ax_ctx *ctx, struct remote_case_arguments *arguments, ax_str one)
{
    char *text = ax_arena_alloc(ctx->arena, 1, one.len + 1);
    AX_ASSERT(text && arguments->count < REMOTE_CASE_ARGUMENTS_MAX);
    memcpy(text, one.at, one.len);
    text[one.len] = '\0';
    arguments->at[arguments->count++] = text;
}

/* What run(arg) writes to standard output, in ctx->arena. */
static inline ax_str
remote_case_printed(struct ax_ctx *ctx, void (*run)(void *arg), void *arg)
{
    char path[] = "/tmp/axiom-printed-XXXXXX";
    ax_str text = AX_STR("");
    fflush(stdout);
    int file = mkstemp(path), outer = dup(STDOUT_FILENO);
    AX_ASSERT(file >= 0 && outer >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    run(arg);
    fflush(stdout);
    AX_ASSERT(dup2(outer, STDOUT_FILENO) >= 0);
    close(outer);
    close(file);
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(path), 1 << 20, &text), AX_OK);
    unlink(path);
    return text;
}

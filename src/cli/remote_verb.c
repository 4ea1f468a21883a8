#include "cli/remote_verb.h"

#include <stdio.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/remote.h"
#include "cli/show.h"

enum { BODY_BYTES_MAX = INT32_MAX };

/* What the arguments said. */
struct asked {
    const struct ax_remote_verb *verb;
    ax_str positionals[AX_REMOTE_POSITIONALS_MAX];
    size_t positional_count;
    ax_str values[AX_REMOTE_OPTIONS_MAX]; /* at NULL when not given */
    ax_str url, token_file;
    bool json;
};

static size_t
positional_most(const struct ax_remote_verb *verb)
{
    size_t count = 0;
    while (count < AX_REMOTE_POSITIONALS_MAX && verb->positionals[count])
        count++;
    return count;
}

/* Without the mark of one that may be left out. */
static ax_str
positional_name(const struct ax_remote_verb *verb, size_t i)
{
    ax_str name = ax_str_of(verb->positionals[i]);
    if (ax_str_ends(name, AX_STR("?")))
        name.len--;
    return name;
}

/* ---- reading the arguments ---- */

static ax_str *
place_of(struct asked *asked, ax_str flag)
{
    if (ax_str_eq(flag, AX_STR("--url")))
        return &asked->url;
    if (ax_str_eq(flag, AX_STR("--token-file")))
        return &asked->token_file;
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && asked->verb->options[i].flag; i++)
        if (ax_str_eq(flag, ax_str_of(asked->verb->options[i].flag)))
            return &asked->values[i];
    return NULL;
}

static ax_status
read_arguments(struct ax_ctx *ctx, struct asked *asked, int argument_count, char **arguments)
{
    size_t most = positional_most(asked->verb);
    for (int i = 0; i < argument_count; i++) {
        ax_str argument = ax_str_of(arguments[i]);
        if (ax_str_eq(argument, AX_STR("--json"))) {
            asked->json = true;
        } else if (ax_str_starts(argument, AX_STR("--"))) {
            ax_str *place = place_of(asked, argument);
            if (!place)
                return ax_fail(ctx, AX_INVALID, "unknown option `%s`", arguments[i]);
            if (++i == argument_count)
                return ax_fail(ctx, AX_INVALID, "option `%.*s` needs a value", AX_FMT(argument));
            *place = ax_str_of(arguments[i]);
        } else if (asked->positional_count < most) {
            asked->positionals[asked->positional_count++] = argument;
        } else {
            return ax_fail(ctx, AX_INVALID, "unexpected argument `%s`", arguments[i]);
        }
    }
    return AX_OK;
}

static ax_status
check_arguments(struct ax_ctx *ctx, const struct asked *asked)
{
    const struct ax_remote_verb *verb = asked->verb;
    for (size_t i = asked->positional_count; i < positional_most(verb); i++)
        if (!ax_str_ends(ax_str_of(verb->positionals[i]), AX_STR("?")))
            return ax_fail(ctx, AX_INVALID, "argument %s is missing; axiom %s --help",
                           verb->positionals[i], verb->name);
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        if (verb->options[i].required && !asked->values[i].at)
            return ax_fail(ctx, AX_INVALID, "option %s is missing; axiom %s --help",
                           verb->options[i].flag, verb->name);
    return AX_OK;
}

/* ---- the path ---- */

/* Where "{name}" begins in the path, or SIZE_MAX. */
static size_t
place_in(ax_str path, ax_str name)
{
    for (size_t i = 0; i + name.len + 2 <= path.len; i++)
        if (path.at[i] == '{' && path.at[i + name.len + 1] == '}' &&
            ax_str_eq((ax_str){path.at + i + 1, name.len}, name))
            return i;
    return SIZE_MAX;
}

static bool
in_path(const struct ax_remote_verb *verb, ax_str name)
{
    return place_in(ax_str_of(verb->path), name) != SIZE_MAX;
}

static ax_status
make_path(struct ax_ctx *ctx, const struct asked *asked, ax_str *out_path)
{
    ax_str path = ax_str_of(asked->verb->path);
    for (size_t i = 0; i < asked->positional_count; i++) {
        ax_str name = positional_name(asked->verb, i);
        size_t at = place_in(path, name);
        if (at == SIZE_MAX)
            continue;
        ax_str rest = ax_str_from(path, at + name.len + 2);
        ax_str segment = ax_remote_segment(ctx, asked->positionals[i]);
        path = segment.at ? ax_str_printf(ctx->arena, "%.*s%.*s%.*s", (int)at, path.at,
                                          AX_FMT(segment), AX_FMT(rest))
                          : segment;
        if (!path.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    }
    char separator = '?';
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && asked->verb->options[i].flag; i++) {
        const struct ax_remote_option *option = &asked->verb->options[i];
        if (option->kind != AX_REMOTE_QUERY || !asked->values[i].at)
            continue;
        ax_str value = ax_remote_segment(ctx, asked->values[i]);
        path = value.at ? ax_str_printf(ctx->arena, "%.*s%c%s=%.*s", AX_FMT(path), separator,
                                        option->member, AX_FMT(value))
                        : value;
        separator = '&';
        if (!path.at)
            return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    }
    *out_path = path;
    return AX_OK;
}

/* ---- the body ---- */

static ax_status
put_words(struct ax_json_writer *json, ax_str words)
{
    ax_str word;
    ax_json_begin_array(json);
    while (words.len && ax_str_cut(&words, ',', &word))
        ax_json_put_text(json, ax_str_trim(word));
    ax_json_end_array(json);
    return AX_OK;
}

/* JSON on the command line, or in a file named after an '@'. Checked, so that the body is JSON. */
static ax_status
put_json(struct ax_ctx *ctx, const char *flag, ax_str value, struct ax_json_writer *json)
{
    const struct ax_json *parsed;
    if (ax_str_starts(value, AX_STR("@")))
        AX_TRY(ax_command_read(ctx, ax_str_from(value, 1), &value));
    ax_status status = ax_json_parse(ctx, value, NULL, &parsed);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%s", flag);
    ax_json_put_raw(json, ax_str_trim(value));
    return AX_OK;
}

/* The members of a file's object, one by one. */
static ax_status
put_members(struct ax_ctx *ctx, ax_str path, struct ax_json_writer *json)
{
    const struct ax_json *parsed;
    ax_str text;
    AX_TRY(ax_command_read(ctx, path, &text));
    ax_status status = ax_json_parse(ctx, text, NULL, &parsed);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(path));
    if (ax_json_kind(parsed) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "%.*s must hold a JSON object", AX_FMT(path));
    struct ax_json_iter members = ax_json_iter_of(parsed);
    while (ax_json_next(&members)) {
        ax_json_key_str(json, members.key);
        ax_json_put(json, members.value);
    }
    return AX_OK;
}

static ax_status
put_option(struct ax_ctx *ctx, const struct ax_remote_option *option, ax_str value,
           struct ax_json_writer *json)
{
    double number;
    if (option->kind == AX_REMOTE_QUERY || option->kind == AX_REMOTE_BODY ||
        option->kind == AX_REMOTE_CHANGE)
        return AX_OK;
    if (option->kind == AX_REMOTE_BODY_JSON)
        return put_members(ctx, value, json);
    ax_json_key(json, option->member);
    switch (option->kind) {
    case AX_REMOTE_NUMBER:
        if (!ax_parse_f64(value, &number))
            return ax_fail(ctx, AX_INVALID, "%s must be a number, not \"%.*s\"", option->flag,
                           AX_FMT(value));
        ax_json_put_f64(json, number);
        return AX_OK;
    case AX_REMOTE_WORDS:
        return put_words(json, value);
    case AX_REMOTE_JSON:
        return put_json(ctx, option->flag, value, json);
    case AX_REMOTE_FILE_TEXT:
        AX_TRY(ax_command_read(ctx, value, &value));
        ax_json_put_text(json, value);
        return AX_OK;
    case AX_REMOTE_TEXT:
    case AX_REMOTE_BODY_JSON:
    case AX_REMOTE_BODY:
    case AX_REMOTE_CHANGE:
    case AX_REMOTE_QUERY:
        break;
    }
    ax_json_put_text(json, value);
    return AX_OK;
}

/* "change": what the verb means, and what the caller said about it. */
static void
put_change(const struct asked *asked, struct ax_json_writer *json)
{
    const struct ax_remote_verb *verb = asked->verb;
    ax_json_key(json, "change");
    ax_json_begin_object(json);
    if (verb->change[0])
        ax_json_put_raw(json, ax_str_of(verb->change));
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        if (verb->options[i].kind == AX_REMOTE_CHANGE && asked->values[i].at)
            ax_json_member_text(json, verb->options[i].member, asked->values[i]);
    ax_json_end_object(json);
}

static ax_status
make_body(struct ax_ctx *ctx, const struct asked *asked, ax_str *out_body)
{
    const struct ax_remote_verb *verb = asked->verb;
    *out_body = AX_STR("");
    if (strcmp(verb->method, "GET") == 0)
        return AX_OK;
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        if (verb->options[i].kind == AX_REMOTE_BODY && asked->values[i].at)
            return ax_command_read(ctx, asked->values[i], out_body);
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    if (verb->fixed)
        ax_json_put_raw(&json, ax_str_of(verb->fixed));
    if (verb->change)
        put_change(asked, &json);
    for (size_t i = 0; i < asked->positional_count; i++)
        if (!in_path(verb, positional_name(verb, i))) {
            ax_json_key_str(&json, positional_name(verb, i));
            ax_json_put_text(&json, asked->positionals[i]);
        }
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        if (asked->values[i].at)
            AX_TRY(put_option(ctx, &verb->options[i], asked->values[i], &json));
    ax_json_end_object(&json);
    ax_status status = ax_writer_take(&text, ctx->arena, out_body);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for a request");
}

/* ---- running ---- */

static ax_status
print_answer(struct ax_ctx *ctx, const struct asked *asked, const struct ax_remote_answer *answer)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(BODY_BYTES_MAX);
    if (answer->json && !asked->json) {
        ax_show(answer->json, isatty(STDOUT_FILENO) == 1, &out);
    } else {
        ax_writer_bytes(&out, answer->body);
        if (answer->json)
            ax_writer_char(&out, '\n');
    }
    if (out.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the answer");
    ax_str text = ax_writer_str(&out); /* "" of nothing shown, which out.at is not */
    fwrite(text.at, 1, text.len, stdout);
    return AX_OK;
}

ax_status
ax_remote_verb_run(struct ax_ctx *ctx, const struct ax_remote_verb *verb, int argument_count,
                   char **arguments)
{
    struct asked asked = {.verb = verb, .url = AX_STR(""), .token_file = AX_STR("")};
    struct ax_remote remote;
    struct ax_remote_answer answer = {};
    ax_str path, body;
    AX_TRY(read_arguments(ctx, &asked, argument_count, arguments));
    AX_TRY(check_arguments(ctx, &asked));
    AX_TRY(make_path(ctx, &asked, &path));
    AX_TRY(make_body(ctx, &asked, &body));
    AX_TRY(ax_remote_open(ctx, asked.url, asked.token_file, &remote));
    ax_status status = ax_remote_call(&remote, ctx, verb->method, path, body, &answer);
    if (status == AX_OK)
        status = print_answer(ctx, &asked, &answer);
    ax_remote_close(&remote);
    return status;
}

void
ax_remote_verb_help(const struct ax_remote_verb *verb)
{
    printf("%s\n\nusage: axiom %s", verb->summary, verb->name);
    for (size_t i = 0; i < positional_most(verb); i++) {
        bool may = ax_str_ends(ax_str_of(verb->positionals[i]), AX_STR("?"));
        ax_str name = positional_name(verb, i);
        printf(may ? " [%.*s]" : " %.*s", AX_FMT(name));
    }
    printf(" [options]\n\n");
    for (size_t i = 0; i < AX_REMOTE_OPTIONS_MAX && verb->options[i].flag; i++)
        printf("  %-20s %s%s\n", verb->options[i].flag, verb->options[i].meaning,
               verb->options[i].required ? " (needed)" : "");
    printf("  %-20s %s\n", "--json", "print the server's answer as it came");
    printf("  %-20s %s\n", "--url", "server; else AXIOM_URL, else http://127.0.0.1:8080");
    printf("  %-20s %s\n", "--token-file", "file with your token; else AXIOM_TOKEN");
    printf("\n  %s\n", verb->example);
}
